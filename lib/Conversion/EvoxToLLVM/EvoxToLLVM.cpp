//===- EvoxToLLVM.cpp - Bufferized functions become LLVM functions --------===//
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
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringSet.h"

namespace evox {
#define GEN_PASS_DEF_CONVERTEVOXTOLLVM
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

template <typename Op>
struct Pattern : ConvertOpToLLVMPattern<Op> {
  Pattern(const LLVMTypeConverter &converter, RuntimeCalls &runtime)
      : ConvertOpToLLVMPattern<Op>(converter, /*benefit=*/10),
        runtime(runtime) {}
  RuntimeCalls &runtime;
};

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

struct LowerAlloc : Pattern<memref::AllocOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(memref::AllocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<Value> sizes, strides;
    Value bytes;
    getMemRefDescriptorSizes(loc, op.getType(), adaptor.getDynamicSizes(),
                             rewriter, sizes, strides, bytes);
    Value data =
        runtime.call(rewriter, loc, "evox_rt_alloc",
                     {RuntimeCalls::getContext(op), bytes}, runtime.ptr);
    rewriter.replaceOp(op, Value(createMemRefDescriptor(loc, op.getType(), data,
                                                        data, sizes, strides,
                                                        rewriter)));
    return success();
  }
};

struct LowerDealloc : Pattern<memref::DeallocOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(memref::DeallocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value data = MemRefDescriptor(adaptor.getMemref()).allocatedPtr(rewriter, loc);
    runtime.call(rewriter, loc, "evox_rt_free",
                 {RuntimeCalls::getContext(op), data});
    rewriter.eraseOp(op);
    return success();
  }
};

/// A bool in memory is a byte. LLVM would put it there as an i1 in a byte of
/// its own as well, but it does not vectorize such accesses.
struct LowerBoolLoad : Pattern<memref::LoadOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(memref::LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isInteger(1))
      return failure();
    Location loc = op.getLoc();
    Value at = getStridedElementPtr(rewriter, loc, op.getMemRefType(),
                                    adaptor.getMemref(), adaptor.getIndices());
    Type byte = rewriter.getI8Type();
    Value value = LLVM::LoadOp::create(rewriter, loc, byte, at);
    rewriter.replaceOpWithNewOp<LLVM::ICmpOp>(
        op, LLVM::ICmpPredicate::ne, value,
        runtime.constant(rewriter, loc, byte, 0));
    return success();
  }
};

struct LowerBoolStore : Pattern<memref::StoreOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(memref::StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getValueToStore().getType().isInteger(1))
      return failure();
    Location loc = op.getLoc();
    Value at = getStridedElementPtr(rewriter, loc, op.getMemRefType(),
                                    adaptor.getMemref(), adaptor.getIndices());
    Value byte = LLVM::ZExtOp::create(rewriter, loc, rewriter.getI8Type(),
                                      adaptor.getValue());
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, byte, at);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Kernels and the host
//===----------------------------------------------------------------------===//

