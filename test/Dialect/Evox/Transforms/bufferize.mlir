// RUN: evox-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --split-input-file | FileCheck %s

// A kernel writes its destination in place unless the old value is needed.

// CHECK-LABEL: func.func @sort(
// CHECK-SAME:    %[[X:.*]]: memref<8xf32>, %[[V:.*]]: memref<8xf32>, %[[I:.*]]: memref<8xi64>)
// CHECK:         evox.kernel_call "sort"(%[[X]]) outs(%[[V]], %[[I]]) scalars(%{{.*}}) : (memref<8xf32>) outs(memref<8xf32>, memref<8xi64>) scalars(i64)
// CHECK:         return %[[V]], %[[I]]
func.func @sort(%x: tensor<8xf32>, %v: tensor<8xf32>, %i: tensor<8xi64>) -> (tensor<8xf32>, tensor<8xi64>) {
  %dim = arith.constant 0 : i64
  %r:2 = evox.kernel_call "sort"(%x) outs(%v, %i) scalars(%dim) : (tensor<8xf32>) outs(tensor<8xf32>, tensor<8xi64>) scalars(i64)
  return %r#0, %r#1 : tensor<8xf32>, tensor<8xi64>
}

// -----

// CHECK-LABEL: func.func @old_value(
// CHECK-SAME:    %[[X:.*]]: memref<8xf32>)
// CHECK:         %[[NEW:.*]] = memref.alloc() {{.*}} : memref<8xf32>
// CHECK-NOT:     memref.copy
// CHECK:         evox.kernel_call "draw"() outs(%[[NEW]])
// CHECK:         return %[[X]], %[[NEW]]
func.func @old_value(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %r = evox.kernel_call "draw"() outs(%x) {effects} : () outs(tensor<8xf32>)
  return %x, %r : tensor<8xf32>, tensor<8xf32>
}

// -----

// An inplace kernel reads its destination, so that one must be copied.

// CHECK-LABEL: func.func @inplace(
// CHECK-SAME:    %[[X:.*]]: memref<8xf32>)
// CHECK:         %[[NEW:.*]] = memref.alloc() {{.*}} : memref<8xf32>
// CHECK:         memref.copy %[[X]], %[[NEW]]
// CHECK:         evox.kernel_call "update"() outs(%[[NEW]]) {inplace}
func.func @inplace(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %r = evox.kernel_call "update"() outs(%x) {inplace} : () outs(tensor<8xf32>)
  return %x, %r : tensor<8xf32>, tensor<8xf32>
}

// -----

// Kernels write contiguous memory: a slice with gaps gets a temporary.

// CHECK-LABEL: func.func @slice(
// CHECK:         %[[S:.*]] = memref.subview %{{.*}}[0, 0] [4, 2] [1, 1] : memref<4x4xf32> to memref<4x2xf32, strided<[4, 1]>>
// CHECK:         %[[T:.*]] = memref.alloc() {{.*}} : memref<4x2xf32>
// CHECK:         evox.kernel_call "draw"() outs(%[[T]])
// CHECK:         memref.copy %[[T]], %[[S]]
func.func @slice(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %s = tensor.extract_slice %x[0, 0] [4, 2] [1, 1] : tensor<4x4xf32> to tensor<4x2xf32>
  %r = evox.kernel_call "draw"() outs(%s) {effects} : () outs(tensor<4x2xf32>)
  %y = tensor.insert_slice %r into %x[0, 0] [4, 2] [1, 1] : tensor<4x2xf32> into tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// Rows one after the other need none, wherever they begin.

// CHECK-LABEL: func.func @rows(
// CHECK:         %[[S:.*]] = memref.subview %{{.*}}[2, 0] [2, 4] [1, 1]
// CHECK-NEXT:    evox.kernel_call "draw"() outs(%[[S]])
// CHECK-NOT:     memref.alloc
// CHECK:         return
func.func @rows(%x: tensor<4x4xf32> {bufferization.writable = true}) -> tensor<4x4xf32> {
  %s = tensor.extract_slice %x[2, 0] [2, 4] [1, 1] : tensor<4x4xf32> to tensor<2x4xf32>
  %r = evox.kernel_call "draw"() outs(%s) {effects} : () outs(tensor<2x4xf32>)
  %y = tensor.insert_slice %r into %x[2, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// The element of a list is not ours to write.

// CHECK-LABEL: func.func @list(
// CHECK:         %[[E:.*]] = evox.list.get %{{.*}}[%{{.*}}] : !evox.list<tensor<?xf32>> -> memref<8xf32>
// CHECK:         evox.list.append %{{.*}}, %[[E]] : !evox.list<tensor<?xf32>>, memref<8xf32>
// CHECK:         %[[NEW:.*]] = memref.alloc() {{.*}} : memref<8xf32>
// CHECK:         memref.copy %[[E]], %[[NEW]]
// CHECK:         evox.kernel_call "update"() outs(%[[NEW]])
func.func @list(%l: !evox.list<tensor<?xf32>>, %i: index) -> (!evox.list<tensor<?xf32>>, tensor<8xf32>) {
  %e = evox.list.get %l[%i] : !evox.list<tensor<?xf32>> -> tensor<8xf32>
  %m = evox.list.append %l, %e : !evox.list<tensor<?xf32>>, tensor<8xf32>
  %r = evox.kernel_call "update"() outs(%e) {inplace} : () outs(tensor<8xf32>)
  return %m, %r : !evox.list<tensor<?xf32>>, tensor<8xf32>
}
