//===- Calls.cpp - Calls that stay calls ----------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The interpreter walks into every call. What it emits there stands between two
// placeholders; when all entry points are done, the code between each two is
// taken out into a function, and equal functions become one. Moving code can't
// change what it computes: whatever crosses becomes an argument or a result.
//
// The state crosses through its slots instead, where that is the same. While
// the code is walked in order, `content` says which value each slot holds, and
// only where that is the value wanted is it loaded.

#include "Calls.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringSet.h"
#include <deque>

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// The interpreter's part
//===----------------------------------------------------------------------===//

/// The SSA values that a Python value consists of.
void Interpreter::valuesOf(const Py &v, SmallVectorImpl<mlir::Value> &values) {
  switch (v.kind) {
  case Py::Tensor: {
    const Tensor &t = *v.tensor;
    if (!t.storage->poison.empty())
      return;
    if (t.chain.empty()) {
      values.push_back(t.storage->value);
      return;
    }
    // A view is read here if it would be read only once: see read().
    bool isStatic = t.type.hasStaticShape() &&
                    llvm::all_of(t.chain, [](const View &view) {
                      return view.source.hasStaticShape() && view.result.hasStaticShape();
                    });
    if (isStatic && !inDataRegion() && b.getInsertionBlock() == entryBlock)
      values.push_back(read(v.tensor));
    return;
  }
  case Py::Int:
  case Py::Float:
  case Py::Bool:
    if (v.ssa)
      values.push_back(v.ssa);
    return;
  case Py::List:
  case Py::Tuple:
  case Py::Dict:
    if (v.items->growSlot < 0 && v.items->poison.empty())
      for (const Py &item : v.list())
        valuesOf(item, values);
    return;
  default:
    return;
  }
}

Operation *Interpreter::placeholder(size_t number, bool isEnd, const StateNow &state,
                                    ValueRange values) {
  SmallVector<mlir::Value> operands(values);
  llvm::append_range(operands, state.values);
  auto name = FlatSymbolRefAttr::get(b.getContext(), keptCalls[number].name);
  auto op = CallOp::create(b, TypeRange(), name, operands, ArrayAttr(), ArrayAttr());
  op->setAttr(kCallNumber, b.getI64IntegerAttr(number));
  if (isEnd)
    op->setAttr(kCallEnd, b.getUnitAttr());
  return op;
}

std::optional<int> Interpreter::stateNumber(OpOperand &use) const {
  int64_t number = keptNumber(use.getOwner());
  if (number < 0)
    return std::nullopt;
  const KeptCall &call = keptCalls[number];
  bool isEnd = use.getOwner()->hasAttr(kCallEnd);
  size_t first = isEnd ? call.results : call.arguments;
  if (use.getOperandNumber() < first)
    return std::nullopt;
  return (isEnd ? call.after : call.before)[use.getOperandNumber() - first];
}

Py Interpreter::callKept(const std::string &path, script::Function &fn, std::vector<Py> args) {
  if (inPrelude || options.inlineCalls)
    return callFunction(fn, std::move(args));
  size_t number = keptCalls.size();
  KeptCall call;
  call.path = path;
  call.name = fn.name;
  SmallVector<mlir::Value> values;
  for (const Py &v : args)
    valuesOf(v, values);
  StateNow before = stateNow();
  call.arguments = values.size();
  call.before = before.numbers;
  keptCalls.push_back(std::move(call));
  placeholder(number, /*isEnd=*/false, before, values);

  Py result = callFunction(fn, std::move(args));

  values.clear();
  valuesOf(result, values);
  StateNow after = stateNow();
  for (const auto &node : fn.graph().nodes)
    if (keptCalls[number].loc.file.empty() && !node->loc.file.empty())
      keptCalls[number].loc = node->loc;
  keptCalls[number].results = values.size();
  keptCalls[number].after = after.numbers;
  placeholder(number, /*isEnd=*/true, after, values);
  return result;
}

