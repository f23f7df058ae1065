//===- StateTest.cpp - Get and set, lists ---------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

TEST(State, InitialValues) {
  Instance i;
  EXPECT_EQ(i.values("algorithm.population"),
            (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(i.values("algorithm.w"), (std::vector<float>{0.5f}));
  EXPECT_EQ(i.values<double>("algorithm.bounds"),
            (std::vector<double>{-32, 32}));
  EXPECT_EQ(i.values("rows"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(i.get("rows").shape[0], 3);
  EXPECT_EQ(i.values<uint8_t>("flag"), (std::vector<uint8_t>{0, 0, 0}));
  EXPECT_EQ(i.get("algorithm.rank").shape[0], 0);
  EXPECT_EQ(i.listSize("monitor.history"), 0);
  EXPECT_EQ(i.listSize("seen"), 2);
  EXPECT_EQ(elements<float>(i.listGet("seen", 0)),
            (std::vector<float>{10, 20}));
  EXPECT_EQ(elements<int64_t>(i.listGet("seen", 1)),
            (std::vector<int64_t>{30}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(i.get("rows").data) % 64, 0u);
}

TEST(State, SetCopies) {
  Instance i, other;
  std::vector<float> x = {8, 7, 6, 5, 4, 3, 2, 1};
  const void *data = i.get("algorithm.population").data;
  i.set("algorithm.population", f32(x, {4, 2}));
  EXPECT_EQ(i.values("algorithm.population"), x);
  EXPECT_EQ(i.get("algorithm.population").data, data); // in place
  EXPECT_NE(other.values("algorithm.population"), x);
  evox_tensor t = f32(x, {4, 2});
  t.strides[0] = 1;
  t.strides[1] = 4;
  i.set("algorithm.population", t);
  EXPECT_EQ(i.values("algorithm.population"),
            (std::vector<float>{8, 4, 7, 3, 6, 2, 5, 1}));
  // From a view of itself, the other way round.
  evox_tensor self = i.get("algorithm.population");
  self.data = static_cast<float *>(self.data) + 7;
  self.strides[0] = -2;
  self.strides[1] = -1;
  i.set("algorithm.population", self);
  EXPECT_EQ(i.values("algorithm.population"),
            (std::vector<float>{1, 5, 2, 6, 3, 7, 4, 8}));
  std::vector<float> rows(14, 2.f);
  i.set("rows", f32(rows, {7, 2}));
  EXPECT_EQ(i.values("rows"), rows);
  i.set("rows", f32(rows, {0, 2}));
  EXPECT_EQ(i.get("rows").shape[0], 0);
  uint8_t flags[3] = {2, 0, 1};
  i.set("flag", tensor(flags, EVOX_BOOL, {3}));
  EXPECT_EQ(i.values<uint8_t>("flag"), (std::vector<uint8_t>{1, 0, 1}));
  std::vector<float> w = {0.25f};
  i.set("algorithm.w", f32(w, {}));
  EXPECT_EQ(i.values("algorithm.w"), w);
}

TEST(State, SetFollowsThePhase) {
  Instance i;
  int32_t ranks[3] = {1, 2, 3};
  evox_tensor t = tensor(ranks, EVOX_INT32, {3});
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT,
               api().set_state(i.handle, "algorithm.rank", &t), i,
               "set_state: 'algorithm.rank': expected float32 [0], got int32 "
               "[3]");
  i.call("init_step");
  i.set("algorithm.rank", t);
  EXPECT_EQ(i.values<int32_t>("algorithm.rank"),
            (std::vector<int32_t>{1, 2, 3}));
}

TEST(State, Errors) {
  Instance i;
  std::vector<float> x(8);
  auto fails = [&](const char *name, evox_tensor t, const char *text) {
    std::string before = i.snapshot();
    EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().set_state(i.handle, name, &t), i,
                 text);
    EXPECT_EQ(i.snapshot(), before);
  };
  fails("algorithm.population", f32(x, {2, 4}),
        "set_state: 'algorithm.population': expected float32 [4, 2], got "
        "float32 [2, 4]");
  fails("rows", f32(x, {8}),
        "set_state: 'rows': expected float32 [any, 2], got float32 [8]");
  fails("algorithm.popultion", f32(x, {4, 2}),
        "set_state: unknown state 'algorithm.popultion'; did you mean "
        "'algorithm.population'?");
  fails("population", f32(x, {4, 2}),
        "set_state: unknown state 'population'; did you mean "
        "'algorithm.population'?");
  fails("zzzzzz", f32(x, {4, 2}),
        "set_state: unknown state 'zzzzzz'; this program has: "
        "algorithm.population, algorithm.w, algorithm.bounds, algorithm.rank, "
        "monitor.history, __generator__, rows, seen, flag");
  fails("monitor.history", f32(x, {4, 2}),
        "set_state: 'monitor.history' is a list: use list_size and list_get");
  std::vector<double> bounds(2);
  fails("algorithm.bounds", tensor(bounds.data(), EVOX_FLOAT64, {2}),
        "set_state: 'algorithm.bounds' is a constant of the program");
  evox_tensor none = f32(x, {4, 2});
  none.data = nullptr;
  fails("algorithm.population", none,
        "set_state: 'algorithm.population' has no data");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().set_state(i.handle, "rows", nullptr),
               i, "set_state: the tensor is null");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().get_state(i.handle, nullptr, &none),
               i, "get_state: the name is null");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().get_state(i.handle, "row", &none), i,
               "get_state: unknown state 'row'; did you mean 'rows'?");
}

