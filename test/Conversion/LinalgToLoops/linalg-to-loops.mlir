// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-linalg-to-loops))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// The loop over rows is parallel, the one that finds their maximum is not.

// CHECK-LABEL: func.func @max
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             arith.maximumf
// CHECK:           }
// CHECK-NOT:       evox.parallel
// CHECK:         } {evox.parallel}
func.func @max(%x: memref<8x4xf32>, %y: memref<8xf32>) {
  linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x4xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %m = arith.maximumf %a, %out : f32
    linalg.yield %m : f32
  }
  return
}

// CHECK-LABEL: func.func @add
// CHECK:             } {evox.parallel}
// CHECK-NEXT:    } {evox.parallel}
func.func @add(%x: memref<8x4xf32>, %y: memref<8x4xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %m = arith.addf %a, %out : f32
    linalg.yield %m : f32
  }
  return
}
