# ===- runtime_testlib.py - evox.h and the kernels, by ctypes ---------------===#
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#
"""The run-time library's test program, on torch tensors."""

import ctypes
import itertools
import os
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import torch

DTYPES = {
    torch.uint8: 0,
    torch.int8: 1,
    torch.int16: 2,
    torch.int32: 3,
    torch.int64: 4,
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.bool: 11,
    torch.bfloat16: 15,
}


class View(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", c_int64 * 16),
        ("strides", c_int64 * 16),
    ]


def view(tensor):
    rank = tensor.dim()
    return View(
        tensor.data_ptr(),
        DTYPES[tensor.dtype],
        rank,
        (c_int64 * 16)(*tensor.shape),
        (c_int64 * 16)(*tensor.stride()),
    )


_STATUS = c_int32
_FUNCTIONS = [
    ("program_name", c_char_p, []),
    ("signature", c_char_p, []),
    ("entry_count", c_int32, []),
    ("entry_name", c_char_p, [c_int32]),
    ("state_count", c_int32, []),
    ("state_name", c_char_p, [c_int32]),
    ("open", _STATUS, [POINTER(c_void_p)]),
    ("close", None, [c_void_p]),
    ("error", c_char_p, [c_void_p]),
    ("seed", _STATUS, [c_void_p, c_uint64]),
    ("call", _STATUS, [c_void_p, c_char_p, c_void_p, c_int32, c_void_p, c_int32]),
    ("run", _STATUS, [c_void_p, c_char_p, c_int64]),
    ("get_state", _STATUS, [c_void_p, c_char_p, POINTER(View)]),
    ("set_state", _STATUS, [c_void_p, c_char_p, POINTER(View)]),
    ("list_size", _STATUS, [c_void_p, c_char_p, POINTER(c_int64)]),
    ("list_get", _STATUS, [c_void_p, c_char_p, c_int64, POINTER(View)]),
    ("phase", c_int32, [c_void_p]),
    ("save", _STATUS, [c_void_p, c_char_p]),
    ("load", _STATUS, [c_void_p, c_char_p]),
    ("reset", _STATUS, [c_void_p]),
    ("set_external", _STATUS, [c_void_p, c_char_p, c_void_p, c_void_p]),
    ("set_executor", _STATUS, [c_void_p, c_void_p, c_void_p, c_int32]),
]


class Api(ctypes.Structure):
    _fields_ = [("abi_version", c_uint32), ("struct_size", c_uint32)] + [
        (name, ctypes.CFUNCTYPE(result, *arguments))
        for name, result, arguments in _FUNCTIONS
    ]


def directory():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get(
        "EVOX_RUNTIME_TESTLIB_DIR", os.path.join(here, "../../build/test/Runtime")
    )


def path(name):
    return os.path.join(directory(), f"lib{name}.so")


class Failure(Exception):
    pass


class Instance:
    """An instance of the test program; its methods run one kernel each."""

    threads = 1

    def __init__(self, library="evox_runtime_testlib", rng=0, isa=None, seed=None):
        self.library = ctypes.CDLL(path(library))
        self.library.evox_get_api.restype = POINTER(Api)
        self.library.test_set_rng(rng)
        self.api = self.library.evox_get_api(1).contents
        self.handle = c_void_p()
        status = self.api.open(ctypes.byref(self.handle))
        self.library.test_set_rng(0)
        assert status == 0
        if isa is not None:
            self.library.test_set_isa(self.handle, isa)
        if seed is not None:
            self.seed(seed)

    def __del__(self):
        if getattr(self, "handle", None):
            self.api.close(self.handle)

    def seed(self, seed):
        assert self.api.seed(self.handle, seed) == 0

    def set_threads(self, threads):
        self.threads = threads
        assert self.api.set_executor(self.handle, None, None, threads) == 0

    def kernel(self, name, tensors, integers=(), numbers=()):
        """Runs it on the tensors, the outputs among them."""
        views = (View * len(tensors))(*[view(t) for t in tensors])
        status = self.library.test_kernel(
            self.handle,
            name.encode(),
            views,
            (c_int64 * max(1, len(integers)))(*integers),
            (c_double * max(1, len(numbers)))(*numbers),
        )
        if status:
            raise Failure(self.api.error(self.handle).decode())

    def get_generator(self):
        out = View()
        assert self.api.get_state(self.handle, b"__generator__", ctypes.byref(out)) == 0
        size = out.shape[0]
        return torch.frombuffer(
            bytearray((ctypes.c_uint8 * size).from_address(out.data)), dtype=torch.uint8
        )

    def set_generator(self, state):
        status = self.api.set_state(
            self.handle, b"__generator__", ctypes.byref(view(state))
        )
        if status:
            raise Failure(self.api.error(self.handle).decode())

    # --- draws -------------------------------------------------------------

    def _draw(self, kernel, shape, dtype, integers=(), numbers=()):
        out = torch.empty(shape, dtype=dtype)
        self.kernel(kernel, [out], integers, numbers)
        return out

    def uniform(self, shape, dtype=torch.float32, low=0.0, high=1.0):
        return self._draw("random_uniform", shape, dtype, (), (low, high))

    def begin_uniform(self, n, per_task, dtype=torch.float32, low=0.0, high=1.0):
        room = torch.empty(64 + 2624 * -(-n // per_task) + 64, dtype=torch.uint8)
        room = room[-room.data_ptr() % 64 :]
        self.kernel("random_uniform_begin", [room], (n, per_task, DTYPES[dtype]), (low, high))
        return room, n, per_task, dtype, low, high

    def finish_uniform(self, begun, sizes=(1000,)):
        """Each task's elements in pieces of `sizes`, and where there are threads the tasks in
        the opposite order."""
        room, n, per_task, dtype, low, high = begun
        out = torch.empty(n, dtype=dtype)
        tasks = -(-n // per_task)
        for task in reversed(range(tasks)) if self.threads > 1 else range(tasks):
            first, end = task * per_task, min(n, (task + 1) * per_task)
            for size in itertools.cycle(sizes):
                if first >= end:
                    break
                part = out[first : min(end, first + size)]
                self.kernel("random_uniform_part", [part, room], (task, first), (low, high))
                first += len(part)
        return out

    def normal(self, shape, dtype=torch.float32, mean=0.0, std=1.0):
        return self._draw("random_normal", shape, dtype, (), (mean, std))

    def integers(self, low, high, shape, dtype=torch.int64):
        return self._draw("random_integers", shape, dtype, (low, high))

    def permutation(self, n, dtype=torch.int64):
        return self._draw("random_permutation", (n,), dtype)

    def exponential(self, shape, dtype=torch.float32, rate=1.0):
        return self._draw("random_exponential", shape, dtype, (), (rate,))

    def bernoulli(self, p, shape, dtype=torch.float32):
        out = torch.empty(shape, dtype=dtype)
        self.kernel("random_bernoulli", [p, out])
        return out
