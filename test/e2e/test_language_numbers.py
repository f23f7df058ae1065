# test_language_numbers.py - TorchScript's language: numbers
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arithmetic, comparisons, conversions and the math module, both of numbers
that are known at import (attributes) and of those that the data decides
(arguments). TorchScript says what each answers, also where Python differs:
`i ** 2` is a float, `round(i)` too, and `1.0 / 0.0` is infinite."""

import math

import pytest
import torch
from torch import Tensor, nn

from language import agree, from_text, refused

pytestmark = pytest.mark.filterwarnings("ignore")

INTEGERS = """
i + j, i - j, i * j, i / j, i // j, i % j, i ** j, i ** 2, j ** 3
i & j, i | j, i ^ j, i << 3, j >> 1, -i, abs(i), abs(j), divmod(i, j)
i < j, i <= j, i > j, i >= j, i == j, i != j, i < 3 < j, not i, bool(i)
float(i), int(i), round(i), min(i, j), max(i, j), min(i, 2.5), max(2.5, j)
i if i > j else j, i and j, i or j, i == 1.0 * i, int(i > j), True + i
sum([i, j, 3]), min([i, j, 0]), max([i, j]), min(i, j, 1), max(i, j, 1)
all([i > 0, j > 0]), any([i, j]), i in [1, j], i not in [1, 2], i is None
[i, j].index(j), [i, j, i].count(i), sorted([i, j, 0]), [i] * 2 + [j]
complex(2, 3).real if False else i, 0x10 + i, i + 10 ** 3
"""

FLOATS = """
f + g, f - g, f * g, f / g, f // g, f % g, -f, abs(f), f * 2, 3 - f, f / 4
f < g, f <= g, f > g, f >= g, f == g, f != g, bool(f), not f
int(f), float(f), round(f), round(g), min(f, g), max(f, g), pow(f, 2), f ** 2
int(f * 1e3), sum([f, g]), min([f, g]), max([f, g, 0.5]), f if f > g else g
sorted([f, g, 1.0]), all([f, g]), any([f, g]), [f, g].count(f)
"""


def tuples(text):
    """Each line is one tuple, so that a failure says where it is."""
    lines = [line for line in text.strip().splitlines()]
    return "(" + ", ".join(f"({line})" for line in lines) + ")"


def both(text, types, *values):
    """The expressions, of arguments and of attributes."""
    names = [t.split(":")[0] for t in types.split(", ")]
    source = f"def forward(self, {types}):\n    return {tuples(text)}\n"
    attributes = {}
    for k, some in enumerate(values):
        source += f"def known{k}(self):\n"
        for name, value in zip(names, some):
            attributes[f"{name}{k}"] = value
            source += f"    {name} = self.{name}{k}\n"
        source += f"    return {tuples(text)}\n"
    agree(from_text(source, **attributes), *values,
          *[(f"known{k}",) for k in range(len(values))])


def test_integers():
    text = INTEGERS.replace("complex(2, 3).real if False else i", "i")
    both(text, "i: int, j: int", (7, 2), (-7, 3), (2, -3), (5, 5), (-4, -6))


def test_floats():
    both(FLOATS, "f: float, g: float", (7.5, 2.0), (-7.5, 2.0), (2.5, -0.5),
         (-2.5, 0.3), (0.5, 0.5), (1e10, 3.0))


def test_floats_that_are_not_finite():
    text = """
