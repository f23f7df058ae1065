//===- KernelsUniform.cpp - Uniform draws, whole and in parts -------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Draws.h"
#include "Element.h"
#include "Vectors.h"

using namespace evox::rt;

namespace {

// The numbers of [0, 1) become those of [from, to).
template <typename T>
EVOX_INLINE void scaleAll(T *data, int64_t n, T from, T to) {
  T width = to - from;
  for (int64_t i = 0; i < n; ++i) {
    T x;
    if constexpr (sizeof(T) == 4)
      x = __builtin_fmaf(data[i], width, from);
    else
      x = __builtin_fma(data[i], width, from);
    data[i] = x == to ? from : x;
  }
}
EVOX_INLINE void scaleImpl(float *data, int64_t n, float from, float to) {
  scaleAll(data, n, from, to);
}
EVOX_VARIANTS(scale, (float *data, int64_t n, float from, float to),
              (data, n, from, to))
EVOX_INLINE void scaleDoublesImpl(double *data, int64_t n, double from,
                                  double to) {
  scaleAll(data, n, from, to);
}
EVOX_VARIANTS(scaleDoubles, (double *data, int64_t n, double from, double to),
              (data, n, from, to))

/// draw(out, first, n) makes numbers of [0, 1).
template <typename T, typename F>
void fill(Isa isa, T *out, int64_t n, double from, double to, F draw) {
  if (from == 0 && to == 1) // there is nothing to round
    return draw(out, int64_t(0), n);
  constexpr int64_t kPiece = 1024; // it is in the cache when it is scaled
  for (int64_t i = 0; i < n; i += kPiece) {
    int64_t some = atMost(kPiece, n - i);
    draw(out + i, i, some);
    if constexpr (sizeof(T) == 4)
      scale(isa)(out + i, some, float(from), float(to));
    else
      scaleDoubles(isa)(out + i, some, from, to);
  }
}

void drawWith(Mersenne &m, Isa isa, float *out, int64_t n) {
  m.floats(isa, out, n);
}
void drawWith(Mersenne &m, Isa isa, double *out, int64_t n) {
  m.doubles(isa, out, n);
}
/// Of philox's draw k.
void drawFrom(Isa isa, float *out, int64_t first, int64_t n, uint64_t k,
              uint64_t seed) {
  Generator::philoxFloats(isa, out, first, n, k, seed);
}
void drawFrom(Isa isa, double *out, int64_t first, int64_t n, uint64_t k,
              uint64_t seed) {
  Generator::philoxDoubles(isa, out, first, n, k, seed);
}

template <typename T>
void uniform(evox_ctx *ctx, T *out, int64_t n, double from, double to) {
  Generator &g = generatorOf(ctx);
  if (g.kind != EVOX_RNG_PHILOX) {
    g.fresh &= n == 0;
    fill(g.isa, out, n, from, to, [&g](T *to, int64_t, int64_t some) {
      drawWith(g.twister, g.isa, to, some);
    });
    return;
  }
  // Where each element is a function of its index, threads share the work.
  auto part = [&g, out, from, to](int64_t first, int64_t some) {
    fill(g.isa, out + first, some, from, to,
         [&g, first](T *to, int64_t i, int64_t some) {
           drawFrom(g.isa, to, first + i, some, g.draw, g.seed);
         });
  };
  if (hasThreads(ctx) && n >= 2 * kPerTask)
    inPieces(ctx, n, part);
  else
    part(0, n);
}

template <typename T>
void uniformHalf(Generator &g, T *out, int64_t n, double from, double to) {
  float low = float(from), high = float(to), width = high - low;
  T lowest = fromDouble<T>(from);
  float highest = fromDouble<T>(to);
  for (int64_t done = 0; done < n;) {
    int64_t some = atMost(n - done, g.ready(4));
    const uint32_t *w = g.words(some);
    for (int64_t i = 0; i < some; ++i) {
      T x = T(__builtin_fmaf(unitFloat(w[i]), width, low));
      out[done + i] = float(x) == highest ? lowest : x;
    }
    done += some;
  }
}

void checkRange(evox_ctx *ctx, int32_t dtype, double from, double to) {
  double most = dtype == EVOX_FLOAT16    ? 65504.0
                : dtype == EVOX_BFLOAT16 ? 0x1.fep127
                : dtype == EVOX_FLOAT32  ? 0x1.fffffep127
                                         : 0x1.fffffffffffffp1023;
  if (!(from <= to))
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "uniform: expected a range [from, to), got from=%g > to=%g", from, to);
  if (!(from >= -most && to <= most && to - from <= most))
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM,
         "uniform: from %g to %g is more than %s holds", from, to,
         nameOf(dtype));
}

