// REQUIRES: evox-compile, evox-run
// RUN: evox-compile %s -o %t.so --name=phases
// RUN: evox-run %t.so --print z --call step --print z --call step:3 --print z --print n \
// RUN:   --reset --print z --call step:4 --print z | FileCheck %s
// RUN: not evox-run %t.so --call step --call first 2>&1 | FileCheck %s --check-prefix=ERROR

// A slot whose type changes in the first step; the instance remembers its
// phase, and each entry point has one function per phase.

// CHECK:      z: float32 [2] = [1
// CHECK-NEXT: z: float32 [1, 2] = {{\[\[}}2
// CHECK-NEXT: z: float32 [1, 2] = {{\[\[}}16
// CHECK-NEXT: n: int64 [] = 4
// CHECK-NEXT: z: float32 [2] = [1
// CHECK-NEXT: z: float32 [1, 2] = {{\[\[}}16
// ERROR: 'first' cannot be called in phase 1
evox.module @A attributes {phases = [{python = "{}"}, {python = "{\22stepped\22: true}", types = {z = tensor<1x2xf32>}}]} {
  evox.state mutable @z "z" : tensor<2xf32> = dense<1.0> : tensor<2xf32> or [tensor<1x2xf32>]
  evox.state mutable @n "n" : tensor<i64>
  evox.func private @count() {
    %n = evox.load @n : tensor<i64>
    %one = arith.constant dense<1> : tensor<i64>
    %m = arith.addi %n, %one : tensor<i64>
    evox.store %m, @n : tensor<i64>
    evox.return
  }
  evox.func @first() attributes {entry = {name = "first", phase = 0, next = 0}} {
    evox.return
  }
  evox.func @step() attributes {entry = {name = "step", phase = 0, next = 1}} {
    evox.call @count() : () -> ()
    %z = evox.load @z : tensor<2xf32>
    %s = arith.addf %z, %z : tensor<2xf32>
    %e = tensor.expand_shape %s [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
    evox.store %e, @z : tensor<1x2xf32>
    evox.return
  }
  evox.func @step_1() attributes {entry = {name = "step", phase = 1, next = 1}} {
    evox.call @count() : () -> ()
    %z = evox.load @z : tensor<1x2xf32>
    %s = arith.addf %z, %z : tensor<1x2xf32>
    evox.store %s, @z : tensor<1x2xf32>
    evox.return
  }
}
