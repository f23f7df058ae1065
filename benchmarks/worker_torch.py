# worker_torch.py - EvoX itself, a process of its own
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    worker_torch.py WORKLOAD torchscript|eager|compile

Speaks with run.py as contestants.py says."""

import sys
import time

START = time.perf_counter()

from worker import Talk, memory_kb  # noqa: E402

talk = Talk()

import torch  # noqa: E402

import programs  # noqa: E402
import torch_algorithms  # noqa: E402
import workloads  # noqa: E402

IDLE = memory_kb("VmRSS")


def repeated(step, dtype):
    def run(threads, n):
        torch.set_num_threads(threads)
        with programs.evox_cases.default_dtype(dtype):
            start = time.perf_counter()
            for _ in range(n):
                step()
            return time.perf_counter() - start
    return run


def ready():
    talk.ready(time.perf_counter() - START, IDLE)


class Compiled:
    """torch.compile with the better of its two ways of drawing. prepare.py has
    checked what is compiled."""

    def __init__(self, workload):
        self.workload = workload
        self.run = self.made(False)
        ready()
        if not workload.large:
            self.run = self.made(True)

    def made(self, fallback):
        import torch._inductor.config as config

        torch._dynamo.reset()
        config.fallback_random = fallback
        maker, args = self.workload.jax
        step = torch_algorithms.generations(
            torch_algorithms.MAKERS[maker](**args),
            lambda f: torch.compile(f, fullgraph=True))
        run = repeated(step, self.workload.dtype)
        # The kernels are made for a number of threads.
        for threads in {1, torch.get_num_threads()}:
            run(threads, 1)
        return run

    def settle(self):
        """What was compiled once comes from torch.compile's cache."""
        if self.workload.large:
            return "its own draws"
        evox = cost(self.run)
        self.run = self.made(False)
        if cost(self.run) <= evox:
            return "its own draws"
        self.run = self.made(True)
        return "PyTorch's draws"

    def __call__(self, threads, n):
        return self.run(threads, n)


def cost(run):
    threads = torch.get_num_threads()
    run(threads, 2)
    n = max(1, min(50, int(0.05 / max(run(threads, 1), 1e-6))))
    return min(run(threads, n) / n for _ in range(3))


def main():
    workload = workloads.find(sys.argv[1])
    how = sys.argv[2]
    torch.manual_seed(1)
    if how == "compile":
        contestant = Compiled(workload)
        talk.serve(contestant, contestant.settle)
        return
    step = programs.script_step(workload) if how == "torchscript" else \
        programs.eager_step(workload)
    run = repeated(step, workload.dtype)
    run(torch.get_num_threads(), 1)
    ready()
    if not workload.large:
        run(torch.get_num_threads(), 2)  # TorchScript's first ones optimize
    talk.serve(run)


main()
