//===- ParallelizeLoops.cpp - Tiles of rows, and tasks for threads --------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DrawLoops.h"
#include "OpenLoops.h"
#include "RowAccesses.h"
#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/MathExtras.h"

namespace evox {
#define GEN_PASS_DEF_EVOXPARALLELIZELOOPS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;
using namespace evox::rows;

namespace {

/// Rows of a tile come in multiples of this, for the vectors of loops over
/// rows alone.
constexpr int64_t kRows = 16;
/// But not where a row has so many bytes: it has vectors enough of its own; nor
/// where there are few rows, such as the lanes of a batch.
constexpr int64_t kLongRow = 16 * 1024, kManyRows = 4 * kRows;
constexpr int64_t kMostTasks = 64, kFewTasks = 32;
/// Below this many bytes all is in the cache anyway.
constexpr int64_t kCacheBytes = 256 * 1024;
constexpr size_t kMostAccesses = 1000;
/// A draw, in units of cost, one that is only skipped, and a byte.
constexpr double kDrawCost = 2, kSkipCost = 0.5, kByteCost = 0.25;
/// A loop of less than so many tasks' work waits for a larger one.
constexpr int kSmallLoop = 4;
/// What the tiles of a task may take of a stack: the host's threads may have
/// small ones.
constexpr int64_t kStackBytes = 16 * 1024;

//===----------------------------------------------------------------------===//
// What ops cost
//===----------------------------------------------------------------------===//

/// In units of some 0.1 ns.
double costOf(Block &block) {
  double cost = 0;
  bool innermost = true;
  for (Operation &op : block)
    innermost &= op.getNumRegions() == 0;
  for (Operation &op : block) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      std::optional<APInt> trips = loop.getStaticTripCount();
      cost += (trips ? double(trips->getZExtValue()) : 8.0) *
              costOf(*loop.getBody());
      continue;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      // What hardly ever happens comes first, in formulas of functions.
      if (branch.elseBlock())
        cost += costOf(*branch.elseBlock());
      else
        cost += costOf(*branch.thenBlock());
      continue;
    }
    double width = 1;
    for (Type type : op.getResultTypes())
      if (auto vector = dyn_cast<VectorType>(type))
        width = vector.getNumElements() / 4.0;
    // LLVM makes vectors of innermost loops.
    cost += width > 1 ? width : innermost ? 0.125 : 1;
  }
  return cost;
}

int64_t tripsOf(scf::ForOp loop) {
  return loop.getStaticTripCount()->getSExtValue();
}

//===----------------------------------------------------------------------===//
// Groups of loops
//===----------------------------------------------------------------------===//

struct Member {
  scf::ForOp loop;
  SmallVector<Access> accesses;
};
struct Other {
  Operation *op;
  SmallVector<Access> accesses;
};

class Grouping {
public:
  Grouping(func::FuncOp func, const EvoxParallelizeLoopsOptions &options,
           SymbolTable &symbols, unsigned &counter)
      : func(func), options(options), symbols(symbols), counter(counter) {}
  void run(Block &block);

private:
  void visit(Operation *op);
  bool join(scf::ForOp loop);
  bool fits(scf::ForOp loop, ArrayRef<Access> accesses);
  void joinWaiting();
  int64_t rowsPerDraw();
  bool hoist(Operation *op, ArrayRef<Access> accesses, bool isAlloc);
  bool isAvailable(Operation *op);
  /// Each loop is compared with what is in the group: long programs make
  /// several groups.
  bool isFull() {
    size_t accesses = 0;
    for (const Member &member : members)
      accesses += member.accesses.size();
    for (const Other &other : pending)
      accesses += other.accesses.size() + 1;
    return accesses > kMostAccesses;
  }
  void postpone(Operation *op, SmallVector<Access> accesses) {
    pending.push_back({op, std::move(accesses)});
    pendingOps.insert(op);
  }
  bool meetsPending(ArrayRef<Access> accesses) {
    return llvm::any_of(pending, [&](const Other &other) {
      return conflict(other.accesses, accesses);
    });
  }
  void close();
  double costOfGroup();
  int64_t rowBytes(bool shared);
  void findPrivate();
  void emitRows(OpBuilder &builder, Location loc, IRMapping &mapping,
                Value from, Value to, int64_t tile, bool exact, Value task = {},
                func::FuncOp stackOwner = {});
  void outline(int64_t rowsPerTask, int64_t tile);

