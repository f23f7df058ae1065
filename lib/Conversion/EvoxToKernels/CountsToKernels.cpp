//===- CountsToKernels.cpp - Counts of truths become kernel calls ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace evox {
#define GEN_PASS_DEF_EVOXCOUNTSTOKERNELS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

static bool isTruths(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isInteger(1);
}

/// The op's operand that the body sees as `value`, else null.
static OpOperand *operandOf(linalg::GenericOp op, Value value) {
  auto arg = dyn_cast<BlockArgument>(value);
  if (!arg || arg.getOwner() != op.getBody() ||
      arg.getArgNumber() >= op.getNumDpsInputs())
    return nullptr;
  return op.getDpsInputOperand(arg.getArgNumber());
}

/// The tensor of truths of which `value` is the numbers 0 and 1, where the op
/// that makes it has that tensor too.
static Value truthsOf(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op)
    return {};
  unsigned number = cast<OpResult>(value).getResultNumber();
  Operation *yield = op.getBody()->getTerminator();
  auto extend = yield->getOperand(number).getDefiningOp<arith::ExtUIOp>();
  if (!extend || !extend.getIn().getType().isInteger(1))
    return {};
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(number));
  for (auto [i, other] : llvm::enumerate(yield->getOperands()))
    if (other == extend.getIn() &&
        op.getIndexingMapMatchingResult(op->getResult(i)) == map)
      return op->getResult(i);
  return {};
}

/// The first `dims` dimensions in order, then 0 where a size is 1.
static bool isLeading(AffineMap map, unsigned dims) {
  if (map.getNumResults() < dims)
    return false;
  for (auto [i, result] : llvm::enumerate(map.getResults())) {
    if (i < dims ? result != getAffineDimExpr(i, map.getContext())
                 : !isa<AffineConstantExpr>(result))
      return false;
  }
  return true;
}

namespace {
/// out[..., j] += sum over i of matrix[..., i, j], or of mask[..., i] and it.
struct Count {
  Value matrix, mask;
};

struct EvoxCountsToKernelsPass
    : evox::impl::EvoxCountsToKernelsBase<EvoxCountsToKernelsPass> {
  using EvoxCountsToKernelsBase::EvoxCountsToKernelsBase;
  std::optional<Count> match(linalg::GenericOp op);
  void runOnOperation() override;
};
} // namespace

std::optional<Count> EvoxCountsToKernelsPass::match(linalg::GenericOp op) {
  // One loop that sums up, then one that doesn't; a batch before them.
  unsigned loops = op.getNumLoops();
  if (op->getNumResults() != 1 || loops < 2 || op.getNumReductionLoops() != 1 ||
      op.getIteratorTypesArray()[loops - 2] != utils::IteratorType::reduction ||
      !getElementTypeOrSelf(op->getResult(0)).isInteger(64))
    return std::nullopt;
  int64_t size = 1;
  for (int64_t n : op.getStaticLoopRanges())
    size = ShapedType::isDynamic(n) ? minElements : size * n;
  if (size < minElements)
    return std::nullopt;
  AffineMap whole = AffineMap::getMultiDimIdentityMap(loops, op.getContext());
  if (op.getMatchingIndexingMap(op.getDpsInitOperand(0)) !=
      whole.dropResult(loops - 2))
    return std::nullopt;

  auto sum = op.getBody()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddIOp>();
  if (!sum)
    return std::nullopt;
  Value total = op.getBody()->getArguments().back();
  Value term = sum.getLhs() == total ? sum.getRhs() : sum.getLhs();
  if (sum.getLhs() != total && sum.getRhs() != total)
    return std::nullopt;

  auto isWhole = [&](OpOperand *operand) {
    return operand && op.getMatchingIndexingMap(operand) == whole;
  };
  // Numbers that are truths elsewhere.
  if (OpOperand *numbers = operandOf(op, term)) {
    Value truths = isWhole(numbers) ? truthsOf(numbers->get()) : Value();
    if (!truths)
      return std::nullopt;
    return Count{truths, {}};
  }
  auto extend = term.getDefiningOp<arith::ExtUIOp>();
  if (!extend || !extend.getIn().getType().isInteger(1))
    return std::nullopt;
  if (OpOperand *matrix = operandOf(op, extend.getIn()))
    return isWhole(matrix) ? std::optional(Count{matrix->get(), {}})
                           : std::nullopt;
  auto both = extend.getIn().getDefiningOp<arith::AndIOp>();
  if (!both)
    return std::nullopt;
  OpOperand *a = operandOf(op, both.getLhs()),
            *b = operandOf(op, both.getRhs());
  if (!a || !b)
    return std::nullopt;
  if (!isWhole(b))
    std::swap(a, b);
  AffineMap mask = op.getMatchingIndexingMap(a);
  if (!isWhole(b) || !isLeading(mask, loops - 1) || !isTruths(a->get()))
    return std::nullopt;
  return Count{b->get(), a->get()};
}

void EvoxCountsToKernelsPass::runOnOperation() {
  bool changed = false;
  getOperation().walk([&](linalg::GenericOp op) {
    std::optional<Count> count = match(op);
    if (!count || !isTruths(count->matrix))
      return;
    OpBuilder builder(op);
    SmallVector<Value> inputs{count->matrix};
    if (count->mask)
      inputs.push_back(count->mask);
    auto call = KernelCallOp::create(
        builder, op.getLoc(), op->getResultTypes(),
        count->mask ? "count_where" : "count", inputs, op.getDpsInits(), {},
        /*inplace=*/true, /*effects=*/false, /*unsigned_elements=*/false,
        /*external=*/false);
    op->replaceAllUsesWith(call.getResults());
    op->erase();
    changed = true;
  });
  if (!changed)
    return;
  // The numbers that nobody counts any more.
  RewritePatternSet patterns(&getContext());
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
  if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
    signalPassFailure();
}
