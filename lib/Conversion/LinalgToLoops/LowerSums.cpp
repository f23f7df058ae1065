//===- LowerSums.cpp - Sums in the order of PyTorch's kernel --------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order is that of `cascade_sum` in PyTorch's
// aten/src/ATen/native/cpu/SumKernel.cpp. Where that keeps four accumulators
// for neighbouring vectors, here they are one vector of four times the width:
// the same sums, and LLVM cuts it into registers as wide as the processor has.
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

namespace evox {
#define GEN_PASS_DEF_EVOXLOWERSUMS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;

namespace {

/// So many terms are made at once where one takes long: a processor looks only
/// so far ahead for what it can do while it waits.
constexpr int64_t kChains = 64;

/// Loops of one kind that lie next to each other, counted as one.
struct Group {
  SmallVector<unsigned> dims;
  Value size;
};

/// Lowers one sum. An element of the sum is named by the loops in `outer`,
/// which are in `index`, and by a number each for the rows that are summed up
/// and for the columns that follow them.
class SumLowering {
public:
  SumLowering(linalg::GenericOp op, unsigned vectorBytes)
      : op(op), builder(op), loc(op.getLoc()) {
    element = cast<MemRefType>(op.getDpsInits()[0].getType()).getElementType();
    unsigned bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
    lanes = vectorBytes / std::max(bits / 8, 1u);
  }

  /// Fails, having made nothing, where this is no sum that PyTorch has.
  LogicalResult match();
  void lower();

private:
  using Rows = llvm::function_ref<SmallVector<Value>(Value)>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  std::optional<int64_t> known(Value value) {
    return getConstantIntValue(getAsOpFoldResult(value));
  }
  Value add(Value a, Value b) {
    return fold<arith::AddIOp>(a, b,
                               [](int64_t x, int64_t y) { return x + y; });
  }
  Value sub(Value a, Value b) {
    return fold<arith::SubIOp>(a, b,
                               [](int64_t x, int64_t y) { return x - y; });
  }
  Value mul(Value a, int64_t b) {
    return fold<arith::MulIOp>(a, constant(b),
                               [](int64_t x, int64_t y) { return x * y; });
  }
  Value div(Value a, int64_t b) {
    return fold<arith::DivUIOp>(a, constant(b),
                                [](int64_t x, int64_t y) { return x / y; });
  }
  template <typename Op>
  Value fold(Value a, Value b, int64_t (*f)(int64_t, int64_t)) {
    auto x = known(a), y = known(b);
    return x && y ? constant(f(*x, *y)) : Value(Op::create(builder, loc, a, b));
  }
  Value addf(Value a, Value b) {
    return arith::AddFOp::create(builder, loc, a, b);
  }
  Type typeOf(int64_t width, Type scalar) {
    return width == 1 ? scalar : Type(VectorType::get(width, scalar));
  }
  Value zero(Type type) {
    return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  }
  Value broadcast(Value value, int64_t width) {
    if (width == 1 || isa<VectorType>(value.getType()))
      return value;
    return vector::BroadcastOp::create(
        builder, loc, VectorType::get(width, value.getType()), value);
  }
  Value lane(Value value, int64_t i) {
    if (!isa<VectorType>(value.getType()))
      return value;
    return vector::ExtractOp::create(builder, loc, value, i);
  }
  /// Lanes [at, at + width).
  Value slice(Value value, int64_t at, int64_t width) {
    if (width == 1)
      return lane(value, at);
    SmallVector<int64_t> mask(width);
    std::iota(mask.begin(), mask.end(), at);
    return vector::ShuffleOp::create(builder, loc, value, value, mask);
  }

