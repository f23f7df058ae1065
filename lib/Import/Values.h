//===- Values.h - Python values during import -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What a Python variable holds while the importer walks a program. Python's
// own values are known now, or are SSA scalars where the data decides them;
// a tensor is a view of a storage whose content is an SSA tensor.

#ifndef EVOX_LIB_IMPORT_VALUES_H
#define EVOX_LIB_IMPORT_VALUES_H

#include "ScriptIR.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace evox::import {

using script::DType;

/// A dimension: known now, or an SSA index.
using Dim = mlir::OpFoldResult;

/// An error of the program that is imported; carries the place where it was
/// noticed. `isRetryable` ones say that a value had to be known now.
struct ImportError : std::runtime_error {
  ImportError(const std::string &text, bool needsStatic = false)
      : std::runtime_error(text), needsStatic(needsStatic) {}
  bool needsStatic;
  script::Location loc;
};

/// When an object was made: what a branch makes itself is not put back when
/// the branch ends.
struct Born {
  static uint64_t now() { static uint64_t clock = 0; return ++clock; }
  uint64_t birth = now();
};

/// The memory under one or more tensors: the base that views look into.
struct Storage : Born {
  mlir::Value value; ///< current content, of the base's shape
  unsigned version = 0;
  /// Slot of the module whose value this is at the start of a function.
  int slot = -1;
  /// Argument of the entry point whose memory this is.
  int argument = -1;
  /// Other storages that may be the same memory, where the data decides.
  std::vector<std::weak_ptr<Storage>> maybeSame;
  /// Why the content can no longer be known; reading it is an error.
  std::string poison;
};

/// One step from a base tensor to a view of it.
struct View {
  enum Kind { Slice, Permute, Reshape, Expand, Indexed } kind;
  /// Slice: per dimension; result keeps all dimensions.
  llvm::SmallVector<Dim> offsets, sizes, strides;
  /// Permute: result dimension i is source dimension perm[i].
  llvm::SmallVector<int64_t> perm;
  /// Reshape, Expand: the result's shape. Slice: unused.
  llvm::SmallVector<Dim> shape;
  /// Indexed: element i of the result is element index(i) of the source, with
  /// index(i) = offset + sum_k i_k * step_k over the row-major source.
  int64_t offset = 0;
  llvm::SmallVector<int64_t> steps;
  /// Types of source and result.
  mlir::RankedTensorType source, result;
};

struct Tensor {
  std::shared_ptr<Storage> storage;
  llvm::SmallVector<View, 1> chain;
  DType dtype = DType::Undefined;
  mlir::RankedTensorType type;
  llvm::SmallVector<Dim> sizes;
  /// PyTorch's strides, as far as they are known: decide what is a view.
  std::optional<llvm::SmallVector<int64_t>> strides;
  /// The data decides the strides, so whether a reshaped tensor is a view.
  bool stridesVary = false;
  bool requiresGrad = false;
  bool isParameter = false;
  /// A Python number that became a tensor: weaker in type promotion.
  bool wrappedNumber = false;
  // The value read last.
  mlir::Value cached;
  unsigned cachedVersion = 0;

  int64_t rank() const { return type.getRank(); }
};
using TensorRef = std::shared_ptr<Tensor>;

/// An object that Python code refers to by names.
struct Referred : Born {
  /// Other objects that may be this one, where the data decides.
  std::vector<std::weak_ptr<Referred>> maybeSame;
  /// Why the content can no longer be known; reading it is an error.
  std::string poison;
};

struct Py;
struct Container : Referred {
  std::vector<Py> items; ///< list, tuple; dict: keys and values in turn
  std::string type;         ///< TorchScript type of a list or dict
  std::vector<std::string> names; ///< named tuple
  /// A list of the instance that grows at run time: its slot and SSA handle.
  int growSlot = -1;
  mlir::Value handle;
};

struct Instance : Referred {
  script::Object *object = nullptr;
  std::string path; ///< dotted, "" for the root
  std::vector<std::pair<std::string, Py>> attributes;
  Py *find(const std::string &name);
};

struct Py {
  enum Kind { None, Int, Float, Bool, Complex, String, Tensor, List, Tuple,
              Dict, Object, Function, Device, Enum, Generator, Uninitialized,
              Poison } kind = None;
  int64_t i = 0;
  double f = 0, imag = 0;
  std::string s;
  mlir::Value ssa; ///< Int: i64, Float: f64, Bool: i1, where not known now
  TensorRef tensor;
  std::shared_ptr<Container> items;
  std::shared_ptr<Instance> object;
  script::Function *function = nullptr;

  static Py ofInt(int64_t v) { Py r; r.kind = Int; r.i = v; return r; }
  static Py ofInt(mlir::Value v) { Py r; r.kind = Int; r.ssa = v; return r; }
  static Py ofFloat(double v) { Py r; r.kind = Float; r.f = v; return r; }
  static Py ofFloat(mlir::Value v) { Py r; r.kind = Float; r.ssa = v; return r; }
  static Py ofBool(bool v) { Py r; r.kind = Bool; r.i = v; return r; }
  static Py ofBool(mlir::Value v) { Py r; r.kind = Bool; r.ssa = v; return r; }
  static Py ofString(std::string v) { Py r; r.kind = String; r.s = std::move(v); return r; }
  static Py of(TensorRef t) { Py r; r.kind = Tensor; r.tensor = std::move(t); return r; }
  static Py poison() { Py r; r.kind = Poison; return r; }
  static Py ofItems(Kind kind, std::vector<Py> v, std::string type = "") {
    Py r;
    r.kind = kind;
    r.items = std::make_shared<Container>();
    r.items->items = std::move(v);
    r.items->type = std::move(type);
    return r;
  }
  bool isNone() const { return kind == None; }
  bool isTensor() const { return kind == Tensor; }
  bool isNumber() const { return kind == Int || kind == Float || kind == Bool || kind == Complex; }
  /// Known now?
  bool isStatic() const { return !ssa; }
  std::vector<Py> &list() { return items->items; }
  const std::vector<Py> &list() const { return items->items; }
};

inline Py *Instance::find(const std::string &name) {
  for (auto &attribute : attributes)
    if (attribute.first == name)
      return &attribute.second;
  return nullptr;
}

const char *kindName(Py::Kind kind);
std::string dtypeName(DType dtype);
bool isFloating(DType dtype);
bool isComplex(DType dtype);
bool isIntegral(DType dtype, bool includeBool);
bool isUnsigned(DType dtype);
/// PyTorch's torch.promote_types.
DType promote(DType a, DType b);
mlir::Type elementType(mlir::MLIRContext *context, DType dtype);

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_VALUES_H
