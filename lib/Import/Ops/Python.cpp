//===- Python.cpp - Python's numbers ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Numbers that are known are computed here, as TorchScript's interpreter does;
// those that the data decides become scalar ops.

#include "Python.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>
#include <complex>

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

DType import::numberType(const Py &v) {
  switch (v.kind) {
  case Py::Int: return DType::Int64;
  case Py::Bool: return DType::Bool;
  default: return DType::Double;
  }
}

Py import::plain(Call &c, const Py &v) {
  return v.kind == Py::Tensor ? c.in.item(v.tensor) : v;
}

Py import::ofResultType(Call &c, Py v) {
  if (c.node.outputTypes.size() != 1 || !v.isNumber())
    return v;
  const std::string &type = c.node.outputTypes[0];
  if (type == "float" && v.kind != Py::Float && v.kind != Py::Complex)
    return v.isStatic() ? Py::ofFloat((double)v.i)
                        : Py::ofFloat(c.in.scalar(v, DType::Double));
  if (type == "int" && v.kind == Py::Bool)
    return v.isStatic() ? Py::ofInt(v.i) : Py::ofInt(c.in.i64(v));
  return v;
}

static Py wrap(Call &c, mlir::Value v, DType dtype) {
  if (dtype == DType::Bool)
    return Py::ofBool(v);
  return dtype == DType::Double ? Py::ofFloat(v) : Py::ofInt(v);
}

static int64_t floorDiv(int64_t a, int64_t b) {
  int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

static void checkDivisor(Call &c, const Py &d, const char *text) {
  if (d.isStatic()) {
    if (asDouble(d) == 0)
      c.in.fail(text);
    return;
  }
  mlir::Value v = d.kind == Py::Float ? d.ssa : c.in.i64(d);
  auto &b = c.in.b;
  mlir::Value zero = c.in.number(v, 0);
  c.in.runtimeAssert(
      d.kind == Py::Float
          ? arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, v, zero).getResult()
          : arith::CmpIOp::create(b, arith::CmpIPredicate::ne, v, zero).getResult(),
      text);
}

using Complex = std::complex<double>;
static Complex asComplex(const Py &v) {
  return v.kind == Py::Complex ? Complex(v.f, v.imag) : Complex(asDouble(v), 0);
}
static Py ofComplex(Complex z) {
  Py v;
  v.kind = Py::Complex;
  v.f = z.real();
  v.imag = z.imag();
  return v;
}

static Py complexArithmetic(Call &c, Arith op, const Py &x, const Py &y) {
  if (!x.isStatic() || !y.isStatic())
    c.in.failStatic("a part of a complex number");
  Complex p = asComplex(x), q = asComplex(y);
  switch (op) {
  case Arith::Add: return ofComplex(p + q);
  case Arith::Sub: return ofComplex(p - q);
  case Arith::Mul: return ofComplex(p * q);
  case Arith::Div: return ofComplex(p / q);
  case Arith::Pow: return ofComplex(std::pow(p, q));
  default: c.in.fail("this operation has no complex numbers");
  }
}