  SmallVector<Value>
  loop(Value from, Value to, Value step, ValueRange inits,
       llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  /// `body` for from, from + step, ... below `to`; nothing if that is empty.
  void forEach(Value from, Value to, int64_t step,
               llvm::function_ref<void(Value)> body);

  // Where things are.
  Group makeGroup(ArrayRef<unsigned> dims);
  void locate(const Group &group, Value number, MutableArrayRef<Value> at);
  SmallVector<Value> locate(Value row, Value column);
  SmallVector<Value> apply(AffineMap map, ValueRange at);

  /// Consecutive elements: `width` of them along the group `along`.
  struct Span {
    const Group *along;
    Value row, column;
    int64_t width;
    bool aligned; ///< The first one's number is a multiple of `width`.
    SmallVector<SmallVector<Value>> at; ///< The loops, per lane, once known.
  };
  ArrayRef<Value> laneOf(Span &span, int64_t i);
  /// The memref and the indices at which `span` is a vector in memory.
  std::optional<std::pair<Value, SmallVector<Value>>>
  contiguous(OpOperand &operand, Span &span);
  bool isUniform(AffineMap map, const Span &span);
  Value read(OpOperand &operand, Span &span);
  Value fromLanes(Span &span, Type scalar, llvm::function_ref<Value(int64_t)>);
  Value clone(Operation &op, IRMapping &values, Span &span);
  /// The terms of the sum.
  Value evaluate(const Group &along, Value row, Value column, int64_t width,
                 bool aligned = true);
  void store(Value column, int64_t width, Value sum);

  /// Do the terms take functions, each step of which waits for the last one?
  bool isLong();

  // The order of the sums, with the names of PyTorch's kernel.
  SmallVector<Value> multiRowSum(Value size, TypeRange types, Rows rows,
                                 Rows several = {}, int64_t times = 1);
  Value rowSum(Value size, int64_t width);
  Value columnSum(Value size, Value column, int64_t width, bool aligned);
  Value innerSum();
  Value vectorizedInnerSum();
  void outerSum();
  void nest(ArrayRef<unsigned> dims, llvm::function_ref<void()> body);

  linalg::GenericOp op;
  OpBuilder builder;
  Location loc;
  Type element;
  int64_t lanes;
  Value origin; ///< Made before all loops.
  Value term; ///< What is added, in the body of the op.
  SmallVector<int64_t> shape;
  SmallVector<Value> sizes, index;
  SmallVector<unsigned> outer, reduced, inner;
  Group rows, columns;
  DenseMap<std::pair<OpOperand *, const Group *>, Value> collapsed;
};

} // namespace

//===----------------------------------------------------------------------===//
// What is a sum
//===----------------------------------------------------------------------===//

LogicalResult SumLowering::match() {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() != 1 ||
      !(element.isF32() || element.isF64()) || lanes < 4)
    return failure();
  Block &body = *op.getBody();
  auto add = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  BlockArgument sum = body.getArguments().back();
  if (!add || add->getBlock() != &body || !sum.hasOneUse())
    return failure();
  if (add.getLhs() == sum)
    term = add.getRhs();
  else if (add.getRhs() == sum)
    term = add.getLhs();
  else
    return failure();
  for (Operation &inside : body.without_terminator())
    if (inside.getNumRegions() || inside.getNumResults() != 1 ||
        !(isMemoryEffectFree(&inside) || isa<memref::LoadOp>(inside)))
      return failure();
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || op.getMatchingIndexingMap(&operand).getNumSymbols())
      return failure();
  }
  AffineMap result = op.getIndexingMapsArray().back();
  if (!result.isProjectedPermutation(/*allowZeroInResults=*/true))
    return failure();

  // Loops of one iteration are of either kind.
  shape = op.getStaticLoopRanges();
  for (auto [i, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (shape[i] == 1)
      continue;
    if (kind == utils::IteratorType::reduction) {
      if (!inner.empty())
        return failure();
      reduced.push_back(i);
    } else {
      (reduced.empty() ? outer : inner).push_back(i);
    }
  }
  return success(!reduced.empty());
}

//===----------------------------------------------------------------------===//
// Loops and indices
//===----------------------------------------------------------------------===//

