//===- EvoxOps.td - All ops of the evox dialect -------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXOPS
#define EVOX_DIALECT_EVOX_IR_EVOXOPS

include "evox/Dialect/Evox/IR/EvoxModuleOps.td"
include "evox/Dialect/Evox/IR/EvoxControlFlowOps.td"
include "evox/Dialect/Evox/IR/EvoxRandomOps.td"
include "evox/Dialect/Evox/IR/EvoxArrayOps.td"
include "evox/Dialect/Evox/IR/EvoxLinalgOps.td"
include "evox/Dialect/Evox/IR/EvoxTransformOps.td"

#endif // EVOX_DIALECT_EVOX_IR_EVOXOPS
