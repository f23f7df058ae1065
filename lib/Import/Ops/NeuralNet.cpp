//===- NeuralNet.cpp - Convolution and pooling ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Ops that look through windows: direct linalg.generic ops with affine maps.
// The other layers stand in Prelude/nn.py.

#include "Common.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

namespace {
/// How a window moves along one dimension.
struct Axis {
  int64_t in = 0, kernel = 1, stride = 1, low = 0, high = 0, dilation = 1, out = 0;
  bool isAdaptive = false;

  int64_t begin(int64_t o) const {
    return isAdaptive ? o * in / out : o * stride - low;
  }
  int64_t end(int64_t o) const {
    return isAdaptive ? ((o + 1) * in + out - 1) / out : begin(o) + kernel * dilation;
  }
};
} // namespace

/// The argument as `n` numbers: one number stands for all.
static SmallVector<int64_t> numbers(Call &c, StringRef name, int64_t n, int64_t otherwise) {
  SmallVector<int64_t> r(n, otherwise);
  if (c.isNone(name))
    return r;
  std::vector<int64_t> given = c.integers(name);
  if (given.empty())
    return r;
  if (given.size() != 1 && (int64_t)given.size() != n)
    c.in.fail(c.name.str() + ": expected '" + name.str() + "' to be a single integer or a list of " +
              std::to_string(n) + " values, got " + std::to_string(given.size()));
  for (int64_t i = 0; i < n; ++i)
    r[i] = given[given.size() == 1 ? 0 : i];
  return r;
}

/// The last `n` sizes.
static SmallVector<int64_t> spatialSizes(Call &c, const TensorRef &t, int64_t n) {
  SmallVector<int64_t> r;
  for (Dim d : ArrayRef(t->sizes).take_back(n)) {
    r.push_back(c.in.staticDim(d));
    if (r.back() == ShapedType::kDynamic)
      c.in.fail(c.name.str() + ": the sizes of the image have to be known at compile time; the "
                               "batch may be dynamic");
  }
  return r;
}

static SmallVector<Dim> withSpatial(Call &c, ArrayRef<Dim> lead, ArrayRef<int64_t> spatial) {
  SmallVector<Dim> r(lead);
  for (int64_t s : spatial)
    r.push_back(c.in.b.getIndexAttr(s));
  return r;
}

