"""Networks that name the places where they pool, so that any pooling can fill them."""

from poolab.backbones.base import Backbone, PixelBackbone
from poolab.backbones.initialise import initialise
from poolab.backbones.layout import to_channels_last
from poolab.backbones.libraries import LIBRARIES
from poolab.backbones.match import Match, match_width
from poolab.backbones.probe import VanishError, meta_twin
from poolab.backbones.registry import (
    backbone_options,
    backbone_task,
    channels_last_on,
    create_backbone,
    list_backbones,
)
from poolab.backbones.request import OWN, ROLES, Group
from poolab.backbones.shapes import SlotShape, render_shapes, slot_shapes
from poolab.backbones.slots import Slot, SlotFiller
from poolab.backbones.surgery import SwapReport, swap_pooling

__all__ = [
    "LIBRARIES",
    "OWN",
    "ROLES",
    "Backbone",
    "Group",
    "Match",
    "PixelBackbone",
    "Slot",
    "SlotFiller",
    "SlotShape",
    "SwapReport",
    "VanishError",
    "backbone_options",
    "backbone_task",
    "channels_last_on",
    "create_backbone",
    "initialise",
    "list_backbones",
    "match_width",
    "meta_twin",
    "render_shapes",
    "slot_shapes",
    "swap_pooling",
    "to_channels_last",
]
