// RUN: evox-opt %s --evox-hoist-invariants --split-input-file | FileCheck %s

#id = affine_map<(d0) -> (d0)>
#to0 = affine_map<(d0) -> ()>

// A sum of a slot that the step does not write is computed once, and so is the
// function of it; the step takes the result. The small op before it stays with
// whom it is fused into, and the broadcast of the result as well.

// CHECK-LABEL: func.func private @step.once(
// CHECK-SAME:    %[[W:.*]]: tensor<64xf32> {bufferization.writable = false, evox.slot = 0 : i32})
// CHECK-SAME:    -> (tensor<f32> {evox.invariant = 0 : i32})
// CHECK:         arith.mulf %[[W]], %[[W]]
// CHECK:         linalg.generic
// CHECK:         %[[E:.*]] = math.exp
// CHECK:         return %[[E]] : tensor<f32>
// CHECK-LABEL: func.func @step(
// CHECK-SAME:    %[[X:.*]]: tensor<64xf32> {evox.slot = 1 : i32}, %[[I:.*]]: tensor<f32> {evox.invariant = 0 : i32})
// CHECK-SAME:    evox.once = @step.once
// CHECK-NOT:     math.exp
// CHECK:         %[[B:.*]] = linalg.generic {{.*}} ins(%[[I]] : tensor<f32>)
// CHECK:         arith.addf %{{.*}}, %[[B]]
evox.module @A {
  evox.state parameter @w "w" : tensor<64xf32>
  evox.state mutable @x "x" : tensor<64xf32>
}
func.func @step(%w: tensor<64xf32> {evox.slot = 0 : i32}, %x: tensor<64xf32> {evox.slot = 1 : i32})
    -> (tensor<64xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {}} {
  %zero = arith.constant 0.0 : f32
  %square = arith.mulf %w, %w : tensor<64xf32>
  %e = tensor.empty() : tensor<f32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#id, #to0], iterator_types = ["reduction"]} ins(%square : tensor<64xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %exp = math.exp %sum : tensor<f32>
  %empty = tensor.empty() : tensor<64xf32>
  %all = linalg.generic {indexing_maps = [#to0, #id], iterator_types = ["parallel"]} ins(%exp : tensor<f32>) outs(%empty : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<64xf32>
  %y = arith.mulf %x, %square : tensor<64xf32>
  %z = arith.addf %y, %all : tensor<64xf32>
  return %z : tensor<64xf32>
}

// -----

// What the step writes is not the same in the next call; what it leaves as it
// was is.

// CHECK-LABEL: func.func private @step.once(
// CHECK-SAME:    %{{.*}}: tensor<4x4xf32> {bufferization.writable = false, evox.slot = 1 : i32})
// CHECK:         evox.linalg.eigh
// CHECK-NOT:     evox.linalg.eigh
// CHECK-LABEL: func.func @step(
// CHECK:         evox.linalg.eigh
// CHECK-NOT:     evox.linalg.eigh
evox.module @A {
  evox.state mutable @x "x" : tensor<4x4xf32>
  evox.state mutable @y "y" : tensor<4x4xf32>
}
func.func @step(%x: tensor<4x4xf32> {evox.slot = 0 : i32}, %y: tensor<4x4xf32> {evox.slot = 1 : i32})
    -> (tensor<4x4xf32> {evox.slot = 0 : i32}, tensor<4x4xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {}} {
  %u, %v, %i = evox.linalg.eigh %y : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %r, %s, %t = evox.linalg.eigh %x : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %z = arith.addf %v, %s : tensor<4x4xf32>
  return %z, %y : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Draws, lists, calls of the host, and what is under a branch stay.

// CHECK-NOT:     .once
// CHECK-LABEL: func.func @step(
// CHECK-NOT:     evox.once
// CHECK:         evox.random.uniform
// CHECK:         evox.list.size
// CHECK:         evox.external_call
// CHECK:         scf.if
// CHECK:           evox.linalg.eigh
evox.module @A {
  evox.state mutable @g "g" : !evox.generator
  evox.state mutable @l "l" : !evox.list<tensor<f32>>
  evox.state parameter @p "p" : tensor<4x4xf32>
  evox.state mutable @x "x" : tensor<4x4xf32>
  evox.state mutable @n "n" : tensor<i64>
}
func.func @step(%g: !evox.generator {evox.slot = 0 : i32}, %l: !evox.list<tensor<f32>> {evox.slot = 1 : i32}, %p: tensor<4x4xf32> {evox.slot = 2 : i32}, %x: tensor<4x4xf32> {evox.slot = 3 : i32})
    -> (!evox.generator {evox.slot = 0 : i32}, tensor<4x4xf32> {evox.slot = 3 : i32}) attributes {evox.entry = {}} {
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %c0 = arith.constant 0 : index
  %r, %next = evox.random.uniform %g from %zero to %one : tensor<4x4xf32>
  %n = evox.list.size %l : !evox.list<tensor<f32>>
  %h = evox.external_call "f"(%p) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %some = arith.cmpi sgt, %n, %c0 : index
  %v = scf.if %some -> tensor<4x4xf32> {
    %u, %w, %i = evox.linalg.eigh %p : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
    scf.yield %w : tensor<4x4xf32>
  } else {
    scf.yield %x : tensor<4x4xf32>
  }
  %y = arith.addf %v, %r : tensor<4x4xf32>
  %z = arith.addf %y, %h : tensor<4x4xf32>
  return %next, %z : !evox.generator, tensor<4x4xf32>
}

// -----

// A check moves with what it guards, as long as nothing that stays could fail
// before it. A check of what changes is such a thing: behind it, neither another
// check nor a gather nor a factorization moves; a sum does.

// CHECK-LABEL: func.func private @step.once(
// CHECK:         evox.assert %{{.*}}, "first"
// CHECK:         linalg.generic
// CHECK:           tensor.extract
// CHECK-NOT:     evox.assert
// CHECK:         return %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<f32>
// CHECK-LABEL: func.func @step(
// CHECK-NOT:     "first"
// CHECK:         evox.assert %{{.*}}, "second"
// CHECK:         evox.assert %{{.*}}, "third"
// CHECK:         tensor.extract %{{.*}}[%{{.*}}] : tensor<8xf32>
// CHECK:         evox.linalg.eigh
evox.module @A {
  evox.state parameter @t "t" : tensor<8xf32>
  evox.state parameter @i "i" : tensor<4xi64>
  evox.state parameter @ok "ok" : tensor<i1>
  evox.state parameter @m "m" : tensor<4x4xf32>
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state mutable @go "go" : tensor<i1>
}
func.func @step(%t: tensor<8xf32> {evox.slot = 0 : i32}, %i: tensor<4xi64> {evox.slot = 1 : i32}, %ok: tensor<i1> {evox.slot = 2 : i32}, %m: tensor<4x4xf32> {evox.slot = 3 : i32}, %x: tensor<4xf32> {evox.slot = 4 : i32}, %go: tensor<i1> {evox.slot = 5 : i32})
    -> (tensor<4xf32> {evox.slot = 4 : i32}, tensor<i1> {evox.slot = 5 : i32}) attributes {evox.entry = {}} {
  %zero = arith.constant 0.0 : f32
  %first = tensor.extract %ok[] : tensor<i1>
  evox.assert %first, "first"
  %e = tensor.empty() : tensor<4xf32>
  %gather = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%i : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32):
    %at = arith.index_cast %a : i64 to index
    %v = tensor.extract %t[%at] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %second = tensor.extract %go[] : tensor<i1>
  evox.assert %second, "second"
  evox.assert %first, "third"
  %again = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%i : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32):
    %at = arith.index_cast %a : i64 to index
    %v = tensor.extract %t[%at] : tensor<8xf32>
    %w = arith.addf %v, %v : f32
    linalg.yield %w : f32
  } -> tensor<4xf32>
  %u, %vs, %info = evox.linalg.eigh %m : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %e0 = tensor.empty() : tensor<f32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%t : tensor<8xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %sumv = tensor.extract %sum[] : tensor<f32>
  %all = tensor.splat %sumv : tensor<4xf32>
  %y = arith.addf %x, %gather : tensor<4xf32>
  %z = arith.addf %y, %again : tensor<4xf32>
  %p = arith.addf %z, %u : tensor<4xf32>
  %q = arith.addf %p, %all : tensor<4xf32>
  %true = arith.constant dense<true> : tensor<i1>
  %not = arith.xori %go, %true : tensor<i1>
  return %q, %not : tensor<4xf32>, tensor<i1>
}

