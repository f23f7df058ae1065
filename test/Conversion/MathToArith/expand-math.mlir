// RUN: evox-opt %s --evox-expand-math --canonicalize --cse | FileCheck %s

// No branches, no calls: what is in a loop is vectorized.

// CHECK-LABEL: func.func @exp
// CHECK:         %[[Q:.*]] = math.roundeven %{{.*}} : f32
// CHECK:         math.fma %[[Q]], %{{.*}}, %arg0 : f32
// CHECK-NOT:     math.exp
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @exp(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  return %0 : f32
}

// The angle is reduced in f64, lane by lane the same.

// CHECK-LABEL: func.func @cos
// CHECK:         arith.extf %arg0 : vector<8xf32> to vector<8xf64>
// CHECK:         math.roundeven %{{.*}} : vector<8xf64>
// CHECK:         arith.truncf %{{.*}} : vector<8xf64> to vector<8xf32>
// CHECK-NOT:     math.cos
// CHECK:         return
func.func @cos(%x: vector<8xf32>) -> vector<8xf32> {
  %0 = math.cos %x : vector<8xf32>
  return %0 : vector<8xf32>
}

// Narrow types by way of f32.

// CHECK-LABEL: func.func @narrow
// CHECK:         arith.extf %arg0 : bf16 to f32
// CHECK:         arith.truncf %{{.*}} : f32 to bf16
func.func @narrow(%x: bf16) -> bf16 {
  %0 = math.log1p %x : bf16
  return %0 : bf16
}

// All others are the library's, a scalar at a time; what processors have
// stays.

// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: math.exp %{{.*}} : f64
// CHECK:         vector.from_elements
// CHECK:         math.erf %{{.*}} : f32
// CHECK:         math.sqrt %{{.*}} : vector<2xf64>
func.func @others(%x: vector<2xf64>, %y: f32) -> (vector<2xf64>, f32) {
  %0 = math.exp %x : vector<2xf64>
  %1 = math.erf %y : f32
  %2 = math.sqrt %0 : vector<2xf64>
  return %2, %1 : vector<2xf64>, f32
}
