//===- EvoxDialect.h - The evox dialect -------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXDIALECT_H
#define EVOX_DIALECT_EVOX_IR_EVOXDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "evox/Dialect/Evox/IR/EvoxDialect.h.inc"
#include "evox/Dialect/Evox/IR/EvoxEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "evox/Dialect/Evox/IR/EvoxTypes.h.inc"
#define GET_OP_CLASSES
#include "evox/Dialect/Evox/IR/EvoxOps.h.inc"

namespace evox {
/// The op that `symbol` names when `from` uses it: looked up in the symbol
/// table that encloses `from`, then in the one around that, and so on
/// outwards; null if there is none.
mlir::Operation *resolveSymbol(mlir::Operation *from, mlir::SymbolRefAttr symbol,
                               mlir::SymbolTableCollection *tables = nullptr);

/// The element type of tensors of PyTorch's scalar type `dtype` ("float32",
/// "uint8", "bool", ...); null if there is no such scalar type.
mlir::Type getDtypeElementType(mlir::MLIRContext *context,
                               llvm::StringRef dtype);
} // namespace evox

#endif // EVOX_DIALECT_EVOX_IR_EVOXDIALECT_H
