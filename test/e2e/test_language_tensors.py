# test_language_tensors.py - TorchScript's language: tensors, state, errors
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Slices, masks, views and in-place ops, attributes, and what the importer
says of programs that it refuses. PyTorch says what each program answers."""

from typing import List, Optional

import pytest
import torch
from torch import Tensor, nn

import evox_mlir
from language import agree, refused, same

pytestmark = pytest.mark.filterwarnings("ignore")

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
V = torch.tensor([1.5, -0.5, 2.0])


# --- tensors: slices, masks, in-place ops, views -----------------------------


def test_slices():
    class M(nn.Module):
        def forward(self, x):
            return (x[0], x[-1], x[:, 1], x[..., 0], x[0:1], x[:, ::2],
                    x[1, 2], x[None], x[:, None, 1:], x[0, ...], x[:, -2:],
                    x[:, 5:])

    agree(M(), (X,))


def test_masks_and_index_lists():
    class M(nn.Module):
        def forward(self, x, i):
            return (x[x > 0], x[i], x[:, i], x[[1, 0]], x[i, i],
                    x[x[:, 0] > 0.7], x[torch.tensor([True, False])])

    agree(M(), (X, torch.tensor([1, 0])))


def test_assignments_through_indices():
    class M(nn.Module):
        def forward(self, x, i):
            x = x.clone()
            x[0, 1] = 7.0
            x[:, 0] = torch.tensor([5.0, 6.0])
            x[1] += 1
            x[x < 0] = 0.0
            x[:, 1:] *= 2
            x[i] = x[i] + 1
            x[..., -1] -= 3
            x[x > 5] = x[x > 5] * 0.5
            return x

    agree(M(), (X, torch.tensor([1])))


def test_a_write_changes_the_argument_only_in_the_program():
    class M(nn.Module):
        def forward(self, x):
            x[0] = 0.0
            x += 1
            return x

    script = torch.jit.script(M())
    program = evox_mlir.compile(script, (X,))
    given = X.clone()
    got = program(given)
    same(script(X.clone()), got)


def test_in_place_ops_through_views():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("grid", torch.arange(12.0).reshape(3, 4))

        def forward(self, x):
            row = self.grid[1]
            column = self.grid.t()[2]
            flat = self.grid.view(-1)
            row.add_(x.sum())
            column.mul_(2)
            flat[::5] = -1.0
            self.grid.diagonal().zero_()
            block = self.grid[1:, 1:3]
            block.copy_(x[:, :2])
            return row, column, flat, block

    agree(M(), (X,), (X * 2,))


def test_views_written_in_loops_and_branches():
    class M(nn.Module):
        def forward(self, x):
            y = x.clone()
            v = y[:, 1]
            for i in range(10):
                v += i
                if bool(y[0, 1] > 20):
                    y.t()[0].mul_(2)
                else:
                    v.sub_(1)
            return y, v

    agree(M(), (X,), (X - 30,))


def test_augmented_assignment_of_attributes():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("a", torch.ones(3))
            self.alias = self.a
            self.k = 2

        def forward(self, x):
            old = self.a
            self.a += x          # in place: old sees it
            self.a = self.a * 2  # a new tensor: old does not
            return old, self.a, self.alias

    agree(M(), (V,), (V,))


def test_zero_sized_and_zero_dimensional_tensors():
    class M(nn.Module):
        def forward(self, x, s):
            e = x[:0]
            return (e, e.sum(), torch.cat([e, x]), s + 1, s[None], e * s,
                    torch.zeros(0, 3).sum(0), e.size(0))

    agree(M(), (X, torch.tensor(3.0)))


def test_data_dependent_sizes():
    class M(nn.Module):
        def forward(self, x):
            n = x[x > 0]
            k = int((x > 0).sum().item())
            a = torch.arange(k)
            total = 0
            for i in range(n.size(0)):
                total += i
            return (n, a, x.nonzero(), torch.zeros(k, 2), n.size(0), total,
                    n.sum())

    agree(M(), (X,), (-X,), (X.abs(),), (-X.abs(),))


def test_results_written_into_out():
    class M(nn.Module):
        def forward(self, x):
            a = torch.zeros(2, 3)
            b = torch.zeros(4, 3)
            torch.add(x, 1.0, out=a)
            torch.mul(x, x, out=b[1:3])
            torch.cat([x, x * 2], out=b) if bool(x.sum() > 0) else b
            values, indices = torch.zeros(2), torch.zeros(2, dtype=torch.int64)
            torch.max(x, 1, max=values, max_values=indices)
            y = x.clone()
            torch.add(y, y, out=y.t().t())
            return a, b, values, indices, y, torch.neg(x, out=a)

    agree(M(), (X,), (-X,))


def test_out_of_another_shape_is_refused():
    class M(nn.Module):
        def forward(self, x):
            a = torch.zeros(5, 3)
            torch.add(x, 1.0, out=a)
            return a

    assert "another shape" in refused(M(), X)


# --- state and attributes ----------------------------------------------------


def test_python_attributes_that_change():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0
            self.rate = 1.0
            self.started = False

        def forward(self, x):
            if not self.started:
                self.started = True
                return x * 0
            self.count += 1
            self.rate *= 0.5
            return x * self.rate + self.count

    agree(M(), *[(X,)] * 6)


def test_a_buffer_that_changes_its_shape_and_dtype():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("best", torch.empty(0))

        def forward(self, x):
            if self.best.ndim == 1:
                self.best = x
            else:
                self.best = torch.maximum(self.best, x)
            return self.best

    agree(M(), (X,), (-X,), (X * 2,))


def test_a_list_attribute_that_grows():
    class M(nn.Module):
        history: List[Tensor]

        def __init__(self):
            super().__init__()
            self.history = torch.jit.annotate(List[Tensor], [])

        def forward(self, x):
            self.history.append(x * 2)
            return len(self.history), self.history[-1]

    agree(M(), *[(X * i,) for i in range(5)])


def test_exported_methods_share_the_state():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", torch.zeros(3))

        def forward(self, x):
            return self.total * x

        @torch.jit.export
        def add(self, x):
            self.total += x

        @torch.jit.export
        def reset(self):
            self.total = torch.zeros_like(self.total)

    agree(M(), ("add", V), (V,), ("add", V * 2), (V,), ("reset",), (V,))


def test_unused_methods_do_not_matter_until_called():
    class M(nn.Module):
        @torch.jit.unused
        def python_only(self, x):
            return x.numpy().tolist()

        def forward(self, x):
            if x.dim() > 5:
                return self.python_only(x)
            return x + 1

    agree(M(), (X,))


def test_an_unused_method_that_is_called_raises():
    class M(nn.Module):
        @torch.jit.unused
        def python_only(self, x: Tensor) -> Tensor:
            return x

        def forward(self, x):
            if bool(x.sum() > 1000):
                return self.python_only(x)
            return x + 1

    script = torch.jit.script(M())
    program = evox_mlir.compile(script, (X,))
    same(script(X), program(X))
    with pytest.raises(evox_mlir.ProgramError):
        program(X * 10000)


@torch.jit.script_if_tracing
def loop_if_tracing(x: Tensor, n: Tensor) -> Tensor:
    for _ in range(int(n)):
        x = x * 2
    return x


def test_script_if_tracing_keeps_the_loop():
    traced = torch.jit.trace(lambda x, n: loop_if_tracing(x, n) + 1,
                             (X, torch.tensor(2)))
    first, second = agree(traced, (X, torch.tensor(2)), (X, torch.tensor(5)))
    assert not torch.equal(first, second)


def test_fork_and_wait_run_in_order():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("log", torch.zeros(()))

        def work(self, x: Tensor, k: int) -> Tensor:
            return x * k

        def forward(self, x):
            futures = torch.jit.annotate(List[torch.jit.Future[Tensor]], [])
            for k in range(3):
                futures.append(torch.jit.fork(self.work, x, k))
            total = torch.zeros_like(x)
            for future in futures:
                total = total + torch.jit.wait(future)
            return total

    agree(M(), (X,))


def test_annotate_and_isinstance():
    class M(nn.Module):
        def forward(self, x):
            e = torch.jit.annotate(List[int], [])
            e.append(x.size(0))
            k: int = 3
            y: Tensor = x * k
            o: Optional[int] = k
            if isinstance(o, int):
                y = y + o
            if torch.jit.is_scripting():
                y = y - 1
            if not torch.jit.is_tracing():
                y = y * 2
            return y, e

    agree(M(), (X,))


def test_no_grad_and_detach():
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self, x):
            with torch.no_grad():
                y = x * self.w
            return y.detach() + self.w

    agree(M(), (X,))


def test_properties_and_constants_of_a_class():
    class M(nn.Module):
        __constants__ = ["k"]

        def __init__(self):
            super().__init__()
            self.k = 3

        @property
        def double(self) -> int:
            return self.k * 2

        def forward(self, x):
            return x * self.double

    agree(M(), (X,))


def test_random_draws_of_a_script_follow_the_seed():
    class M(nn.Module):
        def forward(self, x):
            a = torch.rand(2, 3)
            if bool(x.sum() > 0):
                a = a + torch.randn(3)
            return a, torch.randint(0, 10, (4,)), torch.randperm(5)

    agree(M(), (X,), (-X,), (X,))


# --- errors at import --------------------------------------------------------


def test_all_unsupported_ops_are_reported_at_once():
    class M(nn.Module):
        def forward(self, x):
            a = torch.fft.fft(x)
            b = torch.linalg.eigvals(x[:, :2])
            return a.real, b.real

    text = refused(M(), X)
    assert "aten::fft_fft" in text and "aten::linalg_eigvals" in text
    assert "test_language_tensors.py" in text


def test_an_error_names_the_file_and_line():
    class M(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x).real  # the line

    with open(__file__) as file:
        line = next(i for i, text in enumerate(file, 1)
                    if "torch.fft.fft(x).real  # the line" in text)
    assert f"test_language_tensors.py:{line}" in refused(M(), X)


def test_a_missing_method_lists_those_that_there_are():
    class M(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(evox_mlir.CompileError, match="forward"):
        evox_mlir.compile(torch.jit.script(M()), {"step": (X,)})
