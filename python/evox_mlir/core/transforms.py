# transforms.py - use_state and vmap as objects that remember their chain
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`use_state` and `vmap`.

Both return a callable object. Called, it runs eagerly on PyTorch. Handed to
`jit`, it tells its `chain`: the plain function at the bottom and the
transforms around it, innermost first. So a compiler gets the function as the
user wrote it, control flow and all, and does the transforms itself.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import torch
from torch import nn

from . import _batch
from .state import (
    CellSlot,
    WriteGuard,
    capture,
    clone_slot_value,
    in_vmap,
    installed,
    is_wrapped_tensor,
    unwrap_callable,
    use_state_context,
    where_defined,
)

#: The number of lanes that `init_state()` of a vmapped function makes when
#: nothing says how many are wanted (EvoX 1.0 uses the same one).
DEFAULT_LANES = 13


# Chains ---------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """The plain function at the bottom of a chain.

    function: what is called, a function or a bound method.
    module:   the module it is a method of, or None.
    method:   the name of that method, or None.
    """

    function: Callable
    module: Optional[nn.Module] = None
    method: Optional[str] = None

    def __str__(self):
        if self.module is not None:
            return f"method {self.method} of {type(self.module).__name__}"
        return f"function {getattr(self.function, '__name__', self.function)}"


@dataclass(frozen=True)
class UseState:
    """State in, state out. `keys` are the names of the state dictionary,
    `slots` the places that they stand for."""

    keys: Tuple[str, ...]
    slots: Tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __str__(self):
        return "use_state"


@dataclass(frozen=True)
class Vmap:
    """One batch dimension more. The fields are `vmap`'s arguments."""

    in_dims: Any = 0
    out_dims: Any = 0
    randomness: str = "different"
    chunk_size: Optional[int] = None
    strategy: Optional[str] = None

    def __str__(self):
        return f"vmap(in_dims={self.in_dims}, out_dims={self.out_dims})"


@dataclass(frozen=True)
class Chain:
    """A function and the transforms around it, innermost first."""

    source: Source
    transforms: Tuple[Union[UseState, Vmap], ...] = field(default=())

    def __str__(self):
        parts = [str(t) for t in reversed(self.transforms)] + [str(self.source)]
        return " of ".join(parts)


def chain_of(fn: Callable) -> Chain:
    """The chain of any callable; a plain function has no transforms."""
    if isinstance(fn, TransformedFunction):
        return fn.chain
    bottom = getattr(fn, "__evox_chain__", None)
    if bottom is not None:
        return bottom()
    plain = unwrap_callable(fn)
    if inspect.ismethod(plain) and isinstance(plain.__self__, nn.Module):
        # The name it was reached by: a proxy of trace_impl keeps its target's.
        name = getattr(fn, "__name__", plain.__name__)
        return Chain(Source(plain, plain.__self__, name))
    if isinstance(plain, nn.Module):
        return Chain(Source(plain, plain, "forward"))
    return Chain(Source(plain))


class TransformedFunction:
    """What `use_state` and `vmap` return.

    inner:     the function (or transformed function) below.
    transform: the transform that this object adds.
    chain:     all transforms and the plain function at the bottom.
    """

    def __init__(self, inner: Callable, transform):
        self.inner = inner
        self.transform = transform
        plain = unwrap_callable(inner)
        try:
            functools.update_wrapper(self, plain, updated=())
        except AttributeError:
            pass
        # update_wrapper's __wrapped__ would give the plain signature away as
        # this object's own.
        self.__dict__.pop("__wrapped__", None)
        self.__name__ = getattr(plain, "__name__", type(plain).__name__)

    @property
    def __evox_function__(self):
        return self.inner

    @property
    def chain(self) -> Chain:
        below = chain_of(self.inner)
        return Chain(below.source, below.transforms + (self.transform,))

    def __repr__(self):
        return f"<{self.chain}>"


# use_state ------------------------------------------------------------------


