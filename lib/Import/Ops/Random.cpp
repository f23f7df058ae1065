//===- Random.cpp - Random draws ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

mlir::Value Interpreter::takeGenerator() { return generator->value; }
void Interpreter::giveGenerator(mlir::Value next) { setStorage(generator, next); }

static void refuseGenerator(Call &c) {
  if (!c.isNone("generator"))
    c.in.fail("a torch.Generator of its own cannot be saved in a TorchScript "
              "program: draw from the default generator");
}

static SmallVector<mlir::Value> dynamicSizes(Call &c, ArrayRef<Dim> sizes) {
  SmallVector<mlir::Value> out;
  for (Dim d : sizes)
    if (c.in.staticDim(d) == ShapedType::kDynamic)
      out.push_back(c.in.index(d));
  return out;
}

template <typename Op, typename... Args>
static Py draw(Call &c, ArrayRef<Dim> sizes, DType dtype, Args... args) {
  refuseGenerator(c);
  auto &b = c.in.b;
  auto type = c.in.typeOf(sizes, elementType(b.getContext(), dtype));
  mlir::Value g = c.in.takeGenerator();
  auto op = Op::create(b, TypeRange{type, g.getType()}, g, args..., dynamicSizes(c, sizes));
  c.in.giveGenerator(op.getNext());
  return c.in.makeValue(op.getValues(), dtype);
}

static mlir::Value f64(Call &c, double v) {
  return c.in.scalar(Py::ofFloat(v), DType::Double);
}
static mlir::Value f64(Call &c, StringRef name, double otherwise) {
  return c.isNone(name) ? f64(c, otherwise) : c.in.scalar(c.arg(name), DType::Double);
}
static mlir::Value i64(Call &c, const Py &v) { return c.in.i64(v); }

static void wantFloat(Call &c, DType dtype) {
  if (!isFloating(dtype))
    c.in.fail("\"" + c.name.str() + "\" not implemented for '" + dtypeName(dtype) + "'");
}

/// Where a draw's shape and dtype come from: `size` and `dtype`, or a tensor.
static std::pair<SmallVector<Dim>, DType> formOf(Call &c, DType otherwise) {
  if (c.has("size"))
    return {shapeArg(c), dtypeArg(c, c.has("self") ? c.tensor(0)->dtype : otherwise)};
  TensorRef t = c.tensor(0);
  return {t->sizes, dtypeArg(c, t->dtype)};
}

static Results randOp(Call &c) {
  auto [sizes, dtype] = formOf(c, defaultDType());
  wantFloat(c, dtype);
  return {draw<RandomUniformOp>(c, sizes, dtype, f64(c, 0), f64(c, 1))};
}
static Results randnOp(Call &c) {
  auto [sizes, dtype] = formOf(c, defaultDType());
  wantFloat(c, dtype);
  return {draw<RandomNormalOp>(c, sizes, dtype, f64(c, 0), f64(c, 1))};
}
static Results randintOp(Call &c) {
  auto [sizes, dtype] = formOf(c, DType::Int64);
  Py low = c.has("low") ? c.arg("low") : Py::ofInt((int64_t)0), high = c.arg("high");
  if (low.isStatic() && high.isStatic() && low.i >= high.i)
    c.in.fail("random_ expects 'from' to be less than 'to', but got from=" +
              std::to_string(low.i) + " >= to=" + std::to_string(high.i));
  return {draw<RandomIntegersOp>(c, sizes, dtype, i64(c, low), i64(c, high))};
}
static Results randpermOp(Call &c) {
  DType dtype = dtypeArg(c, DType::Int64);
  SmallVector<Dim> sizes = {c.in.dim(c.arg("n"))};
  return {draw<RandomPermutationOp>(c, sizes, dtype)};
}

