# components.py - the parts of an optimization program
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`Algorithm`, `Problem`, `Workflow` and `Monitor`: base classes."""

from __future__ import annotations

from abc import ABC
from typing import Any

import torch

from .module import ModuleBase


class Algorithm(ModuleBase, ABC):
    """The base of algorithms: override `step`, and `init_step` if the first
    step differs. Inside them, `self.evaluate(population)` is the problem."""

    def __init__(self):
        super().__init__()

    def step(self) -> None:
        """One generation."""
        pass

    def init_step(self) -> None:
        """The first generation; `step` unless overridden."""
        self.step()

    def evaluate(self, pop: torch.Tensor) -> torch.Tensor:
        """The fitness of a population, (size, ...) to (size,) or (size,
        objectives). A workflow sets it; before that it raises
        NotImplementedError."""
        raise NotImplementedError(
            "evaluate is set by a workflow; this algorithm is in none"
        )


class Problem(ModuleBase, ABC):
    """The base of problems: override `evaluate`. One that can't be compiled
    is marked `torch.jit.ignore`."""

    def __init__(self):
        super().__init__()

    def evaluate(self, pop: torch.Tensor) -> torch.Tensor:
        """The fitness of a population, (size, ...) to (size,) or (size,
        objectives). The base gives an empty tensor."""
        return torch.empty(0)


class Workflow(ModuleBase, ABC):
    """The base of workflows: override `step`, and `init_step` if the first
    step differs."""

    def init_step(self) -> None:
        """The first step; `step` unless overridden."""
        self.step()

    def step(self) -> None:
        """One step."""
        pass


class Monitor(ModuleBase, ABC):
    """The base of monitors: hooks that a workflow calls in each step, in
    this order: `post_ask`, `pre_eval`, `post_eval`, `pre_tell`. The base's
    do nothing."""

    def set_config(self, **config) -> "Monitor":
        """Set static members, such as `opt_direction`; to be overridden.
        Returns self."""
        return self

    def post_ask(self, candidate_solution: torch.Tensor) -> None:
        """Called with the candidates before they are transformed."""
        pass

    def pre_eval(self, transformed_candidate_solution: Any) -> None:
        """Called with the candidates as they go to the problem."""
        pass

    def post_eval(self, fitness: torch.Tensor) -> None:
        """Called with the fitness as it comes from the problem."""
        pass

    def pre_tell(self, transformed_fitness: torch.Tensor) -> None:
        """Called with the fitness as it goes to the algorithm."""
        pass
