"""From a name to a data set: load, fit to size, limit, hold out, measure."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.data.fit import check_channels, fit_channels, fit_masks, fit_size, parse_size
from poolab.data.image_data import ImageData, Split, channel_statistics
from poolab.data.raw import Request, home_folder
from poolab.data.sources import SOURCES, ImageShape, Source
from poolab.data.subsets import hold_out, limit
from poolab.errors import ConfigError, nearest


def list_data(task: str | None = None) -> list[str]:
    """The names that `load_data` takes; with a task those whose labels are for it.

    >>> list_data(task="segmentation")
    ['image_mask_folder', 'shapes']
    """
    return [name for name in sorted(SOURCES) if task in (None, SOURCES[name].task)]


def data_task(name: str) -> str:
    """What a data set's labels are for: "classification" or "segmentation"; nothing is loaded.

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
) -> ImageData:
    """Load a data set and hold out its validation split.

    Arguments:
        name: one of `list_data()`.
        root: the folder of the images or archives (default for archives: $POOLAB_DATA or ~/.cache/poolab/data).
        image_size: pixels a side, or (height, width); None is the native size (digits: 32).
        channels: 1 or 3; None is what the images have.
        val_fraction: share of each class's training images that becomes the validation split, in (0, 0.5]; of all
            images where the labels are masks.
        seed: chooses the validation split, and nothing else here.
        limit_train, limit_test: take so many images, stratified and the same for every seed, before the split.
        cache_dir: folder of decoded images (default: $POOLAB_CACHE or ~/.cache/poolab).
        download: fetch (or unpack) missing archives.

    Raises ConfigError for a setting that is not possible, DataError for missing, incomplete or damaged data.

    >>> data = load_data("digits", seed=0)
    >>> data.image_size, data.channels, len(data.train), len(data.val), len(data.test)
    ((32, 32), 1, 1290, 143, 364)
    """
    source = _source(name)
    if isinstance(val_fraction, bool) or not 0 < val_fraction <= 0.5:
        raise ConfigError(f"data.val_fraction={val_fraction} is not possible: a share above 0 and at most 0.5")
    request = Request(
        name=name,
        root=_folder(root),
        image_size=parse_size(source.image_size if image_size is None else image_size),
        channels=check_channels(channels),
        cache_dir=_folder(cache_dir) or home_folder(),
        download=download,
    )
    raw = source.load(request)
    train = limit(Split(raw.train_images, raw.train_labels), limit_train, raw.classes, "limit_train")
    test = limit(Split(raw.test_images, raw.test_labels), limit_test, raw.classes, "limit_test")
    train, val = hold_out(_fit(train, request), val_fraction, raw.classes, seed)
    mean, std = channel_statistics(train.images)
    fingerprint = data_fingerprint(name, root=root)
    return ImageData(name, raw.classes, train, val, _fit(test, request), mean, std, fingerprint)


def data_fingerprint(name: str, *, root: str | Path | None = None) -> str:
    """The identity of a data set's raw content, without decoding it and wherever it lies.

    For an image folder: a hash of the sorted relative paths and file sizes; otherwise the name and a version.

    >>> data_fingerprint("digits")
    'digits-1'
    """
    source = _source(name)
    return source.identify(_folder(root)) if source.identify else f"{name}-{source.version}"


def data_shape(settings: Mapping[str, Any]) -> ImageShape:
    """Channels, size and classes of the images that `load_data(**settings)` gives; only a folder has to be loaded.

    `settings` may hold those of the batches too, as `conf/data` does.

    >>> data_shape({"name": "cifar100", "image_size": 64})
    ImageShape(channels=3, image_size=(64, 64), num_classes=100)
    """
    source = _source(settings["name"])
    size = parse_size(settings.get("image_size") or source.image_size)
    channels = check_channels(settings.get("channels"))
    if source.native is None:
        known = inspect.signature(load_data).parameters
        data = load_data(**{key: value for key, value in settings.items() if key in known})
        return ImageShape(data.channels, data.image_size, data.num_classes)
    return source.native._replace(
        channels=channels or source.native.channels, image_size=size or source.native.image_size
    )


def _source(name: str) -> Source:
    if name not in SOURCES:
        known = list_data()
        raise ConfigError(f"there is no data set {name!r}: {nearest(str(name), known)}choose from {', '.join(known)}")
    return SOURCES[name]


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()


def _fit(split: Split, request: Request) -> Split:
    # Channels first: resizing one channel is cheaper than three.
    images = fit_channels(split.images, 1 if request.channels == 1 else None)
    labels = split.labels if split.labels.ndim == 1 else fit_masks(split.labels, request.image_size)
    return Split(fit_channels(fit_size(images, request.image_size), request.channels), labels)
