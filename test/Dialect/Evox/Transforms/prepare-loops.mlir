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

// A piece is made where it goes, although it is read after it was copied there.

// CHECK-LABEL: func.func @pieces(
// CHECK:         %[[W:.*]] = memref.alloc() : memref<4x4xf32>
// CHECK-NEXT:    %[[P:.*]] = memref.subview %[[W]][0, 0] [2, 4] [1, 1]
// CHECK-NEXT:    evox.kernel_call "random_normal"() outs(%[[P]])
// CHECK-NOT:     copy
// CHECK:         %[[Q:.*]] = memref.subview %[[W]][2, 0] [2, 4] [1, 1]
// CHECK:         linalg.exp ins(%[[P]] : {{.*}}) outs(%[[Q]] :
// CHECK-NEXT:    memref.copy %[[W]]
func.func @pieces(%out: memref<4x4xf32>, %a: f64, %b: f64) {
  %piece = memref.alloc() : memref<2x4xf32>
  evox.kernel_call "random_normal"() outs(%piece) scalars(%a, %b) {effects} : () outs(memref<2x4xf32>) scalars(f64, f64)
  %whole = memref.alloc() : memref<4x4xf32>
  %first = memref.subview %whole[0, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.copy %piece, %first : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  %second = memref.subview %whole[2, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1], offset: 8>>
  linalg.exp ins(%piece : memref<2x4xf32>) outs(%second : memref<2x4xf32, strided<[4, 1], offset: 8>>)
  memref.dealloc %piece : memref<2x4xf32>
  memref.copy %whole, %out : memref<4x4xf32> to memref<4x4xf32>
  memref.dealloc %whole : memref<4x4xf32>
  return
}

// Not where its place is written while the piece is still read, is read before
// that, or where the piece changes later.

// CHECK-LABEL: func.func @overwritten(
// CHECK:         memref.copy %{{.*}}, %{{.*}} : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
func.func @overwritten(%out: memref<4x4xf32>, %other: memref<2x4xf32>, %zero: f32) {
  %piece = memref.alloc() : memref<2x4xf32>
  linalg.fill ins(%zero : f32) outs(%piece : memref<2x4xf32>)
  %whole = memref.alloc() : memref<4x4xf32>
  %first = memref.subview %whole[0, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.copy %piece, %first : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  %part = memref.subview %whole[1, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1], offset: 4>>
  linalg.exp ins(%other : memref<2x4xf32>) outs(%part : memref<2x4xf32, strided<[4, 1], offset: 4>>)
  memref.copy %piece, %other : memref<2x4xf32> to memref<2x4xf32>
  memref.dealloc %piece : memref<2x4xf32>
  memref.copy %whole, %out : memref<4x4xf32> to memref<4x4xf32>
  memref.dealloc %whole : memref<4x4xf32>
  return
}

// CHECK-LABEL: func.func @readBefore(
// CHECK:         memref.copy %{{.*}}, %{{.*}} : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
func.func @readBefore(%out: memref<4x4xf32>, %zero: f32) {
  %whole = memref.alloc() : memref<4x4xf32>
  linalg.fill ins(%zero : f32) outs(%whole : memref<4x4xf32>)
  %piece = memref.alloc() : memref<2x4xf32>
  linalg.fill ins(%zero : f32) outs(%piece : memref<2x4xf32>)
  memref.copy %whole, %out : memref<4x4xf32> to memref<4x4xf32>
  %first = memref.subview %whole[0, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.copy %piece, %first : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.dealloc %piece : memref<2x4xf32>
  memref.copy %whole, %out : memref<4x4xf32> to memref<4x4xf32>
  memref.dealloc %whole : memref<4x4xf32>
  return
}

// CHECK-LABEL: func.func @writtenAfter(
// CHECK:         memref.copy %{{.*}}, %{{.*}} : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
func.func @writtenAfter(%out: memref<4x4xf32>, %other: memref<2x4xf32>, %zero: f32, %one: f32) {
  %piece = memref.alloc() : memref<2x4xf32>
  linalg.fill ins(%zero : f32) outs(%piece : memref<2x4xf32>)
  %whole = memref.alloc() : memref<4x4xf32>
  %first = memref.subview %whole[0, 0] [2, 4] [1, 1] : memref<4x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  memref.copy %piece, %first : memref<2x4xf32> to memref<2x4xf32, strided<[4, 1]>>
  linalg.fill ins(%one : f32) outs(%piece : memref<2x4xf32>)
  memref.copy %piece, %other : memref<2x4xf32> to memref<2x4xf32>
  memref.dealloc %piece : memref<2x4xf32>
  memref.copy %whole, %out : memref<4x4xf32> to memref<4x4xf32>
  memref.dealloc %whole : memref<4x4xf32>
  return
}
