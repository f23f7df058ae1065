//===- KernelsRandom.cpp - Random draws -----------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With the torch generator, bit for bit what PyTorch 2.13 draws on an x86-64
// processor with AVX2 (where its compiler fuses multiplications and additions
// the fused operation is written out here), with one exception: on processors
// by Intel, its exponential_ and bernoulli_(p) draw from MKL's own generator.
//
//===----------------------------------------------------------------------===//

#include "Draws.h"
#include "Element.h"
#include "Isa.h"
#include "Vectors.h"

#include <cmath>
#include <limits>
#include <pthread.h>

using namespace evox::rt;

namespace {

constexpr double kTwoPi = 6.283185307179586;

//===-- normal ------------------------------------------------------------===//

// Cephes' logf, sinf and cosf (S. Moshier), as PyTorch vectorises them, with
// fused operations where its compiler makes them. For one number, or for a
// register of them.

struct One {
  typedef float F;
  typedef int32_t I;
  typedef uint32_t U;
};
template <int N> struct Many {
  typedef float F __attribute__((vector_size(4 * N)));
  typedef int32_t I __attribute__((vector_size(4 * N)));
  typedef uint32_t U __attribute__((vector_size(4 * N)));
};

template <typename To, typename From> EVOX_INLINE To converted(From x) {
  if constexpr (std::is_arithmetic_v<To>)
    return To(x);
  else
    return __builtin_convertvector(x, To);
}
template <typename F> EVOX_INLINE F fused(F a, F b, F c) {
  return __builtin_elementwise_fma(a, b, c);
}
template <typename F> EVOX_INLINE F all(float x) { return F{} + x; }

template <typename L> EVOX_INLINE typename L::F cephesLog(typename L::F x) {
  using F = typename L::F;
  using I = typename L::I;
  using U = typename L::U;
  // Zero or less cannot come: x = 1 - u, u < 1.
  U bits = __builtin_bit_cast(U, x);
  F e = converted<F>(__builtin_bit_cast(I, bits >> 23) - 126);
  x = __builtin_bit_cast(F, (bits & 0x807fffffu) | 0x3f000000u);
  auto small = x < all<F>(0.707106781186547524f);
  F again = small ? x : F{};
  e = e - (small ? all<F>(1.0f) : F{});
  x = (x - 1.0f) + again;
  F z = x * x;
  F y = all<F>(7.0376836292E-2f);
  y = fused(y, x, all<F>(-1.1514610310E-1f));
  y = fused(y, x, all<F>(1.1676998740E-1f));
  y = fused(y, x, all<F>(-1.2420140846E-1f));
  y = fused(y, x, all<F>(1.4249322787E-1f));
  y = fused(y, x, all<F>(-1.6668057665E-1f));
  y = fused(y, x, all<F>(2.0000714765E-1f));
  y = fused(y, x, all<F>(-2.4999993993E-1f));
  y = fused(y, x, all<F>(3.3333331174E-1f));
  y = y * x;
  y = fused(y, z, e * -2.12194440e-4f);
  y = fused(-z, all<F>(0.5f), y);
  x = x + y;
  return fused(e, all<F>(0.693359375f), x);
}

template <typename L>
EVOX_INLINE void cephesSinCos(typename L::F x, typename L::F &sine,
                              typename L::F &cosine) {
  using F = typename L::F;
  using I = typename L::I;
  using U = typename L::U;
  // x >= 0 here.
  F y = x * 1.27323954473516f; // 4 / pi
  I octant = (converted<I>(y) + 1) & ~1;
  y = converted<F>(octant);
  U sineSign = __builtin_bit_cast(U, octant & 4) << 29;
  U cosineSign = __builtin_bit_cast(U, ~(octant - 2) & 4) << 29;
  auto swapped = (octant & 2) != 0;
  x = fused(y, all<F>(-0.78515625f), x);
  x = fused(y, all<F>(-2.4187564849853515625e-4f), x);
  x = fused(y, all<F>(-3.77489497744594108e-8f), x);
  F z = x * x;
  F c = all<F>(2.443315711809948E-005f);
  c = fused(c, z, all<F>(-1.388731625493765E-003f));
  c = fused(c, z, all<F>(4.166664568298827E-002f));
  c = c * z;
  c = fused(c, z, -(z * 0.5f));
  c = c + 1.0f;
  F s = all<F>(-1.9515295891E-4f);
  s = fused(s, z, all<F>(8.3321608736E-3f));
  s = fused(s, z, all<F>(-1.6666654611E-1f));
  s = s * z;
  s = fused(s, x, x);
  sine = __builtin_bit_cast(
      F, __builtin_bit_cast(U, swapped ? c : s) ^ sineSign);
  cosine = __builtin_bit_cast(
      F, __builtin_bit_cast(U, swapped ? s : c) ^ cosineSign);
}

/// Two words become two normals.
template <typename L>
EVOX_INLINE void boxMuller(typename L::U a, typename L::U b, float mean,
                           float std, typename L::F &first,
                           typename L::F &second) {
  using F = typename L::F;
  auto unit = [](typename L::U w) {
    return converted<F>(__builtin_bit_cast(typename L::I, w & 0xffffffu)) *
           0x1p-24f;
  };
  F radius =
      __builtin_elementwise_sqrt(-2.0f * cephesLog<L>(1.0f - unit(a)));
  F sine, cosine;
  cephesSinCos<L>(float(kTwoPi) * unit(b), sine, cosine);
  first = fused(radius * cosine, all<F>(std), all<F>(mean));
  second = fused(radius * sine, all<F>(std), all<F>(mean));
}

// PyTorch's blocks of 16: uniform j and j + 8 make normals j and j + 8.
EVOX_INLINE void normalBlocksNarrow(const uint32_t *__restrict w,
                                    float *__restrict out, int64_t blocks,
                                    float mean, float std) {
  using Eight = Many<8>;
  for (int64_t b = 0; b < blocks; ++b, w += 16, out += 16) {
    Eight::F first, second;
    boxMuller<Eight>(load<Eight::U>(w), load<Eight::U>(w + 8), mean, std, first,
                     second);
    store(out, first);
    store(out + 8, second);
  }
}
// Two blocks fill registers of 16.
EVOX_INLINE void normalBlocksWide(const uint32_t *__restrict w,
                                  float *__restrict out, int64_t blocks,
                                  float mean, float std) {
  for (; blocks >= 2; blocks -= 2, w += 32, out += 32) {
    Words a = load<Words>(w), b = load<Words>(w + 16);
    Floats first, second;
    boxMuller<Many<16>>(
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19,
                                20, 21, 22, 23),
        __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26,
                                27, 28, 29, 30, 31),
        mean, std, first, second);
    store(out, __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7,
                                       16, 17, 18, 19, 20, 21, 22, 23));
    store(out + 16,
          __builtin_shufflevector(first, second, 8, 9, 10, 11, 12, 13, 14, 15,
                                  24, 25, 26, 27, 28, 29, 30, 31));
  }
  normalBlocksNarrow(w, out, blocks, mean, std);
}
EVOX_VARIANTS_OF(normalBlocks, normalBlocksWide, normalBlocksNarrow,
                 (const uint32_t *w, float *out, int64_t blocks, float mean,
                  float std),
                 (w, out, blocks, mean, std))

