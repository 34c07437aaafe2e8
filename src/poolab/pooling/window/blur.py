"""Anti-aliased subsampling: a binomial blur before the elements are thrown away."""

from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Integer
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window._binomial import blurred, dense_lengths, dense_maximum
from poolab.pooling.window_pool import WindowPool2d

ZHANG_2019 = Reference("Zhang", 2019, "arXiv:1904.11486")
PADDING_MODES = ("reflect", "replicate", "circular", "zeros")
EXEMPT = {
    "nan": "the filter reaches beyond the window and leaves out taps of it, and so does its NaN",
    "ties": "the filter's weights go by place, the largest in its middle",
}
DISAGREEMENTS = (
    "adobe/antialiased-cnns and kornia take no kernel and give ceil(size / stride) outputs; here the size is that of "
    "nn.MaxPool2d: the same for kernel 3, stride 2, padding 1, one less for kernel 2, stride 2 on odd sizes.",
    "timm's BlurPool2d pads an even filter alike on both sides, so that it is centred one element earlier and an even "
    "size gives one row and column more (8x8, stride 2: 5x5).",
    "kornia pads with zeros, so that constants darken at the border (its documentation says so, antialiased-cnns does "
    "not do it); here only padding_mode='zeros' does.",
    "adobe and timm refuse to reflect a map that is not larger than the pad (adobe/antialiased-cnns#47), here it is "
    "replicated; with zeros they and kornia darken it further, here it is replicated too.",
)


@register("blur")
class BlurPool2d(WindowPool2d):
    """Apply blur pooling, a binomial filter and a stride: y_i = sum_j b_j x_(i s + j - c) along each axis, b_j =
    binom(f - 1, j) / 2^(f - 1).

    f is `filter_size`, c = floor((f - 1) / 2) and s the stride: output i is centred on the element i * stride (the last
    element, where that lies outside), whatever the kernel, padding and dilation, which set the size alone. That is the
    rule of `Subsample2d`, which `filter_size=1` is. A filter of even size reaches one element further behind its
    centre, so that `filter_size=2` with stride 2 is average pooling on even sizes.

    Args:
        filter_size: the binomial filter's size along each axis: 3 is (1, 2, 1) / 4, 4 is (1, 3, 3, 1) / 8.
        padding_mode: what the filter sees beyond the map: "reflect", "replicate", "circular" or "zeros"; along an axis
            that is not longer than the pad, "reflect" and "zeros" are "replicate". All but "zeros" keep a constant map.

    Example:
        >>> import torch
        >>> BlurPool2d(2, filter_size=3)(torch.tensor([[[0.0, 0.0, 4.0, 4.0]] * 4])).tolist()
        [[[0.0, 3.0], [0.0, 3.0]]]
    """

    reference = ZHANG_2019
    positional = True
    options = {"filter_size": Integer(4, most=64), "padding_mode": Choice("reflect", PADDING_MODES)}
    exempt = EXEMPT
    disagreements = DISAGREEMENTS

    @staticmethod
    def formula(windows: Windows, filter_size: int = 4, padding_mode: str = "reflect") -> Tensor:
        """Compute sum_j b_j x_(i s + j - c) along each axis."""
        return blurred(windows.input, filter_size, padding_mode, windows.geometry.stride, windows.output_size)


@register("max_blur")
class MaxBlurPool2d(WindowPool2d):
    """Apply max-blur pooling, maxima at stride 1 and a blur: y_i = sum_j b_j m_(i s + j - c) with m_l the maximum
    of window l.

    The maxima are those of the kernel's real taps at every place, stride 1; output i is centred on the maximum of
    window i. Blur and weights are those of `BlurPool2d`; the padding mode is for the map of maxima.

    Args:
        filter_size: the binomial filter's size along each axis.
        padding_mode: what the filter sees beyond the map of maxima, as for `BlurPool2d`.

    Example:
        >>> import torch
        >>> MaxBlurPool2d(2)(torch.tensor([[[0.0, 0.0, 0.0, 4.0]] * 4])).tolist()
        [[[0.0, 2.0], [0.0, 2.0]]]
    """

    reference = ZHANG_2019
    positional = True
    options = {"filter_size": Integer(3, most=64), "padding_mode": Choice("reflect", PADDING_MODES)}
    exempt = EXEMPT
    disagreements = (
        *DISAGREEMENTS,
        "kornia's MaxBlurPool2D takes the maxima without padding, so that kernel 3, stride 2 gives one row and column "
        "less than half of an even size and than nn.MaxPool2d with padding 1 (kornia/kornia#426).",
    )

    @staticmethod
    def formula(windows: Windows, filter_size: int = 3, padding_mode: str = "reflect") -> Tensor:
        """Compute sum_j b_j m_(i s + j - c) along each axis, m_l = max of window l at stride 1."""
        maxima, lengths = dense_maximum(windows), dense_lengths(windows) if windows.is_open else None
        return blurred(maxima, filter_size, padding_mode, windows.geometry.stride, windows.output_size, lengths)
