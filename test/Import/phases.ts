# State whose type changes: each entry point once per phase, and each knows the
# phase that it leads to.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=step:float32[2,3] | evox-opt | FileCheck %s
#
# buffer best = torch.zeros([0])

# CHECK: evox.module @Program attributes {phases = [{
# CHECK-SAME: types = {best = tensor<2x3xf32>}
# CHECK: evox.state mutable @best "best" : tensor<0xf32>
#
# CHECK: evox.func @step({{.*}}name = "step", next = 1 : i64, phase = 0 : i64
# CHECK-NOT: evox.load
# CHECK: evox.store %arg0, @best : tensor<2x3xf32>
#
# CHECK: evox.func @step_1({{.*}}name = "step", next = 1 : i64, phase = 1 : i64
# CHECK: evox.load @best : tensor<2x3xf32>
# CHECK: arith.addf
# CHECK: evox.store %{{.*}}, @best : tensor<2x3xf32>
def step(self, x: Tensor):
    if self.best.dim() == 1:
        self.best = x
    else:
        self.best = self.best + x
    return self.best
