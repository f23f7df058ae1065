//===- EntryWrappers.cpp - Entry points in the form of the C ABI ----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeCalls.h"
#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"

using namespace mlir;
using namespace evox;

FailureOr<EntryShape> evox::getEntryShape(func::FuncOp func,
                                          const StateLayout &layout) {
  EntryShape shape;
  auto dict = func->getAttrOfType<DictionaryAttr>(attr::kEntry);
  EntryInfo info = EntryInfo::get(
      func, dict ? dict : DictionaryAttr::get(func.getContext()));
  auto getDtype = [&](EntryShape::Item::Kind kind, size_t index) -> StringRef {
    if (kind == EntryShape::Item::Slot) {
      StateOp slot;
      if (index < layout.getSlots().size())
        slot = layout.getSlots()[index].op;
      return slot ? slot.getDtype().value_or("") : "";
    }
    auto &dtypes = kind == EntryShape::Item::Arg ? info.argDtypes
                                                 : info.resultDtypes;
    return index < dtypes.size() ? dtypes[index] : "";
  };
  shape.symbol = func.getSymName().str();
  auto read = [&](DictionaryAttr dict, Type type, StringRef what,
                  unsigned number) -> FailureOr<EntryShape::Item> {
    if (!isa<MemRefType, ListType, GeneratorType>(type))
      return func.emitOpError() << "is an entry point, but " << what << " #"
                                << number << " is a " << type
                                << "; entry points take and return tensors";
    using Item = EntryShape::Item;
    for (auto [name, kind] : {std::pair(attr::kSlot, Item::Slot),
                              std::pair(attr::kArg, Item::Arg),
                              std::pair(attr::kResult, Item::Result),
                              std::pair(attr::kInvariant, Item::Invariant),
                              std::pair(attr::kKept, Item::Kept)})
      if (auto index = dict ? dict.getAs<IntegerAttr>(name) : IntegerAttr())
        return Item{kind, static_cast<int32_t>(index.getInt()), type,
                    getDtype(kind, index.getInt()) == "uint8"};
    return func.emitOpError()
           << "is an entry point, but " << what << " #" << number
           << " does not say what it stands for, by '" << attr::kSlot << "', '"
           << attr::kArg << "', '" << attr::kResult
           << "', '" << attr::kInvariant << "' or '" << attr::kKept << "'";
  };
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    FailureOr<EntryShape::Item> item =
        read(func.getArgAttrDict(i), type, "argument", i);
    if (failed(item))
      return failure();
    if (auto buffer = dyn_cast<MemRefType>(type);
        item->kind == EntryShape::Item::Kept &&
        (!buffer || !buffer.hasStaticShape()))
      return func.emitOpError()
             << "keeps argument #" << i
             << " from call to call, which is no buffer of a known size";
    shape.args.push_back(*item);
  }
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    FailureOr<EntryShape::Item> item =
        read(func.getResultAttrDict(i), type, "result", i);
    if (failed(item))
      return failure();
    shape.results.push_back(*item);
  }
  if (auto once = func->getAttrOfType<FlatSymbolRefAttr>(attr::kOnce))
    shape.once = once.getValue().str();
  shape.repeats = isRepeated(func);
  return shape;
}

