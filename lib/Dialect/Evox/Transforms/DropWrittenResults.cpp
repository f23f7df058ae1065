//===- DropWrittenResults.cpp - Results that are in place already ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace evox {
#define GEN_PASS_DEF_EVOXDROPWRITTENRESULTS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {
struct DropWrittenResultsPass
    : evox::impl::EvoxDropWrittenResultsBase<DropWrittenResultsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (!func->hasAttr(attr::kEntry) || func.isExternal())
      return;
    Operation *returnOp = func.getBody().front().getTerminator();
    BitVector written(returnOp->getNumOperands());
    for (auto [i, value] : llvm::enumerate(returnOp->getOperands())) {
      auto arg = dyn_cast<BlockArgument>(value);
      if (!arg)
        continue;
      // The argument must be the very place that the result is meant for.
      bool same = llvm::all_of(
          ArrayRef<StringLiteral>{attr::kSlot, attr::kResult},
          [&, i = i](StringRef name) {
            return func.getArgAttr(arg.getArgNumber(), name) ==
                   func.getResultAttr(i, name);
          });
      if (same)
        written.set(i);
    }
    returnOp->eraseOperands(written);
    if (failed(func.eraseResults(written)))
      signalPassFailure();
  }
};
} // namespace
