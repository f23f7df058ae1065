//===- CodeGen.h - LLVM IR to machine code ----------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_CODEGEN_H
#define EVOX_LIB_TARGET_CODEGEN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>

namespace evox {

/// The machine for a processor of this name; `native` is the one it runs on.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(llvm::StringRef cpu);

/// What code for the machine asks of the processor it runs on: CpuFeatures.h.
uint32_t neededFeatures(const llvm::TargetMachine &machine);

/// LLVM's -O1 to -O3 for the machine.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level);

llvm::Error emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                     llvm::CodeGenFileType type, llvm::raw_pwrite_stream &);

} // namespace evox

#endif // EVOX_LIB_TARGET_CODEGEN_H
