//===- Tensors.cpp - Tensors, views and scalars during import ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <cmath>

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Dtypes
//===----------------------------------------------------------------------===//

std::string import::dtypeName(DType dtype) {
  switch (dtype) {
  case DType::UInt8: return "uint8";
  case DType::Int8: return "int8";
  case DType::Int16: return "int16";
  case DType::Int32: return "int32";
  case DType::Int64: return "int64";
  case DType::Half: return "float16";
  case DType::Float: return "float32";
  case DType::Double: return "float64";
  case DType::ComplexHalf: return "complex32";
  case DType::ComplexFloat: return "complex64";
  case DType::ComplexDouble: return "complex128";
  case DType::Bool: return "bool";
  case DType::BFloat16: return "bfloat16";
  case DType::Undefined: break;
  }
  return "undefined";
}

bool import::isFloating(DType d) {
  return d == DType::Half || d == DType::Float || d == DType::Double ||
         d == DType::BFloat16;
}
bool import::isComplex(DType d) {
  return d == DType::ComplexHalf || d == DType::ComplexFloat ||
         d == DType::ComplexDouble;
}
bool import::isIntegral(DType d, bool includeBool) {
  return (d >= DType::UInt8 && d <= DType::Int64) ||
         (includeBool && d == DType::Bool);
}
bool import::isUnsigned(DType d) { return d == DType::UInt8 || d == DType::Bool; }

DType import::promote(DType a, DType b) {
  if (a == b)
    return a;
  if (a == DType::Undefined || b == DType::Undefined)
    return a == DType::Undefined ? b : a;
  if (isComplex(a) || isComplex(b)) {
    auto isWide = [](DType d) {
      return d == DType::Double || d == DType::ComplexDouble;
    };
    return isWide(a) || isWide(b) ? DType::ComplexDouble : DType::ComplexFloat;
  }
  if (isFloating(a) != isFloating(b))
    return isFloating(a) ? a : b;
  if (isFloating(a)) {
    if (a == DType::Double || b == DType::Double)
      return DType::Double;
    return DType::Float; // float with anything, or half with bfloat16
  }
  if (a == DType::Bool)
    return b;
  if (b == DType::Bool)
    return a;
  if (a == DType::UInt8 || b == DType::UInt8) {
    DType other = a == DType::UInt8 ? b : a;
    return other == DType::Int8 ? DType::Int16 : other;
  }
  return static_cast<int>(a) > static_cast<int>(b) ? a : b;
}

Type import::elementType(MLIRContext *context, DType dtype) {
  Builder b(context);
  switch (dtype) {
  case DType::UInt8:
  case DType::Int8: return b.getI8Type();
  case DType::Int16: return b.getI16Type();
  case DType::Int32: return b.getI32Type();
  case DType::Int64: return b.getI64Type();
  case DType::Half: return b.getF16Type();
  case DType::Float: return b.getF32Type();
  case DType::Double: return b.getF64Type();
  case DType::Bool: return b.getI1Type();
  case DType::BFloat16: return b.getBF16Type();
  default:
    throw ImportError("dtype " + dtypeName(dtype) +
                      " is not supported: complex tensors have no lowering");
  }
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

mlir::Value Interpreter::index(Dim d) {
  if (auto attr = dyn_cast<Attribute>(d))
    return arith::ConstantIndexOp::create(b, cast<IntegerAttr>(attr).getInt());
  return cast<mlir::Value>(d);
}

mlir::Value Interpreter::i64(const Py &v) {
  if (v.kind == Py::Tensor)
    return i64(item(v.tensor));
  if (!v.ssa)
    return arith::ConstantIntOp::create(b, v.kind == Py::Float ? (int64_t)v.f : v.i, 64);
  if (v.kind == Py::Int)
    return v.ssa;
  if (v.kind == Py::Bool)
    return arith::ExtUIOp::create(b, b.getI64Type(), v.ssa);
  return arith::FPToSIOp::create(b, b.getI64Type(), v.ssa);
}

Dim Interpreter::dim(const Py &v) {
  if (v.kind == Py::Tensor)
    return dim(item(v.tensor));
  if (v.kind != Py::Int && v.kind != Py::Bool)
    fail(std::string("expected an integer, got ") + kindName(v.kind));
  if (!v.ssa)
    return b.getIndexAttr(v.i);
  if (auto castOp = v.ssa.getDefiningOp<arith::IndexCastOp>())
    return castOp.getIn();
  return arith::IndexCastOp::create(b, b.getIndexType(), i64(v)).getResult();
}

Py Interpreter::fromDim(Dim d) {
  if (std::optional<int64_t> v = getConstantIntValue(d))
    return Py::ofInt(*v);
  mlir::Value v = cast<mlir::Value>(d);
  if (auto castOp = v.getDefiningOp<arith::IndexCastOp>())
    return Py::ofInt(castOp.getIn());
  return Py::ofInt(
      arith::IndexCastOp::create(b, b.getI64Type(), v).getResult());
}

int64_t Interpreter::normalizeDim(int64_t dim, int64_t rank) {
  int64_t r = std::max<int64_t>(rank, 1);
  if (dim < -r || dim >= r)
    fail("Dimension out of range (expected to be in range of [" +
         std::to_string(-r) + ", " + std::to_string(r - 1) + "], but got " +
         std::to_string(dim) + ")");
  return dim < 0 ? dim + r : dim;
}

SmallVector<int64_t> Interpreter::contiguousStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = (int64_t)shape.size() - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  return strides;
}

