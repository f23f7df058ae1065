//===- Python.cpp - Numbers, strings, lists and dicts ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Python's own values: known ones are computed here, numbers that the data
// decides become scalar ops.

#include "../Interpreter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

static DType numberType(const Py &v) {
  switch (v.kind) {
  case Py::Int: return DType::Int64;
  case Py::Bool: return DType::Bool;
  default: return DType::Double;
  }
}

static double asDouble(const Py &v) { return v.kind == Py::Float ? v.f : (double)v.i; }

static Py wrap(Call &c, mlir::Value v, DType dtype) {
  if (dtype == DType::Bool)
    return Py::ofBool(v);
  return dtype == DType::Double ? Py::ofFloat(v) : Py::ofInt(v);
}

static int64_t floorDiv(int64_t a, int64_t b) {
  int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

static void checkDivisor(Call &c, const Py &d) {
  if (d.isStatic()) {
    if (asDouble(d) == 0)
      c.in.fail("ZeroDivisionError: division by zero");
    return;
  }
  auto &b = c.in.b;
  mlir::Value ok =
      d.kind == Py::Float
          ? arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, d.ssa, c.in.number(d.ssa, 0)).getResult()
          : arith::CmpIOp::create(b, arith::CmpIPredicate::ne, c.in.i64(d), c.in.number(c.in.i64(d), 0)).getResult();
  c.in.runtimeAssert(ok, "ZeroDivisionError: division by zero");
}

enum class Arith { Add, Sub, Mul, Div, FloorDiv, Mod, Pow, Min, Max, And, Or, Xor, Shl, Shr };

static Py arithmetic(Call &c, Arith op, Py x, Py y) {
  auto &b = c.in.b;
  if (x.kind == Py::Tensor)
    x = c.in.item(x.tensor);
  if (y.kind == Py::Tensor)
    y = c.in.item(y.tensor);
  if (!x.isNumber() || !y.isNumber())
    c.in.fail(std::string("unsupported operand types: ") + kindName(x.kind) +
              " and " + kindName(y.kind));
  if (x.kind == Py::Complex || y.kind == Py::Complex)
    c.in.fail("complex numbers are not supported");
  bool bothBool = x.kind == Py::Bool && y.kind == Py::Bool;
  bool isFloat = x.kind == Py::Float || y.kind == Py::Float || op == Arith::Div;
  if (op == Arith::Div || op == Arith::FloorDiv || op == Arith::Mod)
    checkDivisor(c, y);
  if (x.isStatic() && y.isStatic()) {
    if (isFloat) {
      double p = asDouble(x), q = asDouble(y);
      switch (op) {
      case Arith::Add: return Py::ofFloat(p + q);
      case Arith::Sub: return Py::ofFloat(p - q);
      case Arith::Mul: return Py::ofFloat(p * q);
      case Arith::Div: return Py::ofFloat(p / q);
      case Arith::FloorDiv: return Py::ofFloat(std::floor(p / q));
      case Arith::Mod: {
        double r = std::fmod(p, q);
        return Py::ofFloat(r != 0 && ((r < 0) != (q < 0)) ? r + q : r);
      }
      case Arith::Pow: return Py::ofFloat(std::pow(p, q));
      case Arith::Min: return Py::ofFloat(q < p ? q : p);
      case Arith::Max: return Py::ofFloat(q > p ? q : p);
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
    case Arith::Pow: {
      if (q < 0) // TorchScript gives a float here
        return Py::ofFloat(std::pow((double)p, (double)q));
      int64_t r = 1;
      for (int64_t k = 0; k < q; ++k)
        r = (int64_t)((uint64_t)r * (uint64_t)p);
      return Py::ofInt(r);
    }
    case Arith::Min: return Py::ofInt(std::min(p, q));
    case Arith::Max: return Py::ofInt(std::max(p, q));
    case Arith::And: return bothBool ? Py::ofBool((bool)(p & q)) : Py::ofInt(p & q);
    case Arith::Or: return bothBool ? Py::ofBool((bool)(p | q)) : Py::ofInt(p | q);
    case Arith::Xor: return bothBool ? Py::ofBool((bool)(p ^ q)) : Py::ofInt(p ^ q);
    case Arith::Shl: return Py::ofInt(p << q);
    case Arith::Shr: return Py::ofInt(p >> q);
    default: break;
    }
  }
  DType dtype = isFloat ? DType::Double
                : bothBool && (op == Arith::And || op == Arith::Or || op == Arith::Xor)
                    ? DType::Bool
                    : DType::Int64;
  if (op == Arith::Pow && !isFloat && !(y.isStatic() && y.i >= 0))
    dtype = DType::Double, isFloat = true;
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
      mlir::Value m = arith::RemFOp::create(b, p, q), zero = c.in.number(m, 0);
      mlir::Value nz = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, m, zero);
      mlir::Value mn = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, m, zero);
      mlir::Value qn = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, q, zero);
      mlir::Value fix = arith::AndIOp::create(b, nz, arith::XOrIOp::create(b, mn, qn));
      r = arith::SelectOp::create(b, fix, arith::AddFOp::create(b, m, q), m);
    } else {
      r = arith::SubIOp::create(
          b, p, arith::MulIOp::create(b, arith::FloorDivSIOp::create(b, p, q), q));
    }
    break;
  case Arith::Pow:
    r = isFloat ? math::PowFOp::create(b, p, q).getResult() : math::IPowIOp::create(b, p, q).getResult();
    break;
  case Arith::Min:
    r = isFloat ? arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, q, p), q, p).getResult()
                : arith::MinSIOp::create(b, p, q);
    break;
  case Arith::Max:
    r = isFloat ? arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, q, p), q, p).getResult()
                : arith::MaxSIOp::create(b, p, q);
    break;
  case Arith::And: r = arith::AndIOp::create(b, p, q); break;
  case Arith::Or: r = arith::OrIOp::create(b, p, q); break;
  case Arith::Xor: r = arith::XOrIOp::create(b, p, q); break;
  case Arith::Shl: r = arith::ShLIOp::create(b, p, q); break;
  case Arith::Shr: r = arith::ShRSIOp::create(b, p, q); break;
  }
  return wrap(c, r, dtype);
}