//===----------------------------------------------------------------------===//
// Modules and their symbols
//===----------------------------------------------------------------------===//

namespace {

struct Scope {
  evox::ModuleOp op;
  Scope *parent = nullptr;
  unsigned depth = 0;
  llvm::StringMap<Operation *> symbols;
  llvm::StringMap<Scope *> children;
  /// Names that functions here and below use for symbols further out.
  llvm::StringSet<> reserved;
};

using Contents = llvm::MapVector<Attribute, mlir::Value>;

class Outliner {
public:
  Outliner(evox::ModuleOp top, Interpreter &in, ArrayRef<SymbolRefAttr> slots)
      : in(in), slots(slots), context(top.getContext()), builder(context) {
    root = addScope(top, nullptr);
  }
  void run();

private:
  struct Pair {
    CallOp begin, end;
  };
  struct Open {
    size_t number;
    Contents content; ///< when the call begins
  };
  /// What crosses from the code of a call to what is around it.
  struct Crossing {
    SmallVector<Operation *> ops;
    llvm::DenseSet<Operation *> isTop;
    SmallVector<mlir::Value> inputs;  ///< in the order of use
    SmallVector<mlir::Value> outputs; ///< in the order of definition
    bool isNeeded = false;
  };

  Scope *addScope(evox::ModuleOp op, Scope *parent);
  Scope *scopeAt(StringRef path);
  Operation *find(Scope *scope, ArrayRef<StringRef> parts);
  StateOp slotOf(Attribute symbol);
  SymbolRefAttr relative(Scope *from, SymbolRefAttr symbol);
  std::string nameIn(Scope *scope, StringRef name);

  void run(FuncOp entry);
  void run(Block &block);
  void runRegions(Operation *op);
  void begin(CallOp op);
  void outline(CallOp end);
  void flush(CallOp op, size_t first, ArrayRef<int> numbers,
             llvm::function_ref<bool(unsigned, mlir::Value)> isWanted);
  Crossing crossing(Interpreter::KeptCall &call, Pair pair);
  bool isWeak(OpOperand &use);
  void dropWeakUses(mlir::Value v);
  FuncOp share(Scope *scope, FuncOp func, StringRef name);

  Interpreter &in;
  ArrayRef<SymbolRefAttr> slots;
  MLIRContext *context;
  OpBuilder builder;
  std::deque<Scope> scopes;
  Scope *root;
  FuncOp entry;
  llvm::DenseMap<int64_t, Pair> pairs;
  std::vector<Open> open;
  Contents content; ///< value that each slot holds
  llvm::DenseSet<Attribute> writable;
  std::map<std::pair<Scope *, std::string>, std::vector<std::pair<llvm::hash_code, FuncOp>>>
      functions;
};

} // namespace

Scope *Outliner::addScope(evox::ModuleOp op, Scope *parent) {
  Scope &scope = scopes.emplace_back();
  scope.op = op;
  scope.parent = parent;
  scope.depth = parent ? parent->depth + 1 : 0;
  for (Operation &symbol : *op.getBodyBlock()) {
    StringRef name = SymbolTable::getSymbolName(&symbol).getValue();
    scope.symbols[name] = &symbol;
    if (auto nested = dyn_cast<evox::ModuleOp>(symbol))
      scope.children[name] = addScope(nested, &scope);
  }
  return &scope;
}

/// The module at a dotted path; makes those that hold no state.
Scope *Outliner::scopeAt(StringRef path) {
  Scope *scope = root;
  SmallVector<StringRef> parts;
  path.split(parts, '.', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    Scope *&child = scope->children[part];
    if (!child) {
      if (scope->symbols.count(part)) // a slot or function of that name
        return nullptr;
      // After the slots and the modules.
      Operation *last = nullptr;
      for (Operation &op : *scope->op.getBodyBlock())
        if (!isa<FuncOp>(op))
          last = &op;
      if (last)
        builder.setInsertionPointAfter(last);
      else
        builder.setInsertionPointToStart(scope->op.getBodyBlock());
      auto op = evox::ModuleOp::create(builder, UnknownLoc::get(context), part);
      scope->symbols[part] = op;
      child = addScope(op, scope);
    }
    scope = child;
  }
  return scope;
}

