# test_hpo.py - an optimizer of optimizers as one program
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EvoX's outer PSO over an HPOProblemWrapper of inner PSO workflows: a traced,
vmapped function of dicts of tensors, called in a scripted loop."""

import torch
from evox.algorithms import PSO
from evox.problems.hpo_wrapper import HPOFitnessMonitor, HPOProblemWrapper
from evox.problems.numerical import Sphere
from evox.workflows import EvalMonitor, StdWorkflow

import evox_cases
import evox_mlir


class AsParameters(torch.nn.Module):
    """A row of the outer population is the inner PSO's three weights."""

    def forward(self, x: torch.Tensor):
        return {"self.algorithm.w": x[:, 0],
                "self.algorithm.phi_p": x[:, 1],
                "self.algorithm.phi_g": x[:, 2]}


def program(instances):
    torch.manual_seed(0)
    inner = StdWorkflow()
    inner.setup(PSO(8, torch.full((3,), -10.0), torch.full((3,), 10.0)),
                Sphere(), monitor=HPOFitnessMonitor())
    wrapper = HPOProblemWrapper(iterations=4, num_instances=instances,
                                workflow=inner, copy_init_state=True)
    outer = StdWorkflow()
    outer.setup(PSO(instances, torch.zeros(3), torch.full((3,), 3.0)),
                wrapper, monitor=EvalMonitor(),
                solution_transform=AsParameters())
    outer.step  # scripts it
    return outer


def test_hpo_is_pytorchs(record_property):
    workflow = program(instances=7)
    compiled = evox_mlir.compile(workflow, methods=("init_step", "step"))
    compiled.seed(5)
    torch.manual_seed(5)
    tally = evox_cases.Tally()
    for step in range(10):
        entry = "step" if step else "init_step"
        getattr(workflow, entry)()
        getattr(compiled, entry)()
        state = {name: value for name, value in compiled.state_dict().items()
                 if name.startswith("algorithm.")
                 and "_problem_" not in name}
        for name, value in state.items():
            evox_cases.compare(
                f"step {step}: {name}", value,
                evox_cases.torch_value(workflow, name), tally)
    assert "algorithm._monitor_.topk_fitness" in state
    assert torch.equal(compiled.get(evox_cases.GENERATOR),
                       torch.get_rng_state())
    record_property("figure", str(tally))
