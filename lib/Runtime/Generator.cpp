//===- Generator.cpp - The generators of random words ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "Isa.h"
#include "Vectors.h"
#include "evox/Runtime/Program.h"

#include <cstring>

using namespace evox::rt;

namespace {

//===-- Philox ------------------------------------------------------------===//

constexpr int64_t kBlocks = 8; // in vectors of 64-bit lanes
constexpr Longs kCount = {0, 1, 2, 3, 4, 5, 6, 7};

/// The words of N times eight blocks from `first` on. Counters are the low
/// halves of 64-bit lanes, whose high halves hold whatever the last product
/// left there: products read the low halves only, and so do the words. Rounds
/// wait for each other, so there are N chains of them.
template <int N>
EVOX_INLINE void philoxWords(uint64_t first, uint64_t draw, uint64_t seed,
                             Words (&words)[2 * N]) {
  constexpr uint64_t low = 0xffffffff;
  Longs c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; ++i) {
    c0[i] = kCount + (first + uint64_t(kBlocks * i));
    c1[i] = c0[i] >> 32;
    c2[i] = Longs{} + (draw & low);
    c3[i] = Longs{} + (draw >> 32);
  }
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < N; ++i) {
      Longs p0 = (c0[i] & low) * 0xD2511F53u;
      Longs p1 = (c2[i] & low) * 0xCD9E8D57u;
      c0[i] = p1 >> 32 ^ c1[i] ^ k0;
      c2[i] = p0 >> 32 ^ c3[i] ^ k1;
      c1[i] = p1;
      c3[i] = p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < N; ++i) {
    Longs even = (c0[i] & low) | c1[i] << 32, odd = (c2[i] & low) | c3[i] << 32;
    words[2 * i] =
        (Words)__builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
    words[2 * i + 1] =
        (Words)__builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
  }
}

EVOX_INLINE void put(uint32_t *out, const Words &w) { store(out, w); }
EVOX_INLINE void put(float *out, const Words &w) { store(out, unitFloats(w)); }
EVOX_INLINE void put(double *out, const Words &w) {
  store(out, unitDoubles(w));
}

/// Groups of N vectors' blocks, as long as they are whole; where it ends.
template <int N, typename T>
EVOX_INLINE int64_t philoxWhole(T *__restrict out, int64_t at, int64_t first,
                                int64_t n, uint64_t draw, uint64_t seed) {
  constexpr int64_t each = sizeof(T) / 4, lanes = 16 / each;
  for (; at + 2 * N * lanes <= n; at += 2 * N * lanes) {
    Words words[2 * N];
    philoxWords<N>(uint64_t(first + at) * each / 4, draw, seed, words);
    for (int i = 0; i < 2 * N; ++i)
      put(out + at + i * lanes, words[i]);
  }
  return at;
}

/// The n elements of a draw from `first` on, which is the first of a block.
template <int N, typename T>
EVOX_INLINE void philox(T *__restrict out, int64_t first, int64_t n,
                        uint64_t draw, uint64_t seed) {
  constexpr int64_t each = sizeof(T) / 4, lanes = 16 / each;
  int64_t at = 0;
  if constexpr (N > 2)
    at = philoxWhole<N>(out, at, first, n, draw, seed);
  if constexpr (N > 1)
    at = philoxWhole<2>(out, at, first, n, draw, seed);
  at = philoxWhole<1>(out, at, first, n, draw, seed);
  if (at == n)
    return;
  Words words[2];
  philoxWords<1>(uint64_t(first + at) * each / 4, draw, seed, words);
  T rest[2 * lanes];
  put(rest, words[0]);
  put(rest + lanes, words[1]);
  std::memcpy(out + at, rest, size_t(n - at) * sizeof(T));
}
EVOX_VARIANTS_OF(toWords, philox<4>, philox<1>,
                 (uint32_t *out, int64_t first, int64_t n, uint64_t draw,
                  uint64_t seed),
                 (out, first, n, draw, seed))
EVOX_VARIANTS_OF(toFloats, philox<4>, philox<1>,
                 (float *out, int64_t first, int64_t n, uint64_t draw,
                  uint64_t seed),
                 (out, first, n, draw, seed))
EVOX_VARIANTS_OF(toDoubles, philox<4>, philox<1>,
                 (double *out, int64_t first, int64_t n, uint64_t draw,
                  uint64_t seed),
                 (out, first, n, draw, seed))

void put64(unsigned char *at, uint64_t value) { std::memcpy(at, &value, 8); }
uint64_t get64(const unsigned char *at) {
  uint64_t value;
  std::memcpy(&value, at, 8);
  return value;
}

} // namespace

//===-- Generator ---------------------------------------------------------===//

void Generator::setSeed(uint64_t newSeed) {
  seed = newSeed;
  hasNormal = false;
  normal = 0;
  draw = 0;
  word = 0;
  fresh = true;
  twister.seed(uint32_t(newSeed));
  behind = 0;
  lender = nullptr;
}

