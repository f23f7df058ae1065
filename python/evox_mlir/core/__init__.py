# __init__.py - evox_mlir.core
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules with mutable state, made pure by `use_state`, batched by `vmap`,
compiled by `jit`; see docs/core.md. The interface is that of EvoX 1.0's
`evox.core`."""

from ._backend import (
    BackendUnavailable,
    register_compiler,
    set_default_backend,
)
from .components import Algorithm, Monitor, Problem, Workflow
from .control_flow import TracingCond, TracingSwitch, TracingWhile
from .jit import JitFunction, jit
from .jit_class import jit_class, trace_impl, vmap_impl
from .module import ModuleBase, Mutable, Parameter, assign_load_state_dict
from .state import (
    is_trace_caching_state,
    is_using_state,
    trace_caching_state_context,
    tracing_or_using_state,
    use_state_context,
)
from .transforms import (
    Chain,
    Source,
    StatefulFunction,
    TransformedFunction,
    UseState,
    Vmap,
    VmapFunction,
    use_state,
    vmap,
)

__all__ = [
    "Algorithm",
    "BackendUnavailable",
    "Chain",
    "JitFunction",
    "ModuleBase",
    "Monitor",
    "Mutable",
    "Parameter",
    "Problem",
    "Source",
    "StatefulFunction",
    "TracingCond",
    "TracingSwitch",
    "TracingWhile",
    "TransformedFunction",
    "UseState",
    "Vmap",
    "VmapFunction",
    "Workflow",
    "assign_load_state_dict",
    "is_trace_caching_state",
    "is_using_state",
    "jit",
    "jit_class",
    "register_compiler",
    "set_default_backend",
    "trace_caching_state_context",
    "trace_impl",
    "tracing_or_using_state",
    "use_state",
    "use_state_context",
    "vmap",
    "vmap_impl",
]
