//===- Memory.h - The memory of an instance ---------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A generation asks for the same sizes as the one before, so blocks are kept
// in free lists by size class (at most 1/8 is lost to rounding): after the
// first generation, none calls malloc. A block is either free, or of the
// call, which gives it back when it ends however it ends, or kept by a slot, a
// list or a result.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_MEMORY_H
#define EVOX_LIB_RUNTIME_MEMORY_H

#include <cstddef>
#include <cstdint>

namespace evox::rt {

enum class Owner : uint32_t { Free, Call, Kept };

// In the 64 bytes before the data.
struct alignas(64) Block {
  Block *next, *previous;         // in a free list, or among the call's
  Block *nextMade, *previousMade; // in the list of all that malloc made
  int64_t bytes;                  // of the data
  uint32_t sizeClass;
  Owner owner;
  bool ofSlab;
};
static_assert(sizeof(Block) == 64, "the header is one cache line");

struct Slab {
  Slab *next;
};

constexpr uint32_t kSizeClasses = 464;

struct Memory {
  Block *free[kSizeClasses];
  Block call; // ring of the call's blocks, the newest first
  Block *held; // the newest that outlives the calls of a run, or null
  Block made; // ring of blocks that malloc made
  Slab *slabs;
  unsigned char *slabAt;
  int64_t slabLeft;
  int64_t cached; // bytes in free lists, of blocks that malloc made
  int64_t used;   // bytes of blocks that are not free
  int64_t peak;   // of `used`, slowly forgotten
  bool shared;    // several threads may allocate: take the lock
  int lock;

  void open();
  void close();
  /// Null when there is no memory.
  void *allocate(int64_t bytes, Owner owner);
  void release(void *data);
  /// The call's block becomes kept; false if `data` isn't a block of the call.
  bool keep(void *data);
  /// Likewise, for a block that is known to be one.
  void keepBlock(void *data);
  /// A kept block becomes the call's.
  void giveToCall(void *data);
  bool isOfCall(const void *data) const;
  static bool isCallBlock(void *data) {
    return blockOf(data)->owner == Owner::Call;
  }
  /// What was allocated so far outlives the calls of a run but the last one;
  /// false when there is no memory.
  bool hold();
  /// Ends a call that others of the run come after.
  void endOneCall();
  void endCall() {
    held = nullptr;
    endOneCall();
  }

private:
  static Block *blockOf(void *data) { return static_cast<Block *>(data) - 1; }
  Block *make(uint32_t sizeClass, int64_t bytes);
  void releaseBlock(Block *block);
  void trim();
};

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_MEMORY_H
