# control_flow.py - branches and loops on data, under trace and vmap
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`TracingCond`, `TracingSwitch` and `TracingWhile`.

Scripted code needs none of them: write `if` and `while`. They are for code
that is traced or vmapped by PyTorch, which see no Python control flow. One
call works in three ways:

- plain: the chosen function runs, as in Python;
- under `vmap`, where the condition differs between lanes: the functions that
  some lane chose run for all lanes, and each lane keeps its own's results;
  a loop runs until every lane is done, finished lanes stay as they are. A
  function that draws random numbers draws for all lanes;
- under `torch.jit.trace`: the functions are traced apart and a scripted `if`
  or `while` calls them, so the trace branches on its data.

State is threaded: with `prepare_control_flow` by the caller, else by the
call itself. Tensors in closures are read-only: a write raises RuntimeError.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import torch
from torch.utils import _pytree as pytree

from ._indexing import func_vmap
from .module import raise_on_writes
from .state import (
    CellSlot,
    ModuleSlot,
    WriteGuard,
    capture,
    in_vmap,
    installed,
    fork_rng,
    is_wrapped_tensor,
    kind_of,
    paused_tracing,
    unique_slots,
    unwrap_callable,
    unwrap_fully,
    where_defined,
)

Tensors = List[torch.Tensor]
_functorch = torch._C._functorch


# Functions over flat lists of tensors ------------------------------------------


class _Flat:
    """`function` as a function of a list of tensors: the values of the slots,
    then the leaves of the arguments; new values and leaves of the result."""

    def __init__(self, function, slots, spec):
        self.function, self.slots, self.spec = function, slots, spec
        self.out_spec = None
        self.static: List[Any] = []
        self.kinds: List[Tuple] = []
        self.casts: Optional[List[torch.dtype]] = None

    def run(self, ops: Tensors) -> Tuple[Tensors, Any]:
        """(new slot values, result as it is)."""
        n = len(self.slots)
        args = pytree.tree_unflatten(list(ops[n:]), self.spec)
        cells = [s for s in self.slots if isinstance(s, CellSlot)]
        with installed(self.slots, list(ops[:n])):
            guard = WriteGuard(cells)
            out = self.function(*args)
            raise_on_writes(guard, where_defined(self.function))
            return [s.get() for s in self.slots], out

    def __call__(self, ops: Tensors) -> Tensors:
        state, out = self.run(ops)
        leaves, spec = pytree.tree_flatten(out)
        self.out_spec = spec
        self.static = [None if isinstance(x, torch.Tensor) else (x,) for x in leaves]
        flat = state + [x for x in leaves if isinstance(x, torch.Tensor)]
        self.kinds = [kind_of(x) for x in flat]
        if self.casts is not None:
            flat = [x.to(dtype) for x, dtype in zip(flat, self.casts)]
        return flat

    def rebuild(self, flat: Tensors):
        """(slot values, result) of what `__call__` gave."""
        n = len(self.slots)
        rest = iter(flat[n:])
        leaves = [next(rest) if s is None else s[0] for s in self.static]
        return list(flat[:n]), pytree.tree_unflatten(leaves, self.out_spec)


def _common_types(what: str, flats: Sequence[_Flat]) -> Optional[List[torch.dtype]]:
    """The dtypes of what the branches give, or None where they agree.

    A wider type of the same category (int32 and int64) is the common one, as
    no value changes; anything else is an error.
    """
    first = flats[0]
    dtypes = [dtype for _, dtype in first.kinds]
    for other in flats[1:]:
        a, b = where_defined(first.function), where_defined(other.function)
        if other.out_spec != first.out_spec or other.static != first.static:
            raise TypeError(
                f"{what}: {a} and {b} return different structures or different "
                f"values that are no tensors: {first.out_spec} {first.static}, "
                f"{other.out_spec} {other.static}"
            )
        for i, (k, l) in enumerate(zip(first.kinds, other.kinds)):
            wide = torch.promote_types(dtypes[i], l[1])
            if k[0] != l[0] or not (_category(k[1]) == _category(l[1])):
                name = _value_name(first, i)
                raise TypeError(
                    f"{what}: {name} is {_kind(k)} after {a} and {_kind(l)} after {b}"
                )
            dtypes[i] = wide
    same = all([t for _, t in f.kinds] == dtypes for f in flats)
    return None if same else dtypes


