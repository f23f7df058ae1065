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
// file with libstdc++'s headers (no code of the library is linked). Where no
// two elements are equal there is only one order, and radix sort finds it
// faster.
//
//===----------------------------------------------------------------------===//

#include "Element.h"
#include "Lanes.h"

#include <algorithm>
#include <utility>

using namespace evox::rt;

namespace {

// Elements of lanes that are worth a task: some ten microseconds of sorting.
constexpr int64_t kLeast = 1 << 10;

// Loops that vectors do not help, without the code for them.
#define EVOX_PLAIN_LOOP _Pragma("clang loop unroll(disable) vectorize(disable)")

// Writes the elements of the present lane that items[0 .. k-1] point to.
template <typename E>
void put(const evox_view &in, const evox_view &values, const evox_view &indices,
         const Lanes &lanes, const E *items, int64_t k) {
  int64_t *at = static_cast<int64_t *>(indices.data) + lanes.outOffset;
  auto copy = [&](auto zero) {
    using T = decltype(zero);
    const T *from = static_cast<const T *>(in.data) + lanes.offset;
    T *to = static_cast<T *>(values.data) + lanes.outOffset;
    EVOX_PLAIN_LOOP
    for (int64_t i = 0; i < k; ++i) {
      to[i * lanes.outStride] = from[items[i].index() * lanes.stride];
      at[i * lanes.outStride] = items[i].index();
    }
  };
  switch (sizeOf(in.dtype)) {
  case 1:
    return copy(uint8_t());
  case 2:
    return copy(uint16_t());
  case 4:
    return copy(uint32_t());
  default:
    return copy(uint64_t());
  }
}

//===-- stable sorts ------------------------------------------------------===//

// Elements as unsigned numbers of the same order, equal where the elements
// are equal: -0 is 0, and there is one NaN, the greatest.
template <typename T> auto keyOf(T x) {
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
  using Key = uint32_t;
  uint64_t both;
  static constexpr int kFirstBit = 32, kBits = 32;
  void set(uint32_t key, int64_t index) {
    both = uint64_t(key) << 32 | uint64_t(index);
  }
  int64_t index() const { return int64_t(both & 0xffffffff); }
  uint64_t key() const { return both; }
  uint32_t order() const { return uint32_t(both >> 32); }
};
struct Wide {
  using Key = uint64_t;
  uint64_t bits;
  int64_t at;
  static constexpr int kFirstBit = 0, kBits = 64;
  void set(uint64_t key, int64_t index) {
    bits = key;
    at = index;
  }
  int64_t index() const { return at; }
  uint64_t key() const { return bits; }
  uint64_t order() const { return bits; }
};

template <typename E> void insertionSort(E *data, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    E x = data[i];
    int64_t j = i;
    for (; j > 0 && data[j - 1].key() > x.key(); --j)
      data[j] = data[j - 1];
    data[j] = x;
  }
}

