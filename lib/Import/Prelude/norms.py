# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Norms, ranks and distances.


# The largest value; 0 where there is none.
def aten__largest(x: Tensor, dims: List[int], keepdim: bool) -> Tensor:
    empty = x.numel() == 0
    for d in range(x.dim()):
        if x.size(d) == 0 and len(dims) > 0 and not (d in dims or d - x.dim() in dims):
            empty = False
    if empty:
        return x.sum(dims, keepdim)
    return x.amax(dims, keepdim)


# --- norms --------------------------------------------------------------------


# native/cpu/ReduceOpsKernel.cpp and SharedReduceOps.h
def aten_linalg_vector_norm(self: Tensor, ord: number = 2, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    x = self
    if dtype is not None:
        x = self.to(dtype)
    assert torch.is_floating_point(x), "linalg.vector_norm: Expected a floating point tensor as input"
    out = x.dtype
    x = aten__widen(x)
    dims: List[int] = []
    if dim is not None:
        dims = dim
    p = float(ord)
    alone = True
    for d in range(x.dim()):
        if (len(dims) == 0 or d in dims or d - x.dim() in dims) and x.size(d) != 1:
            alone = False
    if p == 0.0:
        r = (x != 0).to(x.dtype).sum(dims, keepdim)
    elif alone:
        r = x.abs().sum(dims, keepdim)
    elif p == 1.0:
        r = x.abs().sum(dims, keepdim)
    elif p == 2.0:
        r = (x * x).sum(dims, keepdim).sqrt()
    elif p > 1.7e308:
        r = x.abs().amax(dims, keepdim)
    elif p < -1.7e308:
        r = x.abs().amin(dims, keepdim)
    else:
        r = x.abs().pow(p).sum(dims, keepdim).pow(1.0 / p)
    return r.to(out)


def aten__two_dims(self: Tensor, dim: List[int]) -> Tuple[int, int]:
    assert len(dim) == 2, "linalg.matrix_norm: dim must be a 2-tuple"
    a = dim[0]
    b = dim[1]
    if a < 0:
        a = a + self.dim()
    if b < 0:
        b = b + self.dim()
    assert a != b, "linalg.matrix_norm: dims must be different"
    return a, b


def aten__singular_values(x: Tensor, a: int, b: int) -> Tensor:
    order: List[int] = []
    for d in range(x.dim()):
        if d != a and d != b:
            order.append(d)
    return torch.linalg_svdvals(x.permute(order + [a, b]))


def aten__put_back(r: Tensor, a: int, b: int, keepdim: bool) -> Tensor:
    if keepdim:
        return r.unsqueeze(min(a, b)).unsqueeze(max(a, b))
    return r


def aten_linalg_matrix_norm(self: Tensor, ord: number, dim: List[int] = [-2, -1], keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    x = self
    if dtype is not None:
        x = self.to(dtype)
    a, b = aten__two_dims(x, dim)
    p = float(ord)
    largest = p > 0.0
    if p == 2.0 or p == -2.0:
        s = aten__singular_values(x, a, b)
        if largest:
            return aten__put_back(aten__largest(s, [-1], False), a, b, keepdim)
        return aten__put_back(s.amin([-1], False), a, b, keepdim)
    if p == 1.0 or p == -1.0:
        sums = x.abs().sum([a], True)
        over = b
    else:
        assert p > 1.7e308 or p < -1.7e308, "linalg.matrix_norm: Order is not supported: use 1, -1, 2, -2, inf or -inf"
        sums = x.abs().sum([b], True)
        over = a
    if largest:
        r = aten__largest(sums, [over], True)
    else:
        r = sums.amin([over], True)
    if keepdim:
        return r
    return r.squeeze(max(a, b)).squeeze(min(a, b))


def aten_linalg_matrix_norm__str_ord(self: Tensor, ord: str = "fro", dim: List[int] = [-2, -1], keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    x = self
    if dtype is not None:
        x = self.to(dtype)
    a, b = aten__two_dims(x, dim)
    if ord == "fro":
        return aten_linalg_vector_norm(x, 2, dim, keepdim)
    assert ord == "nuc", "linalg.matrix_norm: Order is not supported: use 'fro' or 'nuc'"
    return aten__put_back(aten__singular_values(x, a, b).sum([-1], False), a, b, keepdim)


def aten_linalg_norm(self: Tensor, ord: Optional[number] = None, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    if ord is None:
        return aten_linalg_vector_norm(self, 2, dim, keepdim, dtype)
    if dim is not None:
        if len(dim) == 1:
            return aten_linalg_vector_norm(self, ord, dim, keepdim, dtype)
        return aten_linalg_matrix_norm(self, ord, dim, keepdim, dtype)
    if self.dim() == 1:
        return aten_linalg_vector_norm(self, ord, dim, keepdim, dtype)
    return aten_linalg_matrix_norm(self, ord, [-2, -1], keepdim, dtype)


def aten_linalg_norm__ord_str(self: Tensor, ord: str, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    if dim is not None:
        return aten_linalg_matrix_norm__str_ord(self, ord, dim, keepdim, dtype)
    return aten_linalg_matrix_norm__str_ord(self, ord, [-2, -1], keepdim, dtype)


def aten_norm(self: Tensor, p: Optional[number] = 2, dim: Optional[List[int]] = None, keepdim: bool = False, dtype: Optional[int] = None) -> Tensor:
    if p is None:
        return aten_linalg_vector_norm(self, 2, dim, keepdim, dtype)
    return aten_linalg_vector_norm(self, p, dim, keepdim, dtype)


def aten_frobenius_norm(self: Tensor, dim: Optional[List[int]] = None, keepdim: bool = False) -> Tensor:
    return aten_linalg_vector_norm(self, 2, dim, keepdim)


def aten_nuclear_norm(self: Tensor, dim: List[int] = [-2, -1], keepdim: bool = False) -> Tensor:
    return aten_linalg_matrix_norm__str_ord(self, "nuc", dim, keepdim)


# native/Normalization.cpp: as in the Python function, by the rows' norms.
def aten_renorm(self: Tensor, p: number, dim: int, maxnorm: number) -> Tensor:
    dims: List[int] = []
    d0 = dim
    if d0 < 0:
        d0 = d0 + self.dim()
    for d in range(self.dim()):
        if d != d0:
            dims.append(d)
    norm = aten_linalg_vector_norm(self, p, dims, True, torch.float64)
    limit = torch.full_like(norm, float(maxnorm))
    factor = torch.where(norm > limit, limit / (norm + 1e-7), torch.ones_like(norm))
    return self * factor.to(self.dtype)


# --- what singular values tell ------------------------------------------------


def aten__epsilon(x: Tensor) -> float:
    if x.dtype == torch.float64:
        return 2.220446049250313e-16
    return 1.1920928955078125e-07


# get_atol_rtol: what counts as zero, for each matrix.
def aten__tolerance(x: Tensor, largest: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor]) -> Tensor:
    usual = aten__epsilon(x) * max(x.size(-2), x.size(-1))
    if atol is not None:
        if rtol is not None:
            return torch.maximum(atol.to(x.dtype).unsqueeze(-1), rtol.to(x.dtype).unsqueeze(-1) * largest)
        a = atol.to(x.dtype).unsqueeze(-1)
        relative = torch.where(a > 0, torch.zeros_like(a), torch.full_like(a, usual))
        return torch.maximum(a, relative * largest)
    if rtol is not None:
        return rtol.to(x.dtype).unsqueeze(-1) * largest
    return usual * largest


def aten__pinv(x: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor], hermitian: bool) -> Tensor:
    if x.numel() == 0:
        shape: List[int] = []
        for d in range(x.dim() - 2):
            shape.append(x.size(d))
        return torch.zeros(shape + [x.size(-1), x.size(-2)], dtype=x.dtype)
    if hermitian:
        w, v = torch.linalg_eigh(x)
        size = w.abs()
        limit = aten__tolerance(x, size.amax([-1], True), atol, rtol)
        inverse = torch.where(size > limit, w.reciprocal(), torch.zeros_like(w))
        return torch.matmul(v * inverse.unsqueeze(-2), v.transpose(-2, -1))
    u, s, vh = torch.linalg_svd(x, False)
    limit = aten__tolerance(x, s.narrow(-1, 0, 1), atol, rtol)
    inverse = torch.where(s > limit, s.reciprocal(), torch.zeros_like(s))
    return torch.matmul(vh.transpose(-2, -1) * inverse.unsqueeze(-2), u.transpose(-2, -1))


def aten_linalg_pinv(self: Tensor, rcond: Tensor, hermitian: bool = False) -> Tensor:
    return aten__pinv(self, torch.zeros([], dtype=self.dtype), rcond, hermitian)


def aten_pinverse(self: Tensor, rcond: Tensor) -> Tensor:
    return aten__pinv(self, torch.zeros([], dtype=self.dtype), rcond, False)


def aten_linalg_pinv__atol_rtol_tensor(self: Tensor, atol: Optional[Tensor] = None, rtol: Optional[Tensor] = None, hermitian: bool = False) -> Tensor:
    return aten__pinv(self, atol, rtol, hermitian)


def aten__optional_tensor(v: Optional[float], like: Tensor) -> Optional[Tensor]:
    if v is None:
        return None
    return torch.full([], v, dtype=like.dtype)


def aten_linalg_pinv__atol_rtol_float(self: Tensor, atol: Optional[float] = None, rtol: Optional[float] = None, hermitian: bool = False) -> Tensor:
    return aten__pinv(self, aten__optional_tensor(atol, self), aten__optional_tensor(rtol, self), hermitian)


def aten__rank(x: Tensor, atol: Optional[Tensor], rtol: Optional[Tensor], hermitian: bool) -> Tensor:
    if x.numel() == 0:
        shape: List[int] = []
        for d in range(x.dim() - 2):
            shape.append(x.size(d))
        return torch.zeros(shape, dtype=torch.int64)
    if hermitian:
        s = torch.linalg_eigvalsh(x).abs()
    else:
        s = torch.linalg_svdvals(x)
    limit = aten__tolerance(x, s.amax([-1], True), atol, rtol)
    return (s > limit).to(torch.int64).sum([-1], False)


def aten_linalg_matrix_rank(self: Tensor, tol: Tensor, hermitian: bool = False) -> Tensor:
    return aten__rank(self, tol, torch.zeros([], dtype=self.dtype), hermitian)


def aten_linalg_matrix_rank__tol_tensor(input: Tensor, tol: Tensor, hermitian: bool = False) -> Tensor:
    return aten__rank(input, tol, torch.zeros([], dtype=input.dtype), hermitian)


def aten_linalg_matrix_rank__atol_rtol_tensor(input: Tensor, atol: Optional[Tensor] = None, rtol: Optional[Tensor] = None, hermitian: bool = False) -> Tensor:
    return aten__rank(input, atol, rtol, hermitian)


def aten_linalg_matrix_rank__atol_rtol_float(self: Tensor, atol: Optional[float] = None, rtol: Optional[float] = None, hermitian: bool = False) -> Tensor:
    return aten__rank(self, aten__optional_tensor(atol, self), aten__optional_tensor(rtol, self), hermitian)


def aten__inverse_or_infinity(x: Tensor) -> Tensor:
    inverse, info = torch.linalg_inv_ex(x)
    singular = (info > 0).unsqueeze(-1).unsqueeze(-1)
    return torch.where(singular, torch.full_like(inverse, 1.0) / 0.0, inverse)


def aten_linalg_cond(self: Tensor, p: Optional[number] = None) -> Tensor:
    shape: List[int] = []
    for d in range(self.dim() - 2):
        shape.append(self.size(d))
    if self.numel() == 0:
        return torch.zeros(shape, dtype=self.dtype)
    if p is None:
        s = torch.linalg_svdvals(self)
        return s.select(-1, 0) / s.select(-1, -1)
    if p == 2:
        s = torch.linalg_svdvals(self)
        return s.select(-1, 0) / s.select(-1, -1)
    if p == -2:
        s = torch.linalg_svdvals(self)
        return s.select(-1, -1) / s.select(-1, 0)
    assert self.size(-1) == self.size(-2), "linalg.cond: A must be batches of square matrices"
    return aten_linalg_matrix_norm(self, p) * aten_linalg_matrix_norm(aten__inverse_or_infinity(self), p)


def aten_linalg_cond__p_str(self: Tensor, p: str) -> Tensor:
    shape: List[int] = []
    for d in range(self.dim() - 2):
        shape.append(self.size(d))
    if self.numel() == 0:
        return torch.zeros(shape, dtype=self.dtype)
    inverse = aten__inverse_or_infinity(self)
    if p == "nuc":
        # An infinite matrix has no singular values.
        inverse, info = torch.linalg_inv_ex(self)
        r = aten_linalg_matrix_norm__str_ord(self, p) * aten_linalg_matrix_norm__str_ord(inverse, p)
        return torch.where(info > 0, torch.full_like(r, 1.0) / 0.0, r)
    return aten_linalg_matrix_norm__str_ord(self, p) * aten_linalg_matrix_norm__str_ord(inverse, p)


# --- distances: native/Distance.cpp, native/cpu/DistanceOpsKernel.cpp ----------


def aten_cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-08) -> Tensor:
    dtype = torch.result_type(x1, x2)
    a, b = torch.broadcast_tensors([x1.to(dtype), x2.to(dtype)])
    na = torch.clamp_min(aten_linalg_vector_norm(a, 2, [dim], True), eps)
    nb = torch.clamp_min(aten_linalg_vector_norm(b, 2, [dim], True), eps)
    return ((a / na) * (b / nb)).sum([dim], False)


def aten_pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False) -> Tensor:
    return aten_linalg_vector_norm(x1 - x2 + eps, p, [-1], keepdim)


def aten__distance(x: Tensor, p: float) -> Tensor:
    if x.size(-1) == 0:
        return x.sum([-1], False)
    if p == 0.0:
        return (x != 0).to(x.dtype).sum([-1], False)
    if p == 1.0:
        return x.abs().sum([-1], False)
    if p == 2.0:
        return (x * x).sum([-1], False).sqrt()
    if p > 1.7e308:
        return x.abs().amax([-1], False)
    return x.abs().pow(p).sum([-1], False).pow(1.0 / p)


def aten__euclidean_dist(x1: Tensor, x2: Tensor) -> Tensor:
    n1 = (x1 * x1).sum([-1], True)
    n2 = (x2 * x2).sum([-1], True)
    a = torch.cat([x1 * -2, n1, torch.ones_like(n1)], -1)
    b = torch.cat([x2, torch.ones_like(n2), n2], -1)
    return torch.clamp_min(torch.matmul(a, b.transpose(-2, -1)), 0).sqrt()


def aten_cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Optional[int] = None) -> Tensor:
    mode = 0
    if compute_mode is not None:
        mode = compute_mode
    large = x1.size(-2) > 25 or x2.size(-2) > 25
    if p == 2.0 and (mode == 1 or (mode == 0 and large)) and x1.size(-1) > 0:
        return aten__euclidean_dist(x1, x2)
    return aten__distance(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


def aten_pdist(self: Tensor, p: float = 2.0) -> Tensor:
    n = self.size(0)
    if n <= 1:
        return torch.zeros([0], dtype=self.dtype)
    rows: List[Tensor] = []
    for i in range(n - 1):
        rows.append(self.narrow(0, i, 1) - self.narrow(0, i + 1, n - 1 - i))
    return aten__distance(torch.cat(rows, 0), p)