  func::FuncOp func;
  EvoxParallelizeLoopsOptions options;
  SymbolTable &symbols;
  unsigned &counter;

  SmallVector<Member> members;
  /// Loops that draw rows wait for the loop that needs them.
  SmallVector<Member> waiting;
  SmallVector<Other> draws;
  SmallVector<Other> pending;
  DenseSet<Operation *> pendingOps;
  /// Buffers that only the members use, each row in its own iterations, with
  /// their ends: a tile of them is enough.
  llvm::MapVector<Value, memref::DeallocOp> locals;
};

/// A loop that can be taken apart by rows.
bool isCandidate(Operation *op) {
  auto loop = dyn_cast<scf::ForOp>(op);
  return loop && loop->hasAttr(kParallelLoop) && loop.getNumResults() == 0 &&
         getConstantIntValue(loop.getLowerBound()) == 0 &&
         getConstantIntValue(loop.getStep()) == 1 &&
         getConstantIntValue(loop.getUpperBound()).value_or(0) > 1;
}

int64_t bytesOf(MemRefType type) {
  return type.getNumElements() *
         int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

/// The bytes, per row, of the buffers that are not in `roots` yet.
int64_t rowBytesOf(scf::ForOp loop, ArrayRef<Access> accesses,
                   DenseSet<Value> &roots) {
  int64_t rows = tripsOf(loop), bytes = 0;
  for (const Access &access : accesses) {
    auto type = dyn_cast<MemRefType>(access.root.getType());
    bool isElsewhere = access.indices.size() > 1 &&
                       access.indices.front() != loop.getInductionVar();
    if (!type || !type.hasStaticShape() || type.getNumElements() < rows ||
        !type.getElementType().isIntOrFloat() || isElsewhere ||
        !roots.insert(access.root).second)
      continue;
    bytes += bytesOf(type) / rows;
  }
  return bytes;
}

double costOfLoop(scf::ForOp loop, ArrayRef<Access> accesses) {
  DenseSet<Value> roots;
  int64_t rows = tripsOf(loop);
  return std::max(rows * costOf(*loop.getBody()),
                  kByteCost * double(rows) * rowBytesOf(loop, accesses, roots));
}

} // namespace

/// Does all that `op` uses exist before the group?
bool Grouping::isAvailable(Operation *op) {
  bool available = true;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      available &= !pendingOps.contains(operand.getDefiningOp());
  });
  return available;
}

bool Grouping::fits(scf::ForOp loop, ArrayRef<Access> accesses) {
  Value row = loop.getInductionVar();
  return tripsOf(loop) == tripsOf(members.front().loop) && isAvailable(loop) &&
         !meetsPending(accesses) &&
         llvm::none_of(draws,
                       [&](const Other &draw) {
                         return conflict(draw.accesses, accesses);
                       }) &&
         llvm::none_of(members, [&](Member &member) {
           Attribute rows = loop->getAttr(kDrawLoop),
                     others = member.loop->getAttr(kDrawLoop);
           return conflict(member.accesses, accesses,
                           member.loop.getInductionVar(), row) ||
                  (rows && others && rows != others);
         });
}

bool Grouping::join(scf::ForOp loop) {
  SmallVector<Access> accesses;
  if (!collect(loop, accesses))
    return false;
  if (!members.empty()) {
    bool allFit =
        fits(loop, accesses) && llvm::all_of(waiting, [&](Member &draw) {
          return fits(draw.loop, draw.accesses);
        });
    double cost = allFit ? 0 : costOfLoop(loop, accesses);
    if (!allFit && waiting.empty() && cost <= costOfGroup() &&
        cost < kSmallLoop * options.minTaskCost) {
      // Too small for a group of its own: what comes behind it may fit.
      postpone(loop, std::move(accesses));
      return true;
    }
    if (!allFit)
      close();
  }
  joinWaiting();
  if (!members.empty() && !fits(loop, accesses))
    close();
  members.push_back({loop, std::move(accesses)});
  return true;
}

/// Draws of ranges of rows of other lengths make groups of their own.
void Grouping::joinWaiting() {
  for (Member &draw : std::exchange(waiting, {})) {
    if (!members.empty() && !fits(draw.loop, draw.accesses))
      close();
    members.push_back(std::move(draw));
  }
}

