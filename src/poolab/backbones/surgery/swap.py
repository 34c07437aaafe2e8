"""`swap_pooling`: another pooling in a network that poolab did not write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from poolab.backbones.base import Backbone
from poolab.backbones.surgery.apply import apply, undone_on_fault
from poolab.backbones.surgery.geometry import window_of, words
from poolab.backbones.surgery.plan import KINDS, Planned, choose, listed, plan
from poolab.backbones.surgery.report import Change, Replacement, SwapReport, Unreachable
from poolab.backbones.surgery.saved import saved_bytes
from poolab.backbones.surgery.sites import Site, Sites, find_sites
from poolab.errors import ConfigError
from poolab.measure import multiply_adds, parameters, preserve_state
from poolab.pooling import get_pool


def swap_pooling(
    model: nn.Module,
    name: str,
    *,
    slots: str | Sequence[str] | None = None,
    example_input: Tensor | None = None,
    **options: Any,
) -> SwapReport:
    """Replace the poolings of any network, in place.

    The geometry is that of what is replaced unless `options` says otherwise; weights, dtype, device and mode stay.
    It replaces layers, and functions (such as `F.max_pool2d`) if torch.fx can trace the `forward` that
    calls them: that `forward` is then made from its graph, while the other methods of its class stay. A strided
    convolution becomes the same convolution with stride 1, and the pooling after it.

    Args:
        model: any module; changed in place, or, where something is wrong, not at all.
        name: a method, one of `list_pools()`.
        slots: "window" (maxima and averages over windows), "strided_conv", "head" (the last pooling of whole maps), or
            the qualified names of places, as the report and the error messages list them. None: "head" for a method
            for heads, else "window".
        example_input: a batch that the model takes. It runs once, in eval mode, without gradients; without it only
            layers are found, no function, methods that must know the channels cannot be used, and no shape is checked.
        options: the method's own, and kernel_size, stride, padding, dilation, ceil_mode.

    Returns:
        What was replaced by what, what was not reached and why, and what the change costs.

    Raises:
        ConfigError: nothing would be replaced, a name or an option is wrong, or an output would have another shape.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10))
    >>> report = swap_pooling(net, "avg_topk", k=3, example_input=torch.zeros(1, 3, 8, 8))
    >>> net[1]
    AvgTopKPool2d(kernel_size=2, stride=2, k=3)
    >>> [(place.name, place.was, place.now) for place in report.replaced]
    [('1', 'MaxPool2d 2x2/2', 'avg_topk 2x2/2')]
    """
    role = get_pool(name).role
    where = slots if slots is not None else "head" if role == "global" else "window"
    modes = {path: module.training for path, module in model.named_modules()}
    with _in_evaluation(model):
        sites = find_sites(model, example_input)
        chosen = choose(sites.all, where, name)
        planned = [plan(site, name, options, modes) for site in chosen if not site.unreachable]
        if not planned:
            raise ConfigError(_nothing(model, sites, chosen, where, example_input))
        before = _costs(model, planned, example_input)
        expected = None if example_input is None else _shapes(model(example_input))
        with undone_on_fault() as undo:
            apply(model, sites.owners, planned, undo)
            if example_input is not None:
                _check_whole(model, name, example_input, expected)
        after = _costs(model, planned, example_input)
    if isinstance(model, Backbone):
        for one in planned:
            model.note_swap(one.site.name, one.pool)
    return _report(name, chosen, planned, before, after)


def _nothing(model: nn.Module, sites: Sites, chosen: list[Site], slots: str | Sequence[str], example: Any) -> str:
    """Explain why nothing would be replaced, and what could be."""
    where = slots if isinstance(slots, str) else list(slots)
    text = f"nothing to replace in {type(model).__name__} at slots={where}: "
    if chosen:
        return text + "; ".join(
            f"{site.name} ({site.was}) is out of reach, since {site.unreachable}" for site in chosen
        )
    others = [kind for kind in KINDS if any(site.kind == kind for site in sites.all)]
    text += f"it pools at {listed(sites.all)}" if sites.all else "no pooling was found"
    if others:
        text += f"; choose slots={' or slots='.join(others)}, or names of places"
    return text + ("; give example_input to find pooling functions too" if example is None else "")


def _check_whole(model: nn.Module, name: str, example: Tensor, expected: Any) -> None:
    """Run the changed network: a layer that is called in places of different channels shows only now."""
    try:
        found = _shapes(model(example))
    except (ValueError, TypeError, RuntimeError) as fault:
        raise ConfigError(f"with {name} the network does not run: {fault}") from fault
    if found != expected:
        raise ConfigError(f"with {name} the network gives {found} instead of {expected}")


def _shapes(output: Any) -> Any:
    return tree_map_only(Tensor, lambda tensor: tuple(tensor.shape), output)


@dataclass(frozen=True)
class Costs:
    """What is counted before and after."""

    parameters: int
    multiply_adds: int | None
    saved: list[int | None]


def _costs(model: nn.Module, planned: list[Planned], example: Tensor | None) -> Costs:
    operations = None if example is None else multiply_adds(model, example)
    return Costs(parameters(model), operations, [_saved(model, one) for one in planned])


def _saved(model: nn.Module, one: Planned) -> int | None:
    """Return the bytes that a place saves for the backward at present."""
    if one.site.call.given is None:
        return None
    try:
        run: Any = model.get_submodule(one.site.name)
    except AttributeError:  # a function, so far
        run = one.site.call.run
    return saved_bytes(run, one.site.call.given, run if isinstance(run, nn.Module) else None)


def _report(name: str, chosen: list[Site], planned: list[Planned], before: Costs, after: Costs) -> SwapReport:
    pairs = zip(before.saved, after.saved, strict=True)
    saved = [Change(old, new) if old is not None and new is not None else None for old, new in pairs]
    counted = [change for change in saved if change is not None]
    return SwapReport(
        pooling=name,
        replaced=tuple(_replacement(name, one, change) for one, change in zip(planned, saved, strict=True)),
        unreachable=tuple(Unreachable(site.name, site.was, site.unreachable) for site in chosen if site.unreachable),
        parameters=Change(before.parameters, after.parameters),
        multiply_adds=None
        if before.multiply_adds is None or after.multiply_adds is None
        else Change(before.multiply_adds, after.multiply_adds),
        saved_bytes=Change(sum(c.before for c in counted), sum(c.after for c in counted)) if counted else None,
    )


def _replacement(name: str, one: Planned, saved: Change | None) -> Replacement:
    site, call = one.site, one.site.call
    window = f" {words(window_of(one.pool, {}))}" if one.pool.role == "window" else ""
    conv = f"{call.op} {words(window_of(call.run, {}))}, " if isinstance(call.run, nn.Conv2d) else ""
    return Replacement(
        name=site.name,
        kind=site.kind,
        was=site.was,
        now=f"{conv}{name}{window}",
        input=call.input and call.input[1:],
        output=call.output and call.output[1:],
        parameters=parameters(one.pool),
        saved_bytes=saved,
    )


@contextmanager
def _in_evaluation(model: nn.Module) -> Iterator[None]:
    """Enter eval mode without gradients, and restore everything afterwards."""
    with preserve_state(model), torch.no_grad():
        model.eval()
        yield
