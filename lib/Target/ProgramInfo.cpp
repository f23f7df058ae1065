//===- ProgramInfo.cpp - What a library knows of its program --------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Target/ProgramInfo.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "evox/Runtime/Program.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace evox;

namespace {
struct DtypeRow {
  int32_t dtype;
  const char *name, *cType;
  int64_t size;
};
} // namespace

static const DtypeRow dtypes[] = {
    {EVOX_UINT8, "uint8", "uint8_t", 1},
    {EVOX_INT8, "int8", "int8_t", 1},
    {EVOX_INT16, "int16", "int16_t", 2},
    {EVOX_INT32, "int32", "int32_t", 4},
    {EVOX_INT64, "int64", "int64_t", 8},
    {EVOX_FLOAT16, "float16", "uint16_t", 2},
    {EVOX_FLOAT32, "float32", "float", 4},
    {EVOX_FLOAT64, "float64", "double", 8},
    {EVOX_BOOL, "bool", "uint8_t", 1},
    {EVOX_BFLOAT16, "bfloat16", "uint16_t", 2},
};

static const DtypeRow &getRow(int32_t dtype) {
  for (const DtypeRow &row : dtypes)
    if (row.dtype == dtype)
      return row;
  llvm_unreachable("dtypes are checked where they come in");
}
StringRef evox::getDtypeName(int32_t dtype) { return getRow(dtype).name; }
StringRef evox::getDtypeCType(int32_t dtype) { return getRow(dtype).cType; }
int64_t evox::getDtypeSize(int32_t dtype) { return getRow(dtype).size; }

/// What is no identifier in C or C++.
static bool isKeyword(StringRef text) {
  static const llvm::StringSet<> keywords = {
      "alignas",  "alignof",   "and",      "and_eq",    "asm",      "auto",
      "bitand",   "bitor",     "bool",     "break",     "case",     "catch",
      "char",     "class",     "compl",    "concept",   "const",    "constexpr",
      "continue", "decltype",  "default",  "delete",    "do",       "double",
      "else",     "enum",      "explicit", "export",    "extern",   "false",
      "float",    "for",       "friend",   "goto",      "if",       "inline",
      "int",      "long",      "mutable",  "namespace", "new",      "noexcept",
      "not",      "not_eq",    "nullptr",  "operator",  "or",       "or_eq",
      "private",  "protected", "public",   "register",  "requires", "restrict",
      "return",   "short",     "signed",   "sizeof",    "static",   "struct",
      "switch",   "template",  "this",     "throw",     "true",     "try",
      "typedef",  "typeid",    "typename", "union",     "unsigned", "using",
      "virtual",  "void",      "volatile", "wchar_t",   "while",    "xor",
      "xor_eq"};
  return keywords.contains(text);
}

std::string evox::makeIdentifier(StringRef text) {
  std::string name;
  for (char c : text)
    name += llvm::isAlnum(c) ? c : '_';
  if (name.empty() || llvm::isDigit(name.front()))
    name = "_" + name;
  if (isKeyword(name))
    name += "_";
  return name;
}

/// The type as `name`, a dtype, tells it; an empty name takes what the element
/// type says by itself.
static FailureOr<TensorInfo> getTensorInfo(Operation *op, Type type,
                                           StringRef name, const Twine &what) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    op->emitOpError() << what << " is a " << type << ", and not a tensor";
    return failure();
  }
  if (tensor.getRank() > EVOX_MAX_RANK) {
    op->emitOpError() << what << " has " << tensor.getRank()
                      << " dimensions; at most " << EVOX_MAX_RANK
                      << " are supported";
    return failure();
  }
  TensorInfo info;
  for (int64_t size : tensor.getShape())
    info.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  Type element = tensor.getElementType();
  for (const DtypeRow &row : dtypes)
    if (getDtypeElementType(op->getContext(), row.name) == element &&
        (name.empty() ? row.dtype != EVOX_UINT8 : name == row.name)) {
      info.dtype = row.dtype;
      return info;
    }
  InFlightDiagnostic diag = op->emitOpError() << what << " is a " << type;
  if (name.empty())
    diag << ", of elements that no tensor of PyTorch has";
  else
    diag << ", which does not go with dtype '" << name << "'";
  return failure();
}

