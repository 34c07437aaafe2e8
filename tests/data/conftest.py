from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data.image_data import Split

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
