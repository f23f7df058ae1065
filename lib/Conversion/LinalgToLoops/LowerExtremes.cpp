//===- LowerExtremes.cpp - Where the least element is, in vectors ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// argmin and argmax go from element to element, each waiting for the last one's
// comparison. Here every lane of a vector goes through its own elements; of the
// lanes' results the first extreme one is the result, NaN before all.
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace evox {
#define GEN_PASS_DEF_EVOXLOWEREXTREMES
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;

namespace {

/// Below so many vectors there is nothing to be won.
constexpr int64_t kLeastVectors = 4;
constexpr int64_t kVectorBytes = 64;

struct Extreme {
  linalg::GenericOp op;
  arith::CmpFPredicate better; // ult or ugt
  int64_t size, lanes;
};

/// The body of argmin: takes the element and its index where it is less, or
/// NaN, and what was found is not NaN. Or of min, the same without the index.
bool matchBody(linalg::GenericOp op, arith::CmpFPredicate &better) {
  Block &body = op.getRegion().front();
  auto yield = cast<linalg::YieldOp>(body.getTerminator());
  bool places = yield.getNumOperands() == 2;
  Value in = body.getArgument(0), best = body.getArgument(1);
  auto value = yield.getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!value || value.getTrueValue() != in || value.getFalseValue() != best ||
      llvm::range_size(body.without_terminator()) != (places ? 7 : 4))
    return false;
  if (places) {
    auto place = yield.getOperand(1).getDefiningOp<arith::SelectOp>();
    if (!place || value.getCondition() != place.getCondition() ||
        place.getFalseValue() != body.getArgument(2))
      return false;
    auto cast = place.getTrueValue().getDefiningOp<arith::IndexCastOp>();
    auto number = cast ? cast.getIn().getDefiningOp<linalg::IndexOp>() : nullptr;
    if (!number || number.getDim() + 1 != op.getNumLoops())
      return false;
  }
  auto both = value.getCondition().getDefiningOp<arith::AndIOp>();
  if (!both)
    return false;
  auto less = both.getLhs().getDefiningOp<arith::CmpFOp>();
  auto ordered = both.getRhs().getDefiningOp<arith::CmpFOp>();
  if (!less || !ordered || less.getLhs() != in || less.getRhs() != best ||
      ordered.getPredicate() != arith::CmpFPredicate::ORD ||
      ordered.getLhs() != best || ordered.getRhs() != best)
    return false;
  better = less.getPredicate();
  return better == arith::CmpFPredicate::ULT ||
         better == arith::CmpFPredicate::UGT;
}

/// Of the last dimension, whose elements lie one after the other.
std::optional<Extreme> match(linalg::GenericOp op) {
  Extreme result{op, {}, 0, 0};
  unsigned loops = op.getNumLoops();
  if (!op.hasPureBufferSemantics() || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() < 1 || op.getNumDpsInits() > 2 || loops == 0 ||
      op.getNumReductionLoops() != 1 ||
      op.getIteratorTypesArray().back() != utils::IteratorType::reduction)
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto type = dyn_cast<MemRefType>(op.getDpsInputs()[0].getType());
  AffineMap outer = AffineMap::getMultiDimIdentityMap(loops, op.getContext())
                        .dropResult(loops - 1);
  if (!type || type.isDynamicDim(loops - 1) || !maps[0].isIdentity() ||
      maps[1] != outer || maps.back() != outer)
    return std::nullopt;
  auto [strides, offset] = type.getStridesAndOffset();
  Type element = type.getElementType();
  if (strides.back() != 1 || !(element.isF32() || element.isF64()) ||
      (op.getNumDpsInits() == 2 &&
       !getElementTypeOrSelf(op.getDpsInits()[1]).isInteger(64)) ||
      !matchBody(op, result.better))
    return std::nullopt;
  result.size = type.getShape().back();
  result.lanes = kVectorBytes / (element.getIntOrFloatBitWidth() / 8);
  if (result.size < kLeastVectors * result.lanes)
    return std::nullopt;
  return result;
}

void lower(const Extreme &extreme) {
  linalg::GenericOp op = extreme.op;
  Location loc = op.getLoc();
  OpBuilder builder(op);
  // Where nobody asks for the place it decides all the same which of two equal
  // elements it is: a zero has a sign.
  Value in = op.getDpsInputs()[0], values = op.getDpsInits()[0], places;
  if (op.getNumDpsInits() == 2)
    places = op.getDpsInits()[1];
  auto type = cast<MemRefType>(in.getType());
  int64_t lanes = extreme.lanes, whole = extreme.size / lanes * lanes;
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, i);
  };
  Value zero = index(0), one = index(1);

  SmallVector<Value> at;
  for (auto [dim, size] : llvm::enumerate(type.getShape().drop_back())) {
    Value end = ShapedType::isDynamic(size)
                    ? memref::DimOp::create(builder, loc, in, dim).getResult()
                    : index(size);
    auto loop = scf::ForOp::create(builder, loc, zero, end, one);
    loop->setAttr(evox::kParallelLoop, builder.getUnitAttr());
    at.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  auto element = [&](Value i) {
    SmallVector<Value> indices(at);
    indices.push_back(i);
    return indices;
  };
  auto cmp = [&](arith::CmpFPredicate how, Value a, Value b) -> Value {
    return arith::CmpFOp::create(builder, loc, how, a, b);
  };
  auto isBetter = [&](Value x, Value best) -> Value {
    return arith::AndIOp::create(builder, loc, cmp(extreme.better, x, best),
                                 cmp(arith::CmpFPredicate::ORD, best, best));
  };
  auto select = [&](Value c, Value a, Value b) -> Value {
    return arith::SelectOp::create(builder, loc, c, a, b);
  };
  auto number = [&](Value i) -> Value {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), i);
  };

  Value best = memref::LoadOp::create(builder, loc, values, at);
  Value place =
      places ? memref::LoadOp::create(builder, loc, places, at).getResult()
             : arith::ConstantIntOp::create(builder, loc, 0, 64).getResult();
  auto valuesType = VectorType::get(lanes, type.getElementType());
  auto placesType = VectorType::get(lanes, builder.getI64Type());
  auto spread = [&](VectorType as, Value x) -> Value {
    return vector::BroadcastOp::create(builder, loc, as, x);
  };
  // A lane keeps where its vector starts; where the lane stands comes later.
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 64);
  auto vectors = scf::ForOp::create(
      builder, loc, zero, index(whole), index(lanes),
      ValueRange{spread(valuesType, best), spread(placesType, none)},
      [&](OpBuilder &, Location, Value i, ValueRange carried) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(i.getParentBlock());
        Value x =
            vector::LoadOp::create(builder, loc, valuesType, in, element(i));
        Value better = isBetter(x, carried[0]);
        Value found = select(better, x, carried[0]);
        Value where = select(better, spread(placesType, number(i)), carried[1]);
        scf::YieldOp::create(builder, loc, ValueRange{found, where});
      });
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value x =
        vector::ExtractOp::create(builder, loc, vectors.getResult(0), lane);
    Value from =
        vector::ExtractOp::create(builder, loc, vectors.getResult(1), lane);
    Value took = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       from, none);
    Value mine = arith::AddIOp::create(
        builder, loc, from,
        arith::ConstantIntOp::create(builder, loc, lane, 64));
    // As good, and before it?
    Value same = arith::OrIOp::create(
        builder, loc, cmp(arith::CmpFPredicate::OEQ, x, best),
        arith::AndIOp::create(builder, loc,
                              cmp(arith::CmpFPredicate::UNO, x, x),
                              cmp(arith::CmpFPredicate::UNO, best, best)));
    Value before = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::slt, mine, place);
    Value takes =
        arith::OrIOp::create(builder, loc, isBetter(x, best),
                             arith::AndIOp::create(builder, loc, same, before));
    takes = arith::AndIOp::create(builder, loc, takes, took);
    best = select(takes, x, best);
    place = select(takes, mine, place);
  }
  auto rest = scf::ForOp::create(
      builder, loc, index(whole), index(extreme.size), one,
      ValueRange{best, place},
      [&](OpBuilder &, Location, Value i, ValueRange carried) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(i.getParentBlock());
        Value x = memref::LoadOp::create(builder, loc, in, element(i));
        Value better = isBetter(x, carried[0]);
        Value found = select(better, x, carried[0]);
        Value where = select(better, number(i), carried[1]);
        scf::YieldOp::create(builder, loc, ValueRange{found, where});
      });
  memref::StoreOp::create(builder, loc, rest.getResult(0), values, at);
  if (places)
    memref::StoreOp::create(builder, loc, rest.getResult(1), places, at);
  op.erase();
}

