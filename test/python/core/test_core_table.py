# test_core_table.py - programs under every chain of transforms
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table: each program of programs.py, natively, as it is, under use_state,
vmap, vmap of vmap and vmap of use_state.

What a vmap gives is judged by PyTorch's (`torch.func.vmap`, which is what our
eager `vmap` runs), and where PyTorch can't by a Python loop over the lanes. A
program that writes state has no vmap without use_state: its column "vmap" has
the state shared on the way in, "vmap of vmap" one state per lane.

The programs of a family are compiled into one library; where that fails, into
ever smaller ones, so that the failure is the program's own.
"""

import inspect

import pytest
import torch
from programs import FAMILIES, argument, program_names
from torch.utils import _pytree as pytree

import evox_mlir
from evox_mlir.core import use_state, vmap
from evox_mlir.core._script import twin_of

COLUMNS = ("plain", "use_state", "vmap", "vmap of vmap", "vmap of use_state")
LANES, OUTER = 3, 2


class Row:
    def __init__(self, family, name):
        self.family, self.name = family, name
        self.method = getattr(family, name)
        self.lanes = getattr(self.method, "lanes", False)
        self.writes = getattr(self.method, "writes", False)
        self.parameters = [
            p.name
            for p in list(inspect.signature(self.method).parameters.values())[1:]
            if p.default is p.empty
        ]

    def arguments(self, sizes):
        """Batched by `sizes`, outermost first."""
        if not sizes:
            return tuple(argument(p) for p in self.parameters)
        lanes = [self.arguments(sizes[1:]) for _ in range(sizes[0])]
        return pytree.tree_map(lambda *xs: torch.stack(xs), *lanes)

    def column(self, column):
        """(the function in our eager core, its expression, lanes, whether state
        goes in and out)"""
        stateful = column in ("use_state", "vmap of use_state") or (
            self.writes and column != "plain"
        )
        sizes = {"vmap": (LANES,), "vmap of vmap": (OUTER, LANES),
                 "vmap of use_state": (LANES,)}.get(column, ())
        shared = self.writes and column == "vmap"
        model = self.family()
        fn, text = getattr(model, self.name), self.name
        if stateful:
            fn, text = use_state(fn, is_generator=False), f"use_state({text})"
        told = ", strategy='lanes'" if getattr(self.method, "loops", False) else ""
        how = {"strategy": "lanes"} if self.lanes else {}
        for n in reversed(sizes):
            dims = (None,) + (0,) * len(self.parameters) if shared else 0
            fn = vmap(fn, in_dims=dims, **how)
            text = f"vmap({text}, in_dims={dims!r}, axis_size={n}{told})"
        return fn, text, sizes, stateful

    def entry(self, column):
        return self.name if column == "plain" else f"{self.name}_{COLUMNS.index(column)}"

    def state(self, fn, column, sizes):
        if column == "vmap" and self.writes:
            return fn._stateful().init_state()
        return fn.init_state(sizes) if sizes else fn.init_state()


ROWS = [Row(f, n) for f in FAMILIES for n in program_names(f)]
# A program without arguments has no lanes of its own.
CASES = [
    (row, column)
    for row in ROWS
    for column in COLUMNS
    if column != "vmap"
    or row.parameters and not getattr(row.method, "in_place", False)
]


def compile_cases(family, cases, found):
    """Fill `found` with {(row's name, column): program or error}."""
    methods, transforms = {}, {}
    for row, column in cases:
        _, text, sizes, _ = row.column(column)
        methods[row.entry(column)] = row.arguments(sizes)
        if column != "plain":
            transforms[row.entry(column)] = text
    model = family()
    names = tuple(dict.fromkeys(row.name for row, _ in cases))
    try:
        script = twin_of(model, names).sync()
        program = evox_mlir.compile(
            script, methods, transforms=transforms, name=family.__name__
        )
    except (evox_mlir.Error, RuntimeError) as e:
        if len(cases) == 1:
            found[cases[0][0].name, cases[0][1]] = e
            return
        half = len(cases) // 2
        compile_cases(family, cases[:half], found)
        compile_cases(family, cases[half:], found)
        return
    for row, column in cases:
        found[row.name, column] = program


@pytest.fixture(scope="module")
def programs():
    compiled = {}

    def get(row, column):
        # A library per family and column.
        key = row.family, column
        if key not in compiled:
            compiled[key] = {}
            cases = [c for c in CASES if c[0].family is row.family and c[1] == column]
            compile_cases(row.family, cases, compiled[key])
        found = compiled[key][row.name, column]
        if isinstance(found, Exception):
            raise found
        return found.new_instance()

    return get


def test_there_are_enough():
    assert len(ROWS) >= 120
    assert len({(r.family, r.name) for r in ROWS}) == len(ROWS)


def _without_prefix(state):
    return {k.removeprefix("self."): v for k, v in state.items()}


@pytest.mark.parametrize(
    "row, column",
    CASES,
    ids=[f"{r.family.__name__}.{r.name}-{c}" for r, c in CASES],
)
def test_program(row, column, programs):
    fn, _, sizes, stateful = row.column(column)
    torch.manual_seed(sum(map(ord, row.name)))
    args = row.arguments(sizes)
    state = row.state(fn, column, sizes) if stateful else None
    if stateful:  # not every lane the same
        state = {
            k: v.detach() + torch.randn_like(v) if v.is_floating_point() else v
            for k, v in state.items()
        }
    program = programs(row, column)

    torch.manual_seed(5)
    if stateful:
        # Copies: PyTorch's in-place writes change the state that goes in.
        expected = fn({k: v.clone() for k, v in state.items()}, *args)
    else:
        expected = fn(*args)
    follow = torch.rand(2)
    torch.manual_seed(5)
    has_generator = any(s.name == "__generator__" for s in program.library.signature.state)
    if has_generator:
        program.set("__generator__", torch.get_rng_state())
    native = ({} if not stateful else {"state": _without_prefix(state)})
    got = program.call(row.entry(column), *native.values(), *args)
    if has_generator:
        torch.set_rng_state(program.get("__generator__"))

    if stateful:
        expected_state, expected = expected if isinstance(expected, tuple) else (expected, None)
        got_state, got = got if isinstance(got, tuple) else (got, None)
        expected_state = _without_prefix(expected_state)
        assert got_state.keys() == expected_state.keys()
        for name, value in expected_state.items():
            check(got_state[name], value.detach(), f"state {name}")
    elif column == "plain":
        model = fn.__self__
        for name, value in model.state_dict().items():
            check(program.get(name), value, f"state {name}")
    values, spec = pytree.tree_flatten(expected)
    results, other = pytree.tree_flatten(got)
    assert len(values) == len(results), (spec, other)
    for i, (value, result) in enumerate(zip(values, results)):
        check(result, value, f"result {i}")
    assert torch.equal(torch.rand(2), follow), "another number of random draws"


def check(got, expected, what):
    if isinstance(expected, torch.Tensor):
        torch.testing.assert_close(
            torch.as_tensor(got), expected.detach(), rtol=1e-5, atol=1e-5,
            equal_nan=True, msg=lambda m: f"{what}: {m}",
        )
    else:
        assert got == expected, what
