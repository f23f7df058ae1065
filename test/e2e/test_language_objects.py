# test_language_objects.py - TorchScript's language: classes, modules, types
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Classes of the program's own, `with`, fork and wait, enums, named tuples,
refinement of types, attributes of modules, functions as values."""

from enum import Enum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import pytest
import torch
from torch import Tensor, nn

from language import agree, refused

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
V = torch.tensor([1.5, -0.5, 2.0])


# --- classes -----------------------------------------------------------------


@torch.jit.script
class Mean:
    def __init__(self, start: Tensor, step: int = 1):
        self.total = start
        self.count = 0
        self.step = step
        self.seen: List[int] = []

    def add(self, x: Tensor) -> "Mean":
        self.total = self.total + x
        self.count += self.step
        self.seen.append(self.count)
        return self

    def value(self) -> Tensor:
        return self.total / self.count

    def __len__(self) -> int:
        return self.count

    def __add__(self, other: "Mean") -> Tensor:
        return self.total + other.total

    def __getitem__(self, i: int) -> Tensor:
        return self.total[i]

    @staticmethod
    def twice(x: Tensor) -> Tensor:
        return x * 2

    @property
    def last(self) -> int:
        return self.seen[-1]


def test_objects_of_a_scripted_class():
    class M(nn.Module):
        def fill(self, mean: Mean, x: Tensor):
            mean.add(x)
            mean.count += 10

        def forward(self, x: Tensor):
            mean = Mean(torch.zeros(3))
            other = mean
            mean.add(x[0]).add(x[1])
            self.fill(mean, Mean.twice(x[0]))
            means = [Mean(x[0], 2), Mean(x[1], step=3)]
            for m in means:
                m.add(x[0])
            d: Dict[str, Mean] = {"a": mean}
            d["a"].total.mul_(0.5)
            return (other.value(), len(mean), mean + means[1], mean[1],
                    mean.last, mean.seen, means[0].count, mean is other)

    agree(M(), (X,))


def test_an_object_in_branches_and_loops_of_the_data():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            mean = Mean(torch.zeros(3))
            best = Mean(x[1])
            if bool(x.sum() > 0):
                mean.total = mean.total + x[0]
                best.total.mul_(2)
            else:
                mean.count += 5
            for i in range(n):
                mean.total = mean.total + x[i % 2]
                if bool(mean.total[0] > 3):
                    mean.count += 1
            return mean.total, mean.count, best.total

    agree(M(), (X, 3), (-X, 9), (X, 0))


@torch.jit.script
class Pair:
    def __init__(self, a: int, b: int):
        self.a = a
        self.b = b

    def __eq__(self, other: "Pair") -> bool:
        return self.a == other.a and self.b == other.b

    def __lt__(self, other: "Pair") -> bool:
        return self.a < other.a

    def __contains__(self, n: int) -> bool:
        return n == self.a or n == self.b

    def __call__(self, n: int) -> int:
        return self.a * n + self.b

    def __neg__(self) -> "Pair":
        return Pair(-self.a, -self.b)


def test_special_methods():
    class M(nn.Module):
        def forward(self, n: int):
            p = Pair(1, n)
            q = Pair(2, 3)
            r = -q
            return (p == q, p == Pair(1, n), p < q, q(n), n in p, 7 in p,
                    r.a, r(2), Pair(n, 1) < q)

    agree(M(), (3,), (7,))


def test_an_object_of_two_origins():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            p = Pair(1, 2)
            if n > 3:
                p = Pair(3, n)
            p.b += 1
            for i in range(n):
                p = Pair(p.b, p.a + i)
            return x * p.a + p.b

    agree(M(), (X, 2), (X, 5))


@torch.jit.script
class Scope:
    def __init__(self, log: List[int]):
        self.log = log

    def __enter__(self):
        self.log.append(1)
        return 5

    def __exit__(self, type: Any, value: Any, trace: Any):
        self.log.append(-1)


def test_with():
    class M(nn.Module):
        def forward(self, x: Tensor):
            log: List[int] = []
            with Scope(log) as k:
                log.append(k)
                with Scope(log), Scope(log):
                    x = x * k
            with torch.no_grad():
                y = x * 2
                inside = torch.is_grad_enabled()
            return x, y, log, inside, torch.is_grad_enabled()

    agree(M(), (X,))


def test_return_within_with():
    class M(nn.Module):
        def early(self, x: Tensor, log: List[int]) -> Tensor:
            with Scope(log):
                if bool(x.sum() > 0):
                    x = x * 2
            return x

        def forward(self, x: Tensor):
            log: List[int] = []
            return self.early(x, log), log

    agree(M(), (X,), (-X,))


# --- fork and wait -----------------------------------------------------------


def doubled(x: Tensor, k: int = 2) -> Tensor:
    return x * k


def test_fork_of_functions_methods_and_modules():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            f = torch.jit.fork(doubled, x)
            return torch.jit.wait(f) + self.calls

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def pair(self, x: Tensor, s: str) -> Tuple[Tensor, int]:
            return x + len(s), len(s)

        def forward(self, x: Tensor):
            a = torch.jit.fork(doubled, x, 3)
            b = torch.jit.fork(self.inner, x)
            c = torch.jit.fork(self.pair, x, s="abc")
            if bool(x.sum() > 0):
                d = torch.jit.fork(doubled, x - 1)
            else:
                d = torch.jit.fork(doubled, x + 1)
            t, n = torch.jit.wait(c)
            futures = [a, b, d]
            total = t * n
            for f in futures:
                total = total + f.wait()
            return total

    agree(M(), (X,), (-X,))


# --- enums, named tuples -----------------------------------------------------


class Mode(Enum):
    FAST = "fast"
    EXACT = "exact"


class Level(Enum):
    LOW = 1
    HIGH = 3


def by_level(x: Tensor, level: Level) -> Tensor:
    if level == Level.HIGH:
        return x * level.value
    return x


def test_enums():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.mode = Mode.EXACT
            self.level = Level.HIGH

        def forward(self, x: Tensor):
            x = by_level(x, self.level) + by_level(x, Level.LOW)
            n = 0
            for level in Level:
                n += level.value
            names = [m.name for m in [Mode.FAST, self.mode]]
            d: Dict[str, Level] = {"a": Level.LOW}
            if self.mode is Mode.EXACT and self.mode != Mode.FAST:
                x = x + 1
            return (x, n, names, self.mode.value == "exact", self.mode.name,
                    d["a"].value, d["a"] == self.level)

    agree(M(), (X,))


class State(NamedTuple):
    position: Tensor
    step: int = 0
    rate: float = 1.0
    label: str = "none"


def test_named_tuples():
    class M(nn.Module):
        def move(self, s: State) -> State:
            return State(s.position + s.rate, s.step + 1, label="moved")

        def forward(self, x: Tensor, n: int):
            s = State(x)
            for _ in range(3):
                s = self.move(s)
            states = [s, State(x, n, 0.5)]
            if n > 2:
                s = State(s.position * 2, n, 2.5, "moved")
            position, step, rate, label = s
            return (s, states, position, step, rate, label, s[1], s.label,
                    len(s), s.step == step)

    agree(M(), (X, 1), (X, 4))


# --- types -------------------------------------------------------------------


def described(v: Any) -> str:
    if isinstance(v, int):
        return "int"
    if isinstance(v, float):
        return "float"
    if isinstance(v, str):
        return "str:" + v
    if isinstance(v, Tensor):
        return "tensor"
    if isinstance(v, List[int]):
        return "ints"
    return "else"


def test_isinstance_and_any():
    class Plain(nn.Module):
        def forward(self, x: Tensor, n: int):
            return (described(1), described(2.5), described("a"),
                    described(x), described([1]), described([x]),
                    described(None), described(n), isinstance(x, Tensor))

    agree(Plain(), (X, 3))


def test_unions():
    class M(nn.Module):
        def grow(self, v: Union[int, Tensor]) -> Tensor:
            if isinstance(v, int):
                return torch.full((3,), float(v))
            return v * 2

        def forward(self, x: Tensor, n: int):
            return self.grow(x), self.grow(3), self.grow(n)

    agree(M(), (V, 5))


def test_optional_refinement():
    class M(nn.Module):
        shift: Optional[Tensor]

        def __init__(self):
            super().__init__()
            self.shift = None
            self.limit: Optional[int] = 3

        def pick(self, a: Optional[Tensor], b: Optional[float] = None):
            if a is None and b is None:
                return torch.zeros(3)
            elif a is None:
                assert b is not None
                return torch.full((3,), b)
            return a if b is None else a * b

        def forward(self, x: Tensor):
            first = self.shift is None
            if self.shift is None:
                self.shift = x * 0.5
            shift = self.shift
            assert shift is not None
            limit = self.limit
            n = limit if limit is not None else 0
            y = torch.jit._unwrap_optional(self.shift)
            return (first, x + shift, n, y, self.pick(None), self.pick(x),
                    self.pick(None, 2.0), self.pick(x, 0.5))

    agree(M(), (V,), (V * 2,), (V,))


def test_an_optional_that_the_data_decides_is_refused():
    class M(nn.Module):
        def forward(self, x: Tensor):
            y: Optional[Tensor] = None
            if bool(x.sum() > 0):
                y = x
            if y is not None:
                return y + 1
            return x

    text = refused(M(), V)
    assert "None" in text and "only the data decides" in text
    assert "test_language_objects.py:" in text


def test_annotations():
    class M(nn.Module):
        scale: torch.jit.Final[int]
        table: Dict[str, int]

        def __init__(self):
            super().__init__()
            self.scale = 4
            self.table = {"a": 1}
            self.names = torch.jit.Attribute(["a", "b"], List[str])

        def forward(self, x: Tensor):
            empty = torch.jit.annotate(List[Tensor], [])
            empty.append(x)
            self.table["b"] = self.table["a"] + self.scale
            total = 0
            for name in self.names:
                total += self.table[name]
            return empty, total, self.table

    agree(M(), (V,), (V,))


# --- modules and functions ---------------------------------------------------


class Options(nn.Module):
    def __init__(self, extra):
        super().__init__()
        self.rate = 0.5
        if extra:
            self.extra = nn.Linear(3, 3)

    @staticmethod
    def helper(x: Tensor, k: int = 3) -> Tensor:
        return x * k

    @property
    def double(self) -> float:
        return self.rate * 2

    def forward(self, x: Tensor, power: int = 2, shift: float = 0.0):
        if hasattr(self, "extra"):
            x = self.extra(x)
        if hasattr(self, "missing"):
            x = x + self.missing
        y = self.helper(x) + Options.helper(x, k=2) * getattr(self, "rate")
        if torch.jit.is_scripting():
            y = y + 1
        if not torch.jit.is_tracing() and not self.training:
            y = y * self.double
        return y ** power + shift


def test_attributes_static_methods_and_keywords():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = Options(True)
            self.b = Options(False)

        def forward(self, x: Tensor):
            return (self.a(x), self.b(x, power=3), self.b(x, shift=1.5),
                    self.a(shift=0.5, power=1, x=x))

    torch.manual_seed(0)
    agree(M(), (V,))
    agree(M().eval(), (V,))


def factorial(n: int) -> int:
    r = 1
    for i in range(2, n + 1):
        r *= i
    return r


def apply_twice(x: Tensor, n: int) -> Tensor:
    return doubled(doubled(x, n), factorial(n))


def test_functions_that_call_functions():
    agree(torch.jit.script(apply_twice), (X, 3), (X, 4))


def test_a_function_that_calls_itself_is_refused_by_pytorch_or_us():
    class M(nn.Module):
        def down(self, n: int) -> int:
            if n <= 0:
                return 0
            return n + self.down(n - 1)

        def forward(self, n: int):
            return self.down(n)

    try:
        torch.jit.script(M())
    except Exception as error:
        assert "recursive" in str(error)
        return
    assert "nest" in refused(M(), 3)


def test_devices_dtypes_and_layouts_are_values():
    class Plain(nn.Module):
        def forward(self, x: Tensor):
            device = torch.device("cpu")
            a = torch.ones(2, dtype=x.dtype, device=x.device)
            b = torch.ones(2, dtype=torch.int32)
            c = torch.zeros([2], dtype=torch.float64, device=device)
            if b.dtype == torch.int32 and x.dtype != torch.float64:
                c = c + 1
            if x.device == device and device.type == "cpu":
                c = c * 3
            if x.layout == torch.strided and x.is_floating_point():
                c = c - 0.5
            return a, b, c, x.is_cuda, x.requires_grad, c.is_complex(), \
                str(x.device)

    agree(Plain(), (X,))


def test_an_object_that_is_state():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair(1, 2)

        def forward(self, n: int):
            self.pair.a += n
            return self.pair.a, self.pair(2)

    try:
        script = torch.jit.script(M())
    except Exception:
        pytest.skip("TorchScript takes no such attribute")
    agree(script, (3,), (4,), (-9,))
