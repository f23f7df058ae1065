//===- InstanceTest.cpp - Calls -------------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <unistd.h>

TEST(Api, Versions) {
  EXPECT_EQ(evox_get_api(EVOX_ABI_VERSION + 1), nullptr);
  EXPECT_EQ(evox_get_api(0), nullptr);
  EXPECT_EQ(api().abi_version, unsigned(EVOX_ABI_VERSION));
  EXPECT_EQ(api().struct_size, sizeof(evox_api));
}

TEST(Api, Program) {
  EXPECT_STREQ(api().program_name(), "test");
  EXPECT_STREQ(api().signature(), "{\"name\": \"test\"}");
  EXPECT_STREQ(api().entry_name(0), "init_step");
  EXPECT_EQ(api().entry_name(-1), nullptr);
  EXPECT_EQ(api().entry_name(api().entry_count()), nullptr);
  EXPECT_STREQ(api().state_name(0), "algorithm.population");
  EXPECT_EQ(api().state_name(api().state_count()), nullptr);
}

TEST(Api, Variants) {
  // The first one is for no processor there is.
  EXPECT_STREQ(api().variant(Instance().handle), "any");
  EXPECT_EQ(api().variant(nullptr), nullptr);
  evox_instance *none = nullptr;
  setenv("EVOX_CPU", "abacus", 1);
  EXPECT_EQ(api().open(&none), EVOX_ERROR_PROCESSOR);
  std::string text = api().error(nullptr);
  EXPECT_EQ(text.find("EVOX_CPU is abacus, but this processor lacks "), 0u);
  setenv("EVOX_CPU", "other", 1);
  EXPECT_EQ(api().open(&none), EVOX_ERROR_PROCESSOR);
  EXPECT_STREQ(api().error(nullptr),
               "EVOX_CPU is 'other', but test is compiled for: abacus, any");
  setenv("EVOX_CPU", "any", 1);
  EXPECT_STREQ(api().variant(Instance().handle), "any");
  unsetenv("EVOX_CPU");
  EXPECT_EQ(none, nullptr);
}

TEST(Api, NullHandles) {
  EXPECT_EQ(api().open(nullptr), EVOX_ERROR_ARGUMENT);
  api().close(nullptr);
  EXPECT_EQ(api().seed(nullptr, 1), EVOX_ERROR_ARGUMENT);
  EXPECT_EQ(api().call(nullptr, "step", nullptr, 0, nullptr, 0),
            EVOX_ERROR_ARGUMENT);
  EXPECT_EQ(api().save(nullptr, "x"), EVOX_ERROR_ARGUMENT);
  EXPECT_NE(std::string(api().error(nullptr)), "");
}

TEST(Call, ArgumentsAndResults) {
  Instance i;
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  auto results = i.call("evaluate", {f32(x, {3, 2})}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{3, 7, 11}));
  EXPECT_EQ(results[0].rank, 1);
  EXPECT_EQ(results[0].strides[0], 1);
  i.call("evaluate", {f32(x, {3, 2})}, 0); // the results are dropped
}

TEST(Call, StridedAndUnalignedArguments) {
  Instance i;
  std::vector<float> x = {1, 3, 5, 2, 4, 6};
  evox_tensor t = f32(x, {3, 2});
  t.strides[0] = 1;
  t.strides[1] = 3;
  auto results = i.call("evaluate", {t}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{3, 7, 11}));
  t.strides[0] = t.strides[1] = 0; // one element, six times
  results = i.call("evaluate", {t}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{2, 2, 2}));
  std::vector<float> down = {6, 5, 4, 3, 2, 1};
  t = f32(down, {3, 2});
  t.data = &down[5];
  t.strides[0] = -2;
  t.strides[1] = -1;
  results = i.call("evaluate", {t}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{3, 7, 11}));

  std::vector<char> bytes(6 * 4 + 1);
  std::vector<float> y = {1, 2, 3, 4, 5, 6};
  std::memcpy(&bytes[1], y.data(), 24);
  t = f32(y, {3, 2});
  t.data = &bytes[1];
  results = i.call("evaluate", {t}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{3, 7, 11}));
}

