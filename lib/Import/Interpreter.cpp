//===- Interpreter.cpp - Walking TorchScript graphs ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "Ops/Common.h"
#include "Ops/Python.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

const char *import::kindName(Py::Kind kind) {
  static const char *names[] = {"None", "int", "float", "bool", "complex", "str",
                                "Tensor", "list", "tuple", "dict", "object",
                                "function", "device", "enum", "generator",
                                "an unset variable", "an unsupported value"};
  return names[kind];
}

//===----------------------------------------------------------------------===//
// Call
//===----------------------------------------------------------------------===//

bool Call::has(StringRef name) const {
  for (size_t i = 0; i < argNames.size() && i < args.size(); ++i)
    if (argNames[i] == name)
      return true;
  return false;
}

const Py &Call::arg(StringRef name) const {
  static const Py none;
  for (size_t i = 0; i < argNames.size() && i < args.size(); ++i)
    if (argNames[i] == name)
      return args[i];
  return none;
}

TensorRef Call::tensor(size_t i) const { return in.toTensor(args.at(i)); }
TensorRef Call::tensor(StringRef name) const { return in.toTensor(arg(name)); }

int64_t Call::integer(StringRef name) const {
  const Py &v = arg(name);
  if (v.kind == Py::Tensor) {
    Py item = in.item(v.tensor);
    if (item.isStatic())
      return item.i;
  }
  if (v.kind != Py::Int && v.kind != Py::Bool)
    in.fail("argument '" + name.str() + "': expected an int, got " + kindName(v.kind));
  if (!v.isStatic())
    in.failStatic("argument '" + name.str() + "' of " + this->name.str());
  return v.i;
}

int64_t Call::integer(StringRef name, int64_t otherwise) const {
  return arg(name).isNone() ? otherwise : integer(name);
}

bool Call::boolean(StringRef name, bool otherwise) const {
  const Py &v = arg(name);
  if (v.isNone())
    return otherwise;
  if (!v.isStatic())
    in.failStatic("argument '" + name.str() + "' of " + this->name.str());
  return v.i != 0;
}

