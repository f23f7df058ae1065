//===- Signature.cpp - Arguments and results of entry points ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Phases.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

bool Widening::join(const Widening &other) {
  bool isNew = false;
  for (const std::string &path : other.scalars)
    isNew |= scalars.insert(path).second;
  for (const auto &[path, wide] : other.dims) {
    std::vector<bool> &mine = dims[path];
    mine.resize(std::max(mine.size(), wide.size()));
    for (size_t d = 0; d < wide.size(); ++d)
      if (wide[d] && !mine[d]) {
        mine[d] = true;
        isNew = true;
      }
  }
  for (const auto &[path, type] : other.lists) {
    auto [entry, inserted] = lists.try_emplace(path, type);
    isNew |= inserted || entry->second != type;
    entry->second = type;
  }
  return isNew;
}

static DType dtypeOf(StringRef name) {
  return llvm::StringSwitch<DType>(name)
      .Case("uint8", DType::UInt8).Case("int8", DType::Int8).Case("int16", DType::Int16)
      .Case("int32", DType::Int32).Case("int64", DType::Int64).Case("float16", DType::Half)
      .Case("float32", DType::Float).Case("float64", DType::Double).Case("bool", DType::Bool)
      .Case("bfloat16", DType::BFloat16).Default(DType::Undefined);
}

Py TypeReader::makeLeaf(RankedTensorType type, DType dtype, const std::string &name,
                        const char *number, llvm::raw_ostream &json) {
  mlir::Value v = leaf(type, dtype, name, number);
  json << "{\"tensor\":" << names.size();
  if (number && withNumbers)
    json << ",\"number\":\"" << number << "\"";
  json << "}";
  names.push_back(name);
  dtypes.push_back(dtypeName(dtype));
  if (!v)
    return Py();
  Py result = in.makeValue(v, dtype);
  if (isa<BlockArgument>(v)) // and not the result of an external call
    result.tensor->storage->argument = names.size() - 1;
  return number ? in.item(result.tensor) : result;
}

mlir::Value Arguments::leaf(RankedTensorType type, DType dtype, const std::string &name,
                            bool isNumber) {
  isTensor.push_back(!isNumber);
  return block->addArgument(isNumber ? type : opened(type, name), in.b.getLoc());
}

void Arguments::bad(const std::string &name, const std::string &why) {
  in.fail("--input of '" + method + "', argument '" + name + "': " + why +
          "; write e.g. \"" + method + ":float32[8,2],int64[]\"");
}

/// The type of an argument with the dimensions that --dynamic leaves open.
RankedTensorType Arguments::opened(RankedTensorType type, const std::string &name) {
  auto given = options.dynamic.find(method);
  if (given == options.dynamic.end())
    return type;
  SmallVector<int64_t> shape(type.getShape());
  for (const ImportOptions::OpenDims &open : given->second) {
    if (open.argument != name)
      continue;
    found.insert(name);
    for (int64_t dim : open.dims) {
      int64_t d = dim < 0 ? dim + (int64_t)shape.size() : dim;
      if (d < 0 || d >= (int64_t)shape.size())
        in.fail("--dynamic: argument '" + name + "' of '" + method + "' has " +
                std::to_string(shape.size()) + " dimensions, so there is no dimension " +
                std::to_string(dim));
      shape[d] = ShapedType::kDynamic;
    }
  }
  return RankedTensorType::get(shape, type.getElementType());
}

/// Each name that --dynamic gives stands for a tensor.
void Arguments::checkOpened() {
  auto given = options.dynamic.find(method);
  if (given == options.dynamic.end())
    return;
  std::string tensors;
  for (size_t i = 0; i < names.size(); ++i)
    if (isTensor[i])
      tensors += (tensors.empty() ? "" : ", ") + names[i];
  for (const ImportOptions::OpenDims &open : given->second) {
    if (found.count(open.argument))
      continue;
    bool isKnown = llvm::is_contained(ArrayRef<std::string>(fn.argNames).drop_front(), open.argument);
    in.fail("--dynamic: " +
            (isKnown ? "argument '" + open.argument + "' of '" + method + "' is no tensor"
                     : "'" + method + "' has no argument '" + open.argument + "'") +
            "; its tensors are: " + (tensors.empty() ? "none" : tensors));
  }
}

