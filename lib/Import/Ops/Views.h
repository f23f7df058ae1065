//===- Views.h - What the builders of views share -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_OPS_VIEWS_H
#define EVOX_LIB_IMPORT_OPS_VIEWS_H

#include "Common.h"

namespace evox::import {

/// A view of another shape on the same elements.
TensorRef reshapeView(Call &c, const TensorRef &t, llvm::ArrayRef<Dim> sizes,
                      std::optional<llvm::SmallVector<int64_t>> strides);
bool isContiguous(Call &c, const TensorRef &t);

Results selectOp(Call &c);
Results sliceOp(Call &c);
Results narrowOp(Call &c);
Results splitOp(Call &c);
Results splitAtTensorOp(Call &c);
Results chunkOp(Call &c);
Results unbindOp(Call &c);
Results diagonalOp(Call &c);
Results unfoldOp(Call &c);
Results asStridedOp(Call &c);
Results padOp(Call &c);

} // namespace evox::import

#endif // EVOX_LIB_IMPORT_OPS_VIEWS_H
