# Draws take the generator and give the next one; it is loaded and stored once.
#
# REQUIRES: evox-import
# RUN: evox-import %s --method=draw | evox-opt | FileCheck %s
# RUN: evox-import %s --method=none --input=none:float32[2] | evox-opt \
# RUN:   | FileCheck %s --check-prefix=NONE

# CHECK: evox.state mutable @__generator__ "__generator__" : !evox.generator
# CHECK: evox.func @draw
# CHECK: %[[G:.*]] = evox.load @__generator__
# CHECK: %{{.*}}, %[[G1:.*]] = evox.random.uniform %[[G]]
# CHECK: %{{.*}}, %[[G2:.*]] = evox.random.permutation %[[G1]]
# CHECK: evox.store %[[G2]], @__generator__
# CHECK-NOT: @__generator__
def draw(self):
    return torch.rand([3]), torch.randperm(4)

# A program that draws nothing has no generator.
#
# NONE-NOT: generator
def none(self, x: Tensor):
    return x
