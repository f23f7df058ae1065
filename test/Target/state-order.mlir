// REQUIRES: evox-compile, evox-run
// RUN: evox-compile %s -o %t.so --name=order
// RUN: evox-run %t.so --call swap --print a --print b --print c --call swap --print a --print b \
// RUN:   --call rotate --print a --print b --print c --call shift --print a --print b --print c \
// RUN:   --call both --print a --print b --call old --print a --print b \
// RUN:   --call same --print a --call chain --print a --print b --print c \
// RUN:   --call branch --print a --print b | FileCheck %s

// What slots hold when their values trade places, worked out in place.

evox.module @Order {
  evox.state mutable @a "a" : tensor<3xf32> = dense<1.0> : tensor<3xf32>
  evox.state mutable @b "b" : tensor<3xf32> = dense<2.0> : tensor<3xf32>
  evox.state mutable @c "c" : tensor<3xf32> = dense<3.0> : tensor<3xf32>

  // a, b = b, a
  // CHECK:      a: float32 [3] = [2
  // CHECK-NEXT: b: float32 [3] = [1
  // CHECK-NEXT: c: float32 [3] = [3
  // CHECK-NEXT: a: float32 [3] = [1
  // CHECK-NEXT: b: float32 [3] = [2
  evox.func @swap() {
    %a = evox.load @a : tensor<3xf32>
    %b = evox.load @b : tensor<3xf32>
    evox.store %b, @a : tensor<3xf32>
    evox.store %a, @b : tensor<3xf32>
    evox.return
  }

  // a, b, c = b, c, a
  // CHECK-NEXT: a: float32 [3] = [2
  // CHECK-NEXT: b: float32 [3] = [3
  // CHECK-NEXT: c: float32 [3] = [1
  evox.func @rotate() {
    %a = evox.load @a : tensor<3xf32>
    %b = evox.load @b : tensor<3xf32>
    %c = evox.load @c : tensor<3xf32>
    evox.store %b, @a : tensor<3xf32>
    evox.store %c, @b : tensor<3xf32>
    evox.store %a, @c : tensor<3xf32>
    evox.return
  }

  // c, b, a = b, a, a + c
  // CHECK-NEXT: a: float32 [3] = [3
  // CHECK-NEXT: b: float32 [3] = [2
  // CHECK-NEXT: c: float32 [3] = [3
  evox.func @shift() {
    %a = evox.load @a : tensor<3xf32>
    %b = evox.load @b : tensor<3xf32>
    %c = evox.load @c : tensor<3xf32>
    %s = arith.addf %a, %c : tensor<3xf32>
    evox.store %s, @a : tensor<3xf32>
    evox.store %a, @b : tensor<3xf32>
    evox.store %b, @c : tensor<3xf32>
    evox.return
  }

  // a = b = a * a
  // CHECK-NEXT: a: float32 [3] = [9
  // CHECK-NEXT: b: float32 [3] = [9
  evox.func @both() {
    %a = evox.load @a : tensor<3xf32>
    %s = arith.mulf %a, %a : tensor<3xf32>
    evox.store %s, @a : tensor<3xf32>
    evox.store %s, @b : tensor<3xf32>
    evox.return
  }

  // old = a; a = a + 1; b = old - a
  // CHECK-NEXT: a: float32 [3] = [10
  // CHECK-NEXT: b: float32 [3] = [-1
  evox.func @old() {
    %a = evox.load @a : tensor<3xf32>
    %one = arith.constant dense<1.0> : tensor<3xf32>
    %n = arith.addf %a, %one : tensor<3xf32>
    evox.store %n, @a : tensor<3xf32>
    %d = arith.subf %a, %n : tensor<3xf32>
    evox.store %d, @b : tensor<3xf32>
    evox.return
  }

  // CHECK-NEXT: a: float32 [3] = [10
  evox.func @same() {
    %a = evox.load @a : tensor<3xf32>
    evox.store %a, @a : tensor<3xf32>
    evox.return
  }

  // a = reverse(a) * 2 (not elementwise), b = a_old, c = reverse(b_old)
  // CHECK-NEXT: a: float32 [3] = [20
  // CHECK-NEXT: b: float32 [3] = [10
  // CHECK-NEXT: c: float32 [3] = [-1
  evox.func @chain() {
    %a = evox.load @a : tensor<3xf32>
    %b = evox.load @b : tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<3xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %c2 = arith.constant 2 : index
      %j = arith.subi %c2, %i : index
      %v = tensor.extract %a[%j] : tensor<3xf32>
      %w = arith.addf %v, %v : f32
      linalg.yield %w : f32
    } -> tensor<3xf32>
    %q = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<3xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %c2 = arith.constant 2 : index
      %j = arith.subi %c2, %i : index
      %v = tensor.extract %b[%j] : tensor<3xf32>
      linalg.yield %v : f32
    } -> tensor<3xf32>
    evox.store %r, @a : tensor<3xf32>
    evox.store %a, @b : tensor<3xf32>
    evox.store %q, @c : tensor<3xf32>
    evox.return
  }

  // if a[0] > b[0]: a, b = b, a + b
  // CHECK-NEXT: a: float32 [3] = [10
  // CHECK-NEXT: b: float32 [3] = [30
  evox.func @branch() {
    %a = evox.load @a : tensor<3xf32>
    %b = evox.load @b : tensor<3xf32>
    %c0 = arith.constant 0 : index
    %x = tensor.extract %a[%c0] : tensor<3xf32>
    %y = tensor.extract %b[%c0] : tensor<3xf32>
    %c = arith.cmpf ogt, %x, %y : f32
    evox.if %c {
      %s = arith.addf %a, %b : tensor<3xf32>
      evox.store %b, @a : tensor<3xf32>
      evox.store %s, @b : tensor<3xf32>
      evox.yield
    } else {
      evox.yield
    }
    evox.return
  }
}
