# contestants.py - who is timed, each in a process of its own
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A contestant's process says `ready MS IDLE_KB` after its first generation:
milliseconds since it began, and the memory that it had before it built the
workload. Those in Python then say `note TEXT`, once they have made what choices
they have. Then they answer lines of run.py's: `run THREADS N` with the seconds
that N generations took, `memory` with the most memory they ever had, in kB.

A process of its own: so nobody's threads, allocator or crash is another's, the
peak of memory is its own, and the time to the first generation is one from
nothing."""

import os
import pathlib
import selectors
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Failed(Exception):
    """A contestant that cannot go on; the message says why, in a line."""


class Contestant:
    """`turns` maps a name in the results to a number of threads."""

    def __init__(self, name, command, turns, env=None, talks=False,
                 limit=150.0):
        self.name, self.command, self.turns = name, command, turns
        self.env = {**os.environ, **(env or {})}
        self.talks = talks  # says a note
        self.limit = limit
        self.process = self.failure = None
        self.note = ""
        self.first_ms = self.process_ms = self.idle_kb = self.peak_kb = None

    def start(self):
        """Until its first generation is done."""
        self.errors = tempfile.TemporaryFile("w+")
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [str(word) for word in self.command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, env=self.env)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.buffer = b""
        words = self.line(self.limit).split()
        if len(words) != 3 or words[0] != "ready":
            raise self.failed(f"said {' '.join(words)!r}")
        # Python starts before it can look at the clock.
        self.first_ms = float(words[1])
        self.process_ms = 1e3 * (time.perf_counter() - begin)
        self.idle_kb = int(words[2])

    def settle(self):
        """Lets it make its choices, on a machine that is its own."""
        if self.talks:
            self.write("settle")
            self.note = self.line(self.limit).removeprefix("note").strip()

    def run(self, threads, n):
        return float(self.ask(f"run {threads} {n}", 120.0))

    def memory(self):
        self.peak_kb = int(self.ask("memory", 20.0))

    def close(self):
        if self.process is None:
            return
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    # --- the talk ---

    def write(self, text):
        try:
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self.failed("has ended") from None

    def ask(self, text, limit):
        self.write(text)
        answer = self.line(limit)
        if answer == "?":
            raise self.failed(f"does not know {text!r}")
        return answer

    def line(self, limit):
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                left = end - time.monotonic()
                if left <= 0:
                    self.process.kill()
                    raise self.failed(f"took more than {limit:.0f} s")
                if not selector.select(left):
                    continue
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    self.process.wait()
                    raise self.failed("has ended")
                self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def failed(self, what):
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().splitlines()
                 if line.strip() and not line.startswith("W")]
        # Of a traceback the last line that names an error.
        named = [line for line in lines if "Error" in line.split(":")[0]]
        why = (named or lines or [""])[-1]
        return Failed(f"{what}: {why}" if why else what)


# --- who there is ------------------------------------------------------------

# The groups that --contestants names.
GROUPS = ("evox", "eager", "compile", "jax", "evosax", "cpp")

# The columns, in order; ours come after.
RIVALS = ("TorchScript", "eager", "torch.compile", "JAX", "evosax",
          "C++ xoshiro", "C++ philox", "C++ MT19937")
ONE = ", 1 thread"


def ours(workload, library, rng, threads, host):
    first, step = workload.entries
    turns = {f"ours {rng}{ONE}": 1}
    if threads > 1:
        turns[f"ours {rng}, {threads} threads"] = threads
    return Contestant(f"ours {rng}",
                      [host, library, first or "-", step, "1"], turns)


def references(workload, threads, program):
    if not program or not workload.cpp:
        return
    if workload.kind == "vmap":
        n, d, swarms = (workload.sizes[k] for k in ("pop", "dim", "swarms"))
        problem = "ackley"
    else:
        n, d, swarms = workload.case["pop"], workload.case["dim"], 1
        problem = workload.case["problem"].lower()
    for generator, title in (("xoshiro", "xoshiro"), ("philox", "philox"),
                             ("mt19937", "MT19937")):
        for count in sorted({1, threads}):
            if workload.large and count != threads:
                continue
            name = f"C++ {title}" + (ONE if count == 1 < threads else "")
            yield Contestant(name, [
                program, n, d, swarms, problem, workload.dtype, generator,
                count, "1", "-"], {name: count})


def from_python(workload, threads, groups, folder, jax_python, record):
    """Those that take seconds to start. `record` is for those in JAX to check
    themselves with."""
    import json

    def torch_one(how, title):
        turns = {title: threads}
        if threads > 1 and not workload.large:
            turns[title + ONE] = 1
        env = {"OMP_NUM_THREADS": str(threads)}
        if how == "compile":
            # Cold: nothing of an earlier run.
            env["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(dir=folder)
            env["TORCH_LOGS"] = "-all"
        return Contestant(title, [
            sys.executable, "-W", "ignore", HERE / "worker_torch.py",
            workload.slug, how], turns, env, talks=True)

    def jax_one(title, one_thread=False, evosax=None):
        maker, args = workload.jax
        task = dict(maker=maker, args=args, dtype=workload.dtype,
                    large=workload.large, evosax=evosax,
                    record=None if evosax else record)
        if one_thread:
            task["affinity"] = 1
        env = {"JAX_PLATFORMS": "cpu"}
        return Contestant(title, [jax_python, HERE / "worker_jax.py",
                                  json.dumps(task)], {title: threads}, env,
                          talks=True)

    if "compile" in groups and workload.torch_compile:
        yield torch_one("compile", "torch.compile")
    if "evox" in groups:
        yield torch_one("torchscript", "TorchScript")
    if "eager" in groups and not workload.large:
        yield torch_one("eager", "eager")
    if "jax" in groups and jax_python and workload.jax:
        yield jax_one("JAX")
        if workload.jax_one_thread and threads > 1:
            yield jax_one("JAX" + ONE, one_thread=True)
    if "evosax" in groups and jax_python and workload.evosax:
        yield jax_one("evosax", evosax=workload.evosax)
