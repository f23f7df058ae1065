//===- KernelsBlas.cpp - What LAPACK stands on ----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The routines of BLAS that the factorisations of KernelsLapack.cpp reach, on
// the products of KernelsMatmul.cpp: vectorised, with the instance's memory and
// threads, the same bits on any processor and at any number of threads. With
// them a program contains the parts of LAPACK that it needs and depends on no
// library.
//
// Matrices are stored by column; names and arguments are those of the BLAS.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "BlasLoops.h"
#include "Matmul.h"

#include <cmath>
#include <cstring>
#include <type_traits>

using namespace evox::rt;

static thread_local evox_ctx *context;

void evox::rt::setBlasContext(evox_ctx *ctx) { context = ctx; }
evox_ctx *evox::rt::blasContext() { return context; }

namespace {

Isa processor() { return instanceOf(context)->generator.isa; }
bool is(const char *option, char letter) {
  return (*option | 32) == (letter | 32);
}

/// A vector whose elements lie one after the other: itself or a copy.
template <typename T> struct Contiguous {
  using Element = std::remove_const_t<T>;
  T *original, *data;
  int64_t n, step;
  // A negative step walks backwards from the end.
  static T *start(T *x, int64_t n, int64_t step) {
    return step < 0 ? x - (n - 1) * step : x;
  }
  Contiguous(T *x, int64_t n, int64_t step)
      : original(start(x, n, step)), data(original), n(n), step(step) {
    if (step == 1 || n == 0)
      return;
    auto *copy =
        static_cast<Element *>(evox_rt_alloc(context, n * int64_t(sizeof(T))));
    for (int64_t i = 0; i < n; ++i)
      copy[i] = original[i * step];
    data = copy;
  }
  /// Writes the copy back, unless the vector is constant, and forgets it.
  void done() {
    if (data == original)
      return;
    if constexpr (!std::is_const_v<T>)
      for (int64_t i = 0; i < n; ++i)
        original[i * step] = data[i];
    evox_rt_free(context, const_cast<Element *>(data));
  }
};

//===-- vectors -----------------------------------------------------------===//

template <typename T> void scale(int64_t n, T alpha, T *x, int64_t step) {
  for (int64_t i = 0; i < n; ++i)
    x[i * step] = alpha == 0 ? T(0) : alpha * x[i * step];
}

template <typename T>
void axpy(int64_t n, T alpha, const T *x, int64_t xStep, T *y, int64_t yStep) {
  if (n <= 0 || alpha == 0)
    return;
  if (xStep == 1 && yStep == 1)
    return Loops<T>(processor()).add1(n, x, 0, &alpha, y, nullptr, nullptr);
  x = Contiguous<const T>::start(x, n, xStep);
  y = Contiguous<T>::start(y, n, yStep);
  for (int64_t i = 0; i < n; ++i)
    y[i * yStep] += alpha * x[i * xStep];
}

template <typename T>
T dot(int64_t n, const T *x, int64_t xStep, const T *y, int64_t yStep) {
  if (n <= 0)
    return 0;
  Contiguous<const T> a(x, n, xStep), b(y, n, yStep);
  T sum;
  Loops<T>(processor()).dot1(n, a.data, 0, nullptr, nullptr, b.data, &sum);
  b.done();
  a.done();
  return sum;
}

// Neither overflows nor underflows where the norm does not: the squares of
// floats are far from the limits of double.
template <typename T> T norm(int64_t n, const T *x, int64_t step) {
  double sums[8] = {};
  int64_t first = step == 1 ? n / 8 * 8 : 0;
  for (int64_t i = 0; i < first; i += 8)
    for (int l = 0; l < 8; ++l)
      sums[l] += double(x[i + l]) * double(x[i + l]);
  for (int64_t i = first; i < n; ++i) {
    double value = double(x[i * step]);
    sums[i & 7] += value * value;
  }
  double sum = ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
               ((sums[2] + sums[6]) + (sums[3] + sums[7]));
  if (sizeof(T) == 4 || (sum > 1e-280 && sum < 1e300) || std::isnan(sum))
    return T(std::sqrt(sum));
  double largest = 0;
  for (int64_t i = 0; i < n; ++i)
    largest = std::fmax(largest, std::fabs(double(x[i * step])));
  if (largest == 0 || std::isinf(largest))
    return T(largest);
  sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    double value = double(x[i * step]) / largest;
    sum += value * value;
  }
  return T(largest * std::sqrt(sum));
}

