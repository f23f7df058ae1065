# A dimension that keeps changing becomes open, in the state too; one that is
# left open stays so.
#
# REQUIRES: evox-import
# RUN: evox-import %s --method=grow --input=grow:float32[3] | evox-opt \
# RUN:   | FileCheck %s --check-prefix=GROW
# RUN: evox-import %s --input=masked:float32[4] --input=open:float32[?,3] \
# RUN:   --input=pair:float32[?],float32[?] | evox-opt | FileCheck %s
#
# buffer rows = torch.zeros([0, 3])

# GROW: evox.state mutable @rows "rows" : tensor<{{[0?]}}x3xf32>
# GROW: evox.store %{{.*}}, @rows : tensor<?x3xf32>
def grow(self, x: Tensor):
    self.rows = torch.cat([self.rows, x.unsqueeze(0)])
    return self.rows.size(0)

# CHECK-LABEL: evox.func @masked
# CHECK-SAME: -> tensor<?xf32>
# CHECK: evox.nonzero
def masked(self, x: Tensor):
    return x[x > 0]

# CHECK-LABEL: evox.func @open
# CHECK-SAME: %arg0: tensor<?x3xf32>) -> tensor<?x3xf32>
def open(self, x: Tensor):
    return x * 2.0

# Two open sizes must fit when it runs.
#
# CHECK-LABEL: evox.func @pair
# CHECK: evox.assert
def pair(self, x: Tensor, y: Tensor):
    return x + y
