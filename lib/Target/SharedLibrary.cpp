//===- SharedLibrary.cpp - From a module to a library ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Target/SharedLibrary.h"
#include "CodeGen.h"
#include "Linker.h"
#include "ProgramTable.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Pipelines/Pipelines.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include <chrono>

using namespace mlir;
using namespace evox;

namespace {

/// A folder that goes away with everything in it.
class TemporaryFolder {
public:
  llvm::Error create() {
    if (auto error = llvm::sys::fs::createUniqueDirectory("evox", path))
      return llvm::createStringError("no temporary folder can be made: " +
                                     error.message());
    return llvm::Error::success();
  }
  ~TemporaryFolder() {
    if (!path.empty())
      llvm::sys::fs::remove_directories(path);
  }
  std::string file(StringRef name) const {
    SmallString<128> result(path);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  StringRef str() const { return path; }

private:
  SmallString<128> path;
};

class Compilation {
public:
  Compilation(mlir::ModuleOp module, const CompileOptions &options,
              CompileStats *stats)
      : module(module), options(options), stats(stats),
        start(std::chrono::steady_clock::now()) {}
  LogicalResult run();

private:
  LogicalResult fail(const Twine &message) {
    return emitError(UnknownLoc::get(module.getContext())) << message;
  }
  LogicalResult fail(llvm::Error error) {
    return fail(llvm::toString(std::move(error)));
  }
  /// The time since the last stage was this stage's.
  void endStage(StringRef name) {
    auto now = std::chrono::steady_clock::now();
    if (stats)
      stats->seconds.emplace_back(
          name.str(), std::chrono::duration<double>(now - start).count());
    start = now;
  }
  LogicalResult write(StringRef path,
                      llvm::function_ref<LogicalResult(raw_ostream &)> body);
  LogicalResult printModule() {
    return write(options.output, [&](raw_ostream &os) {
      module->print(os);
      os << '\n'; // as evox-opt does
      return success();
    });
  }
  LogicalResult lower();
  LogicalResult checkOptions();
  LogicalResult toMachineCode();
  LogicalResult makeLibrary(StringRef code);

