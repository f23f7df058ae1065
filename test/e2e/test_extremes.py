# test_extremes.py - where the least and greatest elements are
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""argmin, argmax and their values, by vectors and by what is left over: the
first of equal elements, NaN before all others."""

import pytest
import torch

import evox_mlir


class Extremes(torch.nn.Module):
    def forward(self, x):
        low, at = torch.min(x, dim=-1)
        high, there = torch.max(x, dim=-1)
        return torch.argmin(x), torch.argmax(x), low, at, high, there


def rows(n, dtype):
    """Rows in which the extreme element is in each kind of place."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randint(-9, 9, (24, n), generator=generator).to(dtype)
    places = torch.randint(0, n, (24,), generator=generator).tolist()
    nan, inf = float("nan"), float("inf")
    for i, value in enumerate([nan, inf, -inf, 100.0, -100.0, -0.0]):
        x[i, places[i]] = value
        x[i + 6, places[i]] = x[i + 6, places[i + 6]] = value
        x[i + 12, -1] = value
    x[18] = inf
    x[19] = -inf
    x[20] = nan
    x[21] = 0.0
    x[21, places[21]] = -0.0
    x[22] = -0.0
    x[22, places[22]] = 0.0
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [63, 64, 65, 100, 128, 1025])
def test_first_extreme(n, dtype):
    x = rows(n, dtype)
    module = torch.jit.script(Extremes())
    for part in (x, x[23], x[1], x[0]):
        program = evox_mlir.compile(module, methods={"forward": (part,)})
        for ours, theirs in zip(program.forward(part), module(part)):
            ours = torch.as_tensor(ours)
            assert torch.equal(ours.nan_to_num(nan=77.0),
                               theirs.nan_to_num(nan=77.0))
            if theirs.is_floating_point():
                assert torch.equal(torch.signbit(ours), torch.signbit(theirs))


class Values(torch.nn.Module):
    """Without their places, and of what is computed for them alone."""

    def forward(self, x):
        return (torch.min(x, dim=-1)[0], torch.max(x, dim=-1)[0],
                torch.min(torch.abs(x) * 2, dim=-1)[0],
                torch.argmax(-x, dim=-1), torch.max(x + 1, dim=0)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 7, 64, 65, 1000])
def test_extreme_values(n, dtype):
    x = rows(n, dtype)
    module = torch.jit.script(Values())
    program = evox_mlir.compile(module, methods={"forward": (x,)})
    for threads in (1, 3):
        program.set_threads(threads)
        for ours, theirs in zip(program.forward(x), module(x)):
            ours = torch.as_tensor(ours)
            assert torch.equal(ours.nan_to_num(nan=77.0),
                               theirs.nan_to_num(nan=77.0))
            if theirs.is_floating_point():
                assert torch.equal(torch.signbit(ours), torch.signbit(theirs))


class Bounds(torch.nn.Module):
    def forward(self, x):
        return (x.max(), x.min(), x.amax(-1), x.amin(-1), x.abs().amax(1),
                (x * 3).max(), x.amax(0), torch.amin(x[:, 1:], (0, 1)),
                x.reshape(4, 6, -1).amax((1, 2)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 7, 64, 65, 127, 1000])
def test_bounds(n, dtype):
    x = rows(n, dtype)
    for data in (x, x.nan_to_num(5.0), x[18:20], x[20:22]):
        if data.shape[0] < 24:
            data = data.repeat(12, 1)
        module = torch.jit.script(Bounds())
        program = evox_mlir.compile(module, methods={"forward": (data,)})
        for ours, theirs in zip(program.forward(data), module(data)):
            ours = torch.as_tensor(ours)
            assert torch.equal(ours.nan_to_num(nan=77.0),
                               theirs.nan_to_num(nan=77.0))


class Relu(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32,
                                   torch.float64])
def test_relu_keeps_the_sign_of_zero_and_nan(dtype):
    x = torch.tensor([-0.0, 0.0, -1.0, 2.0, float("nan"), float("-inf"),
                      float("inf"), -1e-7], dtype=dtype).repeat(5)
    module = torch.jit.script(Relu())
    ours = evox_mlir.compile(module, methods={"forward": (x,)}).forward(x)
    theirs = module(x)
    assert torch.equal(ours.nan_to_num(77.0), theirs.nan_to_num(77.0))
    assert torch.equal(torch.signbit(ours), torch.signbit(theirs))
