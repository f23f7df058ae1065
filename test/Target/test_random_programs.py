# test_random_programs.py - programs made at random against an interpreter
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State is updated in place wherever bufferization finds that no old value is
needed any more. Random methods that load, store, branch, loop and call one
another over a few slots must leave the state that plain Python leaves, where
every value is a copy."""

import random
import subprocess

import numpy as np
import pytest

import evox_mlir
from evox_mlir import _tools

N = 4
SLOTS = ["a", "b", "c", "d"]
VECTOR = f"tensor<{N}xf32>"
OPEN = "tensor<?xf32>"
METHODS = 12


class Method:
    """Text of a method, and a function that does the same in Python."""

    def __init__(self, rng, name, callees, entry):
        self.rng, self.name, self.callees = rng, name, callees
        self.lines, self.depth, self.fresh = [], 2, 0
        self.n_results = rng.randrange(3) if entry else 0
        body = self.block(3 + rng.randrange(9), [])
        values = [body.pick(rng) for _ in range(self.n_results)]
        results = [self.emit_copy(v) for v in values]
        self.returned = values
        self.steps = body.steps
        types = ", ".join([VECTOR] * len(values))
        header = f"  evox.func {'' if entry else 'private '}@{name}()"
        if values:
            header += f" -> ({types})"
        if entry:
            header += (f' attributes {{entry = {{name = "{name}", phase = 0, '
                       "next = 0}}")
        tail = "    evox.return"
        if values:
            tail += f" {', '.join(results)} : {types}"
        self.text = "\n".join([header + " {"] + self.lines + [tail, "  }"])

    # --- text ---------------------------------------------------------------

    def line(self, text):
        self.lines.append("  " * self.depth + text)

    def value(self):
        self.fresh += 1
        return f"%v{self.fresh}"

    def emit_copy(self, value):
        return value

    def block(self, length, known):
        block = Block(list(known))
        for _ in range(length):
            self.statement(block)
        if not block.known:
            self.load(block)
        return block

    def load(self, block):
        slot, v = self.rng.choice(SLOTS), self.value()
        self.line(f"{v} = evox.load @{slot} : {VECTOR}")
        block.define(v, lambda s, e: s[slot])

    def statement(self, block):
        rng = self.rng
        kinds = ["load", "store", "store", "pointwise", "pointwise", "reverse",
                 "roll", "scan", "scatter", "sort", "open"]
        if self.depth < 5:
            kinds += ["if", "for", "while", "switch"]
        if self.callees:
            kinds += ["call"]
        kind = rng.choice(kinds) if block.known else "load"
        getattr(self, "do_" + kind, self.load)(block)

    def do_load(self, block):
        self.load(block)

    def do_store(self, block):
        slot, v = self.rng.choice(SLOTS), block.pick(self.rng)
        self.line(f"evox.store {v}, @{slot} : {VECTOR}")
        block.steps.append(lambda s, e: s.__setitem__(slot, e[v]))

    def do_pointwise(self, block):
        op, fn = self.rng.choice([
            ("addf", np.add), ("subf", np.subtract),
            ("minimumf", np.minimum), ("maximumf", np.maximum)])
        x, y, v = block.pick(self.rng), block.pick(self.rng), self.value()
        self.line(f"{v} = arith.{op} {x}, {y} : {VECTOR}")
        # Kept small, so that every sum is exact.
        w = self.value()
        self.line(f"{w} = arith.remf {v}, %modulus : {VECTOR}")
        block.define(w, lambda s, e: np.fmod(fn(e[x], e[y]), np.float32(97)))

    def do_reverse(self, block):
        x, v, e = block.pick(self.rng), self.value(), self.value()
        self.line(f"{e} = tensor.empty() : {VECTOR}")
        self.line(f"{v} = linalg.generic {{indexing_maps = [affine_map<(d0) "
                  f"-> (d0)>], iterator_types = [\"parallel\"]}} outs({e} : "
                  f"{VECTOR}) {{")
        self.line("^bb0(%o: f32):")
        self.line("  %i = linalg.index 0 : index")
        self.line("  %j = arith.subi %last, %i : index")
        self.line(f"  %x = tensor.extract {x}[%j] : {VECTOR}")
        self.line("  linalg.yield %x : f32")
        self.line(f"}} -> {VECTOR}")
        block.define(v, lambda s, e: e[x][::-1].copy())

    def do_roll(self, block):
        x, y = block.pick(self.rng), block.pick(self.rng)
        p, q, r = self.value(), self.value(), self.value()
        short = f"tensor<{N - 1}xf32>"
        self.line(f"{p} = tensor.extract_slice {x}[0] [{N - 1}] [1] : "
                  f"{VECTOR} to {short}")
        self.line(f"{r} = tensor.insert_slice {p} into {y}[1] [{N - 1}] [1] : "
                  f"{short} into {VECTOR}")
        block.define(r, lambda s, e: np.concatenate([e[y][:1], e[x][:-1]]))

    def do_scan(self, block):
        x, v = block.pick(self.rng), self.value()
        self.line(f"{v} = evox.cumulative max {x} dim 0 : {VECTOR}")
        block.define(v, lambda s, e: np.maximum.accumulate(e[x]))

    def do_sort(self, block):
        x, v = block.pick(self.rng), self.value()
        self.line(f"{v}, {v}i = evox.sort {x} dim 0 : {VECTOR} -> "
                  f"tensor<{N}xi64>")
        block.define(v, lambda s, e: np.sort(e[x], kind="stable"))

    def do_scatter(self, block):
        x, y, v = block.pick(self.rng), block.pick(self.rng), self.value()
        self.line(f"{v} = evox.scatter assign {x} into {y} at %at : {VECTOR} "
                  f"into {VECTOR} at tensor<{N}x1xi64>")

        def run(s, e):
            out = e[y].copy()
            for i, k in enumerate([2, 0, 2, 1]):
                out[k] = e[x][i]
            return out
        block.define(v, run)

    def do_open(self, block):
        """A slot of open size, which is handed over and not written."""
        slot, x = self.rng.choice(["p", "q"]), block.pick(self.rng)
        o, c, v = self.value(), self.value(), self.value()
        self.line(f"{o} = evox.load @{slot} : {OPEN}")
        self.line(f"{c} = tensor.cast {o} : {OPEN} to {VECTOR}")
        self.line(f"{v} = tensor.cast {x} : {VECTOR} to {OPEN}")
        self.line(f"evox.store {v}, @{slot} : {OPEN}")
        block.define(c, lambda s, e: s[slot])
        block.steps.append(lambda s, e: s.__setitem__(slot, e[x]))

    def nested(self, block):
        self.depth += 1
        inner = self.block(1 + self.rng.randrange(4), block.known)
        result = inner.pick(self.rng)
        self.depth -= 1
        return inner, result

    def condition(self, block):
        x, e, c = block.pick(self.rng), self.value(), self.value()
        self.line(f"{e} = tensor.extract {x}[%first] : {VECTOR}")
        self.line(f"{c} = arith.cmpf olt, {e}, %bound : f32")
        return c, lambda s, env: env[x][0] < 3

    def do_if(self, block):
        c, test = self.condition(block)
        v = self.value()
        self.line(f"{v} = evox.if {c} -> ({VECTOR}) {{")
        yes, x = self.nested(block)
        self.line(f"  evox.yield {x} : {VECTOR}")
        self.line("} else {")
        no, y = self.nested(block)
        self.line(f"  evox.yield {y} : {VECTOR}")
        self.line("}")

        def run(s, e):
            branch, out = (yes, x) if test(s, e) else (no, y)
            inner = dict(e)
            branch.run(s, inner)
            return inner[out]
        block.define(v, run)

    def do_switch(self, block):
        x, f, i, k = (block.pick(self.rng), self.value(), self.value(),
                      self.value())
        v, index = self.value(), self.value()
        self.line(f"{f} = tensor.extract {x}[%first] : {VECTOR}")
        self.line(f"{i} = arith.fptosi {f} : f32 to i64")
        self.line(f"{index} = arith.index_cast {i} : i64 to index")
        self.line(f"{v} = evox.switch {index} -> ({VECTOR}) {{")
        branches = []
        for n in range(3):
            if n:
                self.line("}, {")
            branches.append(self.nested(block))
            self.line(f"  evox.yield {branches[-1][1]} : {VECTOR}")
        self.line("}")

        def run(s, e):
            branch, out = branches[min(max(int(e[x][0]), 0), 2)]
            inner = dict(e)
            branch.run(s, inner)
            return inner[out]
        block.define(v, run)

    def do_for(self, block):
        trips, init, v = self.rng.randrange(4), block.pick(self.rng), self.value()
        arg, n, i = self.value(), self.value(), self.value()
        self.line(f"{n} = arith.constant {trips} : index")
        self.line(f"{v} = scf.for {i} = %first to {n} step %one iter_args("
                  f"{arg} = {init}) -> ({VECTOR}) {{")
        self.depth += 1
        inner = self.block(1 + self.rng.randrange(4), block.known + [arg])
        out = inner.pick(self.rng)
        self.line(f"scf.yield {out} : {VECTOR}")
        self.depth -= 1
        self.line("}")

        def run(s, e):
            carried = e[init]
            for _ in range(trips):
                env = dict(e)
                env[arg] = carried
                inner.run(s, env)
                carried = env[out]
            return carried
        block.define(v, run)

    def do_while(self, block):
        """At most three times round, counted by a carried scalar."""
        init, v, arg, k = (block.pick(self.rng), self.value(), self.value(),
                           self.value())
        arg2, k2, c, c2, c3, f, kn = (self.value() for _ in range(7))
        x = init
        self.line(f"{v}, {v}k = evox.while ({init}, %zero) : ({VECTOR}, i64) "
                  f"-> ({VECTOR}, i64) {{")
        self.line(f"^bb0({arg}: {VECTOR}, {k}: i64):")
        self.depth += 1
        head = self.block(self.rng.randrange(3), block.known + [arg])
        passed = head.pick(self.rng)
        self.line(f"{f} = tensor.extract {passed}[%first] : {VECTOR}")
        self.line(f"{c} = arith.cmpf olt, {f}, %bound : f32")
        self.line(f"{c2} = arith.cmpi slt, {k}, %three : i64")
        self.line(f"{c3} = arith.andi {c}, {c2} : i1")
        self.line(f"evox.condition({c3}) {passed}, {k} : {VECTOR}, i64")
        self.depth -= 1
        self.line("} do {")
        self.line(f"^bb0({arg2}: {VECTOR}, {k2}: i64):")
        self.depth += 1
        body = self.block(1 + self.rng.randrange(3), block.known + [arg2])
        out = body.pick(self.rng)
        self.line(f"{kn} = arith.addi {k2}, %step : i64")
        self.line(f"evox.yield {out}, {kn} : {VECTOR}, i64")
        self.depth -= 1
        self.line("}")

        def run(s, e):
            carried, count = e[init], 0
            while True:
                env = dict(e)
                env[arg] = carried
                head.run(s, env)
                if not (env[passed][0] < 3 and count < 3):
                    return env[passed]
                env = {**e, arg2: env[passed]}
                body.run(s, env)
                carried, count = env[out], count + 1
        block.define(v, run)

    def do_call(self, block):
        callee = self.rng.choice(self.callees)
        self.line(f"evox.call @{callee.name}() : () -> ()")
        block.steps.append(lambda s, e: callee.run(s))

    # --- Python -------------------------------------------------------------

    def run(self, state):
        env = {}
        for step in self.steps:
            step(state, env)
        return [env[v] for v in self.returned]


class Block:
    def __init__(self, known):
        self.known, self.steps = known, []

    def define(self, name, fn):
        self.known.append(name)
        self.steps.append(lambda s, e: e.__setitem__(name, fn(s, e)))

    def pick(self, rng):
        # The last values more often: chains are longer then.
        return rng.choice(self.known[-4:] if rng.random() < 0.7
                          else self.known)

    def run(self, state, env):
        for step in self.steps:
            step(state, env)


CONSTANTS = f"""
    %first = arith.constant 0 : index
    %one = arith.constant 1 : index
    %last = arith.constant {N - 1} : index
    %bound = arith.constant 3.0 : f32
    %zero = arith.constant 0 : i64
    %step = arith.constant 1 : i64
    %three = arith.constant 3 : i64
    %modulus = arith.constant dense<97.0> : {VECTOR}
    %at = arith.constant dense<[[2], [0], [2], [1]]> : tensor<{N}x1xi64>"""


def make_program(seed):
    rng = random.Random(seed)
    helpers = []
    for i in range(3):
        helpers.append(Method(rng, f"h{i}", list(helpers), entry=False))
    entries = [Method(rng, f"m{i}", helpers, entry=True)
               for i in range(METHODS)]
    state = {name: np.array([rng.randrange(-5, 9) for _ in range(N)],
                            np.float32) for name in SLOTS + ["p", "q"]}
    lines = ["evox.module @Random {"]
    for name, value in state.items():
        shown = ", ".join(f"{x:.1f}" for x in value)
        slot_type = VECTOR if name in SLOTS else OPEN
        lines.append(f'  evox.state mutable @{name} "{name}" : {slot_type} = '
                     f"dense<[{shown}]> : {VECTOR}")
    for method in helpers + entries:
        head, _, rest = method.text.partition("\n")
        lines += [head, CONSTANTS.strip("\n"), rest]
    return "\n".join(lines + ["}"]) + "\n", entries, state


# 46: a loop goes on with a tensor that is needed again.
@pytest.mark.parametrize("seed", [*range(12), 46])
def test_state_is_pythons(seed, tmp_path):
    text, entries, state = make_program(seed)
    source = tmp_path / "random.mlir"
    source.write_text(text)
    library = tmp_path / "librandom.so"
    subprocess.run([str(_tools.find("evox-compile")), str(source), "-o",
                    str(library)], check=True)
    program = evox_mlir.load(library)
    rng = random.Random(seed)
    history = []
    for _ in range(2 * METHODS):
        method = rng.choice(entries)
        history.append(method.name)
        expected = method.run(state)
        got = getattr(program, method.name)()
        if method.n_results == 1:
            got = [got]
        for want, have in zip(expected, got or []):
            np.testing.assert_array_equal(
                np.asarray(have), want, err_msg=f"result after {history}")
        # What the calls of a run share is computed once.
        times = rng.randrange(4)
        history.append(times)
        program.run(method.name, times)
        for _ in range(times):
            method.run(state)
        have = program.state_dict()
        for name, want in state.items():
            np.testing.assert_array_equal(
                np.asarray(have[name]), want, err_msg=f"{name} after {history}")
