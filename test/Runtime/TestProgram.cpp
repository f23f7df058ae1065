//===- TestProgram.cpp - A program made by hand ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the compiler emits, with a case for each duty of the run-time library:
// phases, lists, dynamic sizes, failures with and without a way back. It
// stands in for compiled code, so it uses no run-time library of C++ either.
//
//===----------------------------------------------------------------------===//

#include "TestProgram.h"
#include "../../lib/Runtime/Runtime.h"

#include <cstring>

#define EVOX_TEST_API extern "C" __attribute__((visibility("default")))

//===-- the state ---------------------------------------------------------===//

enum Slot {
  Population, // [4, 2], 0 1 2 ...
  Weight,     // parameter
  Bounds,     // constant
  Rank,       // float32 [0], then int32 [3]
  History,    // list, empty
  GeneratorSlot,
  Rows, // [any, 2], 3 rows at first
  Seen, // list of two
  Flag, // bool [3], no initial value
  SlotCount
};

namespace {

struct alignas(64) Blob {
  alignas(64) float population[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  alignas(64) float weight = 0.5f;
  alignas(64) double bounds[2] = {-32, 32};
  alignas(64) float rows[6] = {1, 2, 3, 4, 5, 6};
  alignas(64) float seen0[2] = {10, 20};
  alignas(64) int64_t seen1 = 30;
};
const Blob blob;

constexpr evox_type f32(int32_t rank, int64_t a = 0, int64_t b = 0) {
  return {EVOX_FLOAT32, rank, {a, b}};
}
const evox_type rowsType[1] = {f32(2, 3, 2)};
const evox_type seenTypes[2] = {f32(1, 2), {EVOX_INT64, 0, {}}};

const evox_slot_desc slots[SlotCount] = {
    {"algorithm.population", EVOX_SLOT_TENSOR, EVOX_KIND_MUTABLE,
     offsetof(Blob, population), 0, 0, nullptr},
    {"algorithm.w", EVOX_SLOT_TENSOR, EVOX_KIND_PARAMETER,
     offsetof(Blob, weight), 0, 0, nullptr},
    {"algorithm.bounds", EVOX_SLOT_TENSOR, EVOX_KIND_CONSTANT,
     offsetof(Blob, bounds), 0, 0, nullptr},
    {"algorithm.rank", EVOX_SLOT_TENSOR, EVOX_KIND_MUTABLE, -1, 0, 0, nullptr},
    {"monitor.history", EVOX_SLOT_LIST, EVOX_KIND_MUTABLE, -1, 0, 0, nullptr},
    {"__generator__", EVOX_SLOT_GENERATOR, EVOX_KIND_MUTABLE, -1, 0, 0,
     nullptr},
    {"rows", EVOX_SLOT_TENSOR, EVOX_KIND_MUTABLE, offsetof(Blob, rows), 1, 0,
     rowsType},
    {"seen", EVOX_SLOT_LIST, EVOX_KIND_MUTABLE, offsetof(Blob, seen0), 2, 0,
     seenTypes},
    {"flag", EVOX_SLOT_TENSOR, EVOX_KIND_MUTABLE, -1, 0, 0, nullptr},
};

const evox_type phase0[SlotCount] = {
    f32(2, 4, 2),  f32(0), {EVOX_FLOAT64, 1, {2}}, f32(1, 0), {}, {},
    f32(2, -1, 2), {},     {EVOX_BOOL, 1, {3}}};
const evox_type phase1[SlotCount] = {
    f32(2, 4, 2),  f32(0), {EVOX_FLOAT64, 1, {2}}, {EVOX_INT32, 1, {3}}, {}, {},
    f32(2, -1, 2), {},     {EVOX_BOOL, 1, {3}}};
const evox_phase_desc phases[2] = {{phase0, "{}"},
                                   {phase1, "{\"ready\": true}"}};

//===-- the code ----------------------------------------------------------===//

float *floats(const evox_view &view) { return static_cast<float *>(view.data); }
int64_t integer(const evox_view &view) {
  return *static_cast<const int64_t *>(view.data);
}

evox_view make(evox_ctx *ctx, int32_t dtype, int32_t rank, int64_t a,
               int64_t b = 0) {
  evox_view view = {};
  view.dtype = dtype;
  view.rank = rank;
  view.shape[0] = a;
  view.shape[1] = b;
  evox::rt::setContiguous(view);
  view.data = evox_rt_alloc(ctx, evox::rt::bytesOf(view));
  return view;
}

void initStep(evox_ctx *ctx, evox_view *state, const evox_view *, evox_view *) {
  evox_view rank = make(ctx, EVOX_INT32, 1, 3);
  for (int i = 0; i < 3; ++i)
    static_cast<int32_t *>(rank.data)[i] = i + 7;
  evox_rt_set_slot(ctx, Rank, &rank);
  (void)state;
}

void step(evox_ctx *ctx, evox_view *state, const evox_view *, evox_view *out) {
  evox_view noise = make(ctx, EVOX_FLOAT32, 2, 4, 2);
  evox_k_random_uniform(ctx, &noise, 0, 1);
  float best = 0;
  for (int i = 0; i < 8; ++i) {
    floats(state[Population])[i] += floats(state[Weight])[0] * floats(noise)[i];
    best += floats(state[Population])[i];
  }
  evox_view total = make(ctx, EVOX_FLOAT32, 0, 0);
  floats(total)[0] = best;
  evox_rt_list_append(ctx, History, &total);
  floats(out[0])[0] = best;
  evox_rt_free(ctx, noise.data);
}

void evaluate(evox_ctx *, evox_view *, const evox_view *args, evox_view *out) {
  for (int i = 0; i < 3; ++i)
    floats(out[0])[i] = floats(args[0])[2 * i] + floats(args[0])[2 * i + 1];
}

// The first n rows, of all and to the state as well.
void firstRows(evox_ctx *ctx, evox_view *, const evox_view *args, evox_view *) {
  evox_view rows = make(ctx, EVOX_FLOAT32, 2, integer(args[1]), 2);
  std::memcpy(rows.data, args[0].data, size_t(evox::rt::bytesOf(rows)));
  evox_rt_set_result(ctx, 0, &rows);
  evox_rt_set_slot(ctx, Rows, &rows);
  evox_rt_free(ctx, rows.data);
}

// Changes everything, then fails if told so.
void risky(evox_ctx *ctx, evox_view *state, const evox_view *args,
           evox_view *) {
  evox_view noise = make(ctx, EVOX_FLOAT32, 1, 8);
  evox_k_random_normal(ctx, &noise, 0, 1);
  evox_k_random_normal(ctx, &state[Population], 0, 1);
  for (int i = 0; i < 3; ++i) {
    evox_view rows = make(ctx, EVOX_FLOAT32, 2, 5 + i, 2);
    std::memset(rows.data, 0, size_t(evox::rt::bytesOf(rows)));
    evox_rt_set_slot(ctx, Rows, &rows);
    evox_rt_list_append(ctx, History, &rows);
  }
  if (integer(args[0])) {
    int64_t values[2] = {integer(args[0])};
    double half = 0.5;
    std::memcpy(&values[1], &half, 8);
    evox_rt_fail(ctx, "got {}, which is not {}; {}", "if", values);
  }
}

// Likewise, but the compiler did not foresee it.
void broken(evox_ctx *ctx, evox_view *state, const evox_view *, evox_view *) {
  floats(state[Population])[0] = 99;
  evox_rt_fail(ctx, "no way back", "", nullptr);
}

void wrongPhase(evox_ctx *, evox_view *, const evox_view *, evox_view *) {}

void external(evox_ctx *ctx, evox_view *state, const evox_view *,
              evox_view *out) {
  evox_rt_external(ctx, "host_evaluate", &state[Population], 1, out, 1);
}

void history(evox_ctx *ctx, evox_view *, const evox_view *args,
             evox_view *out) {
  evox_view item;
  evox_rt_list_get(ctx, History, integer(args[0]), &item);
  floats(out[0])[0] = floats(item)[0] + float(evox_rt_list_size(ctx, History));
}

struct Work {
  evox_ctx *ctx;
  int64_t failFrom;
  int64_t *sums;
};
void task(void *arg, int64_t i) {
  Work *work = static_cast<Work *>(arg);
  void *data = evox_rt_alloc(work->ctx, 100 + i);
  if (i >= work->failFrom)
    evox_rt_fail(work->ctx, "task {} failed", "i", &i);
  work->sums[i] = i * i;
  evox_rt_free(work->ctx, data);
}
void parallel(evox_ctx *ctx, evox_view *, const evox_view *args,
              evox_view *out) {
  Work work = {ctx, integer(args[0]), static_cast<int64_t *>(out[0].data)};
  evox_rt_parallel(ctx, task, &work, 64);
}

// Several calls in one go, with what they share before: one row more in each.
void shares(evox_ctx *ctx, evox_view *state, const evox_view *,
            evox_view *out) {
  evox_view shared = make(ctx, EVOX_FLOAT32, 1, 4);
  for (int i = 0; i < 4; ++i)
    floats(shared)[i] = floats(state[Weight])[0] * float(i);
  if (floats(shared)[1] < 0)
    evox_rt_fail(ctx, "a negative weight", "", nullptr);
  evox_rt_begin(ctx);
  do {
    const evox_view &old = state[Rows];
    evox_view rows = make(ctx, EVOX_FLOAT32, 2, old.shape[0] + 1, 2);
    std::memcpy(rows.data, old.data, size_t(evox::rt::bytesOf(old)));
    for (int i = 0; i < 2; ++i)
      floats(rows)[2 * old.shape[0] + i] = floats(shared)[2 + i];
    evox_rt_set_slot(ctx, Rows, &rows);
    evox_rt_list_append(ctx, History, &shared);
    floats(out[0])[0] = float(rows.shape[0]);
    if (rows.shape[0] > 12)
      evox_rt_fail(ctx, "too many rows", "", nullptr);
  } while (evox_rt_next(ctx));
}

void counts(evox_ctx *ctx, evox_view *state, const evox_view *, evox_view *) {
  if (floats(state[Weight])[0] < 0)
    evox_rt_fail(ctx, "a negative weight", "", nullptr);
  evox_rt_begin(ctx);
  do
    floats(state[Population])[0] += 1;
  while (evox_rt_next(ctx));
}

void hungry(evox_ctx *ctx, evox_view *, const evox_view *, evox_view *) {
  evox_rt_alloc(ctx, int64_t(1) << 46);
}

// A view of the state, and the same fresh tensor twice.
void aliases(evox_ctx *ctx, evox_view *state, const evox_view *, evox_view *) {
  evox_rt_set_result(ctx, 0, &state[Rows]);
  evox_view column = state[Rows];
  column.rank = 1;
  column.strides[0] = 2;
  evox_rt_set_result(ctx, 1, &column);
}

void addBoth(evox_ctx *, evox_view *state, const evox_view *args, evox_view *) {
  // Reads the argument after it wrote the state.
  floats(state[Population])[0] = 1000;
  floats(state[Population])[1] = floats(args[0])[0];
}

void isTrue(evox_ctx *, evox_view *, const evox_view *args, evox_view *out) {
  std::memcpy(out[0].data, args[0].data, 3);
}

struct KernelCall {
  const char *name;
  const evox_view *views;
  const int64_t *integers;
  const double *numbers;
} kernelCall;

void kernel(evox_ctx *ctx, evox_view *, const evox_view *, evox_view *) {
  const char *name = kernelCall.name;
  const evox_view *v = kernelCall.views;
  const int64_t *i = kernelCall.integers;
  const double *d = kernelCall.numbers;
  auto is = [&](const char *other) { return std::strcmp(name, other) == 0; };
  if (is("random_uniform"))
    evox_k_random_uniform(ctx, v, d[0], d[1]);
  else if (is("random_uniform_begin"))
    evox_k_random_uniform_begin(ctx, v, i[0], i[1], i[2], d[0], d[1]);
  else if (is("random_uniform_part"))
    evox_k_random_uniform_part(ctx, v, v + 1, i[0], i[1], d[0], d[1]);
  else if (is("random_normal"))
    evox_k_random_normal(ctx, v, d[0], d[1]);
  else if (is("random_integers"))
    evox_k_random_integers(ctx, v, i[0], i[1]);
  else if (is("random_permutation"))
    evox_k_random_permutation(ctx, v);
  else if (is("random_exponential"))
    evox_k_random_exponential(ctx, v, d[0]);
  else if (is("random_bernoulli"))
    evox_k_random_bernoulli(ctx, v, v + 1);
  else if (is("sort"))
    evox_k_sort(ctx, v, v + 1, v + 2, i[0], i[1]);
  else if (is("topk"))
    evox_k_topk(ctx, v, v + 1, v + 2, i[0], i[1], i[2]);
  else if (is("cumulative"))
    evox_k_cumulative(ctx, v, v + 1, i[0], i[1]);
  else if (is("scatter"))
    evox_k_scatter(ctx, v, v + 1, v + 2, i[0]);
  else if (is("nonzero"))
    evox_k_nonzero(ctx, v, v + 1);
  else if (!test_lapack_kernels || !test_lapack_kernels(ctx, name, v, i, d))
    evox_rt_fail(ctx, "no such kernel", "", nullptr);
}

//===-- the entry points --------------------------------------------------===//

const evox_type scalar[1] = {f32(0)};
const evox_type threeFloats[1] = {f32(1, 3)};
const evox_type anyRows[1] = {f32(2, -1, 2)};
const evox_type anyRowsAndColumn[2] = {f32(2, -1, 2), f32(1, -1)};
const evox_type squares[1] = {{EVOX_INT64, 1, {64}}};
const evox_type threeBools[1] = {{EVOX_BOOL, 1, {3}}};
const evox_type evaluateArgs[1] = {f32(2, 3, 2)};
const evox_type firstRowsArgs[2] = {f32(2, -1, 2), {EVOX_INT64, 0, {}}};
const evox_type countArg[1] = {{EVOX_INT64, 0, {}}};
const char *const x[1] = {"x"};
const char *const xn[2] = {"x", "n"};
const char *const n[1] = {"n"};

const int32_t rankOnly[1] = {Rank};
const int32_t populationOnly[1] = {Population};
const int32_t rowsOnly[1] = {Rows};
const int32_t stepWrites[3] = {Population, History, GeneratorSlot};
const int32_t sharesWrites[2] = {History, Rows};
const int32_t riskyWrites[4] = {Population, History, GeneratorSlot, Rows};

// Both variants have the same code.
template <evox_entry_fn Fn> constexpr evox_entry_fn code[2] = {Fn, Fn};

template <evox_entry_fn Fn, bool CanFail, int32_t Count, const int32_t *Writes,
          const evox_type *Results, bool Begins = false>
constexpr evox_entry_phase always[2] = {
    {code<Fn>, 0, CanFail, Count, Begins, Writes, Results, nullptr},
    {code<Fn>, 1, CanFail, Count, Begins, Writes, Results, nullptr}};

const evox_entry_phase initPhases[2] = {
    {code<initStep>, 1, 0, 1, 0, rankOnly, nullptr, nullptr},
    {code<initStep>, 1, 0, 1, 0, rankOnly, nullptr, nullptr}};
const evox_entry_phase stepPhases[2] = {
    {nullptr, 0, 0, 0, 0, nullptr, scalar, "call init_step first"},
    {code<step>, 1, 0, 3, 0, stepWrites, scalar, nullptr}};
const evox_entry_phase wrongPhases[2] = {
    {code<wrongPhase>, 1, 0, 1, 0, rankOnly, nullptr, nullptr},
    {code<wrongPhase>, 0, 1, 1, 0, rankOnly, nullptr, nullptr}};

const evox_entry_desc entries[] = {
    {"init_step", 0, 0, nullptr, nullptr, initPhases},
    {"step", 0, 1, nullptr, nullptr, stepPhases},
    {"evaluate", 1, 1, x, evaluateArgs,
     always<evaluate, false, 0, nullptr, threeFloats>},
    {"first_rows", 2, 1, xn, firstRowsArgs,
     always<firstRows, false, 1, rowsOnly, anyRows>},
    {"risky", 1, 0, n, countArg, always<risky, true, 4, riskyWrites, nullptr>},
    {"broken", 0, 0, nullptr, nullptr,
     always<broken, false, 1, populationOnly, nullptr>},
    {"wrong_phase", 0, 0, nullptr, nullptr, wrongPhases},
    {"external", 0, 1, nullptr, nullptr,
     always<external, true, 0, nullptr, threeFloats>},
    {"history", 1, 1, n, countArg, always<history, true, 0, nullptr, scalar>},
    {"parallel", 1, 1, n, countArg,
     always<parallel, true, 0, nullptr, squares>},
    {"hungry", 0, 0, nullptr, nullptr,
     always<hungry, false, 0, nullptr, nullptr>},
    {"aliases", 0, 2, nullptr, nullptr,
     always<aliases, false, 0, nullptr, anyRowsAndColumn>},
    {"add_both", 1, 0, x, evaluateArgs,
     always<addBoth, false, 1, populationOnly, nullptr>},
    {"is_true", 1, 1, x, threeBools,
     always<isTrue, false, 0, nullptr, threeBools>},
    {"shares", 0, 1, nullptr, nullptr,
     always<shares, true, 2, sharesWrites, scalar, true>},
    {"counts", 0, 0, nullptr, nullptr,
     always<counts, false, 1, populationOnly, nullptr, true>},
    {"kernel", 0, 0, nullptr, nullptr,
     always<kernel, true, 0, nullptr, nullptr>},
};

const char *const externals[1] = {"host_evaluate"};

const evox_variant variants[2] = {{"abacus", ~uint64_t(0)}, {"any", 0}};

} // namespace

// Not constant here, so that a test can make it another program.
extern "C" __attribute__((visibility("hidden")))
evox_program evox_the_program_storage __asm__("evox_the_program");
evox_program evox_the_program_storage = {
    EVOX_PROGRAM_MAGIC,
    EVOX_PROGRAM_VERSION,
    "test",
    "{\"name\": \"test\"}",
    "0123456789abcdef",
    EVOX_RNG_TORCH,
    SlotCount,
    2,
    sizeof entries / sizeof entries[0],
    1,
    2,
    variants,
    slots,
    phases,
    entries,
    externals,
    reinterpret_cast<const unsigned char *>(&blob),
    sizeof blob};

EVOX_TEST_API bool (*test_lapack_kernels)(evox_ctx *, const char *,
                                          const evox_view *, const int64_t *,
                                          const double *) = nullptr;

EVOX_TEST_API evox_status test_kernel(evox_instance *instance, const char *name,
                                      const evox_view *views,
                                      const int64_t *integers,
                                      const double *numbers) {
  kernelCall = {name, views, integers, numbers};
  return evox::rt::callEntry(instance, "kernel", nullptr, 0, nullptr, 0);
}

EVOX_TEST_API void test_set_rng(int32_t rng) {
  evox_the_program_storage.rng = rng;
}

EVOX_TEST_API void test_set_isa(evox_instance *instance, int32_t isa) {
  int32_t best = int32_t(evox::rt::detectIsa());
  instance->generator.isa = evox::rt::Isa(isa < best ? isa : best);
}

EVOX_TEST_API void test_set_hash(const char *hash) {
  evox_the_program_storage.hash = hash;
}
