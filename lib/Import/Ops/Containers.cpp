//===- Containers.cpp - Lists, tuples and dicts ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Containers are known; what they hold may be decided by the data. So may an
// index into one: the element is then selected among all of them.

#include "Python.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

static int64_t place(Call &c, const Py &at, size_t size, const char *what) {
  Py v = plain(c, at);
  if (!v.isStatic())
    c.in.failStatic(std::string("the index into a ") + what);
  int64_t i = v.i < 0 ? v.i + (int64_t)size : v.i;
  if (i < 0 || i >= (int64_t)size)
    c.in.fail(std::string(what) + " index out of range");
  return i;
}

static int64_t findKey(Call &c, const Py &dict, const Py &key) {
  for (size_t i = 0; i < dict.list().size(); i += 2) {
    Py e = equal(c, dict.list()[i], key);
    if (!e.isStatic())
      c.in.failStatic("a key of a dict");
    if (e.i)
      return i;
  }
  return -1;
}

/// The key as TorchScript's KeyError shows it.
static std::string keyText(Call &c, const Py &key) {
  std::vector<Py> parts;
  return textOf(c, key, parts);
}

//===----------------------------------------------------------------------===//
// Elements that the data chooses
//===----------------------------------------------------------------------===//

/// `x` where the condition holds, else `y`.
static Py choose(Call &c, mlir::Value condition, const Py &x, const Py &y) {
  auto &b = c.in.b;
  if (x.kind != y.kind)
    c.in.fail(std::string("an element is ") + kindName(x.kind) + " or " + kindName(y.kind) +
              ", which only the data decides");
  switch (x.kind) {
  case Py::None: return x;
  case Py::Int:
  case Py::Float:
  case Py::Bool: {
    if (x.isStatic() && y.isStatic() && (x.kind == Py::Float ? x.f == y.f : x.i == y.i))
      return x;
    DType dtype = numberType(x);
    Py r;
    r.kind = x.kind;
    r.ssa = arith::SelectOp::create(b, condition, c.in.scalar(x, dtype), c.in.scalar(y, dtype));
    return r;
  }
  case Py::Tensor: {
    if (x.tensor == y.tensor)
      return x;
    if (x.tensor->dtype != y.tensor->dtype || x.tensor->rank() != y.tensor->rank())
      c.in.fail("the data chooses between tensors of different dtypes or ranks");
    mlir::Value p = c.in.read(x.tensor), q = c.in.read(y.tensor);
    if (p.getType() != q.getType()) {
      SmallVector<int64_t> shape;
      for (auto [m, n] : llvm::zip(x.tensor->type.getShape(), y.tensor->type.getShape()))
        shape.push_back(m == n ? m : ShapedType::kDynamic);
      Type type = RankedTensorType::get(shape, x.tensor->type.getElementType());
      if (p.getType() != type)
        p = tensor::CastOp::create(b, type, p);
      if (q.getType() != type)
        q = tensor::CastOp::create(b, type, q);
    }
    TensorRef t = c.in.make(arith::SelectOp::create(b, condition, p, q), x.tensor->dtype);
    t->requiresGrad = x.tensor->requiresGrad;
    // A write through it would be one into either.
    for (const Py *v : {&x, &y}) {
      c.in.mayBeSame(t->storage, v->tensor->storage);
    }
    return Py::of(t);
  }
  case Py::List:
  case Py::Tuple: {
    if (x.list().size() != y.list().size())
      c.in.fail("the data chooses between lists of different lengths");
    std::vector<Py> items;
    for (auto [p, q] : llvm::zip(x.list(), y.list()))
      items.push_back(choose(c, condition, p, q));
    Py r = Py::ofItems(x.kind, std::move(items), x.items->type);
    r.items->names = x.items->names;
    return r;
  }
  default:
    if (equal(c, x, y).i)
      return x;
    c.in.fail(std::string("the data chooses between values of kind ") + kindName(x.kind));
  }
}