Operation *Outliner::find(Scope *scope, ArrayRef<StringRef> parts) {
  for (StringRef part : parts.drop_back()) {
    scope = scope->children.lookup(part);
    if (!scope)
      return nullptr;
  }
  return scope->symbols.lookup(parts.back());
}

static SmallVector<StringRef> partsOf(SymbolRefAttr symbol) {
  SmallVector<StringRef> parts = {symbol.getRootReference().getValue()};
  for (FlatSymbolRefAttr part : symbol.getNestedReferences())
    parts.push_back(part.getValue());
  return parts;
}

static SymbolRefAttr symbolFrom(MLIRContext *context, ArrayRef<StringRef> parts) {
  SmallVector<FlatSymbolRefAttr> nested;
  for (StringRef part : parts.drop_front())
    nested.push_back(FlatSymbolRefAttr::get(context, part));
  return SymbolRefAttr::get(context, parts[0], nested);
}

/// How a function of `from` names a symbol that the root names `symbol`; null
/// where other symbols of that name are in the way.
SymbolRefAttr Outliner::relative(Scope *from, SymbolRefAttr symbol) {
  SmallVector<StringRef> parts = partsOf(symbol);
  Operation *target = find(root, parts);
  SmallVector<Scope *> chain; // from the root
  for (Scope *scope = from; scope; scope = scope->parent)
    chain.insert(chain.begin(), scope);
  unsigned common = 0;
  while (common + 1 < parts.size() && common + 1 < chain.size() &&
         chain[common]->children.lookup(parts[common]) == chain[common + 1])
    ++common;
  for (int k = common; k >= 0; --k) {
    ArrayRef<StringRef> rest = ArrayRef(parts).drop_front(k);
    int d = (int)chain.size() - 1;
    while (d >= k && !find(chain[d], rest))
      --d;
    if (d != k || find(chain[k], rest) != target)
      continue;
    for (int i = k + 1; i < (int)chain.size(); ++i)
      chain[i]->reserved.insert(rest[0]);
    return symbolFrom(context, rest);
  }
  return {};
}

std::string Outliner::nameIn(Scope *scope, StringRef name) {
  std::string unique = name.str();
  for (int i = 1; scope->symbols.count(unique) || scope->reserved.count(unique); ++i)
    unique = name.str() + "_" + std::to_string(i);
  return unique;
}

StateOp Outliner::slotOf(Attribute symbol) {
  return dyn_cast_or_null<StateOp>(find(root, partsOf(cast<SymbolRefAttr>(symbol))));
}

//===----------------------------------------------------------------------===//
// In order
//===----------------------------------------------------------------------===//

void Outliner::run() {
  for (FuncOp func : llvm::to_vector(root->op.getOps<FuncOp>()))
    run(func);
}

void Outliner::run(FuncOp func) {
  entry = func;
  pairs.clear();
  open.clear();
  content.clear();
  writable.clear();
  SmallVector<CallOp> all;
  func.walk([&](CallOp op) {
    auto &[begin, end] = pairs[keptNumber(op)];
    (op->hasAttr(kCallEnd) ? end : begin) = op;
    all.push_back(op);
  });
  // What a walk left that was given up.
  for (CallOp op : all) {
    auto found = pairs.find(keptNumber(op));
    auto [begin, end] = found->second;
    if (begin && end && begin->getBlock() == end->getBlock())
      continue;
    if (op == begin)
      found->second.begin = {};
    else
      found->second.end = {};
    op.erase();
  }
  carryInSlots(func, in, slots, [&](Attribute symbol) { return slotOf(symbol); });
  run(func.getBody().front());
  eraseDead(func.getBody().front());
}

