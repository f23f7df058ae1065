# test_core_transforms.py - use_state, vmap and jit
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import pytest
import torch
from torch import nn

import evox_mlir.core as core
from evox_mlir.core import (
    BackendUnavailable,
    ModuleBase,
    Mutable,
    Parameter,
    jit,
    jit_class,
    register_compiler,
    set_default_backend,
    trace_impl,
    use_state,
    vmap,
    vmap_impl,
)
from evox_mlir.core._backend import compile_chain


class Model(ModuleBase):
    def __init__(self):
        super().__init__()
        self.k = Parameter(2.0)
        self.m = Mutable(torch.zeros(3))

    def step(self):
        self.m = self.m + self.k

    def add(self, x: torch.Tensor) -> torch.Tensor:
        self.m = self.m + x
        return self.m * self.k

    def read(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.k + self.m

    def inplace(self, x):
        self.m += x
        return self.m

    def draw(self):
        self.m = torch.rand(3)

    def pure(self, x):
        return x + 1

    def collatz(self, x):
        """Data-dependent control flow in plain Python."""
        n = torch.zeros((), dtype=torch.int64)
        while x > 1:
            x = x // 2 if x % 2 == 0 else 3 * x + 1
            n = n + 1
            self.m = self.m + torch.rand(3)
        return n


# use_state ----------------------------------------------------------------------


def test_pure():
    m = Model()
    fn = use_state(lambda: m.step)
    state = fn.init_state()
    assert isinstance(state["self.k"], nn.Parameter)
    new = fn(state)
    assert new["self.m"].tolist() == [2, 2, 2] and state["self.m"].tolist() == [0, 0, 0]
    assert m.m.tolist() == [0, 0, 0]
    assert fn(new)["self.m"].tolist() == [4, 4, 4]


def test_result_and_keyword_state():
    m = Model()
    fn = use_state(m.add)
    state, y = fn(fn.init_state(), torch.ones(3))
    assert y.tolist() == [2, 2, 2] and state["self.m"].tolist() == [1, 1, 1]
    state, y = fn(x=torch.ones(3), state=state)
    assert y.tolist() == [4, 4, 4]


def test_an_exception_puts_state_back():
    m = Model()
    fn = use_state(m.add)
    with pytest.raises(RuntimeError):
        fn({**fn.init_state(), "self.m": torch.ones(3)}, torch.ones(4))
    assert m.m.tolist() == [0, 0, 0]


def test_set_state():
    m = Model()
    fn = use_state(m.step)
    first = m.m
    new = fn(fn.init_state())
    assert fn.set_state(new) is None and m.m is new["self.m"]
    assert isinstance(m.k, nn.Parameter)
    fn.set_state()
    assert m.m is first
    assert fn.init_state(clone=False)["self.m"] is first
    assert fn.init_state()["self.m"] is not first


@pytest.mark.parametrize(
    "change, text",
    [({"zz": torch.ones(1)}, "unknown 'zz'"), ("self.m", "lacks 'self.m'")],
)
def test_bad_state(change, text):
    fn = use_state(Model().step)
    state = fn.init_state()
    state.update(change) if isinstance(change, dict) else state.pop(change)
    with pytest.raises(KeyError, match=text):
        fn(state)
    with pytest.raises(KeyError, match=text):
        fn.set_state(state)
    with pytest.raises(TypeError, match="state"):
        fn()
    with pytest.raises(TypeError, match="Tensor"):
        fn(torch.ones(1))


def test_empty_state():
    def free(x):
        return x + 1

    fn = use_state(free)
    assert fn.is_empty_state and fn.init_state() == {}
    assert fn(torch.ones(1)) == 2
    assert not use_state(Model().pure).is_empty_state


GLOBAL = Model()


def reads_global(x):
    return GLOBAL.read(x)


def test_what_is_captured():
    model, t = Model(), torch.ones(3)

    def local(x):
        return model.read(x) * t

    fn = use_state(local)
    assert list(fn.init_state()) == ["model.k", "model.m", "t"]
    state = {**fn.init_state(), "t": torch.full((3,), 5.0)}
    assert fn(state, torch.ones(3))[1].tolist() == [10, 10, 10]
    assert t.tolist() == [1, 1, 1]
    assert list(use_state(reads_global).init_state()) == ["GLOBAL.k", "GLOBAL.m"]
    linear = nn.Linear(2, 1)
    assert list(use_state(linear.forward).init_state()) == ["self.weight", "self.bias"]
    assert list(use_state(lambda: linear).init_state()) == ["self.weight", "self.bias"]

    def counts(x):
        nonlocal t
        t = t + x
        return t

    fn = use_state(counts)
    state, y = fn(fn.init_state(), torch.ones(3))
    assert state["t"].tolist() == y.tolist() == [2, 2, 2] and t.tolist() == [1, 1, 1]


def test_shared_modules_appear_once():
    m = nn.Module()
    m.a = nn.Linear(1, 1)
    m.b = m.a
    m.forward = lambda x: m.b(m.a(x))
    assert list(use_state(lambda: m).init_state()) == ["self.a.weight", "self.a.bias"]


def test_generators():
    m = Model()
    assert use_state(m.step).init_state().keys() == use_state(lambda: m.step).init_state().keys()

    def bump():
        m.step()

    fn = use_state(bump, is_generator=False)
    assert fn(fn.init_state())["m.m"].tolist() == [2, 2, 2]
    with pytest.raises(TypeError, match="is_generator=False"):
        use_state(lambda: 3)
    with pytest.raises(TypeError):
        use_state(3)


def test_new_state_is_refused():
    m = Model()
    fn = use_state(m.step)
    m.other = Mutable(torch.zeros(1))
    with pytest.raises(RuntimeError, match="other"):
        fn.init_state()


# vmap ---------------------------------------------------------------------------


def test_vmap_state_per_lane():
    m = Model()
    fn = vmap(use_state(m.add))
    state = fn.init_state(4)
    assert state["self.m"].shape == (4, 3) and isinstance(state["self.k"], nn.Parameter)
    assert fn.init_state()["self.m"].shape == (13, 3)
    x = torch.arange(12.0).reshape(4, 3)
    state["self.k"] = torch.arange(4.0)
    new, y = fn(state, x)
    assert torch.equal(new["self.m"], x)
    assert torch.equal(y, x * torch.arange(4.0)[:, None])
    assert m.m.tolist() == [0, 0, 0]
    fn.set_state(new)
    assert m.m.shape == (4, 3)


def test_vmap_shared_state_and_dims():
    m = Model()
    one = use_state(m.add)
    x = torch.arange(6.0).reshape(3, 2)
    fn = vmap(one, in_dims=(None, 1), out_dims=(0, 1))
    new, y = fn(one.init_state(), x)
    assert y.shape == (3, 2) and torch.equal(new["self.m"], x.T)
    dims = {"self.k": 0, "self.m": None}
    fn = vmap(one, in_dims=(dims, None))
    state = fn.init_state(5)
    assert state["self.k"].shape == (5,) and state["self.m"].shape == (3,)
    assert fn(state, torch.ones(3))[1].shape == (5, 3)


def test_vmap_of_vmap():
    m = Model()
    fn = vmap(vmap(use_state(m.add)), in_dims=0)
    state = fn.init_state((2, 3))
    assert state["self.m"].shape == (2, 3, 3)
    assert fn.init_state(2)["self.m"].shape == (2, 13, 3)
    x = torch.rand(2, 3, 3)
    assert torch.equal(fn(state, x)[1], x * 2)
    assert str(fn.chain) == (
        "vmap(in_dims=0, out_dims=0) of vmap(in_dims=0, out_dims=0) of use_state of "
        "method add of Model"
    )
    with pytest.raises(ValueError, match="batch size"):
        vmap(use_state(m.add)).init_state((2, 3))


def test_use_state_of_vmap():
    m = Model()
    fn = use_state(vmap(m.read))
    x = torch.rand(4, 3)
    state = {**fn.init_state(), "self.m": torch.ones(3)}
    new, y = fn(state, x)
    assert torch.equal(y, x * 2 + 1) and new["self.m"].shape == (3,)
    with pytest.raises(RuntimeError, match=r"self\.m.*use_state"):
        f = use_state(vmap(m.add))
        f(f.init_state(), x)
    with pytest.raises(RuntimeError, match=r"self\.m.*use_state"):
        vmap(m.add)(x)
    assert m.m.tolist() == [0, 0, 0]


def test_inplace_on_an_unbatched_value_says_what_pytorch_says():
    m = Model()
    with pytest.raises(RuntimeError) as theirs:
        torch.func.vmap(lambda x: torch.zeros(3).mul_(x))(torch.rand(4, 3))
    m.inplace = lambda x: m.m.mul_(x)
    with pytest.raises(RuntimeError) as ours:
        vmap(m.inplace)(torch.rand(4, 3))
    assert str(ours.value) == str(theirs.value)
    del m.inplace
    fn = vmap(use_state(m.inplace))
    assert fn(fn.init_state(4), torch.ones(4, 3))[1].shape == (4, 3)


def test_vmap_structures():
    def f(a, b):
        return {"s": a["x"] + b[0], "t": (a["y"], b[1])}

    a = {"x": torch.rand(2, 3), "y": torch.rand(3)}
    b = [torch.rand(3, 2), torch.rand(4)]
    out = vmap(f, in_dims=({"x": 1, "y": None}, [0, None]))(a, b)
    assert torch.equal(out["s"], a["x"].T + b[0])
    assert torch.equal(out["t"][0], a["y"].expand(3, 3))
    assert out["t"][1].shape == (3, 4)
    assert vmap(f, in_dims=({"x": 1, "y": None}, 0), out_dims=0)(
        a, (torch.rand(3, 2), torch.rand(3))
    )["s"].shape == (3, 2)


@pytest.mark.parametrize(
    "in_dims, args, text",
    [
        ((0, 0), (torch.ones(2),), "2 entries for 1 arguments"),
        (0, (torch.ones(()),), r"x the dimension 0.*shape \(\)"),
        (3, (torch.ones(2),), "x the dimension 3"),
        (0, (3,), "x the dimension 0.*int"),
        (None, (torch.ones(2),), "no argument is mapped"),
        ("a", (torch.ones(2),), "in_dims must be"),
        (({"p": 0},), ({"q": torch.ones(2)},), r"in_dims of x has the keys \['p'\]"),
        (([0, 0],), ([torch.ones(2)],), "in_dims of x has 2 entries"),
        (([0],), (torch.ones(2),), "in_dims of x is .* does not mirror"),
    ],
)
@pytest.mark.parametrize("strategy", [None, "lanes"])
def test_vmap_argument_errors(in_dims, args, text, strategy):
    with pytest.raises(ValueError, match=text):
        vmap(lambda x: x, in_dims=in_dims, strategy=strategy)(*args)


def test_vmap_sizes_differ():
    with pytest.raises(ValueError, match=r"x has 2 lanes but y\[1\] has 3"):
        vmap(lambda x, y: x)(torch.ones(2), [torch.ones(2), torch.ones(3)])
    m = Model()
    fn = vmap(use_state(m.add))
    with pytest.raises(ValueError, match=r"state\['self.k'\] has 2 lanes but x has 3"):
        fn(fn.init_state(2), torch.ones(3, 3))


def test_vmap_arguments():
    for kwargs in ({"randomness": "x"}, {"strategy": "x"}, {"chunk_size": 0}):
        with pytest.raises(ValueError, match=next(iter(kwargs))):
            vmap(lambda x: x, **kwargs)
    with pytest.raises(TypeError):
        vmap(3)
    fn = vmap(use_state(Model().step))
    for size in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="batch_size"):
            fn.init_state(size)
    with pytest.raises(AttributeError, match="use_state"):
        vmap(lambda x: x).init_state(2)
    batched = fn.init_state(5)
    assert vmap(use_state(Model().step), batched_state=batched).init_state(None).keys() == batched.keys()


