//===- Numbers.cpp - Formulas as ops --------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Numbers.h"
#include <limits>

using namespace mlir;
using namespace evox;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value Maker::constant(Type type, Attribute value) const {
  TypedAttr attr = cast<TypedAttr>(value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, value);
  return arith::ConstantOp::create(builder, loc, attr);
}

Int Int::same(int64_t value) const {
  Type type = v.getType(), element = getElementTypeOrSelf(type);
  return {m, m->constant(type, m->builder.getIntegerAttr(element, value))};
}

Num Num::same(double value) const {
  return {m,
          m->constant(v.getType(), m->builder.getFloatAttr(element(), value))};
}

Int Num::bits() const {
  Type type = m->builder.getIntegerType(width());
  return {m, m->make<arith::BitcastOp>(Maker::shaped(v.getType(), type), v)};
}

Int Num::toInt() const {
  // 1.5 * 2^digits has units in its last place.
  double shift = 1.5 * std::ldexp(1.0, digits());
  Int bits = (*this + shift).bits();
  int64_t zero;
  if (width() == 32) {
    float narrow = shift;
    int32_t word;
    std::memcpy(&word, &narrow, sizeof word);
    zero = word;
  } else {
    std::memcpy(&zero, &shift, sizeof zero);
  }
  return bits - zero;
}

Bool Num::isInf() const {
  return abs() == std::numeric_limits<double>::infinity();
}

Bool Num::isNegative() const {
  Int word = bits();
  return {m, m->make<arith::CmpIOp>(arith::CmpIPredicate::slt, word.v,
                                    word.same(0).v)};
}

Num evox::fromBits(Int bits, Num like) {
  return {like.m, like.m->make<arith::BitcastOp>(like.v.getType(), bits.v)};
}

Num evox::toNum(Int value, Num like) {
  return {like.m, like.m->make<arith::SIToFPOp>(like.v.getType(), value.v)};
}

Num evox::mulSign(Num x, Num y) { return fromBits(x.bits() ^ y.sign(), x); }

Num evox::pow2(Int e, Num like) {
  return fromBits((e + like.bias()) << like.digits(), like);
}

Num evox::ldexp(Num x, Int e) {
  Int half = e >> 1;
  return x * pow2(half, x) * pow2(e - half, x);
}

Num evox::addExponent(Num x, Int e) {
  return fromBits(x.bits() + (e << x.digits()), x);
}

Num evox::horner(Num x, ArrayRef<double> c) {
  Num u = x.same(c[0]);
  for (double next : c.drop_front())
    u = fma(u, x, next);
  return u;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

Two evox::two(Num like, double hi, double lo) {
  return {like.same(hi), like.same(lo)};
}
Two evox::select(Bool when, Two a, Two b) {
  return {select(when, a.x, b.x), select(when, a.y, b.y)};
}
Two evox::normalize(Two t) {
  Num s = t.x + t.y;
  return {s, t.x - s + t.y};
}
Two evox::scale(Two a, Num s) { return {a.x * s, a.y * s}; }
Two evox::scale(Two a, double s) { return scale(a, a.x.same(s)); }

Two evox::quickAdd(Num a, Num b) {
  Num s = a + b;
  return {s, a - s + b};
}
Two evox::quickAdd(Num a, Two b) {
  Num s = a + b.x;
  return {s, a - s + b.x + b.y};
}
Two evox::quickAdd(Two a, Num b) {
  Num s = a.x + b;
  return {s, a.x - s + b + a.y};
}
Two evox::quickAdd(Two a, Two b) {
  Num s = a.x + b.x;
  return {s, a.x - s + b.x + a.y + b.y};
}
Two evox::quickSub(Two a, Num b) {
  Num s = a.x - b;
  return {s, a.x - s - b + a.y};
}
Two evox::quickSub(Two a, Two b) {
  Num s = a.x - b.x;
  return {s, a.x - s - b.x + a.y - b.y};
}

Two evox::add(Num a, Num b) {
  Num s = a + b, v = s - a;
  return {s, (a - (s - v)) + (b - v)};
}
Two evox::add(Num a, Two b) {
  Two t = add(a, b.x);
  return {t.x, t.y + b.y};
}
Two evox::add(Two a, Num b) {
  Two t = add(a.x, b);
  return {t.x, t.y + a.y};
}
Two evox::add(Two a, Two b) {
  Two t = add(a.x, b.x);
  return {t.x, t.y + (a.y + b.y)};
}

Two evox::mul(Num a, Num b) {
  Num s = a * b;
  return {s, fms(a, b, s)};
}
Two evox::mul(Two a, Num b) {
  Num s = a.x * b;
  return {s, fma(a.y, b, fms(a.x, b, s))};
}
Two evox::mul(Two a, Two b) {
  Num s = a.x * b.x;
  return {s, fma(a.x, b.y, fma(a.y, b.x, fms(a.x, b.x, s)))};
}
Num evox::mulTotal(Two a, Two b) {
  return fma(a.x, b.x, fma(a.y, b.x, a.x * b.y));
}
Two evox::square(Two a) {
  Num s = a.x * a.x;
  return {s, fma(a.x + a.x, a.y, fms(a.x, a.x, s))};
}
Two evox::divide(Two a, Two b) {
  Num t = b.x.same(1) / b.x, s = a.x * t;
  Num u = fms(t, a.x, s);
  Num v = fnma(b.y, t, fnma(b.x, t, t.same(1)));
  return {s, fma(s, v, fma(a.y, t, u))};
}
Two evox::reciprocal(Num a) {
  Num s = a.same(1) / a;
  return {s, s * fnma(a, s, s.same(1))};
}
Two evox::reciprocal(Two a) {
  Num s = a.x.same(1) / a.x;
  return {s, s * fnma(a.y, s, fnma(a.x, s, s.same(1)))};
}
Two evox::squareRoot(Num a) {
  Num t = a.sqrt();
  return scale(mul(add(a, mul(t, t)), reciprocal(t)), 0.5);
}
