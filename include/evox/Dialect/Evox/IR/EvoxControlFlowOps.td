//===- EvoxControlFlowOps.td - Control flow over state ------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXCONTROLFLOWOPS
#define EVOX_DIALECT_EVOX_IR_EVOXCONTROLFLOWOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Regions may load and store slots. `--evox-use-state` turns these ops into
// scf.if, scf.index_switch and scf.while, with the slots as further results.

def Evox_IfOp : Evox_Op<"if", [
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getRegionInvocationBounds", "getEntrySuccessorRegions"]>,
    SingleBlock, SingleBlockImplicitTerminator<"YieldOp">,
    RecursiveMemoryEffects, NoRegionArguments]> {
  let summary = "A branch that the data decides";
  let description = [{
    Example:

    ```mlir
    %r = evox.if %c -> (tensor<4xf32>) {
      evox.yield %x : tensor<4xf32>
    } else {
      evox.yield %y : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins I1:$condition);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$thenRegion, SizedRegion<1>:$elseRegion);
  let assemblyFormat = [{
    $condition (`->` `(` type($results)^ `)`)? attr-dict-with-keyword $thenRegion `else` $elseRegion
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Evox_SwitchOp : Evox_Op<"switch", [
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getRegionInvocationBounds", "getEntrySuccessorRegions"]>,
    SingleBlock, SingleBlockImplicitTerminator<"YieldOp">,
    RecursiveMemoryEffects, NoRegionArguments]> {
  let summary = "One of several branches, by index";
  let description = [{
    Runs region `index`; an index below 0 or past the end runs the first or
    the last region, as `jax.lax.switch` does.

    Example:

    ```mlir
    %r = evox.switch %i -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }, {
      evox.yield %y : tensor<f32>
    }
    ```
  }];
  let arguments = (ins Index:$index);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$branches);
  let assemblyFormat = [{
    $index (`->` `(` type($results)^ `)`)? attr-dict-with-keyword $branches
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Evox_WhileOp : Evox_Op<"while", [
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getEntrySuccessorOperands"]>,
    SingleBlock, RecursiveMemoryEffects]> {
  let summary = "A loop that the data ends";
  let description = [{
    The first region computes the condition from the carried values and ends
    with `evox.condition`, which hands values to the body (or, when the
    condition is false, to the results). The body ends with `evox.yield` of
    the next carried values.

    Example:

    ```mlir
    %r = evox.while(%x) : (tensor<f32>) -> tensor<f32> {
    ^bb0(%a: tensor<f32>):
      %v = tensor.extract %a[] : tensor<f32>
      %c = arith.cmpf olt, %v, %limit : f32
      evox.condition(%c) %a : tensor<f32>
    } do {
    ^bb0(%a: tensor<f32>):
      %b = arith.addf %a, %a : tensor<f32>
      evox.yield %b : tensor<f32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$before, SizedRegion<1>:$after);
  let assemblyFormat = [{
    `(` $inits `)` `:` functional-type($inits, $results) attr-dict-with-keyword $before `do` $after
  }];
  let hasVerifier = 1;
}

def Evox_ConditionOp : Evox_Op<"condition", [
    Pure, HasParent<"WhileOp">, Terminator,
    DeclareOpInterfaceMethods<RegionBranchTerminatorOpInterface, ["getMutableSuccessorOperands", "getSuccessorRegions"]>]> {
  let summary = "Ends the condition region of evox.while";
  let description = [{
    Example: `evox.condition(%c) %a, %b : tensor<f32>, tensor<4xi64>`
  }];
  let arguments = (ins I1:$condition, Variadic<AnyType>:$args);
  let assemblyFormat = "`(` $condition `)` attr-dict ($args^ `:` type($args))?";
}

def Evox_YieldOp : Evox_Op<"yield", [
    Pure, ReturnLike, Terminator, ParentOneOf<["IfOp", "SwitchOp", "WhileOp"]>]> {
  let summary = "Ends a region of evox.if, evox.switch or a loop's body";
  let description = [{
    Example: `evox.yield %a, %b : tensor<f32>, tensor<4xi64>`
  }];
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
  let builders = [OpBuilder<(ins), [{ /* no operands */ }]>];
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXCONTROLFLOWOPS
