//===- FloatFunctions.cpp - Functions of f32 as formulas ------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Methods and coefficients are those of SLEEF (https://sleef.org, Boost
// Software License 1.0), functions of 1.0 ulp for single precision, which
// PyTorch's vectorized kernels call; docs/numerics.md says where these formulas
// differ and how far PyTorch's results are. On scalars nothing branches: LLVM
// vectorizes what loops have of this.
//
//===----------------------------------------------------------------------===//

#include "Formulas.h"
#include "Functions.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace evox;

static constexpr double kInf = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double pi = 3.14159265358979323846;
// ln 2 in two parts; the first one times an exponent is exact.
static constexpr double ln2Hi = 0.693145751953125;
static constexpr double ln2Lo = 1.428606765330187045e-06;
static constexpr double perLn2 = 1.44269504088896340736;

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

/// Nearly correctly rounded, unlike SLEEF's: what PyTorch calls is, too.
static Num exponential(Num x) {
  Num q = (x * perLn2).rint();
  Num hi = fma(q, -ln2Hi, x), lo = q * -ln2Lo;
  Num r = hi + lo;
  Num p = horner(r, {0.00019739488197956234, 0.001393508748151362,
                     0.008333571255207062, 0.041666463017463684,
                     0.1666666567325592, 0.5});
  Num rest = fma(r * r, p, lo);
  Num s = x.same(1) + hi;
  Num e = ldexp(s + (x.same(1) - s + hi + rest), q.toInt());
  e = select(x < -104.0, 0.0, e);
  return select(x > 100.0, kInf, e);
}

static Num exp2(Num x) {
  Num q = x.rint(), s = x - q;
  Num u = horner(s, {0.1535920892e-3, 0.1339262701e-2, 0.9618384764e-2,
                     0.5550347269e-1, 0.2402264476e+0, 0.6931471825e+0, 1});
  u = ldexp(u, q.toInt());
  u = select(x >= 128.0, kInf, u);
  return select(x < -150.0, 0.0, u);
}

/// The exponent of e^d as one of 2.
static Num exponentOf(Two d) {
  Num q = (d.total() * perLn2).rint();
  // Beyond, the result is what it is at these; integers have room for them.
  q = select(q < -1000.0, -1000.0, q);
  return select(q > 1000.0, 1000.0, q);
}

/// e^d.
static Num expOf(Two d) {
  Num q = exponentOf(d);
  Two s = add(d, q * -ln2Hi);
  s = normalize(add(s, q * -ln2Lo));
  Num u =
      horner(s.x, {0.00136324646882712841033936, 0.00836596917361021041870117,
                   0.0416710823774337768554688, 0.166665524244308471679688,
                   0.499999850988388061523438});
  Two t = quickAdd(s, mul(square(s), u));
  u = quickAdd(s.x.same(1), t).total();
  // In five steps, as the exponent may be twice of what numbers have.
  Int e = q.toInt();
  Int m = e >> 31;
  m = (((m + e) >> 6) - m) << 4;
  Int rest = e - (m << 2);
  m = m + 127;
  Num step = fromBits(
      select({m.m, m.m->make<arith::CmpIOp>(arith::CmpIPredicate::sgt, m.v,
                                            m.same(0).v)},
             select({m.m, m.m->make<arith::CmpIOp>(arith::CmpIPredicate::sgt,
                                                   m.v, m.same(255).v)},
                    m.same(255), m),
             m.same(0))
          << 23,
      u);
  u = u * step * step * step * step * pow2(rest, u);
  return select(d.x < -104.0, 0.0, u);
}

/// e^d, in a pair.
static Two expPair(Two d) {
  Num q = exponentOf(d);
  Two s = add(d, q * -ln2Hi);
  s = add(s, q * -ln2Lo);
  Num u = horner(s.x, {0.1980960224e-3, 0.1394256484e-2, 0.8333456703e-2,
                       0.4166637361e-1});
  Two t = add(mul(s, u), u.same(0.166666659414234244790680580464));
  t = add(mul(s, t), u.same(0.5));
  t = add(s, mul(square(s), t));
  t = quickAdd(u.same(1), t);
  Int e = q.toInt();
  Bool small = d.x < -104.0;
  return {select(small, 0.0, ldexp(t.x, e)), select(small, 0.0, ldexp(t.y, e))};
}

static Num expm1(Num x) {
  Num y = add(expPair(Two(x)), x.same(-1)).total();
  y = select(x > 88.72283172607421875, kInf, y);
  y = select(x < -16.635532333438687426013570, -1.0, y);
  return select(x.isNegativeZero(), -0.0, y);
}