def _category(dtype: torch.dtype) -> str:
    if dtype == torch.bool:
        return "bool"
    if dtype.is_complex:
        return "complex"
    return "float" if dtype.is_floating_point else "int"


def _as_tensor(value) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def _value_name(flat: _Flat, i: int) -> str:
    n = len(flat.slots)
    return f"state {flat.slots[i].key!r}" if i < n else f"result {i - n}"


def _kind(kind) -> str:
    return f"{str(kind[1]).removeprefix('torch.')}{list(kind[0])}"


def _clones(ops: Tensors) -> Tensors:
    # Functions may write into their arguments in place; the other branches,
    # and the lanes that keep the old values, must not see it.
    return [t.clone() for t in ops]


def _where(mask, new: Tensors, old: Tensors) -> Tensors:
    return [b if a is b else torch.where(mask, a, b) for a, b in zip(new, old)]


# Tracing -----------------------------------------------------------------------


def _trace_flat(fn: Callable[[Tensors], Tensors], ops: Tensors):
    copies = [t.detach().clone() for t in ops]

    def flat(xs):
        return fn(xs)

    with fork_rng():
        return torch.jit.trace(flat, (copies,), strict=False, check_trace=False)


def _traced_switch(index: torch.Tensor, flats: Sequence[_Flat], ops: Tensors, what):
    with paused_tracing():
        traced = [_trace_flat(f, ops) for f in flats]
        wide = _common_types(what, flats)
        if wide is not None:
            for f in flats:
                f.casts = wide
            traced = [_trace_flat(f, ops) for f in flats]
        chosen = traced[-1]
        for branch in traced[-2::-1]:
            chosen = _scripted_if(branch, chosen)
    return chosen(index, ops)


def _scripted_if(this, others):
    """`this` where the index is 0; else `others`, counting from there."""
    if _takes_index(others):

        def choose(index: torch.Tensor, xs: List[torch.Tensor]) -> List[torch.Tensor]:
            if int(index) == 0:
                out = this(xs)
            else:
                out = others(index - 1, xs)
            return out

    else:

        def choose(index: torch.Tensor, xs: List[torch.Tensor]) -> List[torch.Tensor]:
            if int(index) == 0:
                out = this(xs)
            else:
                out = others(xs)
            return out

    return torch.jit.script(choose)


def _takes_index(function) -> bool:
    return len(function.schema.arguments) == 2


def _traced_while(cond, body, ops: Tensors) -> Tensors:
    with paused_tracing():
        test = _trace_flat(lambda xs: (lambda c, ys: [c, *ys])(*cond(xs)), ops)
        step = _trace_flat(body, ops)

        def loop(xs: List[torch.Tensor]) -> List[torch.Tensor]:
            ys = test(xs)
            while bool(ys[0]):
                ys = test(step(ys[1:]))
            return ys[1:]

        scripted = torch.jit.script(loop)
    return scripted(ops)


# Loops -------------------------------------------------------------------------


def _run_while(cond, body, ops: Tensors) -> Tensors:
    """cond(ops) -> (condition, ops), body(ops) -> ops."""
    if torch.jit.is_tracing():
        if in_vmap():
            return _lowered_while(cond, body, ops)
        return _traced_while(cond, body, ops)
    active = None  # all lanes
    while True:
        lanes = in_vmap()
        c, tested = cond(_clones(ops) if lanes else ops)
        ops = tested if active is None else _where(active, tested, ops)
        active = c if active is None else active & c
        if not is_wrapped_tensor(active):
            if not bool(active):
                return ops
            active = None if not lanes else active
            ops = body(ops)
            continue
        plain = unwrap_fully(active)
        if not bool(plain.any()):
            return ops
        new = body(_clones(ops))
        ops = new if bool(plain.all()) else _where(active, new, ops)