// -----

// A slow function of a broadcast would be read from a large memory instead of
// being computed from a small one; a difference that it starts from is small,
// and computed once.

#big = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func private @step.once(
// CHECK-SAME:    -> (tensor<100xf32> {evox.invariant = 0 : i32})
// CHECK-NEXT:    arith.subf
// CHECK-NEXT:    return
// CHECK-LABEL: func.func @step(
// CHECK-NOT:     arith.subf
// CHECK:         math.exp %{{.*}} : tensor<1024x100xf32>
evox.module @A {
  evox.state parameter @lb "lb" : tensor<100xf32>
  evox.state parameter @ub "ub" : tensor<100xf32>
  evox.state mutable @x "x" : tensor<1024x100xf32>
}
func.func @step(%lb: tensor<100xf32> {evox.slot = 0 : i32}, %ub: tensor<100xf32> {evox.slot = 1 : i32}, %x: tensor<1024x100xf32> {evox.slot = 2 : i32})
    -> (tensor<1024x100xf32> {evox.slot = 2 : i32}) attributes {evox.entry = {}} {
  %d = arith.subf %ub, %lb : tensor<100xf32>
  %e = tensor.empty() : tensor<1024x100xf32>
  %b = linalg.generic {indexing_maps = [#row, #big], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<100xf32>) outs(%e : tensor<1024x100xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<1024x100xf32>
  %f = math.exp %b : tensor<1024x100xf32>
  %y = arith.mulf %x, %f : tensor<1024x100xf32>
  return %y : tensor<1024x100xf32>
}

// -----

// What repeats fewer elements is not kept: neither a gather that is a broadcast,
// nor arithmetic on one.

// CHECK-NOT:     .once
// CHECK-LABEL: func.func @step(
// CHECK:         tensor.extract
// CHECK:         arith.muli
evox.module @A {
  evox.state parameter @p "p" : tensor<8x1xi64>
  evox.state parameter @q "q" : tensor<i64>
  evox.state mutable @x "x" : tensor<8x100xi64>
}
func.func @step(%p: tensor<8x1xi64> {evox.slot = 0 : i32}, %q: tensor<i64> {evox.slot = 1 : i32}, %x: tensor<8x100xi64> {evox.slot = 2 : i32})
    -> (tensor<8x100xi64> {evox.slot = 2 : i32}) attributes {evox.entry = {}} {
  %c0 = arith.constant 0 : index
  %three = arith.constant dense<3> : tensor<8xi64>
  %e = tensor.empty() : tensor<8x100xi64>
  %rows = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<8x100xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %v = tensor.extract %p[%i, %c0] : tensor<8x1xi64>
    linalg.yield %v : i64
  } -> tensor<8x100xi64>
  %v = tensor.extract %q[] : tensor<i64>
  %s = tensor.splat %v : tensor<8xi64>
  %t = arith.muli %s, %three : tensor<8xi64>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%t : tensor<8xi64>) outs(%e : tensor<8x100xi64>) {
  ^bb0(%a: i64, %o: i64):
    linalg.yield %a : i64
  } -> tensor<8x100xi64>
  %y = arith.addi %x, %rows : tensor<8x100xi64>
  %z = arith.addi %y, %b : tensor<8x100xi64>
  return %z : tensor<8x100xi64>
}

