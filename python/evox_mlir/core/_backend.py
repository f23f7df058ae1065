# _backend.py - the one place where jit meets the compiler
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hands a chain to the compiler, or says why it can't be.

The compiler is `_native.compile_native`; `register_compiler` puts another one
in its place. It is called as

    compiler(chain, example_inputs, trace) -> callable

with a `transforms.Chain`, a pair (args, kwargs) or None, and whether the
innermost function is to be traced rather than scripted. It returns a function
of the chain's arguments. It, or that function before it has done anything,
raises `BackendUnavailable` for what it doesn't take; the message names what.
"""

from __future__ import annotations

from typing import Callable, Optional, Tuple

BACKENDS = (None, "evox", "torch")


class BackendUnavailable(NotImplementedError):
    """The compiler does not take this function; the text says why."""


_compiler: Optional[Callable] = None
_default: Optional[str] = None


def check_backend(what: str, backend: Optional[str]) -> None:
    if backend not in BACKENDS:
        raise ValueError(
            f"{what}: backend must be None, 'evox' or 'torch', got {backend!r}"
        )


def set_default_backend(backend: Optional[str]) -> Optional[str]:
    """Say what `backend=None` means, for `jit` and `jit_class`.

    backend: "torch" or "evox" for that one; None for "evox" where the function
        compiles, and else "torch".
    Returns the one before. Raises ValueError for another name.
    """
    global _default
    check_backend("set_default_backend", backend)
    before, _default = _default, backend
    return before


def default_backend() -> Optional[str]:
    return _default


def register_compiler(compiler: Optional[Callable]) -> Optional[Callable]:
    """Make `compiler` the one that `jit` uses; returns the one before. None
    stands for evox-mlir's own."""
    global _compiler
    before, _compiler = _compiler, compiler
    return before


def compile_chain(
    chain, example_inputs: Optional[Tuple[tuple, dict]], trace: bool = False
) -> Callable:
    """Compile a chain natively. Raises `BackendUnavailable` where it can't."""
    if _compiler is not None:
        return _compiler(chain, example_inputs, trace)
    from ._native import compile_native

    return compile_native(chain, example_inputs, trace)
