"""Random numbers as a function of a seed and a place, so that whoever needs one can make it where it is needed.

One integer is drawn from the generator for a whole call; every number is a hash of that integer and of the place it is
for. Nothing is stored for the backward, which makes the same numbers again, and they depend neither on the memory
format nor on threads, blocks or the way they are computed: plain torch, a compiled loop and a GPU agree to the last
bit.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from poolab.pooling.core.open_sizes import is_open

# Two rounds of a 32-bit finaliser with hardly any bias (C. Wellons, "Prospecting for Hash Functions", 2018: lowbias32),
# one half of the seed before each. With one round, any two seeds would give the same numbers in another order; so only
# those do that share their upper half, of which one pair in 2^30 is drawn.
FIRST, SECOND = 0x7FEB352D, 0x846CA68B
STEP = 0x85EBCA6B  # from one map of numbers of a call to the next
MOST = 2**32


def draw_seed(generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Draw an integer below 2^62, shape (), from `generator` or from torch's global one."""
    return torch.randint(2**62, (), generator=generator, device=device)


@dataclass
class Noise:
    """Hold the random numbers of one call, of which this may be a part.

    Attributes:
        seed: the integer that was drawn for the call.
        sample: the first sample of this part.
        map: the first map of this part, counted over samples and channels.
        drawn: how many maps of numbers have been given out.
    """

    seed: Tensor
    sample: int = 0
    map: int = 0
    drawn: int = 0

    def uniform(self, first: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return the next numbers from [0, 1): those of the places `first`, `first` + 1 and so on, in raster order."""
        self.drawn += 1
        return uniform(self.seed, first, shape, dtype, self.drawn - 1)


def uniform(seed: Tensor, first: int, shape: tuple[int, ...], dtype: torch.dtype, draw: int = 0) -> Tensor:
    """Return numbers from [0, 1) with 24 random bits: a function of the seed, of `draw`, and of each number's place.

    >>> whole = uniform(torch.tensor(7), 0, (5,), torch.float32)
    >>> torch.equal(whole[2:], uniform(torch.tensor(7), 2, (3,), torch.float32))
    True
    """
    count = prod(shape)
    open = is_open(count)
    if not open and first + count > MOST:
        raise ValueError(f"one call draws at most 2^32 numbers, found {first + count}: split the batch")
    fits = not open and first + count < MOST // 2
    # int32 arithmetic wraps as unsigned does, and torch's vector loops take it four times as fast as int64.
    state = torch.arange(first, first + count, device=seed.device, dtype=torch.int32 if fits else torch.int64)
    state = state.to(torch.int32)
    low, high = _word(seed), _word((seed >> 32) + draw * STEP)
    # Not in place where the seed is one of several: vmap(randomness="different") draws one for each call.
    state = state ^ low if torch._C._functorch.is_batchedtensor(low) else state.bitwise_xor_(low)
    state = _mixed(_mixed(state).bitwise_xor_(high))
    return (state >> 8).bitwise_and_(0xFFFFFF).to(dtype).mul_(2.0**-24).view(shape)


def _mixed(state: Tensor) -> Tensor:
    """Run one round, in place: five passes of 0.2 ns a number; torch.rand takes 4 ns, since it runs in one thread."""
    state.bitwise_xor_((state >> 16).bitwise_and_(0xFFFF)).mul_(_signed(FIRST))
    state.bitwise_xor_((state >> 15).bitwise_and_(0x1FFFF)).mul_(_signed(SECOND))
    return state.bitwise_xor_((state >> 16).bitwise_and_(0xFFFF))


def _word(number: Tensor) -> Tensor:
    """Return the low 32 bits as an int32."""
    low = number & 0xFFFFFFFF
    return (low - ((low >> 31) << 32)).to(torch.int32)


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)
