//===- KernelsScan.cpp - Scans --------------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Element.h"
#include "Lanes.h"

#include <cmath>

using namespace evox::rt;

namespace {

// As evox::CumulativeKind.
enum Kind { Sum, Prod, Max, Min, LogSumExp };

// What PyTorch's CPU kernels sum up in; integers wrap around.
template <typename T> struct SumsOf {
  using Type = uint64_t;
};
template <> struct SumsOf<float> {
  using Type = double;
};
template <> struct SumsOf<double> {
  using Type = double;
};
template <> struct SumsOf<Half> {
  using Type = float;
};
template <> struct SumsOf<BFloat> {
  using Type = float;
};
template <typename T> using Sums = typename SumsOf<T>::Type;

template <typename S> S logAddExp(S x, S y) {
  S low = isNan(y) ? y : x < y ? x : y;
  S high = isNan(y) ? y : x < y ? y : x;
  if (isNan(x))
    low = high = x;
  if (low == high && !std::isfinite(low))
    return x;
  return std::log1p(std::exp(low - high)) + high;
}

/// Whether `in` has the next n of `left` lanes side by side.
bool areTogether(const evox_view &in, const Lanes &lanes, int64_t left,
                 int64_t n) {
  int32_t last = in.rank - 1;
  return left >= n && lanes.dim != last && in.strides[last] == 1 &&
         lanes.number() % in.shape[last] + n <= in.shape[last];
}

/// Some of them at once, as what is side by side comes from memory at once.
constexpr int64_t kMany = 64, kSome = 16;
template <int64_t N, typename T, typename S, typename F>
void scanTogether(const evox_view &in, T *out, Lanes &lanes, S start,
                  F combine) {
  const T *from = static_cast<const T *>(in.data) + lanes.offset;
  T *to = out + lanes.outOffset;
  S sums[N];
  for (S &sum : sums)
    sum = start;
  for (int64_t i = 0; i < lanes.size; ++i)
    for (int64_t k = 0; k < N; ++k) {
      sums[k] = combine(sums[k], from[i * lanes.stride + k]);
      to[i * lanes.outStride + k] = T(sums[k]);
    }
  for (int64_t k = 1; k < N; ++k)
    lanes.next();
}

template <typename T, typename S, typename F>
void scan(const evox_view &in, T *out, Lanes &lanes, int64_t count, S start,
          F combine) {
  for (int64_t lane = 0; lane < count; ++lane, lanes.next()) {
    if constexpr (!std::is_same_v<T, Bool> && sizeof(T) >= 4) {
      if (areTogether(in, lanes, count - lane, kMany)) {
        scanTogether<kMany>(in, out, lanes, start, combine);
        lane += kMany - 1;
        continue;
      }
      if (areTogether(in, lanes, count - lane, kSome)) {
        scanTogether<kSome>(in, out, lanes, start, combine);
        lane += kSome - 1;
        continue;
      }
    }
    const T *from = static_cast<const T *>(in.data) + lanes.offset;
    T *to = out + lanes.outOffset;
    S sum = start;
    // Each step needs the one before: no use in unrolling for ten types.
    _Pragma("clang loop unroll(disable) vectorize(disable)") for (int64_t i = 0;
                                                                  i <
                                                                  lanes.size;
                                                                  ++i) {
      sum = combine(sum, from[i * lanes.stride]);
      if constexpr (std::is_same_v<T, Bool>)
        to[i * lanes.outStride] = Bool(sum != 0);
      else
        to[i * lanes.outStride] = T(sum);
    }
  }
}

// The first element starts it, so that an integer type needs no least value.
template <typename T, typename Wins>
void extremes(const evox_view &in, T *out, Lanes &lanes, int64_t count,
              Wins wins) {
  for (int64_t lane = 0; lane < count; ++lane, lanes.next()) {
    const T *from = static_cast<const T *>(in.data) + lanes.offset;
    T *to = out + lanes.outOffset;
    _Pragma("clang loop unroll(disable) vectorize(disable)") for (int64_t i = 0,
                                                                  best = 0;
                                                                  i <
                                                                  lanes.size;
                                                                  ++i) {
      T x = from[i * lanes.stride], y = from[best * lanes.stride];
      if (isNan(x) || (!isNan(y) && wins(Opmath<T>(x), Opmath<T>(y))))
        best = i;
      to[i * lanes.outStride] = from[best * lanes.stride];
    }
  }
}

} // namespace

extern "C" void evox_k_cumulative(evox_ctx *ctx, const evox_view *in,
                                  const evox_view *out, int64_t kind,
                                  int64_t dim) {
  auto some = [&](Lanes &lanes, int64_t count) {
    bool known = dispatch(in->dtype, [&](auto tag) {
      using T = typename decltype(tag)::Type;
      using S = Sums<T>;
      T *to = static_cast<T *>(out->data);
      switch (kind) {
      case Sum:
        return scan<T>(*in, to, lanes, count, S(0),
                       [](S a, T b) { return S(a + S(b)); });
      case Prod:
        return scan<T>(*in, to, lanes, count, S(1),
                       [](S a, T b) { return S(a * S(b)); });
      case Max:
        return extremes<T>(*in, to, lanes, count,
                           [](auto x, auto y) { return x >= y; });
      case Min:
        return extremes<T>(*in, to, lanes, count,
                           [](auto x, auto y) { return x <= y; });
      case LogSumExp:
        if constexpr (isFloat<T>)
          return scan<T>(*in, to, lanes, count, S(-INFINITY),
                         [](S a, T b) { return logAddExp(S(b), a); });
        break;
      }
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
           "cumulative: no kind %lld of %s", static_cast<long long>(kind),
           nameOf(in->dtype));
    });
    if (!known)
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "cumulative: no scans of %s",
           nameOf(in->dtype));
  };
  // Reports what it does not know of a tensor without elements as well.
  if (countOf(*in) == 0) {
    Lanes none(*in, dim, in->rank ? in->shape[dim] : 1);
    return some(none, 0);
  }
  // Whole blocks of lanes to each task.
  int64_t n = in->rank ? in->shape[dim] : 1, least = 1 << 14;
  if (in->rank && dim + 1 < in->rank) {
    int64_t block = in->shape[in->rank - 1] < 4 * kMany ? kSome : kMany;
    least = least < n * block ? n * block : least;
  }
  forLanes(ctx, *in, dim, n, some, least);
}
