//===- Arguments.cpp - Types, tensors and errors --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

using namespace evox::rt;

void Text::add(const char *format, ...) {
  va_list list;
  va_start(list, format);
  int n = vsnprintf(data + size, sizeof data - size, format, list);
  va_end(list);
  if (n > 0)
    size = size + size_t(n) < sizeof data ? size + size_t(n) : sizeof data - 1;
}

int64_t evox::rt::sizeOf(int32_t dtype) {
  switch (dtype) {
  case EVOX_UINT8:
  case EVOX_INT8:
  case EVOX_BOOL:
    return 1;
  case EVOX_INT16:
  case EVOX_FLOAT16:
  case EVOX_BFLOAT16:
    return 2;
  case EVOX_INT32:
  case EVOX_FLOAT32:
    return 4;
  case EVOX_INT64:
  case EVOX_FLOAT64:
  case EVOX_COMPLEX64:
    return 8;
  case EVOX_COMPLEX128:
    return 16;
  default:
    return 0;
  }
}

const char *evox::rt::nameOf(int32_t dtype) {
  switch (dtype) {
  case EVOX_UINT8:
    return "uint8";
  case EVOX_INT8:
    return "int8";
  case EVOX_INT16:
    return "int16";
  case EVOX_INT32:
    return "int32";
  case EVOX_INT64:
    return "int64";
  case EVOX_FLOAT16:
    return "float16";
  case EVOX_FLOAT32:
    return "float32";
  case EVOX_FLOAT64:
    return "float64";
  case EVOX_COMPLEX64:
    return "complex64";
  case EVOX_COMPLEX128:
    return "complex128";
  case EVOX_BOOL:
    return "bool";
  case EVOX_BFLOAT16:
    return "bfloat16";
  default:
    return "unknown dtype";
  }
}

int64_t evox::rt::countOf(const evox_view &view) {
  int64_t n = 1;
  for (int32_t i = 0; i < view.rank; ++i)
    n *= view.shape[i];
  return n;
}

int64_t evox::rt::bytesOf(const evox_type &type) {
  int64_t n = sizeOf(type.dtype);
  for (int32_t i = 0; i < type.rank; ++i) {
    if (type.shape[i] < 0)
      return -1;
    n *= type.shape[i];
  }
  return n;
}

bool evox::rt::isContiguous(const evox_view &view) {
  int64_t expected = 1;
  bool contiguous = true;
  for (int32_t i = view.rank; i-- > 0;) {
    if (view.shape[i] == 0)
      return true;
    if (view.shape[i] != 1 && view.strides[i] != expected)
      contiguous = false;
    expected *= view.shape[i];
  }
  return contiguous;
}

void evox::rt::setContiguous(evox_view &view) {
  int64_t stride = 1;
  for (int32_t i = view.rank; i-- > 0;) {
    view.strides[i] = stride;
    stride *= view.shape[i] > 1 ? view.shape[i] : 1;
  }
}

static void describe(Text &text, int32_t dtype, int32_t rank,
                     const int64_t *shape) {
  text.add("%s [", nameOf(dtype));
  for (int32_t i = 0; i < rank; ++i) {
    if (i)
      text.add(", ");
    if (shape[i] < 0)
      text.add("any");
    else
      text.add("%lld", static_cast<long long>(shape[i]));
  }
  text.add("]");
}

void evox::rt::describe(Text &text, const evox_type &type) {
  ::describe(text, type.dtype, type.rank, type.shape);
}

void evox::rt::describe(Text &text, const evox_view &view) {
  if (view.rank < 0 || view.rank > EVOX_MAX_RANK)
    text.add("%s of rank %d", nameOf(view.dtype), view.rank);
  else
    ::describe(text, view.dtype, view.rank, view.shape);
}

bool evox::rt::matches(const evox_type &type, const evox_view &view) {
  if (type.dtype != view.dtype || type.rank != view.rank)
    return false;
  for (int32_t i = 0; i < type.rank; ++i)
    if (type.shape[i] >= 0 && type.shape[i] != view.shape[i])
      return false;
  return true;
}

