//===- KernelsMatmul.cpp - Products of matrices ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Goto's scheme: panels of both matrices are packed so that the innermost loop
// reads them in order and keeps a tile of the result in registers. Each
// element adds its products in the order of k, each step fused and rounded
// once, so neither blocks nor threads nor the processor change a bit. A matrix
// times a vector has sums of its own, by lanes.
//
//===----------------------------------------------------------------------===//

#include "Isa.h"
#include "Matmul.h"

#include <cstring>
#include <utility>

using namespace evox::rt;

namespace {

// Of k and of the columns, what is packed at once: a panel of B for the
// nearest cache, all of them for the next one.
constexpr int64_t kDepth = 256, kColumns = 1536, kMostRows = 96;

int64_t atMost(int64_t n, int64_t most) { return n < most ? n : most; }
int64_t roundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// c[Rows][Vectors of Bytes] += a b, for panels a[k][Width], b[k][columns], of
/// which the first ones are read.
template <typename T, int Bytes, int Rows, int Vectors, int Width>
EVOX_INLINE void multiplyTile(int64_t depth, const T *__restrict a,
                              const T *__restrict b, T *__restrict c,
                              int64_t stride) {
  typedef T Vector __attribute__((vector_size(Bytes)));
  constexpr int lanes = Bytes / int(sizeof(T));
  Vector sums[Rows][Vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      std::memcpy(&sums[i][j], c + i * stride + j * lanes, Bytes);
#pragma clang loop unroll(disable)
  for (int64_t k = 0; k < depth; ++k) {
    Vector row[Vectors];
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      std::memcpy(&row[j], b + j * lanes, Bytes);
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) {
      Vector x = a[i] - Vector{};
#pragma clang loop unroll(full)
      for (int j = 0; j < Vectors; ++j)
        sums[i][j] = __builtin_elementwise_fma(x, row[j], sums[i][j]);
    }
    a += Width;
    b += 2 * lanes;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j)
      std::memcpy(c + i * stride + j * lanes, &sums[i][j], Bytes);
}

// The panels' widths, of b two vectors; and for the edges the same with fewer
// rows or with one vector.
template <typename T> struct Tile {
  using Multiply = void (*)(int64_t, const T *, const T *, T *, int64_t);
  Multiply multiply[2][2];
  int64_t rows, columns, fewRows;
};
constexpr int64_t kMostTileRows = 12, kMostTileBytes = 128;

template <typename T, int Rows, int Vectors>
void tileBase(int64_t depth, const T *a, const T *b, T *c, int64_t stride) {
  multiplyTile<T, 16, Rows, Vectors, 4>(depth, a, b, c, stride);
}
#if defined(__x86_64__)
template <typename T, int Rows, int Vectors>
EVOX_AVX2 void tileAvx2(int64_t depth, const T *a, const T *b, T *c,
                        int64_t stride) {
  multiplyTile<T, 32, Rows, Vectors, 6>(depth, a, b, c, stride);
}
template <typename T, int Rows, int Vectors>
EVOX_AVX512 void tileAvx512(int64_t depth, const T *a, const T *b, T *c,
                            int64_t stride) {
  multiplyTile<T, 64, Rows, Vectors, 12>(depth, a, b, c, stride);
}
#endif

template <typename T> Tile<T> tileOf(Isa isa) {
  constexpr int64_t size = sizeof(T);
#if defined(__x86_64__)
  if (isa == Isa::Avx512)
    return {{{tileAvx512<T, 12, 2>, tileAvx512<T, 12, 1>},
             {tileAvx512<T, 4, 2>, tileAvx512<T, 4, 1>}},
            12,
            128 / size,
            4};
  if (isa == Isa::Avx2)
    return {{{tileAvx2<T, 6, 2>, tileAvx2<T, 6, 1>},
             {tileAvx2<T, 2, 2>, tileAvx2<T, 2, 1>}},
            6,
            64 / size,
            2};
#endif
  (void)isa;
  return {{{tileBase<T, 4, 2>, tileBase<T, 4, 1>},
           {tileBase<T, 2, 2>, tileBase<T, 2, 1>}},
          4,
          32 / size,
          2};
}

/// One product of matrices; task i does some rows for the panels in `b`.
template <typename T> struct Product {
  evox_ctx *ctx;
  Tile<T> tile;
  Strided<const T> a;
  T *b; // packed
  Strided<T> c;
  int64_t rows, depth, columns, rowsPerTask;
  T alpha;

  static void run(void *arg, int64_t task) {
    static_cast<Product *>(arg)->multiplyRows(task);
  }
  void multiplyRows(int64_t task);
};

/// to[k][width] = alpha from[r][k], for the first `some` of the r; the others'
/// are zeros. Squares of 16 bytes a side are turned in registers.
template <typename T>
void packAcross(const T *from, int64_t stride, T alpha, int64_t some,
                int64_t depth, int64_t width, T *to) {
  constexpr int lanes = 16 / int(sizeof(T));
  typedef T Vector __attribute__((vector_size(16)));
  int64_t whole = some / lanes * lanes, k = 0;
  for (; k + lanes <= depth; k += lanes, to += lanes * width) {
    for (int64_t r = 0; r < whole; r += lanes) {
      Vector x[lanes];
      for (int i = 0; i < lanes; ++i)
        std::memcpy(&x[i], from + (r + i) * stride + k, 16);
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
        std::memcpy(to + i * width + r, &x[i], 16);
      }
    }
    for (int i = 0; i < lanes; ++i) {
      for (int64_t r = whole; r < some; ++r)
        to[i * width + r] = alpha * from[r * stride + k + i];
      for (int64_t r = some; r < width; ++r)
        to[i * width + r] = 0;
    }
  }
  for (; k < depth; ++k, to += width) {
    for (int64_t r = 0; r < some; ++r)
      to[r] = alpha * from[r * stride + k];
    for (int64_t r = some; r < width; ++r)
      to[r] = 0;
  }
}

