//===- Merge.cpp - What several ways lead to ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Merge.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

static bool sameValue(const Py &a, const Py &b) {
  if (a.kind != b.kind || a.ssa != b.ssa)
    return false;
  switch (a.kind) {
  case Py::Int:
  case Py::Bool: return a.ssa || a.i == b.i;
  case Py::Float: return a.ssa || a.f == b.f || (a.f != a.f && b.f != b.f);
  case Py::Complex: return a.f == b.f && a.imag == b.imag;
  case Py::String:
    if (a.s != b.s || !a.items != !b.items)
      return false;
    for (size_t i = 0; a.items && i < a.list().size(); ++i)
      if (!sameValue(a.list()[i], b.list()[i]))
        return false;
    return true;
  case Py::Device:
  case Py::Enum: return a.s == b.s;
  case Py::Object: return a.object == b.object;
  case Py::Function: return a.function == b.function;
  case Py::Tensor: return a.tensor == b.tensor;
  case Py::List:
  case Py::Dict:
  case Py::Tuple:
    if (a.items == b.items)
      return true;
    if (a.kind != Py::Tuple || a.list().size() != b.list().size())
      return false;
    for (size_t i = 0; i < a.list().size(); ++i)
      if (!sameValue(a.list()[i], b.list()[i]))
        return false;
    return true;
  default: return true;
  }
}

Py Interpreter::Merge::merge(std::vector<Py> vs, const std::string &what,
                             bool widenIntegers) {
  const Py *model = nullptr; // an unset variable takes the others' type
  for (Py &v : vs) {
    if (v.kind == Py::Poison)
      return v;
    if (v.kind != Py::Uninitialized && !model)
      model = &v;
  }
  if (!model)
    return vs[0];
  if (llvm::all_of(vs, [&](Py &v) { return sameValue(v, *model); }))
    return *model;
  Py::Kind kind = model->kind;
  // What is known now needs no value where the variable is unset.
  bool isKnown = model->isStatic() && kind != Py::Tensor && kind != Py::Object && !model->items;
  if (isKnown && llvm::all_of(vs, [&](Py &v) {
        return v.kind == Py::Uninitialized || sameValue(v, *model);
      }))
    return *model;
  // An unset tensor is never read: it may be the other ways' one, as it is.
  if (kind == Py::Tensor && isKnownAfter(*model->tensor) &&
      llvm::all_of(vs, [&](const Py &v) {
        return v.kind == Py::Uninitialized ||
               (v.kind == Py::Tensor && isSameView(*v.tensor, *model->tensor));
      }))
    return *model;
  for (Py &v : vs)
    if (v.kind != kind && v.kind != Py::Uninitialized)
      in.fail(what + " is " + kindName(kind) + " or " + kindName(v.kind) +
              ", which only the data decides");
  switch (kind) {
  case Py::Int:
  case Py::Float:
  case Py::Bool: {
    SmallVector<mlir::Value> values;
    for (size_t w = 0; w < ways(); ++w)
      values.push_back(vs[w].kind == Py::Uninitialized
                           ? dummy(w, *model)
                           : at(w, [&] { return scalarOf(vs[w]); }));
    Py out;
    out.kind = kind;
    out.s = "merged";
    out.ssa = values[0];
    out.i = leaf(values, what);
    return out;
  }
  case Py::Tensor: {
    auto t = std::make_shared<Tensor>();
    t->dtype = model->tensor->dtype;
    t->requiresGrad = model->tensor->requiresGrad;
    t->wrappedNumber = model->tensor->wrappedNumber;
    t->storage = std::make_shared<Storage>();
    for (const Py &v : vs) {
      if (v.kind == Py::Uninitialized || v.tensor->dtype == t->dtype)
        continue;
      DType other = v.tensor->dtype;
      if (!widenIntegers || !isIntegral(t->dtype, false) || !isIntegral(other, false))
        in.fail(what + " is a tensor of " + dtypeName(t->dtype) + " or of " +
                dtypeName(other) + ", which only the data decides");
      in.note(what + " is a tensor of " + dtypeName(t->dtype) + " or of " + dtypeName(other) +
              ", which only the data decides: it is kept as " +
              dtypeName(promote(t->dtype, other)));
      t->dtype = promote(t->dtype, other);
    }
    SmallVector<mlir::Value> values;
    std::vector<Found> found;
    t->strides = model->tensor->strides;
    for (size_t w = 0; w < ways(); ++w) {
      if (vs[w].kind == Py::Uninitialized) {
        values.push_back(dummy(w, *model));
        continue;
      }
      const Tensor &from = *vs[w].tensor;
      mlir::Value v = read(w, vs[w].tensor);
      values.push_back(at(w, [&] { return in.convert(v, from.dtype, t->dtype); }));
      bool isExact = in.followsAliases && from.dtype == t->dtype && find(w, from, {}, found);
      aliases.push_back({t->storage, from.storage, w, isExact});
      if (from.strides != t->strides) {
        t->strides.reset();
        t->stridesVary = true;
      }
    }
    size_t n = leaf(values, what);
    for (Found &f : found) {
      for (size_t w = 0; w < ways(); ++w)
        if (!f.conditions[w])
          f.conditions[w] = at(w, [&]() -> mlir::Value {
            return arith::ConstantIntOp::create(in.b, 0, 1);
          });
      targets.push_back({t->storage, f.source, leaf(f.conditions, what)});
    }
    t->type = llvm::cast<RankedTensorType>(types[n]);
    t->storage->value = values[0];
    tensors.push_back({t, n});
    return Py::of(t);
  }
  case Py::List:
  case Py::Tuple:
  case Py::Dict: {
    if (llvm::any_of(vs, [](const Py &v) { return v.items && v.items->growSlot >= 0; }))
      in.fail(what + " is a list that grows at run time or another one, which only the data "
              "decides");
    std::vector<Py> items;
    std::vector<std::vector<Py>> lists;
    size_t length = 0;
    for (size_t w = 0; w < ways(); ++w)
      if (&vs[w] == model)
        length = itemsOf(w, vs[w]).size();
    for (size_t w = 0; w < ways(); ++w) {
      Py unset;
      unset.kind = Py::Uninitialized;
      if (vs[w].kind != Py::Uninitialized)
        checkKnown<Referred>(w, vs[w].items);
      lists.push_back(vs[w].kind == Py::Uninitialized ? std::vector<Py>(length, unset)
                                                      : itemsOf(w, vs[w]));
      if (lists[w].size() != length)
        in.fail(what + " is a " + kindName(kind) + " whose length only the data decides");
    }
    for (size_t i = 0; i < lists[0].size(); ++i) {
      std::vector<Py> column;
      for (auto &list : lists)
        column.push_back(list[i]);
      items.push_back(merge(std::move(column), "an element of " + what));
    }
    Py out = Py::ofItems(kind, std::move(items), model->items->type);
    out.items->names = model->items->names;
    out.s = "merged";
    if (kind != Py::Tuple)
      for (size_t w = 0; w < ways(); ++w)
        if (vs[w].kind != Py::Uninitialized)
          objectAliases.push_back({out.items, vs[w].items, w});
    return out;
  }
  case Py::Object: {
    // One object with the attributes of either.
    Py out;
    out.kind = kind;
    out.object = std::make_shared<Instance>();
    out.object->object = model->object->object;
    for (const Py &v : vs)
      if (v.kind != Py::Uninitialized &&
          (v.object->object->isModule ||
           v.object->object->type != out.object->object->type))
        in.fail(what + " is one of two modules, which only the data decides");
    for (auto &[name, value] : model->object->attributes) {
      std::vector<Py> values;
      for (size_t w = 0; w < ways(); ++w) {
        Py unset;
        unset.kind = Py::Uninitialized;
        if (vs[w].kind == Py::Uninitialized) {
          values.push_back(unset);
          continue;
        }
        checkKnown<Referred>(w, vs[w].object);
        const Content *now = changed(w, {Cell::AttributeCell, nullptr, nullptr, vs[w].object, name});
        Py *old = vs[w].object->find(name);
        values.push_back(now ? now->attribute : old ? *old : unset);
      }
      out.object->attributes.push_back(
          {name, merge(std::move(values), "attribute '" + name + "'")});
    }
    for (size_t w = 0; w < ways(); ++w)
      if (vs[w].kind != Py::Uninitialized)
        objectAliases.push_back({out.object, vs[w].object, w});
    out.s = "merged";
    return out;
  }
  default:
    in.fail(what + " is one of two values of kind " + kindName(kind) +
            ", which only the data decides");
  }
}

