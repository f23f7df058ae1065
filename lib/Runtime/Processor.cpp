//===- Processor.cpp - What this processor can do ----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include "evox/Runtime/CpuFeatures.h"
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

#if defined(__x86_64__)
/// Whether the system keeps the vector registers that a feature needs.
static bool isKept(const char *name) {
  if (name[0] != 'a' || name[1] != 'v' || name[2] != 'x')
    return true;
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
    return false;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  unsigned wanted = name[3] == '5' ? 0xe6 : 0x6;
  return (low & wanted) == wanted;
}
#endif

const char *evox::rt::missingFeature(uint32_t features) {
#if defined(__x86_64__)
  uint32_t bit = 1;
#define EVOX_FEATURE(name, leaf, subleaf, reg, number)                         \
  if (features & bit) {                                                        \
    unsigned a = 0, b = 0, c = 0, d = 0;                                       \
    (void)b;                                                                   \
    if (!__get_cpuid_count(leaf, subleaf, &a, &b, &c, &d) ||                   \
        !(reg >> number & 1) || !isKept(name))                                 \
      return "the library was compiled for a processor that has " name         \
             ", which this one lacks: compile it here, or for both with "      \
             "--cpu=x86-64-v3";                                                \
  }                                                                            \
  bit <<= 1;
  EVOX_X86_FEATURES(EVOX_FEATURE)
#undef EVOX_FEATURE
#endif
  return nullptr;
}
