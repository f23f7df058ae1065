# _compile.py - from a module to a program
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`compile`: saves a module as TorchScript, runs evox-compile on it, and keeps
the result on disk by content."""

import hashlib
import json
import operator
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

from . import _externals, _program, _tools
from .errors import ArgumentError, CompileError


def cache_dir():
    """The folder of compiled programs; EVOX_CACHE_DIR sets it."""
    folder = os.environ.get("EVOX_CACHE_DIR")
    if folder:
        return pathlib.Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "evox-mlir"


def clear_cache():
    """Removes every compiled program from the cache."""
    shutil.rmtree(cache_dir(), ignore_errors=True)


def compile(module, methods=None, rng="torch", target="cpu", *, name=None,
            output=None, cpu=None, dynamic=None, transforms=None, externals=None,
            options=(), cache=True):
    """Compiles a module and returns an instance of the program.

    module: a ScriptModule or ScriptFunction, an nn.Module that scripts, an
        object of one of EvoX's `jit_class` classes, or the path of a `.pt`.
    methods: maps each method to its example inputs, a tuple; a tuple alone
        means `forward`. Default: every method that takes no tensors.
    rng: "torch" draws PyTorch's own numbers, "philox" is counter-based.
    target: "cpu".
    name: of the program and its library; default: the class's.
    cpu: the processor that the library is for, as LLVM names it: "native",
        which is the default, "x86-64-v3". Of several, a list or one text with
        commas, the library runs the best one that a machine can.
    output: where to put the library; default: in the cache only.
    dynamic: dimensions left open, which a call may give any size:
        `{"forward": {"x": [0]}}`, or `["forward.x:0"]`. An argument inside
        a tuple, list or dict is named as in "state.population".
    transforms: more entry points, made from methods: `{"many": "vmap(
        use_state(step), axis_size=8)"}`; `methods` gives their arguments,
        with the lanes in and without the state.
    externals: what methods return that the program leaves to Python, such
        as those of `torch.jit.ignore`: `{"problem.load": "float32[?,4]"}`,
        an example, or a function to take for it (it is called with zeros to
        see what it returns), or both: `("float32[?,4]", function)`. Python
        decides a size `?`. Methods of the module itself are called without
        being named here, where they return no tensors.
    options: more arguments for evox-compile.
    cache: look in the cache first, and put the result there.
    """
    methods = _normalize_methods(methods)
    flags = [f"--rng={rng}", f"--target={target}"]
    if cpu is not None:
        names = [cpu] if isinstance(cpu, str) else cpu
        flags.append(f"--cpu={','.join(str(name) for name in names)}")
    transforms = transforms or {}
    for method, inputs in methods.items():
        if method not in transforms:
            flags.append(f"--method={method}")
        if inputs:
            types = ",".join(_describe(v, f"{method}: example input {i}")
                             for i, v in enumerate(inputs))
            flags.append(f"--input={method}:{types}")
    flags += _describe_dynamic(dynamic)
    flags += [f"--transform={made} = {how}" for made, how in transforms.items()]
    flags += _default_dtype()
    flags += [str(option) for option in options]

    wanted = _externals.Wanted(externals, _describe)
    tool = _tools.find("evox-compile")
    with tempfile.TemporaryDirectory(prefix="evox-") as folder:
        path, default_name, hosts = _as_file(
            module, [m for m in methods if m not in transforms], folder)
        name = _clean_name(name or default_name)
        hosts.update(wanted.hosts)
        while True:
            try:
                if cache:
                    library = _cached(tool, path, name, flags + wanted.flags)
                    break
                library = pathlib.Path(output or f"{folder}/lib{name}.so")
                _run(tool, path, library, flags + wanted.flags)
                return _load(library, hosts)
            except CompileError as error:
                if not wanted.find(error):
                    raise
    if output:
        _copy(library, output)
        library = output
    return _load(library, hosts)


def _load(library, hosts):
    return _program.load(library, hosts) if hosts else _program.load(library)


def _normalize_methods(methods):
    if methods is None:
        return {}
    if isinstance(methods, str):
        return {methods: ()}
    if isinstance(methods, dict):
        return {method: inputs if isinstance(inputs, (tuple, list))
                else (inputs,) for method, inputs in methods.items()}
    methods = tuple(methods)
    if methods and all(isinstance(method, str) for method in methods):
        return {method: () for method in methods}
    return {"forward": methods}


# --- example inputs ----------------------------------------------------------


def _describe(value, what):
    """The type of an example input, in evox-compile's words."""
    if value is None:
        return "None"
    if isinstance(value, (bool, int, float)):
        return type(value).__name__
    if isinstance(value, tuple):
        return "(" + ",".join(_describe(v, what) for v in value) + ")"
    if isinstance(value, list):
        return "[" + ",".join(_describe(v, what) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(k))}:{_describe(v, what)}"
                              for k, v in value.items()) + "}"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype}[{','.join(str(int(n)) for n in value.shape)}]"
    raise ArgumentError(
        f"{what}: expected a tensor, a number, or a tuple, list or dict of "
        f"them, got {type(value).__name__}")


