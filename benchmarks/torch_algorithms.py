# torch_algorithms.py - EvoX's algorithms as torch.compile takes them best
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EvoX's own modules fall apart under torch.compile into dozens of graphs and
are slower than eager. So these are functions of the state, as in
jax_algorithms.py, that make one graph: `init()` gives the state, `draw()` a
generation's random numbers, `update(state, draws)` the next state."""

import math
import typing

import torch


class Algorithm(typing.NamedTuple):
    init: typing.Callable
    draw: typing.Callable
    update: typing.Callable
    names: dict  # EvoX's names of the pieces of the state
    # Of the generation's number, which of `updates` it is; or None.
    choose: typing.Callable = None


def ackley(x):
    return (-20.0 * torch.exp(-0.2 * torch.sqrt(torch.mean(x * x, -1)))
            - torch.exp(torch.mean(torch.cos(2 * math.pi * x), -1))
            + 20.0 + math.e)


def sphere(x):
    return torch.sum(x * x, -1)


PROBLEMS = {"Ackley": ackley, "Sphere": sphere}


def pso(pop, dim, problem, dtype="float32", swarms=None):
    evaluate, dtype = PROBLEMS[problem], getattr(torch, dtype)
    shape = (pop, dim) if swarms is None else (swarms, pop, dim)

    def init():
        x = 64 * torch.rand(shape, dtype=dtype) - 32
        return dict(x=x, v=128 * torch.rand(shape, dtype=dtype) - 64,
                    best=x.clone(), top=x[..., 0, :].clone(),
                    best_fit=torch.full(shape[:-1], math.inf, dtype=dtype),
                    top_fit=torch.full(shape[:-2], math.inf, dtype=dtype))

    def draw():
        return torch.rand(shape, dtype=dtype), torch.rand(shape, dtype=dtype)

    def update(s, draws):
        rg, rp = draws
        x = s["x"]
        fit = evaluate(x)
        better = s["best_fit"] > fit
        best = torch.where(better[..., None], x, s["best"])
        best_fit = torch.where(better, fit, s["best_fit"])
        low, least = torch.min(fit, -1)
        row = torch.take_along_dim(x, least[..., None, None], -2)[..., 0, :]
        found = low < s["top_fit"]
        top = torch.where(found[..., None], row, s["top"])
        top_fit = torch.where(found, low, s["top_fit"])
        v = (0.6 * s["v"] + 2.5 * rp * (best - x)
             + 0.8 * rg * (top[..., None, :] - x))
        return dict(x=torch.clamp(x + v, -32, 32), v=torch.clamp(v, -32, 32),
                    best=best, best_fit=best_fit, top=top, top_fit=top_fit)

    return Algorithm(init, draw, update, {
        "x": "population", "v": "velocity", "best": "local_best_location",
        "best_fit": "local_best_fitness", "top": "global_best_location",
        "top_fit": "global_best_fitness"})


def de(pop, dim, problem):
    evaluate = PROBLEMS[problem]

    def init():
        x = 64 * torch.rand(pop, dim) - 32
        return dict(x=x, fit=evaluate(x))

    def draw():
        return (torch.randint(0, pop, (pop,)), torch.randint(0, pop, (pop,)),
                torch.randint(0, pop, (pop,)), torch.rand(pop, dim),
                torch.randint(0, dim, (pop, 1)))

    def update(s, draws):
        base, first, second, cross, forced = draws
        x = s["x"]
        new = x[base] + 0.5 * (x[first] - x[second])
        mask = (cross < 0.9) | (torch.arange(dim)[None, :] == forced)
        new = torch.clamp(torch.where(mask, new, x), -32, 32)
        fit = evaluate(new)
        better = fit < s["fit"]
        return dict(x=torch.where(better[:, None], new, x),
                    fit=torch.where(better, fit, s["fit"]))

    return Algorithm(init, draw, update, {"x": "population", "fit": "fitness"})


