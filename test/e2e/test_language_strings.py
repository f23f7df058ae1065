# test_language_strings.py - TorchScript's language: strings
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Strings are known at import: each method answers as TorchScript's own does
(its zfill, splitlines and 1. for a float are not Python's). In the message of
an error they may hold numbers that the data decides."""

import subprocess

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from language import agree, from_text, refused

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])


def strings(text, **attributes):
    """The expressions, of attributes: nothing is folded by TorchScript."""
    names = "".join(f"    {n} = self.{n}\n" for n in attributes)
    lines = ", ".join(f"({line})" for line in text.strip().splitlines())
    agree(from_text(f"def forward(self):\n{names}    return ({lines})\n",
                    **attributes), ())


def test_methods_that_search():
    strings("""
s.find("c"), s.find("c", 3), s.find("c", 0, 2), s.find("z"), s.find("")
s.rfind("c"), s.rfind("z"), s.rfind("b", 1, 5), s.index("c"), s.rindex("c")
s.find("ca"), s.find("c", -2), s.find("b", 0, -2), s.find("bc", 1)
s.count("bc"), s.count("z"), s.count("a", 1), s.count("c", 0, 3)
s.startswith("ab"), s.startswith("bc", 1), s.startswith("z"), s.endswith("bc")
s.endswith("b", 0, 2), s.endswith(""), "ca" in s, "x" in s, s in "xabcabcx"
s == "abcabc", s != "abc", s < "abd", s <= s, s > "b", s >= "abc", len(s)
""", s="abcabc")


def test_methods_that_change():
    strings(r"""
s.upper(), s.lower(), s.swapcase(), s.title(), s.capitalize()
s.center(16, "*"), s.center(15), s.ljust(14) + "|", s.rjust(14, "-")
s.zfill(15), "-42".zfill(5), "a\tbc\td".expandtabs(4), "\t".expandtabs()
s.replace("l", "L"), s.replace("l", "", 2), s.replace("zz", "y")
s.strip("hd"), s.lstrip("he"), s.rstrip("d"), " a b ".strip() + "|"
"  a ".lstrip() + "|", "  a ".rstrip() + "|", s + "x" + s, s[0], s[-1]
s[1:4], s[::-1], s[:-3], s[2:], s[::2], s[-3:], s[8:2:-2], s[5:100]
""", s="hello World")


def test_methods_that_split_and_join():
    strings(r"""
s.split(","), s.split(",", 1), s.rsplit(",", 1), s.split(", "), s.rsplit(",")
w.split(), w.split(" "), "a".split(","), ",".join(s.split(",")), ",".join(["a"])
s.partition(","), s.rpartition(","), s.partition(";"), s.rpartition(";")
"a\nb\n\nc".splitlines(), "a\nb\n".splitlines(), w.splitlines()
list("abc"), [c + "." for c in "abc"], sorted(["b", "a", s]), "-".join(["x"] * 3)
""", s="a,b,,c", w="  one two   three ")


def test_what_a_string_is_made_of():
    strings(r"""
a.isalpha(), a.isalnum(), a.isdigit(), a.isspace(), a.islower(), a.isupper()
a.istitle(), a.isprintable(), a.isidentifier(), a.isdecimal(), a.isnumeric()
b.isalpha(), b.isalnum(), b.isdigit(), b.isspace(), b.islower(), b.isupper()
b.istitle(), b.isprintable(), b.isidentifier(), b.isdecimal(), b.isnumeric()
c.isalpha(), c.isalnum(), c.isdigit(), c.isspace(), c.islower(), c.isupper()
c.istitle(), c.isprintable(), c.isidentifier(), c.isdecimal(), c.isnumeric()
d.isalpha(), d.isalnum(), d.isdigit(), d.isspace(), d.islower(), d.isupper()
""", a="Abc", b="123", c=" \n", d="")


def test_conversions():
    strings(r"""
str(i), str(f), str(0.1), str(1e20), str(-2.5), str(True), str(None), str(1e-5)
str([i, 2]), str(["a", s]), str((i, s, f)), str({"a": 1.5}), str(3.0), str(-i)
int("12"), int("-7"), float("1.5"), float("1e3"), float("inf"), bool(s)
hex(i), bin(i), oct(i), hex(-i), bin(-5), oct(0), hex(0), ord("a"), chr(98)
"{} {} {}".format(i, f, s), "{}".format([1, 2]), "<{}>".format(True), "{{}}"
"%d %s %f" % (i, s, f), "%i%%" % i, "%s" % s, "%d" % f, "%e" % f, "%s" % f
"%c%c" % ("x", "y"), "%s %s" % ([1, 2], (3, 4)), "%F|%E" % (f, f)
""", i=255, f=2.5, s="text")


class Modes(nn.Module):
    def __init__(self, mode, names):
        super().__init__()
        self.mode = mode
        self.names = names
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x: Tensor):
        if self.mode.startswith("scale:"):
            factor = float(self.mode.split(":")[1])
            return x * factor
        elif self.mode in ["shift", "offset"]:
            return x + len(self.mode)
        for i, name in enumerate(self.names):
            if name == self.mode:
                return x - i
        raise ValueError(f"unknown mode {self.mode} of {self.names}")


def test_strings_that_choose_what_a_module_does():
    for mode in ["scale:2.5", "shift", "c"]:
        agree(Modes(mode, ["a", "b", "c"]), (X,))
    text = refused(Modes("none", ["a", "b"]), X)
    assert "ValueError: unknown mode none of [a, b]" in text


# --- messages with numbers that the data decides -----------------------------


def test_a_message_shows_numbers_of_the_data():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            k = int(x[0, 0])
            if k > 5:
                raise ValueError(f"{k} is more than {5}, and n is {n + 1}")
            assert n < 10, "n is " + str(n) + "!"
            if float(x[0, 1]) > 2.0:
                raise RuntimeError("%s and %d" % ("text", n))
            if n == 3:
                raise RuntimeError("{} of {}".format(n, "three"))
            return x + n

    script = torch.jit.script(M())
    program = evox_mlir.compile(script, (X, 1))
    for x, n in [(X * 7, 2), (X, 12), (X * -2, 4), (X, 3)]:
        with pytest.raises(torch.jit.Error) as expected:
            script(x, n)
        text = str(expected.value).strip().splitlines()[-1]
        text = text.split("Error: ")[-1]
        with pytest.raises(evox_mlir.ProgramError) as got:
            program(x, n)
        assert text in str(got.value)
    assert torch.equal(program(X, 1), X + 1)


def test_a_float_and_a_bool_in_a_message():
    class M(nn.Module):
        def forward(self, x: Tensor):
            f = float(x.sum())
            if f > 3.0:
                raise ValueError(f"the sum is {f}")
            return x

    program = evox_mlir.compile(torch.jit.script(M()), (X * 0,))
    with pytest.raises(evox_mlir.ProgramError, match=r"the sum is 5"):
        program(X)


def test_a_text_of_data_cannot_be_looked_at():
    class M(nn.Module):
        def forward(self, x: Tensor):
            text = str(int(x.sum()))
            return x * len(text)

    assert "depends on data" in refused(M(), X)


def test_errors_of_strings():
    for expression, text in {
            '"abc".index("z")': "substring not found",
            '"a b".split("")': "separator",
            '"{} {}".format(1)': "Too few arguments",
            '"%d %d" % (1,)': "Too few arguments",
            'int("x")': "invalid literal",
            '"abc"[5]': "out of range"}.items():
        got = refused(from_text(
            f"def forward(self):\n    s = self.s\n"
            f"    return {expression.replace(chr(34) + 'abc' + chr(34), 's')}"
            "\n", s="abc"))
        assert text in got, f"{expression}: {got}"


# --- prints and warnings -----------------------------------------------------


def test_prints_and_warnings_are_notes(tools, tmp_path):
    import warnings

    class M(nn.Module):
        def forward(self, x: Tensor):
            print("size", x.size(0), f"{x.dim()} dimensions", [1.5, 2.0], x)
            warnings.warn("careful")
            return x

    path = tmp_path / "module.pt"
    torch.jit.save(torch.jit.script(M()), str(path))
    done = subprocess.run([tools / "evox-import", path, "-o", "/dev/null",
                           "--input=forward:float32[2,3]"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "size 2 2 dimensions [1.5, 2.]" in done.stderr
    assert "careful" in done.stderr
    agree(M(), (X,))
