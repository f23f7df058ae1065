# test_language_containers.py - TorchScript's language: lists, tuples, dicts
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every method of lists and dicts, tuples and their unpacking, iteration over
all that TorchScript iterates over, and elements that the data chooses."""

from typing import Dict, List, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

from language import agree, refused

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
V = torch.tensor([1.5, -0.5, 2.0])


# --- lists -------------------------------------------------------------------


def test_all_methods_of_lists():
    class M(nn.Module):
        def forward(self, n: int):
            a = [3, 1, 2]
            a.append(n)
            a.extend([5, 1])
            a.insert(0, 9)
            a.insert(-1, 8)
            a.insert(100, 7)
            b = a.copy()
            p = b.pop()
            q = b.pop(0)
            r = b.pop(-2)
            b.remove(1)
            b.reverse()
            c = a + b
            c += [0]
            d = c[1:3] * 2
            d *= 2
            e = b.copy()
            e.clear()
            return (a, b, c, d, e, p, q, r, len(c), a.count(1), a.index(2),
                    3 in a, 100 in a, 100 not in a, c[-1], a == a.copy(),
                    a != b)

    agree(M(), (4,), (100,))


def test_slices_of_lists():
    class M(nn.Module):
        def forward(self, x: Tensor):
            a = [1, 2, 3, 4, 5, 6]
            b = [x, x * 2, x * 3]
            return (a[1:4], a[:2], a[4:], a[-2:], a[:-4], a[::2], a[1::3],
                    a[::-1], a[4:0:-2], a[-1:-4:-1], a[10:], a[5:2], a[:],
                    torch.stack(b[::-1]), torch.cat(b[1:]), len(b[5:]))

    agree(M(), (X,))


def test_sorting():
    class Numbers(nn.Module):
        def forward(self, n: int, f: float):
            a = [n, 3, 1, n + 1]
            a.sort()
            b = [f, 2.0, -1.0]
            b.sort(reverse=True)
            c = [4, 2, 3]
            c.sort(reverse=True)
            d = ["b", "c", "a"]
            d.sort()
            e = [True, False, True]
            e.sort()
            return a, b, c, d, e, sorted([n, 0, 5]), sorted(d)

    agree(Numbers(), (2, 1.5), (-7, 9.0))


def test_sorting_by_lt():
    class M(nn.Module):
        def forward(self, x: Tensor):
            pairs = [Entry(3, x), Entry(1, x * 2), Entry(2, x * 3)]
            pairs.sort()
            out = [p.value for p in sorted(pairs)]
            return torch.stack(out), pairs[0].key

    agree(M(), (V,))


@torch.jit.script
class Entry:
    def __init__(self, key: int, value: Tensor):
        self.key = key
        self.value = value

    def __lt__(self, other: "Entry") -> bool:
        return self.key < other.key


def test_lists_of_lists():
    class M(nn.Module):
        def forward(self, x: Tensor):
            grid: List[List[int]] = []
            for i in range(3):
                row: List[int] = []
                for j in range(i + 1):
                    row.append(i * j)
                grid.append(row)
            grid[1][0] = 7
            grid[2] = grid[1]
            grid[2].append(11)
            total = 0
            for row in grid:
                for k in row:
                    total += k
            parts: List[Tuple[int, Tensor]] = []
            for i, row in enumerate(x):
                parts.append((i, row * i))
            y = torch.zeros(3)
            for i, part in parts:
                y = y + part + i
            return grid, total, y

    agree(M(), (X,))


def test_lists_that_one_name_shares_with_another():
    class M(nn.Module):
        def grow(self, xs: List[int], n: int):
            xs.append(n)
            xs[0] += n

        def forward(self, n: int):
            a = [1, 2]
            b = a
            self.grow(b, n)
            c = [a, b, a.copy()]
            c[0][1] = 50
            return a, c, a is b, c[2] is a

    agree(M(), (3,), (-1,))


def test_comprehensions():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            a = [i * n for i in range(4)]
            b = [(k, float(k)) for k in a]
            c = {str(i): i * i for i in [1, 2, 3]}
            d = [t.sum() for t in [x, x * 2]]
            e = [row + 1 for row in x]
            return a, b, c, torch.stack(d), torch.stack(e)

    agree(M(), (X, 2), (X, -3))


def test_a_list_of_two_origins():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            a = [x, x + 1]
            if n > 2:
                a = [x * 2, x * n]
            a.append(x)
            a[0] = a[0] + 1
            return torch.stack(a), len(a)

    agree(M(), (X, 1), (X, 5))


def test_a_list_that_may_be_another_ones():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            a = [x, x + 1]
            b = [x * 2, x * 3]
            c = a
            if n > 2:
                c = b
            c[0] = x * 100
            return torch.stack(a)

    text = refused(M(), X, 1)
    assert "only the data decides" in text and "another name" in text


# --- elements that the data chooses ------------------------------------------


def test_an_index_that_the_data_decides():
    class M(nn.Module):
        def forward(self, x: Tensor, i: int):
            a = [1, 5, 7]
            b = [0.5, 1.5, -2.5]
            c = [x, x * 2, x - 1]
            d = [(1, x), (2, x + 1), (3, x + 2)]
            k, t = d[i]
            return a[i], b[i], c[i], k, t, [True, False, False][i]

    agree(M(), (X, 0), (X, 2), (X, -1), (X, -3), (X, 1))
    results = agree(M(), (X, 0), (X, 3))
    assert "out of range" in str(results[1])


def test_an_element_that_the_data_chooses_is_assigned():
    class M(nn.Module):
        def forward(self, x: Tensor):
            a = [1, 5, 7]
            c = [x, x * 2, x - 1]
            i = int(x[0, 0])
            a[i] = 100
            a[i] += 1
            c[i] = x * 50
            best = int(x[0].argmax())
            a[best] = -a[best]
            return a, torch.stack(c), sum(a), max(a)

    agree(M(), (X,), (X - 1,), (X * 2,))


def test_an_index_in_a_loop():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            scales = [1.0, 2.0, 0.5]
            rows = [x[0], x[1], x[0] * x[1]]
            total = torch.zeros(3)
            for i in range(n):
                total = total + rows[i % 3] * scales[i % 3]
            return total

    agree(M(), (X, 2), (X, 30), (X, 0))


def test_a_key_that_the_data_decides():
    class M(nn.Module):
        def forward(self, x: Tensor, k: int):
            d = {1: x, 4: x * 2, 6: x - 1}
            n = {1: 10, 2: 20}
            return d[k], k in d, k in n

    results = agree(M(), (X, 1), (X, 6), (X, 4), (X, 2))
    assert "KeyError" in str(results[3]) or "2" in str(results[3])


def test_an_int_from_data_as_a_size_a_bound_and_a_dimension():
    class M(nn.Module):
        def forward(self, x: Tensor):
            n = int(x[0, 0])
            a = torch.zeros(n)
            b = torch.arange(n, 2 * n)
            c = x[:, :n]
            total = 0
            for i in range(n):
                total += i
            return a, b, c, total, x[:, n - 1], x.repeat(n, 1)

    agree(M(), (X,), (X * 2,), (X * 3,))


def test_a_dimension_must_be_known():
    class M(nn.Module):
        def forward(self, x: Tensor, d: int):
            return x.sum(d)

    text = refused(M(), X, 1)
    assert "has to be known when the program is compiled" in text
    assert "test_language_containers.py:" in text


def test_a_length_that_the_data_decides_is_refused_with_the_line():
    class M(nn.Module):
        def forward(self, x: Tensor):
            out: List[Tensor] = []
            if bool(x.sum() > 0):
                out.append(x)
            return len(out)

    text = refused(M(), X)
    assert "length" in text and "test_language_containers.py:" in text


# --- tuples ------------------------------------------------------------------


def test_tuples_and_unpacking():
    class M(nn.Module):
        def pair(self, x: Tensor) -> Tuple[Tensor, Tuple[int, float]]:
            return x + 1, (2, 0.5)

        def forward(self, x: Tensor):
            a, (k, f) = self.pair(x)
            t = (a, k, f)
            b, c, d = t
            b, c = b * 2, c + 1
            u = (1, 2, 3) + (4,)
            first, *rest = (1, 2, 3)
            low, high = min(u[0], u[1]), max(u[2], u[3])
            return t, b, c, d, u, u[1:3], u[-1], len(u), first, rest, low, \
                high, (1, 2) == (1, 2), 2 in u

    agree(M(), (X,))


def test_sizes_are_lists():
    class M(nn.Module):
        def forward(self, x: Tensor):
            s = x.size()
            a, b = x.shape
            y = x.reshape(s[::-1])
            z = torch.zeros(x.shape)
            w = x.new_ones(torch.Size([2, 2]))
            return s, a * b, y, z + 1, w, list(s), s == [2, 3], len(x.shape), \
                x.view(-1, s[0]), s[-1], x.numel(), x.dim(), x.ndim, len(x)

    agree(M(), (X,))


def test_to_list():
    class M(nn.Module):
        def forward(self, x: Tensor):
            rows: List[List[float]] = x.tolist()
            ints: List[int] = x[0].to(torch.int64).tolist()
            return rows, ints, sum(rows[1]), max(ints)

    agree(M(), (X,), (-X,))


# --- dicts -------------------------------------------------------------------


def test_all_methods_of_dicts():
    class M(nn.Module):
        def forward(self, x: Tensor):
            d: Dict[str, Tensor] = {}
            d["a"] = x
            d["b"] = x * 2
            d.update({"b": x * 3, "c": x * 4})
            e = d.copy()
            gone = e.pop("a")
            other = e.pop("zz", x * 9)
            kept = d.setdefault("a", x * 100)
            new = d.setdefault("d", x * 5)
            del d["c"]
            missing = d.get("c")
            found = d.get("b", x)
            assert missing is None
            keys = list(d.keys())
            n = 0
            for key in d.keys():
                n += len(key)
            for value in e.values():
                new = new + value
            for key, value in d.items():
                if key == "b":
                    new = new * value
            f: Dict[int, float] = {3: 1.5, 1: 2.5}
            f[2] = f[3] + f[1]
            e.clear()
            return (d, gone, other, kept, new, found, keys, n, len(d),
                    len(e), "c" in d, "a" in d, f, sorted(f.keys()),
                    sum(f.values()), dict([("k", 1), ("l", 2), ("k", 3)]))

    agree(M(), (X,))


def test_dicts_are_references():
    class M(nn.Module):
        def put(self, d: Dict[str, int], n: int):
            d["n"] = n
            d["m"] += n

        def forward(self, n: int):
            d = {"m": 1}
            e = d
            self.put(e, n)
            return d, e is d

    agree(M(), (3,))


def test_dict_of_lists_and_of_tuples():
    class M(nn.Module):
        def forward(self, x: Tensor):
            d: Dict[str, List[Tensor]] = {"a": [x]}
            d["a"].append(x * 2)
            d["b"] = []
            d["b"].append(x)
            d["a"][0].add_(1)
            p: Dict[str, Tuple[int, Tensor]] = {"k": (1, x)}
            n, t = p["k"]
            return d, n, t

    agree(M(), (X.clone(),))


def test_a_missing_key_is_an_error_with_its_line():
    class M(nn.Module):
        def forward(self, x: Tensor):
            d = {"a": x}
            return d["b"]

    text = refused(M(), X)
    assert "KeyError: b" in text and "test_language_containers.py:" in text


# --- iteration ---------------------------------------------------------------


class Layer(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(float(k)))

    def forward(self, x):
        return x * self.k


def test_everything_that_can_be_iterated():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([Layer(2), Layer(3), Layer(4)])
            self.named = nn.ModuleDict({"p": Layer(5), "q": Layer(6)})

        def forward(self, x: Tensor):
            y = x
            for layer in self.layers:
                y = layer(y)
            for i, layer in enumerate(self.layers):
                y = y + i * layer(x)
            for name, layer in self.named.items():
                y = y + len(name) * layer(x)
            for name in self.named.keys():
                if name == "q":
                    y = y - 1
            for name in self.named:
                y = y + len(name)
            for layer, other in zip(self.layers, self.layers):
                y = y + layer(other(x))
            for i, (a, b) in enumerate(zip([1, 2], [x, x + 1])):
                y = y + i * a * b
            for row in x:
                y = y + row
            for i, row in enumerate(x, 5):
                y = y + i * row
            for a in (1, 2.5):
                y = y * a
            for ch in "ab":
                if ch == "b":
                    y = y + 1
            for k in range(10, 0, -4):
                y = y + k
            for p, q, r in zip([1, 2], [3, 4], range(2)):
                y = y + p * q - r
            return y, len(self.layers), len(self.named), "p" in self.named

    agree(M(), (X,))


def test_optional_elements():
    class M(nn.Module):
        def forward(self, x: Tensor):
            a: List[Optional[Tensor]] = [None, x, None]
            a[0] = x * 2
            total = torch.zeros_like(x)
            n = 0
            for t in a:
                if t is not None:
                    total = total + t
                else:
                    n += 1
            d: Dict[str, Optional[int]] = {"a": None, "b": 3}
            k = d["b"]
            if k is not None:
                total = total + k
            return total, n

    agree(M(), (X,))
