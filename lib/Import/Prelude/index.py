# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Indexing that is made of other ops. See pointwise.py for the rules.


# An index of one dimension for index_put.
def aten__place(dim: int, index: Tensor) -> List[Optional[Tensor]]:
    at: List[Optional[Tensor]] = []
    for _ in range(dim):
        at.append(None)
    at.append(index)
    return at


# aten/src/ATen/native/TensorAdvancedIndexing.cpp, but where another is named.
def aten_take(self: Tensor, index: Tensor) -> Tensor:
    assert index.dtype == torch.int64, "take(): Expected a long tensor for index"
    return torch._unsafe_index(self.reshape([-1]), aten__place(0, index))


def aten_put(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    assert index.dtype == torch.int64, "put_(): Expected a long tensor for index"
    assert index.numel() == source.numel(), "put_(): Expected source and index to have the same number of elements"
    assert self.dtype == source.dtype, "put_(): self and source expected to have the same dtype"
    flat = self.reshape([-1])
    r = torch.index_put(flat, aten__place(0, index.reshape([-1])), source.reshape([-1]), accumulate)
    return r.reshape(self.size())


def aten_take_along_dim(self: Tensor, indices: Tensor, dim: Optional[int] = None) -> Tensor:
    if dim is None:
        return torch.gather(self.reshape([-1]), 0, indices.reshape([-1]))
    assert self.dim() == indices.dim(), "torch.take_along_dim(): input and indices should have the same number of dimensions"
    d = dim if dim >= 0 else dim + self.dim()
    x: List[int] = []
    i: List[int] = []
    for k in range(self.dim()):
        n = self.size(k)
        m = indices.size(k)
        x.append(n if k == d else (m if n == 1 else n))
        i.append(m if k == d else (n if m == 1 else m))
    # Any index is taken modulo the size.
    at = torch.remainder(indices, self.size(d)) if indices.numel() > 0 else indices
    return torch.gather(self.expand(x), d, at.expand(i))


def aten_index_copy(self: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    assert index.dim() <= 1, "index_copy_(): Index should have dimension 1 or 0"
    assert index.dtype == torch.int64, "index_copy_(): Expected a long tensor for index"
    assert self.dtype == source.dtype, "index_copy_(): self and source expected to have the same dtype"
    if self.dim() == 0:
        return source.reshape([]).clone()
    d = dim if dim >= 0 else dim + self.dim()
    src = source.unsqueeze(d) if source.dim() < self.dim() else source
    return torch.index_put(self, aten__place(d, index.reshape([-1])), src)


def aten_index_add(self: Tensor, dim: int, index: Tensor, source: Tensor, alpha: number = 1) -> Tensor:
    assert index.dim() <= 1, "index_add_(): Index is supposed to be a vector"
    assert self.dtype == source.dtype, "index_add_(): self and source expected to have the same dtype"
    src = source if alpha == 1 else (source * alpha).to(self.dtype)
    if self.dim() == 0:
        return torch.index_put(self.reshape([1]), aten__place(0, index.reshape([-1])), src.reshape([-1]), True).reshape([])
    d = dim if dim >= 0 else dim + self.dim()
    if src.dim() < self.dim():
        src = src.unsqueeze(d)
    return torch.index_put(self, aten__place(d, index.reshape([-1])), src, True)


def aten_index_fill__int_Scalar(self: Tensor, dim: int, index: Tensor, value: number) -> Tensor:
    return aten_index_fill__int_Tensor(self, dim, index, torch.full([], value, dtype=self.dtype))


def aten__index_fill(self: Tensor, dim: int, index: Tensor, value: Tensor) -> Tensor:
    return torch.index_put(self, aten__place(dim, index.reshape([-1])), value.to(self.dtype))


def aten_index_fill__int_Tensor(self: Tensor, dim: int, index: Tensor, value: Tensor) -> Tensor:
    assert index.dtype == torch.int64, "index_fill_(): Expected dtype int64 for index."
    assert index.dim() <= 1, "Index has to be a vector/scalar"
    assert value.dim() == 0, "index_fill_ only supports a 0-dimensional value tensor"
    if self.dim() == 0:
        return aten__index_fill(self.reshape([1]), 0, index, value).reshape([])
    return aten__index_fill(self, dim if dim >= 0 else dim + self.dim(), index, value)


# Begins with the identity where self is not part of the reduction.
def aten__identity(self: Tensor, reduce: str) -> Tensor:
    if reduce == "prod":
        return torch.ones([], dtype=self.dtype)
    if reduce == "amax" or reduce == "amin":
        least = reduce == "amax"
        if self.dtype == torch.bool:
            return torch.full([], not least, dtype=self.dtype)
        if self.is_floating_point():
            return torch.full([], -float("inf") if least else float("inf"), dtype=self.dtype)
        if self.dtype == torch.uint8:
            return torch.full([], 0 if least else 255, dtype=self.dtype)
        bits = 63
        if self.dtype == torch.int8:
            bits = 7
        elif self.dtype == torch.int16:
            bits = 15
        elif self.dtype == torch.int32:
            bits = 31
        low = -(1 << (bits - 1)) * 2
        return torch.full([], low if least else -(low + 1), dtype=self.dtype)
    return torch.zeros([], dtype=self.dtype)


def aten_scatter_reduce(self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool = True) -> Tensor:
    assert reduce in ["sum", "prod", "mean", "amax", "amin"], "reduce argument must be either sum, prod, mean, amax or amin"
    assert self.dtype == src.dtype, "scatter(): Expected self.dtype to be equal to src.dtype"
    x = self
    if index.numel() == 0:
        return self.clone()
    if not (include_self):
        x = torch.scatter(x, dim, index, aten__identity(self, reduce).expand(index.size()))
    if reduce != "mean":
        return torch.scatter(x, dim, index, src, reduce=reduce)
    x = torch.scatter_add(x, dim, index, src)
    one = torch.ones(index.size(), dtype=self.dtype)
    count = torch.ones_like(self)
    if not (include_self):
        count = torch.scatter(count, dim, index, torch.zeros_like(one))
    count = torch.scatter_add(count, dim, index, one)
    if not (include_self):
        count = torch.masked_fill(count, count == 0, 1)
    if self.is_floating_point():
        return x / count
    return torch.div(x, count, rounding_mode="floor")


def aten_index_reduce(self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool = True) -> Tensor:
    assert reduce in ["prod", "mean", "amax", "amin"], "index_reduce_(): Expected reduce to be one of prod, mean, amax, amin"
    assert index.dim() <= 1, "index_reduce_(): Index is supposed to be a vector"
    if self.dim() == 0:
        return aten_scatter_reduce(self.reshape([1]), 0, index.reshape([-1]).to(torch.int64), source.reshape([-1]), reduce, include_self).reshape([])
    d = dim if dim >= 0 else dim + self.dim()
    shape: List[int] = []
    for k in range(self.dim()):
        shape.append(index.numel() if k == d else 1)
    places = index.reshape(shape).to(torch.int64).expand(source.size())
    return aten_scatter_reduce(self, d, places, source, reduce, include_self)


# aten/src/ATen/native/cpu/IndexKernel.cpp: the source is used up in order
def aten_masked_scatter(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    assert mask.dtype == torch.bool, "masked_scatter_ only supports boolean masks"
    assert self.dtype == source.dtype, "masked_scatter: expected self and source to have same dtypes"
    x, m = torch.broadcast_tensors([self, mask])
    if x.numel() == 0:
        return x.clone()
    at = torch.cumsum(m.reshape([-1]).to(torch.int64), 0) - 1
    assert bool(at[-1] < source.numel()), "masked_scatter: expected source to have at least as many elements as the mask has ones"
    if source.numel() == 0:
        return x.clone()
    values = torch._unsafe_index(source.reshape([-1]), aten__place(0, torch.clamp(at, 0)))
    return torch.where(m, values.reshape(x.size()), x)


# aten/src/ATen/native/TensorAdvancedIndexing.cpp: nonzero_static_cpu
def aten_nonzero_static(self: Tensor, size: int, fill_value: int = -1) -> Tensor:
    assert size >= 0, "nonzero_static: 'size' must be an non-negative integer"
    n = self.numel()
    r = self.dim()
    if n == 0 or r == 0 or size == 0:
        if r == 0 or size == 0 or n == 0:
            return torch.full([size, r], fill_value, dtype=torch.int64)
    mask = self.reshape([-1]) != 0
    rank = torch.cumsum(mask.to(torch.int64), 0) - 1
    place = torch.where(torch.logical_and(mask, rank < size), rank, size)
    flat = torch.full([size + 1], -1, dtype=torch.int64).scatter(0, place, torch.arange(n))
    flat = torch.narrow(flat, 0, 0, size)
    columns: List[Tensor] = []
    step = n
    for d in range(r):
        step = step // self.size(d)
        i = torch.remainder(torch.floor_divide(flat, step), self.size(d))
        columns.append(torch.where(flat < 0, fill_value, i))
    return torch.stack(columns, 1)


# aten/src/ATen/native/Repeat.cpp
def aten_repeat_interleave__Tensor(repeats: Tensor, output_size: Optional[int] = None) -> Tensor:
    assert repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat"
    if repeats.numel() == 0:
        return torch.empty([0], dtype=repeats.dtype)
    assert bool(torch.min(repeats) >= 0), "repeats can not be negative"
    ends = torch.cumsum(repeats, 0)
    if output_size is None:
        n = int(ends[-1])
    else:
        n = output_size
        assert bool(ends[-1] == n), "allocated size does not match required size"
    return torch.searchsorted(ends, torch.arange(n), right=True).to(repeats.dtype)


def aten_repeat_interleave__self_Tensor(self: Tensor, repeats: Tensor, dim: Optional[int] = None, output_size: Optional[int] = None) -> Tensor:
    x = self.reshape([-1]) if dim is None or self.dim() == 0 else self
    d = 0 if dim is None else dim
    r = repeats
    if r.dim() == 0 or (r.dim() == 1 and r.size(0) == 1):
        r = r.reshape([1]).expand([x.size(d)])
    assert r.dim() == 1, "repeats must be 0-dim or 1-dim tensor"
    assert r.size(0) == x.size(d), "repeats must have the same size as input along dim"
    at = aten_repeat_interleave__Tensor(r, output_size)
    return torch.index_select(x, d, at)


def aten_repeat_interleave__self_int(self: Tensor, repeats: int, dim: Optional[int] = None, output_size: Optional[int] = None) -> Tensor:
    assert repeats >= 0, "Repeats must be non-negative"
    x = self.reshape([-1]) if dim is None or self.dim() == 0 else self
    d = 0 if dim is None else dim
    d = d if d >= 0 else d + x.dim()
    wide: List[int] = []
    flat: List[int] = []
    for k in range(x.dim()):
        wide.append(x.size(k))
        flat.append(x.size(k) * repeats if k == d else x.size(k))
        if k == d:
            wide.append(repeats)
    return x.unsqueeze(d + 1).expand(wide).reshape(flat)


# aten/src/ATen/native/TensorCompare.cpp: isin
def aten_isin__Tensor_Tensor(elements: Tensor, test_elements: Tensor, assume_unique: bool = False, invert: bool = False) -> Tensor:
    x = elements
    y = test_elements.reshape([-1])
    if y.numel() == 0:
        return torch.full(x.size(), invert, dtype=torch.bool)
    if y.numel() <= 64:
        r = torch.any(x.unsqueeze(-1) == y, -1)
    else:
        z = torch.cat([x.reshape([-1])[:0], y])
        w = x.to(z.dtype)
        s = torch.sort(z)[0]
        at = torch.clamp(torch.searchsorted(s, w.reshape([-1])), 0, s.numel() - 1)
        r = (torch.index_select(s, 0, at) == w.reshape([-1])).reshape(x.size())
    return torch.logical_not(r) if invert else r


def aten_isin__Tensor_Scalar(elements: Tensor, test_element: number, assume_unique: bool = False, invert: bool = False) -> Tensor:
    return elements != test_element if invert else elements == test_element


def aten_isin__Scalar_Tensor(element: number, test_elements: Tensor, assume_unique: bool = False, invert: bool = False) -> Tensor:
    r = torch.any(test_elements == element) if test_elements.numel() > 0 else torch.zeros([], dtype=torch.bool)
    return torch.logical_not(r) if invert else r


# aten/src/ATen/native/Unique.cpp: consecutive runs of a vector
def aten__runs(v: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    n = v.size(0)
    first = torch.ones([n], dtype=torch.bool)
    first[1:] = v[1:] != v[:-1]
    begin = torch.nonzero(first).reshape([-1])
    count = torch.cat([begin[1:], torch.full([1], n, dtype=torch.int64)]) - begin
    return begin, torch.cumsum(first.to(torch.int64), 0) - 1, count


def aten__unique2(self: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Tuple[Tensor, Tensor, Tensor]:
    none = torch.empty([0], dtype=torch.int64)
    if self.numel() == 0:
        return torch.empty([0], dtype=self.dtype), torch.empty(self.size() if return_inverse else [0], dtype=torch.int64), none
    v, order = torch.sort(self.reshape([-1]), dim=0, stable=True)
    begin, run, count = aten__runs(v)
    inverse = none
    if return_inverse:
        inverse = torch.scatter(torch.zeros_like(run), 0, order, run).reshape(self.size())
    return torch.index_select(v, 0, begin), inverse, count if return_counts else none


def aten__unique(self: Tensor, sorted: bool = True, return_inverse: bool = False) -> Tuple[Tensor, Tensor]:
    v, inverse, _ = aten__unique2(self, sorted, return_inverse, False)
    return v, inverse


# The runs of equal rows of a matrix.
def aten__row_runs(x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    n = x.size(0)
    first = torch.ones([n], dtype=torch.bool)
    first[1:] = torch.any(x[1:] != x[:-1], 1)
    begin = torch.nonzero(first).reshape([-1])
    count = torch.cat([begin[1:], torch.full([1], n, dtype=torch.int64)]) - begin
    return begin, torch.cumsum(first.to(torch.int64), 0) - 1, count


def aten_unique_consecutive(self: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Optional[int] = None) -> Tuple[Tensor, Tensor, Tensor]:
    none = torch.empty([0], dtype=torch.int64)
    if dim is None or (self.dim() == 1):
        if self.numel() == 0:
            return torch.empty([0], dtype=self.dtype), torch.empty(self.size() if return_inverse else [0], dtype=torch.int64), none
        v = self.reshape([-1])
        begin, run, count = aten__runs(v)
        return torch.index_select(v, 0, begin), run.reshape(self.size()) if return_inverse else none, count if return_counts else none
    if aten__unique_nothing(self, dim):
        return self.clone(), torch.empty([0], dtype=torch.int64), torch.empty([0], dtype=torch.int64)
    begin, run, count = aten__row_runs(self.transpose(0, dim).reshape([self.size(dim), -1]))
    # PyTorch always fills the inverse and the counts here.
    return torch.index_select(self, dim, begin), run, count


# Along a dimension of size 0 there is nothing; another one is an error.
def aten__unique_nothing(self: Tensor, dim: int) -> bool:
    zeros = 0
    for d in range(self.dim()):
        zeros += 1 if self.size(d) == 0 else 0
    assert zeros <= 1, "Number of zero sized dimensions is more than one, so unique cannot be applied "
    assert zeros == 0 or self.size(dim) == 0, "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
    return zeros == 1


# Rows are put in order by stable sorts from their last column to their first.
def aten_unique_dim(self: Tensor, dim: int, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Tuple[Tensor, Tensor, Tensor]:
    assert self.dim() > 0, "unique: a tensor with at least one dimension is expected"
    none = torch.empty([0], dtype=torch.int64)
    n = self.size(dim)
    if aten__unique_nothing(self, dim):
        return self.clone(), torch.empty([0], dtype=torch.int64), torch.empty([0], dtype=torch.int64)
    x = self.movedim(dim, 0).reshape([n, -1])
    order = torch.arange(n)
    for k in range(x.size(1)):
        column = torch.index_select(x[:, x.size(1) - 1 - k], 0, order)
        order = torch.index_select(order, 0, torch.sort(column, dim=0, stable=True)[1])
    begin, run, count = aten__row_runs(torch.index_select(x, 0, order))
    inverse = torch.scatter(torch.zeros_like(run), 0, order, run)
    return torch.index_select(self, dim, torch.index_select(order, 0, begin)), inverse, count


# aten/src/ATen/native/Bucketization.cpp
def aten_bucketize__Tensor(self: Tensor, boundaries: Tensor, out_int32: bool = False, right: bool = False) -> Tensor:
    assert boundaries.dim() == 1, "boundaries tensor must be 1 dimension"
    return torch.searchsorted(boundaries, self, out_int32=out_int32, right=right)


def aten_bucketize__Scalar(self: number, boundaries: Tensor, out_int32: bool = False, right: bool = False) -> Tensor:
    assert boundaries.dim() == 1, "boundaries tensor must be 1 dimension"
    return torch.searchsorted(boundaries, self, out_int32=out_int32, right=right)


# aten/src/ATen/native/TensorAdvancedIndexing.cpp
def aten__unsafe_masked_index(self: Tensor, mask: Tensor, indices: List[Optional[Tensor]], fill: number) -> Tensor:
    at: List[Optional[Tensor]] = []
    for d in range(len(indices)):
        i = indices[d]
        if i is None:
            at.append(i)
        else:
            at.append(torch.clamp(i, -self.size(d), self.size(d) - 1))
    if self.numel() == 0:
        shape = mask.size()
        return torch.full(shape, fill, dtype=self.dtype)
    return torch.masked_fill(torch._unsafe_index(self, at), torch.logical_not(mask), fill)


def aten__unsafe_masked_index_put_accumulate(self: Tensor, mask: Tensor, indices: List[Optional[Tensor]], values: Tensor) -> Tensor:
    if self.numel() == 0:
        return self.clone()
    at: List[Optional[Tensor]] = []
    for d in range(len(indices)):
        i = indices[d]
        if i is None:
            at.append(i)
        else:
            at.append(torch.clamp(i, -self.size(d), self.size(d) - 1))
    return torch.index_put(self, at, torch.masked_fill(values, torch.logical_not(mask), 0), True)




# --- answers of bool ----------------------------------------------------------


def aten_is_same_size(self: Tensor, other: Tensor) -> bool:
    return self.shape == other.shape


def aten_equal(self: Tensor, other: Tensor) -> bool:
    if self.shape != other.shape:
        return False
    return bool((self == other).all())


def aten_is_nonzero(self: Tensor) -> bool:
    assert self.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous"
    return bool(self)
