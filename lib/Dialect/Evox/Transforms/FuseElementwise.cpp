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

/// Something of one array for a sum alone, such as its squares: the sum can
/// compute that itself, and need not have it stored.
static bool belongsToSum(linalg::GenericOp op) {
  int64_t arrays = llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *in) {
    return op.getMatchingIndexingMap(in).isIdentity();
  });
  if (arrays != 1 || op.getNumResults() != 1 || op.getNumReductionLoops())
    return false;
  Value value = op.getResult(0);
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(user)) {
      value = user->getResult(0);
      continue;
    }
    auto sum = dyn_cast<linalg::GenericOp>(user);
    return sum && sum.getNumReductionLoops() > 0 && sum.getNumResults() == 1;
  }
  return false;
}

/// Of four vectors at least.
static constexpr int64_t kLongRow = 64;

/// Finds the least or greatest of what is one after the other: that takes
/// vectors of its own, in which nothing else has a place.
static bool isExtreme(Operation *consumer) {
  auto op = dyn_cast<linalg::GenericOp>(consumer);
  if (!op || op.getNumReductionLoops() != 1 ||
      op.getIteratorTypesArray().back() != utils::IteratorType::reduction ||
      op.getStaticLoopRanges().back() < kLongRow)
    return false;
  Operation *last =
      op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp>(last))
    return op.getNumLoops() > 1;
  auto value = dyn_cast_or_null<arith::SelectOp>(last);
  auto both = value ? value.getCondition().getDefiningOp<arith::AndIOp>()
                    : nullptr;
  return both && both.getLhs().getDefiningOp<arith::CmpFOp>() &&
         both.getRhs().getDefiningOp<arith::CmpFOp>();
}

/// The consumer may yield what the producer does, for all that use it.
static bool canShare(OpOperand &operand) {
  auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand.getOwner());
  if (!producer || !consumer || consumer.isDpsInit(&operand) ||
      producer->getBlock() != consumer->getBlock() ||
      belongsToSum(consumer) || consumer.getNumReductionLoops() || producer.getNumReductionLoops() ||
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

/// Slices of what a loop makes can be made by loops over the slices. A sum's
/// order may depend on its sizes.
bool hasSlices(linalg::GenericOp op) {
  return op.getNumResults() == 1 && !op.getNumReductionLoops() &&
         op.hasPureTensorSemantics() &&
         op.getIndexingMapsArray().back().isIdentity() &&
         cast<ShapedType>(op.getResultTypes()[0]).hasStaticShape() &&
         llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) {
           return map.isProjectedPermutation(/*allowZeroInResults=*/true);
         });
}

Value sliceOf(OpBuilder &builder, Location loc, Value value,
              ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes);

/// The loop over a slice.
linalg::GenericOp makeSlice(OpBuilder &builder, linalg::GenericOp op,
                            ArrayRef<int64_t> offsets,
                            ArrayRef<int64_t> sizes) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = op.getLoc();
  auto part = [&](OpOperand &operand) -> Value {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    SmallVector<OpFoldResult> at, extents;
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      at.push_back(builder.getIndexAttr(dim ? offsets[dim.getPosition()] : 0));
      extents.push_back(
          dim ? OpFoldResult(builder.getIndexAttr(sizes[dim.getPosition()]))
              : tensor::getMixedSize(builder, loc, operand.get(), i));
    }
    if (!isa<RankedTensorType>(operand.get().getType()) || at.empty())
      return operand.get();
    return sliceOf(builder, loc, operand.get(), at, extents);
  };
  SmallVector<Value> inputs;
  for (OpOperand *operand : op.getDpsInputOperands())
    inputs.push_back(part(*operand));
  OpOperand &init = op.getDpsInitsMutable()[0];
  Value out = op.payloadUsesValueFromOperand(&init)
                  ? part(init)
                  : tensor::EmptyOp::create(
                        builder, loc, sizes,
                        getElementTypeOrSelf(op.getResultTypes()[0]));
  auto made = linalg::GenericOp::create(builder, loc, out.getType(), inputs,
                                        out, op.getIndexingMapsArray(),
                                        op.getIteratorTypesArray());
  IRMapping mapping;
  op.getRegion().cloneInto(&made.getRegion(), mapping);
  for (auto index : llvm::to_vector(made.getOps<linalg::IndexOp>()))
    if (int64_t offset = offsets[index.getDim()]) {
      builder.setInsertionPointAfter(index);
      Value sum = arith::AddIOp::create(
          builder, loc, index,
          arith::ConstantIndexOp::create(builder, loc, offset));
      index.getResult().replaceUsesWithIf(sum, [&](OpOperand &use) {
        return use.getOwner() != sum.getDefiningOp();
      });
    }
  return made;
}

