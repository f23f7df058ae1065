//===- Module.cpp - Modules, slots and entry points ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Every entry point is imported once for every phase that can be reached; it
// says which phase it leads to.

#include "Calls.h"
#include "Phases.h"
#include "Transforms.h"
#include "evox/Import/TorchScript.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/JSON.h"
#include <algorithm>
#include <chrono>

using namespace mlir;
using namespace evox;
using namespace evox::import;

ModuleImporter::ModuleImporter(MLIRContext *context, script::Program &program,
                               const ImportOptions &options, const Widening &widening)
    : context(context), program(program), options(options), widening(widening),
      in(context, program, options) {
  in.marksArgumentWrites = !options.transforms.empty();
  in.stateNow = [this] { return stateNow(); };
  in.onAppend = [this](int slot, RankedTensorType type) {
    const std::string &path = in.slots[slot].path;
    RankedTensorType now = cast<ListType>(in.slots[slot].type).getElementType();
    if (wanted.lists.count(path))
      now = wanted.lists[path].first;
    RankedTensorType wide = joinTypes(now, type, path);
    if (wide != now)
      wanted.lists[path] = {wide, in.slots[slot].dtype};
  };
}

//===----------------------------------------------------------------------===//
// The module tree
//===----------------------------------------------------------------------===//

std::shared_ptr<Instance> ModuleImporter::makeInstance(script::Object *object,
                                                       const std::string &path) {
  std::shared_ptr<Instance> &known = instances[object];
  if (known)
    return known;
  known = std::make_shared<Instance>();
  known->object = object;
  known->path = path;
  auto result = known;
  order.push_back(result);
  return result;
}

/// The description of an attribute's first value.
Held ModuleImporter::holdConstant(const script::Constant &c, const std::string &path,
                                  bool isParameter, bool isBuffer) {
  using C = script::Constant;
  Held h;
  switch (c.kind) {
  case C::Tensor: {
    h.kind = Py::Tensor;
    // One tensor object behind several attributes stays one.
    h.slot = slotOf(path);
    Interpreter::Slot &slot = in.slots[h.slot];
    slot.dtype = c.tensor->dtype;
    slot.isParameter = isParameter;
    slot.requiresGrad = c.tensor->requiresGrad;
    slot.kind = isParameter ? StateKind::Parameter
                : isBuffer  ? StateKind::Mutable
                            : StateKind::Constant;
    h.type = RankedTensorType::get(c.tensor->sizes, elementType(context, c.tensor->dtype));
    h.dtype = c.tensor->dtype;
    h.requiresGrad = c.tensor->requiresGrad;
    h.isParameter = isParameter;
    slot.type = h.type;
    slot.initial = resourceOf(*c.tensor, h.type);
    slot.hasInitial = true;
    auto [first, isNew] = aliases.try_emplace(c.identity, h.slot);
    if (!isNew && in.slots[first->second].type == h.type)
      h.sameAs = first->second;
    h.strides.emplace(c.tensor->strides.begin(), c.tensor->strides.end());
    return h;
  }
  case C::List:
  case C::Tuple:
  case C::Dict: {
    h.kind = c.kind == C::List ? Py::List : c.kind == C::Tuple ? Py::Tuple : Py::Dict;
    h.text = c.type;
    h.names = c.names;
    auto grow = widening.lists.find(path);
    if (c.kind == C::List && grow != widening.lists.end()) {
      h.slot = slotOf(path);
      Interpreter::Slot &slot = in.slots[h.slot];
      slot.isList = true;
      slot.dtype = grow->second.second;
      slot.type = ListType::get(context, grow->second.first);
      for (const C &item : c.items)
        slot.elements.push_back(resourceOf(
            *item.tensor, RankedTensorType::get(item.tensor->sizes,
                                                elementType(context, item.tensor->dtype))));
      h.growing = true;
      return h;
    }
    for (auto [i, item] : llvm::enumerate(c.items)) {
      std::string name = std::to_string(i);
      if (c.kind == C::Dict && i % 2)
        name = c.items[i - 1].kind == C::String ? c.items[i - 1].s
                                                : std::to_string(c.items[i - 1].i);
      h.items.push_back(holdConstant(item, joined(path, name), false, isBuffer));
    }
    return h;
  }
  case C::Object:
    h.kind = Py::Object;
    h.object = makeInstance(c.object, path);
    if (!held.count(h.object.get()))
      holdAttributes(h.object);
    return h;
  case C::Generator:
    h.kind = Py::Poison;
    h.text = "a torch.Generator, which TorchScript cannot save";
    return h;
  case C::Unsupported:
    h.kind = Py::Poison;
    h.text = "a value of type '" + c.s + "', which is not supported";
    return h;
  case C::Int:
  case C::Float:
  case C::Bool:
    if (widening.scalars.count(path)) {
      h.kind = c.kind == C::Int ? Py::Int : c.kind == C::Float ? Py::Float : Py::Bool;
      h.slot = slotOf(path);
      Interpreter::Slot &slot = in.slots[h.slot];
      slot.isPython = true;
      slot.dtype = h.dtype = c.kind == C::Int ? DType::Int64 : c.kind == C::Float ? DType::Double : DType::Bool;
      h.type = RankedTensorType::get({}, elementType(context, slot.dtype));
      slot.type = h.type;
      slot.hasInitial = true;
      Builder b(context);
      Attribute number = c.kind == C::Float ? Attribute(b.getF64FloatAttr(c.f))
                         : c.kind == C::Int ? Attribute(b.getI64IntegerAttr(c.i))
                                            : Attribute(b.getBoolAttr(c.i));
      slot.initial = DenseElementsAttr::get(h.type, ArrayRef<Attribute>{number});
      return h;
    }
    [[fallthrough]];
  default:
    h.constant = std::make_shared<Py>(in.fromConstant(c));
    h.kind = h.constant->kind;
    return h;
  }
}

