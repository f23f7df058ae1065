//===- Views.cpp - Views and shapes ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Views.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

TensorRef import::reshapeView(Call &c, const TensorRef &t, ArrayRef<Dim> sizes,
                             std::optional<SmallVector<int64_t>> strides) {
  View view;
  view.kind = View::Reshape;
  view.shape.assign(sizes.begin(), sizes.end());
  view.source = t->type;
  view.result = c.in.typeOf(sizes, t->type.getElementType());
  TensorRef r = c.in.makeView(t, view);
  r->strides = strides;
  return r;
}

bool import::isContiguous(Call &c, const TensorRef &t) {
  if (!t->type.hasStaticShape())
    return true; // values made by ops are
  if (!t->strides)
    return false;
  int64_t expected = 1;
  if (t->type.getNumElements() == 0)
    return true;
  for (int64_t d = t->rank() - 1; d >= 0; --d) {
    if (t->type.getDimSize(d) == 1)
      continue;
    if ((*t->strides)[d] != expected)
      return false;
    expected *= t->type.getDimSize(d);
  }
  return true;
}

static Py copyOf(Call &c, const TensorRef &t) {
  TensorRef r = c.in.make(c.in.read(t), t->dtype);
  if (t->stridesVary)
    c.in.mayBeSame(r->storage, t->storage);
  return Py::of(r);
}

/// PyTorch's computeStride: the strides of a view of another shape, if any.
static std::optional<SmallVector<int64_t>> viewStrides(ArrayRef<int64_t> oldShape,
                                                       ArrayRef<int64_t> oldStrides,
                                                       ArrayRef<int64_t> newShape) {
  SmallVector<int64_t> strides(newShape.size(), 1);
  int64_t numel = 1;
  for (int64_t s : oldShape)
    numel *= s;
  if (oldShape.empty())
    return strides;
  if (numel == 0) {
    for (int64_t i = (int64_t)newShape.size() - 1; i >= 0; --i)
      strides[i] = i == (int64_t)newShape.size() - 1
                       ? 1
                       : std::max<int64_t>(newShape[i + 1], 1) * strides[i + 1];
    return strides;
  }
  int64_t v = (int64_t)newShape.size() - 1;
  int64_t chunkStride = oldStrides.back(), tensorNumel = 1, viewNumel = 1;
  for (int64_t d = (int64_t)oldShape.size() - 1; d >= 0; --d) {
    tensorNumel *= oldShape[d];
    if (d == 0 || (oldShape[d - 1] != 1 && oldStrides[d - 1] != tensorNumel * chunkStride)) {
      while (v >= 0 && (viewNumel < tensorNumel || newShape[v] == 1)) {
        strides[v] = viewNumel * chunkStride;
        viewNumel *= newShape[v];
        --v;
      }
      if (viewNumel != tensorNumel)
        return std::nullopt;
      if (d > 0) {
        chunkStride = oldStrides[d - 1];
        tensorNumel = 1;
        viewNumel = 1;
      }
    }
  }
  if (v != -1)
    return std::nullopt;
  return strides;
}

/// A shape with one -1 filled in.
static SmallVector<Dim> inferShape(Call &c, const TensorRef &t, SmallVector<Dim> sizes) {
  int64_t unknown = -1;
  int64_t known = 1;
  bool allStatic = t->type.hasStaticShape();
  SmallVector<Dim> others;
  for (auto [i, d] : llvm::enumerate(sizes)) {
    int64_t n = c.in.staticDim(d);
    if (n == -1) {
      if (unknown >= 0)
        c.in.fail("only one dimension can be inferred");
      unknown = i;
      continue;
    }
    if (n == ShapedType::kDynamic)
      allStatic = false;
    else
      known *= n;
    others.push_back(d);
  }
  auto text = [&] {
    std::string s = "[";
    for (auto [i, d] : llvm::enumerate(sizes))
      s += (i ? ", " : "") + std::to_string(c.in.staticDim(d));
    return s + "]";
  };
  if (allStatic) {
    int64_t numel = t->type.getNumElements();
    if (unknown >= 0) {
      if (known == 0)
        c.in.fail("cannot reshape tensor of 0 elements into shape " + text() +
                  " because the unspecified dimension size -1 can be any value "
                  "and is ambiguous");
      if (numel % known)
        c.in.fail("shape '" + text() + "' is invalid for input of size " + std::to_string(numel));
      sizes[unknown] = c.in.b.getIndexAttr(numel / known);
    } else if (known != numel) {
      c.in.fail("shape '" + text() + "' is invalid for input of size " + std::to_string(numel));
    }
    return sizes;
  }
  auto &b = c.in.b;
  // Sizes that both have need not be known to divide.
  SmallVector<Dim> left(t->sizes), right(others);
  for (auto it = left.begin(); it != left.end();) {
    auto same = llvm::find_if(right, [&](Dim d) {
      return c.in.sameDim(d, *it) && c.in.staticDim(d) == ShapedType::kDynamic;
    });
    if (same != right.end()) {
      right.erase(same);
      it = left.erase(it);
    } else {
      ++it;
    }
  }
  Dim total = c.in.product(left), rest = c.in.product(right);
  if (unknown >= 0) {
    if (c.in.staticDim(rest) == 1)
      sizes[unknown] = total;
    else if (c.in.staticDim(rest) != ShapedType::kDynamic && c.in.staticDim(total) != ShapedType::kDynamic)
      sizes[unknown] = b.getIndexAttr(c.in.staticDim(total) / c.in.staticDim(rest));
    else
      sizes[unknown] = arith::DivUIOp::create(b, c.in.index(total), c.in.index(rest)).getResult();
  }
  Dim have = c.in.product(t->sizes), want = c.in.product(sizes);
  if (!c.in.sameDim(total, rest) || unknown >= 0) {
    mlir::Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, c.in.index(have), c.in.index(want));
    c.in.runtimeAssert(same, "shape is invalid for input of size {}", {c.in.i64(c.in.fromDim(have))});
  }
  return sizes;
}

