//===- machine.cpp - What the machine can do ------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints JSON: GB/s of a triad over working sets of several sizes, GFLOP/s of
// fused multiply-adds, and nanoseconds per word of each generator, by one
// thread and by as many as asked for.
//
// usage: machine THREADS
//
//===----------------------------------------------------------------------===//

#include "common.h"

namespace {

/// The best of several goes of at least 10 ms each, in seconds per call.
template <typename F> double best(F &&body) {
  body();
  double from = now();
  body();
  int64_t times = std::max<int64_t>(1, int64_t(0.01 / (now() - from + 1e-9)));
  double least = 1e30;
  for (int go = 0; go < 7; ++go) {
    from = now();
    for (int64_t i = 0; i < times; ++i)
      body();
    least = std::min(least, (now() - from) / double(times));
  }
  return least;
}

double triad(Workers &workers, int64_t bytes) {
  int64_t n = bytes / 3 / 4;
  std::unique_ptr<float[]> a(new float[size_t(n)]), b(new float[size_t(n)]),
      c(new float[size_t(n)]);
  auto share = [&](auto &&body) {
    workers.together([&](int t) {
      body(n * t / workers.count, n * (t + 1) / workers.count);
    });
  };
  share([&](int64_t i, int64_t end) {
    for (; i < end; ++i)
      a[i] = b[i] = c[i] = 1;
  });
  double seconds = best([&] {
    share([&](int64_t i, int64_t end) {
      float *__restrict to = a.get();
      const float *__restrict x = b.get(), *__restrict y = c.get();
      for (; i < end; ++i)
        to[i] = x[i] + 0.5f * y[i];
    });
  });
  return double(n * 12) / seconds / 1e9;
}

double multiplyAdds(Workers &workers) {
  constexpr int kLanes = 16, kChains = 12, kTimes = 20000;
  std::vector<float> sums(size_t(workers.count) * 64);
  double seconds = best([&] {
    workers.together([&](int t) {
      typedef float vec __attribute__((vector_size(4 * kLanes)));
      vec x[kChains];
      float one = 1.0f + float(t) * 1e-9f;
      for (int c = 0; c < kChains; ++c)
        for (int k = 0; k < kLanes; ++k)
          x[c][k] = float(c + k);
      for (int i = 0; i < kTimes; ++i)
        for (int c = 0; c < kChains; ++c) {
          x[c] = x[c] * one + one;
          asm volatile("" : "+x"(x[c])); // or the compiler sums it up itself
        }
      float sum = 0;
      for (auto &v : x)
        for (int k = 0; k < kLanes; ++k)
          sum += v[k];
      sums[size_t(t) * 64] = sum;
    });
  });
  return 2.0 * kLanes * kChains * kTimes * workers.count / seconds / 1e9;
}

/// Nanoseconds per word; each thread fills a buffer that stays in its cache.
template <typename F> double words(Workers &workers, F &&fill) {
  constexpr int64_t n = 8192;
  std::vector<std::vector<uint32_t>> out(size_t(workers.count),
                                         std::vector<uint32_t>(n + 16));
  double seconds = best([&] {
    workers.together([&](int t) { fill(t, out[size_t(t)].data(), n); });
  });
  return 1e9 * seconds / double(n * workers.count);
}

} // namespace

int main(int argc, char **argv) {
  int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  std::printf("{");
  for (int count :
       threads == 1 ? std::vector<int>{1} : std::vector<int>{1, threads}) {
    Workers workers(count);
    workers.wake();
    std::vector<Mersenne> mersenne(size_t(count), Mersenne(1));
    std::vector<Xoshiro> xoshiro(size_t(count), Xoshiro(1));
    Philox philox{1};
    std::printf("%s\"%d\": {\"triad\": {", count == 1 ? "" : ", ", count);
    bool first = true;
    for (int64_t kb : {96, 768, 3072, 12288, 49152, 393216}) {
      std::printf("%s\"%lld\": %.2f", first ? "" : ", ",
                  static_cast<long long>(kb * 1024), triad(workers, kb * 1024));
      first = false;
    }
    std::printf("}, \"gflops\": %.1f", multiplyAdds(workers));
    std::printf(", \"words\": {\"mt19937\": %.4f",
                words(workers, [&](int t, uint32_t *out, int64_t n) {
                  mersenne[size_t(t)].fill(out, n);
                }));
    std::printf(", \"xoshiro\": %.4f",
                words(workers, [&](int t, uint32_t *out, int64_t n) {
                  xoshiro[size_t(t)].fill(out, n);
                }));
    std::printf(", \"philox\": %.4f}}",
                words(workers, [&](int, uint32_t *out, int64_t n) {
                  philox.fill(out, 0, n, 0);
                }));
    workers.rest();
  }
  std::printf("}\n");
  return 0;
}
