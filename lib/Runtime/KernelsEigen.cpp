//===- KernelsEigen.cpp - Eigenvectors by divide and conquer --------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// laed0, the part of LAPACK's symmetric eigensolver that tears a tridiagonal
// matrix into small ones and merges their eigenvectors, in place of LAPACK's
// own. It does what that does (J.J.M. Cuppen 1981; M. Gu, S.C. Eisenstat 1995)
// with laed2, which deflates, as it is. What differs: the roots of a merge are
// found side by side in the lanes of vectors, and roots, vectors, products and
// the merges of a level are shared by threads. A root's bits depend neither on
// its neighbours nor on threads.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "BlasLoops.h"
#include "Matmul.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace evox::rt;

extern "C" {
#define EVOX_LAPACK(T, p)                                                      \
  void p##steqr_(const char *, const int *, T *, T *, T *, const int *, T *,   \
                 int *, size_t);                                               \
  void p##laed2_(int *, const int *, const int *, T *, T *, const int *,       \
                 int *, T *, T *, T *, T *, T *, int *, int *, int *, int *,   \
                 int *);                                                       \
  void p##lamrg_(const int *, const int *, const T *, const int *,             \
                 const int *, int *);
EVOX_LAPACK(float, s)
EVOX_LAPACK(double, d)
#undef EVOX_LAPACK
}

