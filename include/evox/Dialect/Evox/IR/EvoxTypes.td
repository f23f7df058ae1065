//===- EvoxTypes.td - Types of the evox dialect -------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXTYPES
#define EVOX_DIALECT_EVOX_IR_EVOXTYPES

include "evox/Dialect/Evox/IR/EvoxDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Evox_Type<string name, string typeMnemonic> : TypeDef<Evox_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Evox_GeneratorType : Evox_Type<"Generator", "generator"> {
  let summary = "The state of a random number generator";
  let description = [{
    A linear value: every draw takes the generator and returns its successor,
    so the order of draws is the order of the SSA chain. Which generator it is
    (`torch`, the Mersenne Twister that PyTorch's CPU generator is, or
    `philox`) is an option of the compilation and not of the type.

    Example: `!evox.generator`
  }];
}

def Evox_ListType : Evox_Type<"List", "list"> {
  let summary = "A list of tensors that grows at run time";
  let description = [{
    A handle to a run-time container of the instance: a `List[Tensor]`
    attribute that a program appends to. Like the generator it is linear.
    The element type may have dynamic dimensions, one shape per element.

    Example: `!evox.list<tensor<?xf32>>`
  }];
  let parameters = (ins "::mlir::RankedTensorType":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Evox_StateKind : I32EnumAttr<"StateKind", "How a slot of state may change", [
    I32EnumAttrCase<"Constant", 0, "constant">,
    I32EnumAttrCase<"Parameter", 1, "parameter">,
    I32EnumAttrCase<"Mutable", 2, "mutable">]> {
  let cppNamespace = "::evox";
}

def Evox_CumulativeKind : I32EnumAttr<"CumulativeKind", "The operation of a scan", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Prod", 1, "prod">,
    I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">,
    I32EnumAttrCase<"LogSumExp", 4, "logsumexp">]> {
  let cppNamespace = "::evox";
}

def Evox_ScatterKind : I32EnumAttr<"ScatterKind", "What a scatter does with the old element", [
    I32EnumAttrCase<"Assign", 0, "assign">, I32EnumAttrCase<"Sum", 1, "sum">,
    I32EnumAttrCase<"Prod", 2, "prod">, I32EnumAttrCase<"Max", 3, "max">,
    I32EnumAttrCase<"Min", 4, "min">]> {
  let cppNamespace = "::evox";
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXTYPES
