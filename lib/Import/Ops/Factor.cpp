//===- Factor.cpp - Factorisations and solvers ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The ops on LAPACK. What is made of them stands in Prelude/linalg.py.

#include "Common.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

namespace {
/// Matrices [batch.., m, n].
struct Matrices {
  TensorRef t;
  SmallVector<Dim> batch;
  Dim m, n, k; ///< k: the lesser of m and n
};
} // namespace

/// "linalg.inv" of aten::linalg_inv_ex.
static std::string apiName(Call &c) {
  StringRef name = c.name;
  name.consume_back("_ex");
  name.consume_front("_");
  if (name == "inverse")
    name = "linalg_inv";
  if (name.consume_front("linalg_"))
    return ("linalg." + name).str();
  return name.str();
}


static Matrices matrices(Call &c, TensorRef t, bool square, const char *what = "A") {
  if (t->rank() < 2)
    c.in.fail(apiName(c) + ": The input tensor " + what + " must have at least 2 dimensions.");
  if (isComplex(t->dtype) || isIntegral(t->dtype, true))
    c.in.fail(apiName(c) + ": Expected a floating point tensor as input. Got " +
              dtypeName(t->dtype));
  if (t->dtype != DType::Float && t->dtype != DType::Double)
    c.in.fail(apiName(c) + ": not implemented for " + dtypeName(t->dtype) +
              ": convert the tensor to float32 or float64 first");
  Matrices r;
  r.t = t;
  r.batch.assign(t->sizes.begin(), t->sizes.end() - 2);
  r.m = t->sizes[t->rank() - 2];
  r.n = t->sizes[t->rank() - 1];
  int64_t m = c.in.staticDim(r.m), n = c.in.staticDim(r.n);
  bool known = m != ShapedType::kDynamic && n != ShapedType::kDynamic;
  if (square && known && m != n)
    c.in.fail(apiName(c) + ": " + what + " must be batches of square matrices, but they are " +
              std::to_string(m) + " by " + std::to_string(n) + " matrices");
  if (square && !c.in.sameDim(r.m, r.n))
    c.in.runtimeAssert(arith::CmpIOp::create(c.in.b, arith::CmpIPredicate::eq, c.in.index(r.m),
                                             c.in.index(r.n)),
                       apiName(c) + ": " + what +
                           " must be batches of square matrices, but they are {} by {} matrices",
                       {c.in.i64(c.in.fromDim(r.m)), c.in.i64(c.in.fromDim(r.n))});
  if (known)
    r.k = m < n ? r.m : r.n;
  else if (c.in.sameDim(r.m, r.n))
    r.k = r.m;
  else
    r.k = arith::MinSIOp::create(c.in.b, c.in.index(r.m), c.in.index(r.n)).getResult();
  return r;
}

/// A type with the batch of `a` and these last dimensions.
static RankedTensorType typeLike(Call &c, const Matrices &a, ArrayRef<Dim> last, Type element = {}) {
  SmallVector<Dim> sizes(a.batch);
  sizes.append(last.begin(), last.end());
  return c.in.typeOf(sizes, element ? element : a.t->type.getElementType());
}

