"""The arguments of the configured network. Does not import Lightning, so that `poolab shapes` starts quickly."""

from typing import Any

from poolab.backbones import Match, match_width
from poolab.data import ImageShape
from poolab.run_config import RunConfig


def network_settings(config: RunConfig, shape: ImageShape) -> dict[str, Any]:
    """Return the arguments of `create_backbone` and `slot_shapes` for images of that shape, without matched width."""
    return {
        "name": config.backbone.name,
        **config.backbone.options,
        "in_channels": shape.channels,
        "num_classes": shape.num_classes,
        "image_size": shape.image_size,
        "pooling": config.pooling,
        "head": config.head,
    }


def matched_settings(config: RunConfig, shape: ImageShape) -> tuple[dict[str, Any], Match | None]:
    """Return `network_settings` at the width that `backbone.match` asks for, and the match (None without it).

    Raises:
        ConfigError: the backbone cannot be widened, or `backbone.match_to` is no pooling that fits it.
    """
    settings = network_settings(config, shape)
    by, to = config.backbone.match, config.backbone.match_to
    if by is None or to is None:
        return settings, None
    build = {"backbone" if key == "name" else key: value for key, value in settings.items()}
    found = match_width(**build, by=by, to=to)
    return {**settings, "width_mult": found.width_mult}, found
