//===- Numbers.h - Formulas as ops ------------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Values that stand for numbers, scalars or vectors, with operators that make
/// arith ops; and pairs of them, whose sum has twice the digits. The error-free
/// steps on pairs are Dekker's and Knuth's, in the order in which SLEEF takes
/// them where there is a fused multiply-add.
///
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_MATHTOARITH_NUMBERS_H
#define EVOX_LIB_CONVERSION_MATHTOARITH_NUMBERS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace evox {

/// Where ops are made.
struct Maker {
  mlir::OpBuilder &builder;
  mlir::Location loc;

  /// `type`, or a vector of it with the shape of `like`.
  static mlir::Type shaped(mlir::Type like, mlir::Type type) {
    auto vector = llvm::dyn_cast<mlir::VectorType>(like);
    return vector ? mlir::Type(vector.clone(type)) : type;
  }
  mlir::Value constant(mlir::Type type, mlir::Attribute value) const;
  template <typename Op, typename... Args>
  mlir::Value make(Args &&...args) const {
    return Op::create(builder, loc, std::forward<Args>(args)...);
  }
};

/// Truth values.
struct Bool {
  const Maker *m;
  mlir::Value v;
  Bool operator&(Bool b) const {
    return {m, m->make<mlir::arith::AndIOp>(v, b.v)};
  }
  Bool operator|(Bool b) const {
    return {m, m->make<mlir::arith::OrIOp>(v, b.v)};
  }
  Bool operator^(Bool b) const {
    return {m, m->make<mlir::arith::XOrIOp>(v, b.v)};
  }
};

/// Integers, as wide as the numbers they come from.
struct Int {
  const Maker *m;
  mlir::Value v;
  Int same(int64_t value) const;
  Int operator+(Int b) const {
    return {m, m->make<mlir::arith::AddIOp>(v, b.v)};
  }
  Int operator-(Int b) const {
    return {m, m->make<mlir::arith::SubIOp>(v, b.v)};
  }
  Int operator&(Int b) const {
    return {m, m->make<mlir::arith::AndIOp>(v, b.v)};
  }
  Int operator|(Int b) const {
    return {m, m->make<mlir::arith::OrIOp>(v, b.v)};
  }
  Int operator^(Int b) const {
    return {m, m->make<mlir::arith::XOrIOp>(v, b.v)};
  }
  Int operator+(int64_t b) const { return *this + same(b); }
  Int operator-(int64_t b) const { return *this - same(b); }
  Int operator&(int64_t b) const { return *this & same(b); }
  Int operator<<(int64_t n) const {
    return {m, m->make<mlir::arith::ShLIOp>(v, same(n).v)};
  }
  Int operator>>(int64_t n) const {
    return {m, m->make<mlir::arith::ShRSIOp>(v, same(n).v)};
  }
  Int shiftRightUnsigned(int64_t n) const {
    return {m, m->make<mlir::arith::ShRUIOp>(v, same(n).v)};
  }
  Bool operator==(int64_t b) const {
    return {m, m->make<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::eq, v,
                                            same(b).v)};
  }
};

/// Floating-point numbers.
struct Num {
  const Maker *m;
  mlir::Value v;

  mlir::FloatType element() const {
    return llvm::cast<mlir::FloatType>(mlir::getElementTypeOrSelf(v.getType()));
  }
  unsigned width() const { return element().getWidth(); }
  /// Bits of the fraction.
  unsigned digits() const { return element().getFPMantissaWidth() - 1; }
  int64_t bias() const { return width() == 32 ? 127 : 1023; }
  int64_t signBit() const { return width() == 32 ? INT32_MIN : INT64_MIN; }
  Num same(double value) const;

  Num operator+(Num b) const {
    return {m, m->make<mlir::arith::AddFOp>(v, b.v)};
  }
  Num operator-(Num b) const {
    return {m, m->make<mlir::arith::SubFOp>(v, b.v)};
  }
  Num operator*(Num b) const {
    return {m, m->make<mlir::arith::MulFOp>(v, b.v)};
  }
  Num operator/(Num b) const {
    return {m, m->make<mlir::arith::DivFOp>(v, b.v)};
  }
  Num operator-() const { return {m, m->make<mlir::arith::NegFOp>(v)}; }
  Num operator+(double b) const { return *this + same(b); }
  Num operator-(double b) const { return *this - same(b); }
  Num operator*(double b) const { return *this * same(b); }
  Bool compare(mlir::arith::CmpFPredicate how, Num b) const {
    return {m, m->make<mlir::arith::CmpFOp>(how, v, b.v)};
  }
  Bool operator<(Num b) const {
    return compare(mlir::arith::CmpFPredicate::OLT, b);
  }
  Bool operator<=(Num b) const {
    return compare(mlir::arith::CmpFPredicate::OLE, b);
  }
  Bool operator==(Num b) const {
    return compare(mlir::arith::CmpFPredicate::OEQ, b);
  }
  Bool operator<(double b) const { return *this < same(b); }
  Bool operator>(double b) const { return same(b) < *this; }
  Bool operator>=(double b) const { return same(b) <= *this; }
  Bool operator<=(double b) const { return *this <= same(b); }
  Bool operator==(double b) const { return *this == same(b); }

