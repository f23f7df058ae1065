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

#include "Interpreter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// Merging
//===----------------------------------------------------------------------===//

/// Merges what several ways lead to: where they differ, an SSA value (a leaf)
/// leaves each way. A merged value refers to its leaves by number until
/// `resolve` puts in the values that the op gives.
struct Interpreter::Merge {
  Interpreter &in;
  std::vector<Block *> blocks; ///< where way w ends
  std::vector<SmallVector<mlir::Value>> leaves;
  SmallVector<Type> types;
  std::vector<std::pair<TensorRef, size_t>> tensors;
  /// What a merged one is where a way leads to it.
  template <typename T> struct Alias {
    std::shared_ptr<T> merged, source;
    size_t way;
  };
  std::vector<Alias<Storage>> aliases;
  std::vector<Alias<Referred>> objectAliases;

  /// What way w changed; null: nothing. The cells hold what was before.
  std::vector<const Frame *> frames;

  Merge(Interpreter &in, std::vector<Block *> blocks, std::vector<const Frame *> frames)
      : in(in), blocks(std::move(blocks)), leaves(this->blocks.size()),
        frames(std::move(frames)) {}

  const Content *changed(size_t way, const Cell &cell) const {
    if (!frames[way])
      return nullptr;
    auto found = frames[way]->cells.find(cell);
    return found == frames[way]->cells.end() ? nullptr : &found->second;
  }

  size_t ways() const { return blocks.size(); }

  template <typename Fn> auto at(size_t way, Fn fn) {
    OpBuilder::InsertionGuard guard(in.b);
    in.b.setInsertionPointToEnd(blocks[way]);
    return fn();
  }

  /// Fails if the storage or object is not known where way w ends.
  template <typename T> void checkKnown(size_t way, const std::shared_ptr<T> &v) {
    Cell cell = {Cell::PoisonCell, nullptr, nullptr, nullptr, ""};
    if constexpr (std::is_same_v<T, Storage>)
      cell.storage = v;
    else
      cell.referred = v;
    const Content *now = changed(way, cell);
    const std::string &poison = now ? now->attribute.s : v->poison;
    if (!poison.empty())
      in.fail(poison);
  }

  /// The tensor's content where way w ends.
  mlir::Value read(size_t way, const TensorRef &t) {
    checkKnown(way, t->storage);
    const Content *now = changed(way, {Cell::StorageCell, t->storage, nullptr, nullptr, ""});
    if (!now)
      return at(way, [&] { return in.read(t); });
    mlir::Value before = std::exchange(t->storage->value, now->value);
    std::string poison = std::exchange(t->storage->poison, "");
    ++t->storage->version;
    mlir::Value v = at(way, [&] { return in.read(t); });
    t->storage->value = before;
    t->storage->poison = poison;
    ++t->storage->version;
    return v;
  }

  /// The container's items where way w ends.
  std::vector<Py> itemsOf(size_t way, const Py &v) {
    const Content *now = changed(way, {Cell::ItemsCell, nullptr, v.items, nullptr, ""});
    return now ? now->items : v.list();
  }

  /// The type that both have: a dimension that differs becomes dynamic.
  Type unify(Type a, Type b, const std::string &what) {
    if (a == b)
      return a;
    auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
    if (!x || !y || x.getElementType() != y.getElementType())
      in.fail(what + " has a type that only the data decides");
    if (x.getRank() != y.getRank())
      in.fail(what + " has " + std::to_string(x.getRank()) + " or " +
              std::to_string(y.getRank()) +
              " dimensions, which only the data decides");
    SmallVector<int64_t> shape;
    for (auto [m, n] : llvm::zip(x.getShape(), y.getShape()))
      shape.push_back(m == n ? m : ShapedType::kDynamic);
    return RankedTensorType::get(shape, x.getElementType());
  }

