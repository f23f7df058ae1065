# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Linear algebra on the factorisations of Ops/Factor.cpp. The formulas are those
# of aten/src/ATen/native/LinearAlgebra.cpp and BatchLinearAlgebra.cpp.


# beta * base + alpha * product; NaN in a base of weight 0 does not count.
def aten__blend(base: Tensor, product: Tensor, beta: number, alpha: number) -> Tensor:
    if not torch.is_floating_point(product):
        # The kernels take the numbers as integers.
        if int(beta) == 0:
            return product * int(alpha)
        return base * int(beta) + product * int(alpha)
    r = product
    if alpha != 1:
        r = r * alpha
    if beta == 0:
        return r
    if beta == 1:
        return base + r
    return base * beta + r


# float16 and bfloat16 are rounded once, after the sum in float32.
def aten__widen(x: Tensor) -> Tensor:
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.to(torch.float32)
    return x


def aten_addmm(self: Tensor, mat1: Tensor, mat2: Tensor, beta: number = 1, alpha: number = 1) -> Tensor:
    product = torch.mm(aten__widen(mat1), aten__widen(mat2))
    return aten__blend(aten__widen(self), product, beta, alpha).to(self.dtype)


def aten__addmm_activation(self: Tensor, mat1: Tensor, mat2: Tensor, beta: number = 1, alpha: number = 1, use_gelu: bool = False) -> Tensor:
    r = aten_addmm(self, mat1, mat2, beta, alpha)
    if use_gelu:
        return torch.gelu(r)
    return torch.relu(r)


def aten_addmv(self: Tensor, mat: Tensor, vec: Tensor, beta: number = 1, alpha: number = 1) -> Tensor:
    product = torch.mv(aten__widen(mat), aten__widen(vec))
    return aten__blend(aten__widen(self), product, beta, alpha).to(self.dtype)


def aten_baddbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: number = 1, alpha: number = 1) -> Tensor:
    product = torch.bmm(aten__widen(batch1), aten__widen(batch2))
    return aten__blend(aten__widen(self), product, beta, alpha).to(self.dtype)


def aten_addbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: number = 1, alpha: number = 1) -> Tensor:
    product = torch.bmm(aten__widen(batch1), aten__widen(batch2)).sum([0], False, dtype=aten__widen(batch1).dtype)
    return aten__blend(aten__widen(self), product, beta, alpha).to(self.dtype)


# native/cpu/LinearAlgebraKernel.cpp: bools are combined by or and and.
def aten_addr(self: Tensor, vec1: Tensor, vec2: Tensor, beta: number = 1, alpha: number = 1) -> Tensor:
    a = vec1.unsqueeze(1)
    b = vec2.unsqueeze(0)
    if self.dtype == torch.bool and vec1.dtype == torch.bool and vec2.dtype == torch.bool:
        r = torch.logical_and(a, b)
        if alpha == 0:
            r = torch.zeros_like(r)
        if beta == 0:
            return r
        return torch.logical_or(self, r)
    r = a * b
    if alpha != 1:
        r = (a * alpha) * b
    if beta == 0:
        return r
    if beta == 1:
        return self + r
    return self * beta + r


def aten_outer(self: Tensor, vec2: Tensor) -> Tensor:
    assert self.dim() == 1 and vec2.dim() == 1, "outer: Expected 1-D arguments"
    return self.unsqueeze(1) * vec2


def aten_ger(self: Tensor, vec2: Tensor) -> Tensor:
    return aten_outer(self, vec2)


def aten_inner(self: Tensor, other: Tensor) -> Tensor:
    if self.dim() == 0 or other.dim() == 0:
        return self * other
    return torch.tensordot(self, other, [-1], [-1])