class StatefulFunction(TransformedFunction):
    """A pure function of its state and its arguments; see `use_state`.

    is_empty_state: the function below reaches no state; it is then called
        with its own arguments only, and returns its own result only.
    """

    def __init__(self, inner: Callable):
        self.slots = capture(inner)
        self._modules = _modules_of(self.slots)
        keys = tuple(s.key for s in self.slots)
        super().__init__(inner, UseState(keys, tuple(self.slots)))

    @property
    def is_empty_state(self) -> bool:
        return not self.slots

    def init_state(self, clone: bool = True) -> Dict[str, torch.Tensor]:
        """The state as it is now, by name.

        clone: copy the tensors (default). With False the dictionary holds the
            very tensors that the modules hold.
        Parameters come as `nn.Parameter`. An empty state is an empty dict.
        """
        self._check_layout()
        return {
            s.key: clone_slot_value(s.get()) if clone else s.get() for s in self.slots
        }

    def set_state(self, state: Optional[Dict[str, torch.Tensor]] = None) -> None:
        """Make `state` the state of the modules and variables, in place.

        The tensors are assigned, not copied. None puts back the state that
        the function had when it was wrapped. Raises KeyError for a name that
        is missing or unknown.
        """
        if state is None:
            state = self._initial
        for slot, value in zip(self.slots, self._values(state)):
            slot.assign(value)

    @functools.cached_property
    def _initial(self):
        return self.init_state(clone=False)

    def _values(self, state) -> List[torch.Tensor]:
        return state_values(self.__name__, self.transform.keys, state)

    def _check_layout(self):
        now = {
            s.place() for s in capture(self.inner) if not isinstance(s, CellSlot)
        }
        then = {s.place() for s in self.slots if not isinstance(s, CellSlot)}
        if now != then:
            names = {n for _, n in now ^ then}
            raise RuntimeError(
                f"use_state of {where_defined(self.inner)}: its modules gained or "
                f"lost {', '.join(sorted(names))} since it was wrapped; define "
                "all state in __init__ or setup, then call use_state"
            )

    def __call__(self, *args, **kwargs):
        if self.is_empty_state:
            with use_state_context():
                return self.inner(*args, **kwargs)
        if args:
            state, args = args[0], args[1:]
        elif "state" in kwargs:
            state = kwargs.pop("state")
        else:
            raise TypeError(
                f"{self.__name__}() needs the state as its first argument: the "
                "dict that init_state() or the last call gave"
            )
        values = self._values(state)
        with installed(self.slots, values), use_state_context():
            out = self.inner(*args, **kwargs)
            new_state = {s.key: s.get() for s in self.slots}
            self._check_layout()
        return new_state if out is None else (new_state, out)

    def __evox_captures__(self):
        return []  # pure


def state_values(name: str, keys, state) -> List[torch.Tensor]:
    """The tensors of a state dictionary, in the order of `keys`."""
    if not isinstance(state, dict):
        raise TypeError(
            f"{name}: the first argument must be the state, a dict of "
            f"tensors as init_state() gives, got {type(state).__name__}"
        )
    missing = [k for k in keys if k not in state]
    unknown = [k for k in state if k not in set(keys)]
    if missing or unknown:
        problems = []
        if missing:
            problems.append("lacks " + ", ".join(map(repr, missing)))
        if unknown:
            problems.append("has unknown " + ", ".join(map(repr, unknown)))
        raise KeyError(
            f"{name}: the state {' and '.join(problems)}; expected the "
            f"names of init_state(): {', '.join(keys)}"
        )
    return [state[k] for k in keys]


def _modules_of(slots):
    return [s.module for s in slots if not isinstance(s, CellSlot)]


def _is_generator(func: Callable) -> bool:
    """Whether `func` is to be called, without arguments, for the function.

    A bound method of a module, a module, and whatever needs an argument is
    the function itself.
    """
    plain = unwrap_callable(func)
    if isinstance(func, TransformedFunction) or isinstance(plain, nn.Module):
        return False
    if inspect.ismethod(plain) and isinstance(plain.__self__, nn.Module):
        return False
    try:
        params = inspect.signature(plain).parameters.values()
    except (TypeError, ValueError):
        return False
    return not any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        for p in params
    )


