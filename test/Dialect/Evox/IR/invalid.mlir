// RUN: evox-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'evox.module' op holds slots, functions and modules only}}
evox.module @M {
  // expected-note @+1 {{not this op}}
  %c = arith.constant 1 : i64
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.module' op 'phases' belongs on the outermost module}}
  evox.module @inner attributes {phases = [{}]} {
  }
}

// -----

// expected-error @+1 {{'evox.module' op 'phases' must be an array of at least one dictionary}}
evox.module @M attributes {phases = []} {
}

// -----

// expected-error @+1 {{'evox.module' op 'phases' must be an array of at least one dictionary}}
evox.module @M attributes {phases = {}} {
}

// -----

// expected-error @+1 {{'evox.module' op phase 1: expected a dictionary but got "x"}}
evox.module @M attributes {phases = [{}, "x"]} {
}

// -----

// expected-error @+1 {{'evox.module' op phase 0: 'python' must be a string}}
evox.module @M attributes {phases = [{python = 1}]} {
}

// -----

// expected-error @+1 {{'evox.module' op phase 0: 'types' must be a dictionary from slots to types}}
evox.module @M attributes {phases = [{types = 1}]} {
}

// -----

// expected-error @+1 {{'evox.module' op phase 0: there is no slot "y"}}
evox.module @M attributes {phases = [{types = {y = tensor<f32>}}]} {
  evox.state mutable @x "x" : tensor<f32>
}

// -----

// expected-error @+1 {{'evox.module' op phase 0: slot "x" needs a type, not 1 : i64}}
evox.module @M attributes {phases = [{types = {x = 1}}]} {
  evox.state mutable @x "x" : tensor<f32>
}

// -----

// expected-error @+1 {{'evox.module' op phase 1: slot "inner.x" cannot hold tensor<3xf32>}}
evox.module @M attributes {phases = [{types = {"inner.x" = tensor<2xf32>}},
                                     {types = {"inner.x" = tensor<3xf32>}}]} {
  evox.module @inner {
    // expected-note @+1 {{neither its type nor one of its alternatives}}
    evox.state mutable @x "inner.x" : tensor<f32> or [tensor<2xf32>]
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{here}}
  evox.state mutable @x "x" : tensor<f32>
  evox.module @inner {
    // expected-error @+1 {{'evox.state' op there is another slot "x"}}
    evox.state mutable @x "x" : tensor<f32>
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{see existing symbol definition here}}
  evox.state mutable @x "x" : tensor<f32>
  // expected-error @+1 {{redefinition of symbol named 'x'}}
  evox.state mutable @x "y" : tensor<f32>
}

// -----

// expected-error @+1 {{'evox.module' op region #0 ('body') failed to verify constraint: region with 1 blocks}}
"evox.module"() <{sym_name = "M"}> ({}) : () -> ()