void import::eraseDead(Block &block) {
  block.walk([](LoadOp load) {
    if (load.use_empty())
      load.erase();
  });
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

void Outliner::run(Block &block) {
  // What a block stores at its end it may store before.
  llvm::DenseSet<Attribute> outer = std::move(writable);
  writable.clear();
  for (StoreOp store : block.getOps<StoreOp>())
    writable.insert(store.getSlot());
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto call = dyn_cast<CallOp>(op)) {
      if (call->hasAttr(kCallEnd))
        outline(call);
      else
        begin(call);
    } else if (auto load = dyn_cast<LoadOp>(op)) {
      mlir::Value &now = content[load.getSlot()];
      if (now && now.getType() == load.getType()) {
        load.replaceAllUsesWith(now);
        load.erase();
      } else {
        now = load;
      }
    } else if (auto store = dyn_cast<StoreOp>(op)) {
      if (content.lookup(store.getSlot()) == store.getValue())
        store.erase();
      else
        content[store.getSlot()] = store.getValue();
    } else if (op.getNumRegions()) {
      runRegions(&op);
    }
  }
  writable = std::move(outer);
}

void Outliner::runRegions(Operation *op) {
  // What a slot that is stored in there holds is not known at the start of a
  // loop's body, nor afterwards.
  SmallVector<Attribute> stored;
  op->walk([&](StoreOp store) { stored.push_back(store.getSlot()); });
  Contents before = content;
  auto forget = [&] {
    for (Attribute slot : stored)
      content.erase(slot);
  };
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      content = before;
      if (!isa<IfOp>(op))
        forget();
      run(block);
    }
  content = std::move(before);
  forget();
}

/// Stores what the slots should hold where `op` stands.
void Outliner::flush(CallOp op, size_t first, ArrayRef<int> numbers,
                     llvm::function_ref<bool(unsigned, mlir::Value)> isWanted) {
  for (auto [i, number] : llvm::enumerate(numbers)) {
    SymbolRefAttr slot = slots[number];
    mlir::Value value = op.getOperand(first + i);
    if (!slot || !writable.contains(slot) || content.lookup(slot) == value ||
        !isWanted(i, value) || !slotOf(slot).canHold(value.getType()))
      continue;
    builder.setInsertionPoint(op);
    StoreOp::create(builder, op.getLoc(), value, slot);
    content[slot] = value;
  }
}

void Outliner::begin(CallOp op) {
  size_t number = keptNumber(op);
  Interpreter::KeptCall &call = in.keptCalls[number];
  CallOp end = pairs[number].end;
  Block *block = op->getBlock();
  // What the caller has changed, and the callee looks at.
  flush(op, call.arguments, call.before, [&](unsigned, mlir::Value value) {
    if (llvm::is_contained(op.getOperands().take_front(call.arguments), value))
      return false;
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      Operation *at = keptNumber(user) >= 0 ? nullptr : block->findAncestorOpInBlock(*user);
      return at && op->isBeforeInBlock(at) && at->isBeforeInBlock(end);
    });
  });
  open.push_back({number, content});
}

/// A placeholder tells what the state is; that is no use of it.
bool Outliner::isWeak(OpOperand &use) { return in.stateNumber(use).has_value(); }

void Outliner::dropWeakUses(mlir::Value v) {
  while (true) { // erasing an operand moves the others
    auto use = llvm::find_if(v.getUses(), [&](OpOperand &use) { return isWeak(use); });
    if (use == v.getUses().end())
      return;
    Operation *op = use->getOwner();
    Interpreter::KeptCall &call = in.keptCalls[keptNumber(op)];
    bool isEnd = op->hasAttr(kCallEnd);
    std::vector<int> &numbers = isEnd ? call.after : call.before;
    unsigned i = use->getOperandNumber();
    numbers.erase(numbers.begin() + (i - (isEnd ? call.results : call.arguments)));
    op->eraseOperand(i);
  }
}

//===----------------------------------------------------------------------===//
// One call
//===----------------------------------------------------------------------===//

