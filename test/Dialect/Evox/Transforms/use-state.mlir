// RUN: evox-opt %s --evox-use-state --split-input-file | FileCheck %s

// Only what is read comes in, only what is written goes out; a stateless
// function keeps its signature.

// CHECK-LABEL: func.func @step
// CHECK-SAME:    (%[[X:.*]]: tensor<4xf32> {evox.slot = 0 : i32}, %[[W:.*]]: tensor<f32> {evox.slot = 1 : i32})
// CHECK-SAME:    -> (tensor<4xf32> {evox.slot = 0 : i32}, tensor<i64> {evox.slot = 3 : i32})
// CHECK-SAME:    evox.entry = {}
// CHECK:         %[[F:.*]]:2 = call @problem.evaluate(%[[X]]) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<i64>)
// CHECK:         return %[[F]]#0, %[[F]]#1
// CHECK-LABEL: func.func private @pure
// CHECK-SAME:    (%{{.*}}: tensor<4xf32>) -> tensor<4xf32> {
// CHECK-LABEL: func.func private @problem.evaluate
// CHECK-SAME:    (%{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<i64> {evox.slot = 3 : i32}) {
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state parameter @w "w" : tensor<f32> = dense<0.5> : tensor<f32>
  evox.state mutable @unused "unused" : tensor<f32>
  evox.func @step() {
    %x = evox.load @x : tensor<4xf32>
    %w = evox.load @w : tensor<f32>
    %f = evox.call @problem::@evaluate(%x) : (tensor<4xf32>) -> tensor<4xf32>
    evox.store %f, @x : tensor<4xf32>
    evox.return
  }
  evox.func private @pure(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  evox.module @problem {
    evox.state mutable @count "problem.count" : tensor<i64>
    evox.func @evaluate(%x: tensor<4xf32>) -> tensor<4xf32> {
      %c = arith.constant dense<1> : tensor<i64>
      evox.store %c, @count : tensor<i64>
      %y = evox.call @pure(%x) : (tensor<4xf32>) -> tensor<4xf32>
      evox.return %y : tensor<4xf32>
    }
  }
}

// -----

// A slot written on one path only is read as well, and passed on by the other.

// CHECK-LABEL: func.func @branch
// CHECK-SAME:    (%[[C:.*]]: i1 {evox.arg = 0 : i32}, %[[X:.*]]: tensor<4xf32> {evox.slot = 0 : i32})
// CHECK-SAME:    -> (tensor<f32> {evox.result = 0 : i32}, tensor<4xf32> {evox.slot = 0 : i32}, tensor<4xf32> {evox.slot = 1 : i32})
// CHECK:         %[[R:.*]]:3 = scf.if %[[C]] -> (tensor<f32>, tensor<4xf32>, tensor<4xf32>)
// CHECK:           scf.yield %{{.*}}, %[[Y:.*]], %[[Y]]
// CHECK:         } else {
// CHECK:           scf.yield %{{.*}}, %[[X]], %[[Z:.*]] : tensor<f32>
// CHECK:         return %[[R]]#0, %[[R]]#1, %[[R]]#2
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state mutable @y "y" : tensor<4xf32>
  evox.func @branch(%c: i1) -> tensor<f32> {
    %r = evox.if %c -> (tensor<f32>) {
      %one = arith.constant dense<1.0> : tensor<4xf32>
      evox.store %one, @x : tensor<4xf32>
      evox.store %one, @y : tensor<4xf32>
      %a = arith.constant dense<1.0> : tensor<f32>
      evox.yield %a : tensor<f32>
    } else {
      %two = arith.constant dense<2.0> : tensor<4xf32>
      evox.store %two, @y : tensor<4xf32>
      %a = arith.constant dense<1.0> : tensor<f32>
      evox.yield %a : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }
}

// -----

// CHECK-LABEL: func.func @switch
// CHECK:         %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:         %[[I:.*]] = arith.maxsi %{{.*}}, %[[ZERO]] : index
// CHECK:         scf.index_switch %[[I]] -> tensor<4xf32>
// CHECK:         case 0 {
// CHECK:         case 1 {
// CHECK:         default {
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.func @switch(%i: index) {
    evox.switch %i {
      %a = arith.constant dense<1.0> : tensor<4xf32>
      evox.store %a, @x : tensor<4xf32>
      evox.yield
    }, {
      evox.yield
    }, {
      %a = arith.constant dense<2.0> : tensor<4xf32>
      evox.store %a, @x : tensor<4xf32>
      evox.yield
    }
    evox.return
  }
}

// -----

