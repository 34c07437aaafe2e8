"""A trained network with everything that its use needs: how images are prepared, and what its outputs are called."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from poolab.data import ImageReader, ReadImage, back_to_picture, name_of, prepare
from poolab.errors import ConfigError
from poolab.export.prediction import IGNORED, Prediction, Segmentation
from poolab.export.trained import Trained
from poolab.records import Record
from poolab.training import ModelFacts

if TYPE_CHECKING:
    from poolab.export.exporting import Exported


class Model:
    """A trained network, and what its use needs. `poolab.load` makes one from a run's folder.

    Args:
        network: the trained network; it is put in evaluation mode.
        facts: class names, statistics and size of the images.
        record: the record of the run.
        autocast: the half-precision type that the run computed in; None for float32.
        channels_last: the memory format that the run gave images in.

    Attributes:
        network: the network in evaluation mode, from normalised images (N, C, H, W) to logits.
        classes: the names of the classes, in the order of the logits.
        record: the record of the run.
    """

    def __init__(
        self,
        network: nn.Module,
        facts: ModelFacts,
        record: Record,
        *,
        autocast: torch.dtype | None = None,
        channels_last: bool = False,
    ) -> None:
        self.network = network.eval()
        self.facts = facts
        self.record = record
        self.autocast = autocast
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.reader = ImageReader(facts.channels, facts.image_size, facts.from_files, facts.background)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return self.facts.classes

    @property
    def task(self) -> str:
        """Either "classification" or "segmentation"."""
        return self.record.task

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return next(iter(self.network.parameters())).device

    def to(self, device: str | torch.device) -> "Model":
        """Move the network to a device, and return the model."""
        self.network.to(device)
        return self

    def pixels(self, images: Any) -> Tensor:
        """Read images to the network's size: uint8 (N, C, H, W).

        Args:
            images: one image or several; each a path, a PIL image, a uint8 array (H, W) or (H, W, C), or a uint8 tensor
                (C, H, W). A uint8 tensor (N, C, H, W) is several.

        Raises:
            DataError: one cannot be read, or is of another type, shape or range.
        """
        found = [self.reader.read(image).pixels for image in _several(images)]
        return torch.stack(found) if found else torch.empty(0, self.facts.channels, *self.facts.image_size).byte()

    def preprocess(self, images: Any) -> Tensor:
        """Prepare images exactly as the training prepared its test images: float32 (N, C, H, W), normalised.

        Args:
            images: as `pixels` takes them.

        Raises:
            DataError: as `pixels`.
        """
        return self.normalise(self.pixels(images))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return uint8 images (N, C, H, W) on the network's device, with the training images' mean and deviation."""
        return prepare(pixels.to(self.device), self.facts.mean, self.facts.std, memory_format=self.memory_format)

    @torch.no_grad()
    def logits(self, pixels: Tensor) -> Tensor:
        """Return the network's outputs for uint8 images (N, C, H, W): (N, classes), or (N, classes, H, W)."""
        with self._precision():
            outputs: Tensor = self.network(self.normalise(pixels))
        return outputs

    def predict(self, images: Any, batch_size: int = 64) -> "list[Prediction] | list[Segmentation]":
        """Predict the classes of images; for a segmentation network, of their pixels.

        Args:
            images: as `pixels` takes them.
            batch_size: the number of images that are computed together.

        Returns:
            A `Prediction` or a `Segmentation` for each image, in their order.

        Raises:
            DataError: an image cannot be read; the message names it.
            ConfigError: a batch size below 1.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size} is not possible: it must be at least 1")
        found: list[Any] = []
        for part in _batches(_several(images), batch_size):
            found += self.predict_read([name_of(image) for image in part], [self.reader.read(image) for image in part])
        return found

    def predict_read(self, names: Sequence[str], images: Sequence[ReadImage]) -> "list[Prediction | Segmentation]":
        """Predict images that were read already; `names` says what each is called."""
        outputs = self.logits(torch.stack([image.pixels for image in images]))
        if self.task == "segmentation":
            masks = outputs.argmax(1).to(torch.uint8).cpu()
            return [
                Segmentation(name, self.classes, back_to_picture(mask, image, IGNORED))
                for name, mask, image in zip(names, masks, images, strict=True)
            ]
        shares = outputs.float().softmax(1).cpu()
        return [Prediction(name, self.classes, share) for name, share in zip(names, shares, strict=True)]

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        int8: bool = False,
        half: bool = False,
        images: Any = None,
        tolerance: float | None = None,
        force: bool = False,
    ) -> "Exported":
        """Write the model for other programs, which need neither poolab nor its preprocessing.

        The file takes uint8 images (N, C, H, W) of the network's size, any number at a time, normalises them as the
        training did, and gives `probabilities` and `logits`. It says the classes and where it comes from. It is
        compared with the network on test images, and it is kept only if it gives the same.

        Args:
            path: the file to write.
            format: onnx, torch_export, torchscript, executorch or litert; None is what the file's suffix says.
            int8: compute in 8 bits, scaled by training images (onnx, torch_export).
            half: compute in float16 (onnx, torch_export, torchscript).
            images: pictures to compare on instead of the run's test images, as `pixels` takes them; with int8 every
                other one is to scale by. Without them and without the run's data random images are compared.
            tolerance: the largest difference of two probabilities, 1e-4 (0.02 with half); with int8 the largest share
                of changed predictions, 0.05.
            force: replace a file that is there.

        Raises:
            ConfigError: no such format, a missing package, or a file that is there.
            PoolabError: the format cannot hold the network, the file would differ, or it cannot be written.
        """
        from poolab.export.exporting import export

        return export(
            Trained(self.network, self.facts, self.record),
            path,
            format=format,
            int8=int8,
            half=half,
            images=None if images is None else self.pixels(images),
            tolerance=tolerance,
            force=force,
        )

    def _precision(self) -> AbstractContextManager[Any]:
        # float16 on a CPU is slow, and torch computes some layers in float32 there anyway.
        device = self.device.type
        enabled = self.autocast is not None and (device != "cpu" or self.autocast == torch.bfloat16)
        return torch.autocast(device, self.autocast, enabled=enabled)

    def __repr__(self) -> str:
        height, width = self.facts.image_size
        colour = "grey" if self.facts.channels == 1 else "colour"
        return (
            f"Model({self.record.config['backbone']['name']}, pooling={self.record.config['pooling']['name']}, "
            f"{len(self.classes)} classes, {colour} images of {height}x{width} pixels, run {self.record.signature})"
        )


def _several(images: Any) -> Iterable[Any]:
    """Return the images that were given: one image is a list of one, an array of four dimensions is several."""
    if isinstance(images, str | bytes) or not isinstance(images, Iterable):
        return [images]
    dimensions = getattr(images, "ndim", None)
    return [images] if dimensions in (2, 3) or hasattr(images, "read") or hasattr(images, "convert") else images


def _batches(images: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(images)
    while part := list(islice(rest, size)):
        yield part