/// A slice of what a loop makes is made by a loop over the slice.
struct SliceLoops : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractSliceOp slice,
                                PatternRewriter &rewriter) const override {
    auto op = slice.getSource().getDefiningOp<linalg::GenericOp>();
    auto isFixed = [](ArrayRef<int64_t> values) {
      return llvm::none_of(values, ShapedType::isDynamic);
    };
    if (!op || !op->hasOneUse() || !hasSlices(op) ||
        op->getParentRegion() != slice->getParentRegion() ||
        !isFixed(slice.getStaticOffsets()) ||
        !isFixed(slice.getStaticSizes()) ||
        slice.getStaticSizes() == slice.getSourceType().getShape() ||
        llvm::any_of(slice.getStaticStrides(),
                     [](int64_t stride) { return stride != 1; }))
      return failure();
    ArrayRef<int64_t> sizes = slice.getStaticSizes();
    rewriter.setInsertionPoint(slice);
    Value result =
        makeSlice(rewriter, op, slice.getStaticOffsets(), sizes).getResult(0);
    // The slice may have dropped dimensions of one element.
    if (result.getType() != slice.getType())
      result = tensor::ExtractSliceOp::create(
          rewriter, op.getLoc(), slice.getType(), result,
          SmallVector<OpFoldResult>(sizes.size(), rewriter.getIndexAttr(0)),
          getAsIndexOpFoldResult(rewriter.getContext(), sizes),
          SmallVector<OpFoldResult>(sizes.size(), rewriter.getIndexAttr(1)));
    rewriter.replaceOp(slice, result);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Loops over what was put together
//===----------------------------------------------------------------------===//

/// What a tensor was put together of along a dimension: where each piece begins.
struct Pieces {
  unsigned dim = 0;
  SmallVector<std::pair<int64_t, Value>> pieces;
};
constexpr size_t kMostPieces = 4;

std::optional<Pieces> piecesOf(Value whole) {
  auto type = dyn_cast<RankedTensorType>(whole.getType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  std::optional<unsigned> dim;
  Pieces result;
  Value base = whole;
  while (auto insert = base.getDefiningOp<tensor::InsertSliceOp>()) {
    RankedTensorType source = insert.getSourceType();
    if ((base != whole && !base.hasOneUse()) || !source.hasStaticShape() ||
        source.getRank() != type.getRank() ||
        result.pieces.size() == kMostPieces ||
        llvm::any_of(insert.getStaticOffsets(), ShapedType::isDynamic) ||
        llvm::any_of(insert.getStaticStrides(),
                     [](int64_t stride) { return stride != 1; }))
      return std::nullopt;
    for (unsigned i = 0; i < type.getRank(); ++i) {
      if (source.getDimSize(i) == type.getDimSize(i))
        continue;
      if (dim.value_or(i) != i)
        return std::nullopt;
      dim = i;
    }
    if (!dim)
      return std::nullopt;
    result.pieces.push_back(
        {insert.getStaticOffsets()[*dim], insert.getSource()});
    base = insert.getDest();
  }
  if (!base.getDefiningOp<tensor::EmptyOp>() || result.pieces.size() < 2)
    return std::nullopt;
  result.dim = *dim;
  llvm::sort(result.pieces,
             [](auto &a, auto &b) { return a.first < b.first; });
  int64_t end = 0;
  for (auto &[offset, piece] : result.pieces) {
    if (offset != end)
      return std::nullopt;
    end += cast<ShapedType>(piece.getType()).getDimSize(*dim);
  }
  return end == type.getDimSize(*dim) ? std::optional(result) : std::nullopt;
}

/// A slice; of one piece, if it is in one.
Value sliceOf(OpBuilder &builder, Location loc, Value value,
              ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> at(offsets), ones(at.size(),
                                              builder.getIndexAttr(1));
  if (std::optional<Pieces> whole = piecesOf(value)) {
    int64_t first = *getConstantIntValue(at[whole->dim]);
    int64_t end = first + *getConstantIntValue(sizes[whole->dim]);
    for (auto &[offset, piece] : whole->pieces)
      if (offset <= first &&
          end <= offset + cast<ShapedType>(piece.getType())
                              .getDimSize(whole->dim)) {
        value = piece;
        at[whole->dim] = builder.getIndexAttr(first - offset);
        break;
      }
  }
  return builder.createOrFold<tensor::ExtractSliceOp>(loc, value, at, sizes,
                                                      ones);
}

/// Reads what was put together along its innermost loop.
bool readsPieces(OpOperand &operand, const Pieces &pieces) {
  auto op = dyn_cast<linalg::GenericOp>(operand.getOwner());
  if (!op || op.isDpsInit(&operand) || !hasSlices(op))
    return false;
  auto dim = dyn_cast<AffineDimExpr>(
      op.getMatchingIndexingMap(&operand).getResult(pieces.dim));
  return dim && dim.getPosition() + 1 == op.getNumLoops();
}

/// A loop over what was put together becomes one over each piece, and nobody
/// puts the pieces together: a shifted vector is read where it is. Not along
/// outer loops, whose rows go together with those of other loops.
struct SplitByPieces : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!hasSlices(op) || op.getNumLoops() == 0 ||
        llvm::is_contained(op.getStaticLoopRanges(), 0))
      return failure();
    SmallVector<int64_t> cuts;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      std::optional<Pieces> pieces = piecesOf(operand->get());
      if (!pieces ||
          !llvm::all_of(operand->get().getUses(), [&](OpOperand &use) {
            return readsPieces(use, *pieces);
          }))
        continue;
      for (auto &[offset, piece] : pieces->pieces)
        cuts.push_back(offset);
    }
    llvm::sort(cuts);
    cuts.erase(llvm::unique(cuts), cuts.end());
    if (cuts.size() < 2 || cuts.size() > kMostPieces)
      return failure();
    auto type = cast<RankedTensorType>(op.getResultTypes()[0]);
    unsigned last = op.getNumLoops() - 1;
    cuts.push_back(type.getDimSize(last));
    Location loc = op.getLoc();
    SmallVector<int64_t> offsets(type.getRank(), 0), sizes(type.getShape());
    SmallVector<OpFoldResult> ones(type.getRank(), rewriter.getIndexAttr(1));
    Value whole = tensor::EmptyOp::create(rewriter, loc, type.getShape(),
                                          type.getElementType());
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      offsets[last] = cuts[i];
      sizes[last] = cuts[i + 1] - cuts[i];
      Value made = makeSlice(rewriter, op, offsets, sizes).getResult(0);
      whole = tensor::InsertSliceOp::create(
          rewriter, loc, made, whole,
          getAsIndexOpFoldResult(rewriter.getContext(), offsets),
          getAsIndexOpFoldResult(rewriter.getContext(), sizes), ones);
    }
    rewriter.replaceOp(op, whole);
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

