# test_compile_time.py - compiling takes as long for large programs
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times depend on the machine, so the code is counted: a loop that is unrolled
as far as the population goes shows there."""

import subprocess

import pytest
import torch

from evox_cases import Case


def instructions(case, tools, folder):
    """Of the program's LLVM IR, optimized, by function."""
    path = folder / "case.pt"
    torch.jit.save(case.build().__jit_module__, str(path))
    text = subprocess.run(
        [tools / "evox-compile", path, "--emit=llvm", "--cpu=x86-64-v4"],
        check=True, capture_output=True, text=True).stdout
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith("define"):
            name = line.split("@")[1].split("(")[0]
            found[name] = 0
        elif line.startswith("}"):
            name = None
        elif name and line.startswith("  "):
            found[name] += 1
    return found


@pytest.mark.parametrize("make, sizes", [
    (lambda n: Case("NSGA2", "DTLZ2", pop=n, dim=12, objectives=3),
     (100, 1000, 10_000)),
    (lambda n: Case("PSO", "Ackley", pop=n, dim=100), (100, 1000, 10_000)),
    (lambda n: Case("PSO", "Ackley", pop=1000, dim=n), (50, 200, 1000)),
    (lambda n: Case("DE", "Ackley", pop=n, dim=100), (100, 1000, 10_000)),
], ids=["NSGA2 population", "PSO population", "PSO dimension",
        "DE population"])
def test_code_does_not_grow(make, sizes, tools, tmp_path, record_property):
    counts = [sum(instructions(make(n), tools, tmp_path).values())
              for n in sizes]
    record_property("figure", f"{counts} instructions at sizes {sizes}")
    # What is small is unrolled as a whole, what is larger has tasks for threads.
    assert max(counts[1:]) < 1.25 * counts[0], counts


def test_phases_share_code(tools, tmp_path):
    """CMA-ES has two phases and its first generation is as the others: what is
    done in each is there once, and the tasks of its threads are."""
    case = Case("CMAES", "Ackley", pop=1024, dim=64)
    found = instructions(case, tools, tmp_path)
    tasks = [name for name in found if name.endswith(".task")]
    assert len(tasks) >= 2
    numbers = [name.split(".rows")[1] for name in tasks]
    assert len(set(numbers)) == len(numbers), tasks
