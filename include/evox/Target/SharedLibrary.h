//===- SharedLibrary.h - From a module to a library -------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TARGET_SHAREDLIBRARY_H
#define EVOX_TARGET_SHAREDLIBRARY_H

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <utility>
#include <vector>

namespace evox {

/// What to stop at.
enum class Emit { Evox, State, Linalg, Loops, LLVM, Assembly, Object, Library };

struct CompileOptions {
  Emit emit = Emit::Library;
  std::string rng = "torch";
  std::string target = "cpu";
  /// Names that LLVM knows, with commas between them; `native` is this
  /// processor. Empty: native, or any processor of a foreign triple.
  std::string cpu;
  std::string triple; ///< empty: this machine's
  bool fastMath = false;
  unsigned optimization = 3; ///< LLVM's level, 1 to 3
  /// Of the program, an identifier of C. Empty: made from `output`.
  std::string name;
  std::string output; ///< a file; "-" is the standard output, but not for Library
  std::string header; ///< where to write the C header; empty: nowhere
  /// The folder of libEvoxRuntime.a. Empty: `../lib` beside the executable.
  std::string runtimeFolder;
  /// Where the target's C library is found. Empty: where the system has it.
  std::string sysroot;
};

/// Seconds by stage, in order, and sizes in bytes.
struct CompileStats {
  std::vector<std::pair<std::string, double>> seconds;
  std::vector<std::pair<std::string, int64_t>> bytes;
};

/// Compiles a module of the evox dialect, which is used up, and writes what
/// `options` asks for. Emits diagnostics on failure and leaves no file behind.
mlir::LogicalResult compileModule(mlir::ModuleOp module,
                                  const CompileOptions &options,
                                  CompileStats *stats = nullptr);

/// Registers what `compileModule` needs of a context.
void registerCompilerDialects(mlir::DialectRegistry &registry);

} // namespace evox

#endif // EVOX_TARGET_SHAREDLIBRARY_H
