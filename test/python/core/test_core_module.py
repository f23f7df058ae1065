# test_core_module.py - modules and their mutable values
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import copy
import pickle

import pytest
import torch
from torch import nn

from evox_mlir.core import (
    Algorithm,
    ModuleBase,
    Monitor,
    Mutable,
    Parameter,
    Problem,
    Workflow,
    assign_load_state_dict,
    jit_class,
)


class Counter(ModuleBase):
    def __init__(self, by=2.0):
        super().__init__()
        self.by = by
        self.k = Parameter(by)
        self.n = Mutable(torch.zeros(3))
        self.table = torch.ones(2)


@pytest.mark.parametrize(
    "value, dtype",
    [(1, torch.int64), (2.0, torch.float32), (True, torch.bool), ([1.0, 2.0], torch.float32)],
)
def test_parameter(value, dtype):
    p = Parameter(value)
    assert isinstance(p, nn.Parameter) and p.dtype == dtype and not p.requires_grad
    assert p.tolist() == value


def test_parameter_conversions():
    assert Parameter(3, dtype=torch.float64).dtype == torch.float64
    assert Parameter(1.0, device="meta").device.type == "meta"
    assert Parameter(1.0, requires_grad=True).requires_grad
    t = torch.ones(2)
    assert Parameter(t).data_ptr() == t.data_ptr()
    with pytest.raises(Exception):
        Parameter("a")


def test_mutable():
    t = torch.ones(2)
    assert Mutable(t).data_ptr() == t.data_ptr()
    assert Mutable(t, dtype=torch.int32).dtype == torch.int32
    with pytest.raises(TypeError, match="int"):
        Mutable(3)


def test_members():
    m = Counter()
    assert m.static_names == ["by", "table"]
    assert list(m.state_dict()) == ["k", "n"]
    assert not m.training
    m.n = torch.ones(4)
    assert torch.equal(m.state_dict()["n"], torch.ones(4))
    del m.by
    assert m.static_names == ["table"]
    assert m.setup(1, a=2) is m
    assert m.eval() is m
    assert bool(m)


def test_load_state_dict_assigns():
    m, value = Counter(), torch.full((5,), 9.0)
    assert m.load_state_dict({"n": value, "k": torch.tensor(3.0)}) is None
    assert m.n is value
    assert isinstance(m.k, nn.Parameter) and m.k == 3
    with pytest.raises(AttributeError, match="'zzz'"):
        m.load_state_dict({"zzz": value})
    with pytest.raises(TypeError, match="'n'"):
        m.load_state_dict({"n": 3})


def test_load_state_dict_copies():
    m, before = Counter(), None
    before = m.n
    result = m.load_state_dict({"n": torch.ones(3), "k": torch.tensor(1.0)}, copy=True)
    assert not result.missing_keys and m.n is before and torch.equal(before, torch.ones(3))
    with pytest.raises(RuntimeError, match="zzz"):
        m.load_state_dict({"zzz": torch.ones(1)}, copy=True)
    result = m.load_state_dict({"n": torch.zeros(3)}, copy=True, strict=False)
    assert result.missing_keys == ["k"]


def test_assign_load_state_dict_follows_shared_modules():
    a = nn.Linear(2, 1)
    both = nn.ModuleDict({"a": a, "b": a})
    new = {k: torch.zeros_like(v) for k, v in both.state_dict().items()}
    assign_load_state_dict(both, new)
    assert not a.weight.any() and isinstance(a.weight, nn.Parameter)


def test_to():
    m = Counter()
    assert m.to(torch.float64) is m
    assert m.n.dtype == m.k.dtype == torch.float64 and m.table.dtype == torch.float32
    assert m.to("meta") is m
    assert m.n.device.type == m.table.device.type == "meta"


# add_mutable --------------------------------------------------------------------


def test_add_mutable_values():
    m = ModuleBase()
    assert m.add_mutable("t", torch.ones(1)) is None
    m.add_mutable("p", nn.Parameter(torch.ones(1)))
    m.add_mutable("mod", nn.Linear(1, 1))
    m.add_mutable("tup", (torch.ones(1), torch.zeros(2)))
    m.add_mutable("lst", [torch.ones(1)])
    m.add_mutable("dct", {"x": torch.ones(1), "y": torch.zeros(2)})
    m.add_mutable("mods", [nn.Linear(1, 1), nn.Linear(1, 2)])
    m.add_mutable("modd", {"a": nn.Linear(1, 1)})
    m.add_mutable("none", [])
    m.add_mutable("empty", {})
    assert {"t", "tup.0", "tup.1", "lst.0", "dct.x", "dct.y", "mods.1.bias",
            "modd.a.weight", "mod.weight", "p"} <= set(m.state_dict())
    assert isinstance(m.p, nn.Parameter) and isinstance(m.mods, nn.ModuleList)
    m.t = torch.zeros(2)
    assert m.state_dict()["t"].shape == (2,)
    # The value as a whole is modified by assignment, too.
    m.tup = (torch.full((1,), 5.0),)
    assert list(m.tup) == [5.0] and "tup.1" not in m.state_dict()
    m.dct = {"z": torch.ones(1)}
    assert m.dct["z"] == 1 and "dct.x" not in m.state_dict()
    m.add_mutable("t", torch.ones(3))  # again
    assert m.t.shape == (3,)


