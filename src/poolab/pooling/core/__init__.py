"""The ground of all layers: base class, geometry, windows, options, learned values, random numbers, documentation."""

from poolab.pooling.core.base import Pool, Reference, Role
from poolab.pooling.core.docstring import parsed
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.options import Choice, Integer, Integers, Option, Real, Size, flag, is_whole, shown, whole_hint

__all__ = [
    "Choice",
    "Geometry",
    "Integer",
    "Integers",
    "Option",
    "Pool",
    "Real",
    "Reference",
    "Role",
    "Size",
    "flag",
    "is_whole",
    "parsed",
    "shown",
    "whole_hint",
]
