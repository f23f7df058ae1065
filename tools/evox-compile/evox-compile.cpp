//===- evox-compile.cpp - TorchScript to a shared library -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Target/CompileTool.h"

int main(int argc, char **argv) { return evox::runCompileTool(argc, argv); }
