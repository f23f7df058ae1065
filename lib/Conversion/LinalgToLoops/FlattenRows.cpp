//===- FlattenRows.cpp - Loops over narrow rows as loops over elements ----===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowAccesses.h"
#include "evox/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"

namespace evox {
#define GEN_PASS_DEF_EVOXFLATTENROWS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;
using namespace evox::rows;

namespace {

/// So many rows are a number of vectors, whatever their width.
constexpr int64_t kBlock = 16;
/// What is repeated for the elements of a block is on the stack: the host's
/// threads may have small ones.
constexpr int64_t kStackBytes = 16 * 1024;

enum class Kind {
  Element, // [..., row, column] of rows that lie one behind the other
  Column,  // the same in every row
  Row,     // the same in every column
  Scalar,
};

/// Two loops, over the rows and, innermost, over the columns.
class Nest {
public:
  explicit Nest(scf::ForOp rows) : rows(rows) {}
  bool match(int64_t mostColumns);
  /// Of the stack.
  int64_t bytes();
  void flatten();

private:
  bool isOfRow(Value index) { return ofRow.contains(index); }
  bool countsRows(Value index);
  std::optional<Kind> kindOf(Value memref, ValueRange indices);
  void emitBlocks(OpBuilder &builder, Value from, Value to, bool whole);

  scf::ForOp rows, columns;
  int64_t count = 0; // of columns
  /// What depends on the row.
  DenseSet<Value> ofRow;
  llvm::MapVector<Operation *, Kind> accesses;
  /// What is the same in every column or row, as often as a block has it.
  DenseMap<Operation *, Value> buffers;
};

Value memrefOf(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return load.getMemRef();
  return cast<memref::StoreOp>(op).getMemRef();
}

ValueRange indicesOf(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return load.getIndices();
  return cast<memref::StoreOp>(op).getIndices();
}

/// No other argument or allocation of the function is that memory.
bool isDistinct(Value root) {
  if (auto argument = dyn_cast<BlockArgument>(root)) {
    auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (func && func->hasAttr(kDistinctBuffers))
      return true;
  }
  return isIdentified(root);
}

/// The row plus or minus what is the same for all rows.
bool Nest::countsRows(Value index) {
  if (index == rows.getInductionVar())
    return true;
  if (auto apply = index.getDefiningOp<affine::AffineApplyOp>()) {
    auto sum = dyn_cast<AffineBinaryOpExpr>(apply.getAffineMap().getResult(0));
    return apply.getNumOperands() == 1 && sum &&
           sum.getKind() == AffineExprKind::Add &&
           isa<AffineDimExpr, AffineSymbolExpr>(sum.getLHS()) &&
           isa<AffineConstantExpr>(sum.getRHS()) &&
           countsRows(apply.getOperand(0));
  }
  if (auto sum = index.getDefiningOp<arith::AddIOp>())
    return countsRows(sum.getLhs()) && !isOfRow(sum.getRhs());
  if (auto difference = index.getDefiningOp<arith::SubIOp>())
    return countsRows(difference.getLhs()) && !isOfRow(difference.getRhs());
  return false;
}

std::optional<Kind> Nest::kindOf(Value memref, ValueRange indices) {
  bool row = false, column = false;
  for (Value index : indices) {
    row |= isOfRow(index);
    column |= index == columns.getInductionVar();
  }
  if (!row || !column)
    return row ? Kind::Row : column ? Kind::Column : Kind::Scalar;
  auto type = cast<MemRefType>(memref.getType());
  if (indices.size() < 2 || !type.getLayout().isIdentity() ||
      type.getShape().back() != count ||
      indices.back() != columns.getInductionVar() ||
      !countsRows(indices.drop_back().back()) ||
      llvm::any_of(indices.drop_back(2), [&](Value index) {
        return isOfRow(index) || index == columns.getInductionVar();
      }))
    return std::nullopt;
  return Kind::Element;
}

bool Nest::match(int64_t mostColumns) {
  if (!rows->hasAttr(kParallelLoop) || rows.getNumResults() != 0 ||
      getConstantIntValue(rows.getStep()) != 1)
    return false;
  ofRow.insert(rows.getInductionVar());
  for (Operation &op : rows.getBody()->without_terminator()) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (columns)
        return false;
      columns = loop;
      continue;
    }
    if (columns || op.getNumRegions() != 0 || !isMemoryEffectFree(&op))
      return false;
    if (llvm::any_of(op.getOperands(), [&](Value v) { return isOfRow(v); }))
      ofRow.insert(op.result_begin(), op.result_end());
  }
  if (!columns || !columns->hasAttr(kParallelLoop) ||
      columns.getNumResults() != 0 ||
      getConstantIntValue(columns.getLowerBound()) != 0 ||
      getConstantIntValue(columns.getStep()) != 1)
    return false;
  count = getConstantIntValue(columns.getUpperBound()).value_or(0);
  if (count < 2 || count > mostColumns || count % kBlock == 0)
    return false;

