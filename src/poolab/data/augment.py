"""Padded crop, horizontal flip and normalisation of a whole batch at once, on whatever device it is; and its masks'."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache

import torch
from torch import Tensor


def prepare(
    images: Tensor,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    shift: Tensor | None = None,
    flip: Tensor | None = None,
    crop_padding: int = 0,
    memory_format: torch.memory_format = torch.contiguous_format,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Prepare the network's input from uint8 images (N, C, H, W), as torchvision's RandomCrop(padding),
    RandomHorizontalFlip, ToTensor and Normalize do image by image, up to float rounding.

    Arguments:
        images: uint8 (N, C, H, W), on any device; N may be 0.
        mean, std: one number a channel, in units of 0..1.
        shift: int64 (N, 2), the row and column in [0, 2 * crop_padding] where the crop starts in the padded image.
        flip: bool (N,), which images are mirrored left to right (after the crop).
        crop_padding: pixels of raw zero around the image before the crop; used with `shift` alone.
        memory_format: of the result.
        dtype: of the result; the arithmetic is in float32 or wider.

    >>> raw = torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8)
    >>> prepare(raw, (0.0,), (1.0,), flip=torch.tensor([True])).round(decimals=3).tolist()
    [[[[0.20000000298023224, 0.0], [1.0, 0.4000000059604645]]]]
    """
    wide = dtype if dtype == torch.float64 else torch.float32
    scale, bias = affine(tuple(mean), tuple(std), images.device, wide)
    out = torch.empty(images.shape, dtype=wide, device=images.device, memory_format=memory_format)
    with one_thread() if images.device.type == "cpu" else nullcontext():
        for here, part in _moved(images, shift, flip, crop_padding):
            if memory_format == torch.contiguous_format:
                out[here].copy_(part).mul_(scale).add_(bias)
            else:  # arithmetic over three values at a time would be slow: first the numbers, then the order
                out[here].copy_(part.to(wide).mul_(scale).add_(bias))
    return out.to(dtype)


