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
  EntryInfo info = EntryInfo::get(
      func, func->getAttrOfType<DictionaryAttr>(attr::kEntry));
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
                              std::pair(attr::kResult, Item::Result)})
      if (auto index = dict ? dict.getAs<IntegerAttr>(name) : IntegerAttr())
        return Item{kind, static_cast<int32_t>(index.getInt()), type,
                    getDtype(kind, index.getInt()) == "uint8"};
    return func.emitOpError()
           << "is an entry point, but " << what << " #" << number
           << " does not say what it stands for, by '" << attr::kSlot << "', '"
           << attr::kArg << "' or '" << attr::kResult << "'";
  };
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    FailureOr<EntryShape::Item> item =
        read(func.getArgAttrDict(i), type, "argument", i);
    if (failed(item))
      return failure();
    shape.args.push_back(*item);
  }
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    FailureOr<EntryShape::Item> item =
        read(func.getResultAttrDict(i), type, "result", i);
    if (failed(item))
      return failure();
    shape.results.push_back(*item);
  }
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

void evox::buildEntryWrapper(mlir::ModuleOp module, RuntimeCalls &runtime,
                             const EntryShape &shape) {
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
  // In the order of EntryShape::Item::Kind.
  Value arrays[] = {wrapper.getArgument(1), wrapper.getArgument(2),
                    wrapper.getArgument(3)};

  SmallVector<Value> operands{context};
  for (const EntryShape::Item &item : shape.args) {
    auto type = dyn_cast<MemRefType>(item.type);
    if (!type) { // a generator or list: its slot's number stands for it
      operands.push_back(
          runtime.constant(builder, loc, runtime.i32, item.index));
      continue;
    }
    RuntimeCalls::Buffer buffer =
        runtime.load(builder, loc, arrays[item.kind], item.index, type);
    operands.append({buffer.data, buffer.data,
                     runtime.constant(builder, loc, runtime.i64, 0)});
    llvm::append_range(operands, buffer.sizes);
    llvm::append_range(operands, buffer.strides);
  }
  auto call = LLVM::CallOp::create(builder, loc, func, operands);

  for (auto [i, item] : llvm::enumerate(shape.results)) {
    auto type = dyn_cast<MemRefType>(item.type);
    if (!type)
      continue;
    Value result = call.getResult();
    if (shape.results.size() > 1)
      result = LLVM::ExtractValueOp::create(builder, loc, result, i);
    Value view = runtime.allocate(builder, loc, runtime.view, 1);
    runtime.store(builder, loc, view, 0, result, type, item.isUnsigned);
    Value index = runtime.constant(builder, loc, runtime.i32, item.index);
    runtime.call(builder, loc,
                 item.kind == EntryShape::Item::Slot ? "evox_rt_set_slot"
                                                     : "evox_rt_set_result",
                 {context, index, view});
  }
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}
