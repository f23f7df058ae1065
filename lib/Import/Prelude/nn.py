# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Layers of torch.nn.functional. Convolution and pooling are in
# Ops/NeuralNet.cpp, recurrent layers and attention in sequence.py.


# aten/src/ATen/native/Linear.cpp
def aten_linear(input: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    r = torch.matmul(aten__widen(input), aten__widen(weight).t())
    if bias is not None:
        r = r + aten__widen(bias)
    return r.to(input.dtype)


def aten_bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    # [.., i] x [k, i, j] -> [.., k, j], then with [.., j]
    shape: List[int] = []
    for d in range(input1.dim() - 1):
        shape.append(input1.size(d))
    k = weight.size(0)
    a = input1.reshape([-1, input1.size(-1)])
    b = input2.reshape([-1, input2.size(-1)])
    t = torch.matmul(a.unsqueeze(0), weight)
    r = (t * b.unsqueeze(0)).sum([-1], False, dtype=weight.dtype).t()
    if bias is not None:
        r = r + bias
    return r.reshape(shape + [k])


# --- normalisation ------------------------------------------------------------


# aten/src/ATen/native/Normalization.cpp: statistics in double, then x * alpha + beta.
def aten__channel_shape(x: Tensor) -> List[int]:
    shape = [1, x.size(1)]
    for d in range(2, x.dim()):
        shape.append(1)
    return shape


def aten__without_channel(x: Tensor) -> List[int]:
    dims = [0]
    for d in range(2, x.dim()):
        dims.append(d)
    return dims


def aten__scale_channels(x: Tensor, mean: Tensor, invstd: Tensor, weight: Optional[Tensor], bias: Optional[Tensor]) -> Tensor:
    wide = aten__widen(x)
    alpha = invstd.to(wide.dtype)
    if weight is not None:
        alpha = alpha * weight.to(wide.dtype)
    beta = -(mean.to(wide.dtype) * alpha)
    if bias is not None:
        beta = bias.to(wide.dtype) + beta
    shape = aten__channel_shape(x)
    return (wide * alpha.reshape(shape) + beta.reshape(shape)).to(x.dtype)


def aten__batch_norm_train(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Optional[Tensor], running_var: Optional[Tensor], momentum: float, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    stats = input.dtype
    if weight is not None:
        stats = weight.dtype
    elif running_mean is not None:
        stats = running_mean.dtype
    wide = input.to(torch.float64)
    dims = aten__without_channel(input)
    n = 1
    for d in dims:
        n = n * input.size(d)
    mean = wide.sum(dims, False) / n
    centred = wide - mean.reshape(aten__channel_shape(input))
    squares = (centred * centred).sum(dims, False)
    # PyTorch keeps both sums in the dtype of its statistics.
    mean = mean.to(stats).to(torch.float64)
    squares = squares.to(stats).to(torch.float64)
    invstd = 1 / (squares / n + eps).sqrt()
    if running_mean is not None:
        running_mean.copy_(mean * momentum + running_mean.to(torch.float64) * (1 - momentum))
    if running_var is not None:
        running_var.copy_(squares / (n - 1) * momentum + running_var.to(torch.float64) * (1 - momentum))
    return aten__scale_channels(input, mean.to(stats), invstd.to(stats), weight, bias), mean.to(stats), invstd.to(stats)


def aten__batch_norm_eval(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Tensor, running_var: Tensor, eps: float) -> Tensor:
    wide = aten__widen(running_var)
    return aten__scale_channels(input, running_mean, 1 / (wide + eps).sqrt(), weight, bias)


def aten_native_batch_norm(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Optional[Tensor], running_var: Optional[Tensor], training: bool, momentum: float, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    if training:
        return aten__batch_norm_train(input, weight, bias, running_mean, running_var, momentum, eps)
    assert running_mean is not None and running_var is not None, "Expected running_mean and running_var to be defined when training=False"
    none = torch.zeros([0], dtype=input.dtype)
    return aten__batch_norm_eval(input, weight, bias, running_mean, running_var, eps), none, none


def aten__native_batch_norm_legit(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Tensor, running_var: Tensor, training: bool, momentum: float, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    return aten_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def aten__native_batch_norm_legit__no_stats(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], training: bool, momentum: float, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    return aten__batch_norm_train(input, weight, bias, None, None, momentum, eps)


def aten__batch_norm_with_update(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Tensor, running_var: Tensor, momentum: float, eps: float) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    out, mean, invstd = aten__batch_norm_train(input, weight, bias, running_mean, running_var, momentum, eps)
    return out, mean, invstd, torch.zeros([0], dtype=torch.uint8)


def aten_batch_norm(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Optional[Tensor], running_var: Optional[Tensor], training: bool, momentum: float, eps: float) -> Tensor:
    if input.numel() == 0:
        return input.clone()
    out, mean, invstd = aten_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    return out


def aten_instance_norm(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], running_mean: Optional[Tensor], running_var: Optional[Tensor], use_input_stats: bool, momentum: float, eps: float) -> Tensor:
    assert use_input_stats or (running_mean is not None and running_var is not None), "Expected running_mean and running_var to be defined when use_input_stats=False"
    n = input.size(0)
    c = input.size(1)
    shape = [1, n * c]
    for d in range(2, input.dim()):
        shape.append(input.size(d))
    w = weight
    b = bias
    m = running_mean
    v = running_var
    if w is not None:
        w = w.repeat([n])
    if b is not None:
        b = b.repeat([n])
    if m is not None:
        m = m.repeat([n])
    if v is not None:
        v = v.repeat([n])
    out, mean, invstd = aten_native_batch_norm(input.reshape(shape), w, b, m, v, use_input_stats, momentum, eps)
    if use_input_stats:
        if running_mean is not None:
            if m is not None:
                running_mean.copy_(m.reshape([n, c]).mean([0], False))
        if running_var is not None:
            if v is not None:
                running_var.copy_(v.reshape([n, c]).mean([0], False))
    return out.reshape(input.size())


# native/cpu/layer_norm_kernel.cpp
def aten_native_layer_norm(input: Tensor, normalized_shape: List[int], weight: Optional[Tensor], bias: Optional[Tensor], eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    k = len(normalized_shape)
    dims: List[int] = []
    for d in range(k):
        assert input.size(d - k) == normalized_shape[d], "layer_norm: the input does not end in normalized_shape"
        dims.append(d - k)
    x = aten__widen(input)
    mean = x.mean(dims, True)
    centred = x - mean
    rstd = 1 / ((centred * centred).mean(dims, True) + eps).sqrt()
    r = centred * rstd
    if weight is not None:
        r = r * weight.to(x.dtype)
    if bias is not None:
        r = r + bias.to(x.dtype)
    return r.to(input.dtype), mean.to(input.dtype), rstd.to(input.dtype)


def aten_layer_norm(input: Tensor, normalized_shape: List[int], weight: Optional[Tensor] = None, bias: Optional[Tensor] = None, eps: float = 1e-05) -> Tensor:
    if input.numel() == 0:
        return input.clone()
    out, mean, rstd = aten_native_layer_norm(input, normalized_shape, weight, bias, eps)
    return out


def aten_rms_norm(input: Tensor, normalized_shape: List[int], weight: Optional[Tensor] = None, eps: Optional[float] = None) -> Tensor:
    k = len(normalized_shape)
    dims: List[int] = []
    for d in range(k):
        assert input.size(d - k) == normalized_shape[d], "rms_norm: the input does not end in normalized_shape"
        dims.append(d - k)
    e = 1.1920928955078125e-07
    if input.dtype == torch.float64:
        e = 2.220446049250313e-16
    elif input.dtype == torch.float16:
        e = 0.0009765625
    elif input.dtype == torch.bfloat16:
        e = 0.0078125
    if eps is not None:
        e = eps
    x = aten__widen(input)
    r = x * ((x * x).mean(dims, True) + e).rsqrt()
    if weight is not None:
        r = r * weight.to(x.dtype)
    return r.to(input.dtype)


# native/cpu/group_norm_kernel.cpp
def aten__group_norm(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], num_groups: int, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    n = input.size(0)
    c = input.size(1)
    assert c % num_groups == 0, "Expected number of channels in input to be divisible by num_groups"
    x = aten__widen(input)
    if input.numel() == 0:
        stats = torch.zeros([n, num_groups], dtype=input.dtype)
        if n > 0:
            return input.clone(), stats, stats + float("nan")
        return input.clone(), stats, stats
    g = x.reshape([n, num_groups, -1])
    mean = g.mean([-1], True)
    centred = g - mean
    rstd = 1 / ((centred * centred).mean([-1], True) + eps).sqrt()
    r = (centred * rstd).reshape(input.size())
    shape = aten__channel_shape(input)
    if weight is not None:
        r = r * weight.to(x.dtype).reshape(shape)
    if bias is not None:
        r = r + bias.to(x.dtype).reshape(shape)
    return r.to(input.dtype), mean.squeeze(-1).to(input.dtype), rstd.squeeze(-1).to(input.dtype)


def aten_group_norm(input: Tensor, num_groups: int, weight: Optional[Tensor] = None, bias: Optional[Tensor] = None, eps: float = 1e-05) -> Tensor:
    if input.numel() == 0:
        return input.clone()
    out, mean, rstd = aten__group_norm(input, weight, bias, num_groups, eps)
    return out


def aten_native_group_norm(input: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], group: int, eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    return aten__group_norm(input, weight, bias, group, eps)


# --- embedding ----------------------------------------------------------------


def aten_embedding(weight: Tensor, indices: Tensor) -> Tensor:
    shape: List[int] = []
    for d in range(indices.dim()):
        shape.append(indices.size(d))
    for d in range(1, weight.dim()):
        shape.append(weight.size(d))
    return torch.index_select(weight, 0, indices.reshape([-1])).reshape(shape)


# native/Embedding.cpp: the rows in use, cut to the largest norm.
def aten_embedding_renorm(self: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    flat = indices.reshape([-1]).to(torch.int64)
    used = torch.scatter(torch.zeros([self.size(0)], dtype=torch.int64), 0, flat, torch.ones_like(flat))
    norm = aten_linalg_vector_norm(self, norm_type, [1], True)
    scale = torch.full_like(norm, max_norm) / (norm + 1e-7)
    cut = torch.logical_and(used.unsqueeze(1) == 1, norm > max_norm)
    return torch.where(cut, self * scale, self)


# native/EmbeddingBag.cpp; mode 0: sum, 1: mean, 2: max
def aten_embedding_bag(weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0, sparse: bool = False, per_sample_weights: Optional[Tensor] = None, include_last_offset: bool = False, padding_idx: Optional[int] = None) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    n = indices.numel()
    bags = offsets.size(0)
    if include_last_offset:
        bags = bags - 1
    starts = offsets.narrow(0, 0, bags).to(torch.int64)
    bag = (torch.arange(n).unsqueeze(1) >= starts.unsqueeze(0)).to(torch.int64).sum([1], False) - 1
    rows = aten__widen(torch.index_select(weight, 0, indices))
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.to(rows.dtype).unsqueeze(1)
    keep = torch.ones([n], dtype=torch.bool)
    if padding_idx is not None:
        p = padding_idx
        if p < 0:
            p = p + weight.size(0)
        keep = indices != p
    inside = torch.logical_and(torch.arange(bags).unsqueeze(1) == bag.unsqueeze(0), keep.unsqueeze(0))
    count = inside.to(torch.int64).sum([1], False)
    if mode == 2:
        if n == 0:
            out = torch.zeros([bags, weight.size(1)], dtype=rows.dtype)
        else:
            lowest = torch.full_like(rows, float("-inf")).unsqueeze(0)
            out = torch.where(inside.unsqueeze(2), rows.unsqueeze(0), lowest).amax([1], False)
            out = torch.where((count == 0).unsqueeze(1), torch.zeros_like(out), out)
    else:
        rows = torch.where(keep.unsqueeze(1), rows, torch.zeros_like(rows))
        out = torch.zeros([bags, weight.size(1)], dtype=rows.dtype)
        if n > 0:
            out = torch.scatter_add(out, 0, bag.unsqueeze(1).expand([n, weight.size(1)]), rows)
        if mode == 1:
            out = out / torch.clamp_min(count, 1).to(rows.dtype).unsqueeze(1)
    none = torch.zeros([0], dtype=indices.dtype)
    return out.to(weight.dtype), bag.to(indices.dtype), count.to(indices.dtype), none


# --- rearrangement ------------------------------------------------------------


def aten__lead(x: Tensor, n: int) -> List[int]:
    shape: List[int] = []
    for d in range(x.dim() - n):
        shape.append(x.size(d))
    return shape


# native/Col2Im.cpp: adds up what the windows overlap.
def aten_col2im(self: Tensor, output_size: List[int], kernel_size: List[int], dilation: List[int], padding: List[int], stride: List[int]) -> Tensor:
    kh = kernel_size[0]
    kw = kernel_size[1]
    h = output_size[0] + 2 * padding[0]
    w = output_size[1] + 2 * padding[1]
    oh = (h - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (w - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    assert self.size(-1) == oh * ow, "fold: the number of columns does not match the sizes given"
    lead = aten__lead(self, 2)
    c = self.size(-2) // (kh * kw)
    columns = self.reshape(lead + [c, kh, kw, oh, ow])
    out = torch.zeros(lead + [c, h, w], dtype=self.dtype)
    for i in range(kh):
        for j in range(kw):
            y = i * dilation[0]
            x = j * dilation[1]
            rows = out.slice(-2, y, y + stride[0] * (oh - 1) + 1, stride[0])
            place = rows.slice(-1, x, x + stride[1] * (ow - 1) + 1, stride[1])
            place.add_(columns.select(-4, i).select(-3, j))
    return out.narrow(-2, padding[0], output_size[0]).narrow(-1, padding[1], output_size[1]).clone()


def aten_pixel_shuffle(self: Tensor, upscale_factor: int) -> Tensor:
    r = upscale_factor
    c = self.size(-3) // (r * r)
    h = self.size(-2)
    w = self.size(-1)
    assert self.size(-3) % (r * r) == 0, "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor"
    lead = aten__lead(self, 3)
    n = len(lead)
    order: List[int] = []
    for d in range(n):
        order.append(d)
    x = self.reshape(lead + [c, r, r, h, w]).permute(order + [n, n + 3, n + 1, n + 4, n + 2])
    return x.reshape(lead + [c, h * r, w * r])


def aten_pixel_unshuffle(self: Tensor, downscale_factor: int) -> Tensor:
    r = downscale_factor
    c = self.size(-3)
    h = self.size(-2) // r
    w = self.size(-1) // r
    assert self.size(-2) % r == 0 and self.size(-1) % r == 0, "pixel_unshuffle expects height and width to be divisible by downscale_factor"
    lead = aten__lead(self, 3)
    n = len(lead)
    order: List[int] = []
    for d in range(n):
        order.append(d)
    x = self.reshape(lead + [c, h, r, w, r]).permute(order + [n, n + 2, n + 4, n + 1, n + 3])
    return x.reshape(lead + [c * r * r, h, w])


def aten_channel_shuffle(self: Tensor, groups: int) -> Tensor:
    n = self.size(0)
    c = self.size(1)
    return self.reshape([n, groups, c // groups, -1]).transpose(1, 2).reshape(self.size())


def aten_native_channel_shuffle(self: Tensor, groups: int) -> Tensor:
    return aten_channel_shuffle(self, groups)


# native/MaxUnpooling.cpp
def aten__unpool(self: Tensor, indices: Tensor, output_size: List[int]) -> Tensor:
    n = len(output_size)
    lead = aten__lead(self, n)
    places = 1
    for s in output_size:
        places = places * s
    flat = torch.zeros(lead + [places], dtype=self.dtype)
    if self.numel() == 0:
        return flat.reshape(lead + output_size)
    return torch.scatter(flat, -1, indices.reshape(lead + [-1]), self.reshape(lead + [-1])).reshape(lead + output_size)


def aten_max_unpool2d(self: Tensor, indices: Tensor, output_size: List[int]) -> Tensor:
    return aten__unpool(self, indices, output_size)


def aten_max_unpool3d(self: Tensor, indices: Tensor, output_size: List[int]) -> Tensor:
    return aten__unpool(self, indices, output_size)


# --- resizing: native/UpSample.h, native/cpu/UpSampleKernel.cpp ----------------


def aten__resize_scale(size: int, out: int, align: bool, scale: Optional[float]) -> float:
    if align:
        if out > 1:
            return (size - 1) / (out - 1)
        return 0.0
    if scale is not None:
        if scale > 0.0:
            return 1.0 / scale
    return size / out


def aten__resize_sizes(input: Tensor, n: int, output_size: Optional[List[int]], scales: Optional[List[float]]) -> List[int]:
    if output_size is not None:
        return output_size
    sizes: List[int] = []
    if scales is not None:
        for i in range(n):
            sizes.append(int(input.size(i - n) * scales[i]))
    assert len(sizes) == n, "Must specify exactly one of output_size and scale_factors"
    return sizes


def aten__axis_scale(scales: Optional[List[float]], i: int) -> Optional[float]:
    if scales is None:
        return None
    return scales[i]


def aten__nearest(x: Tensor, dim: int, out: int, scale: Optional[float], exact: bool) -> Tensor:
    size = x.size(dim)
    ratio = aten__resize_scale(size, out, False, scale)
    at = torch.arange(out, dtype=torch.float32)
    if exact:
        at = at + 0.5
    index = torch.clamp_max(torch.floor(at * ratio).to(torch.int64), size - 1)
    return torch.index_select(x, dim, index)


def aten__nearest_all(x: Tensor, sizes: List[int], scales: Optional[List[float]], exact: bool) -> Tensor:
    n = len(sizes)
    r = x
    for i in range(n):
        r = aten__nearest(r, x.dim() - n + i, sizes[i], aten__axis_scale(scales, i), exact)
    return r


def aten__source(x: Tensor, size: int, out: int, align: bool, scale: Optional[float], cubic: bool) -> Tensor:
    ratio = aten__resize_scale(size, out, align, scale)
    at = torch.arange(out, dtype=x.dtype)
    if align:
        return at * ratio
    at = (at + 0.5) * ratio - 0.5
    if cubic:
        return at
    return torch.clamp_min(at, 0)


def aten__along(x: Tensor, v: Tensor, dim: int) -> Tensor:
    shape: List[int] = []
    for d in range(x.dim()):
        shape.append(1)
    shape[dim] = v.size(0)
    return v.reshape(shape)


def aten__linear_resize(x: Tensor, dim: int, out: int, align: bool, scale: Optional[float]) -> Tensor:
    size = x.size(dim)
    if size == out:
        return x
    at = aten__source(x, size, out, align, scale, False)
    low = torch.clamp_max(torch.floor(at).to(torch.int64), size - 1)
    high = torch.clamp_max(low + 1, size - 1)
    part = aten__along(x, torch.clamp(at - low.to(x.dtype), 0, 1), dim)
    return torch.index_select(x, dim, low) * (1 - part) + torch.index_select(x, dim, high) * part


def aten__linear_all(input: Tensor, sizes: List[int], align: bool, scales: Optional[List[float]]) -> Tensor:
    assert torch.is_floating_point(input), "upsample: linear modes want floating-point images"
    n = len(sizes)
    r = aten__widen(input)
    for k in range(n):
        i = n - 1 - k
        r = aten__linear_resize(r, input.dim() - n + i, sizes[i], align, aten__axis_scale(scales, i))
    return r.to(input.dtype)


# Keys' cubic convolution with A = -0.75.
def aten__cubic_near(x: Tensor) -> Tensor:
    return ((-0.75 + 2) * x - (-0.75 + 3)) * x * x + 1


def aten__cubic_far(x: Tensor) -> Tensor:
    return ((-0.75 * x - 5 * -0.75) * x + 8 * -0.75) * x - 4 * -0.75


def aten__cubic_resize(x: Tensor, dim: int, out: int, align: bool, scale: Optional[float]) -> Tensor:
    size = x.size(dim)
    at = aten__source(x, size, out, align, scale, True)
    base = torch.floor(at)
    t = at - base
    first = base.to(torch.int64)
    weights = [aten__cubic_far(t + 1), aten__cubic_near(t), aten__cubic_near(1 - t), aten__cubic_far(2 - t)]
    r = torch.index_select(x, dim, torch.clamp(first - 1, 0, size - 1)) * aten__along(x, weights[0], dim)
    for k in range(1, 4):
        r = r + torch.index_select(x, dim, torch.clamp(first - 1 + k, 0, size - 1)) * aten__along(x, weights[k], dim)
    return r


def aten__two_scales(a: Optional[float], b: Optional[float]) -> Optional[List[float]]:
    if a is not None:
        if b is not None:
            return [a, b]
    return None


def aten__three_scales(a: Optional[float], b: Optional[float], c: Optional[float]) -> Optional[List[float]]:
    if a is not None:
        if b is not None:
            if c is not None:
                return [a, b, c]
    return None


def aten__one_scale(a: Optional[float]) -> Optional[List[float]]:
    if a is not None:
        return [a]
    return None


def aten_upsample_nearest1d(self: Tensor, output_size: List[int], scales: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__one_scale(scales), False)


def aten_upsample_nearest2d(self: Tensor, output_size: List[int], scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__two_scales(scales_h, scales_w), False)


def aten_upsample_nearest3d(self: Tensor, output_size: List[int], scales_d: Optional[float] = None, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__three_scales(scales_d, scales_h, scales_w), False)


def aten_upsample_nearest1d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 1, output_size, scale_factors), scale_factors, False)


def aten_upsample_nearest2d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 2, output_size, scale_factors), scale_factors, False)


def aten_upsample_nearest3d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 3, output_size, scale_factors), scale_factors, False)


def aten__upsample_nearest_exact1d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 1, output_size, scale_factors), scale_factors, True)


def aten__upsample_nearest_exact2d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 2, output_size, scale_factors), scale_factors, True)