/// At most so many truths are asked for one after the other.
constexpr int64_t kMostTests = 8;

/// Is an operand, which dimension `dim` of the loops goes through, read by the
/// innermost of the others, and again and again by the outer ones?
bool isReadOften(linalg::GenericOp op, OpOperand *operand, unsigned dim) {
  constexpr int64_t kOften = 16;
  AffineMap map = op.getMatchingIndexingMap(operand);
  auto type = cast<ShapedType>(operand->get().getType());
  unsigned last = op.getNumLoops() - 1;
  last -= last == dim;
  int64_t iterations = 1;
  for (int64_t range : op.getStaticLoopRanges()) {
    if (ShapedType::isDynamic(range))
      return false;
    iterations *= range;
  }
  return type.hasStaticShape() && type.getRank() > 1 &&
         map.isFunctionOfDim(dim) && map.isFunctionOfDim(last) &&
         type.getNumElements() <= iterations / kOften;
}

/// `source` with the dimension that loop `dim` goes through as its first, and
/// `map` for it: what is read for one number of that loop is in one piece.
std::pair<Value, AffineMap> withFirst(OpBuilder &builder, Value source,
                                      AffineMap map, unsigned dim) {
  Location loc = source.getLoc();
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<int64_t> order, shape;
  SmallVector<AffineExpr> exprs;
  for (bool first : {true, false})
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (expr.isFunctionOfDim(dim) == first) {
        order.push_back(i);
        shape.push_back(type.getDimSize(i));
        exprs.push_back(expr);
      }
  Value empty =
      tensor::EmptyOp::create(builder, loc, shape, type.getElementType());
  auto turned = linalg::TransposeOp::create(builder, loc, source, empty, order);
  return {turned->getResult(0), AffineMap::get(map.getNumDims(), 0, exprs,
                                               builder.getContext())};
}

