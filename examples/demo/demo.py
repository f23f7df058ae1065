# demo.py - EvoX's PSO as a shared library, beside PyTorch
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exports EvoX's StdWorkflow of PSO on Ackley, compiles it, builds the C host
of examples/c_host, runs 500 generations in both, and draws both curves.

    make demo
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import torch
from evox.algorithms import PSO
from evox.problems.numerical import Ackley
from evox.workflows import StdWorkflow

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("EVOX_TOOLS_DIR", ROOT / "build/bin"))
FOLDER = ROOT / "build" / "demo"
SEED, GENERATIONS, POPULATION, DIMENSION = 42, 500, 1024, 100


def run(*command, **options):
    """Runs a tool and shows its command line."""
    words = [str(word) for word in command]
    print("$", " ".join(os.path.relpath(w) if w.startswith(str(ROOT)) else w
                        for w in words), flush=True)
    return subprocess.run(words, check=True, **options)


def make_workflow():
    torch.manual_seed(0)
    bound = 32 * torch.ones(DIMENSION)
    workflow = StdWorkflow()
    workflow.setup(PSO(POPULATION, -bound, bound), Ackley())
    workflow.init_step  # touching a method scripts the whole
    return workflow


def run_torch(workflow):
    """The best fitness per generation, and the seconds that it took."""
    torch.manual_seed(SEED)
    curve = []
    start = time.perf_counter()
    for generation in range(GENERATIONS):
        if generation == 0:
            workflow.init_step()
        else:
            workflow.step()
        curve.append(float(workflow.algorithm.global_best_fitness))
    return curve, time.perf_counter() - start


def run_host(host):
    start = time.perf_counter()
    # The progress bar goes to standard error: to the terminal, if it is one.
    done = run(host, SEED, GENERATIONS, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    curve = [float(line.split()[1]) for line in done.stdout.splitlines()]
    # Nine digits say which float32 it is.
    return torch.tensor(curve, dtype=torch.float32).tolist(), seconds


def draw(ours, theirs, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    axes.plot(theirs, color="tab:orange", linewidth=5, alpha=0.45,
              label="PyTorch")
    axes.plot(ours, color="tab:blue", linewidth=1.3, label="evox-mlir")
    axes.set(title=f"PSO on Ackley, population {POPULATION}, dimension "
             f"{DIMENSION}, seed {SEED}",
             xlabel="generation", ylabel="best fitness")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=144)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    module, library = FOLDER / "pso.pt", FOLDER / "libpso.so"
    workflow = make_workflow()
    torch.jit.save(workflow.__jit_module__, str(module))
    print(f"exported {os.path.relpath(module)} "
          f"({module.stat().st_size // 1024} KiB)")
    start = time.perf_counter()
    run(TOOLS / "evox-compile", module, "-o", library,
        "--header", FOLDER / "pso.h")
    print(f"compiled in {time.perf_counter() - start:.2f} s: "
          f"{library.stat().st_size // 1024} KiB")
    host = FOLDER / "pso_host"
    run(shutil.which("clang-22") or "cc", "-O2", f"-I{ROOT / 'include'}",
        f"-I{FOLDER}", ROOT / "examples/c_host/pso_host.c", library,
        f"-Wl,-rpath,{FOLDER}", "-o", host)

    ours, our_seconds = run_host(host)
    theirs, their_seconds = run_torch(workflow)

    print(f"\n{'generation':>10} {'evox-mlir':>14} {'PyTorch':>14}")
    for generation in [0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 499]:
        print(f"{generation:10} {ours[generation]:14.8g} "
              f"{theirs[generation]:14.8g}")
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
                GENERATIONS)
    print(f"\nthe best fitness has the same bits for the first {same} of "
          f"{GENERATIONS} generations")
    print(f"{'seconds':>10} {our_seconds:14.3f} {their_seconds:14.3f}")
    picture = FOLDER / "convergence.png"
    draw(ours, theirs, picture)
    print(f"\nconvergence curves: {picture}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"demo: {error.cmd[0]} ended with {error.returncode}")
