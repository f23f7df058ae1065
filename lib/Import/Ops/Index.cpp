//===- Index.cpp - Gathering and scattering ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

/// Whether all elements of an index tensor are known to lie in 0 .. n-1.
static bool isWithin(mlir::Value v, int64_t n) {
  if (n == ShapedType::kDynamic)
    return false;
  while (Operation *op = v.getDefiningOp()) {
    if (isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op)) {
      v = op->getOperand(0);
      continue;
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto attr = dyn_cast<DenseIntElementsAttr>(constant.getValue());
      return attr && llvm::all_of(attr.getValues<APInt>(), [&](const APInt &i) {
        return i.getSExtValue() >= 0 && i.getSExtValue() < n;
      });
    }
    auto sizeAt = [](mlir::Value t, int64_t d) { return cast<RankedTensorType>(t.getType()).getDimSize(d); };
    if (auto sort = dyn_cast<SortOp>(op))
      return v == sort.getIndices() && sizeAt(sort.getInput(), sort.getDim()) <= n &&
             !ShapedType::isDynamic(sizeAt(sort.getInput(), sort.getDim()));
    if (auto topk = dyn_cast<TopKOp>(op))
      return v == topk.getIndices() && sizeAt(topk.getInput(), topk.getDim()) <= n &&
             !ShapedType::isDynamic(sizeAt(topk.getInput(), topk.getDim()));
    if (isa<RandomPermutationOp>(op))
      return !ShapedType::isDynamic(sizeAt(v, 0)) && sizeAt(v, 0) <= n;
    if (auto draw = dyn_cast<RandomIntegersOp>(op)) {
      auto known = [](mlir::Value s) -> std::optional<int64_t> {
        if (auto constant = s.getDefiningOp<arith::ConstantOp>())
          if (auto attr = dyn_cast<IntegerAttr>(constant.getValue()))
            return attr.getInt();
        return std::nullopt;
      };
      auto lo = known(draw.getLow()), hi = known(draw.getHigh());
      return lo && hi && *lo >= 0 && *hi <= n;
    }
    return false;
  }
  return false;
}

/// The indices as int64 in 0 .. size-1: negative ones count from the end, bad
/// ones end the call with PyTorch's error.
static mlir::Value checkedIndex(Call &c, const TensorRef &index, Dim size, int64_t dim,
                                bool wrap = true) {
  auto &b = c.in.b;
  mlir::Value v = c.in.convert(c.in.read(index), index->dtype, DType::Int64);
  if (isWithin(v, c.in.staticDim(size)))
    return v;
  mlir::Value n = c.in.i64(c.in.fromDim(size));
  mlir::Value sizes = c.in.splat({}, DType::Int64, c.in.fromDim(size));
  mlir::Value zero = c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0));
  mlir::Value bad = c.in.elementwise({v, sizes, zero}, b.getI1Type(), [&](ValueRange x) -> mlir::Value {
    using P = arith::CmpIPredicate;
    mlir::Value high = arith::CmpIOp::create(b, P::sge, x[0], x[1]);
    mlir::Value low = arith::CmpIOp::create(
        b, P::slt, wrap ? arith::AddIOp::create(b, x[0], x[1]).getResult() : x[0], x[2]);
    return arith::OrIOp::create(b, high, low);
  });
  Py any = c.in.item(c.in.callOp("any", {c.in.makeValue(bad, DType::Bool)}, {"self"})[0].tensor);
  if (any.isStatic() && any.i)
    c.in.fail("index is out of bounds for dimension " + std::to_string(dim));
  if (!any.isStatic())
    c.in.runtimeAssert(arith::XOrIOp::create(b, any.ssa, arith::ConstantIntOp::create(b, 1, 1)),
                       "an index is out of bounds for dimension " + std::to_string(dim) +
                           " with size {}", {n});
  if (!wrap)
    return v;
  return c.in.elementwise({v, sizes, zero}, b.getI64Type(), [&](ValueRange x) -> mlir::Value {
    mlir::Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x[0], x[2]);
    return arith::SelectOp::create(b, isNegative, arith::AddIOp::create(b, x[0], x[1]), x[0]);
  });
}

static Py nonzeroOf(Call &c, const TensorRef &t) {
  auto &b = c.in.b;
  TensorRef mask = c.in.convert(t, DType::Bool);
  Py count = c.in.callOp("sum", {Py::of(mask)}, {"self"})[0];
  Dim n = c.in.dim(c.in.item(count.tensor));
  auto type = RankedTensorType::get({ShapedType::kDynamic, t->rank()}, b.getI64Type());
  mlir::Value v = NonzeroOp::create(b, type, c.in.read(mask), c.in.index(n));
  TensorRef r = c.in.make(v, DType::Int64);
  r->sizes[0] = c.in.index(n);
  return Py::of(r);
}

static Results nonzeroOp(Call &c) { return {nonzeroOf(c, c.tensor(0))}; }

/// One index per dimension, as a tuple of 1-d tensors.
static std::vector<Py> nonzeroColumns(Call &c, const TensorRef &t) {
  TensorRef all = nonzeroOf(c, t).tensor;
  std::vector<Py> columns;
  for (int64_t d = 0; d < t->rank(); ++d)
    columns.push_back(c.in.callOp("select", {Py::of(all), Py::ofInt((int64_t)1), Py::ofInt(d)},
                                  {"self", "dim", "index"})[0]);
  return columns;
}
static Results nonzeroNumpy(Call &c) {
  if (c.tensor(0)->rank() == 0)
    c.args[0] = c.in.makeValue(c.in.reshape(c.in.read(c.tensor(0)), {c.in.b.getIndexAttr(1)}), c.tensor(0)->dtype);
  return {Py::ofItems(Py::List, nonzeroColumns(c, c.tensor(0)), "List[Tensor]")};
}

namespace {
/// An advanced index: per dimension of self an index tensor or none; the shape
/// of the result, and where the broadcast indices stand in it.
struct AdvancedIndex {
  TensorRef self;
  std::vector<mlir::Value> indices; ///< broadcast, null: the whole dimension
  SmallVector<Dim> broadcast, shape;
  size_t first = 0;

  /// The place in self of the result's element at `ids`.
  SmallVector<mlir::Value> place(Call &c, ValueRange ids) const {
    auto &b = c.in.b;
    SmallVector<mlir::Value> at;
    SmallVector<mlir::Value> inner;
    for (size_t i = 0; i < broadcast.size(); ++i)
      inner.push_back(ids[first + i]);
    size_t next = 0;
    for (size_t d = 0; d < indices.size(); ++d) {
      if (indices[d]) {
        mlir::Value i = tensor::ExtractOp::create(b, indices[d], inner);
        at.push_back(arith::IndexCastOp::create(b, b.getIndexType(), i));
        continue;
      }
      if (next == first)
        next += broadcast.size();
      at.push_back(ids[next++]);
    }
    return at;
  }
};
} // namespace

