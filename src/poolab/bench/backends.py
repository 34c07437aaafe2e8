"""Which path a pooling computes by: plain torch, or fused."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from poolab import pooling
from poolab.errors import ConfigError

BACKENDS = ("plain", "fused")


def available() -> list[str]:
    """The paths that this version of poolab has.

    >>> available()[0]
    'plain'
    """
    return list(BACKENDS) if hasattr(pooling, "use_backend") else ["plain"]


def check(asked: Sequence[str]) -> None:
    """Refuse a path that is not there.

    Raises:
        ConfigError: this version of poolab has no such path.
    """
    missing = [name for name in asked if name not in available()]
    if missing:
        raise ConfigError(
            f"--backends {missing[0]}: this version of poolab has {', '.join(available())} alone; "
            "leave it out, or use a checkout whose poolab.pooling has use_backend."
        )


def using(name: str) -> AbstractContextManager[object]:
    """A context in which poolab's poolings take this path; any other name (that of a peer) changes nothing."""
    if name in BACKENDS and hasattr(pooling, "use_backend"):
        context: AbstractContextManager[object] = pooling.use_backend(name)
        return context
    return nullcontext()
