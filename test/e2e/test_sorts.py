# test_sorts.py - sorts and scans on threads
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sorts, top-k and scans, large enough for threads, are PyTorch's."""

import pytest
import torch

import evox_mlir


class Sorts(torch.nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        a, b = torch.sort(x, dim=self.dim, stable=True)
        c, d = torch.sort(x, dim=self.dim, descending=True)
        e, f = torch.topk(x, 5, dim=self.dim)
        return (a, b, c, d, e, f, torch.argsort(x, dim=self.dim),
                torch.cumsum(x, dim=self.dim), torch.cummax(x, self.dim)[0])


def inputs():
    generator = torch.Generator().manual_seed(4)
    for dtype in (torch.float32, torch.float64):
        yield torch.randn(300_000, dtype=dtype, generator=generator), 0
        yield torch.randn(700, 300, dtype=dtype, generator=generator), 0
        yield torch.randn(700, 300, dtype=dtype, generator=generator), 1
        yield torch.randn(20, 300, 33, dtype=dtype, generator=generator), 1
    # Equal ones, in the order that each kind of sort promises.
    yield torch.randint(0, 1000, (200_000,), generator=generator).float(), 0
    yield torch.randint(-50, 50, (500, 400), generator=generator), 1
    yield torch.randint(-2**60, 2**60, (200_000,), generator=generator), 0


@pytest.mark.parametrize("x, dim", list(inputs()), ids=lambda x: (
    f"{x.dtype}-{'x'.join(map(str, x.shape))}"
    if isinstance(x, torch.Tensor) else str(x)))
def test_sorts(x, dim):
    module = torch.jit.script(Sorts(dim))
    program = evox_mlir.compile(module, methods={"forward": (x,)})
    expected = module(x)
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        for i, (ours, theirs) in enumerate(zip(program.forward(x), expected)):
            assert torch.equal(torch.as_tensor(ours), theirs), \
                f"result {i} with {threads} threads"
