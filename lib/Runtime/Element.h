//===- Element.h - The element types of tensors -----------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// float16 and bfloat16 compute as PyTorch's do: by way of float, rounding to
// the nearest even after every operation.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_ELEMENT_H
#define EVOX_LIB_RUNTIME_ELEMENT_H

#include "evox/Runtime/evox.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace evox::rt {

inline float floatOf(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
inline uint32_t bitsOf(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return bits;
}

struct Half {
  uint16_t bits;

  Half() = default;
  explicit Half(float f) {
    uint32_t u = bitsOf(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) {
      bits = uint16_t(sign | 0x7e00);
    } else if (a >= 0x477ff000) { // rounds to 2^16 or more
      bits = uint16_t(sign | 0x7c00);
    } else if (a < 0x38800000) { // below 2^-14: to multiples of 2^-24
      bits = uint16_t(sign | (bitsOf(floatOf(a) + 0.5f) - 0x3f000000));
    } else {
      a += 0xfff + (a >> 13 & 1);
      bits = uint16_t(sign | ((a - 0x38000000) >> 13));
    }
  }
  operator float() const {
    uint32_t sign = uint32_t(bits & 0x8000) << 16, a = bits & 0x7fff;
    if (a >= 0x7c00)
      return floatOf(sign | 0x7f800000 | a << 13);
    if (a >= 0x400)
      return floatOf(sign | ((a << 13) + 0x38000000));
    return floatOf(sign | bitsOf(float(int32_t(a)) * 0x1p-24f));
  }
};

struct BFloat {
  uint16_t bits;

  BFloat() = default;
  explicit BFloat(float f) {
    uint32_t u = bitsOf(f);
    if ((u & 0x7fffffff) > 0x7f800000)
      bits = 0x7fc0;
    else
      bits = uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
  operator float() const { return floatOf(uint32_t(bits) << 16); }
};

/// One byte that is 0 or 1.
struct Bool {
  uint8_t bits;
  Bool() = default;
  explicit Bool(bool b) : bits(b) {}
  operator int() const { return bits != 0; }
};

template <typename T>
constexpr bool isHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat>;
template <typename T>
constexpr bool isFloat = std::is_floating_point_v<T> || isHalf<T>;

/// What PyTorch computes a T in.
template <typename T>
using Opmath =
    std::conditional_t<isHalf<T>, float,
                       std::conditional_t<std::is_same_v<T, Bool>, int, T>>;

template <typename T> inline bool isNan(T x) {
  if constexpr (isFloat<T>) {
    Opmath<T> y = x;
    return y != y;
  } else {
    return false;
  }
}

/// As PyTorch converts: to half precision through float.
template <typename T> inline T fromDouble(double x) {
  if constexpr (isHalf<T>)
    return T(float(x));
  else if constexpr (std::is_same_v<T, Bool>)
    return Bool(x != 0);
  else
    return T(x);
}
template <typename T> inline T fromInteger(int64_t x) {
  if constexpr (isHalf<T>)
    return T(float(x));
  else if constexpr (std::is_same_v<T, Bool>)
    return Bool(x != 0);
  else
    return T(x);
}

template <typename T> struct Tag {
  using Type = T;
};

/// Calls f(Tag<T>()) for the dtype's T; false where there is none.
template <typename F> inline bool dispatch(int32_t dtype, F f) {
  switch (dtype) {
  case EVOX_UINT8:
    return f(Tag<uint8_t>()), true;
  case EVOX_INT8:
    return f(Tag<int8_t>()), true;
  case EVOX_INT16:
    return f(Tag<int16_t>()), true;
  case EVOX_INT32:
    return f(Tag<int32_t>()), true;
  case EVOX_INT64:
    return f(Tag<int64_t>()), true;
  case EVOX_FLOAT16:
    return f(Tag<Half>()), true;
  case EVOX_FLOAT32:
    return f(Tag<float>()), true;
  case EVOX_FLOAT64:
    return f(Tag<double>()), true;
  case EVOX_BOOL:
    return f(Tag<Bool>()), true;
  case EVOX_BFLOAT16:
    return f(Tag<BFloat>()), true;
  default:
    return false;
  }
}

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_ELEMENT_H
