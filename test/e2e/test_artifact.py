# test_artifact.py - what comes out: a library, and what it needs
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess

import pytest
import torch

import evox_cases
import evox_mlir

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALLOWED = re.compile(
    r"linux-vdso\.so|libc\.so\.6|libm\.so\.6|libmvec\.so\.1|ld-linux")


def needed(path):
    """The names in ldd's answer."""
    text = subprocess.run(["ldd", path], check=True, capture_output=True,
                          text=True).stdout
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def test_needs_libc_and_libm_only(pso_library):
    names = needed(pso_library)
    assert any(name.startswith("libc.so") for name in names)
    assert [name for name in names if not ALLOWED.search(name)] == []


def test_is_small(pso_library, tmp_path, record_property):
    stripped = tmp_path / "stripped.so"
    strip = shutil.which("llvm-strip-22") or "strip"
    subprocess.run([strip, "-o", stripped, pso_library], check=True)
    state = sum(tensor.numel() * tensor.element_size()
                for tensor in all_state(pso_library))
    size = stripped.stat().st_size
    record_property("figure", f"{size} bytes stripped, {state} of them state")
    assert size < 300_000 + state


def all_state(library):
    program = evox_mlir.load(library)
    for slot in program.library.signature.state:
        if slot.kind == "tensor":
            yield program.get(slot.name)


def test_exports_its_functions_only(pso_library):
    """Two libraries in one process share no name."""
    nm = shutil.which("llvm-nm-22") or "nm"
    text = subprocess.run([nm, "-D", "--defined-only", pso_library],
                          check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1] for line in text.splitlines()]
    assert "evox_get_api" in names
    assert [n for n in names if not n.endswith("_get_api")] == []


def bare(*command):
    """Runs without any environment: no PATH, no Python, no torch."""
    return subprocess.run([str(c) for c in command], env={}, check=True,
                          capture_output=True, text=True).stdout


def test_runs_without_python_and_torch(tools, pso_library):
    text = bare(tools / "evox-run", pso_library, "--seed", 42,
                "--call", "init_step", "--call", "step:10",
                "--print", "algorithm.global_best_fitness")
    assert re.match(r"algorithm\.global_best_fitness: float32 \[\] = \d", text)
    for name in needed(tools / "evox-run"):
        assert ALLOWED.search(name), f"evox-run needs {name}"


def test_c_host(pso_library, tmp_path):
    """The example in examples/c_host, built by hand against the header, gives
    the numbers that PyTorch gives."""
    host = tmp_path / "host"
    folder = pso_library.parent
    compiler = shutil.which("clang-22") or "cc"
    subprocess.run(
        [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1",
         f"-I{folder}", f"-I{ROOT / 'include'}",
         ROOT / "examples/c_host/pso_host.c", "-o", host, pso_library,
         f"-Wl,-rpath,{folder}"], check=True)
    lines = bare(host, 42, 20).split("\n")
    ours = [float(line.split()[1]) for line in lines if line.strip()]

    case = evox_cases.Case("PSO", "Ackley", pop=1024, dim=100)
    workflow = case.build()
    torch.manual_seed(42)
    theirs = []
    for generation in range(20):
        getattr(workflow, "step" if generation else "init_step")()
        theirs.append(float(evox_cases.torch_value(
            workflow, "algorithm.global_best_fitness")))
    assert len(ours) == 20
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs),
                               rtol=1e-3, atol=0)


def test_header_compiles_alone(pso_library, tmp_path):
    """As C and as C++, with every warning."""
    for suffix, compiler in ((".c", "clang-22"), (".cpp", "clang++-22")):
        source = tmp_path / f"only{suffix}"
        source.write_text('#include "pso.h"\nint main(void) { return 0; }\n')
        subprocess.run(
            [shutil.which(compiler) or compiler[:-3], "-Wall", "-Wextra",
             "-Werror", "-pedantic", "-fsyntax-only",
             f"-I{pso_library.parent}", f"-I{ROOT / 'include'}", source],
            check=True)


