//===- EvoxRandomOps.td - Random draws ----------------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXRANDOMOPS
#define EVOX_DIALECT_EVOX_IR_EVOXRANDOMOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// A draw: takes a generator, the sizes of the dynamic dimensions of its
// result, and returns the values and the generator's successor.
class Evox_DrawOp<string mnemonic, dag extra = (ins), list<Trait> traits = []>
    : Evox_Op<"random." # mnemonic, !listconcat([Pure,
        AllTypesMatch<["generator", "next"]>], traits)> {
  let arguments = !con((ins Evox_GeneratorType:$generator), extra, (ins Variadic<Index>:$sizes));
  let results = (outs AnyRankedTensor:$values, Evox_GeneratorType:$next);
  let hasVerifier = 1;
}

def Evox_RandomUniformOp : Evox_DrawOp<"uniform", (ins F64:$from, F64:$to)> {
  let summary = "Uniform draws in [from, to)";
  let description = [{
    `torch.rand` with 0 and 1; `Tensor.uniform_(from, to)` else. float32 takes
    24 bits of one 32-bit word of the generator, float64 53 bits of two.

    Example: `%v, %h = evox.random.uniform %g from %zero to %one : tensor<8x2xf32>`
  }];
  let assemblyFormat = "$generator `from` $from `to` $to (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($values)";
}

def Evox_RandomNormalOp : Evox_DrawOp<"normal", (ins F64:$mean, F64:$std)> {
  let summary = "Normal draws with a mean and a standard deviation";
  let description = [{
    `torch.randn` with 0 and 1; `Tensor.normal_(mean, std)` else. With 16
    elements or more PyTorch's vectorised Box-Muller over blocks of 16 is
    followed, with fewer the scalar one that keeps every second draw.

    Example: `%v, %h = evox.random.normal %g mean %zero std %one : tensor<8x2xf32>`
  }];
  let assemblyFormat = "$generator `mean` $mean `std` $std (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($values)";
}

def Evox_RandomIntegersOp : Evox_DrawOp<"integers", (ins I64:$low, I64:$high)> {
  let summary = "Integer draws in [low, high)";
  let description = [{
    `torch.randint`. The result may be of any integer or float type.

    Example: `%v, %h = evox.random.integers %g low %lo high %hi : tensor<8xi64>`
  }];
  let assemblyFormat = "$generator `low` $low `high` $high (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($values)";
}

def Evox_RandomPermutationOp : Evox_DrawOp<"permutation"> {
  let summary = "A random permutation of 0 .. n-1";
  let description = [{
    `torch.randperm`, where n is the only dimension of the result.

    Example: `%v, %h = evox.random.permutation %g : tensor<8xi64>`
  }];
  let assemblyFormat = "$generator (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($values)";
}

def Evox_RandomExponentialOp : Evox_DrawOp<"exponential", (ins F64:$rate)> {
  let summary = "Exponential draws with a rate";
  let description = [{
    `Tensor.exponential_(lambd)`.

    Example: `%v, %h = evox.random.exponential %g rate %one : tensor<8xf32>`
  }];
  let assemblyFormat = "$generator `rate` $rate (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($values)";
}

def Evox_RandomBernoulliOp : Evox_DrawOp<"bernoulli", (ins AnyRankedTensor:$probabilities)> {
  let summary = "1 with the given probability, else 0";
  let description = [{
    `torch.bernoulli`: `probabilities` has the shape of the result, or is a
    scalar for `Tensor.bernoulli_(p)`; the two consume the generator
    differently, as PyTorch does.

    Example:

    ```mlir
    %v, %h = evox.random.bernoulli %g p %p : tensor<8xf32> -> tensor<8xf32>
    ```
  }];
  let assemblyFormat = "$generator `p` $probabilities (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($probabilities) `->` type($values)";
}

class Evox_LaneOp<string mnemonic, dag extra = (ins)>
    : Evox_Op<"random." # mnemonic, [Pure, AllTypesMatch<["generator", "next"]>]> {
  let arguments = !con((ins Evox_GeneratorType:$generator), extra);
  let results = (outs Evox_GeneratorType:$next);
}

def Evox_RandomBeginLanesOp : Evox_LaneOp<"begin_lanes", (ins UnitAttr:$same)> {
  let summary = "Opens a part of the program that draws lane by lane";
  let description = [{
    Remembers the generator, for `evox.random.lane` to start each lane from. With
    `same` all lanes draw the same numbers; without, lane i draws those of a
    philox generator with lane i's seed (see docs/transforms.md).

    Example: `%h = evox.random.begin_lanes %g`
  }];
  let assemblyFormat = "$generator (`same` $same^)? attr-dict";
}

def Evox_RandomLaneOp : Evox_LaneOp<"lane", (ins I64:$lane)> {
  let summary = "Starts a lane: the generator that was remembered, as lane i sees it";
  let description = [{
    Example: `%h = evox.random.lane %g, %i`
  }];
  let assemblyFormat = "$generator `,` $lane attr-dict";
}

def Evox_RandomEndLanesOp : Evox_LaneOp<"end_lanes"> {
  let summary = "Closes what `evox.random.begin_lanes` opened";
  let description = [{
    The generator goes on after the lane that drew most.

    Example: `%h = evox.random.end_lanes %g`
  }];
  let assemblyFormat = "$generator attr-dict";
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXRANDOMOPS
