//===- Slices.cpp - Views of a part of a tensor---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Views.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

/// A slice of `t`: offset and size of one dimension, the rest whole.
static TensorRef sliceDim(Call &c, const TensorRef &t, int64_t dim, Dim offset,
                          Dim size, Dim step) {
  auto &b = c.in.b;
  View view;
  view.kind = View::Slice;
  for (int64_t d = 0; d < t->rank(); ++d) {
    view.offsets.push_back(d == dim ? offset : Dim(b.getIndexAttr(0)));
    view.sizes.push_back(d == dim ? size : t->sizes[d]);
    view.strides.push_back(d == dim ? step : Dim(b.getIndexAttr(1)));
  }
  view.source = t->type;
  view.result = c.in.typeOf(view.sizes, t->type.getElementType());
  TensorRef r = c.in.makeView(t, view);
  if (t->strides) {
    r->strides = t->strides;
    int64_t s = c.in.staticDim(step);
    if (s == ShapedType::kDynamic)
      r->strides.reset();
    else
      (*r->strides)[dim] *= s;
  }
  return r;
}

static TensorRef dropDim(Call &c, const TensorRef &t, int64_t dim) {
  SmallVector<Dim> sizes(t->sizes);
  sizes.erase(sizes.begin() + dim);
  auto strides = t->strides;
  if (strides)
    strides->erase(strides->begin() + dim);
  return reshapeView(c, t, sizes, strides);
}

Results import::selectOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (t->rank() == 0)
    c.in.fail("select() cannot be applied to a 0-dim tensor.");
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  Dim size = t->sizes[dim];
  Dim at = c.in.dim(c.arg("index"));
  int64_t i = c.in.staticDim(at), n = c.in.staticDim(size);
  std::string tail = " is out of bounds for dimension " + std::to_string(dim) + " with size ";
  if (i != ShapedType::kDynamic && n != ShapedType::kDynamic) {
    if (i < -n || i >= n)
      c.in.fail("index " + std::to_string(i) + tail + std::to_string(n));
    at = b.getIndexAttr(i < 0 ? i + n : i);
  } else {
    mlir::Value v = c.in.index(at), s = c.in.index(size);
    mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
    mlir::Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, v, zero);
    mlir::Value w = arith::SelectOp::create(b, isNegative, arith::AddIOp::create(b, v, s), v);
    mlir::Value ok = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, w, s);
    c.in.runtimeAssert(ok, "index {}" + tail + "{}",
                       {c.in.i64(c.in.fromDim(v)), c.in.i64(c.in.fromDim(s))});
    at = w;
  }
  return {Py::of(dropDim(c, sliceDim(c, t, dim, at, b.getIndexAttr(1), b.getIndexAttr(1)), dim))};
}

/// A bound of a slice, clamped to 0 .. n, as Python does.
static Dim clampBound(Call &c, const Py &v, Dim size, bool isEnd) {
  auto &b = c.in.b;
  if (v.isNone() || (v.isStatic() && v.kind == Py::Int && v.i == INT64_MAX))
    return isEnd ? size : Dim(b.getIndexAttr(0));
  if (v.isStatic() && v.kind == Py::Int && v.i == 0)
    return b.getIndexAttr(0);
  Dim at = c.in.dim(v);
  int64_t i = c.in.staticDim(at), n = c.in.staticDim(size);
  if (i != ShapedType::kDynamic && n != ShapedType::kDynamic) {
    i = i < 0 ? std::max<int64_t>(i + n, 0) : std::min(i, n);
    return b.getIndexAttr(i);
  }
  mlir::Value w = c.in.index(at), s = c.in.index(size);
  mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
  if (i == ShapedType::kDynamic || i < 0) {
    mlir::Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, w, zero);
    w = arith::SelectOp::create(b, isNegative, arith::AddIOp::create(b, w, s), w);
    w = arith::MaxSIOp::create(b, w, zero);
  }
  return arith::MinSIOp::create(b, w, s).getResult();
}

