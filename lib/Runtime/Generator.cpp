//===- Generator.cpp - The generators of random words ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "Isa.h"
#include "evox/Runtime/Program.h"

#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

using namespace evox::rt;

// Not __builtin_cpu_supports: it would add the compiler's own run-time
// library to what a program links.
Isa evox::rt::detectIsa() {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return Isa::Base;
  constexpr unsigned fma = 1u << 12, osxsave = 1u << 27;
  if ((c & (fma | osxsave)) != (fma | osxsave))
    return Isa::Base;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return Isa::Base;
  constexpr unsigned avx2 = 1u << 5 | 1u << 8; // and bmi2
  if ((low & 0x6) != 0x6 || (b & avx2) != avx2)
    return Isa::Base;
  constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  if ((low & 0xe6) != 0xe6 || (b & avx512) != avx512)
    return Isa::Avx2;
  return Isa::Avx512;
#else
  return Isa::Base;
#endif
}

//===-- MT19937 -----------------------------------------------------------===//

namespace {

constexpr int kN = Generator::kBlock, kM = 397;

EVOX_INLINE uint32_t twist(uint32_t u, uint32_t v) {
  return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^
         (0x9908b0dfu & (0u - (v & 1)));
}

// Word i needs word i + 397 of the old block up to i = 226 and word i - 227 of
// the new one after it, so in runs of 227 no word needs one of its own run,
// and each run vectorises.
EVOX_INLINE void refillBlockImpl(uint32_t *__restrict s,
                                 uint32_t *__restrict t) {
#pragma clang loop vectorize(assume_safety)
  for (int i = 0; i < kN - kM; ++i)
    s[i] = s[i + kM] ^ twist(s[i], s[i + 1]);
#pragma clang loop vectorize(assume_safety)
  for (int i = kN - kM; i < 2 * (kN - kM); ++i)
    s[i] = s[i + kM - kN] ^ twist(s[i], s[i + 1]);
#pragma clang loop vectorize(assume_safety)
  for (int i = 2 * (kN - kM); i < kN - 1; ++i)
    s[i] = s[i + kM - kN] ^ twist(s[i], s[i + 1]);
  s[kN - 1] = s[kM - 1] ^ twist(s[kN - 1], s[0]);
  for (int i = 0; i < kN; ++i) {
    uint32_t y = s[i];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    t[i] = y ^ (y >> 18);
  }
}
EVOX_VARIANTS(refillBlock, (uint32_t *s, uint32_t *t), (s, t))

//===-- Philox ------------------------------------------------------------===//

EVOX_INLINE void philoxImpl(uint32_t *__restrict out, int64_t first,
                            int64_t blocks, uint64_t draw, uint64_t seed) {
  for (int64_t i = 0; i < blocks; ++i) {
    uint64_t block = uint64_t(first + i);
    uint32_t c0 = uint32_t(block), c1 = uint32_t(block >> 32);
    uint32_t c2 = uint32_t(draw), c3 = uint32_t(draw >> 32);
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
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
EVOX_VARIANTS(philox,
              (uint32_t *out, int64_t first, int64_t blocks, uint64_t draw,
               uint64_t seed),
              (out, first, blocks, draw, seed))

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
  at = kBlock;
  state[0] = uint32_t(newSeed);
  for (uint32_t j = 1; j < uint32_t(kBlock); ++j)
    state[j] = 1812433253u * (state[j - 1] ^ (state[j - 1] >> 30)) + j;
}

void Generator::refill() {
  refillBlock(isa)(state, tempered);
  at = 0;
  fresh = false;
}

void Generator::philoxBlocks(uint32_t *out, int64_t first,
                             int64_t blocks) const {
  philox(isa)(out, first, blocks, draw, seed);
}

const uint32_t *Generator::words(int64_t n) {
  if (kind == EVOX_RNG_PHILOX) {
    int64_t blocks = (n + 3) / 4;
    philox(isa)(buffer, word / 4, blocks, draw, seed);
    word += blocks * 4;
    return buffer;
  }
  if (at == kBlock)
    refill();
  if (n <= kBlock - at) {
    const uint32_t *found = tempered + at;
    at += int32_t(n);
    return found;
  }
  for (int64_t done = 0; done < n;) {
    if (at == kBlock)
      refill();
    int64_t some = n - done < kBlock - at ? n - done : kBlock - at;
    std::memcpy(buffer + done, tempered + at, size_t(some) * 4);
    at += int32_t(some);
    done += some;
  }
  return buffer;
}

//===-- the state in bytes ------------------------------------------------===//

// As at::CPUGeneratorImplState: seed (8), left (4), seeded (4), next (8), 624
// words in 8 bytes each, then three doubles, of which the second is the kept
// normal draw, and whether it is one (4), with zeros up to the end.
static constexpr int kNormalAt = 24 + 8 * Generator::kBlock;

void Generator::getState(unsigned char *bytes) const {
  if (kind == EVOX_RNG_PHILOX) {
    put64(bytes, seed);
    put64(bytes + 8, draw);
    return;
  }
  std::memset(bytes, 0, kTorchStateBytes);
  put64(bytes, seed);
  int32_t left = fresh ? 1 : kBlock + 1 - at;
  int32_t seeded = 1;
  std::memcpy(bytes + 8, &left, 4);
  std::memcpy(bytes + 12, &seeded, 4);
  put64(bytes + 16, fresh ? 0 : uint64_t(at));
  for (int i = 0; i < kBlock; ++i)
    put64(bytes + 24 + 8 * i, state[i]);
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
  at = unused ? kBlock : int32_t(next);
  for (int i = 0; i < kBlock; ++i) {
    uint32_t y = uint32_t(get64(bytes + 24 + 8 * i));
    state[i] = y;
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    tempered[i] = y ^ (y >> 18);
  }
  hasNormal = valid;
  std::memcpy(&normal, bytes + kNormalAt + 8, 8);
  if (!hasNormal)
    normal = 0;
  return true;
}
