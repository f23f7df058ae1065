//===- KernelsReflect.cpp - Blocks of reflectors --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// larfb, by which LAPACK's QR, singular values and eigenvectors apply a block
// of reflectors I - V T V', in place of LAPACK's own: that handles V's triangle
// apart and adds the last product's transpose element by element. Here V gets
// its zeros and ones, and three products of whole matrices do all.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "Matmul.h"

#include <cstring>

using namespace evox::rt;

namespace {

bool is(const char *option, char letter) {
  return (*option | 32) == (letter | 32);
}

/// c = op(I - V T V') c, or c op(I - V T V') for `right`.
template <typename T>
void applyBlock(bool right, bool transposed, bool backward, bool byRows,
                int64_t m, int64_t n, int64_t k, const T *v, int64_t ldv,
                const T *t, int64_t ldt, T *c, int64_t ldc) {
  if (m <= 0 || n <= 0 || k <= 0)
    return;
  evox_ctx *ctx = blasContext();
  int64_t order = right ? n : m, others = right ? m : n;
  auto make = [&](int64_t count) {
    return static_cast<T *>(evox_rt_alloc(ctx, count * int64_t(sizeof(T))));
  };
  // V as order x k, by columns. Its triangle is at the start or at the end.
  T *full = make(order * k);
  Strided<const T> from{v, byRows ? ldv : 1, byRows ? 1 : ldv};
  for (int64_t j = 0; j < k; ++j) {
    T *to = full + j * order;
    int64_t one = backward ? order - k + j : j;
    int64_t first = backward ? 0 : one + 1, last = backward ? one : order;
    std::memset(to, 0, size_t(order) * sizeof(T));
    to[one] = 1;
    if (from.row == 1)
      std::memcpy(to + first, &from(first, j),
                  size_t(last - first) * sizeof(T));
    else
      for (int64_t i = first; i < last; ++i)
        to[i] = from(i, j);
  }
  // -op(T), triangular: upper if forward.
  T *factors = make(k * k);
  for (int64_t j = 0; j < k; ++j)
    for (int64_t i = 0; i < k; ++i) {
      int64_t row = transposed ? j : i, column = transposed ? i : j;
      bool stored = backward ? row >= column : row <= column;
      factors[i + j * k] = stored ? -t[row + column * ldt] : T(0);
    }
  T *inner = make(2 * others * k), *outer = inner + others * k;
  std::memset(inner, 0, size_t(2 * others * k) * sizeof(T));
  Strided<const T> reflectors{full, 1, order}, middle{factors, 1, k};
  Strided<T> target{c, 1, ldc};
  if (right) { // c -= ((c V) op(T)) V'
    Strided<T> a{inner, 1, others}, b{outer, 1, others};
    addProduct<T>(ctx, T(1), target, reflectors, a, m, n, k);
    addProduct<T>(ctx, T(1), a, middle, b, m, k, k);
    addProduct<T>(ctx, T(1), b, reflectors.transposed(), target, m, k, n);
  } else { // c -= V (op(T) (V' c))
    Strided<T> a{inner, 1, k}, b{outer, 1, k};
    addProduct<T>(ctx, T(1), reflectors.transposed(), target, a, k, m, n);
    addProduct<T>(ctx, T(1), middle, a, b, k, k, n);
    addProduct<T>(ctx, T(1), reflectors, b, target, m, k, n);
  }
  evox_rt_free(ctx, inner);
  evox_rt_free(ctx, factors);
  evox_rt_free(ctx, full);
}

} // namespace

#define EVOX_LARFB(T, p)                                                       \
  extern "C" void p##larfb_(                                                   \
      const char *side, const char *trans, const char *direct,                 \
      const char *storev, const int *m, const int *n, const int *k,            \
      const T *v, const int *ldv, const T *t, const int *ldt, T *c,            \
      const int *ldc, T *, const int *) {                                      \
    applyBlock<T>(is(side, 'R'), !is(trans, 'N'), is(direct, 'B'),             \
                  is(storev, 'R'), *m, *n, *k, v, *ldv, t, *ldt, c, *ldc);     \
  }
EVOX_LARFB(float, s)
EVOX_LARFB(double, d)
