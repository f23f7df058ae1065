# workloads.py - what is timed
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each workload: how EvoX builds it, who else runs it, and what a generation
of it cannot do without. No PyTorch is needed to read this."""

import dataclasses
import re

KILO, MEGA = 1e3, 1e6


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    kind: str = "case"  # or "vmap", "hpo"
    case: dict = None  # of evox_cases.Case
    sizes: dict = None  # of vmap, hpo
    # Gigabytes: the contestants run one after the other, a few times each.
    large: bool = False
    # Started alone, so that the time to the first generation means something.
    first: bool = False
    torch_compile: bool = True
    jax: tuple = None  # (maker, args)
    jax_one_thread: bool = False
    evosax: str = None
    cpp: bool = False
    # Generations that are compared; one for what multiplies a last bit.
    checked: int = 3
    # Of a generation, fused as well as can be: bytes that must move, words
    # that are drawn, floating-point operations of its matrix products.
    moved: float = 0
    words: float = 0
    flops: float = 0
    # Bytes of the state that a generation touches.
    touched: float = 0

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def dtype(self):
        return (self.case or {}).get("dtype", "float32")

    @property
    def entries(self):
        """Entry points: the first one, or None, and the generation's."""
        return (None, "step") if self.kind == "vmap" else ("init_step", "step")


def pso(pop, dim, problem="Ackley", dtype="float32", **more):
    size, n = (8 if dtype == "float64" else 4), pop * dim
    title = f"PSO {problem} {pop}×{dim}"
    if dtype != "float32":
        title += f", {dtype}"
    args = dict(pop=pop, dim=dim, problem=problem)
    return Workload(
        title, case=dict(algorithm="PSO", problem=problem, pop=pop, dim=dim,
                         dtype=dtype),
        jax=("pso", dict(args, dtype=dtype)), cpp=True,
        # x, v and the best are read, x and v written.
        moved=5 * n * size, words=2 * n * size / 4, touched=3 * n * size,
        **{"evosax": "PSO" if dtype == "float32" else None, **more})


def cma_es(pop, dim, **more):
    # Two products draw the population, one updates C; every `period` steps
    # come eigenvectors (some 9 n^3) and two products.
    mu = pop // 2
    flops = 4 * pop * dim ** 2 + 2 * mu * dim ** 2
    flops += 13 * dim ** 3 / cma_period(pop, dim)
    n = pop * dim
    return Workload(
        f"CMA-ES Ackley {pop}×{dim}",
        case=dict(algorithm="CMAES", problem="Ackley", pop=pop, dim=dim),
        jax=("cma_es", dict(pop=pop, dim=dim, problem="Ackley")),
        jax_one_thread=True, evosax="CMA_ES", checked=1,
        moved=4 * (3 * n + 6 * dim ** 2), words=n, flops=flops,
        touched=4 * (n + 4 * dim ** 2), **more)


def cma_period(pop, dim):
    """Generations from one factorisation to the next, as EvoX has it."""
    import math

    mu = pop // 2
    weights = [math.log((pop + 1) / 2) - math.log(i + 1) for i in range(mu)]
    total = sum(weights)
    mu_eff = 1 / sum((w / total) ** 2 for w in weights)
    c_1 = 2 / ((dim + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) /
               ((dim + 2) ** 2 + mu_eff))
    return max(math.floor(1 / (c_1 + c_mu) / dim / 10), 1)


def nsga2(pop, **more):
    dim, m = 12, 3
    return Workload(
        f"NSGA-II DTLZ2 m={m}, {pop}",
        case=dict(algorithm="NSGA2", problem="DTLZ2", pop=pop, dim=dim,
                  objectives=m),
        jax=("nsga2", dict(pop=pop, dim=dim, objectives=m)),
        # Each pair of the 2n is compared in each objective.
        flops=2 * m * (2 * pop) ** 2, moved=4 * 3 * 2 * pop * (dim + m),
        words=pop * (2 + 4 * dim / 2 + 2 * dim),
        touched=4 * 2 * pop * (dim + m), torch_compile=False, **more)


SWARMS = dict(swarms=64, pop=128, dim=32)
HPO = dict(instances=16, pop=32, dim=8, iterations=20)
_vmap = 64 * 128 * 32
_hpo = 16 * 32 * 8
_n = 1024 * 100

WORKLOADS = [
    pso(100, 10),
    pso(1024, 100, first=True),
    pso(16384, 128),
    pso(100_000, 1000, large=True, evosax=None),
    pso(1024, 100, problem="Sphere"),
    pso(1024, 100, dtype="float64"),
    Workload("vmap of 64 PSO Ackley 128×32", kind="vmap", sizes=SWARMS,
             jax=("pso_batch", dict(SWARMS, problem="Ackley")), cpp=True,
             moved=5 * 4 * _vmap, words=2 * _vmap, touched=3 * 4 * _vmap),
    Workload("DE Ackley 1024×100",
             case=dict(algorithm="DE", problem="Ackley", pop=1024, dim=100),
             jax=("de", dict(pop=1024, dim=100, problem="Ackley")),
             evosax="DifferentialEvolution",
             # Its own row and three others are read, one is written.
             moved=5 * 4 * _n, words=_n + 4 * 1024, touched=2 * 4 * _n),
    Workload("SHADE Ackley 1024×100",
             case=dict(algorithm="SHADE", problem="Ackley", pop=1024,
                       dim=100),
             torch_compile=False,  # its loop over the 1,024 is unrolled
             moved=5 * 4 * _n, words=_n + 6 * 1024, touched=2 * 4 * _n),
    Workload("OpenES Ackley 4096×1000",
             case=dict(algorithm="OpenES", problem="Ackley", pop=4096,
                       dim=1000),
             jax=("open_es", dict(pop=4096, dim=1000, problem="Ackley")),
             evosax="Open_ES",
             # Half of the noise is the other half's negative: it is written,
             # and read again for the gradient.
             moved=2 * 4 * 2048 * 1000, words=2048 * 1000,
             touched=4 * 2048 * 1000),
    cma_es(64, 100, first=True),
    cma_es(1024, 512),
    nsga2(100, first=True),
    nsga2(1000),
    Workload("HPO, 16 PSO Ackley 32×8, 20 generations each", kind="hpo",
             sizes=HPO, jax=("hpo", HPO), torch_compile=False,
             moved=20 * 5 * 4 * _hpo, words=20 * 2 * _hpo,
             touched=3 * 4 * _hpo),
]

# Scaling: elements by the population, two by the dimension; the last one is
# the large workload.
SCALING = [(100, 100), (1000, 10), (1000, 100), (1000, 1000), (10_000, 100),
           (100_000, 100), (100_000, 1000)]


def find(slug):
    for workload in WORKLOADS:
        if workload.slug == slug:
            return workload
    if match := re.fullmatch(r"pso-ackley-(\d+)-(\d+)", slug):
        return pso(int(match[1]), int(match[2]))
    raise KeyError(slug)
