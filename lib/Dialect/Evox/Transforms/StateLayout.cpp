//===- StateLayout.cpp - Slots and phases of a program --------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/Transforms/StateLayout.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace evox;

FailureOr<StateLayout> StateLayout::get(mlir::ModuleOp module) {
  StateLayout layout;
  for (auto root : module.getOps<evox::ModuleOp>()) {
    if (layout.root) {
      InFlightDiagnostic diag =
          root.emitOpError("is the second evox.module at the top level; a "
                           "program has one, with its submodules inside");
      diag.attachNote(layout.root.getLoc()) << "the first one is here";
      return failure();
    }
    layout.root = root;
  }
  layout.phases.resize(1);
  if (!layout.root)
    return layout;

  llvm::StringMap<unsigned> byName;
  WalkResult walk = layout.root.walk<WalkOrder::PreOrder>([&](Operation *op) {
    auto state = dyn_cast<StateOp>(op);
    if (!state) // functions hold no state: don't walk through their bodies
      return isa<evox::ModuleOp>(op) ? WalkResult::advance()
                                     : WalkResult::skip();
    unsigned index = layout.slots.size();
    auto [it, isNew] = byName.try_emplace(state.getDictName(), index);
    if (!isNew) {
      InFlightDiagnostic diag = state.emitOpError()
                                << "has the same name in the state as another "
                                   "slot: '"
                                << state.getDictName() << "'";
      diag.attachNote(layout.slots[it->second].op.getLoc())
          << "the other slot is here";
      return WalkResult::interrupt();
    }
    layout.indices[state] = index;
    layout.slots.push_back(
        {state, index, state.getDictName(), state.getType()});
    return WalkResult::skip();
  });
  if (walk.wasInterrupted())
    return failure();

  auto phases = layout.root->getAttrOfType<ArrayAttr>("phases");
  if (!phases || phases.empty())
    return layout;
  layout.phases.clear();
  for (Attribute attr : phases) {
    auto dict = dyn_cast<DictionaryAttr>(attr);
    if (!dict) {
      layout.root.emitOpError("'phases' must hold dictionaries");
      return failure();
    }
    StatePhase &phase = layout.phases.emplace_back();
    if (auto python = dict.getAs<StringAttr>("python"))
      phase.python = python.getValue();
    auto types = dict.getAs<DictionaryAttr>("types");
    if (!types)
      continue;
    for (NamedAttribute entry : types) {
      auto it = byName.find(entry.getName().getValue());
      auto type = dyn_cast<TypeAttr>(entry.getValue());
      if (it == byName.end() || !type) {
        layout.root.emitOpError()
            << "phase " << layout.phases.size() - 1 << " gives a type to '"
            << entry.getName().getValue() << "', which is "
            << (type ? "no slot of the program" : "not given as a type");
        return failure();
      }
      phase.types[it->second] = type.getValue();
    }
  }
  return layout;
}

Type StateLayout::getType(unsigned slot, unsigned phase) const {
  auto it = phases[phase].types.find(slot);
  return it == phases[phase].types.end() ? slots[slot].type : it->second;
}

std::string evox::getFunctionPath(SymbolRefAttr symbol) {
  std::string path = symbol.getRootReference().str();
  for (FlatSymbolRefAttr nested : symbol.getNestedReferences())
    path += "." + nested.getValue().str();
  return path;
}

EntryInfo EntryInfo::get(Operation *func, DictionaryAttr dict) {
  EntryInfo info;
  info.name = SymbolTable::getSymbolName(func).getValue();
  auto getString = [&](StringRef key, StringRef &value) {
    if (auto attr = dict.getAs<StringAttr>(key))
      value = attr.getValue();
  };
  auto getStrings = [&](StringRef key, SmallVectorImpl<StringRef> &values) {
    if (auto array = dict.getAs<ArrayAttr>(key))
      for (auto attr : array.getAsRange<StringAttr>())
        values.push_back(attr.getValue());
  };
  getString("name", info.name);
  if (auto phase = dict.getAs<IntegerAttr>("phase"))
    info.phase = phase.getInt();
  if (auto next = dict.getAs<IntegerAttr>("next"))
    info.next = next.getInt();
  getStrings("arg_names", info.argNames);
  getStrings("arg_dtypes", info.argDtypes);
  getStrings("result_dtypes", info.resultDtypes);
  getString("args", info.args);
  getString("results", info.results);
  return info;
}

bool evox::canBeRun(FunctionOpInterface func) {
  return func->hasAttr(attr::kEntry) &&
         llvm::none_of(llvm::seq<unsigned>(0, func.getNumArguments()),
                       [&](unsigned i) {
                         return bool(func.getArgAttr(i, attr::kArg));
                       });
}

bool evox::isRepeated(FunctionOpInterface func) {
  if (!canBeRun(func))
    return false;
  EntryInfo info = EntryInfo::get(
      func, func->getAttrOfType<DictionaryAttr>(attr::kEntry));
  return info.phase == info.next;
}

bool evox::mayFail(Operation *op) {
  if (auto call = dyn_cast<KernelCallOp>(op)) {
    static const llvm::StringSet<> safe = {
        "random_uniform", "random_normal", "random_permutation",
        "sort",           "topk",          "cumulative",
        "scatter",        "nonzero",       "lanes_next",
        "lanes_end"};
    return !safe.contains(call.getKernel());
  }
  return isa<AssertOp, ExternalCallOp, ListGetOp, RandomIntegersOp,
             RandomBernoulliOp, RandomExponentialOp, CholeskyOp, EighOp, QrOp,
             SvdOp, LuOp, SolveOp, SolveTriangularOp, LstsqOp,
             CallOpInterface>(op);
}