struct LowerKernelCall : Pattern<KernelCallOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(KernelCallOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto store = [&](ValueRange values, TypeRange types) {
      Value views = runtime.allocate(rewriter, loc, runtime.view,
                                     std::max<int64_t>(values.size(), 1));
      runtime.begin(rewriter, loc, views);
      for (auto [i, value, type] : llvm::enumerate(values, types))
        runtime.store(rewriter, loc, views, i, value, cast<MemRefType>(type),
                      op.getUnsignedElements());
      return views;
    };
    Value ins = store(adaptor.getInputs(), op.getInputs().getTypes());
    Value outs = store(adaptor.getOutputs(), op.getOutputs().getTypes());
    SmallVector<Value> args{RuntimeCalls::getContext(op)};
    auto count = [&](ValueRange values) {
      return runtime.constant(rewriter, loc, runtime.i32, values.size());
    };
    if (op.getExternal()) {
      args.append({runtime.string(rewriter, loc, op.getKernel()), ins,
                   count(op.getInputs()), outs, count(op.getOutputs())});
      runtime.call(rewriter, loc, "evox_rt_external", args);
    } else {
      for (unsigned i = 0; i < op.getInputs().size(); ++i)
        args.push_back(runtime.field(rewriter, loc, ins, i, {}));
      for (unsigned i = 0; i < op.getOutputs().size(); ++i)
        args.push_back(runtime.field(rewriter, loc, outs, i, {}));
      llvm::append_range(args, adaptor.getScalars());
      runtime.call(rewriter, loc, ("evox_k_" + op.getKernel()).str(), args);
    }
    runtime.end(rewriter, loc, ins);
    runtime.end(rewriter, loc, outs);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerAssert : Pattern<AssertOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(AssertOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value context = RuntimeCalls::getContext(op);
    Block *before = op->getBlock();
    Block *after = rewriter.splitBlock(before, op->getIterator());
    Block *fail = rewriter.createBlock(after->getParent());

    std::string kinds;
    Value values = runtime.allocate(
        rewriter, loc, runtime.i64,
        std::max<int64_t>(adaptor.getValues().size(), 1));
    for (auto [i, value, type] :
         llvm::enumerate(adaptor.getValues(), op.getValues().getTypes())) {
      if (auto real = dyn_cast<FloatType>(type)) {
        kinds += 'f';
        if (real.getWidth() < 64)
          value = LLVM::FPExtOp::create(rewriter, loc, runtime.f64, value);
      } else {
        kinds += 'i';
        if (type.isInteger(1))
          value = LLVM::ZExtOp::create(rewriter, loc, runtime.i64, value);
        else if (value.getType() != runtime.i64)
          value = LLVM::SExtOp::create(rewriter, loc, runtime.i64, value);
      }
      Value at = LLVM::GEPOp::create(
          rewriter, loc, runtime.ptr, runtime.i64, values,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
      LLVM::StoreOp::create(rewriter, loc, value, at);
    }
    runtime.call(rewriter, loc, "evox_rt_fail",
                 {context, runtime.string(rewriter, loc, op.getMessage()),
                  runtime.string(rewriter, loc, kinds), values});
    LLVM::UnreachableOp::create(rewriter, loc);

    rewriter.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(rewriter, loc, adaptor.getCondition(), after, fail);
    rewriter.eraseOp(op);
    return success();
  }
};

/// The values that a task needs go into a record on the stack, from which a
/// function of the type that `evox_rt_parallel` calls takes them.
struct LowerParallelCall : Pattern<func::CallOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(func::CallOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op->hasAttr(kParallelCall))
      return failure();
    Location loc = op.getLoc();
    SmallVector<Value> values = getTypeConverter()->promoteOperands(
        loc, op.getOperands(), adaptor.getOperands(), rewriter);
    Value context = values[0], count = values[1];
    values.erase(values.begin() + 1);
    auto type = LLVM::LLVMStructType::getLiteral(
        rewriter.getContext(), llvm::to_vector(ValueRange(values).getTypes()));
    auto module = op->getParentOfType<mlir::ModuleOp>();
    std::string name = (op.getCallee() + ".task").str();
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(module.getBody());
      auto task = LLVM::LLVMFuncOp::create(
          rewriter, loc, name,
          LLVM::LLVMFunctionType::get(
              LLVM::LLVMVoidType::get(rewriter.getContext()),
              {runtime.ptr, runtime.i64}));
      rewriter.setInsertionPointToStart(task.addEntryBlock(rewriter));
      SmallVector<Value> operands;
      for (auto [i, field] : llvm::enumerate(type.getBody())) {
        Value at = LLVM::GEPOp::create(
            rewriter, loc, runtime.ptr, type, task.getArgument(0),
            ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(i)});
        operands.push_back(LLVM::LoadOp::create(rewriter, loc, field, at));
      }
      operands.insert(operands.begin() + 1, task.getArgument(1));
      LLVM::CallOp::create(rewriter, loc, TypeRange(), op.getCallee(),
                           operands);
      LLVM::ReturnOp::create(rewriter, loc, ValueRange());
    }
    Value record = runtime.allocate(rewriter, loc, type, 1);
    runtime.begin(rewriter, loc, record);
    for (auto [i, value] : llvm::enumerate(values))
      LLVM::StoreOp::create(
          rewriter, loc, value,
          LLVM::GEPOp::create(
              rewriter, loc, runtime.ptr, type, record,
              ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(i)}));
    Value task =
        LLVM::AddressOfOp::create(rewriter, loc, runtime.ptr, name);
    runtime.call(rewriter, loc, "evox_rt_parallel",
                 {context, task, record, count});
    runtime.end(rewriter, loc, record);
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Lists. A list is its slot's number.
//===----------------------------------------------------------------------===//

