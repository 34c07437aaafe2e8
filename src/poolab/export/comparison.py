"""Compare what an exported file computes with the network that it was made from."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from poolab.data import IGNORED
from poolab.export.check_images import CheckImages, in_batches
from poolab.export.deployed import Deployed
from poolab.export.job import Program

TOGETHER = 64


@dataclass(frozen=True)
class Comparison:
    """Differences between an exported file and the network that it was made from.

    Attributes:
        images: the number of images that both were given.
        source: what these images are.
        difference: the largest difference of two probabilities; infinite where the file gives a NaN or another shape.
        changed: the share of predictions (for segmentation of pixels) that differ.
        accuracy: of the file and of the network on these images; None without labels.
    """

    images: int
    source: str
    difference: float
    changed: float
    accuracy: tuple[float, float] | None = None

    @property
    def lost(self) -> float | None:
        """The accuracy that the file has less than the network; None without labels."""
        return None if self.accuracy is None else self.accuracy[1] - self.accuracy[0]

    def __str__(self) -> str:
        """Return the comparison in sentences."""
        words = (
            f"on {self.images} {self.source} its probabilities differ from the network's by at most "
            f"{self.difference:.1e}, and {1 - self.changed:.2%} of its predictions are the same"
        )
        if self.accuracy is None:
            return words
        return f"{words}; accuracy {self.accuracy[0]:.4f}, the network's {self.accuracy[1]:.4f}"


@torch.no_grad()
def compare(program: Program, deployed: Deployed, images: CheckImages) -> Comparison:
    """Compare a file's program with the network on images, first one image, then many at a time."""
    difference, changed, total = 0.0, 0, 0
    right = np.zeros(2, dtype=np.int64)
    known, place = 0, 0
    for batch in in_batches(images.pixels, TOGETHER):
        wanted = deployed(batch)[0].numpy()
        found = program(batch)[0]
        labels = None if images.labels is None else images.labels[place : place + len(batch)].numpy()
        place += len(batch)
        if found.shape != wanted.shape:
            return Comparison(len(images.pixels), images.source, math.inf, 1.0)
        difference = max(difference, largest_difference(found, wanted))
        predictions = found.argmax(1), wanted.argmax(1)
        changed += int((predictions[0] != predictions[1]).sum())
        total += predictions[0].size
        if labels is not None:
            counts = labels != IGNORED if labels.ndim > 1 else np.ones(len(labels), dtype=bool)
            right += [int((prediction == labels)[counts].sum()) for prediction in predictions]
            known += int(counts.sum())
    accuracy = (right[0] / known, right[1] / known) if known else None
    return Comparison(len(images.pixels), images.source, difference, changed / max(total, 1), accuracy)


def largest_difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference of two arrays; infinite where one of them alone has a NaN.

    >>> largest_difference(np.array([0.5, np.nan]), np.array([0.25, np.nan]))
    0.25
    """
    if (np.isnan(found) != np.isnan(wanted)).any():
        return math.inf
    return float(np.nan_to_num(np.abs(found.astype(np.float64) - wanted)).max(initial=0.0))
