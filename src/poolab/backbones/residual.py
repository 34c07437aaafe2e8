"""Basic residual blocks (He et al. 2016, arXiv:1512.03385) whose down-sampling is a slot."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.slots import SlotFiller


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with BN, added to what came in: (N, channels, H, W) to (N, width, h, w)."""

    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool: nn.Module = nn.Identity()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        main = self.pool(F.relu(self.bn1(self.conv1(x))))
        return F.relu(self.bn2(self.conv2(main)) + self.shortcut(x, main))

    def shortcut(self, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """Return what is added to the main path: here the input itself."""
        return x


class DownBlock(BasicBlock):
    """A basic block that halves the map and widens it; its first convolution is a slot.

    The shortcut is He's option A: it subsamples and pads the new channels with zeros, so it has no parameters.
    """

    def __init__(self, slots: SlotFiller, slot: str, channels: int, width: int) -> None:
        super().__init__(channels, width, stride=2)
        self.pool = slots.fill_strided_conv(slot, self.conv1)
        self.stride = slots.stride_of(slot)

    def shortcut(self, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """Return every `stride`-th pixel of the input, cropped to the main path's size, with zeros for the new
        channels.

        Raises:
            ValueError: the pooling's geometry leaves more pixels than every `stride`-th of the input.
        """
        (sh, sw), (height, width) = self.stride, main.shape[-2:]
        # An odd map: a convolution with padding rounds up, a pooling rounds down and drops the last row and column.
        kept = self.fitting(x[:, :, ::sh, ::sw][:, :, :height, :width], x, main)
        return F.pad(kept, (0, 0, 0, 0, 0, main.shape[1] - x.shape[1]))

    def fitting(self, kept: torch.Tensor, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """Return the part of `x` that the shortcut keeps, cropped to the main path; raise ValueError if the main path
        has more pixels.
        """
        if kept.shape[-2:] != main.shape[-2:]:
            found, wanted, given = ("x".join(map(str, each.shape[-2:])) for each in (kept, main, x))
            raise ValueError(
                f"the pooling turns a map of {given} into {wanted}, but the shortcut around it "
                f"has only {found} pixels with stride {self.stride}; use less padding"
            )
        return kept


class ProjectedBlock(DownBlock):
    """A basic block that halves the map, with He's option B for a shortcut: a strided 1x1 convolution and BN."""

    def __init__(self, slots: SlotFiller, slot: str, channels: int, width: int) -> None:
        super().__init__(slots, slot, channels, width)
        self.projection = nn.Sequential(nn.Conv2d(channels, width, 1, self.stride, bias=False), nn.BatchNorm2d(width))

    def shortcut(self, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """Return the projection of every `stride`-th pixel of the input, as many as the main path has.

        Raises:
            ValueError: the pooling's geometry leaves more pixels than every `stride`-th of the input.
        """
        (sh, sw), (height, width) = self.stride, main.shape[-2:]
        # Cut before it is projected, so that the normalisation counts no pixel that is then dropped.
        return self.fitting(self.projection(x[:, :, : sh * height, : sw * width]), x, main)
