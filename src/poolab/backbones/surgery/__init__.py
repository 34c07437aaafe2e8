"""Another pooling in a network that is there already."""

from poolab.backbones.surgery.report import Change, Replacement, SwapReport, Unreachable
from poolab.backbones.surgery.sites import Site, find_sites
from poolab.backbones.surgery.swap import swap_pooling

__all__ = ["Change", "Replacement", "Site", "SwapReport", "Unreachable", "find_sites", "swap_pooling"]
