"""The change itself, step by step, each with the way back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from torch import nn

from poolab.backbones.surgery.plan import Planned
from poolab.backbones.surgery.rewire import Place, rewire
from poolab.backbones.surgery.sites import Owner
from poolab.backbones.surgery.strided import leave_alone, pool_after

Undo = list[Callable[[], object]]


@contextmanager
def undone_on_fault() -> Iterator[Undo]:
    """Collect undo steps, and take them in reverse order if the block fails."""
    undo: Undo = []
    try:
        yield undo
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def apply(model: nn.Module, owners: Mapping[str, Owner], planned: Sequence[Planned], undo: Undo) -> None:
    """Put every planned layer in its place."""
    for one in planned:
        if one.site.ordinal is None:
            _put(model, one, undo)
    for path, owner in owners.items():
        own = [one for one in planned if one.site.ordinal is not None and one.site.call.owner == path]
        if own:
            _rewire(owner, own, undo)


def _put(model: nn.Module, one: Planned, undo: Undo) -> None:
    old = one.site.call.run
    assert isinstance(old, nn.Module)
    if isinstance(old, nn.Conv2d):
        undo.append(partial(leave_alone, old, type(old), old.stride))
        pool_after(old, one.pool)
        return
    for parent in list(model.modules()):
        for key, child in parent._modules.items():
            if child is old:  # it may be registered under several names
                undo.append(partial(parent._modules.__setitem__, key, old))
                parent._modules[key] = one.pool


def _rewire(owner: Owner, planned: Sequence[Planned], undo: Undo) -> None:
    assert owner.graphs is not None
    places = []
    for one in planned:
        assert one.site.ordinal is not None
        layer = one.site.name.rpartition(".")[2]
        undo.append(partial(owner.module._modules.pop, layer, None))
        owner.module.add_module(layer, one.pool)
        places.append(Place(one.site.ordinal, layer, one.flattens))
    undo.append(partial(setattr, owner.module, "__class__", type(owner.module)))
    rewire(owner.module, owner.graphs, places, owner.shared)
