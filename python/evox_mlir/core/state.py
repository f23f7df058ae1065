# state.py - where a function's state lives, and how to make it explicit
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State slots, the context switches, and purification of stateful functions.

A *slot* is a place that holds a tensor and outlives a call: a buffer or a
parameter of an `nn.Module`, or a cell of a Python closure. `capture` lists the
slots that a function can reach; `installed` puts values into them for the time
of a `with` block and puts the old ones back after it. Everything that makes
state explicit (`use_state`, control flow, checks of side effects) is built on
these two.
"""

from __future__ import annotations

import dis
import functools
import inspect
import types
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import nn

_using_state: ContextVar[bool] = ContextVar("using_state", default=False)
_trace_caching_state: ContextVar[bool] = ContextVar(
    "trace_caching_state", default=False
)


@contextmanager
def use_state_context(new_use_state: bool = True):
    """Set what `is_using_state()` answers for the time of a `with` block.

    The token of the `ContextVar` is yielded; the old value comes back at the
    end, after an exception too.

    >>> with use_state_context(True):
    ...     assert is_using_state()
    >>> assert not is_using_state()
    """
    token = _using_state.set(new_use_state)
    try:
        yield token
    finally:
        _using_state.reset(token)


def is_using_state() -> bool:
    """Whether the innermost `use_state_context` says True (default False)."""
    return _using_state.get()


@contextmanager
def trace_caching_state_context(new_trace_caching_state: bool = True):
    """Set what `is_trace_caching_state()` answers for a `with` block.

    >>> with trace_caching_state_context(True):
    ...     assert is_trace_caching_state()
    >>> assert not is_trace_caching_state()
    """
    token = _trace_caching_state.set(new_trace_caching_state)
    try:
        yield token
    finally:
        _trace_caching_state.reset(token)


def is_trace_caching_state() -> bool:
    """Whether the innermost `trace_caching_state_context` says True."""
    return _trace_caching_state.get()


def tracing_or_using_state() -> bool:
    """True inside `torch.jit.trace`, `use_state_context(True)` or
    `trace_caching_state_context(True)`; False otherwise."""
    return torch.jit.is_tracing() or is_using_state() or is_trace_caching_state()


@contextmanager
def paused_tracing():
    """Put a running `torch.jit.trace` aside: traces can't nest, and sizes are
    plain ints without one."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)


def fork_rng():
    """A `with` block that leaves the random generators as they were."""
    devices = [] if not torch.cuda.is_initialized() else None
    return torch.random.fork_rng(devices)