def _describe_dynamic(dynamic):
    """`dynamic=` in evox-compile's words."""
    shape = ("dynamic: expected {method: {argument: dimensions}} or "
             "[\"METHOD.ARG:DIMS\"], such as {\"forward\": {\"x\": [0]}}")
    if dynamic is None:
        return []
    if isinstance(dynamic, str):
        dynamic = [dynamic]
    if isinstance(dynamic, (list, tuple)):
        if not all(isinstance(given, str) for given in dynamic):
            raise ArgumentError(f"{shape}, got {dynamic!r}")
        return [f"--dynamic={given}" for given in dynamic]
    flags = []
    try:
        for method, arguments in dynamic.items():
            for argument, dims in arguments.items():
                dims = [dims] if isinstance(dims, int) else list(dims)
                dims = ",".join(str(operator.index(dim)) for dim in dims)
                if dims:
                    flags.append(f"--dynamic={method}.{argument}:{dims}")
    except (AttributeError, TypeError):
        raise ArgumentError(f"{shape}, got {dynamic!r}") from None
    return flags


def _default_dtype():
    """`torch.rand(3)` in a script means the dtype that is the default now."""
    torch = sys.modules.get("torch")
    if torch is None or torch.get_default_dtype() == torch.float32:
        return []
    name = str(torch.get_default_dtype()).removeprefix("torch.")
    return [f"--default-dtype={name}"]


# --- the module --------------------------------------------------------------


def _as_file(module, methods, folder):
    """A file for evox-compile, the name that the program would have, and the
    functions that stay in Python."""
    if isinstance(module, (str, os.PathLike)):
        path = pathlib.Path(module)
        return path, path.stem.removeprefix("lib"), {}
    path = pathlib.Path(folder) / "module.pt"
    name = type(module).__name__
    if hasattr(module, "__evox_script__"):  # of evox_mlir.core
        module = module.__evox_script__(methods)
    elif hasattr(type(module), "__mro__") and _is_jit_class(module):
        module = _script_jit_class(module, methods)
    import torch

    if isinstance(module, torch.jit.ScriptFunction):
        name = getattr(module, "name", None) or name
    elif isinstance(module, torch.jit.ScriptModule):
        name = module.original_name
    elif isinstance(module, torch.nn.Module):
        try:
            module = torch.jit.script(module)
        except Exception as error:
            raise CompileError(
                f"torch.jit.script refuses {name}: {error}",
                str(error)) from error
    else:
        raise ArgumentError(
            f"compile: expected a ScriptModule, an nn.Module, an object of a "
            f"jit_class or the path of a .pt file, got {type(module)}")
    hosts = {}
    if isinstance(module, torch.jit.ScriptModule):
        module, hosts = _externals.detach(module)
    try:
        torch.jit.save(module, str(path))
    except RuntimeError as error:
        raise CompileError(_why_not_saved(module, error),
                           str(error)) from error
    return path, name, hosts


