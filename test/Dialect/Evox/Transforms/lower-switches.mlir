// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-lower-switches))' --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @three(
// CHECK-SAME:    %[[I:.*]]: index, %[[A:.*]]: f32, %[[B:.*]]: f32, %[[C:.*]]: f32)
// CHECK:         %[[TWO:.*]] = arith.constant 2 : index
// CHECK:         %[[IS2:.*]] = arith.cmpi eq, %[[I]], %[[TWO]]
// CHECK:         %[[R:.*]] = scf.if %[[IS2]] -> (f32) {
// CHECK:           scf.yield %[[A]]
// CHECK:         } else {
// CHECK:           %[[FIVE:.*]] = arith.constant 5 : index
// CHECK:           %[[IS5:.*]] = arith.cmpi eq, %[[I]], %[[FIVE]]
// CHECK:           %[[S:.*]] = scf.if %[[IS5]] -> (f32) {
// CHECK:             scf.yield %[[B]]
// CHECK:           } else {
// CHECK:             scf.yield %[[C]]
// CHECK:           }
// CHECK:           scf.yield %[[S]]
// CHECK:         }
// CHECK:         return %[[R]]
func.func @three(%i: index, %a: f32, %b: f32, %c: f32) -> f32 {
  %r = scf.index_switch %i -> f32
  case 2 {
    scf.yield %a : f32
  }
  case 5 {
    scf.yield %b : f32
  }
  default {
    scf.yield %c : f32
  }
  return %r : f32
}

// -----

// CHECK-LABEL: func.func @nested(
// CHECK:         scf.if
// CHECK:           memref.store
// CHECK:           memref.store
// CHECK-NOT:     scf.index_switch
func.func @nested(%i: index, %m: memref<f32>, %a: f32) {
  scf.index_switch %i
  case 0 {
    memref.store %a, %m[] : memref<f32>
    scf.index_switch %i
    default {
      memref.store %a, %m[] : memref<f32>
      scf.yield
    }
    scf.yield
  }
  default {
    scf.yield
  }
  return
}
