// RUN: evox-opt %s --convert-evox-to-llvm --reconcile-unrealized-casts --split-input-file | FileCheck %s

// The instance is the first argument; memory is its own.

// CHECK-LABEL: llvm.func internal @memory(
// CHECK-SAME:    %[[CTX:.*]]: !llvm.ptr, %{{.*}}: i64)
// CHECK:         %[[P:.*]] = llvm.call @evox_rt_alloc(%[[CTX]], %{{.*}}) : (!llvm.ptr, i64) -> !llvm.ptr
// CHECK:         llvm.call @evox_rt_free(%[[CTX]], %{{.*}}) : (!llvm.ptr, !llvm.ptr) -> ()
// CHECK:         llvm.call @memory(%[[CTX]], %{{.*}})
func.func @memory(%n: index) {
  %a = memref.alloc(%n) : memref<4x?xf32>
  memref.dealloc %a : memref<4x?xf32>
  call @memory(%n) : (index) -> ()
  return
}

// -----

// Kernels get views: data, dtype (6 is float32), rank, sizes and strides.

// CHECK-LABEL: llvm.func internal @kernel(
// CHECK:         %[[V:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, i32, i32, array<16 x i64>, array<16 x i64>)>
// CHECK:         llvm.intr.lifetime.start
// CHECK:         llvm.mlir.constant(6 : i32)
// CHECK:         llvm.call @evox_k_sort(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
// CHECK:         llvm.intr.lifetime.end
func.func @kernel(%x: memref<8xf32>, %v: memref<8xf32>, %i: memref<8xi64>, %dim: i64) {
  evox.kernel_call "sort"(%x) outs(%v, %i) scalars(%dim) : (memref<8xf32>) outs(memref<8xf32>, memref<8xi64>) scalars(i64)
  return
}

// -----

// CHECK:       llvm.mlir.global private constant @evox.text.{{.*}}("problem.evaluate\00")
// CHECK-LABEL: llvm.func internal @host(
// CHECK:         llvm.call @evox_rt_external(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i32, !llvm.ptr, i32) -> ()
func.func @host(%x: memref<8xf32>, %y: memref<f32>) {
  evox.kernel_call "problem.evaluate"(%x) outs(%y) {effects, external} : (memref<8xf32>) outs(memref<f32>)
  return
}

// -----

// CHECK-DAG:   llvm.mlir.global private constant @evox.text.{{.*}}("size is {}, not {}\00")
// CHECK-DAG:   llvm.mlir.global private constant @evox.text.{{.*}}("if\00")
// CHECK-LABEL: llvm.func internal @assertion(
// CHECK:         llvm.cond_br %{{.*}}, ^[[OK:.*]], ^[[FAIL:.*]]
// CHECK:       ^[[OK]]:
// CHECK:         llvm.return
// CHECK:       ^[[FAIL]]:
// CHECK:         llvm.fpext %{{.*}} : f32 to f64
// CHECK:         llvm.call @evox_rt_fail(
// CHECK:         llvm.unreachable
func.func @assertion(%c: i1, %n: index, %x: f32) {
  evox.assert %c, "size is {}, not {}" (%n, %x : index, f32)
  return
}

// -----

// A list is the number of its slot.

// CHECK-LABEL: llvm.func internal @lists(
// CHECK-SAME:    %[[CTX:.*]]: !llvm.ptr, %[[L:.*]]: i32,
// CHECK:         llvm.call @evox_rt_list_get(%[[CTX]], %[[L]],
// CHECK:         llvm.call @evox_rt_list_clear(%[[CTX]], %[[L]])
// CHECK:         llvm.call @evox_rt_list_append(%[[CTX]], %[[L]],
// CHECK:         llvm.call @evox_rt_list_size(%[[CTX]], %[[L]])
func.func @lists(%l: !evox.list<tensor<?xf32>>, %i: index) -> index {
  %e = evox.list.get %l[%i] : !evox.list<tensor<?xf32>> -> memref<?xf32>
  %c = evox.list.clear %l : !evox.list<tensor<?xf32>>
  %m = evox.list.append %c, %e : !evox.list<tensor<?xf32>>, memref<?xf32>
  %n = evox.list.size %m : !evox.list<tensor<?xf32>>
  return %n : index
}

// -----

// expm1 and log1p keep their small results.

// CHECK-LABEL: llvm.func internal @math(
// CHECK:         llvm.call @expm1f(
// CHECK:         llvm.call @expm1(
// CHECK:         llvm.call @log1pf(
// CHECK:         llvm.intr.exp
// CHECK:         llvm.call @erff(
func.func @math(%x: f32, %d: f64) -> (f32, f64, f32, f32, f32) {
  %a = math.expm1 %x : f32
  %b = math.expm1 %d : f64
  %c = math.log1p %x : f32
  %e = math.exp %x : f32
  %f = math.erf %x : f32
  return %a, %b, %c, %e, %f : f32, f64, f32, f32, f32
}

// -----

// An entry point's wrapper takes the views apart. What the code returns is
// handed over: here a slot (its dtype is that of the declaration) and a result.

// CHECK-LABEL: llvm.func internal @step(
// CHECK-SAME:    %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.dereferenceable = 16 : i64, llvm.noalias}
// CHECK-LABEL: llvm.func internal @evox_entry.step(
// CHECK-SAME:    %[[CTX:.*]]: !llvm.ptr, %[[SLOTS:.*]]: !llvm.ptr, %[[ARGS:.*]]: !llvm.ptr, %[[RESULTS:.*]]: !llvm.ptr)
// CHECK:         llvm.getelementptr %[[SLOTS]][0, 0]
// CHECK:         llvm.getelementptr %[[ARGS]][1, 0]
// CHECK:         llvm.getelementptr %[[ARGS]][1, 3, 0]
// CHECK:         llvm.getelementptr %[[RESULTS]][2, 0]
// CHECK:         llvm.call @step(%[[CTX]],
// CHECK:         llvm.mlir.constant(0 : i32)
// CHECK:         llvm.call @evox_rt_set_slot(%[[CTX]],
// CHECK:         %[[RESULT:.*]] = llvm.mlir.constant(3 : i32) : i32
// CHECK-NEXT:    llvm.call @evox_rt_set_result(%[[CTX]], %[[RESULT]],
evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.state mutable @y "y" : tensor<?xi8> dtype "uint8"
}
func.func @step(%x: memref<4xf32> {evox.slot = 0 : i32}, %a: memref<?xf32> {evox.arg = 1 : i32}, %r: memref<f32> {evox.result = 2 : i32})
    -> (memref<?xi8> {evox.slot = 1 : i32}, memref<?xf32> {evox.result = 3 : i32}) attributes {evox.entry = {}} {
  %n = arith.constant 4 : index
  %y = memref.alloc(%n) : memref<?xi8>
  %z = memref.alloc(%n) : memref<?xf32>
  return %y, %z : memref<?xi8>, memref<?xf32>
}

// -----

// An entry point that can be run loops until the run-time library says that the
// call was the last one; the slots' views are read anew in each round. What the
// calls share is computed before them, and their buffers lie behind each other.

// CHECK-LABEL: llvm.func internal @step(
// CHECK-SAME:    llvm.noalias
// CHECK-SAME:    %{{[^:]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.dereferenceable = 8 : i64, llvm.noalias}, %{{[^:]*}}: i64, %{{[^:]*}}: i64, %{{[^:]*}}: i64
// CHECK-SAME:    %{{[^:]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.dereferenceable = 20 : i64, llvm.noalias}
// CHECK-SAME:    %{{[^:]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.dereferenceable = 3 : i64, llvm.noalias}
// CHECK-LABEL: llvm.func internal @evox_entry.step(
// CHECK-SAME:    %[[CTX:.*]]: !llvm.ptr, %[[SLOTS:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// CHECK:         llvm.getelementptr %[[SLOTS]][1, 0]
// CHECK:         %[[ONCE:.*]] = llvm.call @step.once(%[[CTX]],
// CHECK:         %[[SIZE:.*]] = llvm.mlir.constant(128 : i64)
// CHECK:         %[[KEPT:.*]] = llvm.call @evox_rt_alloc(%[[CTX]], %[[SIZE]])
// CHECK:         llvm.getelementptr %[[KEPT]][0]
// CHECK:         llvm.getelementptr %[[KEPT]][64]
// CHECK:         llvm.call @evox_rt_begin(%[[CTX]])
// CHECK:         llvm.br ^[[LOOP:.*]]
// CHECK:       ^[[LOOP]]:
// CHECK:         llvm.getelementptr %[[SLOTS]][0, 0]
// CHECK:         llvm.extractvalue %[[ONCE]][1]
// CHECK:         llvm.call @step(%[[CTX]],
// CHECK:         %[[NEXT:.*]] = llvm.call @evox_rt_next(%[[CTX]])
// CHECK:         %[[MORE:.*]] = llvm.icmp "ne" %[[NEXT]],
// CHECK:         llvm.cond_br %[[MORE]], ^[[LOOP]], ^[[EXIT:.*]]
// CHECK:       ^[[EXIT]]:
// CHECK-NEXT:    llvm.return
evox.module @A {
  evox.state mutable @x "x" : tensor<2xf32>
  evox.state parameter @p "p" : tensor<2xf32>
}
func.func private @step.once(%p: memref<2xf32> {evox.slot = 1 : i32}) -> (memref<2xf32> {evox.invariant = 0 : i32}) {
  %a = memref.alloc() : memref<2xf32>
  memref.copy %p, %a : memref<2xf32> to memref<2xf32>
  return %a : memref<2xf32>
}
func.func @step(%x: memref<2xf32> {evox.slot = 0 : i32}, %i: memref<2xf32> {evox.invariant = 0 : i32}, %k: memref<5xf32> {evox.kept = 0 : i32}, %l: memref<3xi1> {evox.kept = 1 : i32})
    attributes {evox.entry = {}, evox.once = @step.once} {
  memref.copy %i, %x : memref<2xf32> to memref<2xf32>
  return
}

// -----

// One that leads to another phase makes one call.

// CHECK-LABEL: llvm.func internal @evox_entry.first(
// CHECK-NOT:     evox_rt_next
// CHECK:         llvm.return
evox.module @A attributes {phases = [{}, {}]} {
}
func.func @first() attributes {evox.entry = {phase = 0 : i64, next = 1 : i64}} {
  return
}
