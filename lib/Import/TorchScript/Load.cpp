//===- Load.cpp - Reading TorchScript with LibTorch -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The only files that see LibTorch are this one and Archive.

#include "../ScriptIR.h"
#include "Archive.h"
#include "Prelude.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/frontend/error_report.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

using namespace evox::script;
namespace jit = torch::jit;

namespace {

class TorchProgram : public Program {
public:
  void load(const std::string &path);
  Function *decomposition(const std::string &name) override;

private:
  Constant convert(const c10::IValue &value);
  std::shared_ptr<TensorData> convertTensor(const at::Tensor &tensor);
  Object *convertObject(const c10::intrusive_ptr<c10::ivalue::Object> &object);
  Object *convertClass(const c10::ClassTypePtr &type);
  Function *convertFunction(jit::Function &fn);
  Function *convertGraph(const std::shared_ptr<jit::Graph> &graph);
  void convertBlock(Function &fn, jit::Block *block, Block &out,
                    std::unordered_map<const jit::Value *, int> &ids);
  std::unique_ptr<Node>
  convertNode(Function &fn, jit::Node *node,
              std::unordered_map<const jit::Value *, int> &ids);

  std::shared_ptr<Archive> archive;
  std::unique_ptr<jit::Module> module;
  std::shared_ptr<jit::CompilationUnit> unit;
  std::unordered_map<const void *, Object *> objects;
  std::unordered_map<const void *, Function *> functions;
  std::vector<std::unique_ptr<Object>> ownedObjects;
  std::vector<std::unique_ptr<Function>> ownedFunctions;
  std::map<std::string, std::pair<std::shared_ptr<jit::CompilationUnit>, Function *>> prelude;
};

std::shared_ptr<TensorData> TorchProgram::convertTensor(const at::Tensor &t) {
  auto data = std::make_shared<TensorData>();
  data->dtype = static_cast<DType>(t.scalar_type());
  data->requiresGrad = t.requires_grad();
  if (t.layout() != at::kStrided)
    throw std::runtime_error("a sparse tensor is not supported");
  data->sizes = t.sizes().vec();
  data->strides = t.strides().vec();
  data->offset = t.storage_offset();
  data->storage = t.storage().unsafeGetStorageImpl();
  data->storageNumel = t.storage().nbytes() / t.element_size();
  data->numBytes = t.nbytes();
  const char *unread = archive ? archive->unread(t.storage()) : nullptr;
  if (unread && t.is_contiguous()) {
    data->bytes = unread + t.storage_offset() * t.element_size();
    data->owner = archive;
    return data;
  }
  if (unread)
    archive->load(t.storage());
  auto owner = std::make_shared<at::Tensor>(t.detach().cpu().contiguous());
  data->bytes = static_cast<const char *>(owner->const_data_ptr());
  data->owner = std::move(owner);
  return data;
}

Constant TorchProgram::convert(const c10::IValue &v) {
  Constant c;
  if (v.isNone())
    return c;
  if (v.isTensor()) {
    if (!v.toTensor().defined())
      return c;
    c.kind = Constant::Tensor;
    c.tensor = convertTensor(v.toTensor());
    c.identity = v.toTensor().unsafeGetTensorImpl();
  } else if (v.isBool()) {
    c.kind = Constant::Bool;
    c.i = v.toBool();
  } else if (v.isInt()) {
    c.kind = Constant::Int;
    c.i = v.toInt();
  } else if (v.isDouble()) {
    c.kind = Constant::Float;
    c.f = v.toDouble();
  } else if (v.isComplexDouble()) {
    c.kind = Constant::Complex;
    c.f = v.toComplexDouble().real();
    c.imag = v.toComplexDouble().imag();
  } else if (v.isString()) {
    c.kind = Constant::String;
    c.s = v.toStringRef();
  } else if (v.isDevice()) {
    c.kind = Constant::Device;
    c.s = v.toDevice().str();
  } else if (v.isList()) {
    c.kind = Constant::List;
    c.identity = v.internalToPointer();
    c.type = v.type()->annotation_str();
    for (const c10::IValue &item : v.toListRef())
      c.items.push_back(convert(item));
  } else if (v.isTuple()) {
    c.kind = Constant::Tuple;
    for (const c10::IValue &item : v.toTupleRef().elements())
      c.items.push_back(convert(item));
    if (auto tuple = v.type()->cast<c10::TupleType>())
      if (tuple->schema())
        for (const c10::Argument &arg : tuple->schema()->arguments())
          c.names.push_back(arg.name());
  } else if (v.isGenericDict()) {
    c.kind = Constant::Dict;
    c.identity = v.internalToPointer();
    c.type = v.type()->annotation_str();
    for (const auto &entry : v.toGenericDict()) {
      c.items.push_back(convert(entry.key()));
      c.items.push_back(convert(entry.value()));
    }
  } else if (v.isEnum()) {
    c.kind = Constant::Enum;
    c.s = v.toEnumHolder()->qualifiedClassName() + "." + v.toEnumHolder()->name();
    c.items.push_back(convert(v.toEnumHolder()->value()));
  } else if (v.isGenerator()) {
    c.kind = Constant::Generator;
  } else if (v.isObject()) {
    c.kind = Constant::Object;
    c.object = convertObject(v.toObject());
  } else {
    c.kind = Constant::Unsupported;
    c.s = v.type()->str();
  }
  return c;
}

Object *TorchProgram::convertObject(
    const c10::intrusive_ptr<c10::ivalue::Object> &object) {
  Object *&known = objects[object.get()];
  if (known)
    return known;
  ownedObjects.push_back(std::make_unique<Object>());
  Object *result = known = ownedObjects.back().get();
  c10::ClassTypePtr type = object->type();
  result->type = type->name() ? type->name()->qualifiedName() : "?";
  result->isModule = type->is_module();
  for (size_t i = 0; i < type->numAttributes(); ++i) {
    Attribute attr;
    attr.name = type->getAttributeName(i);
    attr.type = type->getAttribute(i)->annotation_str();
    attr.isParameter = type->is_module() && type->is_parameter(i);
    attr.isBuffer = type->is_module() && type->is_buffer(i);
    try {
      attr.value = convert(object->getSlot(i));
    } catch (const std::exception &e) {
      attr.value.kind = Constant::Unsupported;
      attr.value.s = e.what();
    }
    result->attributes.push_back(std::move(attr));
  }
  for (size_t i = 0; i < type->numConstants(); ++i) {
    Attribute attr;
    attr.name = type->getConstantName(i);
    attr.value = convert(type->getConstant(i));
    result->attributes.push_back(std::move(attr));
  }
  for (jit::Function *method : type->methods())
    result->methods[method->name()] = convertFunction(*method);
  return result;
}

Function *TorchProgram::convertFunction(jit::Function &fn) {
  Function *&known = functions[&fn];
  if (known)
    return known;
  ownedFunctions.push_back(std::make_unique<Function>());
  Function *result = known = ownedFunctions.back().get();
  result->name = fn.name();
  jit::Function *source = &fn;
  for (const c10::Argument &arg : fn.getSchema().arguments()) {
    result->argNames.push_back(arg.name());
    result->argTypes.push_back(arg.type()->annotation_str());
    result->hasDefault.push_back(arg.default_value().has_value());
    result->argDefaults.push_back(
        arg.default_value() ? convert(*arg.default_value()) : Constant());
  }
  if (!fn.getSchema().returns().empty())
    result->returnType = fn.getSchema().returns()[0].type()->annotation_str();
  result->load = [this, source](Function &out) {
    source->ensure_defined();
    jit::GraphFunction *graphFn = jit::tryToGraphFunction(*source);
    if (!graphFn)
      throw std::runtime_error("'" + source->name() + "' has no graph");
    auto graph = graphFn->graph();
    std::unordered_map<const jit::Value *, int> ids;
    convertBlock(out, graph->block(), out.body, ids);
  };
  return result;
}

/// A class without values: what an object made by the program starts from.
Object *TorchProgram::convertClass(const c10::ClassTypePtr &type) {
  Object *&known = objects[type.get()];
  if (known)
    return known;
  ownedObjects.push_back(std::make_unique<Object>());
  Object *result = known = ownedObjects.back().get();
  result->type = type->name() ? type->name()->qualifiedName() : "?";
  result->isModule = false;
  for (size_t i = 0; i < type->numConstants(); ++i) {
    Attribute attr;
    attr.name = type->getConstantName(i);
    attr.value = convert(type->getConstant(i));
    result->attributes.push_back(std::move(attr));
  }
  for (jit::Function *method : type->methods())
    result->methods[method->name()] = convertFunction(*method);
  return result;
}

/// The body of a fork: what it captures are its arguments.
Function *TorchProgram::convertGraph(const std::shared_ptr<jit::Graph> &graph) {
  ownedFunctions.push_back(std::make_unique<Function>());
  Function *result = ownedFunctions.back().get();
  result->name = "fork";
  for (jit::Value *input : graph->inputs()) {
    result->argNames.push_back(input->debugName());
    result->argTypes.push_back(input->type()->annotation_str());
    result->hasDefault.push_back(false);
    result->argDefaults.emplace_back();
  }
  result->load = [this, graph](Function &out) {
    std::unordered_map<const jit::Value *, int> ids;
    convertBlock(out, graph->block(), out.body, ids);
  };
  return result;
}

std::unique_ptr<Node>
TorchProgram::convertNode(Function &fn, jit::Node *node,
                          std::unordered_map<const jit::Value *, int> &ids) {
  auto out = std::make_unique<Node>();
  out->kind = node->kind().toQualString();
  if (const c10::FunctionSchema *schema = node->maybeSchema()) {
    out->overload = schema->overload_name();
    for (const c10::Argument &arg : schema->arguments())
      out->argNames.push_back(arg.name());
  }
  // A saved program knows the Python file that its code was made from.
  jit::SourceRange range = node->sourceRange();
  if (range.source())
    if (auto original = range.source()->findSourceRangeThatGenerated(range))
      range = *original;
  if (auto position = range.file_line_col()) {
    out->loc.file = std::get<0>(*position);
    out->loc.line = std::get<1>(*position);
    out->loc.column = std::get<2>(*position);
  }
  for (jit::Value *input : node->inputs())
    out->inputs.push_back(ids.at(input));
  // LibTorch's executor (its pass CanonicalizeOps) takes a 0-d constant in
  // this place for a Python number, so that it does not widen the result.
  if (node->kind() == c10::aten::add || node->kind() == c10::aten::sub ||
      node->kind() == c10::aten::mul || node->kind() == c10::aten::div ||
      node->kind() == c10::aten::true_divide)
    if (jit::Node *other = node->inputs().size() > 1 ? node->input(1)->node() : nullptr)
      if (other->kind() == c10::prim::Constant && other->hasAttribute(c10::attr::value) &&
          other->kindOf(c10::attr::value) == jit::AttributeKind::t &&
          other->t(c10::attr::value).dim() == 0)
        out->attributes["numberOperand"].kind = Constant::Bool;
  for (jit::Value *output : node->outputs()) {
    int id = fn.numValues++;
    ids[output] = id;
    out->outputs.push_back(id);
    out->outputTypes.push_back(output->type()->annotation_str());
    if (output->type()->cast<c10::TupleType>() && node->kind() == c10::prim::TupleConstruct)
      if (auto schema = output->type()->cast<c10::TupleType>()->schema())
        for (const c10::Argument &arg : schema->arguments()) {
          out->typeAttribute.push_back(arg.name());
          out->fieldTypes.push_back(arg.type()->annotation_str());
        }
  }
  for (c10::Symbol name : node->attributeNames()) {
    Constant value;
    auto fillList = [&](const char *type, Constant::Kind kind, auto field, const auto &items) {
      value.kind = Constant::List;
      value.type = type;
      for (const auto &item : items) {
        value.items.emplace_back();
        value.items.back().kind = kind;
        value.items.back().*field = item;
      }
    };
    switch (node->kindOf(name)) {
    case jit::AttributeKind::i:
      value.kind = Constant::Int;
      value.i = node->i(name);
      break;
    case jit::AttributeKind::f:
      value.kind = Constant::Float;
      value.f = node->f(name);
      break;
    case jit::AttributeKind::s:
      value.kind = Constant::String;
      value.s = node->s(name);
      break;
    case jit::AttributeKind::c: {
      value.kind = Constant::Complex;
      value.f = node->c(name).real();
      value.imag = node->c(name).imag();
      break;
    }
    case jit::AttributeKind::t:
      value.kind = Constant::Tensor;
      value.tensor = convertTensor(node->t(name));
      break;
    case jit::AttributeKind::is:
      fillList("List[int]", Constant::Int, &Constant::i, node->is(name));
      break;
    case jit::AttributeKind::fs:
      fillList("List[float]", Constant::Float, &Constant::f, node->fs(name));
      break;
    case jit::AttributeKind::ss:
      fillList("List[str]", Constant::String, &Constant::s, node->ss(name));
      break;
    case jit::AttributeKind::ival:
      value = convert(node->ival(name));
      break;
    case jit::AttributeKind::tys:
      for (const c10::TypePtr &type : node->tys(name))
        out->typeAttribute.push_back(type->annotation_str());
      break;
    case jit::AttributeKind::g:
      value.kind = Constant::Function;
      value.function = convertGraph(node->g(name));
      break;
    case jit::AttributeKind::ty:
      out->typeAttribute.push_back(node->ty(name)->annotation_str());
      break;
    default:
      value.kind = Constant::Unsupported;
      value.s = name.toUnqualString();
    }
    out->attributes[name.toUnqualString()] = std::move(value);
  }
  if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
      node->output()->type()->kind() == c10::TypeKind::BoolType)
    out->attributes["value"].kind = Constant::Bool;
  if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
      node->output()->type()->kind() == c10::TypeKind::DeviceObjType)
    out->attributes["value"].kind = Constant::Device;
  if (auto fnType = node->kind() == c10::prim::Constant
                        ? node->output()->type()->cast<c10::FunctionType>()
                        : nullptr) {
    Constant value;
    value.kind = Constant::Function;
    value.function = convertFunction(*fnType->function());
    out->attributes["value"] = value;
  }
  if (node->kind() == c10::prim::CreateObject) {
    Constant &value = out->attributes["class"];
    value.kind = Constant::Object;
    value.object = convertClass(node->output()->type()->expect<c10::ClassType>());
  }
  for (jit::Block *block : node->blocks()) {
    out->blocks.push_back(std::make_unique<Block>());
    convertBlock(fn, block, *out->blocks.back(), ids);
  }
  return out;
}

void TorchProgram::convertBlock(
    Function &fn, jit::Block *block, Block &out,
    std::unordered_map<const jit::Value *, int> &ids) {
  for (jit::Value *input : block->inputs()) {
    ids[input] = fn.numValues;
    out.inputs.push_back(fn.numValues++);
  }
  for (jit::Node *node : block->nodes())
    out.nodes.push_back(convertNode(fn, node, ids));
  for (jit::Value *output : block->outputs())
    out.outputs.push_back(ids.at(output));
}

/// Defines a module by the text up to its end. `# buffer NAME = EXPR` declares
/// state; from `# module NAME` to `# end` stands a submodule.
static void defineText(jit::Module &module, std::istream &lines) {
  std::string source, line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hash, word, name, equals;
    words >> hash >> word >> name >> equals;
    if (hash != "#") {
      source += line;
    } else if (word == "end" && name.empty()) {
      break;
    } else if (word == "module" && !name.empty() && equals.empty()) {
      jit::Module submodule(c10::QualifiedName(*module.type()->name(), name),
                            module._ivalue()->compilation_unit());
      defineText(submodule, lines);
      module.register_module(name, submodule);
    } else if (word == "buffer" && equals == "=") {
      std::string expr;
      std::getline(words, expr);
      auto cu = std::make_shared<jit::CompilationUnit>();
      cu->define(std::nullopt, "def make():\n    return " + expr + "\n",
                 jit::nativeResolver(), nullptr);
      std::vector<c10::IValue> stack;
      cu->get_function("make").run(stack);
      module.register_buffer(name, stack.at(0).toTensor());
    }
    source += "\n";
  }
  module.define(source);
}

