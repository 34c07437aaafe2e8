"""Initial weights by streams: two arms with one seed start from the same weights wherever both have them."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from poolab.pooling import Pool
from poolab.streams import derive_seed

if TYPE_CHECKING:
    from poolab.backbones.base import Backbone


def initialise(model: "Backbone", seed: int | None) -> None:
    """Draw all initial weights, each module from the random stream of its own qualified name.

    What another arm has besides (a learnable pooling, a strided convolution) therefore changes no weight that both
    have. torch's global generators are left as they were. A pooling layer knows its own start; every other module
    follows the backbone's rule. Do this on the CPU, before the model moves to a device.
    With seed None the same rules draw from torch's global generator, one module after another.

    Raises:
        ValueError: the model has left the CPU, where its start would depend on the device.

    >>> from poolab.backbones import create_backbone
    >>> arms = [
    ...     create_backbone("keras_cnn", in_channels=1, num_classes=10, image_size=32, seed=0, pooling={"name": name})
    ...     for name in ("max", "strided_conv")
    ... ]
    >>> torch.equal(arms[0].conv2.weight, arms[1].conv2.weight)
    True
    """
    away = {str(parameter.device) for parameter in model.parameters()} - {"cpu", "meta"}
    if away:
        raise ValueError(f"{model.name} is on {', '.join(sorted(away))}: initialise it on the CPU, then move it.")
    with torch.random.fork_rng(devices=[], enabled=seed is not None), torch.no_grad():
        _reset(model, model, "", seed, in_pool=False)


def _reset(model: "Backbone", module: nn.Module, path: str, seed: int | None, in_pool: bool) -> None:
    in_pool = in_pool or isinstance(module, Pool)
    if hasattr(module, "reset_parameters"):
        if seed is not None:
            # Not torch.manual_seed: it would reseed the accelerators' generators too.
            torch.default_generator.manual_seed(derive_seed(seed, "init", path))
        if in_pool:
            module.reset_parameters()  # type: ignore[operator]
        else:
            model.reset_module(module)
    for name, child in module.named_children():
        _reset(model, child, f"{path}.{name}" if path else name, seed, in_pool)


def glorot_uniform(module: nn.Module) -> None:
    """Initialise as Keras does: Glorot-uniform weights and zero biases; other layers as torch does."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    else:
        module.reset_parameters()  # type: ignore[operator]


def he_normal(module: nn.Module) -> None:
    """Initialise as He et al. (2015, arXiv:1502.01852): normal weights of variance 2 / fan_in, zero biases; other
    layers as torch does.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    else:
        module.reset_parameters()  # type: ignore[operator]
