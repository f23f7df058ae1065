//===- EvoxArrayOps.cpp - Draws, arrays, factorisations, kernels ----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace evox;

/// Whether two sizes can be the same.
static bool sameSize(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

static std::string toString(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os, [&](int64_t size) {
    ShapedType::isDynamic(size) ? os << '?' : os << size;
  });
  os << ']';
  return text;
}

/// Checks that the tensor `name` has this shape, up to unknown sizes.
static LogicalResult verifyShape(Operation *op, StringRef name,
                                 RankedTensorType type,
                                 ArrayRef<int64_t> shape) {
  if (type.getRank() == static_cast<int64_t>(shape.size()) &&
      llvm::all_of(llvm::zip_equal(type.getShape(), shape), [](auto sizes) {
        return sameSize(std::get<0>(sizes), std::get<1>(sizes));
      }))
    return success();
  return op->emitOpError() << "'" << name << "' must have the shape "
                           << toString(shape) << ", not "
                           << toString(type.getShape());
}

/// Checks that the tensor `name` has elements of type `element`.
static LogicalResult verifyElements(Operation *op, StringRef name,
                                    RankedTensorType type, Type element) {
  if (type.getElementType() == element)
    return success();
  return op->emitOpError() << "'" << name << "' must be of " << element
                           << ", not of " << type.getElementType();
}

/// Checks a dimension as PyTorch has it: a scalar has a dimension 0.
static LogicalResult verifyDim(Operation *op, int64_t dim,
                               RankedTensorType type) {
  if (dim >= 0 && dim < std::max<int64_t>(type.getRank(), 1))
    return success();
  return op->emitOpError() << "dim " << dim << " is out of range for " << type;
}

/// `unsigned` tells PyTorch's uint8 from its int8.
static LogicalResult verifyUnsigned(Operation *op, bool isUnsigned, Type type) {
  if (!isUnsigned || getElementTypeOrSelf(type).isSignlessInteger(8))
    return success();
  return op->emitOpError() << "'unsigned' is for elements of i8, not " << type;
}

//===----------------------------------------------------------------------===//
// Random draws
//===----------------------------------------------------------------------===//

/// Checks what all draws have in common.
template <typename Op> static LogicalResult verifyDraw(Op op, bool onlyFloats) {
  RankedTensorType type = op.getValues().getType();
  Type element = type.getElementType();
  if (!isa<FloatType>(element) && (onlyFloats || !element.isSignlessInteger()))
    return op.emitOpError("cannot draw ")
           << element << ", only floats" << (onlyFloats ? "" : " and integers");
  size_t sizes = op.getSizes().size();
  if (sizes != type.getNumDynamicDims())
    return op.emitOpError("has ")
           << sizes << " sizes for the " << type.getNumDynamicDims()
           << " dynamic dimensions of " << type;
  return success();
}

LogicalResult RandomUniformOp::verify() { return verifyDraw(*this, true); }

LogicalResult RandomNormalOp::verify() { return verifyDraw(*this, true); }

LogicalResult RandomExponentialOp::verify() { return verifyDraw(*this, true); }

LogicalResult RandomIntegersOp::verify() { return verifyDraw(*this, false); }

LogicalResult RandomPermutationOp::verify() {
  if (getValues().getType().getRank() != 1)
    return emitOpError("permutes a vector, not ") << getValues().getType();
  return verifyDraw(*this, false);
}

