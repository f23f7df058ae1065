//===- RuntimeCalls.cpp - Calls into the run-time library -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeCalls.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"

using namespace mlir;
using namespace evox;

int32_t evox::getDtype(Type type, bool isUnsigned) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    switch (integer.getWidth()) {
    case 1:
      return EVOX_BOOL;
    case 8:
      return isUnsigned ? EVOX_UINT8 : EVOX_INT8;
    case 16:
      return EVOX_INT16;
    case 32:
      return EVOX_INT32;
    case 64:
      return EVOX_INT64;
    default:
      return -1;
    }
  }
  return type.isF16()    ? EVOX_FLOAT16
         : type.isBF16() ? EVOX_BFLOAT16
         : type.isF32()  ? EVOX_FLOAT32
         : type.isF64()  ? EVOX_FLOAT64
                         : -1;
}

RuntimeCalls::RuntimeCalls(mlir::ModuleOp module) : module(module) {
  MLIRContext *context = module.getContext();
  ptr = LLVM::LLVMPointerType::get(context);
  i32 = IntegerType::get(context, 32);
  i64 = IntegerType::get(context, 64);
  f64 = Float64Type::get(context);
  Type extents = LLVM::LLVMArrayType::get(i64, EVOX_MAX_RANK);
  view = LLVM::LLVMStructType::getLiteral(context,
                                          {ptr, i32, i32, extents, extents});
}

Value RuntimeCalls::call(OpBuilder &builder, Location loc, StringRef name,
                         ValueRange args, Type result) {
  LLVM::LLVMFuncOp &func = functions[name];
  if (!func) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    if (!result)
      result = LLVM::LLVMVoidType::get(module.getContext());
    func = LLVM::LLVMFuncOp::create(
        builder, module.getLoc(), name,
        LLVM::LLVMFunctionType::get(result, llvm::to_vector(args.getTypes())));
  }
  auto call = LLVM::CallOp::create(builder, loc, func, args);
  return call.getNumResults() ? call.getResult() : Value();
}

Value RuntimeCalls::constant(OpBuilder &builder, Location loc, Type type,
                             int64_t value) {
  return LLVM::ConstantOp::create(builder, loc, type,
                                  builder.getIntegerAttr(type, value));
}

Value RuntimeCalls::string(OpBuilder &builder, Location loc, StringRef text) {
  LLVM::GlobalOp &global = strings[text];
  if (!global) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    std::string terminated = text.str() + '\0';
    auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), terminated.size());
    global = LLVM::GlobalOp::create(
        builder, module.getLoc(), type, /*isConstant=*/true,
        LLVM::Linkage::Private, "evox.text." + std::to_string(strings.size()),
        builder.getStringAttr(terminated));
  }
  return LLVM::AddressOfOp::create(builder, loc, global);
}

Value RuntimeCalls::allocate(OpBuilder &builder, Location loc, Type type,
                             int64_t count) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(
      &builder.getInsertionBlock()->getParent()->front());
  return LLVM::AllocaOp::create(builder, loc, ptr, type,
                                constant(builder, loc, i64, count));
}

void RuntimeCalls::begin(OpBuilder &builder, Location loc, Value memory) {
  LLVM::LifetimeStartOp::create(builder, loc, memory);
}
void RuntimeCalls::end(OpBuilder &builder, Location loc, Value memory) {
  LLVM::LifetimeEndOp::create(builder, loc, memory);
}

Value RuntimeCalls::field(OpBuilder &builder, Location loc, Value views,
                          int64_t index, ArrayRef<int32_t> path) {
  SmallVector<LLVM::GEPArg> indices{static_cast<int32_t>(index)};
  indices.append(path.begin(), path.end());
  return LLVM::GEPOp::create(builder, loc, ptr, view, views, indices);
}

void RuntimeCalls::store(OpBuilder &builder, Location loc, Value views,
                         int64_t index, Value memref, MemRefType type,
                         bool isUnsigned) {
  MemRefDescriptor buffer(memref);
  auto set = [&](Value value, ArrayRef<int32_t> path) {
    LLVM::StoreOp::create(builder, loc, value,
                          field(builder, loc, views, index, path));
  };
  Value data = buffer.alignedPtr(builder, loc);
  int64_t offset;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)) || offset != 0)
    data = LLVM::GEPOp::create(builder, loc, ptr, type.getElementType(), data,
                               LLVM::GEPArg(buffer.offset(builder, loc)));
  set(data, {0});
  set(constant(builder, loc, i32, getDtype(type.getElementType(), isUnsigned)),
      {1});
  set(constant(builder, loc, i32, type.getRank()), {2});
  for (int32_t i = 0; i < type.getRank(); ++i) {
    set(type.isDynamicDim(i)
            ? buffer.size(builder, loc, i)
            : constant(builder, loc, i64, type.getDimSize(i)),
        {3, i});
    set(buffer.stride(builder, loc, i), {4, i});
  }
}

RuntimeCalls::Buffer RuntimeCalls::load(OpBuilder &builder, Location loc,
                                        Value views, int64_t index,
                                        MemRefType type) {
  Buffer buffer;
  buffer.data = LLVM::LoadOp::create(builder, loc, ptr,
                                     field(builder, loc, views, index, {0}));
  for (int32_t i = 0; i < type.getRank(); ++i)
    buffer.sizes.push_back(
        type.isDynamicDim(i)
            ? LLVM::LoadOp::create(builder, loc, i64,
                                   field(builder, loc, views, index, {3, i}))
                  .getResult()
            : constant(builder, loc, i64, type.getDimSize(i)));
  setStrides(builder, loc, buffer, type);
  return buffer;
}

RuntimeCalls::Buffer RuntimeCalls::take(OpBuilder &builder, Location loc,
                                        Value memref, MemRefType type) {
  MemRefDescriptor descriptor(memref);
  Buffer buffer;
  buffer.data = descriptor.alignedPtr(builder, loc);
  for (int32_t i = 0; i < type.getRank(); ++i)
    buffer.sizes.push_back(
        type.isDynamicDim(i)
            ? descriptor.size(builder, loc, i)
            : constant(builder, loc, i64, type.getDimSize(i)));
  setStrides(builder, loc, buffer, type);
  return buffer;
}

RuntimeCalls::Buffer RuntimeCalls::at(OpBuilder &builder, Location loc,
                                      Value data, MemRefType type) {
  Buffer buffer;
  buffer.data = data;
  for (int64_t size : type.getShape())
    buffer.sizes.push_back(constant(builder, loc, i64, size));
  setStrides(builder, loc, buffer, type);
  return buffer;
}

void RuntimeCalls::setStrides(OpBuilder &builder, Location loc, Buffer &buffer,
                              MemRefType type) {
  int32_t rank = type.getRank();
  buffer.strides.resize(rank);
  int64_t known = 1; // the stride, as far as it is a constant
  Value stride;
  for (int32_t i = rank; i-- > 0;) {
    buffer.strides[i] = stride ? stride : constant(builder, loc, i64, known);
    if (!stride && !type.isDynamicDim(i))
      known *= type.getDimSize(i);
    else
      stride = LLVM::MulOp::create(builder, loc, buffer.strides[i],
                                   buffer.sizes[i]);
  }
}

Value RuntimeCalls::getContext(Operation *op) {
  Region *region = op->getParentRegion();
  while (!isa<FunctionOpInterface>(region->getParentOp()))
    region = region->getParentRegion();
  return region->front().getArgument(0);
}
