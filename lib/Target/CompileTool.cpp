//===- CompileTool.cpp - What evox-compile does ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Target/CompileTool.h"
#include "CodeGen.h"
#include "evox/Target/ProgramInfo.h"
#include "evox/Target/SharedLibrary.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"
#include <chrono>
#ifdef EVOX_HAS_IMPORTER
#include "evox/Import/CommandLine.h"
#endif

using namespace mlir;
namespace cl = llvm::cl;

namespace {
cl::OptionCategory category("Compile options");

struct Options {
  cl::opt<std::string> input{cl::Positional, cl::cat(category),
                             cl::desc("MODEL.pt|MODEL.mlir")};
  cl::opt<std::string> output{
      "o", cl::value_desc("FILE"), cl::cat(category),
      cl::desc("What to write; - is the standard output, the default of "
               "--emit. Example: -o libpso.so")};
  cl::opt<std::string> header{
      "header", cl::value_desc("FILE"), cl::cat(category),
      cl::desc("Write a C header for the library too. Example: "
               "--header=pso.h")};
  cl::opt<std::string> rng{
      "rng", cl::init("torch"), cl::value_desc("NAME"), cl::cat(category),
      cl::desc("Random numbers: torch (PyTorch's own, draw for draw) or philox "
               "(counter-based). Example: --rng=philox")};
  cl::opt<std::string> target{
      "target", cl::init("cpu"), cl::value_desc("NAME"), cl::cat(category),
      cl::desc("Where it runs: cpu. Example: --target=cpu")};
  cl::opt<std::string> cpu{
      "cpu", cl::value_desc("NAME,..."), cl::cat(category),
      cl::desc("The processor: native (this one, the default) or a name that "
               "LLVM knows; help lists them. Of several, with commas between "
               "them, a library runs the best one that the machine can. "
               "Example: --cpu=x86-64-v3")};
  cl::opt<std::string> triple{
      "triple", cl::value_desc("TRIPLE"), cl::cat(category),
      cl::desc("The architecture: x86_64-linux-gnu or aarch64-linux-gnu; "
               "default: this machine's. Example: --triple=aarch64-linux-gnu")};
  cl::opt<std::string> sysroot{
      "sysroot", cl::value_desc("FOLDER"), cl::cat(category),
      cl::desc("Where the C library of another machine is; default: where "
               "Debian has it. Example: --sysroot=/usr/aarch64-linux-gnu")};
  cl::opt<unsigned> optimization{
      "O", cl::Prefix, cl::init(3), cl::value_desc("1|2|3"), cl::cat(category),
      cl::desc("How much LLVM optimizes; the numbers are the same. "
               "Example: -O1")};
  cl::opt<bool> fastMath{
      "fast-math", cl::cat(category),
      cl::desc("Let arithmetic be rearranged, which changes the rounding; the "
               "library's signature says so. Example: --fast-math")};
  cl::opt<std::string> name{
      "name", cl::value_desc("NAME"), cl::cat(category),
      cl::desc("The program's name, as in NAME_get_api; default: the output's, "
               "without lib and .so. Example: --name=pso")};
  cl::opt<evox::Emit> emit{
      "emit", cl::init(evox::Emit::Library), cl::cat(category),
      cl::desc("What to stop at. Example: --emit=linalg"),
      cl::values(
          clEnumValN(evox::Emit::Evox, "evox", "the evox dialect, as imported"),
          clEnumValN(evox::Emit::State, "state", "with explicit state"),
          clEnumValN(evox::Emit::Linalg, "linalg", "fused linalg on tensors"),
          clEnumValN(evox::Emit::Loops, "loops", "loops over buffers"),
          clEnumValN(evox::Emit::LLVM, "llvm", "optimized LLVM IR"),
          clEnumValN(evox::Emit::Assembly, "asm",
                     "assembly, without the initial state"),
          clEnumValN(evox::Emit::Object, "obj", "an object file"),
          clEnumValN(evox::Emit::Library, "so", "a shared library (default)"))};
  cl::opt<std::string> runtime{
      "runtime", cl::value_desc("FOLDER"), cl::cat(category),
      cl::desc("The folder of libEvoxRuntime.a; default: ../lib beside "
               "evox-compile. Example: --runtime=build/lib")};
  cl::opt<bool> stats{
      "stats", cl::cat(category),
      cl::desc("Say how long each stage took, in JSON. Example: --stats")};
};
} // namespace

/// LLVM and LibTorch bring options of their own, hundreds of them.
static void hideOtherOptions() {
  for (auto &entry : cl::getRegisteredOptions()) {
    cl::Option *option = entry.second;
    bool ours = llvm::any_of(option->Categories, [](cl::OptionCategory *c) {
      return c == &category || c->getName() == "Import options";
    });
    if (!ours && entry.first != "help" && entry.first != "version")
      option->setHiddenFlag(cl::ReallyHidden);
  }
}

