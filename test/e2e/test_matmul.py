# test_matmul.py - products of matrices
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of every kind that the kernel tells apart, against PyTorch's in
float64, at several numbers of threads."""

import subprocess

import pytest
import torch

import evox_mlir

# Whole tiles and ragged ones, more than a panel, one row, few, one column.
SIZES = [(64, 100, 96), (17, 33, 65), (97, 300, 1600), (1, 512, 512),
         (3, 700, 100), (512, 512, 1), (5, 1000, 31), (100, 4, 64),
         (1, 5000, 1), (200, 257, 130),
         (12, 300, 48), (7, 40, 160), (33, 7, 1), (1030, 65, 1),
         (1000, 700, 1), (2, 2, 2), (150, 513, 70)]


class Products(torch.nn.Module):
    def forward(self, a, b):
        at, bt = a.T.contiguous(), b.T.contiguous()
        return a @ b, at.T @ b, a @ bt.T, at.T @ bt.T


class Batch(torch.nn.Module):
    def forward(self, a, b):
        return torch.bmm(a, b), torch.bmm(a, b.transpose(1, 2).contiguous()
                                          .transpose(1, 2))


class Factors(torch.nn.Module):
    """Of matrices, or of batches of them."""

    def forward(self, a, positive):
        w, v = torch.linalg.eigh(positive)
        q, r = torch.linalg.qr(a)
        return w, v, q, r, torch.linalg.cholesky(positive), \
            torch.linalg.solve(positive, a)


def check(program, inputs, expected):
    first = None
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        results = [torch.as_tensor(r).clone() for r in program.forward(*inputs)]
        first = first or results
        for ours, same, exact in zip(results, first, expected):
            assert torch.equal(ours, same)
            scale = exact.abs().max() * torch.finfo(ours.dtype).eps
            assert (ours.double() - exact).abs().max() <= 20 * scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("m, k, n", SIZES)
def test_products(m, k, n, dtype):
    generator = torch.Generator().manual_seed(m + k + n)
    a = torch.randn(m, k, dtype=dtype, generator=generator)
    b = torch.randn(k, n, dtype=dtype, generator=generator)
    program = evox_mlir.compile(Products(), methods={"forward": (a, b)})
    check(program, (a, b), [a.double() @ b.double()] * 4)


def test_batches():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(5, 20, 30, generator=generator)
    b = torch.randn(5, 30, 40, generator=generator)
    program = evox_mlir.compile(Batch(), methods={"forward": (a, b)})
    check(program, (a, b), [torch.bmm(a.double(), b.double())] * 2)


def test_infinities_and_nan_stay_where_they_belong():
    a, b = torch.ones(20, 40), torch.ones(40, 50)
    a[3, 5], b[7, 11] = torch.inf, torch.nan
    class Product(torch.nn.Module):
        def forward(self, a, b):
            return a @ b
    program = evox_mlir.compile(Product(), methods={"forward": (a, b)})
    ours = torch.as_tensor(program.forward(a, b))
    theirs = a @ b
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("n", [40, 513])
def test_zeros_that_are_left_out(n, dtype):
    """Unless they meet an infinity or NaN, which they make NaN."""
    class Product(torch.nn.Module):
        def forward(self, a, b):
            return a @ b, b @ a.T
    generator = torch.Generator().manual_seed(n)
    a = torch.randn(n + 30, n, dtype=dtype, generator=generator)
    full = torch.randn(n, n, dtype=dtype, generator=generator)
    program = evox_mlir.compile(Product(), methods={"forward": (a, full)})
    band = full.triu(-3).tril(2)
    corner = full.clone()
    corner[: n // 2, : n // 3] = 0
    for b in (full.diag().diag(), band, full.triu(), full.tril(), corner,
              torch.zeros_like(full), full.diag().diag().flip(0)):
        check(program, (a, b), [a.double() @ b.double(),
                                b.double() @ a.double().T])
    for value in (torch.inf, torch.nan):
        infinite = a.clone()
        infinite[3, n - 1] = value
        for b in (full.diag().diag(), band, torch.zeros_like(full)):
            ours = torch.as_tensor(program.forward(infinite, b)[0]).clone()
            theirs = infinite @ b
            assert torch.equal(ours.isnan(), theirs.isnan())
            assert ours[3].isnan().any()
            rest = torch.arange(n + 30) != 3
            exact = infinite[rest].double() @ b.double()
            error = (ours[rest].double() - exact).abs().max()
            assert error <= 1e-5 if dtype == torch.float32 else error <= 1e-13


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_factorisations_on_threads(dtype):
    """Their large products take the instance's threads, and change no bit."""
    generator = torch.Generator().manual_seed(3)
    a = torch.randn(300, 300, dtype=dtype, generator=generator)
    inputs = (a, a @ a.T)
    program = evox_mlir.compile(Factors(), methods={"forward": inputs})
    first = None
    for threads in (1, 2, 3, 8):
        program.set_threads(threads)
        results = [torch.as_tensor(r).clone() for r in program.forward(*inputs)]
        first = first or results
        for ours, same in zip(results, first):
            assert torch.equal(ours, same)
    w, v, q, r, l, x = [result.double() for result in first]
    exact = a.double()
    eps = torch.finfo(dtype).eps
    assert ((v * w) @ v.T - exact @ exact.T).abs().max() <= 100 * eps * w.max()
    assert (q @ r - exact).abs().max() <= 100 * eps * exact.abs().max() * 10
    assert (l @ l.T - exact @ exact.T).abs().max() <= 100 * eps * w.max()


def test_batches_of_factorisations():
    """Each matrix by one thread, as if alone."""
    generator = torch.Generator().manual_seed(5)
    a = torch.randn(13, 40, 40, generator=generator)
    b = a @ a.mT
    one = evox_mlir.compile(Factors(), methods={"forward": (a[0], b[0])})
    many = evox_mlir.compile(Factors(), methods={"forward": (a, b)})
    alone = [[torch.as_tensor(r).clone() for r in one.forward(*each)]
             for each in zip(a, b)]
    for threads in (1, 2, 3, 8):
        many.set_threads(threads)
        for i, results in enumerate(many.forward(a, b)):
            for ours, expected in zip(torch.as_tensor(results), alone):
                assert torch.equal(ours, expected[i])


def test_factorisations_need_no_library():
    a = torch.eye(3)
    program = evox_mlir.compile(Factors(), methods={"forward": (a, a)})
    text = subprocess.run(["readelf", "-d", program.library.path],
                          capture_output=True, text=True, check=True).stdout
    needed = {line.split("[")[1].split(".")[0]
              for line in text.splitlines() if "NEEDED" in line}
    assert needed <= {"libc", "libm", "ld-linux-x86-64",
                      "ld-linux-aarch64"}, needed
