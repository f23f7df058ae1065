//===- BatchControlFlow.cpp - Batching rules of branches and loops --------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where all lanes go the same way, a branch or loop stays what it is. Else
// all lanes run all branches, and loop until the last one is done; `mask`
// tells the ops inside which lanes would be there.
//
//===----------------------------------------------------------------------===//

#include "BatchRules.h"
#include "Batcher.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace evox;

namespace {

/// The values that end a region, with lanes where `like` varies.
SmallVector<Value> valuesFor(Batcher &batcher, ValueRange values,
                             ValueRange like) {
  SmallVector<Value> out;
  for (auto [value, target] : llvm::zip_equal(values, like))
    out.push_back(batcher.varies(target) ? batcher.getBatched(value)
                                         : batcher.get(value));
  return out;
}

SmallVector<Type> typesOf(Batcher &batcher, ValueRange values) {
  SmallVector<Type> types;
  for (Value value : values)
    types.push_back(batcher.varies(value)
                        ? Type(batcher.batchType(value.getType()))
                        : value.getType());
  return types;
}

/// Emits the old `block` where the builder stands, for the lanes of `mask`;
/// `results` are what its terminator hands on, with lanes where `like` varies.
LogicalResult inlineBlock(Batcher &batcher, Block &block, Value mask,
                          ValueRange like, SmallVectorImpl<Value> &results) {
  Value saved = std::exchange(batcher.mask, mask);
  llvm::scope_exit restore([&] { batcher.mask = saved; });
  if (failed(batcher.batch(block)))
    return failure();
  results = valuesFor(batcher, block.getTerminator()->getOperands(), like);
  return success();
}

/// Emits the old `block` into `now`, a new block that ends in a yield.
LogicalResult fillBlock(Batcher &batcher, Block &old, Block &now,
                        ValueRange like) {
  OpBuilder::InsertionGuard guard(batcher.builder);
  batcher.builder.setInsertionPointToEnd(&now);
  SmallVector<Value> results;
  if (failed(inlineBlock(batcher, old, batcher.mask, like, results)))
    return failure();
  scf::YieldOp::create(batcher.builder, batcher.loc(), results);
  return success();
}

LogicalResult batchIf(scf::IfOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Value condition = batcher.get(op.getCondition());
  if (!batcher.varies(op.getCondition())) {
    bool withElse = !op.getElseRegion().empty();
    auto now = scf::IfOp::create(b, batcher.loc(),
                                 typesOf(batcher, op.getResults()), condition,
                                 /*addThenBlock=*/true, withElse);
    for (auto [old, region] :
         llvm::zip_equal(op->getRegions(), now->getRegions()))
      if (!region.empty()) {
        region.front().clear();
        if (failed(fillBlock(batcher, old.front(), region.front(),
                             op.getResults())))
          return failure();
      }
    batcher.mapResults(op, now);
    return success();
  }
  SmallVector<Value> yes, no;
  Value outer = batcher.mask;
  if (failed(inlineBlock(batcher, *op.thenBlock(),
                         batcher.both(outer, condition), op.getResults(), yes)))
    return failure();
  if (!op.getElseRegion().empty() &&
      failed(inlineBlock(batcher, *op.elseBlock(),
                         batcher.both(outer, batcher.invert(condition)),
                         op.getResults(), no)))
    return failure();
  for (auto [result, a, c] : llvm::zip(op.getResults(), yes, no))
    batcher.map(result, batcher.select(condition, a, c));
  return success();
}

LogicalResult batchSwitch(scf::IndexSwitchOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Value which = batcher.get(op.getArg());
  if (!batcher.varies(op.getArg())) {
    auto now =
        scf::IndexSwitchOp::create(b, loc, typesOf(batcher, op.getResults()),
                                   which, op.getCases(), op.getNumCases());
    for (auto [old, region] :
         llvm::zip_equal(op->getRegions(), now->getRegions()))
      if (failed(fillBlock(batcher, old.front(), region.emplaceBlock(),
                           op.getResults())))
        return failure();
    batcher.mapResults(op, now);
    return success();
  }
  Value outer = batcher.mask, other; // the lanes that no case takes
  SmallVector<std::pair<Value, SmallVector<Value>>> taken;
  for (auto [value, region] :
       llvm::zip_equal(op.getCases(), op.getCaseRegions())) {
    Value wanted = batcher.repeat(batcher.index(value));
    Value is =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, which, wanted);
    other = batcher.both(other, batcher.invert(is));
    auto &[condition, values] = taken.emplace_back(is, SmallVector<Value>());
    if (failed(inlineBlock(batcher, region.front(), batcher.both(outer, is),
                           op.getResults(), values)))
      return failure();
  }
  SmallVector<Value> values;
  if (failed(inlineBlock(batcher, op.getDefaultBlock(),
                         batcher.both(outer, other), op.getResults(), values)))
    return failure();
  for (auto &[condition, chosen] : taken)
    for (auto [value, choice] : llvm::zip_equal(values, chosen))
      value = batcher.select(condition, choice, value);
  for (auto [result, value] : llvm::zip_equal(op.getResults(), values))
    batcher.map(result, value);
  return success();
}