  /// Adds one value per way; returns its number.
  size_t leaf(ArrayRef<mlir::Value> values, const std::string &what) {
    Type type = values[0].getType();
    for (mlir::Value v : values.drop_front())
      type = unify(type, v.getType(), what);
    for (size_t w = 0; w < ways(); ++w) {
      mlir::Value v = values[w];
      if (v.getType() != type)
        v = at(w, [&] { return tensor::CastOp::create(in.b, type, v).getResult(); });
      leaves[w].push_back(v);
    }
    types.push_back(type);
    return types.size() - 1;
  }

  /// Whether a tensor looks into memory that was there before the ways parted,
  /// by sizes that are known there.
  bool isKnownAfter(const Tensor &t) {
    for (const Frame *frame : frames)
      if (frame && t.storage->birth >= frame->start)
        return false;
    auto isKnown = [&](ArrayRef<Dim> dims) {
      return llvm::all_of(dims, [&](Dim d) {
        auto v = dyn_cast<mlir::Value>(d);
        return !v || v.getParentRegion()->isAncestor(in.b.getInsertionBlock()->getParent());
      });
    };
    return isKnown(t.sizes) && llvm::all_of(t.chain, [&](const View &view) {
      return isKnown(view.offsets) && isKnown(view.sizes) && isKnown(view.strides) &&
             isKnown(view.shape);
    });
  }
  /// Whether two tensors are one view of one memory.
  static bool isSameView(const Tensor &a, const Tensor &b) {
    auto key = [](const View &v) {
      return std::tie(v.kind, v.offsets, v.sizes, v.strides, v.perm, v.shape, v.offset, v.steps,
                      v.result);
    };
    return a.storage == b.storage && a.dtype == b.dtype && a.strides == b.strides &&
           a.requiresGrad == b.requiresGrad && a.chain.size() == b.chain.size() &&
           llvm::all_of(llvm::zip(a.chain, b.chain), [&](auto pair) {
             return key(std::get<0>(pair)) == key(std::get<1>(pair));
           });
  }

  mlir::Value scalarOf(const Py &v) {
    return in.scalar(v, v.kind == Py::Int     ? DType::Int64
                        : v.kind == Py::Float ? DType::Double
                                                 : DType::Bool);
  }

  /// Stands for an unset variable, which is never read.
  mlir::Value dummy(size_t way, const Py &like) {
    return at(way, [&]() -> mlir::Value {
      if (like.kind == Py::Tensor) {
        SmallVector<int64_t> shape(like.tensor->type.getShape());
        for (int64_t &d : shape)
          d = ShapedType::isDynamic(d) ? 0 : d;
        Py zero = Py::ofInt((int64_t)0);
        SmallVector<Dim> sizes;
        for (int64_t d : shape)
          sizes.push_back(in.b.getIndexAttr(d));
        return in.splat(sizes, like.tensor->dtype, zero);
      }
      Py zero;
      zero.kind = like.kind;
      return scalarOf(zero);
    });
  }

  /// `widenIntegers`: integer tensors of two dtypes become one of the wider.
  Py merge(std::vector<Py> vs, const std::string &what, bool widenIntegers = false);