Py import::arithmetic(Call &c, Arith op, Py x, Py y) {
  auto &b = c.in.b;
  x = plain(c, x);
  y = plain(c, y);
  if (!x.isNumber() || !y.isNumber())
    c.in.fail(std::string("unsupported operand types: ") + kindName(x.kind) +
              " and " + kindName(y.kind));
  if (x.kind == Py::Complex || y.kind == Py::Complex)
    return complexArithmetic(c, op, x, y);
  bool bothBool = x.kind == Py::Bool && y.kind == Py::Bool;
  bool isFloat = x.kind == Py::Float || y.kind == Py::Float || op == Arith::Div ||
                 op == Arith::Pow;
  if (!isFloat && (op == Arith::FloorDiv || op == Arith::Mod))
    checkDivisor(c, y, "division by 0");
  if (x.isStatic() && y.isStatic()) {
    if (isFloat) {
      double p = asDouble(x), q = asDouble(y);
      switch (op) {
      case Arith::Add: return Py::ofFloat(p + q);
      case Arith::Sub: return Py::ofFloat(p - q);
      case Arith::Mul: return Py::ofFloat(p * q);
      case Arith::Div: return Py::ofFloat(p / q);
      case Arith::FloorDiv: return Py::ofFloat(std::floor(p / q));
      case Arith::Mod: return Py::ofFloat(std::fmod(q + std::fmod(p, q), q));
      case Arith::Pow:
        if (p == 0 && q < 0)
          c.in.fail("0.0 cannot be raised to a negative power");
        return Py::ofFloat(std::pow(p, q));
      case Arith::Min: return Py::ofFloat(p < q ? p : q);
      case Arith::Max: return Py::ofFloat(p > q ? p : q);
      default: break;
      }
      c.in.fail("an operation on integers got a float");
    }
    int64_t p = x.i, q = y.i;
    switch (op) {
    case Arith::Add: return Py::ofInt((int64_t)((uint64_t)p + (uint64_t)q));
    case Arith::Sub: return Py::ofInt((int64_t)((uint64_t)p - (uint64_t)q));
    case Arith::Mul: return Py::ofInt((int64_t)((uint64_t)p * (uint64_t)q));
    case Arith::FloorDiv: return Py::ofInt(floorDiv(p, q));
    case Arith::Mod: return Py::ofInt(p - floorDiv(p, q) * q);
    case Arith::Min: return Py::ofInt(std::min(p, q));
    case Arith::Max: return Py::ofInt(std::max(p, q));
    case Arith::And: return bothBool ? Py::ofBool((bool)(p & q)) : Py::ofInt(p & q);
    case Arith::Or: return bothBool ? Py::ofBool((bool)(p | q)) : Py::ofInt(p | q);
    case Arith::Xor: return bothBool ? Py::ofBool((bool)(p ^ q)) : Py::ofInt(p ^ q);
    // A negative count means what the processor makes of it.
    case Arith::Shl: return Py::ofInt((int64_t)((uint64_t)p << (q & 63)));
    case Arith::Shr: return Py::ofInt(p >> (q & 63));
    default: break;
    }
  }
  DType dtype = isFloat ? DType::Double
                : bothBool && (op == Arith::And || op == Arith::Or || op == Arith::Xor)
                    ? DType::Bool
                    : DType::Int64;
  mlir::Value p = c.in.scalar(x, dtype), q = c.in.scalar(y, dtype), r;
  switch (op) {
  case Arith::Add:
    r = isFloat ? arith::AddFOp::create(b, p, q).getResult() : arith::AddIOp::create(b, p, q);
    break;
  case Arith::Sub:
    r = isFloat ? arith::SubFOp::create(b, p, q).getResult() : arith::SubIOp::create(b, p, q);
    break;
  case Arith::Mul:
    r = isFloat ? arith::MulFOp::create(b, p, q).getResult() : arith::MulIOp::create(b, p, q);
    break;
  case Arith::Div: r = arith::DivFOp::create(b, p, q); break;
  case Arith::FloorDiv:
    r = isFloat ? math::FloorOp::create(b, arith::DivFOp::create(b, p, q)).getResult()
                : arith::FloorDivSIOp::create(b, p, q);
    break;
  case Arith::Mod:
    if (isFloat) {
      mlir::Value m = arith::AddFOp::create(b, q, arith::RemFOp::create(b, p, q));
      r = arith::RemFOp::create(b, m, q);
    } else {
      r = arith::SubIOp::create(
          b, p, arith::MulIOp::create(b, arith::FloorDivSIOp::create(b, p, q), q));
    }
    break;
  case Arith::Pow: {
    mlir::Value zero = c.in.number(p, 0);
    mlir::Value base = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, p, zero);
    mlir::Value exponent = arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, q, zero);
    if (!x.isStatic() || asDouble(x) == 0)
      if (!y.isStatic() || asDouble(y) < 0)
        c.in.runtimeAssert(arith::OrIOp::create(b, base, exponent),
                           "0.0 cannot be raised to a negative power");
    r = math::PowFOp::create(b, p, q);
    break;
  }
  case Arith::Min:
    r = isFloat ? arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, p, q), p, q).getResult()
                : arith::MinSIOp::create(b, p, q);
    break;
  case Arith::Max:
    r = isFloat ? arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, p, q), p, q).getResult()
                : arith::MaxSIOp::create(b, p, q);
    break;
  case Arith::And: r = arith::AndIOp::create(b, p, q); break;
  case Arith::Or: r = arith::OrIOp::create(b, p, q); break;
  case Arith::Xor: r = arith::XOrIOp::create(b, p, q); break;
  case Arith::Shl:
  case Arith::Shr: {
    mlir::Value count = arith::AndIOp::create(b, q, c.in.number(q, 63));
    r = op == Arith::Shl ? arith::ShLIOp::create(b, p, count).getResult()
                         : arith::ShRSIOp::create(b, p, count);
    break;
  }
  }
  return wrap(c, r, dtype);
}