namespace {

//===-- roots -------------------------------------------------------------===//

/// 1 / rho + sum of z[i]^2 / (d[i] - x) = 0, for ascending d: the eigenvalues
/// of diag(d) + rho z z'. Root j lies between d[j] and the next one, the last
/// no more than `range` above its d. It is base[j] + tau[j], where base is the
/// nearer d: d[i] - root is (d[i] - base) - tau to full accuracy.
template <typename T> struct Secular {
  int64_t k;
  const T *d, *squares; // of z
  T inverse;            // 1 / rho
  T range;              // rho |z|^2
  T *base, *tau;
};

template <typename T> EVOX_INLINE Vector<T> all(T x) { return x - Vector<T>{}; }
template <typename T> EVOX_INLINE Vector<T> magnitude(Vector<T> x) {
  return __builtin_elementwise_abs(x);
}

/// The roots in the lanes from `first` on, the last one again where there are
/// no more; false where one does not converge. A root is approached by the
/// zero of a function with two poles, those beside it, that has the values and
/// slopes of both sums, the poles below and those above ("middle way"); where
/// that leaves what encloses the root, by halving.
template <typename T>
EVOX_INLINE bool findRoots(const Secular<T> &p, int64_t first) {
  using V = Vector<T>;
  using Mask = decltype(V{} < V{});
  constexpr int lanes = kLanes<T>;
  constexpr T eps = std::numeric_limits<T>::epsilon() / 2;
  const int64_t k = p.k;
  V below, above, gap, square, nextSquare;
  Mask index, isLast;
  for (int l = 0; l < lanes; ++l) {
    int64_t j = atMost(first + l, k - 1);
    bool last = j == k - 1;
    below[l] = p.d[j];
    above[l] = last ? p.d[j] : p.d[j + 1];
    gap[l] = last ? p.range : p.d[j + 1] - p.d[j];
    square[l] = p.squares[j];
    nextSquare[l] = last ? T(0) : p.squares[j + 1];
    index[l] = decltype(index[l] + 0)(j - first);
    isLast[l] = last ? -1 : 0;
  }
  // Of these, which side a pole is on depends on the lane.
  int64_t end = atMost(first + lanes + 1, k);
  V half = gap * T(0.5), zero = V{};

  // The sign in the middle says which pole is nearer.
  V rest = all<T>(p.inverse);
  for (int64_t i = 0; i < first; ++i)
    rest += p.squares[i] / ((p.d[i] - below) - half);
  for (int64_t i = k - 1; i >= end; --i)
    rest += p.squares[i] / ((p.d[i] - below) - half);
  for (int64_t i = first; i < end; ++i) {
    auto at = decltype(index[0] + 0)(i - first);
    Mask own = (index == at) | (index + 1 == at);
    V term = p.squares[i] / ((p.d[i] - below) - half);
    rest += own ? zero : term;
  }
  V middle = rest - square / half + nextSquare / half;
  Mask positive = middle > zero, nearLower = positive | isLast;
  V base = nearLower ? below : above;
  V lower = isLast ? (positive ? zero : half) : (positive ? zero : -half);
  V upper = isLast ? (positive ? half : gap) : (positive ? half : zero);
  V fromLower = zero - (nearLower ? zero : gap); // below - base
  V fromNext = nearLower ? gap : zero;           // the pole above - base

  // Where the two poles' own terms meet the others' sum of the middle.
  V own = square + nextSquare;
  V a = rest * gap + (nearLower ? own : -own);
  V b = (nearLower ? square : nextSquare) * gap;
  V inner = a * a - (nearLower ? T(4) * b * rest : T(-4) * b * rest);
  V root = __builtin_elementwise_sqrt(magnitude<T>(inner));
  V ifLower = a > zero ? T(2) * b / (a + root) : (a - root) / (T(2) * rest);
  V ifNext = a < zero ? T(2) * b / (a - root) : -(a + root) / (T(2) * rest);
  V tau = isLast ? square / rest : (nearLower ? ifLower : ifNext);
  tau = ((tau > lower) & (tau < upper)) ? tau : (lower + upper) * T(0.5);

  Mask done = isLast & 0;
  for (int round = 0;; ++round) {
    V sumBelow = zero, slopeBelow = zero, sumAbove = zero, slopeAbove = zero;
    for (int64_t i = 0; i < first; ++i) {
      V inverse = T(1) / ((p.d[i] - base) - tau);
      V term = p.squares[i] * inverse;
      sumBelow += term;
      slopeBelow = __builtin_elementwise_fma(term, inverse, slopeBelow);
    }
    // The nearest ones last: sums of growing terms are the more accurate.
    for (int64_t i = k - 1; i >= end; --i) {
      V inverse = T(1) / ((p.d[i] - base) - tau);
      V term = p.squares[i] * inverse;
      sumAbove += term;
      slopeAbove = __builtin_elementwise_fma(term, inverse, slopeAbove);
    }
    for (int64_t i = first; i < end; ++i) {
      Mask isBelow = index >= decltype(index[0] + 0)(i - first);
      V inverse = T(1) / ((p.d[i] - base) - tau);
      V term = p.squares[i] * inverse, slope = term * inverse;
      sumBelow += isBelow ? term : zero;
      slopeBelow += isBelow ? slope : zero;
      sumAbove += isBelow ? zero : term;
      slopeAbove += isBelow ? zero : slope;
    }
    V value = (p.inverse + sumBelow) + sumAbove;
    V slope = slopeBelow + slopeAbove;
    V error =
        T(8) * (sumAbove - sumBelow) + p.inverse + magnitude<T>(tau) * slope;
    done |= magnitude<T>(value) <= eps * error;
    lower = value < zero ? tau : lower;
    upper = value > zero ? tau : upper;
    V toLower = fromLower - tau, toNext = fromNext - tau;
    V c = value - toLower * slopeBelow - toNext * slopeAbove;
    V a = (toLower + toNext) * value - toLower * toNext * slope;
    V b = toLower * toNext * value;
    V root = __builtin_elementwise_sqrt(magnitude<T>(a * a - T(4) * b * c));
    V step = a > zero ? T(2) * b / (a + root) : (a - root) / (T(2) * c);
    V lastStep = value * toLower / (value - toLower * slopeBelow);
    step = isLast ? lastStep : step;
    step = value * step < zero ? step : -value / slope;
    V next = tau + step;
    next = ((next > lower) & (next < upper)) ? next : (lower + upper) * T(0.5);
    V change = magnitude<T>(next - tau);
    Mask settled = change <= T(2) * eps * magnitude<T>(tau);
    tau = done ? tau : next;
    done |= settled;
    bool ready = true;
    for (int l = 0; l < lanes; ++l)
      ready &= done[l] != 0;
    if (ready)
      break;
    if (round == 200)
      return false;
  }
  for (int l = 0; l < lanes && first + l < k; ++l) {
    p.base[first + l] = base[l];
    p.tau[first + l] = tau[l];
  }
  return true;
}

/// d - root j over d - d[j], for the lanes from `first` on of d; over 1 for the
/// one that is d[j].
template <typename T>
EVOX_INLINE void ratio(const Secular<T> &p, const Vector<T> &d, int64_t first,
                       int64_t j, Vector<T> &above, Vector<T> &below) {
  above = (d - p.base[j]) - p.tau[j];
  below = d - p.d[j];
  if (j >= first && j < first + kLanes<T>)
    below[j - first] = 1;
}

/// Sets those z for which the roots found are the exact ones (Gu, Eisenstat):
/// the vectors that belong to them are orthogonal. Signs are those of `signs`.
template <typename T>
EVOX_INLINE void exactWeights(const Secular<T> &p, int64_t first,
                              const T *signs, T *z) {
  using V = Vector<T>;
  constexpr int lanes = kLanes<T>;
  const int64_t k = p.k;
  int64_t some = atMost(k - first, lanes);
  T own[lanes] = {};
  std::memcpy(own, p.d + first, size_t(some) * sizeof(T));
  V d, product = all<T>(-1), above, below, moreAbove, moreBelow;
  load<T>(d, own);
  int64_t j = 0;
  for (; j + 2 <= k; j += 2) {
    ratio<T>(p, d, first, j, above, below);
    ratio<T>(p, d, first, j + 1, moreAbove, moreBelow);
    product *= (above * moreAbove) / (below * moreBelow);
  }
  if (j < k) {
    ratio<T>(p, d, first, j, above, below);
    product *= above / below;
  }
  V root = __builtin_elementwise_sqrt(magnitude<T>(product));
  for (int64_t l = 0; l < some; ++l)
    z[first + l] = std::copysign(root[l], signs[first + l]);
}

/// Vector number j, scaled to length 1, for d and z in the order wanted.
template <typename T>
EVOX_INLINE void makeVector(int64_t k, const T *d, const T *z, T base, T tau,
                            T *to) {
  using V = Vector<T>;
  constexpr int lanes = kLanes<T>;
  V sums = V{};
  typename MaskOf<T>::Type rest;
  maskOf<T>(rest, k % lanes);
  int64_t whole = k / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) {
    V poles, weights;
    load<T>(poles, d + i);
    load<T>(weights, z + i);
    V x = weights / ((poles - base) - tau);
    sums = __builtin_elementwise_fma(x, x, sums);
    store<T>(to + i, x);
  }
  if (whole < k) {
    V poles, weights, quotient;
    loadSome<T>(poles, d + whole, rest);
    loadSome<T>(weights, z + whole, rest);
    V x = weights / ((poles - base) - tau);
    storeSome<T>(to + whole, x, rest);
    loadSome<T>(quotient, to + whole, rest); // 0 where there is none
    sums = __builtin_elementwise_fma(quotient, quotient, sums);
  }
  T factor = T(1) / __builtin_elementwise_sqrt(sumOf<T>(sums));
  for (int64_t i = 0; i < k; ++i)
    to[i] *= factor;
}

