// RUN: evox-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(evox-lower-extremes))' | FileCheck %s

#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>

// Sixteen lanes, then what is left over, one by one.

// CHECK-LABEL: func.func @argmin
// CHECK-NOT:     linalg.generic
// CHECK:         %[[V:.*]]:2 = scf.for %{{.*}} = %{{.*}} to %c96 step %c16{{.*}} iter_args
// CHECK:           vector.load %{{.*}} : memref<100xf32>, vector<16xf32>
// CHECK:           arith.cmpf ult, %{{.*}} : vector<16xf32>
// CHECK:           arith.cmpf ord, %{{.*}} : vector<16xf32>
// CHECK-COUNT-32:  vector.extract
// CHECK:         scf.for %{{.*}} = %c96{{.*}} to %c100
// CHECK:           memref.load
// CHECK:         memref.store
// CHECK:         memref.store
func.func @argmin(%x: memref<100xf32>, %v: memref<f32>, %i: memref<i64>) {
  linalg.generic {indexing_maps = [#id, #none, #none], iterator_types = ["reduction"]} ins(%x : memref<100xf32>) outs(%v, %i : memref<f32>, memref<i64>) {
  ^bb0(%in: f32, %best: f32, %place: i64):
    %n = linalg.index 0 : index
    %m = arith.index_cast %n : index to i64
    %less = arith.cmpf ult, %in, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %a = arith.select %takes, %in, %best : f32
    %b = arith.select %takes, %m, %place : i64
    linalg.yield %a, %b : f32, i64
  }
  return
}

// -----

// Rows that only the run knows the number of.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @open
// CHECK:         %[[N:.*]] = memref.dim %arg0, %c0
// CHECK:         scf.for %{{.*}} = %c0{{.*}} to %[[N]]
// CHECK:           vector.load %{{.*}} : memref<?x100xf32>, vector<16xf32>
func.func @open(%x: memref<?x100xf32>, %v: memref<?xf32>, %i: memref<?xi64>) {
  linalg.generic {indexing_maps = [#id, #rows, #rows], iterator_types = ["parallel", "reduction"]} ins(%x : memref<?x100xf32>) outs(%v, %i : memref<?xf32>, memref<?xi64>) {
  ^bb0(%in: f32, %best: f32, %place: i64):
    %n = linalg.index 1 : index
    %m = arith.index_cast %n : index to i64
    %less = arith.cmpf ult, %in, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %a = arith.select %takes, %in, %best : f32
    %b = arith.select %takes, %m, %place : i64
    linalg.yield %a, %b : f32, i64
  }
  return
}

// -----

// The least alone.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @value
// CHECK-SAME:    %[[X:.*]]: memref<8x100xf32>, %[[V:.*]]: memref<8xf32>)
// CHECK:         vector.load %[[X]]{{.*}} : memref<8x100xf32>, vector<16xf32>
// CHECK:         memref.store %{{.*}}, %[[V]]
// CHECK-NOT:     memref.store
// CHECK:         return
func.func @value(%x: memref<8x100xf32>, %v: memref<8xf32>) {
  linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%x : memref<8x100xf32>) outs(%v : memref<8xf32>) {
  ^bb0(%in: f32, %best: f32):
    %less = arith.cmpf ult, %in, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %a = arith.select %takes, %in, %best : f32
    linalg.yield %a : f32
  }
  return
}

// -----

// The greatest of all: several registers at once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>

// CHECK-LABEL: func.func @bound
// CHECK-SAME:    %[[X:.*]]: memref<?x100xf32>
// CHECK:         scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, f32)
// CHECK-COUNT-4:   arith.maximumf {{.*}} : vector<16xf32>
// CHECK:           scf.for {{.*}} -> (f32)
// CHECK:         vector.reduction <maximumf>
func.func @bound(%x: memref<?x100xf32>, %v: memref<f32>) {
  linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]} ins(%x : memref<?x100xf32>) outs(%v : memref<f32>) {
  ^bb0(%in: f32, %best: f32):
    %a = arith.maximumf %best, %in : f32
    linalg.yield %a : f32
  }
  return
}

// -----

// Too short, and of another order: they stay.

#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>

// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: linalg.generic
func.func @others(%x: memref<40xf32>, %y: memref<100xf32>, %v: memref<f32>, %i: memref<i64>) {
  linalg.generic {indexing_maps = [#id, #none, #none], iterator_types = ["reduction"]} ins(%x : memref<40xf32>) outs(%v, %i : memref<f32>, memref<i64>) {
  ^bb0(%in: f32, %best: f32, %place: i64):
    %n = linalg.index 0 : index
    %m = arith.index_cast %n : index to i64
    %less = arith.cmpf ult, %in, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %a = arith.select %takes, %in, %best : f32
    %b = arith.select %takes, %m, %place : i64
    linalg.yield %a, %b : f32, i64
  }
  // The last of equal elements.
  linalg.generic {indexing_maps = [#id, #none, #none], iterator_types = ["reduction"]} ins(%y : memref<100xf32>) outs(%v, %i : memref<f32>, memref<i64>) {
  ^bb0(%in: f32, %best: f32, %place: i64):
    %n = linalg.index 0 : index
    %m = arith.index_cast %n : index to i64
    %less = arith.cmpf ule, %in, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %a = arith.select %takes, %in, %best : f32
    %b = arith.select %takes, %m, %place : i64
    linalg.yield %a, %b : f32, i64
  }
  return
}
