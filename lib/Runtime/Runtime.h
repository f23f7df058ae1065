//===- Runtime.h - What an instance is made of ------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to the run-time library. It is linked into programs that have no
// C++ run-time library: plain structs made by calloc, no constructors, no
// exceptions (a failing call ends in a longjmp), no global mutable state.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_RUNTIME_H
#define EVOX_LIB_RUNTIME_RUNTIME_H

#include "Generator.h"
#include "Memory.h"
#include "Pool.h"
#include "evox/Runtime/Kernels.h"
#include "evox/Runtime/Program.h"

#include <csetjmp>
#include <cstddef>
#include <cstdint>

// The program of this library; defined by compiled code.
extern "C" __attribute__((visibility("hidden")))
const evox_program evox_the_program;

namespace evox::rt {

struct List {
  evox_view *items;
  int64_t size;
  int64_t capacity;
  // What the call that runs has taken out, the list's first elements first:
  // they come back when it fails.
  evox_view *dropped;
  int64_t nDropped;
};

struct External {
  evox_external_fn fn;
  void *user;
};

// What a slot was before a call that may fail.
struct SavedSlot {
  evox_view view; // as it was, with its data pointer
  void *copy;     // of its bytes
  int64_t capacity;
  int64_t listSize;
};

// A whole state next to the present one, in memory of the call.
struct NewState {
  evox_view *slots;  // one per slot
  evox_view **lists; // the elements of each list
  int64_t *sizes;
};

// What the next call of an external function is like, and its results: of the
// call that runs, in memory of the entry point's call.
struct Described {
  int64_t nArgs;
  const int64_t *argDtypes;
  int64_t nResults;
  evox_tensor *results; // -1 where the host decides a size
};

// A run: calls of an entry point, one after the other.
struct Frame {
  const evox_entry_desc *entry;
  const evox_tensor *args;
  int32_t nArgs;
  int64_t times;
  volatile int64_t done;
};

// A loop over the lanes of a vmap: the generator that each lane starts from.
constexpr int32_t kMostLaneFrames = 8;
struct LaneFrame {
  bool same;
  uint64_t most; // draws of the lane that drew most (philox)
  Generator *saved; // memory that is kept for the next call
};

} // namespace evox::rt

struct evox_instance {
  const evox_program *program;
  int32_t variant; // of the program's code
  evox::rt::Memory memory;
  evox::rt::Generator generator;

  // --- the state: one of each per slot
  evox_view *slots;
  evox::rt::List *lists;
  evox::rt::SavedSlot *saved;
  evox::rt::Generator *savedGenerator;
  unsigned char *generatorBytes; // what get_state of the generator shows
  int32_t phase;

  // --- the call
  bool running;
  bool damaged; // a call failed half-way, and its state is lost
  evox::rt::Frame *frame;
  const evox_entry_phase *entered; // the code that runs, once it may write
  const char *entryName;
  jmp_buf jump;
  evox_status failure;
  int32_t lastEntry; // the same entry point mostly comes again
  evox_view *args;   // as many as the widest entry point has
  evox_view *results;
  evox::rt::LaneFrame lanes[evox::rt::kMostLaneFrames]; // nested vmaps
  int32_t laneDepth;
  int32_t nResults;             // of `results` that were made
  const evox_type *resultTypes; // what they were made for

  // --- the host
  evox::rt::External *externals;
  evox::rt::Described *described;
  evox_parallel_fn parallel;
  void *parallelUser;
  int32_t threads;
  evox::rt::Pool *pool; // where the host has no executor, but wants threads

  char message[4096];
};

