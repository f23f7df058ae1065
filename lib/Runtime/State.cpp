//===- State.cpp - The state of an instance -------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace evox::rt;

//===-- names -------------------------------------------------------------===//

int32_t evox::rt::findSlot(const evox_instance *instance, const char *name) {
  const evox_program *program = instance->program;
  for (int32_t i = 0; i < program->n_slots; ++i)
    if (std::strcmp(program->slots[i].name, name) == 0)
      return i;
  return -1;
}

const char *evox::rt::generatorName(const evox_program *program) {
  for (int32_t i = 0; i < program->n_slots; ++i)
    if (program->slots[i].slot == EVOX_SLOT_GENERATOR)
      return program->slots[i].name;
  return "__generator__";
}

// The least number of letters to change, add or drop; long names are cut.
static int distance(const char *a, const char *b) {
  constexpr int most = 96;
  int row[most + 1];
  int n = int(std::strlen(b));
  n = n < most ? n : most;
  for (int j = 0; j <= n; ++j)
    row[j] = j;
  for (int i = 0; a[i] && i < most; ++i) {
    int diagonal = row[0];
    row[0] = i + 1;
    for (int j = 1; j <= n; ++j) {
      int up = row[j];
      int best = diagonal + (a[i] != b[j - 1]);
      best = best < up + 1 ? best : up + 1;
      best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
      diagonal = up;
      row[j] = best;
    }
  }
  return row[n];
}

evox_status evox::rt::unknownState(evox_instance *instance, const char *what,
                                   const char *name) {
  const evox_program *program = instance->program;
  Text near;
  int shown = 0;
  int limit = int(std::strlen(name)) / 3;
  limit = limit < 2 ? 2 : limit;
  // The nearest ones first; then those that the name is a part of.
  for (int d = 0; d <= limit && shown < 3; ++d)
    for (int32_t i = 0; i < program->n_slots && shown < 3; ++i)
      if (distance(name, program->slots[i].name) == d)
        near.add("%s'%s'", shown++ ? ", " : "", program->slots[i].name);
  if (!shown && *name)
    for (int32_t i = 0; i < program->n_slots && shown < 3; ++i)
      if (std::strstr(program->slots[i].name, name))
        near.add("%s'%s'", shown++ ? ", " : "", program->slots[i].name);
  if (shown)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: unknown state '%s'; did you mean %s?", what, name,
                 near.data);
  for (int32_t i = 0; i < program->n_slots && i < 12; ++i)
    near.add("%s%s", i ? ", " : "", program->slots[i].name);
  if (program->n_slots > 12)
    near.add(", ...");
  return error(instance, EVOX_ERROR_ARGUMENT,
               "%s: unknown state '%s'; this program has: %s", what, name,
               program->n_slots ? near.data : "none");
}

//===-- replacing all of it -----------------------------------------------===//

NewState evox::rt::newState(evox_instance *instance) {
  evox_ctx *ctx = contextOf(instance);
  int64_t n = instance->program->n_slots;
  auto make = [&](size_t size) {
    void *data = evox_rt_alloc(ctx, n * int64_t(size));
    std::memset(data, 0, size_t(n) * size);
    return data;
  };
  NewState state;
  state.slots = static_cast<evox_view *>(make(sizeof(evox_view)));
  state.lists = static_cast<evox_view **>(make(sizeof(evox_view *)));
  state.sizes = static_cast<int64_t *>(make(sizeof(int64_t)));
  return state;
}

static evox_view viewOf(const evox_type &type) {
  evox_view view = {};
  view.dtype = type.dtype;
  view.rank = type.rank;
  for (int32_t i = 0; i < type.rank; ++i)
    view.shape[i] = type.shape[i] < 0 ? 0 : type.shape[i];
  setContiguous(view);
  return view;
}