/// Sorts `data`; returns where the result is, `data` or `spare`.
template <typename E> E *mergeSort(E *data, E *spare, int64_t n) {
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

// Counts of digits, enough for both kinds of keys and both sizes of digits.
constexpr int64_t kCounts = 6 << 11;

template <typename E, int Bits>
E *radixSort(E *data, E *spare, int64_t n, uint32_t *counts) {
  constexpr int digits = (E::kBits + Bits - 1) / Bits;
  constexpr uint64_t mask = (1 << Bits) - 1;
  std::memset(counts, 0, (digits << Bits) * sizeof(uint32_t));
  for (int64_t i = 0; i < n; ++i) {
    uint64_t key = data[i].key() >> E::kFirstBit;
    for (int d = 0; d < digits; ++d)
      ++counts[(d << Bits) + (key >> (Bits * d) & mask)];
  }
  for (int d = 0; d < digits; ++d) {
    int shift = E::kFirstBit + Bits * d;
    uint32_t *count = counts + (d << Bits);
    if (count[data[0].key() >> shift & mask] == n)
      continue;
    uint32_t sum = 0;
    for (uint64_t i = 0; i <= mask; ++i) {
      uint32_t here = count[i];
      count[i] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i)
      spare[count[data[i].key() >> shift & mask]++] = data[i];
    std::swap(data, spare);
  }
  return data;
}

/// One digit of a large sort: each task has a part of the elements.
template <typename E> struct Digit {
  static constexpr int kTasks = 8, kBits = 8;
  E *from, *to;
  int64_t n;
  int shift;
  uint32_t (*counts)[1 << kBits]; // of each task

  uint64_t of(const E &x) const { return x.key() >> shift & 255; }
  int64_t first(int64_t task) const { return n * task / kTasks; }
  static void count(void *arg, int64_t task) {
    const Digit &job = *static_cast<Digit *>(arg);
    uint32_t *counts = job.counts[task];
    std::memset(counts, 0, sizeof *job.counts);
    for (int64_t i = job.first(task); i < job.first(task + 1); ++i)
      ++counts[job.of(job.from[i])];
  }
  static void move(void *arg, int64_t task) {
    const Digit &job = *static_cast<Digit *>(arg);
    uint32_t *counts = job.counts[task];
    for (int64_t i = job.first(task); i < job.first(task + 1); ++i)
      job.to[counts[job.of(job.from[i])]++] = job.from[i];
  }
};

template <typename E>
E *radixSortOnThreads(evox_ctx *ctx, E *data, E *spare, int64_t n,
                      uint32_t *counts) {
  using D = Digit<E>;
  static_assert(D::kTasks << D::kBits <= kCounts, "the counts have room");
  D job{data, spare, n, 0, reinterpret_cast<uint32_t (*)[256]>(counts)};
  for (int digit = 0; digit < E::kBits / 8; ++digit) {
    job.shift = E::kFirstBit + 8 * digit;
    evox_rt_parallel(ctx, D::count, &job, D::kTasks);
    uint32_t sum = 0;
    bool same = false;
    for (int i = 0; i < 256; ++i) {
      uint32_t before = sum;
      for (int task = 0; task < D::kTasks; ++task) {
        uint32_t here = job.counts[task][i];
        job.counts[task][i] = sum;
        sum += here;
      }
      same |= sum - before == n;
    }
    if (same)
      continue;
    evox_rt_parallel(ctx, D::move, &job, D::kTasks);
    std::swap(job.from, job.to);
  }
  return job.from;
}

// In place of `data` or in `spare`, each of n. Where the sorts meet was
// measured.
template <typename E>
__attribute__((noinline)) E *sortKeys(evox_ctx *ctx, E *data, E *spare,
                                      int64_t n, uint32_t *counts) {
  constexpr bool narrow = E::kBits == 32;
  if (n < (narrow ? 128 : 192) || n >= int64_t(1) << 32)
    return mergeSort(data, spare, n);
  if (n >= 1 << 17 && instanceOf(ctx)->threads > 1)
    return radixSortOnThreads(ctx, data, spare, n, counts);
  if (narrow ? n >= 1000 && n < 500'000 : n >= 4096)
    return radixSort<E, 11>(data, spare, n, counts);
  return radixSort<E, 8>(data, spare, n, counts);
}

// The present lane's elements as keys.
template <typename E>
void makeKeys(const evox_view &in, const Lanes &lanes, bool descending,
              E *keys) {
  dispatch(in.dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = static_cast<const T *>(in.data) + lanes.offset;
    EVOX_PLAIN_LOOP
    for (int64_t i = 0; i < lanes.size; ++i) {
      auto key = keyOf(from[i * lanes.stride]);
      if constexpr (sizeof key <= sizeof(typename E::Key))
        keys[i].set(descending ? ~key : key, i);
    }
  });
}

template <typename E> struct Keys {
  E *keys;
  uint32_t *counts;
  Keys(evox_ctx *ctx, int64_t n) {
    keys = static_cast<E *>(evox_rt_alloc(ctx, 2 * n * int64_t(sizeof(E))));
    counts = static_cast<uint32_t *>(
        evox_rt_alloc(ctx, kCounts * int64_t(sizeof(uint32_t))));
  }
  void release(evox_ctx *ctx) {
    evox_rt_free(ctx, counts);
    evox_rt_free(ctx, keys);
  }
};

// As std::sort of libstdc++ orders what is equal.
template <typename E>
__attribute__((noinline)) void librarySort(E *keys, int64_t n) {
  std::sort(keys, keys + n,
            [](const E &x, const E &y) { return x.order() < y.order(); });
}

template <typename E>
void sortAll(evox_ctx *ctx, const evox_view &in, const evox_view &values,
             const evox_view &indices, int64_t dim, bool descending,
             bool stable) {
  forLanes(ctx, in, dim, in.rank ? in.shape[dim] : 1,
           [&](Lanes &lanes, int64_t count) {
             int64_t n = lanes.size;
             Keys<E> memory(ctx, n);
             for (int64_t lane = 0; lane < count; ++lane, lanes.next()) {
               E *keys = memory.keys;
               makeKeys(in, lanes, descending, keys);
               // Small ones are sorted anyway before equal ones are found.
               bool done = stable || n >= 64;
               if (done)
                 keys = sortKeys(ctx, keys, keys + n, n, memory.counts);
               for (int64_t i = 1; i < n && done && !stable; ++i)
                 done = keys[i].order() != keys[i - 1].order();
               if (!done) {
                 keys = memory.keys;
                 if (n >= 64)
                   makeKeys(in, lanes, descending, keys);
                 librarySort(keys, n);
               }
               put(in, values, indices, lanes, keys, n);
             }
             memory.release(ctx);
           },
           kLeast);
}

//===-- PyTorch's order ---------------------------------------------------===//

// What elements are compared as: an order of all integers, float, double.
template <typename T>
using Compared = std::conditional_t<
    !isFloat<T>, int64_t,
    std::conditional_t<std::is_same_v<T, double>, double, float>>;

template <typename A> struct Item {
  A first;
  int64_t second;
  int64_t index() const { return second; }
};

template <typename A> struct Less {
  bool operator()(const Item<A> &x, const Item<A> &y) const {
    return (!isNan(x.first) && isNan(y.first)) || x.first < y.first;
  }
};
template <typename A> struct Greater {
  bool operator()(const Item<A> &x, const Item<A> &y) const {
    return (isNan(x.first) && !isNan(y.first)) || x.first > y.first;
  }
};

template <typename A>
void gather(const evox_view &in, const Lanes &lanes, Item<A> *items) {
  dispatch(in.dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_same_v<Compared<T>, A>) {
      const T *from = static_cast<const T *>(in.data) + lanes.offset;
      EVOX_PLAIN_LOOP
      for (int64_t i = 0; i < lanes.size; ++i) {
        items[i].first = from[i * lanes.stride];
        items[i].second = i;
      }
    }
  });
}

