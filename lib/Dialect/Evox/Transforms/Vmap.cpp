//===- Vmap.cpp - Derived functions: use_state and vmap -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Batcher.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/MapVector.h"

namespace evox {
#define GEN_PASS_DEF_EVOXVMAP
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

/// What a function takes and gives: the user's values in order, and slots.
struct Shape {
  SmallVector<unsigned> arguments, results; ///< positions of the user's
  llvm::MapVector<unsigned, unsigned> reads, writes; ///< slot -> position

  explicit Shape(func::FuncOp func) {
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (auto slot = func.getArgAttrOfType<IntegerAttr>(i, attr::kSlot))
        reads[slot.getInt()] = i;
      else
        arguments.push_back(i);
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      if (auto slot = func.getResultAttrOfType<IntegerAttr>(i, attr::kSlot))
        writes[slot.getInt()] = i;
      else
        results.push_back(i);
  }
};

bool isHandle(Type type) { return isa<GeneratorType, ListType>(type); }

class Resolver {
public:
  Resolver(mlir::ModuleOp module, const StateLayout &layout, bool philox)
      : module(module), layout(layout), philox(philox),
        builder(module.getContext()) {}

  LogicalResult run();

private:
  FailureOr<func::FuncOp> resolve(Operation *op);
  LogicalResult useState(UseStateOp op, func::FuncOp target);
  LogicalResult vmap(VmapOp op, func::FuncOp target);

  // The pieces of a vmap, where the builder stands.
  struct Lanes {
    VmapOp op;
    func::FuncOp target;
    Shape shape;
    SmallVector<std::optional<int64_t>> inDims, outDims;
    OpFoldResult count;
    int64_t staticCount;
    Randomness randomness;
    std::unique_ptr<Batcher> batcher; ///< after its analysis
  };
  LogicalResult checkDims(Lanes &lanes);
  FailureOr<SmallVector<Value>> none(Lanes &lanes, ValueRange arguments,
                                     ArrayRef<Type> results);
  bool isCheaperOneByOne(Lanes &lanes);
  FailureOr<SmallVector<Value>> together(Lanes &lanes, ValueRange arguments);
  SmallVector<Value> oneByOne(Lanes &lanes, ValueRange arguments);
  FailureOr<SmallVector<Value>> inChunks(Lanes &lanes, ValueRange arguments,
                                         int64_t size);
  FailureOr<std::unique_ptr<Batcher>> analyze(Lanes &lanes);

  Block *begin(Operation *op, StringRef name, DictionaryAttr entry,
               ArrayRef<Type> inputs, ArrayRef<Type> results,
               ArrayRef<int> inputSlots, ArrayRef<int> resultSlots);
  SmallVector<Value> inlineBody(func::FuncOp func, ValueRange arguments);
  Value move(Value value, int64_t from, int64_t to);
  Value slice(Value value, int64_t dim, OpFoldResult at, OpFoldResult size,
              bool drop);
  Value insert(Value value, Value into, int64_t dim, OpFoldResult at,
               bool dropped);

  mlir::ModuleOp module;
  const StateLayout &layout;
  bool philox;
  OpBuilder builder;
  Location where = builder.getUnknownLoc();
  llvm::StringMap<Operation *> derived;
  llvm::SetVector<Operation *> inProgress;
  llvm::DenseMap<Operation *, func::FuncOp> done;
};

} // namespace

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

LogicalResult Resolver::run() {
  SmallVector<Operation *> ops;
  layout.getRoot()->walk([&](Operation *op) {
    if (isa<UseStateOp, VmapOp>(op)) {
      ops.push_back(op);
      derived[SymbolTable::getSymbolName(op)] = op;
    }
  });
  for (Operation *op : ops)
    if (failed(resolve(op)))
      return failure();
  for (Operation *op : ops)
    op->erase();
  module.walk([](ArgumentWriteOp op) { op.erase(); });
  // What is no entry point was there for others to build on.
  if (!ops.empty())
    for (auto func : module.getOps<func::FuncOp>())
      if (!func->hasAttr(attr::kEntry))
        func.setPrivate();
  return success();
}

