// RUN: evox-opt %s --evox-lower-sums --canonicalize --cse --split-input-file | FileCheck %s
// RUN: evox-opt %s --evox-lower-sums=vector-bytes=16 --canonicalize --split-input-file | FileCheck %s --check-prefix=NARROW

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>

// A row of 100: three times four vectors of eight, then four scalars, which
// are added up first.

// CHECK-LABEL: func.func @inner
// CHECK:         scf.for %[[I:.*]] = %c0 to %c20 step %c1
// CHECK:           %[[WIDE:.*]] = scf.for {{.*}} = %c0 to %c3 step %c1 {{.*}} -> (vector<32xf32>)
// CHECK:             %[[X:.*]] = vector.load %{{.*}}[%[[I]], %{{.*}}] : memref<20x100xf32>, vector<32xf32>
// CHECK:             %[[XX:.*]] = arith.mulf %[[X]], %[[X]] : vector<32xf32>
// CHECK:             arith.addf %{{.*}}, %[[XX]] : vector<32xf32>
// CHECK:           %[[P0:.*]] = vector.shuffle %[[WIDE]], %[[WIDE]] [0, 1, 2, 3, 4, 5, 6, 7]
// CHECK:           %[[P1:.*]] = vector.shuffle %[[WIDE]], %[[WIDE]] [8, 9, 10, 11, 12, 13, 14, 15]
// CHECK:           arith.addf %[[P0]], %[[P1]] : vector<8xf32>
// CHECK:           %[[T:.*]] = vector.load %{{.*}}[%[[I]], %c96] : memref<20x100xf32>, vector<4xf32>
// CHECK:           %[[TT:.*]] = arith.mulf %[[T]], %[[T]] : vector<4xf32>
// CHECK:           %[[T0:.*]] = vector.extract %[[TT]][0]
// CHECK:           arith.addf %[[T0]], %cst{{.*}} : f32
// CHECK-COUNT-12:  arith.addf {{.*}} : f32
// CHECK:           memref.store
// CHECK-NOT:     linalg

