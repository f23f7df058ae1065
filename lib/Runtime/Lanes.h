//===- Lanes.h - The lanes of a tensor along a dimension --------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_LANES_H
#define EVOX_LIB_RUNTIME_LANES_H

#include "Runtime.h"

namespace evox::rt {

/// A walk over all lanes of `in` along `dim`, together with those of a
/// contiguous output of the same shape but for its size `outSize` along
/// `dim`. A tensor of rank 0 has one lane of one element.
struct Lanes {
  const evox_view &in;
  int32_t dim;
  int64_t size;   // of a lane of `in`
  int64_t stride; // in it
  int64_t outStride;
  int64_t count;
  // --- of the present lane
  int64_t offset = 0;
  int64_t outOffset = 0;

  // Not inlined: the kernels have a loop over lanes for each dtype.
  __attribute__((noinline)) Lanes(const evox_view &in, int64_t dim,
                                  int64_t outSize)
      : in(in), dim(int32_t(dim)) {
    size = in.rank ? in.shape[dim] : 1;
    stride = in.rank ? in.strides[dim] : 1;
    outStride = 1;
    count = 1;
    for (int32_t d = 0; d < in.rank; ++d) {
      if (d != dim)
        count *= in.shape[d];
      if (d > dim)
        outStride *= in.shape[d];
    }
    outBlock = outStride * outSize;
  }

  __attribute__((noinline)) void next() {
    for (int32_t d = in.rank; d-- > 0;) {
      if (d == dim)
        continue;
      offset += in.strides[d];
      if (++index[d] < in.shape[d])
        break;
      offset -= in.strides[d] * in.shape[d];
      index[d] = 0;
    }
    ++lane;
    outOffset = lane / outStride * outBlock + lane % outStride;
  }

  int64_t number() const { return lane; }

  /// Makes it lane number `to`.
  __attribute__((noinline)) void seek(int64_t to) {
    lane = to;
    outOffset = lane / outStride * outBlock + lane % outStride;
    offset = 0;
    for (int32_t d = in.rank; d-- > 0;) {
      if (d == dim)
        continue;
      index[d] = to % in.shape[d];
      to /= in.shape[d];
      offset += index[d] * in.strides[d];
    }
  }

private:
  int64_t index[EVOX_MAX_RANK] = {};
  int64_t lane = 0;
  int64_t outBlock;
};

/// Calls f(lanes, n) for n lanes after one another, from the one that `lanes`
/// is at: for all of them, or for parts on several threads.
template <typename F> struct LaneTasks {
  const evox_view &in;
  int64_t dim, outSize, count, perTask;
  const F &f;

  static void run(void *arg, int64_t task) {
    const LaneTasks &job = *static_cast<LaneTasks *>(arg);
    Lanes lanes(job.in, job.dim, job.outSize);
    int64_t first = task * job.perTask, n = job.count - first;
    lanes.seek(first);
    job.f(lanes, n < job.perTask ? n : job.perTask);
  }
};
/// `least`: the elements that are worth a task.
template <typename F>
void forLanes(evox_ctx *ctx, const evox_view &in, int64_t dim, int64_t outSize,
              const F &f, int64_t least = 1 << 14) {
  Lanes lanes(in, dim, outSize);
  if (lanes.count == 0)
    return;
  int64_t perTask =
      lanes.size ? (least + lanes.size - 1) / lanes.size : least;
  if (instanceOf(ctx)->threads < 2 || lanes.count <= perTask)
    return f(lanes, lanes.count);
  LaneTasks<F> job{in, dim, outSize, lanes.count, perTask, f};
  evox_rt_parallel(ctx, LaneTasks<F>::run, &job,
                   (lanes.count + perTask - 1) / perTask);
}

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_LANES_H
