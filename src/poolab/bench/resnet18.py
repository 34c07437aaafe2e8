"""ResNet-18 for small images (He et al. 2016, arXiv:1512.03385), whose three strided stages are pooling slots."""

import torch
from torch import nn

from poolab.backbones import Backbone, SlotFiller
from poolab.backbones.initialise import he_normal
from poolab.backbones.resnet20 import BasicBlock, DownBlock

SLOTS = ("stage2", "stage3", "stage4")


class ResNet18(Backbone):
    """A 3x3 convolution of `width` channels without a pooling behind it, then four stages of two basic blocks each.

    That is the usual form for 32x32 images: the stem of the ImageNet form, with its maximum, would leave 8x8 of them. A
    filled slot is the stage's first convolution with stride 1, BN, ReLU and the pooling.
    """

    def __init__(
        self,
        slots: SlotFiller,
        *,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: tuple[int, int] = (32, 32),
        width: int = 64,
    ) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        blocks: list[nn.Module] = [BasicBlock(width, width), BasicBlock(width, width)]
        for slot in SLOTS:
            blocks += [ProjectedBlock(slots, slot, width, 2 * width), BasicBlock(2 * width, 2 * width)]
            width *= 2
        self.stages = nn.Sequential(*blocks)
        self.head = slots.fill_head(channels=width, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The map of the fourth stage."""
        return self.stages(self.stem(images))

    def reset_module(self, module: nn.Module) -> None:
        """He's start."""
        he_normal(module)


class ProjectedBlock(DownBlock):
    """A basic block that halves the map, with He's option B for a shortcut: a strided 1x1 convolution and BN."""

    def __init__(self, slots: SlotFiller, slot: str, channels: int, width: int) -> None:
        super().__init__(slots, slot, channels, width)
        self.projection = nn.Sequential(nn.Conv2d(channels, width, 1, self.stride, bias=False), nn.BatchNorm2d(width))

    def shortcut(self, x: torch.Tensor, main: torch.Tensor) -> torch.Tensor:
        """The projected input, cut to the main path's size where a map is odd."""
        return self.projection(x)[:, :, : main.shape[2], : main.shape[3]]
