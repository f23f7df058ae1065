# test_introduction.py - the programs of the TorchScript introduction
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trace, script, both mixes, save and load: each program that introductions
to TorchScript show gives PyTorch's results, and where tracing freezes a
branch, the frozen branch's."""

import subprocess
import warnings

import pytest
import torch
from torch import Tensor

import evox_mlir
from language import agree, same

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([0.8, 0.7, 0.6, 0.5])
H = torch.tensor([0.5, 0.5, 0.5, 0.5])


def branches(x):
    useful = 1
    useless = 888
    useless2 = useless + x  # noqa: F841
    if x.sum() > 0:
        return x * useful
    else:
        return -x * useful


def test_traced_function_keeps_the_branch_that_was_traced():
    traced = torch.jit.trace(branches, torch.tensor([-0.8, -0.7, 0.6]))
    positive = torch.tensor([0.8, 0.7, 0.6])
    program = evox_mlir.compile(traced, (positive,))
    got = program.forward(positive)
    assert torch.equal(got, -positive)  # not what branches() gives
    same(traced(positive), got)


def test_a_traced_function_says_so(tools, tmp_path):
    path = tmp_path / "traced.pt"
    torch.jit.trace(branches, X).save(str(path))
    done = subprocess.run([tools / "evox-import", path, "-o", "/dev/null",
                           "--input", "forward:float32[4]"],
                          capture_output=True, text=True, check=True)
    assert "'forward' was traced" in done.stderr, done.stderr
    assert "test_introduction.py:" in done.stderr
    torch.jit.script(larger).save(str(path))
    done = subprocess.run([tools / "evox-import", path, "-o", "/dev/null",
                           "--input", "forward:float32[2],float32[2]"],
                          capture_output=True, text=True, check=True)
    assert "traced" not in done.stderr


def test_traced_function_is_called_by_its_name_or_forward():
    traced = torch.jit.trace(branches, X)
    program = evox_mlir.compile(traced, (X,))
    assert torch.equal(program(X), X)


class Square(torch.nn.Module):
    def forward(self, x):
        return x * x


def no_trace(x, h):
    return x + h


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bk = Square()
        self.linear = torch.nn.Linear(4, 4)

    def helper(self, x, h):
        return x - h

    def forward(self, x, h):
        x = no_trace(x, h)
        h = self.helper(x, h)
        new_h = torch.tanh(self.bk(self.linear(x)) + h)
        return new_h, new_h


def test_traced_module_with_a_block_and_a_linear():
    traced = torch.jit.trace(Model(), (X, H))
    (result,) = agree(traced, (X, H))
    assert isinstance(result, tuple) and len(result) == 2
    agree(traced, (torch.randn(4), torch.randn(4)))


