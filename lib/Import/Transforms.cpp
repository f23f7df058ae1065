//===- Transforms.cpp - Chains of use_state and vmap ---------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transforms.h"
#include "Interpreter.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

//===----------------------------------------------------------------------===//
// NAME = vmap(use_state(METHOD), in_dims=...)
//===----------------------------------------------------------------------===//

namespace {

class Parser {
public:
  explicit Parser(StringRef text) : whole(text), text(text) {}

  Chain chain() {
    Chain out;
    out.name = word("a name");
    expect("=");
    function(out);
    if (!text.trim().empty())
      bad("expected nothing more at \"" + text.str() + "\"");
    return out;
  }

private:
  [[noreturn]] void bad(const std::string &why) {
    throw ImportError("--transform '" + whole.str() + "': " + why +
                      "; write e.g. \"many = vmap(use_state(step), in_dims=(0, None))\"");
  }
  bool accept(StringRef token) {
    text = text.ltrim();
    return text.consume_front(token);
  }
  void expect(StringRef token) {
    if (!accept(token))
      bad("expected '" + token.str() + "' at \"" + text.str() + "\"");
  }
  std::string word(const char *what) {
    text = text.ltrim();
    StringRef found = text.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    if (found.empty())
      bad("expected " + std::string(what) + " at \"" + text.str() + "\"");
    text = text.drop_front(found.size());
    return found.str();
  }
  std::string quoted() {
    text = text.ltrim();
    char quote = text.empty() ? ' ' : text[0];
    if (quote != '\'' && quote != '"')
      bad("expected a quoted text at \"" + text.str() + "\"");
    auto [found, rest] = text.drop_front().split(quote);
    if (found.size() + 1 == text.size())
      bad("a quote is not closed");
    text = rest;
    return found.str();
  }
  int64_t number() {
    text = text.ltrim();
    int64_t value;
    if (text.consumeInteger(10, value))
      bad("expected an integer at \"" + text.str() + "\"");
    return value;
  }
  std::optional<int64_t> numberOrNone() {
    if (accept("None"))
      return std::nullopt;
    return number();
  }

  Dims dims() {
    Dims out;
    if (accept("None")) {
      out.kind = Dims::None;
    } else if (accept("{")) {
      out.kind = Dims::Dict;
      while (!accept("}")) {
        out.keys.push_back(quoted());
        expect(":");
        out.items.push_back(dims());
        if (!accept(",")) {
          expect("}");
          break;
        }
      }
    } else if (accept("(") || accept("[")) {
      out.kind = Dims::Sequence;
      while (!accept(")") && !accept("]")) {
        out.items.push_back(dims());
        if (!accept(",")) {
          if (!accept(")"))
            expect("]");
          break;
        }
      }
    } else {
      out.number = number();
    }
    return out;
  }

  void function(Chain &out) {
    std::string name = word("a function");
    if ((name != "vmap" && name != "use_state") || !accept("(")) {
      out.method = name;
      return;
    }
    function(out);
    Step step;
    step.isVmap = name == "vmap";
    while (accept(",")) {
      if (accept(")")) {
        out.steps.push_back(std::move(step));
        return;
      }
      std::string key = word("an option");
      expect("=");
      if (!step.isVmap && key == "keys") {
        step.hasKeys = true;
        expect("[");
        while (!accept("]")) {
          step.keys.push_back(quoted());
          if (!accept(",")) {
            expect("]");
            break;
          }
        }
      } else if (step.isVmap && key == "in_dims") {
        step.inDims = dims();
      } else if (step.isVmap && key == "out_dims") {
        step.outDims = dims();
      } else if (step.isVmap && key == "axis_size") {
        step.axisSize = numberOrNone();
      } else if (step.isVmap && key == "chunk_size") {
        step.chunkSize = numberOrNone();
      } else if (step.isVmap && key == "randomness") {
        step.randomness = quoted();
      } else if (step.isVmap && key == "strategy") {
        if (!accept("None"))
          step.strategy = quoted();
      } else {
        bad(name + " has no option '" + key + "'");
      }
    }
    expect(")");
    out.steps.push_back(std::move(step));
  }

