//===- Python.h - What the ops on Python values share -----------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_OPS_PYTHON_H
#define EVOX_LIB_IMPORT_OPS_PYTHON_H

#include "Common.h"

namespace evox::import {

/// The dtype of a Python number.
DType numberType(const Py &v);
/// A number that is known now.
inline double asDouble(const Py &v) { return v.kind == Py::Float ? v.f : (double)v.i; }
/// A tensor as a number; other values as they are.
Py plain(Call &c, const Py &v);
/// A number of the type that the op's schema promises.
Py ofResultType(Call &c, Py v);

enum class Arith { Add, Sub, Mul, Div, FloorDiv, Mod, Pow, Min, Max, And, Or, Xor, Shl, Shr };
Py arithmetic(Call &c, Arith op, Py x, Py y);
Py compare(Call &c, llvm::StringRef op, Py x, Py y);
/// Python's ==, also of strings and lists.
Py equal(Call &c, const Py &x, const Py &y);
Py negate(Call &c, const Py &v);
Py toBool(Call &c, Py v);

/// Numbers in a text that are known at run time only: where they stand in it.
constexpr char kRunTimePart = '\x1a';
/// How TorchScript writes a value. Numbers that the data decides join `parts`.
std::string textOf(Call &c, const Py &v, std::vector<Py> &parts);
/// A text with its run-time parts.
Py makeText(std::string text, std::vector<Py> parts = {});
/// A text that has to be known now.
const std::string &knownText(Call &c, const Py &v);

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_OPS_PYTHON_H