// CHECK-LABEL: func.func @loops
// CHECK-SAME:    (%[[N:.*]]: index {evox.arg = 0 : i32}, %[[X:.*]]: tensor<f32> {evox.slot = 0 : i32}, %[[L:.*]]: tensor<f32> {evox.slot = 1 : i32})
// CHECK:         %[[F:.*]] = scf.for %{{.*}} iter_args(%[[A:.*]] = %[[X]]) -> (tensor<f32>)
// CHECK:           %[[B:.*]] = arith.addf %[[A]], %[[A]]
// CHECK:           scf.yield %[[B]]
// CHECK:         %[[W:.*]]:2 = scf.while (%[[P:.*]] = %{{.*}}, %[[Q:.*]] = %[[F]])
// CHECK:           tensor.extract %[[Q]][]
// CHECK:           tensor.extract %[[L]][]
// CHECK:           scf.condition(%{{.*}}) %[[P]], %[[Q]]
// CHECK:         do
// CHECK:         ^bb0(%[[P2:.*]]: tensor<i64>, %[[Q2:.*]]: tensor<f32>)
// CHECK:           %[[M:.*]] = arith.mulf %[[Q2]], %[[Q2]]
// CHECK:           scf.yield %[[P2]], %[[M]]
// CHECK:         return %[[W]]#0, %[[W]]#1
evox.module @A {
  evox.state mutable @x "x" : tensor<f32>
  evox.state parameter @limit "limit" : tensor<f32>
  evox.func @loops(%n: index) -> tensor<i64> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %n step %c1 {
      %a = evox.load @x : tensor<f32>
      %b = arith.addf %a, %a : tensor<f32>
      evox.store %b, @x : tensor<f32>
    }
    %k = arith.constant dense<0> : tensor<i64>
    %r = evox.while (%k) : (tensor<i64>) -> (tensor<i64>) {
    ^bb0(%p: tensor<i64>):
      %a = evox.load @x : tensor<f32>
      %l = evox.load @limit : tensor<f32>
      %av = tensor.extract %a[] : tensor<f32>
      %lv = tensor.extract %l[] : tensor<f32>
      %c = arith.cmpf olt, %av, %lv : f32
      evox.condition(%c) %p : tensor<i64>
    } do {
    ^bb0(%p: tensor<i64>):
      %a = evox.load @x : tensor<f32>
      %b = arith.mulf %a, %a : tensor<f32>
      evox.store %b, @x : tensor<f32>
      evox.yield %p : tensor<i64>
    }
    evox.return %r : tensor<i64>
  }
}

// -----

// Phases: a slot's type at an entry point's ends is that of its phase.

// CHECK-LABEL: func.func @step(
// CHECK-SAME:    %{{.*}}: tensor<2xf32> {evox.slot = 0 : i32}) -> (tensor<1x2xf32> {evox.slot = 0 : i32})
// CHECK-LABEL: func.func @step_1(
// CHECK-SAME:    %[[Z:.*]]: tensor<1x2xf32> {evox.slot = 0 : i32}) -> (tensor<1x2xf32> {evox.slot = 0 : i32})
// CHECK:         return %[[Z]]
evox.module @A attributes {phases = [{python = "{}"}, {python = "{\22a\22:1}", types = {z = tensor<1x2xf32>}}]} {
  evox.state mutable @z "z" : tensor<2xf32> or [tensor<1x2xf32>]
  evox.func @step() attributes {entry = {name = "step", phase = 0, next = 1}} {
    %z = evox.load @z : tensor<2xf32>
    %e = tensor.expand_shape %z [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
    evox.store %e, @z : tensor<1x2xf32>
    evox.return
  }
  evox.func @step_1() attributes {entry = {name = "step", phase = 1, next = 1}} {
    %z = evox.load @z : tensor<1x2xf32>
    evox.store %z, @z : tensor<1x2xf32>
    evox.return
  }
}

// -----

// The generator and lists are threaded like any slot.

// CHECK-LABEL: func.func @draw(
// CHECK-SAME:    %[[G:.*]]: !evox.generator {evox.slot = 0 : i32}, %[[L:.*]]: !evox.list<tensor<?xf32>> {evox.slot = 1 : i32})
// CHECK:         %[[V:.*]], %[[H:.*]] = evox.random.uniform %[[G]]
// CHECK:         %[[M:.*]] = evox.list.append %[[L]], %[[V]]
// CHECK:         return %[[H]], %[[M]]
evox.module @A {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.state mutable @l "l" : !evox.list<tensor<?xf32>>
  evox.func @draw() {
    %g = evox.load @g : !evox.generator
    %zero = arith.constant 0.0 : f64
    %one = arith.constant 1.0 : f64
    %v, %h = evox.random.uniform %g from %zero to %one : tensor<8xf32>
    evox.store %h, @g : !evox.generator
    %l = evox.load @l : !evox.list<tensor<?xf32>>
    %m = evox.list.append %l, %v : !evox.list<tensor<?xf32>>, tensor<8xf32>
    evox.store %m, @l : !evox.list<tensor<?xf32>>
    evox.return
  }
}
