//===- Passes.h - Passes over the evox dialect ------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_TRANSFORMS_PASSES_H
#define EVOX_DIALECT_EVOX_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace evox {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "evox/Dialect/Evox/Transforms/Passes.h.inc"

/// How the evox ops take part in upstream bufferization.
void registerBufferizableOpInterfaceExternalModels(mlir::DialectRegistry &);

/// The batching rules of all ops, for `--evox-vmap`.
void registerBatchOpInterfaceExternalModels(mlir::DialectRegistry &);
} // namespace evox

#endif // EVOX_DIALECT_EVOX_TRANSFORMS_PASSES_H
