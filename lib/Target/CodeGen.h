//===- CodeGen.h - LLVM IR to machine code ----------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_CODEGEN_H
#define EVOX_LIB_TARGET_CODEGEN_H

#include "evox/Target/ProgramInfo.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>

namespace evox {

/// The triple of that name, or of this machine for an empty one: of an
/// architecture that there is a run-time library for.
llvm::Expected<llvm::Triple> parseTriple(llvm::StringRef text);

/// The machine for any processor of the triple; functions have attributes that
/// tell of others.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const llvm::Triple &triple);

/// The names of the processors that LLVM knows.
llvm::Expected<std::vector<std::string>>
getProcessors(const llvm::Triple &triple);

/// Reads CompileOptions::cpu. The most demanding variant comes first.
llvm::Expected<std::vector<VariantInfo>>
parseVariants(llvm::StringRef list, const llvm::Triple &triple);

/// The symbol of a program's function in that variant.
std::string getVariantSymbol(const ProgramInfo &program, size_t variant,
                             llvm::StringRef symbol);

/// Makes the module's functions once for each of the program's variants.
void makeVariants(llvm::Module &module, const ProgramInfo &program);

/// LLVM's -O1 to -O3 for the machine.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level);

llvm::Error emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                     llvm::CodeGenFileType type, llvm::raw_pwrite_stream &);

} // namespace evox

#endif // EVOX_LIB_TARGET_CODEGEN_H
