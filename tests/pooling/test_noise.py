"""Random numbers as a function of a seed and a place."""

import numpy as np
import pytest
import torch
from scipy import stats

from poolab.pooling import AvgTopKPool2d, create_pool
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.noise import Noise, draw_seed, uniform
from poolab.pooling.core.windows import Windows

MANY = 200_000


def numbers(seed: int, first: int = 0, count: int = MANY, draw: int = 0) -> np.ndarray:
    return uniform(torch.tensor(seed), first, (count,), torch.float64, draw).numpy()


def lowbias32(word: int) -> int:
    word = ((word ^ (word >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    word = ((word ^ (word >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return word ^ (word >> 16)


def test_it_is_the_hash_it_says():
    """Computed here with Python's whole numbers, which do not wrap."""
    for seed in (0, 1, 2**62 - 1, 0x0123456789ABCDEF):
        for place in (0, 1, 65_535, 2**31 + 7, 2**32 - 1):
            for draw in (0, 3):
                low, high = seed & 0xFFFFFFFF, ((seed >> 32) + draw * 0x85EBCA6B) & 0xFFFFFFFF
                expected = (lowbias32(lowbias32(place ^ low) ^ high) >> 8) * 2.0**-24
                assert uniform(torch.tensor(seed), place, (1,), torch.float64, draw).item() == expected


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**61 + 3])
def test_the_numbers_are_uniform(seed):
    found = numbers(seed)
    assert found.min() >= 0
    assert found.max() < 1
    assert stats.kstest(found, "uniform").pvalue > 1e-4
    counts = np.bincount((found * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("other", [
    lambda: numbers(7 + 2**32), lambda: numbers(7, draw=1), lambda: numbers(7, first=1),
    lambda: numbers(7, first=256), lambda: numbers(6, draw=1), lambda: numbers(8 + 2**40),
], ids=["high half", "next draw", "next place", "next row", "both", "another seed"])  # fmt: skip
def test_neighbours_have_nothing_in_common(other):
    first, second = numbers(7), other()
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(MANY)
    table = np.histogram2d(first, second, bins=16, range=((0, 1), (0, 1)))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-4
    if second[0] not in first[:300]:  # the next place has the same numbers but for one
        assert len(np.intersect1d(first[:4096], second[:4096])) < 20, "the same numbers in another order"


def test_a_part_has_the_numbers_of_the_whole():
    whole = numbers(3, count=1000)
    assert np.array_equal(numbers(3, first=400, count=100), whole[400:500])
    noise = Noise(torch.tensor(3), sample=2, map=10)
    assert np.array_equal(noise.uniform(400, (10, 10), torch.float64).flatten().numpy(), whole[400:500])
    assert np.array_equal(noise.uniform(0, (5,), torch.float64).numpy(), numbers(3, count=5, draw=1))


def test_seeds_come_from_the_generator():
    one, other = (torch.Generator().manual_seed(4) for _ in range(2))
    assert draw_seed(one, torch.device("cpu")) == draw_seed(other, torch.device("cpu"))
    torch.manual_seed(4)
    first = draw_seed(None, torch.device("cpu"))
    torch.manual_seed(4)
    assert first == draw_seed(None, torch.device("cpu"))


def test_more_numbers_than_places_are_refused():
    with pytest.raises(ValueError, match=r"at most 2\^32 numbers.*split the batch"):
        uniform(torch.tensor(1), 2**32 - 4, (5,), torch.float32)


def test_one_seed_a_call_and_none_where_nothing_is_drawn():
    x = torch.randn(2, 3, 8, 8)
    before = torch.get_rng_state()
    AvgTopKPool2d(2)(x)
    create_pool("stochastic", kernel_size=2).eval()(x)
    assert torch.equal(torch.get_rng_state(), before)
    create_pool("stochastic", kernel_size=2)(x)
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    draw_seed(None, x.device)
    assert torch.equal(torch.get_rng_state(), after)


def test_formulas_of_users_may_use_the_earlier_names():
    one, other = (Windows(torch.zeros(1, 2, 5, 4), Geometry.of("pool", (3, 2))) for _ in range(2))
    assert one.geometry.cells == one.geometry.taps == 6
    earlier = one.uniform_of_cells(torch.Generator().manual_seed(0))
    now = other.uniform_of_positions(torch.Generator().manual_seed(0))
    assert len(earlier) == 6
    assert all(torch.equal(a, b) for a, b in zip(earlier, now, strict=True))
