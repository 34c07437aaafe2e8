"""The backbones by name, and the one function that builds them."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch

from poolab.backbones.adopted import Adopted
from poolab.backbones.airbench94 import Airbench94
from poolab.backbones.base import Backbone
from poolab.backbones.initialise import initialise
from poolab.backbones.keras_cnn import KerasCNN
from poolab.backbones.lenet import LeNet
from poolab.backbones.libraries import LIBRARIES
from poolab.backbones.probe import VanishError
from poolab.backbones.request import Asked, AskedHead
from poolab.backbones.resnet18_cifar import ResNet18
from poolab.backbones.resnet20 import ResNet20
from poolab.backbones.slots import SlotFiller
from poolab.backbones.torch_cnn import TorchCNN
from poolab.backbones.unet import UNet
from poolab.backbones.vgg_small import VGGSmall
from poolab.errors import ConfigError, nearest
from poolab.own_code import find_own, is_own, own_faults
from poolab.pooling.core import is_whole
from poolab.streams import derive_seed

# A builder is called as Class(slots, in_channels=, num_classes=, image_size=, **options) and gives a Backbone.
BACKBONES: dict[str, Callable[..., Backbone]] = {
    "keras_cnn": KerasCNN,
    "lenet": LeNet,
    "torch_cnn": TorchCNN,
    "vgg_small": VGGSmall,
    "resnet20": ResNet20,
    "resnet18_cifar": ResNet18,
    "airbench94": Airbench94,
    "unet": UNet,
}

_GIVEN = ("slots", "in_channels", "num_classes", "image_size")


def list_backbones(task: str | None = None) -> list[str]:
    """Return the names of poolab's own backbones; with a task, only those for it.

    `create_backbone` takes torchvision/<name> and timm/<name> too, which are for classification.

    >>> list_backbones()
    ['keras_cnn', 'lenet', 'torch_cnn', 'vgg_small', 'resnet20', 'resnet18_cifar', 'airbench94', 'unet']
    >>> list_backbones(task="segmentation")
    ['unet']
    """
    return [name for name in BACKBONES if task in (None, backbone_task(name))]


def backbone_task(name: str) -> str:
    """Return what a backbone is for: "classification" or "segmentation".

    Raises:
        ConfigError: there is no such backbone.

    >>> backbone_task("unet")
    'segmentation'
    """
    return str(getattr(_builder(name), "task", Backbone.task))  # a builder need not be a class


def channels_last_on(name: str) -> tuple[str, ...]:
    """Return the kinds of device on which a backbone was measured to train faster in channels_last memory format.

    Raises:
        ConfigError: there is no such backbone.

    >>> channels_last_on("keras_cnn")
    ('cpu',)
    """
    return tuple(getattr(_builder(name), "channels_last_on", ()))  # a builder need not be a class


def create_backbone(
    name: str,
    *,
    in_channels: int,
    num_classes: int,
    image_size: int | tuple[int, int],
    pooling: Asked = None,
    head: AskedHead = None,
    seed: int | None = None,
    **options: Any,
) -> Backbone:
    """Create a network with its pooling slots filled.

    Args:
        name: one of `list_backbones()`, or a network of a library: "torchvision/resnet18", "timm/resnet18" (then with
            the options pretrained=True, or weights=FILE); or MODULE:CLASS, the import path of a `Backbone` of your own,
            or an entry point of the group `poolab.backbones`.
        in_channels: the images' channels.
        num_classes: the number of scores.
        image_size: the images' side in pixels, or (height, width).
        pooling: `{"name": ..., "slots": "all" or a list of names, ...}`; kernel_size, stride, padding, dilation and
            ceil_mode override the slot's own unless None; `at` has poolings of single slots, by the slot's name, each
            a name or `{"name": ..., ...}`; all other keys are the method's options.
            None, or the name "own", keeps the backbone's pooling.
        head: `{"name": ..., ...options}`; None, or the name "own", keeps the backbone's.
        seed: of the initial weights (see `initialise`); None draws them from torch's global generator.
        options: the backbone's own; `width_mult` of poolab's backbones multiplies all channels.

    Raises:
        ConfigError: a name, slot, option or size is wrong, or a map would be empty; the message says what is possible.

    >>> model = create_backbone("keras_cnn", in_channels=3, num_classes=10, image_size=32, pooling={"name": "avg"})
    >>> {name: slot.pooling for name, slot in model.slots.items()}
    {'pool1': 'avg', 'pool2': 'avg', 'head': 'flatten'}
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    builder = _builder(name)
    _check_options(name, builder, options)
    size = image_pair(image_size)
    for key, value in {"in_channels": in_channels, "num_classes": num_classes}.items():
        if not is_whole(value) or value < 1:
            raise ConfigError(f"{name}: {key}={value!r} is not a positive integer.")
    slots = SlotFiller(name, pooling, head)
    with nullcontext() if seed is None else torch.random.fork_rng(devices=[]):
        if seed is not None:  # for a layer that draws its start while it is built and has no reset_parameters
            torch.default_generator.manual_seed(derive_seed(seed, "build"))
        with own_faults(VanishError):
            model = builder(slots, in_channels=in_channels, num_classes=num_classes, image_size=size, **options)
    initialise(model, seed)
    return model


def takes_option(name: str, option: str) -> bool:
    """Return whether a backbone has an option of that name.

    >>> takes_option("vgg_small", "width"), takes_option("resnet20", "width")
    (True, False)

    Raises:
        ConfigError: there is no such backbone.
    """
    return option in _options(_builder(name))


def backbone_options(name: str) -> list[str] | None:
    """Return the names of a backbone's options, or None where there is no backbone of that name.

    >>> backbone_options("vgg_small"), backbone_options("vgg")
    (['width', 'width_mult'], None)
    """
    try:
        return _options(_builder(name))
    except ConfigError:
        return None


def image_pair(size: Any) -> tuple[int, int]:
    """Return an image size as (height, width).

    >>> image_pair(32)
    (32, 32)

    Raises:
        ConfigError: it is neither a positive integer nor a pair of them.
    """
    pair = tuple(size) if not isinstance(size, int | str) and hasattr(size, "__iter__") else (size, size)
    if len(pair) != 2 or not all(is_whole(side) and side > 0 for side in pair):
        raise ConfigError(f"image_size={size!r} is neither a positive integer nor a pair (height, width).")
    return pair


def _builder(name: str) -> Callable[..., Backbone]:
    if name.startswith(tuple(f"{library}/" for library in LIBRARIES)):
        return Adopted
    if name not in BACKBONES and is_own(name, "backbone"):
        own: type[Backbone] = find_own(name, "backbone").value
        return own
    if name not in BACKBONES:
        known = list_backbones()
        raise ConfigError(
            f"backbone {name} is not known: {nearest(name, known)}Allowed: {', '.join(known)}, "
            f"{', '.join(f'{library}/<name>' for library in LIBRARIES)}, and MODULE:CLASS for a class of your own."
        )
    return BACKBONES[name]


def _options(builder: Callable[..., Backbone]) -> list[str]:
    return [key for key in inspect.signature(builder).parameters if key not in _GIVEN]


def _check_options(name: str, builder: Callable[..., Backbone], options: Mapping[str, Any]) -> None:
    allowed = _options(builder)
    for key in options:
        if key not in allowed:
            choice = f"Allowed: {', '.join(allowed)}." if allowed else "It has no options."
            raise ConfigError(f"backbone {name} has no option {key}: {nearest(key, allowed)}{choice}")
