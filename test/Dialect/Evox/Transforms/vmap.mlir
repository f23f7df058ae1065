// RUN: evox-opt %s -split-input-file -evox-use-state -evox-vmap -canonicalize -cse | FileCheck %s
// RUN: evox-opt %s -split-input-file -evox-use-state -evox-vmap=rng=philox -canonicalize -cse | FileCheck %s --check-prefix=PHILOX

// What varies gets the lanes in front; the rest is computed once.
evox.module @M {
  evox.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    %a = arith.addf %y, %y : tensor<4xf32>
    %b = arith.mulf %x, %a : tensor<4xf32>
    evox.return %b : tensor<4xf32>
  }
  evox.vmap @many of @f in [1, unit] out [0] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK-SAME:    %[[X:.*]]: tensor<4x3xf32> {evox.arg = 0 : i32}, %[[Y:.*]]: tensor<4xf32> {evox.arg = 1 : i32}) -> (tensor<3x4xf32> {evox.result = 0 : i32})
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[X]] : tensor<4x3xf32>) {{.*}} permutation = [1, 0]
// CHECK:         %[[A:.*]] = arith.addf %[[Y]], %[[Y]] : tensor<4xf32>
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[A]] : tensor<4xf32>)
// CHECK:         arith.mulf %[[T]], %[[R]] : tensor<3x4xf32>

// -----

// A chain: the state of each lane.
evox.module @M {
  evox.state mutable @n "n" : tensor<i64>
  evox.func @count(%x: tensor<i64>) {
    %n = evox.load @n : tensor<i64>
    %m = arith.addi %n, %x : tensor<i64>
    evox.store %m, @n : tensor<i64>
    evox.return
  }
  evox.use_state @pure of @count keys ["n"]
  evox.vmap @many of @pure in [0, 0] out [0] {axis_size = 3 : i64}
  evox.vmap @more of @many in [0, unit] out [1] {axis_size = 2 : i64, entry = {name = "more"}}
}
// CHECK-LABEL: func.func private @many(%{{.*}}: tensor<3xi64>, %{{.*}}: tensor<3xi64>) -> tensor<3xi64>
// CHECK-LABEL: func.func @more(
// CHECK-SAME:    %[[N:.*]]: tensor<2x3xi64> {{.*}}, %[[X:.*]]: tensor<3xi64> {{.*}}) -> (tensor<3x2xi64>
// CHECK:         arith.addi %[[N]], %{{.*}} : tensor<2x3xi64>
// CHECK:         linalg.transpose

// -----