// Philox's pairs: uniform 2i and 2i + 1 make normals 2i and 2i + 1.
EVOX_INLINE void normalPairsImpl(const uint32_t *__restrict w,
                                 float *__restrict out, int64_t pairs,
                                 float mean, float std) {
  for (int64_t i = 0; i < pairs; ++i)
    boxMuller<One>(w[2 * i], w[2 * i + 1], mean, std, out[2 * i],
                   out[2 * i + 1]);
}
EVOX_VARIANTS(normalPairs,
              (const uint32_t *w, float *out, int64_t pairs, float mean,
               float std),
              (w, out, pairs, mean, std))

void boxMuller(double a, double b, double mean, double std, double &first,
               double &second) {
  double radius = std::sqrt(-2.0 * std::log(1.0 - a));
  double theta = kTwoPi * b;
  first = __builtin_fma(radius * std::cos(theta), std, mean);
  second = __builtin_fma(radius * std::sin(theta), std, mean);
}

void normalPairs(Isa, const uint32_t *w, double *out, int64_t pairs,
                 double mean, double std) {
  for (int64_t i = 0; i < pairs; ++i, w += 4, out += 2)
    boxMuller(unitDouble(w[0], w[1]), unitDouble(w[2], w[3]), mean, std, out[0],
              out[1]);
}
void normalPairs(Isa isa, const uint32_t *w, float *out, int64_t pairs,
                 float mean, float std) {
  normalPairs(isa)(w, out, pairs, mean, std);
}

