//===- KernelsSort.cpp - Sort and top-k -----------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where PyTorch doesn't promise an order of equal elements, programs still
// depend on the one it gives: that of the std::sort, std::partial_sort and
// std::nth_element of libstdc++, which are the same templates here. Build this
// file with libstdc++'s headers (no code of the library is linked).
//
//===----------------------------------------------------------------------===//

#include "Element.h"
#include "Lanes.h"

#include <algorithm>
#include <utility>

using namespace evox::rt;

namespace {

template <typename A>
struct Less {
  bool operator()(const std::pair<A, int64_t> &x,
                  const std::pair<A, int64_t> &y) const {
    return (!isNan(x.first) && isNan(y.first)) || x.first < y.first;
  }
};
template <typename A>
struct Greater {
  bool operator()(const std::pair<A, int64_t> &x,
                  const std::pair<A, int64_t> &y) const {
    return (isNan(x.first) && !isNan(y.first)) || x.first > y.first;
  }
};

//===-- stable sorts -------------------------------------------------------===//

// Elements as unsigned numbers of the same order, equal where the elements
// are equal: -0 is 0, and there is one NaN, the greatest.
template <typename T>
auto keyOf(T x) {
  if constexpr (std::is_same_v<T, double>) {
    uint64_t u;
    x = x == 0 ? 0.0 : x;
    std::memcpy(&u, &x, 8);
    if (isNan(x))
      return ~uint64_t(0);
    return u >> 63 ? ~u : u | uint64_t(1) << 63;
  } else if constexpr (isFloat<T>) {
    float f = x;
    uint32_t u = f == 0 ? 0 : bitsOf(f);
    if (isNan(f))
      return ~uint32_t(0);
    return u >> 31 ? ~u : u | 0x80000000u;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return uint64_t(x) ^ uint64_t(1) << 63;
  } else {
    return uint32_t(int32_t(x)) ^ 0x80000000u;
  }
}

// Key and index in one number: all are different, so any sort is stable.
struct Narrow {
  uint64_t both;
  static constexpr int kFirstBit = 32, kBits = 32;
  void set(uint32_t key, int64_t index) {
    both = uint64_t(key) << 32 | uint64_t(index);
  }
  int64_t index() const { return int64_t(both & 0xffffffff); }
  uint64_t key() const { return both; }
};
struct Wide {
  uint64_t bits;
  int64_t at;
  static constexpr int kFirstBit = 0, kBits = 64;
  void set(uint64_t key, int64_t index) {
    bits = key;
    at = index;
  }
  int64_t index() const { return at; }
  uint64_t key() const { return bits; }
};

template <typename E>
void insertionSort(E *data, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    E x = data[i];
    int64_t j = i;
    for (; j > 0 && data[j - 1].key() > x.key(); --j)
      data[j] = data[j - 1];
    data[j] = x;
  }
}

/// Sorts `data`; returns where the result is, `data` or `spare`.
template <typename E>
E *mergeSort(E *data, E *spare, int64_t n) {
  constexpr int64_t run = 16;
  for (int64_t i = 0; i < n; i += run)
    insertionSort(data + i, n - i < run ? n - i : run);
  for (int64_t width = run; width < n; width *= 2) {
    for (int64_t low = 0; low < n; low += 2 * width) {
      int64_t middle = low + width < n ? low + width : n;
      int64_t high = low + 2 * width < n ? low + 2 * width : n;
      int64_t a = low, b = middle, to = low;
      while (a < middle && b < high) {
        bool second = data[b].key() < data[a].key();
        spare[to++] = data[second ? b : a];
        b += second;
        a += !second;
      }
      while (a < middle)
        spare[to++] = data[a++];
      while (b < high)
        spare[to++] = data[b++];
    }
    std::swap(data, spare);
  }
  return data;
}

template <typename E>
E *radixSort(E *data, E *spare, int64_t n) {
  constexpr int digits = E::kBits / 8;
  int64_t counts[digits][256] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int d = 0; d < digits; ++d)
      ++counts[d][data[i].key() >> (E::kFirstBit + 8 * d) & 255];
  for (int d = 0; d < digits; ++d) {
    int shift = E::kFirstBit + 8 * d;
    int64_t *count = counts[d];
    if (count[data[0].key() >> shift & 255] == n)
      continue;
    int64_t sum = 0;
    for (int i = 0; i < 256; ++i) {
      int64_t here = count[i];
      count[i] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i)
      spare[count[data[i].key() >> shift & 255]++] = data[i];
    std::swap(data, spare);
  }
  return data;
}

template <typename T, typename E>
void stableSort(evox_ctx *ctx, const evox_view &in, T *values,
                int64_t *indices, int64_t dim, bool descending) {
  Lanes lanes(in, dim, in.rank ? in.shape[dim] : 1);
  int64_t n = lanes.size;
  E *scratch =
      static_cast<E *>(evox_rt_alloc(ctx, 2 * n * int64_t(sizeof(E))));
  for (int64_t lane = 0; lane < lanes.count; ++lane, lanes.next()) {
    const T *from = static_cast<const T *>(in.data) + lanes.offset;
    for (int64_t i = 0; i < n; ++i) {
      auto key = keyOf(from[i * lanes.stride]);
      scratch[i].set(descending ? ~key : key, i);
    }
    E *sorted = n >= 32 * E::kBits ? radixSort(scratch, scratch + n, n)
                                   : mergeSort(scratch, scratch + n, n);
    for (int64_t i = 0; i < n; ++i) {
      int64_t at = lanes.outOffset + i * lanes.outStride;
      values[at] = from[sorted[i].index() * lanes.stride];
      indices[at] = sorted[i].index();
    }
  }
  evox_rt_free(ctx, scratch);
}