TEST(Call, BoolsAreZeroOrOne) {
  Instance i;
  uint8_t bytes[3] = {0, 7, 255};
  auto results = i.call("is_true", {tensor(bytes, EVOX_BOOL, {3})}, 1);
  EXPECT_EQ(elements<uint8_t>(results[0]), (std::vector<uint8_t>{0, 1, 1}));
}

TEST(Call, AnArgumentMayBeAViewOfTheState) {
  Instance i;
  evox_tensor view = i.get("algorithm.population");
  view.shape[0] = 3;
  i.call("add_both", {view});
  auto population = i.values("algorithm.population");
  EXPECT_EQ(population[0], 1000);
  EXPECT_EQ(population[1], 0); // the argument as it was at the call
}

TEST(Call, AnArgumentMayBeAResult) {
  Instance i;
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  auto first = i.call("first_rows", {f32(x, {3, 2}), i64(3)}, 1);
  auto second = i.call("first_rows", {first[0], i64(2)}, 1);
  EXPECT_EQ(elements<float>(second[0]), (std::vector<float>{1, 2, 3, 4}));
}

TEST(Call, WrongArguments) {
  Instance i;
  std::vector<float> x(24);
  std::vector<double> d(24);
  auto fails = [&](evox_tensor t, const char *text) {
    EXPECT_FAILS(EVOX_ERROR_ARGUMENT, i.tryCall("evaluate", {t}), i, text);
  };
  fails(tensor(d.data(), EVOX_FLOAT64, {3, 3}),
        "evaluate: argument 'x': expected float32 [3, 2], got float64 [3, 3]");
  fails(f32(x, {2, 3}),
        "evaluate: argument 'x': expected float32 [3, 2], got float32 [2, 3]");
  fails(f32(x, {}),
        "evaluate: argument 'x': expected float32 [3, 2], got float32 []");
  evox_tensor t = f32(x, {3, 2});
  t.dtype = 99;
  fails(t, "evaluate: argument 'x' has an unknown dtype");
  t.dtype = EVOX_FLOAT32;
  t.data = nullptr;
  fails(t, "evaluate: argument 'x' has no data");
  t.rank = 40;
  fails(t, "evaluate: argument 'x': expected float32 [3, 2], got float32 of "
           "rank 40");
  t.rank = -1;
  fails(t, "evaluate: argument 'x' has a rank that is not between 0 and 16");
  evox_tensor negative = f32(x, {-1, 2});
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, i.tryCall("first_rows", {negative, i64(1)}),
               i, "first_rows: argument 'x' has a negative size");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               i.tryCall("first_rows", {f32(x, {3, 3}), i64(1)}), i,
               "first_rows: argument 'x': expected float32 [any, 2], got "
               "float32 [3, 3]");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, i.tryCall("first_rows", {f32(x, {3, 2})}),
               i, "first_rows: expected 2 arguments (x, n), got 1");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, i.tryCall("init_step", {i64(1)}), i,
               "init_step: expected 0 arguments (none), got 1");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               api().call(i.handle, "evaluate", nullptr, 1, nullptr, 0), i,
               "evaluate: expected 1 argument (x), got 0");
  std::vector<evox_tensor> two(2);
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               i.tryCall("evaluate", {f32(x, {3, 2})}, &two), i,
               "evaluate: it has 1 result, got room for 2");
}

TEST(Call, UnknownEntry) {
  Instance i;
  EXPECT_EQ(i.tryCall("stop"), EVOX_ERROR_ARGUMENT);
  EXPECT_EQ(i.error().find("unknown entry point 'stop'; this program has: "
                           "init_step, step, evaluate, "),
            0u)
      << i.error();
  EXPECT_EQ(i.tryCall(nullptr), EVOX_ERROR_ARGUMENT);
  EXPECT_EQ(api().run(i.handle, "stop", 1), EVOX_ERROR_ARGUMENT);
}

