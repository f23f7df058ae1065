//===- StateBlob.h - The initial values in a library ------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_TARGET_STATEBLOB_H
#define EVOX_TARGET_STATEBLOB_H

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <deque>
#include <vector>

namespace evox {

/// The initial values of a program, one after the other, each aligned to 64
/// bytes. They may be gigabytes: they stay where they are until they are
/// written, and equal ones have one place.
class StateBlob {
public:
  /// Where a value is.
  struct Place {
    int64_t offset = -1; ///< -1: nowhere, all bytes are zero
    int32_t fill = 0;    ///< not 0: so many bytes there, again and again
  };

  /// `spelledOut`: the value is to be there as a whole, as it is used in place.
  Place add(mlir::ElementsAttr value, bool spelledOut);
  /// The values follow one another.
  Place addAll(llvm::ArrayRef<mlir::ElementsAttr> values);
  int64_t size() const { return end; }

  /// Whether all values can be written; says which one is missing or wrong.
  mlir::LogicalResult check() const;
  void write(llvm::raw_ostream &os) const;

private:
  struct Piece {
    mlir::ElementsAttr value;
    int64_t offset = 0, size = 0;
    llvm::ArrayRef<char> bytes; ///< there `times` times
    int64_t times = 1;
    bool isComplete() const { return int64_t(bytes.size()) * times == size; }
  };
  Piece read(mlir::ElementsAttr value);
  int64_t append(Piece piece);

  int64_t end = 0;
  std::vector<Piece> pieces;
  llvm::DenseMap<uint64_t, llvm::SmallVector<size_t, 1>> piecesOf; ///< by digest
  std::deque<std::vector<char>> expanded; ///< bools, of which attributes keep bits
};

/// The section that has the initial values and the symbol at their beginning.
constexpr const char *kBlobSection = ".evox_state";
constexpr const char *kBlobSymbol = "evox_state_blob";

/// Assembly of a section of `size` bytes of which a file holds none yet.
std::string makeBlobAssembly(int64_t size);

/// In an ELF file with such a section: its bytes are to be at the end of the
/// file, behind `size` bytes; tells how many more to leave free before them.
llvm::Expected<int64_t> placeBlob(llvm::MutableArrayRef<char> file);

/// Appends the blob to the library at `path`, where it belongs.
llvm::Error appendBlob(llvm::StringRef path, const StateBlob &blob);

} // namespace evox

#endif // EVOX_TARGET_STATEBLOB_H
