//===- EvoxModuleOps.td - Modules, state, functions ---------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXMODULEOPS
#define EVOX_DIALECT_EVOX_IR_EVOXMODULEOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/Interfaces/CallInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"

def Evox_ModuleOp : Evox_Op<"module", [
    NoRegionArguments, NoTerminator, SingleBlock, Symbol, SymbolTable,
    IsolatedFromAbove, RegionKindInterface]> {
  let summary = "A module: slots of state, functions, and nested modules";
  let description = [{
    Mirrors one `nn.Module`. Submodules nest; a submodule that two paths reach
    is one module, and the other paths refer to its symbol.

    The body holds symbols only: slots, functions, modules. A symbol is
    resolved from the module that uses it outwards: `@a::@b` is the `b` of the
    nearest enclosing symbol table that has a symbol `a` with a `b` in it.

    `phases` (on the outermost module) is the table of phases that the program
    can be in, one if there is none: per phase a dictionary with `python`, the
    values of the Python attributes that vary, and `types`, the type of each
    slot (by its dotted name) that differs from the declared one.

    Example:

    ```mlir
    evox.module @Counter {
      evox.state mutable @n "n" : tensor<i64> = dense<0> : tensor<i64>
      evox.func @next() -> tensor<i64> {
        %n = evox.load @n : tensor<i64>
        %one = arith.constant dense<1> : tensor<i64>
        %m = arith.addi %n, %one : tensor<i64>
        evox.store %m, @n : tensor<i64>
        evox.return %m : tensor<i64>
      }
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name)>];
  let extraClassDeclaration = [{
    static ::mlir::RegionKind getRegionKind(unsigned) {
      return ::mlir::RegionKind::Graph;
    }
    ::mlir::Block *getBodyBlock() { return &getBody().front(); }
  }];
}

def Evox_StateOp : Evox_Op<"state", [Symbol, HasParent<"ModuleOp">]> {
  let summary = "A named slot of state";
  let description = [{
    A slot that functions load and (a mutable one) store by symbol. `dict_name` is its dotted
    name in `state_dict()`. A `constant` never changes, a `parameter` changes
    only from outside, a `mutable` is what a run changes. The type is a ranked
    tensor, the generator, or a list of tensors. `alternatives` lists the
    further types that the slot takes in later phases. Without an initial
    value a slot starts as zeros; a list starts empty unless `elements` holds
    its initial elements. `dtype` is PyTorch's name of the element type; only
    "uint8" needs it. Dotted names are unique in a program.

    Example:

    ```mlir
    evox.state parameter @w "algorithm.w" : tensor<f32> = dense<6.0e-01> : tensor<f32>
    evox.state mutable @z "algorithm.z" : tensor<2xf32> or [tensor<1x2xf32>]
    evox.state mutable @rng "__generator__" : !evox.generator
    ```
  }];
  let arguments = (ins
    Evox_StateKind:$kind, SymbolNameAttr:$sym_name, StrAttr:$dict_name,
    TypeAttr:$type, OptionalAttr<ElementsAttr>:$initial,
    OptionalAttr<TypeArrayAttr>:$alternatives,
    OptionalAttr<ArrayAttr>:$elements,
    OptionalAttr<StrAttr>:$dtype);
  let assemblyFormat = [{
    $kind $sym_name $dict_name `:` $type (`=` $initial^)?
    (`or` $alternatives^)? (`elements` $elements^)? (`dtype` $dtype^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether `type` is the declared type or one of the alternatives.
    bool canHold(::mlir::Type type);
  }];
}

def Evox_LoadOp : Evox_Op<"load", [
    MemoryEffects<[MemRead]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Reads a slot";
  let description = [{
    Example: `%x = evox.load @algorithm::@population : tensor<1024x100xf32>`
  }];
  let arguments = (ins SymbolRefAttr:$slot);
  let results = (outs AnyType:$value);
  let assemblyFormat = "$slot attr-dict `:` type($value)";
}

def Evox_StoreOp : Evox_Op<"store", [
    MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Writes a slot";
  let description = [{
    Example: `evox.store %y, @algorithm::@population : tensor<1024x100xf32>`
  }];
  let arguments = (ins AnyType:$value, SymbolRefAttr:$slot);
  let assemblyFormat = "$value `,` $slot attr-dict `:` type($value)";
}

def Evox_FuncOp : Evox_Op<"func", [
    AffineScope, AutomaticAllocationScope, FunctionOpInterface,
    IsolatedFromAbove, HasParent<"ModuleOp">]> {
  let summary = "A method of a module, in which state is implicit";
  let description = [{
    An entry point carries `entry`: a dictionary with `name` (the method),
    `phase` and `next` (the phase it runs in and the one it leads to, 0 if not
    there), `arg_names`, `arg_dtypes` and `result_dtypes` (lists of strings,
    one per tensor), and `args` and `results`, the nested Python structure of
    the tensors as JSON: {"tensor": i} stands for the i-th one, within
    {"tuple": []}, {"list": []} and {"dict": {}}; {"value": 1} and null are
    constants. The arguments and results of an entry point are ranked tensors.

    Example:

    ```mlir
    evox.func @evaluate(%x: tensor<8x2xf32>) -> tensor<8x2xf32> {
      evox.return %x : tensor<8x2xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<StrAttr>:$sym_visibility,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type,
                              CArg<"::llvm::ArrayRef<::mlir::NamedAttribute>", "{}">:$attrs)>];
  let extraClassDeclaration = [{
    ::mlir::Region *getCallableRegion() { return isExternal() ? nullptr : &getBody(); }
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
  }];
  let hasVerifier = 1;
}

def Evox_ReturnOp : Evox_Op<"return", [
    Pure, HasParent<"FuncOp">, ReturnLike, Terminator]> {
  let summary = "Ends a function";
  let description = [{
    Example: `evox.return %x, %y : tensor<f32>, tensor<2xi64>`
  }];
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
  let hasVerifier = 1;
}

def Evox_CallOp : Evox_Op<"call", [
    DeclareOpInterfaceMethods<CallOpInterface, ["resolveCallable", "resolveCallableInTable"]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Calls a function of this or another module";
  let description = [{
    The callee is resolved from the enclosing module outwards, so
    `@problem::@evaluate` names the method `evaluate` of the submodule
    `problem`. The callee may load and store state.

    Example:

    ```mlir
    %f = evox.call @problem::@evaluate(%x) : (tensor<8x2xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins SymbolRefAttr:$callee, Variadic<AnyType>:$operands,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = [{
    $callee `(` $operands `)` attr-dict `:` functional-type($operands, $results)
  }];
}

def Evox_AssertOp : Evox_Op<"assert", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends the call with an error unless a condition holds";
  let description = [{
    Python's `assert` and `raise` behind a condition that the data decides.
    The call of the entry point returns an error with `message`; the state of
    the instance stays as it was before the call. The first `{}` of the message
    are replaced by `values`, in order.

    Example:

    ```mlir
    evox.assert %ok, "index {} is out of bounds for dimension 0 with size 8"(%i : i64)
    ```
  }];
  let arguments = (ins I1:$condition, StrAttr:$message,
                       Variadic<AnyTypeOf<[AnySignlessInteger, Index, AnyFloat]>>:$values);
  let assemblyFormat = "$condition `,` $message (`(` $values^ `:` type($values) `)`)? attr-dict";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Evox_ExternalCallOp : Evox_Op<"external_call"> {
  let summary = "Calls a function that the host supplies at run time";
  let description = [{
    A method that TorchScript left in Python (`torch.jit.ignore`), or the
    evaluator of a black-box problem. The host registers a function under
    `name`; calling an entry point that reaches it without one is an error.
    The host decides dynamic sizes of results. The optional attributes say
    what the tensors are to Python: their dtypes, and JSON of the structures
    that they are parts of.

    Example:

    ```mlir
    %f = evox.external_call "problem.evaluate"(%x) : (tensor<8x2xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyRankedTensor>:$operands,
                       OptionalAttr<StrArrayAttr>:$arg_dtypes, OptionalAttr<StrArrayAttr>:$result_dtypes,
                       OptionalAttr<StrAttr>:$args_tree, OptionalAttr<StrAttr>:$results_tree);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$name `(` $operands `)` attr-dict `:` functional-type($operands, $results)";
}

def Evox_ListAppendOp : Evox_Op<"list.append", [MemoryEffects<[MemWrite]>, AllTypesMatch<["list", "result"]>]> {
  let summary = "Appends a tensor to a list of the instance";
  let description = [{
    Example: `%m = evox.list.append %l, %x : !evox.list<tensor<?xf32>>, tensor<8xf32>`
  }];
  // Memrefs: after bufferization.
  let arguments = (ins Evox_ListType:$list, AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$value);
  let results = (outs Evox_ListType:$result);
  let assemblyFormat = "$list `,` $value attr-dict `:` qualified(type($list)) `,` type($value)";
  let hasVerifier = 1;
}

def Evox_ListClearOp : Evox_Op<"list.clear", [MemoryEffects<[MemWrite]>, AllTypesMatch<["list", "result"]>]> {
  let summary = "Takes all elements out of a list of the instance";
  let description = [{
    What was read of the list before stays as it is.

    Example: `%m = evox.list.clear %l : !evox.list<tensor<?xf32>>`
  }];
  let arguments = (ins Evox_ListType:$list);
  let results = (outs Evox_ListType:$result);
  let assemblyFormat = "$list attr-dict `:` qualified(type($list))";
}

def Evox_ListSizeOp : Evox_Op<"list.size", [MemoryEffects<[MemRead]>]> {
  let summary = "The number of elements of a list";
  let description = [{
    Example: `%n = evox.list.size %l : !evox.list<tensor<?xf32>>`
  }];
  let arguments = (ins Evox_ListType:$list);
  let results = (outs Index:$size);
  let assemblyFormat = "$list attr-dict `:` qualified(type($list))";
}

// Writes: it may end the call, so one without uses stays.
def Evox_ListGetOp : Evox_Op<"list.get", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Reads one element of a list";
  let description = [{
    Python's rules: a negative index counts from the end; out of range is an
    error of the call.

    Example: `%x = evox.list.get %l[%i] : !evox.list<tensor<?xf32>> -> tensor<?xf32>`
  }];
  let arguments = (ins Evox_ListType:$list, Index:$index);
  let results = (outs AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$value);
  let assemblyFormat = "$list `[` $index `]` attr-dict `:` qualified(type($list)) `->` type($value)";
  let hasVerifier = 1;
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXMODULEOPS
