"""A small VGG with batch normalisation: three stages of two convolutions, a pooling after each stage."""

import torch
from torch import nn

from poolab.backbones.base import Backbone
from poolab.backbones.initialise import he_normal
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled
from poolab.errors import ConfigError


class VGGSmall(Backbone):
    """Stages of `width`, 2 `width` and 4 `width` channels, two padded 3x3 convolutions with BN and ReLU in each.

    Weights start He-normal. Slots: pool1 to pool3 (max 2x2) after the stages, and the head (global_avg).
    """

    channels_last_on = ("cpu",)

    def __init__(
        self,
        slots: SlotFiller,
        *,
        in_channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        width: int = 64,
        width_mult: float = 1.0,
    ) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        if not isinstance(width, int) or width < 1:
            raise ConfigError(f"{self.name}: width={width!r} is not a positive integer (the channels of stage 1).")
        first, second, third = (scaled(factor * width, width_mult) for factor in (1, 2, 4))
        self.stage1 = _stage(in_channels, first)
        self.pool1 = slots.fill("pool1", channels=first, own="max", kernel_size=2)
        self.stage2 = _stage(first, second)
        self.pool2 = slots.fill("pool2", channels=second, own="max", kernel_size=2)
        self.stage3 = _stage(second, third)
        self.pool3 = slots.fill("pool3", channels=third, own="max", kernel_size=2)
        self.head = slots.fill_head(channels=third, own="global_avg")
        self.classifier = nn.Linear(self.close(slots), num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the third pooled map."""
        first = self.pool1(self.stage1(images))
        second = self.pool2(self.stage2(first))
        return self.pool3(self.stage3(second))

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as He et al. do."""
        he_normal(module)


def _stage(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(*_conv_bn_relu(channels, width), *_conv_bn_relu(width, width))


def _conv_bn_relu(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