void TorchProgram::load(const std::string &path) {
  auto start = std::chrono::steady_clock::now();
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot open '" + path + "': " + std::strerror(errno));
  bool isText = path.size() > 3 && path.substr(path.size() - 3) == ".ts";
  if (isText) {
    module = std::make_unique<jit::Module>("__torch__.Program");
    try {
      defineText(*module, file);
    } catch (const std::exception &e) {
      throw std::runtime_error(e.what());
    }
  } else {
    char magic[4] = {};
    file.read(magic, 4);
    if (!file || magic[0] != 'P' || magic[1] != 'K')
      throw std::runtime_error(
          "not a TorchScript file: '" + path +
          "' is no zip archive as torch.jit.save writes it");
    file.close();
    try {
      archive = Archive::open(path);
      module = std::make_unique<jit::Module>(
          archive ? jit::load(archive, c10::kCPU) : jit::load(path, c10::kCPU));
    } catch (const c10::Error &e) {
      std::string text = e.what_without_backtrace();
      bool plain = text.find("constants.pkl") != std::string::npos;
      throw std::runtime_error(
          plain ? "'" + path +
                      "' holds no TorchScript code: it was written by "
                      "torch.save; use torch.jit.save of a scripted or traced "
                      "module"
                : "cannot read '" + path + "' (truncated or damaged?): " +
                      text.substr(0, text.find('\n')));
    }
  }
  root = convertObject(module->_ivalue());
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
                .count();
}

