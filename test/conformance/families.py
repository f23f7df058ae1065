# families.py - the families of ops, and the dtypes and corners of each
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What op_db has no samples of: small integers and halves, ties, NaN and
infinities, tensors without elements and without dimensions, in-place draws,
tensors that lie in memory in another order. `FAMILIES` maps each family to a
function that yields (label, function of tensors, its arguments)."""

import torch
import torch.nn.functional as F

INTS = [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]
HALVES = [torch.float16, torch.bfloat16]
FLOATS = HALVES + [torch.float32, torch.float64]
ALL = INTS + [torch.bool] + FLOATS
NAN, INF = float("nan"), float("inf")


def make(shape, dtype):
    if dtype == torch.bool:
        return torch.randint(0, 2, shape).bool()
    if dtype.is_floating_point:
        return (torch.randn(shape) * 2).to(dtype)
    return torch.randint(0 if dtype == torch.uint8 else -9, 10, shape).to(dtype)


def spd(n, dtype, *batch):
    a = torch.randn(*batch, n, n, dtype=dtype)
    return a @ a.mT / n + torch.eye(n, dtype=dtype)


def pointwise():
    for dtype in ALL:
        x, y = make((5, 4), dtype), make((5, 4), dtype)
        yield f"compare {dtype}", lambda a, b: (
            a == b, a != b, a < b, a <= b, a > b, a >= b, a.eq(1), a.gt(1),
            torch.isclose(a, b), a.logical_and(b), a.logical_or(b),
            a.logical_xor(b), a.logical_not()), x, y
        yield f"functions {dtype}", lambda a: [f(a) for f in (
            torch.exp, torch.exp2, torch.expm1, torch.sin, torch.cos, torch.tan,
            torch.sinh, torch.cosh, torch.tanh, torch.asinh, torch.atan,
            torch.sigmoid, torch.erf, torch.erfc, torch.logit, torch.log1p,
            torch.isnan, torch.isinf, torch.isfinite, torch.signbit,
            torch.rsqrt, torch.sqrt, torch.log, torch.log2, torch.log10,
            torch.reciprocal, torch.sinc, torch.deg2rad)], x
        yield f"casts {dtype}", lambda a: [a.to(d) for d in ALL[2:]], x
        if not dtype.is_floating_point:
            yield f"bits {dtype}", lambda a, b: (a & b, a | b, a ^ b, ~a), x, y
        if dtype == torch.bool:
            continue
        y = torch.where(y == 0, torch.ones_like(y), y)
        yield f"arithmetic {dtype}", lambda a, b: (
            a + b, a - b, a * b, a / b, a // b, a % b, torch.fmod(a, b),
            torch.div(a, b, rounding_mode="trunc"), -a, abs(a), a.sign(),
            torch.div(a, b, rounding_mode="floor"), torch.add(a, b, alpha=2),
            torch.sub(a, b, alpha=3), torch.rsub(a, b), torch.maximum(a, b),
            torch.minimum(a, b), a.square(), a.clamp(1, 2), a.clamp_min(1),
            torch.addcmul(a, a, b, value=2), a.heaviside(b)), x, y
        yield f"numbers {dtype}", lambda a: (
            a + 2, a - 2, a * 3, a / 3, a // 3, a % 3, 2 - a, a**2, a + 0.5,
            a * 0.3, a - 0.1, a % 0.7, a.fmod(3), a.remainder(-3), 1 / a), x
        yield f"powers {dtype}", lambda a, b: (
            a.pow(b % 4), a.abs().pow(0.5), a.pow(3), a.float_power(2),
            torch.pow(2, b % 4)), x, y.abs()
        yield f"rounding {dtype}", lambda a: (
            a.ceil(), a.floor(), a.round(), a.trunc()), x
        if not dtype.is_floating_point:
            yield f"shifts {dtype}", lambda a, b: (
                a << b, a >> b, torch.gcd(a, b), torch.lcm(a, b)), x, y.abs() % 4


def reductions():
    for dtype in ALL:
        x = make((4, 9), dtype)
        x = x.round() if dtype.is_floating_point else x
        yield f"sums {dtype}", lambda a: (
            a.sum(), a.sum(0), a.sum((0, 1), keepdim=True), a.prod(), a.prod(1),
            a.any(), a.all(1), a.count_nonzero(), a.sum(dtype=torch.float64)), x
        yield f"extremes {dtype}", lambda a: (
            a.max(), a.min(), a.max(0), a.min(1, keepdim=True),
            a.amax((0, 1)), a.amin(0), a.mode(), a.mode(0, keepdim=True)), x
        yield f"scans {dtype}", lambda a: (
            a.cumsum(0), a.cumprod(1), a.cummax(0), a.cummin(1)), x
        if dtype == torch.bool:
            continue
        yield f"places {dtype}", lambda a: (
            a.argmax(), a.argmin(), a.argmax(0), a.argmin(1, keepdim=True),
            a.median(), a.median(0), a.median(1, keepdim=True), a.aminmax(),
            a.aminmax(dim=0)), x
        if dtype.is_floating_point:
            y = x.clone()
            y[0, 0], y[1, 3], y[2, 2], y[3, :], y[1, 1] = NAN, INF, -INF, NAN, -0.0
            yield f"nan {dtype}", lambda a: (
                a.sort(stable=True), a.sort(descending=True, stable=True),
                a.topk(3), a.topk(3, largest=False), a.kthvalue(2), a.median(1),
                a.nanmedian(1), a.argmax(1), a.argmin(0), a.max(0), a.min(1),
                a.amax(1), a.mode(1), a.nansum(1), a.nanmean(1), a.cummax(1),
                a.cummin(0), torch.fmax(a, a.flip(0)), torch.fmin(a, a.flip(0)),
                torch.maximum(a, a.flip(0)), a.unique(), a.sign(),
                torch.clamp(a, -1, 1), torch.nan_to_num(a), -a, a.abs()), y
    for dtype in (torch.float32, torch.float64):
        yield f"quantiles {dtype}", lambda a: (
            a.nanquantile(0.3), a.quantile(0.3, 1), a.logsumexp(0), a.std(0),
            a.quantile(0.25, 0, interpolation="nearest"), a.var((0, 1)),
            torch.std_mean(a, 1), torch.var_mean(a, 0, correction=0)), \
            make((4, 5), dtype)


def order():
    for dtype in ALL:
        x = make((4, 9), dtype)
        x = x.round() if dtype.is_floating_point else x  # ties
        yield f"sort {dtype}", lambda a: (
            a.sort(stable=True), a.sort(descending=True, stable=True), a.sort(),
            a.sort(descending=True), a.sort(dim=0), a.argsort(),
            a.argsort(dim=0, descending=True)), x
        yield f"unique {dtype}", lambda a: (
            torch.unique(a, return_inverse=True, return_counts=True),
            torch.unique(a, dim=-1, return_inverse=True, return_counts=True),
            torch.unique_consecutive(a, return_inverse=True, return_counts=True),
            torch.unique_consecutive(a, dim=0, return_counts=True)), x
        if dtype == torch.bool:
            continue
        yield f"topk {dtype}", lambda a: (
            a.topk(3), a.topk(3, largest=False), a.topk(2, dim=0), a.topk(9),
            a.topk(0), a.kthvalue(3), a.kthvalue(2, dim=0, keepdim=True),
            a.msort()), x
        yield f"isin {dtype}", lambda a, b: (
            torch.isin(a, b), torch.isin(a, b, invert=True), torch.isin(a, 2),
            torch.isin(2, a)), make((4, 5), dtype), make((7,), dtype)
        yield f"searchsorted {dtype}", lambda a, b: (
            torch.searchsorted(a, b), torch.searchsorted(a, b, right=True),
            torch.searchsorted(a, b, out_int32=True, side="right"),
            torch.bucketize(b, a[0], right=True)), \
            make((3, 7), dtype).sort()[0], make((3, 5), dtype)
        if not dtype.is_floating_point:
            yield f"bincount {dtype}", lambda a, w: (
                torch.bincount(a), torch.bincount(a, minlength=30),
                torch.bincount(a, w), torch.bincount(a, w.double())), \
                make((20,), dtype).abs(), torch.rand(20)
    for flags in range(8):
        inverse, counts, sort = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        yield f"unique options {flags}", lambda a, s=sort, i=inverse, c=counts: \
            torch.unique(a, sorted=s, return_inverse=i, return_counts=c), \
            make((5, 4), torch.int64)
    for dtype in FLOATS:
        yield f"histc {dtype}", lambda a: (
            torch.histc(a, 5), torch.histc(a, 10, -1, 1)), make((50,), dtype)
    yield "histogram", lambda a, w: (
        torch.histogram(a, 5), torch.histogram(a, 4, range=(-1., 1.), weight=w,
                                               density=True)), \
        torch.randn(50), torch.rand(50)


def indexing():
    index = torch.randint(0, 5, (3, 4))
    for dtype in ALL:
        x, s, mask = make((5, 4), dtype), make((3, 4), dtype), make((5, 4), torch.bool)
        yield f"gather {dtype}", lambda a, i: (
            a.gather(0, i), a.take(i), a.index_select(0, i[0]),
            torch.take_along_dim(a, i, 0), a[i[0]], a[i[0][:, None], i[0][None, :3] % 4],
            a[None, i[0], ...], a[i[0], 1], a[-1], a[..., -2:], a[::2, 1::2]), x, index
        yield f"put {dtype}", lambda a, i, s: (
            a.scatter(0, i[:1], 1), a.scatter_add(0, i, s),
            a.index_copy(0, torch.tensor([0, 4, 2]), s),
            a.index_fill(0, torch.tensor([0, 4, 2]), 1),
            a.index_put((torch.tensor([0, 4, 2]),), s),
            a.index_put((torch.tensor([0, 0, 2]),), s, accumulate=True)), x, index, s
        yield f"masks {dtype}", lambda a, m, s: (
            a.masked_fill(m, 1), a[m], a.masked_select(m),
            a.masked_scatter(m, s.reshape(-1).repeat(2)), a.nonzero(),
            torch.where(m, a, a.flip(0)), torch.where(m, a, 1), a[m[:, 0]],
            torch.nonzero(a, as_tuple=True)), x, mask, s
        yield f"repeat_interleave {dtype}", lambda a, r: (
            a.repeat_interleave(r, 0), a.repeat_interleave(2, 1)), \
            x, torch.tensor([0, 2, 1, 3, 0])
        if dtype == torch.bool:
            continue
        for include in (True, False):
            yield f"reduce {include} {dtype}", lambda a, i, s, n=include: (
                [a.scatter_reduce(0, i, s, r, include_self=n)
                 for r in ("sum", "prod", "mean", "amax", "amin")],
                [a.index_reduce(0, i[:, 0], s, r, include_self=n)
                 for r in ("prod", "mean", "amax", "amin")]), x, index, s
        yield f"accumulate {dtype}", lambda a, i, s: (
            a.scatter(0, i, s, reduce="add"), a.scatter(0, i, 2, reduce="multiply"),
            a.index_add(0, i[:, 0], s), a.index_add(0, i[:, 0], s, alpha=2)), x, index, s


def shapes():
    for dtype in ALL:
        yield f"shapes {dtype}", lambda a: (
            a.t(), a.flip(0), a.roll(1), a.roll((1, 2), (0, 1)), a.tile(2, 2),
            a.repeat(1, 2, 1), a.rot90(), a.unfold(0, 3, 2), F.pad(a, (1, 2)),
            a.diag(), a.diagonal(1), a.tril(), a.triu(1), torch.diag_embed(a),
            torch.diagflat(a), a.movedim(0, 1), torch.cat((a, a)),
            torch.stack((a, a), 1), a.split(2), a.chunk(3), a.unbind(1),
            torch.kron(a, a), a.expand(2, 5, 4), a.unsqueeze(1).squeeze(),
            a.reshape(-1, 2), torch.block_diag(a, a), torch.hstack((a, a)),
            torch.vstack((a, a)), torch.dstack((a, a)), torch.combinations(a[0]),
            torch.meshgrid(a[0], a[:, 0], indexing="ij"),
            torch.cartesian_prod(a[0], a[1]), a.clone().fill_diagonal_(1)), \
            make((5, 4), dtype)
        yield f"no elements {dtype}", lambda a: (
            a.sum(), a.sum(0), a.prod(1), a.any(), a.all(0), a.cumsum(0),
            a.sort(0), a.sort(1), a.flip(0), torch.cat((a, a)), a.nonzero(),
            a.unique(), a.reshape(4, 0), a.t(), a.roll(1), a.repeat(2, 2),
            a[:, 1], a.gather(0, a.long()), a == a, a + 1, a.clone(),
            torch.stack((a, a)), a.argsort(1), a.expand(3, 0, 4), a.tril(),
            a.isnan()), make((0, 4), dtype)
        yield f"no dimensions {dtype}", lambda a: (
            a.sum(), a.sum(0), a.prod(), a.any(), a.all(), a.cumsum(0), a.sort(),
            a.flip(()), a.nonzero(), a.unique(), a.reshape(1, 1), a.t(), a.roll(1),
            a.repeat(2), a.gather(0, torch.zeros((), dtype=torch.long)), a == a,
            torch.stack((a, a)), a.argsort(), a.expand(3), a.max(), a.min(0),
            a.mode(), a.view(1)[0], a[None], a[...], a.masked_fill(a == a, 0),
            a.index_select(0, torch.zeros(1, dtype=torch.long)),
            a.take(torch.zeros(2, dtype=torch.long))), make((), dtype)
    yield "pad_sequence", lambda a, b: (
        torch.nn.utils.rnn.pad_sequence([a, b]),
        torch.nn.utils.rnn.pad_sequence([a, b], True, 2.0)), \
        torch.randn(3, 2), torch.randn(5, 2)


def creation():
    for dtype in ALL:
        yield f"filled {dtype}", lambda a, d=dtype: (
            torch.zeros(2, 3, dtype=d), torch.ones(2, dtype=d),
            torch.full((2,), 1, dtype=d), torch.eye(3, 2, dtype=d),
            torch.tensor([1, 0, 1], dtype=d), torch.zeros((), dtype=d),
            torch.zeros_like(a), torch.full_like(a, 1), a.new_zeros(3),
            a.new_full((2,), 1), torch.zeros_like(a, dtype=torch.float32)), \
            torch.ones(2, 3).to(dtype)
        if dtype != torch.bool:
            yield f"ranges {dtype}", lambda a, d=dtype: (
                torch.arange(5, dtype=d), torch.arange(1, 10, 3, dtype=d),
                torch.linspace(0, 10, 7, dtype=d), torch.logspace(0, 2, 3, dtype=d),
                torch.vander(torch.arange(3, dtype=d)),
                torch.ones(3, 3, dtype=d).tril()), torch.zeros(1)
    for name in ("bartlett", "blackman", "hann", "hamming", "kaiser"):
        yield f"{name}_window", lambda a, w=getattr(torch, name + "_window"): (
            w(7), w(8, periodic=False), w(1), w(0), w(9, dtype=torch.float64)), \
            torch.zeros(1)
    yield "frequencies", lambda a: (
        torch.fft.fftfreq(7), torch.fft.fftfreq(8, 0.5), torch.fft.rfftfreq(7),
        torch.fft.rfftfreq(8, 2.0), torch.range(0, 5, 0.5),
        torch.tril_indices(3, 4), torch.triu_indices(4, 3, 1)), torch.zeros(1)


def products():
    for dtype in INTS + FLOATS:
        def some(*shape):
            return torch.randint(0, 5, shape).to(dtype)

        yield f"products {dtype}", lambda a, b, v: (
            a @ b, torch.mm(a, b), a @ v, torch.dot(v, v), torch.outer(v, v),
            torch.bmm(a[None], b[None]), torch.einsum("ij,jk->ki", a, b),
            torch.addmm(a @ b, a, b, alpha=2, beta=3), torch.inner(v, v),
            torch.matmul(a[None, None], b[None]), torch.tensordot(a, b, 1),
            torch.kron(a, b), torch.baddbmm(a[None] @ b, a[None], b[None])), \
            some(3, 4), some(4, 3), some(4)
    for dtype in (torch.float32, torch.float64):
        yield f"broadcast {dtype}", lambda a, b, c: (
            a @ b, a @ c, c @ a.mT, torch.einsum("...ij,kjl->...il", a, b)), \
            torch.randn(2, 1, 3, 4, dtype=dtype), \
            torch.randn(5, 4, 2, dtype=dtype), torch.randn(4, dtype=dtype)
        yield f"distances {dtype}", lambda a, b: (
            torch.cross(a, b, dim=-1), torch.cdist(a, b), torch.cdist(a, b, p=1.0),
            torch.pdist(a), F.cosine_similarity(a, b), F.pairwise_distance(a, b)), \
            torch.randn(4, 3, dtype=dtype), torch.randn(4, 3, dtype=dtype)


def linear_algebra():
    L = torch.linalg
    for dtype in (torch.float32, torch.float64):
        for batch in ((), (2, 3), (0,)):
            n = 5
            a, rhs = spd(n, dtype, *batch), torch.randn(*batch, n, 2, dtype=dtype)
            label = f"{dtype} {batch}"
            yield f"cholesky {label}", lambda a, r: (
                L.cholesky(a), L.cholesky(a, upper=True), L.cholesky_ex(a),
                torch.cholesky_solve(r, L.cholesky(a))), a, rhs
            yield f"eigvalsh {label}", lambda a: (
                L.eigvalsh(a), L.eigvalsh(a, UPLO="U"), L.svdvals(a)), a
            yield f"qr {label}", lambda a, r: (
                L.qr(r), L.qr(a, mode="r")[1], L.qr(r, mode="complete")), a, rhs
            yield f"lu {label}", lambda a, r: (
                L.lu(a), L.lu_factor(a), L.lu_solve(*L.lu_factor(a), r)), a, rhs
            yield f"solve {label}", lambda a, r: (
                L.solve(a, r), L.inv(a), L.inv_ex(a), L.solve_ex(a, r),
                L.solve_triangular(a.triu(), r, upper=True),
                L.solve_triangular(a.tril(), r.mT, upper=False, left=False),
                torch.triangular_solve(r, a.triu())), a, rhs
            yield f"determinants {label}", lambda a: (
                L.det(a), L.slogdet(a), torch.logdet(a)), a
            yield f"norms {label}", lambda a: (
                L.norm(a, dim=(-2, -1)), L.matrix_norm(a, 1), L.matrix_norm(a, INF),
                L.vector_norm(a, 3, -1), L.vector_norm(a, 0, -1),
                L.vector_norm(a, INF, -1), torch.norm(a), torch.norm(a, 1, -1)), a
            yield f"functions {label}", lambda a: (
                torch.matrix_exp(a), L.pinv(a), L.pinv(a, hermitian=True),
                L.matrix_power(a, 3), L.matrix_power(a, -2), L.matrix_rank(a)), a
            if batch == (0,):
                continue
            yield f"factors {label}", lambda a: (
                lambda w, u: (w[0], (w[1] * w[0].unsqueeze(-2)) @ w[1].mT, u[1],
                              (u[0] * u[1].unsqueeze(-2)) @ u[2]))(
                L.eigh(a), L.svd(a, full_matrices=False)), a
            yield f"lstsq {label}", lambda a, r: (
                L.lstsq(a, r).solution, L.lstsq(r, a).solution,
                L.lstsq(a, r, driver="gelsy")[0]), a, rhs


def draws():
    for dtype in FLOATS:
        for n in (3, 15, 16, 17, 100):
            a = torch.rand(n).to(dtype)
            yield f"rand {dtype} {n}", lambda a: (
                torch.rand_like(a), torch.randn_like(a), torch.randint_like(a, 2, 9),
                torch.rand(3, dtype=a.dtype), torch.bernoulli(a)), a
            yield f"in place {dtype} {n}", lambda a: (
                a.clone().uniform_(-1, 2), a.clone().normal_(1, 2),
                a.clone().exponential_(1.5), a.clone().bernoulli_(0.3),
                a.clone().log_normal_(), a.clone().cauchy_(),
                a.clone().geometric_(0.3), a.clone().random_(),
                a.clone().random_(2, 7), a.clone().bernoulli_(a)), a
            yield f"dropout {dtype} {n}", lambda a: (
                F.dropout(a, 0.3, True), F.alpha_dropout(a, 0.3, True),
                F.dropout(a, 0.0, True), F.dropout(a, 1.0, True),
                F.dropout(a.clone(), 0.3, True, inplace=True),
                F.dropout1d(a.view(1, -1, 1), 0.2, True),
                F.feature_alpha_dropout(a.view(1, -1, 1), 0.2, True)), a
            if dtype in HALVES:
                continue
            yield f"normal {dtype} {n}", lambda m, s: (
                torch.normal(m, s), torch.normal(m, 2.0), torch.normal(1.0, s),
                torch.normal(0.0, 1.0, (4, 5)),
                torch.normal(m[:, None], s[None, :])), a, a + 0.1
            yield f"multinomial {dtype} {n}", lambda p: (
                torch.multinomial(p, 2), torch.multinomial(p, 20, replacement=True),
                torch.multinomial(p.repeat(3, 1), 3), torch.multinomial(p, 1),
                torch.multinomial(p.repeat(2, 1), 7, True)), a
            yield f"gumbel {dtype} {n}", lambda p: (
                F.gumbel_softmax(p), F.gumbel_softmax(p, hard=True)), a
        # Filled in the order of the memory.
        for view in (lambda a: a.t(), lambda a: a.t()[:, ::2],
                     lambda a: a.view(4, 5, 6).permute(2, 0, 1)):
            yield f"memory {dtype}", lambda a, v=view: (
                v(a).clone().uniform_(), v(a).clone().normal_(),
                v(a).clone().exponential_(), v(a).clone().bernoulli_(0.4),
                v(a).clone().random_(9), v(a).clone().log_normal_(),
                v(a).clone().cauchy_(), v(a).clone().geometric_(0.3),
                v(a).clone().bernoulli_(v(a).sigmoid()), torch.rand_like(v(a)),
                torch.randn_like(v(a)), torch.randint_like(v(a), 9),
                torch.bernoulli(v(a).sigmoid()), F.dropout(v(a), 0.3, True),
                F.dropout(F.gelu(v(a)), 0.3, True),
                torch.rand_like(torch.zeros_like(v(a)) + 1)), \
                torch.randn(6, 20).to(dtype)
            yield f"memory in place {dtype}", lambda a, v=view: (
                [v(a).uniform_(), a.clone(), v(a).normal_(), a.clone(),
                 v(a).exponential_(), a.clone()]), torch.zeros(6, 20, dtype=dtype)
    for dtype in ALL:
        yield f"randint {dtype}", lambda a, d=dtype: (
            torch.randint(0, 2, (7,), dtype=d),
            torch.randint(0, 2, (17,), dtype=d)), torch.zeros(1)
        if dtype != torch.bool:
            yield f"randperm {dtype}", lambda a, d=dtype: (
                torch.randperm(5, dtype=d), torch.randperm(100, dtype=d)), torch.zeros(1)
        if not dtype.is_floating_point:
            yield f"integers in place {dtype}", lambda a: (
                a.clone().bernoulli_(0.4), a.clone().random_(0, 2),
                # 32 bits modulo 2^31 are not to be had
                a if a.dtype == torch.int32 else a.clone().random_()), \
                torch.zeros(20, dtype=dtype)
    yield "wide", lambda a: (
        torch.randint(-2**62, 2**62, (9,)), torch.randint(0, 2**40, (9,)),
        torch.randperm(0), torch.randperm(1), torch.randperm(40000)), torch.zeros(1)


FAMILIES = {f.__name__: f for f in (
    pointwise, reductions, order, indexing, shapes, creation, products,
    linear_algebra, draws)}
