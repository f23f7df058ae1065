# run.py - time per generation, beside TorchScript and hand-written C++
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""    make benchmark
    benchmarks/run.py [--only TEXT] [--threads N] [--seconds S] [--large]
                      [--torch-compile] [--output FILE] [--force]

Every workload runs in rounds, in each of which every contestant has its turn,
so that what else the machine does hits all of them; the least of the rounds
counts, the median is shown too. Before it is timed, a compiled program must
compute what PyTorch does: three generations from the same seed. The machine
must be idle, which is checked first."""

import argparse
import ctypes
import dataclasses
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
sys.path.insert(0, str(ROOT / "python"))

import evox_cases  # noqa: E402
from evox_cases import Case  # noqa: E402

ROUNDS = 7
ALONE = " on one thread"


@dataclasses.dataclass
class Workload:
    name: str
    case: Case
    large: bool = False
    # Generations that are compared; one for what multiplies a last bit.
    checked: int = 3


WORKLOADS = [
    Workload("PSO Ackley 100x10", Case("PSO", "Ackley", pop=100, dim=10)),
    Workload("PSO Ackley 1024x100", Case("PSO", "Ackley", pop=1024, dim=100)),
    Workload("PSO Ackley 16384x128",
             Case("PSO", "Ackley", pop=16384, dim=128)),
    Workload("PSO Ackley 100000x1000",
             Case("PSO", "Ackley", pop=100_000, dim=1000), large=True),
    Workload("PSO Sphere 1024x100", Case("PSO", "Sphere", pop=1024, dim=100)),
    Workload("PSO Ackley 1024x100, float64",
             Case("PSO", "Ackley", dtype="float64", pop=1024, dim=100)),
    Workload("DE Ackley 1024x100", Case("DE", "Ackley", pop=1024, dim=100)),
    Workload("SHADE Ackley 1024x100",
             Case("SHADE", "Ackley", pop=1024, dim=100)),
    Workload("OpenES Ackley 4096x1000",
             Case("OpenES", "Ackley", pop=4096, dim=1000)),
    Workload("CMA-ES Ackley 64x100",
             Case("CMAES", "Ackley", pop=64, dim=100), checked=1),
    Workload("CMA-ES Ackley 1024x512",
             Case("CMAES", "Ackley", pop=1024, dim=512), checked=1),
    Workload("NSGA-II DTLZ2 100x12", Case("NSGA2", "DTLZ2", pop=100, dim=12)),
    Workload("NSGA-II DTLZ2 1000x12",
             Case("NSGA2", "DTLZ2", pop=1000, dim=12)),
]


def busy_share(seconds=1.0):
    """The share of the processors' time that went to work."""
    def read():
        with open("/proc/stat") as file:
            times = [int(x) for x in file.readline().split()[1:]]
        return sum(times), times[3] + times[4]

    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(total2 - total, 1)


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def timed(function, n):
    start = time.perf_counter()
    function(n)
    return time.perf_counter() - start


# --- contestants -------------------------------------------------------------


def torchscript(case, threads):
    workflow = case.build()
    torch.manual_seed(1)
    with evox_cases.default_dtype(case.dtype):
        workflow.init_step()
    step = workflow.step

    def run(n):
        torch.set_num_threads(threads)
        with evox_cases.default_dtype(case.dtype):
            for _ in range(n):
                step()
    return run


def torch_compiled(case):
    """torch.compile of the workflow as it was before it was scripted."""
    workflow = case.build()
    torch.manual_seed(1)
    workflow.init_step()
    inner = getattr(workflow, "__inner_module__", workflow)
    step = torch.compile(inner.step)

    def run(n):
        for _ in range(n):
            step()
    return run


class Compiled:
    """A program of evox-compile. `first` is how long it takes from nothing
    but the library to the state after one generation."""

    def __init__(self, case, threads, rng, options=()):
        self.program = evox_cases.compile_case(case, rng=rng, options=options)
        start = time.perf_counter()
        self.program = self.program.new_instance()
        self.program.set_threads(threads)
        self.program.seed(1)
        self.program.init_step()
        self.program.step()
        self.first = time.perf_counter() - start

    def __call__(self, n):
        self.program.run("step", n)

    def state_bytes(self):
        return sum(value.numel() * value.element_size()
                   for name, value in self.program.state_dict().items()
                   if isinstance(value, torch.Tensor))


# Of nearly equal eigenvalues the vectors are open; no two LAPACKs agree.
EIGENVECTORS = ("algorithm.B", "algorithm.D", "algorithm.C_invsqrt")