Dim Interpreter::product(ArrayRef<Dim> sizes) {
  int64_t known = 1;
  mlir::Value dynamic;
  for (Dim d : sizes) {
    if (std::optional<int64_t> v = getConstantIntValue(d)) {
      known *= *v;
      continue;
    }
    mlir::Value v = cast<mlir::Value>(d);
    dynamic = dynamic ? arith::MulIOp::create(b, dynamic, v).getResult() : v;
  }
  if (!dynamic)
    return b.getIndexAttr(known);
  if (known != 1)
    dynamic = arith::MulIOp::create(
        b, dynamic, arith::ConstantIndexOp::create(b, known).getResult());
  return dynamic;
}

//===----------------------------------------------------------------------===//
// Making, reading and writing tensors
//===----------------------------------------------------------------------===//

TensorRef Interpreter::make(mlir::Value value, DType dtype) {
  auto t = std::make_shared<Tensor>();
  t->storage = std::make_shared<Storage>();
  t->storage->value = value;
  t->dtype = dtype;
  t->type = cast<RankedTensorType>(value.getType());
  t->sizes = sizesOf(value);
  if (t->type.hasStaticShape())
    t->strides = contiguousStrides(t->type.getShape());
  return t;
}

TensorRef Interpreter::makeView(const TensorRef &t, View view) {
  auto r = std::make_shared<Tensor>();
  r->storage = t->storage;
  r->chain = t->chain;
  r->dtype = t->dtype;
  r->type = view.result;
  r->requiresGrad = t->requiresGrad;
  switch (view.kind) {
  case View::Slice:
    r->sizes = view.sizes;
    break;
  case View::Permute:
    for (int64_t p : view.perm)
      r->sizes.push_back(t->sizes[p]);
    break;
  default:
    r->sizes = view.shape;
  }
  r->chain.push_back(std::move(view));
  return r;
}

mlir::Value Interpreter::applyView(const View &view, mlir::Value base) {
  switch (view.kind) {
  case View::Slice:
    // The verifier takes no offset into a dimension of size 0.
    if (view.result.hasStaticShape() && view.result.getNumElements() == 0)
      return empty(view.sizes, view.result.getElementType());
    return tensor::ExtractSliceOp::create(b, view.result, base, view.offsets,
                                          view.sizes, view.strides);
  case View::Permute:
    return transpose(base, view.perm);
  case View::Reshape:
    return reshape(base, view.shape);
  case View::Expand:
    return broadcastTo(base, view.shape);
  case View::Indexed: {
    mlir::Value flat = reshape(base, {b.getIndexAttr(view.source.getNumElements())});
    return generate(view.shape, view.result.getElementType(), [&](ValueRange ids) {
      mlir::Value at = arith::ConstantIndexOp::create(b, view.offset);
      for (auto [i, id] : llvm::enumerate(ids)) {
        mlir::Value step = arith::ConstantIndexOp::create(b, view.steps[i]);
        at = arith::AddIOp::create(b, at, arith::MulIOp::create(b, id, step));
      }
      return tensor::ExtractOp::create(b, flat, at).getResult();
    });
  }
  }
  llvm_unreachable("all kinds are handled");
}