std::vector<int64_t> Call::integers(StringRef name) const {
  const Py &v = arg(name);
  std::vector<int64_t> result;
  if (v.kind == Py::Int)
    return {integer(name)};
  if (v.kind != Py::List && v.kind != Py::Tuple)
    in.fail("argument '" + name.str() + "': expected a list of ints, got " +
            kindName(v.kind));
  for (const Py &item : v.list()) {
    if (!item.isStatic())
      in.failStatic("argument '" + name.str() + "' of " + this->name.str());
    result.push_back(item.i);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Interpreter
//===----------------------------------------------------------------------===//

const llvm::StringMap<OpFn> &import::opTable() {
  static const llvm::StringMap<OpFn> table = [] {
    llvm::StringMap<OpFn> t;
    for (ArrayRef<OpRow> rows :
         {pythonOps(), mathOps(), containerOps(), stringOps(), pointwiseOps(), bitOps(), reductionOps(), viewOps(), indexOps(),
          creationOps(), randomOps(), arrayOps(), linalgOps(), factorOps(), neuralNetOps()})
      for (const OpRow &row : rows)
        t[row.name] = row.fn;
    return t;
  }();
  return table;
}

Interpreter::Interpreter(MLIRContext *context, script::Program &program,
                         const ImportOptions &options)
    : b(UnknownLoc::get(context), context), program(program), options(options) {
  defaultDType() = options.defaultDType == "float64" ? DType::Double : DType::Float;
}

void Interpreter::fail(const std::string &text) { throw ImportError(text); }

void Interpreter::failStatic(const std::string &what) {
  throw ImportError(what + " has to be known when the program is compiled, but "
                           "it depends on data",
                    true);
}

void Interpreter::note(const std::string &text) {
  if (notes.insert(text).second)
    emitRemark(b.getLoc(), text);
}

Location Interpreter::locationOf(const script::Location &loc) {
  if (loc.file.empty())
    return b.getLoc();
  return FileLineColLoc::get(b.getContext(), loc.file, loc.line, loc.column);
}

Py Interpreter::fromConstant(const script::Constant &c) {
  using C = script::Constant;
  switch (c.kind) {
  case C::None: return Py();
  case C::Int: return Py::ofInt(c.i);
  case C::Float: return Py::ofFloat(c.f);
  case C::Bool: return Py::ofBool(c.i != 0);
  case C::Complex: {
    Py v;
    v.kind = Py::Complex;
    v.f = c.f;
    v.imag = c.imag;
    return v;
  }
  case C::String: return Py::ofString(c.s);
  case C::Tensor: return Py::of(fromData(*c.tensor));
  case C::List:
  case C::Tuple:
  case C::Dict: {
    std::vector<Py> items;
    for (const C &item : c.items)
      items.push_back(fromConstant(item));
    Py v = Py::ofItems(c.kind == C::List    ? Py::List
                             : c.kind == C::Tuple ? Py::Tuple
                                                  : Py::Dict,
                             std::move(items), c.type);
    v.items->names = c.names;
    return v;
  }
  case C::Function: {
    Py v;
    v.kind = Py::Function;
    v.function = c.function;
    return v;
  }
  case C::Device: {
    Py v = Py::ofString(c.s);
    v.kind = Py::Device;
    return v;
  }
  case C::Enum: {
    Py v = Py::ofItems(Py::Enum, {fromConstant(c.items[0])});
    v.s = c.s;
    return v;
  }
  case C::Generator: {
    Py v;
    v.kind = Py::Generator;
    return v;
  }
  case C::Object: fail("an object of class '" + c.object->type + "' cannot be a constant");
  case C::Unsupported: fail("a value of type '" + c.s + "' is not supported");
  }
  llvm_unreachable("all kinds are handled");
}

static bool isUserCode(const script::Location &loc) {
  return StringRef(loc.file).ends_with(".py") || StringRef(loc.file).ends_with(".ts");
}

Py Interpreter::constant(const script::Node &node) {
  auto value = node.attributes.find("value");
  if (value == node.attributes.end())
    return Py();
  Py v = fromConstant(value->second);
  if (v.kind != Py::Tensor)
    return v;
  v.tensor->wrappedNumber = false;
  // Only a trace has tensors of no dimensions among its constants.
  if (v.tensor->rank() == 0 && currentFunction && isUserCode(node.loc))
    note("'" + currentFunction->name +
         "' was traced: what Python computed is a constant in it, and where "
         "Python branched or looped on data, only what was traced is left; "
         "torch.jit.script keeps branches and loops");
  return v;
}

Py Interpreter::callFunction(script::Function &fn, std::vector<Py> args) {
  if (depth > 200)
    fail("calls nest more than 200 deep in '" + fn.name +
         "': a recursion that depends on data cannot be compiled");
  llvm::SaveAndRestore nesting(depth, depth + 1);
  llvm::SaveAndRestore function(currentFunction, const_cast<const script::Function *>(&fn));
  const script::Block &body = fn.graph();
  std::vector<Py> env(fn.numValues);
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    if (i < args.size())
      env[body.inputs[i]] = args[i];
    else if (i < fn.hasDefault.size() && fn.hasDefault[i])
      env[body.inputs[i]] = fromConstant(fn.argDefaults[i]);
    else
      fail("'" + fn.name + "' misses its argument '" + fn.argNames[i] + "'");
  }
  runBlock(body, env);
  if (body.outputs.empty())
    return Py();
  checkKnown(env[body.outputs[0]]);
  return env[body.outputs[0]];
}

Py Interpreter::callMethod(const Py &object, const std::string &name,
                              std::vector<Py> args) {
  if (object.kind != Py::Object)
    fail(std::string("'") + kindName(object.kind) + "' has no method '" + name + "'");
  auto method = object.object->object->methods.find(name);
  if (method == object.object->object->methods.end())
    fail("module '" + object.object->path + "' has no method '" + name + "'");
  std::string external = externalName(*object.object, name);
  if (!external.empty())
    return callExternal(external, *method->second, std::move(args));
  args.insert(args.begin(), object);
  if (object.object->object->isModule)
    return callKept(object.object->path, *method->second, std::move(args));
  return callFunction(*method->second, std::move(args));
}

Results Interpreter::callOp(const std::string &name, std::vector<Py> args,
                            const std::vector<std::string> &argNames) {
  script::Node node;
  size_t dot = name.find('.');
  node.kind = "aten::" + name.substr(0, dot);
  if (dot != std::string::npos)
    node.overload = name.substr(dot + 1);
  node.argNames = argNames;
  return runAten(node, std::move(args));
}

void Interpreter::runBlock(const script::Block &block, std::vector<Py> &env) {
  for (const auto &node : block.nodes)
    runNode(*node, env);
}

void Interpreter::runNode(const script::Node &node, std::vector<Py> &env) {
  Location previous = b.getLoc();
  const script::Node *previousNode = currentNode;
  if (isUserCode(node.loc)) {
    b.setLoc(locationOf(node.loc));
    currentNode = &node;
  }
  try {
    if (node.kind == "prim::If") {
      runIf(node, env);
    } else if (node.kind == "prim::Loop") {
      runLoop(node, env);
    } else {
      std::vector<Py> args;
      bool poisoned = false;
      for (int input : node.inputs) {
        const Py &v = args.emplace_back(env[input]);
        poisoned |= v.kind == Py::Poison;
        if (v.items ? !v.items->poison.empty() : v.object && !v.object->poison.empty())
          checkKnown(v);
      }
      if (!poisoned && node.attributes.count("numberOperand") && args[1].isTensor())
        args[1] = item(args[1].tensor);
      Results results;
      if (poisoned)
        results.assign(node.outputs.size(), Py::poison());
      else if (StringRef(node.kind).starts_with("prim::"))
        results = runPrim(node, std::move(args), env);
      else
        results = runAten(node, std::move(args));
      for (size_t i = 0; i < node.outputs.size(); ++i)
        env[node.outputs[i]] = i < results.size() ? results[i] : Py();
    }
  } catch (ImportError &e) {
    if (e.loc.file.empty() && isUserCode(node.loc))
      e.loc = node.loc;
    // An op that refuses its arguments is reported with the others. In a
    // branch or loop another way of walking it may still be tried.
    if (e.needsStatic || inDataRegion() ||
        !StringRef(node.kind).starts_with("aten::"))
      throw;
    problems.push_back({e.what(), e.loc, /*isRefusal=*/true});
    for (int output : node.outputs)
      env[output] = Py::poison();
  }
  b.setLoc(previous);
  currentNode = previousNode;
}

//===----------------------------------------------------------------------===//
// aten
//===----------------------------------------------------------------------===//

/// How many of the last arguments the op writes its results into.
static size_t countOuts(const script::Node &node, ArrayRef<Py> args) {
  StringRef overload = node.overload;
  if (args.empty() || node.argNames.size() != args.size() || !args.back().isTensor())
    return 0;
  if (node.argNames.back() == "out")
    return 1;
  static const char *pairs[][2] = {
      {"values", "indices"}, {"max", "max_values"}, {"min", "min_indices"},
      {"max", "max_indices"}, {"mantissa", "exponent"}, {"out0", "out1"},
      {"eigenvalues", "eigenvectors"}, {"sign", "logabsdet"}, {"Q", "R"},
      {"LU", "pivots"}, {"eigvals", "eigvecs"}, {"inverse", "info"}, {"L", "info"}, {"result", "info"}};
  size_t n = args.size();
  if (n < 3 || !args[n - 2].isTensor() || overload.empty())
    return 0;
  for (auto &pair : pairs)
    if (node.argNames[n - 2] == pair[0] && node.argNames[n - 1] == pair[1])
      return 2;
  return 0;
}

Results Interpreter::runAten(const script::Node &node, std::vector<Py> args) {
  StringRef full = node.kind;
  StringRef space, name;
  std::tie(space, name) = full.split("::");
  const auto &table = opTable();
  auto lookup = [&](StringRef base) -> OpFn {
    if (!node.overload.empty()) {
      auto exact = table.find((base + "." + node.overload).str());
      if (exact != table.end())
        return exact->second;
    } else if (llvm::none_of(args, [](const Py &v) { return v.isTensor(); })) {
      // An op on numbers whose name a tensor op has too.
      auto ofNumbers = table.find((base + ".number").str());
      if (ofNumbers != table.end())
        return ofNumbers->second;
    }
    auto family = table.find(base);
    return family == table.end() ? nullptr : family->second;
  };
  // A list that grows has its elements at run time only.
  for (const Py &v : args) {
    if (!v.items || v.items->growSlot < 0)
      continue;
    if ((name == "extend" || name == "add_") && args[0].items == v.items && args[1].items &&
        args[1].items->growSlot < 0) {
      for (const Py &item : std::vector<Py>(args[1].list()))
        callOp("append", {args[0], item}, {"self", "el"});
      return {args[0]};
    }
    if (name != "append" && name != "len" && name != "__getitem__" && name != "_set_item" &&
        name != "__is__" && name != "__isnot__")
      fail("'" + name.str() + "' of a list that grows at run time is not supported: it can be "
           "appended to, read at an index, and its length taken");
  }
  if (full == "aten::wait") // of a future, which is its result
    return {args[0]};
  if (space == "aten") {
    // `out=` variants: compute, then write into what is given.
    if (size_t outs = countOuts(node, args)) {
      script::Node pure;
      pure.kind = node.kind;
      StringRef plain = node.overload; // "dim_max": "dim"
      for (const char *end : {"_out", "_max", "_min", "_values"})
        plain.consume_back(end);
      pure.overload = plain == "values_stable" ? "stable"
                      : plain == "out" || plain == "values" ? ""
                                                            : plain.str();
      pure.argNames = node.argNames;
      pure.argNames.resize(args.size() - outs);
      std::vector<Py> targets(args.end() - outs, args.end());
      args.resize(args.size() - outs);
      pure.outputs.resize(outs);
      Results r = runAten(pure, std::move(args));
      if (r.size() < outs && r[0].kind != Py::Poison)
        fail("out= of '" + name.str() + "' is not supported: use the result instead");
      for (size_t i = 0; i < outs; ++i) {
        if (r.at(i).kind == Py::Poison)
          return r;
        TensorRef out = targets[i].tensor, value = toTensor(r[i]);
        // Of another shape it would be resized.
        if (failed(verifyCompatibleShape(out->type, value->type)))
          fail("out= of a tensor that has another shape than the result is not "
               "supported: use the result instead");
        callOp("copy_", {targets[i], r[i], Py::ofBool(false)}, {"self", "src", "non_blocking"});
      }
      return targets;
    }
    if (OpFn fn = lookup(name)) {
      Call call{*this, node, name, node.overload, std::move(args), node.argNames};
      return fn(call);
    }
    // In-place variants: compute, then write through self.
    if (name.ends_with("_") && !name.starts_with("__") && !args.empty() &&
        args[0].isTensor()) {
      StringRef base = name.drop_back();
      Results r;
      TensorRef self = args[0].tensor;
      script::Node pure;
      pure.kind = ("aten::" + base).str();
      pure.overload = node.overload;
      pure.argNames = node.argNames;
      r = runAten(pure, std::move(args));
      if (r[0].kind == Py::Poison)
        return {Py::poison()};
      TensorRef value = r[0].tensor;
      bool badCast = (isFloating(value->dtype) && !isFloating(self->dtype)) ||
                     (value->dtype != DType::Bool && self->dtype == DType::Bool);
      if (badCast)
        fail("result type " + dtypeName(value->dtype) +
             " can't be cast to the desired output type " + dtypeName(self->dtype));
      if (value->rank() != self->rank() ||
          !succeeded(verifyCompatibleShape(value->type, self->type)))
        fail("output with shape of " + std::to_string(self->rank()) +
             " dimensions doesn't match the broadcast shape of the result in '" +
             name.str() + "'");
      write(self, convert(read(value), value->dtype, self->dtype));
      return {Py::of(self)};
    }
    // The prelude.
    std::string base = "aten_" + name.str();
    script::Function *fn = nullptr;
    if (!node.overload.empty())
      fn = program.decomposition(base + "__" + node.overload);
    if (!fn)
      fn = program.decomposition(base);
    if (fn) {
      std::vector<Py> ordered;
      for (size_t i = 0; i < fn->argNames.size(); ++i) {
        bool found = false;
        for (size_t k = 0; k < node.argNames.size() && k < args.size(); ++k)
          if (node.argNames[k] == fn->argNames[i]) {
            ordered.push_back(args[k]);
            found = true;
          }
        // The first one may have another name: dropout's `input`, dropout_'s
        // `self`.
        if (!found && (node.argNames.empty() || i == 0) && i < args.size()) {
          ordered.push_back(args[i]);
          found = true;
        }
        if (!found && fn->hasDefault[i])
          ordered.push_back(fromConstant(fn->argDefaults[i]));
        else if (!found)
          fail("the prelude's " + fn->name + " wants '" + fn->argNames[i] +
               "', which aten::" + name.str() + " has not");
        // The prelude's type decides how a number arrives.
        if (fn->argTypes[i] == "Tensor" && ordered.back().isNumber()) {
          TensorRef t = toTensor(ordered.back());
          ordered.back() = Py::of(t);
        }
      }
      llvm::SaveAndRestore prelude(inPrelude, true);
      Py result = callFunction(*fn, std::move(ordered));
      orderPreludeResult(name, args, result);
      if (result.kind == Py::Tuple && node.outputs.size() != 1)
        return result.list();
      return {result};
    }
  }
  std::string op = full.str() + (node.overload.empty() ? "" : "." + node.overload);
  Problem problem{op, currentNode ? currentNode->loc : node.loc};
  problems.push_back(problem);
  return Results(std::max<size_t>(node.outputs.size(), 1), Py::poison());
}

//===----------------------------------------------------------------------===//
// prim
//===----------------------------------------------------------------------===//

/// The parts of "Tuple[int, List[str]]": what stands in its brackets.
static std::vector<std::string> typeArguments(StringRef type) {
  std::vector<std::string> parts;
  size_t open = type.find('[');
  if (open == StringRef::npos || !type.ends_with("]"))
    return parts;
  std::string part;
  int depth = 0;
  for (char ch : type.slice(open + 1, type.size() - 1)) {
    depth += ch == '[' ? 1 : ch == ']' ? -1 : 0;
    if (ch == ',' && depth == 0) {
      parts.push_back(part);
      part.clear();
    } else if (ch != ' ' || depth) {
      part += ch;
    }
  }
  if (!part.empty() && part != "()")
    parts.push_back(part);
  return parts;
}

static bool isInstance(const Py &v, StringRef type) {
  auto begins = [&](StringRef prefix) { return type.starts_with(prefix); };
  if (type == "Any")
    return true;
  if (begins("Optional["))
    return v.isNone() || isInstance(v, typeArguments(type)[0]);
  if (type == "number")
    return v.isNumber() && v.kind != Py::Bool;
  switch (v.kind) {
  case Py::None: return type == "NoneType";
  case Py::Int: return type == "int";
  case Py::Float: return type == "float";
  case Py::Bool: return type == "bool";
  case Py::Complex: return type == "complex";
  case Py::String: return type == "str";
  case Py::Tensor: return type == "Tensor";
  case Py::List:
    if (type == "list" || type == v.items->type)
      return true;
    return begins("List[") && v.items->type.empty() &&
           llvm::all_of(v.list(), [&](const Py &item) {
             return isInstance(item, typeArguments(type)[0]);
           });
  case Py::Tuple: {
    if (type == "tuple")
      return true;
    if (!begins("Tuple["))
      return !v.items->type.empty() && type == v.items->type; // a named one
    std::vector<std::string> parts = typeArguments(type);
    if (parts.size() != v.list().size())
      return false;
    for (auto [item, part] : llvm::zip(v.list(), parts))
      if (!isInstance(item, part))
        return false;
    return true;
  }
  case Py::Dict: return begins("Dict[") && (v.items->type.empty() || type == v.items->type);
  case Py::Device: return type == "Device" || type == "torch.device";
  case Py::Enum: return !type.empty() && StringRef(v.s).starts_with(type);
  case Py::Object: return type == v.object->object->type;
  default: return false;
  }
}

Py Interpreter::textOf(const Py &v) { return callOp("str", {v}, {"elem"})[0]; }

Py Interpreter::listOf(const TensorRef &t, mlir::Value v, SmallVector<Dim> at) {
  if ((int64_t)at.size() == t->rank()) {
    SmallVector<mlir::Value> ids;
    for (Dim d : at)
      ids.push_back(index(d));
    mlir::Value s = tensor::ExtractOp::create(b, v, ids);
    if (t->dtype == DType::Bool)
      return Py::ofBool(s);
    return isFloating(t->dtype) ? Py::ofFloat(castScalar(s, t->dtype, DType::Double))
                                : Py::ofInt(castScalar(s, t->dtype, DType::Int64));
  }
  int64_t n = t->type.getDimSize(at.size());
  if (ShapedType::isDynamic(n))
    failStatic("the length of a list made by tolist()");
  std::vector<Py> items;
  at.push_back(Dim());
  for (int64_t i = 0; i < n; ++i) {
    at.back() = b.getIndexAttr(i);
    items.push_back(listOf(t, v, at));
  }
  return Py::ofItems(Py::List, std::move(items));
}

Results Interpreter::runPrim(const script::Node &node, std::vector<Py> args,
                             std::vector<Py> &env) {
  StringRef kind = StringRef(node.kind).drop_front(strlen("prim::"));
  auto text = [&](const char *name) { return node.attributes.at(name).s; };
  if (kind == "Constant")
    return {constant(node)};
  if (kind == "GetAttr") {
    std::string name = text("name");
    if (args[0].kind != Py::Object)
      fail(std::string("'") + kindName(args[0].kind) + "' has no attribute '" + name + "'");
    Py *v = args[0].object->find(name);
    if (!v)
      fail("'" + args[0].object->path + "' has no attribute '" + name + "'");
    return {*v};
  }
  if (kind == "SetAttr") {
    setAttribute(args[0].object, text("name"), args[1]);
    return {};
  }
  if (kind == "CallMethod") {
    Py object = args[0];
    args.erase(args.begin());
    return {callMethod(object, text("name"), std::move(args))};
  }
  if (kind == "CallFunction") {
    Py callee = args[0];
    args.erase(args.begin());
    if (callee.kind != Py::Function)
      fail("a call of something that is no function");
    return {callKept("", *callee.function, std::move(args))};
  }
  if (kind == "ListConstruct")
    return {Py::ofItems(Py::List, std::move(args), node.outputTypes[0])};
  if (kind == "TupleConstruct" || kind == "NamedTupleConstruct") {
    Py v = Py::ofItems(Py::Tuple, std::move(args));
    v.items->names = node.typeAttribute;
    if (!node.typeAttribute.empty())
      v.items->type = node.outputTypes[0];
    // A default of a field may be of another type than the field.
    if (!node.typeAttribute.empty())
      for (auto [item, type] : llvm::zip(v.list(), node.fieldTypes))
        if (type == "float" && item.kind == Py::Int)
          item = item.ssa ? Py::ofFloat(scalar(item, DType::Double)) : Py::ofFloat((double)item.i);
    return {v};
  }
  if (kind == "DictConstruct")
    return {Py::ofItems(Py::Dict, std::move(args), node.outputTypes[0])};
  if (kind == "TupleUnpack" || kind == "ListUnpack") {
    if (args[0].kind != Py::List && args[0].kind != Py::Tuple)
      fail(std::string("cannot unpack ") + kindName(args[0].kind));
    if (args[0].items->growSlot >= 0)
      fail("cannot unpack a list that grows at run time");
    if (args[0].list().size() != node.outputs.size())
      fail("expected " + std::to_string(node.outputs.size()) +
           " values to unpack, got " + std::to_string(args[0].list().size()));
    return args[0].list();
  }
  if (kind == "TupleIndex") {
    int64_t i = args[1].i, n = args[0].list().size();
    if (i < 0)
      i += n;
    if (i < 0 || i >= n)
      fail("tuple index out of range");
    return {args[0].list()[i]};
  }
  if (kind == "TupleSlice") {
    auto &items = args[0].list();
    int64_t n = items.size(), lo = node.attributes.at("beg").i, hi = node.attributes.at("end").i;
    lo = lo < 0 ? std::max<int64_t>(lo + n, 0) : std::min(lo, n);
    hi = hi < 0 ? std::max<int64_t>(hi + n, 0) : std::min(hi, n);
    return {Py::ofItems(Py::Tuple, std::vector<Py>(items.begin() + lo,
                                                            items.begin() + std::max(lo, hi)))};
  }
  if (kind == "NumToTensor") {
    TensorRef t = toTensor(args[0]);
    t->wrappedNumber = false;
    return {Py::of(t)};
  }
  if (kind == "unchecked_cast" || kind == "unchecked_unwrap_optional" ||
      kind == "MKLDNNRelu6")
    return {args[0]};
  if (kind == "requires_grad")
    return {Py::ofBool(args[0].isTensor() && args[0].tensor->requiresGrad)};
  if (kind == "Uninitialized") {
    Py v;
    v.kind = Py::Uninitialized;
    return {v};
  }
  if (kind == "RaiseException") {
    Py text = args[0].isNone() ? Py::ofString("an exception") : textOf(args[0]);
    std::string message = text.s;
    if (args.size() > 1 && args[1].kind == Py::String && !args[1].s.empty()) {
      StringRef qualified = args[1].s;
      StringRef name = qualified.rsplit('.').second;
      message = (name.empty() ? qualified : name).str() + ": " + message;
    }
    if (!inDataRegion())
      throw ImportError("the program always raises here: " + message);
    std::string shown;
    for (char ch : message)
      shown += ch == kRunTimePart ? "{}" : std::string(1, ch);
    SmallVector<mlir::Value> values;
    if (text.items)
      for (const Py &part : text.list())
        values.push_back(part.ssa);
    AssertOp::create(b, arith::ConstantIntOp::create(b, 0, 1), shown, values);
    return {};
  }
  if (kind == "isinstance") {
    bool result = false;
    for (const std::string &type : node.typeAttribute)
      result |= isInstance(args[0], type);
    return {Py::ofBool(result)};
  }
  if (kind == "Print") {
    std::string line;
    for (Py &v : args)
      for (char ch : (line.empty() ? "" : " ") + textOf(v).s)
        line += ch == kRunTimePart ? "{}" : std::string(1, ch);
    note("print is dropped: " + line);
    return {};
  }
  if (kind == "dtype")
    return {Py::ofInt((int64_t)toTensor(args[0])->dtype)};
  if (kind == "device") {
    Py v = Py::ofString("cpu");
    v.kind = Py::Device;
    return {v};
  }
  if (kind == "layout")
    return {Py::ofInt(0)};
  if (kind == "is_cuda" || kind == "is_sparse" || kind == "is_quantized" ||
      kind == "is_mkldnn" || kind == "is_mps" || kind == "is_vulkan" ||
      kind == "is_nested" || kind == "is_xpu" || kind == "is_meta")
    return {Py::ofBool(false)};
  if (kind == "is_cpu")
    return {Py::ofBool(true)};
  if (kind == "fork" || kind == "awaitable") {
    // Runs at once: the order of effects is the program's. The future is its
    // result.
    auto body = node.attributes.find("Subgraph");
    if (body == node.attributes.end() || !body->second.function)
      fail("prim::" + kind.str() + " without a body");
    return {callFunction(*body->second.function, std::move(args))};
  }
  if (kind == "awaitable_wait" || kind == "awaitable_nowait")
    return {args[0]};
  if (kind == "Enter")
    return {callMethod(args[0], "__enter__", {})};
  if (kind == "Exit")
    return {callMethod(args[0], "__exit__", {Py(), Py(), Py()})};
  if (kind == "shape") // of a traced graph
    return callOp("size", {args[0]}, {"self"});
  if (kind == "EnumName") {
    StringRef name = StringRef(args[0].s).rsplit('.').second;
    return {Py::ofString(name.str())};
  }
  if (kind == "EnumValue")
    return {args[0].list()[0]};
  if (kind == "tolist")
    return {listOf(toTensor(args[0]), read(toTensor(args[0])), {})};
  if (kind == "data")
    return callOp("detach", {args[0]}, {"self"});
  if (kind == "grad")
    return {Py()};
  if (kind == "rangelist" || kind == "min" || kind == "max" || kind == "abs" ||
      kind == "type" || kind == "id" || kind == "AutogradAnyNonZero") {
    // Python's builtins live beside aten's.
    script::Node op;
    op.kind = ("aten::prim_" + kind).str();
    op.argNames = node.argNames;
    op.overload = node.overload;
    return runAten(op, std::move(args));
  }
  if (kind == "CreateObject") {
    Py v;
    v.kind = Py::Object;
    v.object = std::make_shared<Instance>();
    v.object->object = node.attributes.at("class").object;
    for (const script::Attribute &a : v.object->object->attributes)
      v.object->attributes.push_back({a.name, fromConstant(a.value)});
    return {v};
  }
  problems.push_back({node.kind, currentNode ? currentNode->loc : node.loc});
  return Results(node.outputs.size(), Py::poison());
}