/// PyTorch's _linalg_check_errors: `info` has to be 0 everywhere.
static void checkErrors(Call &c, const std::string &api, mlir::Value info) {
  auto &b = c.in.b;
  auto type = cast<RankedTensorType>(info.getType());
  std::string text;
  bool shows = true; // the value of info
  if (api == "linalg.svd" || api == "linalg.svdvals" || api == "svd")
    text = "The algorithm failed to converge because the input matrix is ill-conditioned or "
           "has too many repeated singular values (error code: {}).";
  else if (StringRef(api).contains("eig"))
    text = "The algorithm failed to converge because the input matrix is ill-conditioned or "
           "has too many repeated eigenvalues (error code: {}).";
  else if (StringRef(api).contains("cholesky"))
    text = "The factorization could not be completed because the input is not "
           "positive-definite (the leading minor of order {} is not positive-definite).";
  else if (StringRef(api).contains("inv"))
    text = "The diagonal element {} is zero, the inversion could not be completed because "
           "the input matrix is singular.";
  else if (StringRef(api).contains("lu_factor"))
    text = "U[{},{}] is zero and using it on lu_solve would result in a division by zero. If "
           "you still want to perform the factorization, consider calling linalg.lu(A, pivot) "
           "or linalg.lu_factor_ex(A, pivot)";
  else {
    text = "The solver failed because the input matrix is singular.";
    shows = false;
  }
  TensorRef t = c.in.make(info, DType::Int32);
  mlir::Value code, element;
  if (type.getRank() == 0) {
    code = c.in.i64(c.in.item(t));
  } else {
    if (type.hasStaticShape() && type.getNumElements() == 0)
      return;
    // The first one that is not 0.
    mlir::Value flat = c.in.reshape(info, {c.in.product(t->sizes)});
    if (!type.hasStaticShape()) {
      // An index that is there also where the batch is empty.
      Results padded = c.in.callOp(
          "cat", {Py::ofItems(Py::List, {c.in.makeValue(flat, DType::Int32),
                                         c.in.makeValue(c.in.splat({b.getIndexAttr(1)}, DType::Int32,
                                                                   Py::ofInt((int64_t)0)), DType::Int32)}),
                  Py::ofInt((int64_t)0)}, {"tensors", "dim"});
      flat = c.in.read(padded[0].tensor);
    }
    Py bad = c.in.callOp("ne.Scalar", {c.in.makeValue(flat, DType::Int32), Py::ofInt((int64_t)0)},
                         {"self", "other"})[0];
    bad = Py::of(c.in.convert(bad.tensor, DType::Int32));
    Py at = c.in.callOp("argmax", {bad, Py(), Py::ofBool(false)}, {"self", "dim", "keepdim"})[0];
    element = c.in.i64(c.in.item(at.tensor));
    mlir::Value index = arith::IndexCastOp::create(b, b.getIndexType(), element);
    mlir::Value v = tensor::ExtractOp::create(b, flat, index);
    code = arith::ExtSIOp::create(b, b.getI64Type(), v);
    text = "(Batch element {}): " + text;
  }
  SmallVector<mlir::Value> values;
  if (element)
    values.push_back(element);
  if (shows)
    values.push_back(code);
  if (StringRef(api).contains("lu_factor"))
    values.push_back(code);
  mlir::Value zero = arith::ConstantIntOp::create(b, 0, 64);
  // PyTorch says it in two ways.
  std::string who = api == "linalg.solve" || api == "linalg.lu_factor" ? "torch." + api : api;
  c.in.runtimeAssert(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, code, zero),
                     who + ": " + text, values);
}

/// True for `op` and for `op_ex` with check_errors.
static bool wantsCheck(Call &c) { return !c.name.ends_with("_ex") || c.boolean("check_errors"); }

static Results choleskyOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), true);
  auto op = CholeskyOp::create(c.in.b, a.t->type, typeLike(c, a, {}, c.in.b.getI32Type()),
                               c.in.read(a.t), c.boolean("upper"));
  if (wantsCheck(c))
    checkErrors(c, apiName(c), op.getInfo());
  Py factor = c.in.makeValue(op.getFactor(), a.t->dtype);
  if (!c.name.ends_with("_ex"))
    return {factor};
  return {factor, c.in.makeValue(op.getInfo(), DType::Int32)};
}

static Results eighOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), true);
  StringRef half = c.has("UPLO") ? StringRef(c.arg("UPLO").s) : "L";
  if (half.empty() || !StringRef("LlUu").contains(half[0]))
    c.in.fail("Expected UPLO argument to be 'L' or 'U', but got " + half.str());
  auto op = EighOp::create(c.in.b, typeLike(c, a, {a.n}), a.t->type,
                           typeLike(c, a, {}, c.in.b.getI32Type()), c.in.read(a.t),
                           llvm::toUpper(half[0]) == 'U');
  checkErrors(c, "linalg.eigh", op.getInfo());
  Py values = c.in.makeValue(op.getEigenvalues(), a.t->dtype);
  if (c.name == "linalg_eigvalsh")
    return {values};
  return {values, c.in.makeValue(op.getEigenvectors(), a.t->dtype)};
}

