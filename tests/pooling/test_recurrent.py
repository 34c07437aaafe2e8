"""RNNPool: what two sweeps are to each other, at borders, beside the authors' code, and its gradients."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.pooling import RNNPool2d, create_pool
from poolab.testing import check_pooling
from tests.pooling.all_oracles import oracle_of
from tests.pooling.oracles import Shape
from tests.pooling.oracles_recurrent import rnnpool
from tests.pooling.support import distinct
from tests.pooling.test_away_from_start import moved

SQUARE = Shape((3, 3), (2, 2), (1, 1))
SHAPES = [
    SQUARE,
    Shape((3, 2), (2, 3), (1, 0), (1, 2), ceil_mode=True),
    Shape((4, 3), (1, 2), (2, 1), (2, 1), ceil_mode=True),
    Shape((1, 3), (1, 2), (0, 1)),
    Shape((1, 1), (2, 2)),
]


def built(shape: Shape = SQUARE, channels: int = 5, **options) -> RNNPool2d:
    """The layer in float64 after a random step of its weights."""
    torch.manual_seed(0)
    return moved(create_pool("rnnpool", channels=channels, **shape.arguments, **options).double())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("channels", "options"), [(5, {}), (8, {}), (1, {}), (3, {"hidden1": 4, "hidden2": 2})])
def test_it_is_its_oracle_after_a_step(shape: Shape, channels: int, options: dict):
    pool, x = built(shape, channels, **options), distinct(2, channels, 7, 6)
    output = pool(x).detach().numpy()
    assert output.shape[1] == pool.out_channels(channels) == (8 if options else channels)
    np.testing.assert_allclose(output, rnnpool(x.numpy(), shape, pool), rtol=1e-11, atol=1e-13)


def test_it_passes_the_suite_where_rows_and_columns_come_out():
    """The suite's maps have two channels by default, which are those of the rows."""
    items = ["geometry", "oracle", "gradient", "memory", "channels_last"]
    check_pooling(RNNPool2d, channels=7, items=items, **oracle_of("rnnpool"))


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[1]], ids=str)
def test_its_gradients_are_the_differences_of_its_oracle(shape: Shape):
    """Central differences of the numpy formula along random directions, in the input and in each parameter."""
    pool, x = built(shape), distinct(1, 5, 5, 6).requires_grad_()
    source = torch.Generator().manual_seed(1)
    output = pool(x)
    slope = torch.randn(output.shape, generator=source, dtype=torch.float64)
    points = {"input": x, **dict(pool.named_parameters())}
    slopes = torch.autograd.grad((output * slope).sum(), list(points.values()))
    for (name, point), found in zip(points.items(), slopes, strict=True):
        way = torch.randn(point.shape, generator=source, dtype=torch.float64)
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                point += step * way
                ends.append((rnnpool(x.detach().numpy(), shape, pool) * slope.numpy()).sum())
                point -= step * way
        expected = (ends[0] - ends[1]) / 2e-5
        assert (found * way).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-8), name


def test_one_step_by_hand():
    """h = (1 - sigma(w x + b_z)) tanh(w x + b_h) from a state of 0."""
    pool = create_pool("rnnpool", kernel_size=1, channels=1).double()
    with torch.no_grad():
        for cell, weight in ((pool.rnn1, 2.0), (pool.rnn2, -1.0)):
            cell.weight_ih.fill_(weight)
            cell.bias_z.fill_(0.5)
            cell.bias_h.fill_(0.25)
    h = 0.3
    for weight in (2.0, -1.0):
        h = (1 - 1 / (1 + np.exp(-weight * h - 0.5))) * np.tanh(weight * h + 0.25)
    assert pool(torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)).item() == pytest.approx(h, rel=1e-12)


def test_a_turned_map_gives_the_parts_in_another_order():
    """Transposed, rows are columns; upside down, the sweep over the rows goes the other way."""
    pool, x = built(Shape((3, 3), (3, 3)), 4, hidden2=2), distinct(1, 4, 6, 6)
    rows, back, columns, columns_back = pool(x).chunk(4, 1)
    turned = pool(x.transpose(2, 3)).transpose(2, 3).chunk(4, 1)
    for one, other in zip(turned, (columns, columns_back, rows, back), strict=True):
        assert_close(one, other)
    over = pool(x.flip(2)).flip(2).chunk(4, 1)
    assert_close(over[0], back)
    assert_close(over[1], rows)
    assert not torch.allclose(over[2], columns)


