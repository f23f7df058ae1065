# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Reductions and scans that are made of others. See pointwise.py for the rules.


# aten/src/ATen/native/ReduceOps.cpp: trace_cpu sums the diagonal
def aten_trace(self: Tensor) -> Tensor:
    assert self.dim() == 2, "trace: expected a matrix"
    return self.diagonal().sum()


# aten/src/ATen/native/cpu/SumKernel.cpp: NaN counts as 0
def aten_nansum(self: Tensor, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    x = self
    if dtype is not None:
        x = self.to(dtype)
    if x.is_floating_point():
        x = torch.masked_fill(x, torch.isnan(x), 0)
    return torch.sum(x, dim, keepdim)


# aten/src/ATen/native/ReduceOps.cpp
def aten_nanmean(self: Tensor, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    assert self.is_floating_point(), "nanmean(): expected input to have floating point dtype"
    factor = torch.sum(torch.logical_not(torch.isnan(self)), dim, keepdim)
    return aten_nansum(self, dim, keepdim, dtype) / factor


# aten/src/ATen/native/ReduceOps.cpp: the maximum is taken off before exp
def aten_logsumexp(self: Tensor, dim: List[int], keepdim: bool = False) -> Tensor:
    x = self
    if not x.is_floating_point():
        x = torch.true_divide(x, 1)
    if x.numel() == 0:
        return torch.log(torch.sum(torch.exp(x), dim, keepdim))
    m = torch.amax(x, dim, True)
    m = torch.masked_fill(m, torch.abs(m) == float("inf"), 0)
    r = torch.log(torch.sum(torch.exp(x - m), dim, True)) + m
    if keepdim:
        return r
    shape = torch.amax(x, dim, False)
    return r.reshape(shape.size())


# aten/src/ATen/native/TensorCompare.cpp
def aten_aminmax(self: Tensor, dim: Optional[int] = None, keepdim: bool = False) -> Tuple[Tensor, Tensor]:
    if dim is None:
        dims: List[int] = []
        return torch.amin(self, dims, keepdim), torch.amax(self, dims, keepdim)
    if self.dim() == 0:
        return self.clone(), self.clone()
    return torch.amin(self, dim, keepdim), torch.amax(self, dim, keepdim)


# aten/src/ATen/native/Sorting.cpp: the lower one of two in the middle
def aten_median(self: Tensor) -> Tensor:
    n = self.numel()
    if n == 0:
        assert self.is_floating_point(), "median of an empty tensor of integers"
        return torch.full([], float("nan"), dtype=self.dtype)
    v = torch.sort(self.reshape([-1]))[0]
    r = v[(n - 1) // 2]
    if self.is_floating_point():
        r = torch.where(torch.isnan(v[n - 1]), v[n - 1], r)
    return r.clone()


# Of equal values the one that is there after a stable sort.
def aten_median__dim(self: Tensor, dim: int, keepdim: bool = False) -> Tuple[Tensor, Tensor]:
    if self.dim() == 0:
        return self.clone(), torch.zeros([], dtype=torch.int64)
    n = self.size(dim)
    assert n > 0, "median(): Expected reduction dim to have non-zero size."
    k = (n - 1) // 2
    index = torch.sort(self, dim=dim, stable=True)[1].narrow(dim, k, 1)
    if self.is_floating_point():
        nan = torch.isnan(self)
        index = torch.where(torch.any(nan, dim, True), torch.argmax(nan.to(torch.uint8), dim, True), index)
    value = torch.gather(self, dim, index)
    if not keepdim:
        return value.squeeze(dim).clone(), index.squeeze(dim).clone()
    return value, index


def aten_nanmedian(self: Tensor) -> Tensor:
    if not self.is_floating_point() or self.numel() == 0:
        return aten_median(self)
    v = torch.sort(self.reshape([-1]))[0]
    count = torch.sum(torch.logical_not(torch.isnan(v)))
    k = torch.clamp(torch.div(count - 1, 2, rounding_mode="floor"), 0)
    return torch.gather(v, 0, k.reshape([1])).reshape([])


def aten_nanmedian__dim(self: Tensor, dim: int, keepdim: bool = False) -> Tuple[Tensor, Tensor]:
    if not self.is_floating_point() or self.dim() == 0:
        return aten_median__dim(self, dim, keepdim)
    assert self.size(dim) > 0, "median(): Expected reduction dim to have non-zero size."
    v, i = torch.sort(self, dim=dim, stable=True)
    count = torch.sum(torch.logical_not(torch.isnan(v)), dim, True)
    k = torch.clamp(torch.div(count - 1, 2, rounding_mode="floor"), 0)
    value = torch.gather(v, dim, k)
    index = torch.gather(i, dim, k)
    # Of NaN alone the one that std::nth_element puts first.
    index = torch.where(count == 0, torch.topk(self, 1, dim, False, False)[1], index)
    if not keepdim:
        return value.squeeze(dim).clone(), index.squeeze(dim).clone()
    return value, index


# aten/src/ATen/native/cpu/TensorCompareKernel.cpp: sorts, the first one of the
# longest runs wins; the index is that of its last element after std::sort.
def aten_mode(self: Tensor, dim: int = -1, keepdim: bool = False) -> Tuple[Tensor, Tensor]:
    if self.dim() == 0:
        return self.clone(), torch.zeros([], dtype=torch.int64)
    n = self.size(dim)
    assert n > 0, "mode(): Expected reduction dim to have non-zero size."
    v, i = torch.sort(self.transpose(dim, -1), dim=-1)
    last = torch.ones_like(v, dtype=torch.bool)
    last[..., :-1] = v[..., 1:] != v[..., :-1]
    first = torch.ones_like(last)
    first[..., 1:] = last[..., :-1]
    at = torch.arange(n)
    begin = torch.cummax(torch.where(first, at, 0), -1)[0]
    length = torch.where(last, at - begin + 1, 0)
    best = torch.argmax(length, -1, True)
    value = torch.gather(v, -1, best).transpose(dim, -1)
    index = torch.gather(i, -1, best).transpose(dim, -1)
    if not keepdim:
        return value.squeeze(dim).clone(), index.squeeze(dim).clone()
    return value.contiguous(), index.contiguous()


# aten/src/ATen/native/Sorting.cpp: quantile_compute
def aten__quantiles(self: Tensor, q: Tensor, dim: Optional[int], keepdim: bool, interpolation: str, ignore_nan: bool) -> Tensor:
    assert self.numel() > 0, "quantile() input tensor must be non-empty"
    assert q.dim() <= 1, "quantile() q must be a scalar or 1D tensor"
    assert self.is_floating_point(), "quantile() input tensor must be either float or double dtype"
    assert self.dtype == q.dtype, "quantile() q tensor must be same dtype as the input tensor"
    assert interpolation in ["linear", "lower", "higher", "midpoint", "nearest"], "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest"
    assert bool(torch.all(torch.logical_and(q >= 0, q <= 1))), "quantile() q values must be in the range [0, 1]"
    shape: List[int] = []
    x = self
    if dim is None:
        x = torch.sort(self.reshape([-1]))[0]
        if keepdim:
            for _ in range(self.dim()):
                shape.append(1)
    else:
        x = torch.sort(self.unsqueeze(-1).transpose(dim if dim >= 0 or self.dim() == 0 else dim - 1, -1), -1)[0] if self.dim() > 0 else self.reshape([1])
        wrapped = dim if dim >= 0 else dim + self.dim()
        for d in range(self.dim()):
            if d != wrapped:
                shape.append(self.size(d))
            elif keepdim:
                shape.append(1)
    out = list(shape)
    n = x.size(-1)
    rows = x.reshape([-1, n])
    q1 = q.reshape([-1])
    count = q1.size(0)
    if ignore_nan:
        rank = q1 * (torch.sum(torch.logical_not(torch.isnan(rows)), -1, True) - 1)
        rank = torch.masked_fill(rank, rank < 0, 0)
    else:
        rank = torch.masked_fill(q1 * (n - 1) + torch.zeros_like(rows[:, :1]).nan_to_num(), torch.any(torch.isnan(rows), -1, True), n - 1)
    if interpolation == "lower":
        rank = torch.floor(rank)
    elif interpolation == "higher":
        rank = torch.ceil(rank)
    elif interpolation == "nearest":
        rank = torch.round(rank)
    below = rank.to(torch.int64)
    value = torch.gather(rows, -1, below)
    if interpolation == "linear" or interpolation == "midpoint":
        above = torch.gather(rows, -1, torch.ceil(rank).to(torch.int64))
        if interpolation == "midpoint":
            value = torch.lerp(value, above, torch.full_like(rank, 0.5))
        else:
            value = torch.lerp(value, above, rank - below)
    if q.dim() == 0:
        return value.reshape(out)
    return value.t().reshape([count] + out)


def aten_quantile(self: Tensor, q: Tensor, dim: Optional[int] = None, keepdim: bool = False, interpolation: str = "linear") -> Tensor:
    return aten__quantiles(self, q, dim, keepdim, interpolation, False)


def aten_quantile__scalar(self: Tensor, q: float, dim: Optional[int] = None, keepdim: bool = False, interpolation: str = "linear") -> Tensor:
    assert q >= 0 and q <= 1, "quantile() q must be in the range [0, 1]"
    return aten__quantiles(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation, False)


def aten_nanquantile(self: Tensor, q: Tensor, dim: Optional[int] = None, keepdim: bool = False, interpolation: str = "linear") -> Tensor:
    return aten__quantiles(self, q, dim, keepdim, interpolation, True)


def aten_nanquantile__scalar(self: Tensor, q: float, dim: Optional[int] = None, keepdim: bool = False, interpolation: str = "linear") -> Tensor:
    assert q >= 0 and q <= 1, "quantile() q must be in the range [0, 1]"
    return aten__quantiles(self, torch.full([], q, dtype=self.dtype), dim, keepdim, interpolation, True)


# aten/src/ATen/native/Distance.cpp
def aten_dist(self: Tensor, other: Tensor, p: number = 2) -> Tensor:
    return torch.norm(self - other, p)


# aten/src/ATen/native/ReduceOps.cpp
def aten_diff(self: Tensor, n: int = 1, dim: int = -1, prepend: Optional[Tensor] = None, append: Optional[Tensor] = None) -> Tensor:
    assert self.dim() > 0, "diff expects input to be at least one-dimensional"
    assert n >= 0, "order must be non-negative"
    if n == 0:  # prepend and append are left out too
        return self.clone()
    parts: List[Tensor] = []
    if prepend is not None:
        parts.append(prepend)
    parts.append(self)
    if append is not None:
        parts.append(append)
    x = torch.cat(parts, dim) if len(parts) > 1 else self.clone()
    for _ in range(min(n, x.size(dim))):
        m = x.size(dim)
        high = torch.narrow(x, dim, 1, m - 1)
        low = torch.narrow(x, dim, 0, m - 1)
        x = torch.logical_xor(high, low) if x.dtype == torch.bool else high - low
    return x


# aten/src/ATen/native/ReduceOps.cpp: gradient_helper_float
def aten__gradient_even(self: Tensor, dx: number, dim: int, edge_order: int) -> Tensor:
    n = self.size(dim)
    assert edge_order == 1 or edge_order == 2, "torch.gradient only supports edge_order=1 and edge_order=2."
    assert n > edge_order, "torch.gradient expected each dimension size to be at least edge_order+1"
    center = (torch.narrow(self, dim, 2, n - 2) - torch.narrow(self, dim, 0, n - 2)) / dx
    if edge_order == 1:
        first = (torch.narrow(self, dim, 1, 1) - torch.narrow(self, dim, 0, 1)) / dx
        last = (torch.narrow(self, dim, n - 1, 1) - torch.narrow(self, dim, n - 2, 1)) / dx
    else:
        first = (-1.5 * torch.narrow(self, dim, 0, 1) + 2 * torch.narrow(self, dim, 1, 1) - 0.5 * torch.narrow(self, dim, 2, 1)) / dx
        last = (0.5 * torch.narrow(self, dim, n - 3, 1) - 2 * torch.narrow(self, dim, n - 2, 1) + 1.5 * torch.narrow(self, dim, n - 1, 1)) / dx
    return torch.cat([first, center / 2, last], dim)


# aten/src/ATen/native/ReduceOps.cpp: gradient_helper
def aten__gradient_at(self: Tensor, x: Tensor, dim: int, edge_order: int) -> Tensor:
    n = self.size(dim)
    assert edge_order == 1 or edge_order == 2, "torch.gradient only supports edge_order=1 and edge_order=2."
    assert n > edge_order, "torch.gradient expected each dimension size to be at least edge_order+1"
    shape: List[int] = []
    for _ in range(self.dim()):
        shape.append(1)
    shape[dim] = -1
    d = aten_diff(x)
    dx1 = d[:-1]
    dx2 = d[1:]
    a = (-dx2 / (dx1 * (dx1 + dx2))).reshape(shape)
    b = ((dx2 - dx1) / (dx1 * dx2)).reshape(shape)
    c = (dx1 / (dx2 * (dx1 + dx2))).reshape(shape)
    center = a * torch.narrow(self, dim, 0, n - 2) + b * torch.narrow(self, dim, 1, n - 2) + c * torch.narrow(self, dim, 2, n - 2)
    if edge_order == 1:
        first = (torch.narrow(self, dim, 1, 1) - torch.narrow(self, dim, 0, 1)) / d[0]
        last = (torch.narrow(self, dim, n - 1, 1) - torch.narrow(self, dim, n - 2, 1)) / d[-1]
    else:
        a = -(2.0 * d[0] + d[1]) / (d[0] * (d[0] + d[1]))
        b = (d[0] + d[1]) / (d[0] * d[1])
        c = (-d[0]) / (d[1] * (d[0] + d[1]))
        first = a * torch.narrow(self, dim, 0, 1) + b * torch.narrow(self, dim, 1, 1) + c * torch.narrow(self, dim, 2, 1)
        a = d[-1] / (d[-2] * (d[-1] + d[-2]))
        b = -(d[-1] + d[-2]) / (d[-1] * d[-2])
        c = (2 * d[-1] + d[-2]) / (d[-1] * (d[-1] + d[-2]))
        last = a * torch.narrow(self, dim, n - 3, 1) + b * torch.narrow(self, dim, n - 2, 1) + c * torch.narrow(self, dim, n - 1, 1)
    return torch.cat([first, center, last], dim)


def aten__gradient_dims(self: Tensor, dim: Optional[int]) -> List[int]:
    dims: List[int] = []
    if dim is not None:
        dims.append(dim)
    else:
        for d in range(self.dim()):
            dims.append(d)
    return dims


def aten_gradient__scalarint(self: Tensor, spacing: Optional[number] = None, dim: Optional[int] = None, edge_order: int = 1) -> List[Tensor]:
    result: List[Tensor] = []
    for d in aten__gradient_dims(self, dim):
        result.append(aten__gradient_even(self, 1 if spacing is None else spacing, d, edge_order))
    return result


def aten_gradient__scalararray(self: Tensor, spacing: number, dim: List[int], edge_order: int = 1) -> List[Tensor]:
    result: List[Tensor] = []
    for d in dim:
        result.append(aten__gradient_even(self, spacing, d, edge_order))
    return result


def aten_gradient__array(self: Tensor, dim: List[int], edge_order: int = 1) -> List[Tensor]:
    result: List[Tensor] = []
    for d in dim:
        result.append(aten__gradient_even(self, 1, d, edge_order))
    return result


def aten_gradient__scalarrayarray(self: Tensor, spacing: List[float], dim: List[int], edge_order: int = 1) -> List[Tensor]:
    assert len(spacing) == len(dim), "torch.gradient expected spacing to be unspecified, a scalar or a list of the length of dim"
    result: List[Tensor] = []
    for i in range(len(dim)):
        result.append(aten__gradient_even(self, spacing[i], dim[i], edge_order))
    return result


def aten_gradient__scalarrayint(self: Tensor, spacing: List[float], dim: Optional[int] = None, edge_order: int = 1) -> List[Tensor]:
    return aten_gradient__scalarrayarray(self, spacing, aten__gradient_dims(self, dim), edge_order)


def aten_gradient__tensorarray(self: Tensor, spacing: List[Tensor], dim: List[int], edge_order: int = 1) -> List[Tensor]:
    assert len(spacing) == len(dim), "torch.gradient expected spacing to be unspecified, a scalar or a list of the length of dim"
    result: List[Tensor] = []
    for i in range(len(dim)):
        result.append(aten__gradient_at(self, spacing[i], dim[i], edge_order))
    return result


def aten_gradient__tensorarrayint(self: Tensor, spacing: List[Tensor], dim: Optional[int] = None, edge_order: int = 1) -> List[Tensor]:
    return aten_gradient__tensorarray(self, spacing, aten__gradient_dims(self, dim), edge_order)


# aten/src/ATen/native/Integration.cpp
def aten__steps(y: Tensor, x: Tensor, dim: int) -> Tensor:
    assert y.dtype != torch.bool and x.dtype != torch.bool, "trapezoid: received a bool input for `x` or `y`, but bool is not supported"
    v = x
    if x.dim() == 1:
        assert x.size(0) == y.size(dim), "trapezoid: There must be one `x` value for each sample point"
        shape: List[int] = []
        for _ in range(y.dim()):
            shape.append(1)
        shape[dim] = x.size(0)
        v = x.reshape(shape)
    else:
        while v.dim() < y.dim():
            v = v.unsqueeze(0)
    n = v.size(dim)
    return torch.narrow(v, dim, 1, n - 1) - torch.narrow(v, dim, 0, n - 1)


def aten__pairs(y: Tensor, dim: int) -> Tensor:
    n = y.size(dim)
    return torch.narrow(y, dim, 0, n - 1) + torch.narrow(y, dim, 1, n - 1)


def aten_trapezoid__x(y: Tensor, x: Tensor, dim: int = -1) -> Tensor:
    d = dim if dim >= 0 else dim + y.dim()
    if y.size(d) == 0:
        return torch.sum(y, d)
    return torch.sum(aten__pairs(y, d) * aten__steps(y, x, d), d) / 2.0


def aten_trapezoid__dx(y: Tensor, dx: number = 1, dim: int = -1) -> Tensor:
    if y.size(dim) == 0:
        return torch.sum(y, dim)
    assert y.dtype != torch.bool, "trapezoid: received a bool input for `y`, but bool is not supported"
    return (torch.sum(y, dim) - (y.select(dim, 0) + y.select(dim, -1)) * 0.5) * float(dx)


def aten_trapz__x(y: Tensor, x: Tensor, dim: int = -1) -> Tensor:
    return aten_trapezoid__x(y, x, dim)


def aten_trapz__dx(y: Tensor, dx: float = 1.0, dim: int = -1) -> Tensor:
    return aten_trapezoid__dx(y, dx, dim)


def aten_cumulative_trapezoid__x(y: Tensor, x: Tensor, dim: int = -1) -> Tensor:
    d = dim if dim >= 0 else dim + y.dim()
    return torch.cumsum(aten__pairs(y, d) * aten__steps(y, x, d), d) / 2.0


def aten_cumulative_trapezoid__dx(y: Tensor, dx: number = 1, dim: int = -1) -> Tensor:
    assert y.dtype != torch.bool, "cumulative_trapezoid: received a bool input for `y`, but bool is not supported"
    return torch.cumsum(float(dx) / 2.0 * aten__pairs(y, dim), dim)


# aten/src/ATen/native/Correlation.cpp
def aten_cov(self: Tensor, correction: int = 1, fweights: Optional[Tensor] = None, aweights: Optional[Tensor] = None) -> Tensor:
    assert self.dim() <= 2, "cov(): expected input to have two or fewer dimensions"
    assert self.dtype != torch.bool, "cov(): bool dtype is not supported for input"
    x = self if self.dim() == 2 else self.reshape([1, -1])
    n = x.size(1)
    w = torch.ones([])
    weighted = False
    if fweights is not None:
        assert fweights.numel() == n, "cov(): expected fweights to have the same numel as there are observations in the input"
        if n > 0:
            assert bool(torch.min(fweights) >= 0), "cov(): fweights cannot be negative"
        w = fweights
        weighted = True
    if aweights is not None:
        assert aweights.numel() == n, "cov(): expected aweights to have the same numel as there are observations in the input"
        if n > 0:
            assert bool(torch.min(aweights) >= 0), "cov(): aweights cannot be negative"
        w = w * aweights if weighted else aweights
        weighted = True
    total = torch.full([], n, dtype=torch.int64)
    if weighted:
        total = torch.sum(w)
        assert bool(total != 0), "cov(): weights sum to zero, can't be normalized"
    mean = torch.sum(x * w if weighted else x, 1) / total
    norm = torch.full([], n - correction, dtype=torch.int64)
    if weighted:
        if correction == 0:
            norm = total
        elif aweights is None:
            norm = total - correction
        elif fweights is None and n == 1 and correction == 1:
            norm = torch.zeros([], dtype=torch.int64)
        else:
            norm = total - correction * torch.sum(w * aweights) / total
    norm = torch.where(norm <= 0, torch.zeros_like(norm), norm)
    if n == 1 and (fweights is None) != (aweights is None):
        x = torch.zeros_like(x)
        if not x.is_floating_point():
            x = x.to(torch.float32)
    else:
        x = x - mean.unsqueeze(1)
    c = torch.mm(x, (x * w if weighted else x).t())
    return (c / norm).squeeze()


def aten_corrcoef(self: Tensor) -> Tensor:
    c = aten_cov(self)
    if c.dim() == 0:
        return c / c
    s = torch.sqrt(c.diagonal())
    c = c / s.reshape([-1, 1])
    c = c / s.reshape([1, -1])
    return torch.clamp(c, -1, 1)


# aten/src/ATen/native/SummaryOps.cpp
def aten_bincount(self: Tensor, weights: Optional[Tensor] = None, minlength: int = 0) -> Tensor:
    assert minlength >= 0, "minlength should be >= 0"
    assert self.dim() == 1, "bincount only supports 1-d non-negative integral inputs."
    if self.numel() == 0:
        return torch.zeros([minlength], dtype=torch.int64)
    assert bool(torch.min(self) >= 0), "bincount only supports 1-d non-negative integral inputs."
    n = max(int(torch.max(self)) + 1, minlength)
    index = self.to(torch.int64)
    if weights is None:
        return torch.zeros([n], dtype=torch.int64).scatter_add(0, index, torch.ones_like(index))
    assert weights.numel() == self.numel(), "weights should be 1-d and have the same length as input"
    w = weights if weights.is_floating_point() else weights.to(torch.float64)
    return torch.zeros([n], dtype=w.dtype).scatter_add(0, index, w)


# aten/src/ATen/native/cpu/HistogramKernel.cpp: bins by interpolation
def aten_histc(self: Tensor, bins: int = 100, min: number = 0, max: number = 0) -> Tensor:
    assert self.is_floating_point(), "histc is implemented for floating point tensors only"
    assert bins > 0, "bins must be > 0"
    x = self.reshape([-1])
    lo = torch.full([], float(min), dtype=x.dtype)
    hi = torch.full([], float(max), dtype=x.dtype)
    if float(min) == float(max) and x.numel() > 0:
        lo = torch.amin(x)
        hi = torch.amax(x)
    same = lo == hi
    lo, hi = torch.where(same, lo - 1, lo), torch.where(same, hi + 1, hi)
    assert bool(torch.isfinite(lo)) and bool(torch.isfinite(hi)), "range is not finite"
    assert bool(lo < hi), "max must be larger than min"
    inside = torch.logical_and(x >= lo, x <= hi)
    at = torch.where(inside, (x - lo) * bins / (hi - lo), 0).to(torch.int64)
    at = torch.where(at == bins, bins - 1, at)
    return torch.zeros([bins], dtype=x.dtype).scatter_add(0, at, inside.to(x.dtype))


# aten/src/ATen/native/cpu/HistogramKernel.cpp: bins by binary search, the last
# one with its right edge
def aten__histogram(self: Tensor, edges: Tensor, weight: Optional[Tensor], density: bool) -> Tensor:
    assert self.dtype == edges.dtype, "torch.histogram: input tensor and bins tensors should have the same dtype"
    x = self.reshape([-1])
    n = edges.size(0) - 1
    assert n > 0, "torch.histogram: bins tensor should have at least 2 elements"
    inside = torch.logical_and(x >= edges[0], x <= edges[n])
    at = torch.clamp(torch.searchsorted(edges, x, right=True) - 1, 0, n - 1)
    w = torch.ones_like(x) if weight is None else weight.reshape([-1])
    hist = torch.zeros([n], dtype=x.dtype).scatter_add(0, at, torch.where(inside, w, torch.zeros_like(w)))
    if density:
        hist = hist / torch.sum(hist)
        hist = hist / (edges[1:] - edges[:-1])
    return hist


def aten_histogram__bins_tensor(self: Tensor, bins: Tensor, weight: Optional[Tensor] = None, density: bool = False) -> Tuple[Tensor, Tensor]:
    return aten__histogram(self, bins, weight, density), bins.clone()


def aten_histogram__bin_ct(self: Tensor, bins: int = 100, range: Optional[List[float]] = None, weight: Optional[Tensor] = None, density: bool = False) -> Tuple[Tensor, Tensor]:
    assert self.is_floating_point(), "histogram is implemented for floating point tensors only"
    lo = 0.0
    hi = 1.0
    if range is not None:
        lo = range[0]
        hi = range[1]
    elif self.numel() > 0:
        lo = float(torch.amin(self))
        hi = float(torch.amax(self))
    same = lo == hi
    lo = lo - 0.5 if same else lo
    hi = hi + 0.5 if same else hi
    assert lo - lo == 0.0 and hi - hi == 0.0, "torch.histogram: range is not finite"
    assert lo <= hi, "torch.histogram: min should not exceed max"
    edges = torch.linspace(lo, hi, bins + 1, dtype=self.dtype)
    return aten__histogram(self, edges, weight, density), edges


# aten/src/ATen/native/Histogram.cpp
def aten_histogramdd(self: Tensor, bins: List[int], range: Optional[List[float]] = None, weight: Optional[Tensor] = None, density: bool = False) -> Tuple[Tensor, List[Tensor]]:
    assert self.is_floating_point(), "histogramdd is implemented for floating point tensors only"
    assert self.dim() >= 2, "torch.histogramdd: input tensor should have at least 2 dimensions"
    n = self.size(-1)
    assert len(bins) == n, "torch.histogramdd: expected one bin count for each dimension"
    x = self.reshape([-1, n])
    edges: List[Tensor] = []
    for d in aten__up_to(n):
        lo = 0.0
        hi = 1.0
        if range is not None:
            lo = range[2 * d]
            hi = range[2 * d + 1]
        elif self.numel() > 0:
            lo = float(torch.amin(x[:, d]))
            hi = float(torch.amax(x[:, d]))
        same = lo == hi
        lo = lo - 0.5 if same else lo
        hi = hi + 0.5 if same else hi
        assert lo - lo == 0.0 and hi - hi == 0.0, "torch.histogramdd: range is not finite"
        assert lo <= hi, "torch.histogramdd: min should not exceed max"
        edges.append(torch.linspace(lo, hi, bins[d] + 1, dtype=self.dtype))
    return aten__histogram_nd(x, edges, weight, density), edges


def aten_histogramdd__int_bins(self: Tensor, bins: int, range: Optional[List[float]] = None, weight: Optional[Tensor] = None, density: bool = False) -> Tuple[Tensor, List[Tensor]]:
    return aten_histogramdd(self, [bins] * self.size(-1), range, weight, density)


def aten_histogramdd__TensorList_bins(self: Tensor, bins: List[Tensor], range: Optional[List[float]] = None, weight: Optional[Tensor] = None, density: bool = False) -> Tuple[Tensor, List[Tensor]]:
    assert self.is_floating_point(), "histogramdd is implemented for floating point tensors only"
    assert len(bins) == self.size(-1), "torch.histogramdd: expected one tensor of bins for each dimension"
    edges: List[Tensor] = []
    for b in bins:
        edges.append(b.clone())
    return aten__histogram_nd(self.reshape([-1, self.size(-1)]), edges, weight, density), edges


def aten__up_to(n: int) -> List[int]:
    r: List[int] = []
    for i in range(n):
        r.append(i)
    return r


def aten__histogram_nd(x: Tensor, edges: List[Tensor], weight: Optional[Tensor], density: bool) -> Tensor:
    m = x.size(0)
    inside = torch.ones([m], dtype=torch.bool)
    at = torch.zeros([m], dtype=torch.int64)
    shape: List[int] = []
    total = 1
    for d in range(len(edges)):
        e = edges[d]
        n = e.size(0) - 1
        assert n > 0, "torch.histogramdd: bins tensors should have at least 2 elements"
        column = x[:, d].contiguous()
        inside = torch.logical_and(inside, torch.logical_and(column >= e[0], column <= e[n]))
        at = at * n + torch.clamp(torch.searchsorted(e, column, right=True) - 1, 0, n - 1)
        shape.append(n)
        total = total * n
    w = torch.ones([m], dtype=x.dtype) if weight is None else weight.reshape([-1]).to(x.dtype)
    hist = torch.zeros([total], dtype=x.dtype).scatter_add(0, at, torch.where(inside, w, torch.zeros_like(w))).reshape(shape)
    if density:
        hist = hist / torch.sum(hist)
        for d in range(len(edges)):
            own = [1] * len(edges)
            own[d] = shape[d]
            hist = hist / (edges[d][1:] - edges[d][:-1]).reshape(own)
    return hist


# aten/src/ATen/native/SegmentReduce.cpp
def aten_segment_reduce(data: Tensor, reduce: str, lengths: Optional[Tensor] = None, indices: Optional[Tensor] = None, offsets: Optional[Tensor] = None, axis: int = 0, unsafe: bool = False, initial: Optional[number] = None) -> Tensor:
    assert indices is None, "segment_reduce(): indices based reduction is not supported."
    axis = axis if axis >= 0 else axis + data.dim()
    outer = 1
    shape: List[int] = []
    for d in range(axis):
        outer = outer * data.size(d)
        shape.append(data.size(d))
    n = data.size(axis)
    begin = torch.zeros([outer, 1], dtype=torch.int64)
    ends = begin
    if lengths is not None:
        assert lengths.dim() == axis + 1, "Expected axis to be the last dimension of lengths"
        ends = torch.cumsum(lengths.reshape([outer, lengths.size(axis)]).to(torch.int64), 1)
        if not unsafe:
            assert bool(torch.all(lengths >= 0)), "lengths contains negative value!"
            assert bool(torch.all(ends[:, -1:] == n)), "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
    else:
        assert offsets is not None, "segment_reduce(): Either lengths or offsets must be defined."
        assert offsets.dim() == axis + 1, "Expected axis to be the last dimension of offsets"
        places = offsets.reshape([outer, offsets.size(axis)]).to(torch.int64)
        begin = places[:, :1]
        ends = places[:, 1:]
    count = ends.size(1)
    j = torch.arange(n).reshape([1, n, 1])
    segment = torch.sum((ends.unsqueeze(1) <= j).to(torch.int64), [2])
    # What is in no segment goes to one more, which is dropped.
    segment = torch.where(torch.arange(n).unsqueeze(0) < begin, torch.full_like(segment, count), segment)
    x = data.reshape([outer, n, -1])
    inner = x.size(2)
    lowest = float("-inf")
    start = 0.0
    if reduce == "max":
        start = lowest
    elif reduce == "min":
        start = -lowest
    elif reduce == "prod":
        start = 1.0
    else:
        assert reduce == "sum" or reduce == "mean", "segment_reduce(): unsupported reduction " + reduce
    how = "sum"
    if reduce == "max":
        how = "amax"
    elif reduce == "min":
        how = "amin"
    elif reduce == "prod":
        how = "prod"
    first = torch.full([outer, count + 1, inner], start if initial is None else float(initial), dtype=data.dtype)
    index = segment.unsqueeze(2).expand([outer, n, inner])
    r = torch.narrow(torch.scatter_reduce(first, 1, index, x, how, include_self=True), 1, 0, count)
    if reduce == "mean":
        size = (ends - torch.cat([begin, ends[:, :-1]], 1)).unsqueeze(2)
        mean = r / size.to(data.dtype)
        empty = size == 0
        r = torch.where(empty, mean if initial is None else r, mean)
    shape.append(count)
    for d in range(axis + 1, data.dim()):
        shape.append(data.size(d))
    return r.reshape(shape)
