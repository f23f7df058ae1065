//===- KernelsLapack.cpp - Dense factorisations ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that needs LAPACK (32-bit integers), and its archive member is
// linked only into programs that use a factorisation. What LAPACK itself calls
// is in KernelsBlas.cpp. LAPACK's matrices are stored by column, so each one is
// copied there and back.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "BlasLoops.h"
#include "Runtime.h"

#include <cstring>
#include <limits>
#include <type_traits>

using namespace evox::rt;

//===-- LAPACK ------------------------------------------------------------===//

// Fortran adds the lengths of character arguments at the end.
extern "C" {
#define EVOX_LAPACK(T, p)                                                      \
  void p##potrf_(const char *, const int *, T *, const int *, int *, size_t);  \
  void p##sytrd_(const char *, const int *, T *, const int *, T *, T *, T *,   \
                 T *, const int *, int *, size_t);                             \
  void p##stedc_(const char *, const int *, T *, T *, T *, const int *, T *,   \
                 const int *, int *, const int *, int *, size_t);              \
  void p##ormtr_(const char *, const char *, const char *, const int *,        \
                 const int *, const T *, const int *, const T *, T *,          \
                 const int *, T *, const int *, int *, size_t, size_t,         \
                 size_t);                                                      \
  void p##geqrf_(const int *, const int *, T *, const int *, T *, T *,         \
                 const int *, int *);                                          \
  void p##orgqr_(const int *, const int *, const int *, T *, const int *,      \
                 const T *, T *, const int *, int *);                          \
  void p##gesdd_(const char *, const int *, const int *, T *, const int *,     \
                 T *, T *, const int *, T *, const int *, T *, const int *,    \
                 int *, int *, size_t);                                        \
  void p##getrf_(const int *, const int *, T *, const int *, int *, int *);    \
  void p##gesv_(const int *, const int *, T *, const int *, int *, T *,        \
                const int *, int *);                                           \
  void p##trtrs_(const char *, const char *, const char *, const int *,        \
                 const int *, const T *, const int *, T *, const int *, int *, \
                 size_t, size_t, size_t);                                      \
  void p##gelsy_(const int *, const int *, const int *, T *, const int *, T *, \
                 const int *, int *, const T *, int *, T *, const int *,       \
                 int *);
EVOX_LAPACK(float, s)
EVOX_LAPACK(double, d)
#undef EVOX_LAPACK
}

