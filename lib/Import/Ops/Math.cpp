//===- Math.cpp - Python's math module ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Functions of numbers. Known ones are computed here; for those that the data
// decides there are scalar ops, or the tensor op of the same name.

#include "Python.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace evox;
using namespace evox::import;

using RealFn = double (*)(double);

/// A number as a tensor op gives it.
static Py throughTensor(Call &c, const char *op, std::vector<Py> args,
                        const std::vector<std::string> &names, DType dtype) {
  for (Py &v : args)
    v = Py::of(c.in.make(c.in.splat({}, dtype, v), dtype));
  return c.in.item(c.in.callOp(op, std::move(args), names)[0].tensor);
}

template <typename Op> static Results realMath(Call &c, RealFn fn) {
  Py v = plain(c, c.args[0]);
  if (v.kind == Py::Complex)
    c.in.fail("math functions of complex numbers are not supported");
  if (v.isStatic())
    return {Py::ofFloat(fn(asDouble(v)))};
  return {Py::ofFloat(Op::create(c.in.b, c.in.scalar(v, DType::Double)).getResult())};
}
#define REAL(name, op, fn)                                                     \
  static Results name(Call &c) { return realMath<math::op>(c, std::fn); }
REAL(sqrtNumber, SqrtOp, sqrt)
REAL(expNumber, ExpOp, exp)
REAL(expm1Number, ExpM1Op, expm1)
REAL(log1pNumber, Log1pOp, log1p)
REAL(log10Number, Log10Op, log10)
REAL(sinNumber, SinOp, sin)
REAL(cosNumber, CosOp, cos)
REAL(tanNumber, TanOp, tan)
REAL(asinNumber, AsinOp, asin)
REAL(acosNumber, AcosOp, acos)
REAL(atanNumber, AtanOp, atan)
REAL(sinhNumber, SinhOp, sinh)
REAL(coshNumber, CoshOp, cosh)
REAL(tanhNumber, TanhOp, tanh)
REAL(asinhNumber, AsinhOp, asinh)
REAL(acoshNumber, AcoshOp, acosh)
REAL(atanhNumber, AtanhOp, atanh)
REAL(erfNumber, ErfOp, erf)
REAL(erfcNumber, ErfcOp, erfc)
REAL(fabsNumber, AbsFOp, fabs)
#undef REAL

static Results logNumber(Call &c) {
  if (c.args.size() == 1)
    return realMath<math::LogOp>(c, std::log);
  const Py &x = c.args[0], &y = c.args[1];
  if (x.isStatic() && y.isStatic())
    return {Py::ofFloat(std::log(asDouble(x)) / std::log(asDouble(y)))};
  auto log = [&](const Py &v) -> mlir::Value {
    return math::LogOp::create(c.in.b, c.in.scalar(v, DType::Double));
  };
  mlir::Value p = log(x), q = log(y);
  return {Py::ofFloat(arith::DivFOp::create(c.in.b, p, q).getResult())};
}

/// degrees and radians.
template <bool toDegrees> static Results angleNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  double factor = M_PI / 180.0;
  if (v.isStatic())
    return {Py::ofFloat(toDegrees ? asDouble(v) * (180.0 / M_PI) : asDouble(v) * factor)};
  mlir::Value f = c.in.scalar(v, DType::Double);
  return {Py::ofFloat(
      arith::MulFOp::create(c.in.b, f, c.in.number(f, toDegrees ? 180.0 / M_PI : factor)).getResult())};
}

static Results lgammaNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.isStatic())
    return {Py::ofFloat(std::lgamma(asDouble(v)))};
  return {throughTensor(c, "lgamma", {v}, {"self"}, DType::Double)};
}

