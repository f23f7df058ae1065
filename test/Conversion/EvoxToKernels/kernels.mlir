// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(convert-evox-to-kernels))' --split-input-file | FileCheck %s

// A draw advances the generator of the instance; what it returned is the one
// that came in.

// CHECK-LABEL: func.func @draws(
// CHECK-SAME:    %[[G:.*]]: !evox.generator, %[[A:.*]]: f64, %[[N:.*]]: index)
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<8x2xf32>
// CHECK:         %[[U:.*]] = evox.kernel_call "random_uniform"() outs(%[[E]]) scalars(%[[A]], %[[A]]) {effects} : () outs(tensor<8x2xf32>) scalars(f64, f64)
// CHECK:         %[[D:.*]] = tensor.empty(%[[N]]) : tensor<?xf64>
// CHECK:         evox.kernel_call "random_normal"() outs(%[[D]]) scalars(%[[A]], %[[A]]) {effects}
// CHECK:         evox.kernel_call "random_integers"() outs(%{{.*}}) scalars(%{{.*}}, %{{.*}}) {effects} : () outs(tensor<4xi64>) scalars(i64, i64)
// CHECK:         evox.kernel_call "random_permutation"() outs(%{{.*}}) {effects} : () outs(tensor<4xi64>)
// CHECK:         evox.kernel_call "random_exponential"() outs(%{{.*}}) scalars(%[[A]]) {effects}
// CHECK:         evox.kernel_call "random_bernoulli"(%[[U]]) outs(%{{.*}}) {effects} : (tensor<8x2xf32>) outs(tensor<8x2xf32>)
// CHECK:         return %[[G]]
func.func @draws(%g: !evox.generator, %a: f64, %n: index) -> !evox.generator {
  %u, %g1 = evox.random.uniform %g from %a to %a : tensor<8x2xf32>
  %v, %g2 = evox.random.normal %g1 mean %a std %a sizes(%n) : tensor<?xf64>
  %lo = arith.constant 0 : i64
  %i, %g3 = evox.random.integers %g2 low %lo high %lo : tensor<4xi64>
  %p, %g4 = evox.random.permutation %g3 : tensor<4xi64>
  %e, %g5 = evox.random.exponential %g4 rate %a : tensor<4xf32>
  %b, %g6 = evox.random.bernoulli %g5 p %u : tensor<8x2xf32> -> tensor<8x2xf32>
  return %g6 : !evox.generator
}

// -----

// CHECK-LABEL: func.func @arrays(
// CHECK-SAME:    %[[X:.*]]: tensor<?x2xi8>, %[[K:.*]]: index
// CHECK:         %[[N:.*]] = tensor.dim %[[X]], %{{.*}} : tensor<?x2xi8>
// CHECK:         tensor.empty(%[[N]]) : tensor<?x2xi8>
// CHECK:         evox.kernel_call "sort"(%[[X]]) outs(%{{.*}}, %{{.*}}) scalars(%{{.*}}, %{{.*}}) {unsignedElements}
// CHECK:         tensor.empty(%[[K]]) : tensor<?x2xi8>
// CHECK:         evox.kernel_call "topk"(%[[X]])
// CHECK:         evox.kernel_call "cumulative"
// CHECK:         evox.kernel_call "scatter"(%{{.*}}, %{{.*}}) outs(%{{.*}}) scalars(%{{.*}}) {inplace}
// CHECK:         tensor.empty(%[[K]]) : tensor<?x1xi64>
// CHECK:         evox.kernel_call "nonzero"
func.func @arrays(%x: tensor<?x2xi8>, %k: index, %f: tensor<8x2xf32>, %u: tensor<3xf32>, %at: tensor<3x2xi64>, %m: tensor<8xi1>)
    -> (tensor<?x2xi8>, tensor<?x2xi8>, tensor<8x2xf32>, tensor<8x2xf32>, tensor<?x1xi64>) {
  %s, %si = evox.sort %x dim 0 unsigned : tensor<?x2xi8> -> tensor<?x2xi64>
  %t, %ti = evox.topk %x k %k dim 0 least : tensor<?x2xi8> -> tensor<?x2xi8>, tensor<?x2xi64>
  %c = evox.cumulative sum %f dim 1 : tensor<8x2xf32>
  %w = evox.scatter assign %u into %c at %at : tensor<3xf32> into tensor<8x2xf32> at tensor<3x2xi64>
  %n = evox.nonzero %m count %k : tensor<8xi1> -> tensor<?x1xi64>
  return %s, %t, %c, %w, %n : tensor<?x2xi8>, tensor<?x2xi8>, tensor<8x2xf32>, tensor<8x2xf32>, tensor<?x1xi64>
}

// -----

// CHECK-LABEL: func.func @factorisations(
// CHECK:         evox.kernel_call "cholesky"(%{{.*}}) outs(%{{.*}}, %{{.*}}) scalars(%{{.*}}) : (tensor<4x4xf32>) outs(tensor<4x4xf32>, tensor<i32>) scalars(i64)
// CHECK:         evox.kernel_call "eigh"
// CHECK:         evox.kernel_call "qr"
// CHECK:         evox.kernel_call "svd"
// CHECK:         evox.kernel_call "lu"
// CHECK:         evox.kernel_call "solve"
// CHECK:         evox.kernel_call "solve_triangular"{{.*}} scalars(i64, i64, i64)
// CHECK:         %[[R:.*]] = arith.constant -1.000000e+00 : f64
// CHECK:         evox.kernel_call "lstsq"{{.*}} scalars(%[[R]])
func.func @factorisations(%a: tensor<4x4xf32>, %b: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %l, %i0 = evox.linalg.cholesky %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<i32>
  %w, %v, %i1 = evox.linalg.eigh %a : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %q, %r = evox.linalg.qr %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4x4xf32>
  %u, %s, %vh, %i2 = evox.linalg.svd %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %lu, %p, %i3 = evox.linalg.lu %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4xi32>, tensor<i32>
  %x, %i4 = evox.linalg.solve %a, %b : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i32>
  %y = evox.linalg.solve_triangular %a, %x upper : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %z, %k = evox.linalg.lstsq %a, %y : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i64>
  return %z : tensor<4x2xf32>
}

