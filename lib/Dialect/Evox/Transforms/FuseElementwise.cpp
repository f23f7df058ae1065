//===- FuseElementwise.cpp - Elementwise ops become one -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
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

/// A slice of what a loop makes is made by a loop over the slice.
struct SliceLoops : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractSliceOp slice,
                                PatternRewriter &rewriter) const override {
    auto op = slice.getSource().getDefiningOp<linalg::GenericOp>();
    auto isFixed = [](ArrayRef<int64_t> values) {
      return llvm::none_of(values, ShapedType::isDynamic);
    };
    // A sum's order may depend on its sizes.
    if (!op || !op->hasOneUse() || op.getNumResults() != 1 ||
        op.getNumReductionLoops() || !op.hasPureTensorSemantics() ||
        !op.getIndexingMapsArray().back().isIdentity() ||
        op->getParentRegion() != slice->getParentRegion() ||
        !slice.getSourceType().hasStaticShape() ||
        !isFixed(slice.getStaticOffsets()) ||
        !isFixed(slice.getStaticSizes()) ||
        slice.getStaticSizes() == slice.getSourceType().getShape() ||
        llvm::any_of(slice.getStaticStrides(),
                     [](int64_t stride) { return stride != 1; }) ||
        llvm::any_of(op.getIndexingMapsArray(), [](AffineMap map) {
          return !map.isProjectedPermutation(/*allowZeroInResults=*/true);
        }))
      return failure();
    ArrayRef<int64_t> offsets = slice.getStaticOffsets(),
                      sizes = slice.getStaticSizes();
    Location loc = op.getLoc();
    auto part = [&](OpOperand &operand) -> Value {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      SmallVector<OpFoldResult> at, extents, strides;
      for (auto [i, expr] : llvm::enumerate(map.getResults())) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        at.push_back(
            rewriter.getIndexAttr(dim ? offsets[dim.getPosition()] : 0));
        extents.push_back(
            dim ? OpFoldResult(rewriter.getIndexAttr(sizes[dim.getPosition()]))
                : tensor::getMixedSize(rewriter, loc, operand.get(), i));
        strides.push_back(rewriter.getIndexAttr(1));
      }
      if (!isa<RankedTensorType>(operand.get().getType()) || at.empty())
        return operand.get();
      return tensor::ExtractSliceOp::create(rewriter, loc, operand.get(), at,
                                            extents, strides);
    };
    SmallVector<Value> inputs;
    for (OpOperand *operand : op.getDpsInputOperands())
      inputs.push_back(part(*operand));
    OpOperand &init = op.getDpsInitsMutable()[0];
    Value out = op.payloadUsesValueFromOperand(&init)
                    ? part(init)
                    : tensor::EmptyOp::create(rewriter, loc, sizes,
                                              slice.getType().getElementType());
    auto made = linalg::GenericOp::create(rewriter, loc, out.getType(), inputs,
                                          out, op.getIndexingMapsArray(),
                                          op.getIteratorTypesArray());
    IRMapping mapping;
    rewriter.cloneRegionBefore(op.getRegion(), made.getRegion(),
                               made.getRegion().begin(), mapping);
    for (auto index : llvm::to_vector(made.getOps<linalg::IndexOp>()))
      if (int64_t offset = offsets[index.getDim()]) {
        rewriter.setInsertionPointAfter(index);
        Value sum = arith::AddIOp::create(
            rewriter, loc, index,
            arith::ConstantIndexOp::create(rewriter, loc, offset));
        rewriter.replaceUsesWithIf(index, sum, [&](OpOperand &use) {
          return use.getOwner() != sum.getDefiningOp();
        });
      }
    rewriter.setInsertionPointAfter(made);
    // The slice may have dropped dimensions of one element.
    Value result = made.getResult(0);
    if (result.getType() != slice.getType())
      result = tensor::ExtractSliceOp::create(
          rewriter, loc, slice.getType(), result,
          SmallVector<OpFoldResult>(sizes.size(), rewriter.getIndexAttr(0)),
          getAsIndexOpFoldResult(rewriter.getContext(), sizes),
          SmallVector<OpFoldResult>(sizes.size(), rewriter.getIndexAttr(1)));
    rewriter.replaceOp(slice, result);
    return success();
  }
};

/// An element of a broadcast is one of what it broadcasts.
struct ReadThroughMoves : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp read,
                                PatternRewriter &rewriter) const override {
    auto move = read.getTensor().getDefiningOp<linalg::GenericOp>();
    if (!move || !isMove(move) || !move.hasPureTensorSemantics())
      return failure();
    auto value = dyn_cast<BlockArgument>(
        move.getBlock()->getTerminator()->getOperand(0));
    if (!value || value.getOwner() != move.getBlock())
      return failure();
    OpOperand *source = move.getMatchingOpOperand(value);
    AffineMap map = move.getMatchingIndexingMap(source);
    if (!isa<RankedTensorType>(source->get().getType()) ||
        !map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return failure();
    SmallVector<Value> indices;
    for (AffineExpr expr : map.getResults())
      indices.push_back(
          isa<AffineDimExpr>(expr)
              ? read.getIndices()[cast<AffineDimExpr>(expr).getPosition()]
              : Value(arith::ConstantIndexOp::create(rewriter, read.getLoc(),
                                                     0)));
    rewriter.replaceOpWithNewOp<tensor::ExtractOp>(read, source->get(),
                                                   indices);
    return success();
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
    patterns.add<SliceLoops, ReadThroughMoves>(context);
    // The order of a walk from the top lets producers grow before they fuse.
    (void)applyPatternsGreedily(
        getOperation(), std::move(patterns),
        GreedyRewriteConfig().setUseTopDownTraversal(true));
  }
};
} // namespace
