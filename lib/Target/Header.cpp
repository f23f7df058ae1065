//===- Header.cpp - The C header of a program -----------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Runtime/Program.h"
#include "evox/Target/ProgramInfo.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace evox;

static const char evoxHeader[] =
#include "EvoxHeaderText.inc"
    ;

namespace {

class Header {
public:
  Header(const ProgramInfo &program, raw_ostream &os)
      : program(program), os(os), prefix(program.name) {}
  void write();

private:
  /// `prefix_text`, made unique by underscores.
  std::string function(const Twine &text) {
    std::string name = prefix + "_" + makeIdentifier(text.str());
    while (!taken.insert(name).second)
      name += "_";
    return name;
  }
  static std::string describe(const TensorInfo &type) {
    std::string text = getDtypeName(type.dtype).str() + " [";
    for (auto [i, size] : llvm::enumerate(type.shape))
      text += (i ? ", " : "") + (size < 0 ? "?" : std::to_string(size));
    return text + "]";
  }
  /// Sets the fields of the evox_tensor `name` over `data`; the open sizes
  /// are in variables `data_sizeI`.
  void fillTensor(StringRef name, StringRef data, const TensorInfo &type);
  void writeEntry(const EntryPointInfo &entry);
  void writeSlot(const SlotInfo &slot);

  const ProgramInfo &program;
  raw_ostream &os;
  std::string prefix;
  StringSet<> taken;
};

} // namespace

/// The text cannot end a comment.
static std::string inComment(StringRef text) {
  std::string result;
  for (char c : text)
    result += c == '*' ? ' ' : c;
  return result;
}

static std::string quote(StringRef text) {
  std::string result = "\"";
  raw_string_ostream stream(result);
  printEscapedString(text, stream); // \XX, which C takes for \xXX only
  std::string fixed;
  for (char c : result.substr(1)) {
    if (c == '\\')
      fixed += "\\x";
    else
      fixed += c;
  }
  return "\"" + fixed + "\"";
}

void Header::fillTensor(StringRef name, StringRef data,
                        const TensorInfo &type) {
  os << "  " << name << ".data = (void *)(uintptr_t)" << data << ";\n  " << name
     << ".dtype = " << type.dtype << ";\n  " << name
     << ".rank = " << type.shape.size() << ";\n";
  for (size_t i = type.shape.size(); i-- > 0;) {
    os << "  " << name << ".shape[" << i << "] = ";
    if (type.shape[i] < 0)
      os << data << "_size" << i;
    else
      os << type.shape[i];
    os << ";\n  " << name << ".strides[" << i << "] = ";
    if (i + 1 == type.shape.size())
      os << 1;
    else
      os << name << ".strides[" << i + 1 << "] * " << name << ".shape[" << i + 1
         << "]";
    os << ";\n";
  }
}

void Header::writeEntry(const EntryPointInfo &entry) {
  size_t results = 0;
  const EntryPhaseInfo *shown = nullptr;
  for (const EntryPhaseInfo &phase : entry.phases) {
    results = std::max(results, phase.results.size());
    if (!shown && !phase.symbol.empty())
      shown = &phase;
  }
  os << "\n/* " << inComment(entry.name) << "(";
  for (auto [i, name, type] : llvm::enumerate(entry.argNames, entry.args))
    os << (i ? ", " : "") << inComment(name) << ": " << describe(type);
  os << ")";
  if (shown && !shown->results.empty()) {
    os << " -> ";
    for (auto [i, type] : llvm::enumerate(shown->results))
      os << (i ? ", " : "") << describe(type);
  }
  if (results)
    os << ". The results belong to the instance, until its next call; null "
          "drops them.";
  os << " */\n";

  std::string name = function(entry.name);
  os << "static inline evox_status " << name << "(evox_instance *instance";
  SmallVector<std::string> args;
  StringSet<> used = {"instance", "results", "args"};
  for (auto [argName, type] : llvm::zip(entry.argNames, entry.args)) {
    std::string arg = makeIdentifier(argName);
    while (!used.insert(arg).second)
      arg += "_";
    args.push_back(arg);
    os << ", const " << getDtypeCType(type.dtype) << " *" << arg;
    for (auto [i, size] : llvm::enumerate(type.shape))
      if (size < 0)
        os << ", int64_t " << arg << "_size" << i;
  }
  if (results)
    os << ", evox_tensor *results /* " << results << " */";
  os << ") {\n";
  if (!args.empty())
    os << "  evox_tensor args[" << args.size() << "];\n";
  for (auto [i, arg] : llvm::enumerate(args))
    fillTensor("args[" + std::to_string(i) + "]", arg, entry.args[i]);
  os << "  return " << prefix << "_api()->call(instance, " << quote(entry.name)
     << ", " << (args.empty() ? "0" : "args") << ", " << args.size() << ", "
     << (results ? "results" : "0") << ", ";
  if (results)
    os << "results ? " << results << " : 0";
  else
    os << 0;
  os << ");\n}\n";
  if (!args.empty())
    return;
  os << "/* n times, inside compiled code. */\nstatic inline evox_status "
     << function("run_" + entry.name)
     << "(evox_instance *instance, int64_t n) {\n  return " << prefix
     << "_api()->run(instance, " << quote(entry.name) << ", n);\n}\n";
}

