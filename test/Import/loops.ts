# A short loop is unrolled, a longer one with a known trip count is scf.for,
# one whose end the data decides is evox.while.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=counted:float32[3] --input=open:float32[3] \
# RUN:   --input=short:float32[3] --input=trips:float32[3],int \
# RUN:   --input=stops:float32[3] | evox-opt | FileCheck %s
# RUN: evox-import %s --input=short:float32[3] --unroll-limit=0 | evox-opt \
# RUN:   | FileCheck %s --check-prefix=KEPT
#
# buffer total = torch.zeros([3])

# CHECK-LABEL: evox.func @counted
# CHECK-DAG: %[[LOW:.*]] = arith.constant 0 : index
# CHECK-DAG: %[[HIGH:.*]] = arith.constant 100 : index
# CHECK: scf.for %[[I:.*]] = %[[LOW]] to %[[HIGH]] step %{{.*}} iter_args
# CHECK:   %[[K:.*]] = arith.index_cast %[[I]] : index to i64
# CHECK:   scf.yield %{{.*}} : tensor<3xf32>
# CHECK-NOT: scf.for
# CHECK: evox.return
def counted(self, x: Tensor):
    for i in range(100):
        x = x * 2.0 + i
    return x

# CHECK-LABEL: evox.func @open
# CHECK: %[[LOOP:.*]]:{{[0-9]+}} = evox.while(
# CHECK:   evox.condition(
# CHECK: } do {
# CHECK:   arith.mulf
# CHECK:   evox.yield
# CHECK: evox.return
def open(self, x: Tensor):
    n = 0
    while bool(x[0] > 1):
        x = x * 0.5
        n += 1
    return x, n

# CHECK-LABEL: evox.func @short
# CHECK-NOT: scf.for
# CHECK-COUNT-3: arith.addf
# CHECK-NOT: arith.addf
# CHECK: evox.return
#
# KEPT-LABEL: evox.func @short
# KEPT: scf.for
def short(self, x: Tensor):
    for i in range(3):
        x = x + i
    return x

# A break makes it a loop on data; the buffer is carried.
#
# CHECK-LABEL: evox.func @stops
# CHECK: evox.while({{.*}}tensor<3xf32>
# CHECK: evox.store %{{.*}}, @total
def stops(self, x: Tensor):
    for i in range(20):
        self.total += x
        if bool(self.total[0] > 10):
            break
    return self.total

# CHECK-LABEL: evox.func @trips
# CHECK-SAME: %[[X:.*]]: tensor<3xf32>, %[[N:.*]]: tensor<i64>
# CHECK: tensor.extract %[[N]]
# CHECK: {{scf.for|evox.while}}
def trips(self, x: Tensor, n: int):
    for i in range(n):
        x = x + 1.0
    return x

# The first iteration gives x another rank; the others are a loop.
#
# RUN: evox-import %s --input=settles:float32[3] | evox-opt \
# RUN:   | FileCheck %s --check-prefix=SETTLES
# SETTLES-LABEL: evox.func @settles
# SETTLES: arith.addf {{.*}} : tensor<1x3xf32>
# SETTLES: %[[ONE:.*]] = arith.constant 1 : index
# SETTLES: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%{{.*}}) -> (tensor<1x3xf32>)
# SETTLES-NOT: scf.for
# SETTLES: evox.return
def settles(self, x: Tensor):
    for i in range(100):
        x = x + torch.ones([1, 3]) * i
    return x
