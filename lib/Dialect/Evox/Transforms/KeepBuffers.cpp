//===- KeepBuffers.cpp - Memory that the calls of a run share -------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace evox {
#define GEN_PASS_DEF_EVOXKEEPBUFFERS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Bytes of a buffer, or -1 where it cannot be kept.
static int64_t getKeptBytes(memref::AllocOp op) {
  MemRefType type = op.getType();
  if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrFloat() ||
      op.getAlignment().value_or(64) > 64)
    return -1;
  // The code itself gives it back, always.
  bool isFreed = false;
  for (Operation *user : op->getUsers()) {
    if (isa<func::ReturnOp>(user))
      return -1;
    if (!isa<memref::DeallocOp>(user))
      continue;
    if (user->getBlock() != op->getBlock())
      return -1;
    isFreed = true;
  }
  return isFreed ? type.getNumElements() *
                       llvm::divideCeil(type.getElementTypeBitWidth(), 8)
                 : -1;
}

namespace {
struct KeepBuffersPass : evox::impl::EvoxKeepBuffersBase<KeepBuffersPass> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    // Phases that lead elsewhere too: mostly it is the same code.
    if (func.isExternal() || !canBeRun(func))
      return;
    OpBuilder builder(func.getContext());
    int64_t left = total;
    int32_t index = 0;
    for (auto op : llvm::make_early_inc_range(
             func.getBody().front().getOps<memref::AllocOp>())) {
      int64_t bytes = getKeptBytes(op);
      if (bytes < 0 || bytes > largest || bytes > left)
        continue;
      left -= bytes;
      unsigned number = func.getNumArguments();
      (void)func.insertArgument(
          number, op.getType(),
          builder.getDictionaryAttr(builder.getNamedAttr(
              attr::kKept, builder.getI32IntegerAttr(index++))),
          op.getLoc());
      for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
        if (isa<memref::DeallocOp>(user))
          user->erase();
      op.replaceAllUsesWith(Value(func.getArgument(number)));
      op.erase();
    }
  }
};
} // namespace
