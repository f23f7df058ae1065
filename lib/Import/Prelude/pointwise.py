# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Ops that are made of others, in TorchScript. A function named aten_NAME (or
# aten_NAME__OVERLOAD) stands for the op aten::NAME; its parameters are matched
# by name with the op's schema. The comment says where the formula is from;
# aten_evox_NAME is a helper. Dtypes are numbers: 3 int32, 4 int64, 5 float16,
# 6 float32, 7 float64, 11 bool, 15 bfloat16.


# The dtype in which kernels compute: float32 for float16 and bfloat16.
def aten_evox_compute(dtype: int) -> int:
    if dtype == 5 or dtype == 15:
        return 6
    return dtype


# The operand of a float function: integers become the default dtype.
def aten_evox_up(x: Tensor) -> Tensor:
    return x.to(aten_evox_compute(torch.result_type(x, 1.0)))


# Its result: rounded once, to what the operand's dtype gives.
def aten_evox_down(y: Tensor, x: Tensor) -> Tensor:
    return y.to(torch.result_type(x, 1.0))


# What a float function of two operands gives.
def aten_evox_dtype2(a: Tensor, b: Tensor) -> int:
    return torch.result_type(torch.zeros_like(a, dtype=torch.result_type(a, b)), 1.0)


# c / x, as one division.
def aten_evox_over(c: float, x: Tensor) -> Tensor:
    return torch.div(torch.full_like(x, c), x)


# c + r * x with one rounding, as the kernels are compiled.
def aten_evox_horner(r: Tensor, x: Tensor, c: float) -> Tensor:
    return torch.addcmul(torch.full_like(x, c), r, x)


# A polynomial by Horner's rule, the highest power first.
def aten_evox_poly(x: Tensor, c: List[float]) -> Tensor:
    r = torch.full_like(x, c[0])
    for i in range(1, len(c)):
        r = aten_evox_horner(r, x, c[i])
    return r


