//===- TestProgram.h - A program made by hand -------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TEST_RUNTIME_TESTPROGRAM_H
#define EVOX_TEST_RUNTIME_TESTPROGRAM_H

#include "evox/Runtime/Kernels.h"

extern "C" {
/// Calls the kernel of that name, without "evox_k_", within a call.
evox_status test_kernel(evox_instance *instance, const char *name,
                        const evox_view *views, const int64_t *integers,
                        const double *numbers);
/// Null in the library without LAPACK.
extern bool (*test_lapack_kernels)(evox_ctx *ctx, const char *name,
                                   const evox_view *views,
                                   const int64_t *integers,
                                   const double *numbers);
/// Makes the next instances use the other generator.
void test_set_rng(int32_t rng);
/// Caps what the processor can do: 0 base, 1 AVX2, 2 AVX-512.
void test_set_isa(evox_instance *instance, int32_t isa);
/// The hash of the program, to make it another one.
void test_set_hash(const char *hash);
}

#endif // EVOX_TEST_RUNTIME_TESTPROGRAM_H