//===-- PyTorch's order ----------------------------------------------------===//

template <typename T>
using Item = std::pair<Opmath<T>, int64_t>;

template <typename T>
Item<T> *gather(const evox_view &in, const Lanes &lanes, Item<T> *items) {
  const T *from = static_cast<const T *>(in.data) + lanes.offset;
  for (int64_t i = 0; i < lanes.size; ++i) {
    items[i].first = from[i * lanes.stride];
    items[i].second = i;
  }
  return items;
}

template <typename T>
void put(const evox_view &in, const Lanes &lanes, const Item<T> *items,
         int64_t k, T *values, int64_t *indices) {
  const T *from = static_cast<const T *>(in.data) + lanes.offset;
  for (int64_t i = 0; i < k; ++i) {
    int64_t at = lanes.outOffset + i * lanes.outStride;
    values[at] = from[items[i].second * lanes.stride];
    indices[at] = items[i].second;
  }
}

template <typename T>
void torchSort(evox_ctx *ctx, const evox_view &in, T *values, int64_t *indices,
               int64_t dim, bool descending) {
  using A = Opmath<T>;
  Lanes lanes(in, dim, in.rank ? in.shape[dim] : 1);
  int64_t n = lanes.size;
  Item<T> *items = static_cast<Item<T> *>(
      evox_rt_alloc(ctx, n * int64_t(sizeof(Item<T>))));
  for (int64_t lane = 0; lane < lanes.count; ++lane, lanes.next()) {
    gather<T>(in, lanes, items);
    if (descending)
      std::sort(items, items + n, Greater<A>());
    else
      std::sort(items, items + n, Less<A>());
    put<T>(in, lanes, items, n, values, indices);
  }
  evox_rt_free(ctx, items);
}

template <typename A, typename Compare>
void selectTop(std::pair<A, int64_t> *items, int64_t n, int64_t k,
               bool sorted, Compare compare) {
  if (k * 64 <= n) {
    std::partial_sort(items, items + k, items + n, compare);
    return;
  }
  std::nth_element(items, items + k - 1, items + n, compare);
  if (sorted)
    std::sort(items, items + k - 1, compare);
}

template <typename T>
void topk(evox_ctx *ctx, const evox_view &in, T *values, int64_t *indices,
          int64_t k, int64_t dim, bool largest, bool sorted) {
  using A = Opmath<T>;
  Lanes lanes(in, dim, k);
  int64_t n = lanes.size;
  if (k > n)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "topk: %lld elements of %lld asked for", static_cast<long long>(k),
         static_cast<long long>(n));
  if (k == 0)
    return;
  Item<T> *items = static_cast<Item<T> *>(
      evox_rt_alloc(ctx, n * int64_t(sizeof(Item<T>))));
  for (int64_t lane = 0; lane < lanes.count; ++lane, lanes.next()) {
    gather<T>(in, lanes, items);
    if (largest)
      selectTop(items, n, k, sorted, Greater<A>());
    else
      selectTop(items, n, k, sorted, Less<A>());
    put<T>(in, lanes, items, k, values, indices);
  }
  evox_rt_free(ctx, items);
}

} // namespace

extern "C" void evox_k_sort(evox_ctx *ctx, const evox_view *in,
                            const evox_view *values, const evox_view *indices,
                            int64_t dim, int64_t flags) {
  bool descending = flags & EVOX_SORT_DESCENDING;
  bool unstable = flags & EVOX_SORT_UNSTABLE;
  bool known = dispatch(in->dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    T *to = static_cast<T *>(values->data);
    int64_t *at = static_cast<int64_t *>(indices->data);
    int64_t n = in->rank ? in->shape[dim] : 1;
    // PyTorch sorts long integers by radix, which is stable.
    bool radix = !isFloat<T> && !std::is_same_v<T, Bool> && in->rank == 1 &&
                 !descending && n >= 32768;
    if (unstable && !radix)
      torchSort<T>(ctx, *in, to, at, dim, descending);
    else if (sizeof(T) == 8 || n >= int64_t(1) << 32)
      stableSort<T, Wide>(ctx, *in, to, at, dim, descending);
    else
      stableSort<T, Narrow>(ctx, *in, to, at, dim, descending);
  });
  if (!known)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "sort: no order of %s",
         nameOf(in->dtype));
}

extern "C" void evox_k_topk(evox_ctx *ctx, const evox_view *in,
                            const evox_view *values, const evox_view *indices,
                            int64_t dim, int64_t largest, int64_t sorted) {
  int64_t k = values->rank ? values->shape[dim] : 1;
  bool known = dispatch(in->dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    topk<T>(ctx, *in, static_cast<T *>(values->data),
            static_cast<int64_t *>(indices->data), k, dim, largest, sorted);
  });
  if (!known)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "topk: no order of %s",
         nameOf(in->dtype));
}