  StringRef whole, text;
};

using Path = std::vector<std::string>;

std::string show(const Path &path) {
  std::string out;
  for (const std::string &part : path)
    out += (out.empty() ? "" : ".") + part;
  return out;
}

/// The dimension that `dims` gives the tensor at `path`.
std::optional<int64_t> dimAt(const Dims &dims, ArrayRef<std::string> path,
                             const std::string &what) {
  switch (dims.kind) {
  case Dims::Number: return dims.number;
  case Dims::None: return std::nullopt;
  default: break;
  }
  if (path.empty())
    throw ImportError("vmap: " + what + " has a structure where there is one tensor");
  if (dims.kind == Dims::Sequence) {
    size_t i;
    if (StringRef(path[0]).getAsInteger(10, i))
      throw ImportError("vmap: " + what + " has a sequence where there is a dict, with the key '" +
                        path[0] + "'");
    if (i >= dims.items.size())
      throw ImportError("vmap: " + what + " has " + std::to_string(dims.items.size()) +
                        " entries, but there is a number " + std::to_string(i) + " (from 0)");
    return dimAt(dims.items[i], path.drop_front(), what);
  }
  for (auto [key, item] : llvm::zip_equal(dims.keys, dims.items))
    if (key == path[0])
      return dimAt(item, path.drop_front(), what);
  throw ImportError("vmap: " + what + " has no entry for '" + path[0] + "'");
}

/// Rewrites the types of --input as one lane has them.
class OneLane {
public:
  OneLane(Chain &chain, const std::vector<std::string> &names) : chain(chain), names(names) {}

  std::string run(StringRef given) {
    text = given;
    std::string out;
    for (size_t i = 0; !text.ltrim().empty(); ++i) {
      if (i) {
        if (!text.ltrim().consume_front(","))
          break; // the importer says what is wrong
        text = text.ltrim().drop_front();
        out += ",";
      }
      path = {std::to_string(i)};
      first = i < names.size() ? names[i] : std::to_string(i);
      out += one();
    }
    return out + text.str();
  }

private:
  std::string one() {
    text = text.ltrim();
    char open = text.empty() ? ' ' : text[0];
    if (open == '(' || open == '[' || open == '{') {
      char close = open == '(' ? ')' : open == '[' ? ']' : '}';
      std::string out(1, open);
      text = text.drop_front();
      for (size_t i = 0; !text.ltrim().empty(); ++i) {
        text = text.ltrim();
        if (text[0] == close) {
          text = text.drop_front();
          return out + close;
        }
        if (text[0] == ',') {
          text = text.drop_front();
          out += ",";
          text = text.ltrim();
        }
        path.push_back(std::to_string(i));
        if (open == '{') {
          auto [key, rest] = text.split(':');
          out += key.str() + ":";
          path.back() = key.trim().trim('"').str();
          text = rest;
        }
        out += one();
        path.pop_back();
      }
      return out;
    }
    size_t end = text.find_first_of("[,)]}");
    StringRef head = text.take_front(end).trim();
    text = end == StringRef::npos ? StringRef() : text.drop_front(end);
    if (!text.starts_with("["))
      return head.str();
    auto [list, rest] = text.drop_front().split(']');
    text = rest;
    SmallVector<StringRef> shape;
    list.split(shape, ',', -1, false);
    std::string what = "argument '" + first + (path.size() > 1 ? "." + show({path.begin() + 1, path.end()}) : "") + "'";
    // The outermost vmap's lanes come off first.
    for (size_t i = chain.steps.size(); i-- > 0;) {
      Step &step = chain.steps[i];
      if (!step.isVmap)
        continue;
      Path at = path;
      for (size_t j = 0; j < i; ++j)
        if (!chain.steps[j].isVmap)
          at[0] = std::to_string(std::stoul(at[0]) + 1); // after the state
      std::optional<int64_t> dim = dimAt(step.inDims, at, "in_dims for " + what);
      if (!dim)
        continue;
      int64_t rank = shape.size(), d = *dim < 0 ? *dim + rank : *dim;
      if (d < 0 || d >= rank)
        throw ImportError("vmap: in_dims for " + what + " is " + std::to_string(*dim) +
                          ", but it has " + std::to_string(rank) + " dimensions");
      StringRef size = shape[d].trim();
      int64_t lanes;
      if (!size.getAsInteger(10, lanes)) {
        if (step.axisSize && *step.axisSize != lanes)
          throw ImportError("vmap: expected all tensors to have the same size in the mapped "
                            "dimension, but " + what + " has " + std::to_string(lanes) +
                            " lanes and " + (sizeFrom.count(i) ? sizeFrom[i] : "axis_size") +
                            " " + std::to_string(*step.axisSize));
        step.axisSize = lanes;
        sizeFrom.try_emplace(i, what);
      }
      shape.erase(shape.begin() + d);
    }
    std::string out = head.str() + "[";
    for (auto [i, size] : llvm::enumerate(shape))
      out += (i ? "," : "") + size.trim().str();
    return out + "]";
  }

