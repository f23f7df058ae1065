//===- Formulas.h - What f32's and f64's formulas share ---------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_MATHTOARITH_FORMULAS_H
#define EVOX_LIB_CONVERSION_MATHTOARITH_FORMULAS_H

#include "Numbers.h"

namespace evox {

/// A logarithm of x: y where the formula has a value.
Num finishLog(Num x, Num y);
/// (m - 1) / (m + 1).
Two ratio(Num m);
/// x^y: of z = |x|^y where the formula has a value.
Num finishPow(Num x, Num y, Num z);

/// r + u is the arcsine of |x|, or of sqrt((1 - |x|) / 2) where |x| isn't small.
struct Arc {
  Bool small;
  Two r;
  Num u;
};
/// `series(t)` is (asin(sqrt(t)) - sqrt(t)) / sqrt(t)^3.
Arc arcOf(Num x, Num (*series)(Num));
/// The angle of (x, y): of r, that of (x, |y|), where the formula has a value.
Num finishAtan2(Num y, Num x, Num r);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_MATHTOARITH_FORMULAS_H