mlir::Value Interpreter::writeView(const View &view, mlir::Value base,
                                   mlir::Value value) {
  switch (view.kind) {
  case View::Slice:
    if (view.result.hasStaticShape() && view.result.getNumElements() == 0)
      return base;
    return tensor::InsertSliceOp::create(b, value, base, view.offsets,
                                         view.sizes, view.strides);
  case View::Permute: {
    SmallVector<int64_t> inverse(view.perm.size());
    for (auto [i, p] : llvm::enumerate(view.perm))
      inverse[p] = i;
    return transpose(value, inverse);
  }
  case View::Reshape:
    return reshape(value, sizesOf(base));
  case View::Expand:
    for (auto [s, r] : llvm::zip(llvm::reverse(view.source.getShape()),
                                 llvm::reverse(view.result.getShape())))
      if (s != r)
        fail("unsupported operation: more than one element of the written-to "
             "tensor refers to a single memory location. Please clone() the "
             "tensor before performing the operation.");
    for (int64_t d = 0; d < view.source.getRank(); ++d)
      requireSame(sizeOf(base, d), sizeOf(value, view.result.getRank() - view.source.getRank() + d),
                  "a tensor of size {} that was expanded to {} is written in place at "
                  "dimension " + std::to_string(d) + ": clone() it before");
    return reshape(value, sizesOf(base));
  case View::Indexed: {
    // Element p of the view goes to its row-major place in the base.
    int64_t n = view.source.getNumElements();
    mlir::Value flat = reshape(base, {b.getIndexAttr(n)});
    SmallVector<Dim> shape(view.shape);
    mlir::Value places = generate(shape, b.getI64Type(), [&](ValueRange ids) {
      mlir::Value at = arith::ConstantIndexOp::create(b, view.offset);
      for (auto [i, id] : llvm::enumerate(ids)) {
        mlir::Value step = arith::ConstantIndexOp::create(b, view.steps[i]);
        at = arith::AddIOp::create(b, at, arith::MulIOp::create(b, id, step));
      }
      return arith::IndexCastOp::create(b, b.getI64Type(), at).getResult();
    });
    SmallVector<Dim> indexShape(shape);
    indexShape.push_back(b.getIndexAttr(1));
    places = reshape(places, indexShape);
    mlir::Value out = ScatterOp::create(b, flat.getType(), ScatterKind::Assign,
                                        value, flat, places, false);
    return reshape(out, sizesOf(base));
  }
  }
  llvm_unreachable("all kinds are handled");
}

mlir::Value Interpreter::read(const TensorRef &t) {
  Storage &storage = *t->storage;
  checkKnown(storage);
  if (t->chain.empty())
    return storage.value;
  // A value from inside a branch that has ended cannot be used here.
  auto isVisible = [&](mlir::Value v) {
    return v.getParentRegion()->isAncestor(b.getInsertionBlock()->getParent());
  };
  if (t->cached && t->cachedVersion == storage.version && isVisible(t->cached))
    return t->cached;
  mlir::Value v = storage.value;
  for (const View &view : t->chain)
    v = applyView(view, v);
  // A region may be walked again, and what the first walk made is erased.
  if (!inDataRegion() && b.getInsertionBlock() == entryBlock) {
    t->cached = v;
    t->cachedVersion = storage.version;
  }
  return v;
}

void Interpreter::write(const TensorRef &t, mlir::Value value) {
  if (!t->chain.empty())
    checkKnown(*t->storage);
  if (value.getType() != t->type) {
    auto from = cast<RankedTensorType>(value.getType());
    if (from.getRank() != t->type.getRank())
      fail("output with shape " + std::to_string(t->type.getRank()) +
           "-d doesn't match the shape of the value, " +
           std::to_string(from.getRank()) + "-d");
    value = tensor::CastOp::create(b, t->type, value);
  }
  for (int64_t d = 0; d < t->rank(); ++d)
    requireSame(sizeOf(value, d), t->sizes[d],
                "a value of size {} is written in place into a tensor of size {} "
                "at dimension " + std::to_string(d));
  spoilOthers(t->storage, t->storage.get());
  setStorage(t->storage, writeThrough(*t, value));
  SmallVector<const Storage *> path;
  follow(t->storage, {}, path);
}

