//===- Shapes.cpp - Sizes, broadcasting and reshapes during import --------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A size that is not known now is an SSA index. Sizes are followed to where
// they come from, so that equal ones are one value and need no check; two that
// may differ are compared at run time, where 1 still broadcasts.

#include "Interpreter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

int64_t Interpreter::staticDim(Dim d) {
  std::optional<int64_t> v = getConstantIntValue(d);
  return v ? *v : ShapedType::kDynamic;
}

bool Interpreter::sameDim(Dim a, Dim b) { return isEqualConstantIntOrValue(a, b); }

/// The tensor that `v` takes its shape from, or null.
static mlir::Value sourceOfShape(mlir::Value v) {
  Operation *op = v.getDefiningOp();
  if (!op)
    return nullptr;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.getDpsInits()[cast<OpResult>(v).getResultNumber()];
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return insert.getDest();
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return insert.getDest();
  if (auto castOp = dyn_cast<tensor::CastOp>(op))
    return castOp.getSource();
  // Made by broadcastTo: both ways give the sizes that were asked for.
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return branch.thenYield().getOperand(cast<OpResult>(v).getResultNumber());
  if (OpTrait::hasElementwiseMappableTraits(op))
    for (mlir::Value operand : llvm::reverse(op->getOperands()))
      if (isa<RankedTensorType>(operand.getType()))
        return operand;
  return nullptr;
}

Dim Interpreter::sizeOf(mlir::Value tensor, int64_t d) {
  auto isVisible = [&](mlir::Value v) {
    return v.getParentRegion()->isAncestor(tensor.getParentRegion());
  };
  mlir::Value root = tensor;
  for (mlir::Value v = tensor; v; v = sourceOfShape(v)) {
    if (isVisible(v))
      root = v;
    auto type = cast<RankedTensorType>(v.getType());
    if (!type.isDynamicDim(d))
      return b.getIndexAttr(type.getDimSize(d));
    Dim size;
    if (auto op = v.getDefiningOp<tensor::EmptyOp>())
      size = op.getMixedSizes()[d];
    else if (auto op = v.getDefiningOp<tensor::ExpandShapeOp>())
      size = op.getMixedOutputShape()[d];
    else if (auto op = v.getDefiningOp<tensor::ExtractSliceOp>();
             op && op.getDroppedDims().none())
      size = op.getMixedSizes()[d];
    auto known = dyn_cast_if_present<mlir::Value>(size);
    if (size && (!known || isVisible(known)))
      return size;
    if (size)
      break;
  }
  // Beside the definition, so that every user sees the same value.
  Block *block = root.getParentBlock();
  for (Operation *user : root.getUsers())
    if (auto op = dyn_cast<tensor::DimOp>(user))
      if (op->getBlock() == block && op.getConstantIndex() == d)
        return op.getResult();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(root);
  return tensor::DimOp::create(b, root, d).getResult();
}

SmallVector<Dim> Interpreter::sizesOf(mlir::Value tensor) {
  SmallVector<Dim> sizes;
  for (int64_t d = 0, e = cast<RankedTensorType>(tensor.getType()).getRank(); d < e; ++d)
    sizes.push_back(sizeOf(tensor, d));
  return sizes;
}

RankedTensorType Interpreter::typeOf(ArrayRef<Dim> sizes, Type element) {
  SmallVector<int64_t> shape;
  for (Dim d : sizes)
    shape.push_back(staticDim(d));
  return RankedTensorType::get(shape, element);
}

mlir::Value Interpreter::empty(ArrayRef<Dim> sizes, Type element) {
  return tensor::EmptyOp::create(b, sizes, element);
}

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

