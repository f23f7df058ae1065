//===- PoolTest.cpp - Threads of an instance's own ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pool.h"

#include "gtest/gtest.h"

#include <pthread.h>
#include <sched.h>
#include <vector>

using namespace evox::rt;

namespace {

struct Tally {
  std::vector<int> counts;
  std::vector<pthread_t> threads;
  explicit Tally(int64_t n)
      : counts(size_t(n)), threads(size_t(n), pthread_self()) {}
  static void run(void *arg, int64_t i) {
    auto *tally = static_cast<Tally *>(arg);
    __atomic_fetch_add(&tally->counts[size_t(i)], 1, __ATOMIC_RELAXED);
    tally->threads[size_t(i)] = pthread_self();
  }
};

TEST(Pool, RunsEachTaskOnce) {
  for (int workers : {1, 2, 4, 7}) {
    Pool *pool = openPool(workers);
    ASSERT_NE(pool, nullptr);
    for (int repeat = 0; repeat < 10; ++repeat)
      for (int64_t n : {0, 1, 2, 3, 7, 8, 9, 64, 501}) {
        Tally tally(n);
        runInPool(pool, Tally::run, &tally, n);
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(tally.counts[size_t(i)], 1)
              << "task " << i << " of " << n << ", workers: " << workers;
      }
    closePool(pool);
  }
}

// A thread that comes late to a job finds the next one, or none.
TEST(Pool, ShortJobsFollowEachOther) {
  for (int workers : {1, 3}) {
    Pool *pool = openPool(workers);
    ASSERT_NE(pool, nullptr);
    for (int job = 0; job < 5000; ++job) {
      int64_t n = job % 11;
      Tally tally(n);
      runInPool(pool, Tally::run, &tally, n);
      for (int64_t i = 0; i < n; ++i)
        ASSERT_EQ(tally.counts[size_t(i)], 1)
            << "task " << i << " of job " << job << ", workers: " << workers;
    }
    closePool(pool);
  }
}

struct Waiting {
  int arrived = 0;
  Tally tally{2};
  static void run(void *arg, int64_t i) {
    auto *self = static_cast<Waiting *>(arg);
    Tally::run(&self->tally, i);
    __atomic_fetch_add(&self->arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&self->arrived, __ATOMIC_SEQ_CST) < 2)
      sched_yield();
  }
};

// Tasks that wait for each other.
TEST(Pool, ThreadsWorkAtOnce) {
  Pool *pool = openPool(1);
  for (int repeat = 0; repeat < 100; ++repeat) {
    Waiting waiting;
    runInPool(pool, Waiting::run, &waiting, 2);
    EXPECT_TRUE(pthread_equal(waiting.tally.threads[0], pthread_self()) ||
                pthread_equal(waiting.tally.threads[1], pthread_self()));
    EXPECT_FALSE(pthread_equal(waiting.tally.threads[0],
                               waiting.tally.threads[1]));
  }
  closePool(pool);
}

struct Nested {
  Pool *pool;
  int sum = 0;
  static void inner(void *arg, int64_t i) {
    __atomic_fetch_add(&static_cast<Nested *>(arg)->sum, int(i),
                       __ATOMIC_RELAXED);
  }
  static void outer(void *arg, int64_t) {
    runInPool(static_cast<Nested *>(arg)->pool, inner, arg, 10);
  }
};

TEST(Pool, ATasksOwnTasksRunInIt) {
  Nested nested{openPool(3)};
  runInPool(nested.pool, Nested::outer, &nested, 20);
  EXPECT_EQ(nested.sum, 20 * 45);
  closePool(nested.pool);
}

} // namespace
