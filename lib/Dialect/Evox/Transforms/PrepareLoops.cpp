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
      auto copy = dyn_cast<memref::CopyOp>(op);
      if (!copy)
        return;
      auto source = dyn_cast<MemRefType>(copy.getSource().getType());
      auto target = dyn_cast<MemRefType>(copy.getTarget().getType());
      if (!source || !target ||
          (isContiguous(source) && isContiguous(target)))
        return;
      OpBuilder builder(op);
      linalg::CopyOp::create(builder, op->getLoc(), copy.getSource(),
                             copy.getTarget());
      op->erase();
    });
  }
};
} // namespace