// The initial values lie in the library's file. Pages of it that were copied go
// again: else the first instance would hold its state twice.
static void copyInitial(void *to, const unsigned char *from, int64_t bytes) {
  constexpr int64_t kChunk = 256 << 10, kLeast = 64 << 10;
  uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
  for (int64_t i = 0; i < bytes; i += kChunk) {
    int64_t some = bytes - i < kChunk ? bytes - i : kChunk;
    std::memcpy(static_cast<unsigned char *>(to) + i, from + i, size_t(some));
    if (bytes < kLeast)
      continue;
    uintptr_t first = uintptr_t(from + i) / page * page;
    uintptr_t last = uintptr_t(from + i + some) / page * page;
    if (first < last)
      madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
  }
}

// `bytes` bytes of the same `some` bytes. What is there is doubled, up to what
// the nearest cache holds.
static void repeat(void *to, const unsigned char *from, int64_t some,
                   int64_t bytes) {
  constexpr int64_t kMost = 8 << 10;
  unsigned char *data = static_cast<unsigned char *>(to);
  std::memcpy(data, from, size_t(some));
  for (int64_t done = some; done < bytes;) {
    int64_t next = done < kMost ? done : kMost / some * some;
    next = next < bytes - done ? next : bytes - done;
    std::memcpy(data + done, data, size_t(next));
    done += next;
  }
}

void evox::rt::initialState(evox_instance *instance, NewState &state) {
  evox_ctx *ctx = contextOf(instance);
  const evox_program *program = instance->program;
  for (int32_t i = 0; i < program->n_slots; ++i) {
    const evox_slot_desc &slot = program->slots[i];
    int64_t at = slot.offset;
    auto initial = [&](const evox_type &type, bool copy) {
      evox_view view = viewOf(type);
      int64_t bytes = bytesOf(view);
      if (!copy) {
        view.data = const_cast<unsigned char *>(program->blob + at);
        return view;
      }
      view.data = evox_rt_alloc(ctx, bytes);
      if (at < 0) {
        std::memset(view.data, 0, size_t(bytes));
      } else if (slot.fill) {
        repeat(view.data, program->blob + at, slot.fill, bytes);
      } else {
        copyInitial(view.data, program->blob + at, bytes);
        at = (at + bytes + 63) / 64 * 64;
      }
      return view;
    };
    if (slot.slot == EVOX_SLOT_TENSOR) {
      // Where the first phase's type leaves sizes open, the element type says
      // what the initial value has.
      const evox_type &type = slot.n_elements == 1
                                  ? slot.element_types[0]
                                  : program->phases[0].slots[i];
      state.slots[i] = initial(type, ownsData(slot));
    } else if (slot.slot == EVOX_SLOT_LIST) {
      state.sizes[i] = slot.n_elements;
      state.lists[i] = static_cast<evox_view *>(
          evox_rt_alloc(ctx, slot.n_elements * int64_t(sizeof(evox_view))));
      for (int32_t j = 0; j < slot.n_elements; ++j)
        state.lists[i][j] = initial(slot.element_types[j], true);
    }
  }
}

void evox::rt::reserveState(evox_instance *instance, const NewState &state) {
  for (int32_t i = 0; i < instance->program->n_slots; ++i)
    reserveList(instance, instance->lists[i], state.sizes[i]);
}

void evox::rt::adoptState(evox_instance *instance, const NewState &state,
                          int32_t phase) {
  const evox_program *program = instance->program;
  Memory &memory = instance->memory;
  for (int32_t i = 0; i < program->n_slots; ++i) {
    truncateList(instance, instance->lists[i], 0);
    for (int64_t j = 0; j < state.sizes[i]; ++j) {
      memory.keepBlock(state.lists[i][j].data);
      pushList(instance->lists[i], state.lists[i][j]);
    }
    if (ownsData(program->slots[i])) {
      memory.release(instance->slots[i].data);
      memory.keepBlock(state.slots[i].data);
    }
    instance->slots[i] = state.slots[i];
  }
  instance->phase = phase;
  instance->damaged = false;
}

//===-- instances ---------------------------------------------------------===//