Results import::sliceOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (t->rank() == 0)
    c.in.fail("slice() cannot be applied to a 0-dim tensor.");
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), t->rank());
  int64_t step = c.integer("step", 1);
  if (step <= 0)
    c.in.fail("slice step must be positive");
  Dim size = t->sizes[dim];
  Dim lo = clampBound(c, c.arg("start"), size, false);
  Dim hi = clampBound(c, c.arg("end"), size, true);
  int64_t p = c.in.staticDim(lo), q = c.in.staticDim(hi);
  Dim count;
  if (p != ShapedType::kDynamic && q != ShapedType::kDynamic) {
    count = b.getIndexAttr(q <= p ? 0 : (q - p + step - 1) / step);
    if (q <= p)
      lo = b.getIndexAttr(0);
  } else if (p == 0 && step == 1) {
    count = hi;
  } else {
    // x[i : i + k] keeps its size k where the bounds say so.
    mlir::Value n = arith::SubIOp::create(b, c.in.index(hi), c.in.index(lo));
    n = arith::MaxSIOp::create(b, n, arith::ConstantIndexOp::create(b, 0));
    if (step != 1)
      n = arith::CeilDivSIOp::create(b, n, arith::ConstantIndexOp::create(b, step));
    count = n;
  }
  if (p == 0 && step == 1 && c.in.sameDim(count, size)) {
    // The whole dimension: still another tensor object on the same memory.
    auto same = std::make_shared<Tensor>(*t);
    same->isParameter = false;
    return {Py::of(same)};
  }
  return {Py::of(sliceDim(c, t, dim, lo, count, b.getIndexAttr(step)))};
}

Results import::narrowOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (t->rank() == 0)
    c.in.fail("narrow() cannot be applied to a 0-dim tensor.");
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  Dim start = c.in.dim(c.arg("start")), length = c.in.dim(c.arg("length"));
  int64_t p = c.in.staticDim(start), k = c.in.staticDim(length), n = c.in.staticDim(t->sizes[dim]);
  if (n != ShapedType::kDynamic && p != ShapedType::kDynamic && k != ShapedType::kDynamic) {
    if (p < 0)
      p += n;
    if (p < 0 || k < 0 || p + k > n)
      c.in.fail("start (" + std::to_string(p) + ") + length (" + std::to_string(k) +
                ") exceeds dimension size (" + std::to_string(n) + ").");
    start = b.getIndexAttr(p);
  } else {
    mlir::Value s = c.in.index(start), size = c.in.index(t->sizes[dim]), l = c.in.index(length);
    mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
    if (p == ShapedType::kDynamic || p < 0) {
      mlir::Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, s, zero);
      s = arith::SelectOp::create(b, isNegative, arith::AddIOp::create(b, s, size), s);
      start = s;
    }
    mlir::Value end = arith::AddIOp::create(b, s, l);
    mlir::Value ok = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, end, size);
    ok = arith::AndIOp::create(b, ok, arith::CmpIOp::create(b, arith::CmpIPredicate::sge, s, zero));
    ok = arith::AndIOp::create(b, ok, arith::CmpIOp::create(b, arith::CmpIPredicate::sge, l, zero));
    c.in.runtimeAssert(ok, "start ({}) + length ({}) exceeds dimension size ({}).",
                       {c.in.i64(c.in.fromDim(start)), c.in.i64(c.in.fromDim(length)),
                        c.in.i64(c.in.fromDim(t->sizes[dim]))});
  }
  return {Py::of(sliceDim(c, t, dim, start, length, b.getIndexAttr(1)))};
}

/// split, chunk and unbind: pieces along a dimension.
static Py pieces(Call &c, const TensorRef &t, int64_t dim, ArrayRef<int64_t> lengths) {
  auto &b = c.in.b;
  std::vector<Py> out;
  int64_t at = 0;
  for (int64_t n : lengths) {
    out.push_back(Py::of(sliceDim(c, t, dim, b.getIndexAttr(at), b.getIndexAttr(n), b.getIndexAttr(1))));
    at += n;
  }
  return Py::ofItems(Py::List, std::move(out), "List[Tensor]");
}

