//===- Array.cpp - Joining, sorting, scanning ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Views.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

static Results catOp(Call &c) {
  auto &b = c.in.b;
  std::vector<TensorRef> parts;
  SmallVector<TensorRef> all;
  for (const Py &v : c.args[0].list())
    all.push_back(c.in.toTensor(v));
  if (all.empty())
    c.in.fail("torch.cat(): expected a non-empty list of Tensors");
  DType dtype = resultType(all);
  for (const TensorRef &t : all) {
    if (t->rank() == 0)
      c.in.fail("zero-dimensional tensor cannot be concatenated");
    // PyTorch skips empty tensors of one dimension.
    if (!(t->rank() == 1 && c.in.staticDim(t->sizes[0]) == 0))
      parts.push_back(t);
  }
  if (parts.empty())
    return {Py::of(c.in.make(c.in.convert(c.in.read(all[0]), all[0]->dtype, dtype), dtype))};
  int64_t rank = parts[0]->rank();
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), rank);
  SmallVector<Dim> sizes(parts[0]->sizes);
  mlir::Value total;
  int64_t known = 0;
  for (const TensorRef &t : parts) {
    if (t->rank() != rank)
      c.in.fail("Tensors must have same number of dimensions: got " + std::to_string(rank) +
                " and " + std::to_string(t->rank()));
    for (int64_t d = 0; d < rank; ++d) {
      int64_t x = c.in.staticDim(sizes[d]), y = c.in.staticDim(t->sizes[d]);
      if (d != dim && x != ShapedType::kDynamic && y != ShapedType::kDynamic && x != y)
        c.in.fail("Sizes of tensors must match except in dimension " + std::to_string(dim) +
                  ". Expected size " + std::to_string(x) + " but got size " + std::to_string(y));
      if (d != dim && (x == ShapedType::kDynamic || y == ShapedType::kDynamic))
        c.in.requireSame(sizes[d], t->sizes[d],
                         "Sizes of tensors must match except in dimension " + std::to_string(dim) +
                             ". Expected size {} but got size {}");
      if (d != dim && x == ShapedType::kDynamic && y != ShapedType::kDynamic)
        sizes[d] = t->sizes[d];
    }
    int64_t n = c.in.staticDim(t->sizes[dim]);
    if (n == ShapedType::kDynamic)
      total = total ? arith::AddIOp::create(b, total, c.in.index(t->sizes[dim])).getResult()
                    : c.in.index(t->sizes[dim]);
    else
      known += n;
  }
  if (total)
    sizes[dim] = arith::AddIOp::create(b, total, arith::ConstantIndexOp::create(b, known).getResult()).getResult();
  else
    sizes[dim] = b.getIndexAttr(known);
  mlir::Value out = c.in.empty(sizes, elementType(b.getContext(), dtype));
  Dim at = b.getIndexAttr(0);
  for (const TensorRef &t : parts) {
    if (llvm::any_of(t->sizes, [&](Dim d) { return c.in.staticDim(d) == 0; }))
      continue; // adds nothing, and its place may lie behind the end
    SmallVector<Dim> offsets(rank, b.getIndexAttr(0)), strides(rank, b.getIndexAttr(1));
    offsets[dim] = at;
    mlir::Value v = c.in.convert(c.in.read(t), t->dtype, dtype);
    out = tensor::InsertSliceOp::create(b, v, out, offsets, SmallVector<Dim>(t->sizes), strides);
    int64_t x = c.in.staticDim(at), y = c.in.staticDim(t->sizes[dim]);
    if (x != ShapedType::kDynamic && y != ShapedType::kDynamic)
      at = b.getIndexAttr(x + y);
    else
      at = arith::AddIOp::create(b, c.in.index(at), c.in.index(t->sizes[dim])).getResult();
  }
  return {c.in.makeValue(out, dtype)};
}

static Results stackOp(Call &c) {
  std::vector<Py> parts;
  const auto &list = c.args[0].list();
  if (list.empty())
    c.in.fail("stack expects a non-empty TensorList");
  int64_t dim = c.in.normalizeDim(c.integer("dim", 0), list[0].tensor->rank() + 1);
  for (const Py &v : list) {
    if (v.tensor->type.getShape() != list[0].tensor->type.getShape() && v.tensor->type.hasStaticShape() &&
        list[0].tensor->type.hasStaticShape())
      c.in.fail("stack expects each tensor to be equal size");
    if (v.tensor->rank() == list[0].tensor->rank())
      for (auto [p, q] : llvm::zip(list[0].tensor->sizes, v.tensor->sizes))
        c.in.requireSame(p, q, "stack expects each tensor to be equal size, but got {} and {}");
    parts.push_back(c.in.callOp("unsqueeze", {v, Py::ofInt(dim)}, {"self", "dim"})[0]);
  }
  return c.in.callOp("cat", {Py::ofItems(Py::List, std::move(parts)), Py::ofInt(dim)},
                     {"tensors", "dim"});
}