template <typename T> EVOX_INLINE void rotate(int64_t n, T *x, T *y, T c, T s) {
  for (int64_t i = 0; i < n; ++i) {
    T a = x[i], b = y[i];
    x[i] = c * a + s * b;
    y[i] = c * b - s * a;
  }
}

/// LAPACK's lasr, which takes a good part of a small matrix's eigenvectors: a
/// sequence of rotations of two rows or columns each.
template <typename T>
void rotateAll(bool right, char pivot, bool backward, int64_t m, int64_t n,
               const T *c, const T *s, T *a, int64_t lda) {
  int64_t size = right ? n : m, length = right ? m : n;
  if (m <= 0 || n <= 0)
    return;
  if (right && (pivot | 32) == 'v') {
    Isa isa = processor();
    if constexpr (sizeof(T) == 4)
      return rotateFloat(isa)(m, n, backward, c, s, a, lda);
    else
      return rotateDouble(isa)(m, n, backward, c, s, a, lda);
  }
  int64_t step = right ? lda : 1, along = right ? 1 : lda;
  for (int64_t k = 0; k < size - 1; ++k) {
    int64_t j = backward ? size - 2 - k : k;
    int64_t first = (pivot | 32) == 't' ? 0 : j;
    int64_t second = (pivot | 32) == 'b' ? size - 1 : j + 1;
    if (c[j] == 1 && s[j] == 0)
      continue;
    for (int64_t i = 0; i < length; ++i)
      rotate<T>(1, a + first * step + i * along, a + second * step + i * along,
                c[j], s[j]);
  }
}

// The first of the greatest magnitude, from 1.
template <typename T> int largest(int64_t n, const T *x, int64_t step) {
  if (n < 1 || step <= 0)
    return 0;
  int64_t best = 0;
  T most = std::fabs(x[0]);
  for (int64_t i = 1; i < n; ++i)
    if (T value = std::fabs(x[i * step]); value > most) {
      most = value;
      best = i;
    }
  return int(best + 1);
}

//===-- matrices and vectors ----------------------------------------------===//

template <typename T> T *makeMatrix(int64_t m, int64_t n) {
  return static_cast<T *>(evox_rt_alloc(context, m * n * int64_t(sizeof(T))));
}

template <typename T>
void gemv(bool transposed, int64_t m, int64_t n, T alpha, const T *a,
          int64_t lda, const T *x, int64_t xStep, T beta, T *y, int64_t yStep) {
  int64_t inputs = transposed ? m : n, outputs = transposed ? n : m;
  if (outputs <= 0 || inputs < 0)
    return;
  Contiguous<T> to(y, outputs, yStep);
  if (beta != 1)
    scale(outputs, beta, to.data, 1);
  if (alpha != 0 && inputs) {
    Contiguous<const T> from(x, inputs, xStep);
    Loops<T> loops(processor());
    if (transposed)
      loops.addDots(m, n, alpha, a, lda, from.data, to.data);
    else
      loops.addColumns(m, n, alpha, a, lda, from.data, to.data);
    from.done();
  }
  to.done();
}

template <typename T>
void symv(bool upper, int64_t n, T alpha, const T *a, int64_t lda, const T *x,
          int64_t xStep, T beta, T *y, int64_t yStep) {
  if (n <= 0)
    return;
  Contiguous<T> to(y, n, yStep);
  if (beta != 1)
    scale(n, beta, to.data, 1);
  if (alpha != 0) {
    Contiguous<const T> from(x, n, xStep);
    addSymmetricProduct<T>(upper, n, alpha, a, lda, from.data, to.data);
    from.done();
  }
  to.done();
}

template <typename T>
void ger(int64_t m, int64_t n, T alpha, const T *x, int64_t xStep, const T *y,
         int64_t yStep, T *a, int64_t lda) {
  if (m <= 0 || n <= 0 || alpha == 0)
    return;
  Contiguous<const T> column(x, m, xStep);
  Loops<T> loops(processor());
  y = Contiguous<const T>::start(y, n, yStep);
  for (int64_t j = 0; j < n; ++j) {
    T factor = alpha * y[j * yStep];
    loops.add1(m, column.data, 0, &factor, a + j * lda, nullptr, nullptr);
  }
  column.done();
}

