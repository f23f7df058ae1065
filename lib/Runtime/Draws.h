//===- Draws.h - What kernels of random draws share -------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_DRAWS_H
#define EVOX_LIB_RUNTIME_DRAWS_H

#include "Runtime.h"

namespace evox::rt {

inline Generator &generatorOf(evox_ctx *ctx) {
  Generator &g = instanceOf(ctx)->generator;
  g.settle();
  return g;
}

inline int64_t atMost(int64_t n, int64_t most) { return n < most ? n : most; }

[[noreturn]] inline void badDtype(evox_ctx *ctx, const char *what,
                                  int32_t dtype) {
  fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "%s: no draws of %s", what,
       nameOf(dtype));
}

/// Elements of a task; a multiple of what a block of words makes.
constexpr int64_t kPerTask = 16384;

template <typename F> struct Piecewise {
  F body;
  int64_t n;
  static void run(void *arg, int64_t task) {
    auto *self = static_cast<Piecewise *>(arg);
    int64_t end = atMost(self->n, (task + 1) * kPerTask);
    for (int64_t i = task * kPerTask; i < end; i += 512)
      self->body(i, atMost(512, end - i));
  }
};

/// body(first, count) for pieces of up to 512 of n elements, on the threads of
/// the instance.
template <typename F> void inPieces(evox_ctx *ctx, int64_t n, F body) {
  Piecewise<F> work{body, n};
  evox_rt_parallel(ctx, Piecewise<F>::run, &work, (n + kPerTask - 1) / kPerTask);
}

inline bool hasThreads(evox_ctx *ctx) { return instanceOf(ctx)->threads > 1; }

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_DRAWS_H
