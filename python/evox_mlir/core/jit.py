# jit.py - compile a function
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`jit`: a function, or a chain of transforms of one, compiled."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any, Callable, Dict, Optional, Tuple, Union

import torch
from torch import nn
from torch.utils import _pytree as pytree

from . import _backend, _script
from .state import (
    WriteGuard,
    capture,
    fork_rng,
    in_vmap,
    installed,
    is_trace_caching_state,
    is_using_state,
    unwrap_callable,
    where_defined,
)
from .transforms import (
    StatefulFunction,
    TransformedFunction,
    Vmap,
    chain_of,
)

Examples = Union[tuple, list, dict, torch.Tensor, None]


def _split_examples(examples: Examples) -> Optional[Tuple[tuple, dict]]:
    """(args, kwargs) of what the user gave as example inputs."""
    if examples is None:
        return None
    if isinstance(examples, torch.Tensor):
        return (examples,), {}
    if isinstance(examples, dict):
        return (), dict(examples)
    if isinstance(examples, (tuple, list)):
        if (
            len(examples) == 2
            and isinstance(examples[0], tuple)
            and isinstance(examples[1], dict)
        ):
            return tuple(examples[0]), dict(examples[1])
        return tuple(examples), {}
    raise TypeError(
        "jit: example_inputs must be a tuple of arguments, a dict of keyword "
        f"arguments, or a tuple of both, got {type(examples).__name__}"
    )


