//===- BufferizableOpInterfaceImpl.cpp - Bufferization of evox ops --------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace evox;

namespace {

/// Rows one after the other, wherever they begin.
bool isContiguous(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset, expected = 1;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    int64_t size = type.getDimSize(i);
    if (size != 1 && strides[i] != expected)
      return false;
    if (ShapedType::isDynamic(size) && i)
      return false;
    expected *= size;
  }
  return true;
}

struct KernelCallModel
    : DstBufferizableOpInterfaceExternalModel<KernelCallModel, KernelCallOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    auto call = cast<KernelCallOp>(op);
    return !call.isDpsInit(&operand) || call.getInplace();
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto call = cast<KernelCallOp>(op);
    Location loc = op->getLoc();
    SmallVector<Value> inputs, outputs, temporaries;
    for (Value input : call.getInputs()) {
      FailureOr<Value> buffer = getBuffer(rewriter, input, options, state);
      if (failed(buffer))
        return failure();
      inputs.push_back(*buffer);
    }
    for (Value output : call.getOutputs()) {
      FailureOr<Value> buffer = getBuffer(rewriter, output, options, state);
      if (failed(buffer))
        return failure();
      outputs.push_back(*buffer);
    }
    // Kernels write contiguous memory; other slices get a temporary.
    for (Value output : outputs) {
      auto type = cast<MemRefType>(output.getType());
      if (type.getLayout().isIdentity() || isContiguous(type)) {
        temporaries.push_back(output);
        continue;
      }
      SmallVector<Value> sizes;
      for (int64_t i = 0; i < type.getRank(); ++i)
        if (type.isDynamicDim(i))
          sizes.push_back(memref::DimOp::create(rewriter, loc, output, i));
      auto contiguous = MemRefType::get(type.getShape(), type.getElementType());
      FailureOr<Value> temporary =
          options.createAlloc(rewriter, loc, contiguous, sizes);
      if (failed(temporary) ||
          (call.getInplace() &&
           failed(options.createMemCpy(rewriter, loc, output, *temporary))))
        return failure();
      temporaries.push_back(*temporary);
    }
    KernelCallOp::create(rewriter, loc, TypeRange(), call.getKernel(), inputs,
                         temporaries, call.getScalars(), call.getInplace(),
                         call.getEffects(), call.getUnsignedElements(),
                         call.getExternal());
    for (auto [output, temporary] : llvm::zip_equal(outputs, temporaries))
      if (output != temporary &&
          failed(options.createMemCpy(rewriter, loc, temporary, output)))
        return failure();
    replaceOpWithBufferizedValues(rewriter, op, outputs);
    return success();
  }
};

/// Ops that hand memory on without a look at it.
template <typename Model, typename Op>
struct TouchesNothing : BufferizableOpInterface::ExternalModel<Model, Op> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return false;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
};

struct ListAppendModel
    : BufferizableOpInterface::ExternalModel<ListAppendModel, ListAppendOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true; // the list keeps a copy
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto append = cast<ListAppendOp>(op);
    FailureOr<Value> buffer =
        getBuffer(rewriter, append.getValue(), options, state);
    if (failed(buffer))
      return failure();
    auto type = append.getList().getType();
    rewriter.replaceOpWithNewOp<ListAppendOp>(op, type, append.getList(),
                                              *buffer);
    return success();
  }
};

struct ListGetModel : TouchesNothing<ListGetModel, ListGetOp> {
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return false; // it is the element itself, and not a copy
  }
  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(
        MemRefType::get(type.getShape(), type.getElementType()));
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &,
                          BufferizationState &) const {
    auto get = cast<ListGetOp>(op);
    auto type = cast<RankedTensorType>(get.getValue().getType());
    Value buffer = ListGetOp::create(
        rewriter, op->getLoc(),
        MemRefType::get(type.getShape(), type.getElementType()), get.getList(),
        get.getIndex());
    replaceOpWithBufferizedValues(rewriter, op, buffer);
    return success();
  }
};

struct ContiguousModel : TouchesNothing<ContiguousModel, ContiguousOp> {
  AliasingValueList getAliasingValues(Operation *op, OpOperand &,
                                      const AnalysisState &) const {
    return {{op->getResult(0), BufferRelation::Equivalent}};
  }
  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(
        MemRefType::get(type.getShape(), type.getElementType()));
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    Location loc = op->getLoc();
    FailureOr<Value> buffer =
        getBuffer(rewriter, op->getOperand(0), options, state);
    if (failed(buffer))
      return failure();
    auto type = cast<MemRefType>(buffer->getType());
    if (!type.getLayout().isIdentity()) {
      SmallVector<Value> sizes;
      for (int64_t i = 0; i < type.getRank(); ++i)
        if (type.isDynamicDim(i))
          sizes.push_back(memref::DimOp::create(rewriter, loc, *buffer, i));
      FailureOr<Value> copy = options.createAlloc(
          rewriter, loc,
          MemRefType::get(type.getShape(), type.getElementType()), sizes);
      if (failed(copy) ||
          failed(options.createMemCpy(rewriter, loc, *buffer, *copy)))
        return failure();
      buffer = copy;
    }
    replaceOpWithBufferizedValues(rewriter, op, *buffer);
    return success();
  }
};

} // namespace

void evox::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EvoxDialect *) {
    KernelCallOp::attachInterface<KernelCallModel>(*context);
    ContiguousOp::attachInterface<ContiguousModel>(*context);
    ListAppendOp::attachInterface<ListAppendModel>(*context);
    ListGetOp::attachInterface<ListGetModel>(*context);
  });
}
