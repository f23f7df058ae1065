//===- Instance.cpp - Calls -----------------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled code has no error paths: what fails within a call jumps back to
// `guarded`, and the memory of the call is given back as a whole.
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace evox::rt;

//===-- failing -----------------------------------------------------------===//

namespace {

// A task that a thread of the host's executor runs. It cannot jump out of the
// executor, so it jumps to here, and evox_rt_parallel fails in its stead.
struct Task {
  Task *outer;
  evox_instance *instance;
  jmp_buf jump;
  evox_status failure;
  char message[1024];
};

thread_local Task *currentTask = nullptr;

struct Job {
  evox_instance *instance;
  void (*task)(void *, int64_t);
  void *arg;
  int lock;
  int64_t failed; // the first task that failed
  evox_status failure;
  char message[1024];
};

void runTask(void *arg, int64_t i) {
  Job *job = static_cast<Job *>(arg);
  if (__atomic_load_n(&job->failed, __ATOMIC_RELAXED) < i)
    return;
  Task task;
  task.outer = currentTask;
  task.instance = job->instance;
  currentTask = &task;
  if (setjmp(task.jump) == 0) {
    job->task(job->arg, i);
  } else {
    while (__atomic_exchange_n(&job->lock, 1, __ATOMIC_ACQUIRE)) {
    }
    if (i < job->failed) {
      __atomic_store_n(&job->failed, i, __ATOMIC_RELAXED);
      job->failure = currentTask->failure;
      std::memcpy(job->message, currentTask->message, sizeof job->message);
    }
    __atomic_store_n(&job->lock, 0, __ATOMIC_RELEASE);
  }
  currentTask = currentTask->outer;
}

} // namespace

void evox::rt::fail(evox_instance *instance, evox_status status,
                    const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (currentTask && currentTask->instance == instance) {
    vsnprintf(currentTask->message, sizeof currentTask->message, format, list);
    va_end(list);
    currentTask->failure = status;
    longjmp(currentTask->jump, 1);
  }
  int n = 0;
  if (instance->entryName)
    n = snprintf(instance->message, sizeof instance->message / 4,
                 "%s: ", instance->entryName);
  n = n < int(sizeof instance->message / 4) ? n
                                            : int(sizeof instance->message / 4);
  vsnprintf(instance->message + n, sizeof instance->message - size_t(n), format,
            list);
  va_end(list);
  instance->failure = status;
  longjmp(instance->jump, 1);
}

evox_status evox::rt::guarded(evox_instance *instance,
                              void (*body)(evox_instance *, void *),
                              void *arg) {
  instance->running = true;
  instance->laneDepth = 0;
  instance->described = nullptr;
  instance->failure = EVOX_OK;
  if (setjmp(instance->jump) == 0)
    body(instance, arg);
  instance->running = false;
  instance->memory.shared = false;
  instance->entryName = nullptr;
  return instance->failure;
}

// As Python prints a float: the shortest text that reads back as it.
static void addDouble(Text &text, double value) {
  char digits[40];
  for (int precision = 15; precision <= 17; ++precision) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (strtod(digits, nullptr) == value)
      break;
  }
  if (char *comma = strchr(digits, ',')) // the host's locale
    *comma = '.';
  text.add("%s%s", digits, strpbrk(digits, ".en") ? "" : ".0");
}

extern "C" void evox_rt_fail(evox_ctx *ctx, const char *message,
                             const char *kinds, const int64_t *values) {
  Text text;
  int i = 0;
  while (*message) {
    if (message[0] == '{' && message[1] == '}' && kinds && kinds[i]) {
      if (kinds[i] == 'f') {
        double value;
        std::memcpy(&value, &values[i], 8);
        addDouble(text, value);
      } else {
        text.add("%lld", static_cast<long long>(values[i]));
      }
      ++i;
      message += 2;
      continue;
    }
    size_t n = 1;
    while (message[n] && message[n] != '{')
      ++n;
    text.add("%.*s", int(n), message);
    message += n;
  }
  fail(instanceOf(ctx), EVOX_ERROR_PROGRAM, "%s", text.data);
}

//===-- the host's part ---------------------------------------------------===//

