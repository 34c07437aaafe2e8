"""Which places get which layer, made and tried before anything is changed."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

from poolab.backbones.surgery.calls import REDUCTIONS, Shape
from poolab.backbones.surgery.sites import Site
from poolab.errors import ConfigError, nearest
from poolab.pooling import Pool, create_pool, get_pool

KINDS = ("window", "strided_conv", "head")


@dataclass
class Planned:
    """A place, the layer that will stand there, and whether its output loses the map's two dimensions."""

    site: Site
    pool: Pool
    flattens: bool


def choose(sites: Sequence[Site], slots: str | Sequence[str], name: str) -> list[Site]:
    """Return the requested places, in the order of the forward pass.

    Raises:
        ConfigError: there is no such place, or the method is not for it.
    """
    asked = [slots] if isinstance(slots, str) else list(slots)
    known = [site.name for site in sites]
    unknown = [one for one in asked if one not in KINDS and one not in known]
    if unknown:
        raise ConfigError(
            f"nothing pools at {', '.join(unknown)}: {nearest(unknown[0], known)}"
            f"allowed are {', '.join(KINDS)} and the places {listed(sites)}"
        )
    chosen = [site for site in sites if site.name in asked or site.kind in asked]
    is_head = get_pool(name).role == "global"
    for site in chosen:
        is_whole = site.kind in ("head", "gate")
        if is_head != is_whole:
            needs = "whole maps are pooled" if is_whole else "windows are pooled"
            raise ConfigError(
                f"{name} is {'a head' if is_head else 'no head'}, and at {site.name} ({site.was}) {needs}: "
                "choose another method, or another place with slots="
            )
    return chosen


def listed(sites: Sequence[Site]) -> str:
    """Return places as text."""
    return ", ".join(f"{site.name} ({site.kind}, {site.was})" for site in sites) or "none"


def plan(site: Site, name: str, options: Mapping[str, Any], modes: Mapping[str, bool]) -> Planned:
    """Build the new layer of a place, and try it on the map that the place gets.

    Args:
        site: the place.
        name: the method.
        options: the method's own, and the geometry where it differs from the present one.
        modes: whether each module, by qualified name, is in training.

    Raises:
        ConfigError: it cannot be created, or its output has another shape than the present one.
    """
    try:
        pool = _made(site, name, options, site.geometry)
        found = _tried(site, pool)
        if found != site.call.output and site.kind == "strided_conv" and "ceil_mode" not in options:
            # A convolution with padding rounds an odd map up, a pooling rounds it down.
            pool = _made(site, name, options, {**site.geometry, "ceil_mode": True})
            found = _tried(site, pool)
    except (ValueError, TypeError, RuntimeError) as fault:
        advice = "; give example_input, so that the channels are known" if site.channels is None else ""
        raise ConfigError(f"{name} cannot stand at {site.name} ({site.was}): {fault}{advice}") from fault
    flattens = site.call.op in REDUCTIONS and not site.call.arguments.get("keepdim", False)
    if found is not None and flattens:
        found = (found[0], prod(found[1:]))
    if found is not None and found != site.call.output:
        raise ConfigError(
            f"{name} at {site.name} would turn a map of {_text(site.call.input)} into {_text(found)}, where {site.was} "
            f"gives {_text(site.call.output)}: choose the geometry so that the shape stays, or leave it out with slots="
        )
    return Planned(site, pool.train(modes[site.call.layer or site.call.owner]), flattens)


def _made(site: Site, name: str, options: Mapping[str, Any], geometry: Mapping[str, Any]) -> Pool:
    own = {**geometry, **options} if get_pool(name).role == "window" else options
    pool = create_pool(name, channels=site.channels, **own)
    weights = site.call.run.parameters() if isinstance(site.call.run, nn.Module) else iter(())
    like = next(_floating(weights), site.call.given)
    return pool if like is None else pool.to(like.device, like.dtype)


def _floating(tensors: Iterator[Tensor]) -> Iterator[Tensor]:
    return (tensor for tensor in tensors if tensor.is_floating_point())


def _tried(site: Site, pool: Pool) -> Shape | None:
    given, conv = site.call.given, site.call.run
    if given is None:
        return None
    if isinstance(conv, nn.Conv2d):
        every = copy.copy(conv)  # with the same weights
        every.stride = (1, 1)
        given = every(given)
    return tuple(pool.eval()(given).shape)


def _text(shape: Shape | None) -> str:
    return "x".join(map(str, shape or ()))