/// Puts `x` into a larger tensor full of `value`, with `step` - 1 elements
/// between two; a negative margin cuts off.
static mlir::Value pad(Call &c, mlir::Value x, mlir::Value value, ArrayRef<int64_t> low,
                       ArrayRef<int64_t> high, ArrayRef<int64_t> step) {
  auto &b = c.in.b;
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank(), n = low.size(), lead = rank - n;
  SmallVector<Dim> own = c.in.sizesOf(x), sizes(own), offsets(rank, b.getIndexAttr(0)),
                   strides(rank, b.getIndexAttr(1)), cut(own), from(rank, b.getIndexAttr(0)),
                   one(rank, b.getIndexAttr(1));
  bool grows = false, shrinks = false;
  bool isEmpty = llvm::is_contained(type.getShape(), 0);
  for (int64_t i = 0; i < n; ++i) {
    int64_t size = type.getDimSize(lead + i), lo = low[i], hi = high[i];
    int64_t spread = size > 0 ? (size - 1) * step[i] + 1 : 0;
    int64_t grown = spread + std::max<int64_t>(lo, 0) + std::max<int64_t>(hi, 0);
    int64_t kept = std::max<int64_t>(grown + std::min<int64_t>(lo, 0) + std::min<int64_t>(hi, 0), 0);
    grows |= grown != size;
    shrinks |= kept != grown;
    sizes[lead + i] = b.getIndexAttr(grown);
    offsets[lead + i] = b.getIndexAttr(std::max<int64_t>(lo, 0));
    strides[lead + i] = b.getIndexAttr(step[i]);
    from[lead + i] = b.getIndexAttr(std::max<int64_t>(-lo, 0));
    cut[lead + i] = b.getIndexAttr(kept);
  }
  if (grows) {
    mlir::Value full =
        linalg::FillOp::create(b, value, c.in.empty(sizes, type.getElementType())).getResult(0);
    x = isEmpty ? full
                : tensor::InsertSliceOp::create(b, x, full, offsets, own, strides).getResult();
  }
  if (shrinks && llvm::is_contained(cast<RankedTensorType>(x.getType()).getShape(), 0))
    return c.in.empty(cut, type.getElementType());
  if (shrinks)
    x = tensor::ExtractSliceOp::create(b, x, from, cut, one);
  return x;
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

/// x [N, C, in..], w [O, C / groups, kernel..], already padded.
static mlir::Value convolve(Call &c, mlir::Value x, mlir::Value w, ArrayRef<Axis> axes,
                            int64_t groups, DType dtype) {
  auto &b = c.in.b;
  int64_t n = axes.size();
  SmallVector<Dim> xs = c.in.sizesOf(x), ws = c.in.sizesOf(w);
  int64_t outputs = c.in.staticDim(ws[0]), channels = c.in.staticDim(ws[1]);
  // [N, G, C', in..], [G, O', C', kernel..] -> [N, G, O', out..]
  int64_t g = groups > 1 ? 1 : 0;
  auto attr = [&](int64_t v) -> Dim { return b.getIndexAttr(v); };
  if (g) {
    SmallVector<Dim> shape = {xs[0], attr(groups), attr(channels)};
    shape.append(xs.begin() + 2, xs.end());
    x = c.in.reshape(x, shape);
    shape = {attr(groups), attr(outputs / groups), attr(channels)};
    shape.append(ws.begin() + 2, ws.end());
    w = c.in.reshape(w, shape);
  }
  SmallVector<Dim> result = {xs[0]};
  if (g)
    result.push_back(attr(groups));
  result.push_back(attr(outputs / groups));
  for (const Axis &a : axes)
    result.push_back(attr(a.out));
  // Loops: N, G, O', out.., C', kernel..
  int64_t loops = 1 + g + 1 + n + 1 + n, o = 1 + g, at = o + 1, ch = at + n, k = ch + 1;
  auto d = [&](int64_t i) { return b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> in = {d(0)}, weight, out = {d(0)};
  if (g) {
    in.push_back(d(1));
    weight.push_back(d(1));
    out.push_back(d(1));
  }
  in.push_back(d(ch));
  weight.append({d(o), d(ch)});
  out.push_back(d(o));
  for (int64_t i = 0; i < n; ++i) {
    in.push_back(d(at + i) * axes[i].stride + d(k + i) * axes[i].dilation);
    weight.push_back(d(k + i));
    out.push_back(d(at + i));
  }
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::parallel);
  for (int64_t i = ch; i < loops; ++i)
    iterators[i] = utils::IteratorType::reduction;
  Type element = elementType(b.getContext(), dtype);
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), dtype);
  mlir::Value init = linalg::FillOp::create(b, zero, c.in.empty(result, element)).getResult(0);
  auto map = [&](ArrayRef<AffineExpr> e) { return AffineMap::get(loops, 0, e, b.getContext()); };
  mlir::Value r =
      linalg::GenericOp::create(
          b, TypeRange{init.getType()}, ValueRange{x, w}, ValueRange{init},
          ArrayRef{map(in), map(weight), map(out)}, iterators,
          [&](OpBuilder &nested, Location loc, ValueRange v) {
            mlir::Value sum;
            if (isFloating(dtype))
              sum = arith::AddFOp::create(nested, loc, v[2],
                                          arith::MulFOp::create(nested, loc, v[0], v[1]));
            else
              sum = arith::AddIOp::create(nested, loc, v[2],
                                          arith::MulIOp::create(nested, loc, v[0], v[1]));
            linalg::YieldOp::create(nested, loc, sum);
          })
          .getResult(0);
  if (!g)
    return r;
  SmallVector<Dim> flat = {xs[0], attr(outputs)};
  for (const Axis &a : axes)
    flat.push_back(attr(a.out));
  return c.in.reshape(r, flat);
}

