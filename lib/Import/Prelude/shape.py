# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Views and shapes that are made of others: what is a view in PyTorch is one
# here. See pointwise.py for the rules.


# aten/src/ATen/native/TensorShape.cpp, but where another file is named.
def aten_swapdims(self: Tensor, dim0: int, dim1: int) -> Tensor:
    return torch.transpose(self, dim0, dim1)


def aten_unflatten(self: Tensor, dim: int, sizes: List[int]) -> Tensor:
    assert len(sizes) > 0, "unflatten: sizes must be non-empty"
    d = dim if dim >= 0 else dim + self.dim()
    known = 1
    for s in sizes:
        if s != -1:
            known *= s
    shape: List[int] = []
    for i in range(self.dim()):
        if i != d:
            shape.append(self.size(i))
        else:
            for s in sizes:
                shape.append(self.size(i) // known if s == -1 else s)
    return self.view(shape)


def aten_ravel(self: Tensor) -> Tensor:
    return self.contiguous().view([-1])


def aten_tensor_split__sections(self: Tensor, sections: int, dim: int = 0) -> List[Tensor]:
    assert self.dim() > 0, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
    assert sections > 0, "number of sections must be larger than 0"
    n = self.size(dim)
    out: List[Tensor] = []
    at = 0
    for i in range(sections):
        m = n // sections + (1 if i < n % sections else 0)
        out.append(torch.narrow(self, dim, at, m))
        at += m
    return out


def aten_tensor_split__indices(self: Tensor, indices: List[int], dim: int = 0) -> List[Tensor]:
    assert self.dim() > 0, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
    n = self.size(dim)
    out: List[Tensor] = []
    at = 0
    for i in indices + [n]:
        end = i if i >= 0 else i + n
        begin = min(max(at if at >= 0 else at + n, 0), n)
        end = max(min(max(end, 0), n), begin)
        out.append(torch.narrow(self, dim, begin, end - begin))
        at = i
    return out


def aten__even_split(self: Tensor, sections: int, dim: int) -> List[Tensor]:
    assert sections > 0 and self.size(dim) % sections == 0, "torch.hsplit, vsplit and dsplit attempted to split along a dimension whose size is not divisible by the split_size"
    return aten_tensor_split__sections(self, sections, dim)


def aten_hsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    assert self.dim() >= 1, "torch.hsplit requires a tensor with at least 1 dimension"
    return aten__even_split(self, sections, 0 if self.dim() == 1 else 1)


def aten_hsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    assert self.dim() >= 1, "torch.hsplit requires a tensor with at least 1 dimension"
    return aten_tensor_split__indices(self, indices, 0 if self.dim() == 1 else 1)


def aten_vsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    assert self.dim() >= 2, "torch.vsplit requires a tensor with at least 2 dimension"
    return aten__even_split(self, sections, 0)


def aten_vsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    assert self.dim() >= 2, "torch.vsplit requires a tensor with at least 2 dimension"
    return aten_tensor_split__indices(self, indices, 0)


def aten_dsplit__int(self: Tensor, sections: int) -> List[Tensor]:
    assert self.dim() >= 3, "torch.dsplit requires a tensor with at least 3 dimension"
    return aten__even_split(self, sections, 2)


def aten_dsplit__array(self: Tensor, indices: List[int]) -> List[Tensor]:
    assert self.dim() >= 3, "torch.dsplit requires a tensor with at least 3 dimension"
    return aten_tensor_split__indices(self, indices, 2)


def aten_unsafe_chunk(self: Tensor, chunks: int, dim: int = 0) -> List[Tensor]:
    out: List[Tensor] = []
    for x in torch.chunk(self, chunks, dim):
        out.append(x.clone())
    return out


def aten_unsafe_split(self: Tensor, split_size: int, dim: int = 0) -> List[Tensor]:
    out: List[Tensor] = []
    for x in torch.split(self, split_size, dim):
        out.append(x.clone())
    return out


def aten_unsafe_split_with_sizes(self: Tensor, split_sizes: List[int], dim: int = 0) -> List[Tensor]:
    out: List[Tensor] = []
    for x in torch.split_with_sizes(self, split_sizes, dim):
        out.append(x.clone())
    return out


def aten_split_with_sizes_copy(self: Tensor, split_sizes: List[int], dim: int = 0) -> List[Tensor]:
    return aten_unsafe_split_with_sizes(self, split_sizes, dim)


def aten_split_copy(self: Tensor, split_size: int, dim: int = 0) -> List[Tensor]:
    return aten_unsafe_split(self, split_size, dim)


def aten_unbind_copy(self: Tensor, dim: int = 0) -> List[Tensor]:
    out: List[Tensor] = []
    for x in torch.unbind(self, dim):
        out.append(x.clone())
    return out


# aten/src/ATen/native/TensorTransformations.cpp
def aten_atleast_1d(self: Tensor) -> Tensor:
    return self.reshape([1]) if self.dim() == 0 else self


def aten_atleast_2d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1])
    return self.unsqueeze(0) if self.dim() == 1 else self


