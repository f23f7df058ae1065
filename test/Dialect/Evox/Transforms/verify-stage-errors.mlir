// RUN: evox-opt %s --evox-verify-stage=stage=state --split-input-file --verify-diagnostics

evox.module @A {
  evox.state mutable @x "x" : tensor<4xf32>
  // expected-error @+1 {{is left after stage 'state': state must be explicit here}}
  evox.func @f() {
    // expected-error @+1 {{is left after stage 'state'}}
    %x = evox.load @x : tensor<4xf32>
    %y = evox.load @x : tensor<4xf32>
    // expected-error @+1 {{is left after stage 'state'}}
    evox.return
  }
}

// -----

// Fine after this stage.
func.func @f(%g: !evox.generator, %a: f64) -> (tensor<4xf32>, !evox.generator) {
  %v, %h = evox.random.uniform %g from %a to %a : tensor<4xf32>
  return %v, %h : tensor<4xf32>, !evox.generator
}
