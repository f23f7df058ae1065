//===- ProgramInfo.h - What a library knows of its program ------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TARGET_PROGRAMINFO_H
#define EVOX_TARGET_PROGRAMINFO_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace evox {

struct TensorInfo {
  int32_t dtype = 0; ///< evox_dtype
  std::vector<int64_t> shape; ///< -1: any size
};

struct SlotInfo {
  std::string name;
  int32_t slot = 0, kind = 0;    ///< EVOX_SLOT_*, EVOX_KIND_*
  std::vector<TensorInfo> types; ///< one per phase
  int64_t offset = -1;           ///< into the blob
  std::vector<mlir::ElementsAttr> initial; ///< what the blob has there
  std::vector<TensorInfo> elementTypes;    ///< of `initial`
};

struct EntryPhaseInfo {
  std::string symbol; ///< of the function; empty: cannot run in this phase
  std::string unreachable;
  int32_t next = 0;
  bool canFail = false;
  std::vector<int32_t> writes;
  std::vector<TensorInfo> results;
  std::string resultsTree;
};

struct EntryPointInfo {
  std::string name;
  std::vector<std::string> argNames;
  std::vector<TensorInfo> args;
  std::string argsTree;
  std::vector<EntryPhaseInfo> phases;
};

/// All that the table in the library, the JSON signature and the typed header
/// say, collected once, when state has become explicit.
struct ProgramInfo {
  std::string name;
  std::vector<std::string> phases; ///< the Python attributes, as JSON
  std::vector<SlotInfo> slots;
  std::vector<EntryPointInfo> entries;
  std::vector<std::string> externals;
  /// JSON of the structures of each one's arguments and results, or empty.
  std::vector<std::pair<std::string, std::string>> externalTrees;
  bool usesLapack = false;
  int64_t blobSize = 0;
  std::string rng, target, cpu;
  uint32_t cpuFeatures = 0; ///< as in CpuFeatures.h
  bool fastMath = false;

  /// Reads the module after stage evox-to-state.
  static mlir::FailureOr<ProgramInfo> get(mlir::ModuleOp module);

  /// Writes the initial values, each aligned to 64 bytes.
  mlir::LogicalResult writeBlob(llvm::raw_ostream &stream) const;
};

/// "float32", for an evox_dtype; its C type; its size in bytes.
llvm::StringRef getDtypeName(int32_t dtype);
llvm::StringRef getDtypeCType(int32_t dtype);
int64_t getDtypeSize(int32_t dtype);

/// `text` as an identifier of C.
std::string makeIdentifier(llvm::StringRef text);

/// The signature of docs/Signature.md.
std::string makeSignature(const ProgramInfo &program);
/// Ties checkpoints to the program: a digest of its entry points and state.
std::string makeHash(const ProgramInfo &program);
/// The C header for this program, with the text of evox.h in it.
std::string makeHeader(const ProgramInfo &program);

} // namespace evox

#endif // EVOX_TARGET_PROGRAMINFO_H