FailureOr<func::FuncOp> Resolver::resolve(Operation *op) {
  if (func::FuncOp func = done.lookup(op))
    return func;
  if (!inProgress.insert(op)) {
    op->emitOpError("is derived from itself");
    return failure();
  }
  auto symbol = op->getAttrOfType<SymbolRefAttr>("function");
  std::string name = getFunctionPath(symbol);
  func::FuncOp target;
  if (Operation *below = derived.lookup(name)) {
    FailureOr<func::FuncOp> made = resolve(below);
    if (failed(made))
      return failure();
    target = *made;
  } else {
    target = module.lookupSymbol<func::FuncOp>(name);
  }
  if (!target) {
    op->emitOpError() << "is derived from " << symbol
                      << ", which is no function of the program";
    return failure();
  }
  where = op->getLoc();
  LogicalResult result = success();
  if (auto state = dyn_cast<UseStateOp>(op))
    result = useState(state, target);
  else
    result = vmap(cast<VmapOp>(op), target);
  inProgress.remove(op);
  if (failed(result))
    return failure();
  return done[op] =
             module.lookupSymbol<func::FuncOp>(SymbolTable::getSymbolName(op));
}

/// Starts a function at the end of the module; slots are numbers, or -1 for
/// the user's values.
Block *Resolver::begin(Operation *op, StringRef name, DictionaryAttr entry,
                       ArrayRef<Type> inputs, ArrayRef<Type> results,
                       ArrayRef<int> inputSlots, ArrayRef<int> resultSlots) {
  builder.setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(builder, where, name,
                                   builder.getFunctionType(inputs, results));
  if (entry)
    func->setAttr(attr::kEntry, entry);
  int next = 0;
  for (auto [i, slot] : llvm::enumerate(inputSlots))
    if (slot >= 0)
      func.setArgAttr(i, attr::kSlot, builder.getI32IntegerAttr(slot));
    else if (entry)
      func.setArgAttr(i, attr::kArg, builder.getI32IntegerAttr(next++));
  next = 0;
  for (auto [i, slot] : llvm::enumerate(resultSlots))
    if (slot >= 0)
      func.setResultAttr(i, attr::kSlot, builder.getI32IntegerAttr(slot));
    else if (entry)
      func.setResultAttr(i, attr::kResult, builder.getI32IntegerAttr(next++));
  Block *block = func.addEntryBlock();
  builder.setInsertionPointToStart(block);
  return block;
}

SmallVector<Value> Resolver::inlineBody(func::FuncOp func,
                                        ValueRange arguments) {
  IRMapping mapping;
  mapping.map(func.getArguments(), arguments);
  Block &body = func.getBody().front();
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  return results;
}

//===----------------------------------------------------------------------===//
// use_state
//===----------------------------------------------------------------------===//