/// to[k][Width] = alpha from[k][0 .. Width).
template <typename T, int Width>
void packWhole(const T *from, int64_t stride, T alpha, int64_t depth, T *to) {
  for (int64_t k = 0; k < depth; ++k, from += stride, to += Width)
#pragma clang loop unroll(full)
    for (int r = 0; r < Width; ++r)
      to[r] = alpha * from[r];
}

/// A panel: to[k][width] = alpha from(r, k), for r < some, else 0.
template <typename T>
void packPanel(Strided<const T> from, T alpha, int64_t some, int64_t depth,
               int64_t width, T *to) {
  if (from.row == 1 && some == width) {
    auto pack = width == 4    ? packWhole<T, 4>
                : width == 6  ? packWhole<T, 6>
                : width == 8  ? packWhole<T, 8>
                : width == 12 ? packWhole<T, 12>
                : width == 16 ? packWhole<T, 16>
                : width == 32 ? packWhole<T, 32>
                              : nullptr;
    if (pack)
      return pack(from.data, from.column, alpha, depth, to);
  }
  if (from.column == 1)
    return packAcross(from.data, from.row, alpha, some, depth, width, to);
  for (int64_t k = 0; k < depth; ++k, to += width) {
    const T *column = &from(0, k);
    for (int64_t r = 0; r < some; ++r)
      to[r] = alpha * column[r * from.row];
    for (int64_t r = some; r < width; ++r)
      to[r] = 0;
  }
}

template <typename T>
void packRows(Strided<const T> a, T alpha, int64_t rows, int64_t depth,
              int64_t tileRows, T *to) {
  for (int64_t i = 0; i < rows; i += tileRows)
    packPanel(a.at(i, 0), alpha, atMost(tileRows, rows - i), depth, tileRows,
              to + i * depth);
}

template <typename T>
void packColumns(Strided<const T> b, int64_t depth, int64_t columns,
                 int64_t tileColumns, T *to) {
  for (int64_t j = 0; j < columns; j += tileColumns)
    packPanel(b.at(0, j).transposed(), T(1), atMost(tileColumns, columns - j),
              depth, tileColumns, to + j * depth);
}

