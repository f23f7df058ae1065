//===- Phases.cpp - From a phase to Python values and back ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A phase is the types of the tensor state plus the values of the Python
// state. What would make the phases endless is widened, and the import starts
// again: a Python number that keeps changing becomes a slot, a dimension that
// keeps changing becomes dynamic, a list that grows becomes a run-time list.

#include "Phases.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// From a phase to Python values and back
//===----------------------------------------------------------------------===//

mlir::Value Interpreter::loadSlot(int slot, Type type) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(entryBlock);
  return LoadOp::create(b, type, symbolOf(slot));
}

static FlatSymbolRefAttr flat(MLIRContext *context, StringRef name) {
  return FlatSymbolRefAttr::get(context, name);
}

SymbolRefAttr Interpreter::symbolOf(int slot) {
  const std::vector<std::string> &path = slotModules[slot];
  MLIRContext *ctx = b.getContext();
  if (path.empty())
    return flat(ctx, slots[slot].symbol);
  SmallVector<FlatSymbolRefAttr> nested;
  for (const std::string &name : llvm::drop_begin(path))
    nested.push_back(flat(ctx, name));
  nested.push_back(flat(ctx, slots[slot].symbol));
  return SymbolRefAttr::get(ctx, path[0], nested);
}

Py ModuleImporter::release(const Held &h) {
  if (h.constant)
    return *h.constant;
  switch (h.kind) {
  case Py::Object: {
    Py v;
    v.kind = Py::Object;
    v.object = h.object;
    return v;
  }
  case Py::Poison: {
    Py v = Py::poison();
    v.s = h.text;
    return v;
  }
  case Py::Int:
  case Py::Float:
  case Py::Bool: {
    Py v;
    v.kind = h.kind;
    mlir::Value t = loaded[h.slot] = in.loadSlot(h.slot, h.type);
    OpBuilder::InsertionGuard guard(in.b);
    v.ssa = tensor::ExtractOp::create(in.b, t, ValueRange());
    return v;
  }
  case Py::Tensor: {
    auto t = std::make_shared<Tensor>();
    t->dtype = h.dtype;
    t->type = h.type;
    t->strides = h.strides;
    t->requiresGrad = h.requiresGrad;
    t->isParameter = h.isParameter;
    if (h.sameAs >= 0 && storages.count(h.sameAs)) {
      t->storage = storages[h.sameAs];
      t->chain = h.chain;
    } else {
      t->storage = std::make_shared<Storage>();
      t->storage->slot = h.slot;
      t->storage->value = in.loadSlot(h.slot, h.type);
      storages[h.slot] = t->storage;
      if (h.group >= 0) {
        for (auto &other : groups[h.group]) {
          in.mayBeSame(other, t->storage);
        }
        groups[h.group].push_back(t->storage);
      }
    }
    mlir::Value now = t->chain.empty() ? t->storage->value : mlir::Value();
    loaded[h.slot] = h.sameAs >= 0 ? mlir::Value() : now;
    t->sizes = h.chain.empty() ? in.sizesOf(t->storage->value) : SmallVector<Dim>();
    if (!h.chain.empty())
      for (int64_t n : h.type.getShape())
        t->sizes.push_back(in.b.getIndexAttr(n));
    return Py::of(t);
  }
  default: {
    std::vector<Py> items;
    for (const Held &item : h.items)
      items.push_back(release(item));
    Py v = Py::ofItems(h.kind, std::move(items), h.text);
    v.items->names = h.names;
    if (h.growing) {
      v.items->growSlot = h.slot;
      v.items->handle = loaded[h.slot] = in.loadSlot(h.slot, in.slots[h.slot].type);
    }
    return v;
  }
  }
}

