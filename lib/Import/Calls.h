//===- Calls.h - Calls that stay calls -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_CALLS_H
#define EVOX_LIB_IMPORT_CALLS_H

#include "Interpreter.h"

namespace evox::import {

/// What marks a placeholder: the number of the call, and which end it is.
inline constexpr llvm::StringLiteral kCallNumber = "call", kCallEnd = "end";
/// The number of the call that a placeholder stands for, or -1.
inline int64_t keptNumber(mlir::Operation *op) {
  auto number = llvm::isa<CallOp>(op) ? op->getAttrOfType<mlir::IntegerAttr>(kCallNumber)
                                      : mlir::IntegerAttr();
  return number ? number.getInt() : -1;
}

/// Lets state that loops and branches with calls change go through its slots.
void carryInSlots(FuncOp entry, Interpreter &in, llvm::ArrayRef<mlir::SymbolRefAttr> slots,
                  llvm::function_ref<StateOp(mlir::Attribute)> slotOf);

/// Takes the code between placeholders out into functions of the modules.
/// `slots` has the symbol of each number in `stateNames`, or null.
void outlineCalls(evox::ModuleOp top, Interpreter &in,
                  llvm::ArrayRef<mlir::SymbolRefAttr> slots);

/// Erases functions that nothing calls and that are no entry points.
void eraseUncalled(evox::ModuleOp top);

/// Erases the ops of a block that compute what nothing uses, and such loads in
/// its regions.
void eraseDead(mlir::Block &block);

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_CALLS_H
