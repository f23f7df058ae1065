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

// -----

// A sum of squares computes them itself, also where the numbers are made for
// others: nobody stores the squares.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @squares
// CHECK:         %[[X:.*]] = linalg.generic
// CHECK:           arith.addf
// CHECK-NOT:       arith.mulf
// CHECK:         -> tensor<8x4xf32>
// CHECK:         %[[S:.*]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%[[X]] :
// CHECK:           arith.mulf
// CHECK:           arith.addf
// CHECK:         return %[[X]], %[[S]]
func.func @squares(%x: tensor<8x4xf32>, %v: tensor<8x4xf32>, %zero: tensor<8xf32>) -> (tensor<8x4xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %new = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %v : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  %squares = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%new, %new : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.mulf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x4xf32>
  %sum = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%squares : tensor<8x4xf32>) outs(%zero : tensor<8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.addf %out, %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %new, %sum : tensor<8x4xf32>, tensor<8xf32>
}

// -----

// Whether one point is at least as good as another in each of three: no loop
// over the three. What the innermost loop reads is in one piece.

#at = affine_map<(d0, d1, d2) -> (d0, d2)>
#of = affine_map<(d0, d1, d2) -> (d1, d2)>
#pair = affine_map<(d0, d1, d2) -> (d0, d1)>

// CHECK-LABEL: func.func @dominates
// CHECK-SAME:    %[[F:.*]]: tensor<100x3xf32>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[F]] : {{.*}}) outs(%{{.*}} : tensor<3x100xf32>) permutation = [1, 0]
// CHECK-COUNT-3: tensor.extract_slice %{{.*}} : tensor<3x100xf32> to tensor<100xf32>
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
// CHECK:           %[[A:.*]] = arith.cmpf ole
// CHECK:           %[[B:.*]] = arith.cmpf ole
// CHECK:           %[[AB:.*]] = arith.andi %[[A]], %[[B]]
// CHECK:           %[[C:.*]] = arith.cmpf ole
// CHECK:           %[[ABC:.*]] = arith.andi %[[AB]], %[[C]]
// CHECK:           linalg.yield %[[ABC]]
// CHECK-NOT:     "reduction"
// CHECK:         return
func.func @dominates(%f: tensor<100x3xf32>) -> tensor<100x100xi1> {
  %true = arith.constant true
  %e = tensor.empty() : tensor<100x100xi1>
  %init = linalg.fill ins(%true : i1) outs(%e : tensor<100x100xi1>) -> tensor<100x100xi1>
  %all = linalg.generic {indexing_maps = [#at, #of, #pair], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %f : tensor<100x3xf32>, tensor<100x3xf32>) outs(%init : tensor<100x100xi1>) {
  ^bb0(%a: f32, %b: f32, %out: i1):
    %c = arith.cmpf ole, %a, %b : f32
    %s = arith.andi %out, %c : i1
    linalg.yield %s : i1
  } -> tensor<100x100xi1>
  return %all : tensor<100x100xi1>
}

// -----

// Many of them stay a loop, and so do sums, whose order matters.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @loops
// CHECK-COUNT-2: "reduction"
func.func @loops(%x: tensor<100x9xi1>, %y: tensor<100x3xf32>) -> (tensor<100xi1>, tensor<100xf32>) {
  %false = arith.constant false
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100xi1>
  %init = linalg.fill ins(%false : i1) outs(%e : tensor<100xi1>) -> tensor<100xi1>
  %any = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<100x9xi1>) outs(%init : tensor<100xi1>) {
  ^bb0(%a: i1, %out: i1):
    %s = arith.ori %out, %a : i1
    linalg.yield %s : i1
  } -> tensor<100xi1>
  %f = tensor.empty() : tensor<100xf32>
  %start = linalg.fill ins(%zero : f32) outs(%f : tensor<100xf32>) -> tensor<100xf32>
  %sum = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<100x3xf32>) outs(%start : tensor<100xf32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.addf %out, %a : f32
    linalg.yield %s : f32
  } -> tensor<100xf32>
  return %any, %sum : tensor<100xi1>, tensor<100xf32>
}

