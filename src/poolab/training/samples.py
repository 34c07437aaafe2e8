"""The test images that a run shows: kept beside its record, so that they can be drawn later and without the data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.data import IGNORED, ImageData, prepare

if TYPE_CHECKING:
    from poolab.records import RunFolder

FILE = "samples.npz"
LONGEST = 256  # pixels of an image's longer side that are kept; the pictures show fewer
IMAGES, MASKS = 32, 16  # how many are shown of a class for each image, and of masks

Samples = Mapping[str, np.ndarray]


def classified(data: ImageData, examples: Mapping[str, Tensor]) -> Samples:
    """Return test images spread evenly over the test set: image (n, C, h, w) in uint8, label and predicted (n,)."""
    places = spread(IMAGES, len(examples["index"]))
    chosen = {name: examples[name][places] for name in ("index", "label", "predicted")}
    images = _kept(data.test.images_at(chosen["index"]))
    return {"image": images.numpy(), "label": chosen["label"].numpy(), "predicted": chosen["predicted"].numpy()}


def segmented(data: ImageData, network: nn.Module, examples: Mapping[str, Tensor]) -> Samples:
    """Return test images spread evenly over the test set: image (n, C, h, w), label and predicted (n, h, w) in uint8,
    iou (n,).

    Pixels that the mask ignores are 255 in both masks.
    """
    places = spread(MASKS, len(examples["index"]))
    index = examples["index"][places]
    truths = data.test.labels_at(index)
    predictions = _predicted(data, network, index).where(truths != IGNORED, IGNORED)
    masks = (_kept(mask[:, None].to(torch.uint8), mode="nearest")[:, 0].numpy() for mask in (truths, predictions))
    label, predicted = masks
    iou = examples["iou"][places].numpy()
    return {"image": _kept(data.test.images_at(index)).numpy(), "label": label, "predicted": predicted, "iou": iou}


def write_samples(folder: "RunFolder", samples: Samples) -> None:
    """Write samples.npz."""
    np.savez(folder / FILE, **samples)  # type: ignore[arg-type]  # not its `allow_pickle`


def spread(most: int, count: int) -> list[int]:
    """Return at most this many indices, spread evenly over `count`.

    >>> spread(3, 9), spread(3, 2)
    ([0, 4, 8], [0, 1])
    """
    shown = min(most, count)
    return [round(i * (count - 1) / max(1, shown - 1)) for i in range(shown)]


def _kept(images: Tensor, mode: str = "area") -> Tensor:
    """Return images or masks (n, C, h, w), the larger ones at the size that is kept."""
    height, width = images.shape[-2:]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return images.cpu()
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(images.cpu().float(), size, mode=mode).round().to(torch.uint8)


def _predicted(data: ImageData, network: nn.Module, index: Tensor) -> Tensor:
    """Return the class of each pixel of these test images, on the CPU; the network's mode is restored afterwards."""
    weight: Any = next(network.parameters())
    images = prepare(data.test.images_at(index).to(weight.device), data.mean, data.std)
    training = network.training
    with torch.inference_mode():
        classes = network.eval()(images.to(weight.dtype)).argmax(dim=1)
    network.train(training)
    return classes.cpu()
