# _tensor.py - tensors in and out
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors between Python and evox_tensor, without a copy where that is safe.

In: anything with `__dlpack__` (torch, NumPy, JAX, CuPy ...), NumPy scalars and
Python numbers and lists of them. Out: torch tensors where torch is loaded,
else NumPy arrays; both speak DLPack themselves.
"""

import ctypes
import sys

from . import _abi
from .errors import ArgumentError

# evox_dtype: name, bytes, NumPy's name, DLPack's (code, bits).
_DTYPES = {
    0: ("uint8", 1, "uint8", (1, 8)),
    1: ("int8", 1, "int8", (0, 8)),
    2: ("int16", 2, "int16", (0, 16)),
    3: ("int32", 4, "int32", (0, 32)),
    4: ("int64", 8, "int64", (0, 64)),
    5: ("float16", 2, "float16", (2, 16)),
    6: ("float32", 4, "float32", (2, 32)),
    7: ("float64", 8, "float64", (2, 64)),
    9: ("complex64", 8, "complex64", (5, 64)),
    10: ("complex128", 16, "complex128", (5, 128)),
    11: ("bool", 1, "bool", (6, 8)),
    # NumPy has no bfloat16: its 16 bits come out as uint16.
    15: ("bfloat16", 2, "uint16", (4, 16)),
}
NAMES = {code: row[0] for code, row in _DTYPES.items()}
CODES = {row[0]: code for code, row in _DTYPES.items()}
_FROM_DLPACK = {row[3]: code for code, row in _DTYPES.items()}
_BOOL, _INT64, _FLOAT64 = CODES["bool"], CODES["int64"], CODES["float64"]


def describe(dtype, shape):
    """Such as float32 [8, 2], as the library writes it."""
    name = NAMES.get(dtype, f"dtype {dtype}") if isinstance(dtype, int) \
        else dtype
    sizes = ", ".join("any" if n < 0 else str(n) for n in shape)
    return f"{name} [{sizes}]"


# --- in ---------------------------------------------------------------------


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_GetPointer = ctypes.pythonapi.PyCapsule_GetPointer
_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_GetPointer.restype = ctypes.c_void_p

_DEVICES = {1: "cpu", 2: "cuda", 3: "cpu", 7: "vulkan", 8: "metal",
            10: "rocm", 11: "cpu", 13: "cuda"}


def to_view(value, what, expected=None):
    """An evox_tensor that looks at `value`, and what must stay alive with it.

    `what` names the value in errors; `expected` is (dtype code, shape) where
    known, which says what a Python number becomes.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(torch, value, what, expected)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return _from_numpy(numpy, value, what, expected)
    if hasattr(value, "__dlpack__"):
        return _from_dlpack(value, what, expected)
    if isinstance(value, (bool, int, float)):
        return _from_number(value, what, expected)
    if isinstance(value, (list, tuple)):
        return _from_list(value, what, expected)
    raise ArgumentError(
        f"{what}: expected a tensor or a number, got "
        f"{type(value).__module__}.{type(value).__qualname__}")


def _wrong_device(what, expected, device):
    wanted = describe(*expected) + " " if expected else "a tensor "
    raise ArgumentError(
        f"{what}: expected {wanted}on device cpu, got device {device}")


def _fill(view, data, dtype, shape, strides, what):
    if len(shape) > _abi.MAX_RANK:
        raise ArgumentError(
            f"{what}: has {len(shape)} dimensions, at most {_abi.MAX_RANK} "
            f"are possible")
    view.data = data
    view.dtype = dtype
    view.rank = len(shape)
    for i, (size, stride) in enumerate(zip(shape, strides)):
        view.shape[i] = size
        view.strides[i] = stride
    return view


def _from_torch(torch, value, what, expected):
    if value.device.type != "cpu":
        _wrong_device(what, expected, value.device)
    if value.layout != torch.strided:
        raise ArgumentError(
            f"{what}: expected a dense tensor, got layout {value.layout}")
    value = value.detach().resolve_conj().resolve_neg()
    name = str(value.dtype).removeprefix("torch.")
    if name not in CODES:
        raise ArgumentError(f"{what}: dtype {name} is not supported")
    view = _fill(_abi.Tensor(), value.data_ptr(), CODES[name],
                 tuple(value.shape), value.stride(), what)
    return view, value


