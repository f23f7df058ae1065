# test_numerics.py - sums and functions of numbers against PyTorch's
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums are PyTorch's to the last bit; functions are as docs/numerics.md says."""

import subprocess

import numpy as np
import pytest
import torch

import evox_mlir

SUMS = [
    # Rows: shorter than a vector, one vector, a rest, all levels of the sum.
    ((20, 3), [1]), ((20, 1), [1]), ((20, 10), [1]), ((7, 33), [1]),
    ((5, 100), [1]), ((5, 128), [1]), ((5, 1000), [1]), ((3, 5000), [1]),
    ((1, 300000), [1]), ((5,), [0]), ((1000,), [0]),
    # Columns: few, by fours, by vectors, by four vectors.
    ((33, 3), [0]), ((33, 7), [0]), ((100, 8), [0]), ((100, 37), [0]),
    ((17, 64), [0]), ((5000, 33), [0]), ((1000, 100), [0]),
    # More dimensions.
    ((4, 6, 50), [1]), ((4, 60, 5), [1]), ((4, 6, 50), [1, 2]),
    ((4, 8, 32), [1, 2]), ((6, 50, 9), [0, 1]), ((4, 5, 6, 7), [1, 2]),
]


class Sums(torch.nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x: torch.Tensor, row: torch.Tensor):
        return (x.sum(self.dims), (x * x).mean(self.dims), (x * row).sum(),
                torch.where(row > 0, x, x.neg()).sum(self.dims),
                (x.abs() * -0.0).sum(self.dims))


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def bits(array):
    array = torch.as_tensor(array).contiguous().numpy()
    return array.view(np.int32 if array.itemsize == 4 else np.int64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape, dims", SUMS, ids=str)
def test_sums_are_pytorchs(shape, dims, dtype, one_thread):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, dtype=dtype, generator=generator)
    x *= torch.rand(shape, dtype=dtype, generator=generator) * 10
    row = torch.randn(shape[-1:], dtype=dtype, generator=generator)
    module = torch.jit.script(Sums(dims))
    program = evox_mlir.compile(module, methods={"forward": (x, row)})
    for ours, theirs in zip(program.forward(x, row), module(x, row)):
        assert (bits(ours) == bits(theirs)).all()


# How many results are PyTorch's to the last bit at least, in percent, and by
# how many units in the last place others may be off.
EXACT = (100, 0)
UNARY = {
    "exp": (97, 1), "exp2": EXACT, "expm1": EXACT, "sinh": EXACT,
    "cosh": EXACT, "tanh": (99, 1), "log": (94, 1), "log2": (99, 1),
    "log10": (99, 1), "log1p": EXACT, "atanh": EXACT, "sin": (95, 1),
    "cos": (94, 1), "tan": (87, 1), "asin": (95, 1), "atan": (90, 1),
    "acos": (93, 1), "erf": (98, 1), "erfc": (95, 1), "asinh": EXACT,
    "acosh": EXACT, "sqrt": (80, 1), "rsqrt": EXACT,
}
BINARY = {"pow": EXACT, "atan2": EXACT}

# The same of float64.
UNARY64 = {
    "exp": (97, 1), "exp2": (98, 1), "expm1": (99, 1), "sinh": (99, 1),
    "cosh": (99, 1), "tanh": (97, 1), "log": (96, 1), "log2": (96, 1),
    "log10": (96, 1), "log1p": (99, 1), "atanh": (99, 1), "sin": (97, 1),
    "cos": (96, 1), "tan": (97, 1), "asin": (93, 1), "acos": (90, 1),
    "atan": (91, 1), "erf": (96, 1), "sqrt": (98, 1), "rsqrt": EXACT,
}
BINARY64 = {"pow": (97, 1), "atan2": (96, 1)}

SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 7,
     1e-45, -1e-45, 1e-40, -1e-40, 1.1754944e-38, 3.4e38, -3.4e38, 1e10, 1e20,
     -1e20, 4.5e15, -4.6e15, 1e27, 2e27, 125, 88.7, -88.7, -103, -104.5, 89,
     -16.6, 128, -150, 16777216, 16777215, -16777215], np.float32)


