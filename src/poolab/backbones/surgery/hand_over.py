"""Move hooks, and attributes that others set, from a replaced layer to the new one."""

import inspect
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any

from torch import nn

from poolab.backbones.surgery.calls import torch_class
from poolab.pooling import Pool, WindowPool2d

Undo = list[Callable[[], object]]
_HOOKS = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
_WINDOW = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
_MODULE = frozenset(vars(nn.Module())) | {"_compiled_call_impl"}


def fault(old: nn.Module, new: Pool) -> str:
    """Return why a layer's attributes cannot move to the one that replaces it; empty where they can."""
    lost = [name for name, value in _state(old) if value is not None] if not isinstance(old, Pool) else []
    if lost:
        return f"it has {', '.join(lost)} of its own, which would be lost"
    taken = [
        name for name, value in _attributes(old)
        if name != "forward" and _is_taken(new, name) and not _equal(new, name, value)
    ]  # fmt: skip
    if taken:
        return f"its attribute {taken[0]} is one of {type(new).__name__} too, with another value"
    forward = vars(old).get("forward")
    if forward is not None and _rebound(forward, old, new) is forward:
        return f"its forward was set on the instance, as a {type(forward).__name__}"
    return ""


def hand_over(old: nn.Module, new: Pool, undo: Undo) -> None:
    """Move hooks and attributes from a layer to the one that replaces it; handles of hooks keep their meaning."""
    for name in _HOOKS:
        hooks, own = getattr(old, name), getattr(new, name)
        if not hooks:
            continue
        undo.append(partial(_without, hooks, list(own)))
        hooks.update(own)
        for hook in hooks.values():
            if getattr(hook, "with_module", False) and hook.module() is old:
                undo.append(partial(setattr, hook, "module", hook.module))
                hook.module = weakref.ref(new)
        new.__dict__[name] = hooks  # the same object: whoever holds a handle can still remove the hook
    if old._backward_hooks:
        new._is_full_backward_hook = old._is_full_backward_hook
    for name, value in _attributes(old):
        if not _is_taken(new, name):
            new.__dict__[name] = _rebound(value, old, new)


def _attributes(old: nn.Module) -> Iterator[tuple[str, Any]]:
    """Return what is on a layer beside what its class has."""
    if isinstance(old, Pool):
        standard = _own_names(old)
    else:
        base = torch_class(old)
        standard = set() if base is None else set(inspect.signature(base).parameters)
    return ((name, value) for name, value in vars(old).items() if name not in _MODULE and name not in standard)


def _own_names(old: Pool) -> set[str]:
    """Return the names of the attributes that a pooling's constructor sets."""
    given: dict[str, Any] = {name: getattr(old, name) for name in old.options}
    if isinstance(old, WindowPool2d):
        given |= {name: getattr(old.geometry, name) for name in _WINDOW}
    if old.uses_channels != "never":
        given["channels"] = old.channels
    return set(vars(type(old)(**given)))


def _state(old: nn.Module) -> Iterator[tuple[str, Any]]:
    yield from old._parameters.items()
    yield from old._buffers.items()
    yield from old._modules.items()


def _equal(new: Pool, name: str, value: Any) -> bool:
    try:
        return getattr(new, name) is value or bool(getattr(new, name) == value)
    except (RuntimeError, ValueError, TypeError):
        return False


def _is_taken(new: Pool, name: str) -> bool:
    """Return True if the new layer needs a name itself; YOLO's `type`, else a method of every module, may stand."""
    return name in vars(new) or (hasattr(new, name) and not hasattr(nn.Module, name))


def _rebound(value: Any, old: nn.Module, new: Pool) -> Any:
    """Return a method of the old layer, or a partial of it, as one of the new layer."""
    if isinstance(value, MethodType) and value.__self__ is old:
        function = value.__func__
        is_of_class = getattr(type(old), function.__name__, None) is function
        return MethodType(getattr(type(new), function.__name__, function) if is_of_class else function, new)
    if isinstance(value, partial) and any(each is old for each in value.args):
        made = partial(value.func, *(new if each is old else each for each in value.args), **value.keywords)
        vars(made).update({name: _rebound(each, old, new) for name, each in vars(value).items()})
        return made
    return value


def _without(hooks: dict[int, Any], keys: list[int]) -> None:
    for key in keys:
        hooks.pop(key, None)
