//===- AllowFastMath.cpp - Arithmetic that may be rearranged --------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace evox {
#define GEN_PASS_DEF_EVOXALLOWFASTMATH
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;

namespace {
struct AllowFastMathPass
    : evox::impl::EvoxAllowFastMathBase<AllowFastMathPass> {
  void runOnOperation() override {
    constexpr auto flags =
        arith::FastMathFlags::reassoc | arith::FastMathFlags::contract |
        arith::FastMathFlags::arcp | arith::FastMathFlags::nsz;
    getOperation().walk([&](Operation *op) {
      if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
               arith::NegFOp>(op))
        return;
      auto math = cast<arith::ArithFastMathInterface>(op);
      op->setAttr(
          math.getFastMathAttrName(),
          arith::FastMathFlagsAttr::get(
              &getContext(), math.getFastMathFlagsAttr().getValue() | flags));
    });
  }
};
} // namespace