def check_same(workload):
    """The compiled program computes what PyTorch does, or AssertionError: each
    generation from PyTorch's own state before it."""
    case, tally = workload.case, evox_cases.Tally()
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    program.seed(42)
    torch.manual_seed(42)
    with evox_cases.default_dtype(case.dtype):
        for step in range(workload.checked + 1):
            entry = "step" if step else "init_step"
            getattr(workflow, entry)()
            getattr(program, entry)()
            ours = evox_cases.whole_state(program)
            theirs = evox_cases.torch_state(workflow, ours)
            if case.algorithm == "NSGA2":
                check_front(ours["algorithm.fit"], theirs["algorithm.fit"])
            else:
                for name in ours:
                    if name not in EIGENVECTORS:
                        evox_cases.compare(f"{entry} {step}: {name}",
                                           ours[name], theirs[name], tally)
            evox_cases.put_state(program, theirs)
            program.set(evox_cases.GENERATOR, torch.get_rng_state())


def check_front(ours, theirs):
    """The same individuals, but for a few: which of two at the end of a front
    is the last one is a matter of one bit, and so is their order."""
    distance = (ours[:, None].double() - theirs[None].double()).abs().amax(2)
    found = (distance.amin(1) <= 1e-4).double().mean().item()
    assert found >= 0.95, f"only {found:.0%} of the individuals are PyTorch's"


class Reference:
    """benchmarks/reference/pso.cpp on the same population."""

    library = None

    @classmethod
    def load(cls, folder):
        compiler = next((c for c in ("clang++-22", "clang++", "g++")
                         if shutil.which(c)), None)
        if compiler is None:
            return
        path = pathlib.Path(folder) / "libreference.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-std=c++17",
                 "-shared", "-fPIC", "-pthread",
                 "-mprefer-vector-width=512" if platform.machine() == "x86_64"
                 else "-funroll-loops"]
        if "clang" in compiler:
            flags.append("-fveclib=libmvec")
        subprocess.run([compiler, *flags,
                        ROOT / "benchmarks" / "reference" / "pso.cpp",
                        "-o", path, "-lm"], check=True)
        cls.library = ctypes.CDLL(str(path))
        cls.library.pso_open.restype = ctypes.c_void_p
        cls.library.pso_population.restype = ctypes.c_void_p

    def __init__(self, case, threads, exact):
        # The state before the first generation, and its draws.
        workflow = case.build()
        state = evox_cases.torch_state(workflow, [
            "algorithm.population", "algorithm.velocity", "algorithm.lb",
            "algorithm.ub"])
        self.arrays = [state[f"algorithm.{name}"].contiguous()
                       for name in ("population", "velocity", "lb", "ub")]
        pointers = [ctypes.c_void_p(a.data_ptr()) for a in self.arrays]
        self.shape = (case.pop, case.dim)
        self.handle = ctypes.c_void_p(self.library.pso_open(
            ctypes.c_int64(case.pop), ctypes.c_int64(case.dim),
            int(case.problem == "Ackley"), int(exact), threads,
            ctypes.c_uint64(1), *pointers))

    def __call__(self, n):
        self.library.pso_run(self.handle, ctypes.c_int64(n))

    def population(self):
        address = self.library.pso_population(self.handle)
        n = self.shape[0] * self.shape[1]
        values = (ctypes.c_float * n).from_address(address)
        return torch.tensor(list(values)).reshape(self.shape)

    def close(self):
        self.library.pso_close(self.handle)

    @classmethod
    def check(cls):
        """The one with PyTorch's draws finds PyTorch's population, but for
        the rounding, which fast math changes."""
        case = Case("PSO", "Sphere", pop=64, dim=20)
        reference = cls(case, 2, exact=True)
        reference(3)
        workflow = case.build()
        torch.manual_seed(1)
        for _ in range(3):
            workflow.step()
        theirs = evox_cases.torch_value(workflow, "algorithm.population")
        ours = reference.population()
        reference.close()
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3), \
            "the reference in C++ is not EvoX's PSO"


def has_reference(case):
    return (Reference.library is not None and case.algorithm == "PSO" and
            case.dtype == "float32" and case.problem in ("Ackley", "Sphere"))


# --- measuring ---------------------------------------------------------------


def measure(contestants, seconds):
    """{name: (least, median)} of microseconds per generation."""
    counts, times = {}, {name: [] for name in contestants}
    for name, run in contestants.items():
        run(3)  # TorchScript's first ones optimize
        once = max(timed(run, 1), 1e-9)
        if once < seconds / 10:
            once = max(timed(run, 5) / 5, 1e-9)
        counts[name] = max(1, min(10_000, int(seconds / once)))
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            times[name].append(timed(run, counts[name]) / counts[name])
    results = {name: (1e6 * min(values), 1e6 * statistics.median(values))
               for name, values in times.items()}
    for name in list(results):  # more threads can be slower
        base = name.removesuffix(ALONE)
        if name.endswith(ALONE):
            results[base] = min(results[base], results.pop(name))
    return results


def bandwidth():
    """GB/s of a sum of two arrays that fit no cache, by one thread."""
    a = torch.rand(1 << 25)
    b, c = torch.rand_like(a), torch.empty_like(a)
    best = min(timed(lambda n: torch.add(a, b, out=c), 1) for _ in range(5))
    return 3 * a.numel() * 4 / best / 1e9