mlir::Value Interpreter::writeThrough(const Tensor &t, mlir::Value value) {
  if (t.chain.empty())
    return value;
  SmallVector<mlir::Value> bases = {t.storage->value};
  for (const View &view : ArrayRef(t.chain).drop_back())
    bases.push_back(applyView(view, bases.back()));
  for (auto [view, base] : llvm::zip(llvm::reverse(t.chain), llvm::reverse(bases)))
    value = writeView(view, base, value);
  return value;
}

TensorRef Interpreter::fromData(const script::TensorData &data) {
  Type element = elementType(b.getContext(), data.dtype);
  auto type = RankedTensorType::get(data.sizes, element);
  ArrayRef<char> bytes(data.bytes, data.numBytes);
  DenseElementsAttr attr;
  if (data.dtype == DType::Bool) {
    SmallVector<bool> values(bytes.begin(), bytes.end());
    attr = DenseElementsAttr::get(type, ArrayRef<bool>(values));
  } else if (bytes.empty()) {
    attr = DenseElementsAttr::get(type, ArrayRef<Attribute>());
  } else {
    attr = DenseElementsAttr::getFromRawBuffer(type, bytes);
  }
  TensorRef t = make(arith::ConstantOp::create(b, attr), data.dtype);
  t->requiresGrad = data.requiresGrad;
  SmallVector<int64_t> strides(data.strides.begin(), data.strides.end());
  t->strides = strides;
  return t;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Type Interpreter::withElement(Type type, Type element) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.clone(element);
  return element;
}

static TypedAttr numberAttr(Type element, double f, int64_t i, bool isFloat) {
  if (auto floatType = dyn_cast<FloatType>(element)) {
    APFloat value(f);
    if (!isFloat) { // rounded once
      value = APFloat(floatType.getWidth() == 64 ? APFloat::IEEEdouble() : APFloat::IEEEsingle());
      value.convertFromAPInt(APInt(64, i, true), true, APFloat::rmNearestTiesToEven);
    }
    bool lost;
    // As PyTorch: a double becomes a half by way of float.
    if (floatType.getWidth() < 32)
      value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lost);
    value.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
    return FloatAttr::get(floatType, value);
  }
  unsigned width = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  int64_t v = isFloat ? (int64_t)f : i;
  if (width == 1)
    v = isFloat ? f != 0 : i != 0;
  return IntegerAttr::get(element, APInt(width, v, true, true));
}

mlir::Value Interpreter::number(mlir::Value like, double v) {
  Type element = getElementTypeOrSelf(like.getType());
  TypedAttr attr = numberAttr(element, v, 0, true);
  auto shaped = dyn_cast<RankedTensorType>(like.getType());
  if (!shaped)
    return arith::ConstantOp::create(b, attr);
  if (shaped.hasStaticShape())
    return arith::ConstantOp::create(b, DenseElementsAttr::get(shaped, attr));
  mlir::Value s = arith::ConstantOp::create(b, attr);
  return linalg::FillOp::create(b, s, empty(sizesOf(like), element)).getResult(0);
}

mlir::Value Interpreter::scalar(const Py &v, DType dtype) {
  if (v.kind == Py::Tensor)
    return scalar(item(v.tensor), dtype);
  Type element = elementType(b.getContext(), dtype);
  switch (v.kind) {
  case Py::Int:
    return v.ssa ? castScalar(v.ssa, DType::Int64, dtype)
                 : arith::ConstantOp::create(b, numberAttr(element, 0, v.i, false)).getResult();
  case Py::Bool:
    return v.ssa ? castScalar(v.ssa, DType::Bool, dtype)
                 : arith::ConstantOp::create(b, numberAttr(element, 0, v.i, false)).getResult();
  case Py::Float:
    return v.ssa ? castScalar(v.ssa, DType::Double, dtype)
                 : arith::ConstantOp::create(b, numberAttr(element, v.f, 0, true)).getResult();
  case Py::Complex:
    fail("complex numbers are not supported here");
  default:
    fail(std::string("expected a number, got ") + kindName(v.kind));
  }
}

mlir::Value Interpreter::castScalar(mlir::Value v, DType from, DType to) {
  return convert(v, from, to);
}