def use_state(func: Callable, is_generator: bool = True) -> StatefulFunction:
    """Make a stateful function pure: state in first, new state out first.

    The state is all that the function can reach: parameters and buffers of
    the module that it is a method of (`self.NAME`), of modules in its closure
    and its globals (`m.NAME`), and tensors in its closure (`t`).

    func: the function, or a function without arguments that returns it, as in
        `use_state(lambda: model.step)`.
    is_generator: False if `func`, though it takes no arguments, is the
        function itself. A method of a module, or a function that needs
        arguments, is seen to be one with either value.

    Returns a `StatefulFunction` f. `f(state, *args)` gives `(new_state,
    result)`, or `new_state` alone where the result is None; modules and
    variables are afterwards as they were before. A function that reaches no
    state takes no state and returns none (`f.is_empty_state`).
    `f.init_state()` copies the present state, `f.set_state(s)` makes `s` the
    present state.

    Raises TypeError if `func` (or what the generator returns) isn't callable,
    KeyError for a state that doesn't fit.
    """
    if not callable(func):
        raise TypeError(f"use_state: expected a function, got {type(func).__name__}")
    if is_generator and _is_generator(func):
        made = func()
        if not callable(made):
            raise TypeError(
                f"use_state: {where_defined(func)} takes no arguments, so it was "
                f"called for the function to wrap, but it returned "
                f"{type(made).__name__}; if it is the function itself, say "
                "is_generator=False"
            )
        func = made
    out = StatefulFunction(func)
    out._initial  # kept for set_state(None)
    return out


# vmap -----------------------------------------------------------------------


class VmapFunction(TransformedFunction):
    """A function of batched arguments; see `vmap`."""

    def __init__(self, inner, transform: Vmap, batched_state=None):
        super().__init__(inner, transform)
        self._batched_state = batched_state

    # The state's part, where a use_state lies below.

    def _stateful(self):
        inner = self.inner
        if isinstance(inner, (StatefulFunction, VmapFunction)) or hasattr(
            inner, "init_state"
        ):
            return inner
        return None

    @property
    def is_empty_state(self) -> bool:
        inner = self._stateful()
        return inner is None or inner.is_empty_state

    def _state_dims(self):
        dims = self.transform.in_dims
        return dims[0] if isinstance(dims, (tuple, list)) and dims else dims

    def init_state(
        self,
        batch_size: Union[int, Tuple[int, ...], None] = None,
        clone: bool = True,
    ) -> Dict[str, torch.Tensor]:
        """The present state, once per lane: each tensor gains a dimension of
        `batch_size` where `in_dims` says so.

        batch_size: the number of lanes; a tuple (outermost first) for a vmap
            of a vmap. None means `batched_state`'s if `vmap` was given one,
            else 13.
        clone: with False the lanes share memory (`expand`); don't write into
            them.
        Raises AttributeError if no `use_state` lies below, ValueError for a
        batch size below 1.
        """
        inner = self._stateful()
        if inner is None:
            raise AttributeError(
                f"vmap of {where_defined(self.inner)} has no state of its own; "
                "use vmap(use_state(...)) for one state per lane"
            )
        sizes = batch_size if isinstance(batch_size, (tuple, list)) else (batch_size,)
        if sizes[0] is None and self._batched_state is not None:
            return dict(self._batched_state)
        lanes = DEFAULT_LANES if sizes[0] is None else sizes[0]
        if isinstance(lanes, bool) or not isinstance(lanes, int) or lanes < 1:
            raise ValueError(f"init_state: batch_size must be 1 or more, got {lanes!r}")
        if isinstance(inner, VmapFunction):
            one = inner.init_state(tuple(sizes[1:]) or None, clone=False)
        elif len(sizes) > 1:
            raise ValueError(
                f"init_state: {len(sizes)} batch sizes for {self.chain}; give one "
                "per vmap"
            )
        else:
            one = inner.init_state(clone=False)
        dims = self._state_dims()
        return {
            k: _batch.repeat_lanes(
                v, dims.get(k) if isinstance(dims, dict) else dims, lanes, clone
            )
            for k, v in one.items()
        }

    def set_state(self, state: Optional[Dict[str, torch.Tensor]] = None) -> None:
        """Make `state`, as it is (all lanes), the modules' state; None puts
        back the state that they had when `use_state` was applied."""
        inner = self._stateful()
        if inner is None:
            raise AttributeError("this function has no state of its own")
        inner.set_state(state)

    def __call__(self, *args, **kwargs):
        t = self.transform
        slots = capture(self.inner)
        guard = WriteGuard(slots)
        before = [s.get() for s in slots]
        try:
            return _batch.call(self.inner, t, args, kwargs)
        finally:
            self._check_writes(guard, slots, before)

    def _check_writes(self, guard, slots, before):
        """One module can't hold a value per lane: say so, and mend it."""
        bad = []
        for slot, old in zip(slots, before):
            new = slot.get()
            lanes = new is not None and new is not old and is_wrapped_tensor(new)
            if lanes and not (in_vmap() and not _dead(new)):
                bad.append(slot.key)
                slot.set(old)
        if bad:
            raise RuntimeError(
                f"vmap of {where_defined(self.inner)}: it writes "
                f"{', '.join(bad)}, which all lanes share, with a value per lane. "
                "Use vmap(use_state(...)), which gives each lane its own state"
            )

    def __evox_captures__(self):
        return capture(self.inner)


