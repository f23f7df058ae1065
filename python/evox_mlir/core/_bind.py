# _bind.py - a compiled program, and the modules that hold its state
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State lives in the Python modules. Before a call of native code, what
changed there since the last one is copied into the program; after it, what
the program wrote is copied back."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional

import torch
from torch import nn

from .. import _abi, _tensor
from ._backend import BackendUnavailable
from ._graph import only_appended, set_attributes, used_attributes
from ._script import ScriptTwin, _same, _snapshot

GENERATOR = "__generator__"


class DoesNotFit(Exception):
    """The modules hold something that the program was not compiled for."""


def uses_generator(program) -> bool:
    return any(
        slot.name == GENERATOR for slot in program.library.signature.state
    )


class Port:
    """State in and out of a program, without the general path's checks: this
    is done at each call, for each piece of state."""

    def __init__(self, program):
        self.program, self._api, self._handle = program, program._api, program._handle
        self._out = _abi.Tensor()

    def _check(self, status):
        _abi.check(self._api, self._handle, status)

    def read(self, name: bytes) -> torch.Tensor:
        """A new tensor with the value of a slot."""
        view = self._look(name)
        shape = view.shape[: view.rank]
        out = torch.empty(shape, dtype=getattr(torch, _tensor.NAMES[view.dtype]))
        if tuple(view.strides[: view.rank]) != out.stride() and out.numel() > 1:
            return _tensor.from_view(view)
        ctypes.memmove(out.data_ptr(), view.data, out.numel() * out.element_size())
        return out

    def _look(self, name: bytes):
        view = self._out
        self._check(self._api.get_state(self._handle, name, ctypes.byref(view)))
        return view

    def write(self, name: bytes, view) -> None:
        self._check(self._api.set_state(self._handle, name, ctypes.byref(view)))

    def generator_in(self) -> torch.Tensor:
        state = torch.get_rng_state()
        view, keep = _tensor.to_view(state, "the generator")
        self.write(_GENERATOR, view)
        return keep

    def generator_out(self, state: torch.Tensor) -> None:
        view = self._look(_GENERATOR)
        ctypes.memmove(state.data_ptr(), view.data, state.numel())
        torch.set_rng_state(state)


_GENERATOR = GENERATOR.encode()


def call_program(program, name: str, args, draws: bool, port: Optional[Port] = None):
    """Call an entry point; it draws from PyTorch's default generator."""
    if not draws:
        return program.call(name, *args)
    port = port or Port(program)
    state = port.generator_in()
    out = program.call(name, *args)
    port.generator_out(state)
    return out