/// "All" and "any" over a few elements, such as whether one point is at least
/// as good as another in each of three objectives, without the loop over them:
/// so the loop over the pairs is the innermost one. The order of such ops
/// changes nothing.
bool unrollTests(linalg::GenericOp op, IRRewriter &rewriter) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  if (!op.hasPureTensorSemantics() || op.getNumResults() != 1 ||
      reductions.size() != 1 || op.getNumLoops() < 2 ||
      !getElementTypeOrSelf(op.getResultTypes()[0]).isInteger(1))
    return false;
  unsigned dim = reductions[0];
  int64_t count = op.getStaticLoopRanges()[dim];
  auto fill =
      op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  Block &body = *op.getBlock();
  Value out = body.getArguments().back();
  Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
  if (ShapedType::isDynamic(count) || count > kMostTests ||
      llvm::is_contained(op.getStaticLoopRanges(), 0) ||
      !fill || !matchPattern(fill.getInputs()[0], m_Constant()) ||
      !isa_and_nonnull<arith::AndIOp, arith::OrIOp>(last) ||
      !out.hasOneUse() || *out.user_begin() != last ||
      llvm::any_of(op.getIndexingMapsArray(), [](AffineMap map) {
        return !map.isProjectedPermutation(/*allowZeroInResults=*/true);
      }))
    return false;

  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  MLIRContext *context = op.getContext();
  // The loops without that one.
  SmallVector<AffineExpr> dims;
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    dims.push_back(getAffineDimExpr(i > dim ? i - 1 : i, context));
  auto without = [&](AffineMap map) {
    SmallVector<AffineExpr> exprs;
    for (AffineExpr expr : map.getResults())
      if (!expr.isFunctionOfDim(dim))
        exprs.push_back(expr.replaceDims(dims));
    return AffineMap::get(op.getNumLoops() - 1, 0, exprs, context);
  };
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  // Where input i of test k is.
  SmallVector<SmallVector<unsigned>> places(count);
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    Value source = operand->get();
    if (isReadOften(op, operand, dim))
      std::tie(source, map) = withFirst(rewriter, source, map, dim);
    for (int64_t k = 0; k < count; ++k) {
      if (!map.isFunctionOfDim(dim)) {
        if (k == 0) {
          inputs.push_back(source);
          maps.push_back(without(map));
        }
        places[k].push_back(inputs.size() - 1);
        continue;
      }
      auto type = cast<RankedTensorType>(source.getType());
      SmallVector<OpFoldResult> offsets, sizes, strides;
      SmallVector<int64_t> shape;
      for (auto [i, expr] : llvm::enumerate(map.getResults())) {
        bool here = expr.isFunctionOfDim(dim);
        offsets.push_back(rewriter.getIndexAttr(here ? k : 0));
        strides.push_back(rewriter.getIndexAttr(1));
        if (here) {
          sizes.push_back(rewriter.getIndexAttr(1));
        } else {
          sizes.push_back(tensor::getMixedSize(rewriter, loc, source, i));
          shape.push_back(type.getDimSize(i));
        }
      }
      inputs.push_back(tensor::ExtractSliceOp::create(
          rewriter, loc, RankedTensorType::get(shape, type.getElementType()),
          source, offsets, sizes, strides));
      maps.push_back(without(map));
      places[k].push_back(inputs.size() - 1);
    }
  }
  maps.push_back(without(op.getIndexingMapsArray().back()));
  SmallVector<utils::IteratorType> iterators(op.getNumLoops() - 1,
                                             utils::IteratorType::parallel);
  auto made = linalg::GenericOp::create(
      rewriter, loc, op.getResultTypes(), inputs, fill.getOutputs()[0], maps,
      iterators, [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value all = fill.getInputs()[0];
        for (int64_t k = 0; k < count; ++k) {
          IRMapping mapping;
          for (auto [i, place] : llvm::enumerate(places[k]))
            mapping.map(body.getArgument(i), args[place]);
          mapping.map(out, all);
          for (Operation &inner : body.without_terminator()) {
            auto index = dyn_cast<linalg::IndexOp>(inner);
            if (!index)
              builder.clone(inner, mapping);
            else if (index.getDim() == dim)
              mapping.map(index.getResult(), arith::ConstantIndexOp::create(
                                                 builder, loc, k)
                                                 .getResult());
            else
              mapping.map(index.getResult(),
                          linalg::IndexOp::create(
                              builder, loc,
                              index.getDim() - (index.getDim() > dim))
                              .getResult());
          }
          all = mapping.lookup(last->getResult(0));
        }
        linalg::YieldOp::create(builder, loc, all);
      });
  rewriter.replaceOp(op, made);
  return true;
}

struct FuseElementwisePass
    : evox::impl::EvoxFuseElementwiseBase<FuseElementwisePass> {
  void runOnOperation() override {
    copyMoves(getOperation());
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    auto onlyUser = [](OpOperand *operand) {
      Operation *producer = operand->get().getDefiningOp();
      return producer && producer->hasOneUse() &&
             !(isa<linalg::GenericOp>(producer) &&
               isExtreme(operand->getOwner()));
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
    patterns.add<SliceLoops, SplitByPieces, ReadThroughMoves>(context);
    FrozenRewritePatternSet frozen(std::move(patterns));
    // The order of a walk from the top lets producers grow before they fuse.
    auto fuse = [&] {
      (void)applyPatternsGreedily(
          getOperation(), frozen,
          GreedyRewriteConfig().setUseTopDownTraversal(true));
    };
    fuse();
    // What is tested is in the loops that test by now.
    IRRewriter rewriter(context);
    bool changed = false;
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      changed |= unrollTests(op, rewriter);
    if (changed)
      fuse();
  }
};
} // namespace