static Py viewAs(Call &c, const TensorRef &t, SmallVector<Dim> sizes, bool mayCopy) {
  sizes = inferShape(c, t, sizes);
  RankedTensorType type = c.in.typeOf(sizes, t->type.getElementType());
  if (!type.hasStaticShape() || !t->type.hasStaticShape()) {
    if (t->chain.empty() || t->chain.back().kind == View::Reshape)
      return Py::of(reshapeView(c, t, sizes, std::nullopt));
    return c.in.makeValue(c.in.reshape(c.in.read(t), sizes), t->dtype);
  }
  std::optional<SmallVector<int64_t>> strides;
  if (t->strides)
    strides = viewStrides(t->type.getShape(), *t->strides, type.getShape());
  if (strides)
    return Py::of(reshapeView(c, t, sizes, strides));
  if (!mayCopy && !t->stridesVary)
    c.in.fail("view size is not compatible with input tensor's size and stride (at "
              "least one dimension spans across two contiguous subspaces). Use "
              ".reshape(...) instead.");
  TensorRef copy = c.in.make(c.in.reshape(c.in.read(t), sizes), t->dtype);
  if (t->stridesVary)
    c.in.mayBeSame(copy->storage, t->storage);
  return Py::of(copy);
}

static Results viewOp(Call &c) {
  if (c.has("dtype")) {
    if (static_cast<DType>(c.integer("dtype")) == c.tensor(0)->dtype)
      return {c.args[0]};
    c.in.fail("view as another dtype is not supported");
  }
  return {viewAs(c, c.tensor(0), shapeArg(c), false)};
}
static Results reshapeOp(Call &c) {
  return {viewAs(c, c.tensor(0), shapeArg(c, c.has("shape") ? "shape" : "size"), true)};
}
static Results reshapeAsOp(Call &c) {
  return {viewAs(c, c.tensor(0), SmallVector<Dim>(c.tensor(1)->sizes), c.name != "view_as")};
}

static Results flattenOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t lo = c.in.normalizeDim(c.integer("start_dim", 0), t->rank());
  int64_t hi = c.in.normalizeDim(c.integer("end_dim", -1), t->rank());
  if (lo > hi)
    c.in.fail("flatten() has invalid args: start_dim cannot come after end_dim");
  if (t->rank() == 0)
    return {viewAs(c, t, {c.in.b.getIndexAttr(1)}, true)};
  if (lo == hi)
    return {c.args[0]};
  SmallVector<Dim> sizes(t->sizes.begin(), t->sizes.begin() + lo);
  sizes.push_back(c.in.product(ArrayRef(t->sizes).slice(lo, hi - lo + 1)));
  sizes.append(t->sizes.begin() + hi + 1, t->sizes.end());
  return {viewAs(c, t, sizes, true)};
}

static Results unsqueezeOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t dim = c.in.normalizeDim(c.integer("dim"), t->rank() + 1);
  SmallVector<Dim> sizes(t->sizes);
  sizes.insert(sizes.begin() + dim, c.in.b.getIndexAttr(1));
  auto strides = t->strides;
  if (strides) {
    int64_t s = dim < t->rank() ? (*strides)[dim] * t->type.getDimSize(dim) : 1;
    strides->insert(strides->begin() + dim, s);
  }
  return {Py::of(reshapeView(c, t, sizes, strides))};
}

