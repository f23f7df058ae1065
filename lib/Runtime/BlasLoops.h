//===- BlasLoops.h - Vectorised loops over columns --------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For BLAS and LAPACK. Vectors have 64 bytes on any processor, so that sums
// have the same order and bits on each.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_BLASLOOPS_H
#define EVOX_LIB_RUNTIME_BLASLOOPS_H

#include "Isa.h"

#include <cstring>
#include <type_traits>

namespace {

using evox::rt::Isa;

inline int64_t atMost(int64_t n, int64_t most) { return n < most ? n : most; }

constexpr int kBytes = 64;
template <typename T> constexpr int kLanes = kBytes / int(sizeof(T));
template <typename T> struct VectorOf {
  typedef T Type __attribute__((vector_size(kBytes)));
};
template <typename T> using Vector = typename VectorOf<T>::Type;

template <typename T> EVOX_INLINE void load(Vector<T> &v, const T *from) {
  std::memcpy(&v, from, kBytes);
}
template <typename T> EVOX_INLINE void store(T *to, const Vector<T> &v) {
  std::memcpy(to, &v, kBytes);
}
// Which lanes are the first n, and access to those only; the others are 0.
template <typename T> struct MaskOf;
template <> struct MaskOf<float> {
  typedef int Lane __attribute__((ext_vector_type(16)));
  typedef float Values __attribute__((ext_vector_type(16)));
  typedef bool Type __attribute__((ext_vector_type(16)));
  static constexpr Lane lanes = {0, 1, 2,  3,  4,  5,  6,  7,
                                 8, 9, 10, 11, 12, 13, 14, 15};
};
template <> struct MaskOf<double> {
  typedef int64_t Lane __attribute__((ext_vector_type(8)));
  typedef double Values __attribute__((ext_vector_type(8)));
  typedef bool Type __attribute__((ext_vector_type(8)));
  static constexpr Lane lanes = {0, 1, 2, 3, 4, 5, 6, 7};
};
template <typename T>
EVOX_INLINE void maskOf(typename MaskOf<T>::Type &mask, int64_t n) {
  using M = MaskOf<T>;
  auto most = static_cast<std::remove_reference_t<decltype(M::lanes[0])>>(n);
  mask = __builtin_convertvector(M::lanes < most, typename M::Type);
}
template <typename T>
EVOX_INLINE void loadSome(Vector<T> &v, const T *from,
                          const typename MaskOf<T>::Type &mask) {
  typename MaskOf<T>::Values zero = {};
  v = (Vector<T>)__builtin_masked_load(mask, from, zero);
}
template <typename T>
EVOX_INLINE void storeSome(T *to, const Vector<T> &v,
                           const typename MaskOf<T>::Type &mask) {
  __builtin_masked_store(mask, (typename MaskOf<T>::Values)v, to);
}
/// Halves are added until one is left.
template <typename T> EVOX_INLINE T sumOf(const Vector<T> &v) {
  if constexpr (sizeof(T) == 4) {
    auto a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    auto b = __builtin_shufflevector(a, a, 0, 1, 2, 3) +
             __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
  } else {
    auto a = __builtin_shufflevector(v, v, 0, 1, 2, 3) +
             __builtin_shufflevector(v, v, 4, 5, 6, 7);
    return (a[0] + a[2]) + (a[1] + a[3]);
  }
}

/// A square of 16 bytes a side is turned in registers: to[i][j] = alpha
/// from[j][i]. Processors differ little in this.
template <typename T>
EVOX_INLINE void turnSquare(const T *from, int64_t stride, T alpha, T *to,
                            int64_t width) {
  constexpr int lanes = 16 / int(sizeof(T));
  typedef T Vector __attribute__((vector_size(16)));
  Vector x[lanes];
  for (int i = 0; i < lanes; ++i)
    std::memcpy(&x[i], from + i * stride, 16);
  if constexpr (lanes == 4) {
    Vector a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5);
    Vector b = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
    Vector c = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
    Vector d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
    x[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    x[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    x[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
  } else {
    Vector a = __builtin_shufflevector(x[0], x[1], 0, 2);
    x[1] = __builtin_shufflevector(x[0], x[1], 1, 3);
    x[0] = a;
  }
  for (int i = 0; i < lanes; ++i) {
    x[i] *= alpha;
    std::memcpy(to + i * width, &x[i], 16);
  }
}

/// to[j][i] = from[i][j] for i < m, j < n, by squares that caches hold.
template <typename T>
void turn(int64_t m, int64_t n, const T *from, int64_t fromStride, T *to,
          int64_t toStride) {
  constexpr int64_t lanes = 16 / int64_t(sizeof(T)), side = 4 * lanes;
  for (int64_t i = 0; i < m; i += side)
    for (int64_t j = 0; j < n; j += side) {
      const T *source = from + i * fromStride + j;
      T *target = to + j * toStride + i;
      int64_t rows = atMost(side, m - i), columns = atMost(side, n - j);
      int64_t wholeRows = rows / lanes * lanes;
      int64_t wholeColumns = columns / lanes * lanes;
      for (int64_t c = 0; c < wholeColumns; c += lanes)
        for (int64_t r = 0; r < wholeRows; r += lanes)
          turnSquare<T>(source + r * fromStride + c, fromStride, T(1),
                        target + c * toStride + r, toStride);
      for (int64_t c = 0; c < columns; ++c)
        for (int64_t r = c < wholeColumns ? wholeRows : 0; r < rows; ++r)
          target[c * toStride + r] = source[r * fromStride + c];
    }
}

/// For some neighbouring columns of a: y += sum of x[j] a[:, j], or
/// to[j] = a[:, j] . z, or both.
template <typename T, int Columns, bool Add, bool Dot>
EVOX_INLINE void columnsImpl(int64_t n, const T *a, int64_t lda, const T *x,
                             T *y, const T *z, T *to) {
  using V = Vector<T>;
  V factors[Columns], sums[Columns];
#pragma clang loop unroll(full)
  for (int j = 0; j < Columns; ++j) {
    factors[j] = (Add ? x[j] : T(0)) - V{};
    sums[j] = V{};
  }
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    V to, with;
    if constexpr (Add)
      load<T>(to, y + i);
    if constexpr (Dot)
      load<T>(with, z + i);
#pragma clang loop unroll(full)
    for (int j = 0; j < Columns; ++j) {
      V column;
      load<T>(column, a + i + j * lda);
      if constexpr (Add)
        to = __builtin_elementwise_fma(factors[j], column, to);
      if constexpr (Dot)
        sums[j] = __builtin_elementwise_fma(column, with, sums[j]);
    }
    if constexpr (Add)
      store<T>(y + i, to);
  }
  if (i < n) {
    typename MaskOf<T>::Type mask;
    maskOf<T>(mask, n - i);
    V to, with;
    if constexpr (Add)
      loadSome<T>(to, y + i, mask);
    if constexpr (Dot)
      loadSome<T>(with, z + i, mask);
#pragma clang loop unroll(full)
    for (int j = 0; j < Columns; ++j) {
      V column;
      loadSome<T>(column, a + i + j * lda, mask);
      if constexpr (Add)
        to = __builtin_elementwise_fma(factors[j], column, to);
      if constexpr (Dot)
        sums[j] = __builtin_elementwise_fma(column, with, sums[j]);
    }
    if constexpr (Add)
      storeSome<T>(y + i, to, mask);
  }
  if constexpr (Dot)
    for (int j = 0; j < Columns; ++j)
      to[j] = sumOf<T>(sums[j]);
}

#define EVOX_COLUMNS(name, T, Columns, Add, Dot)                               \
  EVOX_INLINE void name##Impl(int64_t n, const T *a, int64_t lda, const T *x,  \
                              T *y, const T *z, T *to) {                       \
    columnsImpl<T, Columns, Add, Dot>(n, a, lda, x, y, z, to);                 \
  }                                                                            \
  EVOX_VARIANTS(name,                                                          \
                (int64_t n, const T *a, int64_t lda, const T *x, T *y,         \
                 const T *z, T *to),                                           \
                (n, a, lda, x, y, z, to))
EVOX_COLUMNS(add1Float, float, 1, true, false)
EVOX_COLUMNS(add4Float, float, 4, true, false)
EVOX_COLUMNS(dot1Float, float, 1, false, true)
EVOX_COLUMNS(dot4Float, float, 4, false, true)
EVOX_COLUMNS(both1Float, float, 1, true, true)
EVOX_COLUMNS(both4Float, float, 4, true, true)
EVOX_COLUMNS(add1Double, double, 1, true, false)
EVOX_COLUMNS(add4Double, double, 4, true, false)
EVOX_COLUMNS(dot1Double, double, 1, false, true)
EVOX_COLUMNS(dot4Double, double, 4, false, true)
EVOX_COLUMNS(both1Double, double, 1, true, true)
EVOX_COLUMNS(both4Double, double, 4, true, true)
#undef EVOX_COLUMNS

/// Rotates neighbouring columns of a[m][n], each pair in its turn.
template <typename T>
EVOX_INLINE void rotateColumns(int64_t m, int64_t n, bool backward, const T *c,
                               const T *s, T *a, int64_t lda) {
  for (int64_t i = 0; i < m; i += kLanes<T>) {
    typename MaskOf<T>::Type mask;
    maskOf<T>(mask, atMost(m - i, kLanes<T>));
    Vector<T> carried, other, x, y;
    loadSome<T>(carried, a + i + (backward ? n - 1 : 0) * lda, mask);
    for (int64_t k = 0; k < n - 1; ++k) {
      int64_t j = backward ? n - 2 - k : k;
      T *left = a + i + j * lda, *right = left + lda;
      loadSome<T>(other, backward ? left : right, mask);
      x = backward ? other : carried;
      y = backward ? carried : other;
      if (c[j] != 1 || s[j] != 0) {
        Vector<T> before = x;
        x = c[j] * before + s[j] * y;
        y = c[j] * y - s[j] * before;
      }
      storeSome<T>(backward ? right : left, backward ? y : x, mask);
      carried = backward ? x : y;
    }
    storeSome<T>(a + i + (backward ? 0 : n - 1) * lda, carried, mask);
  }
}
#define EVOX_ROTATE(name, T)                                                   \
  EVOX_INLINE void name##Impl(int64_t m, int64_t n, bool backward, const T *c, \
                              const T *s, T *a, int64_t lda) {                 \
    rotateColumns<T>(m, n, backward, c, s, a, lda);                            \
  }                                                                            \
  EVOX_VARIANTS(name,                                                          \
                (int64_t m, int64_t n, bool backward, const T *c, const T *s,  \
                 T *a, int64_t lda),                                           \
                (m, n, backward, c, s, a, lda))