static Num sinh(Num x) {
  Two e = expPair(Two(x.abs()));
  Num y = quickSub(e, reciprocal(e)).total() * 0.5;
  y = mulSign(select((x.abs() > 89.0) | y.isNan(), kInf, y), x);
  return select(x.isNan(), kNaN, y);
}

static Num cosh(Num x) {
  Two e = expPair(Two(x.abs()));
  Num y = quickAdd(e, reciprocal(e)).total() * 0.5;
  y = select((x.abs() > 89.0) | y.isNan(), kInf, y);
  return select(x.isNan(), kNaN, y);
}

static Num tanh(Num x) {
  Two e = expPair(Two(x.abs()));
  Two r = reciprocal(e);
  Num y = divide(quickAdd(e, -r), quickAdd(e, r)).total();
  y = mulSign(select((x.abs() > 9.010913) | y.isNan(), 1.0, y), x);
  return select(x.isNan(), kNaN, y);
}

//===----------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------===//

namespace {
/// x = m * 2^e with m in [0.75, 1.5).
struct Parts {
  Num m, e;
};
} // namespace

static Int exponentBits(Num x) {
  return (x.bits().shiftRightUnsigned(23) & 0xff) - 127;
}

static Parts split(Num x) {
  Bool tiny = x < 0x1p-126;
  x = select(tiny, x * 0x1p64, x);
  Int e = exponentBits(x * (1.0f / 0.75f));
  Num m = addExponent(x, e.same(0) - e);
  return {m, toNum(select(tiny, e - 64, e), x)};
}

static Two ln2Times(Num e) {
  return mul(two(e, 0.69314718246459960938, -1.904654323148236017e-09), e);
}

static Num logSeries(Two s, Two x) {
  Num x2 = x.x * x.x;
  Num t = horner(x2, {0.3027294874, 0.3996108174, 0.6666694880});
  s = quickAdd(s, scale(x, 2));
  return quickAdd(s, x2 * x.x * t).total();
}

static Num log(Num x) {
  Parts p = split(x);
  return finishLog(x, logSeries(ln2Times(p.e), ratio(p.m)));
}

static Num log2(Num x) {
  Parts p = split(x);
  Two r = ratio(p.m);
  Num x2 = r.x * r.x;
  Num t = horner(x2, {0.4374550283, 0.5764790177, 0.9618012905120});
  Two s = add(p.e,
              mul(r, two(x, 2.8853900432586669922, 3.2734474483568488616e-08)));
  return finishLog(x, add(s, x2 * r.x * t).total());
}

static Num log10(Num x) {
  Parts p = split(x);
  Two r = ratio(p.m);
  Num x2 = r.x * r.x;
  Num t = horner(x2, {0.1314289868, 0.1735493541, 0.2895309627});
  Two s = mul(two(x, 0.30103001, -1.432098889e-08), p.e);
  s = quickAdd(s, mul(r, two(x, 0.868588984, -2.170757285e-08)));
  return finishLog(x, quickAdd(s, x2 * r.x * t).total());
}

static Num log1p(Num x) {
  Num one = x.same(1);
  Num next = x + one;
  Bool tiny = next < 0x1p-126;
  next = select(tiny, next * 0x1p64, next);
  Int e = exponentBits(next * (1.0f / 0.75f));
  Num t = addExponent(one, e.same(0) - e);
  Num m = fma(x, t, t - one);
  Two s = ln2Times(toNum(select(tiny, e - 64, e), x));
  Num y = logSeries(s, divide(Two(m), quickAdd(x.same(2), m)));
  // Above, x + 1 is x; but the formula ends before.
  y = select(x <= 0x1.2ced32p+126, y, log(x));
  y = select(x < -1.0, kNaN, y);
  y = select(x == -1.0, -kInf, y);
  return select(x.isNegativeZero(), -0.0, y);
}

/// ln x, in a pair; x isn't negative.
static Two logPair(Num x) {
  Parts p = split(x);
  Two r = ratio(p.m);
  Two r2 = square(r);
  Num t = horner(r2.x, {0.240320354700088500976562, 0.285112679004669189453125,
                        0.400007992982864379882812});
  Two c = two(x, 0.66666662693023681640625, 3.69183861259614332084311e-09);
  Two s = quickAdd(ln2Times(p.e), scale(r, 2));
  return quickAdd(s, mul(mul(r2, r), add(mul(r2, t), c)));
}

