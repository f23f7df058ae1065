# test_aarch64.py - programs for another processor, run in QEMU
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`make check-aarch64`: what evox-compile makes with --triple, beside the same
program for this machine and beside PyTorch on it."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import torch

import evox_cases

FOLDER = pathlib.Path(os.environ.get("EVOX_AARCH64_DIR", "/nowhere"))
SYSROOT = pathlib.Path(os.environ.get("EVOX_AARCH64_SYSROOT", "/nowhere"))
QEMU = shutil.which("qemu-aarch64")
if not (QEMU and FOLDER.exists() and SYSROOT.exists()):
    pytest.skip("make check-aarch64 runs these", allow_module_level=True)
TOOLS = pathlib.Path(os.environ["EVOX_TOOLS_DIR"])
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
          "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32,
          "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
          "BOOL": torch.bool}


def qemu(command, cpu="cortex-a72", **environment):
    return subprocess.run(
        [QEMU, "-cpu", cpu, "-L", SYSROOT, *map(str, command)],
        env={**os.environ, **environment}, capture_output=True, text=True)


def read(path):
    """The tensors of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]) or bytearray(8),
                                dtype=DTYPES[entry["dtype"]])
        count = torch.Size(entry["shape"]).numel()
        tensors[name] = flat[:count].reshape(entry["shape"])
    return tensors


class Both:
    """A module for this machine and for the other one."""

    def __init__(self, module, folder, *flags, cpu="generic"):
        self.folder = folder
        path = folder / "module.pt"
        torch.jit.save(getattr(module, "__jit_module__", module), str(path))
        self.here, self.there = folder / "here.so", folder / "there.so"
        for library, more in (
                (self.here, ()),
                (self.there, ("--triple=aarch64-linux-gnu", f"--cpu={cpu}",
                              f"--sysroot={SYSROOT}"))):
            subprocess.run([TOOLS / "evox-compile", path, "-o", library,
                            *flags, *more], check=True)

    def run(self, *calls, threads=1, cpu="cortex-a72", **environment):
        """The states after the calls: here, there."""
        states = []
        for where, library in (("here", self.here), ("there", self.there)):
            saved = self.folder / f"{where}.safetensors"
            command = [library, "--seed", 42, "--threads", threads,
                       *(f"--call={call}" for call in calls), "--save", saved]
            if where == "there":
                done = qemu([FOLDER / "evox-run", *command], cpu, **environment)
                assert done.returncode == 0, done.stderr
            else:
                subprocess.run([TOOLS / "evox-run", *map(str, command)],
                               check=True)
            states.append(read(saved))
        return states


def differing(here, there):
    assert here.keys() == there.keys()
    return [name for name in here
            if not torch.equal(evox_cases.bits(here[name]),
                               evox_cases.bits(there[name]))]


def test_runtime_library():
    """Its C++ tests."""
    done = qemu([FOLDER / "evox_runtime_tests_aarch64", "--gtest_brief=1"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout


class Draws(torch.nn.Module):
    """Each kind, in the sizes at which the kernels change."""

    def __init__(self):
        super().__init__()
        self.uniform = torch.zeros(3, 2049)
        self.few = torch.zeros(7)
        self.in_double = torch.zeros(1001, dtype=torch.float64)
        self.normal = torch.zeros(5003)
        self.few_normal = torch.zeros(13)
        self.normal_double = torch.zeros(777, dtype=torch.float64)
        self.in_half = torch.zeros(100, dtype=torch.float16)
        self.in_bfloat = torch.zeros(100, dtype=torch.bfloat16)
        self.integers = torch.zeros(999, dtype=torch.int64)
        self.large = torch.zeros(99, dtype=torch.int64)
        self.permutation = torch.zeros(1000, dtype=torch.int64)
        self.exponential = torch.zeros(100)

    @torch.jit.export
    def step(self):
        self.uniform = torch.rand(3, 2049)
        self.few = torch.rand(7)
        self.in_double = torch.rand(1001, dtype=torch.float64)
        self.normal = torch.randn(5003)
        self.few_normal = torch.randn(13)
        self.normal_double = torch.randn(777, dtype=torch.float64)
        self.in_half = torch.rand(100, dtype=torch.float16)
        self.in_bfloat = torch.randn(100, dtype=torch.bfloat16)
        self.integers = torch.randint(-5, 1000, (999,))
        self.large = torch.randint(0, 1099511627776, (99,))
        self.permutation = torch.randperm(1000)
        self.exponential = torch.empty(100).exponential_(1.5)


def buffers(cls):
    """Its tensors as buffers: state that is saved."""
    module = cls()
    for name, value in list(vars(module).items()):
        if isinstance(value, torch.Tensor):
            delattr(module, name)
            module.register_buffer(name, value)
    return torch.jit.script(module)


@pytest.mark.parametrize("rng", ["torch", "philox"])
def test_draws(tmp_path, rng):
    """Philox's bits are this machine's, PyTorch's generator gives PyTorch's."""
    module = buffers(Draws)
    both = Both(module, tmp_path, "--method=step", f"--rng={rng}")
    here, there = both.run("step:3")
    assert differing(here, there) == []
    if rng == "philox":
        return
    torch.manual_seed(42)
    for _ in range(3):
        module.step()
    for name, value in module.named_buffers():
        if name == "exponential":  # of MKL on Intel's processors
            continue
        rtol, atol = (1e-5, 1e-6) if "normal" in name else (0, 0)
        torch.testing.assert_close(there[name], value, rtol=rtol, atol=atol)
    assert torch.equal(there["__generator__"], torch.get_rng_state())


class Kernels(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.x = torch.randn(37, 53)
        self.a = torch.randn(40, 40, dtype=torch.float64)
        self.i = torch.randint(0, 37, (100,))
        self.ties = torch.randint(0, 5, (1000,)).float()
        self.sorted = torch.zeros(37, 53)
        self.order = torch.zeros(1000, dtype=torch.int64)
        self.best = torch.zeros(37, 9)
        self.cumulative = torch.zeros(37, 53)
        self.product = torch.zeros(37, 37)
        self.taken = torch.zeros(100, 53)
        self.added = torch.zeros(37)
        self.where = torch.zeros(0, 1, dtype=torch.int64)
        self.reduced = torch.zeros(37)
        self.functions = torch.zeros(37, 53)
        self.angles = torch.zeros(40, 40, dtype=torch.float64)
        self.whole = torch.zeros(37, 53, dtype=torch.int32)
        self.in_half = torch.zeros(37, 53, dtype=torch.float16)
        self.in_bfloat = torch.zeros(37, 53, dtype=torch.bfloat16)

    @torch.jit.export
    def step(self):
        x = self.x
        self.sorted = torch.sort(x, 1)[0]
        self.order = torch.argsort(self.ties, stable=True)
        self.best = torch.topk(x, 9, 1)[0]
        self.cumulative = torch.cumsum(x, 0)
        self.product = x @ x.T
        self.taken = x[self.i]
        self.added = torch.zeros(37).index_add(0, self.i, torch.ones(100))
        self.where = torch.nonzero(self.ties == 3)
        self.reduced = x.sum(1) + x.amax(1) + x.std(1)
        self.functions = torch.exp(x) * torch.sin(9 * x) + torch.tanh(x) \
            + torch.log1p(x * x)
        self.angles = torch.cos(100 * self.a) + torch.atan(self.a)
        self.whole = (10 * x).to(torch.int32) // 3 + (10 * x).round().to(
            torch.int32) % 7
        self.in_half = x.half() * 3 + 1
        self.in_bfloat = x.to(torch.bfloat16) * 3 + 1


@pytest.mark.parametrize("threads", [1, 3])
def test_kernels(tmp_path, threads):
    module = buffers(Kernels)
    here, there = Both(module, tmp_path, "--method=step").run(
        "step", threads=threads)
    # The products are of tiles of another size.
    assert set(differing(here, there)) <= {"product"}
    module.step()
    for name, value in module.named_buffers():
        torch.testing.assert_close(there[name], value)


class Factors(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        a = torch.randn(60, 60)
        self.a = a @ a.T + 60 * torch.eye(60)
        self.b = torch.randn(60, 3)
        self.values = torch.zeros(60)
        self.again = torch.zeros(60, 60)
        self.cholesky = torch.zeros(60, 60)
        self.solved = torch.zeros(60, 3)
        self.inverse = torch.zeros(60, 60)
        self.singular = torch.zeros(60)
        self.orthogonal = torch.zeros(60, 60)

    @torch.jit.export
    def step(self):
        self.values, v = torch.linalg.eigh(self.a)
        self.again = v @ torch.diag(self.values) @ v.T
        self.cholesky = torch.linalg.cholesky(self.a)
        self.solved = torch.linalg.solve(self.a, self.b)
        self.inverse = torch.linalg.inv(self.a)
        self.singular = torch.linalg.svdvals(self.a)
        q, r = torch.linalg.qr(self.a)
        self.orthogonal = q @ r


def test_factorisations(tmp_path):
    """LAPACK of that machine's packages, linked into the library."""
    module = buffers(Factors)
    _, there = Both(module, tmp_path, "--method=step").run("step", threads=2)
    module.step()
    for name, value in module.named_buffers():
        torch.testing.assert_close(there[name], value, rtol=1e-4, atol=1e-3)


