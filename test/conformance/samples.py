# samples.py - PyTorch's operator tests as programs
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The entries of op_db, their samples, each as a traced method, and what
counts as PyTorch's result."""

import dataclasses
import functools
import random
import warnings

import numpy
import torch
from torch.utils import _pytree

DTYPES = ("float32", "float64", "int64", "bool")
# Seeds of the samples, and of the draws: op_db's own random ops set 42.
SAMPLE_SEED = 2013
SEED = 42

# torch.testing.assert_close's own: relative, absolute.
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}

# Entries whose tolerance is another one, and why.
LOOSER = {}

# What PyTorch leaves open: the signs of singular and eigenvectors, and the
# basis where values coincide. Compared instead: the values, what the factors
# multiply to, and that they are orthogonal.
FACTORS = {"linalg.svd": "svd", "svd": "svd v", "svd_lowrank": "svd v",
           "pca_lowrank": "svd v", "linalg.eigh": "eigh"}

# Their results are whatever the memory held.
UNINITIALIZED = {"empty", "empty_like", "empty_permuted", "empty_strided",
                 "new_empty", "new_empty_strided"}


class NotTraceable(Exception):
    """torch.jit.trace itself refuses the sample."""


@functools.cache
def entries():
    """{name: OpInfo} of every entry, variants told apart."""
    from torch.testing._internal.common_methods_invocations import op_db

    result = {}
    for op in op_db:
        name = op.name + (f".{op.variant_test_name}"
                          if op.variant_test_name else "")
        assert name not in result, name
        result[name] = op
    return result


def supports(name, dtype):
    return entries()[name].supports_dtype(getattr(torch, dtype), "cpu")


@dataclasses.dataclass
class Sample:
    """One call of an op: its tensors are arguments, the rest is baked in."""

    entry: str
    dtype: str
    index: int
    op: object
    leaves: list
    spec: object
    places: list  # of the tensors among the leaves

    @property
    def key(self):
        return self.entry, self.dtype, self.index

    @property
    def tensors(self):
        return [self.leaves[i].detach().clone() for i in self.places]

    def __call__(self, *tensors):
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, tensors):
            leaves[place] = tensor
        value, args, kwargs = _pytree.tree_unflatten(leaves, self.spec)
        return plain(self.op(value, *args, **kwargs))

    def eager(self):
        """PyTorch's result, or the exception that it raises."""
        torch.manual_seed(SEED)
        return self(*self.tensors)

    def exact(self):
        """The result in float64, or None where that is another program."""
        tensors = [t.double() if t.dtype == torch.float32 else t
                   for t in self.tensors]
        torch.manual_seed(SEED)
        try:
            return self(*tensors)
        except Exception:  # mixed dtypes, a dtype that is baked in
            return None

    def types(self):
        """The arguments, as evox-compile's --input describes them."""
        return ",".join(
            f"{str(t.dtype).removeprefix('torch.')}"
            f"[{','.join(map(str, t.shape))}]" for t in self.tensors)

    def describe(self):
        def show(leaf):
            if isinstance(leaf, torch.Tensor):
                return (f"{str(leaf.dtype).removeprefix('torch.')}"
                        f"{list(leaf.shape)}")
            return leaf

        value, args, kwargs = _pytree.tree_unflatten(
            [_Shown(show(leaf)) for leaf in self.leaves], self.spec)
        parts = [repr(value), *map(repr, args),
                 *(f"{k}={v!r}" for k, v in kwargs.items())]
        return ", ".join(parts)


class _Shown:
    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return self.value if isinstance(self.value, str) else repr(self.value)