static LogicalResult readSlot(const StateLayout &layout, const StateSlot &slot,
                              ProgramInfo &program) {
  StateOp op = slot.op;
  SlotInfo info;
  info.name = slot.name.str();
  info.kind = static_cast<int32_t>(op.getKind());
  StringRef dtype = op.getDtype().value_or("");
  info.slot = isa<GeneratorType>(slot.type) ? EVOX_SLOT_GENERATOR
              : isa<ListType>(slot.type)    ? EVOX_SLOT_LIST
                                            : EVOX_SLOT_TENSOR;
  for (unsigned phase = 0; phase < layout.getPhases().size(); ++phase) {
    Type type = layout.getType(slot.index, phase);
    if (auto list = dyn_cast<ListType>(type))
      type = list.getElementType();
    if (isa<GeneratorType>(type)) {
      info.types.push_back({EVOX_UINT8, {}});
      continue;
    }
    FailureOr<TensorInfo> tensor =
        getTensorInfo(op, type, dtype, "slot '" + slot.name + "'");
    if (failed(tensor))
      return failure();
    info.types.push_back(*tensor);
  }

  SmallVector<ElementsAttr> initial;
  if (info.slot == EVOX_SLOT_LIST) {
    if (ArrayAttr elements = op.getElementsAttr())
      for (Attribute element : elements)
        initial.push_back(cast<ElementsAttr>(element));
  } else if (auto value = op.getInitialAttr()) {
    initial.push_back(value);
  }
  bool openSizes =
      info.slot == EVOX_SLOT_TENSOR && llvm::is_contained(info.types[0].shape, -1);
  for (ElementsAttr value : initial) {
    FailureOr<TensorInfo> tensor =
        getTensorInfo(op, value.getShapedType(), dtype, "the initial value");
    if (failed(tensor))
      return failure();
    info.elementTypes.push_back(*tensor);
  }
  if (info.slot == EVOX_SLOT_LIST)
    info.initial = program.state.addAll(initial);
  else if (!initial.empty()) // a constant is used where it lies
    info.initial = program.state.add(initial.front(),
                                     info.kind == EVOX_KIND_CONSTANT);
  if (info.slot == EVOX_SLOT_TENSOR && openSizes && info.elementTypes.empty()) {
    // Zeros of an open size: none.
    TensorInfo type = info.types[0];
    for (int64_t &size : type.shape)
      size = size < 0 ? 0 : size;
    info.elementTypes.push_back(type);
  }
  if (info.slot == EVOX_SLOT_TENSOR && !openSizes)
    info.elementTypes.clear(); // the phase's type says it
  program.slots.push_back(std::move(info));
  return success();
}

static bool usesLapack(Operation *op) {
  return isa<CholeskyOp, EighOp, QrOp, SvdOp, LuOp, SolveOp, SolveTriangularOp,
             LstsqOp>(op);
}

/// What a Python function returns that returns `n` tensors.
static std::string getPlainTree(size_t n) {
  if (n == 0)
    return "null";
  std::string text = n == 1 ? "" : "{\"tuple\": [";
  for (size_t i = 0; i < n; ++i)
    text += (i ? ", " : "") + ("{\"tensor\": " + std::to_string(i)) + "}";
  return n == 1 ? text : text + "]}";
}

