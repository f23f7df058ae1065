//===- LargeAngles.cpp - Functions of large angles ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C library's, by names of which LLVM knows nothing: it would compute what
// it knows for all elements of a vector, and drop those that nobody asked for.
//
//===----------------------------------------------------------------------===//

#include "evox/Runtime/Program.h"

#include <cmath>

extern "C" double evox_rt_sin(double x) { return std::sin(x); }
extern "C" double evox_rt_cos(double x) { return std::cos(x); }
extern "C" double evox_rt_tan(double x) { return std::tan(x); }