/// Moves `op` before the group, where nothing hinders it.
bool Grouping::hoist(Operation *op, ArrayRef<Access> accesses, bool isAlloc) {
  if (!isAvailable(op))
    return false;
  if (!isAlloc) {
    if (meetsPending(accesses))
      return false;
    for (const Other &draw : draws)
      if (conflict(draw.accesses, accesses))
        return false;
    for (const Member &member : members)
      if (conflict(member.accesses, accesses))
        return false;
  }
  op->moveBefore(members.front().loop);
  return true;
}

void Grouping::visit(Operation *op) {
  if (isFull())
    close();
  if (op->hasAttr(kDrawLoop) && isCandidate(op)) {
    SmallVector<Access> accesses;
    collect(op, accesses);
    waiting.push_back({cast<scf::ForOp>(op), std::move(accesses)});
    return;
  }
  if (isCandidate(op) && join(cast<scf::ForOp>(op)))
    return;
  if (!waiting.empty()) {
    close();
    joinWaiting();
  }
  auto enter = [&] {
    close();
    if (!isCandidate(op))
      for (Region &region : op->getRegions())
        for (Block &block : region)
          Grouping(func, options, symbols, counter).run(block);
  };
  if (members.empty() || op->hasTrait<OpTrait::IsTerminator>())
    return enter();
  bool hasLoops = false;
  op->walk([&](scf::ForOp loop) { hasLoops |= isCandidate(loop); });
  if (hasLoops)
    return enter();

  SmallVector<Access> accesses;
  if (isBegin(op) && !options.drawsAsTask) { // it takes no time
    if (!collect(op, accesses) || !hoist(op, accesses, /*isAlloc=*/false))
      enter();
    return;
  }
  if (isDraw(op)) {
    if (!options.drawsAsTask || !collect(op, accesses) || !isAvailable(op) ||
        meetsPending(accesses) || llvm::any_of(members, [&](Member &member) {
          return conflict(member.accesses, accesses);
        }))
      return enter();
    draws.push_back({op, std::move(accesses)});
    return;
  }
  bool isAlloc = isa<memref::AllocOp, memref::AllocaOp>(op);
  if (isAlloc || isMemoryEffectFree(op)) {
    if (!hoist(op, {}, /*isAlloc=*/true))
      postpone(op, {});
    return;
  }
  if (!collect(op, accesses))
    return enter();
  if (!hoist(op, accesses, /*isAlloc=*/false))
    postpone(op, std::move(accesses));
}

void Grouping::run(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block))
    visit(&op);
  close();
}

/// The bytes of all buffers that the group goes through, per row, or of those
/// that two loops meet in: they are what tiles are for.
int64_t Grouping::rowBytes(bool shared) {
  DenseMap<Value, int> users;
  for (Member &member : members) {
    DenseSet<Value> own;
    for (Access &access : member.accesses)
      if (own.insert(access.root).second)
        ++users[access.root];
  }
  DenseSet<Value> roots;
  for (auto [root, count] : users)
    if (shared && count < 2)
      roots.insert(root);
  int64_t bytes = 0;
  for (Member &member : members)
    if (!member.loop->hasAttr(kDrawLoop)) // who needs the rows counts them
      bytes += rowBytesOf(member.loop, member.accesses, roots);
  return std::max<int64_t>(bytes, 1);
}

double Grouping::costOfGroup() {
  int64_t rows = tripsOf(members.front().loop);
  double cost = 0;
  for (Member &member : members)
    cost += rows * costOf(*member.loop.getBody());
  // Memory takes its time too.
  return std::max(cost, kByteCost * double(rows) * rowBytes(/*shared=*/false));
}

void Grouping::findPrivate() {
  DenseSet<Value> seen;
  for (Member &member : members) {
    for (Access &access : member.accesses) {
      auto alloc = access.root.getDefiningOp<memref::AllocOp>();
      if (!alloc || !seen.insert(access.root).second)
        continue;
      MemRefType type = alloc.getType();
      if (!type.hasStaticShape() || type.getRank() == 0 ||
          !type.getLayout().isIdentity() ||
          type.getDimSize(0) != tripsOf(member.loop))
        continue;
      memref::DeallocOp end;
      bool isPrivate = llvm::all_of(alloc->getUsers(), [&](Operation *user) {
        if (auto dealloc = dyn_cast<memref::DeallocOp>(user)) {
          bool first = !std::exchange(end, dealloc);
          return first && pendingOps.contains(user);
        }
        return llvm::any_of(members, [&](Member &other) {
          return other.loop->isProperAncestor(user);
        });
      });
      for (Member &other : members)
        for (Access &use : other.accesses)
          if (use.root == access.root)
            isPrivate &= !use.indices.empty() &&
                         use.indices[0] == other.loop.getInductionVar() &&
                         (!use.isVector || use.indices.size() > 1);
      if (isPrivate && end)
        locals.insert({access.root, end});
    }
  }
}