static int64_t knownSize(Call &c, const TensorRef &t, int64_t dim) {
  int64_t n = c.in.staticDim(t->sizes[dim]);
  if (n == ShapedType::kDynamic)
    c.in.failStatic("the size of dimension " + std::to_string(dim) + " in " + c.name.str());
  return n;
}

Results import::splitOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), t->rank());
  int64_t n = knownSize(c, t, dim);
  SmallVector<int64_t> lengths;
  const Py &sizes = c.args[1];
  if (sizes.kind == Py::List) {
    int64_t total = 0;
    for (int64_t s : c.integers(c.argNames[1]))
      lengths.push_back(s), total += s;
    if (total != n)
      c.in.fail("split_with_sizes expects split_sizes to sum exactly to " + std::to_string(n) +
                " (input tensor's size at dimension " + std::to_string(dim) + ")");
  } else {
    int64_t s = c.integer(c.argNames[1]);
    if (s <= 0 && n > 0)
      c.in.fail("split expects split_size be non-negative and non-zero");
    for (int64_t at = 0; at < n || lengths.empty(); at += s) {
      lengths.push_back(std::min(s, n - at));
      if (n == 0)
        break;
    }
  }
  return {pieces(c, t, dim, lengths)};
}

Results import::chunkOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), t->rank());
  int64_t n = knownSize(c, t, dim), chunks = c.integer("chunks");
  if (chunks <= 0)
    c.in.fail("chunk expects `chunks` to be greater than 0, got: " + std::to_string(chunks));
  int64_t s = std::max<int64_t>((n + chunks - 1) / chunks, 1);
  SmallVector<int64_t> lengths;
  for (int64_t at = 0; at < n; at += s)
    lengths.push_back(std::min(s, n - at));
  if (n == 0)
    lengths.assign(chunks, 0);
  return {pieces(c, t, dim, lengths)};
}

Results import::unbindOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), t->rank());
  int64_t n = knownSize(c, t, dim);
  Py all = pieces(c, t, dim, SmallVector<int64_t>(n, 1));
  for (Py &v : all.list())
    v = Py::of(dropDim(c, v.tensor, dim));
  return {all};
}

/// Places in a tensor: they have to be known.
Results import::splitAtTensorOp(Call &c) {
  TensorRef t = c.tensor(1);
  DenseIntElementsAttr places;
  std::vector<Py> list;
  if (matchPattern(c.in.read(t), m_Constant(&places))) {
    for (const APInt &i : places.getValues<APInt>())
      list.push_back(Py::ofInt(i.getSExtValue()));
  } else if (t->rank() == 0 || t->type.isDynamicDim(0)) {
    c.in.failStatic("the number of parts in tensor_split");
  } else {
    for (int64_t i = 0, n = t->type.getDimSize(0); i < n; ++i)
      list.push_back(c.in.item(c.in.callOp("select", {c.args[1], Py::ofInt((int64_t)0), Py::ofInt(i)},
                                           {"self", "dim", "index"})[0].tensor));
  }
  if (t->rank() == 0)
    return c.in.callOp("tensor_split.sections", {c.args[0], list[0], c.args[2]},
                       {"self", "sections", "dim"});
  return c.in.callOp("tensor_split.indices",
                     {c.args[0], Py::ofItems(Py::List, std::move(list), "List[int]"), c.args[2]},
                     {"self", "indices", "dim"});
}

/// A view that addresses the row-major elements of a static tensor.
static TensorRef indexedView(Call &c, const TensorRef &t, int64_t offset,
                             ArrayRef<int64_t> shape, ArrayRef<int64_t> steps,
                             std::optional<SmallVector<int64_t>> strides) {
  if (!t->type.hasStaticShape())
    c.in.failStatic("the shape of the argument of " + c.name.str());
  View view;
  view.kind = View::Indexed;
  view.offset = offset;
  view.steps.assign(steps.begin(), steps.end());
  for (int64_t n : shape)
    view.shape.push_back(c.in.b.getIndexAttr(n));
  view.source = t->type;
  view.result = RankedTensorType::get(shape, t->type.getElementType());
  TensorRef r = c.in.makeView(t, view);
  r->strides = strides;
  return r;
}

