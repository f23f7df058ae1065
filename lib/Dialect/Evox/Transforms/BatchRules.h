//===- BatchRules.h - Where the batching rules are ---------------*- C++
//-*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHRULES_H
#define EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHRULES_H

#include "Batcher.h"

namespace evox {

/// Makes a function the batching rule of an op.
template <typename Op, mlir::LogicalResult (*rule)(Op, Batcher &)>
struct BatchRule : BatchOpInterface::ExternalModel<BatchRule<Op, rule>, Op> {
  mlir::LogicalResult batch(mlir::Operation *op, Batcher &batcher) const {
    return rule(mlir::cast<Op>(op), batcher);
  }
};

template <typename Op, mlir::LogicalResult (*rule)(Op, Batcher &)>
void attachRule(mlir::MLIRContext *context) {
  Op::template attachInterface<BatchRule<Op, rule>>(*context);
}

void registerLinalgBatchRules(mlir::DialectRegistry &registry);
void registerTensorBatchRules(mlir::DialectRegistry &registry);
void registerControlFlowBatchRules(mlir::DialectRegistry &registry);
void registerEvoxBatchRules(mlir::DialectRegistry &registry);

} // namespace evox

#endif // EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHRULES_H
