//===- Strings.cpp - Python's strings ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Strings are known when a program is imported. Only a message may hold
// numbers that the data decides: their places in it are marked, and an error
// at run time fills them in. What a method does is what TorchScript's does,
// also where that is not Python's.

#include "Python.h"
#include <cmath>

using namespace mlir;
using namespace evox;
using namespace evox::import;

Py import::makeText(std::string text, std::vector<Py> parts) {
  Py v = Py::ofString(std::move(text));
  if (!parts.empty()) {
    v.items = std::make_shared<Container>();
    v.items->items = std::move(parts);
  }
  return v;
}

const std::string &import::knownText(Call &c, const Py &v) {
  if (v.kind != Py::String)
    c.in.fail(std::string("expected a str, got ") + kindName(v.kind));
  if (v.items)
    c.in.failStatic("a text with a number in it");
  return v.s;
}

//===----------------------------------------------------------------------===//
// Values as text
//===----------------------------------------------------------------------===//

/// As c10 prints a double.
static std::string textOf(double d) {
  int kind = std::fpclassify(d);
  if ((kind == FP_NORMAL || kind == FP_ZERO) && std::fabs(d) < 1e10 &&
      (double)(int64_t)d == d)
    return (d == 0 && std::signbit(d) ? "-" : "") + std::to_string((int64_t)d) + ".";
  char buffer[64];
  snprintf(buffer, sizeof buffer, "%.17g", d);
  return buffer;
}

std::string import::textOf(Call &c, const Py &v, std::vector<Py> &parts) {
  if (!v.isStatic() && v.isNumber()) {
    parts.push_back(v);
    return std::string(1, kRunTimePart);
  }
  auto joined = [&](char open, char close) {
    std::string out(1, open);
    for (size_t i = 0; i < v.list().size(); ++i)
      out += (i ? ", " : "") + textOf(c, v.list()[i], parts);
    if (v.kind == Py::Tuple && v.list().size() == 1)
      out += ",";
    return out + close;
  };
  switch (v.kind) {
  case Py::None: return "None";
  case Py::Int: return std::to_string(v.i);
  case Py::Bool: return v.i ? "True" : "False";
  case Py::Float: return ::textOf(v.f);
  case Py::Complex:
    return ::textOf(v.f) + (std::signbit(v.imag) ? "" : "+") + ::textOf(v.imag) + "j";
  case Py::String:
    if (v.items)
      parts.insert(parts.end(), v.list().begin(), v.list().end());
    return v.s;
  case Py::Device: return v.s;
  case Py::List: return joined('[', ']');
  case Py::Tuple: return joined('(', ')');
  case Py::Dict: {
    std::string out = "{";
    for (size_t i = 0; i < v.list().size(); i += 2)
      out += (i ? ", " : "") + textOf(c, v.list()[i], parts) + ": " +
             textOf(c, v.list()[i + 1], parts);
    return out + "}";
  }
  case Py::Enum: return "Enum<" + v.s + ">";
  case Py::Tensor: {
    std::string shape;
    for (int64_t d : v.tensor->type.getShape())
      shape += (shape.empty() ? "" : ", ") + (ShapedType::isDynamic(d) ? "?" : std::to_string(d));
    return "<tensor of " + dtypeName(v.tensor->dtype) + "[" + shape + "]>";
  }
  default: return std::string("<") + kindName(v.kind) + ">";
  }
}

static Results strOf(Call &c) {
  std::vector<Py> parts;
  std::string text = textOf(c, c.args[0], parts);
  return {makeText(text, parts)};
}

static Results concatStrings(Call &c) {
  std::vector<Py> parts;
  std::string text = textOf(c, c.args[0], parts);
  text += textOf(c, c.args[1], parts);
  return {makeText(text, parts)};
}

static Results formatString(Call &c) {
  std::string out, text = c.args[0].s;
  std::vector<Py> parts, own;
  if (c.args[0].items)
    own = c.args[0].list();
  size_t next = 1, nextOwn = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "{}") == 0) {
      if (next >= c.args.size())
        c.in.fail("Too few arguments for format string: " + text);
      out += textOf(c, c.args[next++], parts);
      ++i;
    } else {
      if (text[i] == kRunTimePart && nextOwn < own.size())
        parts.push_back(own[nextOwn++]);
      out += text[i];
    }
  }
  if (next < c.args.size())
    c.in.fail("Too many arguments for format string: " + text);
  return {makeText(out, parts)};
}