static Results sortOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  if (t->rank() == 0) {
    Py zero = c.in.makeValue(c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0)), DType::Int64);
    if (c.name == "argsort" || c.name == "msort")
      return {c.name == "msort" ? c.args[0] : zero};
    return {c.in.makeValue(c.in.read(t), t->dtype), zero};
  }
  int64_t dim = c.name == "msort" ? 0 : c.in.normalizeDim(c.integer("dim", -1), t->rank());
  auto indices = RankedTensorType::get(t->type.getShape(), b.getI64Type());
  auto op = SortOp::create(b, TypeRange{t->type, indices}, c.in.read(t), dim,
                           c.boolean("descending"), !c.boolean("stable"),
                           t->dtype == DType::UInt8, IntegerAttr());
  Py values = c.in.makeValue(op.getValues(), t->dtype);
  Py order = c.in.makeValue(op.getIndices(), DType::Int64);
  if (c.name == "argsort")
    return {order};
  if (c.name == "msort")
    return {values};
  return {values, order};
}

static Results kthValue(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  int64_t k = c.integer("k"), dim = c.in.normalizeDim(c.integer("dim", -1), t->rank());
  int64_t n = t->rank() ? c.in.staticDim(t->sizes[dim]) : 1;
  if (t->dtype == DType::Bool)
    c.in.fail("kthvalue is not implemented for bool");
  if (k < 1 || (n != ShapedType::kDynamic && k > n))
    c.in.fail("kthvalue(): selected number k out of range for dimension " + std::to_string(dim));
  if (t->rank() == 0)
    return {c.in.makeValue(c.in.read(t), t->dtype),
            c.in.makeValue(c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0)), DType::Int64)};
  auto indices = RankedTensorType::get(t->type.getShape(), b.getI64Type());
  auto op = SortOp::create(b, TypeRange{t->type, indices}, c.in.read(t), dim, false, false,
                           t->dtype == DType::UInt8, b.getI64IntegerAttr(k - 1));
  SmallVector<Dim> offsets(t->rank(), b.getIndexAttr(0)), sizes(t->sizes), ones(t->rank(), b.getIndexAttr(1));
  offsets[dim] = b.getIndexAttr(k - 1);
  sizes[dim] = b.getIndexAttr(1);
  SmallVector<Dim> kept(sizes);
  if (!c.boolean("keepdim"))
    kept.erase(kept.begin() + dim);
  auto pick = [&](mlir::Value v, DType dtype) {
    v = tensor::ExtractSliceOp::create(b, v, offsets, sizes, ones);
    return c.in.makeValue(c.in.reshape(v, kept), dtype);
  };
  return {pick(op.getValues(), t->dtype), pick(op.getIndices(), DType::Int64)};
}

static Results topkOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  int64_t dim = c.in.normalizeDim(c.integer("dim", -1), t->rank());
  if (t->rank() == 0)
    return {c.in.makeValue(c.in.read(t), t->dtype),
            c.in.makeValue(c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0)), DType::Int64)};
  Dim k = c.in.dim(c.arg("k"));
  int64_t n = c.in.staticDim(t->sizes[dim]), kn = c.in.staticDim(k);
  if (kn != ShapedType::kDynamic && (kn < 0 || (n != ShapedType::kDynamic && kn > n)))
    c.in.fail("selected index k out of range");
  SmallVector<Dim> sizes(t->sizes);
  sizes[dim] = k;
  mlir::Value dynamicK;
  if (kn == ShapedType::kDynamic || n == ShapedType::kDynamic)
    c.in.runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::ule, c.in.index(k), c.in.index(t->sizes[dim])),
                       "selected index k out of range");
  if (kn == ShapedType::kDynamic)
    dynamicK = c.in.index(k);
  auto values = c.in.typeOf(sizes, t->type.getElementType());
  auto indices = c.in.typeOf(sizes, b.getI64Type());
  auto op = TopKOp::create(b, TypeRange{values, indices}, c.in.read(t), dynamicK, dim,
                           !c.boolean("largest", true), !c.boolean("sorted", true),
                           t->dtype == DType::UInt8);
  return {c.in.makeValue(op.getValues(), t->dtype), c.in.makeValue(op.getIndices(), DType::Int64)};
}