class JitFunction:
    """What `jit` returns: compiled when called, Python inside transforms.

    function:        what was given to `jit`.
    chain:           its chain of transforms (see `transforms.Chain`).
    backend:         "evox" or "torch", which the last call ran on; None before.
    backend_reason:  why it isn't "evox", or None.
    script_function: the `torch.jit.ScriptFunction`, for scripted code.

    The methods `init_state`, `set_state` and the like of a function under
    `use_state` can be called on it.
    """

    def __init__(self, function, trace, lazy, examples, backend, options):
        self.function = function
        self.trace = trace
        self._wanted = backend
        self._options = options
        self.backend: Optional[str] = None
        self.backend_reason: Optional[str] = None
        self._compiled = False
        self._native: Union[Callable, _backend.BackendUnavailable, None] = None
        self._torch: Optional[Callable] = None
        self._examples: Optional[Tuple[tuple, dict]] = None
        self._static: Dict[int, Any] = {}
        self._script: Optional[torch.jit.ScriptFunction] = None
        self._dummy = None
        plain = unwrap_callable(function)
        try:
            functools.update_wrapper(self, plain, updated=())
        except AttributeError:
            pass
        self.__dict__.pop("__wrapped__", None)
        self.is_method = _looks_like_method(function)
        if not lazy and not self.is_method:
            if trace and examples is None:
                raise ValueError(
                    f"jit of {where_defined(function)}: trace=True needs "
                    "example_inputs, or lazy=True to trace the first call"
                )
            self._compile(examples)

    # In a class body --------------------------------------------------------

    def __get__(self, obj, owner=None):
        if obj is None or not self.is_method:
            return self
        cache = obj.__dict__.setdefault("__evox_jit__", _script.NotCopied())
        if self not in cache:
            bound = unwrap_callable(self.function).__get__(obj)
            cache[self] = JitFunction(
                bound, self.trace, True, None, self._wanted, self._options
            )
        return cache[self]

    # Compilation ------------------------------------------------------------

    @property
    def chain(self):
        return chain_of(self.function)

    @property
    def __evox_function__(self):
        return self.function

    def __evox_chain__(self):
        return self.chain

    def __evox_captures__(self):
        return capture(self.function)

    @property
    def script_function(self) -> torch.jit.ScriptFunction:
        """The TorchScript function, to be called in scripted code.

        Raises RuntimeError for a traced function that wasn't called yet, and
        for one that is no script function, such as a method.
        """
        if self._script is None and not self._compiled:
            if self.trace:
                raise RuntimeError(
                    f"{where_defined(self.function)} was not traced yet; give jit "
                    "its example_inputs, or call it once"
                )
            self._compile(None)
        if self._script is None:
            self._torch_function()
        if self._script is None:
            raise RuntimeError(
                f"{self!r} can't be called in scripted code; use jit of a "
                "function that is no method"
            )
        return self._script

    @property
    def _backend_wanted(self) -> Optional[str]:
        return self._wanted or _backend.default_backend()

    def _compile(self, examples: Optional[Tuple[tuple, dict]]) -> None:
        if self.trace:
            args = self._positional(*examples)
            self._static = {i: a for i, a in enumerate(args) if not _traceable(a)}
            examples = self._examples = (args, {})
            if self._options["return_dummy_output"]:
                self._dummy = self.function(*args)
        self._compiled = True
        if not self._goes_native(pytree.tree_leaves(examples)):
            self._torch_function()
            return
        try:
            self._native_function(examples)
            self.backend = "evox" if examples else None
        except _backend.BackendUnavailable as e:
            self._refused(e)
            self._torch_function()

    def _refused(self, why: _backend.BackendUnavailable) -> None:
        if self._backend_wanted == "evox":
            raise why
        self.backend_reason = str(why)

    def _goes_native(self, leaves) -> bool:
        wanted = self._backend_wanted
        if wanted == "torch":
            self.backend_reason = "backend='torch' was asked for"
        elif wanted is None and self._wants_gradient(leaves):
            self.backend_reason = _GRADIENT
        else:
            return True
        return False

    def _native_function(self, examples) -> Callable:
        if isinstance(self._native, _backend.BackendUnavailable):
            raise self._native
        if self._native is None:
            try:
                self._native = _backend.compile_chain(self.chain, examples, self.trace)
            except _backend.BackendUnavailable as e:
                self._native = e
                raise
        if hasattr(self._native, "calls_python"):
            self._native.calls_python = self._backend_wanted == "evox"
        return self._native

    def _torch_function(self) -> Callable:
        if self._torch is None:
            if self.trace:
                self._torch = self._torch_trace(self._examples)
            else:
                self._torch = self._torch_script()
        self.backend = "torch"
        return self._torch

    def _wants_gradient(self, leaves) -> bool:
        """Native code has no gradients."""
        if not torch.is_grad_enabled():
            return False
        chain = self.chain
        if chain.source.module is not None and not chain.transforms:
            leaves = [*leaves, *chain.source.module.parameters()]
        return any(isinstance(x, torch.Tensor) and x.requires_grad for x in leaves)

    def _torch_script(self) -> Callable:
        chain = self.chain
        if any(isinstance(t, Vmap) for t in chain.transforms):
            why = "" if self._wanted else f" (and {self.backend_reason})"
            raise NotImplementedError(
                f"jit of {chain}: TorchScript has no vmap, so backend='torch' can't "
                f"script it{why}; use trace=True, which takes each branch on data "
                "once and for all"
            )
        source = chain.source
        if source.module is not None:
            module, name = source.module, source.method
            if isinstance(module, _script.wrap_class_base()):
                twin = module.__script_twin__()
            else:
                twin = _script.twin_of(module, (name,))

            def run(*args, **kwargs):
                return twin.call(name, args, kwargs)

        else:
            self._script = run = _script.script_plain(source.function)
        if not chain.transforms:
            return run
        stateful = _bottom_use_state(self.function)
        if stateful is None or len(chain.transforms) > 1:
            raise NotImplementedError(
                f"jit of {chain}: backend='torch' scripts a function under at most "
                "one use_state; use trace=True"
            )
        if stateful.is_empty_state:
            return run
        self._script = None

        def run_stateful(state, *args, **kwargs):
            with installed(stateful.slots, stateful._values(state)):
                out = run(*args, **kwargs)
                new = {s.key: s.get() for s in stateful.slots}
            return new if out is None else (new, out)

        return run_stateful

    def _torch_trace(self, examples) -> Callable:
        args, static, count = examples[0], self._static, len(examples[0])
        traced_at = [i for i in range(count) if i not in static]

        def flat(*xs):
            full = list(static.get(i) for i in range(count))
            for i, x in zip(traced_at, xs):
                full[i] = x
            return self.function(*full)

        slots = capture(self.function)
        guard = WriteGuard(slots)
        before = [s.get() for s in slots]
        copies = tuple(pytree.tree_map(_example_copy, args[i]) for i in traced_at)
        # Tracing runs the function; it must not move the user's generators.
        with fork_rng():
            traced = torch.jit.trace(
                flat,
                copies,
                strict=self._options["strict"],
                check_trace=self._options["check_trace"],
            )
        written = guard.writes()
        for slot, old in zip(slots, before):
            slot.set(old)
        if written:
            warn_of_writes(self.function, [k for k, _ in written])
        if not static:
            self._script = traced

        def run(*args):
            return traced(*(args[i] for i in traced_at))

        return run

    def _check_traced(self, args: tuple) -> None:
        """A trace's arguments that are no tensors are its constants."""
        where, count = where_defined(self.function), len(self._examples[0])
        if len(args) != count:
            raise TypeError(
                f"{where} was traced with {count} arguments, got {len(args)}"
            )
        for i, value in self._static.items():
            if args[i] is not value and args[i] != value:
                raise ValueError(
                    f"{where} was traced with {value!r} as argument {i}, which is "
                    f"a constant of the trace, got {args[i]!r}"
                )

    def _positional(self, args: tuple, kwargs: Dict[str, Any]) -> tuple:
        """All arguments in order; a trace knows no names."""
        args, kwargs = list(args), dict(kwargs)
        head = []
        if getattr(self.function, "is_empty_state", True) is False:
            head.append(args.pop(0) if args else kwargs.pop("state"))
        try:
            signature = inspect.signature(unwrap_callable(self.chain.source.function))
        except (TypeError, ValueError):  # a builtin
            return (*head, *args)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{where_defined(self.function)}: keyword-only arguments can't be "
                f"traced: {', '.join(bound.kwargs)}"
            )
        return (*head, *bound.args)

    # Calls ------------------------------------------------------------------

    def _inline(self) -> bool:
        """Whether a transform around this call needs to see Python."""
        if in_vmap():
            return True
        free = self.chain.source.module is None and not self.chain.transforms
        if torch.jit.is_tracing():
            return not (free and not self.trace)
        return not free and (is_using_state() or is_trace_caching_state())

    def __call__(self, *args, **kwargs):
        if self._inline():
            return self.function(*args, **kwargs)
        if not self._compiled:
            self._compile((args, kwargs))
        seed = self._options["debug_manual_seed"]
        if seed is not None and self.trace:
            torch.manual_seed(seed)
        if self.trace:
            args, kwargs = self._positional(args, kwargs), {}
            self._check_traced(args)
        leaves = pytree.tree_leaves((args, kwargs))
        if not torch.jit.is_tracing() and self._goes_native(leaves):
            try:
                out = self._native_function((args, kwargs))(*args, **kwargs)
                self.backend, self.backend_reason = "evox", None
                return out
            except _backend.BackendUnavailable as e:
                self._refused(e)
        if self.trace and self._torch is None:
            self._examples = (args, kwargs)
        return self._torch_function()(*args, **kwargs)

    def __getattr__(self, name):
        if name in ("init_state", "set_state", "is_empty_state"):
            return getattr(self.function, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self):
        state = self.backend or "not compiled yet"
        return f"<jit of {self.chain}, {state}>"