LogicalResult RandomBernoulliOp::verify() {
  RankedTensorType p = getProbabilities().getType();
  if (!isa<FloatType>(p.getElementType()))
    return emitOpError("probabilities must be floats, not ")
           << p.getElementType();
  if (p.getRank() != 0 && failed(verifyShape(*this, "probabilities", p,
                                             getValues().getType().getShape())))
    return failure();
  return verifyDraw(*this, false);
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

LogicalResult SortOp::verify() {
  RankedTensorType type = getInput().getType();
  if (failed(verifyDim(*this, getDim(), type)) ||
      failed(verifyUnsigned(*this, getUnsignedElements(), type)))
    return failure();
  if (std::optional<uint64_t> k = getSelect()) {
    if (getDescending() || getUnstable())
      return emitOpError("'select' goes with no other order");
    int64_t n = type.getRank() ? type.getDimSize(getDim()) : 1;
    if (static_cast<int64_t>(*k) < 0 ||
        (!ShapedType::isDynamic(n) && static_cast<int64_t>(*k) >= n))
      return emitOpError("selects element ")
             << static_cast<int64_t>(*k) << " of " << n;
  }
  return verifyShape(*this, "indices", getIndices().getType(), type.getShape());
}

LogicalResult TopKOp::verify() {
  RankedTensorType type = getInput().getType();
  RankedTensorType values = getValues().getType();
  if (failed(verifyDim(*this, getDim(), type)) ||
      failed(verifyUnsigned(*this, getUnsignedElements(), type)) ||
      failed(verifyElements(*this, "values", values, type.getElementType())) ||
      failed(verifyShape(*this, "indices", getIndices().getType(),
                         values.getShape())))
    return failure();
  SmallVector<int64_t> shape(type.getShape());
  if (shape.empty()) {
    if (getK())
      return emitOpError("'k' is for a result of unknown size");
    return verifyShape(*this, "values", values, shape);
  }
  int64_t n = shape[getDim()];
  shape[getDim()] = ShapedType::kDynamic;
  if (failed(verifyShape(*this, "values", values, shape)))
    return failure();
  int64_t k = values.getDimSize(getDim());
  if (ShapedType::isDynamic(k) != static_cast<bool>(getK()))
    return emitOpError(getK() ? "'k' is for a result of unknown size"
                              : "needs 'k', as the result's size is unknown");
  if (!ShapedType::isDynamic(k) && !ShapedType::isDynamic(n) && k > n)
    return emitOpError("takes ") << k << " of " << n << " elements";
  return success();
}

LogicalResult CumulativeOp::verify() {
  return verifyDim(*this, getDim(), getInput().getType());
}

LogicalResult ScatterOp::verify() {
  RankedTensorType input = getInput().getType();
  RankedTensorType updates = getUpdates().getType();
  if (failed(verifyUnsigned(*this, getUnsignedElements(), input)) ||
      failed(verifyElements(*this, "updates", updates, input.getElementType())))
    return failure();
  SmallVector<int64_t> shape(updates.getShape());
  shape.push_back(input.getRank());
  return verifyShape(*this, "indices", getIndices().getType(), shape);
}

LogicalResult NonzeroOp::verify() {
  return verifyShape(*this, "indices", getIndices().getType(),
                     {ShapedType::kDynamic, getInput().getType().getRank()});
}

//===----------------------------------------------------------------------===//
// Factorisations
//===----------------------------------------------------------------------===//

namespace {
/// Checks the operands and results of a factorisation against its first
/// operand `a`, of shape [batch..., m, n].
class FactorVerifier {
public:
  FactorVerifier(Operation *op, TypedValue<RankedTensorType> a)
      : op(op), a(a.getType()) {
    if (this->a.getRank() < 2) {
      op->emitOpError("needs matrices, not ") << this->a;
      ok = false;
      return;
    }
    batch = this->a.getShape().drop_back(2);
    m = this->a.getDimSize(this->a.getRank() - 2);
    n = this->a.getDimSize(this->a.getRank() - 1);
  }

  /// Whether the last two sizes are the same.
  FactorVerifier &square() {
    if (ok && !sameSize(m, n)) {
      op->emitOpError("needs square matrices, not ") << a;
      ok = false;
    }
    return *this;
  }

  /// `value` has the shape [batch..., sizes...]; with `matrix` also the
  /// elements of `a`.
  FactorVerifier &shape(StringRef name, TypedValue<RankedTensorType> value,
                        ArrayRef<int64_t> sizes, bool matrix = true) {
    if (!ok)
      return *this;
    SmallVector<int64_t> expected(batch);
    llvm::append_range(expected, sizes);
    ok = succeeded(verifyShape(op, name, value.getType(), expected)) &&
         (!matrix || succeeded(verifyElements(op, name, value.getType(),
                                              a.getElementType())));
    return *this;
  }

  /// `value` holds one number per matrix.
  FactorVerifier &perMatrix(StringRef name,
                            TypedValue<RankedTensorType> value) {
    return shape(name, value, {}, /*matrix=*/false);
  }

  operator LogicalResult() const { return success(ok); }

  int64_t m = 0, n = 0;
  bool ok = true;

  int64_t least() const {
    if (ShapedType::isDynamic(m) || ShapedType::isDynamic(n))
      return ShapedType::kDynamic;
    return std::min(m, n);
  }

private:
  Operation *op;
  RankedTensorType a;
  ArrayRef<int64_t> batch;
};
} // namespace

/// The last size, unknown where there is none.
static int64_t lastSize(TypedValue<RankedTensorType> value) {
  RankedTensorType type = value.getType();
  return type.getRank() ? type.getShape().back() : ShapedType::kDynamic;
}

LogicalResult CholeskyOp::verify() {
  FactorVerifier v(*this, getInput());
  return v.square()
      .shape("factor", getFactor(), {v.n, v.n})
      .perMatrix("info", getInfo());
}

LogicalResult EighOp::verify() {
  FactorVerifier v(*this, getInput());
  return v.square()
      .shape("eigenvalues", getEigenvalues(), {v.n})
      .shape("eigenvectors", getEigenvectors(), {v.n, v.n})
      .perMatrix("info", getInfo());
}

LogicalResult QrOp::verify() {
  FactorVerifier v(*this, getInput());
  // [m, m] asks for the complete q, [m, min(m, n)] for the reduced one.
  int64_t k = lastSize(getQ());
  if (!sameSize(k, v.m))
    k = v.least();
  return v.shape("q", getQ(), {v.m, k}).shape("r", getR(), {k, v.n});
}

LogicalResult SvdOp::verify() {
  FactorVerifier v(*this, getInput());
  int64_t k = v.least();
  // Either both u and vh are square or neither is.
  bool full = !sameSize(lastSize(getU()), k);
  if (!full && getVh().getType().getRank() >= 2)
    full = !sameSize(getVh().getType().getShape().drop_back().back(), k);
  return v.shape("u", getU(), {v.m, full ? v.m : k})
      .shape("s", getS(), {k})
      .shape("vh", getVh(), {full ? v.n : k, v.n})
      .perMatrix("info", getInfo());
}

LogicalResult LuOp::verify() {
  FactorVerifier v(*this, getInput());
  return v.shape("lu", getLu(), {v.m, v.n})
      .shape("pivots", getPivots(), {v.least()}, /*matrix=*/false)
      .perMatrix("info", getInfo());
}

LogicalResult SolveOp::verify() {
  FactorVerifier v(*this, getA());
  int64_t k = lastSize(getB());
  return v.square()
      .shape("b", getB(), {v.n, k})
      .shape("x", getX(), {v.n, k})
      .perMatrix("info", getInfo());
}

LogicalResult SolveTriangularOp::verify() {
  FactorVerifier v(*this, getA());
  int64_t k = lastSize(getB());
  return v.square().shape("b", getB(), {v.n, k}).shape("x", getX(), {v.n, k});
}

LogicalResult LstsqOp::verify() {
  FactorVerifier v(*this, getA());
  int64_t k = lastSize(getB());
  return v.shape("b", getB(), {v.m, k})
      .shape("x", getX(), {v.n, k})
      .perMatrix("rank", getRank());
}

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
    return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, [&] {
      return parser.parseType(types.emplace_back());
    });
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
      parser.resolveOperands(scalars, scalarTypes, scalarsLoc, result.operands))
    return failure();
  llvm::copy(
      ArrayRef<int32_t>{static_cast<int32_t>(ins.size()),
                        static_cast<int32_t>(outs.size()),
                        static_cast<int32_t>(scalars.size())},
      result.getOrAddProperties<Properties>().operandSegmentSizes.begin());
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

LogicalResult KernelCallOp::verify() {
  // The host names its functions as it likes; ours are parts of C names.
  if (getKernel().empty())
    return emitOpError("needs the name of a kernel");
  if (!getExternal() && !llvm::all_of(getKernel(), [](char c) {
        return llvm::isAlnum(c) || c == '_';
      }))
    return emitOpError("'") << getKernel() << "' is no name of a kernel: those "
                            << "have letters, digits and '_' only";
  // Operands turn into buffers all at once, so that a kernel never waits for
  // half of its arguments.
  bool tensors = false, buffers = false;
  for (OperandRange range : {getInputs(), getOutputs()})
    for (Type type : range.getTypes())
      (isa<BaseMemRefType>(type) ? buffers : tensors) = true;
  if (tensors && buffers)
    return emitOpError("mixes tensors and memrefs");
  if (getUnsignedElements() &&
      llvm::none_of((*this)->getOperandTypes(), [](Type type) {
        return getElementTypeOrSelf(type).isSignlessInteger(8);
      }))
    return emitOpError("'unsignedElements' needs an operand of i8 elements");
  return success();
}
