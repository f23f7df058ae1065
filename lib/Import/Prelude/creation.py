# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# New tensors that are made of others.


# aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp and RangeFactories.cpp
def aten_logspace(start: number, end: number, steps: int, base: float = 10.0, dtype: Optional[int] = None) -> Tensor:
    result = torch.result_type(1.0, 1.0)
    if dtype is not None:
        result = dtype
    if result == 5 or result == 15 or result == 6 or result == 7:
        x = torch.linspace(start, end, steps, dtype=aten_evox_compute(result))
    else:
        x = torch.linspace(int(start), int(end), steps, dtype=7)
    return torch.pow(base, x).to(result)


def aten_meshgrid(tensors: List[Tensor], indexing: str = "ij") -> List[Tensor]:
    inputs: List[Tensor] = []
    swap = indexing == "xy" and len(tensors) >= 2
    for i in range(len(tensors)):
        k = i
        if swap and i < 2:
            k = 1 - i
        inputs.append(tensors[k].reshape([-1]))
    shape: List[int] = []
    for t in inputs:
        shape.append(t.size(0))
    grids: List[Tensor] = []
    for i in range(len(inputs)):
        k = i
        if swap and i < 2:
            k = 1 - i
        form = [1] * len(inputs)
        form[k] = inputs[k].size(0)
        grids.append(inputs[k].view(form).expand(shape))
    return grids