static void printStats(const evox::CompileStats &stats) {
  double total = 0;
  llvm::errs() << "{\"seconds\": {";
  for (const auto &[name, seconds] : stats.seconds) {
    llvm::errs() << '"' << name << "\": " << llvm::format("%.4f, ", seconds);
    total += seconds;
  }
  llvm::errs() << "\"total\": " << llvm::format("%.4f", total) << '}';
  for (const auto &[name, bytes] : stats.bytes)
    llvm::errs() << ", \"" << name << " bytes\": " << bytes;
  llvm::errs() << "}\n";
}

static int printProcessors(StringRef tripleText) {
  auto triple = evox::parseTriple(tripleText);
  if (!triple) {
    llvm::errs() << "error: " << llvm::toString(triple.takeError()) << '\n';
    return 1;
  }
  for (const std::string &name : llvm::cantFail(evox::getProcessors(*triple)))
    llvm::outs() << name << '\n';
  return 0;
}

static OwningOpRef<ModuleOp> readInput(StringRef path, MLIRContext &context,
                                       llvm::SourceMgr &sources,
                                       evox::CompileStats &stats) {
  auto start = std::chrono::steady_clock::now();
  StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".mlir" || extension == ".mlirbc" || path == "-") {
    std::string message;
    auto file = openInputFile(path, &message);
    if (!file) {
      llvm::errs() << "error: " << message << '\n';
      return nullptr;
    }
    sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
    OwningOpRef<ModuleOp> module =
        parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    stats.seconds.emplace_back("parsing", time.count());
    return module;
  }
#ifdef EVOX_HAS_IMPORTER
  evox::ImportStats import;
  OwningOpRef<ModuleOp> module = evox::importTorchScript(
      context, path, evox::importOptions(), &import);
  stats.seconds.emplace_back("libtorch", import.libtorchSeconds);
  stats.seconds.emplace_back("import", import.importSeconds);
  return module;
#else
  llvm::errs() << "error: '" << path
               << "': this evox-compile was built without the TorchScript "
                  "importer and takes .mlir files only\n";
  return nullptr;
#endif
}

int evox::runCompileTool(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // LLVM has a --stats of its own, which shows counters.
  auto &registered = cl::getRegisteredOptions();
  if (auto it = registered.find("stats"); it != registered.end())
    it->second->removeArgument();
  Options flags;
#ifdef EVOX_HAS_IMPORTER
  registerImportOptions();
#endif
  hideOtherOptions();
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles a TorchScript module to a shared library\n\n"
      "  evox-compile pso.pt -o libpso.so --header pso.h\n"
      "  evox-compile pso.pt --emit=linalg | less\n");

  if (flags.cpu == "help")
    return printProcessors(flags.triple);
  if (flags.cpu.getNumOccurrences() && flags.cpu.empty()) {
    llvm::errs() << "error: --cpu=: no processor is named\n";
    return 1;
  }
  if (flags.input.empty()) {
    llvm::errs() << "error: which module is to be compiled? --help explains "
                    "the options\n";
    return 1;
  }
  if (flags.optimization < 1 || flags.optimization > 3) {
    llvm::errs() << "error: -O" << flags.optimization
                 << ": levels are 1 to 3\n";
    return 1;
  }
  CompileOptions options;
  options.emit = flags.emit;
  options.rng = flags.rng;
  options.target = flags.target;
  options.cpu = flags.cpu;
  options.triple = flags.triple;
  options.sysroot = flags.sysroot;
  options.optimization = flags.optimization;
  options.fastMath = flags.fastMath;
  options.name = flags.name;
  options.output = flags.output;
  options.header = flags.header;
  options.runtimeFolder = flags.runtime;
  if (options.name.empty() && (options.output.empty() || options.output == "-"))
    options.name = makeIdentifier(llvm::sys::path::stem(flags.input));
  if (options.output.empty()) {
    options.output =
        options.emit == Emit::Library
            ? "lib" + llvm::sys::path::stem(flags.input).str() + ".so"
            : "-";
  }

  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  // What belongs to no place in the program: options, files, the linker.
  ScopedDiagnosticHandler plain(&context, [](Diagnostic &diagnostic) {
    if (!isa<UnknownLoc>(diagnostic.getLocation()))
      return failure();
    llvm::errs() << "error: " << diagnostic << '\n';
    return success();
  });

  CompileStats stats;
  OwningOpRef<mlir::ModuleOp> module =
      readInput(flags.input, context, sources, stats);
  if (!module || failed(compileModule(*module, options, &stats)))
    return 1;
  if (flags.stats)
    printStats(stats);
  // What LibTorch, LLVM and MLIR would take down takes longer than it is worth.
  llvm::outs().flush();
  llvm::sys::Process::Exit(0, /*NoCleanup=*/true);
}
