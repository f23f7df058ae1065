//===- BatchTensor.cpp - Batching rules of tensor -------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BatchRules.h"
#include "Batcher.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace evox;

namespace {

bool anyVaries(Batcher &batcher, ValueRange values) {
  return llvm::any_of(values, [&](Value v) { return batcher.varies(v); });
}

/// Values that don't vary, as they are now.
SmallVector<OpFoldResult> now(Batcher &batcher, ArrayRef<OpFoldResult> old) {
  SmallVector<OpFoldResult> out;
  for (OpFoldResult one : old)
    out.push_back(one.is<Value>() ? OpFoldResult(batcher.get(one.get<Value>()))
                                  : one);
  return out;
}

SmallVector<OpFoldResult> prepend(OpFoldResult first,
                                  ArrayRef<OpFoldResult> rest) {
  SmallVector<OpFoldResult> out = {first};
  llvm::append_range(out, rest);
  return out;
}

/// An offset or stride as an index, for `lane`.
Value valueOf(Batcher &batcher, OpBuilder &b, OpFoldResult value, Value lane) {
  if (auto old = dyn_cast<Value>(value))
    return batcher.scalarOf(b, old, lane);
  return getValueOrCreateConstantIndexOp(b, batcher.loc(), value);
}

LogicalResult batchExtract(tensor::ExtractOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  if (!anyVaries(batcher, op.getIndices()) && !batcher.mask) {
    Value tensor = batcher.get(op.getTensor());
    int64_t rank = op.getIndices().size();
    if (rank == 0) {
      batcher.map(op.getResult(), tensor);
      return success();
    }
    SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0)};
    for (Value index : op.getIndices())
      offsets.push_back(getAsOpFoldResult(batcher.get(index)));
    SmallVector<OpFoldResult> sizes(rank + 1, b.getIndexAttr(1)),
        strides(rank + 1, b.getIndexAttr(1));
    sizes[0] = batcher.lanes;
    batcher.map(op.getResult(), tensor::ExtractSliceOp::create(
                                    b, loc, batcher.batchType(op.getType()),
                                    tensor, offsets, sizes, strides));
    return success();
  }
  if (op.getIndices().empty()) {
    batcher.map(op.getResult(), batcher.get(op.getTensor()));
    return success();
  }
  batcher.map(
      op.getResult(),
      batcher.generate(
          batcher.lanes, op.getType(), [&](OpBuilder &b, ValueRange at) {
            SmallVector<Value> indices;
            for (Value index : op.getIndices())
              indices.push_back(batcher.scalarOf(b, index, at[0]));
            return batcher.extract(b, op.getTensor(), at[0], indices);
          }));
  return success();
}

LogicalResult batchExtractSlice(tensor::ExtractSliceOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  if (anyVaries(batcher, op.getSizes()))
    return batcher.refuseSize(op);
  RankedTensorType type = batcher.batchType(op.getType());
  if (!anyVaries(batcher, op.getOffsets()) &&
      !anyVaries(batcher, op.getStrides())) {
    batcher.map(
        op.getResult(),
        tensor::ExtractSliceOp::create(
            b, batcher.loc(), type, batcher.get(op.getSource()),
            prepend(b.getIndexAttr(0), now(batcher, op.getMixedOffsets())),
            prepend(batcher.lanes, now(batcher, op.getMixedSizes())),
            prepend(b.getIndexAttr(1), now(batcher, op.getMixedStrides()))));
    return success();
  }
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<OpFoldResult> kept;
  for (auto [i, size] : llvm::enumerate(now(batcher, op.getMixedSizes())))
    if (!dropped[i])
      kept.push_back(size);
  Value result = batcher.generate(
      batcher.withLanes(kept), type.getElementType(),
      [&](OpBuilder &b, ValueRange at) {
        SmallVector<Value> indices;
        unsigned next = 1;
        for (auto [i, offset] : llvm::enumerate(op.getMixedOffsets())) {
          Value index = valueOf(batcher, b, offset, at[0]);
          if (!dropped[i]) {
            Value stride = valueOf(batcher, b, op.getMixedStrides()[i], at[0]);
            Value steps =
                arith::MulIOp::create(b, batcher.loc(), at[next++], stride);
            index = arith::AddIOp::create(b, batcher.loc(), index, steps);
          }
          indices.push_back(index);
        }
        return batcher.extract(b, op.getSource(), at[0], indices);
      });
  if (result.getType() != type)
    result = tensor::CastOp::create(b, batcher.loc(), type, result);
  batcher.map(op.getResult(), result);
  return success();
}

