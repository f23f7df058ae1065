//===- EvoxModuleOps.cpp - Modules, state, functions ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace evox;

//===----------------------------------------------------------------------===//
// Symbols
//===----------------------------------------------------------------------===//

/// Looks `name` up in one symbol table. The verifier asks before it has
/// checked all of the IR, so nothing is taken for granted.
static Operation *lookupIn(Operation *table, StringAttr name,
                           SymbolTableCollection *tables) {
  if (!table->hasTrait<OpTrait::SymbolTable>() || table->getNumRegions() != 1 ||
      !table->getRegion(0).hasOneBlock())
    return nullptr;
  return tables ? tables->lookupSymbolIn(table, name)
                : SymbolTable::lookupSymbolIn(table, name);
}

Operation *evox::resolveSymbol(Operation *from, SymbolRefAttr symbol,
                               SymbolTableCollection *tables) {
  for (Operation *table = from; table; table = table->getParentOp()) {
    Operation *found = lookupIn(table, symbol.getRootReference(), tables);
    for (FlatSymbolRefAttr nested : symbol.getNestedReferences())
      found = found ? lookupIn(found, nested.getAttr(), tables) : nullptr;
    if (found)
      return found;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Types of state
//===----------------------------------------------------------------------===//

Type evox::getDtypeElementType(MLIRContext *context, StringRef dtype) {
  Builder b(context);
  return llvm::StringSwitch<Type>(dtype)
      .Case("bool", b.getI1Type())
      .Cases({"uint8", "int8"}, b.getI8Type())
      .Case("int16", b.getI16Type())
      .Case("int32", b.getI32Type())
      .Case("int64", b.getI64Type())
      .Case("float16", b.getF16Type())
      .Case("bfloat16", b.getBF16Type())
      .Case("float32", b.getF32Type())
      .Case("float64", b.getF64Type())
      .Case("complex64", ComplexType::get(b.getF32Type()))
      .Case("complex128", ComplexType::get(b.getF64Type()))
      .Default(Type());
}

/// Whether PyTorch has tensors of these elements.
static bool isStorable(Type element) {
  if (auto complex = dyn_cast<ComplexType>(element))
    return complex.getElementType().isF32() || complex.getElementType().isF64();
  return element.isSignlessInteger(1) || element.isSignlessInteger(8) ||
         element.isSignlessInteger(16) || element.isSignlessInteger(32) ||
         element.isSignlessInteger(64) || element.isF16() || element.isBF16() ||
         element.isF32() || element.isF64();
}

/// Checks that `dtype` says what the elements of `type` are.
static LogicalResult verifyDtype(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef dtype, Type type) {
  Type element = getDtypeElementType(type.getContext(), dtype);
  if (!element)
    return emitError() << "unknown dtype \"" << dtype << "\"";
  if (element != getElementTypeOrSelf(type))
    return emitError() << "dtype \"" << dtype << "\" does not fit " << type;
  return success();
}

/// Whether a tensor of `type` may stand where `slot` is wanted: the same
/// elements, and the same sizes where both are known.
static bool fitsInto(Type type, RankedTensorType slot) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && shaped.hasRank() &&
         shaped.getElementType() == slot.getElementType() &&
         succeeded(verifyCompatibleShape(shaped.getShape(), slot.getShape()));
}

//===----------------------------------------------------------------------===//
// ModuleOp
//===----------------------------------------------------------------------===//

void evox::ModuleOp::build(OpBuilder &builder, OperationState &state,
                           StringRef name) {
  state.addAttribute(mlir::SymbolTable::getSymbolAttrName(),
                     builder.getStringAttr(name));
  state.addRegion()->emplaceBlock();
}

/// Checks one row of the table of phases.
static LogicalResult verifyPhase(evox::ModuleOp module, size_t number,
                                 Attribute phase,
                                 const llvm::StringMap<StateOp> &slots) {
  auto error = [&] {
    return module.emitOpError() << "phase " << number << ": ";
  };
  auto dict = dyn_cast<DictionaryAttr>(phase);
  if (!dict)
    return error() << "expected a dictionary but got " << phase;
  if (Attribute python = dict.get("python"); python && !isa<StringAttr>(python))
    return error() << "'python' must be a string";
  Attribute typesAttr = dict.get("types");
  if (!typesAttr)
    return success();
  auto types = dyn_cast<DictionaryAttr>(typesAttr);
  if (!types)
    return error() << "'types' must be a dictionary from slots to types";
  for (NamedAttribute entry : types) {
    StateOp slot = slots.lookup(entry.getName().getValue());
    if (!slot)
      return error() << "there is no slot " << entry.getName();
    auto type = dyn_cast<TypeAttr>(entry.getValue());
    if (!type)
      return error() << "slot " << entry.getName() << " needs a type, not "
                     << entry.getValue();
    if (!slot.canHold(type.getValue()))
      return (error() << "slot " << entry.getName() << " cannot hold " << type)
                 .attachNote(slot.getLoc())
             << "neither its type nor one of its alternatives";
  }
  return success();
}

/// Checks the entry points against the phases and each other.
static LogicalResult verifyEntries(evox::ModuleOp module, int64_t phases) {
  llvm::StringMap<FuncOp> seen;
  WalkResult result = module.walk([&](FuncOp func) {
    auto entry = func->getAttrOfType<DictionaryAttr>("entry");
    if (!entry)
      return WalkResult::advance();
    auto number = [&](StringRef key) {
      auto attr = entry.getAs<IntegerAttr>(key);
      return attr ? attr.getInt() : 0;
    };
    for (StringRef key : {"phase", "next"}) {
      if (number(key) < phases)
        continue;
      func.emitOpError() << "entry: '" << key << "' is " << number(key)
                         << " but the program has " << phases << " phase"
                         << (phases == 1 ? "" : "s");
      return WalkResult::interrupt();
    }
    StringRef name = entry.getAs<StringAttr>("name").getValue();
    std::string id = (name + "#" + Twine(number("phase"))).str();
    auto [it, isNew] = seen.try_emplace(id, func);
    if (isNew)
      return WalkResult::advance();
    auto diag = func.emitOpError()
                << "entry: there is another entry point \"" << name
                << "\" for phase " << number("phase");
    diag.attachNote(it->second.getLoc()) << "here";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult evox::ModuleOp::verifyRegions() {
  for (Operation &op : *getBodyBlock())
    if (!isa<SymbolOpInterface>(op))
      return (emitOpError("holds slots, functions and modules only"))
                 .attachNote(op.getLoc())
             << "not this op";
  Attribute phases = (*this)->getAttr("phases");
  if (isa_and_nonnull<evox::ModuleOp>((*this)->getParentOp())) {
    if (phases)
      return emitOpError("'phases' belongs on the outermost module");
    return success();
  }

  // What concerns the whole program is checked at its root.
  llvm::StringMap<StateOp> slots;
  WalkResult unique = walk([&](StateOp slot) {
    auto [it, isNew] = slots.try_emplace(slot.getDictName(), slot);
    if (isNew)
      return WalkResult::advance();
    auto diag = slot.emitOpError()
                << "there is another slot \"" << slot.getDictName() << "\"";
    diag.attachNote(it->second.getLoc()) << "here";
    return WalkResult::interrupt();
  });
  if (unique.wasInterrupted())
    return failure();
  if (!phases)
    return verifyEntries(*this, 1);
  auto table = dyn_cast<ArrayAttr>(phases);
  if (!table || table.empty())
    return emitOpError("'phases' must be an array of at least one dictionary");
  for (auto [i, phase] : llvm::enumerate(table))
    if (failed(verifyPhase(*this, i, phase, slots)))
      return failure();
  return verifyEntries(*this, table.size());
}

//===----------------------------------------------------------------------===//
// StateOp
//===----------------------------------------------------------------------===//

bool StateOp::canHold(Type type) {
  return getType() == type ||
         (getAlternatives() &&
          llvm::is_contained(getAlternatives()->getAsValueRange<TypeAttr>(),
                             type));
}

/// Checks that a slot can be of `type`.
static LogicalResult verifySlotType(StateOp op, Type type) {
  if (isa<GeneratorType>(type))
    return success();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (auto list = dyn_cast<ListType>(type))
    tensor = list.getElementType();
  if (!tensor)
    return op.emitOpError("a slot holds a ranked tensor, a list of them or a "
                          "generator, not ")
           << type;
  if (!isStorable(tensor.getElementType()))
    return op.emitOpError("there are no PyTorch tensors of ")
           << tensor.getElementType();
  return success();
}

LogicalResult StateOp::verify() {
  Type type = getType();
  if (getDictName().empty())
    return emitOpError("needs its dotted name");
  if (failed(verifySlotType(*this, type)))
    return failure();
  if (isa<GeneratorType>(type)) {
    if (getKind() != StateKind::Mutable)
      return emitOpError("a generator is mutable");
    if (getAlternatives())
      return emitOpError("a generator has no alternatives");
  }
  if (std::optional<ElementsAttr> initial = getInitial()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return emitOpError("only a tensor has an initial value, ")
             << type << (isa<ListType>(type) ? " has 'elements'" : " does not");
    if (!fitsInto(initial->getType(), tensor))
      return emitOpError("an initial value of type ")
             << initial->getType() << " does not fit " << type;
  }
  if (std::optional<ArrayAttr> elements = getElements()) {
    auto list = dyn_cast<ListType>(type);
    if (!list)
      return emitOpError("only a list has 'elements', not ") << type;
    for (auto [i, element] : llvm::enumerate(*elements)) {
      auto value = dyn_cast<ElementsAttr>(element);
      if (!value)
        return emitOpError("element ") << i << " is not a tensor: " << element;
      // A list may start with elements of other shapes than the ones that it
      // gets: only those are read by their static type.
      if (getElementTypeOrSelf(value.getType()) !=
          list.getElementType().getElementType())
        return emitOpError("element ") << i << " of type " << value.getType()
                                       << " does not fit " << type;
    }
  }
  if (std::optional<StringRef> dtype = getDtype()) {
    if (isa<GeneratorType>(type))
      return emitOpError("a generator has no dtype");
    Type tensor = type;
    if (auto list = dyn_cast<ListType>(type))
      tensor = list.getElementType();
    if (failed(verifyDtype([&] { return emitOpError(); }, *dtype, tensor)))
      return failure();
  }
  if (!getAlternatives())
    return success();
  if (getKind() == StateKind::Constant)
    return emitOpError("a constant has no alternatives");
  llvm::SmallDenseSet<Type> seen{type};
  for (Type alternative : getAlternatives()->getAsValueRange<TypeAttr>()) {
    if (isa<GeneratorType>(alternative))
      return emitOpError("a generator is no alternative");
    if (failed(verifySlotType(*this, alternative)))
      return failure();
    if (!seen.insert(alternative).second)
      return emitOpError("lists ") << alternative << " twice";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// LoadOp and StoreOp
//===----------------------------------------------------------------------===//

/// Checks that `symbol`, which `op` uses, names a slot that holds `type`.
static FailureOr<StateOp> verifySlot(Operation *op, SymbolRefAttr symbol,
                                     Type type, SymbolTableCollection &tables) {
  Operation *found = resolveSymbol(op, symbol, &tables);
  if (!found)
    return op->emitOpError() << "no enclosing module has a slot " << symbol;
  auto slot = dyn_cast<StateOp>(found);
  if (!slot) {
    auto diag = op->emitOpError() << symbol << " is not a slot";
    diag.attachNote(found->getLoc()) << "it is this";
    return diag;
  }
  // Its own verifier may not have run yet.
  if (!slot.getTypeAttr() || !slot.getKindAttr())
    return op->emitOpError() << "slot " << symbol << " is malformed";
  if (slot.canHold(type))
    return slot;
  auto diag = op->emitOpError() << "slot " << symbol << " has no type " << type;
  diag.attachNote(slot.getLoc()) << "its types are given here";
  return diag;
}

LogicalResult LoadOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifySlot(*this, getSlotAttr(), getValue().getType(), tables);
}

LogicalResult StoreOp::verifySymbolUses(SymbolTableCollection &tables) {
  FailureOr<StateOp> slot =
      verifySlot(*this, getSlotAttr(), getValue().getType(), tables);
  if (failed(slot))
    return failure();
  if (slot->getKind() == StateKind::Mutable)
    return success();
  auto diag = emitOpError() << "slot " << getSlotAttr() << " is a "
                            << stringifyStateKind(slot->getKind())
                            << ", which no function changes";
  diag.attachNote(slot->getLoc()) << "declare it mutable";
  return diag;
}

//===----------------------------------------------------------------------===//
// FuncOp and ReturnOp
//===----------------------------------------------------------------------===//

void FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                   FunctionType type, ArrayRef<NamedAttribute> attrs) {
  state.addAttribute(mlir::SymbolTable::getSymbolAttrName(),
                     builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  state.addAttributes(attrs);
  state.addRegion();
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType =
      [](Builder &builder, ArrayRef<Type> inputs, ArrayRef<Type> results,
         function_interface_impl::VariadicFlag, std::string &) -> Type {
    return builder.getFunctionType(inputs, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

namespace {
/// Checks the `entry` dictionary of an entry point.
class EntryVerifier {
public:
  EntryVerifier(FuncOp func, DictionaryAttr entry) : func(func), entry(entry) {}
  LogicalResult verify();

private:
  InFlightDiagnostic error() { return func.emitOpError("entry: "); }
  LogicalResult verifyNumber(StringRef key);
  LogicalResult verifyStrings(StringRef key, ArrayRef<Type> types,
                              bool areDtypes);
  LogicalResult verifyStructure(StringRef key, size_t count);
  LogicalResult verifyLeaves(StringRef key, const llvm::json::Value &value,
                             size_t count);

  FuncOp func;
  DictionaryAttr entry;
};
} // namespace

LogicalResult EntryVerifier::verifyNumber(StringRef key) {
  Attribute attr = entry.get(key);
  if (!attr)
    return success();
  auto number = dyn_cast<IntegerAttr>(attr);
  if (!number || !number.getType().isSignlessInteger(64) || number.getInt() < 0)
    return error() << "'" << key << "' must be a number of a phase, not "
                   << attr;
  return success();
}

LogicalResult EntryVerifier::verifyStrings(StringRef key, ArrayRef<Type> types,
                                           bool areDtypes) {
  Attribute attr = entry.get(key);
  if (!attr)
    return success();
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array || !llvm::all_of(array, llvm::IsaPred<StringAttr>))
    return error() << "'" << key << "' must be an array of strings";
  if (array.size() != types.size())
    return error() << "'" << key << "' has " << array.size() << " elements for "
                   << types.size() << " tensors";
  if (!areDtypes)
    return success();
  for (auto [dtype, type] :
       llvm::zip_equal(array.getAsValueRange<StringAttr>(), types))
    if (failed(verifyDtype([&] { return error() << "'" << key << "': "; },
                           dtype, type)))
      return failure();
  return success();
}

LogicalResult EntryVerifier::verifyLeaves(StringRef key,
                                          const llvm::json::Value &value,
                                          size_t count) {
  if (const llvm::json::Array *array = value.getAsArray()) {
    for (const llvm::json::Value &element : *array)
      if (failed(verifyLeaves(key, element, count)))
        return failure();
    return success();
  }
  const llvm::json::Object *object = value.getAsObject();
  if (!object || object->get("value"))
    return success();
  if (const llvm::json::Value *leaf = object->get("tensor")) {
    std::optional<int64_t> index = leaf->getAsInteger();
    if (!index || *index < 0 || *index >= static_cast<int64_t>(count))
      return error() << "'" << key << "' refers to a tensor that is not there; "
                     << "there are " << count;
    return success();
  }
  // The keys of a Python dictionary are data, so "tensor" may be one.
  if (const llvm::json::Object *dict = object->getObject("dict"))
    object = dict;
  for (const auto &member : *object)
    if (failed(verifyLeaves(key, member.second, count)))
      return failure();
  return success();
}

LogicalResult EntryVerifier::verifyStructure(StringRef key, size_t count) {
  Attribute attr = entry.get(key);
  if (!attr)
    return success();
  auto text = dyn_cast<StringAttr>(attr);
  if (!text)
    return error() << "'" << key << "' must be a string";
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text.getValue());
  if (!value)
    return error() << "'" << key
                   << "' is not JSON: " << llvm::toString(value.takeError());
  return verifyLeaves(key, *value, count);
}

LogicalResult EntryVerifier::verify() {
  if (!entry.getAs<StringAttr>("name"))
    return error() << "'name' must be the method's name";
  ArrayRef<Type> args = func.getArgumentTypes();
  ArrayRef<Type> results = func.getResultTypes();
  for (ArrayRef<Type> types : {args, results})
    for (Type type : types)
      if (!isa<RankedTensorType>(type))
        return error() << "arguments and results must be ranked tensors, not "
                       << type;
  if (failed(verifyNumber("phase")) || failed(verifyNumber("next")) ||
      failed(verifyStrings("arg_names", args, /*areDtypes=*/false)) ||
      failed(verifyStrings("arg_dtypes", args, /*areDtypes=*/true)) ||
      failed(verifyStrings("result_dtypes", results, /*areDtypes=*/true)) ||
      failed(verifyStructure("args", args.size())) ||
      failed(verifyStructure("results", results.size())))
    return failure();
  return success();
}

LogicalResult FuncOp::verify() {
  if (getBody().empty())
    return emitOpError("needs a body; what the host supplies is called by "
                       "evox.external_call");
  Attribute entry = (*this)->getAttr("entry");
  if (!entry)
    return success();
  auto dict = dyn_cast<DictionaryAttr>(entry);
  if (!dict)
    return emitOpError("'entry' must be a dictionary");
  return EntryVerifier(*this, dict).verify();
}

LogicalResult ReturnOp::verify() {
  auto func = cast<FuncOp>((*this)->getParentOp());
  if (getOperandTypes() == func.getResultTypes())
    return success();
  return emitOpError("returns (")
         << getOperandTypes() << ") but @" << func.getSymName()
         << " is declared to return (" << func.getResultTypes() << ")";
}

//===----------------------------------------------------------------------===//
// CallOp
//===----------------------------------------------------------------------===//

CallInterfaceCallable CallOp::getCallableForCallee() { return getCalleeAttr(); }

void CallOp::setCalleeFromCallable(CallInterfaceCallable callee) {
  setCalleeAttr(cast<SymbolRefAttr>(callee));
}

Operation::operand_range CallOp::getArgOperands() { return getOperands(); }

MutableOperandRange CallOp::getArgOperandsMutable() {
  return getOperandsMutable();
}

Operation *CallOp::resolveCallable() {
  return resolveSymbol(*this, getCalleeAttr());
}

Operation *CallOp::resolveCallableInTable(SymbolTableCollection *tables) {
  return resolveSymbol(*this, getCalleeAttr(), tables);
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &tables) {
  Operation *found = resolveSymbol(*this, getCalleeAttr(), &tables);
  if (!found)
    return emitOpError("no enclosing module has a function ")
           << getCalleeAttr();
  auto func = dyn_cast<FuncOp>(found);
  if (!func) {
    auto diag = emitOpError() << getCalleeAttr() << " is not a function";
    diag.attachNote(found->getLoc()) << "it is this";
    return diag;
  }
  // Its own verifier may not have run yet.
  if (!func.getFunctionTypeAttr() ||
      !isa<FunctionType>(func.getFunctionTypeAttr().getValue()))
    return emitOpError() << "function " << getCalleeAttr() << " is malformed";
  auto type =
      FunctionType::get(getContext(), getOperandTypes(), getResultTypes());
  if (type == func.getFunctionType())
    return success();
  auto diag = emitOpError() << "calls " << getCalleeAttr() << " as " << type
                            << " but it is " << func.getFunctionType();
  diag.attachNote(func.getLoc()) << "declared here";
  return diag;
}

//===----------------------------------------------------------------------===//
// AssertOp
//===----------------------------------------------------------------------===//

LogicalResult AssertOp::verify() {
  size_t places = getMessage().count("{}");
  if (getValues().size() <= places)
    return success();
  return emitOpError("has ") << getValues().size() << " values for " << places
                             << " places '{}' in its message";
}

namespace {
struct EraseTrueAssert : OpRewritePattern<AssertOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AssertOp op,
                                PatternRewriter &rewriter) const override {
    if (!matchPattern(op.getCondition(), m_One()))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void AssertOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<EraseTrueAssert>(context);
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

/// Checks that a list of `list`'s type can have an element of `type`.
static LogicalResult verifyElement(Operation *op, ListType list, Type type) {
  if (auto buffer = dyn_cast<MemRefType>(type))
    type = RankedTensorType::get(buffer.getShape(), buffer.getElementType());
  if (fitsInto(type, list.getElementType()))
    return success();
  return op->emitOpError() << type << " is no element of " << list;
}

LogicalResult ListAppendOp::verify() {
  return verifyElement(*this, getList().getType(), getValue().getType());
}

LogicalResult ListGetOp::verify() {
  return verifyElement(*this, getList().getType(), getValue().getType());
}
