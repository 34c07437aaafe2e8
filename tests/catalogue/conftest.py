"""Fixtures of the catalogue: a photograph that costs no import of scikit-learn, and a method of a user."""

import pytest
from PIL import Image

from poolab.pooling.registry import POOLS, SIBLINGS


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """Stripes, a gradient and noise: something for each method to differ on."""
    import numpy as np

    places = np.arange(160)
    stripes = 90 * (places[:, None] // 5 % 2) + places[None, :] * 0.7
    noise = np.random.default_rng(0).integers(0, 50, (160, 160, 3))
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray((stripes[..., None] + noise).clip(0, 255).astype("uint8")).save(file)
    return str(file)


@pytest.fixture
def users_own():
    """A class that a user registers; the registry is afterwards as before."""
    from poolab.pooling import Reference, WindowPool2d, Windows, register
    from poolab.pooling.core.options import Real

    @register("half_range")
    class HalfRangePool2d(WindowPool2d):
        """Half of the range, y = share (max_i x_i - min_i x_i).

        Args:
            share: how much of the range.

        Example:
            >>> HalfRangePool2d(2)
        """

        reference = Reference("A user", 2024, "unpublished")
        options = {"share": Real(0.5)}
        disagreements = ("owner/repo takes the *whole* range (owner/repo#1).",)
        exempt = {"expectation": "a | b", "padding": "a constant has no range"}

        @staticmethod
        def formula(windows: Windows, share: float = 0.5):
            """share (max - min)."""
            return share * (windows.maximum() - windows.minimum())

    yield HalfRangePool2d
    del POOLS["half_range"], SIBLINGS["half_range", 1], SIBLINGS["half_range", 3]