// -----

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'evox.state' op expects parent op 'evox.module'}}
evox.state mutable @x "x" : tensor<f32>

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op needs its dotted name}}
  evox.state mutable @x "" : tensor<f32>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a slot holds a ranked tensor, a list of them or a generator, not 'f32'}}
  evox.state mutable @x "x" : f32
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a slot holds a ranked tensor, a list of them or a generator, not 'tensor<*xf32>'}}
  evox.state mutable @x "x" : tensor<*xf32>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op there are no PyTorch tensors of 'i24'}}
  evox.state mutable @x "x" : tensor<2xi24>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op there are no PyTorch tensors of 'index'}}
  evox.state mutable @x "x" : !evox.list<tensor<2xindex>>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a generator is mutable}}
  evox.state constant @g "g" : !evox.generator
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a generator has no alternatives}}
  evox.state mutable @g "g" : !evox.generator or [tensor<f32>]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a generator has no dtype}}
  evox.state mutable @g "g" : !evox.generator dtype "float32"
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op only a tensor has an initial value, '!evox.generator' does not}}
  evox.state mutable @g "g" : !evox.generator = dense<0> : tensor<i64>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op only a tensor has an initial value, '!evox.list<tensor<f32>>' has 'elements'}}
  evox.state mutable @l "l" : !evox.list<tensor<f32>> = dense<0.0> : tensor<f32>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op an initial value of type 'tensor<3xf32>' does not fit 'tensor<2xf32>'}}
  evox.state mutable @x "x" : tensor<2xf32> = dense<0.0> : tensor<3xf32>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op an initial value of type 'tensor<2xf64>' does not fit 'tensor<2xf32>'}}
  evox.state mutable @x "x" : tensor<2xf32> = dense<0.0> : tensor<2xf64>
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op only a list has 'elements', not 'tensor<f32>'}}
  evox.state mutable @x "x" : tensor<f32> elements []
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op element 1 is not a tensor: "a"}}
  evox.state mutable @l "l" : !evox.list<tensor<?xf32>> elements [dense<0.0> : tensor<3xf32>, "a"]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op element 0 of type 'tensor<3xf64>' does not fit '!evox.list<tensor<?xf32>>'}}
  evox.state mutable @l "l" : !evox.list<tensor<?xf32>> elements [dense<0.0> : tensor<3xf64>]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op unknown dtype "float31"}}
  evox.state mutable @x "x" : tensor<f32> dtype "float31"
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op dtype "uint8" does not fit 'tensor<f32>'}}
  evox.state mutable @x "x" : tensor<f32> dtype "uint8"
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op dtype "bool" does not fit 'tensor<f32>'}}
  evox.state mutable @l "l" : !evox.list<tensor<f32>> dtype "bool"
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a constant has no alternatives}}
  evox.state constant @x "x" : tensor<f32> or [tensor<2xf32>]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a generator is no alternative}}
  evox.state mutable @x "x" : tensor<f32> or [!evox.generator]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op a slot holds a ranked tensor, a list of them or a generator, not 'i64'}}
  evox.state mutable @x "x" : tensor<f32> or [i64]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op lists 'tensor<2xf32>' twice}}
  evox.state mutable @x "x" : tensor<f32> or [tensor<2xf32>, tensor<2xf32>]
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.state' op lists 'tensor<f32>' twice}}
  evox.state mutable @x "x" : tensor<f32> or [tensor<f32>]
}

// -----

//===----------------------------------------------------------------------===//
// Loads, stores and calls
//===----------------------------------------------------------------------===//

evox.module @M {
  evox.func @f() {
    // expected-error @+1 {{'evox.load' op no enclosing module has a slot @x}}
    %x = evox.load @x : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  evox.module @a {
    evox.state mutable @x "a.x" : tensor<f32>
  }
  evox.module @b {
    evox.func @f() {
      // expected-error @+1 {{'evox.load' op no enclosing module has a slot @a::@y}}
      %x = evox.load @a::@y : tensor<f32>
      evox.return
    }
  }
}

// -----

evox.module @M {
  // A path through something that holds no symbols.
  evox.state mutable @x "x" : tensor<f32>
  evox.func @f() {
    // expected-error @+1 {{'evox.load' op no enclosing module has a slot @x::@y}}
    %x = evox.load @x::@y : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{it is this}}
  evox.func @f() {
    // expected-error @+1 {{'evox.load' op @f is not a slot}}
    %x = evox.load @f : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{its types are given here}}
  evox.state mutable @x "x" : tensor<f32> or [tensor<2xf32>]
  evox.func @f() {
    // expected-error @+1 {{'evox.load' op slot @x has no type 'tensor<?xf32>'}}
    %x = evox.load @x : tensor<?xf32>
    evox.return
  }
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<f32>) {
    // expected-error @+1 {{'evox.store' op no enclosing module has a slot @x}}
    evox.store %x, @x : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{its types are given here}}
  evox.state mutable @x "x" : tensor<f64>
  evox.func @f(%x: tensor<f32>) {
    // expected-error @+1 {{'evox.store' op slot @x has no type 'tensor<f32>'}}
    evox.store %x, @x : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{declare it mutable}}
  evox.state parameter @x "x" : tensor<f32>
  evox.func @f(%x: tensor<f32>) {
    // expected-error @+1 {{'evox.store' op slot @x is a parameter, which no function changes}}
    evox.store %x, @x : tensor<f32>
    evox.return
  }
}

// -----

evox.module @M {
  evox.func @f() {
    // expected-error @+1 {{'evox.call' op no enclosing module has a function @g}}
    evox.call @g() : () -> ()
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{it is this}}
  evox.state mutable @g "g" : !evox.generator
  evox.func @f() {
    // expected-error @+1 {{'evox.call' op @g is not a function}}
    evox.call @g() : () -> ()
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{declared here}}
  evox.func @g(%x: tensor<f32>) -> tensor<f32> {
    evox.return %x : tensor<f32>
  }
  evox.func @f(%x: tensor<f64>) {
    // expected-error @+1 {{'evox.call' op calls @g as '(tensor<f64>) -> tensor<f32>' but it is '(tensor<f32>) -> tensor<f32>'}}
    %y = evox.call @g(%x) : (tensor<f64>) -> tensor<f32>
    evox.return
  }
}