@pytest.mark.parametrize("value", [3, "x", None, set(), 1.5])
def test_add_mutable_not_implemented(value):
    with pytest.raises(NotImplementedError, match="'v'.*" + type(value).__name__):
        ModuleBase().add_mutable("v", value)


@pytest.mark.parametrize(
    "value",
    [[1, 2], [torch.ones(1), nn.Linear(1, 1)], {"a": 3}, {"a": {"b": torch.ones(1)}},
     {1: torch.ones(1)}, {"a-b": torch.ones(1)}, [[torch.ones(1)]]],
    ids=str,
)
def test_add_mutable_bad_values(value):
    with pytest.raises(AssertionError):
        ModuleBase().add_mutable("v", value)


@pytest.mark.parametrize("name", ["", "a.b", "1x", 5, "class", "a b", "setup"])
def test_add_mutable_bad_names(name):
    with pytest.raises(AssertionError, match="(?i)name"):
        ModuleBase().add_mutable(name, torch.ones(1))


# Indexing -----------------------------------------------------------------------


@pytest.fixture
def box():
    m = ModuleBase()
    m.add_mutable("box", {"a": torch.tensor(0), "b": torch.tensor(1), "c": torch.tensor(2)})
    return m.box


def test_getitem(box):
    assert [box[0], box[-1], box["b"]] == [0, 2, 1]
    assert box[0:2] == [0, 1] and box[::-1] == [2, 1, 0] and box[5:] == []
    assert list(box) == [0, 1, 2] and box.iter() == (0, 1, 2) and len(box) == 3


@pytest.mark.parametrize("key", [3, -4, "zzz"])
def test_index_error(box, key):
    with pytest.raises(IndexError):
        box[key]
    with pytest.raises(IndexError):
        box[key] = torch.ones(1)


@pytest.mark.parametrize("key", [1.5, None, True, (0, 1)])
def test_type_error(box, key):
    with pytest.raises(TypeError):
        box[key]
    with pytest.raises(TypeError):
        box[key] = torch.ones(1)


def test_setitem(box):
    box[0] = torch.tensor(7)
    box["b"] = torch.tensor(8)
    assert list(box) == [7, 8, 2]
    box[1:] = [torch.tensor(5), torch.tensor(6)]
    assert list(box) == [7, 5, 6]
    with pytest.raises(ValueError, match="2 values, got 1"):
        box[1:] = [torch.tensor(5)]
    with pytest.raises(TypeError, match="int"):
        box[0] = 3
    assert list(box) == [7, 5, 6]


# Components ---------------------------------------------------------------------


def test_components():
    assert Algorithm().step() is None and Algorithm().init_step() is None
    with pytest.raises(NotImplementedError):
        Algorithm().evaluate(torch.ones(1))
    assert Problem().evaluate(torch.ones(1)).numel() == 0
    assert Workflow().step() is None and Workflow().init_step() is None
    monitor = Monitor()
    assert monitor.set_config(opt_direction=1) is monitor
    for hook in (monitor.post_ask, monitor.pre_eval, monitor.post_eval, monitor.pre_tell):
        assert hook(torch.ones(1)) is None

    class Steps(Algorithm):
        n = 0

        def step(self):
            self.n += 1

    s = Steps()
    s.init_step()
    assert s.n == 1


# jit_class ----------------------------------------------------------------------


@jit_class
class Compiled(ModuleBase):
    def __init__(self):
        super().__init__()
        self.n = Mutable(torch.zeros(()))
        self.limit = 3
        self.seen = [torch.zeros(())]
        self.hits = 0

    def step(self, x: torch.Tensor) -> torch.Tensor:
        if self.n < self.limit:
            self.n = self.n + x
            self.hits += 1
            self.seen.append(self.n)
        return self.n

    def fail(self, x: torch.Tensor):
        self.n = self.n + x
        raise RuntimeError("on purpose")

    @property
    def twice(self):
        return self.n * 2


class Holder(ModuleBase):
    def __init__(self):
        super().__init__()
        self.one = Compiled()
        self.two = self.one

    def step(self, x: torch.Tensor) -> torch.Tensor:
        self.one.step(x)
        return self.two.step(x)


