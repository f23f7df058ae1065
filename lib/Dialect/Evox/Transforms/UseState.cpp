//===- UseState.cpp - State becomes arguments and results -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two walks over the program. The first finds, for every function and every op
// with regions, which slots' values come in and which go out (`Effects`),
// callees before callers. The second rebuilds each `evox.func` as a
// `func.func`, replacing loads by the slot's current SSA value.
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include <map>

namespace evox {
#define GEN_PASS_DEF_EVOXUSESTATE
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

/// What a piece of code does with state. Ordered by slot number, which makes
/// the signatures independent of the order of accesses.
struct Effects {
  std::map<unsigned, Type> reads;  ///< values that come in
  std::map<unsigned, Type> writes; ///< values that go out

  bool empty() const { return reads.empty() && writes.empty(); }

  /// `next` runs after this.
  void then(const Effects &next) {
    for (auto [slot, type] : next.reads)
      if (!writes.count(slot))
        reads.try_emplace(slot, type);
    for (auto [slot, type] : next.writes)
      writes[slot] = type;
  }
  /// What goes out must come in as well: where it may be left unwritten.
  void readWhatIsWritten() {
    for (auto [slot, type] : writes)
      reads.try_emplace(slot, type);
  }
};

/// The most special type that holds values of both; null if there is none.
Type join(Type a, Type b) {
  if (a == b)
    return a;
  auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
  if (!x || !y || x.getElementType() != y.getElementType() ||
      x.getRank() != y.getRank())
    return {};
  SmallVector<int64_t> shape(x.getShape());
  for (auto [size, other] : llvm::zip(shape, y.getShape()))
    if (size != other)
      size = ShapedType::kDynamic;
  return RankedTensorType::get(shape, x.getElementType());
}

using SlotValues = DenseMap<unsigned, Value>;

class UseState {
public:
  UseState(mlir::ModuleOp module, const StateLayout &layout)
      : module(module), layout(layout), builder(module.getContext()) {}

  LogicalResult run();

private:
  // The first walk.
  LogicalResult analyze(FuncOp func);
  FailureOr<Effects> analyze(Operation *op);
  FailureOr<Effects> analyze(Block &block);
  FailureOr<unsigned> resolveSlot(Operation *op, SymbolRefAttr symbol);
  FailureOr<FuncOp> resolveCallee(CallOp call);
  LogicalResult applyPhases(FuncOp func, Effects &effects);

  // The second walk.
  LogicalResult convert(FuncOp func);
  LogicalResult rewrite(Block &block, SlotValues &current);
  LogicalResult rewrite(CallOp call, SlotValues &current);
  LogicalResult rewriteBranches(Operation *op, SlotValues &current);
  LogicalResult rewriteLoop(Operation *op, SlotValues &current);
  Value coerce(Value value, Type type, unsigned slot, Operation *at,
               StringRef verb);
  void nameFunctions();

  StateSlot slot(unsigned index) { return layout.getSlots()[index]; }
  bool isEntry(FuncOp func) {
    return func->hasAttr("entry") ||
           (entriesByDefault && func->getParentOp() == layout.getRoot() &&
            !func.isPrivate());
  }

  mlir::ModuleOp module;
  const StateLayout &layout;
  OpBuilder builder;
  SymbolTableCollection tables;
  bool entriesByDefault = true;
  llvm::StringSet<> builtUpon;
  SmallVector<FuncOp> funcs; ///< in the order of the text
  DenseMap<Operation *, std::string> names;
  DenseMap<Operation *, Effects> effectsOf; ///< of functions and region ops
  llvm::SetVector<Operation *> inProgress;  ///< the current chain of calls
};

} // namespace

//===----------------------------------------------------------------------===//
// What comes in and what goes out
//===----------------------------------------------------------------------===//

FailureOr<unsigned> UseState::resolveSlot(Operation *op, SymbolRefAttr symbol) {
  if (auto state =
          dyn_cast_or_null<StateOp>(resolveSymbol(op, symbol, &tables)))
    return layout.indexOf(state);
  op->emitOpError() << "refers to " << symbol << ", which is no slot of state";
  return failure();
}