namespace evox::rt {

inline evox_instance *instanceOf(evox_ctx *ctx) {
  return reinterpret_cast<evox_instance *>(ctx);
}
inline evox_ctx *contextOf(evox_instance *instance) {
  return reinterpret_cast<evox_ctx *>(instance);
}

//===-- errors ------------------------------------------------------------===//

/// Sets the error text and returns the status.
evox_status error(evox_instance *instance, evox_status status,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/// Ends the call with the status. Only within one.
[[noreturn]] void fail(evox_instance *instance, evox_status status,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Runs body(instance, arg) such that `fail` within it ends it.
evox_status guarded(evox_instance *instance,
                    void (*body)(evox_instance *, void *), void *arg);

/// A text that is built piece by piece and is cut where it gets too long.
struct Text {
  char data[3072];
  size_t size;
  Text() : size(0) { data[0] = 0; }
  void add(const char *format, ...) __attribute__((format(printf, 2, 3)));
};

//===-- types and tensors -------------------------------------------------===//

/// Bytes of an element; 0: not a dtype.
int64_t sizeOf(int32_t dtype);
const char *nameOf(int32_t dtype);
int64_t countOf(const evox_view &view);
inline int64_t bytesOf(const evox_view &view) {
  return countOf(view) * sizeOf(view.dtype);
}
/// -1 where a dimension is dynamic.
int64_t bytesOf(const evox_type &type);
bool isContiguous(const evox_view &view);
void setContiguous(evox_view &view);
/// "float32 [8, 2]"
void describe(Text &text, const evox_type &type);
void describe(Text &text, const evox_view &view);
bool matches(const evox_type &type, const evox_view &view);
/// A well-formed description of memory? Else says why not.
const char *whyInvalid(const evox_view &view);
/// Copies the elements, row by row, to contiguous memory; a bool becomes 0 or
/// 1.
void copyElements(void *to, const evox_view &from);
bool overlaps(const evox_view &a, const evox_view &b);

//===-- parts of an instance ----------------------------------------------===//

/// The slot of that name, or -1.
int32_t findSlot(const evox_instance *instance, const char *name);
evox_status unknownState(evox_instance *instance, const char *what,
                         const char *name);
/// The slot's type in the present phase.
inline const evox_type &typeOf(const evox_instance *instance, int32_t slot) {
  return instance->program->phases[instance->phase].slots[slot];
}
/// A tensor whose memory is the instance's, not the program's.
inline bool ownsData(const evox_slot_desc &slot) {
  return slot.slot == EVOX_SLOT_TENSOR &&
         (slot.kind != EVOX_KIND_CONSTANT || slot.offset < 0);
}
/// The name that the generator is saved under.
const char *generatorName(const evox_program *program);

/// To replace the state as a whole: the first three, within a call, fail it
/// when memory is out; `adoptState`, after `reserveState`, cannot fail.
NewState newState(evox_instance *instance);
void initialState(evox_instance *instance, NewState &state);
void reserveState(evox_instance *instance, const NewState &state);
void adoptState(evox_instance *instance, const NewState &state, int32_t phase);

void truncateList(evox_instance *instance, List &list, int64_t size);
void freeList(evox_instance *instance, List &list);
/// Ends a call: a failed one leaves the `size` elements that it found.
void keepList(evox_instance *instance, List &list);
void restoreList(evox_instance *instance, List &list, int64_t size);
/// Makes room; fails the call when memory is out.
void reserveList(evox_instance *instance, List &list, int64_t capacity);
/// Adds an element whose data the list takes over; there is room.
void pushList(List &list, const evox_view &value);

/// Calls the host's function as described; writes the sizes that it decides.
void callDescribed(evox_instance *instance, const External &external,
                   const char *name, const evox_view *args, int32_t nArgs,
                   evox_view *sizes);
/// The function's own text for a failure, or ours.
[[noreturn]] void failExternal(evox_instance *instance, const char *name,
                               const char *message);

/// The variant of the program that this processor is to run, or -1 and why there
/// is none.
int32_t chooseVariant(const evox_program *program, Text &why);

/// Unless the instance can be used now, sets the error.
evox_status checkIdle(evox_instance *instance);
/// And its state is whole.
evox_status checkWhole(evox_instance *instance);

//===-- behind evox_api ---------------------------------------------------===//

evox_status openInstance(evox_instance **);
void closeInstance(evox_instance *);
evox_status resetInstance(evox_instance *);
evox_status seedInstance(evox_instance *, uint64_t seed);
evox_status callEntry(evox_instance *, const char *entry,
                      const evox_tensor *args, int32_t nArgs,
                      evox_tensor *results, int32_t nResults);
evox_status runEntry(evox_instance *, const char *entry, int64_t n);
evox_status getState(evox_instance *, const char *name, evox_tensor *);
evox_status setState(evox_instance *, const char *name, const evox_tensor *);
evox_status listSize(evox_instance *, const char *name, int64_t *size);
evox_status listGet(evox_instance *, const char *name, int64_t index,
                    evox_tensor *);
evox_status saveState(evox_instance *, const char *path);
evox_status loadState(evox_instance *, const char *path);
evox_status setExternal(evox_instance *, const char *name, evox_external_fn,
                        void *user);
evox_status setExecutor(evox_instance *, evox_parallel_fn, void *user,
                        int32_t threads);

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_RUNTIME_H
