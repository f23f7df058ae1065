//===- KernelsSymv.cpp - Symmetric matrices times vectors -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Only one triangle of the matrix is read: each column of it serves as a row as
// well. The reduction to tridiagonal form does half of its work here.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "BlasLoops.h"
#include "Runtime.h"

#include <cmath>
#include <cstring>

using namespace evox::rt;

namespace {

/// y[4] += alpha a x, where one triangle of a[4][4] is read.
template <typename T>
void addSquare(bool upper, T alpha, const T *a, int64_t lda, const T *x, T *y) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  Four c[4], r[4], sum;
  for (int j = 0; j < 4; ++j)
    std::memcpy(&c[j], a + j * lda, sizeof(Four));
  Four p = __builtin_shufflevector(c[0], c[1], 0, 4, 1, 5);
  Four q = __builtin_shufflevector(c[0], c[1], 2, 6, 3, 7);
  Four s = __builtin_shufflevector(c[2], c[3], 0, 4, 1, 5);
  Four t = __builtin_shufflevector(c[2], c[3], 2, 6, 3, 7);
  r[0] = __builtin_shufflevector(p, s, 0, 1, 4, 5);
  r[1] = __builtin_shufflevector(p, s, 2, 3, 6, 7);
  r[2] = __builtin_shufflevector(q, t, 0, 1, 4, 5);
  r[3] = __builtin_shufflevector(q, t, 2, 3, 6, 7);
  // Column j: of the stored triangle as it is, else row j.
  Four *below = upper ? r : c, *above = upper ? c : r;
  std::memcpy(&sum, y, sizeof(Four));
  sum += alpha * x[0] * below[0];
  sum += alpha * x[1] * __builtin_shufflevector(above[1], below[1], 0, 5, 6, 7);
  sum += alpha * x[2] * __builtin_shufflevector(above[2], below[2], 0, 1, 6, 7);
  sum += alpha * x[3] * __builtin_shufflevector(above[3], below[3], 0, 1, 2, 7);
  std::memcpy(y, &sum, sizeof(Four));
}

/// y += what the columns from `from` to `to` of the stored triangle, which are
/// rows as well, add to alpha a x.
template <typename T>
void addSymmetric(const Loops<T> &loops, bool upper, int64_t n, T alpha,
                  const T *a, int64_t lda, const T *x, T *y, int64_t from,
                  int64_t to) {
  for (int64_t j = from; j < to; j += 4) {
    int64_t some = atMost(4, n - j);
    // The square on the diagonal, then what is above or below it.
    if (some == 4)
      addSquare(upper, alpha, a + j + j * lda, lda, x + j, y + j);
    else
      for (int64_t c = 0; c < some; ++c)
        for (int64_t r = 0; r < some; ++r) {
          bool stored = upper ? r <= c : r >= c;
          y[j + r] +=
              alpha * x[j + c] *
              (stored ? a[j + r + (j + c) * lda] : a[j + c + (j + r) * lda]);
        }
    int64_t first = upper ? 0 : j + some, rows = upper ? j : n - first;
    T factors[4], dots[4];
    for (int64_t c = 0; c < some; ++c)
      factors[c] = alpha * x[j + c];
    const T *block = a + first + j * lda;
    if (some == 4)
      loops.both4(rows, block, lda, factors, y + first, x + first, dots);
    else
      for (int64_t c = 0; c < some; ++c)
        loops.both1(rows, block + c * lda, lda, factors + c, y + first,
                    x + first, dots + c);
    for (int64_t c = 0; c < some; ++c)
      y[j + c] += alpha * dots[c];
  }
}

/// The lower triangle in shares of columns that are as large as each other,
/// each with a sum of its own: as many at any number of threads. What else
/// there is to do is one more task.
template <typename T> struct SymmetricShares {
  static constexpr int most = 4;
  const Loops<T> &loops;
  int64_t n, lda;
  T alpha;
  const T *a, *x;
  T *y, *sums; // of the shares but the first
  void (*also)(void *);
  void *arg;
  int64_t starts[most + 1];

  T *sumOf(int64_t share) { return share ? sums + (share - 1) * n : y; }
  static void run(void *arg, int64_t share) {
    SymmetricShares &job = *static_cast<SymmetricShares *>(arg);
    if (share == most)
      return job.also(job.arg);
    int64_t from = job.starts[share];
    T *sum = job.sumOf(share);
    if (share)
      std::memset(sum + from, 0, size_t(job.n - from) * sizeof(T));
    addSymmetric<T>(job.loops, false, job.n, job.alpha, job.a, job.lda, job.x,
                    sum, from, job.starts[share + 1]);
  }
};

} // namespace

template <typename T>
void evox::rt::addSymmetricProduct(bool upper, int64_t n, T alpha, const T *a,
                                   int64_t lda, const T *x, T *y,
                                   void (*also)(void *), void *arg) {
  evox_ctx *ctx = blasContext();
  Loops<T> loops(instanceOf(ctx)->generator.isa);
  // Less takes some two microseconds, as long as it takes to share them.
  if (upper || n < 256) {
    addSymmetric<T>(loops, upper, n, alpha, a, lda, x, y, 0, n);
    if (also)
      also(arg);
    return;
  }
  constexpr int most = SymmetricShares<T>::most;
  T *sums =
      static_cast<T *>(evox_rt_alloc(ctx, (most - 1) * n * int64_t(sizeof(T))));
  SymmetricShares<T> job{loops, n, lda, alpha, a, x, y, sums, also, arg, {}};
  for (int share = 0; share <= most; ++share) {
    double rest = std::sqrt(double(most - share) / most);
    job.starts[share] =
        share < most ? int64_t(double(n) * (1 - rest)) / 4 * 4 : n;
  }
  evox_rt_parallel(ctx, SymmetricShares<T>::run, &job, also ? most + 1 : most);
  for (int share = 1; share < most; ++share)
    for (int64_t i = job.starts[share]; i < n; ++i)
      y[i] += sums[(share - 1) * n + i];
  evox_rt_free(ctx, sums);
}
template void evox::rt::addSymmetricProduct(bool, int64_t, float, const float *,
                                            int64_t, const float *, float *,
                                            void (*)(void *), void *);
template void evox::rt::addSymmetricProduct(bool, int64_t, double,
                                            const double *, int64_t,
                                            const double *, double *,
                                            void (*)(void *), void *);
