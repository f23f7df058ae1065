//===- Generator.h - The generators of random words -------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two generators that give 32-bit words.
//
// torch: MT19937 as PyTorch's CPU generator has it; one stream, in order. Its
// state in bytes is that of torch.get_rng_state(): 5056 bytes.
//
// philox: Philox 4x32-10, with no state but the seed and the number of draws
// so far. Word j of draw k (one draw is one call of a kernel; seeding sets k
// to 0) is word j % 4 of the block
//
//     philox4x32_10(counter = (lo32(j / 4), hi32(j / 4), lo32(k), hi32(k)),
//                   key = (lo32(seed), hi32(seed)))
//
// An element of up to 32 bits takes word i of its draw, one of 64 bits the
// words 2i (high half) and 2i + 1. Normal draws take theirs in pairs: element
// 2i is the cosine and 2i + 1 the sine of elements 2i and 2i + 1 of uniform
// draws. Its state in bytes is seed and k: 16 bytes.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_GENERATOR_H
#define EVOX_LIB_RUNTIME_GENERATOR_H

#include "Mersenne.h"

#include <cstdint>

namespace evox::rt {

constexpr uint64_t kDefaultSeed = 67280421310721; // PyTorch's
constexpr int32_t kTorchStateBytes = 5056;
constexpr int32_t kPhiloxStateBytes = 16;
constexpr int32_t kMostStateBytes = kTorchStateBytes;

/// What the processor can do; the kernels have a variant for each, with the
/// same results.
enum class Isa : int32_t { Base, Avx2, Avx512 };
Isa detectIsa();

struct Generator {
  /// The most words that can be asked for at once.
  static constexpr int64_t kMostWords = 1024;

  int32_t kind; // EVOX_RNG_*
  Isa isa;
  uint64_t seed;

  // --- torch
  bool fresh; // no word was drawn since seeding
  bool hasNormal;
  double normal; // the second of the last pair of scalar normal draws
  Mersenne twister;
  // The words of a draw in parts that `twister` has yet to go past: who makes
  // the last part knows what comes behind it, so mostly nobody need skip them.
  int64_t behind;
  const void *lender;

  // --- philox
  uint64_t draw; // the next one's number
  int64_t word;  // the next word within the draw, a multiple of 4 at rest

  alignas(64) uint32_t buffer[kMostWords + 16];

  void setSeed(uint64_t newSeed);
  /// Before and after the words of one kernel call.
  void beginDraw() { word = 0; }
  void endDraw() { draw += kind != 0; }
  /// The next n words, n <= kMostWords, valid until the next call. But for
  /// the last time in a draw, philox takes n to be a multiple of 4.
  const uint32_t *words(int64_t n);
  /// Those of philox's draw k of a seed from element `first` on.
  static void philoxFloats(Isa isa, float *out, int64_t first, int64_t n,
                           uint64_t k, uint64_t seed);
  static void philoxDoubles(Isa isa, double *out, int64_t first, int64_t n,
                            uint64_t k, uint64_t seed);
  /// The words of some blocks of philox's present draw.
  void philoxBlocks(uint32_t *out, int64_t first, int64_t blocks) const;
  /// The next n numbers in [0, 1), of any n.
  void floats(float *out, int64_t n);
  void doubles(double *out, int64_t n);
  /// Goes on behind n words of a draw (torch).
  void skip(int64_t n);
  /// Before anything but a part is drawn, and before the state is looked at.
  void settle() {
    if (behind)
      twister.skip(isa, behind);
    behind = 0;
    lender = nullptr;
  }
  /// How many words are best asked for at once; a multiple of `unit`.
  int64_t ready(int64_t unit) const {
    constexpr int32_t block = Mersenne::kBlock;
    int64_t n = kMostWords;
    if (kind == 0)
      n = twister.at == block ? block : block - twister.at;
    n -= n % unit;
    return n ? n : unit;
  }

  int32_t stateBytes() const {
    return kind == 0 ? kTorchStateBytes : kPhiloxStateBytes;
  }
  void getState(unsigned char *bytes) const;
  /// False, with nothing changed, where the bytes aren't a state.
  bool setState(const unsigned char *bytes);
};

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_GENERATOR_H