def aten_atleast_3d(self: Tensor) -> Tensor:
    if self.dim() == 0:
        return self.reshape([1, 1, 1])
    if self.dim() == 1:
        return self.unsqueeze(0).unsqueeze(-1)
    return self.unsqueeze(-1) if self.dim() == 2 else self


def aten_atleast_1d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    out: List[Tensor] = []
    for t in tensors:
        out.append(aten_atleast_1d(t))
    return out


def aten_atleast_2d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    out: List[Tensor] = []
    for t in tensors:
        out.append(aten_atleast_2d(t))
    return out


def aten_atleast_3d__Sequence(tensors: List[Tensor]) -> List[Tensor]:
    out: List[Tensor] = []
    for t in tensors:
        out.append(aten_atleast_3d(t))
    return out


def aten_fliplr(self: Tensor) -> Tensor:
    assert self.dim() >= 2, "Input must be >= 2-d."
    return torch.flip(self, [1])


def aten_flipud(self: Tensor) -> Tensor:
    assert self.dim() >= 1, "Input must be >= 1-d."
    return torch.flip(self, [0])


def aten_rot90(self: Tensor, k: int = 1, dims: List[int] = [0, 1]) -> Tensor:
    assert len(dims) == 2, "expected total rotation dims == 2"
    assert self.dim() >= 2, "expected total dims >= 2"
    a = dims[0]
    b = dims[1]
    turns = k % 4
    if turns == 1:
        return torch.transpose(torch.flip(self, [b]), a, b)
    if turns == 2:
        return torch.flip(self, [a, b])
    if turns == 3:
        return torch.transpose(torch.flip(self, [a]), a, b)
    return self.clone()


