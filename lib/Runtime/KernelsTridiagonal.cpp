//===- KernelsTridiagonal.cpp - Symmetric matrices to tridiagonal ones ----===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LAPACK's sytrd for the lower triangle. Half of its work are products of the
// matrix with a vector, one for each column, each after the other, and LAPACK
// calls eleven more routines for each: here they are plain loops, as much of a
// small matrix's time went into the calls.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "BlasLoops.h"
#include "Matmul.h"

#include <cmath>
#include <cstring>

using namespace evox::rt;

extern "C" {
void slarfg_(const int *, float *, float *, const int *, float *);
void dlarfg_(const int *, double *, double *, const int *, double *);
}

namespace {

void makeReflector(int n, float *alpha, float *x, int step, float *tau) {
  slarfg_(&n, alpha, x, &step, tau);
}
void makeReflector(int n, double *alpha, double *x, int step, double *tau) {
  dlarfg_(&n, alpha, x, &step, tau);
}

constexpr int64_t kPanel = 32;

template <typename T> struct Reduction {
  evox_ctx *ctx;
  Loops<T> loops;
  int64_t n, lda;
  T *a, *d, *e, *tau;
  T *w; // [n][kPanel], by columns: what is to be subtracted is V W' + W V'

  T *column(int64_t j) const { return a + j * lda; }
  void reduceColumn(int64_t first, int64_t j);
  void reducePanel(int64_t first, int64_t columns);
};

/// Column `first` + j, with the j before it in the panel.
template <typename T>
void Reduction<T>::reduceColumn(int64_t first, int64_t j) {
  int64_t i = first + j, rows = n - i;
  T fromW[kPanel], fromV[kPanel];
  T *own = column(i) + i;
  if (j) {
    for (int64_t k = 0; k < j; ++k) {
      fromW[k] = w[i + k * n];
      fromV[k] = column(first + k)[i];
    }
    loops.addColumns(rows, j, T(-1), column(first) + i, lda, fromW, own);
    loops.addColumns(rows, j, T(-1), w + i, n, fromV, own);
  }
  d[i] = own[0];
  if (--rows == 0)
    return;
  T *v = own + 1, *to = w + i + 1 + j * n;
  makeReflector(int(rows), v, v + 1, 1, tau + i);
  e[i] = v[0];
  v[0] = 1;
  std::memset(to, 0, size_t(rows) * sizeof(T));
  // What the panel's columns have of v is found beside the large product.
  struct Inner {
    const Reduction &job;
    int64_t rows, j;
    const T *w, *panel, *v;
    T *fromW, *fromV;
    static void run(void *arg) {
      const Inner &inner = *static_cast<Inner *>(arg);
      const Reduction &job = inner.job;
      std::memset(inner.fromW, 0, size_t(inner.j) * sizeof(T));
      std::memset(inner.fromV, 0, size_t(inner.j) * sizeof(T));
      job.loops.addDots(inner.rows, inner.j, T(1), inner.w, job.n, inner.v,
                        inner.fromW);
      job.loops.addDots(inner.rows, inner.j, T(1), inner.panel, job.lda,
                        inner.v, inner.fromV);
    }
  } inner{*this, rows, j, w + i + 1, column(first) + i + 1, v, fromW, fromV};
  addSymmetricProduct<T>(false, rows, T(1), column(i + 1) + i + 1, lda, v, to,
                         Inner::run, &inner);
  if (j) {
    loops.addColumns(rows, j, T(-1), column(first) + i + 1, lda, fromW, to);
    loops.addColumns(rows, j, T(-1), w + i + 1, n, fromV, to);
  }
  T product;
  loops.dot1(rows, to, 0, nullptr, nullptr, v, &product);
  T factor = tau[i], shift = T(-0.5) * factor * (factor * product);
  for (int64_t k = 0; k < rows; ++k)
    to[k] = factor * to[k] + shift * v[k];
}

template <typename T>
void Reduction<T>::reducePanel(int64_t first, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j)
    reduceColumn(first, j);
  int64_t next = first + columns;
  if (next < n)
    subtractOuter<T>(n - next, columns, column(first) + next, lda, w + next, n,
                     column(next) + next, lda);
  for (int64_t j = first; j < next && j + 1 < n; ++j)
    column(j)[j + 1] = e[j];
}

} // namespace

template <typename T>
void evox::rt::tridiagonalize(int64_t n, T *a, int64_t lda, T *d, T *e,
                              T *tau) {
  evox_ctx *ctx = blasContext();
  T *w = static_cast<T *>(evox_rt_alloc(ctx, n * kPanel * int64_t(sizeof(T))));
  Reduction<T> job{
      ctx, Loops<T>(instanceOf(ctx)->generator.isa), n, lda, a, d, e, tau, w};
  for (int64_t first = 0; first < n; first += kPanel)
    job.reducePanel(first, atMost(kPanel, n - first));
  evox_rt_free(ctx, w);
}

template void evox::rt::tridiagonalize(int64_t, float *, int64_t, float *,
                                       float *, float *);
template void evox::rt::tridiagonalize(int64_t, double *, int64_t, double *,
                                       double *, double *);