void ModuleImporter::holdAttributes(const std::shared_ptr<Instance> &object) {
  auto &mine = held[object.get()];
  for (const script::Attribute &a : object->object->attributes) {
    Held h;
    try {
      h = holdConstant(a.value, joined(object->path, a.name), a.isParameter, a.isBuffer);
    } catch (ImportError &e) {
      h.kind = Py::Poison;
      h.text = e.what();
    }
    mine.push_back({a.name, std::move(h)});
  }
}

int ModuleImporter::slotOf(const std::string &path) {
  auto [entry, isNew] = slotByPath.try_emplace(path, (int)in.slots.size());
  if (isNew) {
    in.slots.emplace_back();
    in.slots.back().path = path;
  }
  return entry->second;
}

ElementsAttr ModuleImporter::resourceOf(const script::TensorData &data, RankedTensorType type) {
  ArrayRef<char> bytes(data.bytes, data.numBytes);
  if (data.dtype == DType::Bool || bytes.size() <= 64 * 8) {
    if (data.dtype == DType::Bool) {
      SmallVector<bool> values(bytes.begin(), bytes.end());
      return DenseElementsAttr::get(type, ArrayRef<bool>(values));
    }
    if (bytes.empty())
      return DenseElementsAttr::get(type, ArrayRef<Attribute>());
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  }
  // Gigabytes stay where they are, in the file if they can.
  AsmResourceBlob blob =
      reinterpret_cast<uintptr_t>(bytes.data()) % 8
          ? HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, 8)
          : UnmanagedAsmResourceBlob::allocateWithAlign(
                bytes, 8, [owner = data.owner](void *, size_t, size_t) {});
  return DenseResourceElementsAttr::get(type, "state", std::move(blob));
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

