// RUN: evox-opt %s --inline | FileCheck %s

// Before use-state a submodule's method stays a function.

// CHECK-LABEL: evox.module @M
evox.module @M {
  evox.state mutable @x "x" : tensor<f32>
  evox.func @get() -> tensor<f32> {
    %x = evox.load @x : tensor<f32>
    evox.return %x : tensor<f32>
  }
  // CHECK: evox.func @caller
  // CHECK-NEXT: evox.call @get
  evox.func @caller() -> tensor<f32> {
    %x = evox.call @get() : () -> tensor<f32>
    evox.return %x : tensor<f32>
  }
}

// After it, all that may stand in a function can be inlined.

func.func private @body(%g: !evox.generator, %l: !evox.list<tensor<4xf32>>, %c: i1, %one: f64)
    -> (tensor<4xf32>, !evox.generator, !evox.list<tensor<4xf32>>) {
  %x, %h = evox.random.exponential %g rate %one : tensor<4xf32>
  evox.assert %c, "no"
  %v, %i = evox.sort %x dim 0 : tensor<4xf32> -> tensor<4xi64>
  %e = evox.external_call "f"(%v) : (tensor<4xf32>) -> tensor<4xf32>
  %k = evox.kernel_call "neg"(%e) outs(%x) : (tensor<4xf32>) outs(tensor<4xf32>)
  %m = evox.list.append %l, %k : !evox.list<tensor<4xf32>>, tensor<4xf32>
  return %k, %h, %m : tensor<4xf32>, !evox.generator, !evox.list<tensor<4xf32>>
}

// CHECK-LABEL: func.func @main
// CHECK-NOT: call @body
// CHECK: evox.random.exponential
// CHECK: evox.assert
// CHECK: evox.sort
// CHECK: evox.external_call
// CHECK: evox.kernel_call
// CHECK: evox.list.append
// CHECK: return
func.func @main(%g: !evox.generator, %l: !evox.list<tensor<4xf32>>, %c: i1, %one: f64)
    -> (tensor<4xf32>, !evox.generator, !evox.list<tensor<4xf32>>) {
  %0:3 = call @body(%g, %l, %c, %one)
    : (!evox.generator, !evox.list<tensor<4xf32>>, i1, f64)
      -> (tensor<4xf32>, !evox.generator, !evox.list<tensor<4xf32>>)
  return %0#0, %0#1, %0#2 : tensor<4xf32>, !evox.generator, !evox.list<tensor<4xf32>>
}
