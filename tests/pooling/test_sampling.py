"""Anti-aliased subsampling: blur, max_blur and aps; their identities, and failures of public code."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from poolab.pooling import create_pool, get_pool
from tests.pooling import oracles_sampling
from tests.pooling.oracles import Shape
from tests.pooling.support import distinct, few, fitting

MODES = ["reflect", "replicate", "circular", "zeros"]
DIMS = {1: (7,), 2: (6, 7), 3: (5, 4, 6)}
NAMES = sorted(oracles_sampling.POSITIONAL)


def pool(name: str, *geometry, dims: int = 2, **options) -> nn.Module:
    """The method in eval mode."""
    return create_pool(name, **dict(zip(("kernel_size", "stride", "padding"), geometry, strict=False)),
                       dims=dims, **options).eval()  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_number_of_dimensions_has_its_oracle(name: str, dims: int):
    kernels = {1: (3,), 2: (3, 2), 3: (3, 2, 2)}[dims], {1: (2,), 2: (2, 3), 3: (2, 1, 2)}[dims]
    x = distinct(2, 2, *DIMS[dims])
    for ceil_mode in (False, True):
        shape = Shape(*kernels, (1,) * dims, (1,) * dims, ceil_mode)
        module = create_pool(name, **shape.arguments, dims=dims).eval()
        expected = oracles_sampling.POSITIONAL[name](x.numpy(), shape, module)
        np.testing.assert_allclose(module(x).numpy(), expected, rtol=1e-9)


@given(st.data(), fitting(), st.integers(0, 1000))
@few(60)
def test_a_blur_before_the_choice_is_circular(data: st.DataObject, case: tuple[Shape, int, int], seed: int):
    shape, height, width = case
    options = {"norm": data.draw(st.sampled_from(sorted(oracles_sampling.NORMS))), "filter_size": 1 + seed % 6}
    module = create_pool("aps", **shape.arguments, **options)
    x = distinct(2, 2, height, width, seed=seed)
    np.testing.assert_allclose(module(x).numpy(), oracles_sampling.aps(x.numpy(), shape, module), rtol=1e-9)


# -- identities


@given(fitting())
@few(60)
def test_a_filter_of_one_tap_is_subsampling(case: tuple[Shape, int, int]):
    shape, height, width = case
    x = distinct(1, 2, height, width)
    expected = create_pool("subsample", **shape.arguments)(x)
    for mode in MODES:
        found = create_pool("blur", **shape.arguments, filter_size=1, padding_mode=mode)(x)
        assert torch.equal(found, expected)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_filter_of_one_tap_takes_every_stride_th_element(stride: int, dims: int):
    x = distinct(1, 1, *[12] * dims)
    assert torch.equal(pool("blur", stride, dims=dims, filter_size=1)(x), x[(..., *[slice(None, None, stride)] * dims)])


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_of_two_taps_is_average_pooling_on_even_sizes(mode: str):
    x = distinct(2, 2, 8, 6)
    torch.testing.assert_close(pool("blur", 2, filter_size=2, padding_mode=mode)(x), nn.AvgPool2d(2)(x))


@given(fitting(), st.integers(1, 9), st.sampled_from(MODES[:3]), st.floats(-1e4, 1e4, width=32))
@few(80)
def test_constants_are_kept_to_the_last_bit(case: tuple[Shape, int, int], size: int, mode: str, constant: float):
    """kornia darkens them at the border, since it pads with zeros (kornia/kornia#170 asks for a choice; peers/)."""
    shape, height, width = case
    for name in ("blur", "max_blur"):
        for dtype in (torch.float32, torch.bfloat16):
            x = torch.full((1, 1, height, width), constant, dtype=dtype)
            y = create_pool(name, **shape.arguments, filter_size=size, padding_mode=mode)(x)
            assert (y == x[0, 0, 0, 0]).all()


def test_zeros_beyond_the_map_darken_its_border():
    y = pool("blur", 2, filter_size=3, padding_mode="zeros")(torch.ones(1, 1, 6, 6))
    assert y[0, 0].tolist() == [[0.5625, 0.75, 0.75], [0.75, 1.0, 1.0], [0.75, 1.0, 1.0]]


@pytest.mark.parametrize("name", ["blur", "max_blur"])
def test_a_map_smaller_than_the_pad_falls_back_to_replicate(name: str):
    """adobe/antialiased-cnns#47: reflection crashes on the tiny maps at the end of a network for CIFAR."""
    for size in ((1, 1), (2, 1), (2, 2), (3, 3)):
        x = distinct(1, 2, *size)
        replicated, *others = (
            pool(name, 1, 1, filter_size=7, padding_mode=m)(x) for m in ("replicate", "reflect", "zeros")
        )
        assert replicated.shape == x.shape
        assert all(torch.equal(other, replicated) for other in others)


def test_each_axis_falls_back_by_itself():
    row = distinct(1, 1, 1, 9)
    reflected = pool("blur", 1, 1, filter_size=7, dims=1)(row.squeeze(2))
    torch.testing.assert_close(pool("blur", 1, 1, filter_size=7)(row).squeeze(2), reflected)


def test_circular_padding_wraps_as_often_as_it_must():
    x = torch.tensor([[[0.0, 8.0]]])
    assert pool("blur", 1, 1, dims=1, filter_size=6, padding_mode="circular")(x).tolist() == [[[4.0, 4.0]]]


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [8, 9])
def test_a_blurred_maximum_has_the_size_of_max_pooling_for_every_filter(kernel: int, size: int):
    """kornia/kornia#426: the size depends on whether the kernel is even; here it is nn.MaxPool2d's."""
    for filter_size in (1, 2, 3, 4, 5):
        for padding in (0, kernel // 2):
            x, expected = torch.zeros(1, 1, size, size), nn.MaxPool2d(kernel, 2, padding)
            assert pool("max_blur", kernel, 2, padding, filter_size=filter_size)(x).shape == expected(x).shape


def test_a_filter_of_one_tap_makes_max_blur_max_pooling():
    x = distinct(2, 2, 9, 8)
    for geometry in ((2,), (3, 2, 1), (3, 2), (4, 3, 2)):
        assert torch.equal(pool("max_blur", *geometry, filter_size=1)(x), nn.MaxPool2d(*geometry)(x))


@pytest.mark.parametrize("name", ["blur", "max_blur", "aps"])
def test_there_is_no_state_to_load(name: str):
    assert not pool(name, 2).state_dict(), "the filter is no buffer: a checkpoint without it loads"


# -- the choice of a grid


@given(st.integers(0, 11), st.integers(0, 11), st.integers(0, 100), st.sampled_from([2, 3, 4]), st.integers(0, 5))
@few(30)
def test_a_global_average_of_polyphase_sampling_sees_no_circular_shift(
    down: int, right: int, seed: int, stride: int, filter_size: int
):
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 2, 12, 12)))
    for norm in oracles_sampling.NORMS:
        module = pool("aps", stride, norm=norm, filter_size=filter_size or None)
        plain, shifted = module(x), module(x.roll((down, right), (2, 3)))
        torch.testing.assert_close(shifted.mean((2, 3)), plain.mean((2, 3)))
        for one, other in zip(plain, shifted, strict=True):  # each sample is shifted as a whole
            rolls = [one.roll((i, j), (1, 2)) for i in range(12 // stride) for j in range(12 // stride)]
            assert any(torch.allclose(roll, other) for roll in rolls)
    assert not torch.allclose(pool("subsample", 2)(x).mean((2, 3)), pool("subsample", 2)(x.roll(1, 3)).mean((2, 3)))


def test_all_channels_of_a_sample_choose_one_grid_and_samples_choose_for_themselves():
    x = torch.zeros(2, 2, 4, 4)
    x[0, 0, 1, 1], x[0, 1, 0, 0], x[1, 0, 0, 1] = 3.0, 2.0, 1.0
    y = pool("aps", 2)(x)
    assert y[0, :, 0, 0].tolist() == [3.0, 0.0], "the element of the second channel lies off the grid of the first"
    assert y[1, 0, 0, 0] == 1.0


def test_an_odd_size_gets_one_circular_row():
    x = torch.tensor([[[1.0, 5.0, 0.0, 5.0, 2.0]]])
    assert pool("aps", 3, 2, 1, dims=1)(x).tolist() == [[[5.0, 5.0, 1.0]]], "the first element follows the last"
    assert pool("aps", 2, dims=1)(x).tolist() == [[[5.0, 5.0]]]


@pytest.mark.parametrize("scale", [1e-43, 1e-30, 1e25, 1e38])
def test_the_squares_of_extreme_values_still_compare(scale: float):
    x = torch.tensor([[[1.0, 1.0, 1.5, 2.0, 1.0, 1.0]]]) * scale
    assert torch.equal(pool("aps", 2, dims=1)(x), x[..., 1::2])


def test_equal_norms_take_the_first_grid():
    x = torch.tensor([[[3.0, 4.0, 4.0, 3.0]]]) / 7
    for norm in oracles_sampling.NORMS:
        assert torch.equal(pool("aps", 2, dims=1, norm=norm)(x), x[..., ::2])
    x = torch.tensor([[[2.0, 5.0, 11.0, 10.0]]])  # 4 + 121 = 25 + 100; divided by the largest element they would differ
    assert torch.equal(pool("aps", 2, dims=1)(x), x[..., ::2])


def test_the_choice_has_no_gradient_and_the_chosen_elements_have_all_of_it():
    x = torch.tensor([[[0.0, 1.0, 0.0, 2.0]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(pool("aps", 2, dims=1)(x).sum(), x)
    assert gradient.tolist() == [[[0.0, 1.0, 0.0, 1.0]]]


def test_nan_is_chosen_and_so_comes_out():
    for norm in oracles_sampling.NORMS:
        x = torch.ones(2, 1, 4)
        x[0, 0, 3] = torch.nan
        assert pool("aps", 2, dims=1, norm=norm)(x).isnan().any(-1).flatten().tolist() == [True, False]


@pytest.mark.parametrize("name", NAMES)
def test_a_class_says_how_public_code_differs(name: str):
    assert all(sentence.endswith(".") and len(sentence) > 40 for sentence in get_pool(name).disagreements)
    assert get_pool(name).disagreements