# aten/src/ATen/native/cpu/LerpKernel.cpp
def aten_lerp(self: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    dtype = aten_evox_compute(self.dtype)
    a = self.to(dtype)
    b = end.to(dtype)
    w = weight.to(dtype)
    small = w.abs() < 0.5
    coefficient = torch.where(small, w, w - 1)
    base = torch.where(small, a, b)
    return torch.addcmul(base, coefficient, b - a).to(self.dtype)


def aten_frac(self: Tensor) -> Tensor:
    return self - self.trunc()


# std::hypot; float32 by way of float64, which is exact enough.
def aten_hypot(self: Tensor, other: Tensor) -> Tensor:
    dtype = torch.result_type(self, other)
    a = self.to(7).abs()
    b = other.to(7).abs()
    if dtype != 7:
        r = (a * a + b * b).sqrt()
    else:
        m = torch.maximum(a, b)
        s = torch.where(m == 0, torch.ones_like(m), m)
        p = a / s
        q = b / s
        r = m * (p * p + q * q).sqrt()
    infinite = torch.isinf(a) | torch.isinf(b)
    return torch.where(infinite, torch.full_like(r, float("inf")), r).to(dtype)


# aten/src/ATen/native/cpu/BinaryOpsKernel.cpp
def aten_logaddexp(self: Tensor, other: Tensor) -> Tensor:
    dtype = torch.result_type(self, other)
    a = self.to(dtype).to(aten_evox_compute(dtype))
    b = other.to(dtype).to(aten_evox_compute(dtype))
    r = torch.maximum(a, b) + (-(a - b).abs()).exp().log1p()
    return torch.where((a == b) & torch.isinf(a), a, r).to(dtype)


def aten_logaddexp2(self: Tensor, other: Tensor) -> Tensor:
    dtype = torch.result_type(self, other)
    a = self.to(dtype).to(aten_evox_compute(dtype))
    b = other.to(dtype).to(aten_evox_compute(dtype))
    r = aten_evox_horner((-(a - b).abs()).exp2().log1p(), torch.full_like(a, 1.4426950408889634), 0.0)
    r = torch.maximum(a, b) + r
    return torch.where((a == b) & torch.isinf(a), a, r).to(dtype)


# aten/src/ATen/native/cpu/UnaryOpsKernel.cpp; halves are rounded after each step here.
def aten_logit(self: Tensor, eps: Optional[float] = None) -> Tensor:
    x = self.to(torch.result_type(self, 1.0))
    if eps is not None:
        lo = torch.full_like(x, eps)
        hi = 1 - lo
        x = torch.where(x < lo, lo, torch.where(x > hi, hi, x))
    r = torch.where(x == 1, torch.full_like(x, float("inf")), x / (1 - x))
    return r.log()


def aten_xlogy(self: Tensor, other: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(self, other)
    x = self.to(dtype)
    y = other.to(dtype)
    r = torch.where(x == 0, torch.zeros_like(x), x * y.log())
    return torch.where(torch.isnan(y), y, r)


def aten_special_xlog1py(self: Tensor, other: Tensor) -> Tensor:
    dtype = aten_evox_dtype2(self, other)
    x = self.to(dtype)
    y = other.to(dtype)
    r = torch.where(x == 0, torch.zeros_like(x), x * y.log1p())
    return torch.where(torch.isnan(y), y, r)


def aten_heaviside(self: Tensor, values: Tensor) -> Tensor:
    one = torch.ones_like(self)
    zero = torch.zeros_like(self)
    return torch.where(self == 0, values, torch.where(self > 0, one, zero))


def aten_ldexp(self: Tensor, other: Tensor) -> Tensor:
    return self * torch.pow(2.0, other)


def aten_float_power(self: Tensor, exponent: Tensor) -> Tensor:
    return torch.pow(self.to(7), exponent.to(7))


def aten_float_power__Tensor_Scalar(self: Tensor, exponent: number) -> Tensor:
    return torch.pow(self.to(7), float(exponent))


def aten_float_power__Scalar(self: number, exponent: Tensor) -> Tensor:
    return torch.pow(float(self), exponent.to(7))


# aten/src/ATen/native/Math.h: Euclid's algorithm, until every lane is done
def aten_gcd(self: Tensor, other: Tensor) -> Tensor:
    dtype = torch.result_type(self, other)
    shape = self * other
    a = torch.zeros_like(shape, dtype=dtype) + self.to(dtype).abs()
    b = torch.zeros_like(shape, dtype=dtype) + other.to(dtype).abs()
    while bool((a != 0).any()):
        busy = a != 0
        r = torch.where(busy, torch.remainder(b, torch.where(busy, a, torch.ones_like(a))), a)
        b = torch.where(busy, a, b)
        a = r
    return b


def aten_lcm(self: Tensor, other: Tensor) -> Tensor:
    g = aten_gcd(self, other)
    safe = torch.where(g == 0, torch.ones_like(g), g)
    r = torch.div(self.to(g.dtype), safe, rounding_mode="trunc") * other.to(g.dtype)
    return torch.where(g == 0, torch.zeros_like(g), r.abs())


def aten_nan_to_num(self: Tensor, nan: Optional[float] = None, posinf: Optional[float] = None, neginf: Optional[float] = None) -> Tensor:
    if not self.is_floating_point():
        return self.clone()
    most = 3.4028234663852886e38
    if self.dtype == 7:
        most = 1.7976931348623157e308
    if self.dtype == 5:
        most = 65504.0
    if self.dtype == 15:
        most = 3.3895313892515355e38
    hi = most
    lo = -most
    value = 0.0
    if posinf is not None:
        hi = posinf
    if neginf is not None:
        lo = neginf
    if nan is not None:
        value = nan
    r = torch.where(torch.isnan(self), torch.full_like(self, value), self)
    r = torch.where(self == float("inf"), torch.full_like(self, hi), r)
    return torch.where(self == float("-inf"), torch.full_like(self, lo), r)


def aten_sinc(self: Tensor) -> Tensor:
    x = aten_evox_up(self)
    p = x * 3.141592653589793
    r = torch.where(x == 0, torch.ones_like(x), p.sin() / p)
    return aten_evox_down(r, self)


def aten_signbit(self: Tensor) -> Tensor:
    if self.is_floating_point():
        return torch.copysign(torch.ones_like(self), self) < 0
    return self < 0


def aten_positive(self: Tensor) -> Tensor:
    if self.dtype == 11:
        assert False, "The `+` operator, on a bool tensor is not supported."
    return self


def aten_deg2rad(self: Tensor) -> Tensor:
    return self * 0.017453292519943295


def aten_rad2deg(self: Tensor) -> Tensor:
    return self * 57.29577951308232


def aten_isposinf(self: Tensor) -> Tensor:
    if self.is_floating_point():
        return self == float("inf")
    return torch.zeros_like(self, dtype=11)


def aten_isneginf(self: Tensor) -> Tensor:
    if self.is_floating_point():
        return self == float("-inf")
    return torch.zeros_like(self, dtype=11)


def aten_isreal(self: Tensor) -> Tensor:
    return torch.ones_like(self, dtype=11)


# Of real numbers: pi below zero, NaN where it is NaN.
def aten_angle(self: Tensor) -> Tensor:
    x = self.to(torch.result_type(self, 1.0))
    r = torch.where(x < 0, torch.full_like(x, 3.141592653589793), torch.zeros_like(x))
    return torch.where(torch.isnan(x), x, r)


# aten/src/ATen/native/TensorCompare.cpp
def aten_isclose(self: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    if self.dtype != other.dtype:
        assert False, "isclose: both tensors need the same dtype"
    close = self == other
    if equal_nan and self.is_floating_point():
        close = close | (torch.isnan(self) & torch.isnan(other))
    if rtol == 0 and atol == 0:
        return close
    a = self
    b = other
    if not self.is_floating_point():
        b = other.to(torch.result_type(other, 1.0))
        a = self.to(b.dtype)
    allowed = atol + (rtol * b).abs()
    error = (a - b).abs()
    return close | (torch.isfinite(error) & (error <= allowed))


def aten_allclose(self: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    return bool(aten_isclose(self, other, rtol, atol, equal_nan).all())


# aten/src/ATen/native/cpu/UnaryOpsKernel.cpp: round_decimals
def aten_round_decimals(self: Tensor, decimals: int) -> Tensor:
    if not self.is_floating_point():
        if decimals < 0:
            assert False, "round with negative decimals is not implemented for integers"
        return self.clone()
    x = aten_evox_up(self)
    scale = 1.0
    for i in range(abs(decimals)):
        scale = scale * 10.0
    if decimals < 0:
        r = (x / scale).round() * scale
    else:
        r = (x * scale).round() / scale
    return r.to(self.dtype)


def aten_threshold(self: Tensor, threshold: number, value: number) -> Tensor:
    return torch.where(self <= threshold, torch.full_like(self, value), self)


def aten_mvlgamma(self: Tensor, p: int) -> Tensor:
    x = self.to(torch.result_type(self, 1.0))
    steps = torch.arange(p, dtype=x.dtype) * 0.5
    n = x.unsqueeze(-1) + (steps - 0.5 * (p - 1))
    return aten_lgamma(n).sum(-1) + 0.25 * p * (p - 1) * 1.1447298858494002


# base ** exponent for integers by squaring; wraps around. x to a negative power
# is 0 but for 1 and -1.
def aten_evox_ipow(self: Tensor, exponent: Tensor) -> Tensor:
    b = self + torch.zeros_like(exponent)
    e = exponent + torch.zeros_like(self)
    odd = (e & 1) == 1
    r = torch.where((e < 0) & ((b == 1) | ((b == -1) & ~odd)), torch.ones_like(b), torch.zeros_like(b))
    r = torch.where((e < 0) & (b == -1) & odd, -torch.ones_like(b), r)
    r = torch.where(e >= 0, torch.ones_like(b), r)
    while bool((e > 0).any()):
        r = torch.where((e > 0) & ((e & 1) == 1), r * b, r)
        b = b * b
        e = torch.where(e > 0, e >> 1, e)
    return r
