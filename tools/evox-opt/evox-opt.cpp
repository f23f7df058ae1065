//===- evox-opt.cpp - Runs passes over evox programs ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

namespace evox {
void registerPipelines();
} // namespace evox

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<evox::EvoxDialect>();
  mlir::registerAllPasses();
  evox::registerEvoxPasses();
#ifdef EVOXPIPELINES_EXISTS
  evox::registerPipelines();
#endif
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Optimizer driver of the evox compiler\n", registry));
}
