// RUN: evox-opt %s | FileCheck %s
// RUN: evox-opt %s --mlir-print-op-generic | evox-opt | FileCheck %s
// RUN: evox-opt %s --emit-bytecode | evox-opt | FileCheck %s

// Modules, state, functions: the whole of what the importer emits.

// CHECK-LABEL: evox.module @Workflow
// CHECK-SAME: phases = [{python = "{}"}, {python = "{\22multi_obj\22: false}", types = {algorithm.z = tensor<1x2xf32>}}]
evox.module @Workflow attributes {phases = [
    {python = "{}"},
    {python = "{\"multi_obj\": false}", types = {"algorithm.z" = tensor<1x2xf32>}}]} {
  // CHECK: evox.state mutable @__generator__ "__generator__" : !evox.generator
  evox.state mutable @__generator__ "__generator__" : !evox.generator
  // CHECK: evox.state mutable @history "history" : !evox.list<tensor<?xf32>> elements [dense<1.000000e+00> : tensor<3xf32>, dense<2.000000e+00> : tensor<2xf32>]
  evox.state mutable @history "history" : !evox.list<tensor<?xf32>>
    elements [dense<1.0> : tensor<3xf32>, dense<2.0> : tensor<2xf32>]
  // CHECK: evox.state mutable @empty "empty" : !evox.list<tensor<?x?xf64>>{{$}}
  evox.state mutable @empty "empty" : !evox.list<tensor<?x?xf64>>
  // CHECK: evox.state constant @mask "mask" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8> dtype "uint8"
  evox.state constant @mask "mask" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8> dtype "uint8"
  // CHECK: evox.state parameter @grown "grown" : tensor<?xf32> = dense<0.000000e+00> : tensor<4xf32>
  evox.state parameter @grown "grown" : tensor<?xf32> = dense<0.0> : tensor<4xf32>

  // CHECK: evox.module @algorithm {
  evox.module @algorithm {
    // CHECK: evox.state mutable @population "algorithm.population" : tensor<8x2xf32> = dense_resource<population> : tensor<8x2xf32>
    evox.state mutable @population "algorithm.population" : tensor<8x2xf32> = dense_resource<population> : tensor<8x2xf32>
    // CHECK: evox.state parameter @w "algorithm.w" : tensor<f32> = dense<6.000000e-01> : tensor<f32>
    evox.state parameter @w "algorithm.w" : tensor<f32> = dense<6.0e-01> : tensor<f32>
    // CHECK: evox.state mutable @z "algorithm.z" : tensor<2xf32> or [tensor<1x2xf32>, tensor<?xi32>]
    evox.state mutable @z "algorithm.z" : tensor<2xf32> or [tensor<1x2xf32>, tensor<?xi32>]

    // CHECK: evox.func private @helper()
    evox.func private @helper() {
      // A name is resolved outwards.
      // CHECK: evox.load @mask : tensor<2xi8>
      %m = evox.load @mask : tensor<2xi8>
      // CHECK: evox.load @algorithm::@w : tensor<f32>
      %w = evox.load @algorithm::@w : tensor<f32>
      // CHECK: evox.return{{$}}
      evox.return
    }
    // An empty module.
    // CHECK: evox.module @leaf {
    evox.module @leaf {
    }
  }

  evox.module @problem {
    // CHECK: evox.func @evaluate(%[[X:.*]]: tensor<8x2xf32>) -> tensor<8xf32>
    evox.func @evaluate(%x: tensor<8x2xf32>) -> tensor<8xf32> {
      // CHECK: evox.call @algorithm::@helper() : () -> ()
      evox.call @algorithm::@helper() : () -> ()
      // CHECK: evox.external_call "problem.evaluate"(%[[X]]) : (tensor<8x2xf32>) -> tensor<8xf32>
      %f = evox.external_call "problem.evaluate"(%x) : (tensor<8x2xf32>) -> tensor<8xf32>
      evox.external_call "problem.note"() : () -> ()
      evox.return %f : tensor<8xf32>
    }
  }

  // CHECK: evox.func @step(%[[ARG:.*]]: tensor<8x2xf32>) -> (tensor<8xf32>, tensor<2xf32>)
  // CHECK-SAME: entry = {arg_dtypes = ["float32"], arg_names = ["x"]
  // CHECK-SAME: name = "step", next = 1 : i64, phase = 0 : i64
  evox.func @step(%x: tensor<8x2xf32>) -> (tensor<8xf32>, tensor<2xf32>) attributes {
      entry = {name = "step", phase = 0, next = 1,
               arg_names = ["x"], arg_dtypes = ["float32"], result_dtypes = ["float32", "float32"],
               args = "{\"tuple\": [{\"tensor\": 0}, {\"value\": 3}, null]}",
               results = "{\"dict\": {\"tensor\": {\"tensor\": 0}, \"z\": {\"list\": [{\"tensor\": 1}]}}}"}} {
    // CHECK: %[[F:.*]] = evox.call @problem::@evaluate(%[[ARG]]) : (tensor<8x2xf32>) -> tensor<8xf32>
    %f = evox.call @problem::@evaluate(%x) : (tensor<8x2xf32>) -> tensor<8xf32>
    // CHECK: evox.store %[[ARG]], @algorithm::@population : tensor<8x2xf32>
    evox.store %x, @algorithm::@population : tensor<8x2xf32>
    // A slot is of different types in different phases.
    // CHECK: %[[Z:.*]] = evox.load @algorithm::@z : tensor<2xf32>
    %z = evox.load @algorithm::@z : tensor<2xf32>
    %z1 = tensor.expand_shape %z [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
    // CHECK: evox.store %{{.*}}, @algorithm::@z : tensor<1x2xf32>
    evox.store %z1, @algorithm::@z : tensor<1x2xf32>
    // CHECK: evox.return %[[F]], %[[Z]] : tensor<8xf32>, tensor<2xf32>
    evox.return %f, %z : tensor<8xf32>, tensor<2xf32>
  }

  // The same method in the other phase.
  evox.func @step_1() attributes {entry = {name = "step", phase = 1, next = 1}} {
    evox.return
  }

  // CHECK: evox.func @lists(%[[I:.*]]: index, %[[T:.*]]: tensor<8xf32>)
  evox.func @lists(%i: index, %x: tensor<8xf32>) -> (index, tensor<?xf32>) {
    // CHECK: %[[L:.*]] = evox.load @history : !evox.list<tensor<?xf32>>
    %l = evox.load @history : !evox.list<tensor<?xf32>>
    // CHECK: %[[M:.*]] = evox.list.append %[[L]], %[[T]] : !evox.list<tensor<?xf32>>, tensor<8xf32>
    %m = evox.list.append %l, %x : !evox.list<tensor<?xf32>>, tensor<8xf32>
    // CHECK: evox.list.clear %[[M]] : !evox.list<tensor<?xf32>>
    %c = evox.list.clear %m : !evox.list<tensor<?xf32>>
    // CHECK: evox.list.size %[[M]] : !evox.list<tensor<?xf32>>
    %n = evox.list.size %m : !evox.list<tensor<?xf32>>
    // CHECK: evox.list.get %[[M]][%[[I]]] : !evox.list<tensor<?xf32>> -> tensor<?xf32>
    %e = evox.list.get %m[%i] : !evox.list<tensor<?xf32>> -> tensor<?xf32>
    // CHECK: evox.list.get %[[M]][%[[I]]] : !evox.list<tensor<?xf32>> -> tensor<5xf32>
    %e5 = evox.list.get %m[%i] : !evox.list<tensor<?xf32>> -> tensor<5xf32>
    evox.store %m, @history : !evox.list<tensor<?xf32>>
    evox.return %n, %e : index, tensor<?xf32>
  }

  // CHECK: evox.func @asserts
  evox.func @asserts(%ok: i1, %i: i64, %x: f32) {
    // CHECK: evox.assert %{{.*}}, "plain"{{$}}
    evox.assert %ok, "plain"
    // CHECK: evox.assert %{{.*}}, "index {} of {}, {}"(%{{.*}}, %{{.*}} : i64, f32)
    evox.assert %ok, "index {} of {}, {}"(%i, %x : i64, f32)
    evox.return
  }
}

// CHECK-LABEL: evox.module @Counter
evox.module @Counter {
  evox.state mutable @n "n" : tensor<i64> = dense<0> : tensor<i64>
  evox.func @next() -> tensor<i64> {
    %n = evox.load @n : tensor<i64>
    %one = arith.constant dense<1> : tensor<i64>
    %m = arith.addi %n, %one : tensor<i64>
    evox.store %m, @n : tensor<i64>
    evox.return %m : tensor<i64>
  }
}

// CHECK-LABEL: evox.module @ControlFlow
evox.module @ControlFlow {
  evox.state mutable @x "x" : tensor<4xf32>

  // CHECK: evox.func @if
  evox.func @if(%c: i1, %x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    // CHECK: evox.if %{{.*}} -> (tensor<4xf32>) {
    // CHECK-NEXT: evox.yield %{{.*}} : tensor<4xf32>
    // CHECK-NEXT: } else {
    %r = evox.if %c -> (tensor<4xf32>) {
      evox.yield %x : tensor<4xf32>
    } else {
      evox.yield %y : tensor<4xf32>
    }
    // The terminator without operands is implied.
    // CHECK: evox.if %{{.*}} {
    // CHECK-NEXT: evox.store
    // CHECK-NEXT: } else {
    // CHECK-NEXT: }
    evox.if %c {
      evox.store %r, @x : tensor<4xf32>
    } else {
    }
    evox.return %r : tensor<4xf32>
  }

  // CHECK: evox.func @switch
  evox.func @switch(%i: index, %x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
    // CHECK: evox.switch %{{.*}} -> (tensor<f32>) {
    // CHECK: }, {
    %r = evox.switch %i -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }, {
      evox.yield %y : tensor<f32>
    }
    // CHECK: evox.switch %{{.*}} {
    evox.switch %i {
    }
    evox.return %r : tensor<f32>
  }

  // CHECK: evox.func @while
  evox.func @while(%x: tensor<f32>, %limit: f32) -> tensor<f32> {
    // CHECK: evox.while(%{{.*}}) : (tensor<f32>) -> tensor<f32> {
    // CHECK: evox.condition(%{{.*}}) %{{.*}} : tensor<f32>
    // CHECK: } do {
    // CHECK: evox.yield %{{.*}} : tensor<f32>
    %r = evox.while(%x) : (tensor<f32>) -> tensor<f32> {
    ^bb0(%a: tensor<f32>):
      %v = tensor.extract %a[] : tensor<f32>
      %c = arith.cmpf olt, %v, %limit : f32
      evox.condition(%c) %a : tensor<f32>
    } do {
    ^bb0(%a: tensor<f32>):
      %b = arith.addf %a, %a : tensor<f32>
      evox.yield %b : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }

  // The values handed to the body may differ from the carried ones.
  // CHECK: evox.func @while_values
  evox.func @while_values(%c: i1) -> (tensor<f32>, i1) {
    // CHECK: evox.while() : () -> (tensor<f32>, i1) {
    %r:2 = evox.while() : () -> (tensor<f32>, i1) {
      %v = evox.load @x : tensor<4xf32>
      %f = arith.constant dense<0.0> : tensor<f32>
      evox.condition(%c) %f, %c : tensor<f32>, i1
    } do {
    ^bb0(%a: tensor<f32>, %b: i1):
      evox.yield
    }
    // CHECK: evox.condition(%{{.*}}){{$}}
    evox.while() : () -> () {
      evox.condition(%c)
    } do {
      evox.yield
    }
    evox.return %r#0, %r#1 : tensor<f32>, i1
  }
}

// CHECK-LABEL: func.func @random
func.func @random(%g: !evox.generator, %zero: f64, %one: f64, %lo: i64, %hi: i64, %n: index,
                  %p: tensor<8xf32>, %q: tensor<f64>) -> !evox.generator {
  // CHECK: evox.random.uniform %{{.*}} from %{{.*}} to %{{.*}} : tensor<8x2xf32>
  %0, %g0 = evox.random.uniform %g from %zero to %one : tensor<8x2xf32>
  // CHECK: evox.random.uniform %{{.*}} from %{{.*}} to %{{.*}} sizes(%{{.*}}, %{{.*}}) : tensor<?x2x?xf64>
  %1, %g1 = evox.random.uniform %g0 from %zero to %one sizes(%n, %n) : tensor<?x2x?xf64>
  // CHECK: evox.random.normal %{{.*}} mean %{{.*}} std %{{.*}} : tensor<8x2xf32>
  %2, %g2 = evox.random.normal %g1 mean %zero std %one : tensor<8x2xf32>
  // CHECK: evox.random.integers %{{.*}} low %{{.*}} high %{{.*}} : tensor<8xi64>
  %3, %g3 = evox.random.integers %g2 low %lo high %hi : tensor<8xi64>
  // CHECK: evox.random.integers %{{.*}} low %{{.*}} high %{{.*}} : tensor<8xf32>
  %4, %g4 = evox.random.integers %g3 low %lo high %hi : tensor<8xf32>
  // CHECK: evox.random.permutation %{{.*}} : tensor<8xi64>
  %5, %g5 = evox.random.permutation %g4 : tensor<8xi64>
  // CHECK: evox.random.permutation %{{.*}} sizes(%{{.*}}) : tensor<?xi64>
  %6, %g6 = evox.random.permutation %g5 sizes(%n) : tensor<?xi64>
  // CHECK: evox.random.exponential %{{.*}} rate %{{.*}} : tensor<8xf32>
  %7, %g7 = evox.random.exponential %g6 rate %one : tensor<8xf32>
  // CHECK: evox.random.bernoulli %{{.*}} p %{{.*}} : tensor<8xf32> -> tensor<8xf32>
  %8, %g8 = evox.random.bernoulli %g7 p %p : tensor<8xf32> -> tensor<8xf32>
  // CHECK: evox.random.bernoulli %{{.*}} p %{{.*}} sizes(%{{.*}}) : tensor<f64> -> tensor<?x3xi1>
  %9, %g9 = evox.random.bernoulli %g8 p %q sizes(%n) : tensor<f64> -> tensor<?x3xi1>
  return %g9 : !evox.generator
}

// CHECK-LABEL: func.func @arrays
func.func @arrays(%x: tensor<8x2xf32>, %b: tensor<?xi8>, %s: tensor<f64>, %n: index, %m: tensor<8x2xi1>,
                  %u: tensor<3xf32>, %i: tensor<3x2xi64>, %ub: tensor<?xi8>, %ib: tensor<?x1xi64>) {
  // CHECK: evox.sort %{{.*}} dim 0 : tensor<8x2xf32> -> tensor<8x2xi64>
  %v, %j = evox.sort %x dim 0 : tensor<8x2xf32> -> tensor<8x2xi64>
  // CHECK: evox.sort %{{.*}} dim 0 descending unsigned : tensor<?xi8> -> tensor<?xi64>
  %0:2 = evox.sort %b dim 0 descending unsigned : tensor<?xi8> -> tensor<?xi64>
  // CHECK: evox.sort %{{.*}} dim 0 : tensor<f64> -> tensor<i64>
  %1:2 = evox.sort %s dim 0 : tensor<f64> -> tensor<i64>
  // CHECK: evox.sort %{{.*}} dim 0 select 3 : tensor<8x2xf32> -> tensor<8x2xi64>
  %kth:2 = evox.sort %x dim 0 select 3 : tensor<8x2xf32> -> tensor<8x2xi64>
  // CHECK: evox.topk %{{.*}} dim 0 least : tensor<8x2xf32> -> tensor<3x2xf32>, tensor<3x2xi64>
  %2:2 = evox.topk %x dim 0 least : tensor<8x2xf32> -> tensor<3x2xf32>, tensor<3x2xi64>
  // CHECK: evox.topk %{{.*}} k %{{.*}} dim 0 unsorted unsigned : tensor<?xi8> -> tensor<?xi8>, tensor<?xi64>
  %3:2 = evox.topk %b k %n dim 0 unsorted unsigned : tensor<?xi8> -> tensor<?xi8>, tensor<?xi64>
  // CHECK: evox.topk %{{.*}} dim 0 : tensor<f64> -> tensor<f64>, tensor<i64>
  %4:2 = evox.topk %s dim 0 : tensor<f64> -> tensor<f64>, tensor<i64>
  // CHECK: evox.cumulative sum %{{.*}} dim 1 : tensor<8x2xf32>
  %5 = evox.cumulative sum %x dim 1 : tensor<8x2xf32>
  // CHECK: evox.cumulative prod
  %6 = evox.cumulative prod %x dim 1 : tensor<8x2xf32>
  // CHECK: evox.cumulative max
  %7 = evox.cumulative max %x dim 1 : tensor<8x2xf32>
  // CHECK: evox.cumulative min
  %8 = evox.cumulative min %x dim 1 : tensor<8x2xf32>
  // CHECK: evox.cumulative logsumexp
  %9 = evox.cumulative logsumexp %x dim 1 : tensor<8x2xf32>
  // CHECK: evox.scatter assign %{{.*}} into %{{.*}} at %{{.*}} : tensor<3xf32> into tensor<8x2xf32> at tensor<3x2xi64>
  %10 = evox.scatter assign %u into %x at %i : tensor<3xf32> into tensor<8x2xf32> at tensor<3x2xi64>
  // CHECK: evox.scatter max %{{.*}} into %{{.*}} at %{{.*}} unsigned : tensor<?xi8> into tensor<?xi8> at tensor<?x1xi64>
  %11 = evox.scatter max %ub into %b at %ib unsigned : tensor<?xi8> into tensor<?xi8> at tensor<?x1xi64>
  // CHECK: evox.nonzero %{{.*}} count %{{.*}} : tensor<8x2xi1> -> tensor<?x2xi64>
  %12 = evox.nonzero %m count %n : tensor<8x2xi1> -> tensor<?x2xi64>
  return
}

// CHECK-LABEL: func.func @linalg
func.func @linalg(%a: tensor<4x4xf32>, %t: tensor<4x3xf32>, %b: tensor<4x2xf32>, %d: tensor<?x5x?x?xf64>) {
  // CHECK: evox.linalg.cholesky %{{.*}} : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<i32>
  %l, %info = evox.linalg.cholesky %a : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<i32>
  // CHECK: evox.linalg.cholesky %{{.*}} upper : tensor<?x5x?x?xf64> -> tensor<?x5x?x?xf64>, tensor<?x5xi32>
  %0:2 = evox.linalg.cholesky %d upper : tensor<?x5x?x?xf64> -> tensor<?x5x?x?xf64>, tensor<?x5xi32>
  // CHECK: evox.linalg.eigh %{{.*}} : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %w, %v, %info1 = evox.linalg.eigh %a : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  // CHECK: evox.linalg.qr %{{.*}} : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>
  %q, %r = evox.linalg.qr %t : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>
  // CHECK: evox.linalg.qr %{{.*}} : tensor<4x3xf32> -> tensor<4x4xf32>, tensor<4x3xf32>
  %q1, %r1 = evox.linalg.qr %t : tensor<4x3xf32> -> tensor<4x4xf32>, tensor<4x3xf32>
  // CHECK: evox.linalg.svd %{{.*}} : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xf32>, tensor<3x3xf32>, tensor<i32>
  %u, %s, %vh, %info2 = evox.linalg.svd %t : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xf32>, tensor<3x3xf32>, tensor<i32>
  // CHECK: evox.linalg.svd %{{.*}} : tensor<4x3xf32> -> tensor<4x4xf32>, tensor<3xf32>, tensor<3x3xf32>, tensor<i32>
  %1:4 = evox.linalg.svd %t : tensor<4x3xf32> -> tensor<4x4xf32>, tensor<3xf32>, tensor<3x3xf32>, tensor<i32>
  // CHECK: evox.linalg.lu %{{.*}} : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xi32>, tensor<i32>
  %lu, %p, %info3 = evox.linalg.lu %t : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xi32>, tensor<i32>
  // CHECK: evox.linalg.solve %{{.*}}, %{{.*}} : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i32>
  %x, %info4 = evox.linalg.solve %a, %b : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i32>
  // CHECK: evox.linalg.solve_triangular %{{.*}}, %{{.*}} upper : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %x1 = evox.linalg.solve_triangular %a, %b upper : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  // CHECK: evox.linalg.solve_triangular %{{.*}}, %{{.*}} transposed unit : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  %x2 = evox.linalg.solve_triangular %a, %b transposed unit : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  // CHECK: evox.linalg.lstsq %{{.*}}, %{{.*}} rcond 1.000000e-03 : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<3x2xf32>, tensor<i64>
  %x3, %rank = evox.linalg.lstsq %t, %b rcond 1.0e-3 : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<3x2xf32>, tensor<i64>
  return
}

// CHECK-LABEL: func.func @kernels
func.func @kernels(%x: tensor<8xf32>, %v: tensor<8xf32>, %i: tensor<8xi64>, %dim: i64, %p: f64,
                   %m: memref<8xf32, strided<[2], offset: ?>>, %u: memref<?xi8>) {
  // CHECK: %{{.*}}:2 = evox.kernel_call "sort"(%{{.*}}) outs(%{{.*}}, %{{.*}}) scalars(%{{.*}}) : (tensor<8xf32>) outs(tensor<8xf32>, tensor<8xi64>) scalars(i64)
  %r:2 = evox.kernel_call "sort"(%x) outs(%v, %i) scalars(%dim) : (tensor<8xf32>) outs(tensor<8xf32>, tensor<8xi64>) scalars(i64)
  // CHECK: evox.kernel_call "random_uniform"() outs(%{{.*}}) scalars(%{{.*}}, %{{.*}}) {effects} : () outs(tensor<8xf32>) scalars(f64, f64)
  %s = evox.kernel_call "random_uniform"() outs(%v) scalars(%p, %p) {effects} : () outs(tensor<8xf32>) scalars(f64, f64)
  // CHECK: evox.kernel_call "scatter"(%{{.*}}) outs(%{{.*}}) {inplace, unsignedElements} : (memref<8xf32, strided<[2], offset: ?>>) outs(memref<?xi8>)
  evox.kernel_call "scatter"(%m) outs(%u) {inplace, unsignedElements} : (memref<8xf32, strided<[2], offset: ?>>) outs(memref<?xi8>)
  // CHECK: evox.kernel_call "problem.evaluate"(%{{.*}}) outs(%{{.*}}) {effects, external} : (tensor<8xf32>) outs(tensor<8xf32>)
  %t = evox.kernel_call "problem.evaluate"(%x) outs(%v) {effects, external} : (tensor<8xf32>) outs(tensor<8xf32>)
  // CHECK: evox.kernel_call "tick"() {effects} : (){{$}}
  evox.kernel_call "tick"() {effects} : ()
  return
}

{-#
  dialect_resources: {
    builtin: {
      population: "0x04000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  }
#-}
