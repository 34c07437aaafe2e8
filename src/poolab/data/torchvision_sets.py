"""CIFAR, MNIST, Fashion-MNIST and SVHN through torchvision's own classes, with their download and integrity check."""

import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poolab.data.folders import download_folder
from poolab.data.raw import Raw, Request
from poolab.errors import DataError

# A server that accepts and then says nothing would otherwise hold a run for ever.
TIMEOUT_S = 20.0


def load_cifar10(request: Request) -> Raw:
    """Load 50,000 training and 10,000 test images of ten classes, 32x32 colour."""
    from torchvision.datasets import CIFAR10

    return _load_cifar(CIFAR10, request)


def load_cifar100(request: Request) -> Raw:
    """Load 50,000 training and 10,000 test images of a hundred classes, 32x32 colour."""
    from torchvision.datasets import CIFAR100

    return _load_cifar(CIFAR100, request)


def load_mnist(request: Request) -> Raw:
    """Load 60,000 training and 10,000 test images of handwritten digits, 28x28 grey."""
    from torchvision.datasets import MNIST

    return _load_mnist(MNIST, request)


def load_fashion_mnist(request: Request) -> Raw:
    """Load 60,000 training and 10,000 test images of ten kinds of clothing, 28x28 grey."""
    from torchvision.datasets import FashionMNIST

    return _load_mnist(FashionMNIST, request)


def load_svhn(request: Request) -> Raw:
    """Load 73,257 training and 26,032 test images of digits of house numbers, 32x32 colour."""
    from torchvision.datasets import SVHN

    files = [tuple(SVHN.split_list[split][1:]) for split in ("train", "test")]
    with _explained(request, files, "") as root:
        train, test = (SVHN(root, split=split, download=request.download) for split in ("train", "test"))
    train_images, test_images = (torch.from_numpy(np.ascontiguousarray(part.data)) for part in (train, test))
    return Raw(train_images, _long(train.labels), test_images, _long(test.labels), tuple("0123456789"))


def _load_cifar(kind: Callable[..., Any], request: Request) -> Raw:
    files = [(kind.filename, kind.tgz_md5)]  # type: ignore[attr-defined]
    with _explained(request, files, "") as root:
        train, test = (kind(root, train=part, download=request.download) for part in (True, False))
    train_images, test_images = (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test))
    return Raw(train_images, _long(train.targets), test_images, _long(test.targets), tuple(train.classes))


def _load_mnist(kind: Callable[..., Any], request: Request) -> Raw:
    with _explained(request, kind.resources, f"{kind.__name__}/raw") as root:  # type: ignore[attr-defined]
        train, test = (kind(root, train=part, download=request.download) for part in (True, False))
    return Raw(train.data[:, None], train.targets, test.data[:, None], test.targets, tuple(train.classes))


def _long(labels: Any) -> Tensor:
    return torch.as_tensor(labels, dtype=torch.int64)


@contextmanager
def _explained(request: Request, files: list[tuple[str, str]], folder: str) -> Iterator[Path]:
    """Lend the root folder; a failing download becomes a DataError that says which files to put where."""
    root = request.root or download_folder()
    before = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(TIMEOUT_S)
        with _locked(root), warnings.catch_warnings():
            # The archives were pickled by an old numpy, which says `align=0`; numpy 2.4 warns of it.
            warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed")
            yield root
    except (OSError, RuntimeError, EOFError, ValueError, HTTPException) as error:
        wanted = ", ".join(f"{name} (md5 {md5})" for name, md5 in files)
        reason = " ".join(str(error).split())
        raise DataError(
            f"data set {request.name} is not in {root} and could not be "
            + ("fetched" if request.download else "read (data.download is false)")
            + f": put {wanted} into {root / folder} and start again with data.download=true, which checks and unpacks "
            f"what is there and fetches nothing else; data.root names another folder. The reason was: {reason}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one process at a time fetch and unpack; a folder that is not writable needs no lock."""
    import fcntl

    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = (root / ".poolab.lock").open("w")
    except OSError:
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # let go of by the system, even where the process dies
        yield