def _from_numpy(numpy, value, what, expected=None):
    value = numpy.asarray(value)
    name = value.dtype.name
    if name == "uint16" and expected and NAMES[expected[0]] == "bfloat16":
        name = "bfloat16"
    if name not in CODES:
        raise ArgumentError(f"{what}: dtype {name} is not supported")
    item = value.dtype.itemsize
    if not value.dtype.isnative or not value.flags.aligned or \
            any(s % item or s < 0 for s in value.strides):
        value = numpy.array(value, dtype=value.dtype.newbyteorder("="))
    view = _fill(_abi.Tensor(), value.ctypes.data, CODES[name], value.shape,
                 [s // item for s in value.strides], what)
    return view, value


def _from_list(value, what, expected):
    import numpy

    try:
        array = numpy.array(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ArgumentError(f"{what}: {error}") from None
    if expected:
        name = NAMES[expected[0]]
        if name == "bfloat16" or \
                not numpy.can_cast(array.dtype, name, "same_kind"):
            raise ArgumentError(
                f"{what}: expected {describe(*expected)}, got a list that "
                f"makes {array.dtype.name}")
        array = array.astype(name)
    return _from_numpy(numpy, array, what, expected)


def _from_dlpack(value, what, expected):
    device = getattr(value, "__dlpack_device__", lambda: (1, 0))()[0]
    if _DEVICES.get(int(device)) != "cpu":
        _wrong_device(what, expected,
                      _DEVICES.get(int(device), f"type {int(device)}"))
    try:
        # An unconsumed capsule frees the tensor when it goes.
        capsule = value.__dlpack__()
    except (BufferError, RuntimeError, TypeError) as error:
        raise ArgumentError(f"{what}: DLPack: {error}") from None
    tensor = _DLTensor.from_address(_GetPointer(capsule, b"dltensor"))
    dtype = _FROM_DLPACK.get((tensor.code, tensor.bits))
    if dtype is None or tensor.lanes != 1:
        raise ArgumentError(
            f"{what}: DLPack type code {tensor.code} with {tensor.bits} bits "
            f"is not supported")
    shape = [tensor.shape[i] for i in range(tensor.ndim)]
    strides = [0] * tensor.ndim
    if tensor.strides:
        strides = [tensor.strides[i] for i in range(tensor.ndim)]
    else:
        step = 1
        for i in reversed(range(tensor.ndim)):
            strides[i] = step
            step *= shape[i]
    view = _fill(_abi.Tensor(), (tensor.data or 0) + tensor.byte_offset,
                 dtype, shape, strides, what)
    return view, (value, capsule)


def _from_number(value, what, expected):
    """A Python number takes the argument's dtype, where none of it is lost."""
    if expected is None:
        code = _BOOL if isinstance(value, bool) else \
            _INT64 if isinstance(value, int) else _FLOAT64
    else:
        code = expected[0]
    name = NAMES[code]
    kind = "bool" if isinstance(value, bool) else type(value).__name__
    fits = (kind == "bool" if name == "bool" else
            kind != "float" if "int" in name else True)
    if not fits:
        raise ArgumentError(
            f"{what}: expected {describe(*expected)}, got a Python {kind}")
    c_type = {"bool": ctypes.c_bool, "uint8": ctypes.c_uint8,
              "int8": ctypes.c_int8, "int16": ctypes.c_int16,
              "int32": ctypes.c_int32, "int64": ctypes.c_int64,
              "float32": ctypes.c_float, "float64": ctypes.c_double}.get(name)
    if c_type is None:
        raise ArgumentError(
            f"{what}: a Python {kind} does not become {name}: pass a tensor")
    cell = c_type(value)
    if "int" in name and cell.value != value:
        raise ArgumentError(f"{what}: {value} does not fit into {name}")
    view = _fill(_abi.Tensor(), ctypes.addressof(cell), code, (), (), what)
    return view, cell


# --- out --------------------------------------------------------------------


def from_view(view, owner=None, copy=True, numpy_only=False):
    """A tensor of the memory that `view` looks at.

    A copy, unless `copy` is false: then the tensor looks at the library's own
    memory, and keeps `owner` alive.
    """
    name, size, numpy_name, _ = _DTYPES[view.dtype]
    shape = tuple(view.shape[:view.rank])
    strides = tuple(view.strides[:view.rank])
    torch = None if numpy_only else sys.modules.get("torch")
    count = 0 if 0 in shape else 1 + sum(
        (n - 1) * s for n, s in zip(shape, strides))
    if count == 0:
        if torch is not None:
            return torch.empty(shape, dtype=getattr(torch, name))
        import numpy

        return numpy.empty(shape, dtype=numpy_name)
    memory = (ctypes.c_char * (count * size)).from_address(view.data)
    memory.owner = owner
    if torch is not None:
        flat = torch.frombuffer(memory, dtype=getattr(torch, name))
        tensor = flat.as_strided(shape, strides)
        return tensor.clone(memory_format=torch.contiguous_format) \
            if copy else tensor
    import numpy

    flat = numpy.frombuffer(memory, dtype=numpy_name)
    array = numpy.lib.stride_tricks.as_strided(
        flat, shape, [s * size for s in strides])
    return numpy.array(array, order="C") if copy else array


def write_view(view, value, what):
    """Copies `value` into contiguous memory of a given dtype and shape."""
    shape = tuple(view.shape[:view.rank])
    source, keep = to_view(value, what, (view.dtype, shape))
    got = tuple(source.shape[:source.rank])
    if source.dtype != view.dtype or got != shape:
        raise ArgumentError(
            f"{what}: expected {describe(view.dtype, shape)}, got "
            f"{describe(source.dtype, got)}")
    import numpy

    target = from_view(view, copy=False, numpy_only=True)
    numpy.copyto(target, from_view(source, keep, copy=False, numpy_only=True))


def give(view, value, what):
    """Puts `value` into a result that the library asks for: copied where its
    size is known, else looked at. Returns what must stay alive."""
    shape = tuple(view.shape[:view.rank])
    if all(n >= 0 for n in shape):
        return write_view(view, value, what)
    source, keep = to_view(value, what, (view.dtype, shape))
    got = tuple(source.shape[:source.rank])
    if source.dtype != view.dtype or len(got) != len(shape) or \
            any(n >= 0 and n != m for n, m in zip(shape, got)):
        raise ArgumentError(
            f"{what}: expected {describe(view.dtype, shape)}, got "
            f"{describe(source.dtype, got)}")
    view.data = source.data
    for i in range(view.rank):
        view.shape[i] = source.shape[i]
        view.strides[i] = source.strides[i]
    return keep
