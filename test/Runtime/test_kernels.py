# ===- test_kernels.py - Sort, top-k, scans, scatter, nonzero ---------------===#
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#

import subprocess

import pytest
import torch
from runtime_testlib import Failure, Instance, path

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
ALL = FLOATS + INTEGERS + [torch.bool]
DESCENDING, UNSTABLE = 1, 2


@pytest.fixture(scope="module")
def ours():
    return Instance(seed=1)


def bits(x):
    return x.flatten().clone().view(torch.uint8)


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    assert torch.equal(bits(a), bits(b)), (a, b)


def values(shape, dtype, distinct=7, seed=0):
    """With many equal elements and, where the dtype has them, NaN, infinities and -0."""
    torch.manual_seed(seed)
    x = torch.randint(0, distinct, shape) - distinct // 3
    if not dtype.is_floating_point:
        return x.to(dtype)
    x = x.to(dtype) / 2
    if x.numel() > 10:
        flat = x.view(-1)
        flat[torch.randint(0, x.numel(), (3,))] = float("nan")
        flat[torch.randint(0, x.numel(), (2,))] = float("inf")
        flat[torch.randint(0, x.numel(), (2,))] = -float("inf")
        flat[torch.randint(0, x.numel(), (x.numel() // 9,))] = -0.0
    return x


def sort(ours, x, dim, flags):
    out = torch.empty(x.shape, dtype=x.dtype), torch.empty(x.shape, dtype=torch.int64)
    ours.kernel("sort", [x, *out], (dim, flags))
    return out


def same_order(ours, x, dim, descending, stable):
    flags = descending * DESCENDING | (not stable) * UNSTABLE
    expected = torch.sort(x, dim=dim, descending=descending, stable=stable)
    got = sort(ours, x, dim, flags)
    same(got[1], expected.indices)
    same(got[0], expected.values)


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ALL)
def test_sort(ours, dtype, descending, stable):
    for n in [0, 1, 2, 15, 17, 40, 100, 1000, 1025, 3000, 40000]:
        same_order(ours, values((n,), dtype), 0, descending, stable)
        same_order(ours, values((n,), dtype, 120), 0, descending, stable)
    for dim in range(3):
        same_order(ours, values((5, 33, 4), dtype), dim, descending, stable)
    same_order(ours, values((20, 30), dtype).t(), 0, descending, stable)
    same_order(ours, values((20, 30), dtype)[::2, 1::3], 1, descending, stable)
    same_order(ours, values((), dtype), 0, descending, stable)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
def test_sort_distinct(ours, dtype):
    torch.manual_seed(2)
    for n in [100, 5000, 100000]:
        x = (torch.randn(n, dtype=torch.float64) * 1e9).to(dtype)
        for descending in [False, True]:
            same_order(ours, x, 0, descending, True)
            same_order(ours, x, 0, descending, False)
    # One pair of equal ones among others, or of NaN, is enough to matter.
    if dtype.is_floating_point:
        for equal in [1.5, float("nan"), -0.0]:
            x = torch.randn(3000, dtype=dtype)
            x[[100, 2000, 2500]] = equal
            x[200] = abs(equal)
            for descending in [False, True]:
                same_order(ours, x, 0, descending, False)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_topk(ours, dtype):
    def check(x, k, dim, largest, ordered):
        expected = torch.topk(x, k, dim=dim, largest=largest, sorted=ordered)
        shape = expected.values.shape
        out = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=torch.int64)
        ours.kernel("topk", [x, *out], (dim, largest, ordered))
        same(out[1], expected.indices)
        same(out[0], expected.values)

    for largest in [True, False]:
        for ordered in [True, False]:
            for n in [1, 2, 17, 63, 64, 65, 127, 128, 1000, 6400]:
                for k in {0, 1, 2, n // 64, n // 64 + 1, n // 2, n}:
                    if k <= n:
                        check(values((n,), dtype, 40), k, 0, largest, ordered)
            for dim in range(3):
                check(values((5, 70, 4), dtype), 3, dim, largest, ordered)
            check(values((20, 30), dtype).t(), 4, 0, largest, ordered)
            check(values((), dtype), 1, 0, largest, ordered)


SUM, PROD, MAX, MIN, LOGSUMEXP = range(5)


@pytest.mark.parametrize("dtype", ALL)
def test_cumulative(ours, dtype):
    def check(x, kind, dim, expected):
        out = torch.empty(x.shape, dtype=dtype)
        ours.kernel("cumulative", [x, out], (kind, dim))
        nan = expected.isnan() if dtype.is_floating_point else torch.zeros_like(expected, dtype=torch.bool)
        assert torch.equal(out != out, nan)
        same(out.masked_fill(nan, 0), expected.masked_fill(nan, 0))

    torch.manual_seed(1)
    shapes = [(0,), (1,), (3000,), (5, 33, 4), (3, 7, 37), (90, 50), (11, 150), (200, 3)]
    for special in [False, True]:
        inputs = [values(s, dtype) if special else torch.randn(s).mul(3).to(dtype) for s in shapes]
        for x in inputs + [inputs[-1].t(), inputs[-1][::2, 1:], values((), dtype)]:
            for dim in range(max(1, x.dim())):
                if dtype != torch.bool:
                    check(x, SUM, dim, torch.cumsum(x, dim, dtype=dtype))
                    check(x, PROD, dim, torch.cumprod(x, dim, dtype=dtype))
                check(x, MAX, dim, torch.cummax(x, dim).values)
                check(x, MIN, dim, torch.cummin(x, dim).values)
                if dtype.is_floating_point:
                    check(x, LOGSUMEXP, dim, torch.logcumsumexp(x, dim))


@pytest.mark.parametrize("dtype", ALL)
def test_scatter(ours, dtype):
    torch.manual_seed(3)
    x = torch.randn(6, 5).mul(3).to(dtype)
    index = torch.randint(0, 6, (200, 5))
    updates = torch.randn(200, 5).mul(3).to(dtype)
    tuples = torch.stack([index, torch.arange(5).expand(200, 5)], -1)
    reduce = [None, "sum", "prod", "amax", "amin"]
    for kind in range(5):
        if kind == 0:
            expected = x.scatter(0, index, updates)
        elif kind == 1:
            expected = x.index_put((index, torch.arange(5).expand(200, 5)), updates, accumulate=True)
        elif kind == 2 and dtype in (torch.float16, torch.bfloat16):
            continue  # PyTorch's scatter_reduce multiplies in float
        else:
            expected = x.scatter_reduce(0, index, updates, reduce[kind])
        for u, t in [
            (updates, tuples),
            (updates.t().contiguous().t(), tuples.transpose(0, 2).contiguous().transpose(0, 2)),
        ]:
            out = x.clone()
            ours.kernel("scatter", [u, t, out], (kind,))
            same(out, expected)


def test_scatter_order_and_ranks(ours):
    # The last one wins; a tuple of no indices addresses a scalar.
    out = torch.zeros(3)
    ours.kernel("scatter", [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[1], [1], [0]]), out], (0,))
    assert out.tolist() == [3, 2, 0]
    out = torch.zeros(())
    ours.kernel("scatter", [torch.tensor([4.0, 5.0]), torch.zeros(2, 0, dtype=torch.int64), out], (1,))
    assert out.item() == 9
    nan = torch.tensor([float("nan"), 1.0])
    for kind in [3, 4]:
        ours.kernel("scatter", [torch.tensor([1.0, float("nan")]), torch.tensor([[0], [1]]), nan], (kind,))
        assert nan.isnan().all()
    with pytest.raises(Failure, match="index 3 is out of bounds for dimension 0 of size 3"):
        ours.kernel("scatter", [torch.ones(1), torch.tensor([[3]]), torch.zeros(3)], (0,))
    with pytest.raises(Failure, match="one tuple for each update"):
        ours.kernel("scatter", [torch.ones(1), torch.tensor([[0, 0]]), torch.zeros(3)], (0,))


