//===- DoubleFunctions.cpp - Functions of f64 as formulas -----------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Methods and coefficients are those of SLEEF (https://sleef.org, Boost
// Software License 1.0), functions of 1.0 ulp for double precision. Angles are
// reduced by a method of our own, and exp is closer. But for large angles, see
// OutlineAngles.cpp, nothing branches: LLVM vectorizes what loops have of this.
//
//===----------------------------------------------------------------------===//

#include "Formulas.h"
#include "Functions.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;
using namespace evox;

static constexpr double kInf = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double pi = 3.14159265358979323846;
// ln 2 in two parts; the first one times an exponent is exact.
static constexpr double ln2Hi = .69314718055966295651160180568695068359375;
static constexpr double ln2Lo =
    .28235290563031577122588448175013436025525412068e-12;
static constexpr double perLn2 = 1.442695040888963407359924681001892137;

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

/// Nearly correctly rounded, unlike SLEEF's.
static Num exponential(Num x) {
  Num q = (x * perLn2).rint();
  Num hi = fma(q, -ln2Hi, x), lo = q * -ln2Lo;
  Num r = hi + lo;
  Num u = horner(r, {0.2081276378237164457e-8, 0.2511210703042288022e-7,
                     0.2755762628169491192e-6, 0.2755723402025388239e-5,
                     0.2480158687479686264e-4, 0.1984126989855865850e-3,
                     0.1388888888914497797e-2, 0.8333333333314938210e-2,
                     0.4166666666666602598e-1, 0.1666666666666669072e+0, 0.5});
  Num rest = fma(r * r, u, lo);
  Num s = x.same(1) + hi;
  Num e = ldexp(s + (x.same(1) - s + hi + rest), q.toInt());
  e = select(x < -1000.0, 0.0, e);
  return select(x > 709.782712893383996732223, kInf, e);
}

static Num exp2(Num x) {
  Num q = x.rint(), s = x - q;
  Num u = horner(s, {0.4434359082926529454e-9, 0.7073164598085707425e-8,
                     0.1017819260921760451e-6, 0.1321543872511327615e-5,
                     0.1525273353517584730e-4, 0.1540353045101147808e-3,
                     0.1333355814670499073e-2, 0.9618129107597600536e-2,
                     0.5550410866482046596e-1, 0.2402265069591012214e+0,
                     0.6931471805599452862e+0, 1});
  u = ldexp(u, q.toInt());
  u = select(x >= 1024.0, kInf, u);
  return select(x < -2000.0, 0.0, u);
}

/// The exponent of e^d as one of 2.
static Num exponentOf(Two d) {
  Num q = (d.total() * perLn2).rint();
  // Beyond, the result is what it is at these; integers have room for them.
  q = select(q < -4000.0, -4000.0, q);
  return select(q > 4000.0, 4000.0, q);
}

/// x * 2^e for exponents that may be four times of what numbers have.
static Num scaleFar(Num x, Int e) {
  Int quarter = e >> 2;
  Num step = pow2(quarter, x);
  return x * step * step * step * pow2(e - quarter - quarter - quarter, x);
}

/// e^d.
static Num expOf(Two d) {
  Num q = exponentOf(d);
  Two s = add(d, q * -ln2Hi);
  s = normalize(add(s, q * -ln2Lo));
  Num u =
      horner(s.x, {2.51069683420950419527139e-08, 2.76286166770270649116855e-07,
                   2.75572496725023574143864e-06, 2.48014973989819794114153e-05,
                   0.000198412698809069797676111, 0.0013888888939977128960529,
                   0.00833333333332371417601081, 0.0416666666665409524128449,
                   0.166666666666666740681535, 0.500000000000000999200722});
  Two t = quickAdd(u.same(1), s);
  t = quickAdd(t, mul(square(s), u));
  u = scaleFar(t.total(), q.toInt());
  return select(d.x < -1000.0, 0.0, u);
}

/// e^d, in a pair.
static Two expPair(Two d) {
  Num q = exponentOf(d);
  Two s = add(d, q * -ln2Hi);
  s = add(s, q * -ln2Lo);
  Two s2 = square(s), s4 = square(s2);
  Num u = horner(s.x, {0.1602472219709932072e-9, 0.2092255183563157007e-8,
                       0.2505230023782644465e-7, 0.2755724800902135303e-6,
                       0.2755731892386044373e-5, 0.2480158735605815065e-4,
                       0.1984126984148071858e-3, 0.1388888888886763255e-2,
                       0.8333333333333347095e-2, 0.4166666666666669905e-1});
  Two t = quickAdd(u.same(0.5), mul(s, u.same(0.1666666666666666574)));
  t = quickAdd(u.same(1), mul(t, s));
  t = quickAdd(u.same(1), mul(t, s));
  t = quickAdd(t, mul(s4, u));
  Int e = q.toInt();
  Bool small = d.x < -1000.0;
  return {select(small, 0.0, scaleFar(t.x, e)),
          select(small, 0.0, scaleFar(t.y, e))};
}

