# conftest.py - tests of evox_mlir.core
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds the package in the source tree where it isn't installed."""

import pathlib
import sys

PACKAGES = pathlib.Path(__file__).resolve().parents[3] / "python"
if str(PACKAGES) not in sys.path:
    sys.path.insert(0, str(PACKAGES))
