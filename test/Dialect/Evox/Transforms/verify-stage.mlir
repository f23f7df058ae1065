// RUN: evox-opt %s --evox-verify-stage=stage=state
// RUN: not evox-opt %s --evox-verify-stage=stage=linalg 2>&1 | FileCheck %s --check-prefix=LINALG
// RUN: not evox-opt %s --evox-verify-stage=stage=loops 2>&1 | FileCheck %s --check-prefix=LOOPS
// RUN: not evox-opt %s --evox-verify-stage=stage=llvm 2>&1 | FileCheck %s --check-prefix=LLVM
// RUN: not evox-opt %s --evox-verify-stage=stage=nonsense 2>&1 | FileCheck %s --check-prefix=STAGE

// LINALG: 'evox.random.uniform' op is left after stage 'linalg': it must be a kernel call or ops on tensors here
// LOOPS-DAG: 'evox.random.uniform' op is left after stage 'loops': it must be a kernel call
// LOOPS-DAG: 'tensor.empty' op is left after stage 'loops': it must be loops over buffers here
// LLVM-DAG: 'evox.random.uniform' op is left after stage 'llvm': only the LLVM dialect may be left here
// LLVM-DAG: 'func.func' op is left after stage 'llvm'
// STAGE: evox-verify-stage has no stage 'nonsense'; it has state, linalg, loops and llvm
func.func @f(%g: !evox.generator, %a: f64) -> (tensor<4xf32>, tensor<2xf32>, !evox.generator) {
  %v, %h = evox.random.uniform %g from %a to %a : tensor<4xf32>
  %e = tensor.empty() : tensor<2xf32>
  return %v, %e, %h : tensor<4xf32>, tensor<2xf32>, !evox.generator
}
