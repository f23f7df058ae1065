//===- Pipelines.cpp - The stages of compilation --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Pipelines/Pipelines.h"
#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/BufferizationToMemRef/BufferizationToMemRef.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace evox;

static void verify(OpPassManager &pm, StringRef stage) {
  EvoxVerifyStageOptions options;
  options.stage = stage.str();
  pm.addPass(createEvoxVerifyStage(options));
}

static void cleanUp(OpPassManager &pm) {
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createCanonicalizerPass());
  func.addPass(createCSEPass());
}

void evox::buildToStatePipeline(OpPassManager &pm,
                                const PipelineOptions &options) {
  pm.addPass(createEvoxUseState());
  // Bottom-up with a clean-up per function would simplify a callee over and
  // over; all of it is done once, below.
  pm.addPass(createInlinerPass({}, [](OpPassManager &) {}));
  EvoxVmapOptions vmap;
  vmap.rng = options.rng;
  pm.addPass(createEvoxVmap(vmap));
  pm.addPass(createSymbolDCEPass());
  cleanUp(pm);
  pm.nest<func::FuncOp>().addPass(createEvoxFoldChecks());
  pm.addPass(createEvoxHoistInvariants());
  verify(pm, "state");
}

void evox::buildToLinalgPipeline(OpPassManager &pm,
                                 const PipelineOptions &options) {
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createEvoxForwardSlices());
  func.addPass(createConvertEvoxToKernels());
  func.addPass(createConvertElementwiseToLinalgPass());
  func.addPass(createCanonicalizerPass());
  func.addPass(createCSEPass());
  func.addPass(createEvoxFuseElementwise());
  func.addPass(createCanonicalizerPass());
  func.addPass(createCSEPass());
  func.addPass(createEvoxMatmulToKernels());
  func.addPass(createEvoxCountsToKernels());
  if (options.fastMath)
    func.addPass(createEvoxAllowFastMath());
  verify(pm, "linalg");
}

void evox::buildToLoopsPipeline(OpPassManager &pm,
                                const PipelineOptions &options) {
  pm.nest<func::FuncOp>().addPass(createEvoxLowerSwitches());
  pm.nest<func::FuncOp>().addPass(createEvoxOwnYields());
  pm.addPass(createEvoxAddDestinations());
  pm.nest<func::FuncOp>().addPass(createEvoxAnchorLayouts());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.allowReturnAllocsFromLoops = true;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  cleanUp(pm);

  {
    OpPassManager &func = pm.nest<func::FuncOp>();
    func.addPass(createEvoxDropWrittenResults());
    func.addPass(bufferization::createBufferHoistingPass());
    func.addPass(bufferization::createBufferLoopHoistingPass());
    // Few bytes each: the host's threads may have small stacks.
    bufferization::PromoteBuffersToStackPassOptions stack;
    stack.maxAllocSizeInBytes = 256;
    func.addPass(bufferization::createPromoteBuffersToStackPass(stack));
  }
  bufferization::buildBufferDeallocationPipeline(pm);
  pm.nest<func::FuncOp>().addPass(
      bufferization::createOptimizeAllocationLivenessPass());
  pm.addPass(createConvertBufferizationToMemRefPass());
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createEvoxPrepareLoops());
  func.addPass(createEvoxLowerSums());
  func.addPass(createEvoxLowerExtremes());
  func.addPass(createEvoxLinalgToLoops());
  func.addPass(createEvoxExpandMath());
  func.addPass(memref::createFoldMemRefAliasOpsPass());
  func.addPass(createCanonicalizerPass());
  func.addPass(createCSEPass());
  EvoxSplitDrawsOptions splitDraws;
  splitDraws.counterBased = options.rng == "philox";
  func.addPass(createEvoxSplitDraws(splitDraws));
  EvoxParallelizeLoopsOptions parallelize;
  parallelize.drawsAsTask = options.rng == "torch";
  pm.addPass(createEvoxParallelizeLoops(parallelize));
  pm.nest<func::FuncOp>().addPass(createEvoxFlattenRows());
  pm.nest<func::FuncOp>().addPass(createEvoxKeepBuffers());
  verify(pm, "loops");
}

void evox::buildToLLVMPipeline(OpPassManager &pm, const PipelineOptions &) {
  pm.addPass(createEvoxOutlineAngles());
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createLowerAffinePass());
  func.addPass(createSCFToControlFlowPass());
  func.addPass(createEvoxExpandOpenShapes());
  func.addPass(memref::createExpandStridedMetadataPass());
  func.addPass(createLowerAffinePass()); // of the sizes that the last one made
  func.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createConvertEvoxToLLVM());
  pm.addPass(createReconcileUnrealizedCastsPass());
  verify(pm, "llvm");
}

ArrayRef<Stage> evox::getStages() {
  static const Stage stages[] = {
      {"evox-to-state", "State becomes explicit; methods are inlined",
       buildToStatePipeline},
      {"evox-to-linalg", "Ops become kernel calls and fused linalg",
       buildToLinalgPipeline},
      {"evox-to-loops", "Tensors become buffers, linalg becomes loops",
       buildToLoopsPipeline},
      {"evox-to-llvm", "All becomes the LLVM dialect", buildToLLVMPipeline},
  };
  return stages;
}

void evox::registerPipelines() {
  registerEvoxPasses();
  registerEvoxConversionPasses();
  for (const Stage &stage : getStages())
    PassPipelineRegistration<PipelineOptions>(stage.name, stage.description,
                                              stage.build);
}
