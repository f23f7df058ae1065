//===- Transforms.h - Chains of use_state and vmap -----------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `--transform "many = vmap(use_state(step), in_dims=(0, None))"` exports a
// method under its own name, imported with the types that one lane has, and
// derives the function from it by ops of the dialect.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_TRANSFORMS_H
#define EVOX_LIB_IMPORT_TRANSFORMS_H

#include "ScriptIR.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Import/TorchScript.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/JSON.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace evox::import {

/// `in_dims` or `out_dims`: a number, None, or a structure of them.
struct Dims {
  enum { Number, None, Sequence, Dict } kind = Number;
  int64_t number = 0;
  std::vector<Dims> items;
  std::vector<std::string> keys; ///< of a Dict
};

/// One function of a chain, innermost first.
struct Step {
  bool isVmap = false;
  // use_state
  std::vector<std::string> keys;
  bool hasKeys = false;
  // vmap
  Dims inDims, outDims;
  std::optional<int64_t> axisSize, chunkSize;
  std::string randomness = "different", strategy;
};

struct Chain {
  std::string name, method;
  std::vector<Step> steps;
};

class Transforms {
public:
  /// Reads `options.transforms`, and tells `program` and `options` about the
  /// methods under their new names. Throws ImportError.
  Transforms(ImportOptions &options, script::Program &program);
  /// Derives the functions from what was imported. Throws ImportError.
  void finish(mlir::ModuleOp module) const;

private:
  void finish(const Chain &chain, ModuleOp top) const;
  std::vector<Chain> chains;
};

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_TRANSFORMS_H
