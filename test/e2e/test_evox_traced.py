# test_evox_traced.py - EvoX's own traces of a step
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`jit(use_state(step), trace=True)` and `jit(vmap(use_state(step)),
trace=True)` are functions from a dict of tensors to another: compiled, each
step from PyTorch's own state gives PyTorch's state."""

import pytest
import torch
from evox.core import jit, use_state, vmap

import evox_cases
import evox_mlir
from evox_cases import Case, Tally

LANES = 3
# PyTorch itself does not trace MOEAD, and its trace of ASEBO fails in PyTorch;
# RVEA's population has another size every generation, which a trace has not;
# of the two traces that DMSPSOEL chooses from, one gives a dict without state.
SINGLE = [name for name in evox_cases.ALGORITHMS
          if name not in ("SaDE", "MOEAD", "ASEBO", "RVEA", "DMSPSOEL")]
# Every algorithm under vmap: test_vmap_evox.py.
MANY = ["PSO", "CSO", "CMAES", "OpenES"]


def traced(case, lanes):
    """The function that EvoX makes, and a state to begin with."""
    workflow = case.build()
    workflow.init_step()
    workflow.step()
    function = use_state(lambda: workflow.step)
    if lanes:
        function = vmap(function)

    def state():
        return function.init_state(lanes) if lanes else function.init_state()

    function_traced = jit(function, trace=True, example_inputs=(state(),))
    return function_traced, state()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name, lanes", [(name, 0) for name in SINGLE] + [(name, LANES) for name in MANY])
def test_trace(name, lanes, record_property):
    case = Case(name, "DTLZ2" if name == "NSGA2" else "Sphere", pop=16, dim=6,
                bound=5.0)
    function, state = traced(case, lanes)
    program = evox_mlir.compile(function, methods={"forward": (state,)})
    tally = Tally()
    torch.manual_seed(9)
    program.seed(9)
    for step in range(10):
        ours = program.forward({k: v.clone() for k, v in state.items()})
        state = function(state)
        assert ours.keys() == state.keys()
        for key in state:
            where, slot = f"step {step}: {key}", key.removeprefix("self.")
            if name == "CMAES" and slot in evox_cases.EIGENVECTORS[name]:
                along = evox_cases.EIGENVECTORS[name][slot]
                evox_cases.compare_eigenvectors(
                    where, ours[key], state[key],
                    None if along is None else along + bool(lanes))
            else:
                evox_cases.compare(where, ours[key], state[key], tally,
                                   evox_cases.AMPLIFIED.get((name, case.dtype), 1))
        assert torch.equal(program.get(evox_cases.GENERATOR),
                           torch.get_rng_state())
    record_property("figure", str(tally))
