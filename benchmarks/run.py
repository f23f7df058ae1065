# run.py - time per generation, beside TorchScript
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    make benchmark

One thread each. Rounds of both alternate, so that what else the machine does
hits both; the least of the rounds counts."""

import pathlib
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
sys.path.insert(0, str(ROOT / "python"))

import evox_cases  # noqa: E402
from evox_cases import Case  # noqa: E402

ALGORITHMS = ["PSO", "CSO", "OpenES", "SNES", "DE"]
PROBLEMS = ["Ackley", "Sphere"]
SIZES = [(100, 20), (1024, 100), (10_000, 100)]
ROUNDS, SECONDS = 5, 0.3


def timed(function, n):
    start = time.perf_counter()
    function(n)
    return time.perf_counter() - start


def measure(case):
    """Microseconds per generation: compiled, and TorchScript."""
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    step = workflow.step

    def with_torch(n):
        for _ in range(n):
            step()

    def compiled(n):
        program.run("step", n)

    program.seed(1)
    program.init_step()
    workflow.init_step()
    best = []
    counts = []
    for function in (compiled, with_torch):
        function(3)  # the first ones compile and allocate
        counts.append(max(1, int(SECONDS / max(timed(function, 3) / 3, 1e-9))))
        best.append(float("inf"))
    for _ in range(ROUNDS):
        for i, function in enumerate((compiled, with_torch)):
            best[i] = min(best[i], timed(function, counts[i]) / counts[i])
    return [1e6 * seconds for seconds in best]


def main():
    torch.set_num_threads(1)
    print(f"{'':28} {'evox-mlir':>12} {'TorchScript':>12} {'ratio':>7}")
    for algorithm in ALGORITHMS:
        for problem in PROBLEMS:
            for pop, dim in SIZES:
                case = Case(algorithm, problem, pop=pop, dim=dim)
                ours, theirs = measure(case)
                print(f"{algorithm + ' ' + problem:14} "
                      f"{f'{pop} x {dim}':>13} {ours:9.1f} us "
                      f"{theirs:9.1f} us {theirs / ours:6.1f}x", flush=True)


if __name__ == "__main__":
    main()
