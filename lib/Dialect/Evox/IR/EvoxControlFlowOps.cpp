//===- EvoxControlFlowOps.cpp - Control flow over state -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace evox;

// The types along the edges between regions are checked by
// RegionBranchOpInterface; what it takes for granted, the terminators, is
// checked here.
template <typename Terminator>
static LogicalResult verifyTerminator(Operation *op, Region &region,
                                      StringRef what) {
  Block &block = region.front();
  if (!block.empty() && isa<Terminator>(block.back()))
    return success();
  auto diag = op->emitOpError() << what << " must end with '"
                                << Terminator::getOperationName() << "'";
  if (!block.empty())
    diag.attachNote(block.back().getLoc()) << "its last op is this";
  return diag;
}

/// Replaces `op` by the content of its single-block `region`.
static void inlineRegion(PatternRewriter &rewriter, Operation *op,
                         Region &region) {
  Operation *terminator = &region.front().back();
  rewriter.inlineBlockBefore(&region.front(), op);
  rewriter.replaceOp(op, terminator->getOperands());
  rewriter.eraseOp(terminator);
}

//===----------------------------------------------------------------------===//
// IfOp
//===----------------------------------------------------------------------===//

LogicalResult IfOp::verify() {
  if (failed(verifyTerminator<YieldOp>(*this, getThenRegion(), "then region")))
    return failure();
  return verifyTerminator<YieldOp>(*this, getElseRegion(), "else region");
}

void IfOp::getSuccessorRegions(RegionBranchPoint point,
                               SmallVectorImpl<RegionSuccessor> &regions) {
  if (!point.isParent()) {
    regions.emplace_back(getOperation(), getOperation()->getResults());
    return;
  }
  regions.emplace_back(&getThenRegion());
  regions.emplace_back(&getElseRegion());
}

void IfOp::getEntrySuccessorRegions(ArrayRef<Attribute> operands,
                                    SmallVectorImpl<RegionSuccessor> &regions) {
  auto condition =
      dyn_cast_or_null<BoolAttr>(FoldAdaptor(operands, *this).getCondition());
  if (!condition || condition.getValue())
    regions.emplace_back(&getThenRegion());
  if (!condition || !condition.getValue())
    regions.emplace_back(&getElseRegion());
}

void IfOp::getRegionInvocationBounds(
    ArrayRef<Attribute> operands, SmallVectorImpl<InvocationBounds> &bounds) {
  auto condition =
      dyn_cast_or_null<BoolAttr>(FoldAdaptor(operands, *this).getCondition());
  if (!condition) {
    bounds.assign(2, {0, 1});
    return;
  }
  bounds.emplace_back(condition.getValue(), condition.getValue());
  bounds.emplace_back(!condition.getValue(), !condition.getValue());
}

namespace {
struct InlineConstantIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp op,
                                PatternRewriter &rewriter) const override {
    APInt value;
    if (!matchPattern(op.getCondition(), m_ConstantInt(&value)))
      return failure();
    inlineRegion(rewriter, op,
                 value.isZero() ? op.getElseRegion() : op.getThenRegion());
    return success();
  }
};
} // namespace

void IfOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                       MLIRContext *context) {
  patterns.add<InlineConstantIf>(context);
}

//===----------------------------------------------------------------------===//
// SwitchOp
//===----------------------------------------------------------------------===//

LogicalResult SwitchOp::verify() {
  if (getBranches().empty())
    return emitOpError("needs at least one branch");
  for (auto [i, region] : llvm::enumerate(getBranches()))
    if (failed(verifyTerminator<YieldOp>(*this, region,
                                         "branch " + std::to_string(i))))
      return failure();
  return success();
}

/// The branch that runs for `index`: out of range means the first or last.
static int64_t clampBranch(SwitchOp op, int64_t index) {
  int64_t last = static_cast<int64_t>(op.getBranches().size()) - 1;
  return std::clamp<int64_t>(index, 0, last);
}

void SwitchOp::getSuccessorRegions(RegionBranchPoint point,
                                   SmallVectorImpl<RegionSuccessor> &regions) {
  if (!point.isParent()) {
    regions.emplace_back(getOperation(), getOperation()->getResults());
    return;
  }
  for (Region &region : getBranches())
    regions.emplace_back(&region);
}

void SwitchOp::getEntrySuccessorRegions(
    ArrayRef<Attribute> operands, SmallVectorImpl<RegionSuccessor> &regions) {
  auto index =
      dyn_cast_or_null<IntegerAttr>(FoldAdaptor(operands, *this).getIndex());
  if (!index || getBranches().empty())
    return getSuccessorRegions(RegionBranchPoint::parent(), regions);
  regions.emplace_back(&getBranches()[clampBranch(*this, index.getInt())]);
}

void SwitchOp::getRegionInvocationBounds(
    ArrayRef<Attribute> operands, SmallVectorImpl<InvocationBounds> &bounds) {
  auto index =
      dyn_cast_or_null<IntegerAttr>(FoldAdaptor(operands, *this).getIndex());
  if (!index) {
    bounds.assign(getBranches().size(), {0, 1});
    return;
  }
  int64_t taken = clampBranch(*this, index.getInt());
  for (int64_t i = 0, e = getBranches().size(); i < e; ++i)
    bounds.emplace_back(i == taken, i == taken);
}

namespace {
struct InlineConstantSwitch : OpRewritePattern<SwitchOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SwitchOp op,
                                PatternRewriter &rewriter) const override {
    APInt value;
    int64_t taken = 0;
    if (matchPattern(op.getIndex(), m_ConstantInt(&value)))
      taken = clampBranch(op, value.getSExtValue());
    else if (op.getBranches().size() != 1)
      return failure();
    inlineRegion(rewriter, op, op.getBranches()[taken]);
    return success();
  }
};
} // namespace

void SwitchOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<InlineConstantSwitch>(context);
}

//===----------------------------------------------------------------------===//
// WhileOp
//===----------------------------------------------------------------------===//

LogicalResult WhileOp::verify() {
  if (failed(verifyTerminator<ConditionOp>(*this, getBefore(),
                                           "condition region")))
    return failure();
  return verifyTerminator<YieldOp>(*this, getAfter(), "body region");
}

OperandRange WhileOp::getEntrySuccessorOperands(RegionSuccessor) {
  return getInits();
}

void WhileOp::getSuccessorRegions(RegionBranchPoint point,
                                  SmallVectorImpl<RegionSuccessor> &regions) {
  Operation *terminator = point.getTerminatorPredecessorOrNull();
  if (!terminator || terminator->getParentRegion() == &getAfter()) {
    regions.emplace_back(&getBefore(), getBefore().getArguments());
    return;
  }
  regions.emplace_back(getOperation(), getOperation()->getResults());
  regions.emplace_back(&getAfter(), getAfter().getArguments());
}

//===----------------------------------------------------------------------===//
// ConditionOp
//===----------------------------------------------------------------------===//

MutableOperandRange ConditionOp::getMutableSuccessorOperands(RegionSuccessor) {
  return getArgsMutable();
}

void ConditionOp::getSuccessorRegions(
    ArrayRef<Attribute> operands, SmallVectorImpl<RegionSuccessor> &regions) {
  auto loop = cast<WhileOp>((*this)->getParentOp());
  auto condition =
      dyn_cast_or_null<BoolAttr>(FoldAdaptor(operands, *this).getCondition());
  if (!condition || condition.getValue())
    regions.emplace_back(&loop.getAfter(), loop.getAfter().getArguments());
  if (!condition || !condition.getValue())
    regions.emplace_back(loop.getOperation(), loop->getResults());
}
