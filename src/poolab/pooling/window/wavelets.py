"""The low band of a wavelet transform."""

from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.open_sizes import as_tensor, is_open
from poolab.pooling.core.options import Choice
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

# Scaling filters in the order of the elements, up to a factor: they are divided by their sum where they are used.
# haar and db (extremal phase): Daubechies 1992, Ten Lectures on Wavelets, table 6.1; bior2.2: Cohen, Daubechies,
# Feauveau 1992, the longer filter of the pair 5/3, with a zero at the end so that all lengths are even.
FILTERS: dict[str, tuple[float, ...]] = {
    "haar": (1, 1),
    "db2": (0.48296291314453416, 0.8365163037378079, 0.2241438680420134, -0.12940952255126037),
    "db3": (
        *(0.33267055295008263, 0.8068915093110925, 0.45987750211849154),
        *(-0.13501102001025458, -0.08544127388202666, 0.03522629188570953),
    ),
    "db4": (
        *(0.23037781330889650, 0.71484657055291565, 0.63088076792985890, -0.02798376941685985),
        *(-0.18703481171909309, 0.03084138183556076, 0.03288301166688519, -0.01059740178506903),
    ),
    "bior2.2": (-1, 2, 6, 2, -1, 0),
}


@register("wavelet")
class WaveletPool2d(WindowPool2d):
    """Apply wavelet pooling, the low-low band of one level: y_i = sum_k h_k x_(first_i + k) / sum_k h_k, scaled to
    keep constants.

    h is the wavelet's scaling filter, used along each axis. For a 2x2 window of stride 2 this is the discrete wavelet
    transform; its orthonormal low-low band is 2 y. Other geometries generalise it: the filter keeps its length and is
    centred on each window, half an element after the middle where the lengths differ by an odd number. Kernel size and
    dilation say where the middle is, and the output's size, no more; so a filter shorter than the window leaves
    taps out, and a longer one reaches beyond it. Haar with 2x2/2 is average pooling.

    Args:
        wavelet: "haar", "db2", "db3", "db4" (Daubechies, extremal phase), "bior2.2" (the 5/3 filter of JPEG 2000).
        mode: the elements outside the map: "symmetric" (b a | a b c), "reflect" (c b | a b c) or "periodic". Zeros
            are left out, since a constant would not stay that constant at the border.

    Example:
        >>> WaveletPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = Reference("Li, Shen, Guo, Lai", 2021, "arXiv:2107.13335")
    positional = True
    wavelet: str
    mode: str
    options = {
        "wavelet": Choice("haar", tuple(FILTERS)),
        "mode": Choice("symmetric", ("symmetric", "reflect", "periodic")),
    }
    exempt = {
        "nan": "the filter has its own length: a NaN in a tap of the window that it leaves out does not come out",
        "ties": "a filter ranks nothing",
    }
    disagreements = (
        "LiQiufu/WaveCNet and fbcotter/pytorch_wavelets give the orthonormal band, 2 y for two dimensions.",
        "fbcotter/pytorch_wavelets gives (n + length - 1) / 2 elements unless its mode is periodization; here it is "
        "always n / 2 for 2x2 windows. Its periodization repeats the last element of an odd n first, `periodic` does "
        "not.",
        "Williams and Li (ICLR 2018) drop the details of level 1 and rebuild it from level 2; one level is left here.",
    )

    @staticmethod
    def formula(windows: Windows, wavelet: str = "haar", mode: str = "symmetric") -> Tensor:
        """Filter and subsample along each axis."""
        taps = FILTERS[wavelet]
        band = windows.input
        for axis in range(windows.dims):
            band = _low_band(band, windows, axis, [tap / sum(taps) for tap in taps], mode)
        return band


def _low_band(input: Tensor, windows: Windows, axis: int, weights: list[float], mode: str) -> Tensor:
    """Return the sum of the weighted elements along an axis, at the geometry's stride."""
    g, length = windows.geometry, len(weights)
    first = -g.padding[axis] - (length - g.span(axis)) // 2
    extent = (windows.output_size[axis] - 1) * g.stride[axis] + length
    ones = [1] * g.dims
    kernel, stride = ((*ones[:axis], size, *ones[axis + 1 :]) for size in (length, g.stride[axis]))
    line = Geometry(kernel, stride, (0,) * g.dims, tuple(ones), False)
    taps = Windows(_extended(input, axis + 2, first, extent, mode), line).taps(0.0)
    return total([weight * tap for weight, tap in zip(weights, taps, strict=True) if weight])


def _extended(input: Tensor, dim: int, first: int, extent: int, mode: str) -> Tensor:
    """Return the elements first, first + 1, ... of an axis, which begins with element 0 and goes on by the mode."""
    length = input.shape[dim]
    open = is_open(length, extent)
    if not open and first >= 0 and first + extent <= length:
        return input.narrow(dim, first, extent)
    places = torch.arange(first, first + extent, device=input.device)
    if mode == "periodic":
        return input.index_select(dim, places % (as_tensor(length, input) if open else length))
    # There and back again: after the last element comes itself (symmetric) or the one before it (reflect).
    repeated = 1 if mode == "symmetric" else 0
    whole = 2 * (length - 1 + repeated)
    period: Any = as_tensor(whole, input).clamp(min=1) if open else max(whole, 1)
    places = places % period
    return input.index_select(dim, torch.minimum(places, period - repeated - places))
