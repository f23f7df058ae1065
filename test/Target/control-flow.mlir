// REQUIRES: evox-compile, evox-run
// RUN: evox-compile %s -o %t.so --name=flow
// RUN: evox-run %t.so --call fill --print x --call grow --print x --print steps \
// RUN:   --call choose --print y --call choose --print y --call choose --print y | FileCheck %s
// RUN: not evox-run %t.so --call fill --call check 2>&1 | FileCheck %s --check-prefix=ASSERT

// Loops and branches over state, inside of which it is stored.

// CHECK:      x: float32 [4] = [0, 3, 6, 9]
// CHECK-NEXT: x: float32 [4] = [0, 96, 192, 288]
// CHECK-NEXT: steps: int64 [] = 5
// CHECK-NEXT: y: float32 [] = 10
// CHECK-NEXT: y: float32 [] = 20
// CHECK-NEXT: y: float32 [] = 30
// ASSERT: element 3 is 9.0: above 8.5 (False)
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state mutable @y "y" : tensor<f32>
  evox.state mutable @steps "steps" : tensor<i64>
  evox.state mutable @which "which" : tensor<i64> = dense<-1> : tensor<i64>

  // for _ in range(3): x = x + [0, 1, 2, 3]
  evox.func @fill() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %d = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
    scf.for %i = %c0 to %c3 step %c1 {
      %x = evox.load @x : tensor<4xf32>
      %s = arith.addf %x, %d : tensor<4xf32>
      evox.store %s, @x : tensor<4xf32>
    }
    evox.return
  }

  // while x[3] < 200: x = x + x; steps += 1
  evox.func @grow() {
    evox.while () : () -> () {
      %x = evox.load @x : tensor<4xf32>
      %c3 = arith.constant 3 : index
      %limit = arith.constant 200.0 : f32
      %v = tensor.extract %x[%c3] : tensor<4xf32>
      %c = arith.cmpf olt, %v, %limit : f32
      evox.condition(%c)
    } do {
      %x = evox.load @x : tensor<4xf32>
      %s = arith.addf %x, %x : tensor<4xf32>
      evox.store %s, @x : tensor<4xf32>
      %n = evox.load @steps : tensor<i64>
      %one = arith.constant dense<1> : tensor<i64>
      %m = arith.addi %n, %one : tensor<i64>
      evox.store %m, @steps : tensor<i64>
      evox.yield
    }
    evox.return
  }

  // A switch clamps its index: -1 takes the first branch, 1 the last one.
  evox.func @choose() {
    %w = evox.load @which : tensor<i64>
    %i = tensor.extract %w[] : tensor<i64>
    %j = arith.index_cast %i : i64 to index
    %two = arith.constant dense<2> : tensor<i64>
    %y = evox.load @y : tensor<f32>
    %ten = arith.constant dense<10.0> : tensor<f32>
    evox.switch %j {
      evox.store %ten, @y : tensor<f32>
      evox.yield
    }, {
      %s = arith.addf %y, %ten : tensor<f32>
      evox.store %s, @y : tensor<f32>
      evox.yield
    }
    %v = arith.addi %w, %two : tensor<i64>
    evox.store %v, @which : tensor<i64>
    evox.return
  }

  evox.func @check() {
    %x = evox.load @x : tensor<4xf32>
    %c3 = arith.constant 3 : index
    %i = arith.constant 3 : i64
    %no = arith.constant false
    %limit = arith.constant 8.5 : f64
    %v = tensor.extract %x[%c3] : tensor<4xf32>
    %w = arith.extf %v : f32 to f64
    %c = arith.cmpf olt, %w, %limit : f64
    evox.assert %c, "element {} is {}: above {} (False)" (%i, %v, %limit : i64, f32, f64)
    %s = arith.addf %x, %x : tensor<4xf32>
    evox.store %s, @x : tensor<4xf32>
    evox.return
  }
}
