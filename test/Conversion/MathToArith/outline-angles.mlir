// RUN: evox-opt %s --evox-outline-angles | FileCheck %s

// A number's sine becomes a call; its function asks the C library about large
// angles, and so do the functions on vectors, lane by lane.

// CHECK-LABEL: func.func @f
// CHECK:         call @evox.sin(%{{.*}}) : (f64) -> f64
// CHECK:         call @evox.sin(%{{.*}}) : (f64) -> f64
// CHECK:         math.cos %{{.*}} : f32
// CHECK-NOT:     math.sin
// CHECK:         return
func.func @f(%x: f64, %y: f32) -> (f64, f32) {
  %0 = math.sin %x : f64
  %1 = math.sin %0 : f64
  %2 = math.cos %y : f32
  return %1, %2 : f64, f32
}

// A large angle's goes to the library at once.

// CHECK-LABEL: func.func @large
// CHECK:         call @evox_rt_tan(%{{.*}}) : (f64) -> f64
func.func @large(%x: f64) -> f64 {
  %0 = math.tan %x {evox.large_angle} : f64
  return %0 : f64
}

// CHECK:       func.func private @evox.sin(%{{.*}}: f64) -> f64 attributes {evox.no_instance}
// CHECK:         arith.cmpf ole
// CHECK:         scf.if
// CHECK:           func.call @evox_rt_sin
// CHECK:         } else {
// CHECK-NOT:       func.call
// CHECK:       func.func private @evox.sin.v2(%{{.*}}: vector<2xf64>)
// CHECK:         vector.reduction <or>
// CHECK-COUNT-2:   func.call @evox_rt_sin
// CHECK:       func.func private @evox.sin.v4(%{{.*}}: vector<4xf64>)
// CHECK:       func.func private @evox.sin.v8(%{{.*}}: vector<8xf64>)
// CHECK-NOT:   @evox.cos
// CHECK-NOT:   @evox.tan
// CHECK-DAG:   func.func private @evox_rt_sin(f64) -> f64
// CHECK-DAG:   func.func private @evox_rt_tan(f64) -> f64