  Int bits() const;
  Num abs() const { return {m, m->make<mlir::math::AbsFOp>(v)}; }
  Num rint() const { return {m, m->make<mlir::math::RoundEvenOp>(v)}; }
  Num trunc() const { return {m, m->make<mlir::math::TruncOp>(v)}; }
  Num sqrt() const { return {m, m->make<mlir::math::SqrtOp>(v)}; }
  /// This integral number, of less than half the digits, as an integer.
  /// Anything at all where it isn't one.
  Int toInt() const;
  Bool isNan() const { return compare(mlir::arith::CmpFPredicate::UNO, *this); }
  Bool isInf() const;
  Bool isNegative() const;
  Bool isNegativeZero() const { return bits() == signBit(); }
  Int sign() const { return bits() & signBit(); }
};

inline Num fma(Num a, Num b, Num c) {
  return {a.m, a.m->make<mlir::math::FmaOp>(a.v, b.v, c.v)};
}
inline Num fma(Num a, Num b, double c) { return fma(a, b, a.same(c)); }
inline Num fma(Num a, double b, Num c) { return fma(a, a.same(b), c); }
/// a * b - c and c - a * b.
inline Num fms(Num a, Num b, Num c) { return fma(a, b, -c); }
inline Num fnma(Num a, Num b, Num c) { return fma(-a, b, c); }
inline Num select(Bool when, Num a, Num b) {
  return {a.m, a.m->make<mlir::arith::SelectOp>(when.v, a.v, b.v)};
}
inline Num select(Bool when, double a, Num b) {
  return select(when, b.same(a), b);
}
inline Num select(Bool when, Num a, double b) {
  return select(when, a, a.same(b));
}
inline Int select(Bool when, Int a, Int b) {
  return {a.m, a.m->make<mlir::arith::SelectOp>(when.v, a.v, b.v)};
}
/// The number, of the type of `like`, that has these bits.
Num fromBits(Int bits, Num like);
/// The number, of the type of `like`, that equals this integer.
Num toNum(Int value, Num like);
/// `x`, negated where `y` has a sign.
Num mulSign(Num x, Num y);
/// 2^e, for exponents that normal numbers have.
Num pow2(Int e, Num like);
/// x * 2^e, rounded once if the result is normal.
Num ldexp(Num x, Int e);
/// The same by adding to the exponent of `x`: for normal numbers.
Num addExponent(Num x, Int e);
/// c[0] x^(n-1) + ... + c[n-1], by Horner's rule.
Num horner(Num x, llvm::ArrayRef<double> c);

/// hi + lo.
struct Two {
  Num x, y;
  Two(Num x, Num y) : x(x), y(y) {}
  explicit Two(Num x) : x(x), y(x.same(0)) {}
  Num total() const { return x + y; }
  Two operator-() const { return {-x, -y}; }
};
Two two(Num like, double hi, double lo);
Two select(Bool when, Two a, Two b);
Two normalize(Two t);
Two scale(Two a, Num s);
Two scale(Two a, double s);
/// Sums whose first term is the larger one.
Two quickAdd(Num a, Num b);
Two quickAdd(Num a, Two b);
Two quickAdd(Two a, Num b);
Two quickAdd(Two a, Two b);
Two quickSub(Two a, Num b);
Two quickSub(Two a, Two b);
/// Sums of any terms.
Two add(Num a, Num b);
Two add(Num a, Two b);
Two add(Two a, Num b);
Two add(Two a, Two b);
Two mul(Num a, Num b);
Two mul(Two a, Num b);
Two mul(Two a, Two b);
Num mulTotal(Two a, Two b);
Two square(Two a);
Two divide(Two a, Two b);
Two reciprocal(Num a);
Two reciprocal(Two a);
Two squareRoot(Num a);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_MATHTOARITH_NUMBERS_H
