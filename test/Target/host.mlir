// REQUIRES: evox-compile, cc
// RUN: mkdir -p %t
// RUN: evox-compile %s -o %t/libhost.so --header=%t/host.h
// RUN: %cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I%t %S/Inputs/host.c %t/libhost.so -Wl,-rpath,%t -o %t/host
// RUN: %t/host | FileCheck %s
// RUN: %cc -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -I%t %S/Inputs/host.c
// RUN: ldd %t/libhost.so | FileCheck %s --check-prefix=LDD

// Arguments and results of every sort, through the typed header.

// LDD-NOT: {{lib(stdc|gcc|LLVM|MLIR|evox|python|torch|c10)}}

evox.module @Host {
  evox.state mutable @total "total" : tensor<3xf32>
  evox.state constant @two "two" : tensor<f32> = dense<2.0> : tensor<f32>

  // CHECK: add: 2 4 6, old 0 0 0
  // CHECK: add: 4 8 12, old 2 4 6
  // total += 2 * x; returns the new total and the old one
  evox.func @add(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) attributes {entry = {name = "add", phase = 0, next = 0, arg_names = ["x"]}} {
    %t = evox.load @total : tensor<3xf32>
    %w = evox.load @two : tensor<f32>
    %v = tensor.extract %w[] : tensor<f32>
    %f = tensor.splat %v : tensor<3xf32>
    %s = arith.mulf %x, %f : tensor<3xf32>
    %n = arith.addf %t, %s : tensor<3xf32>
    evox.store %n, @total : tensor<3xf32>
    evox.return %n, %t : tensor<3xf32>, tensor<3xf32>
  }

  // An argument that is a view of the state that the call writes.
  // CHECK: add to itself: 12 24 36

  // CHECK: twice: 5 elements: 2 4 6 8 10
  // CHECK: twice: 0 elements:
  evox.func @twice(%x: tensor<?xf64>) -> tensor<?xf64> attributes {entry = {name = "twice", phase = 0, next = 0, arg_names = ["x"]}} {
    %y = arith.addf %x, %x : tensor<?xf64>
    evox.return %y : tensor<?xf64>
  }

  // The argument itself as a result, twice.
  // CHECK: same: 7 7
  evox.func @same(%n: tensor<i64>) -> (tensor<i64>, tensor<i64>) attributes {entry = {name = "same", phase = 0, next = 0, arg_names = ["n"]}} {
    evox.return %n, %n : tensor<i64>, tensor<i64>
  }

  // CHECK: same, of open size: 2: 1 2, 2: 1 2
  evox.func @open(%n: tensor<?xi8>) -> (tensor<?xi8>, tensor<?xi8>) attributes {entry = {name = "open", phase = 0, next = 0, arg_names = ["class"], arg_dtypes = ["uint8"], result_dtypes = ["uint8", "uint8"]}} {
    evox.return %n, %n : tensor<?xi8>, tensor<?xi8>
  }

  // CHECK: evaluate: {{.*}}'problem.evaluate'
  // CHECK: evaluate: 6
  // CHECK: evaluate: {{.*}}out of fuel
  // CHECK: total after failure: 12 24 36
  evox.func @evaluate() -> tensor<f32> attributes {entry = {name = "evaluate", phase = 0, next = 0}} {
    %t = evox.load @total : tensor<3xf32>
    %z = arith.subf %t, %t : tensor<3xf32>
    evox.store %z, @total : tensor<3xf32>
    %f = evox.external_call "problem.evaluate"(%t) : (tensor<3xf32>) -> tensor<f32>
    evox.store %t, @total : tensor<3xf32>
    evox.return %f : tensor<f32>
  }

  // CHECK: wrong dtype: {{.*}}x{{.*}}float32 [3]{{.*}}float64 [3]
}