template <Arith op> static Results numbers(Call &c) {
  return {ofResultType(c, arithmetic(c, op, c.args[0], c.args[1]))};
}

Py import::compare(Call &c, StringRef op, Py x, Py y) {
  auto &b = c.in.b;
  x = plain(c, x);
  y = plain(c, y);
  auto order = [&](auto p, auto q) {
    return op == "lt"   ? p < q
           : op == "le" ? p <= q
           : op == "gt" ? p > q
           : op == "ge" ? p >= q
           : op == "eq" ? p == q
                        : p != q;
  };
  if (x.kind == Py::String && y.kind == Py::String)
    return Py::ofBool(order(knownText(c, x), knownText(c, y)));
  if (!x.isNumber() || !y.isNumber())
    c.in.fail(std::string("cannot order values of kind ") + kindName(x.kind) +
              " and " + kindName(y.kind));
  if (x.kind == Py::Complex || y.kind == Py::Complex) {
    if (!x.isStatic() || !y.isStatic())
      c.in.failStatic("a part of a complex number");
    return Py::ofBool((asComplex(x) == asComplex(y)) == (op == "eq"));
  }
  if (x.isStatic() && y.isStatic()) {
    if (x.kind == Py::Float || y.kind == Py::Float)
      return Py::ofBool(order(asDouble(x), asDouble(y)));
    return Py::ofBool(order(x.i, y.i));
  }
  if (x.kind == Py::Float || y.kind == Py::Float) {
    using P = arith::CmpFPredicate;
    P p = op == "lt" ? P::OLT : op == "le" ? P::OLE : op == "gt" ? P::OGT
        : op == "ge" ? P::OGE : op == "eq" ? P::OEQ : P::UNE;
    return Py::ofBool(arith::CmpFOp::create(b, p, c.in.scalar(x, DType::Double),
                                            c.in.scalar(y, DType::Double)).getResult());
  }
  using P = arith::CmpIPredicate;
  P p = op == "lt" ? P::slt : op == "le" ? P::sle : op == "gt" ? P::sgt
      : op == "ge" ? P::sge : op == "eq" ? P::eq : P::ne;
  return Py::ofBool(arith::CmpIOp::create(b, p, c.in.i64(x), c.in.i64(y)).getResult());
}

/// aten::pow.int_to_int, which traces have.
static Results powInts(Call &c) {
  Py y = c.args[1], r = Py::ofInt((int64_t)1);
  if (!y.isStatic())
    c.in.failStatic("the exponent of an integer power");
  if (y.i < 0)
    c.in.fail("an integer to a negative power");
  for (int64_t k = 0; k < y.i; ++k)
    r = arithmetic(c, Arith::Mul, r, c.args[0]);
  return {r};
}

static Results compareNumbers(Call &c) {
  return {compare(c, c.name, c.args[0], c.args[1])};
}

