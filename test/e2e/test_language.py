# test_language.py - TorchScript's language, construct by construct
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The constructs that the TorchScript language reference lists. PyTorch says
what each program answers; `agree` compares structure, numbers and state."""

import subprocess
from enum import Enum
from typing import Dict, List, NamedTuple, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from language import agree, refused, same

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
V = torch.tensor([1.5, -0.5, 2.0])


def messages(tools, tmp_path, module, types):
    """What evox-import says about a module that it takes."""
    path = tmp_path / "module.pt"
    torch.jit.save(torch.jit.script(module), str(path))
    done = subprocess.run([tools / "evox-import", path, "-o", "/dev/null",
                           f"--input=forward:{types}"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


# --- functions, methods, submodules ------------------------------------------


def free(x: Tensor, factor: float = 2.0, shift: int = 1) -> Tensor:
    return x * factor + shift


def test_functions_with_defaults_and_keywords():
    class M(nn.Module):
        def forward(self, x):
            return free(x), free(x, 3.0), free(x, shift=4), free(x, factor=0.5)

    agree(M(), (X,))


def recursion_free(x: Tensor, n: int) -> Tensor:
    for _ in range(n):
        x = x * 2
    return x


def test_methods_that_call_methods():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))

        def tick(self) -> None:
            self.count += 1

        def twice(self, x: Tensor) -> Tensor:
            self.tick()
            return recursion_free(x, 3)

        def forward(self, x):
            self.tick()
            return self.twice(x) + self.count

    agree(M(), (X,), (X + 1,), (X * 2,))


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x * self.factor


def test_submodules_and_a_submodule_reached_by_two_paths():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = Scale(2.0)
            self.b = self.a
            self.c = Scale(3.0)

        def forward(self, x):
            return self.a(x) + self.b(x) + self.c(x)

    agree(M(), (X,), (X,))


def test_module_list_iterated_indexed_and_enumerated():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                [Scale(2.0), Scale(0.5), Scale(-1.0)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            y = self.layers[1](x)
            for i, layer in enumerate(self.layers):
                y = y + i * layer(x)
            return x, y, len(self.layers)

    agree(M(), (X,), (X,))


def test_module_dict():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleDict({"up": Scale(2.0), "down": Scale(0.5)})

        def forward(self, x):
            y = self.parts["up"](x)
            for name, part in self.parts.items():
                y = y + part(x)
            for part in self.parts.values():
                y = y - part(x) * 0.25
            return y

    agree(M(), (X,))


def test_sequential():
    agree(nn.Sequential(Scale(2.0), nn.ReLU(), Scale(3.0)), (X,))


@torch.jit.script
def scripted_helper(x: Tensor, lower: float):
    if bool(x.min() < lower):
        return x.clamp(min=lower)
    return x


def test_script_function_as_an_attribute():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.fn = scripted_helper

        def forward(self, x):
            return self.fn(x, -1.0) + self.fn(x, -100.0)

    agree(M(), (X,))


def test_traced_function_as_an_attribute():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.fn = torch.jit.trace(lambda x: x * x + 1, torch.rand(3))

        def forward(self, x):
            return self.fn(x)

    agree(M(), (X,))


def test_parameter_list_and_constants():
    class M(nn.Module):
        rate: torch.jit.Final[float]

        def __init__(self):
            super().__init__()
            self.ws = nn.ParameterList(
                [nn.Parameter(torch.ones(3) * i) for i in range(3)])
            self.rate = 0.25
            self.sizes = (2, 3)
            self.name = "model"

        def forward(self, x):
            for w in self.ws:
                x = x + w * self.rate
            if self.name == "model":
                x = x.view(self.sizes[1], self.sizes[0])
            return x

    agree(M(), (X,))


# --- values ------------------------------------------------------------------


def test_numbers():
    class M(nn.Module):
        def forward(self, i: int, f: float, b: bool):
            total = i // 3 + i % 5 - i ** 2 + (i << 2) + (i & 6) + (i ^ 3)
            real = f / 3 + float(i) * f - f ** 2 + abs(-f) + (i / 4)
            low, high = min(i, 3), max(f, 2.5)
            flag = (not b and i > 2) or f < 1.0
            chained = 0 < i and i <= 7
            return (total, real, low, high, flag, chained, int(f), round(f),
                    bool(i), -i, i == 7, i != 7, i * 1.0 == f)

    agree(M(), (7, 2.5, True), (-4, 0.25, False))


def test_integer_division_and_remainder_of_negatives():
    class M(nn.Module):
        def forward(self, a: int, b: int):
            return a // b, a % b, float(a) // float(b), float(a) % float(b)

    agree(M(), (7, 3), (-7, 3), (7, -3), (-7, -3))


def test_math_module():
    import math

    class M(nn.Module):
        def forward(self, f: float, n: int):
            return (math.sqrt(f), math.floor(f), math.ceil(f), math.exp(f),
                    math.log(f), math.sin(f), math.cos(f), math.pi * f,
                    math.pow(f, 1.5), math.tanh(f), math.atan2(f, 2.0),
                    math.isnan(f), math.isinf(f), math.gcd(n, 12),
                    math.fabs(-f), math.copysign(f, -1.0), math.log10(f))

    agree(M(), (2.7, 18))


def test_numbers_and_tensors_mix():
    class M(nn.Module):
        def forward(self, x, k: int, r: float):
            n = int(x.sum().item()) + k
            f = float(x[0, 0]) * r
            return x * k, x + r, x ** k, k - x, r / x, n, f, x[0, 1].item() > 0

    agree(M(), (X, 2, 0.5))


def test_strings_are_known_at_import():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.kind = "lower_bound"

        def forward(self, x):
            text = self.kind.upper().replace("_", "-")
            parts = self.kind.split("_")
            if text == "LOWER-BOUND" and parts[1].startswith("bo") \
                    and len(self.kind) == 11 and "low" in self.kind:
                x = x + len(text)
            if f"{parts[0]}:{len(parts)}" == "lower:2":
                x = x * 2
            return x + len("a,b,c".split(",")) + (1 if "x" < "y" else 0)

    agree(M(), (X,))


def test_none_and_optional_with_refinement():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias: Optional[Tensor] = None
            self.scale: Optional[float] = 2.0

        def pick(self, x: Tensor, y: Optional[Tensor] = None) -> Tensor:
            if y is None:
                return x
            return x + y

        def forward(self, x):
            scale = self.scale
            if scale is not None:
                x = x * scale
            if self.bias is not None:
                x = x + self.bias
            y = self.pick(x) + self.pick(x, x)
            z: Optional[Tensor] = None
            if x.dim() == 2:
                z = x
            assert z is not None
            return y + z

    agree(M(), (X,))


def test_optional_argument():
    class M(nn.Module):
        def forward(self, x, y: Optional[Tensor] = None):
            if y is not None:
                return x + y
            return x

    agree(M(), (X, None), (X, None))
    agree(M(), (X, X))


class Color(Enum):
    RED = 1
    GREEN = 2


def test_enums():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.color = Color.GREEN

        def forward(self, x):
            if self.color == Color.RED:
                x = x + 100
            if self.color is Color.GREEN:
                x = x * self.color.value
            if self.color.name == "GREEN":
                x = x - 1
            return x

    agree(M(), (X,))


def test_dtypes_and_devices_as_values():
    class M(nn.Module):
        def forward(self, x):
            y = torch.zeros(3, dtype=x.dtype, device=x.device)
            if x.dtype == torch.float32 and x.device.type == "cpu":
                y = y + 1
            z = x.to(torch.int64)
            if not z.is_floating_point() and not x.is_cuda:
                return y, z.to(x.dtype)
            return y, x

    agree(M(), (X,))


def test_complex_numbers_are_refused_by_name():
    class M(nn.Module):
        def forward(self, x):
            return torch.complex(x, x)

    assert "complex" in refused(M(), X)


# --- containers --------------------------------------------------------------


def test_lists():
    class M(nn.Module):
        def forward(self, x):
            xs: List[Tensor] = []
            for i in range(4):
                xs.append(x * i)
            xs.extend([x - 1, x - 2])
            last = xs.pop()
            first = xs.pop(0)
            xs.insert(1, x * 10)
            xs[0] = x * 100
            xs.reverse()
            middle = xs[1:-1]
            evens = xs[::2]
            both = middle + evens
            del xs[0]
            return (torch.stack(both), last, first, torch.cat(xs), len(both),
                    xs[-1])

    agree(M(), (X,))


def test_lists_of_numbers():
    class M(nn.Module):
        def forward(self, n: int):
            a = [1, 2, 3]
            b = [i * i for i in a]
            b.append(a[1])
            b.sort(reverse=True)
            c = sorted([3.5, 1.5, 2.5])
            return (sum(b), max(b), min(a), b.index(9), b.count(4), 3 in a,
                    5 in a, a * 2, [n] * 3, c, list(range(2, 9, 3)), a == b)

    agree(M(), (5,))


def test_list_comprehensions():
    class M(nn.Module):
        def forward(self, x):
            rows = [row * 2 for row in x.unbind(0)]
            sums = [r.sum() for r in rows]
            return torch.stack(rows), torch.stack(sums)

    agree(M(), (X,))


def test_lists_are_references():
    class M(nn.Module):
        def add(self, xs: List[Tensor], x: Tensor) -> None:
            xs.append(x)

        def forward(self, x):
            xs = [x]
            ys = xs
            self.add(ys, x + 1)
            xs[0].add_(5)
            zs = xs.copy()
            zs.append(x)
            return torch.stack(xs), len(ys), len(zs), x

    agree(M(), (X,))


def test_tuples():
    class M(nn.Module):
        def pair(self, x: Tensor) -> Tuple[Tensor, int]:
            return x + 1, 3

        def forward(self, x):
            a, k = self.pair(x)
            t = (a, k, (x, "text", 2.5))
            (b, c) = (t[0], t[2][0])
            b, c = c, b
            u = t[1:]
            return t[-1][2], b, c, u[0], len(t), (1, 2) == (1, 2)

    agree(M(), (X,))


class Point(NamedTuple):
    position: Tensor
    weight: float = 2.0


def test_named_tuples():
    class M(nn.Module):
        def move(self, p: Point) -> Point:
            return Point(p.position + 1, p.weight * 2)

        def forward(self, x):
            p = self.move(Point(x))
            q = Point(position=x, weight=0.5)
            position, weight = q
            return p.position * p.weight + position * weight, p

    agree(M(), (X,))


def test_dicts():
    class M(nn.Module):
        def forward(self, x):
            d: Dict[str, Tensor] = {"a": x, "b": x * 2}
            d["c"] = d["a"] + d["b"]
            total = x
            for key in d:
                total = total + d[key]
            for key, value in d.items():
                if key != "a":
                    total = total - value * 0.5
            for value in d.values():
                total = total * value
            popped = d.pop("b")
            other = d.get("missing", x - 7)
            d.update({"z": x})
            n = {1: 2.5, 3: 4.5}
            return (d, total, popped, other, "a" in d, "b" in d, len(d),
                    n[3], list(d.keys()) == ["a", "c", "z"])

    agree(M(), (X,))


def test_dict_comprehension_and_dict_argument():
    class M(nn.Module):
        def forward(self, d: Dict[str, Tensor]):
            return {key: value * 2 for key, value in d.items()}

    agree(M(), ({"x": X, "v": V},))


def test_nested_containers_in_and_out():
    class M(nn.Module):
        def forward(self, a: List[Tensor], b: Tuple[Tensor, Dict[str, Tensor]]
                    ):
            out: Dict[str, List[Tensor]] = {}
            out["a"] = [t + 1 for t in a]
            out["b"] = [b[0], b[1]["k"]]
            return out, (a[0], [b[0]])

    agree(M(), ([X, V], (X, {"k": V})))


def test_zip_enumerate_reversed():
    class M(nn.Module):
        def forward(self, x):
            total = x * 0
            for i, (a, b) in enumerate(zip([1.0, 2.0], [x, x + 1])):
                total = total + i * a * b
            for i in range(5, 0, -2):
                total = total + i
            for a in [1, 2, 3][::-1]:
                total = total * a
            return total

    agree(M(), (X,))


# --- control flow ------------------------------------------------------------


def test_if_elif_else_on_data():
    class M(nn.Module):
        def forward(self, x):
            s = x.sum()
            if s > 3:
                y = x * 2
                k = 1
            elif s > 0:
                y = x + 10
                k = 2
            else:
                y = -x
                k = 3
            return y, k, (x if bool(s > 1) else y)

    agree(M(), (X,), (X - 0.8,), (-X,))


def test_and_or_not_are_lazy():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def positive(self, x: Tensor) -> bool:
            self.calls += 1
            return bool(x.sum() > 0)

        def forward(self, x):
            a = self.positive(x) and self.positive(-x)
            b = self.positive(x) or self.positive(-x)
            return a, b, not a

    agree(M(), (X,), (-X,))


def test_static_branch_is_taken():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.mode = "fast"

        def forward(self, x):
            if self.mode == "slow":
                return torch.linalg.eig(x)[0].real  # never imported
            return x + x.size(0)

    agree(M(), (X,))


@pytest.mark.parametrize("trips", [0, 1, 3, 50])
def test_for_with_a_known_trip_count(trips):
    class M(nn.Module):
        def __init__(self, n: int):
            super().__init__()
            self.n = n

        def forward(self, x):
            y = x
            for i in range(self.n):
                y = y * 0.5 + i
            return y

    agree(M(trips), (X,))


def test_for_with_a_trip_count_from_data():
    class M(nn.Module):
        def forward(self, x, n: int):
            total = torch.zeros_like(x)
            for i in range(n):
                total += x * i
            for i in range(int(x[0, 2].item())):
                total = total + 1
            return total

    agree(M(), (X, 4), (X, 0), (X, 11))


def test_for_over_a_tensor():
    class M(nn.Module):
        def forward(self, x):
            total = torch.zeros(3)
            for row in x:
                total = total * 2 + row
            return total

    agree(M(), (X,))


def test_while_on_data():
    class M(nn.Module):
        def forward(self, x):
            n = 0
            while bool(x.abs().max() > 0.1):
                x = x * 0.5
                n += 1
            return x, n

    agree(M(), (X,), (X * 100,), (X * 0,))


def test_break_continue_and_else():
    class M(nn.Module):
        def forward(self, x):
            total = torch.zeros(())
            found = -1
            for i in range(3):
                if bool(x[0, i] < 0):
                    continue
                if bool(x[0, i] > 2.5):
                    found = i
                    break
                total = total + x[0, i]
            k = 0
            while True:
                k += 1
                if k > 10 or bool(x[1, 0] * k > 3):
                    break
            return total, found, k

    agree(M(), (X,), (-X,), (X + 3,))


def test_nested_loops_and_branches():
    class M(nn.Module):
        def forward(self, x):
            count = 0
            for i in range(x.size(0)):
                for j in range(x.size(1)):
                    if bool(x[i, j] > 0):
                        count += 1
                        x[i, j] = 0.0
                    elif i == j:
                        break
                    else:
                        while bool(x[i, j] < 0):
                            x[i, j] += 1
            return x, count

    agree(M(), (X.clone(),), (-X,))


def test_early_return():
    class M(nn.Module):
        def find(self, x: Tensor) -> int:
            for i in range(x.size(0)):
                if bool(x[i] > 1.6):
                    return i
            return -1

        def forward(self, x):
            if bool(x.sum() < 0):
                return x, -5
            k = self.find(x)
            if k < 0:
                return x * 0, k
            return x + k, k

    agree(M(), (V,), (-V,), (V * 0.1,))


def test_ternary_and_chained_comparison():
    class M(nn.Module):
        def forward(self, x, n: int):
            y = x if n > 2 else -x
            z = 1.0 if bool(x.max() > 2) else 0.0
            return y * z, 1 < n < 5

    agree(M(), (X, 3), (X * 0.1, 9))


# --- errors at run time ------------------------------------------------------


def test_assert_on_data():
    class M(nn.Module):
        def forward(self, x):
            assert bool((x > 0).all()), "all must be positive"
            return x + 1

    results = agree(M(), (X.abs(),), (X,), (X.abs(),))
    assert "all must be positive" in str(results[1])


def test_raise_on_data():
    class M(nn.Module):
        def forward(self, x):
            if bool(x.sum() > 100):
                raise ValueError("the sum is too large")
            return x * 2

    results = agree(M(), (X,), (X * 1000,), (X,))
    assert "the sum is too large" in str(results[1])


def test_an_error_leaves_the_state_as_it_was():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", torch.zeros(()))

        def forward(self, x):
            y = self.total + x.sum()
            assert bool(y < 50), "too much"
            self.total = y
            return y

    agree(M(), (X,), (X * 100,), (X,))


def test_static_assert_and_raise():
    class M(nn.Module):
        def forward(self, x):
            assert x.dim() == 2, "a matrix is wanted"
            if x.size(1) > 100:
                raise RuntimeError("never reached")
            return x

    agree(M(), (X,))
    assert "a matrix is wanted" in refused(M(), V)


def test_index_out_of_range_by_data():
    class M(nn.Module):
        def forward(self, x, i: int):
            return x[i]

    script = torch.jit.script(M())
    program = evox_mlir.compile(script, (X, 1))
    same(script(X, 1), program(X, 1))
    same(script(X, -2), program(X, -2))
    with pytest.raises(evox_mlir.ProgramError, match="(?i)index"):
        program(X, 2)


def test_print_and_f_strings_become_notes(tools, tmp_path):
    class M(nn.Module):
        def forward(self, x):
            print("size", x.size(0), f"{x.dim()} dimensions")
            return x

    agree(M(), (X,))
    assert "print" in messages(tools, tmp_path, M(), "float32[2,3]")


def test_warnings_do_not_matter():
    import warnings

    class M(nn.Module):
        def forward(self, x):
            warnings.warn("careful")
            return x

    agree(M(), (X,))
