# jax_algorithms.py - EvoX's algorithms as one would write them in JAX
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An algorithm is three functions: `init(key)` gives the state, `draw(key)` a
generation's random numbers in EvoX's order, and `update(state, draws)` the
next state. So the update can be checked on EvoX's own numbers."""

import math
import typing

import jax
import jax.numpy as jnp


class Algorithm(typing.NamedTuple):
    init: typing.Callable
    draw: typing.Callable
    update: typing.Callable
    # EvoX's names of the pieces of the state that are compared.
    names: dict


def ackley(x):
    return (-20.0 * jnp.exp(-0.2 * jnp.sqrt(jnp.mean(x * x, axis=-1)))
            - jnp.exp(jnp.mean(jnp.cos(2 * math.pi * x), axis=-1))
            + 20.0 + math.e)


def sphere(x):
    return jnp.sum(x * x, axis=-1)


PROBLEMS = {"Ackley": ackley, "Sphere": sphere}


def pso(pop, dim, problem, dtype="float32", bound=32.0, lb=None, ub=None,
        evaluate=None):
    evaluate = evaluate or PROBLEMS[problem]
    lb = -bound if lb is None else lb
    ub = bound if ub is None else ub

    def init(key, w=0.6, phi_p=2.5, phi_g=0.8):
        a, b = jax.random.split(key)
        x = (ub - lb) * jax.random.uniform(a, (pop, dim), dtype) + lb
        v = (ub - lb) * (2 * jax.random.uniform(b, (pop, dim), dtype) - 1)
        return dict(x=x, v=v, best=x, best_fit=jnp.full(pop, jnp.inf, dtype),
                    top=x[0], top_fit=jnp.asarray(jnp.inf, dtype),
                    w=jnp.asarray(w, dtype), phi_p=jnp.asarray(phi_p, dtype),
                    phi_g=jnp.asarray(phi_g, dtype))

    def draw(key):
        a, b = jax.random.split(key)
        return (jax.random.uniform(a, (pop, dim), dtype),
                jax.random.uniform(b, (pop, dim), dtype))

    def update(s, draws):
        rg, rp = draws
        fit = evaluate(s["x"])
        better = s["best_fit"] > fit
        best = jnp.where(better[:, None], s["x"], s["best"])
        best_fit = jnp.where(better, fit, s["best_fit"])
        least = jnp.argmin(fit)
        found = fit[least] < s["top_fit"]
        top = jnp.where(found, s["x"][least], s["top"])
        top_fit = jnp.where(found, fit[least], s["top_fit"])
        v = (s["w"] * s["v"] + s["phi_p"] * rp * (best - s["x"])
             + s["phi_g"] * rg * (top - s["x"]))
        return dict(s, x=jnp.clip(s["x"] + v, lb, ub), v=jnp.clip(v, lb, ub),
                    best=best, best_fit=best_fit, top=top, top_fit=top_fit)

    return Algorithm(init, draw, update, {
        "x": "population", "v": "velocity", "best": "local_best_location",
        "best_fit": "local_best_fitness", "top": "global_best_location",
        "top_fit": "global_best_fitness"})


def pso_batch(swarms, **sizes):
    """`swarms` of them under vmap."""
    one = pso(**sizes)
    split = jax.random.split
    return Algorithm(lambda key: jax.vmap(one.init)(split(key, swarms)),
                     lambda key: jax.vmap(one.draw)(split(key, swarms)),
                     jax.vmap(one.update), one.names)


