//===- Pointwise.cpp - Elementwise ops and type promotion ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Common
//===----------------------------------------------------------------------===//

bool import::isFloatType(Type t) { return isa<FloatType>(getElementTypeOrSelf(t)); }

DType &import::defaultDType() {
  static thread_local DType dtype = DType::Float;
  return dtype;
}

DType import::resultType(ArrayRef<TensorRef> tensors) {
  DType dims = DType::Undefined, zero = DType::Undefined, number = DType::Undefined;
  for (const TensorRef &t : tensors) {
    DType d = t->dtype;
    if (t->wrappedNumber) {
      if (isFloating(d))
        d = defaultDType();
      number = promote(number, d);
    } else if (t->rank() == 0) {
      zero = promote(zero, d);
    } else {
      dims = promote(dims, d);
    }
  }
  auto combine = [](DType higher, DType lower) {
    if (isComplex(higher))
      return higher;
    if (isFloating(higher))
      return isComplex(lower) ? promote(higher, lower) : higher;
    if (higher == DType::Bool || isFloating(lower) || isComplex(lower))
      return promote(higher, lower);
    return higher != DType::Undefined ? higher : lower;
  };
  return combine(dims, combine(zero, number));
}

DType import::dtypeArg(Call &c, DType otherwise, StringRef name) {
  const Py &v = c.arg(name);
  if (v.isNone())
    return otherwise;
  return static_cast<DType>(c.integer(name));
}

SmallVector<Dim> import::shapeArg(Call &c, StringRef name) {
  const Py &v = c.arg(name);
  SmallVector<Dim> sizes;
  if (v.kind == Py::Int) {
    sizes.push_back(c.in.dim(v));
  } else if (v.kind == Py::List || v.kind == Py::Tuple) {
    for (const Py &item : v.list())
      sizes.push_back(c.in.dim(item));
  } else {
    c.in.fail("argument '" + name.str() + "': expected a list of ints, got " +
              kindName(v.kind));
  }
  for (Dim &d : sizes) {
    int64_t n = c.in.staticDim(d);
    if (n < 0 && n != ShapedType::kDynamic && name == "size" &&
        c.name != "expand" && c.name != "view" && c.name != "reshape")
      c.in.fail("Trying to create tensor with negative dimension " + std::to_string(n));
  }
  return sizes;
}

SmallVector<int64_t> import::dimsArg(Call &c, const TensorRef &t, StringRef name,
                                     bool emptyMeansAll) {
  SmallVector<int64_t> dims;
  const Py &v = c.arg(name);
  if (!v.isNone())
    for (int64_t d : c.integers(name)) {
      d = c.in.normalizeDim(d, t->rank());
      if (llvm::is_contained(dims, d))
        c.in.fail("dim " + std::to_string(d) + " appears multiple times in the list of dims");
      if (t->rank() > 0)
        dims.push_back(d);
    }
  if (dims.empty() && (v.isNone() || emptyMeansAll))
    for (int64_t d = 0; d < t->rank(); ++d)
      dims.push_back(d);
  llvm::sort(dims);
  return dims;
}

Py import::pointwise(Call &c, ArrayRef<TensorRef> inputs, DType dtype, DType result,
                     llvm::function_ref<mlir::Value(ValueRange)> body, int exactAt) {
  DType compute = computeType(dtype);
  SmallVector<mlir::Value> values;
  for (auto [i, t] : llvm::enumerate(inputs)) {
    DType first = (int)i == exactAt && t->rank() == 0 ? t->dtype : dtype;
    mlir::Value v = c.in.convert(c.in.read(t), t->dtype, first);
    values.push_back(c.in.convert(v, first, compute));
  }
  mlir::Value v = c.in.elementwise(values, elementType(c.in.b.getContext(), result), body);
  if (compute != dtype && result == dtype)
    v = c.in.convert(v, compute, result);
  TensorRef r = c.in.make(v, result);
  r->wrappedNumber = llvm::all_of(inputs, [](const TensorRef &t) { return t->wrappedNumber; });
  // The prelude's own steps are none of PyTorch's.
  if (isProgramOp(c))
    orderAsInputs(inputs, r);
  return Py::of(r);
}

Py import::unaryFloat(Call &c, llvm::function_ref<mlir::Value(mlir::Value)> body) {
  TensorRef t = c.tensor(0);
  DType dtype = toFloat(t->dtype);
  return pointwise(c, {t}, dtype, dtype, [&](ValueRange v) { return body(v[0]); });
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// The two tensors of a binary op, of which one may be a number.
struct Binary {
  TensorRef a, b;
  DType dtype;
};
static Binary binary(Call &c) {
  Binary r{c.tensor(0), c.tensor(1), DType::Undefined};
  r.dtype = resultType({r.a, r.b});
  return r;
}

static bool isOne(const Py &v) {
  return v.isNone() || (v.isStatic() && (v.kind == Py::Float ? v.f == 1 : v.i == 1));
}

static Py addScaled(Call &c, bool subtract) {
  Binary p = binary(c);
  auto &b = c.in.b;
  Py alpha = c.arg("alpha");
  if (subtract && (p.a->dtype == DType::Bool && p.b->dtype == DType::Bool))
    c.in.fail("Subtraction, the `-` operator, with two bool tensors is not "
              "supported. Use the `^` or `logical_xor()` operator instead.");
  if (!isOne(alpha) && alpha.kind == Py::Float && !isFloating(p.dtype))
    c.in.fail("For integral input tensors, argument alpha must not be a "
              "floating point number.");
  return pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    mlir::Value x = v[0], y = v[1];
    bool isFloat = isFloating(p.dtype);
    if (p.dtype == DType::Bool)
      return arith::OrIOp::create(b, x, y);
    if (!isOne(alpha)) {
      // PyTorch's kernel: fma(other, alpha, self).
      mlir::Value s = c.in.splat(ArrayRef<Dim>(), p.dtype, alpha);
      s = c.in.broadcastTo(c.in.convert(s, p.dtype, computeType(p.dtype)), c.in.sizesOf(x));
      if (isFloat) {
        if (subtract)
          s = arith::NegFOp::create(b, s);
        // Halves are rounded after each step where the kernel goes one by one:
        // what is too short for two of its vectors.
        auto type = cast<RankedTensorType>(x.getType());
        if (computeType(p.dtype) != p.dtype && type.hasStaticShape() &&
            type.getNumElements() < 64) {
          mlir::Value scaled = arith::MulFOp::create(b, y, s);
          scaled = c.in.convert(scaled, computeType(p.dtype), p.dtype);
          scaled = c.in.convert(scaled, p.dtype, computeType(p.dtype));
          return arith::AddFOp::create(b, x, scaled);
        }
        return math::FmaOp::create(b, y, s, x);
      }
      y = arith::MulIOp::create(b, y, s);
    }
    if (isFloat)
      return subtract ? arith::SubFOp::create(b, x, y).getResult()
                      : arith::AddFOp::create(b, x, y).getResult();
    return subtract ? arith::SubIOp::create(b, x, y).getResult()
                    : arith::AddIOp::create(b, x, y).getResult();
  });
}
static Results addOp(Call &c) { return {addScaled(c, false)}; }
static Results subOp(Call &c) { return {addScaled(c, true)}; }
static Results rsubOp(Call &c) {
  std::swap(c.args[0], c.args[1]);
  return {addScaled(c, true)};
}

static Results mulOp(Call &c) {
  Binary p = binary(c);
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    if (p.dtype == DType::Bool)
      return arith::AndIOp::create(c.in.b, v[0], v[1]);
    if (isFloating(p.dtype))
      return arith::MulFOp::create(c.in.b, v[0], v[1]);
    return arith::MulIOp::create(c.in.b, v[0], v[1]);
  }, 1)};
}

/// Integer division by zero is an error in PyTorch.
static void checkDivisors(Call &c, const TensorRef &t) {
  auto &b = c.in.b;
  mlir::Value v = c.in.read(t);
  if (auto constant = v.getDefiningOp<arith::ConstantOp>())
    if (auto attr = dyn_cast<DenseElementsAttr>(constant.getValue()))
      if (attr.isSplat() && !attr.getSplatValue<APInt>().isZero())
        return;
  Results any = c.in.callOp("any", {c.in.callOp("eq.Scalar", {Py::of(t), Py::ofInt((int64_t)0)},
                                                {"self", "other"})[0]}, {"self"});
  Py bad = c.in.item(any[0].tensor);
  if (bad.isStatic()) {
    if (bad.i)
      c.in.fail("ZeroDivisionError");
    return;
  }
  mlir::Value one = arith::ConstantIntOp::create(b, 1, 1);
  c.in.runtimeAssert(arith::XOrIOp::create(b, bad.ssa, one), "ZeroDivisionError");
}

