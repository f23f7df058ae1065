# module.py - modules with mutable values
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`ModuleBase`, `Parameter`, `Mutable` and `assign_load_state_dict`.

The names that EvoX 1.0 documents under `evox.core.module` can all be imported
from here.
"""

from __future__ import annotations

import inspect
import keyword
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import torch
from torch import nn

from .jit_class import _WrapClassBase, jit_class, trace_impl, vmap_impl  # noqa: F401
from .state import (  # noqa: F401
    ModuleSlot,
    WriteGuard,
    _trace_caching_state,
    _using_state,
    capture,
    is_trace_caching_state,
    is_using_state,
    module_slots,
    trace_caching_state_context,
    tracing_or_using_state,
    unique_slots,
    unwrap_callable,
    use_state_context,
    where_defined,
)
from .transforms import StatefulFunction as UseStateFunc  # noqa: F401
from .transforms import use_state  # noqa: F401

TensorOrModule = Union[torch.Tensor, nn.Module]


def Parameter(
    value,
    dtype: Optional[torch.dtype] = None,
    device: Optional[torch.device] = None,
    requires_grad: bool = False,
) -> nn.Parameter:
    """A parameter of a module: a value that is set from outside, such as a
    hyper-parameter.

    value: a tensor, a number, a bool, or nested lists of numbers.
    dtype, device: those of the parameter; by default the tensor's own, or
        what `torch.tensor(value)` picks.
    requires_grad: False, unlike `torch.nn.Parameter`; so integers work.

    A tensor that needs no conversion is shared, not copied. Raises what
    `torch.tensor` raises for a value that makes no tensor.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().to(dtype=dtype, device=device)
    else:
        value = torch.tensor(value, dtype=dtype, device=device)
    return nn.Parameter(value, requires_grad=requires_grad)


