// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-drop-written-results))' | FileCheck %s

// %x is where slot 0 is. %y is another slot's place, so the value still has to
// be handed over; %z is a buffer of its own.

// CHECK-LABEL: func.func @step(
// CHECK-SAME:    -> (memref<4xf32> {evox.slot = 2 : i32}, memref<4xf32> {evox.slot = 3 : i32})
// CHECK:         return %{{.*}}, %{{.*}} : memref<4xf32>, memref<4xf32>
func.func @step(%x: memref<4xf32> {evox.slot = 0 : i32}, %y: memref<4xf32> {evox.slot = 1 : i32})
    -> (memref<4xf32> {evox.slot = 0 : i32}, memref<4xf32> {evox.slot = 2 : i32}, memref<4xf32> {evox.slot = 3 : i32}) attributes {evox.entry = {}} {
  %z = memref.alloc() : memref<4xf32>
  return %x, %y, %z : memref<4xf32>, memref<4xf32>, memref<4xf32>
}

// Only entry points are called by the library.
// CHECK-LABEL: func.func @other(
// CHECK-SAME:    -> memref<4xf32>
func.func @other(%x: memref<4xf32>) -> memref<4xf32> {
  return %x : memref<4xf32>
}
