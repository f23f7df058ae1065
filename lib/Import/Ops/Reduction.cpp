//===- Reduction.cpp - Reductions ---===//
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

namespace {
/// The result of a reduction over `dims`.
struct Reduced {
  SmallVector<Dim> kept, withOnes;
  AffineMap in, out;
  SmallVector<utils::IteratorType> iterators;
};
} // namespace

static Reduced plan(Call &c, const TensorRef &t, ArrayRef<int64_t> dims) {
  Reduced r;
  auto &b = c.in.b;
  SmallVector<AffineExpr> out;
  for (int64_t d = 0; d < t->rank(); ++d) {
    bool reduced = llvm::is_contained(dims, d);
    r.iterators.push_back(reduced ? utils::IteratorType::reduction
                                  : utils::IteratorType::parallel);
    r.withOnes.push_back(reduced ? Dim(b.getIndexAttr(1)) : t->sizes[d]);
    if (!reduced) {
      r.kept.push_back(t->sizes[d]);
      out.push_back(b.getAffineDimExpr(d));
    }
  }
  r.in = AffineMap::getMultiDimIdentityMap(t->rank(), b.getContext());
  r.out = AffineMap::get(t->rank(), 0, out, b.getContext());
  return r;
}

/// Reduces `value` over `dims`, beginning with `init`, by `combine`.
static mlir::Value reduce(Call &c, const TensorRef &t, mlir::Value value,
                          ArrayRef<int64_t> dims, bool keepdim, mlir::Value init,
                          llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine) {
  auto &b = c.in.b;
  Reduced p = plan(c, t, dims);
  Type element = init.getType();
  mlir::Value start =
      linalg::FillOp::create(b, init, c.in.empty(p.kept, element)).getResult(0);
  auto op = linalg::GenericOp::create(b, TypeRange{start.getType()}, ValueRange{value},
                                      ValueRange{start}, ArrayRef{p.in, p.out}, p.iterators);
  {
    OpBuilder::InsertionGuard guard(b);
    Type inElement = getElementTypeOrSelf(value.getType());
    Block *block = b.createBlock(&op.getRegion(), {}, {inElement, element},
                                 {b.getLoc(), b.getLoc()});
    b.setInsertionPointToStart(block);
    linalg::YieldOp::create(b, combine(block->getArgument(1), block->getArgument(0)));
  }
  mlir::Value r = op.getResult(0);
  return keepdim ? c.in.reshape(r, p.withOnes) : r;
}

static Dim countOf(Call &c, const TensorRef &t, ArrayRef<int64_t> dims) {
  SmallVector<Dim> sizes;
  for (int64_t d : dims)
    sizes.push_back(t->sizes[d]);
  return c.in.product(sizes);
}

static mlir::Value sumTo(Call &c, const TensorRef &t, DType dtype,
                         ArrayRef<int64_t> dims, bool keepdim) {
  // float16 and bfloat16 accumulate in float32.
  DType compute = computeType(dtype);
  mlir::Value v = c.in.convert(c.in.read(t), t->dtype, compute);
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), compute);
  auto &b = c.in.b;
  mlir::Value r = reduce(c, t, v, dims, keepdim, zero,
                         [&](mlir::Value acc, mlir::Value x) -> mlir::Value {
                           if (isFloating(compute))
                             return arith::AddFOp::create(b, acc, x);
                           return arith::AddIOp::create(b, acc, x);
                         });
  return c.in.convert(r, compute, dtype);
}

static Results sumOp(Call &c) {
  TensorRef t = c.tensor(0);
  DType dtype = dtypeArg(c, isIntegral(t->dtype, true) ? DType::Int64 : t->dtype);
  auto dims = dimsArg(c, t);
  return {c.in.makeValue(sumTo(c, t, dtype, dims, c.boolean("keepdim")), dtype)};
}

