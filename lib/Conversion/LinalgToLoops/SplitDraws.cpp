//===- SplitDraws.cpp - Draws by rows, near their use ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DrawLoops.h"
#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Runtime/Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

namespace evox {
#define GEN_PASS_DEF_EVOXSPLITDRAWS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

constexpr int64_t kMostParts = 64;
/// The least elements of a part, which costs a generator's state; and where
/// there are only a few parts, which is what threads are worth asking for.
constexpr int64_t kPartElements = 4096, kFewParts = 4, kLeastElements = 2048;
/// Rows come in multiples of this, unless they are long or few: for the vectors
/// of loops over rows alone.
constexpr int64_t kRows = 16, kLongRow = 1024, kFewRows = 48;

struct Draw {
  KernelCallOp call;
  memref::AllocOp buffer;
  Operation *firstUse, *lastUse;
};

/// A loop over all rows, each by itself.
bool isRowLoop(Operation *op, int64_t rows) {
  auto loop = dyn_cast<scf::ForOp>(op);
  return loop && loop->hasAttr(kParallelLoop) && loop.getNumResults() == 0 &&
         getConstantIntValue(loop.getLowerBound()) == 0 &&
         getConstantIntValue(loop.getStep()) == 1 &&
         getConstantIntValue(loop.getUpperBound()) == rows;
}

/// Reads an element, or a vector, of the row that `loop` is at.
bool readsRow(Operation *user, scf::ForOp loop) {
  if (auto load = dyn_cast<memref::LoadOp>(user))
    return load.getIndices().front() == loop.getInductionVar();
  if (auto load = dyn_cast<vector::LoadOp>(user))
    return load.getIndices().size() > 1 &&
           load.getIndices().front() == loop.getInductionVar();
  return false;
}

/// Is the draw large, and are all its uses in loops over its rows?
std::optional<Draw> getDraw(KernelCallOp call, int64_t minElements) {
  if (call.getKernel() != "random_uniform" || call.getExternal() ||
      call.getOutputs().size() != 1)
    return std::nullopt;
  Draw draw{call, call.getOutputs()[0].getDefiningOp<memref::AllocOp>(),
            nullptr, nullptr};
  if (!draw.buffer || draw.buffer->getBlock() != call->getBlock())
    return std::nullopt;
  MemRefType type = draw.buffer.getType();
  if (!type.hasStaticShape() || type.getRank() < 2 ||
      !type.getLayout().isIdentity() ||
      !(type.getElementType().isF32() || type.getElementType().isF64()) ||
      type.getNumElements() < minElements)
    return std::nullopt;
  for (Operation *user : draw.buffer->getUsers()) {
    if (user == call)
      continue;
    Operation *top = call->getBlock()->findAncestorOpInBlock(*user);
    if (!top || !call->isBeforeInBlock(top))
      return std::nullopt;
    if (isa<memref::DeallocOp>(user) && user == top)
      continue;
    if (!isRowLoop(top, type.getDimSize(0)) ||
        !readsRow(user, cast<scf::ForOp>(top)))
      return std::nullopt;
    if (!draw.firstUse || top->isBeforeInBlock(draw.firstUse))
      draw.firstUse = top;
    if (!draw.lastUse || draw.lastUse->isBeforeInBlock(top))
      draw.lastUse = top;
  }
  return draw.firstUse ? std::optional(draw) : std::nullopt;
}

/// Ranges that two, four, eight threads share evenly.
int64_t rowsPerPart(int64_t rows, int64_t rowElements, bool counterBased) {
  int64_t parts = kMostParts;
  auto atLeast = [&](int64_t elements) {
    return rows / parts * rowElements >= elements;
  };
  while (parts > kFewParts && !counterBased
             ? !atLeast(kPartElements)
             : parts > 1 && !atLeast(kLeastElements))
    parts /= 2;
  int64_t unit =
      rowElements < kLongRow && rows / parts >= kFewRows ? kRows : 1;
  return std::min<int64_t>(llvm::alignTo(llvm::divideCeil(rows, parts), unit),
                           rows);
}

struct SplitDrawsPass : evox::impl::EvoxSplitDrawsBase<SplitDrawsPass> {
  using EvoxSplitDrawsBase::EvoxSplitDrawsBase;
  void runOnOperation() override {
    SmallVector<Draw> draws;
    getOperation().walk([&](KernelCallOp call) {
      if (std::optional<Draw> draw = getDraw(call, minElements))
        draws.push_back(*draw);
    });
    for (const Draw &draw : draws)
      split(draw);
  }

  void split(Draw draw) {
    KernelCallOp call = draw.call;
    Location loc = call.getLoc();
    MemRefType type = draw.buffer.getType();
    int64_t rows = type.getDimSize(0), elements = type.getNumElements() / rows;
    int64_t perPart = rowsPerPart(rows, elements, counterBased);
    int64_t parts = counterBased ? 0 : llvm::divideCeil(rows, perPart);
    OpBuilder builder(call);
    auto integer = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(builder, loc, value, 64);
    };
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    auto kernel = [&](StringRef name, ValueRange outputs, ValueRange scalars) {
      return KernelCallOp::create(builder, loc, TypeRange(), name, ValueRange(),
                                  outputs, scalars);
    };

    Value room = memref::AllocOp::create(
        builder, loc,
        MemRefType::get({EVOX_DRAW_BYTES(parts)}, builder.getI8Type()),
        builder.getI64IntegerAttr(64));
    SmallVector<Value> scalars{
        integer(rows * elements), integer(perPart * elements),
        integer(type.getElementType().isF64() ? EVOX_FLOAT64 : EVOX_FLOAT32)};
    llvm::append_range(scalars, call.getScalars());
    kernel("random_uniform_begin", room, scalars).setEffects(true);

    builder.setInsertionPoint(draw.firstUse);
    auto loop =
        scf::ForOp::create(builder, loc, index(0), index(rows), index(1));
    loop->setAttr(kParallelLoop, builder.getUnitAttr());
    loop->setAttr(kDrawLoop, builder.getI64IntegerAttr(perPart));
    builder.setInsertionPointToStart(loop.getBody());
    makeDrawOfRows(builder, loc, draw.buffer, room, integer(0),
                   loop.getInductionVar(), loop.getInductionVar(),
                   builder.getIndexAttr(1), call.getScalars());

    builder.setInsertionPointAfter(draw.lastUse);
    memref::DeallocOp::create(builder, loc, room);
    call.erase();
  }
};

} // namespace

void evox::makeDrawOfRows(OpBuilder &builder, Location loc, Value buffer,
                          Value room, Value task, Value row, OpFoldResult at,
                          OpFoldResult count, ValueRange range) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> steps(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes =
      getAsIndexOpFoldResult(builder.getContext(), type.getShape());
  int64_t elements = type.getNumElements() / type.getDimSize(0);
  offsets[0] = at;
  sizes[0] = count;
  Value rows =
      memref::SubViewOp::create(builder, loc, buffer, offsets, sizes, steps);
  Value first = arith::MulIOp::create(
      builder, loc, row,
      arith::ConstantIndexOp::create(builder, loc, elements));
  first = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), first);
  SmallVector<Value> scalars{task, first};
  llvm::append_range(scalars, range);
  KernelCallOp::create(builder, loc, TypeRange(), "random_uniform_part",
                       ValueRange(), ValueRange{rows, room}, scalars)
      .setInplace(true);
}