def prepare_labels(
    labels: Tensor, *, shift: Tensor | None = None, flip: Tensor | None = None, crop_padding: int = 0
) -> Tensor:
    """Prepare the int64 targets of a batch: labels (N,) unchanged, masks (N, H, W) moved as `prepare` moves their
    images.

    What a crop brings in from beyond the image is ignored (255).

    >>> mask = torch.tensor([[[1, 2], [3, 255]]], dtype=torch.uint8)
    >>> prepare_labels(mask, shift=torch.tensor([[0, 1]]), crop_padding=1).tolist()
    [[[255, 255], [1, 2]]]
    """
    if labels.ndim == 1:
        return labels
    out = torch.empty(labels.shape, dtype=torch.int64, device=labels.device)
    # Shifted by one modulo 256, "ignored" is the zero that padding brings; back again, padding is ignored.
    with one_thread() if labels.device.type == "cpu" else nullcontext():
        for here, part in _moved(labels[:, None] + 1, shift, flip, crop_padding):
            out[here].copy_((part - 1)[:, 0])
    return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch's small operations on this thread.

    Each would else wait for a second thread, and where another process has that core, for the scheduler's next turn of
    4 to 8 ms: with 2 threads on 2 cores a batch of 512 took 2.6 ms on an idle machine and 560 to 870 ms beside one busy
    process; on one thread 3.5 and 5 to 17.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _moved(images: Tensor, shift: Tensor | None, flip: Tensor | None, padding: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield cropped and flipped images and their places: all at once on an accelerator, in parts on the CPU."""
    if len(images) == 0:
        return
    on_cpu = images.device.type == "cpu"
    if shift is None and flip is None:
        step = _part_length(images) if on_cpu else len(images)
        for first in range(0, len(images), step):
            yield slice(first, first + step), images[first : first + step]
        return
    rows, columns = _offsets(shift, flip, len(images), padding, images.device)
    if on_cpu:
        yield from _by_windows(images, rows, columns, flip, padding)
    else:
        yield slice(None), _by_gather(images, rows, columns, flip)


def _part_length(images: Tensor) -> int:
    """Return the number of images that fit into a CPU's cache at a time: 64 of CIFAR's size."""
    return max(1, PART_BYTES // max(1, images[0].numel()))


# Decision, measured in ms on 512 CIFAR-shaped images, 1 thread of a shared 2.8 GHz Xeon, variants interleaved in one
# process. The figures come from several passes (medians of 12 rounds in the first, least of 20 to 60 in the later ones,
# as other work made medians up to twice as large): good for the order of the variants, not for the second digit.
#   crop    rows or blocks of a padded copy: advanced indexing 4.2, index_select 1.3, a numpy loop 3.8;
#           the shifted bytes of the batch itself by index_select, wrapped pixels set to zero: 0.7 (taken)
#   flip    Tensor.flip of all 0.3 (taken: both orders lie side by side and the window picks one), torch.where 2.6,
#           flipping the chosen ones and writing them back 1.8, a column index 3.6
#   zeros   (N, H, W) masks by comparing 0.8, as windows of one padded mask 0.1 (taken)
#   float   `images * scale + bias` 7, batch_norm 2.0, addcmul 2.6, copy into float and mul_, add_ 1.4, the same by 64
#           images, which stay in the cache, 1.0 (taken); channels_last 9.0 at once, 1.8 by 64 images
#   whole   at once 4.0 (with masks by comparing), in parts of 64 images 2.5 (taken), 128: 2.9, 256: 2.6;
#           channels_last 3.5; without crop and flip 1.0; choosing, gathering and drawing the batch 0.5 more
PART_BYTES = 64 * 3 * 32 * 32


def _by_windows(
    images: Tensor, rows: Tensor, columns: Tensor, flip: Tensor | None, padding: int
) -> Iterator[tuple[slice, Tensor]]:
    """Crop and flip on the CPU: one copy of consecutive bytes for each image.

    In row-major order a shift by (dy, dx) is a start dy * W + dx bytes later; what wraps around an edge is exactly what
    the padding covers, and is set to zero.
    """
    _, _, height, width = images.shape
    size = images[0].numel()
    slack = images.new_empty(padding * (width + 1))  # the farthest that a window reaches beyond its part
    start = rows * width + columns + len(slack)
    inside, corner = _inside(height, width, padding), (rows + padding) * (width + 2 * padding) + columns + padding
    step = _part_length(images)
    number = torch.arange(step) * size
    for first in range(0, len(images), step):
        here = slice(first, first + step)
        part = images[here].contiguous()
        begin = start[here] + number[: len(part)]
        memory = [slack, part.view(-1), slack]
        if flip is not None:
            memory[2:2] = [part.flip(-1).view(-1)]
            begin += flip[here] * part.numel()
        joined = torch.cat(memory)
        windows = joined.as_strided((len(joined) - size + 1, size), (1, 1))
        moved = windows.index_select(0, begin).view(part.shape)
        yield here, moved.mul_(inside.index_select(0, corner[here])[:, None]) if padding else moved


@lru_cache(maxsize=4)
def _inside(height: int, width: int, padding: int) -> Tensor:
    """Return 1 where a moved window lies in its image, else 0: all windows (H, W) of one padded image of ones."""
    line = width + 2 * padding
    with torch.inference_mode(False):
        ones = torch.zeros(height + 2 * padding, line, dtype=torch.uint8)
        ones[padding : padding + height, padding : padding + width] = 1
        return ones.as_strided((2 * padding * (line + 1) + 1, height, width), (1, line, 1))


def _by_gather(images: Tensor, rows: Tensor, columns: Tensor, flip: Tensor | None) -> Tensor:
    """Crop and flip on an accelerator: one indexing kernel, no waiting for the device."""
    count, channels, height, width = images.shape
    device = images.device
    y = rows[:, None] + torch.arange(height, device=device)
    x = columns[:, None] + torch.arange(width, device=device)
    inside = ((y >= 0) & (y < height))[:, None, :, None] & ((x >= 0) & (x < width))[:, None, None, :]
    if flip is not None:
        x = torch.where(flip[:, None], width - 1 - x, x)
    n = torch.arange(count, device=device)[:, None, None, None]
    c = torch.arange(channels, device=device)[:, None, None]
    y, x = y.clamp(0, height - 1)[:, None, :, None], x.clamp(0, width - 1)[:, None, None, :]
    return images[n, c, y, x] * inside


def _offsets(
    shift: Tensor | None, flip: Tensor | None, count: int, padding: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return by how many pixels each image's window lies lower and further right, in the flipped image if it is
    flipped.

    Flipping before a crop at -dx equals flipping after a crop at dx.
    """
    if shift is None:
        nothing = torch.zeros(count, dtype=torch.int64, device=device)
        return nothing, nothing
    rows, columns = (shift - padding).unbind(1)
    return rows, columns if flip is None else torch.where(flip, -columns, columns)


@lru_cache(maxsize=32)
def affine(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return scale and bias (C, 1, 1) with which `prepare` normalises: images * scale + bias, for levels from 0 to 255.

    >>> [values.flatten().tolist() for values in affine((0.5,), (0.2,), torch.device("cpu"), torch.float64)]
    [[0.0196078431372549], [-2.5]]
    """
    # Kept, because a copy from host to device waits for the device; made outside inference mode, because the first
    # caller may be an evaluation and the next one training.
    with torch.inference_mode(False):
        spread = torch.tensor(std, dtype=torch.float64)
        scale, bias = 1 / (255 * spread), -torch.tensor(mean, dtype=torch.float64) / spread
        return scale.view(-1, 1, 1).to(device, dtype), bias.view(-1, 1, 1).to(device, dtype)