static Num atanh(Num x) {
  Num y = x.abs(), one = x.same(1);
  Two d = divide(add(one, y), add(one, -y));
  // ln d of a pair.
  Num big = d.x * (1.0f / 0.75f);
  Bool tiny = big < 5.421010862427522E-20;
  big = select(tiny, big * 1.8446744073709552E19, big);
  Int e = exponentBits(big);
  e = select(tiny, e - 64, e);
  Two m = scale(d, pow2(e.same(0) - e, x));
  Two r = divide(add(m, x.same(-1)), add(m, one));
  Two r2 = square(r);
  Num t =
      horner(r2.x, {0.2392828464508056640625, 0.28518211841583251953125,
                    0.400005877017974853515625, 0.666666686534881591796875});
  Two s = quickAdd(ln2Times(toNum(e, x)), scale(r, 2));
  s = quickAdd(s, mul(mul(r2, r), t));
  Num z = select(y == 1.0, kInf, s.total() * 0.5);
  z = select(y > 1.0, kNaN, z);
  z = mulSign(z, x);
  return select(x.isNan(), kNaN, z);
}

static Num pow(Num x, Num y) {
  Num z = expOf(mul(logPair(x.abs()), y));
  return finishPow(x, y, select(z.isNan(), kInf, z));
}

//===----------------------------------------------------------------------===//
// Angles
//===----------------------------------------------------------------------===//

namespace {
/// x = (n + offset) * unit + r, in f64.
struct Angle {
  Num n; ///< Modulo 2^k for some k > 1.
  Num r;
};
} // namespace

/// `x` in f64.
static Num widen(Num x) {
  Type wide = Maker::shaped(x.v.getType(), x.m->builder.getF64Type());
  return {x.m, x.m->make<arith::ExtFOp>(wide, x.v)};
}
static Num narrow(Num x, Num like) {
  return {x.m, x.m->make<arith::TruncFOp>(like.v.getType(), x.v)};
}

/// Reduces `x` by multiples of `unit`, pi or half of it. This takes f64 instead
/// of SLEEF's three f32 parts of pi, which end at 125; PyTorch's results on
/// x86-64 are closer to it, too.
///
/// The last bit of x is a multiple of 2^29 from 2^52 on, and of 2^67 from 2^90:
/// then bits of 1 / unit above 2^-28, or 2^-66, don't matter, as they make
/// multiples of two. Three parts of the others are enough. The products with
/// the first two are exact.
static Angle reduce(Num x, double unit, double offset) {
  static const double perPi[3][3] = {
      {0x1.45f306c000000p-2, 0x1.c9c882a000000p-30, 0x1.4fe13abe8fa9ap-60},
      {0x1.c9c882a000000p-30, 0x1.4fe13a8000000p-60, 0x1.f47d4d377036ep-87},
      {0x1.f09d5f4000000p-67, 0x1.f534ddc000000p-97, 0x1.b6c52b3278872p-130}};
  static const double perHalfPi[3][3] = {
      {0x1.45f306d000000p-1, 0x1.9391054000000p-30, 0x1.4fe13abe8fa9ap-59},
      {0x1.c9c882a000000p-29, 0x1.4fe13aa000000p-59, 0x1.e8fa9a6ee06dbp-87},
      {0x1.e13abe8000000p-67, 0x1.f534ddc000000p-96, 0x1.b6c52b3278872p-129}};
  const auto &table = unit == pi ? perPi : perHalfPi;
  Num d = widen(x);
  Bool large = x.abs() >= 0x1p52, huge = x.abs() >= 0x1p90;
  auto part = [&](unsigned i) {
    return d * select(huge, table[2][i],
                      select(large, table[1][i], d.same(table[0][i])));
  };
  auto modulo2 = [&](Num p) { return fma((p * 0.5).rint(), -2, p); };
  Num p0 = modulo2(part(0)), p1 = modulo2(part(1)), p2 = part(2);
  Num y = p0 + p1 + p2;
  Num n = (offset ? y - offset : y).rint();
  Num first = p0 - n;
  if (offset)
    first = first - offset;
  return {n, (first + p1 + p2) * unit};
}

/// The sign bit where `n` is odd.
static Int oddSign(Num n) { return n.toInt() << (n.width() - 1); }