def test_chunk_size():
    m = Model()
    x = torch.rand(7, 3)
    whole, parts = vmap(m.read), vmap(m.read, chunk_size=3)
    assert torch.equal(whole(x), parts(x))


@pytest.mark.parametrize("strategy", [None, "lanes"])
def test_randomness(strategy):
    m = Model()

    def go(randomness):
        fn = vmap(use_state(m.draw), randomness=randomness, strategy=strategy)
        state = fn.init_state(4)
        torch.manual_seed(3)
        return fn(state)["self.m"]

    for randomness, shape in (("different", (4, 3)), ("same", (3,))):
        drawn = go(randomness)
        after = torch.rand(1)
        torch.manual_seed(3)
        assert torch.equal(drawn, torch.rand(shape).expand(4, 3))
        assert after == torch.rand(1)  # the generator went as far
    with pytest.raises(RuntimeError, match="randomness"):
        go("error")


# Lanes one by one ---------------------------------------------------------------


def test_lanes_follow_data():
    m = Model()
    fn = use_state(m.collatz)
    xs = torch.tensor([6, 1, 7, 27])
    with pytest.raises(RuntimeError) as e:
        vmap(fn)(vmap(fn).init_state(4), xs)
    assert any("strategy='lanes'" in n for n in e.value.__notes__)
    lanes = vmap(fn, strategy="lanes")
    torch.manual_seed(0)
    state, n = lanes(lanes.init_state(4), xs)
    torch.manual_seed(0)
    for i in range(4):  # different: lane after lane
        one, k = fn(fn.init_state(), xs[i])
        assert k == n[i] and torch.equal(one["self.m"], state["self.m"][i])
    same = vmap(fn, strategy="lanes", randomness="same")
    torch.manual_seed(0)
    state, _ = same(same.init_state(4), xs)
    for i in range(4):
        torch.manual_seed(0)
        assert torch.equal(fn(fn.init_state(), xs[i])[0]["self.m"], state["self.m"][i])


