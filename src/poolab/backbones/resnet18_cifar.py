"""ResNet-18 for small images (He et al. 2016, arXiv:1512.03385), whose three strided stages are slots."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.initialise import he_normal
from poolab.backbones.residual import BasicBlock, ProjectedBlock
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled


class ResNet18(Backbone):
    """A 3x3 convolution without a pooling behind it, then stages of 64, 128, 256 and 512 channels of two basic blocks.

    That is the form in which papers train ResNet-18 on CIFAR: of a 32x32 image the stem of the ImageNet form, with its
    stride and its maximum, would leave 8x8 pixels. Where the map is halved the shortcut is He's option B, a strided 1x1
    convolution with BN; it follows the pooling's stride. Weights start He-normal.

    Slots: stage2, stage3 and stage4, where a strided convolution halves the map, and where a filled slot is
    the same convolution with stride 1, BN, ReLU and the pooling; and the head (global_avg).
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
        first, second, third, fourth = (scaled(channels, width_mult) for channels in (64, 128, 256, 512))
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.stage1 = nn.Sequential(BasicBlock(first, first), BasicBlock(first, first))
        self.stage2 = nn.Sequential(ProjectedBlock(slots, "stage2", first, second), BasicBlock(second, second))
        self.stage3 = nn.Sequential(ProjectedBlock(slots, "stage3", second, third), BasicBlock(third, third))
        self.stage4 = nn.Sequential(ProjectedBlock(slots, "stage4", third, fourth), BasicBlock(fourth, fourth))
        self.head = slots.fill_head(channels=fourth, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the map of the fourth stage."""
        stem = F.relu(self.bn1(self.conv1(images)))
        return self.stage4(self.stage3(self.stage2(self.stage1(stem))))

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as He et al. do."""
        he_normal(module)
