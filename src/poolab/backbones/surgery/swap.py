"""`swap_pooling`: another pooling in a network that poolab did not write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from poolab.backbones.base import Backbone
from poolab.backbones.surgery.apply import apply, undone_on_fault
from poolab.backbones.surgery.calls import CONVOLUTIONS
from poolab.backbones.surgery.example import Example, check_model, run_example, unchanged, uncompiled_parts
from poolab.backbones.surgery.geometry import window_of, words
from poolab.backbones.surgery.notes import notes
from poolab.backbones.surgery.plan import KINDS, Planned, choose, like_of, listed, plan
from poolab.backbones.surgery.report import Change, Replacement, SwapReport, Unreachable
from poolab.backbones.surgery.saved import saved_bytes
from poolab.backbones.surgery.sites import Site, Sites, find_sites
from poolab.errors import ConfigError
from poolab.measure import multiply_adds, parameters, preserve_state, uncompiled
from poolab.pooling import get_pool


def swap_pooling(
    model: nn.Module,
    name: str,
    *,
    slots: str | Sequence[str] | None = None,
    example_input: Example | None = None,
    **options: Any,
) -> SwapReport:
    """Replace the poolings of any network, in place.

    The geometry is that of what is replaced unless `options` says otherwise; weights, device and mode stay. It replaces
    layers, functions (such as `F.max_pool2d`), and single calls of a layer that is called again. A module that calls
    those keeps its `forward` as it is written, with its Python: each call is known by its place in the source and goes
    to a layer of its own, and a call that did not run with `example_input` is refused by name when it runs. A strided
    convolution becomes the same convolution with stride 1, and the pooling after it. Networks for sequences and volumes
    get the method in one and three dimensions. New parameters have the dtype of the network's. Hooks of what is
    replaced, and attributes that others set on it, move to the new layer.

    Args:
        model: any module; changed in place, or, where something is wrong, not at all.
        name: a method, one of `list_pools()`.
        slots: "window" (maxima and averages over windows), "strided_conv", "head" (the last pooling of whole maps, and
            others of the same map), or the qualified names of places, as the report and the error messages list them.
            None: "head" for a method for heads, else "window".
        example_input: a batch that the model takes; a tuple for several inputs, a dict for inputs by name (a dict that
            is one input goes into a tuple). It runs in eval mode, without gradients unless `forward` takes some;
            without it only layers are found, no function, methods that must know the channels cannot be used, and no
            shape is checked.
        options: the method's own, and kernel_size, stride, padding, dilation, ceil_mode.

    Returns:
        What was replaced by what, what was not reached and why, and what the change costs.

    Raises:
        ValueError: there is no such method.
        ConfigError: nothing would be replaced, a place or an option is wrong, an output would have another shape, the
            network does not run on the example, or it is scripted, or wrapped for several processes.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10))
    >>> report = swap_pooling(net, "avg_topk", k=3, example_input=torch.zeros(1, 3, 8, 8))
    >>> net[1]
    AvgTopKPool2d(kernel_size=2, stride=2, k=3)
    >>> [(place.name, place.was, place.now) for place in report.replaced]
    [('1', 'MaxPool2d 2x2/2', 'avg_topk 2x2/2')]
    """
    model = uncompiled(model)
    check_model(model)
    role = get_pool(name).role
    where = slots if slots is not None else "head" if role == "global" else "window"
    modes = {path: module.training for path, module in model.named_modules()}
    with _in_evaluation(model):
        sites = find_sites(model, example_input)
        chosen = choose(sites.all, _first_names(model, sites, where), name)
        reached = [site for site in chosen if not site.unreachable]
        planned = [plan(site, name, options, modes, like_of(model, site)) for site in reached]
        if not planned:
            raise ConfigError(_nothing(model, sites, chosen, where, example_input))
        before = _costs(model, planned, example_input)
        expected = None if example_input is None else _shapes(run_example(model, example_input))
        with undone_on_fault() as undo:
            apply(model, sites, planned, undo)
            if example_input is not None:
                _check_whole(model, name, planned, example_input, expected)
        after = _costs(model, planned, example_input)
    for one in planned:
        one.pool.train(modes[one.site.call.layer or one.site.call.owner])
    if isinstance(model, Backbone):
        for one in planned:
            model.note_swap(one.site.name, one.pool)
    return _report(name, chosen, planned, before, after, tuple(notes(model, sites, planned)))


def _first_names(model: nn.Module, sites: Sites, slots: str | Sequence[str]) -> list[str]:
    """Return the requested places; a layer that stands at several has the name of the first."""
    named = dict(model.named_modules(remove_duplicate=False))
    firsts = {id(site.call.run): site.name for site in sites.all if site.call.layer == site.name}
    return [firsts.get(id(named.get(one)), one) for one in ([slots] if isinstance(slots, str) else slots)]


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


def _check_whole(model: nn.Module, name: str, planned: list[Planned], example: Example, expected: Any) -> None:
    """Run the changed network: a layer that is called in places of different channels shows only now."""
    ran = set[int]()
    handles = [one.pool.register_forward_hook(lambda module, *_: ran.add(id(module))) for one in planned]
    try:
        found = _shapes(run_example(model, example))
    except ConfigError as fault:
        raise ConfigError(f"with {name} the network does not run: {fault.__cause__ or fault}") from fault
    finally:
        for handle in handles:
            handle.remove()
    if found != expected:
        raise ConfigError(
            f"with {name} the network gives {found} instead of {expected}: does its code ask for the class of a layer, "
            "as isinstance(layer, nn.MaxPool2d)? The new layer has another one"
        )
    idle = [one.site.name for one in planned if id(one.pool) not in ran]
    if idle:
        raise ConfigError(
            f"{name} was put at {', '.join(idle)} and did not run: a forward that was set on an instance, or code "
            "outside, calls what was there. Nothing was changed; leave the places out with slots="
        )


def _shapes(output: Any) -> Any:
    return tree_map_only(Tensor, lambda tensor: tuple(tensor.shape), output)


@dataclass(frozen=True)
class Costs:
    """Parameters, multiply-adds and bytes kept for the backward, of a network before or after a swap."""

    parameters: int
    multiply_adds: int | None
    saved: list[int | None]


def _costs(model: nn.Module, planned: list[Planned], example: Example | None) -> Costs:
    operations = None
    if example is not None:
        with suppress(RuntimeError):  # it cannot be counted where `forward` takes gradients
            operations = _operations(model, example)
    return Costs(parameters(model), operations, [_saved(model, one) for one in planned])


def _operations(model: nn.Module, example: Example) -> int:
    """Return the multiply-adds of one example of a batch, or of all that is given where it is no single tensor."""
    if isinstance(example, Tensor):
        with uncompiled_parts(model), unchanged(model):
            return multiply_adds(model, example)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        run_example(model, example)
    return counter.get_total_flops() // 2


def _saved(model: nn.Module, one: Planned) -> int | None:
    """Return the bytes that a place saves for the backward at present."""
    if one.site.call.given is None:
        return None
    try:
        run: Any = model.get_submodule(one.site.name)
    except AttributeError:  # a function, so far
        run = one.site.call.run
    with one.site.call.as_called():
        return saved_bytes(run, one.site.call.given, run if isinstance(run, nn.Module) else None)


def _report(
    name: str, chosen: list[Site], planned: list[Planned], before: Costs, after: Costs, told: tuple[str, ...]
) -> SwapReport:
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
        notes=told,
    )


def _replacement(name: str, one: Planned, saved: Change | None) -> Replacement:
    site, call = one.site, one.site.call
    window = f" {words(window_of(one.pool, {}))}" if one.pool.role == "window" else ""
    conv = f"{call.op} {words(window_of(call.run, {}))}, " if isinstance(call.run, CONVOLUTIONS) else ""
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
        was = model.training
        model.eval()
        try:
            yield
        finally:
            model.train(was)  # for a network whose `train` does more; `preserve_state` then restores each module's flag
