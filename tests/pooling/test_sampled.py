"""Drawn rows and regions: s3 and fractional_max."""

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from poolab.pooling import FractionalMaxPool2d, S3Pool2d, create_pool, functional
from tests.pooling import oracles_sampling
from tests.pooling.oracles import Shape
from tests.pooling.support import distinct, few, fitting

# -- S3


def rows_of(pool: nn.Module, length: int) -> list[list[int]]:
    """The rows that 400 draws keep, for a kernel of one tap: the map of maxima is the map."""
    x = torch.arange(float(length)).view(1, 1, -1)
    torch.manual_seed(0)
    return [[int(row) for row in pool(x)[0, 0]] for _ in range(400)]


@pytest.mark.parametrize(("stride", "grid", "length"), [(2, None, 8), (2, 4, 12), (2, 8, 11), (3, 6, 17), (2, 3, 10)])
def test_each_strip_keeps_its_share_of_rows_sorted_and_without_repetition(stride: int, grid: int | None, length: int):
    draws = rows_of(create_pool("s3", kernel_size=1, stride=stride, grid_size=grid, dims=1).train(), length)
    grid, count = grid or stride, -(-length // stride)
    strips = max(1, count * stride // grid)
    shares = Counter(min(i * stride // grid, strips - 1) for i in range(count))
    for rows in draws:
        assert rows == sorted(set(rows))
        assert Counter(min(row // grid, strips - 1) for row in rows) == shares
    assert {row for rows in draws for row in rows} == set(range(length)), "every row is drawn at some time"


def test_the_paper_keeps_grid_over_stride_rows_of_each_strip():
    kept = rows_of(create_pool("s3", kernel_size=1, stride=2, grid_size=4, dims=1).train(), 8)
    pairs = Counter(tuple(rows[:2]) for rows in kept)
    assert set(pairs) == set(itertools.combinations(range(4), 2))
    assert min(pairs.values()) > 400 / 6 / 2, "all pairs are equally likely"


def test_the_whole_batch_and_all_channels_share_the_rows_and_columns():
    x, pool = distinct(1, 1, 9, 9), S3Pool2d(3, 2, grid_size=4).train()
    y = pool(x.expand(5, 3, 9, 9) + torch.arange(15.0).view(5, 3, 1, 1) * 10)
    torch.testing.assert_close(y - y[:1, :1], (torch.arange(15.0).view(5, 3, 1, 1) * 10).double().expand_as(y))


@given(fitting(), st.integers(0, 1000))
@few(25)
def test_evaluation_is_the_exact_expectation_for_the_default_grid(case: tuple[Shape, int, int], seed: int):
    """Rows and columns are drawn independently, one of those of each strip: all draws are listed."""
    shape, height, width = case
    x = distinct(1, 2, height, width, seed=seed)
    pool = create_pool("s3", **shape.arguments)
    maxima = oracles_sampling.maxima(x.numpy(), shape)
    out = pool.eval()(x)
    for i, j in np.ndindex(*out.shape[2:]):
        (h, w) = shape.stride
        possible = [
            maxima[:, :, r, c]
            for r in range(i * h, min((i + 1) * h, maxima.shape[2]))
            for c in range(j * w, min((j + 1) * w, maxima.shape[3]))
        ]
        np.testing.assert_allclose(out[:, :, i, j].numpy(), np.mean(possible, 0), rtol=1e-9)
        drawn = pool.train()(x)[:, :, i, j].numpy()
        assert any(np.array_equal(drawn, one) for one in possible)


def test_the_mean_of_calls_is_the_evaluation():
    """All rows of a batch share one draw, so that the draws are calls."""
    x, pool = distinct(1, 2, 7, 8), S3Pool2d(3, 2, 1)
    torch.manual_seed(0)
    draws = torch.stack([pool.train()(x) for _ in range(1500)])
    error = (draws.mean(0) - pool.eval()(x)).abs() / (draws.std(0) / 1500**0.5 + 1e-12)
    assert error.max() < 4.5


def test_a_stride_of_one_is_max_pooling_in_both_modes():
    x, expected = distinct(1, 2, 6, 6), nn.MaxPool2d(3, 1, 1)
    for training in (True, False):
        assert torch.equal(S3Pool2d(3, 1, 1).train(training)(x), expected(x))


def test_a_drawn_output_is_an_element_and_sends_its_gradient_there():
    x = distinct(1, 1, 8, 8).requires_grad_()
    y = S3Pool2d(2, grid_size=4).train()(x)
    assert np.isin(y.detach().numpy(), x.detach().numpy()).all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.sum() == y.numel()


# -- fractional


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "length", "size"), [(2, 8, 4), (3, 9, 4), (1, 7, 3), (2, 100, 50)])
def test_a_whole_step_is_strided_max_pooling(dims: int, kernel: int, length: int, size: int):
    """FractionalMaxPool2d(2, output_ratio=0.5) is MaxPool2d(2) on even sizes: nothing is drawn."""
    if length**dims > 20_000:
        return
    x = distinct(4, 3, *[length] * dims)
    step = (length - kernel) // (size - 1)
    expected = create_pool("max", kernel_size=kernel, stride=step, dims=dims)(x)
    pool = create_pool("fractional_max", kernel_size=kernel, output_size=size, dims=dims)
    for _ in range(5):
        assert torch.equal(pool.train()(x), expected)
    assert torch.equal(pool.eval()(x), expected)
    assert torch.equal(
        FractionalMaxPool2d(2, output_ratio=0.5)(distinct(1, 1, 8, 8)), nn.MaxPool2d(2)(distinct(1, 1, 8, 8))
    )


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 40), st.integers(0, 1000))
@few(80)
def test_training_draws_regions_that_begin_and_end_with_the_map(length: int, kernel: int, size: int, seed: int):
    size, kernel = min(size, length), min(kernel, length)
    pool = create_pool("fractional_max", kernel_size=kernel, output_size=size, dims=1).train()
    torch.manual_seed(seed)
    y = pool(torch.arange(float(length)).expand(3, 2, -1))
    starts = y - (kernel - 1)
    assert (starts[..., -1] == length - kernel).all()
    if size > 1:
        assert (starts[..., 0] == 0).all()
        alpha = (length - kernel) / (size - 1)
        steps = starts.diff()
        assert ((steps == int(alpha)) | (steps == -int(-alpha // 1))).all(), "increments are floor or ceil of alpha"
    else:
        assert torch.equal(starts[..., -1], torch.full((3, 2), float(length - kernel)))


def test_samples_channels_and_axes_draw_for_themselves():
    x = torch.arange(400.0).view(1, 1, 20, 20).expand(40, 10, -1, -1)
    y = FractionalMaxPool2d(2, output_size=12)(x)
    rows, columns = (y[..., :, 0] // 20, y[..., 0, :] % 20)
    assert len({tuple(r.tolist()) for r in rows.flatten(0, 1)}) > 3
    assert (
        len(
            {
                (tuple(r.tolist()), tuple(c.tolist()))
                for r, c in zip(rows.flatten(0, 1), columns.flatten(0, 1), strict=True)
            }
        )
        > 9
    )


@given(st.integers(2, 30), st.integers(1, 4), st.integers(2, 20), st.integers(0, 63))
@few(80)
def test_the_regions_are_those_of_the_formula_in_exact_arithmetic(length: int, kernel: int, size: int, sample: int):
    from poolab.pooling.window.subsampled import _starts

    size, kernel = min(size, length), min(kernel, length)
    u = Fraction(2 * sample + 1, 128)  # never on a boundary of a float: alpha u has a denominator size - 1
    if (u * (length - kernel)) % (size - 1) == 0:
        return
    found = _starts(length - kernel, torch.arange(size), size, torch.tensor([float(u)]))
    edge = [Fraction(length - kernel, size - 1) * (i + u) for i in range(size)]
    if any(abs(e - round(e)) < Fraction(1, 10**5) for e in edge):
        return  # a float may fall on either side
    assert found.tolist() == [region.start for region in oracles_sampling.regions(length, kernel, size, u)]


def test_evaluation_is_deterministic_where_torchs_own_is_random():
    """pytorch/pytorch#114028: nn.FractionalMaxPool2d draws its regions in eval() too."""
    x = distinct(1, 1, 9, 9)
    theirs, ours = nn.FractionalMaxPool2d(2, output_ratio=0.7).eval(), FractionalMaxPool2d(2, output_ratio=0.7).eval()
    torch.manual_seed(0)
    assert len({theirs(x).sum().item() for _ in range(20)}) > 1, "torch has mended it: say so in `disagreements`"
    assert len({ours(x).sum().item() for _ in range(20)}) == 1
    assert ours(x).shape == theirs(x).shape


def test_compiling_changes_no_region():
    """pytorch/pytorch#141538, #183249: compiled, torch's own draws other regions than in eager mode."""
    torch._dynamo.reset()
    x, pool = distinct(2, 3, 10, 10), FractionalMaxPool2d(1, output_ratio=0.5)
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    for training in (True, False):
        pool.train(training)
        torch.manual_seed(0)
        expected = pool(x)
        torch.manual_seed(0)
        assert torch.equal(compiled(x), expected)


def test_equal_elements_send_the_gradient_to_the_first_of_the_region():
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(FractionalMaxPool2d(3, output_size=1).eval()(x).sum(), x)
    assert gradient.flatten().tolist() == [1.0] + [0.0] * 8
    x = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], requires_grad=True)  # in raster order, not column by column
    (gradient,) = torch.autograd.grad(FractionalMaxPool2d(2).eval()(x).sum(), x)
    assert gradient.tolist() == [[[0.0, 1.0], [0.0, 0.0]]]


def test_the_size_is_said_in_one_way_and_fits_the_map():
    with pytest.raises(ValueError, match="FractionalMaxPool2d: takes output_ratio or output_size, not both"):
        FractionalMaxPool2d(2, output_ratio=0.5, output_size=3)
    with pytest.raises(ValueError, match=r"FractionalMaxPool3d: output_size must be an int in 3 dimensions"):
        create_pool("fractional_max", kernel_size=2, output_size=(3, 3), dims=3)
    with pytest.raises(ValueError, match=r"input \(1, 1, 4, 4\) would be 0x0; .*at least 1"):
        FractionalMaxPool2d(2, output_ratio=0.2)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="give one of the two"):
        functional.fractional_max_pool2d(torch.zeros(1, 1, 4, 4), 2, output_ratio=0.5, output_size=2)
    assert FractionalMaxPool2d(2, output_size=(5, 2))(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 5, 2)
    assert FractionalMaxPool2d(2, output_ratio=0.75)(torch.zeros(1, 1, 8, 9)).shape == (1, 1, 6, 6)


@pytest.mark.parametrize("options", [{"output_size": 4}, {"output_size": (3, 5)}, {"output_ratio": 0.7}])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_a_stated_size_is_its_oracle(options: dict, kernel: int):
    x, shape = distinct(2, 2, 7, 10), Shape((kernel,) * 2, (kernel,) * 2)
    pool = FractionalMaxPool2d(kernel, **options).eval()
    np.testing.assert_array_equal(pool(x).numpy(), oracles_sampling.fractional_max(x.numpy(), shape, pool))
