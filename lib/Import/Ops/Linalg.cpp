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
#include "llvm/ADT/StringExtras.h"
#include <functional>
#include <map>

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
    c.in.requireSame(p[rank - 1], q[rank - 2],
                     "mat1 and mat2 shapes cannot be multiplied: inner sizes {} and {}");
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
  if (c.name == "bmm")
    c.in.requireSame(bp[0], bq[0], "bmm: expected equal sizes of the first dimensions, got {} and {}");
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

//===----------------------------------------------------------------------===//
// einsum and chains of products
//===----------------------------------------------------------------------===//

/// Sums over `dims`, and keeps them with size 1.
static mlir::Value sumKeep(Call &c, mlir::Value v, DType dtype, ArrayRef<int64_t> dims) {
  if (dims.empty())
    return v;
  std::vector<Py> list;
  for (int64_t d : dims)
    list.push_back(Py::ofInt(d));
  Results r = c.in.callOp("sum.dim_IntList",
                          {c.in.makeValue(v, dtype), Py::ofItems(Py::List, list),
                           Py::ofBool(true), Py::ofInt((int64_t)dtype)},
                          {"self", "dim", "keepdim", "dtype"});
  return c.in.read(r[0].tensor);
}

static bool isOne(Call &c, Dim d) { return c.in.staticDim(d) == 1; }

/// The elementwise product of two tensors of one rank, whose sizes are equal or
/// 1, summed over `sum` (ATen's sumproduct_pair): one batched matrix product.
static mlir::Value sumProductPair(Call &c, mlir::Value x, mlir::Value y, DType dtype,
                                  ArrayRef<int64_t> sum) {
  SmallVector<Dim> p = c.in.sizesOf(x), q = c.in.sizesOf(y);
  // Dimensions of both, of one only, and summed ones.
  SmallVector<int64_t> both, left, right, summed(sum);
  SmallVector<Dim> sizes;
  for (int64_t d = 0, e = p.size(); d < e; ++d) {
    if (llvm::is_contained(sum, d)) {
      sizes.push_back(c.in.b.getIndexAttr(1));
      continue;
    }
    bool inX = !isOne(c, p[d]), inY = !isOne(c, q[d]);
    (inX && inY ? both : inX ? left : right).push_back(d);
    sizes.push_back(inX ? p[d] : q[d]);
  }
  auto pick = [&](ArrayRef<Dim> from, ArrayRef<int64_t> dims) {
    SmallVector<Dim> r;
    for (int64_t d : dims)
      r.push_back(from[d]);
    return r;
  };
  auto bring = [&](mlir::Value v, ArrayRef<Dim> own, ArrayRef<ArrayRef<int64_t>> groups) {
    SmallVector<int64_t> perm;
    SmallVector<Dim> shape;
    for (ArrayRef<int64_t> group : groups) {
      perm.append(group.begin(), group.end());
      if (shape.size() < 3)
        shape.push_back(c.in.product(pick(own, group)));
    }
    return c.in.reshape(c.in.transpose(v, perm), shape);
  };
  mlir::Value fx = bring(x, p, {both, left, summed, right});
  mlir::Value fy = bring(y, q, {both, summed, right, left});
  mlir::Value r = batchedProduct(c, fx, fy, dtype);
  // To [both, left, right, summed], then to the order of the inputs.
  SmallVector<int64_t> order(both);
  order.append(left);
  order.append(right);
  order.append(summed);
  r = c.in.reshape(r, pick(sizes, order));
  SmallVector<int64_t> back(order.size());
  for (auto [i, d] : llvm::enumerate(order))
    back[d] = i;
  return c.in.transpose(r, back);
}

