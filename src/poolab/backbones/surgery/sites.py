"""The places where a network pools: their kind, their geometry, and whether surgery gets there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import fx, nn

from poolab.backbones.surgery.calls import CONVOLUTIONS, WINDOWS, Call, Observer, is_pooling, is_strided
from poolab.backbones.surgery.example import Example, run_example
from poolab.backbones.surgery.functions import FUNCTIONS, REDUCTIONS, WINDOW_FUNCTIONS, sides
from poolab.backbones.surgery.geometry import fitting, window_of, words
from poolab.backbones.surgery.graphs import follow
from poolab.backbones.surgery.own import own_arithmetic
from poolab.pooling import Pool

Kind = Literal["window", "strided_conv", "head", "gate"]
SMALLEST_WHOLE = 4  # an average over a whole map whose window has at least this many pixels a side is a head
LARGEST_STRIDE = 4  # beyond it a strided convolution cuts patches, and with stride 1 would compute 64 times as much


@dataclass
class Site:
    """One place where a network pools.

    Attributes:
        name: the qualified name of the layer, or of the one that will replace a function.
        kind: "window", "strided_conv" (a convolution that leaves pixels out), "head" (the last pooling of a whole map,
            and another of the same map) or "gate" (an earlier one, as in squeeze-and-excitation).
        was: the present pooling, in words.
        call: how it was called.
        geometry: of a window; for a strided convolution that of the pooling which would follow it.
        is_wired: whether its owner's calls must be intercepted to get there.
        ordinal: its place among the poolings of its owner's graph, where the owner is a GraphModule.
        key: the key of a Sequential under which the layer stands, if it stands there several times.
        earlier: the key that an earlier poolab gave it there.
        unreachable: why surgery cannot replace it; empty where it can.
        own: why it is replaced only where it is asked for by name; empty where it is replaced with the others.
    """

    name: str
    kind: Kind
    was: str
    call: Call
    geometry: dict[str, Any] = field(default_factory=dict)
    is_wired: bool = False
    ordinal: int | None = None
    key: str | None = None
    earlier: str = ""
    unreachable: str = ""
    own: str = ""

    @property
    def channels(self) -> int | None:
        """The channels of the map that is pooled."""
        shape = self.call.output if self.kind == "strided_conv" else self.call.input
        return shape[1] if shape else None

    @property
    def line(self) -> Any:
        """The function and the place in its source where the pooling is called; None where that is not known."""
        return (self.call.steps[-1].function, self.call.steps[-1].position) if self.call.steps else None

    @property
    def layer(self) -> str:
        """The name of the layer in its owner, where calls are intercepted."""
        return self.name.rpartition(".")[2]


@dataclass
class Sites:
    """All places of a network, in the order of its forward pass.

    Attributes:
        all: the places.
        others: calls of pooling functions that no other pooling can take.
        idle: the pooling layers that did not run, and the modules that call pooling functions.
    """

    all: list[Site]
    others: list[Call] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)


def find_sites(model: nn.Module, example_input: Example | None = None) -> Sites:
    """Find the places where a network pools.

    With an example it runs once, as it is: functions are found too, and the size of every map. Without one only its
    layers are.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1))
    >>> [(site.kind, site.was) for site in find_sites(net, torch.zeros(1, 3, 16, 16)).all]
    [('strided_conv', 'Conv2d 3x3/2'), ('window', 'MaxPool2d 2x2/2'), ('head', 'AdaptiveAvgPool2d to 1x1')]
    """
    if example_input is None:
        return Sites(_sites(model, _layers(model))[0])
    with Observer(model) as seen, torch.no_grad():
        run_example(model, example_input, seen.forget)
    idle = [call.layer for call in _layers(model) if call.layer and call.layer not in seen.ran]
    idle += [
        path for path, module in model.named_modules() if path and path not in seen.ran and _calls_poolings(module)
    ]
    return Sites(*_sites(model, seen.calls), idle)


def _sites(model: nn.Module, calls: list[Call]) -> tuple[list[Site], list[Call]]:
    calls = _followed(model, calls)
    again = {key for key, times in Counter(map(_layer_of_owner, calls)).items() if times > 1}
    wired = [call for call in calls if call.layer is None or _layer_of_owner(call) in again]
    names, found, others = _Names(model), dict[str, Site](), list[Call]()
    graphs = {path: _graph_kinds(model, path, wired) for path in {call.owner for call in wired}}
    places = Counter[str]()
    for call in calls:
        site, is_wired = _site(call, model), any(call is each for each in wired)
        if is_wired:
            places[call.owner] += 1
        if site is None:
            others += [call] if call.layer is None else []
        if site is None or (not is_wired and call.layer in found):
            continue
        if is_wired:
            _wire(site, model, names, graphs[call.owner], places[call.owner] - 1)
        found[site.name] = site
    sites = list(found.values())
    _tell_head(sites)
    for call in calls:
        call.result = None
    return sites, others


def _followed(model: nn.Module, calls: list[Call]) -> list[Call]:
    """Look into layers with arithmetic of their own around one pooling function: that function is the place then.

    As transformers' BitMaxPool2d, which pads by zeros before it pools: the zeros stay.
    """
    inside: dict[str, list[Call]] = {}
    for call in calls:
        if call.layer is None and is_pooling(model.get_submodule(call.owner)):
            inside.setdefault(call.owner, []).append(call)
    left = list[Call]()
    for path, inner in inside.items():
        layer = model.get_submodule(path)
        outer = [call for call in calls if call.layer == path]
        is_one = len(inner) == len(outer) == 1 and inner[0].steps
        is_more = own_arithmetic(outer[0], layer) or any(layer.children()) if is_one else False
        left += outer if is_more else inner
    return [call for call in calls if not any(call is each for each in left)]


def _layer_of_owner(call: Call) -> Any:
    """Return what is equal for two calls of one layer by one owner; a convolution is one place however it is called."""
    is_pool = call.layer is not None and not isinstance(call.run, CONVOLUTIONS)
    return (call.owner, call.layer) if is_pool and call.given is not None else id(call)


def _wire(site: Site, model: nn.Module, names: "_Names", reason: str | None, ordinal: int) -> None:
    """Fill in how the layer gets to its place, where it is a function or one call of a layer called again."""
    call, owner = site.call, model.get_submodule(site.call.owner)
    if call.layer is not None and type(owner).forward is nn.Sequential.forward:
        site.key, site.earlier = names.key_of(call, owner), names.new(call).rpartition(".")[2]
        site.name = f"{call.owner}.{site.key}" if call.owner else str(site.key)
        return
    site.is_wired = True
    site.name = names.new(call)
    if isinstance(owner, fx.GraphModule):
        site.ordinal, where = ordinal, reason
    else:
        where = call.astray or (None if call.steps else "nothing tells where it is called")
    if where and not site.unreachable:
        site.unreachable = f"it is in {type(owner).__name__}.forward, and {where}"


def _graph_kinds(model: nn.Module, path: str, wired: list[Call]) -> str | None:
    """Return why the graph of an owner cannot be edited; None where it can, or where there is none."""
    owner = model.get_submodule(path)
    if not isinstance(owner, fx.GraphModule):
        return None
    prefix = f"{path}." if path else ""
    calls = [call for call in wired if call.owner == path]
    kinds = [call.layer.removeprefix(prefix) if call.layer else call.op for call in calls]
    return follow(owner, kinds)


def _calls_poolings(module: nn.Module) -> bool:
    """Return True if a module's `forward` names a pooling function, and the module is no pooling itself."""
    code = None if type(module).__module__.startswith("torch.") else getattr(type(module).forward, "__code__", None)
    names = () if code is None else code.co_names
    return bool(set(names) & set(FUNCTIONS) - set(REDUCTIONS)) and not isinstance(module, Pool)


