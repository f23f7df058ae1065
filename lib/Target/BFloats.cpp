//===- BFloats.cpp - What LLVM's code generators lack of bfloat -----------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BFloats.h"
#include "llvm/Analysis/VectorUtils.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;

static bool isBFloat(Type *type) { return type->getScalarType()->isBFloatTy(); }

/// Rounds to the nearest, as PyTorch does: also numbers that are so small that
/// the instruction of AVX-512 makes them 0.
static Value *roundToBFloat(IRBuilder<> &b, Value *x) {
  Type *ints = x->getType()->getWithNewType(b.getInt32Ty());
  Value *bits = b.CreateBitCast(x, ints);
  auto number = [&](uint32_t value) { return ConstantInt::get(ints, value); };
  Value *odd = b.CreateAnd(b.CreateLShr(bits, number(16)), number(1));
  Value *rounded = b.CreateLShr(
      b.CreateAdd(b.CreateAdd(bits, number(0x7fff)), odd), number(16));
  Value *result =
      b.CreateSelect(b.CreateFCmpUNO(x, x), number(0x7fc0), rounded);
  result = b.CreateTrunc(result, ints->getWithNewType(b.getInt16Ty()));
  return b.CreateBitCast(result, ints->getWithNewType(b.getBFloatTy()));
}

static Value *toFloat(IRBuilder<> &b, Value *x) {
  Type *floats = x->getType()->getWithNewType(b.getFloatTy());
  if (x->getType() == floats)
    return x;
  return x->getType()->getScalarType()->isDoubleTy() ? b.CreateFPTrunc(x, floats)
                                                     : b.CreateFPExt(x, floats);
}

/// The same operation of floats; null for what is no arithmetic.
static Value *computeInFloat(IRBuilder<> &b, Instruction &i) {
  Type *floats = i.getType()->getWithNewType(b.getFloatTy());
  if (isa<FPTruncInst>(i))
    return toFloat(b, i.getOperand(0));
  if (isa<SIToFPInst>(i))
    return b.CreateSIToFP(i.getOperand(0), floats);
  if (isa<UIToFPInst>(i))
    return b.CreateUIToFP(i.getOperand(0), floats);
  if (auto *op = dyn_cast<BinaryOperator>(&i))
    return b.CreateBinOp(op->getOpcode(), toFloat(b, op->getOperand(0)),
                         toFloat(b, op->getOperand(1)));
  auto *call = dyn_cast<IntrinsicInst>(&i);
  if (!call || !isTriviallyVectorizable(call->getIntrinsicID()))
    return nullptr;
  SmallVector<Value *> args;
  for (Value *arg : call->args())
    args.push_back(isBFloat(arg->getType()) ? toFloat(b, arg) : arg);
  return b.CreateIntrinsic(floats, call->getIntrinsicID(), args);
}

void evox::expandBFloats(Function &function) {
  SmallVector<Instruction *> all;
  for (Instruction &i : instructions(function))
    if (isBFloat(i.getType()))
      all.push_back(&i);
  for (Instruction *i : all) {
    IRBuilder<> b(i);
    b.setFastMathFlags(isa<FPMathOperator>(i) ? i->getFastMathFlags()
                                              : FastMathFlags());
    Value *inFloat = computeInFloat(b, *i);
    if (!inFloat)
      continue;
    b.clearFastMathFlags(); // a NaN that comes nevertheless stays one
    i->replaceAllUsesWith(roundToBFloat(b, inFloat));
    i->eraseFromParent();
  }
}

void evox::loadBFloatsAsIntegers(Function &function) {
  SmallVector<LoadInst *> loads;
  for (Instruction &i : instructions(function))
    if (auto *load = dyn_cast<LoadInst>(&i))
      if (auto *type = dyn_cast<FixedVectorType>(load->getType()))
        if (type->getElementType()->isBFloatTy() &&
            !isPowerOf2_32(type->getNumElements()))
          loads.push_back(load);
  for (LoadInst *load : loads) {
    IRBuilder<> b(load);
    auto integers = [&](Type *type) {
      return FixedVectorType::get(b.getInt16Ty(),
                                  cast<FixedVectorType>(type)->getNumElements());
    };
    LoadInst *bits = b.CreateAlignedLoad(integers(load->getType()),
                                         load->getPointerOperand(), load->getAlign());
    bits->copyMetadata(*load);
    for (User *user : make_early_inc_range(load->users())) {
      auto *shuffle = dyn_cast<ShuffleVectorInst>(user);
      if (!shuffle || shuffle->getOperand(0) != load ||
          !isa<PoisonValue>(shuffle->getOperand(1)))
        continue;
      b.SetInsertPoint(shuffle);
      shuffle->replaceAllUsesWith(b.CreateBitCast(
          b.CreateShuffleVector(bits, shuffle->getShuffleMask()), shuffle->getType()));
      shuffle->eraseFromParent();
    }
    if (!load->use_empty()) {
      b.SetInsertPoint(load);
      load->replaceAllUsesWith(b.CreateBitCast(bits, load->getType()));
    }
    load->eraseFromParent();
  }
}