template <typename A, typename Compare>
__attribute__((noinline)) void sortItems(Item<A> *items, int64_t n) {
  std::sort(items, items + n, Compare());
}

template <typename A, typename Compare>
__attribute__((noinline)) void selectTop(Item<A> *items, int64_t n, int64_t k,
                                         bool sorted) {
  if (k * 64 <= n) {
    std::partial_sort(items, items + k, items + n, Compare());
    return;
  }
  std::nth_element(items, items + k - 1, items + n, Compare());
  if (sorted)
    sortItems<A, Compare>(items, k - 1);
}

// Sedgewick's quick select with the median of three, as in PyTorch's
// Sorting.cpp: the item that ends at k is one of several equal ones.
template <typename A>
__attribute__((noinline)) void quickSelect(Item<A> *items, int64_t n,
                                           int64_t k) {
  Greater<A> greater;
  auto order = [&](int64_t a, int64_t b) {
    if (greater(items[a], items[b]))
      std::swap(items[a], items[b]);
  };
  int64_t low = 0, high = n - 1;
  while (high > low) {
    if (high == low + 1)
      return order(low, high);
    std::swap(items[(low + high) >> 1], items[low + 1]);
    order(low + 1, high);
    order(low, high);
    order(low + 1, low);
    int64_t i = low + 1, j = high;
    Item<A> pivot = items[low];
    while (true) {
      do
        ++i;
      while (greater(pivot, items[i]));
      do
        --j;
      while (greater(items[j], pivot));
      if (j < i)
        break;
      std::swap(items[i], items[j]);
    }
    std::swap(items[low], items[j]);
    if (j <= k)
      low = i;
    if (j >= k)
      high = j - 1;
  }
}