def _why_not_saved(module, error):
    """What TorchScript cannot save, by its name in the module."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    if "Generator" in text:
        held = [".".join(filter(None, (prefix, name)))
                for prefix, part in module.named_modules()
                for name in sorted({*vars(part), *dir(part)})
                if _is_generator(part, name)]
        where = f" ({', '.join(held)})" if held else ""
        return ("the module holds a torch.Generator of its own" + where +
                ", which TorchScript cannot save: draw from PyTorch's default "
                "generator instead")
    return f"torch.jit.save could not write the module: {text}"


def _is_generator(part, name):
    import torch

    try:  # asking a ScriptModule for some names is an error
        return isinstance(getattr(part, name), torch.Generator)
    except Exception:
        return False


def _is_jit_class(module):
    import torch

    # A script module copies what it finds in Python's object.
    return "__inner_module__" in getattr(module, "__dict__", {}) and \
        not isinstance(module, torch.jit.ScriptModule)


def _script_jit_class(module, methods):
    """EvoX scripts an object when one of its methods is touched first."""
    candidates = list(methods) or [
        n for n in dir(type(module.__inner_module__)) if not n.startswith("_")]
    for name in candidates:
        if module.__jit_module__ is not None:
            break
        try:
            getattr(module, name)
        except AttributeError:
            continue  # evox-compile lists the methods that there are
        except Exception as error:
            raise CompileError(
                f"EvoX cannot script {type(module).__name__}: {error}",
                str(error)) from error
    if module.__jit_module__ is None:
        import torch

        return torch.jit.script(module.__inner_module__)
    return module.__jit_module__


def _clean_name(name):
    name = re.sub(r"\W+", "_", str(name)).strip("_") or "program"
    return name if not name[0].isdigit() else f"_{name}"


# --- the tool and the cache --------------------------------------------------


def _run(tool, path, library, flags):
    header = pathlib.Path(library).with_suffix(".h")
    header = header.with_name(header.name.removeprefix("lib"))
    command = [str(tool), str(path), "-o", str(library),
               f"--header={header}", *flags]
    done = subprocess.run(command, capture_output=True, text=True,
                          errors="replace")
    text = done.stderr.strip()
    if done.returncode != 0:
        how = f"was ended by signal {-done.returncode}" \
            if done.returncode < 0 else f"failed ({done.returncode})"
        raise CompileError(f"evox-compile {how}:\n{text}", done.stderr,
                           done.returncode)
    if text:
        print(text, file=sys.stderr)


def _digest(tool, path, name, flags):
    digest = hashlib.sha256()
    tool = pathlib.Path(tool).resolve()
    # The run-time library is linked into each program.
    runtime = tool.parent.parent / "lib" / "libEvoxRuntime.a"
    files = [(str(file), file.stat().st_size, file.stat().st_mtime_ns)
             for file in (tool, runtime) if file.exists()]
    facts = [files, name, flags, platform.machine(), _cpu()]
    digest.update(json.dumps(facts).encode())
    try:
        with zipfile.ZipFile(path) as archive:
            # Not the archive's bytes: they hold the file's name.
            for entry in sorted(archive.namelist()):
                inner = entry.partition("/")[2]
                if inner == ".data/serialization_id":
                    continue
                data = archive.read(entry)
                digest.update(f"{inner}\0{len(data)}\0".encode())
                digest.update(data)
    except (zipfile.BadZipFile, OSError, ValueError):
        # evox-compile says what is wrong with it.
        digest.update(pathlib.Path(path).read_bytes()
                      if pathlib.Path(path).is_file() else b"")
    return digest.hexdigest()[:32]


def _cpu():
    """Code is made for this processor: a shared cache may serve several."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = file.read().split("\n\n")[0].splitlines()
        return [line for line in lines if line.startswith(
            ("model name", "flags", "Features"))]
    except OSError:
        return platform.processor()


def _cached(tool, path, name, flags):
    folder = cache_dir() / _digest(tool, path, name, flags)
    library = folder / f"lib{name}.so"
    if library.exists():
        return library
    cache_dir().mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=".new-", dir=cache_dir()))
    try:
        _run(tool, path, work / library.name, flags)
        try:
            os.rename(work, folder)
        except OSError:
            # Another process was first; its result is the same.
            if not library.exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return library


def _copy(source, target):
    """By rename: a program may have the old library open."""
    target = pathlib.Path(target)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, part)
    os.replace(part, target)
