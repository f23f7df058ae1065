# test_modules.py - torch.nn's modules, in training and in evaluation
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules are scripted, many to a program, and called twice each with one
generator: results, running state and the generator are PyTorch's."""

import copy

import pytest
import torch
from torch import nn

import evox_mlir
from language import container

R = torch.randn


def cells():
    yield nn.RNNCell(3, 4), R(2, 3)
    yield nn.RNNCell(3, 4, nonlinearity="relu"), R(3)
    yield nn.LSTMCell(3, 4), R(2, 3)
    yield nn.GRUCell(3, 4), R(2, 3), R(2, 4)
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        yield kind(3, 4), R(3, 2, 3)
    yield nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True,
                  dropout=0.3), R(2, 2, 3)
    yield nn.GRU(3, 4, 2, dropout=0.3), R(2, 2, 3)
    yield nn.LSTM(3, 4, proj_size=2), R(3, 2, 3)
    yield nn.RNN(3, 4, nonlinearity="relu", bias=False), R(3, 3)


def attention():
    q, kv = R(3, 2, 4), R(5, 2, 4)
    yield nn.MultiheadAttention(4, 2), q, kv, kv
    yield nn.MultiheadAttention(4, 2, batch_first=True, dropout=0.2), q, q, q
    yield nn.MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True), \
        q, R(5, 2, 3), R(5, 2, 5)
    yield nn.TransformerEncoderLayer(4, 2, 8), q
    # Its dropout draws in the order of a transposed memory.
    yield nn.TransformerEncoderLayer(4, 2, 8, batch_first=True,
                                     norm_first=True, activation="gelu"), q
    yield nn.TransformerDecoderLayer(4, 2, 8), q, kv


def normalisations():
    yield nn.BatchNorm1d(4), R(5, 4)
    yield nn.BatchNorm1d(4), R(5, 4, 3)
    yield nn.BatchNorm2d(3, momentum=None), R(2, 3, 4, 5)
    yield nn.BatchNorm3d(3, affine=False), R(2, 3, 2, 3, 2)
    yield nn.BatchNorm1d(4, track_running_stats=False), R(5, 4)
    yield nn.InstanceNorm1d(3, track_running_stats=True, affine=True), R(2, 3, 5)
    yield nn.InstanceNorm2d(3), R(2, 3, 4, 4)
    yield nn.GroupNorm(2, 4), R(3, 4, 5)
    yield nn.LayerNorm((3, 4)), R(2, 3, 4)
    yield nn.RMSNorm(4), R(3, 4)
    yield nn.LocalResponseNorm(2), R(2, 4, 5, 5)


def convolutions():
    yield nn.Conv1d(3, 4, 3, padding=1, stride=2), R(2, 3, 9)
    yield nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding="same"), R(2, 4, 8, 9)
    yield nn.Conv3d(2, 3, (2, 3, 2), padding=1), R(1, 2, 4, 5, 4)
    yield nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), R(1, 2, 5, 5)
    yield nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1, padding=1), R(2, 3, 5)
    yield nn.ConvTranspose2d(4, 6, 3, groups=2, stride=2), R(2, 4, 4, 5)
    yield nn.ConvTranspose3d(2, 3, 2), R(1, 2, 3, 3, 3)
    yield nn.Fold((4, 5), (2, 2)), R(1, 8, 12)
    yield nn.Unfold((2, 2), padding=1), R(1, 2, 4, 4)
    yield nn.PixelShuffle(2), R(1, 8, 3, 3)


def pooling():
    for d in (1, 2, 3):
        x = R(2, 3, *([7] * d))

        def of(name):
            return getattr(nn, f"{name}{d}d")

        yield of("MaxPool")(3, 2, 1, return_indices=True, ceil_mode=True), x
        yield of("AvgPool")(3, 2, 1, ceil_mode=True, count_include_pad=False), x
        yield of("AdaptiveAvgPool")(3), x
        yield of("AdaptiveMaxPool")(4, return_indices=True), x
        yield of("LPPool")(2, 3), x.abs()
        yield of("ReflectionPad")(2), x
        yield of("CircularPad")(2), x
        yield of("ZeroPad")(-1), x
        yield nn.Upsample(scale_factor=2, mode=(
            "linear", "bilinear", "trilinear")[d - 1]), x
    yield nn.FractionalMaxPool2d(2, output_size=3), R(2, 3, 7, 7)


