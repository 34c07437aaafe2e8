"""Wavelet pooling: the filters are those of their wavelets, and the band is what it should be."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from poolab.pooling import WaveletPool2d, create_pool
from poolab.pooling import functional as P
from poolab.pooling.window.wavelets import FILTERS
from tests.pooling.oracles_frequency import LOW_PASS
from tests.pooling.support import distinct, few, fitting

MODES = WaveletPool2d.options["mode"].allowed
MOMENTS = {"haar": 1, "db2": 2, "db3": 3, "db4": 4}


@pytest.mark.parametrize("wavelet", FILTERS)
def test_the_filters_are_the_ones_that_their_definition_gives(wavelet: str):
    """Daubechies' by spectral factorisation, in the oracle."""
    taps = np.array(FILTERS[wavelet]) / sum(FILTERS[wavelet])
    expected = np.pad(LOW_PASS[wavelet], (0, len(taps) - len(LOW_PASS[wavelet])))
    np.testing.assert_allclose(taps, expected, atol=1e-12)


@pytest.mark.parametrize(("wavelet", "moments"), MOMENTS.items())
def test_a_daubechies_filter_is_orthonormal_and_its_wavelet_has_vanishing_moments(wavelet: str, moments: int):
    taps = np.array(FILTERS[wavelet]) / sum(FILTERS[wavelet]) * math.sqrt(2)
    for shift in range(0, len(taps), 2):
        assert taps[shift:] @ taps[: len(taps) - shift] == pytest.approx(float(shift == 0), abs=1e-12)
    alternating = taps * (-1.0) ** np.arange(len(taps))
    for power in range(moments):
        assert alternating @ np.arange(len(taps)) ** power == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("size", [(4, 6), (7, 5), (32, 32)])
def test_haar_with_2x2_windows_is_average_pooling_and_half_of_the_orthonormal_band(size: tuple[int, int]):
    x = distinct(2, 2, *size)
    y = P.wavelet_pool2d(x, 2)
    assert_close(y, torch.nn.functional.avg_pool2d(x, 2))
    filters = torch.full((1, 2), 0.5**0.5, dtype=torch.float64)
    band = torch.nn.functional.conv2d(x, (filters * filters.T).expand(2, 1, 2, 2), stride=2, groups=2)
    assert_close(2 * y, band)


def test_a_filter_that_cannot_be_centred_lies_half_an_element_after_the_middle():
    """So Haar with the 3x3 window of stride 2 and padding 1 of a residual network is average pooling of 2x2 too."""
    x = distinct(2, 2, 12, 16)
    assert_close(P.wavelet_pool2d(x, 3, 2, 1), P.wavelet_pool2d(x, 2))
    delta = torch.eye(9, dtype=torch.float64)[4].expand(1, 9, 9)  # the odd filter 5/3 lies on the 4th of elements 0..8
    y = P.wavelet_pool2d(delta, 3, 1, 1, wavelet="bior2.2")[0, 4]
    assert_close(8 * y, torch.tensor([0, 0, -1, 2, 6, 2, -1, 0, 0], dtype=torch.float64))


@given(fitting(), st.sampled_from(list(FILTERS)), st.sampled_from(MODES))
@few(60)
def test_a_constant_stays_that_constant(case: tuple, wavelet: str, mode: str):
    shape, height, width = case
    y = P.wavelet_pool2d(torch.full((1, 1, height, width), -3.0), **shape.arguments, wavelet=wavelet, mode=mode)
    assert_close(y, torch.full_like(y, -3.0))


@pytest.mark.parametrize("wavelet", ["db2", "db3", "db4", "bior2.2"])
def test_a_slope_stays_a_slope_inside_the_map(wavelet: str):
    """Two vanishing moments and more: the low band of a straight line is a straight line, twice as steep."""
    x = torch.arange(40.0, dtype=torch.float64).expand(1, 40, 40)
    inner = P.wavelet_pool2d(x, 2, wavelet=wavelet)[0, 0, 4:-4]
    assert_close(inner.diff(), torch.full_like(inner.diff(), 2.0))


@pytest.mark.parametrize("wavelet", FILTERS)
def test_a_periodic_band_moves_with_its_map(wavelet: str):
    x = distinct(1, 1, 12, 16)
    y = P.wavelet_pool2d(x, 2, wavelet=wavelet, mode="periodic")
    moved = P.wavelet_pool2d(x.roll((2, 4), (2, 3)), 2, wavelet=wavelet, mode="periodic")
    assert_close(moved, y.roll((1, 2), (2, 3)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_map_shorter_than_the_filter_has_a_band(mode: str, size: int):
    """Reflect padding of torch refuses it: adobe/antialiased-cnns#47 is that failure in a blur."""
    pool = create_pool("wavelet", kernel_size=1, stride=1, wavelet="db4", mode=mode)
    y = pool(torch.ones(1, 1, size, size))
    assert_close(y, torch.ones_like(y))


def test_a_nan_stays_within_the_reach_of_the_filter():
    x = torch.zeros(1, 1, 16, 16)
    x[0, 0, 8, 8] = torch.nan
    assert int(P.wavelet_pool2d(x, 2).isnan().sum()) == 1
    assert int(P.wavelet_pool2d(x, 2, wavelet="db2").isnan().sum()) == 4
