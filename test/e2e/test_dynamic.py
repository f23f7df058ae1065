# test_dynamic.py - dimensions left open
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A module compiled once answers for every size as PyTorch does: `dynamic=`
and `--dynamic` leave dimensions open."""

import subprocess
from typing import Dict, List, Tuple

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from language import detached, same

SIZES = (7, 0, 1, 1000)


# Dot products and sums of exponentials: PyTorch's libraries add in another
# order than the compiled loops do.
LOOSE = dict(rtol=1e-5, atol=3e-5)


def check(module, examples, dynamic, calls, seed=3, loose=False):
    """Compiles for `examples`, then calls with each of `calls`; where PyTorch
    raises, so must the program. Returns the texts of those errors."""
    torch.manual_seed(seed)
    module = torch.jit.script(module)
    program = evox_mlir.compile(module, {"forward": tuple(examples)},
                                dynamic=dynamic)
    errors = []
    for args in calls:
        sizes = [tuple(a.shape) for a in args if isinstance(a, Tensor)]
        torch.manual_seed(seed)
        program.seed(seed)
        try:
            with torch.jit.optimized_execution(False):
                expected = detached(module(*detached(tuple(args))))
        except (RuntimeError, IndexError) as error:
            with pytest.raises(evox_mlir.Error) as caught:
                program.forward(*args)
            errors.append(str(caught.value))
            continue
        got = program.forward(*args)
        if loose:
            torch.testing.assert_close(got, expected, **LOOSE)
        else:
            same(expected, got, f"of {sizes}")
    return errors


def over(fn, shape, sizes=SIZES, dtype=torch.float32, dims=(0,), errors=0,
         loose=False):
    """One tensor whose `dims` take each size."""
    def make(n):
        torch.manual_seed(n)
        real = [n if i in dims else s for i, s in enumerate(shape)]
        x = torch.randn(real)
        return ((x * 5).to(dtype),)

    module = fn if isinstance(fn, nn.Module) else One(fn)
    got = check(module, make(5), {"forward": {"x": list(dims)}},
                [make(n) for n in sizes], loose=loose)
    assert len(got) == errors, got


class One(nn.Module):
    """A function of one tensor as a module."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn
        self.scale = nn.Parameter(torch.linspace(0.5, 2, 3))

    def forward(self, x: Tensor):
        return self.fn(x)


# --- networks ----------------------------------------------------------------


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 16), nn.Tanh(), nn.LayerNorm(16), nn.Linear(16, 8),
            nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 4), nn.GELU(),
            nn.Sigmoid(), nn.Softmax(dim=-1))

    def forward(self, x: Tensor):
        return self.layers(x)


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4 * 3 * 3, 5)

    def forward(self, x: Tensor):
        x = self.pool(torch.relu(self.conv(x)))
        return torch.log_softmax(self.head(x.flatten(1)), dim=1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor):
        return nn.functional.scaled_dot_product_attention(
            self.q(x), self.k(x), self.v(x))


def test_mlp():
    model = MLP()
    with torch.no_grad():
        model.layers[5].running_mean.uniform_(-1, 1)
    over(model.eval(), (5, 3))


def test_conv_net():
    over(Conv().eval(), (5, 2, 6, 6), sizes=(7, 1, 100))


def test_attention_with_open_length():
    over(Attention().eval(), (2, 5, 4), dims=(0, 1), sizes=(3, 1, 9),
         loose=True)


def test_batch_norm_in_training():
    model = nn.BatchNorm1d(3)
    module = torch.jit.script(model)
    program = evox_mlir.compile(module, (torch.ones(4, 3),),
                                dynamic=["forward.input:0"])
    for n in (7, 2, 1000):
        x = torch.randn(n, 3)
        same(module(x).detach(), program(x), f"of {n}")
        same(module.running_var, program.get("running_var"), f"after {n}")


# --- one function a row ------------------------------------------------------

FUNCTIONS = {}


def row(shape=(5, 3), **options):
    def add(fn):
        FUNCTIONS[fn.__name__] = (fn, shape, options)
        return fn
    return add


