"""Data sets of the user's own modules: `data=my_module:my_data`, a function that returns `Raw`."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from poolab.data.folders import home_folder
from poolab.data.raw import IGNORED, Raw, Request
from poolab.data.sources import DataSource, ImageShape
from poolab.errors import DataError
from poolab.own_code import find_own

# The form of the images of each data set that this process has loaded, so that a plan loads it once.
_SHAPES: dict[tuple[str, Path | None], ImageShape] = {}


def own_source(name: str, root: Path | None = None) -> DataSource:
    """Return the loader of an import path or entry point: a function, or a `DataSource` of the user's.

    What it loads is checked, and identified by its content: the bytes of images and labels, and the class names. The
    function itself says neither where its files lie nor when they change.

    Raises:
        ConfigError: it cannot be imported, or is neither.
    """
    value = find_own(name, "data").value
    source = value if isinstance(value, DataSource) else DataSource(value)
    load = _checked(name, source)
    return source._replace(
        load=load,
        identify=source.identify or _by_content(name, load),
        native=source.native or _SHAPES.get((name, root)),
    )


def _checked(name: str, source: DataSource) -> Callable[[Request], Raw]:
    """Return a loader that gives the images as they are and refuses what is no data set."""

    def loaded(request: Request) -> Raw:
        # At their own size, whatever is asked for: poolab fits them, and their content does not depend on the settings.
        raw = source.load(replace(request, image_size=None, channels=None))
        faults = _faults(raw)
        if faults:
            raise DataError(f"data={name}: what it returned is no data set: {'; '.join(faults)}")
        channels, height, width = raw.train_images.shape[1:]
        _SHAPES[name, request.root] = ImageShape(channels, (height, width), len(raw.classes))
        return raw if source.identify else raw._replace(fingerprint=_content(name, raw))

    return loaded


def _by_content(name: str, load: Callable[[Request], Raw]) -> Callable[[Path | None], str]:
    def identify(root: Path | None) -> str:
        raw = load(Request(name, root, None, None, home_folder(), download=True))
        assert raw.fingerprint is not None
        return raw.fingerprint

    return identify


def _content(name: str, raw: Raw) -> str:
    """Return the hash of all images, labels and class names."""
    digest = hashlib.sha256(repr(tuple(raw.classes)).encode())
    for tensor in (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels):
        digest.update(repr((tuple(tensor.shape), str(tensor.dtype))).encode())
        digest.update(tensor.contiguous().numpy().data)
    return f"{name.rpartition(':')[2]}-{digest.hexdigest()[:24]}"


def _faults(raw: Any) -> list[str]:
    """Return what is wrong with the result of a loader, all at once."""
    if not isinstance(raw, Raw):
        return [
            f"a {type(raw).__name__} instead of poolab.data.Raw(train_images, train_labels, test_images, test_labels, "
            "classes)"
        ]
    named = isinstance(raw.classes, tuple | list) and all(isinstance(one, str) for one in raw.classes)
    faults = [] if named and raw.classes else ["classes must be a tuple of the classes' names, in the labels' order"]
    count = len(raw.classes) if named else 0
    for split in ("train", "test"):
        images, labels = getattr(raw, f"{split}_images"), getattr(raw, f"{split}_labels")
        faults += _image_faults(f"{split}_images", images)
        faults += _label_faults(f"{split}_labels", labels, images, count)
    if not faults and raw.train_images.shape[1:] != raw.test_images.shape[1:]:
        found = " and ".join(str(tuple(one.shape[1:])) for one in (raw.train_images, raw.test_images))
        faults.append(f"the images of both splits must have one size, found {found}")
    return faults


def _image_faults(name: str, images: Any) -> list[str]:
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.dim() != 4:
        return [f"{name} must be a torch.uint8 tensor (N, C, H, W) of values from 0 to 255, found {_told(images)}"]
    if images.shape[1] not in (1, 3):
        more = "; (N, H, W, C) becomes it by images.permute(0, 3, 1, 2)" if images.shape[3] in (1, 3) else ""
        return [f"{name} must have 1 or 3 channels in the second dimension, found shape {tuple(images.shape)}{more}"]
    return [] if images.numel() else [f"{name} is empty, shape {tuple(images.shape)}"]


def _label_faults(name: str, labels: Any, images: Any, classes: int) -> list[str]:
    one_each, masks = torch.int64, torch.uint8
    if not isinstance(labels, Tensor) or (labels.dtype, labels.dim()) not in ((one_each, 1), (masks, 3)):
        return [
            f"{name} must be a torch.int64 tensor (N,), a class's number for each image, or masks as torch.uint8 "
            f"(N, H, W), found {_told(labels)}"
        ]
    if isinstance(images, Tensor) and len(labels) != len(images):
        return [f"{name} has {len(labels)} labels for {len(images)} images"]
    known = labels if labels.dim() == 1 else labels[labels != IGNORED]
    if classes and len(known) and not 0 <= int(known.min()) <= int(known.max()) < classes:
        return [f"{name} must be from 0 to {classes - 1} for {classes} classes, found {known.min()} to {known.max()}"]
    return []


def _told(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
