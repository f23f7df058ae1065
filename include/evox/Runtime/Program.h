/* Program.h - what compiled code and the run-time library agree on
 *
 * Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */
/* The compiler emits one `evox_program` constant named `evox_the_program`
 * (hidden) into each library; the run-time library, linked in statically,
 * works from it. lib/Target emits these structs field by field: a change here
 * is a change there, and of EVOX_PROGRAM_VERSION.
 */
#ifndef EVOX_RUNTIME_PROGRAM_H
#define EVOX_RUNTIME_PROGRAM_H

#include "evox/Runtime/evox.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EVOX_PROGRAM_MAGIC 0x45564F58u /* "EVOX" */
#define EVOX_PROGRAM_VERSION 3u

typedef struct evox_ctx evox_ctx; /* what compiled code sees of an instance */
typedef evox_tensor evox_view;

/* One type that a slot, argument or result can have. A dynamic dimension is
 * -1. */
typedef struct evox_type {
  int32_t dtype;
  int32_t rank;
  int64_t shape[EVOX_MAX_RANK];
} evox_type;

enum { EVOX_SLOT_TENSOR = 0, EVOX_SLOT_LIST = 1, EVOX_SLOT_GENERATOR = 2 };
enum { EVOX_KIND_CONSTANT = 0, EVOX_KIND_PARAMETER = 1, EVOX_KIND_MUTABLE = 2 };

typedef struct evox_slot_desc {
  const char *name; /* in state_dict() */
  int32_t slot;     /* EVOX_SLOT_* */
  int32_t kind;     /* EVOX_KIND_* */
  /* Offset of the initial value in the blob, or -1 for zeros. A list has
   * `n_elements` initial elements, one after the other, each with its type in
   * `element_types`, each aligned to 64 bytes. A tensor whose type in phase 0
   * has dynamic dimensions has the initial value's type there, as its only
   * element. Slots with equal values have one offset. */
  int64_t offset;
  int32_t n_elements;
  int32_t fill; /* of a tensor: not 0: only so many bytes are at the offset,
                   and all of the value is these, again and again */
  const evox_type *element_types;
} evox_slot_desc;

typedef struct evox_phase_desc {
  const evox_type *slots; /* one per slot: its type in this phase */
  const char *python;     /* JSON: the Python attributes of this phase */
} evox_phase_desc;

/* `slots`: the state, one view per slot of the program (a generator or list
 * slot's view is empty). `args`: contiguous. `results`: static ones have
 * their data allocated; for dynamic ones and for slots that are replaced the
 * code calls evox_rt_set_result / evox_rt_set_slot. Of an entry point without
 * arguments, which can be run, it makes one call after the other as long as
 * evox_rt_next says that there is another. */
typedef void (*evox_entry_fn)(evox_ctx *ctx, evox_view *slots,
                              const evox_view *args, evox_view *results);

typedef struct evox_entry_phase {
  const evox_entry_fn *fns; /* one per variant of the program; null: the entry
                               point cannot run in this phase */
  int32_t next;     /* the phase after it */
  int32_t can_fail; /* contains an assert or external call: the slots it
                       writes are saved before and put back on failure */
  int32_t n_writes;
  int32_t begins; /* fn makes ready what all calls of a run share, then calls
                     evox_rt_begin: what fails before has written nothing */
  const int32_t *writes; /* the slots it writes */
  const evox_type *results;
  const char *unreachable; /* why fns is null */
} evox_entry_phase;

typedef struct evox_entry_desc {
  const char *name;
  int32_t n_args;
  int32_t n_results;
  const char *const *arg_names;
  const evox_type *args; /* -1: any size there */
  const evox_entry_phase *phases;
} evox_entry_desc;

enum { EVOX_RNG_TORCH = 0, EVOX_RNG_PHILOX = 1 };

/* The code is there once for each of these processors, the most demanding one
 * first: an instance runs the first one that the processor can run. */
