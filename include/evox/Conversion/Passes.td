//===- Passes.td - Conversions out of the evox dialect ------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_CONVERSION_PASSES
#define EVOX_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertEvoxToKernels
    : Pass<"convert-evox-to-kernels", "::mlir::func::FuncOp"> {
  let summary = "Array, random and factorisation ops become calls of run-time kernels";
  let description = [{
    Turns `evox.random.*`, `evox.sort`, `evox.topk`, `evox.cumulative`,
    `evox.scatter`, `evox.nonzero`, `evox.linalg.*` and `evox.external_call`
    into `evox.kernel_call` with a `tensor.empty` per result.

    A kernel that draws advances the generator of the instance, so generator
    values carry nothing any more: each is replaced by the one that the
    function was given, and the calls say `effects`, which keeps their order.
    Lists live in the instance likewise, so every list value is replaced by the
    one that the function was given.

    Restrictions: a list stays in its slot; branches and loops that put the
    list of one slot in place of that of another one are refused.
  }];
  let dependentDialects = ["::evox::EvoxDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def EvoxLowerSums : Pass<"evox-lower-sums", "::mlir::func::FuncOp"> {
  let summary = "Sums become loops in the order of PyTorch's kernel";
  let description = [{
    A sum of floating-point numbers depends on its order. Every
    `linalg.generic` on buffers that sums up f32 or f64, over its last loops or
    over loops that others follow, becomes scf loops over vectors which add in
    the order of PyTorch's CPU kernel for contiguous tensors (`cascade_sum` in
    aten/src/ATen/native/cpu/SumKernel.cpp), so that the result is the same to
    the last bit. The body is computed on whole vectors.

    PyTorch adds with vectors of 256 bits on every x86-64, also on those that
    have wider ones.

    With several threads PyTorch splits a sum of 32768 terms or more that has
    one number as its result; this follows what it does with one thread.

    Other reductions, and bodies that cannot be repeated per lane, are left to
    `convert-linalg-to-loops`.
  }];
  let dependentDialects = [
      "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
      "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
      "::mlir::vector::VectorDialect"];
  let options = [Option<"vectorBytes", "vector-bytes", "unsigned", "32",
                        "The size of PyTorch's vectors">];
}

def EvoxExpandMath : Pass<"evox-expand-math", "::mlir::func::FuncOp"> {
  let summary = "Functions of numbers become formulas";
  let description = [{
    Math ops on f32, and on f16 and bf16 by way of it, become arith ops without
    branches, so that loops over them are vectorized. The formulas are those of
    SLEEF, which PyTorch's vectorized kernels call, or more exact ones where
    PyTorch calls Intel's library; docs/numerics.md states the accuracy of each
    and its distance from PyTorch's.

    Ops on vectors that have no formula are taken apart into scalars, which
    become calls of the C library.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertEvoxToLLVM : Pass<"convert-evox-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Bufferized functions become LLVM functions, with an entry wrapper each";
  let description = [{
    Converts functions, memrefs, scalar arithmetic, math and the evox ops that
    are left (kernel calls, lists, asserts) to the LLVM dialect, all at once.

    Every function takes the instance, `ctx`, as its first argument: memory
    comes from `evox_rt_alloc`, kernels and failures are told of it, and there
    is no global state. Every entry point gets a function of type
    `evox_entry_fn` (evox/Runtime/Program.h) that unpacks the slots, arguments
    and results, and hands over the buffers that replace a slot or a result.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // EVOX_CONVERSION_PASSES