void Interpreter::requireSame(Dim a, Dim b, const std::string &message,
                              ArrayRef<Dim> mayBeOne) {
  if (sameDim(a, b))
    return;
  mlir::Value x = index(a), y = index(b);
  auto &builder = this->b;
  mlir::Value good = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, x, y);
  for (Dim d : mayBeOne) {
    if (staticDim(d) != ShapedType::kDynamic)
      continue;
    mlir::Value one = arith::ConstantIndexOp::create(builder, 1);
    good = arith::OrIOp::create(
        builder, good,
        arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, index(d), one));
  }
  Type wide = builder.getI64Type();
  runtimeAssert(good, message,
                {arith::IndexCastOp::create(builder, wide, x),
                 arith::IndexCastOp::create(builder, wide, y)});
}

/// The sizes that a size was broadcast from: each is 1 or equal to it.
static void collectParts(Dim d, SmallVectorImpl<Dim> &parts) {
  parts.push_back(d);
  auto v = dyn_cast<mlir::Value>(d);
  auto select = v ? v.getDefiningOp<arith::SelectOp>() : nullptr;
  if (!select)
    return;
  for (mlir::Value part : {select.getTrueValue(), select.getFalseValue()})
    collectParts(part, parts);
}
static bool isMadeOf(Dim whole, Dim part) {
  SmallVector<Dim> parts;
  collectParts(whole, parts);
  return llvm::any_of(parts, [&](Dim d) { return isEqualConstantIntOrValue(d, part); });
}

SmallVector<Dim>
Interpreter::broadcastShapes(ArrayRef<SmallVector<Dim>> shapes) {
  size_t rank = 0;
  for (const auto &shape : shapes)
    rank = std::max(rank, shape.size());
  SmallVector<Dim> result(rank, b.getIndexAttr(1));
  for (const auto &shape : shapes) {
    for (size_t i = 0; i < shape.size(); ++i) {
      Dim &out = result[rank - shape.size() + i];
      Dim in = shape[i];
      int64_t o = staticDim(out), n = staticDim(in);
      if (n == 1 || isMadeOf(out, in))
        continue;
      if (o == 1 || isMadeOf(in, out)) {
        out = in;
        continue;
      }
      std::string where = std::to_string(rank - shape.size() + i);
      if (o != ShapedType::kDynamic && n != ShapedType::kDynamic)
        fail("The size of tensor a (" + std::to_string(o) +
             ") must match the size of tensor b (" + std::to_string(n) +
             ") at non-singleton dimension " + where);
      requireSame(out, in,
                  "The size of tensor a ({}) must match the size of tensor b ({}) at "
                  "non-singleton dimension " + where,
                  /*mayBeOne=*/{out, in});
      if (n != ShapedType::kDynamic) {
        out = in;
      } else if (o == ShapedType::kDynamic) {
        mlir::Value isOne = arith::CmpIOp::create(
            b, arith::CmpIPredicate::eq, index(out), arith::ConstantIndexOp::create(b, 1));
        out = arith::SelectOp::create(b, isOne, index(in), index(out)).getResult();
      }
    }
  }
  return result;
}