static AdvancedIndex plan(Call &c, const TensorRef &self, const Py &list) {
  AdvancedIndex r;
  r.self = self;
  std::vector<TensorRef> perDim;
  for (const Py &v : list.list()) {
    if (v.isNone()) {
      perDim.push_back(nullptr);
      continue;
    }
    TensorRef t = c.in.toTensor(v);
    if (t->dtype == DType::Bool || t->dtype == DType::UInt8) {
      int64_t at = perDim.size();
      for (int64_t d = 0; d < t->rank(); ++d) {
        if (at + d >= self->rank())
          c.in.fail("too many indices for tensor of dimension " + std::to_string(self->rank()));
        int64_t x = c.in.staticDim(t->sizes[d]), y = c.in.staticDim(self->sizes[at + d]);
        if (x != ShapedType::kDynamic && y != ShapedType::kDynamic && x != y)
          c.in.fail("The shape of the mask at index " + std::to_string(d) + " (" + std::to_string(x) +
                    ") does not match the shape of the indexed tensor at index " +
                    std::to_string(at + d) + " (" + std::to_string(y) + ")");
        c.in.requireSame(t->sizes[d], self->sizes[at + d],
                         "The shape of the mask at index " + std::to_string(d) +
                             " ({}) does not match the shape of the indexed tensor at index " +
                             std::to_string(at + d) + " ({})");
      }
      for (Py &column : nonzeroColumns(c, t))
        perDim.push_back(column.tensor);
    } else {
      if (!isIntegral(t->dtype, false))
        c.in.fail("tensors used as indices must be long, int, byte or bool tensors");
      perDim.push_back(t);
    }
  }
  if ((int64_t)perDim.size() > self->rank())
    c.in.fail("too many indices for tensor of dimension " + std::to_string(self->rank()));
  perDim.resize(self->rank());
  SmallVector<SmallVector<Dim>> shapes;
  SmallVector<size_t> used;
  for (size_t d = 0; d < perDim.size(); ++d)
    if (perDim[d]) {
      shapes.push_back(perDim[d]->sizes);
      used.push_back(d);
    }
  r.broadcast = c.in.broadcastShapes(shapes);
  bool isEmpty = llvm::any_of(r.broadcast, [&](Dim d) { return c.in.staticDim(d) == 0; });
  for (size_t d = 0; d < perDim.size(); ++d) {
    if (!perDim[d]) {
      r.indices.push_back(nullptr);
      continue;
    }
    mlir::Value v = isEmpty ? c.in.convert(c.in.read(perDim[d]), perDim[d]->dtype, DType::Int64)
                            : checkedIndex(c, perDim[d], self->sizes[d], d);
    r.indices.push_back(c.in.broadcastTo(v, r.broadcast));
  }
  // Adjacent indices stay in their place, others go to the front.
  bool adjacent = !used.empty() && used.back() - used.front() + 1 == used.size();
  r.first = adjacent ? used.front() : 0;
  SmallVector<Dim> rest;
  for (size_t d = 0; d < perDim.size(); ++d)
    if (!perDim[d])
      rest.push_back(self->sizes[d]);
  r.shape.append(rest.begin(), rest.begin() + r.first);
  r.shape.append(r.broadcast);
  r.shape.append(rest.begin() + r.first, rest.end());
  return r;
}

static Results indexOp(Call &c) {
  TensorRef self = c.tensor(0);
  AdvancedIndex a = plan(c, self, c.args[1]);
  mlir::Value src = c.in.read(self);
  mlir::Value v = c.in.generate(a.shape, self->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    return tensor::ExtractOp::create(c.in.b, src, a.place(c, ids));
  });
  TensorRef r = c.in.make(v, self->dtype);
  r->sizes = a.shape;
  return {Py::of(r)};
}

/// Index tuples for evox.scatter from a function of the update's place.
static mlir::Value tuples(Call &c, ArrayRef<Dim> shape, int64_t rank,
                          llvm::function_ref<SmallVector<mlir::Value>(ValueRange)> place) {
  auto &b = c.in.b;
  SmallVector<Dim> full(shape);
  full.push_back(b.getIndexAttr(rank));
  return c.in.generate(full, b.getI64Type(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> at = place(ids.drop_back());
    mlir::Value r = at.empty() ? arith::ConstantIndexOp::create(b, 0).getResult() : at[0];
    for (int64_t d = 1; d < rank; ++d) {
      mlir::Value is = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, ids.back(),
                                             arith::ConstantIndexOp::create(b, d));
      r = arith::SelectOp::create(b, is, at[d], r);
    }
    return arith::IndexCastOp::create(b, b.getI64Type(), r);
  });
}

static mlir::Value scatter(Call &c, ScatterKind kind, mlir::Value updates, mlir::Value into,
                           mlir::Value places, DType dtype) {
  // bool sums are ors; half sums round once per addition, as PyTorch's.
  return ScatterOp::create(c.in.b, into.getType(), kind, updates, into, places, dtype == DType::UInt8);
}

