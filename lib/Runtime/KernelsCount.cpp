//===- KernelsCount.cpp - Counts of truths --------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How many of each column are true: the sums that sort a population into fronts
// are of this kind. Bytes are added to bytes until those are full, and a row
// that its mask rules out is not read.
//
//===----------------------------------------------------------------------===//

#include "Isa.h"
#include "Runtime.h"

#include <cstring>

using namespace evox::rt;

namespace {

constexpr int64_t kColumns = 512;

EVOX_INLINE void addRowsImpl(uint8_t *__restrict sums,
                             const uint8_t *const *rows, int64_t n) {
  const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  for (int64_t j = 0; j < n; ++j)
    sums[j] = uint8_t(sums[j] + ((a[j] + b[j]) + (c[j] + d[j])));
}
EVOX_VARIANTS(addRows, (uint8_t *sums, const uint8_t *const *rows, int64_t n),
              (sums, rows, n))

EVOX_INLINE void emptyImpl(uint8_t *__restrict sums, int64_t *__restrict to,
                           int64_t n) {
  for (int64_t j = 0; j < n; ++j)
    to[j] += sums[j];
  for (int64_t j = 0; j < n; ++j)
    sums[j] = 0;
}
EVOX_VARIANTS(empty, (uint8_t *sums, int64_t *to, int64_t n), (sums, to, n))

/// One matrix; a task does some of its columns.
struct Columns {
  Isa isa;
  const uint8_t *matrix;
  int64_t row, column; // strides
  const int32_t *rows; // those that count, of `n`; null: all
  int64_t n, width;
  int64_t *to;

  static void run(void *arg, int64_t task) {
    static_cast<Columns *>(arg)->count(task * kColumns);
  }
  void count(int64_t first) const;
};

void Columns::count(int64_t first) const {
  int64_t some = width - first < kColumns ? width - first : kColumns;
  auto at = [&](int64_t i) {
    return matrix + (rows ? rows[i] : i) * row + first * column;
  };
  int64_t *out = to + first;
  if (column != 1) {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < some; ++j)
        out[j] += at(i)[j * column];
    return;
  }
  alignas(64) uint8_t sums[kColumns] = {};
  alignas(64) static const uint8_t none[kColumns] = {};
  auto add = addRows(isa);
  int64_t held = 0;
  for (int64_t i = 0; i < n; i += 4) {
    const uint8_t *four[4];
    for (int64_t k = 0; k < 4; ++k)
      four[k] = i + k < n ? at(i + k) : none;
    add(sums, four, some);
    if ((held += 4) == 252) {
      empty(isa)(sums, out, some);
      held = 0;
    }
  }
  empty(isa)(sums, out, some);
}

/// Steps to the next matrix of a batch.
struct Batch {
  const evox_view *view;
  int32_t dims;
  int64_t at[EVOX_MAX_RANK] = {};
  int64_t offset = 0;
  void next() {
    for (int32_t d = dims; d-- > 0;) {
      offset += view->strides[d];
      if (++at[d] < view->shape[d])
        return;
      offset -= view->strides[d] * view->shape[d];
      at[d] = 0;
    }
  }
};

void count(evox_ctx *ctx, const evox_view *matrix, const evox_view *mask,
           const evox_view *out) {
  int32_t r = matrix->rank - 2;
  int64_t rows = matrix->shape[r], batch = 1;
  for (int32_t d = 0; d < r; ++d)
    batch *= matrix->shape[d];
  if (rows >= INT32_MAX)
    fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "count: too many rows");
  Columns job;
  job.isa = instanceOf(ctx)->generator.isa;
  job.row = matrix->strides[r];
  job.column = matrix->strides[r + 1];
  job.width = matrix->shape[r + 1];
  job.to = static_cast<int64_t *>(out->data);
  job.rows = nullptr;
  job.n = rows;
  int32_t *list = nullptr;
  if (mask)
    job.rows = list = static_cast<int32_t *>(
        evox_rt_alloc(ctx, (rows + 1) * int64_t(sizeof(int32_t))));
  Batch from{matrix, r}, of{mask, r};
  for (int64_t i = 0; i < batch; ++i, job.to += job.width) {
    job.matrix = static_cast<const uint8_t *>(matrix->data) + from.offset;
    if (mask) {
      const uint8_t *holds =
          static_cast<const uint8_t *>(mask->data) + of.offset;
      job.n = 0;
      for (int64_t k = 0; k < rows; ++k) {
        list[job.n] = int32_t(k);
        job.n += holds[k * mask->strides[r]] != 0;
      }
      of.next();
    }
    from.next();
    int64_t tasks = (job.width + kColumns - 1) / kColumns;
    // A microsecond for 50,000, and one or two for threads that are awake.
    if (job.n * job.width < 200'000)
      for (int64_t task = 0; task < tasks; ++task)
        Columns::run(&job, task);
    else
      evox_rt_parallel(ctx, Columns::run, &job, tasks);
  }
  if (list)
    evox_rt_free(ctx, list);
}

} // namespace

extern "C" void evox_k_count(evox_ctx *ctx, const evox_view *matrix,
                             const evox_view *out) {
  count(ctx, matrix, nullptr, out);
}

extern "C" void evox_k_count_where(evox_ctx *ctx, const evox_view *matrix,
                                   const evox_view *mask,
                                   const evox_view *out) {
  count(ctx, matrix, mask, out);
}
