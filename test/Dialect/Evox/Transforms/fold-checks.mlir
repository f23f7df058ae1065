// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-fold-checks))' --split-input-file | FileCheck %s

#vector = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>
#none = affine_map<() -> ()>

// The index that an argmin over 100 finds is one of 0 to 99. Its comparison
// with zero, before it counts from the end, is decided too.

// CHECK-LABEL: func.func @argmin
// CHECK-NOT:     evox.assert
// CHECK:         arith.xori
// CHECK-NEXT:    %[[FALSE:.*]] = arith.constant dense<false> : tensor<i1>
// CHECK-NEXT:    arith.select %[[FALSE]]
// CHECK:         return
func.func @argmin(%x: tensor<100xf32>) -> tensor<i64> {
  %inf = arith.constant 0x7F800000 : f32
  %zero = arith.constant 0 : i64
  %false = arith.constant false
  %true = arith.constant true
  %size = arith.constant dense<100> : tensor<i64>
  %first = arith.constant dense<0> : tensor<i64>
  %e0 = tensor.empty() : tensor<f32>
  %e1 = tensor.empty() : tensor<i64>
  %e2 = tensor.empty() : tensor<i1>
  %f0 = linalg.fill ins(%inf : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %f1 = linalg.fill ins(%zero : i64) outs(%e1 : tensor<i64>) -> tensor<i64>
  %f2 = linalg.fill ins(%false : i1) outs(%e2 : tensor<i1>) -> tensor<i1>
  %r:2 = linalg.generic {indexing_maps = [#vector, #scalar, #scalar], iterator_types = ["reduction"]}
      ins(%x : tensor<100xf32>) outs(%f0, %f1 : tensor<f32>, tensor<i64>) {
  ^bb0(%in: f32, %best: f32, %at: i64):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i64
    %less = arith.cmpf ult, %in, %best : f32
    %value = arith.select %less, %in, %best : f32
    %index = arith.select %less, %j, %at : i64
    linalg.yield %value, %index : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  %high = arith.cmpi sge, %r#1, %size : tensor<i64>
  %sum = arith.addi %r#1, %size : tensor<i64>
  %low = arith.cmpi slt, %sum, %first : tensor<i64>
  %bad = arith.ori %high, %low : tensor<i1>
  %any = linalg.generic {indexing_maps = [#none, #none], iterator_types = []}
      ins(%bad : tensor<i1>) outs(%f2 : tensor<i1>) {
  ^bb0(%in: i1, %out: i1):
    %or = arith.ori %out, %in : i1
    linalg.yield %or : i1
  } -> tensor<i1>
  %is = tensor.extract %any[] : tensor<i1>
  %ok = arith.xori %is, %true : i1
  evox.assert %ok, "out of bounds"
  %negative = arith.cmpi slt, %r#1, %first : tensor<i64>
  %picked = arith.select %negative, %sum, %r#1 : tensor<i1>, tensor<i64>
  return %picked : tensor<i64>
}

// -----

// Integers below 7, and a permutation of 8.

// CHECK-LABEL: func.func @draws
// CHECK-COUNT-1: evox.assert
// CHECK-NOT:     evox.assert
func.func @draws(%g: !evox.generator) -> !evox.generator {
  %low = arith.constant 0 : i64
  %high = arith.constant 7 : i64
  %seven = arith.constant dense<7> : tensor<8xi64>
  %c0 = arith.constant 0 : index
  %v, %g1 = evox.random.integers %g low %low high %high : tensor<8xi64>
  %a = arith.cmpi slt, %v, %seven : tensor<8xi64>
  %a0 = tensor.extract %a[%c0] : tensor<8xi1>
  evox.assert %a0, "always"
  %p, %g2 = evox.random.permutation %g1 : tensor<8xi64>
  %b = arith.cmpi slt, %p, %seven : tensor<8xi64>
  %b0 = tensor.extract %b[%c0] : tensor<8xi1>
  evox.assert %b0, "not for all"
  return %g2 : !evox.generator
}

// -----

// A sum has no bound.

#vector = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// CHECK-LABEL: func.func @grows
// CHECK:         evox.assert
func.func @grows() {
  %zero = arith.constant 0 : i64
  %many = arith.constant 1000 : i64
  %e = tensor.empty() : tensor<i64>
  %e5 = tensor.empty() : tensor<5xi64>
  %f = linalg.fill ins(%zero : i64) outs(%e : tensor<i64>) -> tensor<i64>
  %ones = linalg.fill ins(%many : i64) outs(%e5 : tensor<5xi64>) -> tensor<5xi64>
  %r = linalg.generic {indexing_maps = [#vector, #scalar], iterator_types = ["reduction"]}
      ins(%ones : tensor<5xi64>) outs(%f : tensor<i64>) {
  ^bb0(%in: i64, %out: i64):
    %s = arith.addi %in, %out : i64
    linalg.yield %s : i64
  } -> tensor<i64>
  %v = tensor.extract %r[] : tensor<i64>
  %less = arith.cmpi slt, %v, %many : i64
  evox.assert %less, "may fail"
  return
}
