//===- CallsInRegions.cpp - State that loops and branches carry -----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A loop carries the state that it changes as a value. Where calls in it look
// at that state, it goes through its slot instead: stored before the loop and
// at the end of its body, loaded at the start of the body and after the loop.
// A branch stores it at its end. That holds for any value and any slot that is
// stored again before the entry point ends; which slot is apt, the placeholders
// of calls tell.

#include "Calls.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

namespace {

using Slots = llvm::SmallDenseSet<Attribute>;

class Carrier {
public:
  Carrier(Interpreter &in, ArrayRef<SymbolRefAttr> slots,
          llvm::function_ref<StateOp(Attribute)> slotOf, MLIRContext *context)
      : in(in), slots(slots), slotOf(slotOf), builder(context) {}
  void run(Block &block, const Slots &mayStore);

private:
  Slots slotsOfCalls(Operation *op);
  Attribute labelOf(mlir::Value v, llvm::function_ref<bool(Attribute)> isApt);
  Operation *convert(Operation *op, const Slots &mayStore, Slots &carried);

  Interpreter &in;
  ArrayRef<SymbolRefAttr> slots;
  llvm::function_ref<StateOp(Attribute)> slotOf;
  OpBuilder builder;
};

} // namespace

/// The slots that the placeholders within `op` speak of.
Slots Carrier::slotsOfCalls(Operation *op) {
  Slots out;
  op->walk([&](CallOp call) {
    const Interpreter::KeptCall &kept = in.keptCalls[keptNumber(call)];
    for (int number : call->hasAttr(kCallEnd) ? kept.after : kept.before)
      if (slots[number])
        out.insert(slots[number]);
  });
  return out;
}

/// A slot that holds `v` somewhere.
Attribute Carrier::labelOf(mlir::Value v, llvm::function_ref<bool(Attribute)> isApt) {
  for (OpOperand &use : v.getUses()) {
    Attribute slot;
    if (auto store = dyn_cast<StoreOp>(use.getOwner()))
      slot = store.getSlot();
    else if (std::optional<int> number = in.stateNumber(use))
      slot = slots[*number];
    if (slot && isApt(slot))
      return slot;
  }
  return {};
}