# native/Linear.cpp
def aten_tensordot(self: Tensor, other: Tensor, dims_self: List[int], dims_other: List[int]) -> Tensor:
    assert len(dims_self) == len(dims_other), "tensordot: both dimension lists should have same length"
    a = self
    b = other
    used_a: List[int] = []
    used_b: List[int] = []
    count = 1
    for i in range(len(dims_self)):
        da = dims_self[i]
        db = dims_other[i]
        if da < 0:
            da = da + self.dim()
        if db < 0:
            db = db + other.dim()
        if a.size(da) != b.size(db):
            assert a.size(da) == 1 or b.size(db) == 1, "tensordot: contracted dimensions need to match"
            # Sizes that broadcast: the other one is summed up first.
            if a.size(da) == 1:
                b = b.sum([db], True, dtype=b.dtype)
            else:
                a = a.sum([da], True, dtype=a.dtype)
        used_a.append(da)
        used_b.append(db)
        count = count * a.size(da)
    free_a: List[int] = []
    free_b: List[int] = []
    shape: List[int] = []
    rows = 1
    columns = 1
    for d in range(a.dim()):
        if d not in used_a:
            free_a.append(d)
            shape.append(a.size(d))
            rows = rows * a.size(d)
    for d in range(b.dim()):
        if d not in used_b:
            free_b.append(d)
            shape.append(b.size(d))
            columns = columns * b.size(d)
    left = a.permute(free_a + used_a).reshape([rows, count])
    right = b.permute(used_b + free_b).reshape([count, columns])
    return torch.mm(left, right).reshape(shape)


def aten_kron(self: Tensor, other: Tensor) -> Tensor:
    n = max(self.dim(), other.dim())
    a: List[int] = []
    b: List[int] = []
    out: List[int] = []
    for d in range(n):
        i = d - (n - self.dim())
        j = d - (n - other.dim())
        p = 1
        q = 1
        if i >= 0:
            p = self.size(i)
        if j >= 0:
            q = other.size(j)
        a.append(p)
        a.append(1)
        b.append(1)
        b.append(q)
        out.append(p * q)
    return (self.reshape(a) * other.reshape(b)).reshape(out)


