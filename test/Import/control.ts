# A branch on data is an op with two regions; one on Python's own values is
# taken at import, and what it does not take is never looked at.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=on_data:float32[3] --input=on_shape:float32[3] \
# RUN:   --input=both:float32[3] --input=early:float32[3] \
# RUN:   | evox-opt | FileCheck %s
#
# buffer best = torch.zeros([3])

# The condition that `and` makes, and the branch; the second `if` is static.
#
# CHECK-LABEL: evox.func @both
# CHECK-COUNT-2: evox.if
# CHECK-NOT: evox.if
# CHECK: evox.return
def both(self, x: Tensor):
    if bool(x[0] > 0) and x.dim() == 1:
        x = x + 1.0
    if x.dim() == 1 and x.size(0) == 3:
        x = x * 2.0
    return x

# CHECK-LABEL: evox.func @early
# CHECK: %[[TAKEN:.*]] = evox.if
# CHECK: evox.return %[[TAKEN]]
def early(self, x: Tensor):
    if bool(x[0] > 0):
        return x
    return x - 1.0

# The state that a branch writes leaves it as a value.
#
# CHECK-LABEL: evox.func @on_data
# CHECK: %[[OLD:.*]] = evox.load @best
# CHECK: %[[IF:.*]]:2 = evox.if %{{.*}} -> (tensor<3xf32>, tensor<3xf32>)
# CHECK:   %[[NEW:.*]] = arith.addf %[[OLD]], %arg0
# CHECK:   evox.yield %[[Y:.*]], %[[NEW]]
# CHECK: } else {
# CHECK:   evox.yield %{{.*}}, %[[OLD]]
# CHECK: evox.store %[[IF]]#1, @best
# CHECK: evox.return %[[IF]]#0
def on_data(self, x: Tensor):
    if bool(x[0] > 0):
        self.best += x
        y = x * 2.0
    else:
        y = -x
    return y

# CHECK-LABEL: evox.func @on_shape
# CHECK-NEXT: %[[ONE:.*]] = arith.constant dense<1.0{{.*}}> : tensor<3xf32>
# CHECK-NEXT: %[[SUM:.*]] = arith.addf %arg0, %[[ONE]]
# CHECK-NEXT: evox.return %[[SUM]]
def on_shape(self, x: Tensor):
    if x.dim() == 2:
        return torch.fft_fft(x)
    return x + 1.0
