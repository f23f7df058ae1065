// REQUIRES: evox-compile
// Bad input: what, where, and what to do. No file is left behind.

// RUN: not evox-compile %s --emit=so -o - 2>&1 | FileCheck %s --check-prefix=STDOUT
// STDOUT: error: a library cannot be written to the standard output
// RUN: not evox-compile %s -o %t.so --rng=xoshiro 2>&1 | FileCheck %s --check-prefix=RNG
// RNG: error: --rng=xoshiro: expected torch or philox
// RUN: not evox-compile %s -o %t.so --target=tpu 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: --target=tpu: expected cpu
// RUN: not evox-compile %s -o %t.so --cpu=abacus 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: error: --cpu=abacus: no processor that LLVM knows for {{.*}} has this name; try {{.*}} --cpu=help
// RUN: not evox-compile %s -o %t.so --cpu=native,abacus 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not evox-compile %s -o %t.so --triple=x86_64 --cpu=x86-64,,x86-64-v3 2>&1 | FileCheck %s --check-prefix=EMPTY-CPU
// RUN: not evox-compile %s -o %t.so --cpu= 2>&1 | FileCheck %s --check-prefix=NO-CPU
// NO-CPU: error: --cpu=: no processor is named
// EMPTY-CPU: error: --cpu=x86-64,,x86-64-v3: a name is missing beside a comma
// RUN: not evox-compile %s -o %t.so --triple=x86_64 --cpu=x86-64-v3,x86-64,x86-64-v3 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: --cpu=x86-64-v3,x86-64,x86-64-v3: x86-64-v3 is there twice
// RUN: not evox-compile %s -o %t.so --triple=x86_64 --cpu=pentium 2>&1 | FileCheck %s --check-prefix=BITS
// BITS: error: --cpu=pentium: a processor of 32 bits
// RUN: not evox-compile %s -o %t.so --triple=riscv64-linux-gnu 2>&1 | FileCheck %s --check-prefix=TRIPLE
// TRIPLE: error: --triple=riscv64-linux-gnu: expected x86_64-linux-gnu or aarch64-linux-gnu
// RUN: not evox-compile %s -o %t.so --triple=aarch64-linux-gnu --cpu=x86-64-v3 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: --cpu=x86-64-v3: no processor that LLVM knows for aarch64 has this name; try generic
// RUN: not evox-compile 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: which module is to be compiled?
// RUN: not evox-compile %s -o %t/no/such/folder/a.so 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: {{.*}}no/such/folder/a.so
// RUN: not evox-compile %s -o %t.so --header=%t/no/such/folder/a.h 2>&1 | FileCheck %s --check-prefix=HEADER
// HEADER: error: {{.*}}no/such/folder/a.h
// RUN: not evox-compile %s -o %t.so --runtime=%t/nowhere 2>&1 | FileCheck %s --check-prefix=RUNTIME
// RUNTIME: error: the run-time library was not found at {{.*}}nowhere
// RUN: not evox-compile %t.nothing.mlir -o %t.so 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: cannot open input file '{{.*}}nothing.mlir'
// RUN: echo "evox.module @A {" > %t.mlir
// RUN: not evox-compile %t.mlir -o %t.so 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: {{.*}}.mlir:1:17: error: expected
// RUN: echo "evox.module @A { }" > %t.mlir
// RUN: not evox-compile %t.mlir -o %t.so 2>&1 | FileCheck %s --check-prefix=ENTRIES
// ENTRIES: error: the program has no entry points
// RUN: echo "evox.module @A { evox.func @f(%%i: i64) { evox.return } }" > %t.mlir
// RUN: not evox-compile %t.mlir -o %t.so 2>&1 | FileCheck %s --check-prefix=ARGUMENT
// ARGUMENT: error: 'func.func' op argument #0 is a 'i64', and not a tensor
// RUN: not ls %t.so %t.so.part

evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  evox.func @step() {
    %x = evox.load @x : tensor<4xf32>
    %y = arith.addf %x, %x : tensor<4xf32>
    evox.store %y, @x : tensor<4xf32>
    evox.return
  }
}