TEST(Call, DynamicResultsAndSlots) {
  Instance i;
  std::vector<float> x(10);
  std::iota(x.begin(), x.end(), 0.f);
  for (int64_t n : {5, 2, 0, 4}) {
    auto results = i.call("first_rows", {f32(x, {5, 2}), i64(n)}, 1);
    EXPECT_EQ(results[0].shape[0], n);
    EXPECT_EQ(elements<float>(results[0]),
              std::vector<float>(x.begin(), x.begin() + 2 * n));
    EXPECT_EQ(i.values("rows"), elements<float>(results[0]));
    EXPECT_NE(i.get("rows").data, results[0].data);
  }
  // Views of the state become copies.
  auto results = i.call("aliases", {}, 2);
  EXPECT_EQ(elements<float>(results[0]), i.values("rows"));
  EXPECT_NE(results[0].data, i.get("rows").data);
  EXPECT_EQ(elements<float>(results[1]), (std::vector<float>{0, 2, 4, 6}));
}

TEST(Phases, Dispatch) {
  Instance i;
  EXPECT_EQ(api().phase(i.handle), 0);
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("step"), i,
               "step: cannot be called in the present state: call init_step "
               "first");
  EXPECT_EQ(i.get("algorithm.rank").dtype, EVOX_FLOAT32);
  i.call("init_step");
  EXPECT_EQ(api().phase(i.handle), 1);
  EXPECT_EQ(i.values<int32_t>("algorithm.rank"),
            (std::vector<int32_t>{7, 8, 9}));
  i.call("step");
  EXPECT_EQ(api().reset(i.handle), EVOX_OK);
  EXPECT_EQ(api().phase(i.handle), 0);
  EXPECT_EQ(i.get("algorithm.rank").dtype, EVOX_FLOAT32);
  EXPECT_EQ(i.listSize("monitor.history"), 0);
}

TEST(Phases, TheCodeMustLeaveTheRightTypes) {
  Instance i;
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("wrong_phase"), i,
               "wrong_phase: the compiled code left 'algorithm.rank' as "
               "float32 [0], but phase 1 has int32 [3]");
  EXPECT_EQ(api().phase(i.handle), 0);
}

TEST(Run, EqualsCalls) {
  Instance a, b;
  for (Instance *i : {&a, &b}) {
    api().seed(i->handle, 42);
    i->call("init_step");
  }
  a.run("step", 1000);
  float last = 0;
  for (int n = 0; n < 1000; ++n)
    last = elements<float>(b.call("step", {}, 1)[0])[0];
  EXPECT_EQ(a.snapshot(), b.snapshot());
  EXPECT_EQ(elements<float>(a.listGet("monitor.history", -1))[0], last);
  EXPECT_EQ(a.listSize("monitor.history"), 1000);
  std::string before = a.snapshot();
  a.run("step", 0);
  EXPECT_EQ(a.snapshot(), before);
}

TEST(Run, InTheCode) {
  Instance a, b;
  a.run("shares", 6);
  for (int n = 0; n < 6; ++n)
    EXPECT_EQ(elements<float>(b.call("shares", {}, 1)[0])[0], float(4 + n));
  EXPECT_EQ(a.snapshot(), b.snapshot());
  EXPECT_EQ(a.get("rows").shape[0], 9);
  // The tenth call from here on would make a row too many: the fourth.
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, api().run(a.handle, "shares", 10), a,
               "shares: too many rows (call 4 of 10)");
  b.run("shares", 3);
  EXPECT_EQ(a.snapshot(), b.snapshot());
  EXPECT_EQ(a.listSize("monitor.history"), 9);
}

TEST(Run, WhatFailsBeforeTheFirstCallHasWrittenNothing) {
  Instance i;
  i.run("counts", 3);
  EXPECT_EQ(i.values("algorithm.population")[0], 3);
  std::vector<float> weight = {-1};
  evox_tensor w = f32(weight, {});
  EXPECT_EQ(api().set_state(i.handle, "algorithm.w", &w), EVOX_OK);
  EXPECT_EQ(api().run(i.handle, "counts", 0), EVOX_OK);
  for (const char *entry : {"counts", "shares"})
    EXPECT_FAILS(EVOX_ERROR_PROGRAM, api().run(i.handle, entry, 2), i,
                 std::string(entry) + ": a negative weight (call 1 of 2)");
  // Not an instance that must be reset.
  EXPECT_EQ(i.values("algorithm.population")[0], 3);
  weight[0] = 2;
  EXPECT_EQ(api().set_state(i.handle, "algorithm.w", &w), EVOX_OK);
  i.run("counts", 2);
  EXPECT_EQ(i.values("algorithm.population")[0], 5);
  i.run("shares", 1);
  EXPECT_EQ(i.values("rows").back(), 6);
}