/// `text % values`, with the specifiers that TorchScript has.
static Results percentFormat(Call &c) {
  const std::string &text = knownText(c, c.args[0]);
  std::string out;
  std::vector<Py> parts, values(c.args.begin() + 1, c.args.end());
  if (values.size() == 1 && values[0].kind == Py::Tuple)
    values = std::vector<Py>(values[0].list());
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (++i == text.size())
      c.in.fail("Incomplete format specifier");
    if (text[i] == '%') {
      out += '%';
      continue;
    }
    if (next >= values.size())
      c.in.fail("Too few arguments for format string");
    const Py &v = values[next++];
    char buffer[512];
    switch (text[i]) {
    case 'd':
    case 'i':
      if (!v.isNumber())
        c.in.fail(std::string("%") + text[i] + " requires a number for formatting, but got " +
                  kindName(v.kind));
      if (v.isStatic())
        out += std::to_string(v.kind == Py::Float ? (int64_t)v.f : v.i);
      else
        out += textOf(c, v.kind == Py::Float ? Py::ofInt(c.in.scalar(v, DType::Int64)) : v, parts);
      break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
      if (!v.isNumber())
        c.in.fail(std::string("%") + text[i] + " requires a number for formatting, but got " +
                  kindName(v.kind));
      if (v.isStatic()) {
        char format[] = {'%', text[i] == 'F' ? 'f' : text[i], 0};
        snprintf(buffer, sizeof buffer, format, asDouble(v));
        out += buffer;
      } else {
        out += textOf(c, v, parts);
      }
      break;
    case 'c':
      if (v.kind == Py::Int && v.isStatic())
        out += (char)v.i;
      else
        out += knownText(c, v);
      break;
    case 's': out += textOf(c, v, parts); break;
    default:
      c.in.fail(std::string("The specifier %") + text[i] +
                " is not supported in TorchScript format strings");
    }
  }
  if (next < values.size())
    c.in.fail("Too many arguments for format string");
  return {makeText(out, parts)};
}

static Results joinStrings(Call &c) {
  std::vector<Py> parts;
  std::string out;
  for (size_t i = 0; i < c.args[1].list().size(); ++i) {
    if (i)
      out += knownText(c, c.args[0]);
    out += textOf(c, c.args[1].list()[i], parts);
  }
  return {makeText(out, parts)};
}

/// bin, hex and oct.
template <int base> static Results digitsOf(Call &c) {
  int64_t v = c.integer("i");
  uint64_t u = v < 0 ? -(uint64_t)v : v;
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[u % base]);
    u /= base;
  } while (u);
  return {Py::ofString((v < 0 ? "-0" : "0") + std::string(base == 2 ? "b" : base == 8 ? "o" : "x") +
                       digits)};
}

static Results ordOf(Call &c) {
  const std::string &text = knownText(c, c.args[0]);
  if (text.size() != 1)
    c.in.fail("String for ord() must be 1 character, found " + std::to_string(text.size()));
  return {Py::ofInt((int64_t)(uint8_t)text[0])};
}
static Results chrOf(Call &c) {
  int64_t i = c.integer("i");
  if (i < 0 || i >= 1114111)
    c.in.fail("chr() arg not in range(0x110000), found " + std::to_string(i));
  return {Py::ofString(std::string(1, (char)i))};
}

//===----------------------------------------------------------------------===//
// Methods
//===----------------------------------------------------------------------===//

static const std::string &self(Call &c) { return knownText(c, c.args[0]); }

/// Letter by letter, told where a word begins.
template <typename Fn> static Results mapped(Call &c, Fn fn) {
  std::string out;
  bool begins = true;
  for (char ch : self(c)) {
    out += fn(ch, begins);
    begins = !isalpha((unsigned char)ch);
  }
  return {Py::ofString(out)};
}
static Results lowerString(Call &c) { return mapped(c, [](char ch, bool) { return (char)tolower(ch); }); }
static Results upperString(Call &c) { return mapped(c, [](char ch, bool) { return (char)toupper(ch); }); }
static Results swapCase(Call &c) {
  return mapped(c, [](char ch, bool) { return (char)(isupper(ch) ? tolower(ch) : toupper(ch)); });
}
static Results titleString(Call &c) {
  return mapped(c, [](char ch, bool begins) { return (char)(begins ? toupper(ch) : tolower(ch)); });
}
static Results capitalizeString(Call &c) {
  bool isFirst = true;
  return mapped(c, [&](char ch, bool) {
    return (char)(std::exchange(isFirst, false) ? toupper(ch) : tolower(ch));
  });
}