Outliner::Crossing Outliner::crossing(Interpreter::KeptCall &call, Pair pair) {
  Crossing c;
  Block *block = pair.begin->getBlock();
  for (Operation *op = pair.begin->getNextNode(); op != pair.end; op = op->getNextNode()) {
    c.ops.push_back(op);
    c.isTop.insert(op);
  }
  auto isInside = [&](Operation *op) {
    return c.isTop.contains(block->findAncestorOpInBlock(*op));
  };
  llvm::DenseSet<mlir::Value> seen;
  for (Operation *op : c.ops) {
    c.isNeeded |= !isMemoryEffectFree(op) && !isa<LoadOp>(op);
    op->walk<WalkOrder::PreOrder>([&](Operation *nested) {
      for (mlir::Value v : nested->getOperands()) {
        Operation *owner = v.getDefiningOp();
        if (!owner)
          owner = v.getParentBlock()->getParentOp();
        if (seen.insert(v).second && !isInside(owner))
          c.inputs.push_back(v);
      }
    });
    for (mlir::Value v : op->getResults()) {
      bool isOutput = llvm::any_of(v.getUses(), [&](OpOperand &use) {
        return !isWeak(use) && use.getOwner() != pair.end && !isInside(use.getOwner());
      });
      if (isOutput)
        c.outputs.push_back(v);
    }
  }
  c.isNeeded |= !c.outputs.empty();
  return c;
}

