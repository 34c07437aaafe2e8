"""Wavelet pooling against the packages that have the transform: PyWavelets and pytorch_wavelets."""

import warnings

import numpy as np
import pytest
import torch

from poolab.pooling import functional as P
from poolab.pooling.window.wavelets import FILTERS
from tests.pooling.support import distinct

SIZES = [(16, 16), (20, 12)]


def by_pywt(x: torch.Tensor, wavelet: str, mode: str) -> torch.Tensor:
    """The orthonormal low-low band by PyWavelets."""
    return torch.from_numpy(pytest.importorskip("pywt").dwt2(x.numpy(), wavelet, mode)[0])


def by_pytorch_wavelets(x: torch.Tensor, wavelet: str, mode: str) -> torch.Tensor:
    """The orthonormal low-low band by pytorch_wavelets."""
    pytest.importorskip("pywt")
    with warnings.catch_warnings():
        # Version 1.3 imports pkg_resources: new setuptools no longer have it, older ones warn.
        warnings.simplefilter("ignore")
        package = pytest.importorskip("pytorch_wavelets", exc_type=ImportError)
        return package.DWTForward(J=1, wave=wavelet, mode=mode).double()(x)[0]


peers = pytest.mark.parametrize("band", [by_pywt, by_pytorch_wavelets])


@peers
@pytest.mark.parametrize("wavelet", FILTERS)
@pytest.mark.parametrize("size", SIZES)
def test_the_periodic_band_is_the_transform_by_periodization(band, wavelet: str, size: tuple[int, int]):
    """For even sizes the same elements; theirs is orthonormal, so 2 y."""
    x = distinct(2, 2, *size)
    ours = 2 * P.wavelet_pool2d(x, 2, wavelet=wavelet, mode="periodic")
    torch.testing.assert_close(ours, band(x, wavelet, "periodization"))


@peers
@pytest.mark.parametrize("wavelet", FILTERS)
@pytest.mark.parametrize("mode", ["symmetric", "reflect", "periodic"])
def test_the_band_of_another_mode_is_theirs_without_the_elements_that_they_add(band, wavelet: str, mode: str):
    """Theirs has (n + L - 1) / 2 elements and begins at element 2 - L, ours n / 2 and at 1 - L/2.

    Where L/2 is even (db2, db4) theirs begins an odd number of elements earlier: ours with a padding of 2 of a 4x4
    window begins there.
    """
    x, half = distinct(2, 2, 16, 20), len(FILTERS[wavelet]) // 2
    geometry = {"kernel_size": 2} if half % 2 else {"kernel_size": 4, "stride": 2, "padding": 2}
    ours, theirs = 2 * P.wavelet_pool2d(x, **geometry, wavelet=wavelet, mode=mode), band(x, wavelet, mode)
    skipped = (half - 1) // 2
    theirs = theirs[..., skipped : skipped + ours.shape[-2], skipped : skipped + ours.shape[-1]]
    torch.testing.assert_close(ours[..., : theirs.shape[-2], : theirs.shape[-1]], theirs)


@peers
def test_the_size_differs_for_every_filter_but_haar(band):
    """A 16x16 map: 8x8 here, (16 + 4 - 1) // 2 = 9 there."""
    x = distinct(1, 1, 16, 16)
    assert P.wavelet_pool2d(x, 2, wavelet="db2").shape == (1, 1, 8, 8)
    assert band(x, "db2", "reflect").shape == (1, 1, 9, 9)
    assert band(x, "haar", "reflect").shape == (1, 1, 8, 8)


@peers
def test_an_odd_size_differs_by_the_element_that_periodization_adds(band):
    """7 elements: they repeat the last one and give 4, we give 3 as max pooling; with ceil_mode the 4th wraps."""
    x = distinct(1, 1, 7, 7)
    ours, theirs = 2 * P.wavelet_pool2d(x, 2, ceil_mode=True, mode="periodic"), band(x, "haar", "periodization")
    assert P.wavelet_pool2d(x, 2, mode="periodic").shape == (1, 1, 3, 3)
    torch.testing.assert_close(ours[..., :3, :3], theirs[..., :3, :3])
    assert not np.allclose(ours[..., 3, :], theirs[..., 3, :])
