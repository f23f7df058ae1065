# test_core_hpo.py - many optimizers as one program
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""64 PSO workflows with their own w, phi_p and phi_g as one vmap, each repeated
by a vmap inside; and the example of examples/hpo."""

import importlib.util
import pathlib
import time

import pytest
import torch
from test_core_replay import lane_seed

import evox_mlir

if importlib.util.find_spec("evox") is None:
    pytest.skip("EvoX is not installed", allow_module_level=True)

ROOT = pathlib.Path(__file__).resolve().parents[3]
HYPER = ["algorithm.w", "algorithm.phi_p", "algorithm.phi_g"]


def workflow(population=16, dim=4):
    from evox.algorithms import PSO
    from evox.problems.numerical import Sphere
    from evox.workflows import StdWorkflow

    torch.manual_seed(0)
    out = StdWorkflow()
    bound = torch.full((dim,), 10.0)
    out.setup(PSO(population, -bound, bound), Sphere())
    out.step  # EvoX scripts it
    return out


def state_names(program):
    return [
        s["name"] for s in program.signature["state"]
        if s["kind"] != "constant" and s["slot"] == "tensor"
    ]


def test_64_workflows_with_a_repeat_axis(record_property):
    lanes, repeats, seed = 64, 3, 7
    wf = workflow()
    one = evox_mlir.compile(wf, ("init_step", "step"), rng="philox", name="one")
    names = state_names(one)
    assert set(HYPER) < set(names)
    dims = {n: None if n in HYPER else 0 for n in names}
    many = evox_mlir.compile(
        wf,
        {"many_init_step": (), "many_step": ()},
        rng="philox",
        name="many",
        transforms={
            f"many_{m}": f"vmap(vmap(use_state({m}, keys={names!r}), "
            f"in_dims=({dims!r},), out_dims={dims!r}, axis_size={repeats}), "
            f"axis_size={lanes})"
            for m in ("init_step", "step")
        },
    )
    torch.manual_seed(1)
    start = {
        n: torch.rand(lanes) if n in HYPER
        else v.expand(lanes, repeats, *v.shape).contiguous()
        for n, v in one.state_dict().items() if n in names
    }
    many.seed(seed)
    state = many.many_init_step(start)
    for _ in range(5):
        state = many.many_step(state)
    singles = []
    for lane in range(lanes):
        for repeat in range(repeats):
            single = one.new_instance().seed(lane_seed(lane_seed(seed, lane), repeat))
            for n in HYPER:
                single.set(n, start[n][lane])
            single.init_step()
            single.run("step", 5)
            for n in names:
                got = state[n][lane] if n in HYPER else state[n][lane, repeat]
                assert torch.equal(got, single.get(n)), (lane, repeat, n)
            singles.append(single)
    fast = min(_seconds(lambda: many.many_step(state)) for _ in range(20))
    slow = min(_seconds(lambda: [s.step() for s in singles]) for _ in range(5))
    record_property(
        "figure", f"64 x 3 PSO 16x4: one vmap {fast * 1e6:.0f} us a step, singles in a "
        f"loop {slow * 1e6:.0f} us"
    )


def test_64_workflows_are_torchs_vmap(record_property):
    """PyTorch's own numbers, drawn in torch.func.vmap's order."""
    from evox.core import jit, use_state, vmap

    wf, lanes = workflow(128, 32), 64
    program = evox_mlir.compile(
        wf, {"many": ()}, transforms={"many": f"vmap(use_state(step), axis_size={lanes})"}
    )
    wf.__sync__()
    theirs = vmap(use_state(lambda: wf.step))
    state = theirs.init_state(lanes)
    theirs = jit(theirs, trace=True, example_inputs=(state,))
    ours = {k.removeprefix("self."): v.detach().clone() for k, v in state.items()}
    torch.manual_seed(3)
    program.seed(3)
    for _ in range(3):
        state, ours = theirs(state), program.many(ours)
    for k, v in state.items():
        torch.testing.assert_close(ours[k.removeprefix("self.")], v.detach(), rtol=1e-5, atol=1e-5)
    fast = min(_seconds(lambda: program.many(ours)) for _ in range(10))
    slow = min(_seconds(lambda: theirs(state)) for _ in range(5))
    record_property(
        "figure", f"64 PSO 128x32, torch's generator: {fast * 1e6:.0f} us a step, EvoX's "
        f"traced vmap {slow * 1e6:.0f} us"
    )


def _seconds(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def test_the_example(tmp_path, record_property):
    spec = importlib.util.spec_from_file_location("hpo", ROOT / "examples/hpo/hpo.py")
    hpo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hpo)
    result = hpo.compare(
        str(tmp_path), instances=6, population=8, dim=3, iterations=5, generations=6
    )
    torch.testing.assert_close(
        torch.tensor(result["evox-mlir"]), torch.tensor(result["torch"]), rtol=1e-4, atol=1e-5
    )
    assert set(result["best"]) == {"w", "phi_p", "phi_g"}
    hpo.plot(result, tmp_path / "hpo.svg")
    assert (tmp_path / "hpo.svg").read_text().count("<polyline") == 2
    record_property(
        "figure", f"hpo: {result['evox-mlir time'] * 1e3:.2f} ms a generation, PyTorch "
        f"{result['torch time'] * 1e3:.2f} ms"
    )