static Results meanOp(Call &c) {
  TensorRef t = c.tensor(0);
  DType dtype = dtypeArg(c, t->dtype);
  if (!isFloating(dtype))
    c.in.fail("mean(): could not infer output dtype. Input dtype must be either a "
              "floating point or complex dtype. Got: " + dtypeName(dtype));
  auto dims = dimsArg(c, t);
  // PyTorch's CPU kernel: sum, then divide by the count.
  DType compute = computeType(dtype);
  mlir::Value s = sumTo(c, t, compute, dims, c.boolean("keepdim"));
  TensorRef total = c.in.make(s, compute);
  TensorRef count = c.in.toTensor(c.in.fromDim(countOf(c, t, dims)));
  Py r = pointwise(c, {total, count}, compute, compute, [&](ValueRange v) -> mlir::Value {
    return arith::DivFOp::create(c.in.b, v[0], v[1]);
  });
  return {Py::of(c.in.convert(r.tensor, dtype))};
}

static Results prodOp(Call &c) {
  TensorRef t = c.tensor(0);
  DType dtype = dtypeArg(c, isIntegral(t->dtype, true) ? DType::Int64 : t->dtype);
  auto dims = dimsArg(c, t);
  DType compute = computeType(dtype);
  auto &b = c.in.b;
  mlir::Value r = reduce(c, t, c.in.convert(c.in.read(t), t->dtype, compute), dims,
                         c.boolean("keepdim"), c.in.scalar(Py::ofInt((int64_t)1), compute),
                         [&](mlir::Value acc, mlir::Value x) -> mlir::Value {
                           if (isFloating(compute))
                             return arith::MulFOp::create(b, acc, x);
                           return arith::MulIOp::create(b, acc, x);
                         });
  return {c.in.makeValue(c.in.convert(r, compute, dtype), dtype)};
}

template <bool isAll> static Results anyAll(Call &c) {
  TensorRef t = c.tensor(0);
  auto dims = dimsArg(c, t);
  auto &b = c.in.b;
  mlir::Value v = c.in.convert(c.in.read(t), t->dtype, DType::Bool);
  mlir::Value r = reduce(c, t, v, dims, c.boolean("keepdim"),
                         c.in.scalar(Py::ofBool(isAll), DType::Bool),
                         [&](mlir::Value acc, mlir::Value x) -> mlir::Value {
                           if (isAll)
                             return arith::AndIOp::create(b, acc, x);
                           return arith::OrIOp::create(b, acc, x);
                         });
  DType out = t->dtype == DType::UInt8 ? DType::UInt8 : DType::Bool;
  return {c.in.makeValue(c.in.convert(r, DType::Bool, out), out)};
}

static Py lowest(DType dtype, bool wantMax) {
  // Where a maximum starts.
  if (isFloating(dtype))
    return Py::ofFloat(wantMax ? -INFINITY : INFINITY);
  switch (dtype) {
  case DType::Bool: return Py::ofBool(!wantMax);
  case DType::UInt8: return Py::ofInt((int64_t)(wantMax ? 0 : 255));
  case DType::Int8: return Py::ofInt((int64_t)(wantMax ? INT8_MIN : INT8_MAX));
  case DType::Int16: return Py::ofInt((int64_t)(wantMax ? INT16_MIN : INT16_MAX));
  case DType::Int32: return Py::ofInt((int64_t)(wantMax ? INT32_MIN : INT32_MAX));
  default: return Py::ofInt((int64_t)(wantMax ? INT64_MIN : INT64_MAX));
  }
}

static void refuseEmpty(Call &c, const TensorRef &t, ArrayRef<int64_t> dims) {
  for (int64_t d : dims) {
    int64_t n = c.in.staticDim(t->sizes[d]);
    std::string text = c.name.str() + "(): Expected reduction dim " + std::to_string(d) +
                       " to have non-zero size.";
    if (n == 0)
      c.in.fail(text);
    if (n == ShapedType::kDynamic)
      c.in.runtimeAssert(arith::CmpIOp::create(c.in.b, arith::CmpIPredicate::ne,
                                               c.in.index(t->sizes[d]),
                                               arith::ConstantIndexOp::create(c.in.b, 0)),
                         text);
  }
}

