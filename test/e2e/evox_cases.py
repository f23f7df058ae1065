# evox_cases.py - EvoX workflows by name, and comparing with PyTorch
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds any workflow of EvoX 1.0.1 and compares states with PyTorch's."""

import contextlib
import dataclasses

import torch
from evox import algorithms, workflows
from evox.problems import numerical

# How each algorithm is made: population size, bounds, and what else it takes.
# The bounded ones start anywhere in the box, the others from a center.


def _bounded(name):
    return lambda case, lb, ub: getattr(algorithms, name)(
        case.pop, lb, ub, **case.options)


def _centered(name, **defaults):
    return lambda case, lb, ub: getattr(algorithms, name)(
        case.pop, center(case), **{**defaults, **case.options})


def _multi_objective(name):
    return lambda case, lb, ub: getattr(algorithms, name)(
        case.pop, case.objectives, lb, ub, **case.options)


def center(case):
    """A start that is not the optimum, and not the same in each dimension."""
    return torch.linspace(-1.5, 2.5, case.dim)


ALGORITHMS = {
    **{name: _bounded(name) for name in (
        "DE", "SHADE", "CoDE", "SaDE", "ODE", "JaDE", "CLPSO", "CSO", "FSPSO",
        "PSO", "SLPSOGS", "SLPSOUS")},
    "DMSPSOEL": lambda case, lb, ub: algorithms.DMSPSOEL(
        lb, ub, **case.options),
    # A rate at which Rastrigin's gradient step contracts: at ten times as much
    # each generation multiplies any difference, were it of one bit, by eight.
    "OpenES": _centered("OpenES", learning_rate=0.002, noise_stdev=0.1),
    "XNES": lambda case, lb, ub: algorithms.XNES(
        center(case), torch.eye(case.dim), case.pop, **case.options),
    "SeparableNES": lambda case, lb, ub: algorithms.SeparableNES(
        center(case), torch.ones(case.dim), case.pop, **case.options),
    "CMAES": lambda case, lb, ub: algorithms.CMAES(
        center(case), **{"sigma": 1.0, "pop_size": case.pop, **case.options}),
    **{name: _centered(name) for name in (
        "DES", "SNES", "ARS", "ASEBO", "PersistentES", "NoiseReuseES",
        "GuidedES")},
    # It needs an odd number: the center itself, and pairs.
    "ESMC": lambda case, lb, ub: algorithms.ESMC(
        case.pop | 1, center(case), **case.options),
    **{name: _multi_objective(name) for name in ("RVEA", "NSGA2", "MOEAD")},
}

PROBLEMS = {
    **{name: (lambda name: lambda case: getattr(numerical, name)())(name)
       for name in ("Ackley", "Griewank", "Rastrigin", "Rosenbrock",
                    "Schwefel", "Sphere")},
    **{f"CEC2022-{i}": (lambda i: lambda case: numerical.CEC2022(
        i, case.dim))(i) for i in range(1, 13)},
    **{f"DTLZ{i}": (lambda i: lambda case: getattr(numerical, f"DTLZ{i}")(
        d=case.dim, m=case.objectives))(i) for i in range(1, 8)},
}


class Turned(torch.nn.Module):
    """The problem gets other solutions than the algorithm has."""

    def forward(self, x: torch.Tensor):
        return x.flip([-1]) * 0.5 + 0.25


