//===- AddDestinations.cpp - Where entry points write ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace evox {
#define GEN_PASS_DEF_EVOXADDDESTINATIONS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

/// A value on its way into a destination.
struct Write {
  Value value;
  BlockArgument destination;
  DictionaryAttr attrs; ///< of the result
};

class Entry {
public:
  Entry(func::FuncOp func, const StateLayout &layout)
      : func(func), layout(layout), builder(func.getContext()),
        info(EntryInfo::get(
            func, func->getAttrOfType<DictionaryAttr>(attr::kEntry))) {}
  void run();

private:
  BlockArgument addArgument(Type type, StringRef name, int32_t index) {
    unsigned number = func.getNumArguments();
    auto attrs = builder.getDictionaryAttr(
        builder.getNamedAttr(name, builder.getI32IntegerAttr(index)));
    (void)func.insertArgument(number, type, attrs, func.getLoc());
    return func.getArgument(number);
  }
  void setWritable(BlockArgument arg, bool value) {
    func.setArgAttr(arg.getArgNumber(),
                    bufferization::BufferizationDialect::kWritableAttrName,
                    builder.getBoolAttr(value));
  }
  Value copy(Value value) {
    return bufferization::AllocTensorOp::create(
        builder, value.getLoc(), cast<RankedTensorType>(value.getType()),
        ValueRange(), value);
  }
  Value own(Value value);
  Value writeInto(const Write &write, DenseMap<Value, Value> &written);
  void orderSlotWrites(SmallVectorImpl<Write> &writes);

  func::FuncOp func;
  const StateLayout &layout;
  OpBuilder builder;
  EntryInfo info;
};

} // namespace

/// Zeros that several sums start from: a tensor each, or all but one copy them.
static void copyFills(mlir::ModuleOp module) {
  SmallVector<linalg::FillOp> fills;
  module.walk([&](linalg::FillOp op) { fills.push_back(op); });
  for (linalg::FillOp op : fills) {
    Value into = op.getOutputs()[0];
    if (Operation *reshape = into.getDefiningOp();
        isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(reshape))
      into = reshape->getOperand(0);
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!op.getInputs()[0].getDefiningOp<arith::ConstantOp>() ||
        !into.getDefiningOp<tensor::EmptyOp>() || !type ||
        !type.hasStaticShape())
      continue;
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (!user || !user.isDpsInit(&use))
        continue;
      OpBuilder builder(user);
      Value empty = tensor::EmptyOp::create(
          builder, op.getLoc(), type.getShape(), type.getElementType());
      use.set(linalg::FillOp::create(builder, op.getLoc(), op.getInputs(), empty)
                  .getResult(0));
    }
    if (op->use_empty())
      op.erase();
  }
}

/// Destinations that nobody shares: of two ops that write into one, the second
/// would start with a copy, and neither could write where its result goes.
static void copyEmpties(mlir::ModuleOp module) {
  SmallVector<tensor::EmptyOp> empties;
  module.walk([&](tensor::EmptyOp op) { empties.push_back(op); });
  for (tensor::EmptyOp op : empties)
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses()))
      if (!op->hasOneUse()) {
        OpBuilder builder(use.getOwner());
        use.set(builder.clone(*op)->getResult(0));
      }
  // What is put together comes to be before its pieces, for these to be
  // computed in their place.
  module.walk([](tensor::InsertSliceOp insert) {
    auto empty = insert.getDest().getDefiningOp<tensor::EmptyOp>();
    if (!empty || !empty->hasOneUse() || empty.getNumOperands() ||
        empty->getBlock() != insert->getBlock())
      return;
    Operation *first = empty;
    for (tensor::InsertSliceOp next = insert; next;) {
      Operation *source = next.getSource().getDefiningOp();
      if (source && source->getBlock() == first->getBlock() &&
          source->isBeforeInBlock(first))
        first = source;
      Value whole = next.getResult();
      next = whole.hasOneUse()
                 ? dyn_cast<tensor::InsertSliceOp>(*whole.user_begin())
                 : nullptr;
      if (next && next.getDest() != whole)
        break;
    }
    empty->moveBefore(first);
  });
}

/// `value` in a buffer that nothing else uses, so that it can be handed over.
/// The result of an op that writes into a new destination has one already.
Value Entry::own(Value value) {
  if (value.hasOneUse() &&
      isa_and_nonnull<DestinationStyleOpInterface>(value.getDefiningOp()))
    return value;
  return copy(value);
}

/// Makes the ops that compute `use` do so in `destination`, where they start
/// from an empty tensor or ignore what they start from. Whether that happens in
/// place is for bufferization to decide.
/// `seen` keeps branches that lead to the same value from doubling the work.
static void computeIn(OpOperand &use, Value destination,
                      llvm::SmallPtrSetImpl<void *> &seen) {
  auto result = dyn_cast<OpResult>(use.get());
  if (!result || result.getType() != destination.getType())
    return;
  Operation *op = result.getOwner();
  if (isa<tensor::EmptyOp>(op))
    return use.set(destination);
  if (!seen.insert(result.getAsOpaquePointer()).second)
    return;
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op)) {
    OpOperand *init = dps.getTiedOpOperand(result);
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    auto kernel = dyn_cast<KernelCallOp>(op);
    bool ignored = linalgOp ? !linalgOp.payloadUsesValueFromOperand(init)
                            : kernel && !kernel.getInplace();
    if (ignored)
      return init->set(destination);
    return computeIn(*init, destination, seen);
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return computeIn(*loop.getTiedLoopInit(result), destination, seen);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    for (Region &region : branch->getRegions())
      computeIn(region.front().getTerminator()->getOpOperand(
                    result.getResultNumber()),
                destination, seen);
}