def _lowered_while(cond, body, ops: Tensors) -> Tensors:
    """Under vmap and trace: do the innermost vmap by hand, so that the loop
    around it can be scripted."""
    interpreter = torch._functorch.pyfunctorch.retrieve_current_functorch_interpreter()
    level, lanes = interpreter.level(), interpreter.batch_size()
    randomness = interpreter.randomness()
    with interpreter.lower():
        batched = []
        for t in ops:
            if _functorch.maybe_get_level(t) == level:
                dim = _functorch.maybe_get_bdim(t)
                batched.append(_functorch.get_unwrapped(t).movedim(dim, 0))
            else:
                batched.append(t.unsqueeze(0).expand(lanes, *t.shape))

        def over_lanes(fn):
            return func_vmap(fn, randomness=randomness)

        def test(xs: Tensors):
            active, values = xs[0], list(xs[1:])

            def one(active, *ys):
                c, tested = cond([y.clone() for y in ys])
                return (active & c, *_where(active, tested, list(ys)))

            out = over_lanes(one)(active, *values)
            return out[0].any(), list(out)

        def step(xs: Tensors):
            def one(active, *ys):
                new = body([y.clone() for y in ys])
                return tuple(_where(active, new, list(ys)))

            return [xs[0], *over_lanes(one)(xs[0], *xs[1:])]

        start = torch.ones(lanes, dtype=torch.bool, device=batched[0].device)
        out = _run_while(test, step, [start, *batched])[1:]
    return [_functorch._add_batch_dim(t, 0, level) for t in out]


# The classes -------------------------------------------------------------------


