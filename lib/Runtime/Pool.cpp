//===- Pool.cpp - Threads of an instance's own ----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One job at a time. Each thread has a share of the tasks, the same part of them
// in every job: what it wrote is in its cache when it comes by again. Who is
// done helps the others; to the results it does not matter who takes what.
// Tasks are taken by a compare-and-swap of the share's `claim`: the number of
// the job above, that of the task below. A thread that comes late finds the job
// closed and touches nothing, so nobody waits for threads that sleep.
//
//===----------------------------------------------------------------------===//

#include "Pool.h"

#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sched.h>

using namespace evox::rt;

namespace {
constexpr uint64_t kTaskBits = 32;
constexpr uint64_t kTask = (uint64_t(1) << kTaskBits) - 1;
constexpr uint64_t kClosed = kTask;
// Some 50 microseconds: what lies between two loops of a generation. Waking up
// takes longer than many a loop.
constexpr int kSpins = 3000;
// After some 4 of waiting, whoever else is on this processor comes first: the
// system may start a thread on the very one of the thread that waits for it.
constexpr int kPolite = 200, kYields = 50;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// All that a thread needs of a job is in one line of its cache: to get one
/// from another processor takes as long as many a task.
struct alignas(64) Share {
  uint64_t claim;
  // Of the job. Written while it is closed.
  void (*task)(void *, int64_t);
  void *arg;
  uint64_t end; // of the tasks
  pthread_t thread; // not of the first one, whose thread is the caller
  Pool *pool;
};
} // namespace

struct evox::rt::Pool {
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  Share *shares;
  int32_t workers; // one less than shares
  bool stop;
  int32_t sleeping;
  alignas(64) int64_t done; // by others than the caller
};

static int64_t firstOf(int64_t share, int64_t n, int64_t parts) {
  return n / parts * share + n % parts * share / parts;
}

