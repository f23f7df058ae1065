//===- LinalgToLoops.cpp - Loops that know what is parallel ---------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace evox {
#define GEN_PASS_DEF_EVOXLINALGTOLOOPS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;

namespace {
struct LinalgToLoopsPass
    : evox::impl::EvoxLinalgToLoopsBase<LinalgToLoopsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::LinalgLoops> loops =
          linalg::linalgOpToLoops(rewriter, op);
      if (failed(loops)) {
        op.emitError("cannot be turned into loops");
        return signalPassFailure();
      }
      if (loops->size() == kinds.size())
        for (auto [loop, kind] : llvm::zip_equal(*loops, kinds))
          if (kind == utils::IteratorType::parallel)
            loop->setAttr(evox::kParallelLoop, rewriter.getUnitAttr());
      rewriter.eraseOp(op);
    }
    // What the loops' indices are made of.
    RewritePatternSet patterns(&getContext());
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};
} // namespace