static Results gammaNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.isStatic())
    return {Py::ofFloat(std::tgamma(asDouble(v)))};
  // Between two poles below zero the sign alternates.
  auto &b = c.in.b;
  mlir::Value x = c.in.scalar(v, DType::Double);
  Py log = throughTensor(c, "lgamma", {v}, {"self"}, DType::Double);
  mlir::Value size = math::ExpOp::create(b, log.ssa);
  mlir::Value half = arith::MulFOp::create(b, math::FloorOp::create(b, x), c.in.number(x, 0.5));
  mlir::Value isOdd = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, half,
                                            math::FloorOp::create(b, half));
  mlir::Value isBelow = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, c.in.number(x, 0));
  return {Py::ofFloat(arith::SelectOp::create(b, arith::AndIOp::create(b, isOdd, isBelow),
                                              arith::NegFOp::create(b, size), size).getResult())};
}

using RealFn2 = double (*)(double, double);
static Results realMath2(Call &c, const char *op, RealFn2 fn,
                         const std::vector<std::string> &names = {"self", "other"}) {
  Py x = plain(c, c.args[0]), y = plain(c, c.args[1]);
  if (x.isStatic() && y.isStatic())
    return {Py::ofFloat(fn(asDouble(x), asDouble(y)))};
  return {throughTensor(c, op, {x, y}, names, DType::Double)};
}
static Results atan2Number(Call &c) { return realMath2(c, "atan2", std::atan2); }
static Results copysignNumber(Call &c) { return realMath2(c, "copysign.Tensor", std::copysign); }
static Results fmodNumber(Call &c) {
  Py x = plain(c, c.args[0]), y = plain(c, c.args[1]);
  if (x.isStatic() && y.isStatic())
    return {Py::ofFloat(std::fmod(asDouble(x), asDouble(y)))};
  return {Py::ofFloat(arith::RemFOp::create(c.in.b, c.in.scalar(x, DType::Double),
                                            c.in.scalar(y, DType::Double)).getResult())};
}

/// math.remainder: the quotient is rounded to the nearest even integer.
static Results remainderNumber(Call &c) {
  Py x = plain(c, c.args[0]), y = plain(c, c.args[1]);
  if (x.isStatic() && y.isStatic())
    return {Py::ofFloat(std::remainder(asDouble(x), asDouble(y)))};
  // As CPython: exact, from fmod of the sizes.
  auto &b = c.in.b;
  mlir::Value p = c.in.scalar(x, DType::Double), q = c.in.scalar(y, DType::Double);
  mlir::Value ap = math::AbsFOp::create(b, p), aq = math::AbsFOp::create(b, q);
  mlir::Value m = arith::RemFOp::create(b, ap, aq), d = arith::SubFOp::create(b, aq, m);
  mlir::Value even = arith::SubFOp::create(
      b, m,
      arith::MulFOp::create(
          b, c.in.number(m, 2.0),
          arith::RemFOp::create(b, arith::MulFOp::create(b, c.in.number(m, 0.5),
                                                         arith::SubFOp::create(b, ap, m)), aq)));
  using P = arith::CmpFPredicate;
  mlir::Value r = arith::SelectOp::create(
      b, arith::CmpFOp::create(b, P::OLT, m, d), m,
      arith::SelectOp::create(b, arith::CmpFOp::create(b, P::OGT, m, d),
                              arith::NegFOp::create(b, d), even));
  // Infinite divisors leave what is finite as it is.
  mlir::Value isInfinite = arith::CmpFOp::create(b, P::OEQ, aq, c.in.number(aq, INFINITY));
  mlir::Value isFinite = arith::CmpFOp::create(b, P::OLT, ap, c.in.number(ap, INFINITY));
  r = arith::SelectOp::create(b, arith::AndIOp::create(b, isInfinite, isFinite), ap, r);
  mlir::Value one = c.in.number(p, 1.0);
  return {Py::ofFloat(
      arith::MulFOp::create(b, math::CopySignOp::create(b, one, p), r).getResult())};
}

static Results gcdNumber(Call &c) {
  const Py &x = c.args[0], &y = c.args[1];
  if (x.isStatic() && y.isStatic())
    return {Py::ofInt((int64_t)std::gcd(x.i, y.i))};
  return {throughTensor(c, "gcd", {x, y}, {"self", "other"}, DType::Int64)};
}

