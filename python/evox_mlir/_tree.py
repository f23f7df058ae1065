# _tree.py - nested arguments and results
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nested structures as the signature writes them.

    {"tensor": i}                   the i-th flat tensor
    {"tensor": i, "number": "int"}  a Python number, passed as one
    {"tuple": [...]}, {"list": [...]}, {"dict": {name: ...}}
    {"value": constant}, None       what needs no tensor
"""

from .errors import ArgumentError


def build(tree, flat):
    """The structure, with flat[i] in place of {"tensor": i}."""
    if tree is None:
        return None
    kind, value = _node(tree)
    if kind == "tensor":
        return flat[value].item() if "number" in tree else flat[value]
    if kind == "tuple":
        return tuple(build(child, flat) for child in value)
    if kind == "list":
        return [build(child, flat) for child in value]
    if kind == "dict":
        # JSON's objects come sorted; tensors are numbered as Python met them.
        return {name: build(child, flat) for name, child in
                sorted(value.items(), key=_place)}
    return value


def _place(item):
    index = first(item[1])
    return float("inf") if index is None else index


def _node(tree):
    return next((kind, tree[kind]) for kind in
                ("tensor", "tuple", "list", "dict", "value") if kind in tree)


def first(tree):
    """The least index in a structure, or None."""
    if tree is None:
        return None
    kind, value = _node(tree)
    if kind == "tensor":
        return value
    children = value.values() if kind == "dict" else \
        value if kind in ("tuple", "list") else ()
    return min((i for i in map(first, children) if i is not None),
               default=None)


def flatten(tree, value, what, flat):
    """Puts the tensors of `value` where `tree` says: into the dict `flat`."""
    if tree is None:
        if value is not None:
            raise ArgumentError(f"{what}: expected None, got {value!r}")
        return
    kind, children = _node(tree)
    if kind == "tensor":
        flat[children] = (value, what)
    elif kind in ("tuple", "list"):
        if not isinstance(value, (tuple, list)):
            raise ArgumentError(
                f"{what}: expected a {kind} of {len(children)}, got "
                f"{type(value).__name__}")
        if len(value) != len(children):
            raise ArgumentError(
                f"{what}: expected {len(children)} elements, got {len(value)}")
        for i, (child, item) in enumerate(zip(children, value)):
            flatten(child, item, f"{what}[{i}]", flat)
    elif kind == "dict":
        if not isinstance(value, dict):
            raise ArgumentError(
                f"{what}: expected a dict, got {type(value).__name__}")
        if set(map(str, value)) != set(children):
            raise ArgumentError(
                f"{what}: expected the keys {sorted(children)}, got "
                f"{sorted(map(str, value))}")
        by_name = {str(key): item for key, item in value.items()}
        for name, child in children.items():
            flatten(child, by_name[name], f"{what}[{name!r}]", flat)
    elif value != children:
        raise ArgumentError(
            f"{what}: the program was compiled for {children!r}, got "
            f"{value!r}")