Interpreter::Content Interpreter::Merge::merge(const Cell &cell, std::vector<Content> cs) {
  Content out;
  if (cell.kind == Cell::StorageCell || cell.kind == Cell::HandleCell) {
    SmallVector<mlir::Value> values;
    for (Content &c : cs)
      values.push_back(c.value);
    bool same = llvm::all_equal(values);
    out.value = values[0];
    out.attribute.i = same ? -1 : (int64_t)leaf(values, "a tensor that is written in place");
    return out;
  }
  if (cell.kind == Cell::PoisonCell) {
    for (const Content &c : cs)
      if (out.attribute.s.empty())
        out.attribute.s = c.attribute.s;
    return out;
  }
  if (cell.kind == Cell::AttributeCell) {
    std::vector<Py> values;
    for (Content &c : cs)
      values.push_back(c.attribute);
    out.attribute = merge(std::move(values), "attribute '" + cell.name + "'", true);
    return out;
  }
  for (Content &c : cs)
    if (c.items.size() != cs[0].items.size())
      in.fail("a list has a length that only the data decides");
  for (size_t i = 0; i < cs[0].items.size(); ++i) {
    std::vector<Py> column;
    for (Content &c : cs)
      column.push_back(c.items[i]);
    out.items.push_back(merge(std::move(column), "an element of a list"));
  }
  return out;
}

//===----------------------------------------------------------------------===//
// The same memory under several names
//===----------------------------------------------------------------------===//

