# run.py - every workload beside its rivals, in one run
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    make benchmark [ARGS="--only PSO"]
    benchmarks/run.py [--only TEXT] [--contestants LIST] [--quick]
                      [--output FILE] [--threads N] [--force]

Every workload runs in rounds, in each of which every contestant has its turn,
so that what else the machine does hits all of them; the least of the rounds
counts, the median is shown too. Contestants are processes of their own, see
contestants.py. Before anything is timed it is checked to compute what EvoX
does, see prepare.py. The machine must be idle, which is checked first. A
contestant that fails has a note for it, and the others go on. Writes
docs/performance.md; a run of some of it prints the page instead, unless
--output says where it goes."""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import contestants
import machine
import report
import workloads
from contestants import Failed

ROOT = machine.ROOT
BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:4.0f} s] {text}", flush=True)


class Prepare:
    """The process with prepare.py, started again where it has ended."""

    def __init__(self):
        self.process = None

    def ask(self, **task):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore",
                 machine.HERE / "prepare.py"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            self.process.wait()
            return {"error": "the process that checks has ended"}

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Run:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.threads = args.threads
        self.rounds = 3 if args.quick else 7
        self.seconds = 0.03 if args.quick else 0.08
        self.patience = 0.0 if args.force else 20.0
        self.prepare = Prepare()
        self.compiler = machine.find_compiler()
        self.programs = machine.build_references(folder / "bin")
        if "host" not in self.programs:
            sys.exit("no C compiler: nothing can be timed")
        self.jax = machine.jax_python(args.jax) \
            if {"jax", "evosax"} & args.groups else None
        self.results = {"threads": self.threads, "rounds": self.rounds,
                        "machine": machine.describe(), "rows": [],
                        "scaling": [], "versions": versions(self.jax)}

    # --- the compiled programs ---

    def compile(self, workload):
        """{"libraries": {rng: path}, "seconds": ..., "stages": ...}."""
        found = {"libraries": {}, "seconds": {}}
        module = self.folder / f"{workload.slug}.pt"
        answer = self.prepare.ask(do="save", workload=workload.slug,
                                  to=str(module))
        if "error" in answer:
            found["error"] = f"cannot be saved: {answer['error']}"
            return found
        for rng in ("torch", "philox"):
            library = self.folder / f"{workload.slug}-{rng}.so"
            command = [self.compiler, str(module), "-o", str(library),
                       f"--rng={rng}", "--name=program", "--stats",
                       f"--default-dtype={workload.dtype}"]
            command += [f"--method={entry}" for entry in workload.entries
                        if entry]
            start = time.perf_counter()
            try:
                done = subprocess.run(command, capture_output=True, text=True,
                                      timeout=180)
            except subprocess.TimeoutExpired:
                found["error"] = "evox-compile took more than 180 s"
                break
            found["seconds"][rng] = time.perf_counter() - start
            if done.returncode:
                text = done.stderr.strip().splitlines() or [""]
                found["error"] = f"evox-compile fails: {text[-1][:200]}"
                break
            found["libraries"][rng] = str(library)
            found["bytes"] = library.stat().st_size
            for line in (done.stdout + done.stderr).splitlines():
                if line.startswith("{\"seconds\""):
                    found["stages"] = json.loads(line)["seconds"]
            found["state"] = self.state_bytes(library)
        module.unlink()
        return found

    def state_bytes(self, library):
        """What an instance holds at first; lists are empty then."""
        tool = pathlib.Path(self.compiler).with_name("evox-run")
        done = subprocess.run([tool, library, "--signature"],
                              capture_output=True, check=True)
        first = [slot["types"][0] for slot in json.loads(done.stdout)["state"]
                 if slot["slot"] == "tensor"]
        bits = [int(re.sub(r"\D", "", kind["dtype"]) or 8) for kind in first]
        return sum(math.prod(kind["shape"]) * width // 8
                   for kind, width in zip(first, bits))

    # --- a row ---

    def row(self, workload, compiled):
        row = {"name": workload.name, "slug": workload.slug, "times": {},
               "failures": {}, "notes": {}, "first": {}, "memory": {},
               "alone": workload.first, "large": workload.large,
               "compile": {k: v for k, v in compiled.items()
                           if k != "libraries"}}
        if workload.large:
            self.prepare.close()  # what it keeps is memory
        if "error" in compiled:
            row["failures"]["ours"] = compiled["error"]
        mine = [contestants.ours(workload, path, rng, self.threads,
                                 self.programs["host"])
                for rng, path in compiled["libraries"].items()]
        if "cpp" in self.args.groups:
            mine += contestants.references(workload, self.threads,
                                           self.programs.get("pso"))
        if workload.large:
            self.one_after_the_other(workload, row, mine)
            return row
        started = [c for c in mine if self.start(row, c)]
        try:
            started += self.start_all(workload, row, compiled)
            for contestant in list(started):
                if not self.guard(row, contestant, contestant.settle):
                    started.remove(contestant)
            started = [c for c in started if c.name not in row["failures"]]
            row["busy"] = machine.wait_until_idle(self.patience)
            self.interleave(row, started)
            for contestant in started:
                self.guard(row, contestant, contestant.memory)
                self.keep(row, contestant)
        finally:
            for contestant in started:
                contestant.close()
            (self.folder / f"{workload.slug}.npz").unlink(missing_ok=True)
        return row

    def guard(self, row, contestant, function, *args):
        """Whether it went well; if not, the row says so."""
        try:
            function(*args)
            return True
        except (Failed, OSError, ValueError) as error:
            row["failures"][contestant.name] = str(error)[:300]
            for turn in contestant.turns:
                row["times"].pop(turn, None)
            say(f"  {contestant.name}: {str(error)[:150]}")
            contestant.close()
            return False

    def start(self, row, contestant):
        return self.guard(row, contestant, contestant.start)

    def start_all(self, workload, row, compiled):
        """Starts those in Python, two at a time but where the time to the
        first generation is to be told; checks meanwhile."""
        with concurrent.futures.ThreadPoolExecutor(
                1 if workload.first else min(2, self.threads)) as pool:
            check = pool.submit(
                self.prepare.ask, do="check", workload=workload.slug,
                libraries=compiled["libraries"], folder=str(self.folder),
                pso=self.programs.get("pso"))
            record = self.folder / f"{workload.slug}.npz"
            others = list(contestants.from_python(
                workload, self.threads, self.args.groups, self.folder,
                self.jax, str(record) if workload.jax and
                workload.kind != "hpo" else None))

            def start(contestant):
                if contestant.name.startswith("JAX"):
                    check.result()  # writes the record
                return self.start(row, contestant)

            started = [c for c, ok in zip(others, pool.map(start, others))
                       if ok]
        answer = check.result()
        problems = answer.get("problems", {})
        if "error" in answer:
            problems = {"check": answer["error"]}
        row["problems"] = problems
        for what, text in problems.items():
            say(f"  not EvoX's numbers, {what}: {text[:200]}")
            # Nothing is timed that is known to be wrong.
            names = {"torch": "ours torch", "philox": "ours philox",
                     "C++": "C++", "check": "ours"}.get(what, what)
            row["failures"][names] = f"not EvoX's numbers: {text}"
        return started

    def turns(self, row, started):
        """[(turn, contestant, threads)] of those that are right."""
        bad = tuple(name for name, text in row["failures"].items()
                    if text.startswith("not EvoX's"))
        return [(turn, c, threads) for c in started
                if not (bad and c.name.startswith(bad))
                for turn, threads in c.turns.items()]

    def interleave(self, row, started):
        turns = self.turns(row, started)
        counts, times = {}, {}
        for turn, contestant, threads in turns:
            def calibrate():
                contestant.run(threads, 2)
                once = max(contestant.run(threads, 1), 1e-7)
                if once < self.seconds / 5:
                    n = max(1, int(self.seconds / 10 / once))
                    once = max(contestant.run(threads, n) / n, 1e-7)
                counts[turn] = max(1, min(50_000, int(self.seconds / once)))
                times[turn] = []
            self.guard(row, contestant, calibrate)
        for _ in range(self.rounds):
            for turn, contestant, threads in turns:
                if contestant.name in row["failures"]:
                    continue
                n = counts[turn]

                def go():
                    times[turn].append(contestant.run(threads, n) / n)
                self.guard(row, contestant, go)
        for turn, contestant, _ in turns:
            if contestant.name not in row["failures"]:
                row["times"][turn] = summary(times[turn])

    def one_after_the_other(self, workload, row, mine):
        """Those of gigabytes, which are not there at the same time."""
        row["problems"] = {}
        others = contestants.from_python(
            workload, self.threads, self.args.groups, self.folder, self.jax,
            None)
        row["busy"] = machine.wait_until_idle(self.patience)
        for contestant in [*mine, *others]:
            say(f"  {contestant.name}")
            if not self.start(row, contestant):
                continue

            def go():
                contestant.settle()
                times = {turn: [] for turn in contestant.turns}
                for _ in range(3):
                    for turn, threads in contestant.turns.items():
                        times[turn].append(contestant.run(threads, 1))
                contestant.memory()
                self.keep(row, contestant)
                for turn, values in times.items():
                    row["times"][turn] = summary(values)
            self.guard(row, contestant, go)
            contestant.close()

    @staticmethod
    def keep(row, contestant):
        if contestant.peak_kb is None:
            return
        name = contestant.name
        row["first"][name] = (contestant.first_ms, contestant.process_ms)
        row["memory"][name] = (contestant.peak_kb, contestant.idle_kb)
        if contestant.note:
            row["notes"][name] = contestant.note

    # --- all of it ---

    def scaling(self, compiled):
        sizes = [(pop, dim) for pop, dim in workloads.SCALING
                 if not self.args.quick or pop * dim <= 1e6]
        for pop, dim in sizes:
            workload = workloads.pso(pop, dim)
            known = next((row for row in self.results["rows"]
                          if row["slug"] == workload.slug), None)
            found = compiled.get(workload.slug) or self.compile(workload)
            entry = {"pop": pop, "dim": dim, "times": {},
                     "compile": {k: v for k, v in found.items()
                                 if k != "libraries"}}
            if known:
                entry["times"] = known["times"]
            else:
                row = {"failures": {}, "times": {}}
                mine = [contestants.ours(workload, path, rng, self.threads,
                                         self.programs["host"])
                        for rng, path in found["libraries"].items()]
                mine = [c for c in mine if self.start(row, c)]
                self.interleave(row, mine)
                for contestant in mine:
                    contestant.close()
                entry["times"] = row["times"]
            self.results["scaling"].append(entry)
            say(f"scaling: {pop} × {dim}")

    def everything(self):
        args = self.args
        if "machine" in self.programs:
            self.results["ceilings"] = machine.ceilings(
                self.programs["machine"], self.threads)
        chosen = [w for w in workloads.WORKLOADS
                  if (not args.only or args.only.lower() in w.slug or
                      args.only.lower() in w.name.lower().replace("×", "x"))
                  and not (args.quick and w.large)]
        compiled = {}
        for workload in chosen:
            compiled[workload.slug] = self.compile(workload)
            taken = compiled[workload.slug]["seconds"].get("torch", 0)
            say(f"compiled {workload.name} in {taken:.2f} s"
                f"{': ' if 'error' in compiled[workload.slug] else ''}"
                f"{compiled[workload.slug].get('error', '')}")
        for number, workload in enumerate(chosen, 1):
            say(f"{number} of {len(chosen)}: {workload.name}")
            row = self.row(workload, compiled[workload.slug])
            self.results["rows"].append(row)
            self.write_results()
            for name, (least, _) in row["times"].items():
                print(f"{'':12}{name:28}{1e6 * least:14,.1f} us", flush=True)
        if not args.only:
            self.scaling(compiled)
        self.prepare.close()
        self.results["took"] = time.monotonic() - BEGIN
        self.write_results()

    def write_results(self):
        """For who wants the figures, and where the run is cut off."""
        path = pathlib.Path(self.args.results)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.results, indent=1))


def summary(seconds):
    return [min(seconds), statistics.median(seconds)]


def versions(jax_python):
    from importlib import metadata

    found = {name: metadata.version(name) for name in ("torch", "evox")}
    if jax_python:
        code = ("from importlib.metadata import version as v\n"
                "print(v('jax'), v('evosax'))")
        done = subprocess.run([jax_python, "-c", code], capture_output=True,
                              text=True)
        found |= dict(zip(("jax", "evosax"), done.stdout.split()))
    return found


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help="workloads whose name contains this")
    parser.add_argument("--contestants", default=",".join(contestants.GROUPS),
                        help="besides ours, some of "
                        + ",".join(contestants.GROUPS) + "; - for none")
    parser.add_argument("--quick", action="store_true",
                        help="fewer and shorter rounds, nothing large, no "
                        "torch.compile")
    parser.add_argument("--threads", type=int,
                        default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--output", help="where the page goes")
    parser.add_argument("--results", default=str(
        ROOT / "build" / "benchmark" / "results.json"),
        help="where the figures go, as JSON")
    parser.add_argument("--page-of", metavar="FILE",
                        help="only write the page of these figures")
    parser.add_argument("--jax", type=pathlib.Path, default=ROOT / "build" /
                        "jax", help="the environment with JAX")
    parser.add_argument("--force", action="store_true",
                        help="even where the machine is busy")
    args = parser.parse_args()
    args.groups = set(args.contestants.split(",")) - {"-", ""}
    unknown = args.groups - set(contestants.GROUPS)
    if unknown:
        parser.error(f"unknown contestants: {', '.join(sorted(unknown))}")
    if args.quick:
        args.groups -= {"compile"}
    return args


def main():
    args = arguments()
    if args.page_of:
        results = json.loads(pathlib.Path(args.page_of).read_text())
    else:
        busy = 0 if args.force else machine.wait_until_idle()
        if busy > 0.1:
            sys.exit(f"the machine is busy ({busy:.0%}): timings would say "
                     "nothing; --force runs them all the same")
        base = pathlib.Path(args.results).parent
        base.mkdir(parents=True, exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=base))
        run = None
        try:
            run = Run(args, folder)
            run.everything()
            results = run.results
        finally:
            if run is not None:
                run.prepare.close()
            shutil.rmtree(folder, ignore_errors=True)
    page = report.page(results)
    whole = not (args.only or args.quick or
                 args.groups != set(contestants.GROUPS))
    output = args.output
    if not output and (whole or args.page_of):
        output = ROOT / "docs" / "performance.md"
    if output:
        pathlib.Path(output).write_text(page)
        say(f"written to {output}")
    else:
        print(page)


if __name__ == "__main__":
    main()
