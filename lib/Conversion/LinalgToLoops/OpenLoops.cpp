//===- OpenLoops.cpp - Tasks of an open number of rows --------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each such loop for itself: there are no tiles, as nobody knows here whether
// two of them have as many rows.
//
//===----------------------------------------------------------------------===//

#include "OpenLoops.h"
#include "RowAccesses.h"
#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace evox;
using namespace evox::rows;

namespace {

/// As many as are worth while to share; also the rows that a vector takes
/// where a row is one number.
constexpr int64_t kMostTasks = 64, kVector = 16;
/// Nobody has so many rows that cost next to nothing.
constexpr int64_t kMostRows = 1 << 18;

bool isOpen(scf::ForOp loop) {
  return loop.getNumResults() == 0 &&
         getConstantIntValue(loop.getLowerBound()) == 0 &&
         getConstantIntValue(loop.getStep()) == 1 &&
         !getConstantIntValue(loop.getUpperBound()) &&
         loop.getUpperBound().getType().isIndex();
}

/// The bytes of a row of all that the loop goes through.
double rowBytes(ArrayRef<Access> accesses) {
  DenseSet<Value> roots;
  double bytes = 0;
  for (const Access &access : accesses) {
    auto type = dyn_cast<MemRefType>(access.root.getType());
    if (!type || type.getRank() == 0 || !type.isDynamicDim(0) ||
        !type.getElementType().isIntOrFloat() ||
        !roots.insert(access.root).second)
      continue;
    double row = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    for (int64_t size : type.getShape().drop_front())
      row *= ShapedType::isDynamic(size) ? 8 : size;
    bytes += row;
  }
  return bytes;
}

void outline(scf::ForOp loop, int64_t least, func::FuncOp func,
             SymbolTable &symbols, unsigned &counter) {
  Location loc = loop.getLoc();
  OpBuilder builder(loop);
  auto constant = [&](OpBuilder &at, int64_t value) -> Value {
    return arith::ConstantIndexOp::create(at, loc, value);
  };

  // What comes from outside; constants and views are made anew inside.
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  llvm::SetVector<Operation *> remade;
  llvm::SetVector<Value> captured;
  std::function<void(Value)> visit = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumRegions() != 0 ||
        !(op->hasTrait<OpTrait::ConstantLike>() ||
          isa<memref::GetGlobalOp, affine::AffineApplyOp>(op) ||
          (isa<ViewLikeOpInterface>(op) && isa<MemRefType>(value.getType())))) {
      captured.insert(value);
      return;
    }
    for (Value operand : op->getOperands())
      visit(operand);
    remade.insert(op);
  };
  for (Value value : used)
    visit(value);

  // At run time: how many rows a task has, and how many tasks there are.
  Value rows = loop.getUpperBound();
  bool isNarrow = llvm::none_of(*loop.getBody(), [](Operation &op) {
    return isa<scf::ForOp>(op);
  });
  int64_t unit = isNarrow ? kVector : 1;
  auto ceilDiv = [&](Value a, Value b, int64_t bMinusOne) -> Value {
    Value sum = arith::AddIOp::create(builder, loc, a,
                                      constant(builder, bMinusOne));
    return arith::DivUIOp::create(builder, loc, sum, b);
  };
  Value perTask = arith::MulIOp::create(
      builder, loc,
      ceilDiv(rows, constant(builder, kMostTasks * unit),
              kMostTasks * unit - 1),
      constant(builder, unit));
  perTask = arith::MaxUIOp::create(builder, loc, perTask,
                                   constant(builder, llvm::alignTo(least, unit)));
  Value tasks = arith::AddIOp::create(
      builder, loc, rows,
      arith::SubIOp::create(builder, loc, perTask, constant(builder, 1)));
  tasks = arith::DivUIOp::create(builder, loc, tasks, perTask);

  SmallVector<Value> operands{tasks, rows, perTask};
  llvm::append_range(operands, captured);
  Type index = builder.getIndexType();
  SmallVector<Type> types(3, index);
  llvm::append_range(types, ValueRange(captured.getArrayRef()).getTypes());
  auto task = func::FuncOp::create(
      loc, (func.getSymName() + ".rows" + Twine(counter++)).str(),
      builder.getFunctionType(types, {}));
  task.setPrivate();
  if (llvm::all_of(captured, [&](Value value) {
        return !isa<BaseMemRefType>(value.getType()) || isIdentified(value);
      }))
    task->setAttr(kDistinctBuffers, builder.getUnitAttr());
  symbols.insert(task, std::next(Block::iterator(func)));

  OpBuilder inner = OpBuilder::atBlockEnd(task.addEntryBlock());
  IRMapping mapping;
  for (auto [value, argument] :
       llvm::zip_equal(captured, task.getArguments().drop_front(3)))
    mapping.map(value, argument);
  for (Operation *op : remade)
    inner.clone(*op, mapping);
  Value from = arith::MulIOp::create(inner, loc, task.getArgument(0),
                                     task.getArgument(2));
  Value to = arith::AddIOp::create(inner, loc, from, task.getArgument(2));
  to = arith::MinUIOp::create(inner, loc, to, task.getArgument(1));
  Value one = constant(inner, 1);
  auto part = cast<scf::ForOp>(inner.clone(*loop, mapping));
  part.setLowerBound(from);
  part.setUpperBound(to);
  part.setStep(one);
  func::ReturnOp::create(inner, loc);

  auto call = func::CallOp::create(builder, loc, task, operands);
  call->setAttr(kParallelCall, builder.getUnitAttr());
  loop.erase();
}

} // namespace

void evox::parallelizeOpenLoops(func::FuncOp func,
                                llvm::function_ref<double(Block &)> costOf,
                                double minTaskCost, double byteCost,
                                SymbolTable &symbols, unsigned &counter) {
  SmallVector<std::pair<scf::ForOp, int64_t>> found;
  func.walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
    if (!loop->hasAttr(kParallelLoop))
      return WalkResult::advance();
    SmallVector<Access> accesses;
    if (isOpen(loop) && collect(loop, accesses)) {
      double cost = std::max(costOf(*loop.getBody()),
                             byteCost * rowBytes(accesses));
      auto least = static_cast<int64_t>(minTaskCost / std::max(cost, 1.0));
      if (least < kMostRows)
        found.push_back({loop, std::max<int64_t>(least, 1)});
    }
    return WalkResult::skip();
  });
  for (auto [loop, least] : found)
    outline(loop, least, func, symbols, counter);
}