/// Makes the description of a value at the end of a function, and stores what
/// has changed into its slot.
Held ModuleImporter::hold(const Py &v, const std::string &path, const Held *before) {
  Held h;
  h.kind = v.kind;
  auto &b = in.b;
  switch (v.kind) {
  case Py::Poison:
    h.text = v.s;
    return h;
  case Py::Object:
    h.object = v.object;
    return h;
  case Py::Tensor: {
    const TensorRef &t = v.tensor;
    h.slot = slotOf(path);
    newSlotModule(h.slot, path);
    Interpreter::Slot &slot = in.slots[h.slot];
    h.dtype = t->dtype;
    h.type = t->type;
    h.strides = t->strides;
    h.requiresGrad = t->requiresGrad;
    h.isParameter = t->isParameter;
    mlir::Value now = in.read(t);
    // Dimensions that keep changing.
    auto wide = widening.dims.find(path);
    bool isFirst = phaseBefore == 0 && before && before->kind == Py::Tensor && before->slot == h.slot &&
                   loaded.lookup(h.slot) == now;
    if (wide != widening.dims.end() && !isFirst) {
      SmallVector<int64_t> shape(h.type.getShape());
      for (size_t d = 0; d < shape.size() && d < wide->second.size(); ++d)
        if (wide->second[d])
          shape[d] = ShapedType::kDynamic;
      auto type = RankedTensorType::get(shape, h.type.getElementType());
      if (type != h.type) {
        now = tensor::CastOp::create(b, type, now);
        h.type = type;
        h.strides.reset();
      }
    }
    if (!h.type.hasStaticShape())
      h.strides.reset();
    // Which attributes are one tensor, or views of another one.
    Storage *storage = t->storage.get();
    if (t->chain.empty()) {
      auto [first, isNew] = holders.try_emplace(storage, h.slot);
      if (!isNew)
        h.sameAs = first->second;
    } else if (h.type.hasStaticShape()) {
      auto first = holders.find(storage);
      bool isStatic = llvm::all_of(t->chain, [](const View &view) {
        return view.source.hasStaticShape() && view.result.hasStaticShape() &&
               llvm::all_of(view.offsets, [](Dim d) { return isa<Attribute>(d); });
      });
      if (first != holders.end() && isStatic) {
        h.sameAs = first->second;
        h.chain = t->chain;
      } else {
        auto [group, isNew] = groupOf.try_emplace(storage, (int)groupOf.size());
        h.group = group->second;
      }
    }
    if (slot.dtype == DType::Undefined)
      slot.dtype = h.dtype;
    bool isUnchanged = loaded.lookup(h.slot) == now ||
                       (before && before->sameAs >= 0 && before->slot == h.slot &&
                        before->sameAs == h.sameAs && before->chain.size() == h.chain.size() &&
                        loaded.lookup(h.sameAs) && loaded.lookup(h.sameAs) == t->storage->value);
    if (!isUnchanged) {
      StoreOp::create(b, now, in.symbolOf(h.slot));
      slot.kind = StateKind::Mutable;
    }
    if (!llvm::is_contained(slot.types, h.type))
      slot.types.push_back(h.type);
    return h;
  }
  case Py::Int:
  case Py::Float:
  case Py::Bool: {
    bool isWide = widening.scalars.count(path);
    if (v.ssa && !isWide) {
      wanted.scalars.insert(path);
      return h;
    }
    if (!isWide)
      break;
    h.slot = slotOf(path);
    newSlotModule(h.slot, path);
    Interpreter::Slot &slot = in.slots[h.slot];
    slot.isPython = true;
    slot.kind = StateKind::Mutable;
    h.dtype = v.kind == Py::Int ? DType::Int64 : v.kind == Py::Float ? DType::Double : DType::Bool;
    h.type = RankedTensorType::get({}, elementType(context, h.dtype));
    if (slot.dtype == DType::Undefined)
      slot.dtype = h.dtype;
    if (!llvm::is_contained(slot.types, h.type))
      slot.types.push_back(h.type);
    StoreOp::create(b, in.splat({}, h.dtype, v), in.symbolOf(h.slot));
    return h;
  }
  case Py::List:
  case Py::Tuple:
  case Py::Dict: {
    h.text = v.items->type;
    h.names = v.items->names;
    if (v.items->growSlot >= 0) {
      h.growing = true;
      h.slot = v.items->growSlot;
      if (in.slots[h.slot].path != path)
        in.fail("a list that grows is assigned to a second attribute");
      if (loaded.lookup(h.slot) != v.items->handle) {
        StoreOp::create(b, v.items->handle, in.symbolOf(h.slot));
        in.slots[h.slot].kind = StateKind::Mutable;
      }
      return h;
    }
    // A new list in the place of one that grows: the old one's elements go.
    auto grows = widening.lists.find(path);
    if (v.kind == Py::List && grows != widening.lists.end()) {
      h.growing = true;
      h.slot = slotOf(path);
      Interpreter::Slot &slot = in.slots[h.slot];
      mlir::Value list = ListClearOp::create(b, slot.type, in.loadSlot(h.slot, slot.type));
      for (const Py &item : v.list()) {
        if (!item.isTensor() || item.tensor->dtype != slot.dtype)
          in.fail("the list '" + path + "' grows at run time: it holds tensors of " +
                  dtypeName(slot.dtype) + " only");
        in.onAppend(h.slot, item.tensor->type);
        list = ListAppendOp::create(b, list.getType(), list, in.read(item.tensor));
      }
      StoreOp::create(b, list, in.symbolOf(h.slot));
      slot.kind = StateKind::Mutable;
      return h;
    }
    // A list of tensors that has become longer grows at run time.
    if (v.kind == Py::List && before && before->kind == Py::List && !before->growing &&
        v.list().size() > before->items.size() && !v.list().empty() &&
        llvm::all_of(v.list(), [](const Py &i) { return i.isTensor(); })) {
      RankedTensorType type;
      DType dtype = v.list().back().tensor->dtype;
      for (size_t i = before->items.size(); i < v.list().size(); ++i)
        type = joinTypes(type, v.list()[i].tensor->type, path);
      wanted.lists[path] = {type, dtype};
      return h;
    }
    for (auto [i, item] : llvm::enumerate(v.list())) {
      std::string name = std::to_string(i);
      if (v.kind == Py::Dict && i % 2)
        name = v.list()[i - 1].kind == Py::String ? v.list()[i - 1].s : std::to_string(v.list()[i - 1].i);
      const Held *old = before && i < before->items.size() ? &before->items[i] : nullptr;
      h.items.push_back(hold(item, joined(path, name), old));
    }
    return h;
  }
  default:
    break;
  }
  h.constant = std::make_shared<Py>(v);
  return h;
}