def Mutable(
    value: torch.Tensor,
    dtype: Optional[torch.dtype] = None,
    device: Optional[torch.device] = None,
) -> nn.Buffer:
    """A mutable value of a module: `self.x = Mutable(t)`, then `self.x = new`.

    value: a tensor. dtype, device: those of the value; by default its own.

    A tensor that needs no conversion is shared, not copied. Raises TypeError
    for anything but a tensor.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"Mutable: expected a tensor, got {type(value).__name__}; wrap numbers "
            "with torch.tensor"
        )
    return nn.Buffer(value.to(dtype=dtype, device=device))


def assign_load_state_dict(
    self: nn.Module, state_dict: Mapping[str, torch.Tensor]
) -> None:
    """Put the tensors of `state_dict` themselves (no copies) into `self` and
    its submodules.

    It gives a plain `nn.Module` the behaviour of `ModuleBase.load_state_dict`:

        model.load_state_dict = types.MethodType(assign_load_state_dict, model)
        vmap_forward = vmap(use_state(model.forward))

    (`use_state` of this package works on a plain module without it, too.)
    Names that are not in `state_dict` keep their values. A parameter stays an
    `nn.Parameter`. Raises AttributeError for a name that the module lacks.
    """
    slots: Dict[str, ModuleSlot] = {}
    # Every path of a shared module is a name of it in state_dict().
    for path, sub in self.named_modules(remove_duplicate=False):
        prefix = path + "." if path else ""
        for table in ("_parameters", "_buffers"):
            for name in sub.__dict__[table]:
                slots[prefix + name] = ModuleSlot(sub, table, name, prefix + name)
    unknown = [k for k in state_dict if k not in slots]
    if unknown:
        raise AttributeError(
            f"{type(self).__name__} has no parameter or buffer named "
            + ", ".join(map(repr, unknown))
        )
    for key, value in state_dict.items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(
                f"load_state_dict: {key!r} must be a tensor, got {type(value).__name__}"
            )
        slots[key].assign(value)


class _NonlocalKeys(list):
    """Names of nonlocals; carries what `after_control_flow` checks."""

    guard: Optional[WriteGuard] = None
    owner = None


class ModuleBase(nn.Module):
    """The base of algorithms, problems, workflows and monitors.

    Members are of two kinds. *Mutable* ones are tensors and modules: `Mutable`
    values, `Parameter`s, submodules. They make up `state_dict()`, and
    `use_state` turns them into arguments and results. *Static* ones are all
    others; their names are listed in `static_names`.

    Static members belong into `__init__`. Mutable ones may stand there or in
    `setup`, which returns `self` and may be called again.

        class Counter(ModuleBase):
            def __init__(self, by: float):
                super().__init__()
                self.by = by                          # static
                self.n = Mutable(torch.zeros(()))     # mutable

            def step(self):
                self.n = self.n + self.by

    A module starts in evaluation mode (`training` is False).
    """

    def __init__(self, *args, **kwargs):
        # Before nn.Module's __init__, whose assignments are no members.
        self.__dict__["__static_names__"] = []
        super().__init__(*args, **kwargs)
        self.train(False)

    # TorchScript would compile the property otherwise.
    __jit_unused_properties__ = ["static_names"]

    @property
    def static_names(self) -> List[str]:
        """The names of the static members, in order of first assignment."""
        return list(self.__dict__.get("__static_names__", ()))

    def eval(self):
        """Evaluation mode, as `nn.Module.eval`."""
        return self.train(False)

    def setup(self, *args, **kwargs):
        """Initialise mutable members; to be overridden. Returns `self`.

        It may be called any number of times.
        """
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (list, tuple, dict)):
            old = self.__dict__.get("_modules", {}).get(name)
            if isinstance(old, (_Container, nn.ModuleList, nn.ModuleDict)):
                # A mutable list or dict is replaced as a whole.
                return self.add_mutable(name, value)
        super().__setattr__(name, value)
        if name not in self.__dict__:
            return  # became a parameter, buffer, submodule or property
        statics = self.__dict__.get("__static_names__")
        own = not name.startswith("__") and name not in _MODULE_FIELDS
        if statics is not None and own and name not in statics:
            statics.append(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in self.__dict__["__static_names__"]:
            self.__dict__["__static_names__"].remove(name)

    # Mutable members --------------------------------------------------------

    def add_mutable(
        self,
        name: str,
        value: Union[
            TensorOrModule,
            List[TensorOrModule],
            Tuple[TensorOrModule, ...],
            Dict[str, TensorOrModule],
        ],
    ) -> None:
        """Add a mutable member `self.NAME`, modified by `self.NAME = value`.

        value: a tensor or a module, or a list, tuple or dict that holds only
            tensors or only modules. Tensors in a list or dict become members
            of a submodule: `self.NAME[0]`, `self.NAME["key"]`, and
            `NAME.0`, `NAME.key` in `state_dict()`.

        Raises AssertionError for a name that isn't a Python name, or for a
        mixture; NotImplementedError for any other type of value.
        """
        _check_name(name, "name")
        taken = hasattr(self, name) and not (
            name in self._buffers or name in self._parameters or name in self._modules
            or name in self.__dict__
        )
        assert not taken, f"Name {name!r} is that of a member of the class already."
        if isinstance(value, (torch.Tensor, nn.Module)):
            self._replace(name)
            setattr(
                self, name, Mutable(value) if _is_plain_tensor(value) else value
            )
            return
        if isinstance(value, (list, tuple)):
            values, kind = list(value), type(value).__name__
        elif isinstance(value, dict):
            for key in value:
                _check_name(key, f"key of {name!r}")
            values, kind = list(value.values()), "dict"
        else:
            raise NotImplementedError(
                f"Mutable {name!r} of type {type(value).__name__} is not supported; "
                "use a tensor, a module, or a list, tuple or dict of them."
            )
        if all(isinstance(v, nn.Module) for v in values):
            made = nn.ModuleDict(value) if kind == "dict" else nn.ModuleList(values)
        else:
            assert all(isinstance(v, torch.Tensor) for v in values), (
                f"Mutable {name!r}: expected a {kind} of tensors or a {kind} of "
                "modules, got "
                + ", ".join(sorted({type(v).__name__ for v in values}))
            )
            made = _Container()
            items = value.items() if kind == "dict" else enumerate(values)
            for k, v in items:
                made.register_buffer(str(k), v)
        self._replace(name)
        setattr(self, name, made)

    def _replace(self, name: str) -> None:
        for table in (self._buffers, self._parameters, self._modules):
            table.pop(name, None)
        if name in self.__dict__:
            delattr(self, name)

    def load_state_dict(
        self, state_dict: Mapping[str, torch.Tensor], copy: bool = False, **kwargs
    ):
        """Take the values of `state_dict`.

        copy: False (default) puts the tensors themselves into this module and
            its submodules, whatever their shapes; names not in `state_dict`
            keep their values, and None is returned. True copies into the
            present tensors, as `torch.nn.Module.load_state_dict` does, and
            returns what that returns.
        kwargs: `torch.nn.Module.load_state_dict`'s, used with copy=True only.

        Raises AttributeError (copy=False) or RuntimeError (copy=True) for an
        unknown name.
        """
        if copy:
            return super().load_state_dict(state_dict, **kwargs)
        return assign_load_state_dict(self, state_dict)

    def to(self, *args, **kwargs) -> "ModuleBase":
        """As `nn.Module.to`, in place; returns `self`.

        Static members that are tensors move with it to another device; their
        dtype stays.
        """
        super().to(*args, **kwargs)
        device = torch._C._nn._parse_to(*args, **kwargs)[0]
        if device is not None:
            for sub in self.modules():
                if isinstance(sub, ModuleBase):
                    for name in sub.__dict__["__static_names__"]:
                        t = sub.__dict__.get(name)
                        if isinstance(t, torch.Tensor):
                            sub.__dict__[name] = t.to(device)
        return self

    # A module as a list or dict of its mutable values -----------------------

    def _entries(self) -> Dict[str, TensorOrModule]:
        out: Dict[str, TensorOrModule] = {}
        for table in (self._parameters, self._buffers, self._modules):
            out.update((k, v) for k, v in table.items() if v is not None)
        return out

    def _key(self, key, entries) -> str:
        if isinstance(key, str):
            if key not in entries:
                raise IndexError(
                    f"{type(self).__name__} has no value {key!r}; it has "
                    + (", ".join(entries) or "none")
                )
            return key
        if isinstance(key, bool) or not isinstance(key, int):
            raise TypeError(
                f"the key must be an int, a slice or a str, got {type(key).__name__}"
            )
        names = list(entries)
        if not -len(names) <= key < len(names):
            raise IndexError(
                f"index {key} is out of range: {type(self).__name__} holds "
                f"{len(names)} values"
            )
        return names[key]

    def __getitem__(self, key: Union[int, slice, str]):
        """A mutable value by position or name; a list of them for a slice.

        Raises IndexError for a key out of range, TypeError for a key of
        another type.
        """
        entries = self._entries()
        if isinstance(key, slice):
            return list(entries.values())[key]
        return entries[self._key(key, entries)]

    def __setitem__(self, key: Union[int, slice, str], value) -> None:
        """Set a mutable value, or with a slice as many as it selects.

        Raises IndexError, TypeError as `__getitem__`; ValueError for a slice
        and values of different number.
        """
        entries = self._entries()
        if isinstance(key, slice):
            names, values = list(entries)[key], list(value)
            if len(names) != len(values):
                raise ValueError(
                    f"the slice selects {len(names)} values, got {len(values)}"
                )
        else:
            names, values = [self._key(key, entries)], [value]
        for v in values:
            if not isinstance(v, (torch.Tensor, nn.Module)):
                raise TypeError(
                    f"a mutable value is a tensor or a module, got {type(v).__name__}"
                )
        for name, v in zip(names, values):
            nn.Module.__setattr__(self, name, v)

    def __len__(self) -> int:
        return len(self._entries())

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[TensorOrModule]:
        """Iterate over the mutable values."""
        return iter(self._entries().values())

    def iter(self) -> Tuple[TensorOrModule, ...]:
        """The mutable values, as a tuple."""
        return tuple(self)

    # Control flow -----------------------------------------------------------

    def prepare_control_flow(
        self, *target_functions: Callable, keep_vars: bool = True
    ) -> Tuple[Dict[str, torch.Tensor], Tuple[List[str], List[str]]]:
        """Gather the state that branches or loop bodies work on.

        target_functions: functions that the control flow may run: methods of
            this module, local functions, or global ones.
        keep_vars: False detaches the tensors, as in `nn.Module.state_dict`.

        Returns `(state, (state_keys, nonlocal_keys))`: `state_keys` are this
        module's values (`self.NAME`), `nonlocal_keys` the tensors (and
        tensors of other modules) in closures of the functions. Hand `state` to
        `TracingCond.cond` and the like, and their result, with the keys, to
        `after_control_flow`.

            state, keys = self.prepare_control_flow(self.true_branch, false_branch)
            state, ret = self._switch_.switch(state, index, x, y)
            self.after_control_flow(state, *keys)

        Nonlocals are read-only. A function that assigns one (`nonlocal q`) or
        writes into one in place gets a RuntimeError, from the control flow or
        from `after_control_flow`. (A write through `.data` goes unseen, as
        PyTorch doesn't count it.)

        Raises AssertionError if a function is neither local, nor global, nor
        a method of this module.
        """
        own = list(module_slots(self, "self."))
        others: List[Any] = []
        for fn in target_functions:
            plain = unwrap_callable(fn)
            if inspect.ismethod(plain):
                ok = plain.__self__ is self
            else:
                ok = inspect.isfunction(plain)
            assert ok, (
                "prepare_control_flow takes local functions, global functions and "
                f"methods of this {type(self).__name__}, got {fn!r}"
            )
            others.extend(s for s in capture(fn) if not s.key.startswith("self."))
        mine = {s.place() for s in own}
        merged = unique_slots(own + [s for s in others if s.place() not in mine])
        own, nonlocals = merged[: len(own)], merged[len(own) :]
        state = {s.key: s.get() for s in merged}
        if not keep_vars:
            state = {k: v.detach() for k, v in state.items()}
        keys = _NonlocalKeys(s.key for s in nonlocals)
        keys.guard = WriteGuard(nonlocals)
        keys.owner = self
        return state, ([s.key for s in own], keys)

    def after_control_flow(
        self,
        state: Dict[str, torch.Tensor],
        state_keys: List[str],
        nonlocal_keys: List[str],
    ) -> Dict[str, torch.Tensor]:
        """Make the state that control flow returned this module's state.

        state: the state dictionary that the control flow returned.
        state_keys, nonlocal_keys: the keys from `prepare_control_flow`.

        Returns the nonlocals, by name. Raises RuntimeError that names the
        variable if one was written since `prepare_control_flow`, KeyError if
        `state` lacks a key.
        """
        missing = [k for k in [*state_keys, *nonlocal_keys] if k not in state]
        if missing:
            raise KeyError(
                "after_control_flow: the state lacks " + ", ".join(map(repr, missing))
            )
        guard = getattr(nonlocal_keys, "guard", None)
        if guard is not None:
            raise_on_writes(guard, "a function")
        slots = {s.key: s for s in module_slots(self, "self.")}
        for key in state_keys:
            if key not in slots:
                raise KeyError(
                    f"after_control_flow: {key!r} is no value of this "
                    f"{type(self).__name__}"
                )
            slots[key].assign(state[key])
        return {k: state[k] for k in nonlocal_keys}

    def __sync_with__(self, jit_module) -> None:
        """Called once a scripted twin of this module was made; to be
        overridden by a module that holds members only for scripting."""


def raise_on_writes(guard: WriteGuard, who: str) -> None:
    """RuntimeError if a guarded nonlocal was written."""
    writes = guard.writes()
    if writes:
        names = "; ".join(f"{name!r} was {how}" for name, how in writes)
        raise RuntimeError(
            f"control flow: {who} wrote to a nonlocal variable: {names}. Nonlocals "
            "are read-only there; return the new value, or keep it as a Mutable of "
            "the module"
        )


class _Container(ModuleBase):
    """The tensors of a mutable list, tuple or dict."""


def _is_plain_tensor(value) -> bool:
    return isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter)


def _check_name(name, what: str) -> None:
    assert isinstance(name, str) and name.isidentifier() and (
        not keyword.iskeyword(name)
    ), f"The {what} must be a Python name, got {name!r}."


#: What nn.Module itself keeps in an instance's dictionary.
_MODULE_FIELDS = frozenset(nn.Module().__dict__) | {"__static_names__"}
