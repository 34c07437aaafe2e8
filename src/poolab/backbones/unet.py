"""The U-Net (Ronneberger et al. 2015, arXiv:1505.04597): four pooled stages down, four up, a score for every pixel."""

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import PixelBackbone
from poolab.backbones.initialise import he_normal
from poolab.backbones.slots import SlotFiller
from poolab.backbones.width import scaled
from poolab.errors import ConfigError

STAGES = 4


class UNet(PixelBackbone):
    """Stages of `width`, 2, 4 and 8 `width` channels, each followed by a pooling; 16 `width` at the bottom; and back.

    Every stage is two 3x3 convolutions with BN and ReLU. They are padded, so that the scores have the images' size (the
    paper crops), and normalised, which the paper of 2015 is not. On the way up a map is enlarged to the size of the
    stage's map on the way down, joined with it and convolved twice. Bilinear interpolation to that very size takes the
    place of the paper's up-convolution: images of any size and poolings of any geometry fit, also those that keep the
    size. Weights start He-normal. Slots: pool1 to pool4 (max 2x2). There is no head.

    Args:
        width: the channels of stage 1; the paper has 64.
        width_mult: all channels times this number, see `scaled`.
    """

    channels_last_on = ("cpu",)

    def __init__(
        self,
        slots: SlotFiller,
        *,
        in_channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        width: int = 8,
        width_mult: float = 1.0,
    ) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise ConfigError(f"{self.name}: width={width!r} is not a positive integer (the channels of stage 1).")
        widths = [scaled(width * 2**i, width_mult) for i in range(STAGES + 1)]
        self.down, self.pools, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(STAGES):
            self.down.append(_stage(widths[i - 1] if i else in_channels, widths[i]))
            self.pools.append(slots.fill(f"pool{i + 1}", channels=widths[i], own="max", kernel_size=2))
            self.up.append(UpStage(widths[i + 1], widths[i]))
        self.bottom = _stage(widths[-2], widths[-1])
        self.classifier = nn.Conv2d(self.close(slots), num_classes, 1)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the map behind the last stage, (N, width, H, W), which is as large as the images."""
        x, skips = images, []
        for down, pool in zip(self.down, self.pools, strict=True):
            skips.append(down(x))
            x = pool(skips[-1])
        x = self.bottom(x)
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = up(x, skip)
        return x

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as He et al. do."""
        he_normal(module)


class UpStage(nn.Module):
    """Halve the channels, enlarge to the skip's size, join both, convolve twice: (N, C, h, w) to (N, width, H, W)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        # The paper's 2x2 up-convolution gives each pixel one matrix product with the pixel below it, which is what a
        # 1x1 convolution does. It commutes with the interpolation, whose weights sum to 1, and comes before it: on a
        # quarter of the pixels.
        self.reduce = nn.Conv2d(channels, width, 1)
        self.stage = _stage(2 * width, width)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return the stage's map, of the skip's size."""
        size = skip.shape[-2:]
        enlarged = F.interpolate(self.reduce(x), size=size, mode="bilinear", align_corners=False)
        return self.stage(torch.cat([skip, enlarged], dim=1))


def _stage(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(*_conv_bn_relu(channels, width), *_conv_bn_relu(width, width))


def _conv_bn_relu(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