Py import::equal(Call &c, const Py &x, const Py &y) {
  if (x.isNumber() && y.isNumber())
    return compare(c, "eq", x, y);
  if (x.kind != y.kind)
    return Py::ofBool(false);
  switch (x.kind) {
  case Py::None: return Py::ofBool(true);
  case Py::String: return Py::ofBool(knownText(c, x) == knownText(c, y));
  case Py::Enum: return Py::ofBool(x.s == y.s);
  case Py::Device: return Py::ofBool(StringRef(x.s).split(':').first == StringRef(y.s).split(':').first);
  case Py::Object:
    if (x.object->object->methods.count("__eq__"))
      return toBool(c, c.in.callMethod(x, "__eq__", {y}));
    return Py::ofBool(x.object == y.object);
  case Py::Tensor: {
    // Elements of lists: where TorchScript asks for a truth value.
    Py same = c.in.callOp("eq.Tensor", {x, y}, {"self", "other"})[0];
    return toBool(c, same);
  }
  case Py::List:
  case Py::Tuple:
  case Py::Dict: {
    if (x.list().size() != y.list().size())
      return Py::ofBool(false);
    Py all = Py::ofBool(true);
    for (size_t i = 0; i < x.list().size(); ++i) {
      Py e = equal(c, x.list()[i], y.list()[i]);
      if (e.isStatic() && !e.i)
        return e;
      all = arithmetic(c, Arith::And, all, e);
    }
    return all;
  }
  default:
    c.in.fail(std::string("cannot compare values of kind ") + kindName(x.kind));
  }
}

Py import::negate(Call &c, const Py &v) {
  if (v.isStatic())
    return Py::ofBool(v.i == 0);
  mlir::Value one = arith::ConstantIntOp::create(c.in.b, 1, 1);
  return Py::ofBool(arith::XOrIOp::create(c.in.b, v.ssa, one).getResult());
}

static Results eqAny(Call &c) { return {equal(c, c.args[0], c.args[1])}; }
static Results neAny(Call &c) { return {negate(c, equal(c, c.args[0], c.args[1]))}; }

Py import::toBool(Call &c, Py v) {
  v = plain(c, v);
  if (v.kind == Py::Bool)
    return v;
  if (!v.isNumber())
    c.in.fail(std::string("expected a truth value, got ") + kindName(v.kind));
  if (v.isStatic())
    return Py::ofBool(v.kind == Py::Complex ? v.f != 0 || v.imag != 0
                      : v.kind == Py::Float ? v.f != 0
                                            : v.i != 0);
  return Py::ofBool(c.in.convert(v.ssa, numberType(v), DType::Bool));
}

static Results boolOf(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String)
    return {Py::ofBool(!knownText(c, v).empty())};
  return {toBool(c, v)};
}
static Results notOf(Call &c) { return {negate(c, toBool(c, c.args[0]))}; }

static Results intOf(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.kind == Py::String) {
    int64_t i;
    if (StringRef(knownText(c, v)).ltrim().getAsInteger(10, i))
      c.in.fail("invalid literal for int(): '" + v.s + "'");
    return {Py::ofInt(i)};
  }
  if (v.isStatic()) {
    // Out of range, the processor gives the lowest one.
    if (v.kind == Py::Float && !(std::fabs(v.f) < 9223372036854775808.0))
      return {Py::ofInt(INT64_MIN)};
    return {Py::ofInt(v.kind == Py::Float ? (int64_t)v.f : v.i)};
  }
  return {Py::ofInt(c.in.scalar(v, DType::Int64))};
}

static Results floatOf(Call &c) {
  Py v = plain(c, c.args[0]);
  if (v.kind == Py::String) {
    double f;
    if (StringRef(knownText(c, v)).trim().getAsDouble(f))
      c.in.fail("could not convert string to float: '" + v.s + "'");
    return {Py::ofFloat(f)};
  }
  if (v.isStatic())
    return {Py::ofFloat(asDouble(v))};
  return {Py::ofFloat(c.in.scalar(v, DType::Double))};
}

