"""Parts of a map that are computed one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor

from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.noise import Noise


@dataclass(frozen=True)
class Block:
    """Describe a part of a map: some samples, or some channels of one; its numbers lie side by side in the order of
    places.

    Attributes:
        samples, channels: which.
        of: how many channels the map has.
    """

    samples: slice
    channels: slice
    of: int

    @property
    def places(self) -> tuple[slice, slice]:
        """Return the index of the block."""
        return self.samples, self.channels

    def noise(self, seed: Tensor | None) -> Noise | None:
        """Return the random numbers of the block."""
        first = self.samples.start
        return None if seed is None else Noise(seed, first, first * self.of + self.channels.start)

    def own(self, values: Sequence[Tensor], dims: int) -> list[Tensor]:
        """Return the block's part of the values of all channels, (C,), laid out to be multiplied with a map."""
        return [value[self.channels].view(-1, *(1,) * dims) for value in values]


def blocks(input: Tensor, geometry: Geometry, most: int) -> Iterator[Block]:
    """Return the blocks of a map, of at most `most` windows where one map has no more."""
    samples, channels = input.shape[:2]
    windows = prod(geometry.output_size(*input.shape[2:]))
    if windows * channels > most:
        step = max(1, most // windows)
        for sample in range(samples):
            for first in range(0, channels, step):
                yield Block(slice(sample, sample + 1), slice(first, min(first + step, channels)), channels)
    else:
        step = max(1, most // (windows * channels))
        for first in range(0, samples, step):
            yield Block(slice(first, min(first + step, samples)), slice(0, channels), channels)
