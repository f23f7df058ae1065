//===- EvoxLinalgOps.td - Dense factorisations --------------*- tablegen -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_DIALECT_EVOX_IR_EVOXLINALGOPS
#define EVOX_DIALECT_EVOX_IR_EVOXLINALGOPS

include "evox/Dialect/Evox/IR/EvoxTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// All take matrices in the last two dimensions of f32 or f64 tensors, batched
// over the leading ones, and lower to LAPACK. `info` is LAPACK's, per matrix.
class Evox_FactorOp<string mnemonic, dag ins, dag outs, string format>
    : Evox_Op<"linalg." # mnemonic, [Pure]> {
  let arguments = ins;
  let results = outs;
  let assemblyFormat = format;
  let hasVerifier = 1;
}
defvar Evox_Matrix = RankedTensorOf<[F32, F64]>;

def Evox_CholeskyOp : Evox_FactorOp<"cholesky",
    (ins Evox_Matrix:$input, UnitAttr:$upper), (outs Evox_Matrix:$factor, RankedTensorOf<[I32]>:$info),
    "$input (`upper` $upper^)? attr-dict `:` type($input) `->` type($factor) `,` type($info)"> {
  let summary = "The Cholesky factor (potrf); the other triangle is zero";
  let description = [{
    Example: `%l, %info = evox.linalg.cholesky %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<i32>`
  }];
}

def Evox_EighOp : Evox_FactorOp<"eigh",
    (ins Evox_Matrix:$input, UnitAttr:$upper),
    (outs Evox_Matrix:$eigenvalues, Evox_Matrix:$eigenvectors, RankedTensorOf<[I32]>:$info),
    "$input (`upper` $upper^)? attr-dict `:` type($input) `->` type($eigenvalues) `,` type($eigenvectors) `,` type($info)"> {
  let summary = "Eigenvalues in ascending order and eigenvectors of a symmetric matrix (syevd)";
  let description = [{
    Example: `%w, %v, %info = evox.linalg.eigh %a : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>`
  }];
}

def Evox_QrOp : Evox_FactorOp<"qr",
    (ins Evox_Matrix:$input), (outs Evox_Matrix:$q, Evox_Matrix:$r),
    "$input attr-dict `:` type($input) `->` type($q) `,` type($r)"> {
  let summary = "The QR factorisation (geqrf, orgqr)";
  let description = [{
    Reduced or complete by the shape of q: [m, k] or [m, m].

    Example: `%q, %r = evox.linalg.qr %a : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>`
  }];
}

def Evox_SvdOp : Evox_FactorOp<"svd",
    (ins Evox_Matrix:$input), (outs Evox_Matrix:$u, Evox_Matrix:$s, Evox_Matrix:$vh, RankedTensorOf<[I32]>:$info),
    "$input attr-dict `:` type($input) `->` type($u) `,` type($s) `,` type($vh) `,` type($info)"> {
  let summary = "The singular value decomposition (gesdd)";
  let description = [{
    Full or reduced by the shape of u: [m, m] or [m, k].

    Example: `%u, %s, %vh, %info = evox.linalg.svd %a : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xf32>, tensor<3x3xf32>, tensor<i32>`
  }];
}

def Evox_LuOp : Evox_FactorOp<"lu",
    (ins Evox_Matrix:$input), (outs Evox_Matrix:$lu, RankedTensorOf<[I32]>:$pivots, RankedTensorOf<[I32]>:$info),
    "$input attr-dict `:` type($input) `->` type($lu) `,` type($pivots) `,` type($info)"> {
  let summary = "The LU factorisation with partial pivoting (getrf); pivots count from 1";
  let description = [{
    Example: `%lu, %p, %info = evox.linalg.lu %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4xi32>, tensor<i32>`
  }];
}

def Evox_SolveOp : Evox_FactorOp<"solve",
    (ins Evox_Matrix:$a, Evox_Matrix:$b), (outs Evox_Matrix:$x, RankedTensorOf<[I32]>:$info),
    "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($x) `,` type($info)"> {
  let summary = "Solves a x = b (gesv); a and b have the same batch dimensions";
  let description = [{
    Example: `%x, %info = evox.linalg.solve %a, %b : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i32>`
  }];
}

def Evox_SolveTriangularOp : Evox_FactorOp<"solve_triangular",
    (ins Evox_Matrix:$a, Evox_Matrix:$b, UnitAttr:$upper, UnitAttr:$transposed, UnitAttr:$unitDiagonal),
    (outs Evox_Matrix:$x),
    "$a `,` $b (`upper` $upper^)? (`transposed` $transposed^)? (`unit` $unitDiagonal^)? attr-dict `:` type($a) `,` type($b) `->` type($x)"> {
  let summary = "Solves a x = b for a triangular a (trtrs)";
  let description = [{
    Example: `%x = evox.linalg.solve_triangular %a, %b upper : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>`
  }];
}

def Evox_LstsqOp : Evox_FactorOp<"lstsq",
    (ins Evox_Matrix:$a, Evox_Matrix:$b, OptionalAttr<F64Attr>:$rcond),
    (outs Evox_Matrix:$x, RankedTensorOf<[I64]>:$rank),
    "$a `,` $b (`rcond` $rcond^)? attr-dict `:` type($a) `,` type($b) `->` type($x) `,` type($rank)"> {
  let summary = "The least-squares solution of a x = b (gelsy)";
  let description = [{
    Example: `%x, %r = evox.linalg.lstsq %a, %b : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<3x2xf32>, tensor<i64>`
  }];
}

#endif // EVOX_DIALECT_EVOX_IR_EVOXLINALGOPS
