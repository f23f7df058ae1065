/*===- CpuFeatures.h - What a library asks of a processor -------*- C -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bit i of `evox_program.cpu_features` is the i-th row: LLVM's name of the
// feature, and where cpuid tells of it (leaf, subleaf, register, bit).
//
//===----------------------------------------------------------------------===*/

#ifndef EVOX_RUNTIME_CPUFEATURES_H
#define EVOX_RUNTIME_CPUFEATURES_H

#define EVOX_X86_FEATURES(X)                                                   \
  X("sse4.2", 0x1, 0, c, 20)                                                   \
  X("popcnt", 0x1, 0, c, 23)                                                   \
  X("movbe", 0x1, 0, c, 22)                                                    \
  X("avx", 0x1, 0, c, 28)                                                      \
  X("f16c", 0x1, 0, c, 29)                                                     \
  X("fma", 0x1, 0, c, 12)                                                      \
  X("lzcnt", 0x80000001, 0, c, 5)                                              \
  X("bmi", 0x7, 0, b, 3)                                                       \
  X("bmi2", 0x7, 0, b, 8)                                                      \
  X("avx2", 0x7, 0, b, 5)                                                      \
  X("adx", 0x7, 0, b, 19)                                                      \
  X("sha", 0x7, 0, b, 29)                                                      \
  X("gfni", 0x7, 0, c, 8)                                                      \
  X("vaes", 0x7, 0, c, 9)                                                      \
  X("vpclmulqdq", 0x7, 0, c, 10)                                               \
  X("avx512f", 0x7, 0, b, 16)                                                  \
  X("avx512dq", 0x7, 0, b, 17)                                                 \
  X("avx512ifma", 0x7, 0, b, 21)                                               \
  X("avx512cd", 0x7, 0, b, 28)                                                 \
  X("avx512bw", 0x7, 0, b, 30)                                                 \
  X("avx512vl", 0x7, 0, b, 31)                                                 \
  X("avx512vbmi", 0x7, 0, c, 1)                                                \
  X("avx512vbmi2", 0x7, 0, c, 6)                                               \
  X("avx512vnni", 0x7, 0, c, 11)                                               \
  X("avx512bitalg", 0x7, 0, c, 12)                                             \
  X("avx512vpopcntdq", 0x7, 0, c, 14)                                          \
  X("avx512fp16", 0x7, 0, d, 23)                                               \
  X("avx512bf16", 0x7, 1, a, 5)                                                \
  X("avxvnni", 0x7, 1, a, 4)                                                   \
  X("avxifma", 0x7, 1, a, 23)                                                  \
  X("avxvnniint8", 0x7, 1, d, 4)                                               \
  X("egpr", 0x7, 1, d, 21)

#endif
