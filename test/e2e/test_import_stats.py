# test_import_stats.py - what an import costs
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Importing any workflow takes under a second beyond LibTorch's start."""

import re
import subprocess

import pytest
import torch

from evox_cases import Case

# Those that take longest, or make the largest IR.
CASES = [Case("RVEA", "DTLZ2", monitor=(("multi_obj", True),)),
         Case("MOEAD", "DTLZ2", monitor=(("multi_obj", True),)),
         Case("CoDE", "Ackley", monitor=()), Case("XNES", "Ackley")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_import(case, tools, tmp_path, record_property):
    torch.jit.save(case.build().__jit_module__, str(tmp_path / "w.pt"))
    done = subprocess.run(
        [tools / "evox-import", tmp_path / "w.pt", "--method=init_step",
         "--method=step", "--stats", "-o", tmp_path / "w.mlir"],
        capture_output=True, text=True, check=True)
    found = re.search(r"libtorch ([\d.]+) s, import ([\d.]+) s, (\d+) "
                      r"operations, (\d+) phases?", done.stderr)
    assert found, done.stderr
    record_property("figure", found.group())
    assert float(found.group(2)) < 1
    assert int(found.group(3)) < 20_000
    # The phases are few: the table that names them has a row for each.
    assert 1 <= int(found.group(4)) <= 4
