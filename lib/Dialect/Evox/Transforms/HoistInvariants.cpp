//===- HoistInvariants.cpp - What all generations share -------------------===//
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
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace evox {
#define GEN_PASS_DEF_EVOXHOISTINVARIANTS
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

/// Elements of a result that is kept though computing it needs no memory: what
/// is read again from the caches.
static constexpr int64_t kSmall = 1 << 12, kMedium = 1 << 16;

//===----------------------------------------------------------------------===//
// What an op is like
//===----------------------------------------------------------------------===//

template <typename Fn> static bool contains(Operation *op, Fn isOne) {
  return op
      ->walk([&](Operation *nested) {
        return isOne(nested) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Reads where the data says; that it may do so is for a check before it.
static bool readsUnchecked(Operation *op) {
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return !extract.getIndices().empty();
  if (auto slice = dyn_cast<OffsetSizeAndStrideOpInterface>(op))
    return !llvm::all_of(slice.getMixedOffsets(), [](OpFoldResult offset) {
      return isa<Attribute>(offset);
    });
  return isa<tensor::GatherOp, tensor::ScatterOp, ScatterOp>(op);
}

/// Whether the index, within the body of an op, is read from a tensor.
static bool isFromData(Value index) {
  SmallVector<Value> work{index};
  llvm::SmallPtrSet<Operation *, 8> seen;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || isa<tensor::ExtractOp>(op))
      return true;
    if (seen.insert(op).second)
      llvm::append_range(work, op->getOperands());
  }
  return false;
}

/// Takes long for each element.
static bool isSlow(Operation *op) {
  if (isa<math::MathDialect>(op->getDialect()))
    return !isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::FloorOp,
                math::RoundOp, math::RoundEvenOp, math::TruncOp, math::SqrtOp,
                math::CopySignOp, math::FmaOp, math::IsNaNOp, math::IsInfOp,
                math::IsFiniteOp>(op);
  auto extract = dyn_cast<tensor::ExtractOp>(op);
  return extract && llvm::any_of(extract.getIndices(), isFromData);
}

static bool isElementwise(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.getNumLoops() == linalgOp.getNumParallelLoops();
  return op->hasTrait<OpTrait::Elementwise>();
}

/// Computes, and does not just move elements.
static bool hasArithmetic(Operation *op) {
  if (isa<linalg::FillOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
    return false;
  return contains(op, [](Operation *nested) {
    return isa<arith::ArithDialect, math::MathDialect>(nested->getDialect()) &&
           !nested->hasTrait<OpTrait::ConstantLike>() &&
           !isa<arith::IndexCastOp>(nested);
  });
}

/// Takes more than a look at each element of its result.
static bool isExpensive(Operation *op) {
  if (isa<evox::EvoxDialect>(op->getDialect()))
    return !isa<ContiguousOp>(op);
  if (isa<linalg::LinalgOp>(op))
    return !isElementwise(op);
  return isa<scf::SCFDialect>(op->getDialect()) &&
         contains(op, [&](Operation *nested) {
           return nested != op && (isSlow(nested) || isExpensive(nested));
         });
}

/// Reads its operands as wholes, so that they must be in memory.
static bool readsMemory(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalg::isaContractionOpInterface(linalgOp);
  return isa<evox::EvoxDialect>(op->getDialect()) && !isa<AssertOp>(op);
}

static bool hasAtMost(Value value, int64_t elements) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.hasStaticShape() && type.getNumElements() <= elements;
}

/// Makes an elementwise result of far more elements than `type` has.
static bool isLarger(Operation *op, RankedTensorType type) {
  if (!isElementwise(op))
    return false;
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return result && (!result.hasStaticShape() ||
                    result.getNumElements() >= 4 * type.getNumElements());
}

//===----------------------------------------------------------------------===//
// What is invariant in a block, and which of it is worth being moved
//===----------------------------------------------------------------------===//

namespace {

class Invariants {
public:
  /// `once`: the block runs once where its ops would be moved to at least, so
  /// that these may fail, as long as nothing else would have before them.
  Invariants(Block &block, bool once, llvm::function_ref<bool(Value)> isGiven)
      : block(block) {
    find(once, isGiven);
    choose();
  }
  bool empty() const { return moved.empty(); }
  /// What the moved ops compute and others use.
  ArrayRef<Value> getResults() const { return results; }
  /// Makes copies of the moved ops.
  void cloneTo(OpBuilder &builder, IRMapping &mapping);
  /// Takes away what others no longer use, once they use the copies.
  void cleanUp();
  template <typename Fn> void forEachInput(Operation *op, Fn fn);

  SmallVector<Operation *> moved; ///< in the block's order

private:
  void find(bool once, llvm::function_ref<bool(Value)> isGiven);
  void choose();
  int64_t countInputs(Operation *op);
  bool isWorthIt(Operation *op);
  bool continuesMoved(Operation *op);
  bool isInvariant(Operation *op) { return invariant.contains(op); }

  Block &block;
  llvm::SetVector<Operation *> invariant; ///< in the block's order
  llvm::SetVector<Operation *> roots;     ///< those that are worth it
  llvm::DenseMap<Operation *, int64_t> counts;
  SmallVector<Value> results;
};

} // namespace

template <typename Fn> void Invariants::forEachInput(Operation *op, Fn fn) {
  for (Value operand : op->getOperands())
    fn(operand);
  if (op->getNumRegions() == 0)
    return;
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value value : captured)
    fn(value);
}

void Invariants::find(bool once, llvm::function_ref<bool(Value)> isGiven) {
  auto isState = [](Type type) { return isa<GeneratorType, ListType>(type); };
  auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
  // Whether something may fail before that stays where it is.
  bool mayHaveFailed = !once;
  for (Operation &op : block.without_terminator()) {
    bool fails = contains(&op, mayFail);
    bool movable =
        (isa<AssertOp>(op) || (op.getNumResults() && isPure(&op))) &&
        !(mayHaveFailed && (fails || contains(&op, readsUnchecked))) &&
        llvm::none_of(op.getOperandTypes(), isState) &&
        llvm::none_of(op.getResultTypes(), isState) &&
        !(fails && !llvm::all_of(op.getResultTypes(), isTensor));
    if (movable)
      forEachInput(&op, [&](Value value) {
        movable &= isGiven(value) || isInvariant(value.getDefiningOp());
      });
    if (movable)
      invariant.insert(&op);
    else
      mayHaveFailed |= fails;
  }
}

/// The most elements of a tensor that the op and the cheap ones before it read.
int64_t Invariants::countInputs(Operation *op) {
  if (auto it = counts.find(op); it != counts.end())
    return it->second;
  int64_t most = 0;
  forEachInput(op, [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    Operation *from = value.getDefiningOp();
    if (from && isInvariant(from) && !roots.contains(from)) {
      if (!isa<tensor::EmptyOp>(from) &&
          !from->hasTrait<OpTrait::ConstantLike>())
        most = std::max(most, countInputs(from));
    } else if (type && type.hasStaticShape()) {
      most = std::max(most, type.getNumElements());
    }
  });
  return counts[op] = most;
}

bool Invariants::isWorthIt(Operation *op) {
  if (isa<AssertOp>(op))
    return true;
  if (!llvm::all_of(op->getResultTypes(),
                    [](Type type) { return isa<RankedTensorType>(type); }))
    return false;
  // What fails must not be left behind: other ops rely on its having moved.
  if (isExpensive(op) || contains(op, mayFail))
    return true;
  if (!isElementwise(op))
    return false;
  auto isOut = [&](Operation *user) {
    return !isInvariant(block.findAncestorOpInBlock(*user));
  };
  if (contains(op, isSlow)) {
    // Not what would be computed on the fly from much less memory.
    bool gathers = contains(
        op, [](Operation *nested) { return isa<tensor::ExtractOp>(nested); });
    bool isFromMemory =
        !gathers && llvm::all_of(op->getOperands(), [&](Value operand) {
          Operation *from = operand.getDefiningOp();
          auto type = dyn_cast<RankedTensorType>(operand.getType());
          return type && type.hasStaticShape() &&
                 hasAtMost(op->getResult(0), type.getNumElements()) &&
                 (!from || !isInvariant(from) || isExpensive(from) ||
                  from->hasTrait<OpTrait::ConstantLike>() ||
                  isa<tensor::EmptyOp>(from));
        });
    if (isFromMemory || hasAtMost(op->getResult(0), kMedium))
      return true;
  }
  if (!hasArithmetic(op))
    return false;
  // Not what is made of the index, or of fewer elements that are repeated.
  if (!hasAtMost(op->getResult(0), countInputs(op)))
    return false;
  if (llvm::any_of(op->getUsers(), [&](Operation *user) {
        return isOut(user) && readsMemory(user);
      }))
    return true;
  // What a much larger op would compute again and again.
  Value result = op->getResult(0);
  return op->getNumResults() == 1 && hasAtMost(result, kSmall) &&
         !hasAtMost(result, 1) &&
         llvm::any_of(op->getUsers(), [&](Operation *user) {
           return isLarger(user, cast<RankedTensorType>(result.getType()));
         });
}

/// What is made of moved values and takes no more memory than they do is moved
/// in their place.
bool Invariants::continuesMoved(Operation *op) {
  if (op->getNumResults() != 1 || !isElementwise(op) || !hasArithmetic(op))
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.hasStaticShape() &&
         llvm::any_of(op->getOperands(), [&](Value operand) {
           auto from = dyn_cast<RankedTensorType>(operand.getType());
           return from && from.hasStaticShape() &&
                  from.getNumElements() >= type.getNumElements() &&
                  roots.contains(operand.getDefiningOp());
         });
}

void Invariants::choose() {
  for (Operation *op : invariant) {
    (void)countInputs(op); // in this order it goes one op deep
    if (isWorthIt(op) || continuesMoved(op))
      roots.insert(op);
  }
  llvm::SmallPtrSet<Operation *, 32> needed;
  SmallVector<Operation *> work(roots.getArrayRef());
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    if (!needed.insert(op).second)
      continue;
    forEachInput(op, [&](Value value) {
      if (Operation *from = value.getDefiningOp(); from && isInvariant(from))
        work.push_back(from);
    });
  }
  // What is cheap is also computed where it is if something there uses it;
  // whatever then is used there and is not cheap comes from where it moved to.
  llvm::SmallPtrSet<Operation *, 32> stays;
  bool hasCheck = false;
  for (Operation *op : llvm::reverse(invariant)) {
    if (!needed.contains(op))
      continue;
    hasCheck |= isa<AssertOp>(op);
    bool isRoot = roots.contains(op);
    for (Value result : op->getResults()) {
      bool isUsed = llvm::any_of(result.getUsers(), [&](Operation *user) {
        Operation *inBlock = block.findAncestorOpInBlock(*user);
        return !needed.contains(inBlock) || stays.contains(inBlock);
      });
      if (isUsed && isRoot)
        results.push_back(result);
      else if (isUsed)
        stays.insert(op);
    }
  }
  std::reverse(results.begin(), results.end());
  if (results.empty() && !hasCheck)
    return;
  for (Operation *op : invariant)
    if (needed.contains(op))
      moved.push_back(op);
}

