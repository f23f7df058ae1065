// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-allow-fast-math))' | FileCheck %s

// The sum and the product may be fused; the comparison and the function stay.

// CHECK-LABEL: func.func @f
// CHECK:         arith.mulf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,arcp,contract> : f32
// CHECK:         arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,arcp,contract> : f32
// CHECK:         math.exp %{{.*}} : f32
// CHECK:         arith.cmpf olt, %{{.*}}, %{{.*}} : f32
func.func @f(%a: f32, %b: f32) -> i1 {
  %0 = arith.mulf %a, %b : f32
  %1 = arith.addf %0, %b : f32
  %2 = math.exp %1 : f32
  %3 = arith.cmpf olt, %2, %a : f32
  return %3 : i1
}