void Header::writeSlot(const SlotInfo &slot) {
  if (slot.slot != EVOX_SLOT_TENSOR)
    return;
  static const char *const kinds[] = {"constant", "parameter", "mutable"};
  os << "\n/* " << inComment(slot.name) << ": " << kinds[slot.kind] << ", ";
  bool same = true;
  for (auto [i, type] : llvm::enumerate(slot.types)) {
    bool repeated = i && type.dtype == slot.types[i - 1].dtype &&
                    type.shape == slot.types[i - 1].shape;
    same &= i == 0 || repeated;
    if (!repeated)
      os << (i ? ", then " : "") << describe(type);
  }
  os << " */\nstatic inline evox_status " << function("get_" + slot.name)
     << "(evox_instance *instance, evox_tensor *value) {\n  return " << prefix
     << "_api()->get_state(instance, " << quote(slot.name) << ", value);\n}\n";
  if (slot.kind == EVOX_KIND_CONSTANT)
    return;
  std::string name = function("set_" + slot.name);
  const TensorInfo &type = slot.types.front();
  if (!same || llvm::is_contained(type.shape, -1)) {
    os << "static inline evox_status " << name
       << "(evox_instance *instance, const evox_tensor *value) {\n  return "
       << prefix << "_api()->set_state(instance, " << quote(slot.name)
       << ", value);\n}\n";
    return;
  }
  os << "static inline evox_status " << name << "(evox_instance *instance, const "
     << getDtypeCType(type.dtype) << " *data) {\n  evox_tensor value;\n";
  fillTensor("value", "data", type);
  os << "  return " << prefix << "_api()->set_state(instance, "
     << quote(slot.name) << ", &value);\n}\n";
}

void Header::write() {
  std::string guard = "EVOX_PROGRAM_" + StringRef(prefix).upper() + "_H";
  for (StringRef name : {"api", "get_api", "open", "close", "error", "seed"})
    taken.insert(prefix + "_" + name.str());
  os << "/* The program " << prefix << ", compiled by evox-compile "
     << EVOX_VERSION << ". Link with lib" << prefix << ".so. */\n#ifndef "
     << guard << "\n#define " << guard << "\n\n"
     << evoxHeader << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
     << "/* The program's functions; null for another ABI version. */\n"
     << "const evox_api *" << prefix << "_get_api(uint32_t abi_version);\n\n"
     << "static inline const evox_api *" << prefix << "_api(void) {\n  return "
     << prefix << "_get_api(EVOX_ABI_VERSION);\n}\n\n"
     << "static inline evox_status " << prefix
     << "_open(evox_instance **instance) {\n  return " << prefix
     << "_api()->open(instance);\n}\n"
     << "static inline void " << prefix
     << "_close(evox_instance *instance) {\n  " << prefix
     << "_api()->close(instance);\n}\n"
     << "/* What went wrong in the last call. */\nstatic inline const char *"
     << prefix << "_error(const evox_instance *instance) {\n  return " << prefix
     << "_api()->error(instance);\n}\n"
     << "static inline evox_status " << prefix
     << "_seed(evox_instance *instance, uint64_t seed) {\n  return " << prefix
     << "_api()->seed(instance, seed);\n}\n";
  for (const EntryPointInfo &entry : program.entries)
    writeEntry(entry);
  for (const SlotInfo &slot : program.slots)
    writeSlot(slot);
  os << "\n#ifdef __cplusplus\n}\n#endif\n#endif /* " << guard << " */\n";
}

std::string evox::makeHeader(const ProgramInfo &program) {
  std::string text;
  raw_string_ostream os(text);
  Header(program, os).write();
  return text;
}