LogicalResult Resolver::useState(UseStateOp op, func::FuncOp target) {
  Shape shape(target);
  SmallVector<Type> inputs, results;
  SmallVector<int> inputSlots, resultSlots;
  SmallVector<unsigned> slots;
  for (auto key : op.getKeys().getAsRange<StringAttr>()) {
    const auto *slot =
        llvm::find_if(layout.getSlots(), [&](const StateSlot &s) {
          return s.name == key.getValue();
        });
    if (slot == layout.getSlots().end())
      return op.emitOpError() << "has the key '" << key.getValue()
                              << "', which is no slot of the program";
    Type type = slot->type;
    if (shape.reads.count(slot->index))
      type = target.getArgumentTypes()[shape.reads[slot->index]];
    if (isHandle(type))
      return op.emitOpError() << "has the key '" << key.getValue()
                              << "', which holds no tensor but " << type;
    if (shape.writes.count(slot->index)) {
      Type after = target.getResultTypes()[shape.writes[slot->index]];
      if (after != type)
        return op.emitOpError()
               << "changes '" << key.getValue() << "' from " << type << " to "
               << after << "; a state keeps its types, so make it of type "
               << after << " from the start";
    }
    slots.push_back(slot->index);
    inputs.push_back(type);
  }
  results = inputs;
  inputSlots.append(inputs.size(), -1);
  resultSlots = inputSlots;
  for (unsigned position : shape.arguments) {
    inputs.push_back(target.getArgumentTypes()[position]);
    inputSlots.push_back(-1);
  }
  for (auto [slot, position] : shape.reads)
    if (!llvm::is_contained(slots, slot)) {
      inputs.push_back(target.getArgumentTypes()[position]);
      inputSlots.push_back(slot);
    }
  for (unsigned position : shape.results) {
    results.push_back(target.getResultTypes()[position]);
    resultSlots.push_back(-1);
  }
  for (auto [slot, position] : shape.writes)
    if (!llvm::is_contained(slots, slot)) {
      results.push_back(target.getResultTypes()[position]);
      resultSlots.push_back(slot);
    }

  Block *block = begin(op, op.getSymName(), op.getEntryAttr(), inputs, results,
                       inputSlots, resultSlots);
  SmallVector<Value> arguments(target.getNumArguments());
  unsigned next = slots.size();
  for (unsigned position : shape.arguments)
    arguments[position] = block->getArgument(next++);
  for (auto [slot, position] : shape.reads) {
    auto *key = llvm::find(slots, slot);
    arguments[position] = key == slots.end()
                              ? block->getArgument(next++)
                              : block->getArgument(key - slots.begin());
  }
  SmallVector<Value> values = inlineBody(target, arguments), out;
  for (auto [i, slot] : llvm::enumerate(slots))
    out.push_back(shape.writes.count(slot) ? values[shape.writes[slot]]
                                           : Value(block->getArgument(i)));
  for (unsigned position : shape.results)
    out.push_back(values[position]);
  for (auto [slot, position] : shape.writes)
    if (!llvm::is_contained(slots, slot))
      out.push_back(values[position]);
  func::ReturnOp::create(builder, where, out);
  block->walk([&](ArgumentWriteOp write) {
    write.setArgument(write.getArgument() + slots.size());
  });
  return success();
}

//===----------------------------------------------------------------------===//
// vmap
//===----------------------------------------------------------------------===//

/// `value` with dimension `from` at `to`.
Value Resolver::move(Value value, int64_t from, int64_t to) {
  if (from == to)
    return value;
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < rank; ++i)
    if (i != from)
      order.push_back(i);
  order.insert(order.begin() + to, from);
  SmallVector<OpFoldResult> sizes =
                                tensor::getMixedSizes(builder, where, value),
                            moved;
  for (int64_t dim : order)
    moved.push_back(sizes[dim]);
  Value empty = tensor::EmptyOp::create(builder, where, moved,
                                        getElementTypeOrSelf(value.getType()));
  return linalg::TransposeOp::create(builder, where, value, empty, order)
      .getResult()[0];
}

Value Resolver::slice(Value value, int64_t dim, OpFoldResult at,
                      OpFoldResult size, bool drop) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, where, value);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
      strides(sizes.size(), builder.getIndexAttr(1));
  offsets[dim] = at;
  sizes[dim] = size;
  if (!drop)
    return tensor::ExtractSliceOp::create(builder, where, value, offsets, sizes,
                                          strides);
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  return tensor::ExtractSliceOp::create(
      builder, where, RankedTensorType::get(shape, type.getElementType()),
      value, offsets, sizes, strides);
}

Value Resolver::insert(Value value, Value into, int64_t dim, OpFoldResult at,
                       bool dropped) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, where, value);
  if (dropped)
    sizes.insert(sizes.begin() + dim, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
      strides(sizes.size(), builder.getIndexAttr(1));
  offsets[dim] = at;
  return tensor::InsertSliceOp::create(builder, where, value, into, offsets,
                                       sizes, strides);
}

