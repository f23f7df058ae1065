// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-fuse-elementwise,canonicalize))' --split-input-file | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#columns = affine_map<(d0, d1) -> (0, d1)>

// A broadcast bound, a velocity with two users and a position: one op.

// CHECK-LABEL: func.func @step
// CHECK-SAME:    %[[X:.*]]: tensor<8x4xf32>, %[[V:.*]]: tensor<8x4xf32>, %[[UB:.*]]: tensor<1x4xf32>)
// CHECK:         %[[R:.*]]:2 = linalg.generic
// CHECK:           arith.addf
// CHECK:           arith.minimumf
// CHECK:           arith.minimumf
// CHECK:         -> (tensor<8x4xf32>, tensor<8x4xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @step(%x: tensor<8x4xf32>, %v: tensor<8x4xf32>, %ub: tensor<1x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %b = linalg.generic {indexing_maps = [#columns, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ub : tensor<1x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<8x4xf32>
  %new = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %v : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%new, %b : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.minimumf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  %q = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%new, %v, %b : tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %d: f32, %c: f32, %out: f32):
    %t = arith.mulf %a, %d : f32
    %s = arith.minimumf %t, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  return %p, %q : tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

// A sum keeps to itself what others use too.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @sum
// CHECK:         %[[Y:.*]] = linalg.generic
// CHECK:           arith.mulf
// CHECK:         linalg.generic {{.*}}"reduction"]} ins(%[[Y]] : tensor<8x4xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      linalg.yield
func.func @sum(%x: tensor<8x4xf32>, %init: tensor<8xf32>) -> (tensor<8x4xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.mulf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  %s = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<8x4xf32>) outs(%init : tensor<8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %t = arith.addf %a, %out : f32
    linalg.yield %t : f32
  } -> tensor<8xf32>
  return %y, %s : tensor<8x4xf32>, tensor<8xf32>
}

// -----

// What an op gathers from is needed whole.

#v = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @gather
// CHECK:         %[[Y:.*]] = linalg.generic
// CHECK:         linalg.generic
// CHECK:           tensor.extract %[[Y]]
func.func @gather(%x: tensor<8xi64>, %z: tensor<8xi64>) -> tensor<8xi64> {
  %e = tensor.empty() : tensor<8xi64>
  %y = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]}
      ins(%x : tensor<8xi64>) outs(%e : tensor<8xi64>) {
  ^bb0(%a: i64, %out: i64):
    %s = arith.muli %a, %a : i64
    linalg.yield %s : i64
  } -> tensor<8xi64>
  %g = linalg.generic {indexing_maps = [#v, #v, #v], iterator_types = ["parallel"]}
      ins(%y, %z : tensor<8xi64>, tensor<8xi64>) outs(%e : tensor<8xi64>) {
  ^bb0(%a: i64, %b: i64, %out: i64):
    %i = arith.index_cast %b : i64 to index
    %t = tensor.extract %y[%i] : tensor<8xi64>
    %s = arith.addi %t, %a : i64
    linalg.yield %s : i64
  } -> tensor<8xi64>
  return %g : tensor<8xi64>
}

// -----

// Of what a loop makes only a slice is used, so only that is made; the index of
// its loop starts where the slice does. What it gathers by is read where it was
// broadcast from.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0, 0)>

// CHECK-LABEL: func.func @slice_of_gather
// CHECK-SAME:    %[[X:.*]]: tensor<8x9xf32>, %[[I:.*]]: tensor<8x1xindex>
// CHECK-NOT:     tensor<8x6x
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<8x2xf32>
// CHECK:         linalg.generic {{.*}} outs(%[[E]] : tensor<8x2xf32>)
// CHECK:           %[[R:.*]] = linalg.index 0
// CHECK:           %[[C:.*]] = linalg.index 1
// CHECK:           %[[AT:.*]] = arith.addi %[[C]], %c3
// CHECK:           %[[N:.*]] = tensor.extract %[[I]][%[[R]], %c0]
// CHECK:           %[[S:.*]] = arith.addi %[[N]], %[[AT]]
// CHECK:           tensor.extract %[[X]][%[[R]], %[[S]]]
// CHECK-NOT:     tensor.extract_slice
func.func @slice_of_gather(%x: tensor<8x9xf32>, %i: tensor<8x1xindex>) -> tensor<8x2xf32> {
  %e = tensor.empty() : tensor<8x6xindex>
  %b = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<8x1xindex>) outs(%e : tensor<8x6xindex>) {
  ^bb0(%in: index, %out: index):
    linalg.yield %in : index
  } -> tensor<8x6xindex>
  %f = tensor.empty() : tensor<8x6xf32>
  %g = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%f : tensor<8x6xf32>) {
  ^bb0(%out: f32):
    %r = linalg.index 0 : index
    %c = linalg.index 1 : index
    %n = tensor.extract %b[%r, %c] : tensor<8x6xindex>
    %s = arith.addi %n, %c : index
    %v = tensor.extract %x[%r, %s] : tensor<8x9xf32>
    linalg.yield %v : f32
  } -> tensor<8x6xf32>
  %slice = tensor.extract_slice %g[0, 3] [8, 2] [1, 1] : tensor<8x6xf32> to tensor<8x2xf32>
  return %slice : tensor<8x2xf32>
}

// -----

// The order of a sum may depend on its sizes: it stays whole.

#id = affine_map<(d0, d1) -> (d0, d1)>
#columns = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: func.func @slice_of_sum
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<9xf32>)
// CHECK:         tensor.extract_slice
func.func @slice_of_sum(%x: tensor<8x9xf32>, %s: tensor<9xf32>) -> tensor<2xf32> {
  %g = linalg.generic {indexing_maps = [#id, #columns], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<8x9xf32>) outs(%s : tensor<9xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = arith.addf %out, %in : f32
    linalg.yield %a : f32
  } -> tensor<9xf32>
  %slice = tensor.extract_slice %g[0] [2] [1] : tensor<9xf32> to tensor<2xf32>
  return %slice : tensor<2xf32>
}