// -----

// A loop over a vector that was turned, and over another put together, is one
// over each piece, which reads them where they are.

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @turned
// CHECK-SAME:    %[[X:.*]]: tensor<100xf32>, %[[F:.*]]: tensor<1xf32>
// CHECK-DAG:     %[[END:.*]] = tensor.extract_slice %[[X]][99] [1] [1]
// CHECK-DAG:     %[[REST:.*]] = tensor.extract_slice %[[X]][0] [99] [1]
// CHECK:         %[[A:.*]] = linalg.generic {{.*}} ins(%[[F]], %[[END]] :
// CHECK:         %[[E:.*]] = tensor.insert_slice %[[A]] into %{{.*}}[0] [1] [1]
// CHECK:         %[[B:.*]] = linalg.generic {{.*}} ins(%[[REST]] :
// CHECK:           arith.addf
// CHECK:         tensor.insert_slice %[[B]] into %[[E]][1] [99] [1]
func.func @turned(%x: tensor<100xf32>, %f: tensor<1xf32>) -> tensor<100xf32> {
  %e = tensor.empty() : tensor<100xf32>
  %end = tensor.extract_slice %x[99] [1] [1] : tensor<100xf32> to tensor<1xf32>
  %rest = tensor.extract_slice %x[0] [99] [1] : tensor<100xf32> to tensor<99xf32>
  %t0 = tensor.insert_slice %end into %e[0] [1] [1] : tensor<1xf32> into tensor<100xf32>
  %turned = tensor.insert_slice %rest into %t0[1] [99] [1] : tensor<99xf32> into tensor<100xf32>
  %u0 = tensor.insert_slice %f into %e[0] [1] [1] : tensor<1xf32> into tensor<100xf32>
  %updated = tensor.insert_slice %rest into %u0[1] [99] [1] : tensor<99xf32> into tensor<100xf32>
  %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%updated, %turned : tensor<100xf32>, tensor<100xf32>) outs(%e : tensor<100xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<100xf32>
  return %sum : tensor<100xf32>
}

// -----

// Not where somebody needs it whole anyway, nor the rows of a matrix.

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @whole
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @whole(%x: tensor<4x8xf32>, %y: tensor<4x4xf32>, %z: tensor<2x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = tensor.insert_slice %y into %e[0, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  %columns = tensor.insert_slice %y into %a[0, 4] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%columns, %x : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %r = arith.addf %p, %q : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %b = tensor.insert_slice %z into %e[0, 0] [2, 8] [1, 1] : tensor<2x8xf32> into tensor<4x8xf32>
  %rows = tensor.insert_slice %z into %b[2, 0] [2, 8] [1, 1] : tensor<2x8xf32> into tensor<4x8xf32>
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %out: f32):
    %r = math.absf %p : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  return %s, %t, %columns : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// What the least is asked of stays a loop of its own, which vectors compute.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @least
// CHECK:         %[[E:.*]] = linalg.generic {{.*}}"parallel", "parallel"]
// CHECK:           math.exp
// CHECK:         linalg.generic {{.*}}"reduction"{{.*}} ins(%[[E]] :
// CHECK-NOT:       math.exp
// CHECK:         return
func.func @least(%x: tensor<8x100xf32>, %init: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8x100xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x100xf32>) outs(%e : tensor<8x100xf32>) {
  ^bb0(%a: f32, %out: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<8x100xf32>
  %least = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<8x100xf32>) outs(%init : tensor<8xf32>) {
  ^bb0(%a: f32, %best: f32):
    %less = arith.cmpf ult, %a, %best : f32
    %known = arith.cmpf ord, %best, %best : f32
    %takes = arith.andi %less, %known : i1
    %s = arith.select %takes, %a, %best : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %least : tensor<8xf32>
}