evox_status evox::rt::checkIdle(evox_instance *instance) {
  if (!instance)
    return EVOX_ERROR_ARGUMENT;
  // The text belongs to the call in progress.
  if (instance->running)
    return EVOX_ERROR_ARGUMENT;
  instance->message[0] = 0;
  return EVOX_OK;
}

evox_status evox::rt::checkWhole(evox_instance *instance) {
  if (evox_status status = checkIdle(instance))
    return status;
  if (instance->damaged)
    return error(instance, EVOX_ERROR_PROGRAM,
                 "an earlier call failed half-way and left no whole state: "
                 "use reset or load");
  return EVOX_OK;
}

static void resetBody(evox_instance *instance, void *) {
  NewState state = newState(instance);
  initialState(instance, state);
  reserveState(instance, state);
  adoptState(instance, state, 0);
  instance->generator.setSeed(kDefaultSeed);
}

evox_status evox::rt::resetInstance(evox_instance *instance) {
  if (evox_status status = checkIdle(instance))
    return status;
  evox_status status = guarded(instance, resetBody, nullptr);
  instance->memory.endCall();
  return status;
}

evox_status evox::rt::seedInstance(evox_instance *instance, uint64_t seed) {
  if (evox_status status = checkIdle(instance))
    return status;
  instance->generator.setSeed(seed);
  return EVOX_OK;
}

template <typename T> static bool makeTable(T *&table, int64_t n) {
  table = static_cast<T *>(std::calloc(size_t(n ? n : 1), sizeof(T)));
  return table;
}

evox_status evox::rt::openInstance(evox_instance **result) {
  if (!result)
    return EVOX_ERROR_ARGUMENT;
  *result = nullptr;
  const evox_program *program = &evox_the_program;
  Text why;
  int32_t variant = chooseVariant(program, why);
  if (variant < 0)
    return EVOX_ERROR_PROCESSOR;
  void *data = nullptr;
  if (posix_memalign(&data, 64, sizeof(evox_instance)))
    return EVOX_ERROR_MEMORY;
  std::memset(data, 0, sizeof(evox_instance));
  evox_instance *instance = static_cast<evox_instance *>(data);
  instance->program = program;
  instance->variant = variant;
  instance->memory.open();
  instance->generator.kind = program->rng;
  instance->generator.isa = detectIsa();
  instance->threads = 1;
  int64_t args = 0, results = 0;
  for (int32_t i = 0; i < program->n_entries; ++i) {
    const evox_entry_desc &entry = program->entries[i];
    args = entry.n_args > args ? entry.n_args : args;
    results = entry.n_results > results ? entry.n_results : results;
  }
  void *saved = nullptr;
  bool made = makeTable(instance->slots, program->n_slots) &&
              makeTable(instance->lists, program->n_slots) &&
              makeTable(instance->saved, program->n_slots) &&
              makeTable(instance->generatorBytes, kMostStateBytes) &&
              makeTable(instance->args, args) &&
              makeTable(instance->results, results) &&
              makeTable(instance->externals, program->n_externals) &&
              !posix_memalign(&saved, 64, sizeof(Generator));
  instance->savedGenerator = static_cast<Generator *>(saved);
  if (!made || resetInstance(instance) != EVOX_OK) {
    closeInstance(instance);
    return EVOX_ERROR_MEMORY;
  }
  *result = instance;
  return EVOX_OK;
}

void evox::rt::closeInstance(evox_instance *instance) {
  if (!instance || instance->running)
    return;
  for (int32_t i = 0; instance->lists && i < instance->program->n_slots; ++i)
    std::free(instance->lists[i].items);
  closePool(instance->pool);
  instance->memory.close();
  std::free(instance->slots);
  std::free(instance->lists);
  std::free(instance->saved);
  std::free(instance->savedGenerator);
  for (LaneFrame &frame : instance->lanes)
    std::free(frame.saved);
  std::free(instance->generatorBytes);
  std::free(instance->args);
  std::free(instance->results);
  std::free(instance->externals);
  std::free(instance);
}

