//===- Creation.cpp - New tensors, casts and copies ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace evox;
using namespace evox::import;

static Py filled(Call &c, ArrayRef<Dim> sizes, DType dtype, const Py &value) {
  return c.in.makeValue(c.in.splat(sizes, dtype, value), dtype);
}

/// What an uninitialised tensor holds here: zeros.
static Results emptyOp(Call &c) {
  return {filled(c, shapeArg(c), dtypeArg(c, defaultDType()), Py::ofInt((int64_t)0))};
}
static Results zerosOp(Call &c) { return emptyOp(c); }
static Results onesOp(Call &c) {
  return {filled(c, shapeArg(c), dtypeArg(c, defaultDType()), Py::ofInt((int64_t)1))};
}
/// With strides of its own; what is in it is not defined.
static Results emptyStridedOp(Call &c) {
  SmallVector<Dim> sizes = shapeArg(c);
  DType dtype = dtypeArg(c, c.has("self") ? c.tensor(0)->dtype : defaultDType());
  Py r = filled(c, sizes, dtype, Py::ofInt((int64_t)0));
  SmallVector<int64_t> strides;
  if (c.has("stride")) {
    for (int64_t s : c.integers("stride"))
      strides.push_back(s);
  } else { // empty_permuted: the order of the dimensions in memory
    strides.resize(sizes.size());
    int64_t step = 1;
    std::vector<int64_t> order = c.integers("physical_layout");
    for (int64_t d : llvm::reverse(order)) {
      int64_t n = c.in.staticDim(sizes[d]);
      if (n == ShapedType::kDynamic)
        c.in.failStatic("a size of empty_permuted");
      strides[d] = step;
      step *= std::max<int64_t>(n, 1);
    }
  }
  r.tensor->strides = strides;
  return {r};
}

static DType numberDType(const Py &v) {
  switch (v.kind) {
  case Py::Bool: return DType::Bool;
  case Py::Int: return DType::Int64;
  case Py::Tensor: return v.tensor->dtype == DType::Double && v.tensor->wrappedNumber ? defaultDType() : v.tensor->dtype;
  default: return defaultDType();
  }
}
static Results fullOp(Call &c) {
  const Py &value = c.arg("fill_value");
  return {filled(c, shapeArg(c), dtypeArg(c, numberDType(value)), value)};
}
/// Lies in memory as `t` does, unless it is told otherwise.
static Py filledLike(Call &c, const Py &value) {
  TensorRef t = c.tensor(0);
  Py r = filled(c, t->sizes, dtypeArg(c, t->dtype), value);
  bool isContiguous = c.has("memory_format") && c.arg("memory_format").kind == Py::Int &&
                      c.arg("memory_format").i == 0;
  if (!isContiguous && (isProgramOp(c) || c.name == "empty_like"))
    keepOrder(t, r.tensor);
  return r;
}
template <int number> static Results likeOp(Call &c) {
  return {filledLike(c, Py::ofInt((int64_t)number))};
}
static Results fullLikeOp(Call &c) { return {filledLike(c, c.arg("fill_value"))}; }
template <int number> static Results newOp(Call &c) {
  return {filled(c, shapeArg(c), dtypeArg(c, c.tensor(0)->dtype), Py::ofInt((int64_t)number))};
}
static Results newFullOp(Call &c) {
  return {filled(c, shapeArg(c), dtypeArg(c, c.tensor(0)->dtype), c.arg("fill_value"))};
}

static Results scalarTensorOp(Call &c) {
  return {filled(c, {}, dtypeArg(c, defaultDType()), c.args[0])};
}

