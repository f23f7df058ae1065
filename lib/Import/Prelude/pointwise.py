# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Ops that are made of others, in TorchScript. A function named aten_NAME (or
# aten_NAME__OVERLOAD) stands for the op aten::NAME; its parameters are matched
# by name with the op's schema. The comment says where the formula is from.


# aten/src/ATen/native/cpu/PointwiseOpsKernel.cpp: self + value * t1 * t2
def aten_addcmul(self: Tensor, tensor1: Tensor, tensor2: Tensor, value: number = 1) -> Tensor:
    if value == 1:
        return self + tensor1 * tensor2
    return self + value * tensor1 * tensor2