LogicalResult Resolver::checkDims(Lanes &lanes) {
  VmapOp op = lanes.op;
  auto read = [&](ArrayAttr attrs, ArrayRef<unsigned> positions,
                  TypeRange types, StringRef what,
                  SmallVectorImpl<std::optional<int64_t>> &dims) {
    if (attrs.size() != positions.size())
      return LogicalResult(op.emitOpError()
                           << "has " << attrs.size() << " entries in '" << what
                           << "_dims', but " << op.getFunction()
                           << (what == "in" ? " takes " : " gives ")
                           << positions.size() << " tensors");
    for (auto [attr, position] : llvm::zip_equal(attrs, positions)) {
      auto number = dyn_cast<IntegerAttr>(attr);
      if (!number) {
        dims.push_back(std::nullopt);
        continue;
      }
      int64_t rank = cast<RankedTensorType>(types[position]).getRank() + 1;
      int64_t dim = number.getInt();
      if (dim < -rank || dim >= rank)
        return LogicalResult(op.emitOpError()
                             << "has " << dim << " in '" << what
                             << "_dims' for tensor " << dims.size()
                             << ", which has only " << rank
                             << " dimensions with the lanes");
      dims.push_back(dim < 0 ? dim + rank : dim);
    }
    return success();
  };
  if (failed(read(op.getInDims(), lanes.shape.arguments,
                  lanes.target.getArgumentTypes(), "in", lanes.inDims)) ||
      failed(read(op.getOutDims(), lanes.shape.results,
                  lanes.target.getResultTypes(), "out", lanes.outDims)))
    return failure();
  if (!op.getAxisSize() &&
      llvm::none_of(lanes.inDims, [](auto dim) { return dim.has_value(); }))
    return op.emitOpError("has no batched argument, so axis_size must say how "
                          "many lanes there are");
  return success();
}

