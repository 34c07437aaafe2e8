"""The PyTorch CNN of the hosting tutorial "Pooling in Convolutional Neural Networks - Explained" (`CNNWithPooling`)."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled


class TorchCNN(Backbone):
    """Valid 3x3 convolutions of 32 and 64 channels, a 2x2 maximum after one and a 2x2 average after the other, classes.

    Weights start as torch's layers start. Slots: pool1 (max), pool2 (avg), and the head (global_avg).
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
        first, second = (scaled(channels, width_mult) for channels in (32, 64))
        self.conv1 = nn.Conv2d(in_channels, first, 3)
        self.pool1 = slots.fill("pool1", channels=first, own="max", kernel_size=2)
        self.conv2 = nn.Conv2d(first, second, 3)
        self.pool2 = slots.fill("pool2", channels=second, own="avg", kernel_size=2)
        self.head = slots.fill_head(channels=second, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the second pooled map."""
        first = self.pool1(F.relu(self.conv1(images)))
        return self.pool2(F.relu(self.conv2(first)))
