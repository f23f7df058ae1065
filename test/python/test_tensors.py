# test_tensors.py - tensors between Python and evox_tensor
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import subprocess
import sys
import textwrap

import numpy
import pytest
import torch

import evox_mlir
from evox_mlir import _tensor, _tree


class OnlyDLPack:
    """An array library that this package has not heard of."""

    def __init__(self, tensor):
        self._tensor = tensor

    def __dlpack__(self, **options):
        return self._tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._tensor.__dlpack_device__()


TENSORS = [
    torch.arange(6.0).reshape(2, 3),
    torch.arange(6.0).reshape(2, 3).T,
    torch.arange(10)[3:8:2],
    torch.zeros(0, 3),
    torch.tensor(2.5, dtype=torch.float64),
    torch.tensor([True, False]),
    torch.tensor([-3, 7], dtype=torch.int8),
    torch.tensor([200], dtype=torch.uint8),
    torch.tensor([1.5, -2.0]).half(),
    torch.tensor([1.5, -2.0]).bfloat16(),
    torch.arange(4.0).expand(3, 4),
    torch.tensor([1 + 2j]).to(torch.complex64),
]


def same(ours, theirs):
    return ours.dtype == theirs.dtype and torch.equal(ours, theirs)


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: f"{t.dtype}")
@pytest.mark.parametrize("wrap", [lambda t: t, OnlyDLPack])
@pytest.mark.parametrize("copy", [True, False])
def test_in_and_out(tensor, wrap, copy):
    view, keep = _tensor.to_view(wrap(tensor), "x")
    assert same(_tensor.from_view(view, keep, copy), tensor)


def test_no_copy_either_way():
    tensor = torch.arange(6.0).reshape(2, 3).T
    for value in (tensor, tensor.numpy(), OnlyDLPack(tensor),
                  tensor.clone().requires_grad_()):
        view, keep = _tensor.to_view(value, "x")
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            assert view.data == tensor.data_ptr()
        out = _tensor.from_view(view, keep, copy=False)
        assert out.data_ptr() == view.data


def test_views_keep_their_memory():
    view, keep = _tensor.to_view(torch.arange(1000.0), "x")
    out = _tensor.from_view(view, keep, copy=False)
    del view, keep
    for _ in range(10):
        torch.full((1000,), -1.0)
    assert torch.equal(out, torch.arange(1000.0))


def test_numpy_arrays():
    for array in (numpy.arange(6, dtype=">i4").reshape(2, 3),
                  numpy.float32(2.5), numpy.arange(12)[::-2],
                  numpy.zeros(3, dtype=[("a", "i1"), ("b", "f4")])["b"]):
        view, keep = _tensor.to_view(array, "x")
        assert numpy.array_equal(_tensor.from_view(view, keep), array)
    readonly = numpy.arange(3)
    readonly.flags.writeable = False
    _tensor.to_view(readonly, "x")


def test_numpy_out():
    view, keep = _tensor.to_view(torch.arange(6).reshape(2, 3).T, "x")
    array = _tensor.from_view(view, keep, numpy_only=True)
    assert isinstance(array, numpy.ndarray) and array.dtype == numpy.int64
    assert array.tolist() == [[0, 3], [1, 4], [2, 5]]


INT, FLOAT, BOOL, BYTE, SINGLE = 4, 7, 11, 0, 6


@pytest.mark.parametrize("value, code, expected", [
    (3, INT, torch.tensor(3)),
    (3, FLOAT, torch.tensor(3.0, dtype=torch.float64)),
    (0.1, SINGLE, torch.tensor(0.1)),
    (True, BOOL, torch.tensor(True)),
    (True, INT, torch.tensor(1)),
    ([1, 2], SINGLE, None),
])
def test_python_numbers(value, code, expected):
    shape = (2,) if isinstance(value, list) else ()
    view, keep = _tensor.to_view(value, "x", (code, shape))
    out = _tensor.from_view(view, keep)
    assert same(out, torch.tensor([1.0, 2.0]) if expected is None
                else expected)


@pytest.mark.parametrize("value, code, text", [
    (1.5, INT, "x: expected int64 \\[\\], got a Python float"),
    (2, BOOL, "got a Python int"),
    (300, BYTE, "300 does not fit into uint8"),
    (2**70, INT, "does not fit"),
    ([1.5], INT, "float64"),
    ([1, [2]], INT, "x: "),
    ("three", INT, "x: .*builtins.str"),
    (torch.ones(2, device="meta"), SINGLE, "device cpu, got device meta"),
    (torch.ones(2).to_sparse(), SINGLE, "dense"),
    (numpy.array(["a"]), SINGLE, "x: dtype .* not supported"),
    (numpy.zeros(2, "uint16"), SINGLE, "x: dtype uint16 is not supported"),
    (OnlyDLPack(torch.ones(2, dtype=torch.uint16)), SINGLE, "16 bits"),
])
def test_refuses(value, code, text):
    with pytest.raises(evox_mlir.ArgumentError, match=text):
        _tensor.to_view(value, "x", (code, ()))


TREE = {"tuple": [{"tensor": 1}, {"dict": {"a": {"tensor": 0}, "b": None}},
                  {"list": [{"value": 3}, {"tensor": 2}]}]}


def test_trees():
    assert _tree.build(TREE, "xyz") == ("y", {"a": "x", "b": None}, [3, "z"])
    tree = {"dict": {"a": None, "b": {"tuple": [{"tensor": 1}]},
                     "c": {"tensor": 0}}}
    assert list(_tree.build(tree, "xy")) == ["c", "b", "a"]
    number = _tree.build({"tensor": 0, "number": "int"}, [torch.tensor(3)])
    assert number == 3 and isinstance(number, int)
    flat = {}
    _tree.flatten(TREE, ("y", {"b": None, "a": "x"}, [3, "z"]), "f", flat)
    assert {i: value for i, (value, _) in flat.items()} == \
        {0: "x", 1: "y", 2: "z"}
    assert flat[0][1] == "f[1]['a']"


@pytest.mark.parametrize("value, text", [
    (("y", {"a": "x", "b": None}), r"f: expected 3 elements, got 2"),
    (("y", {"a": "x"}, [3, "z"]), r"f\[1\]: expected the keys"),
    (("y", {"a": "x", "b": 1}, [3, "z"]), r"f\[1\]\['b'\]: expected None"),
    (("y", {"a": "x", "b": None}, [4, "z"]), r"compiled for 3, got 4"),
    (("y", {"a": "x", "b": None}, 5), r"f\[2\]: expected a list"),
    (("y", [], [3, "z"]), r"f\[1\]: expected a dict, got list"),
])
def test_trees_refuse(value, text):
    with pytest.raises(evox_mlir.ArgumentError, match=text):
        _tree.flatten(TREE, value, "f", {})


def test_importing_needs_neither_torch_nor_numpy():
    script = textwrap.dedent("""
        import sys
        import evox_mlir
        assert not {"torch", "numpy"} & set(sys.modules), sorted(sys.modules)
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
