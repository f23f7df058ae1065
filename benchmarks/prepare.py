# prepare.py - saves the workloads for the compiler, and checks everybody
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Follows the lines of its standard input, JSON each, and answers with JSON:

    {"do": "save", "workload": SLUG, "to": FILE}
    {"do": "check", "workload": SLUG, "libraries": {"torch": FILE,
     "philox": FILE}, "pso": the program in C++ or null, "folder": FOLDER}

What is checked: the compiled program against EvoX, generation by generation
from EvoX's own state; in torch mode with PyTorch's generator, in philox mode
with EvoX given Philox's draws, which are made here from the definition in
lib/Runtime/Generator.h. The reference in C++ likewise. A generation of EvoX's
is kept, draws included, for torch_algorithms.py and worker_jax.py to
repeat."""

import json
import pathlib
import struct
import subprocess
import sys
import traceback

from worker import Talk

talk = Talk()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import programs  # noqa: E402
import torch_algorithms  # noqa: E402
import workloads  # noqa: E402
from programs import evox_cases  # noqa: E402

SEED = 42
# Of nearly equal eigenvalues the vectors are open; no two LAPACKs agree.
EIGENVECTORS = ("algorithm.B", "algorithm.D", "algorithm.C_invsqrt")


# --- draws -------------------------------------------------------------------


def philox_words(seed, draw, count):
    """Words 0 .. count - 1 of a draw."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c = [blocks & mask, blocks >> half,
         np.full_like(blocks, draw & 0xFFFFFFFF),
         np.full_like(blocks, draw >> 32)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c[0]
        p1 = np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> half) ^ c[1] ^ np.uint64(k0), p1 & mask,
             (p0 >> half) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, 1).reshape(-1)[:count]


def unit(words, dtype):
    if dtype == torch.float64:
        bits = ((words[0::2] << np.uint64(32)) | words[1::2])
        return (bits & np.uint64((1 << 53) - 1)).astype(np.float64) * 2.0**-53
    return (words & np.uint64(0xFFFFFF)).astype(np.float32) * \
        np.float32(2.0**-24)


