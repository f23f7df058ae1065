//===- Vectors.h - Vectors of words and of what they become -----*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of 64 bytes; where the processor has shorter ones, the compiler makes several
// of them. Only for functions that are inlined into variants (Isa.h).
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_VECTORS_H
#define EVOX_LIB_RUNTIME_VECTORS_H

#include "Isa.h"

#include <cstdint>
#include <cstring>

namespace evox::rt {

typedef uint32_t Words __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint64_t Longs __attribute__((vector_size(64)));
typedef int64_t SignedLongs __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(64)));

template <typename V> EVOX_INLINE V load(const void *from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <typename V> EVOX_INLINE void store(void *to, V v) {
  std::memcpy(to, &v, sizeof v);
}

/// PyTorch's numbers in [0, 1).
EVOX_INLINE float unitFloat(uint32_t word) {
  return float(int32_t(word & 0xffffff)) * 0x1p-24f;
}
EVOX_INLINE double unitDouble(uint32_t high, uint32_t low) {
  uint64_t bits = (uint64_t(high) << 32 | low) & ((uint64_t(1) << 53) - 1);
  return double(int64_t(bits)) * 0x1p-53;
}
EVOX_INLINE Floats unitFloats(Words w) {
  return __builtin_convertvector((Ints)(w & 0xffffffu), Floats) * 0x1p-24f;
}
/// The words come in pairs, the high one first.
EVOX_INLINE Doubles unitDoubles(Words w) {
  Longs pairs = (Longs)w;
  pairs = (pairs << 32 | pairs >> 32) & ((uint64_t(1) << 53) - 1);
  return __builtin_convertvector((SignedLongs)pairs, Doubles) * 0x1p-53;
}

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_VECTORS_H