void Invariants::cloneTo(OpBuilder &builder, IRMapping &mapping) {
  for (Operation *op : moved)
    builder.clone(*op, mapping);
}

void Invariants::cleanUp() {
  for (Operation *op : llvm::reverse(moved))
    if (isa<AssertOp>(op) || isOpTriviallyDead(op))
      op->erase();
}

//===----------------------------------------------------------------------===//
// Out of loops, and out of entry points
//===----------------------------------------------------------------------===//

/// Out of a loop that runs at least once.
static void hoistFrom(scf::ForOp loop) {
  auto lower = getConstantIntValue(loop.getLowerBound()),
       upper = getConstantIntValue(loop.getUpperBound());
  if (!lower || !upper || *lower >= *upper)
    return;
  Region &region = loop.getRegion();
  Invariants invariants(*loop.getBody(), /*once=*/false, [&](Value value) {
    return !region.isAncestor(value.getParentRegion());
  });
  if (invariants.empty())
    return;
  OpBuilder builder(loop);
  IRMapping mapping;
  invariants.cloneTo(builder, mapping);
  for (Value result : invariants.getResults())
    result.replaceAllUsesWith(mapping.lookup(result));
  invariants.cleanUp();
}

/// Out of an entry point that is called again and again.
static void hoistFrom(func::FuncOp func, SymbolTable &symbols) {
  Block &body = func.getBody().front();
  Operation *returnOp = body.getTerminator();
  llvm::SmallDenseMap<Attribute, Value> written;
  for (auto [i, value] : llvm::enumerate(returnOp->getOperands()))
    if (Attribute slot = func.getResultAttr(i, attr::kSlot))
      written[slot] = value;
  Invariants invariants(body, /*once=*/true, [&](Value value) {
    auto arg = dyn_cast<BlockArgument>(value);
    if (!arg || !isa<RankedTensorType>(arg.getType()))
      return false;
    Attribute slot = func.getArgAttr(arg.getArgNumber(), attr::kSlot);
    auto it = written.find(slot);
    return slot && (it == written.end() || it->second == arg);
  });
  if (invariants.empty())
    return;

  llvm::SetVector<Value> inputs;
  for (Operation *op : invariants.moved)
    invariants.forEachInput(op, [&](Value value) {
      if (isa<BlockArgument>(value))
        inputs.insert(value);
    });
  OpBuilder builder(func);
  SmallVector<Value> results(invariants.getResults());
  auto once = func::FuncOp::create(
      builder, func.getLoc(), (func.getSymName() + ".once").str(),
      builder.getFunctionType(
          llvm::to_vector(ValueRange(inputs.getArrayRef()).getTypes()),
          llvm::to_vector(ValueRange(results).getTypes())));
  once.setPrivate();
  symbols.insert(once);
  func->setAttr(attr::kOnce, FlatSymbolRefAttr::get(once));

  IRMapping mapping;
  Block *block = once.addEntryBlock();
  for (auto [input, arg] : llvm::zip(inputs, block->getArguments())) {
    mapping.map(input, arg);
    unsigned number = cast<BlockArgument>(input).getArgNumber();
    once.setArgAttr(arg.getArgNumber(), attr::kSlot,
                    func.getArgAttr(number, attr::kSlot));
    once.setArgAttr(arg.getArgNumber(),
                    bufferization::BufferizationDialect::kWritableAttrName,
                    builder.getBoolAttr(false));
  }
  builder.setInsertionPointToEnd(block);
  invariants.cloneTo(builder, mapping);
  SmallVector<Value> values;
  for (auto [i, result] : llvm::enumerate(results)) {
    values.push_back(mapping.lookup(result));
    Attribute index = builder.getI32IntegerAttr(i);
    once.setResultAttr(i, attr::kInvariant, index);
    unsigned number = func.getNumArguments();
    (void)func.insertArgument(number, result.getType(),
                              builder.getDictionaryAttr(builder.getNamedAttr(
                                  attr::kInvariant, index)),
                              result.getLoc());
    result.replaceAllUsesWith(func.getArgument(number));
  }
  func::ReturnOp::create(builder, func.getLoc(), values);
  invariants.cleanUp();
}