LogicalResult batchInsertSlice(tensor::InsertSliceOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  if (anyVaries(batcher, op.getSizes()))
    return batcher.refuseSize(op);
  if (!anyVaries(batcher, op.getOffsets()) &&
      !anyVaries(batcher, op.getStrides())) {
    batcher.map(
        op.getResult(),
        tensor::InsertSliceOp::create(
            b, loc, batcher.getBatched(op.getSource()),
            batcher.getBatched(op.getDest()),
            prepend(b.getIndexAttr(0), now(batcher, op.getMixedOffsets())),
            prepend(batcher.lanes, now(batcher, op.getMixedSizes())),
            prepend(b.getIndexAttr(1), now(batcher, op.getMixedStrides()))));
    return success();
  }
  // Each element of the destination asks whether the slice covers it.
  Value dest = batcher.get(op.getDest());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, dest);
  if (!batcher.varies(op.getDest()))
    sizes = batcher.withLanes(sizes);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Value result = batcher.generate(
      sizes, getElementTypeOrSelf(dest.getType()),
      [&](OpBuilder &b, ValueRange at) -> Value {
        using arith::CmpIPredicate;
        Value inside = arith::ConstantIntOp::create(b, loc, 1, 1);
        Value zero = arith::ConstantIndexOp::create(b, loc, 0);
        auto require = [&](CmpIPredicate is, Value a, Value c) {
          Value ok = arith::CmpIOp::create(b, loc, is, a, c);
          inside = arith::AndIOp::create(b, loc, inside, ok);
        };
        SmallVector<Value> indices;
        for (unsigned i = 0; i < op.getDestType().getRank(); ++i) {
          Value offset = valueOf(batcher, b, op.getMixedOffsets()[i], at[0]);
          Value stride = valueOf(batcher, b, op.getMixedStrides()[i], at[0]);
          Value size = valueOf(batcher, b, op.getMixedSizes()[i], at[0]);
          Value far = arith::SubIOp::create(b, loc, at[i + 1], offset);
          Value index = arith::FloorDivSIOp::create(b, loc, far, stride);
          Value back = arith::MulIOp::create(b, loc, index, stride);
          require(CmpIPredicate::eq, back, far);
          require(CmpIPredicate::sge, index, zero);
          require(CmpIPredicate::slt, index, size);
          if (!dropped[i])
            indices.push_back(index);
        }
        // What is not inside reads element 0, and drops it.
        for (Value &index : indices)
          index = arith::SelectOp::create(b, loc, inside, index, zero);
        Value there = batcher.extract(b, op.getSource(), at[0], indices);
        Value here = batcher.extract(b, op.getDest(), at[0], at.drop_front());
        return arith::SelectOp::create(b, loc, inside, there, here);
      });
  RankedTensorType type = batcher.batchType(op.getType());
  if (result.getType() != type)
    result = tensor::CastOp::create(b, loc, type, result);
  batcher.map(op.getResult(), result);
  return success();
}

LogicalResult batchInsert(tensor::InsertOp op, Batcher &batcher) {
  // One element is a slice of one.
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  if (anyVaries(batcher, op.getIndices()))
    return batcher.loopOverLanes(op);
  int64_t rank = op.getIndices().size();
  if (rank == 0) {
    batcher.map(op.getResult(), batcher.getBatched(op.getScalar()));
    return success();
  }
  SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0)};
  for (Value index : op.getIndices())
    offsets.push_back(getAsOpFoldResult(batcher.get(index)));
  SmallVector<OpFoldResult> sizes(rank + 1, b.getIndexAttr(1)),
      strides(rank + 1, b.getIndexAttr(1));
  sizes[0] = batcher.lanes;
  batcher.map(op.getResult(),
              tensor::InsertSliceOp::create(
                  b, loc, batcher.getBatched(op.getScalar()),
                  batcher.getBatched(op.getDest()), offsets, sizes, strides));
  return success();
}

/// Old groups of dimensions with the lanes before them. A tensor of rank 0 has
/// none, and all its dimensions go with the lanes then.
SmallVector<ReassociationIndices> addLanes(ArrayRef<ReassociationIndices> old,
                                           int64_t expandedRank) {
  SmallVector<ReassociationIndices> groups = {{0}};
  if (old.empty())
    for (int64_t i = 0; i < expandedRank; ++i)
      groups[0].push_back(i + 1);
  for (const ReassociationIndices &group : old) {
    groups.emplace_back();
    for (int64_t dim : group)
      groups.back().push_back(dim + 1);
  }
  return groups;
}

