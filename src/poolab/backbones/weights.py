"""Weights that others trained: where they come from, and how they fit other images and other classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from poolab.errors import ConfigError

State = Mapping[str, Tensor]


def read_state(path: str | Path) -> State:
    """The weights in a file: a state_dict by `torch.save`, alone or under "state_dict" or "model", or safetensors.

    Raises:
        ConfigError: there is no such file, or it holds something else. Code in it is never run.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"backbone.weights={path}: there is no such file")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file  # timm brings it

            content: Any = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as fault:  # whatever the two readers say of a file that is none of theirs
        raise ConfigError(f"backbone.weights={path} holds no weights that can be read safely: {fault}") from fault
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ConfigError(f"backbone.weights={path} holds no state_dict (names to tensors)")
    return content


def take_over(network: nn.Module, state: State, what: str) -> None:
    """Load weights into a network that may have other classes and other image channels.

    The first convolution's weights for three colours are spread over other channels so that its output keeps its
    scale: summed for one channel, else repeated and scaled by 3 / channels. A last layer for other classes keeps its
    own start; so do weights that the file has not, if they are the last layer's.

    Raises:
        ConfigError: weights are missing or have other shapes elsewhere: they are another network's.
    """
    own = network.state_dict()
    fitted = {name: fit_channels(value, own[name].shape) for name, value in state.items() if name in own}
    other = [name for name, value in own.items() if name not in fitted or fitted[name].shape != value.shape]
    last = last_layer(network)
    strange = [name for name in other if name.rpartition(".")[0] != last]
    if strange:
        raise ConfigError(
            f"{what} are another network's: {len(strange)} of {len(own)} weights are missing or have another shape, "
            f"{', '.join(strange[:3])} first"
        )
    network.load_state_dict({name: value for name, value in fitted.items() if name not in other}, strict=False)


def fit_channels(weight: Tensor, shape: torch.Size) -> Tensor:
    """A convolution's weights (out, 3, h, w) for another number of image channels; others as they are.

    >>> fit_channels(torch.ones(8, 3, 5, 5), torch.Size([8, 1, 5, 5])).unique()
    tensor([3.])
    >>> fit_channels(torch.ones(8, 3, 5, 5), torch.Size([8, 6, 5, 5])).unique()
    tensor([0.5000])
    """
    if weight.dim() != 4 or weight.shape == shape or weight.shape[1] != 3 or len(shape) != 4:
        return weight
    channels = shape[1]
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight.repeat(1, -(-channels // 3), 1, 1)[:, :channels] * (3 / channels)


def last_layer(network: nn.Module) -> str:
    """The qualified name of the layer that gives the class scores: the last with weights."""
    layers = (nn.Linear, nn.Conv2d)
    return [path for path, module in network.named_modules() if isinstance(module, layers)][-1]