class _ControlFlow:
    def __init__(self, functions, stateful_functions: Optional[bool]):
        for f in functions:
            if not callable(f):
                raise TypeError(
                    f"{type(self).__name__}: expected functions, got {type(f).__name__}"
                )
        if stateful_functions is not None:
            stateful_functions = bool(stateful_functions)
        self._functions = tuple(functions)
        self._stateful = stateful_functions

    @property
    def stateful_functions(self) -> bool:
        """Whether the functions are stateful: as given, else whether one of
        them is a method."""
        if self._stateful is not None:
            return self._stateful
        return any(inspect.ismethod(unwrap_callable(f)) for f in self._functions)

    def _slots(self) -> List[Union[ModuleSlot, CellSlot]]:
        # The order and names of prepare_control_flow.
        found = [s for f in self._functions for s in capture(f)]
        own = [s for s in found if s.key.startswith("self.")]
        return unique_slots(own + [s for s in found if not s.key.startswith("self.")])

    def _open(self, args: tuple):
        """(state or None, its slots, other arguments)."""
        name = type(self).__name__
        state = None
        if args and isinstance(args[0], dict) and self._stateful is not False:
            if self.stateful_functions:
                state, args = args[0], args[1:]
        if state is None and self._stateful:
            got = type(args[0]).__name__ if args else "nothing"
            raise TypeError(
                f"{name} with stateful_functions=True takes the state of "
                f"prepare_control_flow as its first argument, got {got}"
            )
        slots = self._slots()
        if state is not None:
            missing = [s.key for s in slots if s.key not in state]
            if missing:
                raise KeyError(
                    f"{name}: the state lacks {', '.join(map(repr, missing))}; give "
                    "all functions of this object to prepare_control_flow"
                )
        return state, slots, args

    @staticmethod
    def _close(state, slots, values: Tensors, out):
        """Write state back where the caller doesn't, or return it."""
        if state is None:
            for slot, value in zip(slots, values):
                if isinstance(slot, ModuleSlot):
                    slot.assign(value)
            return out
        new = dict(state)
        new.update((s.key, v) for s, v in zip(slots, values))
        return new if out is None else (new, out)

    def _operands(self, state, slots, args):
        leaves, spec = pytree.tree_flatten(tuple(args))
        for i, x in enumerate(leaves):
            if not isinstance(x, torch.Tensor):
                raise TypeError(
                    f"{type(self).__name__}: argument {i} must be a tensor, got "
                    f"{type(x).__name__}"
                )
        values = [s.get() if state is None else state[s.key] for s in slots]
        return values + leaves, spec

    def _choose(self, index: torch.Tensor, args, state, slots):
        """Run the branch (or branches) that `index` tells."""
        what = type(self).__name__
        shape = kind_of(index)[0]
        if math.prod(shape) != 1:
            raise ValueError(
                f"{what}: the condition must be one value per lane, got shape "
                f"{list(shape)}"
            )
        index = index.reshape(())
        ops, spec = self._operands(state, slots, args)
        flats = [_Flat(f, slots, spec) for f in self._functions]
        if torch.jit.is_tracing() and not in_vmap():
            flat = _traced_switch(index, flats, ops, what)
            values, out = flats[0].rebuild(flat)
            return self._close(state, slots, values, out)
        count = len(flats)
        if torch.jit.is_tracing():
            chosen = list(range(count))
        else:
            chosen = torch.unique(unwrap_fully(index)).tolist()
            bad = [i for i in chosen if not 0 <= i < count]
            if bad:
                raise IndexError(
                    f"{what}: branch index {bad[0]} is out of range, there are {count} "
                    "branches"
                )
        if len(chosen) == 1:
            values, out = flats[chosen[0]].run(ops)
            return self._close(state, slots, values, out)
        results = [flats[i](_clones(ops)) for i in chosen]
        wide = _common_types(what, [flats[i] for i in chosen])
        if wide is not None:
            results = [[x.to(t) for x, t in zip(r, wide)] for r in results]
        merged = results[-1]
        for i, result in list(zip(chosen, results))[-2::-1]:
            merged = _where(index == i, result, merged)
        values, out = flats[chosen[0]].rebuild(merged)
        return self._close(state, slots, values, out)


class TracingCond(_ControlFlow):
    """`if`: one of two functions, by a condition.

    true_fn, false_fn: functions of the same arguments, which must be tensors
        (or structures of them), with results alike.
    stateful_functions: True: `cond` takes the state of `prepare_control_flow`
        first and returns the new state first. None (default): so if it is
        given one and a function is a method. False: never.

    Raises TypeError for what can't be called.
    """

    def __init__(
        self,
        true_fn: Callable,
        false_fn: Callable,
        stateful_functions: Optional[bool] = None,
    ):
        super().__init__((true_fn, false_fn), stateful_functions)

    def cond(self, cond, *x):
        """`cond(condition, *x)`, or `cond(state, condition, *x)`.

        condition: a bool, or a tensor of one element per lane.

        Returns the function's result; with a state `(new_state, result)`, or
        `new_state` where the result is None. Where both branches run, or are
        traced, a value that is int32 after one and int64 after the other
        comes as int64 (and so for floats). Raises TypeError where the
        branches' results differ in structure, shape, or kind of dtype,
        RuntimeError for a write to a nonlocal.
        """
        state, slots, args = self._open((cond, *x))
        if not args:
            raise TypeError("TracingCond.cond: the condition is missing")
        test = _as_tensor(args[0])
        index = torch.logical_not(test.to(torch.bool)).to(torch.int64)
        return self._choose(index, args[1:], state, slots)