def contestants_of(workload, threads, args):
    case, found, notes = workload.case, {}, {}
    several = f"{threads} threads"
    one = Compiled(case, 1, "torch")
    notes["state"] = one.state_bytes()
    notes["first"] = one.first
    found["1 thread"] = one
    found[several] = Compiled(case, threads, "torch")
    found[f"philox, {several}"] = Compiled(case, threads, "philox")
    found["TorchScript"] = torchscript(case, threads)
    found["TorchScript" + ALONE] = torchscript(case, 1)
    if args.torch_compile:
        try:
            run = torch_compiled(case)
            run(2)
            found["torch.compile"] = run
        except Exception as error:  # it does not know all of EvoX
            text = str(error).strip().splitlines() or [type(error).__name__]
            print(f"  torch.compile: {text[0][:70]}")
    if has_reference(case):
        for name, exact in (("C++ MT19937", True), ("C++ xoshiro", False)):
            found[name] = Reference(case, threads, exact)
            found[name + ALONE] = Reference(case, 1, exact)
    return found, notes


def run_all(args):
    threads = args.threads
    several = f"{threads} threads"
    torch.set_num_threads(threads)
    columns = ["1 thread", several, f"philox, {several}", "TorchScript"]
    if args.torch_compile:
        columns.append("torch.compile")
    columns += ["C++ MT19937", "C++ xoshiro"]
    triad = bandwidth()
    lines = [
        "# Performance", "",
        f"Microseconds per generation: the least of {ROUNDS} rounds, in "
        "brackets the median. *n threads* is the compiled program with "
        "PyTorch's own draws, *philox* with the counter-based generator; "
        "TorchScript is EvoX 1.0.1, the C++ columns are "
        "`benchmarks/reference/` with fast math, each with the better of one "
        f"thread and {threads}. "
        "Each workload was checked to compute what PyTorch does before it was "
        "timed.", "",
        f"Machine: {processor()}, {os.cpu_count()} processors, "
        f"{triad:.1f} GB/s to memory by one thread; PyTorch "
        f"{torch.__version__}. `make benchmark` writes this page.", "",
        "| workload | " + " | ".join(columns) +
        " | TorchScript / ours | scaling | first generation, ms | "
        "state, GB/s |",
        "|---" * (len(columns) + 5) + "|",
    ]
    for workload in WORKLOADS:
        if workload.large and not args.large:
            continue
        if args.only and args.only.lower() not in workload.name.lower():
            continue
        print(workload.name, flush=True)
        if not workload.large:
            try:
                torch.set_num_threads(1)  # the order of sums depends on it
                check_same(workload)
            except AssertionError as error:
                text = f"{workload.name}: not PyTorch's numbers: {error}"
                lines.append(f"| {workload.name} | not timed: {error} |")
                print("  " + text, file=sys.stderr)
                continue
            torch.set_num_threads(threads)
        found, notes = contestants_of(workload, threads, args)
        results = measure(found, args.seconds)
        for run in found.values():
            if isinstance(run, Reference):
                run.close()
        cells = []
        for column in columns:
            if column not in results:
                cells.append("")
                continue
            least, median = results[column]
            cells.append(f"{least:,.1f} ({median:,.1f})")
            print(f"  {column:20} {least:12,.1f} us", flush=True)
        ours, theirs = results[several][0], results["TorchScript"][0]
        # Each piece of the state is read and written at least once.
        moved = 2 * notes["state"] / (ours * 1e3)
        cells += [f"{theirs / ours:.1f}x",
                  f"{results['1 thread'][0] / ours:.2f}x",
                  f"{1e3 * notes['first']:.1f}", f"{moved:.1f}"]
        lines.append(f"| {workload.name} | " + " | ".join(cells) + " |")
        print(f"  {'':20} {theirs / ours:12.1f} times TorchScript")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help="workloads whose name contains this")
    parser.add_argument("--threads", type=int,
                        default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--seconds", type=float, default=0.15,
                        help="for one contestant in one round")
    parser.add_argument("--large", action="store_true",
                        help="also what takes gigabytes and minutes")
    parser.add_argument("--torch-compile", action="store_true",
                        help="also torch.compile, minutes of compilation")
    parser.add_argument("--output", default=str(ROOT / "docs" /
                                                "performance.md"))
    parser.add_argument("--force", action="store_true",
                        help="even where the machine is busy")
    args = parser.parse_args()
    busy = busy_share()
    if busy > 0.1 and not args.force:
        sys.exit(f"the machine is busy ({busy:.0%}): timings would say "
                 "nothing; --force runs them all the same")
    with tempfile.TemporaryDirectory() as folder:
        try:
            Reference.load(folder)
            if Reference.library is not None:
                torch.set_num_threads(1)
                Reference.check()
        except subprocess.CalledProcessError:
            print("the reference in C++ does not compile", file=sys.stderr)
        text = run_all(args)
    if args.only:
        print(text)
        return
    pathlib.Path(args.output).write_text(text)
    print(f"written to {args.output}")


if __name__ == "__main__":
    main()
