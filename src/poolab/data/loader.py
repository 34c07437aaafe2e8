"""Batches whose order and augmentation depend on seed, epoch and batch number alone, for any number of processes."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor

from poolab.data.augment import one_thread
from poolab.data.image_data import Split
from poolab.errors import ConfigError
from poolab.streams import derive_seed

Batch = dict[str, Tensor]
SMALL_BYTES = 4 * 2**20


class TrainBatches:
    """Shuffled batches of a training split, each with the augmentation that is to be applied to it.

    A batch is {"image": uint8 (n, C, H, W), "label": int64 (n,) or masks uint8 (n, H, W), "index": int64 (n,) into the
    split, "shift": int64 (n, 2) in [0, 2 * crop_padding], "flip": bool (n,)}. The order of epoch e comes from the
    stream ("order", e), the augmentation of its batch b from ("augment", e, b), drawn for the whole global batch and
    then sliced: any number of processes sees the same global batches. The last incomplete batch is dropped.

    Resuming: `state_dict()` holds the epoch and how many of its batches were trained on. Lightning 2.6 saves and loads
    it by itself. Its fetcher reads nothing ahead, because the loader has a length (`_PrefetchDataFetcher.__iter__`),
    but the batch that it handed out last counts as read already while the step on it may still fail or be interrupted;
    Lightning's own counter then goes back to the last finished step. So the trained batches are asked from `consumed`
    where it is given (`ImageDataModule` gives Lightning's counter), and are the batches handed out otherwise.
    Lightning calls `iter` more often than it iterates, and tells the epoch after `iter`: the first `next` reads it.

    Arguments:
        split: images and labels.
        batch_size: the global batch, over all processes.
        seed: the run's seed.
        flip: mirror half of the images.
        crop_padding: pixels of padding around the image, of which a random crop is taken; 0 is no crop.
        rank, world_size: this process and how many there are.
        pin_memory: give page-locked batches, for copies to a CUDA device that overlap with its work.
        consumed: how many batches of the current epoch were trained on.

    Raises ConfigError where the batch does not divide among the processes, or exceeds the split.

    >>> split = Split(torch.zeros(10, 1, 4, 4, dtype=torch.uint8), torch.arange(10))
    >>> batches = TrainBatches(split, 4, seed=0, flip=False, crop_padding=1)
    >>> len(batches), [batch["image"].shape[0] for batch in batches]
    (2, [4, 4])
    >>> batches.state_dict()
    {'epoch': 0, 'batch': 2}
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        seed: int,
        flip: bool,
        crop_padding: int,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
        consumed: Callable[[], int] | None = None,
    ) -> None:
        _check_batch(batch_size, "data.batch_size")
        if batch_size % world_size:
            raise ConfigError(
                f"data.batch_size={batch_size} is the batch over all processes and does not divide by {world_size} "
                f"processes: choose {max(1, batch_size // world_size) * world_size} "
                f"or {(batch_size // world_size + 1) * world_size}"
            )
        if batch_size > len(split):
            raise ConfigError(
                f"data.batch_size={batch_size} exceeds the training split of {len(split)} images, so that an epoch "
                f"would have no batch: choose at most {len(split)}, e.g. data.batch_size={_below(len(split))}, or take "
                "more images (data.limit_train limits them where it is set)"
            )
        if crop_padding < 0:
            raise ConfigError(f"data.crop_padding={crop_padding} is not possible: a number of pixels, 0 for no crop")
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.flip, self.crop_padding = flip, crop_padding
        self.rank, self.world_size, self.pin_memory, self.consumed = rank, world_size, pin_memory, consumed
        first = slice(0, 1)
        self._sizes = split.images_at(first).numel(), split.labels_at(first).numel()  # of one image and its label
        self._epoch = 0
        self._first = 0  # where the next iteration starts
        self._given = 0  # batches of this epoch handed out so far

    def __len__(self) -> int:
        return len(self.split) // self.batch_size

    @property
    def sampler(self) -> "TrainBatches":
        """Itself: Lightning calls `loader.sampler.set_epoch(epoch)` when an epoch starts."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Iterate over this epoch next; a batch to resume from is kept only where it belongs to the same epoch."""
        if epoch != self._epoch:
            self._epoch, self._first, self._given = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the number of its batches that were trained on."""
        return {"epoch": self._epoch, "batch": self._given if self.consumed is None else self.consumed()}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Start the next iteration at the state's batch of the state's epoch, and later ones at their first batch."""
        self._epoch, self._first = state_dict["epoch"], state_dict["batch"]
        self._given = self._first

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = self._epoch, self._first
        self._first = 0
        order = torch.randperm(len(self.split), generator=_generator(self.seed, "order", epoch))
        for number in range(first, len(self)):
            batch = self._batch(order, epoch, number)
            self._given = number + 1
            yield batch

    def _batch(self, order: Tensor, epoch: int, number: int) -> Batch:
        size = self.batch_size
        generator = _generator(self.seed, "augment", epoch, number)
        # Both are drawn whatever the settings: switching the flip off leaves the crops as they were.
        shift = torch.randint(0, 2 * self.crop_padding + 1, (size, 2), generator=generator)
        flip = torch.rand(size, generator=generator) < 0.5
        here = slice(self.rank * size // self.world_size, (self.rank + 1) * size // self.world_size)
        index = order[number * size : (number + 1) * size][here]
        batch = {
            "image": _gather(self.split.images_at, index, self._sizes[0]),
            "label": _gather(self.split.labels_at, index, self._sizes[1]),
            "index": index,
            "shift": shift[here],
            "flip": flip[here] & self.flip,
        }
        return _pinned(batch) if self.pin_memory else batch


class EvalBatches:
    """Gives every sample of a split exactly once over all processes, in order, without padding.

    A batch is {"image", "label", "index"} as in `TrainBatches`. Every process gets the same number of batches, because
    a distributed network communicates in each forward pass: its share of the last global batch may be empty.

    Arguments:
        split: images and labels.
        batch_size: the global batch, over all processes.
        rank, world_size: this process and how many there are.
        pin_memory: give page-locked batches.

    >>> split = Split(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), torch.arange(5))
    >>> [[batch["index"].tolist() for batch in EvalBatches(split, 4, rank, 2)] for rank in (0, 1)]
    [[[0, 1], []], [[2, 3], [4]]]
    """

    def __init__(
        self, split: Split, batch_size: int, rank: int = 0, world_size: int = 1, *, pin_memory: bool = False
    ) -> None:
        _check_batch(batch_size, "data.eval_batch_size")
        self.split, self.batch_size = split, batch_size
        self.rank, self.world_size, self.pin_memory = rank, world_size, pin_memory

    def __len__(self) -> int:
        return -(-len(self.split) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.split), self.batch_size):
            size = min(self.batch_size, len(self.split) - start)
            first, last = (start + rank * size // self.world_size for rank in (self.rank, self.rank + 1))
            here = slice(first, last)
            images, labels = self.split.images_at(here), self.split.labels_at(here)
            batch = {"image": images, "label": labels, "index": torch.arange(first, last)}
            yield _pinned(batch) if self.pin_memory else batch


def _gather(rows_at: Callable[[Tensor], Tensor], index: Tensor, size: int) -> Tensor:
    # A small copy is not worth waiting for a second thread (see `one_thread`); a large one is.
    small = index.numel() * size <= SMALL_BYTES
    with one_thread() if small else nullcontext():
        return rows_at(index)


def _below(count: int) -> int:
    """Return the largest power of two that gives an epoch of several batches, where there is one.

    >>> _below(54), _below(3), _below(1)
    (16, 1, 1)
    """
    return 1 << max(0, (count // 2).bit_length() - 1)


def _check_batch(batch_size: int, setting: str) -> None:
    if batch_size < 1:
        raise ConfigError(f"{setting}={batch_size} is not possible: at least 1")


def _generator(seed: int, *names: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, *names))


def _pinned(batch: Batch) -> Batch:
    return {name: value.pin_memory() for name, value in batch.items()}