def hpo(instances, pop, dim, iterations):
    """An outer PSO searches for the weights of a batch of inner ones."""
    inner = pso(pop, dim, "Ackley")

    def inner_best(weights, key):
        key, first, second = jax.random.split(key, 3)
        s = inner.init(first, *weights)
        fit = ackley(s["x"])
        least = jnp.argmin(fit)
        top = s["x"][least]
        # PSO.init_step: no local part yet.
        rg = jax.random.uniform(second, (pop, dim))
        v = s["w"] * s["v"] + s["phi_g"] * rg * (top - s["x"])
        s = dict(s, x=jnp.clip(s["x"] + v, -32, 32), v=jnp.clip(v, -32, 32),
                 best=s["x"], best_fit=fit, top=top, top_fit=fit[least])

        def body(_, carry):
            s, key = carry
            key, use = jax.random.split(key)
            return inner.update(s, inner.draw(use)), key

        s, _ = jax.lax.fori_loop(0, iterations - 1, body, (s, key))
        return s["top_fit"]

    outer = pso(instances, 3, None, lb=0.0, ub=3.0, evaluate=lambda x: x)

    def draw(key):
        a, b = jax.random.split(key)
        return outer.draw(a), jax.random.split(b, instances)

    def update(s, draws):
        fit = jax.vmap(inner_best)(s["x"], draws[1])
        step = pso(instances, 3, None, lb=0.0, ub=3.0, evaluate=lambda x: fit)
        return step.update(s, draws[0])

    return Algorithm(outer.init, draw, update, {})


def de(pop, dim, problem, bound=32.0):
    evaluate = PROBLEMS[problem]

    def init(key):
        x = bound * (2 * jax.random.uniform(key, (pop, dim)) - 1)
        return dict(x=x, fit=evaluate(x))

    def draw(key):
        a, b, c = jax.random.split(key, 3)
        rows = jax.random.randint(a, (3, pop), 0, pop)
        return (*rows, jax.random.uniform(b, (pop, dim)),
                jax.random.randint(c, (pop, 1), 0, dim))

    def update(s, draws):
        base, first, second, cross, forced = draws
        x = s["x"]
        new = x[base] + 0.5 * (x[first] - x[second])
        mask = (cross < 0.9) | (jnp.arange(dim)[None, :] == forced)
        new = jnp.clip(jnp.where(mask, new, x), -bound, bound)
        fit = evaluate(new)
        better = fit < s["fit"]
        return dict(x=jnp.where(better[:, None], new, x),
                    fit=jnp.where(better, fit, s["fit"]))

    return Algorithm(init, draw, update, {"x": "population", "fit": "fitness"})


