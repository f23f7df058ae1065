//===- Prelude.cpp - Ops written in TorchScript ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Prelude.h"
#include <sstream>

static const char *const prelude =
#include "Prelude.inc"
    ;

const std::map<std::string, std::string> &preludeFunctions() {
  static const std::map<std::string, std::string> functions = [] {
    std::map<std::string, std::string> result;
    std::istringstream lines(prelude);
    std::string line, name;
    while (std::getline(lines, line)) {
      if (line.rfind("def ", 0) == 0)
        name = line.substr(4, line.find('(') - 4);
      else if (!line.empty() && line[0] == '#')
        name.clear(); // a comment between functions
      if (!name.empty())
        result[name] += line + "\n";
    }
    return result;
  }();
  return functions;
}
