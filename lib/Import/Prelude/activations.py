# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Activations of torch.nn.functional, after aten/src/ATen/native/cpu/Activation.cpp.


def aten_evox_float_only(x: Tensor, name: str):
    if not x.is_floating_point():
        assert False, name + " is not implemented for integers"


def aten_elu(self: Tensor, alpha: number = 1, scale: number = 1, input_scale: number = 1) -> Tensor:
    aten_evox_float_only(self, "elu")
    x = aten_evox_up(self)
    negative = (x * float(input_scale)).expm1() * (float(alpha) * float(scale))
    return torch.where(x < 0, negative, x * float(scale)).to(self.dtype)


def aten_selu(self: Tensor) -> Tensor:
    return aten_elu(self, 1.6732632423543772, 1.0507009873554805, 1)


def aten_celu(self: Tensor, alpha: number = 1.0) -> Tensor:
    return aten_elu(self, alpha, 1.0, 1.0 / float(alpha))


def aten_gelu(self: Tensor, approximate: str = "none") -> Tensor:
    aten_evox_float_only(self, "gelu")
    x = aten_evox_up(self)
    if approximate == "tanh":
        inner = 0.7978845608028654 * torch.addcmul(x, torch.full_like(x, 0.044715), x * x * x)
        r = 0.5 * x * (1 + inner.tanh())
    else:
        r = x * 0.5 * (1 + (x * 0.7071067811865476).erf())
    return r.to(self.dtype)


def aten_silu(self: Tensor) -> Tensor:
    aten_evox_float_only(self, "silu")
    x = aten_evox_up(self)
    return (x / (1 + (-x).exp())).to(self.dtype)


def aten_mish(self: Tensor) -> Tensor:
    aten_evox_float_only(self, "mish")
    x = aten_evox_up(self)
    return (x * x.exp().log1p().tanh()).to(self.dtype)


def aten_softplus(self: Tensor, beta: number = 1, threshold: number = 20) -> Tensor:
    aten_evox_float_only(self, "softplus")
    x = aten_evox_up(self)
    z = x * float(beta)
    return torch.where(z > float(threshold), x, z.exp().log1p() / float(beta)).to(self.dtype)


def aten_softsign(self: Tensor) -> Tensor:
    return self / (self.abs() + 1)


def aten_tanhshrink(self: Tensor) -> Tensor:
    return self - self.tanh()


def aten_log_sigmoid(self: Tensor) -> Tensor:
    aten_evox_float_only(self, "log_sigmoid")
    x = aten_evox_up(self)
    return (torch.minimum(x, torch.zeros_like(x)) - (-x.abs()).exp().log1p()).to(self.dtype)


def aten_hardtanh(self: Tensor, min_val: number = -1, max_val: number = 1) -> Tensor:
    assert self.dtype != torch.bool, "Bool inputs not supported for hardtanh"
    if not self.is_floating_point():  # the limits become integers
        low = int(min_val)
        high = int(max_val)
        assert self.dtype != torch.uint8 or (low >= 0 and high >= 0), "cannot do hardtanh on an unsigned type with negative limits"
        return torch.clamp(self, low, high)
    return torch.clamp(self, min_val, max_val)


def aten_relu6(self: Tensor) -> Tensor:
    return torch.clamp(self, 0, 6)


def aten_hardsigmoid(self: Tensor) -> Tensor:
    aten_evox_float_only(self, "hardsigmoid")
    x = aten_evox_up(self)
    return (torch.clamp(x + 3, 0, 6) / 6).to(self.dtype)


def aten_hardswish(self: Tensor) -> Tensor:
    aten_evox_float_only(self, "hardswish")
    x = aten_evox_up(self)
    return (x * torch.clamp(x + 3, 0, 6) / 6).to(self.dtype)


def aten_hardshrink(self: Tensor, lambd: number = 0.5) -> Tensor:
    aten_evox_float_only(self, "hardshrink")
    inside = (self >= -float(lambd)) & (self <= float(lambd))
    return torch.where(inside, torch.zeros_like(self), self)


def aten_softshrink(self: Tensor, lambd: number = 0.5) -> Tensor:
    aten_evox_float_only(self, "softshrink")
    x = aten_evox_up(self)
    r = torch.where(x > float(lambd), x - float(lambd), torch.where(x < -float(lambd), x + float(lambd), x * 0))
    return r.to(self.dtype)


