"""A trained network as other programs get it: normalisation and probabilities inside, uint8 images outside."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from poolab.data import affine
from poolab.pooling.core import Pool


class Deployed(nn.Module):
    """A network from uint8 images to probabilities and logits, in evaluation mode on the CPU.

    Args:
        network: from normalised images (N, C, H, W) to logits (N, classes, ...); it is copied.
        mean, std: of the training images, one number a channel, in units of 0..1.
        dtype: what the network computes in; normalisation and probabilities are float32.

    >>> deployed = Deployed(nn.Flatten(), (0.5,), (0.25,))
    >>> [tuple(output.shape) for output in deployed(torch.zeros(2, 1, 2, 2, dtype=torch.uint8))]
    [(2, 4), (2, 4)]
    """

    scale: Tensor
    bias: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to("cpu", dtype).requires_grad_(False)
        self.dtype = dtype
        scale, bias = affine(tuple(mean), tuple(std), torch.device("cpu"), torch.float32)
        self.register_buffer("scale", scale.clone())
        self.register_buffer("bias", bias.clone())
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits, float32 (N, classes, ...), of uint8 images (N, C, H, W)."""
        logits = self.network(self.normalised(images).to(self.dtype)).float()
        return logits.softmax(1), logits

    @property
    def poolings(self) -> tuple[str, ...]:
        """The names of the modules that pool."""
        return tuple(name for name, module in self.named_modules() if isinstance(module, Pool))

    def normalised(self, images: Tensor) -> Tensor:
        """Return the images as the training normalised them, in the same order of operations."""
        return images.to(torch.float32).mul(self.scale).add(self.bias)
