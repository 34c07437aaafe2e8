"""The base class of backbones: slots, the two halves (features, classifier) and checks."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import torch
from torch import nn

from poolab.backbones.probe import meta_twin, probe
from poolab.backbones.slots import FLATTEN, Slot, SlotFiller
from poolab.errors import ConfigError
from poolab.pooling import Pool, WindowPool2d


class Backbone(nn.Module, ABC):
    """A network for image classification that names the places where it pools.

    A subclass builds its layers with a `SlotFiller`, then its classifier from `self.close(slots)`, the number of
    features that the head gives. Its `features` runs the layers before the head.

    Attributes:
        task: the task of the network; a run's task and data set must have the same.
        channels_last_on: the kinds of device ("cpu", "cuda", "mps") on which training it in channels_last memory format
            was measured to be faster; there `trainer.channels_last=auto` is true.
        slots: every place where the network pools, by name, in the order of the forward pass; the head comes last.
        features_out: the number of features that the classifier gets.
    """

    task: ClassVar[str] = "classification"
    channels_last_on: ClassVar[tuple[str, ...]] = ()
    head: nn.Module
    classifier: nn.Module

    def __init__(self, slots: SlotFiller, *, in_channels: int, num_classes: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.name = slots.backbone
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.image_size = image_size
        self.slots: dict[str, Slot] = {}
        self.features_out = 0
        self._paths: dict[str, str] = {}

    @abstractmethod
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the last map before the head, (N, C, h, w)."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Return the input of the classifier: the head's output, (N, features_out)."""
        return self.head(self.features(images)).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the class scores of images (N, in_channels, H, W).

        Raises:
            ValueError: the images have another number of channels, or a size that the classifier was not built for.
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            found = f"{images.shape[1]} channels" if images.ndim == 4 else f"{images.ndim} dimensions"
            raise ValueError(
                f"{self.name} was built for images (N, {self.in_channels}, H, W): expected {self.in_channels} "
                f"channels, got {found} in shape {tuple(images.shape)}. Build it with in_channels to fit the data."
            )
        embedding = self.embed(images)
        if embedding.shape[1] != self.features_out:
            (h, w), (found_h, found_w) = self.image_size, images.shape[2:]
            raise ValueError(
                f"{self.name} was built for {h}x{w} images and its head {self.slots['head'].pooling} leaves a number "
                f"of features that depends on the size: expected {self.features_out}, got {embedding.shape[1]} from "
                f"{found_h}x{found_w} images. Build it with image_size to fit, or choose head=global_avg."
            )
        return self.classifier(embedding)

    def slot_module(self, name: str) -> nn.Module:
        """Return the layer in a slot (the convolution, where a strided convolution was kept)."""
        return self.get_submodule(self.path_of(name))

    def path_of(self, name: str) -> str:
        """Return the qualified name of the layer in a slot."""
        return self._paths[name]

    def slot_of(self, path: str) -> str | None:
        """Return the slot that the module with a qualified name belongs to, or None."""
        inside = (slot for slot, place in self._paths.items() if path == place or path.startswith(f"{place}."))
        return next(inside, None)

    def note_swap(self, path: str, pool: Pool) -> None:
        """Take note of a pooling that surgery put at a qualified name, if a slot is there."""
        name = next((slot for slot, place in self._paths.items() if place == path), None)
        if name is not None:
            slot = replace(self.slots[name], pooling=pool.name, kernel_size=None, stride=None, padding=None)
            if isinstance(pool, WindowPool2d):
                (kh, kw), (sh, sw), (ph, pw) = pool.kernel_size, pool.stride, pool.padding
                slot = replace(slot, kernel_size=(kh, kw), stride=(sh, sw), padding=(ph, pw))
            self.slots[name] = slot

    def fit_to(self, batches: Iterable[torch.Tensor]) -> None:
        """Set weights that are computed from images and not trained. Most backbones have none, and do nothing.

        A run calls it once before training, with batches (N, C, H, W) of normalised training images on the CPU.
        """

    def reset_module(self, module: nn.Module) -> None:
        """Draw the initial weights of one module that has `reset_parameters`; a backbone may have its own rule."""
        module.reset_parameters()  # type: ignore[operator]

    def close(self, slots: SlotFiller) -> int:
        """Take the filled slots over and count the features that the head gives for images of `image_size`.

        Raises:
            ConfigError: a slot was asked for that is not there, or a map would vanish on the way.
        """
        self.slots, self._paths = slots.close(self), slots.paths
        resizing = [name for name, slot in self.slots.items() if getattr(self.slot_module(name), "resizes", False)]
        head = self.slots.get("head")
        if resizing and head is not None and head.pooling == FLATTEN:
            raise ConfigError(
                f"{self.name}: {self.slots[resizing[0]].pooling} in slot {', '.join(resizing)} changes the size of its "
                f"output while it learns, and the head {FLATTEN} needs one size: choose a head for any size, e.g. "
                "head=global_avg."
            )
        self.features_out = probe(self, meta_twin(self), self.image_size)
        return self.features_out


class PixelBackbone(Backbone):
    """A network that scores every pixel: no head, and a 1x1 convolution for its classifier.

    `features` gives a map of the images' size, and the network therefore (N, num_classes, H, W). For the rest a
    subclass is written as any other: `self.close(slots)` gives the channels of that map.
    """

    task = "segmentation"

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Return the input of the classifier: the last map itself, (N, features_out, H, W)."""
        return self.features(images)
