//===- Mersenne.h - PyTorch's generator -------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MT19937 in blocks of 624 words. What goes on from one block to the next is
// the recurrence alone, some 0.04 ns a word; what makes a number of a word
// (tempering, conversion) is done where the number is asked for. So it is cheap
// to skip numbers, which is what lets several places of the stream be drawn
// from at once.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_MERSENNE_H
#define EVOX_LIB_RUNTIME_MERSENNE_H

#include <cstdint>

namespace evox::rt {

enum class Isa : int32_t;

struct Mersenne {
  static constexpr int32_t kBlock = 624;
  /// A vector of words; the first ones of the block stand behind it once more.
  static constexpr int32_t kLanes = 16;

  alignas(64) uint32_t state[kBlock + kLanes];
  int32_t at; // the next word of the block

  void seed(uint32_t seed);
  void skip(Isa isa, int64_t n);
  /// The next n words.
  void words(Isa isa, uint32_t *out, int64_t n);
  /// Numbers in [0, 1): the low 24 bits of a word each, or the low 53 bits of
  /// two words.
  void floats(Isa isa, float *out, int64_t n);
  void doubles(Isa isa, double *out, int64_t n);

private:
  void refill(Isa isa);
  template <typename T>
  void draw(Isa isa, void (*make)(const uint32_t *, T *, int64_t), T *out,
            int64_t n);
};

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_MERSENNE_H
