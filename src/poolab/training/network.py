"""The configured network in the words of the backbones; without Lightning, so that `poolab shapes` starts quickly."""

from collections.abc import Mapping
from typing import Any

from poolab.data import ImageShape


def network_settings(config: Mapping[str, Any], shape: ImageShape) -> dict[str, Any]:
    """What `create_backbone` and `slot_shapes` take: the configured network for images of that form."""
    return {
        **config["backbone"],
        "in_channels": shape.channels,
        "num_classes": shape.num_classes,
        "image_size": shape.image_size,
        "pooling": config["pooling"],
        "head": config["head"],
    }
