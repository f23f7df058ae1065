//===- ProgramTable.cpp - The table of a library --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the structs of evox/Runtime/Program.h as LLVM constants, field by
// field and in their order.
//
//===----------------------------------------------------------------------===//

#include "ProgramTable.h"
#include "CodeGen.h"
#include "evox/Runtime/Program.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llvm;
using namespace evox;

// What is built below has been checked against this version.
static_assert(EVOX_PROGRAM_VERSION == 3 && sizeof(evox_type) == 8 + 8 * 16 &&
                  sizeof(evox_slot_desc) == 40 &&
                  sizeof(evox_phase_desc) == 16 &&
                  sizeof(evox_entry_phase) == 48 &&
                  sizeof(evox_entry_desc) == 40 &&
                  sizeof(evox_variant) == 16 && sizeof(evox_program) == 112,
              "the table of the library must change with Program.h");

namespace {

class Table {
public:
  Table(Module &module, const ProgramInfo &program)
      : module(module), context(module.getContext()), program(program),
        i32(Type::getInt32Ty(context)), i64(Type::getInt64Ty(context)),
        ptr(PointerType::getUnqual(context)) {}
  void build();

private:
  Constant *number(Type *type, int64_t value) {
    return ConstantInt::getSigned(type, value);
  }
  Constant *n32(int64_t value) { return number(i32, value); }
  Constant *n64(int64_t value) { return number(i64, value); }
  Constant *null() { return ConstantPointerNull::get(ptr); }
  Constant *record(ArrayRef<Constant *> fields) {
    return ConstantStruct::getAnon(fields);
  }

  GlobalVariable *global(Constant *value, const Twine &name) {
    auto *variable = new GlobalVariable(module, value->getType(), true,
                                        GlobalValue::PrivateLinkage, value,
                                        "evox.table." + name);
    variable->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return variable;
  }
  Constant *text(StringRef value) {
    Constant *&at = texts[value];
    if (!at)
      at = global(ConstantDataArray::getString(context, value), "text");
    return at;
  }
  /// The address of an array; null for an empty one.
  Constant *array(ArrayRef<Constant *> values, const Twine &name) {
    if (values.empty())
      return null();
    return global(ConstantArray::get(
                      ArrayType::get(values.front()->getType(), values.size()),
                      values),
                  name);
  }
  template <typename Range, typename Fn>
  Constant *array(const Range &range, const Twine &name, Fn make) {
    SmallVector<Constant *> values;
    for (const auto &item : range)
      values.push_back(make(item));
    return array(ArrayRef<Constant *>(values), name);
  }

  Constant *type(const TensorInfo &info) {
    SmallVector<int64_t> shape(info.shape.begin(), info.shape.end());
    shape.resize(EVOX_MAX_RANK);
    SmallVector<Constant *> sizes;
    for (int64_t size : shape)
      sizes.push_back(n64(size));
    return record(
        {n32(info.dtype), n32(info.shape.size()),
         ConstantArray::get(ArrayType::get(i64, EVOX_MAX_RANK), sizes)});
  }
  Constant *types(const std::vector<TensorInfo> &list, const Twine &name) {
    return array(list, name, [&](const TensorInfo &info) { return type(info); });
  }
  Constant *slot(const SlotInfo &slot);
  Constant *phase(unsigned number);
  Constant *entryPhase(const EntryPhaseInfo &phase);
  Constant *entry(const EntryPointInfo &entry);

  Module &module;
  LLVMContext &context;
  const ProgramInfo &program;
  Type *i32, *i64;
  PointerType *ptr;
  StringMap<Constant *> texts;
};

} // namespace

Constant *Table::slot(const SlotInfo &slot) {
  return record({text(slot.name), n32(slot.slot), n32(slot.kind),
                 n64(slot.initial.offset), n32(slot.elementTypes.size()),
                 n32(slot.initial.fill),
                 types(slot.elementTypes, "elements")});
}