/// conv1d .. conv_transpose3d, convolution, _convolution.
static Results convOp(Call &c) {
  auto &b = c.in.b;
  TensorRef x = c.tensor("input"), w = c.tensor("weight");
  int64_t n = w->rank() - 2;
  if (n < 1 || n > 3)
    c.in.fail(c.name.str() + ": expected a weight of 3 to 5 dimensions, got " + std::to_string(w->rank()));
  if (x->dtype != w->dtype)
    c.in.fail("Input type (" + dtypeName(x->dtype) + ") and weight type (" + dtypeName(w->dtype) +
              ") should be the same");
  bool isSingle = x->rank() == n + 1;
  if (!isSingle && x->rank() != n + 2)
    c.in.fail("Expected " + std::to_string(n + 1) + "D (unbatched) or " + std::to_string(n + 2) +
              "D (batched) input to " + c.name.str() + ", but got input of " +
              std::to_string(x->rank()) + " dimensions");
  DType dtype = x->dtype, compute = computeType(dtype);
  if (dtype == DType::Bool || isComplex(dtype))
    c.in.fail(c.name.str() + ": not implemented for " + dtypeName(dtype));
  bool transposed = c.name.starts_with("conv_transpose") || c.boolean("transposed");
  int64_t groups = c.integer("groups", 1);
  SmallVector<int64_t> sizes = spatialSizes(c, x, n), kernel = spatialSizes(c, w, n);
  SmallVector<int64_t> stride = numbers(c, "stride", n, 1), dilation = numbers(c, "dilation", n, 1),
                       more = numbers(c, "output_padding", n, 0);
  int64_t channels = c.in.staticDim(x->sizes[isSingle ? 0 : 1]);
  int64_t w0 = c.in.staticDim(w->sizes[0]), w1 = c.in.staticDim(w->sizes[1]);
  if (channels == ShapedType::kDynamic || w0 == ShapedType::kDynamic || w1 == ShapedType::kDynamic)
    c.in.fail(c.name.str() + ": the number of channels has to be known at compile time");
  if (groups < 1 || (transposed ? channels != w0 : channels != w1 * groups) || w0 % groups)
    c.in.fail("Given groups=" + std::to_string(groups) + " and a weight of [" + std::to_string(w0) +
              ", " + std::to_string(w1) + ", ..], expected input to have " +
              std::to_string(transposed ? w0 : w1 * groups) + " channels, but got " +
              std::to_string(channels) + " channels instead");
  for (int64_t i = 0; i < n; ++i)
    if (stride[i] < 1 || dilation[i] < 1)
      c.in.fail(c.name.str() + ": stride and dilation have to be positive");

  SmallVector<int64_t> low(n, 0), high(n, 0), step(n, 1);
  const Py &padding = c.arg("padding");
  if (padding.kind == Py::String) {
    if (padding.s == "same") {
      for (int64_t i = 0; i < n; ++i) {
        if (stride[i] != 1)
          c.in.fail("padding='same' is not supported for strided convolutions");
        int64_t total = dilation[i] * (kernel[i] - 1);
        low[i] = total / 2;
        high[i] = total - low[i];
      }
    } else if (padding.s != "valid") {
      c.in.fail("Invalid padding string: '" + padding.s + "'");
    }
  } else {
    low = high = numbers(c, "padding", n, 0);
  }
  mlir::Value vx = c.in.convert(c.in.read(x), dtype, compute);
  if (isSingle) {
    SmallVector<Dim> shape(x->sizes);
    shape.insert(shape.begin(), b.getIndexAttr(1));
    vx = c.in.reshape(vx, shape);
  }
  TensorRef weight = c.in.convert(w, compute);
  if (transposed) {
    // The same as a convolution of the spread input with the flipped weight.
    std::vector<Py> dims;
    for (int64_t i = 0; i < n; ++i) {
      dims.push_back(Py::ofInt(2 + i));
      step[i] = stride[i];
      stride[i] = 1;
      int64_t reach = dilation[i] * (kernel[i] - 1);
      low[i] = reach - low[i];
      high[i] = reach - high[i] + more[i];
    }
    Py flipped = c.in.callOp("flip", {Py::of(weight), Py::ofItems(Py::List, dims)}, {"self", "dims"})[0];
    // [G, C', O', ..] to [G, O', C', ..]
    SmallVector<int64_t> front = {groups, w0 / groups, w1};
    mlir::Value v = c.in.reshape(c.in.read(flipped.tensor), withSpatial(c, withSpatial(c, {}, front), kernel));
    SmallVector<int64_t> perm = llvm::to_vector(llvm::seq<int64_t>(0, n + 3));
    std::swap(perm[1], perm[2]);
    front = {groups * w1, w0 / groups};
    weight = c.in.make(c.in.reshape(c.in.transpose(v, perm), withSpatial(c, withSpatial(c, {}, front), kernel)), compute);
  }
  SmallVector<Axis> axes(n);
  for (int64_t i = 0; i < n; ++i) {
    int64_t in = (sizes[i] > 0 ? (sizes[i] - 1) * step[i] + 1 : 0) + low[i] + high[i];
    int64_t reach = dilation[i] * (kernel[i] - 1) + 1;
    if (in < reach)
      c.in.fail("Calculated padded input size per channel: " + std::to_string(in) +
                ". Kernel size: " + std::to_string(reach) +
                ". Kernel size can't be greater than actual input size");
    axes[i] = {in, kernel[i], stride[i], 0, 0, dilation[i], (in - reach) / stride[i] + 1};
  }
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), compute);
  vx = pad(c, vx, zero, low, high, step);
  Py r = c.in.makeValue(convolve(c, vx, c.in.read(weight), axes, groups, compute), compute);
  if (!c.isNone("bias")) {
    TensorRef bias = c.in.convert(c.tensor("bias"), compute);
    SmallVector<Dim> shape(n + 1, b.getIndexAttr(1));
    shape[0] = bias->sizes[0];
    Py column = c.in.makeValue(c.in.reshape(c.in.read(bias), shape), compute);
    r = c.in.callOp("add.Tensor", {r, column, Py::ofInt((int64_t)1)}, {"self", "other", "alpha"})[0];
  }
  TensorRef result = c.in.convert(r.tensor, dtype);
  if (isSingle)
    result = c.in.make(c.in.reshape(c.in.read(result), ArrayRef(result->sizes).drop_front()), dtype);
  return {Py::of(result)};
}

