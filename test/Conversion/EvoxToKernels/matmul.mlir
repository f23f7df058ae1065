// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(evox-matmul-to-kernels))' | FileCheck %s

// CHECK-LABEL: func.func @large
// CHECK-SAME:    %[[A:.*]]: tensor<64x32xf32>, %[[B:.*]]: tensor<32x16xf32>, %[[C:.*]]: tensor<64x16xf32>)
// CHECK:         evox.kernel_call "matmul"(%[[A]], %[[B]]) outs(%[[C]]) scalars(%c0_i64, %c0_i64{{.*}}) {inplace}
// CHECK-NOT:     linalg
func.func @large(%a: tensor<64x32xf32>, %b: tensor<32x16xf32>, %c: tensor<64x16xf32>) -> tensor<64x16xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x16xf32>) outs(%c : tensor<64x16xf32>) -> tensor<64x16xf32>
  return %0 : tensor<64x16xf32>
}

// CHECK-LABEL: func.func @batch
// CHECK:         evox.kernel_call "matmul"
func.func @batch(%a: tensor<?x9x?xf64>, %b: tensor<?x?x7xf64>, %c: tensor<?x9x7xf64>) -> tensor<?x9x7xf64> {
  %0 = linalg.batch_matmul ins(%a, %b : tensor<?x9x?xf64>, tensor<?x?x7xf64>) outs(%c : tensor<?x9x7xf64>) -> tensor<?x9x7xf64>
  return %0 : tensor<?x9x7xf64>
}

// Small ones and those of integers stay.

// CHECK-LABEL: func.func @stay
// CHECK:         linalg.matmul
// CHECK:         linalg.matmul
func.func @stay(%a: tensor<4x4xf32>, %c: tensor<4x4xf32>, %i: tensor<64x64xi64>, %j: tensor<64x64xi64>) -> (tensor<4x4xf32>, tensor<64x64xi64>) {
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%i, %i : tensor<64x64xi64>, tensor<64x64xi64>) outs(%j : tensor<64x64xi64>) -> tensor<64x64xi64>
  return %0, %1 : tensor<4x4xf32>, tensor<64x64xi64>
}

// A transposed operand is read where it is.

// CHECK-LABEL: func.func @transposed
// CHECK-SAME:    %[[A:.*]]: tensor<32x64xf32>, %[[B:.*]]: tensor<32x16xf32>
// CHECK:         evox.kernel_call "matmul"(%[[A]], %[[B]]) {{.*}} scalars(%c1_i64, %c0_i64
func.func @transposed(%a: tensor<32x64xf32>, %b: tensor<32x16xf32>, %c: tensor<64x16xf32>) -> tensor<64x16xf32> {
  %e = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%a : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>) permutation = [1, 0]
  %0 = linalg.matmul ins(%t, %b : tensor<64x32xf32>, tensor<32x16xf32>) outs(%c : tensor<64x16xf32>) -> tensor<64x16xf32>
  return %0 : tensor<64x16xf32>
}