  Chain &chain;
  const std::vector<std::string> &names;
  StringRef text;
  Path path;
  std::string first;
  std::map<size_t, std::string> sizeFrom;
};

/// The path of each tensor of a structure, in order.
void leavesOf(const llvm::json::Value &tree, Path &path, std::vector<Path> &out) {
  const llvm::json::Object *object = tree.getAsObject();
  if (!object)
    return;
  if (object->get("tensor")) {
    out.push_back(path);
    return;
  }
  for (const char *kind : {"tuple", "list"})
    if (const llvm::json::Array *items = object->getArray(kind))
      for (auto [i, item] : llvm::enumerate(*items)) {
        path.push_back(std::to_string(i));
        leavesOf(item, path, out);
        path.pop_back();
      }
  if (const llvm::json::Object *items = object->getObject("dict"))
    for (auto &[key, item] : *items) {
      path.push_back(key.str());
      leavesOf(item, path, out);
      path.pop_back();
    }
}

/// The number of the tensor at `path`.
int64_t tensorAt(const llvm::json::Value &tree, ArrayRef<std::string> path) {
  const llvm::json::Object &object = *tree.getAsObject();
  if (path.empty())
    return *object.getInteger("tensor");
  if (const llvm::json::Object *items = object.getObject("dict"))
    return tensorAt(*items->get(path[0]), path.drop_front());
  const llvm::json::Array *items = object.getArray("tuple");
  if (!items)
    items = object.getArray("list");
  return tensorAt((*items)[std::stoul(path[0])], path.drop_front());
}

std::vector<Path> leavesOf(const llvm::json::Value &tree) {
  std::vector<Path> out, sorted;
  Path path;
  leavesOf(tree, path, out);
  sorted.resize(out.size());
  for (const Path &leaf : out)
    sorted.at(tensorAt(tree, leaf)) = leaf;
  return sorted;
}

/// A structure with its tensors numbered `by` higher; keys keep their order.
std::string renumber(StringRef tree, int64_t by) {
  constexpr llvm::StringLiteral mark = "\"tensor\":";
  std::string out;
  while (true) {
    auto [head, rest] = tree.split(mark);
    out += head;
    if (head.size() == tree.size())
      return out;
    out += mark;
    int64_t number;
    if (!rest.consumeInteger(10, number)) // else it is a key of this name
      out += std::to_string(number + by);
    tree = rest;
  }
}

StringRef dtypeOf(StateOp slot) {
  if (auto dtype = slot.getDtype())
    return *dtype;
  Type type = cast<RankedTensorType>(slot.getType()).getElementType();
  if (type.isF64())
    return "float64";
  if (type.isF32())
    return "float32";
  if (type.isF16())
    return "float16";
  if (type.isBF16())
    return "bfloat16";
  switch (type.getIntOrFloatBitWidth()) {
  case 1: return "bool";
  case 8: return "int8";
  case 16: return "int16";
  case 32: return "int32";
  default: return "int64";
  }
}

} // namespace