EVOX_ROTATE(rotateFloat, float)
EVOX_ROTATE(rotateDouble, double)
#undef EVOX_ROTATE

/// x = a^-1 x for a triangle of n rows, whose columns are kMostSolved apart,
/// and x[n][kLanes]. Zeros in x are left out, whatever they meet, or zeros in
/// a.
constexpr int64_t kMostSolved = 32;
template <typename T, bool ZerosOfX>
EVOX_INLINE void solveLanes(int64_t n, bool upper, const T *a, T *x) {
  using V = Vector<T>;
  for (int64_t step = 0; step < n; ++step) {
    int64_t k = upper ? n - 1 - step : step;
    const T *column = a + k * kMostSolved;
    V pivot;
    load<T>(pivot, x + k * kLanes<T>);
    pivot /= column[k];
    store<T>(x + k * kLanes<T>, pivot);
    auto isZero = pivot == V{};
    for (int64_t i = upper ? 0 : k + 1, end = upper ? k : n; i < end; ++i) {
      T factor = -column[i];
      V own;
      load<T>(own, x + i * kLanes<T>);
      V next = __builtin_elementwise_fma(factor - V{}, pivot, own);
      if constexpr (ZerosOfX)
        next = isZero ? own : next;
      else if (factor == 0)
        continue;
      store<T>(x + i * kLanes<T>, next);
    }
  }
}
#define EVOX_SOLVE(name, T, ZerosOfX)                                          \
  EVOX_INLINE void name##Impl(int64_t n, bool upper, const T *a, T *x) {       \
    solveLanes<T, ZerosOfX>(n, upper, a, x);                                   \
  }                                                                            \
  EVOX_VARIANTS(name, (int64_t n, bool upper, const T *a, T *x),               \
                (n, upper, a, x))
