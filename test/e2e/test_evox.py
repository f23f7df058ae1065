# test_evox.py - all of EvoX 1.0.1 against PyTorch
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every algorithm on at least two problems, every numerical problem, in both
dtypes and with odd and even sizes: 50 steps, each from PyTorch's own state
before it."""

import pytest
import torch

import evox_cases
import evox_mlir
from evox_cases import ALGORITHMS, PROBLEMS, Case
from language import container

MULTI = ("RVEA", "NSGA2", "MOEAD")
# EvoX itself wants an even population here: it takes halves or pairs of it.
EVEN = ("CSO", "OpenES", "ARS", "PersistentES", "NoiseReuseES", "GuidedES")
SAVED = [name for name in ALGORITHMS if name != "SaDE"]


def cases_of(algorithm, dtype):
    if algorithm in MULTI:
        return [Case(algorithm, "DTLZ2", dtype, pop=20, dim=7),
                Case(algorithm, "DTLZ7", dtype, pop=21, dim=8)]
    # EvoX's ASEBO ends with PyTorch's error (its covariance is not positive
    # definite) once it has made as many steps as its subspace has dimensions.
    extra = (("subspace_dims", 60),) if algorithm == "ASEBO" else ()
    # Ackley's exp, cos and sqrt are MKL's in PyTorch, an ulp from ours in a few
    # cases of a hundred. Two algorithms take that apart: ODE compares f(x) with
    # f(-x), which is the same number but for that ulp; ASEBO takes differences
    # of nearly equal fitnesses. They get problems without.
    first = {"ODE": "Schwefel", "ASEBO": "Sphere"}.get(
        algorithm, "Ackley")
    odd = 34 if algorithm in EVEN else 33
    return [Case(algorithm, first, dtype, pop=16, dim=6, extra=extra),
            Case(algorithm, "Rosenbrock", dtype, pop=odd, dim=5, bound=5.0,
                 extra=extra)]


everything = [case for algorithm in SAVED for dtype in ("float32", "float64")
              for case in cases_of(algorithm, dtype)]
problems = [Case("NSGA2" if name.startswith("DTLZ") else "PSO", name,
                 pop=15, dim=10) for name in PROBLEMS]


@pytest.mark.parametrize("case", everything, ids=str)
def test_algorithm(case, record_property):
    tally = evox_cases.lockstep(case, steps=50)
    record_property("figure", str(tally))


@pytest.mark.parametrize("case", problems, ids=str)
def test_problem(case, record_property):
    tally = evox_cases.lockstep(case, steps=5)
    record_property("figure", str(tally))


@pytest.mark.parametrize("dtype, pop, dim", [
    ("float32", 33, 9), ("float64", 16, 20), ("float64", 1, 2)])
def test_problems_alone(dtype, pop, dim, tmp_path, record_property):
    modules = []
    with evox_cases.default_dtype(dtype):
        for name, make in PROBLEMS.items():
            # CEC2022 is defined for 2, 10 and 20 dimensions.
            n = dim + 1 if name.startswith("CEC") and dim == 9 else dim
            if n == 2 and name.startswith(("CEC", "DTLZ")):
                continue
            x = torch.rand(pop, n)
            x = x if name.startswith("DTLZ") else 60 * x - 30
            problem = make(Case("PSO", name, dtype, pop, n))
            modules.append((torch.jit.trace(lambda x: problem.evaluate(x), x), x))
        every = container(modules, tmp_path / "every.py")
        program = evox_mlir.compile(torch.jit.script(every), methods={
            f"f{i}": (x,) for i, (_, x) in enumerate(modules)})
        tally = evox_cases.Tally()
        for i, (evaluate, x) in enumerate(modules):
            evox_cases.compare(f"problem {i}", getattr(program, f"f{i}")(x),
                               evaluate(x), tally)
    record_property("figure", str(tally))


FULL = (("full_fit_history", True), ("full_sol_history", True))


@pytest.mark.parametrize("case", [
    Case("NSGA2", "DTLZ2", pop=20, dim=7, monitor=(("multi_obj", True),) + FULL),
    # Its population has another size every generation.
    Case("RVEA", "DTLZ2", pop=20, dim=7, monitor=(("multi_obj", True),) + FULL),
    Case("DE", "Ackley", pop=20, dim=7, monitor=FULL, direction="max"),
    Case("CMAES", "Ackley", pop=16, dim=7, monitor=FULL),
    Case("SNES", "Sphere", pop=15, dim=6, monitor=FULL + (("topk", 3),)),
    Case("PSO", "Ackley", pop=15, dim=6, monitor=FULL, transforms=True),
    Case("NSGA2", "DTLZ1", pop=19, dim=6, transforms=True, direction="max",
         monitor=(("multi_obj", True),) + FULL),
], ids=str)
def test_with_monitor(case, record_property):
    tally = evox_cases.lockstep(case, steps=50)
    record_property("figure", str(tally))


def test_sade_says_why_it_cannot_be_saved():
    case = Case("SaDE", "Ackley", pop=16, dim=6)
    with pytest.raises(evox_mlir.CompileError, match="torch.Generator"):
        evox_cases.compile_case(case)