static Results arangeOp(Call &c) {
  auto &b = c.in.b;
  Py start = c.has("start") ? c.arg("start") : Py::ofInt((int64_t)0);
  Py end = c.arg("end"), step = c.has("step") ? c.arg("step") : Py::ofInt((int64_t)1);
  for (Py *v : {&start, &end, &step})
    if (v->kind == Py::Tensor)
      *v = c.in.item(v->tensor);
  bool isFloat = start.kind == Py::Float || end.kind == Py::Float || step.kind == Py::Float;
  DType dtype = dtypeArg(c, isFloat ? defaultDType() : DType::Int64);
  // Of integers PyTorch counts in integers, whatever the bounds were.
  if (dtype == DType::Int64 && isFloat && start.isStatic() && end.isStatic() && step.isStatic()) {
    for (Py *v : {&start, &end, &step})
      if (v->kind == Py::Float)
        *v = Py::ofInt((int64_t)v->f);
    isFloat = false;
  }
  auto value = [](const Py &v) { return v.kind == Py::Float ? v.f : (double)v.i; };
  Dim n;
  if (start.isStatic() && end.isStatic() && step.isStatic()) {
    double s = value(step);
    if (s == 0)
      c.in.fail("step must be nonzero");
    if ((s > 0) != (value(end) >= value(start)) && value(end) != value(start))
      c.in.fail("upper bound and lower bound inconsistent with step sign");
    int64_t count = isFloat ? (int64_t)std::ceil((value(end) - value(start)) / s)
                            : (end.i - start.i + step.i - (step.i > 0 ? 1 : -1)) / step.i;
    n = b.getIndexAttr(std::max<int64_t>(count, 0));
  } else {
    if (isFloat || !step.isStatic() || step.i != 1)
      c.in.failStatic("a bound of arange with floats or a step");
    mlir::Value count = arith::SubIOp::create(b, c.in.i64(end), c.in.i64(start));
    c.in.runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::sge, count, c.in.number(count, 0)),
                       "upper bound and lower bound inconsistent with step sign");
    n = start.isStatic() && start.i == 0 ? c.in.dim(end) : c.in.dim(Py::ofInt(count));
  }
  // start + i * step in the accumulation type: int64, or double for floats.
  DType acc = isFloating(dtype) ? (dtype == DType::Double ? DType::Double : DType::Float)
                                : DType::Int64;
  if (isFloating(dtype) && !isFloat && dtype != DType::Double)
    acc = DType::Double;
  if (isFloat && isFloating(dtype))
    acc = DType::Double;
  mlir::Value first = c.in.scalar(start, acc), stride = c.in.scalar(step, acc);
  mlir::Value v = c.in.generate({n}, elementType(b.getContext(), dtype), [&](ValueRange ids) {
    mlir::Value i = arith::IndexCastOp::create(b, b.getI64Type(), ids[0]);
    if (isFloating(acc)) {
      i = c.in.castScalar(i, DType::Int64, acc);
      i = arith::AddFOp::create(b, first, arith::MulFOp::create(b, i, stride));
    } else {
      i = arith::AddIOp::create(b, first, arith::MulIOp::create(b, i, stride));
    }
    return c.in.castScalar(i, acc, dtype);
  });
  return {c.in.makeValue(v, dtype)};
}

static Results linspaceOp(Call &c) {
  auto &b = c.in.b;
  Py start = c.arg("start"), end = c.arg("end");
  Dim size = c.in.dim(c.arg("steps"));
  int64_t steps = c.in.staticDim(size);
  bool isOpen = steps == ShapedType::kDynamic;
  DType dtype = dtypeArg(c, defaultDType());
  if (steps < 0 && !isOpen)
    c.in.fail("number of steps must be non-negative");
  DType acc = isFloating(dtype) ? computeType(dtype) : DType::Double;
  // Bounds are rounded to the result's dtype first.
  auto bound = [&](const Py &v) { return c.in.castScalar(c.in.scalar(v, dtype), dtype, acc); };
  mlir::Value p = bound(start), q = bound(end);
  mlir::Value zero, one, two, last, half, count;
  auto i64 = [&](mlir::Value i) { return arith::IndexCastOp::create(b, b.getI64Type(), i); };
  if (isOpen) {
    zero = arith::ConstantIndexOp::create(b, 0);
    one = arith::ConstantIndexOp::create(b, 1);
    two = arith::ConstantIndexOp::create(b, 2);
    c.in.runtimeAssert(
        arith::CmpIOp::create(b, arith::CmpIPredicate::sge, c.in.index(size), zero),
        "number of steps must be non-negative");
    last = arith::SubIOp::create(b, c.in.index(size), one);
    half = arith::DivSIOp::create(b, c.in.index(size), two);
    count = c.in.castScalar(i64(arith::MaxSIOp::create(b, last, one)), DType::Int64, acc);
  } else {
    last = arith::ConstantIndexOp::create(b, steps - 1);
    half = arith::ConstantIndexOp::create(b, steps / 2);
    count = c.in.number(p, (double)std::max<int64_t>(steps - 1, 1));
  }
  // Halves are rounded after each step.
  auto round = [&](mlir::Value v) {
    return isFloating(dtype) ? c.in.castScalar(c.in.castScalar(v, acc, dtype), dtype, acc) : v;
  };
  mlir::Value step = round(arith::DivFOp::create(b, round(arith::SubFOp::create(b, q, p)), count));
  // From the front in the first half and from the back in the second one.
  mlir::Value v = c.in.generate({size}, elementType(b.getContext(), dtype), [&](ValueRange ids) {
    mlir::Value front = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, ids[0], half);
    auto number = [&](mlir::Value i) {
      return round(c.in.castScalar(arith::IndexCastOp::create(b, b.getI64Type(), i), DType::Int64, acc));
    };
    mlir::Value lo = arith::AddFOp::create(b, p, round(arith::MulFOp::create(b, step, number(ids[0]))));
    mlir::Value back = number(arith::SubIOp::create(b, last, ids[0]));
    mlir::Value hi = arith::SubFOp::create(b, q, round(arith::MulFOp::create(b, step, back)));
    mlir::Value r = steps == 1 ? p : arith::SelectOp::create(b, front, lo, hi).getResult();
    if (isOpen) // of one step: the start
      r = arith::SelectOp::create(
          b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, last, zero), p, r);
    return c.in.castScalar(r, acc, dtype);
  });
  return {c.in.makeValue(v, dtype)};
}

