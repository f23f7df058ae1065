//===- Blas.h - What LAPACK stands on ---------------------------*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_RUNTIME_BLAS_H
#define EVOX_LIB_RUNTIME_BLAS_H

#include "evox/Runtime/Program.h"

namespace evox::rt {

/// Whose memory and threads BLAS uses in calls by this thread from now on.
void setBlasContext(evox_ctx *ctx);
evox_ctx *blasContext();

} // namespace evox::rt

#endif // EVOX_LIB_RUNTIME_BLAS_H