template <typename T>
void syr2(bool upper, int64_t n, T alpha, const T *x, int64_t xStep, const T *y,
          int64_t yStep, T *a, int64_t lda) {
  if (n <= 0 || alpha == 0)
    return;
  Contiguous<const T> u(x, n, xStep), v(y, n, yStep);
  Loops<T> loops(processor());
  for (int64_t j = 0; j < n; ++j) {
    int64_t first = upper ? 0 : j, rows = upper ? j + 1 : n - j;
    T *to = a + first + j * lda;
    T byV = alpha * v.data[j], byU = alpha * u.data[j];
    loops.add1(rows, u.data + first, 0, &byV, to, nullptr, nullptr);
    loops.add1(rows, v.data + first, 0, &byU, to, nullptr, nullptr);
  }
  v.done();
  u.done();
}

/// op(a), where a is triangular; `upper` says what op(a) is.
template <typename T> struct Triangle {
  Strided<const T> a;
  bool upper, unit;
  Triangle(const char *uplo, const char *trans, const char *diag, const T *data,
           int64_t lda)
      : a{data, 1, lda}, upper(is(uplo, 'U')), unit(is(diag, 'U')) {
    if (!is(trans, 'N'))
      *this = transposed();
  }
  Triangle transposed() const {
    Triangle other = *this;
    other.a = a.transposed();
    other.upper = !upper;
    return other;
  }
  Triangle at(int64_t i) const {
    Triangle other = *this;
    other.a = a.at(i, i);
    return other;
  }
  T operator()(int64_t i, int64_t j) const {
    if (i == j)
      return unit ? T(1) : a(i, i);
    return (i < j) == upper ? a(i, j) : T(0);
  }
};

template <typename T>
void trmv(const Triangle<T> &a, int64_t n, T *x, int64_t step) {
  x = Contiguous<T>::start(x, n, step);
  for (int64_t k = 0; k < n; ++k) {
    int64_t i = a.upper ? k : n - 1 - k;
    T sum = a(i, i) * x[i * step];
    for (int64_t j = a.upper ? i + 1 : 0, to = a.upper ? n : i; j < to; ++j)
      sum += a.a(i, j) * x[j * step];
    x[i * step] = sum;
  }
}

//===-- matrices ----------------------------------------------------------===//

template <typename T>
void gemm(bool aTransposed, bool bTransposed, int64_t m, int64_t n, int64_t k,
          T alpha, const T *a, int64_t lda, const T *b, int64_t ldb, T beta,
          T *c, int64_t ldc) {
  if (beta != 1)
    for (int64_t j = 0; j < n; ++j)
      scale(m, beta, c + j * ldc, 1);
  if (alpha == 0 || m <= 0 || n <= 0 || k <= 0)
    return;
  Strided<const T> left{a, 1, lda}, right{b, 1, ldb};
  addProduct<T>(context, alpha, aTransposed ? left.transposed() : left,
                bTransposed ? right.transposed() : right, {c, 1, ldc}, m, k, n);
}

/// One triangle of c is scaled, then each `add(i, j, m, n, to)` adds a block of
/// the full matrix to a matrix by columns. A task does some columns.
template <typename T, typename F> struct TriangleUpdate {
  static constexpr int64_t most = 96;
  evox_ctx *ctx;
  bool upper;
  int64_t n, ldc;
  T beta, *c;
  const F &add;

  static void run(void *arg, int64_t task) {
    const TriangleUpdate &job = *static_cast<TriangleUpdate *>(arg);
    // The largest ones first.
    int64_t last = (job.n - 1) / most;
    job.update((job.upper ? last - task : task) * most);
  }
  void update(int64_t j) const {
    int64_t some = atMost(most, n - j);
    if (beta != 1)
      for (int64_t k = j; k < j + some; ++k)
        scale(upper ? k + 1 : n - k, beta, c + (upper ? 0 : k) + k * ldc, 1);
    T *square =
        static_cast<T *>(evox_rt_alloc(ctx, some * some * int64_t(sizeof(T))));
    std::memset(square, 0, size_t(some * some) * sizeof(T));
    add(j, j, some, some, Strided<T>{square, 1, some});
    for (int64_t k = 0; k < some; ++k)
      for (int64_t i = upper ? 0 : k, to = upper ? k + 1 : some; i < to; ++i)
        c[j + i + (j + k) * ldc] += square[i + k * some];
    evox_rt_free(ctx, square);
    int64_t first = upper ? 0 : j + some, rows = upper ? j : n - first;
    if (rows)
      add(first, j, rows, some, Strided<T>{c + first + j * ldc, 1, ldc});
  }
};
template <typename T, typename F>
void updateTriangle(bool upper, int64_t n, int64_t depth, T beta, T *c,
                    int64_t ldc, const F &add) {
  if (n <= 0)
    return;
  TriangleUpdate<T, F> job{context, upper, n, ldc, beta, c, add};
  int64_t tasks = (n - 1) / job.most + 1;
  if (tasks > 1 && n * n * depth >= 2'000'000)
    return evox_rt_parallel(context, job.run, &job, tasks);
  for (int64_t i = 0; i < tasks; ++i)
    job.run(&job, i);
}