LogicalResult Resolver::vmap(VmapOp op, func::FuncOp target) {
  Lanes lanes{op,     target, Shape(target),        {},
              {},     {},     ShapedType::kDynamic, Randomness::Different,
              nullptr};
  if (op.getRandomness() != "different")
    lanes.randomness =
        op.getRandomness() == "same" ? Randomness::Same : Randomness::Error;
  if (failed(checkDims(lanes)))
    return failure();
  if (op.getAxisSize())
    lanes.staticCount = *op.getAxisSize();

  SmallVector<Type> inputs, results;
  SmallVector<int> inputSlots, resultSlots;
  auto batched = [&](Type type, std::optional<int64_t> dim) -> Type {
    if (!dim)
      return type;
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> shape(tensor.getShape());
    shape.insert(shape.begin() + *dim, lanes.staticCount);
    return RankedTensorType::get(shape, tensor.getElementType());
  };
  Shape &shape = lanes.shape;
  for (auto [position, dim] : llvm::zip_equal(shape.arguments, lanes.inDims)) {
    inputs.push_back(batched(target.getArgumentTypes()[position], dim));
    inputSlots.push_back(-1);
  }
  for (auto [slot, position] : shape.reads) {
    inputs.push_back(target.getArgumentTypes()[position]);
    inputSlots.push_back(slot);
  }
  for (auto [position, dim] : llvm::zip_equal(shape.results, lanes.outDims)) {
    results.push_back(batched(target.getResultTypes()[position], dim));
    resultSlots.push_back(-1);
  }
  for (auto [slot, position] : shape.writes) {
    results.push_back(target.getResultTypes()[position]);
    resultSlots.push_back(slot);
  }
  Block *block = begin(op, op.getSymName(), op.getEntryAttr(), inputs, results,
                       inputSlots, resultSlots);
  if (op.getAxisSize()) {
    lanes.count = builder.getIndexAttr(lanes.staticCount);
  } else {
    unsigned first = 0;
    while (!lanes.inDims[first])
      ++first;
    lanes.count =
        tensor::DimOp::create(builder, where, block->getArgument(first),
                              *lanes.inDims[first])
            .getResult();
  }
  FailureOr<std::unique_ptr<Batcher>> batcher = analyze(lanes);
  if (failed(batcher))
    return failure();
  lanes.batcher = std::move(*batcher);

  ArgumentWriteOp bad;
  target.walk([&](ArgumentWriteOp write) {
    if (!bad && lanes.batcher->varies(write.getValue()) &&
        !lanes.inDims[write.getArgument()])
      bad = write;
  });
  if (bad)
    return bad.emitError("vmap: inplace arithmetic(self, *extra_args) is not "
                         "possible because there exists a Tensor `other` in "
                         "extra_args that has more elements than `self`. This "
                         "happened due to `other` being vmapped over but "
                         "`self` not being vmapped over in a vmap. Please try "
                         "to use out-of-place operators instead of inplace "
                         "arithmetic: argument ")
           << bad.getArgument() << " has None in in_dims";

  // Each lane has the one module, and one value of each of its slots.
  for (auto [slot, position] : shape.writes) {
    Value value =
        target.getBody().front().getTerminator()->getOperand(position);
    if (lanes.batcher->varies(value))
      return op.emitOpError()
             << "writes '" << layout.getSlots()[slot].name
             << "', which all lanes share, with a value per lane; use "
                "vmap(use_state(...)), which gives each lane its own state";
  }
  for (auto [i, position] : llvm::enumerate(shape.results)) {
    Value value =
        target.getBody().front().getTerminator()->getOperand(position);
    if (!lanes.outDims[i] && lanes.batcher->varies(value))
      return op.emitOpError()
             << "has None in out_dims for result " << i
             << ", which differs from lane to lane; give it a dimension";
  }

  std::optional<StringRef> strategy = op.getStrategy();
  Operation *ordered = lanes.batcher->getOrderedOp();
  if (strategy == "mask" && ordered)
    return ordered->emitError(
        "vmap: only some lanes get here, and this must be done for one lane "
        "after the other; strategy='mask' cannot");
  int64_t chunk = op.getChunkSize().value_or(0);
  bool draws = false;
  target.walk([&](Operation *inner) { draws |= isDraw(inner); });
  // A chunk's lanes would count from 0 again.
  if (chunk && philox && draws && lanes.randomness == Randomness::Different)
    strategy = "lanes";
  // Which strategy it is must not change what is drawn.
  bool isFree = !strategy && !chunk &&
                (!draws || philox || lanes.randomness == Randomness::Same);
  FailureOr<SmallVector<Value>> out = failure();
  if (lanes.staticCount == 0)
    out = none(lanes, block->getArguments(), results);
  else if (strategy == "lanes" || ordered ||
           (isFree && isCheaperOneByOne(lanes)))
    out = oneByOne(lanes, block->getArguments());
  else if (chunk && (lanes.staticCount == ShapedType::kDynamic ||
                     lanes.staticCount > chunk))
    out = inChunks(lanes, block->getArguments(), chunk);
  else
    out = together(lanes, block->getArguments());
  if (failed(out))
    return failure();
  for (auto [value, type] : llvm::zip_equal(*out, results))
    if (value.getType() != type)
      value = tensor::CastOp::create(builder, where, type, value);
  func::ReturnOp::create(builder, where, *out);
  return success();
}

FailureOr<std::unique_ptr<Batcher>> Resolver::analyze(Lanes &lanes) {
  auto batcher = std::make_unique<Batcher>(
      builder, Batcher::Options{lanes.randomness, philox});
  batcher->lanes = lanes.count;
  batcher->staticLanes = lanes.staticCount;
  SmallVector<bool> flags(lanes.target.getNumArguments(), false);
  for (auto [position, dim] :
       llvm::zip_equal(lanes.shape.arguments, lanes.inDims))
    flags[position] = dim.has_value();
  if (failed(batcher->analyze(lanes.target.getBody().front(), flags)))
    return failure();
  return batcher;
}

