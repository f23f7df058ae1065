//===- RuntimeCalls.h - Calls into the run-time library ---------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place of the compiler that knows what evox/Runtime/Program.h looks
// like in the LLVM dialect.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_EVOXTOLLVM_RUNTIMECALLS_H
#define EVOX_LIB_CONVERSION_EVOXTOLLVM_RUNTIMECALLS_H

#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "evox/Runtime/Program.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace evox {

/// PyTorch's number for the scalar type of `type`'s elements.
int32_t getDtype(mlir::Type elementType, bool isUnsigned);

class RuntimeCalls {
public:
  RuntimeCalls(mlir::ModuleOp module);

  mlir::Type ptr, i32, i64, f64;
  mlir::LLVM::LLVMStructType view; ///< evox_view

  /// Calls `name`, declaring it first if need be; null if it returns nothing.
  mlir::Value call(mlir::OpBuilder &builder, mlir::Location loc,
                   llvm::StringRef name, mlir::ValueRange args,
                   mlir::Type result = {});

  mlir::Value constant(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Type type, int64_t value);

  /// The address of a zero-terminated copy of `text`.
  mlir::Value string(mlir::OpBuilder &builder, mlir::Location loc,
                     llvm::StringRef text);

  /// Room on the stack for `count` elements, in the function's first block, so
  /// that a loop does not grow the stack.
  mlir::Value allocate(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Type type, int64_t count);

  /// What comes from `allocate` is needed from here on; no longer than here.
  void begin(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memory);
  void end(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memory);

  /// The address of field `path` of the view at `views[index]`.
  mlir::Value field(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value views, int64_t index,
                    llvm::ArrayRef<int32_t> path);

  /// Writes the view of the memref descriptor `memref` to `views[index]`.
  void store(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value views,
             int64_t index, mlir::Value memref, mlir::MemRefType type,
             bool isUnsigned);

  /// What a view says about a buffer of `type`, which is contiguous: pointer,
  /// sizes and strides. Only what the type leaves open is loaded.
  struct Buffer {
    mlir::Value data;
    llvm::SmallVector<mlir::Value> sizes, strides;
  };
  Buffer load(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value views,
              int64_t index, mlir::MemRefType type);
  /// The same of the memref descriptor `memref`.
  Buffer take(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref,
              mlir::MemRefType type);
  /// The same of the memory at `data`; the type is static.
  Buffer at(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value data,
            mlir::MemRefType type);

  /// The instance, the first argument of the function around `op`.
  static mlir::Value getContext(mlir::Operation *op);

private:
  void setStrides(mlir::OpBuilder &builder, mlir::Location loc, Buffer &buffer,
                  mlir::MemRefType type);

  mlir::ModuleOp module;
  llvm::StringMap<mlir::LLVM::LLVMFuncOp> functions;
  llvm::StringMap<mlir::LLVM::GlobalOp> strings;
};

/// What an entry point's arguments and results stand for, collected before the
/// conversion takes the attributes apart.
struct EntryShape {
  struct Item {
    enum Kind { Slot, Arg, Result, Invariant, Kept } kind;
    int32_t index;
    mlir::Type type;
    bool isUnsigned; ///< i8 is uint8
  };
  std::string symbol;
  llvm::SmallVector<Item> args, results;
  std::string once; ///< the function that computes the invariants, or empty
  bool repeats = false; ///< one call may follow the other
};

mlir::FailureOr<EntryShape> getEntryShape(mlir::func::FuncOp func,
                                          const StateLayout &layout);

/// Tells LLVM what it may assume of the buffers that the converted function of
/// `shape` is given.
void annotateBuffers(mlir::ModuleOp module, const EntryShape &shape);

/// Makes the `evox_entry_fn` that calls the converted function of `shape`, in a
/// loop where it repeats. `once` is what its invariants come from, or null.
void buildEntryWrapper(mlir::ModuleOp module, RuntimeCalls &runtime,
                       const EntryShape &shape, const EntryShape *once);

} // namespace evox

#endif // EVOX_LIB_CONVERSION_EVOXTOLLVM_RUNTIMECALLS_H