extern "C" void evox_rt_external(evox_ctx *ctx, const char *name,
                                 const evox_view *args, int32_t n_args,
                                 evox_view *results, int32_t n_results) {
  evox_instance *instance = instanceOf(ctx);
  const evox_program *program = instance->program;
  for (int32_t i = 0; i < program->n_externals; ++i) {
    if (std::strcmp(program->externals[i], name) != 0)
      continue;
    const External &external = instance->externals[i];
    if (!external.fn)
      break;
    if (instance->described) {
      callDescribed(instance, external, name, args, n_args, results);
      return;
    }
    char message[1024] = {};
    int rc = external.fn(external.user, args, n_args, results, n_results,
                         message, sizeof message);
    message[sizeof message - 1] = 0;
    if (rc)
      failExternal(instance, name, message);
    return;
  }
  fail(instance, EVOX_ERROR_EXTERNAL,
       "external function '%s' is missing: give it with set_external", name);
}

extern "C" void evox_rt_parallel(evox_ctx *ctx,
                                 void (*task)(void *arg, int64_t i), void *arg,
                                 int64_t n) {
  evox_instance *instance = instanceOf(ctx);
  // A task's own tasks run one after the other: no executor need nest.
  bool isNested = currentTask && currentTask->instance == instance;
  if (!instance->parallel || n <= 1 || isNested) {
    for (int64_t i = 0; i < n; ++i)
      task(arg, i);
    return;
  }
  Job job;
  job.instance = instance;
  job.task = task;
  job.arg = arg;
  job.lock = 0;
  job.failed = INT64_MAX;
  bool shared = instance->memory.shared;
  instance->memory.shared = true;
  instance->parallel(instance->parallelUser, runTask, &job, n);
  instance->memory.shared = shared;
  if (job.failed != INT64_MAX)
    fail(instance, job.failure, "%s", job.message);
}

evox_status evox::rt::setExternal(evox_instance *instance, const char *name,
                                  evox_external_fn fn, void *user) {
  if (evox_status status = checkIdle(instance))
    return status;
  const evox_program *program = instance->program;
  for (int32_t i = 0; name && i < program->n_externals; ++i)
    if (std::strcmp(program->externals[i], name) == 0) {
      instance->externals[i].fn = fn;
      instance->externals[i].user = user;
      return EVOX_OK;
    }
  Text known;
  for (int32_t i = 0; i < program->n_externals; ++i)
    known.add("%s%s", i ? ", " : "", program->externals[i]);
  return error(instance, EVOX_ERROR_ARGUMENT,
               "set_external: unknown function '%s'; this program calls: %s",
               name ? name : "(null)",
               program->n_externals ? known.data : "none");
}

evox_status evox::rt::setExecutor(evox_instance *instance, evox_parallel_fn fn,
                                  void *user, int32_t threads) {
  if (evox_status status = checkIdle(instance))
    return status;
  if (fn && threads < 1)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "set_executor: expected at least 1 thread, got %d", threads);
  Pool *pool = nullptr;
  if (!fn && threads > 1 && !(pool = openPool(threads - 1)))
    return error(instance, EVOX_ERROR_MEMORY, "set_executor: out of memory");
  closePool(instance->pool);
  instance->pool = pool;
  instance->parallel = pool ? runInPool : fn;
  instance->parallelUser = pool ? pool : user;
  instance->threads = fn || pool ? threads : 1;
  return EVOX_OK;
}

//===-- results and replaced slots ----------------------------------------===//

// Makes `held`, a kept tensor, hold the value, whose memory it takes over
// where it can. What it held lives on until the call ends: the code may still
// read it.
static void takeOver(evox_instance *instance, evox_view &held,
                     const evox_view &value) {
  void *old = held.data;
  evox_view fresh = value;
  setContiguous(fresh);
  if (!isContiguous(value) ||
      (value.data != old && !instance->memory.keep(value.data))) {
    fresh.data = instance->memory.allocate(bytesOf(fresh), Owner::Kept);
    if (!fresh.data)
      fail(instance, EVOX_ERROR_MEMORY, "out of memory: %lld bytes",
           static_cast<long long>(bytesOf(fresh)));
    copyElements(fresh.data, value);
  }
  if (fresh.data != old)
    instance->memory.giveToCall(old);
  held = fresh;
}

extern "C" void evox_rt_set_slot(evox_ctx *ctx, int32_t slot,
                                 const evox_view *value) {
  evox_instance *instance = instanceOf(ctx);
  takeOver(instance, instance->slots[slot], *value);
}

extern "C" void evox_rt_set_result(evox_ctx *ctx, int32_t result,
                                   const evox_view *value) {
  evox_instance *instance = instanceOf(ctx);
  takeOver(instance, instance->results[result], *value);
}

