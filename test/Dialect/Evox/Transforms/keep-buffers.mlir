// RUN: evox-opt %s --evox-keep-buffers="largest=1000 total=2000" --split-input-file | FileCheck %s

// Small buffers that the call gives back; not those that are too large, that
// are handed over, that are given back in another place, or of an open size.

// CHECK-LABEL: func.func @step(
// CHECK-SAME:    %{{.*}}: memref<4xf32> {evox.slot = 0 : i32}, %[[A:.*]]: memref<100xf32> {evox.kept = 0 : i32}, %[[B:.*]]: memref<1000xi1> {evox.kept = 1 : i32}, %{{.*}}: memref<150xf32> {evox.kept = 2 : i32})
// CHECK:         %[[LARGE:.*]] = memref.alloc() : memref<251xf32>
// CHECK:         %[[RESULT:.*]] = memref.alloc() : memref<7xf32>
// CHECK:         %[[LATER:.*]] = memref.alloc() : memref<8xf32>
// CHECK:         %[[OPEN:.*]] = memref.alloc(
// CHECK:         memref.store %{{.*}}, %[[A]][
// CHECK:         memref.store %{{.*}}, %[[B]][
// The third takes what is left.
// CHECK:         %[[FULL:.*]] = memref.alloc() : memref<9xf32>
// CHECK:         memref.dealloc %[[LARGE]]
// CHECK:         scf.if
// CHECK-NEXT:      memref.dealloc %[[LATER]]
// CHECK:         memref.dealloc %[[OPEN]]
// CHECK:         memref.dealloc %[[FULL]]
// CHECK-NOT:     memref.dealloc
// CHECK:         return %[[RESULT]]
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state mutable @y "y" : tensor<7xf32>
}
func.func @step(%x: memref<4xf32> {evox.slot = 0 : i32}) -> (memref<7xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {}} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %true = arith.constant true
  %n = memref.dim %x, %c0 : memref<4xf32>
  %a = memref.alloc() : memref<100xf32>
  %large = memref.alloc() : memref<251xf32>
  %b = memref.alloc() {alignment = 64 : i64} : memref<1000xi1>
  %result = memref.alloc() : memref<7xf32>
  %later = memref.alloc() : memref<8xf32>
  %open = memref.alloc(%n) : memref<?xf32>
  memref.store %one, %a[%c0] : memref<100xf32>
  memref.store %true, %b[%c0] : memref<1000xi1>
  %third = memref.alloc() : memref<150xf32>
  %full = memref.alloc() : memref<9xf32>
  memref.dealloc %large : memref<251xf32>
  memref.dealloc %a : memref<100xf32>
  memref.dealloc %b : memref<1000xi1>
  memref.dealloc %third : memref<150xf32>
  scf.if %true {
    memref.dealloc %later : memref<8xf32>
  }
  memref.dealloc %open : memref<?xf32>
  memref.dealloc %full : memref<9xf32>
  return %result : memref<7xf32>
}

// -----

// One with arguments is called by itself; others are no entry points.

// CHECK-LABEL: func.func @evaluate(
// CHECK:         memref.alloc
// CHECK-LABEL: func.func private @helper(
// CHECK:         memref.alloc
func.func @evaluate(%x: memref<4xf32> {evox.arg = 0 : i32}) attributes {evox.entry = {}} {
  %a = memref.alloc() : memref<100xf32>
  memref.dealloc %a : memref<100xf32>
  return
}
func.func private @helper() {
  %a = memref.alloc() : memref<100xf32>
  memref.dealloc %a : memref<100xf32>
  return
}
