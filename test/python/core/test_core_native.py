# test_core_native.py - jit on the compiler
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What backend="evox" does beyond running the chain: state, random numbers,
kinds of arguments, errors."""

import copy
import pickle
from typing import Dict, List, Optional

import pytest
import torch
from torch.utils import _pytree as pytree

import evox_mlir
from evox_mlir.core import (
    BackendUnavailable,
    ModuleBase,
    Mutable,
    Parameter,
    jit,
    jit_class,
    set_default_backend,
    use_state,
    vmap,
)


@pytest.fixture(autouse=True)
def native():
    """What doesn't run natively is an error."""
    before = set_default_backend("evox")
    yield
    set_default_backend(before)


def same(a, b):
    xs, spec = pytree.tree_flatten(a)
    ys, other = pytree.tree_flatten(b)
    assert len(xs) == len(ys), (spec, other)
    for x, y in zip(xs, ys):
        torch.testing.assert_close(x, y)


# Random numbers -------------------------------------------------------------------


def draw(x: torch.Tensor, n: int):
    return torch.rand(n) + x, torch.randn(3), torch.randperm(n)


def test_draws_come_from_the_default_generator():
    """So do those that follow."""
    out = []
    for backend in ("evox", "torch"):
        f = jit(draw, backend=backend)
        torch.manual_seed(3)
        out.append([f(torch.ones(1), 17), torch.rand(5), f(torch.ones(1), 6), torch.randn(2)])
    for a, b in zip(*map(pytree.tree_leaves, out)):
        assert torch.equal(a, b)


def test_a_failed_call_draws_nothing():
    def f(x: torch.Tensor):
        y = torch.rand(3)
        assert bool((x > 0).all()), "x must be positive"
        return y

    g = jit(f)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with pytest.raises(evox_mlir.ProgramError, match="x must be positive"):
        g(-torch.ones(2))
    assert torch.equal(torch.get_rng_state(), before)


# Kinds of arguments -----------------------------------------------------------------


def test_specialises_per_shape_and_dtype():
    def f(x: torch.Tensor, k: int = 2):
        return x.sum() * k

    g = jit(f)
    for x in (torch.ones(3), torch.ones(4), torch.ones(2, 2), torch.ones(3, dtype=torch.float64)):
        assert g(x) == x.numel() * 2 and g(x, 5) == x.numel() * 5
        assert g(x).dtype == x.dtype
    # A number is an argument, not a constant: no program more.
    assert len(g._native.programs) == 4
    traced = jit(lambda x: x * 2, trace=True, example_inputs=(torch.ones(3),))
    assert traced(torch.ones(2, 2)).tolist() == [[2, 2], [2, 2]]


def test_a_number_that_decides_a_shape():
    def f(x: torch.Tensor, n: int):
        return x.repeat(n), torch.zeros(n, 2)

    g = jit(f)
    for n in (2, 3, 2):
        a, b = g(torch.ones(2), n)
        assert a.shape == (2 * n,) and b.shape == (n, 2)


def test_a_string_is_a_constant():
    def f(x: torch.Tensor, y: Optional[torch.Tensor] = None, mode: str = "add"):
        if y is None:
            return x
        if mode == "add":
            return x + y
        return x - y

    g, x = jit(f), torch.ones(2)
    assert g(x).tolist() == [1, 1] and g(x, x).tolist() == [2, 2]
    assert g(x, x, "sub").tolist() == [0, 0] and g(x, mode="sub").tolist() == [1, 1]


def test_trees_in_and_out():
    def f(d: Dict[str, torch.Tensor], xs: List[torch.Tensor], k: int):
        return {"a": d["p"] + xs[0]}, [xs[1] * k, (d["q"], k + 1)]

    g = jit(f)
    args = {"p": torch.ones(2), "q": torch.zeros(3)}, [torch.ones(2), torch.ones(1)], 4
    out = g(*args)
    assert out[0]["a"].tolist() == [2, 2] and out[1][0].tolist() == [4]
    assert out[1][1][0].shape == (3,) and out[1][1][1] == 5


def test_strided_arguments_and_a_result_that_stays():
    def f(x: torch.Tensor):
        return x * 2

    g = jit(f)
    x = torch.arange(12.0).reshape(3, 4)
    first = g(x.t())
    second = g(-x.t())
    assert torch.equal(first, x.t() * 2) and torch.equal(second, -first)


