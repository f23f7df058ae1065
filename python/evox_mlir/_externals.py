# _externals.py - methods that stay in Python
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""TorchScript cannot save a call of a method that `torch.jit.ignore` left in
Python. In a copy of the module each such call becomes one of a method that
only has the signature; the compiled program then calls the host for it."""

import itertools
import re

from .errors import ArgumentError, CompileError

_PREFIX = "__evox_external_"


def detach(module):
    """A ScriptModule that can be saved, and {name: Python function}."""
    import torch

    if not any(_python_calls(part) for part in module.modules()):
        return module, {}
    hosts = {}
    copy = torch.jit._recursive.wrap_cpp_module(
        torch._C._hack_do_not_use_clone_module_with_class(module._c, [], []))
    by_type = {}
    for path, part in copy.named_modules():
        by_type.setdefault(str(part._c._type()), []).append((path, part))
    for places in by_type.values():
        part = places[0][1]  # they share their methods
        for graph, node in _python_calls(part):
            inputs = list(node.inputs())
            owner = inputs[0].type().annotation_str if inputs else ""
            bound = owner in by_type
            if not bound:
                inputs = [next(graph.inputs()), *inputs]
                owner = str(part._c._type())
            stub = _stub(by_type[owner][0][1], node, inputs[1:])
            for path, _ in by_type[owner]:
                name = ".".join(filter(None, (path, node.pyname())))
                hosts[name] = _host(node.pyobj(),
                                    _part(module._c, path) if bound else None)
            call = graph.create("prim::CallMethod", inputs, 1)
            call.s_("name", stub)
            call.insertBefore(node)
            call.copyMetadata(node)
            call.output().setType(node.output().type())
            node.output().replaceAllUsesWith(call.output())
            node.destroy()
    return copy, hosts


def _part(module, path):
    """TorchScript's own submodule: Python's view of it leaves some out."""
    import torch

    for name in filter(None, path.split(".")):
        module = dict(torch._C.ModuleDict(module).items())[name]
    return module


def _python_calls(part):
    calls = []
    for name in part._c._method_names():
        graph = part._c._get_method(name).graph
        calls += [(graph, node)
                  for node in graph.findAllNodes("prim::PythonOp", True)]
    return calls


def _stub(part, node, inputs):
    """The name of a method with the signature of the call."""
    import torch

    types = [value.type().annotation_str for value in inputs]
    result = node.output().type().annotation_str.replace("NoneType", "None")
    for number in itertools.count():
        name = f"{_PREFIX}{number}__{node.pyname()}"
        if not part._c._has_method(name):
            break
        schema = part._c._get_method(name).schema
        if [a.type.annotation_str for a in schema.arguments[1:]] == types:
            return name
    arguments = "".join(f", a{i}: {kind}" for i, kind in enumerate(types))
    part._c._define(
        part._concrete_type,
        f"def {name}(self{arguments}) -> {result}:\n"
        f"    raise RuntimeError('{node.pyname()} is a function of the host')\n",
        torch._jit_internal.createResolutionCallbackFromFrame())
    return name


def _host(function, module):
    """What TorchScript would call: bound to the module as it is now."""
    if module is None:
        return function
    return lambda *args: function(module, *args)


# --- the types of results ----------------------------------------------------


class Wanted:
    """`externals=` of `compile`: types and functions, by name."""

    def __init__(self, externals, describe):
        self.types = {}
        self.hosts = {}
        self._describe = describe
        for name, given in (externals or {}).items():
            if isinstance(given, tuple) and len(given) == 2 and \
                    isinstance(given[0], str) and callable(given[1]):
                self.types[name], self.hosts[name] = given
            elif isinstance(given, str):
                self.types[name] = given
            elif callable(given):
                self.hosts[name] = given
            else:
                self.types[name] = describe(given, f"externals[{name!r}]")

    @property
    def flags(self):
        return [f"--external={name}:{types}"
                for name, types in self.types.items()]

    def find(self, error):
        """After a CompileError that asks for types: takes them from a call of
        the function. False where it asks for something else."""
        asked = re.search(r"the host's function '(\S+)' takes \((.*)\) and "
                          r"returns .*: say which", error.diagnostics)
        name = asked and asked.group(1)
        if not asked or name not in self.hosts or name in self.types:
            return False
        one, other = (self._result(name, asked.group(2), size)
                      for size in ((3, 2) if "?" in asked.group(2) else (3, 3)))
        self.types[name] = _join(one, other)
        return True

    def _result(self, name, takes, size):
        import torch

        example = []
        for word in re.findall(r"\w+\[[^\]]*\]|[^,]+", takes):
            numbers = {"int": 1, "float": 1.0, "bool": True, "None": None}
            if word in numbers:
                example.append(numbers[word])
                continue
            match = re.fullmatch(r"(\w+)\[([\d,?]*)\]", word)
            if not match:
                raise ArgumentError(
                    f"externals[{name!r}]: give the types of its results, as "
                    f"in ('float32[8]', function): it takes ({takes})")
            shape = [size if n == "?" else int(n)
                     for n in match.group(2).split(",") if n]
            example.append(torch.zeros(shape,
                                       dtype=getattr(torch, match.group(1))))
        try:
            result = self.hosts[name](*example)
        except Exception as error:
            raise CompileError(
                f"externals[{name!r}]: called with zeros for ({takes}), to see "
                f"what it returns, it raised {type(error).__name__}: {error}",
                str(error)) from error
        return self._describe(result, f"the result of {name}")


def _join(one, other):
    """Two descriptions of one result: sizes that differ are open."""
    parts = [re.split(r"([\[\],])", text) for text in (one, other)]
    if len(parts[0]) != len(parts[1]):
        raise ArgumentError(f"an external function returns {one} or {other}")
    return "".join(a if a == b else "?" for a, b in zip(*parts))
