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
