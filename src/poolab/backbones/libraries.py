"""Networks of torchvision and timm by name, for any number of channels and classes, with their weights or without."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from poolab.backbones.weights import fit_channels, read_state, take_over
from poolab.errors import ConfigError, nearest

LIBRARIES = ("torchvision", "timm")
# Without the auxiliary outputs, which only training would see. Their own start takes half a minute of scipy.
SPECIAL: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def build_network(
    name: str,
    *,
    in_channels: int,
    num_classes: int,
    image_size: tuple[int, int],
    pretrained: bool,
    weights: str | None,
    tell: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """Build the network `torchvision/<name>` or `timm/<name>`.

    Args:
        name: the library and the library's name of the network.
        in_channels, num_classes, image_size: of the data; the size is for networks that are built for one.
        pretrained: load the library's own weights, downloaded where they are not in its cache.
        weights: load them from this file.
        tell: called with a sentence for each name or weight of the file that is left out.

    Raises:
        ConfigError: no such network, its library is missing, or weights that are not there or do not fit.
    """
    if pretrained and weights is not None:
        raise ConfigError(
            "backbone.pretrained=true and backbone.weights both say where the weights come from: drop one"
        )
    library, _, own = name.partition("/")
    known = list_networks(library)
    if own.split(".")[0] not in known:
        raise ConfigError(
            f"{library} has no classification network {own!r}: {nearest(own, known)}"
            f"it has {len(known)}, e.g. {', '.join(known[:: max(1, len(known) // 8)][:8])}"
        )
    if torch.get_default_device().type == "meta":  # shapes alone: weights would be fetched for nothing
        pretrained, weights = False, None
    build = _torchvision if library == "torchvision" else _timm
    network = build(own, in_channels, num_classes, image_size, pretrained)
    if weights is not None:
        for text in take_over(network, read_state(weights), f"backbone.weights={weights}"):
            tell(text)
    return network


def list_networks(library: str) -> list[str]:
    """Return the names of a library's classification networks.

    >>> "resnet18" in list_networks("torchvision")
    True

    Raises:
        ConfigError: the library is not installed.
    """
    if library == "torchvision":
        from torchvision import models

        return sorted(models.list_models(module=models))
    return sorted(_import_timm().list_models())


def _import_timm() -> Any:
    try:
        import timm
    except ImportError as fault:
        raise ConfigError("backbone=timm/... needs timm, which is not installed: pip install timm") from fault
    return timm


def _torchvision(name: str, in_channels: int, num_classes: int, size: tuple[int, int], pretrained: bool) -> nn.Module:
    from torchvision.models import get_model, get_model_weights

    more = SPECIAL.get(name, {})
    if name.startswith("vit_") and size[0] == size[1]:  # made for one size, of squares
        more = {"image_size": size[0]}
    network: nn.Module = get_model(name, num_classes=num_classes, **more)
    if in_channels != 3:
        _take_channels(network, in_channels)
    if pretrained:
        best = get_model_weights(name).DEFAULT
        file = best.url.rpartition("/")[2]
        try:
            state = best.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as fault:
            raise ConfigError(
                f"the weights of torchvision/{name} cannot be had: {fault}. Download {best.url} elsewhere and put it "
                f"at {torch.hub.get_dir()}/checkpoints/{file} ($TORCH_HOME moves that folder), or name the file with "
                "backbone.weights=FILE instead of backbone.pretrained=true"
            ) from fault
        take_over(network, state, f"the weights {file}")
    return network


def _take_channels(network: nn.Module, channels: int) -> None:
    """Let the first convolution take other images; its start is that for three colours, spread over the channels."""
    conv = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    shape = torch.Size((conv.out_channels, channels, *conv.kernel_size))
    conv.weight = nn.Parameter(fit_channels(conv.weight.detach(), shape))
    conv.in_channels = channels


def _timm(name: str, in_channels: int, num_classes: int, size: tuple[int, int], pretrained: bool) -> nn.Module:
    timm = _import_timm()
    wanted: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels}
    fixed = timm.get_pretrained_cfg(name).fixed_input_size
    if fixed:
        wanted["img_size"] = size
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, **wanted)
    except (OSError, RuntimeError) as fault:
        if not pretrained:
            raise
        raise ConfigError(_where_to_put(name, timm.get_pretrained_cfg(name), fault)) from fault
    return network


def _where_to_put(name: str, weights: Any, fault: Exception) -> str:
    if weights.hf_hub_id:
        url = f"https://huggingface.co/{weights.hf_hub_id}/resolve/main/model.safetensors"
    elif weights.url:
        url = weights.url
    else:
        return (
            f"timm has no weights for {name}: leave backbone.pretrained=true out, or name a file with backbone.weights"
        )
    return (
        f"the weights of timm/{name} cannot be had: {str(fault).splitlines()[0]} Download {url} elsewhere and name the "
        "file with backbone.weights=FILE instead of backbone.pretrained=true; or fill the cache ($HF_HOME, by default "
        "~/.cache/huggingface) on a machine with internet and copy it here"
    )