namespace {
struct HoistInvariantsPass
    : evox::impl::EvoxHoistInvariantsBase<HoistInvariantsPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> funcs(getOperation().getOps<func::FuncOp>());
    llvm::StringSet<> repeated; // entry points, by name
    for (func::FuncOp func : funcs)
      if (auto entry = func->getAttrOfType<DictionaryAttr>(attr::kEntry)) {
        EntryInfo info = EntryInfo::get(func, entry);
        if (info.phase == info.next)
          repeated.insert(info.name);
      }
    for (func::FuncOp func : funcs) {
      if (func.isExternal())
        continue;
      // What nothing uses would keep what it uses where it is.
      IRRewriter rewriter(func.getContext());
      (void)runRegionDCE(rewriter, func->getRegions());
      SmallVector<scf::ForOp> loops; // inner ones first
      func.walk([&](scf::ForOp loop) { loops.push_back(loop); });
      for (scf::ForOp loop : loops)
        hoistFrom(loop);
      auto entry = func->getAttrOfType<DictionaryAttr>(attr::kEntry);
      if (!entry)
        continue;
      // The code for phases that lead elsewhere is split likewise: mostly it is
      // the same code, and then there need be only one.
      bool isRepeated = repeated.contains(EntryInfo::get(func, entry).name);
      if (isRepeated && canBeRun(func))
        hoistFrom(func, symbols);
    }
  }
};
} // namespace
