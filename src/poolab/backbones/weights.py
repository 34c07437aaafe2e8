"""Weights that others trained: where they come from, and how they fit other images and other classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from poolab.backbones.state import State, compare, strange, without_prefix
from poolab.errors import ConfigError
from poolab.text import printable

WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")  # under which programs put a state_dict


def read_state(path: str | Path) -> State:
    """Read the weights in a file: a state_dict by `torch.save`, alone or under "state_dict" or "model", or safetensors.

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
        first = printable(str(fault).strip().partition("\n")[0])[:300]
        raise ConfigError(
            f"backbone.weights={path} holds no weights that can be read safely ({type(fault).__name__}: {first}); "
            "save model.state_dict() by torch.save, or safetensors"
        ) from fault
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(f"backbone.weights={path} holds no state_dict (names to tensors) but {_kind(content)}")
    others = [name for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if others:
        raise ConfigError(
            f"backbone.weights={path} holds no state_dict (names to tensors): {others[0]!r} is "
            f"{_kind(content[others[0]])}"
        )
    return content


def _kind(value: Any) -> str:
    return "an empty mapping" if isinstance(value, Mapping) and not value else f"a {type(value).__name__}"


def take_over(network: nn.Module, state: State, what: str) -> list[str]:
    """Load weights into a network that may have other classes and other image channels; return remarks for the user.

    The first convolution's weights for three colours are spread over other channels so that its output keeps its
    scale: summed for one channel, else repeated and scaled by 3 / channels. A last layer for other classes keeps its
    own start; so do weights that the file has not, if they are the last layer's. Known prefixes of the names in the
    file (`module.` of DataParallel, `network.` of poolab's own checkpoints) are left out.

    Raises:
        ConfigError: more than the last layer differs: they are another network's.
    """
    own = network.state_dict()
    named, prefix = without_prefix(_of_network(state), own)
    _check_numbers(named, own, what)
    fitted = {name: fit_channels(value, own[name].shape) if name in own else value for name, value in named.items()}
    found, last = compare(fitted, own), last_layer(network)
    faults = strange(found, fitted, own, last)
    if faults:
        at = f" (names without {prefix!r})" if prefix else ""
        raise ConfigError(
            f"{what} are another network's. Of {len(own)} weights{at} {'; '.join(faults)}. Name its own file; "
            "to go on from a run of poolab, write recipe=finetune recipe.checkpoint=runs/<signature>"
        )
    other = {*found.missing, *found.reshaped, *found.unexpected}
    network.load_state_dict({name: value for name, value in fitted.items() if name not in other}, strict=False)
    told = [f"{what}: the prefix {prefix!r} of the names was removed"] if prefix else []
    afresh = [*found.missing, *found.reshaped]
    if afresh:
        told.append(f"{what}: the last layer has new initial weights ({', '.join(afresh)})")
    if found.unexpected:
        more = ", ..." if len(found.unexpected) > 3 else ""
        told.append(f"{what}: {len(found.unexpected)} weights are not used ({', '.join(found.unexpected[:3])}{more})")
    return told


def _check_numbers(state: State, own: State, what: str) -> None:
    """Check that weights are real and finite: whole numbers of a quantised file would be taken as they stand.

    Raises:
        ConfigError: a weight has another kind of numbers, or one that is not finite.
    """
    for name, value in state.items():
        if name in own and own[name].is_floating_point() and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise ConfigError(
                f"{what}: {name} holds numbers of type {kind}, and a network is trained with floating-point weights: "
                "name the file of before quantisation"
            )
        if value.is_floating_point() and not value.is_meta and not value.isfinite().all():
            raise ConfigError(
                f"{what}: {name} holds numbers that are not finite (NaN or infinity): the file is damaged"
            )


def _of_network(state: State) -> State:
    """Leave out what a checkpoint of poolab holds beside its network: the buffers of the metrics."""
    metrics = ("train_metrics.", "val_metrics.", "test_metrics.")
    return {name: value for name, value in state.items() if not name.startswith(metrics)}


def fit_channels(weight: Tensor, shape: torch.Size) -> Tensor:
    """Convert a convolution's weights (out, 3, h, w) to another number of image channels; return others unchanged.

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
    """Return the qualified name of the layer that gives the class scores: the last one with weights."""
    layers = (nn.Linear, nn.Conv2d)
    return [path for path, module in network.named_modules() if isinstance(module, layers)][-1]
