//===- OpenLoops.h - Tasks of an open number of rows ------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_LINALGTOLOOPS_OPENLOOPS_H
#define EVOX_LIB_CONVERSION_LINALGTOLOOPS_OPENLOOPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace evox {

/// Makes tasks of the outermost parallel loops of `func` whose number of rows
/// the run decides. `costOf`: of an iteration; `minTaskCost`: the least of a
/// task, in the same units; `byteCost`: of a byte that is gone through.
void parallelizeOpenLoops(mlir::func::FuncOp func,
                          llvm::function_ref<double(mlir::Block &)> costOf,
                          double minTaskCost, double byteCost,
                          mlir::SymbolTable &symbols, unsigned &counter);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_LINALGTOLOOPS_OPENLOOPS_H
