"""The example that a network runs on: what may be given, and faults that name their cause."""

import copy
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from poolab.errors import ConfigError

# A batch; or several inputs, as a tuple; or inputs by the names that the network's `forward` has for them. Anything
# else is one input.
Example = Any
_STATE = frozenset(vars(nn.Module()))


def run_example(model: nn.Module, example: Example, again: Callable[[], object] = lambda: None) -> Any:
    """Run a network on an example; a network that takes gradients in its `forward` is run again with them.

    Args:
        model: the network.
        example: its inputs.
        again: called before it is run again.

    Raises:
        ConfigError: the network does not take it; the message tells what it takes.
    """
    try:
        with uncompiled_parts(model), unchanged(model):
            try:
                return model(*positional(example), **named(example))
            except RuntimeError as fault:
                if "does not require grad" not in str(fault) or torch.is_grad_enabled():
                    raise
        again()
        with uncompiled_parts(model), unchanged(model), torch.enable_grad():
            return model(*positional(example), **named(example))
    except Exception as fault:  # whatever a stranger's network raises
        lines = str(fault).splitlines() or [""]
        raise ConfigError(
            f"{type(model).__name__} does not run on example_input, {described(example)}: {type(fault).__name__}: "
            f"{lines[0]}. {_advice(model)}"
        ) from fault


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restore what a run writes to its modules, and the numbers that it draws from Python's and numpy's generators."""
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    contents = [
        (each, copy.copy(each)) for _, own in attributes for name, each in own.items() if _is_written(name, each)
    ]
    drawn, numpy = random.getstate(), sys.modules.get("numpy")
    drawn_by_numpy = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        for module, own in attributes:
            for name in vars(module).keys() - own.keys():
                del vars(module)[name]
            vars(module).update(own)
        for each, before in contents:
            each.clear()
            (each.extend if isinstance(each, list) else each.update)(before)
        random.setstate(drawn)
        if numpy is not None:
            numpy.random.set_state(drawn_by_numpy)


def _is_written(name: str, value: Any) -> bool:
    return type(value) in (list, dict, set) and name not in _STATE


def positional(example: Example) -> tuple[Any, ...]:
    """Return the inputs by place.

    >>> positional(1), positional((1, 2)), positional({"x": 1})
    ((1,), (1, 2), ())
    """
    if isinstance(example, Mapping):
        return ()
    return example if type(example) is tuple else (example,)


def named(example: Example) -> dict[str, Any]:
    """Return the inputs by name."""
    return {str(name): value for name, value in example.items()} if isinstance(example, Mapping) else {}


def described(value: Any) -> str:
    """Describe inputs in short.

    >>> described((torch.zeros(1, 3), {"mask": None}))
    '(a tensor 1x3, {mask: a NoneType})'
    """
    if isinstance(value, Tensor):
        return f"a tensor {'x'.join(map(str, value.shape))}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {described(each)}" for name, each in value.items()) + "}"
    if type(value) in (list, tuple):
        inside = ", ".join(map(described, value))
        return f"[{inside}]" if type(value) is list else f"({inside})"
    return f"a {type(value).__name__}"


def check_model(model: nn.Module) -> None:
    """Refuse a network that surgery cannot change.

    Raises:
        ConfigError: it is no module, or it is scripted, wrapped for several processes, or not built to the end.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"swap_pooling changes a network, an nn.Module, in place; found {model!r:.60}. A network by its name is "
            'made first, e.g. `model = torchvision.models.get_model("resnet18")`'
        )
    name = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        raise ConfigError(
            f"{name} is compiled by torch.jit, and fixed: swap the poolings before, and compile afterwards"
        )
    for path, module in model.named_modules():
        kind = _sharded(module)
        if kind:
            at = f" at {path}" if path else ""
            raise ConfigError(
                f"{name} is wrapped by {kind}{at}, which would not know of new parameters: swap the poolings before"
            )
    lazy = [
        path for path, tensor in _tensors(model) if isinstance(tensor, UninitializedParameter | UninitializedBuffer)
    ]
    if lazy:
        raise ConfigError(
            f"{name} has layers without a size yet, {', '.join(lazy[:3])}: run it once on a batch before its poolings "
            "are swapped"
        )


def _tensors(model: nn.Module) -> Iterator[tuple[str, Any]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _sharded(module: nn.Module) -> str:
    names = {kind.__name__ for kind in type(module).__mro__}
    for name in ("DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"):
        if name in names:
            return name
    return ""


def _advice(model: nn.Module) -> str:
    try:
        told = f"Its forward takes {inspect.signature(model.forward)}; give"
    except (TypeError, ValueError):
        told = "Give"
    return told + " a tuple for several inputs, or a dict of them by name"


@contextmanager
def uncompiled_parts(model: nn.Module) -> Iterator[None]:
    """Run compiled parts as they were written: what runs inside compiled code is not seen."""
    if any("_orig_mod" in vars(each)["_modules"] or vars(each).get("_compiled_call_impl") for each in model.modules()):
        with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.compile.module.*global hooks")
            yield
    else:
        yield
