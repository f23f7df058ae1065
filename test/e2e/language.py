# language.py - one TorchScript program on both sides
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the language share: `agree` runs a program in PyTorch and
as a compiled library, and compares results and state after every call."""

import copy
import importlib.util
import math

import pytest
import torch

import evox_mlir


def same(expected, got, where="result"):
    """Equal structure, dtypes, shapes and values; elements of tensors within
    1e-6, Python's floats within 1e-13."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(got, torch.Tensor), f"{where}: {type(got)}"
        torch.testing.assert_close(
            got, expected.detach(), rtol=1.3e-6, atol=1e-6, equal_nan=True,
            msg=lambda text: f"{where}: {text}")
    elif isinstance(expected, (tuple, list)):
        kind = tuple if isinstance(expected, tuple) else list
        assert isinstance(got, kind), f"{where}: {type(got)}, not {kind}"
        assert len(got) == len(expected), f"{where}: {len(got)} elements"
        for i, (e, g) in enumerate(zip(expected, got)):
            same(e, g, f"{where}[{i}]")
    elif isinstance(expected, dict):
        assert isinstance(got, dict), f"{where}: {type(got)}"
        assert list(map(str, expected)) == list(map(str, got)), where
        for (key, e), g in zip(expected.items(), got.values()):
            same(e, g, f"{where}[{key!r}]")
    elif expected is None:
        assert got is None, f"{where}: {got!r}, not None"
    else:
        if isinstance(got, torch.Tensor) and got.dim() == 0:
            got = got.item()
        assert type(got) is type(expected), \
            f"{where}: {type(got)}, not {type(expected)}"
        close = isinstance(expected, float) and math.isclose(
            got, expected, rel_tol=1e-13)  # functions of the C library
        assert got == expected or close \
            or (got != got and expected != expected), \
            f"{where}: {got!r}, not {expected!r}"


def detached(value):
    """A copy: a result may be the state, which the next call changes."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, (tuple, list)):
        values = [detached(v) for v in value]
        return values if isinstance(value, list) else tuple(values)
    if isinstance(value, dict):
        return {key: detached(v) for key, v in value.items()}
    return value


def compile_like(module, calls, **options):
    """Compiles a module for the arguments of `calls`: [(method, args)]."""
    methods = {}
    for method, args in calls:
        methods.setdefault(method, tuple(args))
    return evox_mlir.compile(module, methods, **options)


def agree(module, *calls, seed=7):
    """Calls are (args...) of forward, or ("method", args...).

    Returns PyTorch's results, so that a test can say what they should be.
    """
    calls = [(c[0], c[1:]) if isinstance(c, tuple) and c
             and isinstance(c[0], str)
             else ("forward", c if isinstance(c, tuple) else (c,))
             for c in calls]
    script = module if isinstance(
        module, (torch.jit.ScriptModule, torch.jit.ScriptFunction)) \
        else torch.jit.script(module)
    program = compile_like(script, calls)
    torch.manual_seed(seed)
    program.seed(seed)
    results = []
    for i, (method, args) in enumerate(calls):
        run = script if isinstance(script, torch.jit.ScriptFunction) \
            else getattr(script, method)
        given = copy.deepcopy(args)
        try:
            # TorchScript's optimizer loses writes to elements of lists.
            with torch.jit.optimized_execution(False):
                expected = detached(run(*copy.deepcopy(args)))
        except (torch.jit.Error, RuntimeError) as error:
            results.append(error)
            text = str(error).strip().splitlines()[-1]
            text = text.split("Error: ")[-1].split("Exception: ")[-1]
            try:
                program.call(method, *given)
            except evox_mlir.ProgramError as got:
                assert text in str(got), f"{got} lacks {text!r}"
            else:
                raise AssertionError(f"{method}: no error, PyTorch: {text}")
            continue
        results.append(expected)
        got = program.call(method, *given)
        same(expected, got, f"call {i}, {method}")
        if isinstance(script, torch.jit.ScriptModule):
            state = script.state_dict()
            mine = program.state_dict()
            for name, value in state.items():
                if name in mine:
                    same(value, mine[name], f"after call {i}: {name}")
    return results


def from_text(source, **attributes):
    """A scripted module: methods as text, attributes that are known."""
    module = torch.nn.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    script = torch.jit._recursive.create_script_module(
        module, lambda module: (), share_types=False)
    script.define(source)
    return script


def refused(module, *args, **options):
    """The text of the error for a module that does not compile."""
    with pytest.raises(evox_mlir.CompileError) as caught:
        evox_mlir.compile(
            module if isinstance(module, torch.jit.ScriptModule)
            else torch.jit.script(module), args, **options)
    return str(caught.value)


def container(modules, path):
    """One module with a method f0, f1, ... for each of [(module, *inputs)]."""
    lines = ["import torch", "from torch import Tensor", "",
             "class All(torch.nn.Module):"]
    for i, (_, *inputs) in enumerate(modules):
        names = [f"x{k}" for k in range(len(inputs))]
        lines += ["    @torch.jit.export",
                  f"    def f{i}(self, {', '.join(f'{n}: Tensor' for n in names)}):",
                  f"        return self.m{i}({', '.join(names)})"]
    path.write_text("\n".join(lines) + "\n")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file)
    every = file.All()
    for i, (module, *_) in enumerate(modules):
        setattr(every, f"m{i}", module)
    return every
