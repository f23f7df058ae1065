// RUN: evox-opt %s --evox-parallelize-loops=min-task-cost=1000 --canonicalize --split-input-file | FileCheck %s
// RUN: evox-opt %s --evox-parallelize-loops=min-task-cost=1000000000 --split-input-file | FileCheck %s --check-prefix=SMALL

// Two loops over the same rows, of which the second one reads what the first
// one wrote in its row, are a task of some rows each. The store of a scalar
// moves before them. Of the buffer between them there is a tile.

// CHECK-LABEL: func.func @rows
// CHECK-SAME:    %[[X:.*]]: memref<1000x8xf32>, %[[Y:.*]]: memref<1000x8xf32>, %[[S:.*]]: memref<f32>)
// CHECK-NOT:     memref.alloc
// CHECK:         memref.store %{{.*}}, %[[S]]
// CHECK:         call @rows.rows0(%{{.*}}, %[[X]], %[[S]], %[[Y]]) {evox.parallel_call}
// CHECK-NEXT:    return

// CHECK:       func.func private @rows.rows0(%[[I:.*]]: index, {{.*}}) attributes {evox.distinct_buffers}
// CHECK-DAG:     %[[FROM:.*]] = arith.muli %[[I]], %[[SIZE:.*]] : index
// CHECK-DAG:     %[[B:.*]] = memref.alloca() {{.*}} : memref<[[T:[0-9]+]]x8xf32>
// CHECK:         scf.for %[[F:.*]] = %[[FROM]] to %{{.*}} step %c[[T]]
// CHECK:           %[[LAST:.*]] = arith.minui
// CHECK:           scf.for %[[J:.*]] = %[[F]] to %[[LAST]] step %c1
// CHECK:             %[[ROW:.*]] = arith.subi %[[J]], %[[F]]
// CHECK:             memref.store %{{.*}}, %[[B]][%[[ROW]], %{{.*}}]
// CHECK:           scf.for %[[K:.*]] = %[[F]] to %[[LAST]] step %c1
// CHECK:             %[[ROW2:.*]] = arith.subi %[[K]], %[[F]]
// CHECK:             memref.load %[[B]][%[[ROW2]], %{{.*}}]