Transforms::Transforms(ImportOptions &options, script::Program &program) {
  std::map<std::string, script::Function *> methods = program.root->methods;
  for (const std::string &given : options.transforms) {
    Chain chain = Parser(given).chain();
    auto method = methods.find(chain.method);
    if (method == methods.end()) {
      std::string names;
      for (auto &[name, fn] : methods)
        names += (names.empty() ? "" : ", ") + name;
      throw ImportError("--transform '" + given + "': unknown method '" + chain.method +
                        "'; the module has: " + names);
    }
    for (const Chain &other : chains)
      if (other.name == chain.name)
        throw ImportError("--transform '" + given + "': there are two of this name");
    program.root->methods[chain.name] = method->second;
    auto input = options.inputs.find(chain.name);
    if (input != options.inputs.end()) {
      const std::vector<std::string> &all = method->second->argNames;
      std::vector<std::string> names(all.begin() + std::min<size_t>(1, all.size()), all.end());
      input->second = OneLane(chain, names).run(input->second);
    }
    chains.push_back(std::move(chain));
  }
  // Unless others are asked for, these are the methods.
  if (!chains.empty()) {
    std::vector<std::string> names;
    for (const Chain &chain : chains)
      names.push_back(chain.name);
    if (options.methods.empty())
      for (const auto &[name, types] : options.inputs)
        if (!llvm::is_contained(names, name))
          names.push_back(name);
    for (const std::string &name : options.methods)
      if (!llvm::is_contained(names, name))
        names.push_back(name);
    options.methods = names;
  }
}

void Transforms::finish(mlir::ModuleOp module) const {
  for (const Chain &chain : chains)
    for (auto top : module.getOps<evox::ModuleOp>())
      finish(chain, top);
}

