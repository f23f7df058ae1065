# test_vmap.py - use_state and vmap as compiled programs
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lane i of a compiled vmap equals the single run of lane i.

Each program runs as `vmap(use_state(f))` over a state and arguments of their
own per lane, with data-dependent branches and loops, and is compared with
TorchScript, run lane by lane.
"""

import copy
from typing import Dict, Tuple

import pytest
import torch
from torch import Tensor

import evox_mlir
from lanes import lane_seed

LANES = 5


class Branch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.arange(4.0))

    def forward(self, y: Tensor):
        if (self.x * y).sum() > 3.0:
            self.x = self.x + y
            if y[0] > 1.0:
                self.x[1] = 7.0
        else:
            self.x = self.x - y
        return self.x.max()


class While(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.full((3,), 0.5))
        self.register_buffer("n", torch.zeros((), dtype=torch.int64))

    def forward(self, y: Tensor):
        while self.x.sum() < 30.0:
            self.x = self.x * 2 + y.abs()
            self.n += 1
        return self.n * 2


class Nested(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def forward(self, y: Tensor, k: Tensor):
        i = 0
        while i < int(k):
            j = i
            while y.sum() * j < 8.0 and j < 6:
                if j % 2 == 0:
                    self.total += y[j % 3]
                else:
                    self.total -= 0.25
                j += 1
            i += 1
        return self.total * i


class ForOverData(torch.nn.Module):
    def forward(self, y: Tensor, k: Tensor):
        out = torch.zeros(6)
        for i in range(int(k)):
            out[i] = y.sum() + i
            if i == 3:
                break
        return out, k + 1


class EarlyReturn(torch.nn.Module):
    def forward(self, y: Tensor):
        for i in range(3):
            if y[i] > 1.0:
                return y * i
        return -y


class Index(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(12.0).reshape(4, 3))

    def forward(self, y: Tensor, k: Tensor):
        row = self.table[k]
        self.table[k] = row + y
        self.table[:, 1] = self.table[:, 1] * 2
        order = torch.argsort(y)
        picked = torch.gather(y, 0, order)
        return row, picked, self.table.index_select(0, k.reshape(1))


class Guarded(torch.nn.Module):
    """What a lane guards must not hurt where the guard says no."""

    def forward(self, y: Tensor, k: Tensor):
        out = torch.zeros(())
        if int(k) < 3:
            out = y[int(k)]
        n = 10
        if int(k) > 0:
            n = 12 // int(k)
        assert int(k) < 100, "k is large"
        return out, n


class Switch(torch.nn.Module):
    def forward(self, y: Tensor, k: Tensor):
        if int(k) == 0:
            z = y.sum(dim=0, keepdim=True)
        elif int(k) == 1:
            z = y.prod(dim=0, keepdim=True)
        elif int(k) == 2:
            z = y.max(dim=0, keepdim=True)[0]
        else:
            z = y[:1] * 0
        return z


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3) / 7)
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, y: Tensor):
        z = torch.tanh(self.weight @ y)
        self.seen = torch.maximum(self.seen, z)
        outer = z[:, None] @ y[None, :]
        return z, outer, torch.softmax(outer, dim=-1), outer.T.cumsum(0)


class Sorts(torch.nn.Module):
    def forward(self, y: Tensor):
        v, i = torch.sort(y, descending=True)
        t, j = torch.topk(y, 2)
        a = torch.zeros(3).scatter(0, i, v)
        a.index_add_(0, j, t)
        return v, i, t, j, a, y.argmin(), torch.cat([y, v])


class Factor(torch.nn.Module):
    def forward(self, y: Tensor):
        m = y[:, None] * y[None, :] + 3.0 * torch.eye(3)
        return torch.linalg.cholesky(m), torch.linalg.solve(m, y)


def y_of(lane, dtype=torch.float32):
    return torch.tensor([0.3, -1.7, 2.1], dtype=dtype) * (lane - 1.4) + lane


def k_of(lane):
    return torch.tensor(lane % 4)


def four(lane):
    return torch.tensor([0.5, 1.0, -2.0, 0.25]) * (lane - 1.5)


CASES = [
    (Branch, (four,)), (While, (y_of,)), (Nested, (y_of, k_of)),
    (ForOverData, (y_of, k_of)), (EarlyReturn, (y_of,)),
    (Index, (y_of, k_of)), (Guarded, (y_of, k_of)), (Switch, (y_of, k_of)),
    (Linear, (y_of,)), (Sorts, (y_of,)), (Factor, (y_of,)),
]


def stacked(values):
    """Pytrees of tensors or numbers, with the lanes in front."""
    first = values[0]
    if isinstance(first, (tuple, list)):
        return type(first)(stacked(v) for v in zip(*values))
    if isinstance(first, dict):
        return {k: stacked([v[k] for v in values]) for k in first}
    return torch.stack([torch.as_tensor(v) for v in values])


def single_runs(module, arguments, lanes=LANES):
    """(state, results) of each lane, one after the other."""
    states, results = [], []
    for lane in range(lanes):
        one = torch.jit.script(copy.deepcopy(module))
        results.append(one(*(a(lane) for a in arguments)))
        states.append({k: v.detach().clone()
                       for k, v in one.state_dict().items()})
    return stacked(states), stacked(results)


def same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=2e-6, atol=1e-6,
                               equal_nan=True)


def batched_state(module, lanes=LANES):
    return {k: v.detach().expand(lanes, *v.shape).clone()
            for k, v in module.state_dict().items()}


@pytest.mark.parametrize("strategy", ["mask", "lanes", "chunks"])
@pytest.mark.parametrize("cls, arguments", CASES,
                         ids=[c.__name__ for c, _ in CASES])
def test_lane_equals_single_run(cls, arguments, strategy):
    module = cls()
    inputs = tuple(stacked([a(i) for i in range(LANES)]) for a in arguments)
    how = "chunk_size=2" if strategy == "chunks" else f"strategy='{strategy}'"
    program = evox_mlir.compile(
        torch.jit.script(module), {"many": inputs},
        transforms={"many": f"vmap(use_state(forward), axis_size={LANES}, {how})"})
    expected_state, expected = single_runs(module, arguments)
    if expected_state:
        state, results = program.many(batched_state(module), *inputs)
        same(state, expected_state)
    else:
        results = program.many(*inputs)
    same(results, expected)


@pytest.mark.parametrize("cls, arguments", CASES,
                         ids=[c.__name__ for c, _ in CASES])
def test_no_lanes(cls, arguments):
    module = cls()
    some = tuple(stacked([a(0)]) for a in arguments)
    expected_state, expected = single_runs(module, arguments, 1)
    program = evox_mlir.compile(
        torch.jit.script(module), {"many": tuple(x[:0] for x in some)},
        transforms={"many": "vmap(use_state(forward), axis_size=0)"})
    results = program.many(*([batched_state(module, 0)] if expected_state
                             else []), *(x[:0] for x in some))
    if expected_state:
        expected = (expected_state, expected)
    same(results, torch.utils._pytree.tree_map(lambda x: x[:0], expected))


def test_as_many_lanes_as_come():
    script = torch.jit.script(While())
    program = evox_mlir.compile(
        script, {"many": (torch.zeros(5, 3),)}, dynamic=None,
        transforms={"many": "vmap(use_state(forward))"},
        options=("--input=many:float32[?,3]",))
    for lanes in (1, 2, 6):
        inputs = stacked([y_of(i) for i in range(lanes)])
        state, results = program.many(batched_state(While(), lanes), inputs)
        expected_state, expected = single_runs(While(), (y_of,), lanes)
        same(results, expected)
        same(state, expected_state)


def test_structures_and_dims():
    class Tree(torch.nn.Module):
        def forward(self, d: Dict[str, Tensor], t: Tuple[Tensor, Tensor]):
            return {"a": d["x"] * t[0], "b": (t[1], d["y"].sum())}

    d = {"x": torch.rand(3, 2), "y": torch.rand(4)}
    t = (torch.rand(2, 3), torch.rand(3))
    program = evox_mlir.compile(
        torch.jit.script(Tree()), {"many": (d, t)},
        transforms={"many": "vmap(forward, in_dims=({'x': 0, 'y': None}, "
                            "(1, None)), out_dims={'a': 1, 'b': (None, None)})"})
    result = program.many(d, t)
    same(result["a"], (d["x"] * t[0].T).T)
    same(result["b"], (t[1], d["y"].sum()))


def test_a_network_per_lane():
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(),
                              torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))
    x = torch.rand(6, 3, 4)
    program = evox_mlir.compile(
        torch.jit.script(net), {"many": (x,)},
        transforms={"many": "vmap(use_state(forward), axis_size=6)"})
    torch.manual_seed(0)
    weights = {k: v.detach() + torch.randn(6, *v.shape) / 10
               for k, v in net.state_dict().items()}
    expected = torch.func.vmap(
        lambda w, y: torch.func.functional_call(net, w, (y,)))(weights, x)
    same(program.many(weights, x)[1], expected.detach())


def test_the_host_is_called_for_each_lane():
    class Asks(torch.nn.Module):
        @torch.jit.ignore
        def ask(self, x: Tensor) -> Tensor:
            return x.sum() * 2

        def forward(self, y: Tensor):
            z = torch.zeros(())
            if y[0] > 0.5:
                z = self.ask(y)
            return z + 1

    y = torch.tensor([[0.9, 1.0], [0.1, 5.0], [0.6, -1.0]])
    program = evox_mlir.compile(
        torch.jit.script(Asks()), {"many": (y,)},
        transforms={"many": "vmap(forward)"}, externals={"ask": "float32[]"})
    asked = []
    program.set_external("ask", lambda x: (asked.append(x.clone()), x.sum() * 2)[1])
    same(program.many(y), torch.tensor([4.8, 1.0, 0.2]))
    assert len(asked) == 2  # the lanes that ask


def test_vmap_of_vmap():
    module = Branch()
    inner = torch.stack([four(i) for i in range(6)]).reshape(2, 3, 4)
    program = evox_mlir.compile(
        torch.jit.script(module), {"many": (inner,)},
        transforms={"many": "vmap(vmap(use_state(forward)), axis_size=2)"})
    start = {"x": module.x.expand(2, 3, 4).clone()}
    state, results = program.many(start, inner)
    expected_state, expected = single_runs(module, (four,), 6)
    same(results.reshape(6), expected)
    same(state["x"].reshape(6, 4), expected_state["x"])


def test_in_dims_and_out_dims():
    class Three(torch.nn.Module):
        def forward(self, x: Tensor, y: Tensor, z: Tensor):
            return x[:, None] * y + z, y.sum(), z * 2

    x, y, z = torch.rand(3, 5), torch.rand(5, 3, 4), torch.rand(4)
    program = evox_mlir.compile(
        torch.jit.script(Three()), {"many": (x, y, z)},
        transforms={"many": "vmap(forward, in_dims=(1, 0, None), "
                            "out_dims=(2, 0, None))"})
    expected = torch.func.vmap(
        lambda a, b, c: (a[:, None] * b + c, b.sum(), c * 2),
        in_dims=(1, 0, None), out_dims=(2, 0, None))(x, y, z)
    same(program.many(x, y, z), expected)


def test_draws_come_in_the_order_of_torch_func_vmap():
    class Draws(torch.nn.Module):
        def forward(self, y: Tensor):
            return (torch.rand(3) + y, torch.randn(2), torch.randint(0, 9, (4,)),
                    torch.randperm(5), torch.bernoulli(torch.full((3,), 0.5)))

    y = torch.rand(7)
    program = evox_mlir.compile(torch.jit.script(Draws()), {"many": (y,)},
                                transforms={"many": "vmap(forward)"})
    program.seed(3)
    torch.manual_seed(3)
    expected = torch.func.vmap(Draws(), randomness="different")(y)
    actual = program.many(y)
    for a, b in zip(actual, expected):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_same_draws_in_all_lanes():
    class Draw(torch.nn.Module):
        def forward(self, y: Tensor):
            z = torch.rand(2)
            if y > 0:
                z = z + torch.rand(2)
            return z

    y = torch.tensor([-1.0, 1.0, 2.0])
    program = evox_mlir.compile(
        torch.jit.script(Draw()), {"many": (y,)},
        transforms={"many": "vmap(forward, randomness='same')"})
    program.seed(3)
    torch.manual_seed(3)
    a, b = torch.rand(2), torch.rand(2)
    torch.testing.assert_close(program.many(y), torch.stack([a, a + b, a + b]),
                               rtol=0, atol=0)


class Walk(torch.nn.Module):
    """Draws as often as the data says."""

    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.zeros(3))

    def forward(self, y: Tensor):
        while self.x.sum() < y:
            self.x = self.x + torch.rand(3)
            if self.x[0] > 1.0:
                self.x[0] -= torch.randint(0, 2, ()).to(torch.float32)
        return torch.randn(2)


def test_lanes_draw_one_after_the_other_where_data_decides():
    y = torch.tensor([1.0, 4.0, 0.0, 7.0])
    program = evox_mlir.compile(
        torch.jit.script(Walk()), {"many": (y,)},
        transforms={"many": "vmap(use_state(forward), axis_size=4)"})
    program.seed(3)
    torch.manual_seed(3)
    runs = []
    for lane in range(4):
        one = torch.jit.script(Walk())
        runs.append((one(y[lane]), one.x.clone()))
    state, results = program.many({"x": torch.zeros(4, 3)}, y)
    torch.testing.assert_close(results, torch.stack([r for r, _ in runs]),
                               rtol=0, atol=0)
    torch.testing.assert_close(state["x"], torch.stack([x for _, x in runs]),
                               rtol=0, atol=0)


@pytest.mark.parametrize("chunk", ["", ", chunk_size=3"])
def test_philox_lane_is_the_run_with_its_seed(chunk):
    y = torch.tensor([1.0, 4.0, 0.0, 7.0])
    script = torch.jit.script(Walk())
    program = evox_mlir.compile(
        script, {"many": (y,)}, rng="philox",
        transforms={"many": f"vmap(use_state(forward), axis_size=4{chunk})"})
    program.seed(11)
    state, results = program.many({"x": torch.zeros(4, 3)}, y)
    single = evox_mlir.compile(script, {"forward": (y[0],)}, rng="philox")
    for lane in range(4):
        single.reset()
        single.seed(lane_seed(11, lane))
        one = single.forward(y[lane])
        torch.testing.assert_close(results[lane], one, rtol=0, atol=0)
        torch.testing.assert_close(state["x"][lane], single.state_dict()["x"],
                                   rtol=0, atol=0)


@pytest.mark.parametrize("how, inputs, message", [
    ("vmap(forward, in_dims=(0, 0))", (torch.rand(3, 4),),
     "in_dims has 2 entries, but the function takes 1"),
    ("vmap(forward, in_dims=3)", (torch.rand(3, 4),),
     "in_dims for argument 'y' is 3, but it has 2 dimensions"),
    ("vmap(missing)", (torch.rand(3, 4),), "unknown method 'missing'"),
    ("vmap(forward, axis_size=7)", (torch.rand(3, 4),),
     "argument 'y' has 3 lanes and axis_size 7"),
    ("vmap(use_state(forward), out_dims=None)", (torch.rand(3, 4),),
     "None in out_dims for result 0"),
    ("vmap(forward)", (torch.rand(3, 4),),
     "writes 'x', which all lanes share"),
    ("vmap(use_state(forward), randomness='error')", (torch.rand(3, 4),), ""),
    ("vmap(forward, speed=3)", (torch.rand(3, 4),), "vmap has no option 'speed'"),
    ("vmap(use_state(forward, keys=['z']))", (torch.rand(3, 4),),
     "the module holds no tensor 'z'; it has: x"),
])
def test_errors(how, inputs, message):
    script = torch.jit.script(Branch())

    def compile_it():
        return evox_mlir.compile(script, {"many": inputs},
                                 transforms={"many": how}, cache=False)

    if not message:
        compile_it()  # nothing is drawn
        return
    with pytest.raises(evox_mlir.CompileError, match=message):
        compile_it()


def test_a_write_into_a_shared_argument():
    class Adds(torch.nn.Module):
        def forward(self, x: Tensor, y: Tensor):
            x.add_(y)
            return x * 2

    x, y = torch.rand(4), torch.rand(3, 4)
    with pytest.raises(RuntimeError, match="inplace arithmetic|doesn't match"):
        torch.func.vmap(Adds(), in_dims=(None, 0))(x.clone(), y)
    with pytest.raises(evox_mlir.CompileError,
                       match=r"test_vmap.py.*inplace arithmetic.*argument 0"):
        evox_mlir.compile(torch.jit.script(Adds()), {"many": (x, y)},
                          transforms={"many": "vmap(forward, in_dims=(None, 0))"})
    y = torch.rand(4)
    xs = torch.rand(3, 4)
    program = evox_mlir.compile(
        torch.jit.script(Adds()), {"many": (xs, y)},
        transforms={"many": "vmap(forward, in_dims=(0, None))"})
    same(program.many(xs, y),
         torch.func.vmap(Adds(), in_dims=(0, None))(xs.clone(), y))


def test_a_draw_is_an_error_on_demand():
    with pytest.raises(evox_mlir.CompileError, match="randomness error mode"):
        evox_mlir.compile(torch.jit.script(Walk()), {"many": (torch.rand(3),)},
                          transforms={"many": "vmap(use_state(forward), "
                                              "randomness='error')"})


def test_a_size_per_lane_is_refused():
    class Mask(torch.nn.Module):
        def forward(self, y: Tensor):
            return y[y > 0].sum()

    with pytest.raises(evox_mlir.CompileError,
                       match=r"test_vmap.py.*another size in each lane"):
        evox_mlir.compile(torch.jit.script(Mask()),
                          {"many": (torch.rand(3, 4),)},
                          transforms={"many": "vmap(forward)"})
    y = torch.rand(3, 4) - 0.5
    program = evox_mlir.compile(
        torch.jit.script(Mask()), {"many": (y,)},
        transforms={"many": "vmap(forward, strategy='lanes')"})
    same(program.many(y), torch.stack([r[r > 0].sum() for r in y]))


def test_an_assert_in_a_lane_tells():
    class Checks(torch.nn.Module):
        def forward(self, y: Tensor):
            assert y.sum() < 10.0, "too large"
            return y

    program = evox_mlir.compile(torch.jit.script(Checks()),
                                {"many": (torch.zeros(3, 4),)},
                                transforms={"many": "vmap(forward)"})
    program.many(torch.zeros(3, 4))
    with pytest.raises(evox_mlir.ProgramError, match="too large"):
        program.many(torch.tensor([[0.0], [9.0], [0.0]]).expand(3, 4).clone())