void ModuleImporter::importEntry(const std::string &method, int phase) {
  State before = phases[phase];
  phaseBefore = phase;
  loaded.clear();
  storages.clear();
  groups.clear();
  in.links.clear();
  in.followsAliases = widening.aliases.count(method);
  in.metAlias = false;
  auto onExit = llvm::make_scope_exit([&] {
    if (in.metAlias)
      wanted.aliases.insert(method);
  });
  script::Function &fn = *in.root->object->methods.at(method);

  auto func = FuncOp::create(in.b, method, FunctionType::get(context, {}, {}));
  func.getBody().getBlocks().clear();
  Block *block = new Block();
  func.getBody().push_back(block);
  OpBuilder::InsertionGuard guard(in.b);
  in.b.setInsertionPointToEnd(block);
  in.entryBlock = block;
  for (auto &[object, attributes] : before) {
    object->attributes.clear();
    for (auto &[name, h] : attributes)
      if (h.sameAs < 0)
        object->attributes.push_back({name, release(h)});
      else
        object->attributes.push_back({name, Py()});
  }
  // Attributes that are another one's tensor, or a view of it.
  for (auto &[object, attributes] : before)
    for (auto &[name, h] : attributes)
      if (h.sameAs >= 0)
        *object->find(name) = release(h);
  in.generator = std::make_shared<Storage>();
  mlir::Value generator = in.generator->value =
      in.loadSlot(in.generatorSlot, GeneratorType::get(context));

  watchState();

  Arguments args(in, method, fn, options);
  args.make(block);
  std::vector<Py> values = {objectOf(in.root)};
  values.insert(values.end(), args.values.begin(), args.values.end());
  Py result = in.callFunction(fn, std::move(values));
  if (!in.problems.empty())
    return;

  EntryResults results = flatten(in, result);
  State after = snapshot(before);
  if (wanted.any())
    return;
  if (in.generator->value != generator) {
    StoreOp::create(in.b, in.generator->value, in.symbolOf(in.generatorSlot));
    usesGenerator = true;
  }
  int next = phaseOf(std::move(after));
  ReturnOp::create(in.b, results.values);
  eraseDead(*block);

  SmallVector<Type> inputs(block->getArgumentTypes());
  SmallVector<Type> outputs(ValueRange(results.values).getTypes());
  func.setFunctionType(FunctionType::get(context, inputs, outputs));
  if (phase)
    func.setSymName((method + "_" + std::to_string(phase)));
  Builder b(context);
  auto strings = [&](const std::vector<std::string> &list) {
    SmallVector<Attribute> attrs;
    for (const std::string &s : list)
      attrs.push_back(b.getStringAttr(s));
    return b.getArrayAttr(attrs);
  };
  func->setAttr("entry", b.getDictionaryAttr({
      b.getNamedAttr("name", b.getStringAttr(method)),
      b.getNamedAttr("phase", b.getI64IntegerAttr(phase)),
      b.getNamedAttr("next", b.getI64IntegerAttr(next)),
      b.getNamedAttr("arg_names", strings(args.names)),
      b.getNamedAttr("arg_dtypes", strings(args.dtypes)),
      b.getNamedAttr("result_dtypes", strings(results.dtypes)),
      b.getNamedAttr("args", b.getStringAttr(args.structure)),
      b.getNamedAttr("results", b.getStringAttr(results.structure))}));
}

/// What an attribute holds, if that is a whole tensor or a list that grows.
static mlir::Value wholeOf(const Py &v) {
  if (v.isTensor() && v.tensor->chain.empty() && v.tensor->storage->poison.empty())
    return v.tensor->storage->value;
  if (v.items && v.items->growSlot >= 0)
    return v.items->handle;
  return {};
}

void ModuleImporter::watchState() {
  watched.clear();
  lastChanges = 0;
  auto numberOf = [&](const std::string &name) {
    auto [entry, isNew] = stateByName.try_emplace(name, (int)in.stateNames.size());
    if (isNew)
      in.stateNames.push_back(name);
    return entry->second;
  };
  for (const std::shared_ptr<Instance> &object : order)
    for (auto [i, attribute] : llvm::enumerate(object->attributes)) {
      const Py &v = attribute.second;
      if (v.isTensor() || v.isNone() || (v.items && v.items->growSlot >= 0))
        watched.push_back({object, i, numberOf(joined(object->path, attribute.first)), wholeOf(v)});
    }
  numberOf("__generator__");
  firstGenerator = in.generator->value;
}

Interpreter::StateNow ModuleImporter::stateNow() {
  if (lastChanges == in.cellChanges + 1)
    return lastState;
  lastState = {};
  for (const Watched &w : watched)
    if (mlir::Value now = wholeOf(w.object->attributes[w.attribute].second); now && now != w.first) {
      lastState.numbers.push_back(w.number);
      lastState.values.push_back(now);
    }
  if (in.generator->value != firstGenerator) {
    lastState.numbers.push_back(stateByName["__generator__"]);
    lastState.values.push_back(in.generator->value);
  }
  lastChanges = in.cellChanges + 1;
  return lastState;
}

