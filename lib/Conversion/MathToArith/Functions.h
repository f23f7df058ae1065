//===- Functions.h - Functions of numbers as formulas -----------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_MATHTOARITH_FUNCTIONS_H
#define EVOX_LIB_CONVERSION_MATHTOARITH_FUNCTIONS_H

#include "Numbers.h"

namespace evox {

/// On an op on a f64: the angle is too large for a formula.
inline constexpr llvm::StringLiteral kLargeAngle("evox.large_angle");

/// The formula for the operands `args`, f32 or f64, of a math op; nothing if
/// there is none.
std::optional<Num> expandFloat(mlir::Operation *op, llvm::ArrayRef<Num> args);
std::optional<Num> expandDouble(mlir::Operation *op, llvm::ArrayRef<Num> args);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_MATHTOARITH_FUNCTIONS_H
