# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Special functions. Each branch of a formula is computed for every element and
# the right one selected. Coefficients are those of the Cephes library, which
# PyTorch uses as well, and of W. J. Cody's erfc; branches and order of
# evaluation follow aten/src/ATen/native/Math.h.


# Stirling's series, after a shift to x >= 8, in float64.
def aten_lgamma(self: Tensor) -> Tensor:
    x = self.to(7)
    y = torch.where(x < 0.5, 1 - x, x)
    p = torch.ones_like(y)
    s = y
    for step in range(8):
        small = s < 8
        p = torch.where(small, p * s, p)
        s = torch.where(small, s + 1, s)
    i = aten_evox_over(1.0, s)
    z = i * i
    r = (s - 0.5) * s.log() - s + 0.9189385332046728
    r = r + i * aten_evox_poly(z, [
        -0.029550653594771242, 0.00641025641025641, -0.0019175269175269176,
        0.0008417508417508417, -0.0005952380952380953, 0.0007936507936507937,
        -0.002777777777777778, 0.08333333333333333])
    r = r - p.log()
    # Reflection: -log|sin(pi x) / pi| - lgamma(1 - x).
    f = x - x.round()
    t = (3.141592653589793 * f).sin().abs()
    r = torch.where(x < 0.5, 1.1447298858494002 - t.log() - r, r)
    r = torch.where((x == 1) | (x == 2), torch.zeros_like(r), r)
    pole = torch.isinf(x) | ((x <= 0) & (f == 0))
    r = torch.where(pole, torch.full_like(r, float("inf")), r)
    return aten_evox_down(r, self)


def aten_digamma(self: Tensor) -> Tensor:
    x0 = aten_evox_up(self)
    x = torch.where(x0 < 0, 1 - x0, x0)
    result = torch.zeros_like(x)
    for trip in range(5):
        for step in range(2):
            small = x < 10
            result = torch.where(small, result - aten_evox_over(1.0, x), result)
            x = torch.where(small, x + 1, x)
    z = aten_evox_over(1.0, x * x)
    y = z * aten_evox_poly(z, [
        0.08333333333333333, -0.021092796092796094, 0.007575757575757576,
        -0.004166666666666667, 0.003968253968253968, -0.008333333333333333,
        0.08333333333333333])
    y = torch.where(x < 1.0e17, y, torch.zeros_like(y))
    r = result + x.log() - aten_evox_over(0.5, x) - y
    r = torch.where(x == 10, result + 2.251752589066721, r)
    d = x0.to(7)
    f = d - d.trunc()
    reflected = r - aten_evox_over(3.141592653589793, (3.141592653589793 * f).tan()).to(r.dtype)
    reflected = torch.where(f == 0, torch.full_like(r, float("nan")), reflected)
    r = torch.where(x0 < 0, reflected, r)
    zero = torch.copysign(torch.full_like(r, float("inf")), -x0)
    return aten_evox_down(torch.where(x0 == 0, zero, r), self)


def aten_evox_trigamma(self: Tensor) -> Tensor:
    x0 = aten_evox_up(self)
    low = x0 < 0.5
    x = torch.where(low, 1 - x0, x0)
    s = (3.141592653589793 * x0).sin()
    result = torch.where(low, -aten_evox_over(9.869604401089358, s * s), torch.zeros_like(x))
    for step in range(6):
        result = result + aten_evox_over(1.0, x * x)
        x = x + 1
    i = aten_evox_over(1.0, x * x)
    t = i * (0.16666666666666666 - i * (0.03333333333333333 - i * 0.023809523809523808))
    result = result + (1 + aten_evox_over(1.0, 2 * x) + t) / x
    return aten_evox_down(torch.where(low, -result, result), self)


