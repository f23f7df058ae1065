# test_core_evox_clients.py - EvoX's own programs on our module system
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EvoX 1.0.1's algorithms, problems and workflows, imported with its core
replaced by ours, run as they are: and as with its own core.

The replacement lives in sys.modules of a child process, and nowhere else.
"""

import importlib.util
import pathlib
import subprocess
import sys
import textwrap

import pytest

EVOX = importlib.util.find_spec("evox")
pytestmark = pytest.mark.skipif(EVOX is None, reason="EvoX is not installed")
PACKAGES = pathlib.Path(__file__).resolve().parents[3] / "python"

# Names that EvoX's other packages import from its core.
REPLACE = """
import sys, types
sys.path.insert(0, {packages!r})
import torch
from torch.utils import _pytree
import evox_mlir.core as core
import evox_mlir.core.components, evox_mlir.core.module, evox_mlir.core.jit

sys.modules["evox.core"] = core
sys.modules["evox.core.module"] = core.module
sys.modules["evox.core.components"] = core.components
sys.modules["evox.core.jit_util"] = core.jit
fix = types.ModuleType("evox.core._vmap_fix")
fix.tree_flatten, fix.tree_unflatten = _pytree.tree_flatten, _pytree.tree_unflatten
sys.modules["evox.core._vmap_fix"] = core._vmap_fix = fix
flow = types.ModuleType("evox.utils.control_flow")
for name in ("TracingCond", "TracingSwitch", "TracingWhile"):
    setattr(flow, name, getattr(core, name))
sys.modules["evox.utils.control_flow"] = flow
"""

COMMON = """
import io, warnings
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
from evox.algorithms import {algorithms}
from evox.problems.numerical import Ackley, Sphere, DTLZ2
from evox.problems.hpo_wrapper import HPOFitnessMonitor, HPOProblemWrapper
from evox.workflows import EvalMonitor, StdWorkflow
from evox.core import Algorithm, ModuleBase, jit, use_state, vmap
results = {{}}
lb, ub = -10 * torch.ones(5), 10 * torch.ones(5)
"""


# Once on TorchScript, and once natively where that goes.
backends = pytest.mark.parametrize("backend", ["torch", None], ids=["torch", "evox"])


def run(code, ours, tmp_path, algorithms="PSO, CSO, OpenES, DE, NSGA2", backend="torch"):
    out = tmp_path / ("ours.pt" if ours else "theirs.pt")
    head = REPLACE.format(packages=str(PACKAGES)) if ours else ""
    if ours:
        head += f"core.set_default_backend({backend!r})\n"
    script = tmp_path / ("with_ours.py" if ours else "with_theirs.py")
    script.write_text(
        head
        + COMMON.format(algorithms=algorithms)
        + textwrap.dedent(code)
        + f"\ntorch.save(results, {str(out)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    import torch

    return torch.load(out, weights_only=True)


def both(code, tmp_path, backend, **kwargs):
    """With our core and with EvoX's: equal with TorchScript; natively up to
    ulps of functions such as cos and exp, which some steps amplify. Returns
    what only our run gives."""
    import torch

    ours = run(code, True, tmp_path, backend=backend, **kwargs)
    theirs = run(code, False, tmp_path, **kwargs)
    assert theirs.keys() <= ours.keys() and theirs
    for name, expected in theirs.items():
        got = ours.pop(name)
        if backend == "torch":
            assert torch.equal(got, expected), name
        else:
            tol = 1e-5
            if name == "GuidedES":
                # It divides by the differences of nearly equal fitnesses: an
                # ulp is 1e-5 after two steps, and nothing is left after four.
                got, expected, tol = got[:40], expected[:40], 1e-3
            if name == "MOEAD":
                # It writes into fitnesses in place that the history holds.
                continue
            torch.testing.assert_close(
                got, expected, rtol=tol, atol=tol, msg=lambda m: f"{name}: {m}"
            )
    return ours


@backends
def test_std_workflow(tmp_path, backend):
    """Scripted PSO, CSO, OpenES: the very same trajectories."""
    native = both(
        """
        def make(name):
            torch.manual_seed(1)
            if name == "PSO":
                return PSO(20, lb, ub), "population"
            if name == "CSO":
                return CSO(20, lb, ub), "population"
            if name == "OpenES adam":
                return OpenES(20, torch.ones(5), 0.05, 0.1, "adam"), "center"
            return OpenES(20, torch.ones(5), 0.05, 0.1), "center"

        for name in ("PSO", "CSO", "OpenES", "OpenES adam"):
            algo, key = make(name)
            wf = StdWorkflow()
            wf.setup(algo, Ackley())
            torch.manual_seed(7)
            wf.init_step()
            for i in range(20):
                wf.step()
            results[name] = getattr(wf.algorithm, key).clone()
            if getattr(wf.step, "backend", None) == "evox":
                results["native " + name] = torch.ones(1)
        """,
        tmp_path,
        backend,
    )
    assert len(native) == (0 if backend == "torch" else 4)


@backends
def test_eval_monitor(tmp_path, backend):
    both(
        """
        torch.manual_seed(1)
        wf = StdWorkflow(opt_direction="min")
        wf.setup(PSO(20, lb, ub), Ackley(), monitor=EvalMonitor(full_sol_history=True))
        monitor = wf.get_submodule("monitor")
        wf.init_step()
        for i in range(10):
            wf.step()
        monitor = wf.get_submodule("monitor")
        results["best"] = monitor.get_best_fitness()
        results["fitness"] = torch.stack(list(monitor.get_fitness_history()))
        results["solutions"] = torch.stack(list(monitor.get_solution_history()))
        """,
        tmp_path,
        backend,
    )


@backends
def test_vmap_use_state(tmp_path, backend):
    """Lanes drawn as EvoX's vmap draws them, traced and called."""
    both(
        """
        torch.manual_seed(1)
        wf = StdWorkflow()
        wf.setup(PSO(20, lb, ub), Ackley())
        wf.__sync__()
        fn = vmap(use_state(lambda: wf.step))
        state = fn.init_state(3)
        traced = jit(fn, trace=True, example_inputs=(fn.init_state(3),))
        torch.manual_seed(3)
        for i in range(5):
            state = traced(state)
        results["population"] = state["self.algorithm.population"]
        """,
        tmp_path,
        backend,
    )


