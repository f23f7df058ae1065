//===- External.cpp - Methods that the host supplies ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A method that torch.jit.ignore left in Python cannot be saved by TorchScript.
// The Python package puts a method of the same signature in its place, whose
// name starts with `kPrefix`; and --external names others. Tensors alone reach
// the host: numbers are tensors of no dimensions, and a tuple is its parts.

#include "Phases.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

static constexpr StringRef kPrefix = "__evox_external_"; // and a number, and "__"

std::string Interpreter::externalName(const Instance &object, const std::string &method) {
  StringRef name = method;
  bool isMarked = name.consume_front(kPrefix);
  if (isMarked) {
    name = name.drop_while(llvm::isDigit);
    name.consume_front("__");
  }
  std::string full = joined(object.path, name);
  return isMarked || options.externals.count(full) ? full : "";
}

namespace {
/// The types of the results, first to make the op, then to use its results.
class ExternalResults : public TypeReader {
public:
  ExternalResults(Interpreter &in, const std::string &external)
      : TypeReader(in, true), external(external) {}
  SmallVector<Type> types;
  ValueRange values;

protected:
  mlir::Value leaf(RankedTensorType type, DType, const std::string &, bool) override {
    if (values.empty()) {
      types.push_back(type);
      return {};
    }
    return values[names.size()];
  }
  void bad(const std::string &, const std::string &why) override {
    in.fail("--external of '" + external + "': " + why + "; write e.g. \"" + external +
            ":(float32[8,?],bool)\"");
  }

private:
  const std::string &external;
};
} // namespace

/// TorchScript's type in the command line's words; false where it does not say
/// what tensors there are.
static bool spellType(StringRef type, std::string &text) {
  if (type == "NoneType" || type == "None") {
    text += "None";
  } else if (type == "int" || type == "float" || type == "bool") {
    text += type;
  } else if (type.consume_front("Tuple[") && type.consume_back("]")) {
    text += "(";
    int depth = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= type.size(); ++i) {
      if (i < type.size() && type[i] != ',') {
        depth += type[i] == '[' ? 1 : type[i] == ']' ? -1 : 0;
        continue;
      }
      if (depth)
        continue;
      if (!spellType(type.slice(begin, i).trim(), text))
        return false;
      text += i < type.size() ? "," : ")";
      begin = i + 1;
    }
  } else {
    return false;
  }
  return true;
}

static std::string spell(Type type, StringRef dtype) {
  std::string text = dtype.str() + "[";
  for (auto [i, n] : llvm::enumerate(cast<RankedTensorType>(type).getShape()))
    text += (i ? "," : "") + (ShapedType::isDynamic(n) ? "?" : std::to_string(n));
  return text + "]";
}

Py Interpreter::callExternal(const std::string &name, script::Function &fn,
                             std::vector<Py> args) {
  // The host sees numbers, also those that are known now.
  std::function<Py(const Py &)> pass = [&](const Py &v) {
    if (v.isNumber() && v.kind != Py::Complex) {
      Py r;
      r.kind = v.kind;
      r.ssa = v.kind == Py::Int ? i64(v)
                                : scalar(v, v.kind == Py::Float ? DType::Double : DType::Bool);
      return r;
    }
    if (v.kind != Py::List && v.kind != Py::Tuple && v.kind != Py::Dict)
      return v;
    std::vector<Py> items;
    for (auto [i, item] : llvm::enumerate(v.list()))
      items.push_back(v.kind == Py::Dict && i % 2 == 0 ? item : pass(item));
    return Py::ofItems(v.kind, std::move(items), v.items->type);
  };
  EntryResults given = flatten(*this, pass(Py::ofItems(Py::Tuple, args)));
  std::string text;
  auto types = options.externals.find(name);
  if (types != options.externals.end()) {
    text = types->second;
  } else if (!spellType(fn.returnType, text)) {
    std::string takes;
    for (const Py &v : args)
      takes += (takes.empty() ? "" : ",") +
               (v.isTensor() ? spell(v.tensor->type, dtypeName(v.tensor->dtype)) : kindName(v.kind));
    fail("the host's function '" + name + "' takes (" + takes + ") and returns " +
         fn.returnType + ": say which, as in --external \"" + name + ":float32[8]\"");
  }
  auto read = [&](ExternalResults &results, llvm::raw_ostream &json) {
    StringRef rest = text;
    Py v = results.read(rest, "result", json);
    if (!rest.trim().empty())
      fail("--external of '" + name + "': unexpected \"" + rest.str() +
           "\"; put several results in parentheses");
    return v;
  };
  ExternalResults types1(*this, name);
  std::string tree;
  llvm::raw_string_ostream json(tree);
  read(types1, json);
  auto strings = [&](const std::vector<std::string> &list) {
    return b.getStrArrayAttr(SmallVector<StringRef>(list.begin(), list.end()));
  };
  auto op = ExternalCallOp::create(
      b, types1.types, name, given.values, strings(given.dtypes), strings(types1.dtypes),
      b.getStringAttr(given.structure), b.getStringAttr(json.str()));
  if (types1.types.empty()) {
    ExternalResults constants(*this, name);
    return read(constants, llvm::nulls());
  }
  ExternalResults results(*this, name);
  results.values = op.getResults();
  return read(results, llvm::nulls());
}