/// Shapes by the result's kind are known to the conversion only for the
/// reduced factorisations.
static void wantStatic(Call &c, const Matrices &a, const std::string &what) {
  if (c.in.staticDim(a.m) == ShapedType::kDynamic || c.in.staticDim(a.n) == ShapedType::kDynamic)
    c.in.fail(apiName(c) + ": " + what + " needs matrices of a size that is known at compile time");
}

static Results qrOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), false);
  std::string mode = "reduced";
  if (c.has("mode"))
    mode = c.arg("mode").s;
  else if (c.has("some") && !c.boolean("some"))
    mode = "complete";
  if (mode != "reduced" && mode != "complete" && mode != "r")
    c.in.fail("qr received unrecognized mode '" + mode +
              "' but expected one of 'reduced' (default), 'r', or 'complete'");
  bool complete = mode == "complete";
  if (complete)
    wantStatic(c, a, "mode 'complete'");
  auto op = QrOp::create(c.in.b, typeLike(c, a, {a.m, complete ? a.m : a.k}),
                         typeLike(c, a, {complete ? a.m : a.k, a.n}), c.in.read(a.t));
  Py q = c.in.makeValue(op.getQ(), a.t->dtype);
  if (mode == "r")
    q = c.in.makeValue(c.in.empty({c.in.b.getIndexAttr(0)}, a.t->type.getElementType()), a.t->dtype);
  return {q, c.in.makeValue(op.getR(), a.t->dtype)};
}

/// linalg_svd, linalg_svdvals and the old svd, which gives V, not its transpose.
static Results svdOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), false);
  bool old = c.name == "svd";
  bool full = old ? !c.boolean("some", true)
                  : c.name == "linalg_svd" && c.boolean("full_matrices", true);
  if (full)
    wantStatic(c, a, "full_matrices=True");
  auto op = SvdOp::create(c.in.b, typeLike(c, a, {a.m, full ? a.m : a.k}), typeLike(c, a, {a.k}),
                          typeLike(c, a, {full ? a.n : a.k, a.n}),
                          typeLike(c, a, {}, c.in.b.getI32Type()), c.in.read(a.t));
  checkErrors(c, apiName(c), op.getInfo());
  Py s = c.in.makeValue(op.getS(), a.t->dtype);
  if (c.name == "linalg_svdvals")
    return {s};
  Py u = c.in.makeValue(op.getU(), a.t->dtype), v = c.in.makeValue(op.getVh(), a.t->dtype);
  if (!old)
    return {u, s, v};
  v = c.in.callOp("transpose.int", {v, Py::ofInt((int64_t)-2), Py::ofInt((int64_t)-1)},
                  {"self", "dim0", "dim1"})[0];
  if (!c.boolean("compute_uv", true)) {
    // Zeros of the shapes of full matrices.
    auto zeros = [&](Dim n) {
      SmallVector<Dim> sizes(a.batch);
      sizes.append({n, n});
      return c.in.makeValue(c.in.splat(sizes, a.t->dtype, Py::ofInt((int64_t)0)), a.t->dtype);
    };
    return {zeros(a.m), s, zeros(a.n)};
  }
  return {u, s, v};
}

static Results luOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), false);
  if (!c.boolean("pivot", true))
    c.in.fail(apiName(c) + ": LU without pivoting is not implemented on the CPU");
  Type i32 = c.in.b.getI32Type();
  auto op = LuOp::create(c.in.b, a.t->type, typeLike(c, a, {a.k}, i32), typeLike(c, a, {}, i32),
                         c.in.read(a.t));
  if (c.name == "_lu_with_info" ? c.boolean("check_errors", true) : wantsCheck(c))
    checkErrors(c, "linalg.lu_factor", op.getInfo());
  Py lu = c.in.makeValue(op.getLu(), a.t->dtype), pivots = c.in.makeValue(op.getPivots(), DType::Int32);
  if (c.name == "linalg_lu_factor")
    return {lu, pivots};
  return {lu, pivots, c.in.makeValue(op.getInfo(), DType::Int32)};
}

