# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Attention, recurrent layers and sampling of images.


# --- attention: aten/src/ATen/native/transformers/attention.cpp ----------------


def aten__attention_mask(query: Tensor, key: Tensor, attn_mask: Optional[Tensor], is_causal: bool) -> Optional[Tensor]:
    if is_causal:
        assert attn_mask is None, "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        rows = torch.arange(query.size(-2)).unsqueeze(1)
        columns = torch.arange(key.size(-2)).unsqueeze(0)
        zero = torch.zeros([query.size(-2), key.size(-2)], dtype=query.dtype)
        return torch.where(rows >= columns, zero, zero + float("-inf"))
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            zero = torch.zeros_like(attn_mask, dtype=query.dtype)
            return torch.where(attn_mask, zero, zero + float("-inf"))
    return attn_mask


# For each head of the query one of the key's.
def aten__repeat_heads(x: Tensor, heads: int) -> Tensor:
    have = x.size(-3)
    if have == heads:
        return x
    lead: List[int] = []
    for d in range(x.dim() - 3):
        lead.append(x.size(d))
    n = x.size(-2)
    m = x.size(-1)
    return x.unsqueeze(-3).expand(lead + [have, heads // have, n, m]).reshape(lead + [heads, n, m])


def aten__attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor], dropout_p: float, is_causal: bool, scale: Optional[float], enable_gqa: bool) -> Tuple[Tensor, Tensor]:
    q = aten__widen(query)
    k = aten__widen(key)
    v = aten__widen(value)
    if enable_gqa:
        k = aten__repeat_heads(k, q.size(-3))
        v = aten__repeat_heads(v, q.size(-3))
    factor = 1.0 / float(query.size(-1)) ** 0.5
    if scale is not None:
        factor = scale
    if factor < 0.0:
        scores = torch.matmul(q, k.transpose(-2, -1)) * factor
    else:
        root = factor ** 0.5
        scores = torch.matmul(q * root, (k * root).transpose(-2, -1))
    mask = aten__attention_mask(q, k, attn_mask, is_causal)
    if mask is not None:
        scores = scores + mask.to(q.dtype)
    weights = torch._safe_softmax(scores, -1)
    if dropout_p > 0.0:
        weights = torch.dropout(weights, dropout_p, True)
    return torch.matmul(weights, v).to(query.dtype), weights.to(query.dtype)


# aten/src/ATen/native/cpu/FlashAttentionKernel.cpp: the scores are scaled
# after the product, and divided by their sum after the second one.
def aten__flash_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor], is_causal: bool, scale: Optional[float]) -> Tensor:
    factor = 1.0 / float(query.size(-1)) ** 0.5
    if scale is not None:
        factor = scale
    scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    mask = aten__attention_mask(query, key, attn_mask, is_causal)
    if mask is not None:
        scores = scores + mask.to(query.dtype)
    top = scores.amax([-1], True)
    dead = top == float("-inf")
    weights = torch.where(dead, torch.zeros_like(scores), (scores - top).exp())
    total = weights.sum([-1], True)
    return torch.matmul(weights, value) * torch.where(dead, torch.ones_like(total), 1.0 / total)


def aten_scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor] = None, dropout_p: float = 0.0, is_causal: bool = False, scale: Optional[float] = None, enable_gqa: bool = False) -> Tensor:
    exact = query.dtype == torch.float32 or query.dtype == torch.float64
    if exact and query.dim() == 4 and key.dim() == 4 and value.dim() == 4 and dropout_p == 0.0 and query.numel() * key.numel() > 0:
        heads = query.size(1)
        if key.size(1) == heads and value.size(1) == heads:
            return aten__flash_attention(query, key, value, attn_mask, is_causal, scale)
    out, weights = aten__attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return out


def aten__scaled_dot_product_attention_math(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor] = None, dropout_p: float = 0.0, is_causal: bool = False, scale: Optional[float] = None, enable_gqa: bool = False) -> Tuple[Tensor, Tensor]:
    return aten__attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


def aten__split_heads(x: Tensor, heads: int) -> Tensor:
    return x.reshape([x.size(0), x.size(1), heads, -1]).transpose(1, 2)


