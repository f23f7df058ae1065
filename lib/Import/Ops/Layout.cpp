//===- Layout.cpp - How results lie in memory ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every tensor here is row-major; the strides that PyTorch would have decide
// what is a view, and in which order random numbers fill a tensor.
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

bool import::isProgramOp(const Call &c) {
  StringRef file(c.node.loc.file);
  return file.ends_with(".py") || file.ends_with(".ts");
}

SmallVector<int64_t> import::iterationOrder(ArrayRef<int64_t> shape,
                                            ArrayRef<SmallVector<int64_t>> strides) {
  int64_t rank = shape.size();
  auto compare = [&](int64_t p, int64_t q) {
    for (const SmallVector<int64_t> &own : strides) {
      if (own[p] == 0 || own[q] == 0)
        continue;
      if (own[p] != own[q])
        return own[p] < own[q] ? -1 : 1;
      if (shape[p] > shape[q])
        return 1;
    }
    return 0;
  };
  SmallVector<int64_t> order = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  for (int64_t i = 1; i < rank; ++i)
    for (int64_t p = i - 1, q = i; p >= 0; --p) {
      int wrong = compare(order[p], order[q]);
      if (wrong < 0)
        break;
      if (wrong > 0) {
        std::swap(order[p], order[q]);
        q = p;
      }
    }
  return order;
}

void import::orderAsInputs(ArrayRef<TensorRef> inputs, const TensorRef &r) {
  if (!r->type.hasStaticShape() || r->rank() < 2)
    return;
  ArrayRef<int64_t> shape = r->type.getShape();
  int64_t rank = r->rank();
  SmallVector<SmallVector<int64_t>> strides;
  for (const TensorRef &t : inputs) {
    if (!t->strides || !t->type.hasStaticShape() || t->rank() > rank)
      return;
    // 0 where a dimension is broadcast.
    SmallVector<int64_t> own(rank, 0);
    for (int64_t d = 0, lead = rank - t->rank(); d < t->rank(); ++d)
      if (t->type.getDimSize(d) == shape[lead + d])
        own[lead + d] = (*t->strides)[d];
    strides.push_back(std::move(own));
  }
  int64_t stride = 1;
  for (int64_t d : iterationOrder(shape, strides)) {
    (*r->strides)[d] = stride;
    stride *= std::max<int64_t>(shape[d], 1);
  }
}

void import::keepOrder(const TensorRef &from, const TensorRef &to) {
  if (!from->type.hasStaticShape())
    return;
  if (!from->strides) {
    to->strides.reset();
    return;
  }
  auto shape = from->type.getShape();
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, from->rank()));
  llvm::stable_sort(order, [&](int64_t p, int64_t q) {
    int64_t x = (*from->strides)[p], y = (*from->strides)[q];
    return x != 0 && y != 0 && x > y;
  });
  int64_t stride = 1;
  for (int64_t d : llvm::reverse(order)) {
    (*to->strides)[d] = stride;
    stride *= std::max<int64_t>(shape[d], 1);
  }
}

void import::orderPreludeResult(StringRef name, ArrayRef<Py> args, const Py &result) {
  static const llvm::StringSet<> pointwise = {
      "alpha_dropout", "celu", "deg2rad", "digamma", "dropout", "elu", "erfinv",
      "float_power", "frac", "gcd", "gelu", "hardshrink", "hardsigmoid", "hardswish",
      "hardtanh", "heaviside", "hypot", "i0", "lcm", "leaky_relu", "lerp", "lgamma",
      "log_sigmoid", "logaddexp", "logaddexp2", "logit", "mish", "nan_to_num",
      "polygamma", "rad2deg", "relu6", "round_decimals", "selu", "signbit", "silu",
      "sinc", "softplus", "softshrink", "softsign", "special_entr", "special_erfcx",
      "special_i0e", "special_i1", "special_i1e", "special_log_ndtr", "special_ndtr",
      "special_ndtri", "special_xlog1py", "special_zeta", "tanhshrink", "threshold",
      "xlogy"};
  if (!result.isTensor() || !pointwise.contains(name))
    return;
  SmallVector<TensorRef> inputs;
  for (const Py &arg : args)
    if (arg.isTensor()) {
      // What hands its argument on makes nothing.
      if (arg.tensor->storage == result.tensor->storage)
        return;
      inputs.push_back(arg.tensor);
    }
  orderAsInputs(inputs, result.tensor);
}