def in_vmap() -> bool:
    """Whether a `torch.func` transform is being applied right now."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_wrapped_tensor(t: torch.Tensor) -> bool:
    """Whether `t` stands for a batch of lanes (or another transform's value)."""
    return torch._C._functorch.is_functorch_wrapped_tensor(t)


def unwrap_fully(t: torch.Tensor) -> torch.Tensor:
    """The plain tensor, all lanes of all levels, below `t`."""
    while is_wrapped_tensor(t):
        t = torch._C._functorch.get_unwrapped(t)
    return t


def kind_of(t: torch.Tensor) -> Tuple[Tuple[int, ...], torch.dtype]:
    """(shape, dtype), with plain ints while tracing too."""
    with paused_tracing():
        return tuple(t.shape), t.dtype


def tensor_version(t: torch.Tensor) -> Optional[int]:
    """The counter of in-place writes, or None where PyTorch keeps none."""
    base = unwrap_fully(t)
    return None if base.is_inference() else base._version


# Slots ----------------------------------------------------------------------


class ModuleSlot:
    """A parameter or a persistent buffer of a module."""

    __slots__ = ("module", "table", "name", "key")

    def __init__(self, module: nn.Module, table: str, name: str, key: str):
        self.module, self.table, self.name, self.key = module, table, name, key

    def _values(self) -> Dict[str, torch.Tensor]:
        return self.module.__dict__[self.table]

    def get(self) -> Optional[torch.Tensor]:
        return self._values().get(self.name)

    def set(self, value: Optional[torch.Tensor]) -> None:
        # Past nn.Module.__setattr__, which lets only a Parameter into a
        # parameter's place: a batch of lanes isn't one.
        self._values()[self.name] = value

    def assign(self, value: torch.Tensor) -> None:
        """Set for good: a parameter stays a `Parameter`."""
        if (
            self.table == "_parameters"
            and not isinstance(value, nn.Parameter)
            and not is_wrapped_tensor(value)
            and not torch.jit.is_tracing()
        ):
            old = self.get()
            grad = bool(old is not None and old.requires_grad)
            value = nn.Parameter(value, requires_grad=grad)
        self.set(value)

    def place(self) -> Tuple[int, str]:
        return (id(self.module), self.name)


class CellSlot:
    """A variable of an enclosing function, bound to a tensor."""

    __slots__ = ("cell", "key")

    def __init__(self, cell: types.CellType, key: str):
        self.cell, self.key = cell, key

    def get(self) -> Optional[torch.Tensor]:
        try:
            return self.cell.cell_contents
        except ValueError:  # deleted inside the call
            return None

    def set(self, value: torch.Tensor) -> None:
        self.cell.cell_contents = value

    assign = set

    def place(self) -> Tuple[int, str]:
        return (id(self.cell), "")


def module_slots(module: nn.Module, prefix: str) -> Iterator[ModuleSlot]:
    """The slots behind `module.state_dict()`, each once.

    A submodule that two paths reach is one module and shows under the first.
    """
    for path, sub in module.named_modules():
        here = prefix + (path + "." if path else "")
        skip = sub._non_persistent_buffers_set
        for name, value in sub._parameters.items():
            if value is not None:
                yield ModuleSlot(sub, "_parameters", name, here + name)
        for name, value in sub._buffers.items():
            if value is not None and name not in skip:
                yield ModuleSlot(sub, "_buffers", name, here + name)


# Capture --------------------------------------------------------------------


def unwrap_callable(fn: Callable) -> Callable:
    """The Python function or bound method below partials and our wrappers."""
    while True:
        if isinstance(fn, functools.partial):
            fn = fn.func
        elif hasattr(fn, "__evox_function__"):
            fn = fn.__evox_function__
        else:
            return fn


def _global_names(code: types.CodeType) -> Iterator[str]:
    for ins in dis.get_instructions(code):
        if ins.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield ins.argval
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _global_names(const)


def _state_of_name(name, value, cell, out, seen_functions):
    if isinstance(value, nn.Module):
        out.extend(module_slots(value, name + "."))
    elif isinstance(value, torch.Tensor):
        if cell is not None:
            out.append(CellSlot(cell, name))
    elif hasattr(value, "__evox_captures__"):
        for slot in value.__evox_captures__():
            if slot.key.startswith("self."):
                slot.key = name + slot.key.removeprefix("self")
            out.append(slot)
    elif callable(value) and not isinstance(value, type):
        inner = unwrap_callable(value)
        if inspect.ismethod(inner) and isinstance(inner.__self__, nn.Module):
            out.extend(module_slots(inner.__self__, name + "."))
        elif inspect.isfunction(inner) and inner.__closure__ is not None:
            # A local helper: what it reaches, the function reaches.
            _capture_function(inner, out, seen_functions)


def _capture_function(fn, out, seen_functions):
    if fn in seen_functions:
        return
    seen_functions.add(fn)
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:
            continue  # not bound yet
        _state_of_name(name, value, cell, out, seen_functions)
    for name in dict.fromkeys(_global_names(fn.__code__)):
        value = fn.__globals__.get(name)
        if isinstance(value, nn.Module):
            out.extend(module_slots(value, name + "."))


def capture(fn: Callable, nonlocals: bool = True) -> List[Any]:
    """The slots that `fn` can reach, in a fixed order, each place once.

    A bound method's own module comes as `self.NAME`; a module in a closure or
    a global variable `m` as `m.NAME`; a tensor in a closure variable `t` as
    `t` (left out with `nonlocals=False`). Tensors in global variables are
    constants. A key that two places would share gets a number appended.
    """
    if hasattr(fn, "__evox_captures__"):
        return fn.__evox_captures__()
    fn = unwrap_callable(fn)
    found: List[Any] = []
    seen: set = set()
    if isinstance(fn, nn.Module):
        found.extend(module_slots(fn, "self."))
    elif inspect.ismethod(fn):
        if isinstance(fn.__self__, nn.Module):
            found.extend(module_slots(fn.__self__, "self."))
        if inspect.isfunction(fn.__func__):
            _capture_function(fn.__func__, found, seen)
    elif inspect.isfunction(fn):
        _capture_function(fn, found, seen)
    return unique_slots(s for s in found if nonlocals or isinstance(s, ModuleSlot))


def unique_slots(slots) -> List[Any]:
    """Drop places met before; number keys that would clash."""
    places, keys, out = set(), set(), []
    for slot in slots:
        if slot.place() in places:
            continue
        places.add(slot.place())
        base, n = slot.key, 1
        while slot.key in keys:
            slot.key = f"{base}_{n}"
            n += 1
        keys.add(slot.key)
        out.append(slot)
    return out


@contextmanager
def installed(slots: List[Any], values: Optional[List[torch.Tensor]]):
    """Put `values` into `slots` for a `with` block, then the old ones back."""
    old = [s.get() for s in slots]
    try:
        if values is not None:
            for slot, value in zip(slots, values):
                slot.set(value)
        yield
    finally:
        for slot, value in zip(slots, old):
            slot.set(value)


def clone_slot_value(value: torch.Tensor) -> torch.Tensor:
    """A copy that is still a `Parameter` if `value` is one."""
    copy = value.detach().clone()
    if isinstance(value, nn.Parameter):
        return nn.Parameter(copy, requires_grad=value.requires_grad)
    return copy


class WriteGuard:
    """Remembers tensors, and tells which one was rebound or written into."""

    def __init__(self, slots: List[Any]):
        self.entries = []
        for s in slots:
            value = s.get()
            version = tensor_version(value)
            # Inference tensors count no versions: keep the values instead.
            kept = unwrap_fully(value).clone() if version is None else None
            self.entries.append((s, value, version, kept))

    def writes(self) -> List[Tuple[str, str]]:
        """(name, "rebound" or "written in place") of each write so far."""
        out = []
        for slot, value, version, kept in self.entries:
            if slot.get() is not value:
                out.append((slot.key, "rebound"))
            elif kept is not None:
                if not torch.equal(unwrap_fully(value), kept):
                    out.append((slot.key, "written in place"))
            elif tensor_version(value) != version:
                out.append((slot.key, "written in place"))
        return out


def where_defined(fn: Callable) -> str:
    """`name (file:line)` of a function, for messages."""
    fn = unwrap_callable(fn)
    code = getattr(fn, "__code__", None)
    name = getattr(fn, "__qualname__", None) or type(fn).__name__
    if code is None:
        return name
    return f"{name} ({code.co_filename}:{code.co_firstlineno})"