  Content merge(const Cell &cell, std::vector<Content> cs) {
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

  static void resolve(Py &v, ValueRange results) {
    switch (v.kind) {
    case Py::Int:
    case Py::Float:
    case Py::Bool:
      if (v.s == "merged") {
        v.ssa = results[v.i];
        v.s.clear();
      }
      break;
    case Py::List:
    case Py::Tuple:
    case Py::Dict:
      if (v.s == "merged") {
        // What stands for an argument of a loop's body is made anew there.
        v.items->birth = Born::now();
        for (Py &item : v.items->items)
          resolve(item, results);
      }
      v.s.clear();
      break;
    case Py::Object:
      if (v.s == "merged") {
        v.object->birth = Born::now();
        for (auto &[name, attribute] : v.object->attributes)
          resolve(attribute, results);
      }
      v.s.clear();
      break;
    default:
      break;
    }
  }
  static void resolve(const Cell &cell, Content &c, ValueRange results) {
    if (cell.kind == Cell::StorageCell || cell.kind == Cell::HandleCell) {
      if (c.attribute.i >= 0)
        c.value = results[c.attribute.i];
    } else if (cell.kind == Cell::AttributeCell) {
      resolve(c.attribute, results);
    } else if (cell.kind == Cell::ItemsCell) {
      for (Py &item : c.items)
        resolve(item, results);
    }
  }
  void resolveTensors(ValueRange results) {
    for (auto &[t, n] : tensors) {
      t->storage->birth = Born::now();
      t->storage->value = results[n];
      t->sizes = in.sizesOf(results[n]);
      if (t->type.hasStaticShape())
        t->strides = in.contiguousStrides(t->type.getShape());
    }
  }
  /// Whether a loop's body, where `arguments` stand for the leaves, wrote into
  /// a merged tensor that in some iterations is the memory of another name.
  bool writesShared(ValueRange arguments, uint64_t bodyStart) {
    for (auto &[t, n] : tensors) {
      if (t->storage->value == arguments[n])
        continue;
      bool isFirst = true;
      for (auto &[merged, source, way] : aliases) {
        if (merged != t->storage)
          continue;
        // The first source is what comes in, the other what the body leaves,
        // the next round's.
        if (source->birth < bodyStart && !std::exchange(isFirst, false))
          return true;
        isFirst = false;
        for (auto &[other, otherSource, otherWay] : aliases)
          if (other != merged && otherSource == source)
            return true;
      }
    }
    return false;
  }

  /// From here on the merged tensors and objects may be what they came from,
  /// what that may be itself, and each other. What the ways made, from the time
  /// `start` on, is known by no other name.
  /// `isFirstLeft`: the first way can't be what led here.
  void commitAliases(uint64_t start, bool isFirstLeft = false) {
    if (isFirstLeft) {
      llvm::erase_if(aliases, [](auto &a) { return a.way == 0; });
      llvm::erase_if(objectAliases, [](auto &a) { return a.way == 0; });
    }
    commit(aliases, start);
    commit(objectAliases, start);
  }
  template <typename T>
  void commit(const std::vector<Alias<T>> &aliases, uint64_t start) {
    using Set = std::set<std::shared_ptr<T>>;
    auto mayBe = [&](const std::shared_ptr<T> &v) {
      Set out = {v};
      for (const std::weak_ptr<T> &other : v->maybeSame)
        if (auto o = other.lock())
          out.insert(o);
      return out;
    };
    std::vector<Set> sources;
    for (const Alias<T> &a : aliases)
      sources.push_back(mayBe(a.source));
    auto link = [&](const std::shared_ptr<T> &a, const std::shared_ptr<T> &b) {
      if (a == b || mayBe(a).count(b))
        return;
      a->maybeSame.push_back(b);
      b->maybeSame.push_back(a);
    };
    for (size_t i = 0; i < aliases.size(); ++i) {
      for (const std::shared_ptr<T> &source : sources[i])
        if (source->birth < start && !in.hasEnded(*source))
          link(aliases[i].merged, source);
      for (size_t k = 0; k < i; ++k)
        if (aliases[k].way == aliases[i].way && sources[i].count(aliases[k].source))
          link(aliases[i].merged, aliases[k].merged);
    }
  }
};

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
    for (size_t w = 0; w < ways(); ++w) {
      if (vs[w].kind == Py::Uninitialized) {
        values.push_back(dummy(w, *model));
        continue;
      }
      mlir::Value v = read(w, vs[w].tensor);
      values.push_back(
          at(w, [&] { return in.convert(v, vs[w].tensor->dtype, t->dtype); }));
      aliases.push_back({t->storage, vs[w].tensor->storage, w});
    }
    size_t n = leaf(values, what);
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
    bool isStable = merge && next->types == types &&
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
