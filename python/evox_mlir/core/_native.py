# _native.py - chains of transforms on the compiler
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `jit` runs natively.

A chain is compiled once for each kind of arguments (dtypes, shapes, and the
values that are no tensors). `Scripted` gives the compiler the innermost
function as TorchScript, `Traced` a trace of it on the examples of one lane;
the `vmap`s around it are the compiler's in both.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import torch
from torch import nn
from torch.utils import _pytree as pytree

from . import _batch, _bind, _graph, _script
from ._backend import BackendUnavailable
from .jit import warn_of_writes
from .state import (
    WriteGuard,
    capture,
    fork_rng,
    installed,
    unwrap_callable,
    use_state_context,
    where_defined,
)
from .transforms import Chain, UseState, Vmap, state_values

#: Programs that one function keeps; and how many kinds of arguments in a row
#: may be refused before the function is.
MOST_PROGRAMS = 32
MOST_REFUSALS = 4
#: Calls in a row that may find other values than were compiled in.
MOST_CHANGES = 8
_ENTRY = "evox_call"
_PLAIN = (torch.Tensor, nn.Parameter, nn.Buffer)


def compile_native(chain: Chain, examples, trace: bool) -> Callable:
    """The compiler of `_backend.compile_chain`."""
    from .. import _tools
    from ..errors import Error

    try:
        _tools.find("evox-compile")
    except Error as e:
        raise BackendUnavailable(f"backend='evox' can't compile {chain}: {e}") from None
    transforms = tuple(
        t for t in chain.transforms if isinstance(t, Vmap) or t.keys
    )
    if sum(isinstance(t, UseState) for t in transforms) > 1:
        raise BackendUnavailable(f"{chain}: more than one use_state with a state")
    out = (Traced if trace else Scripted)(chain, transforms)
    if examples is not None:
        out.prepare(*examples)
    return out


def _compile(module, methods, transforms=None, name=None, externals=None):
    """Compile, or say why not as BackendUnavailable."""
    from .. import compile
    from ..errors import Error

    try:
        return compile(
            module, methods, transforms=transforms, name=name, externals=externals
        )
    except Error as e:
        raise BackendUnavailable(_bind.first_line(e)) from e


def _constant(value):
    """A value that is no tensor, in a key."""
    try:
        hash(value)
    except TypeError:
        raise BackendUnavailable(
            f"an argument is a {type(value).__name__}, neither a tensor nor a constant"
        ) from None
    return type(value), value


def _kind(value):
    """What a program is compiled for."""
    if not isinstance(value, torch.Tensor):
        return type(value)
    if type(value) not in _PLAIN:
        raise BackendUnavailable(
            f"an argument is a {type(value).__name__}, which is no plain tensor"
        )
    if value.device.type != "cpu":
        raise BackendUnavailable(f"an argument is on device {value.device}")
    if value.layout != torch.strided:
        raise BackendUnavailable(f"an argument has the layout {value.layout}")
    return value.dtype, tuple(value.shape)


class _Native:
    """A chain, and its programs by kind of arguments."""

    def __init__(self, chain: Chain, transforms):
        self.chain, self.transforms = chain, transforms
        self.programs: Dict[Any, Any] = {}
        self.refusals = 0
        self.use_state: Optional[UseState] = next(
            (t for t in transforms if isinstance(t, UseState)), None
        )

    # For messages, as a function of the chain's arguments.
    @property
    def __evox_function__(self):
        return self.chain.source.function

    @property
    def is_empty_state(self) -> bool:
        return self.use_state is None

    @property
    def name(self) -> str:
        return getattr(self.chain.source.function, "__name__", "function")

    def refuse(self, why: str):
        raise BackendUnavailable(f"backend='evox' can't compile {self.chain}: {why}")

    def program_for(self, key_of: Callable, make: Callable):
        key = key_of()
        found = self.programs.get(key)
        if found is None:
            if self.refusals >= MOST_REFUSALS:
                found = next(
                    p for p in self.programs.values()
                    if isinstance(p, BackendUnavailable)
                )
                raise found
            while len(self.programs) >= MOST_PROGRAMS:
                self.programs.pop(next(iter(self.programs)))
            try:
                found = make()
                self.refusals = 0
            except BackendUnavailable as e:
                text = str(e)
                if not text.startswith("backend='evox'"):
                    text = f"backend='evox' can't compile {self.chain}: {text}"
                found = BackendUnavailable(text)
                self.refusals += 1
            # What is in the key may have changed on the way.
            self.programs[key_of()] = found
        if isinstance(found, BackendUnavailable):
            raise found
        return found

    # Vmaps -------------------------------------------------------------------

    def _levels(self):
        """The vmaps outside the use_state, and those inside it; outermost
        first."""
        order = list(reversed(self.transforms))
        if self.use_state is None:
            return order, []
        at = order.index(self.use_state)
        return order[:at], order[at + 1 :]


