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

#include "BlasLoops.h"
#include "Isa.h"
#include "Matmul.h"

#include <cstring>
#include <utility>

using namespace evox::rt;

namespace {

// Of k and of the columns, what is packed at once: a panel of B for the
// nearest cache, all of them for the next one.
constexpr int64_t kDepth = 256, kColumns = 1536, kMostRows = 96;
// Of so many bytes of columns it is known which rows of B have no zeros only:
// a diagonal matrix is nearly all zeros. The same for any processor.
constexpr int64_t kGroupBytes = 128, kMostGroups = kColumns * 8 / kGroupBytes;

int64_t roundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// c[Rows][Vectors of Bytes] += a b, for panels a[k][Width], b[k][bStep], of
/// which the first ones are read.
template <typename T, int Bytes, int Rows, int Vectors, int Width>
EVOX_INLINE void multiplyTile(int64_t depth, const T *__restrict a,
                              const T *__restrict b, int64_t bStep,
                              T *__restrict c, int64_t stride) {
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
    b += bStep;
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
  using Multiply = void (*)(int64_t, const T *, const T *, int64_t, T *,
                            int64_t);
  Multiply multiply[2][2];
  int64_t rows, columns, fewRows;
};
constexpr int64_t kMostTileRows = 12, kMostTileBytes = 128;

template <typename T, int Rows, int Vectors>
void tileBase(int64_t depth, const T *a, const T *b, int64_t bStep, T *c,
              int64_t stride) {
  multiplyTile<T, 16, Rows, Vectors, 4>(depth, a, b, bStep, c, stride);
}
#if defined(__x86_64__)
template <typename T, int Rows, int Vectors>
EVOX_AVX2 void tileAvx2(int64_t depth, const T *a, const T *b, int64_t bStep,
                        T *c, int64_t stride) {
  multiplyTile<T, 32, Rows, Vectors, 6>(depth, a, b, bStep, c, stride);
}
template <typename T, int Rows, int Vectors>
EVOX_AVX512 void tileAvx512(int64_t depth, const T *a, const T *b,
                            int64_t bStep, T *c, int64_t stride) {
  multiplyTile<T, 64, Rows, Vectors, 12>(depth, a, b, bStep, c, stride);
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
  int64_t rows, depth, columns, tasks;
  T alpha;
  // What is packed: of b, in groups of columns; task i does some groups. For a
  // few rows that would cost as much as the product: `direct`.
  Strided<const T> from;
  bool direct;
  int64_t groupsPerTask;
  int32_t begin[kMostGroups], end[kMostGroups]; // rows with more than zeros

  static void run(void *arg, int64_t task) {
    static_cast<Product *>(arg)->multiplyRows(task);
  }
  static void pack(void *arg, int64_t task) {
    static_cast<Product *>(arg)->packGroups(task);
  }
  void multiplyRows(int64_t task);
  void packGroups(int64_t task);
  void findZeros(int64_t group);
  /// The panel at column j is read where it is.
  bool isDirect(int64_t j) const {
    return direct &&
           (columns - j >= tile.columns || columns - j == tile.columns / 2);
  }
  int64_t groups() const {
    constexpr int64_t width = kGroupBytes / int64_t(sizeof(T));
    return (columns + width - 1) / width;
  }
};

/// to[k][width] = alpha from[r][k], for the first `some` of the r; the others'
/// are zeros. Of each row a cache line at a time.
template <typename T>
void packAcross(const T *from, int64_t stride, T alpha, int64_t some,
                int64_t depth, int64_t width, T *to) {
  constexpr int64_t lanes = 16 / int(sizeof(T)), line = 4 * lanes;
  int64_t whole = some / lanes * lanes;
  for (int64_t first = 0; first < depth; first += line, to += line * width) {
    int64_t end = atMost(line, depth - first), squares = end / lanes * lanes;
    const T *column = from + first;
    for (int64_t r = 0; r < whole; r += lanes)
      for (int64_t k = 0; k < squares; k += lanes)
        turnSquare<T>(column + r * stride + k, stride, alpha,
                      to + k * width + r, width);
    for (int64_t k = 0; k < end; ++k) {
      for (int64_t r = k < squares ? whole : 0; r < some; ++r)
        to[k * width + r] = alpha * column[r * stride + k];
      for (int64_t r = some; r < width; ++r)
        to[k * width + r] = 0;
    }
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

template <typename T> bool isZero(const T *values, int64_t n) {
  bool zero = true;
  for (int64_t i = 0; i < n; ++i)
    zero &= values[i] == 0;
  return zero;
}

/// Where the group's rows begin and end that are not all zeros. In a matrix
/// that has few zeros this looks at two rows.
template <typename T> void Product<T>::findZeros(int64_t group) {
  constexpr int64_t width = kGroupBytes / int64_t(sizeof(T));
  int64_t nr = tile.columns, first = group * width;
  int64_t last = atMost(first + width, roundUp(columns, nr));
  auto isZeroRow = [&](int64_t k) {
    for (int64_t j = first; j < last; j += nr)
      if (!isZero(b + j * depth + k * nr, nr))
        return false;
    return true;
  };
  int64_t from = 0, to = depth;
  while (from < to && isZeroRow(from))
    ++from;
  while (from < to && isZeroRow(to - 1))
    --to;
  begin[group] = int32_t(from);
  end[group] = int32_t(to);
}

template <typename T> void Product<T>::packGroups(int64_t task) {
  constexpr int64_t width = kGroupBytes / int64_t(sizeof(T));
  int64_t nr = tile.columns, first = task * groupsPerTask;
  int64_t last = atMost(first + groupsPerTask, groups());
  for (int64_t j = first * width; j < atMost(last * width, columns); j += nr)
    if (!isDirect(j))
      packPanel(from.at(0, j).transposed(), T(1), atMost(nr, columns - j),
                depth, nr, b + j * depth);
  if (!direct)
    for (int64_t group = first; group < last; ++group)
      findZeros(group);
}

/// Times zero, these are zeros.
template <typename T> bool allFinite(Strided<const T> a, int64_t m, int64_t n) {
  if (a.column != 1) {
    a = a.transposed();
    std::swap(m, n);
  }
  bool finite = true;
  for (int64_t i = 0; i < m && finite; ++i)
    for (int64_t j = 0; j < n; ++j)
      finite &= a(i, j) - a(i, j) == 0;
  return finite;
}

template <typename T> void Product<T>::multiplyRows(int64_t task) {
  // Whole tiles, of which the tasks have as many as each other, or one more.
  int64_t mr = tile.rows, nr = tile.columns, tiles = (rows + mr - 1) / mr;
  int64_t first = tiles * task / tasks * mr;
  int64_t some = atMost(tiles * (task + 1) / tasks * mr, rows) - first;
  T *panel = static_cast<T *>(
      evox_rt_alloc(ctx, roundUp(some, mr) * depth * int64_t(sizeof(T))));
  packRows(a.at(first, 0), alpha, some, depth, mr, panel);
  alignas(64) T edge[kMostTileRows * kMostTileBytes / sizeof(T)];
  for (int64_t j = 0; j < columns; j += nr) {
    int64_t group = j * int64_t(sizeof(T)) / kGroupBytes;
    int64_t skipped = begin[group], left = end[group] - skipped;
    if (!left)
      continue;
    for (int64_t i = 0; i < some; i += mr) {
      const T *pa = panel + i * depth + skipped * mr;
      int64_t step = isDirect(j) ? from.row : nr;
      const T *pb =
          (isDirect(j) ? &from(0, j) : b + j * depth) + skipped * step;
      int64_t m = atMost(mr, some - i), n = atMost(nr, columns - j);
      T *to = &c(first + i, j);
      bool few = m <= tile.fewRows, narrow = n <= nr / 2;
      auto multiplyTile = tile.multiply[few][narrow];
      if (m == (few ? tile.fewRows : mr) && n == (narrow ? nr / 2 : nr)) {
        multiplyTile(left, pa, pb, step, to, c.row);
        continue;
      }
      std::memset(edge, 0, size_t((few ? tile.fewRows : mr) * nr) * sizeof(T));
      for (int64_t r = 0; r < m; ++r)
        std::memcpy(edge + r * nr, to + r * c.row, size_t(n) * sizeof(T));
      multiplyTile(left, pa, pb, step, edge, nr);
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

/// to[i * step] += alpha a[i][n] . b, for some rows of a, each with 64 sums.
template <typename T, int Rows>
EVOX_INLINE void dotSome(const T *a, int64_t stride, const T *b, int64_t n,
                         T alpha, T *to, int64_t step) {
  constexpr int lanes = kLanes<T>, count = 64 / lanes;
  using V = Vector<T>;
  V sums[Rows][count] = {};
  int64_t j = 0;
  for (; j + 64 <= n; j += 64)
#pragma clang loop unroll(full)
    for (int c = 0; c < count; ++c) {
      V y;
      load<T>(y, b + j + c * lanes);
#pragma clang loop unroll(full)
      for (int i = 0; i < Rows; ++i) {
        V x;
        load<T>(x, a + i * stride + j + c * lanes);
        sums[i][c] = __builtin_elementwise_fma(x, y, sums[i][c]);
      }
    }
  if (j < n)
#pragma clang loop unroll(full)
    for (int c = 0; c < count; ++c) {
      typename MaskOf<T>::Type mask;
      maskOf<T>(mask, n - j - c * lanes);
      V y;
      loadSome<T>(y, b + j + c * lanes, mask);
#pragma clang loop unroll(full)
      for (int i = 0; i < Rows; ++i) {
        V x;
        loadSome<T>(x, a + i * stride + j + c * lanes, mask);
        sums[i][c] = __builtin_elementwise_fma(x, y, sums[i][c]);
      }
    }
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
#pragma clang loop unroll(full)
    for (int half = count / 2; half; half /= 2)
#pragma clang loop unroll(full)
      for (int c = 0; c < half; ++c)
        sums[i][c] += sums[i][c + half];
    to[i * step] += alpha * sumOf<T>(sums[i][0]);
  }
}
template <typename T>
EVOX_INLINE void dots(const T *a, int64_t stride, int64_t rows, const T *b,
                      int64_t n, T alpha, T *to, int64_t step) {
  constexpr int some = sizeof(T) == 4 ? 4 : 2;
  int64_t i = 0;
  for (; i + some <= rows; i += some)
    dotSome<T, some>(a + i * stride, stride, b, n, alpha, to + i * step, step);
  for (; i < rows; ++i)
    dotSome<T, 1>(a + i * stride, stride, b, n, alpha, to + i * step, step);
}
#define EVOX_DOTS(name, T)                                                     \
  EVOX_INLINE void name##Impl(const T *a, int64_t stride, int64_t rows,        \
                              const T *b, int64_t n, T alpha, T *to,           \
                              int64_t step) {                                  \
    dots(a, stride, rows, b, n, alpha, to, step);                              \
  }                                                                            \
  EVOX_VARIANTS(name,                                                          \
                (const T *a, int64_t stride, int64_t rows, const T *b,         \
                 int64_t n, T alpha, T *to, int64_t step),                     \
                (a, stride, rows, b, n, alpha, to, step))
EVOX_DOTS(dotsFloat, float)
EVOX_DOTS(dotsDouble, double)
#undef EVOX_DOTS

/// A matrix by rows, times a vector; a task does some rows.
template <typename T> struct RowsTimesVector {
  Isa isa;
  Strided<const T> a;
  const T *b;
  Strided<T> c;
  int64_t m, k, rowsPerTask;
  T alpha;
  static void run(void *arg, int64_t task) {
    const RowsTimesVector &job = *static_cast<RowsTimesVector *>(arg);
    int64_t first = task * job.rowsPerTask;
    int64_t rows = atMost(job.rowsPerTask, job.m - first);
    const T *a = &job.a(first, 0);
    T *to = &job.c(first, 0);
    if constexpr (sizeof(T) == 4)
      dotsFloat(job.isa)(a, job.a.row, rows, job.b, job.k, job.alpha, to,
                         job.c.row);
    else
      dotsDouble(job.isa)(a, job.a.row, rows, job.b, job.k, job.alpha, to,
                          job.c.row);
  }
};

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
    RowsTimesVector<T> job{isa, a, b.data, c, m, k, m, alpha};
    if (instance->threads < 2 || m * k < 300'000)
      return RowsTimesVector<T>::run(&job, 0);
    int64_t share = (m + 2 * instance->threads - 1) / (2 * instance->threads);
    job.rowsPerTask = roundUp(share, 4);
    return evox_rt_parallel(ctx, RowsTimesVector<T>::run, &job,
                            (m + job.rowsPerTask - 1) / job.rowsPerTask);
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
  int64_t threads = instance->threads < 1 ? 1 : instance->threads;
  int64_t tiles = (m + job.tile.rows - 1) / job.tile.rows;
  int64_t most = kMostRows / job.tile.rows; // of a task
  job.tasks = (tiles + most - 1) / most;
  if (threads > 1) {
    // As many for each thread, at least two to even out what else they do.
    job.tasks =
        roundUp(job.tasks < 2 * threads ? 2 * threads : job.tasks, threads);
    job.tasks = atMost(job.tasks, tiles);
  }
  int64_t width = atMost(roundUp(n, job.tile.columns), kColumns);
  job.b = static_cast<T *>(
      evox_rt_alloc(ctx, width * atMost(k, kDepth) * int64_t(sizeof(T))));
  for (int64_t j = 0; j < n; j += width) {
    job.columns = atMost(width, n - j);
    for (int64_t l = 0; l < k; l += kDepth) {
      job.depth = atMost(kDepth, k - l);
      job.from = b.at(l, j);
      job.a = a.at(0, l);
      job.c = c.at(0, j);
      // Waking threads takes some microseconds.
      bool shared = threads > 1 && m * job.columns * job.depth >= 1'000'000;
      bool packShared = shared && job.columns * job.depth >= 30'000 && m > 16;
      int64_t groups = job.groups();
      job.direct = m <= 16 && b.column == 1;
      job.groupsPerTask =
          packShared ? (groups + threads - 1) / threads : groups;
      if (packShared)
        evox_rt_parallel(ctx, Product<T>::pack, &job,
                         (groups + job.groupsPerTask - 1) / job.groupsPerTask);
      else
        job.packGroups(0);
      int64_t left = 0;
      for (int64_t group = 0; group < groups && !job.direct; ++group)
        left += job.end[group] - job.begin[group];
      if (job.direct || left * 4 > groups * job.depth * 3 ||
          !allFinite(job.a, m, job.depth))
        for (int64_t group = 0; group < groups; ++group) {
          job.begin[group] = 0;
          job.end[group] = int32_t(job.depth);
        }
      if (shared)
        evox_rt_parallel(ctx, Product<T>::run, &job, job.tasks);
      else
        for (int64_t i = 0; i < job.tasks; ++i)
          Product<T>::run(&job, i);
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
