//===- OutlineAngles.cpp - sin, cos and tan of f64 become functions -------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Functions.h"
#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace evox {
#define GEN_PASS_DEF_EVOXOUTLINEANGLES
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {
struct OutlineAnglesPass
    : evox::impl::EvoxOutlineAnglesBase<OutlineAnglesPass> {
  void runOnOperation() override;

private:
  /// The function of this name from `type` to `type`, without a body.
  func::FuncOp declare(const Twine &name, Type type);
  void define(StringRef name, Operation *op, Type type);
  void replaceByCall(Operation *op, StringRef callee);
};
} // namespace

static bool isAngleOp(Operation *op) {
  return isa<math::SinOp, math::CosOp, math::TanOp>(op) &&
         op->getResult(0).getType().isF64();
}

func::FuncOp OutlineAnglesPass::declare(const Twine &name, Type type) {
  OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
  auto func = func::FuncOp::create(builder, getOperation().getLoc(), name.str(),
                                   builder.getFunctionType(type, type));
  func.setPrivate();
  return func;
}

void OutlineAnglesPass::define(StringRef name, Operation *op, Type type) {
  func::FuncOp func = declare(name, type);
  func->setAttr(kNoInstance, UnitAttr::get(&getContext()));
  OpBuilder builder = OpBuilder::atBlockBegin(func.addEntryBlock());
  Maker maker{builder, func.getLoc()};
  std::optional<Num> result =
      expandDouble(op, Num{&maker, func.getArgument(0)});
  func::ReturnOp::create(builder, func.getLoc(), result->v);
}

void OutlineAnglesPass::replaceByCall(Operation *op, StringRef callee) {
  OpBuilder builder(op);
  auto call = func::CallOp::create(builder, op->getLoc(), callee,
                                   op->getResultTypes(), op->getOperands());
  op->replaceAllUsesWith(call);
  op->erase();
}

void OutlineAnglesPass::runOnOperation() {
  auto collect = [&](bool large) {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isAngleOp(op) && op->hasAttr(kLargeAngle) == large)
        ops.push_back(op);
    });
    return ops;
  };
  Type f64 = Float64Type::get(&getContext());
  for (Operation *op : collect(/*large=*/false)) {
    std::string name = ("evox." + op->getName().stripDialect()).str();
    if (!getOperation().lookupSymbol(name)) {
      define(name, op, f64);
      for (int64_t lanes : {2, 4, 8})
        define(name + ".v" + std::to_string(lanes), op,
               VectorType::get(lanes, f64));
    }
    replaceByCall(op, name);
  }
  for (Operation *op : collect(/*large=*/true)) {
    std::string name = ("evox_rt_" + op->getName().stripDialect()).str();
    if (!getOperation().lookupSymbol(name))
      declare(name, f64);
    replaceByCall(op, name);
  }
}
