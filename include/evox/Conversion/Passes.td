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

def EvoxMatmulToKernels : Pass<"evox-matmul-to-kernels", "::mlir::func::FuncOp"> {
  let summary = "Larger products of matrices become calls of a run-time kernel";
  let description = [{
    Turns `linalg.matmul` and `linalg.batch_matmul` of f32 or f64 into calls of
    `evox_k_matmul`, which packs panels, keeps tiles in registers and shares
    rows among threads. It reads a transposed operand where that is. Small
    ones become loops, as does all else.
  }];
  let options = [Option<"minProducts", "min-products", "int64_t", "4096",
                        "The least number of products for a call">];
  let dependentDialects = ["::evox::EvoxDialect", "::mlir::arith::ArithDialect"];
}

def EvoxCountsToKernels : Pass<"evox-counts-to-kernels", "::mlir::func::FuncOp"> {
  let summary = "Counts of truths per column become calls of a run-time kernel";
  let description = [{
    A `linalg.generic` that adds up truths as numbers of 64 bits, over the
    last loop but one, becomes a call of `evox_k_count`; one whose truths are
    `mask[i] and matrix[i, j]` a call of `evox_k_count_where`, which reads the
    rows of the mask only. Where the numbers come from an op that makes the
    truths as well, those are counted, and the numbers are never stored. So a
    population is sorted into fronts in one pass over who dominates whom.
  }];
  let options = [Option<"minElements", "min-elements", "int64_t", "4096",
                        "The least number of truths for a call">];
  let dependentDialects = ["::evox::EvoxDialect", "::mlir::arith::ArithDialect"];
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

def EvoxLowerExtremes : Pass<"evox-lower-extremes", "::mlir::func::FuncOp"> {
  let summary = "argmin and argmax go through vectors";
  let description = [{
    A `linalg.generic` on buffers that finds the least or greatest element of
    the last dimension, and where it is if asked for that, NaN before all
    others, the first one of several: each lane of a vector finds its own, and the first extreme one of
    the lanes is the result. It is the same element as before.

    Restrictions: float32 and float64 of static sizes, four vectors or more.
    Others are left to `evox-linalg-to-loops`.
  }];
  let dependentDialects = [
      "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
      "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def EvoxLinalgToLoops : Pass<"evox-linalg-to-loops", "::mlir::func::FuncOp"> {
  let summary = "linalg on buffers becomes scf loops that remember what is parallel";
  let description = [{
    As upstream's `convert-linalg-to-loops`. The loops over parallel dimensions
    carry `evox.parallel`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def EvoxSplitDraws : Pass<"evox-split-draws", "::mlir::func::FuncOp"> {
  let summary = "Large uniform draws are made by rows, near their use";
  let description = [{
    A draw of uniform numbers that only loops over its rows read becomes a call
    that goes on behind it in the generator's stream and keeps where each range
    of rows starts ("random_uniform_begin"), and a loop that draws the rows
    ("random_uniform_part"), right before their first use.
    `evox-parallelize-loops` makes tiles and tasks of it as of any other loop,
    so the numbers need not go through memory, and threads draw their own.

    Example:

    ```mlir
    evox.kernel_call "random_uniform"() outs(%r) scalars(%zero, %one) {effects} : ...
    ```

    becomes, with uses of %r behind it,

    ```mlir
    evox.kernel_call "random_uniform_begin"() outs(%room) scalars(%count, %per_task, %dtype, %zero, %one) {effects} : ...
    scf.for %i = %c0 to %rows step %c1 {
      %row = memref.subview %r[%i, 0] [1, 100] [1, 1] : ...
      evox.kernel_call "random_uniform_part"() outs(%row, %room) scalars(%task, %first, %zero, %one) {inplace} : ...
    } {evox.draw_loop = 64, evox.parallel}
    ```

    Restrictions: draws of float32 and float64 with static sizes and two
    dimensions or more.
  }];
  let options = [
    Option<"minElements", "min-elements", "int64_t", "4096",
           "Smaller draws stay whole">,
    Option<"counterBased", "counter-based", "bool", "false",
           "Of a counter-based generator no places need to be kept">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def EvoxParallelizeLoops : Pass<"evox-parallelize-loops", "::mlir::ModuleOp"> {
  let summary = "Parallel loops over the same rows become tiles, and tasks for threads";
  let description = [{
    Outermost loops that carry `evox.parallel`, count alike, and meet in no
    element of another row, become one loop over tiles of rows, with the loops
    one after the other inside, so that what one of them leaves in the cache
    the next one finds there. Of a buffer that nothing else uses, only a tile is
    left. What stands between them moves before or behind
    them where memory lets it.

    Where the work is worth it, by a count of the ops, the loop over tiles
    becomes a function of its own, which `evox_rt_parallel` runs for ranges of
    rows at once. Each row is computed as before, so the number of threads
    changes no bit. Its buffers are known to be distinct, so LLVM needs no
    checks of aliases. Draws of random numbers that the loops don't need are
    one more task, which keeps their order. What `evox-split-draws` made loops
    of is drawn a tile at a time.

    A loop over rows whose number only the run decides makes tasks by itself,
    as many as there turn out to be.

    Restrictions: loops that contain checks, calls or draws stay as they are.
  }];
  let options = [
    Option<"minTaskCost", "min-task-cost", "int64_t", "15000",
           "The least work of a task, in units of some 0.1 ns">,
    Option<"drawsAsTask", "draws-as-task", "bool", "true",
           "Draws come one after the other and may be one task">,
    Option<"tileBytes", "tile-bytes", "int64_t", "24576",
           "What a tile of rows should take up in the cache">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::scf::SCFDialect"];
}

def EvoxFlattenRows : Pass<"evox-flatten-rows", "::mlir::func::FuncOp"> {
  let summary = "Parallel loops over narrow rows become loops over elements";
  let description = [{
    Vectors of a few columns are mostly rest. Where each element of some rows is
    computed by itself, blocks of 16 rows become one loop over their elements,
    which lie one behind the other. What all rows share, and what is one number
    per row, is repeated on the stack, as often as a block has it.

    Example: for columns %b and rows of 10,

    ```mlir
    scf.for %i = %from to %to step %c1 {
      scf.for %j = %c0 to %c10 step %c1 {
        %x = memref.load %a[%i, %j] : memref<1000x10xf32>
        %y = memref.load %b[%j] : memref<10xf32>
        ...
    ```

    becomes

    ```mlir
    %flat = memref.collapse_shape %a [[0, 1]] : ...
    scf.for %first = %from to %middle step %c16 {
      scf.for %k = %c0 to %c160 step %c1 {
        %x = memref.load %flat[%first * 10 + %k] : memref<10000xf32>
        %y = memref.load %repeated[%k] : memref<160xf32>
        ...
    ```

    and the same once more for the rows that are left.
  }];
  let options = [
    Option<"mostColumns", "most-columns", "int64_t", "31",
           "Wider rows stay">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def EvoxAllowFastMath : Pass<"evox-allow-fast-math", "::mlir::func::FuncOp"> {
  let summary = "The program's arithmetic may be rearranged";
  let description = [{
    What `--fast-math` does: sums, differences, products and quotients of the
    program get the flags `reassoc`, `contract`, `arcp` and `nsz`, so LLVM may
    reorder them, fuse a product and a sum, and multiply by reciprocals. NaN
    and infinities keep their meaning. The formulas that functions become
    later, and the order of sums, stay as they are: they rely on each rounding.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def EvoxExpandMath : Pass<"evox-expand-math", "::mlir::func::FuncOp"> {
  let summary = "Functions of numbers become formulas";
  let description = [{
    Math ops on f32 and f64, and on f16 and bf16 by way of f32, become arith ops
    without branches, so that loops over them are vectorized. The formulas are those of
    SLEEF, which PyTorch's vectorized kernels call, or more exact ones where
    PyTorch calls Intel's library; docs/numerics.md states the accuracy of each
    and its distance from PyTorch's.

    Ops on vectors that have no formula are taken apart into scalars, which
    become calls of the C library.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def EvoxOutlineAngles : Pass<"evox-outline-angles", "::mlir::ModuleOp"> {
  let summary = "sin, cos and tan of f64 numbers become calls that LLVM can vectorize";
  let description = [{
    The formulas of these functions hold up to 2^28; beyond, the C library is
    asked. LLVM vectorizes no loop that has such a branch. So each function that
    the program needs becomes `@evox.sin` and the like, on a number, and
    `@evox.sin.v2`, `.v4` and `.v8`, on vectors, which branch once for all of
    their lanes. The code generator tells LLVM of the vector that the processor
    has.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect",
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