class TracingSwitch(_ControlFlow):
    """`match`: one of several functions, by number.

    branch_fns: two functions or more; see `TracingCond`.
    stateful_functions: see `TracingCond`.

    Raises AssertionError for fewer than two functions, TypeError for what
    can't be called.
    """

    def __init__(
        self, *branch_fns: Callable, stateful_functions: Optional[bool] = None
    ):
        assert len(branch_fns) >= 2, (
            f"TracingSwitch needs at least 2 branches, got {len(branch_fns)}"
        )
        super().__init__(branch_fns, stateful_functions)

    def switch(self, branch_idx, *x):
        """`switch(index, *x)`, or `switch(state, index, *x)`.

        index: an int, or an integer tensor of one element per lane, from 0.
            In a trace, any other number takes the last branch.

        Returns and raises as `TracingCond.cond`; IndexError for a number out
        of range.
        """
        state, slots, args = self._open((branch_idx, *x))
        if not args:
            raise TypeError("TracingSwitch.switch: the branch index is missing")
        index = _as_tensor(args[0]).to(torch.int64)
        return self._choose(index, args[1:], state, slots)


class TracingWhile(_ControlFlow):
    """`while`: repeat a function as long as a condition holds.

    cond_fn: of the carried values, gives a bool or a tensor of one element.
    body_fn: of the carried values, gives as many of the same shapes and
        dtypes: a tuple or list, or the tensor itself if there is one.
    stateful_functions: see `TracingCond`.

    Raises TypeError for what can't be called.
    """

    def __init__(
        self,
        cond_fn: Callable,
        body_fn: Callable,
        stateful_functions: Optional[bool] = None,
    ):
        super().__init__((cond_fn, body_fn), stateful_functions)

    def loop(self, *x):
        """`loop(*x)`, or `loop(state, *x)`; `x` are the carried tensors.

        Returns the tuple of carried values after the loop; with a state
        `(new_state, values)`. Raises TypeError that names the value whose
        shape or dtype the body changes, RuntimeError for a write to a
        nonlocal.
        """
        state, slots, args = self._open(x)
        ops, spec = self._operands(state, slots, args)
        n = len(slots)
        cond_flat = _Flat(self._functions[0], slots, spec)
        body_flat = _Flat(self._functions[1], slots, spec)
        kinds = [kind_of(t) for t in ops]

        def cond(xs: Tensors):
            values, c = cond_flat.run(xs)
            c = _as_tensor(c)
            shape = kind_of(c)[0]
            if math.prod(shape) != 1:
                raise TypeError(
                    f"TracingWhile: {where_defined(self._functions[0])} must give one "
                    f"value, got shape {list(shape)}"
                )
            return c.reshape(()).to(torch.bool), values + list(xs[n:])

        def body(xs: Tensors):
            values, out = body_flat.run(xs)
            carry = (out,) if isinstance(out, torch.Tensor) else out
            leaves = [] if carry is None else pytree.tree_leaves(carry)
            self._check_carry(values + leaves, kinds, slots, len(args))
            return values + leaves

        out = _run_while(cond, body, ops)
        carried = tuple(pytree.tree_unflatten(out[n:], spec))
        return self._close(state, slots, out[:n], carried)

    def _check_carry(self, new, kinds, slots, count):
        body = where_defined(self._functions[1])
        if len(new) != len(kinds):
            raise TypeError(
                f"TracingWhile: {body} must return as many values as it takes, "
                f"{len(kinds) - len(slots)}, got {len(new) - len(slots)}"
            )
        names = [s.key for s in slots]
        try:
            plain = unwrap_callable(self._functions[1])
            names += list(inspect.signature(plain).parameters)
        except (TypeError, ValueError):
            pass
        for i, (t, kind) in enumerate(zip(new, kinds)):
            if not isinstance(t, torch.Tensor):
                raise TypeError(
                    f"TracingWhile: {body} must return tensors, got {type(t).__name__}"
                )
            if kind_of(t) != kind:
                name = names[i] if i < len(names) else f"value {i - len(slots)}"
                raise TypeError(
                    f"TracingWhile: {body} changes {name!r} from {_kind(kind)} to "
                    f"{_kind(kind_of(t))}; a carried value keeps its "
                    "shape and dtype"
                )