static void dropResults(evox_instance *instance) {
  for (int32_t i = 0; i < instance->nResults; ++i)
    instance->memory.release(instance->results[i].data);
  instance->nResults = 0;
  instance->resultTypes = nullptr;
}

static void prepareResults(evox_instance *instance, int32_t n,
                           const evox_type *types) {
  bool again = n && instance->resultTypes == types;
  if (!again)
    dropResults(instance);
  for (int32_t i = 0; i < n; ++i) {
    evox_view &result = instance->results[i];
    int64_t bytes = bytesOf(types[i]);
    if (again) {
      if (bytes >= 0)
        continue;
      instance->memory.release(result.data);
    }
    result.data = nullptr;
    result.dtype = types[i].dtype;
    result.rank = types[i].rank;
    std::memcpy(result.shape, types[i].shape, sizeof result.shape);
    instance->nResults = again ? n : i + 1;
    if (bytes < 0)
      continue;
    setContiguous(result);
    result.data = instance->memory.allocate(bytes, Owner::Kept);
    if (!result.data)
      fail(instance, EVOX_ERROR_MEMORY, "out of memory: %lld bytes",
           static_cast<long long>(bytes));
  }
  instance->resultTypes = types;
}

//===-- what may fail -----------------------------------------------------===//

static bool savesGenerator(const evox_instance *instance,
                           const evox_entry_phase *code) {
  for (int32_t i = 0; i < code->n_writes; ++i)
    if (instance->program->slots[code->writes[i]].slot == EVOX_SLOT_GENERATOR)
      return true;
  return false;
}

static void saveWrites(evox_instance *instance, const evox_entry_phase *code) {
  for (int32_t i = 0; i < code->n_writes; ++i) {
    int32_t slot = code->writes[i];
    SavedSlot &saved = instance->saved[slot];
    saved.listSize = instance->lists[slot].size;
    if (instance->program->slots[slot].slot != EVOX_SLOT_TENSOR)
      continue;
    saved.view = instance->slots[slot];
    int64_t bytes = bytesOf(saved.view);
    if (bytes > saved.capacity) {
      instance->memory.release(saved.copy);
      saved.capacity = 0;
      saved.copy = instance->memory.allocate(bytes, Owner::Kept);
      if (!saved.copy)
        fail(instance, EVOX_ERROR_MEMORY, "out of memory: %lld bytes",
             static_cast<long long>(bytes));
      saved.capacity = bytes;
    }
    if (bytes)
      std::memcpy(saved.copy, saved.view.data, size_t(bytes));
  }
  if (savesGenerator(instance, code))
    std::memcpy(static_cast<void *>(instance->savedGenerator),
                &instance->generator, offsetof(Generator, buffer));
}

static void restoreWrites(evox_instance *instance,
                          const evox_entry_phase *code) {
  for (int32_t i = 0; i < code->n_writes; ++i) {
    int32_t slot = code->writes[i];
    const SavedSlot &saved = instance->saved[slot];
    int32_t kind = instance->program->slots[slot].slot;
    if (kind == EVOX_SLOT_LIST)
      restoreList(instance, instance->lists[slot], saved.listSize);
    if (kind != EVOX_SLOT_TENSOR)
      continue;
    evox_view &now = instance->slots[slot];
    if (now.data != saved.view.data) {
      instance->memory.release(now.data);
      instance->memory.keepBlock(saved.view.data);
    }
    now = saved.view;
    if (int64_t bytes = bytesOf(now))
      std::memcpy(now.data, saved.copy, size_t(bytes));
  }
  if (savesGenerator(instance, code))
    std::memcpy(static_cast<void *>(&instance->generator),
                instance->savedGenerator, offsetof(Generator, buffer));
}

//===-- calls -------------------------------------------------------------===//

// The code must leave every slot in the type that the next phase expects: what
// comes after relies on it.
static void checkPhase(evox_instance *instance, int32_t next) {
  const evox_program *program = instance->program;
  if (next < 0 || next >= program->n_phases)
    fail(instance, EVOX_ERROR_PROGRAM, "the program has no phase %d", next);
  for (int32_t i = 0; i < program->n_slots; ++i) {
    const evox_type &type = program->phases[next].slots[i];
    if (program->slots[i].slot != EVOX_SLOT_TENSOR ||
        matches(type, instance->slots[i]))
      continue;
    Text expected, got;
    describe(expected, type);
    describe(got, instance->slots[i]);
    fail(instance, EVOX_ERROR_PROGRAM,
         "the compiled code left '%s' as %s, but phase %d has %s",
         program->slots[i].name, got.data, next, expected.data);
  }
}