/// Tensor.item() and Scalar conversions: the number itself.
static Results itemOf(Call &c) {
  if (c.args[0].kind == Py::Tensor)
    return {c.in.item(c.args[0].tensor)};
  return {c.args[0]};
}

static Results negNumber(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::Complex)
    return {ofComplex(-asComplex(v))};
  if (v.isStatic())
    return {v.kind == Py::Float ? Py::ofFloat(-v.f) : Py::ofInt((int64_t)(0 - (uint64_t)v.i))};
  if (v.kind == Py::Float)
    return {Py::ofFloat(arith::NegFOp::create(c.in.b, v.ssa).getResult())};
  return {arithmetic(c, Arith::Sub, Py::ofInt((int64_t)0), v)};
}

static Results absNumber(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::Tensor)
    return c.in.callOp("abs", {v}, {"self"});
  if (v.kind == Py::Complex)
    return {Py::ofFloat(std::abs(asComplex(v)))};
  if (v.isStatic())
    return {v.kind == Py::Float ? Py::ofFloat(std::fabs(v.f)) : Py::ofInt(std::abs(v.i))};
  if (v.kind == Py::Float)
    return {Py::ofFloat(math::AbsFOp::create(c.in.b, v.ssa).getResult())};
  return {Py::ofInt(math::AbsIOp::create(c.in.b, c.in.i64(v)).getResult())};
}

/// min, max, sum, any, all over a list of numbers.
template <Arith op> static Results reduceList(Call &c) {
  const auto &items = c.args[0].list();
  if (items.empty())
    c.in.fail("arg is an empty sequence");
  Py v = items[0];
  for (size_t i = 1; i < items.size(); ++i)
    v = arithmetic(c, op, items[i], v);
  bool isBool = items[0].kind == Py::Bool;
  return {isBool ? toBool(c, v) : v};
}
template <Arith op> static Results minMaxNumbers(Call &c) {
  if (c.args.size() == 1 || c.args[1].isNone())
    return reduceList<op>(c);
  if (c.args[0].items) { // of two lists, in the order of a dictionary
    if (c.args[0].list().size() != c.args[1].list().size())
      return {c.args[(c.args[0].list().size() < c.args[1].list().size()) == (op == Arith::Min) ? 0 : 1]};
    for (auto [x, y] : llvm::zip(c.args[0].list(), c.args[1].list())) {
      if (!x.isStatic() || !y.isStatic())
        c.in.failStatic("an element of a list that is compared");
      if (asDouble(x) != asDouble(y))
        return {c.args[(asDouble(x) < asDouble(y)) == (op == Arith::Min) ? 0 : 1]};
    }
    return {c.args[0]};
  }
  return {ofResultType(c, arithmetic(c, op, c.args[0], c.args[1]))};
}
static Results sumList(Call &c) {
  Py v = Py::ofInt((int64_t)0);
  for (const Py &item : c.args[0].list())
    v = arithmetic(c, Arith::Add, v, item);
  return {ofResultType(c, v)};
}
template <Arith op, bool start> static Results boolList(Call &c) {
  Py v = Py::ofBool(start);
  for (const Py &item : c.args[0].list())
    v = arithmetic(c, op, v, item.kind == Py::String ? Py::ofBool(!knownText(c, item).empty())
                                                     : toBool(c, item));
  return {v};
}

