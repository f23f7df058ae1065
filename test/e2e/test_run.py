# test_run.py - run(n) is n calls
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The loop over generations is in compiled code, and what they share is
computed once before it; nobody can tell from the state."""

import threading
import time
from typing import List

import pytest
import torch
from torch import Tensor, nn

import evox_cases
import evox_mlir
import test_hpo
from evox_cases import Case, compile_case

FULL = (("full_fit_history", True), ("full_sol_history", True))
CASES = {
    "PSO": Case("PSO", "Ackley", pop=100, dim=10),
    "CMAES": Case("CMAES", "Ackley", pop=16, dim=6),
    "NSGA2": Case("NSGA2", "DTLZ2", pop=40, dim=12),
    "OpenES": Case("OpenES", "Ackley", pop=32, dim=10),
    "SHADE": Case("SHADE", "Ackley", pop=40, dim=8),
    "RVEA": Case("RVEA", "DTLZ1", pop=40, dim=7),
    "MOEAD": Case("MOEAD", "DTLZ2", pop=40, dim=12),
    # Phases, and lists that grow.
    "monitor": Case("PSO", "Sphere", pop=32, dim=5, monitor=FULL),
}


def same(program, other):
    ours, theirs = (evox_cases.whole_state(p) for p in (program, other))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        expected = theirs[name]
        if not isinstance(value, list):
            value, expected = [value], [expected]
        assert len(value) == len(expected), name
        for a, b in zip(value, expected):
            assert a.shape == b.shape and a.dtype == b.dtype, name
            assert a.contiguous().numpy().tobytes() == \
                b.contiguous().numpy().tobytes(), name
    assert program.phase == other.phase


def check(program, first=None, step="step"):
    """Runs of several lengths against as many calls."""
    program.reset()
    other = program.new_instance()
    for instance in (program, other):
        instance.seed(3)
        if first:
            instance.call(first)
    for n in (0, 1, 2, 7):
        program.run(step, n)
        for _ in range(n):
            other.call(step)
        same(program, other)


@pytest.mark.parametrize("rng", ["torch", "philox"])
@pytest.mark.parametrize("name", CASES)
def test_equals_calls(name, rng):
    check(compile_case(CASES[name], rng=rng), "init_step")


def test_equals_calls_with_an_optimizer_of_optimizers():
    check(evox_mlir.compile(test_hpo.program(5), ("init_step", "step")),
          "init_step")


class Solver(nn.Module):
    """What is expensive depends on `matrix`, which `step` never writes."""

    def __init__(self, n: int):
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("matrix", torch.eye(n) * 4 + torch.rand(n, n))
        self.register_buffer("x", torch.ones(n))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.jit.export
    def step(self):
        inverse = torch.linalg.inv(self.matrix @ self.matrix)
        self.x = (inverse @ self.x + self.x) * 0.5
        self.count += 1

    def forward(self):
        self.step()


def test_an_invariant_is_computed_once():
    program = evox_mlir.compile(torch.jit.script(Solver(200)), ("step",))

    def seconds(n):
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            program.run("step", n)
            best = min(best, time.perf_counter() - start)
        return best

    # Once: some milliseconds. A product of a matrix and a vector: microseconds.
    assert seconds(50) < 5 * seconds(1)


def test_a_parameter_takes_effect_between_runs():
    module = Solver(8)
    program = evox_mlir.compile(torch.jit.script(module), ("step",))
    for scale in (1.0, 3.0):
        matrix = torch.eye(8) * scale + torch.rand(8, 8) / 8
        program.set("matrix", matrix)
        module.matrix.copy_(matrix)
        program.run("step", 3)
        program.step()
        for _ in range(4):
            module.step()
        torch.testing.assert_close(program.get("x"), module.x)
    check(program)


def test_an_invariant_that_fails():
    program = evox_mlir.compile(torch.jit.script(Solver(4)), ("step",))
    program.run("step", 2)
    x = program.get("x")
    program.set("matrix", torch.zeros(4, 4))
    program.run("step", 0)  # nothing is computed
    for _ in range(2):
        with pytest.raises(evox_mlir.Error, match=r"singular.*call 1 of 5"):
            program.run("step", 5)
        assert torch.equal(program.get("x"), x)
        assert program.get("count") == 2
    with pytest.raises(evox_mlir.Error, match="singular"):
        program.step()
    program.set("matrix", torch.eye(4))
    program.run("step", 5)
    assert program.get("count") == 7


class Failing(nn.Module):
    """Fails in the call that `limit` says, with all of its state written."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(12.0))
        self.register_buffer("index", torch.tensor([1, 2, 3]))
        self.register_buffer("limit", torch.tensor(4))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("x", torch.zeros(3))
        self.history: List[Tensor] = [torch.zeros(3)]

    @torch.jit.export
    def step(self):
        self.count += 1
        self.x = self.x + self.table[self.index].exp() + torch.rand(3)
        self.history.append(self.x)
        if bool(self.count > self.limit):
            raise RuntimeError("over the limit")

    def forward(self):
        self.step()


def test_a_call_in_the_middle_fails():
    program = evox_mlir.compile(torch.jit.script(Failing()), ("step",))
    other = program.new_instance()
    for p in (program, other):
        p.seed(1)
    with pytest.raises(evox_mlir.Error,
                       match=r"step: .*over the limit.*\(call 5 of 10\)"):
        program.run("step", 10)
    other.run("step", 4)
    same(program, other)
    assert program.get("count") == 4 and len(program.get("history")) == 5
    program.set("limit", torch.tensor(6))
    other.set("limit", torch.tensor(6))
    with pytest.raises(evox_mlir.Error, match=r"\(call 3 of 3\)"):
        program.run("step", 3)
    other.run("step", 2)
    same(program, other)


def test_a_check_guards_what_moves_with_it():
    program = evox_mlir.compile(torch.jit.script(Failing()), ("step",))
    program.set("index", torch.tensor([1, 2, 1 << 40]))
    with pytest.raises(evox_mlir.Error, match=r"index.*\(call 1 of 3\)"):
        program.run("step", 3)
    assert program.get("count") == 0
    program.set("index", torch.tensor([1, 2, -1]))
    program.run("step", 3)
    assert program.get("count") == 3


class Changing(nn.Module):
    """State of a size that the data decides: new memory in every call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.arange(6.0) - 2)
        self.register_buffer("weight", torch.tensor([0.5, 2.0]))

    @torch.jit.export
    def step(self) -> Tensor:
        kept = self.x[self.x > 0]
        self.x = torch.cat([kept * torch.exp(self.weight).sum(), kept[:2] - 3])
        return kept

    def forward(self) -> Tensor:
        return self.step()


def test_slots_that_are_replaced():
    program = evox_mlir.compile(torch.jit.script(Changing()), ("step",))
    check(program)


def test_instances_and_threads():
    program = evox_mlir.compile(torch.jit.script(Solver(30)), ("step",))
    others = [program.new_instance() for _ in range(2)]
    for i, instance in enumerate(others):
        instance.set("matrix", torch.eye(30) * (i + 2))
    runs = [threading.Thread(target=p.run, args=("step", 20)) for p in others]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    for i, instance in enumerate(others):
        expected = program.new_instance()
        expected.set("matrix", torch.eye(30) * (i + 2))
        for _ in range(20):
            expected.step()
        same(instance, expected)
