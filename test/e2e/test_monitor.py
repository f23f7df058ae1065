# test_monitor.py - state that changes shape, and lists that grow
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EvalMonitor starts with empty tensors that take their shape in the first
step, and appends to lists every generation."""

import pytest
import torch

import evox_cases
from evox_cases import Case, Tally

FULL = (("full_fit_history", True), ("full_sol_history", True))
CASE = Case("PSO", "Ackley", pop=32, dim=5, monitor=FULL)


def both(case, steps):
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    program.seed(42)
    torch.manual_seed(42)
    workflow.init_step()
    program.init_step()
    for _ in range(steps):
        workflow.step()
        program.step()
    return workflow, program


def test_first_state_has_empty_tensors():
    program = evox_cases.compile_case(CASE)
    assert program.get("algorithm._monitor_.topk_fitness").shape == (0,)
    assert program.phase == 0
    program.init_step()
    assert program.get("algorithm._monitor_.topk_fitness").shape == (1,)
    assert program.get("algorithm._monitor_.latest_solution").shape == (32, 5)


@pytest.mark.parametrize("topk", [1, 3])
def test_monitor_follows_pytorch(topk):
    case = Case("PSO", "Sphere", pop=32, dim=5,
                monitor=FULL + (("topk", topk),))
    workflow, program = both(case, 15)
    ours = evox_cases.whole_state(program)
    for name in ("latest_solution", "latest_fitness", "topk_solutions",
                 "topk_fitness", "fitness_history", "solution_history"):
        name = f"algorithm._monitor_.{name}"
        evox_cases.compare(name, ours[name],
                           evox_cases.torch_value(workflow, name), Tally())


def test_histories_grow():
    workflow, program = both(CASE, 50)
    for name in ("fitness_history", "solution_history"):
        name = f"algorithm._monitor_.{name}"
        theirs = evox_cases.torch_value(workflow, name)
        ours = program.get(name)
        assert len(ours) == len(theirs) == 52  # an empty one, init_step, 50
        evox_cases.compare(name, ours, theirs, Tally())


def test_run_appends_as_calls_do():
    case = Case("PSO", "Sphere", pop=16, dim=4, monitor=FULL)
    one = evox_cases.compile_case(case)
    other = one.new_instance()
    for program in (one, other):
        program.seed(5)
        program.init_step()
    one.run("step", 20)
    for _ in range(20):
        other.step()
    for name, value in evox_cases.whole_state(one).items():
        evox_cases.compare(name, value, other.get(name), Tally())
    assert one.phase == other.phase


def test_step_without_init_step():
    """PyTorch allows it: so the phases of both orders are compiled."""
    case = Case("PSO", "Sphere", pop=16, dim=4, monitor=())
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    program.seed(42)
    torch.manual_seed(42)
    for _ in range(3):
        workflow.step()
        program.step()
    evox_cases.compare_state(program, workflow, Tally(), "three steps")


def test_checkpoint_holds_phase_and_lists(tmp_path):
    one = evox_cases.compile_case(CASE)
    one.seed(1)
    one.init_step()
    one.run("step", 4)
    one.save(tmp_path / "c.safetensors")
    other = one.new_instance()
    other.load(tmp_path / "c.safetensors")
    assert other.phase == one.phase
    for program in (one, other):
        program.run("step", 4)
    for name, value in evox_cases.whole_state(one).items():
        evox_cases.compare(name, value, other.get(name), Tally())