template <CumulativeKind kind> static Results cumulativeOp(Call &c) {
  TensorRef t = c.tensor(0);
  DType dtype = dtypeArg(c, isIntegral(t->dtype, true) ? DType::Int64 : t->dtype);
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  t = c.in.convert(t, dtype);
  if (t->rank() == 0)
    return {c.in.makeValue(c.in.read(t), dtype)};
  return {c.in.makeValue(CumulativeOp::create(c.in.b, t->type, kind, c.in.read(t), dim), dtype)};
}

/// cummax and cummin: the index is the last place where the running extreme
/// was met, or the last NaN.
template <CumulativeKind kind> static Results cumulativeExtreme(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  mlir::Value x = c.in.read(t);
  if (t->rank() == 0)
    return {c.in.makeValue(x, t->dtype),
            c.in.makeValue(c.in.splat({}, DType::Int64, Py::ofInt((int64_t)0)), DType::Int64)};
  if (t->dtype == DType::UInt8) // scans compare signed bytes
    x = c.in.convert(x, DType::UInt8, DType::Int16);
  mlir::Value best = CumulativeOp::create(b, x.getType(), kind, x, dim);
  mlir::Value place = c.in.generate(t->sizes, b.getI64Type(), [&](ValueRange ids) -> mlir::Value {
    mlir::Value v = tensor::ExtractOp::create(b, x, ids), w = tensor::ExtractOp::create(b, best, ids);
    mlir::Value met;
    if (isFloating(t->dtype)) {
      met = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, v, w);
      met = arith::OrIOp::create(b, met, arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, v, v));
    } else {
      met = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, v, w);
    }
    mlir::Value i = arith::IndexCastOp::create(b, b.getI64Type(), ids[dim]);
    return arith::SelectOp::create(b, met, i, arith::ConstantIntOp::create(b, 0, 64));
  });
  mlir::Value index = CumulativeOp::create(b, place.getType(), CumulativeKind::Max, place, dim);
  if (t->dtype == DType::UInt8)
    best = c.in.convert(best, DType::Int16, DType::UInt8);
  return {c.in.makeValue(best, t->dtype), c.in.makeValue(index, DType::Int64)};
}

static Results logCumSumExp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank());
  if (!isFloating(t->dtype))
    c.in.fail("logcumsumexp is not implemented for " + dtypeName(t->dtype));
  mlir::Value x = c.in.read(t);
  if (t->rank() == 0)
    return {c.in.makeValue(x, t->dtype)};
  return {c.in.makeValue(CumulativeOp::create(c.in.b, t->type, CumulativeKind::LogSumExp, x, dim), t->dtype)};
}

static Results flipOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  SmallVector<int64_t> dims = dimsArg(c, t, "dims", false);
  mlir::Value src = c.in.read(t);
  mlir::Value v = c.in.generate(t->sizes, t->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> at(ids);
    for (int64_t d : dims) {
      mlir::Value last = arith::SubIOp::create(b, c.in.index(t->sizes[d]), arith::ConstantIndexOp::create(b, 1));
      at[d] = arith::SubIOp::create(b, last, ids[d]);
    }
    return tensor::ExtractOp::create(b, src, at);
  });
  return {c.in.makeValue(v, t->dtype)};
}