def _lane(leaves, dims):
    return [
        x if d is None else x.select(d, 0) for x, d in zip(leaves, dims)
    ]


def _vmap_expression(inner: str, vmap: Vmap, in_dims, out_dims, lanes: int) -> str:
    text = (
        f"vmap({inner}, in_dims={in_dims!r}, out_dims={out_dims!r}, "
        f"axis_size={lanes}, randomness={vmap.randomness!r}"
    )
    if vmap.chunk_size is not None:
        text += f", chunk_size={vmap.chunk_size}"
    if vmap.strategy is not None:
        text += f", strategy={vmap.strategy!r}"
    return text + ")"


# Traced ------------------------------------------------------------------------


class _Trace:
    """The innermost function as a trace from flat tensors to flat tensors.

    outs: where each leaf of the result comes from: ("traced", i), ("input", i)
        or ("static", value).
    """

    def __init__(self, function: Callable[[List[torch.Tensor]], Any], leaves, source,
                 lanes: bool, state_size: int):
        self.outs: List[Tuple[str, Any]] = []
        self.spec = None

        written: Set[int] = set()

        def flat(*xs):
            # State that is written in place is copied first.
            xs = [x.clone() if i in written else x for i, x in enumerate(xs)]
            versions = [x._version for x in xs]
            out, self.spec = pytree.tree_flatten(function(list(xs)))
            self.outs, traced = [], []
            for x in out:
                same = [i for i, y in enumerate(xs) if y is x and i not in written]
                if same:
                    self.outs.append(("input", same[0]))
                elif isinstance(x, torch.Tensor):
                    self.outs.append(("traced", len(traced)))
                    traced.append(x)
                else:
                    self.outs.append(("static", x))
            written.update(
                i for i in range(state_size) if xs[i]._version != versions[i]
            )
            return tuple(traced) or (torch.zeros(()),)

        copies = tuple(
            x.detach().clone().requires_grad_(x.requires_grad) for x in leaves
        )
        slots = capture(source)
        guard, before = WriteGuard(slots), [s.get() for s in slots]
        try:
            for _ in range(2):
                before_trace = len(written)
                with fork_rng():
                    self.function = torch.jit.trace(
                        flat, copies, strict=False, check_trace=False
                    )
                if len(written) == before_trace:
                    break
            changed = [key for key, _ in guard.writes()]
        finally:
            for slot, old in zip(slots, before):
                slot.set(old)
        if changed and lanes:
            raise RuntimeError(
                f"vmap of {where_defined(source)}: it writes {', '.join(changed)}, "
                "which all lanes share, with a value per lane. Use "
                "vmap(use_state(...)), which gives each lane its own state"
            )
        if changed:
            warn_of_writes(source, changed)
        arguments = _graph.written_arguments(self.function.inlined_graph)
        if arguments:
            _, where = next(iter(arguments.items()))
            raise BackendUnavailable(f"it writes into an argument in place: {where}")


