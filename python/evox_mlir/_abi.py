# _abi.py - evox.h in ctypes
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mirrors include/evox/Runtime/evox.h field by field."""

import ctypes
import os

from . import errors

ABI_VERSION = 1
MAX_RANK = 16

c_status = ctypes.c_int
c_instance = ctypes.c_void_p


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.c_int64 * MAX_RANK),
        ("strides", ctypes.c_int64 * MAX_RANK),
    ]


TensorPointer = ctypes.POINTER(Tensor)
ExternalFn = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, TensorPointer, ctypes.c_int32,
    TensorPointer, ctypes.c_int32, ctypes.c_void_p, ctypes.c_size_t)
ParallelFn = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def _fn(result, *arguments):
    return ctypes.CFUNCTYPE(result, *arguments)


class Api(ctypes.Structure):
    _fields_ = [
        ("abi_version", ctypes.c_uint32),
        ("struct_size", ctypes.c_uint32),
        ("program_name", _fn(ctypes.c_char_p)),
        ("signature", _fn(ctypes.c_char_p)),
        ("entry_count", _fn(ctypes.c_int32)),
        ("entry_name", _fn(ctypes.c_char_p, ctypes.c_int32)),
        ("state_count", _fn(ctypes.c_int32)),
        ("state_name", _fn(ctypes.c_char_p, ctypes.c_int32)),
        ("open", _fn(c_status, ctypes.POINTER(c_instance))),
        ("close", _fn(None, c_instance)),
        ("error", _fn(ctypes.c_char_p, c_instance)),
        ("seed", _fn(c_status, c_instance, ctypes.c_uint64)),
        ("call", _fn(c_status, c_instance, ctypes.c_char_p, TensorPointer,
                     ctypes.c_int32, TensorPointer, ctypes.c_int32)),
        ("run", _fn(c_status, c_instance, ctypes.c_char_p, ctypes.c_int64)),
        ("get_state", _fn(c_status, c_instance, ctypes.c_char_p,
                          TensorPointer)),
        ("set_state", _fn(c_status, c_instance, ctypes.c_char_p,
                          TensorPointer)),
        ("list_size", _fn(c_status, c_instance, ctypes.c_char_p,
                          ctypes.POINTER(ctypes.c_int64))),
        ("list_get", _fn(c_status, c_instance, ctypes.c_char_p,
                         ctypes.c_int64, TensorPointer)),
        ("phase", _fn(ctypes.c_int32, c_instance)),
        ("save", _fn(c_status, c_instance, ctypes.c_char_p)),
        ("load", _fn(c_status, c_instance, ctypes.c_char_p)),
        ("reset", _fn(c_status, c_instance)),
        ("set_external", _fn(c_status, c_instance, ctypes.c_char_p,
                             ExternalFn, ctypes.c_void_p)),
        ("set_executor", _fn(c_status, c_instance, ParallelFn,
                             ctypes.c_void_p, ctypes.c_int32)),
        ("variant", _fn(ctypes.c_char_p, c_instance)),
    ]


_STATUS = {
    1: errors.ArgumentError,
    2: errors.ProgramError,
    3: errors.FileError,
    4: errors.CheckpointError,
    5: errors.OutOfMemoryError,
    6: errors.ExternalError,
    7: errors.LoadError,
}


def check(api, instance, status):
    """Raises the error that a status other than 0 stands for."""
    if status != 0:
        text = api.error(instance)
        text = text.decode("utf-8", "replace") if text else ""
        kind = _STATUS.get(status, errors.Error)
        raise kind(text or f"the library answered with status {status}")


def open_library(path):
    """The ctypes library and its table of functions."""
    path = os.fspath(path)
    if not os.path.exists(path):
        raise errors.LoadError(f"{path}: no such file")
    try:
        # The absolute path: dlopen would search its own folders for a name.
        library = ctypes.CDLL(os.path.abspath(path), mode=ctypes.RTLD_LOCAL)
    except OSError as error:
        raise errors.LoadError(
            f"{path}: cannot be loaded: {error}") from None
    try:
        get_api = library.evox_get_api
    except AttributeError:
        raise errors.LoadError(
            f"{path}: not a library of evox-compile: it has no function "
            f"'evox_get_api'") from None
    get_api.argtypes = [ctypes.c_uint32]
    get_api.restype = ctypes.POINTER(Api)
    table = get_api(ABI_VERSION)
    if not table:
        theirs = [v for v in range(1, 1000) if get_api(v)]
        theirs = f"version {theirs[0]}" if theirs else "another version"
        raise errors.LoadError(
            f"{path}: was made for {theirs} of the C interface, and this "
            f"package has version {ABI_VERSION}: compile it again")
    api = table.contents
    if api.struct_size < ctypes.sizeof(Api):
        raise errors.LoadError(
            f"{path}: its table of functions has {api.struct_size} bytes, "
            f"expected at least {ctypes.sizeof(Api)}: compile it again")
    return library, api
