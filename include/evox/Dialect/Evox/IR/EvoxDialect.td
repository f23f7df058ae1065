//===- EvoxDialect.td - The evox dialect --------------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXDIALECT
#define EVOX_DIALECT_EVOX_IR_EVOXDIALECT

include "mlir/IR/OpBase.td"

def Evox_Dialect : Dialect {
  let name = "evox";
  let cppNamespace = "::evox";
  let summary = "Modules with mutable state, as stateful PyTorch programs have them";
  let description = [{
    The `evox` dialect holds what upstream MLIR lacks to describe a stateful
    TorchScript program, and nothing else: a tree of modules whose named slots
    of state are loaded and stored by functions, control flow whose branches
    may do so as well, function transforms (`use_state`, `vmap`, `grad`),
    random draws with an explicit generator, array operations that `linalg`
    has no op for, and calls to the host.

    Tensors are builtin ranked tensors of signless elements. PyTorch's `uint8`
    and `int8` are both `i8`; the ops for which the difference matters carry
    `unsigned`, and state and entry points carry `dtype`. `bool` is `i1`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 0;
  let hasConstantMaterializer = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::mlir::scf::SCFDialect"
  ];
}

class Evox_Op<string mnemonic, list<Trait> traits = []>
    : Op<Evox_Dialect, mnemonic, traits>;

#endif // EVOX_DIALECT_EVOX_IR_EVOXDIALECT
