"""Learned polyphase sampling and filters: gradients in training, invariances, and what public code computes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from poolab.pooling import Windows, create_pool
from poolab.pooling.window.learned_polyphase import _shares
from tests.pooling.oracles import Shape
from tests.pooling.oracles_polyphase import POSITIONAL
from tests.pooling.support import distinct, make
from tests.pooling.test_away_from_start import moved

TRAINED = [("lps", {}), ("lps", {"hidden": 3, "filter_size": 2}), ("gaussian", {}), ("gaussian", {"spread": "channel"})]


@pytest.mark.parametrize(("name", "options"), TRAINED, ids=str)
def test_every_parameter_has_the_gradient_of_the_forward_in_training(name: str, options: dict):
    """The suite is exempt here: in evaluation some parameters count for nothing."""
    pool = moved(make(name, dtype=torch.float64, **options)).train()
    if name == "gaussian":  # else its only hidden unit may be off
        torch.nn.init.constant_(pool.features[1].bias, 5.0)
    names = [name for name, _ in pool.named_parameters()]

    def forward(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return functional_call(pool, dict(zip(names, parameters, strict=True)), (x,))

    points = [distinct(1, 2, 4, 5), *(p.detach().clone() for p in pool.parameters())]
    points = [point.requires_grad_() for point in points]
    slopes = torch.autograd.grad(forward(*points).square().sum(), points)
    assert all(slope.abs().sum() > 0 for slope in slopes)
    assert torch.autograd.gradcheck(forward, points, fast_mode=True)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_circular_shift_shifts_learnable_polyphase_sampling(dims: int):
    pool = moved(make("lps", Shape((2,) * dims, (2,) * dims), dtype=torch.float64, dims=dims))
    x = distinct(3, 2, *[6] * dims)
    sums = pool(x).flatten(2).sort().values
    for shift in (1, 2, 3):
        shifted = pool(x.roll((shift,) * dims, tuple(range(2, dims + 2))))
        torch.testing.assert_close(shifted.flatten(2).sort().values, sums)


def test_training_of_lps_mixes_by_the_softmax_of_its_logits():
    """At a high temperature all components count alike, at a low one nearly one of them."""
    x = distinct(4, 2, 6, 6)
    even = make("lps", Shape((2, 2), (2, 2)), dtype=torch.float64, temperature=1e9).train()
    torch.testing.assert_close(even(x), F.avg_pool2d(x, 2), rtol=1e-6, atol=1e-6)
    sharp = make("lps", Shape((2, 2), (2, 2)), dtype=torch.float64, temperature=1e-9).train()
    parts = torch.stack([x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)])
    near = (sharp(x) - parts).abs().flatten(2).amax(2).amin(0)
    assert near.max() < 1e-6


def test_the_second_convolution_of_lps_is_a_product_with_a_mean():
    """raymondyeh07/learnable_polyphase_sampling convolves at every place and then averages: the same logits."""
    pool = make("lps", Shape((2, 2), (2, 2)), dtype=torch.float64)
    x = distinct(5, 2, 8, 8)
    parts = torch.stack([x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)])
    circular = lambda y, conv: F.conv2d(F.pad(y, (1,) * 4, mode="circular"), conv.weight, conv.bias)  # noqa: E731
    logits = torch.stack([circular(circular(y, pool.conv1).relu(), pool.conv2).mean((1, 2, 3)) for y in parts])
    expected = parts[logits.argmax(0), torch.arange(5)]
    assert len(logits.argmax(0).unique()) > 1
    assert torch.equal(pool(x), expected)
    pool.train()
    torch.manual_seed(3)
    windows = Windows(x, pool.geometry)
    gumbel = torch.stack([-(-windows.uniform(None, "sample").log()).log() for _ in parts])
    shares = (logits.view(gumbel.shape) + gumbel).softmax(0)
    torch.manual_seed(3)
    torch.testing.assert_close(pool(x), (shares * parts).sum(0))


def tips_of_the_authors(pool: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """sourajitcs/tips (tips.py, commit cd54ae0) for an even map: parts row by row, components column by column."""
    features = F.conv2d(x, pool.conv.weight, padding=1, groups=x.shape[1]).relu()
    logits = F.conv2d(F.adaptive_avg_pool2d(features, 2), pool.scale.weight, groups=x.shape[1]).flatten(2)
    shares = logits.softmax(-1)[..., None, None]
    columns = torch.stack([x[..., a::2, b::2] for b in (0, 1) for a in (0, 1)], 2)
    return (shares * columns).sum(2)


def test_tips_is_that_of_its_authors_but_for_the_order_of_two_components():
    pool = moved(make("tips", Shape((2, 2), (2, 2)), dtype=torch.float64))
    x = distinct(2, 2, 8, 6)
    assert not torch.allclose(pool(x), tips_of_the_authors(pool, x))
    swapped = x.clone()
    swapped[..., ::2, 1::2], swapped[..., 1::2, ::2] = x[..., 1::2, ::2], x[..., ::2, 1::2]
    shares = _shares(Windows(x, pool.geometry), pool.conv, pool.scale)
    parts = torch.stack([swapped[..., a::2, b::2] for a in (0, 1) for b in (0, 1)], 2)
    torch.testing.assert_close((shares[..., None, None] * parts).sum(2), tips_of_the_authors(pool, x))


def test_the_penalties_of_tips():
    pool = moved(make("tips", Shape((2, 2), (2, 2)), dtype=torch.float64))
    x = distinct(2, 2, 8, 6).requires_grad_()
    shares = _shares(Windows(x, pool.geometry), pool.conv, pool.scale)
    expected = np.mean(1 - np.sqrt((shares.detach().numpy() ** 2).sum(-1)))
    assert pool.failure_mode_loss(x).item() == pytest.approx(expected)
    features = F.conv2d(x, pool.conv.weight, padding=1, groups=2).relu()
    undone = pool.undo_shift_loss(x, (1, -2))
    assert undone.item() == pytest.approx(((features - x.roll((1, -2), (2, 3))) ** 2).mean().item())
    (undone + pool.failure_mode_loss(x)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in pool.parameters())


def pasa_of_the_authors(pool: torch.nn.Module, x: torch.Tensor, joint: bool) -> torch.Tensor:
    """MaureenZOU/Adaptive-anti-Aliasing (layers/pasa.py, commit 7bfbf6c): at every place, then every second row."""
    padded = F.pad(x, (1,) * 4, mode="reflect")
    logits = pool.norm(F.conv2d(padded, pool.conv.weight))
    n, _, h, w = logits.shape
    grouped = logits.view(n, pool.groups, 9, h, w)
    shares = (logits.softmax(1) if joint else grouped.softmax(2)).view(n, pool.groups, 1, 9, h, w)
    values = F.unfold(padded, 3).view(n, pool.groups, -1, 9, h, w)
    return (shares * values).sum(3).view(n, -1, h, w)[..., ::2, ::2]


def test_pasa_is_that_of_its_authors_but_for_the_softmax_over_all_groups():
    pool = moved(make("pasa", Shape((2, 2), (2, 2)), dtype=torch.float64, groups=2))
    x = distinct(2, 2, 8, 6)
    torch.testing.assert_close(pool(x), pasa_of_the_authors(pool, x, joint=False))
    assert not torch.allclose(pool(x), pasa_of_the_authors(pool, x, joint=True))
    constant = torch.full_like(x, 3.0)
    torch.testing.assert_close(pool(constant), constant[..., ::2, ::2])
    assert pasa_of_the_authors(pool, constant, joint=True).mean() < 2.0  # two groups share the weights


@pytest.mark.parametrize("name", sorted(POSITIONAL))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_it_is_its_oracle_after_a_step(name: str, dims: int):
    kernel, stride, padding, dilation = (3, 2, 4), (2, 3, 1), (1, 0, 2), (1, 2, 1)
    for ceil_mode in (False, True):
        shape = Shape(kernel[:dims], stride[:dims], padding[:dims], dilation[:dims], ceil_mode)
        pool = moved(make(name, shape, dtype=torch.float64, dims=dims))
        x = distinct(2, 2, *(6, 7, 5)[:dims])
        found = pool(x).detach().numpy()
        np.testing.assert_allclose(found, POSITIONAL[name](x.numpy(), shape, pool), rtol=1e-8, atol=1e-10)


def test_groups_that_do_not_divide_the_channels_are_told():
    with pytest.raises(ValueError, match="groups=3 must divide channels=4"):
        create_pool("pasa", kernel_size=2, channels=4, groups=3)


@pytest.mark.long
@pytest.mark.parametrize("name", ["lps", "gaussian"])
@pytest.mark.parametrize("training", [False, True])
def test_it_compiles_in_one_graph(name: str, training: bool):
    """The suite's item asks for gradients that these methods do not have in evaluation."""
    torch._dynamo.reset()
    pool = make(name, Shape((2, 2), (2, 2))).train(training)
    x = distinct(2, 2, 8, 8, dtype=torch.float32)
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    found = compiled(x)
    torch.manual_seed(0)
    torch.testing.assert_close(found, pool(x))
