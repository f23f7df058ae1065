//===- Json.cpp - Just enough JSON for safetensors ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

using namespace evox::rt;

void JsonReader::space() {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
    ++at;
}

bool JsonReader::peek(char c) {
  space();
  return at < end && *at == c;
}

bool JsonReader::take(char c) {
  if (!peek(c))
    return false;
  ++at;
  return true;
}

bool JsonReader::atEnd() {
  space();
  return at == end;
}

bool JsonReader::unit(uint32_t &code) {
  if (end - at < 4)
    return false;
  code = 0;
  for (int i = 0; i < 4; ++i) {
    char c = *at++;
    uint32_t digit = c >= '0' && c <= '9'   ? uint32_t(c - '0')
                     : c >= 'a' && c <= 'f' ? uint32_t(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? uint32_t(c - 'A' + 10)
                                            : 99;
    if (digit > 15)
      return false;
    code = code * 16 + digit;
  }
  return true;
}

bool JsonReader::string(char *to, size_t room) {
  if (!take('"'))
    return false;
  size_t n = 0;
  auto put = [&](uint32_t byte) {
    if (n + 1 < room)
      to[n++] = char(byte);
  };
  while (at < end && *at != '"') {
    unsigned char c = static_cast<unsigned char>(*at++);
    if (c < 0x20)
      return false;
    if (c != '\\') {
      put(c);
      continue;
    }
    if (at == end)
      return false;
    char escape = *at++;
    const char *codes = "\"\"\\\\//b\bf\fn\nr\rt\t";
    bool found = false;
    for (const char *p = codes; *p && !found; p += 2)
      if (*p == escape) {
        put(static_cast<unsigned char>(p[1]));
        found = true;
      }
    if (found)
      continue;
    uint32_t code, low;
    if (escape != 'u' || !unit(code))
      return false;
    if (code >= 0xd800 && code < 0xdc00) {
      if (end - at < 2 || at[0] != '\\' || at[1] != 'u')
        return false;
      at += 2;
      if (!unit(low) || low < 0xdc00 || low >= 0xe000)
        return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12);
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 63));
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    }
  }
  if (room)
    to[n] = 0;
  return take('"');
}

bool JsonReader::integer(int64_t &value) {
  space();
  bool negative = at < end && *at == '-';
  if (negative)
    ++at;
  if (at == end || *at < '0' || *at > '9')
    return false;
  value = 0;
  while (at < end && *at >= '0' && *at <= '9')
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, *at++ - '0', &value))
      return false;
  if (negative)
    value = -value;
  return at == end || (*at != '.' && *at != 'e' && *at != 'E');
}

bool JsonReader::skip(int depth) {
  if (depth == 0)
    return false;
  if (peek('"'))
    return string(nullptr, 0);
  for (char open : {'{', '['}) {
    char shut = open == '{' ? '}' : ']';
    if (!take(open))
      continue;
    if (take(shut))
      return true;
    do {
      if (open == '{' && !(string(nullptr, 0) && take(':')))
        return false;
      if (!skip(depth - 1))
        return false;
    } while (take(','));
    return take(shut);
  }
  const char *start = at;
  auto isScalar = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' ||
           c == '+' || c == '-' || c == '.';
  };
  while (at < end && isScalar(*at))
    ++at;
  return at != start;
}

void Buffer::add(const char *text, size_t n) {
  if (failed)
    return;
  if (size + n + 1 > capacity) {
    size_t more = (size + n + 1) * 2;
    char *grown = static_cast<char *>(std::realloc(data, more));
    if (!grown) {
      failed = true;
      return;
    }
    data = grown;
    capacity = more;
  }
  std::memcpy(data + size, text, n);
  size += n;
  data[size] = 0;
}

void Buffer::add(const char *text) { add(text, std::strlen(text)); }

void Buffer::addInteger(int64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", static_cast<long long>(value));
  add(digits);
}

void Buffer::addString(const char *text) {
  add("\"");
  addEscaped(text);
  add("\"");
}

void Buffer::addEscaped(const char *text) {
  for (; *text; ++text) {
    unsigned char c = static_cast<unsigned char>(*text);
    if (c == '"' || c == '\\') {
      add("\\");
      add(text, 1);
    } else if (c < 0x20) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\u%04x", c);
      add(escaped);
    } else {
      add(text, 1);
    }
  }
}

void Buffer::release() {
  std::free(data);
  *this = Buffer();
}