TEST(Run, Errors) {
  Instance i;
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().run(i.handle, "evaluate", 1), i,
               "run: 'evaluate' takes 1 argument: only entry points without "
               "arguments can be run");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().run(i.handle, "init_step", -1), i,
               "run: expected a number of calls of 0 or more, got -1");
  EXPECT_FAILS(EVOX_ERROR_EXTERNAL, api().run(i.handle, "external", 5), i,
               "external: external function 'host_evaluate' is missing: give "
               "it with set_external (call 1 of 5)");
}

TEST(Failure, PutsTheStateBack) {
  Instance i;
  api().seed(i.handle, 3);
  i.call("risky", {i64(0)}); // leaves a kept normal draw or not: see below
  for (int n = 0; n < 3; ++n) {
    std::string before = i.snapshot();
    const void *population = i.get("algorithm.population").data;
    EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("risky", {i64(7)}), i,
                 "risky: got 7, which is not 0.5; {}");
    EXPECT_EQ(i.snapshot(), before);
    EXPECT_EQ(i.get("algorithm.population").data, population);
    i.call("risky", {i64(0)});
    EXPECT_NE(i.snapshot(), before);
  }
  // The same as without failures in between.
  Instance j;
  api().seed(j.handle, 3);
  for (int n = 0; n < 4; ++n)
    j.call("risky", {i64(0)});
  EXPECT_EQ(i.snapshot(), j.snapshot());
}

TEST(Failure, WithoutAWayBackNeedsAReset) {
  Instance i;
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("broken"), i,
               "broken: no way back");
  const char *text = "an earlier call failed half-way and left no whole state: "
                     "use reset or load";
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("init_step"), i, text);
  evox_tensor t;
  EXPECT_FAILS(EVOX_ERROR_PROGRAM,
               api().get_state(i.handle, "algorithm.population", &t), i, text);
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, api().save(i.handle, "unused"), i, text);
  EXPECT_EQ(api().reset(i.handle), EVOX_OK);
  EXPECT_EQ(i.values("algorithm.population")[0], 0);
  i.call("init_step");
}

TEST(Failure, OutOfMemory) {
  Instance i;
  std::string before = i.snapshot();
  EXPECT_FAILS(EVOX_ERROR_MEMORY, i.tryCall("hungry"), i,
               "hungry: out of memory: 70368744177664 bytes");
  EXPECT_EQ(i.snapshot(), before);
}

//===-- the host's part ---------------------------------------------------===//

TEST(External, IsCalled) {
  Instance i;
  auto twice = [](void *user, const evox_tensor *args, int32_t nArgs,
                  evox_tensor *results, int32_t nResults, char *message,
                  size_t size) -> int {
    Instance &i = *static_cast<Instance *>(user);
    EXPECT_EQ(nArgs, 1);
    EXPECT_EQ(nResults, 1);
    EXPECT_EQ(args[0].shape[0], 4);
    EXPECT_EQ(results[0].shape[0], 3);
    // Not into a call that is under way.
    evox_tensor t;
    EXPECT_EQ(i.tryCall("init_step"), EVOX_ERROR_ARGUMENT);
    EXPECT_EQ(api().get_state(i.handle, "rows", &t), EVOX_ERROR_ARGUMENT);
    EXPECT_EQ(api().reset(i.handle), EVOX_ERROR_ARGUMENT);
    EXPECT_EQ(i.error(), "the instance is in a call");
    for (int j = 0; j < 3; ++j)
      static_cast<float *>(results[0].data)[j] =
          2 * static_cast<float *>(args[0].data)[j];
    snprintf(message, size, "not an error");
    return 0;
  };
  EXPECT_EQ(api().set_external(i.handle, "host_evaluate", twice, &i), EVOX_OK);
  auto results = i.call("external", {}, 1);
  EXPECT_EQ(elements<float>(results[0]), (std::vector<float>{0, 2, 4}));
}