def test_submodules_stay_functions_of_their_own(tools, tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.trace(Model(), (X, H)).save(str(path))
    done = subprocess.run(
        [tools / "evox-import", path, "--input",
         "forward:float32[4],float32[4]"],
        capture_output=True, text=True, check=True)
    assert "evox.module @bk" in done.stdout
    assert "evox.call @bk::@forward" in done.stdout
    assert "evox.call @linear::@forward" in done.stdout


def larger(x, y):
    useless = 666  # noqa: F841
    useless2 = 1 * x  # noqa: F841
    if x.max() > y.max():
        r = x
    else:
        r = y
    return r


def test_scripted_function_answers_by_its_data(tools, tmp_path):
    scripted = torch.jit.script(larger)
    a, b = torch.tensor([-0.1, 0.6]), torch.tensor([0.8, 0.4])
    c, d = torch.tensor([0.1, 0.6]), torch.tensor([-0.8, 0.4])
    first, second = agree(scripted, (a, b), (c, d))
    assert torch.equal(first, b) and torch.equal(second, c)
    path = tmp_path / "larger.pt"
    scripted.save(str(path))
    done = subprocess.run(
        [tools / "evox-import", path, "--input",
         "forward:float32[2],float32[2]"],
        capture_output=True, text=True, check=True)
    assert "evox.if" in done.stdout


class Methods(torch.nn.Module):
    @torch.jit.export
    def compiled(self, input):
        return input + 10

    @torch.jit.ignore
    def observed(self, input: Tensor) -> Tensor:
        return input - 1

    def normal(self, input):
        return input / 10

    def forward(self, input):
        out = self.compiled(input)
        return out * 1


class CallsIgnored(Methods):
    def forward(self, input):
        out = self.observed(input)
        out = self.compiled(out)
        return out * 1


def test_scripted_module_exports_what_it_says():
    x = torch.tensor([1.1, 2.2])
    scripted = torch.jit.script(Methods())
    agree(scripted, (x,), ("compiled", x))
    program = evox_mlir.compile(scripted, {"forward": (x,), "compiled": (x,)})
    assert set(program.entries) == {"forward", "compiled"}
    with pytest.raises(AttributeError, match="normal"):
        program.normal(x)


def test_scripted_module_that_calls_an_ignored_method():
    """TorchScript cannot save it: the error is clear, not a crash."""
    x = torch.tensor([1.1, 2.2])
    scripted = torch.jit.script(CallsIgnored())
    assert torch.equal(scripted(x), (x - 1 + 10) * 1)
    with pytest.raises(Exception, match="(?i)observed|ignore|python"):
        evox_mlir.compile(scripted, (x,))


class TraceInScript(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bk = Square()
        self.linear = torch.jit.trace(torch.nn.Linear(4, 4), X)

    def forward(self, x, h):
        new_h = torch.tanh(self.bk(self.linear(x)) + h)
        return new_h, new_h


class ScriptInTrace(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bk = Square()
        self.linear = torch.jit.script(torch.nn.Linear(4, 4))

    def forward(self, x, h):
        new_h = torch.tanh(self.bk(self.linear(x)) + h)
        return new_h, new_h


def test_trace_inside_script():
    agree(torch.jit.script(TraceInScript()), (X, H), (H, X))


def test_script_inside_trace():
    agree(torch.jit.trace(ScriptInTrace(), (X, H)), (X, H), (H, X))


class Gate(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x


class ScriptedGateInTrace(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = torch.jit.script(Gate())

    def forward(self, x):
        return self.gate(x) * 2


def test_control_flow_survives_in_the_scripted_part_of_a_trace():
    x = torch.tensor([-0.8, -0.7, 0.6])
    traced = torch.jit.trace(ScriptedGateInTrace(), (x,))
    below, above = agree(traced, (x,), (-x,))
    assert torch.equal(below, -x * 2) and torch.equal(above, -x * 2)


@pytest.mark.parametrize("how", ["trace", "script"])
def test_save_and_load_keeps_requires_grad(tools, tmp_path, how):
    linear = torch.nn.Linear(4, 4)
    linear.bias.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.trace(linear, X) if how == "trace" \
            else torch.jit.script(linear)
    path = tmp_path / "linear.pt"
    module.save(str(path))
    loaded = torch.jit.load(str(path))
    assert loaded.weight.requires_grad and not loaded.bias.requires_grad
    agree(loaded, (X,))
    program = evox_mlir.compile(str(path), (X,))
    slots = {slot["name"]: slot for slot in program.signature["state"]}
    assert slots["weight"]["kind"] == "parameter"
    done = subprocess.run(
        [tools / "evox-import", path, "--input", "forward:float32[4]"],
        capture_output=True, text=True, check=True)
    states = {line.split('"')[1]: line for line in done.stdout.splitlines()
              if "evox.state" in line}
    assert "requires_grad" in states["weight"]
    assert "requires_grad" not in states["bias"]
    same(module(X), program(X))
    same(dict(module.state_dict()), program.state_dict())


def test_nested_outputs_come_back_in_the_same_structure():
    class Nested(torch.nn.Module):
        def forward(self, x):
            return (x + 1, [x * 2, x * 3]), {"k": x - 1, "a": x - 2}

    (result,) = agree(Nested(), (X,))
    assert list(result[1]) == ["k", "a"]
    traced = torch.jit.trace(Nested(), (X,), strict=False)
    agree(traced, (X,))
