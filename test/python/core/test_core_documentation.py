# test_core_documentation.py - the examples of EvoX 1.0's evox.core.module
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each example of the documentation runs as printed.

Printed slips are mended, and bodies that are left out ("pass", "...") are
filled in; comments say where. Each runs with both backends: with "evox", what
does not run natively is an error.
"""

import types
from functools import partial

import pytest
import torch
from torch import nn

from evox_mlir.core import (
    ModuleBase,
    Mutable,
    TracingSwitch,
    assign_load_state_dict,
    jit,
    jit_class,
    set_default_backend,
    trace_impl,
    use_state,
    vmap,
)
from evox_mlir.core.module import (
    is_trace_caching_state,
    is_using_state,
    trace_caching_state_context,
    tracing_or_using_state,
    use_state_context,
)


@pytest.fixture(params=["torch", "evox"], autouse=True)
def backend(request):
    before = set_default_backend(request.param)
    yield request.param
    set_default_backend(before)


# assign_load_state_dict ---------------------------------------------------------


def test_assign_load_state_dict():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    model.load_state_dict = types.MethodType(assign_load_state_dict, model)
    vmap_forward = vmap(use_state(model.forward))
    x = torch.rand(13, 5, 4)
    jit_forward = jit(
        vmap_forward, trace=True, example_inputs=(vmap_forward.init_state(), x)
    )  # JIT trace forward pass of the model

    state = vmap_forward.init_state()
    assert state["self.0.weight"].shape == (13, 8, 4)
    assert isinstance(state["self.0.weight"], nn.Parameter)
    state = {k: torch.randn_like(v) for k, v in state.items()}
    new_state, y = jit_forward(state, x)
    assert y.shape == (13, 5, 2)
    for lane in range(13):
        one = {k.removeprefix("self."): v[lane] for k, v in state.items()}
        # Products of one lane and of all are summed in different orders.
        expected = torch.func.functional_call(model, one, x[lane])
        assert torch.allclose(y[lane], expected, rtol=1e-5, atol=1e-6)
    assert all(torch.equal(new_state[k], v) for k, v in state.items())


# ModuleBase ---------------------------------------------------------------------


@jit
def func(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x * y  # printed: pass


def test_module_base_static_function(backend):
    assert torch.equal(func(torch.full((2,), 3.0), torch.ones(2)), torch.full((2,), 3.0))
    assert func.backend == backend
    assert isinstance(func.script_function, torch.jit.ScriptFunction)


class ExampleModule(ModuleBase):
    def __init__(self, threshold: float = 0.5):  # not printed
        super().__init__()
        self.threshold = threshold

    def setup(self, mut: torch.Tensor):
        self.add_mutable("mut", mut)
        # or self.mut = Mutable(mut)
        return self

    @partial(jit, trace=False)
    def static_func(x: torch.Tensor, threshold: float) -> torch.Tensor:
        if x.flatten()[0] > threshold:
            return torch.sin(x)
        else:
            return torch.tan(x)

    @jit
    def jit_func(self, p: torch.Tensor) -> torch.Tensor:
        x = ExampleModule.static_func(p, self.threshold)
        self.mut = self.mut + x  # printed: ...
        return x


@pytest.mark.parametrize("value, expected", [(0.7, torch.sin), (0.3, torch.tan)])
def test_module_base_threshold(value, expected):
    m = ExampleModule()
    assert m.setup(torch.zeros(2)) is m
    p = torch.full((2,), value)
    # Native sin and tan may differ from PyTorch's by an ulp.
    close = torch.testing.assert_close
    close(ExampleModule.static_func(p, 0.5), expected(p))
    close(m.jit_func(p), expected(p))
    close(m.mut, expected(p))
    m.threshold = 1.0 - m.threshold + 0.4  # 0.9: seen by compiled code
    close(m.jit_func(p), torch.tan(p))
    # In a trace, the scripted function keeps its branch.
    traced = jit(use_state(m.jit_func), trace=True, lazy=True)
    traced(use_state(m.jit_func).init_state(), torch.full((2,), 0.1))
    _, y = traced(use_state(m.jit_func).init_state(), torch.full((2,), 0.95))
    close(y, torch.sin(torch.full((2,), 0.95)))


def test_module_base_jit_class(backend):
    calls = []

    @jit_class
    class ExampleModule(ModuleBase):
        # This function will be automatically JIT
        def func1(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1  # printed: pass

        # Use `torch.jit.ignore` to disable JIT and leave this function as
        # Python callback
        @torch.jit.ignore
        def func2(self, x: torch.Tensor) -> torch.Tensor:
            # you can implement pure Python logic here
            calls.append(x.tolist())
            return x * 2

        # JIT functions can invoke other JIT functions as well as non-JIT
        # functions
        def func3(self, x: torch.Tensor) -> torch.Tensor:
            y = self.func1(x)
            z = self.func2(x)
            return y + z

    m = ExampleModule()
    assert torch.equal(m.func3(torch.ones(2)), torch.full((2,), 4.0))
    # Before, it was asked with zeros what it returns.
    assert [c for c in calls if any(c)] == [[1.0, 1.0]]
    assert torch.equal(m.func1(torch.ones(2)), torch.full((2,), 2.0))
    assert m.func1.backend == backend and m.func3.backend == backend
    # Where nothing was asked for, it isn't called in vain.
    set_default_backend(None)
    calls.clear()
    m = ExampleModule()
    assert torch.equal(m.func3(torch.ones(2)), torch.full((2,), 4.0))
    assert m.func3.backend == "torch" and "func2" in m.func3.backend_reason
    assert calls == [[1.0, 1.0]]
    assert torch.equal(m.func2(torch.ones(1)), torch.full((1,), 2.0))
    script = m.__script_module__()
    assert isinstance(script.func1, torch.ScriptMethod)
    assert isinstance(script.func3, torch.ScriptMethod)
    assert not isinstance(script.func2, torch.ScriptMethod)


# prepare_control_flow -----------------------------------------------------------


@jit_class
class ControlFlowModule(ModuleBase):  # printed: def ExampleModule(ModuleBase)
    # define the normal `__init__` and `test` functions, etc.
    def __init__(self):
        super().__init__()
        self.q = Mutable(torch.zeros(2))

    def true_branch(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.q = self.q * 3
        return x + y

    def test(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.q = self.q + 1
        local_q = self.q * 2
        if x.flatten()[0] > 0:
            return x * y * local_q
        else:
            return self.true_branch(x, y)

    @trace_impl(test)
    def trace_test(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.q = self.q + 1
        local_q = self.q * 2

        def false_branch(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            # nonlocal local_q
            ## These two lines may silently produce incorrect results
            # local_q *= 1.5
            return x * y * local_q  # However, using read-only nonlocals is allowed

        state, keys = self.prepare_control_flow(self.true_branch, false_branch)
        if not hasattr(self, "_switch_"):
            self._switch_ = TracingSwitch(self.true_branch, false_branch)
        state, ret = self._switch_.switch(
            state, (x.flatten()[0] > 0).to(dtype=torch.int), x, y
        )
        self.after_control_flow(state, *keys)
        return ret


@pytest.mark.parametrize("first", [1.0, -1.0])
@pytest.mark.parametrize("example", [1.0, -1.0])
def test_prepare_control_flow(first, example):
    x, y = torch.tensor([first, 2.0]), torch.tensor([5.0, 7.0])
    scripted = ControlFlowModule()
    expected = scripted.test(x, y)

    m = ControlFlowModule()
    fn = use_state(m.test)
    state, eager = fn(fn.init_state(), x, y)
    assert torch.equal(eager, expected)
    assert torch.equal(state["self.q"], scripted.q)
    assert torch.equal(m.q, torch.zeros(2))  # pure

    traced = jit(
        fn,
        trace=True,
        example_inputs=(fn.init_state(), torch.tensor([example, 1.0]), y),
    )
    state, result = traced(fn.init_state(), x, y)
    assert torch.equal(result, expected)
    assert torch.equal(state["self.q"], scripted.q)

    batched = vmap(fn)
    xs = torch.tensor([[1.0, 2.0], [-1.0, 2.0], [first, 3.0]])
    states, results = batched(batched.init_state(3), xs, y.expand(3, 2))
    for lane in range(3):
        one = ControlFlowModule()
        assert torch.equal(results[lane], one.test(xs[lane], y))
        assert torch.equal(states["self.q"][lane], one.q)


def test_prepare_control_flow_write_is_raised():
    """The two lines that the documentation warns of."""

    class Bad(ControlFlowModule):
        def bad(self, x, y):
            local_q = self.q * 2

            def false_branch(x, y):
                nonlocal local_q
                local_q *= 1.5
                return x * y * local_q

            state, keys = self.prepare_control_flow(self.true_branch, false_branch)
            switch = TracingSwitch(self.true_branch, false_branch)
            state, ret = switch.switch(
                state, (x.flatten()[0] > 0).to(dtype=torch.int), x, y
            )
            self.after_control_flow(state, *keys)
            return ret

    with pytest.raises(RuntimeError, match="'local_q'"):
        Bad().bad(torch.ones(2), torch.ones(2))
    assert Bad().bad(-torch.ones(2), torch.ones(2)).shape == (2,)


# The contexts -------------------------------------------------------------------


def test_use_state_context():
    with use_state_context(True):
        assert is_using_state()
        assert tracing_or_using_state()
        with use_state_context(False):
            assert not is_using_state()
        assert is_using_state()
    assert not is_using_state()


def test_trace_caching_state_context():
    with trace_caching_state_context(True):
        assert is_trace_caching_state()
        assert tracing_or_using_state()
    assert not is_trace_caching_state()
    assert not tracing_or_using_state()


def test_tracing_or_using_state_inside_trace():
    seen = []

    def f(x):
        seen.append(tracing_or_using_state())
        return x + 1

    torch.jit.trace(f, (torch.ones(1),), check_trace=False)
    assert seen == [True]


# use_state ----------------------------------------------------------------------


@jit_class
class Example(ModuleBase):
    def __init__(self, threshold=0.5):
        super().__init__()
        self.threshold = threshold
        self.sub_mod = nn.Module()
        self.sub_mod.buf = nn.Buffer(torch.zeros(()))

    def h(self, q: torch.Tensor) -> torch.Tensor:
        if q.flatten()[0] > self.threshold:
            x = torch.sin(q)
        else:
            x = torch.tan(q)
        x += self.g(x).abs()
        x *= x.shape[1]
        self.sub_mod.buf = x.sum()
        return x

    @trace_impl(h)
    def th(self, q: torch.Tensor) -> torch.Tensor:
        # printed without this line, which leaves x undefined
        x = torch.where(q.flatten()[0] > self.threshold, torch.sin(q), torch.tan(q))
        x += self.g(x).abs()
        x *= x.shape[1]
        self.sub_mod.buf = x.sum()
        return x

    def g(self, p: torch.Tensor) -> torch.Tensor:
        x = torch.cos(p)
        return x * p.shape[0]


def test_use_state(capsys):
    t = Example()  # printed: Test()
    fn = use_state(lambda: t.h, is_generator=True)
    jit_fn = jit(fn, trace=True, lazy=True)
    q = torch.rand(10, 1)
    results = jit_fn(fn.init_state(), q)  # printed without the last bracket
    # print results, may be
    print(results)
    # ({"self.sub_mod.buf": torch.Tensor(5.6)}, torch.Tensor([[0.56], ...]))
    assert list(results[0]) == ["self.sub_mod.buf"]
    assert results[1].shape == (10, 1)
    assert t.sub_mod.buf == 0
    # IN-PLACE update all relevant variables using the given state, which is the
    # variable `t` here.
    fn.set_state(results[0])
    assert t.sub_mod.buf is results[0]["self.sub_mod.buf"]
    assert torch.equal(t.sub_mod.buf, results[1].sum())
    scripted = Example()
    assert torch.allclose(scripted.h(q), results[1])
    assert torch.allclose(scripted.sub_mod.buf, t.sub_mod.buf)


# jit_class ----------------------------------------------------------------------


class Plain(ModuleBase):
    # magic methods are ignored in JIT
    def __init__(self, threshold=0.5):
        super().__init__()
        self.threshold = threshold

    # `torch.jit.export` is automatically added to this member method
    def h(self, q: torch.Tensor) -> torch.Tensor:
        if q.flatten()[0] > self.threshold:
            x = torch.sin(q)
        else:
            x = torch.tan(q)
        return x * x.shape[1]


def test_jit_class_scripted():
    scripted_class = jit_class(Plain)
    exp = scripted_class(0.75)
    q = torch.rand(10, 2)
    for first in (0.9, 0.1):
        q[0, 0] = first
        plain = Plain(0.75).h(q)
        torch.testing.assert_close(exp.h(q), plain)  # tan: to an ulp
    assert "if" in exp.__script_module__().h.code


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_jit_class_traced():
    traced_class = jit_class(Plain, trace=True)
    # equivalent to
    exp = torch.jit.trace_module(Plain(0.75), {"h": torch.full((10, 2), 0.9)})
    mine = traced_class(0.75)
    q = torch.full((10, 2), 0.9)
    torch.testing.assert_close(mine.h(q), exp.h(q))
    torch.testing.assert_close(mine.h(q), torch.sin(q) * 2)
    # The branch was taken once and for all, as torch's trace does.
    q = torch.full((10, 2), 0.1)
    torch.testing.assert_close(mine.h(q), exp.h(q))


# docs/core.md -------------------------------------------------------------------


def test_our_page(tmp_path, monkeypatch):
    """The program at the top of docs/core.md runs."""
    import pathlib
    import re
    import sys

    page = pathlib.Path(__file__).resolve().parents[3] / "docs" / "core.md"
    program = re.search(r"```python\n(import torch.*?)```", page.read_text(), re.S)
    path = tmp_path / "page_of_core.py"
    path.write_text(program.group(1))
    monkeypatch.syspath_prepend(tmp_path)
    import page_of_core

    sys.modules.pop("page_of_core")
    assert page_of_core.state["self.x"].shape == (8, 3)
    assert str(page_of_core.many.chain) == (
        "vmap(in_dims=0, out_dims=0) of use_state of method step of Walk"
    )
