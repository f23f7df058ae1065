# ===- test_lapack.py - Dense factorisations --------------------------------===#
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#

import os

import pytest
import torch
from runtime_testlib import Failure, Instance, path

if not os.path.exists(path("evox_runtime_testlib_lapack")):
    pytest.skip("built without LAPACK", allow_module_level=True)

DTYPES = [torch.float32, torch.float64]
BATCHES = [(), (3,), (2, 0), (2, 3)]


@pytest.fixture(scope="module")
def ours():
    return Instance("evox_runtime_testlib_lapack", seed=1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(4)


def near(a, b, factor=100):
    assert a.shape == b.shape
    if a.numel():
        scale = max(1.0, b.abs().max().item())
        assert (a - b).abs().max().item() <= factor * torch.finfo(a.dtype).eps * scale


def empty(*shapes, like):
    return [torch.empty(s, dtype=like.dtype) for s in shapes]


def strided(x):
    """The same matrices, stored by columns."""
    return x.mT.contiguous().mT


def matrices(batch, m, n, dtype):
    x = torch.randn(*batch, m, n, dtype=dtype)
    return [x, strided(x)] if x.numel() else [x]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky(ours, dtype, batch):
    for n in [0, 1, 5, 40]:
        for x in matrices(batch, n, n, dtype):
            a = x @ x.mT + n * torch.eye(n, dtype=dtype)
            for upper in [False, True]:
                (f,), info = empty(a.shape, like=a), torch.full(batch, 9, dtype=torch.int32)
                ours.kernel("cholesky", [a, f, info], (upper,))
                assert (info == 0).all()
                near(f, torch.linalg.cholesky(a, upper=upper))
                assert torch.equal(f, f.triu() if upper else f.tril())
    bad = -torch.eye(3, dtype=dtype)
    info = torch.zeros((), dtype=torch.int32)
    ours.kernel("cholesky", [bad, bad.clone(), info], (0,))
    assert info.item() == 1


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh(ours, dtype, batch):
    for n in [0, 1, 2, 5, 40]:
        for x in matrices(batch, n, n, dtype):
            for upper in [False, True]:  # only that half is read
                w, v = empty((*batch, n), (*batch, n, n), like=x)
                info = torch.full(batch, 9, dtype=torch.int32)
                ours.kernel("eigh", [x, w, v, info], (upper,))
                a = x.triu() + x.triu(1).mT if upper else x.tril() + x.tril(-1).mT
                assert (info == 0).all()
                near(w, torch.linalg.eigvalsh(a), 300)
                near((v * w.unsqueeze(-2)) @ v.mT, a, 300)
                near(v.mT @ v, torch.eye(n, dtype=dtype).expand_as(v))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_qr(ours, dtype, batch):
    for m, n in [(0, 0), (0, 3), (3, 0), (1, 1), (5, 3), (3, 5), (40, 40), (60, 7)]:
        for a in matrices(batch, m, n, dtype):
            for mode in ["reduced", "complete"]:
                expected = torch.linalg.qr(a, mode=mode)
                q, r = empty(expected.Q.shape, expected.R.shape, like=a)
                ours.kernel("qr", [a, q, r])
                near(q, expected.Q)
                near(r, expected.R)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_svd(ours, dtype, batch):
    for m, n in [(0, 0), (0, 3), (3, 0), (1, 1), (5, 3), (3, 5), (40, 40), (60, 7)]:
        for a in matrices(batch, m, n, dtype):
            k = min(m, n)
            for full in [False, True]:
                u, s, vh = empty(
                    (*batch, m, m if full else k), (*batch, k), (*batch, n if full else k, n), like=a
                )
                info = torch.full(batch, 9, dtype=torch.int32)
                ours.kernel("svd", [a, u, s, vh, info])
                assert (info == 0).all()
                near(s, torch.linalg.svdvals(a), 300)
                near((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, 300)
                near(u.mT @ u, torch.eye(u.shape[-1], dtype=dtype).expand(*batch, -1, -1))
                near(vh @ vh.mT, torch.eye(vh.shape[-2], dtype=dtype).expand(*batch, -1, -1))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lu(ours, dtype, batch):
    for m, n in [(0, 0), (0, 2), (1, 1), (5, 3), (3, 5), (40, 40)]:
        for a in matrices(batch, m, n, dtype):
            expected = torch.linalg.lu_factor(a)
            (lu,) = empty(a.shape, like=a)
            pivots = torch.empty((*batch, min(m, n)), dtype=torch.int32)
            info = torch.full(batch, 9, dtype=torch.int32)
            ours.kernel("lu", [a, lu, pivots, info])
            assert torch.equal(pivots, expected.pivots) and (info == 0).all()
            near(lu, expected.LU, 1000)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_solve(ours, dtype, batch):
    for n, k in [(0, 0), (0, 2), (3, 0), (1, 1), (5, 3), (40, 2)]:
        for a in matrices(batch, n, n, dtype):
            a = a + n * torch.eye(n, dtype=dtype)
            b = torch.randn(*batch, n, k, dtype=dtype)
            (x,), info = empty(b.shape, like=b), torch.full(batch, 9, dtype=torch.int32)
            ours.kernel("solve", [a, b, x, info])
            assert (info == 0).all()
            near(x, torch.linalg.solve(a, b))
    singular = torch.zeros(2, 2, dtype=dtype)
    info = torch.zeros((), dtype=torch.int32)
    ours.kernel("solve", [singular, singular, singular.clone(), info])
    assert info.item() == 1


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_solve_triangular(ours, dtype, batch):
    for n, k in [(0, 2), (3, 0), (1, 1), (5, 3)]:
        for a in matrices(batch, n, n, dtype):
            a = a + n * torch.eye(n, dtype=dtype)
            b = torch.randn(*batch, n, k, dtype=dtype)
            for upper in [False, True]:
                for transposed in [False, True]:
                    for unit in [False, True]:
                        (x,) = empty(b.shape, like=b)
                        ours.kernel("solve_triangular", [a, b, x], (upper, transposed, unit))
                        half = a.triu() if upper else a.tril()
                        expected = torch.linalg.solve_triangular(
                            half.mT if transposed else half, b, upper=upper != transposed, unitriangular=unit
                        )
                        near(x, expected, 3000)
    a = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=dtype)
    b = torch.ones(2, 1, dtype=dtype)
    x = torch.empty_like(b)
    ours.kernel("solve_triangular", [a, b, x], (1, 0, 0))
    assert torch.equal(x, torch.linalg.solve_triangular(a, b, upper=True))  # infinite


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lstsq(ours, dtype, batch):
    for m, n, k in [(0, 2, 1), (2, 0, 1), (1, 1, 1), (7, 3, 2), (3, 7, 2), (30, 30, 1)]:
        for a in matrices(batch, m, n, dtype):
            b = torch.randn(*batch, m, k, dtype=dtype)
            (x,), rank = empty((*batch, n, k), like=b), torch.full(batch, 9, dtype=torch.int64)
            ours.kernel("lstsq", [a, b, x, rank], (), (-1.0,))
            if min(m, n) == 0:
                assert (rank == 0).all() and (x == 0).all()
                continue
            expected = torch.linalg.lstsq(a, b, driver="gelsy")
            assert torch.equal(rank, expected.rank.expand(batch))
            near(x, expected.solution, 20000)
    flat = torch.ones(4, 3, dtype=dtype)  # of rank 1
    x, rank = torch.empty(3, 1, dtype=dtype), torch.zeros((), dtype=torch.int64)
    ours.kernel("lstsq", [flat, torch.ones(4, 1, dtype=dtype), x, rank], (), (-1.0,))
    assert rank.item() == 1
    near(x, torch.full((3, 1), 1 / 3, dtype=dtype))


def everything(instance, dtype, n):
    """All the factorisations of matrices of several blocks; what they give."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, n, dtype=dtype, generator=generator)
    tall = torch.randn(n, n - 37, dtype=dtype, generator=generator)
    b = torch.randn(n, n - 5, dtype=dtype, generator=generator)
    positive = x @ x.mT / n + torch.eye(n, dtype=dtype)
    found = {}

    def call(name, inputs, outputs, integers=(), numbers=()):
        outputs = [torch.empty(o, dtype=dtype) if isinstance(o, tuple) else o for o in outputs]
        instance.kernel(name.split()[0], [*inputs, *outputs], integers, numbers)
        found[name] = (inputs, outputs)

    def info(kind=torch.int32):
        return torch.full((), 9, dtype=kind)

    for upper in (0, 1):
        call(f"cholesky {upper}", [positive], [(n, n), info()], (upper,))
        call(f"eigh {upper}", [x], [(n,), (n, n), info()], (upper,))
        for transposed in (0, 1):
            call(f"solve_triangular {upper}{transposed}", [positive, b], [(n, n - 5)], (upper, transposed, 0))
    call("qr", [tall], [(n, n - 37), (n - 37, n - 37)])
    call("svd", [tall], [(n, n - 37), (n - 37,), (n - 37, n - 37), info()])
    call("svd wide", [tall.mT], [(n - 37, n - 37), (n - 37,), (n - 37, n), info()])
    call("lu", [x], [(n, n), torch.empty(n, dtype=torch.int32), info()])
    call("solve", [positive, b], [(n, n - 5), info()])
    call("lstsq", [tall, b], [(n - 37, n - 5), info(torch.int64)], (), (-1.0,))
    return found


@pytest.mark.parametrize("n", [70, 133, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_several_blocks(ours, dtype, n):
    """Each factorisation, multiplied out in float64."""
    found = everything(ours, dtype, n)

    def check(name, error, scale):
        eps = torch.finfo(dtype).eps
        assert error.abs().max().item() <= 60 * eps * scale.abs().max().item() * n**0.5, name

    for name, (inputs, outputs) in found.items():
        a = inputs[0].double()
        out = [o.double() for o in outputs]
        kind, _, flags = name.partition(" ")
        if kind == "cholesky":
            check(name, (out[0].mT @ out[0] if flags == "1" else out[0] @ out[0].mT) - a, a)
        elif kind == "eigh":
            a = a.triu() + a.triu(1).mT if flags == "1" else a.tril() + a.tril(-1).mT
            check(name, (out[1] * out[0]) @ out[1].mT - a, out[0])
            check(name, out[1].mT @ out[1] - torch.eye(n), torch.ones(1))
            assert (out[0].diff() >= 0).all()
        elif kind == "solve_triangular":
            half = a.triu() if flags[0] == "1" else a.tril()
            half = half.mT if flags[1] == "1" else half
            check(name, half @ out[0] - inputs[1].double(), half.abs() @ out[0].abs())
        elif kind == "qr":
            check(name, out[0] @ out[1] - a, a)
            check(name, out[0].mT @ out[0] - torch.eye(n - 37), torch.ones(1))
        elif kind == "svd":
            check(name, (out[0] * out[1]) @ out[2] - a, out[1])
            check(name, out[0].mT @ out[0] - torch.eye(n - 37), torch.ones(1))
        elif kind == "lu":
            p, l, u = torch.lu_unpack(out[0], outputs[1])
            check(name, p.double() @ l @ u - a, l.abs() @ u.abs())
            assert torch.equal(outputs[1], torch.linalg.lu_factor(inputs[0]).pivots)
        elif kind == "solve":
            check(name, a @ out[0] - inputs[1].double(), a.abs() @ out[0].abs())
        elif kind == "lstsq":
            assert outputs[1].item() == n - 37
            residual = a @ out[0] - inputs[1].double()
            check(name, a.mT @ residual, (a.abs().mT @ (a.abs() @ out[0].abs())))
        if kind in ("cholesky", "eigh", "svd", "lu", "solve"):
            assert outputs[-1].item() == 0, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_on_any_processor(dtype):
    first = None
    for isa in range(3):
        found = everything(Instance("evox_runtime_testlib_lapack", isa=isa, seed=1), dtype, 133)
        first = first or found
        for name, (_, outputs) in found.items():
            for a, b in zip(outputs, first[name][1]):
                assert torch.equal(a, b), f"{name} on instruction set {isa}"


@pytest.mark.parametrize("n", [33, 100, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_at_any_number_of_threads(dtype, n):
    first = None
    for threads in (1, 2, 3, 8):
        instance = Instance("evox_runtime_testlib_lapack", seed=1)
        instance.set_threads(threads)
        found = everything(instance, dtype, max(n, 40))
        first = first or found
        for name, (_, outputs) in found.items():
            for a, b in zip(outputs, first[name][1]):
                assert torch.equal(a, b), f"{name} with {threads} threads"


@pytest.mark.parametrize("n", [1, 2, 4, 9, 16, 17, 40])
@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_on_threads(ours, dtype, n):
    """Each matrix as if it were alone, whoever does it."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(2, 67, n, n, dtype=dtype, generator=generator)
    positive = x @ x.mT / n + torch.eye(n, dtype=dtype)
    b = torch.randn(2, 67, n, 3, dtype=dtype, generator=generator)

    def run(instance, x, positive, b):
        shape, found = x.shape[:-2], []
        for name, inputs, outputs, integers in (
            ("eigh", [x], [x[..., 0], x], (0,)),
            ("cholesky", [positive], [x], (0,)),
            ("solve", [positive, b], [b], ()),
        ):
            outputs = [torch.empty(o.shape, dtype=dtype) for o in outputs]
            info = torch.full(shape, 9, dtype=torch.int32)
            instance.kernel(name, [*inputs, *outputs, info], integers)
            found += [*outputs, info]
        return found

    alone = [[run(ours, *(a[i, j].contiguous() for a in (x, positive, b))) for j in range(67)] for i in range(2)]
    for threads in (1, 2, 3, 8):
        instance = Instance("evox_runtime_testlib_lapack", seed=1)
        instance.set_threads(threads)
        for inputs in ((x, positive, b), [strided(a) for a in (x, positive, b)]):
            for number, ours_ in enumerate(run(instance, *inputs)):
                expected = torch.stack([torch.stack([one[number] for one in row]) for row in alone])
                assert torch.equal(ours_, expected), f"{threads} threads"


def spectra(n, dtype):
    """Symmetric matrices, by what is difficult about them."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, n, dtype=torch.float64, generator=generator)
    q = torch.linalg.qr(x).Q
    index = torch.arange(n, dtype=torch.float64)

    def of(values):
        return (q * values) @ q.mT

    ones = torch.ones(n, dtype=torch.float64)
    wilkinson = torch.diag((index % 21 - 10).abs()) + torch.diag(ones[1:], 1) + torch.diag(ones[1:], -1)
    few = x[:, : min(n, 3)]
    found = {
        "random": x + x.mT,
        "close to the identity": torch.eye(n) + 1e-3 * (x + x.mT) / n,
        "identity and a few": torch.eye(n) + few @ few.mT / n,
        "identity": torch.eye(n, dtype=torch.float64),
        "zero": torch.zeros(n, n, dtype=torch.float64),
        "three values": of((index % 3).round()),
        "graded": of(10.0 ** (-index * 12 / n)),
        "pairs": of((index // 2) + 1e-9 * (index % 2)),
        "one apart": of(torch.where(index == n // 2, 1e3, 1.0)),
        "Wilkinson's, glued": wilkinson,  # pairs that no vector tells apart
        "1, 2, 1": torch.diag(2 * ones) + torch.diag(-ones[1:], 1) + torch.diag(-ones[1:], -1),
        "ones": torch.ones(n, n, dtype=torch.float64),
        "large": 1e30 * (x + x.mT),
        "small": 1e-30 * (x + x.mT),
    }
    return {name: a.to(dtype) for name, a in found.items()}


@pytest.mark.parametrize("n", [26, 33, 51, 100, 129, 257, 513])
@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh_of(ours, dtype, n):
    eps = torch.finfo(dtype).eps
    for name, a in spectra(n, dtype).items():
        (w, v), info = empty((n,), (n, n), like=a), torch.full((), 9, dtype=torch.int32)
        ours.kernel("eigh", [a, w, v, info], (0,))
        assert info.item() == 0, name
        a, w, v = ((a.tril() + a.tril(-1).mT).double(), w.double(), v.double())
        expected = torch.linalg.eigvalsh(a)
        size = max(expected.abs().max().item(), 1e-300)
        error = eps * n**0.5
        assert ((v * w) @ v.mT - a).abs().max() <= 5 * error * size, name
        assert (v.mT @ v - torch.eye(n)).abs().max() <= 8 * error, name
        assert (w - expected).abs().max() <= 8 * error * size, name
        assert (w.diff() >= 0).all(), name


def difficult(kind, n, generator):
    """Clusters, gaps of all sizes, and what divides into nearly nothing."""

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    def number(low, high):
        return int(torch.randint(low, high, (1,), generator=generator))

    if kind <= 4:
        values = normal(n)
        if kind == 1:
            values = values.round()
        elif kind == 2:
            values = 10.0 ** (-values.abs() * number(1, 12)) * normal(n).sign()
        elif kind == 3:
            few = normal(number(1, 6))
            values = few[torch.randint(0, len(few), (n,), generator=generator)]
            values = values + normal(n) * 10.0 ** -number(1, 18)
        elif kind == 4:
            values = 1 + normal(n) * 10.0 ** -number(3, 17)
        q = torch.linalg.qr(normal(n, n)).Q
        a = (q * values) @ q.mT
        return (a + a.mT) / 2
    diagonal, beside = normal(n), normal(n - 1)
    if kind == 5:
        diagonal = 0 * diagonal
    elif kind == 6:
        beside = beside * 10.0 ** (-normal(n - 1).abs() * number(1, 15))
    elif kind == 7:
        diagonal, beside = diagonal.round(), 0 * beside + 10.0 ** -number(0, 9)
    elif kind == 8:
        diagonal = torch.arange(n, dtype=torch.float64) % number(2, 30)
        beside = 0 * beside + (1.0 if number(0, 2) else 10.0 ** -number(1, 12))
    return torch.diag(diagonal) + torch.diag(beside, 1) + torch.diag(beside, -1)


@pytest.mark.parametrize("kind", range(9))
@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh_of_many(ours, dtype, kind):
    generator = torch.Generator().manual_seed(kind)
    eps = torch.finfo(dtype).eps
    for n in range(17, 97):
        a = difficult(kind, n, generator).to(dtype)
        (w, v), info = empty((n,), (n, n), like=a), torch.full((), 9, dtype=torch.int32)
        ours.kernel("eigh", [a, w, v, info], (0,))
        assert info.item() == 0
        a, w, v = (a.tril() + a.tril(-1).mT).double(), w.double(), v.double()
        expected = torch.linalg.eigvalsh(a)
        size, error = expected.abs().max().item(), eps * n**0.5
        assert ((v * w) @ v.mT - a).abs().max() <= 6 * error * size
        assert (v.mT @ v - torch.eye(n)).abs().max() <= 8 * error
        assert (w - expected).abs().max() <= 12 * error * size


@pytest.mark.parametrize("n", [1, 2, 7, 33, 100, 513])
@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh_not_finite(ours, dtype, n):
    """As with PyTorch: an error, or values that say so."""
    for value in (float("nan"), float("inf")):
        for a in (torch.eye(n, dtype=dtype), torch.full((n, n), value, dtype=dtype)):
            a[n // 2, n // 3] = a[n // 3, n // 2] = value
            (w, v), info = empty((n,), (n, n), like=a), torch.full((), 9, dtype=torch.int32)
            ours.kernel("eigh", [a, w, v, info], (0,))
            assert info.item() != 0 or not w.isfinite().all()


def test_not_finite(ours):
    for value in (float("nan"), float("inf")):
        a = torch.eye(50)
        a[20, 10] = a[10, 20] = value
        (f,), info = empty(a.shape, like=a), torch.zeros((), dtype=torch.int32)
        ours.kernel("cholesky", [a, f, info], (0,))
        assert info.item() != 0 or not f.isfinite().all()
        (x,) = empty(a.shape, like=a)
        ours.kernel("solve", [a, torch.ones_like(a), x, info])
        expected = torch.linalg.solve_ex(a, torch.ones_like(a)).result
        assert torch.equal(x.nan_to_num(7), expected.nan_to_num(7))
    # As large as can be without an overflow of the norm, as small as can be.
    for dtype, scale in [(torch.float32, 1e36), (torch.float32, 1e-36), (torch.float64, 1e300), (torch.float64, 1e-290)]:
        a = torch.randn(30, 4, dtype=dtype) * scale
        q, r = empty((30, 4), (4, 4), like=a)
        ours.kernel("qr", [a, q, r])
        near(q.mT @ q, torch.eye(4, dtype=dtype))
        near(q @ r / scale, a / scale)


def test_wrong_dtype(ours):
    a = torch.zeros(2, 2, dtype=torch.int32)
    with pytest.raises(Failure, match="expected float32 or float64, got int32"):
        ours.kernel("cholesky", [a, a.clone(), torch.zeros((), dtype=torch.int32)], (0,))


def test_without_lapack():
    with pytest.raises(Failure, match="no such kernel"):
        Instance(seed=1).kernel("cholesky", [torch.eye(2), torch.eye(2), torch.zeros((), dtype=torch.int32)], (0,))