class Traced(_Native):
    def __init__(self, chain, transforms):
        super().__init__(chain, transforms)
        self.traces: Dict[Any, _Trace] = {}

    def prepare(self, args, kwargs):
        self._program(args, kwargs)

    def __call__(self, *args, **kwargs):
        run, leaves = self._program(args, kwargs)
        return run(leaves)

    def _program(self, args, kwargs):
        leaves, spec = pytree.tree_flatten((args, kwargs))
        kinds = tuple(
            _kind(x) if isinstance(x, torch.Tensor) else _constant(x) for x in leaves
        )
        key = (spec, kinds, torch.get_default_dtype())
        run = self.program_for(lambda: key, lambda: self._make(args, kwargs, leaves, spec))
        return run, leaves

    def _make(self, args, kwargs, leaves, spec):
        outside, inside = self._levels()
        n = len(pytree.tree_leaves(args))
        state_size = 0
        if self.use_state is not None:
            if not args:
                raise TypeError(f"{self.name}() needs the state as its first argument")
            state_values(self.name, self.use_state.keys, args[0])
            state_size = len(pytree.tree_leaves(args[0]))
        lanes, dims = [], []
        values = list(leaves)
        for vmap in outside + inside:
            first = state_size if vmap in inside else 0
            tree = pytree.tree_unflatten(values, spec)[0]
            given = tree[1:] if vmap in inside and state_size else tree
            found, size = _batch.check_arguments(
                self if not first else self.chain.source.function, vmap.in_dims, given
            )
            d = [None] * first + [dim for _, _, dim in found]
            d += [None] * (len(leaves) - n)
            lanes.append(size)
            dims.append(d)
            values = _lane(values, d)
        # Only tensors are arguments of the program.
        at = [i for i, x in enumerate(values) if isinstance(x, torch.Tensor)]
        key = (spec, tuple((type(x), x) for x in leaves if not isinstance(x, torch.Tensor)))
        trace = self.traces.get(key)
        if trace is None:
            function = self._pure(values, spec, at)
            trace = self.traces[key] = _Trace(
                function,
                [values[i] for i in at],
                self.chain.source.function,
                any(isinstance(t, Vmap) for t in self.transforms),
                sum(i < state_size for i in at),
            )
        return self._finish(trace, values, at, outside, inside, lanes, dims, state_size)

    def _pure(self, values, spec, at) -> Callable:
        """The innermost function: flat tensors in, (state and) result out."""
        use_state, source = self.use_state, self.chain.source.function
        if isinstance(self.chain.source.module, _script.wrap_class_base()):
            # Reached by its name, it is the proxy of trace_impl.
            source = getattr(self.chain.source.module, self.chain.source.method)

        def function(xs):
            full = list(values)
            for i, x in zip(at, xs):
                full[i] = x
            args, kwargs = pytree.tree_unflatten(full, spec)
            if use_state is None:
                return source(*args, **kwargs)
            state, args = args[0], args[1:]
            slots = list(use_state.slots)
            with installed(slots, [state[k] for k in use_state.keys]):
                with use_state_context():
                    out = source(*args, **kwargs)
                new = {s.key: s.get() for s in slots}
            return new if out is None else (new, out)

        return function

    def _finish(self, trace, values, at, outside, inside, lanes, dims, state_size):
        in_dims = [tuple(d[i] for i in at) for d in dims]
        out_dims = self._out_dims(trace, outside, inside)
        # A value that only passes through needs the program where its lanes
        # move, or where there are lanes only now.
        passing = [
            i
            for i, (how, where) in enumerate(trace.outs)
            if how == "input"
            and all(
                ins[where] == outs[i] for ins, outs in zip(in_dims, out_dims)
            )
        ]
        moved = [
            i
            for i, (how, _) in enumerate(trace.outs)
            if how == "input" and i not in passing
        ]
        wanted = [i for i, (how, _) in enumerate(trace.outs) if how == "traced"]
        function = trace.function
        if moved:
            function = _with_inputs(
                function, len(at), len(wanted), [trace.outs[i][1] for i in moved]
            )
        order = wanted + moved
        examples = tuple(values[i] for i in at)
        name = f"{self.name}".strip("<>")
        if not order:
            run = None
        elif not lanes:
            run = _compile(function, {"forward": examples}, name=name)
            entry = "forward"
        else:
            expression = "forward"
            for vmap, ins, outs, size in reversed(
                list(zip(outside + inside, in_dims, out_dims, lanes))
            ):
                expression = _vmap_expression(
                    expression, vmap, ins, tuple(outs[i] for i in order), size
                )
            batched = [self._batched(x, i, dims, lanes) for x, i in zip(examples, at)]
            run = _compile(
                function, {_ENTRY: tuple(batched)}, {_ENTRY: expression}, name=name
            )
            entry = _ENTRY
        draws = run is not None and _bind.uses_generator(run)
        port = _bind.Port(run) if draws else None

        def call(leaves):
            tensors = [leaves[i] for i in at]
            out = [None] * len(trace.outs)
            if run is not None:
                results = _bind.call_program(run, entry, tensors, draws, port)
                for i, value in zip(order, results):
                    out[i] = value
            for i, (how, what) in enumerate(trace.outs):
                if how == "static":
                    out[i] = what
                elif i in passing:
                    out[i] = tensors[what]
            return pytree.tree_unflatten(out, trace.spec)

        return call

    @staticmethod
    def _batched(example, i, dims, lanes):
        """A tensor of the argument's type with its lanes."""
        for d, size in reversed(list(zip(dims, lanes))):
            if d[i] is not None:
                shape = list(example.shape)
                shape.insert(d[i], size)
                example = example.new_empty(()).expand(shape)
        return example

    def _out_dims(self, trace, outside, inside):
        """For each vmap, the dims of the leaves of the result."""
        placeholders = list(range(len(trace.outs)))
        tree = pytree.tree_unflatten(placeholders, trace.spec)
        result = tree
        state = []
        if self.use_state is not None:
            pair = isinstance(tree, tuple)
            state = pytree.tree_leaves(tree[0] if pair else tree)
            result = tree[1] if pair else ()
        out = []
        for vmap, part, rest in [(v, tree, []) for v in outside] + [
            (v, result, state) for v in inside
        ]:
            spec = pytree.tree_structure(part)
            dims = pytree._broadcast_to_and_flatten(
                vmap.out_dims, spec, is_leaf=lambda x: x is None
            )
            if dims is None:
                raise ValueError(
                    f"vmap of {where_defined(self.chain.source.function)}: out_dims "
                    f"{vmap.out_dims!r} does not mirror the result"
                )
            out.append([None] * len(rest) + list(dims))
        return out