def open_es(pop, dim, problem):
    evaluate = PROBLEMS[problem]
    rate, deviation = 0.002, 0.1

    def init(key):
        return dict(center=jnp.linspace(-1.5, 2.5, dim))

    def draw(key):
        return (jax.random.normal(key, (pop // 2, dim)),)

    def update(s, draws):
        noise = jnp.concatenate([draws[0], -draws[0]])
        fit = evaluate(s["center"] + deviation * noise)
        gradient = noise.T @ fit / pop / deviation
        return dict(center=s["center"] - rate * gradient)

    return Algorithm(init, draw, update, {"center": "center"})


def cma_es(pop, dim, problem):
    evaluate = PROBLEMS[problem]
    mu = pop // 2
    weights = jnp.log((pop + 1) / 2) - jnp.log(jnp.arange(1, mu + 1))
    weights = (weights / weights.sum()).astype(jnp.float32)
    mu_eff = float(weights.sum() ** 2 / (weights ** 2).sum())
    chi_n = math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim ** 2))
    c_sigma = (mu_eff + 2) / (dim + mu_eff + 5)
    d_sigma = 1 + 2 * max(math.sqrt((mu_eff - 1) / (dim + 1)) - 1, 0) + c_sigma
    c_c = (mu_eff + 2) / (dim + 4 + 2 * mu_eff / dim)
    c_1 = 2 / ((dim + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) /
               ((dim + 2) ** 2 + mu_eff))
    period = max(math.floor(1 / (c_1 + c_mu) / dim / 10), 1)

    def init(key):
        eye = jnp.eye(dim)
        return dict(mean=jnp.linspace(-1.5, 2.5, dim), sigma=jnp.float32(1),
                    iteration=jnp.int32(0), C=eye, C_invsqrt=eye, B=eye, D=eye,
                    p_sigma=jnp.zeros(dim), p_c=jnp.zeros(dim))

    def draw(key):
        return (jax.random.normal(key, (pop, dim)),)

    def decompose(C):
        D, B = jnp.linalg.eigh((C + C.T) / 2)
        D = jnp.maximum(D, 1e-8)
        return B.T, B * jnp.sqrt(D), (B / jnp.sqrt(D)) @ B.T

    def update(s, draws):
        iteration = s["iteration"] + 1
        mean, sigma = s["mean"], s["sigma"]
        x = mean + sigma * (draws[0] @ s["D"] @ s["B"])
        x = x[jnp.argsort(evaluate(x))[:mu]]
        new_mean = mean + weights @ (x - mean)
        delta = new_mean - mean
        p_sigma = (1 - c_sigma) * s["p_sigma"] + math.sqrt(
            c_sigma * (2 - c_sigma) * mu_eff) * (s["C_invsqrt"] @ delta) / sigma
        norm = jnp.linalg.norm(p_sigma)
        h_sigma = (norm / jnp.sqrt(1 - (1 - c_sigma) ** (
            2 * iteration.astype(jnp.float32))) <
            (1.4 + 2 / (dim + 1)) * chi_n).astype(jnp.float32)
        p_c = (1 - c_c) * s["p_c"] + h_sigma * math.sqrt(
            c_c * (2 - c_c) * mu_eff) * delta / sigma
        y = (x - mean) / sigma
        C = ((1 - c_1 - c_mu) * s["C"]
             + c_1 * (p_c @ p_c + (1 - h_sigma) * c_c * (2 - c_c) * s["C"])
             + c_mu * (y.T * weights) @ y)  # p_c @ p_c as EvoX has it
        B, D, C_invsqrt = jax.lax.cond(
            iteration % period == 0, decompose,
            lambda _: (s["B"], s["D"], s["C_invsqrt"]), C)
        return dict(mean=new_mean, iteration=iteration, C=C, B=B, D=D,
                    C_invsqrt=C_invsqrt, p_sigma=p_sigma, p_c=p_c,
                    sigma=sigma * jnp.exp(c_sigma / d_sigma *
                                          (norm / chi_n - 1)))

    return Algorithm(init, draw, update, {
        "mean": "mean", "sigma": "sigma", "iteration": "iteration", "C": "C",
        "C_invsqrt": "C_invsqrt", "B": "B", "D": "D", "p_sigma": "p_sigma",
        "p_c": "p_c"})


def dtlz2(x, m):
    g = jnp.sum((x[:, m - 1:] - 0.5) ** 2, axis=1, keepdims=True)
    one = jnp.ones((x.shape[0], 1), x.dtype)
    cosines = jnp.maximum(jnp.cos(x[:, :m - 1] * (math.pi / 2)), 0.0)
    sines = jnp.sin(x[:, m - 2::-1] * (math.pi / 2))
    return ((1 + g) *
            jnp.cumprod(jnp.concatenate([one, cosines], 1), 1)[:, ::-1] *
            jnp.concatenate([one, sines], 1))


def non_dominated_sort(f):
    """The rank of each row, front by front, as EvoX has it."""
    less_equal = jnp.ones((f.shape[0],) * 2, bool)
    less = jnp.zeros((f.shape[0],) * 2, bool)
    for k in range(f.shape[1]):
        less_equal &= f[:, None, k] <= f[None, :, k]
        less |= f[:, None, k] < f[None, :, k]
    dominates = less_equal & less

    def body(carry):
        rank, count, current, front = carry
        rank = jnp.where(front, current, rank)
        count -= jnp.sum(dominates & front[:, None], axis=0, dtype=jnp.int32)
        count -= front.astype(jnp.int32)
        return rank, count, current + 1, count == 0

    count = jnp.sum(dominates, axis=0, dtype=jnp.int32)
    return jax.lax.while_loop(
        lambda carry: carry[3].any(), body,
        (jnp.zeros(f.shape[0], jnp.int32), count, jnp.int32(0), count == 0))[0]


def crowding_distance(costs, mask):
    count = mask.sum()
    outside = jnp.broadcast_to(~mask[:, None], costs.shape)
    order = jnp.lexsort((costs, outside), axis=0)
    sorted_costs = jnp.take_along_axis(costs, order, axis=0)
    span = sorted_costs[count - 1] - sorted_costs[0]
    column = jnp.arange(costs.shape[1])[None, :]
    distance = jnp.zeros_like(costs)
    distance = distance.at[order[1:-1], column].set(
        (sorted_costs[2:] - sorted_costs[:-2]) / span)
    distance = distance.at[order[0], column[0]].set(jnp.inf)
    distance = distance.at[order[count - 1], column[0]].set(jnp.inf)
    return jnp.where(mask[:, None], distance, -jnp.inf).sum(axis=1)


def nsga2(pop, dim, objectives):
    half = pop // 2

    def select(x, f):
        rank = non_dominated_sort(f)
        worst = jnp.sort(rank)[pop - 1]
        distance = crowding_distance(f, rank == worst)
        order = jnp.lexsort((-distance, rank))[:pop]
        return dict(pop=x[order], fit=f[order], rank=rank[order],
                    dis=distance[order])

    def init(key):
        x = jax.random.uniform(key, (pop, dim))
        return select(x, dtlz2(x, objectives))

    def draw(key):
        keys = jax.random.split(key, 7)
        uniform = jax.random.uniform
        return (jax.random.randint(keys[0], (pop, 2), 0, pop),
                uniform(keys[1], (half, dim)),
                jax.random.randint(keys[2], (half, dim), 0, 2),
                uniform(keys[3], (half, dim)), uniform(keys[4], (half, dim)),
                uniform(keys[5], (pop, dim)), uniform(keys[6], (pop, dim)))

    def crossover(x, mu, sign, skip, _):
        a, b = x[:half], x[half:2 * half]
        beta = jnp.where(mu <= 0.5, jnp.power(2 * mu, 1 / 21),
                         jnp.power(2 - 2 * mu, -1 / 21))
        beta = beta * (1 - 2 * sign)
        beta = jnp.where(skip < 0.5, 1.0, beta)  # pro_c is 1: the last draw
        return jnp.concatenate([(a + b) / 2 + beta * (a - b) / 2,
                                (a + b) / 2 - beta * (a - b) / 2])

    def mutate(x, site, mu):
        site = site < 1.0 / dim
        x = jnp.clip(x, 0.0, 1.0)
        low = jnp.power(2 * mu + (1 - 2 * mu) * jnp.power(1 - x, 21.0),
                        1 / 21) - 1
        high = 1 - jnp.power(2 * (1 - mu) + 2 * (mu - 0.5) *
                             jnp.power(x, 21.0), 1 / 21)
        return jnp.where(site, x + jnp.where(mu <= 0.5, low, high), x)

    def update(s, draws):
        parents, mu, sign, skip, rest, site, mu2 = draws
        # Tournaments of two: rank first, then the larger distance.
        rank, dis = s["rank"][parents], s["dis"][parents]
        second = (rank[:, 1] < rank[:, 0]) | (
            (rank[:, 1] == rank[:, 0]) & (dis[:, 1] > dis[:, 0]))
        pool = jnp.where(second, parents[:, 1], parents[:, 0])
        new = crossover(s["pop"][pool], mu, sign, skip, rest)
        new = jnp.clip(mutate(new, site, mu2), 0.0, 1.0)
        return select(jnp.concatenate([s["pop"], new]),
                      jnp.concatenate([s["fit"], dtlz2(new, objectives)]))

    return Algorithm(init, draw, update, {
        "pop": "pop", "fit": "fit", "rank": "rank", "dis": "dis"})


MAKERS = {"pso": pso, "pso_batch": pso_batch, "hpo": hpo, "de": de,
          "open_es": open_es, "cma_es": cma_es, "nsga2": nsga2}