void evox::annotateBuffers(mlir::ModuleOp module, const EntryShape &shape) {
  auto func = module.lookupSymbol<LLVM::LLVMFuncOp>(shape.symbol);
  OpBuilder builder(module.getContext());
  unsigned at = 1; // after the instance
  for (const EntryShape::Item &item : shape.args) {
    auto type = dyn_cast<MemRefType>(item.type);
    if (!type) {
      ++at;
      continue;
    }
    // Every slot and result has memory of its own, and the run-time library
    // copies an argument that overlaps one. The host's arguments may lie
    // anywhere; the library's own buffers are aligned.
    unsigned aligned = at + 1;
    at += MemRefDescriptor::getNumUnpackedValues(type);
    int64_t width =
        llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
    auto set = [&](StringRef name, Attribute value) {
      func.setArgAttr(aligned, name, value);
    };
    set(LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
    set(LLVM::LLVMDialect::getAlignAttrName(),
        builder.getI64IntegerAttr(
            item.kind == EntryShape::Item::Arg ? width : 64));
    if (type.hasStaticShape() && type.getNumElements())
      set(LLVM::LLVMDialect::getDereferenceableAttrName(),
          builder.getI64IntegerAttr(type.getNumElements() * width));
  }
}

namespace {
/// Builds the body of a wrapper.
class Wrapper {
public:
  Wrapper(OpBuilder &builder, Location loc, RuntimeCalls &runtime,
          LLVM::LLVMFuncOp func)
      : builder(builder), loc(loc), runtime(runtime),
        context(func.getArgument(0)), arrays{func.getArgument(1),
                                             func.getArgument(2),
                                             func.getArgument(3)} {}

  /// Allocates the buffers that the calls of the function of `shape` keep.
  void allocateKept(const EntryShape &shape);
  /// Calls the function of `shape` and returns its results.
  SmallVector<Value> call(mlir::ModuleOp module, const EntryShape &shape,
                          ArrayRef<Value> invariants);
  /// Hands over what the function did not write where it belongs.
  void handOver(const EntryShape &shape, ArrayRef<Value> results);

private:
  void addBuffer(SmallVectorImpl<Value> &operands, const EntryShape::Item &item,
                 ArrayRef<Value> invariants);

  OpBuilder &builder;
  Location loc;
  RuntimeCalls &runtime;
  Value context;
  Value arrays[3]; // in the order of EntryShape::Item::Kind
  llvm::SmallDenseMap<int32_t, Value> kept; // by number
};
} // namespace

void Wrapper::allocateKept(const EntryShape &shape) {
  int64_t bytes = 0;
  SmallVector<std::pair<int32_t, int64_t>> offsets;
  for (const EntryShape::Item &item : shape.args) {
    if (item.kind != EntryShape::Item::Kept)
      continue;
    offsets.emplace_back(item.index, bytes);
    auto type = cast<MemRefType>(item.type);
    bytes += llvm::alignTo(
        type.getNumElements() *
            llvm::divideCeil(type.getElementTypeBitWidth(), 8),
        64);
  }
  if (offsets.empty())
    return;
  Value all = runtime.call(
      builder, loc, "evox_rt_alloc",
      {context, runtime.constant(builder, loc, runtime.i64, bytes)},
      runtime.ptr);
  for (auto [index, offset] : offsets)
    kept[index] = LLVM::GEPOp::create(
        builder, loc, runtime.ptr, builder.getI8Type(), all,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

void Wrapper::addBuffer(SmallVectorImpl<Value> &operands,
                        const EntryShape::Item &item,
                        ArrayRef<Value> invariants) {
  auto type = cast<MemRefType>(item.type);
  RuntimeCalls::Buffer buffer =
      item.kind == EntryShape::Item::Invariant
          ? runtime.take(builder, loc, invariants[item.index], type)
      : item.kind == EntryShape::Item::Kept
          ? runtime.at(builder, loc, kept.lookup(item.index), type)
          : runtime.load(builder, loc, arrays[item.kind], item.index, type);
  operands.append({buffer.data, buffer.data,
                   runtime.constant(builder, loc, runtime.i64, 0)});
  llvm::append_range(operands, buffer.sizes);
  llvm::append_range(operands, buffer.strides);
}

SmallVector<Value> Wrapper::call(mlir::ModuleOp module, const EntryShape &shape,
                                 ArrayRef<Value> invariants) {
  SmallVector<Value> operands{context};
  for (const EntryShape::Item &item : shape.args) {
    if (isa<MemRefType>(item.type))
      addBuffer(operands, item, invariants);
    else // a generator or list: its slot's number stands for it
      operands.push_back(
          runtime.constant(builder, loc, runtime.i32, item.index));
  }
  auto call = LLVM::CallOp::create(
      builder, loc, module.lookupSymbol<LLVM::LLVMFuncOp>(shape.symbol),
      operands);
  SmallVector<Value> results(call.getResults());
  if (shape.results.size() > 1) {
    Value all = results.pop_back_val();
    for (unsigned i = 0; i < shape.results.size(); ++i)
      results.push_back(LLVM::ExtractValueOp::create(builder, loc, all, i));
  }
  return results;
}

void Wrapper::handOver(const EntryShape &shape, ArrayRef<Value> results) {
  for (auto [item, result] : llvm::zip_equal(shape.results, results)) {
    auto type = dyn_cast<MemRefType>(item.type);
    if (!type)
      continue;
    Value view = runtime.allocate(builder, loc, runtime.view, 1);
    runtime.store(builder, loc, view, 0, result, type, item.isUnsigned);
    Value index = runtime.constant(builder, loc, runtime.i32, item.index);
    runtime.call(builder, loc,
                 item.kind == EntryShape::Item::Slot ? "evox_rt_set_slot"
                                                     : "evox_rt_set_result",
                 {context, index, view});
  }
}

void evox::buildEntryWrapper(mlir::ModuleOp module, RuntimeCalls &runtime,
                             const EntryShape &shape, const EntryShape *once) {
  auto func = module.lookupSymbol<LLVM::LLVMFuncOp>(shape.symbol);
  Location loc = func.getLoc();
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(func);
  Type ptr = runtime.ptr;
  auto wrapper = LLVM::LLVMFuncOp::create(
      builder, loc, "evox_entry." + shape.symbol,
      LLVM::LLVMFunctionType::get(
          LLVM::LLVMVoidType::get(module.getContext()), {ptr, ptr, ptr, ptr}),
      LLVM::Linkage::Internal);
  builder.setInsertionPointToStart(wrapper.addEntryBlock(builder));
  Value context = wrapper.getArgument(0);
  Wrapper parts(builder, loc, runtime, wrapper);
  SmallVector<Value> invariants;
  if (once)
    invariants = parts.call(module, *once, {});
  parts.allocateKept(shape);
  if (once || shape.repeats)
    runtime.call(builder, loc, "evox_rt_begin", {context});
  if (!shape.repeats) {
    parts.handOver(shape, parts.call(module, shape, invariants));
    LLVM::ReturnOp::create(builder, loc, ValueRange());
    return;
  }
  Block *loop = builder.createBlock(&wrapper.getBody());
  Block *exit = builder.createBlock(&wrapper.getBody());
  builder.setInsertionPointToEnd(&wrapper.getBody().front());
  LLVM::BrOp::create(builder, loc, loop);
  builder.setInsertionPointToEnd(loop);
  // The views are read in every round: a slot may have got other memory.
  parts.handOver(shape, parts.call(module, shape, invariants));
  Value next =
      runtime.call(builder, loc, "evox_rt_next", {context}, runtime.i32);
  Value more = LLVM::ICmpOp::create(
      builder, loc, LLVM::ICmpPredicate::ne, next,
      runtime.constant(builder, loc, runtime.i32, 0));
  LLVM::CondBrOp::create(builder, loc, more, loop, exit);
  builder.setInsertionPointToEnd(exit);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}
