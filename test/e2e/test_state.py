# test_state.py - instances, runs and checkpoints
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import subprocess
import sys
import textwrap
import threading
from typing import Dict, List, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
import evox_cases
import language
from evox_cases import Case, Tally

CASES = [Case("PSO", "Ackley", pop=40, dim=6),
         Case("CSO", "Rastrigin", pop=40, dim=6),
         # An odd count of normals: the generator keeps one for later.
         Case("OpenES", "Sphere", pop=3, dim=5,
              extra=(("mirrored_sampling", False),)),
         Case("SNES", "Sphere", pop=40, dim=6),
         Case("DE", "Sphere", pop=40, dim=6)]


def same(one, other):
    """Every bit of the state, without a tolerance; the generator too."""
    ours, theirs = one.state_dict(), other.state_dict()
    for program, state in ((one, ours), (other, theirs)):
        state["generator"] = program.get(evox_cases.GENERATOR)
    assert ours.keys() == theirs.keys()
    return all(torch.equal(evox_cases.bits(ours[name]),
                           evox_cases.bits(theirs[name])) for name in ours)


def started(program, seed=42):
    program = program.new_instance()
    program.seed(seed)
    program.init_step()
    return program


@pytest.mark.parametrize("case", CASES, ids=str)
def test_run_is_n_calls(case):
    program = evox_cases.compile_case(case)
    one, other = started(program), started(program)
    one.run("step", 37)
    for _ in range(37):
        other.step()
    assert same(one, other)


def test_run_of_nothing(small):
    one, other = started(small), started(small)
    one.run("step", 0)
    assert same(one, other)
    with pytest.raises(evox_mlir.ArgumentError, match="-1"):
        one.run("step", -1)


