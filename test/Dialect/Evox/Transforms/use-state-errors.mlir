// RUN: evox-opt %s --evox-use-state --split-input-file --verify-diagnostics

evox.module @A {
  // expected-error @+1 {{is recursive: it calls itself}}
  evox.func @f() {
    evox.call @g() : () -> ()
    evox.return
  }
  // expected-note @+1 {{through this function}}
  evox.func @g() {
    evox.call @f() : () -> ()
    evox.return
  }
}

// -----

// expected-note @+1 {{the first one is here}}
evox.module @A {
}
// expected-error @+1 {{is the second evox.module at the top level}}
evox.module @B {
}

// -----

// A slot's type may change, but not between two reads without a store.
evox.module @A {
  // expected-note @+1 {{the slot is declared here}}
  evox.state mutable @z "z" : tensor<2xf32> or [tensor<3xf32>]
  evox.func @f() -> tensor<3xf32> {
    // expected-error @+1 {{reads slot 'z' as 'tensor<3xf32>', but it holds a 'tensor<2xf32>' there}}
    %b = evox.load @z : tensor<3xf32>
    evox.return %b : tensor<3xf32>
  }
}

// -----

evox.module @A {
  evox.state mutable @z "z" : tensor<2xf32> or [tensor<3x1xf32>]
  evox.func @f(%c: i1, %x: tensor<3x1xf32>) {
    // expected-error @+1 {{leaves slot 'z' with another type in each branch; the types are 'tensor<3x1xf32>', 'tensor<2xf32>'}}
    evox.if %c {
      evox.store %x, @z : tensor<3x1xf32>
      evox.yield
    } else {
      evox.yield
    }
    evox.return
  }
}

// -----

evox.module @A {
  evox.state mutable @z "z" : tensor<2xf32> or [tensor<3x1xf32>]
  evox.func @f(%n: index, %x: tensor<3x1xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{changes slot 'z' from 'tensor<2xf32>' to 'tensor<3x1xf32>'; a slot keeps its type through a loop}}
    scf.for %i = %c0 to %n step %c1 {
      evox.store %x, @z : tensor<3x1xf32>
    }
    evox.return
  }
}

// -----

evox.module @A {
  evox.state mutable @z "z" : tensor<2xf32>
  evox.func @f(%n: index) {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{holds code that uses state, which only evox.if, evox.switch, evox.while, scf.for, scf.if, scf.while and scf.index_switch may}}
    scf.forall (%i) in (%n) {
      %z = evox.load @z : tensor<2xf32>
    }
    evox.return
  }
}

// -----

evox.module @A attributes {phases = [{}, {types = {z = tensor<1x2xf32>}}]} {
  evox.state mutable @z "z" : tensor<2xf32> or [tensor<1x2xf32>]
  // expected-error @+1 {{leaves slot 'z' unchanged, but it is 'tensor<2xf32>' in phase 0 and 'tensor<1x2xf32>' in phase 1}}
  evox.func @f() attributes {entry = {name = "f", phase = 0, next = 1}} {
    evox.return
  }
}