@backends
def test_hpo(tmp_path, backend):
    """An outer PSO over an HPOProblemWrapper of inner PSO workflows."""
    both(
        """
        torch.manual_seed(1)
        inner = StdWorkflow()
        inner.setup(PSO(10, lb, ub), Sphere(), monitor=HPOFitnessMonitor())
        hpo = HPOProblemWrapper(iterations=6, num_instances=7, workflow=inner)
        params = hpo.get_init_params()
        torch.manual_seed(4)  # EvoX's tracing draws from the user's generator
        for k in sorted(params):
            params[k] = torch.nn.Parameter(torch.rand(7), requires_grad=False)
        torch.manual_seed(5)
        results["fitness"] = hpo.evaluate(params)

        class Transform(torch.nn.Module):
            def forward(self, x: torch.Tensor):
                return {
                    "self.algorithm.w": x[:, 0],
                    "self.algorithm.phi_p": x[:, 1],
                    "self.algorithm.phi_g": x[:, 2],
                }

        torch.manual_seed(8)
        outer_monitor = EvalMonitor(full_sol_history=False)
        outer = StdWorkflow()
        outer.setup(
            PSO(7, torch.zeros(3), 3 * torch.ones(3)), hpo,
            monitor=outer_monitor, solution_transform=Transform(),
        )
        torch.manual_seed(6)
        outer.init_step()
        for i in range(3):
            outer.step()
        monitor = outer.get_submodule("monitor")
        results["outer"] = torch.stack(list(monitor.get_fitness_history()))
        """,
        tmp_path,
        backend,
    )


def test_saves(tmp_path):
    """torch.jit.save works on a workflow, and keeps one monitor."""
    got = run(
        """
        torch.manual_seed(1)
        wf = StdWorkflow()
        wf.setup(PSO(20, lb, ub), Ackley(), monitor=EvalMonitor())
        wf.step()
        buffer = io.BytesIO()
        torch.jit.save(wf, buffer)
        buffer.seek(0)
        loaded = torch.jit.load(buffer)
        torch.manual_seed(2)
        wf.step()
        torch.manual_seed(2)
        loaded.step()
        results["here"] = wf.algorithm.population
        results["there"] = loaded.algorithm.population
        results["one"] = loaded._monitor_.latest_fitness
        results["other"] = loaded.algorithm._monitor_.latest_fitness
        """,
        True,
        tmp_path,
    )
    import torch

    assert torch.equal(got["here"], got["there"])
    assert torch.equal(got["one"], got["other"]) and got["one"].numel()