def test_nonzero(ours):
    torch.manual_seed(3)
    for x in [torch.rand(0) > 0, torch.rand(50) > 0.5, torch.rand(4, 5, 6) > 0.7, (torch.rand(7, 8) > 0.2).t(),
              torch.tensor(True), torch.tensor(False), torch.zeros(9, dtype=torch.bool)]:  # fmt: skip
        expected = torch.nonzero(x)
        out = torch.empty(expected.shape, dtype=torch.int64)
        ours.kernel("nonzero", [x, out])
        same(out, expected)
    with pytest.raises(Failure, match="room for 1 elements, but 2 are true"):
        ours.kernel("nonzero", [torch.ones(2, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.int64)])


def test_needs_libc_and_libm_only():
    text = subprocess.run(["readelf", "-d", path("evox_runtime_testlib")], capture_output=True, text=True, check=True)
    needed = {line.split("[")[1].rstrip("]") for line in text.stdout.splitlines() if "NEEDED" in line}
    assert {n.split(".")[0] for n in needed} <= {"libc", "libm", "ld-linux-x86-64"}, needed


def test_exports_the_api_only():
    text = subprocess.run(
        ["nm", "-D", "--defined-only", path("evox_runtime_testlib")], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in text.stdout.splitlines()}
    assert {n for n in names if not n.startswith("test_")} == {"evox_get_api"}
