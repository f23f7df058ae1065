//===- Control.cpp - Branches, loops and what they change ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A branch that the data decides is walked both ways. Everything Python code
// can change (storages, lists, attributes) is a cell; the journal remembers
// what a cell held before, so each branch starts from the same world, and the
// cells that a branch changed become results of the evox.if.

#include "Merge.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

void Interpreter::runIf(const script::Node &node, std::vector<Py> &env) {
  Py condition = env[node.inputs[0]];
  if (condition.kind == Py::Poison) {
    for (int output : node.outputs)
      env[output] = Py::poison();
    return;
  }
  if (condition.kind == Py::Tensor)
    condition = item(condition.tensor);
  if (condition.kind == Py::Int && condition.ssa)
    condition = Py::ofBool(convert(condition.ssa, DType::Int64, DType::Bool));
  if (condition.isStatic()) {
    const script::Block &block = *node.blocks[condition.i ? 0 : 1];
    runBlock(block, env);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      env[node.outputs[i]] = env[block.outputs[i]];
    return;
  }

  auto scratch = IfOp::create(b, TypeRange(), condition.ssa);
  std::vector<Block *> blocks;
  std::vector<std::vector<Py>> outputs(2);
  Frame frames[2];
  for (int w = 0; w < 2; ++w) {
    Region &region = w ? scratch.getElseRegion() : scratch.getThenRegion();
    region.getBlocks().clear();
    blocks.push_back(new Block());
    region.push_back(blocks.back());
    frames[w] = runRegion(blocks.back(), [&] {
      runBlock(*node.blocks[w], env);
      for (int output : node.blocks[w]->outputs)
        outputs[w].push_back(env[output]);
    });
  }
  Merge merge(*this, blocks, {&frames[0], &frames[1]});
  std::vector<Py> merged;
  for (size_t i = 0; i < node.outputs.size(); ++i)
    merged.push_back(merge.merge({outputs[0][i], outputs[1][i]},
                                 "a variable that a branch sets"));
  std::map<Cell, Content> cells;
  for (int w = 0; w < 2; ++w)
    for (auto &entry : frames[w].cells) {
      const Cell &cell = entry.first;
      if (cells.count(cell))
        continue;
      auto now = [&](int k) {
        auto found = frames[k].cells.find(cell);
        return found == frames[k].cells.end() ? contentOf(cell) : found->second;
      };
      cells[cell] = merge.merge(cell, {now(0), now(1)});
    }

  auto op = IfOp::create(b, TypeRange(merge.types), condition.ssa);
  for (int w = 0; w < 2; ++w) {
    Region &from = w ? scratch.getElseRegion() : scratch.getThenRegion();
    Region &to = w ? op.getElseRegion() : op.getThenRegion();
    to.getBlocks().clear();
    to.takeBody(from);
    merge.at(w, [&] { return YieldOp::create(b, merge.leaves[w]); });
  }
  scratch->erase();
  merge.resolveTensors(op.getResults());
  merge.commitAliases(frames[0].start);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Merge::resolve(merged[i], op.getResults());
    env[node.outputs[i]] = merged[i];
  }
  for (auto &[cell, content] : cells) {
    Merge::resolve(cell, content, op.getResults());
    record(cell);
    restore(cell, content);
  }
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void Interpreter::runLoop(const script::Node &node, std::vector<Py> &env) {
  const script::Block &body = *node.blocks[0];
  Py trips = env[node.inputs[0]], condition = env[node.inputs[1]];
  std::vector<Py> carried;
  for (size_t i = 2; i < node.inputs.size(); ++i)
    carried.push_back(env[node.inputs[i]]);
  auto finish = [&] {
    for (size_t i = 0; i < node.outputs.size(); ++i)
      env[node.outputs[i]] = carried[i];
  };
  if (trips.kind == Py::Poison || condition.kind == Py::Poison) {
    for (Py &v : carried)
      v = Py::poison();
    return finish();
  }
  if (trips.kind == Py::Tensor)
    trips = item(trips.tensor);
  if (condition.kind == Py::Tensor)
    condition = item(condition.tensor);

  constexpr int64_t kUnrollMost = 20000;
  bool isCounted = !trips.isStatic() || trips.i < INT64_MAX;
  // The first iteration may settle types: after it, a loop is tried once more.
  constexpr int64_t kTries = 2;
  int64_t done = 0;
  while (true) {
    if (condition.isStatic() && !condition.i)
      return finish();
    if (trips.isStatic() && done >= trips.i)
      return finish();
    bool mustLoop = !condition.isStatic() || !trips.isStatic();
    bool wantLoop = isCounted && trips.isStatic() && trips.i - done > options.unrollLimit;
    if (mustLoop || (wantLoop && done < kTries)) {
      size_t knownProblems = problems.size();
      if (mustLoop) {
        runStructuredLoop(node, env, carried, done, trips, condition);
        return finish();
      }
      try {
        if (runStructuredLoop(node, env, carried, done, trips, condition))
          return finish();
      } catch (ImportError &e) {
        if (trips.i - done > kUnrollMost)
          throw;
      }
      problems.resize(knownProblems);
    }
    if (done > kUnrollMost)
      fail("a loop runs more than " + std::to_string(kUnrollMost) +
           " times over values that are known when the program is compiled");
    env[body.inputs[0]] = Py::ofInt(done);
    for (size_t i = 0; i < carried.size(); ++i)
      env[body.inputs[i + 1]] = carried[i];
    runBlock(body, env);
    condition = env[body.outputs[0]];
    if (condition.kind == Py::Poison) {
      for (Py &v : carried)
        v = Py::poison();
      return finish();
    }
    if (condition.kind == Py::Tensor)
      condition = item(condition.tensor);
    for (size_t i = 0; i < carried.size(); ++i)
      carried[i] = env[body.outputs[i + 1]];
    ++done;
  }
}

bool Interpreter::runStructuredLoop(const script::Node &node,
                                    std::vector<Py> &env,
                                    std::vector<Py> &carried, int64_t done,
                                    const Py &trips, const Py &condition) {
  const script::Block &body = *node.blocks[0];
  Block *before = b.getInsertionBlock();
  Type i64Type = b.getI64Type();
  // What the loop carries is found by walking its body until that stays as it
  // is: first with everything as it comes in, then with what changed as
  // arguments of the body.
  std::vector<Py> entering = carried;
  std::map<Cell, Content> enteringCells;
  SmallVector<Type> types;
  std::unique_ptr<Merge> merge;
  uint64_t lastStart = 0; // of the walk that `merge` was made after
  for (int pass = 0; pass < 12; ++pass) {
    auto scratch = WhileOp::create(b, TypeRange(), ValueRange());
    for (Region *region : {&scratch.getBefore(), &scratch.getAfter()}) {
      region->getBlocks().clear();
      region->push_back(new Block());
    }
    struct Eraser {
      Operation *op;
      ~Eraser() { op->erase(); }
    } eraser{scratch};
    Block *block = &scratch.getAfter().front();
    block->addArgument(i64Type, b.getLoc());
    for (Type t : types)
      block->addArgument(t, b.getLoc());
    ValueRange arguments = ValueRange(block->getArguments()).drop_front();

    Py nextCondition;
    std::vector<Py> leaving;
    Frame frame = runRegion(block, [&] {
      if (merge) {
        merge->resolveTensors(arguments);
        merge->commitAliases(lastStart);
      }
      for (Py &v : entering)
        Merge::resolve(v, arguments);
      for (auto &[cell, content] : enteringCells) {
        Merge::resolve(cell, content, arguments);
        record(cell);
        restore(cell, content);
      }
      env[body.inputs[0]] = Py::ofInt(mlir::Value(block->getArgument(0)));
      for (size_t i = 0; i < carried.size(); ++i)
        env[body.inputs[i + 1]] = entering[i];
      runBlock(body, env);
      nextCondition = env[body.outputs[0]];
      if (nextCondition.kind == Py::Tensor)
        nextCondition = item(nextCondition.tensor);
      for (size_t i = 0; i < carried.size(); ++i)
        leaving.push_back(env[body.outputs[i + 1]]);
    });
    if (nextCondition.kind == Py::Poison) {
      for (Py &v : carried)
        v = Py::poison();
      return true;
    }
    bool writesShared = merge && merge->writesShared(arguments, lastStart);
    lastStart = frame.start;
    auto next = std::make_unique<Merge>(
        *this, std::vector<Block *>{before, block},
        std::vector<const Frame *>{nullptr, &frame});
    std::vector<Py> merged;
    for (size_t i = 0; i < carried.size(); ++i)
      merged.push_back(next->merge({carried[i], leaving[i]},
                                   "a variable that a loop changes"));
    std::map<Cell, Content> cells;
    for (auto &[cell, content] : frame.cells)
      cells[cell] = next->merge(cell, {contentOf(cell), content});
    bool isStable = merge && next->types == types && next->hasSameTargets(*merge) &&
                    cells.size() == enteringCells.size();
    // A loop that changes nothing at all is stable at once.
    isStable |= !merge && next->types.empty();
    merge = std::move(next);
    types = merge->types;
    if (!isStable) {
      entering = std::move(merged);
      enteringCells = std::move(cells);
      continue;
    }
    // The first iteration writes into what others may look at, the later ones
    // into tensors of the loop.
    bool mayUnroll = trips.isStatic() && condition.isStatic() && trips.i < INT64_MAX;
    bool spoils = llvm::any_of(frame.cells, [](auto &entry) {
      return entry.first.kind == Cell::PoisonCell && !entry.second.attribute.s.empty();
    });
    if (mayUnroll && (writesShared || (spoils && done == 0)))
      return false;
    if (trips.isStatic() && condition.isStatic() && trips.i <= 256 &&
        llvm::any_of(types, [](Type t) {
          auto type = dyn_cast<RankedTensorType>(t);
          return type && !type.hasStaticShape();
        }))
      return false; // unrolled, the shapes stay known
    // scf.for's canonicalization takes it that what a loop carries keeps the
    // shape that it has at the start.
    bool isCounted = nextCondition.isStatic() && nextCondition.i &&
                     condition.isStatic() && llvm::none_of(types, [](Type t) {
                       auto type = dyn_cast<RankedTensorType>(t);
                       return type && !type.hasStaticShape();
                     });

    OpBuilder::InsertionGuard guard(b);
    ValueRange results;
    Operation *after;
    if (isCounted) {
      mlir::Value first = arith::ConstantIndexOp::create(b, done);
      mlir::Value one = arith::ConstantIndexOp::create(b, 1);
      mlir::Value count = index(dim(trips));
      auto op = scf::ForOp::create(b, first, count, one, merge->leaves[0]);
      op.getRegion().getBlocks().clear();
      op.getRegion().takeBody(scratch.getAfter());
      block->insertArgument(0u, b.getIndexType(), b.getLoc());
      b.setInsertionPointToStart(block);
      mlir::Value i = arith::IndexCastOp::create(b, i64Type, block->getArgument(0));
      block->getArgument(1).replaceAllUsesWith(i);
      for (mlir::Value &leaf : merge->leaves[1]) // `last = i`
        if (leaf == block->getArgument(1))
          leaf = i;
      block->eraseArgument(1);
      b.setInsertionPointToEnd(block);
      scf::YieldOp::create(b, merge->leaves[1]);
      results = op.getResults();
      after = op;
    } else {
      // Carried: the counter, the condition, the leaves.
      mlir::Value first = arith::ConstantIntOp::create(b, done, 64);
      mlir::Value go = condition.ssa ? condition.ssa
                                     : arith::ConstantIntOp::create(b, condition.i, 1).getResult();
      mlir::Value limit = i64(trips);
      SmallVector<mlir::Value> inits = {first, go};
      llvm::append_range(inits, merge->leaves[0]);
      SmallVector<Type> all = {i64Type, b.getI1Type()};
      llvm::append_range(all, types);
      auto op = WhileOp::create(b, all, inits);
      for (Region *region : {&op.getBefore(), &op.getAfter()})
        region->getBlocks().clear();
      Block *test = new Block();
      op.getBefore().push_back(test);
      for (Type t : all)
        test->addArgument(t, b.getLoc());
      op.getAfter().takeBody(scratch.getAfter());
      block->insertArgument(1u, b.getI1Type(), b.getLoc());
      b.setInsertionPointToEnd(test);
      mlir::Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                               test->getArgument(0), limit);
      more = arith::AndIOp::create(b, more, test->getArgument(1));
      ConditionOp::create(b, more, test->getArguments());
      b.setInsertionPointToEnd(block);
      mlir::Value one = arith::ConstantIntOp::create(b, 1, 64);
      mlir::Value i = arith::AddIOp::create(b, block->getArgument(0), one);
      mlir::Value c = nextCondition.ssa
                          ? nextCondition.ssa
                          : arith::ConstantIntOp::create(b, nextCondition.i, 1).getResult();
      SmallVector<mlir::Value> yields = {i, c};
      llvm::append_range(yields, merge->leaves[1]);
      YieldOp::create(b, yields);
      results = op.getResults().drop_front(2);
      after = op;
    }
    b.setInsertionPointAfter(after);
    // The op stands before the scratch op, which the eraser removes.
    b.setInsertionPointToEnd(before);
    merge->resolveTensors(results);
    merge->commitAliases(lastStart, /*isFirstLeft=*/mayUnroll);
    for (size_t i = 0; i < carried.size(); ++i) {
      Merge::resolve(merged[i], results);
      carried[i] = merged[i];
    }
    for (auto &[cell, content] : cells) {
      Merge::resolve(cell, content, results);
      record(cell);
      restore(cell, content);
    }
    return true;
  }
  fail("a loop's variables change their types from one iteration to the next");
}