class Scaled(torch.nn.Module):
    """The algorithm gets another fitness than the problem gives; the module
    has state of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, fitness: torch.Tensor):
        self.calls = self.calls + 1
        return fitness * 2 + self.calls


@dataclasses.dataclass(frozen=True)
class Case:
    """A workflow: EvoX's names, the sizes, and the default dtype."""

    algorithm: str
    problem: str
    dtype: str = "float32"
    pop: int = 100
    dim: int = 20
    objectives: int = 3
    bound: float = 32.0
    monitor: tuple = None  # of (option, value) for EvalMonitor, or None
    direction: str = "min"
    extra: tuple = ()  # of (option, value) for the algorithm
    transforms: bool = False  # of solutions and fitness

    @property
    def options(self):
        return dict(self.extra)

    def __str__(self):
        return f"{self.algorithm}-{self.problem}-{self.dtype}" \
               f"-{self.pop}x{self.dim}"

    def build(self, seed=7):
        """The workflow, with PyTorch's generator left seeded by `seed`."""
        torch.manual_seed(seed)
        multi = self.algorithm in ("RVEA", "NSGA2", "MOEAD")
        low = 0.0 if multi else -self.bound
        high = 1.0 if multi else self.bound
        with default_dtype(self.dtype):
            lb = torch.full((self.dim,), low)
            ub = torch.full((self.dim,), high)
            algorithm = ALGORITHMS[self.algorithm](self, lb, ub)
            problem = PROBLEMS[self.problem](self)
            workflow = workflows.StdWorkflow(opt_direction=self.direction)
            monitor = None if self.monitor is None else \
                workflows.EvalMonitor(**dict(self.monitor))
            transforms = dict(solution_transform=Turned(),
                              fitness_transform=Scaled()) \
                if self.transforms else {}
            workflow.setup(algorithm, problem, monitor=monitor, **transforms)
            workflow.step  # scripts it
        return workflow


@contextlib.contextmanager
def default_dtype(name):
    """What `torch.rand(3)` gives: in a script too, where it runs."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def compile_case(case, workflow=None, **options):
    """The compiled workflow, as evox_mlir gives it."""
    import evox_mlir

    with default_dtype(case.dtype):
        return evox_mlir.compile(
            workflow or case.build(), methods=("init_step", "step"),
            **options)


def torch_value(workflow, name):
    """A piece of the workflow's state by its dotted name; lists too."""
    value = getattr(workflow, "__jit_module__", None) or workflow
    for part in name.split("."):
        value = getattr(value, part)
    return value


def torch_state(workflow, names):
    """Copies of PyTorch's state: of what the compiled program calls so."""
    def copy(value):
        if isinstance(value, torch.Tensor):
            return value.detach().clone()
        return [copy(element) for element in value]

    return {name: copy(torch_value(workflow, name)) for name in names}


TOLERANCES = {torch.float64: (1e-12, 1e-13), torch.float32: (1e-5, 1e-6),
              torch.bfloat16: (1e-2, 1e-3), torch.float16: (1e-3, 1e-4)}


@dataclasses.dataclass
class Tally:
    """How many elements were compared, and how many had the same bits."""

    elements: int = 0
    identical: int = 0

    def __str__(self):
        share = 100 * self.identical / max(self.elements, 1)
        return f"{self.identical} of {self.elements} elements bit-identical " \
               f"({share:.4f} %)"


# GuidedES divides differences of nearly equal fitnesses by each other: the ulp
# that MKL's exp and cos, which PyTorch calls, are from ours comes out as many.
# On Rosenbrock, in float64, it factorises a matrix of a condition of 1e8 and
# more: PyTorch's own factors are 6e-10 from the exact ones.
AMPLIFIED = {("GuidedES", "float32"): 100, ("GuidedES", "float64"): 1e5}


def compare(name, ours, theirs, tally, factor=1):
    """Asserts that a piece of state is PyTorch's."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), \
            f"{name}: {len(ours)} elements, PyTorch has {len(theirs)}"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            compare(f"{name}[{i}]", a, b, tally, factor)
        return
    assert ours.dtype == theirs.dtype, \
        f"{name}: {ours.dtype}, PyTorch has {theirs.dtype}"
    assert ours.shape == theirs.shape, \
        f"{name}: {tuple(ours.shape)}, PyTorch has {tuple(theirs.shape)}"
    same = bits(ours) == bits(theirs)
    tally.elements += same.numel()
    tally.identical += int(same.sum())
    if bool(same.all()):
        return
    assert theirs.is_floating_point(), \
        f"{name}: {int((~same).sum())} of {same.numel()} elements differ"
    a, b = ours.double(), theirs.double()
    finite = torch.isfinite(b)
    assert torch.equal(a[~finite].nan_to_num(), b[~finite].nan_to_num()) and \
        torch.equal(a.isnan(), b.isnan()), f"{name}: NaN or infinity differ"
    rtol, atol = TOLERANCES[theirs.dtype]
    largest = b[finite].abs().max() if bool(finite.any()) else torch.zeros(())
    error = torch.where(finite, (a - b).abs(), 0.0)
    excess = error - factor * (rtol * b.abs().nan_to_num(0, 0, 0) +
                               atol * largest)
    if bool((excess > 0).any()):
        worst = int(excess.argmax())
        raise AssertionError(
            f"{name}: {int((excess > 0).sum())} of {same.numel()} elements "
            f"are too far off; element {worst}: {a.flatten()[worst].item()!r},"
            f" PyTorch has {b.flatten()[worst].item()!r} (the largest "
            f"magnitude is {largest.item()!r})")


def bits(tensor):
    """The bits as integers: -0.0 is not 0.0, a NaN equals itself."""
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.contiguous().view(kind[tensor.element_size()])


def whole_state(program):
    """state_dict(), and the lists that it leaves out, as PyTorch's does."""
    lists = [slot.name for slot in program.library.signature.state
             if slot.kind == "list"]
    return {**program.state_dict(), **{n: program.get(n) for n in lists}}


