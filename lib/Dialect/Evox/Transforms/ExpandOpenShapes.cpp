//===- ExpandOpenShapes.cpp - Reshapes to several open dimensions ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace evox {
#define GEN_PASS_DEF_EVOXEXPANDOPENSHAPES
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

static bool isOpen(memref::ExpandShapeOp op) {
  return llvm::any_of(op.getReassociationIndices(), [&](auto &group) {
    return llvm::count_if(group, [&](int64_t d) {
             return op.getResultType().isDynamicDim(d);
           }) > 1;
  });
}

static void expand(memref::ExpandShapeOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  auto source = memref::ExtractStridedMetadataOp::create(b, loc, op.getSrc());
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<OpFoldResult> given = source.getConstifiedMixedStrides();
  auto [known, offset] = op.getResultType().getStridesAndOffset();
  SmallVector<OpFoldResult> strides(sizes.size());
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
    Value stride = getValueOrCreateConstantIndexOp(b, loc, given[i]);
    for (int64_t d : llvm::reverse(group)) {
      strides[d] = ShapedType::isDynamic(known[d])
                       ? OpFoldResult(stride)
                       : OpFoldResult(b.getIndexAttr(known[d]));
      stride = arith::MulIOp::create(
          b, loc, stride, getValueOrCreateConstantIndexOp(b, loc, sizes[d]));
    }
  }
  Value result = memref::ReinterpretCastOp::create(
      b, loc, op.getResultType(), op.getSrc(),
      source.getConstifiedMixedOffset(), sizes, strides);
  op.getResult().replaceAllUsesWith(result);
  op.erase();
}

namespace {
struct ExpandOpenShapesPass
    : evox::impl::EvoxExpandOpenShapesBase<ExpandOpenShapesPass> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> ops;
    getOperation().walk([&](memref::ExpandShapeOp op) {
      if (isOpen(op))
        ops.push_back(op);
    });
    for (memref::ExpandShapeOp op : ops)
      expand(op);
  }
};
} // namespace