#define EVOX_SECULAR(Name, T)                                                  \
  EVOX_INLINE void roots##Name##Impl(const Secular<T> &p, int64_t from,        \
                                     int64_t to, bool &found) {                \
    for (int64_t j = from; j < to; j += kLanes<T>)                             \
      found &= findRoots<T>(p, j);                                             \
  }                                                                            \
  EVOX_VARIANTS(roots##Name,                                                   \
                (const Secular<T> &p, int64_t from, int64_t to, bool &found),  \
                (p, from, to, found))                                          \
  EVOX_INLINE void weights##Name##Impl(const Secular<T> &p, int64_t from,      \
                                       int64_t to, const T *signs, T *z) {     \
    for (int64_t i = from; i < to; i += kLanes<T>)                             \
      exactWeights<T>(p, i, signs, z);                                         \
  }                                                                            \
  EVOX_VARIANTS(                                                               \
      weights##Name,                                                           \
      (const Secular<T> &p, int64_t from, int64_t to, const T *signs, T *z),   \
      (p, from, to, signs, z))                                                 \
  EVOX_INLINE void vectors##Name##Impl(const Secular<T> &p, const T *d,        \
                                       const T *z, int64_t from, int64_t to,   \
                                       T *vectors) {                           \
    for (int64_t j = from; j < to; ++j)                                        \
      makeVector<T>(p.k, d, z, p.base[j], p.tau[j], vectors + j * p.k);        \
  }                                                                            \
  EVOX_VARIANTS(vectors##Name,                                                 \
                (const Secular<T> &p, const T *d, const T *z, int64_t from,    \
                 int64_t to, T *vectors),                                      \
                (p, d, z, from, to, vectors))
