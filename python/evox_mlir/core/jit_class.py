# jit_class.py - classes whose methods are compiled
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`jit_class`, `trace_impl` and `vmap_impl`."""

from __future__ import annotations

import inspect
import types
from typing import Any, Callable, Dict, Optional, TypeVar

import torch
from torch.utils import _pytree as pytree

from . import _backend, _script
from .state import in_vmap, tracing_or_using_state
from .transforms import chain_of

ClassT = TypeVar("ClassT", bound=type)


def _proxy(kind: str, target: Callable) -> Callable:
    if not callable(target):
        raise TypeError(
            f"{kind}: expected the method to stand in for, got {type(target).__name__}"
        )

    def wrap(function: Callable) -> Callable:
        function.__evox_proxy_of__ = (kind, target)
        return function

    return wrap


def trace_impl(target: Callable) -> Callable:
    """Mark a method as the one to run in `target`'s place while tracing.

    In a class under `jit_class`, `@trace_impl(h) def th(self, ...)` runs when
    `self.h(...)` is called inside `torch.jit.trace`, `use_state` or
    `trace_caching_state_context`. Scripting, and `jit` that scripts, compile
    `h` itself. Both must have the same signature. Raises TypeError if
    `target` isn't callable.
    """
    return _proxy("trace", target)


def vmap_impl(target: Callable) -> Callable:
    """Mark a method as the one to run in `target`'s place under `vmap`.

    As `trace_impl`, but inside `vmap`, where it goes before a `trace_impl` of
    the same target.
    """
    return _proxy("vmap", target)


class _WrapClassBase:
    """The mark of classes that `jit_class` made."""

    @property
    def __inner_module__(self):
        """The module without compilation. Here it is the object itself."""
        return self

    def __sync__(self):
        """Nothing to do: state lives in the Python object. Returns self."""
        return self

    def __script_module__(self) -> torch.jit.ScriptModule:
        """The script module with all methods, holding the present state."""
        return self.__script_twin__().sync()

    def __script_twin__(self) -> _script.ScriptTwin:
        return _script.twin_of(self, type(self).__evox_methods__)

    # torch.jit.save calls these.

    def save(self, f, **kwargs):
        """Write the script module to a file, as `torch.jit.save` does."""
        return self.__script_module__().save(f, **kwargs)

    def save_to_buffer(self, **kwargs):
        """The script module as bytes, as `torch.jit.save` needs it."""
        return self.__script_module__().save_to_buffer(**kwargs)

    def __prepare_scriptable__(self):
        """What `torch.jit.script` compiles in this object's place."""
        return _script.make_view(self, type(self).__evox_methods__)


class JitMethod:
    """A method of a `jit_class` class: a descriptor."""

    def __init__(self, name: str, function: types.FunctionType):
        self.name, self.function = name, function

    def __get__(self, obj, owner=None):
        if obj is None:
            return self.function
        return BoundJitMethod(obj, self)

    def __set_name__(self, owner, name):
        self.name = name


