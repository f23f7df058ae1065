// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-forward-slices,canonicalize))' --split-input-file | FileCheck %s

// One row before five others: element 0 is the first one, the others count
// from 0 again.

// CHECK-LABEL: func.func @cat
// CHECK-SAME:    %[[A:.*]]: tensor<1x3xf32>, %[[B:.*]]: tensor<5x3xf32>, %[[I:.*]]: index, %[[J:.*]]: index)
// CHECK-NOT:     tensor.insert_slice
// CHECK:         %[[X:.*]] = tensor.extract %[[A]][%c0, %[[J]]]
// CHECK:         %[[L:.*]] = arith.subi %[[I]], %c1
// CHECK:         %[[IN:.*]] = arith.cmpi ult, %[[L]], %c5
// CHECK:         %[[K:.*]] = arith.minui %[[L]], %c4
// CHECK:         %[[Y:.*]] = tensor.extract %[[B]][%[[K]], %[[J]]]
// CHECK:         %[[R:.*]] = arith.select %[[IN]], %[[Y]], %[[X]]
// CHECK:         return %[[R]]
func.func @cat(%a: tensor<1x3xf32>, %b: tensor<5x3xf32>, %i: index, %j: index) -> f32 {
  %e = tensor.empty() : tensor<6x3xf32>
  %0 = tensor.insert_slice %a into %e[0, 0] [1, 3] [1, 1] : tensor<1x3xf32> into tensor<6x3xf32>
  %1 = tensor.insert_slice %b into %0[1, 0] [5, 3] [1, 1] : tensor<5x3xf32> into tensor<6x3xf32>
  %2 = tensor.extract %1[%i, %j] : tensor<6x3xf32>
  return %2 : f32
}

// -----

// Into a tensor that has values of its own.

// CHECK-LABEL: func.func @into
// CHECK-SAME:    %[[A:.*]]: tensor<2xf32>, %[[B:.*]]: tensor<5xf32>, %[[I:.*]]: index)
// CHECK:         %[[X:.*]] = tensor.extract %[[B]][%[[I]]]
// CHECK:         %[[Y:.*]] = tensor.extract %[[A]]
// CHECK:         arith.select %{{.*}}, %[[Y]], %[[X]]
func.func @into(%a: tensor<2xf32>, %b: tensor<5xf32>, %i: index) -> f32 {
  %1 = tensor.insert_slice %a into %b[2] [2] [1] : tensor<2xf32> into tensor<5xf32>
  %2 = tensor.extract %1[%i] : tensor<5xf32>
  return %2 : f32
}

// -----

// The copy is there anyway.

// CHECK-LABEL: func.func @used
// CHECK:         %[[W:.*]] = tensor.insert_slice
// CHECK:         tensor.extract %[[W]]
func.func @used(%a: tensor<2xf32>, %b: tensor<5xf32>, %i: index) -> (f32, tensor<5xf32>) {
  %1 = tensor.insert_slice %a into %b[2] [2] [1] : tensor<2xf32> into tensor<5xf32>
  %2 = tensor.extract %1[%i] : tensor<5xf32>
  return %2, %1 : f32, tensor<5xf32>
}
