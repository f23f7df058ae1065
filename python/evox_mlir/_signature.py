# _signature.py - what a library says of itself
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads a library's JSON signature; docs/Signature.md describes it."""

import json

from . import _tensor, _tree
from .errors import ArgumentError, LoadError


class Argument:
    """One tensor that an entry point takes."""

    def __init__(self, data):
        self.name = data["name"]
        self.dtype = data["dtype"]
        self.shape = tuple(data["shape"])  # -1: any size

    @property
    def expected(self):
        return _tensor.CODES[self.dtype], self.shape

    def describe(self):
        return f"{self.name}: {_tensor.describe(self.dtype, self.shape)}"


class Entry:
    """An entry point."""

    def __init__(self, data):
        self.name = data["name"]
        self.args = [Argument(arg) for arg in data["args"]]
        self.args_tree = data.get("args_tree") or {
            "tuple": [{"tensor": i} for i in range(len(self.args))]}
        self.phases = {phase["phase"]: phase for phase in data["phases"]}
        self.n_results = max(
            (len(p["results"]) for p in self.phases.values()), default=0)
        # The parameters that Python's caller sees; what is nested in one is
        # named after it, as in "x.0".
        self.parameters = []
        for i, child in enumerate(self.args_tree["tuple"]):
            index = _tree.first(child)
            self.parameters.append(
                f"argument {i}" if index is None
                else self.args[index].name.partition(".")[0])

    def flatten(self, args, kwargs):
        """{index: (value, what)} of a call's arguments."""
        children = self.args_tree["tuple"]
        values = dict(enumerate(args))
        if len(args) > len(children):
            raise ArgumentError(
                f"{self.name}: expected {len(children)} arguments "
                f"({', '.join(self.parameters) or 'none'}), got {len(args)}")
        for name, value in kwargs.items():
            if name not in self.parameters:
                raise ArgumentError(
                    f"{self.name}: has no argument {name!r}; its arguments "
                    f"are {', '.join(self.parameters) or 'none'}")
            index = self.parameters.index(name)
            if index in values:
                raise ArgumentError(
                    f"{self.name}: argument {name!r} was given twice")
            values[index] = value
        flat = {}
        for i, (child, name) in enumerate(zip(children, self.parameters)):
            if i not in values:
                if child is None or "value" in child:
                    continue  # compiled in
                raise ArgumentError(
                    f"{self.name}: argument {name!r} is missing; the "
                    f"arguments are {', '.join(self.parameters)}")
            _tree.flatten(child, values[i],
                          f"{self.name}: argument {name!r}", flat)
        return flat

    def results_tree(self, phase):
        data = self.phases.get(phase) or {}
        return data.get("results_tree")

    def describe(self):
        return f"{self.name}({', '.join(a.describe() for a in self.args)})"


class Slot:
    """One piece of the state."""

    def __init__(self, data):
        self.name = data["name"]
        self.role = data["kind"]  # mutable, parameter or constant
        self.kind = data.get("slot", "tensor")  # tensor, list or generator
        # In state_dict(): as in PyTorch, no lists and no generator.
        self.visible = self.role != "constant" and self.kind == "tensor"


class Signature:
    def __init__(self, data):
        self.data = data
        self.entries = [Entry(entry) for entry in data["entries"]]
        self.by_name = {entry.name: entry for entry in self.entries}
        self.state = [Slot(slot) for slot in data["state"]]
        self.phases = [phase.get("python", {}) for phase in data["phases"]]
        known = data.get("external_types", {})
        self.externals = {name: known.get(name)
                          for name in data.get("externals", ())}
        self._slots = {slot.name: slot for slot in self.state}

    def entry(self, name):
        entry = self.by_name.get(name)
        if entry is None:
            raise ArgumentError(
                f"unknown entry point {name!r}; this program has "
                f"{', '.join(self.by_name)}")
        return entry

    def slot(self, name):
        return self._slots.get(name)


def parse(text, path):
    try:
        return Signature(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise LoadError(
            f"{path}: its signature cannot be read: "
            f"{type(error).__name__}: {error}") from None
