# worker_jax.py - a contestant in JAX, a process of its own
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    worker_jax.py '{"maker": ..., "args": {...}, "record": FILE or null,
                      "evosax": NAME or null, "dtype": ..., "large": ...,
                      "affinity": the number of processors}'

Speaks with run.py as contestants.py says. Runs in the environment with JAX,
where there is no PyTorch."""

import json
import os
import sys
import time

START = time.perf_counter()

from worker import Talk, memory_kb  # noqa: E402

talk = Talk()
task = json.loads(sys.argv[1])
if task.get("affinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax  # noqa: E402

if task.get("dtype") == "float64":
    jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import jax_algorithms  # noqa: E402

IDLE = memory_kb("VmRSS")


def check(algorithm, path):
    """The update of EvoX's state with EvoX's draws is EvoX's next state."""
    record = np.load(path)
    count = sum(name.startswith("draw") for name in record.files)
    draws = tuple(jnp.asarray(record[f"draw{i}"]) for i in range(count))
    state = algorithm.init(jax.random.key(0))
    for ours, evox in algorithm.names.items():
        state[ours] = jnp.asarray(record[f"before.{evox}"]).astype(
            state[ours].dtype).reshape(state[ours].shape)
    after = jax.jit(algorithm.update)(state, draws)
    # Of individuals that are nearly as good, a last bit decides the order.
    tolerance = 1e-3 if task["maker"] == "cma_es" else 1e-4
    worst = 0.0
    for ours, evox in algorithm.names.items():
        if ours in ("B", "D"):  # of eigenvectors the signs are open
            continue
        a = np.asarray(after[ours], np.float64)
        b = np.asarray(record[f"after.{evox}"], np.float64).reshape(a.shape)
        if "pop" in algorithm.names and ours in ("pop", "fit"):
            # A bit decides which of two is the last, and their order.
            near = np.abs(a[:, None] - b[None]).max(2).min(1) <= 1e-4
            if near.mean() < 0.95:
                raise AssertionError(f"{evox}: only {near.mean():.0%} of the "
                                     "rows are EvoX's")
            continue
        if "pop" in algorithm.names:
            continue
        finite = np.isfinite(b)
        if not np.array_equal(finite, np.isfinite(a)):
            raise AssertionError(f"{evox}: not finite where EvoX's is")
        scale = np.abs(b[finite]).max(initial=1e-30)
        # A cosine's last bit can make another particle the better one.
        error = np.abs(a - b)[finite] / scale
        off = (error > tolerance).mean()
        if off > 1e-3:
            raise AssertionError(f"{evox}: {off:.2%} of the elements are not "
                                 "EvoX's")
        worst = max(worst, float(np.quantile(error, 0.999)))
    return worst


def looped(algorithm):
    """The generations in a loop of XLA's."""
    def many(state, key, n):
        def body(_, carry):
            state, key = carry
            key, use = jax.random.split(key)
            return algorithm.update(state, algorithm.draw(use)), key
        return jax.lax.fori_loop(0, n, body, (state, key))
    compiled = jax.jit(many, donate_argnums=0)

    def run(carry, n):
        return jax.block_until_ready(compiled(*carry, n))
    return run


def stepped(algorithm):
    """A compiled generation, called from Python."""
    def step(state, key):
        key, use = jax.random.split(key)
        return algorithm.update(state, algorithm.draw(use)), key
    compiled = jax.jit(step, donate_argnums=0)

    def run(carry, n):
        for _ in range(n):
            carry = compiled(*carry)
        return jax.block_until_ready(carry)
    return run


def distinct(state):
    """A buffer of its own for each leaf, or they cannot be donated."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state)


class Contestant:
    """The faster of two kinds of loop, then the faster of two generators."""

    def __init__(self, algorithm, large):
        self.algorithm = algorithm
        self.ways = [self.made(looped, "rbg")]
        talk.ready(time.perf_counter() - START, IDLE)
        if not large:
            self.ways += [self.made(stepped, "rbg"),
                          self.made(looped, "threefry2x32")]

    def made(self, kind, generator):
        run = kind(self.algorithm)
        key = jax.random.key(1, impl=generator)
        carry = run((distinct(self.algorithm.init(key)), key), 1)
        return [f"{kind.__name__}, {generator}", run, carry]

    def cost(self, way):
        """Seconds per generation; the carry goes on."""
        def go(n):
            seconds, way[2] = timed(way[1], way[2], n)
            return seconds / n
        n = max(1, min(50, int(0.05 / max(go(1), 1e-6))))
        return min(go(n) for _ in range(3))

    def settle(self):
        best = self.ways[0]
        if len(self.ways) > 1:
            costs = [self.cost(way) for way in self.ways]
            loop, step, threefry = costs
            if step < loop and threefry < loop:
                self.ways.append(self.made(stepped, "threefry2x32"))
                costs.append(self.cost(self.ways[-1]))
            best = self.ways[costs.index(min(costs))]
        self.name, self.run, self.carry = best
        self.ways = None
        return self.name

    def __call__(self, threads, n):
        seconds, self.carry = timed(self.run, self.carry, n)
        return seconds


def timed(run, carry, n):
    start = time.perf_counter()
    carry = run(carry, n)
    return time.perf_counter() - start, carry


def evosax_algorithm():
    """evosax's own, with our fitness: ask, evaluate, tell."""
    import evosax.algorithms as algorithms

    args = task["args"]
    pop, dim = args["pop"], args["dim"]
    strategy = getattr(algorithms, task["evosax"])(
        population_size=pop, solution=jnp.zeros(dim))
    params = strategy.default_params
    evaluate = jax_algorithms.PROBLEMS[args["problem"]]

    def init(key):
        a, b = jax.random.split(key)
        x = 64.0 * jax.random.uniform(a, (pop, dim)) - 32.0
        if task["evosax"] in ("PSO", "DifferentialEvolution"):
            return strategy.init(b, x, evaluate(x), params)
        return strategy.init(b, jnp.linspace(-1.5, 2.5, dim), params)

    def update(state, key):
        a, b = jax.random.split(key)
        x, state = strategy.ask(a, state, params)
        state, _ = strategy.tell(b, x, evaluate(x), state, params)
        return state

    return jax_algorithms.Algorithm(init, lambda key: key, update, {})


def main():
    large = task.get("large", False)
    if task.get("evosax"):
        contestant = Contestant(evosax_algorithm(), large)
        best = float(contestant.ways[0][2][0].best_fitness)
        if not np.isfinite(best):
            raise AssertionError(f"evosax's best fitness is {best}")
        talk.serve(contestant, contestant.settle)
        return
    maker = jax_algorithms.MAKERS[task["maker"]]
    contestant = Contestant(maker(**task["args"]), large)
    said = ""
    if task.get("record"):
        worst = check(maker(**task["args"]), task["record"])
        said = f"; EvoX's update within {worst:.0e}"
    talk.serve(contestant, lambda: contestant.settle() + said)


main()
