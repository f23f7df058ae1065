# _backend.py - the one place where jit meets the compiler
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hands a chain to the compiler, or says why it can't be.

The compiler registers itself with `register_compiler`. It is called as

    compiler(chain, example_inputs, trace) -> callable

with a `transforms.Chain`, a pair (args, kwargs) or None, and whether the
innermost function is to be traced rather than scripted. It returns a function
of the chain's arguments, or raises `BackendUnavailable` for a chain that it
doesn't take (yet); the message names what.
"""

from __future__ import annotations

from typing import Callable, Optional, Tuple


class BackendUnavailable(NotImplementedError):
    """The compiler does not take this function; the text says why."""


_compiler: Optional[Callable] = None


def register_compiler(compiler: Optional[Callable]) -> Optional[Callable]:
    """Make `compiler` the one that `jit` uses; returns the one before."""
    global _compiler
    before, _compiler = _compiler, compiler
    return before


def compile_chain(
    chain, example_inputs: Optional[Tuple[tuple, dict]], trace: bool = False
) -> Callable:
    """Compile a chain natively. Raises `BackendUnavailable` where it can't."""
    if _compiler is None:
        raise BackendUnavailable(
            f"backend='evox' can't compile {chain}: no compiler of function chains "
            "is registered in this version; use backend='torch'"
        )
    return _compiler(chain, example_inputs, trace)