struct LowerListAppend : Pattern<ListAppendOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(ListAppendOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value view = runtime.allocate(rewriter, loc, runtime.view, 1);
    runtime.begin(rewriter, loc, view);
    runtime.store(rewriter, loc, view, 0, adaptor.getValue(),
                  cast<MemRefType>(op.getValue().getType()), false);
    runtime.call(rewriter, loc, "evox_rt_list_append",
                 {RuntimeCalls::getContext(op), adaptor.getList(), view});
    runtime.end(rewriter, loc, view);
    rewriter.replaceOp(op, adaptor.getList());
    return success();
  }
};

struct LowerListClear : Pattern<ListClearOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(ListClearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    runtime.call(rewriter, op.getLoc(), "evox_rt_list_clear",
                 {RuntimeCalls::getContext(op), adaptor.getList()});
    rewriter.replaceOp(op, adaptor.getList());
    return success();
  }
};

struct LowerListSize : Pattern<ListSizeOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(ListSizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(
        op, runtime.call(rewriter, op.getLoc(), "evox_rt_list_size",
                         {RuntimeCalls::getContext(op), adaptor.getList()},
                         runtime.i64));
    return success();
  }
};

struct LowerListGet : Pattern<ListGetOp> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(ListGetOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getValue().getType());
    Value view = runtime.allocate(rewriter, loc, runtime.view, 1);
    runtime.begin(rewriter, loc, view);
    runtime.call(rewriter, loc, "evox_rt_list_get",
                 {RuntimeCalls::getContext(op), adaptor.getList(),
                  adaptor.getIndex(), view});
    RuntimeCalls::Buffer buffer = runtime.load(rewriter, loc, view, 0, type);
    runtime.end(rewriter, loc, view);
    rewriter.replaceOp(op, Value(createMemRefDescriptor(
                               loc, type, buffer.data, buffer.data,
                               buffer.sizes, buffer.strides, rewriter)));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Math
//===----------------------------------------------------------------------===//

/// Upstream computes `exp(x) - 1`, which loses all digits of small results.
struct LowerExpM1 : Pattern<math::ExpM1Op> {
  using Pattern::Pattern;
  LogicalResult
  matchAndRewrite(math::ExpM1Op op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getType(), f32 = rewriter.getF32Type();
    if (!isa<FloatType>(type))
      return failure();
    Value x = adaptor.getOperand();
    bool narrow = type.getIntOrFloatBitWidth() < 32;
    if (narrow)
      x = LLVM::FPExtOp::create(rewriter, loc, f32, x);
    Value y = runtime.call(rewriter, loc, type.isF64() ? "expm1" : "expm1f", x,
                           x.getType());
    if (narrow)
      y = LLVM::FPTruncOp::create(rewriter, loc, type, y);
    rewriter.replaceOp(op, y);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Gives functions with a body the instance as their first argument.
void addContext(mlir::ModuleOp module) {
  Type ptr = LLVM::LLVMPointerType::get(module.getContext());
  llvm::StringSet<> changed;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal() || func->removeAttr(kNoInstance))
      continue;
    changed.insert(func.getSymName());
    (void)func.insertArgument(0, ptr, {}, func.getLoc());
  }
  module.walk([&](func::CallOp call) {
    if (changed.contains(call.getCallee()))
      call->insertOperands(0, RuntimeCalls::getContext(call));
  });
}

struct ConvertEvoxToLLVMPass
    : evox::impl::ConvertEvoxToLLVMBase<ConvertEvoxToLLVMPass> {
  void runOnOperation() override;
};

} // namespace

