# test_language_control.py - TorchScript's language: branches, loops, errors
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Early returns out of nested loops on data, break, continue, asserts and
raises in them, variables of every kind that branches and loops change."""

from typing import List, Optional

import pytest
import torch
from torch import Tensor, nn

from language import agree, refused

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
V = torch.tensor([1.5, -0.5, 2.0])


def test_early_return_out_of_nested_loops_on_data():
    class M(nn.Module):
        def find(self, x: Tensor, bound: float) -> int:
            for i in range(x.size(0)):
                for j in range(x.size(1)):
                    if bool(x[i, j] > bound):
                        return i * 10 + j
                    if bool(x[i, j] < -5):
                        break
                if i == 7:
                    return -7
            return -1

        def forward(self, x: Tensor, bound: float, n: int):
            for k in range(n):
                found = self.find(x + k, bound)
                if found >= 0:
                    return x * found, found, k
            return x, -1, n

    agree(M(), (X, 2.5, 3), (X, 3.5, 1), (X, 100.0, 4), (X, 5.5, 12),
          (X - 9, 2.0, 2), (X, 0.0, 0))


def test_while_with_break_continue_and_return():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            total = torch.zeros(3)
            i = 0
            while True:
                i += 1
                if i % 3 == 0:
                    continue
                if i > n:
                    break
                total = total + x * i
                if bool(total.sum() > 50):
                    return total, i
                while bool(total[0] > 10):
                    total = total - 1
                    if bool(total[1] < -20):
                        break
            return total * 2, i

    agree(M(), (V, 4), (V, 0), (V * 10, 9), (V * 4, 30), (-V, 7))


def test_loops_that_branch_on_their_counter():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            y = x
            last = -1
            for i in range(n):
                if i == 0:
                    y = y + 1
                elif i % 2 == 0:
                    y = y * 2
                    last = i
                else:
                    continue
                if last > 4:
                    break
            return y, last

    agree(M(), (V, 0), (V, 1), (V, 5), (V, 50))


def test_variables_first_set_in_a_branch_or_loop():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            if n > 2:
                y = x * 2
                k = 3
                ok = True
                f = 0.5
            else:
                y = x[:2]
                k = n
                ok = False
                f = float(n)
            z = torch.zeros(0)
            for i in range(n):
                z = torch.cat([z, y * i])
            return y, k, ok, f, z

    agree(M(), (V, 1), (V, 5), (V, 0))


def test_tuples_lists_and_none_through_branches():
    class M(nn.Module):
        def pair(self, x: Tensor, n: int):
            if n > 2:
                return x + 1, [n, 2], "same"
            return x * 2, [n + 1, 3], "same"

        def forward(self, x: Tensor, n: int):
            y, numbers, text = self.pair(x, n)
            for i in range(n):
                y, numbers = (y + numbers[0], [numbers[1], i])
            return y, numbers, text

    agree(M(), (V, 1), (V, 5), (V, 0))


def test_conditions():
    class M(nn.Module):
        def forward(self, x: Tensor, a: int, b: bool):
            s = x.sum()
            r = 0
            if s > 0 and a > 2 or not b:
                r += 1
            if not (s > 0 or a > 2) and b:
                r += 2
            if bool(s > 0) == b:
                r += 4
            if 0 < a < 5 <= a + 3:
                r += 8
            if a in [1, 4, 6]:
                r += 16
            if a:
                r += 32
            if x[0] > x[1] and (x[1] < 0) != b:
                r += 64
            t = 1 if s > 1 else (2 if a > 1 else 3)
            return r, t, (x if b else -x), b and a > 1, b or s > 0

    agree(M(), (V, 4, True), (-V, 0, False), (V, 6, False), (-V, 1, True))


def test_augmented_assignments():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 1
            self.f = 0.5
            self.numbers = [1, 2, 3]
            self.register_buffer("b", torch.ones(3))

        def forward(self, x: Tensor, k: int):
            self.n += k
            self.f *= 2
            self.f -= 1
            self.f /= 3
            self.numbers[0] += self.n
            self.numbers[-1] *= 2
            self.b -= x
            self.b[0] *= 3
            self.b[1:] /= 2
            x += self.b
            x[x > 1] -= 1
            k -= 1
            k *= k
            k %= 7
            y = x.clone()
            y **= 2
            return self.n, self.f, self.numbers, k, x, y

    agree(M(), (V.clone(), 3), (V.clone(), 5), (V.clone(), -2))


def test_asserts_and_raises_within_loops():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            total = torch.zeros(3)
            for i in range(n):
                total = total + x * i
                if bool(total.max() > 40):
                    raise ValueError("too much after " + str(i))
                assert i < 30, "too long"
            return total

    results = agree(M(), (V, 3), (V * 20, 9), (V * 0, 40), (V, 2))
    assert "too much after 2" in str(results[1])
    assert "too long" in str(results[2])


def test_an_assert_without_a_message():
    class M(nn.Module):
        def forward(self, x: Tensor):
            assert bool(x.sum() > 0)
            return x

    agree(M(), (V,), (-V,), (V,))


def test_exceptions_of_their_own_class():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            if n > 3:
                raise NotImplementedError("not for " + str(n))
            elif n < 0:
                raise IndexError("below")
            return x * n

    results = agree(M(), (V, 1), (V, 5), (V, -1))
    assert "not for 5" in str(results[1])


def test_a_branch_that_always_raises():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int) -> Tensor:
            if n == 1:
                y = x + 1
            elif n == 2:
                y = x + 2
            else:
                raise RuntimeError("1 or 2")
            return y

    agree(M(), (V, 1), (V, 2), (V, 3))


def test_functions_that_return_from_branches():
    class M(nn.Module):
        def sign(self, v: float) -> int:
            if v > 0:
                return 1
            elif v < 0:
                return -1
            return 0

        def clip(self, x: Tensor, low: Optional[float]) -> Tensor:
            if low is None:
                return x
            if float(x.min()) < low:
                return x.clamp(min=low)
            return x

        def forward(self, x: Tensor):
            signs: List[int] = []
            for i in range(3):
                signs.append(self.sign(float(x[i])))
            return signs, self.clip(x, None), self.clip(x, -0.25)

    agree(M(), (V,), (-V,), (V * 0,))


def test_values_of_two_kinds_are_refused_with_the_line():
    class M(nn.Module):
        def forward(self, x: Tensor):
            text = "a"
            if bool(x.sum() > 0):
                text = "b"
            return x + len(text + "c") if text == "a" else x

    text = refused(M(), V)
    assert "only the data decides" in text
    assert "test_language_control.py:" in text


def test_tensors_of_two_dtypes_are_refused():
    class M(nn.Module):
        def forward(self, x: Tensor):
            if bool(x.sum() > 0):
                y = x
            else:
                y = x.to(torch.float64)
            return y + 1

    assert "float64" in refused(M(), V)


def test_deep_nesting():
    class M(nn.Module):
        def forward(self, x: Tensor, n: int):
            c = 0
            for i in range(n):
                if i % 2 == 0:
                    for j in range(i):
                        while c < 100:
                            if bool(x[j % 3] > 0):
                                c += j + 1
                                if c % 5 == 0:
                                    break
                            else:
                                c += 2
                                if c % 3 == 0:
                                    x = x * 0.5
                                    break
                        if c > 60:
                            return x, c, i
                        if c > 40:
                            continue
                        x = x + 0.25
            return x, c, n

    agree(M(), (V, 0), (V, 3), (V, 8), (-V, 12))


class WritesThenRebinds(torch.nn.Module):
    """The first iteration writes into `x`, the later ones don't."""

    def forward(self, x: Tensor):
        x0 = x.clone()
        v = x0[:, 0]
        for _ in range(12):
            v += 1.0
            v = v * 2.0
        return v, x0