# The fast path of nn.MultiheadAttention in evaluation; a true in the mask
# hides a key. Mask types: 0: [L, L], 1: [N, L], 2: of all heads.
def aten__native_multi_head_attention(query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, mask: Optional[Tensor] = None, need_weights: bool = True, average_attn_weights: bool = True, mask_type: Optional[int] = None) -> Tuple[Tensor, Tensor]:
    d = embed_dim
    q = aten__split_heads(aten_linear(query, qkv_weight.narrow(0, 0, d), qkv_bias.narrow(0, 0, d)), num_head)
    k = aten__split_heads(aten_linear(key, qkv_weight.narrow(0, d, d), qkv_bias.narrow(0, d, d)), num_head)
    v = aten__split_heads(aten_linear(value, qkv_weight.narrow(0, 2 * d, d), qkv_bias.narrow(0, 2 * d, d)), num_head)
    scores = torch.matmul(q / float(q.size(-1)) ** 0.5, k.transpose(-2, -1))
    if mask is not None:
        hidden = mask
        if mask.dim() == 2:
            if mask_type is not None:
                if mask_type == 1:
                    hidden = mask.unsqueeze(1).unsqueeze(1)
        if mask.dtype == torch.bool:
            scores = torch.where(hidden, torch.full_like(scores, float("-inf")), scores)
        else:
            scores = scores + hidden
    weights = torch.softmax(scores, -1)
    out = torch.matmul(weights, v).transpose(1, 2).reshape([query.size(0), query.size(1), d])
    out = aten_linear(out, proj_weight, proj_bias)
    if not need_weights:
        return out, torch.zeros([0], dtype=query.dtype)
    if average_attn_weights:
        return out, weights.mean([1], False)
    return out, weights


def aten__transformer_encoder_layer_fwd(src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor, norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor, ffn_bias_2: Tensor, mask: Optional[Tensor] = None, mask_type: Optional[int] = None) -> Tensor:
    x = src
    if norm_first:
        x = aten_layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    a, w = aten__native_multi_head_attention(x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, False, mask_type)
    x = src + a
    if not norm_first:
        x = aten_layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    y = x
    if norm_first:
        y = aten_layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    h = aten_linear(y, ffn_weight_1, ffn_bias_1)
    if use_gelu:
        h = torch.gelu(h)
    else:
        h = torch.relu(h)
    x = x + aten_linear(h, ffn_weight_2, ffn_bias_2)
    if norm_first:
        return x
    return aten_layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)


# --- recurrent layers: aten/src/ATen/native/RNN.cpp ----------------------------


# kind 0: tanh, 1: relu, 2: lstm, 3: gru. `a` is what the input gives, `b` what
# the hidden state does; the first result is the new hidden state.
def aten__recurrent_step(kind: int, a: Tensor, b: Tensor, h: Tensor, c: Tensor) -> Tuple[Tensor, Tensor]:
    if kind == 0:
        return torch.tanh(a + b), c
    if kind == 1:
        return torch.relu(a + b), c
    if kind == 2:
        i, f, g, o = torch.chunk(a + b, 4, 1)
        cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell
    ar, az, an = torch.chunk(a, 3, 1)
    br, bz, bn = torch.chunk(b, 3, 1)
    r = torch.sigmoid(ar + br)
    z = torch.sigmoid(az + bz)
    n = torch.tanh(an + bn * r)
    return (h - n) * z + n, c


def aten__recurrent_cell(kind: int, input: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    return aten__recurrent_step(kind, aten_linear(input, w_ih, b_ih), aten_linear(h, w_hh, b_hh), h, c)


def aten_rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor] = None, b_hh: Optional[Tensor] = None) -> Tensor:
    h, c = aten__recurrent_cell(0, input, hx, hx, w_ih, w_hh, b_ih, b_hh)
    return h


def aten_rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor] = None, b_hh: Optional[Tensor] = None) -> Tensor:
    h, c = aten__recurrent_cell(1, input, hx, hx, w_ih, w_hh, b_ih, b_hh)
    return h


def aten_lstm_cell(input: Tensor, hx: List[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor] = None, b_hh: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
    return aten__recurrent_cell(2, input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)


def aten_gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor] = None, b_hh: Optional[Tensor] = None) -> Tensor:
    h, c = aten__recurrent_cell(3, input, hx, hx, w_ih, w_hh, b_ih, b_hh)
    return h


# One direction of one layer over [time, batch, features].
def aten__recurrent_run(kind: int, x: Tensor, h0: Tensor, c0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Optional[Tensor], b_hh: Optional[Tensor], w_hr: Optional[Tensor], backward: bool) -> Tuple[Tensor, Tensor, Tensor]:
    steps = x.size(0)
    # All inputs at once.
    a = aten_linear(x, w_ih, b_ih)
    out = torch.zeros([steps, x.size(1), h0.size(1)], dtype=x.dtype)
    h = h0
    c = c0
    for s in range(steps):
        t = s
        if backward:
            t = steps - 1 - s
        h, c = aten__recurrent_step(kind, a.select(0, t), aten_linear(h, w_hh, b_hh), h, c)
        if w_hr is not None:
            h = aten_linear(h, w_hr)
        out.select(0, t).copy_(h)
    return out, h, c