typedef struct evox_variant {
  const char *cpu;   /* LLVM's name of the processor */
  uint64_t features; /* see CpuFeatures.h; 0: any processor will do */
} evox_variant;

typedef struct evox_program {
  uint32_t magic;
  uint32_t version;
  const char *name;
  const char *signature; /* JSON */
  const char *hash;      /* of entries and state: ties checkpoints to it */
  int32_t rng;           /* EVOX_RNG_* */
  int32_t n_slots;
  int32_t n_phases;
  int32_t n_entries;
  int32_t n_externals;
  int32_t n_variants;
  const evox_variant *variants;
  const evox_slot_desc *slots;
  const evox_phase_desc *phases;
  const evox_entry_desc *entries;
  const char *const *externals;
  const unsigned char *blob; /* initial values, each aligned to 64 bytes */
  int64_t blob_size;
} evox_program;

/* What NAME_get_api returns. Hidden, as the public evox_get_api must not be
 * relied on within a library: another library's may come first in a process. */
const evox_api *evox_rt_get_api(uint32_t abi_version);

/* --- what compiled code calls ------------------------------------------- */

/* Memory of a call: kept by the instance for the next one; all of it goes
 * back when the call ends or fails. 64-byte aligned. Size 0 is fine. */
void *evox_rt_alloc(evox_ctx *ctx, int64_t bytes);
void evox_rt_free(evox_ctx *ctx, void *data);
/* Takes over `data` (from evox_rt_alloc) as the slot's or result's value; any
 * other memory, and a view that is not contiguous, is copied. What the slot
 * held stays readable until the call ends, and evox_rt_free of what was taken
 * over does nothing. */
void evox_rt_set_slot(evox_ctx *ctx, int32_t slot, const evox_view *value);
void evox_rt_set_result(evox_ctx *ctx, int32_t result, const evox_view *value);
/* The calls begin here: what was allocated so far stays until the last of them
 * ends. */
void evox_rt_begin(evox_ctx *ctx);
/* After one call: 0 where it was the last one in this phase, which then ends as
 * the code returns. Else ends it, as it would end by itself, begins the next
 * one, and returns 1; the views of the slots may have changed. */
int32_t evox_rt_next(evox_ctx *ctx);
/* Ends the call with EVOX_ERROR_PROGRAM; does not return. Each "{}" in the
 * message is replaced by the next value. `kinds[i]`: 'i' int64, 'f' double.
 * Kernels fail the same way on bad values (a range whose ends are swapped, a
 * probability of 2): where those are known only at run time, the entry point
 * needs `can_fail`. A failure without it leaves an instance that can only be
 * reset, loaded or closed. */
void evox_rt_fail(evox_ctx *ctx, const char *message, const char *kinds,
                  const int64_t *values);
void evox_rt_external(evox_ctx *ctx, const char *name, const evox_view *args,
                      int32_t n_args, evox_view *results, int32_t n_results);
/* Appends a copy. */
void evox_rt_list_append(evox_ctx *ctx, int32_t slot, const evox_view *value);
/* What was read of the list stays readable until the call ends. */
void evox_rt_list_clear(evox_ctx *ctx, int32_t slot);
int64_t evox_rt_list_size(evox_ctx *ctx, int32_t slot);
/* Fails the call when out of range, as Python's IndexError. */
void evox_rt_list_get(evox_ctx *ctx, int32_t slot, int64_t index,
                      evox_view *value);
/* task(arg, i) for i in 0 .. n-1 on the instance's executor. */
void evox_rt_parallel(evox_ctx *ctx, void (*task)(void *arg, int64_t i),
                      void *arg, int64_t n);
/* Functions of large angles. */
double evox_rt_sin(double x);
double evox_rt_cos(double x);
double evox_rt_tan(double x);

#ifdef __cplusplus
}
#endif
#endif /* EVOX_RUNTIME_PROGRAM_H */
