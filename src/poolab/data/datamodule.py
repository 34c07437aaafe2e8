"""The bridge to Lightning: batches for this process, and their augmentation where they are used."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from poolab.data.augment import prepare, prepare_labels
from poolab.data.image_data import ImageData
from poolab.data.loader import EvalBatches, TrainBatches


class ImageDataModule(pl.LightningDataModule):
    """A data set for a `Trainer`: uint8 batches go to the device, and become {"image": float, "label", "index"} there.

    Arguments:
        data: the data set.
        batch_size, eval_batch_size: the global batches, over all processes.
        seed: the run's seed, for the order and the augmentation.
        flip, crop_padding: the augmentation of training batches (see `TrainBatches`); others are never augmented.
        channels_last: give images in that memory format.

    >>> from poolab.data import load_data
    >>> settings = {"batch_size": 8, "eval_batch_size": 8, "flip": False, "crop_padding": 2}
    >>> module = ImageDataModule(load_data("digits"), seed=0, **settings)
    >>> batch = module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0)
    >>> batch["image"].shape, batch["image"].dtype, sorted(batch)
    (torch.Size([8, 1, 32, 32]), torch.float32, ['image', 'index', 'label'])
    """

    def __init__(
        self,
        data: ImageData,
        *,
        batch_size: int,
        eval_batch_size: int,
        seed: int,
        flip: bool,
        crop_padding: int,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.data, self.batch_size, self.eval_batch_size = data, batch_size, eval_batch_size
        self.seed, self.flip, self.crop_padding = seed, flip, crop_padding
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def train_dataloader(self) -> TrainBatches:
        """Return shuffled and augmented batches, which can be resumed in the middle of an epoch."""
        return TrainBatches(
            self.data.train,
            self.batch_size,
            seed=self.seed,
            flip=self.flip,
            crop_padding=self.crop_padding,
            consumed=None if self.trainer is None else self._trained_batches,
            **self._place(),
        )

    def val_dataloader(self) -> EvalBatches:
        """Return the validation split, every sample once."""
        return EvalBatches(self.data.val, self.eval_batch_size, **self._place())

    def test_dataloader(self) -> EvalBatches:
        """Return the test split, every sample once."""
        return EvalBatches(self.data.test, self.eval_batch_size, **self._place())

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Crop, flip and normalise on the device where the batch is."""
        moves: dict[str, Any] = {
            # A move that changes nothing costs time: evaluation and unaugmented training skip it.
            "shift": batch.get("shift") if self.crop_padding else None,
            "flip": batch.get("flip") if self.flip else None,
            "crop_padding": self.crop_padding,
        }
        image = prepare(batch["image"], self.data.mean, self.data.std, **moves, memory_format=self.memory_format)
        return {"image": image, "label": prepare_labels(batch["label"], **moves), "index": batch["index"]}

    def _place(self) -> dict[str, Any]:
        if self.trainer is None:
            return {}
        return {
            "rank": self.trainer.global_rank,
            "world_size": self.trainer.world_size,
            "pin_memory": self.trainer.strategy.root_device.type == "cuda",
        }

    def _trained_batches(self) -> int:
        # Raised as soon as the step is done and before on_train_batch_end, where checkpoints are written; Lightning
        # itself resumes from this count, so the two cannot disagree.
        assert self.trainer is not None
        current: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return int(current.processed)
