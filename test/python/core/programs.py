# programs.py - small programs over all families of operations
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The rows of the table of test_core_table.py.

A parameter's name says what it is: x, y, z are vectors of 4, m is 3 by 4, a is
3 by 3, c is 2 by 3 by 4, s is one number; k holds 4 integers below 3, i is one,
b holds 4 truth values. `lanes` marks what PyTorch can't vmap: its reference
is a loop over lanes. `writes` marks what changes state, `in_place` what PyTorch
refuses where the lanes share it (test_core_native.py has the error), `loops`
what the compiler must be told to run lane after lane, too, as sizes differ.
"""

from typing import Dict, List, Tuple

import torch

from evox_mlir.core import ModuleBase, Mutable, Parameter


def lanes(method):
    method.lanes = True
    return method


def writes(method):
    method.writes = True
    return method


def loops(method):
    method.loops = True
    return method


def in_place(method):
    method.in_place = True
    return method


class Base(ModuleBase):
    def __init__(self):
        super().__init__()
        self.w = Parameter(torch.tensor([0.5, -1.0, 2.0, 0.25]))
        self.acc = Mutable(torch.zeros(4))
        self.best = Mutable(torch.ones(4))
        self.count = Mutable(torch.zeros((), dtype=torch.int64))


class Pointwise(Base):
    def p_add(self, x: torch.Tensor, y: torch.Tensor):
        return x + y

    def p_sub_scaled(self, x: torch.Tensor, y: torch.Tensor):
        return torch.sub(x, y, alpha=2.5)

    def p_mul_scalar(self, x: torch.Tensor):
        return 3 * x - 1

    def p_div(self, x: torch.Tensor, y: torch.Tensor):
        return x / (y.abs() + 1)

    def p_floor_div(self, k: torch.Tensor):
        return (k - 5) // 2, (k - 5) % 3

    def p_pow(self, x: torch.Tensor):
        return x.abs() ** 1.5 + x**2

    def p_unary(self, x: torch.Tensor):
        return torch.exp(x) + torch.log1p(x.abs()) - torch.sqrt(x.abs())

    def p_trig(self, x: torch.Tensor):
        return torch.sin(x) * torch.cos(x) + torch.tanh(x)

    def p_round(self, x: torch.Tensor):
        return x.round() + x.floor() - x.ceil() + torch.trunc(x * 2)

    def p_clamp(self, x: torch.Tensor, y: torch.Tensor):
        return torch.clamp(x, -0.5, 0.5), torch.maximum(x, y), torch.clamp(x, min=y)

    def p_compare(self, x: torch.Tensor, y: torch.Tensor):
        return (x < y) | (x > 0.5), (x >= y) & ~(x == y)

    def p_where(self, b: torch.Tensor, x: torch.Tensor, y: torch.Tensor):
        return torch.where(b, x, y * 2)

    def p_where_number(self, x: torch.Tensor):
        return torch.where(x > 0, x, 0.0)

    def p_cast(self, x: torch.Tensor, k: torch.Tensor):
        return x.to(torch.int64), k.to(torch.float64), (k > 1).float()

    def p_mixed_types(self, x: torch.Tensor, k: torch.Tensor, b: torch.Tensor):
        return x * k + b

    def p_bits(self, k: torch.Tensor):
        return (k & 1) | 2, k ^ 3, k << 2

    def p_lerp(self, x: torch.Tensor, y: torch.Tensor, s: torch.Tensor):
        return torch.lerp(x, y, s), torch.addcmul(x, x, y, value=0.5)

    def p_sigmoid(self, x: torch.Tensor):
        return torch.sigmoid(x), torch.relu(x), torch.nn.functional.softplus(x)

    def p_broadcast(self, x: torch.Tensor, m: torch.Tensor, s: torch.Tensor):
        return m * x + s

    def p_parameter(self, x: torch.Tensor):
        return x * self.w + self.acc


class Reductions(Base):
    def p_sum(self, m: torch.Tensor):
        return m.sum(), m.sum(0), m.sum(1, keepdim=True)

    def p_mean(self, m: torch.Tensor):
        return m.mean(), m.mean(dim=-1)

    def p_prod(self, x: torch.Tensor):
        return x.prod(), x.prod(0, keepdim=True)

    def p_max(self, m: torch.Tensor):
        values, where = m.max(dim=1)
        return values, where, m.max()

    def p_argmin(self, m: torch.Tensor):
        return m.argmin(), m.argmin(dim=0)

    def p_amax(self, c: torch.Tensor):
        return c.amax(dim=(0, 2)), c.amin(dim=-1)

    def p_var(self, m: torch.Tensor):
        return m.var(dim=1), m.std(dim=0, unbiased=False)

    def p_norm(self, m: torch.Tensor):
        return torch.linalg.vector_norm(m, dim=1), m.norm()

    def p_any_all(self, b: torch.Tensor, m: torch.Tensor):
        return b.any(), b.all(), (m > 0).any(dim=1)

    def p_cumsum(self, m: torch.Tensor):
        return m.cumsum(0), m.cumsum(-1)

    def p_cumprod(self, x: torch.Tensor):
        return x.cumprod(0)

    def p_logsumexp(self, m: torch.Tensor):
        return torch.logsumexp(m, dim=1)

    def p_softmax(self, m: torch.Tensor):
        return torch.softmax(m, dim=-1), torch.log_softmax(m, dim=0)

    def p_count(self, b: torch.Tensor):
        return b.sum(), b.to(torch.int32).sum()

    def p_integers(self, k: torch.Tensor):
        return k.sum(), k.max(), k.float().mean()


class Views(Base):
    def p_reshape(self, m: torch.Tensor):
        return m.reshape(4, 3), m.view(-1), m.flatten()

    def p_transpose(self, m: torch.Tensor, c: torch.Tensor):
        return m.t(), c.permute(2, 0, 1), c.transpose(0, -1)

    def p_slice(self, m: torch.Tensor):
        return m[1:], m[:, ::2], m[-1], m[0, 1:3]

    def p_unsqueeze(self, x: torch.Tensor):
        return x.unsqueeze(0), x.unsqueeze(-1).squeeze(1), x[:, None] * x[None, :]

    def p_expand(self, x: torch.Tensor):
        return x.expand(3, 4) + 1, x.repeat(2, 1)

    def p_cat(self, x: torch.Tensor, m: torch.Tensor):
        return torch.cat([m, x.unsqueeze(0)]), torch.cat([m, m], dim=1)

    def p_stack(self, x: torch.Tensor, y: torch.Tensor):
        return torch.stack([x, y]), torch.stack([x, y], dim=-1)

    def p_split(self, x: torch.Tensor):
        first, second = x.split(2)
        return first * second, torch.cat(x.chunk(2)[::-1])

    def p_unbind(self, m: torch.Tensor):
        p, q, r = m.unbind(0)
        return p + q - r

    def p_flip(self, m: torch.Tensor):
        return m.flip(0), m.roll(1, 1)

    def p_diagonal(self, a: torch.Tensor):
        return a.diagonal(), torch.diag(a.diagonal()), torch.tril(a), a.trace()

    def p_narrow(self, m: torch.Tensor):
        return m.narrow(1, 1, 2), m.select(0, 1)

    def p_pad(self, m: torch.Tensor):
        return torch.nn.functional.pad(m, [1, 2])

    def p_meshgrid(self, x: torch.Tensor):
        p, q = torch.meshgrid(x, x[:2], indexing="ij")
        return p * q

    def p_creation(self, x: torch.Tensor):
        return torch.zeros_like(x) + torch.arange(4) * torch.ones(4) + torch.full((4,), 2.5)

    def p_linspace(self, x: torch.Tensor):
        return torch.linspace(0.0, 1.0, 4) * x, torch.eye(4) * x


class Indexing(Base):
    def p_gather(self, m: torch.Tensor, i: torch.Tensor):
        return m.gather(1, i.expand(3, 2)), torch.take_along_dim(m, i.reshape(1, 1), 1)

    def p_index(self, m: torch.Tensor, k: torch.Tensor):
        return m[k], m[:, k], m[k, k]

    def p_index_select(self, m: torch.Tensor, k: torch.Tensor):
        return m.index_select(0, k)

    def p_index_scalar(self, m: torch.Tensor, i: torch.Tensor):
        return m[i], m[:, i]

    def p_sort(self, m: torch.Tensor):
        values, order = m.sort(dim=1)
        return values, order, m.argsort(dim=0, descending=True)

    def p_topk(self, x: torch.Tensor):
        values, where = torch.topk(x, 2)
        return values, where, torch.topk(x, 2, largest=False)[0]

    def p_kth(self, x: torch.Tensor):
        return x.median(), x.kthvalue(2)[0]

    def p_scatter(self, x: torch.Tensor, m: torch.Tensor):
        order = torch.argsort(x)
        return torch.zeros(4).scatter(0, order, x), m.index_fill(0, torch.tensor([1]), 5.0)

    def p_scatter_add(self, x: torch.Tensor, k: torch.Tensor):
        return torch.zeros(3).scatter_add(0, k, x), torch.zeros(3).index_add(0, k, x)

    def p_one_hot(self, k: torch.Tensor):
        return torch.nn.functional.one_hot(k, 3)

    def p_searchsorted(self, x: torch.Tensor, y: torch.Tensor):
        return torch.searchsorted(x.sort()[0], y)

    def p_masked_fill(self, x: torch.Tensor, b: torch.Tensor):
        return x.masked_fill(b, -1.0)

    @loops
    @lanes
    def p_masked_sum(self, x: torch.Tensor, b: torch.Tensor):
        return x[b].sum()

    @lanes
    def p_nonzero_count(self, x: torch.Tensor):
        return torch.nonzero(x > 0).shape[0] + x

    def p_best_row(self, m: torch.Tensor):
        return m[m.sum(1).argmin()]

    def p_cdist(self, m: torch.Tensor):
        return torch.cdist(m, m)


class Linear(Base):
    def p_dot(self, x: torch.Tensor, y: torch.Tensor):
        return torch.dot(x, y), torch.outer(x, y)

    def p_mv(self, m: torch.Tensor, x: torch.Tensor):
        return m @ x, torch.mv(m, x)

    def p_mm(self, m: torch.Tensor, a: torch.Tensor):
        return a @ m, m.t() @ a, torch.addmm(m, a, m)

    def p_bmm(self, c: torch.Tensor):
        return torch.bmm(c, c.transpose(1, 2))

    def p_matmul(self, c: torch.Tensor, m: torch.Tensor):
        return c @ m.t()

    def p_einsum(self, m: torch.Tensor, a: torch.Tensor):
        return torch.einsum("ij,jk->ik", a, m), torch.einsum("ij,ij->i", m, m)

    def p_linear(self, m: torch.Tensor, x: torch.Tensor):
        return torch.nn.functional.linear(m, m, m[:, 0]) + x.sum()

    def p_solve(self, a: torch.Tensor):
        return torch.linalg.solve(a + 5 * torch.eye(3), a)

    def p_cholesky(self, a: torch.Tensor):
        return torch.linalg.cholesky(a @ a.t() + torch.eye(3))

    def p_inverse(self, a: torch.Tensor):
        return torch.linalg.inv(a + 5 * torch.eye(3))

    def p_det(self, a: torch.Tensor):
        return torch.linalg.det(a + 5 * torch.eye(3))

    def p_eigh(self, a: torch.Tensor):
        return torch.linalg.eigvalsh(a + a.t())

    def p_mlp(self, x: torch.Tensor, m: torch.Tensor):
        return torch.relu(m @ (x * self.w)).sum()

    def p_pairwise(self, m: torch.Tensor):
        return ((m[:, None, :] - m[None, :, :]) ** 2).sum(-1).sqrt()


class InPlace(Base):
    def p_add_(self, x: torch.Tensor):
        y = x.clone()
        y.add_(1).mul_(2)
        return y

    def p_row(self, m: torch.Tensor, x: torch.Tensor):
        n = m.clone()
        n[1] = x
        n[:, 0] += 1
        return n

    def p_through_view(self, m: torch.Tensor):
        n = m.clone()
        n.view(-1)[2:5].zero_()
        n.t()[0] = 7.0
        return n, n.sum(0)

    def p_of_new_tensor(self, x: torch.Tensor):
        out = x * 0
        for j in range(4):
            out[j] = x[j] * j
        return out

    def p_index_put(self, x: torch.Tensor, k: torch.Tensor):
        out = x * 0
        out[k] = 1.0
        return out

    @lanes
    def p_masked(self, x: torch.Tensor, b: torch.Tensor):
        y = x.clone()
        y[b] = 0.0
        return y

    def p_copy(self, m: torch.Tensor, x: torch.Tensor):
        n = m.clone()
        n[2].copy_(x)
        return n

    def p_slice_step(self, x: torch.Tensor):
        y = x.clone()
        y[::2] *= -1
        return y

    def p_swap(self, x: torch.Tensor):
        y = x.clone()
        first = y[0].clone()
        y[0] = y[3]
        y[3] = first
        return y

    def p_clamp_(self, x: torch.Tensor):
        y = x + 0
        y.clamp_(-0.1, 0.1).neg_()
        return y

    def p_diagonal(self, a: torch.Tensor):
        n = a.clone()
        n.diagonal().fill_(1.0)
        return n


class State(Base):
    @writes
    def p_accumulate(self, x: torch.Tensor):
        self.acc = self.acc + x
        return self.acc.sum()

    @writes
    def p_counter(self):
        self.count = self.count + 1

    @writes
    @in_place
    def p_in_place(self, x: torch.Tensor):
        self.acc += x
        return self.acc * 2

    @writes
    @in_place
    def p_row(self, x: torch.Tensor):
        acc = self.acc.clone()
        acc[1:3] = x[:2]
        self.acc = acc
        return x

    @writes
    def p_momentum(self, x: torch.Tensor):
        self.acc = 0.9 * self.acc + 0.1 * x
        self.best = self.best - self.w * self.acc
        return self.best

    @writes
    def p_two(self, x: torch.Tensor):
        old = self.acc
        self.acc = x
        self.count = self.count + (old < x).sum()
        return old, {"count": self.count}

    @writes
    def p_loop(self, x: torch.Tensor):
        for _ in range(3):
            self.acc = self.acc + x
            self.count = self.count + 1
        return self.count

    @writes
    @lanes
    def p_while(self, x: torch.Tensor):
        while bool((self.acc.sum() < 3).item()):
            self.acc = self.acc + x.abs() + 0.1
            self.count = self.count + 1
        return self.count

    @writes
    @lanes
    def p_if(self, x: torch.Tensor):
        if bool((x.sum() > 0).item()):
            self.acc = x
        else:
            self.count = self.count + 1

    @writes
    def p_minimum(self, m: torch.Tensor):
        best = m.sum(1).argmin()
        self.acc = torch.minimum(self.acc, m[best])
        return best

    def p_reads(self, x: torch.Tensor):
        return x + self.acc, self.count + 1

    def p_unchanged(self, x: torch.Tensor):
        return x


class Control(Base):
    @lanes
    def p_if(self, x: torch.Tensor):
        if bool((x.sum() > 0).item()):
            return x * 2
        return x - 1

    @lanes
    def p_if_no_else(self, x: torch.Tensor):
        y = x
        if bool((x[0] > 0).item()):
            y = y + 10
        return y

    @lanes
    def p_nested_if(self, x: torch.Tensor):
        if bool((x[0] > 0).item()):
            if bool((x[1] > 0).item()):
                return x + 1
            return x + 2
        return x + 3

    @lanes
    def p_while(self, x: torch.Tensor):
        y = x.abs() + 0.1
        n = torch.zeros((), dtype=torch.int64)
        while bool((y.sum() < 20).item()):
            y = y * 1.5
            n = n + 1
        return y, n

    @lanes
    def p_collatz(self, i: torch.Tensor):
        n = i + 5
        steps = torch.zeros_like(n)
        while bool((n > 1).item()):
            if bool((n % 2 == 0).item()):
                n = n // 2
            else:
                n = 3 * n + 1
            steps = steps + 1
        return steps

    @lanes
    def p_break(self, x: torch.Tensor):
        total = torch.zeros(())
        for j in range(4):
            if bool((x[j] > 0.5).item()):
                break
            total = total + x[j]
        return total

    @lanes
    def p_continue(self, x: torch.Tensor):
        total = torch.zeros(())
        for j in range(4):
            if bool((x[j] < 0).item()):
                continue
            total = total + x[j]
        return total

    @lanes
    def p_nested_while(self, x: torch.Tensor):
        y = x.abs() + 0.5
        while bool((y.sum() < 15).item()):
            while bool((y[0] < 3).item()):
                y = y + 0.7
            y = y * 1.3
        return y

    @lanes
    def p_loop_to(self, i: torch.Tensor, x: torch.Tensor):
        y = x
        j = torch.zeros_like(i)
        while bool((j < i).item()):
            y = y + x
            j = j + 1
        return y

    @lanes
    def p_newton(self, s: torch.Tensor):
        a = s.abs() + 1
        r = a
        while bool(((r * r - a).abs() > 1e-4).item()):
            r = 0.5 * (r + a / r)
        return r

    @lanes
    def p_if_types(self, x: torch.Tensor, k: torch.Tensor):
        if bool((k[0] == 1).item()):
            y, n = x.sum(), k.sum()
        else:
            y, n = x[1], k[1] * 2
        return y, n

    def p_for(self, x: torch.Tensor):
        y = x
        for j in range(5):
            y = y + j * x
        return y

    def p_for_carried(self, m: torch.Tensor):
        total = torch.zeros(4)
        for j in range(3):
            total = torch.maximum(total, m[j])
        return total

    def p_early_return(self, x: torch.Tensor, flag: bool = True):
        if flag:
            return x
        return -x


class Draws(Base):
    def p_rand(self, x: torch.Tensor):
        return torch.rand(4) + x

    def p_randn(self, x: torch.Tensor):
        return torch.randn_like(x) * x

    def p_randint(self, x: torch.Tensor):
        return torch.randint(0, 10, (4,)) + x

    def p_randperm(self, x: torch.Tensor):
        return x[torch.randperm(4)]

    def p_normal(self, x: torch.Tensor):
        return torch.normal(x, 0.5)

    def p_two_draws(self, x: torch.Tensor):
        return torch.rand(4) * x, torch.randn(3)

    def p_bernoulli(self, x: torch.Tensor):
        return torch.bernoulli(torch.sigmoid(x))

    def p_uniform_(self, x: torch.Tensor):
        return torch.empty_like(x).uniform_(-1.0, 1.0) + x

    @writes
    def p_walk(self, x: torch.Tensor):
        self.acc = self.acc + torch.randn(4) * x
        return self.acc

    def p_draw_in_for(self, x: torch.Tensor):
        y = x
        for _ in range(3):
            y = y + torch.rand(4)
        return y

    @lanes
    def p_draw_in_while(self, x: torch.Tensor):
        y = x.abs()
        while bool((y.sum() < 10).item()):
            y = y + torch.rand(4)
        return y

    @lanes
    def p_draw_in_if(self, x: torch.Tensor):
        if bool((x.sum() > 0).item()):
            return x + torch.rand(4)
        return x

    @writes
    @lanes
    def p_walk_until(self, x: torch.Tensor):
        while bool((self.acc.abs().sum() < 5).item()):
            self.acc = self.acc + torch.randn(4)
            self.count = self.count + 1
        return self.acc + x


class Trees(Base):
    def p_dict(self, x: torch.Tensor, y: torch.Tensor):
        return {"sum": x + y, "difference": x - y}

    def p_nested(self, x: torch.Tensor):
        return x, (x + 1, [x * 2, x * 3])

    def p_takes_dict(self, d: Dict[str, torch.Tensor]):
        return d["x"] * 2 + d["y"]

    def p_takes_list(self, xs: List[torch.Tensor]):
        return xs[0] + xs[1]

    def p_takes_tuple(self, t: Tuple[torch.Tensor, torch.Tensor], x: torch.Tensor):
        return t[0] * t[1] + x

    def p_helper(self, x: torch.Tensor):
        return self._square(x) + self._square(x + 1)

    def _square(self, x: torch.Tensor):
        return x * x

    def p_list_of_tensors(self, x: torch.Tensor):
        parts: List[torch.Tensor] = []
        for j in range(4):
            parts.append(x[j] * j)
        return torch.stack(parts)

    def p_sphere(self, m: torch.Tensor):
        return (m * m).sum(1)

    def p_rastrigin(self, m: torch.Tensor):
        return 10 * m.shape[1] + (m * m - 10 * torch.cos(6.2831853 * m)).sum(1)

    @writes
    def p_pso_step(self, m: torch.Tensor):
        r = torch.rand(3, 4)
        best = m[(m * m).sum(1).argmin()]
        self.acc = torch.where(best < self.acc, best, self.acc)
        return m + r * (self.acc - m)


FAMILIES = (
    Pointwise, Reductions, Views, Indexing, Linear, InPlace, State, Control, Draws, Trees,
)


def program_names(family) -> List[str]:
    return [n for n in vars(family) if n.startswith("p_")]


_MAKE = {
    "s": lambda: torch.randn(()),
    "i": lambda: torch.randint(0, 3, ()),
    "k": lambda: torch.randint(0, 3, (4,)),
    "b": lambda: torch.rand(4) > 0.5,
    "m": lambda: torch.randn(3, 4),
    "a": lambda: torch.randn(3, 3),
    "c": lambda: torch.randn(2, 3, 4),
    "d": lambda: {"x": torch.randn(4), "y": torch.randn(4)},
    "xs": lambda: [torch.randn(4), torch.randn(4)],
    "t": lambda: (torch.randn(4), torch.randn(4)),
}


def argument(name: str):
    """An argument by its parameter's name."""
    return _MAKE.get(name, lambda: torch.randn(4))()