/// im2col: the windows as columns, [N, C * kernel, places].
static Results im2colOp(Call &c) {
  auto &b = c.in.b;
  TensorRef x = c.tensor(0);
  int64_t n = 2;
  bool isSingle = x->rank() == 3;
  if (!isSingle && x->rank() != 4)
    c.in.fail("Expected 3D or 4D (batch mode) tensor for im2col, got " + std::to_string(x->rank()) + "D");
  SmallVector<int64_t> sizes = spatialSizes(c, x, n), kernel = numbers(c, "kernel_size", n, 1),
                       dilation = numbers(c, "dilation", n, 1), padding = numbers(c, "padding", n, 0),
                       stride = numbers(c, "stride", n, 1);
  mlir::Value v = c.in.read(x);
  SmallVector<Dim> lead(x->sizes.begin(), x->sizes.end() - 2);
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), x->dtype);
  v = pad(c, v, zero, padding, padding, {1, 1});
  SmallVector<int64_t> out;
  for (int64_t i = 0; i < n; ++i) {
    int64_t room = sizes[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
    if (room < 0)
      c.in.fail("im2col: the window is larger than the padded image");
    out.push_back(room / stride[i] + 1);
  }
  int64_t l = lead.size(), loops = l + 4;
  SmallVector<AffineExpr> in;
  for (int64_t i = 0; i < l; ++i)
    in.push_back(b.getAffineDimExpr(i));
  for (int64_t i = 0; i < n; ++i)
    in.push_back(b.getAffineDimExpr(l + 2 + i) * stride[i] + b.getAffineDimExpr(l + i) * dilation[i]);
  SmallVector<Dim> shape = withSpatial(c, withSpatial(c, lead, kernel), out);
  Type element = x->type.getElementType();
  mlir::Value init = c.in.empty(shape, element);
  mlir::Value r = linalg::GenericOp::create(
                      b, TypeRange{init.getType()}, ValueRange{v}, ValueRange{init},
                      ArrayRef{AffineMap::get(loops, 0, in, b.getContext()),
                               AffineMap::getMultiDimIdentityMap(loops, b.getContext())},
                      SmallVector<utils::IteratorType>(loops, utils::IteratorType::parallel),
                      [](OpBuilder &nested, Location loc, ValueRange args) {
                        linalg::YieldOp::create(nested, loc, args[0]);
                      })
                      .getResult(0);
  SmallVector<Dim> flat(lead);
  flat.back() = c.in.product({lead.back(), b.getIndexAttr(kernel[0] * kernel[1])});
  flat.push_back(b.getIndexAttr(out[0] * out[1]));
  return {c.in.makeValue(c.in.reshape(r, flat), x->dtype)};
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

/// Reduces each window of `x` (padded as `axes` say) into `inits`. `body` gets
/// what it has, the element, whether that is part of the window (null: always)
/// and its place in the image.
static SmallVector<mlir::Value>
reduceWindows(Call &c, const TensorRef &x, mlir::Value v, ArrayRef<Axis> axes,
              ArrayRef<mlir::Value> starts,
              llvm::function_ref<SmallVector<mlir::Value>(ValueRange, mlir::Value, mlir::Value,
                                                          ArrayRef<mlir::Value>)> body) {
  auto &b = c.in.b;
  int64_t n = axes.size(), lead = x->rank() - n, loops = lead + 2 * n;
  bool isAdaptive = axes[0].isAdaptive, isPadded = false;
  SmallVector<int64_t> out, kernel;
  for (const Axis &a : axes) {
    out.push_back(a.out);
    kernel.push_back(a.kernel);
    isPadded |= a.low > 0 || a.high > 0;
  }
  SmallVector<Dim> sizes = withSpatial(c, ArrayRef(x->sizes).take_front(lead), out);
  auto d = [&](int64_t i) { return b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> in, window, result;
  for (int64_t i = 0; i < lead; ++i) {
    in.push_back(d(i));
    result.push_back(d(i));
  }
  for (int64_t i = 0; i < n; ++i) {
    in.push_back(d(lead + i) * axes[i].stride + d(lead + n + i) * axes[i].dilation);
    window.push_back(d(lead + n + i));
    result.push_back(d(lead + i));
  }
  auto map = [&](ArrayRef<AffineExpr> e) { return AffineMap::get(loops, 0, e, b.getContext()); };
  // The second operand only says how large the windows are.
  SmallVector<mlir::Value> ins;
  SmallVector<AffineMap> maps;
  if (!isAdaptive) {
    ins.push_back(v);
    maps.push_back(map(in));
  }
  ins.push_back(c.in.empty(withSpatial(c, {}, kernel), b.getI1Type()));
  maps.push_back(map(window));
  SmallVector<mlir::Value> outs;
  SmallVector<Type> types, arguments;
  for (mlir::Value in : ins)
    arguments.push_back(getElementTypeOrSelf(in.getType()));
  for (mlir::Value start : starts) {
    outs.push_back(linalg::FillOp::create(b, start, c.in.empty(sizes, start.getType())).getResult(0));
    types.push_back(outs.back().getType());
    arguments.push_back(start.getType());
    maps.push_back(map(result));
  }
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::parallel);
  for (int64_t i = lead + n; i < loops; ++i)
    iterators[i] = utils::IteratorType::reduction;
  auto op = linalg::GenericOp::create(b, types, ins, outs, maps, iterators);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&op.getRegion(), {}, arguments,
                               SmallVector<Location>(arguments.size(), b.getLoc()));
  b.setInsertionPointToStart(block);
  auto number = [&](int64_t v) { return arith::ConstantIndexOp::create(b, v).getResult(); };
  auto both = [&](mlir::Value a, mlir::Value e) {
    return a ? arith::AndIOp::create(b, a, e).getResult() : e;
  };
  SmallVector<mlir::Value> places;
  mlir::Value valid;
  for (int64_t i = 0; i < n; ++i) {
    const Axis &a = axes[i];
    mlir::Value o = linalg::IndexOp::create(b, lead + i), k = linalg::IndexOp::create(b, lead + n + i);
    using P = arith::CmpIPredicate;
    if (isAdaptive) {
      mlir::Value size = number(a.in), all = number(a.out);
      mlir::Value at = arith::AddIOp::create(
          b, arith::DivUIOp::create(b, arith::MulIOp::create(b, o, size), all), k);
      mlir::Value next = arith::MulIOp::create(b, arith::AddIOp::create(b, o, number(1)), size);
      mlir::Value end = arith::DivUIOp::create(b, arith::AddIOp::create(b, next, number(a.out - 1)), all);
      valid = both(valid, arith::CmpIOp::create(b, P::ult, at, end));
      places.push_back(arith::MinUIOp::create(b, at, number(std::max<int64_t>(a.in - 1, 0))));
    } else {
      mlir::Value at = arith::AddIOp::create(b, arith::MulIOp::create(b, o, number(a.stride)),
                                             arith::MulIOp::create(b, k, number(a.dilation)));
      at = arith::SubIOp::create(b, at, number(a.low));
      // A negative place is a large one without its sign.
      if (isPadded)
        valid = both(valid, arith::CmpIOp::create(b, P::ult, at, number(a.in)));
      places.push_back(at);
    }
  }
  mlir::Value element;
  if (isAdaptive) {
    SmallVector<mlir::Value> at;
    for (int64_t i = 0; i < lead; ++i)
      at.push_back(linalg::IndexOp::create(b, i));
    at.append(places);
    element = tensor::ExtractOp::create(b, v, at);
  } else {
    element = block->getArgument(0);
  }
  ValueRange have = block->getArguments().take_back(starts.size());
  linalg::YieldOp::create(b, body(have, element, valid, places));
  return SmallVector<mlir::Value>(op.getResults());
}

