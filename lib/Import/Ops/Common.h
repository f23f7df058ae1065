//===- Common.h - What the op families share --------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_OPS_COMMON_H
#define EVOX_LIB_IMPORT_OPS_COMMON_H

#include "../Interpreter.h"

namespace evox::import {

/// PyTorch's torch.result_type: dimensions outweigh 0-d tensors, which
/// outweigh Python numbers.
DType resultType(llvm::ArrayRef<TensorRef> tensors);
/// torch.get_default_dtype() of the program that is imported.
DType &defaultDType();
/// Integers become the default float dtype.
inline DType toFloat(DType d) {
  return isFloating(d) || isComplex(d) ? d : defaultDType();
}
/// float16 and bfloat16 are computed in float32.
inline DType computeType(DType d) {
  return d == DType::Half || d == DType::BFloat16 ? DType::Float : d;
}
/// The `dtype` argument, or `otherwise` where it is None.
DType dtypeArg(Call &c, DType otherwise, llvm::StringRef name = "dtype");
/// A shape argument: ints, SSA ints, 0-d tensors.
llvm::SmallVector<Dim> shapeArg(Call &c, llvm::StringRef name = "size");
/// A dims argument: normalised and sorted; all of them where None or empty.
llvm::SmallVector<int64_t> dimsArg(Call &c, const TensorRef &t,
                                   llvm::StringRef name = "dim",
                                   bool emptyMeansAll = true);
bool isFloatType(mlir::Type t);

/// Applies `body` to the tensors, cast to `dtype` and broadcast. The result of
/// `body` is of dtype `result`, or of the compute type of it, and is cast.
/// Operand `exactAt` is not rounded to a half first if it is a scalar.
Py pointwise(Call &c, llvm::ArrayRef<TensorRef> inputs, DType dtype, DType result,
             llvm::function_ref<mlir::Value(mlir::ValueRange)> body, int exactAt = -1);
/// Is `c` an op of the program, and not a step of the prelude?
bool isProgramOp(const Call &c);
/// The dimensions in the order in which PyTorch's TensorIterator goes through
/// memory, the innermost first (reorder_dimensions). Stride 0: broadcast.
llvm::SmallVector<int64_t> iterationOrder(llvm::ArrayRef<int64_t> shape,
                                          llvm::ArrayRef<llvm::SmallVector<int64_t>> strides);
/// The strides of what a TensorIterator allocates: the dimensions of `r` lie in
/// memory as they do in the inputs.
void orderAsInputs(llvm::ArrayRef<TensorRef> inputs, const TensorRef &r);
/// The strides of a copy that keeps the order of the dimensions in memory
/// (c10's infer_dense_strides).
void keepOrder(const TensorRef &from, const TensorRef &to);
/// The same for the result of a pointwise op that is made in the prelude.
void orderPreludeResult(llvm::StringRef name, llvm::ArrayRef<Py> args, const Py &result);
/// Unary float function; integers become the default dtype.
Py unaryFloat(Call &c, llvm::function_ref<mlir::Value(mlir::Value)> body);

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_OPS_COMMON_H
