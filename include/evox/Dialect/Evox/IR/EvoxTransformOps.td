//===- EvoxTransformOps.td - Function transforms ------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXTRANSFORMOPS
#define EVOX_DIALECT_EVOX_IR_EVOXTRANSFORMOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Evox_KernelCallOp : Evox_Op<"kernel_call", [
    AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Calls a kernel of the run-time library, destination style";
  let description = [{
    What the array, random and factorisation ops lower to. The kernel is a C
    function `void evox_k_NAME(evox_ctx *, const evox_view *ins..., const
    evox_view *outs..., scalars...)` (see evox/Runtime/Kernels.h), which reads
    `ins` and writes every element of `outs`; where it also reads `outs`, the
    op says `inplace`. `effects` marks a kernel that does more than that: it
    advances the generator or changes a list, so it is neither removed nor
    reordered. With `unsignedElements`, i8 is uint8. With
    `external`, the kernel is the host's function of that name instead. Scalars are i64 or f64. Works on tensors and, after
    bufferization, on memrefs.

    Example:

    ```mlir
    %r:2 = evox.kernel_call "sort"(%x) outs(%v, %i) scalars(%dim) : (tensor<8xf32>) outs(tensor<8xf32>, tensor<8xi64>) scalars(i64)
    ```
  }];
  let arguments = (ins StrAttr:$kernel, Variadic<AnyTypeOf<[AnyRankedTensor, AnyMemRef]>>:$inputs,
                       Variadic<AnyTypeOf<[AnyRankedTensor, AnyMemRef]>>:$outputs,
                       Variadic<AnyTypeOf<[I64, F64]>>:$scalars,
                       UnitAttr:$inplace, UnitAttr:$effects,
                       UnitAttr:$unsignedElements, UnitAttr:$external);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
  }];
}

def Evox_UseStateOp : Evox_Op<"use_state", [Symbol, HasParent<"ModuleOp">]> {
  let summary = "The function that takes and returns the state of another one";
  let description = [{
    Names a derived function, `use_state` of `function`: before the arguments it
    takes the tensors of the slots `keys` (names in `state_dict()`), and it returns
    them as they are afterwards before the results. The program's own slots stay
    as they are. Slots that are not in `keys`, the generator and lists stay state.
    `function` is an `evox.func`, or another derived function; `--evox-vmap`
    resolves chains of them, inside out. `entry` is as on `evox.func`.

    Example: `evox.use_state @pure of @step keys ["population", "problem.shift"]`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, SymbolRefAttr:$function,
                       StrArrayAttr:$keys, OptionalAttr<DictionaryAttr>:$entry);
  let assemblyFormat = "$sym_name `of` $function `keys` $keys attr-dict";
}

def Evox_VmapOp : Evox_Op<"vmap", [Symbol, HasParent<"ModuleOp">]> {
  let summary = "A function over a batch of arguments";
  let description = [{
    Names a derived function, `torch.func.vmap` of `function`. `in_dims` has an
    entry per argument, the dimension that holds the lanes, or `unit` (Python's
    None) for one that all lanes share; `out_dims` has one per result. The state
    of `function` is shared, too, and may not be written with a value per lane.
    There are `axis_size` lanes, else as many as the first batched argument has.
    Lane i of the result is what `function` returns for lane i of the arguments,
    also where data decides on branches and loops: a lane that is done does
    nothing more.

    `randomness` is `different` (each lane draws its own numbers), `same` or
    `error`. `chunk_size` bounds how many lanes run at a time. `strategy` is
    `mask` (lanes run together, and finished ones are frozen), `lanes` (one
    after the other), or left to the pass.

    Example:

    ```mlir
    evox.vmap @many of @pure in [0, unit] out [0] {axis_size = 8, randomness = "different"}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, SymbolRefAttr:$function,
                       ArrayAttr:$in_dims, ArrayAttr:$out_dims,
                       OptionalAttr<I64Attr>:$axis_size,
                       DefaultValuedStrAttr<StrAttr, "different">:$randomness,
                       OptionalAttr<I64Attr>:$chunk_size,
                       OptionalAttr<StrAttr>:$strategy,
                       OptionalAttr<DictionaryAttr>:$entry);
  let assemblyFormat = "$sym_name `of` $function `in` $in_dims `out` $out_dims attr-dict";
  let hasVerifier = 1;
}

def Evox_ArgumentWriteOp : Evox_Op<"argument_write", [MemoryEffects<[MemWrite]>]> {
  let summary = "The program wrote into an argument, which is now this value";
  let description = [{
    Functions don't change their arguments, so this computes nothing: `--evox-vmap`
    refuses a write of a value per lane into an argument that all lanes share, as
    PyTorch does, and drops the op.

    Example: `evox.argument_write %y, 0 : tensor<8x2xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$value, I64Attr:$argument);
  let assemblyFormat = "$value `,` $argument attr-dict `:` type($value)";
}

def Evox_ContiguousOp : Evox_Op<"contiguous", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "The value, in a buffer of row-major layout";
  let description = [{
    Nothing on tensors. In bufferization, the same buffer where that is
    row-major and a copy where not, so that the result's type is known without
    a look at what the operand comes from (see `--evox-anchor-layouts`).

    Example: `%y = evox.contiguous %x : tensor<8x2xf32>`
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXTRANSFORMOPS
