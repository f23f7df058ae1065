# test_threads.py - the number of threads changes no bit
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs large enough for threads, at 1, 2, 3 and 8 of them."""

import pytest
import torch

import evox_mlir
from evox_cases import Case, compile_case

CASES = [
    (Case("PSO", "Ackley", pop=1024, dim=100), 5),
    (Case("PSO", "Sphere", dtype="float64", pop=1000, dim=90), 5),
    (Case("CSO", "Rastrigin", pop=1024, dim=64), 5),
    (Case("DE", "Griewank", pop=1024, dim=64), 5),
    (Case("OpenES", "Ackley", pop=512, dim=200), 3),
    (Case("NSGA2", "DTLZ2", pop=500, dim=12), 3),
    (Case("SHADE", "Ackley", pop=700, dim=50), 3),
    (Case("SNES", "Ackley", dtype="float64", pop=700, dim=50), 3),
    # The number of its individuals is open.
    (Case("RVEA", "DTLZ2", pop=200, dim=12), 3),
    # Where draws begin to be made by rows, and tasks are of a few rows.
    (Case("PSO", "Ackley", pop=100, dim=100), 5),
    (Case("PSO", "Ackley", pop=1000, dim=10), 5),
    (Case("PSO", "Ackley", pop=585, dim=7), 3),
    (Case("PSO", "Ackley", dtype="float64", pop=586, dim=7), 3),
    (Case("PSO", "Sphere", pop=13, dim=333), 3),
    (Case("DE", "Ackley", pop=64, dim=65), 3),
]


@pytest.mark.parametrize("rng", ["torch", "philox"])
@pytest.mark.parametrize("case, steps", CASES,
                         ids=[str(case) for case, _ in CASES])
def test_bits_do_not_depend_on_threads(case, steps, rng):
    program = compile_case(case, rng=rng)
    first = None
    for threads in (1, 2, 3, 8):
        program.reset()
        program.set_threads(threads)
        program.seed(11)
        program.init_step()
        program.run("step", steps)
        state = {name: torch.as_tensor(value).clone()
                 for name, value in program.state_dict().items()}
        first = first or state
        for name, value in state.items():
            assert torch.equal(value, first[name]) or (
                value.is_floating_point() and
                torch.equal(value.nan_to_num(), first[name].nan_to_num())), \
                f"{name} at {threads} threads"


class Drawing(torch.nn.Module):
    def forward(self, x):
        r = torch.rand(x.shape, dtype=x.dtype)
        q = torch.rand(x.shape, dtype=x.dtype) * 3
        last = torch.rand(3)
        return x * r + q, last


# Below, at and above the sizes from which draws are made by rows, and parts
# become shorter and fewer.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [
    (0, 5), (1, 4096), (2, 2047), (2, 2048), (7, 585), (13, 316), (13, 631),
    (1000, 10), (40, 102), (41, 100), (128, 32), (4095, 1), (5000, 1),
    (97, 169), (683, 24), (165, 100)], ids=lambda s: "x".join(map(str, s)))
def test_draws_by_rows_are_pytorchs(shape, dtype):
    module = Drawing()
    x = torch.randn(shape, dtype=dtype)
    program = evox_mlir.compile(module, [x])
    torch.manual_seed(5)
    expected = [module(x) for _ in range(3)]
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        program.seed(5)
        for y, last in expected:
            result = program.forward(x)
            assert torch.equal(torch.as_tensor(result[0]), y), threads
            assert torch.equal(torch.as_tensor(result[1]), last), threads


class Narrow(torch.nn.Module):
    """What all rows share, a number and a truth per row, and a number."""

    def forward(self, x, column, row, some, number):
        y = x * number + column * row.unsqueeze(-1)
        return torch.where(some.unsqueeze(-1), y, x - column), y.clamp(-1, 1)


@pytest.mark.parametrize("shape", [
    (0, 3), (1, 7), (7, 10), (13, 3), (16, 10), (17, 1), (33, 15), (1000, 10),
    (1001, 31), (999, 17), (3, 35, 7), (2, 3, 16, 5)],
    ids=lambda s: "x".join(map(str, s)))
def test_narrow_rows(shape):
    for dtype in (torch.float32, torch.float64):
        args = [torch.randn(shape, dtype=dtype),
                torch.randn(shape[:-2] + (1, shape[-1]), dtype=dtype),
                torch.randn(shape[:-1], dtype=dtype),
                torch.rand(shape[:-1]) < 0.5, torch.tensor(0.3, dtype=dtype)]
        program = evox_mlir.compile(Narrow(), args)
        expected = Narrow()(*args)
        for threads in (1, 2, 3, 8):
            program.set_threads(threads)
            for mine, theirs in zip(program.forward(*args), expected):
                assert torch.equal(torch.as_tensor(mine), theirs)


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, "two"])
def test_impossible_numbers_are_refused(threads):
    program = compile_case(Case("PSO", "Sphere", pop=10, dim=2))
    with pytest.raises(evox_mlir.ArgumentError, match="from 1 to 1024"):
        program.set_threads(threads)
