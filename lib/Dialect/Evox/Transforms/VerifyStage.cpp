//===- VerifyStage.cpp - What a stage must leave behind -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSwitch.h"

namespace evox {
#define GEN_PASS_DEF_EVOXVERIFYSTAGE
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Each returns why `op` may not be there, or an empty text.
using Check = StringRef (*)(Operation *op);

static StringRef checkState(Operation *op) {
  return isa<FuncOp, ReturnOp, CallOp, LoadOp, StoreOp, IfOp, SwitchOp, WhileOp,
             ConditionOp, YieldOp>(op)
             ? "state must be explicit here"
             : "";
}

static StringRef checkLinalg(Operation *op) {
  return isa_and_nonnull<EvoxDialect>(op->getDialect()) &&
                 !isa<evox::ModuleOp, StateOp, KernelCallOp, AssertOp,
                      ListAppendOp, ListClearOp, ListSizeOp, ListGetOp>(op)
             ? "it must be a kernel call or ops on tensors here"
             : "";
}

static StringRef checkLoops(Operation *op) {
  if (StringRef why = checkLinalg(op); !why.empty())
    return why;
  if (isa_and_nonnull<linalg::LinalgDialect, tensor::TensorDialect,
                      bufferization::BufferizationDialect>(op->getDialect()))
    return "it must be loops over buffers here";
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  if (llvm::any_of(op->getOperandTypes(), isTensor) ||
      llvm::any_of(op->getResultTypes(), isTensor))
    return "tensors must be buffers here";
  return "";
}

static StringRef checkLLVM(Operation *op) {
  return isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect()) ||
                 isa<mlir::ModuleOp, evox::ModuleOp, StateOp>(op)
             ? ""
             : "only the LLVM dialect may be left here";
}

namespace {
struct VerifyStagePass : evox::impl::EvoxVerifyStageBase<VerifyStagePass> {
  using Base::Base;

  void runOnOperation() override {
    Check check = llvm::StringSwitch<Check>(stage)
                      .Case("state", checkState)
                      .Case("linalg", checkLinalg)
                      .Case("loops", checkLoops)
                      .Case("llvm", checkLLVM)
                      .Default(nullptr);
    if (!check) {
      emitError(getOperation().getLoc())
          << "evox-verify-stage has no stage '" << stage
          << "'; it has state, linalg, loops and llvm";
      return signalPassFailure();
    }
    llvm::SmallPtrSet<void *, 8> reported;
    getOperation().walk([&](Operation *op) {
      StringRef why = check(op);
      if (!why.empty() &&
          reported.insert(op->getName().getAsOpaquePointer()).second)
        op->emitOpError("is left after stage '") << stage << "': " << why;
    });
    if (!reported.empty())
      signalPassFailure();
  }
};
} // namespace
