//===- Formulas.cpp - What f32's and f64's formulas share -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Formulas.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace evox;

static constexpr double kInf = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double pi = 3.14159265358979323846;

Num evox::finishLog(Num x, Num y) {
  y = select(x == kInf, kInf, y);
  y = select((x < 0.0) | x.isNan(), kNaN, y);
  return select(x == 0.0, -kInf, y);
}

Two evox::ratio(Num m) {
  return divide(add(m.same(-1), m), add(m.same(1), m));
}

Num evox::finishPow(Num x, Num y, Num z) {
  Num size = x.abs(), one = x.same(1);
  // From here on all numbers are whole.
  double large = std::ldexp(1.0, x.digits() + 1);
  Bool whole = (y.trunc() == y) | (y.abs() > large);
  // Halves of odd numbers are no integers.
  Num half = y * 0.5;
  Bool odd = whole & (y.abs() < large) &
             half.trunc().compare(arith::CmpFPredicate::UNE, half);
  z = z *
      select(x > 0.0, one, select(whole, select(odd, -1.0, one), x.same(kNaN)));
  Num grows = mulSign(size - one, y);
  z = select(y.isInf(),
             select(grows < 0.0, 0.0, select(grows == 0.0, one, x.same(kInf))),
             z);
  Bool zero = x == 0.0;
  Num end = select(y.isNegative() ^ zero, 0.0, x.same(kInf));
  z = select(x.isInf() | zero, mulSign(end, select(odd, x, one)), z);
  z = select(x.isNan() | y.isNan(), kNaN, z);
  return select((y == 0.0) | (x == 1.0), 1.0, z);
}

Arc evox::arcOf(Num x, Num (*series)(Num)) {
  Num size = x.abs();
  Bool small = size < 0.5;
  Num x2 = select(small, x * x, (x.same(1) - size) * 0.5);
  Two r = select(small, Two(size), squareRoot(x2));
  r = select(size == 1.0, two(x, 0, 0), r);
  return {small, r, series(x2) * (x2 * r.x)};
}

Num evox::finishAtan2(Num y, Num x, Num r) {
  auto turned = [&](double angle) {
    return x.same(pi / 2) - select(x.isInf(), mulSign(x.same(angle), x), 0.0);
  };
  r = select(x.isInf() | (x == 0.0), turned(pi / 2), r);
  r = select(y.isInf(), turned(pi / 4), r);
  r = select(y == 0.0, select(x.isNegative(), pi, x.same(0)), r);
  return select(x.isNan() | y.isNan(), kNaN, mulSign(r, y));
}
