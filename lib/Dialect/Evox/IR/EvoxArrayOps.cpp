//===- EvoxArrayOps.cpp - Draws, arrays, factorisations, kernels ----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace evox;

#define X(OP) LogicalResult OP::verify() { return success(); }
X(RandomUniformOp) X(RandomNormalOp) X(RandomIntegersOp) X(RandomPermutationOp)
X(RandomExponentialOp) X(RandomBernoulliOp)
X(SortOp) X(TopKOp) X(CumulativeOp) X(ScatterOp) X(NonzeroOp)
X(CholeskyOp) X(EighOp) X(QrOp) X(SvdOp) X(LuOp) X(SolveOp) X(SolveTriangularOp) X(LstsqOp)
X(KernelCallOp)

//===----------------------------------------------------------------------===//
// KernelCallOp
//===----------------------------------------------------------------------===//

// "kernel"(%ins) outs(%outs) scalars(%s) attrs : (types) outs(types)
// scalars(types); outs and scalars are left out where there are none. The
// results have the types of the outs that are tensors.
ParseResult KernelCallOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr kernel;
  SmallVector<OpAsmParser::UnresolvedOperand> ins, outs, scalars;
  SmallVector<Type> inTypes, outTypes, scalarTypes;
  if (parser.parseAttribute(kernel, getKernelAttrName(result.name),
                            result.attributes))
    return failure();
  SMLoc insLoc = parser.getCurrentLocation();
  if (parser.parseOperandList(ins, OpAsmParser::Delimiter::Paren))
    return failure();
  SMLoc outsLoc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("outs")) &&
      parser.parseOperandList(outs, OpAsmParser::Delimiter::Paren))
    return failure();
  SMLoc scalarsLoc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("scalars")) &&
      parser.parseOperandList(scalars, OpAsmParser::Delimiter::Paren))
    return failure();
  if (parser.parseOptionalAttrDict(result.attributes) || parser.parseColon())
    return failure();
  auto parseTypes = [&](SmallVectorImpl<Type> &types) {
    return parser.parseCommaSeparatedList(
        OpAsmParser::Delimiter::Paren,
        [&] { return parser.parseType(types.emplace_back()); });
  };
  if (parseTypes(inTypes))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("outs")) && parseTypes(outTypes))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("scalars")) &&
      parseTypes(scalarTypes))
    return failure();
  if (parser.resolveOperands(ins, inTypes, insLoc, result.operands) ||
      parser.resolveOperands(outs, outTypes, outsLoc, result.operands) ||
      parser.resolveOperands(scalars, scalarTypes, scalarsLoc,
                             result.operands))
    return failure();
  llvm::copy(ArrayRef<int32_t>{static_cast<int32_t>(ins.size()),
                               static_cast<int32_t>(outs.size()),
                               static_cast<int32_t>(scalars.size())},
             result.getOrAddProperties<Properties>()
                 .operandSegmentSizes.begin());
  for (Type type : outTypes)
    if (isa<TensorType>(type))
      result.addTypes(type);
  return success();
}

void KernelCallOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printAttributeWithoutType(getKernelAttr());
  printer << '(' << getInputs() << ')';
  if (!getOutputs().empty())
    printer << " outs(" << getOutputs() << ')';
  if (!getScalars().empty())
    printer << " scalars(" << getScalars() << ')';
  printer.printOptionalAttrDict(
      (*this)->getAttrs(),
      {getOperandSegmentSizesAttrName(), getKernelAttrName()});
  printer << " : (" << getInputs().getTypes() << ')';
  if (!getOutputs().empty())
    printer << " outs(" << getOutputs().getTypes() << ')';
  if (!getScalars().empty())
    printer << " scalars(" << getScalars().getTypes() << ')';
}

void KernelCallOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<BaseMemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getOutputsMutable()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    if (getInplace())
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
  if (getEffects()) {
    effects.emplace_back(MemoryEffects::Read::get());
    effects.emplace_back(MemoryEffects::Write::get());
  }
}