static mlir::Value floorFloat(Call &c, mlir::Value a, mlir::Value d,
                              llvm::function_ref<mlir::Value(mlir::Value)> round) {
  // PyTorch's div_floor_floating.
  auto &b = c.in.b;
  using P = arith::CmpFPredicate;
  mlir::Value zero = c.in.number(a, 0), one = c.in.number(a, 1), half = c.in.number(a, 0.5);
  mlir::Value mod = arith::RemFOp::create(b, a, d);
  mlir::Value div = round(arith::DivFOp::create(b, round(arith::SubFOp::create(b, a, mod)), d));
  mlir::Value fix = arith::AndIOp::create(
      b, arith::CmpFOp::create(b, P::UNE, mod, zero),
      arith::XOrIOp::create(b, arith::CmpFOp::create(b, P::OLT, d, zero),
                            arith::CmpFOp::create(b, P::OLT, mod, zero)));
  div = arith::SelectOp::create(b, fix, arith::SubFOp::create(b, div, one), div);
  mlir::Value floor = math::FloorOp::create(b, div);
  mlir::Value up = arith::CmpFOp::create(b, P::OGT, arith::SubFOp::create(b, div, floor), half);
  floor = arith::SelectOp::create(b, up, arith::AddFOp::create(b, floor, one), floor);
  mlir::Value quotient = round(arith::DivFOp::create(b, a, d));
  mlir::Value signedZero = math::CopySignOp::create(b, zero, quotient);
  mlir::Value r = arith::SelectOp::create(
      b, arith::CmpFOp::create(b, P::UNE, div, zero), floor, signedZero);
  return arith::SelectOp::create(b, arith::CmpFOp::create(b, P::OEQ, d, zero), quotient, r);
}

static mlir::Value floorInt(Call &c, mlir::Value a, mlir::Value d, bool isUnsigned) {
  if (isUnsigned)
    return arith::DivUIOp::create(c.in.b, a, d);
  return arith::FloorDivSIOp::create(c.in.b, a, d);
}

static Results divOp(Call &c) {
  Binary p = binary(c);
  auto &b = c.in.b;
  const Py &mode = c.arg("rounding_mode");
  if (mode.isNone()) {
    DType dtype = toFloat(p.dtype);
    return {pointwise(c, {p.a, p.b}, dtype, dtype, [&](ValueRange v) -> mlir::Value {
      return arith::DivFOp::create(b, v[0], v[1]);
    }, 1)};
  }
  if (p.dtype == DType::Bool)
    c.in.fail("div with rounding_mode is not implemented for bool");
  bool isFloor = mode.s == "floor";
  if (!isFloor && mode.s != "trunc")
    c.in.fail("div expected rounding_mode to be one of None, 'trunc', or "
              "'floor' but found '" + mode.s + "'");
  if (isFloating(p.dtype))
    return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
      // Halves are rounded after each step, but for a scalar divisor.
      bool isScalar = p.b->rank() == 0;
      auto round = [&](mlir::Value x) {
        DType compute = computeType(p.dtype);
        return isScalar ? x : c.in.convert(c.in.convert(x, compute, p.dtype), p.dtype, compute);
      };
      if (isFloor)
        return floorFloat(c, v[0], v[1], round);
      return math::TruncOp::create(b, round(arith::DivFOp::create(b, v[0], v[1])));
    }, 1)};
  checkDivisors(c, p.b);
  bool isU = isUnsigned(p.dtype);
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    if (isFloor || isU)
      return floorInt(c, v[0], v[1], isU);
    return arith::DivSIOp::create(b, v[0], v[1]);
  })};
}

static Results floorDivideOp(Call &c) {
  static const std::vector<std::string> names = {"self", "other", "rounding_mode"};
  Call div{c.in, c.node, "div", "", {c.args[0], c.args[1], Py::ofString("floor")}, names};
  return divOp(div);
}

static Results remainderOp(Call &c) {
  Binary p = binary(c);
  auto &b = c.in.b;
  if (isFloating(p.dtype))
    return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
      using P = arith::CmpFPredicate;
      mlir::Value zero = c.in.number(v[0], 0);
      mlir::Value m = arith::RemFOp::create(b, v[0], v[1]);
      mlir::Value fix = arith::AndIOp::create(
          b, arith::CmpFOp::create(b, P::UNE, m, zero),
          arith::XOrIOp::create(b, arith::CmpFOp::create(b, P::OLT, v[1], zero),
                                arith::CmpFOp::create(b, P::OLT, m, zero)));
      return arith::SelectOp::create(b, fix, arith::AddFOp::create(b, m, v[1]), m);
    })};
  checkDivisors(c, p.b);
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    mlir::Value q = floorInt(c, v[0], v[1], isUnsigned(p.dtype));
    return arith::SubIOp::create(b, v[0], arith::MulIOp::create(b, q, v[1]));
  })};
}

static Results fmodOp(Call &c) {
  Binary p = binary(c);
  if (!isFloating(p.dtype))
    checkDivisors(c, p.b);
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    if (isFloating(p.dtype))
      return arith::RemFOp::create(c.in.b, v[0], v[1]);
    if (isUnsigned(p.dtype))
      return arith::RemUIOp::create(c.in.b, v[0], v[1]);
    return arith::RemSIOp::create(c.in.b, v[0], v[1]);
  })};
}

