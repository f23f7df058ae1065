//===- AngleFunctions.h - sin, cos and tan of f64 ---------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_TARGET_ANGLEFUNCTIONS_H
#define EVOX_LIB_TARGET_ANGLEFUNCTIONS_H

namespace llvm {
class Module;
} // namespace llvm

namespace evox {
struct ProgramInfo;

/// Tells LLVM which function of those that `evox-outline-angles` made computes
/// a vector of each variant's processor, and drops the others.
void annotateAngleFunctions(llvm::Module &module, const ProgramInfo &program);

} // namespace evox

#endif // EVOX_LIB_TARGET_ANGLEFUNCTIONS_H
