//===- DrawLoops.h - Loops that draw rows of numbers ------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_LINALGTOLOOPS_DRAWLOOPS_H
#define EVOX_LIB_CONVERSION_LINALGTOLOOPS_DRAWLOOPS_H

#include "mlir/IR/Builders.h"

namespace evox {

/// On an `scf.for`: each iteration draws a row, with one call of
/// "random_uniform_part"; any number of rows may be drawn at once. The rows of
/// a task.
constexpr llvm::StringLiteral kDrawLoop = "evox.draw_loop";

/// Draws `count` rows of `buffer` at its row `at`, those from `row` on.
void makeDrawOfRows(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value buffer, mlir::Value room, mlir::Value task,
                    mlir::Value row, mlir::OpFoldResult at,
                    mlir::OpFoldResult count, mlir::ValueRange range);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_LINALGTOLOOPS_DRAWLOOPS_H
