# test_memory.py - an instance holds its state once
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Initial values come from the library's file, whose pages must not stay in
memory beside the state, and what a generation draws never is there whole."""

import subprocess
import sys

import torch

import evox_mlir

# Runs generations of the library in a process without torch.
PROGRAM = """
import sys
import evox_mlir
def peak(): # getrusage's would be that of the process this one came from
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])
before = peak()
program = evox_mlir.load(sys.argv[1])
program.run("step", 3)
print(peak() - before)
"""


class Walk(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("x", torch.rand(65536, 128))

    @torch.jit.export
    def step(self):
        r = torch.rand(65536, 128)
        self.x = self.x + 0.1 * (r - 0.5) * torch.rand(65536, 128)

    def forward(self):
        self.step()


def test_state_is_held_once():
    walk = Walk()
    program = evox_mlir.compile(torch.jit.script(walk), methods=["step"])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, program.library.path],
        check=True, capture_output=True, text=True)
    state = walk.x.numel() * walk.x.element_size()
    assert state < int(done.stdout) < 1.5 * state


class Several(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for i in range(5):
            self.register_buffer(f"x{i}", torch.rand(2048, 128))

    @torch.jit.export
    def step(self):
        self.x0 = self.x0 + self.x1 + self.x2 + self.x3 + self.x4
        self.x1 = self.x0 - self.x1

    def forward(self):
        self.step()


# Each of a megabyte.
def test_a_small_state_is_held_once():
    program = evox_mlir.compile(torch.jit.script(Several()), methods=["step"])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, program.library.path],
        check=True, capture_output=True, text=True)
    state = 5 * 2048 * 128 * 4
    assert state < int(done.stdout) < 1.5 * state


def test_initial_values_are_there_again():
    walk = Walk()
    program = evox_mlir.compile(torch.jit.script(walk), methods=["step"])
    first = program.new_instance()
    assert torch.equal(torch.as_tensor(first.get("x")), walk.x)
    first.run("step", 1)
    first.reset()
    assert torch.equal(torch.as_tensor(first.get("x")), walk.x)
