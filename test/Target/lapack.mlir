// REQUIRES: evox-compile, evox-run, lapack
// RUN: evox-compile %s -o %t.so --name=lapack
// RUN: evox-run %t.so --call factor --print l --print info | FileCheck %s

// CHECK:      l: float32 [2, 2] = {{\[\[}}2, 0], [1, 3{{\]\]}}
// CHECK-NEXT: info: int32 [] = 0
evox.module @A {
  evox.state parameter @a "a" : tensor<2x2xf32> = dense<[[4.0, 2.0], [2.0, 10.0]]> : tensor<2x2xf32>
  evox.state mutable @l "l" : tensor<2x2xf32>
  evox.state mutable @info "info" : tensor<i32>
  evox.func @factor() {
    %a = evox.load @a : tensor<2x2xf32>
    %l, %i = evox.linalg.cholesky %a : tensor<2x2xf32> -> tensor<2x2xf32>, tensor<i32>
    evox.store %l, @l : tensor<2x2xf32>
    evox.store %i, @info : tensor<i32>
    evox.return
  }
}
