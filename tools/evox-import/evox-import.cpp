//===- evox-import.cpp - TorchScript to the evox dialect ------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Import/CommandLine.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::cl::opt<std::string> input(llvm::cl::Positional, llvm::cl::Required,
                                   llvm::cl::desc("MODEL.pt"));
  llvm::cl::opt<std::string> output("o", llvm::cl::init("-"), llvm::cl::value_desc("MODEL.mlir"),
                                    llvm::cl::desc("Where the IR goes; - is standard output"));
  bool printStats = evox::takeStatsFlag(argc, argv);
  llvm::cl::extrahelp help("\n  --stats  Print times and the size of the IR\n");
  llvm::cl::opt<bool> locations("mlir-print-locations",
                                llvm::cl::desc("Keep Python's files and lines in the IR"));
  evox::registerImportOptions();
  llvm::cl::ParseCommandLineOptions(
      argc, argv,
      "Imports a TorchScript module into the evox dialect.\n\n"
      "  evox-import pso.pt --method step -o pso.mlir\n");
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  evox::ImportStats stats;
  auto module = evox::importTorchScript(context, input, evox::importOptions(), &stats);
  if (!module)
    return 1;
  std::string error;
  auto file = mlir::openOutputFile(output, &error);
  if (!file) {
    llvm::errs() << "error: " << error << "\n";
    return 1;
  }
  mlir::OpPrintingFlags flags;
  if (locations)
    flags.enableDebugInfo(true);
  module->print(file->os(), flags);
  file->keep();
  if (printStats)
    stats.print(llvm::errs());
  return 0;
}