void ConvertEvoxToLLVMPass::runOnOperation() {
  mlir::ModuleOp module = getOperation();
  MLIRContext *context = &getContext();
  FailureOr<StateLayout> layout = StateLayout::get(module);
  if (failed(layout))
    return signalPassFailure();
  SmallVector<EntryShape> entries;
  llvm::StringMap<EntryShape> onces;
  auto takeShape = [&](func::FuncOp func) {
    FailureOr<EntryShape> shape = getEntryShape(func, *layout);
    if (succeeded(shape)) {
      func->removeAttr(attr::kEntry);
      func->removeAttr(attr::kOnce);
      func.removeArgAttrsAttr();
      func.removeResAttrsAttr();
    }
    return shape;
  };
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!func->hasAttr(attr::kEntry))
      continue;
    FailureOr<EntryShape> shape = takeShape(func);
    if (failed(shape))
      return signalPassFailure();
    entries.push_back(std::move(*shape));
  }
  for (const EntryShape &entry : entries) {
    if (entry.once.empty())
      continue;
    auto func = module.lookupSymbol<func::FuncOp>(entry.once);
    if (!func) {
      module.lookupSymbol(entry.symbol)->emitOpError()
          << "names '" << entry.once << "' as its '" << attr::kOnce
          << "', which is not there";
      return signalPassFailure();
    }
    FailureOr<EntryShape> shape = takeShape(func);
    if (failed(shape))
      return signalPassFailure();
    onces[entry.once] = std::move(*shape);
  }
  for (const EntryShape &entry : entries) {
    auto once = onces.find(entry.once);
    for (const EntryShape::Item &item : entry.args) {
      if (item.kind != EntryShape::Item::Invariant)
        continue;
      if (once != onces.end() &&
          static_cast<size_t>(item.index) < once->second.results.size() &&
          once->second.results[item.index].type == item.type)
        continue;
      module.lookupSymbol(entry.symbol)->emitOpError()
          << "takes a " << item.type
          << " as '" << attr::kInvariant << "' " << item.index
          << ", which its '" << attr::kOnce << "' does not return";
      return signalPassFailure();
    }
  }
  SmallVector<EntryShape> tasks;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!func->removeAttr(kDistinctBuffers))
      continue;
    EntryShape &shape = tasks.emplace_back();
    shape.symbol = func.getSymName().str();
    for (Type type : func.getArgumentTypes())
      shape.args.push_back({EntryShape::Item::Arg, 0, type, false});
  }
  addContext(module);

  LowerToLLVMOptions options(context);
  LLVMTypeConverter converter(context, options);
  converter.addConversion([](Type type) -> std::optional<Type> {
    if (isa<GeneratorType, ListType>(type))
      return IntegerType::get(type.getContext(), 32);
    return std::nullopt;
  });
  RuntimeCalls runtime(module);
  RewritePatternSet patterns(context);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  index::populateIndexToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns,
                                       /*approximateLog1p=*/false,
                                       /*benefit=*/2);
  populateMathToLibmConversionPatterns(patterns, /*benefit=*/1);
  patterns.add<LowerAlloc, LowerDealloc, LowerBoolLoad, LowerBoolStore,
               LowerKernelCall, LowerAssert, LowerParallelCall,
               LowerListAppend, LowerListClear, LowerListSize, LowerListGet, LowerExpM1>(
      converter, runtime);

  LLVMConversionTarget target(*context);
  target.addLegalOp<mlir::ModuleOp>();
  target.addLegalOp<evox::ModuleOp, StateOp>();
  if (failed(applyPartialConversion(module, target, std::move(patterns))))
    return signalPassFailure();

  for (auto func : module.getOps<LLVM::LLVMFuncOp>())
    if (!func.isExternal())
      func.setLinkage(LLVM::Linkage::Internal);
  for (const EntryShape &task : tasks)
    annotateBuffers(module, task);
  for (const EntryShape &entry : entries) {
    annotateBuffers(module, entry);
    const EntryShape *once =
        entry.once.empty() ? nullptr : &onces.find(entry.once)->second;
    if (once)
      annotateBuffers(module, *once);
    buildEntryWrapper(module, runtime, entry, once);
  }
}
