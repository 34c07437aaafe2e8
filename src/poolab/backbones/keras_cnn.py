"""The Keras CNN of Mukherjee ("A Comprehensive Exploration of Pooling in Neural Networks") in torch."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.initialise import glorot_uniform
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled


class KerasCNN(Backbone):
    """Valid 3x3 convolutions of 32 and 64 channels with a 2x2 maximum after each, flatten, dense 64, classes.

    Weights start Glorot-uniform, biases at zero. Slots: pool1, pool2, and the head (default "flatten").
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
        first, second, dense = (scaled(channels, width_mult) for channels in (32, 64, 64))
        self.conv1 = nn.Conv2d(in_channels, first, 3)
        self.pool1 = slots.fill("pool1", channels=first, own="max", kernel_size=2)
        self.conv2 = nn.Conv2d(first, second, 3)
        self.pool2 = slots.fill("pool2", channels=second, own="max", kernel_size=2)
        self.head = slots.fill_head(channels=second, own="flatten")
        self.classifier = nn.Sequential(nn.Linear(self.close(slots), dense), nn.ReLU(), nn.Linear(dense, num_classes))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the second pooled map."""
        first = self.pool1(F.relu(self.conv1(images)))
        return self.pool2(F.relu(self.conv2(first)))

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as Keras does."""
        glorot_uniform(module)
