# view_programs.py - random programs that write through views
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A Hypothesis strategy of TorchScript methods: assignments, views of views,
slices, in-place ops through them, branches on data, loops that are left early,
lists. Shapes are known while a program is drawn, so nearly all of them run."""

import re

import torch
from hypothesis import strategies as st

# The arguments of every program.
ARGUMENTS = {"x": (4, 3), "y": (6,), "z": (3,)}

# Multiplications by these are exact, so results are equal to the last bit.
FACTORS = ["2.0", "0.5", "-1.0", "-0.5"]
NUMBERS = ["0.0", "1.0", "-2.0", "3.0", "0.25"]


def inputs(salt):
    """Three tensors of small numbers with both signs."""
    generator = torch.Generator().manual_seed(salt)
    return tuple(
        torch.randint(-8, 9, shape, generator=generator) / 4
        for shape in ARGUMENTS.values())


class Scope:
    """What can be named at a point of the program."""

    def __init__(self, tensors, lists, counters):
        self.tensors = dict(tensors)  # name: shape
        self.lists = dict(lists)      # name: (length, shape)
        self.counters = dict(counters)  # loop variable: trip count
        self.own = set()  # lists made here: appending needs no branch
        self.in_loop = False

    def copy(self, in_loop=False):
        scope = Scope(self.tensors, self.lists, self.counters)
        scope.in_loop = self.in_loop or in_loop
        return scope


class Writer:
    def __init__(self, draw, statements):
        self.draw = draw
        self.left = statements
        self.lines = []
        self.names = 0

    def pick(self, options):
        return self.draw(st.sampled_from(list(options)))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def fresh(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def emit(self, depth, text):
        self.lines.append("    " * depth + text)

    # --- expressions ---------------------------------------------------------

    def index(self, scope, size):
        """An index below size; sometimes the loop's own variable."""
        if scope.counters and self.draw(st.booleans()):
            return f"{self.pick(sorted(scope.counters))} % {size}"
        return str(self.number(-size, size - 1))

    def bounds(self, size):
        """A slice that is not empty: its text and length."""
        low = self.number(0, size - 1)
        high = self.number(low + 1, size)
        step = self.number(1, 2)
        text = f"{low}:{high}" + (f":{step}" if step > 1 else "")
        return text, len(range(low, high, step))

    def view(self, scope):
        """A view of some tensor: text, shape."""
        name = self.pick(sorted(scope.tensors))
        shape = scope.tensors[name]
        if not shape:
            return f"{name}.view(1)", (1,)
        d = self.number(0, len(shape) - 1)
        n = shape[d]
        rest = shape[:d] + shape[d + 1:]
        before = ":, " * d
        kinds = ["index", "slice", "narrow", "unsqueeze", "select", "reshape",
                 "chunk", "unbind", "split", "unfold", "squeeze"]
        if name in ("x0", "y0"):
            kinds += ["as_strided"] * 2
        if len(shape) == 2:
            kinds += ["t", "transpose", "diagonal", "block", "flatten"]
        if shape == (6,):
            kinds += ["view"]
        kind = self.pick(kinds)
        if kind == "index":
            return f"{name}[{before}{self.index(scope, n)}]", rest
        if kind == "slice":
            text, length = self.bounds(n)
            return f"{name}[{before}{text}]", \
                shape[:d] + (length,) + shape[d + 1:]
        if kind == "narrow":
            low = self.number(0, n - 1)
            length = self.number(1, n - low)
            return f"{name}.narrow({d}, {low}, {length})", \
                shape[:d] + (length,) + shape[d + 1:]
        if kind == "select":
            return f"{name}.select({d}, {self.index(scope, n)})", rest
        if kind == "unsqueeze":
            if len(shape) > 1:
                return f"{name}[0:1]", (1,) + shape[1:]
            return f"{name}.unsqueeze({d})", shape[:d] + (1,) + shape[d:]
        if kind == "reshape":
            count = 1
            for size in shape:
                count *= size
            return f"{name}.reshape({count})", (count,)
        if kind == "chunk":
            length = (n + 1) // 2
            return f"{name}.chunk(2, {d})[0]", \
                shape[:d] + (length,) + shape[d + 1:]
        if kind == "split":
            length = self.number(1, n)
            return f"{name}.split({length}, {d})[0]", \
                shape[:d] + (length,) + shape[d + 1:]
        if kind == "unfold":
            size = self.number(1, n)
            step = self.number(size, n)  # windows that do not overlap
            return f"{name}.unfold({d}, {size}, {step})", \
                shape[:d] + ((n - size) // step + 1,) + shape[d + 1:] + (size,)
        if kind == "squeeze":
            return f"{name}.squeeze()", tuple(k for k in shape if k != 1)
        if kind == "as_strided":
            # Of the arguments' copies: their memory is known to be theirs.
            count = 12 if name == "x0" else 6
            rows, columns = self.number(1, 2), self.number(1, 3)
            strides = self.pick([(1, rows), (columns, 1)])
            offset = self.number(0, count - rows * columns)
            return f"{name}.as_strided([{rows}, {columns}], " \
                f"[{strides[0]}, {strides[1]}], {offset})", (rows, columns)
        if kind == "unbind":
            return f"{name}.unbind({d})[{self.number(0, n - 1)}]", rest
        if kind in ("t", "transpose"):
            text = "t()" if kind == "t" else "transpose(0, 1)"
            return f"{name}.{text}", shape[::-1]
        if kind == "diagonal":
            return f"{name}.diagonal()", (min(shape),)
        if kind == "block":
            rows, height = self.bounds(shape[0])
            columns, width = self.bounds(shape[1])
            return f"{name}[{rows}, {columns}]", (height, width)
        if kind == "flatten":
            return f"{name}.flatten()", (shape[0] * shape[1],)
        return f"{name}.view(2, 3)", (2, 3)

    def fitting(self, scope, shape):
        """The tensors that broadcast to a shape."""
        def fits(other):
            return len(other) <= len(shape) and all(
                a in (1, b) for a, b in zip(other[::-1], shape[::-1]))
        return [n for n, s in sorted(scope.tensors.items()) if fits(s)]

    def value(self, scope, shape):
        """Something that broadcasts to a shape, usually a new tensor."""
        names = self.fitting(scope, shape)
        kind = self.pick(["number", "new", "new", "direct"] if names
                         else ["number"])
        if kind == "number":
            return self.pick(NUMBERS)
        name = self.pick(names)
        if kind == "direct":
            return name
        return self.pick([
            f"{name}.clone()", f"{name} * {self.pick(FACTORS)}",
            f"{name} + {self.pick(NUMBERS)}", f"-{name}", f"{name}.abs()",
            f"torch.where({name} > 0.0, {name}, {name} - 1.0)",
            f"{name}.to(torch.float64).to(torch.float32)",
            f"{name}.to(torch.int64).to(torch.float32)",
            f"({name} > 0.0).to(torch.float32)",
            f"{name}.expand([{', '.join(map(str, shape))}])"])

    def new(self, scope, shape):
        """A new tensor of exactly that shape."""
        zeros = f"torch.zeros([{', '.join(map(str, shape))}])"
        names = self.fitting(scope, shape)
        if not names:
            return zeros
        return f"({self.pick(names)} + {zeros})"

    def condition(self, scope):
        name = self.pick(sorted(scope.tensors))
        number = self.pick(NUMBERS)
        shape = scope.tensors[name]
        if not shape:
            return f"bool({name} > {number})"
        return self.pick([
            f"bool({name}.max() > {number})", f"bool({name}.min() < {number})",
            f"bool(({name} > {number}).any())",
            f"float({name}.reshape(-1)[0]) > {number}"])

    # --- statements ----------------------------------------------------------

    def write(self, scope, depth):
        """One in-place write."""
        name = self.pick(sorted(scope.tensors))
        shape = scope.tensors[name]
        kinds = ["augmented", "method", "fill", "copy", "clamp", "masked",
                 "out"]
        if shape:
            kinds += ["item", "item", "slice", "slice", "mask"]
            if shape[0] > 1:
                kinds += ["fancy", "index_add", "index_put", "swap",
                          "scatter", "index_fill", "mask of rows"]
        kind = self.pick(kinds)
        if kind == "augmented":
            op = self.pick(["+=", "-=", "*="])
            value = self.pick(FACTORS) if op == "*=" \
                else self.value(scope, shape)
            self.emit(depth, f"{name} {op} {value}")
        elif kind == "method":
            self.emit(depth, f"{name}." + self.pick([
                f"mul_({self.pick(FACTORS)})", "neg_()", "abs_()",
                f"add_({self.value(scope, shape)})", "zero_()"]))
        elif kind == "fill":
            self.emit(depth, f"{name}.fill_({self.pick(NUMBERS)})")
        elif kind == "copy":
            self.emit(depth, f"{name}.copy_({self.new(scope, shape)})")
        elif kind == "clamp":
            self.emit(depth, f"{name}.clamp_(-2.0, 2.0)")
        elif kind == "masked":
            self.emit(depth, f"{name}.masked_fill_({name} > "
                      f"{self.pick(NUMBERS)}, {self.pick(NUMBERS)})")
        elif kind == "mask":
            self.emit(depth, f"{name}[{name} > {self.pick(NUMBERS)}] = "
                      f"{self.pick(NUMBERS)}")
        elif kind == "out":
            self.emit(depth, f"torch.add({self.new(scope, shape)}, "
                      f"{self.pick(NUMBERS)}, out={name})")
        elif kind == "swap":
            a, b = self.number(0, shape[0] - 1), self.number(0, shape[0] - 1)
            self.emit(depth, f"{name}[{a}], {name}[{b}] = "
                      f"{name}[{b}].clone(), {name}[{a}].clone()")
        elif kind == "index_put":
            rows = self.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1,
                                      max_size=3, unique=True))
            self.emit(depth, f"{name}.index_put_([torch.tensor({rows})], "
                      f"{self.new(scope, (len(rows),) + shape[1:])}, "
                      f"{self.draw(st.booleans())})")
        elif kind == "scatter":
            row = self.number(0, shape[0] - 1)
            self.emit(depth, f"{name}.scatter_(0, torch.full([1"
                      f"{''.join(f', {k}' for k in shape[1:])}], {row}), "
                      f"{self.pick(NUMBERS)})")
        elif kind == "index_fill":
            self.emit(depth, f"{name}.index_fill_(0, torch.tensor("
                      f"[{self.number(0, shape[0] - 1)}]), "
                      f"{self.pick(NUMBERS)})")
        elif kind == "mask of rows":
            first = f"{name}[{', '.join([':'] + ['0'] * (len(shape) - 1))}]"
            self.emit(depth, f"{name}[{first} > {self.pick(NUMBERS)}] "
                      f"{self.pick(['=', '*='])} {self.pick(FACTORS)}")
        elif kind in ("item", "slice"):
            d = self.number(0, len(shape) - 1)
            before = ":, " * d
            if kind == "item":
                index = self.index(scope, shape[d])
                inner = shape[:d] + shape[d + 1:]
            else:
                index, length = self.bounds(shape[d])
                inner = shape[:d] + (length,) + shape[d + 1:]
            op = self.pick(["=", "=", "+="])
            self.emit(depth, f"{name}[{before}{index}] {op} "
                      f"{self.value(scope, inner)}")
        elif kind == "fancy":
            rows = self.draw(st.lists(
                st.integers(0, shape[0] - 1), min_size=1, max_size=3,
                unique=True))
            self.emit(depth, f"{name}[torch.tensor({rows})] = "
                      f"{self.value(scope, (len(rows),) + shape[1:])}")
        else:
            rows = self.draw(st.lists(
                st.integers(0, shape[0] - 1), min_size=2, max_size=2))
            self.emit(depth, f"{name}.index_add_(0, torch.tensor({rows}), "
                      f"{self.new(scope, (2,) + shape[1:])})")

    def statement(self, scope, depth):
        self.left -= 1
        kinds = ["write"] * 5 + ["view"] * 4 + ["new"] * 2
        if depth < 4 and self.left > 1:
            kinds += ["if"] * 2 + ["for"] * 2 + ["while"]
        kinds += ["list", "rebind"]
        if scope.lists:
            kinds += ["list write"] * 2 + ["list read"]
        if scope.own:
            kinds += ["append"]
        if scope.in_loop:
            kinds += ["jump"]
        kind = self.pick(kinds)
        if kind == "write":
            self.write(scope, depth)
        elif kind == "view":
            text, shape = self.view(scope)
            name = self.fresh("v")
            self.emit(depth, f"{name} = {text}")
            scope.tensors[name] = shape
        elif kind == "new":
            shape = scope.tensors[self.pick(sorted(scope.tensors))]
            text = self.new(scope, shape)
            name = self.fresh("n")
            self.emit(depth, f"{name} = {text}")
            scope.tensors[name] = shape
        elif kind == "rebind":
            name = self.pick(sorted(scope.tensors))
            self.emit(depth, f"{name} = "
                      f"{self.new(scope, scope.tensors[name])}")
        elif kind == "if":
            self.emit(depth, f"if {self.condition(scope)}:")
            self.block(scope.copy(), depth + 1)
            if self.draw(st.booleans()):
                self.emit(depth, "else:")
                self.block(scope.copy(), depth + 1)
        elif kind == "for":
            # The importer unrolls short loops and keeps long ones.
            trips = self.pick([2, 3, 10])
            counter = self.fresh("i")
            inner = scope.copy(in_loop=True)
            inner.counters[counter] = trips
            self.emit(depth, f"for {counter} in range({trips}):")
            self.block(inner, depth + 1)
        elif kind == "while":
            counter = self.fresh("k")
            self.emit(depth, f"{counter} = 0")
            self.emit(depth, f"while {counter} < 3 and "
                      f"{self.condition(scope)}:")
            self.emit(depth + 1, f"{counter} += 1")
            self.block(scope.copy(in_loop=True), depth + 1)
        elif kind == "jump":
            self.emit(depth, f"if {self.condition(scope)}:")
            self.emit(depth + 1, self.pick(["break", "continue"]))
        elif kind == "list":
            name = self.pick(sorted(scope.tensors))
            shape = scope.tensors[name]
            names = [n for n, s in sorted(scope.tensors.items()) if s == shape]
            chosen = self.draw(st.lists(st.sampled_from(names), min_size=1,
                                        max_size=3))
            text = f"[{', '.join(chosen)}]"
            if self.draw(st.booleans()):
                text = f"[t.clone() for t in {text}]"
            name = self.fresh("l")
            self.emit(depth, f"{name} = {text}")
            scope.lists[name] = len(chosen), shape
            scope.own.add(name)
        else:
            self.list_statement(kind, scope, depth)

    def list_statement(self, kind, scope, depth):
        name = self.pick(sorted(scope.own if kind == "append"
                                else scope.lists))
        length, shape = scope.lists[name]
        element = f"{name}[{self.number(0, length - 1)}]"
        if kind == "append":
            # Where the list was made: its length stays known.
            self.emit(depth, f"{name}.append({self.new(scope, shape)})")
            scope.lists[name] = length + 1, shape
        elif kind == "list read":
            new = self.fresh("e")
            self.emit(depth, f"{new} = {element}")
            scope.tensors[new] = shape
        elif self.draw(st.booleans()):
            self.emit(depth, self.pick([
                f"{element}.add_({self.pick(NUMBERS)})",
                f"{element} *= {self.pick(FACTORS)}",
                f"{element} = {self.new(scope, shape)}"]))
        else:
            each = self.fresh("t")
            self.emit(depth, f"for {each} in {name}:")
            self.emit(depth + 1, f"{each}.mul_({self.pick(FACTORS)})")

    def block(self, scope, depth):
        for _ in range(self.number(1, 3)):
            if self.left <= 0:
                break
            self.statement(scope, depth)
        else:
            return
        self.emit(depth, "pass")