// NARROW-LABEL: func.func @inner
// NARROW:         vector.load %{{.*}} : memref<20x100xf32>, vector<16xf32>
func.func @inner(%x: memref<20x100xf32>, %s: memref<20xf32>) {
  linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<20x100xf32>) outs(%s : memref<20xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %0 = arith.mulf %in, %in : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>

// 37 columns: one block of 32, then five columns with four sums each.

// CHECK-LABEL: func.func @outer
// CHECK:         scf.for {{.*}} = %c0 to %c5 step %c1 {{.*}} -> (vector<32xf32>)
// CHECK:           vector.load {{.*}} : memref<5x37xf32>, vector<32xf32>
// CHECK:         vector.store {{.*}} : memref<37xf32>, vector<32xf32>
// CHECK:         vector.load {{.*}}[%c0, %c32] : memref<5x37xf32>, vector<5xf32>
// CHECK:         vector.store {{.*}}[%c32] : memref<37xf32>, vector<5xf32>
func.func @outer(%x: memref<5x37xf32>, %s: memref<37xf32>) {
  linalg.generic {indexing_maps = [#id, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<5x37xf32>) outs(%s : memref<37xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %1 = arith.addf %in, %acc : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#column = affine_map<(d0, d1) -> (d1)>
#none = affine_map<(d0, d1) -> ()>

// Rows that follow each other are one row; a load from elsewhere and what
// doesn't follow suit goes lane by lane, booleans too.

// CHECK-LABEL: func.func @lanes
// CHECK:         memref.collapse_shape %{{.*}} {{\[}}[0, 1]] : memref<3x7xf64> into memref<21xf64>
// CHECK:         vector.load {{.*}} : memref<21xf64>, vector<16xf64>
// CHECK:         vector.from_elements {{.*}} : vector<16xi1>
// CHECK:         arith.select {{.*}} : vector<16xi1>, vector<16xf64>
// CHECK-NOT:     linalg
func.func @lanes(%x: memref<3x7xf64>, %m: memref<7xi1>, %t: memref<9xf64>, %s: memref<f64>) {
  %zero = arith.constant 0.0 : f64
  linalg.generic {indexing_maps = [#id, #column, #none], iterator_types = ["reduction", "reduction"]}
      ins(%x, %m : memref<3x7xf64>, memref<7xi1>) outs(%s : memref<f64>) {
  ^bb0(%in: f64, %keep: i1, %acc: f64):
    %i = linalg.index 1 : index
    %0 = memref.load %t[%i] : memref<9xf64>
    %1 = arith.mulf %in, %0 : f64
    %2 = arith.select %keep, %1, %zero : f64
    %3 = arith.addf %acc, %2 : f64
    linalg.yield %3 : f64
  }
  return
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// A size that is known at run time only chooses then.

// CHECK-LABEL: func.func @dynamic
// CHECK:         %[[N:.*]] = memref.dim %{{.*}}, %c1
// CHECK:         %[[ENOUGH:.*]] = arith.cmpi uge, %[[N]], %c8
// CHECK:         scf.if %[[ENOUGH]] -> (f32)
// CHECK:           math.ctlz
// CHECK:         } else {
// CHECK:           vector<4xf32>
func.func @dynamic(%x: memref<20x?xf32>, %s: memref<20xf32>) {
  linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<20x?xf32>) outs(%s : memref<20xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %1 = arith.addf %acc, %in : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#middle = affine_map<(d0, d1, d2) -> (d1)>
#none = affine_map<(d0, d1, d2) -> ()>

// These have no order that is PyTorch's.

// CHECK-LABEL: func.func @others
// CHECK-COUNT-4: linalg.generic
func.func @others(%x: memref<3x4x5xf32>, %y: memref<3x4x5xi32>, %s: memref<4xf32>,
                  %r: memref<f32>, %n: memref<i32>) {
  linalg.generic {indexing_maps = [#id, #middle], iterator_types = ["reduction", "parallel", "reduction"]}
      ins(%x : memref<3x4x5xf32>) outs(%s : memref<4xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %1 = arith.addf %acc, %in : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction", "reduction"]}
      ins(%x : memref<3x4x5xf32>) outs(%r : memref<f32>) {
  ^bb0(%in: f32, %acc: f32):
    %1 = arith.mulf %acc, %in : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction", "reduction"]}
      ins(%x : memref<3x4x5xf32>) outs(%r : memref<f32>) {
  ^bb0(%in: f32, %acc: f32):
    %0 = arith.mulf %acc, %in : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction", "reduction"]}
      ins(%y : memref<3x4x5xi32>) outs(%n : memref<i32>) {
  ^bb0(%in: i32, %acc: i32):
    %1 = arith.addi %acc, %in : i32
    linalg.yield %1 : i32
  }
  return
}

// -----

// Of terms that take long, several are made at once. They are added up in the
// order that they have one by one: 224 are seven rows of 32.

#in = affine_map<(d0, d1) -> (d0, d1)>
#out = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @long_terms
// CHECK:         %[[S:.*]] = scf.for %{{.*}} = %{{.*}} to %c6{{.*}} step %c2{{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (vector<32xf32>)
// CHECK:           %[[X:.*]] = vector.load %{{.*}} : memref<8x224xf32>, vector<64xf32>
// CHECK:           %[[C:.*]] = math.cos %[[X]] : vector<64xf32>
// CHECK:           %[[A:.*]] = vector.shuffle %[[C]], %[[C]] [0, 1,
// CHECK:           %[[B:.*]] = vector.shuffle %[[C]], %[[C]] [32, 33,
// CHECK:           %[[SA:.*]] = arith.addf %[[SUM]], %[[A]]
// CHECK:           %[[SB:.*]] = arith.addf %[[SA]], %[[B]]
// CHECK:           scf.yield %[[SB]]
// CHECK:         %[[X7:.*]] = vector.load %{{.*}}[%{{.*}}, %c192] : memref<8x224xf32>, vector<32xf32>
// CHECK:         %[[C7:.*]] = math.cos %[[X7]] : vector<32xf32>
// CHECK:         arith.addf %[[S]], %[[C7]]
func.func @long_terms(%x: memref<8x224xf32>, %y: memref<8xf32>) {
  linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]} ins(%x : memref<8x224xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%a: f32, %s: f32):
    %c = math.cos %a : f32
    %t = arith.addf %s, %c : f32
    linalg.yield %t : f32
  }
  return
}