def aten__recurrent(kind: int, input: Tensor, hx: Tensor, cx: Tensor, params: List[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Tuple[Tensor, Tensor, Tensor]:
    x = input
    if batch_first:
        x = x.transpose(0, 1)
    directions = 1
    if bidirectional:
        directions = 2
    each = len(params) // (num_layers * directions)
    hs: List[Tensor] = []
    cs: List[Tensor] = []
    for layer in range(num_layers):
        outs: List[Tensor] = []
        for direction in range(directions):
            k = layer * directions + direction
            at = k * each
            b_ih: Optional[Tensor] = None
            b_hh: Optional[Tensor] = None
            w_hr: Optional[Tensor] = None
            if has_biases:
                b_ih = params[at + 2]
                b_hh = params[at + 3]
            if each == 3 or each == 5:
                w_hr = params[at + each - 1]
            out, h, c = aten__recurrent_run(kind, x, hx[k], cx[k], params[at], params[at + 1], b_ih, b_hh, w_hr, direction == 1)
            outs.append(out)
            hs.append(h)
            cs.append(c)
        x = torch.cat(outs, -1)
        if dropout > 0.0 and train and layer < num_layers - 1:
            x = torch.dropout(x, dropout, True)
    if batch_first:
        x = x.transpose(0, 1)
    return x, torch.stack(hs, 0), torch.stack(cs, 0)


def aten_lstm__input(input: Tensor, hx: List[Tensor], params: List[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Tuple[Tensor, Tensor, Tensor]:
    return aten__recurrent(2, input, hx[0], hx[1], params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def aten_gru__input(input: Tensor, hx: Tensor, params: List[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Tuple[Tensor, Tensor]:
    x, h, c = aten__recurrent(3, input, hx, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    return x, h


def aten_rnn_tanh__input(input: Tensor, hx: Tensor, params: List[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Tuple[Tensor, Tensor]:
    x, h, c = aten__recurrent(0, input, hx, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    return x, h


def aten_rnn_relu__input(input: Tensor, hx: Tensor, params: List[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Tuple[Tensor, Tensor]:
    x, h, c = aten__recurrent(1, input, hx, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    return x, h


# --- sampling: native/GridSampler.h --------------------------------------------


def aten__grid_reflect(x: Tensor, twice_low: int, twice_high: int) -> Tensor:
    if twice_low == twice_high:
        return torch.zeros_like(x)
    low = twice_low / 2
    span = (twice_high - twice_low) / 2
    y = (x - low).abs()
    extra = torch.fmod(y, span)
    flips = torch.floor(y / span)
    even = torch.fmod(flips, 2.0) == 0
    return torch.where(even, extra + low, span - extra + low)


def aten__grid_scale(x: Tensor, size: int, align: bool) -> Tensor:
    if align:
        return (x + 1) / 2 * (size - 1)
    return ((x + 1) * size - 1) / 2


def aten__grid_pad(r: Tensor, size: int, padding_mode: int, align: bool) -> Tensor:
    if padding_mode == 1:
        return torch.clamp(r, 0, size - 1)
    if padding_mode == 2:
        if align:
            r = aten__grid_reflect(r, 0, 2 * (size - 1))
        else:
            r = aten__grid_reflect(r, -1, 2 * size - 1)
        return torch.clamp(r, 0, size - 1)
    return r


def aten__grid_place(x: Tensor, size: int, padding_mode: int, align: bool) -> Tensor:
    return aten__grid_pad(aten__grid_scale(x, size, align), size, padding_mode, align)


# The values at whole places; those outside of the image are 0.
def aten__grid_values(input: Tensor, places: List[Tensor]) -> Tensor:
    n = len(places)
    flat = torch.zeros_like(places[0], dtype=torch.int64)
    inside = torch.ones_like(places[0], dtype=torch.bool)
    total = 1
    for i in range(n):
        size = input.size(2 + i)
        p = places[i]
        inside = torch.logical_and(inside, torch.logical_and(p >= 0, p <= size - 1))
        # Clamped as a float: what is far outside has no integer.
        whole = torch.clamp(torch.where(p == p, p, torch.zeros_like(p)), 0, size - 1).to(torch.int64)
        flat = flat * size + whole
        total = total * size
    b = input.size(0)
    c = input.size(1)
    m = flat.numel() // b
    index = flat.reshape([b, 1, m]).expand([b, c, m])
    values = torch.gather(input.reshape([b, c, total]), 2, index)
    return torch.where(inside.reshape([b, 1, m]), values, torch.zeros_like(values))


def aten__grid_out(input: Tensor, grid: Tensor) -> List[int]:
    shape = [input.size(0), input.size(1)]
    for d in range(1, grid.dim() - 1):
        shape.append(grid.size(d))
    return shape


def aten__grid_nearest(input: Tensor, places: List[Tensor]) -> Tensor:
    whole: List[Tensor] = []
    for p in places:
        whole.append(torch.round(p))
    return aten__grid_values(input, whole)


def aten__grid_linear(input: Tensor, places: List[Tensor]) -> Tensor:
    n = len(places)
    b = input.size(0)
    corners = 1
    for i in range(n):
        corners = corners * 2
    r = torch.zeros([b, input.size(1), places[0].numel() // b], dtype=input.dtype)
    for k in range(corners):
        at: List[Tensor] = []
        weight = torch.ones_like(places[0])
        bit = corners // 2
        for i in range(n):
            low = torch.floor(places[i])
            if (k // bit) % 2 == 1:
                at.append(low + 1)
                weight = weight * (places[i] - low)
            else:
                at.append(low)
                weight = weight * (low + 1 - places[i])
            bit = bit // 2
            if bit == 0:
                bit = 1
        r = r + aten__grid_values(input, at) * weight.reshape([b, 1, -1])
    return r


def aten__grid_cubic(input: Tensor, grid: Tensor, padding_mode: int, align: bool) -> Tensor:
    assert input.dim() == 4, "grid_sampler(): bicubic interpolation only supports 4D input"
    b = input.size(0)
    x = aten__grid_scale(grid.select(-1, 0), input.size(3), align)
    y = aten__grid_scale(grid.select(-1, 1), input.size(2), align)
    left = torch.floor(x)
    top = torch.floor(y)
    tx = x - left
    ty = y - top
    wx = [aten__cubic_far(tx + 1), aten__cubic_near(tx), aten__cubic_near(1 - tx), aten__cubic_far(2 - tx)]
    wy = [aten__cubic_far(ty + 1), aten__cubic_near(ty), aten__cubic_near(1 - ty), aten__cubic_far(2 - ty)]
    across: List[Tensor] = []
    for j in range(4):
        across.append(aten__grid_pad(left + (j - 1), input.size(3), padding_mode, align))
    rows: List[Tensor] = []
    for i in range(4):
        at = aten__grid_pad(top + (i - 1), input.size(2), padding_mode, align)
        parts: List[Tensor] = []
        for j in range(4):
            parts.append(aten__grid_values(input, [at, across[j]]) * wx[j].reshape([b, 1, -1]))
        rows.append((parts[0] + parts[1] + parts[2] + parts[3]) * wy[i].reshape([b, 1, -1]))
    return rows[0] + rows[1] + rows[2] + rows[3]


def aten_grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    if interpolation_mode == 2:
        return aten__grid_cubic(input, grid, padding_mode, align_corners).reshape(aten__grid_out(input, grid))
    n = input.dim() - 2
    places: List[Tensor] = []
    for i in range(n):
        # The grid's first coordinate belongs to the last dimension.
        places.append(aten__grid_place(grid.select(-1, n - 1 - i), input.size(2 + i), padding_mode, align_corners))
    if interpolation_mode == 1:
        r = aten__grid_nearest(input, places)
    else:
        r = aten__grid_linear(input, places)
    return r.reshape(aten__grid_out(input, grid))


def aten_grid_sampler_2d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    return aten_grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def aten_grid_sampler_3d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    return aten_grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


# native/AffineGridGenerator.cpp
def aten__grid_line(theta: Tensor, steps: int, align: bool) -> Tensor:
    if steps <= 1:
        return torch.zeros([steps], dtype=theta.dtype)
    line = torch.linspace(-1, 1, steps, dtype=theta.dtype)
    if not align:
        line = line * (steps - 1) / steps
    return line


def aten_affine_grid_generator(theta: Tensor, size: List[int], align_corners: bool) -> Tensor:
    n = len(size) - 2
    shape: List[int] = []
    for i in range(n):
        shape.append(size[2 + i])
    parts: List[Tensor] = []
    for k in range(n):
        i = n - 1 - k
        line = aten__grid_line(theta, size[2 + i], align_corners)
        own: List[int] = []
        for d in range(n):
            own.append(1)
        own[i] = size[2 + i]
        parts.append(line.reshape(own).expand(shape).unsqueeze(-1))
    parts.append(torch.ones(shape + [1], dtype=theta.dtype))
    base = torch.cat(parts, -1).reshape([1, -1, n + 1])
    return torch.matmul(base, theta.transpose(1, 2)).reshape([size[0]] + shape + [n])