FailureOr<FuncOp> UseState::resolveCallee(CallOp call) {
  if (auto callee =
          dyn_cast_or_null<FuncOp>(call.resolveCallableInTable(&tables)))
    return callee;
  call.emitOpError() << "calls " << call.getCallee()
                     << ", which is no function of the program";
  return failure();
}

/// The slots' types at an entry point's ends are those of its two phases.
LogicalResult UseState::applyPhases(FuncOp func, Effects &effects) {
  auto dict = func->getAttrOfType<DictionaryAttr>("entry");
  EntryInfo entry =
      EntryInfo::get(func, dict ? dict : builder.getDictionaryAttr({}));
  unsigned phases = layout.getPhases().size();
  if (std::max(entry.phase, entry.next) >= phases)
    return func.emitOpError() << "goes from phase " << entry.phase << " to "
                              << entry.next << ", but the program has "
                              << phases << " phase" << (phases == 1 ? "" : "s");
  for (auto &[index, type] : effects.reads)
    type = layout.getType(index, entry.phase);
  for (auto &[index, type] : effects.writes)
    type = layout.getType(index, entry.next);
  if (entry.phase == entry.next)
    return success();
  for (const StateSlot &slot : layout.getSlots()) {
    Type before = layout.getType(slot.index, entry.phase);
    Type after = layout.getType(slot.index, entry.next);
    if (before == after || effects.writes.count(slot.index))
      continue;
    return func.emitOpError()
           << "leaves slot '" << slot.name << "' unchanged, but it is "
           << before << " in phase " << entry.phase << " and " << after
           << " in phase " << entry.next;
  }
  return success();
}

LogicalResult UseState::analyze(FuncOp func) {
  if (effectsOf.contains(func))
    return success();
  if (!inProgress.insert(func)) {
    InFlightDiagnostic diag = func.emitOpError("is recursive: it calls itself");
    for (Operation *caller : llvm::reverse(inProgress)) {
      if (caller == func)
        break;
      diag.attachNote(caller->getLoc()) << "through this function";
    }
    return diag;
  }
  if (!func.getBody().hasOneBlock())
    return func.emitOpError("has more than one block; control flow must be "
                            "evox.if, evox.switch, evox.while or scf ops");
  FailureOr<Effects> effects = analyze(func.getBody().front());
  if (failed(effects) || (isEntry(func) && failed(applyPhases(func, *effects))))
    return failure();
  inProgress.pop_back();
  effectsOf[func] = std::move(*effects);
  return success();
}

FailureOr<Effects> UseState::analyze(Block &block) {
  Effects effects;
  for (Operation &op : block) {
    FailureOr<Effects> next = analyze(&op);
    if (failed(next))
      return failure();
    effects.then(*next);
  }
  return effects;
}

