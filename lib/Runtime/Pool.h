//===- Pool.h - Threads of an instance's own --------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_POOL_H
#define EVOX_LIB_RUNTIME_POOL_H

#include <cstdint>

namespace evox::rt {

struct Pool;

/// Starts `workers` threads; null where there is no memory. Where the system
/// gives fewer threads, these do all the work.
Pool *openPool(int32_t workers);
void closePool(Pool *pool); // null is fine
/// An evox_parallel_fn whose `user` is the pool. The caller works too.
void runInPool(void *pool, void (*task)(void *arg, int64_t i), void *arg,
               int64_t n);

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_POOL_H
