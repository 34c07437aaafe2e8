"""Fuzzy pooling and fuzzy integrals: by hand, their identities, and what public code computes in their place."""

import numpy as np
import pytest
import torch

from poolab.pooling import create_pool
from tests.pooling.oracles import Shape, each_window
from tests.pooling.oracles_fuzzy import integral
from tests.pooling.support import distinct, make

TWO = Shape((2, 2), (2, 2))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5, 0.5, 6.0], 0.5),  # three are small
        ([0.0, 2.0, 2.0, 2.5], 2.625 / 2.25),  # small by 1, 1/2, 1/2 and 1/4
        ([2.9, 3.0, 3.1, 0.0], (2.9 * 14 / 15 + 3.0 + 3.1 * 14 / 15) / (1 + 28 / 15)),  # around 3: medium
        ([6.0, 5.0, 4.5, 0.0], 15.5 / 3),  # large
        ([0.0, 0.0, 0.0, 0.0], 0.0),
        ([-8.0, -2.0, -2.0, -8.0], -5.0),  # below 0 is small
        ([1e4, 2e4, 3e4, 0.0], 2e4),
    ],
)
def test_fuzzy_pooling_by_hand(values: list[float], expected: float):
    x = torch.tensor(values, dtype=torch.float64).view(1, 1, 2, 2)
    assert create_pool("fuzzy", kernel_size=2)(x).item() == pytest.approx(expected)
    assert create_pool("fuzzy", kernel_size=2, largest=12.0)(2 * x).item() == pytest.approx(2 * expected)


def fuzzy_of_the_benchmark(x: torch.Tensor) -> torch.Tensor:
    """What MLV-RG/cnn-pooling-layers-benchmark computes for windows (n, 4) (fuzzy.py, commit 7fe5422)."""
    first = torch.where(x > 3, 0.0, torch.where(x < 1, 1.0, (3 - x) / 2))
    second = torch.where(x > 1.5, 0.0, (x - 1.5) / 1.5)
    third = torch.where(first > 3, 0.0, torch.where(first > 4.5, 1.0, (first - 3) / 1.5))
    sets = torch.stack([first, second, third], 1)
    chosen = sets[torch.arange(len(x)), sets.sum(2).argmax(1)]
    whole = torch.where(chosen.sum(1) == 0, 1.0, chosen.sum(1))
    return (chosen.view(-1, 2, 2) @ x.view(-1, 2, 2)).flatten(1).sum(1) / whole


def test_the_fuzzy_pooling_of_the_benchmark_is_another_function():
    """Its sums of products of matrices are no mean: the values 1, 1, 1, 1 give 2, and large values give 0."""
    ones, large = torch.ones(1, 4, dtype=torch.float64), torch.full((1, 4), 5.0, dtype=torch.float64)
    assert fuzzy_of_the_benchmark(ones).item() == 2.0
    assert fuzzy_of_the_benchmark(large).item() == 0.0
    pool = create_pool("fuzzy", kernel_size=2)
    assert pool(ones.view(1, 1, 2, 2)).item() == 1.0
    assert pool(large.view(1, 1, 2, 2)).item() == 5.0


def test_identities_of_the_integrals():
    x = distinct(2, 2, 6, 6)
    same = {"power": 1.0, "integral": "choquet"}
    torch.testing.assert_close(make("fuzzy_integral", **same)(x), make("avg", count_include_pad=False)(x))
    share = (x - x.min()) / (x.max() - x.min())
    sugeno = make("fuzzy_integral", integral="sugeno")(share)
    assert (make("min")(share) - 1e-12 <= sugeno).all()
    assert (sugeno <= make("max")(share)).all()
    assert make("fuzzy_integral", integral="sugeno")(x + 10).max() <= 1.0  # nothing above 1 comes out
    total = create_pool("fuzzy_integral", kernel_size=2, integral="dv_sugeno")(torch.ones(1, 1, 2, 2)).item()
    assert total == 1.875  # (1 + 4 + 9 + 16) / 16


@pytest.mark.parametrize("name", ["sugeno", "dv_sugeno"])
def test_the_integrals_are_those_of_combpool(name: str):
    """iosurodri/CombPool (aggregation_functions.py, commit 1082408): sorted values, (n - i)^2 / n^2."""
    x = distinct(2, 2, 6, 6)
    values = each_window(x.numpy(), TWO, lambda taps: taps)
    rising = torch.from_numpy(np.stack(values.ravel().tolist())).sort(1).values
    measure = (torch.arange(4, 0, -1) / 4).double() ** 2
    theirs = torch.minimum(rising, measure).amax(1) if name == "sugeno" else (rising * measure).sum(1)
    found = make("fuzzy_integral", TWO, integral=name)(x)
    torch.testing.assert_close(found.flatten(), theirs)


def test_comb_is_the_combination_of_its_functions_and_starts_between_0_and_1():
    x = distinct(1, 2, 4, 4)
    pool = make("comb", TWO, dtype=torch.float64, functions="avg+choquet")
    weights = pool.weight.detach()
    assert ((weights >= 0) & (weights <= 1)).all()
    choquet = each_window(x.numpy(), TWO, lambda taps: integral(taps, "choquet", 2.0)).astype(float)
    mean = each_window(x.numpy(), TWO, np.mean).astype(float)
    w = (weights**2).numpy()[:, None, :, None, None]
    np.testing.assert_allclose(pool(x).detach().numpy(), w[0] * mean + w[1] * choquet, rtol=1e-12)
