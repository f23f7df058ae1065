# test_families.py - whole families of ops, in all dtypes and corners
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each case is traced, compiled and compared as a sample of op_db is."""

import collections
import pathlib
import sys

import pytest
import torch
from torch.utils import _pytree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import families  # noqa: E402
import samples  # noqa: E402
import worker  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("family", families.FAMILIES)
def test_family(family, record_property):
    torch.manual_seed(samples.SAMPLE_SEED)
    todo = []
    for index, (label, op, value, *args) in enumerate(families.FAMILIES[family]()):
        leaves, spec = _pytree.tree_flatten((value, tuple(args), {}))
        places = [i for i, leaf in enumerate(leaves)
                  if isinstance(leaf, torch.Tensor)]
        todo.append(samples.Sample(label, "", index, op, leaves, spec, places))
    verdicts = {}

    def hear(message):
        if message[0] == "done":
            verdicts[message[1]] = message[2:]

    for start in range(0, len(todo), worker.BATCH):
        worker.run_batch(todo[start:start + worker.BATCH], hear)
    count = collections.Counter(verdict for verdict, _ in verdicts.values())
    record_property("figure", ", ".join(f"{n} {v}" for v, n in count.items()))
    assert len(verdicts) == len(todo)
    bad = [f"{key[0]}: {verdict}: {text}"
           for key, (verdict, text) in verdicts.items()
           if verdict not in ("same", "close", "near")]
    assert not bad, "\n".join(bad)