static Results factorialNumber(Call &c) {
  const Py &v = c.args[0];
  if (v.isStatic()) {
    if (v.i < 0)
      c.in.fail("factorial() not defined for negative values");
    int64_t r = 1;
    for (int64_t k = 2; k <= v.i; ++k)
      r = (int64_t)((uint64_t)r * (uint64_t)k);
    return {Py::ofInt(r)};
  }
  // The factorials below 2**63 as a table; above, what is left of them.
  auto &b = c.in.b;
  mlir::Value n = c.in.i64(v), r = c.in.number(n, 0);
  c.in.runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::sge, n, c.in.number(n, 0)),
                     "factorial() not defined for negative values");
  uint64_t f = 1;
  for (int64_t k = 0; k < 66; ++k) { // from 66 on all 64 bits are zero
    f *= std::max<int64_t>(k, 1);
    mlir::Value at = arith::ConstantIntOp::create(b, k, 64);
    mlir::Value is = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, n, at);
    r = arith::SelectOp::create(b, is, arith::ConstantIntOp::create(b, (int64_t)f, 64), r);
  }
  return {Py::ofInt(r)};
}

static Results frexpNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.isStatic()) {
    int exponent;
    double m = std::frexp(asDouble(v), &exponent);
    return {Py::ofFloat(m), Py::ofInt((int64_t)exponent)};
  }
  Py t = Py::of(c.in.make(c.in.splat({}, DType::Double, v), DType::Double));
  Results parts = c.in.callOp("frexp.Tensor", {t}, {"self"});
  return {c.in.item(parts[0].tensor), c.in.item(parts[1].tensor)};
}

static Results ldexpNumber(Call &c) {
  Py x = plain(c, c.args[0]), n = c.args[1];
  if (x.isStatic() && n.isStatic())
    return {Py::ofFloat(std::ldexp(asDouble(x), (int)n.i))};
  // In two steps, so that neither power overflows on its own.
  auto &b = c.in.b;
  mlir::Value f = c.in.scalar(x, DType::Double), k = c.in.i64(n);
  mlir::Value half = arith::ShRSIOp::create(b, k, c.in.number(k, 1));
  mlir::Value two = c.in.number(f, 2.0);
  for (mlir::Value step : {half, arith::SubIOp::create(b, k, half).getResult()})
    f = arith::MulFOp::create(
        b, f, math::PowFOp::create(b, two, arith::SIToFPOp::create(b, b.getF64Type(), step)));
  return {Py::ofFloat(f)};
}

static Results modfNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.isStatic()) {
    double whole, part = std::modf(asDouble(v), &whole);
    return {Py::ofFloat(part), Py::ofFloat(whole)};
  }
  auto &b = c.in.b;
  mlir::Value f = c.in.scalar(v, DType::Double), whole = math::TruncOp::create(b, f);
  mlir::Value isWhole = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, f, whole);
  mlir::Value part = arith::SelectOp::create(b, isWhole, c.in.number(f, 0),
                                             arith::SubFOp::create(b, f, whole));
  part = math::CopySignOp::create(b, part, f);
  return {Py::ofFloat(part), Py::ofFloat(whole)};
}

/// isnan, isinf, isfinite: of the size of the number.
template <int which> static Results classify(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.kind == Py::Complex) {
    bool parts[2];
    double both[2] = {v.f, v.imag};
    for (int i = 0; i < 2; ++i)
      parts[i] = which == 0 ? std::isnan(both[i]) : which == 1 ? std::isinf(both[i]) : std::isfinite(both[i]);
    return {Py::ofBool(which == 2 ? parts[0] && parts[1] : parts[0] || parts[1])};
  }
  if (v.isStatic()) {
    double f = asDouble(v);
    return {Py::ofBool(which == 0 ? std::isnan(f) : which == 1 ? std::isinf(f) : std::isfinite(f))};
  }
  auto &b = c.in.b;
  mlir::Value f = c.in.scalar(v, DType::Double), size = math::AbsFOp::create(b, f);
  mlir::Value infinite = c.in.number(f, INFINITY);
  using P = arith::CmpFPredicate;
  return {Py::ofBool(arith::CmpFOp::create(b, which == 0 ? P::UNO : which == 1 ? P::OEQ : P::OLT,
                                           size, which == 0 ? size : infinite).getResult())};
}