/// amax and amin, and max() and min() of a whole tensor: NaN wins.
template <bool isMax> static Results extremeOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto dims = dimsArg(c, t);
  refuseEmpty(c, t, dims);
  auto &b = c.in.b;
  mlir::Value init = c.in.scalar(lowest(t->dtype, isMax), t->dtype);
  mlir::Value r = reduce(c, t, c.in.read(t), dims, c.boolean("keepdim"), init,
                         [&](mlir::Value acc, mlir::Value x) -> mlir::Value {
                           if (isFloating(t->dtype))
                             return isMax ? arith::MaximumFOp::create(b, acc, x).getResult()
                                          : arith::MinimumFOp::create(b, acc, x).getResult();
                           if (isUnsigned(t->dtype))
                             return isMax ? arith::MaxUIOp::create(b, acc, x).getResult()
                                          : arith::MinUIOp::create(b, acc, x).getResult();
                           return isMax ? arith::MaxSIOp::create(b, acc, x).getResult()
                                        : arith::MinSIOp::create(b, acc, x).getResult();
                         });
  return {c.in.makeValue(r, t->dtype)};
}

/// Values and indices of the extremes along one dimension: the first one wins,
/// and the first NaN before all.
static std::pair<mlir::Value, mlir::Value> extremeAlong(Call &c, TensorRef t, int64_t dim,
                                                        bool keepdim, bool isMax) {
  auto &b = c.in.b;
  if (t->rank() == 0) {
    mlir::Value zero = c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0));
    return {c.in.read(t), zero};
  }
  refuseEmpty(c, t, {dim});
  Reduced p = plan(c, t, {dim});
  Type element = t->type.getElementType();
  mlir::Value init = c.in.scalar(lowest(t->dtype, isMax), t->dtype);
  mlir::Value zero = arith::ConstantIntOp::create(b, 0, 64);
  mlir::Value values =
      linalg::FillOp::create(b, init, c.in.empty(p.kept, element)).getResult(0);
  mlir::Value indices =
      linalg::FillOp::create(b, zero, c.in.empty(p.kept, b.getI64Type())).getResult(0);
  auto op = linalg::GenericOp::create(
      b, TypeRange{values.getType(), indices.getType()}, ValueRange{c.in.read(t)},
      ValueRange{values, indices}, ArrayRef{p.in, p.out, p.out}, p.iterators);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(&op.getRegion(), {}, {element, element, b.getI64Type()},
                                 {b.getLoc(), b.getLoc(), b.getLoc()});
    b.setInsertionPointToStart(block);
    mlir::Value x = block->getArgument(0), best = block->getArgument(1), at = block->getArgument(2);
    mlir::Value i = arith::IndexCastOp::create(b, b.getI64Type(), linalg::IndexOp::create(b, dim));
    mlir::Value take;
    if (isFloating(t->dtype)) {
      // Not (x <= best): greater, or NaN; but nothing replaces a NaN.
      using P = arith::CmpFPredicate;
      mlir::Value beats = arith::CmpFOp::create(b, isMax ? P::UGT : P::ULT, x, best);
      mlir::Value free = arith::CmpFOp::create(b, P::ORD, best, best);
      take = arith::AndIOp::create(b, beats, free);
    } else {
      using P = arith::CmpIPredicate;
      P pred = isUnsigned(t->dtype) ? (isMax ? P::ugt : P::ult) : (isMax ? P::sgt : P::slt);
      take = arith::CmpIOp::create(b, pred, x, best);
    }
    linalg::YieldOp::create(b, ValueRange{arith::SelectOp::create(b, take, x, best),
                                          arith::SelectOp::create(b, take, i, at)});
  }
  mlir::Value v = op.getResult(0), i = op.getResult(1);
  if (keepdim) {
    v = c.in.reshape(v, p.withOnes);
    i = c.in.reshape(i, p.withOnes);
  }
  return {v, i};
}