/// No lanes, no work: results without elements, and every slot as it was.
FailureOr<SmallVector<Value>> Resolver::none(Lanes &lanes, ValueRange arguments,
                                             ArrayRef<Type> results) {
  SmallVector<Value> out;
  for (auto [i, dim] : llvm::enumerate(lanes.outDims)) {
    auto type = cast<RankedTensorType>(results[i]);
    if (!dim || llvm::any_of(type.getShape(), ShapedType::isDynamic))
      return LogicalResult(lanes.op.emitOpError()
                           << "has no lanes, so result " << i << " of " << type
                           << " cannot be made");
    out.push_back(tensor::EmptyOp::create(builder, where, type.getShape(),
                                          type.getElementType()));
  }
  unsigned users = lanes.shape.arguments.size();
  for (auto [slot, position] : lanes.shape.writes) {
    const auto *read = lanes.shape.reads.find(slot);
    if (read == lanes.shape.reads.end())
      return LogicalResult(lanes.op.emitOpError()
                           << "has no lanes, so '"
                           << layout.getSlots()[slot].name
                           << "' gets no value");
    out.push_back(arguments[users + (read - lanes.shape.reads.begin())]);
  }
  return out;
}

/// The cost model. All lanes together pay for every branch, and for a loop as
/// often as the slowest lane; one lane after the other starts each op anew,
/// which costs about as much as 64 elements. A branch is taken to be for half
/// of the lanes.
bool Resolver::isCheaperOneByOne(Lanes &lanes) {
  int64_t ops = 0, apart = 0; // elements where lanes part
  auto count = [](TypeRange types) {
    int64_t most = 1;
    for (Type type : types)
      if (auto tensor = dyn_cast<RankedTensorType>(type))
        most = std::max(most, tensor.hasStaticShape() ? tensor.getNumElements()
                                                      : int64_t(64));
    return most;
  };
  lanes.target.getBody().front().walk([&](Operation *op) {
    if (isa<linalg::LinalgDialect>(op->getParentOp()->getDialect()))
      return; // an element's
    ++ops;
    for (Operation *at = op->getParentOp(); at != lanes.target;
         at = at->getParentOp())
      if (lanes.batcher->splits(at)) {
        apart +=
            std::max(count(op->getOperandTypes()), count(op->getResultTypes()));
        break;
      }
  });
  return apart / 2 > 64 * ops;
}

FailureOr<SmallVector<Value>> Resolver::together(Lanes &lanes,
                                                 ValueRange arguments) {
  Batcher &batcher = *lanes.batcher;
  Block &body = lanes.target.getBody().front();
  unsigned next = 0;
  for (auto [position, dim] :
       llvm::zip_equal(lanes.shape.arguments, lanes.inDims)) {
    Value value = arguments[next++];
    batcher.map(body.getArgument(position), dim ? move(value, *dim, 0) : value);
  }
  for (auto [slot, position] : lanes.shape.reads)
    batcher.map(body.getArgument(position), arguments[next++]);
  if (failed(batcher.batch(body)))
    return failure();
  SmallVector<Value> out;
  ValueRange values = body.getTerminator()->getOperands();
  for (auto [position, dim] :
       llvm::zip_equal(lanes.shape.results, lanes.outDims))
    out.push_back(dim ? move(batcher.getBatched(values[position]), 0, *dim)
                      : batcher.get(values[position]));
  for (auto [slot, position] : lanes.shape.writes)
    out.push_back(batcher.get(values[position]));
  return out;
}