static void beginCall(evox_instance *instance, const evox_entry_phase *code) {
  if (code->can_fail)
    saveWrites(instance, code);
  instance->entered = code;
}

// All but giving back the call's memory.
static void finishCall(evox_instance *instance, const evox_entry_desc *entry,
                       const evox_entry_phase *code) {
  instance->generator.settle();
  for (int32_t i = 0; i < entry->n_results; ++i)
    if (!instance->results[i].data)
      fail(instance, EVOX_ERROR_PROGRAM,
           "the compiled code left result %d without a value", i);
  for (int32_t i = 0; i < code->n_writes; ++i)
    if (List &list = instance->lists[code->writes[i]]; list.dropped)
      keepList(instance, list);
  if (code->next != instance->phase) {
    checkPhase(instance, code->next);
    instance->phase = code->next;
  }
  instance->entered = nullptr;
}

extern "C" void evox_rt_begin(evox_ctx *ctx) {
  evox_instance *instance = instanceOf(ctx);
  if (!instance->memory.hold())
    fail(instance, EVOX_ERROR_MEMORY, "out of memory");
  beginCall(instance, &instance->frame->entry->phases[instance->phase]);
}

extern "C" int32_t evox_rt_next(evox_ctx *ctx) {
  evox_instance *instance = instanceOf(ctx);
  Frame *frame = instance->frame;
  const evox_entry_phase *code = instance->entered;
  int64_t done = frame->done + 1;
  if (done >= frame->times || code->next != instance->phase)
    return 0;
  finishCall(instance, frame->entry, code);
  instance->memory.endOneCall();
  frame->done = done;
  if (frame->entry->n_results)
    prepareResults(instance, frame->entry->n_results, code->results);
  beginCall(instance, code);
  return 1;
}

// The calls that the code of the present phase makes in one go.
static void callCode(evox_instance *instance, const evox_entry_desc *entry) {
  const evox_entry_phase *code = &entry->phases[instance->phase];
  if (!code->fns)
    fail(instance, EVOX_ERROR_PROGRAM,
         "cannot be called in the present state: %s",
         code->unreachable ? code->unreachable : "no code was made for it");
  prepareResults(instance, entry->n_results, code->results);
  if (!code->begins)
    beginCall(instance, code);
  code->fns[instance->variant](contextOf(instance), instance->slots,
                               instance->args, instance->results);
  finishCall(instance, entry, code);
  instance->memory.endCall();
}

// Whether the compiled code could overwrite the argument while it reads it.
static bool isOurs(const evox_instance *instance, const evox_tensor &arg) {
  const evox_program *program = instance->program;
  for (int32_t i = 0; i < program->n_slots; ++i)
    if (program->slots[i].slot == EVOX_SLOT_TENSOR &&
        program->slots[i].kind == EVOX_KIND_MUTABLE &&
        overlaps(arg, instance->slots[i]))
      return true;
  for (int32_t i = 0; i < instance->nResults; ++i)
    if (instance->results[i].data && overlaps(arg, instance->results[i]))
      return true;
  return false;
}

static bool isClean(const evox_tensor &arg) {
  uintptr_t size = uintptr_t(sizeOf(arg.dtype));
  size = size > 8 ? 8 : size;
  if (reinterpret_cast<uintptr_t>(arg.data) % size != 0)
    return false;
  if (arg.dtype == EVOX_BOOL) {
    const uint8_t *bytes = static_cast<const uint8_t *>(arg.data);
    for (int64_t i = 0, n = countOf(arg); i < n; ++i)
      if (bytes[i] > 1)
        return false;
  }
  return true;
}

static void runFrame(evox_instance *instance, void *arg) {
  Frame *frame = static_cast<Frame *>(arg);
  for (int32_t i = 0; i < frame->nArgs; ++i) {
    const evox_tensor &given = frame->args[i];
    evox_view &view = instance->args[i];
    view = given;
    setContiguous(view);
    if (isContiguous(given) && isClean(given) && !isOurs(instance, given))
      continue;
    view.data = evox_rt_alloc(contextOf(instance), bytesOf(given));
    copyElements(view.data, given);
  }
  for (; frame->done < frame->times; frame->done = frame->done + 1)
    callCode(instance, frame->entry);
}

