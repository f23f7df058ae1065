# _program.py - running a compiled program
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled program: `load(path)` opens its library, `Program` runs it."""

import contextlib
import ctypes
import os
import threading
import weakref

from . import _abi, _signature, _tensor, _tree, errors


class Library:
    """A shared library of evox-compile. Programs share it."""

    def __init__(self, path):
        self.path = os.path.abspath(os.fspath(path))
        self._library, self._api = _abi.open_library(path)
        self.name = self._api.program_name().decode()
        self.signature = _signature.parse(
            self._api.signature().decode(), self.path)
        self.externals = {}  # functions that a new instance starts with

    def new_instance(self):
        """A program with its own state, as it was when it was compiled."""
        return Program(self)

    def __repr__(self):
        return f"<evox_mlir.Library {self.name} of {self.path}>"


def load(path, externals=None):
    """Opens a library made by evox-compile and makes an instance of it.

    externals: functions by name, as for `Program.set_external`, for each
        instance; those that the program does not call are left out.
    """
    library = Library(path)
    library.externals = {name: fn for name, fn in (externals or {}).items()
                         if name in library.signature.externals}
    return Program(library)


class _Entry:
    """`prog.step`: calls an entry point as the module's own method."""

    def __init__(self, program, name):
        self._program = program
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        return self._program.call(self.__name__, *args, **kwargs)

    def __repr__(self):
        entry = self._program.library.signature.entry(self.__name__)
        return f"<entry point {entry.describe()}>"


