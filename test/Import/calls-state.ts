# State goes through the slots of its module: what a method reads it loads, what
# it changes it stores, also in loops and branches. What is written in place or
# looked into is exact on both sides of a call.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=writes:float32[3] --input=by_the_caller:float32[3] \
# RUN:   --input=in_loop:float32[3] --input=in_while:float32[3] \
# RUN:   --input=in_branch:float32[3] --input=alias:float32[3] \
# RUN:   --input=view:float32[3] --input=unused:float32[3] -o %t.mlir
# RUN: evox-opt %t.mlir | FileCheck %s
# RUN: evox-opt %t.mlir --evox-to-state | FileCheck %s --check-prefix=STATE
#
# The same as functions, and without.
#
# RUN: evox-import %s --inline-calls --input=writes:float32[3] \
# RUN:   --input=by_the_caller:float32[3] --input=alias:float32[3] \
# RUN:   --input=in_branch:float32[3] --input=view:float32[3] -o %t.inlined.mlir
# RUN: FileCheck %s --check-prefix=INLINED --input-file=%t.inlined.mlir
# RUN: evox-opt %t.inlined.mlir --evox-to-state | grep -v "evox.slots" > %t.a
# RUN: evox-import %s --input=writes:float32[3] \
# RUN:   --input=by_the_caller:float32[3] --input=alias:float32[3] \
# RUN:   --input=in_branch:float32[3] --input=view:float32[3] \
# RUN:   | evox-opt --evox-to-state | grep -v "evox.slots" > %t.b
# RUN: diff %t.a %t.b
#
# INLINED-NOT: evox.call

# module counter
# buffer n = torch.zeros([3])
# buffer best = torch.zeros([3])

# CHECK-LABEL: evox.module @counter {
# CHECK:         evox.func @look() -> tensor<3xf32> {
# CHECK-DAG:       %[[N:.*]] = evox.load @n
# CHECK-DAG:       %[[B:.*]] = evox.load @best
# CHECK:           arith.subf %[[N]], %[[B]]
def look(self):
    return self.n - self.best

# CHECK:         evox.func @keep(%[[X:.*]]: tensor<3xf32>) {
# CHECK-NEXT:      evox.store %[[X]], @n
# CHECK-NEXT:      evox.return
def keep(self, x: Tensor):
    self.n = x

# CHECK:         evox.func @draw() -> tensor<3xf32> {
# CHECK:           %[[G:.*]] = evox.load @__generator__
# CHECK:           %{{.*}}, %[[NEXT:.*]] = evox.random.uniform %[[G]]
# CHECK:           evox.store %[[NEXT]], @__generator__
def draw(self):
    return torch.rand([3]) + self.n

# CHECK:         evox.func @next(%[[X:.*]]: tensor<3xf32>) -> tensor<3xf32> {
# CHECK:           %[[N:.*]] = evox.load @n
# CHECK:           %[[SUM:.*]] = arith.addf %[[N]], %[[X]]
# CHECK:           %[[MAX:.*]] = arith.select
# CHECK:           %[[R:.*]] = arith.mulf %[[SUM]]
# CHECK-NEXT:      evox.store %[[SUM]], @n
# CHECK-NEXT:      evox.store %[[MAX]], @best
# CHECK-NEXT:      evox.return %[[R]]
# CHECK-NOT:     @next_1
def next(self, x: Tensor):
    self.n += x
    self.best = torch.maximum(self.best, self.n)
    return self.n * 2.0
# end

# The argument is written in place: its new content comes back.
#
# CHECK:       evox.func @same(%[[X:.*]]: tensor<3xf32>) -> tensor<3xf32> {
# CHECK:         %[[SUM:.*]] = arith.addf %[[X]]
# CHECK-NEXT:    evox.return %[[SUM]]
def same(self, x: Tensor):
    x += 1.0
    return x

# CHECK-LABEL: evox.func @alias(
# CHECK:         %[[Y:.*]] = arith.mulf %arg0
# CHECK-NEXT:    %[[Z:.*]] = evox.call @same(%[[Y]])
# CHECK:         %[[R:.*]] = arith.mulf %[[Z]]
# CHECK-NEXT:    evox.return %[[R]]
def alias(self, x: Tensor):
    y = x * 2.0
    z = self.same(y)
    z *= 3.0
    return y

# What the caller has set is stored before the call.
#
# CHECK-LABEL: evox.func @by_the_caller(
# CHECK:         %[[N:.*]] = arith.mulf %arg0
# CHECK-NEXT:    evox.store %[[N]], @counter::@n
# CHECK-NEXT:    %[[Y:.*]] = evox.call @counter::@look()
# CHECK-NEXT:    evox.call @counter::@keep(%[[Y]]) : (tensor<3xf32>) -> ()
# CHECK-NEXT:    %[[R:.*]] = evox.call @counter::@look()
# CHECK-NEXT:    evox.return %[[R]]
def by_the_caller(self, x: Tensor):
    self.counter.n = x * 2.0
    y = self.counter.look()
    self.counter.keep(y)
    return self.counter.look()

