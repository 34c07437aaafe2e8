"""Data sets as uint8 tensors, their splits, batches that any number of processes shares, and batched augmentation.

Names are resolved on first use, so that `import poolab.data` costs nothing and `--help` answers at once.

>>> from poolab.data import list_data
>>> list_data()
['cifar10', 'cifar100', 'digits', 'fashion_mnist', 'image_folder', 'image_mask_folder', 'mnist', 'shapes', 'svhn']
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poolab.data.augment import prepare, prepare_labels
    from poolab.data.datamodule import ImageDataModule
    from poolab.data.image_data import ImageData, Split
    from poolab.data.load import data_fingerprint, data_shape, data_task, legacy_fingerprint, list_data, load_data
    from poolab.data.loader import EvalBatches, TrainBatches
    from poolab.data.sample import training_sample
    from poolab.data.sources import ImageShape

__all__ = [
    "EvalBatches",
    "ImageData",
    "ImageDataModule",
    "ImageShape",
    "Split",
    "TrainBatches",
    "data_fingerprint",
    "data_shape",
    "data_task",
    "legacy_fingerprint",
    "list_data",
    "load_data",
    "prepare",
    "prepare_labels",
    "training_sample",
]

_HOMES = {
    "EvalBatches": "loader",
    "ImageData": "image_data",
    "ImageDataModule": "datamodule",
    "ImageShape": "sources",
    "Split": "image_data",
    "TrainBatches": "loader",
    "data_fingerprint": "load",
    "data_shape": "load",
    "data_task": "load",
    "legacy_fingerprint": "load",
    "list_data": "load",
    "load_data": "load",
    "prepare": "augment",
    "prepare_labels": "augment",
    "training_sample": "sample",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
