// RUN: evox-opt %s --evox-add-destinations --split-input-file --verify-diagnostics

// expected-note @+1 {{the first one is here}}
evox.module @A {
}
// expected-error @+1 {{is the second evox.module at the top level}}
evox.module @B {
}
