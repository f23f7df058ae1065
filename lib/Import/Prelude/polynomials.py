# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Orthogonal polynomials by their recurrences, as aten/src/ATen/native/Math.h.


# Degrees are rounded towards zero; what is no number counts as negative.
def aten_evox_degree(n: Tensor, shape: Tensor) -> Tensor:
    if n.is_floating_point():
        ok = n.abs() < 9.0e18
        n = torch.where(ok, n, torch.full_like(n, -1.0)).to(4)
    return n.to(4) + torch.zeros_like(shape, dtype=4)


# p(k) = (2 x) p(k - 1) - p(k - 2), the recurrence of all Chebyshev polynomials.
def aten_evox_recurrence(x2: Tensor, first: Tensor, n: Tensor) -> Tensor:
    p = torch.ones_like(x2)
    q = first
    k = 2
    while bool((n >= k).any()):
        r = torch.addcmul(-p, x2, q)
        busy = (n >= k) & ~torch.isnan(q)
        p = torch.where(busy, q, p)
        q = torch.where(busy, r, q)
        k = k + 1
    q = torch.where(n == 0, torch.ones_like(q), q)
    return torch.where(n < 0, torch.zeros_like(q), q)


def aten_evox_chebyshev_t(x: Tensor, n: Tensor, most: int) -> Tensor:
    m = n.to(x.dtype)
    even = torch.remainder(n, 2) == 0
    r = aten_evox_recurrence(x + x, x, torch.where((n > most) & (x.abs() < 1), torch.ones_like(n), n))
    t = x.acos()
    trig = (m * t).cos()
    r = torch.where((n > most) & (x.abs() < 1), trig, r)
    one = torch.ones_like(x)
    edge = torch.where((x > 0) | even, one, -one)
    r = torch.where(x.abs() == 1, edge, r)
    return torch.where(n < 0, torch.zeros_like(r), r)


def aten_evox_chebyshev_u(x: Tensor, n: Tensor, most: int) -> Tensor:
    m = n.to(x.dtype)
    even = torch.remainder(n, 2) == 0
    r = aten_evox_recurrence(x + x, x + x, torch.where((n > most) & (x.abs() < 1), torch.ones_like(n), n))
    t = x.acos()
    trig = torch.where(t.sin() != 0, ((m + 1) * t).sin() / t.sin(), (m + 1) * ((m + 1) * t).cos() / x)
    r = torch.where((n > most) & (x.abs() < 1), trig, r)
    one = torch.ones_like(x)
    edge = torch.where((x > 0) | even, m + 1, -(m + 1))
    r = torch.where(x.abs() == 1, edge, r)
    return torch.where(n < 0, torch.zeros_like(r), r)


def aten_evox_chebyshev_v(x: Tensor, n: Tensor, most: int) -> Tensor:
    m = n.to(x.dtype)
    even = torch.remainder(n, 2) == 0
    r = aten_evox_recurrence(x + x, x + x - 1, torch.where((n > most) & (x.abs() < 1), torch.ones_like(n), n))
    t = x.acos()
    flat = torch.where(even, m + m + 1, -(m + m + 1))
    trig = torch.where((t / 2).sin() != 1, ((m + 0.5) * t).cos() / (t / 2).cos(), flat)
    r = torch.where((n > most) & (x.abs() < 1), trig, r)
    one = torch.ones_like(x)
    edge = torch.where(x > 0, one, flat)
    r = torch.where(x.abs() == 1, edge, r)
    return torch.where(n < 0, torch.zeros_like(r), r)