/// The greatest element of a tensor<lanes x index>, at least 0.
Value greatest(Batcher &batcher, Value values) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Value empty = tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>(),
                                        b.getIndexType());
  Value init =
      linalg::FillOp::create(b, loc, batcher.index(0), empty).getResult(0);
  SmallVector<AffineMap> maps = {b.getMultiDimIdentityMap(1),
                                 AffineMap::get(1, 0, {}, b.getContext())};
  Value most = linalg::GenericOp::create(
                   b, loc, init.getType(), values, init, maps,
                   utils::IteratorType::reduction,
                   [](OpBuilder &b, Location loc, ValueRange in) {
                     Value more = arith::MaxSIOp::create(b, loc, in[1], in[0]);
                     linalg::YieldOp::create(b, loc, more);
                   })
                   .getResult(0);
  return tensor::ExtractOp::create(b, loc, most, ValueRange());
}

LogicalResult batchFor(scf::ForOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Block &body = *op.getBody();
  SmallVector<Value> inits = valuesFor(batcher, op.getInits(), op.getResults());
  Value bounds[] = {op.getLowerBound(), op.getUpperBound(), op.getStep()};
  bool split = llvm::any_of(bounds, [&](Value v) { return batcher.varies(v); });
  if (!split) {
    auto now = scf::ForOp::create(b, loc, batcher.get(bounds[0]),
                                  batcher.get(bounds[1]),
                                  batcher.get(bounds[2]), inits);
    now.getBody()->clear();
    batcher.map(op.getInductionVar(), now.getInductionVar());
    for (auto [old, argument] :
         llvm::zip_equal(op.getRegionIterArgs(), now.getRegionIterArgs()))
      batcher.map(old, argument);
    if (failed(fillBlock(batcher, body, *now.getBody(), op.getResults())))
      return failure();
    batcher.mapResults(op, now);
    return success();
  }

  // Each lane has its number of rounds; lanes drop out one by one.
  Type type = op.getInductionVar().getType();
  SmallVector<Value> each;
  for (Value bound : bounds) {
    Value value = batcher.getBatched(bound);
    if (!type.isIndex())
      value = arith::IndexCastOp::create(
          b, loc, batcher.batchType(b.getIndexType()), value);
    each.push_back(value);
  }
  Value zeros = batcher.repeat(batcher.index(0));
  if (batcher.mask)
    each[2] =
        batcher.select(batcher.mask, each[2], batcher.repeat(batcher.index(1)));
  Value span = arith::SubIOp::create(b, loc, each[1], each[0]);
  Value rounds = arith::CeilDivSIOp::create(b, loc, span, each[2]);
  if (batcher.mask)
    rounds = batcher.select(batcher.mask, rounds, zeros);
  auto now =
      scf::ForOp::create(b, loc, batcher.index(0), greatest(batcher, rounds),
                         batcher.index(1), inits);
  now.getBody()->clear();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(now.getBody());
  Value round = batcher.repeat(now.getInductionVar());
  Value here =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, round, rounds);
  Value far = arith::MulIOp::create(b, loc, round, each[2]);
  Value at = arith::AddIOp::create(b, loc, each[0], far);
  if (!type.isIndex())
    at = arith::IndexCastOp::create(b, loc, batcher.batchType(type), at);
  batcher.map(op.getInductionVar(), at);
  for (auto [old, argument] :
       llvm::zip_equal(op.getRegionIterArgs(), now.getRegionIterArgs()))
    batcher.map(old, argument);
  SmallVector<Value> results;
  if (failed(inlineBlock(batcher, body, batcher.both(batcher.mask, here),
                         op.getResults(), results)))
    return failure();
  for (auto [old, result, argument] :
       llvm::zip_equal(op.getResults(), results, now.getRegionIterArgs()))
    if (batcher.varies(old))
      result = batcher.select(here, result, argument);
  scf::YieldOp::create(b, loc, results);
  batcher.mapResults(op, now);
  return success();
}

