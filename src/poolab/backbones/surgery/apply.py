"""The change itself, step by step, each with the way back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import fx, nn

from poolab.backbones.surgery.calls import CONVOLUTIONS
from poolab.backbones.surgery.graphs import GraphPlace, edit
from poolab.backbones.surgery.hand_over import hand_over
from poolab.backbones.surgery.intercept import intercept
from poolab.backbones.surgery.plan import Planned
from poolab.backbones.surgery.sites import Sites
from poolab.backbones.surgery.source import NoSource
from poolab.backbones.surgery.strided import pool_after
from poolab.backbones.surgery.wiring import wiring_of
from poolab.errors import ConfigError

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


def apply(model: nn.Module, sites: Sites, planned: Sequence[Planned], undo: Undo) -> None:
    """Put every planned layer in its place.

    Raises:
        ConfigError: a module's calls cannot be intercepted.
    """
    for one in planned:
        if one.site.key is not None:
            _put_at(model.get_submodule(one.site.call.owner), one.site.key, one, undo)
        elif not one.site.is_wired:
            _put(model, one, undo)
    for path in dict.fromkeys(one.site.call.owner for one in planned if one.site.is_wired):
        own = [one for one in planned if one.site.is_wired and one.site.call.owner == path]
        _wire(model.get_submodule(path), path, sites, own, undo)


def _put(model: nn.Module, one: Planned, undo: Undo) -> None:
    old = one.site.call.run
    assert isinstance(old, nn.Module)
    if isinstance(old, CONVOLUTIONS):
        undo.append(pool_after(old, one.pool))
        return
    hand_over(old, one.pool, undo)
    for parent in list(model.modules()):
        for key, child in parent._modules.items():
            if child is old:  # it may be registered under several names
                undo.append(partial(parent._modules.__setitem__, key, old))
                parent._modules[key] = one.pool


def _put_at(owner: nn.Module, key: str, one: Planned, undo: Undo) -> None:
    """Put a layer at one of the keys under which a Sequential has the old one."""
    old: Any = owner._modules[key]
    hand_over(old, one.pool, undo)
    undo.append(partial(owner._modules.__setitem__, key, old))
    owner._modules[key] = one.pool
    if one.site.earlier and one.pool.state_dict():
        undo.append(owner.register_load_state_dict_pre_hook(EarlierKey(one.site.earlier, key)).remove)


@dataclass(frozen=True)
class EarlierKey:
    """Lets a Sequential load weights that an earlier poolab saved, under other keys for a layer that stood twice."""

    before: str
    now: str

    def __call__(self, module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
        """Rename the keys."""
        before, now = (f"{prefix}{key}." for key in (self.before, self.now))
        for name in [name for name in state if name.startswith(before)]:
            state.setdefault(now + name.removeprefix(before), state.pop(name))


def _wire(owner: nn.Module, path: str, sites: Sites, planned: Sequence[Planned], undo: Undo) -> None:
    for one in planned:
        undo.append(partial(owner._modules.pop, one.site.layer, None))
        owner._modules[one.site.layer] = one.pool  # add_module fails where a wrapper has its inner network's names
        if isinstance(one.site.call.run, nn.Module):
            hand_over(one.site.call.run, one.pool, undo)
    if isinstance(owner, fx.GraphModule):
        prefix = f"{path}." if path else ""
        shared = {one.site.call.layer.removeprefix(prefix) for one in planned if one.site.call.layer}
        places = [GraphPlace(one.site.ordinal or 0, one.site.layer, one.flattens) for one in planned]
        undo.append(edit(owner, places, shared))
        return
    before = dict(vars(owner))
    undo.append(partial(_restore, owner, type(owner), before))
    try:
        intercept(owner, wiring_of(owner, path, sites, planned))
    except NoSource as fault:
        raise ConfigError(f"the poolings of {type(owner).__name__}.forward cannot be replaced: {fault}") from fault


def _restore(owner: nn.Module, kind: type[nn.Module], attributes: dict[str, Any]) -> None:
    owner.__class__ = kind
    owner.__dict__.update(attributes)
