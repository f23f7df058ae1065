//===- ProgramTable.h - The table of a library ------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_PROGRAMTABLE_H
#define EVOX_LIB_TARGET_PROGRAMTABLE_H

#include "evox/Target/ProgramInfo.h"

namespace llvm {
class Module;
}

namespace evox {
/// Adds `evox_the_program` (evox/Runtime/Program.h) and `NAME_get_api`.
void addProgramTable(llvm::Module &module, const ProgramInfo &program);
} // namespace evox

#endif // EVOX_LIB_TARGET_PROGRAMTABLE_H