/// Writes a value into its destination and returns the destination's value
/// then. `linalg.copy` and not `bufferization.materialize_in_destination`: it
/// leaves bufferization the choice to compute the value elsewhere and copy.
Value Entry::writeInto(const Write &write, DenseMap<Value, Value> &written) {
  OpBuilder::InsertionGuard guard(builder);
  Value value = write.value;
  if (isa<BlockArgument>(value)) {
    // An old value: taken as early as the destination is free, since after
    // that it may be overwritten in place.
    Block *block = func.getBody().empty() ? nullptr : &func.getBody().front();
    Operation *last = nullptr;
    for (Operation *user : write.destination.getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*user);
      if (!last || last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    if (!last)
      builder.setInsertionPointToStart(block);
    else if (last != block->getTerminator())
      builder.setInsertionPointAfter(last);
  } else if (Value first = written.lookup(value)) {
    value = first; // where it was computed may be overwritten by now
  }
  auto copy = linalg::CopyOp::create(builder, func.getLoc(), value,
                                     write.destination);
  if (!written.count(write.value)) {
    llvm::SmallPtrSet<void *, 16> seen;
    computeIn(copy.getInputsMutable()[0], write.destination, seen);
    written[write.value] = copy->getResult(0);
  }
  return copy->getResult(0);
}

/// Puts a write whose value is another slot's old one before the write that
/// destroys it. Copies break cycles.
void Entry::orderSlotWrites(SmallVectorImpl<Write> &writes) {
  DenseMap<Value, unsigned> writeTo;
  for (auto [i, write] : llvm::enumerate(writes))
    writeTo[write.destination] = i;
  // Write `i` reads the old value that write `reads[i]` destroys. Every write
  // reads at most one, so following them from each write is a walk on a
  // functional graph: linear, with one cycle at most per component.
  enum Mark : char { New, Open, Done };
  SmallVector<Mark> marks(writes.size(), New);
  SmallVector<Write> ordered;
  for (unsigned start = 0; start < writes.size(); ++start) {
    SmallVector<unsigned> path;
    unsigned at = start;
    while (marks[at] == New) {
      marks[at] = Open;
      path.push_back(at);
      auto it = writeTo.find(writes[at].value);
      if (it == writeTo.end())
        break;
      at = it->second;
      if (marks[at] == Open) {
        // A cycle: the last one on it would read what the first has written.
        writes[path.back()].value = copy(writes[path.back()].value);
        break;
      }
    }
    // The write that is read from must come after the one that reads it. What
    // is done already reads from nothing on this path, so new ones go first.
    for (unsigned i : path)
      marks[i] = Done;
    SmallVector<Write> group;
    for (unsigned i : path)
      group.push_back(writes[i]);
    ordered.insert(ordered.begin(), group.begin(), group.end());
  }
  writes.assign(ordered.begin(), ordered.end());
}

void Entry::run() {
  Block &block = func.getBody().front();
  auto returnOp = cast<func::ReturnOp>(block.getTerminator());
  builder.setInsertionPoint(returnOp);

  llvm::SmallDenseMap<int32_t, BlockArgument> slotArgs;
  for (BlockArgument arg : func.getArguments()) {
    if (auto index = func.getArgAttrOfType<IntegerAttr>(arg.getArgNumber(),
                                                        attr::kSlot))
      slotArgs[index.getInt()] = arg;
    if (isa<RankedTensorType>(arg.getType()))
      setWritable(arg, false);
  }

  SmallVector<Write> results, slots;
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attrs;
  auto handOver = [&](Value value, DictionaryAttr dict) {
    values.push_back(own(value));
    types.push_back(value.getType());
    attrs.push_back(dict);
  };
  for (auto [i, value] : llvm::enumerate(returnOp.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    DictionaryAttr dict = func.getResultAttrDict(i);
    if (!type) // generators and lists live in the instance
      continue;
    if (auto slot = dict.getAs<IntegerAttr>(attr::kSlot)) {
      int32_t index = slot.getInt();
      BlockArgument arg = slotArgs.lookup(index);
      if (value == arg)
        continue;
      if (!type.hasStaticShape() || layout.getType(index, info.phase) != type) {
        handOver(value, dict);
        continue;
      }
      if (!arg)
        arg = addArgument(type, attr::kSlot, index);
      slots.push_back({value, arg, dict});
    } else if (!type.hasStaticShape()) {
      handOver(value, dict);
    } else {
      auto result = dict.getAs<IntegerAttr>(attr::kResult);
      results.push_back(
          {value, addArgument(type, attr::kResult, result.getInt()), dict});
    }
  }
  // Results first: they may be old values of slots.
  orderSlotWrites(slots);
  DenseMap<Value, Value> written;
  for (Write &write : llvm::concat<Write>(results, slots)) {
    setWritable(write.destination, true);
    values.push_back(writeInto(write, written));
    types.push_back(write.destination.getType());
    attrs.push_back(write.attrs);
  }
  returnOp.getOperandsMutable().assign(values);
  func.setFunctionType(builder.getFunctionType(func.getArgumentTypes(), types));
  func.setAllResultAttrs(attrs);
}

namespace {
struct AddDestinationsPass
    : evox::impl::EvoxAddDestinationsBase<AddDestinationsPass> {
  void runOnOperation() override {
    FailureOr<StateLayout> layout = StateLayout::get(getOperation());
    if (failed(layout))
      return signalPassFailure();
    copyFills(getOperation());
    copyEmpties(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr(attr::kEntry) && !func.isExternal())
        Entry(func, *layout).run();
  }
};
} // namespace