EVOX_SOLVE(solveColumnsFloat, float, true)
EVOX_SOLVE(solveColumnsDouble, double, true)
EVOX_SOLVE(solveRowsFloat, float, false)
EVOX_SOLVE(solveRowsDouble, double, false)
#undef EVOX_SOLVE

/// The loops above for the processor at hand.
template <typename T> struct Loops {
  using Loop = void (*)(int64_t, const T *, int64_t, const T *, T *, const T *,
                        T *);
  using Solve = void (*)(int64_t, bool, const T *, T *);
  Loop add1, add4, dot1, dot4, both1, both4;
  Solve solveColumns, solveRows;
  explicit Loops(Isa isa) {
    if constexpr (sizeof(T) == 4) {
      solveColumns = solveColumnsFloat(isa), solveRows = solveRowsFloat(isa);
      add1 = add1Float(isa), add4 = add4Float(isa);
      dot1 = dot1Float(isa), dot4 = dot4Float(isa);
      both1 = both1Float(isa), both4 = both4Float(isa);
    } else {
      solveColumns = solveColumnsDouble(isa), solveRows = solveRowsDouble(isa);
      add1 = add1Double(isa), add4 = add4Double(isa);
      dot1 = dot1Double(isa), dot4 = dot4Double(isa);
      both1 = both1Double(isa), both4 = both4Double(isa);
    }
  }
  /// y[m] += alpha a[m][n] x[n].
  void addColumns(int64_t m, int64_t n, T alpha, const T *a, int64_t lda,
                  const T *x, T *y) const {
    T factors[4];
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
      for (int k = 0; k < 4; ++k)
        factors[k] = alpha * x[j + k];
      add4(m, a + j * lda, lda, factors, y, nullptr, nullptr);
    }
    for (; j < n; ++j) {
      factors[0] = alpha * x[j];
      add1(m, a + j * lda, lda, factors, y, nullptr, nullptr);
    }
  }
  /// y[n] += alpha a[m][n]' x[m].
  void addDots(int64_t m, int64_t n, T alpha, const T *a, int64_t lda,
               const T *x, T *y) const {
    T dots[4];
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
      dot4(m, a + j * lda, lda, nullptr, nullptr, x, dots);
      for (int k = 0; k < 4; ++k)
        y[j + k] += alpha * dots[k];
    }
    for (; j < n; ++j) {
      dot1(m, a + j * lda, lda, nullptr, nullptr, x, dots);
      y[j] += alpha * dots[0];
    }
  }
};

} // namespace

#endif // EVOX_LIB_RUNTIME_BLASLOOPS_H