FailureOr<Effects> UseState::analyze(Operation *op) {
  Effects effects;
  if (auto load = dyn_cast<LoadOp>(op)) {
    FailureOr<unsigned> index = resolveSlot(op, load.getSlot());
    if (failed(index))
      return failure();
    effects.reads[*index] = load.getType();
    return effects;
  }
  if (auto store = dyn_cast<StoreOp>(op)) {
    FailureOr<unsigned> index = resolveSlot(op, store.getSlot());
    if (failed(index))
      return failure();
    effects.writes[*index] = store.getValue().getType();
    return effects;
  }
  if (auto call = dyn_cast<CallOp>(op)) {
    FailureOr<FuncOp> callee = resolveCallee(call);
    if (failed(callee) || failed(analyze(*callee)))
      return failure();
    return effectsOf[*callee];
  }
  if (op->getNumRegions() == 0)
    return effects;

  SmallVector<Effects> regions;
  for (Region &region : op->getRegions()) {
    Effects &all = regions.emplace_back();
    for (Block &block : region) {
      FailureOr<Effects> of = analyze(block);
      if (failed(of))
        return failure();
      all.then(*of);
    }
  }
  if (isa<WhileOp, scf::WhileOp, scf::ForOp>(op)) {
    for (const Effects &region : regions)
      effects.then(region);
    effects.readWhatIsWritten();
  } else if (isa<IfOp, SwitchOp, scf::IfOp, scf::IndexSwitchOp>(op)) {
    for (const Effects &region : regions)
      for (auto [slot, type] : region.reads)
        effects.reads.try_emplace(slot, type);
    for (const Effects &region : regions)
      for (auto [slot, type] : region.writes) {
        effects.writes.try_emplace(slot, type);
        if (llvm::any_of(regions, [slot = slot](const Effects &other) {
              return !other.writes.count(slot);
            }))
          effects.reads.try_emplace(slot, type);
      }
  } else {
    for (const Effects &region : regions)
      if (!region.empty()) {
        op->emitOpError("holds code that uses state, which only evox.if, "
                        "evox.switch, evox.while, scf.for, scf.if, scf.while "
                        "and scf.index_switch may");
        return failure();
      }
  }
  effectsOf[op] = effects;
  return effects;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// `value` as a value of `type`, the type that slot `index` has where `at`
/// uses it. A size that one side does not know is cast; null, with an error,
/// if the types don't fit.
Value UseState::coerce(Value value, Type type, unsigned index, Operation *at,
                       StringRef verb) {
  if (value.getType() == type)
    return value;
  if (tensor::CastOp::areCastCompatible(value.getType(), type))
    return tensor::CastOp::create(builder, at->getLoc(), type, value);
  InFlightDiagnostic diag = at->emitOpError()
                            << verb << " slot '" << slot(index).name << "' as "
                            << type << ", but it holds a " << value.getType()
                            << " there";
  diag.attachNote(slot(index).op.getLoc()) << "the slot is declared here";
  return {};
}

LogicalResult UseState::rewrite(Block &block, SlotValues &current) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    builder.setInsertionPoint(&op);
    LogicalResult result =
        TypeSwitch<Operation *, LogicalResult>(&op)
            .Case<LoadOp>([&](LoadOp load) -> LogicalResult {
              unsigned index = *resolveSlot(load, load.getSlot());
              Value value = coerce(current.lookup(index), load.getType(), index,
                                   load, "reads");
              if (!value)
                return failure();
              load.replaceAllUsesWith(value);
              load.erase();
              return success();
            })
            .Case<StoreOp>([&](StoreOp store) {
              current[*resolveSlot(store, store.getSlot())] = store.getValue();
              store.erase();
              return success();
            })
            .Case<CallOp>([&](CallOp call) { return rewrite(call, current); })
            .Case<IfOp, SwitchOp, scf::IfOp, scf::IndexSwitchOp>(
                [&](auto op) { return rewriteBranches(op, current); })
            .Case<WhileOp, scf::WhileOp, scf::ForOp>(
                [&](auto op) { return rewriteLoop(op, current); })
            .Default([&](Operation *op) -> LogicalResult {
              for (Region &region : op->getRegions())
                for (Block &nested : region)
                  if (failed(rewrite(nested, current)))
                    return failure();
              return success();
            });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult UseState::rewrite(CallOp call, SlotValues &current) {
  auto callee = cast<FuncOp>(call.resolveCallableInTable(&tables));
  const Effects &effects = effectsOf[callee];
  SmallVector<Value> operands(call.getOperands());
  for (auto [index, type] : effects.reads) {
    Value value =
        coerce(current.lookup(index), type, index, call, "hands over");
    if (!value)
      return failure();
    operands.push_back(value);
  }
  SmallVector<Type> types(call.getResultTypes());
  for (auto [index, type] : effects.writes)
    types.push_back(type);
  auto newCall = func::CallOp::create(builder, call.getLoc(), names[callee],
                                      types, operands);
  unsigned own = call.getNumResults(), next = own;
  for (auto [index, type] : effects.writes)
    current[index] = newCall.getResult(next++);
  call.replaceAllUsesWith(newCall.getResults().take_front(own));
  call.erase();
  return success();
}

/// Makes the op that takes the place of `op`, with its regions, attributes,
/// further operands and further results.
static Operation *rebuild(OpBuilder &builder, Operation *op, StringRef name,
                          ValueRange operands, TypeRange moreTypes) {
  OperationState state(op->getLoc(), name);
  state.addOperands(operands);
  state.addTypes(op->getResultTypes());
  state.addTypes(moreTypes);
  state.addAttributes(op->getDiscardableAttrDictionary().getValue());
  if (name == op->getName().getStringRef())
    state.propertiesAttr = op->getPropertiesAsAttribute();
  for (Region &region : op->getRegions())
    state.addRegion()->takeBody(region);
  return builder.create(state);
}

static void replace(Operation *op, Operation *newOp) {
  op->replaceAllUsesWith(newOp->getResults().take_front(op->getNumResults()));
  op->erase();
}

/// Ends `block` in `scf.yield` of what it yielded and of `more`.
static void yield(OpBuilder &builder, Block &block, ValueRange more) {
  Operation *terminator = block.getTerminator();
  SmallVector<Value> values(terminator->getOperands());
  llvm::append_range(values, more);
  builder.setInsertionPoint(terminator);
  scf::YieldOp::create(builder, terminator->getLoc(), values);
  terminator->erase();
}

LogicalResult UseState::rewriteBranches(Operation *op, SlotValues &current) {
  Effects effects = effectsOf.lookup(op);
  // `scf.if` may come without an else, which then only passes slots on.
  if (isa<scf::IfOp>(op) && op->getRegion(1).empty() &&
      !effects.writes.empty()) {
    Block &block = op->getRegion(1).emplaceBlock();
    builder.setInsertionPointToEnd(&block);
    scf::YieldOp::create(builder, op->getLoc());
  }
  SmallVector<SlotValues> ends;
  for (Region &region : op->getRegions()) {
    SlotValues end = current;
    if (!region.empty() && failed(rewrite(region.front(), end)))
      return failure();
    ends.push_back(std::move(end));
  }
  SmallVector<Type> types;
  for (auto [index, type] : effects.writes) {
    Type common = ends.front().lookup(index).getType();
    for (SlotValues &end : ends)
      if (common)
        common = join(common, end.lookup(index).getType());
    if (!common) {
      InFlightDiagnostic diag =
          op->emitOpError()
          << "leaves slot '" << slot(index).name
          << "' with another type in each branch; the types are";
      for (auto [i, end] : llvm::enumerate(ends))
        diag << (i ? ", " : " ") << end.lookup(index).getType();
      return diag;
    }
    types.push_back(common);
  }
  for (auto [region, end] : llvm::zip(op->getRegions(), ends)) {
    if (region.empty())
      continue;
    builder.setInsertionPoint(region.front().getTerminator());
    SmallVector<Value> values;
    unsigned next = 0;
    for (auto [index, type] : effects.writes)
      values.push_back(
          coerce(end.lookup(index), types[next++], index, op, "passes on"));
    yield(builder, region.front(), values);
  }
  builder.setInsertionPoint(op);

  Operation *newOp;
  unsigned own = op->getNumResults();
  if (auto switchOp = dyn_cast<SwitchOp>(op)) {
    // scf.index_switch's default takes what is past the end; below the start
    // the first branch runs.
    Value zero = arith::ConstantIndexOp::create(builder, op->getLoc(), 0);
    Value clamped = arith::MaxSIOp::create(builder, op->getLoc(),
                                           switchOp.getIndex(), zero);
    unsigned last = op->getNumRegions() - 1;
    auto cases = llvm::to_vector(llvm::seq<int64_t>(last));
    SmallVector<Type> allTypes(op->getResultTypes());
    llvm::append_range(allTypes, types);
    auto newSwitch = scf::IndexSwitchOp::create(builder, op->getLoc(), allTypes,
                                                clamped, cases, last);
    newSwitch.getDefaultRegion().takeBody(op->getRegion(last));
    for (unsigned i = 0; i < last; ++i)
      newSwitch.getCaseRegions()[i].takeBody(op->getRegion(i));
    newOp = newSwitch;
  } else {
    StringRef name = isa<IfOp>(op) ? scf::IfOp::getOperationName()
                                   : op->getName().getStringRef();
    newOp = rebuild(builder, op, name, op->getOperands(), types);
  }
  for (auto [index, type] : effects.writes)
    current[index] = newOp->getResult(own++);
  replace(op, newOp);
  return success();
}

LogicalResult UseState::rewriteLoop(Operation *op, SlotValues &current) {
  Effects effects = effectsOf.lookup(op);
  SmallVector<Value> operands(op->getOperands());
  SmallVector<Type> types;
  for (auto [index, type] : effects.writes) {
    Value init = current.lookup(index);
    Type common = join(init.getType(), type);
    if (!common)
      return op->emitOpError() << "changes slot '" << slot(index).name
                               << "' from " << init.getType() << " to " << type
                               << "; a slot keeps its type through a loop";
    operands.push_back(coerce(init, common, index, op, "passes on"));
    types.push_back(common);
  }

  // The slots enter each region as its last arguments, and leave with its
  // terminator.
  auto enter = [&](Block &block, SlotValues &values) {
    unsigned next = 0;
    for (auto [index, type] : effects.writes)
      values[index] = block.addArgument(types[next++], op->getLoc());
  };
  auto leave = [&](Block &block,
                   SlotValues &values) -> FailureOr<SmallVector<Value>> {
    builder.setInsertionPoint(block.getTerminator());
    SmallVector<Value> out;
    unsigned next = 0;
    for (auto [index, type] : effects.writes) {
      out.push_back(
          coerce(values.lookup(index), types[next++], index, op, "carries on"));
      if (!out.back())
        return failure();
    }
    return out;
  };
  SlotValues inside = current;
  if (!isa<scf::ForOp>(op)) {
    Block &before = op->getRegion(0).front();
    enter(before, inside);
    if (failed(rewrite(before, inside)))
      return failure();
    FailureOr<SmallVector<Value>> out = leave(before, inside);
    if (failed(out))
      return failure();
    Operation *terminator = before.getTerminator();
    SmallVector<Value> args(llvm::drop_begin(terminator->getOperands()));
    llvm::append_range(args, *out);
    scf::ConditionOp::create(builder, terminator->getLoc(),
                             terminator->getOperand(0), args);
    terminator->erase();
  }
  Block &body = op->getRegions().back().front();
  enter(body, inside);
  if (failed(rewrite(body, inside)))
    return failure();
  FailureOr<SmallVector<Value>> out = leave(body, inside);
  if (failed(out))
    return failure();
  yield(builder, body, *out);

  builder.setInsertionPoint(op);
  StringRef name = isa<WhileOp>(op) ? scf::WhileOp::getOperationName()
                                    : op->getName().getStringRef();
  Operation *newOp = rebuild(builder, op, name, operands, types);
  unsigned next = op->getNumResults();
  for (auto [index, type] : effects.writes)
    current[index] = newOp->getResult(next++);
  replace(op, newOp);
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// A method of the root keeps its name; one of a submodule gets its path.
void UseState::nameFunctions() {
  llvm::StringSet<> taken;
  for (FuncOp func : funcs) {
    std::string name = func.getSymName().str();
    for (Operation *parent = func->getParentOp();
         parent && parent != layout.getRoot().getOperation();
         parent = parent->getParentOp())
      name = SymbolTable::getSymbolName(parent).str() + "." + name;
    std::string unique = name;
    for (unsigned i = 0; !taken.insert(unique).second; ++i)
      unique = name + "$" + std::to_string(i);
    names[func] = unique;
  }
}

LogicalResult UseState::convert(FuncOp func) {
  const Effects effects = effectsOf[func];
  MLIRContext *context = func.getContext();
  SmallVector<Type> inputs(func.getArgumentTypes()),
      results(func.getResultTypes());
  SmallVector<DictionaryAttr> argAttrs, resAttrs;
  bool entry = isEntry(func);
  auto number = [&](DictionaryAttr dict, StringRef name, unsigned value) {
    NamedAttrList list(dict);
    list.set(name, builder.getI32IntegerAttr(value));
    return list.getDictionary(context);
  };
  auto none = DictionaryAttr::get(context);
  for (unsigned i = 0; i < inputs.size(); ++i) {
    auto dict = func.getArgAttrDict(i);
    argAttrs.push_back(entry ? number(dict ? dict : none, attr::kArg, i)
                             : (dict ? dict : none));
  }
  for (unsigned i = 0; i < results.size(); ++i) {
    auto dict = func.getResultAttrDict(i);
    resAttrs.push_back(entry ? number(dict ? dict : none, attr::kResult, i)
                             : (dict ? dict : none));
  }

  Block &block = func.getBody().front();
  SlotValues current;
  for (auto [index, type] : effects.reads) {
    current[index] = block.addArgument(type, slot(index).op.getLoc());
    inputs.push_back(type);
    argAttrs.push_back(number(none, attr::kSlot, index));
  }
  if (failed(rewrite(block, current)))
    return failure();
  Operation *terminator = block.getTerminator();
  SmallVector<Value> values(terminator->getOperands());
  builder.setInsertionPoint(terminator);
  for (auto [index, type] : effects.writes) {
    Value value = coerce(current.lookup(index), type, index, func, "leaves");
    if (!value)
      return failure();
    values.push_back(value);
    results.push_back(type);
    resAttrs.push_back(number(none, attr::kSlot, index));
  }
  func::ReturnOp::create(builder, terminator->getLoc(), values);
  terminator->erase();

  builder.setInsertionPointToEnd(module.getBody());
  auto newFunc = func::FuncOp::create(builder, func.getLoc(), names[func],
                                      builder.getFunctionType(inputs, results));
  newFunc.getBody().takeBody(func.getBody());
  newFunc.setAllArgAttrs(argAttrs);
  newFunc.setAllResultAttrs(resAttrs);
  for (NamedAttribute attr : func->getDiscardableAttrs())
    if (attr.getName().strref().contains('.'))
      newFunc->setAttr(attr.getName(), attr.getValue());
  if (entry) {
    auto dict = func->getAttrOfType<DictionaryAttr>("entry");
    newFunc->setAttr(attr::kEntry, dict ? dict : none);
  } else if (!builtUpon.contains(names[func])) {
    newFunc.setPrivate();
  }
  return success();
}

LogicalResult UseState::run() {
  if (!layout.getRoot())
    return success();
  layout.getRoot()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto func = dyn_cast<FuncOp>(op))
      funcs.push_back(func);
    return isa<evox::ModuleOp>(op) ? WalkResult::advance() : WalkResult::skip();
  });
  entriesByDefault =
      llvm::none_of(funcs, [](FuncOp func) { return func->hasAttr("entry"); });
  // What derived functions build on must stay there until --evox-vmap.
  layout.getRoot()->walk([&](Operation *op) {
    if (!isa<UseStateOp, VmapOp>(op))
      return;
    entriesByDefault &= !op->hasAttr("entry");
    builtUpon.insert(
        getFunctionPath(op->getAttrOfType<SymbolRefAttr>("function")));
  });
  nameFunctions();
  for (FuncOp func : funcs)
    if (failed(analyze(func)))
      return failure();
  for (FuncOp func : funcs)
    if (failed(convert(func)))
      return failure();
  for (FuncOp func : funcs)
    func.erase();
  return success();
}

namespace {
struct UseStatePass : evox::impl::EvoxUseStateBase<UseStatePass> {
  void runOnOperation() override {
    FailureOr<StateLayout> layout = StateLayout::get(getOperation());
    if (failed(layout) || failed(UseState(getOperation(), *layout).run()))
      signalPassFailure();
  }
};
} // namespace