@pytest.mark.parametrize("rng", ["torch", "philox"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_continue_in_a_new_process(case, rng, tmp_path):
    program = evox_cases.compile_case(
        case, rng=rng, output=tmp_path / "libprogram.so")
    whole = started(program)
    whole.run("step", 30)
    half = started(program)
    half.run("step", 13)
    half.save(tmp_path / "half.safetensors")
    script = textwrap.dedent("""
        import sys, evox_mlir
        assert "torch" not in sys.modules
        program = evox_mlir.load(sys.argv[1])
        program.load(sys.argv[2])
        program.run("step", 17)
        program.save(sys.argv[3])
    """)
    subprocess.run([sys.executable, "-c", script,
                    tmp_path / "libprogram.so", tmp_path / "half.safetensors",
                    tmp_path / "end.safetensors"], check=True)
    other = program.new_instance()
    other.load(tmp_path / "end.safetensors")
    assert same(whole, other)


def test_checkpoint_is_safetensors(small, tmp_path):
    """The library of that name reads it, and finds the state."""
    from safetensors.torch import load_file

    program = started(small)
    program.run("step", 3)
    program.save(tmp_path / "state.safetensors")
    tensors = load_file(tmp_path / "state.safetensors")
    for name, value in program.state_dict().items():
        assert torch.equal(tensors[name], value), name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.safetensors"]


def test_save_over_an_older_one(small, tmp_path):
    program = started(small)
    path = tmp_path / "state.safetensors"
    program.save(path)
    program.step()
    program.save(path)
    other = small.new_instance()
    other.load(path)
    assert same(program, other)


def test_save_into_no_folder(small, tmp_path):
    with pytest.raises(evox_mlir.FileError, match="nowhere"):
        small.new_instance().save(tmp_path / "nowhere" / "state.safetensors")


def test_reset(small):
    fresh, program = small.new_instance(), started(small)
    program.run("step", 3)
    assert not same(fresh, program)
    program.reset()
    assert same(fresh, program)


def test_two_instances_do_not_disturb_each_other(small):
    one, other = started(small, 1), started(small, 2)
    alone_one, alone_other = started(small, 1), started(small, 2)
    for _ in range(10):
        one.step()
        other.step()
    alone_one.run("step", 10)
    alone_other.run("step", 10)
    assert same(one, alone_one)
    assert same(other, alone_other)
    assert not same(one, other)


def test_two_libraries_in_one_process():
    cases = CASES[0], CASES[4]
    one, other = (evox_cases.compile_case(case) for case in cases)
    assert one.library.path != other.library.path
    alone = [started(program) for program in (one, other)]
    for program in alone:
        program.run("step", 10)
    one, other = started(one), started(other)
    for _ in range(10):
        one.step()
        other.step()
    assert same(one, alone[0])
    assert same(other, alone[1])


def test_two_threads(small):
    """Each with its own instance, at the same time."""
    programs = [started(small, seed) for seed in range(2)]
    expected = [started(small, seed) for seed in range(2)]
    for program in expected:
        program.run("step", 300)
    start = threading.Barrier(2)
    failures = []

    def work(program):
        try:
            start.wait()
            for _ in range(30):
                program.run("step", 10)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(p,)) for p in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for program, wanted in zip(programs, expected):
        assert same(program, wanted)


def test_state_dict_round_trip(small):
    program, other = started(small), small.new_instance()
    program.run("step", 3)
    other.load_state_dict(program.state_dict())
    other.set(evox_cases.GENERATOR, program.get(evox_cases.GENERATOR))
    assert same(program, other)


def test_state_is_pytorchs_from_the_start():
    """The initial values, and the names and their order."""
    case = CASES[0]
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    evox_cases.compare_state(program, workflow, Tally(), "initial")
    assert set(workflow.state_dict()) == set(program.state_dict())


def test_philox_is_another_generator(small):
    case = Case("PSO", "Ackley", pop=40, dim=6)
    program = evox_cases.compile_case(case, rng="philox")
    one, other = started(program, 9), started(program, 9)
    one.run("step", 5)
    other.run("step", 5)
    assert same(one, other)
    with_torch = started(small, 9)
    with_torch.run("step", 5)
    assert not same(one, with_torch)
    assert program.signature["options"]["rng"] == "philox"


# --- phases and lists --------------------------------------------------------


def play(module, calls, tmp_path, examples=None):
    """PyTorch and the program side by side: results and state after every
    call. At every step a fresh instance that loads a checkpoint goes on as the
    program does, and a second instance is not disturbed."""
    script = torch.jit.script(module)
    methods = dict(examples or {})
    for name, *args in calls:
        methods.setdefault(name, tuple(args))
    program = evox_mlir.compile(script, methods)
    bystander = program.new_instance()
    before = bystander.state_dict()
    torch.manual_seed(11)
    program.seed(11)
    path = tmp_path / "state.safetensors"
    for i, (name, *args) in enumerate(calls):
        where = f"call {i}, {name}"
        program.save(path)
        twin = program.new_instance().load(path)
        with torch.jit.optimized_execution(False):
            expected = language.detached(getattr(script, name)(*args))
        language.same(expected, language.detached(program.call(name, *args)), where)
        language.same(expected, twin.call(name, *args), f"{where}, from a checkpoint")
        assert twin.phase == program.phase, where
        mine = evox_cases.whole_state(program)
        for key, value in mine.items():
            try:
                theirs = evox_cases.torch_value(script, key)
            except (AttributeError, KeyError):
                continue  # an element of a list or dict
            language.same(language.detached(theirs), value, f"after {where}: {key}")
        language.same(mine, evox_cases.whole_state(twin), f"the twin's after {where}")
    language.same(before, bystander.state_dict(), "the bystander")
    return program


class Growing(nn.Module):
    """A shape that differs in each call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.zeros(1, 2))

    @torch.jit.export
    def step(self):
        self.rows = torch.cat([self.rows, self.rows[-1:] + 1])
        return self.rows.sum(0)

    @torch.jit.export
    def drop(self):
        self.rows = self.rows[1:]
        return self.rows.shape[0]


class Dtypes(nn.Module):
    """int32 after the first call, then float64, then as it is."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rank", torch.arange(4.0))

    @torch.jit.export
    def step(self):
        if self.rank.dtype == torch.float32:
            self.rank = self.rank.to(torch.int32) + 1
        elif self.rank.dtype == torch.int32:
            self.rank = self.rank.double() / 3
        else:
            self.rank = self.rank * 2
        return self.rank


class Attributes(nn.Module):
    """Python attributes that decide what runs."""

    def __init__(self):
        super().__init__()
        self.first: bool = True
        self.mode: str = "warm"
        self.count: int = 0
        self.rate: float = 1.0
        self.pair: Tuple[int, float] = (0, 0.5)
        self.register_buffer("x", torch.ones(3))

    @torch.jit.export
    def step(self):
        if self.first:
            self.first = False
            self.x = self.x * 10
        elif self.mode == "warm":
            self.mode = "hot"
        if self.mode == "hot":
            self.x = self.x + self.rate
        self.count += 1
        self.rate *= 0.5
        if self.count == 3:
            self.x = self.x - 100
        self.pair = (self.pair[0] + 2, self.pair[1])
        return self.x, self.count, self.rate, self.pair, self.mode

    @torch.jit.export
    def restart(self):
        self.first = True
        self.mode = "warm"
        self.count = 0
        return self.count


