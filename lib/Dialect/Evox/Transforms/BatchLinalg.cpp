//===- BatchLinalg.cpp - Batching rules of linalg -------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BatchRules.h"
#include "Batcher.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace evox;

namespace {

/// `map` after a new dimension 0, which it uses first if `lanes`.
AffineMap addLanes(AffineMap map, bool lanes) {
  SmallVector<AffineExpr> results;
  if (lanes)
    results.push_back(getAffineDimExpr(0, map.getContext()));
  for (AffineExpr expr : map.getResults())
    results.push_back(expr.shiftDims(map.getNumDims(), 1));
  return AffineMap::get(map.getNumDims() + 1, map.getNumSymbols(), results,
                        map.getContext());
}

/// Copies what the body of a `linalg.generic` does, for the lane that its
/// first index is.
class BodyCopy {
public:
  BodyCopy(Batcher &batcher, OpBuilder &b, IRMapping &mapping, Value mask)
      : batcher(batcher), b(b), mapping(mapping), mask(mask) {}

  void copy(Block &block) {
    for (Operation &op : block)
      copy(&op);
  }

private:
  Value lane() { return linalg::IndexOp::create(b, batcher.loc(), 0); }

  void copy(Operation *op) {
    Location loc = op->getLoc();
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      mapping.map(index.getResult(),
                  linalg::IndexOp::create(b, loc, index.getDim() + 1));
      return;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      SmallVector<Value> at;
      for (Value index : extract.getIndices())
        at.push_back(mapping.lookupOrDefault(index));
      mapping.map(extract.getResult(),
                  batcher.extract(b, extract.getTensor(), lane(), at));
      return;
    }
    Operation *now = b.clone(*op, mapping);
    if (mask && isDivision(*now)) {
      OpBuilder before(now);
      Value one = arith::ConstantOp::create(
          before, loc, before.getIntegerAttr(now->getOperand(1).getType(), 1));
      now->setOperand(1, arith::SelectOp::create(before, loc, mask,
                                                 now->getOperand(1), one));
    }
  }

  Batcher &batcher;
  OpBuilder &b;
  IRMapping &mapping;
  Value mask;
};

LogicalResult batchGeneric(linalg::GenericOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  // Deeper regions would have to be copied with the same care.
  for (Operation &inner : *op.getBody())
    if (inner.getNumRegions())
      return batcher.loopOverLanes(op);
  SmallVector<Value> inputs, outs;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    bool varies = batcher.varies(operand->get());
    Value value = batcher.get(operand->get());
    // A scalar is a tensor of the lanes now.
    AffineMap map = op.getMatchingIndexingMap(operand);
    inputs.push_back(value);
    maps.push_back(addLanes(map, varies));
  }
  // Scalars from outside come in as further inputs.
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  SmallVector<Value> scalars;
  unsigned rank = op.getNumLoops() + 1;
  AffineMap perLane = AffineMap::get(rank, 0, b.getAffineDimExpr(0));
  for (Value value : captured)
    if (batcher.varies(value) && !isa<RankedTensorType>(value.getType())) {
      scalars.push_back(value);
      inputs.push_back(batcher.get(value));
      maps.push_back(perLane);
    } else if (batcher.varies(value) &&
               !llvm::all_of(value.getUsers(), [&](Operation *user) {
                 return !op->isProperAncestor(user) ||
                        isa<tensor::ExtractOp>(user);
               })) {
      return batcher.loopOverLanes(op);
    }
  bool divides = llvm::any_of(*op.getBody(), isDivision);
  if (batcher.mask && divides) {
    inputs.push_back(batcher.mask);
    maps.push_back(perLane);
  }
  SmallVector<Type> types;
  for (OpOperand &operand : op.getDpsInitsMutable()) {
    outs.push_back(batcher.getBatched(operand.get()));
    types.push_back(outs.back().getType());
    maps.push_back(addLanes(op.getMatchingIndexingMap(&operand), true));
  }
  SmallVector<utils::IteratorType> kinds = {utils::IteratorType::parallel};
  llvm::append_range(kinds, op.getIteratorTypesArray());
  unsigned own = op.getNumDpsInputs();
  auto now = linalg::GenericOp::create(
      b, batcher.loc(), types, inputs, outs, maps, kinds,
      [&](OpBuilder &b, Location loc, ValueRange in) {
        IRMapping mapping(batcher.getMapping());
        Block &body = *op.getBody();
        for (unsigned i = 0; i < own; ++i)
          mapping.map(body.getArgument(i), in[i]);
        for (auto [i, scalar] : llvm::enumerate(scalars))
          mapping.map(scalar, in[own + i]);
        Value mask =
            batcher.mask && divides ? in[own + scalars.size()] : Value();
        for (unsigned i = 0; i < outs.size(); ++i)
          mapping.map(body.getArgument(own + i), in[inputs.size() + i]);
        BodyCopy(batcher, b, mapping, mask).copy(body);
      });
  batcher.mapResults(op, now);
  return success();
}

