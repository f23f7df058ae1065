# report.py - the page with the figures
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`page(results)`: docs/performance.md of what run.py has measured."""

import contestants
import workloads

ONE = contestants.ONE


def page(results):
    import goals

    parts = [head(results), times(results), ratios(results),
             goals.section(results), roofline(results), scaling(results),
             compiling(results), first_generation(results), memory(results),
             notes(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |",
             "|---" + "|---:" * (len(columns) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def number(value):
    """Three digits that count, or all those before the point."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(above, below):
    if above is None or below is None:
        return ""
    value = above / below
    return f"{value:.0f}×" if value >= 20 else f"{value:.1f}×" \
        if value >= 2 else f"{value:.2f}×"


# --- what a row knows --------------------------------------------------------


def best(row, name):
    """[least, median] in seconds of a rival, with whatever threads it is
    faster; None where it has none."""
    found = [row["times"][key] for key in (name, name + ONE)
             if key in row["times"]]
    return min(found) if found else None


def least(row, name):
    found = best(row, name)
    return found and found[0]


def our_names(results, rng):
    several = results["threads"]
    one = f"ours {rng}{ONE}"
    return (one, f"ours {rng}, {several} threads" if several > 1 else one)


def ours(results, row, rng):
    found = [row["times"][key][0] for key in our_names(results, rng)
             if key in row["times"]]
    return min(found) if found else None


def missing(row, name):
    """Why there is no time: fails, or nothing where it was not asked for."""
    for key, text in row["failures"].items():
        if name.startswith(key) or key.removesuffix(ONE) == name:
            return "wrong" if text.startswith("not EvoX's") else "fails"
    return ""


# --- the parts ---------------------------------------------------------------


def head(results):
    facts, versions = results["machine"], results["versions"]
    known = ", ".join(f"{title} {versions[key]}" for key, title in (
        ("torch", "PyTorch"), ("evox", "EvoX"), ("jax", "JAX"),
        ("evosax", "evosax")) if key in versions)
    lines = [
        "# Performance", "",
        "`make benchmark` writes this page; nothing in it is typed in.", "",
        f"- Machine: {facts['model']}, {facts['cores']} processors, "
        f"{facts['isa']}; {facts.get('memory', '?')} GB of memory; "
        f"{facts['caches']}.",
        f"- {known}; float32 unless the row says otherwise.",
    ]
    for count, found in sorted(results.get("ceilings", {}).items()):
        triad = ", ".join(f"{rate:.0f} at {size_text(int(size))}"
                          for size, rate in found["triad"].items())
        words = ", ".join(f"{name} {ns:.2f}" for name, ns in
                          found["words"].items())
        lines.append(
            f"- Measured with {count} thread{'s' if count != '1' else ''}: "
            f"triad GB/s {triad}; {found['gflops']:.0f} GFLOP/s of fused "
            f"multiply-adds; ns per 32-bit word drawn: {words}.")
    took = results.get("took")
    if took:
        lines.append(f"- The run took {took / 60:.0f} minutes.")
    return "\n".join(lines)


