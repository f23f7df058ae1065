# Assertions that depend on data are checked when the program runs, with their
# text; prints are dropped with a note.
#
# REQUIRES: evox-import
# RUN: evox-import %s --input=checked:float32[3] \
# RUN:   --input=prints:float32[3] 2>&1 | FileCheck %s
# RUN: evox-import %s --input=checked:float32[3] \
# RUN:   --input=prints:float32[3] 2>/dev/null | evox-opt

# CHECK: remark: print is dropped: size
# CHECK-LABEL: evox.func @checked
# CHECK: evox.assert %{{.*}}, "{{.*}}all must be positive"
def checked(self, x: Tensor):
    assert bool((x > 0).all()), "all must be positive"
    return x

# CHECK-LABEL: evox.func @prints
# CHECK-NEXT: evox.return %arg0
def prints(self, x: Tensor):
    print("size", x.size(0))
    return x
