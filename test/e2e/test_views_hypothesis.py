# test_views_hypothesis.py - in-place writes through views, by generated cases
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hypothesis writes programs; PyTorch says what they do, to the last bit.

Many programs share a library. So Hypothesis first only writes programs, then
all are compiled and judged, and if one is wrong Hypothesis writes the same
ones again, meets it, and shrinks it.

EVOX_VIEW_CASES sets how many programs there are, EVOX_VIEW_SEED which ones.
"""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

import evox_mlir
import view_programs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "conformance"))
import worker  # noqa: E402

CASES = int(os.environ.get("EVOX_VIEW_CASES", "60"))
SEED = os.environ.get("EVOX_VIEW_SEED")
BATCH = 40

pytestmark = pytest.mark.filterwarnings("ignore")


class Verdicts:
    """What became of each program, by its text."""

    def __init__(self):
        self.known = {}

    def judge(self, bodies):
        new = [b for b in dict.fromkeys(bodies) if b not in self.known]
        for start in range(0, len(new), BATCH):
            self._judge_batch(new[start:start + BATCH])

    def _judge_batch(self, bodies):
        # Of a class of its own: each method is defined once in a class.
        module = torch.jit._recursive.create_script_module(
            torch.nn.Module(), lambda module: (), share_types=False)
        methods = {}
        for number, body in enumerate(bodies):
            name = f"p{number}"
            try:
                module.define(view_programs.method(name, body))
                # TorchScript's optimizer loses writes to elements of lists.
                with torch.jit.optimized_execution(False):
                    runs = [(a, getattr(module, name)(*a))
                            for a in map(view_programs.inputs, range(3))]
                    copies = view_programs.with_copies(body)
                    if copies != body:
                        module.define(view_programs.method(f"c{number}", copies))
                        if not all(_equal(getattr(module, f"c{number}")(*a), r)
                                   for a, r in runs):
                            self.known[body] = "undefined in PyTorch", ""
                            continue
            except RuntimeError as error:  # PyTorch refuses it
                self.known[body] = "refused by PyTorch", str(error)
                continue
            methods[name] = body, runs
        if not methods:
            return
        folder = pathlib.Path(tempfile.mkdtemp(prefix="evox-views-"))
        try:
            torch.jit.save(module, str(folder / "views.pt"))
            types = dict.fromkeys(methods, view_programs.TYPES)
            for library, some, failures in worker.compile_methods(
                    folder / "views.pt", list(methods), types, folder):
                for name, failure in failures.items():
                    self.known[methods[name][0]] = failure
                program = evox_mlir.load(library) if library else None
                for name in some if library else ():
                    body, runs = methods[name]
                    self.known[body] = _run(program, name, runs)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _equal(results, others):
    return all(map(torch.equal, results, others))


def _run(program, name, runs):
    for number, (arguments, expected) in enumerate(runs):
        try:
            got = program.call(name, *arguments)
        except evox_mlir.Error as error:
            return "wrong", f"input {number}: {error}"
        for i, (e, g) in enumerate(zip(expected, got)):
            if not torch.equal(e, g):
                return "wrong", (f"input {number}: result {i} is\n{g}\n"
                                 f"not\n{e}")
    return "same", ""


VERDICTS = Verdicts()
COLLECTED = []


def make_test(consume):
    @settings(max_examples=CASES, deadline=None, derandomize=SEED is None,
              database=None, print_blob=False,
              phases=[Phase.generate, Phase.shrink],
              suppress_health_check=list(HealthCheck))
    @given(view_programs.programs())
    def programs(body):
        consume(body)
    return seed(int(SEED))(programs) if SEED else programs


def must_agree(body):
    VERDICTS.judge([body])
    verdict, text = VERDICTS.known[body]
    if verdict in ("wrong", "unsupported"):
        raise AssertionError(
            f"{verdict}: {text}\n\n{view_programs.method('forward', body)}")


def test_generated_programs_agree(record_property):
    make_test(COLLECTED.append)()
    VERDICTS.judge(COLLECTED)
    count = {}
    for body in COLLECTED:
        verdict = VERDICTS.known[body][0]
        count[verdict] = count.get(verdict, 0) + 1
    record_property("figure", ", ".join(
        f"{n} {verdict}" for verdict, n in sorted(count.items())))
    # Writes the same programs again; a failing one is shrunk.
    make_test(must_agree)()
    assert count.get("same", 0) >= 0.9 * len(COLLECTED), count