bool Interpreter::Merge::find(size_t way, const Tensor &t, mlir::Value condition,
                              std::vector<Found> &found) {
  if (!frames[way] || t.storage->birth < frames[way]->start) {
    if (!isKnownAfter(t))
      return false;
    Found *mine = nullptr;
    for (Found &f : found)
      if (isSameView(f.source, t))
        mine = &f;
    if (!mine) {
      found.push_back({t, SmallVector<mlir::Value>(ways())});
      mine = &found.back();
      mine->source.cached = {};
    }
    mine->conditions[way] = at(way, [&]() -> mlir::Value {
      mlir::Value c = condition;
      if (!c)
        c = arith::ConstantIntOp::create(in.b, 1, 1);
      mlir::Value old = mine->conditions[way];
      return old ? arith::OrIOp::create(in.b, old, c).getResult() : c;
    });
    return true;
  }
  // A tensor of the way's own: what it is a merged one of.
  bool isExact = true;
  for (size_t i = 0, e = in.links.size(); i < e; ++i) {
    if (in.links[i].merged != t.storage)
      continue;
    Tensor whole = in.links[i].source;
    whole.chain.append(t.chain.begin(), t.chain.end());
    whole.type = t.type;
    whole.sizes = t.sizes;
    whole.strides = t.strides;
    mlir::Value holds = in.links[i].condition;
    if (condition)
      holds = at(way, [&]() -> mlir::Value {
        return arith::AndIOp::create(in.b, condition, holds);
      });
    isExact &= find(way, whole, holds, found);
  }
  return isExact;
}

bool Interpreter::Merge::hasSameTargets(const Merge &other) const {
  auto numberOf = [](const Merge &merge, const std::shared_ptr<Storage> &merged) {
    return llvm::find_if(merge.tensors, [&](auto &t) { return t.first->storage == merged; }) -
           merge.tensors.begin();
  };
  return targets.size() == other.targets.size() &&
         llvm::all_of(llvm::zip(targets, other.targets), [&](auto pair) {
           auto &[a, b] = pair;
           return a.leaf == b.leaf && isSameView(a.source, b.source) &&
                  numberOf(*this, a.merged) == numberOf(other, b.merged);
         });
}

template <typename T>
void Interpreter::Merge::commit(const std::vector<Alias<T>> &aliases, uint64_t start) {
  using Set = std::set<std::shared_ptr<T>>;
  // What links tell of exactly, and what may be one of these.
  struct Others {
    Set exact, all;
  };
  auto othersOf = [&](const std::shared_ptr<T> &v) {
    Others out;
    std::vector<std::shared_ptr<T>> todo = {v};
    while (!todo.empty()) {
      std::shared_ptr<T> next = todo.back();
      todo.pop_back();
      // Memory from before is followed by each name on its own.
      if (!out.exact.insert(next).second || next->birth < start)
        continue;
      if constexpr (std::is_same_v<T, Storage>)
        for (const Link &link : in.links) {
          if (link.merged == next)
            todo.push_back(link.source.storage);
          if (link.source.storage == next)
            todo.push_back(link.merged);
        }
    }
    out.all = out.exact;
    for (const std::shared_ptr<T> &other : out.exact)
      for (const std::weak_ptr<T> &same : other->maybeSame)
        if (auto s = same.lock())
          out.all.insert(s);
    return out;
  };
  auto meet = [](const Set &a, const Set &b, uint64_t from) {
    return llvm::any_of(a, [&](auto &v) { return v->birth >= from && b.count(v); });
  };
  std::vector<Others> sources;
  for (const Alias<T> &a : aliases)
    sources.push_back(othersOf(a.source));
  auto link = [&](const std::shared_ptr<T> &a, const std::shared_ptr<T> &b) {
    if (a == b || llvm::any_of(a->maybeSame, [&](auto &o) { return o.lock() == b; }))
      return;
    a->maybeSame.push_back(b);
    b->maybeSame.push_back(a);
  };
  for (size_t i = 0; i < aliases.size(); ++i) {
    for (const std::shared_ptr<T> &source : sources[i].all)
      if (source->birth < start && !in.hasEnded(*source) &&
          !(aliases[i].isExact && sources[i].exact.count(source)))
        link(aliases[i].merged, source);
    for (size_t k = 0; k < i; ++k) {
      if (aliases[k].way != aliases[i].way)
        continue;
      bool areExact = aliases[i].isExact && aliases[k].isExact;
      uint64_t from = areExact ? start : 0;
      if (meet(sources[i].exact, sources[k].exact, from) ||
          (!areExact && (meet(sources[i].all, sources[k].exact, 0) ||
                         meet(sources[i].exact, sources[k].all, 0))) ||
          (areExact && (meet(sources[i].all, sources[k].all, start))))
        link(aliases[i].merged, aliases[k].merged);
    }
  }
}

template void Interpreter::Merge::commit(const std::vector<Alias<Storage>> &, uint64_t);
template void Interpreter::Merge::commit(const std::vector<Alias<Referred>> &, uint64_t);