static evox_status runGuarded(evox_instance *instance, Frame &frame) {
  instance->entryName = frame.entry->name;
  instance->frame = &frame;
  evox_status status = guarded(instance, runFrame, &frame);
  if (status == EVOX_OK)
    return status;
  if (const evox_entry_phase *code = instance->entered) {
    if (code->can_fail)
      restoreWrites(instance, code);
    else if (code->n_writes)
      instance->damaged = true;
    instance->entered = nullptr;
  }
  dropResults(instance);
  instance->memory.endCall();
  if (frame.times > 1) {
    size_t used = std::strlen(instance->message);
    snprintf(instance->message + used, sizeof instance->message - used,
             " (call %lld of %lld)", static_cast<long long>(frame.done + 1),
             static_cast<long long>(frame.times));
  }
  return status;
}

static const evox_entry_desc *findEntry(evox_instance *instance,
                                        const char *name) {
  const evox_program *program = instance->program;
  if (name && instance->lastEntry < program->n_entries &&
      std::strcmp(program->entries[instance->lastEntry].name, name) == 0)
    return &program->entries[instance->lastEntry];
  for (int32_t i = 0; name && i < program->n_entries; ++i)
    if (std::strcmp(program->entries[i].name, name) == 0) {
      instance->lastEntry = i;
      return &program->entries[i];
    }
  Text known;
  for (int32_t i = 0; i < program->n_entries; ++i)
    known.add("%s%s", i ? ", " : "", program->entries[i].name);
  error(instance, EVOX_ERROR_ARGUMENT,
        "unknown entry point '%s'; this program has: %s",
        name ? name : "(null)", program->n_entries ? known.data : "none");
  return nullptr;
}

static evox_status checkArgs(evox_instance *instance,
                             const evox_entry_desc &entry,
                             const evox_tensor *args, int32_t nArgs) {
  if (nArgs != entry.n_args || (nArgs && !args)) {
    Text names;
    for (int32_t i = 0; i < entry.n_args; ++i)
      names.add("%s%s", i ? ", " : "", entry.arg_names[i]);
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: expected %d argument%s (%s), got %d", entry.name,
                 entry.n_args, entry.n_args == 1 ? "" : "s",
                 entry.n_args ? names.data : "none", args ? nArgs : 0);
  }
  for (int32_t i = 0; i < nArgs; ++i) {
    const evox_tensor &arg = args[i];
    const char *invalid = whyInvalid(arg);
    bool described = sizeOf(arg.dtype) && arg.rank >= 0;
    if (invalid && (!described || matches(entry.args[i], arg)))
      return error(instance, EVOX_ERROR_ARGUMENT, "%s: argument '%s' %s",
                   entry.name, entry.arg_names[i], invalid);
    if (!invalid && matches(entry.args[i], arg))
      continue;
    Text expected, got;
    describe(expected, entry.args[i]);
    describe(got, arg);
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: argument '%s': expected %s, got %s", entry.name,
                 entry.arg_names[i], expected.data, got.data);
  }
  return EVOX_OK;
}

evox_status evox::rt::callEntry(evox_instance *instance, const char *name,
                                const evox_tensor *args, int32_t nArgs,
                                evox_tensor *results, int32_t nResults) {
  if (evox_status status = checkWhole(instance))
    return status;
  const evox_entry_desc *entry = findEntry(instance, name);
  if (!entry)
    return EVOX_ERROR_ARGUMENT;
  if (evox_status status = checkArgs(instance, *entry, args, nArgs))
    return status;
  if (nResults < 0 || nResults > entry->n_results || (nResults && !results))
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: it has %d result%s, got room for %d", entry->name,
                 entry->n_results, entry->n_results == 1 ? "" : "s",
                 results ? nResults : 0);
  Frame frame = {entry, args, nArgs, 1, 0};
  if (evox_status status = runGuarded(instance, frame))
    return status;
  for (int32_t i = 0; i < nResults; ++i)
    results[i] = instance->results[i];
  return EVOX_OK;
}

evox_status evox::rt::runEntry(evox_instance *instance, const char *name,
                               int64_t n) {
  if (evox_status status = checkWhole(instance))
    return status;
  const evox_entry_desc *entry = findEntry(instance, name);
  if (!entry)
    return EVOX_ERROR_ARGUMENT;
  if (entry->n_args)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "run: '%s' takes %d argument%s: only entry points without "
                 "arguments can be run",
                 entry->name, entry->n_args, entry->n_args == 1 ? "" : "s");
  if (n < 0)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "run: expected a number of calls of 0 or more, got %lld",
                 static_cast<long long>(n));
  Frame frame = {entry, nullptr, 0, n, 0};
  return runGuarded(instance, frame);
}