// Takes a task of that share, runs it and counts it. False where it has none.
static bool workOn(Pool *pool, int32_t share, int64_t &ran) {
  Share &from = pool->shares[share];
  uint64_t claim = __atomic_load_n(&from.claim, __ATOMIC_ACQUIRE);
  uint64_t i = claim & kTask;
  auto task = __atomic_load_n(&from.task, __ATOMIC_RELAXED);
  void *arg = __atomic_load_n(&from.arg, __ATOMIC_RELAXED);
  if (i == kClosed || i >= __atomic_load_n(&from.end, __ATOMIC_RELAXED))
    return false;
  // Where this succeeds, the job was open all the while, so the three above
  // are its own.
  if (__atomic_compare_exchange_n(&from.claim, &claim, claim + 1, false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    task(arg, int64_t(i));
    ++ran;
  }
  return true;
}

// A task of one's own share, else of another one's.
static bool work(Pool *pool, int32_t self, int64_t &ran) {
  int32_t parts = pool->workers + 1;
  for (int32_t i = 0; i < parts; ++i)
    if (workOn(pool, self + i < parts ? self + i : self + i - parts, ran))
      return true;
  return false;
}

static bool hasWork(Pool *pool) {
  for (int32_t share = 0; share <= pool->workers; ++share) {
    Share &of = pool->shares[share];
    uint64_t i = __atomic_load_n(&of.claim, __ATOMIC_SEQ_CST) & kTask;
    if (i != kClosed && i < __atomic_load_n(&of.end, __ATOMIC_RELAXED))
      return true;
  }
  return false;
}

static void *serve(void *arg) {
  Share *own = static_cast<Share *>(arg);
  Pool *pool = own->pool;
  // It may be here before all threads are made.
  pthread_mutex_lock(&pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
  int32_t self = int32_t(own - pool->shares);
  uint64_t seen = 0; // the last job without tasks
  for (;;) {
    for (int spins = 0; spins < kSpins;) {
      // It looks at its own share: the others' are written all the time.
      uint64_t claim = __atomic_load_n(&own->claim, __ATOMIC_ACQUIRE);
      if (claim >> kTaskBits != seen && (claim & kTask) != kClosed) {
        int64_t ran = 0;
        while (work(pool, self, ran)) {
        }
        // Once for all of them: the caller looks at it.
        if (ran)
          __atomic_fetch_add(&pool->done, ran, __ATOMIC_RELEASE);
        seen = claim >> kTaskBits;
        spins = 0;
      } else if (++spins > kPolite && spins % kYields == 0) {
        sched_yield();
      } else {
        pause();
      }
    }
    pthread_mutex_lock(&pool->mutex);
    __atomic_add_fetch(&pool->sleeping, 1, __ATOMIC_SEQ_CST);
    while (!pool->stop && !hasWork(pool))
      pthread_cond_wait(&pool->wake, &pool->mutex);
    __atomic_sub_fetch(&pool->sleeping, 1, __ATOMIC_SEQ_CST);
    bool stop = pool->stop;
    pthread_mutex_unlock(&pool->mutex);
    if (stop)
      return nullptr;
  }
}

static void wakeAll(Pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

Pool *evox::rt::openPool(int32_t workers) {
  void *memory = nullptr;
  if (posix_memalign(&memory, 64, sizeof(Pool)))
    return nullptr;
  std::memset(memory, 0, sizeof(Pool));
  Pool *pool = static_cast<Pool *>(memory);
  size_t bytes = sizeof(Share) * size_t(workers + 1);
  if (posix_memalign(&memory, 64, bytes)) {
    std::free(pool);
    return nullptr;
  }
  pool->shares = static_cast<Share *>(memory);
  for (int32_t i = 0; i <= workers; ++i)
    pool->shares[i] = {kClosed, nullptr, nullptr, 0, {}, pool};
  pthread_mutex_init(&pool->mutex, nullptr);
  pthread_cond_init(&pool->wake, nullptr);
  pthread_mutex_lock(&pool->mutex);
  while (pool->workers < workers) {
    Share &share = pool->shares[pool->workers + 1];
    if (pthread_create(&share.thread, nullptr, serve, &share) != 0)
      break;
    ++pool->workers;
  }
  pthread_mutex_unlock(&pool->mutex);
  return pool;
}

void evox::rt::closePool(Pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->mutex);
  pool->stop = true;
  pthread_mutex_unlock(&pool->mutex);
  wakeAll(pool);
  for (int32_t i = 1; i <= pool->workers; ++i)
    pthread_join(pool->shares[i].thread, nullptr);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  std::free(pool->shares);
  std::free(pool);
}

void evox::rt::runInPool(void *user, void (*task)(void *, int64_t), void *arg,
                         int64_t n) {
  Pool *pool = static_cast<Pool *>(user);
  uint64_t &first = pool->shares[0].claim;
  bool isNested = (__atomic_load_n(&first, __ATOMIC_RELAXED) & kTask) !=
                  kClosed; // a task's own loop
  if (uint64_t(n) >= kClosed || isNested) {
    for (int64_t i = 0; i < n; ++i)
      task(arg, i);
    return;
  }
  __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
  uint64_t job = (__atomic_load_n(&first, __ATOMIC_RELAXED) >> kTaskBits) + 1;
  int32_t parts = pool->workers + 1;
  // The caller's own first: by it a task's own loops are known.
  for (int32_t i = 0; i < parts; ++i) {
    Share &share = pool->shares[i];
    __atomic_store_n(&share.task, task, __ATOMIC_RELAXED);
    __atomic_store_n(&share.arg, arg, __ATOMIC_RELAXED);
    __atomic_store_n(&share.end, uint64_t(firstOf(i + 1, n, parts)),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&share.claim,
                     job << kTaskBits | uint64_t(firstOf(i, n, parts)),
                     __ATOMIC_RELEASE);
  }
  // Who falls asleep looks at the shares after it has said so.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (__atomic_load_n(&pool->sleeping, __ATOMIC_SEQ_CST))
    wakeAll(pool);
  int64_t ran = 0;
  while (work(pool, 0, ran)) {
  }
  for (int spins = 0; __atomic_load_n(&pool->done, __ATOMIC_ACQUIRE) + ran < n;
       ++spins) {
    if (spins < kPolite)
      pause();
    else
      sched_yield();
  }
  for (int32_t i = 0; i < parts; ++i)
    __atomic_store_n(&pool->shares[i].claim, job << kTaskBits | kClosed,
                     __ATOMIC_RELAXED);
  // Before the next job is written.
  __atomic_thread_fence(__ATOMIC_RELEASE);
}
