# test_calls.py - methods that are called stay functions
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `evox-import` writes for calls of submodules' methods, that it computes
what the inlined program computes, and PyTorch's results for what crosses a
call: views, state, lists, shared modules."""

import re
import subprocess
from typing import List

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from evox_cases import Case
from language import agree

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([0.8, -0.7, 0.6])


def imported(tools, tmp_path, module, *flags):
    path = tmp_path / "module.pt"
    torch.jit.save(module, str(path))
    done = subprocess.run([tools / "evox-import", path, *flags],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(3))
        self.register_buffer("best", torch.zeros(3))

    @torch.jit.export
    def add(self, x: Tensor) -> Tensor:
        self.n += x
        if bool(self.n.sum() > self.best.sum()):
            self.best = self.n.clone()
        return self.n

    @torch.jit.export
    def rows(self, x: Tensor, k: int) -> Tensor:
        return x[k:] * 2.0


class Shared(nn.Module):
    """One module under two names."""

    def __init__(self):
        super().__init__()
        self.first = torch.jit.script(Counter())
        self.second = self.first
        self.parts = nn.ModuleList([Counter(), Counter()])

    def forward(self, x: Tensor) -> Tensor:
        y = self.first.add(x) + self.second.add(x * 2.0)
        for part in self.parts:
            y = y + part.add(y)
        return y + self.first.best


def test_a_module_under_two_names_is_one(tools, tmp_path):
    script = torch.jit.script(Shared())
    agree(script, X, -X, X)
    text = imported(tools, tmp_path, script, "--input=forward:float32[3]")
    assert len(re.findall(r"evox.call @first::@add\(", text)) == 2
    assert "@second" not in text
    assert 'evox.call @parts::@"0"::@add(' in text
    assert 'evox.call @parts::@"1"::@add(' in text
    # One function in each of the three modules.
    assert len(re.findall(r"evox.func @add", text)) == 3


class Writes(nn.Module):
    """The callee's result is the state, its argument's memory, or a view."""

    def __init__(self):
        super().__init__()
        self.counter = Counter()

    def clear(self, x: Tensor) -> Tensor:
        x[0] = 0.0
        return x

    def forward(self, x: Tensor) -> List[Tensor]:
        n = self.counter.add(x)
        n *= 3.0  # it is the state
        y = self.clear(x * 2.0)
        row = self.counter.rows(x, 1)
        part = self.clear(y[1:])
        part += 1.0
        return [n * 1.0, y, row, part, self.counter.n * 1.0]


def test_what_a_call_shares_with_its_caller(tools, tmp_path):
    script = torch.jit.script(Writes())
    agree(script, X, -X)
    text = imported(tools, tmp_path, script, "--input=forward:float32[3]")
    assert text.count("evox.call") == 4
    # It writes into a part of a tensor of the caller, which comes back whole.
    assert re.search(r"evox.func @clear_1\(.*\) -> "
                     r"\(tensor<2xf32>, tensor<3xf32>\)", text)


class Loops(nn.Module):
    """State that methods change in loops and branches, and random draws."""

    def __init__(self):
        super().__init__()
        self.counter = Counter()

    def noise(self, x: Tensor) -> Tensor:
        return x + torch.rand(3)

    def forward(self, x: Tensor, n: int) -> Tensor:
        for i in range(20):
            x = self.noise(self.counter.add(x)) * 0.25
            if bool(x[0] > 0.5):
                x = x - self.counter.add(x)
                self.counter.n = x * 0.5
            else:
                x = self.noise(x)
        for i in range(n):
            x = self.counter.add(x) * 0.5
        while bool(self.counter.n.abs().sum() < 50.0):
            x = self.counter.add(x.abs() + 1.0) * 0.01
        return x


def test_state_and_draws_in_loops(tools, tmp_path):
    script = torch.jit.script(Loops())
    agree(script, (X, 3), (-X, 0), (X, 50))
    text = imported(tools, tmp_path, script, "--input=forward:float32[3],int")
    # All go through the slots, so there is one function of each.
    assert len(re.findall(r"evox.func @add", text)) == 1
    assert len(re.findall(r"evox.func @noise", text)) == 1
    assert len(re.findall(r"evox.call @counter::@add\(", text)) >= 4


class History(nn.Module):
    """A list that grows, and state that changes its shape in the first call."""

    seen: List[Tensor]

    def __init__(self):
        super().__init__()
        self.seen = []
        self.register_buffer("last", torch.zeros(0))

    @torch.jit.export
    def record(self, x: Tensor) -> int:
        self.seen.append(x)
        if self.last.numel() == 0:
            self.last = x
        else:
            self.last = torch.minimum(self.last, x)
        return len(self.seen)


class Records(nn.Module):
    def __init__(self):
        super().__init__()
        self.history = History()

    def forward(self, x: Tensor) -> Tensor:
        n = self.history.record(x)
        return self.history.last * n


def test_a_list_that_grows_and_phases(tools, tmp_path):
    script = torch.jit.script(Records())
    agree(script, X, -X, X, X)
    text = imported(tools, tmp_path, script, "--input=forward:float32[3]")
    assert "evox.call @history::@record(" in text


def test_open_sizes():
    class Rows(nn.Module):
        def scale(self, x: Tensor) -> Tensor:
            return x / x.sum(0)

        def forward(self, x: Tensor) -> Tensor:
            return self.scale(self.scale(x)[1:])

    script = torch.jit.script(Rows())
    program = evox_mlir.compile(script, (torch.rand(4, 3),),
                                dynamic={"forward": {"x": 0}})
    for n in (2, 5, 9):
        x = torch.rand(n, 3)
        torch.testing.assert_close(program(x), script(x))


def test_an_error_within_a_callee_names_its_line(tools, tmp_path):
    class Masks(nn.Module):
        def __init__(self):
            super().__init__()
            self.counter = Picks()

        def forward(self, x: Tensor) -> Tensor:
            return self.counter.pick(x)

    class Picks(nn.Module):
        @torch.jit.export
        def pick(self, x: Tensor) -> Tensor:
            return x[x > 0.0].sum()

    with pytest.raises(evox_mlir.CompileError) as error:
        evox_mlir.compile(torch.jit.script(Masks()),
                          {"many": (torch.rand(4, 3),)},
                          transforms={"many": "vmap(forward)"})
    lines = str(error.value).splitlines()
    at = next(i for i, line in enumerate(lines) if "another size" in line)
    assert "x[x > 0.0].sum()" in lines[at + 1]
    assert any("note: called from" in line for line in lines[at:])
    assert any("self.counter.pick(x)" in line for line in lines[at:])


def shape_of(text):
    """The ops of each function, without names and in no order."""
    functions = re.split(r"(?=func\.func )", text)[1:]
    return [sorted(re.sub(r"[%^][\w#:]+|dense_resource<\w+>", "_", line)
                   for line in function.splitlines()[1:])
            for function in functions]


@pytest.mark.parametrize("case", [
    Case("PSO", "Ackley"), Case("NSGA2", "DTLZ2", monitor=()),
    Case("SHADE", "CEC2022-7"), Case("CMAES", "Rastrigin")], ids=str)
def test_workflows_are_the_same_as_inlined(case, tools, tmp_path):
    """After --evox-to-state there are the same ops, however they came."""
    module = case.build().__jit_module__
    texts = []
    for flags in ((), ("--inline-calls",)):
        text = imported(tools, tmp_path, module, "--method=init_step",
                        "--method=step", *flags)
        assert ("evox.call" in text) == (not flags)
        texts.append(subprocess.run(
            [tools / "evox-opt", "--evox-to-state"], input=text,
            capture_output=True, text=True, check=True).stdout)
    kept, inlined = map(shape_of, texts)
    assert kept == inlined
