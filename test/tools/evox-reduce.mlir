// RUN: evox-reduce %s --reduction-tree='traversal-mode=0 test=%S/Inputs/has-sort.sh' | FileCheck %s

// What the bug does not need goes. (The ops that show it must be used: the
// reducer folds, and dead ops with them.)

// CHECK-NOT: @before
// CHECK: func.func @sorts
// CHECK-NOT: evox.assert
// CHECK: evox.sort
// CHECK-NOT: @after
func.func @before(%x: tensor<8xf32>) {
  return
}

func.func @sorts(%x: tensor<8xf32>, %c: i1) -> tensor<8xi64> {
  evox.assert %c, "unrelated"
  %v, %i = evox.sort %x dim 0 : tensor<8xf32> -> tensor<8xi64>
  return %i : tensor<8xi64>
}

func.func @after(%x: tensor<8xf32>) -> tensor<8xf32> {
  %s = evox.cumulative sum %x dim 0 : tensor<8xf32>
  return %s : tensor<8xf32>
}
