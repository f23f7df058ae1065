// REQUIRES: evox-compile
// Code for another architecture, up to an object file: what is linked and run
// is in test/aarch64.

// RUN: evox-compile %s --triple=aarch64-linux-gnu --emit=asm | FileCheck %s --check-prefix=NEON
// NEON-DAG: fmul v{{[0-9]+}}.4s
// NEON-NOT: ptrue
// NEON-DAG: evox_the_program:
// RUN: evox-compile %s --triple=aarch64 --cpu=generic,a64fx --emit=asm | FileCheck %s --check-prefix=SVE
// SVE-DAG: fmul z{{[0-9]+}}.s
// SVE-DAG: fmul v{{[0-9]+}}.4s
// RUN: evox-compile %s --triple=aarch64-linux-gnu --emit=obj -o %t.o
// RUN: llvm-readobj --file-header --symbols %t.o | FileCheck %s --check-prefix=OBJ
// OBJ: Arch: aarch64
// OBJ-DAG: Name: evox_the_program
// OBJ-DAG: Name: evox_state_blob

// Names, and errors of what belongs to another machine.
// RUN: evox-compile %s --triple=aarch64-unknown-linux-gnu --cpu=apple-m1,generic --emit=llvm | FileCheck %s --check-prefix=LLVM
// LLVM: target triple = "aarch64-unknown-linux-gnu"
// LLVM-DAG: "target-cpu"="apple-m1"
// LLVM-DAG: "target-cpu"="generic"
// RUN: not evox-compile %s -o %t.so --triple=aarch64-apple-darwin 2>&1 | FileCheck %s --check-prefix=DARWIN
// DARWIN: error: --triple=aarch64-apple-darwin: expected x86_64-linux-gnu or aarch64-linux-gnu
// RUN: not evox-compile %s -o %t.so --triple=%{foreign} --cpu=native 2>&1 | FileCheck %s --check-prefix=NATIVE
// NATIVE: error: --cpu=native: the library is for {{.*}}, and this is a machine of
// RUN: not evox-compile %s -o %t.so --triple=%{foreign} --runtime=%t.nowhere 2>&1 | FileCheck %s --check-prefix=RUNTIME
// RUNTIME: error: the run-time library was not found at {{.*}}nowhere{{.*}}: make runtime-aarch64 builds it
// RUN: mkdir -p %t.empty && touch %t.empty/libEvoxRuntime.a
// RUN: not evox-compile %s -o %t.so --triple=%{foreign} --runtime=%t.empty --sysroot=%t.empty 2>&1 | FileCheck %s --check-prefix=SYSROOT
// SYSROOT: error: the C library's libm.so.6 was not found under {{.*}}.empty

evox.module @A {
  evox.state mutable @x "x" : tensor<4096xf32> = dense<2.0> : tensor<4096xf32>
  evox.func @step() {
    %x = evox.load @x : tensor<4096xf32>
    %y = arith.mulf %x, %x : tensor<4096xf32>
    evox.store %y, @x : tensor<4096xf32>
    evox.return
  }
}