template <typename T>
void syrk(bool upper, bool transposed, int64_t n, int64_t k, T alpha,
          const T *a, int64_t lda, T beta, T *c, int64_t ldc) {
  Strided<const T> left{a, 1, lda};
  if (transposed)
    left = left.transposed();
  evox_ctx *ctx = context;
  updateTriangle(
      upper, n, k, beta, c, ldc,
      [&](int64_t i, int64_t j, int64_t rows, int64_t columns, Strided<T> to) {
        addProduct<T>(ctx, alpha, left.at(i, 0), left.at(j, 0).transposed(), to,
                      rows, k, columns);
      });
}

template <typename T>
void syr2k(bool upper, bool transposed, int64_t n, int64_t k, T alpha,
           const T *a, int64_t lda, const T *b, int64_t ldb, T beta, T *c,
           int64_t ldc) {
  Strided<const T> x{a, 1, lda}, y{b, 1, ldb};
  if (transposed) {
    x = x.transposed();
    y = y.transposed();
  }
  evox_ctx *ctx = context;
  updateTriangle(
      upper, n, 2 * k, beta, c, ldc,
      [&](int64_t i, int64_t j, int64_t rows, int64_t columns, Strided<T> to) {
        addProduct<T>(ctx, alpha, x.at(i, 0), y.at(j, 0).transposed(), to, rows,
                      k, columns);
        addProduct<T>(ctx, alpha, y.at(i, 0), x.at(j, 0).transposed(), to, rows,
                      k, columns);
      });
}

} // namespace

template <typename T>
void evox::rt::subtractOuter(int64_t n, int64_t k, const T *x, int64_t ldx,
                             const T *y, int64_t ldy, T *c, int64_t ldc) {
  syr2k<T>(false, false, n, k, T(-1), x, ldx, y, ldy, T(1), c, ldc);
}
template void evox::rt::subtractOuter(int64_t, int64_t, const float *, int64_t,
                                      const float *, int64_t, float *, int64_t);
template void evox::rt::subtractOuter(int64_t, int64_t, const double *, int64_t,
                                      const double *, int64_t, double *,
                                      int64_t);

namespace {

/// b[n][columns] = alpha a b. A product with zeros in place of the other
/// triangle: the triangles of LAPACK's reflectors are narrow.
template <typename T>
void trmm(const Triangle<T> &a, int64_t n, int64_t columns, T alpha,
          Strided<T> b) {
  if (n <= 0 || columns <= 0)
    return;
  T *full = makeMatrix<T>(n, n), *result = makeMatrix<T>(n, columns);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      full[i * n + j] = a(i, j);
  std::memset(result, 0, size_t(n * columns) * sizeof(T));
  // As b lies: by columns, or by rows where it comes transposed.
  bool byColumns = b.row == 1;
  Strided<T> to{result, byColumns ? 1 : columns, byColumns ? n : 1};
  addProduct<T>(context, alpha, {full, n, 1}, b, to, n, n, columns);
  int64_t outer = byColumns ? columns : n, inner = byColumns ? n : columns;
  for (int64_t k = 0; k < outer; ++k)
    std::memcpy(b.data + k * (byColumns ? b.column : b.row), result + k * inner,
                size_t(inner) * sizeof(T));
  evox_rt_free(context, result);
  evox_rt_free(context, full);
}

/// b[n][columns] = a^-1 b, for few n: by substitution, some columns at a time.
template <typename T>
void solveSmall(const Loops<T> &loops, const Triangle<T> &a, int64_t n,
                int64_t columns, Strided<T> b) {
  T factors[kMostSolved * kMostSolved]; // by columns
  alignas(64) T x[kMostSolved * kLanes<T>];
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i)
      factors[i + j * kMostSolved] = a(i, j);
  for (int64_t j = 0; j < columns; j += kLanes<T>) {
    int64_t some = atMost(kLanes<T>, columns - j);
    if (some < kLanes<T>)
      std::memset(x, 0, sizeof x);
    if (b.row == 1) {
      turn<T>(some, n, &b(0, j), b.column, x, kLanes<T>);
      loops.solveColumns(n, a.upper, factors, x);
      turn<T>(n, some, x, kLanes<T>, &b(0, j), b.column);
      continue;
    }
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(x + i * kLanes<T>, &b(i, j), size_t(some) * sizeof(T));
    loops.solveRows(n, a.upper, factors, x);
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(&b(i, j), x + i * kLanes<T>, size_t(some) * sizeof(T));
  }
}

