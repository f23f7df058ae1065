# test_external.py - methods that stay in Python
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A method with `torch.jit.ignore` that is called becomes a call of the host:
of the module's own Python method, or of a function that is given for it."""

import subprocess
from typing import Dict, List, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from language import same

# --- own methods, bound by themselves ----------------------------------------

LOG = []


class Black(nn.Module):
    """Its evaluator is Python code."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.jit.ignore
    def evaluate(self, x: Tensor) -> Tensor:
        LOG.append(tuple(x.shape))
        return torch.from_numpy((x.numpy() ** 2).sum(axis=1))

    @torch.jit.ignore
    def scale(self, n: int, f: float, up: bool) -> float:
        assert (type(n), type(f), type(up)) == (int, float, bool)
        return f * n if up else f / n

    @torch.jit.ignore
    def done(self, x: Tensor) -> bool:
        return bool(x.sum() > 20)

    @torch.jit.ignore
    def note(self, x: Tensor, where: str) -> None:
        LOG.append((where, float(x.sum())))

    def forward(self, x: Tensor):
        self.count += 1
        return self.evaluate(x) * self.scale(3, 0.5, True), self.count

    @torch.jit.export
    def loop(self, x: Tensor):
        steps = 0
        while not self.done(x):
            x = x + self.scale(2, 1.0, False)
            self.note(x, "loop")
            steps += 1
        return x, steps

    @torch.jit.export
    def branch(self, x: Tensor):
        if bool(x.sum() > 0):
            y = self.evaluate(x)
            self.count += 10
        else:
            y = x[:, 0]
        for i in range(20):
            y = y + self.scale(i + 1, 1.0, True)
        return y


X = torch.linspace(-1, 2, 12).reshape(4, 3)


@pytest.fixture(scope="module")
def black():
    module = torch.jit.script(Black())
    program = evox_mlir.compile(
        module, {"forward": (X,), "loop": (X,), "branch": (X,)},
        externals={"evaluate": "float32[4]"})
    return module, program


def test_own_methods(black):
    module, program = black
    program = program.new_instance()
    same(module(X), program(X), "forward")
    LOG.clear()
    expected = module.loop(X)
    theirs = list(LOG)
    LOG.clear()
    same(expected, program.loop(X), "loop")
    assert LOG == theirs and len(LOG) == 3
    for x in (X, -X):
        LOG.clear()
        same(module.branch(x), program.branch(x), "branch")
        assert LOG[:1] == LOG[1:]  # called as often as in PyTorch
    assert program.get("count") == module.count


def test_what_the_library_says(black):
    signature = black[1].signature
    assert set(signature["externals"]) == {"evaluate", "scale", "done", "note"}
    types = signature["external_types"]["scale"]
    assert [leaf["number"] for leaf in types["args_tree"]["tuple"]] == \
        ["int", "float", "bool"]


def test_another_function(black):
    program = black[1].new_instance()
    program.set_external("evaluate", lambda x: x.sum(1) + 100)
    result, _ = program(X)
    torch.testing.assert_close(result, (X.sum(1) + 100) * 1.5)


def test_an_exception_is_reported_and_nothing_is_lost(black):
    program = black[1].new_instance()
    program(X)

    def broken(x):
        raise ValueError("the simulator is out of fuel")

    program.set_external("evaluate", broken)
    with pytest.raises(evox_mlir.ExternalError,
                       match="evaluate.*ValueError: the simulator is out of "
                             "fuel") as caught:
        program(X)
    assert isinstance(caught.value.__cause__, ValueError)
    assert program.get("count") == 1  # as before the call
    with pytest.raises(evox_mlir.ExternalError, match="out of fuel"):
        program.branch(X)
    assert program.get("count") == 1
    program.set_external("evaluate", lambda x: x[:, 0])
    assert program(X)[1] == 2


@pytest.mark.parametrize("value, text", [
    (torch.zeros(3), r"expected float32 \[4\], got float32 \[3\]"),
    (torch.zeros(4, dtype=torch.float64), "got float64"),
    (None, "NoneType"), ("four", "str"),
    ((torch.zeros(4), torch.zeros(4)), r"evaluate.*float32 \[4\]")])
def test_a_wrong_result_is_refused(black, value, text):
    program = black[1].new_instance()
    program.set_external("evaluate", lambda x: value)
    with pytest.raises(evox_mlir.ExternalError, match=text):
        program(X)
    assert program.get("count") == 0


def test_the_program_cannot_be_used_inside(black):
    program = black[1].new_instance()
    program.set_external("evaluate", lambda x: program.get("count"))
    with pytest.raises(evox_mlir.ExternalError, match="cannot use the program"):
        program(X)


def test_types_have_to_be_said():
    with pytest.raises(evox_mlir.CompileError) as caught:
        evox_mlir.compile(torch.jit.script(Black()), (X,))
    text = str(caught.value)
    assert "'evaluate' takes (float32[4,3]) and returns Tensor" in text
    assert '--external "evaluate:' in text and "test_external.py" in text


@pytest.mark.parametrize("types, text", [
    ("float32[4", "']' is missing"), ("flot[4]", "'flot'"),
    ("float32[4],bool", "put several results in parentheses")])
def test_bad_types(types, text):
    with pytest.raises(evox_mlir.CompileError, match="evaluate.*" + text):
        evox_mlir.compile(torch.jit.script(Black()), (X,),
                          externals={"evaluate": types})


# --- functions that are given ------------------------------------------------


class Problem(nn.Module):
    @torch.jit.ignore
    def evaluate(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor):
        return self.evaluate(x)


class Placeholder(nn.Module):
    """What stands in for the function in a file: its body is not used."""

    def evaluate(self, x: Tensor) -> Tensor:
        raise RuntimeError("to be supplied")

    def forward(self, x: Tensor):
        return self.evaluate(x)


class Workflow(nn.Module):
    def __init__(self, kind=Problem):
        super().__init__()
        self.problem, self.other = kind(), kind()
        self.register_buffer("best", torch.tensor(float("inf")))

    def forward(self, x: Tensor):
        f = self.problem(x) + self.other.evaluate(x.double())
        self.best = torch.minimum(self.best, f.min().float())
        return f


def test_types_are_taken_from_a_call():
    """Of each instance of a class its own function."""
    shapes = []

    def one(x):
        shapes.append(tuple(x.shape))
        return x.abs().sum(1)

    program = evox_mlir.compile(
        Workflow(), (X,), dynamic=["forward.x:0"],
        externals={"problem.evaluate": one,
                   "other.evaluate": lambda x: x.prod(1)})
    assert sorted(shapes) == [(2, 3), (3, 3)]  # at compile time, two sizes
    for n in (4, 1, 0 + 7, 100):
        x = torch.randn(n, 3)
        same(x.abs().sum(1) + x.double().prod(1), program(x), f"of {n}")
    # The host decides the size, and the program checks the relation.
    program.set_external("problem.evaluate", lambda x: x.sum(1)[:2])
    with pytest.raises(evox_mlir.ProgramError, match=r"\(2\).*\(4\)"):
        program(torch.randn(4, 3))


def test_a_function_that_fails_at_compile_time():
    def broken(x):
        raise KeyError("no such file")

    with pytest.raises(evox_mlir.CompileError, match="KeyError.*no such file"):
        evox_mlir.compile(Workflow(), (X,),
                          externals={"problem.evaluate": broken,
                                     "other.evaluate": broken})


def test_from_the_command_line(tools, tmp_path):
    """--external replaces any method of a file."""
    torch.jit.save(torch.jit.script(Workflow(Placeholder)),
                   str(tmp_path / "w.pt"))
    library = tmp_path / "libw.so"
    command = [tools / "evox-compile", tmp_path / "w.pt", "-o", library,
               "--input=forward:float32[4,3]",
               "--external=problem.evaluate:float32[4]",
               "--external=other.evaluate:float64[?]"]
    subprocess.run(command, check=True)
    program = evox_mlir.load(library, {"problem.evaluate": lambda x: x[:, 0],
                                       "other.evaluate": lambda x: x[:, 1]})
    same(X[:, 0] + X[:, 1].double(), program(X))
    with pytest.raises(evox_mlir.ExternalError,
                       match="'problem.evaluate' is missing"):
        evox_mlir.load(library)(X)
    # evox-run has nobody to ask.
    done = subprocess.run([tools / "evox-run", library, "forward"],
                          capture_output=True, text=True)
    assert done.returncode != 0 and "Stack dump" not in done.stderr
    command[-1] = "--external=other.evaluate"
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "expected NAME:TYPES" in done.stderr


# --- structures, dtypes, sizes -----------------------------------------------


class Shapes(nn.Module):
    @torch.jit.ignore
    def split(self, x: Tensor) -> Tuple[Tensor, Tuple[Tensor, int]]:
        return x[x > 0], (x[x <= 0][:, None].repeat(1, 2), x.numel())

    @torch.jit.ignore
    def many(self, parts: List[Tensor], named: Dict[str, Tensor],
             pair: Tuple[int, Tensor], none: Optional[Tensor]) -> Tensor:
        assert none is None and set(named) == {"a", "b"} and len(parts) == 2
        return sum(p.sum() for p in parts) + named["a"] * pair[0] + \
            named["b"].sum() + pair[1].sum()

    @torch.jit.ignore
    def bytes(self, x: Tensor) -> Tensor:
        assert x.dtype == torch.uint8
        return 255 - x

    @torch.jit.ignore
    def half(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return x.half(), (x > 0)

    def forward(self, x: Tensor):
        a, (b, n) = self.split(x)
        return a * 2, b + 1, n, a.shape[0] + b.shape[0]

    @torch.jit.export
    def nested(self, x: Tensor):
        return self.many([x, x * 2], {"a": x[0], "b": x}, (3, x), None)

    @torch.jit.export
    def images(self, x: Tensor):
        return self.bytes(x), self.bytes(x[1:]).float().sum()

    @torch.jit.export
    def halves(self, x: Tensor):
        h, m = self.half(x)
        return h + 1, m, x[m]


def test_structures_dtypes_and_sizes():
    module = torch.jit.script(Shapes())
    image = torch.arange(250, 256, dtype=torch.uint8)
    program = evox_mlir.compile(
        module, {"forward": (X[0],), "nested": (X[0],), "images": (image,),
                 "halves": (X[0],)},
        dynamic=["forward.x:0", "images.x:0"],
        externals={"split": "(float32[?],(float32[?,2],int))",
                   "many": "float32[]", "bytes": "uint8[?]",
                   "half": "(float16[3],bool[?])"})
    for n in (0, 1, 7, 1000):
        x = torch.randn(n)
        same(module(x), program.forward(x), f"of {n}")
    same(module.nested(X[0]), program.nested(X[0]))
    same(module.halves(X[0]), program.halves(X[0]))
    for x in (image, image[:1]):
        same(module.images(x), program.images(x), "uint8")


def test_an_open_result_of_a_wrong_type():
    program = evox_mlir.compile(
        torch.jit.script(Shapes()), (X[0],),
        externals={"split": "(float32[?],(float32[?,2],int))"})
    for value, text in (
            ((X[0], (X, 1)), r"expected float32 \[any, 2\], got float32 \[4, 3\]"),
            ((X[0].double(), (X[:, :2], 1)), "float64"),
            ((X, (X[:, :2], 1)), r"float32 \[any\]"),
            ((X[0], X[:, :2]), "tuple")):
        program.set_external("split", lambda x: value)
        with pytest.raises(evox_mlir.ExternalError, match=text):
            program.forward(X[0])


class Stream(nn.Module):
    """A data loader whose last batch is smaller."""

    def __init__(self, sizes):
        super().__init__()
        self.at = -1
        self.sizes = sizes
        self.weight = nn.Parameter(torch.ones(3))

    @torch.jit.ignore
    def reset(self) -> None:
        STREAM.clear()
        STREAM.extend(torch.full((n, 3), float(n)) for n in (4, 4, 2))

    @torch.jit.ignore
    def more(self) -> bool:
        return len(STREAM) > 0

    @torch.jit.ignore
    def take(self) -> Tuple[Tensor, Tensor]:
        x = STREAM.pop(0)
        return x, x[:, 0].long()

    def forward(self):
        total, n = torch.zeros(()), 0
        self.reset()
        while self.more():
            x, y = self.take()
            total = total + ((x * self.weight).sum(1) - y).sum()
            n += x.size(0)
        return total / n


STREAM = []


def test_a_stream_of_batches():
    module = torch.jit.script(Stream([4, 4, 2]))
    program = evox_mlir.compile(
        module, "forward",
        externals={"take": "(float32[?,3],int64[?])"})
    same(module().detach(), program.forward())
    assert not STREAM


# --- EvoX's supervised learning ----------------------------------------------


def supervised(pop_size, batch, n=20):
    """EvoX's own problem with a small network, a data loader, and a loss."""
    from evox.problems.neuroevolution.supervised_learning import \
        SupervisedLearningProblem
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    data = TensorDataset(torch.randn(n, 4), torch.randn(n, 3))
    # Each pass over a DataLoader draws a seed: not from the generator that the
    # workflow draws from, which the compiled program has a copy of.
    loader = DataLoader(data, batch_size=batch, generator=torch.Generator())
    problem = SupervisedLearningProblem(model, loader, nn.MSELoss(),
                                        pop_size=pop_size)
    return model, problem