static Results powOp(Call &c) {
  Binary p = binary(c);
  auto &b = c.in.b;
  const Py &e = c.args[1];
  if (isFloating(p.dtype) && e.isNumber() && e.isStatic()) {
    // PyTorch's special exponents.
    double x = e.kind == Py::Float ? e.f : (double)e.i;
    auto one = [&](auto body) {
      return Results{pointwise(c, {p.a}, p.dtype, p.dtype,
                               [&](ValueRange v) -> mlir::Value { return body(v[0]); })};
    };
    auto inverse = [&](mlir::Value v) -> mlir::Value {
      return arith::DivFOp::create(b, c.in.number(v, 1), v);
    };
    auto square = [&](mlir::Value v) -> mlir::Value { return arith::MulFOp::create(b, v, v); };
    if (x == 0)
      return {Py::of(c.in.make(c.in.splat(p.a->sizes, p.dtype, Py::ofInt((int64_t)1)), p.dtype))};
    if (x == 1)
      return one([&](mlir::Value v) { return v; });
    if (x == 2)
      return one(square);
    if (x == 3)
      return one([&](mlir::Value v) -> mlir::Value {
        return arith::MulFOp::create(b, square(v), v);
      });
    if (x == 0.5)
      return one([&](mlir::Value v) -> mlir::Value { return math::SqrtOp::create(b, v); });
    if (x == -0.5)
      return one([&](mlir::Value v) -> mlir::Value {
        return inverse(math::SqrtOp::create(b, v));
      });
    if (x == -1)
      return one(inverse);
    if (x == -2)
      return one([&](mlir::Value v) -> mlir::Value { return inverse(square(v)); });
  }
  if (isFloating(p.dtype))
    return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
      return math::PowFOp::create(b, v[0], v[1]);
    })};
  if (e.isNumber() && e.isStatic() && e.i < 0)
    c.in.fail("Integers to negative integer powers are not allowed.");
  if (p.dtype == DType::Bool)
    return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
      mlir::Value one = c.in.number(v[0], 1);
      return arith::OrIOp::create(b, v[0], arith::XOrIOp::create(b, v[1], one));
    })};
  // Wraps around. uint8 has no negative exponents.
  DType wide = isUnsigned(p.dtype) ? DType::Int64 : p.dtype;
  TensorRef base = c.in.convert(c.in.convert(p.a, p.dtype), wide);
  if (e.isNumber() && e.isStatic())
    return {pointwise(c, {base}, wide, p.dtype, [&](ValueRange v) -> mlir::Value {
      mlir::Value square = v[0], r;
      for (uint64_t n = e.i; n; n >>= 1) {
        if (n & 1)
          r = r ? arith::MulIOp::create(b, r, square).getResult() : square;
        if (n > 1)
          square = arith::MulIOp::create(b, square, square);
      }
      return c.in.convert(r ? r : c.in.number(v[0], 1), wide, p.dtype);
    })};
  TensorRef exponent = c.in.convert(c.in.convert(p.b, p.dtype), wide);
  Py r = c.in.callOp("evox_ipow", {Py::of(base), Py::of(exponent)}, {"self", "exponent"})[0];
  return {Py::of(c.in.convert(r.tensor, p.dtype))};
}

static mlir::Value isNan(Call &c, mlir::Value v) {
  return arith::CmpFOp::create(c.in.b, arith::CmpFPredicate::UNO, v, v);
}

/// max or min of two; NaN wins. `quiet`: NaN loses (fmax, fmin).
template <bool isMax, bool quiet> static Results extremum(Call &c) {
  Binary p = binary(c);
  auto &b = c.in.b;
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    mlir::Value x = v[0], y = v[1];
    if (isFloating(p.dtype)) {
      using P = arith::CmpFPredicate;
      mlir::Value take = arith::CmpFOp::create(b, isMax ? P::OGT : P::OLT, x, y);
      mlir::Value keep = isNan(c, quiet ? y : x);
      mlir::Value r = arith::SelectOp::create(b, arith::OrIOp::create(b, take, keep), x, y);
      return r;
    }
    if (isUnsigned(p.dtype))
      return isMax ? arith::MaxUIOp::create(b, x, y).getResult()
                   : arith::MinUIOp::create(b, x, y).getResult();
    return isMax ? arith::MaxSIOp::create(b, x, y).getResult()
                 : arith::MinSIOp::create(b, x, y).getResult();
  })};
}

