//===- PrepareLoops.cpp - Buffers before loops are made -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace evox {
#define GEN_PASS_DEF_EVOXPREPARELOOPS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;

/// Whether `type` has no gaps in memory, so that a copy is one memcpy: what
/// the conversion to LLVM takes for that, which else calls a library.
static bool isContiguous(MemRefType type) {
  return type.getLayout().isIdentity() ||
         (type.hasStaticShape() && type.getNumElements() > 0 &&
          memref::isStaticShapeAndContiguousRowMajor(type));
}

/// Whether `value` is how much memory is taken or how often a loop runs.
static bool isSize(Value value) {
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    return isa<memref::AllocOp, memref::SubViewOp>(user) ||
           (isa<scf::ForOp>(user) && use.getOperandNumber() < 3);
  });
}

/// Hides from LLVM how a size is computed: where that is by a loop it unrolls,
/// such as counting a mask, LLVM's loop strength reduction takes the sum of
/// hundreds of terms apart in all ways, for minutes.
static void hide(arith::IndexCastOp cast) {
  Value size = cast.getIn();
  if (!size.getType().isInteger(64) || !size.getDefiningOp() ||
      isa<arith::ConstantOp>(size.getDefiningOp()))
    return;
  OpBuilder builder(cast);
  auto hidden = LLVM::InlineAsmOp::create(
      builder, cast.getLoc(), size.getType(), size, /*asm_string=*/"",
      /*constraints=*/"=r,0", /*has_side_effects=*/false,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      /*asm_dialect=*/LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr());
  cast.getInMutable().assign(hidden.getResult(0));
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
      if (auto cast = dyn_cast<arith::IndexCastOp>(op)) {
        if (isSize(cast.getOut()))
          hide(cast);
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
