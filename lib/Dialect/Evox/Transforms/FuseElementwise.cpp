//===- FuseElementwise.cpp - Elementwise ops become one -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace evox {
#define GEN_PASS_DEF_EVOXFUSEELEMENTWISE
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

/// More arrays than this in one loop are more than the processor can follow.
static constexpr unsigned kMostOperands = 24;

/// Yields what it reads, as a broadcast does.
static bool isMove(linalg::GenericOp op) {
  return op.getNumResults() == 1 && op.getNumReductionLoops() == 0 &&
         op.getBlock()->getOperations().size() == 1 &&
         op.getIndexingMapsArray().back().isIdentity() &&
         !op.payloadUsesValueFromOperand(op.getDpsInitOperand(0));
}

/// Each user of a broadcast gets one of its own, for it to take in.
static void copyMoves(func::FuncOp func) {
  SmallVector<linalg::GenericOp> moves;
  func.walk([&](linalg::GenericOp op) {
    if (isMove(op) && !op->hasOneUse())
      moves.push_back(op);
  });
  for (linalg::GenericOp op : moves) {
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (!user || user.isDpsInit(&use) || op->hasOneUse())
        continue;
      OpBuilder builder(user);
      use.set(builder.clone(*op)->getResult(0));
    }
  }
}

/// The consumer may yield what the producer does, for all that use it.
static bool canShare(OpOperand &operand) {
  auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand.getOwner());
  if (!producer || !consumer || consumer.isDpsInit(&operand) ||
      producer->getBlock() != consumer->getBlock() ||
      consumer.getNumReductionLoops() || producer.getNumReductionLoops() ||
      producer.getNumLoops() != consumer.getNumLoops() ||
      !consumer.getMatchingIndexingMap(&operand).isIdentity() ||
      producer->getNumOperands() + consumer->getNumOperands() > kMostOperands)
    return false;
  for (OpOperand &init : producer.getDpsInitsMutable())
    if (!producer.getMatchingIndexingMap(&init).isIdentity())
      return false;
  return llvm::all_of(producer->getUsers(), [&](Operation *user) {
    // What the consumer's body gathers from is needed whole.
    if (consumer->isProperAncestor(user))
      return false;
    Operation *here = consumer->getBlock()->findAncestorOpInBlock(*user);
    return here && !here->isBeforeInBlock(consumer);
  });
}

/// Reads an array twice in the same way, which canonicalization mends.
static bool readsTwice(linalg::GenericOp op) {
  SmallVector<OpOperand *> inputs = op.getDpsInputOperands();
  for (auto [i, a] : llvm::enumerate(inputs))
    for (OpOperand *b : llvm::drop_begin(inputs, i + 1))
      if (a->get() == b->get() &&
          op.getMatchingIndexingMap(a) == op.getMatchingIndexingMap(b))
        return true;
  return false;
}

namespace {
struct FuseShared : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp consumer,
                                PatternRewriter &rewriter) const override {
    // A producer that is read in two ways is taken in twice. Its copies must be
    // one again before the next fusion, or a chain of n has 2^n of them.
    if (!consumer.hasPureTensorSemantics() || readsTwice(consumer))
      return failure();
    DominanceInfo dominance(consumer);
    bool changed = false;
    eliminateCommonSubExpressions(rewriter, dominance, consumer, &changed);
    if (changed)
      return success();
    for (OpOperand &operand : consumer->getOpOperands()) {
      if (!canShare(operand) || !linalg::areElementwiseOpsFusable(&operand))
        continue;
      Operation *producer = operand.get().getDefiningOp();
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          linalg::fuseElementwiseOps(rewriter, &operand);
      if (failed(fused))
        continue;
      // The fused op may still read the producer by another operand.
      for (auto [before, after] : fused->replacements)
        rewriter.replaceUsesWithIf(before, after, [&](OpOperand &use) {
          return use.getOwner() != fused->fusedOp;
        });
      rewriter.eraseOp(consumer);
      if (producer->use_empty())
        rewriter.eraseOp(producer);
      return success();
    }
    return failure();
  }
};

struct FuseElementwisePass
    : evox::impl::EvoxFuseElementwiseBase<FuseElementwisePass> {
  void runOnOperation() override {
    copyMoves(getOperation());
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    auto onlyUser = [](OpOperand *operand) {
      Operation *producer = operand->get().getDefiningOp();
      return producer && producer->hasOneUse();
    };
    linalg::populateElementwiseOpsFusionPatterns(patterns, onlyUser);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, onlyUser);
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()
        ->getCanonicalizationPatterns(patterns);
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    linalg::populateConstantFoldLinalgOperations(patterns, onlyUser);
    patterns.add<FuseShared>(context, /*benefit=*/2);
    // The order of a walk from the top lets producers grow before they fuse.
    (void)applyPatternsGreedily(
        getOperation(), std::move(patterns),
        GreedyRewriteConfig().setUseTopDownTraversal(true));
  }
};
} // namespace