void Outliner::outline(CallOp end) {
  size_t number = keptNumber(end);
  Interpreter::KeptCall &call = in.keptCalls[number];
  Pair pair = pairs[number];
  Contents before = std::move(open.back().content);
  open.pop_back();
  struct Eraser {
    Pair pair;
    ~Eraser() {
      pair.begin.erase();
      pair.end.erase();
    }
  } eraser{pair};

  llvm::SmallDenseMap<Attribute, mlir::Value> wanted; // what the modules hold
  for (auto [i, n] : llvm::enumerate(call.before))
    if (slots[n])
      wanted[slots[n]] = pair.begin.getOperand(call.arguments + i);
  flush(end, call.results, call.after, [&](unsigned i, mlir::Value value) {
    return wanted.lookup(slots[call.after[i]]) != value;
  });

  Crossing c = crossing(call, pair);
  bool isCode = llvm::any_of(c.ops, [](Operation *op) {
    return !op->hasTrait<OpTrait::ConstantLike>();
  });
  Scope *scope = c.isNeeded && isCode ? scopeAt(call.path) : nullptr;
  if (!scope)
    return;
  SmallVector<std::pair<Operation *, SymbolRefAttr>> symbols;
  for (Operation *op : c.ops) {
    WalkResult known = op->walk([&](Operation *nested) {
      StringRef name = isa<CallOp>(nested) ? "callee" : "slot";
      if (!isa<CallOp, LoadOp, StoreOp>(nested))
        return WalkResult::advance();
      symbols.push_back({nested, relative(scope, nested->getAttrOfType<SymbolRefAttr>(name))});
      return symbols.back().second ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (known.wasInterrupted())
      return;
  }

  // The function takes what Python passes, then what else the code looks at.
  Location loc = call.loc.file.empty() ? Location(end.getLoc()) : in.locationOf(call.loc);
  builder.setInsertionPoint(entry);
  if (scope != root)
    builder.setInsertionPointToEnd(scope->op.getBodyBlock());
  auto func = FuncOp::create(builder, loc, call.name, builder.getFunctionType({}, {}));
  func.getBody().getBlocks().clear();
  Block *body = new Block();
  func.getBody().push_back(body);
  builder.setInsertionPointToEnd(body);
  IRMapping map;
  SmallVector<mlir::Value> operands;
  auto parameter = [&](mlir::Value v) {
    operands.push_back(v);
    mlir::Value argument = body->addArgument(v.getType(), loc);
    if (!map.contains(v))
      map.map(v, argument);
  };
  for (mlir::Value v : pair.begin.getOperands().take_front(call.arguments))
    parameter(v);
  // Loads what is in a slot when the call begins.
  auto load = [&](mlir::Value v) -> mlir::Value {
    for (auto &[symbol, value] : before)
      if (value == v && (!wanted.count(symbol) || wanted.lookup(symbol) == v) &&
          slotOf(symbol).canHold(v.getType()))
        if (SymbolRefAttr slot = relative(scope, cast<SymbolRefAttr>(symbol)))
          return LoadOp::create(builder, loc, v.getType(), slot);
    return {};
  };
  for (mlir::Value v : c.inputs) {
    if (map.contains(v))
      continue;
    Operation *owner = v.getDefiningOp();
    auto size = dyn_cast_or_null<tensor::DimOp>(owner);
    if (mlir::Value known = load(v)) {
      map.map(v, known);
    } else if (owner && owner->hasTrait<OpTrait::ConstantLike>()) {
      map.map(v, builder.clone(*owner)->getResult(0));
    } else if (size && size.getConstantIndex()) {
      // A size of what is there anyway.
      mlir::Value source = map.lookupOrNull(size.getSource());
      if (!source && (source = load(size.getSource())))
        map.map(size.getSource(), source);
      if (source)
        map.map(v, tensor::DimOp::create(builder, loc, source, *size.getConstantIndex()));
      else
        parameter(v);
    } else {
      parameter(v);
    }
  }

  // It returns what Python returns, then what else is looked at afterwards.
  SmallVector<mlir::Value> returned;
  for (mlir::Value v : end.getOperands().take_front(call.results))
    if (v.getDefiningOp() && c.isTop.contains(v.getDefiningOp()) &&
        !llvm::is_contained(returned, v))
      returned.push_back(v);
  SmallVector<std::pair<mlir::Value, Attribute>> loads;
  SmallVector<mlir::Value> constants;
  auto slotWith = [&](mlir::Value v) {
    for (auto &[symbol, value] : content)
      if (value == v)
        return symbol;
    return Attribute();
  };
  for (mlir::Value v : c.outputs) {
    if (llvm::is_contained(returned, v))
      continue;
    if (Attribute slot = slotWith(v))
      loads.push_back({v, slot});
    else if (v.getDefiningOp()->hasTrait<OpTrait::ConstantLike>())
      constants.push_back(v);
    else
      returned.push_back(v);
  }
  // Others that slots hold now may be asked for later.
  for (const auto &entry : content) {
    mlir::Value v = entry.second;
    if (v.getDefiningOp() && c.isTop.contains(v.getDefiningOp()) &&
        !llvm::is_contained(returned, v) &&
        llvm::none_of(loads, [&](auto &load) { return load.first == v; }))
      loads.push_back({v, entry.first});
  }

  for (auto [op, symbol] : symbols)
    op->setAttr(isa<CallOp>(op) ? "callee" : "slot", symbol);
  for (Operation *op : c.ops) {
    op->moveBefore(body, body->end());
    op->walk([&](Operation *nested) {
      for (OpOperand &use : nested->getOpOperands())
        if (mlir::Value v = map.lookupOrNull(use.get()))
          use.set(v);
    });
  }
  builder.setInsertionPointToEnd(body);
  ReturnOp::create(builder, loc, returned);
  SmallVector<Type> results(ValueRange(returned).getTypes());
  func.setFunctionType(builder.getFunctionType(
      SmallVector<Type>(ValueRange(operands).getTypes()), results));

  // Around it: the call, and the state that it leaves.
  SmallVector<StringRef> parts;
  StringRef(call.path).split(parts, '.', -1, /*KeepEmpty=*/false);
  auto isOutside = [&](OpOperand &use) { return !func->isProperAncestor(use.getOwner()); };
  auto replace = [&](mlir::Value v, mlir::Value by) {
    v.replaceUsesWithIf(by, isOutside);
    for (auto &[symbol, value] : content)
      if (value == v)
        value = by;
  };
  builder.setInsertionPoint(end);
  SmallVector<mlir::Value> replaced(returned);
  auto callOp = CallOp::create(builder, pair.begin.getLoc(), results,
                               FlatSymbolRefAttr::get(context, call.name), operands,
                               ArrayAttr(), ArrayAttr());
  for (auto [v, result] : llvm::zip_equal(returned, callOp.getResults()))
    replace(v, result);
  for (auto &[v, slot] : loads)
    replace(v, LoadOp::create(builder, callOp.getLoc(), v.getType(), cast<SymbolRefAttr>(slot)));
  for (mlir::Value v : constants)
    replace(v, builder.clone(*v.getDefiningOp())->getResult(0));
  for (Operation &op : *body)
    for (mlir::Value v : op.getResults())
      dropWeakUses(v);
  eraseDead(*body);
  func = share(scope, func, call.name);
  parts.push_back(func.getSymName());
  callOp.setCalleeAttr(symbolFrom(context, parts));
}

//===----------------------------------------------------------------------===//
// Equal functions
//===----------------------------------------------------------------------===//

static llvm::hash_code hashOf(FuncOp func) {
  llvm::hash_code hash = llvm::hash_value(func.getFunctionType().getAsOpaquePointer());
  func.getBody().walk([&](Operation *op) {
    hash = llvm::hash_combine(hash, op->getName().getAsOpaquePointer(),
                              op->getAttrDictionary().getAsOpaquePointer(),
                              op->getNumOperands());
    for (Type type : op->getResultTypes())
      hash = llvm::hash_combine(hash, type.getAsOpaquePointer());
  });
  return hash;
}

static bool areEqual(FuncOp a, FuncOp b) {
  if (a.getFunctionType() != b.getFunctionType())
    return false;
  llvm::DenseMap<mlir::Value, mlir::Value> same;
  return OperationEquivalence::isRegionEquivalentTo(
      &a.getBody(), &b.getBody(),
      [&](mlir::Value x, mlir::Value y) { return success(same.lookup(x) == y); },
      [&](mlir::Value x, mlir::Value y) { same[x] = y; },
      OperationEquivalence::IgnoreLocations);
}

/// The function of that name which does the same, or this one.
FuncOp Outliner::share(Scope *scope, FuncOp func, StringRef name) {
  auto &known = functions[{scope, name.str()}];
  llvm::hash_code hash = hashOf(func);
  for (auto &[other, candidate] : known)
    if (other == hash && areEqual(candidate, func)) {
      func.erase();
      return candidate;
    }
  std::string unique = nameIn(scope, name);
  func.setSymName(unique);
  scope->symbols[unique] = func;
  known.push_back({hash, func});
  return func;
}

void import::outlineCalls(evox::ModuleOp top, Interpreter &in, ArrayRef<SymbolRefAttr> slots) {
  Outliner(top, in, slots).run();
}

/// Whether an op of the module names this function.
static void collectUsed(evox::ModuleOp top, llvm::DenseSet<Operation *> &used) {
  top.walk([&](Operation *op) {
    SymbolRefAttr symbol;
    if (auto call = dyn_cast<CallOp>(op))
      symbol = call.getCalleeAttr();
    else if (isa<UseStateOp, VmapOp>(op))
      symbol = op->getAttrOfType<SymbolRefAttr>("function");
    if (symbol)
      used.insert(resolveSymbol(op, symbol));
  });
}

void import::eraseUncalled(evox::ModuleOp top) {
  bool isDone = false;
  while (!isDone) {
    isDone = true;
    llvm::DenseSet<Operation *> used;
    collectUsed(top, used);
    SmallVector<FuncOp> unused;
    top.walk([&](FuncOp func) {
      if (!func->hasAttr("entry") && !used.contains(func))
        unused.push_back(func);
    });
    for (FuncOp func : unused) {
      func.erase();
      isDone = false;
    }
  }
}
