//===- pso.cpp - A particle swarm, written by hand ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a generation of EvoX's PSO costs where somebody writes it for the
// machine: one pass over the rows that draws, moves, evaluates and keeps the
// best, threads, the compiler's fast math. With MT19937 the draws are
// PyTorch's; Philox's are those of the compiled programs; xoshiro128+ is what
// one would take with no such wish.
//
// usage: pso N DIM SWARMS ackley|sphere float32|float64 GENERATOR THREADS SEED
//            STATE
// STATE is a file of positions and velocities, or `-`: drawn.
//
//===----------------------------------------------------------------------===//

#include "common.h"

#include <cmath>
#include <limits>

namespace {

enum class Kind { Mersenne, Xoshiro, Philox };

/// cos(2 pi x): of the turns only the fraction counts, and of it a sine of at
/// most a quarter of a turn is left, as a polynomial (errors 7e-9 and 2e-15).
inline float cosTurns(float x) {
  float q = 0.25f - std::fabs(x - std::nearbyint(x)), z = q * q;
  float y = 39.76072207434681f;
  y = y * z - 76.58128455906875f;
  y = y * z + 81.60248074284834f;
  y = y * z - 41.34168066806277f;
  y = y * z + 6.2831852802614145f;
  return y * q;
}
inline double cosTurns(double x) {
  double q = 0.25 - std::fabs(x - std::nearbyint(x)), z = q * q;
  double y = 0.15909902576697324;
  y = y * z - 0.7314135767898353;
  y = y * z + 3.821229386854405;
  y = y * z - 15.094705987819738;
  y = y * z + 42.05869569089874;
  y = y * z - 76.70585977955457;
  y = y * z + 81.60524927628126;
  y = y * z - 41.34170224040043;
  y = y * z + 6.283185307179589;
  return y * q;
}

template <typename T> class Swarms {
public:
  Swarms(int64_t n, int64_t d, int64_t swarms, bool ackley, Kind kind,
         int threads, uint64_t seed, const char *state)
      : n(n), d(d), swarms(swarms), ackley(ackley), kind(kind),
        workers(threads), mersenne(seed), philox{seed},
        partial(size_t(threads * swarms)) {
    int64_t all = swarms * n * d;
    // Untouched until the threads that will use them write them.
    for (auto *array : {&x, &v, &p})
      array->reset(new T[size_t(all)]);
    best.assign(size_t(swarms * n), std::numeric_limits<T>::max());
    lb.assign(size_t(d), T(-32));
    ub.assign(size_t(d), T(32));
    global.resize(size_t(swarms * d));
    globalBest.assign(size_t(swarms), std::numeric_limits<T>::max());
    for (int t = 0; t < threads; ++t)
      xoshiro.emplace_back(seed + uint64_t(t));
    own.assign(size_t(threads),
               std::vector<uint32_t>(size_t(2 * (d * kWords + 32))));
    if (kind == Kind::Mersenne)
      for (auto *array : {&r1, &r2})
        array->reset(new uint32_t[size_t(all) * kWords]);
    workers.wake();
    if (std::strcmp(state, "-")) {
      FILE *file = std::fopen(state, "rb");
      if (!file ||
          std::fread(x.get(), sizeof(T), size_t(all), file) != size_t(all) ||
          std::fread(v.get(), sizeof(T), size_t(all), file) != size_t(all)) {
        std::fprintf(stderr, "%s: cannot read the state\n", state);
        std::exit(1);
      }
      std::fclose(file);
    } else {
      rows([&](int t, int64_t i) {
        std::vector<uint32_t> w(size_t(d * kWords + 16));
        for (T *to : {&x[i * d], &v[i * d]}) {
          xoshiro[size_t(t)].fill(w.data(), d * kWords);
          for (int64_t j = 0; j < d; ++j)
            to[j] = T(64) * unit(w.data(), j, T()) - T(32);
        }
      });
    }
    rows([&](int t, int64_t i) { evaluate(t, i); });
    workers.rest();
  }

  void run(int64_t times) {
    workers.wake();
    while (times-- > 0)
      step();
    workers.rest();
  }

  void dump(const char *path) const {
    if (FILE *file = std::fopen(path, "wb")) {
      std::fwrite(x.get(), sizeof(T), size_t(swarms * n * d), file);
      std::fclose(file);
    }
  }

private:
  static constexpr int64_t kWords = sizeof(T) / 4; // of a draw
  struct alignas(64) Least {
    T value;
    int64_t row;
  };

  /// body(thread, row) for all rows, the threads' shares in one piece each.
  template <typename F> void rows(F &&body) {
    workers.together([&](int t) {
      for (int64_t s = 0; s < swarms; ++s)
        least(t, s) = {std::numeric_limits<T>::max(), 0};
      int64_t all = swarms * n;
      for (int64_t i = all * t / workers.count,
                   end = all * (t + 1) / workers.count;
           i < end; ++i)
        body(t, i);
    });
  }

  Least &least(int t, int64_t s) { return partial[size_t(t * swarms + s)]; }

  T fitness(const T *row) const {
    T squares = 0, cosines = 0;
    if (!ackley) {
      for (int64_t j = 0; j < d; ++j)
        squares += row[j] * row[j];
      return squares;
    }
    for (int64_t j = 0; j < d; ++j) {
      squares += row[j] * row[j];
      cosines += cosTurns(row[j]);
    }
    return T(-20) * std::exp(T(-0.2) * std::sqrt(squares / T(d))) -
           std::exp(cosines / T(d)) + T(20) + T(2.718281828459045);
  }

  void evaluate(int t, int64_t i) {
    T f = fitness(&x[i * d]);
    if (best[size_t(i)] > f) {
      best[size_t(i)] = f;
      std::memcpy(&p[i * d], &x[i * d], size_t(d) * sizeof(T));
    }
    Least &l = least(t, i / n);
    if (f < l.value)
      l = {f, i};
  }

  void step() {
    // The last pass has evaluated: the best of each swarm.
    for (int64_t s = 0; s < swarms; ++s)
      for (int t = 0; t < workers.count; ++t)
        if (least(t, s).value < globalBest[size_t(s)]) {
          globalBest[size_t(s)] = least(t, s).value;
          std::memcpy(&global[size_t(s * d)], &x[least(t, s).row * d],
                      size_t(d) * sizeof(T));
        }
    if (kind == Kind::Mersenne) {
      mersenne.fill(r1.get(), swarms * n * d * kWords);
      mersenne.fill(r2.get(), swarms * n * d * kWords);
    }
    move();
    draws += 2;
  }

  void move() {
    int64_t room = d * kWords + 32;
    rows([&](int t, int64_t i) {
      const uint32_t *wg, *wp;
      int64_t first = i * d * kWords;
      if (kind == Kind::Mersenne) {
        wg = &r1[first];
        wp = &r2[first];
      } else {
        uint32_t *g = own[size_t(t)].data(), *q = g + room;
        wg = g;
        wp = q;
        if (kind == Kind::Xoshiro) {
          xoshiro[size_t(t)].fill(g, d * kWords);
          xoshiro[size_t(t)].fill(q, d * kWords);
        } else {
          int64_t skip = first % 4;
          philox.fill(g, first - skip, d * kWords + skip, draws);
          philox.fill(q, first - skip, d * kWords + skip, draws + 1);
          wg += skip;
          wp += skip;
        }
      }
      moveRow(i, wg, wp);
      evaluate(t, i);
    });
  }

  void moveRow(int64_t i, const uint32_t *__restrict wg,
               const uint32_t *__restrict wp) {
    const T w = T(0.6), phiP = T(2.5), phiG = T(0.8);
    T *__restrict xs = &x[i * d], *__restrict vs = &v[i * d];
    const T *__restrict ps = &p[i * d];
    const T *__restrict gs = &global[size_t(i / n * d)];
    const T *__restrict low = lb.data(), *__restrict high = ub.data();
    for (int64_t j = 0; j < d; ++j) {
      T u = w * vs[j] + phiP * unit(wp, j, T()) * (ps[j] - xs[j]) +
            phiG * unit(wg, j, T()) * (gs[j] - xs[j]);
      T y = xs[j] + u;
      xs[j] = std::min(std::max(y, low[j]), high[j]);
      vs[j] = std::min(std::max(u, low[j]), high[j]);
    }
  }

  int64_t n, d, swarms;
  bool ackley;
  Kind kind;
  Workers workers;
  Mersenne mersenne;
  Philox philox;
  std::vector<Xoshiro> xoshiro;
  std::vector<Least> partial;
  std::vector<std::vector<uint32_t>> own; // draws of a row, of each thread
  uint64_t draws = 0;
  std::unique_ptr<T[]> x, v, p;
  std::unique_ptr<uint32_t[]> r1, r2;
  std::vector<T> best, lb, ub, global, globalBest;
};

template <typename T> int serveSwarms(double start, long idle, char **argv) {
  Kind kind = !std::strcmp(argv[6], "mt19937")   ? Kind::Mersenne
              : !std::strcmp(argv[6], "xoshiro") ? Kind::Xoshiro
                                                 : Kind::Philox;
  Swarms<T> swarms(std::atoll(argv[1]), std::atoll(argv[2]),
                   std::atoll(argv[3]), !std::strcmp(argv[4], "ackley"), kind,
                   std::atoi(argv[7]), std::strtoull(argv[8], nullptr, 10),
                   argv[9]);
  swarms.run(1);
  return serve(
      start, idle, [&](int64_t n) { swarms.run(n); },
      [&](const char *path) { swarms.dump(path); });
}

} // namespace

int main(int argc, char **argv) {
  double start = now();
  long idle = memoryKb("VmRSS");
  if (argc != 10) {
    std::fprintf(stderr, "usage: pso N DIM SWARMS ackley|sphere "
                         "float32|float64 GENERATOR THREADS SEED STATE\n");
    return 2;
  }
  return std::strcmp(argv[5], "float64")
             ? serveSwarms<float>(start, idle, argv)
             : serveSwarms<double>(start, idle, argv);
}