static Results clampOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  Py lo = c.arg("min"), hi = c.arg("max");
  if (c.name == "clamp_min")
    hi = Py();
  if (c.name == "clamp_max")
    lo = Py();
  if (lo.isNone() && hi.isNone())
    c.in.fail("torch.clamp: At least one of 'min' or 'max' must not be None");
  SmallVector<TensorRef> inputs = {t};
  int loAt = -1, hiAt = -1;
  if (!lo.isNone()) {
    loAt = inputs.size();
    inputs.push_back(c.in.toTensor(lo));
  }
  if (!hi.isNone()) {
    hiAt = inputs.size();
    inputs.push_back(c.in.toTensor(hi));
  }
  DType dtype = resultType(inputs);
  return {pointwise(c, inputs, dtype, dtype, [&](ValueRange v) -> mlir::Value {
    // min(max(x, lo), hi), where NaN anywhere stays.
    auto pick = [&](mlir::Value x, mlir::Value y, bool isMax) -> mlir::Value {
      if (isFloating(dtype)) {
        using P = arith::CmpFPredicate;
        mlir::Value take = arith::CmpFOp::create(b, isMax ? P::OGT : P::OLT, y, x);
        if (!(isMax ? lo : hi).isNumber())
          take = arith::OrIOp::create(b, take, isNan(c, y));
        mlir::Value r = arith::SelectOp::create(b, take, y, x);
        return arith::SelectOp::create(b, isNan(c, x), x, r);
      }
      if (isUnsigned(dtype))
        return isMax ? arith::MaxUIOp::create(b, x, y).getResult()
                     : arith::MinUIOp::create(b, x, y).getResult();
      return isMax ? arith::MaxSIOp::create(b, x, y).getResult()
                   : arith::MinSIOp::create(b, x, y).getResult();
    };
    mlir::Value x = v[0];
    if (loAt >= 0)
      x = pick(x, v[loAt], true);
    if (hiAt >= 0)
      x = pick(x, v[hiAt], false);
    return x;
  })};
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

template <typename Op> static Results floatFn(Call &c) {
  return {unaryFloat(c, [&](mlir::Value v) -> mlir::Value { return Op::create(c.in.b, v); })};
}

/// floor, ceil, trunc, round: integers stay as they are.
template <typename Op> static Results roundFn(Call &c) {
  TensorRef t = c.tensor(0);
  if (!isFloating(t->dtype)) {
    if (t->dtype == DType::Bool)
      c.in.fail(c.name.str() + " is not implemented for bool");
    return {Py::of(c.in.make(c.in.read(t), t->dtype))};
  }
  return floatFn<Op>(c);
}

static Results negOp(Call &c) {
  TensorRef t = c.tensor(0);
  if (t->dtype == DType::Bool)
    c.in.fail("Negation, the `-` operator, on a bool tensor is not supported. If "
              "you are trying to invert a mask, use the `~` or `logical_not()` "
              "operator instead.");
  return {pointwise(c, {t}, t->dtype, t->dtype, [&](ValueRange v) -> mlir::Value {
    if (isFloating(t->dtype))
      return arith::NegFOp::create(c.in.b, v[0]);
    return arith::SubIOp::create(c.in.b, c.in.number(v[0], 0), v[0]);
  })};
}

static Results absOp(Call &c) {
  TensorRef t = c.tensor(0);
  return {pointwise(c, {t}, t->dtype, t->dtype, [&](ValueRange v) -> mlir::Value {
    if (isFloating(t->dtype))
      return math::AbsFOp::create(c.in.b, v[0]);
    if (isUnsigned(t->dtype))
      return v[0];
    return math::AbsIOp::create(c.in.b, v[0]);
  })};
}

static Results signOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  return {pointwise(c, {t}, t->dtype, t->dtype, [&](ValueRange v) -> mlir::Value {
    if (isUnsigned(t->dtype) && t->dtype == DType::Bool)
      return v[0];
    mlir::Value zero = c.in.number(v[0], 0);
    mlir::Value one = c.in.number(v[0], 1), minus = c.in.number(v[0], -1);
    mlir::Value pos, neg;
    if (isFloating(t->dtype)) {
      pos = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, v[0], zero);
      neg = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, v[0], zero);
    } else if (isUnsigned(t->dtype)) {
      pos = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, v[0], zero);
      return arith::SelectOp::create(b, pos, one, zero);
    } else {
      pos = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, v[0], zero);
      neg = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, v[0], zero);
    }
    return arith::SelectOp::create(b, pos, one,
                                   arith::SelectOp::create(b, neg, minus, zero));
  })};
}

static Results reluOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  return {pointwise(c, {t}, t->dtype, t->dtype, [&](ValueRange v) -> mlir::Value {
    mlir::Value zero = c.in.number(v[0], 0);
    if (isFloating(t->dtype)) {
      // clamp_min: NaN stays, and so does -0.
      mlir::Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, v[0], zero);
      return arith::SelectOp::create(b, below, zero, v[0]);
    }
    if (isUnsigned(t->dtype))
      return v[0];
    return arith::MaxSIOp::create(b, v[0], zero);
  })};
}

