//===- Interpreter.h - The abstract interpreter -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_INTERPRETER_H
#define EVOX_LIB_IMPORT_INTERPRETER_H

#include "Values.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "evox/Import/TorchScript.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include <set>

namespace evox::import {

class Interpreter;

/// One call of an op: its arguments by position and by name.
struct Call {
  Interpreter &in;
  const script::Node &node;
  llvm::StringRef name;     ///< without "aten::" and without a last "_"
  llvm::StringRef overload;
  std::vector<Py> args;
  /// Names of the arguments, as in the schema.
  const std::vector<std::string> &argNames;

  const Py &arg(size_t i) const { return args.at(i); }
  bool has(llvm::StringRef name) const;
  /// The argument of that name; None where the overload has no such one.
  const Py &arg(llvm::StringRef name) const;
  TensorRef tensor(size_t i) const;
  TensorRef tensor(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  bool boolean(llvm::StringRef name, bool otherwise = false) const;
  std::vector<int64_t> integers(llvm::StringRef name) const;
  bool isNone(llvm::StringRef name) const { return arg(name).isNone(); }
};

using Results = std::vector<Py>;
using OpFn = Results (*)(Call &);
struct OpRow {
  const char *name; ///< "add" (any overload) or "add.Tensor"
  OpFn fn;
};
/// All ops with a builder in C++; the prelude holds the others.
const llvm::StringMap<OpFn> &opTable();
/// The tables of the families.
llvm::ArrayRef<OpRow> pythonOps();
llvm::ArrayRef<OpRow> mathOps();
llvm::ArrayRef<OpRow> containerOps();
llvm::ArrayRef<OpRow> stringOps();
llvm::ArrayRef<OpRow> pointwiseOps();
llvm::ArrayRef<OpRow> bitOps();
llvm::ArrayRef<OpRow> reductionOps();
llvm::ArrayRef<OpRow> viewOps();
llvm::ArrayRef<OpRow> indexOps();
llvm::ArrayRef<OpRow> creationOps();
llvm::ArrayRef<OpRow> randomOps();
llvm::ArrayRef<OpRow> arrayOps();
llvm::ArrayRef<OpRow> linalgOps();
llvm::ArrayRef<OpRow> factorOps();
llvm::ArrayRef<OpRow> neuralNetOps();

/// The interpreter of one function after the other. Emits at `b`.
class Interpreter {
public:
  Interpreter(mlir::MLIRContext *context, script::Program &program,
              const ImportOptions &options);

  mlir::ImplicitLocOpBuilder b;
  script::Program &program;
  const ImportOptions &options;

  //===--- running -------------------------------------------------------===//
  Py callFunction(script::Function &fn, std::vector<Py> args);
  Py callMethod(const Py &object, const std::string &name,
                   std::vector<Py> args);
  /// The name under which the host supplies a method of `object`; empty where
  /// it is an ordinary one.
  std::string externalName(const Instance &object, const std::string &method);
  Py callExternal(const std::string &name, script::Function &fn, std::vector<Py> args);
  /// Calls an op by name, for builders that are made of others.
  Results callOp(const std::string &name, std::vector<Py> args,
                 const std::vector<std::string> &argNames = {});

  //===--- errors ---------------------------------------------------------===//
  [[noreturn]] void fail(const std::string &text);
  /// The value would have to be known now.
  [[noreturn]] void failStatic(const std::string &what);
  void note(const std::string &text);
  struct Problem {
    std::string text; ///< the op, or why it refuses its arguments
    script::Location loc;
    bool isRefusal = false;
  };
  std::vector<Problem> problems; ///< unsupported ops, all of them
  /// Whether writes into arguments are marked, for --evox-vmap to check.
  bool marksArgumentWrites = false;
  mlir::Location locationOf(const script::Location &loc);

