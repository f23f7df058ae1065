// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-anchor-layouts))' | FileCheck %s
// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-anchor-layouts),one-shot-bufferize{allow-return-allocs-from-loops bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map})' | FileCheck %s --check-prefix=BUFFER

// CHECK-LABEL: func.func @nested(
// CHECK:         scf.for
// CHECK:           %[[R:.*]] = scf.if
// CHECK:           %[[C:.*]] = evox.contiguous %[[R]] : tensor<4xf32>
// CHECK:           scf.yield %[[C]]
// CHECK:         return

// A result that may be a slice is copied.
// BUFFER-LABEL: func.func @nested(
// BUFFER:         scf.for {{.*}} -> (memref<4xf32>)
// BUFFER:           %[[R:.*]] = scf.if {{.*}} -> (memref<4xf32, strided<{{.*}}>>)
// BUFFER:           %[[C:.*]] = memref.alloc() {{.*}} : memref<4xf32>
// BUFFER:           memref.copy %[[R]], %[[C]]
// BUFFER:           scf.yield %{{.*}} : memref<4xf32>
func.func @nested(%n: index, %c: i1, %x: tensor<4x4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %y) -> (tensor<4xf32>) {
    %s = scf.if %c -> (tensor<4xf32>) {
      %z = tensor.extract_slice %x[0, 1] [4, 1] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
      scf.yield %z : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    scf.yield %s : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