/// The function as it is, in a loop over the lanes.
SmallVector<Value> Resolver::oneByOne(Lanes &lanes, ValueRange arguments) {
  func::FuncOp target = lanes.target;
  Shape &shape = lanes.shape;
  Value count = getValueOrCreateConstantIndexOp(builder, where, lanes.count);
  Value zero = arith::ConstantIndexOp::create(builder, where, 0);
  Value one = arith::ConstantIndexOp::create(builder, where, 1);
  unsigned users = shape.arguments.size();
  bool same = lanes.randomness == Randomness::Same;
  bool scoped = same || philox;
  SmallVector<Value> inits;
  for (auto [position, dim] : llvm::zip_equal(shape.results, lanes.outDims)) {
    auto type = cast<RankedTensorType>(target.getResultTypes()[position]);
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : type.getShape())
      sizes.push_back(builder.getIndexAttr(size));
    if (dim)
      sizes.insert(sizes.begin() + *dim, lanes.count);
    inits.push_back(
        tensor::EmptyOp::create(builder, where, sizes, type.getElementType()));
  }
  // A slot that all lanes write alike is what the last one leaves.
  SmallVector<Value> slots(arguments.drop_front(users));
  for (auto [slot, position] : shape.writes) {
    Value init;
    if (shape.reads.count(slot))
      init = slots[std::distance(shape.reads.begin(), shape.reads.find(slot))];
    else
      init = tensor::EmptyOp::create(
          builder, where,
          cast<RankedTensorType>(target.getResultTypes()[position]).getShape(),
          getElementTypeOrSelf(target.getResultTypes()[position]));
    if (scoped && isa<GeneratorType>(init.getType()))
      init = RandomBeginLanesOp::create(builder, where, init.getType(), init,
                                        same);
    inits.push_back(init);
  }
  auto loop = scf::ForOp::create(builder, where, zero, count, one, inits);
  builder.setInsertionPointToStart(loop.getBody());
  Value lane = loop.getInductionVar();
  SmallVector<Value> inner(target.getNumArguments());
  for (auto [i, position] : llvm::enumerate(shape.arguments)) {
    Value value = arguments[i];
    if (lanes.inDims[i])
      value = slice(value, *lanes.inDims[i], lane, builder.getIndexAttr(1),
                    /*drop=*/true);
    inner[position] = value;
  }
  for (auto [i, read] : llvm::enumerate(shape.reads))
    inner[read.second] = slots[i];
  unsigned next = shape.results.size();
  for (auto [slot, position] : shape.writes) {
    Value carried = loop.getRegionIterArg(next++);
    if (!isHandle(carried.getType()))
      continue;
    if (scoped && isa<GeneratorType>(carried.getType())) {
      Value number = arith::IndexCastOp::create(builder, where,
                                                builder.getI64Type(), lane);
      carried = RandomLaneOp::create(builder, where, carried.getType(), carried,
                                     number);
    }
    inner[shape.reads[slot]] = carried;
  }
  SmallVector<Value> values = inlineBody(target, inner), yielded;
  for (auto [i, position] : llvm::enumerate(shape.results)) {
    Value value = values[position];
    if (lanes.outDims[i])
      value = insert(value, loop.getRegionIterArg(i), *lanes.outDims[i], lane,
                     /*dropped=*/true);
    yielded.push_back(value);
  }
  for (auto [slot, position] : shape.writes)
    yielded.push_back(values[position]);
  scf::YieldOp::create(builder, where, yielded);
  builder.setInsertionPointAfter(loop);
  SmallVector<Value> out(loop.getResults());
  if (scoped)
    for (Value &value : out)
      if (isa<GeneratorType>(value.getType()))
        value =
            RandomEndLanesOp::create(builder, where, value.getType(), value);
  return out;
}