static Py indexPut(Call &c) {
  TensorRef self = c.tensor(0), values = c.in.toTensor(c.arg("values"));
  bool accumulate = c.boolean("accumulate");
  const auto &list = c.args[1].list();
  // x[mask] = number is a selection.
  if (list.size() == 1 && list[0].isTensor() && list[0].tensor->dtype == DType::Bool &&
      list[0].tensor->rank() == self->rank() && !accumulate &&
      values->type.hasStaticShape() && values->type.getNumElements() == 1) {
    mlir::Value v = c.in.convert(c.in.read(values), values->dtype, self->dtype);
    v = c.in.reshape(v, {});
    mlir::Value r = c.in.elementwise(
        {c.in.read(list[0].tensor), v, c.in.read(self)}, self->type.getElementType(),
        [&](ValueRange x) -> mlir::Value { return arith::SelectOp::create(c.in.b, x[0], x[1], x[2]); });
    return c.in.makeValue(r, self->dtype);
  }
  AdvancedIndex a = plan(c, self, c.args[1]);
  mlir::Value updates = c.in.convert(c.in.read(values), values->dtype, self->dtype);
  if (values->rank() > (int64_t)a.shape.size()) {
    // Leading dimensions of size 1 are dropped.
    SmallVector<Dim> sizes(values->sizes.end() - a.shape.size(), values->sizes.end());
    updates = c.in.reshape(updates, sizes);
  }
  c.in.broadcastShapes({a.shape, c.in.sizesOf(updates)});
  updates = c.in.broadcastInto(updates, a.shape);
  if (self->rank() == 0)
    return c.in.makeValue(c.in.reshape(updates, {}), self->dtype);
  mlir::Value places = tuples(c, a.shape, self->rank(), [&](ValueRange ids) { return a.place(c, ids); });
  ScatterKind kind = accumulate ? ScatterKind::Sum : ScatterKind::Assign;
  return c.in.makeValue(scatter(c, kind, updates, c.in.read(self), places, self->dtype), self->dtype);
}
static Results indexPutOp(Call &c) { return {indexPut(c)}; }

/// Open sizes of an index: those that the other tensor covers.
static void requireAtMost(Call &c, Dim n, Dim most, const char *what, const char *other, int64_t d) {
  auto &b = c.in.b;
  if (c.in.sameDim(n, most) || (c.in.staticDim(n) != ShapedType::kDynamic &&
                                c.in.staticDim(most) != ShapedType::kDynamic))
    return;
  mlir::Value x = c.in.index(n), y = c.in.index(most);
  c.in.runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::sle, x, y),
                     c.name.str() + "(): expected the size {} of " + what +
                         " to be no larger than the size {} of " + other + " at dimension " +
                         std::to_string(d),
                     {arith::IndexCastOp::create(b, b.getI64Type(), x),
                      arith::IndexCastOp::create(b, b.getI64Type(), y)});
}

