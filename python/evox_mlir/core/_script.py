# _script.py - a module's TorchScript twin
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scripts a tree of modules without touching it.

`torch.jit.script` is given a *view*: objects that share the modules' tensors,
of classes derived from theirs, in which methods are spelled so that
TorchScript understands them (functions set on an instance become methods,
`jit`ted functions become script functions). The Python modules stay the place
where state lives: `ScriptTwin.call` pushes what changed there into the script
module, runs it, and pulls what changed back.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import operator
import types
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch
from torch import nn
from torch._jit_internal import FunctionModifiers

from .state import unwrap_callable, where_defined

#: Names in an instance's dictionary that are ours.
TWIN = "__evox_twin__"
_OURS = (TWIN, "__evox_jit__", "__static_names__")


class NotCopied(dict):
    """A cache in an instance's dictionary that copies and pickles as empty."""

    def __deepcopy__(self, memo):
        return NotCopied()

    def __reduce__(self):
        return (NotCopied, ())


def wrap_class_base() -> type:
    """The mark of the classes of `jit_class`."""
    from .jit_class import _WrapClassBase

    return _WrapClassBase


def is_ignored(fn) -> bool:
    """Whether `torch.jit.ignore` or `torch.jit.unused` is on `fn`."""
    return getattr(fn, "_torchscript_modifier", None) in (
        FunctionModifiers.IGNORE,
        FunctionModifiers.UNUSED,
        FunctionModifiers.COPY_TO_SCRIPT_WRAPPER,
        FunctionModifiers._DROP,
    )


# Names that a function sees ---------------------------------------------------


def _names(code: types.CodeType) -> Iterable[str]:
    for ins in dis.get_instructions(code):
        if ins.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            yield ins.argval
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _names(const)


def _scriptable(value) -> Tuple[bool, Any]:
    """(True, what TorchScript should see instead) or (False, None)."""
    from .jit import JitFunction

    if isinstance(value, JitFunction):
        return True, value.script_function
    if inspect.isclass(value) and value.__module__ != builtins.__name__:
        statics = {
            name: member
            for name, member in inspect.getmembers_static(value)
            if isinstance(member, JitFunction) and not member.is_method
        }
        if statics:
            proxy = types.ModuleType(value.__name__)
            for name, member in inspect.getmembers_static(value):
                if name.startswith("__"):
                    continue
                if name in statics:
                    member = member.script_function
                elif isinstance(member, staticmethod):
                    member = member.__func__
                setattr(proxy, name, member)
            return True, proxy
    return False, None


def clone_function(fn: types.FunctionType) -> types.FunctionType:
    """`fn` again, seeing script functions where it saw jitted ones."""
    names = set(_names(fn.__code__))
    new_globals, cells = fn.__globals__, fn.__closure__
    replaced = {}
    for name in names:
        if name in fn.__globals__ and name not in fn.__code__.co_freevars:
            found, new = _scriptable(fn.__globals__[name])
            if found:
                replaced[name] = new
    if replaced:
        new_globals = {**fn.__globals__, **replaced}
    if cells:
        new_cells = []
        for cell in cells:
            try:
                found, new = _scriptable(cell.cell_contents)
            except ValueError:
                found = False
            new_cells.append(types.CellType(new) if found else cell)
        cells = tuple(new_cells)
    copy = types.FunctionType(
        fn.__code__, new_globals, fn.__name__, fn.__defaults__, cells
    )
    functools.update_wrapper(copy, fn)
    del copy.__wrapped__
    copy.__kwdefaults__ = fn.__kwdefaults__
    return copy


# Views ------------------------------------------------------------------------


def method_names(cls: type) -> List[str]:
    """The methods of `cls` that are its own affair: not magic, not those of
    `nn.Module` and `ModuleBase`, not ignored, not proxies."""
    from .jit_class import _WrapClassBase
    from .module import ModuleBase

    base = ModuleBase if issubclass(cls, ModuleBase) else nn.Module
    out = []
    for name in dir(cls):
        if name.startswith("__") and name.endswith("__"):
            continue
        if name != "forward" and hasattr(base, name):
            continue
        fn = plain_function(cls, name)
        if fn is None or is_ignored(fn) or hasattr(fn, "__evox_proxy_of__"):
            continue
        if fn is nn.Module.forward or fn is getattr(_WrapClassBase, name, None):
            continue
        out.append(name)
    return out


def ignored_names(cls: type) -> List[str]:
    """The methods of `cls` under `torch.jit.ignore`."""
    return [
        name for name in dir(cls)
        if not name.startswith("__")
        and getattr(inspect.getattr_static(cls, name), "_torchscript_modifier", None)
        is FunctionModifiers.IGNORE
        and not hasattr(nn.Module, name)
    ]


def plain_function(cls: type, name: str) -> Optional[types.FunctionType]:
    """The plain Python function behind method `name` of `cls`, or None."""
    from .jit import JitFunction
    from .jit_class import JitMethod

    member = inspect.getattr_static(cls, name, None)
    if isinstance(member, JitMethod):
        member = member.function
    elif isinstance(member, JitFunction):
        member = unwrap_callable(member.function) if member.is_method else None
    return member if inspect.isfunction(member) else None