def test_lanes_results():
    lanes = dict(strategy="lanes")
    assert vmap(lambda x: (x, {"a": x * 2}), out_dims=1, **lanes)(torch.ones(3, 2))[1]["a"].shape == (2, 3)
    assert vmap(lambda x, y: y, in_dims=(0, None), out_dims=None, **lanes)(
        torch.ones(3), torch.ones(2)).shape == (2,)
    with pytest.raises(ValueError, match="differs from lane to lane"):
        vmap(lambda x: x, out_dims=None, **lanes)(torch.arange(3))
    with pytest.raises(RuntimeError, match="fixed size"):
        vmap(lambda x: x.nonzero(), **lanes)(torch.tensor([[1, 0], [1, 1]]))
    m = Model()
    with pytest.raises(RuntimeError, match=r"self\.m"):
        vmap(m.add, **lanes)(torch.ones(2, 3))
    assert m.m.tolist() == [0, 0, 0]
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="y, which all lanes share"):
        vmap(lambda x, y: y.add_(x), in_dims=(0, None), **lanes)(torch.ones(2, 3), shared)
    x = torch.ones(2, 3)
    vmap(lambda x: x.add_(1), **lanes)(x)
    assert x.sum() == 6
    assert torch.equal(vmap(vmap(lambda x: x * 2, **lanes), **lanes)(x), x * 2)


