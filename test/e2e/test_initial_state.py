# test_initial_state.py - how initial values come into a library
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""They may be gigabytes, so they are written once: no copy lies in a temporary
file, equal ones share their place, and what is one number throughout has none."""

import os
import resource
import shutil
import signal
import subprocess

import pytest
import torch

import evox_mlir

ROWS = 4096  # by 64 floats: a megabyte
SIZE = 4 * 64 * ROWS


class States(torch.nn.Module):
    """Values in every form: each is as it was, whatever way it took."""

    def __init__(self):
        super().__init__()
        x = torch.rand(ROWS, 64)
        values = {
            "x": x, "same": x.clone(), "view": x, "other": torch.rand(ROWS, 64),
            "zeros": torch.zeros(ROWS, 64), "ones": torch.ones(ROWS, 64),
            "negative_zeros": torch.full((ROWS, 64), -0.0),
            "nans": torch.full((ROWS, 64), float("nan")),
            "true": torch.ones(ROWS, 64, dtype=torch.bool),
            "flags": torch.rand(ROWS, 64) < 0.5,
            "five": torch.full((3,), 5.0, dtype=torch.float64),
            "bytes": torch.full((1_000_003,), 7, dtype=torch.uint8),
            "halves": torch.full((1001,), 0.1, dtype=torch.float16),
            "almost": torch.cat([torch.ones(9999), torch.zeros(1)]),
            # Two windows of one storage, and one that is not contiguous.
            "first": x[:100], "later": x[100:], "turned": torch.rand(64, ROWS).t(),
            "empty": torch.empty(0, 5)}
        for name, value in values.items():
            self.register_buffer(name, value)

    @torch.jit.export
    def step(self):
        self.x = self.x + self.ones

    def forward(self):
        self.step()


class Prepared(torch.nn.Module):
    """Code of its own runs when it is loaded, and looks at the values."""

    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.rand(ROWS, 64))
        self.total = 0.0

    @torch.jit.export
    def __getstate__(self):
        return self.x, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.x = state[0]
        self.training = state[1]
        self.total = float(state[0].sum())

    @torch.jit.export
    def step(self):
        return self.x.sum() - self.total

    def forward(self):
        return self.step()


def test_values_are_as_they_were():
    module = States()
    program = evox_mlir.compile(torch.jit.script(module), methods=["step"])
    for name, tensor in module.named_buffers():
        ours = torch.as_tensor(program.get(name))
        assert ours.dtype == tensor.dtype and ours.shape == tensor.shape, name
        assert ours.numpy().tobytes() == tensor.contiguous().numpy().tobytes(), name
    program.step()
    assert torch.equal(torch.as_tensor(program.get("x")), module.x + 1)
    # What shares its place in the file is not shared.
    assert torch.equal(torch.as_tensor(program.get("same")), module.x)


def test_code_that_runs_on_loading():
    module = Prepared()
    program = evox_mlir.compile(torch.jit.script(module), methods=["step"])
    assert abs(float(program.step())) < 1e-2 * float(module.x.sum())
    assert torch.equal(torch.as_tensor(program.get("x")), module.x)


@pytest.fixture(scope="module")
def states(tools, tmp_path_factory):
    """A folder with a library of States, and how much was written for it."""
    folder = tmp_path_factory.mktemp("states")
    module = States()
    torch.jit.save(torch.jit.script(module), str(folder / "states.pt"))
    torch.save(dict(module.named_buffers()), folder / "values")
    process = subprocess.Popen(
        [tools / "evox-compile", folder / "states.pt", "--method=step",
         "-o", folder / "libstates.so"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    folder.joinpath("written").write_text(str(512 * usage.ru_oublock))
    return folder


def test_equal_values_are_there_once(states):
    # x, all but its first rows, other, turned, flags; the rest is small.
    some = 4 * SIZE + SIZE // 4
    assert some < (states / "libstates.so").stat().st_size < some + 300_000


def test_is_written_once(states):
    """The linker's processes count too, and files that are gone."""
    written = int((states / "written").read_text())
    if not written:
        pytest.skip("this file system does not count what is written")
    size = (states / "libstates.so").stat().st_size
    assert size / 2 < written < 1.5 * size


def check(library, states):
    program = evox_mlir.load(library)
    for name, tensor in torch.load(states / "values").items():
        ours = torch.as_tensor(program.get(name))
        assert ours.numpy().tobytes() == tensor.contiguous().numpy().tobytes(), name


@pytest.mark.parametrize("tool", ["strip", "llvm-strip-22"])
def test_survives_strip(tool, states, tmp_path):
    if not shutil.which(tool):
        pytest.skip(f"no {tool}")
    subprocess.run([tool, "-o", tmp_path / "stripped.so",
                    states / "libstates.so"], check=True)
    check(tmp_path / "stripped.so", states)


def test_object_has_them_too(tools, states, tmp_path):
    """And is linked by who wants to link it himself."""
    cc = shutil.which("cc")
    if not cc:
        pytest.skip("no C compiler")
    with open(tmp_path / "states.o", "wb") as file:  # not a file to rename
        subprocess.run([tools / "evox-compile", states / "states.pt",
                        "--method=step", "--emit=obj", "-o", "-"],
                       stdout=file, check=True)
    subprocess.run([cc, "-shared", "-o", tmp_path / "states.so",
                    tmp_path / "states.o", "-Wl,--gc-sections",
                    tools.parent / "lib" / "libEvoxRuntime.a", "-lm"], check=True)
    check(tmp_path / "states.so", states)


def test_pages_cannot_be_written(states):
    """They are the file's own, shared by all processes that have it open."""
    check(states / "libstates.so", states)
    with open("/proc/self/maps") as file:
        maps = [line.split() for line in file if "libstates.so" in line]
    sizes = {}
    for addresses, permissions, *_ in maps:
        first, last = (int(part, 16) for part in addresses.split("-"))
        sizes[permissions] = sizes.get(permissions, 0) + last - first
    assert sizes["r--p"] > 3 * SIZE
    assert sizes.get("rw-p", 0) < 1 << 20


def test_no_room(tools, states, tmp_path):
    """An error, and nothing is left behind."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * SIZE, 2 * SIZE))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [tools / "evox-compile", states / "states.pt", "--method=step",
         "-o", tmp_path / "libstates.so"],
        capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    assert "initial state" in done.stderr and "cannot be written" in done.stderr
    assert list(tmp_path.iterdir()) == []
