//===- CommandLine.h - Options of the importer ------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_IMPORT_COMMANDLINE_H
#define EVOX_IMPORT_COMMANDLINE_H

#include "evox/Import/TorchScript.h"

namespace evox {
/// Registers --method, --input and their kin; call before parsing.
void registerImportOptions();
/// What the command line said. Exits with a message on a malformed --input.
ImportOptions importOptions();
/// Takes --stats out of the arguments: LLVM has an option of that name, for
/// something else.
bool takeStatsFlag(int &argc, char **argv);
} // namespace evox

#endif // EVOX_IMPORT_COMMANDLINE_H
