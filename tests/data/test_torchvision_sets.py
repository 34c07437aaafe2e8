"""torchvision's readers on small archives of the real format; nothing is downloaded."""

import hashlib
import pickle
import struct
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision import datasets

from poolab.data import load_data
from poolab.errors import DataError

GENERATOR = np.random.default_rng(0)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_cifar(root, kind, monkeypatch, classes):
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    key = "labels" if kind is datasets.CIFAR10 else "fine_labels"
    pixels = {}
    for attribute in ("train_list", "test_list"):
        sums = []
        for name, _ in getattr(kind, attribute):
            pixels[name] = GENERATOR.integers(0, 256, (4 * classes, 3072), dtype=np.uint8)
            content = {"data": pixels[name], key: list(range(classes)) * 4}
            (folder / name).write_bytes(pickle.dumps(content))
            sums.append([name, md5(folder / name)])
        monkeypatch.setattr(kind, attribute, sums)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: [f"class{i}" for i in range(classes)]}))
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})
    return pixels


def write_mnist(root, kind):
    folder = root / kind.__name__ / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = GENERATOR.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = struct.pack(">4i", 2051, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + labels.tobytes())
    return images


@pytest.mark.parametrize(("name", "kind", "classes"), [("cifar10", "CIFAR10", 10), ("cifar100", "CIFAR100", 100)])
def test_cifar(tmp_path, monkeypatch, name, kind, classes):
    kind = getattr(datasets, kind)
    pixels = write_cifar(tmp_path, kind, monkeypatch, classes)
    data = load_data(name, root=tmp_path)
    assert (data.channels, data.image_size, data.num_classes) == (3, (32, 32), classes)
    assert data.classes[1] == "class1"
    expected = torch.from_numpy(pixels[kind.test_list[0][0]]).view(-1, 3, 32, 32)
    assert torch.equal(data.test.images, expected)
    assert data.test.labels.tolist() == list(range(classes)) * 4


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist(tmp_path, name, kind):
    images = write_mnist(tmp_path, getattr(datasets, kind))
    data = load_data(name, root=tmp_path)
    assert (data.channels, data.image_size, data.num_classes) == (1, (28, 28), 10)
    assert torch.equal(data.test.images, torch.from_numpy(images)[:, None])
    assert len(data.train) + len(data.val) == 60


def test_svhn(tmp_path, monkeypatch):
    sums = {}
    for part in ("train", "test"):
        file = tmp_path / f"{part}_32x32.mat"
        pixels = GENERATOR.integers(0, 256, (32, 32, 3, 40), dtype=np.uint8)
        savemat(file, {"X": pixels, "y": (np.arange(40) % 10 + 1)[:, None]})  # SVHN calls the digit 0 "10"
        sums[part] = ["", file.name, md5(file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", sums)
    data = load_data("svhn", root=tmp_path)
    assert (data.channels, data.image_size, data.classes) == (3, (32, 32), tuple("0123456789"))
    assert torch.equal(data.test.images, torch.from_numpy(pixels).permute(3, 2, 0, 1))
    assert data.test.labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


@pytest.mark.parametrize(
    ("name", "files", "folder"),
    [
        ("cifar10", ["cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"], ""),
        ("cifar100", ["cifar-100-python.tar.gz"], ""),
        ("mnist", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"], "MNIST/raw"),
        ("fashion_mnist", ["train-images-idx3-ubyte.gz"], "FashionMNIST/raw"),
        ("svhn", ["train_32x32.mat", "test_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"], ""),
    ],
)
@pytest.mark.parametrize("download", [True, False])
def test_what_cannot_be_fetched_says_where_to_put_it(tmp_path, monkeypatch, name, files, folder, download):
    def no_network(*_, **__):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        load_data(name, root=tmp_path, download=download)
    assert time.monotonic() - start < 5
    message = str(caught.value)
    expected = ["no network here"] if download else ["data.download is false"]
    assert all(word in message for word in [*files, str(tmp_path / folder), "data.root", *expected])
    assert "\n" not in message


def test_a_damaged_archive_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network here")))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"half")
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz"):
        load_data("cifar10", root=tmp_path)


def test_archives_lie_in_poolab_data_by_default(own_folders):
    write_mnist(own_folders / "data", datasets.MNIST)
    assert len(load_data("mnist").test) == 20
