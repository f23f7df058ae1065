# --keep-going leaves out what does not import, and says so.
#
# REQUIRES: evox-import
# RUN: evox-import %s --keep-going --input=bad:float32[4] \
# RUN:   --input=good:float32[4] 2>%t | evox-opt | FileCheck %s
# RUN: FileCheck %s --check-prefix=SAYS < %t
# RUN: not evox-import %s --keep-going --input=bad:float32[4] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=NONE

# CHECK-NOT: @bad
# CHECK: evox.func @good
# CHECK-NOT: @bad
# SAYS: warning: method 'bad' is left out: unsupported op 'aten::fft_fft'
# NONE: error: no method could be imported
def bad(self, x: Tensor):
    return torch.abs(torch.fft_fft(x))

def good(self, x: Tensor):
    return x + 1.0
