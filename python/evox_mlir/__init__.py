# __init__.py - evox_mlir
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles stateful PyTorch programs to shared libraries, and runs them.

    prog = evox_mlir.compile(workflow)      # needs torch
    prog = evox_mlir.load("libPSO.so")      # needs NumPy only
    prog.seed(42)
    prog.init_step()
    prog.run("step", 100)

The package is thin: `evox-compile` does the work, and ctypes calls the C
interface of evox.h.
"""

from ._compile import cache_dir, clear_cache, compile
from ._program import Library, Program, load
from .errors import (
    ArgumentError,
    CheckpointError,
    CompileError,
    Error,
    ExternalError,
    FileError,
    LoadError,
    OutOfMemoryError,
    ProgramError,
)

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "CompileError",
    "Error",
    "ExternalError",
    "FileError",
    "Library",
    "LoadError",
    "OutOfMemoryError",
    "Program",
    "ProgramError",
    "cache_dir",
    "clear_cache",
    "compile",
    "load",
]


def __getattr__(name):
    # The module system needs torch, which running a library does not.
    if name == "core":
        import importlib

        return importlib.import_module(".core", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
