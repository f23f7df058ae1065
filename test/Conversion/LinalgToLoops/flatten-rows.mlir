// RUN: evox-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(evox-flatten-rows,canonicalize))' | FileCheck %s

// 16 rows of 10 are a loop over 160 elements, which knows its size; what is
// left is one more. A column's number is repeated for 16 rows, once; a row's in
// each block, as a byte where it is a bit.

// CHECK-LABEL: func.func @rows
// CHECK-DAG:     %[[COLUMNS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<160xf32>
// CHECK-DAG:     %[[BITS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<160xi8>
// CHECK:         scf.for %{{.*}} = %c0 to %c16
// CHECK:           scf.for %[[J:.*]] = %c0 to %c10
// CHECK:             memref.load %arg1[%[[J]]] : memref<10xf32>
// CHECK:             memref.store %{{.*}}, %[[COLUMNS]]
// CHECK:         %[[ROWS:.*]] = arith.subi %arg5, %arg4
// CHECK:         %[[BLOCKS:.*]] = arith.divui %[[ROWS]], %c16
// CHECK:         %[[WHOLE:.*]] = arith.muli %[[BLOCKS]], %c16
// CHECK:         %[[MIDDLE:.*]] = arith.addi %arg4, %[[WHOLE]]
// CHECK:         scf.for %[[FIRST:.*]] = %arg4 to %[[MIDDLE]] step %c16
// CHECK:           scf.for %[[R:.*]] = %c0 to %c16
// CHECK:             %[[ROW:.*]] = arith.addi %[[FIRST]], %[[R]]
// CHECK:             memref.load %arg2[%[[ROW]]] : memref<1000xi1>
// CHECK:             scf.for
// CHECK:               memref.store %{{.*}}, %[[BITS]]
// CHECK:           %[[LOCAL:.*]] = arith.subi %[[FIRST]], %arg4
// CHECK-DAG:       %[[X:.*]] = memref.collapse_shape %arg0 {{\[}}[0, 1]] : memref<1000x10xf32> into memref<10000xf32>
// CHECK-DAG:       %[[T:.*]] = memref.collapse_shape %{{.*}} {{\[}}[0, 1]] : memref<64x10xf32> into memref<640xf32>
// CHECK-DAG:       %[[AT:.*]] = arith.muli %[[FIRST]], %c10
// CHECK-DAG:       %[[LOCALAT:.*]] = arith.muli %[[LOCAL]], %c10
// CHECK:           scf.for %[[K:.*]] = %c0 to %c160
// CHECK:             memref.load %[[COLUMNS]][%[[K]]]
// CHECK:             %[[B:.*]] = memref.load %[[BITS]][%[[K]]]
// CHECK:             arith.cmpi ne, %[[B]]
// CHECK:             %[[I:.*]] = arith.addi %[[LOCALAT]], %[[K]]
// CHECK:             memref.load %[[T]][%[[I]]]
// CHECK:             memref.load %arg3[] : memref<f32>
// CHECK:             memref.store %{{.*}}, %[[X]]
// CHECK:         scf.for %[[LAST:.*]] = %[[MIDDLE]] to %arg5 step %c16
// CHECK:           %[[LEFT:.*]] = arith.subi %arg5, %[[LAST]]
// CHECK:           scf.for %{{.*}} = %c0 to %[[LEFT]]
// CHECK:           %[[SIZE:.*]] = arith.muli %[[LEFT]], %c10
// CHECK:           scf.for %{{.*}} = %c0 to %[[SIZE]]
func.func @rows(%x: memref<1000x10xf32>, %c: memref<10xf32>, %b: memref<1000xi1>, %s: memref<f32>, %from: index, %to: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %t = memref.alloc() : memref<64x10xf32>
  scf.for %i = %from to %to step %c1 {
    %local = arith.subi %i, %from : index
    scf.for %j = %c0 to %c10 step %c1 {
      %u = memref.load %c[%j] : memref<10xf32>
      %v = memref.load %b[%i] : memref<1000xi1>
      %w = memref.load %t[%local, %j] : memref<64x10xf32>
      %y = memref.load %s[] : memref<f32>
      %z = arith.mulf %w, %y : f32
      %r = arith.select %v, %z, %u : f32
      memref.store %r, %x[%i, %j] : memref<1000x10xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %t : memref<64x10xf32>
  return
}

// -----

// The same memory may not be read as a column and written by rows; a row's
// number may be no operand; rows of 16 are vectors already, wide ones have
// enough of them; arguments of a private function may be the same memory.

// CHECK-LABEL: func.func @written
// CHECK-NOT:     collapse_shape
func.func @written(%x: memref<20x10xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %u = memref.load %x[%c0, %j] : memref<20x10xf32>
      memref.store %u, %x[%i, %j] : memref<20x10xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// CHECK-LABEL: func.func @number
// CHECK-NOT:     collapse_shape
func.func @number(%x: memref<20x10xi64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %u = arith.index_cast %i : index to i64
      memref.store %u, %x[%i, %j] : memref<20x10xi64>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// CHECK-LABEL: func.func @widths
// CHECK-NOT:     collapse_shape
func.func @widths(%x: memref<20x16xf32>, %y: memref<20x40xf32>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c20 = arith.constant 20 : index
  %c40 = arith.constant 40 : index
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c16 step %c1 {
      memref.store %f, %x[%i, %j] : memref<20x16xf32>
    } {evox.parallel}
  } {evox.parallel}
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c40 step %c1 {
      memref.store %f, %y[%i, %j] : memref<20x40xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// CHECK-LABEL: func.func private @same
// CHECK-NOT:     collapse_shape
// CHECK-LABEL: func.func private @distinct
// CHECK:         collapse_shape
func.func private @same(%x: memref<20x10xf32>, %y: memref<20x10xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %u = memref.load %y[%c0, %j] : memref<20x10xf32>
      memref.store %u, %x[%i, %j] : memref<20x10xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}
func.func private @distinct(%x: memref<20x10xf32>, %y: memref<20x10xf32>) attributes {evox.distinct_buffers} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %c20 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %u = memref.load %y[%c0, %j] : memref<20x10xf32>
      memref.store %u, %x[%i, %j] : memref<20x10xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// -----

// Each lane of a batch by itself.

// CHECK-LABEL: func.func @lanes
// CHECK:         scf.for %[[L:.*]] = %c0 to %c4
// CHECK:             scf.for %[[J:.*]] = %c0 to %c6
// CHECK:               memref.load %arg1[%[[L]], %c0, %[[J]]]
// CHECK:           scf.for %[[FIRST:.*]] = %c0 to
// CHECK:             %[[X:.*]] = memref.collapse_shape %arg0 {{\[}}[0], [1, 2]] : memref<4x32x6xf32> into memref<4x192xf32>
// CHECK:             %[[AT:.*]] = arith.muli %[[FIRST]], %c6
// CHECK:             scf.for %[[K:.*]] = %c0 to %c96
// CHECK:               %[[I:.*]] = arith.addi %[[AT]], %[[K]]
// CHECK:               memref.load %[[X]][%[[L]], %[[I]]]
func.func @lanes(%x: memref<4x32x6xf32>, %c: memref<4x1x6xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c6 = arith.constant 6 : index
  %c32 = arith.constant 32 : index
  scf.for %l = %c0 to %c4 step %c1 {
    scf.for %i = %c0 to %c32 step %c1 {
      scf.for %j = %c0 to %c6 step %c1 {
        %u = memref.load %c[%l, %c0, %j] : memref<4x1x6xf32>
        %v = memref.load %x[%l, %i, %j] : memref<4x32x6xf32>
        %w = arith.addf %u, %v : f32
        memref.store %w, %x[%l, %i, %j] : memref<4x32x6xf32>
      } {evox.parallel}
    } {evox.parallel}
  } {evox.parallel}
  return
}
