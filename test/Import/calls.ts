# A method that is called is a function of its module: one for all calls that
# compute the same, another one for other shapes or constants.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=twice:float32[3] --input=shapes:float32[3],float32[2,3] \
# RUN:   --input=constants:float32[3] --input=nested:float32[3] \
# RUN:   --input=again:float32[3] --input=hidden:float32[3] \
# RUN:   --input=open:float32[?,3] -o %t.mlir
# RUN: evox-opt %t.mlir | FileCheck %s
# RUN: evox-opt %t.mlir --evox-to-state | FileCheck %s --check-prefix=STATE
#
# buffer shift = torch.ones([3])

# CHECK-LABEL: evox.module @sub {
# CHECK:         evox.state mutable @scale "sub.scale"
#
# module sub
# buffer scale = torch.ones([3])
def times(self, x: Tensor):
    return x * self.scale
def double(self, x: Tensor):
    return x + x
def power(self, x: Tensor, n: int):
    return torch.pow(x, n)

# CHECK:         evox.module @inner {
# CHECK:           evox.func @both(%[[X:.*]]: tensor<3xf32>, %[[Y:.*]]: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
# CHECK-NEXT:        %[[A:.*]] = arith.subf %[[X]], %[[Y]]
# CHECK-NEXT:        %[[B:.*]] = arith.subf %[[Y]], %[[X]]
# CHECK-NEXT:        evox.return %[[A]], %[[B]]
#
# module inner
def both(self, x: Tensor, y: Tensor):
    return x - y, y - x
# end

# CHECK-DAG:     evox.func @power(%{{.*}}: tensor<3xf32>) -> tensor<3xf32>
# CHECK-DAG:     evox.func @power_1(%{{.*}}: tensor<3xf32>) -> tensor<3xf32>
#
# CHECK:         evox.func @outer(%[[X:.*]]: tensor<3xf32>) -> tensor<3xf32> {
# CHECK-NEXT:      %[[S:.*]] = evox.load @scale
# CHECK-NEXT:      %[[B:.*]]:2 = evox.call @inner::@both(%[[X]], %[[S]])
# CHECK-NEXT:      arith.mulf %[[B]]#0, %[[B]]#1
def outer(self, x: Tensor):
    a, b = self.inner.both(x, self.scale)
    return a * b

# CHECK:         evox.func @double(%{{.*}}: tensor<3xf32>) -> tensor<3xf32>
# CHECK:         evox.func @double_1(%{{.*}}: tensor<2x3xf32>) -> tensor<2x3xf32>
# CHECK-NOT:     evox.func @double
#
# CHECK:         evox.func @times(%[[X:.*]]: tensor<3xf32>) -> tensor<3xf32> {
# CHECK-NEXT:      %[[S:.*]] = evox.load @scale
# CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[X]], %[[S]]
# CHECK-NEXT:      evox.return %[[P]]
# end

# Names are looked up from the inside out: two modules of one name, one in the
# other, are told apart.
#
# module deep
# buffer size = torch.ones([3])
# module deep
# buffer size = torch.zeros([3])
def near(self, x: Tensor):
    return x + self.size
# end
def far(self, x: Tensor):
    return self.deep.near(x) * self.size
# end

# module idle
def nothing(self, x: Tensor):
    return x, x.size(0)
# end

# CHECK-NOT:   @nothing
#
# CHECK:       evox.func @own(%{{.*}}: tensor<3xf32>) -> tensor<3xf32> {
# CHECK-NEXT:    evox.load @shift
def own(self, x: Tensor):
    return x - self.shift

# What does nothing is not called.
#
# CHECK-LABEL: evox.func @again(
# CHECK:         %[[P:.*]] = arith.mulf
# CHECK-NEXT:    %[[R:.*]] = evox.call @own(%[[P]]) : (tensor<3xf32>) -> tensor<3xf32>
# CHECK-NEXT:    evox.return %[[R]]
def again(self, x: Tensor):
    y, n = self.idle.nothing(x)
    return self.own(y * n)

# CHECK-LABEL: evox.func @constants(
# CHECK:         evox.call @sub::@power(%arg0)
# CHECK:         evox.call @sub::@power_1(%arg0)
# CHECK:         evox.call @sub::@power(%arg0)
def constants(self, x: Tensor):
    return self.sub.power(x, 2) + self.sub.power(x, 3) + self.sub.power(x, 2)

# CHECK-LABEL: evox.func @hidden(
# CHECK:         evox.call @deep::@far(%arg0)
def hidden(self, x: Tensor):
    return self.deep.far(x)

# CHECK-LABEL: evox.func @nested(
# CHECK-NEXT:    %[[R:.*]] = evox.call @sub::@outer(%arg0)
# CHECK-NEXT:    evox.return %[[R]]
def nested(self, x: Tensor):
    return self.sub.outer(x)

# A size of an argument is taken from it.
#
# CHECK:       evox.func @own_1(%[[X:.*]]: tensor<?x3xf32>) -> tensor<?x3xf32> {
# CHECK:         tensor.dim %[[X]]
#
# CHECK-LABEL: evox.func @open(
# CHECK:         evox.call @own_1(%arg0) : (tensor<?x3xf32>) -> tensor<?x3xf32>
def open(self, x: Tensor):
    n = x.size(0)
    return self.own(x) * n

# CHECK-LABEL: evox.func @shapes(
# CHECK:         evox.call @sub::@double(%arg0)
# CHECK:         evox.call @sub::@double_1(%arg1)
# CHECK:         evox.call @sub::@double(%{{.*}}) : (tensor<3xf32>) -> tensor<3xf32>
def shapes(self, x: Tensor, y: Tensor):
    return self.sub.double(x), self.sub.double(y), self.sub.double(x * 3.0)

# CHECK-LABEL: evox.func @twice(
# CHECK-NEXT:    %[[A:.*]] = evox.call @sub::@times(%arg0)
# CHECK-NEXT:    %[[B:.*]] = evox.call @sub::@times(%[[A]])
# CHECK-NEXT:    evox.return %[[B]]
#
# STATE-LABEL: func.func @twice(
# STATE-SAME:    %[[X:.*]]: tensor<3xf32> {evox.arg = 0 : i32}, %[[S:.*]]: tensor<3xf32> {evox.slot
# STATE-NEXT:    %[[A:.*]] = arith.mulf %[[X]], %[[S]]
# STATE-NEXT:    %[[B:.*]] = arith.mulf %[[A]], %[[S]]
# STATE-NEXT:    return %[[B]]
def twice(self, x: Tensor):
    return self.sub.times(self.sub.times(x))
