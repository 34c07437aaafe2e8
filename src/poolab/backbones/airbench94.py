"""airbench94's network (Jordan 2024, arXiv:2404.00498): a whitening layer, three blocks, four maxima."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones.base import Backbone
from poolab.backbones.slots import SlotFiller
from poolab.backbones.whitening import PATCH, patch_filters
from poolab.backbones.width import scaled

SCALE = 1 / 9  # of the class scores


class Airbench94(Backbone):
    """A frozen 2x2 whitening convolution, then blocks of 64, 256 and 256 channels, and a 3x3 maximum.

    Re-implemented from the paper: the layers, and how their weights start. The whitening layer has two filters for each
    direction of a 2x2 patch (24 for colour images), a learnable bias and frozen weights; each block is convolution,
    pooling, BN, GELU, convolution, BN, GELU; BN has no learnable scale and a short memory; the classifier has no bias
    and gives a ninth of its product. Every other convolution starts with its input in its first channels, and as
    torch's layers start in the rest; the classifier starts as torch's.
    The training recipe is not: Nesterov SGD with 64 times the rate for the biases of BN, the end of the whitening
    bias' training after three epochs, lookahead, alternating flip, half precision, six-crop test augmentation. Its 94 %
    of CIFAR-10 in 9.9 epochs are therefore not to be expected here.

    The whitening filters come from the training images (`fit_to`), as `train.py` does it. Until then they are a random
    orthonormal basis of the patches from the seed: the whitening of images whose pixels are independent. They do not
    take part in `width_mult`.

    Slots: pool1 to pool3 (max 2x2) in the blocks, pool4 (max 3x3) after them, and the head (default "flatten").
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
        first, second, third = (scaled(channels, width_mult) for channels in (64, 256, 256))
        patches = 2 * in_channels * PATCH**2
        self.whiten = nn.Conv2d(in_channels, patches, PATCH)
        self.whiten.weight.requires_grad_(False)
        self.block1 = Block(slots, "pool1", patches, first)
        self.block2 = Block(slots, "pool2", first, second)
        self.block3 = Block(slots, "pool3", second, third)
        self.pool4 = slots.fill("pool4", channels=third, own="max", kernel_size=3)
        self.head = slots.fill_head(channels=third, own="flatten")
        self.classifier = nn.Sequential(nn.Linear(self.close(slots), num_classes, bias=False), Scale(SCALE))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the fourth pooled map, which has one pixel for a 32x32 image."""
        patches = F.gelu(self.whiten(images))
        return self.pool4(self.block3(self.block2(self.block1(patches))))

    def fit_to(self, batches: Iterable[torch.Tensor]) -> None:
        """Set the whitening filters to those of the images' patches (see `patch_filters`)."""
        with torch.no_grad():
            self.whiten.weight.copy_(patch_filters(batches))

    def reset_module(self, module: nn.Module) -> None:
        """Initialise as torch does; convolutions start as the identity on their first channels, the whitening as
        orthonormal.
        """
        module.reset_parameters()  # type: ignore[operator]
        if module is self.whiten:
            half = len(self.whiten.weight) // 2
            nn.init.orthogonal_(self.whiten.weight[:half])
            self.whiten.weight[half:] = -self.whiten.weight[:half]
            nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]
        elif isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight[: module.in_channels])


class Block(nn.Module):
    """Convolution, the pooling of a slot, BN, GELU, convolution, BN, GELU; (N, channels, H, W) to (N, width, h, w)."""

    def __init__(self, slots: SlotFiller, slot: str, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.pool = slots.fill(slot, channels=width, own="max", kernel_size=2)
        self.bn1 = _shifting_norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = _shifting_norm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        pooled = F.gelu(self.bn1(self.pool(self.conv1(x))))
        return F.gelu(self.bn2(self.conv2(pooled)))


class Scale(nn.Module):
    """A fixed factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the factor times x."""
        return self.factor * x


def _shifting_norm(channels: int) -> nn.BatchNorm2d:
    """Return the paper's batch normalisation: no learned scale, running statistics that keep 0.6 at each step."""
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm
