// RUN: evox-opt %s --evox-own-yields --split-input-file | FileCheck %s

// What comes from outside the loop, also as a part of it or by a branch, and
// what is yielded twice, gets memory of its own; what the loop made has it.

// CHECK-LABEL: func.func @loop(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf32>, %[[Y:[^:]*]]: tensor<8xf32>
// CHECK:         ^bb0(%[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>, %[[E:.*]]: tensor<4xf32>, %[[F:.*]]: i64):
// CHECK:           %[[SLICE:.*]] = tensor.extract_slice %[[Y]]
// CHECK:           %[[IF:.*]] = scf.if
// CHECK:           %[[NEW:.*]] = arith.addf
// CHECK-DAG:       %[[COPY0:.*]] = bufferization.alloc_tensor() copy(%[[X]])
// CHECK-DAG:       %[[COPY1:.*]] = bufferization.alloc_tensor() copy(%[[SLICE]])
// CHECK-DAG:       %[[COPY2:.*]] = bufferization.alloc_tensor() copy(%[[IF]])
// CHECK-DAG:       %[[COPY4:.*]] = bufferization.alloc_tensor() copy(%[[NEW]])
// CHECK-NOT:       bufferization.alloc_tensor
// CHECK:           scf.yield %[[COPY0]], %[[COPY1]], %[[COPY2]], %[[NEW]], %[[COPY4]], %[[F]]
func.func @loop(%x: tensor<4xf32>, %y: tensor<8xf32>, %n: i64, %c: i1) -> tensor<4xf32> {
  %r:6 = scf.while (%a = %x, %b = %x, %d = %x, %e = %x, %f = %x, %i = %n) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, i64) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, i64) {
    scf.condition(%c) %a, %b, %d, %e, %f, %i : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, i64
  } do {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>, %d: tensor<4xf32>, %e: tensor<4xf32>, %f: tensor<4xf32>, %i: i64):
    %slice = tensor.extract_slice %y[2] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %if = scf.if %c -> tensor<4xf32> {
      scf.yield %x : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    %new = arith.addf %e, %f : tensor<4xf32>
    scf.yield %x, %slice, %if, %new, %new, %i : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, i64
  }
  return %r#0 : tensor<4xf32>
}

// -----

// What goes from round to round is left alone.

// CHECK-LABEL: func.func @swap(
// CHECK-NOT:     bufferization.alloc_tensor
func.func @swap(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.condition(%c) %a, %b : tensor<4xf32>, tensor<4xf32>
  } do {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<4xf32>
}
