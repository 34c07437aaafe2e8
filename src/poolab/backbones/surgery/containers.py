"""Containers of torch with a `forward` of their own: what surgery adds to them is none of their contents."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch import nn


def hiding(base: type[nn.Module], added: frozenset[str]) -> dict[str, Any]:
    """Return the methods with which a subclass of a container leaves layers out that were added to it."""
    if issubclass(base, nn.Sequential):
        return _of_list(base, added) | {"_get_item_by_idx": _of_index(added)}
    if issubclass(base, nn.ModuleList):
        return _of_list(base, added)
    return _of_dict(added) if issubclass(base, nn.ModuleDict) else {}


def _kept(self: nn.Module, added: frozenset[str]) -> dict[str, Any]:
    return {name: module for name, module in self._modules.items() if name not in added}


def _of_list(base: Any, added: frozenset[str]) -> dict[str, Any]:
    def length(self: nn.Module) -> int:
        return len(_kept(self, added))

    def iterate(self: nn.Module) -> Iterator[Any]:
        return iter(_kept(self, added).values())

    def item(self: Any, idx: Any) -> Any:
        if not isinstance(idx, slice):
            return base.__getitem__(self, idx)
        kept = list(_kept(self, added).items())[idx]
        return nn.Sequential(OrderedDict(kept)) if issubclass(base, nn.Sequential) else nn.ModuleList(
            [module for _, module in kept]
        )  # fmt: skip

    return {"__len__": length, "__iter__": iterate, "__getitem__": item}


def _of_index(added: frozenset[str]) -> Any:
    def item_by_index(self: Any, iterator: Any, idx: int) -> Any:
        kept = [each for name, each in zip(list(self._modules), iterator, strict=True) if name not in added]
        return next(islice(kept, range(len(kept))[idx], None))

    return item_by_index


def _of_dict(added: frozenset[str]) -> dict[str, Any]:
    return {
        "__len__": lambda self: len(_kept(self, added)),
        "__iter__": lambda self: iter(_kept(self, added)),
        "keys": lambda self: _kept(self, added).keys(),
        "values": lambda self: _kept(self, added).values(),
        "items": lambda self: _kept(self, added).items(),
    }