def aten__upsample_nearest_exact3d__vec(input: Tensor, output_size: Optional[List[int]], scale_factors: Optional[List[float]]) -> Tensor:
    return aten__nearest_all(input, aten__resize_sizes(input, 3, output_size, scale_factors), scale_factors, True)


def aten_upsample_linear1d(self: Tensor, output_size: List[int], align_corners: bool, scales: Optional[float] = None) -> Tensor:
    return aten__linear_all(self, output_size, align_corners, aten__one_scale(scales))


def aten_upsample_bilinear2d(self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__linear_all(self, output_size, align_corners, aten__two_scales(scales_h, scales_w))


def aten_upsample_linear1d__vec(input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]) -> Tensor:
    return aten__linear_all(input, aten__resize_sizes(input, 1, output_size, scale_factors), align_corners, scale_factors)


def aten_upsample_bilinear2d__vec(input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]) -> Tensor:
    return aten__linear_all(input, aten__resize_sizes(input, 2, output_size, scale_factors), align_corners, scale_factors)


def aten_upsample_trilinear3d__vec(input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]) -> Tensor:
    return aten__linear_all(input, aten__resize_sizes(input, 3, output_size, scale_factors), align_corners, scale_factors)


def aten_upsample_bicubic2d__vec(input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]) -> Tensor:
    assert torch.is_floating_point(input), "upsample: bicubic wants floating-point images"
    sizes = aten__resize_sizes(input, 2, output_size, scale_factors)
    if input.size(2) == sizes[0] and input.size(3) == sizes[1]:
        return input.clone()
    r = aten__cubic_resize(aten__widen(input), 3, sizes[1], align_corners, aten__axis_scale(scale_factors, 1))
    return aten__cubic_resize(r, 2, sizes[0], align_corners, aten__axis_scale(scale_factors, 0)).to(input.dtype)