def _layers(model: nn.Module) -> list[Call]:
    """Return the layers that pool, in the order in which the model names them."""
    calls, inside = list[Call](), ""
    for path, module in model.named_modules():
        if inside and path.startswith(f"{inside}."):
            continue
        if path and (is_pooling(module) or is_strided(module)):
            inside = path if is_pooling(module) else ""
            calls.append(Call(path.rpartition(".")[0], type(module).__name__, path, {}, module))
    return calls


class _Names:
    """Names for layers that are not there yet, beside those that are."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.given: set[str] = set()
        self.keys = Counter[str]()

    def new(self, call: Call) -> str:
        """Return the name of the layer that would replace a function, or one call of a shared layer."""
        module = self.model.get_submodule(call.owner)
        stem = (call.layer or call.op).rpartition(".")[2]
        prefix = f"{call.owner}." if call.owner else ""
        number = 1
        while (name := f"{prefix}{stem}_{number}") in self.given or hasattr(module, f"{stem}_{number}"):
            number += 1
        self.given.add(name)
        return name

    def key_of(self, call: Call, owner: nn.Module) -> str:
        """Return the key of a Sequential under which the layer of this call stands."""
        keys = [key for key, child in owner._modules.items() if child is call.run]
        place = self.keys[f"{call.owner} {call.layer}"]
        self.keys[f"{call.owner} {call.layer}"] += 1
        return keys[min(place, len(keys) - 1)]


def _site(call: Call, model: nn.Module) -> Site | None:
    """Return what a call is, or None if another pooling cannot take its place."""
    dims = call.dims
    if call.given is not None and call.given.dim() != dims + 2:
        return None
    layer = model.get_submodule(call.layer) if call.layer else None
    name = call.layer or call.op
    if isinstance(layer, CONVOLUTIONS):
        return _convolution(name, layer, call)
    if isinstance(layer, WINDOWS) or call.op in WINDOW_FUNCTIONS:
        geometry = fitting(window_of(layer, call.arguments, dims), call.input, call.output)
        site = Site(name, "window", f"{call.op} {words(geometry)}", call, geometry)
        if _covers_map(site):
            site.kind = "gate"
        elif max(geometry["kernel_size"]) == 1:
            return None
    else:
        site = Site(name, "gate", f"{call.op}{_size(layer, call)}", call)
    site.unreachable = _obstacle(call, layer)
    if layer is not None and not site.unreachable:
        site.own = own_arithmetic(call, layer)
    return site


def _convolution(name: str, layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, call: Call) -> Site | None:
    dims = call.dims
    stride = sides(layer.stride, dims)
    if max(stride) > LARGEST_STRIDE:
        return None
    plain = {"padding": (0,) * dims, "dilation": (1,) * dims, "ceil_mode": False}
    after = {"kernel_size": stride, "stride": stride, **plain}
    site = Site(name, "strided_conv", f"{call.op} {words(window_of(layer, {}))}", call, after)
    if hasattr(layer, "pool"):
        site.unreachable = "it has an attribute `pool` of its own, which is the name of the new layer"
    return site


def _obstacle(call: Call, layer: nn.Module | None) -> str:
    """Return why no other pooling can take a call; empty where one can."""
    if getattr(layer, "return_indices", False) or call.arguments.get("return_indices") or call.op.endswith("indices"):
        return "it gives indices too, which no other pooling has"
    dtype = call.arguments.get("dtype")
    if dtype is not None and call.given is not None and dtype != call.given.dtype:
        return f"it is asked for {dtype}, which a pooling cannot be told"
    return ""


def _tell_head(sites: list[Site]) -> None:
    """Mark the last pooling of a whole map as the head, unless a convolution works on a map after it."""
    whole = [site for site in sites if site.kind == "gate"]
    whole = [site for site in whole if site.call.dims == 2] or whole
    heads = whole[-1:] if whole and whole[-1].call.is_last else []
    for head in heads:  # grows meanwhile: each branch of a Siamese network may pool its map twice
        head.kind = "head"
        heads += [site for site in whole if _is_branch(site, head) and not any(site is one for one in heads)]


def _is_branch(site: Site, head: Site) -> bool:
    """Return True if a pooling is of the head too: of the same map (mean and maximum side by side), or of the same line
    of one method (the branches of a Siamese network).
    """
    if site.call.source is not None and site.call.source is head.call.source:
        return True
    return bool(site.line) and site.line == head.line and site.call.owner == head.call.owner


def _covers_map(site: Site) -> bool:
    if not site.was.lower().startswith("avg") or site.call.given is None:
        return False
    size, kernel = site.call.given.shape[2:], site.geometry["kernel_size"]
    return min(kernel) >= SMALLEST_WHOLE and all(k >= n for k, n in zip(kernel, size, strict=True))


def _size(layer: nn.Module | None, call: Call) -> str:
    if call.op in REDUCTIONS or isinstance(layer, Pool):
        return ""
    size = call.arguments.get("output_size", getattr(layer, "output_size", None))
    return f" to {'x'.join(map(str, sides(size, call.dims)))}"