static mlir::Value swapLast(Call &c, mlir::Value v) {
  SmallVector<int64_t> perm = llvm::to_vector(
      llvm::seq<int64_t>(0, cast<RankedTensorType>(v.getType()).getRank()));
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return c.in.transpose(v, perm);
}

/// Both with the same batch dimensions.
static void shareBatch(Call &c, TensorRef &a, TensorRef &b) {
  SmallVector<Dim> p(a->sizes.begin(), a->sizes.end() - 2), q(b->sizes.begin(), b->sizes.end() - 2);
  SmallVector<Dim> batch = c.in.broadcastShapes({p, q});
  auto spread = [&](TensorRef &t) {
    SmallVector<Dim> sizes(batch);
    sizes.append(t->sizes.end() - 2, t->sizes.end());
    t = c.in.make(c.in.broadcastTo(c.in.read(t), sizes), t->dtype);
  };
  spread(a);
  spread(b);
}

static void sameRows(Call &c, Dim wanted, Dim got) {
  int64_t w = c.in.staticDim(wanted), g = c.in.staticDim(got);
  if (w != ShapedType::kDynamic && g != ShapedType::kDynamic ? w != g : false)
    c.in.fail(apiName(c) + ": Incompatible shapes of A and B: the matrices have " +
              std::to_string(w) + " rows, the right-hand sides " + std::to_string(g));
  if (!c.in.sameDim(wanted, got))
    c.in.runtimeAssert(arith::CmpIOp::create(c.in.b, arith::CmpIPredicate::eq, c.in.index(wanted),
                                             c.in.index(got)),
                       apiName(c) + ": Incompatible shapes of A and B: {} rows and {} rows",
                       {c.in.i64(c.in.fromDim(wanted)), c.in.i64(c.in.fromDim(got))});
}

/// PyTorch's linalg_solve_is_vector_rhs: b is a batch of vectors.
static bool isVectors(Call &c, const TensorRef &a, const TensorRef &b) {
  if (b->rank() == 1)
    return true;
  if (b->rank() != a->rank() - 1)
    return false;
  for (int64_t d = 0; d < b->rank(); ++d)
    if (!c.in.sameDim(a->sizes[d], b->sizes[d]))
      return false;
  return true;
}

static TensorRef withColumn(Call &c, const TensorRef &t) {
  SmallVector<Dim> sizes(t->sizes);
  sizes.push_back(c.in.b.getIndexAttr(1));
  return c.in.make(c.in.reshape(c.in.read(t), sizes), t->dtype);
}

static void sameDtype(Call &c, const TensorRef &a, const TensorRef &b) {
  if (a->dtype != b->dtype)
    c.in.fail(apiName(c) + ": Expected A and B to have the same dtype, but found " +
              dtypeName(a->dtype) + " and " + dtypeName(b->dtype) + " instead");
}

static Results solveOp(Call &c) {
  TensorRef a = c.tensor(0), b = c.tensor(1);
  sameDtype(c, a, b);
  matrices(c, a, true);
  bool left = c.boolean("left", true), vectors = isVectors(c, a, b);
  if (vectors && !left)
    c.in.fail("linalg.solve: Vector broadcasting of the left hand side is not supported for "
              "left=False.");
  if (vectors)
    b = withColumn(c, b);
  if (b->rank() < 2)
    c.in.fail("linalg.solve: B must have at least 1 dimension");
  sameRows(c, a->sizes[a->rank() - 1], b->sizes[b->rank() - (left ? 2 : 1)]);
  shareBatch(c, a, b);
  if (!left) { // x a = b
    a = c.in.make(swapLast(c, c.in.read(a)), a->dtype);
    b = c.in.make(swapLast(c, c.in.read(b)), b->dtype);
  }
  Matrices m = matrices(c, a, true);
  auto op = SolveOp::create(c.in.b, b->type, typeLike(c, m, {}, c.in.b.getI32Type()), c.in.read(a),
                            c.in.read(b));
  if (wantsCheck(c))
    checkErrors(c, "linalg.solve", op.getInfo());
  mlir::Value x = op.getX();
  if (!left)
    x = swapLast(c, x);
  if (vectors)
    x = c.in.reshape(x, ArrayRef(b->sizes).drop_back());
  Py result = c.in.makeValue(x, a->dtype);
  if (!c.name.ends_with("_ex"))
    return {result};
  return {result, c.in.makeValue(op.getInfo(), DType::Int32)};
}