/// Whether all characters are of a class, and there are some.
template <int (*isOne)(int)> static Results allAre(Call &c) {
  const std::string &text = self(c);
  bool all = !text.empty();
  for (char ch : text)
    all &= isOne((unsigned char)ch) != 0;
  return {Py::ofBool(all)};
}
static Results isPrintable(Call &c) {
  return {Py::ofBool(llvm::all_of(self(c), [](char ch) { return isprint((unsigned char)ch); }))};
}
/// islower, isupper: no letter of the other kind, and one of this.
template <int (*isOne)(int), int (*isOther)(int)> static Results hasCase(Call &c) {
  bool any = false, other = false;
  for (char ch : self(c)) {
    any |= isOne((unsigned char)ch) != 0;
    other |= isOther((unsigned char)ch) != 0;
  }
  return {Py::ofBool(any && !other)};
}
static Results isTitle(Call &c) {
  bool good = true, any = false, begins = true;
  for (char ch : self(c)) {
    if (isalpha((unsigned char)ch)) {
      good &= begins ? isupper((unsigned char)ch) != 0 : islower((unsigned char)ch) != 0;
      any = true;
    }
    begins = !isalpha((unsigned char)ch);
  }
  return {Py::ofBool(good && any)};
}
static Results isIdentifier(Call &c) {
  const std::string &text = self(c);
  bool good = !text.empty() && !isdigit((unsigned char)text[0]);
  for (char ch : text)
    good &= isalnum((unsigned char)ch) || ch == '_';
  return {Py::ofBool(good)};
}

/// strip, lstrip, rstrip.
template <bool left, bool right> static Results stripString(Call &c) {
  StringRef text = self(c);
  std::string chars = c.args.size() > 1 ? knownText(c, c.args[1]) : " \n\t\f\v\r";
  if (left)
    text = text.ltrim(chars);
  if (right)
    text = text.rtrim(chars);
  return {Py::ofString(text.str())};
}

/// The part from `start` to `end`, as the methods that search take them.
static StringRef part(Call &c, int64_t &start) {
  StringRef text = self(c);
  int64_t n = text.size();
  start = c.integer("start", 0);
  // TorchScript's default for the end is -1, and means all of it.
  int64_t end = c.integer("end", -1);
  start = start < 0 ? std::max<int64_t>(start + n, 0) : start;
  end = end < 0 ? std::max<int64_t>(end + n + 1, 0) : std::min(end, n);
  if (start >= end)
    return StringRef();
  return text.slice(start, end);
}
template <bool fromRight, bool mustFind> static Results findString(Call &c) {
  int64_t start;
  StringRef text = part(c, start), wanted = knownText(c, c.args[1]);
  size_t at = fromRight ? text.rfind(wanted) : text.find(wanted);
  if (at == StringRef::npos && mustFind)
    c.in.fail("ValueError: substring not found");
  return {Py::ofInt(at == StringRef::npos ? (int64_t)-1 : (int64_t)at + start)};
}
static Results countString(Call &c) {
  int64_t start;
  StringRef text = part(c, start), wanted = knownText(c, c.args[1]);
  return {Py::ofInt(wanted.empty() ? (int64_t)text.size() + 1 : (int64_t)text.count(wanted))};
}
static Results startsWith(Call &c) {
  int64_t start;
  return {Py::ofBool(part(c, start).starts_with(knownText(c, c.args[1])))};
}
static Results endsWith(Call &c) {
  int64_t start;
  return {Py::ofBool(part(c, start).ends_with(knownText(c, c.args[1])))};
}

static Results replaceString(Call &c) {
  std::string s = self(c), from = knownText(c, c.args[1]), to = knownText(c, c.args[2]), out;
  int64_t most = c.args.size() > 3 ? c.integer("max") : -1;
  size_t i = 0;
  while (!from.empty() && most-- != 0) {
    size_t at = s.find(from, i);
    if (at == std::string::npos)
      break;
    out += s.substr(i, at - i) + to;
    i = at + from.size();
  }
  return {Py::ofString(out + s.substr(i))};
}