# jit ----------------------------------------------------------------------------


def free(x: torch.Tensor, k: int = 2) -> torch.Tensor:
    if x.sum() > 0:
        return x * k
    return x - k


def test_script_function():
    f = jit(free)
    assert f(torch.ones(2)).tolist() == [2, 2] and f(-torch.ones(2), k=1).tolist() == [-2, -2]
    assert f.backend == "evox" and f.backend_reason is None
    assert isinstance(f.script_function, torch.jit.ScriptFunction)
    assert jit(f).function is free
    lazy = jit(free, lazy=True)
    assert lazy.backend is None and lazy(torch.ones(1)) == 2 and lazy.backend == "evox"
    assert "evox" in repr(lazy)


def into(x: torch.Tensor) -> torch.Tensor:
    return x.add_(1)


def test_backends():
    f = jit(into, backend="evox")
    with pytest.raises(BackendUnavailable, match="function into.*writes into 'x' in place"):
        f(torch.ones(1))
    # Where native code can't, TorchScript does; and says why.
    f, x = jit(into), torch.ones(2)
    assert f(x).tolist() == [2, 2] and x.tolist() == [2, 2]
    assert f.backend == "torch" and "writes into 'x'" in f.backend_reason
    f = jit(free, backend="torch")
    assert f(torch.ones(1)) == 2 and f.backend == "torch"
    assert "asked for" in f.backend_reason
    before = set_default_backend("torch")
    try:
        f = jit(free)
        assert f(torch.ones(1)) == 2 and f.backend == "torch"
        set_default_backend("evox")
        assert f(torch.ones(1)) == 2 and f.backend == "evox"
    finally:
        set_default_backend(before)
    for call in (lambda: jit(free, backend="cuda"), lambda: set_default_backend("cuda")):
        with pytest.raises(ValueError, match="backend"):
            call()