SmallVector<Value> SumLowering::loop(
    Value from, Value to, Value step, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto first = known(from), last = known(to);
  if (first && last && *first >= *last)
    return inits;
  auto made = scf::ForOp::create(builder, loc, from, to, step, inits);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(made.getBody());
  SmallVector<Value> next =
      body(made.getInductionVar(), made.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(builder, loc, next);
  return SmallVector<Value>(made.getResults());
}

void SumLowering::forEach(Value from, Value to, int64_t step,
                          llvm::function_ref<void(Value)> body) {
  loop(from, to, constant(step), {}, [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

Group SumLowering::makeGroup(ArrayRef<unsigned> dims) {
  Group group{SmallVector<unsigned>(dims), constant(1)};
  for (unsigned d : dims) {
    auto x = known(group.size), y = known(sizes[d]);
    group.size =
        x && y ? constant(*x * *y)
        : x && *x == 1
            ? sizes[d]
            : Value(arith::MulIOp::create(builder, loc, group.size, sizes[d]));
  }
  return group;
}

void SumLowering::locate(const Group &group, Value number,
                         MutableArrayRef<Value> at) {
  for (unsigned d : llvm::reverse(ArrayRef(group.dims))) {
    if (d == group.dims.front()) {
      at[d] = number;
      return;
    }
    at[d] = arith::RemUIOp::create(builder, loc, number, sizes[d]);
    number = arith::DivUIOp::create(builder, loc, number, sizes[d]);
  }
}

SmallVector<Value> SumLowering::locate(Value row, Value column) {
  SmallVector<Value> at = index;
  locate(rows, row, at);
  if (!columns.dims.empty())
    locate(columns, column, at);
  return at;
}

SmallVector<Value> SumLowering::apply(AffineMap map, ValueRange at) {
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults())
    result.push_back(affine::expandAffineExpr(builder, loc, expr, at, {}));
  return result;
}

ArrayRef<Value> SumLowering::laneOf(Span &span, int64_t i) {
  span.at.resize(span.width);
  if (span.at[i].empty()) {
    Value &number = span.along == &rows ? span.row : span.column;
    Value first = number;
    number = add(first, constant(i));
    span.at[i] = locate(span.row, span.column);
    number = first;
  }
  return span.at[i];
}

//===----------------------------------------------------------------------===//
// The terms
//===----------------------------------------------------------------------===//

bool SumLowering::isUniform(AffineMap map, const Span &span) {
  ArrayRef<unsigned> dims = span.along->dims;
  int64_t last = shape[dims.back()];
  bool oneRow =
      dims.size() == 1 || (span.aligned && last > 0 && last % span.width == 0);
  return llvm::none_of(oneRow ? dims.take_back() : dims,
                       [&](unsigned d) { return map.isFunctionOfDim(d); });
}

std::optional<std::pair<Value, SmallVector<Value>>>
SumLowering::contiguous(OpOperand &operand, Span &span) {
  Value memref = operand.get();
  auto type = cast<MemRefType>(memref.getType());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  // Of booleans a vector has a bit each, memory a byte.
  if (type.getElementTypeBitWidth() % 8 || type.getRank() == 0 ||
      !type.getElementType().isIntOrFloat())
    return std::nullopt;
  ArrayRef<unsigned> dims = span.along->dims;
  auto isDim = [&](AffineExpr expr, unsigned d) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    return dim && dim.getPosition() == d;
  };
  unsigned rank = map.getNumResults();
  if (!isDim(map.getResult(rank - 1), dims.back()))
    return std::nullopt;
  AffineMap rest = map.getMajorSubMap(rank - 1);
  int64_t last = shape[dims.back()];
  if (dims.size() == 1 ||
      (span.aligned && last > 0 && last % span.width == 0)) {
    if (!type.isLastDimUnitStride() ||
        (rest && rest.isFunctionOfDim(dims.back())))
      return std::nullopt;
    return std::pair(memref, apply(map, laneOf(span, 0)));
  }

  // Rows follow each other in memory: they are one.
  if (!type.getLayout().isIdentity() || rank < dims.size())
    return std::nullopt;
  for (auto [i, d] : llvm::enumerate(dims))
    if (!isDim(map.getResult(rank - dims.size() + i), d))
      return std::nullopt;
  unsigned leading = rank - dims.size();
  AffineMap before = map.getMajorSubMap(leading);
  for (unsigned d : dims)
    if (before && before.isFunctionOfDim(d))
      return std::nullopt;
  Value &flat = collapsed[{&operand, span.along}];
  if (!flat) {
    SmallVector<ReassociationIndices> groups;
    for (unsigned i = 0; i < leading; ++i)
      groups.push_back({i});
    groups.emplace_back(llvm::to_vector(llvm::seq<int64_t>(leading, rank)));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(origin);
    flat = memref::CollapseShapeOp::create(builder, loc, memref, groups);
  }
  SmallVector<Value> at;
  if (leading)
    at = apply(before, laneOf(span, 0));
  at.push_back(span.along == &rows ? span.row : span.column);
  return std::pair(flat, at);
}

Value SumLowering::fromLanes(Span &span, Type scalar,
                             llvm::function_ref<Value(int64_t)> get) {
  SmallVector<Value> values;
  for (int64_t i = 0; i < span.width; ++i)
    values.push_back(get(i));
  if (span.width == 1)
    return values[0];
  return vector::FromElementsOp::create(
      builder, loc, VectorType::get(span.width, scalar), values);
}

Value SumLowering::read(OpOperand &operand, Span &span) {
  Value memref = operand.get();
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto load = [&](int64_t i) -> Value {
    return memref::LoadOp::create(builder, loc, memref,
                                  apply(map, laneOf(span, i)));
  };
  if (span.width == 1 || isUniform(map, span))
    return load(0);
  Type scalar = cast<MemRefType>(memref.getType()).getElementType();
  if (auto place = contiguous(operand, span))
    return vector::LoadOp::create(builder, loc,
                                  VectorType::get(span.width, scalar),
                                  place->first, place->second);
  return fromLanes(span, scalar, load);
}

/// `inside`, an op of the body, for all lanes.
Value SumLowering::clone(Operation &inside, IRMapping &values, Span &span) {
  auto get = [&](Value value) { return values.lookupOrDefault(value); };
  if (auto number = dyn_cast<linalg::IndexOp>(inside)) {
    if (span.width == 1 ||
        !llvm::is_contained(span.along->dims, number.getDim()))
      return laneOf(span, 0)[number.getDim()];
    return fromLanes(span, builder.getIndexType(), [&](int64_t i) {
      return laneOf(span, i)[number.getDim()];
    });
  }
  bool uniform = llvm::none_of(inside.getOperands(), [&](Value value) {
    return isa<VectorType>(get(value).getType());
  });
  if (uniform)
    return builder.clone(inside, values)->getResult(0);
  Type scalar = inside.getResult(0).getType();
  if (OpTrait::hasElementwiseMappableTraits(&inside)) {
    SmallVector<Value> operands;
    for (Value value : inside.getOperands())
      operands.push_back(broadcast(get(value), span.width));
    return builder
        .create(loc, inside.getName().getIdentifier(), operands,
                typeOf(span.width, scalar), inside.getAttrs())
        ->getResult(0);
  }
  return fromLanes(span, scalar, [&](int64_t i) {
    IRMapping one;
    for (Value value : inside.getOperands())
      one.map(value, lane(get(value), i));
    return builder.clone(inside, one)->getResult(0);
  });
}

Value SumLowering::evaluate(const Group &along, Value row, Value column,
                            int64_t width, bool aligned) {
  Span span{&along, row, column, width, aligned, {}};
  IRMapping values;
  Block &body = *op.getBody();
  llvm::SetVector<Operation *> needed;
  if (Operation *defining = term.getDefiningOp();
      defining && defining->getBlock() == &body) {
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true;
    options.filter = [&](Operation *o) { return o->getBlock() == &body; };
    (void)getBackwardSlice(defining, &needed, options);
  }
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument arg = op.getMatchingBlockArgument(operand);
    if (!arg.use_empty())
      values.map(arg, read(*operand, span));
  }
  for (Operation &inside : body.without_terminator())
    if (needed.contains(&inside))
      values.map(inside.getResult(0), clone(inside, values, span));
  return broadcast(values.lookupOrDefault(term), width);
}

bool SumLowering::isLong() {
  return llvm::any_of(*op.getBody(), [](Operation &inside) {
    return isa<math::MathDialect>(inside.getDialect()) &&
           !isa<math::AbsFOp, math::SqrtOp, math::FmaOp, math::FloorOp,
                math::CeilOp, math::RoundEvenOp, math::TruncOp,
                math::CopySignOp>(inside);
  });
}

/// Adds `sum` to what the result is at `column` and the lanes after it.
void SumLowering::store(Value column, int64_t width, Value sum) {
  OpOperand &operand = op.getDpsInitsMutable()[0];
  AffineMap map = op.getMatchingIndexingMap(&operand);
  Span span{&columns, constant(0), column, width, /*aligned=*/false, {}};
  if (width > 1) {
    if (auto place = contiguous(operand, span)) {
      Value before =
          vector::LoadOp::create(builder, loc, cast<VectorType>(sum.getType()),
                                 place->first, place->second);
      vector::StoreOp::create(builder, loc, addf(before, sum), place->first,
                              place->second);
      return;
    }
  }
  for (int64_t i = 0; i < width; ++i) {
    SmallVector<Value> at = apply(map, laneOf(span, i));
    Value before = memref::LoadOp::create(builder, loc, operand.get(), at);
    memref::StoreOp::create(builder, loc, addf(before, lane(sum, i)),
                            operand.get(), at);
  }
}

//===----------------------------------------------------------------------===//
// The order
//===----------------------------------------------------------------------===//

/// Sums up `size` rows. Chunks are summed up apart, and their sums, and so on:
/// four levels, each chunk of 2^power.
SmallVector<Value> SumLowering::multiRowSum(Value size, TypeRange types,
                                            Rows rowsAt, Rows several,
                                            int64_t times) {
  constexpr unsigned levels = 4;
  unsigned n = types.size();
  SmallVector<Value> zeros;
  for (Type type : types)
    zeros.push_back(zero(type));
  Value one = constant(1);
  auto sumUp = [&](Value from, Value to, ValueRange inits) {
    SmallVector<Value> sums(inits);
    if (times > 1) {
      Value count = sub(to, from);
      Value whole = add(from, mul(div(count, times), times));
      sums = loop(from, whole, constant(times), sums,
                  [&](Value i, ValueRange before) {
                    SmallVector<Value> sums(before);
                    for (auto [j, row] : llvm::enumerate(several(i)))
                      sums[j % n] = addf(sums[j % n], row);
                    return sums;
                  });
      from = whole;
    }
    return loop(from, to, one, sums, [&](Value i, ValueRange sums) {
      SmallVector<Value> next;
      for (auto [sum, row] : llvm::zip_equal(sums, rowsAt(i)))
        next.push_back(addf(sum, row));
      return next;
    });
  };
  std::optional<int64_t> count = known(size);
  if (count && *count < 16)
    return sumUp(constant(0), size, zeros);

  Value power;
  if (count) {
    power = constant(std::max<int64_t>(
        4, llvm::Log2_64_Ceil(static_cast<uint64_t>(*count)) / levels));
  } else {
    // Small sizes wrap around or are off by one here: four is more.
    Type i64 = builder.getI64Type();
    Value last = arith::IndexCastOp::create(builder, loc, i64, sub(size, one));
    Value bits = arith::SubIOp::create(
        builder, loc, arith::ConstantIntOp::create(builder, loc, i64, 64),
        math::CountLeadingZerosOp::create(builder, loc, last));
    Value some = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ugt,
                                       size, one);
    power = div(
        arith::IndexCastOp::create(builder, loc, builder.getIndexType(), bits),
        levels);
    power = arith::MaxUIOp::create(builder, loc, power, constant(4));
    power = arith::SelectOp::create(builder, loc, some, power, constant(4));
  }
  Value step = arith::ShLIOp::create(builder, loc, one, power);
  Value mask = sub(step, one);
  SmallVector<Value> inits;
  for (unsigned i = 0; i < levels; ++i)
    llvm::append_range(inits, zeros);

  SmallVector<Value> sums =
      loop(constant(0), size, step, inits, [&](Value from, ValueRange before) {
        Value whole = arith::AddIOp::create(builder, loc, from, step);
        Value to = arith::MinUIOp::create(builder, loc, whole, size);
        SmallVector<Value> all(before);
        llvm::copy(sumUp(from, to, before.take_front(n)), all.begin());
        // Level j takes what the one below it has, and the one above it is
        // next if j has as many chunks as it holds.
        std::function<SmallVector<Value>(unsigned, Value, SmallVector<Value>)>
            carry = [&](unsigned j, Value when, SmallVector<Value> sums) {
              auto branch =
                  scf::IfOp::create(builder, loc, TypeRange(ValueRange(sums)),
                                    when, /*withElse=*/true);
              OpBuilder::InsertionGuard guard(builder);
              builder.setInsertionPointToStart(branch.elseBlock());
              scf::YieldOp::create(builder, loc, sums);
              builder.setInsertionPointToStart(branch.thenBlock());
              for (unsigned k = 0; k < n; ++k) {
                sums[j * n + k] = addf(sums[j * n + k], sums[(j - 1) * n + k]);
                sums[(j - 1) * n + k] = zeros[k];
              }
              if (j + 1 < levels) {
                Value shift = mul(power, j);
                Value part = arith::AndIOp::create(
                    builder, loc, whole,
                    arith::ShLIOp::create(builder, loc, mask, shift));
                Value next = arith::CmpIOp::create(
                    builder, loc, arith::CmpIPredicate::eq, part, constant(0));
                sums = carry(j + 1, next, sums);
              }
              scf::YieldOp::create(builder, loc, sums);
              return SmallVector<Value>(branch.getResults());
            };
        Value full = arith::CmpIOp::create(
            builder, loc, arith::CmpIPredicate::ule, whole, size);
        return carry(1, full, all);
      });
  SmallVector<Value> total(sums.begin(), sums.begin() + n);
  for (unsigned j = 1; j < levels; ++j)
    for (unsigned k = 0; k < n; ++k)
      total[k] = addf(total[k], sums[j * n + k]);
  return total;
}

