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

FailureOr<EntryShape> evox::getEntryShape(func::FuncOp func) {
  EntryShape shape;
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
        return Item{kind, static_cast<int32_t>(index.getInt()), type};
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
    // The library knows the dtype; only i8 could be taken for another one.
    runtime.store(builder, loc, view, 0, result, type, /*isUnsigned=*/false);
    Value index = runtime.constant(builder, loc, runtime.i32, item.index);
    runtime.call(builder, loc,
                 item.kind == EntryShape::Item::Slot ? "evox_rt_set_slot"
                                                     : "evox_rt_set_result",
                 {context, index, view});
  }
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}
