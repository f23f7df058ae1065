//===- RowAccesses.cpp - What loops over rows read and write -------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowAccesses.h"
#include "DrawLoops.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace evox;
using namespace evox::rows;

Value rows::rootOf(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

bool rows::isIdentified(Value root) {
  if (auto argument = dyn_cast<BlockArgument>(root)) {
    auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return func && func.isPublic();
  }
  return isa_and_nonnull<memref::AllocOp, memref::AllocaOp,
                         memref::GetGlobalOp>(root.getDefiningOp());
}

bool rows::isDraw(Operation *op) {
  auto call = dyn_cast<KernelCallOp>(op);
  return call && call.getEffects() && !call.getExternal() &&
         call.getKernel().starts_with("random_");
}

KernelCallOp rows::drawOf(scf::ForOp loop) {
  if (!loop->hasAttr(kDrawLoop))
    return nullptr;
  return *loop.getBody()->getOps<KernelCallOp>().begin();
}

bool rows::isBegin(Operation *op) {
  auto call = dyn_cast<KernelCallOp>(op);
  return call && call.getKernel() == "random_uniform_begin";
}

bool rows::collect(Operation *op, SmallVectorImpl<Access> &accesses) {
  auto add = [&](Value memref, bool write, ValueRange indices = {},
                 bool isVector = false) {
    Value root = rootOf(memref);
    if (op->isAncestor(root.getParentRegion()->getParentOp()))
      return;
    Access &access = accesses.emplace_back(Access{root, write, {}, isVector});
    if (root == memref)
      access.indices.assign(indices.begin(), indices.end());
  };
  if (auto loop = dyn_cast<scf::ForOp>(op); loop && loop->hasAttr(kDrawLoop)) {
    KernelCallOp draw = drawOf(loop);
    Value rows = draw.getOutputs()[0], root = rootOf(rows);
    SmallVector<Value> indices(cast<MemRefType>(rows.getType()).getRank(),
                               loop.getInductionVar());
    accesses.push_back({root, true, {indices.begin(), indices.end()}, true});
    accesses.push_back({rootOf(draw.getOutputs()[1]), true, {}, false});
    return true;
  }
  WalkResult result = op->walk([&](Operation *inner) {
    if (auto load = dyn_cast<memref::LoadOp>(inner)) {
      add(load.getMemRef(), false, load.getIndices());
    } else if (auto store = dyn_cast<memref::StoreOp>(inner)) {
      add(store.getMemRef(), true, store.getIndices());
    } else if (auto load = dyn_cast<vector::LoadOp>(inner)) {
      add(load.getBase(), false, load.getIndices(), true);
    } else if (auto store = dyn_cast<vector::StoreOp>(inner)) {
      add(store.getBase(), true, store.getIndices(), true);
    } else if (auto copy = dyn_cast<memref::CopyOp>(inner)) {
      add(copy.getSource(), false);
      add(copy.getTarget(), true);
    } else if (auto call = dyn_cast<KernelCallOp>(inner)) {
      if (call.getEffects() && !(inner == op && isDraw(op)))
        return WalkResult::interrupt();
      for (Value input : call.getInputs())
        add(input, false);
      for (Value output : call.getOutputs())
        add(output, true);
    } else if (isa<memref::AllocOp, memref::AllocaOp>(inner)) {
      if (inner == op)
        return WalkResult::interrupt();
    } else if (auto dealloc = dyn_cast<memref::DeallocOp>(inner)) {
      add(dealloc.getMemref(), true);
    } else if (!inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
               !isMemoryEffectFree(inner)) {
      return WalkResult::interrupt();
    } else if (!isa<ViewLikeOpInterface, memref::DimOp>(inner)) {
      // What loops carry, branches yield and selects choose goes by another
      // name inside, and may be read or written there.
      for (Value operand : inner->getOperands())
        if (isa<BaseMemRefType>(operand.getType()))
          add(operand, true);
    }
    return WalkResult::advance();
  });
  return !result.wasInterrupted();
}

/// `index` is `row` plus a constant: which?
static std::optional<int64_t> offsetFrom(Value index, Value row) {
  if (index == row)
    return 0;
  if (auto apply = index.getDefiningOp<affine::AffineApplyOp>()) {
    AffineMap map = apply.getAffineMap();
    auto sum = dyn_cast<AffineBinaryOpExpr>(map.getResult(0));
    if (apply.getNumOperands() != 1 || apply.getOperand(0) != row || !sum ||
        sum.getKind() != AffineExprKind::Add ||
        !isa<AffineDimExpr, AffineSymbolExpr>(sum.getLHS()))
      return std::nullopt;
    if (auto constant = dyn_cast<AffineConstantExpr>(sum.getRHS()))
      return constant.getValue();
    return std::nullopt;
  }
  if (auto sum = index.getDefiningOp<arith::AddIOp>())
    if (sum.getLhs() == row)
      return getConstantIntValue(sum.getRhs());
  return std::nullopt;
}

bool rows::conflict(const Access &a, const Access &b, Value rowA, Value rowB) {
  if (!a.write && !b.write)
    return false;
  if (a.root != b.root)
    return !isIdentified(a.root) || !isIdentified(b.root);
  if (!rowA || a.indices.size() != b.indices.size())
    return true;
  size_t rank =
      a.indices.size() - ((a.isVector || b.isVector) && !a.indices.empty());
  for (size_t d = 0; d < rank; ++d) {
    std::optional<int64_t> x = offsetFrom(a.indices[d], rowA);
    if (x && x == offsetFrom(b.indices[d], rowB))
      return false;
  }
  return true;
}

bool rows::conflict(ArrayRef<Access> as, ArrayRef<Access> bs, Value rowA,
                    Value rowB) {
  return llvm::any_of(as, [&](const Access &a) {
    return llvm::any_of(
        bs, [&](const Access &b) { return conflict(a, b, rowA, rowB); });
  });
}
