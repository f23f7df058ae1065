//===- Isa.h - Functions in variants for several processors -----*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// EVOX_VARIANTS(scale, (float *x, int64_t n), (x, n)) compiles the inline
// function scaleImpl once per instruction set; scale(isa)(x, n) calls it.
// EVOX_VARIANTS_OF has another function for processors with 32 registers of 64
// bytes than for the others. Contraction is off and every fused operation is written out, so all
// variants give the same bits.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_ISA_H
#define EVOX_LIB_RUNTIME_ISA_H

#include "Generator.h"

// Some are used in the variants of some architectures only.
#define EVOX_INLINE static inline __attribute__((always_inline, unused))

#if defined(__x86_64__)
#define EVOX_AVX2 __attribute__((target("avx2,fma,bmi2")))
#define EVOX_AVX512                                                            \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")))
#define EVOX_VARIANTS_OF(name, wide, narrow, parameters, arguments)            \
  static void name##Base parameters { narrow arguments; }                      \
  EVOX_AVX2 static void name##Avx2 parameters { narrow arguments; }            \
  EVOX_AVX512 static void name##Avx512 parameters { wide arguments; }          \
  EVOX_INLINE auto name(Isa isa) {                                             \
    return isa == Isa::Avx512 ? name##Avx512                                   \
           : isa == Isa::Avx2 ? name##Avx2                                     \
                              : name##Base;                                    \
  }
#else
#define EVOX_VARIANTS_OF(name, wide, narrow, parameters, arguments)            \
  static void name##Base parameters { narrow arguments; }                      \
  EVOX_INLINE auto name(Isa) { return name##Base; }
#endif
#define EVOX_VARIANTS(name, parameters, arguments)                             \
  EVOX_VARIANTS_OF(name, name##Impl, name##Impl, parameters, arguments)

#endif // EVOX_LIB_RUNTIME_ISA_H
