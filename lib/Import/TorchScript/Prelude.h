//===- Prelude.h - Ops written in TorchScript -------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_TORCHSCRIPT_PRELUDE_H
#define EVOX_LIB_IMPORT_TORCHSCRIPT_PRELUDE_H

#include <map>
#include <string>

/// The text of each function of lib/Import/Prelude, by name.
const std::map<std::string, std::string> &preludeFunctions();

#endif // EVOX_LIB_IMPORT_TORCHSCRIPT_PRELUDE_H
