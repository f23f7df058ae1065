# ===- test_generators.py - Draws, bit for bit as PyTorch's -----------------===#
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#

import random

import pytest
import torch
from runtime_testlib import Failure, Instance

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
# Around the blocks of 16 of normal draws and the generator's of 624.
SIZES = [0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 100, 311, 312, 313, 623, 624, 625, 1000, 4097]
SEEDS = [0, 42, 67280421310721, 2**32 - 1, 2**63 + 5]

# Without AVX2, PyTorch itself rounds differently.
if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
    pytest.skip("PyTorch's kernels for AVX2 are the measure", allow_module_level=True)

# PyTorch takes these two from MKL on Intel's processors; see KernelsRandom.cpp.
with open("/proc/cpuinfo") as file:
    on_intel = "GenuineIntel" in file.read()
not_on_intel = pytest.mark.skipif(on_intel, reason="PyTorch draws them with MKL here")


def bits(x):
    return x.flatten().clone().view(torch.uint8)


def same(a, b):
    """The same bits, NaN and the sign of zero included."""
    assert a.dtype == b.dtype and a.shape == b.shape
    if not torch.equal(bits(a), bits(b)):
        wrong = (a != b).nonzero().flatten().tolist()
        raise AssertionError(
            f"{len(wrong)} of {a.numel()} differ, first at {wrong[:5]}: "
            f"{a.flatten()[wrong[:5]].tolist()} and {b.flatten()[wrong[:5]].tolist()}"
        )


class Pair:
    """PyTorch's generator and ours, kept side by side."""

    def __init__(self, seed=42, isa=None):
        torch.manual_seed(seed)
        self.ours = Instance(seed=seed, isa=isa)

    def check(self, ours, theirs):
        same(ours, theirs)
        same(self.ours.get_generator(), torch.get_rng_state())


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_and_state(seed):
    pair = Pair(seed)
    same(pair.ours.get_generator(), torch.get_rng_state())
    for n in [1, 622, 1, 1, 623, 2000]:
        pair.check(pair.ours.uniform((n,)), torch.rand(n))


def test_default_seed():
    assert torch.Generator().initial_seed() == 67280421310721
    expected = torch.rand(10, generator=torch.Generator())
    same(Instance().uniform((10,)), expected)


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_rand(dtype, isa):
    pair = Pair(isa=isa)
    for n in SIZES:
        pair.check(pair.ours.uniform((n,), dtype), torch.rand(n, dtype=dtype))


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform(dtype, isa):
    pair = Pair(isa=isa)
    for low, high in [(-1.3, 2.9), (0.1, 0.3), (-32.0, 32.0), (-1e-3, 6e4), (0.7, 0.7), (1.0, 1.001)]:
        for n in [1, 5, 100, 5000]:
            pair.check(
                pair.ours.uniform((n,), dtype, low, high),
                torch.empty(n, dtype=dtype).uniform_(low, high),
            )


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_randn(dtype, isa):
    pair = Pair(isa=isa)
    for n in SIZES + [16 * 20000 + 5]:
        pair.check(pair.ours.normal((n,), dtype), torch.randn(n, dtype=dtype))


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_randn_by_threads(dtype, isa):
    """Around the sizes that threads share, and where a piece ends."""
    for threads in (2, 3, 8):
        pair = Pair(isa=isa)
        pair.ours.set_threads(threads)
        for n in [16, 32767, 32768, 32769, 32785, 49152, 49153, 100_007]:
            theirs = torch.empty(n, dtype=dtype).normal_(0.25, 2)
            pair.check(pair.ours.normal((n,), dtype, 0.25, 2), theirs)
        philox, alone = (Instance(rng=1, seed=3, isa=isa) for _ in range(2))
        philox.set_threads(threads)
        for n in [1, 13, 511, 513, 32768, 32769, 50_001]:
            same(philox.normal((n,), dtype), alone.normal((n,), dtype))


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_normal(dtype, isa):
    pair = Pair(isa=isa)
    for mean, std in [(0.37, 1.7), (-100.0, 1e-3), (3.0, 0.0), (0.0, 25.5)]:
        for n in [1, 2, 3, 15, 16, 21, 5000]:
            pair.check(
                pair.ours.normal((n,), dtype, mean, std),
                torch.empty(n, dtype=dtype).normal_(mean, std),
            )


