# hpo.py - an optimizer that tunes an optimizer, as one library
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    python examples/hpo/hpo.py [--out FOLDER]

EvoX's HPOProblemWrapper runs a batch of inner PSO workflows, each with its own
w, phi_p and phi_g, and an outer PSO searches for the best of these. The outer
workflow is saved as `hpo.pt` and compiled to `libhpo.so`: inner loop, outer loop
and random numbers. Both run from the same seed; `hpo.svg` has the best fitness
of each generation, and the time of one.
"""

import argparse
import os
import tempfile
import time

import torch
from evox.algorithms import PSO
from evox.problems.hpo_wrapper import HPOFitnessMonitor, HPOProblemWrapper
from evox.problems.numerical import Ackley
from evox.workflows import EvalMonitor, StdWorkflow

import evox_mlir

HYPER = ("w", "phi_p", "phi_g")


class AsParameters(torch.nn.Module):
    """A row of the outer population is the inner PSO's three weights."""

    def forward(self, x: torch.Tensor):
        return {
            "self.algorithm.w": x[:, 0],
            "self.algorithm.phi_p": x[:, 1],
            "self.algorithm.phi_g": x[:, 2],
        }


def make_workflow(instances, population, dim, iterations):
    bound = torch.full((dim,), 32.0)
    inner = StdWorkflow()
    inner.setup(PSO(population, -bound, bound), Ackley(), monitor=HPOFitnessMonitor())
    problem = HPOProblemWrapper(
        iterations=iterations, num_instances=instances, workflow=inner
    )
    outer = StdWorkflow()
    outer.setup(
        PSO(instances, torch.zeros(3), 3 * torch.ones(3)),
        problem,
        monitor=EvalMonitor(full_sol_history=False),
        solution_transform=AsParameters(),
    )
    return outer


def run(workflow, generations, best):
    """The best fitness after each generation, and the seconds of the fastest."""
    history, fastest = [], float("inf")
    for generation in range(generations):
        start = time.perf_counter()
        workflow.step() if generation else workflow.init_step()
        if generation:
            fastest = min(fastest, time.perf_counter() - start)
        history.append(float(best()))
    return history, fastest


def compare(out, instances=16, population=32, dim=8, iterations=20, generations=20):
    """Returns a dict: the histories and times of both, and the library's path."""
    torch.manual_seed(0)
    workflow = make_workflow(instances, population, dim, iterations)
    workflow.step  # EvoX scripts it
    path = os.path.join(out, "hpo.pt")
    torch.jit.save(workflow.__jit_module__, path)
    library = os.path.join(out, "libhpo.so")
    program = evox_mlir.compile(path, ("init_step", "step"), output=library)

    loaded = torch.jit.load(path)
    torch.manual_seed(42)
    torchs, torch_time = run(
        loaded, generations, lambda: loaded.algorithm._monitor_.topk_fitness.min()
    )
    program.seed(42)
    ours, our_time = run(
        program, generations, lambda: program.get("algorithm._monitor_.topk_fitness").min()
    )
    return {
        "torch": torchs,
        "evox-mlir": ours,
        "torch time": torch_time,
        "evox-mlir time": our_time,
        "best": dict(
            zip(HYPER, program.get("algorithm.global_best_location").tolist())
        ),
        "library": library,
    }


def plot(result, path):
    """Two lines and a caption, as SVG."""
    width, height, left, top = 560, 320, 60, 30
    series = [(result["torch"], "#d95f02", 5), (result["evox-mlir"], "#1b6ca8", 2)]
    values = [v for history, _, _ in series for v in history]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    count = max(len(result["torch"]) - 1, 1)

    def point(i, v):
        x = left + i * (width - left - 20) / count
        y = top + (high - v) * (height - top - 40) / span
        return f"{x:.1f},{y:.1f}"

    lines = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="{thick}" points="'
        + " ".join(point(i, v) for i, v in enumerate(history))
        + '"/>'
        for history, colour, thick in series
    ]
    text = [
        (left, 18, "Best Ackley value that the tuned inner PSOs reach"),
        (left, height - 8, f"generation 0 to {count}"),
        (4, top + 6, f"{high:.3g}"),
        (4, height - 40, f"{low:.3g}"),
        (300, 60, f"wide: PyTorch, {result['torch time'] * 1e3:.2f} ms a generation"),
        (300, 80, f"thin: libhpo.so, {result['evox-mlir time'] * 1e3:.2f} ms"),
    ]
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n'
            + "\n".join(lines)
            + "\n"
            + "\n".join(f'<text x="{x}" y="{y}">{t}</text>' for x, y, t in text)
            + "\n</svg>\n"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].strip())
    parser.add_argument("--out", default=None, help="where to put the results")
    out = parser.parse_args().out or tempfile.mkdtemp(prefix="evox-hpo-")
    os.makedirs(out, exist_ok=True)
    result = compare(out)
    for name in ("torch", "evox-mlir"):
        print(f"{name:>10}: best {result[name][-1]:.6g}, "
              f"{result[name + ' time'] * 1e3:.2f} ms a generation")
    print("best: " + ", ".join(f"{k} = {v:.3f}" for k, v in result["best"].items()))
    assert torch.allclose(
        torch.tensor(result["torch"]), torch.tensor(result["evox-mlir"]), rtol=1e-4
    )
    plot(result, os.path.join(out, "hpo.svg"))
    print(f"hpo.pt, libhpo.so and hpo.svg are in {out}")


if __name__ == "__main__":
    main()
