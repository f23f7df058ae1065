# errors.py - what can go wrong
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every error of the package is an `Error`; its text comes from the library."""


class Error(Exception):
    """The base of all errors of evox_mlir."""


class ArgumentError(Error, ValueError):
    """A wrong name, shape, dtype, device or number of arguments."""


class ProgramError(Error, RuntimeError):
    """An `assert` or `raise` of the compiled program."""


class FileError(Error, OSError):
    """A file that could not be read or written."""


class CheckpointError(Error, ValueError):
    """A checkpoint that is damaged, or of another program."""


class OutOfMemoryError(Error, MemoryError):
    """No memory was left."""


class ExternalError(Error, RuntimeError):
    """An external function is missing or failed."""


class LoadError(Error, OSError):
    """A library that cannot be opened."""


class CompileError(Error, RuntimeError):
    """evox-compile refused the program; `diagnostics` is what it said."""

    def __init__(self, message, diagnostics="", returncode=None):
        super().__init__(message)
        self.diagnostics = diagnostics
        self.returncode = returncode