template <bool isMax> static Results extremeDim(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  auto [v, i] = extremeAlong(c, t, dim, c.boolean("keepdim"), isMax);
  return {c.in.makeValue(v, t->dtype), c.in.makeValue(i, DType::Int64)};
}

template <bool isMax> static Results argExtreme(Call &c) {
  TensorRef t = c.tensor(0);
  bool keepdim = c.boolean("keepdim");
  if (!c.isNone("dim")) {
    int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
    return {c.in.makeValue(extremeAlong(c, t, dim, keepdim, isMax).second, DType::Int64)};
  }
  mlir::Value flat = c.in.reshape(c.in.read(t), {c.in.product(t->sizes)});
  auto [v, i] = extremeAlong(c, c.in.make(flat, t->dtype), 0, false, isMax);
  if (keepdim)
    i = c.in.reshape(i, SmallVector<Dim>(t->rank(), c.in.b.getIndexAttr(1)));
  return {c.in.makeValue(i, DType::Int64)};
}

static Results countNonzero(Call &c) {
  TensorRef t = c.tensor(0);
  auto dims = dimsArg(c, t);
  TensorRef b = c.in.convert(c.in.convert(t, DType::Bool), DType::Int64);
  return {c.in.makeValue(sumTo(c, b, DType::Int64, dims, false), DType::Int64)};
}

//===----------------------------------------------------------------------===//
// Variance
//===----------------------------------------------------------------------===//

static bool isOne(Call &c, ArrayRef<Dim> kept) {
  return llvm::all_of(kept, [&](Dim d) { return c.in.staticDim(d) == 1; });
}

