//===- RowAccesses.h - What loops over rows read and write ---*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_CONVERSION_LINALGTOLOOPS_ROWACCESSES_H
#define EVOX_LIB_CONVERSION_LINALGTOLOOPS_ROWACCESSES_H

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace evox::rows {

struct Access {
  mlir::Value root;
  bool write;
  /// Of one element, or of a vector along the last index; empty where it may
  /// be any part of the buffer.
  llvm::SmallVector<mlir::Value, 4> indices;
  bool isVector = false;
};

mlir::Value rootOf(mlir::Value memref);
/// Memory of its own: two such roots don't overlap.
bool isIdentified(mlir::Value root);

bool isDraw(mlir::Operation *op);
/// What begins a draw by rows.
bool isBegin(mlir::Operation *op);
/// The draw of a loop that draws rows, else null.
KernelCallOp drawOf(mlir::scf::ForOp loop);

/// Collects what `op` and all in it do to memory that is not its own. False if
/// it does more than that.
bool collect(mlir::Operation *op, llvm::SmallVectorImpl<Access> &accesses);

/// May `a`, in row `rowA` of one loop, and `b`, in another row of another loop,
/// be the same element, of which one is written? Without rows: in any.
bool conflict(const Access &a, const Access &b, mlir::Value rowA = {},
              mlir::Value rowB = {});
bool conflict(llvm::ArrayRef<Access> as, llvm::ArrayRef<Access> bs,
              mlir::Value rowA = {}, mlir::Value rowB = {});

} // namespace evox::rows

#endif // EVOX_LIB_CONVERSION_LINALGTOLOOPS_ROWACCESSES_H