void Generator::philoxBlocks(uint32_t *out, int64_t first,
                             int64_t blocks) const {
  toWords(isa)(out, 4 * first, 4 * blocks, draw, seed);
}

// A block may hold the end of the elements before `first`.
void Generator::philoxFloats(Isa isa, float *out, int64_t first, int64_t n,
                             uint64_t k, uint64_t seed) {
  if (int64_t skipped = first % 4) {
    float ahead[4];
    toFloats(isa)(ahead, first - skipped, 4, k, seed);
    int64_t some = n < 4 - skipped ? n : 4 - skipped;
    std::memcpy(out, ahead + skipped, size_t(some) * 4);
    first += some, out += some, n -= some;
  }
  toFloats(isa)(out, first, n, k, seed);
}

void Generator::philoxDoubles(Isa isa, double *out, int64_t first, int64_t n,
                              uint64_t k, uint64_t seed) {
  if (n > 0 && first % 2) {
    double ahead[2];
    toDoubles(isa)(ahead, first - 1, 2, k, seed);
    *out++ = ahead[1];
    ++first, --n;
  }
  toDoubles(isa)(out, first, n, k, seed);
}

const uint32_t *Generator::words(int64_t n) {
  if (kind == EVOX_RNG_PHILOX) {
    int64_t blocks = (n + 3) / 4;
    toWords(isa)(buffer, word, 4 * blocks, draw, seed);
    word += blocks * 4;
    return buffer;
  }
  fresh &= n == 0;
  twister.words(isa, buffer, n);
  return buffer;
}

void Generator::floats(float *out, int64_t n) {
  if (kind == EVOX_RNG_PHILOX)
    return philoxFloats(isa, out, 0, n, draw, seed);
  fresh &= n == 0;
  twister.floats(isa, out, n);
}

void Generator::doubles(double *out, int64_t n) {
  if (kind == EVOX_RNG_PHILOX)
    return philoxDoubles(isa, out, 0, n, draw, seed);
  fresh &= n == 0;
  twister.doubles(isa, out, n);
}

void Generator::skip(int64_t n) {
  fresh &= n == 0;
  twister.skip(isa, n);
}

//===-- the state in bytes ------------------------------------------------===//

// As at::CPUGeneratorImplState: seed (8), left (4), seeded (4), next (8), 624
// words in 8 bytes each, then three doubles, of which the second is the kept
// normal draw, and whether it is one (4), with zeros up to the end.
static constexpr int kBlock = Mersenne::kBlock;
static constexpr int kNormalAt = 24 + 8 * kBlock;

void Generator::getState(unsigned char *bytes) const {
  if (kind == EVOX_RNG_PHILOX) {
    put64(bytes, seed);
    put64(bytes + 8, draw);
    return;
  }
  std::memset(bytes, 0, kTorchStateBytes);
  put64(bytes, seed);
  int32_t left = fresh ? 1 : kBlock + 1 - twister.at;
  int32_t seeded = 1;
  std::memcpy(bytes + 8, &left, 4);
  std::memcpy(bytes + 12, &seeded, 4);
  put64(bytes + 16, fresh ? 0 : uint64_t(twister.at));
  for (int i = 0; i < kBlock; ++i)
    put64(bytes + 24 + 8 * i, twister.state[i]);
  std::memcpy(bytes + kNormalAt + 8, &normal, 8);
  int32_t valid = hasNormal;
  std::memcpy(bytes + kNormalAt + 24, &valid, 4);
}

bool Generator::setState(const unsigned char *bytes) {
  if (kind == EVOX_RNG_PHILOX) {
    seed = get64(bytes);
    draw = get64(bytes + 8);
    return true;
  }
  int32_t left, seeded, valid;
  std::memcpy(&left, bytes + 8, 4);
  std::memcpy(&seeded, bytes + 12, 4);
  std::memcpy(&valid, bytes + kNormalAt + 24, 4);
  uint64_t next = get64(bytes + 16);
  bool unused = left == 1 && next == 0;
  if (seeded != 1 || (valid != 0 && valid != 1) || left < 1 || left > kBlock ||
      (!unused && next + uint64_t(left) != kBlock + 1))
    return false;
  for (int i = 0; i < kBlock; ++i)
    if (get64(bytes + 24 + 8 * i) >> 32)
      return false;
  seed = get64(bytes);
  fresh = unused;
  twister.at = unused ? kBlock : int32_t(next);
  behind = 0;
  lender = nullptr;
  for (int i = 0; i < kBlock; ++i)
    twister.state[i] = uint32_t(get64(bytes + 24 + 8 * i));
  hasNormal = valid;
  std::memcpy(&normal, bytes + kNormalAt + 8, 8);
  if (!hasNormal)
    normal = 0;
  return true;
}
