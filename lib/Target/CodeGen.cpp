//===- CodeGen.cpp - LLVM IR to machine code ------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodeGen.h"
#include "evox/Runtime/CpuFeatures.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace llvm;

Expected<std::unique_ptr<TargetMachine>>
evox::createTargetMachine(StringRef cpu) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  InitializeNativeTargetAsmParser(); // of the initial values' `.incbin`
  Triple triple(sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return createStringError(message);

  SubtargetFeatures features;
  if (cpu == "native") {
    cpu = sys::getHostCPUName();
    // The host may lack features of its model, under virtualization say.
    for (const auto &feature : sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
  } else {
    std::unique_ptr<MCSubtargetInfo> info(
        target->createMCSubtargetInfo(triple, "", ""));
    if (!info->isCPUStringValid(cpu))
      return createStringError(
          "'" + cpu.str() + "' is no processor that LLVM knows for " +
          triple.getArchName().str() +
          "; try native, " + (triple.isX86() ? "x86-64-v3" : "generic"));
  }

  TargetOptions options;
  // A product and a sum are rounded one after the other, as PyTorch does.
  options.AllowFPOpFusion = FPOpFusion::Strict;
  options.FunctionSections = options.DataSections = true;
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(
      triple, cpu, features.getString(), options, Reloc::PIC_, std::nullopt,
      CodeGenOptLevel::Aggressive));
}

uint32_t evox::neededFeatures(const TargetMachine &machine) {
  if (!machine.getTargetTriple().isX86())
    return 0;
  const MCSubtargetInfo &info = *machine.getMCSubtargetInfo();
  uint32_t features = 0, bit = 1;
#define EVOX_FEATURE(name, ...)                                                \
  features |= info.checkFeatures("+" name) ? bit : 0;                          \
  bit <<= 1;
  EVOX_X86_FEATURES(EVOX_FEATURE)
#undef EVOX_FEATURE
  return features;
}

/// The vectorizer loads what is read with a stride as one vector of any length.
/// LLVM 22's code generator has no way to split some of these of bfloat ("Do not
/// know how to soft promote this operator's operand", 33 elements for example),
/// but it has of integers.
static void loadBFloatsAsIntegers(Function &function) {
  SmallVector<LoadInst *> loads;
  for (Instruction &i : instructions(function))
    if (auto *load = dyn_cast<LoadInst>(&i))
      if (auto *type = dyn_cast<FixedVectorType>(load->getType()))
        if (type->getElementType()->isBFloatTy() &&
            !isPowerOf2_32(type->getNumElements()))
          loads.push_back(load);
  for (LoadInst *load : loads) {
    IRBuilder<> b(load);
    auto integers = [&](Type *type) {
      return FixedVectorType::get(b.getInt16Ty(),
                                  cast<FixedVectorType>(type)->getNumElements());
    };
    LoadInst *bits = b.CreateAlignedLoad(integers(load->getType()),
                                         load->getPointerOperand(), load->getAlign());
    bits->copyMetadata(*load);
    for (User *user : make_early_inc_range(load->users())) {
      auto *shuffle = dyn_cast<ShuffleVectorInst>(user);
      if (!shuffle || shuffle->getOperand(0) != load ||
          !isa<PoisonValue>(shuffle->getOperand(1)))
        continue;
      b.SetInsertPoint(shuffle);
      shuffle->replaceAllUsesWith(b.CreateBitCast(
          b.CreateShuffleVector(bits, shuffle->getShuffleMask()), shuffle->getType()));
      shuffle->eraseFromParent();
    }
    if (!load->use_empty()) {
      b.SetInsertPoint(load);
      load->replaceAllUsesWith(b.CreateBitCast(bits, load->getType()));
    }
    load->eraseFromParent();
  }
}

void evox::optimize(Module &module, TargetMachine &machine, unsigned level) {
  if (level < 3)
    machine.setOptLevel(level < 2 ? CodeGenOptLevel::Less
                                  : CodeGenOptLevel::Default);
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr(Attribute::NoUnwind);
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    // LLVM's default of 256 is for code that uses vectors now and then.
    function.addFnAttr("prefer-vector-width", "512");
  }
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = true;
  tuning.LoopInterleaving = tuning.LoopUnrolling = true;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine, tuning);
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
