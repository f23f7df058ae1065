//===- TestLapack.cpp - The kernels that need LAPACK ----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestProgram.h"

#include <cstring>

static bool run(evox_ctx *ctx, const char *name, const evox_view *v,
                const int64_t *i, const double *d) {
  auto is = [&](const char *other) { return std::strcmp(name, other) == 0; };
  if (is("cholesky"))
    evox_k_cholesky(ctx, v, v + 1, v + 2, i[0]);
  else if (is("eigh"))
    evox_k_eigh(ctx, v, v + 1, v + 2, v + 3, i[0]);
  else if (is("qr"))
    evox_k_qr(ctx, v, v + 1, v + 2);
  else if (is("svd"))
    evox_k_svd(ctx, v, v + 1, v + 2, v + 3, v + 4);
  else if (is("lu"))
    evox_k_lu(ctx, v, v + 1, v + 2, v + 3);
  else if (is("solve"))
    evox_k_solve(ctx, v, v + 1, v + 2, v + 3);
  else if (is("solve_triangular"))
    evox_k_solve_triangular(ctx, v, v + 1, v + 2, i[0], i[1], i[2]);
  else if (is("lstsq"))
    evox_k_lstsq(ctx, v, v + 1, v + 2, v + 3, d[0]);
  else
    return false;
  return true;
}

__attribute__((constructor)) static void add() { test_lapack_kernels = run; }