static Num expm1(Num x) {
  Num y = add(expPair(Two(x)), x.same(-1)).total();
  y = select(x > 709.782712893383996732223, kInf, y);
  y = select(x < -36.736800569677101399113302437, -1.0, y);
  y = select(x.isNan(), x, y);
  return select(x == 0.0, x, y);
}

static Num sinh(Num x) {
  Two e = expPair(Two(x.abs()));
  Num y = quickSub(e, reciprocal(e)).total() * 0.5;
  // Where 1 - x^2 / 6 rounds to 1.
  y = select(x.abs() < 1e-8, x.abs(), y);
  y = mulSign(select((x.abs() > 710.0) | y.isNan(), kInf, y), x);
  return select(x.isNan(), kNaN, y);
}

static Num cosh(Num x) {
  Two e = expPair(Two(x.abs()));
  Num y = quickAdd(e, reciprocal(e)).total() * 0.5;
  y = select((x.abs() > 710.0) | y.isNan(), kInf, y);
  return select(x.isNan(), kNaN, y);
}

static Num tanh(Num x) {
  Two e = expPair(Two(x.abs()));
  Two r = reciprocal(e);
  Num y = divide(add(e, -r), add(e, r)).total();
  y = select(x.abs() < 1e-8, x.abs(), y);
  y = mulSign(select((x.abs() > 19.1) | y.isNan(), 1.0, y), x);
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
  return (x.bits().shiftRightUnsigned(52) & 0x7ff) - 1023;
}

/// Small integers as numbers, where there is no instruction for it.
static Num fromSmall(Int e, Num like) {
  Num shift = like.same(0x1.8p52);
  return fromBits(shift.bits() + e, like) - shift;
}

static Parts split(Num x) {
  Bool tiny = x < 0x1p-1022;
  x = select(tiny, x * 0x1p64, x);
  Int e = exponentBits(x * (1.0 / 0.75));
  Num m = addExponent(x, e.same(0) - e);
  return {m, fromSmall(select(tiny, e - 64, e), x)};
}

static Two ln2Times(Num e) {
  return mul(two(e, 0.693147180559945286226764, 2.319046813846299558417771e-17),
             e);
}

static Num logSeries(Two s, Two x) {
  Num x2 = x.x * x.x;
  Num t = horner(x2, {0.1532076988502701353, 0.1525629051003428716,
                      0.1818605932937785996, 0.2222214519839380009,
                      0.2857142932794299317, 0.3999999999635251990,
                      0.6666666666667333541});
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
  Num t = horner(x2, {0.2211941750456081490, 0.2200768693152277689,
                      0.2623708057488514656, 0.3205977477944495502,
                      0.4121985945485324709, 0.5770780162997058982,
                      0.96179669392608091449});
  Two s =
      add(p.e, mul(r, two(x, 2.885390081777926774, 6.0561604995516736434e-18)));
  return finishLog(x, add(s, x2 * r.x * t).total());
}

static Num log10(Num x) {
  Parts p = split(x);
  Two r = ratio(p.m);
  Num x2 = r.x * r.x;
  Num t = horner(x2, {0.6653725819576758460e-1, 0.6625722782820833712e-1,
                      0.7898105214313944078e-1, 0.9650955035715275132e-1,
                      0.1240841409721444993, 0.1737177927454605086,
                      0.2895296546021972617});
  Two s = mul(two(x, 0.30102999566398119802, -2.803728127785170339e-18), p.e);
  s = quickAdd(
      s, mul(r, two(x, 0.86858896380650363334, 1.1430059694096389311e-17)));
  return finishLog(x, quickAdd(s, x2 * r.x * t).total());
}

static Num log1p(Num x) {
  Num one = x.same(1);
  Num next = x + one;
  Bool tiny = next < 0x1p-1022;
  next = select(tiny, next * 0x1p64, next);
  Int e = exponentBits(next * (1.0 / 0.75));
  Num t = addExponent(one, e.same(0) - e);
  Num m = fma(x, t, t - one);
  Two s = ln2Times(fromSmall(select(tiny, e - 64, e), x));
  Num y = logSeries(s, divide(Two(m), quickAdd(x.same(2), m)));
  // Above, x + 1 is x; but the formula ends before.
  y = select(x <= 1e300, y, log(x));
  y = select((x < -1.0) | x.isNan(), kNaN, y);
  y = select(x == -1.0, -kInf, y);
  return select(x == 0.0, x, y);
}