_GRADIENT = "native code has no gradients, and an argument requires one"


def warn_of_writes(function, names) -> None:
    warnings.warn(
        f"jit of {where_defined(function)}: it changes {', '.join(names)}, and a "
        "trace keeps no side effects: calls will leave them as they are. "
        "Wrap it with use_state, or use trace=False",
        stacklevel=5,
    )


def _looks_like_method(function) -> bool:
    """A function of a class body, seen before it is bound."""
    plain = unwrap_callable(function)
    if not inspect.isfunction(plain) or isinstance(function, TransformedFunction):
        return False
    params = list(inspect.signature(plain).parameters)
    return bool(params) and params[0] == "self"


def _bottom_use_state(function) -> Optional[StatefulFunction]:
    while isinstance(function, (JitFunction, TransformedFunction)):
        if isinstance(function, StatefulFunction):
            return function
        function = getattr(function, "inner", None) or function.function
    return None


def _traceable(value) -> bool:
    leaves = pytree.tree_leaves(value)
    return bool(leaves) and all(isinstance(x, torch.Tensor) for x in leaves)


def _example_copy(t: torch.Tensor) -> torch.Tensor:
    # torch.jit.trace takes two arguments that are one tensor for one argument.
    return t.detach().clone().requires_grad_(t.requires_grad)