Py ModuleImporter::objectOf(const std::shared_ptr<Instance> &instance) {
  Py v;
  v.kind = Py::Object;
  v.object = instance;
  return v;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

OwningOpRef<mlir::ModuleOp> ModuleImporter::run(const std::vector<std::string> &methods) {
  OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(UnknownLoc::get(context));
  in.b.setInsertionPointToEnd(module->getBody());
  in.root = makeInstance(program.root, "");
  holdAttributes(in.root);
  in.generatorSlot = slotOf("__generator__");
  Interpreter::Slot &generator = in.slots[in.generatorSlot];
  generator.isGenerator = true;
  generator.type = GeneratorType::get(context);
  for (size_t i = 0; i < in.slots.size(); ++i)
    newSlotModule(i, in.slots[i].path);

  StringRef className = StringRef(program.root->type).rsplit('.').second;
  if (className.empty())
    className = program.root->type;
  auto top = evox::ModuleOp::create(in.b, className);
  if (top.getBody().empty())
    top.getBody().push_back(new Block());
  in.b.setInsertionPointToEnd(top.getBodyBlock());

  State first;
  for (auto &instance : order)
    first.push_back({instance, held[instance.get()]});
  phaseOf(std::move(first));
  for (size_t phase = 0; phase < phases.size(); ++phase) {
    if (phases.size() > 12) {
      widenFrom();
      if (!wanted.any())
        throw ImportError("the state changes its types or Python values again and "
                          "again: more than 12 phases are reached");
      return nullptr;
    }
    for (const std::string &method : methods) {
      importEntry(method, phase);
      if (wanted.any())
        return nullptr;
    }
    if (!in.problems.empty())
      return nullptr;
  }
  emitSlots(top);
  std::vector<SymbolRefAttr> symbols;
  for (const std::string &name : in.stateNames) {
    auto slot = slotByPath.find(name);
    bool isSlot = slot != slotByPath.end() && !in.slots[slot->second].symbol.empty();
    symbols.push_back(isSlot ? in.symbolOf(slot->second) : SymbolRefAttr());
  }
  outlineCalls(top, in, symbols);
  phaseCount = phases.size();
  return module;
}

void ModuleImporter::emitSlots(evox::ModuleOp top) {
  Builder attr(context);
  std::map<std::string, evox::ModuleOp> modules;
  modules[""] = top;
  std::function<evox::ModuleOp(ArrayRef<std::string>)> moduleAt =
      [&](ArrayRef<std::string> path) {
        std::string key;
        for (const std::string &part : path)
          key += "." + part;
        evox::ModuleOp &known = modules[key];
        if (!known) {
          evox::ModuleOp parent = moduleAt(path.drop_back());
          OpBuilder b = OpBuilder::atBlockBegin(parent.getBodyBlock());
          known = evox::ModuleOp::create(b, UnknownLoc::get(context), path.back());
          if (known.getBody().empty())
            known.getBody().push_back(new Block());
        }
        return known;
      };
  std::map<Operation *, Operation *> last;
  for (size_t i = 0; i < in.slots.size(); ++i) {
    Interpreter::Slot &slot = in.slots[i];
    if (slot.isGenerator && !usesGenerator)
      continue;
    evox::ModuleOp parent = moduleAt(in.slotModules[i]);
    OpBuilder b = OpBuilder::atBlockBegin(parent.getBodyBlock());
    if (last.count(parent))
      b.setInsertionPointAfter(last[parent]);
    SmallVector<Attribute> others;
    if (!slot.type && !slot.types.empty())
      slot.type = slot.types[0];
    if (!slot.type)
      continue;
    for (Type t : slot.types)
      if (t != slot.type)
        others.push_back(TypeAttr::get(t));
    ArrayAttr elements;
    if (slot.isList)
      elements = b.getArrayAttr(slot.elements);
    bool wantsDType = slot.dtype == DType::UInt8 || slot.dtype == DType::Int8;
    auto op = StateOp::create(
        b, UnknownLoc::get(context), slot.isGenerator || slot.isList ? StateKind::Mutable : slot.kind,
        slot.symbol, slot.path, slot.type, cast_or_null<ElementsAttr>(slot.initial),
        others.empty() ? ArrayAttr() : b.getArrayAttr(others), elements,
        wantsDType ? b.getStringAttr(dtypeName(slot.dtype)) : StringAttr());
    if (slot.requiresGrad)
      op->setAttr("requires_grad", b.getUnitAttr());
    if (slot.isPython)
      op->setAttr("python", b.getUnitAttr());
    last[parent] = op;
  }
  if (phases.size() < 2)
    return;
  SmallVector<Attribute> table;
  for (const State &state : phases) {
    SmallVector<NamedAttribute> types;
    std::string python;
    llvm::raw_string_ostream os(python);
    llvm::json::OStream json(os);
    json.objectBegin();
    std::function<void(const Held &, const std::string &)> walk = [&](const Held &h, const std::string &path) {
      if ((h.kind == Py::Tensor || (h.slot >= 0 && !h.growing)) && h.type != in.slots[h.slot].type)
        types.push_back(attr.getNamedAttr(in.slots[h.slot].path, TypeAttr::get(h.type)));
      if (h.constant && h.slot < 0) {
        switch (h.constant->kind) {
        case Py::Int: json.attribute(path, h.constant->i); break;
        case Py::Bool: json.attribute(path, h.constant->i != 0); break;
        case Py::Float: json.attribute(path, h.constant->f); break;
        case Py::String: json.attribute(path, h.constant->s); break;
        case Py::None: // in this phase; a tensor in another one
          if (slotByPath.count(path))
            json.attribute(path, nullptr);
          break;
        default: break;
        }
      }
      for (auto [i, item] : llvm::enumerate(h.items))
        walk(item, joined(path, std::to_string(i)));
    };
    for (const auto &[object, attributes] : state)
      for (const auto &[name, h] : attributes)
        walk(h, joined(object->path, name));
    json.objectEnd();
    os.flush();
    SmallVector<NamedAttribute> row = {attr.getNamedAttr("python", attr.getStringAttr(python))};
    if (!types.empty())
      row.push_back(attr.getNamedAttr("types", attr.getDictionaryAttr(types)));
    table.push_back(attr.getDictionaryAttr(row));
  }
  top->setAttr("phases", attr.getArrayAttr(table));
}

//===----------------------------------------------------------------------===//
// importTorchScript
//===----------------------------------------------------------------------===//

static std::vector<std::string> chooseMethods(script::Program &program,
                                              const ImportOptions &options) {
  std::string names;
  for (auto &[name, fn] : program.root->methods)
    names += (names.empty() ? "" : ", ") + name;
  for (const std::string &name : options.methods)
    if (!program.root->methods.count(name))
      throw ImportError("unknown method '" + name + "'; the module has: " + names);
  for (auto &[name, types] : options.inputs)
    if (!program.root->methods.count(name))
      throw ImportError("--input names an unknown method '" + name + "'; the module has: " + names);
  for (auto &[name, dims] : options.dynamic)
    if (!program.root->methods.count(name))
      throw ImportError("--dynamic names an unknown method '" + name + "'; the module has: " + names);
  std::vector<std::string> result = options.methods;
  if (result.empty()) {
    for (auto &[name, fn] : program.root->methods) {
      bool isReady = options.inputs.count(name) || fn->argNames.size() <= 1;
      if (isReady && (options.inputs.count(name) || name[0] != '_'))
        result.push_back(name);
    }
    if (result.empty() && program.root->methods.count("forward"))
      result.push_back("forward");
  }
  for (auto &[name, dims] : options.dynamic)
    if (!llvm::is_contained(result, name))
      throw ImportError("--dynamic names method '" + name +
                        "', which is not exported: name it by --method too");
  if (result.empty())
    throw ImportError("no method to export: each one takes arguments or is "
                      "private; name one by --method and its arguments by --input. "
                      "The module has: " + (names.empty() ? "no methods" : names));
  return result;
}

/// Imports these methods, widening what has to be; emits diagnostics.
static OwningOpRef<mlir::ModuleOp>
importMethods(MLIRContext &context, script::Program &program, Location unknown,
              const std::vector<std::string> &methods, const ImportOptions &options,
              ImportStats *stats) {
  auto at = [&](const script::Location &loc) -> Location {
    if (loc.file.empty())
      return unknown;
    return FileLineColLoc::get(&context, loc.file, loc.line, loc.column);
  };
  OwningOpRef<mlir::ModuleOp> module;
  try {
    Widening widening;
    for (int attempt = 0; attempt < 20 && !module; ++attempt) {
      ModuleImporter importer(&context, program, options, widening);
      auto report = [&] {
        std::set<std::pair<std::string, std::string>> said;
        for (const Interpreter::Problem &p : importer.in.problems)
          if (said.insert({p.text, p.loc.file + ":" + std::to_string(p.loc.line)}).second)
            emitError(at(p.loc)) << (p.isRefusal ? p.text : "unsupported op '" + p.text + "'");
      };
      auto tryWithAliases = [&] {
        size_t known = widening.aliases.size();
        widening.aliases.insert(importer.wanted.aliases.begin(), importer.wanted.aliases.end());
        return widening.aliases.size() > known;
      };
      try {
        module = importer.run(methods);
      } catch (...) {
        if (tryWithAliases())
          continue;
        report();
        throw;
      }
      if (!importer.in.problems.empty()) {
        if (tryWithAliases())
          continue;
        report();
        return nullptr;
      }
      if (!module && !widening.join(importer.wanted))
        break;
      if (module && stats) {
        stats->phases = importer.phaseCount;
        module->walk([&](Operation *) { ++stats->operations; });
      }
    }
    if (!module)
      throw ImportError("the types of the state do not settle");
  } catch (const ImportError &e) {
    emitError(at(e.loc)) << e.what();
    return nullptr;
  } catch (const std::exception &e) {
    emitError(unknown) << e.what();
    return nullptr;
  }
  if (failed(verify(*module)))
    return nullptr;
  return module;
}

/// Leaves out the methods that do not import on their own, with a warning each.
static std::vector<std::string> importable(MLIRContext &context, script::Program &program,
                                           Location unknown,
                                           const std::vector<std::string> &methods,
                                           const ImportOptions &options) {
  std::vector<std::string> good;
  for (const std::string &method : methods) {
    std::string texts;
    bool isGood;
    {
      ScopedDiagnosticHandler handler(&context, [&](Diagnostic &d) {
        if (d.getSeverity() == DiagnosticSeverity::Error) {
          std::string text = d.str();
          std::replace(text.begin(), text.end(), '\n', ' ');
          texts += (texts.empty() ? "" : "; ") + text;
        }
        return success();
      });
      isGood = (bool)importMethods(context, program, unknown, {method}, options, nullptr);
    }
    if (isGood)
      good.push_back(method);
    else
      emitWarning(unknown) << "method '" << method << "' is left out: " << texts;
  }
  return good;
}

OwningOpRef<mlir::ModuleOp> evox::importTorchScript(MLIRContext &context, StringRef path,
                                                    const ImportOptions &given,
                                                    ImportStats *stats) {
  context.loadDialect<EvoxDialect, arith::ArithDialect, math::MathDialect,
                      tensor::TensorDialect, linalg::LinalgDialect, scf::SCFDialect>();
  Location unknown = FileLineColLoc::get(&context, path, 0, 0);
  std::unique_ptr<script::Program> program;
  std::vector<std::string> methods;
  ImportOptions options = given;
  std::optional<Transforms> transforms;
  try {
    program = script::loadProgram(path.str());
    transforms.emplace(options, *program);
    methods = chooseMethods(*program, options);
  } catch (const std::exception &e) {
    emitError(unknown) << e.what();
    return nullptr;
  }
  auto start = std::chrono::steady_clock::now();
  if (options.keepGoing) {
    methods = importable(context, *program, unknown, methods, options);
    if (methods.empty()) {
      emitError(unknown) << "no method could be imported";
      return nullptr;
    }
  }
  OwningOpRef<mlir::ModuleOp> module =
      importMethods(context, *program, unknown, methods, options, stats);
  if (module) {
    try {
      transforms->finish(*module);
      for (auto top : module->getOps<evox::ModuleOp>())
        eraseUncalled(top);
    } catch (const ImportError &e) {
      emitError(unknown) << e.what();
      return nullptr;
    }
    if (failed(verify(*module)))
      return nullptr;
  }
  if (stats) {
    stats->libtorchSeconds = program->seconds;
    stats->importSeconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return module;
}