class ByData(nn.Module):
    """A string that only the data decides: an error, and no guess."""

    def __init__(self):
        super().__init__()
        self.mode: str = "warm"
        self.register_buffer("x", torch.ones(3))

    @torch.jit.export
    def step(self):
        if bool(self.x.sum() > 3):
            self.mode = "hot"
        self.x = self.x + 1
        return self.mode == "hot"


class Cycle(nn.Module):
    """Phases 0, 1, 2, 0, 1 ..."""

    def __init__(self):
        super().__init__()
        self.at: int = 0
        self.register_buffer("x", torch.zeros(2))

    @torch.jit.export
    def step(self):
        self.at = (self.at + 1) % 3
        self.x = self.x + self.at
        return self.x * 2, self.at


class Flip(nn.Module):
    """A shape that comes back."""

    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.arange(6.0).reshape(2, 3))

    @torch.jit.export
    def step(self):
        self.x = self.x.t() + 1
        return self.x

    @torch.jit.export
    def total(self):
        return self.x.sum(), self.x.shape[0]


class Late(nn.Module):
    """An attribute that is None until it is a tensor."""

    best: Optional[Tensor]
    scale: Optional[float]

    def __init__(self):
        super().__init__()
        self.best = None
        self.scale = None

    @torch.jit.export
    def step(self, x: Tensor):
        best = self.best
        if best is None:
            best = x.clone()
        else:
            best = torch.minimum(best, x)
        self.best = best
        scale = self.scale
        if scale is None:
            scale = 1.5
        self.scale = scale
        return best * scale

    @torch.jit.export
    def known(self):
        return self.best is not None

    @torch.jit.export
    def forget(self):
        self.best = None
        return 0


class Lists(nn.Module):
    """A list that grows, one that does not, and one that is cleared."""

    history: List[Tensor]
    recent: List[Tensor]

    def __init__(self):
        super().__init__()
        self.history = []
        self.recent = [torch.zeros(2), torch.ones(2)]
        self.register_buffer("x", torch.zeros(3))

    @torch.jit.export
    def step(self, y: Tensor):
        self.x = self.x + y
        self.history.append(self.x.clone())
        self.recent[0] = self.recent[1] * 2
        self.recent[1] = self.recent[0] + y[:2]
        return len(self.history), self.history[-1], self.recent[0]

    @torch.jit.export
    def at(self, i: int):
        return self.history[i]

    @torch.jit.export
    def twice(self, y: Tensor):
        for k in range(2):
            self.history.append(y * k)
        return len(self.history)

    @torch.jit.export
    def mean(self):
        total = torch.zeros(3)
        for i in range(len(self.history)):
            total = total + self.history[i]
        return total / max(len(self.history), 1)


class Dicts(nn.Module):
    """State in a dict of tensors."""

    state: Dict[str, Tensor]

    def __init__(self):
        super().__init__()
        self.state = {"a": torch.zeros(2), "b": torch.ones(())}

    @torch.jit.export
    def step(self, y: Tensor):
        self.state["a"] = self.state["a"] + y
        self.state["b"] = self.state["b"] * 2
        self.state["a"][0] += 1
        return self.state["a"] * self.state["b"]

    @torch.jit.export
    def widen(self):
        self.state["b"] = self.state["b"].expand(3).clone()
        return self.state["b"]


class Views(nn.Module):
    """Two attributes that are one memory from the second call on."""

    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.arange(6.0).reshape(2, 3))
        self.register_buffer("row", torch.zeros(3))

    @torch.jit.export
    def link(self):
        self.row = self.x[1]
        return self.row

    @torch.jit.export
    def write(self):
        self.row += 10
        return self.x, self.row

    @torch.jit.export
    def unlink(self):
        self.x = self.x.clone()
        return self.x.sum()


