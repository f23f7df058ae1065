//===- PrepareLoops.cpp - Buffers before loops are made -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace evox {
#define GEN_PASS_DEF_EVOXPREPARELOOPS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

/// Whether `type` has no gaps in memory, so that a copy is one memcpy.
static bool isContiguous(MemRefType type) {
  return type.getLayout().isIdentity() ||
         type.areTrailingDimsContiguous(type.getRank());
}

namespace {
struct PrepareLoopsPass
    : evox::impl::EvoxPrepareLoopsBase<PrepareLoopsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    Block &entry = func.getBody().front();
    func.walk([&](Operation *op) {
      if (auto alloca = dyn_cast<memref::AllocaOp>(op)) {
        if (alloca.getType().hasStaticShape() && op->getBlock() != &entry)
          op->moveBefore(&entry, entry.begin());
        return;
      }
      if (!isa<memref::CopyOp, linalg::CopyOp>(op))
        return;
      auto source = dyn_cast<MemRefType>(op->getOperand(0).getType());
      auto target = dyn_cast<MemRefType>(op->getOperand(1).getType());
      if (!source || !target)
        return;
      bool oneBlock = isContiguous(source) && isContiguous(target);
      OpBuilder builder(op);
      if (oneBlock && isa<linalg::CopyOp>(op))
        memref::CopyOp::create(builder, op->getLoc(), op->getOperand(0),
                               op->getOperand(1));
      else if (!oneBlock && isa<memref::CopyOp>(op))
        linalg::CopyOp::create(builder, op->getLoc(), op->getOperand(0),
                               op->getOperand(1));
      else
        return;
      op->erase();
    });
  }
};
} // namespace