/// (-1)^n sin r, with x = (n + offset) pi + r: sin x, or -cos x with an offset
/// of 1/2.
///
/// Up to 2^30, pi in two parts is enough, as each fma rounds but once. Vectors
/// branch: what lies beyond hardly ever comes. All is in f64 and rounded at the
/// end; the polynomial is within 2^-33 of the sine.
static Num sineOfReduced(Num x, double offset) {
  const Maker &m = *x.m;
  Num d = widen(x);
  Num h = offset ? fma(d, 1 / pi, d.same(-offset)) : d * (1 / pi);
  constexpr double shift = 0x1.8p52; // has units in its last place
  Num shifted = h + shift;
  Num q = shifted - shift;
  if (offset)
    q = q + offset;
  Num r = fma(q, -0x1.921fb54442d18p+1, d);
  r = fma(q, -0x1.1a62633145c07p-53, r);
  Int odd = shifted.bits() << 63;

  Bool large = x.abs() >= 0x1p30;
  auto exact = [&] {
    Angle a = reduce(x, pi, offset);
    return std::pair(a.r, oddSign(a.n));
  };
  if (isa<VectorType>(x.v.getType())) {
    Value any = m.make<vector::ReductionOp>(vector::CombiningKind::OR, large.v);
    auto branch = scf::IfOp::create(m.builder, m.loc,
                                    TypeRange{r.v.getType(), odd.v.getType()},
                                    any, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(m.builder);
      m.builder.setInsertionPointToStart(branch.thenBlock());
      auto [exactR, exactOdd] = exact();
      scf::YieldOp::create(m.builder, m.loc, ValueRange{exactR.v, exactOdd.v});
      m.builder.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(m.builder, m.loc, ValueRange{r.v, odd.v});
    }
    r.v = branch.getResult(0);
    odd.v = branch.getResult(1);
  } else {
    auto [exactR, exactOdd] = exact();
    r = select(large, exactR, r);
    odd = select(large, exactOdd, odd);
  }
  Num s = r * r;
  Num u = horner(s, {-0x1.9db1ca1e210dcp-26, 0x1.7196916e492b6p-19,
                     -0x1.a01905b9e4733p-13, 0x1.11110fdaaeedap-7,
                     -0x1.5555555460527p-3});
  Num y = fma(r * s, u, r);
  return narrow(fromBits(y.bits() ^ odd, y), x);
}

static Num sin(Num x) { return select(x == 0.0, x, sineOfReduced(x, 0)); }

static Num cos(Num x) { return -sineOfReduced(x, 0.5); }

static Num tan(Num x) {
  Angle a = reduce(x, pi / 2, 0);
  Int flip = oddSign(narrow(a.n, x));
  Num hi = narrow(a.r, x), lo = narrow(a.r - widen(hi), x);
  Two r{fromBits(hi.bits() ^ flip, x), fromBits(lo.bits() ^ flip, x)};
  Two s = normalize(square(r));
  Num u =
      horner(s.x, {0.00446636462584137916564941, -8.3920182078145444393158e-05,
                   0.0109639242291450500488281, 0.0212360303848981857299805,
                   0.0540687143802642822265625});
  Two t = quickAdd(u.same(0.133325666189193725585938), u * s.x);
  t = quickAdd(u.same(0.33333361148834228515625), mul(s, t));
  t = mul(r, quickAdd(u.same(1), mul(t, s)));
  Bool even = flip == 0;
  Num y = select(even, t, reciprocal(t)).total();
  return select(x == 0.0, x, y);
}

static Num arcSeries(Num x2) {
  return horner(x2, {0.4197454825e-1, 0.2424046025e-1, 0.4547423869e-1,
                     0.7495029271e-1, 0.1666677296e+0});
}

static Num asin(Num x) {
  Arc a = arcOf(x, arcSeries);
  Two y = quickSub(
      quickSub(
          two(x, 3.1415927410125732422 / 4, -8.7422776573475857731e-08 / 4),
          a.r),
      a.u);
  return mulSign(select(a.small, a.u + a.r.x, y.total() * 2.0), x);
}

static Num acos(Num x) {
  Arc a = arcOf(x, arcSeries);
  Two half = two(x, 3.1415927410125732422 / 2, -8.7422776573475857731e-08 / 2);
  Two y = quickSub(half, quickAdd(mulSign(a.r.x, x), mulSign(a.u, x)));
  y = select(a.small, y, scale(add(a.r, a.u), 2));
  Two turned = quickSub(scale(half, 2), y);
  return select((x.abs() >= 0.5) & (x < 0.0), turned, y).total();
}