static Results sigmoidOp(Call &c) {
  return {unaryFloat(c, [&](mlir::Value v) -> mlir::Value {
    auto &b = c.in.b;
    mlir::Value one = c.in.number(v, 1);
    mlir::Value e = math::ExpOp::create(b, arith::SubFOp::create(b, c.in.number(v, 0), v));
    return arith::DivFOp::create(b, one, arith::AddFOp::create(b, one, e));
  })};
}

static Results reciprocalOp(Call &c) {
  return {unaryFloat(c, [&](mlir::Value v) -> mlir::Value {
    return arith::DivFOp::create(c.in.b, c.in.number(v, 1), v);
  })};
}

static Results rsqrtOp(Call &c) {
  return {unaryFloat(c, [&](mlir::Value v) -> mlir::Value {
    return arith::DivFOp::create(c.in.b, c.in.number(v, 1), math::SqrtOp::create(c.in.b, v));
  })};
}

static Results squareOp(Call &c) {
  // pow(self, 2), which makes bool an integer.
  Py self = c.args[0];
  if (c.tensor(0)->dtype == DType::Bool)
    self = Py::of(c.in.convert(c.tensor(0), DType::Int64));
  return c.in.callOp("mul.Tensor", {self, self}, {"self", "other"});
}

template <arith::CmpFPredicate predicate> static Results classify(Call &c) {
  TensorRef t = c.tensor(0);
  if (!isFloating(t->dtype)) {
    bool value = c.name == "isfinite";
    return {Py::of(c.in.make(c.in.splat(t->sizes, DType::Bool, Py::ofBool(value)), DType::Bool))};
  }
  return {pointwise(c, {t}, t->dtype, DType::Bool, [&](ValueRange v) -> mlir::Value {
    if (c.name == "isnan")
      return isNan(c, v[0]);
    mlir::Value inf = c.in.number(v[0], INFINITY);
    return arith::CmpFOp::create(c.in.b, predicate, math::AbsFOp::create(c.in.b, v[0]), inf);
  })};
}

//===----------------------------------------------------------------------===//
// Comparisons and logic
//===----------------------------------------------------------------------===//

template <int op> static Results compareOp(Call &c) { // eq ne lt le gt ge
  Binary p = binary(c);
  auto &b = c.in.b;
  return {pointwise(c, {p.a, p.b}, p.dtype, DType::Bool, [&](ValueRange v) -> mlir::Value {
    using F = arith::CmpFPredicate;
    using I = arith::CmpIPredicate;
    static const F floats[] = {F::OEQ, F::UNE, F::OLT, F::OLE, F::OGT, F::OGE};
    static const I ints[] = {I::eq, I::ne, I::slt, I::sle, I::sgt, I::sge};
    static const I uints[] = {I::eq, I::ne, I::ult, I::ule, I::ugt, I::uge};
    if (isFloating(p.dtype))
      return arith::CmpFOp::create(b, floats[op], v[0], v[1]);
    return arith::CmpIOp::create(b, (isUnsigned(p.dtype) ? uints : ints)[op], v[0], v[1]);
  })};
}

template <int op> static Results logicalOp(Call &c) { // and or xor
  TensorRef a = c.tensor(0), d = c.tensor(1);
  return {pointwise(c, {c.in.convert(a, DType::Bool), c.in.convert(d, DType::Bool)}, DType::Bool,
                    DType::Bool, [&](ValueRange v) -> mlir::Value {
                      if (op == 0)
                        return arith::AndIOp::create(c.in.b, v[0], v[1]);
                      if (op == 1)
                        return arith::OrIOp::create(c.in.b, v[0], v[1]);
                      return arith::XOrIOp::create(c.in.b, v[0], v[1]);
                    })};
}
static Results logicalNotOp(Call &c) {
  TensorRef a = c.in.convert(c.tensor(0), DType::Bool);
  return {pointwise(c, {a}, DType::Bool, DType::Bool, [&](ValueRange v) -> mlir::Value {
    return arith::XOrIOp::create(c.in.b, v[0], c.in.number(v[0], 1));
  })};
}

