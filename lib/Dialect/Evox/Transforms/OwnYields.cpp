//===- OwnYields.cpp - What a while loop goes on with ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace evox {
#define GEN_PASS_DEF_EVOXOWNYIELDS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Collects the values whose memory `value` may be.
static void collectSources(Value value,
                           llvm::SmallPtrSetImpl<void *> &sources) {
  SmallVector<Value> work{value};
  while (!work.empty()) {
    Value next = work.pop_back_val();
    if (!sources.insert(next.getAsOpaquePointer()).second)
      continue;
    Operation *op = next.getDefiningOp();
    if (isa_and_nonnull<tensor::CastOp, tensor::ExpandShapeOp,
                        tensor::CollapseShapeOp, tensor::ExtractSliceOp,
                        ContiguousOp>(op)) {
      work.push_back(op->getOperand(0));
    } else if (auto select = dyn_cast_or_null<arith::SelectOp>(op)) {
      work.append({select.getTrueValue(), select.getFalseValue()});
    } else if (auto branch = dyn_cast_or_null<scf::IfOp>(op)) {
      unsigned number = cast<OpResult>(next).getResultNumber();
      for (Region &region : branch->getRegions())
        work.push_back(region.front().getTerminator()->getOperand(number));
    }
  }
}

namespace {
struct OwnYieldsPass : evox::impl::EvoxOwnYieldsBase<OwnYieldsPass> {
  void runOnOperation() override {
    getOperation().walk([](scf::WhileOp loop) {
      scf::YieldOp yield = loop.getYieldOp();
      OpBuilder builder(yield);
      llvm::SmallPtrSet<void *, 16> taken;
      for (OpOperand &operand : yield->getOpOperands()) {
        Value value = operand.get();
        auto type = dyn_cast<RankedTensorType>(value.getType());
        if (!type)
          continue;
        llvm::SmallPtrSet<void *, 4> sources;
        collectSources(value, sources);
        bool isOwn = llvm::none_of(sources, [&](void *source) {
          Region *region =
              Value::getFromOpaquePointer(source).getParentRegion();
          return taken.contains(source) ||
                 !loop->isAncestor(region->getParentOp());
        });
        taken.insert(sources.begin(), sources.end());
        if (!isOwn)
          operand.set(bufferization::AllocTensorOp::create(
              builder, value.getLoc(), type, ValueRange(), value));
      }
    });
  }
};
} // namespace