// -----

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'evox.func' op expects parent op 'evox.module'}}
evox.func @f() {
  evox.return
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op needs a body; what the host supplies is called by evox.external_call}}
  evox.func @f()
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<f32>) -> tensor<f64> {
    // expected-error @+1 {{'evox.return' op returns ('tensor<f32>') but @f is declared to return ('tensor<f64>')}}
    evox.return %x : tensor<f32>
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op 'entry' must be a dictionary}}
  evox.func @f() attributes {entry = "f"} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'name' must be the method's name}}
  evox.func @f() attributes {entry = {phase = 0}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: arguments and results must be ranked tensors, not 'i64'}}
  evox.func @f(%x: i64) attributes {entry = {name = "f"}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'phase' must be a number of a phase, not -1 : i64}}
  evox.func @f() attributes {entry = {name = "f", phase = -1}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'next' must be a number of a phase, not "a"}}
  evox.func @f() attributes {entry = {name = "f", next = "a"}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'next' is 1 but the program has 1 phase}}
  evox.func @f() attributes {entry = {name = "f", phase = 0, next = 1}} {
    evox.return
  }
}

// -----

evox.module @M attributes {phases = [{}, {}]} {
  // expected-error @+1 {{'evox.func' op entry: 'phase' is 2 but the program has 2 phases}}
  evox.func @f() attributes {entry = {name = "f", phase = 2, next = 1}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-note @+1 {{here}}
  evox.func @f() attributes {entry = {name = "step"}} {
    evox.return
  }
  // expected-error @+1 {{'evox.func' op entry: there is another entry point "step" for phase 0}}
  evox.func @g() attributes {entry = {name = "step"}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'arg_names' must be an array of strings}}
  evox.func @f() attributes {entry = {name = "f", arg_names = [1]}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'arg_names' has 2 elements for 1 tensors}}
  evox.func @f(%x: tensor<f32>) attributes {entry = {name = "f", arg_names = ["x", "y"]}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'arg_dtypes': dtype "int8" does not fit 'tensor<f32>'}}
  evox.func @f(%x: tensor<f32>) attributes {entry = {name = "f", arg_dtypes = ["int8"]}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'result_dtypes': unknown dtype "f32"}}
  evox.func @f(%x: tensor<f32>) -> tensor<f32> attributes {entry = {name = "f", result_dtypes = ["f32"]}} {
    evox.return %x : tensor<f32>
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'args' must be a string}}
  evox.func @f() attributes {entry = {name = "f", args = {}}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'args' is not JSON: [1:1, byte=1]}}
  evox.func @f() attributes {entry = {name = "f", args = "{"}} {
    evox.return
  }
}

// -----

evox.module @M {
  // expected-error @+1 {{'evox.func' op entry: 'results' refers to a tensor that is not there; there are 0}}
  evox.func @f() attributes {entry = {name = "f", results = "{\"dict\": {\"value\": {\"tuple\": [{\"tensor\": 0}]}}}"}} {
    evox.return
  }
}

// -----

//===----------------------------------------------------------------------===//
// Asserts and lists
//===----------------------------------------------------------------------===//

func.func @f(%c: i1, %i: i64) {
  // expected-error @+1 {{'evox.assert' op has 2 values for 1 places '{}' in its message}}
  evox.assert %c, "only {}"(%i, %i : i64, i64)
  return
}

// -----

func.func @f(%l: !evox.list<tensor<?xf32>>, %x: tensor<2x2xf32>) {
  // expected-error @+1 {{'evox.list.append' op 'tensor<2x2xf32>' is no element of '!evox.list<tensor<?xf32>>'}}
  %m = evox.list.append %l, %x : !evox.list<tensor<?xf32>>, tensor<2x2xf32>
  return
}

// -----