void normalBlock(const uint32_t *w, double *out, double mean, double std) {
  for (int j = 0; j < 8; ++j)
    boxMuller(unitDouble(w[2 * j], w[2 * j + 1]),
              unitDouble(w[2 * j + 16], w[2 * j + 17]), mean, std, out[j],
              out[j + 8]);
}

template <typename F, typename T>
void convertFloats(const F *from, T *to, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = T(from[i]);
}

// 16 elements or more, of float, float16 or bfloat16.
template <typename T>
void torchNormalBlocks(Generator &g, T *out, int64_t n, float mean, float std) {
  auto transform = normalBlocks(g.isa);
  float values[Generator::kMostWords];
  auto put = [&](T *to, int64_t some) {
    const uint32_t *w = g.words(some);
    if constexpr (std::is_same_v<T, float>) {
      transform(w, to, some / 16, mean, std);
    } else {
      transform(w, values, some / 16, mean, std);
      convertFloats(values, to, some);
    }
  };
  int64_t whole = n & ~int64_t(15);
  for (int64_t done = 0; done < whole;) {
    int64_t some = atMost(whole - done, g.ready(16));
    put(out + done, some);
    done += some;
  }
  if (whole == n)
    return;
  // The last 16 elements are drawn anew. float has also drawn the uniforms of
  // the tail, in vain.
  if (std::is_same_v<T, float>)
    g.words(n - whole);
  put(out + n - 16, 16);
}

void torchNormalBlocks(Generator &g, double *out, int64_t n, double mean,
                       double std) {
  int64_t whole = n & ~int64_t(15);
  for (int64_t done = 0; done < whole; done += 16)
    normalBlock(g.words(32), out + done, mean, std);
  if (whole == n)
    return;
  g.words(2 * (n - whole));
  normalBlock(g.words(32), out + n - 16, mean, std);
}

/// A draw of PyTorch's by threads: whoever takes the next piece keeps where the
/// generator is and sends it on, which takes a tenth of what the numbers take.
template <typename T> struct PiecesInTurn {
  Generator &g;
  T *out;
  int64_t n; // a multiple of 16
  T mean, std;
  pthread_mutex_t turn;
  int64_t next;

  static constexpr int64_t kWords = sizeof(T) / 4; // of an element
  static void run(void *arg, int64_t) {
    auto *self = static_cast<PiecesInTurn *>(arg);
    Generator &g = self->g;
    pthread_mutex_lock(&self->turn);
    int64_t first = self->next, some = atMost(kPerTask, self->n - first);
    self->next += some;
    Mersenne own = g.twister;
    g.twister.skip(g.isa, kWords * some);
    pthread_mutex_unlock(&self->turn);
    self->draw(own, self->out + first, some);
  }
  void draw(Mersenne &own, T *to, int64_t some) {
    alignas(64) uint32_t w[512];
    constexpr int64_t kPiece = 512 / kWords;
    for (int64_t i = 0; i < some; i += kPiece) {
      int64_t now = atMost(kPiece, some - i);
      own.words(g.isa, w, kWords * now);
      if constexpr (kWords == 1)
        normalBlocks(g.isa)(w, to + i, now / 16, mean, std);
      else
        for (int64_t j = 0; j < now; j += 16)
          normalBlock(w + 2 * j, to + i + j, mean, std);
    }
  }
};