def test_a_window_that_the_border_cuts_is_the_window_of_what_is_left():
    x = distinct(1, 4, 4, 5)
    whole = built(Shape((3, 3), (2, 2), (1, 1)), 4)(x)
    assert_close(whole[..., :1, :1], built(Shape((2, 2), (1, 1)), 4)(x[..., :2, :2]))
    assert_close(whole[..., :1, 1:2], built(Shape((2, 3), (1, 1)), 4)(x[..., :2, 1:4]))
    assert_close(whole[..., 1:, 2:], built(Shape((3, 2), (1, 1)), 4)(x[..., 1:4, 3:5]))


def test_the_channels_come_out_or_four_times_what_was_asked():
    """Where the channels are no multiple of four, the first of the four parts' channels."""
    x = distinct(1, 6, 4, 4)
    cut, all_parts = built(channels=6), built(channels=6, hidden2=2)
    assert cut.out_channels(6) == 6
    assert all_parts.out_channels(6) == 8
    assert_close(cut(x), all_parts(x)[:, :6])


def test_every_weight_has_a_gradient_even_in_windows_of_one_element():
    pool = built(Shape((1, 1), (1, 1)), 4)
    slopes = torch.autograd.grad(pool(distinct(1, 4, 3, 3)).sum(), list(pool.parameters()), allow_unused=True)
    assert all(slope is not None for slope in slopes)


def of_the_authors(pool: RNNPool2d, patches: Tensor) -> Tensor:
    """microsoft/EdgeML (rnnpool.py and rnn.py, commit 81025fc) for square patches (N, C, k, k)."""

    def last(cell: nn.Module, sequence: Tensor) -> Tensor:
        h = torch.zeros(sequence.shape[1], len(cell.bias_z), dtype=patches.dtype)
        zeta, nu = torch.tensor(100.0).sigmoid(), torch.tensor(-100.0).sigmoid()
        for x in sequence:
            before = x @ cell.weight_ih.t() + h @ cell.weight_hh.t()
            z, c = (before + cell.bias_z).sigmoid(), (before + cell.bias_h).tanh()
            h = z * h + (zeta * (1 - z) + nu) * c
        return h

    def both_ways(sequence: Tensor) -> Tensor:
        return torch.cat([last(pool.rnn2, sequence), last(pool.rnn2, sequence.flip(0))], 1)

    count = len(patches)
    down = last(pool.rnn1, torch.stack(torch.cat(patches.unbind(3), 0).unbind(2)))  # each column, top to bottom
    along = last(pool.rnn1, torch.stack(torch.cat(patches.unbind(2), 0).unbind(2)))
    return torch.cat([both_ways(torch.stack(along.split(count))), both_ways(torch.stack(down.split(count)))], 1)


def test_it_is_that_of_its_authors_on_the_patches_of_unfold():
    """Windows 6 at stride 4, as in the published MobileNetV2 for Visual Wake Words."""
    pool, x = built(Shape((6, 6), (4, 4)), 8, hidden1=8, hidden2=8), distinct(2, 8, 14, 18)
    patches = F.unfold(x, 6, stride=4).unflatten(1, (8, 6, 6)).permute(0, 4, 1, 2, 3)
    expected = of_the_authors(pool, patches.flatten(0, 1)).unflatten(0, (2, 3, 4)).permute(0, 3, 1, 2)
    assert_close(pool(x), expected)


def test_its_weights_start_as_those_of_torchs_gru():
    torch.manual_seed(0)
    pool = create_pool("rnnpool", kernel_size=2, channels=256)
    for cell in (pool.rnn1, pool.rnn2):
        for parameter in cell.parameters():
            assert parameter.abs().max() <= 1 / 8
            assert parameter.abs().max() > 0.11
            assert abs(parameter.mean().item()) < 0.03


def test_the_start_of_the_authors_lets_little_through():
    """The card says so: biases of 1 are where (1 - z) tanh is at its largest."""
    torch.manual_seed(0)
    x, spread = torch.randn(16, 32, 8, 8), {}
    for start in ("here", "there"):
        pool = create_pool("rnnpool", kernel_size=2, channels=32)
        if start == "there":
            for name, parameter in pool.named_parameters():
                nn.init.ones_(parameter) if "bias" in name else nn.init.normal_(parameter, std=0.1)
        spread[start] = pool(x).std((0, 2, 3)).mean().item()
    assert spread["here"] > 10 * spread["there"]