def _overrides(module: nn.Module) -> Dict[str, types.FunctionType]:
    """Functions that were set on the instance in a method's place."""
    out = {}
    for name, value in module.__dict__.items():
        if name in _OURS or not callable(value):
            continue
        if plain_function(type(module), name) is None:
            continue
        plain = unwrap_callable(value)
        if inspect.ismethod(plain):
            _check_override(module, name, plain)
            plain = plain.__func__
        if inspect.isfunction(plain):
            out[name] = plain
    return out


def _check_override(module: nn.Module, name: str, method) -> None:
    """A method of another module becomes one of this: it must see the same."""
    other = method.__self__
    if other is module:
        return
    missing = object()
    for used in method.__code__.co_names:
        theirs = getattr(other, used, missing)
        ours = getattr(module, used, missing)
        if theirs is missing or inspect.isroutine(unwrap_callable(theirs)):
            continue
        if ours is not theirs:
            raise TypeError(
                f"{type(module).__name__}.{name} was set to {where_defined(method)}, "
                f"a method of another module. TorchScript can only run it as a "
                f"method of {type(module).__name__}, but 'self.{used}' there is "
                "not the same object; set it to the same one"
            )


_view_classes: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()


def _view_class(cls: type, overrides: Dict[str, Any], exports: frozenset) -> type:
    """The class of `cls`'s views. One per set of overrides: TorchScript makes
    one type per class, which modules of the same class share."""
    from .jit import JitFunction

    cache = _view_classes.setdefault(cls, {})
    key = (tuple(sorted((n, id(f)) for n, f in overrides.items())), exports)
    if key in cache:
        return cache[key][0]
    namespace: Dict[str, Any] = {"__prepare_scriptable__": lambda self: self}
    for name in dir(cls):
        if name.startswith("__"):
            continue
        fn = overrides.get(name) or plain_function(cls, name)
        if fn is None:
            member = inspect.getattr_static(cls, name)
            if isinstance(member, JitFunction):
                namespace[name] = member.script_function
            continue
        if fn.__module__.partition(".")[0] == "torch" and name not in overrides:
            continue
        if not is_ignored(fn):
            fn = clone_function(fn)
            fn.__name__ = name
            if name in exports:
                torch.jit.export(fn)
        namespace[name] = fn
    view = type(cls.__name__, (cls,), namespace)
    view.__module__, view.__qualname__ = cls.__module__, cls.__qualname__
    # The functions are kept: their ids are the key.
    cache[key] = (view, overrides)
    return view


def make_view(module: nn.Module, exports: Iterable[str], memo=None) -> nn.Module:
    """An object for `torch.jit.script` in `module`'s place; see above."""
    from .jit import JitFunction
    from .module import ModuleBase

    memo = {} if memo is None else memo
    if id(module) in memo:
        return memo[id(module)]
    exports = frozenset(exports)
    plain = not any(isinstance(m, ModuleBase) for m in module.modules())
    if plain and not exports:
        memo[id(module)] = module
        return module
    overrides = _overrides(module)
    cls = _view_class(type(module), overrides, exports)
    view = cls.__new__(cls)
    memo[id(module)] = view
    fields = {
        k: v for k, v in module.__dict__.items() if k not in _OURS and k not in overrides
    }
    for name, value in fields.items():
        if isinstance(value, JitFunction):
            fields[name] = value.script_function
    fields["_modules"] = {
        name: child if child is None else make_view(child, (), memo)
        for name, child in module._modules.items()
    }
    view.__dict__.update(fields)
    view.__dict__["__evox_original__"] = weakref.ref(module)
    return view


# Twins ------------------------------------------------------------------------


class _StructureChanged(Exception):
    pass


class _Pair:
    """One Python module and its script module, attribute by attribute."""

    def __init__(self, module: nn.Module, script: torch.jit.ScriptModule):
        self.module, self.script = module, script._c
        self.names = [
            n for n in script._concrete_type.get_attributes() if self._has(n)
        ]
        self.last = {n: _snapshot(self.value(n)) for n in self.names}

    def _has(self, name):
        d = self.module.__dict__
        return any(name in t for t in (d["_parameters"], d["_buffers"], d))

    def value(self, name):
        d = self.module.__dict__
        for table in (d["_parameters"], d["_buffers"], d):
            if name in table:
                return table[name]
        raise _StructureChanged

    def assign(self, name, value):
        d = self.module.__dict__
        for table in (d["_parameters"], d["_buffers"], d):
            if name in table:
                table[name] = value
                return

    def push(self):
        for name in self.names:
            value, last = self.value(name), self.last[name]
            if value is last or _same(value, last):
                continue
            try:
                self.script.setattr(name, value)
            except RuntimeError as e:  # another type than was compiled
                raise _StructureChanged from e
            self.last[name] = _snapshot(value)

    def pull(self):
        get = self.script.getattr
        for name in self.names:
            value, last = get(name), self.last[name]
            if value is last or _same(value, last):
                continue
            self.assign(name, value)
            self.last[name] = _snapshot(value)