@pytest.mark.parametrize("pop_size", [5, 1])
def test_supervised_learning(pop_size):
    model, problem = supervised(pop_size, 10)
    params = {name: torch.randn(pop_size, *value.shape)
              for name, value in model.named_parameters()}
    expected = problem.evaluate(params)
    program = evox_mlir.compile(
        problem, {"evaluate": (params,)},
        externals={"_data_loader_next": "(float32[10,4],float32[10,3])"})
    got = program.evaluate(params)
    torch.testing.assert_close(got, expected)
    other = {name: value * 0.5 for name, value in params.items()}
    torch.testing.assert_close(program.evaluate(other), problem.evaluate(other))


def test_a_supervised_workflow(tmp_path):
    """Neuroevolution as one program: it asks Python for batches only."""
    from evox import algorithms, utils, workflows

    model, problem = supervised(6, 10)
    adapter = utils.ParamsAndVector(dummy_model=model)
    center = adapter.to_vector(dict(model.named_parameters()))
    workflow = workflows.StdWorkflow()
    torch.manual_seed(2)
    workflow.setup(algorithms.PSO(6, center - 1, center + 1), problem,
                   solution_transform=adapter)
    workflow.step
    program = evox_mlir.compile(
        workflow, ("init_step", "step"),
        externals={"_problem_._data_loader_next":
                   "(float32[10,4],float32[10,3])",
                   "algorithm._problem_._data_loader_next":
                   "(float32[10,4],float32[10,3])"})
    torch.manual_seed(3)
    program.seed(3)
    for entry in ("init_step", *["step"] * 5):
        getattr(workflow, entry)()
        getattr(program, entry)()
        state = workflow.__jit_module__.algorithm
        for name in ("global_best_fitness", "population", "velocity"):
            torch.testing.assert_close(program.get(f"algorithm.{name}"),
                                       getattr(state, name),
                                       msg=f"{entry}: {name}")
    program.save(tmp_path / "half.safetensors")
    other = program.new_instance().load(tmp_path / "half.safetensors")
    other.run("step", 3)
    program.run("step", 3)
    same(program.state_dict(), other.state_dict())
