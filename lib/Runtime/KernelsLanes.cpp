//===- KernelsLanes.cpp - The generators of the lanes of a vmap -----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include "evox/Runtime/Kernels.h"
#include <cstddef>
#include <cstdlib>
#include <cstring>

using namespace evox::rt;

/// splitmix64's output function: lanes must not share streams, nor be shifted
/// copies of one another.
static uint64_t laneSeed(uint64_t seed, uint64_t lane) {
  uint64_t z = seed + (lane + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// All but the buffer of words, which is not read across kernels.
static void copy(Generator *to, const Generator *from) {
  std::memcpy(static_cast<void *>(to), from, offsetof(Generator, buffer));
}

extern "C" void evox_k_lanes_begin(evox_ctx *ctx, int64_t same) {
  evox_instance *instance = instanceOf(ctx);
  if (instance->laneDepth == kMostLaneFrames)
    fail(instance, EVOX_ERROR_PROGRAM, "vmap: more than %d nested vmaps draw",
         kMostLaneFrames);
  LaneFrame &frame = instance->lanes[instance->laneDepth];
  if (!frame.saved)
    frame.saved = static_cast<Generator *>(
        std::aligned_alloc(alignof(Generator), sizeof(Generator)));
  if (!frame.saved)
    fail(instance, EVOX_ERROR_MEMORY, "out of memory");
  instance->generator.settle();
  copy(frame.saved, &instance->generator);
  frame.same = same != 0;
  frame.most = frame.saved->draw;
  ++instance->laneDepth;
}

extern "C" void evox_k_lanes_next(evox_ctx *ctx, int64_t lane) {
  evox_instance *instance = instanceOf(ctx);
  LaneFrame &frame = instance->lanes[instance->laneDepth - 1];
  Generator &g = instance->generator;
  if (g.draw > frame.most)
    frame.most = g.draw;
  copy(&g, frame.saved);
  if (!frame.same)
    g.seed = laneSeed(g.seed, static_cast<uint64_t>(lane));
}

extern "C" void evox_k_lanes_end(evox_ctx *ctx) {
  evox_instance *instance = instanceOf(ctx);
  LaneFrame &frame = instance->lanes[--instance->laneDepth];
  Generator &g = instance->generator;
  if (g.draw > frame.most)
    frame.most = g.draw;
  // The Mersenne Twister has no draws to count: it goes on after the last
  // lane.
  if (g.kind != 0) {
    copy(&g, frame.saved);
    g.draw = frame.most;
  }
}
