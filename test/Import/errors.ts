# What the importer says of programs and options that it refuses: what, where,
# and what to do.
#
# REQUIRES: evox-import
# RUN: not evox-import %s --input=lacks:float32[4] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=LACKS
# RUN: not evox-import %s --input=shapes:float32[2],float32[3] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=SHAPES
# RUN: not evox-import %s --input=always:float32[2] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=ALWAYS
# RUN: not evox-import %s --method=missing 2>&1 \
# RUN:   | FileCheck %s --check-prefix=UNKNOWN
# RUN: not evox-import %s --input=lacks:float33[4] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=DTYPE
# RUN: not evox-import %s --input=shapes:float32[2] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=COUNT
# RUN: not evox-import %s --input=lacks 2>&1 \
# RUN:   | FileCheck %s --check-prefix=COLON
# RUN: not evox-import %s.not-there 2>&1 | FileCheck %s --check-prefix=FILE
# RUN: not evox-import %s --input=rank:float32[2] 2>&1 \
# RUN:   | FileCheck %s --check-prefix=RANK

# All that is lacking, at once.
#
# LACKS-DAG: error: unsupported op 'aten::fft_fft'
# LACKS-DAG: error: unsupported op 'aten::linalg_eigvals'
def lacks(self, x: Tensor):
    a = torch.fft_fft(x)
    b = torch.linalg_eigvals(x.view([2, 2]))
    return torch.abs(a), torch.abs(b)

# SHAPES: error: {{.*}}2{{.*}}3
def shapes(self, x: Tensor, y: Tensor):
    return x + y

# ALWAYS: error: the program always raises here: {{.*}}a matrix is wanted
def always(self, x: Tensor):
    assert x.dim() == 2, "a matrix is wanted"
    return x

# RANK: error: {{.*}}only the data decides
def rank(self, x: Tensor):
    if bool(x[0] > 0):
        y = x
    else:
        y = x.view([2, 1])
    return y

# UNKNOWN: error: unknown method 'missing'; the module has: always, lacks, 
# DTYPE: error: {{.*}}there is no dtype 'float33'
# COUNT: error: method 'shapes' takes 'y' of type Tensor: give example inputs
# COLON: error: --input 'lacks': expected METHOD:TYPES
# FILE: error: cannot open '{{.*}}not-there'
