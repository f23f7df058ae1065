//===- Batcher.cpp - A function for all lanes at once ---------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Batcher.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace evox;

#include "evox/Dialect/Evox/Transforms/BatchOpInterface.cpp.inc"

bool evox::isDraw(Operation *op) {
  return isa<RandomUniformOp, RandomNormalOp, RandomIntegersOp,
             RandomPermutationOp, RandomExponentialOp, RandomBernoulliOp>(op);
}

/// What only some lanes may not do together with the others.
static bool isOrdered(Operation *op) {
  return isDraw(op) ||
         isa<RandomBeginLanesOp, ExternalCallOp, ListAppendOp, ListGetOp>(op);
}

//===----------------------------------------------------------------------===//
// What varies
//===----------------------------------------------------------------------===//

LogicalResult Batcher::analyze(Block &body, ArrayRef<bool> flags) {
  for (auto [argument, flag] : llvm::zip_equal(body.getArguments(), flags))
    if (flag)
      vary(argument);
  // Flags only ever go on, so this ends.
  do {
    changed = false;
    analyze(body, /*masked=*/false);
  } while (changed);
  if (forbidden)
    return forbidden->emitError(
        "vmap: called a random operation while in randomness error mode. "
        "Please use the 'same' or 'different' randomness flags on vmap or "
        "perform the randomness operation out of vmap");
  return success();
}

bool Batcher::splits(Operation *op) const {
  if (isa<scf::IfOp, scf::IndexSwitchOp>(op))
    return varies(op->getOperand(0));
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return varies(loop.getLowerBound()) || varies(loop.getUpperBound()) ||
           varies(loop.getStep());
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return varies(loop.getConditionOp().getCondition());
  return false;
}

void Batcher::analyze(Block &block, bool masked) {
  for (Operation &op : block.without_terminator())
    analyze(&op, masked);
}

void Batcher::analyze(Operation *op, bool masked) {
  // The lanes of a vmap around this one come first in the choice of a seed.
  if (!ordered && ((masked && isOrdered(op)) ||
                   (isa<RandomBeginLanesOp>(op) &&
                    options.randomness == Randomness::Different)))
    ordered = op;
  if (isDraw(op)) {
    if (options.randomness == Randomness::Error)
      forbidden = op;
    bool inputs = llvm::any_of(op->getOperands(),
                               [&](Value value) { return varies(value); });
    if (inputs || options.randomness == Randomness::Different)
      vary(op->getResult(0));
    return;
  }
  if (isa<scf::IfOp, scf::IndexSwitchOp>(op))
    return analyzeBranches(op, masked);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return analyzeFor(loop, masked);
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return analyzeWhile(loop, masked);
  // The size of all lanes' tensors is the same.
  if (isa<tensor::DimOp>(op))
    return;
  bool any = llvm::any_of(op->getOperands(),
                          [&](Value value) { return varies(value); });
  if (!any && op->getNumRegions()) {
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    any = llvm::any_of(captured, [&](Value value) { return varies(value); });
  }
  if (any)
    for (Value result : op->getResults())
      if (!isa<GeneratorType, ListType>(result.getType()))
        vary(result);
}

void Batcher::analyzeBranches(Operation *op, bool masked) {
  bool split = splits(op);
  for (Region &region : op->getRegions())
    if (!region.empty())
      analyze(region.front(), masked || split);
  for (OpResult result : op->getResults()) {
    bool any = split && !isa<GeneratorType, ListType>(result.getType());
    for (Region &region : op->getRegions())
      any |= varies(
          region.front().getTerminator()->getOperand(result.getResultNumber()));
    if (any)
      vary(result);
  }
}

void Batcher::analyzeFor(scf::ForOp loop, bool masked) {
  bool split = splits(loop);
  if (split)
    vary(loop.getInductionVar());
  analyze(*loop.getBody(), masked || split);
  for (auto [argument, result, init, next] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults(),
                       loop.getInits(), loop.getYieldedValues()))
    if (!isa<GeneratorType, ListType>(result.getType()) &&
        (split || varies(init) || varies(next) || varies(argument))) {
      vary(argument);
      vary(result);
    }
}