class Philox:
    """The draws of a compiled program in philox mode."""

    def __init__(self, seed):
        self.seed, self.draw = seed, 0

    def words(self, count):
        self.draw += 1
        return philox_words(self.seed, self.draw - 1, count)

    def uniform(self, count, dtype):
        return unit(self.words(count * (dtype.itemsize // 4)), dtype)

    def normal(self, count, dtype):
        even = count + count % 2
        u = unit(self.words(even * (dtype.itemsize // 4)), dtype)
        radius = np.sqrt(-2.0 * np.log(1.0 - u[0::2].astype(np.float64)))
        angle = 2 * np.pi * u[1::2].astype(np.float64)
        pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
        return pairs.reshape(-1)[:count]

    def integers(self, count, low, high):
        return (self.words(count) % np.uint64(high - low)).astype(
            np.int64) + low

    def permutation(self, count):
        words, out = self.words(count - 1), list(range(count))
        for i in range(count - 1):
            z = i + int(words[i]) % (count - i)
            out[i], out[z] = out[z], out[i]
        return np.array(out)


class Draws(TorchDispatchMode):
    """Keeps what PyTorch draws, or gives the draws of another generator."""

    def __init__(self, other=None):
        super().__init__()
        self.other, self.kept = other, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        known = name in ("rand", "rand_like", "randn", "randn_like",
                         "randint", "randperm")
        if not known:
            # TorchScript's numbers that are tensors come as numbers.
            if name in ("equal", "_local_scalar_dense") and \
                    not isinstance(args[0], torch.Tensor):
                return args[0] if len(args) == 1 else args[0] == args[1]
            if torch.Tag.nondeterministic_seeded in function.tags:
                raise NotImplementedError(f"draws by {function}")
            return function(*args, **kwargs)
        drawn = function(*args, **kwargs)
        if self.other is not None:
            drawn = self.given(name, drawn, args, function)
        self.kept.append(drawn.clone())
        return drawn

    def given(self, name, like, args, function):
        g, count = self.other, like.numel()
        if name.startswith("randn"):
            values = g.normal(count, like.dtype)
        elif name == "randint":
            low, high = (0, args[0]) if "low" not in function._overloadname \
                else args[:2]
            values = g.integers(count, low, high)
        elif name == "randperm":
            values = g.permutation(count)
        else:
            values = g.uniform(count, like.dtype)
        return torch.from_numpy(np.ascontiguousarray(values)).to(
            like.dtype).reshape(like.shape)


# --- comparing ---------------------------------------------------------------


def value_of(module, name):
    if name.startswith("state."):  # of programs.Many
        return module.state[name.removeprefix("state.")]
    value = module
    for part in name.split("."):
        value = getattr(value, part)
    return value


def copied(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return [copied(element) for element in value]


def near_front(ours, theirs):
    """The same individuals, but for a few: which of two at the end of a front
    is the last one is a matter of one bit, and so is their order."""
    distance = (ours[:, None].double() - theirs[None].double()).abs().amax(2)
    found = (distance.amin(1) <= 1e-4).double().mean().item()
    assert found >= 0.95, f"only {found:.0%} of the individuals are EvoX's"


def compare(workload, where, ours, theirs, factor):
    tally = evox_cases.Tally()
    if workload.name.startswith("NSGA-II"):
        near_front(ours["algorithm.fit"], theirs["algorithm.fit"])
        return
    for name in ours:
        if name not in EIGENVECTORS:
            evox_cases.compare(f"{where}: {name}", ours[name], theirs[name],
                               tally, factor)


def check_library(workload, path, rng):
    """From EvoX's own state each time, draws included."""
    import evox_mlir

    program = evox_mlir.load(path)
    module = programs.script_module(workload)
    program.seed(SEED)
    torch.manual_seed(SEED)
    philox = Philox(SEED) if rng == "philox" else None
    # Normal draws that are an ulp apart make another order of the individuals.
    factor = 300 if philox and workload.name.startswith("CMA-ES") else 1
    first, step = workload.entries
    sequence = ([first] if first else []) + [step] * workload.checked
    for number, entry in enumerate(sequence):
        with evox_cases.default_dtype(workload.dtype):
            if philox:
                with Draws(philox):
                    getattr(module, entry)()
            else:
                getattr(module, entry)()
        getattr(program, entry)()
        ours = evox_cases.whole_state(program)
        theirs = {name: copied(value_of(module, name)) for name in ours}
        compare(workload, f"{entry} {number}", ours, theirs, factor)
        evox_cases.put_state(program, theirs)
        generator = program.get(evox_cases.GENERATOR)
        if philox:
            assert bytes(generator.tolist()) == struct.pack(
                "<QQ", SEED, philox.draw), "philox has drawn more, or less"
        else:
            program.set(evox_cases.GENERATOR, torch.get_rng_state())


def keep_generation(workload, path):
    """EvoX's state before and after a generation, and what it drew."""
    module = programs.script_module(workload)
    torch.manual_seed(SEED)
    first, step = workload.entries

    def state():
        if workload.kind == "vmap":
            return {k.removeprefix("self.algorithm."): v.detach().clone()
                    for k, v in module.state.items()}
        return {k: v.detach().clone()
                for k, v in vars_of(module.algorithm).items()}

    with evox_cases.default_dtype(workload.dtype):
        if first:
            getattr(module, first)()
        getattr(module, step)()
        before = state()
        with Draws() as draws:
            getattr(module, step)()
    arrays = {f"draw{i}": d.numpy() for i, d in enumerate(draws.kept)}
    for when, pieces in (("before", before), ("after", state())):
        arrays |= {f"{when}.{k}": v.numpy() for k, v in pieces.items()}
    np.savez(path, **arrays)


def vars_of(module):
    """The tensors that are this module's own."""
    return {**dict(module.named_buffers(recurse=False)),
            **dict(module.named_parameters(recurse=False))}


def check_reference(workload, pso, folder):
    """The program in C++ finds EvoX's population, but for the rounding, which
    fast math changes, and what hangs on a last bit."""
    module = programs.script_module(workload)
    if workload.kind == "vmap":
        at = "state.self.algorithm."
        n, d, swarms = (workload.sizes[k] for k in ("pop", "dim", "swarms"))
        problem = "ackley"
    else:
        at = "algorithm."
        n, d, swarms = workload.case["pop"], workload.case["dim"], 1
        problem = workload.case["problem"].lower()
    state = pathlib.Path(folder) / f"{workload.slug}.state"
    state.write_bytes(value_of(module, at + "population").numpy().tobytes() +
                      value_of(module, at + "velocity").numpy().tobytes())
    after = pathlib.Path(folder) / f"{workload.slug}.after"
    for generator in ("mt19937", "philox"):
        module = programs.script_module(workload)
        torch.manual_seed(SEED)
        philox = Philox(SEED)
        with evox_cases.default_dtype(workload.dtype):
            for _ in range(2):
                if generator == "philox":
                    with Draws(philox):
                        module.step()
                else:
                    module.step()
        theirs = value_of(module, at + "population").double().flatten()
        for threads in ("1", "2"):
            command = [pso, n, d, swarms, problem, workload.dtype, generator,
                       threads, SEED, state]
            done = subprocess.run([str(word) for word in command],
                                  input=f"run 1 1\ndump {after}\n", text=True,
                                  capture_output=True, check=True)
            assert "done" in done.stdout, done.stderr
            ours = torch.from_numpy(np.fromfile(
                after, workload.dtype)).double()
            off = ((ours - theirs).abs() > 1e-3).double().mean().item()
            assert off <= 1e-3, f"{generator}: {off:.2%} of the positions " \
                "are not EvoX's"
    state.unlink()
    after.unlink()


def check_functions(workload, path):
    maker, args = workload.jax
    with np.load(path) as record:
        torch_algorithms.check(torch_algorithms.MAKERS[maker](**args),
                               dict(record))


def check(task):
    workload = workloads.find(task["workload"])
    torch.set_num_threads(1)  # the order of sums depends on it
    problems = {}

    def attempt(what, function, *args):
        try:
            function(*args)
        except Exception as error:
            text = str(error).strip().splitlines() or [type(error).__name__]
            problems[what] = text[0]
            traceback.print_exc()

    for rng, path in task["libraries"].items():
        attempt(rng, check_library, workload, path, rng)
    record = pathlib.Path(task["folder"]) / f"{workload.slug}.npz"
    if workload.jax and workload.kind != "hpo":
        attempt("record", keep_generation, workload, record)
        if workload.jax[0] in torch_algorithms.MAKERS:
            attempt("torch.compile", check_functions, workload, record)
    if workload.cpp and task["pso"]:
        attempt("C++", check_reference, workload, task["pso"], task["folder"])
    return {"problems": problems,
            "record": str(record) if record.exists() else None}


def save(task):
    workload = workloads.find(task["workload"])
    torch.jit.save(programs.script_module(workload), task["to"])
    return {}


def main():
    for line in sys.stdin:
        task = json.loads(line)
        try:
            answer = {"save": save, "check": check}[task["do"]](task)
        except Exception as error:
            traceback.print_exc()
            text = str(error).strip().splitlines() or [""]
            answer = {"error": f"{type(error).__name__}: {text[0]}"}
        print(json.dumps(answer), file=talk.out)


main()
