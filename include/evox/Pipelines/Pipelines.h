//===- Pipelines.h - The stages of compilation ------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_PIPELINES_PIPELINES_H
#define EVOX_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace evox {

/// What the stages can be told. Drivers fill this in; evox-opt takes the same
/// as options of each pipeline.
struct PipelineOptions : public mlir::PassPipelineOptions<PipelineOptions> {
  Option<std::string> rng{
      *this, "rng",
      llvm::cl::desc("Generator of random numbers: torch or philox"),
      llvm::cl::init("torch")};
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("Where it runs: cpu"),
                             llvm::cl::init("cpu")};
  Option<bool> fastMath{
      *this, "fast-math",
      llvm::cl::desc("Allow rewrites that change the rounding"),
      llvm::cl::init(false)};
};

/// State becomes explicit, methods are inlined into the entry points.
void buildToStatePipeline(mlir::OpPassManager &pm, const PipelineOptions &);
/// Ops become kernel calls and fused linalg on tensors.
void buildToLinalgPipeline(mlir::OpPassManager &pm, const PipelineOptions &);
/// Tensors become buffers, linalg becomes loops.
void buildToLoopsPipeline(mlir::OpPassManager &pm, const PipelineOptions &);
/// All becomes the LLVM dialect, with the entry points of the C ABI.
void buildToLLVMPipeline(mlir::OpPassManager &pm, const PipelineOptions &);

/// A stage by name, in the order in which they run.
struct Stage {
  llvm::StringLiteral name, description;
  void (*build)(mlir::OpPassManager &, const PipelineOptions &);
};
llvm::ArrayRef<Stage> getStages();

/// Makes the stages known to evox-opt, with the passes they are made of.
void registerPipelines();

/// All dialects that a program goes through, with the interfaces of their ops.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace evox

#endif // EVOX_PIPELINES_PIPELINES_H
