//===- BatchEvox.cpp - Batching rules of evox -----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BatchRules.h"
#include "Batcher.h"
#include "evox/Dialect/Evox/Transforms/Passes.h"

using namespace mlir;
using namespace evox;

namespace {

/// The op with batched tensors in the place of tensors.
Operation *rebuild(Operation *op, Batcher &batcher, ValueRange operands) {
  OperationState state(batcher.loc(), op->getName());
  state.addOperands(operands);
  for (Type type : op->getResultTypes())
    state.addTypes(isa<RankedTensorType>(type) ? Type(batcher.batchType(type))
                                               : type);
  state.addAttributes(op->getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = op->getPropertiesAsAttribute();
  return batcher.builder.create(state);
}

/// Ops of any number of batch dimensions in front.
template <typename Op> LogicalResult batchLeading(Op op, Batcher &batcher) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(batcher.getBatched(operand));
  batcher.mapResults(op, rebuild(op, batcher, operands));
  return success();
}

/// Ops along a dimension.
template <typename Op> LogicalResult batchAlong(Op op, Batcher &batcher) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t dim = op.getDim();
  if (type.getRank() == 0)
    return batcher.loopOverLanes(op);
  SmallVector<Value> operands = {batcher.getBatched(op.getInput())};
  for (Value operand : llvm::drop_begin(op->getOperands())) {
    if (batcher.varies(operand))
      return batcher.refuseSize(op);
    operands.push_back(batcher.get(operand));
  }
  Operation *now = rebuild(op, batcher, operands);
  cast<Op>(now).setDim(dim < 0 ? dim : dim + 1);
  batcher.mapResults(op, now);
  return success();
}

LogicalResult batchScatter(ScatterOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Value updates = batcher.getBatched(op.getUpdates());
  Value input = batcher.getBatched(op.getInput());
  Value indices = op.getIndices(), now = batcher.get(indices);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, now);
  if (!batcher.varies(indices))
    sizes = batcher.withLanes(sizes);
  // The tuples get the lane as their first number.
  OpFoldResult &width = sizes.back();
  int64_t old = cast<RankedTensorType>(indices.getType()).getShape().back();
  width = b.getIndexAttr(old + 1);
  Value all = batcher.generate(
      sizes, b.getI64Type(), [&](OpBuilder &b, ValueRange at) -> Value {
        Value zero = arith::ConstantIndexOp::create(b, loc, 0);
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        Value lane = arith::IndexCastOp::create(b, loc, b.getI64Type(), at[0]);
        if (old == 0)
          return lane;
        SmallVector<Value> from(at);
        if (!batcher.varies(indices))
          from.erase(from.begin());
        Value column = at.back();
        Value before = arith::SubIOp::create(b, loc, column, one);
        from.back() = arith::MaxSIOp::create(b, loc, before, zero);
        Value index = tensor::ExtractOp::create(b, loc, now, from);
        if (batcher.mask) {
          // Lanes that are off may have any index: theirs is dropped later.
          Value least = arith::ConstantIntOp::create(b, loc, 0, 64);
          Value size = tensor::DimOp::create(b, loc, input, column);
          Value last = arith::SubIOp::create(b, loc, size, one);
          last = arith::IndexCastOp::create(b, loc, b.getI64Type(), last);
          index = arith::MinSIOp::create(b, loc, index, last);
          index = arith::MaxSIOp::create(b, loc, index, least);
        }
        Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                            column, zero);
        return arith::SelectOp::create(b, loc, first, lane, index);
      });
  batcher.mapResults(op, rebuild(op, batcher, {updates, input, all}));
  return success();
}

LogicalResult refuse(NonzeroOp op, Batcher &batcher) {
  return batcher.refuseSize(op);
}

