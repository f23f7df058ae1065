//===- Blas.h - What LAPACK stands on ---------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_BLAS_H
#define EVOX_LIB_RUNTIME_BLAS_H

#include "evox/Runtime/Program.h"

namespace evox::rt {

/// Whose memory and threads BLAS uses in calls by this thread from now on.
void setBlasContext(evox_ctx *ctx);
evox_ctx *blasContext();

/// y[n] += alpha a x, where one triangle of a is read. Calls also(arg), by any
/// thread, which is to touch other memory.
template <typename T>
void addSymmetricProduct(bool upper, int64_t n, T alpha, const T *a,
                         int64_t lda, const T *x, T *y,
                         void (*also)(void *) = nullptr, void *arg = nullptr);
/// The lower triangle of c[n][n] -= x y' + y x', for x[n][k] and y[n][k].
template <typename T>
void subtractOuter(int64_t n, int64_t k, const T *x, int64_t ldx, const T *y,
                   int64_t ldy, T *c, int64_t ldc);
/// The lower triangle of a becomes a tridiagonal matrix with d on its diagonal
/// and e beside it, and the reflectors that make it one, as LAPACK's sytrd has
/// them.
template <typename T>
void tridiagonalize(int64_t n, T *a, int64_t lda, T *d, T *e, T *tau);
/// c[m][n] = H1 H2 .. Hk c, for the reflectors below the diagonal of v[m][k].
template <typename T>
void applyReflectors(int64_t m, int64_t n, int64_t k, const T *v, int64_t ldv,
                     const T *tau, T *c, int64_t ldc);
extern template void applyReflectors(int64_t, int64_t, int64_t, const float *,
                                     int64_t, const float *, float *, int64_t);
extern template void applyReflectors(int64_t, int64_t, int64_t, const double *,
                                     int64_t, const double *, double *,
                                     int64_t);
extern template void tridiagonalize(int64_t, float *, int64_t, float *, float *,
                                    float *);
extern template void tridiagonalize(int64_t, double *, int64_t, double *,
                                    double *, double *);
extern template void addSymmetricProduct(bool, int64_t, float, const float *,
                                         int64_t, const float *, float *,
                                         void (*)(void *), void *);
extern template void addSymmetricProduct(bool, int64_t, double, const double *,
                                         int64_t, const double *, double *,
                                         void (*)(void *), void *);
extern template void subtractOuter(int64_t, int64_t, const float *, int64_t,
                                   const float *, int64_t, float *, int64_t);
extern template void subtractOuter(int64_t, int64_t, const double *, int64_t,
                                   const double *, int64_t, double *, int64_t);

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_BLAS_H