/// An index below `size` that the data decides, checked and without a sign.
static Py runTimePlace(Call &c, Py at, size_t size, const char *what) {
  at = plain(c, at);
  auto &b = c.in.b;
  Py n = Py::ofInt((int64_t)size), zero = Py::ofInt((int64_t)0);
  Py isNegative = compare(c, "lt", at, zero);
  Py place = Py::ofInt(arith::SelectOp::create(b, isNegative.ssa,
                                               c.in.i64(arithmetic(c, Arith::Add, at, n)),
                                               c.in.i64(at)).getResult());
  Py good = arithmetic(c, Arith::And, compare(c, "ge", place, zero), compare(c, "lt", place, n));
  c.in.runtimeAssert(good.ssa, std::string(what) + " index out of range");
  return place;
}

static Py getGrowing(Call &c, const Py &list, const Py &at) {
  auto handle = list.items->handle;
  auto type = llvm::cast<ListType>(handle.getType()).getElementType();
  mlir::Value v = ListGetOp::create(c.in.b, type, handle, c.in.index(c.in.dim(at)));
  DType dtype = c.in.slots[list.items->growSlot].dtype;
  return c.in.makeValue(v, dtype);
}

static Results getItem(Call &c) {
  const Py &v = c.args[0], &key = c.args[1];
  switch (v.kind) {
  case Py::Dict: {
    if (key.isNumber() && !key.isStatic() && !v.list().empty()) {
      Py found = v.list().back(), any = Py::ofBool(false);
      for (size_t i = v.list().size(); i > 0; i -= 2) {
        Py is = equal(c, v.list()[i - 2], key);
        any = arithmetic(c, Arith::Or, any, is);
        if (is.isStatic() ? is.i : i == v.list().size())
          found = v.list()[i - 1];
        else if (!is.isStatic())
          found = choose(c, is.ssa, v.list()[i - 1], found);
      }
      if (!any.isStatic())
        c.in.runtimeAssert(any.ssa, "KeyError: {}", {c.in.scalar(key, numberType(key))});
      return {found};
    }
    int64_t i = findKey(c, v, key);
    if (i < 0)
      c.in.fail("KeyError: " + keyText(c, key));
    return {v.list()[i + 1]};
  }
  case Py::String: {
    const std::string &text = knownText(c, v);
    int64_t i = place(c, key, text.size(), "string");
    return {Py::ofString(text.substr(i, 1))};
  }
  default:
    if (v.items && v.items->growSlot >= 0)
      return {getGrowing(c, v, key)};
    if (!v.items)
      c.in.fail(std::string("'") + kindName(v.kind) + "' has no elements");
    if (Py at = plain(c, key); !at.isStatic() && !v.list().empty()) {
      Py place = runTimePlace(c, at, v.list().size(), kindName(v.kind));
      Py found = v.list().back();
      for (size_t i = v.list().size() - 1; i-- > 0;)
        found = choose(c, compare(c, "eq", place, Py::ofInt((int64_t)i)).ssa, v.list()[i], found);
      return {found};
    }
    return {v.list()[place(c, key, v.list().size(), kindName(v.kind))]};
  }
}

static Results setItem(Call &c) {
  Py &v = c.args[0];
  std::vector<Py> items = v.list();
  if (v.kind == Py::Dict) {
    int64_t i = findKey(c, v, c.args[1]);
    if (i >= 0) {
      items[i + 1] = c.args[2];
    } else {
      items.push_back(c.args[1]);
      items.push_back(c.args[2]);
    }
  } else {
    if (v.items->growSlot >= 0)
      c.in.fail("assigning to an element of a list that grows at run time is "
                "not supported");
    if (Py at = plain(c, c.args[1]); !at.isStatic() && !items.empty()) {
      Py here = runTimePlace(c, at, items.size(), "list");
      for (auto [i, item] : llvm::enumerate(items))
        item = choose(c, compare(c, "eq", here, Py::ofInt((int64_t)i)).ssa, c.args[2], item);
    } else {
      items[place(c, at, items.size(), "list")] = c.args[2];
    }
  }
  c.in.setItems(v.items, std::move(items));
  if (v.kind == Py::Dict)
    return {};
  return {v};
}

