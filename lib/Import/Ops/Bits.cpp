//===- Bits.cpp - Floats as bits, queries of dtypes, second names ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

/// Integers of the width of a float, which hold its bits.
static mlir::Value bitsOf(Call &c, mlir::Value v) {
  Type element = getElementTypeOrSelf(v.getType());
  Type integer = c.in.b.getIntegerType(element.getIntOrFloatBitWidth());
  return arith::BitcastOp::create(c.in.b, Interpreter::withElement(v.getType(), integer), v);
}

static mlir::Value intNumber(Call &c, mlir::Value like, int64_t v) {
  auto type = cast<RankedTensorType>(like.getType());
  auto attr = IntegerAttr::get(type.getElementType(), v);
  if (type.hasStaticShape())
    return arith::ConstantOp::create(c.in.b, DenseElementsAttr::get(type, Attribute(attr)));
  return c.in.broadcastTo(
      arith::ConstantOp::create(c.in.b, DenseElementsAttr::get(
          RankedTensorType::get({}, type.getElementType()), Attribute(attr))),
      c.in.sizesOf(like));
}

static Results nextafterOp(Call &c) {
  struct { TensorRef a, b; DType dtype; } p{c.tensor(0), c.tensor(1), {}};
  p.dtype = resultType({p.a, p.b});
  auto &b = c.in.b;
  if (!isFloating(p.dtype))
    c.in.fail("nextafter is not implemented for " + dtypeName(p.dtype));
  mlir::Value r = c.in.elementwise(
      {c.in.convert(c.in.read(p.a), p.a->dtype, p.dtype),
       c.in.convert(c.in.read(p.b), p.b->dtype, p.dtype)},
      elementType(b.getContext(), p.dtype), [&](ValueRange v) -> mlir::Value {
        using F = arith::CmpFPredicate;
        mlir::Value x = v[0], y = v[1], zero = c.in.number(x, 0);
        mlir::Value bits = bitsOf(c, x), one = intNumber(c, bits, 1);
        // Away from zero the bits go up.
        mlir::Value up = arith::CmpFOp::create(b, F::OLT, x, y);
        mlir::Value positive = arith::CmpFOp::create(b, F::OGT, x, zero);
        mlir::Value away = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, up, positive);
        mlir::Value next = arith::SelectOp::create(
            b, away, arith::AddIOp::create(b, bits, one), arith::SubIOp::create(b, bits, one));
        mlir::Value stepped = arith::BitcastOp::create(b, x.getType(), next);
        mlir::Value least = arith::BitcastOp::create(b, x.getType(), one);
        least = math::CopySignOp::create(b, least, y);
        mlir::Value isZero = arith::CmpFOp::create(b, F::OEQ, x, zero);
        stepped = arith::SelectOp::create(b, isZero, least, stepped);
        mlir::Value same = arith::CmpFOp::create(b, F::OEQ, x, y);
        stepped = arith::SelectOp::create(b, same, y, stepped);
        mlir::Value odd = arith::CmpFOp::create(b, F::UNO, x, y);
        return arith::SelectOp::create(b, odd, arith::AddFOp::create(b, x, y), stepped);
      });
  return {c.in.makeValue(r, p.dtype)};
}

/// The mantissa in [0.5, 1) and the exponent, by way of float64.
static Results frexpOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (!isFloating(t->dtype))
    c.in.fail("torch.frexp() only supports floating-point dtypes");
  using I = arith::CmpIPredicate;
  mlir::Value x = c.in.convert(c.in.read(t), t->dtype, DType::Double);
  auto exponentOf = [&](mlir::Value v) {
    mlir::Value bits = bitsOf(c, v);
    bits = arith::ShRUIOp::create(b, bits, intNumber(c, bits, 52));
    return arith::AndIOp::create(b, bits, intNumber(c, bits, 0x7ff)).getResult();
  };
  mlir::Value e = exponentOf(x);
  // Subnormal ones are scaled up first.
  mlir::Value tiny = arith::CmpIOp::create(b, I::eq, e, intNumber(c, e, 0));
  mlir::Value y = arith::SelectOp::create(
      b, tiny, arith::MulFOp::create(b, x, c.in.number(x, 18014398509481984.0)), x);
  e = exponentOf(y);
  mlir::Value bits = bitsOf(c, y);
  mlir::Value kept = arith::AndIOp::create(b, bits, intNumber(c, bits, ~(0x7ffll << 52)));
  kept = arith::OrIOp::create(b, kept, intNumber(c, bits, 1022ll << 52));
  mlir::Value mantissa = arith::BitcastOp::create(b, x.getType(), kept);
  mlir::Value bias = arith::SelectOp::create(b, tiny, intNumber(c, e, 1022 + 54), intNumber(c, e, 1022));
  mlir::Value exponent = arith::SubIOp::create(b, e, bias);
  // 0, infinity and NaN stay as they are, with an exponent of 0.
  mlir::Value odd = arith::OrIOp::create(
      b, arith::CmpIOp::create(b, I::eq, e, intNumber(c, e, 0x7ff)),
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, c.in.number(x, 0)));
  mantissa = arith::SelectOp::create(b, odd, x, mantissa);
  exponent = arith::SelectOp::create(b, odd, intNumber(c, e, 0), exponent);
  return {c.in.makeValue(c.in.convert(mantissa, DType::Double, t->dtype), t->dtype),
          c.in.makeValue(c.in.convert(exponent, DType::Int64, DType::Int32), DType::Int32)};
}