def test_kept_normal_draw():
    # One in three draws of odd sizes finds the second half of a pair kept.
    pair = Pair()
    for n in [1, 1, 3, 16, 1, 100, 2, 1, 5, 5]:
        for dtype in FLOATS:
            pair.check(pair.ours.normal((n,), dtype), torch.randn(n, dtype=dtype))
    # Seeding forgets it.
    torch.randn(1), pair.ours.normal((1,))
    torch.manual_seed(7), pair.ours.seed(7)
    pair.check(pair.ours.normal((1,)), torch.randn(1))


RANGES = [
    (0, 1), (0, 2), (-5, 17), (0, 1000), (-(2**20), 2**20), (0, 2**28 - 1), (0, 2**28),
    (-(2**27), 2**27), (0, 2**31), (-(2**31), 2**31), (0, 2**32 - 1), (0, 2**32), (5, 2**40),
    (-(2**62), 2**62), (-(2**63), 2**63 - 1),
]  # fmt: skip


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("low,high", RANGES)
def test_randint(low, high, isa):
    pair = Pair(isa=isa)
    for n in [0, 1, 3, 1000]:
        pair.check(pair.ours.integers(low, high, (n,)), torch.randint(low, high, (n,)))


def test_randint_small_ranges():
    pair = Pair()
    for high in list(range(1, 300)) + [2**k + d for k in range(9, 28) for d in (-1, 0, 1)]:
        pair.check(pair.ours.integers(0, high, (700,)), torch.randint(0, high, (700,)))


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + [torch.bool])
@pytest.mark.filterwarnings("ignore:.*out of bounds.*")
def test_randint_dtypes(dtype):
    pair = Pair()
    for low, high in [(0, 2), (0, 100), (-100, 101), (-1000, 30000), (-3000, 65504)] + RANGES:
        try:
            theirs = torch.randint(low, high, (999,), dtype=dtype)
        except RuntimeError:
            with pytest.raises(Failure):
                pair.ours.integers(low, high, (999,), dtype)
            continue
        pair.check(pair.ours.integers(low, high, (999,), dtype), theirs)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.float32, torch.float64])
def test_randperm(dtype):
    pair = Pair()
    for n in [0, 1, 2, 3, 10, 624, 625, 5000]:
        pair.check(pair.ours.permutation(n, dtype), torch.randperm(n, dtype=dtype))


def test_randperm_large():
    pair = Pair()
    pair.check(pair.ours.permutation(300000), torch.randperm(300000))


@not_on_intel
@pytest.mark.parametrize("dtype", FLOATS)
def test_exponential(dtype):
    pair = Pair()
    for rate in [1.0, 0.3, 7.5]:
        for n in [0, 1, 2, 1001]:
            pair.check(
                pair.ours.exponential((n,), dtype, rate),
                torch.empty(n, dtype=dtype).exponential_(rate),
            )


@pytest.mark.parametrize("p_dtype", FLOATS)
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + [torch.bool])
def test_bernoulli_tensor(dtype, p_dtype):
    pair = Pair()
    p = torch.linspace(0, 1, 1400).to(p_dtype)
    for probabilities in [p, p.view(70, 20).t(), p[:7].view(7, 1).expand(7, 11), p[700]]:
        shape = probabilities.shape or (50,)
        pair.check(
            pair.ours.bernoulli(probabilities, shape, dtype),
            torch.empty(shape, dtype=dtype).bernoulli_(probabilities),
        )


def test_bernoulli_function():
    pair = Pair()
    p = torch.rand(1000)
    pair.ours.uniform((1000,))
    pair.check(pair.ours.bernoulli(p, p.shape), torch.bernoulli(p))


@not_on_intel
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + [torch.bool])
def test_bernoulli_number(dtype):
    pair = Pair()
    for p in [0.0, 0.3, 1.0]:
        pair.check(
            pair.ours.bernoulli(torch.tensor(p, dtype=torch.float64), (777,), dtype),
            torch.empty(777, dtype=dtype).bernoulli_(p),
        )