Constant *Table::phase(unsigned number) {
  SmallVector<Constant *> slotTypes;
  for (const SlotInfo &slot : program.slots)
    slotTypes.push_back(type(slot.types[number]));
  const std::string &python = program.phases[number];
  return record({array(ArrayRef<Constant *>(slotTypes), "slot_types"),
                 text(python.empty() ? "{}" : python)});
}

Constant *Table::entryPhase(const EntryPhaseInfo &phase) {
  SmallVector<Constant *> fns;
  for (size_t i = 0; i < program.variants.size() && !phase.symbol.empty(); ++i)
    fns.push_back(module.getFunction(
        getVariantSymbol(program, i, "evox_entry." + phase.symbol)));
  return record(
      {array(ArrayRef<Constant *>(fns), "entry_functions"), n32(phase.next),
       n32(phase.canFail), n32(phase.writes.size()), n32(phase.begins),
       array(phase.writes, "writes", [&](int32_t slot) { return n32(slot); }),
       types(phase.results, "results"),
       phase.unreachable.empty() ? null() : text(phase.unreachable)});
}

Constant *Table::entry(const EntryPointInfo &entry) {
  size_t results = 0;
  for (const EntryPhaseInfo &phase : entry.phases)
    results = std::max(results, phase.results.size());
  return record({text(entry.name), n32(entry.args.size()), n32(results),
                 array(entry.argNames, "arg_names",
                       [&](const std::string &name) { return text(name); }),
                 types(entry.args, "args"),
                 array(entry.phases, "entry_phases",
                       [&](const EntryPhaseInfo &phase) {
                         return entryPhase(phase);
                       })});
}

void Table::build() {
  Constant *blob = null();
  if (program.state.size()) {
    auto *variable = new GlobalVariable(
        module, ArrayType::get(Type::getInt8Ty(context), program.state.size()),
        true, GlobalValue::ExternalLinkage, nullptr, kBlobSymbol);
    variable->setVisibility(GlobalValue::HiddenVisibility);
    variable->setDSOLocal(true);
    blob = variable;
  }
  Constant *slots =
      array(program.slots, "slots", [&](const SlotInfo &s) { return slot(s); });
  Constant *phases = array(seq<unsigned>(program.phases.size()), "phases",
                           [&](unsigned i) { return phase(i); });
  Constant *entries =
      array(program.entries, "entries",
            [&](const EntryPointInfo &e) { return entry(e); });
  Constant *externals =
      array(program.externals, "externals",
            [&](const std::string &name) { return text(name); });
  Constant *variants =
      array(program.variants, "variants", [&](const VariantInfo &v) {
        return record({text(v.cpu), n64(int64_t(v.needs))});
      });
  Constant *value = record(
      {n32(EVOX_PROGRAM_MAGIC), n32(EVOX_PROGRAM_VERSION), text(program.name),
       text(makeSignature(program)), text(makeHash(program)),
       n32(program.rng == "philox" ? EVOX_RNG_PHILOX : EVOX_RNG_TORCH),
       n32(program.slots.size()), n32(program.phases.size()),
       n32(program.entries.size()), n32(program.externals.size()),
       n32(program.variants.size()), variants, slots, phases, entries,
       externals, blob, n64(program.state.size())});
  auto *table =
      new GlobalVariable(module, value->getType(), true,
                         GlobalValue::ExternalLinkage, value,
                         "evox_the_program");
  table->setVisibility(GlobalValue::HiddenVisibility);

  // const evox_api *NAME_get_api(uint32_t abi_version)
  auto *type = FunctionType::get(ptr, {i32}, false);
  FunctionCallee getApi = module.getOrInsertFunction("evox_get_api", type);
  std::string name = program.name + "_get_api";
  if (name == "evox_get_api") // libevox.so has it anyway
    return;
  auto *own = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  IRBuilder<> builder(BasicBlock::Create(context, "", own));
  builder.CreateRet(builder.CreateCall(getApi, {own->getArg(0)}));
}

void evox::addProgramTable(Module &module, const ProgramInfo &program) {
  Table(module, program).build();
}
