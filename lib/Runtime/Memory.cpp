//===- Memory.cpp - The memory of an instance -----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"
#include "Runtime.h"

#include <cstdlib>
#include <sys/mman.h>

using namespace evox::rt;

namespace {

constexpr int64_t kSlabBytes = 1 << 16;
constexpr int64_t kSmall = 2048;
constexpr int64_t kMost = int64_t(1) << 47;
constexpr int64_t kSpare = 16 << 20;
// Memory from so many bytes on is asked for in pages of that size: a sweep over
// it in small ones spends its time with their tables.
constexpr int64_t kHuge = 4 << 20, kHugePage = 2 << 20;

// Eight classes per doubling, in units of 64 bytes.
uint32_t classOf(int64_t bytes, int64_t &rounded) {
  uint64_t m = bytes <= 64 ? 0 : uint64_t(bytes - 1) / 64;
  if (m < 8) {
    rounded = int64_t(m + 1) * 64;
    return uint32_t(m);
  }
  uint32_t e = 63 - uint32_t(__builtin_clzll(m));
  uint32_t sub = uint32_t(m >> (e - 3)) & 7;
  rounded = (int64_t(9 + sub) << (e - 3)) * 64;
  return 8 + (e - 3) * 8 + sub;
}

void unlink(Block *block) {
  block->previous->next = block->next;
  block->next->previous = block->previous;
}

void link(Block *ring, Block *block) {
  block->next = ring->next;
  block->previous = ring;
  ring->next->previous = block;
  ring->next = block;
}

struct Locked {
  Memory &memory;
  explicit Locked(Memory &memory) : memory(memory) {
    if (memory.shared)
      while (__atomic_exchange_n(&memory.lock, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&memory.lock, __ATOMIC_RELAXED)) {
        }
  }
  ~Locked() {
    if (memory.shared)
      __atomic_store_n(&memory.lock, 0, __ATOMIC_RELEASE);
  }
};

} // namespace

void Memory::open() {
  call.next = call.previous = &call;
  made.nextMade = made.previousMade = &made;
}

void Memory::close() {
  while (made.nextMade != &made) {
    Block *block = made.nextMade;
    made.nextMade = block->nextMade;
    std::free(block);
  }
  while (slabs) {
    Slab *slab = slabs;
    slabs = slab->next;
    std::free(slab);
  }
}

Block *Memory::make(uint32_t sizeClass, int64_t bytes) {
  Block *block = nullptr;
  int64_t total = bytes + int64_t(sizeof(Block));
  bool ofSlab = total <= kSmall;
  if (ofSlab) {
    if (slabLeft < total) {
      void *slab = nullptr;
      if (posix_memalign(&slab, 64, kSlabBytes))
        return nullptr;
      static_cast<Slab *>(slab)->next = slabs;
      slabs = static_cast<Slab *>(slab);
      slabAt = static_cast<unsigned char *>(slab) + 64;
      slabLeft = kSlabBytes - 64;
    }
    block = reinterpret_cast<Block *>(slabAt);
    slabAt += total;
    slabLeft -= total;
  } else {
    void *data = nullptr;
    bool isHuge = total >= kHuge;
    if (posix_memalign(&data, isHuge ? kHugePage : 64, size_t(total)))
      return nullptr;
#ifdef MADV_HUGEPAGE
    if (isHuge) // a system without them has small ones
      madvise(data, size_t(total), MADV_HUGEPAGE);
#endif
    block = static_cast<Block *>(data);
    block->nextMade = made.nextMade;
    block->previousMade = &made;
    made.nextMade->previousMade = block;
    made.nextMade = block;
  }
  block->sizeClass = sizeClass;
  block->bytes = bytes;
  block->ofSlab = ofSlab;
  return block;
}

void *Memory::allocate(int64_t bytes, Owner owner) {
  if (bytes < 0 || bytes > kMost)
    return nullptr;
  int64_t rounded;
  uint32_t sizeClass = classOf(bytes, rounded);
  Locked locked(*this);
  Block *block = free[sizeClass];
  if (block) {
    free[sizeClass] = block->next;
    if (!block->ofSlab)
      cached -= rounded;
  } else {
    block = make(sizeClass, rounded);
    if (!block)
      return nullptr;
  }
  used += rounded;
  if (used > peak)
    peak = used;
  block->owner = owner;
  if (owner == Owner::Call)
    link(&call, block);
  return block + 1;
}

void Memory::releaseBlock(Block *block) {
  block->owner = Owner::Free;
  block->next = free[block->sizeClass];
  free[block->sizeClass] = block;
  used -= block->bytes;
  if (!block->ofSlab)
    cached += block->bytes;
}

void Memory::release(void *data) {
  if (!data)
    return;
  Block *block = blockOf(data);
  Locked locked(*this);
  if (block->owner == Owner::Free)
    return;
  if (block->owner == Owner::Call)
    unlink(block);
  releaseBlock(block);
}

bool Memory::isOfCall(const void *data) const {
  for (const Block *b = call.next; b != &call; b = b->next)
    if (b + 1 == data)
      return true;
  return false;
}

bool Memory::keep(void *data) {
  Locked locked(*this);
  if (!data || !isOfCall(data))
    return false;
  unlink(blockOf(data));
  blockOf(data)->owner = Owner::Kept;
  return true;
}

void Memory::keepBlock(void *data) {
  Block *block = blockOf(data);
  if (block->owner == Owner::Call)
    unlink(block);
  block->owner = Owner::Kept;
}

void Memory::giveToCall(void *data) {
  if (!data)
    return;
  Block *block = blockOf(data);
  block->owner = Owner::Call;
  link(&call, block);
}

bool Memory::hold() {
  held = nullptr;
  if (call.next == &call)
    return true;
  // A block that nobody else knows, and so nobody frees.
  void *mark = allocate(0, Owner::Call);
  held = mark ? blockOf(mark) : nullptr;
  return mark;
}

void Memory::endOneCall() {
  Block *end = held ? held : &call;
  for (Block *b = call.next; b != end;) {
    Block *next = b->next;
    releaseBlock(b);
    b = next;
  }
  call.next = end;
  end->previous = &call;
  // Sizes that change all the time would fill the free lists with blocks that
  // nobody asks for again.
  if (cached > 2 * peak + kSpare)
    trim();
  peak -= peak >> 6;
  if (peak < used)
    peak = used;
}

void Memory::trim() {
  for (uint32_t c = kSizeClasses; c-- > 0 && cached > peak;) {
    Block *block = free[c];
    if (!block || block->ofSlab)
      continue;
    free[c] = nullptr;
    while (block) {
      Block *next = block->next;
      cached -= block->bytes;
      block->previousMade->nextMade = block->nextMade;
      block->nextMade->previousMade = block->previousMade;
      std::free(block);
      block = next;
    }
  }
}

extern "C" void *evox_rt_alloc(evox_ctx *ctx, int64_t bytes) {
  evox_instance *instance = instanceOf(ctx);
  void *data = instance->memory.allocate(bytes, Owner::Call);
  if (!data)
    fail(instance, EVOX_ERROR_MEMORY, "out of memory: %lld bytes",
         static_cast<long long>(bytes));
  return data;
}

extern "C" void evox_rt_free(evox_ctx *ctx, void *data) {
  // What became a slot's, a result's or a list's value is no longer the
  // call's to free.
  if (data && Memory::isCallBlock(data))
    instanceOf(ctx)->memory.release(data);
}