def _snapshot(value):
    # A list is copied, as it may change under our hands.
    if isinstance(value, list):
        return list(value)
    return dict(value) if isinstance(value, dict) else value


def _same(value, last) -> bool:
    if value is last:
        return True
    if isinstance(value, torch.Tensor) or isinstance(last, torch.Tensor):
        return False
    if type(value) is not type(last):
        return False
    if isinstance(value, (list, tuple)):
        # Tensors in long lists are nearly always the very same.
        return len(value) == len(last) and (
            all(map(operator.is_, value, last)) or all(map(_same, value, last))
        )
    if isinstance(value, dict):
        return value.keys() == last.keys() and all(
            _same(v, last[k]) for k, v in value.items()
        )
    return bool(value == last)


def _structure(module: nn.Module) -> tuple:
    """Changes when the tree of modules, or a function in it, does."""
    out = []
    for path, sub in module.named_modules(remove_duplicate=False):
        functions = tuple(
            (n, id(v) if not inspect.ismethod(v) else id(v.__func__))
            for n, v in sub.__dict__.items()
            if n not in _OURS and callable(v) and not isinstance(v, type)
        )
        out.append((path, id(sub), functions))
    return tuple(out)


class _Watch:
    """The values in a tree of modules' dictionaries: a quick look whether
    `_structure` can have changed. It holds them, so no other has their place."""

    def __init__(self, module: nn.Module):
        self.modules = [sub for _, sub in module.named_modules(remove_duplicate=False)]
        self.seen = [self._values(sub) for sub in self.modules]

    @staticmethod
    def _values(sub):
        d = sub.__dict__
        return [v for k, v in d.items() if k not in _OURS] + list(d["_modules"].values())

    def same(self) -> bool:
        for sub, before in zip(self.modules, self.seen):
            now = self._values(sub)
            if len(now) != len(before) or not all(map(operator.is_, now, before)):
                return False
        return True


class ScriptTwin:
    """The script module of `module` that exports the methods `exports`."""

    def __init__(self, module: nn.Module, exports: Iterable[str]):
        self._module = weakref.ref(module)
        self.exports = tuple(exports)
        self._build()

    def _build(self):
        module = self._module()
        memo: Dict[int, nn.Module] = {}
        view = make_view(module, self.exports, memo)
        self.structure = _structure(module)
        self.watch = _Watch(module)
        try:
            self.script = torch.jit.script(view)
        except Exception as e:
            e.add_note(
                f"evox_mlir: {type(module).__name__} could not be scripted. A method "
                "that is plain Python can be left out with @torch.jit.ignore."
            )
            raise
        self.pairs: List[_Pair] = []
        self._pair_up(view, self.script, {})

    def _pair_up(self, view, script, seen):
        original = getattr(view, "__evox_original__", None)
        module = original() if original is not None else view
        seen[id(view)] = script
        if hasattr(script, "_concrete_type"):
            self.pairs.append(_Pair(module, script))
        for name, child in view._modules.items():
            if child is None or name not in script._modules:
                continue
            if id(child) in seen:
                # TorchScript copies a module that two paths reach; make the
                # two one again, so that state set by one is seen by the other.
                script._c.setattr(name, seen[id(child)]._c)
                script._modules._python_modules[name] = seen[id(child)]
                continue
            self._pair_up(child, script._modules[name], seen)

    def check(self) -> None:
        """Script again if the tree of modules has changed."""
        if self.watch.same():
            return
        if _structure(self._module()) != self.structure:
            self._build()
        else:
            self.watch = _Watch(self._module())

    def sync(self) -> torch.jit.ScriptModule:
        """The script module, holding the Python modules' present state."""
        self.check()
        try:
            for pair in self.pairs:
                pair.push()
        except _StructureChanged:
            self._build()
            for pair in self.pairs:
                pair.push()
        return self.script

    def call(self, method: str, args, kwargs):
        """Run a method; its changes of state show in the Python modules."""
        script = self.sync()
        try:
            return getattr(script, method)(*args, **kwargs)
        finally:
            for pair in self.pairs:
                pair.pull()


def twin_of(module: nn.Module, exports: Iterable[str]) -> ScriptTwin:
    """The twin for these exports, made once per module."""
    exports = tuple(exports)
    cache = module.__dict__.setdefault(TWIN, NotCopied())
    if exports not in cache:
        cache[exports] = ScriptTwin(module, exports)
    return cache[exports]


def script_plain(fn: Callable) -> torch.jit.ScriptFunction:
    """Script a function that is no method."""
    plain = unwrap_callable(fn)
    if not inspect.isfunction(plain):
        return torch.jit.script(plain)
    return torch.jit.script(clone_function(plain))