/// A constant number, or a tensor full of it, in another dtype; null where
/// the value is not that, or does not fit.
static TypedAttr convertConstant(mlir::Value v, DType from, DType to) {
  auto constant = v.getDefiningOp<arith::ConstantOp>();
  if (!constant)
    return {};
  Attribute attr = constant.getValue();
  auto splat = dyn_cast<DenseElementsAttr>(attr);
  if (splat) {
    if (!splat.isSplat())
      return {};
    attr = splat.getSplatValue<Attribute>();
  }
  double f = 0;
  int64_t i = 0;
  if (auto floatAttr = dyn_cast<FloatAttr>(attr)) {
    f = floatAttr.getValueAsDouble();
    // NaN has a sign and a payload, and what does not fit is the machine's.
    if (std::isnan(f) || (!isFloating(to) && to != DType::Bool && !(std::fabs(f) < 2147483648.0)))
      return {};
  } else if (auto intAttr = dyn_cast<IntegerAttr>(attr)) {
    i = isUnsigned(from) ? intAttr.getValue().getZExtValue() : intAttr.getValue().getSExtValue();
  } else {
    return {};
  }
  Type element = elementType(v.getContext(), to);
  TypedAttr number = numberAttr(element, f, i, isFloating(from));
  if (!splat)
    return number;
  return DenseElementsAttr::get(cast<ShapedType>(v.getType()).clone(element), Attribute(number));
}

mlir::Value Interpreter::convert(mlir::Value v, DType from, DType to) {
  if (from == to)
    return v;
  if (TypedAttr folded = convertConstant(v, from, to))
    return arith::ConstantOp::create(b, folded);
  MLIRContext *ctx = b.getContext();
  Type type = withElement(v.getType(), elementType(ctx, to));
  if (to == DType::Bool) {
    mlir::Value zero = number(v, 0);
    if (isFloating(from))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, v, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, v, zero);
  }
  if (isFloating(from) && isFloating(to)) {
    unsigned f = elementType(ctx, from).getIntOrFloatBitWidth();
    unsigned t = elementType(ctx, to).getIntOrFloatBitWidth();
    if (f == t || (f == 64 && t == 16)) // by way of float
      return convert(convert(v, from, DType::Float), DType::Float, to);
    if (f < t)
      return f == 16 && t == 64
                 ? convert(convert(v, from, DType::Float), DType::Float, to)
                 : arith::ExtFOp::create(b, type, v).getResult();
    return arith::TruncFOp::create(b, type, v);
  }
  if (isFloating(to)) {
    unsigned width = elementType(ctx, to).getIntOrFloatBitWidth();
    if (width == 16)
      return convert(convert(v, from, DType::Float), DType::Float, to);
    if (isUnsigned(from))
      return arith::UIToFPOp::create(b, type, v);
    return arith::SIToFPOp::create(b, type, v);
  }
  if (isFloating(from)) {
    if (from == DType::Half || from == DType::BFloat16)
      return convert(convert(v, from, DType::Float), DType::Float, to);
    // Narrow integers by way of a wide one, as PyTorch's conversion.
    if (to == DType::UInt8)
      return convert(convert(v, from, DType::Int64), DType::Int64, to);
    if (to == DType::Int8 || to == DType::Int16)
      return convert(convert(v, from, DType::Int32), DType::Int32, to);
    return arith::FPToSIOp::create(b, type, v);
  }
  unsigned f = elementType(ctx, from).getIntOrFloatBitWidth();
  unsigned t = elementType(ctx, to).getIntOrFloatBitWidth();
  if (f == t)
    return v;
  if (f > t)
    return arith::TruncIOp::create(b, type, v);
  if (isUnsigned(from))
    return arith::ExtUIOp::create(b, type, v);
  return arith::ExtSIOp::create(b, type, v);
}

TensorRef Interpreter::convert(const TensorRef &t, DType to) {
  if (t->dtype == to)
    return t;
  TensorRef r = make(convert(read(t), t->dtype, to), to);
  r->wrappedNumber = t->wrappedNumber;
  return r;
}