template <int op> static Results bitwiseOp(Call &c) { // and or xor shl shr
  Binary p = binary(c);
  if (isFloating(p.dtype))
    c.in.fail(c.name.str() + " is not implemented for " + dtypeName(p.dtype));
  auto &b = c.in.b;
  return {pointwise(c, {p.a, p.b}, p.dtype, p.dtype, [&](ValueRange v) -> mlir::Value {
    switch (op) {
    case 0: return arith::AndIOp::create(b, v[0], v[1]);
    case 1: return arith::OrIOp::create(b, v[0], v[1]);
    case 2: return arith::XOrIOp::create(b, v[0], v[1]);
    default: {
      // Out of range: 0 for left shifts, the sign for right shifts.
      unsigned bits = getElementTypeOrSelf(v[0].getType()).getIntOrFloatBitWidth();
      mlir::Value zero = c.in.number(v[0], 0), last = c.in.number(v[0], bits - 1);
      mlir::Value bad = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, v[1], last);
      mlir::Value safe = arith::SelectOp::create(b, bad, op == 3 ? zero : last, v[1]);
      if (op == 3)
        return arith::SelectOp::create(b, bad, zero, arith::ShLIOp::create(b, v[0], safe));
      if (isUnsigned(p.dtype))
        return arith::SelectOp::create(b, bad, zero, arith::ShRUIOp::create(b, v[0], safe));
      return arith::ShRSIOp::create(b, v[0], safe);
    }
    }
  })};
}
static Results bitwiseNotOp(Call &c) {
  TensorRef t = c.tensor(0);
  if (isFloating(t->dtype))
    c.in.fail("bitwise_not is not implemented for " + dtypeName(t->dtype));
  return {pointwise(c, {t}, t->dtype, t->dtype, [&](ValueRange v) -> mlir::Value {
    return arith::XOrIOp::create(c.in.b, v[0],
                                 c.in.number(v[0], t->dtype == DType::Bool ? 1 : -1));
  })};
}

static Results whereOp(Call &c) {
  if (c.args.size() == 1)
    return c.in.callOp("nonzero_numpy", {c.args[0]}, {"self"});
  TensorRef mask = c.in.convert(c.tensor(0), DType::Bool);
  TensorRef x = c.tensor(1), y = c.tensor(2);
  DType dtype = resultType({x, y});
  auto &in = c.in;
  mlir::Value m = in.read(mask);
  mlir::Value p = in.convert(in.read(x), x->dtype, dtype);
  mlir::Value q = in.convert(in.read(y), y->dtype, dtype);
  mlir::Value r = in.elementwise({m, p, q}, elementType(in.b.getContext(), dtype),
                                 [&](ValueRange v) -> mlir::Value {
                                   return arith::SelectOp::create(in.b, v[0], v[1], v[2]);
                                 });
  TensorRef result = in.make(r, dtype);
  if (isProgramOp(c))
    orderAsInputs({mask, x, y}, result);
  return {Py::of(result)};
}

static Results maskedFillOp(Call &c) {
  TensorRef self = c.tensor(0), value = c.in.toTensor(c.arg("value"));
  if (value->rank() != 0)
    c.in.fail("masked_fill only supports a 0-dimensional value tensor, but got "
              "tensor with " + std::to_string(value->rank()) + " dimension(s).");
  mlir::Value v = c.in.convert(c.in.read(value), value->dtype, self->dtype);
  mlir::Value r = c.in.elementwise(
      {c.in.read(c.tensor("mask")), v, c.in.read(self)},
      elementType(c.in.b.getContext(), self->dtype), [&](ValueRange v) -> mlir::Value {
        return arith::SelectOp::create(c.in.b, v[0], v[1], v[2]);
      });
  return {c.in.makeValue(r, self->dtype)};
}

static Results atan2Op(Call &c) {
  Binary p = binary(c);
  DType dtype = toFloat(p.dtype);
  return {pointwise(c, {p.a, p.b}, dtype, dtype, [&](ValueRange v) -> mlir::Value {
    return math::Atan2Op::create(c.in.b, v[0], v[1]);
  })};
}

static Results copysignOp(Call &c) {
  Binary p = binary(c);
  DType dtype = toFloat(p.dtype);
  return {pointwise(c, {p.a, p.b}, dtype, dtype, [&](ValueRange v) -> mlir::Value {
    return math::CopySignOp::create(c.in.b, v[0], v[1]);
  })};
}

/// addcmul and addcdiv: self + (value * t1) * t2, the last step an FMA in
/// PyTorch's kernels, or self + (value * t1) / t2.
template <bool isDiv> static Results addcOp(Call &c) {
  TensorRef self = c.tensor("self"), p = c.tensor("tensor1"), q = c.tensor("tensor2");
  auto &b = c.in.b;
  DType dtype = resultType({self, p, q});
  if (isDiv && !isFloating(dtype))
    c.in.fail("Integer division with addcdiv is no longer supported");
  Py value = c.isNone("value") ? Py::ofInt((int64_t)1) : c.arg("value");
  if (value.kind == Py::Float && !isFloating(dtype))
    c.in.fail("value cannot be a float where the tensors hold integers");
  TensorRef factor = c.in.toTensor(value);
  bool scaled = !isOne(value);
  return {pointwise(c, {self, p, q, factor}, dtype, dtype, [&](ValueRange v) -> mlir::Value {
    mlir::Value x = v[1];
    if (!isFloating(dtype)) {
      if (dtype == DType::Bool)
        return arith::OrIOp::create(b, v[0], arith::AndIOp::create(b, x, v[2]));
      x = arith::MulIOp::create(b, arith::MulIOp::create(b, v[3], x), v[2]);
      return arith::AddIOp::create(b, v[0], x);
    }
    if (scaled)
      x = arith::MulFOp::create(b, v[3], x);
    if (isDiv)
      return arith::AddFOp::create(b, v[0], arith::DivFOp::create(b, x, v[2]));
    return math::FmaOp::create(b, x, v[2], v[0]);
  }, 3)};
}