def _with_inputs(function, n_in: int, n_out: int, which: List[int]):
    """`function` that gives some of its arguments, too."""
    inputs = ", ".join(f"x{i}: Tensor" for i in range(n_in))
    call = f"inner({', '.join(f'x{i}' for i in range(n_in))})"
    results = [f"out[{i}]" for i in range(n_out)] + [f"x{i}" for i in which]
    inner = function  # noqa: F841: the text below sees it
    holder = _holder()
    holder.define(
        f"def forward(self, {inputs}):\n"
        f"    out = {call}\n"
        f"    return ({', '.join(results)},)\n"
    )
    return holder


def _holder() -> torch.jit.ScriptModule:
    """A module for a method that is written as text. TorchScript has one type
    per class, so each has a class."""
    return torch.jit.script(type("Holder", (nn.Module,), {})())


_numbers = itertools.count()


# Scripted ----------------------------------------------------------------------


class Scripted(_Native):
    def __init__(self, chain, transforms):
        super().__init__(chain, transforms)
        source = chain.source
        self.twin = None
        self.bake = False
        self.changes = 0
        #: Whether native code may call what `torch.jit.ignore` left in Python.
        #: Each function is called once more, with zeros, for the types of its
        #: results: so only where the native backend was asked for.
        self.calls_python = False
        self.vmaps = any(isinstance(t, Vmap) for t in transforms)
        if source.module is not None:
            if isinstance(source.module, _script.wrap_class_base()):
                self.twin = source.module.__script_twin__()
            else:
                self.twin = _script.twin_of(source.module, (source.method,))
            self.structure = self.twin.structure
            if source.method not in self.twin.exports:
                raise BackendUnavailable(f"{source} is not compiled: it is ignored")
        else:
            self.script = _script.script_plain(source.function)
            if not isinstance(self.script, torch.jit.ScriptFunction):
                raise BackendUnavailable(f"{chain}: it is no Python function")
        plain = unwrap_callable(source.function)
        try:
            self.signature = inspect.signature(plain)
        except (TypeError, ValueError):
            self.signature = None

    def prepare(self, args, kwargs):
        state, values = self._split(args, kwargs)
        if self.vmaps and state is not None:
            values = (self._with_paths(state), *values)
        self._program(values)

    def __call__(self, *args, **kwargs):
        state, values = self._split(args, kwargs)
        if self.vmaps:
            return self._call_vmapped(state, values)
        if state is None:
            return self._run(values)
        slots = list(self.use_state.slots)
        with installed(slots, state_values(self.name, self.use_state.keys, state)):
            out = self._run(values, pure=True)
            new = {s.key: s.get() for s in slots}
        return new if out is None else (new, out)

    def _split(self, args, kwargs):
        """The state, and the arguments in order."""
        state = None
        args, kwargs = list(args), dict(kwargs)
        if self.use_state is not None:
            if not args and "state" not in kwargs:
                raise TypeError(f"{self.name}() needs the state as its first argument")
            state = args.pop(0) if args else kwargs.pop("state")
        if self.signature is None:
            return state, tuple(args)
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            self.refuse("keyword-only arguments")
        return state, tuple(bound.args)

    def _run(self, values, pure=False):
        for again in (True, False):
            program = self._program(values)
            try:
                out = program(values, pure)
                self.changes = 0 if again else self.changes
                return out
            except _bind.DoesNotFit:
                # The module changed since: one for what it is now.
                self.changes += 1
                if self.changes > MOST_CHANGES or not again:
                    self.refuse(
                        "values of its module that are compiled in change at each call"
                    )
                self.programs.pop(self._key(values), None)

    def _key(self, values):
        leaves, spec = pytree.tree_flatten(values)
        if self.bake:
            kinds = tuple(
                _kind(x) if isinstance(x, torch.Tensor) else _constant(x) for x in leaves
            )
        else:
            kinds = tuple(map(_kind, leaves))
        return spec, kinds, torch.get_default_dtype()

    def _program(self, values):
        if self.twin is not None:
            self.twin.check()
            if self.structure is not self.twin.structure:
                self.programs.clear()
                self.structure = self.twin.structure
        return self.program_for(lambda: self._key(values), lambda: self._make(values))

    # One program -------------------------------------------------------------

    def _make(self, values):
        try:
            return self._make_with(values, ())
        except BackendUnavailable as e:
            if "export Python function" in str(e) and len(self.twin.exports) > 1:
                # Another method calls plain Python: leave that one out.
                name = self.chain.source.method
                self.twin = _script.twin_of(self.chain.source.module, (name,))
                self.structure = self.twin.structure
                return self._make(values)
            numbers = [
                i
                for i, v in enumerate(values)
                if isinstance(v, (bool, int, float, str))
            ]
            if not numbers or self.vmaps:
                raise
            # A string, or a number that decides shapes, must be known.
            out = self._make_with(values, numbers)
            self.bake = True
            self.programs.clear()
            return out

    def _script(self):
        """(what is compiled, its method)"""
        if self.twin is None:
            return self.script, "forward"
        return self.twin.sync(), self.chain.source.method

    def _make_with(self, values, baked):
        module, method = self._script()
        function = module if self.twin is None else getattr(module, method)
        written = _graph.written_arguments(function.inlined_graph)
        if written:
            name, where = next(iter(written.items()))
            raise BackendUnavailable(f"it writes into {name!r} in place: {where}")
        kept = [i for i in range(len(values)) if i not in baked]
        if baked:
            module, method = self._with_numbers(module, method, function, values, baked)
        if self.vmaps:
            return self._make_vmapped(module, method, function, values)
        examples = tuple(values[i] for i in kept)
        program = _compile(
            module, {method: examples}, name=self.name, externals=self._hosts()
        )
        run = self._bound(program, method, function)
        if not baked:
            return run
        return lambda full, pure=False: run([full[i] for i in kept], pure)

    def _hosts(self):
        """The methods that are left in Python, by their names."""
        if self.twin is None or not self.calls_python:
            return None
        out = {}
        for path, module in self.chain.source.module.named_modules():
            for name in _script.ignored_names(type(module)):
                out[f"{path}.{name}" if path else name] = getattr(module, name)
        return out

    def _bound(self, program, entry, function, skip=()):
        if self.twin is not None:
            return _bind.Bound(
                self.twin, self.chain.source.module, program, entry,
                function.inlined_graph, skip,
            )
        draws, port = _bind.uses_generator(program), _bind.Port(program)
        return lambda values, pure=False: _bind.call_program(
            program, entry, values, draws, port
        )

    def _with_numbers(self, module, method, function, values, baked):
        """A method that calls `method` with the numbers of `values`."""
        types = [a.type.annotation_str for a in function.schema.arguments]
        if self.twin is not None:
            types = types[1:]
        inputs = "".join(
            f", x{i}: {types[i]}" for i in range(len(values)) if i not in baked
        )
        arguments = ", ".join(
            _literal(v) if i in baked else f"x{i}" for i, v in enumerate(values)
        )
        inner = function  # noqa: F841: the text below sees it
        if self.twin is None:
            module, name, call = _holder(), "forward", "inner"
        else:
            name, call = f"{method}_numbers_{next(_numbers)}", f"self.{method}"
        module.define(f"def {name}(self{inputs}):\n    return {call}({arguments})\n")
        return module, name

    # Vmaps -------------------------------------------------------------------

    def _paths(self):
        """The slots of the state by their names in the script module."""
        if self.use_state is None:
            return {}
        if self.twin is None or not all(
            k.startswith("self.") for k in self.use_state.keys
        ):
            self.refuse("state outside of the method's own module")
        return {k: k.removeprefix("self.") for k in self.use_state.keys}

    def _with_paths(self, state):
        names = self._paths()
        state_values(self.name, self.use_state.keys, state)
        return {names[k]: state[k] for k in names}

    def _call_vmapped(self, state, values):
        if self.use_state is None:
            return self._run(values)
        names = self._paths()
        out = self._run((self._with_paths(state), *values))
        pair = isinstance(out, tuple)
        new, back = (out[0] if pair else out), {v: k for k, v in names.items()}
        new = {k: new[names[k]] for k in back.values()}
        return (new, out[1]) if pair else new

    def _make_vmapped(self, module, method, function, values):
        outside, inside = self._levels()
        state_size = 0
        if self.use_state is not None:
            state_size = len(pytree.tree_leaves(values[0]))
        leaves, spec = pytree.tree_flatten(values)
        texts = []
        for vmap in outside + inside:
            tree = pytree.tree_unflatten(leaves, spec)
            first = state_size if vmap in inside else 0
            given = tree[1:] if first else tree
            found, size = _batch.check_arguments(
                self if not first else self.chain.source.function,
                _renamed(vmap.in_dims), given,
            )
            dims = [dim for _, _, dim in found]
            literal = pytree.tree_unflatten(dims, pytree.tree_structure(given))
            leaves = _lane(leaves, [None] * first + dims)
            texts.append((vmap, literal, _renamed(vmap.out_dims), size))
        expression = method
        for vmap, ins, outs, size in reversed(texts[len(outside) :]):
            expression = _vmap_expression(expression, vmap, ins, outs, size)
        paths = list(self._paths().values())
        if paths:
            expression = f"use_state({expression}, keys={paths!r})"
        for vmap, ins, outs, size in reversed(texts[: len(outside)]):
            expression = _vmap_expression(expression, vmap, ins, outs, size)
        examples = tuple(values[1:] if paths else values)
        program = _compile(
            module, {_ENTRY: examples}, {_ENTRY: expression}, name=self.name
        )
        return self._bound(program, _ENTRY, function, paths)


def _renamed(dims):
    """Dims by state keys, as the compiler names the slots."""
    if isinstance(dims, dict):
        return {
            k.removeprefix("self.") if isinstance(k, str) else k: _renamed(d)
            for k, d in dims.items()
        }
    if isinstance(dims, (tuple, list)):
        return type(dims)(map(_renamed, dims))
    return dims


def _literal(value) -> str:
    return f"float('{value}')" if isinstance(value, float) else repr(value)
