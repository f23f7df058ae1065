//===- KernelsIndex.cpp - Scatter and nonzero -----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Element.h"
#include "Isa.h"
#include "Runtime.h"

using namespace evox::rt;

namespace {

// As evox::ScatterKind.
enum Kind { Assign, Sum, Prod, Max, Min };

template <typename T> T combine(int64_t kind, T oldValue, T value) {
  using M = Opmath<T>;
  M a = oldValue, b = value;
  switch (kind) {
  case Sum:
    if constexpr (std::is_integral_v<T>)
      return T(uint64_t(a) + uint64_t(b));
    else
      return T(a + b);
  case Prod:
    if constexpr (std::is_integral_v<T>)
      return T(uint64_t(a) * uint64_t(b));
    else
      return T(a * b);
  case Max:
    return isNan(a) || a >= b ? oldValue : value;
  case Min:
    return isNan(a) || a <= b ? oldValue : value;
  default:
    return value;
  }
}

// Steps to the next index tuple of the view, and the offset with it.
void advance(const evox_view &view, int64_t *index, int64_t &offset) {
  for (int32_t d = view.rank; d-- > 0;) {
    offset += view.strides[d];
    if (++index[d] < view.shape[d])
      return;
    offset -= view.strides[d] * view.shape[d];
    index[d] = 0;
  }
}

bool isContiguous(const evox_view &view) {
  int64_t expected = 1;
  for (int32_t d = view.rank; d-- > 0;) {
    if (view.shape[d] != 1 && view.strides[d] != expected)
      return false;
    expected *= view.shape[d];
  }
  return true;
}

// Where a tuple says.
EVOX_INLINE int64_t targetOf(evox_ctx *ctx, const int64_t *tuple, int64_t step,
                             const evox_view &out) {
  int64_t target = 0;
  for (int32_t d = 0; d < out.rank; ++d) {
    int64_t index = tuple[d * step];
    if (index < 0 || index >= out.shape[d])
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
           "scatter: index %lld is out of bounds for dimension %d of size %lld",
           static_cast<long long>(index), d,
           static_cast<long long>(out.shape[d]));
    target = target * out.shape[d] + index;
  }
  return target;
}

template <typename T>
void scatter(evox_ctx *ctx, const evox_view &updates, const evox_view &indices,
             const evox_view &out, int64_t kind) {
  const T *from = static_cast<const T *>(updates.data);
  const int64_t *tuples = static_cast<const int64_t *>(indices.data);
  T *to = static_cast<T *>(out.data);
  int64_t count = countOf(updates);
  if (kind == Assign && isContiguous(updates) && isContiguous(indices)) {
    for (int64_t i = 0; i < count; ++i)
      to[targetOf(ctx, tuples + i * out.rank, 1, out)] = from[i];
    return;
  }
  // The tuples' offsets follow those of the updates: one dimension more.
  evox_view outer = indices;
  outer.rank = updates.rank;
  int64_t step = indices.strides[indices.rank - 1];
  int64_t at[EVOX_MAX_RANK] = {}, tupleAt[EVOX_MAX_RANK] = {};
  int64_t offset = 0, tupleOffset = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t target = targetOf(ctx, tuples + tupleOffset, step, out);
    to[target] = kind == Assign ? from[offset]
                                : combine<T>(kind, to[target], from[offset]);
    advance(updates, at, offset);
    advance(outer, tupleAt, tupleOffset);
  }
}

} // namespace

extern "C" void evox_k_scatter(evox_ctx *ctx, const evox_view *updates,
                               const evox_view *indices, const evox_view *out,
                               int64_t kind) {
  if (indices->rank != updates->rank + 1 ||
      indices->shape[updates->rank] != out->rank)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "scatter: the indices have not one tuple for each update");
  bool known = dispatch(out->dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    scatter<T>(ctx, *updates, *indices, *out, kind);
  });
  if (!known)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "scatter: no updates of %s",
         nameOf(out->dtype));
}

extern "C" void evox_k_nonzero(evox_ctx *ctx, const evox_view *mask,
                               const evox_view *indices) {
  const uint8_t *from = static_cast<const uint8_t *>(mask->data);
  int64_t *to = static_cast<int64_t *>(indices->data);
  int64_t room = indices->shape[0], found = 0;
  int64_t at[EVOX_MAX_RANK] = {}, offset = 0;
  for (int64_t i = 0, n = countOf(*mask); i < n; ++i) {
    if (from[offset]) {
      if (found++ < room)
        for (int32_t d = 0; d < mask->rank; ++d)
          *to++ = at[d];
    }
    advance(*mask, at, offset);
  }
  if (found != room)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "nonzero: room for %lld elements, but %lld are true",
         static_cast<long long>(room), static_cast<long long>(found));
}