const char *evox::rt::whyInvalid(const evox_view &view) {
  if (!sizeOf(view.dtype))
    return "has an unknown dtype";
  if (view.rank < 0 || view.rank > EVOX_MAX_RANK)
    return "has a rank that is not between 0 and 16";
  int64_t n = 1;
  for (int32_t i = 0; i < view.rank; ++i) {
    if (view.shape[i] < 0)
      return "has a negative size";
    if (__builtin_mul_overflow(n, view.shape[i], &n))
      return "has more elements than memory can hold";
  }
  if (n && !view.data)
    return "has no data";
  return nullptr;
}

template <typename T>
static void copyRow(T *to, const T *from, int64_t n, int64_t stride) {
  if (stride == 1)
    std::memcpy(to, from, size_t(n) * sizeof(T));
  else
    for (int64_t i = 0; i < n; ++i)
      to[i] = from[i * stride];
}

namespace {
struct Pair {
  uint64_t a, b;
};
} // namespace

template <typename T>
static void copyRows(T *to, const evox_view &from, int64_t count) {
  const unsigned char *base = static_cast<const unsigned char *>(from.data);
  if (from.rank == 0) {
    std::memcpy(to, base, sizeof(T));
    return;
  }
  int32_t last = from.rank - 1;
  int64_t index[EVOX_MAX_RANK] = {}, offset = 0;
  int64_t n = from.shape[last];
  bool aligned = reinterpret_cast<uintptr_t>(base) % alignof(T) == 0;
  for (int64_t done = 0; done < count; done += n) {
    if (aligned)
      copyRow(to + done, reinterpret_cast<const T *>(base) + offset, n,
              from.strides[last]);
    else
      for (int64_t i = 0; i < n; ++i)
        std::memcpy(to + done + i,
                    base +
                        (offset + i * from.strides[last]) * int64_t(sizeof(T)),
                    sizeof(T));
    for (int32_t d = last; d-- > 0;) {
      offset += from.strides[d];
      if (++index[d] < from.shape[d])
        break;
      offset -= from.strides[d] * from.shape[d];
      index[d] = 0;
    }
  }
}

void evox::rt::copyElements(void *to, const evox_view &from) {
  int64_t count = countOf(from);
  if (!count)
    return;
  int64_t size = sizeOf(from.dtype);
  if (isContiguous(from))
    std::memcpy(to, from.data, size_t(count * size));
  else if (size == 1)
    copyRows(static_cast<uint8_t *>(to), from, count);
  else if (size == 2)
    copyRows(static_cast<uint16_t *>(to), from, count);
  else if (size == 4)
    copyRows(static_cast<uint32_t *>(to), from, count);
  else if (size == 8)
    copyRows(static_cast<uint64_t *>(to), from, count);
  else
    copyRows(static_cast<Pair *>(to), from, count);
  if (from.dtype == EVOX_BOOL) {
    uint8_t *bytes = static_cast<uint8_t *>(to);
    for (int64_t i = 0; i < count; ++i)
      bytes[i] = bytes[i] != 0;
  }
}

static void rangeOf(const evox_view &view, uintptr_t &low, uintptr_t &high) {
  int64_t least = 0, most = 0;
  for (int32_t i = 0; i < view.rank; ++i) {
    if (view.shape[i] == 0) {
      low = high = 0;
      return;
    }
    int64_t reach = (view.shape[i] - 1) * view.strides[i];
    (reach < 0 ? least : most) += reach;
  }
  int64_t size = sizeOf(view.dtype);
  uintptr_t base = reinterpret_cast<uintptr_t>(view.data);
  low = base + uintptr_t(least * size);
  high = base + uintptr_t((most + 1) * size);
}

bool evox::rt::overlaps(const evox_view &a, const evox_view &b) {
  uintptr_t aLow, aHigh, bLow, bHigh;
  rangeOf(a, aLow, aHigh);
  rangeOf(b, bLow, bHigh);
  return aLow < bHigh && bLow < aHigh;
}

//===-- errors ------------------------------------------------------------===//

evox_status evox::rt::error(evox_instance *instance, evox_status status,
                            const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(instance->message, sizeof instance->message, format, list);
  va_end(list);
  return status;
}
