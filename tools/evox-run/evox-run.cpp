//===- evox-run.cpp - Runs a compiled program ------------------------- ===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunTool.h"

int main(int argc, char **argv) { return evox::runTool(argc, argv); }