static Results takeAlong(Call &c) { // gather
  TensorRef self = c.tensor(0), index = c.tensor("index");
  int64_t dim = c.in.normalizeDim(c.integer("dim"), self->rank());
  if (index->type.hasStaticShape() && index->type.getNumElements() == 0)
    return {c.in.makeValue(c.in.empty(index->sizes, self->type.getElementType()), self->dtype)};
  if (std::max<int64_t>(self->rank(), 1) != std::max<int64_t>(index->rank(), 1))
    c.in.fail("Index tensor must have the same number of dimensions as input tensor");
  if (index->dtype != DType::Int64 && index->dtype != DType::Int32)
    c.in.fail("gather(): Expected dtype int64 for index");
  for (int64_t d = 0; d < std::min(self->rank(), index->rank()); ++d) {
    int64_t x = c.in.staticDim(index->sizes[d]), y = c.in.staticDim(self->sizes[d]);
    if (d != dim && x != ShapedType::kDynamic && y != ShapedType::kDynamic && x > y)
      c.in.fail("Size does not match at dimension " + std::to_string(d) + " expected index to be no larger than self apart from dimension " + std::to_string(dim));
    if (d != dim)
      requireAtMost(c, index->sizes[d], self->sizes[d], "index", "self", d);
  }
  mlir::Value src = c.in.read(self);
  if (self->rank() == 0)
    return {c.in.makeValue(c.in.broadcastTo(src, index->sizes), self->dtype)};
  mlir::Value at = checkedIndex(c, index, self->sizes[dim], dim, false);
  auto &b = c.in.b;
  mlir::Value v = c.in.generate(index->sizes, self->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    mlir::Value i = tensor::ExtractOp::create(b, at, ids);
    SmallVector<mlir::Value> place(ids);
    if (place.empty())
      place.push_back(nullptr);
    place[dim] = arith::IndexCastOp::create(b, b.getIndexType(), i);
    return tensor::ExtractOp::create(b, src, place);
  });
  return {c.in.makeValue(v, self->dtype)};
}

static Results indexSelect(Call &c) {
  TensorRef self = c.tensor(0), index = c.tensor("index");
  int64_t dim = c.in.normalizeDim(c.integer("dim"), self->rank());
  if (index->rank() > 1)
    c.in.fail("index_select(): Index is supposed to be a vector");
  if (self->rank() == 0)
    return {c.in.makeValue(c.in.read(self), self->dtype)};
  auto &b = c.in.b;
  mlir::Value at = checkedIndex(c, index, self->sizes[dim], dim, false);
  Dim n = index->rank() ? index->sizes[0] : Dim(b.getIndexAttr(1));
  at = c.in.reshape(at, {n});
  SmallVector<Dim> sizes(self->sizes);
  sizes[dim] = n;
  mlir::Value src = c.in.read(self);
  mlir::Value v = c.in.generate(sizes, self->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> place(ids);
    mlir::Value i = tensor::ExtractOp::create(b, at, ids[dim]);
    place[dim] = arith::IndexCastOp::create(b, b.getIndexType(), i);
    return tensor::ExtractOp::create(b, src, place);
  });
  return {c.in.makeValue(v, self->dtype)};
}

static ScatterKind reduceKind(Call &c, StringRef reduce) {
  if (reduce == "add" || reduce == "sum") return ScatterKind::Sum;
  if (reduce == "multiply" || reduce == "prod") return ScatterKind::Prod;
  if (reduce == "amax") return ScatterKind::Max;
  if (reduce == "amin") return ScatterKind::Min;
  c.in.fail("reduce argument must be one of add, multiply, sum, prod, amax, amin; got '" + reduce.str() + "'");
}