/// The same with threads, where there are enough elements for them.
template <typename T>
bool torchNormalThreads(evox_ctx *ctx, T *out, int64_t n, T mean, T std) {
  Generator &g = instanceOf(ctx)->generator;
  if (!hasThreads(ctx) || n < 2 * kPerTask)
    return false;
  int64_t whole = n & ~int64_t(15);
  PiecesInTurn<T> work{g, out, whole, mean, std, PTHREAD_MUTEX_INITIALIZER, 0};
  g.fresh = false;
  evox_rt_parallel(ctx, PiecesInTurn<T>::run, &work,
                   (whole + kPerTask - 1) / kPerTask);
  if (whole != n) { // as above
    g.skip(work.kWords * (n - whole));
    work.draw(g.twister, out + n - 16, 16);
  }
  return true;
}

// Fewer than 16: pairs in double precision, of which the second one is kept
// for the next draw, of whatever type.
template <typename T>
void torchNormalFew(Generator &g, T *out, int64_t n, double mean, double std) {
  for (int64_t i = 0; i < n; ++i) {
    double value;
    if (g.hasNormal) {
      value = g.normal;
      g.hasNormal = false;
      g.normal = 0;
    } else {
      const uint32_t *w = g.words(4);
      double u1 = unitDouble(w[0], w[1]), u2 = unitDouble(w[2], w[3]);
      double radius = std::sqrt(-2.0 * std::log1p(-u2));
      double theta = kTwoPi * u1;
      g.normal = radius * std::sin(theta);
      g.hasNormal = true;
      value = radius * std::cos(theta);
    }
    out[i] = fromDouble<T>(__builtin_fma(value, std, mean));
  }
}

/// An element of philox needs no other.
template <typename T>
void philoxNormal(evox_ctx *ctx, T *out, int64_t n, double mean, double std) {
  using Math = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Generator &g = instanceOf(ctx)->generator;
  auto piece = [&g, out, mean, std](int64_t first, int64_t some) {
    constexpr int64_t kWords = sizeof(Math) / 4; // of an element
    alignas(64) uint32_t w[512 * kWords];
    Math values[512];
    int64_t pairs = (some + 1) / 2;
    g.philoxBlocks(w, first * kWords / 4, (some * kWords + 3) / 4);
    bool direct = std::is_same_v<T, Math> && some % 2 == 0;
    Math *to = direct ? reinterpret_cast<Math *>(out + first) : values;
    normalPairs(g.isa, w, to, pairs, Math(mean), Math(std));
    if (!direct)
      convertFloats(values, out + first, some);
  };
  if (hasThreads(ctx) && n >= 2 * kPerTask)
    return inPieces(ctx, n, piece);
  for (int64_t i = 0; i < n; i += 512)
    piece(i, atMost(512, n - i));
}

template <typename T>
void normal(evox_ctx *ctx, T *out, int64_t n, double mean, double std) {
  using Math = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Generator &g = instanceOf(ctx)->generator;
  if (g.kind == EVOX_RNG_PHILOX)
    return philoxNormal(ctx, out, n, mean, std);
  if (n < 16)
    return torchNormalFew(g, out, n, mean, std);
  if constexpr (std::is_same_v<T, Math>)
    if (torchNormalThreads(ctx, out, n, Math(mean), Math(std)))
      return;
  torchNormalBlocks(g, out, n, Math(mean), Math(std));
}

