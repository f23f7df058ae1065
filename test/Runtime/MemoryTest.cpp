//===- MemoryTest.cpp - The memory of an instance -------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"
#include "TestSupport.h"

#include <cstdlib>
#include <cstring>
#include <map>

using namespace evox::rt;

// Takes the place of libc's, to count and to fail. Not under the sanitizers,
// that do the same.
int64_t allocations = 0;
int64_t allocationsLeft = -1;
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
const bool canCountAllocations = false;
extern "C" const char *__asan_default_options() {
  return "allocator_may_return_null=1";
}
#else
const bool canCountAllocations = true;
extern "C" int posix_memalign(void **result, size_t alignment,
                              size_t size) noexcept {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  if (allocationsLeft == 0)
    return 12; // ENOMEM
  if (allocationsLeft > 0)
    --allocationsLeft;
  *result =
      aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  return *result ? 0 : 12;
}
#endif

namespace {
struct Pool {
  Memory *memory;
  Pool() {
    memory = static_cast<Memory *>(aligned_alloc(64, sizeof(Memory)));
    std::memset(static_cast<void *>(memory), 0, sizeof(Memory));
    memory->open();
  }
  ~Pool() {
    memory->close();
    std::free(memory);
  }
  Memory *operator->() { return memory; }
};
} // namespace

TEST(Memory, SizesAndAlignment) {
  Pool pool;
  std::vector<std::pair<unsigned char *, size_t>> blocks;
  for (int64_t n = 0; n < 300000; n = n < 70 ? n + 1 : n * 9 / 8) {
    auto *data = static_cast<unsigned char *>(pool->allocate(n, Owner::Call));
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    std::memset(data, int(blocks.size()), size_t(n));
    blocks.push_back({data, size_t(n)});
  }
  for (size_t i = 0; i < blocks.size(); ++i)
    for (size_t j = 0; j < blocks[i].second; ++j)
      ASSERT_EQ(blocks[i].first[j], (unsigned char)(i));
  EXPECT_EQ(pool->allocate(-1, Owner::Call), nullptr);
  EXPECT_EQ(pool->allocate(INT64_MAX, Owner::Call), nullptr);
}

TEST(Memory, Owners) {
  Pool pool;
  void *a = pool->allocate(100, Owner::Call);
  void *b = pool->allocate(100, Owner::Call);
  int local = 0;
  EXPECT_FALSE(pool->keep(&local));
  EXPECT_TRUE(pool->keep(a));
  EXPECT_FALSE(pool->keep(a));
  pool->endCall();
  EXPECT_EQ(pool->allocate(100, Owner::Call), b); // the call's came back
  pool->giveToCall(a);
  pool->endCall();
  void *c = pool->allocate(100, Owner::Kept);
  EXPECT_TRUE(c == a || c == b);
  pool->release(c);
  pool->release(c); // harmless
  EXPECT_EQ(pool->used, 0);
}

TEST(Memory, WhatTheCallsOfARunShare) {
  Pool pool;
  void *shared = pool->allocate(100, Owner::Call);
  EXPECT_TRUE(pool->hold());
  for (int i = 0; i < 3; ++i) {
    void *a = pool->allocate(100, Owner::Call);
    void *b = pool->allocate(100, Owner::Call);
    EXPECT_NE(a, shared);
    EXPECT_TRUE(pool->keep(b));
    pool->giveToCall(b);
    pool->endOneCall();
    EXPECT_TRUE(Memory::isCallBlock(shared));
    EXPECT_FALSE(Memory::isCallBlock(a));
    EXPECT_FALSE(Memory::isCallBlock(b));
  }
  pool->release(shared); // as the code may
  pool->endOneCall();
  pool->endCall();
  EXPECT_EQ(pool->used, 0);
}

TEST(Memory, ChangingSizesDoNotPileUp) {
  Pool pool;
  int64_t most = 0;
  for (int64_t i = 0; i < 400; ++i) {
    pool->allocate((int64_t(1) << 20) + i * 200000, Owner::Call);
    pool->endCall();
    most = most > pool->cached ? most : pool->cached;
  }
  EXPECT_LT(most, int64_t(400) << 20);
}

TEST(Memory, AGenerationMakesNoMalloc) {
  if (!canCountAllocations)
    GTEST_SKIP();
  Instance i;
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  auto generation = [&] {
    i.call("evaluate", {f32(x, {3, 2})}, 1);
    i.call("risky", {i64(0)});
    i.tryCall("risky", {i64(1)});
    auto rows = i.call("first_rows", {f32(x, {3, 2}), i64(2)}, 1);
    evox_tensor t = f32(x, {3, 2});
    t.strides[0] = 1;
    t.strides[1] = 3;
    i.call("evaluate", {t}, 1);
    i.set("rows", rows[0]);
    i.call("aliases", {}, 2);
  };
  for (int n = 0; n < 10; ++n)
    generation();
  int64_t before = allocations;
  for (int n = 0; n < 20; ++n)
    generation();
  // "risky" appends to a list, whose elements come from slabs of 64 KB.
  EXPECT_LE(allocations - before, 1);
}

// Every allocation fails in its turn: no call may leave a changed state, or a
// crash.
TEST(Memory, EveryAllocationMayFail) {
  if (!canCountAllocations)
    GTEST_SKIP();
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  const char *path = "evox_memory_test.safetensors";
  auto attempt = [&](auto act, bool putsBack = true) {
    int failures = 0;
    for (int64_t left = 0; left < 100; ++left) {
      Instance i;
      i.call("risky", {i64(0)});
      std::string before = i.snapshot();
      allocationsLeft = left;
      evox_status status = act(i);
      allocationsLeft = -1;
      if (status == EVOX_OK) {
        EXPECT_GT(failures, 0);
        return;
      }
      ++failures;
      EXPECT_EQ(status, EVOX_ERROR_MEMORY);
      EXPECT_NE(i.error().find("out of memory"), std::string::npos);
      if (putsBack) {
        EXPECT_EQ(i.snapshot(), before);
        continue;
      }
      EXPECT_EQ(api().reset(i.handle), EVOX_OK);
      EXPECT_EQ(act(i), EVOX_OK);
    }
    FAIL() << "never enough memory";
  };
  std::vector<float> big(1 << 16);
  // Code that the compiler does not expect to fail has no way back.
  attempt(
      [&](Instance &i) {
        return i.tryCall("first_rows", {f32(big, {1 << 15, 2}), i64(30000)});
      },
      false);
  {
    Instance i;
    i.set("rows", f32(big, {1 << 15, 2}));
    EXPECT_EQ(api().save(i.handle, path), EVOX_OK) << i.error();
  }
  attempt([&](Instance &i) { return api().load(i.handle, path); });
  attempt([&](Instance &i) {
    evox_tensor t = f32(big, {1 << 15, 2});
    return api().set_state(i.handle, "rows", &t);
  });
  remove(path);

  int failures = 0;
  for (int64_t left = 0; left < 100; ++left) {
    evox_instance *handle = nullptr;
    allocationsLeft = left;
    evox_status status = api().open(&handle);
    allocationsLeft = -1;
    if (status == EVOX_OK) {
      EXPECT_GT(failures, 1);
      api().close(handle);
      return;
    }
    ++failures;
    EXPECT_EQ(status, EVOX_ERROR_MEMORY);
    EXPECT_EQ(handle, nullptr);
  }
}
