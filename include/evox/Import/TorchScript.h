//===- TorchScript.h - Importing TorchScript -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_IMPORT_TORCHSCRIPT_H
#define EVOX_IMPORT_TORCHSCRIPT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <map>
#include <string>
#include <vector>

namespace evox {

/// What the importer is told beside the file.
struct ImportOptions {
  /// Methods to export. Empty: every method without arguments, or, where
  /// there is none, `forward`.
  std::vector<std::string> methods;
  /// Types of a method's arguments, one string per method, such as
  /// "float32[8,2],int64[]"; `?` is a dimension left open.
  std::map<std::string, std::string> inputs;
  /// Dimensions left open, in addition to each `?`: by method, the argument
  /// ("x", or "x.0" for what is nested in one) and its dimensions.
  struct OpenDims {
    std::string argument;
    std::vector<int64_t> dims; ///< negative ones count from the end
  };
  std::map<std::string, std::vector<OpenDims>> dynamic;
  /// Result types of the methods that the host supplies at run time, by name:
  /// "evaluate" or, of one submodule only, "problem.evaluate".
  std::map<std::string, std::string> externals;
  /// Derived functions, such as "many = vmap(use_state(step), axis_size=8)".
  std::vector<std::string> transforms;
  /// Loops with a known trip count up to this are unrolled.
  int64_t unrollLimit = 8;
  /// Inline the methods that methods call, and keep no function of them.
  bool inlineCalls = false;
  /// Leave out methods that cannot be imported, with a warning each.
  bool keepGoing = false;
  /// PyTorch's default dtype when the program was made.
  std::string defaultDType = "float32";
};

/// Times and sizes of an import, for --stats.
struct ImportStats {
  double libtorchSeconds = 0; ///< starting LibTorch and reading the file
  double importSeconds = 0;
  int64_t operations = 0;
  int64_t phases = 0;
  void print(llvm::raw_ostream &os) const;
};

/// Imports a TorchScript module from a `.pt` file, or from TorchScript source
/// text (a file ending in `.ts`). Emits diagnostics and returns null on error.
mlir::OwningOpRef<mlir::ModuleOp>
importTorchScript(mlir::MLIRContext &context, llvm::StringRef path,
                  const ImportOptions &options, ImportStats *stats = nullptr);

} // namespace evox

#endif // EVOX_IMPORT_TORCHSCRIPT_H