f + g, f * g, f / g, f // g, f % g, f < g, f == g, f != g, min(f, g), max(f, g)
min([f, g]), max([f, g]), bool(f), not g, f if f > g else g
"""
    values = [(math.nan, 1.0), (1.0, math.nan), (math.inf, 2.0),
              (2.0, -math.inf), (1.0, 0.0), (0.0, 0.0), (-0.0, 3.0)]
    both(text, "f: float, g: float", *values)


def test_true_division_by_zero_is_infinite_and_others_raise():
    agree(from_text("def forward(self, f: float, i: int):\n"
                    "    return f / 0.0, f // 0.0, i / 0\n"), (1.5, 3))
    agree(from_text("def forward(self, i: int, j: int):\n"
                    "    return i // j\n"), (7, 2), (7, 0), (3, 2))
    agree(from_text("def forward(self, f: float, g: float):\n"
                    "    return divmod(f, g)\n"), (7.5, 2.0), (7.5, 0.0))
    agree(from_text("def forward(self, f: float, g: float):\n"
                    "    return f ** g\n"), (2.0, 0.5), (0.0, -1.0), (0., 0.))


class Functions(nn.Module):
    def forward(self, f: float, g: float):
        return ((math.sqrt(f), math.exp(f), math.log(f), math.log(f, g),
                 math.log10(f), math.log1p(f), math.expm1(f)),
                (math.sin(f), math.cos(f), math.tan(f), math.asin(f / 10),
                 math.acos(f / 10), math.atan(f), math.atan2(f, g)),
                (math.sinh(f), math.cosh(f), math.tanh(f), math.asinh(f),
                 math.acosh(f + 1), math.atanh(f / 10)),
                (math.erf(f), math.erfc(f), math.degrees(f), math.radians(f)),
                (math.floor(f), math.ceil(f), math.fabs(-f), math.fabs(f),
                 math.copysign(f, -g), math.copysign(-f, g), math.pow(f, g)),
                (math.fmod(f, g), math.fmod(-f, g), math.remainder(f, g),
                 math.remainder(-f, g), math.remainder(f * 7, g)),
                (math.modf(f), math.modf(-f), math.frexp(f), math.frexp(-g),
                 math.ldexp(f, 3), math.ldexp(f, -2)),
                (math.isnan(f), math.isinf(f), math.isfinite(f), math.pi * f,
                 math.e, math.inf, math.tau + f))


class Both(nn.Module):
    def __init__(self, functions, i, j):
        super().__init__()
        self.i = i
        self.j = j
        self.functions = functions

    def forward(self):
        return self.functions(self.i, self.j)


def test_math_of_floats():
    agree(Functions(), (2.7, 1.5), (0.3, 2.0), (7.5, 0.7), (1.5, 3.0))
    agree(Both(Functions(), 2.7, 1.5), ())
    agree(Both(Functions(), 0.3, 2.0), ())


class IntegerFunctions(nn.Module):
    def forward(self, i: int, j: int):
        return (math.gcd(i, j), math.gcd(-i, j), math.factorial(i),
                math.factorial(3), math.sqrt(i), math.log(j), math.pow(i, j),
                math.exp(i), math.fabs(i), math.floor(i), math.ceil(j),
                math.fmod(i, j), math.atan2(i, j), math.copysign(i, -j),
                math.ldexp(1.5, i), math.log(i + 1, j), math.degrees(i),
                math.remainder(i, j))


def test_math_of_integers():
    agree(IntegerFunctions(), (6, 4), (12, 18), (20, 7), (0, 3))
    agree(Both(IntegerFunctions(), 6, 4), ())


def test_math_of_negative_numbers():
    class M(nn.Module):
        def forward(self, f: float):
            return (math.floor(f), math.ceil(f), round(f), int(f), abs(f),
                    math.remainder(f, 2.0),
                    math.tanh(f), math.erf(f), math.expm1(f), f // 1.0)

    agree(M(), (-0.5,), (-1.5,), (-2.5,), (-3.7,))


def test_gamma_functions():
    class M(nn.Module):
        def __init__(self, f):
            super().__init__()
            self.f = f

        def forward(self):
            return (math.gamma(self.f), math.lgamma(self.f),
                    math.gamma(-self.f), math.lgamma(-self.f))

    agree(M(2.7), ())


def test_factorial_of_a_negative_number_raises():
    class M(nn.Module):
        def forward(self, n: int):
            return math.factorial(n)

    agree(M(), (5,), (-1,))


def test_numbers_from_tensors():
    class M(nn.Module):
        def forward(self, x):
            i = int(x[0])
            f = float(x[1])
            b = bool(x[2] > 0)
            return (i ** 2, i // 2, i % 3, f ** 2, math.sqrt(f), b, not b,
                    int(b), f * i, math.floor(f), x[1].item() + 1,
                    i if b else -i, max(i, 3), math.gcd(i, 12))

    agree(M(), (torch.tensor([18.0, 2.5, 1.0]),),
          (torch.tensor([-7.0, 9.75, -1.0]),))


def test_numbers_carried_by_loops():
    class M(nn.Module):
        def forward(self, n: int, f: float):
            total = 0
            power = 1.0
            for k in range(n):
                total += k * k
                power = power * f
                if total % 2 == 0:
                    total = total // 2
            while power > 3.0:
                power /= 2.0
            return total, power

    agree(M(), (5, 1.5), (0, 9.0), (20, 1.1))


def test_collatz():
    class M(nn.Module):
        def forward(self, n: int):
            steps = 0
            while n != 1:
                n = n // 2 if n % 2 == 0 else 3 * n + 1
                steps += 1
            return steps

    assert agree(M(), (6,), (27,), (1,)) == [8, 111, 0]


def test_complex_numbers_that_are_known():
    agree(from_text("""
def forward(self):
    z = complex(self.f, 2)
    w = z * z + 1j - 3
    return (abs(z), z == z, z != w, abs(w), abs(z / w), (-z) == z,
            complex(3, 4) == complex(3.0, 4.0), abs(z ** w))
""", f=1.5), ())


def test_a_complex_number_that_the_data_decides_is_refused():
    text = refused(from_text("""
def forward(self, f: float):
    return abs(complex(f, 2.0))
"""), 1.5)
    assert "complex" in text


def test_integers_wrap_around():
    both("i + j, i * j, i - j - j, -j", "i: int, j: int",
         (2 ** 62, 2 ** 62), (-2 ** 63, 3))


def test_ranges():
    class M(nn.Module):
        def forward(self, n: int, step: int):
            out = 0
            for k in range(1, n, 3):
                out = out * 2 + k
            for k in range(n, 0, -2):
                out = out * 2 + k
            for k in range(n - 3, n):
                out += k
            return out, [k for k in range(3, 12, 4)], list(range(4))

    agree(M(), (10, 1), (0, 1), (1, 1), (4, 1))


def test_tensor_scalars_and_numbers_mix():
    class M(nn.Module):
        def forward(self, s: Tensor, i: int, f: float):
            return (s + i, s * f, i - s, f / s, s ** i, s > f, s // 2, s % 2,
                    int(s) + i, float(s) * f, s.item() == f)

    agree(M(), (torch.tensor(3.5), 2, 1.5),
          (torch.tensor(-2.25), 3, -2.25))
