# lanes.py - what a lane of a batch draws from
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The seeds of the lanes under rng="philox"."""


def lane_seed(seed, lane):
    """The seed of a single run that draws what this lane does: a step of
    SplitMix64, as lib/Runtime/KernelsLanes.cpp takes it."""
    mask = (1 << 64) - 1
    z = (seed + (lane + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)