def test_gradients_stay_with_torch():
    f = jit(free)
    x = torch.ones(2, requires_grad=True)
    f(x).sum().backward()
    assert x.grad.tolist() == [2, 2] and "gradients" in f.backend_reason
    with torch.no_grad():
        assert not f(x).requires_grad and f.backend == "evox"


def test_a_registered_compiler_gets_the_chain():
    seen = []

    def compiler(chain, examples, trace):
        seen.append((chain, examples, trace))
        if chain.transforms:
            return lambda *args: "compiled"
        raise BackendUnavailable("no plain functions")

    m = Model()
    before = register_compiler(compiler)
    try:
        f = jit(vmap(use_state(m.add)), lazy=True)
        assert f(1, 2) == "compiled" and f.backend == "evox"
        chain, examples, trace = seen[0]
        assert chain.source.module is m and chain.source.method == "add"
        assert [type(t) for t in chain.transforms] == [core.UseState, core.Vmap]
        assert chain.transforms[0].keys == ("self.k", "self.m")
        assert examples == ((1, 2), {}) and trace is False
        g = jit(free)
        assert g(torch.ones(1)) == 2 and g.backend_reason == "no plain functions"
        with pytest.raises(BackendUnavailable):
            compile_chain(g.chain, None)
    finally:
        register_compiler(before)


def test_trace():
    with pytest.raises(ValueError, match="example_inputs"):
        jit(free, trace=True)
    example = torch.ones(2)
    f = jit(lambda x, y: x + y, trace=True, example_inputs=(example, example))
    assert f(torch.ones(2), torch.zeros(2)).tolist() == [1, 1]

    def g(x, k, flag=True):
        return x * k if flag else x

    f = jit(g, trace=True, lazy=True)
    assert f(torch.ones(1), k=3) == 3 and f(torch.ones(1) * 2, 3) == 6
    with pytest.raises(ValueError, match="argument 1.*constant"):
        f(torch.ones(1), 4)
    assert jit(g, trace=True, example_inputs=dict(x=example, k=example))(example, example).sum() == 2
    assert jit(g, trace=True, example_inputs=((example,), {"k": example}))(example, example).sum() == 2
    f, out = jit(g, trace=True, example_inputs=(example, example), return_dummy_output=True)
    assert out.tolist() == f(example, example).tolist()
    with pytest.raises(TypeError, match="example_inputs"):
        jit(g, trace=True, example_inputs=3)