mlir::Value Interpreter::broadcastTo(mlir::Value v, ArrayRef<Dim> sizes) {
  auto type = cast<RankedTensorType>(v.getType());
  RankedTensorType target = typeOf(sizes, type.getElementType());
  DenseElementsAttr attr;
  if (auto constant = v.getDefiningOp<arith::ConstantOp>())
    attr = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (attr && attr.isSplat() && target.hasStaticShape())
    return arith::ConstantOp::create(b, attr.resizeSplat(target));
  int64_t rank = sizes.size(), lead = rank - type.getRank();
  SmallVector<AffineExpr> exprs;
  SmallVector<int64_t> open; // 1 or the size that is wanted
  bool identity = lead == 0;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    Dim want = sizes[lead + i];
    bool stretch = type.getDimSize(i) == 1 && staticDim(want) != 1;
    if (type.isDynamicDim(i) && staticDim(want) != 1 && !sameDim(sizeOf(v, i), want))
      open.push_back(i);
    identity &= !stretch;
    exprs.push_back(stretch ? b.getAffineConstantExpr(0)
                            : b.getAffineDimExpr(lead + i));
  }
  auto spread = [&]() -> mlir::Value {
    if (identity)
      return type == target ? v : tensor::CastOp::create(b, target, v).getResult();
    auto in = AffineMap::get(rank, 0, exprs, b.getContext());
    auto out = AffineMap::getMultiDimIdentityMap(rank, b.getContext());
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               b, TypeRange{target}, ValueRange{v},
               ValueRange{empty(sizes, type.getElementType())}, ArrayRef{in, out},
               iterators,
               [](OpBuilder &nested, Location loc, ValueRange args) {
                 linalg::YieldOp::create(nested, loc, args[0]);
               })
        .getResult(0);
  };
  if (open.empty())
    return spread();
  // Where a size is 1 and another one is wanted, the element is repeated.
  mlir::Value zero = arith::ConstantIndexOp::create(b, 0);
  mlir::Value one = arith::ConstantIndexOp::create(b, 1);
  SmallVector<mlir::Value> isOne(type.getRank());
  mlir::Value isStretched;
  for (int64_t i : open) {
    mlir::Value have = index(sizeOf(v, i)), want = index(sizes[lead + i]);
    isOne[i] = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, have, one);
    mlir::Value differs = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, have, want);
    isStretched = isStretched ? arith::OrIOp::create(b, isStretched, differs).getResult() : differs;
  }
  auto branch = scf::IfOp::create(b, TypeRange{target}, isStretched, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  mlir::Value repeated = generate(sizes, type.getElementType(), [&](ValueRange ids) -> mlir::Value {
    SmallVector<mlir::Value> at;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (type.getDimSize(i) == 1)
        at.push_back(zero);
      else if (isOne[i])
        at.push_back(arith::SelectOp::create(b, isOne[i], zero, ids[lead + i]));
      else
        at.push_back(ids[lead + i]);
    }
    return tensor::ExtractOp::create(b, v, at);
  });
  scf::YieldOp::create(b, repeated);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, spread());
  return branch.getResult(0);
}

mlir::Value Interpreter::broadcastInto(mlir::Value v, ArrayRef<Dim> sizes) {
  int64_t rank = cast<RankedTensorType>(v.getType()).getRank();
  int64_t lead = (int64_t)sizes.size() - rank;
  for (int64_t i = 0; i < rank && lead >= 0; ++i) {
    Dim have = sizeOf(v, i);
    if (staticDim(have) == ShapedType::kDynamic || staticDim(sizes[lead + i]) == ShapedType::kDynamic)
      if (staticDim(have) != 1)
        requireSame(sizes[lead + i], have,
                    "output with size {} doesn't match the broadcast size {} at dimension " +
                        std::to_string(lead + i),
                    /*mayBeOne=*/have);
  }
  return broadcastTo(v, sizes);
}

//===----------------------------------------------------------------------===//
// Reshapes and what is computed per element
//===----------------------------------------------------------------------===//