def aten_diag_embed(self: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    r = self.dim() + 1
    d1 = dim1 if dim1 >= 0 else dim1 + r
    d2 = dim2 if dim2 >= 0 else dim2 + r
    assert d1 != d2, "diagonal dimensions cannot be identical"
    n = self.size(-1) + abs(offset)
    shape: List[int] = []
    at = 0
    for d in range(r):
        if d == d1 or d == d2:
            shape.append(n)
        else:
            shape.append(self.size(at))
            at += 1
    out = torch.zeros(shape, dtype=self.dtype)
    torch.diagonal(out, offset, d1, d2).copy_(self)
    return out


def aten_diag(self: Tensor, diagonal: int = 0) -> Tensor:
    assert self.dim() == 1 or self.dim() == 2, "diag(): Supports 1D or 2D tensors."
    if self.dim() == 1:
        return aten_diag_embed(self, diagonal)
    return torch.diagonal(self, diagonal).clone()


def aten_diagflat(self: Tensor, offset: int = 0) -> Tensor:
    return aten_diag_embed(self.reshape([-1]), offset)


def aten_diagonal_scatter(self: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    out = self.clone()
    at = torch.diagonal(out, offset, dim1, dim2)
    assert at.size() == src.size(), "expected src to have a size equal to the slice of self"
    at.copy_(src)
    return out


def aten_select_scatter(self: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    out = self.clone()
    at = torch.select(out, dim, index)
    assert at.size() == src.size(), "expected src to have a size equal to the slice of self"
    at.copy_(src)
    return out


def aten_slice_scatter(self: Tensor, src: Tensor, dim: int = 0, start: Optional[int] = None, end: Optional[int] = None, step: int = 1) -> Tensor:
    out = self.clone()
    at = torch.transpose(out, 0, dim)[start:end:step]
    value = torch.transpose(src, 0, dim)
    assert at.size() == value.size(), "expected src to have a size equal to the slice of self"
    at.copy_(value)
    return out


def aten_slice_copy(self: Tensor, dim: int = 0, start: Optional[int] = None, end: Optional[int] = None, step: int = 1) -> Tensor:
    return torch.transpose(torch.transpose(self, 0, dim)[start:end:step], 0, dim).clone()


def aten_as_strided_scatter(self: Tensor, src: Tensor, size: List[int], stride: List[int], storage_offset: Optional[int] = None) -> Tensor:
    out = self.clone()
    at = torch.as_strided(out, size, stride, storage_offset)
    assert at.size() == src.size(), "expected src to have a size equal to the slice of self"
    at.copy_(src)
    return out


def aten_sum_to_size(self: Tensor, size: List[int]) -> Tensor:
    if len(size) == 0:
        return torch.sum(self)
    lead = self.dim() - len(size)
    assert lead >= 0, "sum_to_size: size is not expandable to the size of the tensor"
    dims: List[int] = []
    for d in range(self.dim()):
        if d < lead:
            dims.append(d)
        elif size[d - lead] != self.size(d):
            assert size[d - lead] == 1, "sum_to_size: size is not expandable to the size of the tensor"
            dims.append(d)
    x = self
    if len(dims) > 0:
        x = torch.sum(self, dims, True, dtype=self.dtype if self.is_floating_point() else None)
    return x.view(size)


# Joining: aten/src/ATen/native/TensorShape.cpp
def aten_hstack(tensors: List[Tensor]) -> Tensor:
    parts = aten_atleast_1d__Sequence(tensors)
    return torch.cat(parts, 0 if parts[0].dim() == 1 else 1)


def aten_vstack(tensors: List[Tensor]) -> Tensor:
    return torch.cat(aten_atleast_2d__Sequence(tensors), 0)


def aten_row_stack(tensors: List[Tensor]) -> Tensor:
    return aten_vstack(tensors)


def aten_dstack(tensors: List[Tensor]) -> Tensor:
    return torch.cat(aten_atleast_3d__Sequence(tensors), 2)


def aten_column_stack(tensors: List[Tensor]) -> Tensor:
    parts: List[Tensor] = []
    for t in tensors:
        parts.append(t.reshape([t.numel(), 1]) if t.dim() <= 1 else t)
    return torch.cat(parts, 1)


def aten__chunk_cat(tensors: List[Tensor], dim: int, num_chunks: int) -> Tensor:
    rows: List[Tensor] = []
    assert num_chunks > 0, "_chunk_cat expects positive num_chunks"
    first = dim if dim >= 0 else dim + tensors[0].dim()
    for t in tensors:
        n = t.size(first)
        m = (n + num_chunks - 1) // num_chunks
        pad = m * num_chunks - n
        shape: List[int] = []
        for d in range(t.dim()):
            shape.append(pad if d == first else t.size(d))
        full = torch.cat([t, torch.zeros(shape, dtype=t.dtype)], first)
        lead: List[int] = []
        for d in range(first):
            lead.append(t.size(d))
        rows.append(full.reshape(lead + [num_chunks, -1]))
    return torch.cat(rows, first + 1)


# aten/src/ATen/native/TensorFactories.cpp: row by row
def aten_tril_indices(row: int, col: int, offset: int = 0, dtype: Optional[int] = 4) -> Tensor:
    r = torch.arange(row).reshape([-1, 1]).expand([row, col])
    c = torch.arange(col).expand([row, col])
    count = 0
    for i in range(row):
        count += min(max(i + offset + 1, 0), col)
    return aten__triangle(c - r <= offset, count).to(4 if dtype is None else dtype)


def aten_triu_indices(row: int, col: int, offset: int = 0, dtype: Optional[int] = 4) -> Tensor:
    r = torch.arange(row).reshape([-1, 1]).expand([row, col])
    c = torch.arange(col).expand([row, col])
    count = 0
    for i in range(row):
        count += col - min(max(i + offset, 0), col)
    return aten__triangle(c - r >= offset, count).to(4 if dtype is None else dtype)


def aten__triangle(mask: Tensor, count: int) -> Tensor:
    return aten_nonzero_static(mask, count, 0).t().contiguous()


# The copies of views.
def aten_view_copy(self: Tensor, size: List[int]) -> Tensor:
    return self.view(size).clone()


def aten_expand_copy(self: Tensor, size: List[int], implicit: bool = False) -> Tensor:
    return self.expand(size).clone()


def aten_permute_copy(self: Tensor, dims: List[int]) -> Tensor:
    return torch.permute(self, dims).clone()


def aten_transpose_copy(self: Tensor, dim0: int, dim1: int) -> Tensor:
    return torch.transpose(self, dim0, dim1).clone()


def aten_t_copy(self: Tensor) -> Tensor:
    return self.t().clone()


def aten_alias_copy(self: Tensor) -> Tensor:
    return self.clone()


def aten_detach_copy(self: Tensor) -> Tensor:
    return self.clone()


def aten_narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
    return torch.narrow(self, dim, start, length).clone()


def aten_squeeze_copy(self: Tensor) -> Tensor:
    return torch.squeeze(self).clone()


def aten_squeeze_copy__dim(self: Tensor, dim: int) -> Tensor:
    return torch.squeeze(self, dim).clone()


def aten_squeeze_copy__dims(self: Tensor, dim: List[int]) -> Tensor:
    return torch.squeeze(self, dim).clone()


def aten_unsqueeze_copy(self: Tensor, dim: int) -> Tensor:
    return torch.unsqueeze(self, dim).clone()


def aten_diagonal_copy(self: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    return torch.diagonal(self, offset, dim1, dim2).clone()


def aten_select_copy(self: Tensor, dim: int, index: int) -> Tensor:
    return torch.select(self, dim, index).clone()


def aten_unfold_copy(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    return self.unfold(dimension, size, step).clone()


def aten_as_strided_copy(self: Tensor, size: List[int], stride: List[int], storage_offset: Optional[int] = None) -> Tensor:
    return torch.as_strided(self, size, stride, storage_offset).clone()
