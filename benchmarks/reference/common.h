//===- common.h - Generators, threads and the talk with run.py --*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_BENCHMARKS_REFERENCE_COMMON_H
#define EVOX_BENCHMARKS_REFERENCE_COMMON_H

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

//===-- generators of 32-bit words ----------------------------------------===//

/// PyTorch's generator, a block at a time so that the loops are vectorized.
struct Mersenne {
  uint32_t s[624], t[624];
  int at = 624;
  explicit Mersenne(uint64_t seed) {
    s[0] = uint32_t(seed);
    for (uint32_t j = 1; j < 624; ++j)
      s[j] = 1812433253u * (s[j - 1] ^ (s[j - 1] >> 30)) + j;
  }
  static uint32_t twist(uint32_t u, uint32_t v) {
    return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^
           (0x9908b0dfu & (0u - (v & 1)));
  }
  void refill() {
#pragma clang loop vectorize(assume_safety)
    for (int i = 0; i < 227; ++i)
      s[i] = s[i + 397] ^ twist(s[i], s[i + 1]);
#pragma clang loop vectorize(assume_safety)
    for (int i = 227; i < 454; ++i)
      s[i] = s[i - 227] ^ twist(s[i], s[i + 1]);
#pragma clang loop vectorize(assume_safety)
    for (int i = 454; i < 623; ++i)
      s[i] = s[i - 227] ^ twist(s[i], s[i + 1]);
    s[623] = s[396] ^ twist(s[623], s[0]);
    for (int i = 0; i < 624; ++i) {
      uint32_t y = s[i];
      y ^= y >> 11;
      y ^= (y << 7) & 0x9d2c5680u;
      y ^= (y << 15) & 0xefc60000u;
      t[i] = y ^ (y >> 18);
    }
    at = 0;
  }
  void fill(uint32_t *out, int64_t n) {
    for (int64_t i = 0; i < n;) {
      if (at == 624)
        refill();
      int64_t some = std::min<int64_t>(624 - at, n - i);
      std::memcpy(out + i, t + at, size_t(some) * 4);
      at += int(some);
      i += some;
    }
  }
};

/// xoshiro128+, sixteen of them, one per lane.
struct Xoshiro {
  alignas(64) uint32_t s[4][16];
  explicit Xoshiro(uint64_t seed) {
    for (auto &row : s)
      for (uint32_t &word : row) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        word = uint32_t(z >> 32);
      }
  }
  /// Writes up to 15 words more than n.
  void fill(uint32_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i += 16)
      for (int k = 0; k < 16; ++k) {
        uint32_t r = s[0][k] + s[3][k], t = s[1][k] << 9;
        s[2][k] ^= s[0][k];
        s[3][k] ^= s[1][k];
        s[1][k] ^= s[2][k];
        s[0][k] ^= s[3][k];
        s[2][k] ^= t;
        s[3][k] = (s[3][k] << 11) | (s[3][k] >> 21);
        out[i + k] = (r >> 8) | (r << 24); // the low bits are the weak ones
      }
  }
};

/// Philox 4x32-10: words first .. first + n - 1 of a draw, `first` a multiple
/// of 4, as the compiled programs draw them.
struct Philox {
  uint64_t seed;
  void fill(uint32_t *__restrict out, int64_t first, int64_t n,
            uint64_t draw) const {
    for (int64_t i = 0; i < (n + 3) / 4; ++i) {
      uint64_t block = uint64_t(first / 4 + i);
      uint32_t c0 = uint32_t(block), c1 = uint32_t(block >> 32);
      uint32_t c2 = uint32_t(draw), c3 = uint32_t(draw >> 32);
      uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
#pragma clang loop unroll(full)
      for (int round = 0; round < 10; ++round) {
        uint64_t p0 = uint64_t(0xD2511F53u) * c0;
        uint64_t p1 = uint64_t(0xCD9E8D57u) * c2;
        c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
        c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
        c1 = uint32_t(p1);
        c3 = uint32_t(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
      }
      out[4 * i] = c0;
      out[4 * i + 1] = c1;
      out[4 * i + 2] = c2;
      out[4 * i + 3] = c3;
    }
  }
};

/// A number of [0, 1) of one word, or of two.
inline float unit(const uint32_t *w, int64_t i, float) {
  return float(int32_t(w[i] & 0xffffff)) * 0x1p-24f;
}
inline double unit(const uint32_t *w, int64_t i, double) {
  uint64_t bits =
      (uint64_t(w[2 * i]) << 32 | w[2 * i + 1]) & ((uint64_t(1) << 53) - 1);
  return double(int64_t(bits)) * 0x1p-53;
}

//===-- threads -----------------------------------------------------------===//

/// Workers that spin while there is work, for a generation takes
/// microseconds, and sleep between the turns, which are others'.
class Workers {
public:
  explicit Workers(int count) : count(count) {
    for (int t = 1; t < count; ++t)
      threads.emplace_back([this, t] { work(t); });
  }
  ~Workers() {
    stop = true;
    wake();
    for (std::thread &t : threads)
      t.join();
  }
  void wake() {
    if (count == 1)
      return;
    awake = 1;
    awake.notify_all();
  }
  void rest() { awake = 0; }
  /// body(0) .. body(count - 1), one on each thread.
  template <typename F> void together(F &&body) {
    if (count == 1)
      return body(0);
    job = std::ref(body);
    done.store(0, std::memory_order_relaxed);
    phase.fetch_add(1, std::memory_order_release);
    body(0);
    while (done.load(std::memory_order_acquire) < count - 1) {
    }
  }
  const int count;

private:
  void work(int t) {
    for (int seen = 0;;) {
      while (phase.load(std::memory_order_acquire) == seen) {
        if (stop)
          return;
        if (!awake.load(std::memory_order_relaxed))
          awake.wait(0);
      }
      ++seen;
      job(t);
      done.fetch_add(1, std::memory_order_release);
    }
  }
  std::vector<std::thread> threads;
  std::function<void(int)> job;
  std::atomic<int> phase{0}, done{0}, awake{0};
  std::atomic<bool> stop{false};
};

//===-- the talk with run.py ----------------------------------------------===//

inline double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

inline long memoryKb(const char *what) {
  char line[256];
  long kb = 0;
  FILE *file = std::fopen("/proc/self/status", "r");
  while (file && std::fgets(line, sizeof line, file))
    if (!std::strncmp(line, what, std::strlen(what)))
      kb = std::atol(line + std::strlen(what) + 1);
  if (file)
    std::fclose(file);
  return kb;
}

/// run(n) does n generations, dump(path) writes the population.
template <typename Run, typename Dump>
int serve(double start, long idle, Run &&run, Dump &&dump) {
  std::printf("ready %.4f %ld\n", 1e3 * (now() - start), idle);
  std::fflush(stdout);
  char line[4096], path[4000];
  while (std::fgets(line, sizeof line, stdin)) {
    int threads;
    long long n;
    if (std::sscanf(line, "run %d %lld", &threads, &n) == 2) {
      double from = now();
      run(int64_t(n));
      std::printf("%.9f\n", now() - from);
    } else if (!std::strncmp(line, "memory", 6)) {
      std::printf("%ld\n", memoryKb("VmHWM"));
    } else if (std::sscanf(line, "dump %3999[^\n]", path) == 1) {
      dump(path);
      std::printf("done\n");
    } else {
      std::printf("?\n");
    }
    std::fflush(stdout);
  }
  return 0;
}

#endif
