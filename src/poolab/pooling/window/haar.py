"""Haar wavelet downsampling: all bands of one level, projected."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window._batch_norm import BATCH_NORM, normalised
from poolab.pooling.window.controls import CONV
from poolab.pooling.window.wavelets import band_along
from poolab.pooling.window_pool import WindowPool2d

LOW, HIGH = (2**-0.5, 2**-0.5), (2**-0.5, -(2**-0.5))


@register("hwd")
class HaarWaveletPool2d(WindowPool2d):
    """Apply Haar wavelet downsampling (HWD): y = relu(norm(W (LL, LH, HL, HH) + b)), all bands of one level as
    channels.

    The bands are orthonormal: sums and differences of two neighbouring values along each axis, over the root of 2.
    C channels give 4 C bands (2^d C in d dimensions), a 1x1 convolution brings them back to C, and batch
    normalisation and a ReLU follow. `wavelet` keeps LL alone. A 2x2 window of stride 2 loses nothing before the
    projection; for other geometries the two values along an axis are those in the middle of the window, as in
    `wavelet`, and those beyond the map are its border's. It adds 4 C * C weights and 3 C numbers.

    The batch normalisation needs more than one value per channel in training.

    Args:
        channels: the number of channels, kept.

    Example:
        >>> HaarWaveletPool2d(2, channels=8)(torch.randn(2, 8, 6, 6)).shape
        torch.Size([2, 8, 3, 3])
    """

    reference = Reference("Xu, Liao, Zhang, Li, He, Wu", 2023, "doi:10.1016/j.patcog.2023.109819")
    learns = "always"
    uses_channels = "always"
    positional = True
    evaluates = "the batch normalisation uses its running statistics, in training those of the batch"
    exempt = {
        "nan": "the projection mixes the channels, so NaN reaches the other channels of its window",
        "ties": "the bands are filters, which rank nothing",
        "infinities": "a difference of infinite values, and a sum of bands of both signs, is inf - inf",
        "memory": "the bands have 2^d times the channels: at stride 1 that is more than the map",
    }
    disagreements = (
        "apple1986/HWD adds a row and a column of zeros to maps of odd size and gives ceil(size / 2) outputs; here the "
        "size is nn.MaxPool2d's, and with ceil_mode=True the border is repeated.",
        "apple1986/HWD needs pytorch_wavelets; its bands are these, in another order and sign that the projection "
        "absorbs.",
        "apple1986/HWD changes the number of channels in the same projection; here it stays, so that the layer takes "
        "the place of a pooling.",
    )

    def build(self) -> None:
        """Make the projection and its normalisation."""
        assert self.channels is not None
        self.projection = CONV[self.dims](self.channels * 2**self.dims, self.channels, 1)
        self.norm = BATCH_NORM[self.dims](self.channels)

    @staticmethod
    def formula(windows: Windows, projection: nn.Module, norm: nn.Module) -> Tensor:
        """Compute relu(norm(W (LL, LH, HL, HH) + b))."""
        bands = []
        for filters in product((LOW, HIGH), repeat=windows.dims):
            band = windows.input
            for axis, weights in enumerate(filters):
                band = band_along(band, windows, axis, list(weights), "symmetric")
            bands.append(band.to(windows.input.dtype))
        return F.relu(normalised("HaarWaveletPool2d", projection(torch.cat(bands, 1)), norm))