/// ceil and floor of a number: an int.
template <typename Op> static Results rounded(Call &c, RealFn fn) {
  Py v = plain(c, c.args[0]);
  if (v.kind != Py::Float)
    return {v.kind == Py::Bool ? Py::ofInt(v.isStatic() ? v.i : 0) : v};
  if (v.isStatic())
    return {Py::ofInt((int64_t)fn(v.f))};
  mlir::Value f = Op::create(c.in.b, v.ssa);
  return {Py::ofInt(c.in.convert(f, DType::Double, DType::Int64))};
}
static Results ceilNumber(Call &c) { return rounded<math::CeilOp>(c, std::ceil); }
static Results floorNumber(Call &c) { return rounded<math::FloorOp>(c, std::floor); }

/// TorchScript's round() gives a float, to even where there are two.
static Results roundNumber(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.isStatic())
    return {v.kind == Py::Float ? Py::ofFloat(std::nearbyint(v.f)) : ofResultType(c, v)};
  if (v.kind != Py::Float)
    return {ofResultType(c, v)};
  return {Py::ofFloat(math::RoundEvenOp::create(c.in.b, v.ssa).getResult())};
}

ArrayRef<OpRow> import::mathOps() {
  static const OpRow rows[] = {
#define ROWS(name, fn)                                                         \
  {name ".int", fn}, {name ".float", fn}, {name ".Scalar", fn}
      ROWS("sqrt", sqrtNumber), ROWS("exp", expNumber), ROWS("expm1", expm1Number),
      ROWS("log", logNumber), ROWS("log1p", log1pNumber), ROWS("log10", log10Number),
      ROWS("sin", sinNumber), ROWS("cos", cosNumber), ROWS("tan", tanNumber),
      ROWS("asin", asinNumber), ROWS("acos", acosNumber), ROWS("atan", atanNumber),
      ROWS("sinh", sinhNumber), ROWS("cosh", coshNumber), ROWS("tanh", tanhNumber),
      ROWS("asinh", asinhNumber), ROWS("acosh", acoshNumber), ROWS("atanh", atanhNumber),
      ROWS("erf", erfNumber), ROWS("erfc", erfcNumber), ROWS("fabs", fabsNumber),
      ROWS("lgamma", lgammaNumber), ROWS("gamma", gammaNumber),
      ROWS("degrees", angleNumber<true>), ROWS("radians", angleNumber<false>),
      ROWS("ceil", ceilNumber), ROWS("floor", floorNumber), ROWS("round", roundNumber),
#undef ROWS
      {"log.int_int", logNumber}, {"log.float_float", logNumber}, {"log.int_float", logNumber},
      {"log.float_int", logNumber}, {"log.Scalar_Scalar", logNumber},
#define ROWS(name, fn)                                                         \
  {name ".int", fn}, {name ".float", fn}, {name ".int_float", fn},             \
      {name ".float_int", fn}, {name ".Scalar_Scalar", fn}
      ROWS("atan2", atan2Number), ROWS("copysign", copysignNumber),
      ROWS("fmod", fmodNumber), ROWS("mathremainder", remainderNumber),
#undef ROWS
      {"mathremainder", remainderNumber}, {"gcd.int", gcdNumber},
      {"factorial.int", factorialNumber}, {"modf", modfNumber},
      // Overloads named "" whose name a tensor op has too.
      {"frexp.number", frexpNumber}, {"ldexp.number", ldexpNumber},
      {"isnan.float", classify<0>}, {"isnan.complex", classify<0>},
      {"isinf.float", classify<1>}, {"isinf.complex", classify<1>},
      {"isfinite.float", classify<2>}, {"isfinite.complex", classify<2>},
  };
  return rows;
}