Py TypeReader::read(StringRef &text, const std::string &name, llvm::raw_ostream &json) {
  text = text.ltrim();
  std::string given = text.str();
  auto bad = [&](const std::string &why) { this->bad(name, why); };
  if (text.empty())
    bad("no type is given");
  char open = text[0];
  if (open == '(' || open == '[' || open == '{') {
    char close = open == '(' ? ')' : open == '[' ? ']' : '}';
    std::vector<Py> items;
    text = text.drop_front().ltrim();
    json << (open == '(' ? "{\"tuple\":[" : open == '[' ? "{\"list\":[" : "{\"dict\":{");
    bool isFirst = true;
    while (!text.consume_front(StringRef(&close, 1))) {
      if (!isFirst && !text.consume_front(","))
        bad("expected ',' or '" + std::string(1, close) + "' at \"" + text.str() + "\"");
      text = text.ltrim();
      if (!isFirst)
        json << ",";
      std::string inner = name + "." + std::to_string(items.size());
      if (open == '{') {
        StringRef key;
        if (text.consume_front("\"")) {
          std::tie(key, text) = text.split('"');
          text = text.ltrim();
          text.consume_front(":");
        } else {
          std::tie(key, text) = text.split(':');
        }
        json << llvm::json::Value(key) << ":";
        items.push_back(Py::ofString(key.str()));
        inner = name + "." + key.str();
      }
      items.push_back(read(text, inner, json));
      text = text.ltrim();
      isFirst = false;
      if (text.empty())
        bad("a bracket is not closed");
    }
    json << (open == '{' ? "}}" : "]}");
    return Py::ofItems(open == '(' ? Py::Tuple : open == '[' ? Py::List : Py::Dict, std::move(items));
  }
  size_t end = text.find_first_of(",)]}[");
  StringRef word = text.take_front(end).trim();
  text = end == StringRef::npos ? StringRef() : text.drop_front(end);
  if (text.starts_with("[")) {
    DType dtype = dtypeOf(word);
    if (dtype == DType::Undefined)
      bad("there is no dtype '" + word.str() + "'");
    if (!text.contains(']'))
      bad("']' is missing in \"" + given + "\"");
    StringRef dims;
    std::tie(dims, text) = text.drop_front().split(']');
    SmallVector<int64_t> shape;
    SmallVector<StringRef> parts;
    dims.split(parts, ',', -1, false);
    for (StringRef part : parts) {
      int64_t n;
      if (part.trim() == "?")
        n = ShapedType::kDynamic;
      else if (part.trim().getAsInteger(10, n) || n < 0)
        bad("'" + part.str() + "' is no dimension");
      shape.push_back(n);
    }
    Type element = elementType(in.b.getContext(), dtype);
    return makeLeaf(RankedTensorType::get(shape, element), dtype, name, nullptr, json);
  }
  auto number = [&](DType dtype, const char *kind) {
    return makeLeaf(RankedTensorType::get({}, elementType(in.b.getContext(), dtype)), dtype,
                    name, kind, json);
  };
  if (word == "int")
    return number(DType::Int64, "int");
  if (word == "float")
    return number(DType::Double, "float");
  if (word == "bool")
    return number(DType::Bool, "bool");
  if (word == "None" || word == "True" || word == "False") {
    json << "{\"value\":" << (word == "None" ? "null" : word == "True" ? "true" : "false") << "}";
    return word == "None" ? Py() : Py::ofBool(word == "True");
  }
  int64_t i;
  double f;
  if (!word.getAsInteger(10, i)) {
    json << "{\"value\":" << i << "}";
    return Py::ofInt(i);
  }
  if (!word.getAsDouble(f)) {
    json << "{\"value\":" << f << "}";
    return Py::ofFloat(f);
  }
  this->bad(name, "'" + word.str() + "' is no type");
}