/// scatter, scatter_add: along one dimension.
static Results scatterOp(Call &c) {
  TensorRef self = c.tensor(0), index = c.tensor("index");
  int64_t dim = c.in.normalizeDim(c.integer("dim"), self->rank());
  auto &b = c.in.b;
  ScatterKind kind = c.name == "scatter_add" ? ScatterKind::Sum : ScatterKind::Assign;
  if (c.has("reduce") && !c.isNone("reduce"))
    kind = reduceKind(c, c.arg("reduce").s);
  mlir::Value updates;
  if (c.has("value")) {
    updates = c.in.splat(index->sizes, self->dtype, c.arg("value"));
  } else {
    TensorRef src = c.tensor("src");
    if (src->dtype != self->dtype)
      c.in.fail(c.name.str() + "(): Expected self.dtype to be equal to src.dtype");
    updates = c.in.read(src);
    SmallVector<Dim> zeros(src->rank(), b.getIndexAttr(0)), ones(src->rank(), b.getIndexAttr(1));
    for (int64_t d = 0; d < std::min(src->rank(), index->rank()); ++d)
      requireAtMost(c, index->sizes[d], src->sizes[d], "index", "src", d);
    if (src->type.getShape() != index->type.getShape() || !index->type.hasStaticShape())
      updates = tensor::ExtractSliceOp::create(b, updates, zeros, SmallVector<Dim>(index->sizes), ones);
  }
  if (index->type.hasStaticShape() && index->type.getNumElements() == 0)
    return {c.in.makeValue(c.in.read(self), self->dtype)};
  for (int64_t d = 0; d < std::min(self->rank(), index->rank()); ++d)
    if (d != dim)
      requireAtMost(c, index->sizes[d], self->sizes[d], "index", "self", d);
  mlir::Value into = c.in.read(self);
  if (self->rank() == 0) {
    into = c.in.reshape(into, {b.getIndexAttr(1)});
    updates = c.in.reshape(updates, {b.getIndexAttr(1)});
  }
  Dim n = self->rank() ? self->sizes[dim] : Dim(b.getIndexAttr(1));
  mlir::Value at = checkedIndex(c, index, n, dim, false);
  SmallVector<Dim> shape(index->sizes);
  if (shape.empty()) {
    shape.push_back(b.getIndexAttr(1));
    at = c.in.reshape(at, shape);
    updates = c.in.reshape(updates, shape);
  }
  int64_t rank = std::max<int64_t>(self->rank(), 1);
  mlir::Value places = tuples(c, shape, rank, [&](ValueRange ids) {
    SmallVector<mlir::Value> place(ids);
    mlir::Value i = tensor::ExtractOp::create(b, at, ids);
    place[dim] = arith::IndexCastOp::create(b, b.getIndexType(), i);
    return place;
  });
  mlir::Value r = scatter(c, kind, updates, into, places, self->dtype);
  return {c.in.makeValue(c.in.reshape(r, self->sizes), self->dtype)};
}

static Results maskedSelect(Call &c) {
  SmallVector<Dim> sizes = c.in.broadcastShapes({c.tensor(0)->sizes, c.tensor(1)->sizes});
  TensorRef x = c.in.make(c.in.broadcastTo(c.in.read(c.tensor(0)), sizes), c.tensor(0)->dtype);
  TensorRef m = c.in.make(c.in.broadcastTo(c.in.read(c.tensor(1)), sizes), c.tensor(1)->dtype);
  if (m->dtype != DType::Bool)
    c.in.fail("masked_select: expected BoolTensor for mask");
  if (x->rank() == 0) {
    x = c.in.make(c.in.reshape(c.in.read(x), {c.in.b.getIndexAttr(1)}), x->dtype);
    m = c.in.make(c.in.reshape(c.in.read(m), {c.in.b.getIndexAttr(1)}), m->dtype);
  }
  return c.in.callOp("index.Tensor", {Py::of(x), Py::ofItems(Py::List, {Py::of(m)})}, {"self", "indices"});
}

