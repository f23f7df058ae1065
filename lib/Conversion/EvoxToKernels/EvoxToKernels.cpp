//===- EvoxToKernels.cpp - Ops become kernel calls ------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Conversion/Passes.h"
#include "evox/Dialect/Evox/IR/EvoxDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace evox {
#define GEN_PASS_DEF_CONVERTEVOXTOKERNELS
#include "evox/Conversion/Passes.h.inc"
} // namespace evox

using namespace mlir;
using namespace evox;

namespace {

/// A kernel call in the making.
class Call {
public:
  explicit Call(Operation *op) : op(op), builder(op) {}

  Call &kernel(StringRef value) { return name = value, *this; }
  Call &in(Value value) { return inputs.push_back(value), *this; }
  Call &scalar(Value value) { return scalars.push_back(value), *this; }
  Call &scalar(int64_t value) {
    return scalar(arith::ConstantIntOp::create(builder, op->getLoc(), value, 64)
                      .getResult());
  }
  Call &scalar(double value) {
    return scalar(arith::ConstantOp::create(builder, op->getLoc(),
                                            builder.getF64FloatAttr(value))
                      .getResult());
  }
  Call &draws() { return effects = true, *this; }
  Call &host() { return effects = external = true, *this; }
  Call &uint8(bool value) { return isUnsigned = value, *this; }

  /// A destination for a result of `type`; `sizes` has one value per dynamic
  /// dimension.
  Call &out(Type type, ValueRange sizes) {
    outputs.push_back(tensor::EmptyOp::create(builder, op->getLoc(),
                                              cast<RankedTensorType>(type),
                                              sizes));
    return *this;
  }
  /// The same with the sizes of `like`, but for `dim`, of size `size`.
  Call &outLike(Type type, Value like, int64_t dim = -1, Value size = {}) {
    SmallVector<Value> sizes;
    for (auto [i, extent] :
         llvm::enumerate(cast<RankedTensorType>(type).getShape()))
      if (ShapedType::isDynamic(extent))
        sizes.push_back(int64_t(i) == dim && size ? size : sizeOf(like, i));
    return out(type, sizes);
  }
  /// A destination that starts as `value`, which the kernel updates.
  Call &inout(Value value) {
    inplace = true;
    return outputs.push_back(value), *this;
  }
  /// The matrices of a factorisation: the batch dimensions of the first input,
  /// then what `spec` says: m, n: the sizes of a; r: the last one of b; k: the
  /// lesser of m and n.
  Call &outs(ArrayRef<StringRef> specs);

  Value sizeOf(Value tensor, int64_t dim) {
    return tensor::DimOp::create(builder, op->getLoc(), tensor, dim);
  }

  /// Replaces the op: its first results by the kernel's, the one left over, of
  /// a draw, by the generator.
  void finish(Value generator = {}) {
    auto call = KernelCallOp::create(
        builder, op->getLoc(), ValueRange(outputs).getTypes(), name, inputs,
        outputs, scalars, inplace, effects, isUnsigned, external);
    SmallVector<Value> results(call.getResults());
    if (generator)
      results.push_back(generator);
    op->replaceAllUsesWith(results);
    op->erase();
  }

private:
  Operation *op;
  OpBuilder builder;
  StringRef name;
  SmallVector<Value> inputs, outputs, scalars;
  bool inplace = false, effects = false, isUnsigned = false, external = false;
};

Call &Call::outs(ArrayRef<StringRef> specs) {
  auto a = cast<RankedTensorType>(inputs.front().getType());
  int64_t batch = a.getRank() - 2;
  auto size = [&](char c) -> Value {
    switch (c) {
    case 'm':
      return sizeOf(inputs[0], batch);
    case 'n':
      return sizeOf(inputs[0], batch + 1);
    case 'r':
      return sizeOf(inputs[1], batch + 1);
    default:
      return arith::MinSIOp::create(builder, op->getLoc(),
                                    sizeOf(inputs[0], batch),
                                    sizeOf(inputs[0], batch + 1));
    }
  };
  for (auto [result, spec] : llvm::zip_equal(op->getResults(), specs)) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        sizes.push_back(i < batch ? sizeOf(inputs[0], i)
                                  : size(spec[i - batch]));
    out(type, sizes);
  }
  return *this;
}

