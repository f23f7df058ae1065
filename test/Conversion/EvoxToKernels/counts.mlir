// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-counts-to-kernels))' | FileCheck %s

#whole = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#columns = affine_map<(d0, d1) -> (d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// The numbers are not made.

// CHECK-LABEL: func.func @count
// CHECK:         %[[TRUTHS:.*]] = linalg.generic
// CHECK-NOT:     extui
// CHECK:         -> tensor<64x100xi1>
// CHECK:         evox.kernel_call "count"(%[[TRUTHS]]) outs(%arg1) {inplace} : (tensor<64x100xi1>) outs(tensor<100xi64>)
// CHECK-NOT:     linalg
func.func @count(%x: tensor<64x100xf32>, %sum: tensor<100xi64>) -> (tensor<64x100xi1>, tensor<100xi64>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x100xi1>
  %f = tensor.empty() : tensor<64x100xi64>
  %0:2 = linalg.generic {indexing_maps = [#whole, #whole, #whole], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x100xf32>) outs(%e, %f : tensor<64x100xi1>, tensor<64x100xi64>) {
  ^bb0(%a: f32, %b: i1, %c: i64):
    %t = arith.cmpf olt, %a, %zero : f32
    %n = arith.extui %t : i1 to i64
    linalg.yield %t, %n : i1, i64
  } -> (tensor<64x100xi1>, tensor<64x100xi64>)
  %1 = linalg.generic {indexing_maps = [#whole, #columns], iterator_types = ["reduction", "parallel"]} ins(%0#1 : tensor<64x100xi64>) outs(%sum : tensor<100xi64>) {
  ^bb0(%a: i64, %b: i64):
    %n = arith.addi %b, %a : i64
    linalg.yield %n : i64
  } -> tensor<100xi64>
  return %0#0, %1 : tensor<64x100xi1>, tensor<100xi64>
}

// CHECK-LABEL: func.func @masked
// CHECK:         evox.kernel_call "count_where"(%arg0, %arg1) outs(%arg2)
func.func @masked(%x: tensor<64x100xi1>, %mask: tensor<64x1xi1>, %sum: tensor<100xi64>) -> tensor<100xi64> {
  %1 = linalg.generic {indexing_maps = [#row, #whole, #columns], iterator_types = ["reduction", "parallel"]} ins(%mask, %x : tensor<64x1xi1>, tensor<64x100xi1>) outs(%sum : tensor<100xi64>) {
  ^bb0(%m: i1, %a: i1, %b: i64):
    %t = arith.andi %m, %a : i1
    %n = arith.extui %t : i1 to i64
    %s = arith.addi %n, %b : i64
    linalg.yield %s : i64
  } -> tensor<100xi64>
  return %1 : tensor<100xi64>
}

// Sums along rows, of other numbers, and of few truths stay.

// CHECK-LABEL: func.func @stay
// CHECK-NOT:     kernel_call
func.func @stay(%x: tensor<64x100xi1>, %y: tensor<64x100xi32>, %few: tensor<3x4xi1>, %rows: tensor<64xi64>, %sum: tensor<100xi64>, %small: tensor<4xi64>) -> (tensor<64xi64>, tensor<100xi64>, tensor<4xi64>) {
  %0 = linalg.generic {indexing_maps = [#whole, #rows], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x100xi1>) outs(%rows : tensor<64xi64>) {
  ^bb0(%a: i1, %b: i64):
    %n = arith.extui %a : i1 to i64
    %s = arith.addi %n, %b : i64
    linalg.yield %s : i64
  } -> tensor<64xi64>
  %1 = linalg.generic {indexing_maps = [#whole, #columns], iterator_types = ["reduction", "parallel"]} ins(%y : tensor<64x100xi32>) outs(%sum : tensor<100xi64>) {
  ^bb0(%a: i32, %b: i64):
    %n = arith.extui %a : i32 to i64
    %s = arith.addi %n, %b : i64
    linalg.yield %s : i64
  } -> tensor<100xi64>
  %2 = linalg.generic {indexing_maps = [#whole, #columns], iterator_types = ["reduction", "parallel"]} ins(%few : tensor<3x4xi1>) outs(%small : tensor<4xi64>) {
  ^bb0(%a: i1, %b: i64):
    %n = arith.extui %a : i1 to i64
    %s = arith.addi %n, %b : i64
    linalg.yield %s : i64
  } -> tensor<4xi64>
  return %0, %1, %2 : tensor<64xi64>, tensor<100xi64>, tensor<4xi64>
}
