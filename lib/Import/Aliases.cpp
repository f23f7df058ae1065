//===- Aliases.cpp - Memory that only the data knows ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What a branch or loop leads to may be memory that has another name too. Then
// it is a tensor of its own, and a write into either has to reach the other.
// Links say on which condition, and the write is made again there. Without
// links the other one's content is unknown from there on: most methods never
// look at it again, and get by without the code for it.

#include "Interpreter.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

void Interpreter::mayBeSame(const std::shared_ptr<Storage> &a,
                            const std::shared_ptr<Storage> &b) {
  a->maybeSame.push_back(b);
  b->maybeSame.push_back(a);
}

void Interpreter::checkKnown(const Storage &storage) {
  if (storage.poison.empty())
    return;
  metAlias = true;
  fail(storage.poison);
}

void Interpreter::spoilOthers(const std::shared_ptr<Storage> &storage,
                              const Storage *written) {
  SmallVector<std::shared_ptr<Storage>> todo;
  for (const std::weak_ptr<Storage> &other : storage->maybeSame)
    if (auto s = other.lock())
      todo.push_back(s);
  std::set<Storage *> done;
  while (!todo.empty()) {
    std::shared_ptr<Storage> next = todo.pop_back_val();
    if (next.get() == written || hasEnded(*next) || !done.insert(next.get()).second)
      continue;
    spoil(next, "a tensor was written in place, and only the data decides whether this "
                "tensor is the same memory: clone() it before");
    for (const Link &link : links) {
      if (link.merged == next)
        todo.push_back(link.source.storage);
      if (link.source.storage == next)
        todo.push_back(link.merged);
    }
  }
}

/// `then()` where `condition` holds, else `otherwise`.
static mlir::Value valueIf(OpBuilder &b, Location loc, mlir::Value condition,
                           llvm::function_ref<mlir::Value()> then, mlir::Value otherwise) {
  auto op = IfOp::create(b, loc, TypeRange(otherwise.getType()), condition);
  for (bool holds : {true, false}) {
    Region &region = holds ? op.getThenRegion() : op.getElseRegion();
    region.getBlocks().clear();
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&region.emplaceBlock());
    mlir::Value v = holds ? then() : otherwise;
    if (v.getType() != otherwise.getType())
      v = tensor::CastOp::create(b, loc, otherwise.getType(), v);
    YieldOp::create(b, loc, v);
  }
  return op.getResult(0);
}

void Interpreter::follow(const std::shared_ptr<Storage> &storage, mlir::Value condition,
                         SmallVectorImpl<const Storage *> &path) {
  path.push_back(storage.get());
  for (const Link &link : links) {
    bool isMerged = link.merged == storage;
    if (!isMerged && link.source.storage != storage)
      continue;
    const std::shared_ptr<Storage> &other = isMerged ? link.source.storage : link.merged;
    // What is unknown stays so: the write is made into a part of it, or perhaps.
    if (llvm::is_contained(path, other.get()) || hasEnded(*other) || hasEnded(*link.merged) ||
        !other->poison.empty())
      continue;
    mlir::Value holds = link.condition;
    if (condition)
      holds = arith::AndIOp::create(b, condition, holds);
    auto now = [&]() -> mlir::Value {
      mlir::Value v = storage->value;
      if (!isMerged) {
        for (const View &view : link.source.chain)
          v = applyView(view, v);
        return v;
      }
      if (v.getType() != link.source.type)
        v = tensor::CastOp::create(b, link.source.type, v);
      return writeThrough(link.source, v);
    };
    mlir::Value value = valueIf(b, b.getLoc(), holds, now, other->value);
    spoilOthers(other, path.front());
    setStorage(other, value);
    follow(other, holds, path);
  }
  path.pop_back();
}