/// torch.einsum: contracts from left to right, as ATen without a path.
static Results einsumOp(Call &c) {
  const Py &text = c.arg("equation");
  if (text.kind != Py::String)
    c.in.fail("einsum(): the equation has to be a string");
  std::vector<TensorRef> operands;
  for (const Py &v : c.arg("tensors").list())
    operands.push_back(c.in.toTensor(v));
  if (operands.empty())
    c.in.fail("einsum(): must provide at least one operand");
  DType dtype = operands[0]->dtype;
  for (TensorRef &t : operands)
    if (t->dtype != dtype)
      c.in.fail("einsum(): expected operands of one dtype, got " + dtypeName(dtype) +
                " and " + dtypeName(t->dtype));

  std::string equation;
  for (char ch : text.s)
    if (ch != ' ')
      equation += ch;
  StringRef inputs(equation), output;
  bool hasArrow = inputs.contains("->");
  std::tie(inputs, output) = inputs.split("->");
  SmallVector<StringRef> terms;
  inputs.split(terms, ',');
  if (terms.size() != operands.size())
    c.in.fail("einsum(): fewer or more operands were provided than specified in the equation");

  // The label of each dimension: a letter, or -1, -2, ... for the dimensions
  // of an ellipsis, counted from the last one.
  auto labelsOf = [&](StringRef term, int64_t rank) {
    int64_t letters = 0;
    for (size_t i = 0; i < term.size(); ++i) {
      if (term[i] == '.') {
        if (!term.substr(i).starts_with("...") || term.count('.') != 3)
          c.in.fail("einsum(): found '.' that is not part of any ellipsis");
        i += 2;
      } else if (!llvm::isAlpha(term[i])) {
        c.in.fail(std::string("einsum(): invalid subscript given: '") + term[i] +
                  "', subscripts must be in [a-zA-Z]");
      } else {
        ++letters;
      }
    }
    bool hasEllipsis = term.contains('.');
    if (rank >= 0 && (hasEllipsis ? letters > rank : letters != rank))
      c.in.fail("einsum(): the number of subscripts in the equation (" +
                std::to_string(letters) + ") does not match the number of dimensions (" +
                std::to_string(rank) + ") for an operand");
    return letters;
  };
  int64_t ellipsis = 0;
  for (auto [term, t] : llvm::zip(terms, operands)) {
    int64_t letters = labelsOf(term, t->rank());
    if (term.contains('.'))
      ellipsis = std::max(ellipsis, t->rank() - letters);
  }
  auto spell = [&](StringRef term, int64_t covered) {
    SmallVector<int> labels;
    for (size_t i = 0; i < term.size(); ++i) {
      if (term[i] == '.') {
        for (int64_t k = covered; k > 0; --k)
          labels.push_back(-k);
        i += 2;
      } else {
        labels.push_back(term[i]);
      }
    }
    return labels;
  };
  SmallVector<SmallVector<int>> labels;
  std::map<int, int64_t> count;
  for (auto [term, t] : llvm::zip(terms, operands)) {
    labels.push_back(spell(term, t->rank() - labelsOf(term, t->rank())));
    for (int l : labels.back())
      ++count[l];
  }
  SmallVector<int> order;
  if (hasArrow) {
    labelsOf(output, -1);
    order = spell(output, ellipsis);
    for (int l : order)
      if (!count.count(l) || llvm::count(order, l) != 1)
        c.in.fail("einsum(): the output subscripts have to appear in the inputs, and once in the output");
  } else {
    for (int64_t k = ellipsis; k > 0; --k)
      order.push_back(-k);
    // Capitals first, as ATen orders them.
    for (auto &[l, n] : count)
      if (l > 0 && n == 1)
        order.push_back(l);
  }
  int64_t outputs = order.size();
  for (auto &[l, n] : count)
    if (!llvm::is_contained(order, l))
      order.push_back(l);

  // Each operand with all labels, of size 1 where it has not that label.
  SmallVector<mlir::Value> values;
  for (auto [t, own] : llvm::zip(operands, labels)) {
    Py v = Py::of(t);
    for (size_t i = 0; i < own.size(); ++i)
      for (size_t j = i + 1; j < own.size();) {
        if (own[i] != own[j]) {
          ++j;
          continue;
        }
        int64_t a = c.in.staticDim(v.tensor->sizes[i]), d = c.in.staticDim(v.tensor->sizes[j]);
        if (a != d)
          c.in.fail(std::string("einsum(): subscript ") + (char)own[i] +
                    " is repeated for an operand but the sizes don't match, " +
                    std::to_string(d) + " != " + std::to_string(a));
        v = c.in.callOp("diagonal", {v, Py::ofInt((int64_t)0), Py::ofInt((int64_t)i), Py::ofInt((int64_t)j)},
                        {"self", "offset", "dim1", "dim2"})[0];
        int label = own[i];
        own.erase(own.begin() + j);
        own.erase(own.begin() + i);
        own.push_back(label);
        i = (size_t)-1;
        break;
      }
    SmallVector<int64_t> perm;
    SmallVector<Dim> sizes;
    for (int l : order) {
      auto *at = llvm::find(own, l);
      if (at == own.end()) {
        sizes.push_back(c.in.b.getIndexAttr(1));
      } else {
        perm.push_back(at - own.begin());
        sizes.push_back(v.tensor->sizes[perm.back()]);
      }
    }
    values.push_back(c.in.reshape(c.in.transpose(c.in.read(v.tensor), perm), sizes));
  }
  SmallVector<SmallVector<Dim>> shapes;
  for (mlir::Value v : values)
    shapes.push_back(c.in.sizesOf(v));
  c.in.broadcastShapes(shapes); // checks that they agree
  for (size_t i = 1; i < shapes.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      for (auto [p, q] : llvm::zip(shapes[i], shapes[k]))
        if (!isOne(c, p) && !isOne(c, q))
          c.in.requireSame(p, q, "einsum(): the sizes {} and {} of one subscript differ");

  // A sum of integers is one of int64, also over one element.
  DType summed = isIntegral(dtype, true) ? DType::Int64 : dtype;
  bool isAlone = values.size() == 1;
  mlir::Value acc = values[0];
  DType accType = dtype;
  for (size_t i = 0; i < values.size(); ++i) {
    // Sum what no later operand has.
    SmallVector<int64_t> sumAcc, sumNext, sumPair;
    for (int64_t d = outputs, e = order.size(); d < e; ++d) {
      bool later = false;
      for (size_t k = i + 1; k < values.size(); ++k)
        later |= !isOne(c, shapes[k][d]);
      if (later)
        continue;
      bool inAcc = !isOne(c, c.in.sizeOf(acc, d)), inNext = i > 0 && !isOne(c, shapes[i][d]);
      if (inAcc && inNext)
        sumPair.push_back(d);
      else if (inAcc || isAlone)
        sumAcc.push_back(d);
      else if (inNext)
        sumNext.push_back(d);
    }
    auto sumUp = [&](mlir::Value v, DType &type, ArrayRef<int64_t> dims) {
      if (dims.empty())
        return v;
      v = c.in.convert(v, type, summed);
      type = summed;
      return sumKeep(c, v, type, dims);
    };
    acc = sumUp(acc, accType, sumAcc);
    if (i == 0)
      continue;
    DType nextType = dtype;
    mlir::Value next = sumUp(values[i], nextType, sumNext);
    if (sumPair.empty()) {
      acc = c.in.read(c.in.callOp("mul.Tensor", {c.in.makeValue(acc, accType), c.in.makeValue(next, nextType)},
                                  {"self", "other"})[0].tensor);
      accType = promote(accType, nextType);
      continue;
    }
    if (accType != nextType)
      c.in.fail("expected batch1 and batch2 to have the same dtype, but got: " + dtypeName(accType) +
                " != " + dtypeName(nextType));
    acc = sumProductPair(c, acc, next, accType, sumPair);
  }
  return {c.in.makeValue(c.in.reshape(acc, ArrayRef(c.in.sizesOf(acc)).take_front(outputs)), accType)};
}

/// linalg.multi_dot and chain_matmul: the order of least work.
static Results multiDot(Call &c) {
  const Py &list = c.args[0];
  std::vector<Py> ts = list.list();
  int64_t n = ts.size();
  bool chain = c.name == "chain_matmul";
  if (n < (chain ? 1 : 2))
    c.in.fail(c.name.str() + "(): expected at least " + (chain ? "1 matrix" : "2 tensors"));
  auto mm = [&](const Py &a, const Py &b) {
    return c.in.callOp("matmul", {a, b}, {"self", "other"})[0];
  };
  if (n == 1)
    return {ts[0]};
  for (int64_t i = 0; i < n; ++i) {
    int64_t rank = c.in.toTensor(ts[i])->rank();
    bool end = !chain && (i == 0 || i == n - 1);
    if (rank != 2 && !(end && rank == 1))
      c.in.fail(c.name.str() + "(): tensor " + std::to_string(i) +
                " must be " + (end ? "1D or 2D" : "2D") + " but got " + std::to_string(rank) + "D");
  }
  if (n == 2)
    return {mm(ts[0], ts[1])};
  // Sizes d[0] x d[1], d[1] x d[2], ...; unknown ones count as large.
  auto known = [&](Dim d) {
    int64_t v = c.in.staticDim(d);
    return v == ShapedType::kDynamic ? (double)1024 : (double)v;
  };
  std::vector<double> d;
  for (const Py &v : ts)
    d.push_back(v.tensor->rank() == 1 && d.empty() ? 1 : known(v.tensor->sizes[0]));
  d.push_back(ts.back().tensor->rank() == 1 ? 1 : known(ts.back().tensor->sizes[1]));
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<int64_t>> cut(n, std::vector<int64_t>(n, 0));
  for (int64_t length = 1; length < n; ++length)
    for (int64_t i = 0; i + length < n; ++i) {
      int64_t j = i + length;
      cost[i][j] = INFINITY;
      for (int64_t k = i; k < j; ++k) {
        double v = cost[i][k] + cost[k + 1][j] + d[i] * d[k + 1] * d[j + 1];
        if (v < cost[i][j]) {
          cost[i][j] = v;
          cut[i][j] = k;
        }
      }
    }
  std::function<Py(int64_t, int64_t)> run = [&](int64_t i, int64_t j) -> Py {
    if (i == j)
      return ts[i];
    return mm(run(i, cut[i][j]), run(cut[i][j] + 1, j));
  };
  return {run(0, n - 1)};
}

ArrayRef<OpRow> import::linalgOps() {
  static const OpRow rows[] = {
      {"matmul", matmulOp}, {"mm", matmulOp}, {"bmm", matmulOp}, {"mv", matmulOp},
      {"dot", matmulOp}, {"vdot", matmulOp}, {"linalg_matmul", matmulOp},
      {"einsum", einsumOp}, {"linalg_multi_dot", multiDot}, {"chain_matmul", multiDot},
  };
  return rows;
}
