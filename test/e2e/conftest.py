# conftest.py - programs that several tests use
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import os
import pathlib
import subprocess

import pytest
import torch

import evox_cases


@pytest.fixture(scope="session")
def tools():
    """The folder of the tools."""
    return pathlib.Path(os.environ["EVOX_TOOLS_DIR"])


@pytest.fixture(scope="session")
def pso_pt(tmp_path_factory):
    """The demo's workflow as a file."""
    case = evox_cases.Case("PSO", "Ackley", pop=1024, dim=100)
    path = tmp_path_factory.mktemp("pso") / "pso.pt"
    torch.jit.save(case.build().__jit_module__, str(path))
    return path


@pytest.fixture(scope="session")
def pso_library(tools, pso_pt):
    """libpso.so beside its header pso.h."""
    library = pso_pt.with_name("libpso.so")
    subprocess.run([tools / "evox-compile", pso_pt, "-o", library,
                    "--header", pso_pt.with_name("pso.h")], check=True)
    return library


@pytest.fixture(scope="session")
def small():
    """A small program; take `.new_instance()` of it."""
    return evox_cases.compile_case(
        evox_cases.Case("PSO", "Ackley", pop=40, dim=6))