namespace {

#define EVOX_PICK(name)                                                        \
  template <typename T, typename... Args> void name(Args... args) {            \
    if constexpr (std::is_same_v<T, float>)                                    \
      s##name##_(args...);                                                     \
    else                                                                       \
      d##name##_(args...);                                                     \
  }
EVOX_PICK(potrf)
EVOX_PICK(sytrd)
EVOX_PICK(stedc)
EVOX_PICK(ormtr)
EVOX_PICK(geqrf)
EVOX_PICK(orgqr)
EVOX_PICK(gesdd)
EVOX_PICK(getrf)
EVOX_PICK(gesv)
EVOX_PICK(trtrs)
EVOX_PICK(gelsy)
#undef EVOX_PICK

//===-- matrices ----------------------------------------------------------===//

int atLeast1(int n) { return n > 1 ? n : 1; }
int least(int a, int b) { return a < b ? a : b; }
int most(int a, int b) { return a > b ? a : b; }

// Memory for one batch of matrices, given back together at the end.
struct Scratch {
  evox_ctx *ctx;
  void *blocks[12];
  int n = 0;
  explicit Scratch(evox_ctx *ctx) : ctx(ctx) {}
  template <typename T> T *make(int64_t count) {
    void *data = evox_rt_alloc(ctx, count * int64_t(sizeof(T)));
    blocks[n++] = data;
    return static_cast<T *>(data);
  }
  void release() {
    while (n)
      evox_rt_free(ctx, blocks[--n]);
  }
};

/// to[j][i] = from[i][j] for i < m, j < n. A task does some rows.
template <typename T>
void turnShared(evox_ctx *ctx, int64_t m, int64_t n, const T *from,
                int64_t fromStride, T *to, int64_t toStride) {
  constexpr int64_t most = 64;
  struct Job {
    int64_t m, n, fromStride, toStride;
    const T *from;
    T *to;
    static void run(void *arg, int64_t task) {
      const Job &job = *static_cast<Job *>(arg);
      int64_t first = task * most;
      turn<T>(atMost(most, job.m - first), job.n,
              job.from + first * job.fromStride, job.fromStride, job.to + first,
              job.toStride);
    }
  };
  if (m * n < 40'000)
    return turn<T>(m, n, from, fromStride, to, toStride);
  Job job{m, n, fromStride, toStride, from, to};
  evox_rt_parallel(ctx, Job::run, &job, (m + most - 1) / most);
}

// Matrix number `index` of a batch.
struct Matrix {
  evox_ctx *ctx;
  unsigned char *data;
  int rows, columns;
  int64_t rowStride, columnStride;

  Matrix(evox_ctx *ctx, const evox_view &view, int64_t index) : ctx(ctx) {
    int32_t r = view.rank - 2;
    if (view.shape[r] > INT32_MAX || view.shape[r + 1] > INT32_MAX)
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
           "LAPACK: a matrix of %lld x %lld is too large",
           static_cast<long long>(view.shape[r]),
           static_cast<long long>(view.shape[r + 1]));
    rows = int(view.shape[r]);
    columns = int(view.shape[r + 1]);
    rowStride = view.strides[r];
    columnStride = view.strides[r + 1];
    int64_t offset = 0;
    for (int32_t d = r; d-- > 0;) {
      offset += index % view.shape[d] * view.strides[d];
      index /= view.shape[d];
    }
    data = static_cast<unsigned char *>(view.data);
    if (data) // without elements there may be no memory
      data += offset * sizeOf(view.dtype);
  }

  template <typename T> T &at(int64_t i, int64_t j) const {
    return reinterpret_cast<T *>(data)[i * rowStride + j * columnStride];
  }
  /// To memory by columns, of `ld` rows.
  template <typename T> void load(T *to, int64_t ld) const {
    const T *from = reinterpret_cast<const T *>(data);
    if (columnStride == 1)
      return turnShared<T>(ctx, rows, columns, from, rowStride, to, ld);
    for (int64_t j = 0; j < columns; ++j)
      if (rowStride == 1)
        std::memcpy(to + j * ld, from + j * columnStride,
                    size_t(rows) * sizeof(T));
      else
        for (int64_t i = 0; i < rows; ++i)
          to[i + j * ld] = at<T>(i, j);
  }
  template <typename T> void store(const T *from, int64_t ld) const {
    T *to = reinterpret_cast<T *>(data);
    if (columnStride == 1)
      return turnShared<T>(ctx, columns, rows, from, ld, to, rowStride);
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i)
        at<T>(i, j) = from[i + j * ld];
  }
  template <typename T> void fill(T value, T diagonal) const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        at<T>(i, j) = i == j ? diagonal : value;
  }
};

int64_t batchOf(const evox_view &view) {
  int64_t n = 1;
  for (int32_t d = 0; d < view.rank - 2; ++d)
    n *= view.shape[d];
  return n;
}

/// Row `index` of `n` elements of a contiguous output.
template <typename T>
T *rowOf(const evox_view &view, int64_t index, int64_t n) {
  return static_cast<T *>(view.data) + index * n;
}

void setInfo(const evox_view *info, int64_t index, int value) {
  static_cast<int32_t *>(info->data)[index] = value;
}

/// The matrices of a batch; a task is some of them.
template <typename F> struct Batch {
  evox_ctx *ctx;
  int32_t dtype;
  int64_t n, perTask;
  const F &f;
  static void run(void *arg, int64_t task) {
    const Batch &job = *static_cast<Batch *>(arg);
    setBlasContext(job.ctx);
    int64_t end = atMost((task + 1) * job.perTask, job.n);
    for (int64_t i = task * job.perTask; i < end; ++i)
      if (job.dtype == EVOX_FLOAT32)
        job.f(i, float());
      else
        job.f(i, double());
  }
};

template <typename F>
void forEachMatrix(evox_ctx *ctx, const evox_view *view, F f) {
  if (view->dtype != EVOX_FLOAT32 && view->dtype != EVOX_FLOAT64)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "LAPACK: expected float32 or float64, got %s", nameOf(view->dtype));
  int64_t n = batchOf(*view), threads = instanceOf(ctx)->threads;
  int64_t elements = view->shape[view->rank - 2] * view->shape[view->rank - 1];
  Batch<F> job{ctx, view->dtype, n, n, f};
  // A factorisation takes some 10 ns for each element and more. A single
  // matrix may use threads for itself.
  bool shared = n > 1 && threads > 1 && n * (elements + 8) >= 1'500;
  if (!shared)
    return Batch<F>::run(&job, 0);
  int64_t share = (n + 8 * threads - 1) / (8 * threads);
  job.perTask = elements < 1'000 ? share : 1;
  evox_rt_parallel(ctx, Batch<F>::run, &job,
                   (n + job.perTask - 1) / job.perTask);
}

