# module_with_state.py - any module that scripts can be compiled
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    python examples/python/module_with_state.py"""

import torch

import evox_mlir


class RunningMean(torch.nn.Module):
    """The mean of the rows seen so far."""

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("total", torch.zeros(size))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, rows):
        if rows.isnan().any():
            raise ValueError("a row has a NaN")
        self.total += rows.sum(dim=0)
        self.count += rows.shape[0]
        return self.total / self.count

    @torch.jit.export
    def clear(self):
        self.total.zero_()
        self.count.zero_()


rows = torch.arange(12.0).reshape(4, 3)
program = evox_mlir.compile(RunningMean(3), {"forward": (rows,), "clear": ()})
print(program(rows), program.get("count").item())
print(program(rows.flip(0)), program.get("count").item())

try:
    program(torch.full((4, 3), torch.nan))
except evox_mlir.ProgramError as error:
    print("refused:", error)
print("the state is as it was:", program.get("count").item())

try:
    program(rows.double())
except evox_mlir.ArgumentError as error:
    print("refused:", error)