template <typename T>
void solveAll(evox_ctx *ctx, const Loops<T> &loops, const Triangle<T> &a,
              int64_t n, int64_t columns, Strided<T> b) {
  if (n <= kMostSolved)
    return solveSmall(loops, a, n, columns, b);
  int64_t half = (n / 2 + kMostSolved - 1) / kMostSolved * kMostSolved;
  int64_t rest = n - half;
  Strided<T> top = b, bottom = b.at(half, 0);
  if (a.upper) {
    solveAll(ctx, loops, a.at(half), rest, columns, bottom);
    addProduct<T>(ctx, T(-1), a.a.at(0, half), bottom, top, half, rest,
                  columns);
    solveAll(ctx, loops, a, half, columns, top);
  } else {
    solveAll(ctx, loops, a, half, columns, top);
    addProduct<T>(ctx, T(-1), a.a.at(half, 0), top, bottom, rest, half,
                  columns);
    solveAll(ctx, loops, a.at(half), rest, columns, bottom);
  }
}

/// b[n][columns] = a^-1 b. A task does some columns.
template <typename T>
void trsm(const Triangle<T> &a, int64_t n, int64_t columns, Strided<T> b) {
  constexpr int64_t most = 128; // at any number of threads
  struct Job {
    evox_ctx *ctx;
    Loops<T> loops;
    Triangle<T> a;
    Strided<T> b;
    int64_t n, columns;
    static void run(void *arg, int64_t task) {
      const Job &job = *static_cast<Job *>(arg);
      int64_t first = task * most;
      solveAll<T>(job.ctx, job.loops, job.a, job.n,
                  atMost(most, job.columns - first), job.b.at(0, first));
    }
  } job{context, Loops<T>(processor()), a, b, n, columns};
  int64_t tasks = (columns + most - 1) / most;
  if (tasks > 1 && n * n * columns >= 1'000'000)
    return evox_rt_parallel(context, Job::run, &job, tasks);
  for (int64_t i = 0; i < tasks; ++i)
    Job::run(&job, i);
}

/// LAPACK's laswp, column by column: swaps row k of the `from` .. `to` with row
/// pivots[k], or the other way round.
template <typename T>
void swapRows(int64_t n, T *a, int64_t lda, int64_t from, int64_t to,
              const int *pivots, int64_t step) {
  if (step == 0 || n <= 0 || to < from)
    return;
  struct Job {
    T *a;
    int64_t lda, n, count, first, step, perTask;
    const int *pivots;
    bool backward;
    int64_t row;
    static void run(void *arg, int64_t task) {
      const Job &job = *static_cast<Job *>(arg);
      int64_t j = task * job.perTask, end = atMost(j + job.perTask, job.n);
      for (; j < end; ++j) {
        T *column = job.a + j * job.lda;
        for (int64_t i = 0; i < job.count; ++i) {
          int64_t k = job.backward ? job.count - 1 - i : i;
          int64_t other = job.pivots[job.first + k * job.step] - 1;
          T kept = column[job.row + k];
          column[job.row + k] = column[other];
          column[other] = kept;
        }
      }
    }
  };
  // Where the pivot of row `from` is: steps back start at the other end.
  int64_t count = to - from + 1;
  int64_t size = step < 0 ? -step : step;
  Job job{a, lda, n, count, from - 1, size, n, pivots, step < 0, from - 1};
  if (n * count < 50'000)
    return Job::run(&job, 0);
  job.perTask = 64;
  evox_rt_parallel(context, Job::run, &job, (n + 63) / 64);
}

} // namespace

