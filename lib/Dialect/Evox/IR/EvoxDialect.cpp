//===- EvoxDialect.cpp - The evox dialect ---------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace evox;

#include "evox/Dialect/Evox/IR/EvoxDialect.cpp.inc"
#include "evox/Dialect/Evox/IR/EvoxEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "evox/Dialect/Evox/IR/EvoxTypes.cpp.inc"
#define GET_OP_CLASSES
#include "evox/Dialect/Evox/IR/EvoxOps.cpp.inc"

namespace {
/// Functions are inlined once their state is explicit, that is, as func.func.
/// What may then stand in them is legal to inline; ops that use state or
/// belong to an evox.func are not.
struct EvoxInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *op, Region *, bool,
                       IRMapping &) const override {
    return !isa<evox::ModuleOp, StateOp, evox::FuncOp, evox::ReturnOp, LoadOp,
                StoreOp, evox::CallOp, IfOp, SwitchOp, WhileOp, ConditionOp,
                YieldOp>(op);
  }
};
} // namespace

void EvoxDialect::initialize() {
  addInterfaces<EvoxInlinerInterface>();
  addTypes<
#define GET_TYPEDEF_LIST
#include "evox/Dialect/Evox/IR/EvoxTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "evox/Dialect/Evox/IR/EvoxOps.cpp.inc"
      >();
}

Operation *EvoxDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