# Hurwitz's zeta by Euler and Maclaurin.
def aten_special_zeta(self: Tensor, other: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(self, other)
    # float32 is summed in float64 as well
    shape = torch.zeros_like(self.to(7) + other.to(7))
    x = shape + self.to(7)
    q = shape + other.to(7)
    tiny = 1.1102230246251565e-16
    s = torch.pow(q, -x)
    a = q
    b = torch.zeros_like(q)
    done = torch.zeros_like(q, dtype=11)
    for i in range(3):
        for j in range(3):
            a = torch.where(done, a, a + 1)
            b = torch.where(done, b, torch.pow(a, -x))
            s = torch.where(done, s, s + b)
            done = done | ((-tiny * s < b) & (b < tiny * s))
    while bool(((a <= 9) & ~done).any()):
        busy = (a <= 9) & ~done
        a = torch.where(busy, a + 1, a)
        b = torch.where(busy, torch.pow(a, -x), b)
        s = torch.where(busy, s + b, s)
        done = done | (busy & (-tiny * s < b) & (b < tiny * s))
    w = a
    s = torch.where(done, s, s + b * w / (x - 1))
    s = torch.where(done, s, s - 0.5 * b)
    a = torch.ones_like(a)
    k = 0.0
    terms = [
        12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1892437580.3183792,
        74724249600.0, -2950130727918.164, 116467828143500.67, -4597978722407473.0,
        1.8152105401943546e17, -7.1661652561756665e18]
    for term in terms:
        a = a * (x + k)
        b = b / w
        t = a * b / term
        s = torch.where(done, s, s + t)
        done = done | ((t / s).abs() < tiny)
        k = k + 1.0
        a = a * (x + k)
        b = b / w
        k = k + 1.0
    infinity = torch.full_like(s, float("inf"))
    nan = torch.full_like(s, float("nan"))
    s = torch.where((q <= 0) & (x != x.floor()), nan, s)
    s = torch.where((q <= 0) & (q == q.floor()), infinity, s)
    s = torch.where(x < 1, nan, s)
    return torch.where(x == 1, infinity, s).to(dtype)


def aten_polygamma(n: int, self: Tensor) -> Tensor:
    if n < 0:
        assert False, "polygamma(n, x) does not support negative n."
    if n == 0:
        return aten_digamma(self)
    if n == 1:
        return aten_evox_trigamma(self)
    factorial = 1.0
    for i in range(n):
        factorial = factorial * float(i + 1)
    if n % 2 == 0:
        factorial = -factorial
    x = aten_evox_up(self)
    return aten_evox_down(factorial * aten_special_zeta(torch.full_like(x, float(n + 1)), x), self)


def aten_special_polygamma(n: int, self: Tensor) -> Tensor:
    return aten_polygamma(n, self)


# A rational start, then two steps of Newton's method.
def aten_erfinv(self: Tensor) -> Tensor:
    y = aten_evox_up(self)
    m = y.abs()
    z = y * y
    p = aten_evox_poly(z, [-0.140543331, 0.914624893, -1.645349621, 0.886226899])
    q = aten_evox_poly(z, [0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0])
    central = y * p / q
    z = (-((1 - m) / 2).log()).sqrt()
    p = aten_evox_poly(z, [1.641345311, 3.429567803, -1.624906493, -1.970840454])
    q = aten_evox_poly(z, [1.637067800, 3.543889200, 1.0])
    x = torch.where(m <= 0.7, central, torch.copysign(p, y) / q)
    for i in range(2):
        x = x - (x.erf() - y) / (1.1283791670955126 * (-x * x).exp())
    x = torch.where(m == 1, torch.copysign(torch.full_like(y, float("inf")), y), x)
    x = torch.where(m > 1, torch.full_like(y, float("nan")), x)
    return aten_evox_down(x, self)


# W. J. Cody, Rational Chebyshev approximations for the error function; float64.
def aten_evox_erfcx(x: Tensor) -> Tensor:
    y = x.abs()
    z = y * y
    p = aten_evox_poly(z, [
        0.185777706184603153, 3.16112374387056560, 113.864154151050156,
        377.485237685302021, 3209.37758913846947])
    q = aten_evox_poly(z, [
        1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228,
        2844.23683343917062])
    small = z.exp() * (1 - y * p / q)
    p = aten_evox_poly(y, [
        2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594,
        66.1191906371416295, 298.635138197400131, 881.952221241769090,
        1712.04761263407058, 2051.07837782607147, 1230.33935479799725])
    q = aten_evox_poly(y, [
        1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858,
        1621.38957456669019, 3290.79923573345963, 4362.61909014324716,
        3439.36767414372164, 1230.33935480374942])
    middle = p / q
    i = aten_evox_over(1.0, torch.where(y < 1, torch.ones_like(y), y))
    z = i * i
    p = aten_evox_poly(z, [
        0.0163153871373020978, 0.305326634961232344, 0.360344899949804439,
        0.125781726111229246, 0.0160837851487422766, 0.000658749161529837803])
    q = aten_evox_poly(z, [
        1.0, 2.56852019228982242, 1.87295284992346047, 0.527905102951428412,
        0.0605183413124413191, 0.00233520497626869185])
    large = (0.5641895835477563 - z * p / q) * i
    r = torch.where(y <= 0.46875, small, torch.where(y <= 4, middle, large))
    r = torch.where(x < 0, 2 * (x * x).exp() - r, r)
    return torch.where(x < -26.7, torch.full_like(r, float("inf")), r)


def aten_special_erfcx(self: Tensor) -> Tensor:
    return aten_evox_down(aten_evox_erfcx(self.to(7)), self)


def aten_special_log_ndtr(self: Tensor) -> Tensor:
    x = aten_evox_up(self)
    t = x * 0.7071067811865476
    tail = (aten_evox_erfcx(-t.to(7)).to(x.dtype) / 2).log() - t * t
    return aten_evox_down(torch.where(x < -1, tail, (-t.erfc() / 2).log1p()), self)


# aten/src/ATen/native/UnaryOps.cpp: special_ndtr
def aten_special_ndtr(self: Tensor) -> Tensor:
    x = self.to(torch.result_type(self, 1.0))
    return (1 + (x / 1.4142135623730951).erf()) * 0.5


def aten_special_entr(self: Tensor) -> Tensor:
    x = aten_evox_up(self)
    r = torch.where(x > 0, -x * x.log(), torch.zeros_like(x))
    r = torch.where(x < 0, torch.full_like(x, float("-inf")), r)
    return aten_evox_down(torch.where(torch.isnan(x), x, r), self)


def aten_evox_ndtri_p0(x: Tensor) -> Tensor:
    c = [
        -59.96335010141079, 98.00107541859997, -56.67628574690703,
        13.931260938727968, -1.2391658386738125]
    return aten_evox_poly(x, c)


def aten_evox_ndtri_q0(x: Tensor) -> Tensor:
    c = [
        1.0, 1.9544885833814176, 4.676279128988815, 86.36024213908905,
        -225.46268785411937, 200.26021238006066, -82.03722561683334,
        15.90562251262117, -1.1833162112133]
    return aten_evox_poly(x, c)


def aten_evox_ndtri_p1(x: Tensor) -> Tensor:
    c = [
        4.0554489230596245, 31.525109459989388, 57.16281922464213,
        44.08050738932008, 14.684956192885803, 2.1866330685079025,
        -0.1402560791713545, -0.03504246268278482, -0.0008574567851546854]
    return aten_evox_poly(x, c)


def aten_evox_ndtri_q1(x: Tensor) -> Tensor:
    c = [
        1.0, 15.779988325646675, 45.39076351288792, 41.3172038254672,
        15.04253856929075, 2.504649462083094, -0.14218292285478779,
        -0.03808064076915783, -0.0009332594808954574]
    return aten_evox_poly(x, c)


def aten_evox_ndtri_p2(x: Tensor) -> Tensor:
    c = [
        3.2377489177694603, 6.915228890689842, 3.9388102529247444,
        1.3330346081580755, 0.20148538954917908, 0.012371663481782003,
        0.00030158155350823543, 2.6580697468673755e-06, 6.239745391849833e-09]
    return aten_evox_poly(x, c)


def aten_evox_ndtri_q2(x: Tensor) -> Tensor:
    c = [
        1.0, 6.02427039364742, 3.6798356385616087, 1.3770209948908132,
        0.21623699359449663, 0.013420400608854318, 0.00032801446468212774,
        2.8924786474538068e-06, 6.790194080099813e-09]
    return aten_evox_poly(x, c)


def aten_special_ndtri(self: Tensor) -> Tensor:
    y0 = aten_evox_up(self)
    upper = y0 > 1 - 0.1353352832366127
    y = torch.where(upper, 1 - y0, y0)
    d = y - 0.5
    d2 = d * d
    center = (d + d * (d2 * aten_evox_ndtri_p0(d2) / aten_evox_ndtri_q0(d2))) * 2.5066282746310007
    x = (-2.0 * y.log()).sqrt()
    x0 = x - x.log() / x
    z = aten_evox_over(1.0, x)
    near = z * aten_evox_ndtri_p1(z) / aten_evox_ndtri_q1(z)
    far = z * aten_evox_ndtri_p2(z) / aten_evox_ndtri_q2(z)
    tail = x0 - torch.where(x < 8, near, far)
    tail = torch.where(upper, tail, -tail)
    r = torch.where(y > 0.1353352832366127, center, tail)
    infinity = torch.full_like(r, float("inf"))
    r = torch.where(y0 == 0, -infinity, torch.where(y0 == 1, infinity, r))
    r = torch.where((y0 < 0) | (y0 > 1), torch.full_like(r, float("nan")), r)
    return aten_evox_down(r, self)