static Results rollOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  auto shifts = c.integers("shifts");
  auto dims = c.integers("dims");
  if (dims.empty() && shifts.size() == 1) {
    // Of the flattened tensor.
    TensorRef flat = c.in.make(c.in.reshape(c.in.read(t), {c.in.product(t->sizes)}), t->dtype);
    Py r = c.in.callOp("roll", {Py::of(flat), c.args[1], Py::ofItems(Py::List, {Py::ofInt((int64_t)0)})},
                       {"self", "shifts", "dims"})[0];
    return {c.in.makeValue(c.in.reshape(c.in.read(r.tensor), t->sizes), t->dtype)};
  }
  if (dims.size() != shifts.size())
    c.in.fail("shifts and dimensions must align. shifts: " + std::to_string(shifts.size()) +
              ", dims:" + std::to_string(dims.size()));
  mlir::Value src = c.in.read(t);
  if (t->type.hasStaticShape() && t->type.getNumElements() == 0)
    return {c.in.makeValue(src, t->dtype)};
  if (t->type.hasStaticShape() && t->rank()) {
    // The end, then what is before it.
    for (auto [s, d] : llvm::zip(shifts, dims)) {
      int64_t dim = c.in.normalizeDim(d, t->rank()), n = t->type.getDimSize(dim);
      int64_t end = (s % n + n) % n;
      if (end == 0)
        continue;
      SmallVector<OpFoldResult> ones(t->rank(), b.getIndexAttr(1)), zeros(t->rank(), b.getIndexAttr(0));
      mlir::Value whole = tensor::EmptyOp::create(b, t->type.getShape(), t->type.getElementType());
      for (auto [from, to, count] : {std::tuple(n - end, int64_t(0), end), std::tuple(int64_t(0), end, n - end)}) {
        auto sizes = getAsIndexOpFoldResult(b.getContext(), t->type.getShape());
        auto source = zeros, target = zeros;
        sizes[dim] = b.getIndexAttr(count);
        source[dim] = b.getIndexAttr(from);
        target[dim] = b.getIndexAttr(to);
        mlir::Value piece = tensor::ExtractSliceOp::create(b, src, source, sizes, ones);
        whole = tensor::InsertSliceOp::create(b, piece, whole, target, sizes, ones);
      }
      src = whole;
    }
    return {c.in.makeValue(src, t->dtype)};
  }
  mlir::Value v = c.in.generate(t->sizes, t->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> at(ids);
    for (auto [s, d] : llvm::zip(shifts, dims)) {
      int64_t dd = d < 0 ? d + t->rank() : d;
      mlir::Value n = c.in.index(t->sizes[dd]);
      mlir::Value moved = arith::SubIOp::create(b, at[dd], arith::ConstantIndexOp::create(b, s));
      mlir::Value r = arith::RemSIOp::create(b, moved, n);
      mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
      mlir::Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, r, zero);
      at[dd] = arith::SelectOp::create(b, isNegative, arith::AddIOp::create(b, r, n), r);
    }
    return tensor::ExtractOp::create(b, src, at);
  });
  return {c.in.makeValue(v, t->dtype)};
}

/// repeat and tile: element i of a dimension is element i mod n.
static Results repeatOp(Call &c) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  const Py &list = c.args[1];
  SmallVector<Dim> times;
  for (const Py &v : list.list())
    times.push_back(c.in.dim(v));
  if (c.name == "tile")
    while ((int64_t)times.size() < t->rank())
      times.insert(times.begin(), b.getIndexAttr(1));
  int64_t rank = times.size(), lead = rank - t->rank();
  if (lead < 0)
    c.in.fail("Number of dimensions of repeat dims can not be smaller than number of "
              "dimensions of tensor");
  SmallVector<Dim> sizes;
  for (int64_t d = 0; d < rank; ++d) {
    int64_t n = c.in.staticDim(times[d]);
    if (n < 0 && n != ShapedType::kDynamic)
      c.in.fail("Trying to create tensor with negative dimension " + std::to_string(n));
    sizes.push_back(d < lead ? times[d] : c.in.product({times[d], t->sizes[d - lead]}));
  }
  mlir::Value src = c.in.read(t);
  mlir::Value v = c.in.generate(sizes, t->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> at(ids.drop_front(lead));
    for (int64_t d = 0; d < t->rank(); ++d) {
      if (c.in.staticDim(t->sizes[d]) == 1)
        at[d] = arith::ConstantIndexOp::create(b, 0);
      else if (c.in.staticDim(times[d + lead]) != 1)
        at[d] = arith::RemUIOp::create(b, at[d], c.in.index(t->sizes[d]));
    }
    return tensor::ExtractOp::create(b, src, at);
  });
  TensorRef r = c.in.make(v, t->dtype);
  return {Py::of(r)};
}

ArrayRef<OpRow> import::arrayOps() {
  static const OpRow rows[] = {
      {"cat", catOp}, {"concat", catOp}, {"concatenate", catOp}, {"stack", stackOp},
      {"sort", sortOp}, {"argsort", sortOp}, {"msort", sortOp}, {"topk", topkOp}, {"kthvalue", kthValue},
      {"cumsum", cumulativeOp<CumulativeKind::Sum>},
      {"cumprod", cumulativeOp<CumulativeKind::Prod>},
      {"flip", flipOp}, {"roll", rollOp},
      {"cummax", cumulativeExtreme<CumulativeKind::Max>},
      {"cummin", cumulativeExtreme<CumulativeKind::Min>}, {"logcumsumexp", logCumSumExp},
      {"pad", padOp}, {"constant_pad_nd", padOp}, {"_pad_circular", padOp},
      {"reflection_pad1d", padOp}, {"reflection_pad2d", padOp}, {"reflection_pad3d", padOp},
      {"replication_pad1d", padOp}, {"replication_pad2d", padOp}, {"replication_pad3d", padOp},
      {"repeat", repeatOp}, {"tile", repeatOp},
  };
  return rows;
}