/// Sums up `size` vectors of `width` terms that follow each other in a row.
Value SumLowering::rowSum(Value size, int64_t width) {
  Value quarter = div(size, 4);
  Value none = constant(0);
  int64_t step = 4 * width, times = isLong() ? kChains / step : 1;
  auto terms = [&](Value i, int64_t times) {
    Value all = evaluate(rows, mul(i, step), none, times * step);
    SmallVector<Value> parts;
    for (int64_t k = 0; k < times; ++k)
      parts.push_back(times == 1 ? all : slice(all, k * step, step));
    return parts;
  };
  Value wide = multiRowSum(
      quarter, typeOf(step, element), [&](Value i) { return terms(i, 1); },
      [&](Value i) { return terms(i, times); }, times)[0];
  Value sum = slice(wide, 0, width);
  sum = loop(mul(quarter, 4), size, constant(1), sum,
             [&](Value i, ValueRange sums) {
               return SmallVector<Value>{
                   addf(sums[0], evaluate(rows, mul(i, width), none, width))};
             })[0];
  for (int64_t k = 1; k < 4; ++k)
    sum = addf(sum, slice(wide, k * width, width));
  return sum;
}

Value SumLowering::vectorizedInnerSum() {
  Value vectors = div(rows.size, lanes);
  Value wide = rowSum(vectors, lanes);
  Value done = mul(vectors, lanes), none = constant(0);
  Value sum = zero(element);
  auto first = known(done), last = known(rows.size);
  if (first && last) {
    if (int64_t width = *last - *first) {
      Value rest = evaluate(rows, done, none, width, /*aligned=*/false);
      for (int64_t i = 0; i < width; ++i)
        sum = addf(sum, lane(rest, i));
    }
  } else {
    sum =
        loop(done, rows.size, constant(1), sum, [&](Value i, ValueRange sums) {
          return SmallVector<Value>{addf(sums[0], evaluate(rows, i, none, 1))};
        })[0];
  }
  for (int64_t i = 0; i < lanes; ++i)
    sum = addf(sum, lane(wide, i));
  return sum;
}