/// Asks `call(work, lwork)` how much memory it wants, then calls it with it.
template <typename T, typename F> void withWork(Scratch &scratch, F call) {
  T size = 0;
  call(&size, -1);
  // float does not hold every integer; LAPACK may round down.
  double wanted = double(size) * (1 + std::numeric_limits<T>::epsilon()) + 1;
  int n = wanted < double(INT32_MAX) ? int(wanted) : INT32_MAX;
  call(scratch.make<T>(n), n);
}

} // namespace

//===-- the kernels -------------------------------------------------------===//

extern "C" void evox_k_cholesky(evox_ctx *ctx, const evox_view *in,
                                const evox_view *factor, const evox_view *info,
                                int64_t upper) {
  forEachMatrix(ctx, in, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix a(ctx, *in, index), l(ctx, *factor, index);
    Scratch scratch(ctx);
    int n = a.rows, ld = atLeast1(n), rc = 0;
    T *data = scratch.make<T>(int64_t(ld) * n);
    a.load(data, ld);
    if (n)
      potrf<T>(upper ? "U" : "L", &n, data, &ld, &rc, size_t(1));
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < n; ++i)
        if (upper ? i > j : i < j)
          data[i + j * ld] = 0;
    l.store(data, ld);
    setInfo(info, index, rc);
    scratch.release();
  });
}

namespace {

/// The greatest magnitude in a triangle, NaN where there is one.
template <typename T>
T largestOf(const char *half, int n, const T *a, int64_t ld) {
  constexpr int lanes = 16;
  T most[lanes] = {};
  bool isNan = false;
  for (int64_t j = 0; j < n; ++j) {
    int64_t i = *half == 'U' ? 0 : j, last = *half == 'U' ? j + 1 : n;
    const T *column = a + j * ld;
    for (; i + lanes <= last; i += lanes)
      for (int l = 0; l < lanes; ++l) {
        T size = __builtin_fabs(column[i + l]);
        most[l] = size > most[l] ? size : most[l];
        isNan |= size != size;
      }
    for (; i < last; ++i) {
      T size = __builtin_fabs(column[i]);
      most[0] = size > most[0] ? size : most[0];
      isNan |= size != size;
    }
  }
  for (int l = 1; l < lanes; ++l)
    most[0] = most[l] > most[0] ? most[l] : most[0];
  return isNan ? std::numeric_limits<T>::quiet_NaN() : most[0];
}

/// LAPACK's syevd: eigenvalues of a symmetric matrix, of which it reads half,
/// and to `z` its vectors. The matrix is scaled where squares would overflow.
template <typename T>
int eigenvectors(Scratch &scratch, const char *half, int n, T *a, int ld,
                 T *values, T *z) {
  int rc = 0;
  constexpr size_t one = 1;
  if (n == 1) {
    values[0] = a[0];
    z[0] = 1;
    return 0;
  }
  using Limits = std::numeric_limits<T>;
  T least = __builtin_sqrt(Limits::min() / Limits::epsilon());
  T largest = largestOf(half, n, a, ld), scale = 1;
  if (largest > 0 && largest < least)
    scale = least / largest;
  else if (largest > 1 / least)
    scale = 1 / least / largest;
  if (scale != 1)
    for (int64_t i = 0; i < int64_t(ld) * n; ++i)
      a[i] *= scale;
  T *e = scratch.make<T>(n), *tau = scratch.make<T>(n);
  // What stedc asks for in its manual; the others, blocks of up to 64 columns.
  int64_t need = 1 + 4 * int64_t(n) + int64_t(n) * n;
  if (*half != 'L' && need < 64 * int64_t(n) + 8192)
    need = 64 * int64_t(n) + 8192;
  int lwork = need < INT32_MAX ? int(need) : INT32_MAX, isize = 3 + 5 * n;
  T *work = scratch.make<T>(lwork);
  int *iwork = scratch.make<int>(isize);
  if (*half == 'L')
    tridiagonalize<T>(n, a, ld, values, e, tau);
  else
    sytrd<T>(half, &n, a, &ld, values, e, tau, work, &lwork, &rc, one);
  stedc<T>("I", &n, values, e, z, &n, work, &lwork, iwork, &isize, &rc, one);
  if (rc == 0) {
    int done = 0;
    if (*half == 'L')
      applyReflectors<T>(n - 1, n, n - 1, a + 1, ld, tau, z + 1, n);
    else
      ormtr<T>("L", half, "N", &n, &n, a, &ld, tau, z, &n, work, &lwork, &done,
               one, one, one);
  }
  if (scale != 1)
    for (int i = 0; i < (rc ? rc - 1 : n) && i < n; ++i)
      values[i] /= scale;
  return rc;
}

} // namespace

