"""Predict the classes of changed images: the pass over a set that all robustness measures share."""

from collections.abc import Callable

import torch
from torch import Tensor

from poolab.errors import DataError
from poolab.measure.parts import in_parts

Predict = Callable[[Tensor], Tensor]  # uint8 images (N, C, H, W) to logits (N, classes)
Change = Callable[[Tensor, Tensor], Tensor]  # uint8 images and their places in the set, to the images as they are shown


def predictions(
    predict: Predict,
    images: Tensor,
    *,
    change: Change | None = None,
    batch_size: int = 512,
    device: torch.device | str | None = None,
) -> Tensor:
    """Predict the class of each image, int64 (N,) on the CPU, without gradients.

    Args:
        predict: uint8 images (n, C, H, W) to logits (n, classes); it normalises, and its model is in eval mode.
        images: uint8 (N, C, H, W), 0 to 255.
        change: what is done to a batch before; it gets the batch on the device and the images' places, int64 (n,).
        batch_size: images in a call.
        device: where batches go; None leaves them where the images are.

    Raises:
        DataError: the images are not uint8 (N, C, H, W), or the predictions are not (n, classes).

    >>> darkest_first = lambda images: images.float().mean((2, 3)).neg()
    >>> predictions(darkest_first, torch.tensor([[[[0]], [[9]]], [[[9]], [[0]]]], dtype=torch.uint8))
    tensor([0, 1])
    """
    check_images(images)
    told = []
    with torch.inference_mode():
        for first in range(0, len(images), batch_size):
            place = torch.arange(first, min(first + batch_size, len(images)))
            batch = images[first : first + batch_size].to(device or images.device)
            logits = in_parts(predict, batch if change is None else change(batch, place))
            if logits.dim() != 2 or len(logits) != len(place):
                raise DataError(
                    f"predict must give logits (n, classes): {len(place)} images gave {tuple(logits.shape)}"
                )
            told.append(logits.argmax(dim=1))
    return torch.cat(told).cpu()


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Compute the share of predictions that are right.

    >>> accuracy(torch.tensor([1, 0, 2, 2]), torch.tensor([1, 0, 0, 2]))
    0.75
    """
    return (predicted == labels.cpu()).double().mean().item()


def check_images(images: Tensor) -> None:
    """Check that these are 8-bit images."""
    if images.dtype != torch.uint8 or images.dim() != 4 or len(images) == 0:
        raise DataError(
            f"the images must be uint8 (N, C, H, W) with N >= 1, found {images.dtype} {tuple(images.shape)}: "
            "give them before normalisation, e.g. (x * 255).round().byte() of images in 0..1"
        )
