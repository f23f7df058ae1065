# run_workflow.py - compile an EvoX workflow and run it from Python
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    python examples/python/run_workflow.py"""

import os
import tempfile

import torch
from evox.algorithms import PSO
from evox.problems.numerical import Rastrigin
from evox.workflows import EvalMonitor, StdWorkflow

import evox_mlir

torch.manual_seed(0)
bound = 5.12 * torch.ones(20)
workflow = StdWorkflow()
workflow.setup(PSO(100, -bound, bound), Rastrigin(), monitor=EvalMonitor())

program = evox_mlir.compile(workflow)
print(program)

program.seed(42)
program.init_step()
for _ in range(5):
    program.run("step", 100)
    best = program.get("algorithm._monitor_.topk_fitness")
    print(f"best fitness {best.item():.6g}")

# Go on from here later, in another process or on another machine.
path = os.path.join(tempfile.mkdtemp(), "pso.safetensors")
program.save(path)
again = program.new_instance()
again.load(path)
program.run("step", 100)
again.run("step", 100)
assert torch.equal(program.get("algorithm.population"),
                   again.get("algorithm.population"))
print(f"{len(program.get('algorithm._monitor_.fitness_history')) - 1} "
      f"generations recorded")
