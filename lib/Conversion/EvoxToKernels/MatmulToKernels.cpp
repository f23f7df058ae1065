//===- MatmulToKernels.cpp - Products of matrices become kernel calls -----===//
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

namespace evox {
#define GEN_PASS_DEF_EVOXMATMULTOKERNELS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Whether a call is worth it: fewer products LLVM unrolls.
static bool isLarge(linalg::LinalgOp op, int64_t least) {
  int64_t products = 1;
  for (int64_t size : op.getStaticLoopRanges()) {
    if (ShapedType::isDynamic(size))
      return true;
    products *= size;
  }
  return products >= least;
}

/// The tensor whose last two dimensions, swapped, are `value`; else null.
static Value transposedOf(Value value) {
  auto op = value.getDefiningOp<linalg::TransposeOp>();
  if (!op)
    return {};
  ArrayRef<int64_t> order = op.getPermutation();
  int64_t rank = order.size();
  for (int64_t i = 0; i < rank - 2; ++i)
    if (order[i] != i)
      return {};
  return order[rank - 1] == rank - 2 ? op.getInput() : Value();
}

namespace {
struct MatmulToKernelsPass
    : evox::impl::EvoxMatmulToKernelsBase<MatmulToKernelsPass> {
  using EvoxMatmulToKernelsBase::EvoxMatmulToKernelsBase;
  void runOnOperation() override {
    getOperation().walk([&](linalg::LinalgOp op) {
      auto matmul = dyn_cast<linalg::MatmulOp>(*op);
      auto batch = dyn_cast<linalg::BatchMatmulOp>(*op);
      if ((!matmul || matmul.hasUserDefinedMaps()) &&
          (!batch || batch.hasUserDefinedMaps()))
        return;
      Type element = getElementTypeOrSelf(op->getResult(0).getType());
      if (!(element.isF32() || element.isF64()) || !isLarge(op, minProducts) ||
          !llvm::all_of(op->getOperandTypes(), [&](Type type) {
            return getElementTypeOrSelf(type) == element;
          }))
        return;
      OpBuilder builder(op);
      SmallVector<Value> inputs, flags;
      for (Value input : op.getDpsInputs()) {
        Value source = transposedOf(input);
        inputs.push_back(source ? source : input);
        flags.push_back(arith::ConstantIntOp::create(builder, op.getLoc(),
                                                     source ? 1 : 0, 64));
      }
      auto call = KernelCallOp::create(
          builder, op.getLoc(), op->getResultTypes(), "matmul", inputs,
          op.getDpsInits(), flags, /*inplace=*/true,
          /*effects=*/false, /*unsigned_elements=*/false, /*external=*/false);
      op->replaceAllUsesWith(call.getResults());
      op->erase();
    });
  }
};
} // namespace
