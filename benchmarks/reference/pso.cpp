//===- pso.cpp - A particle swarm, written by hand ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a generation of EvoX's PSO costs where somebody writes it for the
// machine: one pass over the rows, threads, the compiler's fast math. With
// MT19937 the draws are PyTorch's; xoshiro128+ is what one would take with
// no such wish. Compiled by run.py.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace {

/// PyTorch's generator, a block at a time so that loops are vectorized.
struct Mersenne {
  uint32_t s[624], t[624];
  int at = 624;
  explicit Mersenne(uint32_t seed) {
    s[0] = seed;
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
  void fill(float *out, int64_t n) {
    for (int64_t i = 0; i < n;) {
      if (at == 624)
        refill();
      int64_t some = std::min<int64_t>(624 - at, n - i);
      for (int64_t j = 0; j < some; ++j)
        out[i + j] = float(int32_t(t[at + j] & 0xffffff)) * 0x1p-24f;
      at += int(some);
      i += some;
    }
  }
};

/// Sixteen of them, one per lane.
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
  void fill(float *out, int64_t n) { // n rounded up to 16
    for (int64_t i = 0; i < n; i += 16)
      for (int k = 0; k < 16; ++k) {
        uint32_t r = s[0][k] + s[3][k], t = s[1][k] << 9;
        s[2][k] ^= s[0][k];
        s[3][k] ^= s[1][k];
        s[1][k] ^= s[2][k];
        s[0][k] ^= s[3][k];
        s[2][k] ^= t;
        s[3][k] = (s[3][k] << 11) | (s[3][k] >> 21);
        out[i + k] = float(int32_t(r >> 8)) * 0x1p-24f;
      }
  }
};

struct Swarm {
  int64_t n, d;
  bool ackley, exact;
  int threads;
  std::vector<float> x, v, best, fitness, bestFitness, lb, ub, global;
  std::vector<float> r1, r2; // of the exact generator
  float globalFitness = std::numeric_limits<float>::max();
  float w = 0.6f, phiP = 2.5f, phiG = 0.8f;
  Mersenne mersenne{0};
  std::vector<Xoshiro> xoshiro;

  float evaluate(const float *row) const {
    float squares = 0, cosines = 0;
    for (int64_t j = 0; j < d; ++j)
      squares += row[j] * row[j];
    if (!ackley)
      return squares;
    for (int64_t j = 0; j < d; ++j)
      cosines += std::cos(6.2831853f * row[j]);
    return -20.0f * std::exp(-0.2f * std::sqrt(squares / float(d))) -
           std::exp(cosines / float(d)) + 20.0f + 2.7182818f;
  }

  void evaluateRows(int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const float *row = &x[i * d];
      fitness[i] = evaluate(row);
      if (bestFitness[i] > fitness[i]) {
        bestFitness[i] = fitness[i];
        std::memcpy(&best[i * d], row, size_t(d) * 4);
      }
    }
  }

  void moveRows(int64_t from, int64_t to, int thread) {
    std::vector<float> own(size_t(2 * (d + 16)));
    for (int64_t i = from; i < to; ++i) {
      const float *__restrict rg = &r1[exact ? i * d : 0];
      const float *__restrict rp = &r2[exact ? i * d : 0];
      if (!exact) {
        xoshiro[size_t(thread)].fill(own.data(), d);
        xoshiro[size_t(thread)].fill(own.data() + d + 15, d);
        rg = own.data();
        rp = own.data() + d + 15;
      }
      float *__restrict xs = &x[i * d], *__restrict vs = &v[i * d];
      const float *__restrict ps = &best[i * d], *__restrict gs = global.data();
      const float *__restrict low = lb.data(), *__restrict high = ub.data();
      for (int64_t j = 0; j < d; ++j) {
        float u = w * vs[j] + phiP * rp[j] * (ps[j] - xs[j]) +
                  phiG * rg[j] * (gs[j] - xs[j]);
        float y = xs[j] + u;
        xs[j] = std::min(std::max(y, low[j]), high[j]);
        vs[j] = std::min(std::max(u, low[j]), high[j]);
      }
    }
  }

  // The workers spin: a generation takes microseconds.
  std::vector<std::thread> workers;
  std::atomic<int> phase{0}, done{0};
  std::atomic<bool> stop{false};
  int job = 0;
  void part(int what, int t) {
    int64_t from = n * t / threads, to = n * (t + 1) / threads;
    what ? moveRows(from, to, t) : evaluateRows(from, to);
  }
  void together(int what) {
    job = what;
    done = 0;
    ++phase;
    part(what, 0);
    while (done.load(std::memory_order_acquire) < threads - 1) {
    }
  }
  void work(int t) {
    for (int seen = 0;;) {
      while (phase.load(std::memory_order_acquire) == seen)
        if (stop)
          return;
      ++seen;
      part(job, t);
      done.fetch_add(1, std::memory_order_release);
    }
  }

  void step() {
    together(0);
    int64_t least = std::min_element(fitness.begin(), fitness.end()) -
                    fitness.begin();
    if (fitness[size_t(least)] < globalFitness) {
      globalFitness = fitness[size_t(least)];
      std::memcpy(global.data(), &x[least * d], size_t(d) * 4);
    }
    if (exact) {
      mersenne.fill(r1.data(), n * d);
      mersenne.fill(r2.data(), n * d);
    }
    together(1);
  }
};

} // namespace

extern "C" {
Swarm *pso_open(int64_t n, int64_t d, int ackley, int exact, int threads,
                uint64_t seed, const float *x, const float *v, const float *lb,
                const float *ub) {
  auto *s = new Swarm();
  s->n = n, s->d = d, s->ackley = ackley, s->exact = exact;
  s->threads = threads;
  s->x.assign(x, x + n * d);
  s->v.assign(v, v + n * d);
  s->best = s->x;
  s->fitness.resize(size_t(n));
  s->bestFitness.assign(size_t(n), std::numeric_limits<float>::max());
  s->lb.assign(lb, lb + d);
  s->ub.assign(ub, ub + d);
  s->global.assign(x, x + d);
  s->r1.resize(exact ? size_t(n * d) : 1);
  s->r2.resize(exact ? size_t(n * d) : 1);
  s->mersenne = Mersenne(uint32_t(seed));
  for (int t = 0; t < threads; ++t)
    s->xoshiro.emplace_back(seed + uint64_t(t));
  for (int t = 1; t < threads; ++t)
    s->workers.emplace_back(&Swarm::work, s, t);
  return s;
}
void pso_run(Swarm *s, int64_t times) {
  while (times-- > 0)
    s->step();
}
const float *pso_population(Swarm *s) { return s->x.data(); }
void pso_close(Swarm *s) {
  s->stop = true;
  for (std::thread &t : s->workers)
    t.join();
  delete s;
}
}
