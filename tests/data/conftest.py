import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import content
from poolab.data.image_data import Split

HOUR_NS = 3_600_000_000_000

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """No test reads or writes a user's caches."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("POOLAB_CACHE", str(home / "cache"))
    monkeypatch.setenv("POOLAB_DATA", str(home / "data"))
    return home


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (53, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(53) % 5)


def write_tree(root: Path, *, train=6, test=3, classes=("cat", "dog"), size=(8, 8), mode="RGB") -> Path:
    """A folder of PNG images, each of its own content; `size` is (height, width)."""
    generator = np.random.default_rng(0)
    shape = size if mode == "L" else (*size, 3)
    for part, count in (("train", train), ("test", test)):
        for name in classes:
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return root


@pytest.fixture
def make_tree(tmp_path):
    return lambda name="tree", **settings: write_tree(tmp_path / name, **settings)


@pytest.fixture
def bitmaps(tmp_path):
    """A folder of BMP images, which all have one size in bytes."""
    generator = np.random.default_rng(1)
    for split, count in (("train", 5), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "bitmaps" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(1, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "bitmaps" / split / name / f"{i}.bmp")
    return tmp_path / "bitmaps"


@pytest.fixture
def rested(monkeypatch):
    """Time stands an hour later for the index, so that files written now have rested."""
    monkeypatch.setattr(content, "now_ns", lambda: time.time_ns() + HOUR_NS)


@pytest.fixture
def reads(monkeypatch):
    """The files whose bytes were hashed."""
    names = []
    attempt = content._attempt
    monkeypatch.setattr(content, "_attempt", lambda root, path: (names.append(path), attempt(root, path))[1])
    return names