static Results squeezeOp(Call &c) {
  TensorRef t = c.tensor(0);
  SmallVector<int64_t> dims;
  if (c.has("dim")) {
    for (int64_t d : c.integers("dim"))
      dims.push_back(c.in.normalizeDim(d, t->rank()));
  } else {
    for (int64_t d = 0; d < t->rank(); ++d)
      dims.push_back(d);
  }
  SmallVector<Dim> sizes;
  SmallVector<int64_t> strides;
  for (int64_t d = 0; d < t->rank(); ++d) {
    if (llvm::is_contained(dims, d) && c.in.staticDim(t->sizes[d]) == 1)
      continue;
    sizes.push_back(t->sizes[d]);
    if (t->strides)
      strides.push_back((*t->strides)[d]);
  }
  return {Py::of(reshapeView(c, t, sizes, t->strides ? std::optional(strides) : std::nullopt))};
}

static TensorRef permuted(Call &c, const TensorRef &t, ArrayRef<int64_t> perm) {
  View view;
  view.kind = View::Permute;
  view.perm.assign(perm.begin(), perm.end());
  view.source = t->type;
  SmallVector<Dim> sizes;
  for (int64_t p : perm)
    sizes.push_back(t->sizes[p]);
  view.result = c.in.typeOf(sizes, t->type.getElementType());
  TensorRef r = c.in.makeView(t, view);
  if (t->strides) {
    SmallVector<int64_t> strides;
    for (int64_t p : perm)
      strides.push_back((*t->strides)[p]);
    r->strides = strides;
  }
  return r;
}

static Results permuteOp(Call &c) {
  TensorRef t = c.tensor(0);
  SmallVector<int64_t> perm;
  for (int64_t d : c.integers("dims")) {
    d = c.in.normalizeDim(d, t->rank());
    if (llvm::is_contained(perm, d))
      c.in.fail("permute(sparse_coo): duplicate dims are not allowed");
    perm.push_back(d);
  }
  if ((int64_t)perm.size() != t->rank())
    c.in.fail("permute(sparse_coo): number of dimensions in the tensor input does "
              "not match the length of the desired ordering of dimensions i.e. "
              "input.dim() = " + std::to_string(t->rank()) +
              " is not equal to len(dims) = " + std::to_string(perm.size()));
  return {Py::of(permuted(c, t, perm))};
}

static Results transposeOp(Call &c) {
  TensorRef t = c.tensor(0);
  int64_t p = c.in.normalizeDim(c.integer("dim0"), t->rank());
  int64_t q = c.in.normalizeDim(c.integer("dim1"), t->rank());
  SmallVector<int64_t> perm = llvm::to_vector(llvm::seq<int64_t>(0, t->rank()));
  if (t->rank() > 0)
    std::swap(perm[p], perm[q]);
  return {Py::of(permuted(c, t, perm))};
}

static Results tOp(Call &c) {
  TensorRef t = c.tensor(0);
  SmallVector<int64_t> perm = llvm::to_vector(llvm::seq<int64_t>(0, t->rank()));
  if (c.name == "t" && t->rank() > 2)
    c.in.fail("t() expects a tensor with <= 2 dimensions, but self is " +
              std::to_string(t->rank()) + "D");
  if (c.name == "mT" || c.name == "mH" || c.name == "adjoint") {
    if (t->rank() < 2)
      c.in.fail("tensor." + c.name.str() + " is only supported on matrices or batches of matrices");
    std::swap(perm[t->rank() - 1], perm[t->rank() - 2]);
  } else {
    std::reverse(perm.begin(), perm.end());
  }
  return {Py::of(permuted(c, t, perm))};
}

static Results movedimOp(Call &c) {
  TensorRef t = c.tensor(0);
  SmallVector<int64_t> from, to, perm(t->rank(), -1);
  for (int64_t d : c.integers("source"))
    from.push_back(c.in.normalizeDim(d, t->rank()));
  for (int64_t d : c.integers("destination"))
    to.push_back(c.in.normalizeDim(d, t->rank()));
  if (from.size() != to.size())
    c.in.fail("movedim: Invalid source or destination dims");
  if (t->rank() == 0)
    return {c.args[0]};
  for (auto [f, d] : llvm::zip(from, to))
    perm[d] = f;
  int64_t next = 0;
  for (int64_t &p : perm) {
    if (p >= 0)
      continue;
    while (llvm::is_contained(from, next))
      ++next;
    p = next++;
  }
  return {Py::of(permuted(c, t, perm))};
}

