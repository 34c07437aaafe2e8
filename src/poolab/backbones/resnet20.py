"""ResNet-20 for small images (He et al. 2016, arXiv:1512.03385, section 4.2), whose down-sampling is a slot."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.initialise import he_normal
from poolab.backbones.slots import SlotFiller

BLOCKS = 3  # in each stage: 6 * 3 + 2 = 20 layers


class ResNet20(Backbone):
    """A convolution of 16 channels, then stages of 16, 32 and 64 channels of three basic blocks each.

    Weights start He-normal. Slots: stage2 and stage3, where a strided convolution halves the map by itself and where
    a filled slot is the same convolution with stride 1, BN, ReLU and the pooling; and the head (global_avg).
    """

    def __init__(self, slots: SlotFiller, *, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(*(BasicBlock(16, 16) for _ in range(BLOCKS)))
        self.stage2 = nn.Sequential(DownBlock(slots, "stage2", 16, 32), *(BasicBlock(32, 32) for _ in range(1, BLOCKS)))
        self.stage3 = nn.Sequential(DownBlock(slots, "stage3", 32, 64), *(BasicBlock(64, 64) for _ in range(1, BLOCKS)))
        self.head = slots.fill_head(channels=64, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The map of the third stage."""
        stem = F.relu(self.bn1(self.conv1(images)))
        return self.stage3(self.stage2(self.stage1(stem)))

    def reset_module(self, module: nn.Module) -> None:
        """He's start."""
        he_normal(module)


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
        """The block's output."""
        main = self.pool(F.relu(self.bn1(self.conv1(x))))
        return F.relu(self.bn2(self.conv2(main)) + self.shortcut(x, main))

    def shortcut(self, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """What is added to the main path: here the input itself."""
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
        """Every `stride`-th pixel of the input, cut to the main path's size, with zeros for the new channels.

        Raises:
            ValueError: the pooling's geometry leaves more pixels than every `stride`-th of the input.
        """
        (sh, sw), (height, width) = self.stride, main.shape[-2:]
        # An odd map: a convolution with padding rounds up, a pooling rounds down and drops the last row and column.
        kept = x[:, :, ::sh, ::sw][:, :, :height, :width]
        if kept.shape[-2:] != main.shape[-2:]:
            found, wanted = "x".join(map(str, kept.shape[-2:])), f"{height}x{width}"
            raise ValueError(
                f"the pooling turns a map of {x.shape[-2]}x{x.shape[-1]} into {wanted}, but the shortcut around it "
                f"has only {found} pixels with stride {self.stride}; use less padding"
            )
        return F.pad(kept, (0, 0, 0, 0, 0, main.shape[1] - x.shape[1]))
