# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Random ops that are made of the draws of the evox dialect, in the order in
# which PyTorch's CPU kernels take them from the generator.


# aten/src/ATen/native/Dropout.cpp
# (The noise of the plain ones lies in memory as the input does.)
def aten_evox_noise(input: Tensor, p: float) -> Tensor:
    return torch.empty_like(input).bernoulli_(1 - p)


def aten_evox_feature_noise(input: Tensor, p: float) -> Tensor:
    shape = [input.size(0), input.size(1)]
    for d in range(2, input.dim()):
        shape.append(1)
    return torch.empty(shape, dtype=input.dtype).bernoulli_(1 - p)


def aten_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if p < 0 or p > 1:
        assert False, "dropout probability has to be between 0 and 1"
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * torch.zeros([], dtype=input.dtype)
    return input * (aten_evox_noise(input, p) / (1 - p))


def aten_feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * torch.zeros([], dtype=input.dtype)
    return input * (aten_evox_feature_noise(input, p) / (1 - p))


def aten_evox_alpha(input: Tensor, noise: Tensor, p: float) -> Tensor:
    alpha = 1.7580993408473766
    a = 1.0 / ((alpha * alpha * p + 1) * (1 - p)) ** 0.5
    b = (noise - 1) * (alpha * a) + (alpha * a * p)
    return input * (noise * a) + b


def aten_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * torch.zeros([], dtype=input.dtype)
    return aten_evox_alpha(input, aten_evox_noise(input, p), p)


def aten_feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * torch.zeros([], dtype=input.dtype)
    return aten_evox_alpha(input, aten_evox_feature_noise(input, p), p)


def aten_native_dropout(input: Tensor, p: float, train: Optional[bool]) -> Tuple[Tensor, Tensor]:
    if input.numel() == 0 or (train is not None and not train):
        return input, torch.ones_like(input, dtype=11)
    mask = torch.empty_like(input, dtype=11).bernoulli_(1 - p)
    scale = 0.0
    if p != 1:
        scale = 1.0 / (1.0 - p)
    return input * mask * scale, mask


def aten_native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    return grad_output * mask * scale


# aten/src/ATen/native/Distributions.cpp and cpu/MultinomialKernel.cpp: without
# replacement the smallest of exponential(1) / p win; with replacement a
# cumulated distribution is searched for uniform numbers.
def aten_multinomial(self: Tensor, num_samples: int, replacement: bool = False) -> Tensor:
    if not replacement or num_samples == 1:
        good = (torch.isfinite(self) & (self >= 0)).all() & (self.sum(-1) != 0).all()
        if not bool(good):
            assert False, "probability tensor contains either `inf`, `nan` or element < 0, or sums to 0"
        q = torch.empty(self.shape, dtype=self.dtype)
        q.exponential_(1.0)
        q = self / q
        if num_samples == 1:
            return q.argmax(-1, True)
        return q.topk(num_samples, -1)[1]
    rows = self
    if self.dim() == 1:
        rows = self.unsqueeze(0)
    if not bool((torch.isfinite(rows) & (rows >= 0)).all() & (rows.sum(-1) > 0).all()):
        assert False, "invalid multinomial distribution"
    compute = aten_evox_compute(rows.dtype)
    cumulated = rows.to(compute).cumsum(1)
    cumulated = cumulated / cumulated[:, -1:]
    u = torch.rand([rows.size(0), num_samples], dtype=7)
    found = (cumulated.to(7).unsqueeze(1) < u.unsqueeze(2)).sum(2)
    found = torch.minimum(found, torch.full_like(found, rows.size(1) - 1))
    if self.dim() == 1:
        return found.squeeze(0)
    return found


# aten/src/ATen/core/DistributionsHelper.h: one float64 uniform per element
def aten_cauchy(self: Tensor, median: float = 0.0, sigma: float = 1.0) -> Tensor:
    u = torch.rand_like(self, dtype=7)
    return (median + sigma * (3.141592653589793 * (u - 0.5)).tan()).to(self.dtype)


def aten_geometric(self: Tensor, p: float) -> Tensor:
    if p <= 0 or p >= 1:
        assert False, "geometric_ expects p to be in (0, 1)"
    u = torch.rand_like(self, dtype=7)
    scale = torch.full([], -p, dtype=7).log1p()
    return (u.log() / scale).ceil().to(self.dtype)


# Float64 normals one after the other, which is how PyTorch's normal_ fills what
# is not contiguous.
def aten_log_normal(self: Tensor, mean: float = 1.0, std: float = 2.0) -> Tensor:
    z = torch.empty_like(self, dtype=7).unsqueeze(-1).expand(self.shape + [2]).clone().select(-1, 0)
    z.normal_()
    return (z * std + mean).exp().to(self.dtype)
