//===- AnchorLayouts.cpp - Layouts of nested results ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

namespace evox {
#define GEN_PASS_DEF_EVOXANCHORLAYOUTS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {
struct AnchorLayoutsPass
    : evox::impl::EvoxAnchorLayoutsBase<AnchorLayoutsPass> {
  void runOnOperation() override {
    getOperation().walk([](RegionBranchOpInterface op) {
      // What is at the top is bufferized in order, before it is looked at.
      if (isa<func::FuncOp>(op->getParentOp()))
        return;
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      for (Value result : op->getResults()) {
        if (!isa<RankedTensorType>(result.getType()) || result.use_empty())
          continue;
        auto anchor = ContiguousOp::create(builder, op->getLoc(),
                                           result.getType(), result);
        result.replaceAllUsesExcept(anchor.getResult(), anchor);
      }
    });
  }
};
} // namespace