TEST(Lists, FromCode) {
  Instance i;
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("history", {i64(0)}), i,
               "history: list index out of range: 'monitor.history' has 0 "
               "elements, the index is 0");
  i.call("init_step");
  i.run("step", 20);
  auto at = [&](int64_t n) {
    return elements<float>(i.call("history", {i64(n)}, 1)[0])[0];
  };
  EXPECT_EQ(at(19), at(-1));
  EXPECT_EQ(at(0), at(-20));
  EXPECT_EQ(at(3), elements<float>(i.listGet("monitor.history", 3))[0] + 20);
  EXPECT_FAILS(EVOX_ERROR_PROGRAM, i.tryCall("history", {i64(-21)}), i,
               "history: list index out of range: 'monitor.history' has 20 "
               "elements, the index is -21");
}

TEST(Lists, Errors) {
  Instance i;
  int64_t n;
  evox_tensor t;
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().list_size(i.handle, "rows", &n), i,
               "list_size: 'rows' is not a list: use get_state");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().list_get(i.handle, "seen", 2, &t), i,
               "list_get: index 2 of 'seen' is out of range: it has 2 "
               "elements");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().list_size(i.handle, "sen", &n), i,
               "list_size: unknown state 'sen'; did you mean 'seen'?");
}

TEST(Seed, Repeats) {
  Instance i;
  auto draw = [&] {
    std::vector<float> x(9);
    evox_tensor t = f32(x, {9});
    double zeroOne[2] = {0, 1};
    EXPECT_EQ(test_kernel(i.handle, "random_normal", &t, nullptr, zeroOne),
              EVOX_OK);
    return x;
  };
  EXPECT_EQ(api().seed(i.handle, 11), EVOX_OK);
  auto first = draw(), second = draw();
  EXPECT_NE(first, second);
  EXPECT_EQ(api().seed(i.handle, 11), EVOX_OK); // with a normal draw kept
  EXPECT_EQ(draw(), first);
  evox_tensor state = i.get("__generator__");
  std::vector<uint8_t> bytes = elements<uint8_t>(state);
  EXPECT_EQ(bytes.size(), 5056u);
  second = draw();
  i.set("__generator__", tensor(bytes.data(), EVOX_UINT8, {5056}));
  EXPECT_EQ(draw(), second);
}