EVOX_SECULAR(Float, float)
EVOX_SECULAR(Double, double)
#undef EVOX_SECULAR

//===-- merging -----------------------------------------------------------===//

/// Calls f(from, to) for parts of n whose sizes are multiples of `unit`, on
/// threads where it is worth it.
template <typename F>
void forParts(evox_ctx *ctx, int64_t n, int64_t unit, bool shared, const F &f) {
  struct Job {
    const F &f;
    int64_t n, size;
    static void run(void *arg, int64_t i) {
      const Job &job = *static_cast<Job *>(arg);
      job.f(i * job.size, atMost((i + 1) * job.size, job.n));
    }
  };
  int64_t threads = instanceOf(ctx)->threads;
  if (!shared || threads < 2)
    return f(int64_t(0), n);
  int64_t share = (n + 4 * threads - 1) / (4 * threads);
  Job job{f, n, (share + unit - 1) / unit * unit};
  evox_rt_parallel(ctx, Job::run, &job, (n + job.size - 1) / job.size);
}

template <typename T> T *make(evox_ctx *ctx, int64_t n) {
  return static_cast<T *>(evox_rt_alloc(ctx, n * int64_t(sizeof(T))));
}

/// LAPACK's laed3 with laed4: k eigenvalues to d, and q[n][k], where q2 and
/// the counts are those that laed2 leaves, `order` its permutation of rows.
template <typename T>
bool mergeVectors(evox_ctx *ctx, int64_t k, int64_t n, int64_t n1, T *d, T *q,
                  int64_t ldq, T rho, const T *poles, const T *q2,
                  const int *order, const int *counts, const T *z) {
  constexpr int64_t lanes = kLanes<T>;
  Isa isa = instanceOf(ctx)->generator.isa;
  bool shared = k >= 128;
  int64_t padded = (k + lanes - 1) / lanes * lanes;
  T *work = make<T>(ctx, 6 * padded + k * k), *squares = work;
  T *base = work + padded, *tau = base + padded, *weights = tau + padded;
  T *orderedPoles = weights + padded, *orderedWeights = orderedPoles + padded;
  T *vectors = orderedWeights + padded;
  T sum = 0;
  for (int64_t i = 0; i < k; ++i) {
    squares[i] = z[i] * z[i];
    sum += squares[i];
  }
  Secular<T> p{k, poles, squares, T(1) / rho, rho * sum, base, tau};
  bool found = true;
  if (k == 1) {
    base[0] = poles[0];
    tau[0] = p.range;
    vectors[0] = 1;
  } else {
    forParts(ctx, k, lanes, shared, [&](int64_t from, int64_t to) {
      bool all = true;
      if constexpr (sizeof(T) == 4)
        rootsFloat(isa)(p, from, to, all);
      else
        rootsDouble(isa)(p, from, to, all);
      if (!all)
        __atomic_store_n(&found, false, __ATOMIC_RELAXED);
    });
    if (!found) {
      evox_rt_free(ctx, work);
      return false;
    }
    forParts(ctx, k, lanes, shared, [&](int64_t from, int64_t to) {
      if constexpr (sizeof(T) == 4)
        weightsFloat(isa)(p, from, to, z, weights);
      else
        weightsDouble(isa)(p, from, to, z, weights);
    });
    for (int64_t i = 0; i < k; ++i) {
      orderedPoles[i] = poles[order[i] - 1];
      orderedWeights[i] = weights[order[i] - 1];
    }
    forParts(ctx, k, 1, shared, [&](int64_t from, int64_t to) {
      if constexpr (sizeof(T) == 4)
        vectorsFloat(isa)(p, orderedPoles, orderedWeights, from, to, vectors);
      else
        vectorsDouble(isa)(p, orderedPoles, orderedWeights, from, to, vectors);
    });
  }
  for (int64_t j = 0; j < k; ++j) {
    d[j] = base[j] + tau[j];
    std::memset(q + j * ldq, 0, size_t(n) * sizeof(T));
  }
  // Columns of q2 are zero below, dense, or zero above.
  int64_t top = counts[0] + counts[1], bottom = counts[1] + counts[2];
  int64_t n2 = n - n1;
  addProduct<T>(ctx, T(1), {q2, 1, n1}, {vectors, 1, k}, {q, 1, ldq}, n1, top,
                k);
  addProduct<T>(ctx, T(1), {q2 + n1 * top, 1, n2}, {vectors + counts[0], 1, k},
                {q + n1, 1, ldq}, n2, bottom, k);
  evox_rt_free(ctx, work);
  return true;
}

