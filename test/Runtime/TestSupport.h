//===- TestSupport.h - Helpers of the unit tests ----------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TEST_RUNTIME_TESTSUPPORT_H
#define EVOX_TEST_RUNTIME_TESTSUPPORT_H

#include "TestProgram.h"

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

extern "C" const evox_api *evox_get_api(uint32_t version);

/// Calls of posix_memalign so far, and the one that fails next: counted down,
/// 0 fails all, below 0 none. Where `canCount` is false there is no counting.
extern const bool canCountAllocations;
extern int64_t allocations;
extern int64_t allocationsLeft;

inline const evox_api &api() { return *evox_get_api(EVOX_ABI_VERSION); }

template <typename T>
evox_tensor tensor(T *data, int32_t dtype, std::vector<int64_t> shape) {
  evox_tensor result = {};
  result.data = const_cast<std::remove_const_t<T> *>(data);
  result.dtype = dtype;
  result.rank = int32_t(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    result.shape[i] = shape[i];
    result.strides[i] = stride;
    stride *= shape[i];
  }
  return result;
}
inline evox_tensor f32(const std::vector<float> &data,
                       std::vector<int64_t> shape) {
  return tensor(data.data(), EVOX_FLOAT32, shape);
}
inline evox_tensor i64(const int64_t &value) {
  return tensor(&value, EVOX_INT64, {});
}

template <typename T> std::vector<T> elements(const evox_tensor &t) {
  int64_t n = 1;
  for (int32_t i = 0; i < t.rank; ++i)
    n *= t.shape[i];
  const T *data = static_cast<const T *>(t.data);
  return std::vector<T>(data, data + n);
}

/// An instance that is closed at the end; each call expects success unless it
/// is one of `fails`.
struct Instance {
  evox_instance *handle = nullptr;
  Instance() { EXPECT_EQ(api().open(&handle), EVOX_OK); }
  ~Instance() { api().close(handle); }
  Instance(const Instance &) = delete;

  std::string error() const { return api().error(handle); }

  evox_status tryCall(const char *name, std::vector<evox_tensor> args = {},
                      std::vector<evox_tensor> *results = nullptr) {
    return api().call(handle, name, args.data(), int32_t(args.size()),
                      results ? results->data() : nullptr,
                      results ? int32_t(results->size()) : 0);
  }
  std::vector<evox_tensor> call(const char *name,
                                std::vector<evox_tensor> args = {},
                                size_t nResults = 0) {
    std::vector<evox_tensor> results(nResults);
    EXPECT_EQ(tryCall(name, args, &results), EVOX_OK) << error();
    return results;
  }
  void run(const char *name, int64_t n) {
    EXPECT_EQ(api().run(handle, name, n), EVOX_OK) << error();
  }
  evox_tensor get(const char *name) {
    evox_tensor t = {};
    EXPECT_EQ(api().get_state(handle, name, &t), EVOX_OK) << error();
    return t;
  }
  template <typename T = float> std::vector<T> values(const char *name) {
    return elements<T>(get(name));
  }
  void set(const char *name, const evox_tensor &t) {
    EXPECT_EQ(api().set_state(handle, name, &t), EVOX_OK) << error();
  }
  int64_t listSize(const char *name) {
    int64_t n = -1;
    EXPECT_EQ(api().list_size(handle, name, &n), EVOX_OK) << error();
    return n;
  }
  evox_tensor listGet(const char *name, int64_t i) {
    evox_tensor t = {};
    EXPECT_EQ(api().list_get(handle, name, i, &t), EVOX_OK) << error();
    return t;
  }

  /// All of the state, to compare: a hash of each tensor.
  std::string snapshot() {
    std::string text = std::to_string(api().phase(handle)) + "\n";
    auto add = [&](const evox_tensor &t) {
      int64_t n = 1;
      for (int32_t i = 0; i < t.rank; ++i) {
        text += std::to_string(t.shape[i]) + " ";
        n *= t.shape[i];
      }
      int64_t size = t.dtype == EVOX_INT64 || t.dtype == EVOX_FLOAT64   ? 8
                     : t.dtype == EVOX_FLOAT32 || t.dtype == EVOX_INT32 ? 4
                                                                        : 1;
      text += std::to_string(t.dtype) + ":";
      std::string bytes(static_cast<const char *>(t.data), size_t(n * size));
      text += std::to_string(std::hash<std::string>()(bytes)) + "\n";
    };
    for (int32_t i = 0; i < api().state_count(); ++i) {
      const char *name = api().state_name(i);
      evox_tensor t;
      if (api().get_state(handle, name, &t) == EVOX_OK) {
        add(t);
        continue;
      }
      for (int64_t j = 0, n = listSize(name); j < n; ++j)
        add(listGet(name, j));
      text += "end of list\n";
    }
    return text;
  }
};

#define EXPECT_FAILS(status, call, instance, text)                             \
  do {                                                                         \
    EXPECT_EQ(call, status);                                                   \
    EXPECT_EQ((instance).error(), text);                                       \
  } while (0)

#endif // EVOX_TEST_RUNTIME_TESTSUPPORT_H