template <Arith op> static Results numbers(Call &c) {
  return {arithmetic(c, op, c.args[0], c.args[1])};
}

static Py compare(Call &c, StringRef op, Py x, Py y) {
  auto &b = c.in.b;
  if (x.kind == Py::Tensor)
    x = c.in.item(x.tensor);
  if (y.kind == Py::Tensor)
    y = c.in.item(y.tensor);
  auto order = [&](auto p, auto q) {
    return op == "lt"   ? p < q
           : op == "le" ? p <= q
           : op == "gt" ? p > q
           : op == "ge" ? p >= q
           : op == "eq" ? p == q
                        : p != q;
  };
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

static Results compareNumbers(Call &c) {
  return {compare(c, c.name, c.args[0], c.args[1])};
}

/// Python's ==, also of strings and lists.
static Py equal(Call &c, const Py &x, const Py &y) {
  if (x.isNumber() && y.isNumber())
    return compare(c, "eq", x, y);
  if (x.kind != y.kind)
    return Py::ofBool(false);
  switch (x.kind) {
  case Py::None: return Py::ofBool(true);
  case Py::String:
  case Py::Enum: return Py::ofBool(x.s == y.s);
  case Py::Device: return Py::ofBool(StringRef(x.s).split(':').first == StringRef(y.s).split(':').first);
  case Py::Object: return Py::ofBool(x.object == y.object);
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

static Py negate(Call &c, const Py &v) {
  if (v.isStatic())
    return Py::ofBool(v.i == 0);
  mlir::Value one = arith::ConstantIntOp::create(c.in.b, 1, 1);
  return Py::ofBool(arith::XOrIOp::create(c.in.b, v.ssa, one).getResult());
}

static Results eqAny(Call &c) { return {equal(c, c.args[0], c.args[1])}; }
static Results neAny(Call &c) { return {negate(c, equal(c, c.args[0], c.args[1]))}; }

static Py toBool(Call &c, Py v) {
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (v.kind == Py::Bool)
    return v;
  if (v.isStatic())
    return Py::ofBool(v.kind == Py::Float ? v.f != 0 : v.i != 0);
  return Py::ofBool(c.in.convert(v.ssa, numberType(v), DType::Bool));
}

static Results boolOf(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String)
    return {Py::ofBool(!v.s.empty())};
  return {toBool(c, v)};
}
static Results notOf(Call &c) { return {negate(c, toBool(c, c.args[0]))}; }

static Results intOf(Call &c) {
  Py v = c.args[0];
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (v.kind == Py::String) {
    int64_t i;
    if (StringRef(v.s).trim().getAsInteger(10, i))
      c.in.fail("invalid literal for int(): '" + v.s + "'");
    return {Py::ofInt(i)};
  }
  if (v.isStatic())
    return {Py::ofInt(v.kind == Py::Float ? (int64_t)v.f : v.i)};
  return {Py::ofInt(c.in.scalar(v, DType::Int64))};
}

static Results floatOf(Call &c) {
  Py v = c.args[0];
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (v.kind == Py::String) {
    double f;
    if (StringRef(v.s).trim().getAsDouble(f))
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
  if (v.isStatic())
    return {v.kind == Py::Float ? Py::ofFloat(-v.f) : Py::ofInt(-v.i)};
  if (v.kind == Py::Float)
    return {Py::ofFloat(arith::NegFOp::create(c.in.b, v.ssa).getResult())};
  return {arithmetic(c, Arith::Sub, Py::ofInt((int64_t)0), v)};
}

static Results absNumber(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::Tensor)
    return c.in.callOp("abs", {v}, {"self"});
  if (v.isStatic())
    return {v.kind == Py::Float ? Py::ofFloat(std::fabs(v.f)) : Py::ofInt(std::abs(v.i))};
  if (v.kind == Py::Float)
    return {Py::ofFloat(math::AbsFOp::create(c.in.b, v.ssa).getResult())};
  return {Py::ofInt(math::AbsIOp::create(c.in.b, c.in.i64(v)).getResult())};
}

using RealFn = double (*)(double);
template <typename Op> static Results realMath(Call &c, RealFn fn) {
  Py v = c.args[0];
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (v.isStatic())
    return {Py::ofFloat(fn(asDouble(v)))};
  return {Py::ofFloat(Op::create(c.in.b, c.in.scalar(v, DType::Double)).getResult())};
}
static Results sqrtNumber(Call &c) { return realMath<math::SqrtOp>(c, std::sqrt); }
static Results expNumber(Call &c) { return realMath<math::ExpOp>(c, std::exp); }
static Results sinNumber(Call &c) { return realMath<math::SinOp>(c, std::sin); }
static Results cosNumber(Call &c) { return realMath<math::CosOp>(c, std::cos); }
static Results tanhNumber(Call &c) { return realMath<math::TanhOp>(c, std::tanh); }
static Results logNumber(Call &c) {
  if (c.args.size() == 2) {
    double p = asDouble(c.args[0]), q = asDouble(c.args[1]);
    if (!c.args[0].isStatic() || !c.args[1].isStatic())
      c.in.failStatic("math.log with a base");
    return {Py::ofFloat(std::log(p) / std::log(q))};
  }
  return realMath<math::LogOp>(c, std::log);
}

/// ceil, floor and round of a number: an int.
template <typename Op> static Results rounded(Call &c, RealFn fn) {
  Py v = c.args[0];
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (v.kind != Py::Float)
    return {v};
  if (v.isStatic())
    return {Py::ofInt((int64_t)fn(v.f))};
  mlir::Value f = Op::create(c.in.b, v.ssa);
  return {Py::ofInt(c.in.convert(f, DType::Double, DType::Int64))};
}
static Results ceilNumber(Call &c) { return rounded<math::CeilOp>(c, std::ceil); }
static Results floorNumber(Call &c) { return rounded<math::FloorOp>(c, std::floor); }
static Results roundNumber(Call &c) {
  // TorchScript's round() gives a float for a float.
  const Py &v = c.args[0];
  if (v.kind != Py::Float)
    return {v};
  if (v.isStatic())
    return {Py::ofFloat(std::round(v.f))};
  return {Py::ofFloat(math::RoundOp::create(c.in.b, v.ssa).getResult())};
}

//===----------------------------------------------------------------------===//
// Lists, tuples, dicts
//===----------------------------------------------------------------------===//

static int64_t place(Call &c, const Py &at, size_t size, const char *what) {
  Py v = at;
  if (v.kind == Py::Tensor)
    v = c.in.item(v.tensor);
  if (!v.isStatic())
    c.in.failStatic(std::string("the index into a ") + what);
  int64_t i = v.i < 0 ? v.i + (int64_t)size : v.i;
  if (i < 0 || i >= (int64_t)size)
    c.in.fail(std::string(what) + " index out of range");
  return i;
}

static int64_t findKey(Call &c, const Py &dict, const Py &key) {
  for (size_t i = 0; i < dict.list().size(); i += 2) {
    Py e = equal(c, dict.list()[i], key);
    if (!e.isStatic())
      c.in.failStatic("a key of a dict");
    if (e.i)
      return i;
  }
  return -1;
}

static std::string keyText(const Py &key) {
  return key.kind == Py::String ? "'" + key.s + "'" : std::to_string(key.i);
}

static Py getGrowing(Call &c, const Py &list, const Py &at) {
  auto handle = list.items->handle;
  auto type = llvm::cast<ListType>(handle.getType()).getElementType();
  mlir::Value v = ListGetOp::create(c.in.b, type, handle, c.in.index(c.in.dim(at)));
  DType dtype = c.in.slots[list.items->growSlot].dtype;
  return c.in.makeValue(v, dtype);
}

static Results getItem(Call &c) {
  const Py &v = c.args[0], &key = c.args[1];
  switch (v.kind) {
  case Py::Dict: {
    int64_t i = findKey(c, v, key);
    if (i < 0)
      c.in.fail("KeyError: " + keyText(key));
    return {v.list()[i + 1]};
  }
  case Py::String: {
    int64_t i = place(c, key, v.s.size(), "string");
    return {Py::ofString(v.s.substr(i, 1))};
  }
  default:
    if (v.items && v.items->growSlot >= 0)
      return {getGrowing(c, v, key)};
    return {v.list()[place(c, key, v.list().size(), kindName(v.kind))]};
  }
}

static Results setItem(Call &c) {
  Py &v = c.args[0];
  std::vector<Py> items = v.list();
  if (v.kind == Py::Dict) {
    int64_t i = findKey(c, v, c.args[1]);
    if (i >= 0) {
      items[i + 1] = c.args[2];
    } else {
      items.push_back(c.args[1]);
      items.push_back(c.args[2]);
    }
  } else {
    if (v.items->growSlot >= 0)
      c.in.fail("assigning to an element of a list that grows at run time is "
                "not supported");
    items[place(c, c.args[1], items.size(), "list")] = c.args[2];
  }
  c.in.setItems(v.items, std::move(items));
  if (v.kind == Py::Dict)
    return {};
  return {v};
}

static Results append(Call &c) {
  Py &v = c.args[0];
  if (v.items->growSlot >= 0) {
    c.in.onAppend(v.items->growSlot, c.tensor(1)->type);
    mlir::Value next = ListAppendOp::create(c.in.b, v.items->handle.getType(),
                                            v.items->handle, c.in.read(c.tensor(1)));
    c.in.setHandle(v.items, next);
    return {v};
  }
  std::vector<Py> items = v.list();
  items.push_back(c.args[1]);
  c.in.setItems(v.items, std::move(items));
  return {v};
}

static Results lenOf(Call &c) {
  const Py &v = c.args[0];
  switch (v.kind) {
  case Py::Tensor:
    if (v.tensor->rank() == 0)
      c.in.fail("len() of a 0-d tensor");
    return {c.in.fromDim(v.tensor->sizes[0])};
  case Py::String: return {Py::ofInt((int64_t)v.s.size())};
  case Py::Dict: return {Py::ofInt((int64_t)v.list().size() / 2)};
  default:
    if (v.items && v.items->growSlot >= 0)
      return {c.in.fromDim(ListSizeOp::create(c.in.b, c.in.b.getIndexType(), v.items->handle).getResult())};
    return {Py::ofInt((int64_t)v.list().size())};
  }
}

static Results sliceList(Call &c) {
  const Py &v = c.args[0];
  int64_t n = v.kind == Py::String ? v.s.size() : v.list().size();
  int64_t step = c.integer("step", 1);
  if (step <= 0)
    c.in.fail("slice step must be positive");
  auto clamp = [&](int64_t i) {
    return i < 0 ? std::max<int64_t>(i + n, 0) : std::min(i, n);
  };
  int64_t lo = clamp(c.integer("start", 0)), hi = clamp(c.integer("end", INT64_MAX));
  if (v.kind == Py::String) {
    std::string out;
    for (int64_t i = lo; i < hi; i += step)
      out += v.s[i];
    return {Py::ofString(out)};
  }
  std::vector<Py> out;
  for (int64_t i = lo; i < hi; i += step)
    out.push_back(v.list()[i]);
  return {Py::ofItems(v.kind, std::move(out), v.items->type)};
}

static Results concatLists(Call &c) {
  if (c.args[0].kind == Py::String)
    return {Py::ofString(c.args[0].s + c.args[1].s)};
  std::vector<Py> out = c.args[0].list();
  out.insert(out.end(), c.args[1].list().begin(), c.args[1].list().end());
  return {Py::ofItems(c.args[0].kind, std::move(out), c.args[0].items->type)};
}

static Results extend(Call &c) {
  std::vector<Py> out = c.args[0].list();
  out.insert(out.end(), c.args[1].list().begin(), c.args[1].list().end());
  c.in.setItems(c.args[0].items, std::move(out));
  return {c.args[0]};
}

static Results repeatList(Call &c) {
  const Py &list = c.args[0].items ? c.args[0] : c.args[1];
  const Py &times = c.args[0].items ? c.args[1] : c.args[0];
  if (!times.isStatic())
    c.in.failStatic("the number of times a list is repeated");
  std::vector<Py> out;
  for (int64_t k = 0; k < times.i; ++k)
    out.insert(out.end(), list.list().begin(), list.list().end());
  return {Py::ofItems(Py::List, std::move(out), list.items->type)};
}

static Results popList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  if (c.args[0].kind == Py::Dict) {
    int64_t i = findKey(c, c.args[0], c.args[1]);
    if (i < 0) {
      if (c.args.size() > 2)
        return {c.args[2]};
      c.in.fail("KeyError: " + keyText(c.args[1]));
    }
    Py v = out[i + 1];
    out.erase(out.begin() + i, out.begin() + i + 2);
    c.in.setItems(c.args[0].items, std::move(out));
    return {v};
  }
  if (out.empty())
    c.in.fail("pop from empty list");
  int64_t i = c.args.size() > 1 ? place(c, c.args[1], out.size(), "list") : out.size() - 1;
  Py v = out[i];
  out.erase(out.begin() + i);
  c.in.setItems(c.args[0].items, std::move(out));
  return {v};
}

static Results insertList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  int64_t n = out.size(), i = c.integer("idx", 0);
  i = i < 0 ? std::max<int64_t>(i + n, 0) : std::min(i, n);
  out.insert(out.begin() + i, c.args[2]);
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results clearList(Call &c) {
  c.in.setItems(c.args[0].items, {});
  return {};
}

static Results reverseList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  std::reverse(out.begin(), out.end());
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results copyList(Call &c) {
  return {Py::ofItems(c.args[0].kind, c.args[0].list(), c.args[0].items->type)};
}

static Results listOf(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String) {
    std::vector<Py> out;
    for (char ch : v.s)
      out.push_back(Py::ofString(std::string(1, ch)));
    return {Py::ofItems(Py::List, std::move(out), "List[str]")};
  }
  return {Py::ofItems(Py::List, v.list(), v.items->type)};
}

