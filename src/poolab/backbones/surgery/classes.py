"""Classes made for one module, between its own class and those that others made from it."""

from collections.abc import Callable
from typing import Any


def below_parametrization(kind: Any, make: Callable[[Any], Any]) -> Any:
    """Return what `make` gives for a module's class.

    torch's parametrizations (weight_norm, spectral_norm) change a module's class, and give back the first base of what
    they made: a class of ours must stand below theirs.
    """
    if not kind.__name__.startswith("Parametrized") or len(kind.__bases__) != 1:
        return make(kind)
    body = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    return type(kind.__name__, (make(kind.__bases__[0]),), body)
