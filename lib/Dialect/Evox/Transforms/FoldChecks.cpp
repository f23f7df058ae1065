//===- FoldChecks.cpp - Checks that cannot fail ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's integer range analysis is for scalars. Here a tensor has a range
// too, that of its elements, and scalars are left to the ops' own inference.
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"
#include "llvm/ADT/TypeSwitch.h"

namespace evox {
#define GEN_PASS_DEF_EVOXFOLDCHECKS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

class Ranges {
public:
  /// The range of an integer, or of the elements of a tensor of integers;
  /// uninitialized where there is none, because they are floats, or because
  /// nothing was ever stored.
  IntegerValueRange get(Value value);

private:
  IntegerValueRange compute(Value value);
  IntegerValueRange infer(Operation *op, Value result);
  IntegerValueRange reduce(linalg::GenericOp op, unsigned number);
  static IntegerValueRange between(Value value, int64_t low, int64_t high);
  static IntegerValueRange unknown(Value value) {
    return IntegerValueRange::getMaxRange(value);
  }

  DenseMap<Value, IntegerValueRange> known;
  unsigned depth = 0;
  bool cut = false; ///< Something was too deep to look at.
};

} // namespace

static bool isInteger(Value value) {
  return isa<IntegerType, IndexType>(getElementTypeOrSelf(value.getType()));
}

IntegerValueRange Ranges::between(Value value, int64_t low, int64_t high) {
  unsigned width = ConstantIntRanges::getStorageBitwidth(value.getType());
  // A size of zero has no elements to speak of, a narrow type not these.
  if (width != 64 || low > high)
    return unknown(value);
  return IntegerValueRange(ConstantIntRanges::fromSigned(
      APInt(width, low, true), APInt(width, high, true)));
}

IntegerValueRange Ranges::get(Value value) {
  if (!isInteger(value))
    return IntegerValueRange();
  if (auto it = known.find(value); it != known.end())
    return it->second;
  if (depth > 100) { // of recursion: long programs are long chains of ops
    cut = true;
    return unknown(value);
  }
  ++depth;
  bool outerCut = std::exchange(cut, false);
  IntegerValueRange range = compute(value);
  --depth;
  if (!cut)
    known.try_emplace(value, range);
  cut |= outerCut;
  return range;
}

IntegerValueRange Ranges::compute(Value value) {
  auto sizeAlong = [](Value tensor, int64_t dim) -> int64_t {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getRank() == 0)
      return 1;
    return type.isDynamicDim(dim) ? INT64_MAX : type.getDimSize(dim);
  };
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    APInt low, high;
    if (loop && value == loop.getInductionVar() &&
        matchPattern(loop.getLowerBound(), m_ConstantInt(&low)) &&
        matchPattern(loop.getUpperBound(), m_ConstantInt(&high)))
      return between(value, low.getSExtValue(), high.getSExtValue() - 1);
    return unknown(value);
  }
  auto result = cast<OpResult>(value);
  return TypeSwitch<Operation *, IntegerValueRange>(result.getOwner())
      .Case([&](linalg::GenericOp op) {
        return reduce(op, result.getResultNumber());
      })
      .Case([&](linalg::FillOp op) { return get(op.getInputs()[0]); })
      .Case<linalg::TransposeOp, linalg::BroadcastOp, tensor::ExtractOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
            tensor::ReshapeOp, tensor::ExtractSliceOp>(
          [&](Operation *op) { return get(op->getOperand(0)); })
      .Case([&](tensor::InsertSliceOp op) {
        return IntegerValueRange::join(get(op.getSource()), get(op.getDest()));
      })
      .Case([&](tensor::EmptyOp) { return IntegerValueRange(); })
      .Case([&](linalg::IndexOp op) {
        auto parent = cast<linalg::LinalgOp>(op->getParentOp());
        int64_t size = parent.getStaticLoopRanges()[op.getDim()];
        return ShapedType::isDynamic(size) ? between(value, 0, INT64_MAX)
                                           : between(value, 0, size - 1);
      })
      .Case<SortOp, TopKOp>([&](auto op) {
        if (value != op.getIndices())
          return get(op.getInput());
        return between(value, 0, sizeAlong(op.getInput(), op.getDim()) - 1);
      })
      .Case([&](NonzeroOp op) {
        int64_t most = 0;
        for (int64_t size : op.getInput().getType().getShape())
          most = ShapedType::isDynamic(size) ? INT64_MAX : std::max(most, size);
        return between(value, 0, most - 1);
      })
      .Case([&](RandomPermutationOp op) {
        return between(value, 0, sizeAlong(op.getValues(), 0) - 1);
      })
      .Case([&](RandomIntegersOp op) {
        IntegerValueRange low = get(op.getLow()), high = get(op.getHigh());
        return between(value, low.getValue().smin().getSExtValue(),
                       high.getValue().smax().getSExtValue() - 1);
      })
      .Default([&](Operation *op) { return infer(op, value); });
}