class RebindsForAWhile(torch.nn.Module):
    def forward(self, x: Tensor, n: int):
        v = x.clone()
        total = torch.zeros(())
        while float(v.sum()) < 50.0:
            v += 1.0
            v = v * 2.0
            total += v[0, 0]
        for _ in range(n):
            v.mul_(0.5)
            v = v + total
        return v, total


def test_a_loop_that_writes_and_rebinds():
    x = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    agree(WritesThenRebinds(), (x,))
    agree(RebindsForAWhile(), (x, 3))


def test_a_loop_on_data_that_writes_into_what_is_read_later():
    class Reads(torch.nn.Module):
        def forward(self, x: Tensor):
            x0 = x.clone()
            v = x0[0]
            while float(v.sum()) < 50.0:
                v += 1.0
                v = v * 2.0
            return x0

    x = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    agree(Reads(), (x,), (x * 100,), (x.abs(),))


class SwapsRowsInAWhile(torch.nn.Module):
    """The loop on data reads memory that the loop before it wrote."""

    def forward(self, x: Tensor):
        y = x + 0.0
        k = 0
        while k < 3 and bool(x.max() > 0.0):
            k += 1
            y[0], y[1] = y[1].clone(), y[0].clone()
        return y


def test_rows_swapped_in_a_loop_on_data():
    x = torch.arange(8.0).reshape(4, 2)
    agree(SwapsRowsInAWhile(), (x,), (-x,), (x - 1,))


class RebindsInNestedBranches(torch.nn.Module):
    """`v` and `y` are still `x`'s memory where neither branch is taken."""

    def forward(self, x: Tensor):
        y = x.clone()
        v = y.transpose(0, 1)
        if bool(x.min() < 0.25):
            if bool(x.max() > 3.0):
                y = y + 1.0
                v = v + 2.0
        v[v > 0.25] = 0.0
        return v, y


class BreaksTwice(torch.nn.Module):
    """Where the loop breaks, TorchScript leaves names unset."""

    def forward(self, x: Tensor):
        y = x.clone()
        v = y[0:1]
        for i in range(2):
            if bool(v.max() > 4.0):
                break
            if bool(v.max() > 2.0):
                break
            v += 1.5
        return v, y


def test_a_view_that_nested_branches_rebind():
    x = torch.arange(6.0).reshape(3, 2)
    agree(RebindsInNestedBranches(), (x,), (x - 3,), (x + 1,))


def test_a_view_that_a_loop_with_breaks_writes():
    x = torch.arange(6.0).reshape(3, 2)
    agree(BreaksTwice(), (x,), (x + 3,), (-x,))
