//===- Processor.cpp - What this processor can do -------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include "evox/Runtime/CpuFeatures.h"

#include <cstdlib>
#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
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
  return Isa::Base; // NEON is part of it
#endif
}

//===-- features ----------------------------------------------------------===//

namespace {

#if defined(__x86_64__)
// In a virtual machine each cpuid costs microseconds, so each leaf is asked for
// once.
struct CpuId {
  struct {
    unsigned leaf, subleaf, a, b, c, d;
  } leaves[4] = {{0x1, 0, 0, 0, 0, 0},
                 {0x7, 0, 0, 0, 0, 0},
                 {0x7, 1, 0, 0, 0, 0},
                 {0x80000001, 0, 0, 0, 0, 0}};
  unsigned kept = 0; // the registers that the system saves

  CpuId() {
    for (auto &leaf : leaves)
      if (!__get_cpuid_count(leaf.leaf, leaf.subleaf, &leaf.a, &leaf.b, &leaf.c,
                             &leaf.d))
        leaf.a = leaf.b = leaf.c = leaf.d = 0;
    unsigned high;
    if (leaves[0].c >> 27 & 1)
      __asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
  }

  unsigned word(unsigned leaf, unsigned subleaf, char name) const {
    for (auto &l : leaves)
      if (l.leaf == leaf && l.subleaf == subleaf)
        return name == 'a' ? l.a : name == 'b' ? l.b : name == 'c' ? l.c : l.d;
    return 0;
  }
};
#endif

/// Calls fn(name, whether it is there) for each of this architecture's.
template <typename Fn> void forEachFeature(Fn fn) {
#if defined(__x86_64__)
  CpuId id;
#define EVOX_FEATURE(name, leaf, subleaf, reg, bit, xcr0)                      \
  fn(name, (id.word(leaf, subleaf, #reg[0]) >> bit & 1) &&                     \
               (id.kept & xcr0) == xcr0);
  EVOX_X86_FEATURES(EVOX_FEATURE)
#undef EVOX_FEATURE
#elif defined(__aarch64__)
  unsigned long words[] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
#define EVOX_FEATURE(name, word, bit) fn(name, words[word - 1] >> bit & 1);
  EVOX_AARCH64_FEATURES(EVOX_FEATURE)
#undef EVOX_FEATURE
#else
  (void)fn;
#endif
}

uint64_t presentFeatures() {
  uint64_t features = 0, bit = 1;
  forEachFeature([&](const char *, bool present) {
    features |= present ? bit : 0;
    bit <<= 1;
  });
  return features;
}

void addFeatures(Text &text, uint64_t features) {
  const char *separator = "";
  forEachFeature([&](const char *name, bool) {
    if (features & 1) {
      text.add("%s%s", separator, name);
      separator = ", ";
    }
    features >>= 1;
  });
  if (features)
    text.add("%swhat is not known here", separator);
}

void addNames(Text &text, const evox_program *program) {
  for (int32_t i = 0; i < program->n_variants; ++i)
    text.add("%s%s", i ? ", " : "", program->variants[i].cpu);
}

} // namespace

//===-- variants ----------------------------------------------------------===//

int32_t evox::rt::chooseVariant(const evox_program *program, Text &why) {
  uint64_t present = presentFeatures();
  const evox_variant *variants = program->variants;
  int32_t n = program->n_variants;
  if (const char *wanted = std::getenv("EVOX_CPU"); wanted && *wanted) {
    for (int32_t i = 0; i < n; ++i) {
      if (std::strcmp(variants[i].cpu, wanted) != 0)
        continue;
      uint64_t missing = variants[i].features & ~present;
      if (!missing)
        return i;
      why.add("EVOX_CPU is %s, but this processor lacks ", wanted);
      addFeatures(why, missing);
      return -1;
    }
    why.add("EVOX_CPU is '%s', but %s is compiled for: ", wanted, program->name);
    addNames(why, program);
    return -1;
  }
  for (int32_t i = 0; i < n; ++i)
    if (!(variants[i].features & ~present))
      return i;
  if (n == 1) {
    why.add("the library was compiled for a processor that has ");
    addFeatures(why, variants[0].features & ~present);
    why.add(", which this one lacks");
  } else {
    why.add("this processor can run none of the library's variants");
    for (int32_t i = 0; i < n; ++i) {
      why.add("%s%s needs ", i ? "; " : ": ", variants[i].cpu);
      addFeatures(why, variants[i].features & ~present);
    }
  }
#if defined(__aarch64__)
  why.add(": compile it here, or for both with --cpu=generic");
#else
  why.add(": compile it here, or for both with --cpu=%s",
          detectIsa() == Isa::Base ? "x86-64" : "x86-64-v3");
#endif
  return -1;
}