/// PyTorch's binary search, unrolled: as many steps as the size asks for.
static Results searchSorted(Call &c) {
  auto &b = c.in.b;
  TensorRef sorted = c.tensor("sorted_sequence"), x = c.tensor("self");
  bool right = c.boolean("right");
  if (!c.isNone("side")) {
    const std::string &side = c.arg("side").s;
    if (side != "left" && side != "right")
      c.in.fail("torch.searchsorted(): side can only be 'left' or 'right' but got " + side);
    if (side == "left" && right)
      c.in.fail("torch.searchsorted(): side and right can't be set to opposites, got side "
                "of left while right was True");
    right = side == "right";
  }
  if (sorted->rank() == 0)
    c.in.fail("torch.searchsorted(): input value can be a scalar only when boundaries "
              "tensor dimension is 1");
  if (sorted->rank() != 1 && sorted->rank() != x->rank())
    c.in.fail("torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
              "dimensions of boundaries tensor and input value tensor must match");
  for (int64_t d = 0; d + 1 < sorted->rank(); ++d) {
    int64_t p = c.in.staticDim(sorted->sizes[d]), q = c.in.staticDim(x->sizes[d]);
    if (p != q && p != ShapedType::kDynamic && q != ShapedType::kDynamic)
      c.in.fail("torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
                "dimensions of boundaries tensor and input value tensor must match");
  }
  DType dtype = resultType({sorted, x});
  DType compute = computeType(dtype);
  mlir::Value table = c.in.convert(c.in.read(sorted), sorted->dtype, compute);
  mlir::Value values = c.in.convert(c.in.read(x), x->dtype, compute);
  if (!c.isNone("sorter")) {
    TensorRef order = c.tensor("sorter");
    if (order->type.getShape() != sorted->type.getShape())
      c.in.fail("torch.searchsorted(): boundary and sorter must have the same size");
    table = c.in.read(c.in.callOp("gather", {c.in.makeValue(table, compute),
                                             Py::ofInt((int64_t)sorted->rank() - 1), Py::of(order)},
                                  {"self", "dim", "index"})[0].tensor);
  }
  Dim size = sorted->sizes.back();
  int64_t n = c.in.staticDim(size), steps = 0;
  while (n == ShapedType::kDynamic ? steps < 40 : ((int64_t)1 << steps) < n + 1)
    ++steps;
  mlir::Value v = c.in.generate(x->sizes, b.getI64Type(), [&](ValueRange ids) -> mlir::Value {
    mlir::Value key = tensor::ExtractOp::create(b, values, ids);
    mlir::Value low = arith::ConstantIndexOp::create(b, 0), high = c.in.index(size);
    mlir::Value one = arith::ConstantIndexOp::create(b, 1);
    mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
    SmallVector<mlir::Value> at;
    if (sorted->rank() > 1)
      at.append(ids.begin(), std::prev(ids.end()));
    at.push_back(nullptr);
    for (int64_t k = 0; k < steps; ++k) {
      mlir::Value open = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, low, high);
      mlir::Value middle = arith::ShRUIOp::create(b, arith::AddIOp::create(b, low, high), one);
      at.back() = arith::SelectOp::create(b, open, middle, zero);
      mlir::Value m = tensor::ExtractOp::create(b, table, at);
      mlir::Value up; // not (m >= key), not (m > key)
      if (isFloating(compute)) {
        using P = arith::CmpFPredicate;
        up = arith::CmpFOp::create(b, right ? P::ULE : P::ULT, m, key);
      } else {
        using P = arith::CmpIPredicate;
        up = arith::CmpIOp::create(b, isUnsigned(compute) ? (right ? P::ule : P::ult) : (right ? P::sle : P::slt), m, key);
      }
      mlir::Value goUp = arith::AndIOp::create(b, open, up);
      mlir::Value next = arith::AddIOp::create(b, middle, one);
      mlir::Value high2 = arith::SelectOp::create(b, up, high, middle);
      low = arith::SelectOp::create(b, goUp, next, low);
      high = arith::SelectOp::create(b, open, high2, high);
    }
    return arith::IndexCastOp::create(b, b.getI64Type(), low);
  });
  if (n == 0)
    v = c.in.splat(x->sizes, DType::Int64, Py::ofInt((int64_t)0));
  DType out = c.boolean("out_int32") ? DType::Int32 : DType::Int64;
  return {c.in.makeValue(c.in.convert(v, DType::Int64, out), out)};
}

ArrayRef<OpRow> import::indexOps() {
  static const OpRow rows[] = {
      {"index", indexOp}, {"_unsafe_index", indexOp}, {"index_put", indexPutOp},
      {"_index_put_impl", indexPutOp}, {"gather", takeAlong}, {"index_select", indexSelect},
      {"scatter", scatterOp}, {"scatter_add", scatterOp},
      {"nonzero", nonzeroOp}, {"nonzero_numpy", nonzeroNumpy}, {"argwhere", nonzeroOp},
      {"masked_select", maskedSelect}, {"searchsorted", searchSorted},
  };
  return rows;
}