static Results append(Call &c) {
  Py &v = c.args[0];
  if (v.items->growSlot >= 0) {
    c.in.onAppend(v.items->growSlot, c.tensor(1)->type);
    mlir::Value next = ListAppendOp::create(c.in.b, v.items->handle.getType(),
                                            v.items->handle, c.in.read(c.tensor(1)));
    c.in.setHandle(v.items, next);
    return {v};
  }
  std::vector<Py> items = v.list();
  items.push_back(c.args[1]);
  c.in.setItems(v.items, std::move(items));
  return {v};
}

static Results lenOf(Call &c) {
  const Py &v = c.args[0];
  switch (v.kind) {
  case Py::Tensor:
    if (v.tensor->rank() == 0)
      c.in.fail("len() of a 0-d tensor");
    return {c.in.fromDim(v.tensor->sizes[0])};
  case Py::String: return {Py::ofInt((int64_t)knownText(c, v).size())};
  case Py::Dict: return {Py::ofInt((int64_t)v.list().size() / 2)};
  default:
    if (v.items && v.items->growSlot >= 0)
      return {c.in.fromDim(ListSizeOp::create(c.in.b, c.in.b.getIndexType(), v.items->handle).getResult())};
    return {Py::ofInt((int64_t)v.list().size())};
  }
}

/// The places that a slice of `n` elements takes, as Python's slices do.
static std::vector<int64_t> slicePlaces(Call &c, int64_t n) {
  int64_t step = c.integer("step", 1);
  if (step == 0)
    c.in.fail("slice step cannot be zero");
  int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
  auto clamp = [&](StringRef name, int64_t otherwise) {
    int64_t i = c.integer(name, otherwise);
    if (c.arg(name).isNone() || i == INT64_MAX) // the same in saved programs
      return c.arg(name).isNone() ? otherwise : high;
    return i < 0 ? std::max(i + n, low) : std::min(i, high);
  };
  std::vector<int64_t> places;
  int64_t start = clamp("start", step < 0 ? high : low);
  int64_t end = clamp("end", step < 0 ? low : high);
  for (int64_t i = start; step < 0 ? i > end : i < end; i += step)
    places.push_back(i);
  return places;
}

static Results sliceList(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String) {
    const std::string &text = knownText(c, v);
    std::string out;
    for (int64_t i : slicePlaces(c, text.size()))
      out += text[i];
    return {Py::ofString(out)};
  }
  std::vector<Py> out;
  for (int64_t i : slicePlaces(c, v.list().size()))
    out.push_back(v.list()[i]);
  return {Py::ofItems(v.kind, std::move(out), v.items->type)};
}

static Results concatLists(Call &c) {
  std::vector<Py> out = c.args[0].list();
  out.insert(out.end(), c.args[1].list().begin(), c.args[1].list().end());
  return {Py::ofItems(c.args[0].kind, std::move(out), c.args[0].items->type)};
}

static Results extend(Call &c) {
  std::vector<Py> out = c.args[0].list();
  out.insert(out.end(), c.args[1].list().begin(), c.args[1].list().end());
  c.in.setItems(c.args[0].items, std::move(out));
  return {c.args[0]};
}

static Results repeatList(Call &c) {
  const Py &list = c.args[0].items ? c.args[0] : c.args[1];
  const Py &times = c.args[0].items ? c.args[1] : c.args[0];
  if (!times.isStatic())
    c.in.failStatic("the number of times a list is repeated");
  std::vector<Py> out;
  for (int64_t k = 0; k < times.i; ++k)
    out.insert(out.end(), list.list().begin(), list.list().end());
  if (c.node.kind == "aten::mul_") {
    c.in.setItems(list.items, std::move(out));
    return {list};
  }
  return {Py::ofItems(Py::List, std::move(out), list.items->type)};
}