  DenseSet<Value> written, repeated;
  for (Operation &op : columns.getBody()->without_terminator()) {
    if (!isa<memref::LoadOp, memref::StoreOp>(op)) {
      // The row and the column are indices and nothing else.
      if (op.getNumRegions() != 0 || !isMemoryEffectFree(&op) ||
          llvm::any_of(op.getOperands(),
                       [&](Value v) {
                         return isOfRow(v) || v == columns.getInductionVar();
                       }) ||
          llvm::any_of(op.getResultTypes(),
                       [](Type type) { return !type.isIntOrIndexOrFloat(); }))
        return false;
      continue;
    }
    for (Value index : indicesOf(&op))
      if (index.getParentBlock() == columns.getBody() &&
          index != columns.getInductionVar())
        return false;
    Value memref = memrefOf(&op), root = rootOf(memref);
    std::optional<Kind> kind = kindOf(memref, indicesOf(&op));
    Type element = cast<MemRefType>(memref.getType()).getElementType();
    if (!kind || !element.isIntOrFloat() || !isDistinct(root))
      return false;
    if (isa<memref::StoreOp>(op)) {
      if (*kind != Kind::Element)
        return false;
      written.insert(root);
    } else if (*kind != Kind::Element) {
      repeated.insert(root);
    }
    accesses.insert({&op, *kind});
  }
  return !written.empty() &&
         llvm::none_of(repeated,
                       [&](Value root) { return written.contains(root); });
}

/// Bits are kept in bytes: vectors of those can be loaded.
Type typeInBlock(Operation *load) {
  Type type = load->getResult(0).getType();
  return type.isInteger(1) ? IntegerType::get(type.getContext(), 8) : type;
}

int64_t Nest::bytes() {
  int64_t sum = 0;
  for (auto [op, kind] : accesses)
    if (kind == Kind::Column || kind == Kind::Row)
      sum += kBlock * count * typeInBlock(op).getIntOrFloatBitWidth() / 8;
  return sum;
}

struct Maker {
  OpBuilder &builder;
  Location loc;
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value times(Value a, int64_t b) {
    return arith::MulIOp::create(builder, loc, a, constant(b));
  }
  /// Goes on inside of it.
  scf::ForOp enter(Value from, Value to, int64_t step) {
    auto loop = scf::ForOp::create(builder, loc, from, to, constant(step));
    loop->setAttr(kParallelLoop, builder.getUnitAttr());
    builder.setInsertionPointToStart(loop.getBody());
    return loop;
  }
  Value load(memref::LoadOp original, IRMapping &mapping) {
    Value value = builder.clone(*original, mapping)->getResult(0);
    Type type = typeInBlock(original);
    return type == value.getType()
               ? value
               : arith::ExtUIOp::create(builder, loc, type, value).getResult();
  }
};

void Nest::flatten() {
  OpBuilder builder(rows);
  Maker make{builder, rows.getLoc()};
  auto func = rows->getParentOfType<func::FuncOp>();
  for (auto [op, kind] : accesses) {
    if (kind != Kind::Column && kind != Kind::Row)
      continue;
    auto onStack = OpBuilder::atBlockBegin(&func.getBody().front());
    buffers[op] = memref::AllocaOp::create(
        onStack, make.loc, MemRefType::get({kBlock * count}, typeInBlock(op)),
        builder.getI64IntegerAttr(64));
    if (kind == Kind::Row)
      continue;
    OpBuilder::InsertionGuard guard(builder);
    scf::ForOp row = make.enter(make.constant(0), make.constant(kBlock), 1);
    scf::ForOp column = make.enter(make.constant(0), make.constant(count), 1);
    IRMapping mapping;
    mapping.map(columns.getInductionVar(), column.getInductionVar());
    Value value = make.load(cast<memref::LoadOp>(op), mapping);
    memref::StoreOp::create(builder, make.loc, value, buffers[op],
                            make.add(make.times(row.getInductionVar(), count),
                                     column.getInductionVar()));
  }
  // The blocks that are whole know their size.
  Value from = rows.getLowerBound(), to = rows.getUpperBound();
  Value all = arith::SubIOp::create(builder, make.loc, to, from);
  Value whole =
      arith::DivUIOp::create(builder, make.loc, all, make.constant(kBlock));
  Value middle = make.add(from, make.times(whole, kBlock));
  emitBlocks(builder, from, middle, /*whole=*/true);
  emitBlocks(builder, middle, to, /*whole=*/false);
  rows.erase();
}

