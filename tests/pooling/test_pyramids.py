"""Pyramids, and the maximum over groups of maps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from poolab.backbones import create_backbone
from poolab.errors import ConfigError
from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.support import distinct, few, random_map

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(
    st.integers(0, 1000), SIZES, st.lists(st.integers(1, 5), min_size=1, max_size=3), st.sampled_from(["max", "avg"])
)
@few(30)
def test_a_spatial_pyramid_is_its_adaptive_poolings_side_by_side(seed: int, size: tuple, levels: list, mode: str):
    x = torch.from_numpy(random_map(seed, 2, 3, *size))
    adaptive = getattr(P, f"adaptive_{mode}_pool2d")
    expected = torch.cat([adaptive(x, output_size=level).flatten(1) for level in levels], 1)
    assert torch.equal(P.spp_pool2d(x, levels=levels, mode=mode), expected)
    assert create_pool("spp", levels=levels).out_channels(3) == expected.shape[1]


def test_one_level_of_one_bin_is_the_global_pooling():
    x = distinct(2, 3, 5, 4)
    assert torch.equal(P.spp_pool2d(x, levels=(1,)), P.global_max_pool2d(x).flatten(1))
    assert_close(P.spp_pool2d(x, levels=(1,), mode="avg"), P.global_avg_pool2d(x).flatten(1))


@pytest.mark.parametrize(("side", "level", "unseen"), [(7, 4, 2), (13, 3, 0), (10, 6, 3), (12, 4, 0)])
def test_the_papers_windows_leave_elements_out_where_adaptive_bins_do_not(side: int, level: int, unseen: int):
    """He et al. 2014: window ceil(a/n), stride floor(a/n)."""
    x = torch.zeros(1, 1, side, side, requires_grad=True)
    papers = torch.nn.functional.avg_pool2d(x, -(-side // level), side // level)[..., :level, :level]
    (seen,) = torch.autograd.grad(papers.sum(), x)
    assert int((seen[0, 0, :, 0] == 0).sum()) == unseen
    (seen,) = torch.autograd.grad(P.spp_pool2d(x, levels=(level,), mode="avg").sum(), x)
    assert (seen > 0).all()


def test_adaptive_bins_start_at_the_floor_and_end_at_the_ceiling():
    """Not ceil-sized windows at floor strides: for 7 to 3 they are rows 0-2, 2-4, 4-6."""
    x = torch.arange(7.0).view(1, 1, 7, 1)
    assert P.adaptive_avg_pool2d(x, output_size=(3, 1)).flatten().tolist() == [1.0, 3.0, 5.0]
    for length in range(1, 12):
        for bins in range(1, 15):
            x = torch.arange(float(length)).view(1, 1, length, 1)
            last = [-(-(i + 1) * length // bins) - 1 for i in range(bins)]
            assert P.adaptive_max_pool2d(x, output_size=(bins, 1)).flatten().tolist() == last


@given(st.integers(0, 1000), SIZES, st.sampled_from([1, 3, 5, 9, 27]))
@few(40)
def test_a_pixel_pyramid_of_one_window_is_a_pooling_at_stride_one(seed: int, size: tuple, window: int):
    x = torch.from_numpy(random_map(seed, 2, 2, *size))
    geometry = {"kernel_size": window, "stride": 1, "padding": window // 2}
    assert torch.equal(P.pixel_pyramid_pool2d(x, windows=(window,)), P.max_pool2d(x, **geometry))
    mean = P.avg_pool2d(x, **geometry, count_include_pad=False)
    assert_close(P.pixel_pyramid_pool2d(x, windows=(window,), mode="avg"), mean)


@given(st.integers(0, 1000), SIZES, st.sampled_from([3, 5, 9]))
@few(30)
def test_the_gradient_of_rows_then_columns_goes_to_the_first_in_raster_order(seed: int, size: tuple, window: int):
    """An odd seed gives ties, where the two passes could pick another element than nn.MaxPool2d."""
    x = torch.from_numpy(random_map(2 * seed + 1, 1, 2, *size)).round().clamp(-1, 1).requires_grad_()
    weights = distinct(1, 2, *size)
    passes = (P.pixel_pyramid_pool2d(x, windows=(window,)), torch.nn.MaxPool2d(window, 1, window // 2)(x))
    found, expected = (torch.autograd.grad((y * weights).sum(), x)[0] for y in passes)
    assert_close(found, expected)


def test_a_window_of_one_is_the_map_and_a_huge_one_the_global_pooling():
    x = distinct(2, 3, 5, 4)
    assert torch.equal(P.pixel_pyramid_pool2d(x, windows=(1,)), x)
    assert torch.equal(P.pixel_pyramid_pool2d(x, windows=(9,)), P.global_max_pool2d(x).expand_as(x))
    both = P.pixel_pyramid_pool2d(x, windows=(9, 1))
    assert torch.equal(both, torch.cat([P.global_max_pool2d(x).expand_as(x), x], 1))


@pytest.mark.parametrize("mode", ["max", "avg"])
def test_a_border_is_cut_and_not_padded(mode: str):
    """A constant negative map stays that constant: zeros around it would not."""
    x = torch.full((1, 2, 6, 5), -2.0)
    assert torch.equal(P.pixel_pyramid_pool2d(x, mode=mode), torch.full((1, 8, 6, 5), -2.0))


def test_a_projection_brings_the_channels_back():
    torch.manual_seed(0)
    pool, plain = create_pool("pixel_pyramid", channels=3, project=True), create_pool("pixel_pyramid")
    x = distinct(2, 3, 6, 5, dtype=torch.float32)
    assert_close(pool(x), pool.projection(plain(x)))
    assert pool(x[0]).shape == x[0].shape
    assert (pool.out_channels(3), plain.out_channels(3)) == (3, 12)
    assert pool.is_learning
    assert not plain.is_learning
    with pytest.raises(ValueError, match="made for channels=3, found 4"):
        pool(torch.ones(1, 4, 6, 5))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"project": True}, "project=True needs channels"),
        ({"windows": (4, 3)}, r"windows must be odd, so that each has a centre, found \(4, 3\)"),
        ({"windows": ()}, "windows must be a list of 1 to 16 ints"),
    ],
)
def test_wrong_options_of_a_pixel_pyramid_are_told(options: dict, told: str):
    with pytest.raises(ValueError, match=f"PixelPyramidPool2d: {told}"):
        create_pool("pixel_pyramid", **options)


# -- across channels


@given(st.integers(0, 1000), SIZES, st.sampled_from([1, 2, 3, 4, 6, 12]))
@few(30)
def test_an_inter_map_pooling_is_a_maximum_of_neighbouring_maps(seed: int, size: tuple, groups: int):
    x = torch.from_numpy(random_map(seed, 2, 12, *size))
    y = P.inter_map_pool2d(x, groups=groups)
    assert y.shape == (2, 12 // groups, *size)
    for j in range(12 // groups):
        assert torch.equal(y[:, j], x[:, j * groups : (j + 1) * groups].amax(1))
    assert create_pool("inter_map", groups=groups).out_channels(12) == y.shape[1]


def test_groups_of_one_are_the_map_and_one_group_the_maximum_over_the_channels():
    x = distinct(2, 6, 5, 4)
    assert torch.equal(P.inter_map_pool2d(x, groups=1), x)
    assert torch.equal(P.inter_map_pool2d(x, groups=6), x.amax(1, keepdim=True))


def test_a_group_is_never_filled_up_with_zeros():
    """A port fills 3 maps up to 4 with zeros: a group of negative values then gives 0."""
    x = torch.full((1, 3, 2, 2), -1.0)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 1))
    assert P.inter_map_pool2d(padded, groups=2)[0, 1].max() == 0
    told = "InterMapPool2d: groups=2 must divide the number of channels, found 3; groups can be 1, 3"
    with pytest.raises(ValueError, match=told):
        P.inter_map_pool2d(x, groups=2)
    with pytest.raises(ValueError, match=told):
        create_pool("inter_map").out_channels(3)


def test_a_ties_gradient_goes_to_the_first_map():
    x = torch.zeros(1, 4, 2, 2, requires_grad=True)
    (found,) = torch.autograd.grad(P.inter_map_pool2d(x, groups=2).sum(), x)
    assert found.sum((0, 2, 3)).tolist() == [4.0, 0.0, 4.0, 0.0]


@pytest.mark.parametrize("name", ["inter_map", "pixel_pyramid"])
def test_a_slot_refuses_what_changes_the_channels(name: str):
    with pytest.raises(ConfigError, match=f"{name} turns the 32 channels"):
        create_backbone("torch_cnn", image_size=24, in_channels=3, num_classes=5, pooling={"name": name})
