"""ResNet-20 for small images (He et al. 2016, arXiv:1512.03385, section 4.2), whose down-sampling is a slot."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.initialise import he_normal
from poolab.backbones.residual import BasicBlock, DownBlock
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled

BLOCKS = 3  # in each stage: 6 * 3 + 2 = 20 layers


class ResNet20(Backbone):
    """A convolution of 16 channels, then stages of 16, 32 and 64 channels of three basic blocks each.

    Weights start He-normal. Slots: stage2 and stage3, where a strided convolution halves the map, and where
    a filled slot is the same convolution with stride 1, BN, ReLU and the pooling; and the head (global_avg).
    """

    channels_last_on = ("cpu",)

    def __init__(
        self,
        slots: SlotFiller,
        *,
        in_channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        width_mult: float = 1.0,
    ) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        first, second, third = (scaled(channels, width_mult) for channels in (16, 32, 64))
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.stage1 = nn.Sequential(BasicBlock(first, first), *_rest(first))
        self.stage2 = nn.Sequential(DownBlock(slots, "stage2", first, second), *_rest(second))
        self.stage3 = nn.Sequential(DownBlock(slots, "stage3", second, third), *_rest(third))
        self.head = slots.fill_head(channels=third, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the map of the third stage."""
        stem = F.relu(self.bn1(self.conv1(images)))
        return self.stage3(self.stage2(self.stage1(stem)))

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as He et al. do."""
        he_normal(module)


def _rest(width: int) -> list[BasicBlock]:
    return [BasicBlock(width, width) for _ in range(1, BLOCKS)]