static Results invOp(Call &c) {
  Matrices a = matrices(c, c.tensor(0), true);
  auto &b = c.in.b;
  // As PyTorch: solves a x = 1.
  mlir::Value eye = c.in.generate(a.t->sizes, a.t->type.getElementType(), [&](ValueRange ids) {
    mlir::Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, ids[ids.size() - 2], ids.back());
    return arith::UIToFPOp::create(b, a.t->type.getElementType(), same).getResult();
  });
  auto op = SolveOp::create(b, a.t->type, typeLike(c, a, {}, b.getI32Type()), c.in.read(a.t), eye);
  if (wantsCheck(c))
    checkErrors(c, "linalg.inv", op.getInfo());
  Py result = c.in.makeValue(op.getX(), a.t->dtype);
  if (!c.name.ends_with("_ex"))
    return {result};
  return {result, c.in.makeValue(op.getInfo(), DType::Int32)};
}

/// linalg_solve_triangular(self, B, upper, left, unitriangular)
static Results solveTriangular(Call &c) {
  TensorRef a = c.tensor(0), b = c.tensor(1);
  sameDtype(c, a, b);
  matrices(c, a, true);
  matrices(c, b, false, "B");
  bool left = c.boolean("left", true);
  sameRows(c, a->sizes[a->rank() - 1], b->sizes[b->rank() - (left ? 2 : 1)]);
  shareBatch(c, a, b);
  mlir::Value right = c.in.read(b);
  if (!left)
    right = swapLast(c, right);
  mlir::Value x = SolveTriangularOp::create(c.in.b, right.getType(), c.in.read(a), right,
                                            c.boolean("upper"), !left, c.boolean("unitriangular"));
  return {c.in.makeValue(left ? x : swapLast(c, x), a->dtype)};
}

/// The old triangular_solve(self=B, A, upper, transpose, unitriangular).
static Results oldTriangularSolve(Call &c) {
  TensorRef b = c.tensor(0), a = c.tensor(1);
  sameDtype(c, a, b);
  matrices(c, a, true);
  matrices(c, b, false, "B");
  sameRows(c, a->sizes[a->rank() - 1], b->sizes[b->rank() - 2]);
  shareBatch(c, a, b);
  mlir::Value x = SolveTriangularOp::create(c.in.b, b->type, c.in.read(a), c.in.read(b),
                                            c.boolean("upper", true), c.boolean("transpose"),
                                            c.boolean("unitriangular"));
  return {c.in.makeValue(x, a->dtype), Py::of(a)};
}

