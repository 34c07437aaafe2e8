"""Superpixel pooling: labels from the caller or a grid."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.oracles_heads import superpixel
from tests.pooling.support import distinct, few, random_map

REDUCTIONS = ["max", "mean"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8], ids=str)
def test_any_labels_are_the_oracle(reduction: str, dtype: torch.dtype):
    @given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 6), st.integers(1, 9))
    @few(20)
    def check(seed: int, height: int, width: int, regions: int):
        x = random_map(seed, 2, 3, height, width)
        labels = np.random.default_rng(seed).integers(0, regions, (2, height, width))
        pool = create_pool("superpixel", regions=regions, reduction=reduction)
        found = pool(torch.from_numpy(x), torch.from_numpy(labels).to(dtype))
        assert_close(found, torch.from_numpy(superpixel(x, pool, labels)), rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_label_for_each_position_is_the_map_and_one_for_all_the_global_pooling(reduction: str):
    x = distinct(2, 3, 4, 5)
    each = torch.arange(20).view(1, 4, 5).expand(2, 4, 5)
    assert torch.equal(P.superpixel_pool2d(x, regions=20, reduction=reduction, labels=each), x.flatten(2))
    whole = {"max": P.global_max_pool2d, "mean": P.global_avg_pool2d}[reduction](x).flatten(2)
    zeros = torch.zeros(2, 4, 5, dtype=torch.int64)
    assert_close(P.superpixel_pool2d(x, regions=1, reduction=reduction, labels=zeros), whole)
    assert_close(P.superpixel_pool2d(x, grid=1, reduction=reduction), whole)


@pytest.mark.parametrize(("reduction", "window"), [("max", "max"), ("mean", "avg")])
def test_a_grid_that_divides_the_map_is_a_window_pooling(reduction: str, window: str):
    x = distinct(2, 3, 6, 8)
    pooled = getattr(P, f"{window}_pool2d")(x, (2, 4))
    assert_close(P.superpixel_pool2d(x, grid=(3, 2), reduction=reduction).view_as(pooled), pooled)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_empty_region_is_zero_and_has_no_gradient(reduction: str):
    x = -distinct(1, 2, 2, 2).abs().requires_grad_()
    labels = torch.tensor([[[0, 0], [3, 3]]])
    y = create_pool("superpixel", regions=5, reduction=reduction)(x, labels)
    assert (y == 0).all((0, 1)).tolist() == [False, True, True, False, True]
    assert torch.autograd.grad(y[..., [1, 2, 4]].sum(), x)[0].abs().max() == 0


def test_a_ties_gradient_goes_to_the_regions_first_element():
    """torch.scatter_reduce's amax gives each of them an equal part."""
    labels = torch.tensor([[[1, 0, 1], [0, 1, 0]]])
    x = torch.zeros(1, 1, 2, 3, requires_grad=True)
    (found,) = torch.autograd.grad(create_pool("superpixel", regions=2)(x, labels).sum(), x)
    assert found.flatten().tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    reduced = torch.full((2,), -1.0).scatter_reduce(0, labels.flatten(), x.flatten(), "amax")
    (split,) = torch.autograd.grad(reduced.sum(), x)
    assert split.flatten().tolist() == pytest.approx([1 / 3] * 6)


def test_labels_have_no_gradient_and_the_input_has_the_right_one():
    """bermanmaxim/superpixPool returns a tensor of zeros as the gradient of the labels."""
    labels = torch.randint(0, 4, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    for reduction in REDUCTIONS:
        pool = create_pool("superpixel", regions=4, reduction=reduction)
        x = distinct(2, 2, 3, 4).requires_grad_()
        assert torch.autograd.gradcheck(lambda x, pool=pool: pool(x, labels), (x,))
    assert labels.grad is None


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nan_and_infinities_stay_in_their_region(reduction: str):
    x, labels = distinct(1, 2, 2, 3), torch.tensor([[[0, 1, 2], [0, 1, 2]]])
    x[0, 0, 0, 0], x[0, 0, 0, 1], x[0, 0, 1, 0] = torch.nan, -torch.inf, torch.inf
    y = create_pool("superpixel", regions=3, reduction=reduction)(x, labels)
    assert y.isnan().tolist() == [[[True, False, False], [False, False, False]]]
    assert y[0, 0, 1] == (x[0, 0, 1, 1] if reduction == "max" else -torch.inf)
    low = torch.full((1, 1, 2, 2), -torch.inf)
    assert (P.superpixel_pool2d(low, grid=1, reduction=reduction) == -torch.inf).all()


def test_an_unbatched_map_takes_unbatched_labels():
    x, labels = distinct(3, 4, 5), torch.randint(0, 6, (4, 5), generator=torch.Generator().manual_seed(0))
    pool = create_pool("superpixel", regions=6)
    assert torch.equal(pool(x, labels), pool(x[None], labels[None])[0])


@pytest.mark.parametrize("label", [-1, 4, 1000])
def test_a_label_out_of_range_is_an_error(label: int):
    labels = torch.zeros(1, 3, 3, dtype=torch.int64)
    labels[0, 2, 1] = label
    with pytest.raises(RuntimeError, match=r"SuperpixelPool2d: the labels must lie in 0\.\.3 \(regions=4\)"):
        create_pool("superpixel", regions=4)(torch.zeros(1, 1, 3, 3), labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.complex64], ids=str)
def test_labels_must_be_whole_numbers(dtype: torch.dtype):
    with pytest.raises(TypeError, match=f"the labels must have an integer dtype, found {dtype}"):
        create_pool("superpixel", regions=4)(torch.zeros(1, 1, 3, 3), torch.zeros(1, 3, 3, dtype=dtype))


@pytest.mark.parametrize("shape", [(3, 3), (1, 3, 3), (2, 3, 4), (2, 1, 3, 3)])
def test_labels_must_be_of_the_size_of_the_map(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"the labels must be \(2, 3, 3\) for the map \(2, 1, 3, 3\), found shape"):
        create_pool("superpixel", regions=4)(torch.zeros(2, 1, 3, 3), torch.zeros(shape, dtype=torch.int64))


def test_labels_and_their_number_belong_together():
    x, labels = torch.zeros(1, 1, 3, 3), torch.zeros(1, 3, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match="labels is missing"):
        create_pool("superpixel", regions=4)(x)
    with pytest.raises(ValueError, match="regions= is missing"):
        create_pool("superpixel")(x, labels)


def test_labels_work_compiled_exported_and_without_values():
    pool, labels = create_pool("superpixel", regions=5), torch.arange(20).view(1, 4, 5).expand(2, 4, 5) % 5
    x = distinct(2, 3, 4, 5, dtype=torch.float32)
    expected = pool(x, labels)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(pool, fullgraph=True, backend="aot_eager")(x, labels), expected)
    batch = {0: torch.export.Dim("batch", min=1)}
    exported = torch.export.export(pool, (x, labels), dynamic_shapes=(batch, batch)).module()
    assert torch.equal(exported(x[:1], labels[:1]), expected[:1])
    assert pool(x.to("meta"), labels.to("meta")).shape == (2, 3, 5)
