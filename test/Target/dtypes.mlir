// REQUIRES: evox-compile, evox-run
// RUN: evox-compile %s -o %t.so --name=dtypes
// RUN: evox-run %t.so --list --call step --print b --print u --print i --print s --print h --print bf --print d \
// RUN:   --call step --print b --print u --print open | FileCheck %s

// Every element type in memory, and uint8 beside int8.

// CHECK-DAG:  b: bool [3]
// CHECK-DAG:  u: uint8 [2]
// CHECK-DAG:  i: int8 [2]
// CHECK-DAG:  s: int16 [2]
// CHECK-DAG:  h: float16 [2]
// CHECK-DAG:  bf: bfloat16 [2]
// CHECK-DAG:  d: float64 [2]
// CHECK:      b: bool [3] = [False, True, False]
// CHECK-NEXT: u: uint8 [2] = [200, 4]
// CHECK-NEXT: i: int8 [2] = [-2, -128]
// CHECK-NEXT: s: int16 [2] = [600, -2]
// CHECK-NEXT: h: float16 [2] = [0.5, 3]
// CHECK-NEXT: bf: bfloat16 [2] = [0.5, 3]
// CHECK-NEXT: d: float64 [2] = [0.2, 2e+300]
// CHECK-NEXT: b: bool [3] = [True, False, True]
// CHECK-NEXT: u: uint8 [2] = [144, 8]
// CHECK-NEXT: open: uint8 [2] = [144, 8]
evox.module @A {
  evox.state mutable @b "b" : tensor<3xi1> = dense<[true, false, true]> : tensor<3xi1>
  evox.state mutable @u "u" : tensor<2xi8> = dense<[100, 2]> : tensor<2xi8> dtype "uint8"
  evox.state mutable @open "open" : tensor<?xi8> dtype "uint8"
  evox.state mutable @i "i" : tensor<2xi8> = dense<[-1, 64]> : tensor<2xi8>
  evox.state mutable @s "s" : tensor<2xi16> = dense<[300, -1]> : tensor<2xi16>
  evox.state mutable @h "h" : tensor<2xf16> = dense<[0.25, 1.5]> : tensor<2xf16>
  evox.state mutable @bf "bf" : tensor<2xbf16> = dense<[0.25, 1.5]> : tensor<2xbf16>
  evox.state mutable @d "d" : tensor<2xf64> = dense<[0.1, 1.0e300]> : tensor<2xf64>
  evox.func @step() {
    %b = evox.load @b : tensor<3xi1>
    %t = arith.constant dense<true> : tensor<3xi1>
    %nb = arith.xori %b, %t : tensor<3xi1>
    evox.store %nb, @b : tensor<3xi1>
    %u = evox.load @u : tensor<2xi8>
    %nu = arith.addi %u, %u : tensor<2xi8>
    evox.store %nu, @u : tensor<2xi8>
    %o = tensor.cast %nu : tensor<2xi8> to tensor<?xi8>
    evox.store %o, @open : tensor<?xi8>
    %i = evox.load @i : tensor<2xi8>
    %ni = arith.addi %i, %i : tensor<2xi8>
    evox.store %ni, @i : tensor<2xi8>
    %s = evox.load @s : tensor<2xi16>
    %ns = arith.addi %s, %s : tensor<2xi16>
    evox.store %ns, @s : tensor<2xi16>
    %h = evox.load @h : tensor<2xf16>
    %nh = arith.addf %h, %h : tensor<2xf16>
    evox.store %nh, @h : tensor<2xf16>
    %bf = evox.load @bf : tensor<2xbf16>
    %nbf = arith.addf %bf, %bf : tensor<2xbf16>
    evox.store %nbf, @bf : tensor<2xbf16>
    %d = evox.load @d : tensor<2xf64>
    %nd = arith.addf %d, %d : tensor<2xf64>
    evox.store %nd, @d : tensor<2xf64>
    evox.return
  }
}
