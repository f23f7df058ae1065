# goals.py - what the project wants of its speed, and what it has
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`goals(results)`: rows of (goal, wanted, measured, holds)."""

import report
from report import least, ours, ratio

PSO = "pso-ackley-1024-100", "pso-ackley-16384-128"
LARGEST = "pso-ackley-100000-1000"
VMAP = "vmap-of-64-pso-ackley-128-32"


def goals(results):
    rows = {row["slug"]: row for row in results["rows"]}
    found = []

    def add(goal, wanted, value, holds, text=None):
        if value is not None:
            found.append((goal, wanted, text or ratio(value, 1.0), holds))

    def against(row, rng, rivals):
        times = [least(row, rival) for rival in rivals]
        times = [t for t in times if t is not None]
        mine = ours(results, row, rng)
        return min(times) / mine if times and mine else None

    def at_least(goal, wanted, value):
        if value is not None:
            add(goal, f"≥ {wanted}×", value, value >= wanted)

    for slug in PSO:
        if slug in rows:
            at_least(f"{rows[slug]['name']}, torch, against EvoX", 15,
                     against(rows[slug], "torch", ["TorchScript"]))
    for rng in ("torch", "philox"):
        if LARGEST in rows:
            at_least(f"{rows[LARGEST]['name']}, {rng}, against EvoX", 30,
                     against(rows[LARGEST], rng, ["TorchScript"]))
        if VMAP in rows:
            at_least(f"vmap of 64 PSO, {rng}, against EvoX's traced", 12,
                     against(rows[VMAP], rng, ["TorchScript"]))
    for slug, row in rows.items():
        mine, theirs = ours(results, row, "philox"), least(row, "C++ philox")
        if slug.startswith("pso") and mine and theirs:
            add(f"{row['name']}, philox, time over C++ philox", "≤ 1.25×",
                mine / theirs, mine / theirs <= 1.25)
    for slug, row in rows.items():
        if slug.startswith(("pso-ackley-1", "pso-sphere", "vmap")) and \
                "float64" not in slug:
            continue
        wanted = 1.0 if slug.startswith("cma") else 1.5
        for rng in ("torch", "philox"):
            at_least(f"{row['name']}, {rng}, against the best of EvoX, eager, "
                     "torch.compile, JAX", wanted, against(
                         row, rng, ["TorchScript", "eager", "torch.compile",
                                    "JAX"]))
    for row in results["rows"]:
        for rng in ("torch", "philox"):
            names = report.our_names(results, rng)
            pair = [row["times"].get(name) for name in names]
            if all(pair) and names[0] != names[1] and pair[0][0] > 1e-3:
                at_least(f"{row['name']}, {rng}, {results['threads']} threads "
                         "against one", 1.7, pair[0][0] / pair[1][0])
    for row in results["rows"]:
        memory, state = row["memory"].get("ours torch"), row["compile"].get(
            "state")
        if memory and state and state > 16e6:
            value = (memory[0] - memory[1]) * 1024 / state
            add(f"{row['name']}, peak memory over state", "< 2×", value,
                value < 2)
    for slug, row in rows.items():
        seconds = row["compile"].get("seconds", {}).get("torch")
        limit = 1 if slug.startswith("pso") else \
            3 if slug.startswith(("nsga", "cma")) else None
        if seconds and limit:
            add(f"{row['name']}, evox-compile", f"< {limit} s", seconds,
                seconds < limit, f"{seconds:.2f} s")
    firsts = [(row["first"]["ours torch"][1], row["name"])
              for row in results["rows"]
              if "ours torch" in row["first"] and not row["large"]]
    if firsts:
        value, name = max(firsts)
        add("first generation from a fresh process, the slowest but the "
            "largest", "< 20 ms", value, value < 20, f"{value:.1f} ms ({name})")
    for rng in ("torch", "philox"):
        names = report.our_names(results, rng)
        # Of one thread, which is what the work costs, and of what one would use.
        for used, threads in ((names[:1], "1 thread"), (names, "the better")):
            cached, beyond = [], []
            for entry in results["scaling"]:
                times = [entry["times"][name][0] for name in used
                         if name in entry["times"]]
                elements = entry["pop"] * entry["dim"]
                if times and entry["dim"] >= 100:
                    (cached if 12 * elements <= 16e6 else beyond).append(
                        min(times) / elements)
            for costs, where in ((cached, "in the caches"),
                                 (beyond, "in memory")):
                if len(costs) > 1:
                    value = max(costs) / min(costs)
                    add(f"PSO, {rng}, {threads}, time per element, most over "
                        f"least, {where}", "≤ 1.5×", value, value <= 1.5)
    return found


def section(results):
    found = goals(results)
    if not found:
        return ""
    return "\n".join([
        "## Goals", "",
        report.table(["goal", "wanted", "measured", "holds"],
                     [[goal, wanted, text, "yes" if holds else "**no**"]
                      for goal, wanted, text, holds in found])])