extern "C" void evox_k_eigh(evox_ctx *ctx, const evox_view *in,
                            const evox_view *w, const evox_view *v,
                            const evox_view *info, int64_t upper) {
  forEachMatrix(ctx, in, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix a(ctx, *in, index), vectors(ctx, *v, index);
    Scratch scratch(ctx);
    int n = a.rows, ld = atLeast1(n), rc = 0;
    if (n) {
      T *data = scratch.make<T>(int64_t(ld) * n);
      T *z = scratch.make<T>(int64_t(n) * n);
      a.load(data, ld);
      rc = eigenvectors<T>(scratch, upper ? "U" : "L", n, data, ld,
                           rowOf<T>(*w, index, n), z);
      vectors.store(z, n);
    }
    setInfo(info, index, rc);
    scratch.release();
  });
}

extern "C" void evox_k_qr(evox_ctx *ctx, const evox_view *in,
                          const evox_view *q, const evox_view *r) {
  forEachMatrix(ctx, in, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix a(ctx, *in, index), qm(ctx, *q, index), rm(ctx, *r, index);
    int m = a.rows, n = a.columns, k = least(m, n), rc = 0;
    int columns = qm.columns, ld = atLeast1(m);
    if (k == 0) {
      qm.fill<T>(0, 1);
      rm.fill<T>(0, 0);
      return;
    }
    Scratch scratch(ctx);
    T *data = scratch.make<T>(int64_t(ld) * most(n, columns));
    T *tau = scratch.make<T>(k);
    a.load(data, ld);
    withWork<T>(scratch, [&](T *work, int lwork) {
      geqrf<T>(&m, &n, data, &ld, tau, work, &lwork, &rc);
    });
    for (int64_t i = 0; i < rm.rows; ++i)
      for (int64_t j = 0; j < n; ++j)
        rm.at<T>(i, j) = i <= j ? data[i + j * ld] : T(0);
    withWork<T>(scratch, [&](T *work, int lwork) {
      orgqr<T>(&m, &columns, &k, data, &ld, tau, work, &lwork, &rc);
    });
    qm.store(data, ld);
    scratch.release();
  });
}

extern "C" void evox_k_svd(evox_ctx *ctx, const evox_view *in,
                           const evox_view *u, const evox_view *s,
                           const evox_view *vh, const evox_view *info) {
  forEachMatrix(ctx, in, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix a(ctx, *in, index), um(ctx, *u, index), vm(ctx, *vh, index);
    int m = a.rows, n = a.columns, k = least(m, n), rc = 0;
    if (k == 0) {
      um.fill<T>(0, 1);
      vm.fill<T>(0, 1);
      setInfo(info, index, 0);
      return;
    }
    bool full = um.columns == m && vm.rows == n;
    Scratch scratch(ctx);
    int lda = atLeast1(m), ldu = atLeast1(m), ldv = atLeast1(full ? n : k);
    T *data = scratch.make<T>(int64_t(lda) * n);
    T *left = scratch.make<T>(int64_t(ldu) * (full ? m : k));
    T *right = scratch.make<T>(int64_t(ldv) * n);
    int *iwork = scratch.make<int>(8 * int64_t(k));
    a.load(data, lda);
    withWork<T>(scratch, [&](T *work, int lwork) {
      gesdd<T>(full ? "A" : "S", &m, &n, data, &lda, rowOf<T>(*s, index, k),
               left, &ldu, right, &ldv, work, &lwork, iwork, &rc, size_t(1));
    });
    um.store(left, ldu);
    vm.store(right, ldv);
    setInfo(info, index, rc);
    scratch.release();
  });
}