// A branch on data: both sides run, each lane keeps its own.
evox.module @M {
  evox.func @f(%c: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
    %i = tensor.extract %c[] : tensor<i1>
    %r = evox.if %i -> (tensor<4xf32>) {
      %a = arith.addf %x, %x : tensor<4xf32>
      evox.yield %a : tensor<4xf32>
    } else {
      evox.yield %x : tensor<4xf32>
    }
    evox.return %r : tensor<4xf32>
  }
  evox.vmap @many of @f in [0, 0] out [0] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK-SAME:    %[[C:.*]]: tensor<3xi1> {{.*}}, %[[X:.*]]: tensor<3x4xf32>
// CHECK-NOT:     scf.if
// CHECK:         %[[A:.*]] = arith.addf %[[X]], %[[X]]
// CHECK:         %[[S:.*]] = linalg.generic {{.*}} ins(%[[C]] : tensor<3xi1>)
// CHECK:         arith.select %[[S]], %[[A]], %[[X]] : tensor<3x4xi1>, tensor<3x4xf32>

// -----

// A loop on data: until the last lane is done; what is done is frozen.
evox.module @M {
  evox.func @f(%x: tensor<f32>, %most: tensor<f32>) -> tensor<f32> {
    %r = evox.while(%x) : (tensor<f32>) -> tensor<f32> {
    ^bb0(%a: tensor<f32>):
      %l = arith.cmpf olt, %a, %most : tensor<f32>
      %c = tensor.extract %l[] : tensor<i1>
      evox.condition(%c) %a : tensor<f32>
    } do {
    ^bb0(%a: tensor<f32>):
      %b = arith.addf %a, %a : tensor<f32>
      evox.yield %b : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }
  evox.vmap @many of @f in [0, unit] out [0] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK:         %[[W:.*]]:2 = scf.while (%[[A:.*]] = %{{.*}}, %[[ON:.*]] = %{{.*}})
// CHECK:           %[[L:.*]] = arith.cmpf olt, %[[A]], %{{.*}} : tensor<3xf32>
// CHECK:           %[[N:.*]] = arith.andi %[[ON]], %[[L]] : tensor<3xi1>
// CHECK:           linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%[[N]] : tensor<3xi1>)
// CHECK:           scf.condition(%{{.*}}) %[[A]], %[[N]]
// CHECK:         ^bb0(%[[A:.*]]: tensor<3xf32>, %[[ON:.*]]: tensor<3xi1>):
// CHECK:           %[[B:.*]] = arith.addf %[[A]], %[[A]] : tensor<3xf32>
// CHECK:           %[[K:.*]] = arith.select %[[ON]], %[[B]], %[[A]] : tensor<3xi1>, tensor<3xf32>
// CHECK:           scf.yield %[[K]], %[[ON]]
// CHECK:         return %[[W]]#0

// -----

// A number of rounds per lane.
evox.module @M {
  evox.func @f(%n: tensor<index>, %x: tensor<f32>) -> tensor<f32> {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %m = tensor.extract %n[] : tensor<index>
    %r = scf.for %i = %zero to %m step %one iter_args(%a = %x) -> (tensor<f32>) {
      %b = arith.addf %a, %a : tensor<f32>
      scf.yield %b : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }
  evox.vmap @many of @f in [0, 0] out [0] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK:         arith.ceildivsi
// CHECK:         arith.maxsi
// CHECK:         scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}) -> (tensor<3xf32>)
// CHECK:           %[[ON:.*]] = arith.cmpi slt
// CHECK:           %[[B:.*]] = arith.addf %[[A]], %[[A]]
// CHECK:           %[[S:.*]] = arith.select %[[ON]], %[[B]], %[[A]]
// CHECK:           scf.yield %[[S]]

// -----

// An index per lane is a gather; a slice at the same place stays a slice.
evox.module @M {
  evox.func @f(%x: tensor<8x2xf32>, %i: tensor<index>) -> (tensor<2xf32>, tensor<1x2xf32>) {
    %k = tensor.extract %i[] : tensor<index>
    %a = tensor.extract_slice %x[%k, 0] [1, 2] [1, 1] : tensor<8x2xf32> to tensor<2xf32>
    %b = tensor.extract_slice %x[3, 0] [1, 2] [1, 1] : tensor<8x2xf32> to tensor<1x2xf32>
    evox.return %a, %b : tensor<2xf32>, tensor<1x2xf32>
  }
  evox.vmap @many of @f in [0, 0] out [0, 0] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK-SAME:    %[[X:.*]]: tensor<3x8x2xf32> {{.*}}, %[[I:.*]]: tensor<3xindex>
// CHECK:         linalg.generic
// CHECK:           %[[LANE:.*]] = linalg.index 0
// CHECK:           %[[AT:.*]] = tensor.extract %[[I]][%[[LANE]]]
// CHECK:           tensor.extract %[[X]][%[[LANE]], %[[AT]], %{{.*}}]
// CHECK:         tensor.extract_slice %[[X]][0, 3, 0] [3, 1, 2] [1, 1, 1]

// -----

// Along another dimension, and with the lane as the first index.
evox.module @M {
  evox.func @f(%x: tensor<8xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>) -> (tensor<8xf32>, tensor<8xi64>, tensor<8xf32>) {
    %v, %k = evox.sort %x dim 0 : tensor<8xf32> -> tensor<8xi64>
    %y = evox.scatter sum %u into %x at %i : tensor<3xf32> into tensor<8xf32> at tensor<3x1xi64>
    evox.return %v, %k, %y : tensor<8xf32>, tensor<8xi64>, tensor<8xf32>
  }
  evox.vmap @many of @f in [0, 0, unit] out [0, 0, 0] {axis_size = 5 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK:         evox.sort %{{.*}} dim 1 : tensor<5x8xf32> -> tensor<5x8xi64>
// CHECK:         evox.scatter sum %{{.*}} : tensor<5x3xf32> into tensor<5x8xf32> at tensor<5x3x2xi64>

// -----

// One matrix for all lanes: their rows make one product.
evox.module @M {
  evox.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %r = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x4xf32>) outs(%c : tensor<2x4xf32>) -> tensor<2x4xf32>
    evox.return %r : tensor<2x4xf32>
  }
  evox.vmap @left of @f in [0, unit, unit] out [0] {axis_size = 5 : i64, entry = {name = "left"}}
  evox.vmap @both of @f in [0, 0, unit] out [0] {axis_size = 5 : i64, entry = {name = "both"}}
}
// CHECK-LABEL: func.func @left(
// CHECK:         linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<10x3xf32>, tensor<3x4xf32>)
// CHECK-LABEL: func.func @both(
// CHECK:         linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<5x2x3xf32>, tensor<5x3x4xf32>)

// -----

// Draws: all lanes at once, or, under philox, each with its own generator.
evox.module @M {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    %zero = arith.constant 0.0 : f64
    %one = arith.constant 1.0 : f64
    %g = evox.load @g : !evox.generator
    %v, %h = evox.random.uniform %g from %zero to %one : tensor<4xf32>
    evox.store %h, @g : !evox.generator
    %y = arith.addf %v, %x : tensor<4xf32>
    evox.return %y : tensor<4xf32>
  }
  evox.vmap @different of @f in [0] out [0] {axis_size = 3 : i64, entry = {name = "different"}}
  evox.vmap @same of @f in [0] out [0] {axis_size = 3 : i64, randomness = "same", entry = {name = "same"}}
  evox.vmap @lanes of @f in [0] out [0] {axis_size = 3 : i64, randomness = "same", strategy = "lanes", entry = {name = "lanes"}}
  evox.vmap @chunks of @f in [0] out [0] {axis_size = 5 : i64, chunk_size = 2 : i64, entry = {name = "chunks"}}
}
// CHECK-LABEL: func.func @different(
// CHECK:         evox.random.uniform {{.*}} : tensor<3x4xf32>
// CHECK-LABEL: func.func @same(
// CHECK:         evox.random.uniform {{.*}} : tensor<4xf32>
// CHECK-LABEL: func.func @lanes(
// CHECK:         evox.random.begin_lanes %{{.*}} same
// CHECK:         scf.for
// CHECK:           evox.random.lane
// CHECK:           evox.random.uniform {{.*}} : tensor<4xf32>
// CHECK:         evox.random.end_lanes
// CHECK-LABEL: func.func @chunks(
// CHECK:         scf.for
// CHECK:           evox.random.uniform {{.*}} : tensor<2x4xf32>
// CHECK:         evox.random.uniform {{.*}} : tensor<1x4xf32>

// PHILOX-LABEL: func.func @different(
// PHILOX:         %[[G:.*]] = evox.random.begin_lanes %{{[a-z0-9]*}}
// PHILOX:         scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[H:.*]] = %[[G]])
// PHILOX:           %[[N:.*]] = arith.index_cast %[[I]] : index to i64
// PHILOX:           evox.random.lane %[[H]], %[[N]]
// PHILOX:           evox.random.uniform {{.*}} : tensor<4xf32>
// PHILOX:         evox.random.end_lanes

// -----

// An assert says whether any lane fails it.
evox.module @M {
  evox.func @f(%c: tensor<i1>, %i: tensor<i64>) {
    %ok = tensor.extract %c[] : tensor<i1>
    %k = tensor.extract %i[] : tensor<i64>
    evox.assert %ok, "bad: {}"(%k : i64)
    evox.return
  }
  evox.vmap @many of @f in [0, 0] out [] {axis_size = 3 : i64, entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(
// CHECK:         linalg.generic {{.*}} iterator_types = ["reduction"]}
// CHECK:         %[[LANE:.*]] = tensor.extract %{{.*}}[] : tensor<index>
// CHECK:         %[[K:.*]] = tensor.extract %{{.*}}[%[[LANE]]] : tensor<3xi64>
// CHECK:         evox.assert %{{.*}}, "bad: {}"(%[[K]] : i64)

// -----

// As many lanes as the argument has.
evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    %b = arith.addf %x, %x : tensor<4xf32>
    evox.return %b : tensor<4xf32>
  }
  evox.vmap @many of @f in [0] out [0] {entry = {name = "many"}}
}
// CHECK-LABEL: func.func @many(%{{.*}}: tensor<?x4xf32> {{.*}}) -> (tensor<?x4xf32>
// CHECK:         arith.addf %{{.*}} : tensor<?x4xf32>

// -----

// Much work where lanes part: each lane does its own.
evox.module @M {
  evox.func @f(%c: tensor<i1>, %x: tensor<4096xf32>) -> tensor<4096xf32> {
    %i = tensor.extract %c[] : tensor<i1>
    %r = evox.if %i -> (tensor<4096xf32>) {
      %a = math.exp %x : tensor<4096xf32>
      evox.yield %a : tensor<4096xf32>
    } else {
      evox.yield %x : tensor<4096xf32>
    }
    evox.return %r : tensor<4096xf32>
  }
  evox.vmap @many of @f in [0, 0] out [0] {axis_size = 3 : i64, entry = {name = "many"}}
  evox.vmap @masked of @f in [0, 0] out [0] {axis_size = 3 : i64, strategy = "mask", entry = {name = "masked"}}
}
// CHECK-LABEL: func.func @many(
// CHECK:         scf.for
// CHECK:           scf.if
// CHECK:             math.exp %{{.*}} : tensor<4096xf32>
// CHECK-LABEL: func.func @masked(
// CHECK-NOT:     scf.if
// CHECK:         math.exp %{{.*}} : tensor<3x4096xf32>
