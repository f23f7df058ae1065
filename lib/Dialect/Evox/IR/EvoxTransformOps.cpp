//===- EvoxTransformOps.cpp - Function transforms -------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"

using namespace mlir;
using namespace evox;

LogicalResult VmapOp::verify() {
  for (auto [name, dims] : {std::pair<StringRef, ArrayAttr>("in", getInDims()),
                            {"out", getOutDims()}})
    for (Attribute dim : dims)
      if (!isa<IntegerAttr, UnitAttr>(dim))
        return emitOpError() << "a dimension of '" << name
                             << "' is an integer or unit, not " << dim;
  if (std::optional<uint64_t> size = getAxisSize();
      size && static_cast<int64_t>(*size) < 0)
    return emitOpError("axis_size must be 0 or more");
  if (std::optional<uint64_t> size = getChunkSize();
      size && static_cast<int64_t>(*size) < 1)
    return emitOpError("chunk_size must be 1 or more");
  StringRef randomness = getRandomness();
  if (randomness != "different" && randomness != "same" &&
      randomness != "error")
    return emitOpError("randomness must be different, same or error, not ")
           << randomness;
  if (std::optional<StringRef> strategy = getStrategy();
      strategy && *strategy != "mask" && *strategy != "lanes")
    return emitOpError("strategy must be mask or lanes, not ") << *strategy;
  return success();
}
