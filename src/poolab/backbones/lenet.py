"""LeNet-5 (LeCun et al. 1998) with ReLUs, as pooling studies have it."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled


class LeNet(Backbone):
    """5x5 convolutions without padding of 6, 16 and 120 channels, a 2x2 maximum after the first two, dense 84, classes.

    Each layer but the last has a ReLU; the original has tanh, sums with a learned gain as pooling, and not all maps
    connected. Weights start as torch's layers do. Images of 32x32 or larger. Slots: pool1, pool2, and the head (default
    "flatten").
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
        first, second, third, dense = (scaled(channels, width_mult) for channels in (6, 16, 120, 84))
        self.conv1 = nn.Conv2d(in_channels, first, 5)
        self.pool1 = slots.fill("pool1", channels=first, own="max", kernel_size=2)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.pool2 = slots.fill("pool2", channels=second, own="max", kernel_size=2)
        self.conv3 = nn.Conv2d(second, third, 5)
        self.head = slots.fill_head(channels=third, own="flatten")
        self.classifier = nn.Sequential(nn.Linear(self.close(slots), dense), nn.ReLU(), nn.Linear(dense, num_classes))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the map of the third convolution."""
        first = self.pool1(F.relu(self.conv1(images)))
        second = self.pool2(F.relu(self.conv2(first)))
        return F.relu(self.conv3(second))
