// RUN: evox-opt %S/Inputs/pso.mlir --evox-to-state | FileCheck %s --check-prefix=STATE
// RUN: evox-opt %S/Inputs/pso.mlir --evox-to-state --evox-to-linalg | FileCheck %s --check-prefix=LINALG
// RUN: evox-opt %S/Inputs/pso.mlir --evox-to-state --evox-to-linalg --evox-to-loops | FileCheck %s --check-prefix=LOOPS
// RUN: evox-opt %S/Inputs/pso.mlir --evox-to-state --evox-to-linalg --evox-to-loops --evox-to-llvm | FileCheck %s --check-prefix=LLVM

// The methods are inlined and state is explicit.
// STATE:       evox.module @PSO
// STATE-NOT:   evox.func
// STATE-LABEL: func.func @init_step(
// STATE-SAME:    !evox.generator {evox.slot = 0 : i32}
// STATE-LABEL: func.func @step(
// STATE-NOT:   call
// STATE:       evox.random.uniform
// STATE-NOT:   func.func

// Pointwise ops are fused: what the swarm does per element is three loops.
// LINALG-LABEL: func.func @step(
// LINALG-NOT:   arith.addf {{.*}} tensor
// LINALG:       evox.kernel_call "random_uniform"

// State is updated in place: no buffer of the swarm's size but the draw, which
// all generations keep, and the one copy is of the best fitness, whose old value
// is still needed.
// LOOPS-LABEL: func.func @step(
// LOOPS-SAME:    memref<64x8xf32> {evox.kept = 0 : i32})
// LOOPS-NOT:     memref.alloc(
// LOOPS-NOT:     memref.copy
// LOOPS:         memref.copy %{{.*}}, %{{.*}} : memref<64xf32>
// LOOPS-NOT:     memref.copy
// LOOPS:         return

// LLVM:       llvm.func @evox_k_random_uniform(!llvm.ptr, !llvm.ptr, f64, f64)
// LLVM:       llvm.func internal @init_step(
// LLVM:       llvm.func internal @evox_entry.init_step(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// LLVM:       llvm.func internal @step(
// LLVM-SAME:    llvm.noalias
// LLVM:       llvm.func internal @evox_entry.step(