void Batcher::analyzeWhile(scf::WhileOp loop, bool masked) {
  // The condition may turn out to vary within this round: the next one sees.
  bool split = splits(loop);
  analyze(*loop.getBeforeBody(), masked || split);
  auto shared = [](Value value) {
    return isa<GeneratorType, ListType>(value.getType());
  };
  for (auto [argument, result, value] :
       llvm::zip_equal(loop.getAfterArguments(), loop.getResults(),
                       loop.getConditionOp().getArgs()))
    if (!shared(result) && (split || varies(value))) {
      vary(argument);
      vary(result);
    }
  analyze(*loop.getAfterBody(), masked || split);
  for (auto [argument, init, next] :
       llvm::zip_equal(loop.getBeforeArguments(), loop.getInits(),
                       loop.getYieldOp().getResults()))
    if (!shared(argument) && (split || varies(init) || varies(next)))
      vary(argument);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

LogicalResult Batcher::batch(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(batch(&op)))
      return failure();
  return success();
}

LogicalResult Batcher::batch(Operation *op) {
  Location saved = std::exchange(where, op->getLoc());
  llvm::scope_exit restore([&] { where = saved; });
  // Control flow has rules for varying values inside, draws for none at all,
  // and an assert must know about lanes that are off.
  bool needsRule =
      isDraw(op) ||
      isa<scf::IfOp, scf::IndexSwitchOp, scf::ForOp, scf::WhileOp>(op) ||
      (mask && isa<AssertOp>(op)) ||
      llvm::any_of(op->getOperands(), [&](Value v) { return varies(v); }) ||
      llvm::any_of(op->getResults(), [&](Value v) { return varies(v); });
  if (!needsRule) {
    Operation *copy = builder.clone(*op, mapping);
    if (mask)
      copy->walk([&](Operation *inner) { makeSafe(inner); });
    return success();
  }
  if (auto rule = dyn_cast<BatchOpInterface>(op))
    return rule.batch(*this);
  if (op->hasTrait<OpTrait::Elementwise>())
    return batchElementwise(op);
  return loopOverLanes(op);
}

bool evox::isDivision(Operation &op) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
             arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op);
}

/// Where no lane is left, what lanes share may be anything: keeps indices
/// within bounds and divisors off 0.
void Batcher::makeSafe(Operation *op) {
  OpBuilder b(op);
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    for (auto [dim, index] : llvm::enumerate(extract.getIndicesMutable()))
      index.set(clamp(b, index.get(), extract.getTensor(), dim));
  } else if (isDivision(*op)) {
    Type type = op->getOperand(1).getType();
    auto constant = [&](int64_t value) -> Value {
      TypedAttr attr = b.getIntegerAttr(getElementTypeOrSelf(type), value);
      if (auto tensor = dyn_cast<RankedTensorType>(type)) {
        if (!tensor.hasStaticShape())
          return {};
        attr = DenseElementsAttr::get(tensor, attr);
      }
      return arith::ConstantOp::create(b, where, attr);
    };
    if (Value zero = constant(0)) {
      Value bad = arith::CmpIOp::create(b, where, arith::CmpIPredicate::eq,
                                        op->getOperand(1), zero);
      op->setOperand(1, arith::SelectOp::create(b, where, bad, constant(1),
                                                op->getOperand(1)));
    }
  }
}