void deflate(int *k, const int *n, const int *n1, float *d, float *q,
             const int *ldq, int *sorted, float *rho, float *z, float *poles,
             float *w, float *q2, int *a, int *b, int *c, int *types,
             int *info) {
  slaed2_(k, n, n1, d, q, ldq, sorted, rho, z, poles, w, q2, a, b, c, types,
          info);
}
void deflate(int *k, const int *n, const int *n1, double *d, double *q,
             const int *ldq, int *sorted, double *rho, double *z, double *poles,
             double *w, double *q2, int *a, int *b, int *c, int *types,
             int *info) {
  dlaed2_(k, n, n1, d, q, ldq, sorted, rho, z, poles, w, q2, a, b, c, types,
          info);
}

/// LAPACK's laed1: two neighbouring matrices' eigenvalues d and vectors q
/// become those of both together with what joins them, rho.
template <typename T>
bool merge(evox_ctx *ctx, int n, int n1, T *d, T *q, int ldq, int *sorted,
           T rho, T *work, int *numbers) {
  T *z = work, *poles = z + n, *w = poles + n, *q2 = w + n;
  int *order = numbers, *types = order + 3 * int64_t(n), *columns = order + n;
  // The row above the cut and the one below it.
  for (int64_t i = 0; i < n; ++i)
    z[i] = q[(i < n1 ? n1 - 1 : n1) + i * ldq];
  int k = 0, info = 0;
  deflate(&k, &n, &n1, d, q, &ldq, sorted, &rho, z, poles, w, q2, order,
          columns, columns + n, types, &info);
  if (info)
    return false;
  if (!k) {
    for (int i = 0; i < n; ++i)
      sorted[i] = i + 1;
    return true;
  }
  if (!mergeVectors<T>(ctx, k, n, n1, d, q, ldq, rho, poles, q2, columns, types,
                       w))
    return false;
  int rest = n - k, up = 1, down = -1;
  if constexpr (sizeof(T) == 4)
    slamrg_(&k, &rest, d, &up, &down, sorted);
  else
    dlamrg_(&k, &rest, d, &up, &down, sorted);
  return true;
}

/// The small matrices that a tridiagonal one is torn into.
template <typename T> struct Pieces {
  evox_ctx *ctx;
  int n, ldq;
  T *d, *e, *q, *work; // work: n (n + 4)
  int *ends;           // of the pieces
  int *sorted, *numbers;
  int *results;

  int start(int64_t i) const { return i ? ends[i - 1] : 0; }
  T *workAt(int start) const { return work + int64_t(start) * (n + 4); }

  static void solve(void *arg, int64_t i) {
    Pieces &p = *static_cast<Pieces *>(arg);
    setBlasContext(p.ctx);
    int start = p.start(i), size = p.ends[i] - start, info = 0;
    T *q = p.q + start + int64_t(start) * p.ldq;
    if constexpr (sizeof(T) == 4)
      ssteqr_("I", &size, p.d + start, p.e + start, q, &p.ldq, p.workAt(start),
              &info, 1);
    else
      dsteqr_("I", &size, p.d + start, p.e + start, q, &p.ldq, p.workAt(start),
              &info, 1);
    p.results[i] = info;
    for (int j = 0; j < size; ++j)
      p.sorted[start + j] = j + 1;
  }
  /// Pieces 2 i and 2 i + 1.
  static void mergeTwo(void *arg, int64_t i) {
    Pieces &p = *static_cast<Pieces *>(arg);
    setBlasContext(p.ctx);
    int start = p.start(2 * i), cut = p.ends[2 * i];
    int size = p.ends[2 * i + 1] - start;
    bool ok =
        merge<T>(p.ctx, size, cut - start, p.d + start,
                 p.q + start + int64_t(start) * p.ldq, p.ldq, p.sorted + start,
                 p.e[cut - 1], p.workAt(start), p.numbers + 4 * int64_t(start));
    p.results[i] = ok ? 0 : 1;
  }
};