static Results listOfStrings(ArrayRef<StringRef> parts) {
  std::vector<Py> out;
  for (StringRef p : parts)
    out.push_back(Py::ofString(p.str()));
  return {Py::ofItems(Py::List, std::move(out), "List[str]")};
}
template <bool fromRight> static Results splitString(Call &c) {
  SmallVector<StringRef> parts;
  StringRef text = self(c);
  int64_t most = c.args.size() > 2 ? c.integer("max", -1) : -1;
  if (c.args.size() < 2 || c.args[1].isNone()) {
    // At whitespace of any length.
    constexpr StringLiteral space = " \n\t\f\v\r";
    text = text.ltrim(space);
    while (!text.empty() && most-- != 0) {
      parts.push_back(text.take_until([&](char ch) { return space.contains(ch); }));
      text = text.drop_front(parts.back().size()).ltrim(space);
    }
    if (!text.empty())
      parts.push_back(text);
    return listOfStrings(parts);
  }
  const std::string &at = knownText(c, c.args[1]);
  if (at.empty())
    c.in.fail("ValueError: empty separator");
  if (!fromRight) {
    text.split(parts, at, most);
    return listOfStrings(parts);
  }
  while (most-- != 0 && text.contains(at)) {
    auto [rest, last] = text.rsplit(at);
    parts.push_back(last);
    text = rest;
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return listOfStrings(parts);
}

static Results splitLines(Call &c) {
  bool keepEnds = c.boolean("keepends");
  SmallVector<StringRef> parts;
  StringRef text = self(c);
  while (!text.empty()) {
    size_t n = text.find_first_of("\n\r\f\v\x1c\x1d\x1e\x85");
    parts.push_back(text.take_front(n));
    if (n == StringRef::npos)
      break;
    size_t length = text.substr(n).starts_with("\r\n") ? 2 : 1;
    if (keepEnds)
      parts.push_back(text.substr(n, length));
    text = text.drop_front(n + length);
  }
  return listOfStrings(parts);
}

template <bool fromRight> static Results partitionString(Call &c) {
  StringRef text = self(c), at = knownText(c, c.args[1]);
  size_t n = fromRight ? text.rfind(at) : text.find(at);
  std::string parts[3];
  if (n == StringRef::npos) {
    parts[fromRight ? 2 : 0] = text.str();
  } else {
    parts[0] = text.take_front(n).str();
    parts[1] = at.str();
    parts[2] = text.drop_front(n + at.size()).str();
  }
  return {Py::ofString(parts[0]), Py::ofString(parts[1]), Py::ofString(parts[2])};
}

/// center, ljust, rjust: how much of what is missing goes to the left.
template <int which> static Results padString(Call &c) {
  std::string text = self(c), fill = c.args.size() > 2 ? knownText(c, c.args[2]) : " ";
  if (fill.size() != 1)
    c.in.fail("TypeError: The fill character must be exactly one character long");
  int64_t missing = std::max<int64_t>(c.integer("width") - (int64_t)text.size(), 0);
  int64_t left = which < 0 ? 0 : which > 0 ? missing : missing / 2;
  return {Py::ofString(std::string(left, fill[0]) + text + std::string(missing - left, fill[0]))};
}
static Results zeroFill(Call &c) {
  int64_t missing = std::max<int64_t>(c.integer("width") - (int64_t)self(c).size(), 0);
  return {Py::ofString(std::string(missing, '0') + self(c))};
}
static Results expandTabs(Call &c) {
  int64_t size = c.args.size() > 1 ? c.integer("tabsize") : 8;
  std::string out;
  int64_t column = 0;
  for (char ch : self(c)) {
    if (ch != '\t') {
      out += ch;
      column = ch == '\n' || ch == '\r' ? 0 : column + 1;
    } else if (size > 0) {
      int64_t n = size - column % size;
      out.append(n, ' ');
      column += n;
    }
  }
  return {Py::ofString(out)};
}

/// A warning is said once, when the program is imported.
static Results warn(Call &c) {
  std::vector<Py> parts;
  c.in.note("warning of the program: " + textOf(c, c.args[0], parts));
  return {};
}

ArrayRef<OpRow> import::stringOps() {
  static const OpRow rows[] = {
      {"str", strOf}, {"format", formatString}, {"percentFormat", percentFormat},
      {"add.str", concatStrings}, {"join", joinStrings}, {"ord", ordOf}, {"chr", chrOf},
      {"bin", digitsOf<2>}, {"oct", digitsOf<8>}, {"hex", digitsOf<16>},
      {"lower", lowerString}, {"upper", upperString}, {"swapcase", swapCase},
      {"title", titleString}, {"capitalize", capitalizeString},
      {"isalnum", allAre<isalnum>}, {"isalpha", allAre<isalpha>},
      {"isdigit", allAre<isdigit>}, {"isdecimal", allAre<isdigit>},
      {"isnumeric", allAre<isdigit>}, {"isspace", allAre<isspace>},
      {"isprintable", isPrintable}, {"islower", hasCase<islower, isupper>},
      {"isupper", hasCase<isupper, islower>}, {"istitle", isTitle},
      {"isidentifier", isIdentifier}, {"strip", stripString<true, true>},
      {"lstrip", stripString<true, false>}, {"rstrip", stripString<false, true>},
      {"find", findString<false, false>}, {"rfind", findString<true, false>},
      {"index.str", findString<false, true>}, {"rindex", findString<true, true>},
      {"count", countString}, {"startswith", startsWith}, {"endswith", endsWith},
      {"replace", replaceString}, {"split.str", splitString<false>},
      {"rsplit", splitString<true>}, {"splitlines", splitLines},
      {"partition", partitionString<false>}, {"rpartition", partitionString<true>},
      {"center", padString<0>}, {"ljust", padString<-1>}, {"rjust", padString<1>},
      {"zfill", zeroFill}, {"expandtabs", expandTabs}, {"warn", warn},
  };
  return rows;
}
