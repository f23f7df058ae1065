//===- StateLayout.h - Slots and phases of a program ------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_TRANSFORMS_STATELAYOUT_H
#define EVOX_DIALECT_EVOX_TRANSFORMS_STATELAYOUT_H

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace evox {

/// Discardable attributes by which functions refer to slots, arguments and
/// results of the program after `--evox-use-state`.
namespace attr {
/// On a function: the dictionary of the `evox.func` it was made from.
constexpr llvm::StringLiteral kEntry = "evox.entry";
/// On an argument or result: the number of the slot it holds.
constexpr llvm::StringLiteral kSlot = "evox.slot";
/// On an argument: the number of the user's argument.
constexpr llvm::StringLiteral kArg = "evox.arg";
/// On a result, or an argument that is a destination: the user's result.
constexpr llvm::StringLiteral kResult = "evox.result";
/// On an entry point: the function that computes what all its calls in a row
/// share.
constexpr llvm::StringLiteral kOnce = "evox.once";
/// On that function's results and the entry point's arguments: which of them.
constexpr llvm::StringLiteral kInvariant = "evox.invariant";
/// On an entry point's argument: its number among the buffers that all its
/// calls in a row use, for what they compute on the way.
constexpr llvm::StringLiteral kKept = "evox.kept";
} // namespace attr

/// One slot of state. Slots are numbered in the order of their `evox.state`
/// ops, so this numbering, the names in the signature and the table in the
/// library all come from here.
struct StateSlot {
  StateOp op;
  unsigned index;
  llvm::StringRef name; ///< in state_dict()
  mlir::Type type;      ///< in phases that say nothing else
};

struct StatePhase {
  llvm::StringRef python; ///< JSON
  llvm::DenseMap<unsigned, mlir::Type> types;
};

class StateLayout {
public:
  /// Reads the layout off the one `evox.module` at the top of `module`; a
  /// program without one has no state and one phase.
  static mlir::FailureOr<StateLayout> get(mlir::ModuleOp module);

  llvm::ArrayRef<StateSlot> getSlots() const { return slots; }
  llvm::ArrayRef<StatePhase> getPhases() const { return phases; }
  /// The module that holds the state; null for a program without one.
  ModuleOp getRoot() const { return root; }
  unsigned indexOf(StateOp op) const { return indices.lookup(op); }
  mlir::Type getType(unsigned slot, unsigned phase) const;

private:
  ModuleOp root;
  llvm::SmallVector<StateSlot> slots;
  llvm::SmallVector<StatePhase> phases;
  llvm::DenseMap<mlir::Operation *, unsigned> indices;
};

/// The name of the `func.func` that a method becomes: its dotted path.
std::string getFunctionPath(mlir::SymbolRefAttr symbol);

/// The entry point that a function implements, as `evox.entry` describes it.
/// Everything but `name` has a default, so hand-written programs stay short.
struct EntryInfo {
  llvm::StringRef name;
  unsigned phase = 0, next = 0;
  llvm::SmallVector<llvm::StringRef> argNames, argDtypes, resultDtypes;
  llvm::StringRef args, results; ///< JSON pytrees, or empty

  static EntryInfo get(mlir::Operation *func, mlir::DictionaryAttr dict);
};

/// Whether the function is that of an entry point without arguments.
bool canBeRun(mlir::FunctionOpInterface func);
/// And whose phase leads to itself: one call can follow the other.
bool isRepeated(mlir::FunctionOpInterface func);

/// Whether running the op may end the call with an error, for what the data is
/// or for what the host's function does. Ops nested in it don't count.
bool mayFail(mlir::Operation *op);

} // namespace evox

#endif // EVOX_DIALECT_EVOX_TRANSFORMS_STATELAYOUT_H
