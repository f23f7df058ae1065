// REQUIRES: evox-compile, x86
// A library with code for several processors: the table's data is there once,
// the most demanding processor comes first, and each one's functions have its
// width of vectors.

// RUN: evox-compile %s --emit=llvm --cpu=x86-64,x86-64-v4,x86-64-v3 | FileCheck %s --check-prefix=LLVM
// LLVM-DAG: @evox.table.entry_functions = {{.*}} [3 x ptr] [ptr @evox_entry.step.x86-64-v4, ptr @evox_entry.step.x86-64-v3, ptr @evox_entry.step.x86-64]
// LLVM-DAG: @evox.table.variants = {{.*}} [3 x {{.*}}]
// LLVM-NOT: @evox.table.slots{{[.0-9]+}} =
// LLVM-DAG: define internal void @evox_entry.step.x86-64-v4({{.*}} [[V4:#[0-9]+]]
// LLVM-DAG: <16 x float>
// LLVM-DAG: define internal void @evox_entry.step.x86-64-v3({{.*}} [[V3:#[0-9]+]]
// LLVM-DAG: <8 x float>
// LLVM-DAG: define internal void @evox_entry.step.x86-64({{.*}} [[V1:#[0-9]+]]
// LLVM-DAG: <4 x float>
// LLVM-DAG: attributes [[V4]] = {{.*}}"target-cpu"="x86-64-v4" "target-features"="{{.*}}+prefer-no-gather,+prefer-no-scatter
// LLVM-DAG: attributes [[V3]] = {{.*}}"target-cpu"="x86-64-v3"
// LLVM-DAG: attributes [[V1]] = {{.*}}"target-cpu"="x86-64"
// RUN: evox-compile %s --emit=asm --cpu=x86-64,x86-64-v4,x86-64-v3 | FileCheck %s --check-prefix=ASM
// ASM-DAG: vmulps {{.*}}%zmm
// ASM-DAG: vmulps {{.*}}%ymm
// ASM-DAG: {{[^v]}}mulps {{.*}}%xmm

// A machine runs the first that it can; EVOX_CPU chooses another.
// RUN: evox-compile %s -o %t.so --cpu=diamondrapids,x86-64,native
// RUN: evox-run %t.so --list | FileCheck %s --check-prefix=BEST
// BEST-NOT: compiled for x86-64{{$}}
// BEST: compiled for
// RUN: env EVOX_CPU=x86-64 evox-run %t.so --list | FileCheck %s --check-prefix=CHOSEN
// CHOSEN: compiled for x86-64{{$}}
// RUN: not env EVOX_CPU=abacus evox-run %t.so --list 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: EVOX_CPU is 'abacus', but {{.*}} is compiled for: diamondrapids, {{.*}}, x86-64
// RUN: not env EVOX_CPU=diamondrapids evox-run %t.so --list 2>&1 | FileCheck %s --check-prefix=LACKS
// LACKS: error: EVOX_CPU is diamondrapids, but this processor lacks {{.*}}egpr
// RUN: evox-compile %s -o %t.so --cpu=diamondrapids,novalake
// RUN: not evox-run %t.so --list 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: this processor can run none of the library's variants: {{.*}} needs {{.*}}egpr{{.*}} needs {{.*}}: compile it here

// RUN: evox-compile --cpu=help | FileCheck %s --check-prefix=LIST
// LIST-NOT: pentium
// LIST: x86-64-v3
// RUN: evox-compile --cpu=help --triple=aarch64 | FileCheck %s --check-prefix=LIST-ARM
// LIST-ARM: neoverse-n1

evox.module @A {
  evox.state mutable @x "x" : tensor<4096xf32> = dense<2.0> : tensor<4096xf32>
  evox.func @step() {
    %x = evox.load @x : tensor<4096xf32>
    %y = arith.mulf %x, %x : tensor<4096xf32>
    evox.store %y, @x : tensor<4096xf32>
    evox.return
  }
}
