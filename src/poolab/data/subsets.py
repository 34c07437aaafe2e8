"""Stratified subsets: the limits that all arms share, and the validation split that belongs to a seed.

Images with masks have no class each: they are one stratum, of which random images are taken by the same streams.
"""

import torch
from torch import Tensor

from poolab.data.image_data import Split
from poolab.errors import ConfigError, DataError
from poolab.streams import derive_seed


def apportion(counts: list[int], total: int) -> list[int]:
    """Divide `total` among classes in proportion to `counts` (largest remainder), at least one each.

    >>> apportion([900, 100], 10)
    [9, 1]
    >>> apportion([5, 5, 990], 10)
    [1, 1, 8]
    """
    exact = [count * total / sum(counts) for count in counts]
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    for i, share in enumerate(shares):
        if share == 0:
            shares[shares.index(max(shares))] -= 1
            shares[i] = 1
    return shares


def pick(labels: Tensor, shares: list[int], seed: int) -> Tensor:
    """Return sorted indices of `shares[c]` random images of each class c; a larger share contains every smaller one.

    >>> pick(torch.tensor([0, 1, 0, 1, 1]), [2, 0], seed=0)
    tensor([0, 2])
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    shuffled = labels[order]
    chosen = [order[(shuffled == c).nonzero().squeeze(1)[:share]] for c, share in enumerate(shares)]
    return torch.cat(chosen).sort().values


def limit(split: Split, size: int | None, classes: tuple[str, ...], setting: str) -> Split:
    """Return at most `size` images, stratified; they are the same for every seed and arm.

    Raises ConfigError where the data set is smaller than `size` or `size` would leave a class without images.
    """
    if size is None or size == len(split):
        return split
    labels, strata = _strata(split, classes)
    if not len(strata) <= size <= len(split):
        least = f"{len(strata)} (one image for each class)" if len(strata) > 1 else "1"
        raise ConfigError(
            f"data.{setting}={size} is not possible: choose from {least} to {len(split)} (all images), or null for all"
        )
    counts = torch.bincount(labels, minlength=len(strata)).tolist()
    return split.take(pick(labels, apportion(counts, size), derive_seed(0, setting)))


def hold_out(split: Split, fraction: float, classes: tuple[str, ...], seed: int) -> tuple[Split, Split]:
    """Return the training and the validation split: `fraction` of each class, chosen by the seed's stream "split".

    With a fraction of 0 the validation split is empty.

    Raises DataError where a class has fewer than the two images that this needs.
    """
    if fraction == 0:
        return split, split.take(torch.zeros(0, dtype=torch.int64))
    labels, strata = _strata(split, classes)
    counts = torch.bincount(labels, minlength=len(strata)).tolist()
    small = [f"{name!r} has {count}" for name, count in zip(strata, counts, strict=True) if count < 2]
    if small and split.masked:
        raise DataError(f"a validation split needs at least 2 training images: found {len(split)}; add images")
    if small:
        raise DataError(
            "a validation split needs at least 2 training images of each class: class "
            + ", ".join(small[:10])
            + (f" and {len(small) - 10} more" if len(small) > 10 else "")
            + "; add images, remove the class, or raise data.limit_train"
        )
    total = max(len(strata), int(len(split) * fraction))
    chosen = pick(labels, apportion(counts, total), derive_seed(seed, "split"))
    kept = torch.ones(len(split), dtype=torch.bool)
    kept[chosen] = False
    return split.take(kept.nonzero().squeeze(1)), split.take(chosen)


def _strata(split: Split, classes: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """Return what a subset keeps in proportion: a number for each image, and the names of the numbers."""
    if not split.masked:
        return split.labels, classes
    return torch.zeros(len(split), dtype=torch.int64), ("image",)
