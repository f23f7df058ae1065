//===- ScriptIR.h - A TorchScript program without LibTorch -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The loader turns LibTorch's graphs and values into these plain structs, so
// that it alone needs LibTorch's headers and the rest of the importer is
// ordinary MLIR code.

#ifndef EVOX_LIB_IMPORT_SCRIPTIR_H
#define EVOX_LIB_IMPORT_SCRIPTIR_H

#include <complex>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace evox::script {

struct Function;
struct Object;

/// Numbers of c10::ScalarType.
enum class DType : int8_t {
  UInt8 = 0, Int8 = 1, Int16 = 2, Int32 = 3, Int64 = 4, Half = 5, Float = 6,
  Double = 7, ComplexHalf = 8, ComplexFloat = 9, ComplexDouble = 10, Bool = 11,
  BFloat16 = 15, Undefined = -1
};

struct TensorData {
  DType dtype = DType::Undefined;
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;         ///< into the storage, in elements
  const void *storage = nullptr; ///< identity of the storage
  int64_t storageNumel = 0;
  const char *bytes = nullptr; ///< contiguous elements
  int64_t numBytes = 0;
  std::shared_ptr<const void> owner; ///< of `bytes`
  bool requiresGrad = false;
};

/// A constant or attribute value.
struct Constant {
  enum Kind { None, Int, Float, Bool, Complex, String, Tensor, List, Tuple,
              Dict, Object, Function, Device, Enum, Generator, Unsupported };
  Kind kind = None;
  int64_t i = 0;
  double f = 0, imag = 0;
  std::string s; ///< string, device, enum's name, or what is unsupported
  std::shared_ptr<TensorData> tensor;
  std::vector<Constant> items; ///< of a list, tuple; keys and values of a dict
  std::vector<std::string> names; ///< of a named tuple
  std::string type;            ///< TorchScript type of a list or dict
  script::Object *object = nullptr;
  script::Function *function = nullptr;
  const void *identity = nullptr; ///< of a list or dict, which are shared
};

struct Attribute {
  std::string name, type;
  Constant value;
  bool isParameter = false, isBuffer = false;
};

/// An instance of a scripted class: a module, in most cases.
struct Object {
  std::string type; ///< qualified class name
  bool isModule = true;
  std::vector<Attribute> attributes;
  std::map<std::string, Function *> methods;
};

struct Location {
  std::string file;
  unsigned line = 0, column = 0;
};

struct Block;

struct Node {
  std::string kind;     ///< "aten::add"
  std::string overload; ///< "Tensor"
  std::vector<std::string> argNames;
  std::vector<int> inputs, outputs;
  std::vector<std::string> outputTypes;
  std::map<std::string, Constant> attributes;
  /// Of prim::isinstance; the field names of a named tuple.
  std::vector<std::string> typeAttribute;
  std::vector<std::string> fieldTypes; ///< of a named tuple
  std::vector<std::unique_ptr<Block>> blocks;
  Location loc;
};

struct Block {
  std::vector<int> inputs, outputs;
  std::vector<std::unique_ptr<Node>> nodes;
};

struct Function {
  std::string name; ///< unqualified
  std::vector<std::string> argNames, argTypes;
  std::vector<Constant> argDefaults;
  std::vector<bool> hasDefault;
  std::string returnType;
  /// Converts the graph at first use.
  std::function<void(Function &)> load;
  bool isIgnored = false; ///< left in Python by torch.jit.ignore
  bool loaded = false;
  Block body;
  int numValues = 0;
  std::vector<std::string> valueTypes;
  const Block &graph() {
    if (!loaded) {
      loaded = true;
      load(*this);
    }
    return body;
  }
};

/// A loaded program.
class Program {
public:
  virtual ~Program() = default;
  Object *root = nullptr;
  double seconds = 0;
  /// A function of the prelude of decompositions, or null.
  virtual Function *decomposition(const std::string &name) = 0;
};

/// Reads a `.pt` file or TorchScript text. Throws std::runtime_error.
std::unique_ptr<Program> loadProgram(const std::string &path);

} // namespace evox::script

#endif // EVOX_LIB_IMPORT_SCRIPTIR_H