ArrayRef<OpRow> import::pointwiseOps() {
  static const OpRow rows[] = {
      {"add", addOp}, {"sub", subOp}, {"rsub", rsubOp}, {"subtract", subOp},
      {"mul", mulOp}, {"multiply", mulOp}, {"div", divOp}, {"divide", divOp},
      {"true_divide", divOp}, {"floor_divide", floorDivideOp},
      {"remainder", remainderOp}, {"fmod", fmodOp}, {"pow", powOp},
      {"maximum", extremum<true, false>}, {"minimum", extremum<false, false>},
      {"max.other", extremum<true, false>}, {"min.other", extremum<false, false>},
      {"fmax", extremum<true, true>}, {"fmin", extremum<false, true>},
      {"clamp", clampOp}, {"clamp_min", clampOp}, {"clamp_max", clampOp}, {"clip", clampOp},
      {"neg", negOp}, {"negative", negOp}, {"abs", absOp}, {"absolute", absOp},
      {"sign", signOp}, {"sgn", signOp}, {"relu", reluOp}, {"sigmoid", sigmoidOp},
      {"reciprocal", reciprocalOp}, {"rsqrt", rsqrtOp}, {"square", squareOp},
      {"exp", floatFn<math::ExpOp>}, {"exp2", floatFn<math::Exp2Op>},
      {"expm1", floatFn<math::ExpM1Op>}, {"log", floatFn<math::LogOp>},
      {"log2", floatFn<math::Log2Op>}, {"log10", floatFn<math::Log10Op>},
      {"log1p", floatFn<math::Log1pOp>}, {"sqrt", floatFn<math::SqrtOp>},
      {"sin", floatFn<math::SinOp>}, {"cos", floatFn<math::CosOp>},
      {"tan", floatFn<math::TanOp>}, {"asin", floatFn<math::AsinOp>},
      {"acos", floatFn<math::AcosOp>}, {"atan", floatFn<math::AtanOp>},
      {"sinh", floatFn<math::SinhOp>}, {"cosh", floatFn<math::CoshOp>},
      {"tanh", floatFn<math::TanhOp>}, {"asinh", floatFn<math::AsinhOp>},
      {"acosh", floatFn<math::AcoshOp>}, {"atanh", floatFn<math::AtanhOp>},
      {"erf", floatFn<math::ErfOp>}, {"erfc", floatFn<math::ErfcOp>},
      {"floor", roundFn<math::FloorOp>}, {"ceil", roundFn<math::CeilOp>},
      {"trunc", roundFn<math::TruncOp>}, {"fix", roundFn<math::TruncOp>},
      {"round", roundFn<math::RoundEvenOp>},
      {"isnan", classify<arith::CmpFPredicate::OEQ>},
      {"isinf", classify<arith::CmpFPredicate::OEQ>},
      {"isfinite", classify<arith::CmpFPredicate::OLT>},
      {"eq", compareOp<0>}, {"ne", compareOp<1>}, {"lt", compareOp<2>},
      {"le", compareOp<3>}, {"gt", compareOp<4>}, {"ge", compareOp<5>},
      {"logical_and", logicalOp<0>}, {"logical_or", logicalOp<1>},
      {"logical_xor", logicalOp<2>}, {"logical_not", logicalNotOp},
      {"bitwise_and", bitwiseOp<0>}, {"bitwise_or", bitwiseOp<1>},
      {"bitwise_xor", bitwiseOp<2>}, {"__and__", bitwiseOp<0>},
      {"__or__", bitwiseOp<1>}, {"__xor__", bitwiseOp<2>},
      {"__iand__", bitwiseOp<0>}, {"__ior__", bitwiseOp<1>}, {"__ixor__", bitwiseOp<2>},
      {"bitwise_left_shift", bitwiseOp<3>}, {"bitwise_right_shift", bitwiseOp<4>},
      {"__lshift__", bitwiseOp<3>}, {"__rshift__", bitwiseOp<4>},
      {"bitwise_not", bitwiseNotOp}, {"where", whereOp}, {"masked_fill", maskedFillOp},
      {"atan2", atan2Op}, {"arctan2", atan2Op}, {"copysign", copysignOp},
      {"addcmul", addcOp<false>}, {"addcdiv", addcOp<true>},
  };
  return rows;
}
