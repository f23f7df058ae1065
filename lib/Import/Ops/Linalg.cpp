//===- Linalg.cpp - Products and factorisations ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

/// [.., m, k] x [.., k, n] with equal batch dimensions.
static mlir::Value batchedProduct(Call &c, mlir::Value x, mlir::Value y, DType dtype) {
  auto &b = c.in.b;
  SmallVector<Dim> p = c.in.sizesOf(x), q = c.in.sizesOf(y);
  int64_t rank = p.size(), batch = rank - 2;
  int64_t k = c.in.staticDim(p[rank - 1]), l = c.in.staticDim(q[rank - 2]);
  if (k != ShapedType::kDynamic && l != ShapedType::kDynamic && k != l)
    c.in.fail("mat1 and mat2 shapes cannot be multiplied (" +
              std::to_string(c.in.staticDim(p[rank - 2])) + "x" + std::to_string(k) + " and " +
              std::to_string(l) + "x" + std::to_string(c.in.staticDim(q[rank - 1])) + ")");
  if (!c.in.sameDim(p[rank - 1], q[rank - 2]))
    c.in.runtimeAssert(
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, c.in.index(p[rank - 1]), c.in.index(q[rank - 2])),
        "mat1 and mat2 shapes cannot be multiplied: inner sizes {} and {}",
        {c.in.i64(c.in.fromDim(p[rank - 1])), c.in.i64(c.in.fromDim(q[rank - 2]))});
  SmallVector<Dim> sizes(p.begin(), p.end() - 1);
  sizes.push_back(q[rank - 1]);
  DType compute = computeType(dtype);
  x = c.in.convert(x, dtype, compute);
  y = c.in.convert(y, dtype, compute);
  Type element = elementType(b.getContext(), compute);
  mlir::Value zero = c.in.scalar(Py::ofInt((int64_t)0), compute);
  mlir::Value init = linalg::FillOp::create(b, zero, c.in.empty(sizes, element)).getResult(0);
  mlir::Value r;
  if (compute != DType::Bool && batch == 0)
    r = linalg::MatmulOp::create(b, ValueRange{x, y}, ValueRange{init}).getResult(0);
  else if (batch == 1)
    r = linalg::BatchMatmulOp::create(b, ValueRange{x, y}, ValueRange{init}).getResult(0);
  else {
    // One batch dimension for all.
    Dim n = c.in.product(ArrayRef(p).take_front(batch));
    mlir::Value fx = c.in.reshape(x, {n, p[rank - 2], p[rank - 1]});
    mlir::Value fy = c.in.reshape(y, {n, q[rank - 2], q[rank - 1]});
    mlir::Value fi = linalg::FillOp::create(b, zero, c.in.empty({n, p[rank - 2], q[rank - 1]}, element)).getResult(0);
    r = linalg::BatchMatmulOp::create(b, ValueRange{fx, fy}, ValueRange{fi}).getResult(0);
    r = c.in.reshape(r, sizes);
  }
  return c.in.convert(r, compute, dtype);
}

static Results matmulOp(Call &c) {
  TensorRef x = c.tensor(0), y = c.tensor(1);
  if (x->dtype != y->dtype)
    c.in.fail("expected m1 and m2 to have the same dtype, but got: " + dtypeName(x->dtype) +
              " != " + dtypeName(y->dtype));
  DType dtype = x->dtype;
  if (x->rank() == 0 || y->rank() == 0)
    c.in.fail("both arguments to matmul need to be at least 1D, but they are " +
              std::to_string(x->rank()) + "D and " + std::to_string(y->rank()) + "D");
  int64_t wantX = c.name == "mm" || c.name == "mv" ? 2 : c.name == "bmm" ? 3 : c.name == "dot" || c.name == "vdot" ? 1 : 0;
  int64_t wantY = c.name == "mm" ? 2 : c.name == "mv" ? 1 : c.name == "bmm" ? 3 : c.name == "dot" || c.name == "vdot" ? 1 : 0;
  if ((wantX && x->rank() != wantX) || (wantY && y->rank() != wantY))
    c.in.fail(c.name.str() + ": expected tensors of " + std::to_string(wantX) + " and " +
              std::to_string(wantY) + " dimensions, got " + std::to_string(x->rank()) + " and " +
              std::to_string(y->rank()));
  auto one = c.in.b.getIndexAttr(1);
  SmallVector<Dim> p(x->sizes), q(y->sizes);
  bool rowX = p.size() == 1, columnY = q.size() == 1;
  if (rowX)
    p.insert(p.begin(), one);
  if (columnY)
    q.push_back(one);
  SmallVector<Dim> bp(p.begin(), p.end() - 2), bq(q.begin(), q.end() - 2);
  SmallVector<Dim> batch = c.in.broadcastShapes({bp, bq});
  auto spread = [&](TensorRef &t, ArrayRef<Dim> own) {
    mlir::Value v = c.in.reshape(c.in.read(t), own);
    SmallVector<Dim> sizes(batch);
    sizes.append(own.end() - 2, own.end());
    return c.in.broadcastTo(v, sizes);
  };
  mlir::Value r = batchedProduct(c, spread(x, p), spread(y, q), dtype);
  SmallVector<Dim> sizes(batch);
  if (!rowX)
    sizes.push_back(p[p.size() - 2]);
  if (!columnY)
    sizes.push_back(q[q.size() - 1]);
  return {c.in.makeValue(c.in.reshape(r, sizes), dtype)};
}

ArrayRef<OpRow> import::linalgOps() {
  static const OpRow rows[] = {
      {"matmul", matmulOp}, {"mm", matmulOp}, {"bmm", matmulOp}, {"mv", matmulOp},
      {"dot", matmulOp}, {"vdot", matmulOp},
  };
  return rows;
}