func.func @f(%l: !evox.list<tensor<2xf32>>, %i: index) {
  // expected-error @+1 {{'evox.list.get' op 'tensor<3xf32>' is no element of '!evox.list<tensor<2xf32>>'}}
  %m = evox.list.get %l[%i] : !evox.list<tensor<2xf32>> -> tensor<3xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

func.func @f(%c: i1, %x: tensor<f32>) {
  // expected-error @+1 {{'evox.if' op along control flow edge from Operation evox.yield to parent: region branch point has 0 operands, but region successor needs 1 inputs}}
  %r = evox.if %c -> (tensor<f32>) {
    evox.yield %x : tensor<f32>
  } else {
    // expected-note @+1 {{region branch point}}
    evox.yield
  }
  return
}

// -----

func.func @f(%c: i1) {
  // expected-error @+1 {{'evox.if' op else region must end with 'evox.yield'}}
  evox.if %c {
  } else {
    // expected-note @+1 {{its last op is this}}
    llvm.unreachable
  }
  return
}

// -----

func.func @f(%i: index) {
  // expected-error @+1 {{'evox.switch' op needs at least one branch}}
  "evox.switch"(%i) : (index) -> ()
  return
}

// -----

func.func @f(%i: index) {
  // expected-error @+1 {{'evox.switch' op branch 1 must end with 'evox.yield'}}
  evox.switch %i {
  }, {
    // expected-note @+1 {{its last op is this}}
    llvm.unreachable
  }
  return
}

// -----

func.func @f(%c: i1) {
  // expected-error @+1 {{'evox.while' op condition region must end with 'evox.condition'}}
  evox.while() : () -> () {
    // expected-note @+1 {{its last op is this}}
    evox.yield
  } do {
    evox.yield
  }
  return
}

// -----

func.func @f(%c: i1) {
  // expected-error @+1 {{'evox.while' op body region must end with 'evox.yield'}}
  evox.while() : () -> () {
    evox.condition(%c)
  } do {
    // expected-note @+1 {{its last op is this}}
    evox.condition(%c)
  }
  return
}

// -----

func.func @f(%c: i1, %x: tensor<f32>) {
  // expected-error @+1 {{'evox.while' op along control flow edge from Operation evox.condition to parent: successor operand type #0 'tensor<f32>' should match successor input type #0 'tensor<f64>'}}
  %r = evox.while(%x) : (tensor<f32>) -> tensor<f64> {
  ^bb0(%a: tensor<f32>):
    // expected-note @+1 {{region branch point}}
    evox.condition(%c) %a : tensor<f32>
  } do {
  ^bb0(%a: tensor<f32>):
    evox.yield %a : tensor<f32>
  }
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'evox.yield' op expects parent op to be one of 'evox.if, evox.switch, evox.while'}}
  evox.yield
}

// -----

//===----------------------------------------------------------------------===//
// Random draws
//===----------------------------------------------------------------------===//

func.func @f(%g: !evox.generator, %a: f64) {
  // expected-error @+1 {{'evox.random.uniform' op cannot draw 'i64', only floats}}
  %v, %h = evox.random.uniform %g from %a to %a : tensor<8xi64>
  return
}

// -----

func.func @f(%g: !evox.generator, %a: f64) {
  // expected-error @+1 {{'evox.random.normal' op has 0 sizes for the 1 dynamic dimensions of 'tensor<?xf32>'}}
  %v, %h = evox.random.normal %g mean %a std %a : tensor<?xf32>
  return
}

// -----

func.func @f(%g: !evox.generator, %a: f64, %n: index) {
  // expected-error @+1 {{'evox.random.exponential' op has 1 sizes for the 0 dynamic dimensions of 'tensor<3xf32>'}}
  %v, %h = evox.random.exponential %g rate %a sizes(%n) : tensor<3xf32>
  return
}

// -----

func.func @f(%g: !evox.generator, %a: i64) {
  // expected-error @+1 {{'evox.random.integers' op cannot draw 'complex<f32>', only floats and integers}}
  %v, %h = evox.random.integers %g low %a high %a : tensor<3xcomplex<f32>>
  return
}

// -----

func.func @f(%g: !evox.generator) {
  // expected-error @+1 {{'evox.random.permutation' op permutes a vector, not 'tensor<2x2xi64>'}}
  %v, %h = evox.random.permutation %g : tensor<2x2xi64>
  return
}

// -----

func.func @f(%g: !evox.generator, %p: tensor<3xi64>) {
  // expected-error @+1 {{'evox.random.bernoulli' op probabilities must be floats, not 'i64'}}
  %v, %h = evox.random.bernoulli %g p %p : tensor<3xi64> -> tensor<3xf32>
  return
}

// -----

func.func @f(%g: !evox.generator, %p: tensor<4xf32>) {
  // expected-error @+1 {{'evox.random.bernoulli' op 'probabilities' must have the shape [3], not [4]}}
  %v, %h = evox.random.bernoulli %g p %p : tensor<4xf32> -> tensor<3xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.sort' op dim 2 is out of range for 'tensor<8x2xf32>'}}
  %v, %i = evox.sort %x dim 2 : tensor<8x2xf32> -> tensor<8x2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.sort' op dim -1 is out of range for 'tensor<8x2xf32>'}}
  %v, %i = evox.sort %x dim -1 : tensor<8x2xf32> -> tensor<8x2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.sort' op 'indices' must have the shape [8, 2], not [8]}}
  %v, %i = evox.sort %x dim 0 : tensor<8x2xf32> -> tensor<8xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.sort' op selects element 8 of 8}}
  %v, %i = evox.sort %x dim 0 select 8 : tensor<8x2xf32> -> tensor<8x2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.sort' op 'select' goes with no other order}}
  %v, %i = evox.sort %x dim 0 select 1 descending : tensor<8x2xf32> -> tensor<8x2xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.sort' op 'unsigned' is for elements of i8, not 'tensor<8xf32>'}}
  %v, %i = evox.sort %x dim 0 unsigned : tensor<8xf32> -> tensor<8xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.topk' op takes 9 of 8 elements}}
  %v, %i = evox.topk %x dim 0 : tensor<8xf32> -> tensor<9xf32>, tensor<9xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.topk' op 'values' must be of 'f32', not of 'f64'}}
  %v, %i = evox.topk %x dim 0 : tensor<8xf32> -> tensor<3xf64>, tensor<3xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>) {
  // expected-error @+1 {{'evox.topk' op 'values' must have the shape [?, 2], not [3, 3]}}
  %v, %i = evox.topk %x dim 0 : tensor<8x2xf32> -> tensor<3x3xf32>, tensor<3x3xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.topk' op 'indices' must have the shape [3], not [4]}}
  %v, %i = evox.topk %x dim 0 : tensor<8xf32> -> tensor<3xf32>, tensor<4xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>, %n: index) {
  // expected-error @+1 {{'evox.topk' op 'k' is for a result of unknown size}}
  %v, %i = evox.topk %x k %n dim 0 : tensor<8xf32> -> tensor<3xf32>, tensor<3xi64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.topk' op needs 'k', as the result's size is unknown}}
  %v, %i = evox.topk %x dim 0 : tensor<8xf32> -> tensor<?xf32>, tensor<?xi64>
  return
}

// -----

func.func @f(%x: tensor<f32>, %n: index) {
  // expected-error @+1 {{'evox.topk' op 'k' is for a result of unknown size}}
  %v, %i = evox.topk %x k %n dim 0 : tensor<f32> -> tensor<f32>, tensor<i64>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'evox.cumulative' op dim 1 is out of range for 'tensor<8xf32>'}}
  %y = evox.cumulative sum %x dim 1 : tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>, %u: tensor<3xf64>, %i: tensor<3x2xi64>) {
  // expected-error @+1 {{'evox.scatter' op 'updates' must be of 'f32', not of 'f64'}}
  %y = evox.scatter assign %u into %x at %i : tensor<3xf64> into tensor<8x2xf32> at tensor<3x2xi64>
  return
}

// -----

func.func @f(%x: tensor<8x2xf32>, %u: tensor<3xf32>, %i: tensor<3x1xi64>) {
  // expected-error @+1 {{'evox.scatter' op 'indices' must have the shape [3, 2], not [3, 1]}}
  %y = evox.scatter assign %u into %x at %i : tensor<3xf32> into tensor<8x2xf32> at tensor<3x1xi64>
  return
}

// -----

func.func @f(%x: tensor<8xi32>, %u: tensor<3xi32>, %i: tensor<3x1xi64>) {
  // expected-error @+1 {{'evox.scatter' op 'unsigned' is for elements of i8, not 'tensor<8xi32>'}}
  %y = evox.scatter max %u into %x at %i unsigned : tensor<3xi32> into tensor<8xi32> at tensor<3x1xi64>
  return
}

// -----

