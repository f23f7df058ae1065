//===- ForwardSlices.cpp - Reading the pieces of a concatenation ----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace evox {
#define GEN_PASS_DEF_EVOXFORWARDSLICES
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

/// Beyond this many pieces a copy is cheaper than choosing among them.
static constexpr size_t kMostPieces = 4;

/// A piece of a known size at a known place, which only reads of single
/// elements see.
static bool isPiece(tensor::InsertSliceOp op) {
  auto source = op.getSourceType(), whole = op.getType();
  if (!source.hasStaticShape() || !whole.hasStaticShape() ||
      source.getRank() != whole.getRank() || source.getNumElements() == 0 ||
      llvm::any_of(op.getStaticOffsets(), ShapedType::isDynamic) ||
      llvm::any_of(op.getStaticStrides(), [](int64_t s) { return s != 1; }))
    return false;
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    if (auto outer = dyn_cast<tensor::InsertSliceOp>(use.getOwner()))
      return &use == &outer.getDestMutable();
    return isa<tensor::ExtractOp>(use.getOwner());
  });
}

static void forward(tensor::ExtractOp op) {
  SmallVector<tensor::InsertSliceOp> pieces; // the last one inserted first
  Value base = op.getTensor();
  while (auto piece = base.getDefiningOp<tensor::InsertSliceOp>()) {
    if (!isPiece(piece) || pieces.size() == kMostPieces)
      return;
    pieces.push_back(piece);
    base = piece.getDest();
  }
  if (pieces.empty())
    return;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  // What was never written is anything, the first piece's elements say.
  Value result;
  if (!base.getDefiningOp<tensor::EmptyOp>())
    result = tensor::ExtractOp::create(builder, loc, base, op.getIndices());
  for (tensor::InsertSliceOp piece : llvm::reverse(pieces)) {
    Value inside;
    SmallVector<Value> indices;
    for (auto [index, offset, size, whole] : llvm::zip_equal(
             op.getIndices(), piece.getStaticOffsets(),
             piece.getSourceType().getShape(), piece.getType().getShape())) {
      if (size == whole) {
        indices.push_back(index);
        continue;
      }
      // An index before the piece becomes a huge one.
      Value local =
          offset ? arith::SubIOp::create(builder, loc, index, constant(offset))
                 : index;
      Value here = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::ult, local, constant(size));
      inside =
          inside ? arith::AndIOp::create(builder, loc, inside, here) : here;
      indices.push_back(size == 1 ? constant(0)
                                  : arith::MinUIOp::create(builder, loc, local,
                                                           constant(size - 1)));
    }
    Value element =
        tensor::ExtractOp::create(builder, loc, piece.getSource(), indices);
    result = result && inside ? arith::SelectOp::create(builder, loc, inside,
                                                        element, result)
                              : element;
  }
  op.getResult().replaceAllUsesWith(result);
  op.erase();
}

namespace {
struct ForwardSlicesPass
    : evox::impl::EvoxForwardSlicesBase<ForwardSlicesPass> {
  void runOnOperation() override {
    SmallVector<tensor::ExtractOp> reads;
    getOperation().walk([&](tensor::ExtractOp op) { reads.push_back(op); });
    for (tensor::ExtractOp read : reads)
      forward(read);
  }
};
} // namespace
