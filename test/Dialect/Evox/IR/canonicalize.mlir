// RUN: evox-opt %s --canonicalize --split-input-file | FileCheck %s
// RUN: evox-opt %s --canonicalize --split-input-file | evox-opt --split-input-file -o /dev/null

// Branches that are known are taken.

// CHECK-LABEL: evox.module @known
evox.module @known {
  evox.state mutable @x "x" : tensor<f32>
  // CHECK: evox.func @if_true(%[[X:.*]]: tensor<f32>, %[[Y:.*]]: tensor<f32>)
  evox.func @if_true(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
    %c = arith.constant true
    // CHECK-NEXT: evox.store %[[X]], @x
    // CHECK-NEXT: evox.return %[[X]]
    %r = evox.if %c -> (tensor<f32>) {
      evox.store %x, @x : tensor<f32>
      evox.yield %x : tensor<f32>
    } else {
      evox.store %y, @x : tensor<f32>
      evox.yield %y : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }
  // CHECK: evox.func @if_false(%[[X:.*]]: tensor<f32>, %[[Y:.*]]: tensor<f32>)
  evox.func @if_false(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
    %c = arith.constant false
    // CHECK-NEXT: evox.return %[[Y]]
    %r = evox.if %c -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    } else {
      evox.yield %y : tensor<f32>
    }
    evox.return %r : tensor<f32>
  }
  // An index is clamped to the branches.
  // CHECK: evox.func @switch(%[[X:.*]]: tensor<f32>, %[[Y:.*]]: tensor<f32>, %[[Z:.*]]: tensor<f32>)
  evox.func @switch(%x: tensor<f32>, %y: tensor<f32>, %z: tensor<f32>)
      -> (tensor<f32>, tensor<f32>, tensor<f32>) {
    %below = arith.constant -3 : index
    %in = arith.constant 1 : index
    %above = arith.constant 7 : index
    %a = evox.switch %below -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }, {
      evox.yield %y : tensor<f32>
    }, {
      evox.yield %z : tensor<f32>
    }
    %b = evox.switch %in -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }, {
      evox.yield %y : tensor<f32>
    }, {
      evox.yield %z : tensor<f32>
    }
    %c = evox.switch %above -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }, {
      evox.yield %y : tensor<f32>
    }, {
      evox.yield %z : tensor<f32>
    }
    // CHECK-NEXT: evox.return %[[X]], %[[Y]], %[[Z]]
    evox.return %a, %b, %c : tensor<f32>, tensor<f32>, tensor<f32>
  }
  // CHECK: evox.func @switch_of_one(%{{.*}}: index, %[[X:.*]]: tensor<f32>)
  evox.func @switch_of_one(%i: index, %x: tensor<f32>) -> tensor<f32> {
    // CHECK-NEXT: evox.return %[[X]]
    %a = evox.switch %i -> (tensor<f32>) {
      evox.yield %x : tensor<f32>
    }
    evox.return %a : tensor<f32>
  }
}

// -----

// CHECK-LABEL: evox.module @asserts
evox.module @asserts {
  // CHECK: evox.func @f(%[[C:.*]]: i1)
  evox.func @f(%c: i1) {
    %true = arith.constant true
    %false = arith.constant false
    evox.assert %true, "never raised"
    // CHECK: %[[FALSE:.*]] = arith.constant false
    // CHECK-NEXT: evox.assert %[[FALSE]], "always raised"
    evox.assert %false, "always raised"
    // CHECK-NEXT: evox.assert %[[C]], "sometimes raised"
    evox.assert %c, "sometimes raised"
    // CHECK-NEXT: evox.return
    evox.return
  }
}

// -----

// What has no effect and no use goes; what has an effect stays.

// CHECK-LABEL: evox.module @effects
evox.module @effects {
  evox.state mutable @x "x" : tensor<f32>
  evox.state mutable @l "l" : !evox.list<tensor<f32>>
  evox.state mutable @g "g" : !evox.generator

  // CHECK: evox.func @dead
  evox.func @dead(%c: i1, %i: index, %m: memref<4xf32>) {
    // CHECK-NEXT: evox.return
    %x = evox.load @x : tensor<f32>
    %g = evox.load @g : !evox.generator
    %p, %h = evox.random.permutation %g : tensor<4xi64>
    %v, %j = evox.sort %p dim 0 : tensor<4xi64> -> tensor<4xi64>
    %e = tensor.empty() : tensor<4xi64>
    %k = evox.kernel_call "copy"(%v) outs(%e) : (tensor<4xi64>) outs(tensor<4xi64>)
    %l = evox.load @l : !evox.list<tensor<f32>>
    %n = evox.list.size %l : !evox.list<tensor<f32>>
    evox.if %c {
      %z = evox.load @x : tensor<f32>
    } else {
    }
    evox.return
  }

  // CHECK: evox.func @callee
  evox.func @callee() {
    evox.return
  }

  // CHECK: evox.func @live
  evox.func @live(%c: i1, %i: index, %x: tensor<f32>, %m: memref<4xf32>) {
    // CHECK-NEXT: evox.store
    evox.store %x, @x : tensor<f32>
    // CHECK-NEXT: evox.load
    // CHECK-NEXT: evox.list.append
    %l = evox.load @l : !evox.list<tensor<f32>>
    %k = evox.list.append %l, %x : !evox.list<tensor<f32>>, tensor<f32>
    // Out of range, it ends the call, used or not.
    // CHECK-NEXT: evox.list.get
    %y = evox.list.get %k[%i] : !evox.list<tensor<f32>> -> tensor<f32>
    // CHECK-NEXT: evox.if
    evox.if %c {
      // CHECK-NEXT: evox.store
      evox.store %x, @x : tensor<f32>
    } else {
    }
    // CHECK: evox.external_call
    %e = evox.external_call "f"(%x) : (tensor<f32>) -> tensor<f32>
    // CHECK-NEXT: evox.kernel_call "fill"
    evox.kernel_call "fill"() outs(%m) : () outs(memref<4xf32>)
    // CHECK-NEXT: tensor.empty
    // CHECK-NEXT: evox.kernel_call "draw"
    %t = tensor.empty() : tensor<f32>
    %d = evox.kernel_call "draw"() outs(%t) {effects} : () outs(tensor<f32>)
    // CHECK-NEXT: evox.call @callee
    evox.call @callee() : () -> ()
    // CHECK-NEXT: evox.return
    evox.return
  }
}
