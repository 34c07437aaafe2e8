"""The machine's copy bandwidth, and the share of it that a pooling reaches."""

from time import perf_counter

import torch

from poolab.bench.choices import Shape
from poolab.bench.figures import Figure, figure
from poolab.measure import synchronise

# Far beyond the caches: 54 MB of last level on the processor that this was written on, 50 MB on an H100.
CPU_BYTES = 256 * 2**20
CUDA_BYTES = 2**30
ROUNDS = 15


def copy_bandwidth(device: str, size: int | None = None, rounds: int = ROUNDS) -> Figure:
    """Measure the bytes per second that `copy_` moves between two large tensors, read and written bytes together.

    >>> copy_bandwidth("cpu", size=2**20, rounds=5).median > 1e6
    True
    """
    place = torch.device(device)
    count = (size or (CUDA_BYTES if place.type == "cuda" else CPU_BYTES)) // 4
    source, copy = torch.ones(count, device=place), torch.zeros(count, device=place)
    copy.copy_(source)
    copies = 8 if place.type == "cuda" else 1  # one takes 0.7 ms on an H100, of which a synchronisation is 2 %
    speeds = []
    for _ in range(rounds):
        synchronise(place)
        start = perf_counter()
        for _ in range(copies):
            copy.copy_(source)
        synchronise(place)
        speeds.append(copies * 2 * 4 * count / (perf_counter() - start))
    return figure(speeds)


def least_bytes(direction: str, shape: Shape, outputs: int, itemsize: int) -> int:
    """Return the smallest number of bytes that a direction can move.

    Forward: read the map, write the output. Backward: read the map and the output gradient, write the map gradient.

    >>> least_bytes("forward", (1, 1, 4, 4), 4, 4), least_bytes("backward", (1, 1, 4, 4), 4, 4)
    (80, 144)
    """
    n, c, h, w = shape
    elements = n * c * h * w
    forward, backward = elements + outputs, 2 * elements + outputs
    return itemsize * {"forward": forward, "backward": backward, "both": forward + backward}[direction]
