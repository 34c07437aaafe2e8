"""Choose the places and make their layers, and try both before anything is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from poolab.backbones.surgery.calls import CONVOLUTIONS, Shape
from poolab.backbones.surgery.functions import REDUCTIONS
from poolab.backbones.surgery.hand_over import fault
from poolab.backbones.surgery.sites import Site
from poolab.errors import ConfigError, nearest
from poolab.pooling import Pool, create_pool, get_pool
from poolab.pooling.core import Geometry

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
    dims = usual_dims(sites)
    chosen = [
        site for site in sites if site.name in asked
        or (site.kind in asked and (site.call.dims == dims or site.kind == "head"))
    ]  # fmt: skip
    for site in chosen:
        if site.kind in ("head", "gate") and site.call.dims != 2:
            site.unreachable = "methods for whole maps are there for two dimensions alone"
        if site.own and site.name not in asked:
            site.unreachable = site.unreachable or site.own
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


def usual_dims(sites: Sequence[Site]) -> int:
    """Return the spatial dimensions of the places that a kind stands for: two, if the network pools images at all."""
    every = {site.call.dims for site in sites if site.kind in ("window", "strided_conv")}
    return 2 if 2 in every or not every else max(every)


def listed(sites: Sequence[Site]) -> str:
    """Return places as text."""
    return ", ".join(f"{site.name} ({site.kind}, {site.was})" for site in sites) or "none"


def plan(
    site: Site, name: str, options: Mapping[str, Any], modes: Mapping[str, bool], like: Tensor | None = None
) -> Planned:
    """Build the new layer of a place, and try it on the map that the place gets.

    Args:
        site: the place.
        name: the method.
        options: the method's own, and the geometry where it differs from the present one.
        modes: whether each module, by qualified name, is in training.
        like: has the device and dtype of new parameters.

    Raises:
        ConfigError: it cannot be created, or its output has another shape than the present one.
    """
    try:
        for geometry in _geometries(site, name, options):
            pool = _made(site, name, options, geometry, like)
            found = _tried(site, pool)
            if found == site.call.output:
                break
    except (ValueError, TypeError, RuntimeError) as wrong:
        advice = "; give example_input, so that the channels are known" if site.channels is None else ""
        raise ConfigError(f"{name} cannot stand at {site.name} ({site.was}): {wrong}{advice}") from wrong
    flattens = site.call.op in REDUCTIONS and not site.call.arguments.get("keepdim", False)
    if found is not None and flattens:
        found = (found[0], prod(found[1:]))
    if found is not None and found != site.call.output:
        raise ConfigError(
            f"{name} at {site.name} would turn a map of {_text(site.call.input)} into {_text(found)}, where {site.was} "
            f"gives {_text(site.call.output)}: choose the geometry so that the shape stays, or leave it out with slots="
        )
    if isinstance(site.call.run, nn.Module) and site.kind != "strided_conv":
        lost = fault(site.call.run, pool)
        if lost:
            raise ConfigError(
                f"{name} cannot stand at {site.name} ({site.was}): {lost}. Leave the place out with slots="
            )
    return Planned(site, pool.train(modes[site.call.layer or site.call.owner]), flattens)


def _geometries(site: Site, name: str, options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the geometry of a place; after a convolution one for each ceil_mode, first the one that fits more sizes.

    A convolution with stride s keeps every s-th of n positions, ceil(n / s): windows as large as the stride do so in
    ceil mode, 3x3 windows with padding 1 without it.
    """
    if site.kind != "strided_conv" or "ceil_mode" in options:
        return [site.geometry]
    dims, strides = site.call.dims, site.geometry["stride"]
    given = {key: options.get(key, value) for key, value in site.geometry.items() if key != "ceil_mode"}

    def misses(ceil_mode: bool) -> int:
        """Return for how many of some sizes another number of windows would come out."""
        window, missed = Geometry.of(name, **given, ceil_mode=ceil_mode, dims=dims), 0
        for n in range(64, 64 + max(strides)):
            missed += window.output_size(*(n,) * dims) != tuple(-(-n // stride) for stride in strides)
        return missed

    return [{**site.geometry, "ceil_mode": ceil_mode} for ceil_mode in sorted((True, False), key=misses)]


def _made(site: Site, name: str, options: Mapping[str, Any], geometry: Mapping[str, Any], like: Tensor | None) -> Pool:
    dims = site.call.dims
    own = {**geometry, **options} if get_pool(name, dims).role == "window" else options
    with torch.inference_mode(False):  # parameters made in it could never be trained
        pool = create_pool(name, channels=site.channels, dims=dims, **own)
        if like is not None:
            pool = pool.to(like.device, like.dtype)
    return pool


def like_of(model: nn.Module, site: Site) -> Tensor | None:
    """Return a tensor of the device and dtype that new parameters get: those of the network's own.

    The map's dtype tells nothing: under autocast it is another than that of the parameters, which an optimizer, a
    gradient scaler and a checkpoint know.
    """
    owner = model.get_submodule(site.call.owner)
    places = [site.call.run] if isinstance(site.call.run, nn.Module) else []
    for module in (*places, owner, model):
        weight = next((each for each in module.parameters() if each.dtype in _TRAINED), None)
        if weight is not None:
            return (
                weight.new_empty(0) if site.call.given is None else weight.new_empty(0, device=site.call.given.device)
            )
    return site.call.given


_TRAINED = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def _tried(site: Site, pool: Pool) -> Shape | None:
    given, conv = site.call.given, site.call.run
    if given is None:
        return None
    if isinstance(conv, CONVOLUTIONS):
        stride, kind = conv.stride, type(conv)
        try:
            conv.stride = (1,) * site.call.dims
            with site.call.as_called():
                given = kind.forward(conv, given)  # type: ignore[arg-type]
        finally:
            conv.stride = stride
    with site.call.as_called():
        return tuple(pool.eval()(given).shape)


def _text(shape: Shape | None) -> str:
    return "x".join(map(str, shape or ()))