static LogicalResult readEntry(const StateLayout &layout, func::FuncOp func,
                               llvm::StringMap<unsigned> &entryOf,
                               llvm::StringSet<> &externals,
                               ProgramInfo &program) {
  EntryInfo info = EntryInfo::get(
      func, func->getAttrOfType<DictionaryAttr>(attr::kEntry));
  auto [it, isNew] = entryOf.try_emplace(info.name, program.entries.size());
  if (isNew) {
    EntryPointInfo &entry = program.entries.emplace_back();
    entry.name = info.name.str();
    entry.argsTree = info.args.str();
    entry.phases.resize(layout.getPhases().size());
    for (auto [i, phase] : llvm::enumerate(entry.phases))
      phase.unreachable =
          "'" + entry.name + "' cannot be called in phase " + std::to_string(i) +
          " of the program: no sequence of calls that the compiler knows of "
          "leads there";
  }
  EntryPointInfo &entry = program.entries[it->second];
  EntryPhaseInfo &phase = entry.phases[info.phase];
  if (!phase.symbol.empty())
    return func.emitOpError() << "is the second function for '" << info.name
                              << "' in phase " << info.phase;
  phase.symbol = func.getSymName().str();
  phase.unreachable.clear();
  phase.next = info.next;

  std::vector<TensorInfo> args;
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    auto number = func.getArgAttrOfType<IntegerAttr>(i, attr::kArg);
    if (!number)
      continue;
    unsigned index = number.getInt();
    StringRef dtype =
        index < info.argDtypes.size() ? info.argDtypes[index] : "";
    FailureOr<TensorInfo> tensor =
        getTensorInfo(func, type, dtype, "argument #" + Twine(index));
    if (failed(tensor))
      return failure();
    args.push_back(*tensor);
    if (entry.argNames.size() <= index)
      entry.argNames.push_back(index < info.argNames.size()
                                   ? info.argNames[index].str()
                                   : "arg" + std::to_string(index));
  }
  if (isNew) {
    entry.args = args;
  } else if (entry.args.size() != args.size()) {
    return func.emitOpError()
           << "takes " << args.size() << " arguments, but '" << info.name
           << "' takes " << entry.args.size() << " in another phase";
  } else {
    for (auto [mine, other] : llvm::zip(entry.args, args)) {
      if (mine.dtype != other.dtype || mine.shape.size() != other.shape.size())
        return func.emitOpError() << "takes other arguments than '" << info.name
                                  << "' does in another phase";
      for (auto [a, b] : llvm::zip(mine.shape, other.shape))
        if (a != b)
          a = -1;
    }
  }
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    if (auto slot = func.getResultAttrOfType<IntegerAttr>(i, attr::kSlot)) {
      phase.writes.push_back(slot.getInt());
      continue;
    }
    unsigned index = phase.results.size();
    StringRef dtype =
        index < info.resultDtypes.size() ? info.resultDtypes[index] : "";
    FailureOr<TensorInfo> tensor =
        getTensorInfo(func, type, dtype, "result #" + Twine(index));
    if (failed(tensor))
      return failure();
    phase.results.push_back(*tensor);
  }
  phase.resultsTree =
      info.results.empty() ? getPlainTree(phase.results.size())
                           : info.results.str();

  WalkResult walk = func.walk([&](Operation *op) {
    if (auto call = dyn_cast<ExternalCallOp>(op)) {
      std::pair<std::string, std::string> trees{
          call.getArgsTree().value_or("").str(),
          call.getResultsTree().value_or("").str()};
      if (externals.insert(call.getName()).second) {
        program.externals.push_back(call.getName().str());
        program.externalTrees.push_back(trees);
      } else if (program.externalTrees[llvm::find(program.externals, call.getName()) -
                                       program.externals.begin()] != trees) {
        op->emitOpError() << "calls the host's function '" << call.getName()
                          << "' with arguments or results of another structure "
                             "than elsewhere in the program";
        return WalkResult::interrupt();
      }
    }
    phase.canFail |= mayFail(op);
    program.usesLapack |= usesLapack(op);
    return WalkResult::advance();
  });
  phase.begins = isRepeated(func) || func->hasAttr(attr::kOnce);
  // What fails there has not written anything yet.
  if (auto once = func->getAttrOfType<FlatSymbolRefAttr>(attr::kOnce)) {
    Operation *callee = SymbolTable::lookupNearestSymbolFrom(func, once);
    if (!callee)
      return func.emitOpError() << "names " << once << " as its '"
                                << attr::kOnce << "', which is not there";
    callee->walk(
        [&](Operation *op) { program.usesLapack |= usesLapack(op); });
  }
  return failure(walk.wasInterrupted());
}

FailureOr<ProgramInfo> ProgramInfo::get(mlir::ModuleOp module) {
  FailureOr<StateLayout> layout = StateLayout::get(module);
  if (failed(layout))
    return failure();
  ProgramInfo program;
  for (const StatePhase &phase : layout->getPhases())
    program.phases.push_back(phase.python.str());
  for (const StateSlot &slot : layout->getSlots())
    if (failed(readSlot(*layout, slot, program)))
      return failure();
  llvm::StringMap<unsigned> entryOf;
  llvm::StringSet<> externals;
  for (auto func : module.getOps<func::FuncOp>())
    if (func->hasAttr(attr::kEntry) &&
        failed(readEntry(*layout, func, entryOf, externals, program)))
      return failure();
  if (program.entries.empty()) {
    emitError(module.getLoc())
        << "the program has no entry points: no function of its root module "
           "can be called from outside";
    return failure();
  }
  return program;
}