def test_mixed_draws():
    # All kinds, at random, so that every one starts at every place in a block.
    pair = Pair(5)
    rng = random.Random(1)
    for _ in range(300):
        n = rng.choice([1, 2, 3, 5, 8, 15, 16, 17, 40, 99, 700])
        dtype = rng.choice(FLOATS)
        kind = rng.randrange(5)
        if kind == 0:
            pair.check(pair.ours.uniform((n,), dtype), torch.rand(n, dtype=dtype))
        elif kind == 1:
            pair.check(pair.ours.normal((n,), dtype), torch.randn(n, dtype=dtype))
        elif kind == 2:
            high = rng.choice([10, 2**27, 2**30, 2**50])
            pair.check(pair.ours.integers(0, high, (n,)), torch.randint(high, (n,)))
        elif kind == 3:
            pair.check(pair.ours.permutation(n), torch.randperm(n))
        else:
            p = torch.full((n,), 0.4, dtype=dtype)
            pair.check(pair.ours.bernoulli(p, (n,), dtype), torch.bernoulli(p))


def test_state_from_torch_and_back():
    torch.manual_seed(9)
    torch.rand(700), torch.randn(3)
    ours = Instance(seed=1)
    ours.set_generator(torch.get_rng_state())
    same(ours.normal((1,)), torch.randn(1))
    same(ours.uniform((2000,)), torch.rand(2000))
    ours.normal((1,))
    torch.set_rng_state(ours.get_generator())
    same(ours.normal((2,)), torch.randn(2))
    with pytest.raises(Failure, match="not the state of a generator"):
        ours.set_generator(torch.zeros(5056, dtype=torch.uint8))
    with pytest.raises(Failure, match=r"expected uint8 \[5056\], got uint8 \[5055\]"):
        ours.set_generator(torch.zeros(5055, dtype=torch.uint8))


@pytest.mark.parametrize(
    "draw,message",
    [
        (lambda i: i.uniform((3,), low=2, high=1), "from=2 > to=1"),
        (lambda i: i.uniform((3,), torch.int32), "no draws of int32"),
        (lambda i: i.uniform((3,), torch.float16, 0, 1e5), "more than float16 holds"),
        (lambda i: i.normal((3,), std=-1), "0 or more, got -1"),
        (lambda i: i.integers(4, 4, (3,)), "expected low < high, got low=4, high=4"),
        (lambda i: i.integers(0, 300, (3,), torch.uint8), "more than uint8 holds"),
        (lambda i: i.exponential((3,), rate=0), "above 0, got 0"),
        (lambda i: i.bernoulli(torch.tensor([0.5, 1.5]), (2,)), "between 0 and 1, got 1.5"),
    ],
)
def test_bad_parameters(draw, message):
    ours = Instance(seed=1)
    with pytest.raises(Failure, match=message):
        draw(ours)


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("rng", [0, 1])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_in_parts(dtype, threads, rng, isa):
    """What is drawn in parts is what is drawn at once, and so is what comes after."""
    whole = Instance(rng=rng, seed=5, isa=isa)
    parts = Instance(rng=rng, seed=5, isa=isa)
    parts.set_threads(threads)
    for n, per_task, sizes, low, high in [
        (1, 1, [1], 0.0, 1.0),
        (624, 624, [1, 5, 30], 0.0, 1.0),
        (5000, 4096, [1000], 0.0, 1.0),
        (5000, 999, [999], -2.0, 0.5),
        (20001, 1600, [100, 1, 640, 333], 0.0, 1.0),
        (9000, 1250, [1250], -32.0, 32.0),
    ]:
        same(
            parts.finish_uniform(parts.begin_uniform(n, per_task, dtype, low, high), sizes),
            whole.uniform((n,), dtype, low, high),
        )
        same(parts.get_generator(), whole.get_generator())
        same(parts.normal((20,)), whole.normal((20,)))
    # Two draws at once, with another behind them.
    drawn, begun = parts.begin_uniform(3000, 3000), parts.begin_uniform(3000, 3000)
    later = parts.uniform((7,))
    same(parts.finish_uniform(drawn), whole.uniform((3000,)))
    same(parts.finish_uniform(begun), whole.uniform((3000,)))
    same(later, whole.uniform((7,)))
    same(parts.get_generator(), whole.get_generator())