FailureOr<SmallVector<Value>>
Resolver::inChunks(Lanes &lanes, ValueRange arguments, int64_t size) {
  if (lanes.staticCount == ShapedType::kDynamic)
    return LogicalResult(
        lanes.op.emitOpError("has a chunk_size, which needs an axis_size"));
  Shape &shape = lanes.shape;
  unsigned users = shape.arguments.size();
  SmallVector<Value> current; // results so far, then slots that are written
  for (auto [position, dim] : llvm::zip_equal(shape.results, lanes.outDims)) {
    auto type = cast<RankedTensorType>(lanes.target.getResultTypes()[position]);
    SmallVector<OpFoldResult> sizes;
    for (int64_t extent : type.getShape())
      sizes.push_back(builder.getIndexAttr(extent));
    if (dim)
      sizes.insert(sizes.begin() + *dim, lanes.count);
    current.push_back(
        tensor::EmptyOp::create(builder, where, sizes, type.getElementType()));
  }
  SmallVector<Value> slots(arguments.drop_front(users));
  auto oneChunk =
      [&](Value from, int64_t extent,
          SmallVector<Value> results) -> FailureOr<SmallVector<Value>> {
    Lanes part{lanes.op,     lanes.target,     lanes.shape,
               lanes.inDims, lanes.outDims,    builder.getIndexAttr(extent),
               extent,       lanes.randomness, nullptr};
    FailureOr<std::unique_ptr<Batcher>> batcher = analyze(part);
    if (failed(batcher))
      return failure();
    part.batcher = std::move(*batcher);
    SmallVector<Value> inner;
    for (unsigned i = 0; i < users; ++i)
      inner.push_back(lanes.inDims[i]
                          ? slice(arguments[i], *lanes.inDims[i], from,
                                  builder.getIndexAttr(extent), false)
                          : arguments[i]);
    unsigned next = shape.results.size();
    for (auto [i, read] : llvm::enumerate(shape.reads)) {
      Value value = slots[i];
      // The generator goes on from chunk to chunk.
      if (isHandle(value.getType()))
        for (auto [j, write] : llvm::enumerate(shape.writes))
          if (write.first == read.first)
            value = results[next + j];
      inner.push_back(value);
    }
    FailureOr<SmallVector<Value>> values = together(part, inner);
    if (failed(values))
      return failure();
    for (unsigned i = 0; i < next; ++i)
      results[i] = lanes.outDims[i] ? insert((*values)[i], results[i],
                                             *lanes.outDims[i], from, false)
                                    : (*values)[i];
    for (unsigned j = next; j < results.size(); ++j)
      results[j] = (*values)[j];
    return results;
  };
  for (auto [slot, position] : shape.writes) {
    if (shape.reads.count(slot))
      current.push_back(
          slots[std::distance(shape.reads.begin(), shape.reads.find(slot))]);
    else
      current.push_back(tensor::EmptyOp::create(
          builder, where,
          cast<RankedTensorType>(lanes.target.getResultTypes()[position])
              .getShape(),
          getElementTypeOrSelf(lanes.target.getResultTypes()[position])));
  }
  int64_t whole = lanes.staticCount / size * size;
  Value zero = arith::ConstantIndexOp::create(builder, where, 0);
  Value end = arith::ConstantIndexOp::create(builder, where, whole);
  Value step = arith::ConstantIndexOp::create(builder, where, size);
  auto loop = scf::ForOp::create(builder, where, zero, end, step, current);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    FailureOr<SmallVector<Value>> next =
        oneChunk(loop.getInductionVar(), size,
                 SmallVector<Value>(loop.getRegionIterArgs()));
    if (failed(next))
      return failure();
    scf::YieldOp::create(builder, where, *next);
  }
  builder.setInsertionPointAfter(loop);
  SmallVector<Value> results(loop.getResults());
  if (whole == lanes.staticCount)
    return results;
  return oneChunk(end, lanes.staticCount - whole, results);
}

namespace {
struct VmapPass : evox::impl::EvoxVmapBase<VmapPass> {
  using Base::Base;

  void runOnOperation() override {
    FailureOr<StateLayout> layout = StateLayout::get(getOperation());
    if (failed(layout))
      return signalPassFailure();
    if (layout->getRoot() &&
        failed(Resolver(getOperation(), *layout, rng == "philox").run()))
      signalPassFailure();
  }
};
} // namespace
