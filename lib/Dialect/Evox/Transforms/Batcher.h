//===- Batcher.h - A function for all lanes at once -------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// First an analysis of which values differ from lane to lane ("vary"), with a
// fixpoint over loops; then one walk that emits the batched ops. A varying
// tensor gets the lanes as its first dimension, a varying scalar becomes a
// tensor of the lanes. Values that don't vary are computed once.
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHER_H
#define EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHER_H

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"

namespace evox {

enum class Randomness { Different, Same, Error };

class Batcher {
public:
  struct Options {
    Randomness randomness = Randomness::Different;
    bool philox = false;
  };

  Batcher(mlir::OpBuilder &builder, Options options)
      : options(options), builder(builder) {}

  //--- The analysis

  /// Finds what varies in a function whose arguments `varying` (one flag each)
  /// do. Fails, with an error, where `randomness` forbids a draw.
  mlir::LogicalResult analyze(mlir::Block &body, mlir::ArrayRef<bool> varying);
  bool varies(mlir::Value value) const { return varying.contains(value); }
  /// Whether lanes part at `op`, a branch or loop.
  bool splits(mlir::Operation *op) const;
  /// The op for whose sake lanes must run one after the other: a draw, or a
  /// call of the host, that only some lanes do. Null if there is none.
  mlir::Operation *getOrderedOp() const { return ordered; }

  //--- Emission

  /// The lanes: a constant, or a value of type index.
  mlir::OpFoldResult lanes;
  int64_t staticLanes = mlir::ShapedType::kDynamic;
  /// Which lanes are here: tensor<lanes x i1>; null where all are.
  mlir::Value mask;
  const Options options;
  mlir::OpBuilder &builder;

  /// Emits all of `block` but its terminator.
  mlir::LogicalResult batch(mlir::Block &block);
  mlir::LogicalResult batch(mlir::Operation *op);
  /// Runs `op` for one lane after the other, and says so.
  mlir::LogicalResult loopOverLanes(mlir::Operation *op);
  /// The same without a word; `scoped`: each lane has a generator of its own.
  mlir::LogicalResult loopOverLanes(mlir::Operation *op, bool scoped);
  /// Fails: what `what` gives has another size in each lane.
  mlir::LogicalResult refuseSize(mlir::Operation *op);

  void map(mlir::Value from, mlir::Value to) { mapping.map(from, to); }
  void mapResults(mlir::Operation *from, mlir::Operation *to) {
    mapping.map(from->getResults(), to->getResults());
  }
  /// What stands for a value: with the lanes in front if it varies.
  mlir::Value get(mlir::Value value) { return mapping.lookupOrDefault(value); }
  /// The same, with the lanes in front in any case.
  mlir::Value getBatched(mlir::Value value);
  mlir::IRMapping &getMapping() { return mapping; }

  /// The type of a varying value of `type`.
  mlir::RankedTensorType batchType(mlir::Type type) const;
  /// `sizes` of a tensor with the lanes in front.
  llvm::SmallVector<mlir::OpFoldResult>
  withLanes(mlir::ArrayRef<mlir::OpFoldResult> sizes) const;

  //--- Pieces of code, on new values

  mlir::Location loc() const { return where; }
  mlir::Value index(int64_t value);
  mlir::Value asValue(mlir::OpFoldResult value);
  /// The generator as lane `index` sees it.
  mlir::Value lane(mlir::Value generator, mlir::Value index);
  /// `value`, a scalar or tensor without lanes, for each lane.
  mlir::Value repeat(mlir::Value value);
  /// A tensor<lanes x T> spread over the shape of `like`, which has the lanes
  /// in front.
  mlir::Value spread(mlir::Value perLane, mlir::Value like);
  /// `a` in the lanes of `where`, else `b`.
  mlir::Value select(mlir::Value where, mlir::Value a, mlir::Value b);
  /// Whether any lane of a tensor<lanes x i1> is on: an i1.
  mlir::Value any(mlir::Value lanes);
  /// Elementwise `and`, where null means all.
  mlir::Value both(mlir::Value a, mlir::Value b);
  mlir::Value invert(mlir::Value mask);
  /// Zeros of the type and sizes of a batched value.
  mlir::Value zerosLike(mlir::Value value);
  /// A tensor of `sizes` whose elements `element` computes from the indices.
  mlir::Value
  generate(mlir::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elementType,
           llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>
               element);
  /// `index` moved into [0, size) where some lanes are off, whose indices may
  /// be anything.
  mlir::Value clamp(mlir::OpBuilder &b, mlir::Value index, mlir::Value tensor,
                    int64_t dim);
  /// Element `at` (indices without the lane) of `tensor`, an old value.
  mlir::Value extract(mlir::OpBuilder &b, mlir::Value tensor, mlir::Value lane,
                      mlir::ValueRange at);
  /// A scalar of `lane`, an old value.
  mlir::Value scalarOf(mlir::OpBuilder &b, mlir::Value scalar,
                       mlir::Value lane);

private:
  mlir::LogicalResult batchElementwise(mlir::Operation *op);
  void makeSafe(mlir::Operation *op);
  void vary(mlir::Value value) { changed |= varying.insert(value).second; }
  void analyze(mlir::Block &block, bool masked);
  void analyze(mlir::Operation *op, bool masked);
  void analyzeBranches(mlir::Operation *op, bool masked);
  void analyzeFor(mlir::scf::ForOp op, bool masked);
  void analyzeWhile(mlir::scf::WhileOp op, bool masked);

  mlir::IRMapping mapping;
  llvm::DenseSet<mlir::Value> varying;
  bool changed = false;
  mlir::Operation *ordered = nullptr, *forbidden = nullptr;
  mlir::Location where = mlir::UnknownLoc::get(builder.getContext());
};

/// Whether `op` draws random numbers.
bool isDraw(mlir::Operation *op);
/// Whether `op` divides integers: that traps on 0, which a lane that is off
/// may have.
bool isDivision(mlir::Operation &op);

} // namespace evox

#include "evox/Dialect/Evox/Transforms/BatchOpInterface.h.inc"

#endif // EVOX_LIB_DIALECT_EVOX_TRANSFORMS_BATCHER_H