/// The rows of a task where some are drawn; else 0.
int64_t Grouping::rowsPerDraw() {
  for (Member &member : members)
    if (auto rows = member.loop->getAttrOfType<IntegerAttr>(kDrawLoop))
      return rows.getInt();
  return 0;
}

/// The largest tile up to `most` that `rows` is a multiple of, if possible in
/// multiples of kRows; where that is a small one, tiles of nearly one size.
static int64_t tileOf(int64_t rows, int64_t most) {
  int64_t unit = rows % kRows == 0 && most >= kRows ? kRows : 1;
  most = std::min(most, rows);
  int64_t tile = most / unit * unit;
  while (rows % tile)
    tile -= unit;
  return 2 * tile > most
             ? tile
             : int64_t(llvm::divideCeil(rows, llvm::divideCeil(rows, most)));
}

void Grouping::close() {
  llvm::scope_exit clear([&] {
    members.clear();
    draws.clear();
    pending.clear();
    pendingOps.clear();
    locals.clear();
  });
  if (members.empty())
    return;
  int64_t rows = tripsOf(members.front().loop);
  int64_t bytes = rowBytes(/*shared=*/false), shared = rowBytes(/*shared=*/true);
  double loops = costOfGroup(), drawn = 0;
  for (Other &draw : draws)
    if (isBegin(draw.op))
      drawn += kSkipCost *
               getConstantIntValue(cast<KernelCallOp>(draw.op).getScalars()[0])
                   .value_or(0);
    else
      for (Value output : cast<KernelCallOp>(draw.op).getOutputs())
        if (auto type = dyn_cast<MemRefType>(output.getType());
            type && type.hasStaticShape())
          drawn += kDrawCost * type.getNumElements();

  // As many as two, four, eight threads share evenly; more than they need only
  // where each has the more to do.
  auto most = static_cast<uint64_t>(
      std::min<double>(loops / options.minTaskCost, 2 * kMostTasks));
  auto tasks = static_cast<int64_t>(
      std::min(llvm::PowerOf2Ceil(most),
               std::max<uint64_t>(kFewTasks, llvm::bit_floor(most / 2))));
  int64_t perTask = llvm::divideCeil(rows, std::max<int64_t>(tasks, 1));
  int64_t unit = bytes < kLongRow && rows >= kManyRows ? kRows : 1;
  int64_t tile = std::max<int64_t>(options.tileBytes / shared / unit, 1) * unit;
  perTask = llvm::alignTo(perTask, unit);
  int64_t drawRows = rowsPerDraw();
  if (drawRows) {
    // Long rows need no multiples of kRows.
    perTask = drawRows;
    tile = tileOf(perTask, std::max<int64_t>(options.tileBytes / shared, 1));
  } else {
    tile = std::min(tile, perTask);
    perTask = llvm::alignTo(perTask, tile);
  }
  bool parallel =
      perTask < rows ||
      (tasks >= 1 && drawn >= options.minTaskCost && perTask >= rows);
  if (members.size() > 1)
    findPrivate();
  if (parallel) {
    outline(std::min(perTask, rows), tile);
  } else {
    if (!drawRows &&
        (members.size() < 2 || rows * bytes < kCacheBytes || tile >= rows))
      return;
    OpBuilder builder(members.front().loop);
    IRMapping none;
    emitRows(builder, members.front().loop.getLoc(), none,
             members.front().loop.getLowerBound(),
             members.front().loop.getUpperBound(), tile, rows % tile == 0);
  }
  for (Member &member : members)
    member.loop.erase();
  for (auto [root, end] : locals) {
    end.erase();
    root.getDefiningOp()->erase();
  }
}

