# test_core_control_flow.py - branches and loops on data
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each program runs plain, under vmap, traced, and traced under vmap; the
judge is plain Python, one lane at a time."""

import pytest
import torch

from evox_mlir.core import (
    ModuleBase,
    Mutable,
    TracingCond,
    TracingSwitch,
    TracingWhile,
    jit,
    use_state,
    vmap,
)


class Programs(ModuleBase):
    """Methods with Python control flow, and their twins with ours."""

    def __init__(self):
        super().__init__()
        self.q = Mutable(torch.zeros(2))
        self.count = Mutable(torch.zeros((), dtype=torch.int64))

    # if, with state changed in one branch

    def bump(self, x, y):
        self.q = self.q + x
        self.count = self.count + 1
        return x + y

    def cond_python(self, x, y):
        scale = x * 3
        if x.sum() > 0:
            return self.bump(x, y)
        return x * y * scale

    def cond_ours(self, x, y):
        scale = x * 3

        def other(x, y):
            return x * y * scale

        state, keys = self.prepare_control_flow(self.bump, other)
        state, out = TracingCond(self.bump, other).cond(state, x.sum() > 0, x, y)
        assert set(self.after_control_flow(state, *keys)) == {"scale"}
        return out

    # if, without a word about state

    def implicit_ours(self, x, y):
        scale = x * 3
        return TracingCond(self.bump, lambda x, y: x * y * scale).cond(
            x.sum() > 0, x, y
        )

    implicit_python = cond_python

    # switch with three branches, in-place writes among them

    def zero(self, x, y):
        self.q.add_(1)  # in place
        return x * 2

    def one(self, x, y):
        x += y  # in place, on an argument
        return x

    def index(self, x):
        return (x.sum().abs() % 3).to(torch.int64)

    def switch_python(self, x, y):
        x, i = x.clone(), self.index(x)
        self.q = self.q.clone()
        return [self.zero, self.one, self.bump][int(i)](x, y)

    def switch_ours(self, x, y):
        x, i = x.clone(), self.index(x)
        self.q = self.q.clone()
        branches = (self.zero, self.one, self.bump)
        state, keys = self.prepare_control_flow(*branches)
        state, out = TracingSwitch(*branches).switch(state, i, x, y)
        self.after_control_flow(state, *keys)
        return out

    # while, with state changed in body and condition

    def more(self, x, y):
        self.count = self.count + 1
        return x.sum().abs() < 50

    def body(self, x, y):
        self.q = self.q + y
        return x * 2 + y, y + 1

    def while_python(self, x, y):
        while self.more(x, y):
            x, y = self.body(x, y)
        return x - y

    def while_ours(self, x, y):
        state, keys = self.prepare_control_flow(self.more, self.body)
        state, (x, y) = TracingWhile(self.more, self.body).loop(state, x, y)
        self.after_control_flow(state, *keys)
        return x - y

    # a while in a branch of a cond in a while

    def nested_python(self, x, y):
        n = torch.zeros(())
        while n < 4:
            if (x + n).sum() > 1:
                while y.sum() < 20:
                    y = y * 2 + 1
                    self.count = self.count + 1
            else:
                x = x + 0.5
            n = n + 1
        return x * y

    def nested_ours(self, x, y):
        def grow(y):
            self.count = self.count + 1
            return (y * 2 + 1,)

        def yes(x, y):
            return x, *TracingWhile(lambda y: y.sum() < 20, grow).loop(y)

        def body(n, x, y):
            pick = TracingCond(yes, lambda x, y: (x + 0.5, y))
            return n + 1, *pick.cond((x + n).sum() > 1, x, y)

        _, x, y = TracingWhile(lambda n, x, y: n < 4, body).loop(
            torch.zeros(()), x, y
        )
        return x * y


NAMES = ("cond", "implicit", "switch", "while", "nested")
X = torch.tensor([[1.0, 2.0], [-1.0, -3.0], [0.25, 0.0], [-0.5, 2.0], [3.0, 2.0]])
Y = torch.tensor([[1.0, 1.0], [0.5, 2.0], [2.0, 0.0], [1.5, 1.0], [4.0, 4.0]])


def judge(name, x, y):
    fn = use_state(getattr(Programs(), name + "_python"))
    return fn(fn.init_state(), x.clone(), y.clone())


def check(state, out, expected):
    assert torch.equal(out, expected[1])
    assert state.keys() == expected[0].keys()
    for k, v in expected[0].items():
        assert torch.equal(state[k], v), k


@pytest.mark.parametrize("name", NAMES)
def test_plain(name):
    for x, y in zip(X, Y):
        fn = use_state(getattr(Programs(), name + "_ours"))
        check(*fn(fn.init_state(), x.clone(), y.clone()), judge(name, x, y))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strategy", ["mask", "lanes"])
def test_vmap(name, strategy):
    fn = vmap(use_state(getattr(Programs(), name + "_ours")), strategy=strategy)
    state, out = fn(fn.init_state(5), X.clone(), Y.clone())
    for i in range(5):
        check({k: v[i] for k, v in state.items()}, out[i], judge(name, X[i], Y[i]))


@pytest.mark.parametrize("name", NAMES)
def test_vmap_of_vmap(name):
    fn = vmap(vmap(use_state(getattr(Programs(), name + "_ours"))))
    x, y = torch.stack([X, X.flip(0)]), torch.stack([Y, Y])
    state, out = fn(fn.init_state((2, 5)), x.clone(), y.clone())
    for i in range(2):
        for j in range(5):
            one = {k: v[i, j] for k, v in state.items()}
            check(one, out[i, j], judge(name, x[i, j], y[i, j]))


@pytest.mark.parametrize("name", NAMES)
def test_vmap_of_plain_python_by_lanes(name):
    fn = vmap(use_state(getattr(Programs(), name + "_python")), strategy="lanes")
    state, out = fn(fn.init_state(5), X.clone(), Y.clone())
    for i in range(5):
        check({k: v[i] for k, v in state.items()}, out[i], judge(name, X[i], Y[i]))


@pytest.mark.parametrize("name", NAMES)
def test_trace(name):
    fn = use_state(getattr(Programs(), name + "_ours"))
    traced = jit(
        fn, trace=True, backend="torch", example_inputs=(fn.init_state(), X[0], Y[0])
    )
    for x, y in zip(X, Y):
        check(*traced(fn.init_state(), x.clone(), y.clone()), judge(name, x, y))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("levels", [1, 2])
def test_trace_of_vmap(name, levels):
    fn = use_state(getattr(Programs(), name + "_ours"))
    sizes, x, y = 5, X, Y
    fn = vmap(fn)
    if levels == 2:
        fn, sizes = vmap(fn), (2, 5)
        x, y = torch.stack([X, X.flip(0)]), torch.stack([Y, Y])
    traced = jit(
        fn,
        trace=True,
        backend="torch",
        example_inputs=(fn.init_state(sizes), torch.zeros_like(x), y),
    )
    state, out = traced(fn.init_state(sizes), x.clone(), y.clone())
    flat_x, flat_y = x.reshape(-1, 2), y.reshape(-1, 2)
    flat_out = out.reshape(-1, 2)
    states = {k: v.flatten(0, levels - 1) for k, v in state.items()}
    for i in range(len(flat_x)):
        one = {k: v[i] for k, v in states.items()}
        check(one, flat_out[i], judge(name, flat_x[i], flat_y[i]))


# Draws --------------------------------------------------------------------------


def test_a_branch_that_no_lane_takes_draws_nothing():
    def draws(x):
        return x + torch.rand(())

    pick = TracingCond(draws, lambda x: x)
    torch.manual_seed(0)
    vmap(lambda x: pick.cond(x > 10, x))(torch.ones(4))
    a = torch.rand(1)
    torch.manual_seed(0)
    assert a == torch.rand(1)
    with pytest.raises(RuntimeError, match="random"):
        vmap(lambda x: pick.cond(x > 0, x), randomness="error")(torch.ones(4))


# Results ------------------------------------------------------------------------


def test_results():
    x = torch.ones(2)
    yes = torch.tensor(True)
    assert TracingCond(lambda x: x + 1, lambda x: x - 1).cond(yes, x).tolist() == [2, 2]
    assert TracingCond(lambda x: x + 1, lambda x: x - 1).cond(False, x).tolist() == [0, 0]
    assert TracingCond(lambda x: x + 1, lambda x: x).cond(torch.tensor([2]), x).sum() == 4
    assert TracingCond(lambda x: None, lambda x: None).cond(yes, x) is None
    out = TracingCond(lambda x: {"a": [x, (x,)]}, lambda x: {"a": [x, (x,)]})
    assert torch.vmap(lambda c, x: out.cond(c, x))(torch.tensor([True, False]), torch.ones(2))["a"][1][0].shape == (2,)
    switch = TracingSwitch(lambda x: x + 1, lambda x: x - 1, lambda x: x * 5)
    assert switch.switch(2, x).tolist() == [5, 5]
    assert torch.vmap(switch.switch)(torch.tensor([0, 1, 2]), torch.ones(3)).tolist() == [2, 0, 5]
    loop = TracingWhile(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2))
    assert loop.loop(torch.tensor(0), x)[1].tolist() == [8, 8]
    single = TracingWhile(lambda x: x.sum() < 30, lambda x: x * 2)
    (out,) = single.loop(x)
    assert out.tolist() == [16, 16]
    assert torch.vmap(single.loop)(torch.ones(2, 2))[0].tolist() == [[16, 16]] * 2


def test_none_result_in_stateful_mode_gives_the_state():
    class M(ModuleBase):
        def __init__(self):
            super().__init__()
            self.n = Mutable(torch.zeros(()))

        def up(self, x):
            self.n = self.n + x

        def run(self, x):
            state, keys = self.prepare_control_flow(self.up)
            state = TracingCond(self.up, lambda x: None).cond(state, x > 0, x)
            assert self.after_control_flow(state, *keys) == {}

    m = M()
    m.run(torch.tensor(2.0))
    m.run(torch.tensor(-2.0))
    assert m.n == 2
    fn = vmap(use_state(m.run))
    assert fn(fn.init_state(2), torch.tensor([1.0, -1.0]))["self.n"].tolist() == [3, 2]


def test_wider_dtype_is_common():
    pick = TracingCond(lambda x: x.to(torch.int64), lambda x: x.to(torch.int32))
    out = vmap(lambda x: pick.cond(x > 0, x))(torch.tensor([1.0, -1.0]))
    assert out.dtype == torch.int64 and out.tolist() == [1, -1]
    traced = jit(lambda x: pick.cond(x > 0, x), trace=True, example_inputs=(torch.ones(()),))
    assert traced(-torch.ones(())).dtype == torch.int64


# Nonlocals are read-only --------------------------------------------------------


class Writes(ModuleBase):
    def __init__(self):
        super().__init__()
        self.q = Mutable(torch.ones(2))

    def keep(self, x):
        return x

    def run(self, kind, x, by_hand=False):
        local = x * 3
        view = local[:1]

        def rebinds(x):
            nonlocal local
            local = local * 2
            return x * local

        def in_place(x):
            local.mul_(2)
            return x * local

        def through_view(x):
            view.fill_(7)
            return x * local

        def item(x):
            local[0] = 7
            return x * local

        def augmented(x):
            nonlocal local
            local *= 1.5
            return x * local

        def reads(x):
            return x * local

        fn = locals()[kind]
        state, keys = self.prepare_control_flow(self.keep, fn)
        if by_hand:
            out = fn(x)
        else:
            state, out = TracingCond(fn, self.keep).cond(state, x.sum() > 0, x)
        self.after_control_flow(state, *keys)
        return out


KINDS = ["rebinds", "in_place", "through_view", "item", "augmented"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_hand", [False, True])
def test_write_to_a_nonlocal_is_raised(kind, by_hand):
    x = torch.ones(2)
    with pytest.raises(RuntimeError, match="'(local|view)' was (rebound|written in place)"):
        Writes().run(kind, x, by_hand)
    if not by_hand:
        with pytest.raises(RuntimeError, match=kind):  # names the function
            Writes().run(kind, x)
        assert torch.equal(Writes().run(kind, -x), -x)  # not taken
    assert Writes().run("reads", x, by_hand).tolist() == [3, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_write_to_a_nonlocal_is_raised_under_vmap_and_trace(kind):
    m = Writes()
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    with pytest.raises(RuntimeError, match="'(local|view)' was"):
        vmap(lambda x: m.run(kind, x))(x)
    with pytest.raises(RuntimeError, match="'(local|view)' was"):
        torch.jit.trace(lambda x: m.run(kind, x), (x[1],), check_trace=False)


def test_write_is_seen_in_inference_mode():
    with torch.inference_mode():
        with pytest.raises(RuntimeError, match="'local' was written in place"):
            Writes().run("in_place", torch.ones(2))


def test_write_in_a_loop_is_raised():
    total = torch.zeros(())

    def body(i):
        total.add_(i)
        return i + 1

    with pytest.raises(RuntimeError, match="'total' was written in place"):
        TracingWhile(lambda i: i < 3, body).loop(torch.zeros(()))


# prepare_control_flow -----------------------------------------------------------


def global_function(x):
    return x


def test_prepare_arguments():
    m, other = Writes(), Writes()
    state, (keys, nonlocals) = m.prepare_control_flow(m.keep, global_function)
    assert keys == ["self.q"] and nonlocals == [] and state["self.q"] is m.q
    state, _ = m.prepare_control_flow(keep_vars=False)
    assert list(state) == ["self.q"]
    for bad in (other.keep, torch.sin, 3, len):
        with pytest.raises(AssertionError, match="prepare_control_flow"):
            m.prepare_control_flow(bad)
    with pytest.raises(KeyError, match="self.q"):
        m.after_control_flow({}, ["self.q"], [])
    with pytest.raises(KeyError, match="self.zz"):
        m.after_control_flow({"self.zz": torch.ones(1)}, ["self.zz"], [])


# Errors -------------------------------------------------------------------------


def test_errors():
    x = torch.ones(2)
    with pytest.raises(AssertionError, match="2 branches"):
        TracingSwitch(lambda x: x)
    with pytest.raises(TypeError, match="functions"):
        TracingCond(lambda x: x, 3)
    with pytest.raises(TypeError, match="argument 0 must be a tensor"):
        TracingCond(lambda x: x, lambda x: x).cond(True, 3)
    with pytest.raises(ValueError, match="one value per lane"):
        TracingCond(lambda x: x, lambda x: x).cond(x > 0, x)
    for i in (3, -1):
        with pytest.raises(IndexError, match=f"index {i} is out of range"):
            TracingSwitch(lambda x: x, lambda x: x).switch(torch.tensor(i), x)
    both = vmap(lambda x: TracingCond(lambda x: x, lambda x: x > 0).cond(x > 0, x))
    with pytest.raises(TypeError, match=r"result 0 is float32\[\] .* bool\[\]"):
        both(torch.tensor([1.0, -1.0]))
    both = vmap(lambda x: TracingCond(lambda x: (x, x), lambda x: x).cond(x > 0, x))
    with pytest.raises(TypeError, match="structures"):
        both(torch.tensor([1.0, -1.0]))
    strict = TracingCond(global_function, global_function, stateful_functions=True)
    with pytest.raises(TypeError, match="prepare_control_flow"):
        strict.cond(torch.tensor(True), x)
    assert strict.cond({}, torch.tensor(True), x) == ({}, x)
    m = Writes()
    with pytest.raises(KeyError, match="self.q"):
        TracingCond(m.keep, m.keep).cond({}, torch.tensor(True), x)


@pytest.mark.parametrize(
    "body, text",
    [
        (lambda i, x: (i + 1, x.repeat(2)), r"changes 'x' from float32\[2\] to float32\[4\]"),
        (lambda i, x: (i + 1.5, x), r"changes 'i' from int64\[\] to float32\[\]"),
        (lambda i, x: (i + 1,), "as many values as it takes, 2, got 1"),
        (lambda i, x: (i + 1, 3), "must return tensors, got int"),
    ],
)
def test_while_carried_types(body, text):
    loop = TracingWhile(lambda i, x: i < 3, body)
    with pytest.raises(TypeError, match=text):
        loop.loop(torch.tensor(0), torch.ones(2))
    with pytest.raises(TypeError, match=text):
        vmap(loop.loop)(torch.zeros(2, dtype=torch.int64), torch.ones(2, 2))
    with pytest.raises(TypeError, match=text):
        torch.jit.trace(loop.loop, (torch.tensor(0), torch.ones(2)), check_trace=False)


def test_while_condition():
    with pytest.raises(TypeError, match=r"one value, got shape \[2\]"):
        TracingWhile(lambda x: x > 0, lambda x: x).loop(torch.ones(2))