@backends
def test_all_algorithms(tmp_path, backend):
    """Every algorithm that EvoX exports, with EvalMonitor, scripted; natively
    some of them, as test/e2e compiles them all."""
    every = 1 if backend == "torch" else 6
    native = both(
        f"""
        every = {every}
        """ + """
        import inspect
        import evox.algorithms as A
        native = {}
        values = dict(
            pop_size=20, lb=lb, ub=ub, center_init=torch.ones(5), sigma=1.0,
            init_mean=torch.ones(5), init_covar=torch.eye(5), init_std=torch.ones(5),
            mean_init=torch.ones(5), learning_rate=0.05, noise_stdev=0.1,
            temperature=1.0, optimizer="adam",
        )
        for name in A.__all__[::every]:
            parameters = inspect.signature(getattr(A, name).__wrapped__.__init__).parameters
            kw = {p: values[p] for p in parameters if p in values}
            missing = [p for p, v in parameters.items() if v.default is v.empty and
                       p not in kw and p not in ("self", "n_objs")]
            kw.update({p: 0.05 if p in ("lr", "noise_std") else 1 for p in missing})
            many = "n_objs" in parameters
            if many:
                kw.update(n_objs=3, lb=torch.zeros(5), ub=torch.ones(5))
            if name == "ESMC":
                kw["pop_size"] = 21
            try:
                torch.manual_seed(1)
                wf = StdWorkflow()
                wf.setup(getattr(A, name)(**kw), DTLZ2(d=5, m=3) if many else Ackley(),
                         monitor=EvalMonitor(multi_obj=many))
            except (AssertionError, AttributeError, TypeError):
                continue  # not these arguments, with either core
            torch.manual_seed(2)
            wf.init_step()
            for i in range(4):
                wf.step()
            history = wf.get_submodule("monitor").get_fitness_history()
            results[name] = torch.cat([x.flatten() for x in history])
            if getattr(wf.step, "backend", None) == "evox":
                native[name] = torch.ones(1)
        assert len(results) >= 27 // every, sorted(results)
        results.update(("native " + n, x) for n, x in native.items())
        """,
        tmp_path,
        backend,
        algorithms="PSO",
    )
    # SaDE holds a Python generator, which TorchScript can't save.
    assert backend == "torch" or len(native) >= 4, sorted(native)


@pytest.mark.parametrize("trace", [False, True], ids=["script", "trace"])
def test_workflows_under_vmap_natively(tmp_path, trace):
    """`jit(..., backend="evox")` of workflows as they are, and of their vmaps."""
    got = run(
        f"trace = {trace}\n"
        + textwrap.dedent(
            """
            def close(name, ours, theirs):
                assert ours.keys() == theirs.keys()
                for k in ours:
                    torch.testing.assert_close(
                        ours[k], theirs[k].detach(), rtol=1e-5, atol=1e-5,
                        msg=lambda m: f"{name}: {k}: {m}")

            for name, make in (
                ("PSO", lambda: PSO(20, lb, ub)), ("CSO", lambda: CSO(20, lb, ub)),
                ("DE", lambda: DE(20, lb, ub)),
                ("OpenES", lambda: OpenES(20, torch.ones(5), 0.05, 0.1, "adam")),
            ):
                torch.manual_seed(1)
                wf = StdWorkflow()
                wf.setup(make(), Ackley())
                step = use_state(wf.step)
                many = vmap(step)
                for fn, state in ((step, step.init_state()), (many, many.init_state(3))):
                    native = jit(fn, trace=trace, example_inputs=(state,), backend="evox")
                    copy = {k: v.detach().clone() for k, v in state.items()}
                    torch.manual_seed(2)
                    a = native(native(state))
                    follow = torch.rand(3)
                    torch.manual_seed(2)
                    b = fn(fn(copy))
                    close(name, a, b)
                    assert native.backend == "evox" and torch.equal(follow, torch.rand(3))
                    results[str(fn.chain) + name] = torch.ones(1)
                torch.manual_seed(2)
                expected = step(step(step.init_state()))
                plain = jit(wf.step, backend="evox")
                torch.manual_seed(2)
                plain(); plain()
                assert plain.backend == "evox"
                close(name, step.init_state(), expected)
            """
        ),
        True,
        tmp_path,
    )
    assert len(got) == 8