LogicalResult batchFill(linalg::FillOp op, Batcher &batcher) {
  Value out = batcher.getBatched(op.getOutputs()[0]);
  Value value = op.getInputs()[0];
  if (!batcher.varies(value)) {
    batcher.mapResults(op,
                       linalg::FillOp::create(batcher.builder, batcher.loc(),
                                              batcher.get(value), out));
    return success();
  }
  batcher.map(op.getResult(0), batcher.spread(batcher.get(value), out));
  return success();
}

LogicalResult batchTranspose(linalg::TransposeOp op, Batcher &batcher) {
  SmallVector<int64_t> permutation = {0};
  for (int64_t dim : op.getPermutation())
    permutation.push_back(dim + 1);
  batcher.mapResults(op, linalg::TransposeOp::create(
                             batcher.builder, batcher.loc(),
                             batcher.getBatched(op.getInput()),
                             batcher.getBatched(op.getInit()), permutation));
  return success();
}

/// [b, s, t, ...] as [b * s, t, ...], and back.
Value mergeLanes(Batcher &batcher, Value value) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t i = 2; i < rank; ++i)
    groups.push_back({i});
  return tensor::CollapseShapeOp::create(batcher.builder, batcher.loc(), value,
                                         groups);
}
Value splitLanes(Batcher &batcher, Value value, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t i = 2; i < type.getRank(); ++i)
    groups.push_back({i});
  return tensor::ExpandShapeOp::create(
      batcher.builder, batcher.loc(), type, value, groups,
      tensor::getMixedSizes(batcher.builder, batcher.loc(), like));
}

template <typename Op>
Value contract(Batcher &batcher, Value a, Value b, Value out) {
  return Op::create(batcher.builder, batcher.loc(), out.getType(),
                    ValueRange{a, b}, ValueRange{out})
      .getResult(0);
}

LogicalResult batchMatmul(linalg::MatmulOp op, Batcher &batcher) {
  if (op.hasUserDefinedMaps())
    return batcher.loopOverLanes(op);
  Value a = op.getInputs()[0], b = op.getInputs()[1], c = op.getOutputs()[0];
  Value out = batcher.getBatched(c), result;
  if (!batcher.varies(b)) {
    // All lanes' rows in one product.
    result = contract<linalg::MatmulOp>(
        batcher, mergeLanes(batcher, batcher.getBatched(a)), batcher.get(b),
        mergeLanes(batcher, out));
    result = splitLanes(batcher, result, out);
  } else {
    result = contract<linalg::BatchMatmulOp>(batcher, batcher.getBatched(a),
                                             batcher.getBatched(b), out);
  }
  batcher.map(op.getResult(0), result);
  return success();
}

LogicalResult batchBatchMatmul(linalg::BatchMatmulOp op, Batcher &batcher) {
  if (op.hasUserDefinedMaps())
    return batcher.loopOverLanes(op);
  Value out = batcher.getBatched(op.getOutputs()[0]);
  Value result = contract<linalg::BatchMatmulOp>(
      batcher, mergeLanes(batcher, batcher.getBatched(op.getInputs()[0])),
      mergeLanes(batcher, batcher.getBatched(op.getInputs()[1])),
      mergeLanes(batcher, out));
  batcher.map(op.getResult(0), splitLanes(batcher, result, out));
  return success();
}

} // namespace

void evox::registerLinalgBatchRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachRule<linalg::GenericOp, batchGeneric>(context);
    attachRule<linalg::FillOp, batchFill>(context);
    attachRule<linalg::TransposeOp, batchTranspose>(context);
    attachRule<linalg::MatmulOp, batchMatmul>(context);
    attachRule<linalg::BatchMatmulOp, batchBatchMatmul>(context);
  });
}
