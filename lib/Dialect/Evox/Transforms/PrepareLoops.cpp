//===- PrepareLoops.cpp - Buffers before loops are made -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
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
using namespace evox;

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

//===----------------------------------------------------------------------===//
// Pieces in their place
//===----------------------------------------------------------------------===//

namespace {
/// A box in a buffer, along its dimensions.
struct Box {
  SmallVector<int64_t> first, sizes;

  bool meets(const Box &other) const {
    for (size_t i = 0; i < first.size(); ++i)
      if (first[i] + sizes[i] <= other.first[i] ||
          other.first[i] + other.sizes[i] <= first[i])
        return false;
    return true;
  }
};
} // namespace

/// What a view is of, where that is known.
static std::optional<Box> boxOf(memref::SubViewOp view) {
  auto known = [](ArrayRef<int64_t> values) {
    return llvm::none_of(values, ShapedType::isDynamic);
  };
  if (!known(view.getStaticOffsets()) || !known(view.getStaticSizes()) ||
      !llvm::all_of(view.getStaticStrides(),
                    [](int64_t stride) { return stride == 1; }))
    return std::nullopt;
  return Box{llvm::to_vector(view.getStaticOffsets()),
             llvm::to_vector(view.getStaticSizes())};
}

/// Whether `user` writes into `buffer`; nothing where that is not known.
static std::optional<bool> writes(Operation *user, Value buffer) {
  if (isa<memref::LoadOp>(user))
    return false;
  if (!isa<linalg::LinalgOp, KernelCallOp, memref::CopyOp>(user))
    return std::nullopt;
  if (auto copy = dyn_cast<memref::CopyOp>(user))
    return copy.getTarget() == buffer;
  auto outputs = isa<KernelCallOp>(user)
                     ? ValueRange(cast<KernelCallOp>(user).getOutputs())
                     : ValueRange(cast<linalg::LinalgOp>(user).getDpsInits());
  return llvm::is_contained(outputs, buffer);
}

/// Does nobody else look at the box of `whole` where `copy` puts `piece` while
/// the piece is made, nor write into it while the piece is used?
static bool isFreeFor(memref::AllocOp piece, Operation *copy,
                      memref::AllocOp whole, const Box &box) {
  Block *block = copy->getBlock();
  Operation *lastUse = copy;
  for (Operation *user : piece->getUsers()) {
    Operation *top = block->findAncestorOpInBlock(*user);
    if (user == copy || (isa<memref::DeallocOp>(user) && user == top))
      continue;
    std::optional<bool> written = writes(user, piece);
    if (!top || !written || (*written && copy->isBeforeInBlock(top)))
      return false;
    if (lastUse->isBeforeInBlock(top))
      lastUse = top;
  }
  SmallVector<std::pair<Value, bool>> views{{whole.getResult(), true}};
  for (size_t i = 0; i < views.size(); ++i) {
    auto [view, mayMeet] = views[i];
    for (Operation *user : view.getUsers()) {
      if (user == copy)
        continue;
      Operation *top = block->findAncestorOpInBlock(*user);
      if (!top)
        return false;
      if (auto part = dyn_cast<memref::SubViewOp>(user)) {
        bool meets = mayMeet;
        if (view == whole)
          if (std::optional<Box> other = boxOf(part))
            meets = box.meets(*other);
        views.push_back({part, meets});
        continue;
      }
      if (isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(user)) {
        views.push_back({user->getResult(0), mayMeet});
        continue;
      }
      if (isa<memref::DeallocOp>(user) && user == top) {
        if (!lastUse->isBeforeInBlock(top))
          return false;
        continue;
      }
      if (!mayMeet)
        continue;
      if (!copy->isBeforeInBlock(top))
        return false;
      std::optional<bool> written = writes(user, view);
      if (written.value_or(true) && !lastUse->isBeforeInBlock(top))
        return false;
    }
  }
  return true;
}

/// What is copied into its place in a larger array, as concatenation does with
/// each of its parts, is made there. Bufferization sees to that only where
/// nobody reads the part any more.
static void placePieces(func::FuncOp func) {
  SmallVector<Operation *> copies;
  func.walk([&](Operation *op) {
    if (isa<memref::CopyOp, linalg::CopyOp>(op))
      copies.push_back(op);
  });
  for (Operation *copy : copies) {
    auto piece = copy->getOperand(0).getDefiningOp<memref::AllocOp>();
    auto place = copy->getOperand(1).getDefiningOp<memref::SubViewOp>();
    auto whole =
        place ? place.getSource().getDefiningOp<memref::AllocOp>() : nullptr;
    if (!piece || !whole || piece->getNumOperands() || whole->getNumOperands() ||
        piece == whole || piece->getBlock() != copy->getBlock() ||
        whole->getBlock() != copy->getBlock() ||
        piece.getType().getShape() != place.getType().getShape() ||
        !piece.getType().getLayout().isIdentity() ||
        !isContiguous(place.getType()))
      continue;
    std::optional<Box> box = boxOf(place);
    if (!box || !isFreeFor(piece, copy, whole, *box))
      continue;
    if (piece->isBeforeInBlock(whole))
      whole->moveBefore(piece);
    OpBuilder builder(piece);
    Value made = builder.clone(*place)->getResult(0);
    for (Operation *user : llvm::make_early_inc_range(piece->getUsers()))
      if (user == copy || isa<memref::DeallocOp>(user))
        user->erase();
    piece.getResult().replaceAllUsesWith(made);
    piece.erase();
  }
}

namespace {
struct PrepareLoopsPass
    : evox::impl::EvoxPrepareLoopsBase<PrepareLoopsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    placePieces(func);
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