def test_trace_leaves_generators_and_state_alone():
    m = Model()
    fn = use_state(m.draw)
    torch.manual_seed(5)
    f = jit(fn, trace=True, example_inputs=(fn.init_state(),))
    assert torch.equal(f(fn.init_state())["self.m"], fn(fn.init_state())["self.m"]) is False
    torch.manual_seed(5)
    a = f(fn.init_state())["self.m"]
    torch.manual_seed(5)
    assert torch.equal(a, torch.rand(3))
    with pytest.warns(UserWarning, match=r"self\.m"):
        g = jit(m.add, trace=True, example_inputs=(torch.ones(3),))
    g(torch.ones(3))
    assert m.m.tolist() == [0, 0, 0]


def test_jit_of_chains():
    m = Model()
    for fn in (use_state(m.add), vmap(use_state(m.add)), vmap(vmap(use_state(m.add)))):
        sizes = (2, 3)[: len(fn.chain.transforms) - 1]
        state = fn.init_state(sizes) if sizes else fn.init_state()
        x = torch.rand(*sizes, 3)
        f = jit(fn, trace=True, example_inputs=(state, x))
        a, b = f(state, x), fn(state, x)
        assert torch.equal(a[1], b[1]) and torch.equal(a[0]["self.m"], b[0]["self.m"])
        assert f.init_state(*([sizes] if sizes else [])).keys() == state.keys()
    # Scripted use_state keeps the branch; scripted vmap needs the compiler.
    f = jit(use_state(m.add))
    assert f(f.init_state(), torch.ones(3))[1].tolist() == [2, 2, 2]
    assert m.m.tolist() == [0, 0, 0]
    with pytest.raises(NotImplementedError, match="trace=True"):
        jit(vmap(use_state(m.add)), backend="torch")


def test_jit_method_keeps_side_effects():
    m = Model()
    f = jit(m.add)
    assert f(torch.ones(3)).tolist() == [2, 2, 2] and m.m.tolist() == [1, 1, 1]


def test_nested_jit_dissolves():
    inner = jit(free)
    assert vmap(lambda x: inner(x * 0 + 1), strategy="lanes")(torch.ones(2)).tolist() == [2, 2]
    traced = jit(lambda x: inner(x), trace=True, example_inputs=(torch.ones(2),))
    assert traced(-torch.ones(2)).tolist() == [-3, -3]  # the branch is alive
    m = Model()
    assert vmap(jit(m.read, lazy=True))(torch.ones(2, 3)).shape == (2, 3)


def test_jit_function_as_a_member():
    m = Model()
    traced = jit(use_state(m.step), trace=True, lazy=True)
    traced(use_state(m.step).init_state())

    @jit_class
    class Uses(ModuleBase):
        def __init__(self):
            super().__init__()
            self.f = traced

        def go(self, state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
            for _ in range(3):
                state = self.f(state)
            return jitted(state["self.m"]) + x

    assert Uses().go(use_state(m.step).init_state(), torch.zeros(3)).tolist() == [12] * 3


jitted = jit(free)


def test_proxies():
    @jit_class
    class P(ModuleBase):
        def f(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

        @trace_impl(f)
        def tf(self, x):
            return x + 10

        @vmap_impl(f)
        def vf(self, x):
            return x + 100

        def g(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

        @trace_impl(g)
        def tg(self, x):
            return x + 10

    p = P()
    x = torch.zeros(1)
    assert p.f(x) == 1
    assert use_state(p.f)(x) == 10
    assert torch.jit.trace(lambda x: p.f(x), (x,), check_trace=False)(x) == 10
    assert vmap(p.f)(x) == 100 and vmap(p.g)(x) == 10
    assert jit(p.f)(x) == 1  # scripts the method itself
    with pytest.raises(TypeError):
        trace_impl(3)
