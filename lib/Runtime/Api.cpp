//===- Api.cpp - The table of functions -----------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstring>

using namespace evox::rt;

static const char *programName() { return evox_the_program.name; }
static const char *signature() { return evox_the_program.signature; }
static int32_t entryCount() { return evox_the_program.n_entries; }
static int32_t stateCount() { return evox_the_program.n_slots; }

static const char *entryName(int32_t i) {
  return i >= 0 && i < evox_the_program.n_entries
             ? evox_the_program.entries[i].name
             : nullptr;
}

static const char *stateName(int32_t i) {
  return i >= 0 && i < evox_the_program.n_slots ? evox_the_program.slots[i].name
                                                : nullptr;
}

static const char *errorText(const evox_instance *instance) {
  if (!instance) {
    Text why;
    if (chooseVariant(&evox_the_program, why) >= 0)
      return "there is no instance: out of memory, or a null handle";
    static thread_local char kept[sizeof why.data]; // no instance keeps it
    return std::strcpy(kept, why.data);
  }
  if (instance->running)
    return "the instance is in a call";
  return instance->message;
}

static int32_t phaseOf(const evox_instance *instance) {
  return instance ? instance->phase : -1;
}

static const char *variantOf(const evox_instance *instance) {
  return instance ? instance->program->variants[instance->variant].cpu
                  : nullptr;
}

static const evox_api kApi = {
    EVOX_ABI_VERSION, sizeof(evox_api), programName, signature,
    entryCount,       entryName,        stateCount,  stateName,
    openInstance,     closeInstance,    errorText,   seedInstance,
    callEntry,        runEntry,         getState,    setState,
    listSize,         listGet,          phaseOf,     saveState,
    loadState,        resetInstance,    setExternal, setExecutor,
    variantOf,
};

/// Hidden, for the program's own NAME_get_api: that one must not go through a
/// symbol that another library in the process may define too.
extern "C" const evox_api *evox_rt_get_api(uint32_t version) {
  bool known = version == EVOX_ABI_VERSION &&
               evox_the_program.magic == EVOX_PROGRAM_MAGIC &&
               evox_the_program.version == EVOX_PROGRAM_VERSION;
  return known ? &kApi : nullptr;
}

extern "C" __attribute__((visibility("default"))) const evox_api *
evox_get_api(uint32_t version) {
  return evox_rt_get_api(version);
}