@st.composite
def programs(draw):
    """The body of a method with the arguments x, y, z."""
    writer = Writer(draw, draw(st.integers(4, 18)))
    names = [f"{name}0" for name in ARGUMENTS]
    scope = Scope(zip(names, ARGUMENTS.values()), {}, {})
    for name, argument in zip(names, ARGUMENTS):
        writer.emit(1, f"{name} = {argument}.clone()")
    while writer.left > 0:
        writer.statement(scope, 1)
    results = sorted(scope.tensors)
    results += [f"torch.stack({name})" for name in sorted(scope.lists)]
    writer.emit(1, f"return ({', '.join(results)},)")
    return "\n".join(writer.lines)


def with_copies(body):
    """The program with what is written a copy. Where PyTorch gives something
    else, the two overlap and it can't tell: what it does then depends on the
    order of its loops, and it documents none."""
    body = re.sub(r"^( *[a-km-z]\d+(?:\[.*\])? [-+*]?= )([a-z]\d+)$",
                  r"\1\2.clone()", body, flags=re.MULTILINE)
    return re.sub(r"add_\(([a-z]\d+)\)", r"add_(\1.clone())", body)


def method(name, body):
    arguments = ", ".join(f"{a}: Tensor" for a in ARGUMENTS)
    return f"def {name}(self, {arguments}):\n{body}\n"


TYPES = ",".join(f"float32[{','.join(map(str, s))}]"
                 for s in ARGUMENTS.values())
