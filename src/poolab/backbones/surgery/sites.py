"""The places where a network pools: their kind, their geometry, and whether surgery gets there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from poolab.backbones.surgery.calls import REDUCTIONS, WINDOWS, Call, Frame, Observer, is_pooling, is_strided
from poolab.backbones.surgery.geometry import fitting, pair, window_of, words
from poolab.backbones.surgery.rewire import Traced, Untraceable, follow, pooling_kinds
from poolab.pooling import Pool

Kind = Literal["window", "strided_conv", "head", "gate"]
SMALLEST_WHOLE = 4  # an average over a whole map whose window has at least this many pixels a side is a head
LARGEST_STRIDE = 4  # beyond it a strided convolution cuts patches, and with stride 1 would compute 64 times as much


@dataclass
class Site:
    """One place where a network pools.

    Attributes:
        name: the qualified name of the layer, or of the one that will replace a function.
        kind: "window", "strided_conv" (a convolution that leaves pixels out), "head" (the last pooling of a whole map)
            or "gate" (an earlier one, as in squeeze-and-excitation).
        was: the present pooling, in words.
        call: how it was called.
        geometry: of a window; for a strided convolution that of the pooling which would follow it.
        ordinal: its place among the poolings of its owner's `forward`, if that must be rewired to get there.
        unreachable: why surgery cannot replace it; empty where it can.
    """

    name: str
    kind: Kind
    was: str
    call: Call
    geometry: dict[str, Any] = field(default_factory=dict)
    ordinal: int | None = None
    unreachable: str = ""

    @property
    def channels(self) -> int | None:
        """The channels of the map that is pooled."""
        shape = self.call.output if self.kind == "strided_conv" else self.call.input
        return shape[1] if shape else None


@dataclass
class Owner:
    """A module whose `forward` must be rewired to replace what it pools: a function, or a layer that it calls again."""

    module: nn.Module
    shared: dict[str, str]  # the layers that it calls several times, by their name in it, with their classes
    graphs: Traced | None = None
    reason: str = ""


@dataclass
class Sites:
    """All places of a network, in the order of its forward pass, and the modules to rewire, by qualified name."""

    all: list[Site]
    owners: dict[str, Owner]


def find_sites(model: nn.Module, example_input: Tensor | None = None) -> Sites:
    """Find the places where a network pools.

    With an example it runs once, as it is: functions are found too, and the size of every map. Without one only its
    layers are.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1))
    >>> [(site.kind, site.was) for site in find_sites(net, torch.zeros(1, 3, 16, 16)).all]
    [('strided_conv', 'Conv2d 3x3/2'), ('window', 'MaxPool2d 2x2/2'), ('head', 'AdaptiveAvgPool2d to 1x1')]
    """
    if example_input is None:
        calls, frames = _layers(model), {}
    else:
        with Observer(model) as seen, torch.no_grad():
            model(example_input)
        calls, frames = seen.calls, seen.frames
    again = {key for key, times in Counter((call.owner, call.layer) for call in calls).items() if times > 1 and key[1]}
    wired = {id(call) for call in calls if call.layer is None or (call.owner, call.layer) in again}
    owners = {
        path: _owner(frame, [call for call in calls if call.owner == path and id(call) in wired])
        for path, frame in frames.items()
        if any(call.owner == path and id(call) in wired for call in calls)
    }
    names, ordinals, found = _Names(model), Counter[str](), {}
    for call in calls:
        is_wired = id(call) in wired
        site = _site(call, model)
        if is_wired:
            ordinals[call.owner] += 1
        if site is None or (not is_wired and call.layer in found):
            continue
        if is_wired:
            site.name = names.new(call)
            site.ordinal = ordinals[call.owner] - 1
            site.unreachable = site.unreachable or owners[call.owner].reason
        found[site.name] = site
    sites = list(found.values())
    _tell_head(sites)
    return Sites(sites, owners)


def _layers(model: nn.Module) -> list[Call]:
    """Return the layers that pool, in the order in which the model names them."""
    calls, inside = [], ""
    for path, module in model.named_modules():
        if inside and path.startswith(f"{inside}."):
            continue
        if path and (is_pooling(module) or is_strided(module)):
            inside = path if is_pooling(module) else ""
            calls.append(Call(path.rpartition(".")[0], type(module).__name__, path, {}, module))
    return calls


def _owner(frame: Frame, calls: list[Call]) -> Owner:
    prefix = f"{frame.path}." if frame.path else ""
    shared = {call.layer.removeprefix(prefix): call.op for call in calls if call.layer}
    owner = Owner(frame.module, shared)
    try:
        graphs = follow(frame, shared)
        if pooling_kinds(graphs.evaluation, shared) != [call.op for call in calls]:
            raise Untraceable("what torch.fx followed pools in other places")
        owner.graphs = graphs
    except Untraceable as reason:
        owner.reason = f"it is in {type(frame.module).__name__}.forward, and {reason}"
    return owner


class _Names:
    """Names for layers that are not there yet, beside those that are."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.given: set[str] = set()

    def new(self, call: Call) -> str:
        """Return the name of the layer that would replace a function, or one call of a shared layer."""
        stem = call.layer or (f"{call.owner}.{call.op}" if call.owner else call.op)
        module = self.model.get_submodule(stem.rpartition(".")[0])
        number = 1
        while (name := f"{stem}_{number}") in self.given or hasattr(module, name.rpartition(".")[2]):
            number += 1
        self.given.add(name)
        return name


def _site(call: Call, model: nn.Module) -> Site | None:
    """Return what a call is, or None if another pooling cannot take its place."""
    if call.given is not None and call.given.dim() != 4:
        return None
    layer = model.get_submodule(call.layer) if call.layer else None
    name = call.layer or call.op
    if isinstance(layer, nn.Conv2d):
        stride = pair(layer.stride)
        if max(stride) > LARGEST_STRIDE:
            return None
        after = {"kernel_size": stride, "stride": stride, "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False}
        return Site(name, "strided_conv", f"{call.op} {words(window_of(layer, {}))}", call, after)
    if isinstance(layer, WINDOWS) or "kernel_size" in call.arguments:
        geometry = fitting(window_of(layer, call.arguments), call.input, call.output)
        site = Site(name, "window", f"{call.op} {words(geometry)}", call, geometry)
        if _covers_map(site):
            site.kind = "gate"
        elif max(geometry["kernel_size"]) == 1:
            return None
    else:
        site = Site(name, "gate", f"{call.op}{_size(layer, call)}", call)
    if getattr(layer, "return_indices", False) or call.arguments.get("return_indices") or call.op.endswith("indices"):
        site.unreachable = "it gives indices too, which no other pooling has"
    return site


def _tell_head(sites: list[Site]) -> None:
    """Mark the last pooling of a whole map as the head, unless a convolution works on a map after it."""
    whole = [site for site in sites if site.kind == "gate"]
    if whole and whole[-1].call.is_last:
        whole[-1].kind = "head"


def _covers_map(site: Site) -> bool:
    if not site.was.lower().startswith("avg") or site.call.given is None:
        return False
    size, kernel = site.call.given.shape[2:], site.geometry["kernel_size"]
    return min(kernel) >= SMALLEST_WHOLE and all(k >= n for k, n in zip(kernel, size, strict=True))


def _size(layer: nn.Module | None, call: Call) -> str:
    if call.op in REDUCTIONS or isinstance(layer, Pool):
        return ""
    size = call.arguments.get("output_size", getattr(layer, "output_size", None))
    return f" to {'x'.join(map(str, pair(size)))}"