//===-- get and set -------------------------------------------------------===//

static evox_type generatorType(const evox_instance *instance) {
  evox_type type = {};
  type.dtype = EVOX_UINT8;
  type.rank = 1;
  type.shape[0] = instance->generator.stateBytes();
  return type;
}

static evox_status findTensor(evox_instance *instance, const char *what,
                              const char *name, const evox_tensor *tensor,
                              int32_t &slot) {
  if (evox_status status = checkWhole(instance))
    return status;
  if (!name || !tensor)
    return error(instance, EVOX_ERROR_ARGUMENT, "%s: the %s is null", what,
                 name ? "tensor" : "name");
  slot = findSlot(instance, name);
  if (slot < 0)
    return unknownState(instance, what, name);
  if (instance->program->slots[slot].slot == EVOX_SLOT_LIST)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: '%s' is a list: use list_size and list_get", what, name);
  return EVOX_OK;
}

evox_status evox::rt::getState(evox_instance *instance, const char *name,
                               evox_tensor *tensor) {
  int32_t slot = -1;
  if (evox_status status =
          findTensor(instance, "get_state", name, tensor, slot))
    return status;
  if (instance->program->slots[slot].slot == EVOX_SLOT_GENERATOR) {
    instance->generator.getState(instance->generatorBytes);
    *tensor = viewOf(generatorType(instance));
    tensor->data = instance->generatorBytes;
    return EVOX_OK;
  }
  *tensor = instance->slots[slot];
  return EVOX_OK;
}

namespace {
struct Store {
  int32_t slot;
  const evox_tensor *value;
};
} // namespace

// The value is copied to new memory first: it may be a view of the old one.
static void storeBody(evox_instance *instance, void *arg) {
  const Store *store = static_cast<const Store *>(arg);
  evox_view fresh = *store->value;
  setContiguous(fresh);
  fresh.data = evox_rt_alloc(contextOf(instance), bytesOf(fresh));
  copyElements(fresh.data, *store->value);
  if (instance->program->slots[store->slot].slot == EVOX_SLOT_GENERATOR) {
    if (!instance->generator.setState(
            static_cast<const unsigned char *>(fresh.data)))
      fail(instance, EVOX_ERROR_ARGUMENT,
           "set_state: '%s': the bytes are not the state of a generator",
           instance->program->slots[store->slot].name);
    return;
  }
  evox_view &view = instance->slots[store->slot];
  int64_t bytes = bytesOf(view);
  if (bytesOf(fresh) == bytes) {
    // In place: views that the host holds stay good.
    std::memcpy(view.data, fresh.data, size_t(bytes));
    fresh.data = view.data;
  } else {
    instance->memory.release(view.data);
    instance->memory.keepBlock(fresh.data);
  }
  view = fresh;
}

evox_status evox::rt::setState(evox_instance *instance, const char *name,
                               const evox_tensor *tensor) {
  Store store = {-1, tensor};
  if (evox_status status =
          findTensor(instance, "set_state", name, tensor, store.slot))
    return status;
  const evox_slot_desc &slot = instance->program->slots[store.slot];
  if (slot.kind == EVOX_KIND_CONSTANT)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "set_state: '%s' is a constant of the program", name);
  evox_type type = slot.slot == EVOX_SLOT_GENERATOR
                       ? generatorType(instance)
                       : typeOf(instance, store.slot);
  const char *invalid = whyInvalid(*tensor);
  if (!matches(type, *tensor)) {
    Text expected, got;
    describe(expected, type);
    describe(got, *tensor);
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "set_state: '%s': expected %s, got %s", name, expected.data,
                 got.data);
  }
  if (invalid)
    return error(instance, EVOX_ERROR_ARGUMENT, "set_state: '%s' %s", name,
                 invalid);
  evox_status status = guarded(instance, storeBody, &store);
  instance->memory.endCall();
  return status;
}