/// std, var, std_mean and var_mean. PyTorch's kernels: Welford's algorithm in
/// float64 (SharedReduceOps.h), or, where there is one result without its
/// mean, squared distances from the mean that was rounded to the dtype
/// (std_var_all_cpu).
template <bool takeSqrt, bool withMean> static Results varOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (!isFloating(t->dtype))
    c.in.fail(c.name.str() + ": only support floating point and complex dtypes");
  auto dims = dimsArg(c, t);
  bool keepdim = c.boolean("keepdim");
  double correction = 1;
  if (c.has("unbiased")) {
    correction = c.boolean("unbiased", true);
  } else if (!c.isNone("correction")) {
    const Py &v = c.arg("correction");
    if (!v.isStatic())
      c.in.failStatic("the correction of " + c.name.str());
    correction = v.kind == Py::Float ? v.f : (double)v.i;
  }
  DType acc = t->dtype == DType::Half || t->dtype == DType::BFloat16
                  ? DType::Float : DType::Double;
  Type element = elementType(b.getContext(), acc);
  mlir::Value x = c.in.convert(c.in.read(t), t->dtype, acc);
  Reduced p = plan(c, t, dims);
  mlir::Value zero = c.in.scalar(Py::ofFloat(0.0), acc);
  mlir::Value mean, m2;
  mlir::Value count = c.in.convert(
      c.in.splat({}, DType::Int64, c.in.fromDim(countOf(c, t, dims))), DType::Int64, acc);
  bool isEmpty = llvm::any_of(dims, [&](int64_t d) { return c.in.staticDim(t->sizes[d]) == 0; });
  if (!withMean && acc == DType::Double && isOne(c, p.kept)) {
    mlir::Value total = reduce(c, t, x, dims, false, zero, [&](mlir::Value a, mlir::Value v) -> mlir::Value {
      return arith::AddFOp::create(b, a, v);
    });
    mean = c.in.elementwise({total, count}, element, [&](ValueRange v) -> mlir::Value {
      return arith::DivFOp::create(b, v[0], v[1]);
    });
    mean = c.in.convert(c.in.convert(mean, acc, t->dtype), t->dtype, acc);
    mlir::Value centre = c.in.reshape(mean, p.withOnes);
    mlir::Value square = c.in.elementwise({x, centre}, element, [&](ValueRange v) -> mlir::Value {
      mlir::Value d = arith::SubFOp::create(b, v[0], v[1]);
      return arith::MulFOp::create(b, d, d);
    });
    m2 = reduce(c, t, square, dims, false, zero, [&](mlir::Value a, mlir::Value v) -> mlir::Value {
      return arith::AddFOp::create(b, a, v);
    });
  } else {
    mlir::Value start = linalg::FillOp::create(b, zero, c.in.empty(p.kept, element)).getResult(0);
    auto op = linalg::GenericOp::create(b, TypeRange{start.getType(), start.getType(), start.getType()},
                                        ValueRange{x}, ValueRange{start, start, start},
                                        ArrayRef{p.in, p.out, p.out, p.out}, p.iterators);
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(&op.getRegion(), {}, {element, element, element, element},
                                 {b.getLoc(), b.getLoc(), b.getLoc(), b.getLoc()});
    b.setInsertionPointToStart(block);
    mlir::Value v = block->getArgument(0), m = block->getArgument(1), q = block->getArgument(2);
    mlir::Value n = arith::AddFOp::create(b, block->getArgument(3), c.in.scalar(Py::ofFloat(1.0), acc));
    mlir::Value delta = arith::SubFOp::create(b, v, m);
    mlir::Value next = arith::AddFOp::create(b, m, arith::DivFOp::create(b, delta, n));
    mlir::Value rest = arith::SubFOp::create(b, v, next);
    mlir::Value sum = arith::AddFOp::create(b, q, arith::MulFOp::create(b, delta, rest));
    linalg::YieldOp::create(b, ValueRange{next, sum, n});
    mean = op.getResult(0);
    m2 = op.getResult(1);
  }
  // m2 / max(n - correction, 0)
  mlir::Value offset = c.in.splat({}, acc, Py::ofFloat(correction));
  mlir::Value none = c.in.splat({}, acc, Py::ofFloat(0.0));
  mlir::Value divisor = c.in.elementwise({count, offset, none}, element, [&](ValueRange v) -> mlir::Value {
    return arith::MaxNumFOp::create(b, arith::SubFOp::create(b, v[0], v[1]), v[2]);
  });
  mlir::Value var = c.in.elementwise({m2, divisor}, element, [&](ValueRange v) -> mlir::Value {
    mlir::Value r = arith::DivFOp::create(b, v[0], v[1]);
    return takeSqrt ? math::SqrtOp::create(b, r).getResult() : r;
  });
  if (isEmpty) { // of nothing: NaN
    mlir::Value nan = c.in.splat({}, acc, Py::ofFloat(NAN));
    var = mean = c.in.broadcastTo(nan, p.kept);
  }
  Results results;
  for (mlir::Value v : {var, mean}) {
    v = c.in.convert(v, acc, t->dtype);
    results.push_back(c.in.makeValue(keepdim ? c.in.reshape(v, p.withOnes) : v, t->dtype));
    if (!withMean)
      break;
  }
  return results;
}

ArrayRef<OpRow> import::reductionOps() {
  static const OpRow rows[] = {
      {"sum", sumOp}, {"mean", meanOp}, {"prod", prodOp},
      {"any", anyAll<false>}, {"all", anyAll<true>},
      {"amax", extremeOp<true>}, {"amin", extremeOp<false>},
      {"max", extremeOp<true>}, {"min", extremeOp<false>},
      {"max.dim", extremeDim<true>}, {"min.dim", extremeDim<false>},
      {"argmax", argExtreme<true>}, {"argmin", argExtreme<false>},
      {"count_nonzero", countNonzero},
      {"var", varOp<false, false>}, {"std", varOp<true, false>},
      {"var_mean", varOp<false, true>}, {"std_mean", varOp<true, true>},
  };
  return rows;
}
