# _graph.py - what a TorchScript graph does to its surroundings
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Questions about TorchScript graphs that decide whether native code can
stand in: native code copies its arguments, so it can't write into them."""

from __future__ import annotations

import functools
import re
from typing import Dict, List, Optional, Set, Tuple

import torch

_CONTAINERS = ("ListType", "DictType")


@functools.lru_cache(maxsize=None)
def _schema(text: str):
    """[(written, alias set)] of the arguments, [alias set] of the returns."""
    schema = torch._C.parse_schema(text)

    def sets(value):
        info = value.alias_info
        if info is None:
            return False, frozenset()
        return info.is_write, frozenset(info.before_set) | frozenset(info.after_set)

    return (
        [sets(a) for a in schema.arguments],
        [sets(r)[1] for r in schema.returns],
    )


def attribute_path(value) -> Optional[str]:
    """`monitor.history` of what reads `self.monitor.history`."""
    names: List[str] = []
    node = value.node()
    while node.kind() == "prim::GetAttr":
        names.append(node.s("name"))
        value = next(node.inputs())
        node = value.node()
    if node.kind() != "prim::Param" or not names:
        return None
    return ".".join(reversed(names))


def _where(node) -> str:
    """`file.py:12: y.add_(1)`"""
    text = str(node.sourceRange())
    traced = re.search(r"(\S+)\((\d+)\): ", text)
    if traced:
        return f"{traced[1]}:{traced[2]}"
    place = re.search(r'File "([^"]*)", line (\d+)', text)
    lines = text.splitlines()
    marks = [i for i, line in enumerate(lines) if "<--- HERE" in line and i]
    code = lines[marks[0] - 1].strip() if marks else ""
    return f"{place[1]}:{place[2]}: {code}" if place else code


class _Aliases:
    """Which values may share memory with which argument."""

    def __init__(self, graph):
        self.graph = graph
        self.of: Dict[str, str] = {}
        self.attributes: Dict[Tuple[str, str], str] = {}
        self.written: Dict[str, str] = {}
        for value in graph.inputs():
            if value.type().kind() != "ClassType":
                self.of[value.debugName()] = value.debugName().split(".")[0]

    def run(self) -> Dict[str, str]:
        before = None
        while before != (len(self.of), len(self.attributes)):
            before = len(self.of), len(self.attributes)
            self._block(self.graph)
        return self.written

    def _get(self, value) -> Optional[str]:
        return self.of.get(value.debugName())

    def _join(self, target, sources) -> None:
        for source in sources:
            name = self._get(source)
            if name is not None:
                self.of.setdefault(target.debugName(), name)

    def _block(self, block) -> None:
        for node in block.nodes():
            self._node(node)

    def _node(self, node) -> None:
        kind, ins, outs = node.kind(), list(node.inputs()), list(node.outputs())
        if kind in ("prim::If", "prim::Loop"):
            self._control_flow(kind, node, ins, outs)
        elif kind == "prim::SetAttr":
            name = self._get(ins[1])
            if name is not None:
                self.attributes[node.s("name"), str(ins[0].type())] = name
        elif kind == "prim::GetAttr":
            name = self.attributes.get((node.s("name"), str(ins[0].type())))
            if name is not None:
                self.of.setdefault(outs[0].debugName(), name)
        elif node.schema() == "(no schema)" or kind.startswith("prim::"):
            for out in outs:
                self._join(out, ins)
        else:
            self._operation(node, ins, outs)

    def _control_flow(self, kind, node, ins, outs) -> None:
        for block in node.blocks():
            results = list(block.outputs())
            if kind == "prim::Loop":
                results = results[1:]
                for inner, outer in zip(list(block.inputs())[1:], ins[2:]):
                    self._join(inner, [outer])
                for inner, result in zip(list(block.inputs())[1:], results):
                    self._join(inner, [result])
            self._block(block)
            for out, result in zip(outs, results):
                self._join(out, [result])
        if kind == "prim::Loop":
            for out, start in zip(outs, ins[2:]):
                self._join(out, [start])

    def _operation(self, node, ins, outs) -> None:
        arguments, returns = _schema(node.schema())
        for value, (written, _) in zip(ins, arguments):
            if not written:
                continue
            name = self._get(value)
            if name is not None:
                self.written.setdefault(name, _where(node))
            elif value.type().kind() in _CONTAINERS:
                self._join(value, ins)
        for out, aliases in zip(outs, returns):
            self._join(
                out,
                [v for v, (_, a) in zip(ins, arguments) if "*" in aliases or a & aliases]
                if aliases
                else [],
            )


def written_arguments(graph) -> Dict[str, str]:
    """{name: where} of the arguments that a call writes into in place."""
    return _Aliases(graph).run()


def used_attributes(graph) -> Optional[Set[str]]:
    """The attributes that a graph reads or sets; None where one can't tell."""
    out: Set[str] = set()

    def walk(block) -> bool:
        for node in block.nodes():
            kind = node.kind()
            if kind == "prim::SetAttr":
                owner = next(node.inputs())
                below = attribute_path(owner)
                if below is None and owner.node().kind() != "prim::Param":
                    return False
                out.add(f"{below}.{node.s('name')}" if below else node.s("name"))
            elif kind == "prim::GetAttr":
                value = next(node.outputs())
                if value.type().kind() != "ClassType":
                    path = attribute_path(value)
                    if path is None:
                        return False
                    out.add(path)
            if not all(walk(b) for b in node.blocks()):
                return False
        return True

    return out if walk(graph) else None


def set_attributes(graph) -> Optional[Set[str]]:
    """The attributes that a graph gives a new value, rather than writing into
    the one they have; None where one can't tell."""
    out: Set[str] = set()
    for node in graph.findAllNodes("prim::SetAttr", True):
        owner = next(node.inputs())
        below = attribute_path(owner)
        if below is None and owner.node().kind() != "prim::Param":
            return None
        out.add(f"{below}.{node.s('name')}" if below else node.s("name"))
    return out


def only_appended(graph, path: str) -> bool:
    """Whether all that a graph does with the list `self.PATH` is `append`."""

    def check(block) -> bool:
        for node in block.nodes():
            kind = node.kind()
            if kind == "prim::SetAttr":
                below = attribute_path(next(node.inputs()))
                name = node.s("name")
                if (f"{below}.{name}" if below else name) == path:
                    return False
            elif kind == "prim::GetAttr":
                out = next(node.outputs())
                if attribute_path(out) == path and any(
                    use.user.kind() != "aten::append" or use.offset != 0
                    or any(o.uses() for o in use.user.outputs())
                    for use in out.uses()
                ):
                    return False
            if not all(check(b) for b in node.blocks()):
                return False
        return True

    return check(graph)