/// uniform_, normal_, exponential_: into self.
static Results uniformInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  Py v = draw<RandomUniformOp>(c, t->sizes, t->dtype, f64(c, "from", 0), f64(c, "to", 1));
  if (c.name == "uniform")
    return {v};
  c.in.write(t, c.in.read(v.tensor));
  return {c.args[0]};
}
static Results normalInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  Py v = draw<RandomNormalOp>(c, t->sizes, t->dtype, f64(c, "mean", 0), f64(c, "std", 1));
  c.in.write(t, c.in.read(v.tensor));
  return {c.args[0]};
}
static Results exponentialInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  Py v = draw<RandomExponentialOp>(c, t->sizes, t->dtype, f64(c, "lambd", 1));
  c.in.write(t, c.in.read(v.tensor));
  return {c.args[0]};
}
static Results randomInto(Call &c) {
  TensorRef t = c.tensor(0);
  Py low = c.has("from") ? c.arg("from") : Py::ofInt((int64_t)0);
  Py high = c.arg("to");
  if (high.isNone()) {
    // The full range of the type, as PyTorch: 2^24 for float32, 2^53 for float64.
    int64_t n = t->dtype == DType::Float    ? (int64_t)1 << 24
                : t->dtype == DType::Double ? (int64_t)1 << 53
                : t->dtype == DType::Bool   ? 2
                : t->dtype == DType::UInt8  ? 256
                : t->dtype == DType::Int8   ? 128
                : t->dtype == DType::Int16  ? 32768
                : t->dtype == DType::Int32  ? (int64_t)1 << 31
                                            : -1;
    if (n < 0)
      c.in.fail("random_() of " + dtypeName(t->dtype) + " needs a range");
    high = Py::ofInt(n);
  }
  Py v = draw<RandomIntegersOp>(c, t->sizes, t->dtype, i64(c, low), i64(c, high));
  c.in.write(t, c.in.read(v.tensor));
  return {c.args[0]};
}

/// torch.normal(mean, std): a standard draw, scaled and shifted.
static Results normalOp(Call &c) {
  auto &in = c.in;
  Py mean = c.arg("mean"), std = c.arg("std");
  if (c.has("size"))
    return {draw<RandomNormalOp>(c, shapeArg(c), dtypeArg(c, defaultDType()), f64(c, "mean", 0), f64(c, "std", 1))};
  SmallVector<SmallVector<Dim>> shapes;
  DType dtype = DType::Undefined;
  for (const Py &v : {mean, std})
    if (v.isTensor()) {
      shapes.push_back(v.tensor->sizes);
      dtype = promote(dtype, v.tensor->dtype);
    }
  Py z = draw<RandomNormalOp>(c, in.broadcastShapes(shapes), dtype, f64(c, 0), f64(c, 1));
  if (std.isNone())
    std = Py::ofFloat(1.0);
  Py scaled = in.callOp("mul", {z, std}, {"self", "other"})[0];
  return in.callOp("add", {scaled, mean, Py::ofInt((int64_t)1)}, {"self", "other", "alpha"});
}

static Results bernoulliOp(Call &c) {
  TensorRef t = c.tensor(0);
  TensorRef p = t;
  DType dtype = t->dtype;
  bool inPlace = c.name == "bernoulli_";
  if (c.has("p")) {
    if (c.arg("p").isTensor())
      p = c.tensor("p");
    else
      p = c.in.make(c.in.splat({}, DType::Double, c.arg("p")), DType::Double);
  }
  wantFloat(c, p->dtype);
  refuseGenerator(c);
  auto &b = c.in.b;
  // Within [0, 1], or PyTorch refuses.
  auto type = c.in.typeOf(t->sizes, elementType(b.getContext(), dtype));
  mlir::Value g = c.in.takeGenerator();
  auto op = RandomBernoulliOp::create(b, TypeRange{type, g.getType()}, g, c.in.read(p),
                                      dynamicSizes(c, t->sizes));
  c.in.giveGenerator(op.getNext());
  if (!inPlace)
    return {c.in.makeValue(op.getValues(), dtype)};
  c.in.write(t, op.getValues());
  return {c.args[0]};
}

ArrayRef<OpRow> import::randomOps() {
  static const OpRow rows[] = {
      {"rand", randOp}, {"rand_like", randOp}, {"randn", randnOp},
      {"randn_like", randnOp}, {"randint", randintOp}, {"randint_like", randintOp},
      {"randperm", randpermOp}, {"uniform_", uniformInto}, {"uniform", uniformInto},
      {"normal_", normalInto}, {"normal", normalOp},
      {"exponential_", exponentialInto}, {"random_", randomInto},
      {"bernoulli", bernoulliOp}, {"bernoulli_", bernoulliOp},
  };
  return rows;
}
