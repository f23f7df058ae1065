//===- LowerSwitches.cpp - scf.index_switch becomes scf.if ----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace evox {
#define GEN_PASS_DEF_EVOXLOWERSWITCHES
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

static void lower(scf::IndexSwitchOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  scf::IfOp outermost;
  for (auto [value, region] : llvm::zip_equal(op.getCases(), op.getCaseRegions())) {
    Value number = arith::ConstantIndexOp::create(builder, loc, value);
    Value isCase = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq, op.getArg(), number);
    auto branch = scf::IfOp::create(builder, loc, op.getResultTypes(), isCase,
                                    /*addThenBlock=*/false,
                                    /*addElseBlock=*/false);
    branch.getThenRegion().takeBody(region);
    if (!outermost)
      outermost = branch;
    else // what the enclosing else region, where this is, yields
      scf::YieldOp::create(builder, loc, branch.getResults());
    builder.setInsertionPointToEnd(&branch.getElseRegion().emplaceBlock());
  }
  Block &last = op.getDefaultBlock();
  if (!outermost) {
    Operation *yield = last.getTerminator();
    op->getBlock()->getOperations().splice(op->getIterator(),
                                           last.getOperations());
    op->replaceAllUsesWith(yield->getOperands());
    yield->erase();
  } else {
    Block *block = builder.getInsertionBlock();
    block->getOperations().splice(block->end(), last.getOperations());
    op->replaceAllUsesWith(outermost.getResults());
  }
  op->erase();
}

namespace {
struct LowerSwitchesPass
    : evox::impl::EvoxLowerSwitchesBase<LowerSwitchesPass> {
  void runOnOperation() override {
    SmallVector<scf::IndexSwitchOp> ops;
    getOperation().walk([&](scf::IndexSwitchOp op) { ops.push_back(op); });
    for (scf::IndexSwitchOp op : ops)
      lower(op);
  }
};
} // namespace