Operation *Carrier::convert(Operation *op, const Slots &mayStore, Slots &carried) {
  auto loop = dyn_cast<scf::ForOp>(op);
  auto whileOp = dyn_cast<WhileOp>(op);
  auto branch = dyn_cast<IfOp>(op);
  if (!loop && !whileOp && !branch)
    return op;
  Slots spokenOf = slotsOfCalls(op);
  if (spokenOf.empty())
    return op;
  ValueRange inits = loop ? ValueRange(loop.getInitArgs())
                     : whileOp ? ValueRange(whileOp.getInits()) : ValueRange();
  // The blocks that end in a yield, and the arguments of a loop's body.
  SmallVector<Block *> blocks;
  ValueRange arguments;
  if (branch) {
    blocks = {&branch.getThenRegion().front(), &branch.getElseRegion().front()};
  } else {
    blocks = {loop ? loop.getBody() : &whileOp.getAfter().front()};
    arguments = ValueRange(blocks[0]->getArguments()).drop_front(loop ? 1 : 0);
  }
  // The test of a loop only passes on what it gets.
  Block *test = whileOp ? &whileOp.getBefore().front() : nullptr;
  Operation *condition = test ? test->getTerminator() : nullptr;
  if (test && !llvm::equal(ValueRange(condition->getOperands()).drop_front(),
                           ValueRange(test->getArguments())))
    return op;

  llvm::BitVector isCarried(op->getNumResults());
  SmallVector<Attribute> slotAt(op->getNumResults());
  for (unsigned k = 0; k < op->getNumResults(); ++k) {
    mlir::Value result = op->getResult(k);
    auto isApt = [&](Attribute slot) {
      return mayStore.contains(slot) && spokenOf.contains(slot) && !carried.contains(slot) &&
             slotOf(slot) && slotOf(slot).canHold(result.getType());
    };
    if (test && llvm::any_of(test->getArgument(k).getUsers(),
                             [&](Operation *user) { return user != condition; }))
      continue;
    SmallVector<mlir::Value> values = {result};
    if (!arguments.empty())
      values.push_back(arguments[k]);
    for (Block *block : blocks)
      values.push_back(block->getTerminator()->getOperand(k));
    Attribute slot;
    for (mlir::Value v : values)
      if (!slot)
        slot = labelOf(v, isApt);
    if (!slot)
      continue;
    isCarried.set(k);
    slotAt[k] = slot;
    carried.insert(slot);
  }
  if (isCarried.none())
    return op;

  Location loc = op->getLoc();
  for (unsigned k : isCarried.set_bits()) {
    auto slot = cast<SymbolRefAttr>(slotAt[k]);
    Type type = op->getResult(k).getType();
    if (!branch) {
      builder.setInsertionPoint(op);
      StoreOp::create(builder, loc, inits[k], slot);
      builder.setInsertionPointToStart(blocks[0]);
      arguments[k].replaceAllUsesWith(LoadOp::create(builder, loc, type, slot));
    }
    for (Block *block : blocks) {
      builder.setInsertionPoint(block->getTerminator());
      StoreOp::create(builder, loc, block->getTerminator()->getOperand(k), slot);
    }
    builder.setInsertionPointAfter(op);
    op->getResult(k).replaceAllUsesWith(LoadOp::create(builder, loc, type, slot));
  }
  SmallVector<mlir::Value> others;
  SmallVector<Type> types;
  for (unsigned k = 0; k < op->getNumResults(); ++k)
    if (!isCarried[k]) {
      types.push_back(op->getResult(k).getType());
      if (!branch)
        others.push_back(inits[k]);
    }
  builder.setInsertionPoint(op);
  Operation *newOp;
  if (loop)
    newOp = scf::ForOp::create(builder, loc, loop.getLowerBound(), loop.getUpperBound(),
                               loop.getStep(), others);
  else if (whileOp)
    newOp = WhileOp::create(builder, loc, types, others);
  else
    newOp = IfOp::create(builder, loc, types, branch.getCondition());
  for (auto [from, to] : llvm::zip(op->getRegions(), newOp->getRegions())) {
    to.getBlocks().clear();
    to.takeBody(from);
  }
  auto shifted = [&](unsigned by) {
    llvm::BitVector bits(isCarried.size() + by);
    for (unsigned k : isCarried.set_bits())
      bits.set(k + by);
    return bits;
  };
  if (!branch)
    blocks[0]->eraseArguments(shifted(loop ? 1 : 0));
  for (Block *block : blocks)
    block->getTerminator()->eraseOperands(isCarried);
  if (test) {
    condition->eraseOperands(shifted(1));
    test->eraseArguments(isCarried);
  }
  unsigned next = 0;
  for (unsigned k = 0; k < op->getNumResults(); ++k)
    if (!isCarried[k])
      op->getResult(k).replaceAllUsesWith(newOp->getResult(next++));
  op->erase();
  return newOp;
}

void Carrier::run(Block &block, const Slots &mayStore) {
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    if (op.getNumRegions())
      ops.push_back(&op);
  for (Operation *op : ops) {
    Slots carried;
    op = convert(op, mayStore, carried);
    if (!carried.empty())
      for (Region &region : op->getRegions())
        for (Block &nested : region)
          run(nested, carried);
  }
}

void import::carryInSlots(FuncOp entry, Interpreter &in, ArrayRef<SymbolRefAttr> slots,
                          llvm::function_ref<StateOp(Attribute)> slotOf) {
  Block &block = entry.getBody().front();
  Slots mayStore;
  for (StoreOp store : block.getOps<StoreOp>())
    mayStore.insert(store.getSlot());
  Carrier(in, slots, slotOf, entry.getContext()).run(block, mayStore);
}