CASES = [evox_cases.Case("PSO", "Ackley", pop=1024, dim=100),
         evox_cases.Case("PSO", "Rastrigin", "float64", pop=50, dim=11),
         evox_cases.Case("DE", "Griewank", pop=100, dim=20),
         evox_cases.Case("NSGA2", "DTLZ2", pop=100, dim=12),
         evox_cases.Case("OpenES", "Sphere", pop=64, dim=30),
         evox_cases.Case("CMAES", "Ackley", pop=32, dim=20)]
# What is open: the sign of an eigenvector.
OPEN = ("algorithm.B", "algorithm.D", "algorithm.C_invsqrt")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("rng", ["torch", "philox"])
def test_workflow(case, rng, tmp_path, record_property):
    """30 generations: this machine's bits where no matrices are multiplied; and
    after a few PyTorch's state."""
    workflow = case.build()
    both = Both(workflow, tmp_path, "--method=init_step", "--method=step",
                f"--rng={rng}",
                f"--default-dtype={case.dtype}")
    here, there = both.run("init_step", "step:30", threads=2)
    names = differing(here, there)
    record_property("figure", f"{len(here) - len(names)} of {len(here)} pieces "
                              "of state are bit-identical")
    if case.algorithm not in ("CMAES", "OpenES"):
        assert names == []
    assert "__generator__" not in names
    if rng == "philox":
        return
    steps = 3
    _, there = both.run("init_step", f"step:{steps}")
    torch.manual_seed(42)
    with evox_cases.default_dtype(case.dtype):
        workflow.init_step()
        for _ in range(steps):
            workflow.step()
    theirs = evox_cases.torch_state(
        workflow, [name for name in there if name != "__generator__"
                   and not name.startswith("__")])
    for name, value in theirs.items():
        if name not in OPEN:
            evox_cases.compare(name, there[name], value, evox_cases.Tally(),
                               factor=100)
    assert torch.equal(there["__generator__"], torch.get_rng_state())


