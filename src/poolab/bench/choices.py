"""The words of the command line: shapes, kernels, and methods by name or group."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from poolab.errors import ConfigError

# The seventeen methods that the targets are set for, by how they compute.
METHODS = {
    "order": ("min", "median", "avg_topk", "rank_avg", "rank_weighted", "ordinal"),
    "values": ("lp", "gem", "lse", "softpool", "lehmer", "mixed", "adapool"),
    "draws": ("stochastic", "rank_stochastic", "max_dropout", "mixed_random"),
}
TARGET = tuple(name for group in METHODS.values() for name in group)
LAYOUTS = ("channels_last", "contiguous")
DTYPES = ("float32", "bfloat16", "float16", "float64")
DIRECTIONS = ("both", "forward", "backward")
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Kernel:
    """The window of a pooling layer.

    >>> str(Kernel(3, 2, 1)), str(Kernel(2, 2))
    ('3/2p1', '2/2')
    """

    size: int
    stride: int
    padding: int = 0

    def __str__(self) -> str:
        """Return the window as it is typed."""
        return f"{self.size}/{self.stride}" + (f"p{self.padding}" if self.padding else "")


def shape(text: str) -> Shape:
    """Parse the sizes of a map.

    >>> shape("64x64x32x32")
    (64, 64, 32, 32)
    """
    sizes = text.split("x")
    if len(sizes) != 4 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(f"shape {text!r} is not NxCxHxW with positive numbers: e.g. 64x64x32x32")
    n, c, h, w = map(int, sizes)
    return n, c, h, w


def kernel(text: str) -> Kernel:
    """Parse a window: size, stride, and padding if given.

    >>> kernel("3/2p1")
    Kernel(size=3, stride=2, padding=1)
    """
    found = re.fullmatch(r"(\d+)/(\d+)(?:p(\d+))?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"kernel {text!r} is not SIZE/STRIDE or SIZE/STRIDEpPADDING: e.g. 2/2, 3/2p1")
    size, stride, padding = (int(part or 0) for part in found.groups())
    if size < 1 or stride < 1 or padding > size // 2:
        raise argparse.ArgumentTypeError(
            f"kernel {text!r}: size and stride are at least 1, and the padding at most half of the size ({size // 2})"
        )
    return Kernel(size, stride, padding)


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """Parse a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def methods(asked: Sequence[str]) -> list[str]:
    """Return names and groups as names, each once: by group, then as they were asked for.

    Raises:
        ConfigError: no window method and no group is called so.

    >>> methods(["draws", "min"])
    ['stochastic', 'rank_stochastic', 'max_dropout', 'mixed_random', 'min']
    """
    from poolab.pooling import list_pools
    from poolab.pooling.registry import hint

    window = list_pools("window")
    groups = {**METHODS, "target": TARGET, "all": tuple(window)}
    unknown = [word for word in asked if word not in groups and word not in window]
    if unknown:
        raise ConfigError(
            f"--methods {unknown[0]} is neither a window method nor a group: {hint(unknown[0], [*window, *groups])}"
            f"Groups: {', '.join(groups)}; methods: {', '.join(window)}."
        )
    return list(dict.fromkeys(name for word in asked for name in groups.get(word, (word,))))


def target(method: str, *, backend: str, kernel: str, layout: str, device: str) -> float | None:
    """Return the target ratio to `nn.MaxPool2d`, forward and backward, of a method; None where none is set.

    >>> target("softpool", backend="fused", kernel="3/2p1", layout="channels_last", device="cpu")
    1.5
    """
    if method not in TARGET or kernel not in ("2/2", "3/2p1"):
        return None
    draws = method in METHODS["draws"]
    if device != "cpu":
        return 1.1 if backend == "fused" else None
    if backend == "plain":
        return 5.0 if draws else 4.0
    if backend == "fused":
        return 1.0 + 0.5 * (layout == "channels_last" and kernel == "3/2p1") + 0.5 * draws
    return None