class Child(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen: int = 0
        self.register_buffer("best", torch.full((1,), 9.0))

    def forward(self, x: Tensor):
        self.seen += x.shape[0]
        if self.seen > 4:
            self.best = torch.minimum(self.best, x.min())
        else:
            self.best = x.min().reshape(1)
        return self.best


class Parent(nn.Module):
    """Submodules with phases of their own."""

    def __init__(self):
        super().__init__()
        self.one, self.two = Child(), Child()
        self.n: int = 0

    @torch.jit.export
    def step(self, x: Tensor):
        self.n += 1
        a = self.one(x)
        if self.n % 2 == 0:
            a = a + self.two(x)
        return a

    @torch.jit.export
    def peek(self):
        return self.one.seen + self.two.seen, self.n


class Resets(nn.Module):
    """A list that is emptied, and grows again."""

    history: List[Tensor]

    def __init__(self):
        super().__init__()
        self.history = []

    @torch.jit.export
    def step(self, y: Tensor):
        self.history.append(y)
        return len(self.history)

    @torch.jit.export
    def clear(self):
        self.history = []
        return len(self.history)

    @torch.jit.export
    def last(self):
        return self.history[-1]

    @torch.jit.export
    def refill(self, y: Tensor):
        """What was read before stays; the list may be made of its elements."""
        old = self.history[0]
        self.history.append(old * 5)
        self.history = [old + y, self.history[-1]]
        self.history.append(old)
        return old, len(self.history), self.history[0]

    @torch.jit.export
    def swap(self, y: Tensor):
        last = self.history[-1]
        self.history = []
        self.history.append(last * y)
        return last

    @torch.jit.export
    def fails(self, y: Tensor):
        last = self.history[-1]
        self.history = [last, y]
        assert bool(y[0] > 0), "y is not positive"
        return last


class ByDataList(Resets):
    @torch.jit.export
    def maybe(self, y: Tensor):
        if bool(y[0] > 0):
            self.history = []
        return 0


class Sizes(nn.Module):
    """A list of tensors of different sizes, and of bytes."""

    pieces: List[Tensor]
    bytes: List[Tensor]

    def __init__(self):
        super().__init__()
        self.pieces = []
        self.bytes = []
        self.n: int = 1

    @torch.jit.export
    def step(self):
        self.pieces.append(torch.ones(self.n, 2) * self.n)
        self.bytes.append(torch.full((2,), 250 + self.n).to(torch.uint8))
        self.n += 1
        return self.pieces[-1].sum(), self.bytes[-1], self.bytes[0] // 2


class Nested(nn.Module):
    """A list in a dict, a tuple of tensors, a tensor that changes its rank."""

    groups: Dict[str, List[Tensor]]
    pair: Tuple[Tensor, Tensor]

    def __init__(self):
        super().__init__()
        self.groups = {"a": [torch.zeros(2), torch.ones(2)]}
        self.pair = (torch.zeros(1), torch.ones(2))
        self.register_buffer("z", torch.zeros(3))

    @torch.jit.export
    def step(self, y: Tensor):
        self.groups["a"][1] = self.groups["a"][0] + y[0]
        self.groups["a"][0] += 1
        self.pair = (self.pair[1], self.pair[0] + 1)
        if self.z.dim() == 1:
            self.z = self.z[None, :] + y
        return self.groups["a"][1], self.pair, self.z


class Branches(nn.Module):
    """State whose size the data decides in one branch only."""

    def __init__(self):
        super().__init__()
        self.register_buffer("pop", torch.arange(12.0).reshape(6, 2))
        self.register_buffer("gen", torch.zeros((), dtype=torch.int64))

    @torch.jit.export
    def step(self, y: Tensor):
        self.gen += 1
        if bool(y[0] > 1):
            self.pop = self.pop[self.pop[:, 0] > y[1]]
        else:
            self.pop = torch.cat([self.pop, self.pop[:1] * 2 + 1])
        return self.pop.sum(0), self.pop.shape[0]

    @torch.jit.export
    def draw(self):
        self.pop = self.pop + torch.randn(self.pop.shape[0], 2)
        return torch.rand(2)


X, Y = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([0.5, -1.0, 4.0])
PLAYS = {
    "growing": (Growing, [("step",)] * 4 + [("drop",)] * 3 + [("step",)] * 2),
    "dtypes": (Dtypes, [("step",)] * 5),
    "attributes": (Attributes, [("step",)] * 5 + [("restart",)] +
                   [("step",)] * 4),
    "cycle": (Cycle, [("step",)] * 7),
    "flip": (Flip, [("step",), ("total",)] * 4),
    "late": (Late, [("known",), ("step", X), ("known",), ("step", Y),
                    ("forget",), ("known",), ("step", X)]),
    "lists": (Lists, [("step", X), ("step", Y), ("at", 0), ("twice", X),
                      ("at", -1), ("mean",), ("step", X), ("at", 4)]),
    "dicts": (Dicts, [("step", X[:2]), ("step", Y[:2])]),
    "dict that widens": (Dicts, [("widen",), ("widen",)]),
    "views": (Views, [("write",), ("link",), ("write",), ("write",),
                      ("unlink",), ("write",), ("link",), ("write",)]),
    "resets": (Resets, [("step", X), ("step", Y), ("clear",), ("step", Y),
                        ("last",), ("clear",), ("step", X), ("last",),
                        ("refill", X), ("last",), ("swap", Y), ("step", X)]),
    "sizes": (Sizes, [("step",)] * 4),
    "nested": (Nested, [("step", X), ("step", Y), ("step", X)]),
    "branches": (Branches, [("step", X), ("draw",), ("step", Y), ("step", X),
                            ("draw",), ("step", Y)]),
    "parent": (Parent, [("step", X), ("peek",), ("step", Y), ("step", X),
                        ("peek",), ("step", Y)]),
}


@pytest.mark.parametrize("name", PLAYS)
def test_phases(name, tmp_path):
    kind, calls = PLAYS[name]
    play(kind(), calls, tmp_path)


class Extends(nn.Module):
    """What else a list that grows can do."""

    history: List[Tensor]

    def __init__(self):
        super().__init__()
        self.history = []

    @torch.jit.export
    def step(self, y: Tensor):
        self.history.extend([y, y * 2])
        self.history += [y * 3]
        total = torch.zeros(3)
        for h in self.history:
            total = total + h
        return total, len(self.history)


class Slices(Extends):
    @torch.jit.export
    def last(self):
        return torch.stack(self.history[-2:])


class Inserts(Extends):
    @torch.jit.export
    def front(self, y: Tensor):
        self.history.insert(0, y)
        return 0


def test_a_list_that_grows_is_extended(tmp_path):
    play(Extends(), [("step", X), ("step", Y), ("step", X)], tmp_path)


def test_a_list_comes_back_when_the_call_fails():
    program = evox_mlir.compile(torch.jit.script(Resets()),
                                {"step": (X,), "fails": (X,)})
    for y in (X, Y, X + Y):
        program.step(y)
    with pytest.raises(evox_mlir.ProgramError, match="not positive"):
        program.fails(-X)
    language.same([X, Y, X + Y], program.get("history"))
    language.same(X + Y, program.fails(X))
    language.same([X + Y, X], program.get("history"))
    program.reset()
    assert program.get("history") == []


@pytest.mark.parametrize("kind, method, args, text", [
    (Slices, "last", (), "'slice' of a list that grows"),
    (Inserts, "front", (X,), "'insert' of a list that grows"),
    (ByDataList, "maybe", (X,), "'history' is a list that grows")])
def test_what_a_list_that_grows_cannot(kind, method, args, text):
    """An error: not the elements that the compiler knows of."""
    with pytest.raises(evox_mlir.CompileError, match=text):
        evox_mlir.compile(torch.jit.script(kind()),
                          {"step": (X,), method: args})


def test_python_state_that_data_decides():
    with pytest.raises(evox_mlir.CompileError,
                       match="'mode' is one of two values of kind str"):
        evox_mlir.compile(torch.jit.script(ByData()), ("step",))


def test_run_passes_through_phases(tmp_path):
    """run(n) is n calls, also while the phase changes."""
    for kind in (Growing, Dtypes, Attributes, Cycle, Flip):
        program = evox_mlir.compile(torch.jit.script(kind()), ("step",))
        one, other = program.new_instance(), program.new_instance()
        one.run("step", 7)
        for _ in range(7):
            other.step()
        assert one.phase == other.phase
        language.same(evox_cases.whole_state(other),
                     evox_cases.whole_state(one), kind.__name__)
        one.reset()
        assert one.phase == 0
        one.run("step", 2)
        one.save(tmp_path / "two.safetensors")
        late = program.new_instance().load(tmp_path / "two.safetensors")
        late.run("step", 5)
        language.same(evox_cases.whole_state(other),
                     evox_cases.whole_state(late), kind.__name__)
        # Back to an earlier phase.
        other.load(tmp_path / "two.safetensors")
        other.run("step", 5)
        language.same(evox_cases.whole_state(late),
                     evox_cases.whole_state(other), kind.__name__)


def test_state_that_may_be_one_memory_after_a_call():
    """Whether `m` is `n`'s memory in the next call, only the data of this one
    decides: a write into `n` is refused there, and not one into a copy."""

    class Shares(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(3))
            self.register_buffer("m", torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            self.n += 1.0
            if bool(x[0] > 0.0):
                self.m = self.n
            return self.m * 1.0

    class Copies(Shares):
        def forward(self, x: Tensor) -> Tensor:
            self.n += 1.0
            if bool(x[0] > 0.0):
                self.m = self.n.clone()
            return self.m * 1.0

    x = torch.ones(3)
    with pytest.raises(evox_mlir.CompileError, match=r"clone\(\) it before"):
        evox_mlir.compile(torch.jit.script(Shares()), (x,))
    language.agree(Copies(), x, -x, x)
