# Nested arguments and results, numbers, and None.
#
# REQUIRES: evox-import
# RUN: evox-import %s "--input=nested:(float32[2],[int64[],int64[]]),int" \
# RUN:   "--input=optional:float32[2],None" \
# RUN:   "--input=dicts:{\"a\":float32[2],\"b\":float32[3]}" \
# RUN:   | evox-opt | FileCheck %s

# CHECK-LABEL: evox.func @dicts
# CHECK-SAME: arg_names = ["d.a", "d.b"]
# CHECK-SAME: args = "{\22tuple\22:[{\22dict\22:{\22a\22:{\22tensor\22:0},\22b\22:{\22tensor\22:1}}}]}"
# CHECK-SAME: results = "{\22dict\22:{\22z\22:{\22tensor\22:0}}}"
def dicts(self, d: Dict[str, Tensor]):
    return {"z": d["a"].sum() + d["b"].sum()}

# CHECK-LABEL: evox.func @nested
# CHECK-SAME: %arg0: tensor<2xf32>, %arg1: tensor<i64>, %arg2: tensor<i64>, %arg3: tensor<i64>
# CHECK-SAME: results = "{\22list\22:[{\22tensor\22:0},{\22tensor\22:1}]}"
def nested(self, t: Tuple[Tensor, List[Tensor]], k: int):
    x, ys = t
    return [x * k, ys[0] + ys[1]]

# CHECK-LABEL: evox.func @optional
# CHECK-SAME: (%arg0: tensor<2xf32>) -> tensor<2xf32>
# CHECK-NEXT: evox.return %arg0
def optional(self, x: Tensor, y: Optional[Tensor]):
    if y is not None:
        x = x + y
    return x