  mlir::ModuleOp module;
  const CompileOptions &options;
  CompileStats *stats;
  llvm::Triple triple;
  std::vector<VariantInfo> variants;
  ProgramInfo program;
  TemporaryFolder folder;
  std::chrono::steady_clock::time_point start;
};

} // namespace

void evox::registerCompilerDialects(DialectRegistry &registry) {
  registerDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// Writes beside `path` and renames, so that `path` is whole or not there.
LogicalResult
Compilation::write(StringRef path,
                   llvm::function_ref<LogicalResult(raw_ostream &)> body) {
  llvm::Error error = llvm::writeToOutput(path, [&](raw_ostream &os) {
    return succeeded(body(os)) ? llvm::Error::success()
                               : llvm::createStringError("");
  });
  if (!error)
    return success();
  std::string text = llvm::toString(std::move(error));
  return text.empty() ? failure() : fail("'" + path + "': " + text);
}

LogicalResult Compilation::checkOptions() {
  if (options.rng != "torch" && options.rng != "philox")
    return fail("--rng=" + options.rng + ": expected torch or philox");
  if (options.target != "cpu")
    return fail("--target=" + options.target + ": expected cpu");
  auto parsedTriple = parseTriple(options.triple);
  if (!parsedTriple)
    return fail(parsedTriple.takeError());
  triple = *parsedTriple;
  auto parsedVariants = parseVariants(options.cpu, triple);
  if (!parsedVariants)
    return fail(parsedVariants.takeError());
  variants = std::move(*parsedVariants);
  if (options.output.empty())
    return fail("no output file is given; use -o");
  if (options.emit == Emit::Library && options.output == "-")
    return fail("a library cannot be written to the standard output");
  return success();
}

/// Runs the stages of the pipeline up to the one that `emit` asks for.
LogicalResult Compilation::lower() {
  PipelineOptions pipelineOptions;
  pipelineOptions.rng = options.rng;
  pipelineOptions.target = options.target;
  pipelineOptions.fastMath = options.fastMath;
  const Emit after[] = {Emit::State, Emit::Linalg, Emit::Loops, Emit::LLVM};
  for (auto [stage, emit] : llvm::zip_equal(getStages(), after)) {
    PassManager passes(module.getContext(), mlir::ModuleOp::getOperationName());
    passes.enableVerifier(false); // once a stage is enough
    stage.build(passes, pipelineOptions);
    if (failed(passes.run(module)) || failed(verify(module)))
      return failure();
    endStage(stage.name);
    if (emit == Emit::State) {
      FailureOr<ProgramInfo> info = ProgramInfo::get(module);
      if (failed(info))
        return failure();
      program = std::move(*info);
      program.name = options.name;
      if (program.name.empty()) {
        StringRef stem = llvm::sys::path::stem(options.output);
        stem.consume_front("lib");
        program.name = makeIdentifier(stem);
      }
      program.rng = options.rng;
      program.target = options.target;
      program.fastMath = options.fastMath;
      program.triple = triple.str();
      program.variants = std::move(variants);
    }
    if (options.emit == emit && emit != Emit::LLVM)
      return printModule();
  }
  return success();
}

LogicalResult Compilation::makeLibrary(StringRef code) {
  if (auto error = folder.create())
    return fail(std::move(error));
  std::string object = folder.file("program.o");
  if (failed(write(object, [&](raw_ostream &os) {
        os << code;
        return success();
      })))
    return failure();

  LinkJob job;
  job.objects.push_back(object);
  job.folder = folder.str().str();
  job.name = program.name;
  job.triple = triple;
  job.usesLapack = program.usesLapack;
  job.sysroot = options.sysroot;
  job.runtimeFolder = options.runtimeFolder;
  if (job.runtimeFolder.empty()) {
    static int here;
    SmallString<128> path(llvm::sys::path::parent_path(
        llvm::sys::fs::getMainExecutable(nullptr, &here)));
    llvm::sys::path::append(path, "..", "lib");
    // Of another architecture: a folder further down, named as Debian's.
    if (triple.getArch() != llvm::Triple(LLVM_HOST_TRIPLE).getArch())
      llvm::sys::path::append(path, getMultiarch(triple));
    job.runtimeFolder = path.str().str();
  }
  // Linked beside the output and renamed, as others may have it open.
  job.output = options.output + ".part";
  job.soname = llvm::sys::path::filename(options.output).str();
  llvm::Error error = link(job);
  if (!error)
    endStage("linking");
  if (!error && program.state.size()) {
    error = appendBlob(job.output, program.state);
    endStage("initial state");
  }
  if (error) {
    llvm::sys::fs::remove(job.output);
    return fail(std::move(error));
  }
  if (auto error = llvm::sys::fs::rename(job.output, options.output))
    return fail("'" + options.output + "': " + error.message());
  if (stats) {
    uint64_t size = 0;
    llvm::sys::fs::file_size(options.output, size);
    stats->bytes.emplace_back("library", size);
    stats->bytes.emplace_back("initial state", program.state.size());
  }
  return success();
}

/// What LLVM cannot know of the run-time library.
static void annotateRuntime(llvm::Module &code) {
  for (llvm::Function &function : code) {
    if (!function.getName().starts_with("evox_") || !function.isDeclaration())
      continue;
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (function.getName() == "evox_rt_fail") {
      function.addFnAttr(llvm::Attribute::NoReturn);
      function.addFnAttr(llvm::Attribute::Cold);
    } else if (function.getName() == "evox_rt_alloc") {
      function.addRetAttr(llvm::Attribute::NoAlias);
      function.addRetAttr(llvm::Attribute::getWithAlignment(
          code.getContext(), llvm::Align(64)));
    }
  }
}

LogicalResult Compilation::toMachineCode() {
  auto machine = createTargetMachine(triple);
  if (!machine)
    return fail(machine.takeError());
  for (auto state : llvm::make_early_inc_range(module.getOps<evox::ModuleOp>()))
    state.erase(); // ProgramInfo keeps what is needed of it

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(module, context, program.name);
  if (!code)
    return fail("the program cannot be translated to LLVM IR");
  code->setDataLayout((*machine)->createDataLayout());
  code->setTargetTriple((*machine)->getTargetTriple());
  makeVariants(*code, program);
  addProgramTable(*code, program);
  annotateRuntime(*code);
  endStage("LLVM IR");
  optimize(*code, **machine, options.optimization);
  endStage("LLVM optimization");
  if (options.emit == Emit::LLVM)
    return write(options.output, [&](raw_ostream &os) {
      code->print(os, nullptr);
      return success();
    });

  if (program.state.size() && options.emit != Emit::Assembly) {
    if (failed(program.state.check()))
      return failure();
    code->appendModuleInlineAsm(makeBlobAssembly(program.state.size()));
  }
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (auto error = emitCode(*code, **machine,
                            options.emit == Emit::Assembly
                                ? llvm::CodeGenFileType::AssemblyFile
                                : llvm::CodeGenFileType::ObjectFile,
                            stream))
    return fail(std::move(error));
  endStage("machine code");
  if (options.emit == Emit::Library)
    return makeLibrary(stream.str());
  if (options.emit == Emit::Object && program.state.size()) {
    llvm::Expected<int64_t> gap = placeBlob(bytes);
    if (!gap)
      return fail(gap.takeError());
    bytes.append(*gap, 0);
  }
  return write(options.output, [&](raw_ostream &os) {
    os << stream.str();
    if (options.emit == Emit::Object)
      program.state.write(os);
    return success();
  });
}

LogicalResult Compilation::run() {
  if (failed(checkOptions()))
    return failure();
  if (options.emit == Emit::Evox)
    return printModule();
  if (failed(lower()))
    return failure();
  if (options.emit >= Emit::LLVM && failed(toMachineCode()))
    return failure();
  if (options.header.empty())
    return success();
  return write(options.header, [&](raw_ostream &os) {
    os << makeHeader(program);
    return success();
  });
}

LogicalResult evox::compileModule(mlir::ModuleOp module,
                                  const CompileOptions &options,
                                  CompileStats *stats) {
  return Compilation(module, options, stats).run();
}
