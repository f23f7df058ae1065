// RUN: evox-opt %s --pass-pipeline='builtin.module(func.func(convert-evox-to-kernels))' --split-input-file --verify-diagnostics

func.func @lists(%a: !evox.list<tensor<?xf32>>, %b: !evox.list<tensor<?xf32>>, %c: i1) -> !evox.list<tensor<?xf32>> {
  // expected-error @+1 {{puts the list of one slot in the place of another one; a list stays in its slot}}
  %r = scf.if %c -> !evox.list<tensor<?xf32>> {
    scf.yield %a : !evox.list<tensor<?xf32>>
  } else {
    scf.yield %b : !evox.list<tensor<?xf32>>
  }
  return %r : !evox.list<tensor<?xf32>>
}

// -----

func.func @select(%a: !evox.list<tensor<?xf32>>, %b: !evox.list<tensor<?xf32>>, %c: i1) -> !evox.list<tensor<?xf32>> {
  // expected-error @+1 {{cannot pass a generator or list on}}
  %r = arith.select %c, %a, %b : !evox.list<tensor<?xf32>>
  return %r : !evox.list<tensor<?xf32>>
}