static Results rangeLength(Call &c) {
  Py lo = c.args[0], hi = c.args[1], step = c.args[2];
  if (!step.isStatic())
    c.in.failStatic("the step of a range");
  if (step.i == 0)
    c.in.fail("range() arg 3 must not be zero");
  if (lo.isStatic() && hi.isStatic()) {
    int64_t n = step.i > 0 ? hi.i - lo.i : lo.i - hi.i;
    int64_t s = std::abs(step.i);
    return {Py::ofInt(n <= 0 ? (int64_t)0 : (n + s - 1) / s)};
  }
  Py n = step.i > 0 ? arithmetic(c, Arith::Sub, hi, lo) : arithmetic(c, Arith::Sub, lo, hi);
  int64_t s = std::abs(step.i);
  if (s != 1)
    n = arithmetic(c, Arith::FloorDiv,
                   arithmetic(c, Arith::Add, n, Py::ofInt(s - 1)), Py::ofInt(s));
  return {arithmetic(c, Arith::Max, n, Py::ofInt((int64_t)0))};
}
static Results deriveIndex(Call &c) { // index, start, step
  Py at = arithmetic(c, Arith::Mul, c.args[0], c.args[2]);
  return {arithmetic(c, Arith::Add, at, c.args[1])};
}
static Results rangeList(Call &c) {
  std::vector<Py> out;
  if (!c.args[0].isStatic())
    c.in.failStatic("the length of a range");
  for (int64_t i = 0; i < c.args[0].i; ++i)
    out.push_back(Py::ofInt(i));
  return {Py::ofItems(Py::List, std::move(out), "List[int]")};
}

static Results isSame(Call &c) {
  const Py &x = c.args[0], &y = c.args[1];
  if (x.isNone() || y.isNone())
    return {Py::ofBool(x.kind == y.kind)};
  if (x.kind == Py::Tensor && y.kind == Py::Tensor)
    return {Py::ofBool(x.tensor == y.tensor)};
  if (x.items || y.items)
    return {Py::ofBool(x.items == y.items)};
  return {equal(c, x, y)};
}
static Results isNotSame(Call &c) { return {negate(c, isSame(c)[0])}; }

static Results divmodNumbers(Call &c) {
  Py x = plain(c, c.args[0]), y = plain(c, c.args[1]);
  bool isFloat = x.kind == Py::Float || y.kind == Py::Float;
  checkDivisor(c, y, isFloat ? "ZeroDivisionError: float divmod()"
                             : "ZeroDivisionError: integer division or modulo by zero");
  return {arithmetic(c, Arith::FloorDiv, x, y), arithmetic(c, Arith::Mod, x, y)};
}

static Results unwrapOptional(Call &c) {
  if (c.args[0].isNone())
    c.in.fail("Unwrapping null optional");
  return {c.args[0]};
}

static Results deviceOf(Call &c) {
  Py v = Py::ofString(knownText(c, c.args[0]));
  v.kind = Py::Device;
  return {v};
}
static Results isScripting(Call &) { return {Py::ofBool(true)}; }

static Results gradEnabled(Call &c) { return {Py::ofBool(c.in.isGradEnabled)}; }
static Results setGradEnabled(Call &c) {
  if (!c.args[0].isStatic())
    c.in.failStatic("whether gradients are enabled");
  c.in.isGradEnabled = c.args[0].i;
  return {};
}