LogicalResult batchCollapse(tensor::CollapseShapeOp op, Batcher &batcher) {
  auto groups =
      addLanes(op.getReassociationIndices(), op.getSrcType().getRank());
  batcher.map(op.getResult(), tensor::CollapseShapeOp::create(
                                  batcher.builder, batcher.loc(),
                                  batcher.batchType(op.getType()),
                                  batcher.get(op.getSrc()), groups));
  return success();
}

LogicalResult batchExpand(tensor::ExpandShapeOp op, Batcher &batcher) {
  if (anyVaries(batcher, op.getOutputShape()))
    return batcher.refuseSize(op);
  auto groups =
      addLanes(op.getReassociationIndices(), op.getResultType().getRank());
  batcher.map(op.getResult(),
              tensor::ExpandShapeOp::create(
                  batcher.builder, batcher.loc(),
                  batcher.batchType(op.getType()), batcher.get(op.getSrc()),
                  groups,
                  batcher.withLanes(now(batcher, op.getMixedOutputShape()))));
  return success();
}

LogicalResult batchCast(tensor::CastOp op, Batcher &batcher) {
  batcher.map(op.getResult(),
              tensor::CastOp::create(batcher.builder, batcher.loc(),
                                     batcher.batchType(op.getType()),
                                     batcher.get(op.getSource())));
  return success();
}

LogicalResult batchDim(tensor::DimOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Value index = batcher.get(op.getIndex());
  if (batcher.varies(op.getSource()))
    index = arith::AddIOp::create(b, batcher.loc(), index, batcher.index(1));
  batcher.map(op.getResult(),
              tensor::DimOp::create(b, batcher.loc(),
                                    batcher.get(op.getSource()), index));
  return success();
}

LogicalResult batchEmpty(tensor::EmptyOp op, Batcher &batcher) {
  return batcher.refuseSize(op); // or it would not vary
}

LogicalResult batchFromElements(tensor::FromElementsOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  RankedTensorType old = op.getType(), type = batcher.batchType(old);
  int64_t n = op.getElements().size();
  SmallVector<OpFoldResult> sizes = {batcher.lanes, b.getIndexAttr(n)};
  Value all = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  sizes[1] = b.getIndexAttr(1);
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  for (auto [i, element] : llvm::enumerate(op.getElements())) {
    SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0), b.getIndexAttr(i)};
    all = tensor::InsertSliceOp::create(b, loc, batcher.getBatched(element),
                                        all, offsets, sizes, strides);
  }
  if (old.getRank() == 0) {
    all = tensor::CollapseShapeOp::create(
        b, loc, type, all, ArrayRef<ReassociationIndices>{{0, 1}});
  } else if (old.getRank() > 1) {
    SmallVector<ReassociationIndices> groups = {{0}, {}};
    for (int64_t i = 0; i < old.getRank(); ++i)
      groups[1].push_back(i + 1);
    SmallVector<OpFoldResult> shape = {batcher.lanes};
    for (int64_t size : old.getShape())
      shape.push_back(b.getIndexAttr(size));
    all = tensor::ExpandShapeOp::create(b, loc, type, all, groups, shape);
  }
  batcher.map(op.getResult(), all);
  return success();
}

LogicalResult batchSplat(tensor::SplatOp op, Batcher &batcher) {
  if (anyVaries(batcher, op.getDynamicSizes()))
    return batcher.refuseSize(op);
  OpBuilder &b = batcher.builder;
  SmallVector<OpFoldResult> sizes = {batcher.lanes};
  unsigned next = 0;
  for (int64_t size : op.getType().getShape())
    sizes.push_back(
        ShapedType::isDynamic(size)
            ? OpFoldResult(batcher.get(op.getDynamicSizes()[next++]))
            : b.getIndexAttr(size));
  Value like = tensor::EmptyOp::create(b, batcher.loc(), sizes,
                                       op.getType().getElementType());
  batcher.map(op.getResult(), batcher.spread(batcher.get(op.getInput()), like));
  return success();
}

} // namespace

void evox::registerTensorBatchRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attachRule<tensor::ExtractOp, batchExtract>(context);
    attachRule<tensor::ExtractSliceOp, batchExtractSlice>(context);
    attachRule<tensor::InsertSliceOp, batchInsertSlice>(context);
    attachRule<tensor::InsertOp, batchInsert>(context);
    attachRule<tensor::CollapseShapeOp, batchCollapse>(context);
    attachRule<tensor::ExpandShapeOp, batchExpand>(context);
    attachRule<tensor::CastOp, batchCast>(context);
    attachRule<tensor::DimOp, batchDim>(context);
    attachRule<tensor::EmptyOp, batchEmpty>(context);
    attachRule<tensor::FromElementsOp, batchFromElements>(context);
    attachRule<tensor::SplatOp, batchSplat>(context);
  });
}