static void sortItems(Call &c, std::vector<Py> &items, bool reverse) {
  for (const Py &v : items)
    if (!v.isStatic() || (!v.isNumber() && v.kind != Py::String))
      c.in.failStatic("an element of a list that is sorted");
  auto less = [](const Py &a, const Py &b) {
    return a.kind == Py::String ? a.s < b.s : asDouble(a) < asDouble(b);
  };
  std::stable_sort(items.begin(), items.end(), [&](const Py &a, const Py &b) {
    return reverse ? less(b, a) : less(a, b);
  });
}
static Results sortList(Call &c) {
  std::vector<Py> items = c.args[0].list();
  sortItems(c, items, c.boolean("reverse"));
  c.in.setItems(c.args[0].items, std::move(items));
  return {};
}
static Results sortedList(Call &c) {
  std::vector<Py> items = c.args[0].list();
  sortItems(c, items, false);
  return {Py::ofItems(Py::List, std::move(items), c.args[0].items->type)};
}

static Results containsItem(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String)
    return {Py::ofBool(v.s.find(c.args[1].s) != std::string::npos)};
  if (v.kind == Py::Dict)
    return {Py::ofBool(findKey(c, v, c.args[1]) >= 0)};
  Py any = Py::ofBool(false);
  for (const Py &item : v.list())
    any = arithmetic(c, Arith::Or, any, equal(c, item, c.args[1]));
  return {any};
}

