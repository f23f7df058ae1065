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
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace evox;

#include "evox/Dialect/Evox/IR/EvoxDialect.cpp.inc"
#include "evox/Dialect/Evox/IR/EvoxEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "evox/Dialect/Evox/IR/EvoxTypes.cpp.inc"
#define GET_OP_CLASSES
#include "evox/Dialect/Evox/IR/EvoxOps.cpp.inc"

void EvoxDialect::initialize() {
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
