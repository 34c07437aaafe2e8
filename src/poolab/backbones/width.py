"""How wide a network is: one factor for all its channels, so that arms can be made equally large."""

import math

from poolab.errors import ConfigError


def scaled(channels: int, width_mult: float) -> int:
    """The channels of a layer in a network that is `width_mult` times as wide, max(1, round(channels * width_mult)).

    A half is rounded to the even number, as Python rounds; 1.0 changes nothing.

    >>> scaled(64, 1.0), scaled(64, 1.13), scaled(64, 0.001)
    (64, 72, 1)

    Raises:
        ConfigError: the factor is no number above 0.
    """
    number = isinstance(width_mult, int | float) and not isinstance(width_mult, bool)
    if not number or not math.isfinite(width_mult) or width_mult <= 0:
        raise ConfigError(f"width_mult={width_mult!r} is no number above 0; 1.0 leaves the channels as they are.")
    return max(1, round(channels * width_mult))