@row()
def pointwise(x: Tensor):
    return x * 2 + x.sin().abs() - x.clamp(-1.0, 1.0) ** 2


@row()
def where_and_masks(x: Tensor):
    y = torch.where(x > 0, x, -x)
    return y, (x > 0).sum(), x[x > 0], x.masked_fill(x < 0, 9.0)


@row()
def reductions(x: Tensor):
    return (x.sum(0), x.sum(1), x.mean(0), x.mean(), x.prod(0), x.sum(),
            x.any(), x.all(0), x.norm(), x.norm(2, dim=1), x.var(1),
            x.amax(1), x.argmin(1))


@row(sizes=(7, 1, 1000))
def reductions_of_something(x: Tensor):
    return (x.max(), x.min(0), x.amax(0), x.argmax(0), x.argmax(), x.std(0),
            x.median(0)[0], x.logsumexp(0))


@row(errors=1)
def max_of_nothing(x: Tensor):
    return x.max(0)


@row()
def scans(x: Tensor):
    return x.cumsum(0), x.cumprod(1), x.cummax(0)[0], x.cumsum(1)


@row(loose=True)
def softmaxes(x: Tensor):
    return torch.softmax(x, 0), torch.log_softmax(x, 1)


@row()
def cats(x: Tensor):
    return (torch.cat([x, x * 2, torch.ones(2, 3)]), torch.stack([x, x], 1),
            torch.cat([x, x], dim=1), torch.vstack((x, x)))


@row()
def shapes(x: Tensor):
    n = x.shape[0]
    return (x.reshape(-1), x.view(n, 3, 1), x.reshape(1, -1, 3), x.t(),
            x.flatten(), x.unsqueeze(1), x.transpose(0, 1).contiguous(),
            x.expand(2, n, 3), x.repeat(2, 1), x[:, None, :] * x[None, :, :1],
            x.size(), x.numel(), len(x))


@row()
def reshape_one_to_many(x: Tensor):
    return x.reshape(-1, 1, 3), x.reshape(x.shape[0] * 3), x.ravel()


@row((6, 4), sizes=(0, 8, 2, 1000, 7), errors=1)
def reshape_that_needs_even(x: Tensor):
    return x.reshape(-1, 2, 4)