@pytest.mark.parametrize("rng", [0, 1])
def test_a_draw_that_was_begun_keeps_its_seed(rng):
    whole, parts = Instance(rng=rng, seed=5), Instance(rng=rng, seed=5)
    begun = parts.begin_uniform(3000, 1000)
    parts.seed(6)
    same(parts.finish_uniform(begun), whole.uniform((3000,)))


def test_uniform_in_parts_checks_its_range():
    with pytest.raises(Failure, match="from=1 > to=0"):
        Instance().begin_uniform(8, 8, low=1.0, high=0.0)


# --- philox -----------------------------------------------------------------


def philox(block, draw, seed):
    """Philox 4x32-10 as its authors define it (Salmon et al., 2011)."""
    c = [block & 0xFFFFFFFF, block >> 32, draw & 0xFFFFFFFF, draw >> 32]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (p1 >> 32) ^ c[1] ^ k[0],
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ c[3] ^ k[1],
            p0 & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_philox_known_answer():
    # From the authors' Random123 distribution (kat_vectors).
    assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 2**64 - 1
    assert philox(ones, ones, ones) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("seed", [0, 42, 2**64 - 3])
def test_philox_words(seed, isa):
    ours = Instance(rng=1, seed=seed, isa=isa)
    for draw, n in enumerate([1, 5, 1024, 1025, 3000]):
        words = [w for block in range((n + 3) // 4) for w in philox(block, draw, seed)][:n]
        expected = torch.tensor([(w & 0xFFFFFF) * 2.0**-24 for w in words])
        same(ours.uniform((n,)), expected)
    for draw, n in enumerate([1, 511, 513], start=5):
        words = [w for block in range((n + 1) // 2) for w in philox(block, draw, seed)]
        expected = [
            ((words[2 * i] << 32 | words[2 * i + 1]) & (2**53 - 1)) * 2.0**-53 for i in range(n)
        ]
        same(ours.uniform((n,), torch.float64), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("isa", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_philox_elements_do_not_depend_on_size(dtype, isa):
    for draw in ["uniform", "normal", "exponential"]:
        whole = getattr(Instance(rng=1, seed=3, isa=isa), draw)((3000,), dtype)
        for n in [1, 2, 3, 17, 1023, 1025]:
            same(getattr(Instance(rng=1, seed=3), draw)((n,), dtype), whole[:n])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_philox_distributions(dtype):
    ours = Instance(rng=1, seed=3)
    u = ours.uniform((100000,), dtype)
    z = ours.normal((100000,), dtype)
    assert abs(u.mean() - 0.5) < 0.005 and abs(u.std() - 12**-0.5) < 0.005
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01 and abs((z**4).mean() - 3) < 0.1
    pairs = ours.uniform((100000,), dtype)  # uniforms 2i, 2i + 1 make normals 2i, 2i + 1
    radius = (-2 * torch.log1p(-pairs[::2].double())).sqrt()
    ours.seed(3), ours.uniform((1,)), ours.uniform((1,))
    z = ours.normal((100000,), dtype).double()
    assert torch.allclose(z[::2] ** 2 + z[1::2] ** 2, radius**2, rtol=1e-3, atol=1e-5)
    permuted = ours.permutation(1000)
    assert torch.equal(permuted.sort().values, torch.arange(1000))
    p = ours.bernoulli(torch.tensor(0.3), (100000,), dtype)
    assert abs(p.mean() - 0.3) < 0.005
    i = ours.integers(-3, 4, (70000,))
    assert i.min() == -3 and i.max() == 3 and torch.bincount(i + 3).min() > 9500


def test_philox_state():
    ours = Instance(rng=1, seed=3)
    ours.uniform((10,))
    state = ours.get_generator()
    assert state.view(torch.int64).tolist() == [3, 1]
    expected = ours.uniform((10,))
    ours.set_generator(state)
    same(ours.uniform((10,)), expected)
