# test_vmap_evox.py - EvoX's algorithms under vmap
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each algorithm of EvoX as `vmap(use_state(step))`: under philox, lane i of
three steps is the single run with lane i's seed."""

import pytest
import torch

import evox_cases
import evox_mlir
from evox_cases import ALGORITHMS, Case
from lanes import lane_seed

LANES = 3
MULTI = ("RVEA", "NSGA2", "MOEAD")


def settled(case):
    """The workflow after two steps, when the types of its state stay."""
    workflow = case.build()
    with evox_cases.default_dtype(case.dtype):
        workflow.init_step()
        workflow.step()
    return workflow


@pytest.mark.parametrize("name", [n for n in ALGORITHMS if n != "SaDE"])
def test_lane_is_the_run_with_its_seed(name):
    problem = "DTLZ2" if name in MULTI else "Rastrigin"
    case = Case(name, problem, pop=16, dim=6, bound=5.0)
    workflow = settled(case)
    how = ""
    # They pick rows by a mask, so sizes would differ from lane to lane. RVEA
    # also keeps such a size in its state.
    if name in ("RVEA", "MOEAD"):
        with pytest.raises(evox_mlir.CompileError,
                           match="another size in each lane|changes the types"):
            evox_mlir.compile(workflow, {"many": ()}, rng="philox", transforms={
                "many": f"vmap(use_state(step), axis_size={LANES})"})
        how = ", strategy='lanes'"
    if name == "RVEA":
        return
    program = evox_mlir.compile(workflow, {"many": (), "step": ()}, rng="philox",
                                transforms={
        "many": f"vmap(use_state(step), axis_size={LANES}{how})"})
    start = program.state_dict()
    start = {k: torch.as_tensor(v) for k, v in start.items()
             if k != "__generator__"}
    state = {k: v.expand(LANES, *v.shape).clone() for k, v in start.items()}
    program.seed(5)
    steps = 3
    for _ in range(steps):
        state = program.many(state)
    for lane in range(LANES):
        program.reset()
        program.seed(lane_seed(5, lane))
        for _ in range(steps):
            program.step()
        single = program.state_dict()
        for key in start:
            torch.testing.assert_close(
                state[key][lane], torch.as_tensor(single[key]), rtol=1e-5,
                atol=1e-6, equal_nan=True, msg=lambda m: f"{key}: {m}")
