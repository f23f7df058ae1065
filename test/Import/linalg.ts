# Factorisations check LAPACK's info with PyTorch's words; a convolution is one
# linalg op that reads its input through windows.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=cholesky:float32[3,3] --input=unchecked:float32[3,3] \
# RUN:   --input=batch:float64[2,3,3] --input=triangular:float32[3,3],float32[2,3] \
# RUN:   "--input=conv:float32[5,2,8,8],float32[4,2,3,3]" \
# RUN:   --input=einsum:float32[3,4],float32[4,5] | evox-opt | FileCheck %s

# CHECK: affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 * 2 + d5, d3 * 2 + d6)>

# CHECK-LABEL: evox.func @batch
# CHECK: evox.linalg.solve
# CHECK: evox.assert {{.*}}"linalg.inv: (Batch element {}): The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
def batch(self, x: Tensor):
    return torch.linalg_inv(x)

# CHECK-LABEL: evox.func @cholesky
# CHECK: evox.linalg.cholesky %{{.*}} upper
# CHECK: evox.assert {{.*}}"linalg.cholesky: The factorization could not be completed because the input is not positive-definite (the leading minor of order {} is not positive-definite)."
def cholesky(self, x: Tensor):
    return torch.linalg_cholesky(x, upper=True)

# CHECK-LABEL: evox.func @conv
# CHECK: tensor.insert_slice {{.*}} : tensor<5x2x8x8xf32> into tensor<5x2x10x10xf32>
# CHECK: linalg.generic {{.*}}"reduction", "reduction", "reduction"]
# CHECK: return {{.*}} : tensor<5x4x4x4xf32>
def conv(self, x: Tensor, w: Tensor):
    return torch.conv2d(x, w, None, [2, 2], [1, 1])

# CHECK-LABEL: evox.func @einsum
# CHECK: linalg.batch_matmul
# CHECK: return {{.*}} : tensor<5x3xf32>
def einsum(self, x: Tensor, y: Tensor):
    return torch.einsum("ij,jk->ki", [x, y])

# The right-hand side stands on the left: solved transposed.
# CHECK-LABEL: evox.func @triangular
# CHECK: evox.linalg.solve_triangular {{.*}} upper transposed
def triangular(self, a: Tensor, b: Tensor):
    return torch.linalg_solve_triangular(a, b, upper=True, left=False)

# CHECK-LABEL: evox.func @unchecked
# CHECK-NOT: evox.assert
def unchecked(self, x: Tensor):
    l, info = torch.linalg_cholesky_ex(x)
    return l