/// PyTorch's number of a dtype.
int64_t dtypeOf(Type type, StringRef name) {
  if (name == "uint8")
    return 0;
  if (type.isF16())
    return 5;
  if (type.isBF16())
    return 15;
  if (isa<FloatType>(type))
    return type.isF32() ? 6 : 7;
  switch (type.getIntOrFloatBitWidth()) {
  case 1: return 11;
  case 8: return 1;
  case 16: return 2;
  case 32: return 3;
  default: return 4;
  }
}

StringRef nameAt(std::optional<ArrayAttr> names, size_t i) {
  return names && i < names->size() ? cast<StringAttr>((*names)[i]).getValue() : "";
}

/// Whether the types alone don't tell the host what it gets and returns.
bool needsDescription(ExternalCallOp op) {
  auto hasUint8 = [](std::optional<ArrayAttr> names) {
    return names && llvm::any_of(*names, [](Attribute name) {
             return cast<StringAttr>(name).getValue() == "uint8";
           });
  };
  return hasUint8(op.getArgDtypes()) || hasUint8(op.getResultDtypes()) ||
         llvm::any_of(op.getResultTypes(), [](Type type) {
           return !cast<RankedTensorType>(type).hasStaticShape();
         });
}

/// The run-time library is told what the call is like; it keeps the results
/// and says their sizes, and the program then takes each.
void lowerDescribed(ExternalCallOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<int64_t> words{(int64_t)op.getOperands().size()};
  for (auto [i, v] : llvm::enumerate(op.getOperands()))
    words.push_back(dtypeOf(getElementTypeOrSelf(v), nameAt(op.getArgDtypes(), i)));
  words.push_back(op.getNumResults());
  int64_t open = 0;
  for (auto [i, type] : llvm::enumerate(op.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    words.push_back(dtypeOf(tensor.getElementType(), nameAt(op.getResultDtypes(), i)));
    words.push_back(tensor.getRank());
    for (int64_t n : tensor.getShape()) {
      words.push_back(ShapedType::isDynamic(n) ? -1 : n);
      open += ShapedType::isDynamic(n);
    }
  }
  Type i64 = b.getI64Type();
  auto call = [&](StringRef name, ValueRange ins, ValueRange outs, ValueRange scalars,
                  bool external) {
    return KernelCallOp::create(b, loc, outs.getTypes(), name, ins, outs, scalars,
                                /*inplace=*/false, /*effects=*/true,
                                /*unsignedElements=*/false, external);
  };
  auto type = RankedTensorType::get({(int64_t)words.size()}, i64);
  Value description = arith::ConstantOp::create(b, loc, DenseIntElementsAttr::get(type, words));
  call("external_describe", description, {}, {}, false);
  Value sizes = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{open}, i64);
  sizes = call(op.getName(), op.getOperands(), sizes, {}, true).getResult(0);
  int64_t next = 0;
  for (OpResult result : op.getResults()) {
    auto tensor = cast<RankedTensorType>(result.getType());
    SmallVector<Value> dims;
    for (int64_t d = 0; d < tensor.getRank(); ++d) {
      if (!tensor.isDynamicDim(d))
        continue;
      Value at = arith::ConstantIndexOp::create(b, loc, next++);
      Value n = tensor::ExtractOp::create(b, loc, sizes, at);
      dims.push_back(arith::IndexCastOp::create(b, loc, b.getIndexType(), n));
    }
    Value out = tensor::EmptyOp::create(b, loc, tensor, dims);
    Value number = arith::ConstantIntOp::create(b, loc, result.getResultNumber(), 64);
    Value taken = call("external_take", {}, out, number, false).getResult(0);
    result.replaceAllUsesWith(taken);
  }
  op.erase();
}

