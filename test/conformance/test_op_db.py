# test_op_db.py - a fixed tenth of PyTorch's operator tests
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`make conformance` runs them all; this is what `make check` has time for:
every tenth entry, and of each at most SAMPLES samples."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import run  # noqa: E402
import samples  # noqa: E402

TENTH = 3
SAMPLES = 5

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("dtype", samples.DTYPES)
def test_a_tenth_of_op_db(dtype, record_property):
    names = run.choose(samples.entries(), TENTH)
    tasks = run.make_tasks(names, [dtype])
    rows = run.make_rows(run.run_all(tasks, jobs=1, limit=SAMPLES))
    count = run.summary(rows)[dtype]
    record_property("figure", ", ".join(
        f"{count[key]} {key}" for key in (
            "supported", "wrong", "unsupported", "untraceable",
            "samples same", "samples close")))
    # A sample that passes says nothing of those that were left out.
    worse = run.surprises(rows, run.load_expected(), partial=True)
    assert not worse, "\n".join(worse)
    assert count["supported"] >= 0.5 * len(rows)
