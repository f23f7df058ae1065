# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Losses of torch.nn.functional, after aten/src/ATen/native/Loss*.cpp. A
# reduction is 0: none, 1: mean, 2: sum.


def aten_evox_reduce(loss: Tensor, reduction: int) -> Tensor:
    if reduction == 1:
        return loss.mean()
    if reduction == 2:
        return loss.sum()
    return loss


def aten_mse_loss(self: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    d = self - target
    return aten_evox_reduce(d * d, reduction)


def aten_l1_loss(self: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    return aten_evox_reduce((self - target).abs(), reduction)


def aten_smooth_l1_loss(self: Tensor, target: Tensor, reduction: int = 1, beta: float = 1.0) -> Tensor:
    if beta == 0:
        return aten_l1_loss(self, target, reduction)
    dtype = torch.result_type(self, target)
    z = (self.to(aten_evox_compute(dtype)) - target.to(aten_evox_compute(dtype))).abs()
    r = torch.where(z < beta, 0.5 * z * z / beta, z - 0.5 * beta)
    return aten_evox_reduce(r.to(dtype), reduction)


def aten_huber_loss(self: Tensor, target: Tensor, reduction: int = 1, delta: float = 1.0) -> Tensor:
    dtype = torch.result_type(self, target)
    z = (self.to(aten_evox_compute(dtype)) - target.to(aten_evox_compute(dtype))).abs()
    r = torch.where(z <= delta, 0.5 * z * z, delta * (z - 0.5 * delta))
    return aten_evox_reduce(r.to(dtype), reduction)


def aten_binary_cross_entropy(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, reduction: int = 1) -> Tensor:
    inside = ((self >= 0) & (self <= 1)).all()
    if not bool(inside):
        assert False, "all elements of input should be between 0 and 1"
    x = aten_evox_up(self)
    t = target.to(x.dtype)
    floor = torch.full_like(x, -100.0)
    loss = ((t - 1) * torch.maximum((-x).log1p(), floor) - t * torch.maximum(x.log(), floor)).to(self.dtype)
    if weight is not None:
        loss = loss * weight
    return aten_evox_reduce(loss, reduction)


def aten_binary_cross_entropy_with_logits(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, pos_weight: Optional[Tensor] = None, reduction: int = 1) -> Tensor:
    softplus = aten_log_sigmoid(self)
    if pos_weight is not None:
        softplus = softplus * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * self - softplus
    if weight is not None:
        loss = loss * weight
    return aten_evox_reduce(loss, reduction)


# The classes are in dimension 1 of self, or 0 where it has only that.
def aten_evox_nll(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tuple[Tensor, Tensor]:
    dim = 1
    if self.dim() == 1:
        dim = 0
    n = self.size(dim)
    ignored = target == ignore_index
    if not bool((ignored | ((target >= 0) & (target < n))).all()):
        assert False, "Target is out of bounds."
    safe = torch.where(ignored, torch.zeros_like(target), target)
    picked = -self.gather(dim, safe.unsqueeze(dim)).squeeze(dim)
    if weight is not None:
        w = weight[safe]
    else:
        w = torch.ones_like(picked)
    w = torch.where(ignored, torch.zeros_like(w), w)
    loss = torch.where(ignored, torch.zeros_like(picked), picked * w)
    if reduction == 0:
        return loss, torch.zeros([], dtype=self.dtype)
    total = w.sum()
    if reduction == 2:
        return loss.sum(), total
    return loss.sum() / total, total


def aten_nll_loss_forward(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tuple[Tensor, Tensor]:
    return aten_evox_nll(self, target, weight, reduction, ignore_index)


def aten_nll_loss2d_forward(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tuple[Tensor, Tensor]:
    return aten_evox_nll(self, target, weight, reduction, ignore_index)


def aten_nll_loss_nd(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, reduction: int = 1, ignore_index: int = -100) -> Tensor:
    return aten_evox_nll(self, target, weight, reduction, ignore_index)[0]


def aten_nll_loss(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, reduction: int = 1, ignore_index: int = -100) -> Tensor:
    return aten_evox_nll(self, target, weight, reduction, ignore_index)[0]


def aten_nll_loss2d(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, reduction: int = 1, ignore_index: int = -100) -> Tensor:
    return aten_evox_nll(self, target, weight, reduction, ignore_index)[0]


def aten_cross_entropy_loss(self: Tensor, target: Tensor, weight: Optional[Tensor] = None, reduction: int = 1, ignore_index: int = -100, label_smoothing: float = 0.0) -> Tensor:
    dim = 1
    if self.dim() == 1:
        dim = 0
    n = self.size(dim)
    logs = aten_log_softmax(self, dim)
    shape = [1] * self.dim()
    shape[dim] = n
    if target.is_floating_point():
        # The target holds probabilities.
        t = target
        if label_smoothing > 0:
            t = target * (1 - label_smoothing) + label_smoothing / n
        terms = logs * t
        if weight is not None:
            terms = terms * weight.view(shape)
        if reduction == 0:
            return -terms.sum(dim)
        if reduction == 2:
            return -terms.sum()
        count = self.numel() // n
        if self.dim() == 1:
            count = 1
        return -terms.sum() / count
    plain = aten_evox_nll(logs, target, weight, reduction, ignore_index)
    if label_smoothing == 0:
        return plain[0]
    if weight is not None:
        smooth = -(logs * weight.view(shape)).sum(dim)
    else:
        smooth = -logs.sum(dim)
    ignored = target == ignore_index
    smooth = torch.where(ignored, torch.zeros_like(smooth), smooth)
    if reduction == 2:
        smooth = smooth.sum()
    if reduction == 1:
        if weight is not None:
            smooth = smooth.sum() / plain[1]
        else:
            smooth = smooth.sum() / (~ignored).sum()
    return (1 - label_smoothing) * plain[0] + smooth * (label_smoothing / n)


def aten_kl_div(self: Tensor, target: Tensor, reduction: int = 1, log_target: bool = False) -> Tensor:
    if log_target:
        return aten_evox_reduce(target.exp() * (target - self), reduction)
    return aten_evox_reduce(torch.xlogy(target, target) - target * self, reduction)


def aten_cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1) -> Tensor:
    dim = target.dim()
    product = (input1 * input2).sum(dim)
    square1 = (input1 * input1).sum(dim) + 1e-12
    square2 = (input2 * input2).sum(dim) + 1e-12
    cosine = product / (square1 * square2).sqrt()
    zeros = torch.zeros_like(cosine)
    positive = torch.where(target == 1, 1 - cosine, zeros)
    negative = torch.where(target == -1, (cosine - margin).clamp_min(0), zeros)
    return aten_evox_reduce(positive + negative, reduction)


def aten_hinge_embedding_loss(self: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    zeros = torch.zeros_like(self)
    far = torch.where(target != 1, (margin - self).clamp_min(0), zeros)
    near = torch.where(target != -1, self, zeros)
    return aten_evox_reduce(far + near, reduction)


def aten_margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1) -> Tensor:
    return aten_evox_reduce((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def aten_soft_margin_loss(self: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    return aten_evox_reduce((-target * self).exp().log1p(), reduction)


def aten_poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (6.283185307179586 * target).log()
        loss = loss + torch.where(target <= 1, torch.zeros_like(stirling), stirling)
    return aten_evox_reduce(loss, reduction)


def aten_triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-06, swap: bool = False, reduction: int = 1) -> Tensor:
    near = torch.pairwise_distance(anchor, positive, p, eps)
    far = torch.pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = torch.minimum(far, torch.pairwise_distance(positive, negative, p, eps))
    return aten_evox_reduce((margin + near - far).clamp_min(0), reduction)


# aten/src/ATen/native/LossMultiMargin.cpp
def aten_multi_margin_loss(self: Tensor, target: Tensor, p: number = 1, margin: number = 1, weight: Optional[Tensor] = None, reduction: int = 1) -> Tensor:
    x = self
    t = target
    if self.dim() < 2:
        x = self.reshape([1, -1])
        t = target.reshape([-1])
    n = x.size(1)
    own = t.unsqueeze(1)
    z = float(margin) - x.gather(1, own) + x
    if int(p) == 1:
        h = z
    else:
        h = z * z
    h = torch.where(z > 0, h, torch.zeros_like(z))
    if weight is not None:
        h = h * weight[t].unsqueeze(1)
    h = torch.where(torch.arange(n).unsqueeze(0) == own, torch.zeros_like(h), h)
    loss = h.sum(1) / n
    if reduction == 0:
        if self.dim() < 2:
            return loss.reshape(target.shape)
        return loss
    return aten_evox_reduce(loss, reduction)


# aten/src/ATen/native/LossMultiLabelMargin.cpp: labels end at the first -1
def aten_multilabel_margin_loss(self: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    x = self
    t = target
    if self.dim() < 2:
        x = self.reshape([1, -1])
        t = target.reshape([1, -1])
    n = x.size(1)
    valid = (t < 0).to(4).cumsum(1) == 0
    safe = torch.where(valid, t, torch.zeros_like(t))
    is_label = ((torch.arange(n).view([1, 1, -1]) == safe.unsqueeze(2)) & valid.unsqueeze(2)).any(1)
    z = 1 - x.gather(1, safe).unsqueeze(2) + x.unsqueeze(1)
    counts = valid.unsqueeze(2) & (~is_label).unsqueeze(1) & (z > 0)
    loss = torch.where(counts, z, torch.zeros_like(z)).sum([1, 2]) / n
    if reduction == 0 and self.dim() < 2:
        return loss.reshape([])
    return aten_evox_reduce(loss, reduction)


# aten/src/ATen/native/LossCTC.cpp: ctc_loss_cpu_template
def aten__ctc(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    steps = log_probs.size(0)
    n = log_probs.size(1)
    classes = log_probs.size(2)
    longest = targets.size(targets.dim() - 1)
    place = torch.arange(longest).unsqueeze(0)
    tl = target_lengths.to(torch.int64).unsqueeze(1)
    il = input_lengths.to(torch.int64).unsqueeze(1)
    if targets.dim() == 1:
        begin = torch.cumsum(tl, 0) - tl
        rows = torch.take(targets, torch.clamp(begin + place, 0, max(longest - 1, 0))) if longest > 0 else torch.zeros([n, 0], dtype=targets.dtype)
    else:
        rows = targets
    label = torch.where(place < tl, rows.to(torch.int64), torch.full([n, longest], blank, dtype=torch.int64))
    blanks = torch.full([n, longest, 1], blank, dtype=torch.int64)
    path = torch.cat([torch.cat([blanks, label.unsqueeze(2)], 2).reshape([n, 2 * longest]), torch.full([n, 1], blank, dtype=torch.int64)], 1)
    width = 2 * longest + 1
    never = float("-inf")
    walls = torch.full([n, 2], never, dtype=log_probs.dtype)
    s = torch.arange(width).unsqueeze(0)
    fresh = torch.cat([torch.zeros([n, min(width, 2)], dtype=torch.bool), path[:, 2:] != path[:, :-2]], 1)
    closed = torch.full([n, width], never, dtype=log_probs.dtype)
    alpha = closed
    for t in range(steps):
        own = torch.gather(log_probs[t], 1, path)
        if t == 0:
            new = torch.where(torch.logical_and(s < 2, s < 2 * tl + 1), own, closed)
        else:
            old = torch.cat([walls, alpha], 1)
            one = old[:, 1:1 + width]
            two = torch.where(fresh, old[:, :width], closed)
            top = torch.maximum(torch.maximum(alpha, one), two)
            top = torch.where(top == never, torch.zeros_like(top), top)
            new = torch.log(torch.exp(alpha - top) + torch.exp(one - top) + torch.exp(two - top)) + top + own
        alpha = torch.where(t < il, new, alpha)
    last = torch.gather(alpha, 1, 2 * tl)
    before = torch.where(tl > 0, torch.gather(alpha, 1, torch.clamp_min(2 * tl - 1, 0)), torch.full_like(last, never))
    top = torch.maximum(last, before)
    top = torch.where(top == never, torch.zeros_like(top), top)
    loss = -(torch.log(torch.exp(last - top) + torch.exp(before - top)) + top)
    nothing = torch.where(tl > 0, torch.full_like(loss, -never), torch.zeros_like(loss))
    return torch.where(il > 0, loss, nothing).reshape([n])


def aten_ctc_loss__Tensor(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int = 0, reduction: int = 1, zero_infinity: bool = False) -> Tensor:
    assert log_probs.dtype == torch.float32 or log_probs.dtype == torch.float64, "ctc_loss: float32 or float64 log probabilities are expected"
    single = log_probs.dim() == 2
    lp = log_probs.unsqueeze(1) if single else log_probs
    assert lp.dim() == 3, "ctc_loss: log probabilities [time, batch, classes] are expected"
    assert blank >= 0 and blank < lp.size(2), "blank must be in label range"
    il = input_lengths.reshape([-1])
    tl = target_lengths.reshape([-1])
    assert il.size(0) == lp.size(1), "input_lengths must be of size batch_size"
    assert tl.size(0) == lp.size(1), "target_lengths must be of size batch_size"
    r = aten__ctc(lp, targets, il, tl, blank)
    if zero_infinity:
        r = torch.where(r == float("inf"), torch.zeros_like(r), r)
    if reduction == 1:
        return torch.mean(r / torch.clamp_min(tl, 1).to(r.dtype))
    if reduction == 2:
        return torch.sum(r)
    return r[0] if single else r


def aten_ctc_loss__IntList(log_probs: Tensor, targets: Tensor, input_lengths: List[int], target_lengths: List[int], blank: int = 0, reduction: int = 1, zero_infinity: bool = False) -> Tensor:
    return aten_ctc_loss__Tensor(log_probs, targets, torch.tensor(input_lengths, dtype=torch.int64), torch.tensor(target_lengths, dtype=torch.int64), blank, reduction, zero_infinity)