/// The table: one row per op. False if `op` stays as it is.
bool lower(Operation *op) {
  Call call(op);
  auto draw = [&](auto random) {
    call.out(random.getValues().getType(), random.getSizes())
        .draws()
        .finish(random.getGenerator());
    return true;
  };
  auto done = [&] {
    call.finish();
    return true;
  };
  using C = int64_t;
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](RandomUniformOp o) {
        call.kernel("random_uniform").scalar(o.getFrom()).scalar(o.getTo());
        return draw(o);
      })
      .Case([&](RandomNormalOp o) {
        call.kernel("random_normal").scalar(o.getMean()).scalar(o.getStd());
        return draw(o);
      })
      .Case([&](RandomIntegersOp o) {
        call.kernel("random_integers").scalar(o.getLow()).scalar(o.getHigh());
        return draw(o);
      })
      .Case([&](RandomPermutationOp o) {
        call.kernel("random_permutation");
        return draw(o);
      })
      .Case([&](RandomExponentialOp o) {
        call.kernel("random_exponential").scalar(o.getRate());
        return draw(o);
      })
      .Case([&](RandomBernoulliOp o) {
        call.kernel("random_bernoulli").in(o.getProbabilities());
        return draw(o);
      })
      .Case([&](RandomBeginLanesOp o) {
        call.kernel("lanes_begin").scalar(C(o.getSame())).draws();
        return call.finish(o.getGenerator()), true;
      })
      .Case([&](RandomLaneOp o) {
        call.kernel("lanes_next").scalar(o.getLane()).draws();
        return call.finish(o.getGenerator()), true;
      })
      .Case([&](RandomEndLanesOp o) {
        call.kernel("lanes_end").draws();
        return call.finish(o.getGenerator()), true;
      })
      .Case([&](SortOp o) {
        call.kernel("sort").in(o.getInput());
        call.outLike(o.getValues().getType(), o.getInput());
        call.outLike(o.getIndices().getType(), o.getInput());
        int64_t flags = o.getDescending() | o.getUnstable() << 1;
        if (std::optional<uint64_t> k = o.getSelect())
          flags = 4 | static_cast<int64_t>(*k) << 8;
        call.scalar(C(o.getDim())).scalar(C(flags));
        call.uint8(o.getUnsignedElements());
        return done();
      })
      .Case([&](TopKOp o) {
        int64_t dim = o.getDim();
        call.kernel("topk").in(o.getInput());
        call.outLike(o.getValues().getType(), o.getInput(), dim, o.getK());
        call.outLike(o.getIndices().getType(), o.getInput(), dim, o.getK());
        call.scalar(dim).scalar(C(!o.getLeast())).scalar(C(!o.getUnsorted()));
        call.uint8(o.getUnsignedElements());
        return done();
      })
      .Case([&](CumulativeOp o) {
        call.kernel("cumulative").in(o.getInput());
        call.outLike(o.getType(), o.getInput());
        call.scalar(C(o.getKind())).scalar(C(o.getDim()));
        return done();
      })
      .Case([&](ScatterOp o) {
        call.kernel("scatter").in(o.getUpdates()).in(o.getIndices());
        call.inout(o.getInput()).scalar(C(o.getKind()));
        call.uint8(o.getUnsignedElements());
        return done();
      })
      .Case([&](NonzeroOp o) {
        auto type = cast<RankedTensorType>(o.getType());
        call.kernel("nonzero").in(o.getInput());
        call.out(type, type.isDynamicDim(0) ? ValueRange(o.getCount())
                                            : ValueRange());
        return done();
      })
      .Case([&](CholeskyOp o) {
        call.kernel("cholesky").in(o.getInput()).outs({"mn", ""});
        call.scalar(C(o.getUpper()));
        return done();
      })
      .Case([&](EighOp o) {
        call.kernel("eigh").in(o.getInput()).outs({"n", "mn", ""});
        call.scalar(C(o.getUpper()));
        return done();
      })
      .Case([&](QrOp o) {
        call.kernel("qr").in(o.getInput()).outs({"mk", "kn"});
        return done();
      })
      .Case([&](SvdOp o) {
        call.kernel("svd").in(o.getInput()).outs({"mk", "k", "kn", ""});
        return done();
      })
      .Case([&](LuOp o) {
        call.kernel("lu").in(o.getInput()).outs({"mn", "k", ""});
        return done();
      })
      .Case([&](SolveOp o) {
        call.kernel("solve").in(o.getA()).in(o.getB()).outs({"nr", ""});
        return done();
      })
      .Case([&](SolveTriangularOp o) {
        call.kernel("solve_triangular").in(o.getA()).in(o.getB()).outs({"nr"});
        call.scalar(C(o.getUpper())).scalar(C(o.getTransposed()));
        call.scalar(C(o.getUnitDiagonal()));
        return done();
      })
      .Case([&](LstsqOp o) {
        call.kernel("lstsq").in(o.getA()).in(o.getB()).outs({"nr", ""});
        // A negative rcond means LAPACK's own choice.
        call.scalar(o.getRcond() ? o.getRcond()->convertToDouble() : -1.0);
        return done();
      })
      .Case([&](ExternalCallOp o) {
        if (needsDescription(o))
          return lowerDescribed(o), true;
        call.kernel(o.getName()).host();
        for (Value operand : o.getOperands())
          call.in(operand);
        for (Type type : o.getResultTypes())
          call.out(type, {});
        return done();
      })
      .Default(false);
}

