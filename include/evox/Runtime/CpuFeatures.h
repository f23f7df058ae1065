/*===- CpuFeatures.h - What a library asks of a processor -------*- C -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bit i of `evox_variant.features` is the i-th row of the architecture's table:
// LLVM's name of the feature, and where the processor tells of it.
//
//===----------------------------------------------------------------------===*/

#ifndef EVOX_RUNTIME_CPUFEATURES_H
#define EVOX_RUNTIME_CPUFEATURES_H

/* Of cpuid: leaf, subleaf, register, bit. And which registers the system must
 * save, as bits of xcr0: 0x6 those of AVX, 0xe6 AVX-512, 0x80000 the 16 more
 * general ones of APX. */
#define EVOX_X86_FEATURES(X)                                                   \
  X("sse3", 0x1, 0, c, 0, 0)                                                   \
  X("ssse3", 0x1, 0, c, 9, 0)                                                  \
  X("sse4.1", 0x1, 0, c, 19, 0)                                                \
  X("sse4.2", 0x1, 0, c, 20, 0)                                                \
  X("popcnt", 0x1, 0, c, 23, 0)                                                \
  X("movbe", 0x1, 0, c, 22, 0)                                                 \
  X("avx", 0x1, 0, c, 28, 0x6)                                                 \
  X("f16c", 0x1, 0, c, 29, 0x6)                                                \
  X("fma", 0x1, 0, c, 12, 0x6)                                                 \
  X("lzcnt", 0x80000001, 0, c, 5, 0)                                           \
  X("sse4a", 0x80000001, 0, c, 6, 0)                                           \
  X("xop", 0x80000001, 0, c, 11, 0x6)                                          \
  X("fma4", 0x80000001, 0, c, 16, 0x6)                                         \
  X("tbm", 0x80000001, 0, c, 21, 0)                                            \
  X("bmi", 0x7, 0, b, 3, 0)                                                    \
  X("bmi2", 0x7, 0, b, 8, 0)                                                   \
  X("avx2", 0x7, 0, b, 5, 0x6)                                                 \
  X("adx", 0x7, 0, b, 19, 0)                                                   \
  X("sha", 0x7, 0, b, 29, 0)                                                   \
  X("gfni", 0x7, 0, c, 8, 0)                                                   \
  X("vaes", 0x7, 0, c, 9, 0x6)                                                 \
  X("vpclmulqdq", 0x7, 0, c, 10, 0x6)                                          \
  X("avx512f", 0x7, 0, b, 16, 0xe6)                                            \
  X("avx512dq", 0x7, 0, b, 17, 0xe6)                                           \
  X("avx512ifma", 0x7, 0, b, 21, 0xe6)                                         \
  X("avx512cd", 0x7, 0, b, 28, 0xe6)                                           \
  X("avx512bw", 0x7, 0, b, 30, 0xe6)                                           \
  X("avx512vl", 0x7, 0, b, 31, 0xe6)                                           \
  X("avx512vbmi", 0x7, 0, c, 1, 0xe6)                                          \
  X("avx512vbmi2", 0x7, 0, c, 6, 0xe6)                                         \
  X("avx512vnni", 0x7, 0, c, 11, 0xe6)                                         \
  X("avx512bitalg", 0x7, 0, c, 12, 0xe6)                                       \
  X("avx512vpopcntdq", 0x7, 0, c, 14, 0xe6)                                    \
  X("avx512fp16", 0x7, 0, d, 23, 0xe6)                                         \
  X("avx512bf16", 0x7, 1, a, 5, 0xe6)                                          \
  X("avxvnni", 0x7, 1, a, 4, 0x6)                                              \
  X("avxifma", 0x7, 1, a, 23, 0x6)                                             \
  X("avxneconvert", 0x7, 1, d, 5, 0x6)                                         \
  X("avxvnniint8", 0x7, 1, d, 4, 0x6)                                          \
  X("avxvnniint16", 0x7, 1, d, 10, 0x6)                                        \
  X("egpr", 0x7, 1, d, 21, 0x80000)

/* Of the kernel's auxiliary vector: AT_HWCAP (1) or AT_HWCAP2 (2), bit. */
#define EVOX_AARCH64_FEATURES(X)                                               \
  X("lse", 1, 8)                                                               \
  X("fullfp16", 1, 10)                                                         \
  X("rdm", 1, 12)                                                              \
  X("jsconv", 1, 13)                                                           \
  X("complxnum", 1, 14)                                                        \
  X("rcpc", 1, 15)                                                             \
  X("sha3", 1, 17)                                                             \
  X("dotprod", 1, 20)                                                          \
  X("sve", 1, 22)                                                              \
  X("fp16fml", 1, 23)                                                          \
  X("rcpc-immo", 1, 26)                                                        \
  X("flagm", 1, 27)                                                            \
  X("sve2", 2, 1)                                                              \
  X("sve-bitperm", 2, 4)                                                       \
  X("altnzcv", 2, 7)                                                           \
  X("fptoint", 2, 8)                                                           \
  X("i8mm", 2, 13)                                                             \
  X("bf16", 2, 14)                                                             \
  X("sme", 2, 23)                                                              \
  X("cssc", 2, 34)                                                             \
  X("sve2p1", 2, 36)                                                           \
  X("mops", 2, 43)

#endif
