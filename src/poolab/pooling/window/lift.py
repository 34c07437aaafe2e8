"""LiftDownPool: the bands of a lifting scheme with learned prediction and update, summed."""

from collections.abc import Iterator
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window.controls import CONV, convolved
from poolab.pooling.window.wavelets import band_along
from poolab.pooling.window_pool import WindowPool2d

EVEN, ODD = [1.0, 0.0], [0.0, 1.0]


@register("lift_down")
class LiftDownPool2d(WindowPool2d):
    """Apply LiftDownPool, a learned lifting scheme: along each axis d = x_odd - P(x_even), s = x_even + U(d); y is the
    sum of all bands.

    The map is split into even and odd places along the width, then each band along the height: 2^d bands in d
    dimensions. P and U have the layers tanh(conv1x1(relu(conv))); the first convolution is depthwise and runs along the
    axis that is split. Each axis has a P and a U of its own, which its bands share. The convolutions see zeros beyond
    the map. For 2x2/2 nothing is lost before the sum; for other geometries the two values along an axis are those
    in the middle of the window, as in `wavelet`, and those beyond the map are its border's. The sum of the bands of a
    constant is not that constant: at P = U = 0 it is the sum of the four values. `band_losses` are the two constraints
    of the paper, to be added to a loss.

    Args:
        channels: the number of channels, kept.
        filter_size: of the depthwise convolutions, odd.

    Example:
        >>> import torch
        >>> pool = LiftDownPool2d(2, channels=1)
        >>> for parameter in pool.parameters():
        ...     _ = torch.nn.init.zeros_(parameter)
        >>> pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        10.0
    """

    reference = Reference("Zhao, Snoek", 2021, "arXiv:2104.00996")
    learns = "always"
    uses_channels = "always"
    positional = True
    filter_size: int
    options = {"filter_size": Integer(3, most=63)}
    exempt = {
        "padding": "a convolution needs a value at every position: beyond the map it sees zeros",
        "numbers": "the bands of tiny values are tanh of the biases: their rounding is large beside the values",
        "nan": "the 1x1 convolutions mix the channels, and the filters reach the next windows",
        "ties": "the bands are filters, which rank nothing",
    }
    disagreements = (
        "No code of the authors is public. A port updates by the odd values and not by the detail, s = x_even + "
        "U(x_odd), which cannot be undone as lifting is; there the low band is x_odd - P(x_even) of the s band.",
        "The port has one P and one U with square kernels for both axes; ports to one dimension (sign language "
        "recognition) have depthwise kernels of 3 along the axis, as here, and start their last layer at 0.",
        "Which of P's and U's layers the axes share we could not read; here each axis has its own.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that the filter has a middle."""
        if self.filter_size % 2 == 0:
            yield f"filter_size must be odd, found {self.filter_size}"

    def build(self) -> None:
        """Make P and U of each axis."""
        assert self.channels is not None
        arguments = self.channels, self.filter_size, self.dims
        self.predict = nn.ModuleList([_step(*arguments, axis) for axis in range(self.dims)])
        self.update = nn.ModuleList([_step(*arguments, axis) for axis in range(self.dims)])

    @staticmethod
    def formula(windows: Windows, predict: nn.ModuleList, update: nn.ModuleList) -> Tensor:
        """Sum the bands."""
        bands = [windows.input.to(windows.dtype)]
        for axis in reversed(range(windows.dims)):
            bands = [part for band in bands for part in _lifted(band, windows, axis, predict, update)]
        return total(bands)

    def band_losses(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean d^2 and mean (s - m)^2 of the first split, along the width, m the mean of even and odd."""
        windows = Windows(input, self.geometry)
        axis = self.dims - 1
        low, detail = _lifted(input.to(windows.dtype), windows, axis, self.predict, self.update)
        mean = band_along(input, windows, axis, [0.5, 0.5], "symmetric")
        return detail.square().mean(), (low - mean).square().mean()


def _step(channels: int, filter_size: int, dims: int, axis: int) -> nn.Sequential:
    """Make the layers of a prediction or an update along an axis."""
    conv = CONV[dims]
    kernel = [filter_size if place == axis else 1 for place in range(dims)]
    along = conv(channels, channels, kernel, padding=[k // 2 for k in kernel], groups=channels)
    return nn.Sequential(along, nn.ReLU(), conv(channels, channels, 1), nn.Tanh())


def _lifted(
    band: Tensor, windows: Windows, axis: int, predict: nn.ModuleList, update: nn.ModuleList
) -> tuple[Tensor, Tensor]:
    """Return approximation and detail of a band along an axis."""
    even = band_along(band, windows, axis, EVEN, "symmetric")
    odd = band_along(band, windows, axis, ODD, "symmetric")
    detail = odd - _applied(predict[axis], even)
    return even + _applied(update[axis], detail), detail


def _applied(step: Any, map: Tensor) -> Tensor:
    """Compute tanh(conv1x1(relu(conv(map)))) in the map's dtype."""
    along, _, mix, _ = step
    return convolved(mix, F.relu(convolved(along, map))).tanh()
