# _indexing.py - sizes and indices under vmap while tracing
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tracer can't record of a batch of lanes.

It fails ("Unsupported value kind: Tensor") on `x.shape`, whose numbers it
wants to record, and on `x[i]` with `i` an integer tensor without dimensions,
which it wants to record as a number. Here sizes are constants of the trace, as
the number of lanes is anyway, and `i` becomes an index of one dimension and
size 1.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, List

import torch
from torch.overrides import TorchFunctionMode

from .state import is_wrapped_tensor, kind_of, paused_tracing

_MASKS = (torch.bool, torch.uint8)


def _is_lane_index(i) -> bool:
    return (
        isinstance(i, torch.Tensor)
        and i.dim() == 0
        and i.dtype not in _MASKS
        and not i.is_floating_point()
        and is_wrapped_tensor(i)
    )


def _explicit(index, ndim: int) -> List[Any]:
    """The index as a list with an entry for each dimension (and each None)."""
    index = list(index) if isinstance(index, tuple) else [index]
    used = 0
    for i in index:
        if i is None or i is Ellipsis:
            continue
        mask = isinstance(i, torch.Tensor) and i.dtype in _MASKS
        used += i.dim() if mask else 1
    rest = [slice(None)] * max(ndim - used, 0)
    for at, i in enumerate(index):
        if i is Ellipsis:
            return index[:at] + rest + index[at + 1 :]
    return index + rest


def _get(x: torch.Tensor, index):
    entries = _explicit(index, x.dim())
    dim, selects, others = 0, [], []
    for i in entries:
        if _is_lane_index(i):
            selects.append((dim, i))
        else:
            others.append(i)
        if i is not None:
            mask = isinstance(i, torch.Tensor) and i.dtype in _MASKS
            dim += i.dim() if mask else 1
    for dim, i in reversed(selects):
        i = torch.where(i < 0, i + kind_of(x)[0][dim], i)
        x = x.index_select(dim, i.reshape(1)).squeeze(dim)
    if all(isinstance(i, slice) and i == slice(None) for i in others):
        return x
    return x[tuple(others)]


def _set(x: torch.Tensor, index, value) -> bool:
    """Do `x[index] = value`; False for an index that is left to PyTorch."""
    entries = _explicit(index, x.dim())
    lanes = [at for at, i in enumerate(entries) if _is_lane_index(i)]
    others = [i for i in entries if isinstance(i, (torch.Tensor, list))]
    if len(lanes) != 1 or len(others) != 1:
        return False
    at = lanes[0]
    after = sum(1 for i in entries[at + 1 :] if not isinstance(i, int))
    entries[at] = entries[at].reshape(1)
    if isinstance(value, torch.Tensor) and value.dim() > after:
        value = value.unsqueeze(value.dim() - after)
    x[tuple(entries)] = value
    return True


_SIZES = (
    torch.Tensor.shape.__get__,
    torch.Tensor.size,
    torch.Tensor.numel,
    torch.Tensor.__len__,
    torch.numel,
)


class _LaneIndexing(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in _SIZES and is_wrapped_tensor(args[0]):
            with paused_tracing():
                return func(*args, **(kwargs or {}))
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(_is_lane_index(i) for i in index):
                if func is torch.Tensor.__getitem__:
                    return _get(*args)
                if _set(*args):
                    return None
        return func(*args, **(kwargs or {}))


def func_vmap(function: Callable, **options) -> Callable:
    """`torch.func.vmap` that also works while tracing."""

    def call(*args):
        if not torch.jit.is_tracing():
            return torch.func.vmap(function, **options)(*args)

        def inside(*args):
            with _LaneIndexing():
                return function(*args)

        with warnings.catch_warnings():
            # torch.func.vmap compares sizes, which a trace remarks on.
            warnings.filterwarnings(
                "ignore",
                category=torch.jit.TracerWarning,
                module=r"torch\._functorch|evox_mlir\.core\._indexing",
            )
            return torch.func.vmap(inside, **options)(*args)

    return call
