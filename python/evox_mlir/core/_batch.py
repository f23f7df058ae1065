# _batch.py - how an eager vmap runs its lanes
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lanes together through `torch.func.vmap`, or one after the other."""

from __future__ import annotations

import inspect
from typing import Any, List, Optional

import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ._indexing import func_vmap
from .state import capture, paused_tracing, unwrap_callable, where_defined


def repeat_lanes(value, dim: Optional[int], lanes: int, clone: bool):
    """`value` with a new dimension `dim` of size `lanes`; a Parameter stays
    one."""
    if dim is None:
        out = value.detach().clone() if clone else value
    else:
        at = dim if dim >= 0 else dim + value.ndim + 1
        out = value.detach().unsqueeze(at)
        sizes = list(out.shape)
        sizes[at] = lanes
        out = out.expand(sizes)
        if clone:
            out = out.clone()
    if isinstance(value, nn.Parameter) and not isinstance(out, nn.Parameter):
        out = nn.Parameter(out, requires_grad=value.requires_grad)
    return out


# Arguments ------------------------------------------------------------------


def _argument_names(func, count: int) -> List[str]:
    names: List[str] = []
    if getattr(func, "is_empty_state", True) is False:
        names.append("state")
    try:
        params = inspect.signature(unwrap_callable(func)).parameters.values()
        names += [
            p.name
            for p in params
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        pass
    names = names[:count]
    return names + [f"argument {i}" for i in range(len(names), count)]


def _is_dim(d) -> bool:
    return d is None or (isinstance(d, int) and not isinstance(d, bool))


def _flatten_dims(name: str, value, dim, out: list) -> None:
    """Append (path, leaf, dim) of each leaf of one argument."""
    if _is_dim(dim):
        paths, _ = pytree.tree_flatten_with_path(value)
        for path, leaf in paths:
            out.append((name + pytree.keystr(path), leaf, dim))
        return
    if isinstance(dim, dict) and isinstance(value, dict):
        if set(dim) != set(value):
            raise ValueError(
                f"vmap: in_dims of {name} has the keys {sorted(map(str, dim))}, the "
                f"argument has {sorted(map(str, value))}"
            )
        for k, v in value.items():
            _flatten_dims(f"{name}[{k!r}]", v, dim[k], out)
        return
    if isinstance(dim, (list, tuple)) and isinstance(value, (list, tuple)):
        if len(dim) != len(value):
            raise ValueError(
                f"vmap: in_dims of {name} has {len(dim)} entries, the argument has "
                f"{len(value)}"
            )
        for i, (v, d) in enumerate(zip(value, dim)):
            _flatten_dims(f"{name}[{i}]", v, d, out)
        return
    raise ValueError(
        f"vmap: in_dims of {name} is {dim!r}, which does not mirror the argument, a "
        f"{type(value).__name__}; use an int, None, or the same structure of them"
    )


def check_arguments(func, in_dims, args) -> tuple:
    """(leaves with their paths and dims, lanes); errors name the argument."""
    names = _argument_names(func, len(args))
    where = where_defined(func)
    if _is_dim(in_dims):
        dims = (in_dims,) * len(args)
    elif isinstance(in_dims, (tuple, list)):
        dims = tuple(in_dims)
        if len(dims) != len(args):
            raise ValueError(
                f"vmap of {where}: in_dims has {len(dims)} entries for "
                f"{len(args)} arguments ({', '.join(names)})"
            )
    else:
        raise ValueError(
            f"vmap of {where}: in_dims must be an int or a tuple with an entry per "
            f"argument, got {in_dims!r}"
        )
    leaves: list = []
    for name, value, dim in zip(names, args, dims):
        _flatten_dims(name, value, dim, leaves)
    lanes, first = None, None
    for i, (path, leaf, dim) in enumerate(leaves):
        if dim is None:
            continue
        if not isinstance(leaf, torch.Tensor):
            raise ValueError(
                f"vmap of {where}: in_dims gives {path} the dimension {dim}, but it "
                f"is a {type(leaf).__name__}, not a tensor; use None for it"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"vmap of {where}: in_dims gives {path} the dimension {dim}, but it "
                f"has shape {tuple(leaf.shape)}"
            )
        leaves[i] = (path, leaf, dim % leaf.ndim)
        size = leaf.shape[dim]
        if lanes is None:
            lanes, first = size, path
        elif size != lanes:
            raise ValueError(
                f"vmap of {where}: {first} has {lanes} lanes but {path} has {size}; "
                "mapped dimensions must have one size"
            )
    if lanes is None:
        raise ValueError(
            f"vmap of {where}: no argument is mapped; in_dims must give at least one "
            "tensor a dimension"
        )
    return leaves, lanes


# Running --------------------------------------------------------------------

_CONTROL_FLOW = ("data-dependent control flow", "calling .item() on a Tensor")


def call(func, transform, args, kwargs):
    """Run `func` over the lanes of `args`."""
    t = transform
    with paused_tracing():
        leaves, lanes = check_arguments(func, t.in_dims, args)
    if t.strategy == "lanes":
        return _lane_by_lane(func, t, args, kwargs, leaves, lanes)
    # torch.func.vmap in the terms of checked leaves: it wants tuples where
    # the user may have written lists, and knows no empty structures.
    _, spec = pytree.tree_flatten(args)
    values = [leaf for _, leaf, _ in leaves]
    dims = tuple(dim for _, _, dim in leaves)

    def flat(*xs):
        return func(*pytree.tree_unflatten(list(xs), spec), **kwargs)

    try:
        return func_vmap(
            flat,
            in_dims=dims,
            out_dims=t.out_dims,
            randomness=t.randomness,
            chunk_size=t.chunk_size,
        )(*values)
    except RuntimeError as e:
        if any(s in str(e) for s in _CONTROL_FLOW):
            e.add_note(
                f"vmap of {where_defined(func)}: lanes that run together can't "
                "branch or loop on data in Python. Use TracingCond, TracingSwitch "
                "or TracingWhile there, vmap(..., strategy='lanes'), or jit with "
                "backend='evox'."
            )
        raise


class _NoDraws(TorchDispatchMode):
    """Refuses random operations."""

    def __init__(self, where: str):
        super().__init__()
        self.where = where

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if torch.Tag.nondeterministic_seeded in op.tags:
            raise RuntimeError(
                f"vmap of {self.where}: called random operation {op} while in "
                "randomness error mode. Please either use the 'same' or 'different' "
                "randomness flags on vmap or perform the randomness operation out "
                "of vmap"
            )
        return op(*args, **(kwargs or {}))


def _generators():
    out = [torch.default_generator]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        out += list(torch.cuda.default_generators)
    return out


def _lane_by_lane(func, t, args, kwargs, leaves, lanes):
    where = where_defined(func)
    if lanes == 0:
        raise ValueError(
            f"vmap of {where}: strategy='lanes' needs at least one lane, as only a "
            "run tells the shape of the results"
        )
    _, spec = pytree.tree_flatten(args)
    slots = capture(func)
    start = [g.get_state() for g in _generators()] if t.randomness == "same" else None
    outs = []
    for lane in range(lanes):
        values = []
        for _, leaf, dim in leaves:
            if dim is not None:
                # A copy: a lane's in-place writes stay the lane's.
                leaf = leaf.select(dim, lane).clone()
            values.append(leaf)
        if start is not None:
            for g, s in zip(_generators(), start):
                g.set_state(s)
        before = [s.get() for s in slots]
        versions = [b._version for b in before]
        shared = [(p, v, v._version) for (p, v, d) in leaves
                  if d is None and isinstance(v, torch.Tensor)]
        inputs = pytree.tree_unflatten(values, spec)
        if t.randomness == "error":
            with _NoDraws(where):
                outs.append(func(*inputs, **kwargs))
        else:
            outs.append(func(*inputs, **kwargs))
        written = [
            s.key
            for s, b, v in zip(slots, before, versions)
            if s.get() is not b or b._version != v
        ]
        written += [p for p, v, n in shared if v._version != n]
        if written:
            for s, b in zip(slots, before):
                s.set(b)
            raise RuntimeError(
                f"vmap of {where}: it writes {', '.join(written)}, which all lanes "
                "share. Use vmap(use_state(...)), which gives each lane its own "
                "state, or map the argument"
            )
    return _stack(outs, t.out_dims, where)


def _stack(outs: List[Any], out_dims, where: str):
    first, spec = pytree.tree_flatten(outs[0])
    columns = [first]
    for lane, out in enumerate(outs[1:], 1):
        flat, other = pytree.tree_flatten(out)
        if other != spec:
            raise RuntimeError(
                f"vmap of {where}: lane 0 returned {spec}, lane {lane} {other}"
            )
        columns.append(flat)
    dims = pytree._broadcast_to_and_flatten(
        out_dims, spec, is_leaf=lambda x: x is None
    )
    if dims is None:
        raise ValueError(
            f"vmap of {where}: out_dims {out_dims!r} does not mirror the result"
        )
    result = []
    for i, dim in enumerate(dims):
        values = [c[i] for c in columns]
        if not all(isinstance(v, torch.Tensor) for v in values):
            if isinstance(values[0], torch.Tensor) or any(
                v is not values[0] and v != values[0] for v in values
            ):
                raise ValueError(
                    f"vmap of {where}: result {i} must be a tensor, got "
                    f"{type(values[0]).__name__}"
                )
            result.append(values[0])
            continue
        if dim is None:
            if any(not torch.equal(v, values[0]) for v in values):
                raise ValueError(
                    f"vmap of {where}: out_dims is None for result {i}, but it "
                    "differs from lane to lane"
                )
            result.append(values[0])
            continue
        kinds = {(tuple(v.shape), v.dtype) for v in values}
        if len(kinds) > 1:
            raise RuntimeError(
                f"vmap of {where}: result {i} has another shape or dtype in some "
                f"lanes: {sorted(map(str, kinds))}. Use a fixed size, with a mask "
                "for what is valid"
            )
        result.append(torch.stack(values, dim))
    return pytree.tree_unflatten(result, spec)