def activations():
    for m in (nn.ReLU(), nn.ReLU6(), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(),
              nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Hardtanh(),
              nn.Hardswish(), nn.Hardsigmoid(), nn.LeakyReLU(), nn.LogSigmoid(),
              nn.PReLU(3), nn.RReLU(), nn.Sigmoid(), nn.Softplus(),
              nn.Softshrink(), nn.Hardshrink(), nn.Softsign(), nn.Tanh(),
              nn.Tanhshrink(), nn.Threshold(0.1, 2.0), nn.GLU(), nn.Softmax(1),
              nn.Softmin(1), nn.LogSoftmax(-1), nn.ReLU(inplace=True),
              nn.Dropout(0.3), nn.Dropout(0.3, inplace=True),
              nn.AlphaDropout(0.3), nn.Dropout1d(0.4)):
        yield m, R(4, 3, 6) * 3
    yield nn.Dropout2d(0.4), R(4, 3, 6, 2)
    yield nn.Bilinear(3, 3, 2), R(4, 3), R(4, 3)
    yield nn.Embedding(7, 3, padding_idx=2), torch.randint(0, 7, (4, 5))
    for mode in ("sum", "mean", "max"):
        yield nn.EmbeddingBag(7, 3, mode=mode, padding_idx=1), \
            torch.randint(0, 7, (9,)), torch.tensor([0, 3, 3])


def losses():
    x, y, c = R(4, 3), R(4, 3), torch.randint(0, 3, (4,))
    for m in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(beta=0.5),
              nn.HuberLoss(), nn.KLDivLoss(reduction="batchmean"),
              nn.MSELoss(reduction="none"), nn.L1Loss(reduction="sum"),
              nn.BCEWithLogitsLoss(), nn.PoissonNLLLoss(),
              nn.MultiLabelSoftMarginLoss(), nn.CosineSimilarity(),
              nn.PairwiseDistance()):
        yield m, x, y.sigmoid()
    for m in (nn.SoftMarginLoss(), nn.HingeEmbeddingLoss()):
        yield m, x, y.sign()
    yield nn.BCELoss(), x.sigmoid(), y.sigmoid()
    for m in (nn.CrossEntropyLoss(), nn.NLLLoss(), nn.MultiMarginLoss(),
              nn.CrossEntropyLoss(weight=torch.rand(3), label_smoothing=0.1,
                                  ignore_index=1)):
        yield m, x, c
    yield nn.CrossEntropyLoss(), x, y.softmax(1)
    yield nn.MultiLabelMarginLoss(), x, torch.tensor([[0, 2, -1]] * 4)
    yield nn.CosineEmbeddingLoss(), x, y, torch.tensor([1, -1, 1, -1])
    yield nn.MarginRankingLoss(), x[:, 0], y[:, 0], y[:, 0].sign()
    yield nn.TripletMarginLoss(), x, y, R(4, 3)
    yield nn.CTCLoss(), R(6, 2, 4).log_softmax(2), \
        torch.tensor([[1, 2], [3, 1]]), torch.tensor([6, 6]), torch.tensor([2, 1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("family", [
    cells, attention, normalisations, convolutions, pooling, activations,
    losses], ids=lambda f: f.__name__)
def test_modules(family, training, tmp_path):
    torch.manual_seed(3)
    modules = list(family())
    every = container(modules, tmp_path / "every.py").train(training)
    scripted = torch.jit.script(copy.deepcopy(every))
    program = evox_mlir.compile(scripted, methods={
        f"f{i}": tuple(inputs) for i, (_, *inputs) in enumerate(modules)})
    draws = any(slot.name == "__generator__"
                for slot in program.library.signature.state)
    wrong = []
    for i, (module, *inputs) in enumerate(modules):
        torch.manual_seed(i)
        program.seed(i)
        for call in range(2):
            with torch.no_grad():
                theirs = getattr(every, f"m{i}")(*(x.clone() for x in inputs))
            ours = getattr(program, f"f{i}")(*(x.clone() for x in inputs))
            try:
                torch.testing.assert_close(ours, theirs, equal_nan=True)
            except AssertionError as error:
                wrong.append(f"{module}, call {call}: {error}")
        if draws and not torch.equal(program.get("__generator__"),
                                     torch.get_rng_state()):
            wrong.append(f"{module}: the generators have parted")
    state = program.state_dict()
    for name, theirs in every.state_dict().items():
        if name in state:
            torch.testing.assert_close(state[name], theirs,
                                       msg=lambda text: f"{name}: {text}")
    assert not wrong, "\n".join(wrong)