void Transforms::finish(const Chain &chain, evox::ModuleOp top) const {
  FuncOp func;
  for (FuncOp each : llvm::make_early_inc_range(top.getOps<FuncOp>())) {
    auto entry = each->getAttrOfType<DictionaryAttr>("entry");
    if (!entry || entry.getAs<StringAttr>("name").getValue() != chain.name)
      continue;
    if (entry.getAs<IntegerAttr>("phase").getInt() != 0)
      each.erase();
    else
      func = each;
  }
  if (!func) // left out
    return;
  auto entry = func->getAttrOfType<DictionaryAttr>("entry");
  // Phases may also differ in strides only, which a state that is handed over
  // does not keep.
  int64_t next = entry.getAs<IntegerAttr>("next").getInt();
  auto phases = top->getAttrOfType<ArrayAttr>("phases");
  if (next != 0 && phases[0] != phases[next])
    throw ImportError("--transform: method '" + chain.method +
                      "' changes the types or Python values of its state, so its calls differ "
                      "from one to the next and it cannot be transformed; call it once before "
                      "saving the module, or give the state its final types");
  MLIRContext *context = top.getContext();
  Builder attr(context);
  func->removeAttr("entry");
  std::string inner = chain.name + "$0";
  func.setSymName(inner);

  auto parse = [](StringRef text) { return cantFail(llvm::json::parse(text)); };
  std::string args = entry.getAs<StringAttr>("args").getValue().str();
  std::string results = entry.getAs<StringAttr>("results").getValue().str();
  SmallVector<Attribute> names(entry.getAs<ArrayAttr>("arg_names").getValue()),
      dtypes(entry.getAs<ArrayAttr>("arg_dtypes").getValue()),
      resultDtypes(entry.getAs<ArrayAttr>("result_dtypes").getValue());

  OpBuilder b(func);
  b.setInsertionPointAfter(func);
  auto symbol = FlatSymbolRefAttr::get(context, inner);
  Operation *op = func;
  for (auto [number, step] : llvm::enumerate(chain.steps)) {
    std::string name = chain.name + "$" + std::to_string(number + 1);
    if (!step.isVmap) {
      llvm::StringMap<StateOp> slots;
      std::vector<std::string> keys = step.keys;
      std::vector<std::string> all;
      top->walk([&](StateOp slot) {
        if (!isa<RankedTensorType>(slot.getType()) || slot->hasAttr("python"))
          return;
        slots[slot.getDictName()] = slot;
        if (slot.getKind() != StateKind::Constant)
          all.push_back(slot.getDictName().str());
      });
      if (!step.hasKeys)
        keys = all;
      if (keys.empty()) // no state: no argument and no result for it
        continue;
      std::string dict = "{\"dict\":{";
      SmallVector<Attribute> keyNames, keyTypes;
      for (auto [i, key] : llvm::enumerate(keys)) {
        if (!slots.count(key)) {
          std::string known;
          for (const std::string &one : all)
            known += (known.empty() ? "" : ", ") + one;
          throw ImportError("use_state: the module holds no tensor '" + key + "'; it has: " + known);
        }
        llvm::raw_string_ostream(dict) << (i ? "," : "") << llvm::json::Value(key)
                                       << ":{\"tensor\":" << i << "}";
        keyNames.push_back(attr.getStringAttr("state." + key));
        keyTypes.push_back(attr.getStringAttr(dtypeOf(slots[key])));
      }
      names.insert(names.begin(), keyNames.begin(), keyNames.end());
      dtypes.insert(dtypes.begin(), keyTypes.begin(), keyTypes.end());
      resultDtypes.insert(resultDtypes.begin(), keyTypes.begin(), keyTypes.end());
      dict += "}}";
      args = renumber(args, keys.size());
      StringRef rest = StringRef(args).drop_front(StringRef("{\"tuple\":[").size());
      args = "{\"tuple\":[" + dict + (rest.starts_with("]") ? "" : ",") + rest.str();
      results = results == "null"
                    ? dict
                    : "{\"tuple\":[" + dict + "," + renumber(results, keys.size()) + "]}";
      SmallVector<StringRef> refs(keys.begin(), keys.end());
      op = UseStateOp::create(b, func.getLoc(), name, symbol, b.getStrArrayAttr(refs), DictionaryAttr());
    } else {
      auto dims = [&](const Dims &given, StringRef tree, const char *what) {
        SmallVector<Attribute> out;
        for (const Path &path : leavesOf(parse(tree))) {
          std::optional<int64_t> dim = dimAt(given, path, what);
          out.push_back(dim ? Attribute(attr.getI64IntegerAttr(*dim)) : attr.getUnitAttr());
        }
        return attr.getArrayAttr(out);
      };
      auto number = [&](std::optional<int64_t> value) {
        return value ? attr.getI64IntegerAttr(*value) : IntegerAttr();
      };
      // A Python number per lane is a tensor.
      for (StringRef kind : {"int", "float", "bool"}) {
        std::string mark = (",\"number\":\"" + kind + "\"").str();
        for (size_t at; (at = results.find(mark)) != std::string::npos;)
          results.erase(at, mark.size());
      }
      llvm::json::Value tree = parse(args);
      size_t count = tree.getAsObject()->getArray("tuple")->size();
      if (step.inDims.kind == Dims::Sequence && step.inDims.items.size() != count)
        throw ImportError("vmap: in_dims has " + std::to_string(step.inDims.items.size()) +
                          " entries, but the function takes " + std::to_string(count) +
                          " arguments");
      op = VmapOp::create(b, func.getLoc(), name, symbol, dims(step.inDims, args, "in_dims"),
                          dims(step.outDims, results, "out_dims"), number(step.axisSize),
                          attr.getStringAttr(step.randomness), number(step.chunkSize),
                          step.strategy.empty() ? StringAttr() : attr.getStringAttr(step.strategy),
                          DictionaryAttr());
    }
    symbol = FlatSymbolRefAttr::get(context, name);
  }
  SymbolTable::setSymbolName(op, chain.name);
  op->setAttr("entry", attr.getDictionaryAttr({
      attr.getNamedAttr("name", attr.getStringAttr(chain.name)),
      attr.getNamedAttr("phase", attr.getI64IntegerAttr(0)),
      attr.getNamedAttr("next", attr.getI64IntegerAttr(0)),
      attr.getNamedAttr("arg_names", attr.getArrayAttr(names)),
      attr.getNamedAttr("arg_dtypes", attr.getArrayAttr(dtypes)),
      attr.getNamedAttr("result_dtypes", attr.getArrayAttr(resultDtypes)),
      attr.getNamedAttr("args", attr.getStringAttr(args)),
      attr.getNamedAttr("results", attr.getStringAttr(results))}));
}
