"""Layers that are poolings of torch by their class, and compute something of their own."""

import copy

import torch
from torch import Tensor, nn

from poolab.backbones.surgery.calls import TORCH_WINDOWS, Call, torch_class
from poolab.backbones.surgery.geometry import fitting, window_of
from poolab.pooling import Pool

_SAME = "timm.layers.pool2d_same"  # pads as TensorFlow does, and pools as torch does


def own_arithmetic(call: Call, layer: nn.Module) -> str:
    """Return what a layer computes in place of its torch class's formula, in words; empty where it computes that."""
    kind, forward = type(layer), vars(layer).get("forward")
    base = torch_class(layer)
    if isinstance(layer, Pool) or base is None:
        return ""
    if (
        kind.forward is base.forward
        or kind.__module__ == _SAME
        or (kind.__module__.startswith("torch.") and not forward)
    ):
        return ""
    if call.given is not None and _is_same(call, layer, base):
        return ""
    return f"{kind.__name__} has arithmetic of its own beside {base.__name__}'s: name it in slots= to replace it"


def _is_same(call: Call, layer: nn.Module, base: type[nn.Module]) -> bool:
    """Compare what the layer gave with what torch's class gives, with the padding that the sizes tell."""
    assert call.given is not None
    plain = base.__new__(base)
    plain.__dict__ = copy.copy(vars(layer))
    plain._forward_hooks, plain._forward_pre_hooks = type(plain._forward_hooks)(), type(plain._forward_pre_hooks)()
    try:
        if base in TORCH_WINDOWS:
            window = fitting(window_of(layer, {}), call.input, call.output)
            taken = {name: value for name, value in window.items() if name in vars(layer)}
            plain.__dict__.update(taken)
        with torch.no_grad():
            found = base.forward(plain, call.given)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return False
    if not isinstance(call.result, Tensor) or found.shape != call.result.shape:
        return False
    return found.is_meta or torch.allclose(found, call.result, equal_nan=True)
