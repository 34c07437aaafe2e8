"""Holds the settings of a data set."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from poolab.run_config.group import Group, Size


@dataclass(frozen=True)
class DataConfig(Group):
    """A data set, its splits, and how its batches are made; `background` is that of folders of images."""

    name: str
    root: str | None
    image_size: Size | None
    channels: int | None
    batch_size: int
    eval_batch_size: int
    val_fraction: float
    flip: bool
    crop_padding: int
    limit_train: int | None
    limit_test: int | None
    cache_dir: str | None
    download: bool
    background: str | None = None
    code_sha256: str | None = None  # of a function outside of poolab

    LOADER: ClassVar = ("batch_size", "eval_batch_size", "flip", "crop_padding")
    OPTIONAL: ClassVar = ("background", "code_sha256")

    def tree(self) -> dict[str, Any]:
        """Return the settings that this data set has."""
        return {key: value for key, value in super().tree().items() if value is not None or key not in self.OPTIONAL}

    @property
    def loading(self) -> dict[str, Any]:
        """The arguments of the loaders of batches."""
        return {name: getattr(self, name) for name in self.LOADER}

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments of `poolab.data.load_data`, without the seed."""
        left = (*self.LOADER, "code_sha256")
        tree = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left}
        return {key: value for key, value in tree.items() if key != "background" or value is not None}