/// The text of one prelude function and of those that it calls.
Function *TorchProgram::decomposition(const std::string &name) {
  auto found = prelude.find(name);
  if (found != prelude.end())
    return found->second.second;
  static const std::map<std::string, std::string> &texts = preludeFunctions();
  if (!texts.count(name))
    return nullptr;
  std::vector<std::string> work = {name};
  std::unordered_set<std::string> seen = {name};
  std::string source;
  while (!work.empty()) {
    std::string current = work.back();
    work.pop_back();
    const std::string &text = texts.at(current);
    source += text + "\n";
    for (size_t at = text.find("aten_"); at != std::string::npos;
         at = text.find("aten_", at + 1)) {
      size_t end = at;
      while (end < text.size() && (isalnum(text[end]) || text[end] == '_'))
        ++end;
      std::string callee = text.substr(at, end - at);
      if ((at == 0 || !(isalnum(text[at - 1]) || text[at - 1] == '_')) &&
          texts.count(callee) && seen.insert(callee).second)
        work.push_back(callee);
    }
  }
  auto cu = std::make_shared<jit::CompilationUnit>();
  try {
    cu->define(std::nullopt, source, jit::nativeResolver(), nullptr);
  } catch (const std::exception &e) {
    throw std::runtime_error("prelude function '" + name + "': " + e.what());
  }
  Function *fn = convertFunction(cu->get_function(name));
  prelude[name] = {cu, fn};
  return fn;
}

} // namespace

std::unique_ptr<Program> evox::script::loadProgram(const std::string &path) {
  auto program = std::make_unique<TorchProgram>();
  try {
    program->load(path);
  } catch (const c10::Error &e) {
    throw std::runtime_error(e.what_without_backtrace());
  }
  return program;
}
