# In-place ops become values: a write through a view is a write into its base.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=alias:float32[4] --input=row:float32[2,3] \
# RUN:   --input=transposed:float32[2,3] | evox-opt | FileCheck %s

# CHECK-LABEL: evox.func @alias
# CHECK: %[[TWO:.*]] = arith.mulf %arg0
# CHECK: evox.return %[[TWO]], %[[TWO]]
def alias(self, x: Tensor):
    y = x.view([4])
    y.mul_(2.0)
    return x, y

# CHECK-LABEL: evox.func @row
# CHECK: tensor.extract_slice %arg0[1, 0] [1, 3] [1, 1]
# CHECK: %[[NEW:.*]] = tensor.insert_slice %{{.*}} into %arg0[1, 0]
# CHECK: evox.return %[[NEW]]
def row(self, x: Tensor):
    x[1] += 1.0
    return x

# CHECK-LABEL: evox.func @transposed
# CHECK: tensor.insert_slice
# CHECK: evox.return
def transposed(self, x: Tensor):
    y = x.t()
    y[2] = 0.0
    return x
