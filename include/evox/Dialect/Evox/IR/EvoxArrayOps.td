//===- EvoxArrayOps.td - Arrays beyond linalg ---------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXARRAYOPS
#define EVOX_DIALECT_EVOX_IR_EVOXARRAYOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Evox_SortOp : Evox_Op<"sort", [Pure, AllTypesMatch<["input", "values"]>]> {
  let summary = "Sorts along a dimension; also returns the indices";
  let description = [{
    NaN is greater than any number. `unstable` gives equal elements the order
    that PyTorch's CPU kernel gives them without `stable=True`. With `select`
    k only element k has to be in its place, and it is the one that
    `torch.kthvalue` finds among equal ones (by Sedgewick's quick select).

    Example:

    ```mlir
    %v, %i = evox.sort %x dim 0 : tensor<8x2xf32> -> tensor<8x2xi64>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$dim,
                       UnitAttr:$descending, UnitAttr:$unstable,
                       UnitAttr:$unsignedElements,
                       OptionalAttr<I64Attr>:$select);
  let results = (outs AnyRankedTensor:$values, RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = [{
    $input `dim` $dim (`select` $select^)? (`descending` $descending^)? (`unstable` $unstable^)? (`unsigned` $unsignedElements^)? attr-dict `:` type($input) `->` type($indices)
  }];
  let hasVerifier = 1;
}

def Evox_TopKOp : Evox_Op<"topk", [Pure]> {
  let summary = "The k greatest or least elements along a dimension";
  let description = [{
    Indices of equal elements come in the order in which PyTorch's CPU kernel
    gives them (a partial sort where k * 64 <= n, else nth_element and a sort;
    both of the C++ standard library). k is the result's size along `dim`,
    given as `k` where it is dynamic.

    Example:

    ```mlir
    %v, %i = evox.topk %x dim 0 least : tensor<8xf32> -> tensor<3xf32>, tensor<3xi64>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<Index>:$k, I64Attr:$dim,
                       UnitAttr:$least, UnitAttr:$unsorted, UnitAttr:$unsignedElements);
  let results = (outs AnyRankedTensor:$values, RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = [{
    $input (`k` $k^)? `dim` $dim (`least` $least^)? (`unsorted` $unsorted^)? (`unsigned` $unsignedElements^)? attr-dict
    `:` type($input) `->` type($values) `,` type($indices)
  }];
  let hasVerifier = 1;
}

def Evox_CumulativeOp : Evox_Op<"cumulative", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "A scan along a dimension";
  let description = [{
    `torch.cumsum` and its kin. float32 sums and products accumulate as
    PyTorch's CPU kernel does (in float64). NaN wins in `max` and `min`.

    Example: `%y = evox.cumulative sum %x dim 1 : tensor<8x2xf32>`
  }];
  let arguments = (ins Evox_CumulativeKind:$kind, AnyRankedTensor:$input, I64Attr:$dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `dim` $dim attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Evox_ScatterOp : Evox_Op<"scatter", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "Writes elements at index tuples, one after the other";
  let description = [{
    `indices` has the shape of `updates` with one more last dimension, of the
    rank of `input`: element `p` of `updates` goes to
    `input[indices[p, 0], indices[p, 1], ...]`, in row-major order of `p`, so
    the last one wins. The indices are within bounds.

    Example:

    ```mlir
    %y = evox.scatter assign %u into %x at %i : tensor<3xf32> into tensor<8x2xf32> at tensor<3x2xi64>
    ```
  }];
  let arguments = (ins Evox_ScatterKind:$kind, AnyRankedTensor:$updates,
                       AnyRankedTensor:$input, RankedTensorOf<[I64]>:$indices,
                       UnitAttr:$unsignedElements);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $kind $updates `into` $input `at` $indices (`unsigned` $unsignedElements^)? attr-dict
    `:` type($updates) `into` type($input) `at` type($indices)
  }];
  let hasVerifier = 1;
}

def Evox_NonzeroOp : Evox_Op<"nonzero", [Pure]> {
  let summary = "The index tuples of the elements that are true";
  let description = [{
    Row-major order, as `torch.nonzero`. The first dimension of the result is
    the number of true elements: it is dynamic, or, where the caller has
    counted them, given as `count`.

    Example: `%i = evox.nonzero %m count %n : tensor<8x2xi1> -> tensor<?x2xi64>`
  }];
  let arguments = (ins RankedTensorOf<[I1]>:$input, Index:$count);
  let results = (outs RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = "$input `count` $count attr-dict `:` type($input) `->` type($indices)";
  let hasVerifier = 1;
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXARRAYOPS
