//===- Cells.cpp - What Python code can change ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Storages, lists and attributes are cells. While a branch or loop is walked,
// the journal remembers what each cell held before.

#include "Interpreter.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

bool Interpreter::Cell::operator<(const Cell &o) const {
  auto place = [](const Cell &c) {
    return c.storage     ? (const void *)c.storage.get()
           : c.container ? (const void *)c.container.get()
           : c.object    ? (const void *)c.object.get()
                         : (const void *)c.referred.get();
  };
  const void *a = place(*this), *b = place(o);
  return std::tie(kind, a, name) < std::tie(o.kind, b, o.name);
}

Interpreter::Content Interpreter::contentOf(const Cell &cell) {
  Content c;
  switch (cell.kind) {
  case Cell::StorageCell: c.value = cell.storage->value; break;
  case Cell::ItemsCell: c.items = cell.container->items; break;
  case Cell::AttributeCell: c.attribute = *cell.object->find(cell.name); break;
  case Cell::HandleCell: c.value = cell.container->handle; break;
  case Cell::PoisonCell:
    c.attribute.s = cell.storage ? cell.storage->poison : cell.referred->poison;
    break;
  }
  return c;
}

void Interpreter::restore(const Cell &cell, const Content &content) {
  ++cellChanges;
  switch (cell.kind) {
  case Cell::StorageCell:
    cell.storage->value = content.value;
    ++cell.storage->version;
    break;
  case Cell::ItemsCell: cell.container->items = content.items; break;
  case Cell::AttributeCell: *cell.object->find(cell.name) = content.attribute; break;
  case Cell::HandleCell: cell.container->handle = content.value; break;
  case Cell::PoisonCell:
    (cell.storage ? cell.storage->poison : cell.referred->poison) = content.attribute.s;
    break;
  }
}

void Interpreter::record(Cell cell) {
  ++cellChanges;
  if (journal.empty())
    return;
  Frame &frame = *journal.back();
  uint64_t birth = cell.storage     ? cell.storage->birth
                   : cell.container ? cell.container->birth
                   : cell.object    ? cell.object->birth
                                    : cell.referred->birth;
  if (birth < frame.start && !frame.cells.count(cell))
    frame.cells[cell] = contentOf(cell);
}

void Interpreter::setStorage(const std::shared_ptr<Storage> &storage, mlir::Value value) {
  record({Cell::StorageCell, storage, nullptr, nullptr, ""});
  storage->value = value;
  if (marksArgumentWrites && storage->argument >= 0)
    ArgumentWriteOp::create(b, value, b.getI64IntegerAttr(storage->argument));
  if (!storage->poison.empty())
    spoil(storage, "");
  ++storage->version;
}

void Interpreter::spoil(const std::shared_ptr<Storage> &storage, const std::string &why) {
  record({Cell::PoisonCell, storage, nullptr, nullptr, ""});
  storage->poison = why;
}

void Interpreter::spoil(const std::shared_ptr<Referred> &object, const std::string &why) {
  record({Cell::PoisonCell, nullptr, nullptr, nullptr, "", object});
  object->poison = why;
}

void Interpreter::setItems(const std::shared_ptr<Container> &container,
                           std::vector<Py> items) {
  record({Cell::ItemsCell, nullptr, container, nullptr, ""});
  container->items = std::move(items);
  changes(*container);
}

bool Interpreter::hasEnded(const Born &object) const {
  auto next = llvm::upper_bound(ended, object.birth,
                                [](uint64_t birth, auto &times) { return birth < times.first; });
  return next != ended.begin() && object.birth <= std::prev(next)->second;
}

void Interpreter::changes(const Referred &object) {
  for (const std::weak_ptr<Referred> &other : object.maybeSame)
    if (auto o = other.lock(); o && !hasEnded(*o))
      spoil(o, "only the data decides whether this is the object that was changed through "
               "another name");
}

void Interpreter::checkKnown(const Py &v) {
  const Referred *object = v.items ? static_cast<const Referred *>(v.items.get())
                           : v.object ? static_cast<const Referred *>(v.object.get())
                                      : nullptr;
  if (object && !object->poison.empty())
    fail(object->poison);
  if (v.items)
    for (const Py &item : v.list())
      checkKnown(item);
}

void Interpreter::setHandle(const std::shared_ptr<Container> &list, mlir::Value handle) {
  record({Cell::HandleCell, nullptr, list, nullptr, ""});
  list->handle = handle;
}

void Interpreter::setAttribute(const std::shared_ptr<Instance> &object,
                               const std::string &name, Py v) {
  Py *old = object->find(name);
  if (!old) {
    object->attributes.push_back({name, Py()});
    old = &object->attributes.back().second;
  }
  record({Cell::AttributeCell, nullptr, nullptr, object, name});
  *object->find(name) = std::move(v);
  changes(*object);
}

Interpreter::Frame Interpreter::runRegion(Block *block,
                                          llvm::function_ref<void()> body) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(block);
  Frame frame;
  journal.push_back(&frame);
  auto undo = [&] {
    journal.pop_back();
    while (!ended.empty() && ended.back().first >= frame.start)
      ended.pop_back();
    ended.push_back({frame.start, Born::now()});
    for (auto &[cell, old] : frame.cells) {
      Content now = contentOf(cell);
      restore(cell, old);
      old = std::move(now);
    }
  };
  try {
    body();
  } catch (...) {
    undo();
    throw;
  }
  undo();
  return frame;
}