template <typename T> void Product<T>::multiplyRows(int64_t task) {
  int64_t first = task * rowsPerTask, some = atMost(rowsPerTask, rows - first);
  int64_t mr = tile.rows, nr = tile.columns;
  T *panel = static_cast<T *>(
      evox_rt_alloc(ctx, roundUp(some, mr) * depth * int64_t(sizeof(T))));
  packRows(a.at(first, 0), alpha, some, depth, mr, panel);
  alignas(64) T edge[kMostTileRows * kMostTileBytes / sizeof(T)];
  for (int64_t j = 0; j < columns; j += nr) {
    for (int64_t i = 0; i < some; i += mr) {
      const T *pa = panel + i * depth, *pb = b + j * depth;
      int64_t m = atMost(mr, some - i), n = atMost(nr, columns - j);
      T *to = &c(first + i, j);
      bool few = m <= tile.fewRows, narrow = n <= nr / 2;
      auto multiplyTile = tile.multiply[few][narrow];
      if (m == (few ? tile.fewRows : mr) && n == (narrow ? nr / 2 : nr)) {
        multiplyTile(depth, pa, pb, to, c.row);
        continue;
      }
      std::memset(edge, 0, size_t((few ? tile.fewRows : mr) * nr) * sizeof(T));
      for (int64_t r = 0; r < m; ++r)
        std::memcpy(edge + r * nr, to + r * c.row, size_t(n) * sizeof(T));
      multiplyTile(depth, pa, pb, edge, nr);
      for (int64_t r = 0; r < m; ++r)
        std::memcpy(to + r * c.row, edge + r * nr, size_t(n) * sizeof(T));
    }
  }
  evox_rt_free(ctx, panel);
}

// A few rows: packing would cost as much as the products.
template <typename T>
EVOX_INLINE void addRow(const T *__restrict b, T *__restrict c, int64_t n,
                        T x) {
  for (int64_t j = 0; j < n; ++j)
    c[j] = __builtin_elementwise_fma(x, b[j], c[j]);
}
EVOX_INLINE void addRowFloatImpl(const float *b, float *c, int64_t n, float x) {
  addRow(b, c, n, x);
}
EVOX_INLINE void addRowDoubleImpl(const double *b, double *c, int64_t n,
                                  double x) {
  addRow(b, c, n, x);
}
EVOX_VARIANTS(addRowFloat, (const float *b, float *c, int64_t n, float x),
              (b, c, n, x))
EVOX_VARIANTS(addRowDouble, (const double *b, double *c, int64_t n, double x),
              (b, c, n, x))

template <typename T>
EVOX_INLINE void dot(const T *__restrict a, const T *__restrict b, int64_t n,
                     T alpha, T *__restrict to) {
  constexpr int lanes = 64;
  T sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int l = 0; l < lanes; ++l)
      sums[l] = __builtin_elementwise_fma(a[i + l], b[i + l], sums[l]);
  for (; i < n; ++i)
    sums[i % lanes] = __builtin_elementwise_fma(a[i], b[i], sums[i % lanes]);
  for (int half = lanes / 2; half; half /= 2)
    for (int l = 0; l < half; ++l)
      sums[l] += sums[l + half];
  *to += alpha * sums[0];
}
EVOX_INLINE void dotFloatImpl(const float *a, const float *b, int64_t n,
                              float alpha, float *to) {
  dot(a, b, n, alpha, to);
}
EVOX_INLINE void dotDoubleImpl(const double *a, const double *b, int64_t n,
                               double alpha, double *to) {
  dot(a, b, n, alpha, to);
}
EVOX_VARIANTS(dotFloat,
              (const float *a, const float *b, int64_t n, float alpha,
               float *to),
              (a, b, n, alpha, to))
EVOX_VARIANTS(dotDouble,
              (const double *a, const double *b, int64_t n, double alpha,
               double *to),
              (a, b, n, alpha, to))

} // namespace

