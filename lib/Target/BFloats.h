//===- BFloats.h - What LLVM's code generators lack of bfloat ---*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_BFLOATS_H
#define EVOX_LIB_TARGET_BFLOATS_H

namespace llvm {
class Function;
} // namespace llvm

namespace evox {

/// Before LLVM optimizes: arithmetic of bfloat becomes that of float, with the
/// rounding in integers. Most processors have no instruction for it, and the C
/// compiler's library may lack the function that LLVM would call.
void expandBFloats(llvm::Function &function);

/// After it: the vectorizer loads what is read with a stride as one vector of any length.
/// LLVM 22's code generator has no way to split some of these of bfloat ("Do not
/// know how to soft promote this operator's operand", 33 elements for example),
/// but it has of integers.
void loadBFloatsAsIntegers(llvm::Function &function);

} // namespace evox

#endif // EVOX_LIB_TARGET_BFLOATS_H
