# worker.py - traces, compiles and runs samples
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A process of the conformance run. It gets entries of op_db and answers with
one verdict per sample:

    same         every bit is PyTorch's
    close        within the tolerance of its dtype
    near         about as near to the float64 result as PyTorch's float32 one
    wrong        other numbers, another structure, a crash, an internal error
    unsupported  the importer says what it lacks
    untraceable  torch.jit.trace, or PyTorch itself, refuses the sample

It says what it is about to do, so that the parent knows what it died of.
"""

import functools
import gc
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

BATCH = 64  # samples to a library
COMPILE_SECONDS = 180  # of the processor: others may be busy on the machine

_LEFT_OUT = re.compile(r"method '(\w+)' is left out: (.*)")
_PATHS = re.compile(r"(?:/[\w.+-]+)+/|\bloc\([^)]*\)|\"[^\"]*\.(?:pt|py)\"")


def main(pipe, limit=0):
    """Serves the tasks that come through `pipe` until there are none left."""
    import warnings

    import torch

    os.setpgrp()  # what it starts ends with it
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]
                           / "python"))
    torch.set_num_threads(1)
    while True:
        task = pipe.recv()
        if task is None:
            return
        try:
            run_task(task, limit, pipe.send)
        except Exception as error:  # the parent shows it, and goes on
            import traceback

            pipe.send(("error", f"{type(error).__name__}: {error}\n"
                       + traceback.format_exc()))
        pipe.send(("end",))
        gc.collect()


def run_task(task, limit, send):
    """[(entry, dtype, indices that are done)], several to a library."""
    import samples as S

    todo = []
    for name, dtype, skip in task:
        send(("doing", (name, dtype, -1), "making samples"))
        try:
            some = [s for s in S.samples(name, dtype) if s.index not in skip]
        except Exception as error:
            send(("done", (name, dtype, -1), "untraceable",
                  S.first_line(error)))
            continue
        if limit and len(some) > limit:
            some = some[::-(-len(some) // limit)]
        todo += some
    for start in range(0, len(todo), BATCH):
        run_batch(todo[start:start + BATCH], send)


def run_batch(todo, send):
    import samples as S

    batch = S.Batch()
    expected = {}
    for sample in todo:
        send(("doing", sample.key, "tracing"))
        try:
            result = sample.eager()
            expected[batch.add(sample)] = result
        except Exception as error:  # PyTorch's own, or the tracer's
            send(("done", sample.key, "untraceable", S.first_line(error)))
    if not expected:
        return
    send(("doing", todo[0].key, "compiling"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="evox-conformance-"))
    try:
        batch.save(folder / "batch.pt")
        methods = list(expected)
        types = {m: s.types() for m, s in batch.samples.items()}
        for library, some, failures in compile_methods(
                folder / "batch.pt", methods, types, folder):
            for method, (verdict, text) in failures.items():
                send(("done", batch.samples[method].key, verdict, text))
            if library:
                run_library(library, batch, some, expected, send)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- compiling ---------------------------------------------------------------


def compile_methods(path, methods, types, folder):
    """Compiles many methods of a file into as few libraries as will do.

    Yields (library or None, its methods, {method: (verdict, text)}). A batch that
    fails as a whole is halved until the guilty one is found.
    """
    work = [methods]
    while work:
        some = work.pop(0)
        library = folder / f"lib{some[0]}_{len(some)}.so"
        flags = [str(path), *options()]
        for method in some:
            flags += [f"--method={method}", f"--input={method}:{types[method]}"]
        code, text = execute("evox-compile", flags + ["-o", str(library)])
        failures = {}
        for line in text.splitlines():
            if match := _LEFT_OUT.search(line):
                failures[match[1]] = "unsupported", tidy(match[2])
        rest = [m for m in some if m not in failures]
        if code == 0:
            yield library, rest, failures
        elif not rest:
            yield None, [], failures
        elif len(rest) == 1:
            failures[rest[0]] = "wrong", f"does not compile: {reason(code, text)}"
            if code == 1 and execute("evox-import", flags)[0] == 1:
                failures[rest[0]] = "unsupported", reason(code, text)
            yield None, [], failures
        else:
            yield None, [], failures
            half = len(rest) // 2
            work[:0] = [rest[:half], rest[half:]]


@functools.cache
def options():
    text = subprocess.run([tool("evox-compile"), "--help"],
                          capture_output=True, text=True).stdout
    assert "--keep-going" in text
    # LLVM's share of the time is the largest, and the numbers are the same.
    return ["--keep-going"] + (["-O1"] if " -O" in text else [])


def execute(name, flags):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU,
                           (COMPILE_SECONDS, COMPILE_SECONDS))

    done = subprocess.run([str(tool(name)), *flags], capture_output=True,
                          text=True, errors="replace", preexec_fn=limit)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None, f"takes more than {COMPILE_SECONDS} s"
    return done.returncode, done.stderr


def reason(code, text):
    errors = [line for line in text.splitlines() if "error:" in line]
    if code is None:
        return text
    if code < 0 or code >= 128:
        crash = next((line for line in text.splitlines()
                      if "Assertion" in line or "LLVM ERROR" in line), "")
        return f"crash, status {code} {crash}".strip()
    return tidy(errors[0] if errors else text.strip()[:300])


def tidy(text):
    text = _PATHS.sub("", text)
    text = text.split("error: ", 1)[-1]
    return text.strip()[:300]


def tool(name):
    folder = os.environ.get("EVOX_TOOLS_DIR")
    root = pathlib.Path(__file__).resolve().parents[2]
    return pathlib.Path(folder) / name if folder else root / "build/bin" / name


# --- running -----------------------------------------------------------------


def run_library(path, batch, methods, expected, send):
    import evox_mlir
    import samples as S

    try:
        program = evox_mlir.load(path)
    except evox_mlir.Error as error:
        for method in methods:
            send(("done", batch.samples[method].key, "wrong",
                  f"does not load: {error}"))
        return
    for method in methods:
        sample = batch.samples[method]
        send(("doing", sample.key, "running"))
        program.seed(S.SEED)
        try:
            got = program.call(method, *sample.tensors)
        except Exception as error:
            send(("done", sample.key, "wrong",
                  f"at run time: {S.first_line(error)}"))
            continue
        text, grade = S.compare(sample, expected[method], got)
        if text:
            send(("done", sample.key, "wrong",
                  f"{text} | {sample.describe()}"[:400]))
        else:
            send(("done", sample.key, grade, ""))