/// ln x, in a pair; x isn't negative.
static Two logPair(Num x) {
  Parts p = split(x);
  Two r = ratio(p.m);
  Two r2 = square(r);
  Num t = horner(r2.x, {0.116255524079935043668677, 0.103239680901072952701192,
                        0.117754809412463995466069, 0.13332981086846273921509,
                        0.153846227114512262845736, 0.181818180850050775676507,
                        0.222222222230083560345903, 0.285714285714249172087875,
                        0.400000000000000077715612});
  Two c = two(x, 0.666666666666666629659233, 3.80554962542412056336616e-17);
  Two s = quickAdd(ln2Times(p.e), scale(r, 2));
  Two r3 = mul(r2, r);
  s = quickAdd(s, mul(r3, c));
  return quickAdd(s, mul(mul(r2, r3), t));
}

static Num atanh(Num x) {
  Num y = x.abs(), one = x.same(1);
  Two d = divide(add(one, y), add(one, -y));
  // ln d of a pair, which is at least 1.
  Int e = exponentBits(d.x * (1.0 / 0.75));
  Two m = scale(d, pow2(e.same(0) - e, x));
  Two r = divide(add(m, x.same(-1)), add(m, one));
  Two r2 = square(r);
  Num t =
      horner(r2.x, {0.13860436390467167910856, 0.131699838841615374240845,
                    0.153914168346271945653214, 0.181816523941564611721589,
                    0.22222224632662035403996, 0.285714285511134091777308,
                    0.400000000000914013309483, 0.666666666666664853302393});
  Two s = quickAdd(ln2Times(fromSmall(e, x)), scale(r, 2));
  s = quickAdd(s, mul(mul(r2, r), t));
  Num z = select(y == 1.0, kInf, s.total() * 0.5);
  z = select(y > 1.0, kNaN, z);
  z = select(y < 1e-8, y, z);
  z = mulSign(z, x);
  return select(x.isNan(), kNaN, z);
}

static Num pow(Num x, Num y) {
  Two d = mul(logPair(x.abs()), y);
  Num z = expOf(d);
  z = select(d.x > 709.782712893383996732223, kInf, z);
  return finishPow(x, y, select(z.isNan(), kInf, z));
}

//===----------------------------------------------------------------------===//
// Angles
//===----------------------------------------------------------------------===//

namespace {
/// x = n * unit + r.
struct Angle {
  Num n; ///< A multiple of 1/2 or 1.
  Two r;
};
} // namespace

/// Reduces `x`, of less than 2^28, by multiples of `unit`, pi or half of it:
/// by `offset` and a whole number of them. Products with the first two of three
/// parts of the unit are taken exactly, so that what is left has its digits
/// even next to a multiple.
static Angle reduce(Num x, double unit, double offset) {
  double parts[3] = {3.141592653589793116, 1.2246467991473531772e-16,
                     -2.9947698097183396659e-33};
  for (double &part : parts)
    part *= unit / pi;
  Num n = offset ? fma(x, 1 / unit, x.same(-offset)).rint() + offset
                 : (x * (1 / unit)).rint();
  Num first = n * parts[0], second = n * parts[1];
  Num firstRest = fms(n, x.same(parts[0]), first);
  Num secondRest = fms(n, x.same(parts[1]), second);
  Two r = add(x, -first);
  r = add(r, -firstRest);
  r = add(r, -second);
  r = add(r, -fma(n, parts[2], secondRest));
  return {n, r};
}

/// `formula(x)`, but for large arguments the C library's function. Vectors
/// branch on whether any is.
static Num unlessLarge(Operation *op, Num x, Num (*formula)(Num)) {
  const Maker &m = *x.m;
  OpBuilder &b = m.builder;
  Bool large = x.abs() >= 0x1p28;
  Num y = formula(x);
  auto vector = dyn_cast<VectorType>(x.v.getType());
  Value any = large.v;
  if (vector)
    any = m.make<vector::ReductionOp>(vector::CombiningKind::OR, large.v);
  auto branch = scf::IfOp::create(b, m.loc, TypeRange{y.v.getType()}, any,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    auto call = [&](Value value) {
      Operation *exact = b.create(m.loc, op->getName().getIdentifier(), value,
                                  value.getType(), op->getAttrs());
      exact->setAttr(kLargeAngle, b.getUnitAttr());
      return exact->getResult(0);
    };
    Value exact;
    if (vector) {
      SmallVector<Value> lanes;
      for (int64_t i = 0; i < vector.getNumElements(); ++i)
        lanes.push_back(call(vector::ExtractOp::create(b, m.loc, x.v, i)));
      exact = vector::FromElementsOp::create(b, m.loc, vector, lanes);
      exact = m.make<arith::SelectOp>(large.v, exact, y.v);
    } else {
      exact = call(x.v);
    }
    scf::YieldOp::create(b, m.loc, exact);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, m.loc, y.v);
  }
  return {x.m, branch.getResult(0)};
}

