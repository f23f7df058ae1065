// REQUIRES: evox-compile
// evox-compile registers few dialects and interfaces, evox-opt all there are:
// an interface that evox-compile lacks would show here.

// RUN: evox-compile %S/Inputs/pso.mlir --emit=state -o %t.1
// RUN: evox-opt %S/Inputs/pso.mlir --evox-to-state -o %t.2
// RUN: diff %t.1 %t.2
// RUN: evox-compile %S/Inputs/pso.mlir --emit=linalg -o %t.3
// RUN: evox-opt %t.2 --evox-to-linalg -o %t.4
// RUN: diff %t.3 %t.4
// RUN: evox-compile %S/Inputs/pso.mlir --emit=loops -o %t.5
// RUN: evox-opt %t.4 --evox-to-loops -o %t.6
// RUN: diff %t.5 %t.6
// RUN: evox-opt %t.6 --evox-to-llvm -o %t.7