LogicalResult Batcher::batchElementwise(Operation *op) {
  Type type = op->getResult(0).getType();
  unsigned rank = batchType(type).getRank();
  SmallVector<Value> operands;
  Value like;
  for (Value operand : op->getOperands()) {
    operands.push_back(getBatched(operand));
    if (cast<RankedTensorType>(operands.back().getType()).getRank() == rank)
      like = operands.back();
  }
  // `arith.select` with one condition for whole tensors.
  for (Value &operand : operands)
    if (cast<RankedTensorType>(operand.getType()).getRank() != rank)
      operand = spread(operand, like);
  if (mask && isDivision(*op)) {
    auto type = cast<RankedTensorType>(operands[1].getType());
    Value one =
        generate(tensor::getMixedSizes(builder, where, operands[1]),
                 type.getElementType(), [&](OpBuilder &b, ValueRange) -> Value {
                   return arith::ConstantOp::create(
                       b, where, b.getIntegerAttr(type.getElementType(), 1));
                 });
    operands[1] = select(mask, operands[1], one);
  }
  OperationState state(where, op->getName());
  state.addOperands(operands);
  for (Type result : op->getResultTypes())
    state.addTypes(batchType(result));
  state.addAttributes(op->getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = op->getPropertiesAsAttribute();
  mapResults(op, builder.create(state));
  return success();
}

LogicalResult Batcher::refuseSize(Operation *op) {
  return op->emitError()
         << "under vmap, this gives a tensor of another size in each lane; "
            "keep a fixed size, as torch.where(mask, x, 0) does in the place "
            "of x[mask], or run the lanes one after the other "
            "(strategy='lanes')";
}

LogicalResult Batcher::loopOverLanes(Operation *op) {
  op->emitRemark() << "'" << op->getName()
                   << "' runs for one lane after the other under vmap";
  return loopOverLanes(op, /*scoped=*/false);
}

LogicalResult Batcher::loopOverLanes(Operation *op, bool scoped) {
  for (Type type : op->getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape())
      return op->emitError()
             << "vmap has no rule for '" << op->getName()
             << "' with open sizes; run the lanes one after the other "
                "(strategy='lanes')";
  }
  SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);

  SmallVector<Value> inits;
  for (OpResult result : op->getResults()) {
    if (isa<GeneratorType, ListType>(result.getType())) {
      Value operand = *llvm::find_if(op->getOperands(), [&](Value v) {
        return v.getType() == result.getType();
      });
      inits.push_back(get(operand));
      if (scoped)
        inits.back() = RandomBeginLanesOp::create(
            builder, where, inits.back().getType(), inits.back(),
            /*same=*/false);
      continue;
    }
    RankedTensorType type = batchType(result.getType());
    SmallVector<OpFoldResult> sizes = {lanes};
    for (int64_t size : type.getShape().drop_front())
      sizes.push_back(builder.getIndexAttr(size));
    inits.push_back(
        tensor::EmptyOp::create(builder, where, sizes, type.getElementType()));
  }
  auto loop = scf::ForOp::create(builder, where, index(0), asValue(lanes),
                                 index(1), inits);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  IRMapping inner;
  for (Value value : used) {
    Value now = get(value);
    if (!varies(value)) {
      inner.map(value, now);
    } else if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(builder, where, now);
      sizes[0] = builder.getIndexAttr(1);
      SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
      offsets[0] = loop.getInductionVar();
      inner.map(value, tensor::ExtractSliceOp::create(builder, where, type, now,
                                                      offsets, sizes, strides));
    } else {
      inner.map(value, tensor::ExtractOp::create(builder, where, now,
                                                 loop.getInductionVar()));
    }
  }
  // The generator goes from lane to lane.
  for (auto [result, argument] :
       llvm::zip_equal(op->getResults(), loop.getRegionIterArgs()))
    if (isa<GeneratorType, ListType>(result.getType()))
      for (Value operand : op->getOperands())
        if (operand.getType() == result.getType())
          inner.map(operand,
                    scoped ? lane(argument, loop.getInductionVar()) : argument);
  Operation *one = builder.clone(*op, inner);
  SmallVector<Value> next;
  for (auto [result, argument] :
       llvm::zip_equal(one->getResults(), loop.getRegionIterArgs())) {
    if (isa<GeneratorType, ListType>(result.getType())) {
      next.push_back(result);
    } else if (auto type = dyn_cast<RankedTensorType>(result.getType())) {
      SmallVector<OpFoldResult> sizes = {builder.getIndexAttr(1)};
      for (int64_t size : type.getShape())
        sizes.push_back(builder.getIndexAttr(size));
      SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
      offsets[0] = loop.getInductionVar();
      next.push_back(tensor::InsertSliceOp::create(
          builder, where, result, argument, offsets, sizes, strides));
    } else {
      next.push_back(tensor::InsertOp::create(builder, where, result, argument,
                                              loop.getInductionVar()));
    }
  }
  scf::YieldOp::create(builder, where, next);
  builder.setInsertionPointAfter(loop);
  for (auto [old, now] : llvm::zip_equal(op->getResults(), loop.getResults())) {
    Value value = now;
    if (scoped && isa<GeneratorType>(value.getType()))
      value = RandomEndLanesOp::create(builder, where, value.getType(), value);
    map(old, value);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Types and pieces of code
//===----------------------------------------------------------------------===//

RankedTensorType Batcher::batchType(Type type) const {
  SmallVector<int64_t> shape = {staticLanes};
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, getElementTypeOrSelf(type));
}

