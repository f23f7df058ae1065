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

template <typename T> T *make(evox_ctx *ctx, int64_t count) {
  return static_cast<T *>(evox_rt_alloc(ctx, count * int64_t(sizeof(T))));
}

/// V as order x k, by columns. Its triangle is at the start, or at the end.
template <typename T>
void expand(bool backward, int64_t order, int64_t k, Strided<const T> v,
            T *to) {
  for (int64_t j = 0; j < k; ++j, to += order) {
    int64_t one = backward ? order - k + j : j;
    int64_t first = backward ? 0 : one + 1, last = backward ? one : order;
    std::memset(to, 0, size_t(order) * sizeof(T));
    to[one] = 1;
    if (v.row == 1 && last > first)
      std::memcpy(to + first, &v(first, j), size_t(last - first) * sizeof(T));
    else
      for (int64_t i = first; i < last; ++i)
        to[i] = v(i, j);
  }
}

/// c -= V T V' c, or c V T V' for `right`; `middle` is -T.
template <typename T>
void applyBlock(evox_ctx *ctx, bool right, int64_t m, int64_t n, int64_t k,
                Strided<const T> v, Strided<const T> middle, Strided<T> c) {
  int64_t order = right ? n : m, others = right ? m : n;
  // T is multiplied by what is smaller.
  bool early = order <= others;
  int64_t more = early ? order : others;
  T *inner = make<T>(ctx, (others + more) * k), *outer = inner + others * k;
  std::memset(inner, 0, size_t((others + more) * k) * sizeof(T));
  if (right) { // ((c V) T) V', or (c V) (V T')'
    Strided<T> product{inner, 1, others}, scaled{outer, 1, more};
    addProduct<T>(ctx, T(1), c, v, product, m, n, k);
    if (early)
      addProduct<T>(ctx, T(1), v, middle.transposed(), scaled, n, k, k);
    else
      addProduct<T>(ctx, T(1), product, middle, scaled, m, k, k);
    if (early)
      addProduct<T>(ctx, T(1), product, scaled.transposed(), c, m, k, n);
    else
      addProduct<T>(ctx, T(1), scaled, v.transposed(), c, m, k, n);
  } else { // V (T (V' c)), or (V T) (V' c)
    Strided<T> product{inner, 1, k};
    Strided<T> scaled{outer, 1, early ? order : k};
    addProduct<T>(ctx, T(1), v.transposed(), c, product, k, m, n);
    if (early)
      addProduct<T>(ctx, T(1), v, middle, scaled, m, k, k);
    else
      addProduct<T>(ctx, T(1), middle, product, scaled, k, k, n);
    if (early)
      addProduct<T>(ctx, T(1), scaled, product, c, m, k, n);
    else
      addProduct<T>(ctx, T(1), v, scaled, c, m, k, n);
  }
  evox_rt_free(ctx, inner);
}

/// LAPACK's larfb: c = op(I - V T V') c, or c op(I - V T V') for `right`.
template <typename T>
void larfb(bool right, bool transposed, bool backward, bool byRows, int64_t m,
           int64_t n, int64_t k, const T *v, int64_t ldv, const T *t,
           int64_t ldt, T *c, int64_t ldc) {
  if (m <= 0 || n <= 0 || k <= 0)
    return;
  evox_ctx *ctx = blasContext();
  int64_t order = right ? n : m;
  T *full = make<T>(ctx, (order + k) * k), *middle = full + order * k;
  expand<T>(backward, order, k, {v, byRows ? ldv : 1, byRows ? 1 : ldv}, full);
  // Triangular: upper if forward. The other triangle may hold anything.
  for (int64_t j = 0; j < k; ++j)
    for (int64_t i = 0; i < k; ++i) {
      int64_t row = transposed ? j : i, column = transposed ? i : j;
      bool stored = backward ? row >= column : row <= column;
      middle[i + j * k] = stored ? -t[row + column * ldt] : T(0);
    }
  applyBlock<T>(ctx, right, m, n, k, {full, 1, order}, {middle, 1, k},
                {c, 1, ldc});
  evox_rt_free(ctx, full);
}

} // namespace

#define EVOX_LARFB(T, p)                                                       \
  extern "C" void p##larfb_(                                                   \
      const char *side, const char *trans, const char *direct,                 \
      const char *storev, const int *m, const int *n, const int *k,            \
      const T *v, const int *ldv, const T *t, const int *ldt, T *c,            \
      const int *ldc, T *, const int *) {                                      \
    larfb<T>(is(side, 'R'), !is(trans, 'N'), is(direct, 'B'), is(storev, 'R'), \
             *m, *n, *k, v, *ldv, t, *ldt, c, *ldc);                           \
  }
EVOX_LARFB(float, s)
EVOX_LARFB(double, d)

/// Blocks from the last to the first; wide ones for fewer passes over c, but T
/// costs their cube.
template <typename T>
void evox::rt::applyReflectors(int64_t m, int64_t n, int64_t k, const T *v,
                               int64_t ldv, const T *tau, T *c, int64_t ldc) {
  const int64_t most = k < 256 ? 32 : 64;
  evox_ctx *ctx = blasContext();
  int64_t width = k < most ? k : most;
  if (m <= 0 || n <= 0 || k <= 0)
    return;
  if (k < 16) { // one by one
    for (int64_t i = k - 1; i >= 0; --i) {
      const T *reflector = v + i * ldv;
      for (int64_t j = 0; j < n; ++j) {
        T *column = c + j * ldc, sum = column[i];
        for (int64_t l = i + 1; l < m; ++l)
          sum += reflector[l] * column[l];
        sum *= tau[i];
        column[i] -= sum;
        for (int64_t l = i + 1; l < m; ++l)
          column[l] -= sum * reflector[l];
      }
    }
    return;
  }
  T *full = make<T>(ctx, (m + 2 * width) * width);
  T *middle = full + m * width, *inner = middle + width * width;
  for (int64_t first = (k - 1) / most * most; first >= 0; first -= most) {
    int64_t some = k - first < most ? k - first : most, order = m - first;
    expand<T>(false, order, some, {v + first + first * ldv, 1, ldv}, full);
    Strided<const T> block{full, 1, order};
    // T's column j is -tau[j] T (V' v[j]) above tau[j]; this makes -T.
    std::memset(inner, 0, size_t(some * some) * sizeof(T));
    addProduct<T>(ctx, T(1), block.transposed(), block,
                  Strided<T>{inner, 1, some}, some, order, some);
    std::memset(middle, 0, size_t(some * some) * sizeof(T));
    for (int64_t j = 0; j < some; ++j) {
      T *column = middle + j * some, factor = tau[first + j];
      for (int64_t l = 0; l < j; ++l) {
        T x = -factor * inner[l + j * some];
        const T *other = middle + l * some;
        for (int64_t i = 0; i <= l; ++i)
          column[i] += other[i] * x;
      }
      column[j] = -factor;
    }
    applyBlock<T>(ctx, false, order, n, some, block, {middle, 1, some},
                  {c + first, 1, ldc});
  }
  evox_rt_free(ctx, full);
}
template void evox::rt::applyReflectors(int64_t, int64_t, int64_t,
                                        const float *, int64_t, const float *,
                                        float *, int64_t);
template void evox::rt::applyReflectors(int64_t, int64_t, int64_t,
                                        const double *, int64_t, const double *,
                                        double *, int64_t);
