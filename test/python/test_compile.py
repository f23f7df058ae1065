# test_compile.py - what compile() asks of evox-compile
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""With a stand-in for the tool that records its command line."""

import os
import pathlib
import threading

import pytest
import torch

import evox_mlir
from evox_mlir import _compile


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A tool that writes its arguments where the library should be."""
    folder = tmp_path / "tools"
    folder.mkdir()
    path = folder / "evox-compile"
    path.write_text(
        "#!/bin/sh\n"
        "echo run >> '%s/runs'\n"
        "[ -z \"$FAIL\" ] || { echo \"module.pt:3: error: $FAIL\" >&2;"
        " exit 1; }\n"
        "while [ \"$1\" != -o ]; do shift; done\n"
        "out=$2\n"
        "echo \"$@\" > \"$out\"\n" % tmp_path)
    path.chmod(0o755)
    monkeypatch.setenv("EVOX_TOOLS_DIR", str(folder))
    monkeypatch.setenv("EVOX_CACHE_DIR", str(tmp_path / "cache"))
    opened = []
    monkeypatch.setattr(
        _compile._program, "load", lambda path: opened.append(path) or path)
    return path


def runs(tool):
    path = tool.parent.parent / "runs"
    return len(path.read_text().split()) if path.exists() else 0


class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x

    @torch.jit.export
    def again(self, x, n: int):
        return x * n


def flags(path):
    return pathlib.Path(path).read_text().split()


def test_command_line(tool):
    x = torch.ones(2, 3)
    words = flags(evox_mlir.compile(
        Twice(), {"forward": (x,), "again": (x.long(), 3)}, rng="philox",
        options=["--stats"]))
    assert words[1].endswith("libTwice.so")
    for word in ("--rng=philox", "--target=cpu", "--method=forward",
                 "--input=forward:float32[2,3]", "--method=again",
                 "--input=again:int64[2,3],int", "--stats"):
        assert word in words
    assert any(w.startswith("--header=") and w.endswith("/Twice.h")
               for w in words)


def test_forms_of_methods(tool):
    x = torch.ones(2)
    module = torch.jit.script(Twice())
    assert "--input=forward:float32[2]" in flags(
        evox_mlir.compile(module, (x,)))
    assert "--method=again" in flags(evox_mlir.compile(module, "again"))
    assert "--method=again" in flags(evox_mlir.compile(module, ["again"]))
    assert not any(w.startswith("--method")
                   for w in flags(evox_mlir.compile(module)))
    assert "--input=forward:float32[2]" in flags(
        evox_mlir.compile(module, {"forward": x}))


@pytest.mark.parametrize("value, text", [
    (torch.tensor(1), "int64[]"),
    (torch.ones(2, 0).half(), "float16[2,0]"),
    (3, "int"), (3.0, "float"), (True, "bool"), (None, "None"),
    ((torch.ones(1), 2), "(float32[1],int)"),
    ([torch.ones(1)], "[float32[1]]"),
    ({"a.b": torch.ones(1), "c": (True,)}, '{"a.b":float32[1],"c":(bool)}'),
])
def test_example_inputs(value, text):
    assert _compile._describe(value, "x") == text


def test_example_inputs_refuse():
    with pytest.raises(evox_mlir.ArgumentError, match="x: .*got object"):
        _compile._describe(object(), "x")


def test_default_dtype_is_handed_on(tool, float64_default):
    assert "--default-dtype=float64" in flags(
        evox_mlir.compile(Twice(), (torch.ones(2),)))


def test_kinds_of_module(tool, tmp_path):
    from evox.problems.numerical import Sphere

    def double(x: torch.Tensor):
        return x + x

    x = (torch.ones(2),)
    path = tmp_path / "libnice-name.pt"
    torch.jit.script(Twice()).save(str(path))
    for module, name in ((Twice(), "Twice"), (torch.jit.script(Twice()),
                                              "Twice"),
                         (torch.jit.script(double), "double"),
                         (torch.jit.trace(Twice(), x), "Twice"),
                         (Sphere(), "Sphere"),
                         (path, "nice_name"), (str(path), "nice_name")):
        library = evox_mlir.compile(module, x)
        assert library.name == f"lib{name}.so"
    assert evox_mlir.compile(Twice(), x, name="a b").name == "liba_b.so"


def test_cached_by_content(tool):
    x = (torch.ones(2),)
    first = evox_mlir.compile(Twice(), x)
    assert evox_mlir.compile(Twice(), x) == first
    assert runs(tool) == 1
    others = [evox_mlir.compile(Twice(), (torch.ones(3),)),
              evox_mlir.compile(Twice(), x, rng="philox"),
              evox_mlir.compile(Twice(), x, name="Other"),
              evox_mlir.compile(torch.nn.Sequential(Twice()), x)]
    assert len({first, *others}) == 5 and runs(tool) == 5
    os.utime(tool, (1, 1))  # another compiler
    assert evox_mlir.compile(Twice(), x) != first
    assert evox_mlir.compile(Twice(), x, cache=False) != first
    assert runs(tool) == 7


def test_weights_are_content(tool):
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    assert evox_mlir.compile(one, (torch.ones(2),)) != \
        evox_mlir.compile(other, (torch.ones(2),))


def test_cache_has_whole_results_only(tool, monkeypatch):
    monkeypatch.setenv("FAIL", "no such op")
    for _ in range(2):
        with pytest.raises(evox_mlir.CompileError) as caught:
            evox_mlir.compile(Twice(), (torch.ones(2),))
        assert "module.pt:3: error: no such op" in str(caught.value)
        assert caught.value.returncode == 1
        assert caught.value.diagnostics.endswith("no such op\n")
    assert list(evox_mlir.cache_dir().iterdir()) == []
    assert runs(tool) == 2
    monkeypatch.delenv("FAIL")
    evox_mlir.compile(Twice(), (torch.ones(2),))


def test_two_compile_the_same_at_once(tool):
    module = torch.jit.script(Twice())
    found = []
    threads = [threading.Thread(target=lambda: found.append(
        evox_mlir.compile(module, (torch.ones(2),)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert [p.name for p in evox_mlir.cache_dir().iterdir()] == \
        [found[0].parent.name]


def test_output(tool, tmp_path):
    output = tmp_path / "out" / "libmine.so"
    output.parent.mkdir()
    assert evox_mlir.compile(Twice(), (torch.ones(2),), output=output) == \
        output
    assert [p.name for p in output.parent.iterdir()] == ["libmine.so"]


def test_clear_cache(tool):
    evox_mlir.compile(Twice(), (torch.ones(2),))
    evox_mlir.clear_cache()
    assert not evox_mlir.cache_dir().exists()


def test_refuses(tool):
    with pytest.raises(evox_mlir.ArgumentError, match="ScriptModule.*int"):
        evox_mlir.compile(3)

    class Loose(torch.nn.Module):
        def forward(self, x):
            return {**{"a": x}}

    with pytest.raises(evox_mlir.CompileError, match="refuses Loose"):
        evox_mlir.compile(Loose(), (torch.ones(2),))


def test_no_tool(monkeypatch, tmp_path):
    monkeypatch.setenv("EVOX_TOOLS_DIR", str(tmp_path))
    with pytest.raises(evox_mlir.Error, match="EVOX_TOOLS_DIR"):
        evox_mlir.compile(Twice(), (torch.ones(2),))
