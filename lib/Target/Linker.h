//===- Linker.h - Objects to a shared library -------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_LINKER_H
#define EVOX_LIB_TARGET_LINKER_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"
#include <string>

namespace evox {

struct LinkJob {
  llvm::SmallVector<std::string> objects;
  std::string folder; ///< for temporary files
  std::string output;
  std::string soname;
  std::string name;   ///< of the program
  std::string runtimeFolder;
  llvm::Triple triple;
  std::string sysroot; ///< empty: where the system has libraries of the triple
  bool usesLapack = false;
};

/// As folders of libraries are named for it: aarch64-linux-gnu.
std::string getMultiarch(const llvm::Triple &triple);

llvm::Error link(const LinkJob &job);

} // namespace evox

#endif // EVOX_LIB_TARGET_LINKER_H
