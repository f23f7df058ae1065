// RUN: evox-opt %s -split-input-file -verify-diagnostics -evox-use-state -evox-vmap

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{has 2 entries in 'in_dims', but @f takes 1 tensors}}
  evox.vmap @many of @f in [0, 0] out [0] {axis_size = 3 : i64}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{has 2 in 'out_dims' for tensor 0, which has only 2 dimensions with the lanes}}
  evox.vmap @many of @f in [0] out [2] {axis_size = 3 : i64}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{has no batched argument, so axis_size must say how many lanes there are}}
  evox.vmap @many of @f in [unit] out [0]
}

// -----

evox.module @M {
  // expected-error @below {{is derived from @g, which is no function of the program}}
  evox.use_state @f of @g keys []
}

// -----

evox.module @M {
  // expected-error @below {{is derived from itself}}
  evox.use_state @f of @g keys []
  evox.use_state @g of @f keys []
}

// -----

evox.module @M {
  evox.state mutable @n "n" : tensor<i64>
  evox.func @count(%x: tensor<i64>) {
    evox.store %x, @n : tensor<i64>
    evox.return
  }
  // expected-error @below {{has the key 'm', which is no slot of the program}}
  evox.use_state @pure of @count keys ["m"]
}

// -----

evox.module @M {
  evox.state mutable @n "n" : tensor<i64> or [tensor<2xi64>]
  evox.func @count(%x: tensor<2xi64>) -> tensor<i64> {
    %n = evox.load @n : tensor<i64>
    evox.store %x, @n : tensor<2xi64>
    evox.return %n : tensor<i64>
  }
  // expected-error @below {{changes 'n' from 'tensor<i64>' to 'tensor<2xi64>'; a state keeps its types}}
  evox.use_state @pure of @count keys ["n"] {entry = {name = "pure"}}
}

// -----

evox.module @M {
  evox.state mutable @n "n" : tensor<i64>
  evox.func @count(%x: tensor<i64>) {
    evox.store %x, @n : tensor<i64>
    evox.return
  }
  // expected-error @below {{writes 'n', which all lanes share, with a value per lane; use vmap(use_state(...))}}
  evox.vmap @many of @count in [0] out [] {axis_size = 3 : i64}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{has None in out_dims for result 0, which differs from lane to lane}}
  evox.vmap @many of @f in [0] out [unit] {axis_size = 3 : i64}
}

// -----

evox.module @M {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xi64> {
    %g = evox.load @g : !evox.generator
    // expected-error @below {{called a random operation while in randomness error mode}}
    %v, %h = evox.random.permutation %g : tensor<4xi64>
    evox.store %h, @g : !evox.generator
    evox.return %v : tensor<4xi64>
  }
  evox.vmap @many of @f in [0] out [0] {axis_size = 3 : i64, randomness = "error"}
}

// -----

evox.module @M {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.func @f(%c: tensor<i1>) {
    %i = tensor.extract %c[] : tensor<i1>
    evox.if %i {
      %g = evox.load @g : !evox.generator
      // expected-error @below {{only some lanes get here}}
      %v, %h = evox.random.permutation %g : tensor<4xi64>
      evox.store %h, @g : !evox.generator
    } else {
    }
    evox.return
  }
  evox.vmap @many of @f in [0] out [] {axis_size = 3 : i64, strategy = "mask"}
}

// -----

evox.module @M {
  evox.func @f(%m: tensor<4xi1>, %n: tensor<index>) -> tensor<f32> {
    %k = tensor.extract %n[] : tensor<index>
    // expected-error @below {{under vmap, this gives a tensor of another size in each lane}}
    %i = evox.nonzero %m count %k : tensor<4xi1> -> tensor<?x1xi64>
    %s = arith.constant dense<0.0> : tensor<f32>
    %c = arith.constant 0 : index
    %d = tensor.dim %i, %c : tensor<?x1xi64>
    evox.return %s : tensor<f32>
  }
  evox.vmap @many of @f in [0, 0] out [0] {axis_size = 3 : i64}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{randomness must be different, same or error, not some}}
  evox.vmap @many of @f in [0] out [0] {axis_size = 3 : i64, randomness = "some"}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{strategy must be mask or lanes, not both}}
  evox.vmap @many of @f in [0] out [0] {axis_size = 3 : i64, strategy = "both"}
}

// -----

evox.module @M {
  evox.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    evox.return %x : tensor<4xf32>
  }
  // expected-error @below {{has a chunk_size, which needs an axis_size}}
  evox.vmap @many of @f in [0] out [0] {chunk_size = 2 : i64}
}
