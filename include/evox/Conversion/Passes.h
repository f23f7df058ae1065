//===- Passes.h - Conversions out of the evox dialect -----------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_CONVERSION_PASSES_H
#define EVOX_CONVERSION_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace evox {
/// On an `scf.for`: its iterations don't depend on each other.
constexpr llvm::StringLiteral kParallelLoop = "evox.parallel";
/// On the call of a function whose first argument counts tasks: they may run
/// at once. The operand is their number.
constexpr llvm::StringLiteral kParallelCall = "evox.parallel_call";
/// On a function: the buffers that it is given don't overlap.
constexpr llvm::StringLiteral kDistinctBuffers = "evox.distinct_buffers";
/// On a function that is not given the instance: it computes numbers only.
constexpr llvm::StringLiteral kNoInstance = "evox.no_instance";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

#endif // EVOX_CONVERSION_PASSES_H
