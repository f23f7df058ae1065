// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-prepare-loops))' | FileCheck %s

// CHECK-LABEL: func.func @stack(
// CHECK-NEXT:    memref.alloca() : memref<f32>
// CHECK:         scf.for
// CHECK-NOT:     memref.alloca
func.func @stack(%n: index, %x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.alloca() : memref<f32>
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %a[] : memref<f32>
  }
  return
}

// CHECK-LABEL: func.func @copies(
// CHECK:         memref.copy %{{.*}}, %{{.*}} : memref<4x4xf32> to memref<4x4xf32>
// CHECK:         linalg.copy ins(%{{.*}} : memref<4x2xf32, strided<[4, 1]>>)
// CHECK:         memref.copy %{{.*}}, %{{.*}} : memref<2x4xf32, strided<[4, 1]>> to memref<2x4xf32>
func.func @copies(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x2xf32>, %d: memref<2x4xf32>) {
  linalg.copy ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>)
  %columns = memref.subview %a[0, 0] [4, 2] [1, 1] : memref<4x4xf32> to memref<4x2xf32, strided<[4, 1]>>
  memref.copy %columns, %c : memref<4x2xf32, strided<[4, 1]>> to memref<4x2xf32>
  %rows = memref.subview %a[0, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.copy %rows, %d : memref<2x4xf32, strided<[4, 1]>> to memref<2x4xf32>
  return
}