//===----------------------------------------------------------------------===//
// The greatest and least without a place, of all that is left
//===----------------------------------------------------------------------===//

/// Registers that are compared at once: a comparison takes some cycles.
constexpr int64_t kAtOnce = 4;

/// `maximumf` or `minimumf` over the last dimensions, which lie one behind the
/// other. They give the same in any order, NaN and zeros included.
std::optional<vector::CombiningKind> matchBound(linalg::GenericOp op) {
  unsigned loops = op.getNumLoops();
  if (!op.hasPureBufferSemantics() || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  unsigned outer = loops - op.getNumReductionLoops();
  for (auto [i, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if ((i < outer) != (kind == utils::IteratorType::parallel))
      return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto type = dyn_cast<MemRefType>(op.getDpsInputs()[0].getType());
  AffineMap rows = AffineMap::getMultiDimIdentityMap(loops, op.getContext())
                       .dropResults([&] {
                         llvm::SmallBitVector dropped(loops);
                         dropped.set(outer, loops);
                         return dropped;
                       }());
  if (!type || type.isDynamicDim(loops - 1) || !maps[0].isIdentity() ||
      maps[1] != rows || type.getStridesAndOffset().first.back() != 1)
    return std::nullopt;
  Type element = type.getElementType();
  Block &body = *op.getBlock();
  Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!(element.isF32() || element.isF64()) || !last ||
      llvm::range_size(body.without_terminator()) != 1 ||
      !llvm::is_contained(last->getOperands(), Value(body.getArgument(0))) ||
      !llvm::is_contained(last->getOperands(), Value(body.getArgument(1))))
    return std::nullopt;
  int64_t lanes = kVectorBytes / (element.getIntOrFloatBitWidth() / 8);
  if (type.getShape().back() < kAtOnce * lanes)
    return std::nullopt;
  if (isa<arith::MaximumFOp>(last))
    return vector::CombiningKind::MAXIMUMF;
  if (isa<arith::MinimumFOp>(last))
    return vector::CombiningKind::MINIMUMF;
  return std::nullopt;
}

void lowerBound(linalg::GenericOp op, vector::CombiningKind kind) {
  Location loc = op.getLoc();
  OpBuilder builder(op);
  Value in = op.getDpsInputs()[0], out = op.getDpsInits()[0];
  auto type = cast<MemRefType>(in.getType());
  unsigned loops = op.getNumLoops(), outer = loops - op.getNumReductionLoops();
  int64_t size = type.getShape().back();
  int64_t lanes =
      kVectorBytes / (type.getElementType().getIntOrFloatBitWidth() / 8);
  int64_t step = kAtOnce * lanes, whole = size / step * step;
  auto vectorType = VectorType::get(lanes, type.getElementType());
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, i);
  };
  auto extent = [&](unsigned dim) -> Value {
    return type.isDynamicDim(dim)
               ? memref::DimOp::create(builder, loc, in, dim).getResult()
               : index(type.getDimSize(dim));
  };
  auto better = [&](Value a, Value b) -> Value {
    if (kind == vector::CombiningKind::MAXIMUMF)
      return arith::MaximumFOp::create(builder, loc, a, b);
    return arith::MinimumFOp::create(builder, loc, a, b);
  };

  SmallVector<Value> at;
  for (unsigned dim = 0; dim < outer; ++dim) {
    auto loop = scf::ForOp::create(builder, loc, index(0), extent(dim),
                                   index(1));
    loop->setAttr(evox::kParallelLoop, builder.getUnitAttr());
    at.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  SmallVector<Value> place(at);
  Value best = memref::LoadOp::create(builder, loc, out, place);
  SmallVector<Value> carried(
      kAtOnce, vector::BroadcastOp::create(builder, loc, vectorType, best));
  carried.push_back(best); // of what is left of each row
  // The loops of what is searched, outermost first.
  std::function<SmallVector<Value>(unsigned, ValueRange)> search =
      [&](unsigned dim, ValueRange found) -> SmallVector<Value> {
    auto nest = [&](Value from, Value to, int64_t by, ValueRange init,
                    function_ref<SmallVector<Value>(ValueRange)> body) {
      auto loop =
          scf::ForOp::create(builder, loc, from, to, index(by), init);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      at.push_back(loop.getInductionVar());
      SmallVector<Value> next = body(loop.getRegionIterArgs());
      at.pop_back();
      scf::YieldOp::create(builder, loc, next);
      return SmallVector<Value>(loop.getResults());
    };
    if (dim + 1 < loops)
      return nest(index(0), extent(dim), 1, found,
                  [&](ValueRange args) { return search(dim + 1, args); });
    SmallVector<Value> result =
        nest(index(0), index(whole), step, found.drop_back(),
             [&](ValueRange args) {
               SmallVector<Value> next;
               Value first = at.back();
               for (int64_t i = 0; i < kAtOnce; ++i) {
                 at.back() = arith::AddIOp::create(builder, loc, first,
                                                   index(i * lanes));
                 next.push_back(better(
                     vector::LoadOp::create(builder, loc, vectorType, in, at),
                     args[i]));
               }
               at.back() = first;
               return next;
             });
    Value rest = found.back();
    if (whole < size)
      rest = nest(index(whole), index(size), 1, rest, [&](ValueRange args) {
        Value x = memref::LoadOp::create(builder, loc, in, at);
        return SmallVector<Value>{better(x, args[0])};
      })[0];
    result.push_back(rest);
    return result;
  };
  SmallVector<Value> found = search(outer, carried);
  best = found.pop_back_val();
  Value all = found[0];
  for (Value other : ArrayRef<Value>(found).drop_front())
    all = better(all, other);
  best = better(best, vector::ReductionOp::create(builder, loc, kind, all));
  memref::StoreOp::create(builder, loc, best, out, place);
  op.erase();
}

struct LowerExtremesPass
    : evox::impl::EvoxLowerExtremesBase<LowerExtremesPass> {
  void runOnOperation() override {
    SmallVector<Extreme> found;
    getOperation().walk([&](linalg::GenericOp op) {
      if (std::optional<Extreme> extreme = match(op))
        found.push_back(*extreme);
    });
    for (const Extreme &extreme : found)
      lower(extreme);
    SmallVector<std::pair<linalg::GenericOp, vector::CombiningKind>> bounds;
    getOperation().walk([&](linalg::GenericOp op) {
      if (std::optional<vector::CombiningKind> kind = matchBound(op))
        bounds.push_back({op, *kind});
    });
    for (auto [op, kind] : bounds)
      lowerBound(op, kind);
  }
};

} // namespace