func.func @f(%m: tensor<8x2xi1>, %n: index) {
  // expected-error @+1 {{'evox.nonzero' op 'indices' must have the shape [?, 2], not [?, 3]}}
  %i = evox.nonzero %m count %n : tensor<8x2xi1> -> tensor<?x3xi64>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Factorisations
//===----------------------------------------------------------------------===//

func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{'evox.linalg.cholesky' op needs matrices, not 'tensor<4xf32>'}}
  %l, %i = evox.linalg.cholesky %a : tensor<4xf32> -> tensor<4xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x3xf32>) {
  // expected-error @+1 {{'evox.linalg.cholesky' op needs square matrices, not 'tensor<4x3xf32>'}}
  %l, %i = evox.linalg.cholesky %a : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x4xf32>) {
  // expected-error @+1 {{'evox.linalg.cholesky' op 'factor' must be of 'f32', not of 'f64'}}
  %l, %i = evox.linalg.cholesky %a : tensor<4x4xf32> -> tensor<4x4xf64>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<7x4x4xf32>) {
  // expected-error @+1 {{'evox.linalg.cholesky' op 'info' must have the shape [7], not []}}
  %l, %i = evox.linalg.cholesky %a : tensor<7x4x4xf32> -> tensor<7x4x4xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x4xf32>) {
  // expected-error @+1 {{'evox.linalg.eigh' op 'eigenvalues' must have the shape [4], not [3]}}
  %w, %v, %i = evox.linalg.eigh %a : tensor<4x4xf32> -> tensor<3xf32>, tensor<4x4xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x3xf32>) {
  // expected-error @+1 {{'evox.linalg.qr' op 'r' must have the shape [3, 3], not [4, 3]}}
  %q, %r = evox.linalg.qr %a : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @f(%a: tensor<4x3xf32>) {
  // expected-error @+1 {{'evox.linalg.qr' op 'q' must have the shape [4, 3], not [4, 2]}}
  %q, %r = evox.linalg.qr %a : tensor<4x3xf32> -> tensor<4x2xf32>, tensor<3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<3x4xf32>) {
  // expected-error @+1 {{'evox.linalg.svd' op 'vh' must have the shape [4, 4], not [5, 4]}}
  %u, %s, %vh, %i = evox.linalg.svd %a : tensor<3x4xf32> -> tensor<3x3xf32>, tensor<3xf32>, tensor<5x4xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x3xf32>) {
  // expected-error @+1 {{'evox.linalg.lu' op 'pivots' must have the shape [3], not [4]}}
  %lu, %p, %i = evox.linalg.lu %a : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<4xi32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<4x4xf32>, %b: tensor<3x2xf32>) {
  // expected-error @+1 {{'evox.linalg.solve' op 'b' must have the shape [4, 2], not [3, 2]}}
  %x, %i = evox.linalg.solve %a, %b : tensor<4x4xf32>, tensor<3x2xf32> -> tensor<4x2xf32>, tensor<i32>
  return
}

// -----

func.func @f(%a: tensor<5x4x4xf32>, %b: tensor<4x2xf32>) {
  // expected-error @+1 {{'evox.linalg.solve_triangular' op 'b' must have the shape [5, 4, 2], not [4, 2]}}
  %x = evox.linalg.solve_triangular %a, %b : tensor<5x4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%a: tensor<4x3xf32>, %b: tensor<4x2xf32>) {
  // expected-error @+1 {{'evox.linalg.lstsq' op 'x' must have the shape [3, 2], not [4, 2]}}
  %x, %r = evox.linalg.lstsq %a, %b : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<4x2xf32>, tensor<i64>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Kernel calls
//===----------------------------------------------------------------------===//

func.func @f() {
  // expected-error @+1 {{'evox.kernel_call' op needs the name of a kernel}}
  evox.kernel_call ""() : ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'evox.kernel_call' op 'a.b' is no name of a kernel: those have letters, digits and '_' only}}
  evox.kernel_call "a.b"() : ()
  return
}

// -----

func.func @f(%x: tensor<f32>, %m: memref<f32>) {
  // expected-error @+1 {{'evox.kernel_call' op mixes tensors and memrefs}}
  evox.kernel_call "copy"(%x) outs(%m) : (tensor<f32>) outs(memref<f32>)
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @+1 {{'evox.kernel_call' op 'unsignedElements' needs an operand of i8 elements}}
  evox.kernel_call "copy"(%x) {unsignedElements} : (tensor<f32>)
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @+1 {{expected type of operand #0 ('tensor<f32>') to match type of corresponding result ('tensor<2xf32>')}}
  %y = "evox.kernel_call"(%x) <{kernel = "fill", operandSegmentSizes = array<i32: 0, 1, 0>}> : (tensor<f32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @+1 {{number of operands and types do not match: got 1 operands and 0 types}}
  %y = evox.kernel_call "fill"() outs(%x) : () outs()
  return
}
