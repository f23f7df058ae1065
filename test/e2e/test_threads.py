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


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, "two"])
def test_impossible_numbers_are_refused(threads):
    program = compile_case(Case("PSO", "Sphere", pop=10, dim=2))
    with pytest.raises(evox_mlir.ArgumentError, match="from 1 to 1024"):
        program.set_threads(threads)