TEST(External, Failures) {
  Instance i;
  EXPECT_FAILS(EVOX_ERROR_EXTERNAL, i.tryCall("external"), i,
               "external: external function 'host_evaluate' is missing: give "
               "it with set_external");
  auto fails = [](void *user, const evox_tensor *, int32_t, evox_tensor *,
                  int32_t, char *message, size_t size) -> int {
    if (user)
      snprintf(message, size, "no more %s", static_cast<const char *>(user));
    return 1;
  };
  api().set_external(i.handle, "host_evaluate", fails,
                     const_cast<char *>("coffee"));
  EXPECT_FAILS(EVOX_ERROR_EXTERNAL, i.tryCall("external"), i,
               "external: external function 'host_evaluate': no more coffee");
  api().set_external(i.handle, "host_evaluate", fails, nullptr);
  EXPECT_FAILS(EVOX_ERROR_EXTERNAL, i.tryCall("external"), i,
               "external: external function 'host_evaluate': failed without a "
               "message");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               api().set_external(i.handle, "other", fails, nullptr), i,
               "set_external: unknown function 'other'; this program calls: "
               "host_evaluate");
}

// One thread per task, in no order.
static void threads(void *user, void (*task)(void *, int64_t), void *arg,
                    int64_t n) {
  ++*static_cast<int *>(user);
  std::atomic<int64_t> next = {n};
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t)
    all.emplace_back([&] {
      for (int64_t i; (i = --next) >= 0;)
        task(arg, i);
    });
  for (std::thread &t : all)
    t.join();
}

TEST(Executor, RunsTasks) {
  Instance i;
  int used = 0;
  for (bool own : {true, false}) {
    if (!own) {
      EXPECT_EQ(api().set_executor(i.handle, threads, &used, 4), EVOX_OK);
    }
    auto results = i.call("parallel", {i64(1000)}, 1);
    auto squares = elements<int64_t>(results[0]);
    for (int64_t j = 0; j < 64; ++j)
      EXPECT_EQ(squares[size_t(j)], j * j);
    // The first task that fails, in order of tasks, is the one reported.
    for (int n = 0; n < 10; ++n)
      EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("parallel", {i64(20)}), i,
                   "parallel: task 20 failed");
  }
  EXPECT_EQ(used, 11);
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               api().set_executor(i.handle, threads, &used, 0), i,
               "set_executor: expected at least 1 thread, got 0");
  EXPECT_EQ(api().set_executor(i.handle, nullptr, nullptr, 0), EVOX_OK);
  i.call("parallel", {i64(1000)}, 1);
  EXPECT_EQ(used, 11);
}

TEST(Executor, HasThreadsOfItsOwn) {
  Instance i;
  for (int threads : {2, 3, 8, 1, 4}) {
    EXPECT_EQ(api().set_executor(i.handle, nullptr, nullptr, threads), EVOX_OK);
    for (int round = 0; round < 200; ++round) {
      auto results = i.call("parallel", {i64(1000)}, 1);
      auto squares = elements<int64_t>(results[0]);
      for (int64_t j = 0; j < 64; ++j)
        ASSERT_EQ(squares[size_t(j)], j * j);
      if (round % 50 == 0) {
        usleep(2000); // they sleep by now
        EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("parallel", {i64(20)}), i,
                     "parallel: task 20 failed");
      }
    }
  }
}

TEST(Instances, AreIndependent) {
  std::vector<std::string> states(4);
  std::vector<std::thread> all;
  for (size_t t = 0; t < states.size(); ++t)
    all.emplace_back([&, t] {
      Instance i;
      api().seed(i.handle, t % 2);
      i.call("init_step");
      i.run("step", 2000);
      states[t] = i.snapshot();
    });
  for (std::thread &t : all)
    t.join();
  EXPECT_EQ(states[0], states[2]);
  EXPECT_EQ(states[1], states[3]);
  EXPECT_NE(states[0], states[1]);
}