/// What the op says of itself. It speaks of scalars; the same holds for each
/// element of a tensor.
IntegerValueRange Ranges::infer(Operation *op, Value result) {
  auto inference = dyn_cast<InferIntRangeInterface>(op);
  if (!inference)
    return unknown(result);
  SmallVector<IntegerValueRange> operands;
  for (Value operand : op->getOperands()) {
    IntegerValueRange range = get(operand);
    // Undefined elements may be anything.
    if (range.isUninitialized() && isInteger(operand))
      range = unknown(operand);
    operands.push_back(range);
  }
  IntegerValueRange range;
  inference.inferResultRangesFromOptional(
      operands, [&](Value value, const IntegerValueRange &found) {
        if (value == result)
          range = found;
      });
  return range.isUninitialized() ? unknown(result) : range;
}

/// The elements of a result: where the body starts from what it has so far,
/// the range must hold for that as well.
IntegerValueRange Ranges::reduce(linalg::GenericOp op, unsigned number) {
  Block *body = op.getBlock();
  Value yielded = body->getTerminator()->getOperand(number);
  IntegerValueRange sofar;
  auto forgetBody = [&] {
    for (BlockArgument argument : body->getArguments())
      known.erase(argument);
    body->walk([&](Operation *inner) {
      for (Value value : inner->getResults())
        known.erase(value);
    });
  };
  OpOperand *own = op.getDpsInitOperand(number);
  auto evaluate = [&] {
    forgetBody();
    for (OpOperand &operand : op->getOpOperands()) {
      BlockArgument argument = op.getMatchingBlockArgument(&operand);
      if (!isInteger(argument))
        continue;
      IntegerValueRange range = get(operand.get());
      bool isOwn = &operand == own;
      if (isOwn && !sofar.isUninitialized())
        range = sofar;
      if (range.isUninitialized() || (op.isDpsInit(&operand) && !isOwn))
        range = unknown(argument);
      known.insert_or_assign(argument, range);
    }
    return get(yielded);
  };
  IntegerValueRange range = evaluate();
  bool again =
      op.getNumReductionLoops() > 0 && op.payloadUsesValueFromOperand(own);
  if (again) {
    // Two steps find what a select or a minimum needs; what still grows then
    // has no bound.
    for (int step = 0;; ++step) {
      IntegerValueRange init = get(own->get());
      IntegerValueRange next =
          IntegerValueRange::join(IntegerValueRange::join(range, init), sofar);
      if (next == sofar)
        break;
      sofar = step < 2 ? next : unknown(yielded);
      range = evaluate();
      if (step == 2)
        break;
    }
    range = sofar;
  }
  forgetBody();
  return range;
}

namespace {
struct FoldChecksPass : evox::impl::EvoxFoldChecksBase<FoldChecksPass> {
  void runOnOperation() override {
    SmallVector<AssertOp> asserts;
    SmallVector<arith::CmpIOp> comparisons;
    getOperation().walk([&](Operation *op) {
      if (auto check = dyn_cast<AssertOp>(op))
        asserts.push_back(check);
      if (auto compare = dyn_cast<arith::CmpIOp>(op))
        if (!isa<linalg::LinalgOp>(op->getParentOp()))
          comparisons.push_back(compare);
    });
    if (asserts.empty())
      return;
    Ranges ranges;
    for (AssertOp check : asserts) {
      IntegerValueRange range = ranges.get(check.getCondition());
      if (range.isUninitialized())
        continue;
      std::optional<APInt> value = range.getValue().getConstantValue();
      if (value && !value->isZero())
        check.erase();
    }
    // Such as the one of an index with zero, before it counts from the end.
    SmallVector<std::pair<arith::CmpIOp, bool>> decided;
    for (arith::CmpIOp compare : comparisons) {
      IntegerValueRange range = ranges.get(compare.getResult());
      auto type = dyn_cast<ShapedType>(compare.getType());
      if (range.isUninitialized() || (type && !type.hasStaticShape()))
        continue;
      if (std::optional<APInt> value = range.getValue().getConstantValue())
        decided.emplace_back(compare, !value->isZero());
    }
    for (auto [compare, value] : decided) {
      OpBuilder builder(compare);
      TypedAttr attr = builder.getBoolAttr(value);
      if (auto type = dyn_cast<ShapedType>(compare.getType()))
        attr = DenseElementsAttr::get(type, value);
      compare.getResult().replaceAllUsesWith(
          arith::ConstantOp::create(builder, compare.getLoc(), attr));
      compare.erase();
    }
  }
};
} // namespace