Results import::diagonalOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t p = c.in.normalizeDim(c.integer("dim1", 0), t->rank());
  int64_t q = c.in.normalizeDim(c.integer("dim2", 1), t->rank());
  int64_t offset = c.integer("offset", 0);
  if (p == q)
    c.in.fail("diagonal dimensions cannot be identical " + std::to_string(p) + ", " + std::to_string(q));
  if (!t->type.hasStaticShape())
    c.in.failStatic("the shape of the argument of diagonal");
  auto shape = t->type.getShape();
  SmallVector<int64_t> rows = c.in.contiguousStrides(shape), outShape, steps, strides;
  int64_t n = std::max<int64_t>(offset >= 0 ? std::min(shape[p], shape[q] - offset)
                                            : std::min(shape[p] + offset, shape[q]), 0);
  int64_t start = n == 0 ? 0 : offset >= 0 ? offset * rows[q] : -offset * rows[p];
  for (int64_t d = 0; d < t->rank(); ++d)
    if (d != p && d != q) {
      outShape.push_back(shape[d]);
      steps.push_back(rows[d]);
      if (t->strides)
        strides.push_back((*t->strides)[d]);
    }
  outShape.push_back(n);
  steps.push_back(rows[p] + rows[q]);
  if (t->strides)
    strides.push_back((*t->strides)[p] + (*t->strides)[q]);
  return {Py::of(indexedView(c, t, start, outShape, steps,
                             t->strides ? std::optional(strides) : std::nullopt))};
}

Results import::unfoldOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dimension"), t->rank());
  int64_t size = c.integer("size"), step = c.integer("step");
  if (!t->type.hasStaticShape())
    c.in.failStatic("the shape of the argument of unfold");
  SmallVector<int64_t> shape(t->type.getShape()), steps = c.in.contiguousStrides(shape);
  auto strides = t->strides;
  int64_t n = t->rank() == 0 ? 1 : shape[dim];
  if (size > n)
    c.in.fail("maximum size for tensor at dimension " + std::to_string(dim) + " is " +
              std::to_string(n) + " but size is " + std::to_string(size));
  if (step <= 0)
    c.in.fail("step is " + std::to_string(step) + " but must be > 0");
  int64_t inner = t->rank() == 0 ? 1 : steps[dim];
  if (t->rank() > 0) {
    shape[dim] = (n - size) / step + 1;
    steps[dim] *= step;
  }
  shape.push_back(size);
  steps.push_back(inner);
  if (strides) {
    strides->push_back(t->rank() == 0 ? 1 : (*strides)[dim]);
    if (t->rank() > 0)
      (*strides)[dim] *= step;
  }
  return {Py::of(indexedView(c, t, 0, shape, steps, strides))};
}

Results import::asStridedOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto size = c.integers("size"), stride = c.integers("stride");
  if (!t->chain.empty() || !isContiguous(c, t))
    c.in.fail("as_strided of a view is not supported");
  int64_t offset = c.integer("storage_offset", 0), last = offset;
  bool isEmpty = false;
  for (auto [n, s] : llvm::zip(size, stride)) {
    last += (n - 1) * s;
    isEmpty |= n == 0;
  }
  if (!t->type.hasStaticShape())
    c.in.failStatic("the shape of the argument of as_strided");
  if (!isEmpty && last >= t->type.getNumElements())
    c.in.fail("setStorage: the view is out of bounds for storage of size " +
              std::to_string(t->type.getNumElements()));
  return {Py::of(indexedView(c, t, isEmpty ? 0 : offset, size, stride,
                             SmallVector<int64_t>(stride.begin(), stride.end())))};
}
