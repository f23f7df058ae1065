// REQUIRES: evox-compile, evox-run
// The sanitizers reserve more addresses than the limit allows.
// UNSUPPORTED: sanitize
// RUN: evox-compile %s -o %t.so --name=memory
// RUN: bash -c "ulimit -v 1000000; evox-run %t.so --call churn --print x" | FileCheck %s

// 400,000 buffers of 40 kB, 16 GB in all, of open size in loops and branches:
// what an iteration allocates is free again after it.

// CHECK: x: float32 [10000] = [400000, 400000
evox.module @A {
  evox.state mutable @x "x" : tensor<10000xf32>
  evox.func @churn() {
    %x0 = evox.load @x : tensor<10000xf32>
    %x1 = tensor.cast %x0 : tensor<10000xf32> to tensor<?xf32>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = arith.constant 200000 : index
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x1) -> (tensor<?xf32>) {
      %one = arith.constant 1.0 : f32
      %d = tensor.dim %a, %c0 : tensor<?xf32>
      %e = tensor.empty(%d) : tensor<?xf32>
      %first = tensor.extract %a[%c0] : tensor<?xf32>
      %odd = arith.cmpf oge, %first, %one : f32
      %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<?xf32>) {
      ^bb0(%o: f32):
        %k = linalg.index 0 : index
        %last = arith.subi %d, %c1 : index
        %j = arith.subi %last, %k : index
        %v = tensor.extract %a[%j] : tensor<?xf32>
        %w = arith.addf %v, %one : f32
        linalg.yield %w : f32
      } -> tensor<?xf32>
      %y = evox.if %odd -> (tensor<?xf32>) {
        %f = tensor.empty(%d) : tensor<?xf32>
        %g = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%f : tensor<?xf32>) {
        ^bb0(%o: f32):
          %k = linalg.index 0 : index
          %last = arith.subi %d, %c1 : index
          %j = arith.subi %last, %k : index
          %v = tensor.extract %b[%j] : tensor<?xf32>
          %w = arith.addf %v, %one : f32
          linalg.yield %w : f32
        } -> tensor<?xf32>
        evox.yield %g : tensor<?xf32>
      } else {
        %s = tensor.splat %one[%d] : tensor<?xf32>
        %t = arith.addf %b, %s : tensor<?xf32>
        evox.yield %t : tensor<?xf32>
      }
      scf.yield %y : tensor<?xf32>
    }
    %c = tensor.cast %r : tensor<?xf32> to tensor<10000xf32>
    evox.store %c, @x : tensor<10000xf32>
    evox.return
  }
}
