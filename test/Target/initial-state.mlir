// REQUIRES: evox-compile
// Initial values have a segment of their own at the end of the library: equal
// ones are there once, and one number throughout is there once or not at all.

// 64 bytes each: @x with @same, the two elements of @fill and @again; then
// @used, which is used where it lies, as a whole.
// RUN: evox-compile %s -o %t.so --stats 2>&1 | FileCheck %s --check-prefix=STATS
// STATS: "initial state bytes": 4224}
// RUN: llvm-readelf -SlW %t.so | FileCheck %s --check-prefix=ELF
// ELF:      .evox_state PROGBITS {{[0-9a-f]+}} [[AT:[0-9a-f]+]]000 001080 00 A 0
// ELF:      LOAD {{ *}}0x{{0*}}[[AT]]000 {{.*}} 0x001080 0x001080 R 0x
// RUN: evox-run %t.so --call=step --print=x --print=same --print=fill | FileCheck %s --check-prefix=STATE
// STATE-DAG: x: float32 [4] = [4, 5, 6, 7]
// STATE-DAG: same: float32 [4] = [1, 2, 3, 4]
// STATE-DAG: fill: float64 [20] = [2.5, 2.5, {{.*}}2.5]

// In an object they are too, and there they have no address yet.
// RUN: evox-compile %s --emit=obj -o - | llvm-readelf -SW - | FileCheck %s --check-prefix=OBJ
// OBJ: .evox_state PROGBITS 0000000000000000 {{[0-9a-f]+}} 001080 00 A 0 0 64

// RUN: evox-compile %s --triple=aarch64-linux-gnu --emit=obj -o - | llvm-readelf -SW - | FileCheck %s --check-prefix=OBJ

// RUN: not evox-compile %s -o %t/no/such/folder.so 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: linking failed

evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  evox.state mutable @same "same" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  evox.state mutable @zero "zero" : tensor<1000xf32> = dense<0.0> : tensor<1000xf32>
  evox.state mutable @fill "fill" : tensor<20xf64> = dense<2.5> : tensor<20xf64>
  evox.state parameter @again "again" : tensor<1000xf32> = dense<3.0> : tensor<1000xf32>
  evox.state constant @used "used" : tensor<1000xf32> = dense<3.0> : tensor<1000xf32>
  evox.func @step() {
    %x = evox.load @x : tensor<4xf32>
    %used = evox.load @used : tensor<1000xf32>
    %i = arith.constant 999 : index
    %u = tensor.extract %used[%i] : tensor<1000xf32>
    %three = tensor.splat %u : tensor<4xf32>
    %y = arith.addf %x, %three : tensor<4xf32>
    evox.store %y, @x : tensor<4xf32>
    evox.return
  }
}
