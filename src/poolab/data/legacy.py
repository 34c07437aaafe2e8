"""The identity that image folders had before it followed content: paths and sizes. It finds runs made before."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from poolab.data.mask_pairs import scan_pairs

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")


def legacy_folder_fingerprint(root: Path) -> str:
    """Return what `folder_fingerprint` gave before."""
    classes = sorted(entry.name for entry in os.scandir(root / "train") if entry.is_dir() and entry.name[0] != ".")
    return _fingerprint(
        (f"{split}/{name}/{file}", size)
        for split in ("train", "test")
        for name in classes
        for file, size in _images(root / split / name)
    )


def legacy_pairs_fingerprint(root: Path) -> str:
    """Return what `pairs_fingerprint` gave before."""
    images, masks = _by_stem(root, "images"), _by_stem(root, "masks")
    both = [key for key in images if key in masks]
    trees = [_fingerprint(files[key] for key in both) for files in (images, masks)]
    text = "\n".join([*trees, *(scan_pairs(root).names or ())])
    return f"image_mask_folder-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _by_stem(root: Path, kind: str) -> dict[tuple[str, str], tuple[str, int]]:
    return {
        (split, Path(file).stem): (f"{split}/{kind}/{file}", size)
        for split in ("train", "test")
        for file, size in _images(root / split / kind)
    }


def _images(folder: Path) -> list[tuple[str, int]]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry.name, entry.stat().st_size)
            for entry in entries
            if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
        )


def _fingerprint(files: Iterable[tuple[str, int]]) -> str:
    text = "\n".join(f"{path}\0{size}" for path, size in files)
    return f"image_folder-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:24]}"


LEGACY = {"image_folder": legacy_folder_fingerprint, "image_mask_folder": legacy_pairs_fingerprint}