static Results popList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  if (c.args[0].kind == Py::Dict) {
    int64_t i = findKey(c, c.args[0], c.args[1]);
    if (i < 0) {
      if (c.args.size() > 2)
        return {c.args[2]};
      c.in.fail("KeyError: " + keyText(c, c.args[1]));
    }
    Py v = out[i + 1];
    out.erase(out.begin() + i, out.begin() + i + 2);
    c.in.setItems(c.args[0].items, std::move(out));
    return {v};
  }
  if (out.empty())
    c.in.fail("pop from empty list");
  int64_t i = c.args.size() > 1 ? place(c, c.args[1], out.size(), "list") : out.size() - 1;
  Py v = out[i];
  out.erase(out.begin() + i);
  c.in.setItems(c.args[0].items, std::move(out));
  return {v};
}

static Results insertList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  int64_t n = out.size(), i = c.integer("idx", 0);
  i = i < 0 ? std::max<int64_t>(i + n, 0) : std::min(i, n);
  out.insert(out.begin() + i, c.args[2]);
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results clearList(Call &c) {
  c.in.setItems(c.args[0].items, {});
  return {};
}

static Results reverseList(Call &c) {
  std::vector<Py> out = c.args[0].list();
  std::reverse(out.begin(), out.end());
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results copyList(Call &c) {
  return {Py::ofItems(c.args[0].kind, c.args[0].list(), c.args[0].items->type)};
}

static Results listOf(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String) {
    std::vector<Py> out;
    for (char ch : v.s)
      out.push_back(Py::ofString(std::string(1, ch)));
    return {Py::ofItems(Py::List, std::move(out), "List[str]")};
  }
  return {Py::ofItems(Py::List, v.list(), v.items->type)};
}

/// torch.Size([...]) is a list of ints.
static Results sizeList(Call &c) { return {c.args[0]}; }

/// Elements that are known, in the order of Python: tuples by their elements,
/// objects by their __lt__.
static bool isLess(Call &c, const Py &a, const Py &b) {
  if (a.kind == Py::Tuple && b.kind == Py::Tuple) {
    for (auto [x, y] : llvm::zip(a.list(), b.list())) {
      if (isLess(c, x, y))
        return true;
      if (isLess(c, y, x))
        return false;
    }
    return a.list().size() < b.list().size();
  }
  Py less = a.kind == Py::Object ? toBool(c, c.in.callMethod(a, "__lt__", {b}))
                                 : compare(c, "lt", a, b);
  if (!less.isStatic())
    c.in.failStatic("an element of a list that is sorted");
  return less.i;
}

static void sortItems(Call &c, std::vector<Py> &items, bool reverse) {
  bool areNumbers = llvm::all_of(items, [&](const Py &v) {
    return (v.kind == Py::Int || v.kind == Py::Float) && v.kind == items[0].kind;
  });
  if (areNumbers && llvm::any_of(items, [](const Py &v) { return !v.isStatic(); })) {
    // Sorted at run time.
    DType dtype = numberType(items[0]);
    SmallVector<mlir::Value> values;
    for (const Py &v : items)
      values.push_back(c.in.scalar(v, dtype));
    mlir::Value all = tensor::FromElementsOp::create(
        c.in.b, RankedTensorType::get({(int64_t)items.size()}, values[0].getType()), values);
    Py sorted = c.in.callOp("sort.stable",
                            {c.in.makeValue(all, dtype), Py::ofBool(true),
                             Py::ofInt((int64_t)0), Py::ofBool(reverse)},
                            {"self", "stable", "dim", "descending"})[0];
    mlir::Value result = c.in.read(sorted.tensor);
    for (auto [i, v] : llvm::enumerate(items))
      v.ssa = tensor::ExtractOp::create(c.in.b, result, c.in.index(c.in.b.getIndexAttr(i)));
    return;
  }
  for (const Py &v : items)
    if (v.kind == Py::Tensor)
      c.in.failStatic("the order of a list of tensors");
  std::stable_sort(items.begin(), items.end(), [&](const Py &a, const Py &b) {
    return reverse ? isLess(c, b, a) : isLess(c, a, b);
  });
}
static Results sortList(Call &c) {
  std::vector<Py> items = c.args[0].list();
  sortItems(c, items, c.boolean("reverse"));
  c.in.setItems(c.args[0].items, std::move(items));
  return {};
}
static Results sortedList(Call &c) {
  std::vector<Py> items = c.args[0].list();
  sortItems(c, items, false);
  return {Py::ofItems(Py::List, std::move(items), c.args[0].items->type)};
}