SmallVector<OpFoldResult>
Batcher::withLanes(ArrayRef<OpFoldResult> sizes) const {
  SmallVector<OpFoldResult> all = {lanes};
  for (OpFoldResult size : sizes)
    all.push_back(size);
  return all;
}

Value Batcher::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, where, value);
}

Value Batcher::asValue(OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(builder, where, value);
}

Value Batcher::getBatched(Value value) {
  return varies(value) ? get(value) : repeat(get(value));
}

/// Emits `yield` over a tensor of `sizes`, from elements of `input` that `map`
/// picks.
static Value pick(OpBuilder &builder, Location loc, Value input, AffineMap map,
                  ArrayRef<OpFoldResult> sizes) {
  Type element = getElementTypeOrSelf(input.getType());
  Value out = tensor::EmptyOp::create(builder, loc, sizes, element);
  unsigned rank = sizes.size();
  SmallVector<AffineMap> maps = {map, builder.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, out.getType(), input, out, maps, kinds,
             [](OpBuilder &b, Location loc, ValueRange in) {
               linalg::YieldOp::create(b, loc, in[0]);
             })
      .getResult(0);
}

Value Batcher::lane(Value generator, Value index) {
  Value number =
      arith::IndexCastOp::create(builder, where, builder.getI64Type(), index);
  return RandomLaneOp::create(builder, where, generator.getType(), generator,
                              number);
}

Value Batcher::repeat(Value value) {
  DenseElementsAttr constant;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (staticLanes != ShapedType::kDynamic && type &&
      matchPattern(value, m_Constant(&constant)) && constant.isSplat())
    return arith::ConstantOp::create(builder, where,
                                     constant.resizeSplat(batchType(type)));
  if (!type) {
    Value empty =
        tensor::EmptyOp::create(builder, where, lanes, value.getType());
    return linalg::FillOp::create(builder, where, value, empty).getResult(0);
  }
  if (auto empty = value.getDefiningOp<tensor::EmptyOp>())
    return tensor::EmptyOp::create(builder, where,
                                   withLanes(empty.getMixedSizes()),
                                   type.getElementType());
  if (auto fill = value.getDefiningOp<linalg::FillOp>()) {
    Value empty = tensor::EmptyOp::create(
        builder, where, withLanes(tensor::getMixedSizes(builder, where, value)),
        type.getElementType());
    return linalg::FillOp::create(builder, where, fill.getInputs()[0], empty)
        .getResult(0);
  }
  unsigned rank = type.getRank();
  SmallVector<AffineExpr> dims;
  for (unsigned i = 0; i < rank; ++i)
    dims.push_back(builder.getAffineDimExpr(i + 1));
  return pick(builder, where, value,
              AffineMap::get(rank + 1, 0, dims, builder.getContext()),
              withLanes(tensor::getMixedSizes(builder, where, value)));
}

