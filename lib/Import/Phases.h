//===- Phases.h - Importing a module in all its phases ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_PHASES_H
#define EVOX_LIB_IMPORT_PHASES_H

#include "Interpreter.h"
#include <map>
#include <set>

namespace evox::import {

/// A dotted name.
inline std::string joined(llvm::StringRef path, llvm::StringRef name) {
  return path.empty() ? name.str() : (path + "." + name).str();
}

/// What an attribute holds in a phase.
struct Held {
  Py::Kind kind = Py::None;
  int slot = -1;
  mlir::RankedTensorType type;
  DType dtype = DType::Undefined;
  std::optional<llvm::SmallVector<int64_t>> strides;
  /// The slot whose tensor this is (with no chain) or is a view of.
  int sameAs = -1;
  llvm::SmallVector<View, 1> chain;
  /// Tensors of one group are views of one memory that no slot holds whole.
  int group = -1;
  bool requiresGrad = false, isParameter = false;
  bool growing = false;
  std::shared_ptr<Py> constant;
  std::vector<Held> items;
  std::vector<std::string> names;
  std::string text;
  std::shared_ptr<Instance> object;
};

using Attributes = std::vector<std::pair<std::string, Held>>;
using State = std::vector<std::pair<std::shared_ptr<Instance>, Attributes>>;

/// What is widened so that there are finitely many phases, by dotted name.
struct Widening {
  std::set<std::string> scalars;
  std::map<std::string, std::vector<bool>> dims;
  std::map<std::string, std::pair<mlir::RankedTensorType, DType>> lists;
  /// Methods whose results of branches and loops say which memory they are.
  std::set<std::string> aliases;
  bool any() const { return !scalars.empty() || !dims.empty() || !lists.empty(); }
  /// Adds what `other` wants; false where all of it is there already.
  bool join(const Widening &other);
};

/// Reads types as the command line writes them: `float32[8,?]`, `int`, `None`,
/// `(a, b)`, `[a, b]`, `{"k": a}`.
class TypeReader {
public:
  TypeReader(Interpreter &in, bool withNumbers) : in(in), withNumbers(withNumbers) {}
  virtual ~TypeReader() = default;
  /// Takes one type off the front of `text`.
  Py read(llvm::StringRef &text, const std::string &name, llvm::raw_ostream &json);
  std::vector<std::string> names, dtypes;

protected:
  /// The value of one tensor; a number is one of no dimensions.
  virtual mlir::Value leaf(mlir::RankedTensorType type, DType dtype,
                           const std::string &name, bool isNumber) = 0;
  [[noreturn]] virtual void bad(const std::string &name, const std::string &why) = 0;
  Interpreter &in;

private:
  Py makeLeaf(mlir::RankedTensorType type, DType dtype, const std::string &name,
              const char *number, llvm::raw_ostream &json);
  bool withNumbers; ///< the structure says which tensors are numbers
};

/// The arguments of an entry point: flat tensors, and the Python values that
/// are made of them.
class Arguments : public TypeReader {
public:
  Arguments(Interpreter &in, const std::string &method, script::Function &fn,
            const ImportOptions &options)
      : TypeReader(in, false), method(method), fn(fn), options(options) {}
  void make(mlir::Block *block);

  std::vector<Py> values;
  std::string structure; ///< JSON

protected:
  mlir::Value leaf(mlir::RankedTensorType type, DType dtype, const std::string &name,
                   bool isNumber) override;
  void bad(const std::string &name, const std::string &why) override;

private:
  mlir::RankedTensorType opened(mlir::RankedTensorType type, const std::string &name);
  void checkOpened();
  std::vector<bool> isTensor; ///< or a number
  std::set<std::string> found; ///< arguments that --dynamic names
  const std::string &method;
  script::Function &fn;
  const ImportOptions &options;
  mlir::Block *block = nullptr;
};

struct EntryResults {
  std::vector<mlir::Value> values;
  std::vector<std::string> dtypes;
  std::string structure; ///< JSON
};

/// The tensors of a value in order, and the structure around them.
EntryResults flatten(Interpreter &in, const Py &value);

class ModuleImporter {
public:
  ModuleImporter(mlir::MLIRContext *context, script::Program &program,
                 const ImportOptions &options, const Widening &widening);
  /// Null where something has to be widened (`wanted`) or is not supported.
  mlir::OwningOpRef<mlir::ModuleOp> run(const std::vector<std::string> &methods);
  Widening wanted;
  int64_t phaseCount = 0;

private:
  mlir::MLIRContext *context;
  script::Program &program;
  const ImportOptions &options;
  const Widening &widening;

public:
  Interpreter in;

private:
  std::shared_ptr<Instance> makeInstance(script::Object *object, const std::string &path);
  Held holdConstant(const script::Constant &c, const std::string &path, bool isParameter,
                    bool isBuffer);
  void holdAttributes(const std::shared_ptr<Instance> &object);
  int slotOf(const std::string &path);
  void newSlotModule(int slot, const std::string &path);
  mlir::ElementsAttr resourceOf(const script::TensorData &data, mlir::RankedTensorType type);
  Py release(const Held &h);
  Held hold(const Py &v, const std::string &path, const Held *before);
  mlir::RankedTensorType joinTypes(mlir::RankedTensorType a, mlir::RankedTensorType b,
                                   const std::string &path);
  State snapshot(const State &before);
  void groupByMemory(State &state);
  int phaseOf(State state);
  void widenFrom();
  void importEntry(const std::string &method, int phase);
  void watchState();
  Interpreter::StateNow stateNow();
  Py objectOf(const std::shared_ptr<Instance> &instance);
  void emitSlots(evox::ModuleOp top);

  std::map<script::Object *, std::shared_ptr<Instance>> instances;
  std::vector<std::shared_ptr<Instance>> order;
  std::map<Instance *, Attributes> held; ///< at the start
  std::map<std::string, int> slotByPath;
  std::set<std::string> usedSymbols;
  std::map<const void *, int> aliases; ///< tensor identity to slot
  std::vector<State> phases;
  std::map<std::string, int> phaseByKey;
  int phaseBefore = 0;
  bool usesGenerator = false;
  std::map<std::string, int> stateByName;
  // Of the function that is being imported.
  /// Attributes that hold state, and what they held at the start.
  struct Watched {
    std::shared_ptr<Instance> object;
    size_t attribute;
    int number; ///< of stateNames
    mlir::Value first;
  };
  std::vector<Watched> watched;
  mlir::Value firstGenerator;
  Interpreter::StateNow lastState;
  uint64_t lastChanges = 0;
  llvm::DenseMap<int, mlir::Value> loaded;
  std::map<int, std::shared_ptr<Storage>> storages;
  std::map<int, std::vector<std::shared_ptr<Storage>>> groups;
  std::map<Storage *, int> holders, groupOf;
};

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_PHASES_H