SPECIAL64 = np.concatenate([SPECIAL.astype(np.float64), np.array(
    [5e-324, -5e-324, 1e-310, -1e-310, 2.2250738585072014e-308, 1.79e308,
     -1.79e308, 2.0**28, -2.0**28, 1e300, 2.0**53, 2.0**53 - 1, -2.0**53 + 1,
     709.78, 709.79, -708.5, -744.9, -745.2, -1074, -1075.5, 1023.999, 1024,
     19.1, 710.4, 710.5, -36.7, 1e-8, 1e-9, 1e-16, np.pi, np.pi / 2,
     1e5 * np.pi, 2.0**60, 8.5e18])])


def make_module(names, binary):
    """A module that returns each of `names` of its arguments."""
    calls = ", ".join(f"torch.{name}(x{', y' if binary else ''})"
                      for name in names)
    # A class of its own, as a class has one `forward`.
    kind = "Binary" if binary else "Unary"
    module = type(kind, (torch.jit.ScriptModule,), {})()
    module.define(f"def forward(self, x: Tensor, y: Tensor):\n"
                  f"    return ({calls},)\n")
    return module


def ordered(array):
    """Integers in the order of the numbers; neighbours differ by one."""
    word = bits(array)
    size = np.iinfo(word.dtype).max
    return np.where(word < 0, -(word & size).astype(np.int64), word)


def arguments(double=False):
    random = np.random.default_rng(0)
    many = 1 << 15
    dtype, special, far = (np.float64, SPECIAL64, 600) if double else \
        (np.float32, SPECIAL, 80)
    x = np.concatenate([
        random.uniform(-100, 100, many), random.uniform(-1, 1, many),
        random.uniform(0, 20, many),
        np.exp(random.uniform(-far, far, many)) * random.choice([-1, 1], many),
    ] + ([random.uniform(-2.0**29, 2.0**29, many),
          np.arange(many) * (np.pi / 2)] if double else [])).astype(dtype)
    y = random.uniform(-6, 6, x.size).astype(dtype)
    pairs = np.meshgrid(special, special)
    return (torch.from_numpy(np.concatenate([x, pairs[0].ravel()])),
            torch.from_numpy(np.concatenate([y, pairs[1].ravel()])))


@pytest.mark.parametrize(
    "names, binary, double",
    [(UNARY, False, False), (BINARY, True, False), (UNARY64, False, True),
     (BINARY64, True, True)],
    ids=["unary", "binary", "unary64", "binary64"])
def test_functions_are_as_close_to_pytorchs_as_documented(
        names, binary, double, record_property, one_thread):
    x, y = arguments(double)
    module = make_module(names, binary)
    program = evox_mlir.compile(module, methods={"forward": (x, y)})
    ours = program.forward(x, y)
    theirs = module(x, y)
    for (name, (share, ulps)), a, b in zip(names.items(), ours, theirs):
        a, b = torch.as_tensor(a), torch.as_tensor(b)
        assert torch.equal(a.isnan(), b.isnan()), name
        number = ~b.isnan().numpy()
        distance = np.abs(ordered(a) - ordered(b))[number]
        same = (bits(a) == bits(b))[number]
        record_property("figure", f"{name}: {same.mean():.2%} identical, "
                                  f"at most {distance.max()} ulp apart")
        assert same.mean() * 100 >= share, name
        assert distance.max() <= ulps, name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_functions_in_sums_are_those_of_elements(dtype, one_thread):
    """A sum computes its terms on vectors, a loop on scalars: the same."""
    class Both(torch.nn.Module):
        def forward(self, x: torch.Tensor):
            y = torch.cos(x) + torch.exp(-x.abs())
            return y, y.sum(1)

    x = torch.linspace(-300, 300, 37 * 101, dtype=dtype).reshape(37, 101)
    x[7] *= 1e9  # large angles
    program = evox_mlir.compile(torch.jit.script(Both()),
                                methods={"forward": (x,)})
    elements, sums = program.forward(x)
    assert (bits(torch.as_tensor(elements).sum(1)) == bits(sums)).all()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_loops_of_angles_are_vectorized(name, tools, tmp_path):
    """Large angles are a branch, which must not cost the vectors."""
    class Angles(torch.jit.ScriptModule):
        pass

    module = Angles()
    module.define(f"def forward(self, x: Tensor):\n    return torch.{name}(x)\n")
    path = tmp_path / "angles.pt"
    module.save(str(path))
    ir = subprocess.run(
        [tools / "evox-compile", path, "--input=forward:float64[1000]", "--cpu=x86-64-v3",
         "--emit=llvm"], check=True, capture_output=True, text=True).stdout
    assert f"call <4 x double> @evox.{name}.v4(" in ir
    assert f"@evox.{name}.v8" not in ir