static TensorRef expanded(Call &c, const TensorRef &t, SmallVector<Dim> sizes) {
  int64_t lead = (int64_t)sizes.size() - t->rank();
  if (lead < 0)
    c.in.fail("expand: the number of sizes provided (" + std::to_string(sizes.size()) +
              ") must be greater or equal to the number of dimensions in the tensor (" +
              std::to_string(t->rank()) + ")");
  SmallVector<int64_t> strides;
  for (int64_t d = 0; d < (int64_t)sizes.size(); ++d) {
    int64_t n = c.in.staticDim(sizes[d]);
    if (d < lead) {
      if (n == -1)
        c.in.fail("The expanded size of the tensor (-1) isn't allowed in a leading, "
                  "non-existing dimension " + std::to_string(d));
      strides.push_back(0);
      continue;
    }
    int64_t have = c.in.staticDim(t->sizes[d - lead]);
    if (n == -1)
      sizes[d] = t->sizes[d - lead];
    else if (have != 1 && have != ShapedType::kDynamic && n != ShapedType::kDynamic && n != have)
      c.in.fail("The expanded size of the tensor (" + std::to_string(n) +
                ") must match the existing size (" + std::to_string(have) +
                ") at non-singleton dimension " + std::to_string(d));
    else if ((have == ShapedType::kDynamic || (n == ShapedType::kDynamic && have != 1)) &&
             !c.in.sameDim(sizes[d], t->sizes[d - lead]))
      c.in.requireSame(sizes[d], t->sizes[d - lead],
                       "The expanded size of the tensor ({}) must match the existing size ({}) "
                       "at non-singleton dimension " + std::to_string(d),
                       /*mayBeOne=*/t->sizes[d - lead]);
    if (t->strides)
      strides.push_back(have == 1 && n != 1 && n != -1 ? 0 : (*t->strides)[d - lead]);
  }
  View view;
  view.kind = View::Expand;
  view.shape = sizes;
  view.source = t->type;
  view.result = c.in.typeOf(sizes, t->type.getElementType());
  TensorRef r = c.in.makeView(t, view);
  if (t->strides)
    r->strides = strides;
  return r;
}

static Results expandOp(Call &c) { return {Py::of(expanded(c, c.tensor(0), shapeArg(c)))}; }
static Results expandAsOp(Call &c) {
  return {Py::of(expanded(c, c.tensor(0), SmallVector<Dim>(c.tensor(1)->sizes)))};
}
static Results broadcastTensorsOp(Call &c) {
  SmallVector<SmallVector<Dim>> shapes;
  for (const Py &v : c.args[0].list())
    shapes.push_back(v.tensor->sizes);
  SmallVector<Dim> sizes = c.in.broadcastShapes(shapes);
  std::vector<Py> out;
  for (const Py &v : c.args[0].list())
    out.push_back(Py::of(expanded(c, v.tensor, sizes)));
  return {Py::ofItems(Py::List, std::move(out), "List[Tensor]")};
}

//===----------------------------------------------------------------------===//
// Sizes and metadata
//===----------------------------------------------------------------------===//