mlir::Value Interpreter::reshape(mlir::Value v, ArrayRef<Dim> sizes) {
  auto type = cast<RankedTensorType>(v.getType());
  RankedTensorType target = typeOf(sizes, type.getElementType());
  if (type == target && type.hasStaticShape())
    return v;
  DenseElementsAttr attr;
  if (auto constant = v.getDefiningOp<arith::ConstantOp>())
    attr = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (attr && target.hasStaticShape())
    return arith::ConstantOp::create(b, attr.isSplat() ? attr.resizeSplat(target)
                                                       : attr.reshape(target));
  if (type.hasStaticShape() && target.hasStaticShape()) {
    if (type.getNumElements() == 0)
      return tensor::EmptyOp::create(b, target.getShape(), target.getElementType());
    auto groups = getReassociationIndicesForReshape(type, target);
    if (groups && type.getRank() > target.getRank())
      return tensor::CollapseShapeOp::create(b, target, v, *groups);
    if (groups && type.getRank() < target.getRank())
      return tensor::ExpandShapeOp::create(b, target, v, *groups);
  }
  // By way of one dimension.
  mlir::Value flat = v;
  if (type.getRank() != 1) {
    Dim n = product(sizesOf(v));
    auto flatType = RankedTensorType::get({staticDim(n)}, type.getElementType());
    SmallVector<ReassociationIndices> groups;
    if (type.getRank() > 0)
      groups.push_back(llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())));
    if (type.getRank() == 0)
      flat = tensor::ExpandShapeOp::create(b, RankedTensorType::get({1}, type.getElementType()), v, groups);
    else
      flat = tensor::CollapseShapeOp::create(b, flatType, v, groups);
  }
  if (target.getRank() == 1)
    return flat.getType() == target ? flat
                                    : tensor::CastOp::create(b, target, flat).getResult();
  SmallVector<ReassociationIndices> groups;
  if (target.getRank() == 0) {
    if (cast<RankedTensorType>(flat.getType()).isDynamicDim(0))
      flat = tensor::CastOp::create(b, RankedTensorType::get({1}, type.getElementType()), flat);
    return tensor::CollapseShapeOp::create(b, target, flat, groups);
  }
  groups.push_back(llvm::to_vector(llvm::seq<int64_t>(0, target.getRank())));
  auto flatType = cast<RankedTensorType>(flat.getType());
  if (target.hasStaticShape() && flatType.isDynamicDim(0))
    flat = tensor::CastOp::create(b, RankedTensorType::get({target.getNumElements()}, type.getElementType()), flat);
  else if (!target.hasStaticShape() && !flatType.isDynamicDim(0))
    flat = tensor::CastOp::create(b, RankedTensorType::get({ShapedType::kDynamic}, type.getElementType()), flat);
  return tensor::ExpandShapeOp::create(b, target, flat, groups, SmallVector<Dim>(sizes));
}

mlir::Value Interpreter::transpose(mlir::Value v, ArrayRef<int64_t> perm) {
  bool identity = true;
  for (auto [i, p] : llvm::enumerate(perm))
    identity &= (int64_t)i == p;
  if (identity)
    return v;
  SmallVector<Dim> sizes;
  for (int64_t p : perm)
    sizes.push_back(sizeOf(v, p));
  mlir::Value init = empty(sizes, cast<RankedTensorType>(v.getType()).getElementType());
  return linalg::TransposeOp::create(b, v, init, perm)->getResult(0);
}

mlir::Value Interpreter::elementwise(
    ArrayRef<mlir::Value> inputs, Type element,
    llvm::function_ref<mlir::Value(ValueRange)> body) {
  SmallVector<SmallVector<Dim>> shapes;
  for (mlir::Value v : inputs)
    shapes.push_back(sizesOf(v));
  SmallVector<Dim> sizes = broadcastShapes(shapes);
  SmallVector<mlir::Value> operands;
  for (mlir::Value v : inputs)
    operands.push_back(broadcastTo(v, sizes));
  return body(operands);
}

mlir::Value
Interpreter::generate(ArrayRef<Dim> sizes, Type element,
                      llvm::function_ref<mlir::Value(ValueRange)> body) {
  RankedTensorType type = typeOf(sizes, element);
  int64_t rank = sizes.size();
  auto out = AffineMap::getMultiDimIdentityMap(rank, b.getContext());
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  mlir::Value init = empty(sizes, element);
  auto op = linalg::GenericOp::create(b, TypeRange{type}, ValueRange{},
                                      ValueRange{init}, ArrayRef{out}, iterators);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&op.getRegion(), {}, {element}, {b.getLoc()});
  b.setInsertionPointToStart(block);
  SmallVector<mlir::Value> ids;
  for (int64_t d = 0; d < rank; ++d)
    ids.push_back(linalg::IndexOp::create(b, d));
  linalg::YieldOp::create(b, body(ids));
  return op.getResult(0);
}