def first_line(error: BaseException) -> str:
    """The compiler's error, without its notes."""
    text = str(getattr(error, "diagnostics", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [line for line in lines if "error:" in line]
    return (found or lines or ["unknown error"])[0]


_NUMBERS = {
    bool: _tensor.CODES["bool"], int: _tensor.CODES["int64"],
    float: _tensor.CODES["float64"],
}


class _Slot:
    """A piece of state that the program keeps, and where Python keeps it."""

    def __init__(self, name, pair, attribute, is_list, in_place):
        self.name, self.pair, self.attribute = name, pair, attribute
        self.is_list, self.in_place = is_list, in_place
        self.encoded = name.encode()
        self._view = self._viewed = self._layout = None
        self.remember()

    def value(self):
        return self.pair.value(self.attribute)

    def remember(self, ours=False):
        """`ours`: the value is a tensor that we made, and so nobody writes it
        past PyTorch's counter (`x.data.zero_()`)."""
        value = self.value()
        self.last = value
        counts = ours and isinstance(value, torch.Tensor) and not value.is_inference()
        self.version = value._version if counts else None

    def view(self, value):
        """What set_state takes: made again only where the tensor is another."""
        tensor = isinstance(value, torch.Tensor)
        layout = tensor and (value.data_ptr(), value.shape, value.stride())
        if not tensor or value is not self._viewed or layout != self._layout:
            expected = None
            if not tensor:
                expected = _NUMBERS[type(value)], ()
            self._view, keep = _tensor.to_view(value, f"state {self.name!r}", expected)
            self._viewed, self._layout = value if tensor else keep, layout
        return self._view

    def changed(self) -> bool:
        """Whether Python's value is new. Raises DoesNotFit for another type."""
        value, last = self.value(), self.last
        if not isinstance(value, torch.Tensor):
            if type(value) is not type(last):
                raise DoesNotFit
            return value != last
        if value is last:
            return self.version is None or value._version != self.version
        if (
            not isinstance(last, torch.Tensor)
            or value.dtype != last.dtype
            or value.shape != last.shape
            or value.device.type != "cpu"
        ):
            raise DoesNotFit
        return True


class _Constant:
    """A value that was compiled in."""

    def __init__(self, pair, attribute):
        self.pair, self.attribute = pair, attribute
        self.last = _snapshot(pair.value(attribute))
        self.version = self._version(self.last)

    @staticmethod
    def _version(value):
        if isinstance(value, torch.Tensor):
            return None if value.is_inference() else value._version
        if isinstance(value, (list, tuple)):
            return [_Constant._version(v) for v in value]
        return None

    def holds(self) -> bool:
        value = self.pair.value(self.attribute)
        return _same(value, self.last) and self._version(value) == self.version


class Bound:
    """A compiled program with the state of a module and its submodules.

    skip: names of slots that go in and out as arguments and results.
    """

    def __init__(self, twin: ScriptTwin, module: nn.Module, program, entry, graph,
                 skip=()):
        self.program, self.entry, self.port = program, entry, Port(program)
        signature = program.library.signature
        self._check_phases(program)
        pairs = {id(pair.module): pair for pair in twin.pairs}
        used = used_attributes(graph)
        if used is not None:
            used = {self._place(pairs, module, name) for name in used}
        given = set_attributes(graph)
        if given is not None:
            given = {self._place(pairs, module, name) for name in given}
        self.slots: Dict[str, _Slot] = {}
        bound = set()
        for slot in signature.state:
            if slot.kind == "generator" or slot.role == "constant" or slot.name in skip:
                continue
            path, _, attribute = slot.name.rpartition(".")
            pair = pairs.get(id(module.get_submodule(path)))
            if pair is None or attribute not in pair.names:
                raise BackendUnavailable(
                    f"the program keeps state {slot.name!r}, which Python does not"
                )
            if used is not None and (id(pair), attribute) not in used:
                continue
            is_list = slot.kind == "list"
            if is_list and not only_appended(graph, slot.name):
                raise BackendUnavailable(
                    f"it does more with the list of tensors {slot.name!r} than to "
                    "append to it"
                )
            in_place = given is not None and (id(pair), attribute) not in given
            self.slots[slot.name] = _Slot(
                slot.name, pair, attribute, is_list, in_place
            )
            bound.add((id(pair), attribute))
        skipped = {self._place(pairs, module, name) for name in skip}
        self.constants = [
            _Constant(pair, attribute)
            for pair in twin.pairs
            for attribute in pair.names
            if (id(pair), attribute) not in bound
            and (id(pair), attribute) not in skipped
            and (used is None or (id(pair), attribute) in used)
        ]
        self.draws = uses_generator(program)
        self.writes = {
            number: [n for n in phase.get("writes", ()) if n in self.slots]
            for number, phase in signature.entry(entry).phases.items()
        }

    @staticmethod
    def _place(pairs, module, name):
        path, _, attribute = name.rpartition(".")
        return id(pairs.get(id(module.get_submodule(path)))), attribute

    @staticmethod
    def _check_phases(program):
        python = [p.get("python") for p in program.signature.get("phases", ())]
        if any(values != python[0] for values in python):
            raise BackendUnavailable(
                "it changes Python values of the module that are no numbers"
            )

    def push(self) -> None:
        """Raises DoesNotFit, and then has changed nothing."""
        if not all(constant.holds() for constant in self.constants):
            raise DoesNotFit
        slots = [s for s in self.slots.values() if not s.is_list]
        for slot in [s for s in slots if s.changed()]:
            self.port.write(slot.encoded, slot.view(slot.value()))
            slot.remember(ours=slot.version is not None and slot.value() is slot.last)

    def __call__(self, args, pure=False) -> Any:
        """`pure`: the state's tensors are the caller's, and not to be written."""
        self.push()
        program = self.program
        writes = self.writes[program.phase]
        sizes = {
            name: len(program.get(name, copy=False))
            for name in writes
            if self.slots[name].is_list
        }
        out = call_program(program, self.entry, args, self.draws, self.port)
        for name in writes:
            self._pull(self.slots[name], sizes.get(name), pure)
        return out

    def _pull(self, slot: _Slot, size: Optional[int], pure: bool) -> None:
        if slot.is_list:
            # The very list grows, as it does in Python.
            slot.value().extend(self.program.get(slot.name)[size:])
            return
        old = slot.value()
        parameter = isinstance(old, nn.Parameter)
        if isinstance(old, torch.Tensor) and not pure and (slot.in_place or parameter):
            # The tensor stays the same one, for whoever holds it, too.
            value = self.program.get(slot.name, copy=False)
            if old.shape == value.shape and old.dtype == value.dtype:
                with torch.no_grad():
                    old.copy_(value)
                slot.remember(ours=slot.version is not None)
                return
        value = self.port.read(slot.encoded)
        if not isinstance(old, torch.Tensor):
            value = type(old)(value.item())
        elif parameter:
            value = nn.Parameter(value, requires_grad=old.requires_grad)
        slot.pair.assign(slot.attribute, value)
        slot.remember(ours=True)

