// RUN: evox-opt %s --evox-add-destinations --split-input-file | FileCheck %s

// The new value of a slot goes to the slot's own argument, and is computed
// there; a result goes to an argument added for it.

// CHECK-LABEL: func.func @step(
// CHECK-SAME:    %[[X:.*]]: tensor<4xf32> {bufferization.writable = true, evox.slot = 0 : i32}
// CHECK-SAME:    %[[W:.*]]: tensor<4xf32> {bufferization.writable = false, evox.slot = 1 : i32}
// CHECK-SAME:    %[[R:.*]]: tensor<f32> {bufferization.writable = true, evox.result = 0 : i32})
// CHECK-SAME:    -> (tensor<f32> {evox.result = 0 : i32}, tensor<4xf32> {evox.slot = 0 : i32})
// CHECK:         %[[S:.*]] = linalg.add ins(%[[X]], %[[W]] : {{.*}}) outs(%[[X]] :
// CHECK:         %[[F:.*]] = linalg.fill {{.*}} outs(%[[R]] : tensor<f32>)
// CHECK:         %[[A:.*]] = linalg.copy ins(%[[F]] : tensor<f32>) outs(%[[R]] : tensor<f32>)
// CHECK:         %[[B:.*]] = linalg.copy ins(%[[S]] : tensor<4xf32>) outs(%[[X]] : tensor<4xf32>)
// CHECK:         return %[[A]], %[[B]]
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state parameter @w "w" : tensor<4xf32>
}
func.func @step(%x: tensor<4xf32> {evox.slot = 0 : i32}, %w: tensor<4xf32> {evox.slot = 1 : i32})
    -> (tensor<f32> {evox.result = 0 : i32}, tensor<4xf32> {evox.slot = 0 : i32}) attributes {evox.entry = {}} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %s = linalg.add ins(%x, %w : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %e0 = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  return %f, %s : tensor<f32>, tensor<4xf32>
}

// -----

// A slot that keeps its value is no result; the generator and lists aren't
// either; what has an open size is handed over in a buffer of its own.

// CHECK-LABEL: func.func @step(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<?xf32> {bufferization.writable = false, evox.slot = 1 : i32}
// CHECK-SAME:    -> (tensor<?xf32> {evox.slot = 2 : i32})
// CHECK:         %[[C:.*]] = bufferization.alloc_tensor(){{.*}}copy(%[[X]])
// CHECK:         return %[[C]] : tensor<?xf32>
evox.module @A {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.state mutable @x "x" : tensor<?xf32>
  evox.state mutable @y "y" : tensor<?xf32>
}
func.func @step(%g: !evox.generator {evox.slot = 0 : i32}, %x: tensor<?xf32> {evox.slot = 1 : i32})
    -> (!evox.generator {evox.slot = 0 : i32}, tensor<?xf32> {evox.slot = 1 : i32}, tensor<?xf32> {evox.slot = 2 : i32}) attributes {evox.entry = {}} {
  return %g, %x, %x : !evox.generator, tensor<?xf32>, tensor<?xf32>
}

// -----

// a, b = b, a: one is kept aside. b goes to a right after a was copied.

// CHECK-LABEL: func.func @swap(
// CHECK-SAME:    %[[A:[a-z0-9]*]]: {{.*}}, %[[B:[a-z0-9]*]]:
// CHECK:         %[[T:.*]] = bufferization.alloc_tensor() copy(%[[A]])
// CHECK:         %[[NA:.*]] = linalg.copy ins(%[[B]] : {{.*}}) outs(%[[A]] :
// CHECK:         %[[NB:.*]] = linalg.copy ins(%[[T]] : {{.*}}) outs(%[[B]] :
// CHECK:         return %[[NA]], %[[NB]]
evox.module @A {
  evox.state mutable @a "a" : tensor<4xf32>
  evox.state mutable @b "b" : tensor<4xf32>
}
func.func @swap(%a: tensor<4xf32> {evox.slot = 0 : i32}, %b: tensor<4xf32> {evox.slot = 1 : i32})
    -> (tensor<4xf32> {evox.slot = 0 : i32}, tensor<4xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {}} {
  return %b, %a : tensor<4xf32>, tensor<4xf32>
}

// -----

// Two ops share no destination: each half is computed where it goes.

// CHECK-LABEL: func.func @halves(
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<4xf32>
// CHECK:         %[[A:.*]] = linalg.add {{.*}} outs(%[[E]] :
// CHECK:         %[[F:.*]] = tensor.empty() : tensor<4xf32>
// CHECK:         %[[B:.*]] = linalg.sub {{.*}} outs(%[[F]] :
// CHECK-NOT:     tensor.empty() : tensor<4xf32>
// CHECK:         insert_slice %[[A]]
// CHECK:         insert_slice %[[B]]
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
}
func.func @halves(%x: tensor<4xf32> {evox.slot = 0 : i32})
    -> (tensor<8xf32> {evox.result = 0 : i32}, tensor<4xf32> {evox.slot = 0 : i32}) attributes {evox.entry = {}} {
  %e = tensor.empty() : tensor<4xf32>
  %a = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %b = linalg.sub ins(%a, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %e8 = tensor.empty() : tensor<8xf32>
  %i = tensor.insert_slice %a into %e8[0] [4] [1] : tensor<4xf32> into tensor<8xf32>
  %j = tensor.insert_slice %b into %i[4] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %j, %x : tensor<8xf32>, tensor<4xf32>
}
