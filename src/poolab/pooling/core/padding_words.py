"""Padding by a word, as `torch.nn.Conv2d` takes it: "valid" is none, "same" keeps the size at stride 1."""

from collections.abc import Sequence
from typing import Literal

Sizes = tuple[int, ...]
PaddingWord = Literal["same", "valid"]


def padding_sizes(
    word: str, kernel_size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], str]:
    """Return the padding along each axis, and what is wrong with the word here, or "".

    >>> padding_sizes("same", (3, 5), (1, 1), (1, 1))
    ((1, 2), '')
    """
    none = (0,) * len(kernel_size)
    if word == "valid":
        return none, ""
    if word != "same":
        return none, f"padding must be an int >= 0, 'same' or 'valid', found {word!r}"
    around = [step * (kernel - 1) for kernel, step in zip(kernel_size, dilation, strict=True)]
    most = [2 * (kernel // 2) for kernel in kernel_size]
    half = tuple(total // 2 for total in around)
    alike = all(total % 2 == 0 and total <= limit for total, limit in zip(around, most, strict=True))
    if any(step != 1 for step in stride):
        instead = _instead(half if alike else None, tuple(kernel_size), tuple(stride))
        return none, f"padding='same' needs stride=1, as in torch's convolutions, {instead}"
    if not alike:
        return none, (
            "padding='same' needs as many elements before the map as after it, at most half of kernel_size: take an "
            "odd kernel_size without dilation, or pad the map before, with -inf for max (torch.nn.functional.pad)"
        )
    return half, ""


def _instead(half: Sizes | None, kernel_size: Sizes, stride: Sizes) -> str:
    """Return in words what gives ceil(size / stride) outputs for a map of every size."""
    found = f"found stride={_short(stride)}"
    if half is not None:
        return f"{found}: write padding={_short(half)}, which gives ceil(size / stride) outputs"
    if kernel_size == stride:
        return f"{found}: write padding=0, ceil_mode=True, which gives ceil(size / stride) outputs"
    return f"{found}: poolab.pooling.output_size(size, kernel_size, stride, padding='same') says what to write"


def _short(sizes: Sizes) -> int | Sizes:
    return sizes[0] if len(set(sizes)) == 1 else sizes