/// The rows of `buffers` are those of the tile that starts at `first`.
static void countFromTile(scf::ForOp loop, Value first,
                          ArrayRef<Value> buffers) {
  if (buffers.empty())
    return;
  OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
  Value row = loop.getInductionVar();
  Value local = arith::SubIOp::create(builder, loop.getLoc(), row, first);
  loop.walk([&](Operation *op) {
    auto shift = [&](Value memref, MutableOperandRange indices) {
      if (llvm::is_contained(buffers, memref))
        indices.slice(0, 1).assign(local);
    };
    if (auto load = dyn_cast<memref::LoadOp>(op))
      shift(load.getMemRef(), load.getIndicesMutable());
    else if (auto store = dyn_cast<memref::StoreOp>(op))
      shift(store.getMemRef(), store.getIndicesMutable());
    else if (auto load = dyn_cast<vector::LoadOp>(op))
      shift(load.getBase(), load.getIndicesMutable());
    else if (auto store = dyn_cast<vector::StoreOp>(op))
      shift(store.getBase(), store.getIndicesMutable());
  });
}

/// The loops, one after the other, for the rows in [from, to), tile by tile.
/// Small tiles may be on the stack of `stackOwner`.
void Grouping::emitRows(OpBuilder &builder, Location loc, IRMapping &mapping,
                        Value from, Value to, int64_t tile, bool exact,
                        Value task, func::FuncOp stackOwner) {
  SmallVector<Value> tileBuffers;
  auto emitDraw = [&](KernelCallOp draw, Value first, Value last) {
    Value root = rootOf(draw.getOutputs()[0]);
    Value buffer = mapping.lookupOrDefault(root);
    OpFoldResult at = first, count = builder.getIndexAttr(tile);
    if (llvm::is_contained(tileBuffers, buffer))
      at = builder.getIndexAttr(0);
    if (!exact || members.size() == 1)
      count = arith::SubIOp::create(builder, loc, last, first).getResult();
    Value number = task;
    if (number)
      number = arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                          number);
    else
      number = arith::ConstantIntOp::create(builder, loc, 0, 64);
    SmallVector<Value> range;
    for (Value bound : draw.getScalars().drop_front(2))
      range.push_back(mapping.lookupOrDefault(bound));
    makeDrawOfRows(builder, loc, buffer,
                   mapping.lookupOrDefault(draw.getOutputs()[1]), number, first,
                   at, count, range);
  };
  auto emit = [&](Value first, Value last) {
    for (Member &member : members) {
      if (KernelCallOp draw = drawOf(member.loop)) {
        emitDraw(draw, first, last);
        continue;
      }
      IRMapping inner(mapping);
      auto loop = cast<scf::ForOp>(builder.clone(*member.loop, inner));
      loop.setLowerBound(first);
      loop.setUpperBound(last);
      countFromTile(loop, first, tileBuffers);
    }
  };
  if (members.size() == 1)
    return emit(from, to);
  int64_t stack = stackOwner ? kStackBytes : 0;
  SmallVector<Value> fromHeap;
  for (auto [root, end] : locals) {
    auto type = cast<MemRefType>(root.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = tile;
    type = MemRefType::get(shape, type.getElementType());
    int64_t bytes = bytesOf(type);
    IntegerAttr alignment = builder.getI64IntegerAttr(64);
    if (bytes <= stack) {
      stack -= bytes;
      auto onStack = OpBuilder::atBlockBegin(&stackOwner.getBody().front());
      tileBuffers.push_back(
          memref::AllocaOp::create(onStack, loc, type, alignment));
    } else {
      tileBuffers.push_back(
          memref::AllocOp::create(builder, loc, type, alignment));
      fromHeap.push_back(tileBuffers.back());
    }
    mapping.map(root, tileBuffers.back());
  }
  Value step = arith::ConstantIndexOp::create(builder, loc, tile);
  auto tiles = scf::ForOp::create(builder, loc, from, to, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(tiles.getBody());
  Value first = tiles.getInductionVar();
  Value last = arith::AddIOp::create(builder, loc, first, step);
  if (!exact)
    last = arith::MinUIOp::create(builder, loc, last, to);
  emit(first, last);
  builder.setInsertionPointAfter(tiles);
  for (Value buffer : fromHeap)
    memref::DeallocOp::create(builder, loc, buffer);
}

/// Makes the loops, and the draws, a function that computes one task.
void Grouping::outline(int64_t rowsPerTask, int64_t tile) {
  scf::ForOp first = members.front().loop;
  Location loc = first.getLoc();
  int64_t rows = tripsOf(first), offset = draws.empty() ? 0 : 1;
  int64_t tasks = llvm::divideCeil(rows, rowsPerTask) + offset;
  OpBuilder builder(first);

  // What comes from outside; constants and views are made anew inside.
  llvm::SetVector<Value> used;
  for (Member &member : members) {
    getUsedValuesDefinedAbove(member.loop.getRegion(), used);
    used.insert(member.loop.getLowerBound());
    used.insert(member.loop.getUpperBound());
    used.insert(member.loop.getStep());
  }
  for (Other &draw : draws)
    used.insert(draw.op->operand_begin(), draw.op->operand_end());
  llvm::SetVector<Operation *> remade;
  llvm::SetVector<Value> captured;
  std::function<void(Value)> visit = [&](Value value) {
    if (locals.contains(value))
      return;
    Operation *op = value.getDefiningOp();
    bool remake =
        op && op->getNumRegions() == 0 &&
        (op->hasTrait<OpTrait::ConstantLike>() ||
         isa<memref::GetGlobalOp, affine::AffineApplyOp>(op) ||
         (isa<ViewLikeOpInterface>(op) && isa<MemRefType>(value.getType())));
    if (!remake) {
      captured.insert(value);
      return;
    }
    for (Value operand : op->getOperands())
      visit(operand);
    remade.insert(op);
  };
  for (Value value : used)
    visit(value);

  SmallVector<Type> types{builder.getIndexType()};
  llvm::append_range(types, ValueRange(captured.getArrayRef()).getTypes());
  auto task = func::FuncOp::create(
      loc, (func.getSymName() + ".rows" + Twine(counter++)).str(),
      builder.getFunctionType(types, {}));
  task.setPrivate();
  bool distinct = llvm::all_of(captured, [&](Value value) {
    return !isa<BaseMemRefType>(value.getType()) || isIdentified(value);
  });
  if (distinct)
    task->setAttr(kDistinctBuffers, builder.getUnitAttr());
  symbols.insert(task, std::next(Block::iterator(func)));

  OpBuilder inner = OpBuilder::atBlockEnd(task.addEntryBlock());
  IRMapping mapping;
  for (auto [value, argument] :
       llvm::zip_equal(captured, task.getArguments().drop_front()))
    mapping.map(value, argument);
  for (Operation *op : remade)
    inner.clone(*op, mapping);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(inner, loc, value);
  };
  Value number = task.getArgument(0);
  scf::IfOp branch;
  if (offset) {
    // The longest of the tasks comes first.
    Value isDraw = arith::CmpIOp::create(inner, loc, arith::CmpIPredicate::eq,
                                         number, constant(0));
    branch = scf::IfOp::create(inner, loc, isDraw, /*withElseRegion=*/true);
    inner.setInsertionPointToStart(branch.thenBlock());
    for (Other &draw : draws)
      inner.clone(*draw.op, mapping);
    inner.setInsertionPointToStart(branch.elseBlock());
    number = arith::SubIOp::create(inner, loc, number, constant(1));
  }
  bool even = rows % rowsPerTask == 0;
  Value size = constant(rowsPerTask);
  Value from = arith::MulIOp::create(inner, loc, number, size);
  Value to = arith::AddIOp::create(inner, loc, from, size);
  if (!even)
    to = arith::MinUIOp::create(inner, loc, to, constant(rows));
  emitRows(inner, loc, mapping, from, to, tile,
           rowsPerTask % tile == 0 && rows % tile == 0, number, task);
  inner.setInsertionPointToEnd(&task.getBody().front());
  func::ReturnOp::create(inner, loc);

  SmallVector<Value> operands{
      arith::ConstantIndexOp::create(builder, loc, tasks)};
  llvm::append_range(operands, captured);
  auto call = func::CallOp::create(builder, loc, task, operands);
  call->setAttr(kParallelCall, builder.getUnitAttr());
  for (Other &draw : draws)
    draw.op->erase();
}

namespace {
struct ParallelizeLoopsPass
    : evox::impl::EvoxParallelizeLoopsBase<ParallelizeLoopsPass> {
  using EvoxParallelizeLoopsBase::EvoxParallelizeLoopsBase;
  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    SymbolTable symbols(module);
    SmallVector<func::FuncOp> funcs;
    for (auto func : module.getOps<func::FuncOp>())
      if (!func.isExternal())
        funcs.push_back(func);
    for (func::FuncOp func : funcs) {
      unsigned counter = 0;
      EvoxParallelizeLoopsOptions options{minTaskCost, drawsAsTask, tileBytes};
      for (Block &block : func.getBody())
        Grouping(func, options, symbols, counter).run(block);
      parallelizeOpenLoops(func, costOf, minTaskCost, kByteCost, symbols,
                           counter);
    }
  }
};
} // namespace
