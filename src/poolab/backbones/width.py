"""The width of a network: one factor for all its channels, so that arms can be made equally large."""

from poolab.errors import ConfigError
from poolab.pooling.core import Real, shown

# The search of `match_width` goes to 65 times the widest setting of a run.
WIDTH_MULT = Real(1.0, least=1e-6, most=10_000.0)


def scaled(channels: int, width_mult: float) -> int:
    """Return a layer's channels in a network `width_mult` times as wide: max(1, round(channels * width_mult)).

    A half is rounded to the even number, as Python rounds; 1.0 changes nothing.

    >>> scaled(64, 1.0), scaled(64, 1.13), scaled(64, 0.001)
    (64, 72, 1)

    Raises:
        ConfigError: the factor is not a number from 1e-6 to 10,000.
    """
    if not WIDTH_MULT.fits(width_mult, None):
        raise ConfigError(
            f"width_mult={shown(width_mult)} is not possible: it must be {WIDTH_MULT.describe()}; "
            "1.0 leaves the channels as they are."
        )
    return max(1, round(channels * width_mult))