static Results eyeOp(Call &c) {
  auto &b = c.in.b;
  DType dtype = dtypeArg(c, defaultDType());
  Dim n = c.in.dim(c.arg("n")), m = c.has("m") ? c.in.dim(c.arg("m")) : n;
  mlir::Value one = c.in.scalar(Py::ofInt((int64_t)1), dtype), zero = c.in.scalar(Py::ofInt((int64_t)0), dtype);
  mlir::Value v = c.in.generate({n, m}, elementType(b.getContext(), dtype), [&](ValueRange ids) -> mlir::Value {
    mlir::Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, ids[0], ids[1]);
    return arith::SelectOp::create(b, same, one, zero);
  });
  return {c.in.makeValue(v, dtype)};
}

template <bool isUpper> static Results triangleOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (t->rank() < 2)
    c.in.fail(c.name.str() + ": input tensor must have at least 2 dimensions");
  int64_t diagonal = c.integer("diagonal", 0), r = t->rank();
  mlir::Value src = c.in.read(t), zero = c.in.scalar(Py::ofInt((int64_t)0), t->dtype);
  mlir::Value mask = c.in.generate({t->sizes[r - 2], t->sizes[r - 1]}, b.getI1Type(), [&](ValueRange ids) -> mlir::Value {
    mlir::Value row = arith::AddIOp::create(b, ids[0], arith::ConstantIndexOp::create(b, diagonal));
    return arith::CmpIOp::create(b, isUpper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle, ids[1], row);
  });
  mlir::Value zeros = c.in.splat(t->sizes, t->dtype, Py::ofInt((int64_t)0));
  (void)zero;
  mlir::Value v = c.in.elementwise({mask, src, zeros}, t->type.getElementType(), [&](ValueRange v) -> mlir::Value {
    return arith::SelectOp::create(b, v[0], v[1], v[2]);
  });
  return {c.in.makeValue(v, t->dtype)};
}

/// torch.tensor of nested lists.
static void flattenItems(Call &c, const Py &v, SmallVector<int64_t> &shape, size_t depth,
                         std::vector<Py> &out) {
  if (v.kind == Py::List || v.kind == Py::Tuple) {
    int64_t n = v.list().size();
    if (shape.size() <= depth)
      shape.push_back(n);
    else if (shape[depth] != n)
      c.in.fail("expected sequence of length " + std::to_string(shape[depth]) +
                " at dim " + std::to_string(depth) + " (got " + std::to_string(n) + ")");
    for (const Py &item : v.list())
      flattenItems(c, item, shape, depth + 1, out);
    return;
  }
  out.push_back(v);
}
static Results tensorOp(Call &c) {
  std::vector<Py> items;
  SmallVector<int64_t> shape;
  flattenItems(c, c.args[0], shape, 0, items);
  DType dtype = DType::Undefined;
  for (const Py &v : items)
    dtype = promote(dtype, numberDType(v));
  if (items.empty())
    dtype = defaultDType();
  dtype = dtypeArg(c, dtype);
  auto &b = c.in.b;
  Type element = elementType(b.getContext(), dtype);
  auto type = RankedTensorType::get(shape, element);
  if (shape.empty())
    return {filled(c, {}, dtype, items[0])};
  SmallVector<mlir::Value> values;
  for (const Py &v : items)
    values.push_back(c.in.scalar(v, dtype));
  if (values.empty())
    return {c.in.makeValue(tensor::EmptyOp::create(b, type.getShape(), element), dtype)};
  return {c.in.makeValue(tensor::FromElementsOp::create(b, type, values), dtype)};
}

static Results asTensorOp(Call &c) {
  if (c.args[0].kind != Py::Tensor)
    return tensorOp(c);
  TensorRef t = c.args[0].tensor;
  DType dtype = dtypeArg(c, t->dtype);
  if (t->wrappedNumber && c.isNone("dtype"))
    dtype = numberDType(c.args[0]);
  if (dtype == t->dtype)
    return {c.args[0]};
  return {Py::of(c.in.convert(t, dtype))};
}

static void checkDevice(Call &c) {
  const Py &device = c.arg("device");
  if (device.kind == Py::Device || device.kind == Py::String)
    if (StringRef(device.s).split(':').first != "cpu")
      c.in.fail("the program moves a tensor to device '" + device.s +
                "': export it from the CPU, and choose the device by --target");
}