class BoundJitMethod:
    """A method of an object; runs compiled, or as Python where a transform
    is looking on (`vmap`, `use_state`, tracing)."""

    def __init__(self, obj, method: JitMethod):
        self.__self__ = obj
        self.__func__ = method.function
        self.__name__ = method.name
        self.__doc__ = method.function.__doc__
        self.__module__ = method.function.__module__
        self.__qualname__ = method.function.__qualname__

    @property
    def __signature__(self):
        return inspect.signature(self.__evox_function__)

    def __eq__(self, other):
        return (
            isinstance(other, BoundJitMethod)
            and self.__self__ is other.__self__
            and self.__func__ is other.__func__
        )

    def __hash__(self):
        return hash((id(self.__self__), self.__func__))

    def __repr__(self):
        return f"<compiled method {self.__qualname__}>"

    @property
    def __evox_function__(self):
        return types.MethodType(self.__func__, self.__self__)

    def _python(self):
        proxies = type(self.__self__).__evox_proxies__
        name = None
        if in_vmap():
            name = proxies.get(("vmap", self.__func__))
        if name is None and (tracing_or_using_state() or in_vmap()):
            name = proxies.get(("trace", self.__func__))
        if name is None:
            return self.__evox_function__
        return getattr(self.__self__, name)

    def __call__(self, *args, **kwargs):
        if tracing_or_using_state() or in_vmap():
            return self._python()(*args, **kwargs)
        if type(self.__self__).__evox_trace__:
            return self._traced(args, kwargs)
        return self._compiled(args, kwargs)

    @property
    def _wanted(self):
        return type(self.__self__).__evox_backend__ or _backend.default_backend()

    def _record(self) -> Dict[str, Any]:
        """What is known of native code for this method of this object."""
        cache = self.__self__.__dict__.setdefault("__evox_jit__", _script.NotCopied())
        return cache.setdefault(("native", self.__name__), {})

    @property
    def backend(self):
        """"evox" or "torch": what the last call ran on; None before."""
        return self._record().get("backend")

    @property
    def backend_reason(self):
        """Why it wasn't "evox", or None."""
        return self._record().get("reason")

    def _compiled(self, args, kwargs):
        record, wanted = self._record(), self._wanted
        why = "backend='torch' was asked for"
        if wanted != "torch":
            why = None
            if wanted is None and torch.is_grad_enabled():
                leaves = pytree.tree_leaves((args, kwargs))
                if any(getattr(x, "requires_grad", False) for x in leaves) or (
                    _learns(self.__self__)
                ):
                    why = "native code has no gradients, and a tensor requires one"
            if why is None:
                try:
                    if "native" not in record:
                        record["native"] = _backend.compile_chain(
                            chain_of(self), None, False
                        )
                    if hasattr(record["native"], "calls_python"):
                        record["native"].calls_python = wanted == "evox"
                    out = record["native"](*args, **kwargs)
                    record.update(backend="evox", reason=None)
                    return out
                except _backend.BackendUnavailable as e:
                    if wanted == "evox":
                        raise
                    why = str(e)
        record.update(backend="torch", reason=why)
        return self.__self__.__script_twin__().call(self.__name__, args, kwargs)

    def _traced(self, args, kwargs):
        """State in, state out, by one trace per kind of arguments."""
        from .jit import jit
        from .transforms import use_state

        leaves, spec = pytree.tree_flatten((args, kwargs))
        kinds = tuple(
            (x.dtype, x.ndim, x.device) if isinstance(x, torch.Tensor) else x
            for x in leaves
        )
        cache = self.__self__.__dict__.setdefault("__evox_jit__", _script.NotCopied())
        key = (self.__name__, str(spec), kinds)
        if key not in cache:
            pure = use_state(self, is_generator=False)
            state = () if pure.is_empty_state else (pure.init_state(),)
            traced = jit(
                pure, trace=True, example_inputs=((*state, *args), kwargs),
                backend=type(self.__self__).__evox_backend__,
            )
            cache[key] = (pure, traced)
        pure, traced = cache[key]
        if pure.is_empty_state:
            return traced(*args, **kwargs)
        out = traced(pure.init_state(clone=False), *args, **kwargs)
        state, result = out if isinstance(out, tuple) else (out, None)
        pure.set_state(state)
        return result


def _learns(module) -> bool:
    """Whether a parameter of it requires a gradient."""
    if any(p is not None and p.requires_grad for p in module._parameters.values()):
        return True
    return any(m is not None and _learns(m) for m in module._modules.values())


def jit_class(
    cls: ClassT, trace: bool = False, *, backend: Optional[str] = None
) -> ClassT:
    """Compile the methods of a class, each object when it is first used.

    cls:   a subclass of `ModuleBase`.
    trace: False scripts (`torch.jit.script`), so control flow on data is
        kept. True traces each method for the arguments that it is first
        called with; state goes in and comes out of the trace, so side effects
        hold, but a branch is taken once and for all.
    backend: as for `jit`. A bound method tells what its last call ran on:
        `obj.step.backend`, and `obj.step.backend_reason` why not natively.

    All methods are exported but magic ones, those that override `nn.Module`'s
    or `ModuleBase`'s (`setup`, `to`, ...), those under `torch.jit.ignore` or
    `torch.jit.unused`, which stay Python (compiled methods may call them), and
    those under `trace_impl` or `vmap_impl`. Inside `vmap`, `use_state` and
    `torch.jit.trace` methods run as Python, or as their proxies.

    The result is a subclass of `cls` with its name: `isinstance` holds,
    `torch.jit.script(obj)` and `torch.jit.save(obj, path)` work, and `to`
    returns the object itself. State lives in the Python object; compiled code
    reads it from there and writes it back.

    Raises AssertionError if `cls` isn't a subclass of `ModuleBase`; the first
    call of a method raises what `torch.jit.script` raises for code that it
    can't compile.
    """
    from .module import ModuleBase

    assert inspect.isclass(cls) and issubclass(cls, ModuleBase), (
        f"jit_class: expected a subclass of ModuleBase, got {cls!r}"
    )
    _backend.check_backend("jit_class", backend)
    methods = _script.method_names(cls)
    proxies: Dict[Any, str] = {}
    for name in dir(cls):
        mark = getattr(inspect.getattr_static(cls, name), "__evox_proxy_of__", None)
        if mark is not None:
            kind, target = mark
            proxies[(kind, target)] = name
    namespace: Dict[str, Any] = {
        name: JitMethod(name, _script.plain_function(cls, name)) for name in methods
    }
    namespace.update(
        __module__=cls.__module__,
        __qualname__=cls.__qualname__,
        __doc__=cls.__doc__,
        __wrapped__=cls,
        __evox_methods__=tuple(methods),
        __evox_proxies__=proxies,
        __evox_trace__=trace,
        __evox_backend__=backend,
    )
    bases = (cls,) if issubclass(cls, _WrapClassBase) else (cls, _WrapClassBase)
    return type(cls)(cls.__name__, bases, namespace)
