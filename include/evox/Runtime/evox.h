/* evox.h - the C interface of a compiled program
 *
 * Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */
/* Every library that evox-compile makes exports one table of functions:
 *
 *     const evox_api *api = evox_get_api(EVOX_ABI_VERSION);   (by dlsym)
 *     const evox_api *api = NAME_get_api(EVOX_ABI_VERSION);   (by the linker)
 *
 * An instance owns a copy of the program's mutable state. There is no global
 * state: any number of instances of any number of libraries live side by
 * side, and different instances may be used from different threads at once.
 * One instance serves one thread at a time.
 *
 * Every function that can fail returns an evox_status; evox_error(handle)
 * then says what went wrong. A call that fails leaves the state as it was.
 */
#ifndef EVOX_H
#define EVOX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVOX_ABI_VERSION 1
#define EVOX_MAX_RANK 16

typedef enum evox_status {
  EVOX_OK = 0,
  EVOX_ERROR_ARGUMENT = 1,   /* a wrong name, shape, dtype or count */
  EVOX_ERROR_PROGRAM = 2,    /* an assert or raise of the program */
  EVOX_ERROR_IO = 3,         /* a file could not be read or written */
  EVOX_ERROR_CHECKPOINT = 4, /* damaged, or of another program */
  EVOX_ERROR_MEMORY = 5,
  EVOX_ERROR_EXTERNAL = 6,   /* an external function is missing or failed */
  EVOX_ERROR_PROCESSOR = 7   /* compiled for a processor that this one isn't */
} evox_status;

/* PyTorch's numbers for its scalar types. */
typedef enum evox_dtype {
  EVOX_UINT8 = 0,
  EVOX_INT8 = 1,
  EVOX_INT16 = 2,
  EVOX_INT32 = 3,
  EVOX_INT64 = 4,
  EVOX_FLOAT16 = 5,
  EVOX_FLOAT32 = 6,
  EVOX_FLOAT64 = 7,
  EVOX_COMPLEX64 = 9,
  EVOX_COMPLEX128 = 10,
  EVOX_BOOL = 11,
  EVOX_BFLOAT16 = 15
} evox_dtype;

/* A tensor in the host's memory. Strides count elements. */
typedef struct evox_tensor {
  void *data;
  int32_t dtype; /* evox_dtype */
  int32_t rank;
  int64_t shape[EVOX_MAX_RANK];
  int64_t strides[EVOX_MAX_RANK];
} evox_tensor;

typedef struct evox_instance evox_instance;

/* A function of the host behind torch.jit.ignore or a black-box problem. It
 * fills `results`, whose shapes and dtypes are given and whose data is
 * allocated and contiguous. A result of which the host decides a size has -1
 * there, and no data: the function sets its shape, strides and data, to memory
 * of its own that it keeps until it is called again or the call ends. Returns
 * 0, or anything else to fail the call; it may write a message of up to
 * `message_size` bytes. */
typedef int (*evox_external_fn)(void *user, const evox_tensor *args,
                                int32_t n_args, evox_tensor *results,
                                int32_t n_results, char *message,
                                size_t message_size);

/* The host's executor: runs task(arg, i) for i in 0 .. n-1, in any order and
 * on any threads, each with 128 KB of stack or more to spare, and returns when
 * all are done. */
typedef void (*evox_parallel_fn)(void *user, void (*task)(void *arg, int64_t i),
                                 void *arg, int64_t n);

typedef struct evox_api {
  uint32_t abi_version; /* EVOX_ABI_VERSION of the library */
  uint32_t struct_size; /* sizeof(evox_api) there */

  /* --- the program ---------------------------------------------------- */
  const char *(*program_name)(void);
  /* The signature as JSON: entry points with their arguments, results and
   * phases; state with names, kinds, dtypes and shapes; compile options. */
  const char *(*signature)(void);
  int32_t (*entry_count)(void);
  const char *(*entry_name)(int32_t entry); /* null past the end */
  int32_t (*state_count)(void);
  const char *(*state_name)(int32_t slot); /* null past the end */

  /* --- instances -------------------------------------------------------- */
  evox_status (*open)(evox_instance **instance);
  void (*close)(evox_instance *instance); /* null is fine */
  const char *(*error)(const evox_instance *instance); /* null: of `open` */
  evox_status (*seed)(evox_instance *, uint64_t seed);

  /* Calls an entry point by name. `args` are read during the call only; they
   * may have any strides. The results are contiguous, owned by the instance
   * and valid until its next call, run, load or close. With `n_results` below
   * the entry's count, the rest is dropped. */
  evox_status (*call)(evox_instance *, const char *entry,
                      const evox_tensor *args, int32_t n_args,
                      evox_tensor *results, int32_t n_results);
  /* Calls an entry point without arguments n times, inside compiled code: what
   * depends on nothing that it writes is computed once. A failure leaves the
   * state as it was before the call that failed. */
  evox_status (*run)(evox_instance *, const char *entry, int64_t n);

  /* --- state ------------------------------------------------------------ */
  /* A view of a slot by its state_dict name, without a copy; valid until the
   * instance's next call. `NAME` of a list: use list_size and list_get. The
   * generator is shown as bytes: of the torch one, those of
   * torch.get_rng_state, and set_state takes them; of philox, the seed and the
   * number of draws since (8 bytes each). */
  evox_status (*get_state)(evox_instance *, const char *name, evox_tensor *);
  /* Copies into a slot; shape and dtype must be the slot's in this phase. */
  evox_status (*set_state)(evox_instance *, const char *name,
                           const evox_tensor *);
  evox_status (*list_size)(evox_instance *, const char *name, int64_t *size);
  evox_status (*list_get)(evox_instance *, const char *name, int64_t index,
                          evox_tensor *);
  int32_t (*phase)(const evox_instance *);
  /* Writes the whole state, generator included, as safetensors, atomically. */
  evox_status (*save)(evox_instance *, const char *path);
  evox_status (*load)(evox_instance *, const char *path);
  /* Back to the state that the program was compiled with. */
  evox_status (*reset)(evox_instance *);

  /* --- the host --------------------------------------------------------- */
  evox_status (*set_external)(evox_instance *, const char *name,
                              evox_external_fn, void *user);
  /* The threads that a call may use, `threads` of them: the host's executor, or,
   * where it is null, threads of the instance's own (a child that the process
   * forks has none of these: it must not go on with the instance). An instance
   * starts with the caller's thread alone. Results have the same bits at any
   * number of threads. */
  evox_status (*set_executor)(evox_instance *, evox_parallel_fn, void *user,
                              int32_t threads);
  /* The processor that the instance's code was compiled for: of the library's
   * variants (see its signature), the best one that this processor can run, or
   * the one that the environment variable EVOX_CPU names. */
  const char *(*variant)(const evox_instance *);
} evox_api;

/* The table of this library, or null where it is of another ABI version. */
typedef const evox_api *(*evox_get_api_fn)(uint32_t abi_version);

#ifdef __cplusplus
}
#endif
#endif /* EVOX_H */