LogicalResult batchAssert(AssertOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Value bad = batcher.both(
      batcher.mask, batcher.invert(batcher.getBatched(op.getCondition())));
  Value ok = arith::XOrIOp::create(b, loc, batcher.any(bad),
                                   arith::ConstantIntOp::create(b, loc, 1, 1));
  SmallVector<Value> values;
  Value lane; // the first one that fails
  for (Value value : op.getValues()) {
    Value now = batcher.get(value);
    if (batcher.varies(value)) {
      if (!lane) {
        Value empty = tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>(),
                                              b.getIndexType());
        Value count = batcher.asValue(batcher.lanes);
        Value last = arith::SubIOp::create(b, loc, count, batcher.index(1));
        Value init = linalg::FillOp::create(b, loc, last, empty).getResult(0);
        SmallVector<AffineMap> maps = {
            b.getMultiDimIdentityMap(1),
            AffineMap::get(1, 0, {}, b.getContext())};
        Value first =
            linalg::GenericOp::create(
                b, loc, init.getType(), bad, init, maps,
                utils::IteratorType::reduction,
                [](OpBuilder &b, Location loc, ValueRange in) {
                  Value here = linalg::IndexOp::create(b, loc, 0);
                  Value less = arith::MinSIOp::create(b, loc, here, in[1]);
                  Value out =
                      arith::SelectOp::create(b, loc, in[0], less, in[1]);
                  linalg::YieldOp::create(b, loc, out);
                })
                .getResult(0);
        lane = tensor::ExtractOp::create(b, loc, first, ValueRange());
      }
      now = tensor::ExtractOp::create(b, loc, now, lane);
    }
    values.push_back(now);
  }
  AssertOp::create(b, loc, ok, op.getMessage(), values);
  return success();
}

LogicalResult batchAppend(ListAppendOp op, Batcher &batcher) {
  return op.emitError("vmap: all lanes share this list, so it cannot take a "
                      "value per lane; append after the vmap");
}

/// One draw for all lanes, as `torch.func.vmap` does it; under philox, where
/// each lane has a generator of its own, one after the other.
template <typename Op> LogicalResult batchDraw(Op op, Batcher &batcher) {
  bool perLane = false;
  for (Value operand : op->getOperands().drop_back(op.getSizes().size()))
    perLane |= batcher.varies(operand);
  for (Value size : op.getSizes())
    if (batcher.varies(size))
      return batcher.refuseSize(op);
  bool different = batcher.options.randomness == Randomness::Different;
  if (!different && !perLane) {
    batcher.builder.clone(*op, batcher.getMapping());
    return success();
  }
  if (batcher.options.philox && different)
    return batcher.loopOverLanes(op, /*scoped=*/true);
  if (!different)
    return op->emitError("vmap: randomness='same' with a distribution that "
                         "differs from lane to lane is not supported");
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(batcher.get(operand));
  if constexpr (std::is_same_v<Op, RandomBernoulliOp>) {
    // A scalar probability of a whole tensor draws in another way.
    auto type = cast<RankedTensorType>(op.getProbabilities().getType());
    bool whole = type.getRank() ==
                 cast<RankedTensorType>(op.getValues().getType()).getRank();
    if (whole)
      operands[1] = batcher.getBatched(op.getProbabilities());
    else if (perLane)
      return batcher.loopOverLanes(op, /*scoped=*/false);
  } else if (perLane || std::is_same_v<Op, RandomPermutationOp>) {
    return batcher.loopOverLanes(op, /*scoped=*/false);
  }
  if (auto value = dyn_cast<Value>(batcher.lanes))
    operands.insert(operands.end() - op.getSizes().size(), value);
  batcher.mapResults(op, rebuild(op, batcher, operands));
  return success();
}

template <typename... Ops> void attachDraws(MLIRContext *context) {
  (attachRule<Ops, batchDraw<Ops>>(context), ...);
}
template <typename... Ops> void attachLeading(MLIRContext *context) {
  (attachRule<Ops, batchLeading<Ops>>(context), ...);
}
template <typename... Ops> void attachAlong(MLIRContext *context) {
  (attachRule<Ops, batchAlong<Ops>>(context), ...);
}

} // namespace

void evox::registerEvoxBatchRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EvoxDialect *) {
    attachDraws<RandomUniformOp, RandomNormalOp, RandomIntegersOp,
                RandomPermutationOp, RandomExponentialOp, RandomBernoulliOp>(
        context);
    attachAlong<SortOp, TopKOp, CumulativeOp>(context);
    attachLeading<CholeskyOp, EighOp, QrOp, SvdOp, LuOp, SolveOp,
                  SolveTriangularOp, LstsqOp>(context);
    attachRule<ScatterOp, batchScatter>(context);
    attachRule<NonzeroOp, refuse>(context);
    attachRule<AssertOp, batchAssert>(context);
    attachRule<ListAppendOp, batchAppend>(context);
    attachLeading<ArgumentWriteOp>(context);
  });
}

void evox::registerBatchOpInterfaceExternalModels(DialectRegistry &registry) {
  registerLinalgBatchRules(registry);
  registerTensorBatchRules(registry);
  registerControlFlowBatchRules(registry);
  registerEvoxBatchRules(registry);
}