def test_state_lives_in_python():
    m = Compiled()
    one = torch.ones(())
    assert m.step(one) == 1 and m.n == 1 and m.hits == 1 and len(m.seen) == 2
    m.n = torch.tensor(2.5)  # seen by compiled code
    assert m.step(one) == 3.5 and m.twice == 7
    assert m.step(one) == 3.5 and m.hits == 2
    m.limit = 10
    assert m.step(one) == 4.5 and len(m.seen) == 4
    m.seen.clear()
    m.step(one)
    assert len(m.seen) == 1
    m.n.fill_(0)
    assert m.step(one) == 1
    m.n = torch.zeros(2)  # another shape is fine
    m.limit = 2.5  # another type: compiled anew
    with pytest.raises(Exception):
        m.step(one)  # a condition of two elements
    m.n = torch.zeros(())
    for _ in range(5):
        m.step(one)
    assert m.n == 3


def test_state_after_an_exception():
    m = Compiled()
    with pytest.raises(Exception, match="on purpose"):
        m.fail(torch.ones(()))
    assert m.n == 1


def test_shared_submodule_is_one():
    m = jit_class(Holder)()
    assert m.step(torch.ones(())) == 2
    assert m.one.n == 2 and m.two is m.one
    assert m.__script_module__().one.n == m.__script_module__().two.n == 2


def test_jit_class_is_a_subclass(tmp_path):
    m = Compiled()
    assert isinstance(m, Compiled) and issubclass(Compiled, ModuleBase)
    assert Compiled.__name__ == "Compiled" and m.to(torch.float64) is m
    assert m.__inner_module__ is m
    m.step(torch.ones((), dtype=torch.float64))
    twin = copy.deepcopy(m)
    twin.step(torch.ones((), dtype=torch.float64))
    assert (m.n, twin.n) == (1, 2)
    again = pickle.loads(pickle.dumps(m))
    assert again.n == 1 and again.step(torch.ones((), dtype=torch.float64)) == 2
    torch.jit.save(m, tmp_path / "m.pt")
    loaded = torch.jit.load(tmp_path / "m.pt")
    assert loaded.step(torch.ones((), dtype=torch.float64)) == 2
    assert torch.jit.script(m).step(torch.ones((), dtype=torch.float64)) == 2


def test_jit_class_inherits():
    @jit_class
    class Derived(Compiled):
        def step(self, x: torch.Tensor) -> torch.Tensor:
            return x * 100

        def more(self, x: torch.Tensor) -> torch.Tensor:
            return self.step(x) + 1

    d = Derived()
    assert d.more(torch.ones(())) == 101 and d.step(torch.ones(())) == 100


def test_jit_class_errors():
    with pytest.raises(AssertionError, match="ModuleBase"):
        jit_class(nn.Linear)
    with pytest.raises(AssertionError):
        jit_class(3)

    @jit_class
    class Bad(ModuleBase):
        def f(self, x: torch.Tensor):
            import numpy

            return numpy.sin(x)

    with pytest.raises(Exception) as e:
        Bad().f(torch.ones(1))
    assert any("torch.jit.ignore" in n for n in e.value.__notes__)


def test_method_set_on_an_instance():
    """A workflow gives its algorithm `evaluate`."""

    @jit_class
    class Algo(Algorithm):
        def __init__(self):
            super().__init__()
            self.x = Mutable(torch.ones(2))

        def step(self):
            self.x = self.x + self.evaluate(self.x)

    @jit_class
    class Flow(Workflow):
        def __init__(self, algo):
            super().__init__()
            self.algo = algo
            self.scale = Mutable(torch.tensor(3.0))
            self.algo.evaluate = self._evaluate
            self.algo.scale = self.scale

        def _evaluate(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

        def step(self):
            self.algo.step()

    flow = Flow(Algo())
    flow.step()
    assert flow.algo.x.tolist() == [4.0, 4.0]
    # Where `self.scale` isn't the same for both, the method can't move.
    other = Flow(Algo())
    other.algo.scale = torch.tensor(1.0)
    with pytest.raises(TypeError, match="self.scale"):
        other.step()


def test_traced_class():
    from functools import partial

    @partial(jit_class, trace=True)
    class Traced(ModuleBase):
        def __init__(self):
            super().__init__()
            self.n = Mutable(torch.zeros(2))

        def step(self, x):
            self.n = self.n + x
            return x * 2

        def bump(self):
            self.n = self.n + 1

        def scaled(self, x, by):
            return x * by

    t = Traced()
    assert torch.equal(t.step(torch.ones(2)), torch.full((2,), 2.0))
    assert torch.equal(t.step(torch.ones(2)), torch.full((2,), 2.0))
    assert t.bump() is None
    assert t.n.tolist() == [3.0, 3.0]
    assert t.scaled(torch.ones(1), 3) == 3 and t.scaled(torch.ones(1), by=4) == 4