def plain(value):
    """Named tuples become tuples, as they do in a trace."""
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def samples(name, dtype):
    """All forward samples of an entry, always the same ones."""
    op = entries()[name]
    random.seed(SAMPLE_SEED)
    numpy.random.seed(SAMPLE_SEED)
    torch.manual_seed(SAMPLE_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = list(op.sample_inputs("cpu", getattr(torch, dtype)))
    result = []
    for index, sample in enumerate(inputs):
        leaves, spec = _pytree.tree_flatten(
            (sample.input, tuple(sample.args), dict(sample.kwargs)))
        places = [i for i, leaf in enumerate(leaves)
                  if isinstance(leaf, torch.Tensor)
                  and leaf.layout == torch.strided]
        for i in places:  # a program's arguments are dense
            leaves[i] = leaves[i].detach().clone(
                memory_format=torch.contiguous_format)
        result.append(Sample(name, dtype, index, op.op, leaves, spec, places))
    return result


class Batch:
    """A ScriptModule whose methods are traced samples."""

    def __init__(self):
        self.module = torch.jit._trace.make_module(
            torch.nn.Module(), torch.jit._trace.TopLevelTracedModule,
            torch.jit._state._python_cu)
        self.samples = {}

    def add(self, sample):
        """Traces a sample as one more method; returns the method's name."""
        method = f"s{len(self.samples)}"
        names = [f"x{i}" for i in range(len(sample.places))]
        # The tracer names arguments after the function's parameters.
        scope = {"sample": sample}
        exec(f"def call({', '.join(names)}):\n"
             f"    return sample({', '.join(names)})", scope)
        torch.manual_seed(SEED)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.module._c._create_method_from_trace(
                    method, scope["call"], tuple(sample.tensors),
                    _no_names, False, False, names, False)
        except Exception as error:
            raise NotTraceable(first_line(error)) from None
        self.samples[method] = sample
        return method

    def save(self, path):
        torch.jit.save(torch.jit._recursive.wrap_cpp_module(self.module._c),
                       str(path))


def _no_names(value):
    return ""


def first_line(error):
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


# --- comparing ---------------------------------------------------------------


def compare(sample, expected, got):
    """(what differs or None, "same", "close" or "near")"""
    name = sample.entry
    text, same = difference(expected, got, name)
    if text and name in FACTORS:
        try:
            text, _ = difference(invariants(FACTORS[name], expected),
                                 invariants(FACTORS[name], got), name)
        except (RuntimeError, ValueError, TypeError):
            pass  # not even the shapes fit
    if text and as_exact(expected, got, sample.exact()):
        return None, "near"
    return text, "same" if same else "close"


# The largest error may be so many times as large as PyTorch's own, where that
# one is a rounding error: not more than SMALL of the largest value. (A random
# op that draws other numbers in float64 is as far from them as it likes.)
NEAR = 3
SMALL = 1e-5


def as_exact(expected, got, exact):
    """Are sums of cancelling float32 terms about as near to the exact ones as
    PyTorch's own? Where terms are large and the sum is small, no tolerance
    that is relative to the sum tells another order from a mistake."""
    if isinstance(expected, (tuple, list)):
        return type(exact) is type(got) is type(expected) and \
            len(expected) == len(got) == len(exact) and \
            all(map(as_exact, expected, got, exact))
    if not all(isinstance(t, torch.Tensor) for t in (expected, got, exact)):
        return False
    if expected.shape != got.shape or expected.shape != exact.shape or \
            expected.dtype != got.dtype:
        return False
    if _values(expected, got, "", "")[0] is None:
        return True
    if expected.dtype != torch.float32 or exact.dtype != torch.float64 or \
            not exact.isfinite().all():
        return False
    theirs = (expected.double() - exact).abs().max()
    ours = (got.double() - exact).abs().max()
    return bool(ours <= NEAR * theirs and theirs <= SMALL * exact.abs().max())


def invariants(kind, factors):
    if kind == "eigh":
        values, q = factors
        return values, (q * values.unsqueeze(-2)) @ q.mT, q.mT @ q
    u, values, v = factors
    vh = v.mT if kind == "svd v" else v
    k = values.shape[-1]
    product = (u[..., :k] * values.unsqueeze(-2)) @ vh[..., :k, :]
    return values, product, u.mT @ u, vh @ vh.mT


def difference(expected, got, name, where="result"):
    """(what differs or None, is every bit equal?)"""
    if isinstance(expected, (tuple, list)):
        if type(expected) is not type(got):
            return (f"{where}: expected a {type(expected).__name__}, got "
                    f"{type(got).__name__}"), False
        if len(expected) != len(got):
            return (f"{where}: expected {len(expected)} elements, got "
                    f"{len(got)}"), False
        exact = True
        for i, (e, g) in enumerate(zip(expected, got)):
            text, same = difference(e, g, name, f"{where}[{i}]")
            if text:
                return text, False
            exact &= same
        return None, exact
    if not isinstance(expected, torch.Tensor):
        if isinstance(got, torch.Tensor) and got.dim() == 0:
            got = got.item()
        same = expected == got or (expected != expected and got != got)
        return (None if same
                else f"{where}: expected {expected!r}, got {got!r}"), same
    if not isinstance(got, torch.Tensor):
        return f"{where}: expected a tensor, got {type(got).__name__}", False
    if expected.dtype != got.dtype:
        return f"{where}: expected {expected.dtype}, got {got.dtype}", False
    if expected.shape != got.shape:
        return (f"{where}: expected shape {list(expected.shape)}, got "
                f"{list(got.shape)}"), False
    if name in UNINITIALIZED:
        return None, True
    return _values(expected.resolve_conj().resolve_neg(), got, name, where)


def _values(expected, got, name, where):
    if expected.numel() == 0 or _bits(expected) == _bits(got):
        return None, True
    dtype = str(expected.dtype).removeprefix("torch.")
    rtol, atol = LOOSER.get(name, {}).get(
        dtype, TOLERANCES.get(dtype, (0, 0)))
    close = torch.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None, False
    count = int((~close).sum())
    place = tuple((~close).nonzero()[0].tolist())
    return (f"{where}: {count} of {expected.numel()} values differ; at "
            f"{list(place)}: expected {expected[place].item()!r}, got "
            f"{got[place].item()!r}"), False


def _bits(tensor):
    tensor = tensor.detach().clone(memory_format=torch.contiguous_format)
    return tensor.view(-1).view(torch.uint8).numpy().tobytes()
