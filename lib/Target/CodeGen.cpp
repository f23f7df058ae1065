//===- CodeGen.cpp - LLVM IR to machine code ------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodeGen.h"
#include "AngleFunctions.h"
#include "BFloats.h"
#include "evox/Runtime/CpuFeatures.h"
#include "llvm-c/Target.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/Transforms/IPO/MergeFunctions.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;
using namespace evox;

Expected<Triple> evox::parseTriple(StringRef text) {
  Triple triple(Triple::normalize(text.empty() ? sys::getDefaultTargetTriple()
                                               : text.str()));
  if (triple.getOS() == Triple::UnknownOS) { // the architecture alone
    triple.setOS(Triple::Linux);
    triple.setEnvironment(Triple::GNU);
  }
  bool isKnown = triple.getArch() == Triple::x86_64 ||
                 triple.getArch() == Triple::aarch64;
  if (!isKnown || !triple.isOSLinux() || !triple.isOSBinFormatELF() ||
      !triple.isArch64Bit() || triple.isX32())
    return createStringError("--triple=" + text.str() +
                             ": expected x86_64-linux-gnu or "
                             "aarch64-linux-gnu");
  return triple;
}

static Expected<const Target *> findTarget(const Triple &triple) {
  // With the parser of assembly, for the initial values' section.
  if (triple.isAArch64()) {
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  } else {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  }
  std::string message;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return createStringError(message);
  return target;
}

Expected<std::unique_ptr<TargetMachine>>
evox::createTargetMachine(const Triple &triple) {
  Expected<const Target *> target = findTarget(triple);
  if (!target)
    return target.takeError();
  TargetOptions options;
  // A product and a sum are rounded one after the other, as PyTorch does.
  options.AllowFPOpFusion = FPOpFusion::Strict;
  options.FunctionSections = options.DataSections = true;
  return std::unique_ptr<TargetMachine>((*target)->createTargetMachine(
      triple, triple.isX86() ? "x86-64" : "generic", "", options, Reloc::PIC_,
      std::nullopt, CodeGenOptLevel::Aggressive));
}

//===-- processors --------------------------------------------------------===//

/// x86 has those of 32 bits too.
static bool isProcessorOf(const Triple &triple, const MCSubtargetInfo &info) {
  return !triple.isX86() || info.checkFeatures("+64bit");
}

Expected<std::vector<std::string>> evox::getProcessors(const Triple &triple) {
  Expected<const Target *> target = findTarget(triple);
  if (!target)
    return target.takeError();
  std::unique_ptr<MCSubtargetInfo> all(
      (*target)->createMCSubtargetInfo(triple, "", ""));
  std::vector<std::string> names;
  for (const auto &processor : all->getAllProcessorDescriptions()) {
    std::unique_ptr<MCSubtargetInfo> info(
        (*target)->createMCSubtargetInfo(triple, processor.Key, ""));
    if (isProcessorOf(triple, *info))
      names.push_back(processor.Key);
  }
  return names;
}

