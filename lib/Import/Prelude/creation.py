# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# New tensors that are made of others.


# aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp and RangeFactories.cpp
def aten_logspace(start: number, end: number, steps: int, base: float = 10.0, dtype: Optional[int] = None) -> Tensor:
    result = torch.result_type(1.0, 1.0)
    if dtype is not None:
        result = dtype
    if result == 5 or result == 15 or result == 6 or result == 7:
        x = torch.linspace(start, end, steps, dtype=aten_evox_compute(result))
    else:
        x = torch.linspace(int(start), int(end), steps, dtype=7)
    return torch.pow(base, x).to(result)


def aten_meshgrid(tensors: List[Tensor], indexing: str = "ij") -> List[Tensor]:
    inputs: List[Tensor] = []
    swap = indexing == "xy" and len(tensors) >= 2
    for i in range(len(tensors)):
        k = i
        if swap and i < 2:
            k = 1 - i
        inputs.append(tensors[k].reshape([-1]))
    shape: List[int] = []
    for t in inputs:
        shape.append(t.size(0))
    grids: List[Tensor] = []
    for i in range(len(inputs)):
        k = i
        if swap and i < 2:
            k = 1 - i
        form = [1] * len(inputs)
        form[k] = inputs[k].size(0)
        grids.append(inputs[k].view(form).expand(shape))
    return grids


def aten_cartesian_prod(tensors: List[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    grids = aten_meshgrid(tensors, "ij")
    flat: List[Tensor] = []
    for grid in grids:
        flat.append(grid.reshape([-1]))
    return torch.stack(flat, 1)


def aten_combinations(self: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    n = self.size(0)
    if r == 0:
        return torch.empty([0], dtype=self.dtype)
    places: List[int] = []
    at: List[int] = []
    for i in range(r):
        if with_replacement:
            at.append(0)
        else:
            at.append(i)
    busy = n > 0 and (with_replacement or r <= n)
    rows = 0
    while busy:
        for i in range(r):
            places.append(at[i])
        rows = rows + 1
        # The last place that can still move up.
        k = r - 1
        limit = n - 1
        while k >= 0 and at[k] == limit:
            k = k - 1
            if not with_replacement:
                limit = limit - 1
        busy = k >= 0
        if busy:
            at[k] = at[k] + 1
            for i in range(k + 1, r):
                if with_replacement:
                    at[i] = at[k]
                else:
                    at[i] = at[i - 1] + 1
    if rows == 0:
        return torch.empty([0, r], dtype=self.dtype)
    return self[torch.tensor(places, dtype=4)].reshape([rows, r])


def aten_block_diag(tensors: List[Tensor]) -> Tensor:
    blocks: List[Tensor] = []
    width = 0
    dtype = tensors[0].dtype
    for t in tensors:
        block = t
        if t.dim() < 2:
            block = t.reshape([1, -1])
        blocks.append(block)
        width = width + block.size(1)
        dtype = torch.promote_types(dtype, t.dtype)
    rows: List[Tensor] = []
    column = 0
    for block in blocks:
        height = block.size(0)
        parts: List[Tensor] = []
        if column > 0:
            parts.append(torch.zeros([height, column], dtype=dtype))
        parts.append(block.to(dtype))
        column = column + block.size(1)
        if column < width:
            parts.append(torch.zeros([height, width - column], dtype=dtype))
        rows.append(torch.cat(parts, 1))
    return torch.cat(rows, 0)


# aten/src/ATen/native/Onehot.cpp
def aten_one_hot(self: Tensor, num_classes: int = -1) -> Tensor:
    assert self.dtype == 4, "one_hot is only applicable to index tensors of type int64"
    assert bool((self >= 0).all()), "Class values must be non-negative."
    n = num_classes
    if num_classes < 0:
        n = int(self.max()) + 1
    else:
        assert bool((self < num_classes).all()), "Class values must be smaller than num_classes."
    return (self.unsqueeze(-1) == torch.arange(n)).to(4)
