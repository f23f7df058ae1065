//===- RunTool.h - Runs a compiled program ---------------*- C++ -*- ===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TOOLS_RUNTOOL_H
#define EVOX_TOOLS_RUNTOOL_H

#include "evox/Runtime/evox.h"
#include <string>

namespace evox {

/// The whole of evox-run; returns the process's exit status.
int runTool(int argc, char **argv);

/// Such as "float32 [2, 3]".
std::string describeTensor(const evox_tensor &tensor);

/// The values, nested in brackets; a long dimension shows its ends only.
std::string printTensor(const evox_tensor &tensor);

} // namespace evox

#endif // EVOX_TOOLS_RUNTOOL_H