//===-- integers ----------------------------------------------------------===//

// word % range for range < 2^28, by way of double: exact but for the last step.
EVOX_INLINE void remaindersImpl(const uint32_t *__restrict w,
                                int64_t *__restrict out, int64_t n,
                                uint32_t range, int64_t low) {
  double divisor = double(range), inverse = 1.0 / divisor;
  for (int64_t i = 0; i < n; ++i) {
    double x = double(w[i]);
    double rest = x - __builtin_floor(x * inverse) * divisor;
    rest = rest < 0 ? rest + divisor : rest;
    rest = rest >= divisor ? rest - divisor : rest;
    out[i] = int64_t(int32_t(rest)) + low;
  }
}
EVOX_VARIANTS(remainders,
              (const uint32_t *w, int64_t *out, int64_t n, uint32_t range,
               int64_t low),
              (w, out, n, range, low))

// PyTorch moves bounds that the type can't tell from their neighbours.
template <typename T, int Digits>
void narrowBounds(int64_t &low, int64_t &high) {
  auto log2 = [](int64_t x) {
    x = x < 0 ? -x : x;
    int n = 0;
    while (x >>= 1)
      ++n;
    return n;
  };
  auto through = [](int64_t x) {
    Opmath<T> y = fromInteger<T>(x);
    bool fits = y >= -0x1p63f && y < 0x1p63f;
    return fits ? int64_t(y) : INT64_MIN; // as the processor converts
  };
  int64_t next = through(low + 1);
  if (next < low)
    low = next + (int64_t(1) << (log2(low + 1) - Digits + 1));
  int64_t last = through(high - 1);
  if (last >= high)
    high = last - (int64_t(1) << (log2(high - 1) - Digits + 1));
}

template <typename T>
void checkFits(evox_ctx *ctx, int32_t dtype, int64_t low, int64_t last) {
  double least = 0, most = 1;
  if constexpr (std::is_same_v<T, Half>)
    least = -(most = 65504.0);
  else if constexpr (isFloat<T>)
    return; // every int64
  else if constexpr (!std::is_same_v<T, Bool>) {
    least = double(std::numeric_limits<T>::lowest());
    most = double(std::numeric_limits<T>::max());
  }
  if (double(low) < least || double(last) > most)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "integers: from %lld to %lld is more than %s holds",
         static_cast<long long>(low), static_cast<long long>(last),
         nameOf(dtype));
}

template <typename T>
void integers(Generator &g, T *out, int64_t n, int64_t low, int64_t high) {
  uint64_t range = uint64_t(high) - uint64_t(low);
  if (range >= uint64_t(1) << 28) {
    for (int64_t done = 0; done < n;) {
      int64_t some = atMost(n - done, g.ready(4) / 2);
      const uint32_t *w = g.words(2 * some);
      for (int64_t i = 0; i < some; ++i) {
        uint64_t r = uint64_t(w[2 * i]) << 32 | w[2 * i + 1];
        out[done + i] = fromInteger<T>(int64_t(r % range + uint64_t(low)));
      }
      done += some;
    }
    return;
  }
  auto reduce = remainders(g.isa);
  int64_t values[Generator::kMostWords];
  for (int64_t done = 0; done < n;) {
    int64_t some = atMost(n - done, g.ready(4));
    const uint32_t *w = g.words(some);
    if constexpr (std::is_same_v<T, int64_t>) {
      reduce(w, out + done, some, uint32_t(range), low);
    } else {
      reduce(w, values, some, uint32_t(range), low);
      for (int64_t i = 0; i < some; ++i)
        out[done + i] = fromInteger<T>(values[i]);
    }
    done += some;
  }
}

//===-- permutation -------------------------------------------------------===//