void Nest::emitBlocks(OpBuilder &builder, Value from, Value to, bool whole) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = rows.getLoc();
  Maker make{builder, loc};
  Value first = make.enter(from, to, kBlock).getInductionVar();
  Value here = whole ? make.constant(kBlock)
                     : arith::SubIOp::create(builder, loc, to, first);
  // What comes before the loop over the columns, for that row.
  auto inRow = [&](Value row) {
    IRMapping mapping;
    mapping.map(rows.getInductionVar(), row);
    for (Operation &op : *rows.getBody()) {
      if (&op == columns)
        break;
      builder.clone(op, mapping);
    }
    return mapping;
  };
  for (auto [op, kind] : accesses) {
    if (kind != Kind::Row)
      continue;
    OpBuilder::InsertionGuard inner(builder);
    Value row = make.enter(make.constant(0), here, 1).getInductionVar();
    IRMapping mapping = inRow(make.add(first, row));
    Value value = make.load(cast<memref::LoadOp>(op), mapping);
    Value start = make.times(row, count);
    scf::ForOp column = make.enter(make.constant(0), make.constant(count), 1);
    memref::StoreOp::create(builder, loc, value, buffers[op],
                            make.add(start, column.getInductionVar()));
  }

  IRMapping mapping = inRow(first);
  DenseMap<Value, Value> flat;
  DenseMap<Operation *, Value> starts;
  for (auto [op, kind] : accesses) {
    if (kind != Kind::Element)
      continue;
    Value &elements = flat[memrefOf(op)];
    ValueRange indices = indicesOf(op);
    if (!elements) {
      SmallVector<ReassociationIndices> groups(indices.size() - 1);
      for (int64_t d = 0; d < int64_t(indices.size()); ++d)
        groups[std::min<size_t>(d, groups.size() - 1)].push_back(d);
      elements = memref::CollapseShapeOp::create(
          builder, loc, mapping.lookupOrDefault(memrefOf(op)), groups);
    }
    starts[op] = make.times(
        mapping.lookupOrDefault(indices.drop_back().back()), count);
  }
  Value at = make.enter(make.constant(0), make.times(here, count), 1)
                 .getInductionVar();
  for (Operation &op : columns.getBody()->without_terminator()) {
    auto access = accesses.find(&op);
    Kind kind = access == accesses.end() ? Kind::Scalar : access->second;
    if (kind == Kind::Scalar) {
      builder.clone(op, mapping);
      continue;
    }
    if (kind == Kind::Column || kind == Kind::Row) {
      Value value = memref::LoadOp::create(builder, loc, buffers[&op], at);
      if (value.getType() != op.getResult(0).getType())
        value = arith::CmpIOp::create(
            builder, loc, arith::CmpIPredicate::ne, value,
            arith::ConstantIntOp::create(builder, loc, 0, 8));
      mapping.map(op.getResult(0), value);
      continue;
    }
    Value elements = flat[memrefOf(&op)];
    SmallVector<Value> indices;
    for (Value index : indicesOf(&op).drop_back(2))
      indices.push_back(mapping.lookupOrDefault(index));
    indices.push_back(make.add(starts[&op], at));
    if (auto store = dyn_cast<memref::StoreOp>(op))
      memref::StoreOp::create(builder, loc,
                              mapping.lookupOrDefault(store.getValue()),
                              elements, indices);
    else
      mapping.map(
          op.getResult(0),
          memref::LoadOp::create(builder, loc, elements, indices).getResult());
  }
}

struct FlattenRowsPass : evox::impl::EvoxFlattenRowsBase<FlattenRowsPass> {
  using EvoxFlattenRowsBase::EvoxFlattenRowsBase;
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    int64_t left = kStackBytes;
    for (scf::ForOp loop : loops) { // the inner ones come first
      Nest nest(loop);
      if (!nest.match(mostColumns) || nest.bytes() > left)
        continue;
      left -= nest.bytes();
      nest.flatten();
    }
  }
};

} // namespace