static Results containsItem(Call &c) {
  const Py &v = c.args[0];
  if (v.kind == Py::String)
    return {Py::ofBool(knownText(c, v).find(knownText(c, c.args[1])) != std::string::npos)};
  Py any = Py::ofBool(false);
  for (size_t i = 0; i < v.list().size(); i += v.kind == Py::Dict ? 2 : 1) {
    Py is = equal(c, v.list()[i], c.args[1]);
    if (is.isStatic() && is.i)
      return {is};
    any = arithmetic(c, Arith::Or, any, is);
  }
  return {any};
}

static Results countItems(Call &c) {
  Py n = Py::ofInt((int64_t)0);
  for (const Py &item : c.args[0].list())
    n = arithmetic(c, Arith::Add, n, equal(c, item, c.args[1]));
  return {n};
}

static Results indexOfItem(Call &c) {
  std::string missing = "'" + keyText(c, c.args[1]) + "' is not in list";
  Py any = Py::ofBool(false), place = Py::ofInt((int64_t)0);
  const std::vector<Py> &items = c.args[0].list();
  std::vector<Py> is;
  for (const Py &item : items) {
    is.push_back(equal(c, item, c.args[1]));
    if (is.back().isStatic() && is.back().i)
      break;
  }
  for (size_t i = is.size(); i-- > 0;) {
    any = arithmetic(c, Arith::Or, any, is[i]);
    if (!is[i].isStatic())
      place = choose(c, is[i].ssa, Py::ofInt((int64_t)i), place);
    else if (is[i].i)
      place = Py::ofInt((int64_t)i);
  }
  if (any.isStatic() && !any.i)
    c.in.fail("ValueError: " + missing);
  if (!any.isStatic())
    c.in.runtimeAssert(any.ssa, "ValueError: the value is not in list");
  return {place};
}

static Results removeItem(Call &c) {
  std::vector<Py> out = c.args[0].list();
  for (size_t i = 0; i < out.size(); ++i) {
    Py e = equal(c, out[i], c.args[1]);
    if (!e.isStatic())
      c.in.failStatic("which element is removed from a list");
    if (!e.i)
      continue;
    out.erase(out.begin() + i);
    c.in.setItems(c.args[0].items, std::move(out));
    return {};
  }
  c.in.fail("list.remove(x): x not in list");
}

template <int which> static Results dictItems(Call &c) {
  std::vector<Py> out;
  const auto &items = c.args[0].list();
  for (size_t i = 0; i < items.size(); i += 2) {
    if (which == 2)
      out.push_back(Py::ofItems(Py::Tuple, {items[i], items[i + 1]}));
    else
      out.push_back(items[i + which]);
  }
  return {Py::ofItems(Py::List, std::move(out))};
}

static Results dictGet(Call &c) {
  int64_t i = findKey(c, c.args[0], c.args[1]);
  if (i >= 0)
    return {c.args[0].list()[i + 1]};
  return {c.args.size() > 2 ? c.args[2] : Py()};
}

static Results dictSetDefault(Call &c) {
  int64_t i = findKey(c, c.args[0], c.args[1]);
  if (i >= 0)
    return {c.args[0].list()[i + 1]};
  std::vector<Py> items = c.args[0].list();
  items.push_back(c.args[1]);
  items.push_back(c.args[2]);
  c.in.setItems(c.args[0].items, std::move(items));
  return {c.args[2]};
}