/// Finds, for each generator and list value, the value that the function was
/// given for it.
class Handles {
public:
  static bool isHandle(Value value) {
    return isa<GeneratorType, ListType>(value.getType());
  }
  LogicalResult run(Block &block);
  void replaceAll() {
    for (auto [value, root] : order)
      value.replaceAllUsesWith(root);
  }

private:
  Value rootOf(Value value) {
    Value root = roots.lookup(value);
    return root ? root : value;
  }
  void set(Value value, Value root) {
    if (!isHandle(value))
      return;
    roots[value] = root;
    order.emplace_back(value, root);
  }
  LogicalResult same(Operation *op, ValueRange values, ValueRange others) {
    for (auto [value, other] : llvm::zip_equal(values, others))
      if (isHandle(value) && rootOf(value) != rootOf(other))
        return op->emitOpError("puts the list of one slot in the place of "
                               "another one; a list stays in its slot");
    return success();
  }

  DenseMap<Value, Value> roots;
  SmallVector<std::pair<Value, Value>> order;
};

LogicalResult Handles::run(Block &block) {
  for (Operation &op : block) {
    if (auto append = dyn_cast<ListAppendOp>(op)) {
      set(append.getResult(), rootOf(append.getList()));
    } else if (auto clear = dyn_cast<ListClearOp>(op)) {
      set(clear.getResult(), rootOf(clear.getList()));
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [arg, result, init] : llvm::zip_equal(
               loop.getRegionIterArgs(), loop.getResults(), loop.getInits())) {
        set(arg, rootOf(init));
        set(result, rootOf(init));
      }
      if (failed(run(*loop.getBody())) ||
          failed(same(&op, loop.getYieldedValues(), loop.getInits())))
        return failure();
    } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
      for (auto [arg, init] :
           llvm::zip_equal(loop.getBeforeArguments(), loop.getInits()))
        set(arg, rootOf(init));
      if (failed(run(*loop.getBeforeBody())))
        return failure();
      for (auto [arg, result, value] :
           llvm::zip_equal(loop.getAfterArguments(), loop.getResults(),
                           loop.getConditionOp().getArgs())) {
        set(arg, rootOf(value));
        set(result, rootOf(value));
      }
      if (failed(run(*loop.getAfterBody())) ||
          failed(same(&op, loop.getYieldOp().getResults(), loop.getInits())))
        return failure();
    } else if (isa<scf::IfOp, scf::IndexSwitchOp>(op)) {
      Operation *first = nullptr;
      for (Region &region : op.getRegions()) {
        if (region.empty())
          continue;
        if (failed(run(region.front())))
          return failure();
        Operation *yield = region.front().getTerminator();
        if (!first)
          first = yield;
        if (failed(same(&op, yield->getOperands(), first->getOperands())))
          return failure();
      }
      if (first)
        for (auto [result, value] :
             llvm::zip_equal(op.getResults(), first->getOperands()))
          set(result, rootOf(value));
    } else {
      for (Value result : op.getResults())
        if (isHandle(result))
          return op.emitOpError("cannot pass a generator or list on");
    }
  }
  return success();
}

struct ConvertEvoxToKernelsPass
    : evox::impl::ConvertEvoxToKernelsBase<ConvertEvoxToKernelsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    func.walk([](Operation *op) { lower(op); });
    Handles handles;
    if (failed(handles.run(func.getBody().front())))
      return signalPassFailure();
    handles.replaceAll();
  }
};

} // namespace