def aten_leaky_relu(self: Tensor, negative_slope: number = 0.01) -> Tensor:
    aten_evox_float_only(self, "leaky_relu")
    x = aten_evox_up(self)
    return torch.where(x > 0, x, x * float(negative_slope)).to(self.dtype)


def aten_prelu(self: Tensor, weight: Tensor) -> Tensor:
    w = weight
    if weight.numel() != 1:
        shape = [1] * self.dim()
        shape[1] = weight.numel()
        w = weight.reshape(shape)
    elif weight.dim() > 0:
        w = weight.reshape([1] * self.dim())
    return torch.where(self > 0, self, w * self)


# The training mode draws a slope for each element that is not positive.
def aten_rrelu(self: Tensor, lower: number = 0.125, upper: number = 0.3333333333333333, training: bool = False) -> Tensor:
    if not training:
        # The mean slope is a float32, whatever the input is.
        slope = (torch.full([], float(lower), dtype=6) + torch.full([], float(upper), dtype=6)) / 2
        return torch.where(self > 0, self, self * slope.to(aten_evox_compute(self.dtype))).to(self.dtype)
    flat = self.reshape([-1])
    mask = flat <= 0
    draws = torch.rand([int(mask.sum())], dtype=7) * (float(upper) - float(lower)) + float(lower)
    draws = torch.cat([draws, torch.zeros([1], dtype=7)]).to(self.dtype)
    place = torch.where(mask, mask.to(4).cumsum(0) - 1, torch.zeros_like(flat, dtype=4))
    r = torch.where(mask, flat * draws[place], flat)
    return r.reshape(self.shape)


def aten_glu(self: Tensor, dim: int = -1) -> Tensor:
    n = self.size(dim)
    if n % 2 != 0:
        assert False, "Halving dimension must be even"
    a = self.narrow(dim, 0, n // 2)
    b = self.narrow(dim, n // 2, n // 2)
    x = aten_evox_up(b)
    return (aten_evox_up(a) * aten_evox_over(1.0, 1 + (-x).exp())).to(self.dtype)


def aten_evox_softmax_input(self: Tensor, dtype: Optional[int]) -> Tensor:
    if dtype is not None:
        return self.to(dtype)
    aten_evox_float_only(self, "softmax")
    return self


# aten/src/ATen/native/cpu/SoftMaxKernel.cpp: exp(x - max) / sum
def aten_softmax(self: Tensor, dim: int, dtype: Optional[int] = None) -> Tensor:
    source = aten_evox_softmax_input(self, dtype)
    if source.numel() == 0:
        return source.clone()
    x = aten_evox_up(source)
    if x.dim() == 0:
        return torch.ones_like(source) * (source - source + 1)
    e = (x - x.amax(dim, True)).exp()
    return (e / e.sum(dim, True)).to(source.dtype)


def aten__softmax(self: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    return aten_softmax(self, dim)


def aten__safe_softmax(self: Tensor, dim: int, dtype: Optional[int] = None) -> Tensor:
    source = aten_evox_softmax_input(self, dtype)
    dead = (source == float("-inf")).all(dim, True)
    return torch.where(dead, torch.zeros_like(source), aten_softmax(source, dim))


def aten_log_softmax(self: Tensor, dim: int, dtype: Optional[int] = None) -> Tensor:
    source = aten_evox_softmax_input(self, dtype)
    if source.numel() == 0:
        return source.clone()
    x = aten_evox_up(source)
    if x.dim() == 0:
        return source - source
    m = x.amax(dim, True)
    d = x - m
    total = d.exp().sum(dim, True)
    if dim == -1 or dim == x.dim() - 1:
        # The kernel of the last dimension keeps the sum and its log as halves.
        log = total.to(source.dtype).to(x.dtype).log().to(source.dtype).to(x.dtype)
    else:
        log = total.log()
    return (d - log).to(source.dtype)


def aten__log_softmax(self: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    return aten_log_softmax(self, dim)


def aten__softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: int) -> Tensor:
    dtype = aten_evox_compute(output.dtype)
    g = grad_output.to(dtype)
    y = output.to(dtype)
    if y.dim() == 0:
        return ((g - g * y) * y).to(input_dtype)
    return ((g - (g * y).sum(dim, True)) * y).to(input_dtype)


def aten__log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: int) -> Tensor:
    dtype = aten_evox_compute(output.dtype)
    g = grad_output.to(dtype)
    y = output.to(dtype).exp()
    if y.dim() == 0:
        return (g - y * g).to(input_dtype)
    return (g - y * g.sum(dim, True)).to(input_dtype)
