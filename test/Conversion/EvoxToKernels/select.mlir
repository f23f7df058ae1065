// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(convert-evox-to-kernels))' | FileCheck %s

// Element 5: bit 2 says so, bits 8 and up are the 5.

// CHECK-LABEL: func.func @kthvalue
// CHECK-DAG:     %[[DIM:.*]] = arith.constant 0 : i64
// CHECK-DAG:     %[[FLAGS:.*]] = arith.constant 1284 : i64
// CHECK:         evox.kernel_call "sort"{{.*}} scalars(%[[DIM]], %[[FLAGS]])
func.func @kthvalue(%x: tensor<8xf32>) -> tensor<8xf32> {
  %v, %i = evox.sort %x dim 0 select 5 : tensor<8xf32> -> tensor<8xi64>
  return %v : tensor<8xf32>
}