  //===--- tensors: Tensors.cpp --------------------------------------------===//
  /// The current content of a tensor, as an SSA tensor of its type.
  mlir::Value read(const TensorRef &t);
  /// Writes through the views of a tensor; `value` has its type.
  void write(const TensorRef &t, mlir::Value value);
  /// A new tensor with a storage of its own.
  TensorRef make(mlir::Value value, DType dtype);
  Py makeValue(mlir::Value value, DType dtype) { return Py::of(make(value, dtype)); }
  /// A view of `t` through one more step.
  TensorRef makeView(const TensorRef &t, View view);
  mlir::Value applyView(const View &view, mlir::Value base);
  mlir::Value writeView(const View &view, mlir::Value base, mlir::Value value);
  /// A constant filled with one number.
  mlir::Value splat(mlir::RankedTensorType type, double f, int64_t i);
  mlir::Value splat(llvm::ArrayRef<Dim> sizes, DType dtype, const Py &number);
  /// A number or tensor as a tensor; a number becomes a 0-d wrapped one.
  TensorRef toTensor(const Py &v);
  TensorRef fromData(const script::TensorData &data);
  /// A tensor as a Python number (`.item()`).
  Py item(const TensorRef &t);
  mlir::Value convert(mlir::Value v, DType from, DType to);
  TensorRef convert(const TensorRef &t, DType to);
  /// Scalars: an SSA value of a number, of the element type of `dtype`.
  mlir::Value scalar(const Py &number, DType dtype);
  mlir::Value castScalar(mlir::Value v, DType from, DType to);
  mlir::Value index(Dim d);
  mlir::Value i64(const Py &v);
  Dim dim(const Py &v);
  Py fromDim(Dim d);
  Dim sizeOf(mlir::Value tensor, int64_t d);
  llvm::SmallVector<Dim> sizesOf(mlir::Value tensor);
  bool sameDim(Dim a, Dim b);
  int64_t staticDim(Dim d); ///< or ShapedType::kDynamic
  mlir::RankedTensorType typeOf(llvm::ArrayRef<Dim> sizes, mlir::Type element);
  mlir::Value empty(llvm::ArrayRef<Dim> sizes, mlir::Type element);
  /// Checks at run time that two sizes are equal, or one of `mayBeOne` is 1;
  /// the message names both sizes by {}.
  void requireSame(Dim a, Dim b, const std::string &message,
                   llvm::ArrayRef<Dim> mayBeOne = {});
  /// Broadcasting of shapes; checks dynamic ones at run time.
  llvm::SmallVector<Dim> broadcastShapes(llvm::ArrayRef<llvm::SmallVector<Dim>> shapes);
  mlir::Value broadcastTo(mlir::Value v, llvm::ArrayRef<Dim> sizes);
  /// The same for a value that is written: its sizes are these or 1.
  mlir::Value broadcastInto(mlir::Value v, llvm::ArrayRef<Dim> sizes);
  mlir::Value reshape(mlir::Value v, llvm::ArrayRef<Dim> sizes);
  mlir::Value transpose(mlir::Value v, llvm::ArrayRef<int64_t> perm);
  /// A pointwise op over tensors broadcast to one shape. `body` is made of
  /// elementwise ops (arith, math) and `number`, at `b`; it gets whole tensors.
  mlir::Value elementwise(
      llvm::ArrayRef<mlir::Value> inputs, mlir::Type element,
      llvm::function_ref<mlir::Value(mlir::ValueRange)> body);
  /// A tensor whose elements `body` computes from their indices, at `b`.
  mlir::Value generate(
      llvm::ArrayRef<Dim> sizes, mlir::Type element,
      llvm::function_ref<mlir::Value(mlir::ValueRange)> body);
  /// A constant of the type of `like`: a scalar, or a tensor full of it.
  mlir::Value number(mlir::Value like, double v);
  /// The value as it would be if `element` were its element type.
  static mlir::Type withElement(mlir::Type type, mlir::Type element);
  void runtimeAssert(mlir::Value condition, const std::string &message,
                     mlir::ValueRange values = {});
  Dim product(llvm::ArrayRef<Dim> sizes);
  int64_t normalizeDim(int64_t dim, int64_t rank);
  llvm::SmallVector<int64_t> contiguousStrides(llvm::ArrayRef<int64_t> shape);
  /// The generator of random numbers: takes it and gives the next.
  mlir::Value takeGenerator();
  void giveGenerator(mlir::Value next);