LogicalResult batchWhile(scf::WhileOp op, Batcher &batcher) {
  OpBuilder &b = batcher.builder;
  Location loc = batcher.loc();
  Block &before = *op.getBeforeBody(), &after = *op.getAfterBody();
  scf::ConditionOp condition = op.getConditionOp();
  bool split = batcher.varies(condition.getCondition());
  SmallVector<Value> inits =
      valuesFor(batcher, op.getInits(), op.getBeforeArguments());
  SmallVector<Type> types = typesOf(batcher, op.getResults());
  unsigned carried = inits.size(), count = types.size();
  for (Value result : op.getResults())
    if (split && !batcher.varies(result))
      return op.emitError("vmap: a loop that lanes leave one by one cannot "
                          "carry ")
             << result.getType();
  // Mostly the condition hands on what is carried: then that is frozen, lane
  // by lane. Else the results of the lanes that are done are carried, too.
  auto carriedArgument = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &before;
  };
  bool direct = llvm::all_of(condition.getArgs(), carriedArgument);
  if (split && !direct) {
    for (auto [i, result] : llvm::enumerate(op.getResults())) {
      auto argument = dyn_cast<BlockArgument>(condition.getArgs()[i]);
      RankedTensorType type = batcher.batchType(result.getType());
      if (argument && argument.getOwner() == &before) {
        inits.push_back(inits[argument.getArgNumber()]);
      } else if (llvm::any_of(type.getShape().drop_front(),
                              ShapedType::isDynamic)) {
        return op.emitError("vmap: a loop that lanes leave one by one cannot "
                            "carry a tensor of open size; run the lanes one "
                            "after the other (strategy='lanes')");
      } else {
        SmallVector<OpFoldResult> sizes = {batcher.lanes};
        for (int64_t size : type.getShape().drop_front())
          sizes.push_back(b.getIndexAttr(size));
        Value like =
            tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
        inits.push_back(batcher.zerosLike(like));
      }
    }
  }
  if (split) { // which lanes are not done
    inits.push_back(batcher.mask ? batcher.mask
                                 : batcher.repeat(arith::ConstantIntOp::create(
                                       b, loc, 1, 1)));
    types.push_back(inits.back().getType());
  }
  auto now = scf::WhileOp::create(b, loc, types, inits);
  OpBuilder::InsertionGuard guard(b);
  Block *test =
      b.createBlock(&now.getBefore(), {}, ValueRange(inits).getTypes(),
                    SmallVector<Location>(inits.size(), loc));
  for (auto [old, argument] :
       llvm::zip(op.getBeforeArguments(), test->getArguments()))
    batcher.map(old, argument);
  Value here = split ? test->getArguments().back() : batcher.mask;
  Value outer = std::exchange(batcher.mask, here);
  llvm::scope_exit restore([&] { batcher.mask = outer; });
  if (failed(batcher.batch(before)))
    return failure();
  SmallVector<Value> handed =
      valuesFor(batcher, condition.getArgs(), op.getResults());
  Value go = batcher.get(condition.getCondition());
  if (split) {
    if (!direct)
      for (unsigned i = 0; i < count; ++i)
        handed[i] =
            batcher.select(here, handed[i], test->getArgument(carried + i));
    handed.push_back(batcher.both(here, go));
    go = batcher.any(handed.back());
  }
  scf::ConditionOp::create(b, loc, go, handed);

  Block *body = b.createBlock(&now.getAfter(), {}, types,
                              SmallVector<Location>(types.size(), loc));
  for (auto [old, argument] :
       llvm::zip(op.getAfterArguments(), body->getArguments()))
    batcher.map(old, argument);
  batcher.mask = split ? body->getArguments().back() : outer;
  if (failed(batcher.batch(after)))
    return failure();
  SmallVector<Value> next =
      valuesFor(batcher, op.getYieldOp().getResults(), op.getBeforeArguments());
  if (split && direct) {
    for (unsigned i = 0; i < count; ++i) {
      unsigned at = cast<BlockArgument>(condition.getArgs()[i]).getArgNumber();
      next[at] = batcher.select(batcher.mask, next[at], body->getArgument(i));
    }
    next.push_back(batcher.mask);
  } else if (split) {
    llvm::append_range(next, body->getArguments());
  }
  scf::YieldOp::create(b, loc, next);
  for (auto [old, result] : llvm::zip(op.getResults(), now.getResults()))
    batcher.map(old, result);
  return success();
}

} // namespace

void evox::registerControlFlowBatchRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, scf::SCFDialect *) {
    attachRule<scf::IfOp, batchIf>(context);
    attachRule<scf::IndexSwitchOp, batchSwitch>(context);
    attachRule<scf::ForOp, batchFor>(context);
    attachRule<scf::WhileOp, batchWhile>(context);
  });
}
