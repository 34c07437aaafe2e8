"""Write the notes of a report: what stays as it is, layers that do not share, windows that fit one size alone."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from poolab.backbones.surgery.functions import WINDOW_FUNCTIONS
from poolab.backbones.surgery.geometry import window_of, words
from poolab.backbones.surgery.plan import Planned
from poolab.backbones.surgery.sites import Sites
from poolab.backbones.surgery.source import original


def notes(model: nn.Module, sites: Sites, planned: Sequence[Planned]) -> Iterator[str]:
    """Yield a sentence for each thing that a user must know."""
    if sites.idle:
        yield f"did not run with example_input, and stay as they are: {', '.join(sites.idle)}"
    scripted = [path for path, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    if scripted:
        yield f"compiled by torch.jit, and not looked into: {', '.join(scripted)}"
    yield from _without_batch(sites)
    yield from _of_callers(planned)
    yield from _of_inner_methods(model, planned)
    yield from _of_own_copies(model, planned)
    yield from _of_own_padding(planned)
    yield from _of_two_heads(planned)
    for one in planned:
        names = [path for path, module in model.named_modules(remove_duplicate=False) if module is one.pool]
        if len(names) > 1 and one.site.name in names:
            names.remove(one.site.name)
            yield f"{one.site.name} stands at {', '.join(names)} too, as one layer"
        if one.site.kind in ("head", "gate") and one.site.geometry:
            yield (
                f"{one.site.name} was {one.site.was}, which covers the map of example_input; the new layer pools the "
                "whole map whatever its size"
            )


def _without_batch(sites: Sites) -> Iterator[str]:
    left = [
        f"{call.op} in {call.owner or 'forward'}" for call in sites.others
        if call.op in WINDOW_FUNCTIONS and call.given is not None and call.given.dim() == call.dims + 1
    ]  # fmt: skip
    if left:
        yield f"pool maps without a batch, and stay as they are: {', '.join(dict.fromkeys(left))}"


def _of_callers(planned: Sequence[Planned]) -> Iterator[str]:
    """Tell of one line of one method that several callers reach, as the branches of a Siamese network do."""
    lines = defaultdict[Any, list[Planned]](list)
    for one in planned:
        if one.site.line and len(one.site.call.steps) > 1 and one.pool.state_dict():
            lines[one.site.call.owner, one.site.line].append(one)
    for (_, (function, _)), here in lines.items():
        if len({one.site.call.steps[:-1] for one in here}) > 1:
            yield (
                f"{', '.join(one.site.name for one in here)} are one call in {function.__qualname__}, with a layer for "
                "each caller: they learn apart. Where its callers are branches that must share, make it a module"
            )


def _of_inner_methods(model: nn.Module, planned: Sequence[Planned]) -> Iterator[str]:
    """Tell of methods of inner modules that an outer one calls past their `forward`."""
    told = set[tuple[str, str]]()
    for one in planned:
        for step in one.site.call.steps:
            name = step.function.__name__
            owners = [
                path for path, module in model.named_modules()
                if not step.method and path != one.site.call.owner
                and original(getattr(type(module), name, None)) is step.function
            ]  # fmt: skip
            if owners and (owners[0], name) not in told:
                told.add((owners[0], name))
                yield (
                    f"{owners[0]}.{name} is called by another module, which has its new layer, {one.site.name}: "
                    f"{owners[0]} by itself pools as before"
                )


def _of_own_copies(model: nn.Module, planned: Sequence[Planned]) -> Iterator[str]:
    """Tell of modules around a place whose class makes copies by a rule of its own."""
    around = {"", *(path for one in planned for path in _parents(one.site.name))}
    for path in sorted(around):
        kind = type(model.get_submodule(path))
        if hasattr(kind, "__deepcopy__") and not kind.__module__.startswith("torch."):
            yield (
                f"{kind.__name__} has a __deepcopy__ of its own, which knows nothing of the poolings that were "
                "replaced: look at what its copies pool with"
            )


def _of_own_padding(planned: Sequence[Planned]) -> Iterator[str]:
    """Tell of layers that pad by the size of the map, as those of TensorFlow's networks do."""
    for one in planned:
        layer, window = one.site.call.run, one.site.geometry
        if one.site.kind != "window" or not isinstance(layer, nn.Module):
            continue
        if window_of(layer, one.site.call.arguments, one.site.call.dims) != window:
            yield (
                f"{one.site.name} was a {type(layer).__name__}, which pads by the size of the map; the new layer has, "
                f"for maps of any size, the window that this was for the map of example_input: {words(window)}"
            )


def _of_two_heads(planned: Sequence[Planned]) -> Iterator[str]:
    """Tell of heads that pool the same map, as those of fastai do by its mean and its maximum."""
    maps = defaultdict[int, list[Planned]](list)
    for one in planned:
        if one.site.kind == "head" and one.site.call.source is not None:
            maps[id(one.site.call.source)].append(one)
    for here in maps.values():
        if len(here) > 1:
            yield (
                f"{' and '.join(one.site.name for one in here)} pool the same map, and all were replaced; name one of "
                "them in slots= to replace it alone"
            )


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