def processor_time(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(c) for c in command], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_compiles_fast(tools, pso_pt, tmp_path, record_property):
    """The best of three: other tests run beside this one."""
    source = tmp_path / "empty.ts"
    source.write_text("def forward(self, x: Tensor):\n    return x\n")
    compile_pso = [tools / "evox-compile", pso_pt, "-o", tmp_path / "a.so"]
    all_of_it = min(processor_time(compile_pso) for _ in range(3))
    # A program of nothing costs what LibTorch's start does, and a link.
    nothing = min(processor_time(
        [tools / "evox-import", source, "--input", "forward:float32[1]",
         "-o", os.devnull]) for _ in range(3))
    record_property(
        "figure", f"{all_of_it:.2f} s of processor time, of which LibTorch's "
        f"start {nothing:.2f} s")
    assert all_of_it < 2.0


def test_compiling_twice_gives_the_same_library(tools, pso_pt, tmp_path):
    outputs = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        library = tmp_path / folder / "libpso.so"
        subprocess.run([tools / "evox-compile", pso_pt, "-o", library],
                       check=True)
        outputs.append(library.read_bytes())
    assert outputs[0] == outputs[1]


def test_every_stage_prints(tools, pso_pt, tmp_path):
    expected = {"evox": b"evox.module", "linalg": b"linalg.generic",
                "llvm": b"define ", "asm": b".text", "obj": b"\x7fELF",
                "so": b"\x7fELF"}
    for stage, text in expected.items():
        output = tmp_path / f"out.{stage}"
        subprocess.run([tools / "evox-compile", pso_pt, f"--emit={stage}",
                        "-o", output], check=True)
        assert text in output.read_bytes(), stage


def test_import_then_compile(tools, pso_pt, pso_library, tmp_path):
    """The IR as a file in between gives the same program."""
    ir = tmp_path / "pso.mlir"
    subprocess.run([tools / "evox-import", pso_pt, "-o", ir], check=True)
    # Not --verify-roundtrip: it reads bytecode from where a blob that must be
    # aligned to 64 bytes may not be.
    again = tmp_path / "again.mlir"
    subprocess.run([tools / "evox-opt", ir, "-o", again], check=True)
    assert again.read_text().rstrip() == ir.read_text().rstrip()
    library = tmp_path / "libpso.so"
    subprocess.run([tools / "evox-compile", ir, "-o", library], check=True)
    commands = ["--seed", 7, "--call", "init_step", "--call", "step:5",
                "--print", "algorithm.population"]
    assert bare(tools / "evox-run", library, *commands) == \
        bare(tools / "evox-run", pso_library, *commands)


def test_other_processors(tools, pso_pt, tmp_path):
    """The numbers don't depend on the processor that a library is for, and one
    that needs more than there is says so before it runs."""
    def compiled(cpu):
        library = tmp_path / f"{cpu}.so"
        subprocess.run([tools / "evox-compile", pso_pt, f"--cpu={cpu}", "-o",
                        library], check=True, capture_output=True)
        return library

    def run(library):
        return subprocess.run(
            [tools / "evox-run", library, "--seed=1", "--call=init_step",
             "--call=step:5", "--print=algorithm.population"],
            capture_output=True, text=True)

    results = [run(compiled(cpu)) for cpu in ("native", "x86-64")]
    assert results[0].returncode == 0 and results[0].stdout
    assert results[0].stdout == results[1].stdout
    # Intel's of 2026, with 32 general registers.
    newer = compiled("diamondrapids")
    refused = run(newer)
    assert refused.returncode == 1
    assert "was compiled for a processor that has" in refused.stderr
    with pytest.raises(evox_mlir.LoadError, match="--cpu=x86-64-v3"):
        evox_mlir.load(newer)


