# known_failures.py - what does not work yet, and why
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests that are known to fail, by a part of their name. A row goes when its
test passes."""

KNOWN_FAILURES = {}