Value Batcher::spread(Value perLane, Value like) {
  unsigned rank = cast<RankedTensorType>(like.getType()).getRank();
  if (rank == 1)
    return perLane;
  return pick(builder, where, perLane,
              AffineMap::get(rank, 0, builder.getAffineDimExpr(0)),
              tensor::getMixedSizes(builder, where, like));
}

Value Batcher::select(Value condition, Value a, Value b) {
  if (a == b)
    return a;
  return arith::SelectOp::create(builder, where, spread(condition, a), a, b);
}

Value Batcher::any(Value flags) {
  Value no = arith::ConstantIntOp::create(builder, where, 0, 1);
  Value empty = tensor::EmptyOp::create(
      builder, where, ArrayRef<OpFoldResult>(), builder.getI1Type());
  Value init = linalg::FillOp::create(builder, where, no, empty).getResult(0);
  SmallVector<AffineMap> maps = {
      builder.getMultiDimIdentityMap(1),
      AffineMap::get(1, 0, {}, builder.getContext())};
  Value one = linalg::GenericOp::create(
                  builder, where, init.getType(), flags, init, maps,
                  utils::IteratorType::reduction,
                  [](OpBuilder &b, Location loc, ValueRange in) {
                    Value either = arith::OrIOp::create(b, loc, in[1], in[0]);
                    linalg::YieldOp::create(b, loc, either);
                  })
                  .getResult(0);
  return tensor::ExtractOp::create(builder, where, one, ValueRange());
}

Value Batcher::both(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return arith::AndIOp::create(builder, where, a, b);
}

Value Batcher::invert(Value flags) {
  auto type = cast<RankedTensorType>(flags.getType());
  Value yes = repeat(arith::ConstantIntOp::create(builder, where, 1, 1));
  return arith::XOrIOp::create(builder, where, type, flags, yes);
}

static Value zero(OpBuilder &builder, Location loc, Type element) {
  return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
}

Value Batcher::zerosLike(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  Value empty = tensor::EmptyOp::create(
      builder, where, tensor::getMixedSizes(builder, where, value), element);
  return linalg::FillOp::create(builder, where, zero(builder, where, element),
                                empty)
      .getResult(0);
}

Value Batcher::generate(ArrayRef<OpFoldResult> sizes, Type elementType,
                        function_ref<Value(OpBuilder &, ValueRange)> element) {
  Value out = tensor::EmptyOp::create(builder, where, sizes, elementType);
  unsigned rank = sizes.size();
  SmallVector<AffineMap> maps = {builder.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, where, out.getType(), ValueRange(), out, maps, kinds,
             [&](OpBuilder &b, Location loc, ValueRange) {
               SmallVector<Value> at;
               for (unsigned i = 0; i < rank; ++i)
                 at.push_back(linalg::IndexOp::create(b, loc, i));
               linalg::YieldOp::create(b, loc, element(b, at));
             })
      .getResult(0);
}

Value Batcher::clamp(OpBuilder &b, Value at, Value tensor, int64_t dim) {
  if (!mask || getConstantIntValue(at))
    return at;
  Value zero = arith::ConstantIndexOp::create(b, where, 0);
  Value one = arith::ConstantIndexOp::create(b, where, 1);
  Value size = tensor::DimOp::create(b, where, tensor, dim);
  Value last = arith::SubIOp::create(b, where, size, one);
  at = arith::MinSIOp::create(b, where, at, last);
  return arith::MaxSIOp::create(b, where, at, zero);
}

Value Batcher::extract(OpBuilder &b, Value tensor, Value lane, ValueRange at) {
  Value now = get(tensor);
  SmallVector<Value> indices;
  if (varies(tensor))
    indices.push_back(lane);
  for (Value index : at)
    indices.push_back(clamp(b, index, now, indices.size()));
  return tensor::ExtractOp::create(b, where, now, indices);
}

Value Batcher::scalarOf(OpBuilder &b, Value scalar, Value lane) {
  if (!varies(scalar))
    return get(scalar);
  return tensor::ExtractOp::create(b, where, get(scalar), lane);
}