def aten__upsample_nearest_exact1d(self: Tensor, output_size: List[int], scales: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__one_scale(scales), True)


def aten__upsample_nearest_exact2d(self: Tensor, output_size: List[int], scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__two_scales(scales_h, scales_w), True)


def aten__upsample_nearest_exact3d(self: Tensor, output_size: List[int], scales_d: Optional[float] = None, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__nearest_all(self, output_size, aten__three_scales(scales_d, scales_h, scales_w), True)


def aten_upsample_trilinear3d(self: Tensor, output_size: List[int], align_corners: bool, scales_d: Optional[float] = None, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten__linear_all(self, output_size, align_corners, aten__three_scales(scales_d, scales_h, scales_w))


def aten_upsample_bicubic2d(self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    return aten_upsample_bicubic2d__vec(self, output_size, align_corners, aten__two_scales(scales_h, scales_w))


# --- aten/src/ATen/native/cpu/UpSampleKernel.cpp: antialiased ------------------


# The weights of the sources of each result, as a matrix.
def aten__aa_weights(size: int, out: int, align: bool, scale: Optional[float], dtype: int) -> Tensor:
    step = aten__aa_step(size, out, align, scale)
    support = step if step >= 1.0 else 1.0
    inverse = 1.0 / step if step >= 1.0 else 1.0
    center = (torch.arange(out, dtype=dtype) + 0.5) * step
    low = torch.clamp_min((center - support + 0.5).to(torch.int64), 0)
    high = torch.clamp_max((center + support + 0.5).to(torch.int64), size)
    j = torch.arange(size).unsqueeze(0)
    low = low.unsqueeze(1)
    inside = torch.logical_and(j >= low, j < high.unsqueeze(1))
    x = ((j - low).to(dtype) + (low.to(dtype) - center.unsqueeze(1)) + 0.5) * inverse
    w = torch.where(inside, torch.clamp_min(1 - torch.abs(x), 0), torch.zeros_like(x))
    return w / w.sum([1], True)


def aten__aa_step(size: int, out: int, align: bool, scale: Optional[float]) -> float:
    if align:
        return float(size - 1) / float(out - 1) if out > 1 else 0.0
    if scale is not None:
        if scale > 0.0:
            return 1.0 / scale
    return float(size) / float(out)


def aten__upsample_bilinear2d_aa(self: Tensor, output_size: List[int], align_corners: bool, scales_h: Optional[float] = None, scales_w: Optional[float] = None) -> Tensor:
    assert self.is_floating_point(), "_upsample_bilinear2d_aa: only floating-point images are supported"
    x = aten__widen(self)
    across = aten__aa_weights(x.size(3), output_size[1], align_corners, scales_w, x.dtype)
    down = aten__aa_weights(x.size(2), output_size[0], align_corners, scales_h, x.dtype)
    return torch.matmul(down, torch.matmul(x, across.t())).to(self.dtype)


def aten__upsample_bilinear2d_aa__vec(input: Tensor, output_size: Optional[List[int]], align_corners: bool, scale_factors: Optional[List[float]]) -> Tensor:
    sizes = aten__resize_sizes(input, 2, output_size, scale_factors)
    return aten__upsample_bilinear2d_aa(input, sizes, align_corners, aten__axis_scale(scale_factors, 0), aten__axis_scale(scale_factors, 1))


# --- pooling -------------------------------------------------------------------


# aten/src/ATen/native/DilatedMaxPool2d.cpp
def aten_max_pool2d_with_indices_backward(grad_output: Tensor, self: Tensor, kernel_size: List[int], stride: List[int], padding: List[int], dilation: List[int], ceil_mode: bool, indices: Tensor) -> Tensor:
    rows = self.size(-2)
    columns = self.size(-1)
    lead = self.numel() // (rows * columns) if rows * columns > 0 else 0
    flat = torch.zeros([lead, rows * columns], dtype=self.dtype)
    return flat.scatter_add(1, indices.reshape([lead, -1]), grad_output.reshape([lead, -1])).reshape(self.size())


# aten/src/ATen/native/FractionalMaxPooling.h: where the windows begin
def aten__fractional_starts(sample: Tensor, size: int, out: int, pool: int) -> Tensor:
    last = torch.full([sample.size(0), sample.size(1), 1], size - pool, dtype=torch.int64)
    if out == 1:
        return last
    # The quotient is rounded to the dtype of the samples first.
    alpha = torch.full([], float(size - pool), dtype=sample.dtype) / float(out - 1)
    u = sample.unsqueeze(-1)
    i = torch.arange(out - 1).to(sample.dtype)
    return torch.cat([((i + u) * alpha).to(torch.int64) - (u * alpha).to(torch.int64), last], 2)


def aten__fractional_max_pool(self: Tensor, kernel_size: List[int], output_size: List[int], random_samples: Tensor, order: List[int]) -> Tuple[Tensor, Tensor]:
    n = len(kernel_size)
    assert self.dim() == n + 1 or self.dim() == n + 2, "fractional_max_pool: a batch of images, or one image, is expected"
    x = self if self.dim() == n + 2 else self.unsqueeze(0)
    b = x.size(0)
    c = x.size(1)
    at = torch.zeros([b, c] + [1] * (2 * n), dtype=torch.int64)
    total = 1
    outputs = 1
    window = 1
    for i in range(n):
        size = x.size(2 + i)
        assert output_size[i] + kernel_size[i] - 1 <= size, "fractional_max_pool: pool size too large relative to input size"
        starts = aten__fractional_starts(random_samples.select(2, order[i]), size, output_size[i], kernel_size[i])
        places = starts.unsqueeze(-1) + torch.arange(kernel_size[i])
        shape = [b, c]
        for d in range(n):
            shape.append(output_size[i] if d == i else 1)
        for d in range(n):
            shape.append(kernel_size[i] if d == i else 1)
        at = at * size + places.reshape(shape)
        total = total * size
        outputs = outputs * output_size[i]
        window = window * kernel_size[i]
    at = at.reshape([b, c, outputs, window])
    values = torch.gather(x.reshape([b, c, total]), 2, at.reshape([b, c, outputs * window])).reshape([b, c, outputs, window])
    best, which = torch.max(values, 3)
    index = torch.gather(at, 3, which.unsqueeze(3))
    if self.dim() == n + 1:
        return best.reshape([c] + output_size), index.reshape([c] + output_size)
    return best.reshape([b, c] + output_size), index.reshape([b, c] + output_size)


def aten_fractional_max_pool2d(self: Tensor, kernel_size: List[int], output_size: List[int], random_samples: Tensor) -> Tuple[Tensor, Tensor]:
    return aten__fractional_max_pool(self, kernel_size, output_size, random_samples, [1, 0])


def aten_fractional_max_pool3d(self: Tensor, kernel_size: List[int], output_size: List[int], random_samples: Tensor) -> Tuple[Tensor, Tensor]:
    return aten__fractional_max_pool(self, kernel_size, output_size, random_samples, [0, 1, 2])