/// The angle of (x, y), y not negative.
static Num angleOf(Num y, Num x) {
  Bool left = x < 0.0;
  Num size = x.abs();
  Bool steep = size < y;
  Two s = select(steep, Two(-size), Two(y)),
      t = select(steep, Two(y), Two(size));
  s = divide(s, t);
  t = normalize(square(s));
  Num u =
      horner(t.x, {-0.00176397908944636583328247, 0.0107900900766253471374512,
                   -0.0309564601629972457885742, 0.0577365085482597351074219,
                   -0.0838950723409652709960938, 0.109463557600975036621094,
                   -0.142626821994781494140625, 0.199983194470405578613281});
  t = mul(t, quickAdd(u.same(-0.333332866430282592773438), u * t.x));
  t = mul(s, quickAdd(u.same(1), t));
  Num q = select(left, -2.0, x.same(0)) + select(steep, 1.0, x.same(0));
  Two turn = mul(two(x, 1.5707963705062866211, -4.3711388286737928865e-08), q);
  return quickAdd(turn, t).total();
}

static Num atan(Num x) {
  Num y = angleOf(x.abs(), x.same(1));
  return mulSign(select(x.isInf(), pi / 2, y), x);
}

static Num atan2(Num y, Num x) {
  Bool tiny = x.abs() < 2.9387372783541830947e-39;
  x = select(tiny, x * 0x1p24, x);
  y = select(tiny, y * 0x1p24, y);
  Num r = mulSign(angleOf(y.abs(), x), x);
  return finishAtan2(y, x, r);
}

//===----------------------------------------------------------------------===//
// Error functions, in f64: both quotients of polynomials are within 2^-32
//===----------------------------------------------------------------------===//

static Num erf(Num x) {
  Num d = widen(x), s = d * d;
  Num p = horner(s, {-2.952755038104354e-09, 9.321885446136659e-07,
                     7.396120205404658e-05, 0.0010143188428573214,
                     0.013161334922071144, 0.08513387211781333,
                     0.37882810203171774, 1.128379167045035});
  Num q = horner(s, {1.2134282002946808e-05, 0.0002874146054097683,
                     0.00392726187560618, 0.034723263096483124,
                     0.1984683138376637, 0.6690609923141819, 1});
  Num y = narrow(p / q * d, x);
  // From here on it rounds to 1.
  return select(x.abs() > 3.92, mulSign(x.same(1), x), y);
}

/// e^-s for s in [0, 103], in f64.
static Num decay(Num s) {
  Num q = (s * -perLn2).rint();
  Num r = fma(q, -0x1.62e42fefa39efp-1, -s);
  Num u = horner(r, {1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
                     1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1});
  return u * pow2(q.toInt(), u);
}

static Num erfc(Num x) {
  Num d = widen(x.abs());
  d = select(d < 10.1, d, 10.1); // it is 0 there
  Num p = horner(d, {0.009989728276379346, 0.09264198055898863,
                     0.40179988930124466, 0.999642986638587, 1.4334256906829244,
                     0.9999999999212069});
  Num q = horner(d, {0.017706355747585032, 0.1642025346945576,
                     0.7210480139512414, 1.8536344620536853, 2.8903304417572055,
                     2.561804847034473, 1});
  Num y = decay(d * d) * (p / q);
  y = narrow(select(widen(x) < 0.0, y.same(2) - y, y), x);
  return select(x.isNan(), x, y);
}

std::optional<Num> evox::expandFloat(Operation *op, ArrayRef<Num> args) {
  Num x = args[0];
  return TypeSwitch<Operation *, std::optional<Num>>(op)
      .Case([&](math::ExpOp) { return exponential(x); })
      .Case([&](math::Exp2Op) { return exp2(x); })
      .Case([&](math::ExpM1Op) { return expm1(x); })
      .Case([&](math::SinhOp) { return sinh(x); })
      .Case([&](math::CoshOp) { return cosh(x); })
      .Case([&](math::TanhOp) { return tanh(x); })
      .Case([&](math::LogOp) { return log(x); })
      .Case([&](math::Log2Op) { return log2(x); })
      .Case([&](math::Log10Op) { return log10(x); })
      .Case([&](math::Log1pOp) { return log1p(x); })
      .Case([&](math::AtanhOp) { return atanh(x); })
      .Case([&](math::PowFOp) { return pow(x, args[1]); })
      .Case([&](math::SinOp) { return sin(x); })
      .Case([&](math::CosOp) { return cos(x); })
      .Case([&](math::TanOp) { return tan(x); })
      .Case([&](math::AsinOp) { return asin(x); })
      .Case([&](math::AcosOp) { return acos(x); })
      .Case([&](math::AtanOp) { return atan(x); })
      .Case([&](math::Atan2Op) { return atan2(x, args[1]); })
      .Case([&](math::ErfOp) { return erf(x); })
      .Case([&](math::ErfcOp) { return erfc(x); })
      .Default([](Operation *) { return std::nullopt; });
}
