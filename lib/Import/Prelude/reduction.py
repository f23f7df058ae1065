# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Reductions and scans that are made of others. See pointwise.py for the rules.


# aten/src/ATen/native/ReduceOps.cpp: trace_cpu sums the diagonal
def aten_trace(self: Tensor) -> Tensor:
    assert self.dim() == 2, "trace: expected a matrix"
    return self.diagonal().sum()
