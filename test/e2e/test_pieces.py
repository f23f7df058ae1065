# test_pieces.py - what is put together of pieces, and turned
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Concatenations and rolls whose pieces are computed and read in their places,
and tests over a few elements, are PyTorch's at any number of threads."""

import pytest
import torch

import evox_mlir

DTYPES = [torch.float32, torch.float64]


class Halves(torch.nn.Module):
    """As in mirrored sampling: a piece is read after it was put in."""

    def forward(self, x):
        noise = torch.randn(x.shape[0], x.shape[1], dtype=x.dtype)
        both = torch.cat([noise, -noise], dim=0)
        wide = torch.cat([x, noise * 2, x + noise], dim=1)
        again = torch.cat([both[1:], both[:1] + 1], dim=0)
        noise = noise + 1
        return both, wide, again, noise, both.sum(0)


class Overwritten(torch.nn.Module):
    """A piece changes after it was put in, and the whole after that."""

    def forward(self, x):
        y = x * 2
        whole = torch.cat([y, x])
        y += 1
        other = whole.clone()
        whole[: x.shape[0]] += y
        z = torch.cat([whole, y])
        whole[0] = 7
        return whole, other, y, z


class Rolls(torch.nn.Module):
    """As in SHADE's memory: a vector shifts, with a new number at its start."""

    def forward(self, x, flags):
        memory = torch.full_like(x[0], 0.5)
        for i in range(x.shape[0]):
            yes = flags[i].to(x.dtype)
            shifted = torch.roll(memory, shifts=1)
            fresh = torch.cat([x[i, :1], shifted[1:]], dim=0)
            memory = yes * fresh + (1.0 - yes) * shifted
        turned = torch.roll(x, shifts=3, dims=1) - x
        turned = turned + torch.roll(x, shifts=-2, dims=0)
        turned = turned * torch.roll(x, shifts=(1, -1), dims=(0, 1))
        return memory, turned, torch.roll(x, 5), torch.roll(memory, -1) > 0


class Dominates(torch.nn.Module):
    def forward(self, x, y):
        le = (x[:, None] <= y[None]).all(dim=2)
        lt = (x[:, None] < y[None]).any(dim=2)
        return le & lt, (x > y).all(-1), (x != x).any(dim=-1), lt.sum(0)


def check(module, inputs):
    program = evox_mlir.compile(module, methods={"forward": inputs})
    torch.manual_seed(3)
    expected = torch.jit.script(module)(*inputs)
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        program.seed(3)
        for ours, theirs in zip(program.forward(*inputs), expected):
            ours = torch.as_tensor(ours)
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
            if theirs.dtype == torch.bool:
                assert torch.equal(ours, theirs)
            else:  # sums are in PyTorch's order, logarithms its own
                torch.testing.assert_close(ours, theirs, equal_nan=True)


def numbers(n, m, dtype):
    generator = torch.Generator().manual_seed(n + m)
    return torch.randn(n, m, dtype=dtype, generator=generator)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n, m", [(1, 1), (1, 7), (7, 13), (16, 16),
                                  (257, 129), (300, 1000)])
def test_halves(n, m, dtype):
    check(Halves(), (numbers(n, m, dtype),))
    check(Overwritten(), (numbers(n, m, dtype),))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n, m", [(1, 1), (1, 2), (7, 13), (40, 16), (33, 1000)])
def test_rolls(n, m, dtype):
    x = numbers(n, m, dtype)
    check(Rolls(), (x, x[:, 0] > -0.5))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n, m", [(1, 1), (7, 2), (100, 3), (333, 8), (64, 9)])
def test_dominates(n, m, dtype):
    x, y = numbers(n, m, dtype).round(decimals=1), numbers(n, m, dtype)
    x[::3, 0] = y[::3, 0]
    x[n // 2, m - 1] = float("nan")
    y[n // 3] = float("inf")
    check(Dominates(), (x, y))


def test_nothing():
    """No rows, and no columns."""
    check(Overwritten(), (torch.zeros(3, 0),))
    for shape in [(0, 3), (3, 0)]:
        check(Dominates(), (torch.zeros(shape), torch.zeros(shape)))
