"""Spectral, FLC and DiffStride pooling: what they keep, what they drop, and where published code goes wrong."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import DiffStridePool2d, FrequencyLowCutPool2d, SpectralPool2d, create_pool
from poolab.pooling import functional as P
from poolab.pooling.window.fourier import by_fft, by_matrix, frequencies
from tests.pooling.oracles import Shape
from tests.pooling.support import distinct, few, fitting, make

SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 32]
FIXED = [("spectral", {}), ("flc", {}), ("flc", {"window": "hamming"}), ("diffstride", {})]
each = pytest.mark.parametrize(("name", "options"), FIXED)


def wave(size: int, cycles: int, phase: float = 0.0) -> Tensor:
    """So many cycles of a cosine over the elements of one axis."""
    return torch.cos(2 * math.pi * cycles * torch.arange(size, dtype=torch.float64) / size + phase)


# -- what stays


@each
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_constant_stays_that_constant_for_every_size(name: str, options: dict, size: int, stride: int):
    pool = create_pool(name, kernel_size=1, stride=stride, **options)
    y = pool(torch.full((1, 1, size, size + 3), -3.0))
    assert_close(y, torch.full_like(y, -3.0))


@pytest.mark.parametrize("name", ["spectral", "flc"])
@given(fitting(), st.integers(0, 6), st.integers(0, 6), st.floats(0, 6))
@few(60)
def test_a_wave_below_the_new_nyquist_frequency_stays_that_wave(name: str, case: tuple, up: int, along: int, phase):
    """For every size and geometry, 6, 7, 10 and 14 among them; a wave along both axes is a product of waves."""
    shape, height, width = case
    pool = make(name, shape, dtype=torch.float64)
    out = pool(torch.zeros(1, 1, height, width)).shape[2:]
    up, along = (min(p, (min(n, o) - 1) // 2) for p, n, o in zip((up, along), (height, width), out, strict=True))
    y = pool(torch.outer(wave(height, up, phase), wave(width, along)).expand(1, 1, -1, -1))[0, 0]
    assert_close(y, torch.outer(wave(out[0], up, phase), wave(out[1], along)))


@pytest.mark.parametrize("size", [6, 7, 8, 10, 14, 15])
def test_a_wave_above_it_vanishes(size: int):
    for name, options in FIXED:
        pool = create_pool(name, kernel_size=2, **options)
        for cycles in range(size // 2 // 2 + 1, size // 2 + 1):
            y = pool(wave(size, cycles, 0.4).float().expand(1, size, size))
            assert_close(y, torch.zeros_like(y), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("name", "amplitude"), [("spectral", 1.0), ("flc", 0.5)])
@pytest.mark.parametrize("size", [4, 8, 12, 20])
def test_the_new_nyquist_frequency_stays_whole_or_half(name: str, amplitude: float, size: int):
    """The two-sided crop keeps its cosine, FLC's one-sided half of it; its sine is 0 at every element that is kept."""
    pool = create_pool(name, kernel_size=2).double()
    for phase in (0.0, 0.7, math.pi / 2):
        y = pool(wave(size, size // 4, phase).expand(1, size, size))
        expected = amplitude * math.cos(phase) * wave(size // 2, size // 4)
        assert_close(y, expected.expand_as(y))


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (7, 6)])
def test_the_same_size_is_the_identity(size: tuple[int, int]):
    x = distinct(2, 3, *size)
    assert_close(P.spectral_pool2d(x, 1), x)
    assert_close(P.flc_pool2d(x, 1), x)


@pytest.mark.parametrize("size", [4, 5])
def test_a_larger_output_is_the_trigonometric_interpolation(size: int):
    """Only padding asks for it: kernel 2, stride 1, padding 1 gives one element more."""
    x = wave(size, 1, 0.3).expand(1, size, size)
    y = P.spectral_pool2d(x, 2, 1, 1)
    assert_close(y, wave(size + 1, 1, 0.3).expand_as(y))


def test_spectral_pooling_in_two_steps_is_that_in_one():
    """For odd sizes, which have no Nyquist frequency."""
    x = distinct(2, 2, 27, 45)
    assert_close(P.spectral_pool2d(P.spectral_pool2d(x, 3), 3), P.spectral_pool2d(x, 9))


def test_every_element_counts_the_same_in_the_sum_of_the_outputs():
    x = distinct(1, 1, 12, 9).requires_grad_()
    for pool in (SpectralPool2d(3), FrequencyLowCutPool2d(3), FrequencyLowCutPool2d(3, window="hamming")):
        (gradient,) = torch.autograd.grad(pool(x).sum(), x)
        assert_close(gradient, torch.full_like(gradient, 1 / 9))


@pytest.mark.parametrize(("length", "out"), [(1, 1), (2, 1), (4, 6), (5, 7), (6, 6), (7, 7), (8, 4), (9, 4), (10, 5)])
def test_the_matrix_and_the_fft_are_the_same(length: int, out: int):
    """Short axes go by the one, long ones by the other."""
    x = distinct(2, 3, length, 4).requires_grad_()
    places, bins = frequencies(length, out, x.device)
    weights = (bins / (1 + places)).requires_grad_()
    found = [along(x, 2, out, weights) for along in (by_matrix, by_fft)]
    assert_close(*found)
    direction = distinct(2, 3, out, 4, seed=1)
    slopes = [torch.autograd.grad((y * direction).sum(), [x, weights]) for y in found]
    assert_close(*slopes)


def test_long_lines_make_no_matrix():
    """4 million elements: their matrix would have 8 * 10^12 entries."""
    x = torch.ones(1, 1, 4_000_000)
    assert_close(P.spectral_pool1d(x, 2), torch.ones(1, 1, 2_000_000))


@each
def test_half_precision_is_computed_in_float32(name: str, options: dict):
    x = 3e4 * (1 + 0.1 * distinct(1, 2, 32, 32, dtype=torch.float32)).half()
    pool = create_pool(name, kernel_size=2, **options)
    assert_close(pool(x), pool(x.float()).half())
    expected = pool(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(pool(x.float()), expected)


# -- FLC and published code


def published_flc(x: np.ndarray, window: bool = False) -> np.ndarray:
    """The crop of the public code: [n/4, 3n/4) of the shifted spectrum, one-sided, its real part."""
    spectrum = np.fft.fftshift(np.fft.fft2(x, norm="forward"))
    if window:
        spectrum = spectrum * np.sqrt(np.outer(*(np.hamming(size) for size in x.shape)))
    rows, columns = (slice(int(size / 4), int(size / 4 * 3)) for size in x.shape)
    return np.fft.ifft2(np.fft.ifftshift(spectrum[rows, columns]), norm="forward").real


@pytest.mark.parametrize("size", [6, 10, 14, 18])
def test_flc_keeps_a_constant_where_the_published_crop_destroys_it(size: int):
    """GeJulia/flc_pooling, flc_pooling.py: for sizes 2 mod 4 frequency 0 is one place off (no thread found)."""
    ones = np.ones((size, size))
    assert np.abs(published_flc(ones) - 1).max() > 1.4
    assert_close(FrequencyLowCutPool2d(2)(torch.ones(1, size, size)), torch.ones(1, size // 2, size // 2))


def test_flc_has_the_usual_sizes_where_the_published_crop_has_its_own():
    """GeJulia/flc_pooling: 7 gives 4 and 5 gives 2."""
    assert [len(published_flc(np.ones((n, n)))) for n in (5, 7)] == [2, 4]
    assert [FrequencyLowCutPool2d(2)(torch.ones(1, n, n)).shape[-1] for n in (5, 7)] == [2, 3]


@pytest.mark.parametrize("size", [4, 8, 12, 32])
def test_flc_is_the_published_crop_for_multiples_of_4_but_for_one_corner(size: int):
    """The corner bin is a checkerboard: published is half of two of its four corners, ours a quarter of all four."""
    x = distinct(size, size)
    ours, published = FrequencyLowCutPool2d(2)(x[None])[0].numpy(), published_flc(x.numpy())
    board = np.outer(*[(-1.0) ** np.arange(size // 2)] * 2)
    spectrum, q = np.fft.fft2(x.numpy(), norm="forward"), size // 4
    corner = (spectrum[-q, -q] - spectrum[-q, q]).real / 2
    np.testing.assert_allclose(published - ours, corner * board, atol=1e-12)


def test_asap_keeps_a_constant_where_the_published_window_does_not():
    """GeJulia/flc_pooling, asap.py: numpy.hamming(8) has its middle between two bins."""
    assert published_flc(np.ones((8, 8)), window=True).mean() == pytest.approx(0.9544, abs=1e-4)
    assert_close(FrequencyLowCutPool2d(2, window="hamming")(torch.ones(1, 8, 8)), torch.ones(1, 4, 4))


def test_asap_weights_each_frequency_by_the_root_of_the_hamming_window():
    """For 9 elements the window of numpy has its middle at frequency 0; the product over axes is sqrt(outer)."""
    window = np.hamming(9)
    y = FrequencyLowCutPool2d(2, window="hamming")(torch.outer(wave(9, 1), wave(9, 1))[None])
    assert_close(y[0], window[5] * torch.outer(wave(4, 1), wave(4, 1)))


def test_spectral_keeps_a_constant_where_the_published_layer_multiplies_it():
    """google-research/diffstride, FixedSpectralPooling: no rescaling between sizes (no thread found)."""
    block = np.fft.rfft2(np.ones((8, 8)))[[0, 1, -2, -1], :3]
    np.testing.assert_allclose(np.fft.irfft2(block, (4, 4)), 4.0)
    assert_close(SpectralPool2d(2)(torch.ones(1, 8, 8)), torch.ones(1, 4, 4))


# -- DiffStride


def moved(pool: DiffStridePool2d, *strides: float) -> DiffStridePool2d:
    with torch.no_grad():
        pool.strides.copy_(torch.tensor(strides))
    return pool


@given(fitting())
@few(60)
def test_diffstride_starts_with_the_geometrys_size(case: tuple[Shape, int, int]):
    shape, height, width = case
    x = torch.ones(1, 1, height, width)
    assert make("diffstride", shape)(x).shape == P.max_pool2d(x, **shape.arguments).shape


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("stride", [1, 2, 3, 5, 7])
def test_diffstride_starts_with_the_geometrys_size_in_every_dtype(stride: int, dtype: torch.dtype):
    x = torch.ones(1, 1, 23, 40, dtype=dtype)
    assert DiffStridePool2d(stride).to(dtype)(x).shape == P.max_pool2d(x, stride).shape


def test_the_size_follows_the_learned_stride_for_odd_and_even_widths():
    """google-research/diffstride transforms back without stating the width, which is then always even."""
    x, pool = torch.ones(1, 24, 24), DiffStridePool2d(2)
    widths = [moved(pool, 2.0, 24 / kept)(x).shape[-1] for kept in (12, 11, 10, 7, 3)]
    assert widths == [12, 11, 10, 7, 3]
    assert np.fft.irfft(np.fft.rfft(np.ones(24))[:6]).size == 10  # six bins: the width was 11 or 10


@pytest.mark.parametrize(("strides", "size"), [((0.1, -5.0), (12, 12)), ((1e6, 7.0), (2, 2)), ((1.0, 1.5), (12, 8))])
def test_a_stride_out_of_bounds_leaves_a_valid_map_and_can_come_back(strides: tuple, size: tuple):
    """It neither grows beyond the input nor falls below 2 elements; beyond a bound the parameter has a gradient."""
    pool = moved(DiffStridePool2d(2), *strides)
    x = distinct(1, 12, 12, dtype=torch.float32)
    y = pool(x)
    assert y.shape[1:] == size
    (gradient,) = torch.autograd.grad(y.square().sum(), pool.strides)
    assert gradient.isfinite().all()
    assert (gradient != 0).all()


def test_a_map_of_one_element_stays_one():
    pool = moved(DiffStridePool2d(2), 100.0, 100.0)
    assert_close(pool(torch.full((1, 2, 3), 4.0)), torch.full((1, 1, 1), 4.0))


def test_the_mask_falls_from_1_to_0_over_the_smoothness():
    """32 elements to 16, R = 4: the ramp ends at 8.5, so that it begins at 4.5 and 8 keeps 1/8."""
    pool = DiffStridePool2d(2).double()
    for cycles, weight in [(0, 1.0), (4, 1.0), (5, 7 / 8), (6, 5 / 8), (7, 3 / 8), (8, 1 / 8)]:
        y = pool(wave(32, cycles).expand(1, 32, 32))
        assert_close(y[0, 0], weight * wave(16, cycles))


def test_a_short_ramp_is_spectral_pooling():
    x = distinct(2, 2, 12, 15)
    assert_close(DiffStridePool2d(3, smoothness=0.5)(x), SpectralPool2d(3)(x))


def test_the_gradient_reaches_the_stride_through_the_mask_alone():
    """Away from the start too, where the size changes in steps and the mask does not."""
    x = distinct(1, 2, 12, 14)
    pool = DiffStridePool2d(2).double()
    direction = torch.randn(1, 2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def loss(strides: Tensor) -> Tensor:
        return (torch.func.functional_call(pool, {"strides": strides}, (x,)) * direction).sum()

    assert torch.autograd.gradcheck(loss, torch.tensor([2.35, 1.77], dtype=torch.float64, requires_grad=True))


def test_training_finds_the_stride_that_keeps_a_wave():
    """A loss that wants the whole of a frequency that the start weights by 3/8 makes its axis's stride smaller."""
    pool = DiffStridePool2d(2)
    x = wave(32, 7).float().expand(1, 32, 32)
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        (-pool(x).square().mean()).backward()
        optimizer.step()
    height, width = pool.strides.tolist()
    assert height == 2.0
    assert 1 <= width <= 32 / 21  # the ramp, 4 long, begins at frequency 7: (kept + 1) / 2 = 11
    assert_close(pool(x).square().mean(), torch.tensor(0.5))


def test_on_the_meta_device_the_size_is_the_geometrys():
    pool = moved(DiffStridePool2d(2), 4.0, 4.0).to("meta")
    assert pool(torch.empty(1, 3, 12, 12, device="meta")).shape == (1, 3, 6, 6)


def test_a_reset_brings_the_start_back_and_the_forward_writes_nothing():
    pool = moved(DiffStridePool2d((2, 3)), 0.5, 100.0)
    pool.train()(torch.ones(1, 12, 12))
    assert pool.strides.tolist() == [0.5, 100.0]
    pool.reset_parameters()
    assert pool.strides.tolist() == [2.0, 3.0]
