//===- Passes.td - Passes over the evox dialect -------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_TRANSFORMS_PASSES
#define EVOX_DIALECT_EVOX_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def EvoxUseState : Pass<"evox-use-state", "::mlir::ModuleOp"> {
  let summary = "Makes state explicit: functions take what they read and return what they write";
  let description = [{
    Turns every `evox.func` into a `func.func` that takes the slots it reads
    (itself or through calls, branches and loops) as further arguments and
    returns the slots it writes as further results, in the order of the slots.
    A stateless function keeps its signature. `evox.if`, `evox.switch` and
    `evox.while` become `scf.if`, `scf.index_switch` and `scf.while`, with the
    slots they write as further results; `scf` loops and branches get the same.
    A slot written only on some path is read as well.

    A function with `entry` keeps it as `evox.entry` and stays public; where no
    function has one, the functions of the root module are the entry points.
    Arguments and results that hold a slot carry its number, `evox.slot`; the
    user's carry `evox.arg` and `evox.result`. The `evox.module` stays, with
    nothing but the slots and their initial values.

    The slots' types at the ends of an entry point are those of its phases;
    inside, a slot has the type that was stored last. A dimension that one side
    leaves open is cast.

    Restrictions: functions have one block and don't call themselves; other ops
    with regions may not use state inside.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def EvoxVmap : Pass<"evox-vmap", "::mlir::ModuleOp"> {
  let summary = "Resolves evox.use_state and evox.vmap, inside out";
  let description = [{
    Runs after `--evox-use-state`. Each `evox.use_state` and `evox.vmap` becomes a
    `func.func` of its name, those that others build on first.

    Under `vmap` a value that differs from lane to lane gets the lanes as its
    first dimension; other values stay as they are. Each op knows how it is
    batched (`BatchOpInterface`); one that does not is run lane by lane, with a
    remark. Branches on data run for all lanes and each lane keeps its own
    results; loops run until every lane is done, and lanes that are done keep
    their values. Where a branch or loop on data draws random numbers or calls
    the host, the whole function runs lane after lane instead.
  }];
  let options = [
    Option<"rng", "rng", "std::string", "\"torch\"",
           "Generator of random numbers: torch or philox">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def EvoxAddDestinations : Pass<"evox-add-destinations", "::mlir::ModuleOp"> {
  let summary = "Entry points write their state and results where the caller wants them";
  let description = [{
    Prepares entry points for one-shot bufferization. The new value of a slot is
    copied into the slot's own argument, and a result into an argument added for
    it (`evox.result`); the ops that compute it are told to do so right there,
    and what an entry point may not write is marked so. Bufferization then
    computes in place where it can, and copies where the old value is still
    needed. Ops that write into the same empty tensor get one each.

    What has a dynamic size or changes its type with the phase stays a result:
    a buffer of its own that the caller takes over. A slot that keeps its value
    is no result any more, nor are the generator and lists, which live in the
    instance.

    Sums that start from the same zeros get zeros of their own, which would be
    copied else.

    Slots that trade values (`a, b = b, a`) are ordered such that each is read
    before it is overwritten, with a copy where there is a cycle.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def EvoxLowerSwitches : Pass<"evox-lower-switches", "::mlir::func::FuncOp"> {
  let summary = "scf.index_switch becomes a chain of scf.if";
  let description = [{
    One-shot bufferization of MLIR 22 does not see that the result of
    `scf.index_switch` may be what its default region yields, and then writes in
    place into memory that is still needed. With `scf.if` it does see that.
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect"];
}

def EvoxOwnYields : Pass<"evox-own-yields", "::mlir::func::FuncOp"> {
  let summary = "What scf.while goes on with has memory of its own";
  let description = [{
    One-shot bufferization of MLIR 22 takes what `scf.while` yields for memory
    that the next round may overwrite, even where it is a tensor from outside the
    loop that is needed again, or the same tensor twice. Such tensors are copied.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def EvoxAnchorLayouts : Pass<"evox-anchor-layouts", "::mlir::func::FuncOp"> {
  let summary = "Results of nested branches and loops are row-major in memory";
  let description = [{
    One-shot bufferization finds the layout of a branch's result from what each
    side yields, and of that likewise, without remembering: n branches one
    after the other inside a loop take 2^n steps. With `evox.contiguous` after
    each of them it takes n.
  }];
  let dependentDialects = ["::evox::EvoxDialect"];
}

def EvoxDropWrittenResults
    : Pass<"evox-drop-written-results", "::mlir::func::FuncOp"> {
  let summary = "Entry points don't return what they wrote into its destination";
  let description = [{
    After bufferization, a result of an entry point that is the argument for the
    same slot or result has been written there, and is dropped. What is left is
    in a buffer of its own, which the caller takes over.
  }];
}

def EvoxPrepareLoops : Pass<"evox-prepare-loops", "::mlir::func::FuncOp"> {
  let summary = "Buffers on the stack move to the start of the function; copies with gaps become loops; parts are made in their places";
  let description = [{
    A buffer on the stack within a loop would take new stack in every
    iteration, so it moves out. `memref.copy` stays where it is one `memcpy`;
    upstream lowers the others to calls of a function that the run-time library
    does not have, so they become `linalg.copy`, and with that loops.
    How a size that the data decides is computed is hidden from LLVM, which
    otherwise looks into the sizes of loops for too long.

    A buffer that is copied into a slice of another one, as concatenation does
    with its parts, is that slice from the start, where nobody looks at the
    slice before the copy, nor writes into it while the buffer is still read.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def EvoxExpandOpenShapes
    : Pass<"evox-expand-open-shapes", "::mlir::func::FuncOp"> {
  let summary = "Reshapes to several open dimensions become reinterpret_cast";
  let description = [{
    `expand-strided-metadata` of MLIR 22 crashes on a `memref.expand_shape` that
    makes more than one dynamic dimension of one; this pass takes those away.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

def EvoxFoldChecks : Pass<"evox-fold-checks", "::mlir::func::FuncOp"> {
  let summary = "Checks that cannot fail go away";
  let description = [{
    An `evox.assert` whose condition holds for all values that its operands can
    have is removed: indices that come from argmin, argsort, topk, nonzero, a
    permutation or integers drawn from a known range need no check, and a
    program without checks need not save its state before each call. So are
    comparisons of integers that always have the same result.

    The range of a tensor is that of its elements. What the body of a
    `linalg.generic` yields is found by upstream's range inference, for sums up
    to two rounds.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def EvoxHoistInvariants
    : Pass<"evox-hoist-invariants", "::mlir::ModuleOp"> {
  let summary = "What every generation computes anew is computed once";
  let description = [{
    An entry point that can be called again and again (it takes no arguments
    and its phase leads to itself) is split: what depends on nothing but
    constants and slots that it does not write moves to a function of its own
    (`evox.once`), whose results become arguments (`evox.invariant`). The
    library calls that function once before the calls of a `run`, and before a
    single call. The same goes for loops that are known to run. Where another
    phase of such an entry point leads elsewhere, it is split too, so that the
    phases can share code.

    Not everything that is invariant moves, as reading a value again may cost
    more than computing it on the fly: what does is ops that take more than a
    look at each element of their result (sums, products of matrices,
    factorizations, sorts, scans), slow functions and gathers unless they make
    much out of little, small tensors that larger ops use, and operands that an
    op reads as wholes. Broadcasts and what is fused into its user stay.

    The program behaves the same: draws, calls of the host, lists and what is
    under a branch stay. Checks, and ops that may fail, move only where nothing
    that stays could have failed before them, so that the first call fails with
    the same error; then the calls need not save their state for them.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::func::FuncDialect"];
}

def EvoxKeepBuffers : Pass<"evox-keep-buffers", "::mlir::func::FuncOp"> {
  let summary = "Small buffers are the same in every generation";
  let description = [{
    Of an entry point that can be run, the buffers that a call allocates and gives
    back become arguments (`evox.kept`), allocated once before the calls. Large
    ones stay: those that are not needed at the same time take the same memory,
    and what they cost is nothing beside what they are for.
  }];
  let options = [
    Option<"largest", "largest", "int64_t", "16384",
           "Bytes of the largest buffer that is kept">,
    Option<"total", "total", "int64_t", "65536",
           "Bytes of all that are kept">
  ];
}

def EvoxForwardSlices : Pass<"evox-forward-slices", "::mlir::func::FuncOp"> {
  let summary = "Elements of a concatenation are read from its pieces";
  let description = [{
    `tensor.extract` of a `tensor.insert_slice` reads both tensors, at indices
    kept within each, and selects. So picking rows of `torch.cat([a, b])` makes
    no copy of `a` and `b`. Applies where nothing but `tensor.extract` and
    other slices uses the result, with static sizes and strides of one.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def EvoxFuseElementwise : Pass<"evox-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Elementwise linalg ops fuse, also where a value has several users";
  let description = [{
    Upstream fuses a `linalg.generic` into its only user. Here a producer
    without arithmetic (a broadcast) is first given to each of its users as a
    copy of its own; then a producer fuses into a user with the same loops also
    where others use it as well: the fused op yields both. A sum takes in only
    what nothing else uses, so that it stays a sum with one result.

    A slice of what a loop over tensors makes is made by a loop over the slice,
    and who reads single elements of a broadcast reads what is broadcast.

    A sum of squares, or of something else of one array, computes them itself.
    "All" and "any" over up to eight elements, after what they ask of has fused
    into them, are written out: no loop over these stands inside the others. A
    loop whose innermost dimension goes through what was put together of pieces
    becomes a loop for each piece. A search for the least or greatest of the
    last dimension takes nothing in, so that `evox-lower-extremes` knows it.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def EvoxVerifyStage : Pass<"evox-verify-stage", "::mlir::ModuleOp"> {
  let summary = "Fails on ops that the stage before should have lowered";
  let description = [{
    Ends each stage of the pipeline. `state`: state is explicit. `linalg`:
    nothing of the evox dialect is left but kernel calls, lists and asserts.
    `loops`: no tensors. `llvm`: nothing but the LLVM dialect. All leftovers are
    reported, each kind of op once.
  }];
  let options = [
    Option<"stage", "stage", "std::string", "", "state, linalg, loops or llvm">
  ];
}

#endif // EVOX_DIALECT_EVOX_TRANSFORMS_PASSES
