//===- External.cpp - Functions of the host -------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the host decides the sizes of results, compiled code first describes
// the call, then calls, and then takes each result into memory of that size.
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstring>

using namespace evox::rt;

template <typename T> static T *make(evox_instance *instance, int64_t n) {
  return static_cast<T *>(evox_rt_alloc(contextOf(instance), n * int64_t(sizeof(T))));
}

extern "C" void evox_k_external_describe(evox_ctx *ctx, const evox_view *words) {
  evox_instance *instance = instanceOf(ctx);
  const int64_t *word = static_cast<const int64_t *>(words->data);
  Described *call = make<Described>(instance, 1);
  call->nArgs = *word++;
  int64_t *dtypes = make<int64_t>(instance, call->nArgs);
  std::memcpy(dtypes, word, size_t(call->nArgs) * sizeof *dtypes);
  call->argDtypes = dtypes;
  word += call->nArgs;
  call->nResults = *word++;
  call->results = make<evox_tensor>(instance, call->nResults);
  std::memset(call->results, 0, size_t(call->nResults) * sizeof(evox_tensor));
  for (int64_t i = 0; i < call->nResults; ++i) {
    evox_tensor &result = call->results[i];
    result.dtype = int32_t(*word++);
    result.rank = int32_t(*word++);
    for (int32_t d = 0; d < result.rank; ++d)
      result.shape[d] = *word++;
  }
  instance->described = call;
}

static bool isOpen(const evox_tensor &result) {
  for (int32_t d = 0; d < result.rank; ++d)
    if (result.shape[d] < 0)
      return true;
  return false;
}

void evox::rt::failExternal(evox_instance *instance, const char *name,
                            const char *message) {
  fail(instance, EVOX_ERROR_EXTERNAL, "external function '%s': %s", name,
       message[0] ? message : "failed without a message");
}

void evox::rt::callDescribed(evox_instance *instance, const External &external,
                             const char *name, const evox_view *args,
                             int32_t nArgs, evox_view *sizes) {
  Described *call = instance->described;
  int64_t n = call->nResults;
  evox_tensor *given = make<evox_tensor>(instance, nArgs);
  for (int32_t i = 0; i < nArgs; ++i) {
    given[i] = args[i];
    given[i].dtype = int32_t(call->argDtypes[i]);
  }
  evox_tensor *results = make<evox_tensor>(instance, n);
  for (int64_t i = 0; i < n; ++i) {
    evox_tensor &result = call->results[i];
    bool open = isOpen(result);
    if (!open) {
      setContiguous(result);
      result.data = evox_rt_alloc(contextOf(instance), bytesOf(result));
    }
    results[i] = result;
  }
  char message[1024] = {};
  int rc = external.fn(external.user, given, nArgs, results, int32_t(n), message,
                       sizeof message);
  message[sizeof message - 1] = 0;
  if (rc)
    failExternal(instance, name, message);
  int64_t *size = sizes ? static_cast<int64_t *>(sizes->data) : nullptr;
  for (int64_t i = 0; i < n; ++i) {
    evox_tensor &result = call->results[i];
    if (!isOpen(result))
      continue;
    // The host's memory, of a shape that it chose where it may.
    evox_tensor &filled = results[i];
    bool fits = filled.rank == result.rank && filled.dtype == result.dtype;
    for (int32_t d = 0; fits && d < result.rank; ++d)
      fits = filled.shape[d] >= 0 &&
             (result.shape[d] < 0 || result.shape[d] == filled.shape[d]);
    const char *why = fits ? whyInvalid(filled) : nullptr;
    if (!fits || why) {
      Text expected, got;
      evox_type type = {};
      type.dtype = result.dtype;
      type.rank = result.rank;
      std::memcpy(type.shape, result.shape, sizeof type.shape);
      describe(expected, type);
      if (!why)
        describe(got, filled);
      fail(instance, EVOX_ERROR_EXTERNAL,
           "external function '%s': result %lld: expected %s, got %s", name,
           static_cast<long long>(i), expected.data, why ? why : got.data);
    }
    for (int32_t d = 0; d < result.rank; ++d)
      if (result.shape[d] < 0)
        *size++ = filled.shape[d];
    std::memcpy(result.shape, filled.shape, sizeof result.shape);
    setContiguous(result);
    result.data = evox_rt_alloc(contextOf(instance), bytesOf(filled));
    copyElements(result.data, filled);
  }
  if (n == 0)
    instance->described = nullptr;
}

extern "C" void evox_k_external_take(evox_ctx *ctx, const evox_view *to,
                                     int64_t i) {
  evox_instance *instance = instanceOf(ctx);
  const evox_tensor &result = instance->described->results[i];
  std::memcpy(to->data, result.data, size_t(bytesOf(result)));
  evox_rt_free(ctx, result.data);
  if (i + 1 == instance->described->nResults)
    instance->described = nullptr;
}