static Results resultTypeOp(Call &c) {
  return {Py::ofInt((int64_t)resultType({c.in.toTensor(c.args[0]), c.in.toTensor(c.args[1])}))};
}
static Results promoteTypesOp(Call &c) {
  return {Py::ofInt((int64_t)promote((DType)c.args[0].i, (DType)c.args[1].i))};
}

/// Of real tensors: themselves.
static Results realOp(Call &c) { return {c.args[0]}; }
static Results refuseReal(Call &c) {
  c.in.fail(c.name.str() + ": complex tensors are not supported");
}

/// Ops that are another one under a second name.
static Results aliasOp(Call &c) {
  static const llvm::StringMap<const char *> names = {
      {"special_erf", "erf"}, {"special_erfc", "erfc"}, {"special_erfinv", "erfinv"},
      {"special_exp2", "exp2"}, {"special_expm1", "expm1"}, {"special_log1p", "log1p"},
      {"special_expit", "sigmoid"}, {"special_logit", "logit"},
      {"special_gammaln", "lgamma"}, {"special_digamma", "digamma"},
      {"special_psi", "digamma"}, {"special_i0", "i0"}, {"special_sinc", "sinc"},
      {"special_xlogy", "xlogy"}, {"special_multigammaln", "mvlgamma"},
      {"special_round", "round"}, {"special_softmax", "softmax"},
      {"special_log_softmax", "log_softmax"}, {"special_logsumexp", "logsumexp"},
      {"special_gammainc", "igamma"}, {"special_gammaincc", "igammac"},
      {"arccos", "acos"}, {"arcsin", "asin"}, {"arctan", "atan"}, {"arccosh", "acosh"},
      {"arcsinh", "asinh"}, {"arctanh", "atanh"}, {"greater", "gt"},
      {"greater_equal", "ge"}, {"less", "lt"}, {"less_equal", "le"}, {"not_equal", "ne"},
      };
  std::string name = names.lookup(c.name);
  if (!c.overload.empty())
    name += "." + c.overload.str();
  return c.in.callOp(name, c.args, c.argNames);
}

static Results roundDecimalsOp(Call &c) {
  return c.in.callOp("round_decimals", {c.arg("self"), c.arg("decimals")}, {"self", "decimals"});
}

ArrayRef<OpRow> import::bitOps() {
  static const OpRow rows[] = {
      {"nextafter", nextafterOp}, {"frexp", frexpOp}, {"result_type", resultTypeOp},
      {"promote_types", promoteTypesOp}, {"real", realOp}, {"conj", realOp},
      {"_conj", realOp}, {"conj_physical", realOp}, {"_conj_physical", realOp},
      {"resolve_conj", realOp}, {"resolve_neg", realOp}, {"imag", refuseReal},
      {"view_as_real", refuseReal}, {"view_as_complex", refuseReal},
      {"complex", refuseReal}, {"polar", refuseReal},
      {"round.decimals", roundDecimalsOp}, {"special_round.decimals", roundDecimalsOp},
#define ALIAS(name) {name, aliasOp}
      ALIAS("special_erf"), ALIAS("special_erfc"), ALIAS("special_erfinv"),
      ALIAS("special_exp2"), ALIAS("special_expm1"), ALIAS("special_log1p"),
      ALIAS("special_expit"), ALIAS("special_logit"), ALIAS("special_gammaln"),
      ALIAS("special_digamma"), ALIAS("special_psi"), ALIAS("special_i0"),
      ALIAS("special_sinc"), ALIAS("special_xlogy"), ALIAS("special_multigammaln"),
      ALIAS("special_round"), ALIAS("special_softmax"), ALIAS("special_log_softmax"),
      ALIAS("special_logsumexp"), ALIAS("special_gammainc"), ALIAS("special_gammaincc"),
      ALIAS("arccos"), ALIAS("arcsin"), ALIAS("arctan"), ALIAS("arccosh"),
      ALIAS("arcsinh"), ALIAS("arctanh"), ALIAS("greater"), ALIAS("greater_equal"),
      ALIAS("less"), ALIAS("less_equal"), ALIAS("not_equal"),
#undef ALIAS
  };
  return rows;
}