// -----

// The sizes of a factorisation's results follow from those of its operands.

// CHECK-LABEL: func.func @open_sizes(
// CHECK-SAME:    %[[A:.*]]: tensor<?x4x?xf32>, %[[B:.*]]: tensor<?x4x2xf32>)
// CHECK-DAG:     %[[BATCH:.*]] = tensor.dim %[[A]], %c0
// CHECK-DAG:     %[[N:.*]] = tensor.dim %[[A]], %c2
// CHECK:         tensor.empty(%{{.*}}, %{{.*}}) : tensor<?x?x2xf32>
// CHECK:         tensor.empty(%{{.*}}) : tensor<?xi64>
func.func @open_sizes(%a: tensor<?x4x?xf32>, %b: tensor<?x4x2xf32>) -> tensor<?x?x2xf32> {
  %x, %k = evox.linalg.lstsq %a, %b : tensor<?x4x?xf32>, tensor<?x4x2xf32> -> tensor<?x?x2xf32>, tensor<?xi64>
  return %x : tensor<?x?x2xf32>
}

// -----

// CHECK-LABEL: func.func @host(
// CHECK:         evox.kernel_call "problem.evaluate"(%{{.*}}) outs(%{{.*}}) {effects, external} : (tensor<8x2xf32>) outs(tensor<8xf32>)
func.func @host(%x: tensor<8x2xf32>) -> tensor<8xf32> {
  %f = evox.external_call "problem.evaluate"(%x) : (tensor<8x2xf32>) -> tensor<8xf32>
  return %f : tensor<8xf32>
}

// -----

// The host decides the size: it is told what is wanted, and the result is taken
// once the size is known. 6 is float32, and 0 is uint8.

// CHECK-LABEL: func.func @open(
// CHECK-DAG:     %[[WORDS:.*]] = arith.constant dense<[1, 0, 2, 6, 2, -1, 3, 11, 0]>
// CHECK:         evox.kernel_call "external_describe"(%[[WORDS]])
// CHECK:         %[[SIZES:.*]] = evox.kernel_call "load"(%{{.*}}) outs(%{{.*}}) {effects, external} : (tensor<8xi8>) outs(tensor<1xi64>)
// CHECK:         %[[N:.*]] = tensor.extract %[[SIZES]]
// CHECK:         %[[SIZE:.*]] = arith.index_cast %[[N]]
// CHECK:         %[[OUT:.*]] = tensor.empty(%[[SIZE]]) : tensor<?x3xf32>
// CHECK:         %[[ONE:.*]] = evox.kernel_call "external_take"() outs(%[[OUT]]) scalars(%{{.*}}) {effects}
// CHECK:         %[[TWO:.*]] = evox.kernel_call "external_take"()
// CHECK:         return %[[ONE]], %[[TWO]]
func.func @open(%x: tensor<8xi8>) -> (tensor<?x3xf32>, tensor<i1>) {
  %r:2 = evox.external_call "load"(%x) {arg_dtypes = ["uint8"]} : (tensor<8xi8>) -> (tensor<?x3xf32>, tensor<i1>)
  return %r#0, %r#1 : tensor<?x3xf32>, tensor<i1>
}

// -----

// Through branches and loops, a list and the generator stay what came in.

// CHECK-LABEL: func.func @handles(
// CHECK-SAME:    %[[G:.*]]: !evox.generator, %[[L:.*]]: !evox.list<tensor<?xf32>>, %[[C:.*]]: i1
// CHECK:         scf.if
// CHECK:           scf.for
// CHECK:             evox.list.append %[[L]]
// CHECK:         evox.list.size %[[L]]
// CHECK:         return %[[G]], %[[L]]
func.func @handles(%g: !evox.generator, %l: !evox.list<tensor<?xf32>>, %c: i1, %a: f64, %n: index)
    -> (!evox.generator, !evox.list<tensor<?xf32>>, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %h, %m = scf.if %c -> (!evox.generator, !evox.list<tensor<?xf32>>) {
    %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%gi = %g, %li = %l) -> (!evox.generator, !evox.list<tensor<?xf32>>) {
      %v, %gn = evox.random.uniform %gi from %a to %a : tensor<8xf32>
      %ln = evox.list.append %li, %v : !evox.list<tensor<?xf32>>, tensor<8xf32>
      scf.yield %gn, %ln : !evox.generator, !evox.list<tensor<?xf32>>
    }
    scf.yield %r#0, %r#1 : !evox.generator, !evox.list<tensor<?xf32>>
  } else {
    scf.yield %g, %l : !evox.generator, !evox.list<tensor<?xf32>>
  }
  %s = evox.list.size %m : !evox.list<tensor<?xf32>>
  return %h, %m, %s : !evox.generator, !evox.list<tensor<?xf32>>, index
}