static Results countItems(Call &c) {
  int64_t n = 0;
  for (const Py &item : c.args[0].list()) {
    Py e = equal(c, item, c.args[1]);
    if (!e.isStatic())
      c.in.failStatic("an element of a list that is counted");
    n += e.i;
  }
  return {Py::ofInt(n)};
}

static Results indexOfItem(Call &c) {
  for (size_t i = 0; i < c.args[0].list().size(); ++i) {
    Py e = equal(c, c.args[0].list()[i], c.args[1]);
    if (!e.isStatic())
      c.in.failStatic("an element of a list that is searched");
    if (e.i)
      return {Py::ofInt((int64_t)i)};
  }
  c.in.fail("value is not in list");
}

template <int which> static Results dictItems(Call &c) {
  std::vector<Py> out;
  const auto &items = c.args[0].list();
  for (size_t i = 0; i < items.size(); i += 2) {
    if (which == 2)
      out.push_back(Py::ofItems(Py::Tuple, {items[i], items[i + 1]}));
    else
      out.push_back(items[i + which]);
  }
  return {Py::ofItems(Py::List, std::move(out))};
}

static Results dictGet(Call &c) {
  int64_t i = findKey(c, c.args[0], c.args[1]);
  if (i >= 0)
    return {c.args[0].list()[i + 1]};
  return {c.args.size() > 2 ? c.args[2] : Py()};
}

