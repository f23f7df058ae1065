# test_program.py - programs in Python
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import json
import subprocess
import sys
import textwrap

import numpy
import pytest
import torch

import evox_mlir


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 3))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.weight = torch.nn.Parameter(torch.full((3,), 2.0))
        self.constant = torch.arange(3.0)

    def forward(self, x, scale: float):
        self.total += x * scale
        self.calls += 1
        return self.total * self.weight + self.constant

    @torch.jit.export
    def nested(self, x):
        return {"sum": x.sum(), "both": (x, [x + 1, x - 1])}, 3

    @torch.jit.export
    def count(self, x):
        return int((x > 2).sum()), x.shape[0]

    @torch.jit.export
    def clear(self):
        self.total.zero_()

    @torch.jit.export
    def run(self):
        self.calls += 10


X = torch.arange(6.0).reshape(2, 3)


@pytest.fixture(scope="module")
def compiled():
    return evox_mlir.compile(Counter(), {
        "forward": (X, 1.0), "nested": (X,), "count": (X,),
        "clear": (), "run": ()})


@pytest.fixture
def program(compiled):
    return compiled.new_instance()


def test_calls(program):
    module = Counter()
    for scale in (1.0, 0.5, -3.0):
        expected = module(X, scale)
        assert torch.equal(program(X, scale), expected)
    assert torch.equal(program.forward(x=X, scale=2.0), module(X, 2.0))
    assert torch.equal(program.forward(X.T.contiguous().T, torch.tensor(
        1.0, dtype=torch.float64)), module(X, 1.0))
    assert torch.equal(program.forward(X.numpy(), 1), module(X, 1.0))


def test_results_outlive_the_next_call(program):
    first = program(X, 1.0)
    kept = first.clone()
    program(X, 1.0)
    assert torch.equal(first, kept)


def test_structure_of_results(program):
    (tensors, number) = program.nested(X)
    assert number == 3
    assert set(tensors) == {"sum", "both"}
    whole, (more, less) = tensors["both"]
    assert isinstance(tensors["both"], tuple)
    assert torch.equal(tensors["sum"], X.sum())
    assert torch.equal(whole, X)
    assert torch.equal(more, X + 1) and torch.equal(less, X - 1)


def test_python_numbers_come_back_as_such(program):
    result = program.count(X)
    assert result == (3, 2) and all(isinstance(n, int) for n in result)


def test_entry_point_with_a_name_of_ours(program):
    program.call("run")
    assert program.get("calls").item() == 10
    program.run("run", 2)
    assert program.get("calls").item() == 30


def test_state(program):
    module = Counter()
    assert set(program.state_dict()) == set(module.state_dict())
    program(X, 1.0)
    module(X, 1.0)
    for name, value in module.state_dict().items():
        assert torch.equal(program.get(name), value), name
    program.set("weight", [1, 2, 3])
    assert program.get("weight").tolist() == [1, 2, 3]
    module.load_state_dict(program.state_dict())
    assert module.weight.tolist() == [1, 2, 3]


def test_views_look_at_the_state(program):
    view = program.get("total", copy=False)
    copy = program.get("total")
    program(X, 1.0)
    assert torch.equal(program.get("total"), X)
    assert not copy.any()
    del view


def test_load_state_dict_is_strict(program):
    state = program.state_dict()
    with pytest.raises(evox_mlir.ArgumentError, match="missing names: .*call"):
        program.load_state_dict(
            {name: v for name, v in state.items() if name != "calls"})
    with pytest.raises(evox_mlir.ArgumentError, match="unknown names: bias"):
        program.load_state_dict({**state, "bias": torch.ones(1)})
    program.load_state_dict({"calls": 5, "bias": torch.ones(1)}, strict=False)
    assert program.get("calls").item() == 5


def test_signature(program):
    signature = program.signature
    assert {entry["name"] for entry in signature["entries"]} == \
        {"forward", "nested", "count", "clear", "run"}
    assert signature["options"]["rng"] == "torch"
    kinds = {slot["name"]: slot["kind"] for slot in signature["state"]}
    assert kinds["total"] == "mutable" and kinds["weight"] == "parameter"
    json.dumps(signature)


def test_repr_and_dir(program):
    assert "forward" in repr(program) and "Counter" in repr(program)
    assert "forward" in dir(program)
    assert "x: float32 [2, 3]" in repr(program.forward)


def test_without_torch(compiled, tmp_path):
    """NumPy in, NumPy out."""
    script = textwrap.dedent("""
        import sys
        sys.modules["torch"] = None  # not installed
        import numpy, evox_mlir
        program = evox_mlir.load(sys.argv[1])
        x = numpy.arange(6, dtype="float32").reshape(2, 3)
        out = program(x, 2.0)
        assert isinstance(out, numpy.ndarray) and out.dtype == "float32"
        assert numpy.array_equal(out, 4 * x + numpy.arange(3)), out
        program.load_state_dict(program.state_dict())
        program.save(sys.argv[2])
        print(int(program.get("calls")))
    """)
    path = tmp_path / "c.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", script, compiled.library.path, path],
        check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
    program = compiled.new_instance()
    program.load(path)
    assert torch.equal(program.get("total"), 2 * X)


def test_instances_close(compiled):
    """Ten thousand would not fit if they stayed."""
    import resource

    for _ in range(200):
        compiled.new_instance()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        compiled.new_instance()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000, f"{grown} KiB more"


DTYPES = ["uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16",
          "float32", "float64", "bool"]


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_passes_through(name):
    class Keep(torch.nn.Module):
        def __init__(self, like):
            super().__init__()
            self.register_buffer("kept", like)

        def forward(self, x):
            before = self.kept
            self.kept = x
            return before

    dtype = getattr(torch, name)
    first = torch.tensor([[1, 0, 1], [0, 1, 1]]).to(dtype)
    second = torch.tensor([[0, 0, 1], [1, 1, 0]]).to(dtype)
    program = evox_mlir.compile(Keep(first), (first,))
    for expected, given in ((first, second), (second, first.T.contiguous().T)):
        out = program(given)
        assert out.dtype == dtype and torch.equal(out, expected)
    assert torch.equal(program.get("kept"), first)
    if name != "bfloat16":
        assert program(numpy.asarray(second)).dtype == dtype
