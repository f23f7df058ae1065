# programs.py - the workloads as EvoX builds them
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import pathlib
import sys
from typing import Dict

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
for folder in ("test/e2e", "python", "examples/hpo"):
    sys.path.insert(0, str(ROOT / folder))

import evox_cases  # noqa: E402


class Many(torch.nn.Module):
    """A batch of workflows: EvoX's traced step of their state, and it."""

    def __init__(self, traced, state):
        super().__init__()
        self.traced = traced
        self.state = torch.jit.Attribute(state, Dict[str, torch.Tensor])

    @torch.jit.export
    def step(self):
        self.state = self.traced(self.state)

    def forward(self):
        self.step()


def vmap_state(swarms, pop, dim):
    """EvoX's vmap(use_state(step)), and its state with the lanes apart."""
    from evox import algorithms, workflows
    from evox.core import use_state, vmap
    from evox.problems.numerical import Ackley

    torch.manual_seed(7)
    bound = torch.full((dim,), 32.0)
    workflow = workflows.StdWorkflow()
    workflow.setup(algorithms.PSO(pop, -bound, bound), Ackley())
    mapped = vmap(use_state(lambda: workflow.step))
    state = mapped.init_state(swarms, expand=False)
    # Each lane starts elsewhere.
    prefix = "self.algorithm."
    x = 64 * torch.rand(swarms, pop, dim) - 32
    state[prefix + "population"] = x
    state[prefix + "local_best_location"] = x.clone()
    state[prefix + "global_best_location"] = x[:, 0].clone()
    state[prefix + "velocity"] = 128 * torch.rand(swarms, pop, dim) - 64
    # Parameters are tensors like others to who keeps the state.
    state = {k: v.detach().clone() for k, v in state.items()}
    return mapped, state


def traced(workload):
    """A TorchScript function of the batch's state, and the state."""
    from evox.core import jit

    mapped, state = vmap_state(**workload.sizes)
    # What it is traced with may be changed.
    example = {k: v.clone() for k, v in state.items()}
    return jit(mapped, trace=True, example_inputs=(example,)), state


def hpo_workflow(workload):
    import hpo

    sizes = workload.sizes
    torch.manual_seed(0)
    return hpo.make_workflow(sizes["instances"], sizes["pop"], sizes["dim"],
                             sizes["iterations"])


def case_of(workload):
    return evox_cases.Case(**workload.case)


def script_module(workload):
    """The ScriptModule, as it is saved for the compiler."""
    if workload.kind == "vmap":
        return torch.jit.script(Many(*traced(workload)))
    if workload.kind == "hpo":
        workflow = hpo_workflow(workload)
        workflow.step
    else:
        workflow = case_of(workload).build()
    return workflow.__jit_module__


def script_step(workload):
    """A generation as EvoX's user runs it, after the first one's step."""
    if workload.kind == "vmap":
        step, state = traced(workload)

        def again():
            nonlocal state
            state = step(state)
        return again
    workflow = hpo_workflow(workload) if workload.kind == "hpo" else \
        case_of(workload).build()
    with evox_cases.default_dtype(workload.dtype):
        workflow.init_step()
    return workflow.step


def eager_workflow(workload):
    """A workflow that nothing has scripted."""
    build = case_of(workload).build()
    return getattr(build, "__inner_module__", build)


def eager_step(workload):
    if workload.kind == "vmap":
        mapped, state = vmap_state(**workload.sizes)

        def again():
            nonlocal state
            state = mapped(state)
        return again
    if workload.kind == "hpo":
        workflow = hpo_workflow(workload).__inner_module__
    else:
        workflow = eager_workflow(workload)
    with evox_cases.default_dtype(workload.dtype):
        workflow.init_step()
    return workflow.step