  //===--- mutable cells: Control.cpp --------------------------------------===//
  void setStorage(const std::shared_ptr<Storage> &storage, mlir::Value value);
  void setItems(const std::shared_ptr<Container> &container, std::vector<Py> items);
  void setAttribute(const std::shared_ptr<Instance> &object, const std::string &name, Py v);
  void setHandle(const std::shared_ptr<Container> &list, mlir::Value handle);
  /// An object changes: what may be the same one is not known any more.
  void changes(const Referred &object);
  /// From here on the content of a storage or object can't be known.
  void spoil(const std::shared_ptr<Storage> &storage, const std::string &why);
  void spoil(const std::shared_ptr<Referred> &object, const std::string &why);
  /// Fails where a value is an object that is not known any more.
  void checkKnown(const Py &v);
  bool inDataRegion() const { return !journal.empty(); }
  /// Two tensors may be the same memory: a write into one of them spoils the
  /// other one.
  static void mayBeSame(const std::shared_ptr<Storage> &a, const std::shared_ptr<Storage> &b);
  /// `merged` holds what `source` does and is its memory, if `condition` (an
  /// i1) holds.
  struct Link {
    std::shared_ptr<Storage> merged;
    Tensor source;
    mlir::Value condition;
  };
  std::vector<Link> links;
  /// Whether branches and loops say by links which memory their results are.
  /// Costs code, so only a method that needs it is imported so.
  bool followsAliases = false;
  /// Whether an error told that the data decides what memory a tensor is.
  bool metAlias = false;

  //===--- calls that stay calls: Calls.cpp ---------------------------------===//
  /// Calls a method of the module at `path`, or a function of the program; what
  /// it does stands between two placeholders, for `outlineCalls`.
  Py callKept(const std::string &path, script::Function &fn, std::vector<Py> args);
  /// One such call.
  struct KeptCall {
    std::string path, name; ///< of the module, and of the method in it
    script::Location loc;   ///< of the callee
    size_t arguments = 0, results = 0; ///< values of them, before the state
    /// The parts of the state that are not as the entry point found them.
    std::vector<int> before, after;
  };
  std::vector<KeptCall> keptCalls;
  /// A use by which a placeholder tells what a part of the state is: its number.
  std::optional<int> stateNumber(mlir::OpOperand &use) const;
  /// State by number: its attribute, as a dotted name.
  std::vector<std::string> stateNames;
  struct StateNow {
    std::vector<int> numbers;
    std::vector<mlir::Value> values;
  };
  /// What the modules hold now, where that is not what the entry point found.
  std::function<StateNow()> stateNow;
  /// Counts what happens to cells.
  uint64_t cellChanges = 0;

  //===--- the module's state: Module.cpp ----------------------------------===//
  struct Slot {
    std::string path;   ///< dotted name
    std::string symbol; ///< unique symbol
    bool isList = false, isGenerator = false, isPython = false;
    StateKind kind = StateKind::Mutable;
    mlir::Type type;    ///< of the first phase in which it is there
    DType dtype = DType::Undefined;
    std::vector<mlir::Type> types; ///< all
    mlir::Attribute initial;
    std::vector<mlir::Attribute> elements;
    bool hasInitial = false, requiresGrad = false, isParameter = false;
    int order = 0;
  };
  std::vector<Slot> slots;
  int generatorSlot = -1;
  std::shared_ptr<Storage> generator;
  /// Loads a slot at the start of the function that is being imported.
  mlir::Value loadSlot(int slot, mlir::Type type);
  mlir::SymbolRefAttr symbolOf(int slot);
  /// Told of each element that a list of the instance gets.
  std::function<void(int slot, mlir::RankedTensorType type)> onAppend;
  /// Per slot: the modules that lead to it.
  std::vector<std::vector<std::string>> slotModules;

