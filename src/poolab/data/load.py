"""Load a data set by its name, fit it to a size, limit it, hold out a validation split, and measure its statistics."""

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from poolab.data.faults import reason_of
from poolab.data.fit import check_channels, fit_channels, fit_masks, fit_size, parse_size
from poolab.data.folders import home_folder
from poolab.data.image_data import ImageData, Split, channel_statistics
from poolab.data.legacy import LEGACY
from poolab.data.own import own_source
from poolab.data.pixels import BACKGROUNDS
from poolab.data.raw import Request
from poolab.data.sources import SOURCES, DataSource, ImageShape
from poolab.data.subsets import hold_out, limit
from poolab.errors import ConfigError, DataError, nearest
from poolab.own_code import is_own
from poolab.text import one_line


def list_data(task: str | None = None) -> list[str]:
    """Return the names that `load_data` takes; with a task, only those with labels for it.

    >>> list_data(task="segmentation")
    ['image_mask_folder', 'shapes']
    """
    return [name for name in sorted(SOURCES) if task in (None, SOURCES[name].task)]


def data_task(name: str) -> str:
    """Return the task of a data set's labels, "classification" or "segmentation"; load nothing.

    >>> data_task("digits")
    'classification'
    """
    return _source(name).task


def load_data(
    name: str,
    *,
    root: str | Path | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    limit_train: int | None = None,
    limit_test: int | None = None,
    cache_dir: str | Path | None = None,
    download: bool = True,
    background: str | None = None,
) -> ImageData:
    """Load a data set and hold out its validation split.

    Arguments:
        name: one of `list_data()`; or MODULE:NAME, the import path of a function of your own that returns a `Raw`, or
            an entry point of the group `poolab.data`.
        root: the folder of the images or archives (default for archives: $POOLAB_DATA or ~/.cache/poolab/data).
        image_size: pixels a side, or (height, width); None is the native size (digits: 32).
        channels: 1 or 3; None is what the images have.
        val_fraction: share of each class's training images that becomes the validation split, in [0, 0.5]; of all
            images where the labels are masks. With 0 the split is empty, and a run has no validation metrics.
        seed: chooses the validation split, and nothing else here.
        limit_train, limit_test: use only this many images, stratified and the same for every seed, before the split.
        cache_dir: folder of decoded images (default: $POOLAB_CACHE or ~/.cache/poolab).
        download: fetch (or unpack) missing archives.
        background: for image folders, the colour behind transparent pixels: white (the default), black or grey.

    Raises ConfigError for a setting that is not possible, DataError for missing, incomplete or damaged data.

    >>> data = load_data("digits", seed=0)
    >>> data.image_size, data.channels, len(data.train), len(data.val), len(data.test)
    ((32, 32), 1, 1290, 143, 364)
    """
    source = _source(name)
    if isinstance(val_fraction, bool) or not isinstance(val_fraction, int | float) or not 0 <= val_fraction <= 0.5:
        raise ConfigError(f"data.val_fraction={val_fraction} is not possible: a share from 0 (no validation) to 0.5")
    request = Request(
        name=name,
        root=_folder(root, "data.root"),
        image_size=parse_size(source.image_size if image_size is None else image_size),
        channels=check_channels(channels),
        cache_dir=_folder(cache_dir, "data.cache_dir") or home_folder(),
        download=download,
        background=_background(name, background),
    )
    raw = source.load(request)
    train = limit(_split(raw.train_images, raw.train_labels, raw.stored), limit_train, raw.classes, "limit_train")
    test = limit(_split(raw.test_images, raw.test_labels, raw.stored), limit_test, raw.classes, "limit_test")
    if not raw.stored:
        _check_memory((train, test), request)
        train, test = _fit(train, request), _fit(test, request)
    train, val = hold_out(train, val_fraction, raw.classes, seed)
    mean, std = channel_statistics(train)
    fingerprint = raw.fingerprint or data_fingerprint(name, root=root)
    return ImageData(name, raw.classes, train, val, test, mean, std, fingerprint, raw.summary)


def data_fingerprint(name: str, *, root: str | Path | None = None) -> str:
    """Return the identity of a data set's raw content, without decoding it, independent of its place.

    For an image folder: a hash of the files' bytes and relative paths. A file is read again only where its size, its
    times or its inode changed since the last call (see `stat_index`). Otherwise: the name and a version.

    Raises:
        ConfigError, DataError: an unknown name, or a folder that cannot be read.

    >>> data_fingerprint("digits")
    'digits-1'
    """
    source = _source(name)
    return source.identify(_folder(root, "data.root")) if source.identify else f"{name}-{source.version}"