def aten_linalg_cross(self: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    assert self.dim() == other.dim(), "linalg.cross: inputs must have the same number of dimensions."
    assert self.size(dim) == 3 and other.size(dim) == 3, "linalg.cross: inputs dimension must have length 3"
    a0 = self.select(dim, 0)
    a1 = self.select(dim, 1)
    a2 = self.select(dim, 2)
    b0 = other.select(dim, 0)
    b1 = other.select(dim, 1)
    b2 = other.select(dim, 2)
    d = dim
    if d < 0:
        d = d + self.dim()
    parts = [(a1 * b2 - a2 * b1).unsqueeze(d), (a2 * b0 - a0 * b2).unsqueeze(d), (a0 * b1 - a1 * b0).unsqueeze(d)]
    return torch.cat(parts, d)


def aten_cross(self: Tensor, other: Tensor, dim: Optional[int] = None) -> Tensor:
    if dim is not None:
        return aten_linalg_cross(self, other, dim)
    found = -1
    for d in range(self.dim()):
        if found < 0 and self.size(d) == 3 and other.size(d) == 3:
            found = d
    assert found >= 0, "no dimension of size 3 in input"
    return aten_linalg_cross(self, other, found)


def aten_matrix_H(self: Tensor) -> Tensor:
    return self.transpose(0, 1)


def aten_linalg_diagonal(A: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    return torch.diagonal(A, offset, dim1, dim2)


def aten_linalg_vecdot(x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
    return (x * y).sum([dim], False, dtype=x.dtype)


def aten_linalg_vander(x: Tensor, N: Optional[int] = None) -> Tensor:
    if x.dim() == 0:
        x = x.unsqueeze(0)
    n = x.size(-1)
    if N is not None:
        n = N
    one = torch.ones_like(x).unsqueeze(-1)
    if n == 1:
        return one
    shape: List[int] = []
    for d in range(x.dim()):
        shape.append(x.size(d))
    shape.append(n - 1)
    rest = torch.cumprod(x.unsqueeze(-1).expand(shape), -1)
    return torch.cat([one.to(rest.dtype), rest], -1)


def aten_linalg_matrix_power(self: Tensor, n: int) -> Tensor:
    a = self
    power = n
    if n == 0:
        return torch.zeros_like(self) + torch.eye(self.size(-1), dtype=self.dtype)
    if n < 0:
        a = torch.linalg_inv(self)
        power = -n
    if power == 1:
        return a + 0
    if power == 2:
        return torch.matmul(a, a)
    if power == 3:
        return torch.matmul(torch.matmul(a, a), a)
    z = a
    result = a
    first = True
    begun = False
    while power > 0:
        bit = power % 2
        power = power // 2
        if first:
            first = False
        else:
            z = torch.matmul(z, z)
        if bit == 1:
            if begun:
                result = torch.matmul(result, z)
            else:
                result = z
                begun = True
    return result


def aten_matrix_power(self: Tensor, n: int) -> Tensor:
    return aten_linalg_matrix_power(self, n)


# --- triangular and LU solvers ------------------------------------------------


def aten_cholesky_solve(self: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    t = input2.transpose(-2, -1)
    if upper:
        y = torch.linalg_solve_triangular(t, self, upper=False)
        return torch.linalg_solve_triangular(input2, y, upper=True)
    y = torch.linalg_solve_triangular(input2, self, upper=False)
    return torch.linalg_solve_triangular(t, y, upper=True)


def aten_cholesky_inverse(self: Tensor, upper: bool = False) -> Tensor:
    eye = torch.zeros_like(self) + torch.eye(self.size(-1), dtype=self.dtype)
    return aten_cholesky_solve(eye, self, upper)


# The rows that a sequence of swaps leaves in each place.
def aten__swapped_rows(pivots: Tensor, m: int) -> Tensor:
    shape: List[int] = []
    for d in range(pivots.dim() - 1):
        shape.append(pivots.size(d))
    rows = torch.zeros(shape + [m], dtype=torch.int64) + torch.arange(m)
    swaps = pivots.to(torch.int64) - 1
    for i in range(pivots.size(-1)):
        at = swaps.narrow(-1, i, 1)
        here = rows.narrow(-1, i, 1).clone()
        there = torch.gather(rows, -1, at)
        rows = torch.scatter(rows, -1, at, here)
        rows = torch.scatter(rows, -1, torch.full_like(at, i), there)
    return rows


def aten__permutation_matrix(rows: Tensor, dtype: int) -> Tensor:
    m = rows.size(-1)
    return (torch.arange(m).unsqueeze(-1) == rows.unsqueeze(-2)).to(dtype)


def aten__unit_lower(lu: Tensor) -> Tensor:
    m = lu.size(-2)
    k = min(m, lu.size(-1))
    return torch.tril(lu.narrow(-1, 0, k), -1) + torch.eye(m, k, dtype=lu.dtype)


def aten_lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Tuple[Tensor, Tensor, Tensor]:
    m = LU_data.size(-2)
    k = min(m, LU_data.size(-1))
    none = torch.zeros([0], dtype=LU_data.dtype)
    p = none
    lower = none
    upper = none
    if unpack_data:
        lower = aten__unit_lower(LU_data)
        upper = torch.triu(LU_data.narrow(-2, 0, k), 0)
    if unpack_pivots:
        p = aten__permutation_matrix(aten__swapped_rows(LU_pivots, m), LU_data.dtype)
    return p, lower, upper


def aten_linalg_lu(A: Tensor, pivot: bool = True) -> Tuple[Tensor, Tensor, Tensor]:
    lu, pivots, info = torch.linalg_lu_factor_ex(A, pivot=pivot)
    return aten_lu_unpack(lu, pivots)


def aten__lu_solve_left(LU: Tensor, pivots: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    p = aten__permutation_matrix(aten__swapped_rows(pivots, LU.size(-2)), LU.dtype)
    t = LU.transpose(-2, -1)
    if adjoint:
        y = torch.linalg_solve_triangular(t, B, upper=False)
        z = torch.linalg_solve_triangular(t, y, upper=True, unitriangular=True)
        return torch.matmul(p, z)
    y = torch.linalg_solve_triangular(LU, torch.matmul(p.transpose(-2, -1), B), upper=False, unitriangular=True)
    return torch.linalg_solve_triangular(LU, y, upper=True)


def aten_linalg_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, left: bool = True, adjoint: bool = False) -> Tensor:
    if not left:
        return aten__lu_solve_left(LU, pivots, B.transpose(-2, -1), not adjoint).transpose(-2, -1)
    return aten__lu_solve_left(LU, pivots, B, adjoint)


def aten_lu_solve(self: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    return aten_linalg_lu_solve(LU_data, LU_pivots, self)


# native/BatchLinearAlgebra.cpp, lu_det_P: the sign of the swaps.
def aten__swap_sign(pivots: Tensor, dtype: int) -> Tensor:
    n = pivots.size(-1)
    odd = (torch.arange(1, n + 1, dtype=torch.int32) != pivots).to(torch.int64).sum([-1], False) % 2
    return (1 - 2 * odd).to(dtype)


def aten_linalg_det(A: Tensor) -> Tensor:
    assert A.dim() >= 2 and A.size(-1) == A.size(-2), "linalg.det: A must be batches of square matrices"
    lu, pivots, info = torch.linalg_lu_factor_ex(A)
    return aten__swap_sign(pivots, A.dtype) * torch.diagonal(lu, 0, -2, -1).prod(-1)


def aten_det(self: Tensor) -> Tensor:
    return aten_linalg_det(self)


def aten__linalg_det(A: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    lu, pivots, info = torch.linalg_lu_factor_ex(A)
    return aten_linalg_det(A), lu, pivots


def aten_linalg_slogdet(A: Tensor) -> Tuple[Tensor, Tensor]:
    assert A.dim() >= 2 and A.size(-1) == A.size(-2), "linalg.slogdet: A must be batches of square matrices"
    lu, pivots, info = torch.linalg_lu_factor_ex(A)
    diagonal = torch.diagonal(lu, 0, -2, -1)
    sign = torch.sign(diagonal).prod(-1) * aten__swap_sign(pivots, A.dtype)
    return sign, diagonal.abs().log().sum([-1], False)


def aten_slogdet(self: Tensor) -> Tuple[Tensor, Tensor]:
    return aten_linalg_slogdet(self)


def aten_logdet(self: Tensor) -> Tensor:
    sign, value = aten_linalg_slogdet(self)
    return torch.where(sign == -1, torch.full_like(value, 0.0) / 0.0, value)


def aten_linalg_tensorinv(self: Tensor, ind: int = 2) -> Tensor:
    shape: List[int] = []
    rows = 1
    columns = 1
    for d in range(ind, self.dim()):
        shape.append(self.size(d))
        columns = columns * self.size(d)
    for d in range(ind):
        shape.append(self.size(d))
        rows = rows * self.size(d)
    assert rows == columns, "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind])"
    return torch.linalg_inv(self.reshape([rows, columns])).reshape(shape)


def aten_linalg_tensorsolve(self: Tensor, other: Tensor, dims: Optional[List[int]] = None) -> Tensor:
    a = self
    if dims is not None:
        last: List[int] = []
        for d in dims:
            if d < 0:
                d = d + self.dim()
            last.append(d)
        order: List[int] = []
        for d in range(self.dim()):
            if d not in last:
                order.append(d)
        a = self.permute(order + last)
    shape: List[int] = []
    n = 1
    for d in range(other.dim(), a.dim()):
        shape.append(a.size(d))
        n = n * a.size(d)
    return torch.linalg_solve(a.reshape([other.numel(), n]), other.reshape([other.numel()])).reshape(shape)


# LAPACK's orgqr: the product of the reflectors 1 - tau v v^T.
def aten_linalg_householder_product(input: Tensor, tau: Tensor) -> Tensor:
    m = input.size(-2)
    n = input.size(-1)
    k = tau.size(-1)
    v = aten__unit_lower(input)
    q = torch.zeros_like(input) + torch.eye(m, n, dtype=input.dtype)
    for r in range(k):
        i = k - 1 - r
        column = v.narrow(-1, i, 1)
        scale = tau.narrow(-1, i, 1).unsqueeze(-1)
        q = q - scale * torch.matmul(column, torch.matmul(column.transpose(-2, -1), q))
    return q


def aten_orgqr(self: Tensor, input2: Tensor) -> Tensor:
    return aten_linalg_householder_product(self, input2)


def aten__ormqr_left(self: Tensor, input2: Tensor, input3: Tensor, transpose: bool) -> Tensor:
    k = input2.size(-1)
    v = aten__unit_lower(self)
    r = input3
    for step in range(k):
        i = k - 1 - step
        if transpose:
            i = step
        column = v.narrow(-1, i, 1)
        scale = input2.narrow(-1, i, 1).unsqueeze(-1)
        r = r - scale * torch.matmul(column, torch.matmul(column.transpose(-2, -1), r))
    return r


def aten_ormqr(self: Tensor, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    if left:
        return aten__ormqr_left(self, input2, input3, transpose)
    return aten__ormqr_left(self, input2, input3.transpose(-2, -1), not transpose).transpose(-2, -1)


# --- matrix_exp: native/LinearAlgebra.cpp -------------------------------------
#
# Bader, Blanes, Casas: Computing the Matrix Exponential with an Optimized
# Taylor Polynomial Approximation. Mathematics 2019, 7, 1174.


def aten__mexp_eye(a: Tensor) -> Tensor:
    return torch.zeros_like(a) + torch.eye(a.size(-1), dtype=a.dtype)


def aten__mexp_4(a: Tensor) -> Tensor:
    one = aten__mexp_eye(a)
    a2 = torch.matmul(a, a)
    a4 = torch.matmul(a2, one / 2.0 + a / 6.0 + a2 / 24.0)
    return one + a + a4


def aten__mexp_8(a: Tensor) -> Tensor:
    root = 13.30413469565007072504
    x3 = 2.0 / 3.0
    x1 = x3 * ((1.0 + root) / 88.0)
    x2 = x3 * ((1.0 + root) / 352.0)
    x4 = (-271.0 + 29.0 * root) / (315.0 * x3)
    x5 = (-11.0 + 11.0 * root) / (1260.0 * x3)
    x6 = (-99.0 + 11.0 * root) / (5040.0 * x3)
    x7 = (89.0 - root) / (5040.0 * x3)
    y2 = (857.0 - 58.0 * root) / 630.0
    one = aten__mexp_eye(a)
    a2 = torch.matmul(a, a)
    a4 = torch.matmul(a2, a * x1 + a2 * x2)
    a8 = torch.matmul(a2 * x3 + a4, one * x4 + a * x5 + a2 * x6 + a4 * x7)
    return one + a + a2 * y2 + a8


def aten__mexp_12(a: Tensor) -> Tensor:
    one = aten__mexp_eye(a)
    a2 = torch.matmul(a, a)
    a3 = torch.matmul(a2, a)
    b0 = one * 9.0198e-16 + a * 0.46932117595418237389 + a2 * -0.20099424927047284052 + a3 * -0.04623946134063071740
    b1 = one * 5.31597895759871264183 + a * 1.19926790417132231573 + a2 * 0.01179296240992997031 + a3 * 0.01108844528519167989
    b2 = one * 0.18188869982170434744 + a * 0.05502798439925399070 + a2 * 0.09351590770535414968 + a3 * 0.00610700528898058230
    b3 = one * -2.0861320e-13 + a * -0.13181061013830184015 + a2 * -0.02027855540589259079 + a3 * -0.00675951846863086359
    a6 = b2 + torch.matmul(b3, b3)
    return b0 + torch.matmul(b1 + a6, a6)


def aten__mexp_18(a: Tensor) -> Tensor:
    one = aten__mexp_eye(a)
    a2 = torch.matmul(a, a)
    a3 = torch.matmul(a2, a)
    a6 = torch.matmul(a3, a3)
    b0 = a * -1.00365581030144618291e-01 + a2 * -8.02924648241156932449e-03 + a3 * -8.92138498045729985177e-04
    b1 = a * 3.97849749499645077844e-01 + a2 * 1.36783778460411720168e+00 + a3 * 4.98289622525382669416e-01 + a6 * -6.37898194594723280150e-04
    b2 = one * -1.09676396052962061844e+01 + a * 1.68015813878906206114e+00 + a2 * 5.71779846478865511061e-02 + a3 * -6.98210122488052056106e-03 + a6 * 3.34975017086070470649e-05
    b3 = one * -9.04316832390810593223e-02 + a * -6.76404519071381882256e-02 + a2 * 6.75961301770459654925e-02 + a3 * 2.95552570429315521194e-02 + a6 * -1.39180257516060693404e-05
    b4 = a2 * -9.23364619367118555360e-02 + a3 * -1.69364939002081722752e-02 + a6 * -1.40086798182036094347e-05
    a9 = b3 + torch.matmul(b0, b4)
    return b1 + torch.matmul(b2 + a9, a9)


# Of a batch [n, m, m]: scaled, degree 18, squared again.
def aten__mexp_scaled(a: Tensor, norm: Tensor, theta: float) -> Tensor:
    s = torch.clamp_min(torch.ceil(torch.log2(norm / theta)), 0)
    scale = torch.pow(2, -s)
    r = aten__mexp_18(a * scale.unsqueeze(-1).unsqueeze(-1))
    times = s.to(torch.int64)
    most = int(times.amax([0], False))
    for i in range(most):
        r = torch.where((times > i).unsqueeze(-1).unsqueeze(-1), torch.matmul(r, r), r)
    return r


def aten_linalg_matrix_exp(self: Tensor) -> Tensor:
    n = self.size(-1)
    assert self.dim() >= 2 and n == self.size(-2), "linalg.matrix_exp: A must be batches of square matrices"
    assert torch.is_floating_point(self), "linalg.matrix_exp: Expected a floating point tensor as input"
    if self.numel() == 0:
        return self.clone()
    if n == 1:
        return self.exp()
    shape = self.size()
    a = self.reshape([-1, n, n])
    norm = a.abs().sum([-2], False).amax([-1], False)
    if self.dtype == torch.float64:
        theta = [2.220446049250313e-16, 2.580956802971767e-08, 3.397168839976962e-04, 4.991228871115323e-02, 2.996158913811580e-01, 1.090863719290036e+00]
    else:
        theta = [1.192092800768788e-07, 5.978858893805233e-04, 5.116619363445086e-02, 5.800524627688768e-01, 1.461661507209034e+00, 3.010066362817634e+00]
    if a.size(0) > 1:
        return aten__mexp_scaled(a, norm, theta[5]).reshape(shape)
    # One matrix: the least degree that its norm allows.
    size = norm[0]
    if bool(size <= theta[2]):
        if bool(size <= theta[0]):
            r = aten__mexp_eye(a) + a
        elif bool(size <= theta[1]):
            r = aten__mexp_eye(a) + a + torch.matmul(a, a) / 2.0
        else:
            r = aten__mexp_4(a)
    elif bool(size <= theta[3]):
        r = aten__mexp_8(a)
    elif bool(size < theta[4]):
        r = aten__mexp_12(a)
    elif bool(size >= theta[4]):
        r = aten__mexp_scaled(a, norm, theta[5])
    else:
        r = torch.full_like(a, 0.0) / 0.0
    return r.reshape(shape)


def aten_matrix_exp(self: Tensor) -> Tensor:
    return aten_linalg_matrix_exp(self)


# LAPACK's geqr2 and larfg: the reflectors below the diagonal, and their
# factors.
def aten_geqrf(self: Tensor) -> Tuple[Tensor, Tensor]:
    assert self.dim() >= 2, "torch.geqrf: input must have at least 2 dimensions."
    assert self.is_floating_point(), "torch.geqrf: a floating-point matrix is expected"
    m = self.size(-2)
    n = self.size(-1)
    r = self.clone()
    taus: List[Tensor] = []
    for i in range(min(m, n)):
        alpha = r[..., i:i + 1, i:i + 1]
        tail = r[..., i + 1:, i:i + 1]
        length = torch.sqrt(torch.sum(tail * tail, [-2], True))
        none = length == 0
        size = torch.sqrt(alpha * alpha + length * length)
        beta = torch.where(alpha < 0, size, -size)
        beta = torch.where(none, alpha, beta)
        tau = torch.where(none, torch.zeros_like(alpha), (beta - alpha) / beta)
        v = torch.where(none, torch.zeros_like(tail), tail / (alpha - beta))
        taus.append(tau.squeeze(-1))
        if i + 1 < n:
            whole = torch.cat([torch.ones_like(alpha), v], -2)
            rest = r[..., i:, i + 1:]
            r[..., i:, i + 1:] = rest - tau * whole * torch.matmul(whole.transpose(-2, -1), rest)
        r[..., i:, i:i + 1] = torch.cat([beta, v], -2)
    if len(taus) == 0:
        lead: List[int] = []
        for d in range(self.dim() - 2):
            lead.append(self.size(d))
        return r, torch.zeros(lead + [0], dtype=self.dtype)
    return r, torch.cat(taus, -1)