def test_variants(tmp_path):
    """The processor has its part of the library, with the same numbers."""
    module = buffers(Kernels)
    both = Both(module, tmp_path, "--method=step",
                cpu="generic,neoverse-n1,a64fx")
    states = {}
    for cpu, expected in (("cortex-a72", "generic"),
                          ("neoverse-n1", "neoverse-n1"), ("a64fx", "a64fx")):
        listed = qemu([FOLDER / "evox-run", both.there, "--list"], cpu)
        assert f"compiled for {expected}\n" in listed.stdout, listed.stderr
        states[expected] = both.run("step", cpu=cpu)[1]
    for name in ("neoverse-n1", "a64fx"):
        assert differing(states["generic"], states[name]) == []
    refused = qemu([FOLDER / "evox-run", both.there, "--list"],
                   EVOX_CPU="a64fx")
    assert refused.returncode == 1
    assert "EVOX_CPU is a64fx, but this processor lacks" in refused.stderr
    assert "sve" in refused.stderr


def test_without_a_sysroot(tmp_path):
    """Debian's C library for cross-compilers is found by itself."""
    module = buffers(Draws)
    path = tmp_path / "module.pt"
    torch.jit.save(module, str(path))
    library = tmp_path / "there.so"
    subprocess.run([TOOLS / "evox-compile", path, "--method=step", "-o",
                    library, "--triple=aarch64-linux-gnu"], check=True)
    done = qemu([FOLDER / "evox-run", library, "--list"])
    assert "compiled for generic" in done.stdout, done.stderr