def compare_state(program, workflow, tally, where, case=None):
    ours = whole_state(program)
    theirs = torch_state(workflow, ours)
    for name in ours:
        open_signs = EIGENVECTORS.get(getattr(case, "algorithm", None), {})
        if name in open_signs:
            compare_eigenvectors(f"{where}: {name}", ours[name], theirs[name],
                                 open_signs[name])
        else:
            compare(f"{where}: {name}", ours[name], theirs[name], tally,
                    AMPLIFIED.get((getattr(case, "algorithm", None),
                                   getattr(case, "dtype", None)), 1))
    return theirs


def put_state(program, state):
    """Sets the tensors of a state, which may be PyTorch's."""
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            program.set(name, value)


GENERATOR = "__generator__"  # its bytes are those of torch.get_rng_state()


# The columns of an eigenvector matrix are open up to their sign, and PyTorch
# calls another LAPACK than the compiled program does: aligned, and compared to
# what the gaps between eigenvalues leave of the digits.
# (EvoX keeps them as the rows of B and, scaled, as the columns of D.)
# C_invsqrt is made of them, and has no sign of its own.
EIGENVECTORS = {"CMAES": {"algorithm.B": 1, "algorithm.D": 0,
                          "algorithm.C_invsqrt": None}}
EIGENVECTOR_TOLERANCE = {torch.float32: 2e-3, torch.float64: 1e-9}


def compare_eigenvectors(name, ours, theirs, along):
    if along is not None:
        same = (ours * theirs).sum(along, keepdim=True) >= 0
        ours = torch.where(same, ours, -ours)
    error = (ours - theirs).abs().max() / theirs.abs().max()
    assert error <= EIGENVECTOR_TOLERANCE[theirs.dtype], \
        f"{name}: off by {error:.3g} with signs aligned"


def lockstep(case, steps, seed=42, tally=None):
    """Runs both side by side: each step from PyTorch's own state before it,
    generator included."""
    tally = tally or Tally()
    workflow = case.build()
    program = compile_case(case, workflow)
    program.seed(seed)
    torch.manual_seed(seed)
    with default_dtype(case.dtype):
        for step in range(steps + 1):
            entry = "step" if step else "init_step"
            getattr(workflow, entry)()
            getattr(program, entry)()
            theirs = compare_state(program, workflow, tally,
                                   f"{case}: {entry} {step}", case)
            put_state(program, theirs)
            after = torch.get_rng_state()
            assert torch.equal(program.get(GENERATOR), after), \
                f"{case}: {entry} {step}: the generators have parted"
            program.set(GENERATOR, after)
    return tally


def best_fitness(case, state):
    """The best fitness that a state knows, by PyTorch's own arithmetic."""
    problem = PROBLEMS[case.problem](case)
    for name in ("algorithm.global_best_fitness", "algorithm.fitness"):
        if name in state:
            return state[name].min()
    for name in ("algorithm.population", "algorithm.center"):
        if name in state:
            return problem.evaluate(state[name].reshape(-1, case.dim)).min()
    raise KeyError(f"{case}: no fitness in {sorted(state)}")