/// The sign bit where `n`, whole, is odd.
static Int oddSign(Num n) { return n.toInt() << 63; }

/// The sine of r.
static Num sineOf(Two r) {
  Two s = square(r);
  Num u = horner(s.x,
                 {2.72052416138529567917983e-15, -7.6429259411395447190023e-13,
                  1.60589370117277896211623e-10, -2.5052106814843123359368e-08,
                  2.75573192104428224777379e-06, -0.000198412698412046454654947,
                  0.00833333333333318056201922});
  Two t = quickAdd(s.x.same(-0.166666666666666657414808), u * s.x);
  t = quickAdd(s.x.same(1), mul(t, s));
  return mulTotal(r, t);
}

static Num sin(Num x) {
  Angle a = reduce(x, pi, 0);
  Num y = sineOf(a.r);
  y = fromBits(y.bits() ^ oddSign(a.n), y);
  return select(x == 0.0, x, y);
}

static Num cos(Num x) {
  // x = (n - 1/2) pi + r, and cos x is -sin r for even n, sin r for odd n.
  Angle a = reduce(x, pi, 0.5);
  Num y = -sineOf(a.r);
  return fromBits(y.bits() ^ oddSign(a.n - 0.5), y);
}

static Num tan(Num x) {
  Angle a = reduce(x, pi / 2, 0);
  // By the tangent of the half.
  Two t = scale(a.r, 0.5);
  Two s = square(t);
  Num u = horner(s.x, {0.3245098826639276316e-3, 0.5619219738114323735e-3,
                       0.1460781502402784494e-2, 0.3591611540792499519e-2,
                       0.8863268409563113126e-2, 0.2186948728185535498e-1,
                       0.5396825399517272970e-1, 0.1333333333330500581,
                       0.3333333333333343695});
  Two h = quickAdd(t, mul(mul(s, t), u));
  Two below = quickAdd(x.same(-1), square(h)), above = scale(h, -2);
  Bool odd = (a.n.toInt() & 1) == 1;
  Num y = divide(select(odd, -below, above), select(odd, above, below)).total();
  return select(x == 0.0, x, y);
}

static Num arcSeries(Num x2) {
  return horner(x2, {0.3161587650653934628e-1, -0.1581918243329996643e-1,
                     0.1929045477267910674e-1, 0.6606077476277170610e-2,
                     0.1215360525577377331e-1, 0.1388715184501609218e-1,
                     0.1735956991223614604e-1, 0.2237176181932048341e-1,
                     0.3038195928038132237e-1, 0.4464285681377102438e-1,
                     0.7500000000378581611e-1, 0.1666666666666497543});
}

static Num asin(Num x) {
  Arc a = arcOf(x, arcSeries);
  Two y = quickSub(
      quickSub(two(x, 3.141592653589793116 / 4, 1.2246467991473532072e-16 / 4),
               a.r),
      a.u);
  return mulSign(select(a.small, a.u + a.r.x, y.total() * 2.0), x);
}

static Num acos(Num x) {
  Arc a = arcOf(x, arcSeries);
  Two half = two(x, 3.141592653589793116 / 2, 1.2246467991473532072e-16 / 2);
  Two y = quickSub(half, quickAdd(mulSign(a.r.x, x), mulSign(a.u, x)));
  y = select(a.small, y, scale(quickAdd(a.r, a.u), 2));
  Two turned = quickSub(scale(half, 2), y);
  return select((x.abs() >= 0.5) & (x < 0.0), turned, y).total();
}

