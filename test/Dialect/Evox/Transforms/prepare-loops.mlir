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

// Sizes that the data decides are hidden; indices are not.

// CHECK-LABEL: func.func @sizes(
// CHECK:         %[[N:.*]] = memref.load
// CHECK:         %[[H:.*]] = llvm.inline_asm "", "=r,0" %[[N]] : (i64) -> i64
// CHECK:         %[[S:.*]] = arith.index_cast %[[H]] : i64 to index
// CHECK:         memref.alloc(%[[S]])
// CHECK:         %[[I:.*]] = memref.load
// CHECK:         arith.index_cast %[[I]]
func.func @sizes(%count: memref<i64>, %x: memref<8xf32>) -> f32 {
  %n = memref.load %count[] : memref<i64>
  %s = arith.index_cast %n : i64 to index
  %a = memref.alloc(%s) : memref<?xf32>
  memref.dealloc %a : memref<?xf32>
  %m = memref.load %count[] : memref<i64>
  %i = arith.index_cast %m : i64 to index
  %v = memref.load %x[%i] : memref<8xf32>
  return %v : f32
}