def test_one_library_for_several_processors(tools, pso_pt, tmp_path):
    """Each variant gives the same numbers, and the state is there once."""
    one, several = tmp_path / "one.so", tmp_path / "several.so"
    cpus = ["x86-64", "native", "x86-64-v3"]
    for library, cpu in ((one, "native"), (several, ",".join(cpus))):
        subprocess.run([tools / "evox-compile", pso_pt, f"--cpu={cpu}",
                        "--name=pso", "-o", library], check=True)
    native = evox_mlir.load(one).variant
    program = evox_mlir.load(several)
    assert program.variant == native
    variants = [v["cpu"] for v in program.signature["variants"]]
    assert sorted(variants) == sorted(["x86-64", "x86-64-v3", native])
    assert variants[-1] == "x86-64" and program.signature["variants"][-1][
        "features"] == []
    state = sum(t.numel() * t.element_size() for t in all_state(one))
    sizes = [path.stat().st_size for path in (one, several)]
    assert sizes[1] - sizes[0] < state / 2

    def run(library, **environment):
        return subprocess.run(
            [tools / "evox-run", library, "--seed=1", "--call=init_step",
             "--call=step:20", "--print=algorithm.population", "--list"],
            env=environment, capture_output=True, text=True, check=True).stdout

    expected = run(one)
    assert f"compiled for {native}\n" in expected
    for cpu in variants:
        assert run(several, EVOX_CPU=cpu) == expected.replace(
            f"compiled for {native}", f"compiled for {cpu}")


def test_processors_from_python(tools, tmp_path, monkeypatch):
    class Double(torch.nn.Module):
        def forward(self, x):
            return x * 2

    monkeypatch.setenv("EVOX_CACHE_DIR", str(tmp_path))
    x = torch.arange(5.0)
    for cpu in (["x86-64-v3", "x86-64"], "x86-64-v3, x86-64"):
        program = evox_mlir.compile(Double(), (x,), cpu=cpu)
        assert program.signature["options"]["cpu"] == "x86-64-v3,x86-64"
        torch.testing.assert_close(program.forward(x), x * 2)
    with pytest.raises(evox_mlir.CompileError, match="no processor is named"):
        evox_mlir.compile(Double(), (x,), cpu=[])
    with pytest.raises(evox_mlir.CompileError, match="abacus"):
        evox_mlir.compile(Double(), (x,), cpu=("x86-64", "abacus"))


class BFloats(torch.nn.Module):
    def forward(self, x, y):
        z = x * y + x
        s = torch.sqrt(torch.abs(z)) + torch.exp(x) / torch.maximum(x, y)
        t = torch.where(x > y, s, z).sum(0) + torch.arange(5).to(x)
        tiny = x * 1e-20 * 1e-19
        return t, (x + 1.5) % 2.0, (x.double() * 1.1).to(x), -x, tiny, x.long()


def test_bfloat16_on_every_processor(tmp_path, monkeypatch):
    """Few have instructions for it, and the one of AVX-512 makes 0 of the
    smallest numbers."""
    torch.manual_seed(0)
    x, y = torch.randn(64, 5).bfloat16(), torch.randn(64, 5).bfloat16()
    x[3] = torch.tensor([1e-38, 3e38, -3.3e38, -1e-40, float("inf")])
    module = torch.jit.script(BFloats())
    cpus = ["x86-64", "x86-64-v3", "x86-64-v4", "native"]
    if platform.machine() != "x86_64":
        cpus = ["generic", "native"]
    program = evox_mlir.compile(module, (x, y), cpu=cpus)
    for variant in program.signature["variants"]:
        monkeypatch.setenv("EVOX_CPU", variant["cpu"])
        try:
            program = program.new_instance()
        except evox_mlir.LoadError:
            assert variant["cpu"] == "x86-64-v4"  # no machine of this test's
            continue
        assert program.variant == variant["cpu"]
        for ours, theirs in zip(program.forward(x, y), module(x, y)):
            assert torch.equal(ours.nan_to_num(7), theirs.nan_to_num(7))
            assert torch.equal(ours.isnan(), theirs.isnan())
