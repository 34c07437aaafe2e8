"""Classes made for one module, between its own class and those that others made from it."""

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

# Attributes of the classes that surgery makes; a network's own class has no such names.
WRITTEN, WIRING, OVERRIDES = "_poolab_written", "_poolab_wiring", "_poolab_overrides"


class _Unannounced:
    """Stands before a class whose `__init_subclass__` registers each subclass: one of ours is no new network."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        pass


def subclass(base: Any, body: Mapping[str, Any]) -> Any:
    """Return a subclass with the name and the text of its base."""
    announces = isinstance(base.__init_subclass__, MethodType)  # object's is built in
    named = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    return type(base.__name__, (_Unannounced, base) if announces else (base,), {**named, **body})


def below_parametrization(kind: Any, make: Callable[[Any], Any]) -> Any:
    """Return what `make` gives for a module's class.

    torch's parametrizations (weight_norm, spectral_norm) change a module's class, and give back the first base of what
    they made: a class of ours must stand below theirs.
    """
    if not kind.__name__.startswith("Parametrized") or len(kind.__bases__) != 1:
        return make(kind)
    body = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    return type(kind.__name__, (make(kind.__bases__[0]),), body)
