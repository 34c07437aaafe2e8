"""The cost of a method: parameters, and bytes kept for backward. They are counted: equal on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from poolab.catalogue.chosen import make, refusals
from poolab.errors import ConfigError
from poolab.pooling import Pool
from poolab.pooling.core import Choice

CHANNELS = 64
BATCH = 2  # a method with batch normalisation needs more than one value
MAP = (16, 16)


@dataclass(frozen=True)
class Cost:
    """The cost of one method, and the options that it was measured with.

    Attributes:
        made: the method as it prints itself.
        parameters: how many numbers are learned, in words.
        saved: the bytes kept for backward beyond the input, for each element of the input.
        input, output: the shapes of the map that it was measured on, and of what came out.
    """

    made: str
    parameters: str
    saved: float
    input: tuple[int, ...]
    output: tuple[int, ...]


def measured(cls: type[Pool], given: dict[str, Any]) -> Cost:
    """Measure the cost of a method with the given options in plain torch, at 64 channels on a map of 16x16 in
    float32.

    Raises:
        ConfigError: the options do not fit each other, or this map.
    """
    import torch

    from poolab.measure import pooling_saved_bytes
    from poolab.pooling import use_backend

    pool, _ = make(cls, given, channels=CHANNELS)
    # "auto" takes a kernel where this process, or one before it, has made one, and kernels of adapool, gem and ordinal
    # keep other bytes (adapool 0.008 instead of 0.0001 an element): a card would depend on what ran before.
    with use_backend("plain"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        input = torch.rand(BATCH, CHANNELS, *MAP)
        with refusals(pool, input.shape):
            with torch.no_grad():
                output = pool.eval()(input)
            saved = sum(pooling_saved_bytes(pool, input).values())
    return Cost(shown(pool), _parameters(cls, given), saved / input.numel(), tuple(input.shape), tuple(output.shape))


def shown(pool: Pool) -> str:
    """Return the method with its arguments on one line, without the layers inside it."""
    return f"{type(pool).__name__}({pool.extra_repr()})"


def _parameters(cls: type[Pool], given: dict[str, Any]) -> str:
    """Return the number of parameters, and that for other values of `learnable` and `sharing` where they were not
    given.
    """
    plain = _count(cls, given)
    counts = [(options, _count(cls, {**given, **options})) for options in _kinds(cls, given)]
    others = [f"{count:,} with {_words(options)}" for options, count in counts if count not in (None, plain)]
    return ", ".join([f"{plain:,}", *others])


def _kinds(cls: type[Pool], given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the options that decide how much is learned, with values other than their defaults."""
    learnable, sharing = (cls.options.get(name) if name not in given else None for name in ("learnable", "sharing"))
    if learnable:
        yield {"learnable": not learnable.default}
    if isinstance(sharing, Choice) and cls.learns != "never":
        learning = {"learnable": True} if learnable and not learnable.default else {}
        yield from ({**learning, "sharing": one} for one in sharing.allowed if one != sharing.default)


def _words(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={str(value).lower()}" for name, value in options.items())


def _count(cls: type[Pool], options: dict[str, Any]) -> int | None:
    from poolab.measure import parameters

    try:
        return parameters(make(cls, options, channels=CHANNELS)[0])
    except ConfigError:  # options that do not go together
        return None
