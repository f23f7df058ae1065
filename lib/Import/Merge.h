//===- Merge.h - What several ways lead to -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_MERGE_H
#define EVOX_LIB_IMPORT_MERGE_H

#include "Interpreter.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace evox::import {

/// Merges what several ways lead to: where they differ, an SSA value (a leaf)
/// leaves each way. A merged value refers to its leaves by number until
/// `resolve` puts in the values that the op gives.
struct Interpreter::Merge {
  Interpreter &in;
  std::vector<mlir::Block *> blocks; ///< where way w ends
  std::vector<llvm::SmallVector<mlir::Value>> leaves;
  llvm::SmallVector<mlir::Type> types;
  std::vector<std::pair<TensorRef, size_t>> tensors;
  /// What a merged one is where a way leads to it.
  template <typename T> struct Alias {
    std::shared_ptr<T> merged, source;
    size_t way;
    bool isExact = false; ///< `targets` say when
  };
  std::vector<Alias<Storage>> aliases;
  /// With `followsAliases`: a merged tensor is `source`'s memory where a leaf
  /// says so.
  struct Target {
    std::shared_ptr<Storage> merged;
    Tensor source;
    size_t leaf;
  };
  std::vector<Target> targets;
  std::vector<Alias<Referred>> objectAliases;

  /// What way w changed; null: nothing. The cells hold what was before.
  std::vector<const Frame *> frames;

  Merge(Interpreter &in, std::vector<mlir::Block *> blocks, std::vector<const Frame *> frames)
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
    mlir::OpBuilder::InsertionGuard guard(in.b);
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
    if (poison.empty())
      return;
    in.metAlias |= std::is_same_v<T, Storage>;
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
  mlir::Type unify(mlir::Type a, mlir::Type b, const std::string &what) {
    if (a == b)
      return a;
    auto x = mlir::dyn_cast<mlir::RankedTensorType>(a), y = mlir::dyn_cast<mlir::RankedTensorType>(b);
    if (!x || !y || x.getElementType() != y.getElementType())
      in.fail(what + " has a type that only the data decides");
    if (x.getRank() != y.getRank())
      in.fail(what + " has " + std::to_string(x.getRank()) + " or " +
              std::to_string(y.getRank()) +
              " dimensions, which only the data decides");
    llvm::SmallVector<int64_t> shape;
    for (auto [m, n] : llvm::zip(x.getShape(), y.getShape()))
      shape.push_back(m == n ? m : mlir::ShapedType::kDynamic);
    return mlir::RankedTensorType::get(shape, x.getElementType());
  }

  /// Adds one value per way; returns its number.
  size_t leaf(llvm::ArrayRef<mlir::Value> values, const std::string &what) {
    mlir::Type type = values[0].getType();
    for (mlir::Value v : values.drop_front())
      type = unify(type, v.getType(), what);
    for (size_t w = 0; w < ways(); ++w) {
      mlir::Value v = values[w];
      if (v.getType() != type)
        v = at(w, [&] { return mlir::tensor::CastOp::create(in.b, type, v).getResult(); });
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
    auto isKnown = [&](llvm::ArrayRef<Dim> dims) {
      return llvm::all_of(dims, [&](Dim d) {
        auto v = mlir::dyn_cast<mlir::Value>(d);
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
        llvm::SmallVector<int64_t> shape(like.tensor->type.getShape());
        for (int64_t &d : shape)
          d = mlir::ShapedType::isDynamic(d) ? 0 : d;
        Py zero = Py::ofInt((int64_t)0);
        llvm::SmallVector<Dim> sizes;
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

  Content merge(const Cell &cell, std::vector<Content> cs);

  static void resolve(Py &v, mlir::ValueRange results) {
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
  static void resolve(const Cell &cell, Content &c, mlir::ValueRange results) {
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
  void resolveTensors(mlir::ValueRange results) {
    for (auto &[t, n] : tensors) {
      t->storage->birth = Born::now();
      t->storage->value = results[n];
      t->sizes = in.sizesOf(results[n]);
    }
    for (const Target &t : targets)
      in.links.push_back({t.merged, t.source, results[t.leaf]});
  }
  /// Whether a loop's body, where `arguments` stand for the leaves, wrote into
  /// a merged tensor that in some iterations is the memory of another name.
  bool writesShared(mlir::ValueRange arguments, uint64_t bodyStart) {
    for (auto &[t, n] : tensors) {
      if (t->storage->value == arguments[n])
        continue;
      bool isFirst = true;
      for (const auto &alias : aliases) {
        if (alias.merged != t->storage)
          continue;
        // The first source is what comes in, the other what the body leaves,
        // the next round's.
        if (alias.source->birth < bodyStart && !std::exchange(isFirst, false))
          return true;
        isFirst = false;
        for (const auto &other : aliases)
          if (other.merged != t->storage && other.source == alias.source)
            return true;
      }
    }
    return false;
  }

  /// Whether these lead to the same memory, by number.
  bool hasSameTargets(const Merge &other) const;
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

private:
  template <typename T> void commit(const std::vector<Alias<T>> &aliases, uint64_t start);
  /// What memory a tensor is where way w ends, and on which condition (null:
  /// always). False where that can't be said.
  struct Found {
    Tensor source;
    llvm::SmallVector<mlir::Value> conditions; ///< per way; null: never
  };
  bool find(size_t way, const Tensor &t, mlir::Value condition, std::vector<Found> &found);
};

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_MERGE_H
