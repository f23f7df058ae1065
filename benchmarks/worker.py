# worker.py - what the contestants' processes share
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The talk with run.py, which contestants.py describes, for processes in
Python."""

import os
import sys


def memory_kb(what):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(what + ":"):
                return int(line.split()[1])
    return 0


class Talk:
    def __init__(self):
        # What libraries print goes to the standard error.
        self.out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def ready(self, seconds, idle_kb):
        print(f"ready {1e3 * seconds:.4f} {idle_kb}", file=self.out)

    def serve(self, run, settle=lambda: ""):
        """run(threads, n) does n generations and returns its seconds; settle()
        makes choices, and returns a word on them."""
        for line in sys.stdin:
            words = line.split()
            if words and words[0] == "settle":
                print(f"note {settle() or ''}", file=self.out)
            elif words and words[0] == "run":
                seconds = run(int(words[1]), int(words[2]))
                print(f"{seconds:.9f}", file=self.out)
            elif words and words[0] == "memory":
                print(memory_kb("VmHWM"), file=self.out)
            else:
                print("?", file=self.out)