static int64_t poolDims(Call &c) {
  for (int64_t n = 1; n <= 3; ++n)
    if (c.name.contains("pool" + std::to_string(n) + "d"))
      return n;
  c.in.fail(c.name.str() + ": not known as a pooling op");
}

static SmallVector<Axis> poolAxes(Call &c, const TensorRef &x) {
  int64_t n = poolDims(c);
  if (x->rank() != n + 1 && x->rank() != n + 2)
    c.in.fail(c.name.str() + ": Expected " + std::to_string(n + 1) + "D or " + std::to_string(n + 2) +
              "D (batch mode) tensor, but got " + std::to_string(x->rank()) + "D");
  SmallVector<int64_t> sizes = spatialSizes(c, x, n);
  SmallVector<Axis> axes(n);
  if (c.name.contains("adaptive")) {
    const Py &list = c.arg("output_size");
    for (int64_t i = 0; i < n; ++i) {
      int64_t out = sizes[i];
      const Py &given = list.kind == Py::Int ? list : list.list().at(list.list().size() == 1 ? 0 : i);
      if (!given.isNone()) {
        if (!given.isStatic())
          c.in.failStatic("argument 'output_size' of " + c.name.str());
        out = given.i;
      }
      Axis &a = axes[i];
      a = {sizes[i], 1, 1, 0, 0, 1, out, true};
      for (int64_t o = 0; o < out; ++o)
        a.kernel = std::max(a.kernel, a.end(o) - a.begin(o));
    }
    // Windows that all have one size are plain ones.
    bool isRegular = llvm::all_of(axes, [](const Axis &a) { return a.out > 0 && a.in % a.out == 0; });
    for (Axis &a : axes)
      if (isRegular)
        a = {a.in, a.in / a.out, std::max<int64_t>(a.in / a.out, 1), 0, 0, 1, a.out, false};
    return axes;
  }
  SmallVector<int64_t> kernel = numbers(c, "kernel_size", n, 1), stride = numbers(c, "stride", n, 0),
                       padding = numbers(c, "padding", n, 0), dilation = numbers(c, "dilation", n, 1);
  bool ceilMode = c.boolean("ceil_mode");
  for (int64_t i = 0; i < n; ++i) {
    Axis &a = axes[i];
    a = {sizes[i], kernel[i], stride[i] ? stride[i] : kernel[i], padding[i], padding[i], dilation[i], 0, false};
    if (kernel[i] < 1 || a.stride < 1 || dilation[i] < 1 || padding[i] < 0)
      c.in.fail(c.name.str() + ": kernel size, stride and dilation have to be greater than zero");
    if (padding[i] > ((kernel[i] - 1) * dilation[i] + 1) / 2)
      c.in.fail("pad should be at most half of effective kernel size, but got pad=" +
                std::to_string(padding[i]) + ", kernel_size=" + std::to_string(kernel[i]));
    // ATen's pooling_output_shape
    int64_t room = a.in + 2 * padding[i] - a.dilation * (a.kernel - 1) - 1 + (ceilMode ? a.stride - 1 : 0);
    if (room < 0)
      c.in.fail(c.name.str() + ": the output size would be too small");
    a.out = room / a.stride + 1;
    if (ceilMode && (a.out - 1) * a.stride >= a.in + padding[i])
      --a.out;
    // What the last window needs.
    a.high = std::max<int64_t>((a.out - 1) * a.stride + a.dilation * (a.kernel - 1) + 1 - a.in - a.low, 0);
  }
  return axes;
}