// Calls order(items, n) for each lane, and writes the first k.
template <typename A, typename F>
void torchOrder(evox_ctx *ctx, const evox_view &in, const evox_view &values,
                const evox_view &indices, int64_t dim, int64_t k, F order) {
  forLanes(ctx, in, dim, k, [&](Lanes &lanes, int64_t count) {
    int64_t n = lanes.size;
    Item<A> *items = static_cast<Item<A> *>(
        evox_rt_alloc(ctx, n * int64_t(sizeof(Item<A>))));
    for (int64_t lane = 0; lane < count; ++lane, lanes.next()) {
      gather(in, lanes, items);
      order(items, n);
      put(in, values, indices, lanes, items, k);
    }
    evox_rt_free(ctx, items);
  }, kLeast);
}

/// Calls f with a value of the type that elements of the dtype compare as.
template <typename F> void withCompared(int32_t dtype, F f) {
  switch (dtype) {
  case EVOX_FLOAT64:
    return f(double());
  case EVOX_FLOAT32:
  case EVOX_FLOAT16:
  case EVOX_BFLOAT16:
    return f(float());
  default:
    return f(int64_t());
  }
}

void checkOrder(evox_ctx *ctx, const char *what, int32_t dtype) {
  if (!dispatch(dtype, [](auto) {}))
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "%s: no order of %s", what,
         nameOf(dtype));
}

bool isInteger(int32_t dtype) { return dtype <= EVOX_INT64; }

} // namespace

extern "C" void evox_k_sort(evox_ctx *ctx, const evox_view *in,
                            const evox_view *values, const evox_view *indices,
                            int64_t dim, int64_t flags) {
  bool descending = flags & EVOX_SORT_DESCENDING;
  int64_t n = in->rank ? in->shape[dim] : 1;
  checkOrder(ctx, "sort", in->dtype);
  // PyTorch sorts long integers by radix, which is stable.
  bool radix =
      isInteger(in->dtype) && in->rank == 1 && !descending && n >= 32768;
  if (flags & EVOX_SORT_SELECT) {
    int64_t k = flags >> 8;
    if (k >= n)
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
           "kthvalue: selected number k out of range for a dimension of size "
           "%lld",
           static_cast<long long>(n));
    withCompared(in->dtype, [&](auto zero) {
      using A = decltype(zero);
      torchOrder<A>(
          ctx, *in, *values, *indices, dim, n,
          [&](Item<A> *items, int64_t n) { quickSelect(items, n, k); });
    });
    return;
  }
  bool stable = !(flags & EVOX_SORT_UNSTABLE) || radix;
  if (sizeOf(in->dtype) == 8 || n >= int64_t(1) << 32)
    sortAll<Wide>(ctx, *in, *values, *indices, dim, descending, stable);
  else
    sortAll<Narrow>(ctx, *in, *values, *indices, dim, descending, stable);
}

extern "C" void evox_k_topk(evox_ctx *ctx, const evox_view *in,
                            const evox_view *values, const evox_view *indices,
                            int64_t dim, int64_t largest, int64_t sorted) {
  int64_t n = in->rank ? in->shape[dim] : 1;
  int64_t k = values->rank ? values->shape[dim] : 1;
  checkOrder(ctx, "topk", in->dtype);
  if (k > n)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "topk: %lld elements of %lld asked for", static_cast<long long>(k),
         static_cast<long long>(n));
  if (k == 0)
    return;
  withCompared(in->dtype, [&](auto zero) {
    using A = decltype(zero);
    torchOrder<A>(ctx, *in, *values, *indices, dim, k,
                  [&](Item<A> *items, int64_t n) {
                    if (largest)
                      selectTop<A, Greater<A>>(items, n, k, sorted);
                    else
                      selectTop<A, Less<A>>(items, n, k, sorted);
                  });
  });
}