//===-- names -------------------------------------------------------------===//

#define EVOX_BLAS(T, p)                                                        \
  void p##axpy_(const int *n, const T *alpha, const T *x, const int *xs, T *y, \
                const int *ys) {                                               \
    axpy<T>(*n, *alpha, x, *xs, y, *ys);                                       \
  }                                                                            \
  void p##copy_(const int *n, const T *x, const int *xs, T *y,                 \
                const int *ys) {                                               \
    x = Contiguous<const T>::start(x, *n, *xs);                                \
    y = Contiguous<T>::start(y, *n, *ys);                                      \
    for (int64_t i = 0; i < *n; ++i)                                           \
      y[i * *ys] = x[i * *xs];                                                 \
  }                                                                            \
  T p##dot_(const int *n, const T *x, const int *xs, const T *y,               \
            const int *ys) {                                                   \
    return dot<T>(*n, x, *xs, y, *ys);                                         \
  }                                                                            \
  T p##nrm2_(const int *n, const T *x, const int *xs) {                        \
    return norm<T>(*n, x, *xs);                                                \
  }                                                                            \
  void p##rot_(const int *n, T *x, const int *xs, T *y, const int *ys,         \
               const T *c, const T *s) {                                       \
    if (*xs == 1 && *ys == 1)                                                  \
      return rotate<T>(*n, x, y, *c, *s);                                      \
    x = Contiguous<T>::start(x, *n, *xs);                                      \
    y = Contiguous<T>::start(y, *n, *ys);                                      \
    for (int64_t i = 0; i < *n; ++i)                                           \
      rotate<T>(1, x + i * *xs, y + i * *ys, *c, *s);                          \
  }                                                                            \
  void p##scal_(const int *n, const T *alpha, T *x, const int *xs) {           \
    if (*xs > 0)                                                               \
      for (int64_t i = 0; i < *n; ++i)                                         \
        x[i * *xs] *= *alpha;                                                  \
  }                                                                            \
  void p##swap_(const int *n, T *x, const int *xs, T *y, const int *ys) {      \
    x = Contiguous<T>::start(x, *n, *xs);                                      \
    y = Contiguous<T>::start(y, *n, *ys);                                      \
    for (int64_t i = 0; i < *n; ++i) {                                         \
      T kept = x[i * *xs];                                                     \
      x[i * *xs] = y[i * *ys];                                                 \
      y[i * *ys] = kept;                                                       \
    }                                                                          \
  }                                                                            \
  int i##p##amax_(const int *n, const T *x, const int *xs) {                   \
    return largest<T>(*n, x, *xs);                                             \
  }                                                                            \
  void p##lasr_(const char *side, const char *pivot, const char *direct,       \
                const int *m, const int *n, const T *c, const T *s, T *a,      \
                const int *lda) {                                              \
    rotateAll<T>(is(side, 'R'), *pivot, is(direct, 'B'), *m, *n, c, s, a,      \
                 *lda);                                                        \
  }                                                                            \
  void p##gemv_(const char *trans, const int *m, const int *n, const T *alpha, \
                const T *a, const int *lda, const T *x, const int *xs,         \
                const T *beta, T *y, const int *ys) {                          \
    gemv<T>(!is(trans, 'N'), *m, *n, *alpha, a, *lda, x, *xs, *beta, y, *ys);  \
  }                                                                            \
  void p##symv_(const char *uplo, const int *n, const T *alpha, const T *a,    \
                const int *lda, const T *x, const int *xs, const T *beta,      \
                T *y, const int *ys) {                                         \
    symv<T>(is(uplo, 'U'), *n, *alpha, a, *lda, x, *xs, *beta, y, *ys);        \
  }                                                                            \
  void p##ger_(const int *m, const int *n, const T *alpha, const T *x,         \
               const int *xs, const T *y, const int *ys, T *a,                 \
               const int *lda) {                                               \
    ger<T>(*m, *n, *alpha, x, *xs, y, *ys, a, *lda);                           \
  }                                                                            \
  void p##syr2_(const char *uplo, const int *n, const T *alpha, const T *x,    \
                const int *xs, const T *y, const int *ys, T *a,                \
                const int *lda) {                                              \
    syr2<T>(is(uplo, 'U'), *n, *alpha, x, *xs, y, *ys, a, *lda);               \
  }                                                                            \
  void p##trmv_(const char *uplo, const char *trans, const char *diag,         \
                const int *n, const T *a, const int *lda, T *x,                \
                const int *xs) {                                               \
    trmv<T>({uplo, trans, diag, a, *lda}, *n, x, *xs);                         \
  }                                                                            \
  void p##gemm_(const char *ta, const char *tb, const int *m, const int *n,    \
                const int *k, const T *alpha, const T *a, const int *lda,      \
                const T *b, const int *ldb, const T *beta, T *c,               \
                const int *ldc) {                                              \
    gemm<T>(!is(ta, 'N'), !is(tb, 'N'), *m, *n, *k, *alpha, a, *lda, b, *ldb,  \
            *beta, c, *ldc);                                                   \
  }                                                                            \
  void p##syrk_(const char *uplo, const char *trans, const int *n,             \
                const int *k, const T *alpha, const T *a, const int *lda,      \
                const T *beta, T *c, const int *ldc) {                         \
    syrk<T>(is(uplo, 'U'), !is(trans, 'N'), *n, *k, *alpha, a, *lda, *beta, c, \
            *ldc);                                                             \
  }                                                                            \
  void p##syr2k_(const char *uplo, const char *trans, const int *n,            \
                 const int *k, const T *alpha, const T *a, const int *lda,     \
                 const T *b, const int *ldb, const T *beta, T *c,              \
                 const int *ldc) {                                             \
    syr2k<T>(is(uplo, 'U'), !is(trans, 'N'), *n, *k, *alpha, a, *lda, b, *ldb, \
             *beta, c, *ldc);                                                  \
  }                                                                            \
  void p##trmm_(const char *side, const char *uplo, const char *trans,         \
                const char *diag, const int *m, const int *n, const T *alpha,  \
                const T *a, const int *lda, T *b, const int *ldb) {            \
    Triangle<T> t(uplo, trans, diag, a, *lda);                                 \
    Strided<T> to{b, 1, *ldb};                                                 \
    if (is(side, 'L'))                                                         \
      trmm<T>(t, *m, *n, *alpha, to);                                          \
    else /* b a = (a' b')' */                                                  \
      trmm<T>(t.transposed(), *n, *m, *alpha, to.transposed());                \
  }                                                                            \
  void p##trsm_(const char *side, const char *uplo, const char *trans,         \
                const char *diag, const int *m, const int *n, const T *alpha,  \
                const T *a, const int *lda, T *b, const int *ldb) {            \
    Triangle<T> t(uplo, trans, diag, a, *lda);                                 \
    Strided<T> to{b, 1, *ldb};                                                 \
    if (*m <= 0 || *n <= 0)                                                    \
      return;                                                                  \
    if (*alpha != 1)                                                           \
      for (int64_t j = 0; j < *n; ++j)                                         \
        scale<T>(*m, *alpha, &to(0, j), 1);                                    \
    if (is(side, 'L'))                                                         \
      trsm<T>(t, *m, *n, to);                                                  \
    else                                                                       \
      trsm<T>(t.transposed(), *n, *m, to.transposed());                        \
  }                                                                            \
  void p##laswp_(const int *n, T *a, const int *lda, const int *from,          \
                 const int *to, const int *pivots, const int *step) {          \
    swapRows<T>(*n, a, *lda, *from, *to, pivots, *step);                       \
  }

extern "C" {
EVOX_BLAS(float, s)
EVOX_BLAS(double, d)
#undef EVOX_BLAS

/// LAPACK says here that a caller has passed a wrong argument.
void xerbla_(const char *name, const int *argument, size_t size) {
  int length = int(size < 16 ? size : 16);
  fail(instanceOf(context), EVOX_ERROR_PROGRAM,
       "LAPACK: argument %d of %.*s is wrong", *argument, length, name);
}

/// What LAPACK needs of Fortran's run-time library, so that it isn't linked.
void _gfortran_concat_string(size_t size, char *to, size_t leftSize,
                             const char *left, size_t rightSize,
                             const char *right) {
  size_t n = leftSize < size ? leftSize : size;
  std::memcpy(to, left, n);
  size_t m = rightSize < size - n ? rightSize : size - n;
  std::memcpy(to + n, right, m);
  std::memset(to + n + m, ' ', size - n - m);
}
}
