// RUN: evox-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(evox-split-draws{min-elements=64}))' | evox-opt -split-input-file | FileCheck %s
// RUN: evox-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(evox-split-draws{min-elements=64 counter-based=true}))' | FileCheck %s --check-prefix=PHILOX
// RUN: evox-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(evox-split-draws{min-elements=64}),evox-parallelize-loops)' | evox-opt -split-input-file | FileCheck %s --check-prefix=TASKS

// A draw is skipped where it stands, and drawn by rows where they are read;
// 1000 rows of 100 are 16 ranges of 64 rows. The tasks draw what they need into
// tiles.

// CHECK-LABEL: func.func @rows
// CHECK:         %[[R:.*]] = memref.alloc() {{.*}} : memref<1000x100xf32>
// CHECK:         %[[ROOM:.*]] = memref.alloc() {alignment = 64 : i64} : memref<42048xi8>
// CHECK:         evox.kernel_call "random_uniform_begin"() outs(%[[ROOM]]) scalars(%c100000_i64, %c6400_i64, %c6_i64, %{{.*}}, %{{.*}}) {effects}
// CHECK:         scf.for %[[I:.*]] = %
// CHECK:           %[[ROW:.*]] = memref.subview %[[R]][%[[I]], 0] [1, 100] [1, 1]
// CHECK:           %[[AT:.*]] = arith.muli %[[I]], %c100
// CHECK:           %[[FIRST:.*]] = arith.index_cast %[[AT]] : index to i64
// CHECK:           evox.kernel_call "random_uniform_part"() outs(%[[ROW]], %[[ROOM]]) scalars(%c0_i64, %[[FIRST]], %{{.*}}, %{{.*}}) {inplace}
// CHECK:         } {evox.draw_loop = 64 : i64, evox.parallel}
// CHECK:         scf.for
// CHECK:           memref.load %[[R]]
// CHECK:         memref.dealloc %[[ROOM]]

// PHILOX-LABEL: func.func @rows
// PHILOX:         memref.alloc() {{.*}} : memref<64xi8>

// TASKS-LABEL: func.func @rows
// TASKS-NOT:     memref.alloc() {{.*}} : memref<1000x100xf32>
// TASKS:         call @rows.rows0(%c16
// TASKS:       func.func private @rows.rows0(%[[TASK:.*]]: index
// TASKS:         %[[TILE:.*]] = memref.alloca() {{.*}} : memref<32x100xf32>
// TASKS:         %[[FROM:.*]] = arith.muli %[[TASK]], %c64
// TASKS:         scf.for %[[ROW:.*]] = %[[FROM]]
// TASKS:           %[[NUMBER:.*]] = arith.index_cast %[[TASK]] : index to i64
// TASKS:           %[[PART:.*]] = memref.subview %[[TILE]][0, 0]
// TASKS:           evox.kernel_call "random_uniform_part"() outs(%[[PART]], %{{.*}}) scalars(%[[NUMBER]]
// TASKS:           scf.for %[[I:.*]] = %[[ROW]]
// TASKS:             %[[LOCAL:.*]] = arith.subi %[[I]], %[[ROW]]
// TASKS:             memref.load %[[TILE]][%[[LOCAL]]
func.func @rows(%x: memref<1000x100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c1000 = arith.constant 1000 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %r = memref.alloc() {alignment = 64 : i64} : memref<1000x100xf32>
  evox.kernel_call "random_uniform"() outs(%r) scalars(%zero, %one) {effects} : () outs(memref<1000x100xf32>) scalars(f64, f64)
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      %a = memref.load %r[%i, %j] : memref<1000x100xf32>
      %b = memref.load %x[%i, %j] : memref<1000x100xf32>
      %c = arith.mulf %a, %b : f32
      memref.store %c, %x[%i, %j] : memref<1000x100xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %r : memref<1000x100xf32>
  return
}

// -----

// Its rows are read by others than themselves: it stays whole.

// CHECK-LABEL: func.func @other_rows
// CHECK:         evox.kernel_call "random_uniform"()
func.func @other_rows(%x: memref<1000x100xf32>, %k: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c1000 = arith.constant 1000 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %r = memref.alloc() {alignment = 64 : i64} : memref<1000x100xf32>
  evox.kernel_call "random_uniform"() outs(%r) scalars(%zero, %one) {effects} : () outs(memref<1000x100xf32>) scalars(f64, f64)
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      %a = memref.load %r[%k, %j] : memref<1000x100xf32>
      memref.store %a, %x[%i, %j] : memref<1000x100xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %r : memref<1000x100xf32>
  return
}

// -----

// A loop writes it too: it stays whole.

// CHECK-LABEL: func.func @written
// CHECK:         evox.kernel_call "random_uniform"()
func.func @written(%x: memref<1000x100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c1000 = arith.constant 1000 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %r = memref.alloc() {alignment = 64 : i64} : memref<1000x100xf32>
  evox.kernel_call "random_uniform"() outs(%r) scalars(%zero, %one) {effects} : () outs(memref<1000x100xf32>) scalars(f64, f64)
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      %a = memref.load %r[%i, %j] : memref<1000x100xf32>
      memref.store %a, %x[%i, %j] : memref<1000x100xf32>
      memref.store %a, %r[%i, %c0] : memref<1000x100xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %r : memref<1000x100xf32>
  return
}

// -----

// What the draw is for depends on what comes before it: the first loops are a
// group of their own, with the start of the draw as a task, and the numbers are
// drawn with the second.

// TASKS-LABEL: func.func @two_groups
// TASKS:         call @two_groups.rows0
// TASKS:         call @two_groups.rows1
// TASKS:       func.func private @two_groups.rows1
// TASKS:         evox.kernel_call "random_uniform_part"
// TASKS:       func.func private @two_groups.rows0
// TASKS:         evox.kernel_call "random_uniform_begin"
// TASKS-NOT:     random_uniform_part
func.func @two_groups(%x: memref<1000x100xf32>, %y: memref<1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c1000 = arith.constant 1000 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      %a = memref.load %x[%i, %j] : memref<1000x100xf32>
      %b = memref.load %y[%i] : memref<1000xf32>
      %c = arith.addf %a, %b : f32
      memref.store %c, %y[%i] : memref<1000xf32>
    }
  } {evox.parallel}
  %r = memref.alloc() {alignment = 64 : i64} : memref<1000x100xf32>
  evox.kernel_call "random_uniform"() outs(%r) scalars(%zero, %one) {effects} : () outs(memref<1000x100xf32>) scalars(f64, f64)
  scf.for %i = %c0 to %c1000 step %c1 {
    scf.for %j = %c0 to %c100 step %c1 {
      %a = memref.load %r[%i, %j] : memref<1000x100xf32>
      %b = memref.load %y[%c0] : memref<1000xf32>
      %c = arith.mulf %a, %b : f32
      memref.store %c, %x[%i, %j] : memref<1000x100xf32>
    } {evox.parallel}
  } {evox.parallel}
  memref.dealloc %r : memref<1000x100xf32>
  return
}