/// linalg_lstsq -> solution, residuals, rank, singular_values.
static Results lstsqOp(Call &c) {
  TensorRef a = c.tensor(0), b = c.tensor(1);
  sameDtype(c, a, b);
  Matrices m = matrices(c, a, false);
  std::string driver = c.isNone("driver") ? "gelsy" : c.arg("driver").s;
  if (driver != "gelsy" && driver != "gels" && driver != "gelsd" && driver != "gelss")
    c.in.fail("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)");
  bool vectors = isVectors(c, a, b);
  if (vectors)
    b = withColumn(c, b);
  sameRows(c, m.m, b->sizes[b->rank() - 2]);
  shareBatch(c, a, b);
  m = matrices(c, a, false);
  FloatAttr rcond;
  const Py &given = c.arg("rcond");
  if (!given.isNone()) {
    if (!given.isStatic() || given.kind == Py::Tensor)
      c.in.failStatic("argument 'rcond' of linalg.lstsq");
    rcond = c.in.b.getF64FloatAttr(given.kind == Py::Float ? given.f : (double)given.i);
  }
  auto &builder = c.in.b;
  Dim columns = b->sizes[b->rank() - 1];
  auto op = LstsqOp::create(builder, typeLike(c, m, {m.n, columns}),
                            typeLike(c, m, {}, builder.getI64Type()), c.in.read(a), c.in.read(b), rcond);
  Py x = c.in.makeValue(op.getX(), a->dtype), full = x;
  SmallVector<Dim> shape(x.tensor->sizes);
  if (vectors) {
    shape.pop_back();
    x = c.in.makeValue(c.in.reshape(op.getX(), shape), a->dtype);
  }
  auto none = [&](DType dtype) {
    return c.in.makeValue(c.in.empty({builder.getIndexAttr(0)}, elementType(builder.getContext(), dtype)), dtype);
  };
  Py residuals = none(a->dtype), singular = none(a->dtype);
  Py rank = driver == "gels" ? none(DType::Int64) : c.in.makeValue(op.getRank(), DType::Int64);
  int64_t rows = c.in.staticDim(m.m), n = c.in.staticDim(m.n);
  if (driver != "gelsy" && (rows == ShapedType::kDynamic || n == ShapedType::kDynamic || rows > n)) {
    if (driver != "gels" && !m.batch.empty())
      c.in.fail("torch.linalg.lstsq: with driver '" + driver + "' the number of dimensions of the "
                "residuals depends on the data: use 'gels' or 'gelsy'");
    wantStatic(c, m, "driver '" + driver + "'");
    // The squared distances; a vector's too keep its column.
    Py r = c.in.callOp("matmul", {Py::of(a), full}, {"self", "other"})[0];
    r = c.in.callOp("sub.Tensor", {Py::of(b), r, Py::ofInt((int64_t)1)}, {"self", "other", "alpha"})[0];
    r = c.in.callOp("mul.Tensor", {r, r}, {"self", "other"})[0];
    residuals = c.in.callOp("sum.dim_IntList",
                            {r, Py::ofItems(Py::List, {Py::ofInt((int64_t)-2)}), Py::ofBool(false), Py()},
                            {"self", "dim", "keepdim", "dtype"})[0];
    if (driver != "gels") {
      // None where the rank is not full.
      mlir::Value count = tensor::ExtractOp::create(builder, op.getRank(), ValueRange());
      mlir::Value isFull = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, count,
                                                 arith::ConstantIntOp::create(builder, n, 64));
      mlir::Value size = arith::SelectOp::create(builder, isFull, c.in.index(columns),
                                                 arith::ConstantIndexOp::create(builder, 0));
      SmallVector<Dim> zero = {builder.getIndexAttr(0)}, sizes = {size}, one = {builder.getIndexAttr(1)};
      residuals = c.in.makeValue(tensor::ExtractSliceOp::create(builder, c.in.read(residuals.tensor),
                                                                zero, sizes, one), a->dtype);
    }
  }
  if (driver == "gelsd" || driver == "gelss")
    singular = c.in.callOp("linalg_svdvals", {Py::of(a), Py()}, {"A", "driver"})[0];
  return {x, residuals, rank, singular};
}

ArrayRef<OpRow> import::factorOps() {
  static const OpRow rows[] = {
      {"linalg_cholesky", choleskyOp}, {"linalg_cholesky_ex", choleskyOp}, {"cholesky", choleskyOp},
      {"linalg_eigh", eighOp}, {"linalg_eigvalsh", eighOp}, {"_linalg_eigh", eighOp},
      {"linalg_qr", qrOp}, {"qr", qrOp},
      {"linalg_svd", svdOp}, {"linalg_svdvals", svdOp}, {"svd", svdOp},
      {"linalg_lu_factor", luOp}, {"linalg_lu_factor_ex", luOp}, {"_lu_with_info", luOp},
      {"linalg_solve", solveOp}, {"linalg_solve_ex", solveOp},
      {"linalg_inv", invOp}, {"linalg_inv_ex", invOp}, {"inverse", invOp},
      {"linalg_solve_triangular", solveTriangular}, {"triangular_solve", oldTriangularSolve},
      {"linalg_lstsq", lstsqOp},
  };
  return rows;
}
