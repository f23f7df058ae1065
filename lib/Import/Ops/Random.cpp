//===- Random.cpp - Random draws ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "Views.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

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

/// How a tensor is filled: PyTorch goes through its memory, so that a
/// transposed one takes its numbers in the order of the transposed dimensions.
struct Filling {
  SmallVector<Dim> sizes;       ///< as in memory, the outermost first
  SmallVector<int64_t> inverse; ///< empty where that is the order of the result
  bool isContiguous = true;
};
static Filling fillingOf(Call &c, const TensorRef &t) {
  Filling f{t->sizes, {}, isContiguous(c, t)};
  if (f.isContiguous || !t->strides)
    return f;
  SmallVector<int64_t> order = iterationOrder(t->type.getShape(), {*t->strides});
  std::reverse(order.begin(), order.end());
  if (llvm::is_sorted(order))
    return f;
  f.inverse.resize(order.size());
  for (auto [i, d] : llvm::enumerate(order)) {
    f.sizes[i] = t->sizes[d];
    f.inverse[d] = i;
  }
  return f;
}
static mlir::Value toLogical(Call &c, const Filling &f, mlir::Value v) {
  return f.inverse.empty() ? v : c.in.transpose(v, f.inverse);
}

template <typename Op, typename... Args>
static mlir::Value drawValues(Call &c, const Filling &f, DType dtype, Args... args) {
  refuseGenerator(c);
  auto &b = c.in.b;
  auto type = c.in.typeOf(f.sizes, elementType(b.getContext(), dtype));
  mlir::Value g = c.in.takeGenerator();
  auto op = Op::create(b, TypeRange{type, g.getType()}, g, args..., dynamicSizes(c, f.sizes));
  c.in.giveGenerator(op.getNext());
  return toLogical(c, f, op.getValues());
}
template <typename Op, typename... Args>
static Py draw(Call &c, ArrayRef<Dim> sizes, DType dtype, Args... args) {
  return c.in.makeValue(drawValues<Op>(c, Filling{SmallVector<Dim>(sizes), {}}, dtype, args...), dtype);
}