/// What a chain of small ops on constants gives: a trace computes sizes by
/// tensors.
static Attribute foldedConstant(mlir::Value v, int depth = 0) {
  Operation *op = v.getDefiningOp();
  if (!op || depth > 16 || op->getNumRegions() || op->getNumResults() != 1)
    return {};
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return constant.getValue();
  SmallVector<Attribute> operands;
  for (mlir::Value operand : op->getOperands())
    if (!operands.emplace_back(foldedConstant(operand, depth + 1)))
      return {};
  SmallVector<OpFoldResult> results;
  if (operands.empty() || failed(op->fold(operands, results)) || results.size() != 1)
    return {};
  if (auto attr = dyn_cast<Attribute>(results[0]))
    return attr;
  return foldedConstant(cast<mlir::Value>(results[0]), depth + 1);
}

Py Interpreter::item(const TensorRef &t) {
  for (Dim d : t->sizes)
    if (staticDim(d) == ShapedType::kDynamic)
      runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, index(d),
                                          index(b.getIndexAttr(1))),
                    "a Tensor with {} elements cannot be converted to Scalar",
                    {i64(fromDim(product(t->sizes)))});
    else if (staticDim(d) != 1)
      fail("a Tensor with " +
           (t->type.hasStaticShape() ? std::to_string(t->type.getNumElements())
                                     : std::string("a dynamic number of")) +
           " elements cannot be converted to Scalar");
  mlir::Value v = read(t);
  DenseElementsAttr attr;
  if (t->type.hasStaticShape())
    attr = dyn_cast_or_null<DenseElementsAttr>(foldedConstant(v));
  if (isComplex(t->dtype))
    fail("complex tensors are not supported");
  if (attr && attr.isSplat()) {
    if (isFloating(t->dtype)) {
      APFloat f = attr.getSplatValue<APFloat>();
      bool lost;
      f.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
      return Py::ofFloat(f.convertToDouble());
    }
    APInt i = attr.getSplatValue<APInt>();
    if (t->dtype == DType::Bool)
      return Py::ofBool(!i.isZero());
    return Py::ofInt(isUnsigned(t->dtype) ? i.getZExtValue() : i.getSExtValue());
  }
  SmallVector<mlir::Value> zeros(t->rank(),
                                 t->rank() ? index(b.getIndexAttr(0)) : mlir::Value());
  mlir::Value s = tensor::ExtractOp::create(b, v, zeros);
  if (isFloating(t->dtype))
    return Py::ofFloat(castScalar(s, t->dtype, DType::Double));
  if (t->dtype == DType::Bool)
    return Py::ofBool(s);
  return Py::ofInt(castScalar(s, t->dtype, DType::Int64));
}

TensorRef Interpreter::toTensor(const Py &v) {
  if (v.kind == Py::Tensor)
    return v.tensor;
  DType dtype;
  switch (v.kind) {
  case Py::Int: dtype = DType::Int64; break;
  case Py::Bool: dtype = DType::Bool; break;
  case Py::Float: dtype = DType::Double; break;
  case Py::Complex: fail("complex numbers are not supported here");
  default: fail(std::string("expected a tensor, got ") + kindName(v.kind));
  }
  TensorRef t = make(splat({}, dtype, v), dtype);
  t->wrappedNumber = true;
  return t;
}

mlir::Value Interpreter::splat(RankedTensorType type, double f, int64_t i) {
  TypedAttr attr = numberAttr(type.getElementType(), f, i, i == 0);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, attr));
}

mlir::Value Interpreter::splat(ArrayRef<Dim> sizes, DType dtype, const Py &v) {
  Type element = elementType(b.getContext(), dtype);
  RankedTensorType type = typeOf(sizes, element);
  if (type.hasStaticShape() && v.kind != Py::Tensor && !v.ssa &&
      v.kind != Py::Complex)
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(
               type, Attribute(numberAttr(element, v.f, v.i, v.kind == Py::Float))));
  mlir::Value s = scalar(v, dtype);
  if (type.getRank() == 0)
    return tensor::FromElementsOp::create(b, type, s);
  return linalg::FillOp::create(b, s, empty(sizes, element)).getResult(0);
}

//===----------------------------------------------------------------------===//
// Checks at run time
//===----------------------------------------------------------------------===//

void Interpreter::runtimeAssert(mlir::Value condition, const std::string &message,
                                ValueRange values) {
  if (auto constant = condition.getDefiningOp<arith::ConstantOp>())
    if (auto attr = dyn_cast<IntegerAttr>(constant.getValue()))
      if (!attr.getValue().isZero())
        return;
  AssertOp::create(b, condition, message, values);
}
