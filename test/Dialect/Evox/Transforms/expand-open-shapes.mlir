// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-expand-open-shapes, expand-strided-metadata))' | FileCheck %s

// CHECK-LABEL: func.func @two_open(
// CHECK-SAME:    %[[A:.*]]: memref<?xf32>, %[[N:.*]]: index, %[[M:.*]]: index)
// CHECK:         %[[THREE:.*]] = arith.constant 3 : index
// CHECK:         %[[S:.*]] = arith.muli %[[M]], %[[THREE]] : index
// CHECK:         memref.reinterpret_cast %[[A]] to offset: [0], sizes: [%[[N]], 3, %[[M]]], strides: [%[[S]], %[[M]], 1]
// CHECK-NOT:     memref.expand_shape
func.func @two_open(%a: memref<?xf32>, %n: index, %m: index) -> memref<?x3x?xf32> {
  %e = memref.expand_shape %a [[0, 1, 2]] output_shape [%n, 3, %m]
      : memref<?xf32> into memref<?x3x?xf32>
  return %e : memref<?x3x?xf32>
}