def aten_evox_chebyshev_w(x: Tensor, n: Tensor, most: int) -> Tensor:
    m = n.to(x.dtype)
    even = torch.remainder(n, 2) == 0
    r = aten_evox_recurrence(x + x, x + x + 1, torch.where((n > most) & (x.abs() < 1), torch.ones_like(n), n))
    t = x.acos()
    flat = torch.where(x > 0, m + m + 1, torch.where(even, torch.ones_like(x), -torch.ones_like(x)))
    trig = torch.where((t / 2).cos() != 1, ((m + 0.5) * t).sin() / (t / 2).sin(), flat)
    r = torch.where((n > most) & (x.abs() < 1), trig, r)
    one = torch.ones_like(x)
    edge = torch.where(x > 0, m + m + 1, torch.where(even, one, -one))
    r = torch.where(x.abs() == 1, edge, r)
    return torch.where(n < 0, torch.zeros_like(r), r)


def aten_special_chebyshev_polynomial_t(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_t(y, degree, 6)


def aten_special_shifted_chebyshev_polynomial_t(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_t(y + y - 1, degree, 6)


def aten_special_chebyshev_polynomial_u(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_u(y, degree, 8)


def aten_special_shifted_chebyshev_polynomial_u(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_u(y + y - 1, degree, 6)


def aten_special_chebyshev_polynomial_v(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_v(y, degree, 8)


def aten_special_shifted_chebyshev_polynomial_v(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_v(y + y - 1, degree, 6)


def aten_special_chebyshev_polynomial_w(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_w(y, degree, 8)


def aten_special_shifted_chebyshev_polynomial_w(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_chebyshev_w(y + y - 1, degree, 4)


def aten_evox_hermite_limit(x: Tensor) -> int:
    if x.dtype == 7:
        return 512
    return 128


def aten_evox_hermite(y: Tensor, first: Tensor, step: int, n: Tensor) -> Tensor:
    limit = aten_evox_hermite_limit(y)
    p = torch.ones_like(y)
    q = first
    k = 1
    d = torch.where(n > limit, torch.zeros_like(n), n)
    while bool((d > k).any()):
        r = torch.addcmul(-((step * k) * p), y, q)
        busy = d > k
        p = torch.where(busy, q, p)
        q = torch.where(busy, r, q)
        k = k + 1
    q = torch.where(n == 0, torch.ones_like(q), q)
    q = torch.where(n > limit, torch.full_like(q, float("nan")), q)
    return torch.where(n < 0, torch.zeros_like(q), q)


def aten_special_hermite_polynomial_h(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_hermite(y + y, y + y, 2, degree)


def aten_special_hermite_polynomial_he(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_hermite(y, y, 1, degree)


def aten_evox_laguerre(y: Tensor, n: Tensor) -> Tensor:
    p = torch.ones_like(y)
    q = 1 - y
    k = 1
    while bool((n > k).any()):
        r = torch.addcmul(-(k * p), (k + k) + (1 - y), q) / (k + 1)
        busy = (n > k) & ~torch.isnan(q)
        p = torch.where(busy, q, p)
        q = torch.where(busy, r, q)
        k = k + 1
    q = torch.where((n == 0) | (y == 0), torch.ones_like(q), q)
    return torch.where(n < 0, torch.zeros_like(q), q)


def aten_evox_legendre(y: Tensor, n: Tensor) -> Tensor:
    p = torch.ones_like(y)
    q = y
    k = 1
    while bool((n > k).any()):
        r = torch.addcmul(-(k * p), (k + k + 1) * y, q) / (k + 1)
        busy = (n > k) & ~torch.isnan(q)
        p = torch.where(busy, q, p)
        q = torch.where(busy, r, q)
        k = k + 1
    one = torch.ones_like(q)
    q = torch.where(n == 0, one, q)
    even = torch.remainder(n, 2) == 0
    q = torch.where(y.abs() == 1, torch.where((y > 0) | even, one, -one), q)
    return torch.where(n < 0, torch.zeros_like(q), q)


def aten_special_laguerre_polynomial_l(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_laguerre(y, degree)


def aten_special_legendre_polynomial_p(x: Tensor, n: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(x, n)
    degree = aten_evox_degree(n.to(dtype), x.to(dtype) + n.to(dtype))
    y = x.to(dtype) + torch.zeros_like(degree, dtype=dtype)
    return aten_evox_legendre(y, degree)