def aten_cartesian_prod(tensors: List[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    grids = aten_meshgrid(tensors, "ij")
    flat: List[Tensor] = []
    for grid in grids:
        flat.append(grid.reshape([-1]))
    return torch.stack(flat, 1)


def aten_combinations(self: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    n = self.size(0)
    if r == 0:
        return torch.empty([0], dtype=self.dtype)
    places: List[int] = []
    at: List[int] = []
    for i in range(r):
        if with_replacement:
            at.append(0)
        else:
            at.append(i)
    busy = n > 0 and (with_replacement or r <= n)
    rows = 0
    while busy:
        for i in range(r):
            places.append(at[i])
        rows = rows + 1
        # The last place that can still move up.
        k = r - 1
        limit = n - 1
        while k >= 0 and at[k] == limit:
            k = k - 1
            if not with_replacement:
                limit = limit - 1
        busy = k >= 0
        if busy:
            at[k] = at[k] + 1
            for i in range(k + 1, r):
                if with_replacement:
                    at[i] = at[k]
                else:
                    at[i] = at[i - 1] + 1
    if rows == 0:
        return torch.empty([0, r], dtype=self.dtype)
    return self[torch.tensor(places, dtype=4)].reshape([rows, r])


def aten_block_diag(tensors: List[Tensor]) -> Tensor:
    blocks: List[Tensor] = []
    width = 0
    dtype = tensors[0].dtype
    for t in tensors:
        block = t
        if t.dim() < 2:
            block = t.reshape([1, -1])
        blocks.append(block)
        width = width + block.size(1)
        dtype = torch.promote_types(dtype, t.dtype)
    rows: List[Tensor] = []
    column = 0
    for block in blocks:
        height = block.size(0)
        parts: List[Tensor] = []
        if column > 0:
            parts.append(torch.zeros([height, column], dtype=dtype))
        parts.append(block.to(dtype))
        column = column + block.size(1)
        if column < width:
            parts.append(torch.zeros([height, width - column], dtype=dtype))
        rows.append(torch.cat(parts, 1))
    return torch.cat(rows, 0)


# aten/src/ATen/native/Onehot.cpp
def aten_one_hot(self: Tensor, num_classes: int = -1) -> Tensor:
    assert self.dtype == 4, "one_hot is only applicable to index tensors of type int64"
    assert bool((self >= 0).all()), "Class values must be non-negative."
    n = num_classes
    if num_classes < 0:
        n = int(self.max()) + 1
    else:
        assert bool((self < num_classes).all()), "Class values must be smaller than num_classes."
    return (self.unsqueeze(-1) == torch.arange(n)).to(4)


# --- windows ------------------------------------------------------------------
# aten/src/ATen/native/TensorFactories.cpp


def aten_evox_float_dtype(dtype: Optional[int]) -> int:
    if dtype is not None:
        return dtype
    return torch.result_type(1.0, 1.0)


# What a window of `length` is made from, and how many of its elements are kept.
def aten_evox_window_size(length: int, periodic: bool) -> int:
    assert length >= 0, "window_length must be non-negative"
    if periodic and length > 1:
        return length + 1
    return length


def aten_hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, dtype: Optional[int] = None) -> Tensor:
    n = aten_evox_window_size(window_length, periodic)
    if n <= 1:
        return torch.ones([n], dtype=aten_evox_float_dtype(dtype))
    x = torch.arange(n, dtype=aten_evox_float_dtype(dtype))
    x = (x * (3.141592653589793 * 2.0 / (n - 1))).cos() * -beta + alpha
    return x[:window_length]


def aten_hann_window(window_length: int, periodic: bool = True, dtype: Optional[int] = None) -> Tensor:
    return aten_hamming_window(window_length, periodic, 0.5, 0.5, dtype)


def aten_bartlett_window(window_length: int, periodic: bool = True, dtype: Optional[int] = None) -> Tensor:
    n = aten_evox_window_size(window_length, periodic)
    if n <= 1:
        return torch.ones([n], dtype=aten_evox_float_dtype(dtype))
    x = torch.arange(n, dtype=aten_evox_float_dtype(dtype)) * (2.0 / (n - 1))
    first = (n - 1) // 2 + 1
    x = torch.cat([x[:first], x[first:] * -1 + 2])
    return x[:window_length]


def aten_blackman_window(window_length: int, periodic: bool = True, dtype: Optional[int] = None) -> Tensor:
    n = aten_evox_window_size(window_length, periodic)
    if n <= 1:
        return torch.ones([n], dtype=aten_evox_float_dtype(dtype))
    x = torch.arange(n, dtype=aten_evox_float_dtype(dtype)) * (3.141592653589793 / (n - 1))
    x = (x * 4).cos() * 0.08 - (x * 2).cos() * 0.5 + 0.42
    return x[:window_length]


def aten_kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, dtype: Optional[int] = None) -> Tensor:
    n = aten_evox_window_size(window_length, periodic)
    if n <= 1:
        return torch.ones([n], dtype=aten_evox_float_dtype(dtype))
    x = torch.arange(n, dtype=aten_evox_float_dtype(dtype))
    half = torch.full_like(x, (n - 1) / 2.0)
    x = (x - half) / half
    x = aten_i0(torch.full_like(x, beta) * (1 - x * x).sqrt()) / aten_i0(torch.full_like(x, beta))
    return x[:window_length]


# aten/src/ATen/native/SpectralOps.cpp
def aten_fft_fftfreq(n: int, d: float = 1.0, dtype: Optional[int] = None) -> Tensor:
    x = torch.arange(n, dtype=aten_evox_float_dtype(dtype))
    middle = (n + 1) // 2
    return torch.cat([x[:middle], x[middle:] - n]) * (1.0 / (n * d))


def aten_fft_rfftfreq(n: int, d: float = 1.0, dtype: Optional[int] = None) -> Tensor:
    return torch.arange(n // 2 + 1, dtype=aten_evox_float_dtype(dtype)) * (1.0 / (n * d))


# aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp: as arange, the end included
def aten_range(start: float, end: float, step: float = 1.0, dtype: Optional[int] = None) -> Tensor:
    assert step != 0, "step must be nonzero"
    assert (step > 0 and end >= start) or (step < 0 and end <= start), "upper bound and lower bound inconsistent with step sign"
    n = int((end - start) / step) + 1
    return (torch.arange(n, dtype=7) * step + start).to(aten_evox_float_dtype(dtype))


# aten/src/ATen/native/TensorFactories.cpp
def aten_vander(x: Tensor, N: Optional[int] = None, increasing: bool = False) -> Tensor:
    assert x.dim() == 1, "x must be a one-dimensional tensor."
    n = x.size(0)
    if N is not None:
        n = N
    dtype = torch.promote_types(x.dtype, 4)
    result = torch.ones([x.size(0), n], dtype=dtype)
    if n > 1:
        powers = x.to(dtype).unsqueeze(1).expand([x.size(0), n - 1]).cumprod(1)
        result = torch.cat([result[:, :1], powers], 1)
    if increasing:
        return result
    return result.flip([1])


# aten/src/ATen/native/Fill.cpp
def aten_fill_diagonal(self: Tensor, fill_value: number, wrap: bool = False) -> Tensor:
    assert self.dim() >= 2, "dimensions must larger than 1"
    n = self.size(0)
    step = 0
    stride = 1
    for i in range(self.dim()):
        d = self.dim() - 1 - i
        assert self.dim() == 2 or self.size(d) == n, "all dimensions of input must be of equal length"
        step = step + stride
        stride = stride * self.size(d)
    place = torch.arange(self.numel())
    mask = place % step == 0
    if not (wrap and self.dim() == 2 and n > self.size(1) + 1):
        mask = mask & (place < min(n, self.size(1)) * step)
    return self.masked_fill(mask.reshape(self.shape), fill_value)


# aten/src/ATen/native/PackedSequence.cpp
def aten_pad_sequence(sequences: List[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    assert len(sequences) > 0, "received an empty list of sequences"
    longest = 0
    for s in sequences:
        longest = max(longest, s.size(0))
    rows: List[Tensor] = []
    for s in sequences:
        shape = [longest - s.size(0)]
        for d in range(1, s.dim()):
            shape.append(s.size(d))
        pad = torch.full(shape, padding_value, dtype=s.dtype)
        if padding_side == "left":
            rows.append(torch.cat([pad, s]))
        else:
            rows.append(torch.cat([s, pad]))
    if batch_first:
        return torch.stack(rows, 0)
    return torch.stack(rows, 1)
