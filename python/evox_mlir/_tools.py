# _tools.py - finding the tools
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where evox-compile and the others are."""

import os
import pathlib
import shutil

from .errors import Error


def find(name):
    """The path of a tool: of EVOX_TOOLS_DIR, this tree's build, or PATH."""
    folder = os.environ.get("EVOX_TOOLS_DIR")
    if folder:
        path = pathlib.Path(folder) / name
        if not os.access(path, os.X_OK):
            raise Error(f"{path}: no such tool; EVOX_TOOLS_DIR names its "
                        f"folder")
        return path
    # python/evox_mlir/_tools.py in the source tree.
    path = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / name
    if os.access(path, os.X_OK):
        return path
    found = shutil.which(name)
    if found:
        return pathlib.Path(found)
    raise Error(f"{name} was not found: run `make build`, or set "
                f"EVOX_TOOLS_DIR to the folder that has it")
