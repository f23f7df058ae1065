// RUN: evox-opt %s --convert-evox-to-llvm --split-input-file --verify-diagnostics

// expected-error @+1 {{is an entry point, but argument #0 is a 'i64'; entry points take and return tensors}}
func.func @step(%n: i64 {evox.arg = 0 : i32}) attributes {evox.entry = {}} {
  return
}

// -----

// expected-error @+1 {{is an entry point, but argument #0 does not say what it stands for}}
func.func @step(%x: memref<4xf32>) attributes {evox.entry = {}} {
  return
}

// -----

// expected-error @+1 {{names 'absent' as its 'evox.once', which is not there}}
func.func @step() attributes {evox.entry = {}, evox.once = @absent} {
  return
}

// -----

func.func private @once(%x: memref<4xf32> {evox.slot = 0 : i32}) -> (memref<4xf32> {evox.invariant = 0 : i32}) {
  return %x : memref<4xf32>
}
// expected-error @+1 {{takes a 'memref<4xf32>' as 'evox.invariant' 1, which its 'evox.once' does not return}}
func.func @step(%x: memref<4xf32> {evox.invariant = 1 : i32}) attributes {evox.entry = {}, evox.once = @once} {
  return
}

// -----

// expected-error @+1 {{keeps argument #0 from call to call, which is no buffer of a known size}}
func.func @step(%x: memref<?xf32> {evox.kept = 0 : i32}) attributes {evox.entry = {}} {
  return
}