class Program:
    """One instance of a compiled program, with its own state.

    Entry points are methods: `prog.step()`. One whose name is also a method
    of this class is reached by `prog.call(name)`. Programs may be used from
    different threads at once; one program serves one thread at a time, and
    makes others wait.
    """

    def __init__(self, library):
        self.library = library
        self._api = library._api
        self._lock = threading.RLock()
        self._in_external = False
        self._externals = {}
        self._failure = None
        handle = _abi.c_instance()
        _abi.check(self._api, None, self._api.open(ctypes.byref(handle)))
        self._handle = handle
        # The library's table stays alive with the finalizer.
        self._finalizer = weakref.finalize(
            self, _close, library, self._api, handle)
        for name, fn in library.externals.items():
            self.set_external(name, fn)

    # --- running -------------------------------------------------------------

    @property
    def signature(self):
        """What the library says of itself: a dict, from its JSON."""
        return self.library.signature.data

    @property
    def entries(self):
        """The names of the entry points."""
        return [entry.name for entry in self.library.signature.entries]

    @property
    def phase(self):
        """The number of the phase that the state is in."""
        return self._api.phase(self._handle)

    @property
    def variant(self):
        """The processor that the code was compiled for: of those that the
        library has code for, the best one that this machine can run."""
        return self._api.variant(self._handle).decode()

    def new_instance(self):
        """Another program of the same library, in its first state."""
        return self.library.new_instance()

    def seed(self, seed):
        """Seeds the generator, as `torch.manual_seed` does."""
        with self._use("seed"):
            self._check(self._api.seed(self._handle, int(seed) % 2**64))
        return self

    def call(self, entry, *args, **kwargs):
        """Calls an entry point; the results have PyTorch's structure."""
        entry = self.library.signature.entry(entry)
        flat = entry.flatten(args, kwargs)
        n_args, n_results = len(entry.args), entry.n_results
        views = (_abi.Tensor * max(n_args, 1))()
        results = (_abi.Tensor * max(n_results, 1))()
        alive = []
        for i, (value, what) in sorted(flat.items()):
            view, keep = _tensor.to_view(value, what, entry.args[i].expected)
            views[i] = view
            alive.append(keep)
        with self._use(entry.name):
            phase = self.phase
            self._check(self._api.call(
                self._handle, entry.name.encode(), views, n_args, results,
                n_results))
            # The results belong to the instance until its next call.
            tensors = [_tensor.from_view(results[i], self)
                       for i in range(n_results)]
        del alive
        return _tree.build(entry.results_tree(phase), tensors)

    def run(self, entry, n):
        """Calls an entry point without arguments n times, natively."""
        with self._use(entry):
            self._check(self._api.run(self._handle, entry.encode(), int(n)))
        return self

    def __call__(self, *args, **kwargs):
        return self.call("forward", *args, **kwargs)

    def __getattr__(self, name):
        if not name.startswith("_"):
            if name in self.library.signature.by_name:
                return _Entry(self, name)
            names = ", ".join(self.entries)
            raise AttributeError(
                f"program {self.library.name} has no entry point or attribute "
                f"{name!r}; its entry points are {names}")
        raise AttributeError(name)

    def __dir__(self):
        return sorted(set(super().__dir__()) | set(self.entries))

    # --- state ---------------------------------------------------------------

    def get(self, name, copy=True):
        """One tensor of the state, or a list of them.

        With copy=False it looks at the library's memory: it changes as the
        program runs, and must not be used after its shape changed.
        """
        slot = self.library.signature.slot(name)
        if self._is_none(name):
            return None
        with self._use("get"):
            if slot is not None and slot.kind == "list":
                return self._get_list(name, copy)
            view = _abi.Tensor()
            self._check(self._api.get_state(
                self._handle, name.encode(), ctypes.byref(view)))
            return _tensor.from_view(view, self, copy)

    def _is_none(self, name):
        """Whether an attribute is None in this phase, and a tensor later."""
        python = self.library.signature.phases[self.phase]
        return name in python and python[name] is None

    def _get_list(self, name, copy):
        size = ctypes.c_int64()
        self._check(self._api.list_size(
            self._handle, name.encode(), ctypes.byref(size)))
        tensors = []
        for i in range(size.value):
            view = _abi.Tensor()
            self._check(self._api.list_get(
                self._handle, name.encode(), i, ctypes.byref(view)))
            tensors.append(_tensor.from_view(view, self, copy))
        return tensors

    def set(self, name, value):
        """Copies a tensor into the state."""
        what = f"state {name!r}"
        with self._use("set"):
            view, keep = _tensor.to_view(value, what, self._expected(name))
            self._check(self._api.set_state(
                self._handle, name.encode(), ctypes.byref(view)))
        del keep

    def _expected(self, name):
        view = _abi.Tensor()
        if self._api.get_state(self._handle, name.encode(),
                               ctypes.byref(view)) != 0:
            return None  # set_state says why
        return view.dtype, tuple(view.shape[:view.rank])

    def state_dict(self, copy=True):
        """The parameters and mutable state by their `state_dict` names.

        Constants, lists of tensors and the generator are left out: `get`
        reads them, and `save` writes everything.
        """
        return {slot.name: self.get(slot.name, copy)
                for slot in self.library.signature.state
                if slot.visible and not self._is_none(slot.name)}

    def load_state_dict(self, state_dict, strict=True):
        """Copies tensors into the state, all of them or none.

        With strict, each name of `state_dict()` must be there, and no other.
        """
        slots = {slot.name: slot for slot in self.library.signature.state
                 if slot.visible and not self._is_none(slot.name)}
        unknown = [name for name in state_dict if name not in slots]
        missing = [name for name in slots if name not in state_dict]
        if strict and (unknown or missing):
            raise errors.ArgumentError(
                "load_state_dict: " + "; ".join(
                    f"{text}: {', '.join(names)}" for text, names in
                    (("unknown names", unknown), ("missing names", missing))
                    if names))
        wanted = {name: value for name, value in state_dict.items()
                  if name in slots}
        with self._use("load_state_dict"):
            for name, value in wanted.items():
                expected = self._expected(name)
                view, _ = _tensor.to_view(value, f"state {name!r}", expected)
                got = view.dtype, tuple(view.shape[:view.rank])
                if expected is not None and got != expected:
                    raise errors.ArgumentError(
                        f"state {name!r}: expected "
                        f"{_tensor.describe(*expected)}, got "
                        f"{_tensor.describe(*got)}")
            for name, value in wanted.items():
                self.set(name, value)

    def save(self, path):
        """Writes the whole state, generator included, as safetensors."""
        with self._use("save"):
            self._check(self._api.save(self._handle, os.fsencode(path)))

    def load(self, path):
        """Reads what `save` wrote; on an error the state stays as it was."""
        with self._use("load"):
            self._check(self._api.load(self._handle, os.fsencode(path)))
        return self

    def reset(self):
        """Goes back to the state that the program was compiled with."""
        with self._use("reset"):
            self._check(self._api.reset(self._handle))
        return self

    # --- the host ------------------------------------------------------------

    def set_external(self, name, fn):
        """Supplies a function that the program leaves to its host.

        `fn` is called with what the program's own call passes (tensors where
        the library does not say) and returns what that expects, of the dtypes
        and shapes that the program was compiled for.
        """
        types = self.library.signature.externals.get(name) or {}
        kept = []  # what the library looks at until the next call

        def trampoline(user, args, n_args, results, n_results, message, size):
            self._in_external = True
            kept.clear()
            try:
                # Copies: `fn` may keep them, the library reuses its memory.
                given = [_tensor.from_view(args[i]) for i in range(n_args)]
                if types:
                    given = _tree.build(types["args_tree"], given)
                out = fn(*given)
                what = f"the result of external function {name!r}"
                flat = {}
                if types:
                    _tree.flatten(types["results_tree"], out, what, flat)
                else:
                    if not isinstance(out, (tuple, list)):
                        out = () if out is None else (out,)
                    flat = {i: (value, f"result {i} of external function "
                                f"{name!r}") for i, value in enumerate(out)}
                if len(flat) != n_results:
                    raise errors.ArgumentError(
                        f"external function {name!r}: expected {n_results} "
                        f"results, got {len(flat)}")
                for i, (value, what) in flat.items():
                    kept.append(_tensor.give(results[i], value, what))
                return 0
            except BaseException as error:  # must not cross the C code
                self._failure = error
                text = f"{type(error).__name__}: {error}".encode()
                if message and size > 0:
                    text = text[:size - 1] + b"\0"
                    ctypes.memmove(message, text, len(text))
                return 1
            finally:
                self._in_external = False

        callback = _abi.ExternalFn(trampoline)
        with self._use("set_external"):
            self._check(self._api.set_external(
                self._handle, name.encode(), callback, None))
            self._externals[name] = callback

    def set_threads(self, threads):
        """Lets calls use this many threads. An instance starts with one; the
        results have the same bits at any number."""
        if not isinstance(threads, int) or not 1 <= threads <= 1024:
            raise errors.ArgumentError(
                f"set_threads: expected a number from 1 to 1024, "
                f"got {threads!r}")
        with self._use("set_threads"):
            self._check(self._api.set_executor(
                self._handle, _abi.ParallelFn(), None, threads))
        return self

    # --- the inside ----------------------------------------------------------

    @contextlib.contextmanager
    def _use(self, what):
        """The instance's lock. It lets the same thread in again, but not an
        external function, whose program is in the middle of a call."""
        with self._lock:
            if self._in_external:
                raise errors.Error(
                    f"{what}: an external function cannot use the program "
                    f"that calls it")
            yield

    def _check(self, status):
        failure, self._failure = self._failure, None
        try:
            _abi.check(self._api, self._handle, status)
        except errors.ExternalError as error:
            raise error from failure

    def __repr__(self):
        return f"<evox_mlir.Program {self.library.name}: " \
               f"{', '.join(self.entries)}>"


def _close(library, api, handle):
    api.close(handle)
