//===- PrintTensor.cpp - Tensors as text ----------------------------- ===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunTool.h"
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace evox {

static const char *dtypeName(int32_t dtype) {
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
  }
  return "?";
}

std::string describeTensor(const evox_tensor &tensor) {
  std::string text = dtypeName(tensor.dtype);
  text += " [";
  for (int32_t i = 0; i < tensor.rank; ++i) {
    if (i)
      text += ", ";
    text += std::to_string(tensor.shape[i]);
  }
  return text + ']';
}

/// The fewest digits that read back as the same number.
static std::string printReal(double value, bool isSingle) {
  char text[64];
  for (int digits = isSingle ? 6 : 15; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (isSingle ? std::strtof(text, nullptr) == static_cast<float>(value)
                 : std::strtod(text, nullptr) == value)
      break;
  }
  return text;
}

static float halfToFloat(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                : exponent     ? std::ldexp(1024.0f + fraction, exponent - 25)
                               : std::ldexp(static_cast<float>(fraction), -24);
  return bits & 0x8000 ? -value : value;
}

template <typename T> static T read(const evox_tensor &tensor, int64_t index) {
  T value;
  std::memcpy(&value,
              static_cast<const char *>(tensor.data) + index * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T>
static std::string printComplex(const evox_tensor &tensor, int64_t index) {
  bool isSingle = sizeof(T) == 4;
  T real = read<T>(tensor, 2 * index),
    imaginary = read<T>(tensor, 2 * index + 1);
  return printReal(real, isSingle) + (std::signbit(imaginary) ? "-" : "+") +
         printReal(std::fabs(imaginary), isSingle) + "j";
}

static std::string printElement(const evox_tensor &tensor, int64_t index) {
  switch (tensor.dtype) {
  case EVOX_UINT8:
    return std::to_string(read<uint8_t>(tensor, index));
  case EVOX_INT8:
    return std::to_string(read<int8_t>(tensor, index));
  case EVOX_INT16:
    return std::to_string(read<int16_t>(tensor, index));
  case EVOX_INT32:
    return std::to_string(read<int32_t>(tensor, index));
  case EVOX_INT64:
    return std::to_string(read<int64_t>(tensor, index));
  case EVOX_FLOAT16:
    return printReal(halfToFloat(read<uint16_t>(tensor, index)), true);
  case EVOX_BFLOAT16: {
    uint32_t bits = static_cast<uint32_t>(read<uint16_t>(tensor, index)) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return printReal(value, true);
  }
  case EVOX_FLOAT32:
    return printReal(read<float>(tensor, index), true);
  case EVOX_FLOAT64:
    return printReal(read<double>(tensor, index), false);
  case EVOX_COMPLEX64:
    return printComplex<float>(tensor, index);
  case EVOX_COMPLEX128:
    return printComplex<double>(tensor, index);
  case EVOX_BOOL:
    return read<uint8_t>(tensor, index) ? "True" : "False";
  }
  return "?";
}

static void printInto(std::string &text, const evox_tensor &tensor,
                      int32_t dimension, int64_t index, bool isLong) {
  if (dimension == tensor.rank) {
    text += printElement(tensor, index);
    return;
  }
  constexpr int64_t kEnd = 3;
  int64_t size = tensor.shape[dimension];
  text += '[';
  for (int64_t i = 0; i < size; ++i) {
    if (i)
      text += ", ";
    if (isLong && size > 2 * kEnd && i == kEnd) {
      text += "...";
      i = size - kEnd - 1;
      continue;
    }
    printInto(text, tensor, dimension + 1,
              index + i * tensor.strides[dimension], isLong);
  }
  text += ']';
}

std::string printTensor(const evox_tensor &tensor) {
  int64_t elements = 1;
  for (int32_t i = 0; i < tensor.rank; ++i)
    elements *= tensor.shape[i];
  std::string text;
  printInto(text, tensor, 0, 0, elements > 1000);
  return text;
}

} // namespace evox
