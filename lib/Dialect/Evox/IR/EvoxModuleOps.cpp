//===- EvoxModuleOps.cpp - Modules, state, functions ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace evox;

//===----------------------------------------------------------------------===//
// Symbols
//===----------------------------------------------------------------------===//

/// Looks `name` up in one symbol table. The verifier asks before it has
/// checked all of the IR, so nothing is taken for granted.
static Operation *lookupIn(Operation *table, StringAttr name,
                           SymbolTableCollection *tables) {
  if (!table->hasTrait<OpTrait::SymbolTable>() || table->getNumRegions() != 1 ||
      !table->getRegion(0).hasOneBlock())
    return nullptr;
  return tables ? tables->lookupSymbolIn(table, name)
                : SymbolTable::lookupSymbolIn(table, name);
}

Operation *evox::resolveSymbol(Operation *from, SymbolRefAttr symbol,
                               SymbolTableCollection *tables) {
  for (Operation *table = from; table; table = table->getParentOp()) {
    Operation *found = lookupIn(table, symbol.getRootReference(), tables);
    for (FlatSymbolRefAttr nested : symbol.getNestedReferences())
      found = found ? lookupIn(found, nested.getAttr(), tables) : nullptr;
    if (found)
      return found;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// ModuleOp
//===----------------------------------------------------------------------===//

void evox::ModuleOp::build(OpBuilder &builder, OperationState &state,
                           StringRef name) {
  state.addAttribute(mlir::SymbolTable::getSymbolAttrName(),
                     builder.getStringAttr(name));
  state.addRegion()->emplaceBlock();
}

LogicalResult evox::ModuleOp::verifyRegions() { return success(); }

//===----------------------------------------------------------------------===//
// StateOp
//===----------------------------------------------------------------------===//

LogicalResult StateOp::verify() { return success(); }

//===----------------------------------------------------------------------===//
// LoadOp and StoreOp
//===----------------------------------------------------------------------===//

LogicalResult LoadOp::verifySymbolUses(SymbolTableCollection &tables) {
  return success();
}

LogicalResult StoreOp::verifySymbolUses(SymbolTableCollection &tables) {
  return success();
}

//===----------------------------------------------------------------------===//
// FuncOp and ReturnOp
//===----------------------------------------------------------------------===//

void FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                   FunctionType type, ArrayRef<NamedAttribute> attrs) {
  state.addAttribute(mlir::SymbolTable::getSymbolAttrName(),
                     builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  state.addAttributes(attrs);
  state.addRegion();
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> inputs,
                      ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag,
                      std::string &) -> Type {
    return builder.getFunctionType(inputs, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

LogicalResult FuncOp::verify() { return success(); }

LogicalResult ReturnOp::verify() {
  auto func = cast<FuncOp>((*this)->getParentOp());
  if (getOperandTypes() == func.getResultTypes())
    return success();
  return emitOpError("returns (")
         << getOperandTypes() << ") but @" << func.getSymName()
         << " is declared to return (" << func.getResultTypes() << ")";
}

//===----------------------------------------------------------------------===//
// CallOp
//===----------------------------------------------------------------------===//

CallInterfaceCallable CallOp::getCallableForCallee() { return getCalleeAttr(); }

void CallOp::setCalleeFromCallable(CallInterfaceCallable callee) {
  setCalleeAttr(cast<SymbolRefAttr>(callee));
}

Operation::operand_range CallOp::getArgOperands() { return getOperands(); }

MutableOperandRange CallOp::getArgOperandsMutable() {
  return getOperandsMutable();
}

Operation *CallOp::resolveCallable() {
  return resolveSymbol(*this, getCalleeAttr());
}

Operation *CallOp::resolveCallableInTable(SymbolTableCollection *tables) {
  return resolveSymbol(*this, getCalleeAttr(), tables);
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &tables) {
  return success();
}

//===----------------------------------------------------------------------===//
// AssertOp
//===----------------------------------------------------------------------===//

LogicalResult AssertOp::verify() { return success(); }

namespace {
struct EraseTrueAssert : OpRewritePattern<AssertOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AssertOp op,
                                PatternRewriter &rewriter) const override {
    if (!matchPattern(op.getCondition(), m_One()))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void AssertOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<EraseTrueAssert>(context);
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

LogicalResult ListAppendOp::verify() { return success(); }

LogicalResult ListGetOp::verify() { return success(); }
