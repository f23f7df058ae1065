# Where the branch isn't taken, `v` is `y`'s memory: a branch says whether it
# is, and the write into `v` is made into `y` too if it holds.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=forward:float32[3,2] --input=reads:float32[3,2] \
# RUN:   | evox-opt | FileCheck %s

# CHECK-LABEL: evox.func @forward
# CHECK:         %[[V:.*]]:2 = evox.if %{{.*}} -> (tensor<2x3xf32>, i1)
# CHECK:           evox.yield %{{.*}}, %false
# CHECK:           evox.yield %{{.*}}, %true
# CHECK:         %[[DOUBLE:.*]] = arith.mulf %[[V]]#0
# CHECK:         %[[Y:.*]] = evox.if %[[V]]#1 -> (tensor<3x2xf32>)
# CHECK-NEXT:      tensor.empty
# CHECK-NEXT:      linalg.transpose ins(%[[DOUBLE]] : tensor<2x3xf32>)
# CHECK:         evox.return %[[DOUBLE]], %[[Y]]
def forward(self, x: Tensor):
    y = x.clone()
    v = y.transpose(0, 1)
    if bool(x.max() > 3.0):
        v = v + 1.0
    v.mul_(2.0)
    return v, y


# A method that doesn't look at `y` again does without.

# CHECK-LABEL: evox.func @reads
# CHECK:         evox.if %{{.*}} -> (tensor<2x3xf32>) {
# CHECK-NOT:     evox.if
# CHECK:         evox.return
def reads(self, x: Tensor):
    y = x.clone()
    v = y.transpose(0, 1)
    if bool(x.max() > 3.0):
        v = v + 1.0
    v.mul_(2.0)
    return v