static Results makeComplex(Call &c) {
  if (!c.args[0].isStatic() || (c.args.size() > 1 && !c.args[1].isStatic()))
    c.in.failStatic("a part of a complex number");
  if (c.args.size() < 2)
    return {ofComplex(asComplex(c.args[0]))};
  return {ofComplex(Complex(asDouble(c.args[0]), asDouble(c.args[1])))};
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

/// Arithmetic ops share their names with tensor ops; the overloads that take
/// no tensor are listed.
ArrayRef<OpRow> import::pythonOps() {
  static const OpRow rows[] = {
#define ROWS(name, fn)                                                         \
  {name ".int", fn}, {name ".float", fn}, {name ".int_float", fn},             \
      {name ".float_int", fn}, {name ".bool", fn}, {name ".int_int", fn},      \
      {name ".int_bool", fn}, {name ".bool_int", fn}, {name ".float_bool", fn},\
      {name ".complex", fn}, {name ".int_complex", fn},                        \
      {name ".complex_int", fn}, {name ".float_complex", fn},                  \
      {name ".complex_float", fn}, {name ".Scalar_Scalar", fn},                \
      {name ".number", fn}
      ROWS("add", numbers<Arith::Add>), ROWS("sub", numbers<Arith::Sub>),
      ROWS("mul", numbers<Arith::Mul>), ROWS("div", numbers<Arith::Div>),
      ROWS("floordiv", numbers<Arith::FloorDiv>),
      ROWS("remainder", numbers<Arith::Mod>), ROWS("pow", numbers<Arith::Pow>),
      ROWS("lt", compareNumbers), ROWS("le", compareNumbers),
      ROWS("gt", compareNumbers), ROWS("ge", compareNumbers),
      ROWS("eq", eqAny), ROWS("ne", neAny), ROWS("neg", negNumber),
      ROWS("prim_min", minMaxNumbers<Arith::Min>),
      ROWS("prim_max", minMaxNumbers<Arith::Max>),
      ROWS("__and__", numbers<Arith::And>), ROWS("__or__", numbers<Arith::Or>),
      ROWS("__xor__", numbers<Arith::Xor>),
      ROWS("__lshift__", numbers<Arith::Shl>),
      ROWS("__rshift__", numbers<Arith::Shr>),
      ROWS("divmod", divmodNumbers), ROWS("Complex", makeComplex),
#undef ROWS
      {"Complex.Scalar", makeComplex}, {"Complex.bool_bool", makeComplex},
      {"Complex.float_float", makeComplex}, {"Complex.bool_float", makeComplex},
      {"pow.int_to_int", powInts},
      // Overloads named "": of two Scalars.
      {"prim_min", minMaxNumbers<Arith::Min>}, {"prim_max", minMaxNumbers<Arith::Max>},
      {"prim_min.self_int", reduceList<Arith::Min>},
      {"prim_max.self_int", reduceList<Arith::Max>},
      {"prim_min.self_float", reduceList<Arith::Min>},
      {"prim_max.self_float", reduceList<Arith::Max>},
      {"prim_min.self_bool", reduceList<Arith::Min>},
      {"prim_max.self_bool", reduceList<Arith::Max>},
      {"prim_abs", absNumber}, {"prim_rangelist", rangeList},
      {"abs.int", absNumber}, {"abs.float", absNumber}, {"abs.complex", absNumber},
      {"abs.Scalar", absNumber}, {"neg.Scalar", negNumber},
      {"eq.str", eqAny}, {"ne.str", neAny}, {"lt.str", compareNumbers},
      {"le.str", compareNumbers}, {"gt.str", compareNumbers}, {"ge.str", compareNumbers},
      {"eq.device", eqAny}, {"ne.device", neAny}, {"eq.enum", eqAny}, {"ne.enum", neAny},
#define LISTS(of) {"eq." of "_list", eqAny}, {"ne." of "_list", neAny}
      LISTS("int"), LISTS("float"), LISTS("bool"), LISTS("str"), LISTS("Tensor"),
#undef LISTS
      {"device", deviceOf}, {"device.with_index", deviceOf}, {"is_scripting", isScripting},
      {"_unwrap_optional", unwrapOptional},
      {"is_grad_enabled", gradEnabled}, {"set_grad_enabled", setGradEnabled},
      {"__not__", notOf}, {"Bool", boolOf}, {"Int", intOf}, {"Float", floatOf},
      {"IntImplicit", intOf}, {"FloatImplicit", floatOf},
      {"ScalarImplicit", itemOf}, {"item", itemOf},
      {"_local_scalar_dense", itemOf},
      {"__is__", isSame}, {"__isnot__", isNotSame},
      {"sum.int", sumList}, {"sum.float", sumList}, {"sum.bool", sumList},
      {"sum.complex", sumList},
      {"any.int", boolList<Arith::Or, false>}, {"any.float", boolList<Arith::Or, false>},
      {"any.bool", boolList<Arith::Or, false>}, {"any.str", boolList<Arith::Or, false>},
      {"all.int", boolList<Arith::And, true>}, {"all.float", boolList<Arith::And, true>},
      {"all.bool", boolList<Arith::And, true>},
      {"__range_length", rangeLength}, {"__derive_index", deriveIndex},
  };
  return rows;
}
