//===- Pool.cpp - Threads of an instance's own ----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One job at a time. Who takes which task does not matter to the results, so
// the threads take the next one as they get to it, by a compare-and-swap of
// `claim`: the number of the job above, that of the task below. A thread that
// comes late finds the job closed and touches nothing, so nobody waits for
// threads that sleep.
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
// Some 20 microseconds: what lies between two loops of a generation.
constexpr int kSpins = 1000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
} // namespace

struct evox::rt::Pool {
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  pthread_t *threads;
  int32_t workers;
  bool stop;
  int32_t sleeping;
  // The job. Written while it is closed.
  void (*task)(void *, int64_t);
  void *arg;
  int64_t n;
  alignas(64) uint64_t claim;
  alignas(64) int64_t done;
};

// Takes a task of the job that `claim` names and runs it.
static bool work(Pool *pool) {
  uint64_t claim = __atomic_load_n(&pool->claim, __ATOMIC_ACQUIRE);
  uint64_t i = claim & kTask;
  auto task = __atomic_load_n(&pool->task, __ATOMIC_RELAXED);
  void *arg = __atomic_load_n(&pool->arg, __ATOMIC_RELAXED);
  int64_t n = __atomic_load_n(&pool->n, __ATOMIC_RELAXED);
  if (i == kClosed || int64_t(i) >= n)
    return false;
  // Where this succeeds, the job was open all the while, so the three above
  // are its own.
  if (__atomic_compare_exchange_n(&pool->claim, &claim, claim + 1, false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    task(arg, int64_t(i));
    __atomic_fetch_add(&pool->done, 1, __ATOMIC_RELEASE);
  }
  return true;
}

static bool hasWork(Pool *pool) {
  uint64_t i = __atomic_load_n(&pool->claim, __ATOMIC_SEQ_CST) & kTask;
  return i != kClosed &&
         int64_t(i) < __atomic_load_n(&pool->n, __ATOMIC_RELAXED);
}

static void *serve(void *arg) {
  Pool *pool = static_cast<Pool *>(arg);
  for (;;) {
    int spins = 0;
    while (spins < kSpins) {
      if (work(pool))
        spins = 0;
      else
        ++spins, pause();
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
  pool->threads =
      static_cast<pthread_t *>(std::calloc(size_t(workers), sizeof(pthread_t)));
  if (!pool->threads) {
    std::free(pool);
    return nullptr;
  }
  pool->claim = kClosed;
  pthread_mutex_init(&pool->mutex, nullptr);
  pthread_cond_init(&pool->wake, nullptr);
  while (pool->workers < workers &&
         pthread_create(&pool->threads[pool->workers], nullptr, serve, pool) ==
             0)
    ++pool->workers;
  return pool;
}

void evox::rt::closePool(Pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->mutex);
  pool->stop = true;
  pthread_mutex_unlock(&pool->mutex);
  wakeAll(pool);
  for (int32_t i = 0; i < pool->workers; ++i)
    pthread_join(pool->threads[i], nullptr);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  std::free(pool->threads);
  std::free(pool);
}

void evox::rt::runInPool(void *user, void (*task)(void *, int64_t), void *arg,
                         int64_t n) {
  Pool *pool = static_cast<Pool *>(user);
  bool isNested = (__atomic_load_n(&pool->claim, __ATOMIC_RELAXED) & kTask) !=
                  kClosed; // a task's own loop
  if (uint64_t(n) >= kClosed || isNested) {
    for (int64_t i = 0; i < n; ++i)
      task(arg, i);
    return;
  }
  __atomic_store_n(&pool->task, task, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->arg, arg, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->n, n, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
  uint64_t job =
      (__atomic_load_n(&pool->claim, __ATOMIC_RELAXED) >> kTaskBits) + 1;
  __atomic_store_n(&pool->claim, job << kTaskBits, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&pool->sleeping, __ATOMIC_SEQ_CST))
    wakeAll(pool);
  while (work(pool)) {
  }
  for (int spins = 0; __atomic_load_n(&pool->done, __ATOMIC_ACQUIRE) < n;
       ++spins) {
    if (spins < 10 * kSpins)
      pause();
    else // another thread has a task, but no processor
      sched_yield();
  }
  __atomic_store_n(&pool->claim, job << kTaskBits | kClosed, __ATOMIC_SEQ_CST);
}
