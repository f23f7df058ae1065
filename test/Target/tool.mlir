// REQUIRES: evox-compile
// What evox-compile takes and writes.

// RUN: evox-compile --help | FileCheck %s --check-prefix=HELP
// HELP: USAGE: evox-compile [options] MODEL.pt|MODEL.mlir
// HELP: Compile options:
// HELP-DAG: --cpu=<NAME,...>
// HELP-DAG: Example: --cpu=x86-64-v3
// HELP-DAG: --emit=<value>
// HELP-DAG: --header=<FILE>
// HELP-DAG: --rng=<NAME>
// HELP-DAG: --stats
// HELP-NOT: --view-background

// RUN: evox-compile %s --emit=evox | FileCheck %s --check-prefix=EVOX
// EVOX: evox.func @step
// RUN: evox-compile %s --emit=state | FileCheck %s --check-prefix=STATE
// STATE: func.func @step
// RUN: evox-compile %s --emit=linalg | FileCheck %s --check-prefix=LINALG
// LINALG: linalg.generic
// RUN: evox-compile %s --emit=loops | FileCheck %s --check-prefix=LOOPS
// LOOPS: memref.store
// RUN: evox-compile %s --emit=llvm | FileCheck %s --check-prefix=LLVM
// LLVM: @evox_the_program = hidden {{.*}}constant
// LLVM: define internal void @evox_entry.step
// RUN: evox-compile %s --emit=asm | FileCheck %s --check-prefix=ASM
// ASM: evox_the_program:
// RUN: evox-compile %s --emit=obj -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s --check-prefix=OBJ
// OBJ-DAG: R evox_state_blob
// OBJ-DAG: {{[dD]}} evox_the_program

// The processor is a choice, and the name too. Only two symbols are exported.
// RUN: evox-compile %s -o %t.so --cpu=x86-64-v3 --name=thing --rng=philox --header=%t.h --stats 2>&1 | FileCheck %s --check-prefix=STATS
// STATS: {"seconds": {"parsing": {{.*}}"evox-to-state": {{.*}}"linking": {{.*}}"total": {{.*}}}, "library bytes": {{.*}}, "initial state bytes": 64}
// RUN: llvm-nm -D --defined-only %t.so | FileCheck %s --check-prefix=EXPORTS
// EXPORTS:      T evox_get_api
// EXPORTS-NEXT: T thing_get_api
// EXPORTS-NOT:  {{.}}
// RUN: FileCheck %s --check-prefix=HEADER < %t.h
// HEADER: #define EVOX_ABI_VERSION
// HEADER: const evox_api *thing_get_api(uint32_t abi_version);
// HEADER: thing_run_step(evox_instance *instance, int64_t n)
// HEADER: thing_set_x(evox_instance *instance, const float *data)
// RUN: llvm-strings %t.so | FileCheck %s --check-prefix=SIGNATURE
// SIGNATURE: "options":{"cpu":"x86-64-v3","fast_math":false,"rng":"philox","target":"cpu","triple":"x86_64-{{.*}}"}

evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  evox.func @step() {
    %x = evox.load @x : tensor<4xf32>
    %y = arith.addf %x, %x : tensor<4xf32>
    evox.store %y, @x : tensor<4xf32>
    evox.return
  }
}