/// TorchScript takes the first one.
static Results dictPopItem(Call &c) {
  std::vector<Py> items = c.args[0].list();
  if (items.empty())
    c.in.fail("KeyError: popitem(): dictionary is empty");
  Py pair = Py::ofItems(Py::Tuple, {items[0], items[1]});
  items.erase(items.begin(), items.begin() + 2);
  c.in.setItems(c.args[0].items, std::move(items));
  return {pair};
}

static Results dictUpdate(Call &c) {
  for (size_t i = 0; i < c.args[1].list().size(); i += 2) {
    Call set{c.in, c.node, "_set_item", "", {c.args[0], c.args[1].list()[i], c.args[1].list()[i + 1]}, c.argNames};
    setItem(set);
  }
  return {};
}

static Results dictDelete(Call &c) {
  std::vector<Py> out = c.args[0].list();
  if (c.args[0].kind == Py::Dict) {
    int64_t i = findKey(c, c.args[0], c.args[1]);
    if (i < 0)
      c.in.fail("KeyError: " + keyText(c, c.args[1]));
    out.erase(out.begin() + i, out.begin() + i + 2);
  } else {
    out.erase(out.begin() + place(c, c.args[1], out.size(), "list"));
  }
  c.in.setItems(c.args[0].items, std::move(out));
  return {};
}

static Results dictMake(Call &c) {
  std::vector<Py> items;
  if (!c.args.empty() && c.args[0].items) {
    if (c.args[0].kind == Py::Dict)
      items = c.args[0].list();
    else
      for (const Py &pair : c.args[0].list()) {
        items.push_back(pair.list()[0]);
        items.push_back(pair.list()[1]);
      }
  }
  // The last value of a key that is there twice.
  std::vector<Py> unique;
  for (size_t i = 0; i < items.size(); i += 2) {
    int64_t at = findKey(c, Py::ofItems(Py::Dict, unique), items[i]);
    if (at >= 0) {
      unique[at + 1] = items[i + 1];
    } else {
      unique.push_back(items[i]);
      unique.push_back(items[i + 1]);
    }
  }
  return {Py::ofItems(Py::Dict, std::move(unique),
                      c.node.outputTypes.empty() ? "" : c.node.outputTypes[0])};
}

ArrayRef<OpRow> import::containerOps() {
  static const OpRow rows[] = {
      {"__getitem__", getItem}, {"_set_item", setItem}, {"append", append},
      {"len", lenOf}, {"slice.t", sliceList}, {"slice.str", sliceList},
      {"add.t", concatLists}, {"add_.t", extend}, {"select.t", getItem},
      {"extend", extend}, {"mul.left_t", repeatList}, {"mul.right_", repeatList},
      {"mul_.t", repeatList}, {"pop", popList}, {"insert", insertList},
      {"clear", clearList}, {"reverse.t", reverseList}, {"copy.t", copyList},
#define DICTS(of) {"copy.Dict_" of, copyList}
      DICTS("str"), DICTS("int"), DICTS("bool"), DICTS("float"), DICTS("complex"), DICTS("Tensor"),
#undef DICTS
      {"list", listOf}, {"sort.int", sortList}, {"sort.float", sortList},
      {"sort.str", sortList}, {"sort.bool", sortList}, {"sort.Tensor", sortList},
      {"sort.any", sortList}, {"sorted", sortedList}, {"__contains__", containsItem},
      {"count.int", countItems}, {"count.float", countItems}, {"count.bool", countItems},
      {"count.str", countItems}, {"index.list_int", indexOfItem},
      {"index.list_str", indexOfItem}, {"index.list_float", indexOfItem},
      {"index.list_bool", indexOfItem}, {"remove", removeItem},
      {"keys", dictItems<0>}, {"values", dictItems<1>}, {"items", dictItems<2>},
      {"get", dictGet}, {"setdefault", dictSetDefault}, {"popitem", dictPopItem},
      {"update", dictUpdate}, {"Delete", dictDelete}, {"dict", dictMake},
      {"Size", sizeList},
  };
  return rows;
}