  /// What torch.is_grad_enabled() says.
  bool isGradEnabled = true;

  mlir::Block *entryBlock = nullptr;
  /// SetAttr of an attribute that stands for a slot, by instance and name.
  std::shared_ptr<Instance> root;

private:
  friend class ModuleImporter;
  void runBlock(const script::Block &block, std::vector<Py> &env);
  void runNode(const script::Node &node, std::vector<Py> &env);
  void runIf(const script::Node &node, std::vector<Py> &env);
  void runLoop(const script::Node &node, std::vector<Py> &env);
  /// False where the loop had better be unrolled.
  bool runStructuredLoop(const script::Node &node, std::vector<Py> &env,
                         std::vector<Py> &carried, int64_t done,
                         const Py &trips, const Py &condition);
  Results runAten(const script::Node &node, std::vector<Py> args);
  Results runPrim(const script::Node &node, std::vector<Py> args, std::vector<Py> &env);
  /// Python's text of a value; numbers that the data decides are parts of it.
  Py textOf(const Py &v);
  /// Tensor.tolist(), nested as deep as `dims` says.
  Py listOf(const TensorRef &t, mlir::Value v, llvm::SmallVector<Dim> at);
  Py constant(const script::Node &node);
public:
  Py fromConstant(const script::Constant &c);
private:

  /// A place that Python code can change.
  struct Cell {
    /// PoisonCell: why a storage or object is not known.
    enum Kind { StorageCell, ItemsCell, AttributeCell, HandleCell, PoisonCell } kind;
    std::shared_ptr<Storage> storage;
    std::shared_ptr<Container> container;
    std::shared_ptr<Instance> object;
    std::string name;
    std::shared_ptr<Referred> referred = nullptr; ///< PoisonCell
    bool operator<(const Cell &other) const;
  };
  /// What a cell holds.
  struct Content {
    mlir::Value value;
    std::vector<Py> items;
    Py attribute;
  };
  struct Frame {
    std::map<Cell, Content> cells; ///< old contents, by cell
    uint64_t start = Born::now();
  };
  std::vector<Frame *> journal;
  /// The times in which branches and loops' bodies that have ended were walked,
  /// in order and apart. What was made in one of them is of no more use.
  std::vector<std::pair<uint64_t, uint64_t>> ended;
  bool hasEnded(const Born &object) const;
  /// Fails if the content is not known.
  void checkKnown(const Storage &storage);
  /// A write into `storage` reaches what links don't tell of.
  void spoilOthers(const std::shared_ptr<Storage> &storage, const Storage *written);
  /// A write into `storage`, made on `condition`, reaches what links tell of.
  void follow(const std::shared_ptr<Storage> &storage, mlir::Value condition,
              llvm::SmallVectorImpl<const Storage *> &path);
  /// The base of a tensor after `value` is written into it.
  mlir::Value writeThrough(const Tensor &t, mlir::Value value);
  Content contentOf(const Cell &cell);
  void restore(const Cell &cell, const Content &content);
  void record(Cell cell);
  /// Runs `body` in `block`, and puts back what it changed. Returns the new
  /// contents of the changed cells.
  Frame runRegion(mlir::Block *block, llvm::function_ref<void()> body);

  /// Pairs of values that a branch or loop must hand on.
  struct Merge;
  friend struct Merge;

  int depth = 0;
  bool inPrelude = false;
  mlir::Operation *placeholder(size_t number, bool isEnd, const StateNow &state,
                               mlir::ValueRange values);
  void valuesOf(const Py &v, llvm::SmallVectorImpl<mlir::Value> &values);
  const script::Node *currentNode = nullptr;
  const script::Function *currentFunction = nullptr;
  std::set<std::string> notes;
};

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_INTERPRETER_H
