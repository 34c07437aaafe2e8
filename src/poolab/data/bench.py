"""Measure how many training images a second the batched path prepares, beside torchvision's image-by-image loop.

Nothing heavy is imported before the measurement starts, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from poolab.data.image_data import Split

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
PADDING = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's settings to a parser or subparser."""
    parser.add_argument("--batch-size", type=int, default=512, help="images in a batch (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads for both (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="device of the batched path: cpu or cuda (default: cpu)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to this file")
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Measure, show a table, and write the JSON file if one is asked for."""
    import torch

    torch.set_num_threads(arguments.threads)
    result = measure(arguments.batch_size, arguments.rounds, arguments.device)
    _show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


def measure(batch_size: int = 512, rounds: int = 15, device: str = "cpu") -> dict[str, Any]:
    """Measure images per second of both ways on random CIFAR-shaped images, one batch of each in every round.

    The batched path counts whole: choosing the images, gathering them, the copy to the device, crop, flip, float,
    normalisation. The image-by-image loop starts from PIL images that are there already.
    """
    import torch
    import torchvision

    split = _random_split(max(10_000, batch_size))
    loop, batched = _per_image(split, batch_size), _batched(split, batch_size, device)
    loop(), batched()  # warm up: imports, memory
    seconds: dict[str, list[float]] = {"torchvision_loop": [], "poolab_batched": []}
    for _ in range(rounds):
        seconds["torchvision_loop"].append(_time(loop))
        seconds["poolab_batched"].append(_time(batched))
    speeds = {name: _summary([batch_size / value for value in values]) for name, values in seconds.items()}
    ratios = [slow / fast for slow, fast in zip(*seconds.values(), strict=True)]
    return {
        "what": "random crop (padding 4), horizontal flip, float, normalise; 3x32x32 uint8 images",
        "unit": "images/s",
        "batch_size": batch_size,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "device": device,
        "load_average": os.getloadavg()[0],
        "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
        "python": platform.python_version(),
        "processor": platform.machine(),
        **speeds,
        "ratio": _summary(ratios),
    }


def _random_split(images: int) -> Split:
    import torch

    from poolab.data.image_data import Split

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return Split(pixels, torch.zeros(images, dtype=torch.int64))


def _per_image(split: Split, batch_size: int) -> Callable[[], Tensor]:
    import torch
    from PIL import Image
    from torchvision import transforms

    steps = [
        transforms.RandomCrop(32, padding=PADDING),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    transform = transforms.Compose(steps)
    images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in split.images[:batch_size]]
    return lambda: torch.stack([transform(image) for image in images])


def _batched(split: Split, batch_size: int, device: str) -> Callable[[], Tensor]:
    import torch

    from poolab.data.augment import prepare
    from poolab.data.loader import TrainBatches

    on_cuda = torch.device(device).type == "cuda"
    batches = TrainBatches(split, batch_size, seed=0, flip=True, crop_padding=PADDING, pin_memory=on_cuda)

    def endless() -> Iterator[dict[str, Tensor]]:
        for epoch in count():
            batches.set_epoch(epoch)
            yield from batches

    stream = endless()

    def step() -> Tensor:
        batch = {name: value.to(device, non_blocking=True) for name, value in next(stream).items()}
        out = prepare(batch["image"], MEAN, STD, shift=batch["shift"], flip=batch["flip"], crop_padding=PADDING)
        if on_cuda:
            torch.cuda.synchronize()
        return out

    return step


def _time(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _summary(values: list[float]) -> dict[str, float]:
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0], 0.0, values[0])
    return {"median": median(values), "quartile_low": low, "quartile_high": high}


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result['what']}\nbatch {result['batch_size']}, {result['threads']} torch thread(s), "
        f"{result['device']}, median of {result['rounds']} interleaved rounds, load {result['load_average']:.1f}"
    )
    for heading in ("path", "images/s", "quartiles"):
        table.add_column(heading, justify="left" if heading == "path" else "right")
    for name in ("torchvision_loop", "poolab_batched"):
        row = result[name]
        spread = f"{row['quartile_low']:,.0f} .. {row['quartile_high']:,.0f}"
        table.add_row(name.replace("_", " "), f"{row['median']:,.0f}", spread)
    ratio = result["ratio"]
    console = Console()
    console.print(table)
    console.print(
        f"The batched path is {ratio['median']:.0f} times as fast "
        f"(quartiles {ratio['quartile_low']:.0f} to {ratio['quartile_high']:.0f})."
    )
