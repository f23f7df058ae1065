# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Fourier transforms whose input and result are real, by their definition in
# float64: aten/src/ATen/native/SpectralOps.cpp.


def aten__fft_all(self: Tensor, dim: Optional[List[int]]) -> List[int]:
    if dim is not None:
        return dim
    dims: List[int] = []
    for d in range(self.dim()):
        dims.append(d)
    return dims


def aten_fft_fftshift(self: Tensor, dim: Optional[List[int]] = None) -> Tensor:
    dims = aten__fft_all(self, dim)
    shifts: List[int] = []
    for d in dims:
        shifts.append(self.size(d) // 2)
    return torch.roll(self, shifts, dims)


def aten_fft_ifftshift(self: Tensor, dim: Optional[List[int]] = None) -> Tensor:
    dims = aten__fft_all(self, dim)
    shifts: List[int] = []
    for d in dims:
        shifts.append((self.size(d) + 1) // 2)
    return torch.roll(self, shifts, dims)


# Cut off, or filled up with zeros.
def aten__fft_resize(x: Tensor, dim: int, n: int) -> Tensor:
    have = x.size(dim)
    if have >= n:
        return torch.narrow(x, dim, 0, n)
    shape: List[int] = []
    for d in range(x.dim()):
        shape.append(x.size(d))
    shape[dim] = n - have
    return torch.cat([x, torch.zeros(shape, dtype=x.dtype)], dim)


# The angles 2 pi k j / n of k in 0..rows-1 and j in 0..n-1.
def aten__fft_angles(rows: int, n: int) -> Tensor:
    turn = torch.arange(rows).unsqueeze(1) * torch.arange(n).unsqueeze(0) % n
    return turn.to(torch.float64) * (6.283185307179586 / float(n))


def aten__fft_along(x: Tensor, dim: int, matrix: Tensor) -> Tensor:
    return torch.matmul(x.movedim(dim, -1), matrix).movedim(-1, dim)


# Half of a spectrum to a signal, of the last of the dims; the others of them
# by complex transforms. `inverse` says which norm "backward" is. A spectrum
# without imaginary parts gives the same signal in both directions.
def aten__fft_real(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str], inverse: bool) -> Tensor:
    assert self.dtype != torch.float16 and self.dtype != torch.bfloat16, "Unsupported dtype: a Fourier transform of halves"
    dims: List[int] = []
    if dim is not None:
        for d in dim:
            assert d >= -self.dim() and d < self.dim(), "Dimension out of range"
            dims.append(d if d >= 0 else d + self.dim())
    elif s is not None:
        for i in range(len(s)):
            dims.append(self.dim() - len(s) + i)
    else:
        dims = aten__fft_all(self, None)
    assert len(dims) > 0, "a Fourier transform must transform at least one axis"
    sizes: List[int] = []
    for i in range(len(dims)):
        last = i == len(dims) - 1
        n = 2 * (self.size(dims[i]) - 1) if last else self.size(dims[i])
        if s is not None:
            assert len(s) == len(dims), "When given, dim and shape arguments must have the same length"
            if s[i] != -1:
                n = s[i]
        assert n >= 1, "Invalid number of data points (" + str(n) + ") specified"
        sizes.append(n)
    out = self.dtype if self.is_floating_point() else torch.zeros([0]).dtype
    real = self.to(torch.float64)
    total = 1.0
    imag = torch.zeros_like(real)
    for i in range(len(dims)):
        total = total * float(sizes[i])
        if i < len(dims) - 1:
            real = aten__fft_resize(real, dims[i], sizes[i])
            imag = aten__fft_resize(imag, dims[i], sizes[i])
            angles = aten__fft_angles(sizes[i], sizes[i])
            c = torch.cos(angles)
            z = torch.sin(angles)
            both = aten__fft_along(real, dims[i], c) - aten__fft_along(imag, dims[i], z)
            imag = aten__fft_along(real, dims[i], z) + aten__fft_along(imag, dims[i], c)
            real = both
    n = sizes[len(dims) - 1]
    half = n // 2 + 1
    d = dims[len(dims) - 1]
    real = aten__fft_resize(real, d, half)
    imag = aten__fft_resize(imag, d, half)
    angles = aten__fft_angles(half, n)
    k = torch.arange(half).unsqueeze(1)
    # The first, and the last of an even length, have no mirror image.
    alone = torch.logical_or(k == 0, k * 2 == n)
    weight = torch.where(alone, torch.ones_like(angles), torch.full_like(angles, 2.0))
    sines = torch.where(alone, torch.zeros_like(angles), torch.sin(angles) * 2.0)
    r = aten__fft_along(real, d, torch.cos(angles) * weight) - aten__fft_along(imag, d, sines)
    which = "backward"
    if norm is not None:
        which = norm
    if which == "ortho":
        r = r / total ** 0.5
    else:
        assert which == "backward" or which == "forward", "Invalid normalization mode: " + which
        if inverse == (which == "backward"):
            r = r / total
    return r.to(out)


def aten__fft_one(n: Optional[int]) -> Optional[List[int]]:
    if n is not None:
        return [n]
    return None


def aten_fft_irfft(self: Tensor, n: Optional[int] = None, dim: int = -1, norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, aten__fft_one(n), [dim], norm, True)


def aten_fft_hfft(self: Tensor, n: Optional[int] = None, dim: int = -1, norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, aten__fft_one(n), [dim], norm, False)


def aten_fft_irfft2(self: Tensor, s: Optional[List[int]] = None, dim: List[int] = [-2, -1], norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, s, dim, norm, True)


def aten_fft_hfft2(self: Tensor, s: Optional[List[int]] = None, dim: List[int] = [-2, -1], norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, s, dim, norm, False)


def aten_fft_irfftn(self: Tensor, s: Optional[List[int]] = None, dim: Optional[List[int]] = None, norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, s, dim, norm, True)


def aten_fft_hfftn(self: Tensor, s: Optional[List[int]] = None, dim: Optional[List[int]] = None, norm: Optional[str] = None) -> Tensor:
    return aten__fft_real(self, s, dim, norm, False)
