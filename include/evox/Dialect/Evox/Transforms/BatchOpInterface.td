//===- BatchOpInterface.td - How an op is batched -----------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_TRANSFORMS_BATCHOPINTERFACE
#define EVOX_DIALECT_EVOX_TRANSFORMS_BATCHOPINTERFACE

include "mlir/IR/OpBase.td"

def BatchOpInterface : OpInterface<"BatchOpInterface"> {
  let cppNamespace = "::evox";
  let description = [{
    The batching rule of an op: what it does for all lanes of a `vmap` at once.
    Upstream ops get theirs as external models.
  }];
  let methods = [
    InterfaceMethod<[{
        Emits what stands for the op where some operand, or a value that its
        regions use, differs from lane to lane, and maps its results.
      }], "::llvm::LogicalResult", "batch", (ins "::evox::Batcher &":$batcher)>
  ];
}

#endif // EVOX_DIALECT_EVOX_TRANSFORMS_BATCHOPINTERFACE