static mlir::Value padded(Call &c, mlir::Value v, mlir::Value value, ArrayRef<Axis> axes) {
  SmallVector<int64_t> low, high, step(axes.size(), 1);
  for (const Axis &a : axes) {
    low.push_back(a.low);
    high.push_back(a.high);
  }
  return axes[0].isAdaptive ? v : pad(c, v, value, low, high, step);
}

static Results maxPoolOp(Call &c) {
  auto &b = c.in.b;
  TensorRef x = c.tensor(0);
  SmallVector<Axis> axes = poolAxes(c, x);
  if (x->dtype == DType::Bool)
    c.in.fail(c.name.str() + ": not implemented for bool");
  bool isFloat = isFloating(x->dtype), wantsIndices = c.name.contains("indices") || c.name.contains("adaptive");
  unsigned width = x->type.getElementTypeBitWidth();
  Py lowest = isFloat ? Py::ofFloat(-INFINITY)
              : isUnsigned(x->dtype) ? Py::ofInt((int64_t)0)
                                     : Py::ofInt(width == 64 ? INT64_MIN : -(int64_t(1) << (width - 1)));
  mlir::Value start = c.in.scalar(lowest, x->dtype), none = arith::ConstantIntOp::create(b, -1, 64);
  mlir::Value v = padded(c, c.in.read(x), start, axes);
  SmallVector<mlir::Value> starts = {start};
  if (wantsIndices)
    starts.push_back(none);
  auto r = reduceWindows(c, x, v, axes, starts, [&](ValueRange have, mlir::Value e, mlir::Value valid, ArrayRef<mlir::Value> places) {
    using P = arith::CmpIPredicate;
    mlir::Value take;
    if (isFloat) // greater, or NaN
      take = arith::OrIOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, e, have[0]),
                                  arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, e, e));
    else
      take = arith::CmpIOp::create(b, isUnsigned(x->dtype) ? P::ugt : P::sgt, e, have[0]);
    SmallVector<mlir::Value> out;
    if (!wantsIndices) {
      if (valid && axes[0].isAdaptive)
        take = arith::AndIOp::create(b, take, valid);
      out.push_back(arith::SelectOp::create(b, take, e, have[0]));
      return out;
    }
    // The first one counts also if it is the lowest of all.
    mlir::Value zero = arith::ConstantIntOp::create(b, 0, 64);
    take = arith::OrIOp::create(b, take, arith::CmpIOp::create(b, P::slt, have[1], zero));
    if (valid)
      take = arith::AndIOp::create(b, take, valid);
    mlir::Value place;
    for (auto [p, a] : llvm::zip(places, axes))
      place = place ? arith::AddIOp::create(
                          b, arith::MulIOp::create(b, place, arith::ConstantIndexOp::create(b, a.in)), p)
                          .getResult()
                    : p;
    place = arith::IndexCastOp::create(b, b.getI64Type(), place);
    out.push_back(arith::SelectOp::create(b, take, e, have[0]));
    out.push_back(arith::SelectOp::create(b, take, place, have[1]));
    return out;
  });
  Results results = {c.in.makeValue(r[0], x->dtype)};
  if (wantsIndices)
    results.push_back(c.in.makeValue(r[1], DType::Int64));
  return results;
}