/// The angle of (x, y), y not negative; x counts as negative where `left`.
static Num angleOf(Num y, Num x, Bool left) {
  Num size = x.abs();
  Bool steep = size < y;
  Two s = select(steep, Two(-size), Two(y)),
      t = select(steep, Two(y), Two(size));
  s = divide(s, t);
  t = normalize(square(s));
  Num u = horner(t.x,
                 {1.06298484191448746607415e-05, -0.000125620649967286867384336,
                  0.00070557664296393412389774,  -0.00251865614498713360352999,
                  0.00646262899036991172313504,  -0.0128281333663399031014274,
                  0.0208024799924145797902497,   -0.0289002344784740315686289,
                  0.0359785005035104590853656,   -0.041848579703592507506027,
                  0.0470843011653283988193763,   -0.0524914210588448421068719,
                  0.0587946590969581003860434,   -0.0666620884778795497194182,
                  0.0769225330296203768654095,   -0.0909090442773387574781907,
                  0.111111108376896236538123,    -0.142857142756268568062339,
                  0.199999999997977351284817,    -0.333333333333317605173818});
  t = quickAdd(s, mul(mul(s, t), u));
  Num q = select(left, -2.0, x.same(0)) + select(steep, 1.0, x.same(0));
  Two turn =
      mul(two(x, 1.570796326794896557998982, 6.12323399573676603586882e-17), q);
  return quickAdd(turn, t).total();
}

static Num atan(Num x) {
  Num y = angleOf(x.abs(), x.same(1), x < -kInf);
  y = select(x.abs() < 1e-9, x.abs(), y);
  return mulSign(select(x.isInf(), pi / 2, y), x);
}

static Num atan2(Num y, Num x) {
  // Quotients must not lose digits below the normal numbers, nor overflow.
  Num least = select(x.abs() < y.abs(), x.abs(), y.abs());
  Num most = select(x.abs() < y.abs(), y.abs(), x.abs());
  Bool tiny = (most < 0x1p-900) | ((least < 0x1p-960) & (most < 0x1p0));
  Bool huge = most > 0x1p1000;
  Num factor = select(tiny, 0x1p100, select(huge, 0x1p-100, x.same(1)));
  Num sx = x * factor, sy = y * factor;
  Num r = mulSign(angleOf(sy.abs(), sx, x < 0.0), x);
  return finishAtan2(y, x, r);
}

//===----------------------------------------------------------------------===//
// The error function
//===----------------------------------------------------------------------===//

static Num erf(Num x) {
  Num y = x.abs();
  y = select(y < 6.0, y, 6.0); // it rounds to 1 there
  // x + x r(x^2) up to here, beyond 1 - e^(-x^2) r(x): each r a quotient of
  // polynomials within 2^-59.
  Bool near = y < 1.0;
  static const double nearTerms[] = {0,
                                     0,
                                     -2.0732465712331343e-05,
                                     -0.0004956118908450234,
                                     -0.008815657782112626,
                                     -0.04832939212112338,
                                     -0.31700616532915704,
                                     0.1283791670955126};
  static const double farTerms[] = {0.0010083632831552562, 0.013383029301989285,
                                    0.0873435389883272,    0.3531488284825576,
                                    0.9461578147378983,    1.6791792872310696,
                                    1.8452789646881127,    0.999999992308901};
  static const double nearDivisor[] = {0,
                                       0,
                                       0,
                                       2.081017026503636e-05,
                                       0.0006924962999519141,
                                       0.010693060472630024,
                                       0.09381297479300457,
                                       0.46051259748940354,
                                       1};
  static const double farDivisor[] = {
      0.0017872774012192014, 0.023720800776976084, 0.15570606149896202,
      0.6377998297186332,    1.7535411665158902,   3.277302329710563,
      4.034593519368563,     2.973658047856658,    1};
  Num s = y * y, t = select(near, s, y);
  auto polynomial = [&](ArrayRef<double> small, ArrayRef<double> large) {
    Num u = select(near, small[0], y.same(large[0]));
    for (auto [a, b] : llvm::drop_begin(llvm::zip_equal(small, large)))
      u = fma(u, t, select(near, a, y.same(b)));
    return u;
  };
  Num r = polynomial(nearTerms, farTerms) / polynomial(nearDivisor, farDivisor);
  Num z = fma(select(near, y, -exponential(-s)), r, select(near, y, 1.0));
  return select(x.isNan(), x, mulSign(z, x));
}

std::optional<Num> evox::expandDouble(Operation *op, ArrayRef<Num> args) {
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
      .Case([&](math::SinOp) { return unlessLarge(op, x, sin); })
      .Case([&](math::CosOp) { return unlessLarge(op, x, cos); })
      .Case([&](math::TanOp) { return unlessLarge(op, x, tan); })
      .Case([&](math::AsinOp) { return asin(x); })
      .Case([&](math::AcosOp) { return acos(x); })
      .Case([&](math::AtanOp) { return atan(x); })
      .Case([&](math::Atan2Op) { return atan2(x, args[1]); })
      .Case([&](math::ErfOp) { return erf(x); })
      .Default([](Operation *) { return std::nullopt; });
}