template <typename T> void permutation(Generator &g, T *out, int64_t n) {
  if (n < int64_t(UINT32_MAX / 20)) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = fromInteger<T>(i);
    for (int64_t i = 0; i < n - 1;) {
      int64_t some = atMost(n - 1 - i, g.ready(4));
      const uint32_t *w = g.words(some);
      for (int64_t j = 0; j < some; ++j, ++i) {
        int64_t z = i + w[j] % uint32_t(n - i);
        T kept = out[i];
        out[i] = out[z];
        out[z] = kept;
      }
    }
    return;
  }
  for (int64_t i = 0; i < n;) {
    int64_t some = atMost(n - i, g.ready(4) / 2);
    const uint32_t *w = g.words(2 * some);
    for (int64_t j = 0; j < some; ++j, ++i) {
      uint64_t r = uint64_t(w[2 * j]) << 32 | w[2 * j + 1];
      int64_t z = int64_t(r % uint64_t(i + 1));
      out[i] = fromInteger<T>(i);
      out[i] = out[z];
      out[z] = fromInteger<T>(i);
    }
  }
}

//===-- bernoulli ---------------------------------------------------------===//

// Writes up to kMostWords bytes at a time, for the caller to convert.
template <typename P, typename F>
void bernoulli(evox_ctx *ctx, const evox_view &p, int64_t n, F convert) {
  Generator &g = generatorOf(ctx);
  constexpr bool isDouble = std::is_same_v<P, double>;
  constexpr int64_t each = isDouble ? 2 : 1;
  int64_t index[EVOX_MAX_RANK] = {};
  const P *at = static_cast<const P *>(p.data);
  uint8_t drawn[Generator::kMostWords];
  for (int64_t done = 0; done < n;) {
    int64_t some = atMost(n - done, g.ready(4) / each);
    const uint32_t *w = g.words(some * each);
    for (int64_t i = 0; i < some; ++i) {
      double chance = double(Opmath<P>(*at));
      if (!(chance >= 0 && chance <= 1))
        fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
             "bernoulli: expected a probability between 0 and 1, got %g",
             chance);
      double u = isDouble ? unitDouble(w[each * i], w[each * i + each - 1])
                          : double(unitFloat(w[i]));
      drawn[i] = u < chance;
      for (int32_t d = p.rank; d-- > 0;) {
        at += p.strides[d];
        if (++index[d] < p.shape[d])
          break;
        at -= p.strides[d] * p.shape[d];
        index[d] = 0;
      }
    }
    convert(done, drawn, some);
    done += some;
  }
}

} // namespace

//===-- the kernels -------------------------------------------------------===//

extern "C" void evox_k_random_normal(evox_ctx *ctx, const evox_view *out,
                                     double mean, double std) {
  Generator &g = generatorOf(ctx);
  int64_t n = countOf(*out);
  if (!(std >= 0))
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "normal: expected a standard deviation of 0 or more, got %g", std);
  g.beginDraw();
  switch (out->dtype) {
  case EVOX_FLOAT32:
    normal(ctx, static_cast<float *>(out->data), n, mean, std);
    break;
  case EVOX_FLOAT64:
    normal(ctx, static_cast<double *>(out->data), n, mean, std);
    break;
  case EVOX_FLOAT16:
    normal(ctx, static_cast<Half *>(out->data), n, mean, std);
    break;
  case EVOX_BFLOAT16:
    normal(ctx, static_cast<BFloat *>(out->data), n, mean, std);
    break;
  default:
    badDtype(ctx, "normal", out->dtype);
  }
  g.endDraw();
}