/// As LAPACK numbers it: the rows from which on it failed.
int failure(int start, int size, int n) {
  return (start + 1) * (n + 1) + start + size;
}

template <typename T>
int divideAndConquer(evox_ctx *ctx, int n, T *d, T *e, T *q, int ldq, T *work) {
  constexpr int most = 16; // rows of a piece, which QL takes
  int *numbers = make<int>(ctx, 7 * int64_t(n));
  Pieces<T> p{ctx,
              n,
              ldq,
              d,
              e,
              q,
              work,
              numbers,
              numbers + n,
              numbers + 2 * n,
              numbers + 6 * n};
  int count = 1, info = 0;
  p.ends[0] = n;
  for (; p.ends[count - 1] > most; count *= 2)
    for (int i = count - 1; i >= 0; --i) {
      int size = p.ends[i];
      p.ends[2 * i] = size / 2;
      p.ends[2 * i + 1] = (size + 1) / 2;
    }
  for (int i = 1; i < count; ++i)
    p.ends[i] += p.ends[i - 1];
  for (int i = 0; i + 1 < count; ++i) {
    int cut = p.ends[i];
    d[cut - 1] -= std::fabs(e[cut - 1]);
    d[cut] -= std::fabs(e[cut - 1]);
  }
  int threads = instanceOf(ctx)->threads;
  auto run = [&](void (*task)(void *, int64_t), int tasks, bool shared) {
    if (shared)
      evox_rt_parallel(ctx, task, &p, tasks);
    else
      for (int i = 0; i < tasks; ++i)
        task(&p, i);
  };
  run(Pieces<T>::solve, count, count >= 2 && n >= 64);
  for (int i = 0; i < count && !info; ++i)
    if (p.results[i])
      info = failure(p.start(i), p.ends[i] - p.start(i), n);
  for (; count > 1 && !info; count /= 2) {
    // With fewer merges than threads, each one is shared.
    run(Pieces<T>::mergeTwo, count / 2, count / 2 >= threads && n >= 64);
    for (int i = 0; i < count / 2; ++i) {
      int start = p.start(2 * i), size = p.ends[2 * i + 1] - start;
      if (p.results[i] && !info)
        info = failure(start, size, n);
    }
    for (int i = 0; i < count / 2; ++i)
      p.ends[i] = p.ends[2 * i + 1];
  }
  if (!info) {
    // In the order of the eigenvalues.
    T *values = work, *columns = work + n;
    for (int i = 0; i < n; ++i)
      values[i] = d[p.sorted[i] - 1];
    std::memcpy(d, values, size_t(n) * sizeof(T));
    size_t bytes = size_t(n) * sizeof(T);
    forParts(ctx, n, 1, n >= 256, [&](int64_t from, int64_t to) {
      for (int64_t j = from; j < to; ++j)
        std::memcpy(columns + j * n, q + int64_t(p.sorted[j] - 1) * ldq, bytes);
    });
    forParts(ctx, n, 1, n >= 256, [&](int64_t from, int64_t to) {
      for (int64_t j = from; j < to; ++j)
        std::memcpy(q + j * ldq, columns + j * n, bytes);
    });
  }
  evox_rt_free(ctx, numbers);
  return info;
}

} // namespace

/// Only what stedc asks for with "I": q becomes the tridiagonal matrix's own
/// vectors.
#define EVOX_LAED0(T, p)                                                       \
  extern "C" void p##laed0_(const int *, const int *, const int *n, T *d,      \
                            T *e, T *q, const int *ldq, T *, const int *,      \
                            T *work, int *, int *info) {                       \
    *info =                                                                    \
        *n ? divideAndConquer<T>(blasContext(), *n, d, e, q, *ldq, work) : 0;  \
  }
EVOX_LAED0(float, s)
EVOX_LAED0(double, d)