def _dead(t: torch.Tensor) -> bool:
    """Whether the vmap that made `t` has ended."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    level = torch._C._functorch.maybe_get_level(t)
    return all(i.level() != level for i in stack)


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    trace: Optional[bool] = None,
    example_ndim: Any = None,
    example_shapes: Any = None,
    example_inputs: Any = None,
    strict: bool = False,
    check_trace: bool = False,
    batched_state: Optional[Dict[str, torch.Tensor]] = None,
    VMAP_DIM_CONST: int = DEFAULT_LANES,
    *,
    randomness: str = "different",
    chunk_size: Optional[int] = None,
    strategy: Optional[str] = None,
) -> VmapFunction:
    """Map a function over a new dimension of its arguments.

    func: any callable; `vmap(use_state(f))` gives each lane its own state.
    in_dims: which dimension of each argument holds the lanes: an int for all,
        or a tuple with an entry per argument; an entry is an int, None (every
        lane gets the whole argument) or a list, tuple or dict of those that
        mirrors the argument. The state of `use_state` is the first argument.
    out_dims: where the lanes' dimension goes in the results; None for a
        result that is the same in all lanes.
    randomness: what a random draw inside does: "different" (each lane draws
        its own numbers; default), "same", or "error".
    chunk_size: run at most so many lanes at a time; same results but for
        draws, which then come chunk by chunk. Bounds memory.
    strategy: how lanes run. None or "mask": together, as `torch.func.vmap`;
        data-dependent control flow must then go through `TracingCond`,
        `TracingSwitch` or `TracingWhile`. "lanes": one after the other, so
        Python's own `if` and `while` on data work. Lanes that are done do
        nothing more. "different" then draws lane after lane; "same" gives
        each lane the generator as it was before the first.
    batched_state: what `init_state(None)` returns.
    trace, example_ndim, example_shapes, example_inputs, strict, check_trace,
    VMAP_DIM_CONST: accepted for code written for EvoX, without effect: `vmap`
        never traces by itself, `jit` does.

    Returns a `VmapFunction`; with a `use_state` below it has
    `init_state(batch_size)` and `set_state(state)`.

    Raises TypeError for a `func` that can't be called, ValueError for a bad
    `randomness`, `strategy` or `chunk_size`; when called, ValueError that
    names the argument for an `in_dims` that doesn't fit it and for batch
    sizes that differ, RuntimeError for a draw under randomness="error", for
    a write of one value per lane to state that the lanes share, and for
    data-dependent control flow that the strategy can't follow.
    """
    if not callable(func):
        raise TypeError(f"vmap: expected a function, got {type(func).__name__}")
    if randomness not in ("error", "same", "different"):
        raise ValueError(
            f"vmap: randomness must be 'error', 'same' or 'different', got {randomness!r}"
        )
    if strategy not in (None, "mask", "lanes"):
        raise ValueError(
            f"vmap: strategy must be None, 'mask' or 'lanes', got {strategy!r}"
        )
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ValueError(f"vmap: chunk_size must be 1 or more, got {chunk_size!r}")
    transform = Vmap(in_dims, out_dims, randomness, chunk_size, strategy)
    return VmapFunction(func, transform, batched_state)