extern "C" void evox_k_random_integers(evox_ctx *ctx, const evox_view *out,
                                       int64_t low, int64_t high) {
  Generator &g = generatorOf(ctx);
  int64_t n = countOf(*out);
  auto check = [&] {
    if (low >= high)
      fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
           "integers: expected low < high, got low=%lld, high=%lld",
           static_cast<long long>(low), static_cast<long long>(high));
  };
  check();
  if (n == 0)
    return;
  g.beginDraw();
  bool known = dispatch(out->dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    checkFits<T>(ctx, out->dtype, low, high - 1);
    if constexpr (std::is_same_v<T, float>)
      narrowBounds<T, 24>(low, high);
    else if constexpr (std::is_same_v<T, double>)
      narrowBounds<T, 53>(low, high);
    else if constexpr (std::is_same_v<T, Half>)
      narrowBounds<T, 11>(low, high);
    else if constexpr (std::is_same_v<T, BFloat>)
      narrowBounds<T, 8>(low, high);
    check();
    integers(g, static_cast<T *>(out->data), n, low, high);
  });
  if (!known)
    badDtype(ctx, "integers", out->dtype);
  g.endDraw();
}

extern "C" void evox_k_random_permutation(evox_ctx *ctx, const evox_view *out) {
  Generator &g = generatorOf(ctx);
  g.beginDraw();
  bool known = dispatch(out->dtype, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    permutation(g, static_cast<T *>(out->data), countOf(*out));
  });
  if (!known)
    badDtype(ctx, "permutation", out->dtype);
  g.endDraw();
}

extern "C" void evox_k_random_exponential(evox_ctx *ctx, const evox_view *out,
                                          double rate) {
  Generator &g = generatorOf(ctx);
  int64_t n = countOf(*out);
  if (!(rate > 0))
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "exponential: expected a rate above 0, got %g", rate);
  g.beginDraw();
  auto draw = [&](auto *data) {
    using T = std::remove_pointer_t<decltype(data)>;
    for (int64_t done = 0; done < n;) {
      int64_t some = atMost(n - done, g.ready(4) / 2);
      const uint32_t *w = g.words(2 * some);
      for (int64_t i = 0; i < some; ++i)
        data[done + i] = fromDouble<T>(
            -1.0 / rate * std::log1p(-unitDouble(w[2 * i], w[2 * i + 1])));
      done += some;
    }
  };
  switch (out->dtype) {
  case EVOX_FLOAT32:
    draw(static_cast<float *>(out->data));
    break;
  case EVOX_FLOAT64:
    draw(static_cast<double *>(out->data));
    break;
  case EVOX_FLOAT16:
    draw(static_cast<Half *>(out->data));
    break;
  case EVOX_BFLOAT16:
    draw(static_cast<BFloat *>(out->data));
    break;
  default:
    badDtype(ctx, "exponential", out->dtype);
  }
  g.endDraw();
}

extern "C" void evox_k_random_bernoulli(evox_ctx *ctx, const evox_view *p,
                                        const evox_view *out) {
  Generator &g = generatorOf(ctx);
  int64_t n = countOf(*out);
  g.beginDraw();
  if (!dispatch(out->dtype, [](auto) {}))
    badDtype(ctx, "bernoulli", out->dtype);
  auto convert = [&](int64_t done, const uint8_t *drawn, int64_t some) {
    dispatch(out->dtype, [&](auto tag) {
      using T = typename decltype(tag)::Type;
      T *to = static_cast<T *>(out->data) + done;
      T zero = fromInteger<T>(0), one = fromInteger<T>(1);
      for (int64_t i = 0; i < some; ++i)
        to[i] = drawn[i] ? one : zero;
    });
  };
  auto draw = [&](auto tag) {
    bernoulli<typename decltype(tag)::Type>(ctx, *p, n, convert);
  };
  switch (p->dtype) {
  case EVOX_FLOAT32:
    draw(Tag<float>());
    break;
  case EVOX_FLOAT64:
    draw(Tag<double>());
    break;
  case EVOX_FLOAT16:
    draw(Tag<Half>());
    break;
  case EVOX_BFLOAT16:
    draw(Tag<BFloat>());
    break;
  default:
    badDtype(ctx, "bernoulli with a probability", p->dtype);
  }
  g.endDraw();
}
