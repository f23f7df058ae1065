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

// CHECK-LABEL: func.func @exp64
// CHECK:         %[[Q:.*]] = math.roundeven %{{.*}} : vector<4xf64>
// CHECK:         math.fma %[[Q]], %{{.*}}, %arg0 : vector<4xf64>
// CHECK-NOT:     math.exp
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @exp64(%x: vector<4xf64>) -> vector<4xf64> {
  %0 = math.exp %x : vector<4xf64>
  return %0 : vector<4xf64>
}

// Large angles of f64 are the C library's, behind a branch.

// CHECK-LABEL: func.func @sin64
// CHECK:         math.roundeven %{{.*}} : vector<2xf64>
// CHECK:         %[[ANY:.*]] = vector.reduction <or>
// CHECK:         scf.if %[[ANY]]
// CHECK-COUNT-2: math.sin %{{.*}} : f64
// CHECK:         vector.from_elements
// CHECK:         } else {
// CHECK-NOT:     math.sin
// CHECK:         return
func.func @sin64(%x: vector<2xf64>) -> vector<2xf64> {
  %0 = math.sin %x : vector<2xf64>
  return %0 : vector<2xf64>
}

// All others are the library's, a scalar at a time; what processors have
// stays.

// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: math.acosh %{{.*}} : f64
// CHECK:         vector.from_elements
// CHECK:         math.acosh %{{.*}} : f32
// CHECK:         math.sqrt %{{.*}} : vector<2xf64>
func.func @others(%x: vector<2xf64>, %y: f32) -> (vector<2xf64>, f32) {
  %0 = math.acosh %x : vector<2xf64>
  %1 = math.acosh %y : f32
  %2 = math.sqrt %0 : vector<2xf64>
  return %2, %1 : vector<2xf64>, f32
}

// A number's would be a branch in the loop it is in: it stays for
// --evox-outline-angles.

// CHECK-LABEL: func.func @number
// CHECK:         math.sin %arg0 : f64
// CHECK-NOT:     scf.if
func.func @number(%x: f64) -> f64 {
  %0 = math.sin %x : f64
  return %0 : f64
}

// CHECK-LABEL: func.func @erf
// CHECK-NOT:     math.erf
// CHECK:         return
func.func @erf(%x: f32, %y: vector<4xf64>) -> (f32, f32, vector<4xf64>) {
  %0 = math.erf %x : f32
  %1 = math.erfc %x : f32
  %2 = math.erf %y : vector<4xf64>
  return %0, %1, %2 : f32, f32, vector<4xf64>
}