def jit(
    func: Callable,
    trace: bool = False,
    lazy: bool = False,
    example_inputs: Examples = None,
    strict: bool = False,
    check_trace: bool = False,
    is_generator: bool = False,
    no_cache: bool = False,
    return_dummy_output: bool = False,
    debug_manual_seed: Optional[int] = None,
    *,
    backend: Optional[str] = None,
):
    """Compile a function, a method, or a chain of `use_state` and `vmap`.

    func: the function. A chain keeps its shape: what is scripted or traced is
        the function at the bottom.
    trace: False scripts, keeping control flow on data. True runs the function
        on example inputs and keeps the operations that it did.
    lazy: compile at the first call, instead of now. With trace=True its
        arguments are the examples.
    example_inputs: a tuple of positional arguments, a dict of keyword
        arguments, or a tuple of such a tuple and such a dict. Copied before
        use; tracing leaves the random generators as they were.
    strict, check_trace: see `torch.jit.trace`.
    is_generator: `func` is to be called for the function.
    no_cache: accepted for code written for EvoX, without effect.
    return_dummy_output: return a pair of the function and its result on the
        examples (trace=True, lazy=False).
    debug_manual_seed: `torch.manual_seed` before each call (trace=True).
    backend: "evox" runs native code, compiled at the first call for each kind
        of arguments (dtypes, shapes, values that are no tensors; with
        trace=True or example_inputs, for the examples at once). It raises
        `BackendUnavailable` where the compiler doesn't take the function, and
        gives no gradients. "torch" is TorchScript. None takes "evox" where it
        can and no gradient is wanted, and else "torch", with the reason in
        `backend_reason` of the result; `set_default_backend` changes that.

    A trace keeps no side effects: a traced function that changes state that
    it doesn't return gets a UserWarning, and calls leave that state alone.

    A method is scripted with its module, and its side effects show in the
    module. With backend "torch", a chain with a `vmap` can only be traced.
    A function that is called inside `vmap`, `use_state` or a trace dissolves
    into it; only a scripted function that is no method stays a call in a
    trace, with its control flow. As a decorator in a class, it makes a method
    of a function whose first argument is `self`, and a static function of any
    other.

    Returns a `JitFunction`. Raises ValueError for trace=True with neither
    examples nor lazy=True and for an unknown backend; NotImplementedError for a chain
    that the backend can't compile; what `torch.jit.script` raises for code
    that it can't compile.
    """
    _backend.check_backend("jit", backend)
    if not callable(func):
        raise TypeError(f"jit: expected a function, got {type(func).__name__}")
    if is_generator:
        func = func()
    if isinstance(func, JitFunction):
        func = func.function
    if isinstance(func, nn.Module) and not hasattr(func, "__evox_function__"):
        func = func.forward
    options = dict(
        strict=strict,
        check_trace=check_trace,
        return_dummy_output=return_dummy_output,
        debug_manual_seed=debug_manual_seed,
    )
    examples = _split_examples(example_inputs)
    out = JitFunction(func, trace, lazy, examples, backend, options)
    if return_dummy_output and trace and not lazy:
        return out, out._dummy
    return out
