// REQUIRES: evox-compile, evox-run
// RUN: evox-compile %s -o %t.so --name=dynamic
// RUN: evox-run %t.so --print kept --call filter --print kept --print twin --call filter --print kept --print twin \
// RUN:   --call record --call record --call sum --print total | FileCheck %s
// RUN: not evox-run %t.so --call sum 2>&1 | FileCheck %s --check-prefix=EMPTY

// Sizes that only the data decides: in slots, and in a list that grows.

// CHECK:      kept: float32 [6] = [5, -1, 3, -2, 8, 0]
// CHECK-NEXT: kept: float32 [3] = [5, 3, 8]
// CHECK-NEXT: twin: float32 [3] = [5, 3, 8]
// CHECK-NEXT: kept: float32 [3] = [5, 3, 8]
// CHECK-NEXT: twin: float32 [3] = [5, 3, 8]
// CHECK-NEXT: total: float32 [] = 32
// EMPTY: list index out of range
evox.module @A {
  evox.state mutable @kept "kept" : tensor<?xf32> = dense<[5.0, -1.0, 3.0, -2.0, 8.0, 0.0]> : tensor<6xf32>
  evox.state mutable @twin "twin" : tensor<?xf32>
  evox.state mutable @total "total" : tensor<f32>
  evox.state mutable @history "history" : !evox.list<tensor<?xf32>>

  // kept = twin = kept[kept > 0]
  evox.func @filter() {
    %x = evox.load @kept : tensor<?xf32>
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %n = tensor.dim %x, %c0 : tensor<?xf32>
    %z = tensor.splat %zero[%n] : tensor<?xf32>
    %m = arith.cmpf ogt, %x, %z : tensor<?xf32>
    %i0 = arith.constant 0 : i64
    %e = tensor.empty() : tensor<i64>
    %f = linalg.fill ins(%i0 : i64) outs(%e : tensor<i64>) -> tensor<i64>
    %count = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%m : tensor<?xi1>) outs(%f : tensor<i64>) {
    ^bb0(%a: i1, %acc: i64):
      %b = arith.extui %a : i1 to i64
      %s = arith.addi %acc, %b : i64
      linalg.yield %s : i64
    } -> tensor<i64>
    %k = tensor.extract %count[] : tensor<i64>
    %kx = arith.index_cast %k : i64 to index
    %idx = evox.nonzero %m count %kx : tensor<?xi1> -> tensor<?x1xi64>
    %o = tensor.empty(%kx) : tensor<?xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%o : tensor<?xf32>) {
    ^bb0(%out: f32):
      %p = linalg.index 0 : index
      %j = tensor.extract %idx[%p, %c0] : tensor<?x1xi64>
      %jx = arith.index_cast %j : i64 to index
      %v = tensor.extract %x[%jx] : tensor<?xf32>
      linalg.yield %v : f32
    } -> tensor<?xf32>
    evox.store %y, @kept : tensor<?xf32>
    evox.store %y, @twin : tensor<?xf32>
    evox.return
  }

  evox.func @record() {
    %x = evox.load @kept : tensor<?xf32>
    %l = evox.load @history : !evox.list<tensor<?xf32>>
    %m = evox.list.append %l, %x : !evox.list<tensor<?xf32>>, tensor<?xf32>
    evox.store %m, @history : !evox.list<tensor<?xf32>>
    evox.return
  }

  // total = sum of all elements of all rows. history[-1] fails while there is
  // none, used or not.
  evox.func @sum() {
    %l = evox.load @history : !evox.list<tensor<?xf32>>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %last = arith.constant -1 : index
    %zero = arith.constant dense<0.0> : tensor<f32>
    %a = evox.list.get %l[%last] : !evox.list<tensor<?xf32>> -> tensor<?xf32>
    %n = evox.list.size %l : !evox.list<tensor<?xf32>>
    %t = scf.for %i = %c0 to %n step %c1 iter_args(%t = %zero) -> (tensor<f32>) {
      %b = evox.list.get %l[%i] : !evox.list<tensor<?xf32>> -> tensor<?xf32>
      %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%b : tensor<?xf32>) outs(%t : tensor<f32>) {
      ^bb0(%v: f32, %acc: f32):
        %w = arith.addf %acc, %v : f32
        linalg.yield %w : f32
      } -> tensor<f32>
      scf.yield %s : tensor<f32>
    }
    evox.store %t, @total : tensor<f32>
    evox.return
  }
}
