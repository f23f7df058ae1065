//===- CompileTool.h - What evox-compile does -------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TARGET_COMPILETOOL_H
#define EVOX_TARGET_COMPILETOOL_H

namespace evox {
/// The whole of evox-compile; returns its exit status.
int runCompileTool(int argc, char **argv);
} // namespace evox

#endif // EVOX_TARGET_COMPILETOOL_H
