//===- Pad.cpp - Padding -------------------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Views.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

enum class PadMode { Constant, Reflect, Replicate, Circular };

/// pad[2k] and pad[2k+1] elements before and behind dimension -1-k; negative
/// ones take elements away.
static Py pad(Call &c, PadMode mode, const Py &value) {
  TensorRef t = c.tensor(0);
  auto &b = c.in.b;
  std::vector<int64_t> amounts = c.integers(c.has("pad") ? "pad" : "padding");
  int64_t rank = t->rank(), count = amounts.size() / 2;
  if (amounts.size() % 2)
    c.in.fail("Padding length must be divisible by 2");
  if (count > rank)
    c.in.fail("Padding length should be less than or equal to two times the input "
              "dimension but got padding length " + std::to_string(amounts.size()) +
              " and input of dimension " + std::to_string(rank));
  if (mode != PadMode::Constant && (count < 1 || count > 3 || (rank != count + 1 && rank != count + 2)))
    c.in.fail("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now");
  SmallVector<int64_t> before(rank, 0), behind(rank, 0);
  for (int64_t k = 0; k < count; ++k) {
    before[rank - 1 - k] = amounts[2 * k];
    behind[rank - 1 - k] = amounts[2 * k + 1];
  }
  SmallVector<Dim> sizes;
  for (int64_t d = 0; d < rank; ++d) {
    int64_t n = c.in.staticDim(t->sizes[d]), l = before[d], r = behind[d];
    if (n == ShapedType::kDynamic) {
      if (l == 0 && r == 0) {
        sizes.push_back(t->sizes[d]);
        continue;
      }
      if (l < 0 || r < 0 || mode != PadMode::Constant)
        c.in.failStatic("the size of dimension " + std::to_string(d) + " in " + c.name.str());
      sizes.push_back(arith::AddIOp::create(b, c.in.index(t->sizes[d]),
                                            arith::ConstantIndexOp::create(b, l + r)).getResult());
      continue;
    }
    if (n + l + r < 0)
      c.in.fail("The input size " + std::to_string(n) + ", plus negative padding " +
                std::to_string(l) + " and " + std::to_string(r) +
                " resulted in a negative output size, which is invalid. Check dimension " +
                std::to_string(d) + " of your input.");
    bool isPadded = l > 0 || r > 0;
    if (mode == PadMode::Reflect && isPadded && (l >= n || r >= n))
      c.in.fail("Padding size should be less than the corresponding input dimension, but "
                "got: padding (" + std::to_string(l) + ", " + std::to_string(r) +
                ") at dimension " + std::to_string(d) + " of size " + std::to_string(n));
    if (mode == PadMode::Circular && (l > n || r > n))
      c.in.fail("Padding value causes wrapping around more than once.");
    if (mode != PadMode::Constant && isPadded && n == 0)
      c.in.fail("Expected a non-empty dimension " + std::to_string(d) + " to be padded");
    sizes.push_back(b.getIndexAttr(n + l + r));
  }
  mlir::Value src = c.in.read(t);
  bool isEmpty = llvm::any_of(t->sizes, [&](Dim d) { return c.in.staticDim(d) == 0; });
  mlir::Value fill;
  if (mode == PadMode::Constant)
    fill = c.in.scalar(value, t->dtype);
  if (isEmpty)
    return c.in.makeValue(
        c.in.splat(sizes, t->dtype, mode == PadMode::Constant ? value : Py::ofInt((int64_t)0)), t->dtype);
  using P = arith::CmpIPredicate;
  mlir::Value v = c.in.generate(sizes, t->type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    auto number = [&](int64_t i) -> mlir::Value { return arith::ConstantIndexOp::create(b, i); };
    SmallVector<mlir::Value> at(ids);
    mlir::Value inside;
    for (int64_t d = 0; d < rank; ++d) {
      int64_t l = before[d], r = behind[d];
      if (l == 0 && r == 0)
        continue;
      mlir::Value i = arith::SubIOp::create(b, ids[d], number(l));
      mlir::Value zero = number(0);
      mlir::Value last = arith::SubIOp::create(b, c.in.index(t->sizes[d]), number(1));
      switch (mode) {
      case PadMode::Constant:
        if (l > 0 || r > 0) {
          mlir::Value ok = arith::CmpIOp::create(b, P::sge, i, zero);
          ok = arith::AndIOp::create(b, ok, arith::CmpIOp::create(b, P::sle, i, last));
          inside = inside ? arith::AndIOp::create(b, inside, ok).getResult() : ok;
        }
        [[fallthrough]];
      case PadMode::Replicate:
        i = arith::MinSIOp::create(b, arith::MaxSIOp::create(b, i, zero), last);
        break;
      case PadMode::Reflect: {
        mlir::Value minus = arith::SubIOp::create(b, zero, i);
        i = arith::MaxSIOp::create(b, i, minus);
        mlir::Value back = arith::SubIOp::create(b, arith::AddIOp::create(b, last, last), i);
        i = arith::MinSIOp::create(b, i, back);
        break;
      }
      case PadMode::Circular: {
        // Around what negative amounts leave of the dimension.
        int64_t start = std::max<int64_t>(-l, 0);
        int64_t n = c.in.staticDim(t->sizes[d]) - start - std::max<int64_t>(-r, 0);
        i = arith::SubIOp::create(b, ids[d], number(std::max<int64_t>(l, 0)));
        i = arith::AddIOp::create(b, i, number(n * 2));
        i = arith::RemUIOp::create(b, i, number(n));
        i = arith::AddIOp::create(b, i, number(start));
        break;
      }
      }
      at[d] = i;
    }
    mlir::Value x = tensor::ExtractOp::create(b, src, at);
    return inside ? arith::SelectOp::create(b, inside, x, fill).getResult() : x;
  });
  return c.in.makeValue(v, t->dtype);
}

Results import::padOp(Call &c) {
  Py zero = Py::ofInt((int64_t)0);
  StringRef name = c.name;
  if (name == "constant_pad_nd")
    return {pad(c, PadMode::Constant, c.isNone("value") ? zero : c.arg("value"))};
  if (name == "_pad_circular")
    return {pad(c, PadMode::Circular, zero)};
  if (name.starts_with("reflection_pad"))
    return {pad(c, PadMode::Reflect, zero)};
  if (name.starts_with("replication_pad"))
    return {pad(c, PadMode::Replicate, zero)};
  const std::string mode = c.isNone("mode") ? "constant" : c.arg("mode").s;
  if (mode == "constant")
    return {pad(c, PadMode::Constant, c.isNone("value") ? zero : c.arg("value"))};
  if (!c.isNone("value") && c.arg("value").isStatic() && (c.arg("value").f != 0 || c.arg("value").i != 0))
    c.in.fail("Padding mode \"" + mode + "\" doesn't take in value argument");
  if (mode == "reflect")
    return {pad(c, PadMode::Reflect, zero)};
  if (mode == "replicate")
    return {pad(c, PadMode::Replicate, zero)};
  if (mode == "circular")
    return {pad(c, PadMode::Circular, zero)};
  c.in.fail("Unrecognised padding mode " + mode);
}