Value SumLowering::innerSum() {
  if (auto size = known(rows.size))
    return *size >= lanes ? vectorizedInnerSum() : rowSum(rows.size, 1);
  Value enough = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge,
                                       rows.size, constant(lanes));
  auto branch = scf::IfOp::create(builder, loc, element, enough,
                                  /*withElse=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, loc, vectorizedInnerSum());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, loc, rowSum(rows.size, 1));
  return branch.getResult(0);
}

/// Sums up the rows in each of `width` columns, with four sums a column.
Value SumLowering::columnSum(Value size, Value column, int64_t width,
                             bool aligned) {
  Value quarter = div(size, 4);
  auto at = [&](Value row) {
    return evaluate(columns, row, column, width, aligned);
  };
  SmallVector<Type> types(4, typeOf(width, element));
  SmallVector<Value> sums = multiRowSum(quarter, types, [&](Value i) {
    SmallVector<Value> values;
    for (int64_t k = 0; k < 4; ++k)
      values.push_back(at(add(mul(i, 4), constant(k))));
    return values;
  });
  Value sum = loop(mul(quarter, 4), size, constant(1), sums[0],
                   [&](Value i, ValueRange sums) {
                     return SmallVector<Value>{addf(sums[0], at(i))};
                   })[0];
  for (int64_t k = 1; k < 4; ++k)
    sum = addf(sum, sums[k]);
  return sum;
}

void SumLowering::outerSum() {
  Value size = rows.size, count = columns.size, none = constant(0);
  auto together = [&](Value column, int64_t width) {
    store(column, width,
          multiRowSum(size, typeOf(width, element), [&](Value i) {
            return SmallVector<Value>{evaluate(columns, i, column, width)};
          })[0]);
  };
  auto apart = [&](Value column, int64_t width, bool aligned) {
    store(column, width, columnSum(size, column, width, aligned));
  };
  Value blocks = mul(div(count, 4 * lanes), 4 * lanes);
  forEach(none, blocks, 4 * lanes,
          [&](Value column) { together(column, 4 * lanes); });
  Value vectors = mul(div(count, lanes), lanes);
  forEach(blocks, vectors, lanes,
          [&](Value column) { apart(column, lanes, true); });
  // With less columns than a vector has, they go by fours.
  Value fours = mul(div(count, 4), 4);
  std::optional<int64_t> known = this->known(count);
  if (known) {
    fours = *known < lanes ? fours : vectors;
  } else {
    Value few = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                      count, constant(lanes));
    fours = arith::SelectOp::create(builder, loc, few, fours, vectors);
  }
  forEach(vectors, fours, 4, [&](Value column) { together(column, 4); });
  if (known) {
    // The columns don't meet, so they may as well be lanes.
    if (int64_t width = *known - *this->known(fours))
      apart(fours, width, false);
    return;
  }
  forEach(fours, count, 1, [&](Value column) { apart(column, 1, true); });
}

void SumLowering::nest(ArrayRef<unsigned> dims,
                       llvm::function_ref<void()> body) {
  if (dims.empty())
    return body();
  forEach(constant(0), sizes[dims.front()], 1, [&](Value i) {
    index[dims.front()] = i;
    if (auto loop = dyn_cast<scf::ForOp>(builder.getBlock()->getParentOp()))
      loop->setAttr(evox::kParallelLoop, builder.getUnitAttr());
    nest(dims.drop_front(), body);
  });
}

void SumLowering::lower() {
  origin = constant(0);
  for (Range range :
       cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(builder, loc))
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, loc, range.size));
  index.assign(sizes.size(), origin);
  rows = makeGroup(reduced);
  columns = makeGroup(inner);
  nest(outer, [&] {
    if (!inner.empty())
      return outerSum();
    store(constant(0), 1, innerSum());
  });
  op.erase();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct LowerSumsPass : evox::impl::EvoxLowerSumsBase<LowerSumsPass> {
  using EvoxLowerSumsBase::EvoxLowerSumsBase;
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      if (op.getNumDpsInits() != 1 ||
          !isa<MemRefType>(op.getDpsInits()[0].getType()))
        continue;
      SumLowering lowering(op, vectorBytes);
      if (succeeded(lowering.match()))
        lowering.lower();
    }
  }
};
} // namespace
