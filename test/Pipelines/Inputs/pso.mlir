// A swarm in the form that the importer gives it, but small.
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>
#none = affine_map<(d0, d1) -> ()>
evox.module @PSO {
  evox.state mutable @g "__generator__" : !evox.generator
  evox.state mutable @pop "algorithm.pop" : tensor<64x8xf32>
  evox.state mutable @velocity "algorithm.velocity" : tensor<64x8xf32>
  evox.state mutable @best_loc "algorithm.local_best_location" : tensor<64x8xf32>
  evox.state mutable @best_fit "algorithm.local_best_fit" : tensor<64xf32> = dense<0x7F800000> : tensor<64xf32>
  evox.state parameter @w "algorithm.w" : tensor<f32> = dense<0.6> : tensor<f32>
  evox.module @problem {
    evox.func @evaluate(%x: tensor<64x8xf32>) -> tensor<64xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<64xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
      %r = linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x8xf32>) outs(%f : tensor<64xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %m = arith.mulf %a, %a : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<64xf32>
      evox.return %r : tensor<64xf32>
    }
  }
  evox.func @init_step() attributes {entry = {name = "init_step", phase = 0, next = 0}} {
    %g = evox.load @g : !evox.generator
    %zero = arith.constant -1.0 : f64
    %one = arith.constant 1.0 : f64
    %v, %h = evox.random.uniform %g from %zero to %one : tensor<64x8xf32>
    evox.store %h, @g : !evox.generator
    evox.store %v, @pop : tensor<64x8xf32>
    evox.store %v, @best_loc : tensor<64x8xf32>
    %f = evox.call @problem::@evaluate(%v) : (tensor<64x8xf32>) -> tensor<64xf32>
    evox.store %f, @best_fit : tensor<64xf32>
    evox.return
  }
  evox.func @step() -> tensor<64xf32> attributes {entry = {name = "step", phase = 0, next = 0, results = "{\22tensor\22: 0}", result_dtypes = ["float32"]}} {
    %g = evox.load @g : !evox.generator
    %pop = evox.load @pop : tensor<64x8xf32>
    %vel = evox.load @velocity : tensor<64x8xf32>
    %fit = evox.call @problem::@evaluate(%pop) : (tensor<64x8xf32>) -> tensor<64xf32>
    %bf = evox.load @best_fit : tensor<64xf32>
    %bl = evox.load @best_loc : tensor<64x8xf32>
    %better = arith.cmpf olt, %fit, %bf : tensor<64xf32>
    %nbf = arith.minimumf %fit, %bf : tensor<64xf32>
    %e2 = tensor.empty() : tensor<64x8xf32>
    %nbl = linalg.generic {indexing_maps = [#row, #id2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%better, %pop, %bl : tensor<64xi1>, tensor<64x8xf32>, tensor<64x8xf32>) outs(%e2 : tensor<64x8xf32>) {
    ^bb0(%c: i1, %a: f32, %b: f32, %o: f32):
      %s = arith.select %c, %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<64x8xf32>
    evox.store %nbf, @best_fit : tensor<64xf32>
    evox.store %nbl, @best_loc : tensor<64x8xf32>
    %zero = arith.constant 0.0 : f64
    %one = arith.constant 1.0 : f64
    %r1, %g1 = evox.random.uniform %g from %zero to %one : tensor<64x8xf32>
    evox.store %g1, @g : !evox.generator
    %w = evox.load @w : tensor<f32>
    %ew = tensor.empty() : tensor<64x8xf32>
    %wb = linalg.generic {indexing_maps = [#none, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<f32>) outs(%ew : tensor<64x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<64x8xf32>
    %v1 = arith.mulf %wb, %vel : tensor<64x8xf32>
    %d = arith.subf %nbl, %pop : tensor<64x8xf32>
    %d1 = arith.mulf %r1, %d : tensor<64x8xf32>
    %nv = arith.addf %v1, %d1 : tensor<64x8xf32>
    %np = arith.addf %pop, %nv : tensor<64x8xf32>
    evox.store %np, @pop : tensor<64x8xf32>
    evox.store %nv, @velocity : tensor<64x8xf32>
    evox.return %fit : tensor<64xf32>
  }
}