def test_what_is_refused_says_why():
    def writes(x: torch.Tensor):
        y = x[0]
        y.add_(1)
        return x

    with pytest.raises(BackendUnavailable, match="'x' in place.*test_core_native.py"):
        jit(writes)(torch.ones(2))
    with pytest.raises(BackendUnavailable, match="device meta"):
        jit(lambda x: x, trace=True, lazy=True)(torch.ones(2, device="meta"))
    before = set_default_backend(None)
    try:
        f, x = jit(writes), torch.zeros(2)
        assert f(x) is not None and x.tolist() == [1, 0]
        assert f.backend == "torch" and "in place" in f.backend_reason
    finally:
        set_default_backend(before)


def test_in_place_on_what_is_no_argument_is_fine():
    def f(x: torch.Tensor, n: int):
        y = x.clone()
        for i in range(2):
            z = y.view(-1)
            z[i] += n
            y = y.contiguous()
        return y

    x = torch.zeros(3)
    assert jit(f)(x, 2).tolist() == [2, 2, 0] and x.tolist() == [0, 0, 0]


# State ------------------------------------------------------------------------------


@jit_class
class Model(ModuleBase):
    history: List[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.scale = Parameter(2.0)
        self.x = Mutable(torch.zeros(3))
        self.other = Mutable(torch.zeros(2))
        self.steps = 0
        self.name = "a"
        self.table = torch.ones(3)
        self.history = []

    def step(self, y: torch.Tensor):
        self.steps += 1
        self.x = self.x + self.scale * y * self.table
        self.history.append(self.x)
        return self.x.sum()

    def size(self):
        return len(self.history)

    def first(self, y: torch.Tensor):
        self.history.append(y)
        return self.history[0]

    def grow(self):
        self.x = torch.cat([self.x, self.x])

    def named(self, y: torch.Tensor):
        if self.name == "a":
            return y
        return -y


def test_state_lives_in_python():
    m, y = Model(), torch.ones(3)
    other = m.other
    assert m.step(y) == 6 and m.step(y) == 12 and m.step.backend == "evox"
    assert m.x.tolist() == [4, 4, 4] and m.steps == 2 and isinstance(m.steps, int)
    assert [h.tolist() for h in m.history] == [[2, 2, 2], [4, 4, 4]]
    assert m.other is other  # what isn't written stays the same tensor
    # What Python changes, native code sees.
    m.x, m.steps = torch.zeros(3), 10
    m.scale.data.fill_(1.0)
    m.x[0] = 5.0
    assert m.step(y) == 8 and m.steps == 11 and len(m.history) == 3
    m.scale = torch.nn.Parameter(torch.tensor(3.0), requires_grad=False)
    m.table = torch.tensor([1.0, 0.0, 0.0])
    assert m.step(y) == 11
    m.table[1] = 1.0  # a constant of the program, written in place
    assert m.step(y) == 17
    m.name = "b"
    assert m.named(y).tolist() == [-1, -1, -1]
    m.name = "a"
    assert m.named(y).tolist() == [1, 1, 1]


def test_state_that_changes_its_shape():
    m = Model()
    m.grow()
    m.grow()
    assert m.x.shape == (12,) and m.grow.backend == "evox"
    m.x = torch.zeros(3)
    m.table = torch.ones(3)
    assert m.step(torch.ones(3)) == 6


def test_in_place_writes_go_to_the_tensor_itself():
    class Learner(ModuleBase):
        def __init__(self):
            super().__init__()
            self.w = Parameter(torch.zeros(3))
            self.x = Mutable(torch.zeros(3))
            self.y = Mutable(torch.zeros(3))

        def step(self, g: torch.Tensor):
            self.w.sub_(g)
            self.x[0] = 1.0
            self.y = self.y + g

    m = Learner()
    w, x, y = m.w, m.x, m.y
    f = jit(m.step)
    for _ in range(2):
        f(torch.ones(3))
    assert m.w is w and w.tolist() == [-2, -2, -2] and isinstance(w, torch.nn.Parameter)
    assert m.x is x and x.tolist() == [1, 0, 0]
    assert m.y is not y and m.y.tolist() == [2, 2, 2] and y.tolist() == [0, 0, 0]
    pure = use_state(m.step)
    state = pure.init_state()
    new = jit(pure)(state, torch.ones(3))
    assert state["self.w"].tolist() == [-2, -2, -2] and new["self.w"].tolist() == [-3, -3, -3]


def test_objects_do_not_share_state():
    a = Model()
    a.step(torch.ones(3))
    b, c = copy.deepcopy(a), pickle.loads(pickle.dumps(a.state_dict()))
    b.step(torch.ones(3))
    assert a.x.tolist() == [2, 2, 2] and b.x.tolist() == [4, 4, 4]
    assert c["x"].tolist() == [2, 2, 2]


def test_a_method_falls_back_alone():
    m = Model()
    before = set_default_backend(None)
    try:
        y = torch.ones(3)
        m.step(y)
        assert m.first(y).tolist() == [2, 2, 2] and m.step(y) == 12 and m.size() == 3
        assert m.step.backend == "evox" and m.first.backend == "torch"
        assert "history" in m.first.backend_reason
    finally:
        set_default_backend(before)


def test_scripted_use_state_is_pure():
    m, y = Model(), torch.ones(3)
    f = jit(use_state(m.step))
    state = f.init_state()
    new, out = f(state, y)
    new, out = f(new, y)
    assert out == 12 and new["self.x"].tolist() == [4, 4, 4]
    assert m.x.tolist() == [0, 0, 0] and state["self.x"].tolist() == [0, 0, 0]
    assert new["self.other"] is state["self.other"]
    with pytest.raises(KeyError, match="self.x"):
        f({"self.scale": torch.ones(())}, y)


# Chains -----------------------------------------------------------------------------


class Walk(ModuleBase):
    def __init__(self):
        super().__init__()
        self.w = Parameter([1.0, 2.0, 3.0])
        self.x = Mutable(torch.zeros(3))

    def step(self, y: torch.Tensor):
        self.x = self.x + self.w * y
        return {"sum": self.x.sum(), "y": y}

    def draw(self):
        self.x = self.x + torch.randn(3)

    def until(self, limit: torch.Tensor):
        n = torch.zeros((), dtype=torch.int64)
        while bool(self.x.abs().sum() < limit):
            self.x = self.x + 0.5
            n = n + 1
        return n


TRACE = pytest.mark.parametrize("trace", [False, True], ids=["script", "trace"])


@TRACE
def test_dims_of_state_and_results(trace):
    walk = Walk()
    f = use_state(walk.step)
    y = torch.randn(3, 5)
    cases = [
        vmap(f, in_dims=({"self.w": None, "self.x": 0}, 1)),
        vmap(f, in_dims=(0, 1), out_dims=0),
        vmap(f, in_dims=({"self.w": None, "self.x": 1}, 1), out_dims=(0, {"sum": 0, "y": 1})),
        vmap(f, in_dims=(None, 1)),
        vmap(f, in_dims=({"self.w": None, "self.x": 0}, -1), chunk_size=2),
    ]
    for many in cases:
        state = many.init_state(5)
        same(jit(many, trace=trace, lazy=True)(state, y), many(state, y))


@TRACE
def test_vmap_of_vmap_and_use_state_of_vmap(trace):
    walk = Walk()
    many = vmap(vmap(use_state(walk.step)))
    state, y = many.init_state((2, 4)), torch.randn(2, 4, 3)
    same(jit(many, trace=trace, lazy=True)(state, y), many(state, y))

    class Reader(Walk):
        def read(self, y: torch.Tensor, z: torch.Tensor):
            return self.x * y + z, z

    reader = Reader()
    inner = use_state(vmap(reader.read, in_dims=(0, None), out_dims=(0, None)))
    state, y, z = inner.init_state(), torch.randn(4, 3), torch.randn(3)
    same(jit(inner, trace=trace, lazy=True)(state, y, z), inner(state, y, z))
    outer = vmap(inner, in_dims=(0, 0, None), out_dims=(0, (0, None)))
    args = outer.init_state(2), torch.randn(2, 4, 3), torch.randn(3)
    same(jit(outer, trace=trace, lazy=True)(*args), outer(*args))


@TRACE
@pytest.mark.parametrize("randomness", ["different", "same"])
def test_draws_under_vmap(trace, randomness):
    walk = Walk()
    many = vmap(use_state(walk.draw), randomness=randomness)
    state = many.init_state(6)
    torch.manual_seed(1)
    expected, follow = many(state), torch.rand(3)
    torch.manual_seed(1)
    got = jit(many, trace=trace, lazy=True)(state)
    assert torch.equal(torch.rand(3), follow)
    for k in expected:
        assert torch.equal(got[k], expected[k])


@TRACE
def test_state_written_in_place(trace):
    class Writer(ModuleBase):
        def __init__(self):
            super().__init__()
            self.x = Mutable(torch.zeros(3))
            self.k = Mutable(torch.ones(3))

        def step(self, y: torch.Tensor):
            self.x[1:] += y[:2]
            self.x.view(-1)[0] = self.k[0]

    f = use_state(Writer().step)
    for fn, sizes in ((f, ()), (vmap(f), (4,))):
        state = fn.init_state(*sizes)
        y = torch.randn(*sizes, 3)
        got = jit(fn, trace=trace, lazy=True)(state, y)
        assert not state["self.x"].any()  # pure, where the eager call isn't
        same(got, fn({k: v.clone() for k, v in state.items()}, y))


def test_control_flow_survives():
    walk = Walk()
    limits = torch.tensor([0.0, 3.0, 7.0, 2.0])
    many = vmap(use_state(walk.until))
    state = many.init_state(4)
    loop = vmap(use_state(walk.until), strategy="lanes")
    same(jit(many)(state, limits), loop(state, limits))
    assert jit(many)(state, limits)[1].tolist() == [0, 2, 5, 2]
    # A plain function, as well.
    def f(x: torch.Tensor):
        while bool(x.sum() < 10):
            x = x * 2
        return x

    x = torch.rand(5, 3) + 0.1
    same(jit(vmap(f))(x), vmap(f, strategy="lanes")(x))


# Errors -----------------------------------------------------------------------------


@TRACE
def test_errors_name_the_argument(trace):
    def f(x: torch.Tensor, y: torch.Tensor):
        return x + y

    def run(*args, **kwargs):
        return jit(vmap(f, **kwargs), trace=trace, lazy=True)(*args)

    with pytest.raises(ValueError, match="x has 2 lanes but y has 3"):
        run(torch.ones(2, 3), torch.ones(3, 3))
    with pytest.raises(ValueError, match="in_dims of y is .*mirror"):
        run(torch.ones(2), torch.ones(2), in_dims=(0, {"a": 0}))
    with pytest.raises(ValueError, match="in_dims has 3 entries for 2 arguments"):
        run(torch.ones(2), torch.ones(2), in_dims=(0, 0, 0))
    with pytest.raises(ValueError, match="gives y the dimension 1"):
        run(torch.ones(2), torch.ones(2), in_dims=(0, 1))


@TRACE
def test_a_draw_under_randomness_error(trace):
    many = vmap(use_state(Walk().draw), randomness="error")
    with pytest.raises(RuntimeError, match="(?s)randomness.*error|random"):
        jit(many, trace=trace, lazy=True)(many.init_state(3))


@TRACE
def test_state_that_lanes_share_is_not_written(trace):
    walk = Walk()
    with pytest.raises((RuntimeError, NotImplementedError), match="x"):
        jit(vmap(walk.step), trace=trace, lazy=True)(torch.ones(4, 3))
    assert walk.x.tolist() == [0, 0, 0]


def test_an_in_place_write_on_an_unbatched_value():
    """PyTorch refuses what one lane after the other could do; native code does
    it. What all lanes share from outside can't be written."""

    def f(x: torch.Tensor):
        y = torch.zeros(3)
        y[1:3] = x[:2]
        return y

    x = torch.rand(2, 3)
    with pytest.raises(RuntimeError, match="vmap: inplace arithmetic"):
        vmap(f)(x)
    same(jit(vmap(f))(x), vmap(f, strategy="lanes")(x))

    def g(x: torch.Tensor, y: torch.Tensor):
        y.add_(x)
        return y

    y = torch.zeros(3)
    for trace in (False, True):
        many = vmap(g, in_dims=(0, None))
        with pytest.raises(BackendUnavailable, match=r"in place.*test_core_native.py:\d+"):
            jit(many, trace=trace, lazy=True)(x, y)
        with pytest.raises(RuntimeError, match="y, which all lanes share|shape"):
            many(x, y)
    assert y.tolist() == [0, 0, 0]


def test_a_while_whose_types_change():
    def f(x: torch.Tensor):
        while bool(x.sum() < 10):
            x = torch.cat([x, x])
        return x

    def g(x: torch.Tensor):
        y = x
        while bool(y.sum() < 10):
            y = y.to(torch.float64) + 1
        return y

    for fn in (g,):
        with pytest.raises(BackendUnavailable, match="test_core_native.py"):
            jit(fn)(torch.ones(2))
    try:
        assert jit(f)(torch.ones(2)).shape == (16,)
    except BackendUnavailable as e:
        assert "test_core_native.py" in str(e)