static Results sizeOp(Call &c) {
  TensorRef t = c.tensor(0);
  if (c.args.size() > 1 && !c.args[1].isNone()) {
    if (t->rank() == 0)
      c.in.fail("Dimension specified as " + std::to_string(c.integer("dim")) +
                " but tensor has no dimensions");
    return {c.in.fromDim(t->sizes[c.in.normalizeDim(c.integer("dim"), t->rank())])};
  }
  std::vector<Py> sizes;
  for (Dim d : t->sizes)
    sizes.push_back(c.in.fromDim(d));
  return {Py::ofItems(Py::List, std::move(sizes), "List[int]")};
}
static Results rankOp(Call &c) { return {Py::ofInt(c.tensor(0)->rank())}; }
static Results numelOp(Call &c) { return {c.in.fromDim(c.in.product(c.tensor(0)->sizes))}; }
static Results strideOp(Call &c) {
  TensorRef t = c.tensor(0);
  if (!t->strides)
    c.in.fail("the strides of this tensor are not known");
  if (c.args.size() > 1)
    return {Py::ofInt((*t->strides)[c.in.normalizeDim(c.integer("dim"), t->rank())])};
  std::vector<Py> out;
  for (int64_t s : *t->strides)
    out.push_back(Py::ofInt(s));
  return {Py::ofItems(Py::List, std::move(out), "List[int]")};
}
static Results isContiguousOp(Call &c) { return {Py::ofBool(isContiguous(c, c.tensor(0)))}; }
static Results contiguousOp(Call &c) {
  TensorRef t = c.tensor(0);
  return {isContiguous(c, t) ? c.args[0] : copyOf(c, t)};
}
static Results cloneOp(Call &c) {
  TensorRef t = c.tensor(0);
  TensorRef r = c.in.make(c.in.read(t), t->dtype);
  const Py &format = c.arg("memory_format");
  if (format.kind != Py::Int || format.i != 0)
    keepOrder(t, r);
  r->requiresGrad = t->requiresGrad;
  return {Py::of(r)};
}
static Results detachOp(Call &c) {
  auto r = std::make_shared<Tensor>(*c.tensor(0));
  r->requiresGrad = false;
  r->isParameter = false;
  return {Py::of(r)};
}
static Results identityOp(Call &c) { return {c.args[0]}; }
static Results aliasOp(Call &c) {
  auto r = std::make_shared<Tensor>(*c.tensor(0));
  return {Py::of(r)};
}
static Results requiresGradOp(Call &c) {
  c.tensor(0)->requiresGrad = c.boolean("requires_grad", true);
  return {c.args[0]};
}
static Results getRequiresGrad(Call &c) { return {Py::ofBool(c.tensor(0)->requiresGrad)}; }
static Results isFloatingOp(Call &c) { return {Py::ofBool(isFloating(c.tensor(0)->dtype))}; }
static Results isComplexOp(Call &c) { return {Py::ofBool(isComplex(c.tensor(0)->dtype))}; }
static Results isSignedOp(Call &c) { return {Py::ofBool(!isUnsigned(c.tensor(0)->dtype))}; }
static Results elementSizeOp(Call &c) {
  TensorRef t = c.tensor(0);
  unsigned bits = t->type.getElementType().getIntOrFloatBitWidth();
  return {Py::ofInt((int64_t)std::max(bits / 8, 1u))};
}
static Results deviceTypeOp(Call &) { return {Py::ofString("cpu")}; }
static Results falseOp(Call &) { return {Py::ofBool(false)}; }

ArrayRef<OpRow> import::viewOps() {
  static const OpRow rows[] = {
      {"view", viewOp}, {"_unsafe_view", viewOp}, {"reshape", reshapeOp},
      {"_reshape_alias", reshapeOp}, {"reshape_as", reshapeAsOp}, {"view_as", reshapeAsOp},
      {"flatten", flattenOp}, {"unsqueeze", unsqueezeOp}, {"squeeze", squeezeOp},
      {"permute", permuteOp}, {"transpose", transposeOp}, {"swapaxes", transposeOp},
      {"t", tOp}, {"numpy_T", tOp}, {"mT", tOp}, {"mH", tOp}, {"adjoint", tOp},
      {"movedim", movedimOp}, {"moveaxis", movedimOp},
      {"expand", expandOp}, {"broadcast_to", expandOp}, {"expand_as", expandAsOp},
      {"broadcast_tensors", broadcastTensorsOp},
      {"select", selectOp}, {"slice", sliceOp}, {"narrow", narrowOp},
      {"split", splitOp}, {"split_with_sizes", splitOp}, {"chunk", chunkOp},
      {"tensor_split.tensor_indices_or_sections", splitAtTensorOp},
      {"unbind", unbindOp}, {"diagonal", diagonalOp}, {"unfold", unfoldOp},
      {"as_strided", asStridedOp},
      {"size", sizeOp}, {"dim", rankOp}, {"numel", numelOp}, {"stride", strideOp},
      {"is_contiguous", isContiguousOp}, {"contiguous", contiguousOp},
      {"clone", cloneOp}, {"detach", detachOp}, {"detach_", identityOp}, {"alias", aliasOp},
      {"lift_fresh", identityOp}, {"lift_fresh_copy", cloneOp},
      {"resolve_conj", identityOp}, {"resolve_neg", identityOp}, {"conj", identityOp},
      {"_conj", identityOp}, {"conj_physical", cloneOp}, {"real", identityOp},
      {"requires_grad_", requiresGradOp}, {"requires_grad", getRequiresGrad},
      {"is_floating_point", isFloatingOp}, {"is_complex", isComplexOp},
      {"is_signed", isSignedOp}, {"element_size", elementSizeOp},
      {"is_conj", falseOp}, {"is_neg", falseOp}, {"is_inference", falseOp},
      {"is_autocast_enabled", falseOp}, {"prim_type", deviceTypeOp},
  };
  return rows;
}