def size_text(size):
    for unit, name in ((2**30, "GB"), (2**20, "MB"), (2**10, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"


def times(results):
    names = [name for name in contestants.RIVALS
             if any(best(row, name) or missing(row, name)
                    for row in results["rows"])]
    own = []
    for rng in ("torch", "philox"):
        own += [n for n in our_names(results, rng) if n not in own]

    def cell(found, otherwise=""):
        if not found:
            return otherwise
        return f"{number(1e6 * found[0])} ({number(1e6 * found[1])})"

    rows = []
    for row in results["rows"]:
        cells = [cell(best(row, name), missing(row, name)) for name in names]
        mine = [cell(row["times"].get(name), missing(row, name))
                for name in own]
        rows.append([row["name"], *cells,
                     *(f"**{text}**" if text else "" for text in mine)])
    return "\n".join([
        "## Time per generation", "",
        f"Microseconds: the least of {results['rounds']} rounds, in brackets "
        "the median. In each round every contestant has its turn (those of "
        "100,000×1,000 do not fit into memory together and run three "
        "generations one after the other). Rivals have the better of one "
        f"thread and {results['threads']}; torch.compile the better of its "
        "own draws and PyTorch's, and EvoX's formulas as one function of the "
        "state (EvoX's own modules fall apart in it and are slower than "
        "eager); JAX the better of a loop inside XLA and one "
        "outside, and of two generators. *torch* draws PyTorch's own numbers, "
        "one by one, *philox* is counter-based. C++ is "
        "`benchmarks/reference/`, with fast math, by its generator. EvoX "
        "(TorchScript, eager, torch.compile) is called from Python, JAX too; "
        "ours and C++ are programs in C and C++. An empty cell was not run: "
        "where there is no such contestant, and torch.compile on loops that "
        "depend on data. Why one *fails* is at the end.", "",
        table(["workload", *names, *own], rows)])


def ratios(results):
    rows = []
    general = ("TorchScript", "eager", "torch.compile", "JAX", "evosax")
    for row in results["rows"]:
        cells = [row["name"]]
        evox = least(row, "TorchScript")
        rivals = {name: least(row, name) for name in general
                  if least(row, name)}
        # evosax has algorithms of its own; the best is of the same one.
        same = {k: v for k, v in rivals.items() if k != "evosax"}
        strongest = min(same, key=same.get) if same else None
        for rng in ("torch", "philox"):
            mine = ours(results, row, rng)
            cells.append(ratio(evox, mine))
            cells.append(f"{ratio(same.get(strongest), mine)}"
                         if strongest else "")
        cells.append(strongest or "")
        for rng, name in (("torch", "C++ MT19937"), ("torch", "C++ xoshiro"),
                          ("philox", "C++ philox"),
                          ("philox", "C++ xoshiro")):
            cells.append(ratio(ours(results, row, rng), least(row, name)))
        for rng in ("torch", "philox"):
            one, several = our_names(results, rng)
            cells.append(ratio(
                *(row["times"].get(name, [None])[0]
                  for name in (one, several))) if one != several else "")
        rows.append(cells)
    return "\n".join([
        "## Ratios", "",
        "How many times as fast as EvoX's TorchScript, and as the best of "
        "TorchScript, eager, torch.compile and JAX, which is named; ours over "
        "the hand-written C++ (below 1: faster); and what the second thread "
        "gives. The least of one and several threads on either side.", "",
        table(["workload", "torch: EvoX / ours", "best / ours",
               "philox: EvoX / ours", "best / ours", "the best",
               "torch / C++ MT19937", "torch / C++ xoshiro",
               "philox / C++ philox", "philox / C++ xoshiro",
               "threads, torch", "threads, philox"], rows)])


def roofline(results):
    ceilings = results.get("ceilings")
    if not ceilings:
        return ""
    several = ceilings.get(str(results["threads"])) or ceilings["1"]
    one = ceilings["1"]

    def bandwidth(size):
        for known, rate in several["triad"].items():
            if size <= int(known):
                return rate
        return list(several["triad"].values())[-1]

    rows = []
    for row in results["rows"]:
        workload = workloads.find(row["slug"])
        rate = bandwidth(workload.touched)
        memory_us = workload.moved / max(rate, 1e-3) / 1e3
        flops_us = workload.flops / max(several["gflops"], 1e-3) / 1e3
        cells = [row["name"], size_text(int(workload.touched)),
                 f"{workload.moved / 1e6:,.2f}", number(rate),
                 number(memory_us), f"{workload.words / 1e3:,.1f}"]
        for rng, ns in (("torch", one["words"]["mt19937"]),
                        ("philox", several["words"]["philox"])):
            draws_us = workload.words * ns / 1e3
            floor = max(memory_us, draws_us, flops_us)
            mine = ours(results, row, rng)
            kind = {memory_us: "memory", draws_us: "draws",
                    flops_us: "products"}[floor]
            cells += [number(draws_us),
                      f"{100 * floor / (1e6 * mine):.0f} % of {kind}"
                      if mine else ""]
        cells.insert(6, number(flops_us) if workload.flops else "")
        rows.append(cells)
    return "\n".join([
        "## Roofline", "",
        "What a generation cannot do without, fused as well as can be: the "
        "bytes that it must move, at the triad bandwidth measured for a "
        "working set of that size; the words that it draws, at the "
        "generator's measured ceiling (MT19937 is sequential: one thread); "
        "the multiply-adds of its matrix products. The last columns are the "
        "largest of the three over the time measured. Cosines, square roots, "
        "sorting and eigenvectors' chains of dependent steps are in none of "
        "them.", "",
        table(["workload", "touches", "moves, MB", "GB/s", "memory, µs",
               "draws, thousand", "products, µs", "MT19937, µs",
               "torch reaches", "philox, µs", "philox reaches"], rows)])


def scaling(results):
    if not results["scaling"]:
        return ""
    names = []
    for rng in ("torch", "philox"):
        names += [n for n in our_names(results, rng) if n not in names]
    rows = []
    for entry in results["scaling"]:
        elements = entry["pop"] * entry["dim"]
        cells = [f"{entry['pop']:,}×{entry['dim']:,}", f"{elements:,}",
                 size_text(12 * elements)]
        for name in names:
            found = entry["times"].get(name)
            cells.append(f"{1e9 * found[0] / elements:.2f}" if found else "")
        seconds = entry["compile"]["seconds"].get("torch")
        cells.append(number(seconds))
        rows.append(cells)
    return "\n".join([
        "## Scaling", "",
        "PSO on Ackley: nanoseconds per element and generation, from what "
        "fits the caches to what fits none, and the seconds that evox-compile "
        "takes, initial state included.", "",
        table(["size", "elements", "x, v and the best",
               *(name.removeprefix("ours ") for name in names),
               "compile, s"], rows)])


def compiling(results):
    rows = []
    front = ("libtorch", "import", "evox-to-state", "evox-to-linalg",
             "evox-to-loops", "evox-to-llvm")
    for row in results["rows"]:
        found = row["compile"]
        if not found.get("seconds"):
            continue
        stages = found.get("stages", {})
        cells = [row["name"], number(found["seconds"].get("torch")),
                 number(found["seconds"].get("philox")),
                 number(sum(stages.get(name, 0) for name in front)),
                 number(stages.get("LLVM optimization")),
                 number(stages.get("machine code")),
                 size_text(found.get("bytes", 0))]
        rows.append(cells)
    return "\n".join([
        "## Compile time", "",
        "Seconds of `evox-compile` from the TorchScript file to the shared "
        "library, in both modes; of the last one (philox) what MLIR, LLVM's "
        "optimization and its code generation take; and the library's size, "
        "which has the initial state in it.", "",
        table(["workload", "torch", "philox", "import and MLIR",
               "optimization", "code", "library"], rows)])


def first_generation(results):
    rows = []
    names = ("TorchScript", "eager", "torch.compile", "JAX", "evosax",
             "C++ xoshiro")
    for row in results["rows"]:
        cells = [row["name"]]
        for rng in ("torch", "philox"):
            found = row["first"].get(f"ours {rng}")
            cells.append(f"{number(found[0])} ({number(found[1])})"
                         if found else "")
        for name in names:
            found = row["first"].get(name)
            quiet = row["alone"] or row["large"] or name.startswith("C++")
            cells.append(number(found[1]) if found and quiet else "")
        rows.append(cells)
    return "\n".join([
        "## Time to the first generation", "",
        "Milliseconds. Ours: from the start of a C program's `main` until the "
        "library is loaded, seeded, initialised and one generation done; in "
        "brackets from before the process was started. The others: from "
        "before the process was started until the first generation is done, "
        "with what they import, script, trace and compile on the way "
        "(torch.compile with a cold cache); only of rows where they were "
        "started alone.", "",
        table(["workload", "ours torch", "ours philox", *names], rows)])


def memory(results):
    rows = []
    names = ("TorchScript", "eager", "torch.compile", "JAX", "evosax",
             "C++ xoshiro", "C++ MT19937")
    for row in results["rows"]:
        state = row["compile"].get("state")
        cells = [row["name"], f"{state / 1e6:,.1f}" if state else ""]
        for name in ("ours torch", "ours philox", *names):
            found = row["memory"].get(name)
            cells.append(f"{max(found[0] - found[1], 0) / 1e3:,.1f}"
                         if found else "")
        found = row["memory"].get("ours torch")
        cells.append(f"{(found[0] - found[1]) * 1.024e3 / state:.1f}×"
                     if found and state else "")
        rows.append(cells)
    return "\n".join([
        "## Peak memory", "",
        "Megabytes: the most that the process ever had, less what it had "
        "before it built the workload (imported modules: PyTorch some 230 MB, "
        "JAX some 175 MB). Compiling, where it happens in the process, is in "
        "it. Ours counts the pages of the library, which has the initial "
        "state in it. The state is what the program keeps, without what a "
        "generation needs besides; the last column is ours over it.", "",
        table(["workload", "state", "ours torch", "ours philox", *names,
               "ours torch / state"], rows)])


def notes(results):
    lines = []
    for row in results["rows"]:
        for name, text in row["failures"].items():
            text = text.replace("|", "/").replace("\n", " ")
            lines.append(f"- {row['name']}, {name}: {text}")
        if row.get("busy", 0) > 0.1:
            lines.append(f"- {row['name']}: others kept the machine "
                         f"{row['busy']:.0%} busy when its rounds began.")
        chosen = "; ".join(f"{name}: {note}" for name, note in
                           row["notes"].items())
        if chosen:
            lines.append(f"- {row['name']}, chosen: {chosen}")
    return "\n".join([
        "## Notes", "",
        "Before it is timed, everything is checked: the compiled program "
        "against EvoX, generation by generation from EvoX's own state, with "
        "PyTorch's generator in torch mode and with EvoX given Philox's draws "
        "in philox mode; C++ likewise; JAX repeats a generation of EvoX's "
        "from its state and draws. (HPO in JAX and the largest workload: the "
        "parts, and the smaller ones, are.) evosax has formulas of its own, "
        "such as two draws a particle in PSO, and is not compared.", "",
        *lines])