def open_es(pop, dim, problem):
    evaluate = PROBLEMS[problem]

    def init():
        return dict(center=torch.linspace(-1.5, 2.5, dim))

    def draw():
        return (torch.randn(pop // 2, dim),)

    def update(s, draws):
        noise = torch.cat([draws[0], -draws[0]])
        fit = evaluate(s["center"] + 0.1 * noise)
        gradient = noise.T @ fit / pop / 0.1
        return dict(center=s["center"] - 0.002 * gradient)

    return Algorithm(init, draw, update, {"center": "center"})


def cma_es(pop, dim, problem):
    evaluate, mu = PROBLEMS[problem], pop // 2
    weights = math.log((pop + 1) / 2) - torch.log(torch.arange(1, mu + 1))
    weights = weights / weights.sum()
    mu_eff = float(weights.sum() ** 2 / (weights ** 2).sum())
    chi_n = math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim ** 2))
    c_sigma = (mu_eff + 2) / (dim + mu_eff + 5)
    d_sigma = 1 + 2 * max(math.sqrt((mu_eff - 1) / (dim + 1)) - 1, 0) + c_sigma
    c_c = (mu_eff + 2) / (dim + 4 + 2 * mu_eff / dim)
    c_1 = 2 / ((dim + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) /
               ((dim + 2) ** 2 + mu_eff))
    period = max(math.floor(1 / (c_1 + c_mu) / dim / 10), 1)

    def init():
        eye = torch.eye(dim)
        return dict(mean=torch.linspace(-1.5, 2.5, dim),
                    sigma=torch.tensor(1.0), iteration=torch.tensor(0.0),
                    C=eye, C_invsqrt=eye.clone(), B=eye.clone(),
                    D=eye.clone(), p_sigma=torch.zeros(dim),
                    p_c=torch.zeros(dim))

    def draw():
        return (torch.randn(pop, dim),)

    def update(s, draws, decompose=False):
        iteration = s["iteration"] + 1
        mean, sigma = s["mean"], s["sigma"]
        x = mean + sigma * (draws[0] @ s["D"] @ s["B"])
        x = x[torch.argsort(evaluate(x))[:mu]]
        new_mean = mean + weights @ (x - mean)
        delta = new_mean - mean
        p_sigma = (1 - c_sigma) * s["p_sigma"] + math.sqrt(
            c_sigma * (2 - c_sigma) * mu_eff) * (s["C_invsqrt"] @ delta) / sigma
        norm = torch.linalg.vector_norm(p_sigma)
        h_sigma = (norm / torch.sqrt(1 - (1 - c_sigma) ** (2 * iteration)) <
                   (1.4 + 2 / (dim + 1)) * chi_n).float()
        p_c = (1 - c_c) * s["p_c"] + h_sigma * math.sqrt(
            c_c * (2 - c_c) * mu_eff) * delta / sigma
        y = (x - mean) / sigma
        C = ((1 - c_1 - c_mu) * s["C"]
             + c_1 * (p_c @ p_c + (1 - h_sigma) * c_c * (2 - c_c) * s["C"])
             + c_mu * (y.T * weights) @ y)  # p_c @ p_c as EvoX has it
        B, D, C_invsqrt = s["B"], s["D"], s["C_invsqrt"]
        if decompose:
            values, vectors = torch.linalg.eigh((C + C.T) / 2)
            roots = torch.sqrt(torch.clamp(values, min=1e-8))
            B, D = vectors.T, vectors * roots
            C_invsqrt = (vectors / roots) @ vectors.T
        return dict(mean=new_mean, iteration=iteration, C=C, B=B, D=D,
                    C_invsqrt=C_invsqrt, p_sigma=p_sigma, p_c=p_c,
                    sigma=sigma * torch.exp(c_sigma / d_sigma *
                                            (norm / chi_n - 1)))

    names = {name: name for name in (
        "mean", "sigma", "iteration", "C", "C_invsqrt", "B", "D", "p_sigma",
        "p_c")}
    return Algorithm(init, draw, update, names,
                     lambda n: dict(decompose=n % period == 0))


def pso_batch(**sizes):
    return pso(**sizes)


MAKERS = {"pso": pso, "pso_batch": pso_batch, "de": de, "open_es": open_es,
          "cma_es": cma_es}


def generations(algorithm, compile=None):
    """A function without arguments that does one generation after another;
    the state stays in it."""
    def step(state, **how):
        return algorithm.update(state, algorithm.draw(), **how)

    step = compile(step) if compile else step
    state, number = algorithm.init(), 0

    def again():
        nonlocal state, number
        number += 1
        how = algorithm.choose(number) if algorithm.choose else {}
        state = step(state, **how)
    return again


def check(algorithm, record):
    """Repeats a generation of EvoX's (see prepare.py); raises AssertionError
    where the result is another."""
    draws = tuple(torch.from_numpy(record[f"draw{i}"]) for i in range(
        sum(name.startswith("draw") for name in record)))
    state = algorithm.init()
    for ours, evox in algorithm.names.items():
        value = torch.from_numpy(record[f"before.{evox}"])
        state[ours] = value.to(state[ours].dtype).reshape(state[ours].shape)
    how = algorithm.choose(int(state["iteration"]) + 1) \
        if algorithm.choose else {}
    tolerance = 1e-3 if algorithm.choose else 1e-4
    after = algorithm.update(state, draws, **how)
    for ours, evox in algorithm.names.items():
        if ours in ("B", "D"):  # of eigenvectors the signs are open
            continue
        theirs = torch.from_numpy(record[f"after.{evox}"]).double()
        a, b = after[ours].double().flatten(), theirs.flatten()
        off = ((a - b).abs() > tolerance * b.abs().max()).double().mean()
        assert off <= 1e-3, f"{evox}: {off:.2%} of the elements are not EvoX's"
