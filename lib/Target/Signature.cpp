//===- Signature.cpp - The signature as JSON ------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Runtime/Program.h"
#include "evox/Target/ProgramInfo.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;
using namespace evox;

static json::Value parse(StringRef text) {
  if (text.empty())
    return nullptr;
  Expected<json::Value> value = json::parse(text);
  if (value)
    return std::move(*value);
  consumeError(value.takeError());
  return text;
}

static json::Object describe(const TensorInfo &info) {
  return json::Object{{"dtype", getDtypeName(info.dtype)},
                      {"shape", info.shape}};
}

static json::Value describe(const std::vector<TensorInfo> &types) {
  json::Array array;
  for (const TensorInfo &type : types)
    array.push_back(describe(type));
  return array;
}

static json::Array describeEntries(const ProgramInfo &program) {
  json::Array entries;
  for (const EntryPointInfo &entry : program.entries) {
    json::Array args, phases;
    for (auto [name, type] : llvm::zip_equal(entry.argNames, entry.args)) {
      json::Object arg = describe(type);
      arg["name"] = name;
      args.push_back(std::move(arg));
    }
    for (auto [i, phase] : llvm::enumerate(entry.phases)) {
      if (phase.symbol.empty()) {
        phases.push_back(json::Object{{"phase", i},
                                      {"unreachable", phase.unreachable},
                                      {"results", json::Array()}});
        continue;
      }
      json::Array writes;
      for (int32_t slot : phase.writes)
        writes.push_back(program.slots[slot].name);
      phases.push_back(json::Object{{"phase", i},
                                    {"next", phase.next},
                                    {"results", describe(phase.results)},
                                    {"results_tree", parse(phase.resultsTree)},
                                    {"writes", std::move(writes)}});
    }
    json::Object object{{"name", entry.name},
                        {"args", std::move(args)},
                        {"phases", std::move(phases)}};
    if (!entry.argsTree.empty())
      object["args_tree"] = parse(entry.argsTree);
    entries.push_back(std::move(object));
  }
  return entries;
}

static json::Array describeState(const ProgramInfo &program) {
  static const char *const kinds[] = {"constant", "parameter", "mutable"};
  static const char *const slots[] = {"tensor", "list", "generator"};
  json::Array state;
  for (const SlotInfo &slot : program.slots)
    state.push_back(json::Object{{"name", slot.name},
                                 {"kind", kinds[slot.kind]},
                                 {"slot", slots[slot.slot]},
                                 {"types", describe(slot.types)}});
  return state;
}

static std::string print(json::Value value) {
  std::string text;
  raw_string_ostream(text) << value;
  return text;
}

std::string evox::makeHash(const ProgramInfo &program) {
  json::Array phases;
  for (const std::string &phase : program.phases)
    phases.push_back(parse(phase));
  // Objects print their keys in order, so this is canonical.
  std::string text = print(json::Object{{"entries", describeEntries(program)},
                                        {"state", describeState(program)},
                                        {"phases", std::move(phases)}});
  auto digest = SHA256::hash(arrayRefFromStringRef(text));
  return toHex(ArrayRef(digest).take_front(16), /*LowerCase=*/true);
}

static json::Object describeExternals(const ProgramInfo &program) {
  json::Object externals;
  for (auto [name, trees] : llvm::zip(program.externals, program.externalTrees))
    if (!trees.first.empty())
      externals[name] = json::Object{{"args_tree", parse(trees.first)},
                                     {"results_tree", parse(trees.second)}};
  return externals;
}

std::string evox::makeSignature(const ProgramInfo &program) {
  json::Array phases;
  for (const std::string &phase : program.phases) {
    json::Value python = parse(phase);
    if (python.kind() == json::Value::Null)
      python = json::Object();
    phases.push_back(json::Object{{"python", std::move(python)}});
  }
  std::string cpus;
  json::Array variants;
  for (const VariantInfo &variant : program.variants) {
    cpus += (cpus.empty() ? "" : ",") + variant.cpu;
    variants.push_back(json::Object{{"cpu", variant.cpu},
                                    {"features", variant.neededNames}});
  }
  return print(json::Object{
      {"format", 1},
      {"name", program.name},
      {"compiler", EVOX_VERSION},
      {"abi_version", EVOX_ABI_VERSION},
      {"hash", makeHash(program)},
      {"options", json::Object{{"rng", program.rng},
                               {"target", program.target},
                               {"cpu", std::move(cpus)},
                               {"triple", program.triple},
                               {"fast_math", program.fastMath}}},
      {"variants", std::move(variants)},
      {"phases", std::move(phases)},
      {"entries", describeEntries(program)},
      {"state", describeState(program)},
      {"externals", program.externals},
      {"external_types", describeExternals(program)}});
}