# CHECK-LABEL: evox.func @draws(
# CHECK-NEXT:    evox.call @counter::@draw() : () -> tensor<3xf32>
# CHECK-NEXT:    evox.call @counter::@draw() : () -> tensor<3xf32>
# CHECK-NEXT:    arith.subf
# CHECK-NEXT:    evox.return
def draws(self):
    return self.counter.draw() - self.counter.draw()

# CHECK-LABEL: evox.func @in_branch(
# CHECK:         evox.if %{{.*}} -> (tensor<3xf32>) {
# CHECK-NEXT:      %[[Y:.*]] = evox.call @counter::@next(%arg0)
# CHECK-NEXT:      evox.yield %[[Y]]
# CHECK-NEXT:    } else {
# CHECK-NEXT:      evox.yield %arg0
# CHECK-NEXT:    }
# CHECK-NEXT:    evox.call @counter::@look()
#
# STATE-LABEL: func.func @in_branch(
# STATE-SAME:    %[[X:arg0]]: tensor<3xf32> {evox.arg = 0 : i32}, %[[N:.*]]: tensor<3xf32> {evox.slot = {{.*}}}, %[[B:.*]]: tensor<3xf32> {evox.slot = {{.*}}})
# STATE:         %[[IF:.*]]:3 = scf.if
# STATE:         } else {
# STATE-NEXT:      scf.yield %[[X]], %[[N]], %[[B]]
# STATE:         arith.subf %[[IF]]#1, %[[IF]]#2
def in_branch(self, x: Tensor):
    if bool(x[0] > 0):
        x = self.counter.next(x)
    return x + self.counter.look()

# Only `x` is carried as a value.
#
# CHECK-LABEL: evox.func @in_loop(
# CHECK-NOT:     evox.load
# CHECK:         %[[R:.*]] = scf.for {{.*}} iter_args(%[[X:.*]] = %arg0) -> (tensor<3xf32>) {
# CHECK:           %[[Y:.*]] = evox.call @counter::@next(%[[X]])
# CHECK-NEXT:      %[[Z:.*]] = evox.call @counter::@draw()
# CHECK-NEXT:      %[[NEXT:.*]] = arith.subf %[[Y]], %[[Z]]
# CHECK-NEXT:      scf.yield %[[NEXT]]
# CHECK-NEXT:    }
# CHECK-NEXT:    evox.return %[[R]]
#
# STATE-LABEL: func.func @in_loop(
# STATE:         scf.for {{.*}} -> (tensor<3xf32>, !evox.generator, tensor<3xf32>, tensor<3xf32>)
def in_loop(self, x: Tensor):
    for i in range(20):
        x = self.counter.next(x) - self.counter.draw()
    return x

# CHECK-LABEL: evox.func @in_while(
# CHECK:         evox.while
# CHECK:           evox.condition
# CHECK:         } do {
# CHECK:           evox.call @counter::@next(
# CHECK:         evox.call @counter::@look()
def in_while(self, x: Tensor):
    while bool(x.sum() < 100.0):
        x = self.counter.next(x) + 1.0
    return self.counter.look()

# Nothing looks at what it computes.
#
# CHECK-LABEL: evox.func @unused(
# CHECK-NOT:     evox.call
# CHECK:         evox.return %arg0
def unused(self, x: Tensor):
    y = self.counter.look()
    return x

# CHECK:       evox.func @part(%[[X:.*]]: tensor<3xf32>) -> tensor<2xf32> {
# CHECK-NEXT:    %[[P:.*]] = tensor.extract_slice %[[X]][1] [2] [1]
# CHECK-NEXT:    evox.return %[[P]]
def part(self, x: Tensor):
    return x[1:]

# What is written into the view is in `y`.
#
# CHECK-LABEL: evox.func @view(
# CHECK:         %[[Y:.*]] = arith.mulf %arg0
# CHECK:         %[[P:.*]] = evox.call @part(%[[Y]])
# CHECK:         %[[Q:.*]] = arith.mulf %[[P]]
# CHECK:         %[[NEW:.*]] = tensor.insert_slice %[[Q]] into %[[Y]]
# CHECK:         evox.call @part(%arg0)
# CHECK:         evox.return %[[NEW]]
def view(self, x: Tensor):
    y = x * 2.0
    z = self.part(y)
    z *= 3.0
    return y, self.part(x) - z

# CHECK-LABEL: evox.func @writes(
# CHECK-NEXT:    %[[Y:.*]] = evox.call @counter::@next(%arg0)
# CHECK-NEXT:    %[[Z:.*]] = evox.call @counter::@next(%[[Y]])
# CHECK-NEXT:    %[[L:.*]] = evox.call @counter::@look()
# CHECK-NEXT:    arith.addf %[[Z]], %[[L]]
def writes(self, x: Tensor):
    y = self.counter.next(x)
    z = self.counter.next(y)
    return z + self.counter.look()