/// Normals one after the other, in float64, as PyTorch draws them for what is
/// not contiguous. It does so too for fewer than 16; 14 is even, so that no
/// second number of a pair is left over between two draws.
static mlir::Value serialNormals(Call &c, const Filling &f, DType dtype, mlir::Value mean,
                                 mlir::Value std) {
  refuseGenerator(c);
  auto &b = c.in.b;
  const int64_t chunk = 14;
  int64_t n = c.in.staticDim(c.in.product(f.sizes));
  Type element = b.getF64Type();
  mlir::Value all = c.in.empty({b.getIndexAttr(n)}, element), g = c.in.takeGenerator();
  auto put = [&](mlir::Value g, mlir::Value all, OpFoldResult at, int64_t count) {
    auto op = RandomNormalOp::create(b, TypeRange{RankedTensorType::get({count}, element), g.getType()},
                                     g, mean, std, ValueRange{});
    OpFoldResult size = b.getIndexAttr(count), one = b.getIndexAttr(1);
    mlir::Value next = tensor::InsertSliceOp::create(b, op.getValues(), all, ArrayRef{at},
                                                     ArrayRef{size}, ArrayRef{one});
    return std::pair<mlir::Value, mlir::Value>(op.getNext(), next);
  };
  if (n >= chunk) {
    mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
    mlir::Value step = arith::ConstantIndexOp::create(b, chunk);
    mlir::Value end = arith::ConstantIndexOp::create(b, n / chunk * chunk);
    auto loop = scf::ForOp::create(b, zero, end, step, ValueRange{g, all});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    auto [next, more] = put(loop.getRegionIterArg(0), loop.getRegionIterArg(1),
                            OpFoldResult(loop.getInductionVar()), chunk);
    scf::YieldOp::create(b, ValueRange{next, more});
    g = loop.getResult(0);
    all = loop.getResult(1);
  }
  if (n % chunk)
    std::tie(g, all) = put(g, all, b.getIndexAttr(n / chunk * chunk), n % chunk);
  c.in.giveGenerator(g);
  return toLogical(c, f, c.in.reshape(c.in.convert(all, DType::Double, dtype), f.sizes));
}
static mlir::Value normals(Call &c, const Filling &f, DType dtype, mlir::Value mean, mlir::Value std) {
  if (!f.isContiguous && c.in.staticDim(c.in.product(f.sizes)) >= 16)
    return serialNormals(c, f, dtype, mean, std);
  return drawValues<RandomNormalOp>(c, f, dtype, mean, std);
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

/// What `like` ops make: it lies in memory as the tensor does.
static TensorRef blankLike(Call &c, DType dtype) {
  TensorRef t = c.tensor(0);
  TensorRef r = c.in.make(c.in.empty(t->sizes, elementType(c.in.b.getContext(), dtype)), dtype);
  bool isContiguous = c.has("memory_format") && c.arg("memory_format").kind == Py::Int &&
                      c.arg("memory_format").i == 0;
  if (!isContiguous)
    keepOrder(t, r);
  return r;
}
static Py likeWith(const TensorRef &blank, mlir::Value values) {
  blank->storage->value = values;
  return Py::of(blank);
}
static bool isLike(Call &c) { return c.name.ends_with("_like"); }

static Results randOp(Call &c) {
  auto [sizes, dtype] = formOf(c, defaultDType());
  wantFloat(c, dtype);
  if (!isLike(c))
    return {draw<RandomUniformOp>(c, sizes, dtype, f64(c, 0), f64(c, 1))};
  TensorRef r = blankLike(c, dtype);
  return {likeWith(r, drawValues<RandomUniformOp>(c, fillingOf(c, r), dtype, f64(c, 0), f64(c, 1)))};
}
static Results randnOp(Call &c) {
  auto [sizes, dtype] = formOf(c, defaultDType());
  wantFloat(c, dtype);
  if (!isLike(c))
    return {draw<RandomNormalOp>(c, sizes, dtype, f64(c, 0), f64(c, 1))};
  TensorRef r = blankLike(c, dtype);
  return {likeWith(r, normals(c, fillingOf(c, r), dtype, f64(c, 0), f64(c, 1)))};
}
static Results randintOp(Call &c) {
  auto [sizes, dtype] = formOf(c, DType::Int64);
  Py low = c.has("low") ? c.arg("low") : Py::ofInt((int64_t)0), high = c.arg("high");
  if (low.isStatic() && high.isStatic() && low.i >= high.i)
    c.in.fail("random_ expects 'from' to be less than 'to', but got from=" +
              std::to_string(low.i) + " >= to=" + std::to_string(high.i));
  if (!isLike(c))
    return {draw<RandomIntegersOp>(c, sizes, dtype, i64(c, low), i64(c, high))};
  TensorRef r = blankLike(c, dtype);
  return {likeWith(r, drawValues<RandomIntegersOp>(c, fillingOf(c, r), dtype, i64(c, low), i64(c, high)))};
}
static Results randpermOp(Call &c) {
  DType dtype = dtypeArg(c, DType::Int64);
  SmallVector<Dim> sizes = {c.in.dim(c.arg("n"))};
  return {draw<RandomPermutationOp>(c, sizes, dtype)};
}

/// uniform_, normal_, exponential_: into self.
static Results into(Call &c, const TensorRef &t, mlir::Value values) {
  c.in.write(t, values);
  return {c.args[0]};
}
static Results uniformInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  mlir::Value v = drawValues<RandomUniformOp>(c, fillingOf(c, t), t->dtype, f64(c, "from", 0),
                                              f64(c, "to", 1));
  if (c.name == "uniform")
    return {c.in.makeValue(v, t->dtype)};
  return into(c, t, v);
}
static Results normalInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  return into(c, t, normals(c, fillingOf(c, t), t->dtype, f64(c, "mean", 0), f64(c, "std", 1)));
}
static Results exponentialInto(Call &c) {
  TensorRef t = c.tensor(0);
  wantFloat(c, t->dtype);
  return into(c, t, drawValues<RandomExponentialOp>(c, fillingOf(c, t), t->dtype, f64(c, "lambd", 1)));
}
static Results randomInto(Call &c) {
  TensorRef t = c.tensor(0);
  Filling f = fillingOf(c, t);
  Py low = c.has("from") ? c.arg("from") : Py::ofInt((int64_t)0);
  Py high = c.arg("to");
  if (!high.isNone())
    return into(c, t, drawValues<RandomIntegersOp>(c, f, t->dtype, i64(c, low), i64(c, high)));
  if (c.has("from"))
    c.in.fail("random_ from a number on needs an end too");
  // The full range, as PyTorch's uniform_int has it: of floats up to and with
  // 2^(digits of the significand).
  int64_t n = 0;
  switch (t->dtype) {
  case DType::Bool: n = 2; break;
  case DType::UInt8: n = 256; break;
  case DType::Int8: n = 128; break;
  case DType::Int16: n = 32768; break;
  case DType::Half: n = (1 << 11) + 1; break;
  case DType::BFloat16: n = (1 << 8) + 1; break;
  case DType::Float: n = (1 << 24) + 1; break;
  case DType::Double: n = ((int64_t)1 << 53) + 1; break;
  case DType::Int64: {
    // 64 bits modulo 2^63.
    int64_t least = std::numeric_limits<int64_t>::min();
    mlir::Value v = drawValues<RandomIntegersOp>(c, f, t->dtype, i64(c, Py::ofInt(least)),
                                                 i64(c, Py::ofInt((int64_t)0)));
    mlir::Value lift = c.in.splat(t->sizes, DType::Int64, Py::ofInt(least));
    return into(c, t, arith::SubIOp::create(c.in.b, v, lift));
  }
  default:
    // 32 bits modulo 2^31: of such a range the draw takes 64 of them.
    c.in.fail("random_() of " + dtypeName(t->dtype) + " needs a range");
  }
  mlir::Value v = drawValues<RandomIntegersOp>(c, f, DType::Int64, i64(c, Py::ofInt((int64_t)0)),
                                               i64(c, Py::ofInt(n)));
  return into(c, t, c.in.convert(v, DType::Int64, t->dtype));
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
  Filling f{t->sizes, {}};
  mlir::Value probability = c.in.read(p);
  if (inPlace) {
    f = fillingOf(c, t);
    if (!f.inverse.empty() && p->rank() > 0) {
      SmallVector<int64_t> order(f.inverse.size());
      for (auto [d, i] : llvm::enumerate(f.inverse))
        order[i] = d;
      probability = c.in.transpose(c.in.broadcastTo(probability, t->sizes), order);
    }
  }
  auto type = c.in.typeOf(f.sizes, elementType(b.getContext(), dtype));
  mlir::Value g = c.in.takeGenerator();
  auto op = RandomBernoulliOp::create(b, TypeRange{type, g.getType()}, g, probability,
                                      dynamicSizes(c, f.sizes));
  c.in.giveGenerator(op.getNext());
  if (!inPlace)
    return {c.in.makeValue(op.getValues(), dtype)};
  return into(c, t, toLogical(c, f, op.getValues()));
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