def legacy_fingerprint(name: str, *, root: str | Path | None = None) -> str:
    """Return what `data_fingerprint` gave before it followed content, to find runs that were made then.

    For an image folder: a hash of the sorted relative paths and file sizes; otherwise as `data_fingerprint`.

    >>> legacy_fingerprint("digits")
    'digits-1'
    """
    folder = _folder(root, "data.root")
    if folder is None or name not in LEGACY:
        return data_fingerprint(name, root=root)
    try:
        return LEGACY[name](folder)
    except OSError as error:
        raise DataError(f"data.root={one_line(folder)} cannot be listed: {reason_of(error)}") from error


def data_shape(settings: Mapping[str, Any]) -> ImageShape:
    """Return channels, size and classes of the images that `load_data(**settings)` gives. The images of a folder are
    loaded for this if the settings lack the size or the number of channels.

    `settings` may hold those of the batches too, as `conf/data` does.

    >>> data_shape({"name": "cifar100", "image_size": 64})
    ImageShape(channels=3, image_size=(64, 64), num_classes=100)
    """
    source = _source(settings["name"], _folder(settings.get("root"), "data.root"))
    given = settings.get("image_size")
    size = parse_size(source.image_size if given is None else given)
    channels = check_channels(settings.get("channels"))
    if source.classes is not None and size is not None and channels is not None:
        return ImageShape(channels, size, source.classes(_folder(settings.get("root"), "data.root")))
    if source.native is None:
        known = inspect.signature(load_data).parameters
        data = load_data(**{key: value for key, value in settings.items() if key in known})
        return ImageShape(data.channels, data.image_size, data.num_classes)
    return source.native._replace(
        channels=channels or source.native.channels, image_size=size or source.native.image_size
    )


def count_test_images(settings: Mapping[str, Any]) -> int | None:
    """Return how many test images `load_data(**settings)` gives, or None where that is not known without loading them.

    >>> count_test_images({"name": "cifar100", "limit_test": 300}), count_test_images({"name": "cifar100"})
    (300, None)
    """
    source = _source(settings["name"], _folder(settings.get("root"), "data.root"))
    count = source.tests(_folder(settings.get("root"), "data.root")) if source.tests is not None else None
    known = [number for number in (count, settings.get("limit_test")) if number is not None]
    return min(known, default=None)


def _source(name: str, root: Path | None = None) -> DataSource:
    if isinstance(name, str) and name in SOURCES:
        return SOURCES[name]
    if is_own(name, "data"):
        return own_source(name, root)
    known = list_data()
    raise ConfigError(
        f"there is no data set {name!r}: {nearest(str(name), known)}choose from {', '.join(known)}, or MODULE:NAME for "
        "a function of your own"
    )


def _folder(path: object, setting: str) -> Path | None:
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ConfigError(f"{setting}={path!r} is not possible: the path of a folder, or null")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # ~ without a home folder, ~name of nobody
        raise ConfigError(f"{setting}={path}: {error}; write the whole path") from error


def _background(name: str, background: str | None) -> str:
    if background is not None and (name not in SOURCES or SOURCES[name].identify is None):
        folders = " and ".join(key for key in list_data() if SOURCES[key].identify)
        raise ConfigError(f"data.background={background} is not possible: it is a setting of {folders}, not of {name}")
    if background is None or background in BACKGROUNDS:
        return background or "white"
    raise ConfigError(f"data.background={background} is not possible: choose from {', '.join(BACKGROUNDS)}")


def _split(images: Tensor, labels: Tensor, stored: bool) -> Split:
    return Split(images, labels, torch.arange(len(images)) if stored else None)


def _check_memory(splits: tuple[Split, ...], request: Request) -> None:
    """Refuse a size at which the images do not fit into memory, before the system ends the process."""
    if request.image_size is None:
        return
    height, width = request.image_size
    channels = request.channels or splits[0].image_shape[0]
    count = sum(map(len, splits))
    needed, there = count * channels * height * width, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ConfigError(
            f"data.image_size={[height, width]} is not possible: {count:,} images of that size take "
            f"{needed / 1e9:,.0f} GB of {there / 1e9:,.0f} GB of memory; take a smaller size or fewer images "
            "(data.limit_train, data.limit_test)"
        )


def _fit(split: Split, request: Request) -> Split:
    # Channels first: resizing one channel is cheaper than three.
    images = fit_channels(split.images, 1 if request.channels == 1 else None)
    labels = fit_masks(split.labels, request.image_size) if split.masked else split.labels
    return Split(fit_channels(fit_size(images, request.image_size), request.channels), labels)