static Results avgPoolOp(Call &c) {
  auto &b = c.in.b;
  TensorRef x = c.tensor(0);
  SmallVector<Axis> axes = poolAxes(c, x);
  DType compute = computeType(x->dtype);
  bool isFloat = isFloating(compute);
  if (!isFloat && (c.name.contains("adaptive") || x->dtype != DType::Int64))
    c.in.fail(c.name.str() + ": not implemented for " + dtypeName(x->dtype));
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), compute);
  TensorRef wide = c.in.convert(x, compute);
  mlir::Value v = padded(c, c.in.read(wide), zero, axes);
  bool isAdaptive = axes[0].isAdaptive;
  mlir::Value sum = reduceWindows(c, wide, v, axes, {zero}, [&](ValueRange have, mlir::Value e, mlir::Value valid, ArrayRef<mlir::Value>) {
    mlir::Value r = isFloat ? arith::AddFOp::create(b, have[0], e).getResult()
                            : arith::AddIOp::create(b, have[0], e).getResult();
    if (isAdaptive)
      r = arith::SelectOp::create(b, valid, r, have[0]);
    return SmallVector<mlir::Value>{r};
  })[0];
  // How many each window counts: a constant.
  bool countPadding = c.boolean("count_include_pad", true);
  SmallVector<int64_t> shape, counts = {1};
  for (const Axis &a : axes) {
    shape.push_back(a.out);
    SmallVector<int64_t> next;
    for (int64_t count : counts)
      for (int64_t o = 0; o < a.out; ++o) {
        int64_t begin = a.begin(o), end = a.end(o);
        if (!a.isAdaptive)
          end = std::min(end, a.in + a.low);
        if (!countPadding) {
          begin = std::max<int64_t>(begin, 0);
          end = std::min(end, a.in);
        }
        next.push_back(count * (end - begin));
      }
    counts = next;
  }
  if (!c.isNone("divisor_override")) {
    int64_t divisor = c.integer("divisor_override");
    if (divisor == 0)
      c.in.fail("divisor must be not zero");
    counts.assign(counts.size(), divisor);
  }
  Type element = elementType(b.getContext(), compute);
  auto type = RankedTensorType::get(shape, element);
  mlir::Value divisor;
  if (!counts.empty()) {
    SmallVector<Attribute> values;
    for (int64_t count : counts)
      values.push_back(isFloat ? (Attribute)FloatAttr::get(element, (double)count)
                               : (Attribute)IntegerAttr::get(element, count));
    divisor = arith::ConstantOp::create(b, DenseElementsAttr::get(type, values));
    mlir::Value full = c.in.broadcastTo(divisor, c.in.sizesOf(sum));
    sum = isFloat ? arith::DivFOp::create(b, sum, full).getResult()
                  : arith::DivSIOp::create(b, sum, full).getResult();
  }
  return {c.in.makeValue(c.in.convert(sum, compute, x->dtype), x->dtype)};
}

ArrayRef<OpRow> import::neuralNetOps() {
  static const OpRow rows[] = {
      {"conv1d", convOp}, {"conv2d", convOp}, {"conv3d", convOp},
      {"conv_transpose1d", convOp}, {"conv_transpose2d", convOp}, {"conv_transpose3d", convOp},
      {"convolution", convOp}, {"_convolution", convOp},
      {"_convolution_mode", convOp}, {"im2col", im2colOp},
      {"max_pool1d", maxPoolOp}, {"max_pool2d", maxPoolOp}, {"max_pool3d", maxPoolOp},
      {"max_pool1d_with_indices", maxPoolOp}, {"max_pool2d_with_indices", maxPoolOp},
      {"max_pool3d_with_indices", maxPoolOp},
      {"adaptive_max_pool1d", maxPoolOp}, {"adaptive_max_pool2d", maxPoolOp},
      {"adaptive_max_pool3d", maxPoolOp},
      {"avg_pool1d", avgPoolOp}, {"avg_pool2d", avgPoolOp}, {"avg_pool3d", avgPoolOp},
      {"adaptive_avg_pool1d", avgPoolOp}, {"adaptive_avg_pool2d", avgPoolOp},
      {"adaptive_avg_pool3d", avgPoolOp}, {"_adaptive_avg_pool2d", avgPoolOp},
      {"_adaptive_avg_pool3d", avgPoolOp},
  };
  return rows;
}
