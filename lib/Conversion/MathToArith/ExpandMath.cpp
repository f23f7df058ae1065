//===- ExpandMath.cpp - Math ops become formulas --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Functions.h"
#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace evox {
#define GEN_PASS_DEF_EVOXEXPANDMATH
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Math ops that the processor, or LLVM, has on vectors.
static bool isSimple(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp, math::FloorOp, math::FmaOp, math::RoundEvenOp,
             math::SqrtOp, math::TruncOp, math::IsFiniteOp, math::IsInfOp,
             math::IsNaNOp, math::IsNormalOp>(op);
}

/// Replaces an op on a vector by one per lane, for the library's functions.
static void unroll(Operation *op, OpBuilder &builder) {
  auto type = cast<VectorType>(op->getResult(0).getType());
  Location loc = op->getLoc();
  SmallVector<Value> lanes;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(vector::ExtractOp::create(builder, loc, operand, i));
    lanes.push_back(builder
                        .create(loc, op->getName().getIdentifier(), operands,
                                type.getElementType(), op->getAttrs())
                        ->getResult(0));
  }
  op->replaceAllUsesWith(
      ValueRange{vector::FromElementsOp::create(builder, loc, type, lanes)});
  op->erase();
}

static void expand(Operation *op) {
  OpBuilder builder(op);
  Type type = op->getResult(0).getType(), element = getElementTypeOrSelf(type);
  auto vector = dyn_cast<VectorType>(type);
  if (vector && vector.getRank() != 1)
    return;
  // These branch, and LLVM vectorizes no branch with a call: see OutlineAngles.
  if (element.isF64() && !vector && isa<math::SinOp, math::CosOp, math::TanOp>(op))
    return;
  auto real = dyn_cast<FloatType>(element);
  bool narrow = real && real.getWidth() < 32;
  if ((element.isF32() || element.isF64() || narrow) &&
      llvm::all_of(op->getOperandTypes(),
                   [&](Type operand) { return operand == type; })) {
    Maker maker{builder, op->getLoc()};
    Type wide = Maker::shaped(type, builder.getF32Type());
    SmallVector<Num> args;
    for (Value operand : op->getOperands())
      args.push_back({&maker, narrow ? maker.make<arith::ExtFOp>(wide, operand)
                                     : operand});
    if (std::optional<Num> result =
            element.isF64() ? expandDouble(op, args) : expandFloat(op, args)) {
      Value value =
          narrow ? maker.make<arith::TruncFOp>(type, result->v) : result->v;
      op->replaceAllUsesWith(ValueRange{value});
      op->erase();
      return;
    }
  }
  if (vector)
    unroll(op, builder);
}

namespace {
struct ExpandMathPass : evox::impl::EvoxExpandMathBase<ExpandMathPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
          !isSimple(op) && op->getNumResults() == 1 &&
          !isa<TensorType>(op->getResult(0).getType()))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      expand(op);
  }
};
} // namespace