RankedTensorType ModuleImporter::joinTypes(RankedTensorType a, RankedTensorType b,
                                           const std::string &path) {
  if (!a || a == b)
    return b;
  if (a.getRank() != b.getRank() || a.getElementType() != b.getElementType())
    in.fail("the list '" + path + "' gets tensors of different ranks or dtypes");
  SmallVector<int64_t> shape;
  for (auto [m, n] : llvm::zip(a.getShape(), b.getShape()))
    shape.push_back(m == n ? m : ShapedType::kDynamic);
  return RankedTensorType::get(shape, a.getElementType());
}

/// Which module a slot belongs to: the longest path of an instance.
void ModuleImporter::newSlotModule(int slot, const std::string &path) {
  if ((int)in.slotModules.size() <= slot)
    in.slotModules.resize(slot + 1);
  if (!in.slots[slot].symbol.empty())
    return;
  std::shared_ptr<Instance> best = in.root;
  for (auto &instance : order)
    if (!instance->path.empty() && StringRef(path).starts_with(instance->path + ".") &&
        instance->path.size() > best->path.size())
      best = instance;
  StringRef rest = StringRef(path).drop_front(best->path.empty() ? 0 : best->path.size() + 1);
  std::string symbol = rest.str();
  while (usedSymbols.count(joined(best->path, symbol)))
    symbol += "_";
  usedSymbols.insert(joined(best->path, symbol));
  in.slots[slot].symbol = symbol;
  SmallVector<StringRef> parts;
  if (!best->path.empty())
    StringRef(best->path).split(parts, '.');
  for (StringRef part : parts)
    in.slotModules[slot].push_back(part.str());
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

/// A text that is equal for equal phases.
static void keyOf(const Held &h, llvm::raw_ostream &os) {
  os << (int)h.kind;
  if (h.kind == Py::Tensor) {
    os << ":" << h.slot << ":" << h.type << ":" << (int)h.dtype << ":" << h.sameAs << ":"
       << h.group << ":" << h.requiresGrad;
    for (const View &v : h.chain) {
      os << ":v" << (int)v.kind << "," << v.offset << "," << v.result;
      for (int64_t p : v.perm)
        os << "," << p;
      for (Dim d : v.offsets)
        os << "," << d;
      for (Dim d : v.strides)
        os << "," << d;
      for (int64_t s : v.steps)
        os << "," << s;
    }
    if (h.strides)
      for (int64_t s : *h.strides)
        os << "/" << s;
  }
  if (h.constant) {
    const Py &c = *h.constant;
    os << "=" << c.i << "," << c.f << "," << c.imag << "," << c.s;
    if (c.items)
      for (const Py &item : c.items->items) {
        Held inner;
        inner.kind = item.kind;
        inner.constant = std::make_shared<Py>(item);
        keyOf(inner, os);
      }
  }
  if (h.object)
    os << "@" << (const void *)h.object.get();
  os << "(";
  for (const Held &item : h.items)
    keyOf(item, os);
  os << ")";
}

static std::string keyOf(const State &state) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const auto &[object, attributes] : state)
    for (const auto &[name, h] : attributes) {
      os << name;
      keyOf(h, os);
      os << ";";
    }
  return text;
}

int ModuleImporter::phaseOf(State state) {
  std::string key = keyOf(state);
  auto [entry, isNew] = phaseByKey.try_emplace(key, (int)phases.size());
  if (isNew)
    phases.push_back(std::move(state));
  return entry->second;
}

