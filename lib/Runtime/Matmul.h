//===- Matmul.h - Products of matrices --------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_MATMUL_H
#define EVOX_LIB_RUNTIME_MATMUL_H

#include "Runtime.h"

namespace evox::rt {

/// Part of a matrix; its size is known from elsewhere.
template <typename T> struct Strided {
  T *data;
  int64_t row, column; // strides
  Strided at(int64_t i, int64_t j) const {
    return {data + i * row + j * column, row, column};
  }
  Strided transposed() const { return {data, column, row}; }
  T &operator()(int64_t i, int64_t j) const {
    return data[i * row + j * column];
  }
  operator Strided<const T>() const { return {data, row, column}; }
};

/// c[m][n] += alpha a[m][k] b[k][n], for float and double. The columns of c, or
/// its rows, lie one after the other. Each element adds its products in the
/// order of k, fused and rounded once each: neither blocks nor threads nor the
/// processor change a bit. A product with a vector has sums of its own.
template <typename T>
void addProduct(evox_ctx *ctx, T alpha, Strided<const T> a, Strided<const T> b,
                Strided<T> c, int64_t m, int64_t k, int64_t n);
extern template void addProduct(evox_ctx *, float, Strided<const float>,
                                Strided<const float>, Strided<float>, int64_t,
                                int64_t, int64_t);
extern template void addProduct(evox_ctx *, double, Strided<const double>,
                                Strided<const double>, Strided<double>, int64_t,
                                int64_t, int64_t);

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_MATMUL_H
