//===- Mersenne.cpp - PyTorch's generator ---------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mersenne.h"
#include "Isa.h"
#include "Vectors.h"

using namespace evox::rt;

namespace {

constexpr int kN = Mersenne::kBlock, kM = 397, kLanes = Mersenne::kLanes;

EVOX_INLINE Words next(Words here, Words after, Words middle) {
  Words y = (here & 0x80000000u) | (after & 0x7fffffffu);
  return middle ^ (y >> 1) ^ ((0 - (after & 1)) & 0x9908b0dfu);
}

EVOX_INLINE Words tempered(Words y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

EVOX_INLINE uint32_t tempered(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

// 624 is 39 vectors. Word i needs word i + 1 of the old block and word i + 397
// of the old one up to i = 226, word i - 227 of the new one after it: what lies
// beyond the end is in the copy of the first words behind it, which is of the
// new block when it is needed.
EVOX_INLINE void nextBlockImpl(uint32_t *s) {
  Words first = next(load<Words>(s), load<Words>(s + 1), load<Words>(s + kM));
  store(s, first);
  store(s + kN, first);
  for (int i = kLanes; i < 240; i += kLanes)
    store(s + i, next(load<Words>(s + i), load<Words>(s + i + 1),
                      load<Words>(s + i + kM)));
  for (int i = 240; i < kN; i += kLanes)
    store(s + i, next(load<Words>(s + i), load<Words>(s + i + 1),
                      load<Words>(s + i + kM - kN)));
}
EVOX_VARIANTS(nextBlock, (uint32_t * s), (s))

// The last vector overlaps the one before it: there is no rest to be done one
// by one, but where there is no vector at all.
EVOX_INLINE void temperImpl(const uint32_t *__restrict s,
                            uint32_t *__restrict out, int64_t n) {
  if (n < kLanes) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = tempered(s[i]);
    return;
  }
  int64_t last = n - kLanes;
  for (int64_t i = 0; i < last; i += kLanes)
    store(out + i, tempered(load<Words>(s + i)));
  store(out + last, tempered(load<Words>(s + last)));
}
EVOX_VARIANTS(temper, (const uint32_t *s, uint32_t *out, int64_t n),
              (s, out, n))

EVOX_INLINE void toFloatsImpl(const uint32_t *__restrict s,
                              float *__restrict out, int64_t n) {
  if (n < kLanes) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = unitFloat(tempered(s[i]));
    return;
  }
  int64_t last = n - kLanes;
  for (int64_t i = 0; i < last; i += kLanes)
    store(out + i, unitFloats(tempered(load<Words>(s + i))));
  store(out + last, unitFloats(tempered(load<Words>(s + last))));
}
EVOX_VARIANTS(toFloats, (const uint32_t *s, float *out, int64_t n),
              (s, out, n))

// Two words each.
EVOX_INLINE void toDoublesImpl(const uint32_t *__restrict s,
                               double *__restrict out, int64_t n) {
  constexpr int64_t each = kLanes / 2;
  if (n < each) {
    for (int64_t i = 0; i < n; ++i)
      out[i] = unitDouble(tempered(s[2 * i]), tempered(s[2 * i + 1]));
    return;
  }
  int64_t last = n - each;
  for (int64_t i = 0; i < last; i += each)
    store(out + i, unitDoubles(tempered(load<Words>(s + 2 * i))));
  store(out + last, unitDoubles(tempered(load<Words>(s + 2 * last))));
}
EVOX_VARIANTS(toDoubles, (const uint32_t *s, double *out, int64_t n),
              (s, out, n))

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

} // namespace

void Mersenne::seed(uint32_t seed) {
  state[0] = seed;
  for (uint32_t j = 1; j < uint32_t(kN); ++j)
    state[j] = 1812433253u * (state[j - 1] ^ (state[j - 1] >> 30)) + j;
  at = kN;
}

void Mersenne::refill(Isa isa) {
  nextBlock(isa)(state);
  at = 0;
}

void Mersenne::skip(Isa isa, int64_t n) {
  auto next = nextBlock(isa);
  for (; n > kN - at; at = 0) {
    n -= kN - at;
    next(state);
  }
  at += int32_t(n);
}

// make(words, out, n) makes n numbers of a word each.
template <typename T>
void Mersenne::draw(Isa isa, void (*make)(const uint32_t *, T *, int64_t),
                    T *out, int64_t n) {
  while (n > 0) {
    if (at == kN)
      refill(isa);
    int64_t some = least(n, kN - at);
    make(state + at, out, some);
    at += int32_t(some);
    out += some;
    n -= some;
  }
}

void Mersenne::words(Isa isa, uint32_t *out, int64_t n) {
  draw(isa, temper(isa), out, n);
}

void Mersenne::floats(Isa isa, float *out, int64_t n) {
  draw(isa, toFloats(isa), out, n);
}

void Mersenne::doubles(Isa isa, double *out, int64_t n) {
  auto make = toDoubles(isa);
  while (n > 0) {
    if (at == kN)
      refill(isa);
    int64_t some = least(n, (kN - at) / 2);
    if (!some) { // one word of this block, one of the next
      uint32_t high = tempered(state[kN - 1]);
      refill(isa);
      out[0] = unitDouble(high, tempered(state[0]));
      at = some = 1;
    } else {
      make(state + at, out, some);
      at += 2 * int32_t(some);
    }
    out += some;
    n -= some;
  }
}