void Arguments::make(Block *target) {
  block = target;
  auto given = options.inputs.find(method);
  StringRef text = given == options.inputs.end() ? StringRef() : StringRef(given->second);
  llvm::raw_string_ostream json(structure);
  json << "{\"tuple\":[";
  size_t i = 1;
  for (; i < fn.argNames.size(); ++i) {
    if (i > 1)
      json << ",";
    text = text.ltrim();
    if (!text.empty()) {
      values.push_back(read(text, fn.argNames[i], json));
      text = text.ltrim();
      if (!text.empty() && !text.consume_front(","))
        in.fail("--input of '" + method + "': expected ',' at \"" + text.str() + "\"");
      continue;
    }
    if (fn.hasDefault[i]) {
      json << "null";
      values.push_back(in.fromConstant(fn.argDefaults[i]));
      continue;
    }
    StringRef type = fn.argTypes[i];
    std::string simple = type.str();
    StringRef word = simple;
    if (type == "int" || type == "float" || type == "bool") {
      values.push_back(read(word, fn.argNames[i], json));
      continue;
    }
    in.fail("method '" + method + "' takes '" + fn.argNames[i] + "' of type " + type.str() +
            ": give example inputs (--input \"" + method + ":float32[8,2]\")");
  }
  if (!text.ltrim().empty())
    in.fail("--input of '" + method + "' has more arguments than the method, which takes " +
            std::to_string(fn.argNames.size() - 1));
  json << "]}";
  checkOpened();
}

EntryResults import::flatten(Interpreter &in, const Py &result) {
  EntryResults r;
  llvm::raw_string_ostream os(r.structure);
  llvm::json::OStream json(os);
  std::function<void(const Py &)> walk = [&](const Py &v) {
    auto tensor = [&](mlir::Value value, DType dtype, const char *number) {
      json.object([&] {
        json.attribute("tensor", (int64_t)r.values.size());
        if (number)
          json.attribute("number", number);
      });
      r.values.push_back(value);
      r.dtypes.push_back(dtypeName(dtype));
    };
    auto items = [&](const char *name, const std::vector<Py> &list) {
      json.object([&] {
        json.attributeArray(name, [&] {
          for (const Py &item : list)
            walk(item);
        });
      });
    };
    auto value = [&](llvm::json::Value x) {
      json.object([&] { json.attribute("value", x); });
    };
    switch (v.kind) {
    case Py::None: json.value(nullptr); return;
    case Py::Tensor: tensor(in.read(v.tensor), v.tensor->dtype, nullptr); return;
    case Py::Int:
      if (v.ssa)
        tensor(in.splat({}, DType::Int64, v), DType::Int64, "int");
      else
        value(v.i);
      return;
    case Py::Float: // as a number: JSON has no 4.0, no infinity
      tensor(in.splat({}, DType::Double, v), DType::Double, "float");
      return;
    case Py::Bool:
      if (v.ssa)
        tensor(in.splat({}, DType::Bool, v), DType::Bool, "bool");
      else
        value(v.i != 0);
      return;
    case Py::String: value(v.s); return;
    case Py::List:
      if (v.items->growSlot >= 0)
        in.fail("a list that grows at run time cannot be returned: read it by its name");
      items("list", v.list());
      return;
    case Py::Tuple: items("tuple", v.list()); return;
    case Py::Dict:
      json.object([&] {
        json.attributeObject("dict", [&] {
          for (size_t i = 0; i + 1 < v.list().size(); i += 2) {
            const Py &key = v.list()[i];
            json.attributeBegin(key.kind == Py::String ? key.s : std::to_string(key.i));
            walk(v.list()[i + 1]);
            json.attributeEnd();
          }
        });
      });
      return;
    case Py::Poison: json.value(nullptr); return;
    default:
      in.fail(std::string("a method cannot return a value of kind ") + kindName(v.kind));
    }
  };
  walk(result);
  os.flush();
  return r;
}