@row((6, 4), sizes=(0, 8, 2, 1000, 7), errors=1)
def view_that_needs_even(x: Tensor):
    return x.view(x.shape[0] // 2, 8)


@row(sizes=(0, 1, 7, 300), loose=True)
def matmuls(x: Tensor):
    return (x @ x.t(), x.t() @ x, x @ torch.ones(3), torch.mm(x, torch.eye(3)),
            torch.einsum("ni,mi->nm", x, x), x.matmul(torch.ones(2, 3, 4)),
            torch.bmm(x.unsqueeze(1), x.unsqueeze(2)),
            torch.cdist(x, torch.ones(4, 3)),
            torch.addmm(torch.ones(3), x, torch.ones(3, 3)))


@row()
def indexing(x: Tensor):
    n = x.shape[0]
    i = torch.arange(n)
    return (x[:n // 2], x[n // 2:], x[::2], x[:, 1], x[i.flip(0)],
            x[i % 2 == 0], x[-2:], x[..., -1], x[i, i % 3],
            x.index_select(0, i), x.gather(1, (i % 3)[:, None]))


@row(sizes=(7, 1, 1000, 0), errors=1)
def first_row(x: Tensor):
    return x[0], x[-1]


@row(sizes=(7, 3, 1000, 2), errors=1)
def a_row_that_may_be_missing(x: Tensor):
    return x[2]


@row(sizes=(7, 1, 1000))
def sorts(x: Tensor):
    return (x.sort(0), x.argsort(dim=0), x.sort(dim=1, descending=True),
            x[:, 0].topk(1), x.kthvalue(1, 0)[0])


@row()
def sorts_of_nothing_too(x: Tensor):
    return x.sort(0), x[:, 0].argsort(stable=True), x[torch.argsort(x[:, 0])]


@row(sizes=(7, 3, 1000, 2), errors=1)
def topk_of_three(x: Tensor):
    return torch.topk(x, 3, dim=0)


@row(sizes=(8, 2, 1000, 0))
def topk_of_half(x: Tensor):
    return torch.topk(x[:, 0], x.shape[0] // 2)


@row()
def creation(x: Tensor):
    n = x.shape[0]
    return (torch.zeros(n, 2), torch.ones_like(x), torch.arange(n),
            torch.full((n,), 2.5), torch.eye(n)[:5, :5], x.new_zeros(n + 1),
            torch.linspace(0, 1, n), torch.empty_like(x).fill_(3.0))


@row()
def draws(x: Tensor):
    n = x.shape[0]
    return (torch.randn(n, 3), torch.rand_like(x), torch.randperm(n),
            torch.randint(0, 10, (n,)), torch.randn(x.shape[0]),
            torch.rand(n, 2) + torch.rand(1))


@row()
def in_place(x: Tensor):
    y = x.clone()
    y += 1
    y[:, 0] = 5.0
    y[1:] *= 2.0
    half = y[: x.shape[0] // 2]
    half.sub_(3.0)
    half[:, 1].zero_()
    y.t()[2].add_(1.0)
    y[y > 4] = -1.0
    return y, half


@row()
def in_place_of_the_argument(x: Tensor):
    view = x[:, 1]
    view.mul_(2.0)
    x.view(-1)[1:].add_(1.0)
    return x, view


@row(sizes=(0, 1, 7, 40))
def loop_over_rows(x: Tensor):
    total = torch.zeros(3)
    best = torch.zeros(())
    for i in range(x.shape[0]):
        total = total * 0.5 + x[i]
        if bool(x[i, 0] > best):
            best = x[i, 0]
    return total, best


@row(sizes=(0, 1, 7, 40))
def loop_that_writes_rows(x: Tensor):
    y = torch.zeros_like(x)
    for i in range(x.shape[0]):
        y[i] = x[x.shape[0] - 1 - i] + i
    return y


@row()
def branch_on_size(x: Tensor):
    if x.shape[0] > 5:
        y = x * 2
    else:
        y = x - 1
    return y, x.shape[0] > 5


@row()
def numbers_of_sizes(x: Tensor):
    n = x.shape[0]
    return n, n * 2 + 1, n / 2, n // 3, n % 4, float(n), -n, min(n, 5), \
        max(n, 5), n == 7, x.sum() / max(n, 1)


@row((5, 3), dims=(0, 1), sizes=(1, 4, 17, 0), loose=True)
def two_open(x: Tensor):
    return x.sum(0), x.t() @ x, x.reshape(-1), x * x.mean(), x + x.t(), \
        x.flip(1), torch.roll(x, 1, 0)


@row((5, 3), dims=(-1,), sizes=(1, 4, 17))
def the_last_one(x: Tensor):
    return x.softmax(-1), x.sum(-1), x.mean(-1, keepdim=True), x.sort(-1)[0]


@row()
def broadcasts(x: Tensor):
    n = x.shape[0]
    return (x + torch.ones(3), x * torch.ones(n, 1), x[:, None] - x[None],
            x + torch.ones(1, 3), torch.ones(n, 1, 1) * x)


@row(sizes=(7, 1, 0, 1000), errors=2)
def broadcast_against_static(x: Tensor):
    return x * torch.ones(7, 3)


@row(dtype=torch.int64)
def integers(x: Tensor):
    return (x.sum(), x // 2, x % 3, x.bitwise_and(1), torch.bincount(x[:, 0].abs()),
            torch.unique(x), torch.isin(x, torch.arange(3)), x.float())


@row()
def chunks_and_pads(x: Tensor):
    return (torch.nn.functional.pad(x, (1, 1)), x.roll(1), x.flip(0),
            torch.nn.functional.pad(x, (0, 0, 2, 1)), x.tile(2, 1),
            torch.tril(x), x.split(2, dim=1))


@row((5, 3), sizes=(0, 1, 7, 1000))
def losses(x: Tensor):
    t = torch.zeros(x.shape[0], dtype=torch.long)
    return (nn.functional.mse_loss(x, torch.ones_like(x)),
            nn.functional.l1_loss(x, x * 2, reduction="sum"),
            nn.functional.cross_entropy(x, t, reduction="none"))


@row(sizes=(7, 1, 1000, 0))
def scatters(x: Tensor):
    n = x.shape[0]
    i = torch.arange(n) % 3
    out = torch.zeros(3).index_add(0, i, x[:, 0])
    two = torch.zeros(n, 3).scatter(1, i[:, None], x[:, :1])
    three = x.clone()
    three[torch.arange(n), i] = 0.0
    return out, two, three, nn.functional.one_hot(i, 3)


def dominates(x: Tensor):
    """Non-domination ranks, as in NSGA2."""
    less = (x[:, None] <= x[None]).all(2) & (x[:, None] < x[None]).any(2)
    rank = torch.zeros(x.shape[0], dtype=torch.long)
    count = less.sum(0)
    front = count == 0
    r = 0
    while bool(front.any()):
        rank = torch.where(front, torch.full_like(rank, r), rank)
        count = count - (front[:, None] & less).sum(0)
        count = torch.where(front, torch.full_like(count, -1), count)
        front = count == 0
        r += 1
    return rank


row(sizes=(7, 1, 0, 60))(dominates)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name):
    fn, shape, options = FUNCTIONS[name]
    over(torch.jit.script(fn), shape, **options)


# --- several arguments -------------------------------------------------------


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor):
        z = x + y
        return z * x - y, (x < y).sum(), torch.where(x > 0, x, y), z.sum(0)


def test_two_arguments_broadcast():
    """Sizes are equal, or one of them is 1; else the error names both."""
    def make(n, m):
        return torch.randn(n, 3), torch.randn(m, 3)

    open_both = {"forward": {"x": [0], "y": [0]}}
    pairs = [(7, 7), (1, 7), (7, 1), (0, 0), (0, 1), (1, 0), (1000, 1000),
             (7, 8), (0, 3), (1, 1)]
    errors = check(Two(), make(5, 5), open_both, [make(*p) for p in pairs])
    assert len(errors) == 2
    assert "(7)" in errors[0] and "(8)" in errors[0]
    assert "(0)" in errors[1] and "(3)" in errors[1]


def test_an_argument_broadcasts_to_a_known_size():
    def make(n):
        return torch.randn(n, 3), torch.randn(7, 3)

    errors = check(Two(), make(7), {"forward": {"x": [0]}},
                   [make(n) for n in (7, 1, 0, 1000)])
    assert len(errors) == 2
    assert all("(7)" in text for text in errors)
    assert "(0)" in errors[0] and "(1000)" in errors[1]


# Each has a relation between two sizes.

RELATIONS = {}


def relation(fn):
    RELATIONS[fn.__name__] = fn
    return fn


@relation
def matmul(x: Tensor, y: Tensor):
    return x @ y.t()


@relation
def cat(x: Tensor, y: Tensor):
    return torch.cat([x, y], dim=1)


@relation
def stack(x: Tensor, y: Tensor):
    return torch.stack([x, y])


@relation
def add_in_place(x: Tensor, y: Tensor):
    z = x.clone()
    z += y
    return z


@relation
def assign_all(x: Tensor, y: Tensor):
    z = x.clone()
    z[:] = y
    return z


@relation
def mask_of_the_other(x: Tensor, y: Tensor):
    return x[y[:, 0] > 0]


@relation
def reshape_as(x: Tensor, y: Tensor):
    return x.reshape(y.shape)


@relation
def bmm(x: Tensor, y: Tensor):
    return torch.bmm(x[:, :, None], y[:, None, :])


@relation
def expand(x: Tensor, y: Tensor):
    return x.expand(y.shape[0], 3)


@relation
def index_by_the_other(x: Tensor, y: Tensor):
    return x[y[:, 0].abs().long()]


@relation
def mse_loss(x: Tensor, y: Tensor):
    return nn.functional.mse_loss(x, y, reduction="none")


@relation
def addmm_and_norm(x: Tensor, y: Tensor):
    return torch.addmm(x, x, torch.eye(3)), torch.linalg.norm(x - y)


@relation
def scatter(x: Tensor, y: Tensor):
    return x.scatter(0, y.abs().long(), 1.0)


@relation
def gather(x: Tensor, y: Tensor):
    return x.gather(0, y.abs().long())


@relation
def outer_and_dot(x: Tensor, y: Tensor):
    return torch.outer(x[:, 0], y[:, 0]), torch.dot(x[:, 0], y[:, 0])


@relation
def masked_fill(x: Tensor, y: Tensor):
    return x.masked_fill(y > 0, 2.0), torch.minimum(x, y)


@relation
def assign_rows(x: Tensor, y: Tensor):
    z = x.clone()
    z[: y.shape[0]] = y
    return z


@relation
def copy_in_place(x: Tensor, y: Tensor):
    z = x.clone()
    z.copy_(y)
    return z


class Both(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = torch.jit.script(fn)

    def forward(self, x: Tensor, y: Tensor):
        return self.fn(x, y)


@pytest.mark.parametrize("name", RELATIONS)
def test_relation(name):
    """What PyTorch accepts gives its numbers; what it refuses, an error."""
    def make(n, m):
        torch.manual_seed(n)
        return torch.randn(n, 3) * 2, torch.randn(m, 3) * 2

    pairs = [(7, 7), (1, 1), (0, 0), (1, 7), (7, 1), (4, 7), (1000, 1000)]
    errors = check(Both(RELATIONS[name]), make(5, 5),
                   ["forward.x:0", "forward.y:0"], [make(*p) for p in pairs],
                   loose=True)
    for text in errors:
        assert "size" in text or "index" in text or "shape" in text, text


class Nested(nn.Module):
    def forward(self, state: Dict[str, Tensor],
                pair: Tuple[Tensor, List[Tensor]], n: int):
        fit = (state["pop"] * pair[0]).sum(1)
        for t in pair[1]:
            fit = fit + t.sum()
        return {"fit": fit, "best": state["pop"][fit.argmin()] * n}, \
            (pair[1][0] * 2, len(pair[1]))


def test_nested_arguments():
    def make(n, m):
        return ({"pop": torch.randn(n, 3), "w": torch.randn(3)},
                (torch.randn(n, 1), [torch.randn(m, 2), torch.randn(2)]), n)

    dynamic = ["forward.state.pop:0", "forward.pair.0:0", "forward.pair.1.0:-2"]
    assert not check(Nested(), make(5, 4), dynamic,
                     [make(n, m) for n in (1, 7, 1000) for m in (0, 1, 7)])


class Stateful(nn.Module):
    """State that takes the size of an argument."""

    def __init__(self):
        super().__init__()
        self.register_buffer("last", torch.zeros(2, 3))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor):
        before = self.last.sum()
        self.last = x * 2
        self.count += x.shape[0]
        return before, self.last.shape[0]

    @torch.jit.export
    def draw(self, n: int):
        return torch.randn(n, 3), self.last.mean(0)


def test_state_of_an_open_size(tmp_path):
    module = torch.jit.script(Stateful())
    program = evox_mlir.compile(
        module, {"forward": (torch.ones(5, 3),), "draw": (4,)},
        dynamic={"forward": {"x": [0]}})
    for n in (7, 1, 3, 1000):
        x = torch.randn(n, 3)
        torch.manual_seed(n)
        program.seed(n)
        same(module(x), program.forward(x), f"of {n}")
        same(module.draw(n), program.draw(n), f"draw({n})")
        same(dict(module.state_dict()), program.state_dict(), f"after {n}")
        program.save(tmp_path / "state.safetensors")
        other = program.new_instance().load(tmp_path / "state.safetensors")
        same(program.state_dict(), other.state_dict(), "the checkpoint's")


# --- problems of EvoX --------------------------------------------------------


class Evaluation(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.problem = problem.__inner_module__

    def forward(self, pop: Tensor):
        return self.problem.evaluate(pop)


@pytest.mark.parametrize("name", ["Ackley", "Griewank", "Rastrigin",
                                  "Rosenbrock", "Schwefel", "Sphere",
                                  "CEC2022", "DTLZ1", "DTLZ2", "DTLZ7"])
def test_problem_with_open_population(name):
    from evox.problems import numerical

    kind = getattr(numerical, name)
    problem = kind(1, 10) if name == "CEC2022" else \
        kind(d=10, m=3) if name.startswith("DTLZ") else kind()
    module = torch.jit.script(Evaluation(problem))
    program = evox_mlir.compile(module, (torch.rand(5, 10),),
                                dynamic={"forward": {"pop": 0}})
    for n in (7, 1, 1000):
        pop = torch.rand(n, 10) * 2
        torch.testing.assert_close(program(pop), module(pop), **LOOSE)


# --- what --dynamic says -----------------------------------------------------


@pytest.fixture(scope="module")
def nested_pt(tmp_path_factory):
    path = tmp_path_factory.mktemp("nested") / "nested.pt"
    torch.jit.save(torch.jit.script(Nested()), str(path))
    return path


INPUT = '--input=forward:{"pop":float32[5,3]},(float32[5,1],[float32[2,2]]),int'


@pytest.mark.parametrize("tool", ["evox-import", "evox-compile"])
def test_tools_take_dynamic(tools, nested_pt, tool, tmp_path):
    done = subprocess.run(
        [tools / tool, nested_pt, INPUT, "--dynamic=forward.state.pop:0",
         "--dynamic", "forward.pair.0:0,-1", "-o", tmp_path / "out",
         *(["--emit=evox"] if tool == "evox-compile" else [])],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out").read_text()
    assert "tensor<?x3xf32>" in text and "tensor<?x?xf32>" in text


@pytest.mark.parametrize("given, parts", [
    ("forward.z:0", ["no argument 'z'", "state.pop, pair.0, pair.1.0"]),
    ("forward.state:0", ["'state'", "no tensor", "state.pop"]),
    ("forward.n:0", ["'n'", "no tensor"]),
    ("forward.state.pop:2", ["'state.pop'", "2 dimensions", "no dimension 2"]),
    ("forward.state.pop:-3", ["'state.pop'", "no dimension -3"]),
    ("step.x:0", ["unknown method 'step'", "forward"]),
    ("forward.x", ["expected METHOD.ARG:DIMS"]),
    ("forward:0", ["expected METHOD.ARG:DIMS"]),
    ("forward.x:a", ["expected METHOD.ARG:DIMS"]),
    ("forward.x:0,", ["expected METHOD.ARG:DIMS"]),
])
def test_bad_dynamic(tools, nested_pt, given, parts):
    done = subprocess.run([tools / "evox-import", nested_pt, INPUT,
                           f"--dynamic={given}"],
                          capture_output=True, text=True)
    assert done.returncode == 1
    for part in ["--dynamic", *parts]:
        assert part in done.stderr, done.stderr


@pytest.mark.parametrize("dynamic", [
    {"forward": [0]}, {"forward": {"x": "0"}}, {"forward": {"x": 0.5}}, 7,
    [("x", 0)]])
def test_bad_dynamic_in_python(dynamic):
    with pytest.raises(evox_mlir.ArgumentError, match="dynamic: expected"):
        evox_mlir.compile(MLP(), (torch.ones(5, 3),), dynamic=dynamic)


def test_a_closed_dimension_stays_closed():
    program = evox_mlir.compile(MLP().eval(), (torch.ones(5, 3),),
                                dynamic={"forward": {"x": 0}})
    with pytest.raises(evox_mlir.ArgumentError, match=r"\(2, 4\)|\[2, ?4\]"):
        program(torch.ones(2, 4))