static Results dictUpdate(Call &c) {
  for (size_t i = 0; i < c.args[1].list().size(); i += 2) {
    Call set{c.in, c.node, "_set_item", "", {c.args[0], c.args[1].list()[i], c.args[1].list()[i + 1]}, c.argNames};
    setItem(set);
  }
  return {};
}

static Results dictDelete(Call &c) {
  std::vector<Py> out = c.args[0].list();
  if (c.args[0].kind == Py::Dict) {
    int64_t i = findKey(c, c.args[0], c.args[1]);
    if (i < 0)
      c.in.fail("KeyError: " + keyText(c.args[1]));
    out.erase(out.begin() + i, out.begin() + i + 2);
  } else {
    out.erase(out.begin() + place(c, c.args[1], out.size(), "list"));
  }
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results dictMake(Call &c) {
  std::vector<Py> items;
  if (!c.args.empty() && c.args[0].items) {
    if (c.args[0].kind == Py::Dict)
      items = c.args[0].list();
    else
      for (const Py &pair : c.args[0].list()) {
        items.push_back(pair.list()[0]);
        items.push_back(pair.list()[1]);
      }
  }
  return {Py::ofItems(Py::Dict, std::move(items))};
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

/// min, max, sum, any, all over a list of numbers.
template <Arith op> static Results reduceList(Call &c) {
  const auto &items = c.args[0].list();
  if (items.empty())
    c.in.fail("arg is an empty sequence");
  Py v = items[0];
  for (size_t i = 1; i < items.size(); ++i)
    v = arithmetic(c, op, v, items[i]);
  return {v};
}
template <Arith op> static Results minMaxNumbers(Call &c) {
  if (c.args.size() == 1 || c.args[1].isNone() || c.args[0].items)
    return reduceList<op>(c);
  return {arithmetic(c, op, c.args[0], c.args[1])};
}
static Results sumList(Call &c) {
  Py v = Py::ofInt((int64_t)0);
  for (const Py &item : c.args[0].list())
    v = arithmetic(c, Arith::Add, v, item);
  return {v};
}
template <Arith op, bool start> static Results boolList(Call &c) {
  Py v = Py::ofBool(start);
  for (const Py &item : c.args[0].list())
    v = arithmetic(c, op, v, toBool(c, item));
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

//===----------------------------------------------------------------------===//
// Strings
//===----------------------------------------------------------------------===//

static std::string str(Call &c, const Py &v) {
  if (!v.isStatic() && v.isNumber())
    return "{}"; // known at run time only
  char buffer[64];
  switch (v.kind) {
  case Py::None: return "None";
  case Py::Int: return std::to_string(v.i);
  case Py::Bool: return v.i ? "True" : "False";
  case Py::Float: {
    snprintf(buffer, sizeof buffer, "%.12g", v.f);
    std::string text = buffer;
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  case Py::String:
  case Py::Device: return v.s;
  case Py::List:
  case Py::Tuple: {
    std::string out = v.kind == Py::List ? "[" : "(";
    for (size_t i = 0; i < v.list().size(); ++i)
      out += (i ? ", " : "") + str(c, v.list()[i]);
    return out + (v.kind == Py::List ? "]" : ")");
  }
  case Py::Tensor: return "<tensor>";
  default: return std::string("<") + kindName(v.kind) + ">";
  }
}
static Results strOf(Call &c) { return {Py::ofString(str(c, c.args[0]))}; }

static Results formatString(Call &c) {
  std::string out, text = c.args[0].s;
  size_t next = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "{{") == 0 || text.compare(i, 2, "}}") == 0) {
      out += text[i++];
    } else if (text[i] == '{') {
      size_t end = text.find('}', i);
      if (end == std::string::npos)
        break;
      if (next < c.args.size())
        out += str(c, c.args[next++]);
      i = end;
    } else {
      out += text[i];
    }
  }
  return {Py::ofString(out)};
}

static Results percentFormat(Call &c) {
  std::string out, text = c.args[0].s;
  std::vector<Py> values = c.args.size() > 1 && c.args[1].kind == Py::Tuple
                               ? c.args[1].list()
                               : std::vector<Py>(c.args.begin() + 1, c.args.end());
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 1 < text.size()) {
      ++i;
      if (text[i] == '%')
        out += '%';
      else if (next < values.size())
        out += str(c, values[next++]);
    } else {
      out += text[i];
    }
  }
  return {Py::ofString(out)};
}