// -----

// Out of a loop that is known to run; not out of one that may not.

// CHECK-LABEL: func.func @loops(
// CHECK:         linalg.matmul
// CHECK:         scf.for
// CHECK-NOT:       linalg.matmul
// CHECK:           arith.addf
// CHECK:         scf.for
// CHECK:           linalg.matmul
func.func @loops(%m: tensor<4x4xf32>, %x: tensor<4x4xf32>, %n: index) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %zero = arith.constant dense<0.0> : tensor<4x4xf32>
  %y = scf.for %i = %c0 to %c9 step %c1 iter_args(%a = %x) -> tensor<4x4xf32> {
    %p = linalg.matmul ins(%m, %m : tensor<4x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<4x4xf32>) -> tensor<4x4xf32>
    %s = arith.addf %a, %p : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  %z = scf.for %i = %c0 to %n step %c1 iter_args(%a = %y) -> tensor<4x4xf32> {
    %p = linalg.matmul ins(%x, %m : tensor<4x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<4x4xf32>) -> tensor<4x4xf32>
    %s = arith.addf %a, %p : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  return %z : tensor<4x4xf32>
}

// -----

// An entry point with arguments, and one that leads to another phase, are not
// called again as they are.

// CHECK-NOT:     .once
// CHECK-LABEL: func.func @evaluate(
// CHECK:         evox.linalg.eigh
// CHECK-LABEL: func.func @first(
// CHECK:         evox.linalg.eigh
evox.module @A attributes {phases = [{}, {}]} {
  evox.state parameter @m "m" : tensor<4x4xf32>
  evox.state mutable @x "x" : tensor<4xf32>
}
func.func @evaluate(%a: tensor<4xf32> {evox.arg = 0 : i32}, %m: tensor<4x4xf32> {evox.slot = 0 : i32})
    -> (tensor<4xf32> {evox.result = 0 : i32}) attributes {evox.entry = {}} {
  %u, %v, %i = evox.linalg.eigh %m : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %y = arith.addf %u, %a : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @first(%m: tensor<4x4xf32> {evox.slot = 0 : i32}, %x: tensor<4xf32> {evox.slot = 1 : i32})
    -> (tensor<4xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {phase = 0 : i64, next = 1 : i64}} {
  %u, %v, %i = evox.linalg.eigh %m : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %y = arith.addf %u, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Where the same entry point is called again and again in a later phase, its
// code for the phase before is split in the same way: it is one code.

// CHECK:       func.func private @step.once(
// CHECK:         evox.linalg.eigh
// CHECK-LABEL: func.func @step(
// CHECK-NOT:     evox.linalg.eigh
// CHECK:       func.func private @step_1.once(
// CHECK:         evox.linalg.eigh
// CHECK-LABEL: func.func @step_1(
// CHECK-NOT:     evox.linalg.eigh
evox.module @A attributes {phases = [{}, {}]} {
  evox.state parameter @m "m" : tensor<4x4xf32>
  evox.state mutable @x "x" : tensor<4xf32>
}
func.func @step(%m: tensor<4x4xf32> {evox.slot = 0 : i32}, %x: tensor<4xf32> {evox.slot = 1 : i32})
    -> (tensor<4xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {name = "step", phase = 0 : i64, next = 1 : i64}} {
  %u, %v, %i = evox.linalg.eigh %m : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %y = arith.addf %u, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @step_1(%m: tensor<4x4xf32> {evox.slot = 0 : i32}, %x: tensor<4xf32> {evox.slot = 1 : i32})
    -> (tensor<4xf32> {evox.slot = 1 : i32}) attributes {evox.entry = {name = "step", phase = 1 : i64, next = 1 : i64}} {
  %u, %v, %i = evox.linalg.eigh %m : tensor<4x4xf32> -> tensor<4xf32>, tensor<4x4xf32>, tensor<i32>
  %y = arith.addf %u, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