// SMALL-LABEL: func.func @rows
// SMALL-NOT:     parallel_call
func.func @rows(%x: memref<1000x8xf32>, %y: memref<1000x8xf32>, %s: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c1000 = arith.constant 1000 : index
  %f = arith.constant 2.0 : f32
  %a = memref.alloc() : memref<1000x8xf32>
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %x[%i, %j] : memref<1000x8xf32>
      %w = arith.mulf %v, %v : f32
      memref.store %w, %a[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.store %f, %s[] : memref<f32>
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %a[%i, %j] : memref<1000x8xf32>
      %u = memref.load %s[] : memref<f32>
      %w = arith.mulf %v, %u : f32
      memref.store %w, %y[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %a : memref<1000x8xf32>
  return
}

// -----

// The second loop reads another row, and the third one what comes of a loop
// that is not parallel: they stay apart.

// CHECK-LABEL: func.func @apart
// CHECK:         call @apart.rows0
// CHECK:         call @apart.rows1
// CHECK:         scf.for
// CHECK:         call @apart.rows2
// CHECK:         return
func.func @apart(%x: memref<1000x8xf32>, %y: memref<1000x8xf32>, %s: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c999 = arith.constant 999 : index
  %c1000 = arith.constant 1000 : index
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %x[%i, %j] : memref<1000x8xf32>
      %w = arith.mulf %v, %v : f32
      memref.store %w, %x[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %k = arith.subi %c999, %i : index
      %v = memref.load %x[%k, %j] : memref<1000x8xf32>
      memref.store %v, %y[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  scf.for %i = %c0 to %c1000 step %c1 {
    %v = memref.load %y[%i, %c0] : memref<1000x8xf32>
    %u = memref.load %s[] : memref<f32>
    %w = arith.addf %v, %u : f32
    memref.store %w, %s[] : memref<f32>
  }
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %y[%i, %j] : memref<1000x8xf32>
      %u = memref.load %s[] : memref<f32>
      %w = arith.mulf %v, %u : f32
      memref.store %w, %y[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// -----

// Draws that the loop does not need are the first task, in their order.

// CHECK-LABEL: func.func @draws
// CHECK:         call @draws.rows0
// CHECK-NOT:     evox.kernel_call
// CHECK:         return
// CHECK:       func.func private @draws.rows0(%[[I:.*]]: index
// CHECK:         %[[FIRST:.*]] = arith.cmpi eq, %[[I]], %c0
// CHECK:         scf.if %[[FIRST]] {
// CHECK:           evox.kernel_call "random_uniform"() outs(%[[U:.*]])
// CHECK:           evox.kernel_call "random_normal"() outs(%[[V:.*]])
// CHECK:         } else {
// CHECK:           arith.subi %[[I]], %c1
// CHECK:           scf.for
func.func @draws(%x: memref<1000x8xf32>, %u: memref<1000x8xf32>, %v: memref<1000x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c1000 = arith.constant 1000 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %a = memref.load %x[%i, %j] : memref<1000x8xf32>
      %b = arith.mulf %a, %a : f32
      memref.store %b, %x[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  evox.kernel_call "random_uniform"() outs(%u) scalars(%zero, %one) {effects} : () outs(memref<1000x8xf32>) scalars(f64, f64)
  evox.kernel_call "random_normal"() outs(%v) scalars(%zero, %one) {effects} : () outs(memref<1000x8xf32>) scalars(f64, f64)
  return
}

// -----

// A check stands where it is, with what it guards behind it.

// CHECK-LABEL: func.func @guarded
// CHECK:         call @guarded.rows0
// CHECK:         evox.assert
// CHECK:         call @guarded.rows1
func.func @guarded(%x: memref<1000x8xf32>, %n: memref<1000xindex>, %ok: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c1000 = arith.constant 1000 : index
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %a = memref.load %x[%i, %j] : memref<1000x8xf32>
      %b = arith.mulf %a, %a : f32
      memref.store %b, %x[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  evox.assert %ok, "out of bounds"
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %a = memref.load %x[%i, %j] : memref<1000x8xf32>
      %b = arith.addf %a, %a : f32
      memref.store %b, %x[%i, %j] : memref<1000x8xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// -----

// The loop on data writes what the loop before it wrote, under the name that it
// carries it by: the loop after it, which reads that, doesn't move past it.

// CHECK-LABEL: func.func @carried
// CHECK:         call @carried.rows0
// CHECK:         scf.while
// CHECK:         scf.for
func.func @carried(%x: memref<1000xf32>, %y: memref<1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  %one = arith.constant 1.0 : f32
  %a = memref.alloc() : memref<1000xf32>
  %b = memref.alloc() : memref<1000xf32>
  scf.for %i = %c0 to %c1000 step %c1 {
    %v = memref.load %x[%i] : memref<1000xf32>
    %w = arith.addf %v, %one : f32
    memref.store %w, %a[%i] : memref<1000xf32>
    memref.store %v, %b[%i] : memref<1000xf32>
  } {evox.parallel}
  %r:2 = scf.while (%s = %a, %t = %b)
      : (memref<1000xf32>, memref<1000xf32>)
        -> (memref<1000xf32>, memref<1000xf32>) {
    %v = memref.load %s[%c0] : memref<1000xf32>
    %c = arith.cmpf olt, %v, %one : f32
    scf.condition(%c) %s, %t : memref<1000xf32>, memref<1000xf32>
  } do {
  ^bb0(%s: memref<1000xf32>, %t: memref<1000xf32>):
    memref.store %one, %t[%c0] : memref<1000xf32>
    scf.yield %t, %s : memref<1000xf32>, memref<1000xf32>
  }
  scf.for %i = %c0 to %c1000 step %c1 {
    %v = memref.load %a[%i] : memref<1000xf32>
    memref.store %v, %y[%i] : memref<1000xf32>
  } {evox.parallel}
  memref.dealloc %a : memref<1000xf32>
  memref.dealloc %b : memref<1000xf32>
  return
}

// -----

// Long rows need no multiples of 16 to a task. Tasks are as many as two, four
// or eight threads share evenly.

// CHECK-LABEL: func.func @long_rows
// CHECK:         call @long_rows.rows0(%c64,
// CHECK:       func.func private @long_rows.rows0(%[[I:.*]]: index
// CHECK:         %[[TO:.*]] = arith.addi %[[I]], %c1
// CHECK:         scf.for %{{.*}} = %[[I]] to %[[TO]]
func.func @long_rows(%x: memref<64x8192xf32>, %y: memref<64x8192xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c8192 = arith.constant 8192 : index
  scf.for %i = %c0 to %c64 step %c1 {
    scf.for %j = %c0 to %c8192 step %c1 {
      %a = memref.load %x[%i, %j] : memref<64x8192xf32>
      %b = arith.mulf %a, %a : f32
      memref.store %b, %y[%i, %j] : memref<64x8192xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// -----

// A small loop waits for a larger one to join, but not the larger for the
// smaller.

// CHECK-LABEL: func.func @larger
// CHECK:         scf.for
// CHECK:         call @larger.rows0
// CHECK:         return
func.func @larger(%x: memref<10xf32>, %y: memref<1000xf32>, %z: memref<1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c1000 = arith.constant 1000 : index
  scf.for %i = %c0 to %c10 step %c1 {
    %v = memref.load %x[%i] : memref<10xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %x[%i] : memref<10xf32>
  } {evox.parallel}
  scf.for %i = %c0 to %c1000 step %c1 {
    %v = memref.load %y[%i] : memref<1000xf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %z[%i] : memref<1000xf32>
  } {evox.parallel}
  return
}

// -----

// One row of many is read: it is small, whatever the number of rows.

// CHECK-LABEL: func.func @one_row
// CHECK-NOT:     parallel_call
// CHECK:         return
func.func @one_row(%x: memref<1000x100xf32>, %k: index, %y: memref<100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  scf.for %j = %c0 to %c100 step %c1 {
    %v = memref.load %x[%k, %j] : memref<1000x100xf32>
    memref.store %v, %y[%j] : memref<100xf32>
  } {evox.parallel}
  return
}

// -----

// Rows whose number the run decides: how many tasks there are, too.

// CHECK-LABEL: func.func @open(
// CHECK-SAME:    %[[X:.*]]: memref<?x1000xf32>, %[[Y:.*]]: memref<?x1000xf32>)
// CHECK:         %[[N:.*]] = memref.dim %[[X]]
// CHECK:         %[[PER:.*]] = arith.maxui
// CHECK:         %[[TASKS:.*]] = arith.divui %{{.*}}, %[[PER]]
// CHECK:         call @open.rows0(%[[TASKS]], %[[N]], %[[PER]], %[[X]], %[[Y]]) {evox.parallel_call}
// CHECK:         return
// CHECK:       func.func private @open.rows0(%[[I:.*]]: index, %[[ROWS:.*]]: index, %[[EACH:.*]]: index,
// CHECK:         %[[FROM:.*]] = arith.muli %[[I]], %[[EACH]]
// CHECK:         %[[NEXT:.*]] = arith.addi %[[FROM]], %[[EACH]]
// CHECK:         %[[TO:.*]] = arith.minui %[[NEXT]], %[[ROWS]]
// CHECK:         scf.for %{{.*}} = %[[FROM]] to %[[TO]]
func.func @open(%x: memref<?x1000xf32>, %y: memref<?x1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  %n = memref.dim %x, %c0 : memref<?x1000xf32>
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %c1000 step %c1 {
      %a = memref.load %x[%i, %j] : memref<?x1000xf32>
      %b = math.sqrt %a : f32
      memref.store %b, %y[%i, %j] : memref<?x1000xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}

// -----

// Sixteen lanes of a batch are shared too.

// CHECK-LABEL: func.func @lanes
// CHECK:         call @lanes.rows0(%c16,
func.func @lanes(%x: memref<16x500xf32>, %y: memref<16x500xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c500 = arith.constant 500 : index
  scf.for %i = %c0 to %c16 step %c1 {
    scf.for %j = %c0 to %c500 step %c1 {
      %v = memref.load %x[%i, %j] : memref<16x500xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %y[%i, %j] : memref<16x500xf32>
    } {evox.parallel}
  } {evox.parallel}
  return
}