/// Finds what keeps changing among the phases, and asks for it to be widened.
void ModuleImporter::widenFrom() {
  struct Seen {
    std::set<std::string> values;
    std::set<std::vector<int64_t>> shapes;
  };
  std::map<std::string, Seen> seen;
  std::function<void(const Held &, const std::string &)> walk = [&](const Held &h, const std::string &path) {
    if (h.kind == Py::Tensor)
      seen[path].shapes.insert(h.type.getShape().vec());
    else if (h.constant && h.constant->isNumber())
      seen[path].values.insert(std::to_string(h.constant->i) + "," + std::to_string(h.constant->f));
    for (auto [i, item] : llvm::enumerate(h.items))
      walk(item, joined(path, std::to_string(i)));
  };
  for (const State &state : phases)
    for (const auto &[object, attributes] : state)
      for (const auto &[name, h] : attributes)
        walk(h, joined(object->path, name));
  for (auto &[path, s] : seen) {
    if (s.values.size() > 2)
      wanted.scalars.insert(path);
    if (s.shapes.size() > 2) {
      std::map<size_t, std::set<std::vector<int64_t>>> byRank;
      for (auto &shape : s.shapes)
        byRank[shape.size()].insert(shape);
      for (auto &[rank, shapes] : byRank) {
        if (shapes.size() < 2)
          continue;
        std::vector<bool> &dims = wanted.dims[path];
        dims.resize(std::max(dims.size(), rank));
        for (size_t d = 0; d < rank; ++d)
          for (auto &shape : shapes)
            if (shape[d] != (*shapes.begin())[d])
              dims[d] = true;
      }
    }
  }
}

/// Tensors of which the data decides whether they are one memory stay so in the
/// next call.
void ModuleImporter::groupByMemory(State &state) {
  llvm::MapVector<Storage *, std::vector<Held *>> found;
  std::function<void(const Py &, Held &)> collect = [&](const Py &v, Held &h) {
    if (v.isTensor() && h.slot >= 0)
      found[v.tensor->storage.get()].push_back(&h);
    else if (v.items && v.items->growSlot < 0 && v.list().size() == h.items.size())
      for (auto [item, heldItem] : llvm::zip(v.list(), h.items))
        collect(item, heldItem);
  };
  for (auto &[object, attributes] : state)
    for (auto &[name, h] : attributes)
      collect(*object->find(name), h);
  llvm::EquivalenceClasses<Storage *> classes;
  for (auto &[held, users] : found) {
    // By links, and from there what may be the same.
    SmallVector<Storage *> linked = {held};
    for (size_t i = 0; i < linked.size(); ++i)
      for (const Interpreter::Link &link : in.links)
        for (auto [from, to] : {std::pair(link.merged.get(), link.source.storage.get()),
                                std::pair(link.source.storage.get(), link.merged.get())})
          if (from == linked[i] && !llvm::is_contained(linked, to))
            linked.push_back(to);
    for (Storage *storage : linked) {
      if (found.count(storage))
        classes.unionSets(held, storage);
      for (const std::weak_ptr<Storage> &same : storage->maybeSame)
        if (auto other = same.lock(); other && found.count(other.get()))
          classes.unionSets(held, other.get());
    }
  }
  std::map<Storage *, int> numbers;
  for (auto &[held, users] : found) {
    Storage *leader = classes.getLeaderValue(held);
    if (std::next(classes.findLeader(held)) == classes.member_end())
      continue;
    int number = numbers.try_emplace(leader, (int)(groupOf.size() + numbers.size())).first->second;
    for (Held *h : users)
      h->group = number;
  }
}

State ModuleImporter::snapshot(const State &before) {
  State after;
  holders.clear();
  groupOf.clear();
  // Tensors that are whole storages come first, so that views find them.
  std::map<Instance *, std::map<std::string, Held>> done;
  for (int pass = 0; pass < 2; ++pass)
    for (const auto &[object, attributes] : before)
      for (const auto &[name, value] : object->attributes) {
        bool isView = value.isTensor() && !value.tensor->chain.empty();
        if (isView != (pass == 1))
          continue;
        const Held *old = nullptr;
        for (const auto &[n, h] : attributes)
          if (n == name)
            old = &h;
        done[object.get()][name] = hold(value, joined(object->path, name), old);
      }
  for (const auto &[object, attributes] : before) {
    after.push_back({object, {}});
    for (const auto &[name, value] : object->attributes)
      after.back().second.push_back({name, done[object.get()][name]});
  }
  groupByMemory(after);
  return after;
}
