"""The control arms: reduction without pooling."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference, memory_format
from poolab.pooling.core.open_sizes import is_open
from poolab.pooling.core.options import Integer, flag
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@register("strided_conv")
class StridedConv2d(WindowPool2d):
    """Apply a strided convolution in place of a pooling: y = b + sum_c sum_i w_ci x_ci.

    Missing taps are zeros, as in any convolution. It adds channels * channels / groups * n weights (and a bias), so
    that an arm with it is larger than the others.

    Args:
        channels: the number of channels, kept.
        groups: as in `torch.nn.Conv2d`; `channels` groups make it depthwise.
        bias: whether it has a bias.

    Example:
        >>> StridedConv2d(2, channels=3)(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 3, 2, 2])
    """

    reference = Reference("Springenberg et al.", 2015, "arXiv:1412.6806")
    learns = "always"
    uses_channels = "always"
    positional = True
    groups: int
    has_bias: bool
    options = {"groups": Integer(1, most=65536), "bias": flag(True)}
    exempt = {
        "padding": "a convolution needs a value at every position: missing taps are zeros",
        "nan": "a convolution mixes the channels, so NaN reaches the other channels of its window",
        "ties": "a convolution ranks nothing",
    }
    disagreements = (
        "The paper's all-convolutional network replaces a 3x3/2 pooling by a 3x3/2 convolution and a ReLU; this layer "
        "is the convolution alone, with the window of the pooling that it replaces.",
        "Keras' padding='same' puts the odd element of padding after the map, torch's padding puts as much before it: "
        "with kernel size 3, stride 2 and an even map the two sample other places.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that the groups divide the channels."""
        if self.channels and self.channels % self.groups:
            yield f"groups={self.groups} must divide channels={self.channels}"

    def build(self) -> None:
        """Make the convolution."""
        assert self.channels is not None
        g, conv = self.geometry, CONV[self.dims]
        self.conv = conv(
            self.channels, self.channels, g.kernel_size, g.stride, 0, g.dilation, groups=self.groups, bias=self.has_bias
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Give a weight or bias to the convolution, as `torch.nn.utils.fuse_conv_bn_eval` does; keep the rest."""
        if name in ("weight", "bias") and "conv" in self._modules:
            setattr(self.conv, name, value)
        else:
            super().__setattr__("has_bias" if name == "bias" else name, value)

    @property
    def weight(self) -> Tensor:
        """Return the convolution's weight: initialisers look for it in every class with "Conv" in its name."""
        return self.conv.weight

    @property
    def bias(self) -> Tensor | None:
        """Return the convolution's bias, or None."""
        return self.conv.bias

    def _given(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self.options if name != "bias"} | {"bias": self.has_bias}
        return {name: value for name, value in given.items() if value != self.options[name].default}

    @staticmethod
    def formula(windows: Windows, conv: nn.Module) -> Tensor:
        """Compute conv(x with zeros where the windows reach beyond it)."""
        return conv(windows.padded(0.0))


@register("space_to_depth")
class SpaceToDepth2d(WindowPool2d):
    """Apply space to depth and a 1x1 convolution: y = b + W (x_c1 ... x_cn for all c), the window's values side by
    side as channels.

    With kernel size equal to stride nothing is lost before the projection (`torch.nn.functional.pixel_unshuffle`).
    Missing taps are zeros. The projection of the taps of a window is a convolution with that window, so that this arm
    can compute exactly what `strided_conv` can, from a start of the same distribution; it keeps a name of its own
    because papers compare the two as if they were not one.

    Args:
        channels: the number of channels that come in.
        project: a 1x1 convolution with a bias back to `channels`; without it channels * n come out, channel by channel,
            each with its n taps in raster order.

    Example:
        >>> pool = SpaceToDepth2d(2, channels=1, project=False)
        >>> pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).flatten().tolist()
        [1.0, 2.0, 4.0, 3.0]
    """

    reference = Reference("Sunkara, Luo", 2022, "arXiv:2208.03641")
    learns = "always"
    uses_channels = "always"
    positional = True
    project: bool = True
    options = {"project": flag(True)}
    exempt = {
        "padding": "a projection needs a value at every position: missing taps are zeros",
        "nan": "the projection mixes the channels, so NaN reaches the other channels of its window",
        "ties": "a projection ranks nothing",
    }
    disagreements = (
        "LabSAINT/SPD-Conv issue 5 asks what tells it from a convolution with kernel size equal to stride: nothing "
        "does.",
        "LabSAINT/SPD-Conv, tf.nn.space_to_depth and ONNX's DCR mode order the channels tap by tap; here, as in "
        "torch.nn.PixelUnshuffle and ONNX's CRD mode, they go channel by channel.",
    )

    def build(self) -> None:
        """Make the projection."""
        assert self.channels is not None
        in_channels = self.channels * self.geometry.taps
        self.projection = CONV[self.dims](in_channels, self.channels, 1) if self.project else None

    def out_channels(self, channels: int) -> int:
        """Return `channels`, or that many times the taps of the window."""
        return channels if self.project else channels * self.geometry.taps

    @staticmethod
    def formula(windows: Windows, projection: Any) -> Tensor:
        """Compute W (x_c1 ... x_cn for all c) + b."""
        g = windows.geometry
        if projection is None:
            return torch.stack(windows.taps(0.0), 2).flatten(1, 2)
        # By one convolution over the map, which holds no copy of each window's taps.
        weight = projection.weight.unflatten(1, (-1, g.taps)).view(-1, windows.input.shape[1], *g.kernel_size)
        return CONVOLVE[windows.dims](windows.padded(0.0), weight, projection.bias, g.stride, 0, g.dilation)


@register("subsample")
class Subsample2d(WindowPool2d):
    """Apply plain subsampling; output (i, j) is the element (i * stride, j * stride), or the last one where that lies
    outside.

    With kernel size equal to stride it is x[..., ::s, ::s]; the window's other taps are thrown away.

    Example:
        >>> Subsample2d(2)(torch.arange(16.0).view(1, 4, 4)).flatten().tolist()
        [0.0, 2.0, 8.0, 10.0]
    """

    reference = Reference("Springenberg et al.", 2015, "arXiv:1412.6806")
    positional = True
    exempt = {
        "nan": "a NaN that is thrown away does not come out",
        "ties": "subsampling ranks nothing",
    }
    disagreements = (
        "x[..., ::s, ::s] keeps the last row of a map of odd size; here, as for every pooling, the size is "
        "nn.MaxPool2d's, and a window that does not fit gives nothing (with ceil_mode=True both agree).",
        "nn.MaxPool2d(1, s), which torchvision's feature pyramid uses to subsample, is this layer with kernel size 1.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute x[i * stride, j * stride]."""
        picked = windows.input
        for axis, (step, out) in enumerate(zip(windows.geometry.stride, windows.output_size, strict=True)):
            picked = _every(picked, axis + 2, step, out)
        return picked.clone(memory_format=memory_format(windows.input))  # never a view of the input


def _every(input: Tensor, dim: int, step: int, count: int) -> Tensor:
    stop = (count - 1) * step + 1
    if not is_open(stop, input.shape[dim]) and stop <= input.shape[dim]:
        return input[(slice(None),) * dim + (slice(None, stop, step),)]
    places = torch.arange(count, device=input.device) * step
    return input.index_select(dim, places.clamp(max=input.shape[dim] - 1))
