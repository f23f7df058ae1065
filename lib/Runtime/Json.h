//===- Json.h - Just enough JSON for safetensors ----------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_JSON_H
#define EVOX_LIB_RUNTIME_JSON_H

#include <cstddef>
#include <cstdint>

namespace evox::rt {

/// Reads a JSON text from its start to its end. Each function skips white
/// space, reads one piece and returns false where the text has another.
struct JsonReader {
  const char *at;
  const char *end;

  bool take(char c);
  /// Is it the next piece? Does not read it.
  bool peek(char c);
  /// A string, unescaped, as UTF-8 that ends in 0; cut to the room there is.
  bool string(char *to, size_t room);
  bool integer(int64_t &value);
  /// Any value, at most `depth` deep.
  bool skip(int depth = 16);
  bool atEnd();

private:
  void space();
  bool unit(uint32_t &code);
};

/// A text that grows. `failed` once memory was out.
struct Buffer {
  char *data;
  size_t size, capacity;
  bool failed;

  void add(const char *text, size_t n);
  void add(const char *text);
  void addInteger(int64_t value);
  void addEscaped(const char *text);
  /// In quotes, escaped.
  void addString(const char *text);
  void release();
};

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_JSON_H
