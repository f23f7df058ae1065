# test_counts.py - counts of truths, as in sorting into fronts
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the kernels for counts give is PyTorch's, at any number of threads."""

import pytest
import torch
from evox.operators.selection import non_dominate

import evox_mlir

# One row, fewer than four, more than bytes can count, ragged columns.
SIZES = [(1, 5000), (3, 2000), (255, 33), (257, 64), (1021, 517), (2000, 700)]


class Counts(torch.nn.Module):
    def forward(self, x, y, mask):
        truths = x < y
        some = mask[:, None] & (x > y)
        return (truths.sum(0), some.sum(dim=0), truths.T.sum(0),
                (mask[:, None] * truths).sum(0) + 3, truths.sum())


class Batches(torch.nn.Module):
    def forward(self, x, mask):
        truths = x > 0
        return (truths.sum(1), (mask[:, :, None] & truths).sum(1),
                (truths & mask[:, :, None]).sum(1, keepdim=True))


class Fronts(torch.nn.Module):
    def forward(self, x):
        return non_dominate.non_dominated_sort_script(x)


def check(module, inputs):
    program = evox_mlir.compile(module, methods={"forward": inputs})
    expected = module(*inputs)
    if isinstance(expected, torch.Tensor):
        expected = (expected,)
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        results = program.forward(*inputs)
        if len(expected) == 1:
            results = (results,)
        for ours, theirs in zip(results, expected):
            ours = torch.as_tensor(ours)
            assert ours.dtype == theirs.dtype
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("n, m", SIZES)
def test_counts(n, m):
    generator = torch.Generator().manual_seed(n)
    x, y = torch.rand(2, n, m, generator=generator)
    y[:, 0] = 2.0  # all true
    mask = torch.rand(n, generator=generator) < 0.3
    check(Counts(), (x, y, mask))
    check(Counts(), (x, y, torch.zeros(n, dtype=torch.bool)))


def test_batches():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 300, 70, generator=generator)
    check(Batches(), (x, torch.rand(5, 300, generator=generator) < 0.5))


@pytest.mark.parametrize("n", [10, 100, 777])
def test_fronts(n):
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(n, 3, generator=generator)
    x[::7] = x[0]  # equal ones
    x[3, 1] = float("nan")
    x[4] = float("inf")
    check(torch.jit.script(Fronts()), (x,))