extern "C" void evox_k_lu(evox_ctx *ctx, const evox_view *in,
                          const evox_view *lu, const evox_view *pivots,
                          const evox_view *info) {
  forEachMatrix(ctx, in, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix a(ctx, *in, index), out(ctx, *lu, index);
    int m = a.rows, n = a.columns, ld = atLeast1(m), rc = 0;
    Scratch scratch(ctx);
    T *data = scratch.make<T>(int64_t(ld) * n);
    a.load(data, ld);
    if (least(m, n))
      getrf<T>(&m, &n, data, &ld, rowOf<int>(*pivots, index, least(m, n)), &rc);
    out.store(data, ld);
    setInfo(info, index, rc);
    scratch.release();
  });
}

extern "C" void evox_k_solve(evox_ctx *ctx, const evox_view *a,
                             const evox_view *b, const evox_view *x,
                             const evox_view *info) {
  forEachMatrix(ctx, a, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix am(ctx, *a, index), bm(ctx, *b, index), xm(ctx, *x, index);
    int n = am.rows, k = bm.columns, ld = atLeast1(n), rc = 0;
    Scratch scratch(ctx);
    T *data = scratch.make<T>(int64_t(ld) * n);
    T *right = scratch.make<T>(int64_t(ld) * k);
    int *pivots = scratch.make<int>(n);
    am.load(data, ld);
    bm.load(right, ld);
    if (n)
      gesv<T>(&n, &k, data, &ld, pivots, right, &ld, &rc);
    xm.store(right, ld);
    setInfo(info, index, rc);
    scratch.release();
  });
}

extern "C" void evox_k_solve_triangular(evox_ctx *ctx, const evox_view *a,
                                        const evox_view *b, const evox_view *x,
                                        int64_t upper, int64_t transposed,
                                        int64_t unit) {
  forEachMatrix(ctx, a, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix am(ctx, *a, index), bm(ctx, *b, index), xm(ctx, *x, index);
    int n = am.rows, k = bm.columns, ld = atLeast1(n), rc = 0;
    if (!n || !k)
      return;
    Scratch scratch(ctx);
    T *data = scratch.make<T>(int64_t(ld) * n);
    T *right = scratch.make<T>(int64_t(ld) * k);
    am.load(data, ld);
    bm.load(right, ld);
    trtrs<T>(upper ? "U" : "L", transposed ? "T" : "N", unit ? "U" : "N", &n,
             &k, data, &ld, right, &ld, &rc, size_t(1), size_t(1), size_t(1));
    if (rc > 0) {
      // A zero on the diagonal, with which trtrs does nothing. PyTorch divides
      // by it.
      bool backward = bool(upper) != bool(transposed);
      for (int64_t c = 0; c < k; ++c)
        for (int64_t step = 0; step < n; ++step) {
          int64_t i = backward ? n - 1 - step : step;
          T sum = right[i + c * ld];
          for (int64_t j = backward ? i + 1 : 0; j < (backward ? n : i); ++j)
            sum -=
                data[transposed ? j + i * ld : i + j * ld] * right[j + c * ld];
          right[i + c * ld] = unit ? sum : sum / data[i + i * ld];
        }
    }
    xm.store(right, ld);
    scratch.release();
  });
}

extern "C" void evox_k_lstsq(evox_ctx *ctx, const evox_view *a,
                             const evox_view *b, const evox_view *x,
                             const evox_view *rank, double rcond) {
  forEachMatrix(ctx, a, [&](int64_t index, auto zero) {
    using T = decltype(zero);
    Matrix am(ctx, *a, index), bm(ctx, *b, index), xm(ctx, *x, index);
    int m = am.rows, n = am.columns, k = bm.columns, rc = 0, found = 0;
    int64_t *ranks = static_cast<int64_t *>(rank->data);
    if (!m || !n || !k) {
      xm.fill<T>(0, 0);
      ranks[index] = 0;
      return;
    }
    // PyTorch's default.
    T tolerance = rcond >= 0
                      ? T(rcond)
                      : std::numeric_limits<T>::epsilon() * T(most(m, n));
    Scratch scratch(ctx);
    int ldb = most(m, n);
    T *data = scratch.make<T>(int64_t(m) * n);
    T *right = scratch.make<T>(int64_t(ldb) * k);
    int *columns = scratch.make<int>(n);
    std::memset(columns, 0, size_t(n) * sizeof(int));
    am.load(data, m);
    bm.load(right, ldb);
    withWork<T>(scratch, [&](T *work, int lwork) {
      gelsy<T>(&m, &n, &k, data, &m, right, &ldb, columns, &tolerance, &found,
               work, &lwork, &rc);
    });
    xm.store(right, ldb);
    ranks[index] = found;
    scratch.release();
  });
}
