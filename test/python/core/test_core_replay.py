# test_core_replay.py - lanes of generated programs, replayed
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lane i of a vmap, under philox, is the single run with that lane's seed, bit
for bit: for programs with `while`, `if`, `for`, state and draws. (strategy="mask"
refuses draws that only some lanes make, so it is not among the strategies.)"""

import torch
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from torch import nn

import evox_mlir

LANES = 4
MASK = 2**64 - 1


def lane_seed(seed: int, lane: int) -> int:
    """splitmix64's output function of the lane's step of the seed."""
    z = (seed + (lane + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


# Programs -------------------------------------------------------------------------

SIMPLE = [
    "y = y * 0.5 + x",
    "y = torch.where(y > 0, y, x)",
    "y = y - y.mean()",
    "y = y + torch.rand(3)",
    "y = y * torch.randn(3)",
    "y = y + torch.randint(0, 5, [3])",
    "y = y[torch.randperm(3)]",
    "self.x = self.x + y",
    "self.x = self.x * 0.5 + torch.rand(3)",
    "self.n = self.n + 1",
    "y = y.clone()\ny[0] = self.x[1]",
    "y = y + self.n",
    "t = self.x\nself.x = y\ny = t",
]
CONDITIONS = [
    "y.sum() > 0.5",
    "self.x[0] < y[1]",
    "self.n > 1",
    "torch.rand([]) < 0.5",
    "x[2] > 0",
]


def indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def block(depth: int):
    statement = st.sampled_from(SIMPLE).map(lambda s: s + "\n")
    if depth > 0:
        inner, condition = block(depth - 1), st.sampled_from(CONDITIONS)
        statement = st.one_of(
            statement,
            statement,
            st.builds(lambda c, a: f"if bool({c}):\n{indent(a)}", condition, inner),
            st.builds(
                lambda c, a, b: f"if bool({c}):\n{indent(a)}else:\n{indent(b)}",
                condition, inner, inner,
            ),
            st.builds(
                lambda a, n: f"k{depth} = torch.zeros([])\n"
                f"while bool((y.abs().sum() < {n}) & (k{depth} < 4)):\n"
                f"{indent(a)}    k{depth} = k{depth} + 1\n",
                inner, st.sampled_from([3, 6]),
            ),
            st.builds(lambda a: f"for j{depth} in range(2):\n{indent(a)}", inner),
        )
    return st.lists(statement, min_size=1, max_size=4).map("".join)


def script(body: str) -> torch.jit.ScriptModule:
    # TorchScript has one type per class, so each program has a class.
    made = type("Generated", (nn.Module,), {})()
    made.register_buffer("x", torch.zeros(3))
    made.register_buffer("n", torch.zeros((), dtype=torch.int64))
    module = torch.jit.script(made)
    module.define(f"def step(self, x):\n    y = x\n{indent(body)}    return y, y.sum()\n")
    return module


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck),
          derandomize=True)
@given(block(2), st.integers(0, 2**64 - 1), st.sampled_from([None, "lanes"]))
def test_a_lane_is_the_single_run(body, seed, strategy):
    note(body)
    how = f", strategy='{strategy}'" if strategy else ""
    example = torch.zeros(LANES, 3)
    program = evox_mlir.compile(
        script(body),
        {"step": (example[0],), "many": (example,)},
        rng="philox",
        transforms={"many": f"vmap(use_state(step), axis_size={LANES}{how})"},
        name="generated",
    )
    generator = torch.Generator().manual_seed(seed % 1000)
    xs = torch.randn(LANES, 3, generator=generator)
    state = {
        "x": torch.randn(LANES, 3, generator=generator),
        "n": torch.arange(LANES),
    }
    program.seed(seed)
    new, (y, total) = program.many(state, xs)
    for lane in range(LANES):
        single = program.new_instance().seed(lane_seed(seed, lane))
        single.set("x", state["x"][lane])
        single.set("n", state["n"][lane])
        one_y, one_total = single.step(xs[lane])
        for name, got, expected in (
            ("y", y[lane], one_y), ("total", total[lane], one_total),
            ("x", new["x"][lane], single.get("x")), ("n", new["n"][lane], single.get("n")),
        ):
            assert torch.equal(got, expected), (lane, name, got, expected)