static Expected<VariantInfo> parseVariant(StringRef name, const Triple &triple,
                                          const Target &target) {
  std::string option = "--cpu=" + name.str() + ": ";
  std::string arch = Triple::getArchTypeName(triple.getArch()).str();
  VariantInfo variant;
  variant.cpu = name;
  if (name == "native") {
    Triple host(sys::getProcessTriple());
    if (host.getArch() != triple.getArch())
      return createStringError(
          option + "the library is for " + arch + ", and this is a machine of " +
          Triple::getArchTypeName(host.getArch()).str());
    variant.cpu = sys::getHostCPUName();
    // The host may lack features of its model, under virtualization say.
    SubtargetFeatures features;
    for (const auto &feature : sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
    variant.features = features.getString();
  }
  std::unique_ptr<MCSubtargetInfo> info(
      target.createMCSubtargetInfo(triple, "", ""));
  if (name != "native" && !info->isCPUStringValid(name))
    return createStringError(option +
                             "no processor that LLVM knows for " + arch +
                             " has this name; try " +
                             (triple.isX86() ? "x86-64-v3" : "generic") +
                             ", and --cpu=help for a list");
  info.reset(target.createMCSubtargetInfo(triple, variant.cpu,
                                          variant.features));
  if (!isProcessorOf(triple, *info))
    return createStringError(option + "a processor of 32 bits");

  if (triple.isX86())
    variant.vectorBytes = info->checkFeatures("+avx512f") ? 64
                          : info->checkFeatures("+avx")   ? 32
                                                          : 16;
  uint64_t bit = 1;
#define EVOX_FEATURE(name, ...)                                                \
  if (info->checkFeatures("+" name)) {                                         \
    variant.needs |= bit;                                                      \
    variant.neededNames.push_back(name);                                       \
  }                                                                            \
  bit <<= 1;
  if (triple.isX86()) {
    EVOX_X86_FEATURES(EVOX_FEATURE)
  } else {
    EVOX_AARCH64_FEATURES(EVOX_FEATURE)
  }
#undef EVOX_FEATURE
  return variant;
}

Expected<std::vector<VariantInfo>> evox::parseVariants(StringRef list,
                                                       const Triple &triple) {
  Expected<const Target *> target = findTarget(triple);
  if (!target)
    return target.takeError();
  if (list.empty()) {
    bool isHost = Triple(sys::getProcessTriple()).getArch() == triple.getArch();
    list = isHost ? "native" : triple.isX86() ? "x86-64" : "generic";
  }
  std::vector<VariantInfo> variants;
  SmallVector<StringRef> names;
  list.split(names, ',');
  for (StringRef name : names) {
    name = name.trim();
    if (name.empty())
      return createStringError("--cpu=" + list.str() +
                               ": a name is missing beside a comma");
    Expected<VariantInfo> variant = parseVariant(name, triple, **target);
    if (!variant)
      return variant.takeError();
    for (const VariantInfo &other : variants)
      if (other.cpu == variant->cpu)
        return createStringError(
            "--cpu=" + list.str() + ": " + variant->cpu + " is there twice" +
            (is_contained(names, "native") ? " (native is " +
                                                 sys::getHostCPUName().str() +
                                                 " here)"
                                           : ""));
    // One that needs all that another does and more comes before it.
    auto at = find_if(variants, [&](const VariantInfo &other) {
      return popcount(other.needs) < popcount(variant->needs);
    });
    variants.insert(at, std::move(*variant));
  }
  return variants;
}

//===-- variants ----------------------------------------------------------===//

std::string evox::getVariantSymbol(const ProgramInfo &program, size_t variant,
                                   StringRef symbol) {
  if (program.variants.size() == 1)
    return symbol.str();
  return (symbol + "." + program.variants[variant].cpu).str();
}

static void setProcessor(Function &function, const VariantInfo &variant) {
  std::string features = variant.features;
  // LLVM makes vectors of rows of a loop over few columns, by gathers and
  // scatters, which take longer than the numbers one by one.
  if (function.getParent()->getTargetTriple().isX86())
    features += features.empty() ? "+prefer-no-gather,+prefer-no-scatter"
                                 : ",+prefer-no-gather,+prefer-no-scatter";
  function.addFnAttr("target-cpu", variant.cpu);
  function.addFnAttr("target-features", features);
  // LLVM's default of 256 is for code that uses vectors now and then.
  function.addFnAttr("prefer-vector-width", "512");
}

void evox::makeVariants(Module &module, const ProgramInfo &program) {
  SmallVector<Function *> originals;
  for (Function &function : module)
    if (!function.isDeclaration())
      originals.push_back(&function);
  // The first variant is made of the originals, when they have been copied.
  for (size_t i = program.variants.size(); i-- > 0;) {
    ValueToValueMapTy map;
    SmallVector<Function *> made = originals;
    for (Function *&function : made) {
      std::string name = getVariantSymbol(program, i, function->getName());
      Function *original = function;
      if (i == 0) {
        function->setName(name);
        continue;
      }
      function = Function::Create(original->getFunctionType(),
                                  original->getLinkage(),
                                  original->getAddressSpace(), name, &module);
      map[original] = function;
      for (auto [from, to] : zip_equal(original->args(), function->args()))
        map[&from] = &to;
    }
    for (auto [original, copy] : zip_equal(originals, made)) {
      SmallVector<ReturnInst *> returns;
      if (i != 0)
        CloneFunctionInto(copy, original, map,
                          CloneFunctionChangeType::LocalChangesOnly, returns);
      setProcessor(*copy, program.variants[i]);
    }
  }
  annotateAngleFunctions(module, program);
}

//===-- code --------------------------------------------------------------===//

namespace {
/// LLVM unrolls an outer loop whose trip count it knows where the loops in it
/// look small, but it vectorizes these and unrolls them too, each copy on its
/// own: code by the thousand instructions, for nothing.
struct KeepOuterLoops : PassInfoMixin<KeepOuterLoops> {
  PreservedAnalyses run(Loop &loop, LoopAnalysisManager &,
                        LoopStandardAnalysisResults &, LPMUpdater &) {
    // What was to be unrolled of the loops in it already is.
    if (!loop.isInnermost())
      loop.setLoopAlreadyUnrolled();
    return PreservedAnalyses::all();
  }
};
} // namespace

/// In blocks of thousands of instructions LLVM's vectorizer of straight code takes
/// most of the time that compiling takes; with a tenth of its budget it finds the
/// same.
static void limitBlockVectorizer() {
  auto &options = cl::getRegisteredOptions();
  auto found = options.find("slp-schedule-budget");
  if (found != options.end() && !found->second->getNumOccurrences())
    found->second->addOccurrence(0, found->first, "10000");
}

void evox::optimize(Module &module, TargetMachine &machine, unsigned level) {
  if (level < 3)
    machine.setOptLevel(level < 2 ? CodeGenOptLevel::Less
                                  : CodeGenOptLevel::Default);
  for (Function &function : module)
    if (!function.isDeclaration()) {
      function.addFnAttr(Attribute::NoUnwind);
      expandBFloats(function);
      if (function.hasLocalLinkage())
        function.setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    }
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = true;
  tuning.LoopInterleaving = tuning.LoopUnrolling = true;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  limitBlockVectorizer();
  PassBuilder builder(&machine, tuning);
  builder.registerLateLoopOptimizationsEPCallback(
      [](LoopPassManager &passes, OptimizationLevel) {
        passes.addPass(KeepOuterLoops());
      });
  // A program's phases, and its first step and the others, have much in common.
  builder.registerPipelineStartEPCallback(
      [](ModulePassManager &passes, OptimizationLevel) {
        passes.addPass(MergeFunctionsPass());
      });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder
      .buildPerModuleDefaultPipeline(level < 2   ? OptimizationLevel::O1
                                     : level < 3 ? OptimizationLevel::O2
                                                 : OptimizationLevel::O3)
      .run(module, modules);
  for (Function &function : module)
    loadBFloatsAsIntegers(function);
}

Error evox::emitCode(Module &module, TargetMachine &machine,
                     CodeGenFileType type, raw_pwrite_stream &stream) {
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return createStringError("LLVM cannot write this kind of file for " +
                             machine.getTargetTriple().str());
  passes.run(module);
  return Error::success();
}