static Results toOp(Call &c) {
  TensorRef t = c.tensor(0);
  checkDevice(c);
  DType dtype = t->dtype;
  if (c.has("dtype") && !c.isNone("dtype"))
    dtype = dtypeArg(c, dtype);
  else if (c.has("other") && c.arg("other").isTensor())
    dtype = c.tensor("other")->dtype;
  else
    for (size_t i = 1; i < c.args.size() && !c.has("dtype"); ++i)
      if (c.args[i].kind == Py::Int)
        dtype = static_cast<DType>(c.args[i].i);
  if (dtype == t->dtype && !c.boolean("copy"))
    return {c.args[0]};
  TensorRef r = c.in.make(c.in.convert(c.in.read(t), t->dtype, dtype), dtype);
  return {Py::of(r)};
}
static Results typeAsOp(Call &c) { return {Py::of(c.in.convert(c.tensor(0), c.tensor(1)->dtype))}; }
template <DType dtype> static Results castOp(Call &c) {
  TensorRef t = c.tensor(0);
  return {t->dtype == dtype ? c.args[0] : Py::of(c.in.convert(t, dtype))};
}

static Results copyInto(Call &c) {
  TensorRef self = c.tensor(0), src = c.tensor(1);
  mlir::Value v = c.in.convert(c.in.read(src), src->dtype, self->dtype);
  SmallVector<Dim> sizes = c.in.broadcastShapes({self->sizes, src->sizes});
  if (sizes.size() > self->sizes.size())
    c.in.fail("output with shape of " + std::to_string(self->rank()) +
              " dimensions doesn't match the broadcast shape of " + std::to_string(sizes.size()));
  for (auto [d, s] : llvm::zip(sizes, self->sizes))
    if (c.in.staticDim(d) != c.in.staticDim(s) && c.in.staticDim(s) == 1)
      c.in.fail("output with a dimension of size 1 doesn't match the broadcast shape");
  c.in.write(self, c.in.broadcastInto(v, self->sizes));
  return {c.args[0]};
}
static Results copyOp(Call &c) { // functional: the value of src in self's form
  TensorRef self = c.tensor(0), src = c.tensor(1);
  mlir::Value v = c.in.convert(c.in.read(src), src->dtype, self->dtype);
  return {c.in.makeValue(c.in.broadcastInto(v, self->sizes), self->dtype)};
}
static Results fillInto(Call &c) {
  TensorRef self = c.tensor(0);
  Py value = c.name == "zero_" ? Py::ofInt((int64_t)0) : c.args[1];
  if (value.kind == Py::Tensor && value.tensor->rank() != 0)
    c.in.fail("fill_ only supports 0-dimension value tensor but got tensor with " +
              std::to_string(value.tensor->rank()) + " dimensions.");
  c.in.write(self, c.in.splat(self->sizes, self->dtype, value));
  return {c.args[0]};
}
static Results fillOp(Call &c) {
  TensorRef self = c.tensor(0);
  return {filled(c, self->sizes, self->dtype, c.args[1])};
}

ArrayRef<OpRow> import::creationOps() {
  static const OpRow rows[] = {
      {"empty", emptyOp}, {"zeros", zerosOp}, {"ones", onesOp}, {"full", fullOp},
      {"empty_like", likeOp<0>}, {"zeros_like", likeOp<0>}, {"ones_like", likeOp<1>},
      {"full_like", fullLikeOp}, {"new_empty", newOp<0>}, {"new_zeros", newOp<0>},
      {"new_ones", newOp<1>}, {"new_full", newFullOp}, {"scalar_tensor", scalarTensorOp},
      {"empty_strided", emptyStridedOp}, {"new_empty_strided", emptyStridedOp},
      {"empty_permuted", emptyStridedOp},
      {"arange", arangeOp}, {"linspace", linspaceOp}, {"eye", eyeOp},
      {"triu", triangleOp<true>}, {"tril", triangleOp<false>},
      {"tensor", tensorOp}, {"as_tensor", asTensorOp}, {"asarray", asTensorOp},
      {"to", toOp}, {"_to_copy", toOp}, {"type_as", typeAsOp},
      {"float", castOp<DType::Float>}, {"double", castOp<DType::Double>},
      {"long", castOp<DType::Int64>}, {"int", castOp<DType::Int32>},
      {"bool", castOp<DType::Bool>}, {"half", castOp<DType::Half>},
      {"bfloat16", castOp<DType::BFloat16>}, {"byte", castOp<DType::UInt8>},
      {"char", castOp<DType::Int8>}, {"short", castOp<DType::Int16>},
      {"cpu", [](Call &c) -> Results { return {c.args[0]}; }},
      {"copy_", copyInto}, {"copy", copyOp}, {"fill_", fillInto}, {"zero_", fillInto},
      {"fill", fillOp},
  };
  return rows;
}