static Results joinStrings(Call &c) {
  std::string out;
  for (size_t i = 0; i < c.args[1].list().size(); ++i)
    out += (i ? c.args[0].s : "") + c.args[1].list()[i].s;
  return {Py::ofString(out)};
}
static Results lowerString(Call &c) { return {Py::ofString(StringRef(c.args[0].s).lower())}; }
static Results upperString(Call &c) { return {Py::ofString(StringRef(c.args[0].s).upper())}; }
static Results stripString(Call &c) { return {Py::ofString(StringRef(c.args[0].s).trim().str())}; }
static Results startsWith(Call &c) {
  return {Py::ofBool(StringRef(c.args[0].s).starts_with(c.args[1].s))};
}
static Results endsWith(Call &c) {
  return {Py::ofBool(StringRef(c.args[0].s).ends_with(c.args[1].s))};
}
static Results replaceString(Call &c) {
  std::string s = c.args[0].s, from = c.args[1].s, to = c.args[2].s, out;
  size_t i = 0;
  while (!from.empty() && i < s.size()) {
    size_t at = s.find(from, i);
    if (at == std::string::npos)
      break;
    out += s.substr(i, at - i) + to;
    i = at + from.size();
  }
  return {Py::ofString(out + s.substr(i))};
}
static Results splitString(Call &c) {
  std::vector<Py> out;
  SmallVector<StringRef> parts;
  StringRef text = c.args[0].s;
  if (c.args.size() > 1 && c.args[1].kind == Py::String)
    text.split(parts, c.args[1].s);
  else
    text.split(parts, ' ', -1, false);
  for (StringRef part : parts)
    out.push_back(Py::ofString(part.str()));
  return {Py::ofItems(Py::List, std::move(out), "List[str]")};
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
      {name ".Scalar_Scalar", fn}
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
      ROWS("sqrt", sqrtNumber), ROWS("exp", expNumber), ROWS("log", logNumber),
      ROWS("sin", sinNumber), ROWS("cos", cosNumber), ROWS("tanh", tanhNumber),
      ROWS("ceil", ceilNumber), ROWS("floor", floorNumber),
      ROWS("round", roundNumber),
#undef ROWS
      // Overloads named "": of two Scalars.
      {"prim_min", minMaxNumbers<Arith::Min>}, {"prim_max", minMaxNumbers<Arith::Max>},
      {"prim_min.self_int", reduceList<Arith::Min>},
      {"prim_max.self_int", reduceList<Arith::Max>},
      {"prim_min.self_float", reduceList<Arith::Min>},
      {"prim_max.self_float", reduceList<Arith::Max>},
      {"prim_abs", absNumber}, {"prim_rangelist", rangeList},
      {"sqrt.Scalar", sqrtNumber}, {"exp.Scalar", expNumber},
      {"log.Scalar", logNumber}, {"ceil.Scalar", ceilNumber},
      {"floor.Scalar", floorNumber}, {"round.Scalar", roundNumber},
      {"neg.Scalar", negNumber},
      {"eq.str", eqAny}, {"ne.str", neAny}, {"eq.int_list", eqAny},
      {"ne.int_list", neAny}, {"eq.float_list", eqAny}, {"eq.bool_list", eqAny},
      {"eq.str_list", eqAny}, {"eq.device", eqAny}, {"ne.device", neAny},
      {"eq.enum", eqAny}, {"ne.enum", neAny},
      {"__not__", notOf}, {"Bool", boolOf}, {"Int", intOf}, {"Float", floatOf},
      {"IntImplicit", intOf}, {"FloatImplicit", floatOf},
      {"ScalarImplicit", itemOf}, {"item", itemOf},
      {"_local_scalar_dense", itemOf},
      {"__getitem__", getItem}, {"_set_item", setItem}, {"append", append},
      {"len", lenOf}, {"slice.t", sliceList}, {"slice.str", sliceList},
      {"add.t", concatLists}, {"add.str", concatLists}, {"add_.t", extend},
      {"extend", extend}, {"mul.left_t", repeatList}, {"mul.right_", repeatList},
      {"mul_.t", repeatList}, {"pop", popList}, {"insert", insertList},
      {"clear", clearList}, {"reverse.t", reverseList}, {"copy.t", copyList},
      {"copy.Dict_str", copyList}, {"list", listOf}, {"sort.int", sortList},
      {"sort.float", sortList}, {"sort.str", sortList}, {"sort.bool", sortList},
      {"sorted", sortedList}, {"__contains__", containsItem},
      {"count", countItems}, {"index.list_int", indexOfItem},
      {"index.list_str", indexOfItem}, {"index.list_float", indexOfItem},
      {"keys", dictItems<0>}, {"values", dictItems<1>}, {"items", dictItems<2>},
      {"get", dictGet}, {"update", dictUpdate}, {"Delete", dictDelete},
      {"dict", dictMake}, {"__is__", isSame}, {"__isnot__", isNotSame},
      {"sum.int", sumList}, {"sum.float", sumList}, {"sum.bool", sumList},
      {"any.int", boolList<Arith::Or, false>}, {"any.float", boolList<Arith::Or, false>},
      {"any.bool", boolList<Arith::Or, false>}, {"any.str", boolList<Arith::Or, false>},
      {"all.int", boolList<Arith::And, true>}, {"all.float", boolList<Arith::And, true>},
      {"all.bool", boolList<Arith::And, true>},
      {"__range_length", rangeLength}, {"__derive_index", deriveIndex},
      {"str", strOf}, {"format", formatString}, {"percentFormat", percentFormat},
      {"join", joinStrings}, {"lower", lowerString}, {"upper", upperString},
      {"strip", stripString}, {"startswith", startsWith}, {"endswith", endsWith},
      {"replace", replaceString}, {"split.str", splitString},
  };
  return rows;
}