template <typename T>
void evox::rt::addProduct(evox_ctx *ctx, T alpha, Strided<const T> a,
                          Strided<const T> b, Strided<T> c, int64_t m,
                          int64_t k, int64_t n) {
  if (c.column != 1 && n != 1) // (a b)' = b' a'
    return addProduct<T>(ctx, alpha, b.transposed(), a.transposed(),
                         c.transposed(), n, k, m);
  const evox_instance *instance = instanceOf(ctx);
  Isa isa = instance->generator.isa;
  if (m == 0 || n == 0 || k == 0)
    return;
  if (n == 1 && a.column == 1 && (b.row == 1 || k == 1)) {
    for (int64_t i = 0; i < m; ++i) {
      if constexpr (sizeof(T) == 4)
        dotFloat(isa)(&a(i, 0), b.data, k, alpha, &c(i, 0));
      else
        dotDouble(isa)(&a(i, 0), b.data, k, alpha, &c(i, 0));
    }
    return;
  }
  if (n == 1 && a.row == 1 && c.row == 1) {
    for (int64_t l = 0; l < k; ++l) {
      if constexpr (sizeof(T) == 4)
        addRowFloat(isa)(&a(0, l), c.data, m, alpha * b(l, 0));
      else
        addRowDouble(isa)(&a(0, l), c.data, m, alpha * b(l, 0));
    }
    return;
  }
  if (m < 4 && b.column == 1) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t l = 0; l < k; ++l) {
        if constexpr (sizeof(T) == 4)
          addRowFloat(isa)(&b(l, 0), &c(i, 0), n, alpha * a(i, l));
        else
          addRowDouble(isa)(&b(l, 0), &c(i, 0), n, alpha * a(i, l));
      }
    return;
  }
  Product<T> job;
  job.ctx = ctx;
  job.tile = tileOf<T>(isa);
  job.rows = m;
  job.alpha = alpha;
  int64_t share = (m + 2 * instance->threads - 1) / (2 * instance->threads);
  job.rowsPerTask =
      roundUp(atMost(instance->threads > 1 ? share : kMostRows, kMostRows),
              job.tile.rows);
  int64_t width = atMost(roundUp(n, job.tile.columns), kColumns);
  job.b = static_cast<T *>(
      evox_rt_alloc(ctx, width * atMost(k, kDepth) * int64_t(sizeof(T))));
  for (int64_t j = 0; j < n; j += width) {
    job.columns = atMost(width, n - j);
    for (int64_t l = 0; l < k; l += kDepth) {
      job.depth = atMost(kDepth, k - l);
      packColumns(b.at(l, j), job.depth, job.columns, job.tile.columns, job.b);
      job.a = a.at(0, l);
      job.c = c.at(0, j);
      int64_t tasks = (m + job.rowsPerTask - 1) / job.rowsPerTask;
      // Waking threads takes some microseconds.
      if (m * job.columns * job.depth < 2'000'000)
        for (int64_t i = 0; i < tasks; ++i)
          Product<T>::run(&job, i);
      else
        evox_rt_parallel(ctx, Product<T>::run, &job, tasks);
    }
  }
  evox_rt_free(ctx, job.b);
}

template void evox::rt::addProduct(evox_ctx *, float, Strided<const float>,
                                   Strided<const float>, Strided<float>,
                                   int64_t, int64_t, int64_t);
template void evox::rt::addProduct(evox_ctx *, double, Strided<const double>,
                                   Strided<const double>, Strided<double>,
                                   int64_t, int64_t, int64_t);

template <typename T>
static void multiplyAll(evox_ctx *ctx, evox_view a, evox_view b,
                        const evox_view &out, bool aTransposed,
                        bool bTransposed) {
  auto transpose = [](evox_view &view) {
    int32_t i = view.rank - 2;
    std::swap(view.shape[i], view.shape[i + 1]);
    std::swap(view.strides[i], view.strides[i + 1]);
  };
  if (aTransposed)
    transpose(a);
  if (bTransposed)
    transpose(b);
  int32_t r = out.rank - 2; // 0, or 1 with a batch
  int64_t batch = r ? out.shape[0] : 1;
  for (int64_t i = 0; i < batch; ++i) {
    auto part = [&](const evox_view &view) {
      return static_cast<T *>(view.data) + (r ? i * view.strides[0] : 0);
    };
    addProduct<T>(ctx, T(1), {part(a), a.strides[r], a.strides[r + 1]},
                  {part(b), b.strides[r], b.strides[r + 1]},
                  {part(out), out.strides[r], out.strides[r + 1]}, a.shape[r],
                  a.shape[r + 1], out.shape[r + 1]);
  }
}

extern "C" void evox_k_matmul(evox_ctx *ctx, const evox_view *a,
                              const evox_view *b, const evox_view *out,
                              int64_t a_transposed, int64_t b_transposed) {
  if (out->dtype == EVOX_FLOAT32)
    multiplyAll<float>(ctx, *a, *b, *out, a_transposed, b_transposed);
  else if (out->dtype == EVOX_FLOAT64)
    multiplyAll<double>(ctx, *a, *b, *out, a_transposed, b_transposed);
  else
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "matmul: no products of %s",
         nameOf(out->dtype));
}
