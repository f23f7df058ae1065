//===- ProgramInfo.h - What a library knows of its program ------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TARGET_PROGRAMINFO_H
#define EVOX_TARGET_PROGRAMINFO_H

#include "evox/Target/StateBlob.h"
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
  StateBlob::Place initial; ///< where the blob has the initial value
  std::vector<TensorInfo> elementTypes;    ///< of the initial value
};

struct EntryPhaseInfo {
  std::string symbol; ///< of the function; empty: cannot run in this phase
  std::string unreachable;
  int32_t next = 0;
  bool canFail = false;
  bool begins = false; ///< makes ready what all calls of a run share
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
/// One of the processors that the code is made for.
struct VariantInfo {
  std::string cpu;      ///< LLVM's name
  std::string features; ///< beyond those of the name, in LLVM's words
  uint64_t needs = 0;   ///< of the processor it runs on, as in CpuFeatures.h
  std::vector<std::string> neededNames; ///< LLVM's names for `needs`
  unsigned vectorBytes = 16;
};

struct ProgramInfo {
  std::string name;
  std::vector<std::string> phases; ///< the Python attributes, as JSON
  std::vector<SlotInfo> slots;
  std::vector<EntryPointInfo> entries;
  std::vector<std::string> externals;
  /// JSON of the structures of each one's arguments and results, or empty.
  std::vector<std::pair<std::string, std::string>> externalTrees;
  bool usesLapack = false;
  StateBlob state;
  std::string rng, target, triple;
  std::vector<VariantInfo> variants; ///< the most demanding one first
  bool fastMath = false;

  /// Reads the module after stage evox-to-state.
  static mlir::FailureOr<ProgramInfo> get(mlir::ModuleOp module);
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