//===-- parts -------------------------------------------------------------===//

/// What a draw in parts starts from. With threads every task has a generator
/// of its own; without, the tasks come in order and share the first one.
struct Parts {
  uint64_t draw, seed; // philox's
  int64_t count;
  bool inOrder;
  alignas(64) Mersenne twisters[1];
};
static_assert(sizeof(Parts) == EVOX_DRAW_BYTES(1) &&
                  sizeof(Mersenne) == EVOX_DRAW_BYTES(1) - EVOX_DRAW_BYTES(0),
              "compiled code makes room for it");

template <typename T>
void uniformPart(evox_ctx *ctx, Parts *parts, T *out, int64_t n, int64_t task,
                 int64_t first, double from, double to) {
  Generator &g = instanceOf(ctx)->generator;
  if (g.kind == EVOX_RNG_PHILOX) {
    fill(g.isa, out, n, from, to, [&](T *to, int64_t i, int64_t some) {
      drawFrom(g.isa, to, first + i, some, parts->draw, parts->seed);
    });
    return;
  }
  Mersenne &twister = parts->twisters[parts->inOrder ? 0 : task];
  fill(g.isa, out, n, from, to, [&](T *to, int64_t, int64_t some) {
    drawWith(twister, g.isa, to, some);
  });
  if (g.lender == parts && first + n == parts->count) {
    g.twister = twister;
    g.behind = 0;
    g.lender = nullptr;
  }
}

} // namespace

//===-- the kernels -------------------------------------------------------===//

extern "C" void evox_k_random_uniform(evox_ctx *ctx, const evox_view *out,
                                      double from, double to) {
  Generator &g = generatorOf(ctx);
  int64_t n = countOf(*out);
  checkRange(ctx, out->dtype, from, to);
  g.beginDraw();
  switch (out->dtype) {
  case EVOX_FLOAT32:
    uniform(ctx, static_cast<float *>(out->data), n, from, to);
    break;
  case EVOX_FLOAT64:
    uniform(ctx, static_cast<double *>(out->data), n, from, to);
    break;
  case EVOX_FLOAT16:
    uniformHalf(g, static_cast<Half *>(out->data), n, from, to);
    break;
  case EVOX_BFLOAT16:
    uniformHalf(g, static_cast<BFloat *>(out->data), n, from, to);
    break;
  default:
    badDtype(ctx, "uniform", out->dtype);
  }
  g.endDraw();
}

extern "C" void evox_k_random_uniform_begin(evox_ctx *ctx,
                                            const evox_view *room,
                                            int64_t count, int64_t perTask,
                                            int64_t dtype, double from,
                                            double to) {
  Generator &g = generatorOf(ctx);
  checkRange(ctx, int32_t(dtype), from, to);
  Parts *parts = static_cast<Parts *>(room->data);
  parts->draw = g.draw;
  parts->seed = g.seed;
  parts->inOrder = !instanceOf(ctx)->parallel;
  g.beginDraw();
  if (g.kind != EVOX_RNG_PHILOX) {
    int64_t each = dtype == EVOX_FLOAT64 ? 2 : 1;
    parts->count = count;
    parts->twisters[0] = g.twister;
    if (parts->inOrder) {
      g.fresh &= count == 0;
      g.behind = each * count;
      g.lender = parts;
    }
    for (int64_t i = 0, task = 0; !parts->inOrder && i < count;
         i += perTask, ++task) {
      parts->twisters[task] = g.twister;
      g.skip(each * atMost(perTask, count - i));
    }
  }
  g.endDraw();
}

extern "C" void evox_k_random_uniform_part(evox_ctx *ctx, const evox_view *out,
                                           const evox_view *room, int64_t task,
                                           int64_t first, double from,
                                           double to) {
  Parts *parts = static_cast<Parts *>(room->data);
  int64_t n = countOf(*out);
  if (out->dtype == EVOX_FLOAT32)
    uniformPart(ctx, parts, static_cast<float *>(out->data), n, task, first,
                from, to);
  else
    uniformPart(ctx, parts, static_cast<double *>(out->data), n, task, first,
                from, to);
}
